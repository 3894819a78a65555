"""The cases behind the figures of a test: of each a digest, what is true, what was said. No names, no pixels.

A case is known by the digest of the stored image that it is, so that an archive that holds the image can open it and
nobody else can tell what it was. Where examples were taken out of an archive, ``examples.csv`` beside them says of
which image each was made; any other file is known by its own digest, which is that of the stored image where it is a
DICOM file as it was sent. A row of an array or a table is in no archive: it is known by the set and its place in it.

A training keeps those of its validation in ``cases.json`` beside the model; of a sealed test, and of what `judge`
measured, the archive keeps them.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.analysis.weights import read_file
from isocenter.errors import LimitReached, NotFound, Refused
from isocenter.learn.answers import Answers, answers_of
from isocenter.learn.picture_tables import by_name
from isocenter.learn.sealed import digest_of_data
from isocenter.methods.calibration import BINS
from isocenter.methods.subgroups import FEW
from isocenter.record import Model, canonical

__all__ = [
    "ABOUT", "FILE", "PICKS", "about", "counted", "digest_of_case", "image_digests", "kept", "laid", "picked", "read",
    "together",
]  # fmt: skip

FILE = "cases.json"
"""Beside ``model.json``: the cases of its validation."""
MOST = 50_000
"""Cases that are kept; of more none are, since a part of them would be the cases of no figure."""
_LONGEST = 2**25  # bytes of the file

PICKS: Mapping[str, str] = MappingProxyType(
    {
        "all": "all cases",
        "ill": "cases in which there is something",
        "well": "cases in which there is nothing",
        "called": "cases in which it said that there is something",
        "not called": "cases in which it said that there is nothing",
        "missed": "cases that it missed",
        "false alarms": "cases of false alarm",
        "wrong": "cases that it answered wrongly",
        "declined": "cases that it would decline",
    }
)
"""Which of the cases a figure is about, and in words."""

ABOUT: Mapping[str, str] = MappingProxyType(
    {"sensitivity": "ill", "specificity": "well", "ppv": "called", "npv": "not called"}
)
"""Figures that are about some of the cases, by the beginning of their name; the others are about all."""

_ERRORS = ("missed", "false alarms", "wrong", "declined")


def kept(
    model: Model, rows: Sequence[Mapping[str, Any]], answers: Answers, images: Sequence[str],
    groups: Mapping[str, npt.NDArray[np.str_]],
) -> list[dict[str, Any]]:  # fmt: skip
    """A line for each case of `answers`: ``case``, ``truth``, ``said``, ``score``, ``right``, ``declined``, ``groups``.

    Args:
        rows: the predictions that the answers were taken from.
        images: `image_digests` of the same cases.
        groups: division (sex, site, …) -> (n,) value of each case.
    """
    by = {str(row["name"]): row for row in rows}
    classes = list(model.inputs.get("classes", ("no", "yes")))
    positive = int(model.inputs.get("positive", 1))
    lines = []
    for n, (name, image) in enumerate(zip(answers.names, images, strict=True)):
        row = by[name]
        line: dict[str, Any] = {
            # not in hexadecimal: a blob that names another by its digest would hold it back when that is erased
            "case": urlsafe_b64encode(bytes.fromhex(image)).decode().rstrip("="),
            "truth": "", "said": "", "score": None, "right": float(answers.right[n]),
            "declined": bool(row.get("declined")), "groups": {k: str(v[n]) for k, v in groups.items()},
        }  # fmt: skip
        if answers.truth is not None and answers.score is not None and answers.called is not None:
            ill, called = bool(answers.truth[n]), bool(answers.called[n])
            names = (classes[1 - positive], classes[positive])
            line |= {"truth": names[ill], "said": names[called], "score": float(answers.score[n])}
            line |= {"ill": ill, "called": called}
        elif "said" in row and int(row.get("label", -1)) in range(len(classes)):
            line |= {"truth": classes[int(row["label"])], "said": classes[int(row["said"])]}
            line |= {"score": max(float(row[f"certainty {c}"]) for c in classes)}
        elif "findings" in row:
            said = (c for c in classes if float(row[f"certainty {c}"]) >= float(model.inputs["threshold"]))
            line |= {"truth": str(row["findings"]), "said": "|".join(said)}
        lines.append(line)
    return lines


def together(
    model: Model, rows: Sequence[Mapping[str, Any]], data: Path,
    groups: Mapping[str, Sequence[Any] | npt.NDArray[Any]] | None = None,
) -> tuple[str, list[dict[str, Any]]]:  # fmt: skip
    """Digest of the data, and the lines of the cases that were measured on them; none where there are too many.

    Args:
        rows: predictions, one for each case. groups: division -> the value of each row.
    """
    whole, answers = digest_of_data(data), answers_of(model, rows)
    if len(answers) > MOST:
        return whole, []
    at = {str(row["name"]): n for n, row in enumerate(rows)}
    own = [at[name] for name in answers.names]
    named = {by: np.array([str(values[n]) for n in own], np.str_) for by, values in (groups or {}).items()}
    return whole, kept(model, rows, answers, image_digests(data, answers.names, whole), named)


def laid(
    out: Path, inputs: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], data: Path,
    groups: Mapping[str, Sequence[Any] | npt.NDArray[Any]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Lay the cases of a validation beside the model in `out`; what the evidence says of them.

    Returns:
        ``{"cases": {"n", "data", "digest", "errors"}}``: how many, the digest of the data, that of the file, and the
        errors by kind; without the last two where there are too many to be kept.
    """
    data_digest, lines = together(Model("", "", "", inputs=inputs), rows, data, groups)
    if not lines:
        (out / FILE).unlink(missing_ok=True)
        return {"cases": {"n": len(rows), "data": data_digest}}
    text = canonical({"cases": lines})
    wholly.write(out / FILE, text)
    told = {"n": len(lines), "data": data_digest, "digest": hashlib.sha256(text).hexdigest(), "errors": counted(lines)}
    return {"cases": told}


