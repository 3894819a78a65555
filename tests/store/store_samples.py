"""Small records for the tests of this room."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from isocenter.record import Event, Instance, Kind, Origin, Outcome, Patient, Result, Series, Study, canonical
from isocenter.store import tables

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def image(
    number: int = 1,
    *,
    study: str = "1.2.1",
    series: str = "",
    sop: str = "",
    digest: str = "",
    patient: Patient | None = None,
    modality: str = "CT",
    shared: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
    **of_study: Any,
) -> Study:
    """The record of one instance, as the header reader makes it."""
    series = series or f"{study}.1"
    instance = Instance(
        sop or f"{series}.{number}",
        CT,
        EXPLICIT,
        digest,
        0,
        number,
        512,
        512,
        1,
        facts if facts is not None else {"ImagePositionPatient": [0.0, 0.0, float(number)]},
    )
    shared = {"PixelSpacing": [0.7, 0.7]} if shared is None else shared
    one = Series(series, modality, 1, "axial", "CHEST", "", "1.9.9", shared, (instance,))
    more = {"accession": "A1", "date": date(2026, 1, 2), "time": "101530.5", "description": "CT chest"} | of_study
    return Study(study, patient or Patient("P1", "Doe^Jane", date(1970, 1, 2), "F", "HOSPITAL"), series=(one,), **more)


def pixels(number: int = 1, salt: str = "") -> bytes:
    return f"image {number} {salt}".encode() * 40


def result(
    study: str = "1.2.1", *, kind: str = "machine", name: str = "chest", replaces: str = "", **more: Any
) -> Result:
    return Result(study, Outcome.NONE, Origin(kind, name, "1"), NOON, replaces=replaces, **more)


def made(blobs: Any, one: Result, seconds: float = 0.0) -> Event:
    digest = blobs.put(canonical(one))
    return Event(Kind.RESULT_MADE, after(seconds), one.origin.name, one.study_uid, {"result": digest})


def dump(database: Any) -> dict[str, list[Any]]:
    """Every row of the projection, sorted."""
    with database.read() as connection:
        return {t.name: sorted(map(tuple, connection.execute(sa.select(t))), key=repr) for t in tables.PROJECTION}
