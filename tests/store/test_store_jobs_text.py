"""What jobs keep is plain JSON; a row of the database can never run code."""

from __future__ import annotations

import pickle

import pytest

from isocenter.errors import IsocenterError, NotWhole, Refused
from isocenter.store.jobs_text import PlainText

text = PlainText()


@pytest.mark.parametrize("value", [None, 1, 1.5, "x", [1, [2]], {"a": {"b": None}}])
def test_plain_values_come_back(value: object) -> None:
    assert text.deserialize(text.serialize(value)) == value


def test_failures_keep_their_kind_and_words() -> None:
    back = text.deserialize(text.serialize(NotWhole("file", "it is cut", "send it again")))
    assert type(back) is NotWhole and (back.what, back.why, back.do) == ("file", "it is cut", "send it again")
    back = text.deserialize(text.serialize(ValueError("no")))
    assert type(back) is IsocenterError and str(back) == "ValueError: no"


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", float("inf")])
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(Refused, match="not plain JSON"):
        text.serialize(value)


def test_a_pickle_is_not_read() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        text.deserialize(pickle.dumps({"a": 1}, 0).decode("latin-1"))


def test_no_name_outside_our_errors_is_called() -> None:
    back = text.deserialize('{"isocenter.failure": ["annotations", "a", "b", "c"]}')
    assert type(back) is IsocenterError