def read(folder: Path, model: Model) -> list[dict[str, Any]]:
    """The cases of a model's validation, from beside it.

    Raises:
        NotFound: its training kept none, or the file is gone.
        Refused: it is another file than the evidence names, or holds no cases.
    """
    told = model.evidence.get("cases")
    if not isinstance(told, Mapping) or not told.get("digest"):
        raise NotFound(
            f"cases behind the figures of {model.name:.64}", "its training kept none",
            "train it anew, or measure it on cases of yours: isocenter judge --folder ARCHIVE",
        )  # fmt: skip
    try:
        text = read_file(folder / FILE, _LONGEST)
    except FileNotFoundError as gone:
        raise NotFound(
            f"{FILE} beside {model.name:.64}", "its evidence names it, and it is not there", "copy it along"
        ) from gone
    except LimitReached as large:
        raise Refused(f"{FILE} of {model.name:.64}", str(large), "train it anew") from large
    if hashlib.sha256(text).hexdigest() != told["digest"]:
        raise Refused(f"{FILE} of {model.name:.64}", "it is not the file that the evidence names", "copy it anew")
    try:
        lines = [line for line in json.loads(text)["cases"] if _is_line(line)]
    except (ValueError, TypeError, KeyError, RecursionError):
        lines = []
    if len(lines) != told.get("n"):
        raise Refused(f"{FILE} of {model.name:.64}", "what it holds are no cases", "train it anew")
    return lines


def _is_line(line: Any) -> bool:
    """Whether somebody's line has the shape of ours."""
    if not isinstance(line, dict) or not isinstance(line.get("groups"), dict):
        return False
    numbers = (line.get("right"), 0.0 if line.get("score") is None else line["score"])
    flags = [line.get("declined"), *(line[name] for name in ("ill", "called") if name in line)]
    try:
        whole = len(bytes.fromhex(digest_of_case(line))) == 32
    except (ValueError, KeyError, TypeError):
        return False
    return (
        whole and all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)
        and all(isinstance(flag, bool) for flag in flags)
        and all(isinstance(line.get(name), str) for name in ("truth", "said"))
        and all(isinstance(value, str) for value in line["groups"].values())
    )  # fmt: skip


def about(metric: str) -> str:
    """Of which cases a figure is made, a name of `PICKS`.

    >>> about("sensitivity_or_one_place"), about("auc")
    ('ill', 'all')
    """
    return next((of for begins, of in ABOUT.items() if metric.startswith(begins)), "all")


