"""How far the outlines of lungs and heart lie from those that readers drew.

A collection without hearts is judged on the lungs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.judge_classes import mean_of
from isocenter.learn.outlined_films import OUTLINES, WANTED, outlined_films
from isocenter.learn.unread import without
from isocenter.methods.lung_network import alike, network_outline
from isocenter.record import Model

__all__ = ["judged"]

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
    unread: list[tuple[str, str]] = []
    for name, _, whom, picture, truth in outlined_films(data, split, aside=unread):
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
    if not rows and unread:
        raise Refused(f"none of {len(unread)} pictures in {data.name} can be used", f"of the first: {unread[0][1]}",
                      "repair them")  # fmt: skip
    if not rows:
        raise Refused(f"no outlined lungs in {data.name}", WANTED, "arrange them so")
    metrics: dict[str, Any] = {"dice": {}}
    for part in OUTLINES:
        if known := [r for r in rows if f"dice {part}" in r]:
            metrics["dice"][part] = _mean(known, [r[f"dice {part}"] for r in known])
    if told := [r for r in rows if "ratio drawn" in r and np.isfinite(r["ratio drawn"])]:
        off = [r["ratio found"] - r["ratio drawn"] for r in told]
        metrics["difference"] = {"ratio": _mean(told, off, least=-1.0)}
        metrics["absolute_difference"] = {"ratio": _mean(told, np.abs(off))}
    figures = {"n": len(rows), "metrics": metrics, "calibration": {}, "subgroups": []}
    columns = dict.fromkeys(key for row in rows for key in row)
    lines = [{key: row.get(key, "") for key in columns} for row in rows]
    counted = figures | {"declined": sum(bool(r["declined"]) for r in rows)}
    return *without(counted, lines, unread), {}


def _mean(rows: Sequence[dict[str, Any]], values: npt.ArrayLike, least: float = 0.0) -> dict[str, float]:
    told = mean_of(np.asarray(values, np.float64), [row["person"] for row in rows], least=least)
    return told | {"pictures": len(rows)}


def named(held: Model, data: Path) -> tuple[list[str], None]:
    """Names of the pictures that can be judged; no label tells one from the other.

    Raises:
        Refused: there is none, or an outline does not fit its picture.
    """
    if not (names := [film.name for film in outlined_films(data) if film.outlines]):
        raise Refused(f"no outlined lungs in {data.name}", WANTED, "arrange them so")
    return names, None


def _ratio(truth: dict[str, Mask]) -> float:
    """Columns of the heart over the largest inner width of the thorax in one row."""
    lungs = truth["right"] | truth["left"]
    rows = lungs[truth["right"].any(axis=1) & truth["left"].any(axis=1)]
    heart = np.flatnonzero(truth["heart"].any(axis=0))
    if not len(rows) or not len(heart):
        return float("nan")
    first, last = rows.argmax(axis=1), rows.shape[1] - rows[:, ::-1].argmax(axis=1)
    return float(np.ptp(heart) + 1) / float((last - first).max())
