"""How long the left ventricle of a whole cine takes from its images, after loading: by the clock and of the processor.

python benchmarks/bench_cine.py [--data ../shared/data] [--times 5]

Best of some runs, kernels compiled and the network open, for each patient of `sunnybrook_cine`; then the parts of it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/catalogue"))
from real_series import loaded, zipped

from isocenter.analysis.weights import open_session
from isocenter.catalogue.cardiac_cine import CardiacCine
from isocenter.catalogue.cardiac_walls import Ring, walls
from isocenter.methods.short_axis import centre_of_beat, turned
from isocenter.methods.ventricle import outline, parts


def best(times: int, work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the clock and of the processor (all threads), each the best of some runs; one before is not timed."""
    work()
    clock, processor = [], []
    for _ in range(times):
        began, used = time.perf_counter(), time.process_time()
        work()
        clock.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    return min(clock), min(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ISOCENTER_DATA", "../shared/data")))
    parser.add_argument("--times", type=int, default=5)
    chosen = parser.parse_args()
    weights = open_session("cardiac_cine", threads=CardiacCine.weights_threads)
    asked = parts(weights)

    print(f"{'':24}{'clock s':>9}{'processor s':>13}   load {os.getloadavg()[0]:.1f}")
    for archive in sorted((chosen.data / "sunnybrook_cine" / "dicoms").glob("*.zip")):
        (cine,), _ = loaded(zipped(archive))
        turn = turned(cine)
        found = outline(turn, *asked)
        rings = {name: Ring(found.cavity[name], found.muscle[name]) for name in ("ed", "es")}
        down, across = turn.geometry.spacing_mm[1:]
        timed: tuple[tuple[str, Callable[[], Any]], ...] = (
            (archive.stem, lambda c=cine: CardiacCine().run(c, None, weights=weights)),
            ("  turned", lambda c=cine: turned(c)),
            ("  centre of the beat", lambda t=turn, s=(down, across): centre_of_beat(t.array, s)),
            ("  outlined", lambda t=turn: outline(t, *asked)),
            ("  walls", lambda r=rings, t=turn: walls(r, t.geometry.spacing_mm, 90.0)),
        )
        for name, work in timed:
            print(f"{name:24}{'{:9.3f}{:13.3f}'.format(*best(chosen.times, work))}")


if __name__ == "__main__":
    main()