def digest_of_case(line: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, by which an archive may know the image of a case.

    >>> digest_of_case({"case": urlsafe_b64encode(bytes(32)).decode().rstrip("=")}) == "0" * 64
    True
    """
    return urlsafe_b64decode(f"{line['case']}=").hex()


def image_digests(data: Path, names: Sequence[str], whole: str) -> list[str]:
    """SHA-256 of the image behind each case of a test set.

    Args:
        data: the set. names: of its cases, as they were judged. whole: `sealed.digest_of_data` of it.
    """
    root = data if data.is_dir() else data.parent
    taken = _taken(root)
    of_files = data.is_dir() or data.suffix.lower() in (".csv", ".tsv", ".txt")
    files = by_name(root) if of_files else {}
    found = []
    for number, name in enumerate(names):
        file = root / name if of_files and (root / name).is_file() else files.get(Path(name).name)
        if name in taken:
            found.append(taken[name])
        elif file is not None:
            with file.open("rb") as opened:
                found.append(hashlib.file_digest(opened, "sha256").hexdigest())
        else:
            found.append(hashlib.sha256(f"{whole}\0{number}".encode()).hexdigest())
    return found


def _taken(folder: Path) -> dict[str, str]:
    """File, and its name alone, -> digest of the stored image that it was made of, where `from_readings.laid` said so.

    Those of outlines and boxes are known by the name alone, of boxes without its ending.
    """
    table = folder / "examples.csv"
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8") as text:
        rows = [(str(row.get("file")), str(row.get("image") or "")) for row in csv.DictReader(text)]
    known = {file: image for file, image in rows if len(image) == 64 and set(image) <= set("0123456789abcdef")}
    own = {Path(file).name: image for file, image in known.items()}
    return {Path(name).stem: image for name, image in own.items()} | own | known


def counted(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What can be counted of the cases for everybody who may see figures: the errors by kind.

    Returns:
        ``{"missed": n, …}``, of a model without two classes without those that need them.
    """
    return {of: len(picked(lines, of)) for of in _ERRORS if _has(lines, of)}


def _has(lines: Sequence[Mapping[str, Any]], of: str) -> bool:
    if of in ("all", "declined"):
        return True
    if of == "wrong":  # of an overlap there is more and less, and no right and wrong
        return all(line["right"] in (0.0, 1.0) for line in lines)
    return all("ill" in line for line in lines)


def picked(
    lines: Sequence[Mapping[str, Any]], of: str = "all", *, by: str = "", group: str = "", bin: int = -1
) -> list[Mapping[str, Any]]:
    """The cases behind one figure, the most wrong first.

    Args:
        of: a name of `PICKS`. by, group: a division and one of its groups.
        bin: which of the filled bins of the calibration, counted from 0; -1 for all cases.

    Raises:
        Refused: a figure that this model has none of, a group or bin that is not there, or one too small to be opened.
    """
    if of not in PICKS or not _has(lines, of):
        known = ", ".join(f"'{one}'" for one in PICKS if _has(lines, one))
        raise Refused(f"the cases '{of:.40}'", "no figure of this test is about them", f"ask for one of {known}")
    some = [line for line in lines if _is(line, of)]
    if by or group:
        whole = [line for line in lines if _is_in(line, by, group)]
        if len(whole) < FEW:
            raise Refused(
                f"the group '{by:.40} {group:.40}'", f"fewer than {FEW} cases of this test are in it, or none",
                "they are opened with all others",
            )  # fmt: skip
        some = [line for line in some if _is_in(line, by, group)]
    if bin >= 0:
        filled = sorted({_bin(line) for line in lines if line["score"] is not None})
        if bin >= len(filled):
            raise Refused(f"bin {bin} of the calibration", f"this test fills {len(filled)}", "count from 0")
        some = [line for line in some if line["score"] is not None and _bin(line) == filled[bin]]
    return sorted(some, key=lambda line: (line["right"], -_doubt(line)))


def _is_in(line: Mapping[str, Any], by: str, group: str) -> bool:
    """Whether a case is of a group; a picture may be of several where it shows several findings."""
    value = str(line["groups"].get(by, ""))
    return by in line["groups"] and (value == group or group in value.split("|"))


def _is(line: Mapping[str, Any], of: str) -> bool:
    ill, called = line.get("ill"), line.get("called")
    fits: bool = {
        "all": True, "ill": ill is True, "well": ill is False, "called": called is True, "not called": called is False,
        "missed": ill is True and called is False, "false alarms": ill is False and called is True,
        "wrong": line["right"] < 1, "declined": bool(line["declined"]),
    }[of]  # fmt: skip
    return fits


def _bin(line: Mapping[str, Any]) -> int:
    return min(int(min(max(float(line["score"]), 0.0), 1.0) * BINS), BINS - 1)


def _doubt(line: Mapping[str, Any]) -> float:
    """How far what was stated lies from what is true."""
    if line["score"] is None:
        return 0.0
    true = float(line["ill"]) if "ill" in line else float(line["right"])
    return abs(float(line["score"]) - true)
