"""A table of many studies: filters with their ledger, what is missing, and small cells that stay here."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from isocenter.errors import Refused
from isocenter.population.table import FEW, Field, Member, chart, fields, filters, measured, member, narrow
from isocenter.record import Finding, Measurement, Origin, Outcome, Patient, Result, Study, Verdict, codes

NOON = datetime(2026, 11, 20, tzinfo=UTC)


def studies(n: int, *, sized: int | None = None) -> list:
    made = []
    for k in range(n):
        patient = Patient(f"P{k}", "", date(1960 + k, 11, 21), "F" if k % 2 else "M")
        size = (Measurement(codes.LONG_AXIS, 10.0 + k, "mm"),) if sized is None or k < sized else ()
        one = Finding(codes.LESION, measurements=size, tracking=f"2.{k}")
        struck = Finding(codes.LESION, measurements=(Measurement(codes.LONG_AXIS, 99.0, "mm"),), verdict=Verdict.STRUCK)
        result = Result(f"1.{k}", Outcome.FOUND, Origin("machine", "volumetry", "1"), NOON, findings=(one, struck))
        study = Study(f"1.{k}", patient, date=date(2026, 11, 20), description="CT chest")
        made.append(member(study, ("CT",), [measured(result, "volumetry", "2" if k < 12 else "1")]))
    return made


SIZE = "volumetry.lesion.long-axis"


def test_a_row_has_age_and_the_largest_of_what_was_not_struck() -> None:
    one = studies(1)[0]
    assert one.values["age"] == 65.0, "the birthday is tomorrow"
    assert one.values[SIZE] == 10.0 and one.known[SIZE].unit == "mm"
    assert one.known[SIZE].title == "Volumetry: Lesion: Long axis"


def test_filters_narrow_and_the_ledger_adds_up() -> None:
    many = studies(30, sized=24)
    kept, ledger = narrow(many, filters(f"age:40..60 sex:F {SIZE}:..30"))
    left = [n for _, n, _ in ledger]
    assert len(kept) + sum(left) == 30
    assert [words for words, _, _ in ledger] == ["age: 40 to 60", "sex: F", f"{SIZE}: up to 30"]
    assert all(40 <= float(m.values["age"]) <= 60 and m.values["sex"] == "F" for m in kept)
    assert narrow(many, filters(f"{SIZE}:0..1000"))[1] == [(f"{SIZE}: 0 to 1000", 6, 6)], "what is missing is told"
    assert narrow(many, ()) == (many, [])
    assert len(narrow(many, filters('description:"CT chest"'))[0]) == 30
    for bad in ("age", "age:..", "nonsense words"):
        with pytest.raises(Refused):
            filters(bad)
    with pytest.raises(Refused, match="no study here has it"):
        narrow(many, filters("shoe:42"))


def test_fields_tell_how_many_have_them() -> None:
    told = {f["name"]: f for f in fields(studies(30, sized=18))}
    size = told[SIZE]
    assert (size["n"], size["missing"], size["median"], size["unit"], size["kind"]) == (18, 12, 18.5, "mm", "number")
    assert told["sex"]["kind"] == "words" and told["age"]["missing"] == 0
    assert (size["made_by"], size["source"], told["age"]["source"]) == (
        "volumetry", "", "Patient's Birth Date, Study Date"
    )  # fmt: skip
    assert size["versions"] == [{"version": "1", "n": None}, {"version": "2", "n": 12}], "6 by version 1 are withheld"
    few = {f["name"]: f for f in fields(studies(30, sized=9))}[SIZE]
    assert (few["n"], few["missing"], few["median"], few["bars"]) == (None, 21, None, [])


def test_no_cell_below_ten_is_told() -> None:
    told = chart(studies(30), SIZE, by="sex")
    assert all(b["n"] is None or b["n"] == 0 or b["n"] >= FEW for b in told["bins"])
    assert [(g["group"], g["n"]) for g in told["groups"]] == [("M", 15), ("F", 15)]
    assert told["groups"][0]["median"] == 24.0
    small = chart(studies(12), SIZE, by="sex")
    assert [g["n"] for g in small["groups"]] == [None, None]
    assert chart(studies(9), SIZE)["groups"] == [{"group": "all", "n": None}] and chart(studies(9), SIZE)["bins"] == []
    words = chart(studies(21), "sex")
    assert (words["words"], words["withheld"]) == ([{"word": "M", "n": 11}, {"word": "F", "n": 10}], 0)
    with pytest.raises(Refused):
        chart(studies(3), "shoe")


def test_a_thousand_fields_of_a_few_studies_each_are_gone_through_once() -> None:
    looks = 0

    class Counted(dict[str, float]):
        def __contains__(self, name: object) -> bool:
            nonlocal looks
            looks += 1
            return super().__contains__(name)

        def __getitem__(self, name: str) -> float:
            nonlocal looks
            looks += 1
            return super().__getitem__(name)

    known = {f"f{k}": Field(f"f{k}", f"F {k}") for k in range(300)}
    many = [Member(f"1.{k}", f"P{k}", Counted({f"f{k}": 1.0}), known) for k in range(300)]
    assert len(fields(many)) == 300 and looks < 3000, looks
