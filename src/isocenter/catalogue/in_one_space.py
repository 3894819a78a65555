"""Outlines of several studies of one patient in one space: what every comparison over time begins with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Dated
from isocenter.errors import Refused
from isocenter.methods import registration
from isocenter.methods.lesion_matching import Spot, spot
from isocenter.methods.volumetry import measured_across
from isocenter.space import Reference, Region, Volume, resample_region

__all__ = ["Drawn", "cut_otherwise", "drawn", "is_cut", "is_round_about", "mask_of", "radius_mm", "spaces", "spots"]

Matrix = npt.NDArray[np.float64]

# What planning draws about and beneath the patient, which may go on beyond any image.
_ROUND_ABOUT = re.compile(
    r"(couch|tabletop|table|support|bolus)[a-z]*|body|(body)?external|outercontour|contourexterne|patient(outline)?",
)
_WORST_FIT_MM, _TILT_DEG = 10.0, 10.0
_BREATH_MM = 30.0  # an organ moves so far between two breath-holds
_LIKE_SIZE = 3.0  # one lesion on two phases; a tumour and its liver differ by more


@dataclass(frozen=True, eq=False)
class Drawn:
    """One study's outlines: masks with voxels, each once."""

    study_uid: str
    day: date
    regions: tuple[Region, ...]


def mask_of(region: Region) -> Any:
    """The voxels of a region that is known to have some."""
    assert region.mask is not None
    return region.mask


def drawn(
    of: Dated, *, empty: bool = False, scan: Volume | None = None, remarks: list[str] | None = None
) -> Drawn:  # fmt: skip
    """The outlines of a study: masks with voxels, each structure once.

    Args:
        empty: whether a study without outlines is an answer too (nothing was seen).
        scan: the image that is compared. A structure that was outlined on several series of one study (phases) counts
            as it was outlined on this one; without it, on the series of the first outline.
        remarks: where outlines that were left out for that are told.

    Raises:
        Refused: for outlines without patient coordinates, or where none has voxels.
    """
    there: list[Region] = []
    for region in of.regions:
        if region.unplaced is not None and is_round_about(region.label):
            if remarks is not None:
                remarks.append(f"'{region.label}' of {of.day} left out: {': '.join(region.unplaced[:2])}")
            continue
        region.must_be_placed()
        if region.geometry.reference is not Reference.PATIENT:
            raise Refused(
                f"lesions of {of.day} without patient coordinates",
                "sizes need millimetres",
                "outline them on a series with Image Position and Image Orientation (Patient)",
            )
        if region.mask is not None and region.voxels:
            there.append(region)
    on = [r.series_uid for r in there]
    first = scan.series_uid if scan is not None and scan.series_uid in on else next(iter(on), "")
    frame = next((r.geometry.frame_of_reference for r in there if r.series_uid == first), "")
    kept: list[Region] = []
    again = 0
    for region in sorted(there, key=lambda r: r.series_uid != first):
        if region.series_uid != first and region.geometry.frame_of_reference != frame:
            if remarks is not None:
                remarks.append(f"'{region.label}' of {of.day} left out: it lies in another frame of reference")
            continue
        if any(_twice(region, other) for other in kept):
            continue
        if any(_elsewhere(region, other) for other in kept):
            again += 1
            continue
        kept.append(region)
    if again and remarks is not None:
        remarks.append(
            f"{again} outline{'s' if again > 1 else ''} of {of.day} on another series of images (a phase, a "
            "reconstruction) left out: each structure counts once, on the images that are compared"
        )
    if not kept and not empty:
        raise Refused(f"the study of {of.day} has no lesion with voxels", "there is nothing to follow", "outline them")
    return Drawn(of.study_uid, of.day, tuple(r for r in there if any(r is k for k in kept)))


def is_round_about(label: str) -> bool:
    """Whether a structure is called what planning calls the couch or the whole body.

    >>> [is_round_about(n) for n in ("CouchSurface", "BODY", "External 1", "vertebral body", "table 2", "lesion 1")]
    [True, True, True, False, True, False]
    """
    return _ROUND_ABOUT.fullmatch(re.sub(r"[^a-z]", "", label.casefold())) is not None


def _elsewhere(one: Region, other: Region) -> bool:
    """Whether two outlines are one structure on two series of one study: of one name, or one size at one place."""
    a, b = one.geometry.frame_of_reference, other.geometry.frame_of_reference
    if a != b or not one.series_uid or not other.series_uid or one.series_uid == other.series_uid:
        return False
    apart = float(np.linalg.norm(np.subtract(one.centre_mm, other.centre_mm)))
    large, small = sorted((one.volume_ml, other.volume_ml), reverse=True)
    if one.label.strip() and one.label.strip().casefold() == other.label.strip().casefold():
        return apart <= max(_BREATH_MM, radius_mm(large))
    return large <= _LIKE_SIZE * small and apart <= radius_mm(large)


def radius_mm(volume_ml: float) -> float:
    """Of the ball of a volume."""
    return float((750.0 * volume_ml / np.pi) ** (1 / 3))


