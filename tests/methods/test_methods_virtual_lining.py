"""What lines a virtual cavity lies within it, is deepest where it says, and leaves a core of blood."""

from dataclasses import replace

import numpy as np
import pytest

from isocenter.methods.virtual_lining import Lining

SPONGY = Lining(
    deep_mm=5.0, towards_apex=0.0, dense=0.9, even=1.0, fading=0.0, side=0.0, one_sided=0.8,
    beams=((5.0, 0.0, 0.0), (9.0, 1.0, 2.0)), heads=(), dim=0.3,
)  # fmt: skip
LINE = np.arange(-40, 41, dtype=np.float32)
R, ANGLE = np.hypot(LINE[:, None], LINE[None]), np.arctan2(-LINE[:, None], LINE[None]) + 0 * LINE[None]
INNER = np.full_like(R, 25.0)


def painted(lining: Lining, level: float = 0.3, squeeze: float = 0.0) -> np.ndarray:
    made = lining.muscle(INNER - R, ANGLE, INNER, level, squeeze, np.zeros_like(R)) * (R < 25)
    assert made.min() >= 0 and made.max() <= 1
    return np.asarray(made)


def test_the_layer_lies_at_the_wall_and_deepest_on_its_side() -> None:
    made = painted(SPONGY)
    assert made[R < 15].max() == 0 and made[40, 40 + 23] > 0.6  # core of blood, and the wall on its side
    right, left = made[:, 41:].sum(), made[:, :40].sum()
    assert right > 2 * left
    assert painted(replace(SPONGY, one_sided=0.0))[:, :40].sum() > 2 * left


@pytest.mark.parametrize(
    ("change", "level", "squeeze"), [({"towards_apex": 1.0}, 0.9, 0.0), ({}, 0.3, 1.0), ({"deep_mm": 9.0}, 0.3, 0.0)]
)
def test_it_is_more_at_the_apex_and_in_systole(change: dict[str, float], level: float, squeeze: float) -> None:
    assert painted(replace(SPONGY, **change), level, squeeze).sum() > 1.1 * painted(SPONGY).sum()


def test_a_layer_deeper_than_the_cavity_leaves_its_core() -> None:
    assert painted(replace(SPONGY, deep_mm=60.0, one_sided=0.0))[R < 6].max() == 0


def test_blood_is_slow_at_the_apex_alone() -> None:
    assert SPONGY.blood(-0.2) == 1.0 and SPONGY.blood(1.0) == pytest.approx(0.7)


def test_hearts_differ() -> None:
    drawn = [Lining.drawn(np.random.default_rng(seed), np.pi, 9.0) for seed in range(60)]
    deep = np.array([one.deep_mm for one in drawn])
    assert 10 < (deep < 1.5).sum() < 40 and deep.max() > 5 and {len(one.heads) for one in drawn} >= {0, 2, 4}
