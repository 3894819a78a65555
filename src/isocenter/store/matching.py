"""How DICOM compares a search key with what is stored, written as SQL (PS3.4 C.2.2.2).

An empty key matches everything; a list of UIDs matches each of them; ``*`` and ``?`` stand for any and for one
character; dates and times take ranges. Names of persons compare without regard to case and trailing ``^``, and any of
their three writings (alphabetic, ideographic, phonetic) may be asked for. Everything else is case-sensitive.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

import sqlalchemy as sa

from isocenter.errors import Refused

__all__ = [
    "match_date",
    "match_name",
    "match_number",
    "match_text",
    "match_time",
    "match_uid",
    "name_keys",
    "person_key",
    "plain_date",
    "time_key",
]

Column = sa.ColumnElement[str]
Condition = sa.ColumnElement[bool]

_LAST = "\U0010ffff"  # sorts behind every text that shares a beginning


@lru_cache(maxsize=256)  # images of a study arrive one after the other
def name_keys(name: str) -> tuple[str, str, str]:
    """The three writings of a person's name as they are compared.

    >>> name_keys("Yamada^Tarou=山田^太郎=やまだ^たろう")
    ('yamada^tarou', '山田^太郎', 'やまだ^たろう')
    """
    groups = [_folded(group) for group in name.split("=")[:3]]
    alphabetic, ideographic, phonetic = (*groups, "", "")[:3]
    return alphabetic, ideographic, phonetic


def person_key(name: str) -> str:
    """The alphabetic writing as it is compared."""
    return name_keys(name)[0]


def plain_date(day: str | None) -> str:
    """``2026-11-20`` as DICOM writes it: ``20261120``; empty for none."""
    return (day or "").replace("-", "")


def time_key(time: str) -> str:
    """A DICOM time as twelve digits, so that text order is time order; empty for none.

    >>> time_key("1015"), time_key("10:15:30.5")
    ('101500000000', '101530500000')
    """
    digits = re.sub(r"\D", "", time)
    return digits[:12].ljust(12, "0") if digits else ""


def match_text(column: Column, key: str, dialect: str) -> Condition:
    """Single value, or wildcard; a backslash lists alternatives."""
    return sa.or_(*(_one(column, one.strip(" "), dialect) for one in key.split("\\")))


def match_uid(column: Column, key: str) -> Condition:
    """One UID, or a list of them separated by backslash (C-FIND) or comma (QIDO-RS). No wildcards: UIDs have none."""
    uids = [uid for uid in re.split(r"[\\,\s]+", key) if uid]
    return column == uids[0] if len(uids) == 1 else column.in_(uids)


def match_name(columns: tuple[Column, ...], key: str, dialect: str, *, fuzzy: bool = False) -> Condition:
    """A person's name, in any of its writings.

    Args:
        columns: the folded writings, as `name_keys` makes them.
        key: as the user typed it.
        dialect: of the database.
        fuzzy: each word of the key has to begin a part of the name, in any order.
    """
    if fuzzy:
        words = [word for word in re.split(r"[\^\s,=*?]+", key.casefold()) if word]
        return sa.and_(*(sa.or_(*(_begins_a_part(c, word, dialect) for c in columns)) for word in words))
    wanted = [one for one in name_keys(key) if one]
    if len(wanted) > 1:  # each writing was given: each must fit its own
        return sa.and_(*(_one(c, one, dialect) for c, one in zip(columns, name_keys(key), strict=False) if one))
    return sa.or_(*(_one(c, one, dialect) for c in columns for one in wanted or [_folded(key)]))


def match_date(column: Column, key: str) -> Condition:
    """``20260101``, ``20260101-20260131``, ``20260101-`` or ``-20260131``.

    Raises:
        Refused: it is not a date or a range of dates.
    """
    low, high = _range(key, r"\d{8}", "date", "YYYYMMDD or YYYYMMDD-YYYYMMDD")
    return _between(column, _a_day(low), _a_day(high))


def match_time(column: Column, key: str) -> Condition:
    """A time or a range of times; ``1015`` means that whole minute.

    Raises:
        Refused: it is not a time or a range of times.
    """
    low, high = _range(key, r"\d{2}(:?\d{2}(:?\d{2}(\.\d{1,6})?)?)?", "time", "HHMMSS or HHMMSS-HHMMSS")
    low, high = re.sub(r"\D", "", low), re.sub(r"\D", "", high)
    return _between(column, low.ljust(12, "0") if low else "", high.ljust(12, "9") if high else "")


def match_number(column: sa.ColumnElement[int], key: str) -> Condition:
    """A whole number (or several, separated by backslash); anything else matches nothing."""
    numbers = [int(one) for one in key.split("\\") if re.fullmatch(r"\s*[+-]?\d{1,18}\s*", one)]
    return column.in_(numbers)


def _one(column: Column, key: str, dialect: str) -> Condition:
    if not re.search(r"[*?]", key):
        return column == key
    if not key.strip("*"):
        return sa.true()
    start = re.split(r"[*?]", key, maxsplit=1)[0]
    fits = _like(column, key, dialect)
    # The fixed beginning lets the database walk its index instead of every row.
    return sa.and_(column >= start, column < start + _LAST, fits) if start else fits


def _like(column: Column, key: str, dialect: str) -> Condition:
    if dialect == "sqlite":  # GLOB has DICOM's own wildcards and minds the case; LIKE there does not
        return column.op("GLOB", is_comparison=True)(key.replace("[", "[[]"))
    escaped = re.sub(r"([\\%_])", r"\\\1", key)
    return column.like(escaped.replace("*", "%").replace("?", "_"), escape="\\")


def _begins_a_part(column: Column, word: str, dialect: str) -> Condition:
    return sa.or_(*(_like(column, f"{before}{word}*", dialect) for before in ("", "*^", "* ")))


def _folded(name: str) -> str:
    return re.sub(r"\s+", " ", name.casefold()).strip(" ^")


def _range(key: str, form: str, what: str, right: str) -> tuple[str, str]:
    low, dash, high = key.strip().partition("-")
    low, high = low.strip().replace(".", "") if what == "date" else low.strip(), high.strip()
    if what == "date":
        high = high.replace(".", "")
    for end in (low, high):
        if end and not re.fullmatch(form, end):
            raise Refused(f"'{key:.40}'", f"it is not a {what} to search for", f"write {right}")
    return low, (high if dash else low)


def _a_day(text: str) -> str:
    if text:
        try:
            date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError:
            raise Refused(f"'{text}'", "the calendar has no such day", "write YYYYMMDD") from None
    return text


def _between(column: Column, low: str, high: str) -> Condition:
    limits = [column != ""]
    if low and low == high:
        return column == low
    if low:
        limits.append(column >= low)
    if high:
        limits.append(column <= high)
    return sa.and_(*limits)
