"""Whatever is asked of the archive, it answers as one would who reads every study; and pages lose none."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from store_samples import after, image, pixels

from isocenter.record import Patient, Study
from isocenter.store import receive

_FAMILY = ("Meier", "MEIER", "Müller", "van der Doe", "Doe", "O'Neil", "Yamada", "Li", "Åkesson", "Ng")
_GIVEN = ("Anna", "anna", "Bernd", "Zoë", "Tarou", "J%n", "A_a")
_WORDS = ("CT chest", "CT [head]", "MR 100%_a", "ct chest", "", "Thorax?")
Row = dict[str, Any]


def some_study(draw: random.Random, n: int) -> Row:
    day = date(2024, 1, 1) + timedelta(days=draw.randrange(900)) if draw.random() < 0.95 else None
    return {
        "StudyInstanceUID": f"1.2.{n}", "PatientID": f"{draw.choice('Pp_%')}{draw.randrange(60)}",
        "PatientName": f"{draw.choice(_FAMILY)}^{draw.choice(_GIVEN)}", "PatientSex": draw.choice("FMO"),
        "AccessionNumber": draw.choice(("", f"A{draw.randrange(40)}", f"a{draw.randrange(40)}")),
        "StudyDate": day.strftime("%Y%m%d") if day else "", "StudyDescription": draw.choice(_WORDS),
        "StudyTime": f"{draw.randrange(24):02}{draw.randrange(60):02}{draw.randrange(60):02}",
        "ModalitiesInStudy": draw.choice(("CT", "MR", "PT", "US")), "day": day,
    }  # fmt: skip


def _record(row: Row) -> Study:
    return image(
        1,
        study=row["StudyInstanceUID"],
        patient=Patient(row["PatientID"], row["PatientName"], None, row["PatientSex"]),
        accession=row["AccessionNumber"],
        date=row["day"],
        time=row["StudyTime"],
        description=row["StudyDescription"],
        modality=row["ModalitiesInStudy"],
    )


def stored(archive: Any, rows: list[Row]) -> None:
    for at in range(0, len(rows), 200):
        files = [(pixels(1, r["StudyInstanceUID"]), _record(r)) for r in rows[at : at + 200]]
        receive(archive.database, archive.blobs, archive.journal, files, "S", after(at))


def some_question(draw: random.Random, rows: list[Row]) -> dict[str, str]:
    near = draw.choice(rows)
    asked: dict[str, str] = {}
    for name in draw.sample(sorted(_FITS), draw.randint(1, 4)):
        value = near[name] if draw.random() < 0.8 else draw.choice(rows)[name]
        if name in ("StudyDate", "StudyTime"):
            other = draw.choice(rows)[name]
            low, high = sorted((value, other))
            value = draw.choice((value, f"{low}-{high}", f"{value}-", f"-{value}")) if value and other else value
        elif name == "StudyInstanceUID":
            value = "\\".join({value, draw.choice(rows)[name], "1.2.999999"})
        elif name != "ModalitiesInStudy" and draw.random() < 0.6:
            letters = list(value)
            for _ in range(draw.randint(0, 2)):
                if letters:
                    letters[draw.randrange(len(letters))] = draw.choice("?*")
            value = draw.choice(("", "*")) + "".join(letters) + draw.choice(("", "*"))
        asked[name] = value
    return asked


def _like(wanted: str, held: str) -> bool:
    if not wanted.strip(" *") and ("*" in wanted or not wanted.strip()):
        return True
    if not held:
        return False
    pattern = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in wanted)
    return re.fullmatch(pattern, held, re.DOTALL) is not None


def _name(wanted: str, held: str) -> bool:
    return _like(wanted.casefold().rstrip("^ "), held.casefold().rstrip("^ "))


def _between(wanted: str, held: str) -> bool:
    if not wanted:
        return True
    low, dash, high = wanted.partition("-")
    return bool(held) and (held == wanted if not dash else (not low or held >= low) and (not high or held <= high))


_FITS: dict[str, Callable[[str, str], bool]] = {
    "PatientID": _like, "AccessionNumber": _like, "StudyDescription": _like, "PatientSex": _like, "PatientName": _name,
    "StudyDate": _between, "StudyTime": _between, "ModalitiesInStudy": lambda wanted, held: wanted == held,
    "StudyInstanceUID": lambda wanted, held: held in wanted.split("\\"),
}  # fmt: skip


def by_eye(asked: dict[str, str], rows: list[Row]) -> set[str]:
    return {r["StudyInstanceUID"] for r in rows if all(_FITS[name](value, r[name]) for name, value in asked.items())}


@pytest.mark.parametrize(("many", "questions"), [(200, 150), pytest.param(10_000, 1000, marks=pytest.mark.nightly)])
def test_any_question_is_answered_as_by_whoever_reads_every_study(archive: Any, many: int, questions: int) -> None:
    draw = random.Random(many)
    rows = [some_study(draw, n) for n in range(many)]
    stored(archive, rows)
    answered = 0
    for _ in range(questions):
        asked = some_question(draw, rows)
        found = {str(row["StudyInstanceUID"]) for row in archive.index.find("STUDY", asked)}
        assert found == by_eye(asked, rows), asked
        answered += 0 < len(found) < many
    assert answered > questions / 3, "questions that tell studies apart"


def test_pages_lose_and_repeat_nothing_that_was_there_while_new_studies_come(archive: Any) -> None:
    """New arrivals stand first: whoever pages may see one again that moved back, and misses none from before."""
    draw = random.Random(3)
    rows = [some_study(draw, n) for n in range(120)]
    stored(archive, rows)
    seen: list[str] = []
    for page in range(40):
        found = [str(r["StudyInstanceUID"]) for r in archive.index.find("STUDY", {}, limit=10, offset=10 * page)]
        seen += found
        if not found:
            break
        stored(archive, [some_study(draw, 1000 + 10 * page + k) for k in range(3)])
    assert set(seen) >= {r["StudyInstanceUID"] for r in rows}
