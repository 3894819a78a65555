"""How a radiograph of the chest was taken and lies: whether its words call it lateral, and which way it is hung."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space import Volume

__all__ = ["SIDEWAYS", "as_stored", "hung_of", "said_lateral", "towards_of"]

SIDEWAYS = re.compile(r"(?<![a-z])(lateral|lat|seitlich|seitl|profil|ll|rl)(?![a-z])", re.IGNORECASE)
_FRONTAL = re.compile(
    r"(?<![a-z])(pa|ap|p\.a|a\.p|frontal|postero-?anterior|antero-?posterior|face)(?![a-z])", re.IGNORECASE
)


def said_lateral(image: Volume) -> str:
    """The words that call this picture lateral and nothing frontal; empty where none do."""
    for words in (str(image.facts.get(k) or "") for k in ("SeriesDescription", "ProtocolName")):
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


def as_stored(mask: npt.NDArray[Any], towards: str) -> npt.NDArray[Any]:
    """What lies on the picture as it is hung, a mask or a map, on the picture as it is stored."""
    across, down = sorted(towards, key="LRFH".index)
    mask = mask[:: -1 if down == "H" else 1, :: -1 if across == "R" else 1]
    return np.ascontiguousarray(mask if towards[0] in "LR" else mask.T)
