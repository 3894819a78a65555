"""Keys that no column answers, asked of the header values that go with a record as JSON.

A key within a sequence is written as a path of keywords, ``RequestAttributesSequence.ScheduledProcedureStepID``. All
keys of one sequence must fit one and the same item of it (PS3.4 C.2.2.2.6); of several values any one may fit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from isocenter.store.matching import Condition, match_date, match_text, match_time

__all__ = ["DATES", "TIMES", "Asked", "asked", "each", "fits"]

DATES: Final = frozenset({"SeriesDate", "AcquisitionDate", "ContentDate", "PerformedProcedureStepStartDate"})
TIMES: Final = frozenset({"SeriesTime", "AcquisitionTime", "ContentTime", "PerformedProcedureStepStartTime"})
_WORD: Final = re.compile(r"[A-Z][A-Za-z0-9]{2,63}")
_NUMBER: Final = re.compile(r"\s*[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})(e[+-]?\d{1,2})?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """Keys of one data set: values by keyword, and those of the items of its sequences."""

    values: dict[str, str] = field(default_factory=dict)
    within: dict[str, Asked] = field(default_factory=dict)


def asked(keys: Mapping[str, str], *, but: Collection[str] = ()) -> Asked:
    """What keys ask of header values; one that is empty, or no path of keywords, asks for nothing.

    Args:
        but: keywords that columns answer.
    """
    found = Asked()
    for path, value in keys.items():
        text, words = str(value).strip(), path.split(".")
        if path in but or not text.strip("*") or not all(_WORD.fullmatch(word) for word in words):
            continue
        at = found
        for word in words[:-1]:
            at = at.within.setdefault(word, Asked())
        at.values[words[-1]] = text
    return found


def each(one: Asked) -> Iterator[tuple[str, Asked]]:
    """The keys one by one, those of one sequence together: instances of a series may answer each on their own."""
    for word, value in one.values.items():
        yield word, Asked(values={word: value})
    for word, inner in one.within.items():
        yield word, Asked(within={word: inner})


def fits(held: sa.ColumnElement[Any], wanted: Asked, dialect: str) -> Condition:
    """Whether the JSON object in a column fits every key."""
    found = []
    for word, key in wanted.values.items():
        held_one = _values(held, word, dialect)
        found.append(_any(held_one, _value(word, held_one.c.value, key, dialect)))
    for word, inner in wanted.within.items():
        items = _values(held, word, dialect)
        found.append(_any(items, fits(items.c.value, inner, dialect)))
    return sa.and_(*found)


def _any(values: Any, condition: Condition) -> Condition:
    return sa.select(sa.literal(1)).select_from(values).where(condition).correlate_except(values).exists()


def _values(held: sa.ColumnElement[Any], word: str, dialect: str) -> Any:
    """The values under a keyword as rows: each of a list, or the one; none where it is absent."""
    if dialect == "sqlite":
        return sa.func.json_each(held, f'$."{word}"').table_valued("value").alias()
    from sqlalchemy.dialects.postgresql import JSONB  # a twentieth of every command's start, for this one database

    one = sa.cast(held, JSONB)[word]
    several = sa.case(
        (sa.func.jsonb_typeof(one) == "array", one),
        (one.is_(None), sa.cast(sa.literal("[]", sa.Text()), JSONB)),
        else_=sa.func.jsonb_build_array(one),
    )
    return sa.func.jsonb_array_elements(several).table_valued(sa.column("value", JSONB)).alias()


def _value(word: str, value: sa.ColumnElement[Any], key: str, dialect: str) -> Condition:
    text = sa.cast(value, sa.Text()) if dialect == "sqlite" else value.op("#>>", return_type=sa.Text())(sa.text("'{}'"))
    if word in DATES:
        return match_date(text, key)
    if word in TIMES:
        return sa.and_(text != "", match_time(_time_key(text), key))
    numbers = [float(one) for one in key.split("\\") if _NUMBER.fullmatch(one)]
    equal: list[Condition] = [
        value == (number if dialect == "sqlite" else sa.func.to_jsonb(sa.cast(number, sa.Numeric())))
        for number in numbers
    ]
    return sa.or_(match_text(text, key, dialect), *equal)


def _time_key(text: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """As `matching.time_key` makes it, of a time that stands as its header wrote it."""
    digits = sa.func.replace(sa.func.replace(text, ":", ""), ".", "")
    return sa.func.substr(digits.op("||")("0" * 12), 1, 12)
