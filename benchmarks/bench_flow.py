"""Background and unwrapping of a 4-D flow scan: processor time and time by the clock, of each step.

python benchmarks/bench_flow.py --size 96 --frames 20 [--slicerheart PYTHON]

The peer, slicerheart_4dflow, is run by the Python of an environment of its own on the same wrapped velocities, its
correction (war+msac, second order) and unwrapping (Laplacian, then temporal) as they are by default.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation

from isocenter.methods import flow_path, flow_phase
from isocenter.testing.phantoms import flow_mr


def made(size: int, frames: int, depth: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wrapped velocities (3, frames, depth, size, size) in m/s with a VENC of 1, what they should be, magnitude."""
    unit, blood = flow_mr.cane((depth, size, size), 140.0 / size, 10.0)
    beat, rng = flow_mr.waveform(frames, 20.0), np.random.default_rng(0)
    velocity = np.empty((3, frames, *blood.shape), np.float32)
    wrapped = np.empty_like(velocity)
    for k in range(3):
        along = unit[k].astype(np.float32)
        for t in range(frames):
            one = rng.standard_normal(blood.shape, dtype=np.float32)
            one *= np.float32(0.05)
            one += np.float32(1.3 * beat[t]) * along + np.float32(0.03)
            velocity[k, t] = one
            wrapped[k, t] = one - 2.0 * np.rint(0.5 * one)
    return wrapped, velocity, 1.0 + 0.5 * blood


SLICERHEART = """
import json, sys, time
import numpy as np
import slicerheart_4dflow as f4d
given = np.load(sys.argv[1])
velocity, magnitude, around = np.moveaxis(given["wrapped"], 0, -1), given["magnitude"], given["around"]
magnitude = np.broadcast_to(magnitude, velocity.shape[:-1])
clock, core = [time.perf_counter()], [time.process_time()]
flat, info = f4d.correct_background_phase(velocity, magnitude, method="war+msac", lumen_mask=around)
clock.append(time.perf_counter()); core.append(time.process_time())
found = f4d.unwrap_velocity(flat, 1.0, np.eye(4), method="laplacian_then_temporal", mask=around)
clock.append(time.perf_counter()); core.append(time.process_time())
# The truth holds the offset that a correction takes away.
wrong = int((np.abs(found + 0.03 - np.moveaxis(given["truth"], 0, -1))[:, around] > 0.5).sum())
print(json.dumps([*np.diff(clock), *np.diff(core), wrong]))
"""


def beside(python: str, **given: np.ndarray) -> None:
    """Time the peer and count its wrong voxels."""
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "given.npz"
        np.savez(held, **given)
        ran = subprocess.run([python, "-c", SLICERHEART, held], stdout=subprocess.PIPE, text=True, check=True)
    flat, unwrapped, core, then, wrong = json.loads(ran.stdout.strip().splitlines()[-1])
    print(f"slicerheart_4dflow: correction {core:.2f} s, unwrapping {then:.2f} s of processor time")
    print(f"{flat:.2f} and {unwrapped:.2f} s by the clock, {wrong} wrong")


def main() -> None:
    """Time the steps once after a small warm-up that compiles."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--size", type=int, default=96)
    asked.add_argument("--frames", type=int, default=20)
    asked.add_argument("--depth", type=int, default=0, help="slices; half of the size unless told")
    asked.add_argument("--slicerheart", default="", help="Python of an environment with slicerheart_4dflow")
    given = asked.parse_args()
    for size, frames, said in ((32, 8, False), (given.size, given.frames, True)):
        wrapped, truth, magnitude = made(size, frames, given.depth or size // 2)
        clock, cpu = time.perf_counter(), time.process_time()
        raw = wrapped
        still = flow_phase.steadiness(wrapped, magnitude, (1.0, 1.0, 1.0))
        field = flow_phase.background(still, 2).field
        wrapped = flow_phase.without(wrapped, field)
        around = binary_dilation(flow_path.moving_blood(still, still.mean - field) > 1.5, iterations=2)
        corrected, then = cpu_of(cpu), time.perf_counter() - clock
        flow_phase.unwrap_all(wrapped, (1.0, 1.0, 1.0), around)
        unwrapped, took = cpu_of(cpu) - corrected, time.perf_counter() - clock
        if said:
            wrong = sum(
                int(np.count_nonzero(np.abs(w - t + f)[:, around] > 0.5))
                for w, t, f in zip(wrapped, truth, field, strict=True)
            )
            print(f"{wrapped.shape}: correction {corrected:.2f} s, unwrapping {unwrapped:.2f} s of processor time")
            print(f"{then:.2f} and {took - then:.2f} s by the clock, {int(around.sum())} voxels, {wrong} wrong")
            if given.slicerheart:
                beside(given.slicerheart, wrapped=raw, truth=truth, magnitude=magnitude, around=around)


def cpu_of(since: float) -> float:
    """Processor time since then, s."""
    return time.process_time() - since


if __name__ == "__main__":
    main()
