"""Radiographs with outlines of lungs and heart read from disk, in the layout of the public collections.

One folder of pictures and one for each outline, told by their names (``images`` or ``CXR_png``; ``rightMask``, ``left
lung``, ``heart`` …), with the same file name in each, or the outline told by the end of its file's name
(``a_left.png``). Both lungs may lie in one file (``masks``): the one on the left of the picture is the right lung.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.learn.nearest_file import nearest_files
from isocenter.learn.splits import of_part
from isocenter.learn.whose import whose

__all__ = ["OUTLINES", "WANTED", "OutlinedFilm", "outlined_films"]

OUTLINES = ("right", "left", "heart")
WANTED = (
    "wanted are a folder of pictures, and one each of right and left lung (and heart), or of both lungs, with the same "
    "file names"
)
_PICTURES, _SUFFIXES = ("image", "cxr", "picture"), (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif")
_BOTH = ("lung", "mask", "label", "seg", "outline", "truth")
_ENDED = r"right|left|heart|lungs?|masks?|labels?|seg|segmentation|outlines?|truth|gt"
_LEAST_LUNG = 0.1  # of the other one

Mask = npt.NDArray[np.bool_]


class OutlinedFilm(NamedTuple):
    """A radiograph with the outlines that it has, by part.

    Args:
        way: of its file, from the folder of the set on. person: whose it is, as far as names tell.
        outlines: none where both lungs are one piece in their file.
    """

    name: str
    way: str
    person: str
    picture: npt.NDArray[np.float32]
    outlines: dict[str, Mask]


def outlined_films(
    data: Path, split: str | None = None, *, partly: bool = False, aside: list[tuple[str, str]] | None = None
) -> Iterator[OutlinedFilm]:  # fmt: skip
    """Every picture with both lungs outlined.

    Args:
        split: only pictures below a folder of that name. partly: those with one outline or two as well.
        aside: where it is given, a picture that cannot be used is put here with the reason, and the others are read.

    Raises:
        Refused: no folder is called like the split, or an outline does not fit its picture.
    """
    drawn: dict[tuple[str, str], list[Path]] = {}
    pictures: list[tuple[str, Path]] = []
    for file in sorted(data.rglob("*")):
        way = file.relative_to(data)
        if file.suffix.lower() in _SUFFIXES and not any(part.startswith((".", "__MACOSX")) for part in way.parts):
            part, case = _told(way)
            if part:
                drawn.setdefault((part, case), []).append(file)
            else:
                pictures.append((case, file))
    if split is not None:
        pictures = [(c, f) for c, f in pictures if of_part(split, f.relative_to(data).parts[:-1])]
        if not pictures:
            raise Refused(f"no split '{split}'", "no picture lies below a folder of that name",
                          "give a folder that holds that part alone")  # fmt: skip
    often = Counter(file.stem for _, file in pictures)
    people = whose([file.relative_to(data).as_posix() for _, file in pictures])
    for (case, path), whom in zip(pictures, people, strict=True):
        own = {part: f for part in (*OUTLINES, "lungs") if (f := _nearest(drawn.get((part, case), []), path, data))}
        if not ({"right", "left"} <= own.keys() or "lungs" in own or (partly and own)):
            continue
        place = path.relative_to(data).as_posix()
        name = path.stem if often[path.stem] == 1 else place
        try:
            film = OutlinedFilm(name, place, whom, *_drawn_on(path, own, partly=partly))
        except Refused as bad:
            if aside is None:
                raise
            aside.append((name, str(bad)))
        else:
            yield film


def _drawn_on(
    path: Path, own: Mapping[str, Path], *, partly: bool
) -> tuple[npt.NDArray[np.float32], dict[str, Mask]]:  # fmt: skip
    """A picture and its outlines, by part."""
    truth = {part: _mask(own[part]) for part in OUTLINES if part in own}
    if "lungs" in own and not {"right", "left"} <= own.keys():
        both = _apart(_mask(own["lungs"]))
        truth = truth | both if both else truth if partly else {}
    picture = _read(path, drawn=False)
    if any(mask.shape != picture.shape for mask in truth.values()):
        raise Refused(
            f"outlines of {path.name}",
            "they have another shape than the picture",
            "outline it on the picture in its own size",
        )
    return picture, truth


def _told(way: Path) -> tuple[str, str]:
    """What a file shows, by the end of its name or the folder nearest to it, and of which case; of a picture ``""``.

    >>> _told(Path("set/left lung/a.png")), _told(Path("CXR_png/A_1.png")), _told(Path("all/a_right_lung.png"))
    (('left', 'a'), ('', 'a_1'), ('right', 'a'))
    >>> _told(Path("masks/a_mask.png"))
    ('lungs', 'a')
    """
    ending = re.search(rf"([-_. ]({_ENDED}))+$", way.stem, re.IGNORECASE)
    case = (way.stem[: ending.start()] if ending else way.stem).lower()
    for words in ((ending[0].lower() if ending else ""), *(part.lower() for part in reversed(way.parts[:-1]))):
        if (part := next((p for p in OUTLINES if p in words), None)) is not None:
            return part, case
        if any(word in words for word in _PICTURES):
            return "", case
        if any(word in words for word in _BOTH) and not ending:
            return "lungs", case
    return "lungs" if ending else "", case


def _nearest(files: Sequence[Path], picture: Path, root: Path) -> Path | None:
    """The outline whose folders are most like those of its picture.

    Raises:
        Refused: where nothing tells which of several it is.
    """

    likely = nearest_files(files, picture.relative_to(root).parts[:-1], root)
    if len(likely) > 1:
        where = " and ".join(f.relative_to(root).as_posix() for f in likely[:2])
        raise Refused(f"{len(likely)} outlines for {picture.name}, {where}", "which of them is meant?",
                      "give one part at a time, or take one of them out")  # fmt: skip
    return likely[0] if likely else None


def _apart(lungs: Mask) -> dict[str, Mask]:
    """Both lungs of one outline: the right one lies on the left of the picture. Nothing where they are one piece."""
    pieces, count = ndimage.label(lungs)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    if count < 2:
        return {}
    first, second = (int(k) + 1 for k in np.argsort(-sizes, kind="stable")[:2])
    if sizes[second - 1] < _LEAST_LUNG * sizes[first - 1]:
        return {}
    right, left = sorted((first, second), key=lambda k: float(np.nonzero(pieces == k)[1].mean()))
    return {"right": pieces == right, "left": pieces == left}


def _mask(path: Path) -> Mask:
    """What is drawn: nearer to the greatest value than to 0, since compression leaves others.

    Raises:
        Refused: where its values are a few numbers, which may be structures.
    """
    values = _read(path, drawn=True)
    kinds = np.unique(values[values > 0])
    if len(kinds) > 1 and kinds[-1] <= len(OUTLINES) + 1:
        raise Refused(f"{path.name} holds {', '.join(f'{k:g}' for k in kinds)}", "nothing tells which lung is which",
                      "give each structure a file of its own")  # fmt: skip
    return np.asarray(values > (kinds[-1] / 2 if len(kinds) else 0))


def _read(path: Path, *, drawn: bool) -> npt.NDArray[np.float32]:
    """Grey values of a file; of an outline with a palette its numbers, not its colours."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            held = np.asarray(image.convert("L") if image.mode in ("P", "PA") and not drawn else image)
    except Exception as why:
        raise Refused(f"{path.name} cannot be read", str(why)[:160], "leave it out, or save it again") from why
    return np.asarray(held if held.ndim == 2 else held[..., : 1 if held.shape[-1] == 2 else 3].mean(axis=2), np.float32)
