"""Earlier examples of what was outlined or boxed mixed in among new ones, so that what was learnt is not forgotten."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from isocenter import wholly
from isocenter.errors import NotFound, Refused
from isocenter.learn.examples import numbered
from isocenter.learn.whose import whose

__all__ = ["asked", "noted", "rehearsed_pairs"]

_CASE = re.compile(r"person\d+(_earlier)?_\d+")  # as examples are called, and what is drawn on them


def rehearsed_pairs(out: Path, old: Path, share: float, seed: int = 0) -> int:
    """Add older images with what was drawn on them to a folder of new ones; the same draw for the same seed.

    Args:
        out, old: folders of `outlines_from_readings`, `boxes_from_readings`, `chest_from_readings` or
            `ventricles_from_readings`, both of the same kind and classes.
        share: part of the whole that the old ones shall be, below 1.

    Returns:
        How many were added. They count as they did, and those of a person stay together, apart from all new ones.

    Raises:
        NotFound: no examples lie in `old`. Refused: a share out of range, or examples of other classes or layout.
    """
    report, earlier = asked(out, old, share)
    layout = _layout(_rows(out)[0]["file"])
    rows = [row for row in _rows(old) if _layout(row["file"]) == layout]
    if not rows:
        raise Refused(f"no example of '{old}' lies in {''.join(layout)}", "there is nothing to be mixed in",
                      "name earlier examples of the same recipe")  # fmt: skip
    people = numbered(whose([row["file"] for row in rows]))
    chosen = np.random.default_rng(seed).permutation(len(rows))[: round(report["n"] * share / (1 - share))]
    for k in sorted(chosen.tolist()):
        stem, new = _stem(rows[k]["file"]), f"person{people[k] + report['people']:06d}_earlier_{k:06d}"
        for pattern in (f"{stem}[._]*", f"*/{stem}[._]*"):  # with what is drawn on it, which lies beside or near by
            for file in sorted(old.glob(pattern)):
                place = file.relative_to(old).with_name(new + file.name.removeprefix(stem))
                (out / place).parent.mkdir(exist_ok=True)
                shutil.copyfile(file, out / place)
        renamed = PurePosixPath(rows[k]["file"])
        rows[k] |= {"file": str(renamed.with_name(new + renamed.name.removeprefix(stem))), "mode": "earlier",
                    "readers": "", "time": ""}  # fmt: skip
    noted(out, old, [rows[k] for k in sorted(chosen.tolist())], report, earlier, (share, seed))
    return len(chosen)


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "examples.csv").open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def _stem(file: str) -> str:
    name = PurePosixPath(file).name
    told = _CASE.match(name)
    return told[0] if told else name.split(".")[0]


def _layout(file: str) -> tuple[str, str]:
    """Folder of an example, and how its name ends.

    >>> _layout("imagesTr/person000000_000001.nii.gz"), _layout("person000000_earlier_000001_sa.nii.gz")
    (('imagesTr/', '.nii.gz'), ('', '_sa.nii.gz'))
    """
    folder, name = file.rpartition("/")[0], PurePosixPath(file).name
    return f"{folder}/" if folder else "", name.removeprefix(_stem(file))


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
