"""Boxes as YOLO's tools write them: beside each picture a text with a line for each box, in shares of the picture.

A line is ``class centre_x centre_y width height``, all between 0 and 1 but the class, a number from 0 on. What the
numbers are called stands in a ``.yaml`` with ``names``, in ``classes.txt``, or in a file ``.names`` or ``.labels``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from isocenter.errors import Refused

__all__ = ["notes_in", "rows_of_notes"]

_LISTS = ("classes.txt", "obj.names", "_darknet.labels", "labels.txt", "predefined_classes.txt")
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".JPG", ".JPEG", ".PNG", ".BMP", ".TIF", ".TIFF")

Rows = list[tuple[str, Sequence[float], bool]]
"""As of `boxed`: class, left, top, right, bottom in shares of the picture, and that it counts."""


def notes_in(root: Path) -> list[Path]:
    """The texts of a folder that belong to pictures: below ``labels``, or named like a picture beside them."""
    found = []
    for file in sorted(root.rglob("*.txt")):
        above = [part.lower() for part in file.relative_to(root).parts[:-1]]
        if file.name.startswith(".") or file.name.lower() in _LISTS:
            continue
        if "labels" in above or any(
            file.with_suffix(end).is_file() for end in (*_PICTURES, *map(str.upper, _PICTURES))
        ):
            found.append(file)
    return found


def rows_of_notes(notes: Sequence[Path], root: Path) -> Iterator[tuple[str, Rows]]:
    """The name of each picture, with its folders, and its boxes in shares of it; an empty text says that it has none.

    Raises:
        Refused: nothing names the classes, a number has no name, or a line is no box.
    """
    names = _names_in(root)
    for note in notes:
        rows: Rows = []
        for number, line in enumerate(note.read_text("utf-8-sig").splitlines(), 1):
            if not (words := line.split()):
                continue
            try:
                kind, x, y, wide, tall = (float(word) for word in words)
            except ValueError as e:
                raise Refused(f"line {number} of {note.name} has {len(words)} words, '{line:.40}'",
                              "five numbers are wanted: class, centre from the left and the top, width, height",
                              "write outlines and certainties as boxes without them") from e  # fmt: skip
            if not (0 < wide <= 1.001 and 0 < tall <= 1.001 and 0 <= x <= 1 and 0 <= y <= 1):
                raise Refused(f"line {number} of {note.name} is '{line:.60}'",
                              "the sides of a box are shares of the picture, between 0 and 1",
                              "divide pixels by the width and height of the picture")  # fmt: skip
            if kind not in range(len(names)):
                known = ", ".join(f"{k} {name}" for k, name in enumerate(names))
                raise Refused(f"class {kind:g} in line {number} of {note.name}", f"there are {known}",
                              "name it in the list of classes")  # fmt: skip
            rows.append((names[int(kind)], [x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2], False))
        parts = list(note.relative_to(root).with_suffix("").parts)
        yield "/".join("images" if part.lower() == "labels" else part for part in parts), rows


def _names_in(root: Path) -> list[str]:
    """What the classes 0, 1, 2 … are called, by the file that is nearest to the root."""
    files = sorted((f for f in root.rglob("*") if f.is_file()), key=lambda f: (len(f.parts), f.name))
    for file in files:
        if file.suffix.lower() in (".yaml", ".yml"):
            names = _of_yaml(file.read_text("utf-8-sig"))
        elif file.name.lower() in _LISTS or file.suffix.lower() == ".names":
            names = [line.strip() for line in file.read_text("utf-8-sig").splitlines() if line.strip()]
        else:
            continue
        if names:
            return names
    raise Refused(f"nothing under {root.name} names the classes 0, 1, 2 …", "their order differs between collections",
                  "add data.yaml with names, or classes.txt with a name in each line")  # fmt: skip


def _of_yaml(text: str) -> list[str]:
    """The list or numbered names under ``names``.

    >>> _of_yaml("nc: 2\\nnames: ['disc', \\"square\\"]")
    ['disc', 'square']
    >>> _of_yaml("names:\\n  1: square\\n  0: disc  # round\\npath: .")
    ['disc', 'square']
    >>> _of_yaml("names:\\n- disc\\n- square\\n")
    ['disc', 'square']
    """
    found = re.search(r"^names\s*:\s*(.*(?:\n(?:[ \t]+.*|-.*|[\]}].*|\s*))*)", text, re.MULTILINE)
    if found is None:
        return []
    said = "\n".join(line.split(" #")[0] for line in found[1].splitlines())
    numbered = re.findall(r"(\d+)\s*:\s*(['\"]?)(.+?)\2\s*(?=[,}\n]|$)", said)
    if numbered:
        told = {int(number): name.strip() for number, _, name in numbered}
        return [told[k] for k in range(len(told))] if set(told) == set(range(len(told))) else []
    listed = [word.strip(" -\t'\"[]") for word in re.split(r"[,\n]", said)]
    return [word for word in listed if word]
