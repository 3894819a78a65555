"""Outlines of pictures in a COCO file: polygons, and run lengths as numbers or as text (Lin 2014)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.draw import polygon

from isocenter.errors import Refused
from isocenter.learn.nearest_file import nearest_files
from isocenter.learn.sheet import plain
from isocenter.learn.splits import PARTS, named_part

__all__ = ["CocoOutline", "coco_pairs", "is_coco"]


@dataclass(frozen=True, eq=False)
class CocoOutline:
    """What a COCO file draws on one picture.

    Args:
        name: of the file, for people.
        shape: (rows, columns) that it was drawn on. drawn: (label, polygons or run lengths) of each thing.
    """

    name: str
    shape: tuple[int, int]
    drawn: tuple[tuple[int, Any], ...]

    def painted(self) -> npt.NDArray[np.uint8]:
        """(rows, columns) of labels; where things lie over each other the smaller is seen.

        Raises:
            Refused: a segmentation that is neither, or run lengths of another picture.
        """
        labels = np.zeros(self.shape, np.uint8)
        masks = [(kind, _mask(said, self.shape, self.name)) for kind, said in self.drawn]
        for kind, mask in sorted(masks, key=lambda one: -int(one[1].sum())):
            labels[mask] = kind
        return labels


def is_coco(path: Path) -> bool:
    """Whether a file has the three tables of COCO."""
    try:
        held = json.loads(path.read_text("utf-8")) if path.suffix.lower() == ".json" else None
    except (OSError, ValueError):
        return False
    return isinstance(held, dict) and {"images", "annotations", "categories"} <= held.keys()


def coco_pairs(
    path: Path, root: Path, structures: Sequence[str], endings: tuple[str, ...]
) -> tuple[list[tuple[Path, CocoOutline]], list[str]]:
    """Pictures with what is drawn on them, and which of the file are not there.

    A category is the structure of its name; a picture on which nothing is drawn shows none.

    Args:
        root: folder below which the pictures lie, which are looked for by their names; of several of one name those in
            the folder that the file names, or that is called like the file's own part (``instances_val.json``).
        endings: of pictures.

    Raises:
        Refused: a part of the file is missing, or a category is none of the structures.
    """
    try:
        held = json.loads(path.read_text("utf-8"))
        kinds = {c["id"]: _kind(str(c["name"]), structures, path.name) for c in held["categories"] if _is_used(c, held)}
        drawn: dict[Any, list[tuple[int, Any]]] = {one["id"]: [] for one in held["images"]}
        for note in held["annotations"]:
            drawn[note["image_id"]].append((kinds[note["category_id"]], note["segmentation"]))
        named = [(str(one["file_name"]), (int(one["height"]), int(one["width"])), one["id"]) for one in held["images"]]
    except KeyError as e:
        raise Refused(
            f"{str(e)[:80]} in {path.name}", "a part of a COCO file, an image or an outline lacks that name",
            "give images, annotations with segmentation, and categories that name each other",
        ) from e  # fmt: skip
    except (ValueError, TypeError) as e:
        raise Refused(f"{path.name} is no COCO file", str(e)[:160], "give one") from e
    below: dict[str, list[Path]] = {}
    for file in sorted(root.rglob("*")):
        if file.name.lower().endswith(endings) and not file.name.startswith("."):
            below.setdefault(file.name.lower(), []).append(file)
    found, lost = list[tuple[Path, CocoOutline]](), list[str]()
    for name, shape, number in named:
        way = PurePosixPath(name.replace("\\", "/"))
        near = nearest_files(below.get(way.name.lower(), []), way.parts[:-1], root)
        if len(near) > 1:
            near = [file for file in near if _parts(file.parent.relative_to(root)) & _parts(path.relative_to(root))]
        if len(near) == 1:
            found.append((near[0], CocoOutline(path.name, shape, tuple(drawn[number]))))
        else:
            lost.append(f"{name}: {'no image' if not near else 'several images of that name'}")
    return found, lost


def _parts(way: Path) -> set[str]:
    """The parts of a collection that folders or a file are called after, as ``train2017`` or ``instances_val``."""
    words = (word.strip("0123456789") for word in re.split(r"[^A-Za-z0-9]+", way.as_posix()))
    return {named_part(word) for word in words} & set(PARTS)


def _is_used(category: Mapping[str, Any], held: Mapping[str, Any]) -> bool:
    """Some files name a category above the others, which nothing is of."""
    return any(note["category_id"] == category["id"] for note in held["annotations"])


def _kind(name: str, structures: Sequence[str], where: str) -> int:
    known = {plain(s): k for k, s in enumerate(structures, start=1)}
    if (kind := known.get(plain(name))) is None:
        raise Refused(f"category '{name}' in {where}", f"the structures are {', '.join(structures)}",
                      "correct the file, or name the category as one of the recipe's classes")  # fmt: skip
    return kind


def _mask(said: Any, shape: tuple[int, int], where: str) -> npt.NDArray[np.bool_]:
    mask = np.zeros(shape, bool)
    try:
        if isinstance(said, list):
            for ring in said:
                x, y = np.array(ring, np.float64).reshape(-1, 2).T - 0.5  # centres of pixels lie at whole numbers here
                mask[polygon(y, x, shape)] = True
            return mask
        counts, size = said["counts"], tuple(int(v) for v in said["size"])
        runs = np.array(_runs(counts) if isinstance(counts, str) else counts, np.int64)
    except (KeyError, TypeError, ValueError) as e:
        raise Refused(f"an outline in {where}", f"it is neither polygons nor run lengths: {type(e).__name__}",
                      "export it as COCO has it") from e  # fmt: skip
    if size != shape or runs.min(initial=0) < 0 or runs.sum() != shape[0] * shape[1]:
        raise Refused(f"run lengths of {size} pixels in {where}", f"the picture has {shape}, each pixel once",
                      "export the outlines anew")  # fmt: skip
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(shape[::-1]).T


def _runs(text: str) -> list[int]:
    """The numbers in a text of run lengths: five bits a letter, lowest first, from the third on less the last but one.

    >>> _runs("05R3")
    Traceback (most recent call last):
        ...
    ValueError: a letter that goes on at the end
    """
    found, number, bits = list[int](), 0, 0
    for letter in text:
        held = ord(letter) - 48
        if not 0 <= held < 64:
            raise ValueError(f"letter {letter!r}")
        number |= (held & 31) << bits
        bits += 5
        if not held & 32:
            if held & 16:
                number -= 1 << bits
            found.append(number + (found[-2] if len(found) > 2 else 0))
            number, bits = 0, 0
    if bits:
        raise ValueError("a letter that goes on at the end")
    return found
