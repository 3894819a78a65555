"""Receiving into the store: durable images a second, beside what the disk itself can do.

    python benchmarks/bench_store.py [--images 300] [--kib 514] [--folder FOLDER] [--json]

The peer is the disk: the same bytes written, flushed, named and their folder flushed, with nothing else (`floor`).
Every other figure includes the digest, the index, the journal and their flush: an image is acknowledged after them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from isocenter.record import Instance, Patient, Series, Study
from isocenter.store import Blobs, Database, Journal, rebuild, receive
from isocenter.store.disk import Disk

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def record(study: int, number: int) -> Study:
    """What the header reader makes of one CT slice."""
    facts = {
        "ImagePositionPatient": [-180.5, -180.5, number * 1.25],
        "AcquisitionTime": f"{100000 + number}.25",
        "ContentTime": f"{100000 + number}.50",
        "SliceLocation": number * 1.25,
        "Exposure": number % 7,
    }
    shared = {
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "PixelSpacing": [0.7, 0.7],
        "SliceThickness": 1.25,
        "KVP": 120,
        "Manufacturer": "ACME",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "RescaleSlope": 1.0,
        "RescaleIntercept": -1024.0,
    }
    uid = f"1.2.826.0.1.3680043.{study}"
    one = Instance(
        f"{uid}.1.{number}", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "", 0, number, 512, 512, 1, facts
    )
    series = Series(f"{uid}.1", "CT", 1, "axial", "CHEST", "", f"{uid}.9", shared, (one,))
    patient = Patient(f"P{study}", "Doe^Jane", date(1970, 1, 2), "F")
    return Study(uid, patient, f"A{study}", date(2026, 1, 2), "101530", "CT chest", series=(series,))


def per_second(images: int, work: Callable[[], object]) -> tuple[float, float]:
    """Images a second, and milliseconds of processor time an image."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return images / (time.perf_counter() - wall), (time.process_time() - cpu) / images * 1000


def floor(folder: Path, files: list[bytes]) -> None:
    """The least that durable storage of these files takes."""
    disk = Disk()
    folder.mkdir()
    for n, data in enumerate(files):
        descriptor = disk.create(folder / f"{n}.part")
        disk.write(descriptor, memoryview(data))
        disk.flush(descriptor)
        disk.close(descriptor)
        disk.name(folder / f"{n}.part", folder / str(n))
        descriptor = disk.open_to_flush(folder)
        disk.flush(descriptor)
        disk.close(descriptor)


def measure(folder: Path, images: int, size: int) -> dict[str, tuple[float, float]]:
    """Every way of receiving, each with images of its own."""
    database = Database(f"sqlite:///{folder}/store.sqlite")
    blobs = Blobs(str(folder / "blobs"))
    journal = Journal(database, blobs)
    body = os.urandom(size)

    def files(study: int, count: int) -> list[tuple[bytes, Study]]:
        return [(b"%8d%8d" % (study, n) + body, record(study, n)) for n in range(count)]

    def send(some: list[tuple[bytes, Study]], at_once: int) -> None:
        for first in range(0, len(some), at_once):
            receive(database, blobs, journal, some[first : first + at_once], "BENCH", NOW)

    def five(parts: list[list[tuple[bytes, Study]]]) -> None:
        threads = [threading.Thread(target=send, args=(part, 1)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    send(files(0, 20), 1)
    bare = [data for data, _ in files(1, images)]
    table = {"floor, one at a time": per_second(images, lambda: floor(folder / "floor", bare))}
    for name, at_once in (("one at a time", 1), ("batches of 100", 100)):
        some = files(2 + at_once, images)
        table[name] = per_second(images, lambda s=some, n=at_once: send(s, n))
    parts = [files(200 + k, images // 5) for k in range(5)]
    table["five senders, one at a time"] = per_second(images, lambda: five(parts))
    table["the same again, batches of 100"] = per_second(images, lambda: send(files(102, images), 100))
    table["rebuild"] = per_second(3 * images + 20, lambda: rebuild(database, blobs))
    table["verify the journal"] = per_second(3 * images + 20, journal.verify)
    database.close()
    blobs.close()
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument(
        "--kib", type=int, default=514, help="size of an image: 514 is 512x512 of 16 bits with its header"
    )
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        table = measure(Path(folder), asked.images, asked.kib * 1024)
    if asked.json:
        print(json.dumps({name: {"per_second": rate, "cpu_ms": cpu} for name, (rate, cpu) in table.items()}))
        return
    for name, (rate, cpu) in table.items():
        print(f"{name:32} {rate:8.0f}/s   {cpu:6.2f} ms of processor each")


if __name__ == "__main__":
    main()
