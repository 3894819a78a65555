"""Speed of the separation of fat and water on a whole abdomen, and of a peer on some of its slices.

python benchmarks/bench_fatwater.py [--size 256] [--slices 40] [--fatwater PYTHON] [--peer-slices 4]

The peer, mri-fatwater (multi-scale graph cuts), is run by the Python of an environment of its own with the same fat
spectrum, R2* to 144 1/s, and the rest as it is by default. It takes one volume; both get the same slices.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from isocenter.methods.fatwater import separate
from isocenter.testing.phantoms.abdomen_mr import ECHOES_MS, images

SPACING_MM = (8.0, 400 / 256, 400 / 256)

FATWATER = """
import contextlib, io, json, sys, time
import numpy as np
from mri_fatwater import fatwater
given = np.load(sys.argv[1])
wall, core = time.perf_counter(), time.process_time()
with contextlib.redirect_stdout(io.StringIO()):
    found = fatwater.separate(
        data=given["echoes"].transpose(0, 3, 2, 1).copy(),
        data_params=dict(t=tuple(given["times"]), B0=3.0, voxelsize=tuple(given["spacing"][::-1]), clockwise=False),
        algo_params=dict(algorithm="QPBO", magnitudeDiscrimination=True))
wall, core = time.perf_counter() - wall, time.process_time() - core
np.save(sys.argv[2], found["ff"].transpose(2, 1, 0))
print(json.dumps([wall, core]))
"""


def judged(name: str, pdff: np.ndarray, truth: dict[str, np.ndarray], seen: np.ndarray) -> None:
    """Exchanged voxels, and the error in the liver."""
    exchanged = np.count_nonzero(np.abs(pdff - truth["pdff"])[seen] > 40)
    off = np.median((pdff - truth["pdff"])[truth["liver"] & seen])
    print(f"{name}: {exchanged} exchanged of {np.count_nonzero(seen)} voxels, liver {off:+.2f} points off (median)")


def ours(
    echoes: np.ndarray, times: np.ndarray, truth: dict[str, np.ndarray], repeat: int, size: int = 256
) -> np.ndarray:
    """Run, time and judge; where there is signal."""
    spacing_mm = (SPACING_MM[0], 400 / size, 400 / size)
    for _ in range(repeat):
        wall, own = time.perf_counter(), time.process_time()
        found = separate(echoes, times, 3.0, spacing_mm)
        wall, own = time.perf_counter() - wall, time.process_time() - own
        print(f"Isocenter {echoes.shape}: {wall:.2f} s by the clock, {own:.2f} s of processor", flush=True)
    seen = truth["body"] & found.signal
    judged("Isocenter", found.pdff, truth, seen)
    return np.asarray(seen)


def main() -> None:
    """Time three runs of all slices, then both programs on some."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument(
        "--size", type=int, default=256, help="columns; rows are three quarters: 296 has the pixels of 256²"
    )
    asked.add_argument("--slices", type=int, default=40)
    asked.add_argument("--fatwater", default="", help="Python of an environment with mri-fatwater")
    asked.add_argument("--peer-slices", type=int, default=4)
    given = asked.parse_args()
    times = np.array(ECHOES_MS[3.0]) / 1000.0
    echoes, truth = images(size=given.size, slices=given.slices, field_t=3.0, field_scale=0.8)
    ours(echoes, times, truth, 3, given.size)
    if not given.fatwater:
        return
    echoes, truth = images(size=256, slices=given.peer_slices, field_t=3.0, field_scale=0.8)
    seen = ours(echoes, times, truth, 1)
    with tempfile.TemporaryDirectory() as folder:
        held, back = Path(folder) / "given.npz", Path(folder) / "found.npy"
        np.savez(held, echoes=echoes, times=times, spacing=np.array(SPACING_MM))
        ran = subprocess.run(
            [given.fatwater, "-c", FATWATER, held, back], stdout=subprocess.PIPE, text=True, check=True
        )
        wall, own = json.loads(ran.stdout.strip().splitlines()[-1])
        print(f"mri-fatwater {echoes.shape}: {wall:.2f} s by the clock, {own:.2f} s of processor")
        judged("mri-fatwater", np.load(back), truth, seen)


if __name__ == "__main__":
    main()
