"""Signed cases in which a model was wrong: by the report or the truth, and none that the asker may not see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from department_for_oversight import AI, CHIEF, ITO, LEE, RUIZ, at, department, keep, uid
from isocenter.analysis.weights import models
from isocenter.errors import Forbidden, NotFound
from isocenter.govern.policy import Person, Role
from isocenter.reading.disclosure import Mode, Use
from isocenter.record import Event, Finding, Kind, Origin, Outcome, Result, codes
from isocenter.site.verbs import Site

SAID = {1: False, 2: True, 3: True, 4: True, 5: False, 6: False}
SIGNED = {1: True, 2: False, 3: True, 4: True, 5: False, 6: True}
OTHER_WEIGHTS = 6


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Six studies with an answer of the shipped weights, one of them of weights that were here before.

    1 was missed, 2 a false alarm; of 3 all held; in 4 one of two findings was struck; of 5 nobody was wrong when it was
    signed; 6 was missed by other weights. The truth of all is what was signed but where a test says otherwise.
    """
    digest = models()[AI][0].digest
    with department(tmp_path, read=6) as (site, _):
        for n, said in SAID.items():
            found = (Finding(codes.OPACITY, 0.9, words="An opacity.", tracking=f"2.25.9{n}"),) if said else ()
            of = "f" * 64 if n == OTHER_WEIGHTS else digest
            answer = Outcome.FOUND if said else Outcome.NONE
            keep(
                site,
                Result(uid(n), answer, Origin("machine", AI, "1", of), at(n, 10), findings=found),
                "isocenter",
                at(n, 10),
            )
            _signed(site, n, at_minute=60, struck=n in (2, 4))
            _turned_out(site, n, SIGNED[n], "conference")
        yield site


def _signed(site: Site, n: int, *, at_minute: int, struck: bool = False) -> None:
    call = {"analysis": AI, "version": "1", "mode": "concurrent", "machine": SAID[n], "final": SIGNED[n], "first": None}
    decided = {"analysis": AI, "version": "1", "finding": f"2.25.9{n}", "verdict": "struck", "certainty": 0.9}
    site.journal.append(Event(Kind.READING_OPENED, at(n, at_minute - 1), "ito", uid(n), {"by": "ito"}))
    told = {"report": "0", "calls": [call], "decisions": [decided] if struck else []}
    site.journal.append(Event(Kind.REPORT_AMENDED, at(n, at_minute), "ito", uid(n), told))


def _turned_out(site: Site, n: int, present: bool, source: str) -> None:
    told = {"analysis": AI, "present": present, "source": source}
    site.journal.append(Event(Kind.OUTCOME_KNOWN, at(n, 3000), "chief", uid(n), told))


def wrong(site: Site, who: Person) -> dict[str, str]:
    told = site.erring.wrong(AI, who=who)
    assert told["of"] == len(told["cases"])
    return {case["study"]: case["kind"] for case in told["cases"]}


WRONG = {uid(4): "finding struck", uid(2): "false alarm", uid(1): "missed"}


def test_the_cases_are_those_that_the_report_tells_against_these_weights(site: Site) -> None:
    assert list(wrong(site, CHIEF).items()) == list(WRONG.items()), "the newest first, none of the other weights"
    assert [c["source"] for c in site.erring.wrong(AI, who=CHIEF)["cases"]] == ["", "conference", "conference"]
    with pytest.raises(NotFound):
        site.erring.wrong("nonsense", who=CHIEF)
    with pytest.raises(Forbidden):
        site.erring.wrong(AI, who=Person("ct", Role.SERVICE))


def test_what_turned_out_to_be_true_outweighs_the_report(site: Site) -> None:
    _turned_out(site, 5, True, "pathology")
    _turned_out(site, 2, True, "pathology")
    found = {case["study"]: case for case in site.erring.wrong(AI, who=ITO)["cases"]}
    assert found[uid(5)]["kind"] == "missed" and found[uid(5)]["source"] == "pathology"
    assert found[uid(5)]["by"] == "", "the truth says so, not whoever signed"
    assert found[uid(2)]["kind"] == "finding struck", "a reader struck it, and was wrong"


def test_only_what_was_signed_since_the_release_counts(site: Site) -> None:
    digest = models()[AI][0].digest
    told: dict[str, Any] = {
        "digest": digest,
        "step": "release",
        "state": "released",
        "was": "shadow",
        "reason": "r",
        "record": {},
    }
    site.journal.append(Event(Kind.MODEL_STEPPED, at(2, 61), "chief", AI, told))
    assert set(wrong(site, CHIEF)) == {uid(4)}
    assert site.erring.wrong(AI, who=CHIEF)["since"] == at(2, 61).isoformat()


def test_what_the_asker_may_not_see_is_neither_told_nor_counted(site: Site) -> None:
    assert wrong(site, RUIZ) == WRONG
    blind = {"reader": "ruiz"}
    site._disclosing.blinded = lambda who: frozenset({uid(1)} if who.name == blind["reader"] else ())
    assert uid(1) not in wrong(site, RUIZ) and uid(1) in wrong(site, LEE), "drawn for ruiz, who gives an own word first"
    site.projects.found("trial", "a trial", keeper="chief", who=CHIEF)
    site.projects.move(uid(4), "trial", reason="it belongs there", who=CHIEF)
    assert uid(4) not in wrong(site, LEE), "a study of another's project does not exist"
    site.journal.append(
        Event(Kind.MODE_SET, at(41), "chief", AI, {"use": Use.READING.value, "mode": Mode.SHADOW.value, "reason": "r"})
    )
    assert wrong(site, LEE) == {}, "in shadow readers hear nothing of it"


def test_a_look_is_written_down(site: Site) -> None:
    before = len(site.journal.since(kinds=(Kind.VIEWED,), limit=1000))
    site.erring.wrong(AI, who=RUIZ)
    seen = site.journal.since(kinds=(Kind.VIEWED,), limit=1000)[before:]
    assert {(s.event.who, s.event.subject) for s in seen} == {("ruiz", study) for study in WRONG}
