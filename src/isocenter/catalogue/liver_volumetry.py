"""A liver that was outlined: how large it is for this body, and what a resection would leave."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.errors import Refused
from isocenter.methods.liver_volume import FORMULAE, standard_volume_ml
from isocenter.record import Finding, Measurement, codes
from isocenter.space import Geometry, Reference, Region, Volume, resample_region

__all__ = ["LiverVolumetry"]

_REMNANT = re.compile(r"remnant|(?<![a-z])flr(?![a-z])|future[ _-]?liver", re.IGNORECASE)
_LESION = re.compile(r"tumou?r|lesion|metastas|(?<![a-z])(hcc|[gc]tv)", re.IGNORECASE)
_LIVER = re.compile(r"(?<![a-z])(liver|hepar|leber)(?![a-z])", re.IGNORECASE)
_LITRES = (0.3, 6.0)
_CUT_SHARE, _OUTSIDE_SHARE = 0.25, 0.05

Mask = npt.NDArray[np.bool_]


class LiverVolumetry:
    """How large is the outlined liver for this body, and what share would a resection leave?"""

    name, version = "liver_volumetry", "1"
    needs: ClassVar[Mapping[str, Need]] = {
        "drawn": Need(modality=("SEG", "RTSTRUCT"), gives="regions"),
        "image": Need(modality=("CT", "MR"), optional=True),
    }
    yields = (
        Yield(what=codes.LIVER, units=("mL", "%", "{ratio}")),
        Yield(what=codes.VOLUME, units=("mL",)),
        Yield(what=codes.STANDARD_VOLUME, units=("mL",)),
        Yield(what=codes.LIVER_SHARE, units=("%",)),
    )
    limits = Limits(seconds=60.0, memory_mib=4096)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Set an outlined liver and its future remnant against standard volumes.",
        "not_for": "Deciding on a resection: function is not volume; judging whether the outline is right.",
        "sources": ("Urata 1995", "Vauthey 2002"),
        "limits": (
            "Volume is not function.",
            "The outline is the caller's, and a standard volume is a mean of adults without liver disease.",
        ),
        "level": "verified: voxel counts and published formulae",
    }

    def run(
        self,
        drawn: tuple[Region, ...],
        image: Volume | None,
        *,
        standard: Literal["Vauthey 2002", "Urata 1995"] = "Vauthey 2002",
        height_m: float = 0.0,
        weight_kg: float = 0.0,
    ) -> Answer:
        """Measure the outlined liver.

        Args:
            drawn: a region named liver; may be with others named remnant (or FLR) and tumour (or lesion).
            image: whose header states height and weight.
            standard: formula of the standard volume.
            height_m, weight_kg: of the person, where the header does not state them; 0 believes the header.

        Raises:
            Refused: when there is no liver among the regions, or its volume would be wrong.
        """
        liver, remnant, lesions = _named(drawn)
        ml = liver.geometry.voxel_volume_mm3 / 1000.0
        assert liver.mask is not None
        total = liver.voxels * ml
        if not 1000 * _LITRES[0] <= total <= 1000 * _LITRES[1]:
            raise Refused(f"a liver of {total:.0f} mL", "no adult liver has that size: another structure, or a part")
        _must_be_whole(liver)
        diseased = float((lesions & liver.mask).sum()) * ml
        said = [Measurement(codes.VOLUME, total, "mL", definition="total liver")]
        if diseased:
            said.append(Measurement(codes.VOLUME, diseased, "mL", definition="tumour within the liver"))
        remarks: list[str] = []
        expected = _standard(said, image, standard, height_m, weight_kg, remarks)
        if expected:
            share = 100.0 * total / expected
            said.append(Measurement(codes.LIVER_SHARE, share, "%", definition=f"total / standard ({standard})"))
        words = f"Liver of {total:.0f} mL" + (f", standard {expected:.0f} mL ({standard})" if expected else "")
        if remnant is not None:
            words += _left(said, remnant, liver.mask, total - diseased, ml, expected, standard)
        finding = Finding(codes.LIVER, where=liver, site=codes.LIVER, measurements=tuple(said[:1]), words=f"{words}.")
        return Answer.found(finding, measurements=tuple(said), reasons=tuple(remarks))

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """A box of 1400 mL with a remnant of 600, and a box that is no liver."""
        grid = Geometry.regular(shape=(30, 40, 40), spacing_mm=(5.0, 4.0, 4.0), frame_of_reference="2.25.1")
        box, part = np.zeros(grid.shape, bool), np.zeros(grid.shape, bool)
        box[5:25, 5:30, 3:38] = True
        part[5:25, 5:30, 3:18] = True
        regions = (Region(grid, mask=box, label="Liver"), Region(grid, mask=part, label="Future liver remnant"))
        truth = {"answer": "found", "measurements": {"Volume": (20 * 25 * 35 * 0.08, 1e-9)}, "words": "no height"}
        yield {"drawn": regions, "image": None}, {**truth, "findings": 1}
        yield {"drawn": (regions[1],), "image": None}, {"answer": "declined", "words": "named liver"}


def _named(drawn: tuple[Region, ...]) -> tuple[Region, Region | None, Mask]:
    liver, remnant, lesions = None, None, []
    for region in drawn:
        region.must_be_placed()
        if region.mask is None or not region.voxels:
            continue
        if _REMNANT.search(region.label):
            remnant = region
        elif _LESION.search(region.label):
            lesions.append(region)
        elif _LIVER.search(region.label) and liver is None:
            liver = region
    if liver is None:
        names = ", ".join(r.label or "nothing" for r in drawn) or "none"
        raise Refused(f"regions named {names}", "none of them is named liver", "name the whole liver 'liver'")
    if liver.geometry.reference is not Reference.PATIENT:
        raise Refused("an outline without patient coordinates", "its voxels have no volume")

    def on(region: Region) -> Region:
        return region if region.geometry.same_grid(liver.geometry) else resample_region(region, liver.geometry)

    together = np.zeros(liver.geometry.shape, bool)
    for region in lesions:
        mask = on(region).mask
        together |= together if mask is None else mask
    return liver, None if remnant is None else on(remnant), together


def _must_be_whole(liver: Region) -> None:
    assert liver.mask is not None
    for axis in range(3):
        areas = liver.mask.sum(axis=tuple(a for a in range(3) if a != axis))
        if max(areas[0], areas[-1]) > _CUT_SHARE * areas.max() and len(areas) > 1:
            raise Refused("a liver that the images cut", "a part of it lies outside them", "scan the whole liver")


def _standard(
    said: list[Measurement], image: Volume | None, formula: str, height_m: float, weight_kg: float, remarks: list[str]
) -> float:
    facts = {} if image is None else image.facts
    height = height_m or float(facts.get("PatientSize") or 0.0)
    weight = weight_kg or float(facts.get("PatientWeight") or 0.0)
    if not height or not weight:
        remarks.append("no height or no weight: no standard volume")
        return 0.0
    try:
        expected = standard_volume_ml(height, weight, formula)
    except Refused as why:
        remarks.append(f"no standard volume: {why}")
        return 0.0
    surface, people, _ = FORMULAE[formula]
    words = f"{formula}, body surface by {surface.title()}; {people}"
    said.append(Measurement(codes.STANDARD_VOLUME, expected, "mL", definition=words))
    return expected


def _left(
    said: list[Measurement], remnant: Region, liver: Mask, healthy_ml: float, ml: float, expected: float, formula: str
) -> str:
    """The remnant in shares; its words."""
    assert remnant.mask is not None
    outside = float((remnant.mask & ~liver).sum()) / max(1, remnant.voxels)
    if outside > _OUTSIDE_SHARE:
        raise Refused(f"a remnant of which {100 * outside:.0f} % lie outside the liver", "its share would mean nothing")
    left = float((remnant.mask & liver).sum()) * ml
    said.append(Measurement(codes.VOLUME, left, "mL", definition="future liver remnant"))
    share = 100.0 * left / healthy_ml
    said.append(Measurement(codes.LIVER_SHARE, share, "%", definition="remnant / (total - tumour)"))
    words = f"; remnant of {left:.0f} mL, {share:.0f} % of the liver without tumour"
    if expected:
        of_standard = 100.0 * left / expected
        said.append(Measurement(codes.LIVER_SHARE, of_standard, "%", definition=f"remnant / standard ({formula})"))
        words += f", {of_standard:.0f} % of the standard"
    return words
