"""Two groups against scipy and against their definition; Holm's correction; every refusal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from isocenter.errors import Refused
from isocenter.methods.two_groups import contrast, holm


@pytest.mark.parametrize(("n", "m"), [(2, 3), (12, 40), (300, 150)])
def test_against_scipy_and_the_definition(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.normal(5, 2, n).round(1), rng.normal(4, 1, m).round(1)
    told = contrast(a, b)
    welch = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (told.low, told.high) == pytest.approx((welch.low, welch.high), rel=1e-9)
    test = stats.brunnermunzel(a, b)
    assert told.p == pytest.approx(float(test.pvalue), rel=1e-9)
    above = (a[:, None] > b).mean() + (a[:, None] == b).mean() / 2
    assert told.superiority == pytest.approx(float(above))
    pooled = np.sqrt(((n - 1) * a.var(ddof=1) + (m - 1) * b.var(ddof=1)) / (n + m - 2))
    assert told.hedges_g == pytest.approx((a.mean() - b.mean()) / pooled * (1 - 3 / (4 * (n + m) - 9)), rel=2e-2)


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = [(t := contrast(rng.normal(1, 3, 12), rng.normal(0, 1, 25))).low <= 1 <= t.high for _ in range(800)]
    assert 0.93 < np.mean(hits) < 0.97


def test_apart_altogether_and_refusals() -> None:
    told = contrast([5.0, 6.0, 7.0], [1.0, 2.0, 3.0])
    assert told.superiority == 1 and told.p == pytest.approx(0.1), "two of the twenty ways to deal six people"
    with pytest.raises(Refused, match="1 and 2 people"):
        contrast([1.0], [1.0, 2.0])
    with pytest.raises(Refused, match="no number"):
        contrast([1.0, np.nan], [1.0, 2.0])
    with pytest.raises(Refused, match="nobody differs"):
        contrast([1.0, 1.0], [2.0, 2.0])


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0] and holm([]) == []
