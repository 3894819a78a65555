"""How many wrong inputs each model declines, how many it calls negative without a word, and how many right ones it declines.

    python benchmarks/bench_wrong.py MODEL --data FOLDER --seed 1 [--n 500] [--folder OTHER_VERSION] [--half 0]

FOLDER holds the collections as the project's data are laid out (``kermany_cxr``, ``medmnist``, ``mednist`` …). Right
inputs are those that the model has not learnt from, as its folder tells; of the MedMNIST sets the part ``val``, on which
no border was taught (some networks learnt from it). Wrong ones are made of them by code that no border was taught by, or come from other collections. Answers are those of `isocenter
judge`; of outlines and boxes, of which no answer is negative, only the border is asked. A wrong input to a table is a whole table
of one row or of 50, declined where every row is, or where it is refused; its rows are those learnt from (with --half, what is usual
is learnt from the other half). Intervals are Clopper and Pearson's. Some pictures of other collections may be among those that a border was shown; of the film's gate they are
those kept from it. Of `chest_xray_heart` and `cardiac_cine` the whole analysis is asked (see `wrong_films`, `wrong_cines`).
"""  # noqa: E501

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import wrong_cines
import wrong_films
from PIL import Image
from scipy import ndimage, stats
from scipy.spatial.transform import Rotation

from isocenter.catalogue.cardiac_cine import CardiacCine
from isocenter.catalogue.chest_xray_heart import ChestXrayHeart
from isocenter.errors import Refused
from isocenter.learn import detect, segment
from isocenter.learn.extent import INPUT as EXTENTS
from isocenter.learn.films import read_films
from isocenter.learn.judge import asked, folder_of, judged, opened
from isocenter.learn.labelled import read_labelled
from isocenter.learn.learnt import seen
from isocenter.learn.outside import strangeness
from isocenter.learn.plausible import doubtful, implausible, usual_of
from isocenter.learn.recipes import recipe_behind
from isocenter.learn.rows import read_rows

Array = npt.NDArray[Any]
Made = dict[str, list[Array]]
SETS = ("pneumoniamnist", "breastmnist", "retinamnist")
WHERE = {
    "chest_xray_opacity": "kermany_cxr", "image_kind": "mednist/mednist_64.npz", "hippocampus": "msd_hippocampus",
    "bccd": "bccd", "mammographic_mass": "mammographic_masses/mammographic_masses.data",
    "cleveland_heart": "uci_cleveland_heart/processed.cleveland.303.data",
}  # fmt: skip
WHOLE: dict[str, Any] = {"chest_xray_heart": ChestXrayHeart, "cardiac_cine": CardiacCine}
"""Of these the whole analysis is asked, as a person meets it."""


def eight(x: Array) -> npt.NDArray[np.uint8]:
    return np.asarray(np.clip(np.floor(np.asarray(x, np.float64) + 0.5), 0, 255), np.uint8)


def spread(x: Array) -> npt.NDArray[np.uint8]:
    """Grey values between the 1st and 99th percentile over 0 … 255."""
    low, high = np.percentile(x, (1, 99))
    return eight((np.asarray(x, np.float64) - low) * 255 / (high - low + 1e-9))


def on(x: Array, shape: Sequence[int]) -> npt.NDArray[np.uint8]:
    """A picture on another grid, grey or of three colours as that has."""
    picture = Image.fromarray(eight(x)).resize((shape[1], shape[0]), Image.Resampling.LANCZOS)
    return np.asarray(picture.convert("RGB" if len(shape) == 3 else "L"))


# ---- pictures


