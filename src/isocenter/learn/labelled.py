"""Labelled pictures and volumes in the layouts in which people hand them over, checked before anything is learnt.

Read are: an ``.npz`` with images and labels under any split name (MedMNIST: ``train_images``, ``test_labels`` …; also
``images``/``labels``, ``x_test``/``y_test``), a folder with one folder for each class, and a table (CSV) that names a
file and a label in each row.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import NotFound, Refused
from isocenter.learn.examples import Examples, digest_of, numbered, person, weights_in
from isocenter.learn.kinds import Classes
from isocenter.methods.picture import resampled

__all__ = ["REST", "fitted", "read_labelled", "unlabelled"]

REST = -1
"""The label of what is none of the classes, for models that can say so."""

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".npy", ".nii", ".nii.gz")
_IMAGE_WORDS = {"images", "image", "imgs", "img", "x", "data", "pictures", "volumes"}
_LABEL_WORDS = {"labels", "label", "y", "targets", "target", "truth"}
_FILE_COLUMNS = ("file", "filename", "file_name", "path", "image", "image_path", "name")
_LABEL_COLUMNS = ("label", "class", "target", "diagnosis", "grade", "y")
_REST_NAMES = ("none", "other", "others", "rest", "unknown")

Found = tuple[str, Any, npt.NDArray[Any], str]
Aside = list[tuple[str, str]] | None


def read_labelled(
    path: Path, how: Classes, split: str | None = None, *, aside: list[tuple[str, str]] | None = None
) -> Examples:
    """Examples on the grid of a recipe, with labels 0, 1, 2 … in the order of its classes.

    Args:
        path: ``.npz``, ``.csv`` or folder.
        how: recipe that says what the classes are called and how large the grid is.
        split: only this part, such as ``test``; by default all that are there.
        aside: where it is given, an image that cannot be used is put here with the reason, and the others are read;
            labels of another set are refused all the same.

    Raises:
        NotFound: when nothing is there.
        Refused: when labels are missing or of another set, pixels are not finite, or pictures are of another kind.
    """
    if not path.exists():
        raise NotFound(f"no data at {path}", "there is nothing to read")
    if path.is_dir():
        found = list(_of_folder(path, how, split, aside))
    elif path.suffix.lower() == ".npz":
        found = list(_of_npz(path, how, split, aside))
    elif path.suffix.lower() in (".csv", ".tsv", ".txt"):
        found = list(_of_table(path, how, split, aside))
    else:
        raise Refused(
            f"{path.name} is not a folder, .npz or .csv", "labelled images are wanted in one of these",
            "give a folder with one folder a class, an .npz with images and labels, or a .csv with file and label",
        )  # fmt: skip
    if not found:
        part = f" in the split '{split}'" if split else ""
        raise Refused(f"no labelled image in {path.name}{part}", "there is nothing to read")
    images = np.stack([image for _, _, image, _ in found])
    labels = np.array([label for _, label, _, _ in found], np.int64)
    names = tuple(name for name, _, _, _ in found)
    groups = numbered([whose for _, _, _, whose in found])
    weights = weights_in(path, names)
    digest = digest_of(names, labels, images, weights)
    return Examples(images, labels, np.full(len(found), -1, np.int64), names, groups, digest, weights)


def unlabelled(path: Path, how: Classes) -> tuple[list[str], npt.NDArray[np.uint8]]:
    """Names and images on the grid of a recipe, whatever they show: all of a folder or an ``.npz``.

    Raises:
        NotFound: when nothing is there. Refused: when there is no image, or one cannot be read.
    """
    if not path.exists():
        raise NotFound(f"no data at {path}", "there is nothing to read")
    names, found = [], []
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(_PICTURES)):
            names.append(file.relative_to(path).as_posix())
            found.append(fitted(_opened(file, how), how, names[-1]))
    else:
        arrays = opened_npz(path)
        for part, (image, _) in pairs_of(arrays).items():
            for number, picture in enumerate(arrays[image]):
                names.append(f"{part}/{number:05d}" if part else f"{number:05d}")
                found.append(fitted(picture, how, names[-1]))
    if not found:
        raise Refused(f"no image in {path.name}", "there is nothing to read")
    return names, np.stack(found)


def fitted(image: npt.NDArray[Any], how: Classes, name: str) -> npt.NDArray[np.uint8]:
    """One picture or volume with 8-bit grey values on the grid of the recipe, channels last where there are three.

    Whole numbers up to 255 are taken as they are, parts of 1 are multiplied, and anything else is spread between its
    1st and 99th percentile.

    Raises:
        Refused: for pixels that are not finite, another number of axes or channels, or a grid much coarser than wanted.
    """
    axes = len(how.shape)
    x = np.asarray(image)
    if x.dtype.kind not in "biuf":
        raise Refused(f"{name} holds {x.dtype}", "grey values are numbers")
    if x.ndim > axes and how.channels == 1:  # a lone channel, first or last
        x = x[..., 0] if x.shape[-1] == 1 else x[0] if x.shape[0] == 1 else x
    if how.channels == 1 and axes == 2 and x.ndim == 3 and x.shape[-1] in (3, 4):
        x = np.asarray(x[..., :3], np.float32).mean(-1)
    if how.channels == 3 and x.ndim == axes + 1 and x.shape[-1] not in (3, 4) and x.shape[0] == 3:
        x = np.moveaxis(x, 0, -1)
    wanted = axes + (how.channels > 1)
    if x.ndim != wanted or (how.channels > 1 and x.shape[-1] not in (3, 4)):
        colour = f" and {how.channels} colours" if how.channels > 1 else ""
        raise Refused(
            f"{name} has the shape {np.shape(image)}", f"'{how.task}' looks at images of {axes} axes{colour}",
            "choose the model that belongs to these images",
        )  # fmt: skip
    if how.channels > 1:
        x = x[..., :3]
    grid = x.shape[:axes]
    if any(2 * had < want for had, want in zip(grid, how.shape, strict=True)):
        raise Refused(f"{name} has {' × '.join(map(str, grid))} pixels", "too coarse to be judged",
                      f"'{how.task}' sees {' × '.join(map(str, how.shape))}")  # fmt: skip
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise Refused(f"{name} holds {int(np.count_nonzero(~np.isfinite(x)))} pixels that are not finite",
                      "they have no grey value", "repair or remove the image")  # fmt: skip
    if grid == how.shape and x.dtype == np.uint8 and int(x.max(initial=0)) > 1:
        return x
    return np.asarray(np.floor(np.clip(_on_grid(_eight_bit(x), how.shape) + 0.5, 0, 255)), np.uint8)


def _eight_bit(x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    grey = np.asarray(x, np.float32)
    low, high = float(grey.min()), float(grey.max())
    if low >= 0 and high <= 1:
        return grey * 255
    if low >= 0 and high <= 255:
        return grey
    low, high = (float(v) for v in np.percentile(grey, (1, 99)))
    return np.asarray(np.clip((grey - low) * (255 / max(high - low, 1e-6)), 0, 255), np.float32)


def _on_grid(x: npt.NDArray[np.float32], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    if x.shape[: len(shape)] == shape:
        return x
    if len(shape) == 2 and x.ndim == 3:
        return np.moveaxis(resampled(np.moveaxis(x, -1, 0), *shape), 0, -1)
    flat = resampled(x, shape[-2], shape[-1])
    if len(shape) == 2:
        return flat
    turned = np.moveaxis(flat, 0, 1)  # rows, slices, columns
    return np.moveaxis(resampled(turned, shape[0], shape[2]), 1, 0)


def _label(said: Any, how: Classes, names: Sequence[str], where: str) -> int:
    """The number of a class that was given by number or by name."""
    word = str(said).strip()
    known = {_plain(n): k for k, n in enumerate(how.classes)} | {_plain(n): k for n, k in how.known_as.items()}
    if how.foreign:
        known |= dict.fromkeys(_REST_NAMES, REST)
    if _plain(word) in known:
        return known[_plain(word)]
    try:
        number = float(word)
    except ValueError:
        number = float("nan")
    if names and number in range(len(names)):
        return _label(names[int(number)], how, (), where)
    if number in range(len(how.classes)):
        return int(number)
    classes = ", ".join(f"{k} {name}" for k, name in enumerate(how.classes))
    raise Refused(f"label '{word}' in {where}", f"'{how.task}' knows {classes}", "give labels of this set")


def _plain(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum())


def pairs_of(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, tuple[str, str | None]]:
    """Split -> (name of its images, name of its labels), in the order train, val, test, then others.

    >>> pairs_of({"y_test": np.zeros(1), "x_test": np.zeros(1), "train_images": np.zeros(1)})
    {'train': ('train_images', None), 'test': ('x_test', 'y_test')}
    """
    images: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name in arrays:
        words = name.lower().split("_")
        for vocabulary, held in ((_IMAGE_WORDS, images), (_LABEL_WORDS, labels)):
            own = [w for w in words if w in vocabulary]
            if own:
                held.setdefault("_".join(w for w in words if w not in own), name)
                break
    order = {"train": 0, "val": 1, "test": 2}
    return {part: (images[part], labels.get(part)) for part in sorted(images, key=lambda p: (order.get(p, 3), p))}


def _of_npz(path: Path, how: Classes, split: str | None, aside: Aside) -> Iterator[Found]:
    arrays = opened_npz(path)
    parts = pairs_of(arrays)
    if not parts:
        raise Refused(f"{path.name} holds {sorted(arrays)}", "arrays named '<split>_images' are wanted",
                      "name the arrays test_images and test_labels")  # fmt: skip
    names = [str(n) for n in arrays.get("classes", ())]
    for part, (image, label) in chosen(parts, split).items():
        pictures, truth = arrays[image], arrays[label] if label else None
        if truth is None or len(truth) != len(pictures):
            raise Refused(
                f"{path.name}: {len(pictures)} images and {0 if truth is None else len(truth)} labels in '{part}'",
                "every image needs one label", f"add an array '{part}_labels'".replace("'_", "'"),
            )  # fmt: skip
        given = _numbers(np.asarray(truth), len(how.classes), f"{path.name}, {label}")
        for i, (picture, said) in enumerate(zip(pictures, given, strict=True)):
            name = f"{part}/{i:05d}" if part else f"{i:05d}"
            kind = _label(said, how, names, f"{path.name}, {label}")
            if (read := _usable(lambda: fitted(picture, how, name), name, aside)) is not None:  # noqa: B023
                yield name, kind, read, name


def opened_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file, or why it cannot be read; objects are refused, since loading them could run code."""
    try:
        with np.load(path, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except ValueError as e:
        raise Refused(f"{path.name} cannot be read", str(e)[:160], "save plain arrays, no objects") from e
    except Exception as e:
        raise Refused(f"{path.name} is no whole .npz", str(e)[:160] or type(e).__name__, "save it again") from e


def chosen(parts: Mapping[str, Any], split: str | None) -> Mapping[str, Any]:
    """All parts, or the one that was asked for."""
    if split is None:
        return parts
    if split not in parts:
        raise Refused(f"no split '{split}'", f"there are {', '.join(sorted(parts)) or 'none'}", "name one of them")
    return {split: parts[split]}


def _numbers(truth: npt.NDArray[Any], kinds: int, where: str) -> list[Any]:
    """One label each: (n,), (n, 1), or one column for each class with a single 1 in every row."""
    flat = truth.reshape(len(truth), -1)
    if truth.dtype.kind == "f" and not np.isfinite(flat).all():
        raise Refused(f"labels that are not finite in {where}", "a case without a label cannot be judged")
    if flat.shape[1] == 1:
        return list(flat[:, 0].tolist())
    if flat.shape[1] == kinds and set(np.unique(flat).tolist()) <= {0, 1} and (flat.sum(1) == 1).all():
        return list(flat.argmax(1).tolist())
    raise Refused(f"labels of shape {truth.shape} in {where}", "every image needs one label")


def _of_folder(path: Path, how: Classes, split: str | None, aside: Aside) -> Iterator[Found]:
    files = sorted(p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(_PICTURES))
    if split is not None:
        files = [p for p in files if split in p.relative_to(path).parts[:-1]]
    if not files:
        tables = sorted(path.glob("*.csv"))
        if len(tables) == 1:
            yield from _of_table(tables[0], how, split, aside)
            return
        raise Refused(f"no pictures under {path}", f"files ending with {', '.join(_PICTURES)} are looked for",
                      f"make a folder for each class: {', '.join(how.classes)}")  # fmt: skip
    for file in files:
        name = file.relative_to(path).as_posix()
        label = _label(file.parent.name, how, (), f"the folder of {name}")
        if (read := _usable(lambda: fitted(_opened(file, how), how, name), name, aside)) is not None:  # noqa: B023
            yield name, label, read, person(file.name)


def _of_table(path: Path, how: Classes, split: str | None, aside: Aside) -> Iterator[Found]:
    with path.open(newline="", encoding="utf-8-sig") as text:
        sample = text.read(4096)
        text.seek(0)
        rows = list(csv.DictReader(text, delimiter="\t" if "\t" in sample else ";" if ";" in sample else ","))
    columns = {c.strip().lower(): c for c in (rows[0] if rows else {}) if c}
    file = next((columns[c] for c in _FILE_COLUMNS if c in columns), None)
    label = next((columns[c] for c in _LABEL_COLUMNS if c in columns), None)
    if file is None or label is None:
        raise Refused(
            f"{path.name} has the columns {list(columns)}", "one for the file and one for the label are wanted",
            "call them 'file' and 'label'",
        )  # fmt: skip
    for number, row in enumerate(rows):
        if split is not None and row.get(columns.get("split", ""), "") != split:
            continue
        picture = path.parent / str(row[file])
        if not picture.is_file():
            raise Refused(f"{row[file]} in row {number + 1} of {path.name}", "there is no such file beside the table")
        if not str(row[label] or "").strip():
            raise Refused(f"row {number + 1} of {path.name} has no label", "a case without a label cannot be judged")
        name, kind = str(row[file]), _label(row[label], how, (), path.name)
        read = _usable(lambda: fitted(_opened(picture, how), how, name), name, aside)  # noqa: B023
        if read is not None:
            yield name, kind, read, person(picture.name)


def _usable(read: Callable[[], npt.NDArray[np.uint8]], name: str, aside: Aside) -> npt.NDArray[np.uint8] | None:
    """The image, or None where it was set aside."""
    try:
        return read()
    except Refused as refused:
        if aside is None:
            raise
        aside.append((name, str(refused)))
        return None


def _opened(file: Path, how: Classes) -> npt.NDArray[Any]:
    from PIL import Image

    try:
        if file.suffix.lower() == ".npy":
            return np.asarray(np.load(file, allow_pickle=False))
        if file.name.lower().endswith((".nii", ".nii.gz")):
            import nibabel

            return np.asarray(nibabel.load(file).dataobj)
        with Image.open(file) as image:
            deep = image.mode.startswith(("I", "F"))
            return np.asarray(image if deep else image.convert("RGB" if how.channels == 3 else "L"))
    except Exception as e:
        raise Refused(f"cannot read {file.name}", str(e)[:160], "take the file out or replace it") from e
