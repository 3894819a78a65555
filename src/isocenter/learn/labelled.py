"""Labelled pictures and volumes in the layouts in which people hand them over, checked before anything is learnt.

Read are: an ``.npz`` with images and labels under any split name (MedMNIST: ``train_images``, ``test_labels`` …; also
``images``/``labels``, ``x_test``/``y_test``), a folder with one folder for each class (people may have folders of their
own below it), and a table (CSV) that names a file and a label in each row. Files may be pictures, DICOM, NIfTI or
``.npy``; hidden ones, as archives bring them along, are passed over.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

from isocenter.errors import NotFound, Refused
from isocenter.learn.examples import Examples, digest_of, numbered, weights_in
from isocenter.learn.findings import known_in, label_of, word_of_unknown
from isocenter.learn.gridded import (
    ENDINGS,
    Span,
    deep_in,
    fitted,
    grid_of,
    in_colour,
    opened,
    span_of_set,
    unenlarged,
)  # fmt: skip
from isocenter.learn.kinds import Classes
from isocenter.learn.naming import class_above, class_number, class_of, label_said, named
from isocenter.learn.picture_tables import listed, listed_in, masks_beside, pictures_in
from isocenter.learn.sheet import plain
from isocenter.learn.splits import of_part, part_among
from isocenter.learn.whose import whose_pictures

__all__ = ["Aside", "chosen", "opened_npz", "pairs_of", "read_labelled", "unlabelled"]

_IMAGE_WORDS = {"images", "image", "imgs", "img", "x", "data", "pictures", "volumes"}
_LABEL_WORDS = {"labels", "label", "y", "targets", "target", "truth"}
_IDS, _PEOPLE_WORDS = {"id", "ids", "uid", "uids"}, {"person", "persons", "patient", "patients", "subject", "subjects"}
_NAMES_OF_CLASSES = ("classes", "classnames", "labelnames", "targetnames")

Found = tuple[str, int, "_Read", str]
Aside = list[tuple[str, str]] | None
_T = TypeVar("_T")


class _Read(NamedTuple):
    """An image on the grid of a recipe.

    Args:
        coloured: whether it was in colour where grey values are wanted. times: how often it was enlarged by repeating
            its pixels; 0 where it was enlarged from the grid by interpolation.
        own: its rows and columns before that.
    """

    image: npt.NDArray[np.uint8]
    coloured: bool
    times: int
    own: tuple[int, ...]


@dataclass
class _Asked:
    """How a set is read; `span` is what is black and white in all its images, of files in those not of 8 bits.

    `again` is how many rows of a table name a picture that an earlier one names; `told` says what was made of rows
    that belong together, and of tables beside it. `parts` are those of a column, by name.
    """

    how: Classes
    split: str | None = None
    aside: Aside = None
    enlarge: bool = False
    span: Span = None
    again: int = 0
    told: Sequence[str] = ()
    parts: dict[str, str] = field(default_factory=dict)

    def fit(self, image: npt.NDArray[Any], name: str, span: Span) -> _Read:
        grey = self.how.channels == 1 and len(self.how.shape) == 2
        plain, times = unenlarged(image, self.how, name, span)
        made = fitted(plain, self.how, name, span=span if times else (0.0, 255.0), enlarge=self.enlarge)
        return _Read(made, grey and in_colour(image), times, grid_of(plain, self.how, name))

    def read(self, file: Path, name: str) -> _Read | None:
        """The image in a file, or None where it was set aside."""

        def fit() -> _Read:
            image = opened(file, self.how)
            return self.fit(image, name, None if image.dtype == np.uint8 else self.span)

        return _usable(fit, name, self.aside)


def read_labelled(
    path: Path, how: Classes, split: str | None = None, *, aside: list[tuple[str, str]] | None = None,
    enlarge: bool = False,
) -> Examples:  # fmt: skip
    """Examples on the grid of a recipe, with labels 0, 1, 2 … in the order of its classes.

    Where a picture may show several of them, a label says which it shows, and of which nobody knows (see `findings`).

    Args:
        path: ``.npz``, ``.csv`` or folder.
        how: recipe that says what the classes are called and how large the grid is.
        split: only this part, such as ``test``; by default all that are there.
        aside: where it is given, an image that cannot be used is put here with the reason, and the others are read;
            labels of another set are refused all the same.
        enlarge: whether images much coarser than the grid are taken, too.

    Raises:
        NotFound: when nothing is there.
        Refused: when labels are missing or of another set, pixels are not finite, or pictures are of another kind.
    """
    if not path.exists():
        raise NotFound(
            f"no data at {path}", "there is nothing to read", "give the path of a file or folder that is there"
        )
    asked = _Asked(how, split, aside, enlarge)
    if path.is_dir():
        found = list(_of_folder(path, asked))
    elif path.suffix.lower() == ".npz":
        found = list(_of_npz(path, asked))
    elif path.suffix.lower() in (".csv", ".tsv", ".txt"):
        found = list(_of_tables([path], asked))
    else:
        raise Refused(
            f"{path.name} is not a folder, .npz or .csv", "labelled images are wanted in one of these",
            "give a folder with one folder a class, an .npz with images and labels, or a .csv with file and label",
        )  # fmt: skip
    if not found and aside:
        _none_of(aside, path, how)
    if not found:
        part = f" in the split '{split}'" if split else ""
        raise Refused(
            f"no labelled image in {path.name}{part}",
            "there is nothing to read",
            "give images with their labels: a folder a class, .npz or .csv",
        )
    found, unsaid = _with_something_known(found, path, how)
    images = np.stack([read.image for _, _, read, _ in found])
    labels = np.array([label for _, label, _, _ in found], np.int64)
    names = tuple(name for name, _, _, _ in found)
    whose = tuple(whom for _, _, _, whom in found)
    weights = weights_in(path, names)
    digest = digest_of(names, labels, images, weights)
    coloured = frozenset(name for name, _, read, _ in found if read.coloured)
    parts = tuple(asked.parts[name] for name in names) if asked.parts else ()
    return Examples(images, labels, np.full(len(found), -1, np.int64), names, numbered(whose), digest, weights,
                    coloured, (*_remarks(found, asked), *unsaid), whose, parts)  # fmt: skip


def _with_something_known(found: list[Found], path: Path, how: Classes) -> tuple[list[Found], list[str]]:
    """Of several findings the pictures of which one at least is known, and what is to be told of the others.

    Raises:
        Refused: of none is anything known.
    """
    if not how.several:
        return found, []
    labels = np.array([label for _, label, _, _ in found], np.int64)
    known = known_in(labels, len(how.classes)).any(axis=1)
    some = [one for one, own in zip(found, np.atleast_1d(known), strict=True) if own]
    if not some:
        raise Refused(f"{len(found)} pictures in {path.name}", "of none is any finding known",
                      "write 1 or 0 for those that are")  # fmt: skip
    told = [f"{n} pictures of which no finding is known were left out"] if (n := len(found) - len(some)) else []
    return some, told + ([word] if (word := word_of_unknown(labels[known], how.classes)) else [])


def _twice(found: Sequence[Found], how: Classes) -> Iterator[str]:
    """Whether images stand in a set more than once, pixel for pixel, and with two labels."""
    first: dict[bytes, tuple[str, int]] = {}
    alike, apart = list[tuple[str, str]](), list[str]()
    for name, label, read, _ in found:
        if read.image.min() == read.image.max():
            continue
        known, said = first.setdefault(hashlib.sha256(read.image.tobytes()).digest(), (name, label))
        if known != name:
            alike.append((known, name))
            if said != label:
                apart.append(f"{known} ({label_said(said, how)}) and {name} ({label_said(label, how)})")
    if alike:
        one, other = alike[0]
        yield f"{len(alike)} of {len(found)} images are there a second time, such as {one} and {other}"
    if apart:
        yield f"{len(apart)} of them have another label there, such as {apart[0]}: one of the two is wrong"


def _remarks(found: Sequence[Found], asked: _Asked) -> Iterator[str]:
    """What was made of images that were not given as they were taken."""
    span = asked.span
    if asked.again:
        yield f"{asked.again} rows name a picture again, with the same label: each picture was counted once"
    yield from asked.told
    yield from _twice(found, asked.how)
    if span not in (None, (0.0, 1.0), (0.0, 255.0)):
        assert span is not None
        yield f"grey values that are not of 8 bits were read with {span[0]:g} as black and {span[1]:g} as white"
    grid = " × ".join(map(str, asked.how.shape))
    if smooth := [name for name, _, read, _ in found if read.times == 0]:
        yield (
            f"{len(smooth)} of {len(found)} images were enlarged from {grid} pixels by interpolation, and were read as "
            f"they were before, such as {smooth[0]}"
        )
    if coarse := [(name, read) for name, _, read, _ in found if _coarser(read.own, asked.how.shape)]:
        name, first = coarse[0]
        yield (
            f"{len(coarse)} of {len(found)} images are coarser than the {grid} pixels that '{asked.how.task}' sees, "
            f"such as {name}: {' × '.join(map(str, first.own))}; the figures say nothing of images in full"
        )
    if larger := [(name, read) for name, _, read, _ in found if read.times > 1]:
        name, first = larger[0]
        yield (
            f"{len(larger)} of {len(found)} images were enlarged by repeating their pixels, and were read in their own "
            f"size, such as {name}: {' × '.join(map(str, first.own))}, each pixel repeated {first.times} times a side"
        )


def _coarser(own: Sequence[int], grid: Sequence[int]) -> bool:
    return any(had < want for had, want in zip(own, grid, strict=True))


def unlabelled(path: Path, how: Classes, aside: Aside = None) -> tuple[list[str], npt.NDArray[np.uint8]]:
    """Names and images on the grid of a recipe, whatever they show: all of a folder or an ``.npz``, or one.

    Args:
        aside: where it is given, an image that cannot be used is put here with the reason, and the others are read.

    Raises:
        NotFound: when nothing is there. Refused: when there is no image, or one, or with `aside` each, cannot be used.
    """
    if not path.exists():
        raise NotFound(
            f"no data at {path}", "there is nothing to read", "give the path of a file or folder that is there"
        )
    found = list[tuple[str, npt.NDArray[np.uint8]]]()

    def take(name: str, fit: Callable[[], npt.NDArray[np.uint8]]) -> None:
        if (image := _usable(fit, name, aside)) is not None:
            found.append((name, image))

    if path.is_dir() or path.name.lower().endswith(ENDINGS):
        files, path = (pictures_in(path), path) if path.is_dir() else ([path], path.parent)
        drawn = masks_beside(files)
        files = [file for file in files if file not in drawn]
        deep = span_of_set(deep_in(files, how), path.name)
        for file in files:
            name = file.relative_to(path).as_posix()
            take(name, partial(_alone, file, how, name, deep))
    else:
        arrays = opened_npz(path)
        for part, (image, _) in pairs_of(arrays).items():
            span = span_of_set(arrays[image], f"{path.name}, {image}")
            for number, picture in enumerate(arrays[image]):
                name = f"{part}/{number:05d}" if part else f"{number:05d}"
                take(name, partial(fitted, picture, how, name, span=span))
    if not found and aside:
        _none_of(aside, path, how)
    if not found:
        raise Refused(f"no image in {path.name}", "there is nothing to read", "give a folder of images or an .npz")
    return [name for name, _ in found], np.stack([image for _, image in found])


def _alone(file: Path, how: Classes, name: str, span: Span) -> npt.NDArray[np.uint8]:
    image = opened(file, how)
    return fitted(image, how, name, span=None if image.dtype == np.uint8 else span)


def _none_of(aside: Sequence[tuple[str, str]], path: Path, how: Classes) -> NoReturn:
    raise Refused(
        f"none of {len(aside)} images in {path.name} can be used", f"of the first: {aside[0][1]}",
        f"give images of the kind of '{how.task}'",
    )  # fmt: skip


def pairs_of(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, tuple[str, str | None]]:
    """Split -> (name of its images, name of its labels), in the order train, val, test, then others.

    >>> pairs_of({"y_test": np.zeros(1), "x_test": np.zeros(1), "train_images": np.zeros(1)})
    {'train': ('train_images', None), 'test': ('x_test', 'y_test')}
    >>> pairs_of(dict.fromkeys(("HeldOutImages", "HeldOutLabels", "xtest", "ytest"), np.zeros(1)))
    {'test': ('xtest', 'ytest'), 'held_out': ('HeldOutImages', 'HeldOutLabels')}
    """
    images: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name in arrays:
        if _IDS.intersection(_words(name)):  # who or which they are
            continue
        for words in (name.lower().split("_"), _words(name)):
            if own := [w for w in words if w in _IMAGE_WORDS | _LABEL_WORDS]:
                held = images if own[0] in _IMAGE_WORDS and not _LABEL_WORDS.intersection(own) else labels
                held.setdefault("_".join(w for w in words if w not in own), name)
                break
    order = {"train": 0, "val": 1, "test": 2}
    return {part: (images[part], labels.get(part)) for part in sorted(images, key=lambda p: (order.get(p, 3), p))}


def _by_shape(arrays: Mapping[str, npt.NDArray[Any]], axes: int) -> tuple[str, str] | None:
    """The images and labels of a file that holds two arrays and no name that tells, such as ``arr_0`` and ``arr_1``.

    >>> _by_shape({"arr_0": np.zeros((9, 28, 28)), "arr_1": np.zeros((9, 1))}, 2)
    ('arr_0', 'arr_1')
    >>> _by_shape({"arr_0": np.zeros((9, 28, 28)), "arr_1": np.zeros((9, 28, 28))}, 2) is None
    True
    """
    if len(arrays) != 2:
        return None
    image, label = sorted(arrays, key=lambda name: -arrays[name].ndim)
    fits = arrays[image].ndim > axes and arrays[label].ndim in (1, 2) and len(arrays[image]) == len(arrays[label])
    return (image, label) if fits else None


def _words(name: str) -> list[str]:
    """The words of a name that are parted by capitals or by other marks than underscores, or not at all: `xtest`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    whole = re.sub(r"^([xy])(?=(train|val|valid|test)\b)", r"\1 ", parted.lower())
    return re.findall(r"[a-z0-9]+", whole)


