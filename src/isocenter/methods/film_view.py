"""What the header says of a radiograph of the chest: whether it is one, is lateral, which way it is hung and grey."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.mammogram import attenuation
from isocenter.space import Volume

__all__ = [
    "CALLED_A_FILM",
    "CHEST",
    "FILMS",
    "FRONTAL",
    "SIDEWAYS",
    "as_shown",
    "as_stored",
    "dense_bright",
    "grows_with_exposure",
    "hung_of",
    "is_turned_by_table",
    "is_capture",
    "said_lateral",
    "towards_of",
    "view_of",
]

FILMS = ("CR", "DX", "RG", "OT", "SC")
"""Modality of what may be a radiograph: of a detector, scanned from film, or captured from another program."""
FRONTAL = ("PA", "AP", "POSTEROANTERIOR", "ANTEROPOSTERIOR")
"""View Position of a frontal chest; some makers write the words whole."""
CHEST = ("chest", "thorax", "lung")
_CAPTURES = frozenset({"OT", "SC"})
_SAYS_CHEST = re.compile(r"chest|thorax|lung|poumon|t[oó]rax|torace|(?<![a-z])cxr(?![a-z])", re.IGNORECASE)
_OF_A_VOLUME = re.compile(
    r"(?<![a-z])(ct|cta|hrct|mr|mri|mra|irm|mrt|pet|spect|nm|scint\w*|mip|minip|mpr|vr|vrt|3-?d|scout|topogram|localizer|"
    r"scanogram|surview|dose|report|fluoro\w*|angio\w*|dsa|tomo\w*|echo|us|ultra-?sound|ecg|ekg)(?![a-z])",
    re.IGNORECASE,
)

SIDEWAYS = re.compile(r"(?<![a-z])(lateral|lat|seitlich|seitl|profil|ll|rl)(?![a-z])", re.IGNORECASE)
_FRONTAL = re.compile(
    r"(?<![a-z])(pa|ap|p\.a|a\.p|frontal|postero-?anterior|antero-?posterior|face)(?![a-z])", re.IGNORECASE
)


_OF_PICTURE = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")


def view_of(facts: Mapping[str, Any]) -> str:
    """View Position as PA or AP, also where its words are written whole; another one as it is, empty where none is.

    >>> view_of({"ViewPosition": "POSTERO_ANTERIOR"}), view_of({"ViewPosition": "ap"}), view_of({"ViewPosition": "LL"})
    ('PA', 'AP', 'LL')
    """
    said = str(facts.get("ViewPosition") or "").strip().upper()
    return {"POSTEROANTERIOR": "PA", "ANTEROPOSTERIOR": "AP"}.get(re.sub(r"[\W_]", "", said), said)


def is_capture(facts: Mapping[str, Any]) -> bool:
    """Whether a picture was captured from another program or scanner, as its Modality says (OT, SC)."""
    return str(facts.get("Modality") or "").strip().upper() in _CAPTURES


def _called_a_film(facts: Mapping[str, Any]) -> bool:
    """Whether the header calls this a frontal radiograph of the chest, where its Modality does not say radiograph.

    A capture may be anything: a page of a report, a plane of a CT. Chest and a frontal view have to be stated for it,
    by Body Part Examined and View Position or by the description, and nothing that names another machine.
    """
    if not is_capture(facts):
        return True
    words = " ".join(
        str(facts.get(k) or "")
        for k in ("SeriesDescription", "ProtocolName", "StudyDescription", "RequestedProcedureDescription")
    )
    kind = " ".join(str(word) for word in facts.get("ImageType") or ())
    part, view = str(facts.get("BodyPartExamined") or ""), view_of(facts)
    chest = _SAYS_CHEST.search(part or words)
    frontal = view in ("PA", "AP") or (not view and _FRONTAL.search(f"{words} {facts.get('ViewCode') or ''}"))
    return bool(chest and frontal) and not _OF_A_VOLUME.search(f"{words} {kind}".replace("_", " "))


CALLED_A_FILM = (
    "a header that calls a capture (OT, SC) a chest, PA or AP, and no CT, MR or other machine",
    _called_a_film,
)
"""For `Need.only`: a capture is taken where its header calls it a frontal radiograph of the chest."""


def said_lateral(image: Volume) -> str:
    """The words that call this picture lateral and nothing frontal; empty where none do."""
    code = str(image.facts.get("ViewCode") or "")
    if any(word in code.casefold() for word in ("lateral", "oblique")):
        return code
    for words in (str(image.facts.get(k) or "") for k in _OF_PICTURE):
        if SIDEWAYS.search(words) and not _FRONTAL.search(words):
            return words
    return ""


def towards_of(image: Volume) -> str:
    """Where rows and columns of the picture run in the patient: LF as a frontal radiograph is hung.

    Raises:
        Refused: where they run from front to back, or make no frontal picture.
    """
    stated = image.facts.get("PatientOrientation")
    parts = [str(part).strip().upper()[:1] for part in stated] if isinstance(stated, (list, tuple)) else []
    said = "".join(parts)
    if len(parts) != 2 or not all(parts):
        return "LF"
    if set(said) & {"A", "P"}:
        raise Refused(
            f"a picture that runs from front to back (Patient Orientation {'/'.join(map(str, stated or ()))})",
            "lungs are looked at on a frontal one", "send the PA picture",
        )  # fmt: skip
    return said if set(said) in ({"L", "F"}, {"L", "H"}, {"R", "F"}, {"R", "H"}) else "LF"


def hung_of(picture: npt.NDArray[Any], towards: str) -> npt.NDArray[Any]:
    """The picture with the patient's right on the left and the head above."""
    if towards[0] in "FH":
        picture, towards = picture.T, towards[::-1]
    return np.ascontiguousarray(picture[:: -1 if towards[1] == "H" else 1, :: -1 if towards[0] == "R" else 1])


