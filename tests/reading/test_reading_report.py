"""A draft that follows the results, words that stay, a seal that breaks when touched."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import Conflict, NotFound, Refused, WrongState
from isocenter.forms.template import SECTIONS, get
from isocenter.reading.report import Report, amend, begin, disagreements, doubted, how, redraft, reword, seal, use
from isocenter.record import (
    Finding,
    Instance,
    Measurement,
    Origin,
    Outcome,
    Patient,
    Result,
    Series,
    Study,
    Verdict,
    canonical,
    codes,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
STUDY = Study(
    "1.2.3",
    Patient("p", "PHANTOM^A"),
    series=(Series("1.2.3.1", "CT", instances=(Instance("1.2.3.1.1", "c", "t", "d", 1, 1, 5, 5, 1),)),),
)


def result(verdict: Verdict = Verdict.UNDECIDED, size: float = 24.0, analysis: str = "volumetry") -> tuple[str, Result]:
    finding = Finding(
        codes.LESION,
        0.8,
        measurements=(Measurement(codes.LONG_AXIS, size, "mm"),),
        laterality=codes.LEFT,
        words="Lesion in the left lung",
        tracking="2.25.1",
        verdict=verdict,
    )
    told = Result("1.2.3", Outcome.FOUND, Origin("machine", analysis, "1"), NOON, findings=(finding,))
    return told.id, told


def about_lesion(report: Report) -> str:
    return next(s.id for s in report.sentences if s.section == "Findings" and s.findings == ("2.25.1",))


def text_of(report: Report, id: str) -> str:
    return next(s.text for s in report.sentences if s.id == id)


def test_a_draft_marks_the_machines_sentences_and_knows_its_results() -> None:
    report = begin(STUDY, [result()])
    assert report.state == "draft"
    assert report.results == (result()[0],)
    machine = next(s for s in report.sentences if s.id == about_lesion(report))
    assert machine.machine
    assert machine.text.startswith("Lesion in the left lung")
    assert len({s.id for s in report.sentences}) == len(report.sentences)


def test_a_decided_finding_is_no_longer_the_machines_sentence() -> None:
    report = redraft(begin(STUDY, [result()]), STUDY, [result(Verdict.KEPT)])
    assert not next(s for s in report.sentences if s.id == about_lesion(report)).machine


def test_a_persons_words_stay_when_the_draft_follows_the_results() -> None:
    report = begin(STUDY, [result()])
    id = about_lesion(report)
    worded = reword(report, id, "  A large lesion   in the left lung, 24 mm. ")
    assert text_of(worded, id) == "A large lesion in the left lung, 24 mm."
    later = redraft(worded, STUDY, [result(Verdict.CHANGED, 30.0)])
    assert text_of(later, id) == "A large lesion in the left lung, 24 mm."
    assert later.results == (result(Verdict.CHANGED, 30.0)[0],)
    told = disagreements(later, [result(Verdict.CHANGED, 30.0)])
    said = {(d.sentence, "24" in d.what) for d in told}
    assert said == {(id, True), ("impression-2.25.1", True)}, "the old number is told, not corrected"


def test_the_impression_says_a_finding_in_the_readers_words() -> None:
    """Whether they reworded its sentence, or changed the finding itself."""
    impression = lambda report: [(s.text, s.machine) for s in report.sentences if s.section == "Impression"]  # noqa: E731
    report = begin(STUDY, [result()])
    assert impression(report)[0][1], "the machine's until a person has said something"
    worded = redraft(reword(report, about_lesion(report), "A scar, left lung."), STUDY, [result()])
    assert impression(worded) == [("A scar, left lung.", False)]
    again = redraft(reword(worded, about_lesion(report), "An old scar."), STUDY, [result()])
    assert impression(again) == [("An old scar.", False)]
    changed = redraft(report, STUDY, [result(Verdict.CHANGED)])
    assert impression(changed) == [(text_of(changed, about_lesion(report)), False)]
    own = next(s.id for s in again.sentences if s.section == "Impression")
    kept = redraft(reword(again, own, "Nothing new."), STUDY, [result()])
    assert impression(kept) == [("Nothing new.", False)], "their own words there come before those of the findings"


def test_a_wrong_side_and_a_struck_finding_are_told() -> None:
    report = begin(STUDY, [result()])
    id = about_lesion(report)
    wrong_side = reword(report, id, "Lesion in the right lung.")
    assert any("right" in d.what for d in disagreements(wrong_side, [result()]))
    assert any("struck" in d.what for d in disagreements(wrong_side, [result(Verdict.STRUCK)]))


def test_a_sentence_is_added_removed_and_stays_removed() -> None:
    report = begin(STUDY, [result()])
    added = reword(report, "own-1", "Old rib fracture.", section="Findings")
    assert text_of(added, "own-1") == "Old rib fracture."
    assert text_of(redraft(added, STUDY, [result(Verdict.KEPT)]), "own-1") == "Old rib fracture."
    id = about_lesion(report)
    gone = redraft(reword(added, id, ""), STUDY, [result(Verdict.KEPT)])
    assert id not in {s.id for s in gone.sentences}
    again = reword(gone, id, "It is back.", section="Findings")
    assert text_of(redraft(again, STUDY, [result()]), id) == "It is back."


def test_two_analyses_that_name_a_sentence_alike_keep_both() -> None:
    many = [
        (r.id, r)
        for r in (
            Result("1.2.3", Outcome.NONE, Origin("machine", "volumetry", "1"), NOON),
            Result("1.2.3", Outcome.NONE, Origin("machine", "volumetry", "2"), NOON),
        )
    ]
    report = begin(STUDY, many)
    ids = [s.id for s in report.sentences]
    assert len(set(ids)) == len(ids)
    assert sum(i.startswith("none-volumetry") for i in ids) == 2


def test_a_sentence_on_the_whole_study_keeps_its_identity_through_a_correction() -> None:
    whole = (Measurement(codes.VOLUME, 12.0, "mL"),)
    id, told = result()
    told = replace(told, measurements=whole)
    report = reword(begin(STUDY, [(id, told)]), "whole-volumetry", "Twelve millilitres in all.")
    made = replace(
        told,
        origin=Origin("person", "ito", parameters={"of": {"analysis": "volumetry", "version": "1", "model": ""}}),
        replaces=id,
    )
    later = redraft(report, STUDY, [(made.id, made)])
    assert [s.text for s in later.sentences if s.id.startswith("whole")] == ["Twelve millilitres in all."]


@pytest.mark.parametrize(
    ("id", "text", "section", "kind"),
    [
        ("unknown", "words", "", NotFound),
        ("unknown", "", "", NotFound),
        ("new", "words", "Astrology", Refused),
        ("new", "x" * 4001, "Findings", Refused),
        ("new", "bell \x07", "Findings", Refused),
        ("", "words", "Findings", Refused),
        ("i" * 129, "words", "Findings", Refused),
    ],
)
def test_words_that_are_refused(id: str, text: str, section: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        reword(begin(STUDY, []), id, text, section=section)


def test_a_seal_names_its_signer_and_breaks_when_touched() -> None:
    latest = [result(Verdict.KEPT)]
    sealed = seal(begin(STUDY, latest), latest, "ito", NOON)
    assert (sealed.by, sealed.signed, sealed.state) == ("ito", NOON, "final")
    assert sealed.is_whole
    data = json.loads(canonical(sealed))
    assert Report.from_json(data) == sealed
    data["sentences"][0]["text"] = "Something else."
    with pytest.raises(Refused, match="changed after it was signed"):
        Report.from_json(data)
    assert not replace(sealed, by="gray").is_whole


def test_a_sealed_report_counts_what_became_of_what_machines_found() -> None:
    for verdict, told in (
        (Verdict.STRUCK, "Findings of AI: 0 kept, 0 changed, 1 struck."),
        (Verdict.KEPT, "Findings of AI: 1 kept, 0 changed, 0 struck."),
    ):
        latest = [result(verdict)]
        sealed = seal(begin(STUDY, latest), latest, "ito", NOON)
        assert told in how(Report.from_json(json.loads(canonical(sealed)))), "also after it was kept and read back"
    assert "AI" not in " ".join(how(amend(sealed))), "an amendment counts anew"
    silent = [result()]
    assert "decided" not in seal(begin(STUDY, silent), silent, "ito", NOON).to_json(), (
        "digests of old reports still hold"
    )


def test_a_sealed_report_takes_no_words_and_no_second_seal() -> None:
    latest = [result(Verdict.KEPT)]
    sealed = seal(begin(STUDY, latest), latest, "ito", NOON)
    for act in (
        lambda: reword(sealed, sealed.sentences[0].id, "x"),
        lambda: redraft(sealed, STUDY, latest),
        lambda: seal(sealed, latest, "ito", NOON),
    ):
        with pytest.raises(WrongState, match="ito"):
            act()


def test_disagreements_are_told_at_signing_and_do_not_block() -> None:
    latest = [result(Verdict.KEPT)]
    report = begin(STUDY, latest)
    sealed = seal(reword(report, about_lesion(report), "Lesion of 99 mm."), latest, "ito", NOON)
    assert any("99" in d.what for d in sealed.disagreements)


def test_a_report_that_does_not_know_the_latest_results_is_not_sealed() -> None:
    with pytest.raises(Conflict, match="results have changed"):
        seal(begin(STUDY, [result()]), [result(Verdict.KEPT)], "ito", NOON)


def test_a_seal_needs_a_name_and_words() -> None:
    with pytest.raises(Refused, match="without a name"):
        seal(begin(STUDY, []), [], "", NOON)
    with pytest.raises(Refused, match="without a sentence"):
        seal(Report("1.2.3", ()), [], "ito", NOON)


def test_an_amendment_replaces_and_both_are_kept() -> None:
    latest = [result(Verdict.KEPT)]
    first = seal(begin(STUDY, latest), latest, "ito", NOON)
    draft = amend(first)
    assert (draft.state, draft.replaces, draft.number) == ("amending", first.digest, 2)
    second = seal(reword(draft, "own-1", "Also a fracture.", section="Impression"), latest, "gray", NOON)
    assert (second.state, second.by, second.is_whole, first.is_whole) == ("amended", "gray", True, True)
    assert second.digest != first.digest
    with pytest.raises(WrongState):
        amend(draft)


def test_a_report_is_built_by_its_template_and_says_so_when_it_is_signed() -> None:
    chest = replace(STUDY, description="CT chest")
    report = begin(chest, [result()])
    assert (report.template, report.template_version) == ("ct_chest", get("ct_chest").version)
    own = reword(report, "own", "A small effusion.", section="Findings", heading="Pleura")
    assert [(s.id, s.heading) for s in own.sentences if s.section == "Findings"] == [
        (about_lesion(report), "Lungs and airways"), ("own", "Pleura"),
    ]  # fmt: skip
    with pytest.raises(Refused, match="no such heading"):
        reword(report, "own", "x", section="Findings", heading="Haemorrhage")
    with pytest.raises(Refused, match="no such section"):
        reword(report, "own", "x", section="Poetry")
    other = redraft(use(own, "general"), chest, [result()])
    assert {s.heading for s in other.sentences} == {""} and text_of(other, "own") == "A small effusion."
    with pytest.raises(NotFound):
        use(own, "haiku")
    sealed = seal(own, [result()], "ito", NOON)
    assert Report.from_json(json.loads(canonical(sealed))) == sealed
    assert how(sealed)[0] == "Built by the template 'CT of the chest', version 2."
    again = redraft(amend(sealed), chest, [result()])
    assert (again.template, again.number) == ("ct_chest", 2)
    with pytest.raises(WrongState):
        use(sealed, "general")


def test_a_report_from_before_there_were_templates_still_holds() -> None:
    told = json.loads(canonical(begin(STUDY, [result()])))
    old = {n: v for n, v in told.items() if not n.startswith("template")}
    old["sentences"] = [{n: v for n, v in s.items() if n != "heading"} for s in told["sentences"]]
    kept = Report.from_json(old)
    assert (kept.template, how(kept)) == ("", ())
    sealed = seal(kept, [result()], "ito", NOON)
    assert "template" not in json.loads(canonical(sealed)) and sealed.is_whole
    assert redraft(amend(sealed), STUDY, [result()]).template == "general"


def test_what_is_doubted_is_named_by_character() -> None:
    report = begin(STUDY, [result()])
    id = about_lesion(report)
    worded = reword(report, id, "Lesion of 30 mm, right.")
    assert [(i, d.start, d.end) for i, d in doubted(worded, [result()])] == [(id, 10, 15), (id, 17, 22)]


def test_json_that_is_no_report_is_refused() -> None:
    with pytest.raises(Refused):
        Report.from_json({"study_uid": "1"})


words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=60)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), words, st.sampled_from(SECTIONS)), max_size=8))
def test_law_json_round_trip_and_order_of_sections(acts: list[tuple[str, str, str]]) -> None:
    report = begin(STUDY, [result()])
    for id, text, section in acts:
        try:
            report = reword(report, id, text, section=section)
        except NotFound:
            assert not text.split()
    assert Report.from_json(json.loads(canonical(report))) == report
    places = [SECTIONS.index(s.section) for s in report.sentences]
    assert places == sorted(places)
    assert redraft(report, STUDY, [result()]) == report, "drafting again from the same results changes nothing"