def foreign(data: Path, own: str, rng: np.random.Generator) -> dict[str, list[Array]]:
    """Other parts of the body, other modalities, and adults' chests, as they are."""
    with np.load(data / "mednist" / "mednist_64.npz") as held:
        pictures, classes = held["images"], held["classes"][held["labels"]]
    kept = np.random.default_rng([0, 9]).random(len(classes)) < 0.2  # from the gate of films, see learn/train.py
    parts = [] if own == "image_kind" else list(pictures[kept & (classes != "CXR")])
    found: dict[str, list[Array]] = {"parts": parts, "adults": list(pictures[kept & (classes == "CXR")])}
    others: list[Array] = []
    for name in SETS:
        if own == name or (own == "chest_xray_opacity" and name == "pneumoniamnist"):
            continue
        if own in ("image_kind", "chest_xray_heart") and name == "pneumoniamnist":  # a chest film too
            continue
        with np.load(data / "medmnist" / f"{name}.npz") as held:
            some = held["val_images"]
            others += list(some[rng.permutation(len(some))[:60]])
    if own != "hippocampus":
        for file in rng.permutation(sorted((data / "msd_hippocampus" / "images").rglob("*.nii*")))[:30]:
            x = np.asarray(nibabel.load(file).dataobj)
            others.append(spread(x[:, :, x.shape[2] // 2]))
    for file in sorted(p for p in (data / "open_ms").rglob("*.nii*") if "mask" not in p.name.lower() and p.is_file()):
        x = np.squeeze(np.asarray(nibabel.load(file).dataobj))
        if own != "image_kind" and x.ndim == 3 and np.ptp(x) > 2:
            for part in (0.45, 0.5, 0.6):
                others.append(spread(np.rot90(x[:, :, int(part * x.shape[2])])))
    if own != "bccd":
        for file in rng.permutation(sorted((data / "bccd").rglob("*.jpg")))[:30]:
            others.append(np.asarray(Image.open(file).convert("RGB")))
    return found | {"modalities": others}


def turned(x: Array, degrees: float, beyond: str) -> Array:
    return np.asarray(ndimage.rotate(np.asarray(x, np.float32), degrees, (0, 1), reshape=False, order=1, mode=beyond))


def cropped(x: Array, low: float, high: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    rows, columns = x.shape[:2]
    part = rng.uniform(low, high)
    tall, wide = round(rows * part), round(columns * part)
    top, left = int(rng.integers(0, rows - tall + 1)), int(rng.integers(0, columns - wide + 1))
    return on(x[top : top + tall, left : left + wide], x.shape)


def noise(x: Array, k: int, rng: np.random.Generator) -> Array:
    if k % 3 == 0:
        return rng.integers(0, 256, x.shape)
    if k % 3 == 1:
        soft = ndimage.gaussian_filter(rng.random(x.shape[:2]), rng.uniform(0.01, 0.1) * x.shape[0])
        soft = (soft - soft.min()) / np.ptp(soft) * 255
        return soft if x.ndim == 2 else np.stack([soft] * 3, -1)
    return np.clip(rng.normal(x.mean(), x.std(), x.shape), 0, 255)


def pictures(right: Sequence[Array], data: Path, own: str, n: int, rng: np.random.Generator) -> Made:
    """Wrong pictures of each kind; those of the last two kinds are told apart, and are not among the `n`."""
    others, shape = foreign(data, own, rng), right[0].shape

    def some(count: int, pool: Sequence[Array] = right) -> list[Array]:
        return [pool[k] for k in rng.choice(len(pool), count, replace=count > len(pool))]

    kinds = ["other part of the body", "other modality", "inverted", "rotated", "noise", "cropped"]
    kinds += ["adult instead of child"] if own == "chest_xray_opacity" else ["upside down"]
    kinds += ["child instead of adult"] if own == "chest_xray_heart" else []
    if own == "image_kind":
        kinds.remove("other part of the body")  # its six kinds are all that there are here
    if own == "bccd":
        kinds = [k for k in kinds if k not in ("rotated", "upside down")]  # a smear has no upper side
    counts = {kind: n // len(kinds) + (k < n % len(kinds)) for k, kind in enumerate(kinds)}
    made: Made = {}
    for kind, count in counts.items():
        if kind == "other part of the body":
            made[kind] = [on(x, shape) for x in some(count, others["parts"])]
        elif kind == "other modality":
            made[kind] = [on(x, shape) for x in some(count, others["modalities"])]
        elif kind == "inverted":
            made[kind] = [255 - x for x in some(count)]
        elif kind == "rotated":
            made[kind] = [
                np.rot90(x, int(rng.integers(1, 4))) if k % 2
                else turned(x, rng.uniform(35, 180) * rng.choice([-1, 1]), ("nearest", "constant")[k // 2 % 2])
                for k, x in enumerate(some(count))
            ]  # fmt: skip
        elif kind == "noise":
            made[kind] = [noise(x, k, rng) for k, x in enumerate(some(count))]
        elif kind == "cropped":
            made[kind] = [cropped(x, 0.25, 0.5, rng) for x in some(count)]
        elif kind == "upside down":
            made[kind] = [x[::-1] for x in some(count)]
        elif kind == "child instead of adult":
            files = rng.permutation(sorted(str(file) for file in (data / "kermany_cxr").rglob("*.jp*g")))
            made[kind] = [np.asarray(Image.open(file).convert("L")) for file in files[:count]]
        else:
            made[kind] = [again(x, shape, k, rng) for k, x in enumerate(some(count, others["adults"]))]
    made["(crops of 0.5 to 0.6 of each side)"] = [cropped(x, 0.5, 0.6, rng) for x in some(n // 5)]
    made["(crops of 0.6 to 0.75 of each side)"] = [cropped(x, 0.6, 0.75, rng) for x in some(n // 5)]
    return {kind: [eight(x) for x in images] for kind, images in made.items()}


def again(x: Array, shape: Sequence[int], k: int, rng: np.random.Generator) -> Array:
    """A picture as it is, or with another exposure and field."""
    edge = int(rng.integers(0, 4)) * (k % 2)
    cut = x[edge : x.shape[0] - edge, edge : x.shape[1] - edge]
    return 255 * (on(cut, shape) / 255.0) ** (rng.uniform(0.7, 1.4) if k % 2 else 1.0)


# ---- volumes


def fit(x: Array, shape: Sequence[int], order: int = 1) -> Array:
    zoom = [want / had for want, had in zip(shape, x.shape, strict=True)]
    return np.asarray(ndimage.zoom(np.asarray(x, np.float32), zoom, order=order, mode="nearest", grid_mode=True))


def about(x: Array, rng: np.random.Generator) -> Array:
    """Turned by 40 to 180 degrees about any axis."""
    axis = rng.normal(size=3)
    turn = Rotation.from_rotvec(axis / np.linalg.norm(axis) * np.deg2rad(rng.uniform(40, 180))).as_matrix()
    middle = (np.array(x.shape) - 1) / 2
    return np.asarray(
        ndimage.affine_transform(x.astype(np.float32), turn, middle - turn @ middle, order=1, mode="nearest")
    )


def volumes(right: Sequence[Array], data: Path, own: str, n: int, rng: np.random.Generator) -> Made:
    """Wrong volumes of each kind, on the grid of the right ones."""
    organ = own == "adrenalmnist3d"
    files = sorted(p for p in (data / "open_ms").rglob("*.nii*") if p.is_file())
    heads = [p for p in files if not any(w in p.name.lower() for w in ("mask", "gt", "lesion", "consensus", "change"))]
    masks = [p for p in files if p not in heads]
    hippocampi = sorted((data / "msd_hippocampus" / ("labels" if organ else "images")).glob("*.nii*"))
    grey = heads + (sorted((data / "msd_hippocampus" / "images").glob("*.nii*")) if organ else [])
    kinds = ["other part", "other modality", "inverted", "rotated", "noise", "cropped"]
    kinds += ["swollen, two at once, axes exchanged"] if organ else ["upside down"]
    counts = {kind: n // len(kinds) + (k < n % len(kinds)) for k, kind in enumerate(kinds)}
    with np.load(data / "medmnist" / "adrenalmnist3d.npz") as held:
        glands = held["val_images"] * np.uint8(255)

    def some(count: int) -> list[Array]:
        return [right[k] for k in rng.choice(len(right), count, replace=count > len(right))]

    def shape() -> tuple[int, ...]:
        return tuple(right[int(rng.integers(len(right)))].shape)

    def head(file: Path) -> Array:
        x = np.squeeze(np.asarray(nibabel.load(file).dataobj, np.float32))
        return x if x.ndim == 3 else x[..., 0]

    def part(k: int) -> Array:
        if organ and k % 2:
            x = head(hippocampi[int(rng.integers(len(hippocampi)))])
            kind = int(rng.integers(3))
            return fit(((x > 0) if not kind else (x == kind)) * 255.0, shape())
        if organ:
            x = head(masks[int(rng.integers(len(masks)))]) > 0
            if k % 4 == 0 and x.any():
                return np.asarray((fit(x * 255.0, shape()) > 40) * 255.0)
            at = np.indices(shape()) - rng.uniform(11, 17, 3)[:, None, None, None]
            return np.asarray((((at / rng.uniform(3, 11, 3)[:, None, None, None]) ** 2).sum(0) < 1) * 255.0)
        x = head(heads[int(rng.integers(len(heads)))])
        if k % 2:
            return fit(x, shape())
        wanted, low = shape(), np.percentile(x[x > x.min()], 20)
        while True:  # a piece of the head elsewhere
            first = [int(rng.integers(0, max(1, s - w))) for s, w in zip(x.shape, wanted, strict=True)]
            piece = x[tuple(slice(a, a + w) for a, w in zip(first, wanted, strict=True))]
            if np.mean(piece > low) > 0.5:
                return piece

    def modality(k: int) -> Array:
        if organ:
            return spread(fit(head(grey[int(rng.integers(len(grey)))]), shape())).astype(np.float32)
        gland = glands[int(rng.integers(len(glands)))].astype(np.float32)
        if k % 2:  # a gland on CT as an outline, or soft parts of other densities than MR gives them
            return fit(gland, shape())
        return fit(gland, shape()) + 60 * ndimage.gaussian_filter(rng.normal(size=shape()), 2).clip(-1, 1).mean()

    def speck(x: Array, k: int) -> Array:
        if k % 3 == 0:
            return rng.integers(0, 256, x.shape).astype(np.float32)
        if k % 3 == 1:
            soft = ndimage.gaussian_filter(rng.normal(size=x.shape), rng.uniform(1, 5))
            return np.asarray((soft > 0) * 255.0 if organ else spread(soft))
        return np.asarray((rng.random(x.shape) < rng.uniform(0.02, 0.3)) * 255.0)

    def crop(x: Array) -> Array:
        inside = np.argwhere(x > (x.max() / 2 if organ else x.min() - 1))
        low, high = inside.min(0), inside.max(0) + 1
        sides = np.maximum(((high - low) * rng.uniform(0.4, 0.65, 3)).astype(int), 3)
        first = [int(rng.integers(a, max(a + 1, b - w + 1))) for a, b, w in zip(low, high, sides, strict=True)]
        cut = x[tuple(slice(a, a + w) for a, w in zip(first, sides, strict=True))]
        return fit(cut, x.shape, int(rng.choice([0, 1, 3]))).clip(x.min(), x.max())

    def odd(x: Array, y: Array, k: int) -> Array:
        mask = x > x.max() / 2
        if k % 3 == 0:
            near = ndimage.generate_binary_structure(3, 2)
            return np.asarray(ndimage.binary_dilation(mask, near, iterations=2) * 255.0)
        if k % 3 == 1:
            return np.asarray((mask | np.flip(y > y.max() / 2, int(rng.integers(3)))) * 255.0)
        order = [(1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1)][int(rng.integers(5))]
        return np.ascontiguousarray(mask.transpose(order)) * 255.0

    made: Made = {
        "other part": [part(k) for k in range(counts["other part"])],
        "other modality": [modality(k) for k in range(counts["other modality"])],
        "inverted": [x.max() + x.min() - x.astype(np.float32) for x in some(counts["inverted"])],
        "rotated": [about(x, rng) for x in some(counts["rotated"])],
        "noise": [speck(x, k) for k, x in enumerate(some(counts["noise"]))],
        "cropped": [crop(x) for x in some(counts["cropped"])],
    }
    if organ:
        last = counts[kinds[-1]]
        made[kinds[-1]] = [odd(x, y, k) for k, (x, y) in enumerate(zip(some(last), some(last), strict=True))]
        return {kind: [eight(x) for x in images] for kind, images in made.items()}
    made["upside down"] = [np.flip(x, 2) for x in some(counts["upside down"])]
    return made


# ---- tables


def write(values: Array, how: Any, place: Path) -> Path:
    """Rows with outcomes that mean nothing, as a table is handed over."""
    file = place / "rows.csv"
    heads = [c.name for c in how.columns] + [how.label[0]]
    lines = [[("" if np.isnan(v) else f"{v:.6g}") for v in row] + [f"{how.labels[0]:g}"] for row in values]
    file.write_text("\n".join(",".join(line) for line in [heads, *lines]) + "\n")
    return file


UNITS = {"Age": (12, 365.25), "age": (12, 365.25), "trestbps": (0.1333, 0.1), "chol": (1 / 38.67, 0.01),
         "thalach": (1 / 60,), "oldpeak": (0.1,)}  # fmt: skip
"""Factors to other units: months, days; kPa, cm; mmol/L, g/L; Hz; mV or cm."""


def tables(how: Any, right: Array, n: int, rng: np.random.Generator) -> Made:
    """Wrong tables of one row or of 50, in turn; in brackets what is not among the `n`."""
    columns = how.columns
    numbers = [k for k, c in enumerate(columns) if c.kind == "number"]
    kinds = ["a value out of range, one row", "another unit, one row", "another unit, 50 rows",
             "two columns exchanged, 50 rows", "columns moved by one, 50 rows"]  # fmt: skip
    made: Made = {kind: [] for kind in kinds}

    def rows(count: int) -> Array:
        some = right[~np.isnan(right).any(1)]
        return some[rng.choice(len(some), count)].copy()

    def in_unit(x: Array) -> Array:
        k = int(rng.choice([k for k in numbers if x[:, k].any()]))  # nought is nought in every unit
        x[:, k] = x[:, k] * rng.choice(UNITS[columns[k].name])
        return x

    def exchanged(x: Array) -> Array:
        while True:
            i, k = rng.choice(len(columns), 2, replace=False)
            if not np.array_equal(x[:, i], x[:, k]):
                x[:, [i, k]] = x[:, [k, i]]
                return x

    for k in range(n):
        kind = kinds[k % len(kinds)]
        x = rows(1 if "one" in kind.split(", ")[1] else 50)
        if kind.startswith("a value"):
            at = int(rng.integers(len(columns)))
            value = [-1.0, -9.0, 999.0, 10 * max(x[0, at], 1), 100 * max(x[0, at], 1)][int(rng.integers(5))]
            x[0, at] = value
        elif kind.startswith("another"):
            x = in_unit(x)
        else:
            x = exchanged(x) if kind.startswith("two") else np.roll(x, int(rng.integers(1, len(columns))), 1)
        made[kind].append(x)
    made["(two columns exchanged, one row)"] = [exchanged(rows(1)) for _ in range(n // 5)]
    made["(right tables of 50 rows)"] = [rows(50) for _ in range(n // 5)]
    return made


# ---- what a model says


def told(model: str, images: Sequence[Array], labels: int) -> list[dict[str, Any]]:
    """The rows of `isocenter judge` over images of one shape, with labels that mean nothing."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "wrong.npz"
        np.savez(file, test_images=np.stack(images), test_labels=np.arange(len(images)) % labels)
        return [dict(row) for row in judged(model, file).predictions]


def exact(hits: int, n: int) -> str:
    low, high = stats.binomtest(hits, n).proportion_ci(method="exact")
    return f"{hits} of {n} ({100 * hits / n:.1f} %, {100 * low:.1f} to {100 * high:.1f})"


def halved(right: Sequence[Array], groups: Array, half: int | None) -> list[Array]:
    """The images of one half of the people, drawn by a fixed seed."""
    if half is None:
        return list(right)
    people = np.random.default_rng(411).permutation(np.unique(groups))
    first = np.isin(groups, people[: len(people) // 2])
    return [one for one, inside in zip(right, first, strict=True) if inside == (half == 0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=(*WHERE, *SETS, "adrenalmnist3d", *WHOLE))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", help="another version of the model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--half", type=int, choices=(0, 1), help="right and wrong ones of one half of the people only")
    said = parser.parse_args()
    rng, own = np.random.default_rng([said.seed, 1129]), str(said.model)
    if own in WHOLE:
        whole(own, said.data, said.n, said.seed, rng)
        return
    model = said.folder or own
    held, _ = opened(model, None)
    place, kind = folder_of(model, held, None), held.inputs.get("kind", "films")
    data = said.data / WHERE.get(own, f"medmnist/{own}.npz")
    calls: Callable[[Sequence[Array]], list[tuple[bool, bool]]]
    if kind == "table":
        how, session = recipe_behind(held), opened(model, None)[1]
        rows = read_rows(data, how).values
        right, inputs = halved(rows, np.arange(len(rows)), said.half), dict(held.inputs)
        if said.half is not None:  # what is usual is then learnt from the other half
            inputs["usual"] = usual_of(np.stack(halved(rows, np.arange(len(rows)), 1 - said.half)), how.columns)

        def calls(images: Sequence[Array]) -> list[tuple[bool, bool]]:
            return [_of_table(np.atleast_2d(one), how, session, inputs) for one in images]

    elif kind in ("films", "classes"):
        examples = (
            read_films(data, recipe_behind(held)) if kind == "films"
            else read_labelled(data, asked(held), None if own == "image_kind" else "val")
        )  # fmt: skip
        known = seen(place, examples.pictures) if own in WHERE else None
        fresh = np.ones(len(examples), bool) if known is None else ~known
        right = halved(examples.pictures[fresh], examples.groups[fresh], said.half)
        classes = len(held.inputs.get("classes", (0, 1)))

        def calls(images: Sequence[Array]) -> list[tuple[bool, bool]]:
            return [(bool(row["declined"]), _silent(row, held.inputs)) for row in told(model, images, classes)]
    else:
        module, session = segment if kind == "masks" else detect, opened(model, None)[1]
        cases = module.cases_in(held, data, None)
        known = seen(place, cases)
        fresh = [k for k in range(len(cases)) if known is None or not known[k]]
        right = halved([cases[k] for k in fresh], np.array(fresh), said.half)

        def calls(images: Sequence[Array]) -> list[tuple[bool, bool]]:
            near = held.inputs["scope"].get("near", np.inf)
            more = {} if kind == "masks" else {EXTENTS: detect.extents_in(held, session, images)}
            away = strangeness(place, held.inputs["scope"], images, more)
            return [(bool(far > 1), bool(far <= min(1.0, near))) for far in away]

    if kind == "table":
        made = tables(how, np.stack(right), said.n, rng)
    else:
        volume = right[0].ndim == 3 and right[0].shape[-1] != 3
        made = (volumes if volume else pictures)(right, said.data, own, said.n, rng)
    print(f"{own} {held.version}, seed {said.seed}" + ("" if said.half is None else f", half {said.half}"))
    total, declined, silent = 0, 0, 0
    for name, images in made.items():
        answers = calls(images)
        out, mute = sum(d for d, _ in answers), sum(s and not d for d, s in answers)
        print(f"   {name:<40} {out:4d} of {len(images):4d} declined, {mute} without a word", flush=True)
        if not name.startswith("("):
            total, declined, silent = total + len(images), declined + out, silent + mute
    print(f"   {'all wrong ones':<40} {exact(declined, total)} declined, {silent} without a word")
    answers = calls(right)
    print(f"   {'right ones':<40} {exact(sum(d for d, _ in answers), len(answers))} declined")


def whole(own: str, data: Path, n: int, seed: int, rng: np.random.Generator) -> None:
    """Count what the whole analysis says, of pictures as DICOM and of cines; doubted is answered with a word."""
    print(f"{own} {WHOLE[own]().version}, seed {seed}")
    wrong: list[str] = []
    for kind, answers in (cines_told if own == "cardiac_cine" else films_told)(data, n, seed, rng):
        _count(kind, answers)
        wrong += answers if kind != "right" and kind[0] != "(" else []
    _count("all wrong ones", wrong)


def _count(kind: str, answers: list[str]) -> None:
    out = [answers.count(word) for word in ("declined", "doubted", "mute")]
    print(f"   {kind:<40} {exact(out[0], len(answers))} declined, {out[1]} doubted, {out[2]} mute", flush=True)


def films_told(data: Path, n: int, seed: int, rng: np.random.Generator) -> Iterator[tuple[str, list[str]]]:
    """Wrong films are made of those adults' that the gate was not shown."""
    child, unknown = "child instead of adult", "(children, age not stated)"
    made = pictures(foreign(data, "chest_xray_heart", rng)["adults"], data, "chest_xray_heart", n, rng)
    for kind, images in (made | {unknown: made[child], "right": wrong_films.adults(data)}).items():
        yield kind, wrong_films.asked(images, {child: "005Y", unknown: ""}.get(kind, "045Y"))


def cines_told(data: Path, n: int, seed: int, rng: np.random.Generator) -> Iterator[tuple[str, list[str]]]:
    """Both patients, and a virtual heart for each 20 wrong cines."""
    session = wrong_cines.opened()
    hearts = [*wrong_cines.patients(data), *(wrong_cines.drawn(1000 * seed + k) for k in range(n // 20))]
    yield "right", [wrong_cines.said(session, heart)[0] for heart in hearts]
    for kind, some in itertools.groupby(wrong_cines.made(data, hearts, n, rng), key=lambda pair: pair[0]):
        yield kind, [wrong_cines.said(session, one)[0] for _, one in some]


def _of_table(values: Array, how: Any, session: Any, inputs: Any) -> tuple[bool, bool]:
    """Whether all of a table is declined or refused, and whether one of its rows is called negative without a word."""
    with tempfile.TemporaryDirectory() as place:
        try:
            read = read_rows(write(values, how, Path(place)), how).values
        except Refused:
            return True, False
    why, words = implausible(read, inputs["usual"]), doubtful(read, inputs["usual"])
    chance = session.run(["certainty"], {"image": read.astype(np.float32)})[0][:, 1]
    silent = [c < inputs["threshold"] and not (w or word) for c, w, word in zip(chance, why, words, strict=True)]
    return all(why), any(silent)


def _silent(row: dict[str, Any], inputs: Any) -> bool:
    """Whether an answer is negative, and nothing is said with it."""
    if "certainty" in row:
        return row["certainty"] < inputs["threshold"] and not row["because"]
    if inputs.get("rest"):  # kinds of image: none is negative
        return not row["because"]
    positive = row["said"] >= inputs["positive"] if inputs["ordered"] else row["said"] == inputs["positive"]
    return not positive and not row["because"]


if __name__ == "__main__":
    main()
