"""The face of a head, as the part of space that is taken away so that nobody can draw it, with the proof that it was.

An average head is laid upon the image (`average_head`). What lies before and below two planes of it, from the
brows down to the throat, is the face: eyes, nose, mouth and chin with the front of the jaw. Brain is never of it:
neither where the average head has its brain, widened by a margin, nor what in this image hangs together with that
brain and looks like it. Ears, forehead and the back of the jaw stay.

Then the image itself is asked. Its skin, the border of tissue and air, is measured within the face: how much there
is, how much of it would be left, how deep the cut goes; and the nose has to stand where the fit says. Where any of this
is not as it must be, nothing is claimed: the face is refused, and a person has to look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.average_head import AverageHead, Fit, fits, tissue, upright_at
from isocenter.methods.components import labelled
from isocenter.methods.cross_steps import closed, dilated
from isocenter.methods.distance import away_mm, deeper
from isocenter.methods.smoothing import smoothed
from isocenter.methods.trilinear import stretch
from isocenter.space import Geometry, Volume

__all__ = ["LEFT", "LITTLE_CM2", "Face", "face_of", "skin_left"]

Mask = npt.NDArray[np.bool_]
_FACE, _SKIN, _NEAR_NOSE = 1, 2, 4
_Parts = npt.NDArray[np.uint8]
"""Of which parts of a head each voxel is, by where it lies in the average head: bits of the three above."""

_FINE_MM = 2.0
# In millimetres of the average head (x to the left, y to the back, z to the crown): below the line from the brows to
# the floor of the skull, before the plane through the cheekbones, above the larynx.
_BROW_YZ, _SLOPE, _BACK_Y, _THROAT_Z = (-110.0, -13.5), 0.62, -46.0, -170.0
# Where skin is a face's: below the brows, before the ears.
_SKIN_Z, _SKIN_Y, _SKIN_X, _BELOW_MM = -150.0, -62.0, 70.0, 4.0
_NOSE = (0.0, -122.0, -62.0)
_MARGIN_MM, _CORE_MM, _REACH_MM, _NECK_MM = 6.0, 8.0, 10.0, 4.0
_BULK_MM, _FURTHER_MM, _RIM_MM = 12.0, 25.0, 8.0
_FAR_MM = 40.0
_BRAIN, _OTHERWISE = 0.8, 0.98
LEFT, _DEPTH_MM, _NOSE_MM = 0.02, 8.0, 25.0
LITTLE_CM2 = 4.0  # thick slices whose field of view ends above the nose still show 5.7 cm2 of it, cut 4.5 mm deep


@dataclass(frozen=True, eq=False)
class Face:
    """What is taken away of an image, and why that may be believed.

    Args:
        geometry, mask: axial grid of 2 mm and what of it is the face; nothing where the field of view has none.
        brain: on the same grid, what was kept from the cut.
        fit: how the average head was laid.
        brain_agreement: overlap (Dice) of the average head's brain with what in the image looks like it.
        skin_cm2: facial skin in the field of view.
        left: share of it that would still be there.
        depth_mm: median way from it to what is left; 40 where it is more.
    """

    geometry: Geometry
    mask: Mask
    brain: Mask
    fit: Fit
    brain_agreement: float
    skin_cm2: float
    left: float
    depth_mm: float


def face_of(volume: Volume, average: AverageHead) -> Face | None:
    """The face in an image of a head, of any contrast, direction and field of view; None where there is no head.

    Args:
        volume: CT, MR or PET in patient space; of one with leading axes the first image is taken.
        average: the head that is laid upon it.

    Raises:
        Refused: a head may be there and its face is not surely found, or would not surely be gone.
    """
    first: float | None = None
    upright: tuple[Volume, Mask] | None = None
    for fit in fits(volume, average):
        if fit.otherwise > _OTHERWISE:  # from another beginning this would only be missed
            half = f"{fit.otherwise:.2f} times as well when it is turned by half"
            raise Refused(
                f"a head that fits {half if np.isfinite(fit.otherwise) else f'turned by {fit.turned_deg:.0f} degrees'}",
                "the face may lie elsewhere than the header says", "look at the images",
            )  # fmt: skip
        upright = upright or upright_at(volume, _FINE_MM)
        image, seen = _around(*upright, fit)
        brain, agreement = _brain(image, seen, average, fit)
        if agreement >= _BRAIN:  # rightly laid: where its cut is refused, a fit that passes would be a worse one
            return _cut(image, seen, brain, agreement, fit)
        first = agreement if first is None else first
    if first is not None:
        raise Refused(
            f"a brain that agrees by {first:.2f} with the one expected",
            "whether the fit is right cannot be told", "look at the images",
        )  # fmt: skip
    return None


def skin_left(volume: Volume, face: Face) -> tuple[float, float, float]:
    """Another image of the same head in the same frame of reference, held against a face that was found.

    Returns:
        facial skin in it (cm2), the share that would be left, the median depth of the cut (mm).
    """
    image, seen = upright_at(volume, _FINE_MM)
    step = np.linalg.inv(face.geometry.affine) @ image.geometry.affine
    gone = _carried(face.mask, step, image.geometry.shape)
    return _skin(tissue(image, seen), seen, gone, image.geometry, _parts(image.geometry, face.fit))


def _cut(image: Volume, seen: Mask, brain: Mask, agreement: float, fit: Fit) -> Face:
    grid = image.geometry
    parts = _parts(grid, fit)
    mask = ((parts & _FACE) > 0) & ~brain
    head = tissue(image, seen)
    _must_have_its_nose(head, seen, grid, parts, fit)
    skin_cm2, left, depth = _skin(head, seen, mask, grid, parts)
    if skin_cm2 > LITTLE_CM2 and (left > LEFT or depth < _DEPTH_MM):
        raise Refused(
            f"{left:.0%} of {skin_cm2:.0f} cm2 of facial skin, and {depth:.0f} mm of depth",
            "so much of the face would be left, or the cut would be so shallow", "look at the images",
        )  # fmt: skip
    return Face(grid, mask, brain, fit, agreement, skin_cm2, left, depth)


def _around(image: Volume, seen: Mask, fit: Fit) -> tuple[Volume, Mask]:
    """The part of space that the head and its throat lie in, with what the image has of it."""
    corners = np.array([(x, y, z) for x in (-110.0, 110.0) for y in (-170.0, 120.0) for z in (_THROAT_Z - 5, 110.0)])
    back = np.linalg.inv(fit.matrix)
    at = image.geometry.to_index(corners @ back[:3, :3].T + back[:3, 3])
    low, high = np.floor(at.min(0)).astype(int), np.ceil(at.max(0)).astype(int) + 1
    size = np.array(seen.shape)
    # Other images of this frame of reference may reach further than this one, and lose their part of the face too.
    first, last = np.clip(low, 0, size), np.clip(high, 0, size)
    before, after = first - low, high - last
    part = image.cropped(_three(first), _three(last)).padded(_three(before), _three(after), float(image.array.min()))
    cut = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    return part, np.pad(seen[cut], list(zip(before, after, strict=True)))


def _three(numbers: npt.NDArray[np.int_]) -> tuple[int, int, int]:
    return int(numbers[0]), int(numbers[1]), int(numbers[2])


def _parts(grid: Geometry, fit: Fit) -> _Parts:
    parts = np.zeros(grid.shape, np.uint8)
    _find_parts((fit.matrix @ grid.affine).astype(np.float64), parts)
    return parts


@numba.njit(cache=True)
def _find_parts(step, parts):  # type: ignore[no-untyped-def]  # pragma: no cover
    a, b, c = parts.shape
    for i in range(a):
        for j in range(b):
            begin, end = stretch(step[1, 0] * i + step[1, 1] * j + step[1, 3], step[1, 2], -1e9, _BACK_Y, c)
            for k in range(begin, end):
                y = step[1, 0] * i + step[1, 1] * j + step[1, 2] * k + step[1, 3]
                if y >= _BACK_Y:
                    continue
                x = step[0, 0] * i + step[0, 1] * j + step[0, 2] * k + step[0, 3]
                z = step[2, 0] * i + step[2, 1] * j + step[2, 2] * k + step[2, 3]
                upper = min(_BROW_YZ[1], _BROW_YZ[1] - _SLOPE * (y - _BROW_YZ[0]))
                if _THROAT_Z < z < upper:
                    parts[i, j, k] |= _FACE
                if _SKIN_Z < z < upper - _BELOW_MM and y < _SKIN_Y and abs(x) < _SKIN_X:
                    parts[i, j, k] |= _SKIN
                if abs(x) < 60.0 and _NOSE[2] - 55.0 < z < _NOSE[2] + 30.0 and y < -80.0:
                    parts[i, j, k] |= _NEAR_NOSE


def _brain(image: Volume, seen: Mask, average: AverageHead, fit: Fit) -> tuple[Mask, float]:
    """What must not be cut, and how far the image agrees that there is a brain."""
    # All of it lies within reach of the brain that is expected: the rest of the image is not asked.
    box = _box_of_brain(image.geometry, average, fit)
    grid = image.geometry.cropped(*box)
    here = tuple(slice(a, b) for a, b in zip(*box, strict=True))
    array, seen = image.array[here], seen[here]
    expected = average.brain_at(fit.matrix, grid)
    there = expected & seen
    core = _deeper(expected, grid, _CORE_MM) & seen
    if np.count_nonzero(core) * grid.voxel_volume_mm3 < 50_000.0:
        raise Refused(
            "a head with less than 50 mL of brain in the images",
            "the fit has too little to hold on to",
            "leave it here, or look at it and name it with --reviewed",
        )
    smooth = smoothed(array, 0.7)
    low, high = np.percentile(smooth[core], (4, 96))
    room = 0.35 * (high - low)
    alike = (smooth > low - room) & (smooth < high + room) & seen
    beyond = deeper(~expected, grid.spacing_mm, _MARGIN_MM, _REACH_MM, _FURTHER_MM)
    margin, reach, further = (~one for one in beyond)
    joined = _joined(_deeper(alike & reach, grid, _NECK_MM), core)
    like = ~deeper(~joined, grid.spacing_mm, _NECK_MM)[0] & alike & reach if joined.any() else joined
    filled = closed(like, 2) & reach & seen
    both = np.count_nonzero(filled) + np.count_nonzero(there)
    agreement = 2.0 * np.count_nonzero(filled & there) / both if both else 0.0
    brain = np.zeros(image.geometry.shape, bool)
    brain[here] = margin | filled
    # A brain that reaches lower than expected is thick where it does, as nerves, muscles and the eyes' bands are not.
    bulk = _joined(_deeper(alike & further, grid, _BULK_MM), core)
    if bulk.any():
        whole_mm = _BULK_MM + _RIM_MM
        brain[here] |= ~deeper(~bulk, grid.spacing_mm, whole_mm)[0]
    return brain, agreement


def _joined(mask: Mask, core: Mask) -> Mask:
    """What of a mask hangs together with the core."""
    parts, count = labelled(mask)
    wanted, found = np.zeros(count + 1, bool), np.empty(mask.shape, bool)
    _which_are(
        np.ascontiguousarray(parts).reshape(-1), np.ascontiguousarray(core).reshape(-1), wanted, found.reshape(-1)
    )
    return found


@numba.njit(cache=True)
def _which_are(parts, core, wanted, found):  # type: ignore[no-untyped-def]  # pragma: no cover
    for k in range(core.size):
        if core[k]:
            wanted[parts[k]] = True
    wanted[0] = False
    for k in range(core.size):
        found[k] = wanted[parts[k]]


def _deeper(mask: Mask, grid: Geometry, mm: float) -> Mask:
    """What lies deeper in a mask than this, where beyond the grid nothing is of it."""
    return deeper(np.pad(mask, 1), grid.spacing_mm, mm)[0][1:-1, 1:-1, 1:-1]


def _box_of_brain(grid: Geometry, average: AverageHead, fit: Fit) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Where in an image the expected brain lies, with what is asked around it."""
    at = np.argwhere(average.brain)
    ends = np.array([at.min(0) - 1, at.max(0) + 1])
    corners = average.signal.geometry.to_patient([[ends[n][k] for k, n in enumerate(c)] for c in np.ndindex(2, 2, 2)])
    back = np.linalg.inv(fit.matrix)
    held = grid.to_index(np.asarray(corners) @ back[:3, :3].T + back[:3, 3])
    room = int(np.ceil((_FURTHER_MM + 4 * _FINE_MM) / min(grid.spacing_mm)))
    low = np.clip(np.floor(held.min(0)).astype(int) - room, 0, np.array(grid.shape) - 1)
    high = np.clip(np.ceil(held.max(0)).astype(int) + room + 1, low + 1, np.array(grid.shape))
    return _three(low), _three(high)


