"""Free-response figures of merit against RJafroc's values, the jackknife against leaving out by hand, every refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.errors import Refused
from isocenter.methods.froc import CPM_RATES, FIGURES, Figure, Marks, curve, figure, sensitivity_at, without_one


def study(seed: int, healthy: int = 6, diseased: int = 5) -> Marks:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 4, diseased)
    present = np.arange(3) < counts[:, None]
    false = np.where(rng.random((healthy + diseased, 2)) < 0.6, rng.integers(1, 6, (healthy + diseased, 2)), -np.inf)
    found = np.where(present & (rng.random(present.shape) < 0.7), rng.integers(2, 8, present.shape), -np.inf)
    weights = np.where(present, rng.random(present.shape) + 0.1, 0)
    return Marks(false, found, counts, weights / weights.sum(1, keepdims=True))


def without(marks: Marks, image: int) -> Marks:
    rest = np.delete(marks.non_lesions, image, 0)
    if image < marks.healthy:
        return Marks(rest, marks.lesions, marks.counts, marks.weights)
    at = image - marks.healthy
    assert marks.weights is not None
    return Marks(rest, np.delete(marks.lesions, at, 0), np.delete(marks.counts, at), np.delete(marks.weights, at, 0))


@pytest.mark.data
@pytest.mark.parametrize("which", ["AFROC1", "wAFROC1", "HrAuc"])
def test_figures_of_ten_readings_are_those_of_rjafroc(reference: Path, which: Figure) -> None:
    folder = reference / "froc-rjafroc" / "export"
    held = np.load(folder / "dataset01.npz")
    wanted = json.loads((folder / "figures_of_merit.json").read_text())[f"UtilFigureOfMeritFROC-{which}"]
    counts = held["lesions_perCase"].astype(int)
    weights = np.where(np.isfinite(held["lesions_weights"]), held["lesions_weights"], 0.0)
    got = [
        [figure(Marks(nl, ll, counts, weights), which) for nl, ll in zip(*of, strict=True)]
        for of in zip(held["NL"], held["LL"], strict=True)
    ]
    assert np.abs(np.array(got) - np.array(wanted)).max() < 1e-12


@pytest.mark.data
def test_wafroc_of_the_handbook(reference: Path) -> None:
    held = np.load(reference / "froc-rjafroc" / "export" / "dataset01.npz")
    counts = held["lesions_perCase"].astype(int)
    got = [[figure(Marks(nl, ll, counts)) for nl, ll in zip(*of, strict=True)]
           for of in zip(held["NL"], held["LL"], strict=True)]  # fmt: skip
    # Chakraborty's RJafroc, dataset01, readers 1 to 5, modalities BT and DM.
    assert got[0] == pytest.approx([0.76027, 0.840619, 0.817152, 0.815309, 0.827832], abs=5e-7 + 5e-6)
    assert got[1] == pytest.approx([0.642585, 0.704998, 0.751843, 0.772443, 0.683696], abs=5e-7)


@settings(max_examples=40, deadline=None, database=None)
@given(st.integers(0, 10_000), st.sampled_from(FIGURES))
def test_the_jackknife_is_leaving_out_by_hand(seed: int, which: Figure) -> None:
    marks = study(seed)
    by_hand = [figure(without(marks, image), which) for image in range(len(marks.non_lesions))]
    assert without_one(marks, which) == pytest.approx(by_hand, abs=1e-12)


@settings(max_examples=30, deadline=None, database=None)
@given(st.integers(0, 10_000), st.sampled_from(FIGURES))
def test_only_the_order_of_ratings_counts(seed: int, which: Figure) -> None:
    marks = study(seed)
    low = np.where(np.isneginf(marks.non_lesions), -np.inf, np.exp(marks.non_lesions))
    found = np.where(np.isneginf(marks.lesions), -np.inf, np.exp(marks.lesions))
    assert figure(Marks(low, found, marks.counts, marks.weights), which) == pytest.approx(figure(marks, which))


def test_a_perfect_reader_and_one_who_marks_nothing() -> None:
    none = np.full((4, 1), -np.inf)
    perfect = Marks(none, np.array([[1.0], [1.0]]), np.array([1, 1]))
    silent = Marks(none, np.full((2, 1), -np.inf), np.array([1, 1]))
    assert {figure(perfect, w) for w in FIGURES} == {1.0}
    assert {figure(silent, w) for w in FIGURES} == {0.5}  # every comparison is a tie


def test_the_curve_steps_and_the_metric_of_competitions() -> None:
    # 4 images, 2 lesions: found at 3 and 1; false marks at 2 and 0.5.
    false = np.array([[2.0], [-np.inf], [0.5], [-np.inf]])
    marks = Marks(false, np.array([[3.0], [1.0]]), np.array([1, 1]))
    drawn = curve(marks)
    assert drawn.thresholds.tolist() == [3.0, 2.0, 1.0, 0.5]
    assert drawn.false_per_image.tolist() == [0.0, 0.25, 0.25, 0.5]
    assert drawn.sensitivity.tolist() == [0.5, 0.5, 1.0, 1.0]
    assert sensitivity_at(marks, (0.0, 0.2, 0.25, 8.0)).tolist() == [0.5, 0.5, 1.0, 1.0]
    assert sensitivity_at(marks).shape == (len(CPM_RATES),)
    silent = Marks(np.full((2, 1), -np.inf), np.full((1, 1), -np.inf), np.array([1]))
    assert sensitivity_at(silent, (1.0,)).tolist() == [0.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"non_lesions": np.zeros((2, 1))}, "0 healthy and 2 diseased"),
        ({"lesions": np.full((2, 2), np.nan)}, "not a number"),
        ({"lesions": np.full((2, 2), np.inf)}, "not a number"),
        ({"counts": np.array([0, 1])}, "without lesions"),
        ({"counts": np.array([1, 1])}, "not there"),
        ({"counts": np.array([1])}, "unequal shape"),
        ({"weights": np.full((2, 2), 0.7)}, "do not sum to 1"),
    ],
)
def test_what_is_no_study_is_refused(change: dict[str, np.ndarray], words: str) -> None:
    good = {
        "non_lesions": np.full((5, 1), -np.inf), "lesions": np.ones((2, 2)), "counts": np.array([2, 2]),
        "weights": np.full((2, 2), 0.5),
    }  # fmt: skip
    Marks(**good)
    with pytest.raises(Refused, match=words):
        Marks(**{**good, **change})


def test_unknown_figures_and_jackknives_of_one_are_refused() -> None:
    marks = Marks(np.full((2, 1), -np.inf), np.ones((1, 1)), np.array([1]))
    with pytest.raises(Refused, match="known are wAFROC"):
        figure(marks, "JAFROC")  # type: ignore[arg-type]
    with pytest.raises(Refused, match="leaves none of a kind"):
        without_one(marks)