def _is_raw(facts: Mapping[str, Any]) -> bool:
    return str(facts.get("PresentationIntentType") or "").upper() == "FOR PROCESSING"


def grows_with_exposure(facts: Mapping[str, Any]) -> bool:
    """Whether dense tissue is dark: a picture for processing, not turned yet, whose values grow with the exposure."""
    return (
        _is_raw(facts) and facts.get("PixelIntensityRelationshipSign") == 1 and not facts.get("InvertedFromMonochrome1")
    )


def is_turned_by_table(facts: Mapping[str, Any]) -> bool:
    """Whether the header has larger values shown darker: a look-up table that falls, in a picture for presentation."""
    curve = facts.get("GreyCurve")
    if not curve or _is_raw(facts):
        return False
    return bool(curve["greys"][0] > curve["greys"][-1])


_LEAST_SHOWN = 0.4  # of a picture that its window must leave between black and white; a collimator may take a third


def as_shown(
    picture: npt.NDArray[Any], facts: Mapping[str, Any], within: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float32]:
    """The picture as bright as its header has it shown, 0 to 1 (VOI look-up table or first window, PS3.3 C.11.2).

    As it is where the header states neither, or one that leaves less than two fifths of the picture between black and
    white: some windows are of stored values where the standard has them of rescaled ones, or of another picture.

    Args:
        within: the part that is no padding.

    >>> ramp = np.arange(5.0)
    >>> as_shown(ramp, {"GreyCurve": {"first": 0.0, "step": 4.0, "greys": [1.0, 0.0]}}).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    >>> as_shown(ramp, {"GreyCurve": {"first": 90.0, "step": 4.0, "greys": [0.0, 1.0]}}).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    values, curve = np.asarray(picture, np.float32), facts.get("GreyCurve")
    if not curve:
        return _without_lone_white(values)
    greys = np.asarray(curve["greys"], np.float32)
    places = (values - np.float32(curve["first"])) / np.float32(curve["step"])
    if len(greys) == 2:
        seen = greys[0] + (greys[1] - greys[0]) * np.clip(places, 0, 1)
    else:
        seen = np.interp(places, np.arange(len(greys)), greys).astype(np.float32)
    inside = seen if within is None else seen[within]
    between = np.count_nonzero((inside > greys.min()) & (inside < greys.max()))
    return seen if between >= _LEAST_SHOWN * inside.size else _without_lone_white(values)


_LONE, _GAP = 0.05, 0.4  # of the pixels, at most; of the range of values, that is empty below them


def _without_lone_white(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A picture without a window whose few brightest pixels are far brighter than all others, such as letters, with
    these as bright as the brightest of the others; any other as it is.

    >>> _without_lone_white(np.r_[np.arange(99.0), 4095.0])[-2:].tolist()
    [98.0, 98.0]
    """
    low, high = float(values.min()), float(values.max())
    lone = values > low + (1 - _GAP) * (high - low)
    if not lone.any() or np.count_nonzero(lone) > _LONE * values.size:
        return values
    top, least = float(values[~lone].max()), float(values[lone].min())
    return np.minimum(values, np.float32(top)) if least - top >= _GAP * (high - low) else values


def dense_bright(
    picture: npt.NDArray[Any], facts: Mapping[str, Any], within: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float32]:
    """The picture with dense tissue bright, as it is shown.

    Values of a detector that grow with the exposure are turned, those in proportion to it are looked at as their
    logarithm; their window is one for looking at raw values and is left out.

    Args:
        within: the part that is no padding.
    """
    if not grows_with_exposure(facts):
        return as_shown(picture, facts, within)
    if str(facts.get("PixelIntensityRelationship") or "").strip().upper() == "LIN":
        return attenuation(np.maximum(picture, 0))
    return np.asarray(picture.max() - picture, np.float32)


def as_stored(mask: npt.NDArray[Any], towards: str) -> npt.NDArray[Any]:
    """What lies on the picture as it is hung, a mask or a map, on the picture as it is stored."""
    across, down = sorted(towards, key="LRFH".index)
    mask = mask[:: -1 if down == "H" else 1, :: -1 if across == "R" else 1]
    return np.ascontiguousarray(mask if towards[0] in "LR" else mask.T)
