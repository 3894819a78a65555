"""The parts of a collection, by the words that folders, files, columns and arrays have for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from isocenter.errors import Refused

__all__ = ["PARTS", "must_be_among", "named_part", "of_part", "part_among", "part_of", "taught_on_test", "together"]

_ALIKE = {
    "train": ("train", "training", "tr", "imagestr", "trainset", "trainingset"),
    "val": ("val", "valid", "validation", "dev", "imagesval", "valset", "validationset"),
    "test": ("test", "testing", "ts", "imagests", "testset", "testingset"),
}
"""A part, and what else it is called; letters and digits alone."""
PARTS = tuple(_ALIKE)
_PART = {word: part for part, words in _ALIKE.items() for word in words}


def named_part(word: str) -> str:
    """A word's part by its usual name where it is one of the three, else the word itself, small.

    >>> named_part("Valid"), named_part("test_set"), named_part("imagesTs"), named_part("Fold 1"), named_part("latest")
    ('val', 'test', 'test', 'fold 1', 'latest')
    """
    plain = "".join(c for c in word.lower() if c.isalnum())
    return _PART.get(plain, word.strip().lower())


def of_part(split: str, words: Iterable[str]) -> bool:
    """Whether one of some folders or words is called like a part of a collection.

    >>> of_part("val", ["set", "valid"]), of_part("valid", ["val"]), of_part("TEST", ["Test"]), of_part("test", ["ct"])
    (True, True, True, False)
    """
    return named_part(split) in {named_part(word) for word in words}


def part_among(split: str, there: Iterable[str]) -> str | None:
    """Which of some parts is asked for: the one of that very name, else one that is called like it.

    >>> part_among("val", ["valid", "val"]), part_among("val", ["train", "Valid"]), part_among("val", ["test"])
    ('val', 'Valid', None)
    """
    words = list(there)
    return split if split in words else next((word for word in words if of_part(split, [word])), None)


def must_be_among(split: str | None, there: Iterable[str], where: str) -> str | None:
    """Which of the parts that a table names is asked for; None where all are.

    Raises:
        Refused: there is no such part.
    """
    known = sorted({word for word in there if word})
    if split is None or not known:
        return split
    if (part := part_among(split, known)) is None:
        told = ", ".join(known[:8])
        raise Refused(f"no split '{split:.64}' in {where}", f"there are {told}", "name one of them")
    return part


def part_of(way: str) -> str:
    """The part that the last such folder above a file is called after; else nothing.

    >>> part_of("a/Test/normal/0.png"), part_of("imagesTr/a.nii"), part_of("test.png")
    ('test', 'train', '')
    """
    told = [part for word in way.split("/")[:-1] if (part := named_part(word)) in PARTS]
    return told[-1] if told else ""


def together(parts: Sequence[str]) -> list[str]:
    """A sentence where cases are of several of the three parts; what is in none of them is passed over.

    >>> together(["train", "Valid", "train", "a"])
    ['these 4 cases are of several parts, taken together: 2 of train, 1 of val; --split val takes that part alone']
    >>> together(["test", "test", "fold"])
    []
    """
    told = Counter(part for word in parts if (part := named_part(word)) in PARTS)
    if len(told) < 2:
        return []
    each = ", ".join(f"{told[part]} of {part}" for part in _ALIKE if part in told)
    last = next(part for part in ("test", "val", "train") if part in told)
    return [f"these {len(parts)} cases are of several parts, taken together: {each}; --split {last} takes that part "
            "alone"]  # fmt: skip


def taught_on_test(ways: Sequence[str]) -> list[str]:
    """A sentence where examples of a training lie in a part that is called after the test, beside those of others.

    >>> taught_on_test(["train/a.png", "train/b.png", "test/c.png"])[0][:45]
    "1 of 3 examples are of the part 'test' and ar"
    >>> taught_on_test(["test/c.png", "test/d.png"]), taught_on_test(["train/a.png", "val/b.png"])
    ([], [])
    """
    told = Counter(part_of(way) for way in ways)
    if not 0 < told["test"] < len(ways):
        return []
    return [f"{told['test']} of {len(ways)} examples are of the part 'test' and are learnt from like all others: "
            "to judge on them, train on a copy of the data without them"]  # fmt: skip
