"""How well clicks outline real lesions: Dice after each of five simulated clicks, and of a box.

python benchmarks/bench_outline.py [--data ../shared/data] [--clicks 5] [--seed 0] [--only sarcoma]

Truth is what experts drew: sarcomas on CT, MR and PET, lesions of multiple sclerosis on FLAIR, hippocampi on T1. The
first click lies within the lesion, moved from its deepest place by up to a third of the depth there, in any direction;
each later one lies at the deepest place of the largest error, moved likewise, as a person would correct it. Boxes are
one voxel larger than the lesion in each direction. An act counts as worse where it lowered Dice by more than 0.005, and
as broken where a click made so far is not kept to. Seconds are of the processor, for one act.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/catalogue"))
from real_series import loaded, zipped

from isocenter.errors import Refused
from isocenter.forms import nifti
from isocenter.methods.click_correction import corrected
from isocenter.methods.promptable import Click, outline
from isocenter.space import Volume

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """A lesion that somebody drew."""

    kind: str
    name: str
    volume: Volume
    truth: Bools


def cases(data: Path, only: str = "") -> Iterator[Case]:
    """Every lesion of the sets whose kind holds a word."""
    for archive in sorted((data / "sarcoma_pet_ct_mr").glob("*.zip")):
        for kind in (k for k in ("CT", "MR", "PET") if only in f"sarcoma {k}"):
            volumes, regions = loaded(zipped(archive, kind))
            drawn = [r.mask for r in regions if r.mask is not None and r.voxels]
            if volumes and drawn and drawn[0].shape == volumes[0].geometry.shape:
                yield Case(f"sarcoma {kind}", archive.stem, volumes[0], drawn[0])
    for patient in sorted((data / "open_ms/cross_sectional/MNI").glob("patient*")):
        flair, gold = next(patient.glob("FLAIR*"), None), next(patient.glob("GOLD*"), None)
        if flair is None or gold is None or only not in "MS lesion FLAIR":
            continue
        volume = nifti.read(flair.read_bytes(), quantity="intensity", unit="{arbitrary}")
        mask = nifti.read(gold.read_bytes(), quantity="label", unit="1").array > 0.5
        labels, _ = ndimage.label(mask, np.ones((3, 3, 3)))
        sizes = np.bincount(labels.ravel())[1:]
        for number in np.argsort(-sizes)[:12]:
            if sizes[number] >= 30:
                yield Case("MS lesion FLAIR", f"{patient.name} {number}", volume, labels == number + 1)
    for file in sorted((data / "msd_hippocampus/images").glob("*.nii.gz"))[::16]:
        if only not in "hippocampus T1":
            continue
        volume = nifti.read(file.read_bytes(), quantity="intensity", unit="{arbitrary}")
        label = nifti.read((data / "msd_hippocampus/labels" / file.name).read_bytes(), quantity="label", unit="1")
        if label.geometry.shape == volume.geometry.shape:
            yield Case("hippocampus T1", file.name.split(".")[0], volume, label.array > 0.5)


def dice(a: Bools, b: Bools) -> float:
    """Twice the common part over the sum."""
    return float(2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b)))


def deepest(part: Bools, spacing: tuple[float, float, float]) -> tuple[float, npt.NDArray[np.int64]]:
    """How deep the deepest place of a part lies (mm), and its index."""
    where = np.argwhere(part)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    box = part[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))]
    depth = ndimage.distance_transform_edt(np.pad(box, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    return float(depth.max()), low + np.unravel_index(int(depth.argmax()), box.shape)


def place(part: Bools, volume: Volume, rng: np.random.Generator) -> tuple[tuple[float, float, float], tuple[int, ...]]:
    """The deepest place of a part, moved by up to a third of its depth; in the patient and as an index."""
    depth, middle = deepest(part, volume.geometry.spacing_mm)
    away = rng.normal(size=3)
    away *= rng.uniform() * depth / 3 / np.linalg.norm(away)
    moved = np.round(middle + away / volume.geometry.spacing_mm).astype(int)
    moved = np.clip(moved, 0, np.array(part.shape) - 1)
    at = tuple(int(i) for i in (moved if part[tuple(moved)] else middle))
    x, y, z = volume.geometry.to_patient(at)
    return (float(x), float(y), float(z)), at


def error(found: Bools, truth: Bools, spacing: tuple[float, float, float]) -> tuple[Bools, bool]:
    """The connected part of the error whose middle is deepest, and whether it is missing (else it is too much)."""
    best: tuple[float, Bools, bool] = (-1.0, truth, True)
    for part, missing in ((truth & ~found, True), (found & ~truth, False)):
        if part.any():
            depth, at = deepest(part, spacing)
            if depth > best[0]:
                labels, _ = ndimage.label(part)
                best = (depth, labels == labels[tuple(at)], missing)
    return best[1], best[2]


@dataclass
class Told:
    """What one lesion gave."""

    dice: list[float]
    box: float
    seconds: list[float]
    worse: int = 0
    broken: int = 0
    refused: int = 0


def tried(case: Case, clicks: int, rng: np.random.Generator) -> Told:
    """Click on one lesion as a reader would."""
    volume, truth = case.volume, case.truth
    told = Told([], 0.0, [])
    found = np.zeros_like(truth)
    said: list[tuple[Click, tuple[int, ...]]] = []
    for number in range(clicks):
        part, missing = error(found, truth, volume.geometry.spacing_mm) if number else (truth, True)
        if not (part & (truth ^ found)).any():
            told.dice.append(told.dice[-1])
            continue
        mm, at = place(part, volume, rng)
        click = Click(mm, missing)
        began = time.process_time()
        try:
            if found.any():
                after = corrected(volume, found, click, [c for c, _ in said])
                now = after
            else:
                made = outline(volume, [*(c for c, _ in said), click])
                now = np.zeros_like(truth)
                now[tuple(slice(a, b) for a, b in zip(made.start, made.stop, strict=True))] = made.mask
        except Refused:
            told.refused += 1
            now = found
        told.seconds.append(time.process_time() - began)
        said.append((click, at))
        value = dice(now, truth)
        told.worse += bool(told.dice) and value < told.dice[-1] - 0.005
        told.broken += any(bool(now[where]) is not c.inside for c, where in said) if now.any() else 0
        told.dice.append(value)
        found = now
    low, high = np.argwhere(truth).min(axis=0) - 1, np.argwhere(truth).max(axis=0) + 1
    ends = volume.geometry.to_patient([low, high]).tolist()
    began = time.process_time()
    try:
        made = outline(volume, [], (tuple(ends[0]), tuple(ends[1])))
        whole = np.zeros_like(truth)
        whole[tuple(slice(a, b) for a, b in zip(made.start, made.stop, strict=True))] = made.mask
        told.box = dice(whole, truth)
    except Refused:
        told.refused += 1
    told.seconds.append(time.process_time() - began)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ISOCENTER_DATA", "../shared/data")))
    parser.add_argument("--clicks", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    every: dict[str, list[Told]] = defaultdict(list)
    for case in cases(chosen.data, chosen.only):
        own = zlib.crc32(f"{case.kind} {case.name}".encode())  # the same clicks whatever else is tried
        every[case.kind].append(tried(case, chosen.clicks, np.random.default_rng([chosen.seed, own])))
    heads = [*(f"click {n + 1}" for n in range(chosen.clicks)), "box", "worse", "broken", "refused", "s", "most s"]
    print(f"{'':18}{'n':>4}" + "".join(f"{head:>9}" for head in heads))
    for kind, told in every.items():
        values = [statistics.mean(t.dice[n] for t in told) for n in range(chosen.clicks)]
        values.append(statistics.mean(t.box for t in told))
        counts = [sum(getattr(t, what) for t in told) for what in ("worse", "broken", "refused")]
        seconds = [s for t in told for s in t.seconds]
        line = "".join(f"{v:9.2f}" for v in values) + "".join(f"{c:9}" for c in counts)
        print(f"{kind:18}{len(told):4}{line}{statistics.median(seconds):9.2f}{max(seconds):9.2f}")


if __name__ == "__main__":
    main()
