"""The corpus is 26 classes of at least twenty members, each another, the same on every machine."""

from __future__ import annotations

import pytest

from isocenter.testing.hostile import CLASSES, members
from isocenter.testing.hostile_member import FORMS


def test_there_are_26_classes_in_their_order() -> None:
    assert list(CLASSES) == [f"H{n:02}" for n in range(1, 27)]
    assert len({title for title, _ in CLASSES.values()}) == 26


@pytest.mark.parametrize("kind", CLASSES)
def test_twenty_members_that_differ_and_come_again(kind: str) -> None:
    made = members(kind)
    assert len({(m.data, m.before, str(m.more)) for m in made}) == 20
    assert all(m.kind == kind and m.name and m.form in FORMS for m in made)
    again, other = members(kind, count=3), members(kind, seed=1, count=3)
    assert [m.data for m in again] == [m.data for m in made[:3]]
    if made[0].form == "object":
        assert [m.data for m in other] != [m.data for m in again]
