"""A cohort in numbers that point to nobody, for whoever may see how many there are and no single study.

People are counted, not studies, and a count is rounded down to tens; fewer than ten are not told, nor that there are
any. Two questions must not differ by a few people, or their difference would tell of these: a filter that would change
the answer for fewer than ten is not applied, and says so whether it would leave out nine or nobody. Numbers are
rounded, the oldest are "90", and what people wrote is no field.

A range could be moved until it leaves out one person more, and other filters beside it until the count of tens turns at
that very person. So a filter sees a number as the middle one of at least ten people with the nearest values, and a
word only where ten people have it: no filter tells fewer than ten people apart by one field.

Where the archive gives a key, none to nine people are left out of each count before it is rounded, how many by the key
and by who is counted (as the cell keys of statistical offices: Fraser and Wooton 2005): the same people give the same
number however they are asked for, and no count turns for certain at one person. That alone stops nobody who may ask
without end (Dinur and Nissim 2003), so that each answer also says of which groups of people it told, by keyed digests,
which an archive counts (`isocenter.site.questioning`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from isocenter.errors import Refused
from isocenter.population import table
from isocenter.population.table import FEW, Member

__all__ = ["OLDEST", "STEP", "Tens", "asked", "plots", "rounded"]

STEP = 10
"""To multiples of this counts are rounded down."""

OLDEST = 90.0
"""Years; older people are few enough to be known."""

_SEXES = frozenset({"M", "F", "O"})
_COUNTS = frozenset({"n", "missing"})
_VALUES = frozenset({"median", "p5", "q1", "q3", "p95", "from", "to"})


def rounded(n: int | None) -> int | None:
    """A count in tens, None of fewer than ten.

    >>> rounded(9), rounded(19), rounded(20)
    (None, 10, 20)
    """
    return None if n is None or n < FEW else n // STEP * STEP


@dataclass
class Tens:
    """Counts of people as they are told, and of which groups was told.

    Args:
        key: of the archive; empty for plain tens, from which whoever asks twice can reckon.
        groups: keyed digests of the groups of people that were counted, in that order.
    """

    key: bytes = b""
    groups: list[str] = field(default_factory=list)

    def of(self, people: Iterable[str]) -> int | None:
        """How many people, in tens, fewer by what the key says of them; None where that is below ten."""
        whole = sorted(set(people))
        digest = self._digest("\0".join(whole))
        self.groups.append(digest.hex()[:24])
        return rounded(len(whole) - self._less(digest))

    def cell(self, n: int | None, *path: str) -> int | None:
        """The same of a cell of the group that was counted last."""
        return None if n is None else rounded(n - self._less(self._digest("\0".join([*self.groups[-1:], *path]))))

    def _less(self, digest: bytes) -> int:
        return int.from_bytes(digest[:8], "big") % STEP if self.key else 0

    def _digest(self, text: str) -> bytes:
        return hmac.new(self.key, text.encode(), hashlib.sha256).digest()


def asked(members: Sequence[Member], q: str, field: str, by: str, tens: Tens | None = None) -> dict[str, Any]:
    """How many people meet a question, and the figures of the fields that ten of them have; of fewer people nothing.

    Args:
        tens: how people are counted; it then says of which groups was told.

    Raises:
        Refused: something in the question is no condition, or a field that fewer than ten people have.
    """
    tens, known = tens or Tens(), _known([_plain(m) for m in members])
    of = tens.of(m.patient for m in known)
    kept, ledger = _narrow(known, table.filters(q), tens)
    n = tens.of(m.patient for m in kept)
    told = {"n": n, "of": of, "people": n, "q": q}
    if told["n"] is None:
        return {**told, "ledger": ledger, "fields": [], "chart": None}
    kept = _blurred(kept)
    fields = _fields(kept, tens)
    names = {f["name"] for f in fields}
    if missing := {name for name in (field, by) if name} - names:
        raise Refused(
            f"the field '{sorted(missing)[0]:.60}'", f"fewer than {FEW} people of this question have it, or none",
            "choose one of the list of fields",
        )  # fmt: skip
    chart = _chart(table.chart(kept, field, by), tens) if field else None
    return {**told, "ledger": ledger, "fields": fields, "chart": chart}


def plots(
    members: Sequence[Member], q: str, most: int, tens: Tens | None = None, *, only: Collection[str] = ()
) -> dict[str, Any]:
    """The figures of fields of a question: of those that are named, or of the first of all."""
    tens, known = tens or Tens(), _known([_plain(m) for m in members])
    kept, _ = _narrow(known, table.filters(q), tens)
    n = tens.of(m.patient for m in kept)
    if n is None:
        return {"n": None, "charts": [], "more": 0}
    kept = _blurred(kept)
    fields = _fields(kept, tens, only)
    charts = [{**f, **_chart(table.chart(kept, f["name"]), tens)} for f in fields[:most]]
    return {"n": n, "charts": charts, "more": max(0, len(fields) - most)}


def _fields(kept: Sequence[Member], tens: Tens, only: Collection[str] = ()) -> list[dict[str, Any]]:
    """Of the fields that ten people have and that are told to have them."""
    asked = (f for f in table.fields(kept) if f["n"] is not None and (not only or f["name"] in only))
    coarse = (_coarse(f, tens, str(f["name"])) for f in asked)
    return [f for f in coarse if f["n"] is not None]


def _plain(of: Member) -> Member:
    values = {name: value for name, value in of.values.items() if name != "description"}
    if isinstance(age := values.get("age"), float):
        values["age"] = min(age, OLDEST)
    if values.get("sex", "M") not in _SEXES:
        del values["sex"]
    return replace(of, values=values)


def _known(members: Sequence[Member]) -> list[Member]:
    """With the fields, and the words, that ten people have; one more would tell that there is somebody who has it."""
    had: dict[tuple[str, str], set[str]] = {}
    for m in members:
        for name, value in m.values.items():
            had.setdefault((name, "" if isinstance(value, float) else str(value)), set()).add(m.patient)
    many = {what for what, people in had.items() if len(people) >= FEW}

    def known(name: str, value: float | str) -> bool:
        return (name, "" if isinstance(value, float) else str(value)) in many

    return [replace(m, values={n: v for n, v in m.values.items() if known(n, v)}) for m in members]


def _alike(members: Sequence[Member]) -> dict[str, dict[float, float]]:
    """Of each field with numbers, what stands for each: the middle of its group of at least ten people."""
    people: dict[str, dict[float, set[str]]] = {}
    for m in members:
        for name, value in m.values.items():
            if isinstance(value, float):
                people.setdefault(name, {}).setdefault(value, set()).add(m.patient)
    found: dict[str, dict[float, float]] = {}
    for name, by_value in people.items():
        groups: list[list[float]] = [[]]
        there: set[str] = set()
        for value in sorted(by_value):
            if len(there) >= FEW:
                groups.append([])
                there = set()
            groups[-1].append(value)
            there |= by_value[value]
        if len(there) < FEW and len(groups) > 1:  # the last few are with those before them
            few = groups.pop()
            groups[-1] += few
        found[name] = {value: group[len(group) // 2] for group in groups for value in group}
    return found


def _blurred(members: Sequence[Member]) -> list[Member]:
    """With the middle of ten people for each number: where a histogram ends, and the smallest twentieth, are a person's
    own value otherwise."""
    stands = _alike(members)
    return [
        replace(m, values={n: stands[n][v] if isinstance(v, float) else v for n, v in m.values.items()})
        for m in members
    ]


def _narrow(
    members: Sequence[Member], by: Sequence[table.Filter], tens: Tens
) -> tuple[list[Member], list[dict[str, Any]]]:
    """The newest study of each person who meets every filter that may be applied, and the ledger in tens."""
    left, ledger, stands = list(members), list[dict[str, Any]](), _alike(members)
    names = {name for m in members for name in m.values}

    def holds(one: table.Filter, m: Member) -> bool:
        value = m.values.get(one.name)
        return one.holds(replace(m, values={one.name: stands[one.name][value]}) if isinstance(value, float) else m)

    for one in by:
        if one.name not in names:
            raise Refused(
                f"the field '{one.name:.60}'", f"fewer than {FEW} people have it, or none",
                "choose one of the list of fields",
            )  # fmt: skip
        if one.words and one.name in stands:
            raise Refused(f"the condition '{one}'", "a number is asked for by a range", f"such as {one.name}:40..80")
        kept = [m for m in left if holds(one, m)]
        touched = {m.patient for m in left if not holds(one, m)}
        applies = tens.of(touched) is not None
        out = {m.patient for m in left} - {m.patient for m in kept} if applies else set()
        left = kept if applies else left
        ledger.append({"filter": str(one), "left_out": tens.of(out), "missing": None, "applied": applies})
    newest: dict[str, Member] = {}
    for m in sorted(left, key=lambda m: (str(m.day or ""), m.study)):
        newest[m.patient] = m
    return list(newest.values()), ledger


def _chart(told: Mapping[str, Any], tens: Tens) -> dict[str, Any]:
    """Without what only few have: that a word or a group is there would tell that somebody is in it."""
    found = _coarse({k: v for k, v in told.items() if k != "withheld"}, tens, str(told["field"]))
    return {**found, **{k: [one for one in found[k] if one["n"] is not None] for k in ("groups", "words")}}


def _coarse(told: Mapping[str, Any], tens: Tens, *path: str) -> dict[str, Any]:
    """The same with counts in tens and values in two figures; a bar keeps its height in tens."""
    cells: dict[str, Any] = {k: v for k, v in told.items() if k in ("word", "group", "from")}
    path = (*path, *(f"{k} {v}" for k, v in cells.items()))
    found: dict[str, Any] = {}
    for name, value in told.items():
        if name == "bars":
            found[name] = [tens.cell(n, *path, name, str(k)) or 0 for k, n in enumerate(value)]
        elif isinstance(value, list):
            found[name] = [_coarse(one, tens, *path, name) if isinstance(one, Mapping) else one for one in value]
        elif name in _COUNTS:
            found[name] = tens.cell(value, *path, name)
        elif name in _VALUES and isinstance(value, float):
            found[name] = float(round(value)) if abs(value) >= 100 else float(f"{value:.2g}")
        else:
            found[name] = value
    return found
