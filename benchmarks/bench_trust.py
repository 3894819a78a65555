"""What trust costs: durability, sealing at rest and the trace of every look, each with and without.

    python benchmarks/bench_trust.py [--images 200] [--repeat 3] [--folder FOLDER] [--json]

Processor time of this process (user and system, all threads), the best of the repeats by turns, for machines are
shared; the wall clock stands beside it. Images are CT slices of 514 KiB that come in one at a time; a link is looked
through by its verbs, without a network. De-identification has a benchmark of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from isocenter.analysis.registry import Registry
from isocenter.dicom.header import read_header
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.govern.sharing import May
from isocenter.site.through_links import Bearer
from isocenter.site.verbs import Site
from isocenter.store import Blobs, Database, Index, Journal
from isocenter.store.disk import Disk
from isocenter.store.keyring import Keyring
from isocenter.store.master_key import HeldKey
from isocenter.testing.crooked import Elements, image, plain, uid, written

NOW, SCANNER = datetime(2026, 11, 20, 12, tzinfo=UTC), Person("CT1", Role.SERVICE, "aet")
READER = Person("ito", Role.READER)


class Careless(Disk):
    """A disk of which nobody waits for a flush: what durability costs is the difference."""

    def flush(self, descriptor: int) -> None:
        """Believe it."""

    def flush_all(self, descriptor: int) -> None:
        """Believe it."""


@dataclass(frozen=True)
class Way:
    """How an archive is kept."""

    name: str
    sealed: bool = False
    flushed: bool = True


WAYS = (Way("not flushed", flushed=False), Way("in the clear"), Way("sealed", sealed=True))


@contextmanager
def archive(folder: Path, way: Way) -> Iterator[Site]:
    """A site of that way, with one project into which everything comes."""
    keys = Keyring(folder / "keys", HeldKey(bytes(32)))
    database = Database(f"sqlite:///{folder}/a.sqlite")
    blobs = Blobs(str(folder / "blobs"), disk=None if way.flushed else Careless(), keyring=keys)
    site = Site(
        database, blobs, Journal(database, blobs), Index(database, blobs), Registry({}, {}), lambda: NOW, apart=False
    )
    try:
        site.projects.found("trial", "images of a benchmark", who=HOUSE)
        site.projects.rule("trial", SCANNER.name, who=HOUSE)
        site.projects.join("trial", SCANNER.name, Role.SERVICE, of="aet", who=HOUSE)
        keys.home = site.projects.home
        if way.sealed:
            site.sealing.seal("trial", who=HOUSE)
        yield site
    finally:
        site.guests.close()
        blobs.close()
        database.close()


def slices(seed: int, count: int) -> list[bytes]:
    """CT slices of one series, 514 KiB each."""
    rng = random.Random(seed)
    first, study, series = image(rng), uid(rng), uid(rng)
    made = []
    for n in range(count):
        one: Elements = {
            **first, 0x00080018: ("UI", plain(uid(rng), pad=b"\0")), 0x0020000D: ("UI", plain(study, pad=b"\0")),
            0x0020000E: ("UI", plain(series, pad=b"\0")), 0x00200013: ("IS", plain(str(n + 1))),
            0x00280010: ("US", (512).to_bytes(2, "little")), 0x00280011: ("US", (512).to_bytes(2, "little")),
            0x7FE00010: ("OW", rng.randbytes(512 * 512 * 2)),
        }  # fmt: skip
        made.append(written(one))
    return made


def timed(work: Callable[[], object], count: int) -> tuple[float, float]:
    """Milliseconds of processor time and of the clock for each of so many."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.process_time() - cpu) / count * 1000, (time.perf_counter() - wall) / count * 1000


def measure(site: Site, some: list[bytes]) -> dict[str, tuple[float, float]]:
    """Everything of one archive: milliseconds for each image, of a look for each look."""
    count, size = len(some), sum(map(len, some)) / 1e6
    found: dict[str, tuple[float, float]] = {}
    stored: list[str] = []

    def ingest() -> None:
        for data in some:
            (one,) = site.receive([data], sender=SCANNER.name, who=SCANNER)
            assert one.status == "stored", one
            stored.append(one.sop_uid)

    found["ingest, an image"] = timed(ingest, count)
    digests = [site.index.instance(sop)[2].digest for sop in stored]
    found["read, an image, no trace"] = timed(lambda: [site.blobs.get(d) for d in digests], count)
    found["read, an image, with its trace"] = timed(lambda: [site.instance(s, who=HOUSE) for s in stored], count)
    study = read_header(some[0]).uid
    secret, _ = site.sharing.share(study, who=HOUSE, may=(May.VIEW, May.DOWNLOAD))
    holder = Bearer(secret, "192.0.2.1")
    found["link, the study"] = timed(lambda: [site.sharing.studies(holder) for _ in range(50)], 50)
    looked = stored[:50]
    found["link, an image"] = timed(lambda: [site.sharing.instance(holder, sop) for sop in looked], len(looked))
    cpu, wall = timed(lambda: site.mending.scrub(who=HOUSE), 1)
    found["scrub, a megabyte"] = cpu / size, wall / size
    return found


def main() -> None:
    """Measure by turns, and print the best."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--images", type=int, default=200)
    asked.add_argument("--repeat", type=int, default=3)
    asked.add_argument("--folder", type=Path, help="on the disk to be measured")
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    best: dict[str, dict[str, tuple[float, float]]] = {}
    for turn in range(given.repeat + 1):  # the first loads what is loaded once, and does not count
        some = slices(turn, given.images if turn else 8)
        for way in WAYS:
            with tempfile.TemporaryDirectory(dir=given.folder) as folder, archive(Path(folder), way) as site:
                for name, (cpu, wall) in measure(site, some).items() if turn else ():
                    held = best.setdefault(name, {}).get(way.name, (cpu, wall))
                    best[name][way.name] = min(held[0], cpu), min(held[1], wall)
                if not turn:
                    measure(site, some)
    if given.json:
        print(json.dumps({"load": os.getloadavg()[0], **best}, indent=2))
        return
    print(f"processor ms (clock ms), best of {given.repeat} by turns, load {os.getloadavg()[0]:.0f}")
    print(f"{'':32}" + "".join(f"{way.name:>22}" for way in WAYS))
    for name, row in best.items():
        print(f"{name:32}" + "".join(f"{row[w.name][0]:12.2f} ({row[w.name][1]:7.2f})" for w in WAYS))
    for way in WAYS[1:]:
        cpu = best["scrub, a megabyte"][way.name][0]
        print(f"scrub {way.name}: {1000 / cpu:.0f} MB/s of processor time")


if __name__ == "__main__":
    main()
