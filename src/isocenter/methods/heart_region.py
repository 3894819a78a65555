"""The region of the heart on CT without contrast, by classical steps, so that ribs and spine do not count as calcium.

1. Lung is air (-960 to -500 HU) in two large parts, left and right; without two lungs there is no answer.
2. Between the lungs: in every slice the convex hull of both lungs, grown by 7 mm, less the lungs.
3. Bone is what is at least 130 HU and large (above 0.8 ml in one piece after closing small gaps), grown by 6 mm. A
   piece of at most 6 ml that lies all of it deep between the lungs and in front of the spine is none: an artery, a
   valve or a mitral ring full of calcium is as large.
4. The spine takes the back: everything behind a line that lies 16 mm in front of the foremost spinal bone, the place of
   the descending aorta, is left out.
5. What is left is eroded by 9 mm, so that strings of tissue fall away; its largest part is taken and grown by 15 mm
   within step 2.

It is a region of interest and no segmentation: the ascending aorta, the valves and the mitral ring lie inside, and the
liver's dome may. Whoever uses it must say so.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["has_bone", "heart_region"]

Mask = npt.NDArray[np.bool_]
_COARSE_MM = 2.5
_BONE_HU, _BONE_MM3 = 130.0, 4000.0  # vertebrae and ribs are larger, the inserts of a calcium phantom are smaller
_MOST_CALCIUM_ML, _WALL_MM = 6.0, 8.0  # in one piece; from the wall of the chest, where ribs and breastbone lie
_BEYOND = 3  # coarse pixels by which the heart may stand out of the hull, towards the breastbone


def heart_region(hu: npt.NDArray[np.floating], spacing_mm: tuple[float, float, float]) -> Mask:
    """Where coronary calcium may lie: (slices, rows, columns), rows to the back and columns to the patient's left.

    Raises:
        Refused: for images that no heart fits into, and when air, two lungs, a spine or a heart of 150 to 2500 ml
            cannot be found; the message says which.
    """
    if min(hu.shape) < 10 or min(hu.shape[1:]) < 64:
        raise Refused(f"images of {hu.shape}", "a heart does not fit into them", "send the whole scan")
    if float(np.ptp(hu)) < 500.0:
        raise Refused("images without air and tissue in them", "this is no CT of a chest", "send the chest CT")
    step = [max(1, round(_COARSE_MM / s)) for s in spacing_mm]
    small = hu[:: step[0], :: step[1], :: step[2]]
    mm = tuple(s * k for s, k in zip(spacing_mm, step, strict=True))
    coarse = _coarse(np.asarray(small, np.float32), (mm[0], mm[1], mm[2]))
    grown: Mask = coarse.repeat(step[0], 0).repeat(step[1], 1).repeat(step[2], 2)
    return grown[: hu.shape[0], : hu.shape[1], : hu.shape[2]]


def has_bone(hu: npt.NDArray[np.floating], voxel_mm3: float) -> bool:
    """Whether something as bright as calcium is as large as a bone: no patient is without one, a phantom may be."""
    import cc3d

    pieces = cc3d.connected_components(np.ascontiguousarray(hu >= _BONE_HU), connectivity=26)
    sizes = np.bincount(pieces.ravel())[1:]
    return bool(sizes.size) and float(sizes.max()) * voxel_mm3 > _BONE_MM3


def _coarse(hu: npt.NDArray[np.float32], mm: tuple[float, float, float]) -> Mask:
    import edt
    from scipy.ndimage import binary_closing

    ml = float(np.prod(mm)) / 1000.0
    lungs = _lungs(hu, ml)
    between = _between(lungs)
    tissue = hu[between & (hu > -20.0)]
    if tissue.size and float(np.median(tissue)) > 100.0:
        raise Refused(
            f"tissue between the lungs of {float(np.median(tissue)):.0f} HU",
            "blood without contrast has 30 to 60: contrast was given",
            "score the scan before contrast",
        )
    bright = binary_closing(hu >= 130.0, iterations=1)
    bone = _large(bright, 0.8 / ml)
    if not bone.any():
        raise Refused("no bone in the images", "the heart is looked for in front of the spine", "draw the heart")
    rows = np.arange(hu.shape[1])[None, :, None]
    vertebrae = _large(bright, _BONE_MM3 / 1000.0 / ml)
    back = _front_of_spine(vertebrae if vertebrae.any() else bone, lungs, mm)
    bone &= ~_calcium(bone, _deep(lungs, between, mm) & (rows < back[:, None, None]), _MOST_CALCIUM_ML / ml)
    away = edt.edt(~bone, anisotropy=mm, black_border=False) > 6.0
    candidate = between & away & (hu > -200.0) & (rows < back[:, None, None])
    core = edt.edt(np.ascontiguousarray(candidate), anisotropy=mm, black_border=False) > 9.0
    if not core.any():
        raise Refused("no heart between the lungs", "nothing there is thick enough", "draw the heart")
    largest = _large(core, 0.0, only=True)
    region: Mask = (edt.edt(~largest, anisotropy=mm, black_border=False) < 15.0) & between & away
    region &= rows < back[:, None, None]
    size = float(np.count_nonzero(region)) * ml
    if not 150.0 <= size <= 2500.0:
        raise Refused(f"a region of {size:.0f} ml between the lungs", "no heart has that size", "draw the heart")
    return region


def _lungs(hu: npt.NDArray[np.float32], ml: float) -> tuple[Mask, Mask]:
    """Right and left lung, told apart by the side on which they lie; air around the body is darker than lung."""
    import cc3d

    air = (hu > -960.0) & (hu < -500.0)
    labels = cc3d.connected_components(np.ascontiguousarray(air), connectivity=6)
    count = np.bincount(labels.ravel())
    count[0] = 0
    kept = [int(n) for n in np.argsort(-count)[:6] if count[n] * ml > 60.0]
    middle = hu.shape[2] / 2.0
    right, left = np.zeros(hu.shape, bool), np.zeros(hu.shape, bool)
    for n in kept:
        part = labels == n
        centre = float(np.nonzero(part)[2].mean())
        if 0.25 * hu.shape[2] < centre < 0.75 * hu.shape[2]:  # both lungs in one piece, joined at the windpipe
            columns = np.arange(hu.shape[2])[None, None, :]
            right |= part & (columns < middle)
            left |= part & (columns >= middle)
        elif centre < middle:
            right |= part
        else:
            left |= part
    if min(np.count_nonzero(right), np.count_nonzero(left)) * ml < 60.0:
        raise Refused("no two lungs in the images", "the heart is looked for between them", "draw the heart")
    return right, left


def _between(lungs: tuple[Mask, Mask]) -> Mask:
    """In each slice the hull of both lungs, a little grown, less the lungs."""
    from scipy.ndimage import binary_dilation
    from skimage.morphology import convex_hull_image

    both = lungs[0] | lungs[1]
    found = np.zeros(both.shape, bool)
    for k in range(len(both)):
        if lungs[0][k].any() and lungs[1][k].any():
            hull = convex_hull_image(both[k])
            found[k] = binary_dilation(hull, iterations=_BEYOND) & ~both[k]
    return found


def _deep(lungs: tuple[Mask, Mask], between: Mask, mm: tuple[float, float, float]) -> Mask:
    """What lies between the lungs and away from the wall of the chest, slice by slice."""
    import edt

    inside = between | lungs[0] | lungs[1]
    found = np.zeros(inside.shape, bool)
    for k in np.flatnonzero(inside.any(axis=(1, 2))):
        plane = np.ascontiguousarray(inside[k])
        found[k] = edt.edt(plane, anisotropy=mm[1:], black_border=True) > _WALL_MM + _BEYOND * mm[2]
    return found


def _calcium(bright: Mask, where: Mask, voxels: float) -> Mask:
    """Bright pieces of at most so many voxels that lie nowhere but there."""
    import cc3d

    labels = cc3d.connected_components(np.ascontiguousarray(bright), connectivity=26)
    count = np.bincount(labels.ravel())
    inside = np.bincount(labels[where], minlength=len(count))
    kept = (count <= voxels) & (inside == count)
    kept[0] = False
    found: Mask = kept[labels]
    return found


def _front_of_spine(bone: Mask, lungs: tuple[Mask, Mask], mm: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """For each slice the row behind which lies the spine with the aorta before it."""
    columns = np.arange(bone.shape[2])
    back = np.full(len(bone), np.nan)
    for k in range(len(bone)):
        both = lungs[0][k] | lungs[1][k]
        if not (lungs[0][k].any() and lungs[1][k].any()):
            continue
        rows = np.flatnonzero(both.any(axis=1))
        half = 0.5 * (rows[0] + rows[-1])
        middle = 0.5 * (np.nonzero(lungs[0][k])[1].mean() + np.nonzero(lungs[1][k])[1].mean())
        near = np.abs(columns - middle) * mm[2] < 25.0
        hit = np.flatnonzero((bone[k][:, near]).any(axis=1))
        hit = hit[hit > half]
        if len(hit):
            back[k] = hit[0] - 16.0 / mm[1]
    known = np.flatnonzero(np.isfinite(back))
    if len(known) < 0.3 * len(bone):
        raise Refused("no spine in the images", "the heart is looked for in front of it", "draw the heart")
    filled: npt.NDArray[np.float64] = np.interp(np.arange(len(bone)), known, back[known])
    return filled


def _large(mask: Mask, voxels: float, *, only: bool = False) -> Mask:
    import cc3d

    labels = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=26)
    count = np.bincount(labels.ravel())
    count[0] = 0
    keep = count == count.max() if only else count > voxels
    keep[0] = False
    found: Mask = keep[labels]
    return found
