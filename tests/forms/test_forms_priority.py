"""The order of a worklist follows what was found and stands, and says why."""

from dataclasses import replace

import pytest
from forms_samples import STUDY_UID, WHEN

from isocenter.forms.priority import Priority, rank
from isocenter.record import Finding, Origin, Outcome, Result, Urgency, Verdict, codes


def result(*findings: Finding, urgency: Urgency = Urgency.NOW, name: str = "brain_bleed") -> Result:
    """A result of a machine."""
    outcome = Outcome.FOUND if findings else Outcome.NONE
    return Result(STUDY_UID, outcome, Origin("machine", name, "1"), WHEN, findings=findings, urgency=urgency)


BLEED = Finding(codes.LESION, 0.93, site=codes.BRAIN, tracking="1.2.3")


def test_a_finding_raises_the_study_and_says_why() -> None:
    assert rank([result(BLEED)]) == Priority(Urgency.NOW, "Lesion, brain, certainty 93 % (brain_bleed 1)", "1.2.3")


def test_nothing_found_is_the_plain_order() -> None:
    declined = Result(STUDY_UID, Outcome.DECLINED, Origin("machine", "x"), WHEN, reasons=("no",), urgency=Urgency.NOW)
    for results in ([], [result()], [declined], [result(BLEED, urgency=Urgency.ROUTINE)]):
        assert rank(results) == Priority(Urgency.ROUTINE)


def test_the_most_urgent_then_the_most_certain_speaks() -> None:
    soon = result(replace(BLEED, certainty=0.99), urgency=Urgency.SOON, name="other")
    sure = result(replace(BLEED, certainty=0.95), BLEED)
    assert rank([soon, sure]).why == "Lesion, brain, certainty 95 % (brain_bleed 1)"


def test_a_struck_finding_moves_nothing() -> None:
    machine = result(BLEED)
    person = Result(
        STUDY_UID, Outcome.FOUND, Origin("person", "ito"), WHEN, replaces=machine.id, urgency=Urgency.NOW,
        findings=(replace(BLEED, verdict=Verdict.STRUCK),),
    )  # fmt: skip
    assert rank([machine, person]).level is Urgency.ROUTINE


def test_a_result_whose_findings_are_all_struck_is_none_found() -> None:
    person = replace(result(BLEED), findings=(replace(BLEED, verdict=Verdict.STRUCK),) * 2)
    assert person.outcome is Outcome.FOUND and person.answer is Outcome.NONE
    assert rank([person]) == rank([result()]) == Priority(Urgency.ROUTINE)
    assert replace(person, findings=(*person.findings, BLEED)).answer is Outcome.FOUND, "one still stands"
    assert rank([replace(person, findings=(*person.findings, BLEED))]).level is Urgency.NOW


@pytest.mark.parametrize(
    ("asked", "level"), [("STAT", "now"), (" high ", "soon"), ("ROUTINE", "routine"), ("", "routine")]
)
def test_what_the_referrer_asked_is_never_lowered(asked: str, level: str) -> None:
    assert rank([result()], asked).level == level
    today = result(BLEED, urgency=Urgency.TODAY)
    assert rank([today], asked).order <= Priority(Urgency(level)).order
