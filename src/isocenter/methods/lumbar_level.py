"""At which height the third lumbar vertebra lies on a CT of the trunk, and how sure that is.

1. *The spine's line.* In every slice the place near the middle of the body about which most bone lies within 18 mm; the
   line through all slices that keeps to such places and moves little (dynamic programming).
2. *Discs.* Bone about that line, in planes upright on it, falls to a minimum at every disc. Between them lie vertebrae;
   the chain of minima is taken whose steps fit a spine (22 to 48 mm, each like the one before).
3. *The sacrum* is where bone reaches out from the line to both sides by more than 24 mm at the height of the body. The
   first disc above it ends the fifth lumbar vertebra; the third vertebra from there is L3.
4. *Two witnesses.* The iliac crest reaches to about L4, and the last rib leaves the spine at T12. Where they contradict
   the count, or neither was seen, nobody knows which vertebra it is: an answer of None, or one that is less sure.

Six or four lumbar vertebrae are told by the ribs, if they are on the images; otherwise not. They are counted from the
sacrum upwards; the crest's usual place is L4 to L4/5 (Chakraverty et al., J Anat 210 (2007) 232).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused

__all__ = ["Level", "third_lumbar"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]

_COARSE_MM = 2.0
_BONE_HU, _BODY_HU = 160.0, -300.0
_DENSE_HU = 220.0  # ribs and pelvis; kidneys full of contrast lie below
_AROUND_MM, _ASIDE_MM = 18.0, 45.0  # the vertebral body; how far from the middle of the trunk its line may lie
_STEP_MM, _USUAL_MM = (22.0, 48.0), 36.0
_ALA_MM, _ALA_HU = (24.0, 38.0), (60.0, 160.0)
_LATERAL_MM = 50.0
_WING, _MOST_DISCS = 0.4, 6


@dataclass(frozen=True)
class Level:
    """Where L3 is.

    Args:
        index: slice, counted from the feet.
        centre: row and column of the vertebral body in that slice.
        discs: slices of the discs, from that above the sacrum upwards.
        sacrum: slice of its top.
        crest: highest slice of the iliac crests; None where they are not seen.
        rib: slice in which the last rib leaves the spine; None where none is seen.
        certainty: 0 to 1.
        words: what spoke for it and what against.
    """

    index: int
    centre: tuple[int, int]
    discs: tuple[int, ...]
    sacrum: int
    crest: int | None
    rib: int | None
    certainty: float
    words: str


def third_lumbar(hu: npt.NDArray[np.generic], spacing_mm: tuple[float, float, float]) -> Level:
    """Find the slice through the middle of the third lumbar vertebra.

    Args:
        hu: (slices, rows, columns), slices towards the head, rows to the back, columns to the left.
        spacing_mm: along (slice, row, column).

    Raises:
        Refused: when the images do not show it, or what they show contradicts itself; the message says which.
    """
    if hu.shape[0] * spacing_mm[0] < 90.0:
        raise Refused(
            f"{hu.shape[0] * spacing_mm[0]:.0f} mm of the body",
            "a level is counted from the sacrum: 90 mm are the least",
            "give level_mm, or a region named L3",
        )
    small, mm, by = _small(np.asarray(hu), spacing_mm)
    line = _line(small, mm)
    near, ala = _near(small > _BONE_HU, line, mm), _wings(small, line, mm)
    lateral, medial = _aside(small > _DENSE_HU, line, mm)
    crest = _crest(lateral, line, mm)
    top = _sacrum(ala, mm[0])
    discs = _discs(near, top, mm[0])
    if len(discs) < 4:
        raise Refused(
            f"{len(discs)} discs above the sacrum",
            "the third lumbar vertebra lies between the third and the fourth",
            "give level_mm, or a region named L3",
        )
    bottom, upper = discs[2], discs[3]
    index = round(0.5 * (bottom + upper))
    step = float(upper - bottom)
    rib = _rib(medial, crest, mm[0])
    certainty, words = _sure(index, step, discs, crest, rib)
    row, column = (round(float(v) * by[axis]) for axis, v in enumerate(line[index]))
    return Level(index, (row, column), tuple(discs), top, crest, rib, certainty, words)


def _small(
    hu: npt.NDArray[np.generic], spacing_mm: tuple[float, float, float]
) -> tuple[npt.NDArray[np.float32], tuple[float, float, float], tuple[int, int]]:
    """In-plane means of about 2 mm."""
    by = (max(1, round(_COARSE_MM / spacing_mm[1])), max(1, round(_COARSE_MM / spacing_mm[2])))
    rows, columns = (n // b for n, b in zip(hu.shape[1:], by, strict=True))
    cut = hu[:, : rows * by[0], : columns * by[1]].reshape(len(hu), rows, by[0], columns, by[1])
    return (
        ndimage.gaussian_filter(cut.mean(axis=(2, 4), dtype=np.float32), (0.0, 0.6, 0.6)),
        (spacing_mm[0], spacing_mm[1] * by[0], spacing_mm[2] * by[1]),
        by,
    )


def _line(hu: npt.NDArray[np.float32], mm: tuple[float, float, float]) -> Floats:
    """(slices, 2) row and column of the vertebral body."""
    body = ndimage.binary_opening(hu > _BODY_HU, np.ones((1, 5, 5)))
    if not body.any():
        raise Refused("no body in these images", "a level is counted along its spine", "choose images of the trunk")
    middle = float(np.median([np.nonzero(one)[1].mean() for one in body if one.any()]))
    wide = [max(3, round(2 * _AROUND_MM / m)) for m in mm[1:]]
    smooth = ndimage.gaussian_filter1d(np.clip(hu, 0.0, 400.0), 12.0 / mm[0], axis=0)
    heavy = ndimage.uniform_filter(smooth, (0, *wide))
    away = (np.arange(hu.shape[2]) - middle) * mm[2]
    heavy *= (np.exp(-0.5 * (away / 25.0) ** 2) * (np.abs(away) < _ASIDE_MM)).astype(np.float32)
    grid = max(1, round(4.0 / mm[1])), max(1, round(4.0 / mm[2]))
    path = _path(heavy[:, :: grid[0], :: grid[1]], (mm[1] * grid[0], mm[2] * grid[1]), mm[0])
    return np.asarray(ndimage.gaussian_filter1d(path * np.array(grid), 8.0 / mm[0], axis=0, mode="nearest"))


def _path(score: Floats, mm: tuple[float, float], slice_mm: float) -> Floats:
    """The way through all slices with the most score that moves by at most one cell a slice and pays for moving."""
    many, rows, columns = score.shape
    total, came = score[0].copy(), np.zeros((many, rows, columns), np.int8)
    moves = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    for k in range(1, many):
        padded = np.pad(total, 1, constant_values=-np.inf)
        each = np.stack(
            [
                padded[1 + i : 1 + i + rows, 1 + j : 1 + j + columns]
                - 3.0 * np.hypot(i * mm[0], j * mm[1]) * (4.0 / slice_mm)
                for i, j in moves
            ]
        )
        came[k] = each.argmax(axis=0)
        total = each.max(axis=0) + score[k]
    at = np.unravel_index(int(total.argmax()), total.shape)
    path = np.zeros((many, 2))
    row, column = int(at[0]), int(at[1])
    for k in range(many - 1, -1, -1):
        path[k] = row, column
        i, j = moves[came[k, row, column]]
        row, column = row + (i if k else 0), column + (j if k else 0)
    return path


def _near(bone: Mask, line: Floats, mm: tuple[float, float, float]) -> Floats:
    """Share of bone within 18 mm of the line, in the plane upright on it at every slice."""
    reach = [int(_AROUND_MM / m) for m in mm[1:]]
    dy, dx = (v.ravel() for v in np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1])
    within = np.hypot(dy * mm[1], dx * mm[2]) < _AROUND_MM
    dy, dx = dy[within], dx[within]
    slope = np.gradient(ndimage.gaussian_filter1d(line, 10.0 / mm[0], axis=0, mode="nearest"), axis=0)
    falls = slope[:, :1] * mm[1] / mm[0] * dy * mm[1] + slope[:, 1:] * mm[2] / mm[0] * dx * mm[2]
    at = np.stack([np.arange(len(line))[:, None] - falls / mm[0], line[:, :1] + dy, line[:, 1:] + dx])
    return np.asarray(ndimage.map_coordinates(bone.astype(np.float32), at, order=1, mode="nearest").mean(axis=1))


def _wings(hu: npt.NDArray[np.float32], line: Floats, mm: tuple[float, float, float]) -> Floats:
    """How far, from 0 to 1, both sides of the body are as dense as bone, where the sacrum has its wings."""
    y, x = (np.arange(n) for n in hu.shape[1:])
    found = np.zeros(len(hu))
    for k, (row, column) in enumerate(line):
        dy, dx = (y - row)[:, None] * mm[1], (x - column)[None, :] * mm[2]
        dense = np.clip((hu[k] - _ALA_HU[0]) / (_ALA_HU[1] - _ALA_HU[0]), 0.0, 1.0)
        sides = [(dy > -16.0) & (dy < 14.0) & (s * dx > _ALA_MM[0]) & (s * dx < _ALA_MM[1]) for s in (-1, 1)]
        found[k] = min(float(dense[one].mean()) if one.any() else 0.0 for one in sides)
    return found


def _aside(bone: Mask, line: Floats, mm: tuple[float, float, float]) -> tuple[Mask, Floats]:
    """Bone more than 50 mm beside the line; and of each slice the bone (mm2) between 48 and 70 mm, behind the body."""
    x, y = np.arange(bone.shape[2]), np.arange(bone.shape[1])
    away = np.abs(x[None, :] - line[:, 1:]) * mm[2]
    lateral = bone & (away[:, None, :] > _LATERAL_MM)
    behind = (y[None, :] - line[:, :1]) * mm[1] > 0.0
    ring = bone & ((away > 48.0) & (away < 70.0))[:, None, :] & behind[:, :, None]
    return lateral, ring.sum(axis=(1, 2)) * mm[1] * mm[2]


def _crest(lateral: Mask, line: Floats, mm: tuple[float, float, float]) -> int | None:
    """The highest slice of the pelvis: of the lateral bones those that are large and reach low on both sides."""
    tops = []
    columns = np.arange(lateral.shape[2])
    for side in (-1, 1):
        half = lateral & (side * (columns[None, :] - line[:, 1:]) > 0)[:, None, :]
        parts, count = ndimage.label(half, np.ones((3, 3, 3)))
        if not count:
            continue
        sizes = ndimage.sum_labels(half, parts, np.arange(1, count + 1)) * float(np.prod(mm)) / 1000.0
        largest = int(sizes.argmax())
        where = np.flatnonzero((parts == largest + 1).any(axis=(1, 2)))
        # A rib passes through a slice in a spot; the wing of the pelvis fills more of it the lower one looks.
        low = (parts[where[0]] == largest + 1).sum() * mm[1] * mm[2]
        if sizes[largest] > 12.0 and where[0] <= 0.25 * len(line) and low > 250.0:
            tops.append(int(where[-1]))
    return min(tops) if len(tops) == 2 else None


def _sacrum(ala: Floats, slice_mm: float) -> int:
    """The highest slice of the sacrum's wings."""
    wings = ndimage.gaussian_filter1d(ala, 3.0 / slice_mm, mode="nearest") > _WING
    runs, count = ndimage.label(wings)
    for run in range(1, count + 1):
        where = np.flatnonzero(runs == run)
        if len(where) * slice_mm >= 12.0:
            return int(where[-1])
    raise Refused(
        "no sacrum in these images",
        "lumbar vertebrae are counted from it; without it the third is a guess",
        "scan down to the pelvis, or give level_mm or a region named L3",
    )