def _of_npz(path: Path, asked: _Asked) -> Iterator[Found]:
    how = asked.how
    arrays = opened_npz(path)
    parts = pairs_of(arrays)
    if not any(label for _, label in parts.values()) and (told := _by_shape(arrays, len(how.shape))) is not None:
        parts = {"": told}
        asked.told = (f"no name in {path.name} says what is what: '{told[0]:.64}' was taken for the images, "
                        f"'{told[1]:.64}' for their labels, by their shapes",)  # fmt: skip
    if not parts:
        raise Refused(f"{path.name} holds {sorted(arrays)}", "arrays named '<split>_images' are wanted",
                      "name the arrays test_images and test_labels")  # fmt: skip
    names = _names_of_classes(arrays)
    for part, (image, label) in chosen(parts, asked.split).items():
        pictures, truth = arrays[image], arrays[label] if label else None
        if truth is None or len(truth) != len(pictures):
            there, wanted = 0 if truth is None else len(truth), f"{part}_labels".lstrip("_")
            raise Refused(
                f"{len(pictures)} images in '{image:.64}' of {path.name}, and {there} labels", "each image needs one",
                f"add an array '{wanted}'" if truth is None else f"give '{label:.64}' a label for each image",
            )  # fmt: skip
        if not len(pictures):
            continue
        where = f"{path.name}, {label}"
        asked.span = span_of_set(pictures, f"{path.name}, {image}")
        whose = _people_of(arrays, part, len(pictures), path.name)
        given = (_together if how.several else _numbers)(np.asarray(truth), len(how.classes), where)
        for i, (picture, told) in enumerate(zip(pictures, given, strict=True)):
            name = f"{part}/{i:05d}" if part else f"{i:05d}"
            kind = int(told) if how.several else class_of(told, how, where, names)
            if (read := _usable(lambda: asked.fit(picture, name, asked.span), name, asked.aside)) is not None:  # noqa: B023
                yield name, kind, read, (whose[i] if whose else "") or name


