"""Perfusion: maps of a million voxels, a whole CT study from its files, and a million fits of permeability.

python benchmarks/bench_perfusion.py [--size 512] [--slices 16] [--frames 30] [--repeat 3] [--fits 20000]

Times are the best of several, beside the processor time of all threads: on a busy machine the second is the better one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from isocenter.methods import brain_perfusion, dce
from isocenter.methods.exchange import curve
from isocenter.methods.perfusion import Deconvolution
from isocenter.methods.population_input import parker
from isocenter.site.loading import read_folder, volumes_of
from isocenter.testing.phantoms import stroke_ct
from isocenter.testing.phantoms.perfused_head import artery_curve


def timed(work: Callable[[], object], repeat: int) -> tuple[float, float]:
    """(best wall, best processor) seconds after one run to warm up."""
    work()
    walls, cores = [], []
    for _ in range(repeat):
        wall, core = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cores.append(time.process_time() - core)
    return min(walls), min(cores)


def maps(repeat: int) -> tuple[float, float]:
    """1.05 million voxels of 60 frames."""
    artery = 250.0 * artery_curve(np.arange(60.0))
    curves = np.random.default_rng(0).normal(size=(60, 1 << 20)).astype(np.float32)
    held = Deconvolution(artery, 1.0)
    return timed(lambda: held.maps(curves), repeat)


def study(size: int, slices: int, frames: int, repeat: int) -> tuple[float, float]:
    """Read, hold still, choose artery and vein, map, volumes: from files in the page cache."""
    made = stroke_ct.patient(size=size, slices=slices, times_s=tuple(np.arange(frames) * 1.8), noise_hu=8.0)
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(made.files):
            (Path(folder) / f"{number:05}.dcm").write_bytes(data)

        def whole() -> object:
            with read_folder(Path(folder)) as held:  # as `isocenter analyse FOLDER` does
                (volume,) = volumes_of(held.studies[0].series[0], held)
            return brain_perfusion.examine(volume.array, volume.axes[0].values, volume.geometry.spacing_mm)

        return timed(whole, repeat)


def fits(model: str, many: int, repeat: int) -> tuple[float, float]:
    """Curves of 60 frames with noise."""
    times = np.arange(0, 300, 5.0)
    plasma = parker(times, arrival_s=20.0) / 0.58
    planted = {"ktrans": 0.2, "ve": 0.3} | ({"vp": 0.05} if model == "extended_tofts" else {})
    clean = curve(model, times, plasma, **planted)
    noisy = clean + 0.01 * np.random.default_rng(0).standard_normal((many, len(times)))
    return timed(lambda: dce.fit(model, times, noisy, plasma), repeat)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--fits", type=int, default=20000)
    chosen = parser.parse_args()
    print("| what | best wall s | best processor s |")
    print("|---|---|---|")
    rows: dict[str, Callable[[], tuple[float, float]]] = {
        "maps, 1,048,576 voxels x 60 frames": lambda: maps(chosen.repeat),
        f"whole CT study {chosen.size}x{chosen.size}x{chosen.slices}x{chosen.frames}": lambda: study(
            chosen.size, chosen.slices, chosen.frames, chosen.repeat
        ),
        f"Tofts, {chosen.fits} voxels x 60": lambda: fits("tofts", chosen.fits, chosen.repeat),
        f"extended Tofts, {chosen.fits} voxels x 60": lambda: fits("extended_tofts", chosen.fits, chosen.repeat),
    }
    for name, work in rows.items():
        wall, core = work()
        print(f"| {name} | {wall:.3f} | {core:.3f} |", flush=True)


if __name__ == "__main__":
    main()
