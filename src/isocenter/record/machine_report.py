"""What a machine measured and sent as a structured report: each number with its unit, and whom it is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from isocenter.record.codes import Code

__all__ = ["MachineReport", "Reported", "ReportedDay", "Subject", "newest_first"]


@dataclass(frozen=True)
class Subject:
    """One of several whom a report is about (PS3.16 TID 1008); both empty where it is the patient, or only one."""

    name: str = ""
    number: str = ""


@dataclass(frozen=True)
class Reported:
    """One number of a report.

    Args:
        what: its concept. meanings: codes that the report gives as equal to it.
        value, unit: as they stand there; the unit is the code, which should be UCUM's.
        subject: whom it is of.
        within: concepts of the containers around it, from the outermost.
        site: where it was measured, where that is told apart from the concept.
        derived: how it came about (mean, calculated); chosen: why it is the one of several to be used.
    """

    what: Code
    value: float
    unit: str
    subject: Subject = Subject()
    within: tuple[Code, ...] = ()
    meanings: tuple[Code, ...] = ()
    site: Code | None = None
    derived: Code | None = None
    chosen: Code | None = None


@dataclass(frozen=True)
class ReportedDay:
    """One date of a report."""

    what: Code
    day: date
    subject: Subject = Subject()


@dataclass(frozen=True)
class MachineReport:
    """One structured report of a machine.

    Args:
        sop_uid: of the report. replaces: reports that it was made from and stands for.
        written: when, YYYYMMDDhhmmss or the beginning of it. day: of the examination.
    """

    sop_uid: str
    title: Code
    written: str = ""
    day: date | None = None
    replaces: tuple[str, ...] = ()
    numbers: tuple[Reported, ...] = ()
    days: tuple[ReportedDay, ...] = ()


def newest_first(reports: Sequence[MachineReport]) -> list[MachineReport]:
    """Each report once, without those that another one was made from and stands for."""
    gone = {uid for one in reports for uid in one.replaces}
    once = {one.sop_uid: one for one in reports if one.sop_uid not in gone}
    return sorted(once.values(), key=lambda one: one.written, reverse=True)
