"""Which class a report says: by a finding of its name, or by the value of a measurement. Never by words alone.

A finding or a measurement has the names that `labels_of_findings` knows: the meaning of its code, or scheme and code as
in ``DCM:112001``. A finding that a reader put in words only, without a code, is a class where its words are the name
and nothing else; of other words nobody knows what they mean, so that beside them no class is said to be absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isocenter.errors import Refused
from isocenter.learn.kinds import Classes, ReadFrom, Table
from isocenter.learn.labels_of_findings import label_of, label_of_code, names_of_labels
from isocenter.learn.sheet import plain
from isocenter.record import Code, Finding, Measurement, codes
from isocenter.record.ucum import converted

__all__ = ["Heard", "Question", "is_called", "listed", "numbers_in", "question_of", "refuse_silence"]

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MOST = 12  # names that a refusal lists


@dataclass(frozen=True)
class Heard:
    """What somebody says of a study.

    Args:
        findings: those that stand. measurements: of the study as a whole.
        whole: whether what is not among them is denied; not of words that could mean anything.
    """

    findings: tuple[Finding, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    whole: bool = True


@dataclass(frozen=True)
class Question:
    """What a recipe wants to hear of a study.

    Args:
        classes: of the recipe. names: of each class, all that it may be called.
        several: whether any number of them may be there. ordered: whether the later of two is the graver.
        read: where they stand.
    """

    classes: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    several: bool
    ordered: bool
    read: ReadFrom

    def label(self, heard: Heard) -> int | None:
        """The number of the class that is said, of several the sum of 2 ** k; None where none is, or it is not clear.

        Of several grades in one study, as of two nodules, the highest counts.

        Raises:
            Refused: values in units of which none was named.
        """
        if self.read.measurement:
            return self._graded(heard)
        there = {k for f in heard.findings for k in self._kinds(f)}
        silent = not heard.whole or any(_is_vague(f) and not self._kinds(f) for f in heard.findings)
        if self.several:
            return None if silent else sum(1 << k for k in there)
        none = self._nothing
        there -= {none} if len(there) > 1 else set()
        if there:
            return max(there) if self.ordered or len(there) == 1 else None
        return None if silent else none

    def speaks_of(self, heard: Heard) -> bool:
        """Whether anything in it is one of the classes, or the measurement, whatever its value."""
        if self.read.measurement:
            return bool(self._values(heard))
        return any(self._kinds(f) for f in heard.findings)

    @property
    def _nothing(self) -> int | None:
        return self.classes.index(self.read.nothing) if self.read.nothing else None

    def _kinds(self, finding: Finding) -> frozenset[int]:
        names = {name: k for k, own in enumerate(self.names) for name in own}
        kind = label_of(finding, names_of_labels((), names, first=0))
        if kind is None and _is_vague(finding):
            kind = next((k for name, k in names.items() if plain(finding.words) == plain(name)), None)
        return frozenset(() if kind is None else (kind,))

    def _values(self, heard: Heard) -> list[Measurement]:
        of = [f for f in heard.findings if not self.read.finding or is_called(f.what, self.read.finding)]
        each = [m for f in of for m in f.measurements] + ([] if self.read.finding else list(heard.measurements))
        return [m for m in each if is_called(m.what, self.read.measurement)]

    def _graded(self, heard: Heard) -> int | None:
        held = self._values(heard)
        if not held:
            return self._nothing if heard.whole else None
        units = sorted({m.unit for m in held})
        wanted = self.read.unit or units[0]
        values = [v for m in held if (v := converted(m.value, m.unit, wanted)) is not None]
        if not self.read.unit and len(values) < len(held):
            raise Refused(
                f"{self.read.measurement} in {' and '.join(units)}", "grades are of one quantity",
                f'say which in the recipe, such as unit = "{units[0]}" in [read_from]',
            )  # fmt: skip
        grades = [k for v in values if (k := self._grade(v)) is not None]
        return max(grades) if grades and len(grades) == len(values) else None

    def _grade(self, value: float) -> int | None:
        if self.read.cuts:
            return sum(value >= cut for cut in self.read.cuts)
        return next((k for k, own in enumerate(self.names) if value in numbers_in(own)), None)


def question_of(how: Classes | Table) -> Question:
    """What a recipe wants to hear; of a table, the classes are two, or the numbers that its outcome may be."""
    read = how.read_from or ReadFrom()
    if isinstance(how, Table):
        if read.measurement and not read.cuts:
            classes = tuple(f"{v:g}" for v in how.labels)
            return Question(classes, tuple((name,) for name in classes), False, True, read)
        graded = read.cuts and len(read.cuts) + 1 != len(how.classes)
        classes = tuple(f"{v:g}" for v in how.labels) if graded else how.classes
        return Question(classes, tuple((name,) for name in classes), False, True, read)
    names = tuple((own, *(n for n, k in how.known_as.items() if k == at)) for at, own in enumerate(how.classes))
    return Question(how.classes, names, how.several, how.ordered > 0 or bool(read.measurement), read)


def is_called(what: Code, *names: str) -> bool:
    """Whether a coded word is called by one of these names.

    >>> opacity = Code("112001", "DCM", "Opacity")
    >>> is_called(opacity, "opacity"), is_called(opacity, "DCM:112001"), is_called(opacity, "Opacity of the lens")
    (True, True, False)
    """
    return label_of_code(what, names_of_labels(names, {}, first=0)) is not None


def numbers_in(names: Iterable[str]) -> set[float]:
    """The numbers that the names of a class bear.

    >>> numbers_in(["TR4", "moderately suspicious"])
    {4.0}
    """
    return {float(n) for name in names for n in _NUMBER.findall(name)}


def refuse_silence(question: Question, told: Sequence[Heard], whose: str) -> None:
    """Say that no report tells a class, and what they tell instead.

    Raises:
        Refused: always.
    """
    read = question.read
    if read.measurement:
        wanted = f"the measurement '{read.measurement}'" + (f" of '{read.finding}'" if read.finding else "")
        if held := [m for heard in told for m in question._values(heard)]:
            values = ", ".join(sorted({f"{m.value:g} {m.unit}" for m in held})[:_MOST])
            raise Refused(f"{wanted}{whose} is {values}", f"that is none of {', '.join(question.classes)}",
                          "name the classes after its values, or give cuts and their unit in [read_from]")  # fmt: skip
        each = [m for h in told for m in (*h.measurements, *(m for f in h.findings for m in f.measurements))]
        raise Refused(f"no signed report{whose} has {wanted}",
                      f"there are {listed(m.what for m in each) or 'none at all'}",
                      "name one of them in [read_from] of the recipe, by its words or its code")  # fmt: skip
    raise Refused(
        f"no signed report{whose} has a finding called {' or '.join(question.classes)}",
        f"there are {listed(f.what for h in told for f in h.findings) or 'none at all'}",
        "name a class, or known_as of it, after one of them, by its words or its code; or a measurement in [read_from]",
    )


def listed(words: Iterable[Code]) -> str:
    """Coded words with their codes, each once, the commonest first."""
    many: dict[str, int] = {}
    for code in words:
        name = f"{code.meaning} ({code.scheme}:{code.code})"
        many[name] = many.get(name, 0) + 1
    return ", ".join(sorted(many, key=lambda name: (-many[name], name))[:_MOST])


def _is_vague(finding: Finding) -> bool:
    return finding.what == codes.FINDING
