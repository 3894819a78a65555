"""Perfusion: maps of a million voxels, a whole CT study from its files, fits of permeability, and a peer.

python benchmarks/bench_perfusion.py [--only maps,study,fits] [--size 512] [--slices 16] [--frames 30] [--repeat 3]
    [--fits 1000000] [--osipy PYTHON] [--peer-fits 2000]

The peer, osipy, is run by the Python of an environment of its own on the same curves: its circulant deconvolution with
one threshold on the same million voxels, its Levenberg-Marquardt fits on fewer, since they are slow.

Times are the best of several, beside the processor time of all threads: on a busy machine the second is the better one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from isocenter.methods import brain_perfusion, dce
from isocenter.methods.exchange import curve
from isocenter.methods.perfusion import Deconvolution
from isocenter.methods.population_input import parker
from isocenter.site.folder import read_folder
from isocenter.site.volumes import volumes_of
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


OSIPY = """
import json, sys, time
import numpy as np
from osipy.dce import fit_model
from osipy.dsc import compute_perfusion_maps
given, model, repeat = np.load(sys.argv[1]), sys.argv[2], int(sys.argv[3])
times, artery, curves = given["times"], given["artery"], given["curves"][:, None, None, :]
if model == "maps":
    work = lambda: compute_perfusion_maps(curves, artery, times, deconvolution_method="cSVD")
    said = lambda found: {"MTT": float(np.nanmedian(found.mtt.values))}
else:
    work = lambda: fit_model(model, curves, artery, times)
    said = lambda found: {k: float(np.nanmedian(m.values)) for k, m in found.parameter_maps.items()}
walls, cores = [], []
for _ in range(repeat):
    wall, core = time.perf_counter(), time.process_time()
    found = work()
    walls.append(time.perf_counter() - wall)
    cores.append(time.process_time() - core)
print(json.dumps([min(walls), min(cores), said(found)]))
"""

PLANTED = {
    "tofts": {"ktrans": 0.2, "ve": 0.3},
    "extended_tofts": {"ktrans": 0.2, "ve": 0.3, "vp": 0.05},
    "patlak": {"ps": 0.02, "vp": 0.05},
    "2cum": {"fp": 30.0, "ps": 0.03, "vp": 0.05},
    "2cxm": {"fp": 25.0, "ps": 0.08, "ve": 0.2, "vp": 0.05},
}


def peer(python: str, what: str, repeat: int, **given: np.ndarray) -> tuple[float, float, dict[str, float]]:
    """(best wall, best processor, medians) of osipy."""
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "given.npz"
        np.savez(held, **given)
        ran = subprocess.run(
            [python, "-c", OSIPY, held, what, str(repeat)], stdout=subprocess.PIPE, text=True, check=True
        )
    wall, core, said = json.loads(ran.stdout.strip().splitlines()[-1])
    return wall, core, said


def bolus() -> tuple[np.ndarray, np.ndarray]:
    """An artery of 60 seconds, and a million curves of noise."""
    curves = np.random.default_rng(0).normal(size=(60, 1 << 20)).astype(np.float32)
    return 250.0 * artery_curve(np.arange(60.0)), curves


def maps(repeat: int) -> tuple[float, float]:
    """1.05 million voxels of 60 frames."""
    artery, curves = bolus()
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


def leaking(model: str, many: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, plasma, and curves of 60 frames with noise."""
    times = np.arange(0, 300, 5.0)
    plasma = parker(times, arrival_s=20.0) / 0.58
    clean = curve(model, times, plasma, **PLANTED[model])
    return times, plasma, clean + 0.01 * np.random.default_rng(0).standard_normal((many, len(times)))


def fits(model: str, many: int, repeat: int) -> tuple[float, float]:
    """All five models fit what they made."""
    times, plasma, noisy = leaking(model, many)
    return timed(lambda: dce.fit(model, times, noisy, plasma), repeat)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="maps,study,fits")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--fits", type=int, default=1_000_000)
    parser.add_argument("--osipy", default="", help="Python of an environment with osipy")
    parser.add_argument("--peer-fits", type=int, default=2000)
    chosen = parser.parse_args()
    asked = chosen.only.split(",")
    print("| program | what | best wall s | best processor s |")
    print("|---|---|---|---|")
    rows: dict[str, Callable[[], tuple[float, float]]] = {}
    if "maps" in asked:
        rows["maps, 1,048,576 voxels x 60 frames"] = lambda: maps(chosen.repeat)
    if "study" in asked:
        rows[f"whole CT study {chosen.size}x{chosen.size}x{chosen.slices}x{chosen.frames}"] = lambda: study(
            chosen.size, chosen.slices, chosen.frames, chosen.repeat
        )
    if "fits" in asked:
        for model in PLANTED:
            rows[f"{model}, {chosen.fits} curves x 60"] = lambda model=model: fits(model, chosen.fits, chosen.repeat)
    for name, work in rows.items():
        wall, core = work()
        print(f"| Isocenter | {name} | {wall:.3f} | {core:.3f} |", flush=True)
    if chosen.osipy and "maps" in asked:
        artery, curves = bolus()
        many = {"times": np.arange(60.0), "artery": artery, "curves": np.ascontiguousarray(curves.T)}
        wall, core, _ = peer(chosen.osipy, "maps", 1, **many)
        print(f"| osipy | maps, 1,048,576 voxels x 60 frames | {wall:.3f} | {core:.3f} |", flush=True)
    if chosen.osipy and "fits" in asked:
        for model in ("tofts", "extended_tofts", "patlak", "2cum", "2cxm"):
            times, plasma, noisy = leaking(model, chosen.peer_fits)
            wall, core, said = peer(chosen.osipy, model, 1, times=times, artery=plasma, curves=noisy)
            held = {name: float(np.median(v)) for name, v in dce.fit(model, times, noisy, plasma).values.items()}
            print(f"| osipy | {model}, {chosen.peer_fits} curves x 60 | {wall:.3f} | {core:.3f} |", flush=True)
            print(f"  medians of osipy {said}, of Isocenter {held}", flush=True)


if __name__ == "__main__":
    main()
