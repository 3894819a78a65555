"""A radiograph is received; how long until the worklist shows it raised, with the reason?

    python benchmarks/bench_flagged.py [--repeat 5]

One house as `isocenter serve` makes it (SQLite, a folder, jobs, analyses apart); the clock runs from
the call that receives the file to the first worklist on which the study stands raised. No peer does this walk.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

# What this file imports at its top, every process of an analysis imports once more (multiprocessing runs the main
# module again in a child), which the command `isocenter serve` does not do: 2 s were counted that no house takes.


def main() -> None:
    from isocenter.app import open_house
    from isocenter.settings import Settings
    from isocenter.testing.phantoms import Person, chest

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    chosen = parser.parse_args()
    files = [
        chest.patient(
            seed=1 + i, opacity="right lower",
            person=Person(f"BENCH-{i}", "PHANTOM^CHEST", "O", "20230105", 0.96, 14.5),
        ).files
        for i in range(chosen.repeat + 1)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        house = open_house(Settings(folder=Path(folder)), server=True)
        try:
            house.work.start()
            house.work.follow()
            times = [flagged(house, list(one)) for one in files]
        finally:
            house.close()
    if None in times[1:]:
        print(f"{times[1:].count(None)} of {chosen.repeat} phantoms were not raised; times of the others:")
    seen = [t for t in times[1:] if t is not None]
    quiet = Settings().quiet_s
    print(f"received to flagged, {len(seen)} runs after one to warm up; {quiet:g} s of it is the wait for quiet\n")
    print("| median s | min-max |\n|---|---|")
    print(f"| {statistics.median(seen):.2f} | {min(seen):.2f}-{max(seen):.2f} |")


def flagged(house: object, files: list[bytes]) -> float | None:
    """Seconds until the study stands raised; None when its analyses are done and it is not."""
    from isocenter.govern.policy import HOUSE
    from isocenter.record import Urgency

    site = house.site  # type: ignore[attr-defined]
    started = time.perf_counter()
    stored = site.receive(files, sender="bench", who=HOUSE)
    study = site.index.instance(stored[0].sop_uid)[0].uid
    while time.perf_counter() - started < 60:
        entry = next(e for e in site.worklist(who=HOUSE) if e.waiting.study.uid == study)
        if entry.level is not Urgency.ROUTINE:
            return time.perf_counter() - started
        if all(row["answer"] != "waiting" for row in site.why(study, who=HOUSE)):
            return None
        time.sleep(0.005)
    return None


if __name__ == "__main__":
    main()
