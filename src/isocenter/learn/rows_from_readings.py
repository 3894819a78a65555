"""Signed readings that teach tables: one row a study, of its age and sex, of what was measured, and what was signed.

A number that stands in the signed report is taken as the person left it; where the report has none of it, that of the
study's other answers, as the table of a cohort has them. What is nowhere is a gap. Two fields that a column might mean
are refused, and so is a unit that is not the column's and cannot be brought to it exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isocenter import wholly
from isocenter.errors import Refused
from isocenter.learn.categories import is_called
from isocenter.learn.examples import person
from isocenter.learn.from_readings import Example, Said, YesOrNo, laid, picture_of, stored
from isocenter.learn.grades_from_readings import Grades, table_text
from isocenter.learn.images_of_reports import parted
from isocenter.learn.kinds import Column, Table
from isocenter.learn.sheet import plain
from isocenter.learn.signed_reports import Images, Row, Signed
from isocenter.record import Code
from isocenter.record.ucum import converted

__all__ = ["TableRows"]

_MOST = 15  # names that a refusal lists
_FACTS = {"age": "age", "sex": "sex", "gender": "sex", "modality": "modality", "year": "year"}
"""What a column may be called -> what is known of a study without a measurement."""
_YEARS = ("", "a", "year", "years", "yr")
_SEXES = {"F": ("female", "woman", "f", "w"), "M": ("male", "man", "m")}
"""What Patient's Sex says -> the words of a column that mean it."""


