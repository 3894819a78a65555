"""Search in an archive of 100,000 studies: how long a person or a PACS waits for an answer.

    python benchmarks/bench_search.py [--studies 100000] [--folder FOLDER] [--json]

Fills an archive once (rows only, no pixels; a folder that holds one already is used again) and times each question as
`Index.find` answers it. The goal is a median of 20 ms for an exact search and for any page
of the list; the 95th centile tells how busy the machine is with other things.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from isocenter.store import Database, Index
from isocenter.store import tables as t
from isocenter.store.matching import name_keys, time_key

FAMILIES = [f"Family{n:04d}" for n in range(4000)]
GIVEN = [f"Given{n:03d}" for n in range(500)]
MODALITIES = ["CT"] * 40 + ["MR"] * 25 + ["DX"] * 25 + ["US"] * 7 + ["PT"] * 2 + ["XA"]
GOAL_MS = 20.0


def fill(database: Database, studies: int) -> None:
    """Rows as the projection would make them: one study, one series, two images each."""
    chance = random.Random(1)
    start = datetime(2020, 1, 1, tzinfo=UTC)
    for first in range(0, studies, 5000):
        rows: dict[str, list[dict[str, Any]]] = {"patient": [], "study": [], "series": [], "instance": []}
        for n in range(first, min(first + 5000, studies)):
            _add(rows, n, start + timedelta(minutes=25 * n), chance)
        database.write(lambda c, r=rows: [c.execute(t.metadata.tables[name].insert(), r[name]) for name in r])


def _add(rows: dict[str, list[dict[str, Any]]], n: int, when: datetime, chance: random.Random) -> None:
    uid, name = f"1.2.826.0.1.{chance.getrandbits(60)}.{n}", f"{chance.choice(FAMILIES)}^{chance.choice(GIVEN)}"
    key, ideographic, phonetic = name_keys(name)
    person = {
        "issuer": "",
        "name_key": key,
        "name_ideographic": ideographic,
        "name_phonetic": phonetic,
        "birth_date": f"19{chance.randrange(30, 99)}0101",
        "sex": chance.choice("FM"),
    }
    modality, moment = chance.choice(MODALITIES), when.strftime("%H%M%S")
    rows["patient"].append({**person, "id": f"P{n:07d}", "name": name})
    rows["study"].append(
        {
            **person,
            "uid": uid,
            "patient_id": f"P{n:07d}",
            "patient_name": name,
            "accession": f"A{n:08d}",
            "date": when.strftime("%Y%m%d"),
            "time": moment,
            "time_key": time_key(moment),
            "description": f"{modality} study",
            "referring": "",
            "referring_key": "",
            "priority": "",
            "arrived": when.isoformat(),
            "modalities": modality,
            "series_count": 1,
            "instance_count": 2,
            "bytes": 1 << 20,
        }
    )
    series = {"uid": f"{uid}.1", "study_uid": uid, "modality": modality, "number": 1, "description": "axial"}
    words = {"body_part": "CHEST", "laterality": "", "frame_of_reference": "", "facts": "{}", "varying": "[]"}
    rows["series"].append({**series, **words, "instance_count": 2})
    for i in (1, 2):
        image = {"sop_uid": f"{uid}.1.{i}", "study_uid": uid, "series_uid": f"{uid}.1", "digest": f"{n:062x}{i:02x}"}
        kind = {"sop_class": "1.2.840.10008.5.1.4.1.1.2", "transfer_syntax": "1.2.840.10008.1.2.1"}
        size = {"size": 1 << 19, "number": i, "rows": 512, "columns": 512, "frames": 1}
        rows["instance"].append({**image, **kind, **size, "facts": "{}"})


def questions(index: Index, studies: int) -> dict[str, tuple[bool, Callable[[], Any]]]:
    """Name -> (whether the goal holds for it, the question)."""
    chance = random.Random(2)
    some = index.find("STUDY", {}, limit=200, offset=studies // 3)
    one = lambda keyword: {keyword: chance.choice(some)[keyword]}  # noqa: E731
    return {
        "study by UID": (True, lambda: index.find("STUDY", one("StudyInstanceUID"))),
        "by accession number": (True, lambda: index.find("STUDY", one("AccessionNumber"))),
        "by patient ID": (True, lambda: index.find("STUDY", one("PatientID"))),
        "by whole name": (True, lambda: index.find("STUDY", one("PatientName"), limit=100)),
        "by family name*": (True, lambda: index.find("STUDY", {"PatientName": f"{chance.choice(FAMILIES)}^*"})),
        "one day": (True, lambda: index.find("STUDY", one("StudyDate"))),
        "first page of 100": (True, lambda: index.find("STUDY", {}, limit=100)),
        "page in the middle": (True, lambda: index.find("STUDY", {}, limit=100, offset=studies // 2)),
        "last page": (True, lambda: index.find("STUDY", {}, limit=100, offset=studies - 100)),
        "page of a common modality": (True, lambda: index.find("STUDY", {"ModalitiesInStudy": "CT"}, limit=100)),
        "page of a rare modality": (True, lambda: index.find("STUDY", {"ModalitiesInStudy": "XA"}, limit=100)),
        "no such modality": (True, lambda: index.find("STUDY", {"ModalitiesInStudy": "RG"}, limit=100)),
        "a month, page of 100": (True, lambda: index.find("STUDY", {"StudyDate": "20220301-20220331"}, limit=100)),
        "series of a study": (True, lambda: index.find("SERIES", one("StudyInstanceUID"))),
        "images of a study": (True, lambda: index.find("IMAGE", one("StudyInstanceUID"))),
        "patient by ID": (True, lambda: index.find("PATIENT", one("PatientID"))),
        "worklist page (studies)": (True, lambda: index.studies(limit=100)),
        "*given name* (no index)": (False, lambda: index.find("STUDY", {"PatientName": "*given123*"}, limit=100)),
        "fuzzy name (no index)": (
            False,
            lambda: index.find("STUDY", {"PatientName": "family0123"}, limit=100, fuzzy=True),
        ),
        "counts": (False, index.counts),
    }


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--repeat", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        database = Database(f"sqlite:///{asked.folder or temporary}/search.sqlite")
        index = Index(database)
        if index.counts()["studies"] == 0:
            fill(database, asked.studies)
        studies = index.counts()["studies"]
        table = {}
        for name, (bound, ask) in questions(index, studies).items():
            times = []
            for _ in range(asked.repeat):
                start = time.perf_counter()
                rows = ask()
                times.append((time.perf_counter() - start) * 1000)
            p95 = statistics.quantiles(times, n=20)[-1]
            met = statistics.median(times) <= GOAL_MS if bound else None
            table[name] = {"rows": len(rows), "median_ms": statistics.median(times), "p95_ms": p95, "met": met}
        database.close()
    if asked.json:
        print(json.dumps({"studies": studies, "questions": table}))
        return
    print(f"{studies} studies")
    for name, row in table.items():
        word = {True: "", False: f"  over {GOAL_MS:g} ms", None: "  (no goal)"}[row["met"]]
        print(f"{name:28} {row['rows']:5} rows  median {row['median_ms']:7.2f} ms  p95 {row['p95_ms']:7.2f} ms{word}")


if __name__ == "__main__":
    main()
