"""How a head moved during a scan, and its frames brought back to where the first ones lay.

Each frame is aligned to a reference by a rigid motion of six parameters: Gauss-Newton on the differences of intensity,
with the gradient of the reference (inverse compositional; Baker & Matthews, IJCV 56 (2004) 221), from coarse to fine.
Only points where the reference has an edge are asked; each frame may differ by a gain and an offset, and points that
contrast brightens weigh little (Huber). A frame that hardly moved is left as it is, for interpolation costs sharpness.

A slab of fewer than four slices, or one whose slices hardly differ, tells of motion within its planes alone: what moves
through it cannot be told from what contrast and noise do to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused
from isocenter.methods import in_plane
from isocenter.methods.shares import in_parts

__all__ = ["STILL", "Motion", "estimate", "undo"]

Floats = npt.NDArray[np.floating]

_FINEST_MM = 1.7  # in-plane size of a voxel at the last level
_LEVELS = (4, 2, 1)  # in-plane sizes of the levels, in sizes of the finest
_POINTS = 8000
_ITERATIONS = 14
_ENOUGH_MM = 0.01
_BLUR = 0.7  # pixels of a level
_LEAST_POINTS = 50
STILL = 0.25
"""Share of the shortest voxel edge up to which a frame is left as it is."""
_LEAST_SLICES, _LEAST_SLOPE = 4, 0.02  # motion through slices needs so many, and edges across them, in edges within


@dataclass(frozen=True, eq=False)
class Motion:
    """Where each frame lay.

    Args:
        turns_rad: (frames, 3) rotation vectors about the centre of the grid, in (slice, row, column) axes.
        shifts_mm: (frames, 3) along (slice, row, column).
        largest_mm: (frames,) how far the point of the head that moved most had moved.
        through: whether motion through the slices was looked for, or within them alone.
    """

    turns_rad: npt.NDArray[np.float64]
    shifts_mm: npt.NDArray[np.float64]
    largest_mm: npt.NDArray[np.float64]
    through: bool = True


def estimate(
    frames: Floats,
    spacing_mm: tuple[float, float, float],
    reference: Floats,
    head: Floats,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> Motion:
    """The motion of every frame against a reference.

    Args:
        frames: (frames, slices, rows, columns).
        spacing_mm: along (slice, row, column).
        reference: (slices, rows, columns), such as the mean of the frames before the bolus.
        head: mask in which edges are looked for.
        limits: values below and above count as these.

    Raises:
        Refused: when the reference has no edges.
    """
    poses = np.tile(np.eye(3, 4), (frames.shape[0], 1, 1))
    fine = max(1, round(_FINEST_MM / spacing_mm[1]))
    moving, whole = _shrunk(frames, fine, limits), _shrunk(reference[None], fine, limits)
    share = _shrunk(head[None].astype(np.float32), fine)
    centre = np.array([(n - 1) / 2 * s for n, s in zip(reference.shape, spacing_mm, strict=True)])
    edges: npt.NDArray[np.float64] | None = None
    through = True
    for level in _LEVELS:
        by = fine * level
        spacing = (spacing_mm[0], spacing_mm[1] * by, spacing_mm[2] * by)
        if min(whole.shape[2:]) < 8 * level:
            continue  # too coarse for a picture as small as this
        points, gradients, values = _edges(_shrunk(whole, level)[0], spacing, _shrunk(share, level)[0] > 0.5)
        through = _tells_of_depth(gradients, reference.shape[0])
        if not through:
            gradients[:, 0] = 0.0
        origin = np.array([0.0, (by - 1) / 2 * spacing_mm[1], (by - 1) / 2 * spacing_mm[2]])
        _align(_shrunk(moving, level), np.array(spacing), origin, centre, points + origin, gradients, values, poses)
        edges = points + origin - centre
    if edges is None:
        raise Refused(
            f"images of {frames.shape[2]} x {frames.shape[3]} pixels",
            "no motion can be seen on them",
            "choose larger images",
        )
    moved = np.einsum("fij,pj->fpi", poses[:, :, :3] - np.eye(3), edges) + poses[:, None, :, 3]
    return Motion(_vectors(poses[:, :, :3]), poses[:, :, 3].copy(), np.linalg.norm(moved, axis=2).max(axis=1), through)


def _tells_of_depth(gradients: npt.NDArray[np.float64], slices: int) -> bool:
    """Whether slices are many enough, and differ enough, for motion through them to be seen."""
    across, within = (float((gradients[:, axes] ** 2).sum()) for axes in ([0], [1, 2]))
    return slices >= _LEAST_SLICES and across >= _LEAST_SLOPE**2 * within


def undo(frames: Floats, spacing_mm: tuple[float, float, float], motion: Motion) -> npt.NDArray[np.bool_]:
    """Bring frames back in place, by linear interpolation; frames that hardly moved stay.

    Args:
        frames: (frames, slices, rows, columns) float32, changed in place.

    Returns:
        (slices, rows, columns): voxels that every frame saw; the others left the slab in some frame.
    """
    seen = np.ones(frames.shape[1:], bool)
    for n in np.flatnonzero(motion.largest_mm > STILL * min(spacing_mm)):
        pose = np.column_stack([_matrix(motion.turns_rad[n]), motion.shifts_mm[n]])
        given = np.ascontiguousarray(frames[n], np.float32)
        back, inside = np.empty_like(given), np.empty(given.shape, np.bool_)
        in_parts(_resampled, given.shape[0] * given.shape[1], given, np.array(spacing_mm), pose, back, inside)
        frames[n] = back
        seen &= inside
    return seen


def _matrix(turn: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rodrigues' formula."""
    angle = float(np.linalg.norm(turn))
    if angle < 1e-12:
        return np.eye(3)
    a, b, c = turn / angle
    cross = np.array([[0.0, -c, b], [c, 0.0, -a], [-b, a, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def _vectors(turns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    half = 0.5 * (turns - np.swapaxes(turns, 1, 2))
    sines = np.stack([half[:, 2, 1], half[:, 0, 2], half[:, 1, 0]], axis=1)
    size = np.linalg.norm(sines, axis=1, keepdims=True)
    scale = np.where(size > 1e-12, np.arcsin(np.clip(size, 0, 1)) / np.maximum(size, 1e-12), 1.0)
    return np.asarray(sines * scale)


def _shrunk(frames: Floats, by: int, limits: tuple[float, float] = (-np.inf, np.inf)) -> npt.NDArray[np.float32]:
    """In-plane means of blocks; what is left over at the far edge is dropped."""
    held = np.ascontiguousarray(frames, np.float32)
    if by == 1 and limits == (-np.inf, np.inf):
        return held
    out = np.empty((*held.shape[:2], held.shape[2] // by, held.shape[3] // by), np.float32)
    in_parts(_block_means, out.shape[0] * out.shape[1], held, by, np.float32(limits[0]), np.float32(limits[1]), out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _block_means(
    first: int, last: int, frames: npt.NDArray[np.float32], by: int, low: np.float32, high: np.float32,
    out: npt.NDArray[np.float32],
) -> None:  # fmt: skip
    _, slices, rows, columns = frames.shape
    share = np.float32(1.0 / (by * by))
    line = np.empty(columns, np.float32)
    for item in range(first, last):
        f, k = item // slices, item % slices
        for i in range(rows // by):
            line[:] = 0.0
            for a in range(by):
                row = frames[f, k, i * by + a]
                for j in range(columns):
                    line[j] += min(max(row[j], low), high)
            for j in range(columns // by):
                total = np.float32(0.0)
                for b in range(by):
                    total += line[j * by + b]
                out[f, k, i, j] = total * share


def _edges(
    image: npt.NDArray[np.float32], spacing_mm: tuple[float, ...], inside: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Points (mm), gradients (1/mm) and values where the reference changes most."""
    smooth = in_plane.blurred(image[None], (_BLUR, _BLUR))[0]
    along = [
        np.gradient(smooth, s, axis=n) if image.shape[n] > 1 else np.zeros_like(smooth)
        for n, s in enumerate(spacing_mm)
    ]
    steep = np.sqrt(sum(g.astype(np.float64) ** 2 for g in along)) * inside
    found = np.flatnonzero(steep > 0)
    if len(found) < 100:
        raise Refused("a reference without edges", "no motion can be seen on it", "check the images")
    if len(found) > _POINTS:
        cut = np.partition(steep.ravel()[found], -_POINTS)[-_POINTS]
        found = found[steep.ravel()[found] >= cut]
    index = np.stack(np.unravel_index(found, image.shape), axis=1)
    gradients = np.stack([g.ravel()[found] for g in along], axis=1).astype(np.float64)
    return index * np.array(spacing_mm), gradients, smooth.ravel()[found].astype(np.float64)


def _align(
    moving: npt.NDArray[np.float32],
    spacing: npt.NDArray[np.float64],
    origin: npt.NDArray[np.float64],
    centre: npt.NDArray[np.float64],
    points: npt.NDArray[np.float64],
    gradients: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    poses: npt.NDArray[np.float64],
) -> None:
    """Refine poses, (frames, 3, 4), in place; x in the reference lies at R (x - c) + c + t in the frame."""
    arm = points - centre
    jacobian = np.concatenate([np.cross(arm, gradients), gradients], axis=1)
    if not gradients[:, 0].any():
        jacobian[:, [1, 2, 3]] = 0.0  # turns about a row and a column, and the shift through the slices
    smooth = in_plane.blurred(moving, (_BLUR, _BLUR))
    radius = float(np.linalg.norm(arm, axis=1).max())
    going = np.arange(len(moving))
    for _ in range(_ITERATIONS):
        steps = _steps(smooth, going, spacing, origin, centre, points, values, jacobian, poses)
        for frame, step in zip(going, steps, strict=True):
            back = _matrix(-step[:3])
            poses[frame, :, 3] = poses[frame, :, 3] - poses[frame, :, :3] @ back @ step[3:]
            poses[frame, :, :3] = poses[frame, :, :3] @ back
        size = np.linalg.norm(steps[:, :3], axis=1) * radius + np.linalg.norm(steps[:, 3:], axis=1)
        going = going[size > _ENOUGH_MM]
        if not len(going):
            return


def _steps(
    smooth: npt.NDArray[np.float32],
    going: npt.NDArray[np.int64],
    spacing: npt.NDArray[np.float64],
    origin: npt.NDArray[np.float64],
    centre: npt.NDArray[np.float64],
    points: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    jacobian: npt.NDArray[np.float64],
    poses: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """One Gauss-Newton step a frame: gain, offset and six parameters together, each point weighted by Huber."""
    columns = np.column_stack([jacobian, values, np.ones_like(values)])
    normal, wanted = np.zeros((len(going), 8, 8)), np.zeros((len(going), 8))
    in_parts(
        _equations, len(going), smooth, going, spacing, origin, centre, points, values, columns, poses, normal, wanted
    )
    scale = np.sqrt(np.maximum(np.einsum("fii->fi", normal), 1e-30))
    # What is not looked for has zeros here: a trace of ridge leaves it at zero.
    scaled = normal / (scale[:, :, None] * scale[:, None, :]) + 1e-6 * np.eye(8)
    return np.asarray((np.linalg.solve(scaled, (wanted / scale)[:, :, None])[:, :, 0] / scale)[:, :6])


@njit(cache=True, error_model="numpy")
def _linear(image: npt.NDArray[np.float32], z: float, y: float, x: float) -> tuple[float, bool]:
    """Trilinear value at an index; outside, the nearest voxel and False."""
    slices, rows, columns = image.shape
    inside = -0.5 <= z <= slices - 0.5 and -0.5 <= y <= rows - 0.5 and -0.5 <= x <= columns - 0.5
    z, y, x = min(max(z, 0.0), slices - 1.0), min(max(y, 0.0), rows - 1.0), min(max(x, 0.0), columns - 1.0)
    k, i, j = min(int(z), max(slices - 2, 0)), min(int(y), max(rows - 2, 0)), min(int(x), max(columns - 2, 0))
    c, a, b = z - k, y - i, x - j
    n, m, p = min(k + 1, slices - 1), min(i + 1, rows - 1), min(j + 1, columns - 1)
    low = (image[k, i, j] * (1 - b) + image[k, i, p] * b) * (1 - a) + (
        image[k, m, j] * (1 - b) + image[k, m, p] * b
    ) * a
    high = (image[n, i, j] * (1 - b) + image[n, i, p] * b) * (1 - a) + (
        image[n, m, j] * (1 - b) + image[n, m, p] * b
    ) * a
    return low * (1 - c) + high * c, inside


@njit(cache=True, nogil=True, error_model="numpy")
def _middle(values: npt.NDArray[np.float64], n: int) -> float:
    """The upper median of the first n values, which are left in another order (Hoare 1961).

    numba's own median takes longer to compile than all else here together.
    """
    low, high, wanted = 0, n - 1, n // 2
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return float(values[wanted])


@njit(cache=True, nogil=True, error_model="numpy")
def _equations(
    first: int,
    last: int,
    frames: npt.NDArray[np.float32],
    going: npt.NDArray[np.int64],
    spacing: npt.NDArray[np.float64],
    origin: npt.NDArray[np.float64],
    centre: npt.NDArray[np.float64],
    points: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    columns: npt.NDArray[np.float64],
    poses: npt.NDArray[np.float64],
    normal: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.float64],
) -> None:
    """Normal matrices (frames, 8, 8) and right-hand sides (frames, 8); left zero where hardly a point is seen."""
    count = points.shape[0]
    error, held, which = np.empty(count), np.empty(count), np.empty(count, np.int64)
    for f in range(first, last):
        frame, pose = frames[going[f]], poses[going[f]]
        n = 0
        for p in range(count):
            u, v, w = points[p, 0] - centre[0], points[p, 1] - centre[1], points[p, 2] - centre[2]
            z = pose[0, 0] * u + pose[0, 1] * v + pose[0, 2] * w + pose[0, 3] + centre[0] - origin[0]
            y = pose[1, 0] * u + pose[1, 1] * v + pose[1, 2] * w + pose[1, 3] + centre[1] - origin[1]
            x = pose[2, 0] * u + pose[2, 1] * v + pose[2, 2] * w + pose[2, 3] + centre[2] - origin[2]
            value, inside = _linear(frame, z / spacing[0], y / spacing[1], x / spacing[2])
            if inside:
                error[n], which[n] = value - values[p], p
                n += 1
        if n < _LEAST_POINTS:
            continue
        for i in range(n):
            held[i] = error[i]
        middle = _middle(held, n)
        for i in range(n):
            held[i] = abs(error[i] - middle)
        spread = 1.4826 * _middle(held, n) + 1e-9
        for i in range(n):
            off = abs(error[i] - middle)
            weight = 1.0 if off <= 1.345 * spread else 1.345 * spread / off
            one = columns[which[i]]
            for a in range(8):
                share = weight * one[a]
                wanted[f, a] += share * error[i]
                for b in range(a, 8):
                    normal[f, a, b] += share * one[b]
        for a in range(8):
            for b in range(a):
                normal[f, a, b] = normal[f, b, a]


@njit(cache=True, nogil=True, error_model="numpy")
def _resampled(
    first: int, last: int, frame: npt.NDArray[np.float32], spacing: npt.NDArray[np.float64],
    pose: npt.NDArray[np.float64], out: npt.NDArray[np.float32], seen: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    slices, rows, columns = frame.shape
    c0, c1, c2 = (slices - 1) / 2 * spacing[0], (rows - 1) / 2 * spacing[1], (columns - 1) / 2 * spacing[2]
    for line in range(first, last):
        k, i = line // rows, line % rows
        u, v = k * spacing[0] - c0, i * spacing[1] - c1
        for j in range(columns):
            w = j * spacing[2] - c2
            z = pose[0, 0] * u + pose[0, 1] * v + pose[0, 2] * w + pose[0, 3] + c0
            y = pose[1, 0] * u + pose[1, 1] * v + pose[1, 2] * w + pose[1, 3] + c1
            x = pose[2, 0] * u + pose[2, 1] * v + pose[2, 2] * w + pose[2, 3] + c2
            value, inside = _linear(frame, z / spacing[0], y / spacing[1], x / spacing[2])
            out[k, i, j], seen[k, i, j] = value, inside