def _discs(near: Floats, top: int, slice_mm: float) -> list[int]:
    """The chain of minima above the sacrum whose steps fit a spine and that lie deepest in what is about them."""
    at = np.arange(0.0, (len(near) - 1) * slice_mm + 0.5)  # millimetre by millimetre
    fine = ndimage.gaussian_filter1d(np.interp(at, np.arange(len(near)) * slice_mm, near), 2.0, mode="nearest")
    wall = np.minimum(
        ndimage.maximum_filter1d(fine, 17, origin=8, mode="nearest"),
        ndimage.maximum_filter1d(fine, 17, origin=-8, mode="nearest"),
    )
    # The middle of a body is hollow, too, but its rim stays: what is emptier than usual is the likelier a disc.
    depth = (wall - fine) * np.clip(1.0 - fine / max(float(np.median(fine)), 1e-3), 0.15, 1.0)
    lowest = fine <= ndimage.minimum_filter1d(fine, 17, mode="nearest") + 1e-9
    found = [int(k) for k in np.flatnonzero(lowest & (depth > 0.12 * np.percentile(depth, 98.0)))]
    found = [k for k, before in zip(found, [-99, *found], strict=False) if k - before > 4]
    height = top * slice_mm
    # The disc at the sacrum stands oblique to everything and may not show: then the sacrum's top takes its place.
    starts = [k for k in found if -10.0 <= k - height <= 20.0]
    bare = round(height + 5.0)
    chains = [_chain([k], [m for m in found if m > k], depth, float(depth[k])) for k in starts]
    chains.append(_chain([bare], [m for m in found if m > bare], depth, 0.0))
    best = max(chains, key=lambda one: one[1])[0]
    return [round(k / slice_mm) for k in best]


