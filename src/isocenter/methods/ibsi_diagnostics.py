"""What became of image and region at each step before the features: the diagnostic values of IBSI's reference tables.

Two programs that disagree in every feature agree up to the step where they part; these numbers show it. They stand in
the reference tables beside the features, with consensus values for the CT phantom: sizes of the image and of a voxel,
sizes of the region's box, number of voxels and intensities, before interpolation (``init``), after it (``interp``) and
after re-segmentation (``reseg``). IBSI gives them tags, no permanent codes.

Source: IBSI reference manual, arXiv:1612.07003, chapter 4 (diagnostic features).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.methods.aligned_grid import AlignedGrid
from isocenter.methods.masked import Spacing
from isocenter.methods.radiomics import Configuration, Prepared

__all__ = ["described", "of_image", "of_region"]

Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

_AXES = "zyx"  # of arrays: slices, rows, columns
_STEPS = {"init": "as given", "interp": "after interpolation", "reseg": "after re-segmentation"}
_OF = {"mean": "Mean", "min": "Lowest", "max": "Highest"}
_MASKS = {"int": "intensity mask", "morph": "morphological mask"}


def of_image(image: Floats, spacing_mm: Spacing, configuration: Configuration) -> dict[str, float]:
    """The whole image, before and after interpolation.

    Args:
        image: (slices, rows, columns) intensities.
        spacing_mm: of (slices, rows, columns).
        configuration: whose voxels and interpolation are taken.

    Returns:
        tag -> value; sizes in voxels and mm, intensities in the image's unit (none where some are not numbers).

    >>> found = of_image(np.zeros((4, 4, 4)), (3.0, 1.0, 1.0), Configuration("twice", spacing_mm=2.0))
    >>> [found[f"img_dim_{axis}_interp_img"] for axis in "xyz"]
    [2.0, 2.0, 6.0]
    """
    wanted = configuration.spacing_mm
    new = spacing_mm if wanted is None else (spacing_mm[0] if configuration.by_slice else wanted, wanted, wanted)
    there = image
    if wanted is not None:
        grid = AlignedGrid.around(np.ones(image.shape, bool), spacing_mm, new, 0.0)
        there = grid.image(image, configuration.interpolation)
        if configuration.whole:
            there = np.rint(there)
    found: dict[str, float] = {}
    for step, array, size in (("init", image, spacing_mm), ("interp", there, new)):
        for axis, many, mm in zip(_AXES, array.shape, size, strict=True):
            found[f"img_dim_{axis}_{step}_img"] = float(many)
            found[f"vox_dim_{axis}_{step}_img"] = float(mm)
        if not np.isfinite(array).all():  # such as the padding of some NIfTI images
            continue
        found[f"mean_int_{step}_img"] = float(array.mean(dtype=np.float64))
        found[f"min_int_{step}_img"], found[f"max_int_{step}_img"] = float(array.min()), float(array.max())
    return found


def of_region(image: Floats, mask: Mask, made: Prepared, sizes: dict[str, float]) -> dict[str, float]:
    """The region before and after interpolation, and after re-segmentation.

    Args:
        image, mask: (slices, rows, columns) as given.
        made: what `radiomics.prepare` made of them, without a filter.
        sizes: of the image, from `of_image`.

    Returns:
        tag -> value; sizes and counts in voxels, intensities in the image's unit.
    """
    found: dict[str, float] = {}
    steps = (
        ("init", image, mask, mask),
        ("interp", made.image, made.outline, made.outline),
        ("reseg", made.image, made.outline, made.held),
    )
    for step, intensities, outline, held in steps:
        for axis in _AXES:
            grid = "init" if step == "init" else "interp"
            found[f"int_mask_dim_{axis}_{step}_roi"] = sizes[f"img_dim_{axis}_{grid}_img"]
        for kind, of in (("int", held), ("morph", outline)):
            for axis, many in zip(_AXES, _box(of), strict=True):
                found[f"{kind}_mask_bb_dim_{axis}_{step}_roi"] = float(many)
            found[f"{kind}_mask_vox_count_{step}_roi"] = float(np.count_nonzero(of))
        x = intensities[held]
        found[f"int_mask_mean_int_{step}_roi"] = float(x.mean(dtype=np.float64))
        found[f"int_mask_min_int_{step}_roi"], found[f"int_mask_max_int_{step}_roi"] = float(x.min()), float(x.max())
    return found


def described(tag: str) -> tuple[str, str]:
    """What a tag means in words, and its unit: ``1``, ``mm``, or ``i`` for that of the image.

    >>> described("int_mask_bb_dim_x_reseg_roi")
    ('Box of the intensity mask along x, after re-segmentation', '1')
    >>> described("mean_int_interp_img")
    ('Mean intensity of the image, after interpolation', 'i')
    """
    parts = tag.split("_")
    when = _STEPS[parts[-2]]
    if parts[-1] == "img":
        if parts[1] == "int":
            return f"{_OF[parts[0]]} intensity of the image, {when}", "i"
        what, unit = ("Voxel size", "mm") if parts[0] == "vox" else ("Image size", "1")
        return f"{what} along {parts[2]}, {when}", unit
    mask = _MASKS[parts[0]]
    if parts[2] == "vox":
        return f"Voxels of the {mask}, {when}", "1"
    if parts[3] == "int":
        return f"{_OF[parts[2]]} intensity of the {mask}, {when}", "i"
    what = "Box" if parts[2] == "bb" else "Grid"
    return f"{what} of the {mask} along {parts[-3]}, {when}", "1"


def _box(mask: Mask) -> tuple[int, ...]:
    hits = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    return tuple(int(h[-1] - h[0]) + 1 if len(h) else 0 for h in hits)
