"""What a sealed test set tells before anybody looks at it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.learn.cases_to_test import _of_classes, of_cases

NAMES = ("a", "b", "c")


@pytest.mark.parametrize(
    ("labels", "classes", "least", "told"),
    [
        ((0, 0, 0), ("no", "yes"), 1, "3 of 'no', 0 of 'yes' in sealed"),
        ((0, 0, 1), ("no", "yes"), 2, "2 of 'no', 1 of 'yes' in sealed"),
        ((2, 2, 2), ("bar", "spot", "rim"), 1, "seal cases of two classes at least"),
    ],
)
def test_a_set_without_enough_of_a_class_is_refused_before_it_is_looked_at(
    labels: tuple[int, ...], classes: tuple[str, ...], least: int, told: str
) -> None:
    with pytest.raises(Refused) as refused:
        _of_classes(NAMES, np.array(labels), classes, Path("sealed"), least)
    assert told.lower() in str(refused.value).lower()


def test_a_set_with_enough_of_both_gives_its_names_in_their_order() -> None:
    assert _of_classes(NAMES, np.array([1, 0, 0]), ("no", "yes"), Path("sealed"), 1) == list(NAMES)
    assert _of_classes(NAMES, np.array([2, 0, 0]), ("bar", "spot", "rim"), Path("sealed"), 2) == list(NAMES)


def test_groups_follow_the_cases_that_were_answered() -> None:
    groups = {"sex": np.array(["F", "M", "F"])}
    assert of_cases(groups, NAMES, ["c", "b"])["sex"].tolist() == ["F", "M"]
    assert of_cases(groups, NAMES, NAMES)["sex"].tolist() == ["F", "M", "F"]
