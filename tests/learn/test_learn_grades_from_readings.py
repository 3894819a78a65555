"""From what reports, machines and first opinions say to examples with a grade, several classes, or a row of a table."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from isocenter.catalogue.thyroid_nodule import LEVEL, NODULE
from isocenter.errors import Refused
from isocenter.learn.categories import Heard
from isocenter.learn.examples import person
from isocenter.learn.grades_from_readings import Grades
from isocenter.learn.kinds import Classes, Column, ReadFrom, Table
from isocenter.learn.labelled import read_labelled
from isocenter.learn.rows import read_rows
from isocenter.learn.rows_from_readings import TableRows
from isocenter.learn.signed_reports import Number, Row, Signed
from isocenter.learn.teachers import teacher_of
from isocenter.record import Finding, Measurement, Origin, Outcome, Receipt, Result, Verdict, codes
from isocenter.space import Axis, Geometry, Region, Volume

NOW = datetime(2026, 11, 16, 8, tzinfo=UTC)
LEVELS = Classes("nodules", ("TR2", "TR3", "TR4"), (8, 8), ordered=0.5, read_from=ReadFrom("ACR TI-RADS level"))
KINDS = Classes("kinds", ("clear", "Opacity", "Lesion"), (8, 8), read_from=ReadFrom(nothing="clear"))
BOTH = Classes("both", ("Opacity", "Lesion"), (8, 8), several=True)
SIZES = Table(
    "sizes", ("benign", "suspicious"), (Column("size", "number", ("Long axis",), unit="mm"),), ("outcome",),
    read_from=ReadFrom("ACR TI-RADS level", unit="1", cuts=(4,)),
)  # fmt: skip


def level(value: float, verdict: Verdict = Verdict.KEPT) -> Finding:
    return Finding(NODULE, measurements=(Measurement(LEVEL, value, "1"),), verdict=verdict)


def result(*findings: Finding, by: str = "finder", person: bool = False, declined: bool = False) -> Result:
    origin = Origin("person", "ito", parameters={"of": {"analysis": by}}) if person else Origin("machine", by, "1")
    if declined:
        return Result("1.2", Outcome.DECLINED, origin, NOW, reasons=("too small",))
    return Result("1.2", Outcome.FOUND if findings else Outcome.NONE, origin, NOW, findings=findings)


def report(
    final: Sequence[Result], machines: Sequence[Result] = (), first: Heard | None = None, *, study: str = "a",
    reader: str = "ito", minute: int = 0, call: bool = False, row: Row | None = None,
) -> Signed:  # fmt: skip
    calls = [{"analysis": "finder", "mode": "shadow", "machine": True, "final": True, "first": None}] if call else []
    return Signed(study, f"|{study}", reader, NOW.replace(minute=minute).isoformat(), calls, lambda: final,
                  lambda: machines, lambda analysis: first, lambda: row or Row())  # fmt: skip


def taught(how: Classes, *reports: Signed, agreement: float = 0.25) -> dict[str, tuple[int, float, str]]:
    teacher = Grades(how, "finder", ())
    made, _ = teacher.examples(teacher.said(reports)[0], agreement)
    return {e.study: (e.label, e.weight, e.mode) for e in made}


def test_a_grade_that_was_seen_and_left_is_followed_and_one_that_differs_overrules() -> None:
    machine = [result(level(3))]
    own = Heard((level(3),))
    assert taught(
        LEVELS, report(machine, machine, study="followed"),
        report([result(level(4, Verdict.CHANGED), person=True)], machine, study="overruled"),
        report(machine, machine, own, study="own first"),
        report(machine, machine, Heard((level(2),)), study="other first"),
        report([result(level(2), by="")], study="in shadow", call=True),
        report([result(level(2), person=True), result(by="finder", declined=True)], [result(declined=True)],
               study="it declined"),
    ) == {
        "followed": (1, 0.25, "followed"), "overruled": (2, 1.0, "overruled"), "own first": (1, 1.0, "unaided"),
        "other first": (1, 0.25, "followed"), "in shadow": (0, 1.0, "unaided"), "it declined": (0, 1.0, "unaided"),
    }  # fmt: skip


def test_of_several_readers_of_grades_the_middle_of_the_weight_counts() -> None:
    def read(study: str, *levels: int) -> list[Signed]:
        return [report([result(level(v), person=True)], study=study, reader=f"r{k}") for k, v in enumerate(levels)]

    teacher = Grades(LEVELS, "finder", ())
    told, _ = teacher.said([*read("apart", 2, 4), *read("three", 2, 3, 4), *read("most", 4, 4, 2)])
    made, torn = teacher.examples(told, 0.25)
    assert {e.study: (e.label, e.weight) for e in made} == {"three": (1, 1.0), "most": (2, 1.0)} and torn == 1
    assert made[0].readers == ("r0", "r1", "r2")


def test_of_classes_without_an_order_more_weight_than_all_others_counts() -> None:
    opacity, lesion = Finding(codes.OPACITY), Finding(codes.LESION)
    by = [report([result(f)], study="split", reader=n) for f, n in ((opacity, "a"), (lesion, "b"))]
    by.append(report([result()], study="split", reader="c"))
    seen = [result(opacity)]
    teacher = Grades(KINDS, "finder", ())
    told, left = teacher.said([
        *by, report([result(lesion, person=True)], seen, study="heavy", reader="a"),
        report(seen, seen, study="heavy", reader="b"), report([result(opacity, lesion)], study="unclear"),
        report([result(opacity, by="other")], study="not asked"),
        report([result(Finding(codes.OPACITY, verdict=Verdict.STRUCK))], seen, study="struck"),
    ])  # fmt: skip
    made, torn = teacher.examples(told, 0.25)
    assert {e.study: (e.label, e.weight, e.mode) for e in made} == {
        "heavy": (2, 0.75, "overruled"), "struck": (0, 1.0, "overruled"),
    } and torn == 1  # fmt: skip
    assert list(left) == ["unclear"]
    told, left = teacher.said([report([result(opacity, lesion)], study="unclear")])
    assert not told and "two classes at once" in left["unclear"], "what is unclear is not called missing"


def test_several_classes_are_told_each_by_itself(tmp_path: Path) -> None:
    opacity, lesion = Finding(codes.OPACITY), Finding(codes.LESION)
    teacher = teacher_of(BOTH, "finder", ())
    other = result(lesion, by="another")
    told, _ = teacher.said([
        report([result(opacity), other], [result(opacity), other], study="two machines"),
        report([result(opacity, lesion)], study="two", reader="a"), report([result(opacity)], study="two", reader="b"),
        report([result(opacity, lesion)], study="three", reader="a"),
        report([result(lesion)], study="three", reader="b"), report([result(opacity)], study="three", reader="c"),
        report([result()], [result()], study="none"),
        report([result(declined=True)], study="declined"),
    ])  # fmt: skip
    made, torn = teacher.examples(told, 0.25)
    assert {e.study: (e.label, e.weight, e.mode) for e in made} == {
        "two machines": (3, 0.25, "followed"), "none": (0, 0.25, "followed"), "three": (3, 1.0, "unaided"),
    } and torn == 1  # fmt: skip
    grid = Geometry.regular(shape=(1, 8, 8), spacing_mm=(1.0, 1.0, 1.0))
    rng = np.random.default_rng(0)

    def images(study: str, on: Region | None = None, image: str = "") -> tuple[Volume, Sequence[str]]:
        if study == "none":
            return Volume(rng.integers(0, 900, (1, 8, 8)).astype(np.float32), grid), ["e" * 64]
        colours = (Axis("channel", ("R", "G", "B")),)
        return Volume(rng.integers(0, 255, (3, 1, 8, 8), np.uint8), grid, axes=colours), ["d" * 64]

    said = teacher.written(tmp_path / "set", made, images, {})
    assert said["by_class"] == {"Opacity": 2, "Lesion": 2} and said["learned_from"] == ["d" * 64, "e" * 64]
    read = read_labelled(tmp_path / "set", BOTH)
    assert read.weights is not None
    assert sorted(zip(read.labels.tolist(), read.weights.tolist(), strict=True)) == [(0, 0.25), (3, 0.25), (3, 1.0)]
    shapes = sorted(np.asarray(Image.open(p)).shape for p in (tmp_path / "set").rglob("*.png"))
    assert shapes == [(8, 8), (8, 8, 3), (8, 8, 3)], "colours stay"
    with pytest.raises(Refused, match=r"called Mass or Cyst.*Lesion \(SCT:52988006\)"):
        Grades(replace(BOTH, classes=("Mass", "Cyst")), "finder", ()).said([report([result(lesion)])])


def test_each_image_that_the_analysis_looked_at_is_told_by_itself() -> None:
    """As the views of a breast: a class belongs to the image it was said of, and one that lies nowhere to none."""
    right, left = (Receipt(inputs=(f"{k}" * 64,), series=("1.5",)) for k in "ab")
    other = Receipt(inputs=("c" * 64,), series=("1.6",))

    def on(receipt: Receipt, *findings: Finding, person: bool = False) -> Result:
        return replace(result(*findings, person=person), receipt=receipt)

    machines = [on(right, level(2)), on(left, level(3)), on(other, level(4))]
    changed = on(left, level(4, Verdict.CHANGED), person=True)
    made = Grades(LEVELS, "finder", ())
    told, _ = made.said([report([machines[0], changed, machines[2]], machines)])
    assert [(s.image.split()[-1][0], s.final, s.machine) for s in told] == [("a", 0, 0), ("b", 2, 1), ("c", 2, 2)]
    assert [(e.label, e.weight) for e in made.examples(told, 0.25)[0]] == [(0, 0.25), (2, 1.0), (2, 0.25)]
    mask = np.ones((1, 8, 8), bool)
    grid = Geometry.regular(shape=(1, 8, 8), spacing_mm=(1.0, 1.0, 1.0))
    marked = Finding(codes.LESION, where=Region(grid, mask=mask, series_uid="1.6"))
    both = Grades(BOTH, "finder", ())
    drawn, bare = result(marked, by="", person=True), result(Finding(codes.LESION), by="", person=True)
    opacity = on(left, Finding(codes.OPACITY))
    told, lacks = both.said([
        report([opacity, on(other), drawn], [], Heard((marked,)), study="marked"),
        report([opacity, on(other), bare], study="nowhere"), report([opacity, bare], study="one image"),
    ])  # fmt: skip
    assert [(s.study, s.final, s.first) for s in told] == [
        ("marked", 1, 0), ("marked", 2, 2), ("one image", 3, None),
    ] and list(lacks) == ["nowhere"]  # fmt: skip
    how = replace(SIZES, through="pneumoniamnist")
    told, lacks = TableRows(how, "finder", ()).said([report(machines), report(machines[:1], study="b")])
    assert [s.study for s in told] == ["b"] and "several images" in lacks["a"]
    told, _ = TableRows(SIZES, "finder", ()).said([report(machines)])
    assert [(s.study, s.final) for s in told] == [("a", 1)], "a row is of the whole study"


def row(**sizes: tuple[float, str]) -> Row:
    facts: dict[str, float | str] = {"age": 61.0, "sex": "F", "modality": "US"}
    numbers = {name: Number(codes.LONG_AXIS, v, unit) for name, (v, unit) in sizes.items()}
    return Row(facts, numbers, ("d" * 64,))


def rows_of(how: Table, folder: Path, *rows: Row) -> list[dict[str, str]]:
    teacher = teacher_of(how, "finder", ())
    reports = [
        report([result(level(2 + 2 * (k % 2)))], study=f"s{k}", row=one, call=True) for k, one in enumerate(rows)
    ]
    made, _ = teacher.examples(teacher.said(reports)[0], 0.25)
    grid = Geometry.regular(shape=(1, 8, 8), spacing_mm=(1.0, 1.0, 1.0))
    teacher.written(
        folder, made, lambda uid, on=None, image="": (Volume(np.eye(8, dtype=np.float32)[None], grid), []), {}
    )
    with (folder / "rows.csv").open(newline="") as text:
        return list(csv.DictReader(text))


def test_rows_hold_what_was_measured_in_the_unit_of_the_column(tmp_path: Path) -> None:
    made = rows_of(SIZES, tmp_path / "a", row(x=(12.5, "mm")), row(x=(0.75, "cm")), row())
    assert [r["size"] for r in made] == ["12.5", "7.5", ""]
    assert [r["outcome"] for r in made] == ["benign", "suspicious", "benign"]
    assert person(made[0]["person"]) != person(made[1]["person"])
    read = read_rows(tmp_path / "a", SIZES)
    assert read.labels.tolist() == [0, 1, 0] and np.isnan(read.values[2, 0])
    assert read.weights is not None and read.weights.tolist() == [1, 1, 1]
    assert json.loads((tmp_path / "a" / "examples.json").read_text())["learned_from"] == ["d" * 64]


def test_a_column_takes_the_field_that_it_names_and_the_next_where_that_is_not_there(tmp_path: Path) -> None:
    two = [row(x=(1.0, "mm"), y=(2.0, "mm")), row(y=(3.0, "mm"))]
    with pytest.raises(Refused, match="'size' may be x or y"):
        rows_of(SIZES, tmp_path / "a", *two)
    named = replace(SIZES, columns=(Column("size", "number", ("x", "y"), unit="mm"),))
    assert [r["size"] for r in rows_of(named, tmp_path / "b", *two)] == ["1", "3"]
    with pytest.raises(Refused, match=r"in cm and in mm.*one unit"):
        free = replace(SIZES, columns=(Column("size", "number", ("x",)),))
        rows_of(free, tmp_path / "c", row(x=(1, "mm")), row(x=(1, "cm")))


def test_a_table_that_looks_through_a_model_has_a_picture_beside_each_row(tmp_path: Path) -> None:
    how = replace(SIZES, through="pneumoniamnist")
    made = rows_of(how, tmp_path / "a", row(x=(12.5, "mm")), row(x=(7.5, "mm")))
    read = read_rows(tmp_path / "a", how)
    assert [p.is_file() for p in read.files] == [True, True] and made[0]["file"].startswith("pictures/person")


def test_the_outcome_of_a_table_may_be_the_question_of_the_analysis(tmp_path: Path) -> None:
    how: Any = replace(SIZES, read_from=None)
    teacher = TableRows(how, "finder", ())
    told, _ = teacher.said(
        [report([result()], study="a", call=True, row=row(x=(1, "mm"))), report([result()], study="b")]
    )
    assert [(s.study, s.final, s.answer.numbers["x"].value) for s in told] == [("a", True, 1.0)]


def test_yes_and_no_of_several_images_stay_with_them() -> None:
    how = Classes("opacity", ("clear", "Opacity"), (8, 8))

    def of(study: str, *calls: tuple[str | None, bool, bool]) -> Signed:
        told = [
            {"analysis": "finder", "mode": "shadow", "machine": machine, "final": final, "first": None}
            | ({} if image is None else {"image": image})
            for image, machine, final in calls
        ]
        return Signed(study, "|p", "ito", NOW.isoformat(), told, list)

    reports = [
        of("new", ("1.5 aa", True, True), ("1.5 bb", True, False)), of("old", (None, True, True), (None, False, False)),
        of("old, alike", (None, True, True), (None, False, True)),
    ]  # fmt: skip
    told, left = teacher_of(how, "finder", ()).said(reports)
    assert [(s.study, s.image, s.final) for s in told] == [
        ("new", "1.5 aa", True), ("new", "1.5 bb", False), ("old, alike", "", True),
    ] and list(left) == ["old"]  # fmt: skip
    rows, left = TableRows(replace(SIZES, read_from=None), "finder", ()).said(reports)
    assert [(s.study, s.final) for s in rows] == [("new", True), ("old", True), ("old, alike", True)] and not left
