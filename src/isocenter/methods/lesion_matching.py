"""Which lesion of today is which lesion of then: matching by place and overlap, with splits and merges as events.

Both sets lie in one space: the images were registered before, or share a frame of reference. Pairs are chosen together
and not one by one, so that no lesion takes another's partner (Kuhn-Munkres assignment on overlap and distance). Lesions
are given as boolean masks on one grid; sizes come from the masks, so that what is matched is what is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["Link", "Spot", "Track", "doubling_time_days", "match", "seen_in", "spot", "tracks"]

_PIECE = 0.6  # of each part must lie in the whole, brought to one centre: one that came up beside it seldom does

Event = Literal["same", "new", "gone", "split", "merged"]


@dataclass(frozen=True, eq=False)
class Spot:
    """A lesion as far as matching needs it.

    Args:
        centre_mm: (3,) centroid in patient space.
        volume_ml: by counting voxels.
        cells: (n, 3) cells of a common lattice that it fills, each once.
        tracking: by which whoever outlined it knows it at all times; empty where it has none.
    """

    centre_mm: npt.NDArray[np.float64]
    volume_ml: float
    cells: npt.NDArray[np.int64]
    tracking: str = ""

    @property
    def radius_mm(self) -> float:
        """Of a ball of its volume."""
        return float((3000.0 * self.volume_ml / (4 * np.pi)) ** (1 / 3))


def spot(
    mask: npt.NDArray[np.bool_],
    to_patient: npt.NDArray[np.float64],
    *,
    lattice_mm: float | None = None,
    tracking: str = "",
) -> Spot:
    """A lesion from its mask.

    Args:
        mask: (slices, rows, columns).
        to_patient: (4, 4) affine from index to the millimetres of the space in which lesions are matched.
        lattice_mm: size of the cells in which overlap is counted, for lesions on different grids: at least the largest
            distance of voxels in any of them. None when all masks lie on one grid.
        tracking: see `Spot`.

    Raises:
        Refused: for an empty mask.
    """
    voxels = np.argwhere(mask)
    if not len(voxels):
        raise Refused("a lesion without voxels", "it has no place to be matched by", "outline it on this image")
    places = voxels @ to_patient[:3, :3].T + to_patient[:3, 3]
    volume = len(voxels) * float(abs(np.linalg.det(to_patient[:3, :3]))) / 1000.0
    cells = voxels if lattice_mm is None else np.unique(np.floor(places / lattice_mm).astype(np.int64), axis=0)
    return Spot(np.asarray(places.mean(0), np.float64), volume, cells.astype(np.int64), tracking)


@dataclass(frozen=True)
class Link:
    """What became of lesions: places in the lists of then and now.

    ``same`` one and one; ``split`` one then, several now; ``merged`` several then, one now; ``new`` and ``gone`` one
    side only. `sure` is False when another pairing would have been nearly as good, or a piece was told by its shape and
    not by where it lies: a person confirms it.
    """

    event: Event
    before: tuple[int, ...]
    now: tuple[int, ...]
    sure: bool = True


def match(before: Sequence[Spot], now: Sequence[Spot], *, reach_mm: float = 10.0) -> tuple[Link, ...]:
    """Match lesions of two time points.

    Args:
        before, now: lesions in one space.
        reach_mm: the error of registration and breathing. Lesions may be the same when they overlap, or when their
            centres are nearer than this plus half the larger radius. What bears one tracking at both times is the
            same wherever it lies, but where another lesion lies at its place: then lesions were numbered anew.

    Returns:
        links in the order of the earlier lesions, new ones last. Every lesion is in exactly one.

    Raises:
        Refused: for a reach that is not positive.
    """
    if not reach_mm > 0:
        raise Refused(
            f"a reach of {reach_mm:g} mm", "it is the error of registration, above zero", "give millimetres above zero"
        )
    if not before or not now:
        return (
            *(Link("gone", (i,), ()) for i in range(len(before))),
            *(Link("new", (), (j,)) for j in range(len(now))),
        )
    shared = _shared(before, now)
    apart = np.linalg.norm(np.array([s.centre_mm for s in before])[:, None] - [s.centre_mm for s in now], axis=-1)
    larger = np.maximum.outer([s.radius_mm for s in before], [s.radius_mm for s in now])
    allowed = (shared > 0) | (apart <= reach_mm + 0.5 * larger)
    cost = _cost(before, now, shared, apart, larger, reach_mm)
    for i, j in _known(before, now):
        if allowed[i, j] or not (shared[i].any() or shared[:, j].any()):
            allowed[i], allowed[:, j], allowed[i, j] = False, False, True
            cost[i, j] = 0.0
    pairs = _assigned(cost, allowed)
    return _linked(before, now, shared, apart, allowed, pairs, reach_mm)


def _known(before: Sequence[Spot], now: Sequence[Spot]) -> list[tuple[int, int]]:
    """Lesions whose tracking stands once at both times."""
    then, since = ([s.tracking for s in of] for of in (before, now))
    return [(then.index(t), j) for j, t in enumerate(since) if t and then.count(t) == 1 and since.count(t) == 1]


def _shared(before: Sequence[Spot], now: Sequence[Spot]) -> npt.NDArray[np.float64]:
    """(before, now) cells in common."""
    counts = np.zeros((len(before), len(now)))
    lows = [(s.cells.min(0), s.cells.max(0)) for s in (*before, *now)]
    keys = [_keys(s.cells) for s in (*before, *now)]
    for i in range(len(before)):
        for j in range(len(now)):
            (a, b), (c, d) = lows[i], lows[len(before) + j]
            if (a <= d).all() and (c <= b).all():
                counts[i, j] = len(np.intersect1d(keys[i], keys[len(before) + j], assume_unique=True))
    return counts


def _keys(cells: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.asarray((cells[:, 0] << 42) + (cells[:, 1] << 21) + cells[:, 2])


def _cost(
    before: Sequence[Spot],
    now: Sequence[Spot],
    shared: npt.NDArray[np.float64],
    apart: npt.NDArray[np.float64],
    larger: npt.NDArray[np.float64],
    reach_mm: float,
) -> npt.NDArray[np.float64]:
    """0 for the same voxels, about 1 at the edge of reach without overlap; unlike sizes cost a little more."""
    sizes_a, sizes_b = (np.array([len(s.cells) for s in of], float) for of in (before, now))
    dice = 2 * shared / (sizes_a[:, None] + sizes_b)
    unlike = np.abs(np.log(np.array([s.radius_mm for s in before])[:, None] / [s.radius_mm for s in now]))
    return np.asarray(0.5 * (1 - dice) + 0.5 * apart / (reach_mm + 0.5 * larger) + 0.1 * unlike)


def _assigned(cost: npt.NDArray[np.float64], allowed: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment

    forbidden = 1e6
    rows, columns = linear_sum_assignment(np.where(allowed, cost, forbidden))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if allowed[i, j]]


def _linked(
    before: Sequence[Spot],
    now: Sequence[Spot],
    shared: npt.NDArray[np.float64],
    apart: npt.NDArray[np.float64],
    allowed: npt.NDArray[np.bool_],
    pairs: list[tuple[int, int]],
    reach_mm: float,
) -> tuple[Link, ...]:
    partner_of, owner_of = dict(pairs), {j: i for i, j in pairs}
    # A leftover that lies mostly in a lesion of the other time is a piece of it.
    pieces: dict[int, list[int]] = {}
    for j in range(len(now)):
        i = int(shared[:, j].argmax())
        if j not in owner_of and i in partner_of and shared[i, j] >= 0.5 * len(now[j].cells):
            pieces.setdefault(i, []).append(j)
    parents: dict[int, list[int]] = {}
    for i in range(len(before)):
        j = int(shared[i].argmax())
        if i not in partner_of and j in owner_of and shared[i, j] >= 0.5 * len(before[i].cells):
            parents.setdefault(j, []).append(i)
    # Or one that does once both are brought to one centre: a small displacement takes small pieces out of the whole.
    doubtful: set[tuple[int, int]] = set()
    for i, j in pairs:
        loose = [k for k in range(len(now)) if k not in owner_of and all(k not in g for g in pieces.values())]
        for k in _near(before[i], now, loose, reach_mm) if j not in parents else []:
            if _makes_up(before[i], [now[p] for p in (j, *pieces.get(i, ()), k)], reach_mm):
                pieces.setdefault(i, []).append(k)
                doubtful.add((i, j))
        loose = [k for k in range(len(before)) if k not in partner_of and all(k not in g for g in parents.values())]
        for k in _near(now[j], before, loose, reach_mm) if i not in pieces else []:
            if _makes_up(now[j], [before[p] for p in (i, *parents.get(j, ()), k)], reach_mm):
                parents.setdefault(j, []).append(k)
                doubtful.add((i, j))
    taken_now = {j for group in pieces.values() for j in group}
    taken_before = {i for group in parents.values() for i in group}
    links: list[Link] = []
    for i in range(len(before)):
        if i in taken_before:
            continue
        if i not in partner_of:
            links.append(Link("gone", (i,), ()))
            continue
        j = partner_of[i]
        if i in pieces:
            links.append(Link("split", (i,), (j, *pieces[i]), (i, j) not in doubtful))
        elif j in parents:
            links.append(Link("merged", tuple(sorted((i, *parents[j]))), (j,), (i, j) not in doubtful))
        else:
            links.append(Link("same", (i,), (j,), _is_sure(i, j, shared, apart, allowed)))
    links += [Link("new", (), (j,)) for j in range(len(now)) if j not in owner_of and j not in taken_now]
    return tuple(links)


def _near(whole: Spot, others: Sequence[Spot], left: Sequence[int], reach_mm: float) -> list[int]:
    """Those of the lesions left over that could be pieces of one, the nearest first."""
    away = {k: float(np.linalg.norm(others[k].centre_mm - whole.centre_mm)) for k in left}
    return sorted((k for k in left if away[k] <= reach_mm + 2.0 * whole.radius_mm), key=lambda k: away[k])


def _makes_up(whole: Spot, parts: Sequence[Spot], reach_mm: float) -> bool:
    """Whether parts, moved together to the centre of a whole within reach, lie mostly in it each."""
    together = _together(parts)
    if np.linalg.norm(together.centre_mm - whole.centre_mm) > reach_mm:
        return False
    move = np.rint(whole.cells.mean(0) - together.cells.mean(0)).astype(np.int64)
    inside = _keys(whole.cells)
    held = [len(np.intersect1d(_keys(p.cells + move), inside, assume_unique=True)) / len(p.cells) for p in parts]
    return min(held) >= _PIECE


def _is_sure(
    i: int, j: int, shared: npt.NDArray[np.float64], apart: npt.NDArray[np.float64], allowed: npt.NDArray[np.bool_]
) -> bool:
    """Overlap with no rival, or far nearer than any rival in reach."""
    rivals = [apart[k, j] for k in np.flatnonzero(allowed[:, j]) if k != i]
    rivals += [apart[i, k] for k in np.flatnonzero(allowed[i]) if k != j]
    if not rivals:
        return True
    return bool(shared[i, j] > 0 and apart[i, j] <= 0.5 * min(rivals))


@dataclass(frozen=True)
class Track:
    """One lesion through all time points.

    Args:
        at: for each time point the places in its list; empty where it is not seen, several after a split.
        began: time point at which it is first seen.
        merged_into: number of the track that it has grown together with, or None; `merged_at`: the time point.
        sure: whether every link of it is.
    """

    at: tuple[tuple[int, ...], ...]
    began: int
    merged_into: int | None = None
    sure: bool = True
    merged_at: int | None = None


def seen_in(followed: Sequence[Track], number: int, k: int) -> int | None:
    """The track in which a lesion is seen at a time: itself, the one that it has grown together with, or none."""
    track = followed[number]
    if track.at[k]:
        return number
    if track.merged_into is None or (track.merged_at is not None and k < track.merged_at):
        return None
    return seen_in(followed, track.merged_into, k)


def tracks(times: Sequence[Sequence[Spot]], *, reach_mm: Sequence[float]) -> tuple[Track, ...]:
    """Follow lesions through time points: the first one's, then new ones as they come.

    A lesion that is not seen at one time keeps its last place and may be seen again.

    Args:
        times: lesions of each time point, the oldest first, all in one space.
        reach_mm: of each step, one fewer than time points (see `match`).

    Raises:
        Refused: for fewer than two time points, or as many reaches as do not fit.
    """
    if len(times) < 2 or len(reach_mm) != len(times) - 1:
        raise Refused(
            f"{len(times)} time points with {len(reach_mm)} reaches",
            "each step needs one, and two times",
            "give one reach for each step from time to time",
        )
    at: list[list[tuple[int, ...]]] = [[(i,)] for i in range(len(times[0]))]
    last = list(times[0])
    merged: dict[int, tuple[int, int]] = {}
    doubtful: set[int] = set()
    for step, (spots, reach) in enumerate(zip(times[1:], reach_mm, strict=True), start=1):
        alive = [n for n in range(len(at)) if n not in merged]
        for row in at:
            row.append(())
        for link in match([last[n] for n in alive], spots, reach_mm=reach):
            if link.event == "new":
                at.append([()] * step + [link.now])
                last.append(spots[link.now[0]])
                continue
            owners = sorted((alive[k] for k in link.before), key=lambda n: (-last[n].volume_ml, n))
            if link.now:
                at[owners[0]][step] = link.now
                last[owners[0]] = _together([spots[j] for j in link.now])
            merged.update(dict.fromkeys(owners[1:], (owners[0], step)))
            doubtful.update(owners if not link.sure else ())
    began = [next(n for n, seen in enumerate(row) if seen) for row in at]
    return tuple(
        Track(tuple(row), first, into, n not in doubtful, step)
        for n, (row, first) in enumerate(zip(at, began, strict=True))
        for into, step in [merged.get(n, (None, None))]
    )


def _together(spots: Sequence[Spot]) -> Spot:
    volume = sum(s.volume_ml for s in spots)
    centre = sum(s.centre_mm * s.volume_ml for s in spots) / volume
    cells = np.unique(np.concatenate([s.cells for s in spots]), axis=0)
    return Spot(np.asarray(centre), volume, cells, spots[0].tracking)


def doubling_time_days(before_ml: float, now_ml: float, days: float) -> float:
    """Volume doubling time: days·ln 2 / ln(now/before). Negative when it shrinks: the halving time.

    Raises:
        Refused: for volumes or days that are not positive, or a volume that did not change, which never doubles.

    >>> round(doubling_time_days(1.0, 4.0, 100.0), 6)
    50.0
    """
    if not (before_ml > 0 and now_ml > 0 and days > 0):
        raise Refused(
            f"{before_ml:g} mL, then {now_ml:g} mL after {days:g} days",
            "growth needs two sizes and a time",
            "give both sizes and the days between",
        )
    if before_ml == now_ml:
        raise Refused(f"{before_ml:g} mL both times", "what does not grow never doubles", "take a later study")
    return float(days * np.log(2) / np.log(now_ml / before_ml))
