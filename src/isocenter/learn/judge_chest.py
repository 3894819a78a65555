"""How far the outlines of lungs and heart lie from those that readers drew.

The layout is that of the public collections: one folder of pictures and one for each outline, told by their names
(``images`` or ``CXR_png``; ``rightMask``, ``left lung``, ``heart`` …), with the same file name in each, or the outline
told by the end of its file's name (``a_left.png``). Both lungs may lie in one file (``masks``): the one on the left of
the picture is the right lung. A collection without hearts is judged on the lungs alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.learn.judge_classes import mean_of
from isocenter.learn.nearest_file import nearest_files
from isocenter.learn.whose import whose
from isocenter.methods.lung_network import alike, network_outline
from isocenter.record import Model

__all__ = ["judged"]

_PICTURES, _SUFFIXES = ("image", "cxr", "picture"), (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif")
_OUTLINES, _BOTH = ("right", "left", "heart"), ("lung", "mask", "label", "seg", "outline", "truth")
_ENDED = r"right|left|heart|lungs?|masks?|labels?|seg|segmentation|outlines?|truth|gt"
_LEAST_LUNG = 0.1  # of the other one
_WANTED = (
    "wanted are a folder of pictures, and one each of right and left lung (and heart), or of both lungs, with the same "
    "file names"
)

Mask = npt.NDArray[np.bool_]


def judged(
    held: Model, session: Any, data: Path, split: str | None
) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Dice of each outline, and the difference of the cardiothoracic ratio where a heart was drawn.

    A picture on which the network sees no chest is declined: its outlines count with a Dice of 0, the ratio not.

    A picture whose two lungs are one piece in its file of both has no figures, and counts as declined.

    Raises:
        Refused: where no folder is called like the split, or no picture has both lungs outlined.
    """
    rows: list[dict[str, Any]] = []
    for name, whom, picture, truth in _cases(data, split):
        row: dict[str, Any] = {"name": name, "person": whom, "declined": ""}
        if not truth:
            rows.append(row | {"declined": f"the lungs of {name} are one piece: give each a file of its own"})
            continue
        try:
            chest, _ = network_outline(picture, lambda films: np.asarray(session.run(None, {"films": films})[0]))
        except Refused as why:
            row["declined"] = f"{why.what}: {why.why}"
            row |= {f"dice {part}": 0.0 for part in truth}
        else:
            row |= {f"dice {part}": alike(getattr(chest, part), truth[part]) for part in truth}
            if "heart" in truth:
                row |= {"ratio drawn": _ratio(truth), "ratio found": chest.ratio}
        rows.append(row)
    if not rows:
        raise Refused(f"no outlined lungs in {data.name}", _WANTED, "arrange them so")
    metrics: dict[str, Any] = {"dice": {}}
    for part in _OUTLINES:
        if known := [r for r in rows if f"dice {part}" in r]:
            metrics["dice"][part] = _mean(known, [r[f"dice {part}"] for r in known])
    if told := [r for r in rows if "ratio drawn" in r and np.isfinite(r["ratio drawn"])]:
        off = [r["ratio found"] - r["ratio drawn"] for r in told]
        metrics["difference"] = {"ratio": _mean(told, off, least=-1.0)}
        metrics["absolute_difference"] = {"ratio": _mean(told, np.abs(off))}
    figures = {"n": len(rows), "metrics": metrics, "calibration": {}, "subgroups": []}
    columns = dict.fromkeys(key for row in rows for key in row)
    lines = [{key: row.get(key, "") for key in columns} for row in rows]
    return figures | {"declined": sum(bool(r["declined"]) for r in rows)}, lines, {}


def _mean(rows: Sequence[dict[str, Any]], values: npt.ArrayLike, least: float = 0.0) -> dict[str, float]:
    told = mean_of(np.asarray(values, np.float64), [row["person"] for row in rows], least=least)
    return told | {"pictures": len(rows)}


def named(held: Model, data: Path) -> tuple[list[str], None]:
    """Names of the pictures that can be judged; no label tells one from the other.

    Raises:
        Refused: there is none, or an outline does not fit its picture.
    """
    if not (names := [name for name, _, _, truth in _cases(data, None) if truth]):
        raise Refused(f"no outlined lungs in {data.name}", _WANTED, "arrange them so")
    return names, None


def _cases(data: Path, split: str | None) -> Iterator[tuple[str, str, npt.NDArray[np.float32], dict[str, Mask]]]:
    """(name, person, picture, outlines by part) of every picture with both lungs outlined; none where they are one."""
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
        pictures = [(c, f) for c, f in pictures if split.lower() in map(str.lower, f.relative_to(data).parts[:-1])]
        if not pictures:
            raise Refused(f"no split '{split}'", "no picture lies below a folder of that name",
                          "give a folder that holds that part alone")  # fmt: skip
    often = Counter(file.stem for _, file in pictures)
    people = whose([file.relative_to(data).as_posix() for _, file in pictures])
    for (case, path), whom in zip(pictures, people, strict=True):
        own = {part: f for part in (*_OUTLINES, "lungs") if (f := _nearest(drawn.get((part, case), []), path, data))}
        if not ({"right", "left"} <= own.keys() or "lungs" in own):
            continue
        truth = {part: _mask(own[part]) for part in _OUTLINES if part in own}
        if not {"right", "left"} <= own.keys():
            both = _apart(_mask(own["lungs"]))
            truth = truth | both if both else {}
        picture = _read(path, drawn=False)
        if any(mask.shape != picture.shape for mask in truth.values()):
            raise Refused(
                f"outlines of {path.name}",
                "they have another shape than the picture",
                "outline it on the picture in its own size",
            )
        yield path.stem if often[path.stem] == 1 else path.relative_to(data).as_posix(), whom, picture, truth


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
        if (part := next((p for p in _OUTLINES if p in words), None)) is not None:
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
    if len(kinds) > 1 and kinds[-1] <= len(_OUTLINES) + 1:
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


def _ratio(truth: dict[str, Mask]) -> float:
    """Columns of the heart over the largest inner width of the thorax in one row."""
    lungs = truth["right"] | truth["left"]
    rows = lungs[truth["right"].any(axis=1) & truth["left"].any(axis=1)]
    heart = np.flatnonzero(truth["heart"].any(axis=0))
    if not len(rows) or not len(heart):
        return float("nan")
    first, last = rows.argmax(axis=1), rows.shape[1] - rows[:, ::-1].argmax(axis=1)
    return float(np.ptp(heart) + 1) / float((last - first).max())