def _skin(head: Mask, seen: Mask, gone: Mask, grid: Geometry, parts: _Parts) -> tuple[float, float, float]:
    """Facial skin (cm2), the share that is left, and how far what is left lies behind it (median, mm)."""
    # Only what lies before and beside facial skin is asked, with a border of one voxel.
    box = _box_of(parts, _SKIN)
    if box is None:
        return 0.0, 0.0, 0.0
    near = (box[0], slice(0, box[1].stop), box[2])
    border = head[near] & dilated(_from_the_front(~head[near]) & seen[near])
    at = _places(border & ((parts[near] & _SKIN) > 0))
    if not len(at):
        return 0.0, 0.0, 0.0
    area = len(at) * grid.spacing_mm[0] ** 2 / 100.0
    at += [box[0].start, 0, box[2].start]
    # What lies further behind than this is as good as gone.
    low, high = at.min(0) - round(_FAR_MM / _FINE_MM), at.max(0) + 1 + round(_FAR_MM / _FINE_MM)
    here = tuple(slice(max(0, a), b) for a, b in zip(low, high, strict=True))
    left = (head & ~gone)[here]
    within = at - [one.start for one in here]
    away = away_mm(left, within, grid.spacing_mm[0], _FAR_MM)
    return area, float((away < 1.0).mean()), float(np.median(away))


