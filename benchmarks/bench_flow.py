"""Background and unwrapping of a 4-D flow scan: processor time and time by the clock, of each step.

python benchmarks/bench_flow.py --size 96 --frames 20
"""

from __future__ import annotations

import argparse
import time

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


def main() -> None:
    """Time the steps once after a small warm-up that compiles."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--size", type=int, default=96)
    asked.add_argument("--frames", type=int, default=20)
    asked.add_argument("--depth", type=int, default=0, help="slices; half of the size unless told")
    given = asked.parse_args()
    for size, frames, said in ((32, 8, False), (given.size, given.frames, True)):
        wrapped, truth, magnitude = made(size, frames, given.depth or size // 2)
        clock, cpu = time.perf_counter(), time.process_time()
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


def cpu_of(since: float) -> float:
    """Processor time since then, s."""
    return time.process_time() - since


if __name__ == "__main__":
    main()