class TableRows:
    """How signed reports teach recipes of tables; see `teachers.Teacher`."""

    def __init__(self, how: Table, analysis: str, looks_for: Collection[Code]) -> None:
        self._how, self._analysis = how, analysis
        self._outcome: YesOrNo | Grades = YesOrNo(how, analysis, looks_for, apart=False)
        self._words: Sequence[str] = how.classes
        if how.read_from is not None:
            self._outcome = graded = Grades(how, analysis, looks_for, apart=False)
            self._words = graded.question.classes

    def said(self, signed: Iterable[Signed]) -> tuple[list[Said], dict[str, str]]:
        """What each report says of the outcome, and the row that belongs to it."""
        every = list(signed)
        rows = {(one.study, one.reader, one.time): one.row for one in every}
        told, left = self._outcome.said(every)
        if self._how.through:
            many = {one.study for one in every if len(parted(one.results(), self._analysis)[0]) > 1}
            left = left | dict.fromkeys(many & {one.study for one in told}, "the analysis looked at several images")
            told = [one for one in told if one.study not in many]
        return [replace(one, answer=rows[one.study, one.reader, one.time]()) for one in told], left

    def examples(self, told: Iterable[Said], agreement: float) -> tuple[list[Example], int]:
        """One example a study, as of classes; the row is that of the weightiest reader."""
        return self._outcome.examples(told, agreement)

    def written(
        self, out: Path, examples: Sequence[Example], images: Images, told: Mapping[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        """``rows.csv``, with a picture beside each row where the recipe looks at one.

        Raises:
            Refused: a column that no study has, that two fields may mean, or in a unit that is not its own.
        """
        sources = _Sources([one.answer for one in examples])
        places = [sources.of(column) for column in self._how.columns]
        rows: list[list[str]] = []

        def keep(one: Example, name: str) -> tuple[str, list[str], Sequence[str]]:
            row: Row = one.answer
            cells = [_cell(column, row, place) for column, place in zip(self._how.columns, places, strict=True)]
            file, digests = "", list(row.digests)
            if self._how.through:
                volume, digests = images(one.study)[0], list(images(one.study)[1])
                file = stored(out, f"pictures/{name}", picture_of(volume))
            word = self._words[one.label]
            rows.append([*cells, word, person(name), *([file] if file else [])])
            return f"row {len(rows)}", [word], digests

        filled = {column.name: 0 for column in self._how.columns}
        report = laid(out, examples, self._words, keep, {**told, "columns": dict(zip(filled, map(list, places),
                      strict=True))}, must_differ=True)  # fmt: skip
        head = [*filled, self._how.label[0], "person", *(["file"] if self._how.through else [])]
        wholly.write(out / "rows.csv", table_text([head, *rows]))
        return report


class _Sources:
    """What the studies have that a column may be filled from."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._codes: dict[str, Code] = {}
        self._units: dict[str, set[str]] = {}
        for row in rows:
            for name, number in row.numbers.items():
                self._codes[name] = number.what
                self._units.setdefault(name, set()).add(number.unit)

    def of(self, column: Column) -> tuple[str, ...]:
        """The fields that fill a column; of several, which it names itself, the first that a study has.

        Raises:
            Refused: there is none, or it is not clear which; or its unit is not that of the column.
        """
        names = (column.name, *column.known_as)
        if fact := next((_FACTS[n] for n in map(plain, names) if n in _FACTS), ""):
            if fact == "age" and column.kind == "number" and column.unit not in _YEARS:
                raise Refused(f"'{column.name}' in {column.unit}", "the age of a study is in years", 'write unit = "a"')
            if fact == "sex" and any(_sex(sex, column) == "" for sex in _SEXES):
                raise Refused(f"the values of '{column.name}' are '{column.unit}'", "which of them is which sex?",
                              'write values = [0, 1] and unit = "female | male"')  # fmt: skip
            return (fact,)
        by_name = tuple(f for n in names for f in self._codes if plain(f) == plain(n))
        fields = by_name or tuple(sorted(f for f, what in self._codes.items() if is_called(what, *names)))
        if not fields:
            has = ", ".join(sorted({f"{what.meaning} ({f})" for f, what in self._codes.items()})[:_MOST])
            raise Refused(
                f"no study has anything for the column '{column.name}'",
                f"there are age, sex, and of what was measured {has or 'nothing'}",
                "name the column, or known_as of it, after one of them: by its words, its code, or the field",
            )  # fmt: skip
        if not by_name and len(fields) > 1:
            raise Refused(
                f"the column '{column.name}' may be {' or '.join(fields[:_MOST])}", "they are different things",
                f'name the one that is meant: known_as = ["{fields[0]}"]',
            )  # fmt: skip
        if column.kind == "number":
            self._must_fit(column, fields)
        return fields

    def _must_fit(self, column: Column, fields: Sequence[str]) -> None:
        units = sorted({unit for name in fields for unit in self._units[name]})
        if not column.unit and len(units) > 1:
            raise Refused(f"'{column.name}' is measured in {' and in '.join(units)}", "a column has one unit",
                          f'say which: unit = "{units[0]}"')  # fmt: skip
        if column.unit and (odd := [unit for unit in units if converted(1.0, unit, column.unit) is None]):
            raise Refused(
                f"'{column.name}' is measured in {odd[0]}, and the column is in {column.unit}",
                "the one cannot be brought to the other exactly", f'write unit = "{odd[0]}", in letters of UCUM',
            )  # fmt: skip


def _cell(column: Column, row: Row, fields: Sequence[str]) -> str:
    """A value as it is written in a table; empty where there is none."""
    if fields[0] in _FACTS.values():
        value = row.facts.get(fields[0], "")
        if fields[0] == "sex":
            return _sex(str(value), column)
        return f"{value:g}" if isinstance(value, float) else str(value)
    number = next((row.numbers[name] for name in fields if name in row.numbers), None)
    if number is None:
        return ""
    wanted = column.unit if column.kind == "number" and column.unit else number.unit
    there = converted(number.value, number.unit, wanted)
    return "" if there is None else f"{there:.12g}"


def _sex(said: str, column: Column) -> str:
    """The word that a column has for a sex; empty for one that it has not, as for *other*."""
    words = column.unit.split(" | ") if column.kind == "code" else []
    return next((word for word in words if plain(word) in _SEXES.get(said.upper(), ())), "")
