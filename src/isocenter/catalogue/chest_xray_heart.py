"""Chest radiograph: lung fields, heart, and the cardiothoracic ratio where the picture allows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from isocenter.analysis.film import within_collimator
from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.plane_image import age_said, age_years, grey
from isocenter.errors import Refused
from isocenter.methods import lung_fields
from isocenter.methods.film_view import (
    CALLED_A_FILM,
    CHEST,
    FILMS,
    FRONTAL,
    SIDEWAYS,
    as_stored,
    hung_of,
    is_capture,
    said_lateral,
    towards_of,
    view_of,
)
from isocenter.methods.lung_network import two_opinions
from isocenter.record import Code, Finding, Measurement, codes
from isocenter.space import Reference, Region, Volume

__all__ = ["RATIO", "ChestXrayHeart"]

RATIO = Code("cardiothoracic-ratio", "99ISO", "Cardiothoracic ratio")
SYMMETRY = Code("lung-symmetry", "99ISO", "Symmetry of the lung fields")
TURNED = Code("mediastinal-offset", "99ISO", "Offset of the upper mediastinum")
INSPIRATION = Code("lung-height-ratio", "99ISO", "Height of the right lung over the inner width of the thorax")
UNSURE = Code("open-border", "99ISO", "Part of the outlines without a border")
AGREEMENT = Code("outline-agreement", "99ISO", "Agreement of two outlines of the lung fields")
_BORDER = "that four looks of the network place differently; of the threshold: beyond which it is as dark as within"
_GATE = "upright"  # of the weights: chances of something else, a child's chest, an adult's
_STRANGE = "it does not look like an upright frontal chest: see whether it is turned, cropped or of another part"
_ADULT_YEARS = 18.0
_LARGE = 0.50
_EDGE = 0.02  # of the longer side of the picture
_OTHER_WAY = 0.10  # of the heart's width, by which it lies more to the right than to the left
_MOST_TURNED, _LEAST_INSPIRED, _MOST_UNSURE, _LEAST_SYMMETRY = 0.15, 0.60, 0.15, 0.45
_MOST_BELOW = 0.20  # heights of the lung: 3 cm of an adult's least, 20 cm, are 0.15; a third more for the outlines
_LYING = re.compile(
    r"(?<![a-z])(supine|prone|semi-?erect|recumbent|decubitus|bed(?: ?side)?|icu|portable|portatif|mobile|lying|"
    r"bett|bettaufnahme|liegend|liegen|couch[eé]e?|au lit|wheel ?chair|rollstuhl|stretcher|trolley|gurney|"
    r"brancard)(?![a-z])",
    re.IGNORECASE,
)
_LORDOTIC = re.compile(r"lordotic|lordose|lordotique", re.IGNORECASE)
_AP = re.compile(r"(?<![a-z.])(?:a\.?p|antero-?posterior)(?![a-z])", re.IGNORECASE)
_PA = re.compile(r"(?<![a-z.])(?:p\.?a|postero-?anterior)(?![a-z])", re.IGNORECASE)
_DESCRIBED = (
    "SeriesDescription", "ProtocolName", "StudyDescription", "PerformedProcedureStepDescription",
    "RequestedProcedureDescription", "AcquisitionDeviceProcessingDescription", "ProjectionEponymousName",
    "ProcedureCode", "RequestedProcedureCode", "PerformedProtocolCode", "PatientOrientationCode",
    "PatientOrientationModifier", "ViewCode", "ViewModifier",
)  # fmt: skip
_CODED = ("PatientOrientationCode", "PatientOrientationModifier", "ViewCode", "ViewModifier")
# A study and an order may hold a lateral picture as well.
_OF_PICTURE = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription", "ProjectionEponymousName")


class ChestXrayHeart:
    """Where are the lung fields and the heart on this frontal chest radiograph, and how wide is the heart?"""

    name, version = "chest_xray_heart", "14"
    weights = "chest_xray_heart"
    needs: ClassVar[Mapping[str, Need]] = {
        "image": Need(
            modality=FILMS,
            body_part=CHEST,
            at_most=16,
            facts={"ViewPosition": FRONTAL},
            every=True,
            only=CALLED_A_FILM,
        )
    }
    yields = (
        Yield(what=codes.LUNG, units=("mm2", "%")),
        Yield(what=codes.HEART, units=("{ratio}", "mm")),
        Yield(what=RATIO, units=("{ratio}",)),
        Yield(what=SYMMETRY, units=("{ratio}",)),
        Yield(what=TURNED, units=("{ratio}",)),
        Yield(what=INSPIRATION, units=("{ratio}",)),
        Yield(what=UNSURE, units=("{ratio}",)),
        Yield(what=AGREEMENT, units=("{ratio}",)),
    )
    limits = Limits(seconds=30.0, memory_mib=2048)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Outline lungs and heart of an upright adult chest for a person to correct, with the ratio.",
        "not_for": "Children, bedside and lateral pictures; lungs that are white; telling heart failure.",
        "sources": ("Danzer 1919 (the ratio)", "Otsu 1979", "Ronneberger 2015", "Tobin 2017 (in-silico training)"),
        "limits": (
            "The network learnt from virtual films alone: beside much gas, a large effusion or a white lung the "
            "outline fails.",
            "Rotation is read from the mediastinum and not from the clavicles, inspiration from the height and "
            "not from ribs.",
            "A consolidation counts as lung, and what lies below the domes is drawn.",
        ),
        "level": "a network trained in silico with a classical method beside it; verified in silico, looked at on real "
        "pictures without outlines by readers",
    }

    def run(self, image: Volume, *, ratio_from: float = _LARGE, weights: Any = None) -> Answer:
        """Outline one radiograph.

        Args:
            image: one frontal chest radiograph, bright where dense, the patient's right on the left.
            ratio_from: cardiothoracic ratio above which the words call the heart wide.

            weights: an open ONNX session of the model ``chest_xray_heart``; without it the threshold outlines alone.

        Raises:
            Refused: for a lateral view, a child, a picture that is none, one on which no two lungs are found, or one
                that does not look like an upright chest and whose outlines are in doubt.
        """
        if not 0.3 <= ratio_from <= 0.8:
            raise Refused(
                f"a ratio of {ratio_from:g}",
                "the limit is 0.5 in adults, 0.3 to 0.8 may be asked",
                "give a number between these",
            )
        view = view_of(image.facts)
        code = str(image.facts.get("ViewCode") or "").strip()
        if (view and view not in ("PA", "AP")) or any(word in code.casefold() for word in ("lateral", "oblique")):
            raise Refused(
                f"a view '{view if view not in ('', 'PA', 'AP') else code}'",
                "lungs and heart are outlined on a frontal one",
                "send the PA picture",
            )
        if words := said_lateral(image):
            raise Refused(
                f"a picture described as '{words}'", "lungs and heart are outlined on a frontal one",
                "send the PA picture",
            )  # fmt: skip
        years = age_years(str(image.facts.get("PatientAge") or ""))
        if years is not None and years < _ADULT_YEARS:
            raise Refused(
                f"a patient of {age_said(years)}",
                "the form of the lungs that is looked for and the limit of the ratio are those of adults",
                "measure a child's heart by hand, beside the limits of its age",
            )
        picture, coloured = grey(image, shown=True)
        if coloured is not None and coloured.any():
            raise Refused("a picture in colour", "a radiograph is grey", "send the radiograph as the detector made it")
        spacing = _sides(image)
        if abs(spacing[0] / spacing[1] - 1.0) > 0.01:
            unit = " mm" * (image.geometry.reference is Reference.PLANE)
            raise Refused(
                f"pixels of {spacing[0]:g} by {spacing[1]:g}{unit}",
                "widths are compared in square pixels",
                "send the radiograph as it was acquired, not stretched",
            )
        towards = towards_of(image)
        hung = hung_of(picture, towards)
        field = _exposed(hung)
        chest, doubts, compared, strange = _outlined(hung[field], weights)
        remarks = _quality(chest)
        if strange and (unsure := (*doubts, *remarks[0])):
            raise Refused(
                f"a picture that does not look like an upright frontal chest, with outlines in doubt ({unsure[0]})",
                "another part, a picture that is turned, inverted or cropped, or one of another modality looks so",
                "send the frontal picture as it is hung, or outline it by hand",
            )
        doubts += (_STRANGE,) * strange
        right, left, heart_seen = (
            as_stored(_on_whole(m, hung.shape, field), towards) for m in (chest.right, chest.left, chest.heart)
        )
        chest = replace(chest, right=right, left=left, heart=heart_seen)
        against = (*_unfit(image, view), *doubts, *remarks[0])
        calibrated = image.geometry.reference is Reference.PLANE and not is_capture(image.facts)
        lungs = [
            _lung(chest.right, "right", codes.RIGHT, image, calibrated),
            _lung(chest.left, "left", codes.LEFT, image, calibrated),
        ]
        said = [
            Measurement(SYMMETRY, chest.symmetry, "{ratio}", definition="area of the smaller lung over the larger"),
            Measurement(TURNED, chest.turned, "{ratio}", definition="of half the inner width; above zero: to the left"),
            Measurement(INSPIRATION, chest.inspiration, "{ratio}", definition="the lower of two outlines"),
            Measurement(UNSURE, chest.unsure, "{ratio}", definition=_BORDER),
            *compared,
        ]
        heart: list[Measurement] = []
        if against:
            words = f"No cardiothoracic ratio: {'; '.join(against)}."
        else:
            stated = Measurement(
                RATIO,
                chest.ratio,
                "{ratio}",
                definition="largest extents right and left of the middle, where lung lies beside",
            )
            heart.append(stated)
            said.append(stated)
            wide = "wide" if chest.ratio > ratio_from else "not wide"
            words = f"Cardiothoracic ratio {chest.ratio:.2f}: {wide} (limit {ratio_from:.2f}, adult, PA)."
        if calibrated and not against:
            width = chest.heart_px * spacing[1]
            heart.append(Measurement(codes.DIAMETER, width, "mm", definition=f"heart, {_plane(image)}"))
        region = Region(image.geometry, mask=chest.heart[None], label="heart", series_uid=image.series_uid,
                        instance_uid=_instance(image))  # fmt: skip
        found = Finding(codes.HEART, where=region, measurements=tuple(heart), words=words)
        told = [] if view or code or against else ["the view is PA by the description; View Position is empty"]
        if is_capture(image.facts):
            told.append(
                "the picture is a capture: whoever made it may have scaled it, so no length or area in mm is given"
            )
        elif calibrated and image.facts.get("Captured"):
            told.append("the picture is of a class of captures or scanned film: lengths hold where nobody scaled it")
        return Answer.found(found, *lungs, measurements=tuple(said), reasons=(*against, *told, *remarks[1]))


def _sides(image: Volume) -> tuple[float, float]:
    """How tall and how wide a pixel is; of one without a length, in proportion (Pixel Aspect Ratio)."""
    said = image.facts.get("PixelAspectRatio")
    if image.geometry.reference is Reference.PIXEL and isinstance(said, list) and len(said) == 2:
        tall, wide = (float(v) if isinstance(v, (int, float)) and v > 0 else 1.0 for v in said)
        return tall, wide
    return image.geometry.spacing_mm[1], image.geometry.spacing_mm[2]


def _outlined(
    picture: npt.NDArray[np.float32], weights: Any
) -> tuple[lung_fields.Chest, tuple[str, ...], tuple[Measurement, ...], bool]:
    """(outlines, doubts about them, how far network and threshold agree, whether it looks like no upright chest)."""
    if weights is None:
        return lung_fields.outline(picture), (), (), False
    gated = _GATE in {one.name for one in weights.get_outputs()}  # not so of weights that a site fitted by itself
    other: list[float] = []

    def ask(films: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        logits, *gate = weights.run(["logits", _GATE] if gated else ["logits"], {"films": films})
        other.extend(float(chances[0, 0]) for chances in gate)  # of the picture as it is, the first of the looks
        return np.asarray(logits)

    both = two_opinions(picture, ask)
    said = (
        ()
        if both.agreement is None
        else (Measurement(AGREEMENT, both.agreement.lungs, "{ratio}", definition="Dice of network and threshold"),)
    )
    return both.chest, (both.doubt,) if both.doubt else (), said, any(chance > 0.5 for chance in other)


def _exposed(picture: npt.NDArray[np.float32]) -> tuple[slice, slice]:
    """The part of a picture within its border of one value: what was shut out by the collimator, or added around."""
    down, across = (np.flatnonzero(np.ptp(picture, axis=1 - axis) > 0) for axis in (0, 1))
    if not down.size or not across.size:  # every row, or every column, is of one value: no border can be told
        return slice(0, picture.shape[0]), slice(0, picture.shape[1])
    field = slice(int(down[0]), int(down[-1]) + 1), slice(int(across[0]), int(across[-1]) + 1)
    return within_collimator(picture, field)


def _on_whole(mask: npt.NDArray[np.bool_], shape: tuple[int, ...], field: tuple[slice, slice]) -> npt.NDArray[np.bool_]:
    whole = np.zeros(shape, np.bool_)
    whole[field] = mask
    return whole


def _instance(image: Volume) -> str:
    return image.instance_uids[0] if image.instance_uids else ""


def _plane(image: Volume) -> str:
    if image.facts.get("SpacingFrom") == "ImagerPixelSpacing":
        factor = image.facts.get("EstimatedRadiographicMagnificationFactor")
        if isinstance(factor, (int, float)):
            return f"in the patient, by the header's magnification of {factor:g}"
        return "in the plane of the detector, magnified"
    if image.facts.get("SpacingFrom") == "NominalScannedPixelSpacing":
        return "on the film that was scanned, magnified"
    return "as calibrated"


def _lung(mask: npt.NDArray[np.bool_], name: str, side: Code, image: Volume, calibrated: bool) -> Finding:
    share = 100.0 * float(np.count_nonzero(mask)) / mask.size
    said = [Measurement(codes.AREA, share, "%", definition="of the picture")]
    if calibrated:
        area = float(np.count_nonzero(mask)) * float(np.prod(image.geometry.spacing_mm[1:]))
        said.insert(0, Measurement(codes.AREA, area, "mm2", definition=_plane(image)))
    where = Region(image.geometry, mask=mask[None], label=f"{name} lung", series_uid=image.series_uid,
                   instance_uid=_instance(image))  # fmt: skip
    return Finding(
        codes.LUNG, where=where, laterality=side, measurements=tuple(said),
        words=f"{name.capitalize()} lung field: {share:.0f} % of the picture.",
    )  # fmt: skip


def _unfit(image: Volume, view: str) -> tuple[str, ...]:
    """Why the ratio means nothing on this picture, by its header."""
    reasons = []
    said = f"{view} {image.facts.get('ViewCode') or ''}".casefold()
    plain = re.sub(r"[\W_]", "", said)
    if "ap" in said.split() or "anteroposterior" in plain:
        reasons.append("the view is AP: the heart lies far from the detector and is magnified")
    elif "pa" not in said.split() and "posteroanterior" not in plain and not _is_described_as_pa(image):
        reasons.append("the header does not say that the view is PA")
    described = " ".join(str(image.facts.get(k) or "") for k in _DESCRIBED)
    words = " ".join(str(image.facts.get(k) or "") for k in _DESCRIBED if k not in _CODED)
    of_picture = " ".join(str(image.facts.get(k) or "") for k in _OF_PICTURE)
    for some in (of_picture, words):
        if not reasons and (other := _AP.search(some)) and not _PA.search(some):
            reasons.append(f"the header says PA and its description '{other.group()}': in AP the heart is magnified")
    if leaning := _LORDOTIC.search(described):
        reasons.append(f"the patient leant back ('{leaning.group()}'): the heart is projected upwards and wider")
    position = str(image.facts.get("PatientPosition") or "").strip().upper()
    if position in ("HFS", "FFS", "HFP", "FFP", "HFDR", "HFDL", "FFDR", "FFDL"):
        reasons.append(f"the patient lay (Patient Position {position}): the heart is magnified")
    elif lying := _LYING.search(described):
        reasons.append(f"the picture was taken lying or at the bed ('{lying.group()}'): the heart is magnified")
    age = str(image.facts.get("PatientAge") or "").strip()
    if age_years(age) is None:
        reasons.append(f"the header says the age '{age}' without a unit" if age else
                       "the header does not say the patient's age")  # fmt: skip
    return tuple(reasons)


def _is_described_as_pa(image: Volume) -> bool:
    """Whether the words for this picture alone say PA and not lateral, and none say AP."""
    words, all_words = (" ".join(str(image.facts.get(k) or "") for k in some) for some in (_OF_PICTURE, _DESCRIBED))
    return bool(_PA.search(words)) and not SIDEWAYS.search(words) and not _AP.search(all_words)


def _quality(chest: lung_fields.Chest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(what forbids the ratio, what limits it)."""
    against, remarks = [], []
    if chest.cut:
        against.append(f"a lung is cut off at the {' and '.join(chest.cut)}")
    margin = max(1, round(_EDGE * max(chest.heart.shape)))
    if chest.heart.sum() > chest.heart[margin:-margin, margin:-margin].sum():
        against.append("the outline of the heart runs to the edge of the picture: correct it")
    if chest.unsure > _MOST_UNSURE:
        against.append(f"{chest.unsure:.0%} of the outlines have no sure border: correct them")
    if abs(chest.turned) > _MOST_TURNED:
        against.append("the upper mediastinum lies off the middle: rotated, or pulled to a side")
    if chest.inspiration < _LEAST_INSPIRED:
        against.append("the lungs are low for their width: poor inspiration, or a lung is partly white")
    if _below_lung(chest) > _MOST_BELOW:
        against.append(
            "the heart as outlined reaches far below the right lung: the base of that lung is white or was not "
            "outlined, or the outline of the heart runs into the abdomen; correct them"
        )
    if chest.symmetry < _LEAST_SYMMETRY:
        remarks.append("one lung field is less than half the other: see whether it is whole")
    middle = sum(end[1] for end in chest.thorax_ends) / 2
    right, left = middle - chest.heart_ends[0][1], chest.heart_ends[1][1] - middle
    if right - left > _OTHER_WAY * (right + left):
        remarks.append("the heart as outlined lies to the right: the picture may be mirrored, confirm the side")
    return tuple(against), tuple(remarks)


def _below_lung(chest: lung_fields.Chest) -> float:
    """How far the heart reaches below the lowest point of the right lung, in heights of that lung.

    The heart rests on the diaphragm, whose right dome stands at most some 3 cm above the left one.
    """
    lung, heart = (np.flatnonzero(mask.any(axis=1)) for mask in (chest.right, chest.heart))
    if not lung.size or not heart.size:
        return 0.0
    return float(heart[-1] - lung[-1]) / float(np.ptp(lung) + 1)
