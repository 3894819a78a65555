"""Speed of the separation of fat and water on a whole abdomen: ``python benchmarks/bench_fatwater.py``."""

from __future__ import annotations

import time

import numpy as np

from isocenter.methods.fatwater import separate
from isocenter.testing.phantoms.abdomen_mr import ECHOES_MS, images


def main() -> None:
    """Time three runs, and count exchanges of fat and water."""
    echoes, truth = images(size=256, slices=40, field_t=3.0, field_scale=0.8)
    times = np.array(ECHOES_MS[3.0]) / 1000.0
    for _ in range(3):
        wall, own = time.perf_counter(), time.process_time()
        found = separate(echoes, times, 3.0, (8.0, 400 / 256, 400 / 256))
        wall, own = time.perf_counter() - wall, time.process_time() - own
        print(f"{echoes.shape}: {wall:.2f} s by the clock, {own:.2f} s of processor")
    seen = truth["body"] & found.signal
    exchanged = np.count_nonzero(np.abs(found.pdff - truth["pdff"])[seen] > 40)
    print(f"{exchanged} exchanged of {np.count_nonzero(seen)} voxels with signal")


if __name__ == "__main__":
    main()
