"""Multi-reader multi-case analysis against OR-DBM MRMC 2.51 (University of Iowa) on Van Dyke's study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import froc, mrmc, roc

Study = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def van_dyke(reference: Path) -> Study:
    held = np.load(reference / "froc-rjafroc" / "export" / "dataset02.npz")
    false, found = held["NL"][..., 0], held["LL"][..., 0]
    healthy = false.shape[2] - found.shape[2]
    truth = np.r_[np.zeros(healthy, int), np.ones(found.shape[2], int)]
    return mrmc.area_study(truth, np.concatenate([false[:, :, :healthy], found], 2))


@pytest.mark.data
def test_areas_mean_squares_and_covariances(van_dyke: Study) -> None:
    done = mrmc.compare(*van_dyke)
    areas = [
        [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
        [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
    ]
    assert done.figures == pytest.approx(np.array(areas), abs=5e-9)
    assert done.mean_squares == pytest.approx((0.00479617, 0.00383620, 0.00055103), abs=5e-9)
    found = done.covariances
    assert (found.error, found.cov1, found.cov2, found.cov3) == pytest.approx(
        (0.00080229, 0.00034661, 0.00034407, 0.00023903), abs=5e-9
    )


@pytest.mark.data
@pytest.mark.parametrize(
    ("about", "f", "df2", "p", "error", "interval", "single"),
    [
        ("readers and cases", 4.46, 15.26, 0.0517, 0.02075, (-0.08796, 0.00036), (0.82522360, 0.96885048)),
        ("cases", 5.47595, np.inf, 0.0193, 0.01872, (-0.08049, -0.00711), (0.84943008, 0.94464399)),
        ("readers", 8.70, 4.0, 0.0420, 0.01485, (-0.08502, -0.00258), (0.82809808, 0.96597599)),
    ],
)
def test_each_generalisation_prints_what_or_dbm_prints(
    van_dyke: Study, about: mrmc.Generalise, f: float, df2: float, p: float, error: float,
    interval: tuple[float, float], single: tuple[float, float],
) -> None:  # fmt: skip
    done = mrmc.compare(*van_dyke, about=about)
    difference = done.differences[0, 1]
    assert done.f == pytest.approx(f, abs=0.005)
    assert done.degrees == (1.0, pytest.approx(df2, abs=0.005))
    assert (done.p, difference.p) == (pytest.approx(p, abs=5e-5), pytest.approx(p, abs=5e-5))
    assert difference.value == pytest.approx(-0.04380032, abs=5e-9)
    assert difference.error == pytest.approx(error, abs=5e-6)
    assert (difference.low, difference.high) == pytest.approx(interval, abs=5e-6)
    assert (done.single[0].low, done.single[0].high) == pytest.approx(single, abs=5e-8)


def test_three_modalities_have_three_differences_and_equal_ones_none() -> None:
    rng = np.random.default_rng(3)
    truth = np.r_[np.zeros(30, int), np.ones(30, int)]
    same = truth * 1.5 + rng.normal(size=(1, 4, 60)) * 0.8 + rng.normal(size=(1, 1, 60)) * 0.6
    ratings = np.concatenate([same + rng.normal(size=(1, 4, 60)) * 0.3 for _ in range(3)])
    done = mrmc.compare(*mrmc.area_study(truth, ratings))
    assert set(done.differences) == {(0, 1), (0, 2), (1, 2)}
    assert all(d.low < 0 < d.high for d in done.differences.values())
    assert done.differences[0, 2].value == pytest.approx(done.differences[0, 1].value + done.differences[1, 2].value)


def test_it_says_equal_in_nineteen_of_twenty_studies_without_a_difference() -> None:
    rng = np.random.default_rng(11)
    truth = np.r_[np.zeros(40, int), np.ones(40, int)]
    called = 0
    for _ in range(120):
        case, reader = rng.normal(size=(1, 1, 80)), rng.normal(size=(1, 5, 1)) * 0.2
        ratings = truth * (1.2 + reader) + 0.7 * case + rng.normal(size=(2, 5, 80)) * 0.7
        called += mrmc.compare(*mrmc.area_study(truth, ratings)).p < 0.05
    assert called <= 13  # 6 expected; more than 13 of 120 has a chance below 0.5 % at a true rate of 5 %


def test_free_response_figures_are_compared_in_the_same_way() -> None:
    rng = np.random.default_rng(5)

    def reading(skill: float) -> froc.Marks:
        found = rng.normal(skill, 1, (12, 1))
        return froc.Marks(rng.normal(0, 1, (30, 1)), found, np.ones(12, int))

    marks = [[reading(s) for _ in range(3)] for s in (0.5, 2.5)]
    figures = np.array([[froc.figure(m) for m in row] for row in marks])
    left = np.array([[froc.without_one(m) for m in row] for row in marks])
    done = mrmc.compare(figures, left, about="readers")
    assert done.differences[0, 1].value == pytest.approx(figures[0].mean() - figures[1].mean())
    assert done.p < 0.05


def test_jackknifed_areas_are_those_of_the_remaining_cases() -> None:
    rng = np.random.default_rng(1)
    truth = np.r_[np.ones(5, int), np.zeros(7, int)]
    scores = np.round(rng.normal(size=(2, 2, 12)) + truth, 1)
    _, left = mrmc.area_study(truth, scores)
    for case in range(12):
        keep = np.arange(12) != case
        assert left[1, 0, case] == pytest.approx(roc.auc(truth[keep], scores[1, 0, keep]).value)


def test_what_cannot_be_compared_is_refused() -> None:
    figures, left = np.array([[0.8, 0.9], [0.7, 0.8]]), np.random.default_rng(0).normal(0.8, 0.01, (2, 2, 9))
    with pytest.raises(Refused, match="two modalities and two readers"):
        mrmc.compare(figures[:1], left[:1])
    with pytest.raises(Refused, match="is 'readers and cases'"):
        mrmc.compare(figures, left, about="everybody")  # type: ignore[arg-type]
    with pytest.raises(Refused, match="do not vary"):
        mrmc.compare(np.full((2, 2), 0.8), np.full((2, 2, 9), 0.8))
    with pytest.raises(Refused, match="all with a figure"):
        mrmc.covariances(np.full((2, 2, 9), np.nan))
    with pytest.raises(Refused, match="modalities, readers, cases"):
        mrmc.area_study([0, 1], np.zeros((2, 3)))
    with pytest.raises(Refused, match="leaving one out"):
        roc.without_one([1.0], [0.0, 1.0])
