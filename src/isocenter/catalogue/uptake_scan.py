"""A PET in SUV on its grid, and the regions that were drawn on it: what the analyses of uptake share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.catalogue.mask_grid import OtherGrid, laid
from isocenter.errors import Refused
from isocenter.methods import pet_average, pet_header, suv, uptake
from isocenter.methods.cold_core import cold_core
from isocenter.space import Geometry, Reference, Region, Volume

__all__ = [
    "BLOOD",
    "LIVER",
    "VARIANTS",
    "UptakeScan",
    "gives_suv",
    "hollow",
    "is_reference",
    "mask_of",
    "on_grid",
    "reference_of",
]

LIVER = re.compile(r"(?<![a-z])(liver|hepar)(?![a-z])|^leber(?![a-z])", re.IGNORECASE)
BLOOD = re.compile(r"(?<![a-z])(blood[\s_-]*pool|aorta)(?![a-z])|(?<![a-z])mediastin", re.IGNORECASE)
"""Names of the regions that uptake is compared with."""
_LESION = re.compile(
    r"(?:^|[\W_])met(?:s|a|astas\w*)?(?![a-z])|lesion|mass|tumou?r|nodul|[gc]tv|hcc|node|lymph|(?:^|[\W_])ln(?![a-z])|bulk",
    re.IGNORECASE,
)

_TOO_MUCH, _IMPOSSIBLE = 1.5, 20.0  # of the injected activity: noise and a bias may add some

VARIANTS: Mapping[str, tuple[str, str]] = {
    "james128": ("SUL, James 128", "{SUVlbm}g/ml"),
    "janmahasatian": ("SUL, Janmahasatian", "{SUVlbm}g/ml"),
    "ibw": ("SUVibw", "{SUVibw}g/ml"),
    "bsa": ("SUVbsa, DuBois", "{SUVbsa}cm2/ml"),
}
"""Variant of SUV -> (definition, UCUM unit)."""


def gives_suv(facts: Mapping[str, Any]) -> bool:
    """Whether a header leads to SUV. Beside it many scanners send an image without attenuation correction.

    >>> gives_suv({"Units": "BQML", "DecayCorrection": "START", "CorrectedImage": ["DECY"]})
    False
    """
    try:
        suv.conversion(pet_header.read(facts))
    except Refused:
        return False
    return True


@dataclass(frozen=True, eq=False)
class UptakeScan:
    """SUVbw on its grid, with the factors to other body sizes that the header allows.

    Args:
        suvbw: (slices, rows, columns), g/ml.
        factors: variant (a key of `VARIANTS`) -> what SUVbw is multiplied with.
        remarks: doubts that the header left.
    """

    suvbw: npt.NDArray[np.float32]
    geometry: Geometry
    factors: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, pet: Volume, minutes: str = "") -> UptakeScan:
        """Read one image: a static one, all gates of a gated one, or frames of a dynamic one.

        Args:
            minutes: from which to which minute after the injection frames of a dynamic PET are averaged.

        Raises:
            Refused: for a dynamic PET without such minutes, an image without patient coordinates or content, or a
                header without SUV.
        """
        unused = minutes.strip() and all(len(axis) == 1 for axis in pet.axes)
        pet = pet_average.averaged(pet, minutes)
        array = pet.array.reshape(pet.geometry.shape)
        if pet.geometry.reference is not Reference.PATIENT:
            raise Refused(
                f"PET in {pet.geometry.reference.value} coordinates",
                "volumes need millimetres",
                "send the series with Image Position and Image Orientation (Patient)",
            )
        if not np.isfinite(array).all():
            raise Refused(
                "PET with values that are not numbers", "a mean over them would not be one", "send the series again"
            )
        if array.min() == array.max():
            raise Refused(
                f"PET with one value everywhere ({float(array.flat[0]):g})",
                "there is no image in it",
                "send the series again",
            )
        header = pet_header.read(pet.facts)
        known = suv.conversion(header)
        factors: dict[str, float] = {}
        unknown: dict[str, str] = {}
        for variant, (name, _) in VARIANTS.items():
            try:
                factors[variant] = suv.from_suvbw(header, variant)
            except Refused as why:
                unknown.setdefault(str(why), name.partition(",")[0])
        held = _activity_held(array, pet.geometry, known.factor, header.weight_kg)
        beds = tuple(str(word) for word in pet.facts.get("Beds", ()))
        taken = tuple(str(word) for word in pet.facts.get("Averaged", ()))
        static = (f"the PET is static: minutes {minutes} chose nothing of it",) if unused else ()
        remarks = (
            *taken,
            *static,
            *beds,
            *known.remarks,
            *held,
            *(f"{name} is not given: {why}" for why, name in unknown.items()),
        )
        scaled = np.asarray(array, dtype=np.float32) if known.factor == 1.0 else (array * known.factor)
        return cls(scaled.astype(np.float32, copy=False), pet.geometry, factors, remarks)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return self.geometry.voxel_volume_mm3 / 1000.0


def _activity_held(
    array: npt.NDArray[np.floating], grid: Geometry, factor: float, weight_kg: float | None
) -> tuple[str, ...]:
    """A remark where the image holds more activity than was injected, which no patient does.

    Raises:
        Refused: where it holds many times as much: it was scaled twice, or is in other units than it says.
    """
    if not weight_kg:
        return ()
    share = float(array.sum(dtype=np.float64)) * factor * grid.voxel_volume_mm3 / 1e6 / weight_kg
    if share > _IMPOSSIBLE:
        raise Refused(
            f"a PET that holds {share:.3g} times the injected activity",
            "it was scaled twice, or is in other units than its header says",
            "check Units, Rescale Slope, and the dose",
        )
    if share > _TOO_MUCH:
        return (f"the image holds {share:.1f} times the injected activity: dose, weight or times may be wrong",)
    return ()


def on_grid(
    regions: Sequence[Region], grid: Geometry, remarks: list[str], other_grid: OtherGrid = "refuse"
) -> list[Region]:
    """Regions on the grid of the PET; those that it cannot hold are left out with a remark.

    Outlines are drawn on the CT as often as on the PET, whose voxels are larger: uptake is a mean, a peak or what a
    threshold cuts out within the outline, so that a mask of voxels no coarser than the PET's is taken.

    Raises:
        Refused: when one lies on coarser voxels than the PET and `other_grid` says nothing of it, or none is left.
    """
    placed = []
    for region in regions:
        if region.mask is None:
            why = f": {'; '.join(region.unplaced[:2])}" if region.unplaced else ""
            remarks.append(
                f"{region.label or 'a region'} is a {region.shape.value} without voxels and was left out{why}"
            )
            continue
        moved, told = laid(region, grid, other_grid, mean=True)
        if moved.voxels:
            placed.append(moved)
            remarks += told
        else:
            remarks.append(f"{region.label or 'a region'} holds no voxel of the PET and was left out")
    if not placed:
        raise Refused("none of the regions can be measured", "; ".join(remarks), "draw them on this PET")
    return placed


def is_reference(label: str) -> bool:
    """Whether a region is the liver or the blood pool itself, and no lesion that is named by where it lies.

    >>> [is_reference(name) for name in ("Liver", "liver met 2", "Aorta", "mediastinal node")]
    [True, False, True, False]
    """
    return any(name.search(label) for name in (LIVER, BLOOD)) and not _LESION.search(label)


def mask_of(region: Region) -> npt.NDArray[np.bool_]:
    """The voxels of a region that is known to have some."""
    assert region.mask is not None
    return region.mask


def hollow(scan: UptakeScan, lesions: Sequence[Region], when: str = "") -> list[str]:
    """A warning for each lesion on the scan's grid whose middle is cold."""
    told = []
    for region in lesions:
        core = cold_core(scan.suvbw, scan.geometry.spacing_mm, mask_of(region))
        if core is not None:
            told.append(
                f"WARNING: {region.label or 'a lesion'}{when} has a cold middle (mean SUV {core.core:.1f}, about it "
                f"{core.rim:.1f}), as a necrotic tumour: its peak and maximum are those of the rim, and its volume and "
                "mean hold the middle"
            )
    return told


def reference_of(
    scan: UptakeScan, regions: Sequence[Region], organ: str, other_grid: OtherGrid = "refuse"
) -> uptake.ReferenceUptake | None:
    """SUVbw of the liver or the blood pool, by a region with such a name; None where there is none.

    Raises:
        Refused: when the region is too small for the place in which the organ is measured.
    """
    name = LIVER if organ == "liver" else BLOOD
    named = (r for r in regions if is_reference(r.label) and name.search(r.label))
    drawn = next((r for r in named if r.mask is not None and r.voxels), None)
    if drawn is None:
        return None
    held = mask_of(on_grid([drawn], scan.geometry, [], other_grid)[0])
    measure = uptake.liver if organ == "liver" else uptake.blood_pool
    return measure(scan.suvbw, scan.geometry, held)
