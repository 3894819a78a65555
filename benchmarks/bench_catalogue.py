"""Every analysis that ships, on the first example that it answers, in memory: its time, and its memory at the most.

python benchmarks/bench_catalogue.py [--only breast_density,volumetry] [--times 3] [--json]

Best of some runs after one that is not timed; a model that an analysis asks is open. Of four analyses whose example is
small a larger one is asked as well. Memory is what Python and NumPy had asked for at the most in a run beyond its
inputs; what a network takes by itself is not in it. Nothing is read from files. On a busy machine the time of the
processor says more than the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from isocenter.analysis.registry import discover
from isocenter.analysis.weights import session_for
from isocenter.space import Geometry, Region, Volume
from isocenter.testing.examples import EXAMPLES

Inputs = Mapping[str, Any]
LINE = (
    "{analysis:20} {what:42} {voxels:24} {answer:9} {clock_s:7.3f} s by the clock {processor_s:7.3f} s of the processor"
    " {peak_mib:6.0f} MiB, load {load:.1f}"
)


def timed(work: Callable[[], Any], times: int) -> dict[str, float]:
    """Best seconds by the clock and of the processor (all threads), and MiB at the most in a run that is not timed."""
    work()
    tracemalloc.start()
    work()
    peak_mib = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    clock, processor = [], []
    for _ in range(times):
        began, used = time.perf_counter(), time.process_time()
        work()
        clock.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    return {"clock_s": min(clock), "processor_s": min(processor), "peak_mib": peak_mib}


def balls(geometry: Geometry, radius_mm: float, *centres: tuple[float, float, float]) -> list[np.ndarray]:
    """Masks of balls with their centres at voxels (slice, row, column)."""
    mm = [np.arange(n) * step for n, step in zip(geometry.shape, geometry.spacing_mm, strict=True)]
    made = []
    for centre in centres:
        z, y, x = ((a - c * s) ** 2 for a, c, s in zip(mm, centre, geometry.spacing_mm, strict=True))
        made.append(z[:, None, None] + y[None, :, None] + x[None, None, :] <= radius_mm**2)
    return made


def mammogram(small: Inputs) -> Inputs:
    """The example with eight by eight pixels for each."""
    image = small["image"]
    grid = Geometry.regular(shape=(1, 2560, 1920), spacing_mm=(1.0, 0.0875, 0.0875), reference=image.geometry.reference)
    return {"image": replace(image, array=np.kron(image.array, np.ones((1, 8, 8), np.float32)), geometry=grid)}


def whole_ct(small: Inputs) -> Inputs:
    """A body with a bone and noise, 300 slices."""
    grid = Geometry.regular(shape=(300, 512, 512), spacing_mm=(1.0, 0.8, 0.8))
    y, x = np.indices(grid.shape[1:]) - 255.5
    slice_hu = np.where(
        np.hypot(y - 60.0, x) < 35.0, 700.0, np.where(np.hypot(y / 190.0, x / 150.0) < 1.0, 40.0, -1000.0)
    )
    hu = np.random.default_rng(0).standard_normal(grid.shape, dtype=np.float32)
    hu *= np.float32(12.0)
    hu += slice_hu.astype(np.float32)
    return {"image": replace(small["image"], array=hu, geometry=grid)}


def five_lesions(small: Inputs) -> Inputs:
    """A warm body with five drawn balls of 15 mm radius."""
    grid = Geometry.regular(shape=(300, 192, 192), spacing_mm=(3.0, 4.0, 4.0), frame_of_reference="2.25.1")
    drawn = balls(grid, 15.0, *((40.0 + 50 * k, 60.0 + 15 * k, 120.0 - 10 * k) for k in range(5)))
    warm = float(np.median(small["pet"].array))
    array = np.random.default_rng(0).uniform(0.5 * warm, warm, grid.shape).astype(np.float32)
    for ball in drawn:
        array[ball] *= 8.0
    lesions = tuple(Region(grid, mask=ball, label=f"lesion {k}") for k, ball in enumerate(drawn))
    return {"pet": replace(small["pet"], array=array, geometry=grid), "lesions": lesions}


def large_ball(_small: Inputs) -> Inputs:
    """One structure of 905 mL."""
    grid = Geometry.regular(shape=(400, 512, 512), spacing_mm=(1.0, 0.8, 0.8), frame_of_reference="2.25.1")
    (ball,) = balls(grid, 60.0, (200.0, 256.0, 256.0))
    return {"structures": (Region(grid, mask=ball, label="ball"),)}


LARGER: Mapping[str, tuple[str, Callable[[Inputs], Inputs]]] = {
    "breast_density": ("its example of 2560 x 1920 pixels", mammogram),
    "image_quality": ("a CT of 300 x 512 x 512", whole_ct),
    "pet_uptake": ("five lesions on 300 x 192 x 192", five_lesions),
    "volumetry": ("a ball of 60 mm radius on 400 x 512 x 512", large_ball),
}


def shape_of(inputs: Inputs) -> str:
    """Shape of the largest image, or of the grid that was drawn on."""
    given = [v for value in inputs.values() for v in (value if isinstance(value, tuple | list) else (value,))]
    given += [region for visit in given for region in getattr(visit, "regions", ())]
    shapes = [v.array.shape if isinstance(v, Volume) else v.geometry.shape for v in given if hasattr(v, "geometry")]
    return " x ".join(map(str, max(shapes, key=np.prod))) if shapes else "numbers"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--only", default="", help="names with commas between them; all unless told")
    asked.add_argument("--times", type=int, default=3)
    asked.add_argument("--json", action="store_true")
    chosen = asked.parse_args()
    only, rows = set(filter(None, chosen.only.split(","))), []
    shipped = {n: a for n, a in discover().analyses.items() if type(a).__module__.startswith("isocenter.catalogue.")}
    if unknown := only - set(shipped):
        asked.error(f"no analysis that ships is called {', '.join(sorted(unknown))}; there are {', '.join(shipped)}")
    for name, held in shipped.items():
        if only and name not in only:
            continue
        give = getattr(held, "examples", None) or EXAMPLES[name]
        example = next(dict(inputs) for inputs, truth in give() if truth["answer"] != "declined")
        cases = [("first example", example)]
        if name in LARGER:
            what, larger = LARGER[name]
            cases.append((what, dict(larger(example))))
        model = {"weights": session_for(held)} if getattr(held, "weights", "") else {}
        for what, inputs in cases:
            said = held.run(**inputs, **model).outcome.value
            row = {"analysis": name, "what": what, "voxels": shape_of(inputs), "answer": said}
            row |= timed(lambda run=held.run, given=inputs | model: run(**given), chosen.times)
            rows.append({**row, "load": os.getloadavg()[0]})
            if not chosen.json:
                print(LINE.format(**rows[-1]), flush=True)
    if chosen.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
