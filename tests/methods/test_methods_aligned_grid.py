"""Where the new voxels lie, and what stands in them."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.aligned_grid import AlignedGrid, aligned_positions

OLD, NEW = (3.0, 0.9, 1.1), (2.0, 2.0, 2.0)


def grid(mask: np.ndarray, margin_mm: float = 100.0) -> AlignedGrid:
    return AlignedGrid.around(mask, OLD, NEW, margin_mm)


def test_centres_are_aligned_and_the_field_is_covered() -> None:
    for count, old, new in ((60, 3.0, 2.0), (204, 0.977, 2.0), (7, 1.0, 1.0), (5, 2.0, 7.0)):
        at = aligned_positions(count, old, new)
        assert at.mean() == pytest.approx((count - 1) / 2)
        assert len(at) * new >= count * old - 1e-6 > (len(at) - 1) * new
    with pytest.raises(Refused, match="a voxel has a size"):
        aligned_positions(5, 0.0, 1.0)


@pytest.mark.parametrize("how", ["linear", "cubic"])
def test_a_plane_is_met_exactly(how: str) -> None:
    """Both interpolations reproduce what is straight, away from the border."""
    shape = (20, 60, 60)
    plane = sum(s * a for s, a in zip((1.0, -2.0, 0.5), np.indices(shape) * np.reshape(OLD, (3, 1, 1, 1)), strict=True))
    mask = np.zeros(shape, bool)
    mask[9:12, 28:33, 28:33] = True
    made = grid(mask, margin_mm=2.0)
    wanted = made.positions[0][:, None, None] * 3.0 - 2.0 * made.positions[1][:, None] * 0.9 + made.positions[2] * 0.55
    assert made.image(plane, how) == pytest.approx(wanted, abs=2e-3 if how == "cubic" else 1e-9)


def test_cubic_against_scipy() -> None:
    from scipy.ndimage import map_coordinates

    image = np.random.default_rng(1).normal(size=(9, 30, 31))
    made = grid(np.ones(image.shape, bool))
    at = np.meshgrid(*made.positions, indexing="ij")
    assert made.image(image, "cubic") == pytest.approx(map_coordinates(image, at, order=3, mode="nearest"), abs=1e-6)


def test_a_part_is_the_part_of_the_whole() -> None:
    image, mask = np.random.default_rng(1).normal(size=(16, 40, 40)), np.zeros((16, 40, 40), bool)
    mask[7:9, 18:24, 20:22] = True
    part, whole = grid(mask, margin_mm=3.0), grid(mask)
    first = [int(np.flatnonzero(np.isclose(w, p[0]))[0]) for w, p in zip(whole.positions, part.positions, strict=True)]
    box = tuple(slice(f, f + len(p)) for f, p in zip(first, part.positions, strict=True))
    for how in ("linear", "cubic"):
        assert part.image(image, how) == pytest.approx(whole.image(image, how)[box], abs=1e-9)
    assert (part.mask(mask) == whole.mask(mask)[box]).all() and whole.mask(mask).sum() == part.mask(mask).sum()
    assert whole.at_edge == ((True, True),) * 3 and part.at_edge[1] == (False, False)


def test_one_half_is_inside() -> None:
    """3 mm to 2 mm: every other new slice lies just between two old ones."""
    mask = np.zeros((4, 4, 4), bool)
    mask[1:3] = True
    made = AlignedGrid.around(mask, (3.0, 1.0, 1.0), (2.0, 1.0, 1.0), 100.0)
    inside = made.mask(mask)[:, 1, 1]
    assert made.positions[0][inside].round(3).tolist() == [0.5, 1.167, 1.833, 2.5]


def test_nothing_is_inside_beyond_the_image() -> None:
    made = AlignedGrid.around(np.ones((3, 3, 3), bool), (1.0, 1.0, 1.0), (2.2, 1.0, 1.0), 9.0)
    assert made.positions[0].round(2).tolist() == [-0.1, 2.1] and made.mask(np.ones((3, 3, 3), bool)).all()
    with pytest.raises(Refused, match="without voxels"):
        AlignedGrid.around(np.zeros((3, 3, 3), bool), OLD, NEW, 0.0)