def _people_of(arrays: Mapping[str, npt.NDArray[Any]], part: str, n: int, where: str) -> list[str]:
    """Whose each image of a part is, where an array says so; none where no array does."""
    for name, held in arrays.items():
        words = _words(name)
        if not _PEOPLE_WORDS.intersection(words) or held.ndim != 1:
            continue
        if "_".join(word for word in words if word not in _PEOPLE_WORDS | _IDS) != "_".join(_words(part)):
            continue
        if len(held) != n:
            raise Refused(f"{n} images and {len(held)} people in '{name:.64}' of {where}", "each image is of somebody",
                          f"give '{name:.64}' a person for each image, or leave it out")  # fmt: skip
        return [str(one) for one in _in_words(held)]
    return []


def _names_of_classes(arrays: Mapping[str, npt.NDArray[Any]]) -> list[str]:
    """What the numbers of the labels are called, where a file says so."""
    told = next((arrays[n] for n in arrays if plain(n) in _NAMES_OF_CLASSES), np.zeros(0))
    return [str(n) for n in np.atleast_1d(_in_words(told))]


def _in_words(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Bytes as text; all else as it is."""
    return np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array


def opened_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file, or why it cannot be read; objects are refused, since loading them could run code."""
    with path.open("rb") as file:
        start = file.read(2)
    if start != b"PK":
        why = "it begins like no archive of arrays" if start else "it is empty"
        raise Refused(f"{path.name} is no whole .npz", why, "save it again with numpy.savez")
    name = ""
    try:
        with np.load(path, allow_pickle=False) as held:
            found = {}
            for name in held.files:
                found[name] = held[name]
            return found
    except ValueError as e:
        if "Object arrays" in str(e):
            raise Refused(
                f"the array '{name:.64}' in {path.name} holds Python objects", "loading them could run code",
                "save numbers or words, such as labels.astype(int)",
            ) from e  # fmt: skip
        raise Refused(f"the array '{name:.64}' in {path.name}", str(e)[:160], "save it again with numpy.savez") from e
    except Exception as e:
        raise Refused(
            f"{path.name} is no whole .npz", str(e)[:160] or type(e).__name__, "save it again with numpy.savez"
        ) from e


def chosen(parts: Mapping[str, Any], split: str | None) -> Mapping[str, Any]:
    """All parts, or the one that was asked for."""
    if split is None:
        return parts
    if (part := part_among(split, parts)) is None:
        there = ", ".join(sorted(name for name in parts if name))
        raise Refused(
            f"no split '{split:.64}'", f"there are {there}" if there else "these data are not parted",
            "name one of them" if there else "leave --split out",
        )  # fmt: skip
    return {part: parts[part]}


def _numbers(truth: npt.NDArray[Any], kinds: int, where: str) -> list[Any]:
    """One label each: (n,), (n, 1), or one column for each class with a single 1 in every row."""
    flat = _in_words(truth).reshape(len(truth), -1)
    if truth.dtype.kind == "f" and not np.isfinite(flat).all():
        raise Refused(f"labels that are not finite in {where}", "a case without a label cannot be judged",
                      "leave out cases of which nobody knows it")  # fmt: skip
    if flat.shape[1] == 1:
        if truth.dtype == bool and kinds > 2:
            raise Refused(f"labels in {where} are only true or false", f"there are {kinds} classes",
                          "give the number of the class of each image")  # fmt: skip
        return list((flat[:, 0].astype(int) if truth.dtype == bool else flat[:, 0]).tolist())
    if flat.shape[1] == kinds and set(np.unique(flat).tolist()) <= {0, 1} and (flat.sum(1) == 1).all():
        return list(flat.argmax(1).tolist())
    raise Refused(
        f"labels of shape {truth.shape} in {where}", "every image needs one label", "give as many labels as images"
    )


def _together(truth: npt.NDArray[Any], kinds: int, where: str) -> list[Any]:
    """Labels from a column for each finding: 1, 0, or -1 or NaN where it is not known (see `findings`)."""
    open_ = np.isnan(truth) | (truth == -1) if truth.dtype.kind == "f" else truth == -1
    if truth.ndim != 2 or truth.shape[1] != kinds or not (np.isin(truth, (0, 1)) | open_).all():
        raise Refused(f"labels of shape {truth.shape} in {where}", f"each picture may show any of {kinds} findings",
                      "give a column for each: 1 where it is there, 0 where not, -1 where nobody knows")  # fmt: skip
    rows = zip((truth == 1).tolist(), open_.tolist(), strict=True)
    return [label_of([None if o else t for t, o in zip(*row, strict=True)], where) for row in rows]


def _of_folder(path: Path, asked: _Asked) -> Iterator[Found]:
    how, split = asked.how, asked.split
    files = pictures_in(path)
    tables = sorted(p for p in path.glob("*.csv") if p.name != "examples.csv")
    if not files and not tables and len(held := sorted(path.glob("*.npz"))) == 1:
        yield from _of_npz(held[0], asked)
        return
    if not files or (tables and not any(_is_classed(p, path, how) for p in files)):
        if tables:
            yield from _of_tables(tables, asked)
            return
        raise Refused(f"no pictures under {path}", f"files ending with {', '.join(ENDINGS)} are looked for",
                      f"make a folder for each class: {', '.join(how.classes)}")  # fmt: skip
    if how.several:
        raise Refused(f"the folders under {path.name}", f"a picture may show several findings for '{how.task}'",
                      "give an .npz with a column for each, or a .csv with names such as Mass|Effusion")  # fmt: skip
    told = list[tuple[Path, str, int, int]]()
    if drawn := masks_beside(files):
        asked.told = [f"{len(drawn)} files are outlines of others by their names, such as {min(drawn).name}: left out"]
    for file in files:
        parts = file.relative_to(path).parts[:-1]
        if file in drawn or (split is not None and not of_part(split, parts)):
            continue
        name = file.relative_to(path).as_posix()
        label, at = class_above(parts, how, name, path.name)
        told.append((file, name, label, at))
    asked.span = span_of_set(deep_in([file for file, *_ in told], how), path.name)
    people = whose_pictures([name for _, name, *_ in told], [at for *_, at in told], len(how.classes))
    for (file, name, label, _), whose in zip(told, people, strict=True):
        if (read := asked.read(file, name)) is not None:
            yield name, label, read, whose


def _is_classed(file: Path, path: Path, how: Classes) -> bool:
    """Whether a folder above a file is named after a class."""
    parts = file.relative_to(path).parts[:-1]
    return any(named(p, how) is not None or class_number(p, how) is not None for p in parts)


def _of_tables(tables: Sequence[Path], asked: _Asked) -> Iterator[Found]:
    if len(tables) == 1:
        told, asked.again, asked.told = listed(tables[0], asked.how, asked.split, aside=asked.aside)
    else:
        told, asked.again, asked.told = listed_in(tables, asked.how, asked.split)
    asked.span = span_of_set(deep_in([one.file for one in told], asked.how), tables[0].name)
    asked.parts = {one.name: one.part for one in told} if any(one.part for one in told) else {}
    for one in told:
        if (read := asked.read(one.file, one.name)) is not None:
            yield one.name, one.kind, read, one.whose


def _usable(read: Callable[[], _T], name: str, aside: Aside) -> _T | None:
    """The image, or None where it was set aside."""
    try:
        return read()
    except Refused as refused:
        if aside is None:
            raise
        aside.append((name, str(refused)))
        return None
