"""How long judging takes: DeLong of 10⁵ cases, surfaces of a pair of 512³ masks, 2,000 bootstraps by patient.

Each is done once to compile and then `--times` times; the least wall and processor times are printed, and the load of
the machine beside them.

    python benchmarks/bench_judging.py [--times 5]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np

from isocenter.methods import bootstrap, noninferiority, overlap, roc


def timed(name: str, work: Callable[[], object], times: int) -> None:
    work()
    wall, cpu = [], []
    for _ in range(times):
        began, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    print(
        f"{name:<58} wall {min(wall):8.4f} s   processor {min(cpu):8.4f} s   load {os.getloadavg()[0]:.1f}", flush=True
    )


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--times", type=int, default=5)
    times = asked.parse_args().times
    rng = np.random.default_rng(0)
    labels = (rng.random(100_000) < 0.3).astype(int)
    scores = labels + rng.normal(0, 1, 100_000)
    other = scores + rng.normal(0, 0.3, 100_000)
    timed("DeLong, 100,000 cases", lambda: roc.auc(labels, scores), times)
    timed("DeLong paired with interval, 100,000 cases", lambda: noninferiority.areas(labels, scores, other), times)
    few, patients = slice(0, 10_000), np.repeat(np.arange(2000), 5)
    timed(
        "2,000 bootstraps, 10,000 images of 2,000 patients",
        lambda: bootstrap.areas(labels[few], scores[few], patients, rng=np.random.default_rng(0)),
        times,
    )
    grid = np.indices((512, 512, 512), dtype=np.float32)
    ball = ((grid - 256) ** 2).sum(0) < 180**2
    del grid
    moved = np.roll(ball, (3, 2, 1), (0, 1, 2))
    timed("surfaces of two balls of radius 180 in 512³", lambda: overlap.surfaces(ball, moved, (1.0, 0.7, 0.7)), times)


if __name__ == "__main__":
    main()
