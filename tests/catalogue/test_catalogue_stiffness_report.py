"""Shear-wave readings out of reports of ultrasound machines: which are of the liver, and in which unit."""

from __future__ import annotations

from typing import Any

import pytest
from obstetric_report import box, derived, item, number, word, written

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.liver_stiffness import SPEED, STIFFNESS, LiverStiffness
from isocenter.catalogue.stiffness_report import of_an_organ
from isocenter.errors import Refused
from isocenter.forms.machine_report import read

VELOCITY, ELASTICITY = ("130611", "DCM", "Shear Wave Speed"), ("110830", "DCM", "Elasticity")
M_S, CM_S, KPA = ("m/s", "UCUM", "m/s"), ("cm/s", "UCUM", "cm/s"), ("kPa", "UCUM", "kPa")
LIVER, SEGMENT, SPLEEN = ("10200004", "SCT", "Liver"), ("T-D056C", "SRT", "Segment VI"), ("78961009", "SCT", "Spleen")
SPEEDS = (1.9, 2.0, 2.1, 2.0, 2.0, 1.95, 2.05, 2.0, 2.1, 1.9)


def at(site: tuple[str, str, str]) -> Any:
    return word(("363698007", "SCT", "Finding Site"), site)


def group(*numbers: Any, site: tuple[str, str, str] | None = LIVER) -> Any:
    return box("125007", *([at(site)] if site else []), *numbers)


def asked(*sections: Any, **how: Any) -> Answer:
    return LiverStiffness().run(None, (read(written(*sections, title="25061-3")),), **how)


def median(answer: Answer, what: Any = STIFFNESS) -> float:
    return next(m.value for m in answer.findings[0].measurements if m.what == what)


def test_readings_of_the_liver_are_put_together_and_others_left() -> None:
    spleen = group(*(number(VELOCITY, 3.0, M_S) for _ in SPEEDS), site=SPLEEN)
    half = group(*(number(VELOCITY, v, M_S) for v in SPEEDS[:5]), number(VELOCITY, 2.0, M_S, derived("373099004")))
    rest = box("125007", *(number(VELOCITY, 100 * v, CM_S, at(SEGMENT)) for v in SPEEDS[5:]))
    answer = asked(spleen, half, rest)
    assert median(answer, SPEED) == pytest.approx(2.0) and median(answer) == pytest.approx(12.0)
    assert "10 readings" in answer.findings[0].words and "suggestive of cACLD" in answer.findings[0].words


def test_a_reading_that_is_told_in_both_units_counts_once() -> None:
    both = [one for v in SPEEDS for one in (number(ELASTICITY, 3 * v * v, KPA), number(VELOCITY, v, M_S))]
    assert "10 readings" in asked(group(*both)).findings[0].words
    assert median(asked(group(*(number(ELASTICITY, 5.0 + v, KPA) for v in SPEEDS)))) == pytest.approx(7.0)


def test_readings_without_an_organ_are_doubted() -> None:
    answer = asked(group(*(number(VELOCITY, v, M_S) for v in SPEEDS), site=None))
    assert answer.reasons[0].startswith("WARNING: the report does not say of which organ")
    with pytest.raises(Refused, match="no readings"):
        asked(group(*(number(VELOCITY, v, M_S) for v in SPEEDS), site=SPLEEN))


@pytest.mark.parametrize("words", ["Right lobe of liver", "Hepatic lobe, left", "LIVER"])
def test_a_lobe_is_of_the_liver_by_its_words_and_its_veins_are_not(words: str) -> None:
    """A report of the right lobe was one without readings."""
    lobe = ("L1", "99MAKER", words)
    assert median(asked(group(*(number(VELOCITY, v, M_S) for v in SPEEDS), site=lobe)), SPEED) == pytest.approx(2.0)
    with pytest.raises(Refused, match="no readings"):
        asked(group(*(number(VELOCITY, v, M_S) for v in SPEEDS), site=("L2", "99MAKER", f"{words}, lesion 1")))


@pytest.mark.parametrize(
    ("what", "by", "unit"), [(VELOCITY, 1000.0, "mm/s"), (ELASTICITY, 1.0, "kpa"), (ELASTICITY, 1000.0, "Pa")]
)
def test_units_in_other_sizes_and_letters(what: tuple[str, str, str], by: float, unit: str) -> None:
    answer = asked(group(*(number(what, by * v, (unit, "UCUM", unit)) for v in SPEEDS)))
    assert median(answer, SPEED if what is VELOCITY else STIFFNESS) == pytest.approx(2.0)


def test_readings_may_bear_the_unit_that_is_stated() -> None:
    report = group(*(number(VELOCITY, v, M_S) for v in SPEEDS))
    assert median(asked(report, readings="5.1 kPa, 5.0kPa, 5.2 kPa, 5.1 kPa, 5.1 KPA", unit="kPa")) == 5.1
    with pytest.raises(Refused, match="numbers with commas between"):
        asked(report, readings="5.1 kPa, 5.0 kPa, 5.2 kPa, 5.1 kPa, 5.1 kPa", unit="m/s")


def test_a_median_alone_and_another_unit_are_refused() -> None:
    with pytest.raises(Refused, match="the derived of readings alone"):
        asked(group(number(VELOCITY, 2.0, M_S, derived("373099004"))))
    with pytest.raises(Refused, match="Shear Wave Speed of 12 kPa"):
        asked(group(*(number(VELOCITY, 12, KPA) for _ in SPEEDS)))


def test_what_is_given_goes_before_the_report() -> None:
    report = group(*(number(VELOCITY, v, M_S) for v in SPEEDS), item("TEXT", ("1", "99X", "x"), TextValue="x"))
    assert median(asked(report, readings="5 5 5 5 5", unit="kPa")) == 5.0


def test_which_reports_are_of_an_organ() -> None:
    assert of_an_organ({"ReportTitleCode": ["25061-3", "LN", "Ultrasound Report"]})
    assert of_an_organ({"ReportTitleCode": ["E1", "99MAKER", "Shear-wave report"]})
    # What any program writes of any image, ours among them, brings no study of CT to this analysis.
    assert not of_an_organ({"ReportTitleCode": ["126000", "DCM", "Imaging Measurement Report"]})
    assert not of_an_organ({})
