"""Signed readings that teach grades, more than two classes, and several classes at once.

What a report says is one of the recipe's classes (see `categories`), and so is what the machines had said that the
reader saw, and the reader's own opinion before that. A grade that is the machine's is followed, any other overrules it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from isocenter import wholly
from isocenter.learn.categories import Heard, question_of, refuse_silence
from isocenter.learn.examples import person
from isocenter.learn.from_readings import (
    WHERE,
    Example,
    Said,
    Votes,
    examples_of,
    laid,
    picture_of,
    stored,
    weightier,
    written,
)
from isocenter.learn.images_of_reports import lies_on, parted
from isocenter.learn.kinds import Classes, Table
from isocenter.learn.signed_reports import Images, Signed
from isocenter.record import Code, Outcome, Result, Verdict

__all__ = ["Grades", "each_apart", "middle", "stands", "table_text"]

_UNCLEAR = "the report says two classes at once, or a grade that no class has"
_PICTURES, _NOTHING = "pictures", "No Finding"
_UNHEARD = -1
"""What a machine says that had not been seen, or says none of the classes."""


def middle(votes: Votes) -> tuple[int, float]:
    """Of grades the one in the middle of the weight, and what stands on it less what tips to one side of it.

    Of two grades this is the weightier, and what the other side weighs is taken from it.

    >>> middle([(1.0, 1), (1.0, 2), (1.0, 4)]), middle([(1.0, 3), (0.25, 1)]), middle([(1.0, 1), (1.0, 3)])
    ((2, 1.0), (3, 0.75), (1, 0.0))
    """
    best = (votes[0][1], 0.0)
    for label in sorted({label for _, label in votes}):
        on = sum(w for w, own in votes if own == label)
        tips = sum(w for w, own in votes if own > label) - sum(w for w, own in votes if own < label)
        if on - abs(tips) > best[1]:
            best = label, on - abs(tips)
    return best


def each_apart(votes: Votes, kinds: int) -> tuple[int, float]:
    """Of several classes at once each by itself, and the weight of the one on which readers agree least.

    >>> each_apart([(1.0, 0b11), (0.25, 0b01)], 2), each_apart([(1.0, 0b11), (1.0, 0b01)], 2)[1]
    ((3, 0.75), 0.0)
    """
    settled = [weightier([(w, label >> k & 1) for w, label in votes]) for k in range(kinds)]
    return sum(own << k for k, (own, _) in enumerate(settled)), min(weight for _, weight in settled)


def stands(results: Iterable[Result]) -> Heard:
    """What answers say as persons left them: without what was struck, and without numbers for research.

    Numbers of the study as a whole stand where anything found beside them does.
    """
    left = [r for r in results if r.outcome is not Outcome.DECLINED]
    kept = [r for r in left if r.answer is r.outcome]  # where all was struck the numbers beside it are nobody's
    findings = (f for r in left for f in r.findings if f.verdict is not Verdict.STRUCK and not f.research)
    return Heard(tuple(findings), tuple(m for r in kept for m in r.measurements))


def together(*heard: Heard, whole: bool = True) -> Heard:
    """All of it as one."""
    findings, measurements = (f for h in heard for f in h.findings), (m for h in heard for m in h.measurements)
    return Heard(tuple(findings), tuple(measurements), whole=whole)


class Grades:
    """How signed reports teach recipes of classes by their categories; see `teachers.Teacher`."""

    def __init__(
        self, how: Classes | Table, analysis: str, looks_for: Collection[Code], *, apart: bool = True
    ) -> None:  # fmt: skip
        """
        Args:
            apart: whether each image that the analysis looked at is told by itself; else the study as a whole is.
        """
        self.how, self.analysis, self.question, self._apart = how, analysis, question_of(how), apart

    def said(self, signed: Iterable[Signed]) -> tuple[list[Said], dict[str, str]]:
        """What each report on which the analysis had answered says, with what machines and the first opinion said.

        Raises:
            Refused: no report says one of the classes, with what they say instead.
        """
        found, left, every = list[Said](), dict[str, str](), list[Heard]()
        for one in signed:
            calls = sum(call["analysis"] == self.analysis for call in one.calls)
            results = one.results()
            own = [r for r in results if r.machine.analysis == self.analysis]
            if not own and not calls:
                continue  # it had not been asked about the study
            parts, nowhere = parted(results, self.analysis) if self._apart else ({"": list(results)}, [])
            if self.question.speaks_of(stands(nowhere)) or (self._apart and not own and calls > 1):
                left[one.study], parts = WHERE, {}
            machines, first = one.machines() if parts else (), one.first(self.analysis) if parts else None
            for image, said in parts.items():
                looked = [r for r in said if r.machine.analysis == self.analysis]
                answered = any(r.outcome is not Outcome.DECLINED for r in looked) or bool(calls and not own)
                heard = together(stands(said), Heard(stands(nowhere).findings), whole=answered)
                every.append(heard)
                final = self.question.label(heard)
                if final is None:
                    if self.question.speaks_of(heard):
                        left[one.study] = _UNCLEAR
                    continue
                shown = parted(machines, self.analysis)[0].get(image, []) if self._apart else machines
                machine = self._machine(shown)
                mode = "shadow" if machine == _UNHEARD else "seen"
                found.append(Said(
                    one.study, one.person, one.reader, one.time, mode, machine, final,
                    self._first(first, image, list(parts)), image=image,
                ))  # fmt: skip
        speaks = any(self.question.speaks_of(heard) for heard in every)
        if every and not (speaks if self.question.several else found or (left and not self.question.read.measurement)):
            refuse_silence(self.question, every, "")
        return found, left

    def _first(self, first: Heard | None, image: str, images: Sequence[str]) -> int | None:
        if first is None:
            return None
        on_it = tuple(f for f in first.findings if lies_on(f, image, images))
        return self.question.label(Heard(on_it, first.measurements, whole=first.whole))

    def _machine(self, shown: Iterable[Result]) -> int:
        """What the machines had said that were seen: the analysis itself, and whoever else speaks of the classes."""
        each = [(r.machine.analysis, stands([r])) for r in shown if r.outcome is not Outcome.DECLINED]
        spoke = [heard for name, heard in each if name == self.analysis or self.question.speaks_of(heard)]
        label = self.question.label(together(*spoke)) if spoke else None
        return _UNHEARD if label is None else label

    def examples(self, told: Iterable[Said], agreement: float) -> tuple[list[Example], int]:
        """One example a study: of grades the middle of the weight, of other classes where most of it lies."""
        if self.question.several:
            return examples_of(told, agreement, lambda votes: each_apart(votes, len(self.question.classes)))
        return examples_of(told, agreement, middle if self.question.ordered else weightier)

    def written(
        self, out: Path, examples: Sequence[Example], images: Images, told: Mapping[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        """A folder for each class; of several classes at once one of pictures and a table of what each shows."""

        if self.question.several:
            return self._together(out, examples, images, told)

        def pixels(one: Example) -> tuple[npt.NDArray[Any], Sequence[str]]:
            volume, digests = images(one.study, image=one.image)
            return picture_of(volume), digests

        return written(out, examples, self.question.classes, pixels, told)

    def _together(
        self, out: Path, examples: Sequence[Example], images: Images, told: Mapping[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        rows: list[list[str]] = []

        def keep(one: Example, name: str) -> tuple[str, list[str], Sequence[str]]:
            volume, digests = images(one.study, image=one.image)
            file = stored(out, f"{_PICTURES}/{name}", picture_of(volume))
            shown = [own for k, own in enumerate(self.question.classes) if one.label >> k & 1]
            rows.append([file, "|".join(shown) or _NOTHING, person(name)])
            return file, shown, digests

        report = laid(out, examples, self.question.classes, keep, told, must_differ=True)
        wholly.write(out / "labels.csv", table_text([["file", "label", "person"], *rows]))
        return report


def table_text(rows: Sequence[Sequence[str]]) -> str:
    """Rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
