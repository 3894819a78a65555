"""Filters on simulated speckle: four times the looks, the edge where it was and as steep, in the time promised."""

from __future__ import annotations

import time

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import despeckle

FILTERS = {"lee": despeckle.lee, "srad": despeckle.srad, "obnlm": despeckle.non_local_means}


def scene(contrast: float = 4.0, size: int = 192) -> tuple[np.ndarray, np.ndarray]:
    """Two tissues with an upright border in the middle, fully developed speckle on both."""
    rng = np.random.default_rng(5)
    tissue = np.ones((size, size), np.float32)
    tissue[:, size // 2 :] = contrast
    echo = np.abs(rng.standard_normal(tissue.shape) + 1j * rng.standard_normal(tissue.shape)) / np.sqrt(np.pi / 2)
    return (tissue * echo).astype(np.float32), tissue


def looks(part: np.ndarray) -> float:
    return float((part.mean() / part.std()) ** 2)


@pytest.mark.parametrize("name", FILTERS)
def test_four_times_the_looks_and_the_edge_stays(name: str) -> None:
    seen, tissue = scene()
    calm = FILTERS[name](seen)
    half = seen.shape[1] // 2
    for side in (np.s_[8:-8, 8 : half - 12], np.s_[8:-8, half + 12 : -8]):
        assert looks(calm[side]) >= 4.0 * looks(seen[side])
        assert calm[side].mean() == pytest.approx(tissue[side].mean(), rel=0.06)
    profile = calm[8:-8].mean(axis=0)
    step = profile[half + 3] - profile[half - 4]
    assert step >= 0.8 * (tissue[0, -1] - tissue[0, 0])
    middle = 0.5 * (profile[half + 12] + profile[half - 13])
    assert abs(int(np.argmax(profile > middle)) - half) <= 1


def test_a_frame_in_time() -> None:
    seen = np.tile(scene(size=256)[0], (4, 4))
    despeckle.lee(seen)
    best = min(_cpu(seen) for _ in range(5))
    assert best < 0.08, "15 ms alone; this bound is for a busy machine"


def _cpu(seen: np.ndarray) -> float:
    started = time.process_time()
    despeckle.lee(seen)
    return time.process_time() - started


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.ones((4, 4)), "16 by 16"),
        (np.ones((2, 32, 32)), "of one plane"),
        (-np.ones((32, 32)), "zero and up"),
        (np.full((32, 32), np.nan), "zero and up"),
    ],
)
def test_what_is_no_envelope(name: str, bad: np.ndarray, words: str) -> None:
    with pytest.raises(Refused, match=words):
        FILTERS[name](bad)


def test_settings_that_do_not_serve() -> None:
    seen, _ = scene(size=32)
    for call in (
        lambda: despeckle.lee(seen, radius=0), lambda: despeckle.srad(seen, step=0.3),
        lambda: despeckle.srad(seen, steps=0), lambda: despeckle.non_local_means(seen, strength=0.0),
    ):  # fmt: skip
        with pytest.raises(Refused):
            call()
