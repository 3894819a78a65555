"""Deauville and Lugano: every step of the score on both sides, every row of the response, and the refusals."""

from __future__ import annotations

import pytest

from isocenter.errors import Refused
from isocenter.methods.lugano import deauville, lugano, qpet, qpet_score


@pytest.mark.parametrize(
    ("lesion", "score"),
    [(None, "1"), (0.5, "2"), (1.8, "2"), (1.81, "3"), (2.5, "3"), (2.51, "4"), (4.99, "4"), (5.0, "5"), (20.0, "5")],
)
def test_the_five_points(lesion: float | None, score: str) -> None:
    judged = deauville(lesion, 1.8, 2.5)
    assert judged.response == score
    assert judged.rule == "Deauville score (Barrington 2014)"


def test_markedly_may_be_three_times_and_a_new_site_is_five() -> None:
    assert deauville(7.4, 1.8, 2.5, markedly=3.0).response == "4"
    assert deauville(7.5, 1.8, 2.5, markedly=3.0).response == "5"
    assert deauville(None, 1.8, 2.5, new=True).response == "5"


@pytest.mark.parametrize(
    ("mediastinum", "liver", "times", "words"),
    [
        (0.0, 2.5, 2.0, "compares with both"),
        (1.8, -1.0, 2.0, "compares with both"),
        (2.6, 2.5, 2.0, "above liver"),
        (1.8, 2.5, 1.5, "2 to 3 times"),
    ],
)
def test_references_that_are_none(mediastinum: float, liver: float, times: float, words: str) -> None:
    with pytest.raises(Refused, match=words):
        deauville(3.0, mediastinum, liver, markedly=times)


@pytest.mark.parametrize(
    ("score", "now", "new", "said"),
    [
        ("1", None, False, "CMR"),
        ("3", 2.4, False, "CMR"),
        ("3", 2.4, True, "PMD"),
        ("4", 7.5, False, "PMR"),
        ("4", 7.51, False, "NMR"),
        ("5", 12.49, False, "NMR"),
        ("5", 12.5, False, "PMD"),
        ("5", 4.0, True, "PMD"),
    ],
)
def test_the_response(score: str, now: float | None, new: bool, said: str) -> None:
    judged = lugano(score, before=10.0, now=now, new=new)
    assert judged.response == said and judged.rule.startswith("Lugano 2014")


def test_a_four_without_a_baseline_has_no_response() -> None:
    with pytest.raises(Refused, match="decides between PMR, NMR and PMD"):
        lugano("4", now=5.0)
    with pytest.raises(Refused, match="it is 1, 2, 3, 4 or 5"):
        lugano("6")


def test_qpet() -> None:
    assert [qpet_score(qpet(p, 2.0)) for p in (1.8, 1.9, 2.59, 2.6, 3.99, 4.0)] == ["1 or 2", "3", "3", "4", "4", "5"]
    with pytest.raises(Refused, match="no number"):
        qpet(1.0, 0.0)
