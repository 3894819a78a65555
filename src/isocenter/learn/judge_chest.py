"""How far the outlines of lungs and heart lie from those that readers drew.

The layout is that of the public collections: one folder of pictures and one for each outline, told by their names
(``images`` or ``CXR_png``; ``rightMask``, ``left lung``, ``heart`` …), with the same file name in each. A collection
without hearts is judged on the lungs alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.lung_network import network_outline
from isocenter.record import Model

__all__ = ["judged"]

_PICTURES, _SUFFIXES = ("image", "cxr", "picture"), (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif")
_OUTLINES = ("right", "left", "heart")
_WANTED = "wanted are a folder of pictures, and one each of right and left lung (and heart) with the same file names"

Mask = npt.NDArray[np.bool_]


def judged(
    held: Model, session: Any, data: Path, split: str | None
) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Dice of each outline, and the difference of the cardiothoracic ratio where a heart was drawn.

    A picture on which the network sees no chest is declined: its outlines count with a Dice of 0, the ratio not.

    Raises:
        Refused: where a split is asked for, or no picture has both lungs outlined.
    """
    if split is not None:
        raise Refused(f"no split '{split}'", "this layout has none", "give a folder that holds that part alone")
    rows: list[dict[str, Any]] = []
    for name, picture, truth in _cases(data):
        row: dict[str, Any] = {"name": name, "declined": ""}
        try:
            chest, _ = network_outline(picture, lambda films: np.asarray(session.run(None, {"films": films})[0]))
        except Refused as why:
            row["declined"] = f"{why.what}: {why.why}"
            row |= {f"dice {part}": 0.0 for part in truth}
        else:
            row |= {f"dice {part}": _dice(getattr(chest, part), truth[part]) for part in truth}
            if "heart" in truth:
                row |= {"ratio drawn": _ratio(truth), "ratio found": chest.ratio}
        rows.append(row)
    if not rows:
        raise Refused(f"no outlined lungs in {data.name}", _WANTED)
    metrics: dict[str, Any] = {"dice": {}}
    for part in _OUTLINES:
        known = [float(r[f"dice {part}"]) for r in rows if f"dice {part}" in r]
        if known:
            metrics["dice"][part] = {"value": float(np.mean(known)), "pictures": len(known)}
    off = np.array([r["ratio found"] - r["ratio drawn"] for r in rows if "ratio drawn" in r])
    if len(off):
        metrics["difference"] = {"ratio": {"value": float(off.mean()), "pictures": len(off)}}
        metrics["absolute_difference"] = {"ratio": {"value": float(np.abs(off).mean()), "pictures": len(off)}}
    figures = {"n": len(rows), "metrics": metrics, "calibration": {}, "subgroups": []}
    return figures | {"declined": sum(bool(r["declined"]) for r in rows)}, rows, {}


def named(held: Model, data: Path) -> tuple[list[str], None]:
    """Names of the pictures that can be judged; no label tells one from the other.

    Raises:
        Refused: there is none, or an outline does not fit its picture.
    """
    if not (names := [name for name, _, _ in _cases(data)]):
        raise Refused(f"no outlined lungs in {data.name}", _WANTED)
    return names, None


def _cases(data: Path) -> list[tuple[str, npt.NDArray[np.float32], dict[str, Mask]]]:
    """(name, picture, outlines by part) of every picture with both lungs outlined."""
    folders = sorted(p for p in data.rglob("*") if p.is_dir())

    def named(words: tuple[str, ...]) -> dict[str, Path]:
        """Files of the first folder that is named so: stem -> path."""
        for folder in folders:
            if any(word in folder.name.lower() for word in words):
                files = {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in _SUFFIXES}
                if files:
                    return files
        return {}

    drawn = {part: named((part,)) for part in _OUTLINES}
    cases = []
    for stem, path in named(_PICTURES).items():
        if stem in drawn["right"] and stem in drawn["left"]:
            picture = _read(path)
            truth = {part: _read(files[stem]) > 0 for part, files in drawn.items() if stem in files}
            if any(mask.shape != picture.shape for mask in truth.values()):
                raise Refused(f"outlines of {path.name}", "they have another shape than the picture")
            cases.append((stem, picture, truth))
    return cases


def _read(path: Path) -> npt.NDArray[np.float32]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            held = np.asarray(image)
    except (OSError, UnidentifiedImageError) as why:
        raise Refused(f"{path.name} cannot be read", str(why)) from why
    return np.asarray(held if held.ndim == 2 else held[..., :3].mean(axis=2), np.float32)


def _dice(one: Mask, other: Mask) -> float:
    both = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2.0 * int(np.count_nonzero(one & other)) / max(1, both)


def _ratio(truth: dict[str, Mask]) -> float:
    """Columns of the heart over the largest inner width of the thorax in one row."""
    lungs = truth["right"] | truth["left"]
    rows = lungs[truth["right"].any(axis=1) & truth["left"].any(axis=1)]
    heart = np.flatnonzero(truth["heart"].any(axis=0))
    if not len(rows) or not len(heart):
        return float("nan")
    first, last = rows.argmax(axis=1), rows.shape[1] - rows[:, ::-1].argmax(axis=1)
    return float(np.ptp(heart) + 1) / float((last - first).max())
