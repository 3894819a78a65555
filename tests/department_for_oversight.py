"""A small department whose journal was written by hand: thirty studies, two readers, one AI.

Study n (1 … 30) becomes available at 8:00 + 30 min x (n - 1) on Monday, 16 November 2026, is opened n minutes later and
signed five minutes after that; ito signs the odd ones, lee the even ones. CT north 1 … 10, MR north 11 … 20, CT south
21 … 30. The AI calls an opacity in every third study; readers strike it in 6 and 12 and add one in 1 and 4. What turned
out to be true is what was signed, but for 9 (there was none) and 6 (there was one).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from isocenter.app import open_house
from isocenter.govern.policy import Person, Role
from isocenter.record import (
    Event,
    Finding,
    Instance,
    Kind,
    Origin,
    Outcome,
    Patient,
    Result,
    Series,
    Study,
    Urgency,
    Verdict,
    canonical,
    codes,
)
from isocenter.settings import Settings
from isocenter.site.verbs import Site
from isocenter.store.intake import receive

MONDAY = datetime(2026, 11, 16, 8, tzinfo=UTC)
AI = "chest_xray_opacity"
CHIEF, ITO, LEE, RUIZ = Person("chief", Role.ADMIN), *(Person(n, Role.READER) for n in ("ito", "lee", "ruiz"))
FOUND = {n for n in range(1, 31) if n % 3 == 0}
STRUCK, ADDED = {6, 12}, {1, 4}
TRUE = (FOUND - STRUCK | ADDED | {6}) - {9}


@dataclass
class Clock:
    """The time of the tests."""

    now: datetime = MONDAY + timedelta(days=2)

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def department(folder: Path, *, read: int = 30) -> Iterator[tuple[Site, Clock]]:
    """The archive with its first `read` studies read."""
    house = open_house(Settings(folder=folder / "archive"), apart=False)
    clock = Clock()
    site = replace(house.site, clock=clock)
    for person in (CHIEF, ITO, LEE, RUIZ):
        told = {"role": person.role.value, "credential": "none"}
        site.journal.append(Event(Kind.PERSON_ADDED, MONDAY, "isocenter", person.name, told))
    told = {"settings": {"unasked": {"research": "allow"}}, "changed": ["unasked"], "reason": "phantoms"}
    site.journal.append(Event(Kind.SETTINGS_CHANGED, MONDAY, "chief", "site", told))
    for n in range(1, read + 1):
        _study(site, n)
    try:
        yield site, clock
    finally:
        house.close()


def uid(n: int) -> str:
    """Study Instance UID of study n."""
    return f"1.2.{n}"


def at(n: int, minute: float = 0) -> datetime:
    """A moment after study n became available."""
    return MONDAY + timedelta(minutes=30 * (n - 1) + minute)


def report_of(n: int) -> bytes:
    """What was signed of study n: one sentence of a person and one of a machine."""
    words = {f"Words of a person on study {n}.": False, f"Not detected by {AI} 1.": True}
    return canonical({"sentences": [{"section": "Findings", "text": t, "machine": m} for t, m in words.items()]})


def _study(site: Site, n: int) -> None:
    facts = {"InstitutionName": "south" if n > 20 else "north"}
    image = Instance(f"{uid(n)}.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "", 1, 1, 8, 8, 1)
    series = Series(f"{uid(n)}.1", "MR" if 11 <= n <= 20 else "CT", 1, facts=facts, instances=(image,))
    patient = Patient(f"P{n:02d}", f"PHANTOM^{n}")
    record = Study(uid(n), patient, f"A{n}", date(2026, 11, 16), description=f"study {n}", series=(series,))
    receive(site.database, site.blobs, site.journal, [(b"image %d" % n, record)], "CT1", at(n))
    found = Finding(codes.OPACITY, 0.9, words="An opacity.", tracking=f"2.25.{n}")
    machine = Result(
        uid(n), Outcome.FOUND if n in FOUND else Outcome.NONE, Origin("machine", AI, "1"), at(n, 0.5),
        findings=(found,) if n in FOUND else (), urgency=Urgency.SOON if n in FOUND else Urgency.ROUTINE,
    )  # fmt: skip
    reader = "ito" if n % 2 else "lee"
    keep(site, machine, "isocenter", at(n, 0.5))
    site.journal.append(Event(Kind.READING_OPENED, at(n, n), reader, uid(n), {"by": reader}))
    if n in FOUND:
        verdict = Verdict.STRUCK if n in STRUCK else Verdict.KEPT
        origin = Origin("person", reader, parameters={"of": {"analysis": AI, "version": "1", "model": ""}})
        decided = replace(found, verdict=verdict)
        keep(
            site,
            replace(machine, origin=origin, findings=(decided,), made=at(n, n + 2), replaces=machine.id),
            reader,
            at(n, n + 2),
        )
    if n in ADDED:
        added = replace(found, verdict=Verdict.ADDED)
        keep(
            site,
            Result(uid(n), Outcome.FOUND, Origin("person", reader), at(n, n + 2), findings=(added,)),
            reader,
            at(n, n + 2),
        )
    signed = {"report": site.blobs.put(report_of(n))}
    site.journal.append(Event(Kind.REPORT_SIGNED, at(n, n + 5), reader, uid(n), signed))
    told = {"analysis": AI, "present": n in TRUE, "source": "conference"}
    site.journal.append(Event(Kind.OUTCOME_KNOWN, at(n, 2000), "chief", uid(n), told))


def keep(site: Site, result: Result, who: str, now: datetime) -> None:
    """Record a result."""
    digest = site.blobs.put(canonical(result))
    site.journal.append(Event(Kind.RESULT_MADE, now, who, result.study_uid, {"result": digest}))
