"""A site that is written in the features is read from them; noise, and the disease itself, are not taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.probe import probe


def test_what_is_there_is_read_and_what_is_not_is_not() -> None:
    rng = np.random.default_rng(0)
    site = np.array(["A", "B", "C"])[rng.integers(0, 3, 240)]
    noise = rng.normal(size=(240, 16))
    marked = noise + 1.5 * (site == "B")[:, None] * rng.normal(size=16)
    told = probe(marked, site, rng=rng, times=99)
    assert told.auc > 0.7 and told.p == 0.01 and told.values == ("A", "B", "C") and told.n == 240
    chances = [probe(noise[:90], rng.permutation(site)[:90], rng=rng, times=39).p for _ in range(30)]
    assert np.mean(np.array(chances) <= 0.05) <= 0.17 and 0.3 < np.mean(chances) < 0.7
    assert told.by_chance < 0.65


def test_a_site_is_not_found_by_knowing_people_again() -> None:
    whose, found = np.repeat(np.arange(40), 6), np.zeros(2)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        site = np.array(["A", "B"])[rng.integers(0, 2, 40)][whose]
        features = rng.normal(size=(40, 8))[whose] + 0.5 * rng.normal(size=(240, 8))
        found += [probe(features, site, people=known, rng=rng, times=59).p <= 0.05 for known in (whose, None)]
    assert found[0] <= 6 < 25 < found[1], "2 of 40 are expected; images taken for people tell a site that is not there"


def test_a_site_is_not_found_by_its_illness() -> None:
    rng = np.random.default_rng(1)
    ill = rng.integers(0, 2, 300)
    site = np.where(rng.random(300) < 0.2 + 0.6 * ill, "A", "B")
    features = rng.normal(size=(300, 8)) + 2 * ill[:, None]
    assert probe(features, site, rng=rng, times=99).p == 0.01, "without labels the illness tells the site"
    assert probe(features, site, labels=ill, rng=rng, times=99).p > 0.05


def test_what_cannot_be_read_is_refused() -> None:
    rng, x = np.random.default_rng(2), np.ones((40, 3))
    for features, values, more in (
        (x * np.nan, ["a", "b"] * 20, {}), (x, ["a"] * 40, {}), (x, ["a"] * 35 + ["b"] * 5, {}),
        (x, ["a", "b"] * 10, {}), (x, ["a", "b"] * 20, {"people": [0, 1] * 20}),
    ):  # fmt: skip
        with pytest.raises(Refused):
            probe(features, np.array(values), rng=rng, **more)  # type: ignore[arg-type]