def _twice(one: Region, other: Region) -> bool:
    """Whether two objects hold the same outline, such as a structure set and a segmentation of it."""
    if abs(one.volume_ml - other.volume_ml) > 0.2 * max(one.volume_ml, other.volume_ml):
        return False
    if one.geometry.frame_of_reference != other.geometry.frame_of_reference:
        return False
    if not one.geometry.same_grid(other.geometry):  # a Segmentation leaves out the slices that are empty
        if np.linalg.norm(np.subtract(one.centre_mm, other.centre_mm)) > max(*one.geometry.spacing_mm, 2.0):
            return False
        one = resample_region(one, other.geometry)
    shared = int(np.count_nonzero(mask_of(one) & mask_of(other)))
    return 2 * shared > 0.9 * (one.voxels + other.voxels)


def is_cut(region: Region, scan: Volume | None) -> bool:
    """Whether an outline reaches the edge of the images that it was drawn on, so that the structure may go on outside.

    False where those images are not at hand.
    """
    if scan is None or (region.series_uid and scan.series_uid not in ("", region.series_uid)):
        return False
    start, stop = region.bounds
    index = scan.geometry.to_index(region.geometry.cropped(start, stop).corners_mm())
    last = np.array(scan.geometry.shape) - 1
    edge = (index.min(axis=0) < 0.5) | (index.max(axis=0) > last - 0.5)
    return bool((edge & (last > 0)).any())


def spaces(times: Sequence[Drawn], scans: Mapping[str, Volume], remarks: list[str]) -> list[tuple[Matrix, float]]:
    """For each time (matrix to the last study's millimetres, error of it in mm).

    Studies of one frame of reference need no more; others are registered rigidly by their images.

    Args:
        scans: study UID -> the image to register by, where there is one.
        remarks: what was registered is told here.

    Raises:
        Refused: where frames of reference differ and there are no images, or their registration fails.
    """
    return [_space(time, times[-1], scans, remarks) for time in times]


def _space(time: Drawn, last: Drawn, scans: Mapping[str, Volume], remarks: list[str]) -> tuple[Matrix, float]:
    frames = {r.geometry.frame_of_reference for r in (*time.regions, *last.regions)}
    frames |= {v.geometry.frame_of_reference for t in (time, last) if (v := scans.get(t.study_uid)) and not t.regions}
    if time is last or (len(frames) == 1 and "" not in frames):
        return np.eye(4), 0.0
    fixed, moving = scans.get(last.study_uid), scans.get(time.study_uid)
    if fixed is None or moving is None:
        raise Refused(
            f"frames of reference differ between {time.day} and {last.day}",
            "no images are here to register them by",
            "send the images on which the lesions were outlined",
        )
    fit = registration.rigid(fixed, moving)
    if fit.residual_mm > _WORST_FIT_MM:
        raise Refused(
            f"registration of {time.day} to {last.day} is off by {fit.residual_mm:.0f} mm",
            f"at most {_WORST_FIT_MM:g} mm is a basis for comparison",
            "match the lesions by hand",
        )
    remarks.append(
        f"{time.day} was registered to {last.day} rigidly; there and back differ by {fit.residual_mm:.1f} mm"
    )
    return fit.matrix, fit.residual_mm


def cut_otherwise(times: Sequence[Drawn], places: Sequence[tuple[Matrix, float]]) -> list[str]:
    """Times at which the plane of diameters lies otherwise in the body than at the last, so that they are not alike.

    Args:
        places: for each time the matrix to the last one's millimetres.
    """
    normals = [
        (time, matrix[:3, :3] @ _normal(time.regions[0]))
        for time, (matrix, _) in zip(times, places, strict=True)
        if time.regions
    ]
    said = []
    for time, normal in normals[:-1]:
        last, now = normals[-1]
        tilt = float(np.degrees(np.arccos(min(1.0, abs(float(normal @ now))))))
        if tilt > _TILT_DEG:
            said.append(
                f"the plane in which diameters of {time.day} are measured lies tilted by {tilt:.0f} degrees in the "
                f"body against that of {last.day}: they are those of another cut and may differ by that"
            )
    return said


def _normal(region: Region) -> npt.NDArray[np.float64]:
    """Across the planes in which its diameters are measured."""
    down, right = (region.geometry.affine[:3, axis] for axis in range(3) if axis != measured_across(region))
    normal = np.cross(down, right)
    return np.asarray(normal / np.linalg.norm(normal), np.float64)


def spots(times: Sequence[Drawn], places: Sequence[tuple[Matrix, float]]) -> list[list[Spot]]:
    """The lesions of each time as spots on one lattice of the last study's space."""
    lattice = max([2.0, *(max(r.geometry.spacing_mm) for time in times for r in time.regions)])
    return [
        [spot(mask_of(r), matrix @ r.geometry.affine, lattice_mm=lattice, tracking=r.tracking) for r in time.regions]
        for time, (matrix, _) in zip(times, places, strict=True)
    ]
