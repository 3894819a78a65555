"""What a CT must be, and must not show, for its coronary calcium to be counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.catalogue.contrast_agent import contrast_agent
from isocenter.catalogue.made_alike import must_be_made_alike
from isocenter.catalogue.virtual_ct import energies_kev, virtual_image
from isocenter.errors import Refused
from isocenter.methods.calcium import is_sharp
from isocenter.methods.field_of_view import cut_slices
from isocenter.space import Volume

__all__ = ["is_for_calcium", "is_gated", "must_be_clean", "must_be_in_view", "must_be_scorable"]

_KV, _THICK_MM, _METAL_HU, _CONTRAST_HU, _NOISE_HU = 120.0, (2.5, 3.0), 1500.0, 100.0, 40.0
_TELLING = 2000  # voxels of tissue
_ABOUT_MM, _SMOOTH_MM = 30.0, 5.0
_CUT = 1 / 3  # of the slices that a field of view may graze
_LIKE_KEV = (70, 70)  # calcium is brighter below and darker above
_GATED = re.compile(
    r"cardiac|ecg|(?<!navi)(?<!esti)gat|(?<!bolus )(?<!bolus)trig|prospect(?!\w* recon)|ca ?sc|calcium|cac\b|agatston",
    re.IGNORECASE,
)
_NOT_GATED = re.compile(
    r"\bun ?(?:gated|triggered)|\b(?:non?|not|without|w/o|ohne|sans) ?(?:(?:cardiac|heart) )?(?:ecg|ekg|gat|trig)",
    re.IGNORECASE,
)
_TOLD = (
    "ReasonForStudy", "ReasonForTheRequestedProcedure", "RequestedProcedureDescription",
    "PerformedProcedureStepDescription", "ProtocolName", "StudyDescription", "SeriesDescription",
)  # fmt: skip
_SUPPOSED = {
    "KVP": "the tube voltage: 120 kV was supposed, and 130 HU is calcium's threshold at no other",
    "SliceThickness": "the thickness of slices: their distance was taken for it",
    "ConvolutionKernel": "the kernel: a soft one was supposed",
}
_MADE = (
    r"(?:cabg|bypass(?:es)?|(?:vein |arterial )?grafts?|stents?|stented|tavi|tavr|mitra ?clip|valve replacement|"
    r"prosthetic valve|valve prosthesis|annuloplasty)"
)
_OPERATED = re.compile(rf"\b{_MADE}\b", re.IGNORECASE)
_NOT_OPERATED = re.compile(
    r"\b(?:(?:no|without|denies) (?:(?:prior|previous|known|history of|hx of|h/o|coronary|cardiac) )*|"
    rf"(?:pre|before)[ -]?){_MADE}\b(?:(?: ?/ ?| or | nor )(?:coronary )?{_MADE}\b)*",
    re.IGNORECASE,
)


def is_for_calcium(facts: Mapping[str, Any]) -> bool:
    """Whether a header is that of the images on which calcium is scored: 2.5 to 3 mm, 120 kV, soft, before contrast.

    >>> is_for_calcium({"SliceThickness": 3.0, "ConvolutionKernel": "Qr36d"}), is_for_calcium({"SliceThickness": 1.0})
    (True, False)
    """
    thick, kv = facts.get("SliceThickness"), facts.get("KVP")
    return (
        not (isinstance(kv, int | float) and abs(kv - _KV) > 1.0)
        and isinstance(thick, int | float)
        and _THICK_MM[0] - 0.01 <= thick <= _THICK_MM[1] + 0.01
        and not is_sharp(str(facts.get("ConvolutionKernel") or ""))
        and not contrast_agent(facts)
        and not virtual_image(facts, _LIKE_KEV)
    )


def must_be_scorable(ct: Volume) -> list[str]:
    """What the header must not say; what it leaves unsaid is told."""
    facts = ct.facts
    if ct.axes:
        raise Refused(
            f"a CT with {[a.name for a in ct.axes]}",
            "calcium is counted on one image of the chest",
            "choose a series with one image at each place, such as one phase of the beat",
        )
    if ct.unit != "[hnsf'U]":
        raise Refused(f"images in {ct.unit}", "the threshold is in Hounsfield units", "send the original CT")
    if agent := contrast_agent(facts):
        raise Refused(f"contrast agent '{agent}'", "blood would count as calcium", "score the scan before contrast")
    must_be_made_alike(ct, "a score is of slices that were all made in one way")
    if virtual := virtual_image(facts, _LIKE_KEV):
        raise Refused(
            virtual, "130 HU is calcium's threshold on plain images of 120 kV only; here the same calcium has another "
            "brightness, or was taken out", "send the plain images, or virtual ones of 70 keV",
        )  # fmt: skip
    told = " ".join(str(facts.get(k) or "") for k in _TOLD)
    operated = _OPERATED.search(_NOT_OPERATED.sub("", told))
    if operated:
        raise Refused(
            f"the header says '{operated.group(0)}'",
            "grafts, stents and valves hold calcium and metal that is not that of native arteries",
            "score by hand, leaving them out",
        )
    kv = facts.get("KVP")
    if kv is not None and abs(float(kv) - _KV) > 1.0:
        raise Refused(
            f"{float(kv):g} kV",
            "130 HU is calcium's threshold at 120 kV only; it is another one here",
            "scan at 120 kV",
        )
    thick = float(facts.get("SliceThickness") or ct.geometry.disk_mm[0])
    apart = ct.geometry.disk_mm[0]
    if not _THICK_MM[0] - 0.01 <= thick <= _THICK_MM[1] + 0.01:
        raise Refused(
            f"slices of {thick:g} mm",
            "the score is defined on 2.5 to 3 mm: thin ones count noise, thick ones miss spots",
            "reconstruct at 3 mm",
        )
    if apart > 1.05 * thick:
        raise Refused(
            f"slices of {thick:g} mm lie {apart:.2f} mm apart",
            "calcium in the gaps would be missed",
            "reconstruct without gaps",
        )
    kernel = str(facts.get("ConvolutionKernel") or "")
    if is_sharp(kernel):
        raise Refused(f"kernel {kernel}", "a sharp kernel makes noise pass for calcium", "reconstruct with a soft one")
    unsaid = [words for keyword, words in _SUPPOSED.items() if not str(facts.get(keyword) or "")]
    said = [f"WARNING: the header does not state {', '.join(unsaid)}"] if unsaid else []
    if energies_kev(facts):
        said.append(
            "WARNING: a virtual image of 70 keV: calcium lies near where it lies at 120 kV, and the score near that of "
            "plain images; how near depends on scanner and patient"
        )
    return said


def must_be_in_view(hu: npt.NDArray[np.float32], region: npt.NDArray[np.bool_], what: str) -> list[str]:
    """The picture must show all of the heart, or of the arteries: where its field of view cuts them calcium is missing,
    and the heart that is found between what is left of the lungs is another.

    Returns:
        Words on what the field of view grazes: pictures are made small around a heart, and the region that is found is
        wider than its arteries.

    Raises:
        Refused: where the region touches the edge of the field of view in more than a third of its slices.
    """
    cut = cut_slices(hu, region)
    of = int(np.count_nonzero(region.any(axis=(1, 2))))
    if cut > _CUT * of:
        raise Refused(
            f"a field of view that cuts the {what} in {cut} of {of} slices", "calcium outside of it would be missing",
            "reconstruct a larger field of view, or draw the heart where all of it is inside",
        )  # fmt: skip
    grazed = f"WARNING: the field of view cuts the {what} in {cut} of {of} slices: calcium outside of it is not counted"
    return [grazed] if cut else []


def must_be_clean(
    hu: npt.NDArray[np.float32], region: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> list[str]:
    """What the pixels must not show: metal, contrast, noise.

    Arteries that were drawn close about their calcium hold too little else: there what lies about them tells.
    """
    # A large piece of metal was taken for bone where the heart was looked for, and left a hole in its region.
    if float(hu.max()) > _METAL_HU and (brightest := float(hu[_without_holes(region)].max())) > _METAL_HU:
        raise Refused(
            f"{brightest:.0f} HU in the heart", "no calcium is that dense: a stent, valve, clip or lead",
            "score by hand, leaving the metal out",
        )  # fmt: skip
    inside = hu[region]
    tissue = inside[(inside > -20.0) & (inside < 700.0)]
    if tissue.size > _TELLING:
        usual = float(np.median(tissue))
        noise = 1.4826 * float(np.median(np.abs(tissue - usual)))
    elif (told := _about(hu, region, spacing_mm)) is not None:
        usual, noise = told
    else:
        return []
    if usual > _CONTRAST_HU:
        raise Refused(
            f"a heart of {usual:.0f} HU",
            "blood without contrast has 30 to 60: contrast was given",
            "choose the series without contrast",
        )
    if noise > _NOISE_HU:
        raise Refused(f"noise of {noise:.0f} HU", "single bright pixels would count as calcium", "smooth or scan again")
    return [f"noise of {noise:.0f} HU: the smallest spots may be noise"] if noise > 0.6 * _NOISE_HU else []


def _about(
    hu: npt.NDArray[np.float32], region: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> tuple[float, float] | None:
    """Usual attenuation and noise of the soft tissue about a region, in the slices where it lies; None for too little.

    Smoothed, tissue is told from fat, lung and bone however noisy it is, and what smoothing takes away is its noise.
    """
    from scipy.ndimage import find_objects, uniform_filter

    wide = [max(3, round(_SMOOTH_MM / mm)) for mm in spacing_mm[1:]]
    smooth, rest = [], []
    for k in np.flatnonzero(region.any(axis=(1, 2))):
        (box,) = find_objects(region[k].astype(np.uint8))
        cut = tuple(
            slice(max(0, part.start - round(_ABOUT_MM / mm)), part.stop + round(_ABOUT_MM / mm))
            for part, mm in zip(box, spacing_mm[1:], strict=True)
        )
        mean = uniform_filter(hu[k][cut], wide)
        soft = (mean > 0.0) & (mean < 700.0)
        smooth.append(mean[soft])
        rest.append((hu[k][cut] - mean)[soft])
    means, left = np.concatenate(smooth), np.concatenate(rest)
    if means.size <= _TELLING:
        return None
    usual = float(np.median(means))
    alike = np.abs(means - usual) < 30.0
    return usual, 1.4826 * float(np.median(np.abs(left[alike])))


def _without_holes(region: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The region with what it encloses in a slice."""
    from scipy.ndimage import binary_fill_holes, find_objects

    filled = region.copy()
    for k in np.flatnonzero(region.any(axis=(1, 2))):
        (box,) = find_objects(region[k].astype(np.uint8))
        filled[k][box] = binary_fill_holes(region[k][box])
    return filled


def is_gated(ct: Volume) -> bool:
    """Whether the header says that the scan followed the beat; a score of one that did not is no Agatston score."""
    facts = ct.facts
    if any(facts.get(k) is not None for k in ("HeartRate", "NominalInterval", "TriggerTime", "CardiacNumberOfImages")):
        return True
    if "NominalInterval" in facts.get("PerImage", {}):
        return True  # slices of several beats state the rate of each
    technique = str(facts.get("CardiacSynchronizationTechnique") or "").upper()  # of enhanced images
    if technique:
        return technique != "NONE"
    told = " ".join(str(facts.get(k) or "") for k in ("ScanOptions", "ProtocolName", "ImageType"))
    told = re.sub(r"[\s_-]+", " ", told)
    return bool(_GATED.search(told)) and not _NOT_GATED.search(told)
