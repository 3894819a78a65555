"""Labels on a grid: the bound lies below every labelling, and on small grids the best one is found."""

import itertools

import numpy as np
import pytest

from isocenter.methods import field_map


@pytest.mark.parametrize("shape", [(1, 1, 7), (1, 3, 3), (2, 2, 2)])
def test_the_bound_is_below_the_best_labelling_and_the_best_is_found(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(3)
    count, most = int(np.prod(shape)), 3
    hertz = np.sort(rng.normal(0, 100, (count, most)), axis=1)
    left = rng.uniform(0, 300, (count, most))
    bend, many = rng.uniform(0.5, 2.0, count), np.full(count, most)
    near, labels = np.array([0.5, 1.0, 1.0]), np.zeros(count, np.int64)
    bound, found = field_map._message_passing(np.array(shape), hertz, left, bend, many, near, 0.02, 0.1, 60, labels)
    places = np.array(list(np.ndindex(*shape)))

    def energy(chosen: tuple[int, ...]) -> float:
        total = sum(left[i, k] for i, k in enumerate(chosen))
        for i, j in itertools.combinations(range(count), 2):
            apart = np.abs(places[i] - places[j])
            if apart.sum() == 1:
                price = 0.02 * near[int(apart.argmax())] * (min(bend[i], bend[j]) + 0.1)
                total += price * (hertz[i, chosen[i]] - hertz[j, chosen[j]]) ** 2
        return float(total)

    best = min(energy(c) for c in itertools.product(range(most), repeat=count))
    assert abs(energy(tuple(int(k) for k in labels)) - found) <= 1e-9 * found
    assert bound <= best * (1 + 1e-12)
    assert found <= best * 1.001
