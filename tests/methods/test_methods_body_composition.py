"""Muscle and fat of a trunk made of ellipses: areas are counted where they were put."""

import numpy as np
import pytest

from isocenter.methods.body_composition import tissues

MM = (5.0, 1.6, 1.6)


def trunk(wall_mm: float, *, spine: bool = True, bowel: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(HU of one slice, what is muscle): a wall of even thickness around fat."""
    y, x = (np.indices((1, 256, 256))[1:] - 128) * MM[1]

    def inside(across: float, down: float) -> np.ndarray:
        return np.asarray((x / across) ** 2 + (y / down) ** 2 <= 1.0)

    hu = np.full(x.shape, -1000.0)
    hu[inside(180, 140)] = -100.0
    wall = inside(150, 110) & ~inside(150 - wall_mm, 110 - wall_mm)
    hu[wall] = 55.0
    if bowel:  # loops that touch the wall, between them fat
        turns = np.arange(0.0, 2 * np.pi, 0.5)
        for at in turns[np.sin(turns) < 0.5]:
            loop = (x - 118 * np.cos(at)) ** 2 + (y - 80 * np.sin(at)) ** 2 < 18.0**2
            hu[loop & ~wall & inside(150, 110)] = 40.0
    if spine:
        psoas = (np.abs(x) - 38) ** 2 + (y - 66) ** 2 < 15.0**2
        hu[psoas] = 50.0
        hu[x**2 + (y - 70) ** 2 < 22.0**2] = 300.0
        wall |= psoas
    return hu, wall & (hu < 200)


@pytest.mark.parametrize("spine", [True, False])
@pytest.mark.parametrize("wall_mm", [10.0, 15.0, 18.0, 24.0, 30.0])
def test_a_wall_of_any_thickness_is_counted_to_its_inner_side(wall_mm: float, spine: bool) -> None:
    hu, muscle = trunk(wall_mm, spine=spine)
    found = tissues(hu, MM)
    assert found.muscle.sum() == pytest.approx(muscle.sum(), rel=0.005)
    assert not found.visceral[found.muscle].any() and found.closed.all()


def test_loops_that_touch_the_wall_leave_it_its_usual_depth() -> None:
    hu, muscle = trunk(12.0, bowel=True)
    found = tissues(hu, MM)
    loops = (hu == 40.0) & found.muscle
    assert loops.sum() < 0.25 * (hu == 40.0).sum()
    assert (found.muscle & muscle).sum() > 0.99 * muscle.sum()


@pytest.mark.parametrize("fat_mm", [4.0, 7.0])
def test_fat_below_the_skin_may_be_thinner_than_the_gaps_of_the_wall(fat_mm: float) -> None:
    """In lean people all of it was visceral: closing the gaps of the wall had shut off the skin."""
    y, x = (np.indices((260, 320)) - np.array([129.5, 159.5])[:, None, None]) * 1.0

    def within(inset_mm: float) -> np.ndarray:
        return np.asarray((x / (130.0 - inset_mm)) ** 2 + (y / (85.0 - inset_mm)) ** 2 < 1.0)

    hu = np.full(x.shape, -1000.0)
    for inset, value in ((0.0, 30.0), (2.0, -100.0), (2.0 + fat_mm, 50.0), (14.0 + fat_mm, -100.0)):
        hu[within(inset)] = value
    hu[(np.hypot(x / 22.0, (y - 45.0) / 16.0) < 1.0)] = 350.0
    found = tissues(hu[None].astype(np.float32), (5.0, 1.0, 1.0))
    below = within(2.0) & ~within(2.0 + fat_mm)
    assert np.count_nonzero(found.subcutaneous) == pytest.approx(np.count_nonzero(below), rel=0.05)
    assert not (found.visceral[0] & below).any() and (found.visceral[0] & within(20.0 + fat_mm)).any()


@pytest.mark.parametrize(("across_mm", "down_mm"), [(40.0, -30.0), (0.0, -60.0), (70.0, 10.0)])
def test_contrast_in_the_bowel_is_no_spine(across_mm: float, down_mm: float) -> None:
    """A vertebra is a ring of bone around marrow, and bowel full of contrast is larger than the ring."""
    y, x = (np.indices((1, 256, 256))[1:] - 128) * MM[1]
    plain, _ = trunk(16.0)
    plain[x**2 + (y - 70) ** 2 < 19.0**2] = 140.0
    filled = plain.copy()
    filled[(x - across_mm) ** 2 + (y - down_mm) ** 2 < 20.0**2] = 500.0
    one, other = tissues(plain, MM), tissues(filled, MM)
    assert np.array_equal(one.muscle, other.muscle)
    assert other.bright.any() and not one.bright.any()


@pytest.mark.parametrize("cortex_mm", [1.5, 3.0])
def test_marrow_within_a_thin_cortex_is_no_muscle(cortex_mm: float) -> None:
    """A ring of one pixel has gaps; 13 cm2 of marrow were muscle."""
    y, x = (np.indices((1, 256, 256))[1:] - 128) * MM[1]
    solid, _ = trunk(16.0)
    hollow = solid.copy()
    hollow[x**2 + (y - 70) ** 2 < (22.0 - cortex_mm) ** 2] = 90.0
    unlike = tissues(solid, MM).muscle ^ tissues(hollow, MM).muscle
    assert unlike.sum() * MM[1] * MM[2] < 20.0