def _chain(chain: list[int], found: list[int], depth: Floats, now: float) -> tuple[list[int], float]:
    """The best way on from a chain of discs: depth counts for it, steps unlike the one before against it."""
    best, most = chain, now
    if len(chain) == _MOST_DISCS:
        return best, most
    before = chain[-1] - chain[-2] if len(chain) > 1 else None
    for k in found:
        step = k - chain[-1]
        if _STEP_MM[0] <= step <= _STEP_MM[1] and (before is None or abs(step - before) < 0.35 * before):
            on, total = _chain([*chain, k], [m for m in found if m > k], depth, float(depth[k]))
            unlike = 0.5 * abs(step - _USUAL_MM) if before is None else float(abs(step - before))
            total += now - 0.005 * unlike
            if total > most:
                best, most = on, total
    return best, most


def _rib(medial: Floats, crest: int | None, slice_mm: float) -> int | None:
    """The lowest slice above the pelvis in which bone lies 48 to 70 mm beside and behind the vertebral body."""
    start = 0 if crest is None else crest + 1
    there = medial[start:] > 30.0
    runs, count = ndimage.label(there)
    for run in range(1, count + 1):
        where = np.flatnonzero(runs == run)
        if len(where) * slice_mm >= 8.0:
            return int(where[0]) + start
    return None


