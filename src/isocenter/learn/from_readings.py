"""Signed readings as training examples: who said it, when, and whether they had seen the machine's answer first.

An opinion that was locked before the machine was seen is evidence; so is one that overrules it. Agreement with an
answer that was on the screen is little: a model that learns from its own echo drifts away unnoticed. Such agreement is
weighed down, and the weight stands beside every example.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.analysis.film import picture_greys
from isocenter.errors import Conflict, IsocenterError, Refused
from isocenter.learn.examples import numbered, person
from isocenter.learn.kinds import Classes, Classifier2D, Recipe, Table
from isocenter.learn.model_folder import write_record
from isocenter.learn.picture_tables import pictures_in
from isocenter.learn.signed_reports import Images, Signed
from isocenter.learn.whose import whose
from isocenter.record import Code, Model
from isocenter.space import Volume

__all__ = [
    "AGREEMENT",
    "MOST",
    "WHERE",
    "Example",
    "Said",
    "Votes",
    "YesOrNo",
    "capped",
    "classes_of",
    "examples_of",
    "in_eight_bits",
    "influence",
    "laid",
    "learned",
    "picture_of",
    "rehearsed",
    "stored",
    "weight_of",
    "weightier",
    "written",
]

AGREEMENT = 0.25
"""Weight of an agreement with a machine whose answer had been seen."""

MOST = 0.5
"""Largest part of all that teaches which one reader may give without anybody beside."""

WHERE = "on which of several images a class is, is not told"
"""Why a study stays out."""

_EASE = 1.5  # of two readers none gives more than three quarters: half would weigh twenty labels like two hundred

_COLUMNS = ("file", "label", "weight", "readers", "mode", "time", "machine", "image")


@dataclass(frozen=True)
class Said:
    """What one signed report says of one question.

    Args:
        person: whose study it is; the same for all studies of a patient.
        mode: in which the analysis was used for reading (shadow, unaided-first, second, concurrent).
        machine, final: what the analysis and the report say: whether it is there, or a label; -1 for a machine that
            said none.
        first: the reader's opinion that was locked before the analysis was shown; None where there was none.
        own: whether the reader drew, changed or added what the report says beyond yes and no.
        answer: what that is; what it holds is the matter of the kind of recipe.
        image: which of several images of the study it is said of (`images_of_reports`); empty for the only one.
    """

    study: str
    person: str
    reader: str
    time: str
    mode: str
    machine: int
    final: int
    first: int | None = None
    own: bool = False
    answer: Any = None
    image: str = ""


@dataclass(frozen=True)
class Example:
    """One study with the label that its readers gave it.

    Args:
        label: whether it is there; of other recipes the number of a class, or of several at once the sum of 2 ** k.
        weight: 0 to 1, how much it counts.
        mode: "unaided", "overruled", "followed"; of several readers that of the weightiest.
        machine: what the analysis had said.
        answer: what else the report says, of the weightiest of those readers; the latest of equals.
        image: which of several images of the study; empty for the only one.
    """

    study: str
    person: str
    label: int
    weight: float
    readers: tuple[str, ...]
    mode: str
    time: str
    machine: int
    answer: Any = None
    image: str = ""


def weight_of(said: Said, agreement: float = AGREEMENT) -> tuple[str, float]:
    """How a label came about, and its weight.

    >>> weight_of(Said("1", "p", "ito", "", "concurrent", machine=True, final=True))
    ('followed', 0.25)
    >>> weight_of(Said("1", "p", "ito", "", "unaided-first", machine=True, final=True, first=True))
    ('unaided', 1.0)
    """
    if said.mode == "shadow" or (said.first is not None and said.first == said.final):
        return "unaided", 1.0
    if said.final != said.machine or said.own:
        return "overruled", 1.0
    return "followed", agreement


Votes = Sequence[tuple[float, int]]
"""Weight and label of each reader."""


def weightier(votes: Votes) -> tuple[int, float]:
    """The label on which more weight lies than on all others together, and how much more; 0 where there is none.

    >>> weightier([(1.0, 1), (0.25, 0)]), weightier([(1.0, 2), (1.0, 2), (1.0, 0)]), weightier([(1.0, 1), (1.0, 0)])
    ((1, 0.75), (2, 1.0), (0, 0.0))
    """
    on = {label: sum(w for w, own in votes if own == label) for label in sorted({own for _, own in votes})}
    label = max(on, key=lambda own: on[own])
    return label, max(0.0, on[label] - sum(w for own, w in on.items() if own != label))


def examples_of(
    told: Iterable[Said], agreement: float = AGREEMENT, settle: Callable[[Votes], tuple[int, float]] = weightier
) -> tuple[list[Example], int]:
    """One example for each study, or image of it that is told apart, and of how many readers outweigh each other.

    The last report of each reader counts. Where readers differ the weightier side gives the label, and what the other
    side weighs is taken from it.

    Args:
        settle: gives the label of a study, and what it weighs.

    Raises:
        Refused: a weight outside 0 to 1.
    """
    if not 0 <= agreement <= 1:
        raise Refused(
            f"agreement with the machine at weight {agreement:g}", "it lies between 0 and 1", "give 0.5 or the like"
        )
    latest: dict[tuple[str, str, str], Said] = {}
    for said in sorted(told, key=lambda s: s.time):
        latest[said.study, said.image, said.reader] = said
    of_study: dict[tuple[str, str], list[Said]] = {}
    for said in latest.values():
        of_study.setdefault((said.study, said.image), []).append(said)
    found, torn = [], 0
    for (study, image), all_said in sorted(of_study.items()):
        weighed = [(*weight_of(s, agreement), s) for s in all_said]
        label, weight = settle([(w, s.final) for _, w, s in weighed])
        if weight <= 0:
            torn += any(w > 0 for _, w, _ in weighed)
            continue
        agreeing = [w for w in weighed if w[2].final == label] or weighed  # of several classes nobody may have said all
        mode, _, best = max(agreeing, key=lambda w: (w[1], w[2].time))
        readers = tuple(sorted(s.reader for s in all_said))
        found.append(Example(study, best.person, label, min(1.0, weight), readers, mode, best.time, best.machine,
                             best.answer, image))  # fmt: skip
    return found, torn


class YesOrNo:
    """Reports teach whether a finding is there; see `teachers.Teacher`.

    Raises:
        Refused: the recipe has no two classes.
    """

    def __init__(
        self, how: Recipe, analysis: str, looks_for: Collection[Code], *, apart: bool = True
    ) -> None:  # fmt: skip
        """
        Args:
            apart: whether each image that the analysis looked at is told by itself; else the study as a whole is.
        """
        self._classes, self._analysis, self._apart = classes_of(how), analysis, apart

    def said(self, signed: Iterable[Signed]) -> tuple[list[Said], dict[str, str]]:
        """What each report says of the analysis' question, of each image that it looked at."""
        found, left = list[Said](), dict[str, str]()
        for one in signed:
            calls = [call for call in one.calls if call["analysis"] == self._analysis]
            parts: dict[str, list[Mapping[str, Any]]] = {}
            for call in calls:
                parts.setdefault(str(call.get("image", "")) if self._apart else "", []).append(call)
            if self._apart and "" in parts and len({bool(call["final"]) for call in parts[""]}) > 1:
                left[one.study] = WHERE  # signed before it was told which image each answer is on
                continue
            for image, own in parts.items():
                last, firsts = own[-1], [call["first"] for call in own]
                found.append(Said(
                    one.study, one.person, one.reader, one.time, str(last["mode"]),
                    any(call["machine"] for call in own), any(call["final"] for call in own),
                    None if None in firsts else any(firsts), image=image,
                ))  # fmt: skip
        return found, left

    def examples(self, told: Iterable[Said], agreement: float) -> tuple[list[Example], int]:
        """See `examples_of`."""
        return examples_of(told, agreement)

    def written(
        self, out: Path, examples: Sequence[Example], images: Images, told: Mapping[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        """A folder for each of the two classes; see `written`."""

        def pixels(one: Example) -> tuple[npt.NDArray[Any], Sequence[str]]:
            volume, digests = images(one.study, image=one.image)
            return picture_of(volume), digests

        return written(out, examples, self._classes, pixels, told)


def influence(examples: Sequence[Example]) -> dict[str, float]:
    """What part of the weight each reader gives alone; what several read of one study is nobody's alone.

    >>> one = Example("1", "p", True, 1.0, ("ito",), "unaided", "", False)
    >>> influence([one, replace(one, readers=("lee",), weight=0.25), replace(one, readers=("ito", "lee"), weight=0.75)])
    {'ito': 0.5, 'lee': 0.125}
    """
    total, own = sum(e.weight for e in examples), dict[str, float]()
    for one in examples:
        if len(one.readers) == 1:
            own[one.readers[0]] = own.get(one.readers[0], 0.0) + one.weight
    return {r: w / total for r, w in sorted(own.items())} if total > 0 else {}


def capped(examples: Sequence[Example], most: float = MOST) -> tuple[list[Example], dict[str, float]]:
    """The same examples, no reader of which gives more than a part of the weight alone; and by what theirs was scaled.

    Whoever wants to teach a model something wrong has to give many labels, and one who gives most of them decides. Of
    two readers each may give three quarters. What one reader alone taught cannot be weighed against anybody: it stays
    as it is, and the sealed test of the gate stands between it and the patients.

    Args:
        most: largest part of the weight, over 0 to 1.

    Raises:
        Refused: a part outside of that.
    """
    if not 0 < most <= 1:
        raise Refused(f"a reader's part of {most:g}", "it lies over 0 and up to 1", "give 0.5, or 1 for no limit")
    kept, scaled = list(examples), dict[str, float]()
    everybody = {r for e in examples for r in e.readers}
    bound = max(most, _EASE / max(len(everybody), 1))
    for _ in range(100 * len(everybody) if bound < 1 else 0):
        part = influence(kept)
        who = max(part, key=lambda r: part[r], default="")
        if not who or part[who] <= bound + 1e-6:
            break
        by = bound * (1 - part[who]) / ((1 - bound) * part[who])
        scaled[who] = scaled.get(who, 1.0) * by
        kept = [replace(e, weight=e.weight * by) if e.readers == (who,) else e for e in kept]
    return kept, {r: round(f, 4) for r, f in sorted(scaled.items())}


def classes_of(how: Recipe) -> tuple[str, str]:
    """Names of the folders for "it is not there" and "it is there".

    Raises:
        Refused: a recipe that does not answer a question with yes or no.
    """
    if isinstance(how, Classifier2D):
        return how.negative, how.positive
    if isinstance(how, Table):
        return how.classes
    if isinstance(how, Classes) and len(how.classes) == 2:
        return how.classes[1 - how.positive], how.classes[how.positive]
    raise Refused(f"'{how.task}' has no two classes", "a report says that a finding is there or not",
                  "choose a recipe with two classes")  # fmt: skip


def written(
    out: Path, examples: Sequence[Example], classes: Sequence[str],
    pixels: Callable[[Example], tuple[npt.NDArray[Any], Sequence[str]]], told: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """A folder that `train` reads: a folder for each class, ``examples.csv`` and ``examples.json``.

    Files are numbered; nothing in their names or in the table leads to a patient but for whoever has the archive, which
    knows the stored image of each by its digest. A picture becomes an 8-bit PNG
    between its 1st and 99th percentile, a volume an array.

    Args:
        pixels: gives the image of an example, and the digests of the stored files that it came from.
        told: what else belongs in ``examples.json``.

    Returns:
        What stands in ``examples.json``; `left` counts images that could not be read, by reason.

    Raises:
        Conflict: the folder holds something already. Refused: one class only, or no image could be read.
    """

    def keep(example: Example, name: str) -> tuple[str, list[str], Sequence[str]]:
        image, files = pixels(example)
        label = classes[example.label]
        return stored(out, f"{label.replace('/', ' ')}/{name}", image), [label], files

    return laid(out, examples, classes, keep, told, must_differ=True)


def laid(
    out: Path, examples: Sequence[Example], classes: Sequence[str],
    keep: Callable[[Example, str], tuple[str, list[str], Sequence[str]]], told: Mapping[str, Any], *,
    must_differ: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Examples of any kind, kept one by one, with ``examples.csv`` and ``examples.json`` beside them.

    Args:
        keep: (example, name without patient) -> the file that was written, the classes that it shows, and the digests
            of the stored files that it came from. What it refuses is left out, and counted by the reason.
        told: what else belongs in ``examples.json``; to its `left` that of here is added.
        must_differ: whether two classes at least have to be among them.

    Raises:
        Conflict: the folder holds something already. Refused: nothing could be kept, or one class only.
    """
    if out.exists() and any(out.iterdir()):
        raise Conflict(f"'{out}' is not empty", "old examples would be mixed with new ones", "name another folder")
    out.mkdir(parents=True, exist_ok=True)
    number = {whose: k for k, whose in enumerate(dict.fromkeys(e.person for e in examples))}
    rows: list[dict[str, Any]] = []
    shown: list[list[str]] = []
    digests: list[str] = []
    left: dict[str, int] = dict(told.get("left", {}))
    for k, example in enumerate(examples):
        try:
            file, labels, files = keep(example, f"person{number[example.person]:06d}_{k:06d}")
        except IsocenterError as refused:
            left[refused.what[:80]] = left.get(refused.what[:80], 0) + 1
            continue
        digests += files
        shown.append(labels)
        rows.append({
            "file": file, "label": "|".join(labels), "weight": f"{example.weight:g}",
            "readers": " ".join(example.readers), "mode": example.mode, "time": example.time,
            "machine": int(example.machine), "image": files[0] if files else "",
        })  # fmt: skip
    if not rows:
        because = "; ".join(f"{n}: {why}" for why, n in left.items())
        raise Refused(f"none of {len(examples)} examples can be kept", because, "mend that, or wait for other reports")
    if must_differ and len({r["label"] for r in rows}) < 2:
        raise Refused(f"{len(rows)} examples of one class", "nothing can be learnt from them", "wait for more reports")
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS)
    table.writeheader()
    table.writerows(rows)
    wholly.write(out / "examples.csv", text.getvalue())
    report = {
        **told, "n": len(rows), "people": len(number), "left": left, "classes": list(classes),
        "by_class": {c: sum(c in labels for labels in shown) for c in classes},
        "by_mode": {m: sum(r["mode"] == m for r in rows) for m in sorted({r["mode"] for r in rows})},
        "weight": round(sum(float(r["weight"]) for r in rows), 3),
        "digest": hashlib.sha256((out / "examples.csv").read_bytes()).hexdigest(), "learned_from": sorted(set(digests)),
    }  # fmt: skip
    wholly.write(out / "examples.json", json.dumps(report, indent=1) + "\n")
    return report


def picture_of(volume: Volume) -> npt.NDArray[Any]:
    """(rows, columns) or (slices, rows, columns) of one value each; of a picture in colour (rows, columns, 3).

    A picture in grey is as its header has it shown.
    """
    x = np.asarray(volume.array)
    if not volume.axes and x.shape[0] == 1:
        return picture_greys(x[0], volume.facts)
    coloured = [axis.name for axis in volume.axes] == ["channel"] and x.shape[:2] == (3, 1)
    return np.moveaxis(x[:, 0], 0, -1) if coloured else x


def stored(out: Path, name: str, image: npt.NDArray[Any]) -> str:
    """Keep an image as PNG, or as an array where it has slices; gives the name of the file."""
    from PIL import Image

    x = np.asarray(image)
    x = x[0] if x.ndim == 3 and x.shape[0] == 1 else x
    if x.ndim not in (2, 3) or not np.isfinite(x).all():
        raise Refused(
            f"an image of shape {np.shape(image)}",
            "pictures and volumes of numbers are kept",
            "take a recipe of rows, or examples with images",
        )
    coloured = x.ndim == 3 and x.shape[2] == 3 and x.dtype == np.uint8  # no volume has three columns
    suffix = ".png" if x.ndim == 2 or coloured else ".npy"
    file = out / (name + suffix)
    file.parent.mkdir(parents=True, exist_ok=True)
    grey = x if coloured else in_eight_bits(x)
    if suffix == ".png":
        Image.fromarray(grey).save(file)
    else:
        np.save(file, grey)
    return name + suffix


def in_eight_bits(x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Grey values in 8 bits, black and white at the 1st and 99th percentile."""
    low, high = (float(v) for v in np.percentile(x, (1, 99)))
    grey = np.clip((x.astype(np.float32) - low) * (255 / max(high - low, 1e-6)) + 0.5, 0, 255)
    return np.asarray(grey, np.uint8)


def learned(model: Model, data: Path, out: Path) -> Model:
    """The model, with the stored files that its examples came from on its card, where `data` says which they are.

    A withdrawal of consent finds by them which models had learnt from a study.
    """
    table = data / "examples.json"
    if not table.is_file():
        return model
    told = json.loads(table.read_text("utf-8"))
    kept = {k: told[k] for k in ("digest", "by_mode", "weight", "rehearsed") if k in told}
    known = replace(model, card={**model.card, "learned_from": told["learned_from"], "readings": kept})
    write_record(out, known)
    return known


def rehearsed(out: Path, old: Path, share: float, seed: int = 0) -> int:
    """Add older examples to a folder of new ones, so that what was learnt is not forgotten.

    Args:
        out: of `written`. old: an earlier folder of the same classes, or any folder a class.
        share: part of the whole that the old ones shall be, below 1; both classes as they were among them.

    Returns:
        How many were added.

    Raises:
        Refused: a share out of range, other classes, or no picture.
    """
    if not 0 < share < 1:
        raise Refused(f"a share of {share:g}", "it lies between 0 and 1", "give 0.5 or the like")
    report = json.loads((out / "examples.json").read_text("utf-8"))
    missing = [c for c in report["classes"] if not (old / c).is_dir()]
    if missing:
        raise Refused(
            f"'{old}' has no folder '{missing[0]}'",
            "old and new examples must have the same classes",
            "add it, or leave the old examples out",
        )
    files = {c: pictures_in(old / c) for c in report["classes"]}
    there = sum(map(len, files.values()))
    if not there:
        raise Refused(
            f"no picture below the classes of '{old}'", "there is nothing to be mixed in", "name another folder"
        )
    wanted = min(there, round(report["n"] * share / (1 - share)))
    ways = [p.relative_to(old / c).as_posix() for c, own in files.items() for p in own]
    told = [person(way) if whom == way else whom for way, whom in zip(ways, whose(ways), strict=True)]
    people = dict(zip([p for own in files.values() for p in own], numbered(told).tolist(), strict=True))
    rng, rows = np.random.default_rng(seed), list[list[Any]]()
    for label, own in files.items():
        for k in sorted(rng.permutation(len(own))[: round(wanted * len(own) / there)].tolist()):
            # pictures of one person of the old ones stay together, and apart from every person of the new ones
            person_here = people[own[k]] + report["people"]
            to = out / label / f"person{person_here:06d}_earlier_{k:06d}_{own[k].name}"
            shutil.copyfile(own[k], to)
            rows.append([to.relative_to(out).as_posix(), label, 1, "", "earlier", "", "", ""])
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    wholly.write(out / "examples.csv", (out / "examples.csv").read_bytes() + text.getvalue().encode("utf-8"))
    if (old / "examples.json").is_file():  # a withdrawal must find what was learnt from the earlier ones, too
        earlier = json.loads((old / "examples.json").read_text("utf-8")).get("learned_from", ())
        report["learned_from"] = sorted({*report["learned_from"], *earlier})
    report["rehearsed"] = {"n": len(rows), "from": old.name, "share": share, "seed": seed}
    wholly.write(out / "examples.json", json.dumps(report, indent=1) + "\n")
    return len(rows)
