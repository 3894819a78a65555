"""Earlier examples of outlines or boxes mixed in among new ones, so that what was learnt is not forgotten."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isocenter import wholly
from isocenter.errors import NotFound, Refused
from isocenter.learn.examples import numbered
from isocenter.learn.whose import whose

__all__ = ["asked", "noted", "rehearsed_pairs"]

_BESIDE: Mapping[str, tuple[str, str]] = {
    "imagesTr": ("labelsTr", ".nii.gz"), "JPEGImages": ("Annotations", ".xml")
}  # fmt: skip
"""Folder of images -> the folder of what is drawn on them, and how its files end."""


def rehearsed_pairs(out: Path, old: Path, share: float, seed: int = 0) -> int:
    """Add older images with what was drawn on them to a folder of new ones; the same draw for the same seed.

    Args:
        out, old: folders of `outlines_from_readings` or of `boxes_from_readings`, both of the same classes.
        share: part of the whole that the old ones shall be, below 1.

    Returns:
        How many were added. They count as they did, and those of a person stay together, apart from all new ones.

    Raises:
        NotFound: no examples lie in `old`. Refused: a share out of range, or examples of other classes or layout.
    """
    report, earlier = asked(out, old, share)
    folder = next((name for name in _BESIDE if (out / name).is_dir()), "")
    beside, ending = _BESIDE[folder]
    with (old / "examples.csv").open(newline="", encoding="utf-8") as text:
        rows = [row for row in csv.DictReader(text) if row["file"].startswith(f"{folder}/")]
    if not rows:
        raise Refused(f"no example of '{old}' lies in {folder}", "there is nothing to be mixed in",
                      "name earlier examples of the same recipe")  # fmt: skip
    people = numbered(whose([row["file"] for row in rows]))
    chosen = np.random.default_rng(seed).permutation(len(rows))[: round(report["n"] * share / (1 - share))]
    for k in sorted(chosen.tolist()):
        name = rows[k]["file"].removeprefix(f"{folder}/")
        stem, tail = (name[: name.index(".")], name[name.index(".") :])
        new = f"person{people[k] + report['people']:06d}_earlier_{k:06d}"
        shutil.copyfile(old / folder / name, out / folder / f"{new}{tail}")
        shutil.copyfile(old / beside / f"{stem}{ending}", out / beside / f"{new}{ending}")
        rows[k] |= {"file": f"{folder}/{new}{tail}", "mode": "earlier", "readers": "", "time": ""}
    noted(out, old, [rows[k] for k in sorted(chosen.tolist())], report, earlier, (share, seed))
    return len(chosen)


def asked(out: Path, old: Path, share: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands in ``examples.json`` of the new and of the earlier examples.

    Raises:
        NotFound: no examples lie in `old`. Refused: a share out of range, or examples of other classes.
    """
    if not 0 < share < 1:
        raise Refused(f"a share of {share:g}", "it lies between 0 and 1", "give 0.5 or the like")
    if not (old / "examples.json").is_file():
        raise NotFound(f"examples in '{old}'", "there is no examples.json",
                       "name a folder that `isocenter examples take` wrote")  # fmt: skip
    report, earlier = (json.loads((folder / "examples.json").read_text("utf-8")) for folder in (out, old))
    if report["classes"] != earlier["classes"]:
        raise Refused(
            f"'{old}' has {', '.join(earlier['classes'])}", f"the new examples have {', '.join(report['classes'])}",
            "name earlier examples of the same recipe",
        )  # fmt: skip
    return report, earlier


def noted(
    out: Path, old: Path, rows: Sequence[Mapping[str, str]], report: dict[str, Any], earlier: Mapping[str, Any],
    drawn: tuple[float, int],
) -> None:  # fmt: skip
    """Add rows of earlier examples to ``examples.csv``, and say so in ``examples.json``.

    Args:
        drawn: the share that was asked for, and the seed.
    """
    added = io.StringIO()
    csv.DictWriter(added, list(rows[0]) if rows else []).writerows(rows)
    wholly.write(out / "examples.csv", (out / "examples.csv").read_bytes() + added.getvalue().encode("utf-8"))
    # a withdrawal must find what was learnt from the earlier ones, too
    report["learned_from"] = sorted({*report["learned_from"], *earlier.get("learned_from", ())})
    report["rehearsed"] = {"n": len(rows), "from": old.name, "share": drawn[0], "seed": drawn[1]}
    wholly.write(out / "examples.json", json.dumps(report, indent=1) + "\n")