def _sure(index: int, step: float, discs: list[int], crest: int | None, rib: int | None) -> tuple[float, str]:
    """Certainty and reasons.

    Raises:
        Refused: when a witness contradicts the count by a whole vertebra.
    """
    steps = np.diff(discs[:5])
    even = 1.0 - min(1.0, float(np.std(steps) / np.mean(steps)) / 0.3)
    said, certainty = [f"{len(discs)} discs from the sacrum, steps even to {100 * even:.0f} %"], 0.5 + 0.2 * even
    if crest is not None:
        off = (index - crest) / step
        said.append(f"the iliac crest ends {off:.1f} vertebrae below")
        if not -0.3 <= off <= 3.0:
            raise Refused(
                f"an iliac crest {off:.1f} vertebrae below the third from the sacrum",
                "it reaches to the fourth lumbar vertebra: the count is wrong, or the person has another number",
                "count by hand and give level_mm",
            )
        certainty += 0.15 if 0.4 <= off <= 2.3 else 0.0
    if rib is not None:
        off = (rib - index) / step
        said.append(f"the last rib leaves the spine {off:.1f} vertebrae above")
        if not 2.0 <= off <= 3.4:
            raise Refused(
                f"a last rib that leaves the spine {off:.1f} vertebrae above the third from the sacrum",
                "it leaves at T12: there may be four or six lumbar vertebrae, or a short last rib",
                "count by hand and give level_mm",
            )
        certainty += 0.15 if 2.2 <= off <= 3.1 else 0.0
    if crest is None and rib is None:
        said.append("neither ribs nor iliac crests bear witness")
    return float(min(1.0, certainty)), "; ".join(said)
