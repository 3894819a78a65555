"""Which class a report says: by a finding of its name or by the value of a measurement, never by words alone."""

from __future__ import annotations

from typing import Any

import pytest

from isocenter.catalogue.thyroid_nodule import LEVEL, NODULE
from isocenter.errors import Refused
from isocenter.learn.categories import Heard, question_of, refuse_silence
from isocenter.learn.kinds import Classes, Column, ReadFrom, Table
from isocenter.record import Code, Finding, Measurement, codes

LEVELS = ("TR1", "TR2", "TR3", "TR4", "TR5")
MASS = Code("4147007", "SCT", "Mass")
CYST = Code("367643001", "SCT", "Cyst")


def _classes(*names: str, **said: Any) -> Classes:
    return Classes("lumps", names, (8, 8), **said)


def _nodule(*levels: float, unit: str = "1") -> Heard:
    return Heard(tuple(Finding(NODULE, measurements=(Measurement(LEVEL, v, unit),)) for v in levels))


@pytest.mark.parametrize("name", ["ACR TI-RADS level", "acr ti-rads LEVEL", "99ISO:tirads-level"])
def test_a_grade_is_the_number_in_the_name_of_a_class(name: str) -> None:
    asked = question_of(_classes(*LEVELS, read_from=ReadFrom(name)))
    assert [asked.label(_nodule(v)) for v in (1, 4, 5)] == [0, 3, 4]
    assert asked.label(_nodule(2, 4)) == 3, "of two nodules the graver"
    assert asked.label(_nodule(2.5)) is None and asked.label(_nodule(2, 9)) is None, "no class has that number"
    assert asked.label(Heard()) is None and asked.speaks_of(_nodule(9)) and not asked.speaks_of(Heard())
    whole = question_of(_classes(*LEVELS, read_from=ReadFrom(name, nothing="TR1")))
    assert whole.label(Heard()) == 0 and whole.label(Heard(whole=False)) is None
    other = question_of(_classes(*LEVELS, read_from=ReadFrom(name, finding="Lesion")))
    assert other.label(_nodule(4)) is None


def test_a_class_may_be_called_by_a_number_that_is_not_in_its_name() -> None:
    names = {"0": 0, "1": 1}
    asked = question_of(_classes("none", "mild", known_as=names, read_from=ReadFrom("99ISO:tirads-level")))
    assert [asked.label(_nodule(v)) for v in (0, 1, 2)] == [0, 1, None]


def test_a_grade_is_laid_by_cuts_in_a_unit_and_exact_conversions_are_made() -> None:
    cuts = ReadFrom("Proton density fat fraction", unit="%", cuts=(6.4, 17.4, 22.1))
    asked = question_of(_classes("S0", "S1", "S2", "S3", read_from=cuts))

    def said(value: float, unit: str) -> Heard:
        return Heard((), (Measurement(codes.PDFF, value, unit),))

    assert [asked.label(said(v, "%")) for v in (6.3, 6.4, 20, 22.1)] == [0, 1, 2, 3]
    assert asked.label(said(0.2, "1")) == 2 and asked.label(said(20, "mg/g")) == 0, "20 mg/g are 2 %"
    assert asked.label(said(20, "{score}")) is None, "what is no share has no place among shares"
    free = question_of(_classes("S0", "S1", read_from=ReadFrom("99ISO:pdff", cuts=(6.4,))))
    both = Heard((), (*said(1, "%").measurements, *said(1, "{score}").measurements))
    with pytest.raises(Refused, match=r"in % and \{score\}.*unit = "):
        free.label(both)


def test_a_class_is_there_where_a_finding_has_its_name_or_code() -> None:
    asked = question_of(_classes("clear", "Mass", "cyst", known_as={"SCT:367643001": 2}, read_from=ReadFrom()))
    assert asked.label(Heard((Finding(MASS),))) == 1 and asked.label(Heard((Finding(CYST),))) == 2
    assert asked.label(Heard((Finding(MASS), Finding(CYST)))) is None, "two classes are none"
    assert asked.label(Heard()) is None, "nothing says what is meant by nothing"
    lies = question_of(_classes("clear", "Mass", read_from=ReadFrom(nothing="clear")))
    assert lies.label(Heard((Finding(NODULE),))) == 0
    worded = Finding(codes.FINDING, words="A shadow.")
    assert lies.label(Heard((worded,))) is None, "words alone could mean anything"
    assert lies.label(Heard((worded, Finding(MASS)))) == 1
    assert lies.label(Heard((Finding(codes.FINDING, words="mass."),))) == 1, "they are the name and nothing else"
    assert lies.label(Heard((Finding(codes.FINDING, words="No mass."),))) is None
    graded = question_of(_classes("Cyst", "Mass", ordered=0.5))
    assert graded.label(Heard((Finding(MASS), Finding(CYST)))) == 1, "of grades the highest"


def test_several_classes_may_be_there_and_what_is_not_said_is_not() -> None:
    asked = question_of(_classes("Mass", "Cyst", "Opacity", several=True))
    assert asked.label(Heard((Finding(MASS), Finding(codes.OPACITY)))) == 0b101
    assert asked.label(Heard()) == 0 and asked.label(Heard(whole=False)) is None
    assert asked.label(Heard((Finding(MASS), Finding(codes.FINDING, words="Scar")))) is None


def test_the_outcome_of_a_table_is_a_class_or_a_number_of_its_labels() -> None:
    def table(read: ReadFrom, **said: Any) -> Table:
        return Table("risk", ("benign", "Mass"), (Column("age", "number"),), ("outcome",), read_from=read, **said)

    asked = question_of(table(ReadFrom("99ISO:tirads-level"), labels=(1, 2, 3, 4, 5), positive_above=3))
    assert asked.classes == ("1", "2", "3", "4", "5") and asked.label(_nodule(4)) == 3
    asked = question_of(table(ReadFrom("99ISO:tirads-level", cuts=(4,))))
    assert asked.classes == ("benign", "Mass") and [asked.label(_nodule(v)) for v in (3, 4)] == [0, 1]
    asked = question_of(table(ReadFrom("99ISO:tirads-level", cuts=(2, 4)), labels=(0, 1, 2)))
    assert asked.classes == ("0", "1", "2") and [asked.label(_nodule(v)) for v in (1, 3, 5)] == [0, 1, 2]
    asked = question_of(table(ReadFrom(nothing="benign")))
    assert [asked.label(h) for h in (Heard(), Heard((Finding(MASS),)))] == [0, 1]


def test_what_says_no_class_is_refused_with_what_is_said_instead() -> None:
    told = [_nodule(4), _nodule(2)]
    for read, names, says in (
        (ReadFrom("Volume"), LEVELS, r"has the measurement 'Volume'.*ACR TI-RADS level \(99ISO:tirads-level\).*\[re"),
        (ReadFrom("99ISO:tirads-level"), ("A1", "A9"), "'99ISO:tirads-level' is 2 1, 4 1.*none of A1, A9.*cuts"),
        (ReadFrom(), ("Mass", "Cyst"), r"finding called Mass or Cyst.*Thyroid nodule \(SCT:237495005\)"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=says):
            refuse_silence(question_of(_classes(*names, read_from=read)), told, "")
    with pytest.raises(Refused, match="none at all"):
        refuse_silence(question_of(_classes("Mass", "Cyst")), [Heard()], " in the cohort 'x'")
