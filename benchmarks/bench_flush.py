"""When the device shall begin with an image that is still arriving: with each piece, once, or at the end.

    python benchmarks/bench_flush.py [--images 120] [--kib 513] [--folder FOLDER]

An image is written in pieces of 128 KiB, each digested first, as one that comes over the network is; then it is
flushed. The three ways take turns at random, so that one busy moment meets all of them. Beside the wait stands the
processor time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

from isocenter.store.disk import Disk

_PIECE = 1 << 17
_WAYS = {"with each piece": _PIECE, "once, at three quarters": 3 * _PIECE, "at the end": 1 << 62}


def keep(disk: Disk, place: Path, data: bytes, early: int) -> tuple[float, float, float]:
    """Milliseconds: until it is durable, of that waiting for the flush, and of processor time."""
    begun, used = time.perf_counter(), time.process_time()
    descriptor = disk.create(place)
    handed = 0
    for at in range(0, len(data), _PIECE):
        piece = memoryview(data)[at : at + _PIECE]
        hashlib.sha256(piece).digest()
        disk.write(descriptor, piece)
        if at + len(piece) - handed >= early:
            disk.begin_flush(descriptor, handed, at + len(piece) - handed)
            handed = at + len(piece)
    written = time.perf_counter()
    disk.flush(descriptor)
    ended = time.perf_counter()
    disk.close(descriptor)
    return 1e3 * (ended - begun), 1e3 * (ended - written), 1e3 * (time.process_time() - used)


def main() -> None:
    """Measure and print one row a way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--kib", type=int, default=513)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to be measured")
    given = parser.parse_args()
    data, disk = os.urandom(given.kib * 1024), Disk()
    seen: dict[str, list[tuple[float, float, float]]] = {way: [] for way in _WAYS}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for number in range(given.images):
            for way in random.sample(list(_WAYS), len(_WAYS)):
                seen[way].append(keep(disk, Path(folder) / f"{number}-{way[:4]}", data, _WAYS[way]))
    print(
        f"| load {os.getloadavg()[0]:.1f} | durable, p10 and median | of it the flush | processor |\n|---|---|---|---|"
    )
    for way, rows in seen.items():
        cells = [
            f"{sorted(column)[len(column) // 10]:.2f}, {statistics.median(column):.2f} ms"
            for column in zip(*rows, strict=True)
        ]
        print(f"| {way} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