def _places(mask: Mask) -> npt.NDArray[np.int_]:
    """As `np.argwhere`, several times faster."""
    return np.stack(np.unravel_index(np.flatnonzero(mask), mask.shape), 1)


def _box_of(parts: _Parts, which: int) -> tuple[slice, slice, slice] | None:
    """Where a part lies, with a border of one voxel."""
    held = (parts & which) > 0
    spans = [np.flatnonzero(held.any(axis)) for axis in ((1, 2), (0, 2), (0, 1))]
    if not len(spans[0]):
        return None
    z, y, x = (slice(max(0, int(span[0]) - 1), int(span[-1]) + 2) for span in spans)
    return z, y, x


def _from_the_front(air: Mask) -> Mask:
    """Air that is seen from before the face, so that no sinus counts as skin."""
    return np.asarray(np.logical_and.accumulate(air, axis=1))


def _must_have_its_nose(head: Mask, seen: Mask, grid: Geometry, parts: _Parts, fit: Fit) -> None:
    """The foremost point below the brows is the tip of the nose: where it is whole in the images it must be expected.

    Raises:
        Refused: the most prominent point lies elsewhere; the head may be turned otherwise than its header says.
    """
    near = _places(head & ((parts & _NEAR_NOSE) > 0))
    if len(near) * grid.voxel_volume_mm3 < 5_000.0:
        return
    step = fit.matrix @ grid.affine
    at = near[int((near @ step[1, :3]).argmin())]
    if at[1] < 3 or not seen[at[0], max(int(at[1]) - 2, 0), at[2]]:
        return  # the field of view ends before the nose does
    off = step[:3, :3] @ at + step[:3, 3] - np.array(_NOSE)
    if float(np.linalg.norm(off[[0, 2]])) > _NOSE_MM + 15.0 or abs(float(off[1])) > _NOSE_MM:
        raise Refused(
            f"a foremost point {np.linalg.norm(off):.0f} mm from where the nose is expected",
            "the face may lie elsewhere than the header says", "look at the images",
        )  # fmt: skip


def _carried(mask: Mask, step: npt.NDArray[np.float64], shape: tuple[int, int, int]) -> Mask:
    from scipy import ndimage  # loaded where one series takes the face of another

    found = ndimage.affine_transform(mask.astype(np.uint8), step[:3, :3], step[:3, 3], output_shape=shape, order=0)
    return np.asarray(found > 0)
