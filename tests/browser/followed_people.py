"""Forty people of two sexes with three studies each, two of them measured, and two federations: what the parts of a
cohort's page show."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from department_for_oversight import MONDAY, keep
from isocenter.govern.policy import HOUSE
from isocenter.record import (
    Event,
    Finding,
    Instance,
    Kind,
    Measurement,
    Origin,
    Outcome,
    Patient,
    Receipt,
    Result,
    Series,
    Study,
    codes,
)
from isocenter.site.verbs import Site
from isocenter.store.intake import receive

LIVER = "liver-volumetry.volume"
"""The field of what is measured here."""


def followed(site: Site) -> None:
    """Bring them: from the second year on the volume of every second man lies above 1900 mL."""
    rng = np.random.default_rng(3)
    for n in range(40):
        sex, base = ("M", 1600.0) if n % 2 else ("F", 1450.0)
        for visit in range(3):
            day = date(2020 + n % 4, 3, 1) + timedelta(days=visit * (150 + 9 * n))
            grown = 450.0 if visit == 2 and n % 4 == 1 else 0.0
            _study(site, n, visit, sex, day, base + grown + float(rng.normal(0, 60)))


def _study(site: Site, n: int, visit: int, sex: str, day: date, volume_ml: float) -> None:
    uid = f"1.2.9.{n}.{visit}"
    image = Instance(f"{uid}.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "", 1, 1, 8, 8, 1)
    series = Series(f"{uid}.1", "CT", 1, instances=(image,))
    patient = Patient(f"F{n:02d}", f"PHANTOM^F{n}", birth_date=date(1950 + n, 1, 1), sex=sex)
    record = Study(uid, patient, f"F{n}{visit}", day, description="liver", series=(series,))
    receive(site.database, site.blobs, site.journal, [(f"{uid}".encode(), record)], "CT1", MONDAY)
    measured = Measurement(codes.VOLUME, volume_ml, "mL")
    origin, sources = Origin("machine", "liver_volumetry", "1"), Receipt(series=(series.uid,))
    seen = (_lesion(visit),) if n == 0 and visit < 2 else ()
    result = Result(
        uid, Outcome.FOUND if seen else Outcome.NONE, origin, MONDAY, findings=seen, measurements=(measured,),
        receipt=sources,
    )  # fmt: skip
    keep(site, result, "isocenter", MONDAY)
    site.journal.append(Event(Kind.READING_OPENED, MONDAY, "ito", uid, {"by": "ito"}))
    site.journal.append(Event(Kind.REPORT_SIGNED, MONDAY, "ito", uid, {"report": f"{n:064x}"}))


def _lesion(visit: int) -> Finding:
    """Of the first person: so far apart that nobody would take the two for one without a word of a reader."""
    size = Measurement(codes.LONG_AXIS, 10.0 + 4 * visit, "mm")
    place = (codes.LUNG, codes.LEFT) if visit else (codes.LIVER, None)
    return Finding(codes.LESION, 0.9, None, (size,), *place, "A lesion.", f"2.25.77{visit}")


def federated(site: Site) -> None:
    """A run that this archive coordinates, with a site lost and twelve pictures set aside, and one it takes part in."""
    told = site.federation.happened
    agreed = {"task": "pneumoniamnist", "method": "fedavg", "rounds": 3, "at_least": 3, "privacy": "", "delta": 1e-5}
    told("joined", {"run": "c0ffee", "role": "coordinator", **agreed}, who=HOUSE)
    for number, lost in ((1, []), (2, ["east"])):
        inside = [s for s in ("east", "north", "south", "west") if s not in lost]
        moved = dict.fromkeys(("east", "north", "south", "west"), 4_100_000 + number)
        told(
            "round",
            {"run": "c0ffee", "role": "coordinator", "round": number, "sites": inside, "lost": lost, "bytes": moved,
             "aside": {"west": 12}, "seconds": 4.0},
            who=HOUSE,
        )  # fmt: skip
    own = {
        **agreed,
        "task": "chest_xray_opacity",
        "privacy": "person",
        "aside": 3,
        "most_epsilon": 3.0,
        "ground": "terms of use of each study",
    }
    told("joined", {"run": "5175", **own}, who=HOUSE)
    told("round", {"run": "5175", "round": 1, "bytes": 9_000, "pictures": 310, "aside": 3, "epsilon": 1.2}, who=HOUSE)
