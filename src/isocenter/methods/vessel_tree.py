"""A tree of vessels in numbers: length of its centre line, branches, radius, tortuosity, fractal dimension.

The mask is thinned to a line of voxels; the shortest tree that joins neighbouring voxels of it (26 neighbours,
millimetres) has neither loops nor corners counted twice. Ends shorter than the vessel is wide are no branches. Voxels
follow an oblique vessel in steps, which are up to 8 % longer than it: lengths are those of the smoothed ways.

Sources: Lee, Kashyap & Chu, CVGIP 56 (1994) 462 (thinning); Mandelbrot 1982 (box counting).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from skimage.morphology import skeletonize

from isocenter.errors import Refused

__all__ = ["Tree", "box_dimension", "tree_of"]

Mask = npt.NDArray[np.bool_]

_SMOOTHED = 7  # voxels of a way that are averaged


@dataclass(frozen=True, eq=False)
class Tree:
    """What a tree of vessels measures.

    Args:
        length_mm: of the centre line.
        branch_points: where three ways or more meet; of several that lie nearer than the vessel's radius, one.
        ends: free ends.
        radius_mm: of the mask, mean over the centre line.
        tortuosity: path over chord of the ways between branch points and ends, mean weighted by path; 1 is straight.
        line: (slices, rows, columns) the centre line.
        ways: (n, 3) voxels of each way between branch points and ends. ways_mm: how long it is.
    """

    length_mm: float
    branch_points: int
    ends: int
    radius_mm: float
    tortuosity: float
    line: Mask
    ways: tuple[npt.NDArray[np.int64], ...] = ()
    ways_mm: tuple[float, ...] = ()


def tree_of(mask: Mask, spacing_mm: tuple[float, float, float]) -> Tree:
    """Measure a mask of vessels.

    Raises:
        Refused: for an empty mask.
    """
    if not mask.any():
        raise Refused("a mask without voxels", "there is no tree in it", "take a lower threshold, or another phase")
    radius = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    line = _thinned(mask, radius, spacing_mm)
    places = np.argwhere(line)
    graph = _joined(line, places, np.array(spacing_mm))
    graph = _without_spurs(graph, radius[line])
    kept = np.asarray(graph.getnnz(axis=1)).ravel() > 0
    degree = np.asarray(graph.getnnz(axis=1)).ravel()
    ways = _ways(graph, degree)
    mm = places * np.array(spacing_mm)
    paths = np.array([_smooth_mm(mm[way]) for way, _ in ways])
    chords = np.array([np.linalg.norm(mm[way[0]] - mm[way[-1]]) for way, _ in ways])
    good = chords > 2 * max(spacing_mm)
    bent = float((paths[good] ** 2 / chords[good]).sum() / paths[good].sum()) if good.any() else 1.0
    left = np.zeros_like(line)
    left[tuple(places[kept].T)] = True
    return Tree(
        float(paths.sum()), _branch_points(ways, degree, radius[line]), int((degree == 1).sum()),
        float(radius[left].mean()) if left.any() else float(radius.max()), bent, left,
        tuple(places[way] for way, _ in ways), tuple(float(path) for path in paths),
    )  # fmt: skip


def _thinned(mask: Mask, radius: npt.NDArray[np.float64], spacing_mm: tuple[float, float, float]) -> Mask:
    """The centre line of every part.

    The thinning deletes limbs that are an even number of voxels wide and symmetric altogether; a part with voxels
    farther from its line than twice the part's radius is thinned once more, a voxel wider to one side.
    """
    line = np.asarray(skeletonize(mask), bool)
    labels, count = ndimage.label(mask, np.ones((3, 3, 3), bool))
    far = ndimage.distance_transform_edt(~line, sampling=spacing_mm) if line.any() else np.full(mask.shape, np.inf)
    parts = np.arange(1, count + 1)
    lacking = ndimage.maximum(far, labels, parts) > 2.0 * ndimage.maximum(radius, labels, parts) + max(spacing_mm)
    if lacking.any():
        lost = np.isin(labels, parts[lacking])
        wider = lost.copy()
        wider[:, 1:] |= lost[:, :-1]
        wider[:, :, 1:] |= wider[:, :, :-1]
        again = np.asarray(skeletonize(wider), bool) & lost
        line = np.where(lost, again, line)
    return line


def _joined(line: Mask, places: npt.NDArray[np.int64], spacing: npt.NDArray[np.float64]) -> csr_matrix:
    """The shortest tree over the voxels of the line, symmetric."""
    number = np.full(np.array(line.shape) + 2, -1, np.int64)
    number[tuple((places + 1).T)] = np.arange(len(places))
    rows, columns, lengths = [], [], []
    for step in np.ndindex(3, 3, 3):
        move = np.array(step) - 1
        if tuple(move) <= (0, 0, 0):
            continue
        other = number[tuple((places + 1 + move).T)]
        has = other >= 0
        rows.append(np.flatnonzero(has))
        columns.append(other[has])
        lengths.append(np.full(int(has.sum()), float(np.linalg.norm(move * spacing))))
    flat = (np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns)))
    tree = minimum_spanning_tree(coo_matrix(flat, shape=(len(places),) * 2).tocsr())
    return csr_matrix(tree + tree.T)


def _ways(graph: csr_matrix, degree: npt.NDArray[np.int64]) -> list[tuple[list[int], float]]:
    """Each way between two voxels of other than two neighbours: its voxels from end to end, and its length in steps."""
    starts, to, length = graph.indptr, graph.indices, graph.data
    found = []
    for start in np.flatnonzero((degree != 2) & (degree > 0)):
        for k in range(starts[start], starts[start + 1]):
            way, path = [int(start), int(to[k])], float(length[k])
            while degree[way[-1]] == 2:
                pair = slice(starts[way[-1]], starts[way[-1] + 1])
                n = 0 if to[pair][0] != way[-2] else 1
                path += float(length[pair][n])
                way.append(int(to[pair][n]))
            if way[-1] >= start:
                found.append((way, path))
    return found


def _branch_points(
    ways: list[tuple[list[int], float]], degree: npt.NDArray[np.int64], radius: npt.NDArray[np.float64]
) -> int:
    """Thinning parts a crossing of four ways into two forks, which lie within the vessel: they are one place."""
    forks = {int(v): n for n, v in enumerate(np.flatnonzero(degree >= 3))}
    near = [
        (forks[way[0]], forks[way[-1]])
        for way, path in ways
        if way[0] in forks and way[-1] in forks and path <= max(radius[way[0]], radius[way[-1]])
    ]
    if not near:
        return len(forks)
    pairs = np.array(near)
    joined = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(forks),) * 2)
    return int(connected_components(joined, directed=False)[0])


def _smooth_mm(line: npt.NDArray[np.float64]) -> float:
    """Length of a line of voxel centres (n, 3), each averaged with its neighbours; the ends stay where they are."""
    half = min(_SMOOTHED // 2, (len(line) - 1) // 2)
    if half:
        before, after = 2 * line[0] - line[half:0:-1], 2 * line[-1] - line[-2 : -half - 2 : -1]
        summed = np.cumsum(np.concatenate([np.zeros((1, 3)), before, line, after]), axis=0)
        line = (summed[2 * half + 1 :] - summed[: -2 * half - 1]) / (2 * half + 1)
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


def _without_spurs(graph: csr_matrix, radius: npt.NDArray[np.float64]) -> csr_matrix:
    """Ends that are shorter than the vessel they leave is wide are taken away, one by one."""
    for _ in range(50):
        degree = np.asarray(graph.getnnz(axis=1)).ravel()
        short = []
        for way, path in _ways(graph, degree):
            end, root = (way[0], way[-1]) if degree[way[0]] == 1 else (way[-1], way[0])
            if degree[end] == 1 and degree[root] >= 3 and path < 1.5 * radius[root] + 1e-9:
                short.append((path, end, root))
        if not short:
            return graph
        _, end, root = min(short)
        off = [end]
        while degree[off[-1]] <= 2 and off[-1] != root:
            near = graph.indices[graph.indptr[off[-1]] : graph.indptr[off[-1] + 1]]
            following = [int(v) for v in near if len(off) < 2 or v != off[-2]]
            off.append(following[0])
        keep = np.ones(graph.shape[0])
        keep[off[:-1]] = 0.0
        held = coo_matrix(graph)
        alive = (keep[held.row] > 0) & (keep[held.col] > 0)
        graph = csr_matrix((held.data[alive], (held.row[alive], held.col[alive])), shape=graph.shape)
    return graph


def box_dimension(mask: Mask) -> float:
    """Fractal dimension by box counting: slope of log boxes over log 1 / size, sizes 1, 2, 4, … to a quarter of it.

    A line has 1, a plane 2, a solid 3. Voxels should be cubes.

    Raises:
        Refused: for a mask that is shorter than 16 voxels.

    >>> round(box_dimension(np.ones((1, 32, 32), bool)), 6)
    2.0
    """
    places = np.argwhere(mask)
    extent = int(np.ptp(places, axis=0).max()) + 1 if len(places) else 0
    if extent < 16:
        raise Refused(
            f"a mask {extent} voxels long",
            "too small to count boxes of several sizes",
            "choose larger vessels or smaller voxels",
        )
    # Boxes beyond a quarter of the whole are so few that they say more of their place than of the shape.
    sizes = 2 ** np.arange(int(np.log2(extent / 4)) + 1)
    places = places - places.min(axis=0)
    counts = [len(np.unique(places // size, axis=0)) for size in sizes]
    return float(-np.polyfit(np.log(sizes), np.log(counts), 1)[0])
