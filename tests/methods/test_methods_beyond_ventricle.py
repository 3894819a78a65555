"""How much blood lies one slice beyond either end of a painted ventricle."""

import numpy as np
import pytest

from isocenter.methods.beyond_ventricle import beyond_ventricle

Y, X = np.mgrid[:60, :60] - 29.5
R = np.hypot(Y, X)
CAVITY, MUSCLE = (np.repeat(m[None], 7, 0) for m in (R < 12, (R >= 12) & (R < 18)))
SLICES = range(1, 6)


def painted(first: float, last: float) -> np.ndarray:
    """(phases, 7, rows, columns): blood of 1 in muscle of 0.4; beyond it a grey at either end."""
    made = np.where(R < 12, 1.0, np.where(R < 18, 0.4, 0.1)) * np.ones((4, 7, 1, 1))
    made[:, 0], made[:, -1] = first, last
    return made.astype(np.float32)


@pytest.mark.parametrize(("grey", "share"), [(1.0, 1.0), (1.4, 1.0), (0.7, 0.5), (0.4, 0.0), (0.05, 0.0)])
def test_from_muscle_to_blood(grey: float, share: float) -> None:
    found = beyond_ventricle(painted(grey, 0.4), CAVITY, MUSCLE, SLICES)
    assert found.first == pytest.approx(share, abs=1e-3) and found.last == 0.0
    found = beyond_ventricle(painted(0.4, grey), CAVITY, MUSCLE, SLICES)
    assert found.last == pytest.approx(share, abs=1e-3) and found.first == 0.0


def test_each_end_has_its_own_greys() -> None:
    """Where a coil lies beside the apex, blood there is brighter."""
    gain = np.linspace(1.0, 1.3, 7)[:, None, None]
    found = beyond_ventricle((painted(1.0, 1.0) * gain).astype(np.float32), CAVITY, MUSCLE, SLICES)
    assert found.first is not None and found.first > 0.8 and found.last == 1.0


def test_what_ends_with_the_stack_or_has_dark_blood_says_nothing() -> None:
    found = beyond_ventricle(painted(1.0, 1.0), CAVITY, MUSCLE, range(7))
    assert found.first is None and found.last is None
    found = beyond_ventricle(1 - painted(1.0, 1.0), CAVITY, MUSCLE, SLICES)
    assert found.first is None and found.last is None
    found = beyond_ventricle(painted(1.0, 1.0), CAVITY, np.zeros_like(MUSCLE), SLICES)
    assert found.first is None
