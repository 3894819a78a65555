"""Mammogram: the breast, the pectoral muscle, the dense tissue, and whether the side is what the header says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.plane_image import grey
from isocenter.errors import Refused
from isocenter.methods import mammogram
from isocenter.methods.film_view import is_turned_by_table
from isocenter.record import Code, Finding, Measurement, codes
from isocenter.space import Geometry, Reference, Region, Volume

__all__ = ["PERCENT_DENSITY", "BreastDensity"]

BREAST = Code("76752008", "SCT", "Breast")
PECTORAL = Code("pectoral-muscle", "99ISO", "Pectoral muscle")
DENSE = Code("dense-tissue", "99ISO", "Dense breast tissue")
PERCENT_DENSITY = Code("percent-density", "99ISO", "Percent mammographic density by area")
SIDE = Code("image-side", "99ISO", "Side of the breast in the picture")
_MAGNIFIED = 1.3  # contact views have 1.0 to 1.1, magnification stands 1.5 to 2
_SPOILED = {
    r"magnification|magnified|mag": "a magnified part is not the whole breast",
    r"spot": "a spot is not the whole breast",
    r"implants?(?: displaced)?|[lr]?[ _-]?(?:cc|mlo)[ _-]?id": "an implant hides tissue",
    r"tangential|tan": "only a part is shown",
    r"exaggerated|xccl|xccm|axillary tail|anterior compression": "only a part is shown",
    r"rolled": "tissue lies elsewhere than in a plain view",
    r"cleavage": "both breasts are shown",
    r"specimen": "it is no breast",
    r"biopsy|stereotactic|stereo": "only a part is shown",
}
_WHOSE = r"(?=[ _-]?(?:cc|mlo|breast|brust|mamma)|[^a-z]|$)"
_SAID_SIDE = {
    "L": re.compile(rf"(?<![a-z])(?:l|lt|left|links?e?){_WHOSE}", re.IGNORECASE),
    "R": re.compile(rf"(?<![a-z])(?:r|rt|right|rechte?s?){_WHOSE}", re.IGNORECASE),
}
_NAMES = {"L": "left", "R": "right"}


_TELLING = ("ViewCode", "ViewModifier", "ViewPosition", "SeriesDescription", "PaddleDescription")
_BESIDE = ("ProtocolName", "AcquisitionDeviceProcessingDescription")  # where consoles name the view as well
_VIEW = {
    "MLO": re.compile(r"medio ?lateral(?:e[rs]?)? (?:obli|schr)|(?<![a-z])[lr]?mlo(?![a-z])"),
    "CC": re.compile(r"[ck]ran[ei]?o ?[ck]audal|(?<![a-z])[lr]?cc(?![a-z])"),
}
_SYNTHETIC = re.compile(r"c-?view|intelligent ?2d|insight ?2d|v-?preview|synth|s2d(?![a-z])", re.IGNORECASE)


class BreastDensity:
    """How much of the breast is dense on this mammogram, and is it the side that the header says?"""

    name, version = "breast_density", "11"
    needs: ClassVar[Mapping[str, Need]] = {"image": Need(modality="MG", every=True)}
    yields = (
        Yield(what=BREAST, units=("mm2", "%")),
        Yield(what=PECTORAL, units=("mm2",)),
        Yield(what=DENSE, units=("mm2", "%")),
        Yield(what=PERCENT_DENSITY, units=("%",)),
        Yield(what=codes.HEADER_MISMATCH),
    )
    limits = Limits(seconds=60.0, memory_mib=3072)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Area percent density of a cranio-caudal or medio-lateral oblique view, in research.",
        "not_for": "BI-RADS categories, which are read by eye; volumetric density; implants; finding cancer.",
        "sources": ("Byng 1994 (interactive threshold)", "Otsu 1979", "Karssemeijer 1998 (pectoral line)"),
        "limits": (
            "Very dense breasts come out 3 to 5 points too low, for gland that reaches the skin is missed in part.",
            "Where fat and gland do not part, as in breasts of fat, of gland or of low contrast, no density is given.",
            "Percent density by area depends on the maker's processing: compare only pictures of one kind.",
            "BI-RADS categories are read by eye and are not given.",
        ),
        "level": "verified in silico; no mammogram with truth was at hand",
    }

    def run(self, image: Volume, *, view: Literal["by header", "CC", "MLO"] = "by header") -> Answer:
        """Outline breast, muscle and dense tissue of one view.

        Args:
            image: one mammogram, bright where dense.
            view: cranio-caudal or medio-lateral oblique, where the header does not say it.

        Raises:
            Refused: for spot, magnification and implant views, other views, or where no breast lies at one edge.
        """
        said = " ".join(str(image.facts.get(k) or "") for k in _TELLING)
        for words, why in _SPOILED.items():
            if spoiled := re.search(rf"(?<![a-z])(?:{words})(?![a-z])", said.casefold()):
                raise Refused(f"a view with {spoiled.group()}", why, "send the CC or MLO view")
        enlarged = image.facts.get("EstimatedRadiographicMagnificationFactor")
        if isinstance(enlarged, (int, float)) and enlarged > _MAGNIFIED:
            raise Refused(
                f"a picture magnified {enlarged:g} times", "a magnified part is not the whole breast",
                "send the CC or MLO view",
            )  # fmt: skip
        if str(image.facts.get("BreastImplantPresent") or "").upper() == "YES":
            raise Refused("a breast with an implant", "it is neither fat nor gland", "measure it by hand")
        if str(image.facts.get("PartialView") or "").upper() == "YES":
            raise Refused("a partial view", "a part is not the whole breast", "send the CC or MLO view")
        shown = view if view != "by header" else _view(said, image.facts)
        # A table that only bends the greys, and a window, bend density too, and are left out.
        picture, coloured = grey(image, shown=is_turned_by_table(image.facts))
        if coloured is not None and coloured.any():
            raise Refused("a picture in colour", "a mammogram is grey", "send the mammogram as the detector made it")
        held = mammogram.outline(_dense_bright(picture, image.facts), oblique=shown == "MLO")
        return _answer(image, held, shown)

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """A left breast of known density, the same with the wrong side in the header, and a spot view."""
        grid = Geometry.regular(shape=(1, 320, 240), spacing_mm=(1.0, 0.7, 0.7), reference=Reference.PLANE)
        row, column = np.indices(grid.shape[1:])
        radius = np.hypot(column / 190.0, (row - 160) / 140.0)
        gland = np.hypot((column - 75) / 62.0, (row - 160) / 60.0) < 1.0
        edge = np.clip((1.0 - radius) * 8.0, 0.0, 1.0)
        ripple = 12.0 * np.cos(row / 5.0) * np.sin(column / 7.0)
        tissue = np.where(gland, 2500.0, 1400.0) + ripple
        array = np.where(radius < 1.0, edge * tissue, 40.0 + 3.0 * np.cos(row * column)).astype(np.float32)
        facts = {"ViewCode": "cranio-caudal", "ImageLaterality": "L", "PresentationIntentType": "FOR PRESENTATION"}
        image = Volume(array[None], grid, facts=facts)
        truth = 100.0 * float(np.count_nonzero(gland)) / float(np.count_nonzero(radius < 1.0))
        measured = {str(PERCENT_DENSITY): (truth, 3.0)}
        yield {"image": image}, {"answer": "found", "findings": 2, "measurements": measured}
        wrong = replace(image, facts={**facts, "ImageLaterality": "R"})
        yield {"image": wrong}, {"answer": "found", "findings": 3, "words": "header says right"}
        spot = replace(image, facts={**facts, "ViewCode": "spot compression"})
        yield {"image": spot}, {"answer": "declined", "words": "not the whole breast"}


def _view(said: str, facts: Mapping[str, Any]) -> str:
    """CC or MLO, as the header says.

    Raises:
        Refused: where it says neither.
    """
    for words in (said, *(str(facts.get(k) or "") for k in _BESIDE)):
        plain = re.sub(r"[\W_]+", " ", words.casefold())
        for name, pattern in _VIEW.items():
            if pattern.search(plain):
                return name
    other = str(facts.get("ViewCode") or facts.get("ViewPosition") or "").strip()
    raise Refused(
        f"a mammogram of the view '{other}'" if other else "a mammogram whose view is not stated",
        "CC and MLO are known; the muscle is looked for in MLO alone",
        "send the CC or MLO view; if it is one, say so: --set view=CC or view=MLO",
    )


def _dense_bright(picture: npt.NDArray[np.float32], facts: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """The picture with dense tissue bright.

    In a picture for processing the values are those of the detector: where they grow with the exposure, dense tissue is
    dark, whichever way the picture would be shown; where they are in proportion to it, their logarithm is looked at.
    """
    sign = facts.get("PixelIntensityRelationshipSign")
    if str(facts.get("PresentationIntentType") or "").upper() != "FOR PROCESSING":
        return picture
    turned = bool(facts.get("InvertedFromMonochrome1"))
    grows = turned if sign not in (1, -1, 65535) else sign == 1  # not said: what would be shown white saw little
    top = max(float(2 ** int(facts.get("BitsStored") or 16) - 1), 1.0)
    top = top if 0.5 * top < float(picture.max()) <= top else float(picture.max())
    stored = np.asarray(top - picture, np.float32) if turned else picture
    if not grows:
        return stored
    exposure = np.maximum(stored, 0.0)
    relation = str(facts.get("PixelIntensityRelationship") or "").strip().upper()
    if relation == "LIN" or (relation != "LOG" and mammogram.is_linear(exposure)):
        return mammogram.attenuation(exposure)
    return np.asarray(top - stored, np.float32)


def _sides(image: Volume) -> list[tuple[str, str]]:
    """(where, side) that the header tells, its own attributes before words."""
    told = [
        (where, str(image.facts.get(keyword) or "").strip().upper())
        for where, keyword in (
            ("Image Laterality", "ImageLaterality"),
            ("Laterality", "Laterality"),
            ("Anatomic Region Sequence", "AnatomicRegionSide"),
        )
    ]
    words = str(image.facts.get("SeriesDescription") or "")
    found = [side for side, pattern in _SAID_SIDE.items() if pattern.search(words)]
    return [(where, side) for where, side in told if side in _NAMES] + [
        (f"Series Description '{words}'", side) for side in found if len(found) == 1
    ]


def _stated(image: Volume) -> str:
    return next((side for _, side in _sides(image)), "")


def _mismatch(image: Volume, side: str) -> str:
    """What is wrong with the side; empty where picture and header agree.

    Where Patient Orientation says which way the rows run, the chest wall must lie accordingly. Without it a left breast
    is taken to be stored as it is hung, with the chest wall at the left. A picture for presentation that lies and is
    oriented as the other side's is doubted too: the wrong side was written, or it was stored mirrored.
    """
    names, said = _NAMES, _stated(image)
    towards = image.facts.get("PatientOrientation")
    first = str(towards[0] if isinstance(towards, (list, tuple)) and towards else "").strip().upper()[:1]
    wanted = {"A": "L", "P": "R"}.get(first)
    if wanted is not None and wanted != side:
        return f"The chest wall lies at the {names[side]}, and Patient Orientation says the {names[wanted]}: mirrored."
    presented = str(image.facts.get("PresentationIntentType") or "").upper() == "FOR PRESENTATION"
    if wanted is not None and presented and said in names and said != side:
        return (
            f"The breast lies as a {names[side]} one does and Patient Orientation agrees, the header says "
            f"{names[said]}: mixed up, or stored mirrored. Confirm the side."
        )
    if wanted is None and said in names and said != side:
        return f"The breast lies as a {names[side]} one does, the header says {names[said]}: mirrored, or mixed up."
    for where, other in _sides(image):
        if other != said:
            return f"The header says {names[said]}, its {where} says {names[other]}: confirm the side."
    return ""


def _answer(image: Volume, held: mammogram.Breast, view: str) -> Answer:
    calibrated = image.geometry.reference is Reference.PLANE
    pixel = float(np.prod(image.geometry.spacing_mm[1:]))
    remarks = []
    if str(image.facts.get("PresentationIntentType") or "").upper() != "FOR PROCESSING":
        remarks.append(
            "the picture is for presentation: its grey was changed by the maker, and density is by area alone; "
            "volumetric density needs the picture for processing"
        )
    if str(image.facts.get("ImageLaterality") or "").strip().upper() == "B":
        remarks.append("the header says both breasts (Image Laterality B): one was looked for, see whether it is whole")
    elif not _stated(image):
        remarks.append(f"the header does not say the side; the breast lies as a {_NAMES[held.side]} one is hung")
    made = any("TOMO" in str(w).upper() or "2D" in str(w).upper() for w in image.facts.get("ImageType") or ())
    if (
        made
        or image.facts.get("FromTomosynthesis")
        or _SYNTHETIC.search(str(image.facts.get("SeriesDescription") or ""))
    ):
        remarks.append("the picture was computed from tomosynthesis: its density is not that of a mammogram")
    if calibrated and image.facts.get("Captured"):
        remarks.append("the picture is of a class of captures or scanned film: areas hold where nobody scaled it")
    enlarged = image.facts.get("EstimatedRadiographicMagnificationFactor")
    if calibrated and image.facts.get("SpacingFrom") == "ImagerPixelSpacing" and not isinstance(enlarged, (int, float)):
        remarks.append("areas are those on the detector, where the breast is shown larger than it is")
    if not held.parted:
        remarks.append(
            "WARNING: no density is given, for fat and gland do not part on this picture: all of the breast may be "
            "fat, nearly all of it gland, or their contrast too low. Read it by eye"
        )
    if held.touches:
        remarks.append(f"the breast reaches the {' and '.join(held.touches)} of the picture: tissue may be missing")

    def found(what: Code, mask: npt.NDArray[np.bool_], label: str, words: str, share: float | None = None) -> Finding:
        said = []
        if calibrated:
            said.append(Measurement(codes.AREA, float(np.count_nonzero(mask)) * pixel, "mm2", definition="projected"))
        if share is not None:
            said.append(Measurement(codes.AREA, share, "%", definition="of the breast without muscle"))
        where = Region(image.geometry, mask=mask[None], label=label, series_uid=image.series_uid,
                       instance_uid=image.instance_uids[0] if image.instance_uids else "")  # fmt: skip
        return Finding(what, where=where, measurements=tuple(said), words=words)

    findings = [found(BREAST, held.breast, "breast", f"Breast ({view}), without muscle.")]
    given = held.parted and not held.hidden
    if given:
        words = f"Dense tissue: {held.percent:.0f} % of the area."
        findings.append(found(DENSE, held.dense, "dense tissue", words, held.percent))
    if held.muscle.any():
        findings.append(found(PECTORAL, held.muscle, "pectoral muscle", "Pectoral muscle."))
    elif held.hidden:
        remarks.append(
            "WARNING: no density is given: no border of a pectoral muscle was found on an oblique view, and the corner "
            "in which it lies is as bright as gland, with which it would be counted. Measure the CC view"
        )
    elif view == "MLO":
        remarks.append("no pectoral muscle was found on an oblique view: it counts as breast where it is shown")
    if wrong := _mismatch(image, held.side):
        findings.append(Finding(codes.HEADER_MISMATCH, words=wrong))
    by = f"{view}, threshold between fat and gland (Otsu)"
    density = (Measurement(PERCENT_DENSITY, held.percent, "%", definition=by),) if given else ()
    return Answer.found(*findings, measurements=density, reasons=tuple(remarks))
