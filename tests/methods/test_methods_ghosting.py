"""Ghosts planted along one direction are seen along that direction only."""

from pathlib import Path

import numpy as np
import pytest

from isocenter.methods.ghosting import ghosting


def phantom(ghost: float, axis: int, noise: float = 1.0) -> np.ndarray:
    y, x = np.indices((160, 160)) - 79.5
    disk = np.where(np.hypot(x, y) < 40, 100.0, 0.0)
    # Half a field of view away, as with every second phase-encoding step displaced.
    image = disk + ghost * 100.0 * (np.roll(disk, 80, axis) > 0)
    rng = np.random.default_rng(0)
    return np.hypot(image + noise * rng.standard_normal(image.shape), noise * rng.standard_normal(image.shape))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_planted_ghost_is_seen_along_its_direction(axis: int) -> None:
    clean = ghosting(phantom(0.0, axis), axis)
    small, large = (ghosting(phantom(g, axis, noise=0.05), axis) for g in (0.05, 0.2))
    assert clean is not None and small is not None and large is not None
    assert abs(clean) < 0.003
    assert 0.02 < small < large
    assert large == pytest.approx(4 * small, rel=0.2)
    across = ghosting(phantom(0.2, axis), 1 - axis)
    assert across is not None and across < -0.05


def test_an_object_that_fills_the_image_leaves_nothing_to_look_at() -> None:
    y, x = np.indices((64, 64)) - 31.5
    assert ghosting(np.where(np.hypot(x, y) < 31, 100.0, 1.0), 0) is None
    assert ghosting(np.full((64, 64), 5.0), 0) is None
    speck = np.zeros((100, 100))
    speck[50, 50] = 1.0
    assert ghosting(speck, 0) is None


@pytest.mark.data
def test_real_phantoms_have_little(data: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    files = [f for f in (data / "mr_qa_phantoms" / "ghosting").rglob("*") if f.suffix in (".dcm", ".IMA")]
    if not files:
        pytest.skip("the MR phantoms are not among the data")
    for file in files:
        image = pydicom.dcmread(file)
        axis = 1 if image.get("InPlanePhaseEncodingDirection") == "ROW" else 0
        found = ghosting(image.pixel_array.astype(np.float32), axis)
        assert found is not None and abs(found) < 0.025, file.name  # the ACR's limit
