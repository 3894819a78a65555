"""Labelled pictures, split by person, with near-duplicates kept on one side."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = [
    "Examples",
    "coded",
    "digest_of",
    "folds",
    "linked",
    "made_one",
    "must_be_of_two_classes",
    "near_duplicates",
    "numbered",
    "person",
    "split",
    "twins",
    "weights_in",
]


@dataclass(frozen=True, eq=False)
class Examples:
    """Pictures with their labels.

    Args:
        pictures: (n, rows, columns) of 8-bit grey values; (n, rows, columns, 3) in colour, (n, slices, rows, columns)
            of volumes.
        labels: (n,) class of each picture; where it may show several, which and of which it is known (see `findings`).
        subtypes: (n,) kind within the positive class; -1 where it does not apply or is not known.
        names: file or row that each came from.
        groups: (n,) number of the person; pictures of one person share it.
        digest: SHA-256 over names, labels and pixels.
        weights: (n,) how much each counts, 0 to 1; None where all count alike.
        in_colour: names of pictures that were in colour where grey values are wanted, and of which the mean was taken.
        remarks: sentences on what was made of pictures that were not given as they were taken.
        whose: (n,) who the person is, as a name, a folder or a column tells; empty where nobody asked.
        parts: (n,) the part of the collection, as a column of a table calls it; empty where no column does.
    """

    pictures: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    subtypes: npt.NDArray[np.int64]
    names: tuple[str, ...]
    groups: npt.NDArray[np.int64]
    digest: str
    weights: npt.NDArray[np.float32] | None = None
    in_colour: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()
    whose: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def ways(self) -> tuple[str, ...]:
        """The names, each in a folder that is called as its part where a column tells that (see `splits.part_of`)."""
        return tuple(map("/".join, zip(self.parts, self.names, strict=True))) if self.parts else self.names

    def __len__(self) -> int:
        return len(self.names)

    def take(self, which: npt.NDArray[np.int64]) -> Examples:
        """The part with these indices, with a digest of its own."""
        names = tuple(self.names[i] for i in which)
        parts = self.pictures[which], self.labels[which]
        weights = None if self.weights is None else self.weights[which]
        digest = digest_of(names, *parts[::-1], weights)
        coloured = self.in_colour & frozenset(names)
        return Examples(
            *parts,
            self.subtypes[which],
            names,
            self.groups[which],
            digest,
            weights,
            coloured,
            self.remarks,
            tuple(self.whose[i] for i in which) if self.whose else (),
            tuple(self.parts[i] for i in which) if self.parts else (),
        )


_NAMED = re.compile(r"(person|patient|subject|sub)[-_ ]?([a-z]*\d[a-z\d]*)[-_. ]", re.IGNORECASE)


def person(name: str) -> str:
    """The person that a file name begins with, as ``person12_``, ``patient-12_`` or ``sub-A1_``; else the file itself.

    In the chest radiograph collection the numbers of the two classes are counted apart, so the class stays in front.
    So are files that are numbered anew in every folder.

    Args:
        name: of the file, with the folders above it where another of them may hold a file of the same name.

    >>> person("person1000_bacteria_2931.jpeg"), person("NORMAL2-IM-0383-0001-0002.jpeg")
    ('person1000', 'normal0383')
    >>> person("well/sub-A1_ses-2_T1w.nii.gz"), person("Patient 12 left.png"), person("well/3.png"), person("ill/3.png")
    ('suba1', 'patient12', 'well/3', 'ill/3')
    """
    own = PurePosixPath(name).name
    return named_person(own) or (str(PurePosixPath(name).with_name(PurePosixPath(name).stem)) if own else name)


def named_person(own: str) -> str:
    """The person that the name of a file tells; nobody where it tells none."""
    match = re.match(r"(?:NORMAL2-)?IM-(\d+)-", own)
    return f"normal{match[1]}" if match else coded(own)


def coded(own: str) -> str:
    """The person that a name begins with; nobody where it begins otherwise.

    >>> coded("person12_1.png"), coded("sub-A1_T1w.nii"), coded("submucosa_3.png"), coded("a.png")
    ('person12', 'suba1', '', '')
    """
    match = _NAMED.match(own)
    return f"{match[1]}{match[2]}".lower() if match else ""


def digest_of(
    names: Sequence[str], labels: npt.NDArray[Any], pictures: npt.NDArray[Any], weights: npt.NDArray[Any] | None = None
) -> str:
    """SHA-256 over names, labels and pixels, and weights where there are any."""
    sha = hashlib.sha256("\n".join(names).encode())
    sha.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
    sha.update(np.ascontiguousarray(pictures).tobytes())
    if weights is not None:
        sha.update(np.ascontiguousarray(weights, dtype="<f4").tobytes())
    return sha.hexdigest()


def weights_in(folder: Path, names: Sequence[str]) -> npt.NDArray[np.float32] | None:
    """What ``examples.csv`` in a folder says that each file counts; None where there is none.

    Raises:
        Refused: a weight that is not between 0 and 1.
    """
    table = folder / "examples.csv"
    if not table.is_file():
        return None
    with table.open(newline="", encoding="utf-8") as text:
        told = {str(row.get("file")): str(row.get("weight")) for row in csv.DictReader(text)}
    try:
        found = np.array([float(told.get(name, "1")) for name in names], np.float32)
    except ValueError as e:
        raise Refused(f"a weight in {table.name}", str(e), "write numbers from 0 to 1") from e
    if not bool(np.all((found >= 0) & (found <= 1))):
        raise Refused(f"a weight in {table.name}", "it does not lie between 0 and 1", "write numbers from 0 to 1")
    return found


def numbered(keys: Sequence[str]) -> npt.NDArray[np.int64]:
    """The same number for the same key, counted from 0.

    >>> numbered(["ann", "bob", "ann"]).tolist()
    [0, 1, 0]
    """
    number: dict[str, int] = {}
    return np.array([number.setdefault(k, len(number)) for k in keys], np.int64)


def near_duplicates(pictures: npt.NDArray[np.uint8], *, alike: float = 0.985) -> list[tuple[int, int]]:
    """Pairs of pictures that show nearly the same, whatever their brightness.

    Every picture is averaged to 28 × 28, freed of the mean picture, and scaled to unit length; a pair counts when the
    product of two such vectors (their correlation) is above `alike`.

    >>> noise = np.random.default_rng(0).integers(0, 255, (3, 56, 56), dtype=np.uint8)
    >>> noise[2] = np.minimum(noise[0] // 2 + 40, 255)
    >>> near_duplicates(noise)
    [(0, 2)]
    """
    n, rows, columns = pictures.shape
    by, bx = max(1, rows // 28), max(1, columns // 28)
    cut = pictures[:, : rows // by * by, : columns // bx * bx]
    small = cut.reshape(n, rows // by, by, columns // bx, bx).mean((2, 4), dtype=np.float32).reshape(n, -1)
    small -= small.mean(1, keepdims=True)
    small /= np.maximum(small.std(1, keepdims=True), 1e-6)
    if n > 50:  # the common anatomy would make every chest alike; of few pictures no mean can be taken
        small -= small.mean(0)
    small /= np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-6)
    pairs: list[tuple[int, int]] = []
    for start in range(0, n, 1024):
        product = small[start : start + 1024] @ small.T
        for a, b in np.argwhere(product > alike):
            if start + a < b:
                pairs.append((int(start + a), int(b)))
    return pairs


def split(examples: Examples, part: float, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """Indices for training and for validation, and how many pairs of near-duplicates were kept together.

    People, not pictures, are drawn, in each class apart; people who share a near-duplicate count as one.

    Raises:
        Refused: when a class is missing on one side.
    """
    groups, pairs = linked(_flat(examples.pictures), examples.groups)
    rng = np.random.default_rng(seed)
    held: set[int] = set()
    for label in (0, 1):
        own = np.unique(groups[examples.labels == label])
        rng.shuffle(own)
        wanted, got = part * np.count_nonzero(examples.labels == label), 0
        for group in own:
            if got >= wanted:
                break
            held.add(int(group))
            got += int(np.count_nonzero((groups == group) & (examples.labels == label)))
    inside = np.isin(groups, list(held))
    train, validation = np.flatnonzero(~inside), np.flatnonzero(inside)
    for name, side in (("training", train), ("validation", validation)):
        if len(np.unique(examples.labels[side])) < 2:
            raise Refused(f"the {name} part has one class only", "both classes are needed on both sides",
                          "give more people, or a larger validation part")  # fmt: skip
    return train, validation, pairs


def linked(pictures: npt.NDArray[np.uint8], people: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int]:
    """The people, those that share a near-duplicate made one, and how many pairs of near-duplicates there are.

    Args:
        pictures: (n, rows, columns) one grey picture of each case. people: (n,) number of the person.
    """
    groups, pairs = people.copy(), near_duplicates(pictures)
    for a, b in pairs:
        if groups[a] != groups[b]:
            groups[groups == groups[b]] = groups[a]
    return groups, len(pairs)


def made_one(people: Sequence[str], shown: Sequence[bytes]) -> list[str]:
    """The people, those who share a picture to the last bit made one: earlier examples name nobody.

    >>> made_one(["ann", "bob", "cy", "bob"], [b"1", b"1", b"2", b"3"])
    ['ann', 'ann', 'cy', 'ann']
    """
    found, first = list(people), dict[bytes, int]()
    for n, key in enumerate(shown):
        one, other = found[first.setdefault(key, n)], found[n]
        found = [one if whom == other else whom for whom in found]
    return found


def twins(examples: Examples) -> list[tuple[int, int]]:
    """Pairs of near-duplicates of two persons, or with two labels: those with two labels first."""
    which, labels = examples.groups, examples.labels
    pairs = near_duplicates(_flat(examples.pictures))
    strange = [(a, b) for a, b in pairs if which[a] != which[b] or labels[a] != labels[b]]
    return sorted(strange, key=lambda pair: (bool(labels[pair[0]] == labels[pair[1]]), pair))


def _flat(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """One grey picture of each: colours averaged, the brightest of a volume's slices."""
    if pictures.ndim != 4:
        return pictures
    if pictures.shape[-1] == 3:
        return np.asarray(pictures.mean(3, dtype=np.float32), np.uint8)
    return np.asarray(pictures.max(1), np.uint8)


def must_be_of_two_classes(labels: npt.NDArray[np.int64]) -> None:
    """Refuse to learn classes from one.

    Raises:
        Refused: every label is the same.
    """
    if len(kinds := np.unique(labels)) < 2:
        raise Refused(f"every label is {int(kinds[0])}", "from one class only nothing is learnt",
                      "give examples of two classes at least")  # fmt: skip


def folds(examples: Examples, parts: int, seed: int) -> tuple[npt.NDArray[np.int64], int]:
    """(n,) the part that each example belongs to, and how many pairs of near-duplicates were kept together.

    People are dealt out, those of each class apart, so that every part has its share of each class; people who share
    a near-duplicate count as one.

    Raises:
        Refused: when a class has fewer people than there are parts.
    """
    groups, pairs = linked(_flat(examples.pictures), examples.groups)
    rng = np.random.default_rng(seed)
    part = np.full(len(examples), -1, np.int64)
    for label in np.unique(examples.labels):
        own = np.unique(groups[(examples.labels == label) & (part < 0)])
        if len(own) < parts:
            raise Refused(
                f"class {label} has {len(own)} people whose pictures are not those of another class",
                f"{parts} parts need one each", "give more examples, and each picture one label",
            )  # fmt: skip
        rng.shuffle(own)
        for number, group in enumerate(own):
            part[groups == group] = (number + int(label)) % parts
    return part, pairs
