"""Labelled pictures: never the same child on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.errors import Refused
from isocenter.learn.examples import Examples, near_duplicates, person, split


def made(people: int, each: int, seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    n = people * each
    labels = np.repeat(np.arange(people) % 2, each)
    pictures = rng.integers(0, 255, (n, 56, 56), dtype=np.uint8)
    return Examples(
        pictures, labels, np.full(n, -1), tuple(map(str, range(n))), np.repeat(np.arange(people), each), "d"
    )


@settings(max_examples=20, deadline=None, database=None)
@given(st.integers(8, 40), st.integers(1, 4), st.integers(0, 99), st.floats(0.1, 0.4))
def test_no_person_is_on_both_sides(people: int, each: int, seed: int, part: float) -> None:
    examples = made(people, each)
    train, validation, _ = split(examples, part, seed)
    assert set(examples.groups[train]).isdisjoint(examples.groups[validation])
    assert sorted([*train, *validation]) == list(range(len(examples)))
    assert set(examples.labels[validation]) == {0, 1}


def test_near_duplicates_of_two_people_stay_on_one_side() -> None:
    examples = made(60, 1)
    examples.pictures[7] = np.clip(examples.pictures[2] * 0.7 + 20, 0, 255)  # the same film, printed darker
    for seed in range(12):
        train, validation, pairs = split(examples, 0.3, seed)
        assert pairs == 1
        assert (2 in train) == (7 in train)
        assert len(train) + len(validation) == 60


def test_few_or_many_unlike_pictures_are_not_called_duplicates() -> None:
    assert near_duplicates(made(60, 1).pictures) == []
    assert near_duplicates(made(6, 1).pictures) == []


def test_one_class_on_a_side_is_refused() -> None:
    examples = made(2, 1)
    with pytest.raises(Refused, match="one class only"):
        split(examples, 0.5, 0)


def test_names_without_a_number_are_people_of_their_own() -> None:
    assert person("IM-0115-0001.jpeg") == "normal0115"
    assert person("film.png") == "film"
