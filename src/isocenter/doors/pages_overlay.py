"""Where a finding lies on one image: contours in its pixels.

A finding is kept in patient space on the grid on which it was computed. The browser shows one image of some series.
What joins them is the affine of that image itself, so that a contour is right on any series of the same frame of
reference, and is refused on any other. Pixel coordinates are (column, row); whole numbers are centres of pixels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space import Geometry, Reference, Region, Shape

__all__ = ["contours", "crossed"]

Contours = list[list[tuple[float, float]]]


def contours(region: Region, image: Geometry, *, sop_uid: str, series_uid: str = "") -> Contours:
    """The outline of a region on one image; empty where it does not touch it.

    Args:
        region: of a finding.
        image: the grid of the image: one slice.
        sop_uid, series_uid: which image that is.

    Returns:
        lists of (column, row); closed outlines end where they begin.

    Raises:
        Refused: region and image share no space.
    """
    onto = _shared(region, image, sop_uid, series_uid)
    if onto is None:
        return []
    if region.shape is Shape.MASK:
        return _outline(region, onto)
    assert region.points_mm is not None
    index = onto.to_index(region.points_mm)
    if region.shape is Shape.BOX:
        return _box(region, onto)
    if np.abs(index[:, 0]).max() > 0.5 + 1e-6:
        return []
    points = index[:, [2, 1]]
    if region.shape is Shape.ELLIPSE:
        points = _ellipse(points)
    if region.shape in (Shape.POLYGON, Shape.ELLIPSE):
        points = np.vstack([points, points[:1]])
    return [_rounded(points)]


def crossed(region: Region, planes: dict[str, Geometry]) -> list[str]:
    """Which images of a series a region crosses, by SOP Instance UID, in the order given.

    Args:
        planes: image -> its grid, for images of the region's own series.
    """
    if region.instance_uid:
        return [region.instance_uid]
    if len(planes) < 2:
        return list(planes)
    if region.geometry.reference is not Reference.PATIENT or (region.mask is not None and not region.voxels):
        return []
    affines = np.stack([plane.affine for plane in planes.values()])
    points = _depth_points(region)
    points = np.column_stack([points, np.ones(len(points))])
    depth = np.linalg.inv(affines)[:, 0] @ points.T  # (images, points), in steps of each image
    between = (depth.min(axis=1) <= 0.5) & (depth.max(axis=1) >= -0.5)
    if region.mask is not None:
        # For a mask every voxel plane counts by itself, so that a gap between two parts is a gap.
        steps = np.linalg.norm(affines[:, :3, 0], axis=1)
        half = np.maximum(0.5, 0.5 * region.geometry.spacing_mm[0] / steps)
        near = (np.abs(depth) <= half[:, None] + 1e-6).any(axis=1)
        between = np.where(_parallel(region.geometry, affines), near, between)
    return [uid for uid, inside in zip(planes, between, strict=True) if inside]


# ---- the common space


def _shared(region: Region, image: Geometry, sop_uid: str, series_uid: str) -> Geometry | None:
    """The image's grid in the region's coordinates; None where the region is drawn on another image."""
    if region.instance_uid and region.geometry.reference is not Reference.PATIENT:
        if region.instance_uid != sop_uid:
            return None
        return _in_space(region.geometry, image, True)
    same = bool(region.series_uid) and region.series_uid == series_uid
    if region.instance_uid and region.instance_uid != sop_uid and region.shape is not Shape.MASK and same:
        return None  # a mark that a person drew on one image of this series belongs to that image
    return _in_space(region.geometry, image, same or region.instance_uid == sop_uid != "")


def _in_space(grid: Geometry, image: Geometry, own: bool) -> Geometry:
    """The image's grid, when positions in both mean the same.

    Args:
        own: the grid was made from this very image or its series, so that no frame of reference has to vouch for it.
    """
    if grid.reference is Reference.PATIENT and image.reference is Reference.PATIENT:
        if not own or (grid.frame_of_reference and image.frame_of_reference):
            grid.must_share_frame(image)
        return image
    if own and grid.reference is image.reference:
        return image  # the same plane, in its own millimetres or pixels
    if own and grid.shape[1:] == image.shape[1:]:
        # Pixel for pixel: the image's own grid as the analysis saw it, without patient space.
        return Geometry(grid.affine, (1, image.shape[1], image.shape[2]), grid.frame_of_reference, grid.reference)
    raise Refused(
        "an image without patient coordinates",
        "it can only carry what was made from it, pixel for pixel",
        "look at the finding on its own image",
    )


def _pixels_in(grid: Geometry, image: Geometry) -> npt.NDArray[np.float64]:
    """(3, rows, columns): for each pixel centre its fractional index in a grid."""
    steps = np.linalg.inv(grid.affine) @ image.affine
    row, column = np.meshgrid(np.arange(image.shape[1]), np.arange(image.shape[2]), indexing="ij")
    where: npt.NDArray[np.float64] = (
        steps[:3, 1, None, None] * row + steps[:3, 2, None, None] * column + steps[:3, 3, None, None]
    )
    return where


# ---- outlines


def _outline(region: Region, image: Geometry) -> Contours:
    from skimage.measure import find_contours

    assert region.mask is not None
    where = _pixels_in(region.geometry, image)
    index = np.floor(where + 0.5 + 1e-6).astype(np.int64)  # a pixel just between two voxels always takes the same one
    limits = np.array(region.geometry.shape)[:, None, None]
    inside = np.all((index >= 0) & (index < limits), axis=0)
    slices, rows, columns = (np.where(inside, part, 0) for part in index)
    hit = region.mask[slices, rows, columns] & inside
    if not hit.any():
        return []
    # A rim of background closes outlines that run along the edge of the image.
    lines = find_contours(np.pad(hit, 1).astype(np.float64), 0.5)
    return [_rounded(line[:, ::-1] - 1.0) for line in lines]


def _box(region: Region, image: Geometry) -> Contours:
    """The section of a box with the image plane: the box stands on the axes of its own grid."""
    assert region.points_mm is not None
    ends = region.geometry.to_index(region.points_mm[:2])
    low, high = ends.min(axis=0), ends.max(axis=0)
    if high[0] - low[0] < 1e-6:  # drawn in one plane: it has the thickness of that plane
        low[0], high[0] = low[0] - 0.5, high[0] + 0.5
    corners = np.array([(s, r, c) for s in (low[0], high[0]) for r in (low[1], high[1]) for c in (low[2], high[2])])
    at = image.to_index(region.geometry.to_patient(corners))
    cut = []
    for a in range(8):
        for bit in (1, 2, 4):
            b = a | bit
            if b == a:
                continue
            da, db = at[a, 0], at[b, 0]
            if da * db <= 0 and da != db:
                cut.append(at[a] + (at[b] - at[a]) * (da / (da - db)))
    if len(cut) < 3:
        return []
    points = np.unique(np.round(np.array(cut)[:, [2, 1]], 6), axis=0)
    around = points - points.mean(axis=0)
    points = points[np.argsort(np.arctan2(around[:, 1], around[:, 0]))]
    return [_rounded(np.vstack([points, points[:1]]))]


def _ellipse(ends: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """64 points of an ellipse from the ends of its long, then of its short axis."""
    centre = ends[:4].mean(axis=0)
    long, short = (ends[1] - ends[0]) / 2, (ends[3] - ends[2]) / 2
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, None]
    points: npt.NDArray[np.float64] = centre + np.cos(turn) * long + np.sin(turn) * short
    return points


def _rounded(points: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    return [(round(float(c), 3), round(float(r), 3)) for c, r in points]


# ---- depth


def _depth_points(region: Region) -> npt.NDArray[np.float64]:
    """Points whose depths tell which planes a region crosses: a mask's slices, or corners."""
    if region.mask is None:
        assert region.points_mm is not None
        return region.points_mm
    (s0, r0, c0), (s1, r1, c1) = region.bounds
    filled = np.flatnonzero(region.mask[s0:s1].any(axis=(1, 2))) + s0
    corners = [(float(s), r, c) for s in filled for r in (r0 - 0.5, r1 - 0.5) for c in (c0 - 0.5, c1 - 0.5)]
    return region.geometry.to_patient(corners)


def _parallel(grid: Geometry, affines: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """(images,) whether rows and columns of each image lie in one plane with those of the grid."""
    own = np.cross(grid.affine[:3, 1], grid.affine[:3, 2])
    others = np.cross(affines[:, :3, 1], affines[:, :3, 2])
    same: npt.NDArray[np.bool_] = np.abs(others @ own) > 0.999 * np.linalg.norm(own) * np.linalg.norm(others, axis=1)
    return same
