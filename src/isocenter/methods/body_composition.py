"""Muscle and fat of an abdominal CT: which voxel is what.

Tissue is read from attenuation (HU windows, named) inside the wall of the body. The muscle wall encloses the cavity:
fat inside it is visceral, fat outside is subcutaneous, and fat within the muscle is intermuscular. What is low or high
is said by `body_limits`.

Sources: Mitsiopoulos 1998 and Prado 2008 (windows).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.methods import field_of_view, opening

__all__ = [
    "WINDOWS_HU",
    "Tissues",
    "arms_against",
    "arms_beside",
    "body_of",
    "muscle_is_whole",
    "spine_area_mm2",
    "tissues",
    "wall_is_whole",
]

Hounsfield = npt.NDArray[np.floating] | npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]

WINDOWS_HU: dict[str, tuple[float, float]] = {
    "skeletal muscle": (-29.0, 150.0),
    "fat": (-190.0, -30.0),
    "visceral fat": (-150.0, -50.0),
    "intermuscular fat": (-190.0, -30.0),
}
"""Tissue -> lowest and highest HU that count as it, ends included."""

_AIR_HU, _BONE_HU, _BRIGHT_HU = -300.0, 200.0, 300.0
_SKIN_MM = 4.0  # half of what skin is thick at most, cut aslant
_DEPTH_MM = 16.0  # of the wall where there is no spine behind it
_SECTORS, _ALL_AROUND, _EVEN, _DEEPEST_MM = 72, 0.75, 1.5, 35.0  # of the wall, seen from the middle of the trunk
_PSOAS_MM, _AHEAD_MM = 42.0, 4.0  # muscle lies so near the spine, and so far ahead of it
_GAPS_MM = (8.0, 12.0, 16.0, 20.0)  # half of gaps that are closed: linea alba, between obliques; then parted recti
_GAP_MM = _GAPS_MM[0]
_SOLID = 0.9  # part of its convex hull that the trunk within the wall fills at least; where fat runs in it fills less
_THIN_MM = 2.5
_CORTEX_GAP_MM = 6.0  # in a cortex that is thinner than a pixel
_ARM_MM2, _ARM_THICK_MM, _ASIDE = 800.0, 28.0, 0.6
"""Of muscle with bone in it; and how far it lies from the middle, as a share of half the width."""
_ENCLOSED = 0.1  # part of the body within an outlined wall at least


@dataclass(frozen=True, eq=False)
class Tissues:
    """Masks of one CT, (slices, rows, columns) each; `bright` lies in the cavity and is denser than any organ.

    `closed` says for each slice whether a closed wall of muscle was found (or outlined): where it is open, visceral and
    subcutaneous fat are not parted.
    """

    muscle: Mask
    visceral: Mask
    subcutaneous: Mask
    intermuscular: Mask
    body: Mask
    bright: Mask
    closed: npt.NDArray[np.bool_]


def body_of(hu: Hounsfield, spacing_mm: tuple[float, float, float]) -> Mask:
    """The body without table and air around it, gas inside filled: the largest piece of each slice, slice by slice.

    Raises:
        Refused: when there is no body.
    """
    out = np.zeros(hu.shape, bool)
    pixel_mm2 = spacing_mm[1] * spacing_mm[2]
    thin = _disc(4.0, spacing_mm)
    for k in range(len(hu)):
        solid = opening.opened(hu[k] > _AIR_HU, thin)  # tables are thin
        labels, count = ndimage.label(solid)
        if count:
            sizes = np.bincount(labels.ravel())[1:]
            if sizes.max() * pixel_mm2 > 5000.0:
                out[k] = opening.filled(labels == 1 + int(sizes.argmax()))
    if not out.any():
        raise Refused("no body in the images", "nothing larger than 50 cm2 is denser than air", "send a CT of a body")
    return out


def wall_is_whole(body: Mask, seen: Mask | None = None) -> npt.NDArray[np.bool_]:
    """(slices,) whether the body wall lies inside the field of view: it touches none of its borders.

    Args:
        seen: the field of view, of `field_of_view.imaged`; None for the whole picture.
    """
    seen = np.ones(body.shape, bool) if seen is None else seen
    return np.asarray(~(body & field_of_view.border(seen)).any(axis=(1, 2)))


def muscle_is_whole(
    hu: Hounsfield, body: Mask, seen: Mask, spacing_mm: tuple[float, float, float]
) -> npt.NDArray[np.bool_]:
    """(slices,) whether no muscle or organ touches the border of the field of view; skin, which is thin, may."""
    border, thick, out = field_of_view.border(seen, wide=2), _disc(_SKIN_MM, spacing_mm), np.ones(len(hu), bool)
    for k in range(len(hu)):
        if (body[k] & border[k]).any():
            out[k] = not (opening.opened(body[k] & (hu[k] >= -29.0), thick) & border[k]).any()
    return out


def arms_beside(hu: Hounsfield, body: Mask, spacing_mm: tuple[float, float, float]) -> npt.NDArray[np.bool_]:
    """(slices,) whether a limb lies beside the body: another piece of 8 cm2 or more with bone in it."""
    found = np.zeros(len(hu), bool)
    least = 800.0 / (spacing_mm[1] * spacing_mm[2])
    for k in range(len(hu)):
        labels, count = ndimage.label((hu[k] > _AIR_HU) & ~body[k])
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        bone = np.bincount(labels[hu[k] > _BONE_HU].ravel(), minlength=count + 1)
        found[k] = bool(((sizes[1:] >= least) & (bone[1:] > 0.03 * sizes[1:])).any())
    return found


def arms_against(
    hu: Hounsfield, body: Mask, spacing_mm: tuple[float, float, float], *, trunk: Mask | None = None
) -> npt.NDArray[np.bool_]:
    """(slices,) whether an arm seems to lie against the body: muscle at its side, thicker than a wall, with bone in it.

    In the pelvis hips look so as well: it says why no wall of muscle closes, and not whether one does.

    Args:
        trunk: an outlined compartment of muscle, of which an arm is no part.
    """
    found, least = np.zeros(len(hu), bool), _ARM_MM2 / (spacing_mm[1] * spacing_mm[2])
    thick = _disc(_ARM_THICK_MM / 2.0, spacing_mm)
    for k in np.flatnonzero(body.any(axis=(1, 2))):
        lean = body[k] & (hu[k] >= -29.0)
        labels, count = ndimage.label(opening.opened(opening.filled(lean & (_far(~body[k], spacing_mm) > 4.0)), thick))
        columns = np.flatnonzero(body[k].any(axis=0))
        middle, half = (columns[0] + columns[-1]) / 2.0, max((columns[-1] - columns[0]) / 2.0, 1.0)
        for number in range(1, count + 1):
            piece = labels == number
            place = float(np.argwhere(piece)[:, 1].mean())
            bone = np.count_nonzero(piece & (hu[k] > _BRIGHT_HU))
            mine = trunk is not None and bool((trunk[k] & piece).any())
            if abs(place - middle) > _ASIDE * half and piece.sum() >= least and bone > 0.02 * piece.sum() and not mine:
                found[k] = True
    return found


def tissues(hu: Hounsfield, spacing_mm: tuple[float, float, float], *, muscle: Mask | None = None) -> Tissues:
    """Muscle, visceral, subcutaneous and intermuscular fat, slice by slice.

    Args:
        hu: (slices, rows, columns) axial, as reconstructed: windows on interpolated values would move edges.
        muscle: the compartment of muscle that a person or a model outlined (wall with the fat in it); without it the
            wall is the dense ring around the cavity: bowel and organs inside are no muscle.

    Raises:
        Refused: when no closed muscle wall is found.
    """
    body = body_of(hu, spacing_mm)
    values = np.asarray(hu, np.float32)
    found = [np.zeros(hu.shape, bool) for _ in range(5)]
    closed = np.ones(len(hu), bool)
    for k in np.flatnonzero(body.any(axis=(1, 2))):
        if muscle is None:
            wall, cavity, closed[k] = _wall(values[k], body[k], spacing_mm)
        else:
            wall, cavity = _given(muscle[k], spacing_mm)
            closed[k] = (
                cavity.sum() >= _ENCLOSED * body[k].sum()
            )  # an outline of one slice, or of the psoas, is no wall
            cavity &= ~_spine(values[k], cavity, spacing_mm)
        lean, fat = _within(values[k], "skeletal muscle"), _within(values[k], "fat")
        found[0][k] = wall & lean
        # The rim of bowel gas has every value between air and tissue, fat's among them.
        gas = ndimage.binary_dilation(cavity & (values[k] < _AIR_HU), iterations=2)
        found[1][k] = cavity & ~gas & _within(values[k], "visceral fat")
        found[2][k] = body[k] & ~cavity & ~wall & fat
        found[3][k] = wall & _within(values[k], "intermuscular fat")
        found[4][k] = cavity & (values[k] > _BRIGHT_HU)
    return Tissues(found[0], found[1], found[2], found[3], body, found[4], closed)


def _within(values: npt.NDArray[np.float32], tissue: str) -> Mask:
    low, high = WINDOWS_HU[tissue]
    return np.asarray((values >= low) & (values <= high))


def _disc(radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    ry, rx = (max(1, round(radius_mm / mm)) for mm in spacing_mm[1:])
    y, x = np.mgrid[-ry : ry + 1, -rx : rx + 1]
    return np.asarray((y / ry) ** 2 + (x / rx) ** 2 <= 1.0)


def _far(mask: Mask, spacing_mm: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing_mm[1:]))


def _behind_wall(dense: Mask, body: Mask, spacing_mm: tuple[float, float, float]) -> tuple[Mask, bool]:
    """Everything that cannot be reached from outside the body once gaps of the wall are closed, and whether that is a
    trunk. Wider gaps are closed only where it is none.

    From the air and not from the skin: fat below it may be thinner than the gaps.
    """
    wide = 2 + int(np.ceil(_GAPS_MM[-1] / min(spacing_mm[1:])))
    far, first = _far(np.pad(dense, wide), spacing_mm), None
    frame = np.pad(np.zeros(body.shape, bool), wide, constant_values=True)
    for gap in _GAPS_MM:
        outside = opening.reached(far > gap, frame & (far > gap))
        reached = (_far(outside, spacing_mm) <= gap)[wide:-wide, wide:-wide]
        behind = opening.filled(body & ~reached)
        first = behind if first is None else first
        if behind.sum() >= 0.1 * body.sum() and _solidity(behind) >= _SOLID:
            return behind, True
    assert first is not None
    return first, False


def _solidity(mask: Mask) -> float:
    """Part of its convex hull that a mask fills."""
    from scipy.spatial import ConvexHull, QhullError

    edge = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    corners = np.concatenate([edge + d for d in ((-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5))])
    try:
        return float(mask.sum()) / float(ConvexHull(corners).volume)
    except (QhullError, ValueError):
        return 0.0


def _wall(
    values: npt.NDArray[np.float32], body: Mask, spacing_mm: tuple[float, float, float]
) -> tuple[Mask, Mask, bool]:  # fmt: skip
    """The muscle compartment, the cavity inside it, and whether the wall is closed, from one slice without outline."""
    soft = body & (values >= -29.0)
    skin = _far(~body, spacing_mm) <= 4.0
    dense = opening.opened(soft & ~skin, _disc(_THIN_MM, spacing_mm))
    behind, trunk = _behind_wall(dense, body, spacing_mm)
    if not behind.any() or behind.sum() < 0.1 * body.sum():
        raise Refused("no closed wall of muscle", "visceral and subcutaneous fat are not parted", "outline the muscle")
    # From inside, fat of the cavity reaches to the wall's inner side; organs lie between. The wall is what is dense
    # and within its usual depth of the outer side, with spine and the muscles beside it.
    depth = ndimage.distance_transform_edt(behind, sampling=spacing_mm[1:])
    spine = _spine(values, behind, spacing_mm)
    count = bool(spine.any())
    dense_behind = behind & dense & ~spine
    near_spine = _far(spine, spacing_mm) <= _PSOAS_MM if count else np.zeros_like(behind)
    rows = np.arange(len(values))[:, None]
    front = np.argwhere(spine)[:, 0].min() - _AHEAD_MM / spacing_mm[1] if count else len(values)
    back = np.argwhere(spine)[:, 0].mean() if count else len(values)
    ahead = behind & (rows < front)
    seed = dense_behind & (depth <= _thickness_mm(values, ahead, ahead & dense_behind, depth, spacing_mm))
    beside = dense_behind & ((near_spine & (rows >= front)) | (rows >= back))
    wall = opening.closed(seed | beside, _disc(4.0, spacing_mm)) & behind & ~spine
    return wall, behind & ~wall & ~spine, trunk


def _thickness_mm(
    values: npt.NDArray[np.float32], behind: Mask, dense: Mask, depth: npt.NDArray[np.float64],
    spacing_mm: tuple[float, float, float],
) -> float:  # fmt: skip
    """How thick the wall is: to the fat inside of it where that lies at an even depth nearly all around, and the usual
    depth where it does not, because organs touch the wall.

    Args:
        behind: the trunk within the wall's outer side, of the rows that are looked at. dense: what may be wall.
    """
    fat = opening.opened(behind & ~dense & _within(values, "fat"), _disc(_GAP_MM / 2, spacing_mm))
    inner, outer = fat & ndimage.binary_dilation(dense, iterations=2), behind & (depth <= max(spacing_mm[1:]))
    if not inner.any():
        return _DEPTH_MM
    away = (np.indices(behind.shape) - np.argwhere(behind).mean(axis=0)[:, None, None]) * np.reshape(
        spacing_mm[1:], (2, 1, 1)
    )
    sector = np.floor((np.arctan2(*away) / (2 * np.pi) + 0.5) * _SECTORS).astype(int) % _SECTORS
    first = np.full(_SECTORS, np.inf)
    np.minimum.at(first, sector[inner], depth[inner])
    met = np.sort(first[np.isfinite(first)])
    all_around = len(met) >= _ALL_AROUND * len(np.unique(sector[outer]))
    if not all_around or met[int(0.95 * (len(met) - 1))] > _EVEN * met[int(0.05 * (len(met) - 1))]:
        return _DEPTH_MM
    return float(np.clip(met[-1], _DEPTH_MM, _DEEPEST_MM))


def spine_area_mm2(hu: npt.NDArray[np.float32], body: Mask, spacing_mm: tuple[float, float, float]) -> float:
    """Of what is taken for the vertebra of a slice: by its place muscle of the back and psoas are told from organs."""
    return float(_spine(hu, body, spacing_mm).sum()) * spacing_mm[1] * spacing_mm[2]


def _spine(values: npt.NDArray[np.float32], within: Mask, spacing_mm: tuple[float, float, float]) -> Mask:
    """The vertebra of a slice, filled; empty where there is no bone.

    Of what is as bright as bone and at least half as large as the largest such piece behind the middle of the trunk it
    is the nearest to the middle line: contrast fills bowel in front and aside, and what is a ring of bone is large once
    it is filled.
    """
    bone = opening.closed(within & (values > _BONE_HU), _disc(6.0, spacing_mm))
    bone = opening.sealed(bone, _disc(_CORTEX_GAP_MM / 2, spacing_mm))
    labels, count = ndimage.label(bone)
    if not count:
        return np.zeros_like(bone)
    rows = np.flatnonzero(within.any(axis=1))
    columns = np.flatnonzero(within.any(axis=0))
    middle, aside = (rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2
    behind = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        piece = opening.filled(labels[box] == number)
        row, column = np.argwhere(piece).mean(axis=0) + [part.start for part in box]
        if row >= middle:
            behind.append((int(piece.sum()), abs(column - aside), number))
    if not behind:
        return np.zeros_like(bone)
    most = max(size for size, _, _ in behind)
    number = min((far, number) for size, far, number in behind if 2 * size >= most)[1]
    return np.asarray(opening.filled(labels == number))


def _given(muscle: Mask, spacing_mm: tuple[float, float, float]) -> tuple[Mask, Mask]:
    """An outlined compartment, and what it encloses."""
    if not muscle.any():
        return muscle, np.zeros_like(muscle)
    closed = opening.closed(np.pad(muscle, 20), _disc(_GAP_MM, spacing_mm))[20:-20, 20:-20]
    return muscle, np.asarray(opening.filled(closed) & ~muscle)
