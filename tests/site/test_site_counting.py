"""Whoever waits for an answer of many studies is told how many are done; nobody else is, and nothing stays behind."""

from __future__ import annotations

import pytest

from department_for_oversight import CHIEF, ITO, department
from isocenter.site.counting import Counting
from isocenter.site.overseeing import Period


def test_an_answer_is_counted_for_who_waits_for_it_until_it_is_there_or_fails() -> None:
    counting = Counting()
    for at, _ in enumerate(counting.over("abc", "cohort", who=CHIEF)):
        assert counting.far("cohort", who=CHIEF) == {"done": at, "of": 3}
        assert counting.far("triage", who=CHIEF) == counting.far("cohort", who=ITO) == {"done": 0, "of": 0}
    assert counting.far("cohort", who=CHIEF) == {"done": 0, "of": 0}

    def failing() -> None:
        for _ in counting.over("abc", "cohort", who=CHIEF):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert counting.far("cohort", who=CHIEF)["of"] == 0


def test_of_two_answers_at_a_time_the_later_one_is_told_and_the_earlier_ends_it_not() -> None:
    counting = Counting()
    first, later = (counting.over(many, "cohort", who=CHIEF) for many in ("ab", "abcd"))
    next(first), next(later)
    assert list(first) == ["b"] and counting.far("cohort", who=CHIEF) == {"done": 0, "of": 4}
    assert list(later) == ["b", "c", "d"] and counting.far("cohort", who=CHIEF)["of"] == 0


def test_figures_of_a_department_are_counted_by_study(tmp_path_factory: pytest.TempPathFactory) -> None:
    with department(tmp_path_factory.mktemp("counted"), read=2) as (site, _):
        told: list[dict[str, int]] = []
        study = site.index.study
        site.oversight._acquired.clear()
        with pytest.MonkeyPatch.context() as patch:
            look = lambda uid: told.append(site.counting.far("turnaround", who=ITO)) or study(uid)  # noqa: E731
            patch.setattr(site.oversight.index, "study", look)
            site.oversight.turnaround(who=ITO, period=Period(), span="in the room")
        assert [one["done"] for one in told] == list(range(len(told))) and {one["of"] for one in told} == {len(told)}
        assert len(told) > 1 and site.counting.far("turnaround", who=ITO)["of"] == 0
