"""Contours and maps stand where the finding is: to the pixel on its own image, to the millimetre on another series."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.doors import pages_section
from isocenter.doors.pages_overlay import contours, crossed
from isocenter.errors import LimitReached, Refused
from isocenter.space import Geometry, Reference, Region, Shape

FRAME = "1.2.3"
GRID = Geometry.regular(shape=(6, 16, 20), spacing_mm=(4.0, 1.0, 2.0), origin_mm=(5, -7, 30), frame_of_reference=FRAME)


def plane(grid: Geometry, k: int) -> Geometry:
    return grid.cropped((k, 0, 0), (k + 1, grid.shape[1], grid.shape[2]))


def block(grid: Geometry = GRID, **rest: str) -> Region:
    mask = np.zeros(grid.shape, dtype=bool)
    mask[2:4, 5:9, 10:14] = True
    return Region(grid, Shape.MASK, mask, series_uid="S", **rest)


def area(line: list[tuple[float, float]]) -> float:
    """Shoelace, in pixels."""
    c, r = np.array(line).T
    return abs(float(np.sum(c * np.roll(r, -1) - r * np.roll(c, -1)))) / 2


def centre(line: list[tuple[float, float]]) -> tuple[float, float]:
    c, r = np.array(line[:-1]).mean(axis=0)
    return float(c), float(r)


def box_of(line: list[tuple[float, float]]) -> tuple[float, float, float, float]:
    c, r = np.array(line).T
    return float(c.min()), float(c.max()), float(r.min()), float(r.max())


# ---- masks


@pytest.mark.parametrize("k", range(6))
def test_on_its_own_grid_the_outline_runs_half_a_pixel_around_the_mask(k: int) -> None:
    lines = contours(block(), plane(GRID, k), sop_uid="I", series_uid="S")
    if k not in (2, 3):
        assert lines == []
        return
    (line,) = lines
    assert line[0] == line[-1], "closed"
    assert box_of(line) == (9.5, 13.5, 4.5, 8.5)
    assert centre(line) == pytest.approx((11.5, 6.5), abs=0.05)


def test_an_outline_along_the_edge_of_the_image_is_closed() -> None:
    mask = np.ones(GRID.shape, dtype=bool)
    (line,) = contours(Region(GRID, Shape.MASK, mask), plane(GRID, 0), sop_uid="I")
    assert line[0] == line[-1]
    assert box_of(line) == (-0.5, 19.5, -0.5, 15.5)


def test_two_parts_and_a_hole_are_outlines_of_their_own() -> None:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[0, 2:9, 2:9] = True
    mask[0, 4:6, 4:6] = False
    mask[0, 12:14, 12:14] = True
    assert len(contours(Region(GRID, Shape.MASK, mask), plane(GRID, 0), sop_uid="I")) == 3


def test_on_a_finer_series_of_the_same_frame_the_millimetres_are_the_same() -> None:
    fine = GRID.respaced((2.0, 0.5, 0.5))
    region = block()
    hit = 0
    for k in range(fine.shape[0]):
        lines = contours(region, plane(fine, k), sop_uid="other", series_uid="T")
        if not lines:
            continue
        hit += 1
        (line,) = lines
        c0, c1, r0, r1 = box_of(line)
        corners = plane(fine, k).to_patient([(0, r0, c0), (0, r1, c1)])
        wanted = GRID.to_patient([(0, 4.5, 9.5), (0, 8.5, 13.5)])
        assert np.abs(corners[:, :2] - wanted[:, :2]).max() <= 0.26, "within half a fine pixel"
    assert hit == 4, "two slices of 4 mm are four of 2 mm"


def test_across_the_slices_a_sagittal_image_shows_the_same_block() -> None:
    # Rows run to the feet, columns to the back, at the x of the block's middle.
    x = float(GRID.to_patient((0, 0, 11.5))[0])
    sagittal = Geometry.from_dicom(
        position=(x, -7, 53.5), orientation=(0, 1, 0, 0, 0, -1), pixel_spacing=(1, 1), slice_step=(1, 0, 0),
        shape=(1, 30, 16), frame_of_reference=FRAME,
    )  # fmt: skip
    (line,) = contours(block(), sagittal, sop_uid="I2", series_uid="T")
    c0, c1, r0, r1 = box_of(line)
    low, high = sagittal.to_patient((0, r1, c0)), sagittal.to_patient((0, r0, c1))
    assert (high - low)[1:] == pytest.approx((4.0, 8.0)), "4 rows of 1 mm, 2 slices of 4 mm"
    assert low[1] == pytest.approx(-7 + 4.5)
    assert low[2] == pytest.approx(30 + 2 * 4 - 2)


@settings(deadline=None)
@given(st.floats(-40, 40), st.floats(-40, 40), st.integers(0, 2), st.booleans())
def test_law_moving_image_and_region_together_changes_no_pixel(x: float, y: float, axis: int, flip: bool) -> None:
    affine = GRID.affine.copy()
    affine[:3, 3] += (x, y, 0)
    moved = Geometry(affine, GRID.shape, FRAME)
    mask = block().mask
    assert mask is not None
    if flip:
        moved, mask = moved.flipped(axis), np.flip(mask, axis)
    here = [contours(Region(moved, Shape.MASK, mask), plane(moved, k), sop_uid="I") for k in range(6)]
    there = [contours(Region(GRID, Shape.MASK, mask), plane(GRID, k), sop_uid="I") for k in range(6)]
    assert here == there


def test_another_frame_of_reference_is_refused() -> None:
    other = Geometry(plane(GRID, 2).affine, (1, 16, 20), "9.9.9")
    with pytest.raises(Refused, match="Register"):
        contours(block(), other, sop_uid="I", series_uid="T")


def test_the_own_series_needs_no_named_frame() -> None:
    nameless = Geometry(GRID.affine, GRID.shape)
    region = Region(nameless, Shape.MASK, block().mask, series_uid="S")
    assert contours(region, plane(GRID, 2), sop_uid="I", series_uid="S")
    with pytest.raises(Refused):
        contours(region, plane(GRID, 2), sop_uid="I", series_uid="T")


def test_a_radiograph_without_patient_space_carries_its_own_findings_only() -> None:
    film = Geometry.regular(shape=(1, 16, 20), reference=Reference.PIXEL)
    mask = np.zeros(film.shape, dtype=bool)
    mask[0, 5:9, 10:14] = True
    region = Region(film, Shape.MASK, mask, series_uid="S", instance_uid="I")
    (line,) = contours(region, film, sop_uid="I", series_uid="S")
    assert box_of(line) == (9.5, 13.5, 4.5, 8.5)
    assert contours(region, film, sop_uid="J", series_uid="S") == []
    with_space = plane(GRID, 0)
    (same,) = contours(region, with_space, sop_uid="I", series_uid="S")
    assert same == line, "pixel for pixel on the image that it was made from"
    loose = Region(film, Shape.MASK, mask)
    with pytest.raises(Refused, match="own image"):
        contours(loose, film, sop_uid="K", series_uid="T")


# ---- shapes


def shape(kind: Shape, *index: tuple[float, float, float], image: str = "I") -> Region:
    return Region(GRID, kind, None, GRID.to_patient(index), series_uid="S", instance_uid=image)


def test_points_and_lines_stand_on_their_image_only() -> None:
    image = plane(GRID, 2)
    assert contours(shape(Shape.POINT, (2, 4, 7)), image, sop_uid="I", series_uid="S") == [[(7.0, 4.0)]]
    line = shape(Shape.POLYLINE, (2, 1, 1), (2, 3, 5))
    assert contours(line, image, sop_uid="I", series_uid="S") == [[(1.0, 1.0), (5.0, 3.0)]]
    triangle = shape(Shape.POLYGON, (2, 1, 1), (2, 3, 5), (2, 6, 2))
    assert contours(triangle, image, sop_uid="I", series_uid="S") == [[(1, 1), (5, 3), (2, 6), (1, 1)]]
    assert contours(triangle, plane(GRID, 3), sop_uid="I4", series_uid="S") == []
    assert contours(triangle, plane(GRID, 3), sop_uid="other", series_uid="T") == [], "another series, 4 mm away"


def test_an_ellipse_has_its_axes() -> None:
    region = shape(Shape.ELLIPSE, (2, 8, 4), (2, 8, 16), (2, 5, 10), (2, 11, 10))
    (line,) = contours(region, plane(GRID, 2), sop_uid="I", series_uid="S")
    assert box_of(line) == pytest.approx((4, 16, 5, 11))
    assert area(line) == pytest.approx(np.pi * 6 * 3, rel=0.01)


def test_a_flat_box_is_its_rectangle_and_a_deep_one_crosses_its_slices() -> None:
    flat = shape(Shape.BOX, (2, 3, 4), (2, 9, 12))
    (line,) = contours(flat, plane(GRID, 2), sop_uid="I", series_uid="S")
    assert box_of(line) == (4, 12, 3, 9)
    assert area(line) == pytest.approx(48)
    deep = Region(GRID, Shape.BOX, None, GRID.to_patient([(1, 3, 4), (4, 9, 12)]), series_uid="S")
    hit = [k for k in range(6) if contours(deep, plane(GRID, k), sop_uid=str(k), series_uid="S")]
    assert hit == [1, 2, 3, 4]


# ---- which images


def test_which_images_a_region_crosses() -> None:
    planes = {str(k): plane(GRID, k) for k in range(6)}
    assert crossed(block(), planes) == ["2", "3"]
    gap = np.zeros(GRID.shape, dtype=bool)
    gap[0, 3, 3] = gap[4, 3, 3] = True
    assert crossed(Region(GRID, Shape.MASK, gap, series_uid="S"), planes) == ["0", "4"], "a gap is a gap"
    assert crossed(shape(Shape.POINT, (2, 4, 7)), planes) == ["I"]
    free = Region(GRID, Shape.POLYLINE, None, GRID.to_patient([(0.8, 1, 1), (3.2, 4, 4)]), series_uid="S")
    assert crossed(free, planes) == ["1", "2", "3"]
    assert crossed(Region(GRID, Shape.MASK, np.zeros(GRID.shape, dtype=bool)), planes) == []
    assert crossed(block(), {"only": plane(GRID, 0)}) == ["only"]
    film = Geometry.regular(shape=(1, 16, 20), reference=Reference.PIXEL)
    assert crossed(Region(film, Shape.MASK, np.ones(film.shape, dtype=bool)), planes) == []


@pytest.mark.parametrize("k", range(6))
def test_the_images_named_are_those_that_have_an_outline(k: int) -> None:
    named = crossed(block(), {str(n): plane(GRID, n) for n in range(6)})
    assert (str(k) in named) == bool(contours(block(), plane(GRID, k), sop_uid=str(k), series_uid="S"))


def test_what_is_too_large_for_one_answer_says_how_large_and_what_the_limit_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages_section, "_MOST_VOXELS", 7)
    monkeypatch.setattr(pages_section, "_LARGEST", 2)
    with pytest.raises(LimitReached, match="a mask of 2 x 2 x 2 voxels: 7 are sent at once"):
        pages_section.label_map([], Geometry.regular(shape=(2, 2, 2)), "1.2")
    with pytest.raises(LimitReached, match="a map of 2 x 2 x 2 voxels: 7 are sent at once"):
        pages_section.halves(np.zeros((2, 2, 2), np.float32))
    across = pages_section.Plane.through([1.0, 1.0, 1.0], [0.0, 0.6, 0.8])
    with pytest.raises(LimitReached, match=r"a section of \d+ x \d+ pixels: 2 are taken at once"):
        pages_section.cut(np.ones((4, 4, 4), bool), Geometry.regular(shape=(4, 4, 4)), ((0, 0, 0), (4, 4, 4)), across)
