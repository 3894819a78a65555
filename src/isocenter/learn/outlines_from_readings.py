"""Signed reports as images with outlines: what readers kept, changed or drew, as volumes or pictures with labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.errors import Refused
from isocenter.learn.from_readings import Example, laid
from isocenter.learn.kinds import Masks
from isocenter.learn.regions_from_readings import Regions, grey
from isocenter.learn.signed_reports import Images
from isocenter.methods import measuring
from isocenter.record import Code
from isocenter.space import Geometry, Reference, Region, Shape, Volume

__all__ = ["DRAWN", "Outlines", "nifti_file", "on_grid", "stored_values"]

DRAWN = {Shape.POLYGON: measuring.polygon_inside, Shape.ELLIPSE: measuring.ellipse_inside}
"""Marks that enclose something, on the one slice on which they were drawn."""


class Outlines(Regions):
    """Reports teach the outlines of a recipe's structures; see `teachers.Teacher`."""

    def __init__(self, how: Masks, analysis: str, looks_for: Collection[Code]) -> None:
        self._how, self._flat = how, len(how.spacing_mm) == 2
        shapes = (Shape.MASK, *DRAWN) if self._flat else (Shape.MASK,)
        super().__init__(how, analysis, looks_for, first=1, may_lack=how.may_lack, shapes=shapes)

    def written(
        self, out: Path, examples: Sequence[Example], images: Images, told: Mapping[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        """``imagesTr`` and ``labelsTr`` with a NIfTI file each, numbered, as `outlined` reads them.

        Raises:
            Conflict: the folder holds something already. Refused: a label of the recipe is outlined nowhere.
        """
        facts = {**told, "overlapping": 0}

        def keep(example: Example, name: str) -> tuple[str, list[str], Sequence[str]]:
            volume, labels, digests, overlaps = self._drawn(example, images)
            facts["overlapping"] += overlaps
            file = f"imagesTr/{name}.nii.gz"
            for folder, array in (("imagesTr", stored_values(volume.array)), ("labelsTr", labels)):
                (out / folder).mkdir(exist_ok=True)
                wholly.write(out / folder / f"{name}.nii.gz", self._file(array, volume.geometry))
            return file, [self._how.classes[k - 1] for k in np.unique(labels).tolist() if k], digests

        report = laid(out, examples, self._how.classes, keep, facts)
        for name, n in report["by_class"].items():
            if not n:
                raise Refused(f"no outline of '{name}' in {report['n']} examples", "what is nowhere is not learnt",
                              "wait for reports that show it, or leave it out of the recipe")  # fmt: skip
        return report

    def _drawn(self, example: Example, images: Images) -> tuple[Volume, npt.NDArray[np.uint8], Sequence[str], int]:
        """Image, labels on its grid, digests of its files, and whether labels lie over each other."""
        regions: Mapping[int, Sequence[Region]] = example.answer.regions
        volume, digests = self._image(example, images)
        volume = grey(volume)
        if self._flat != (volume.geometry.shape[0] == 1):
            what, of = ("a volume", "pictures") if self._flat else ("a picture", "volumes")
            raise Refused(
                f"{what} where the recipe is of {of}", "they are outlined by another network", "take a recipe for these"
            )
        labels, overlaps = np.zeros(volume.geometry.shape, np.uint8), False
        for label in sorted(regions):
            for region in regions[label]:
                mask = on_grid(region, volume.geometry)
                overlaps |= bool(np.setdiff1d(labels[mask], (0, label)).size)
                labels[mask] = label
        return volume, labels, digests, int(overlaps)

    def _file(self, array: npt.NDArray[Any], grid: Geometry) -> bytes:
        """NIfTI of a volume; of a picture with columns first and both axes against those of NIfTI, as ITK has it."""
        if not self._flat:
            return nifti_file(array, grid)
        down, across = self._how.spacing_mm if grid.reference is Reference.PIXEL else grid.spacing_mm[1:]
        return _packed(array, np.diag([-across, -down, 1, 1]))


def nifti_file(array: npt.NDArray[Any], grid: Geometry) -> bytes:
    """A volume on its grid, or one at several times, as NIfTI."""
    return _packed(array, grid.ras_affine())


def _packed(array: npt.NDArray[Any], affine: npt.NDArray[Any]) -> bytes:
    import gzip

    import nibabel

    image = nibabel.Nifti1Image(np.ascontiguousarray(array.T), affine)
    image.header.set_xyzt_units("mm", "sec" if array.ndim == 4 else None)
    return gzip.compress(image.to_bytes(), 1, mtime=0)  # packed harder a CT takes five times as long for 2 %


def stored_values(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whole numbers in 16 bits where they fit, which halves a CT; else float32."""
    whole = values.dtype.kind in "iu" and int(values.min()) >= -(2**15) and int(values.max()) < 2**15
    return np.asarray(values, np.int16 if whole else np.float32)


def on_grid(region: Region, grid: Geometry) -> npt.NDArray[np.bool_]:
    """A mask on the grid of an image; of another grid in its frame of reference by the nearest voxel.

    Raises:
        Refused: it lies in another frame of reference, or outside of the image.
    """
    from isocenter.space.resample import resample_region

    if region.shape is not Shape.MASK:
        assert region.points_mm is not None
        return np.asarray(DRAWN[region.shape](region.points_mm, grid), bool).reshape(grid.shape)
    moved = region if region.geometry.same_grid(grid) else resample_region(region, grid)
    assert moved.mask is not None
    if not moved.voxels:
        raise Refused(
            "an outline beside its image", "none of its voxels lies on it", "outline it on the image and sign again"
        )
    return np.asarray(moved.mask, bool)
