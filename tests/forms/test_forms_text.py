"""A draft says what was found and what was not looked for, and nothing that a person struck."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from forms_samples import STUDY_UID, WHEN, Archive, ball, finding, found, result
from hypothesis import given
from hypothesis import strategies as st

from isocenter.forms import text, words
from isocenter.forms.doubts import doubts
from isocenter.forms.template import SECTIONS, get
from isocenter.forms.text import Sentence, draft
from isocenter.record import (
    Measurement,
    Origin,
    Outcome,
    Patient,
    Result,
    Study,
    Urgency,
    Verdict,
    codes,
    from_plain,
)
from isocenter.space import Geometry, Region


def said(study: Study, *results: Result, section: str = "Findings") -> list[Sentence]:
    """Sentences of one section."""
    return [s for s in draft(study, results) if s.section == section]


def test_a_finding_is_told_with_its_place_and_numbers(archive: Archive) -> None:
    (one,) = said(archive[0], result(finding()))
    assert one.text == (
        "Lesion, left lung. SUVmax 21.68; metabolic volume 3.20 mL; long axis 34.0 mm. Certainty of the analysis 93 %."
    )
    assert one.machine and one.findings == (f"{STUDY_UID}.a",)
    assert doubts(one, [finding()]) == ()


def test_the_sections_stand_in_order(archive: Archive) -> None:
    declined = result(outcome=Outcome.DECLINED, reasons=("needs PET; series 1 is CT",))
    sections = [s.section for s in draft(archive[0], [declined, result(finding())])]
    assert sections == sorted(sections, key=SECTIONS.index)
    assert set(sections) == set(SECTIONS) - {"Clinical information", "Recommendation", "Method and limits"}, (
        "nobody asked, advised or remarked"
    )


def test_the_part_of_the_body_is_told_in_words(archive: Archive) -> None:
    def told(*parts: str) -> str:
        series = tuple(replace(archive[0].series[0], body_part=part) for part in parts)
        return said(replace(archive[0], series=series), section="Technique")[0].text

    assert "tomography of the chest and abdomen, " in told("CHESTABDOMEN")
    assert "tomography of the lumbar spine, neck, chest, abdomen and pelvis, " in told("LSPINE", "NECKCHESTABDPELV")
    assert "tomography of the headset, " in told("HEADSET"), "no defined term"


def test_the_reason_and_the_earlier_studies_are_told(archive: Archive) -> None:
    series = replace(archive[0].series[0], facts={"ReasonForTheRequestedProcedure": "Cough for 3 weeks?"})
    study = replace(archive[0], series=(series,))
    before = Study("1.9", Patient("P1"), date=date(2026, 4, 2), description="CT chest")
    told = {s.section: s for s in draft(study, [], earlier=[before])}
    assert (told["Clinical information"].text, told["Clinical information"].machine) == ("Cough for 3 weeks?", False)
    assert told["Comparison"].text == "At hand: CT chest of 2026-04-02."
    assert doubts(told["Clinical information"], [finding()]) == ()


def test_a_finding_stands_under_the_heading_of_its_template(archive: Archive) -> None:
    bone = finding("b", site=None, laterality=None, words="A fracture of a rib.")
    none = result(origin=Origin("machine", "coronary_calcium", "1"), outcome=Outcome.NONE)
    told = draft(archive[0], [result(finding(), bone), none], template=get("ct_chest"))
    assert {s.id.split(".")[-1]: s.heading for s in told if s.section == "Findings"} == {
        "a": "Lungs and airways", "b": "Chest wall and bones", "none-coronary_calcium": "Heart and vessels",
    }  # fmt: skip
    assert [s.heading for s in told if s.section == "Findings"] == [
        "Lungs and airways", "Heart and vessels", "Chest wall and bones",
    ]  # fmt: skip


def test_a_sentence_without_a_heading_is_the_json_that_it_was() -> None:
    """The digests of reports that were sealed before there were headings still hold."""
    old = {"id": "a", "section": "Findings", "text": "b", "machine": True, "findings": ["1"]}
    assert from_plain(Sentence, old).to_json() == old
    headed = {**old, "heading": "Pleura"}
    assert from_plain(Sentence, headed).to_json() == headed


def test_technique_counts_what_was_imaged(archive: Archive) -> None:
    (one,) = said(archive[0], section="Technique")
    assert one.text == "Computed tomography, 6 images in 1 series." and not one.machine


def test_what_is_all_struck_is_drafted_as_nothing_kept(archive: Archive) -> None:
    struck = finding(verdict=Verdict.STRUCK, words="A very special shadow.")
    whole = (Measurement(codes.MTV, 3.2046, "mL"),)
    person = result(struck, origin=Origin("person", "ito"), replaces="x", measurements=whole, reasons=("a remark",))
    assert said(archive[0], person) == [], "neither the finding nor its numbers are told"
    (impression,) = said(archive[0], person, section="Impression")
    assert impression.text == "No finding was kept." and not impression.machine
    beside = result(outcome=Outcome.NONE, origin=Origin("machine", "image_quality", "1"))
    (impression,) = said(archive[0], person, beside, section="Impression")
    assert impression.text == "No finding was kept.", (
        "a machine detected something: that another did not is no impression"
    )


@given(st.sampled_from(list(Outcome)), st.integers(0, 3))
def test_a_draft_never_says_normal(outcome: Outcome, count: int) -> None:
    findings = tuple(finding(str(i)) for i in range(count)) if outcome is Outcome.FOUND else ()
    reasons = ("no PET",) if outcome is Outcome.DECLINED else ()
    study = Study(STUDY_UID, Patient("P1"))
    for one in draft(study, [result(*findings, outcome=outcome, reasons=reasons)]):
        assert "normal" not in one.text.lower() and "unremarkable" not in one.text.lower()
        assert one.text.endswith(".") and "\n" not in one.text


def test_none_is_not_detected(archive: Archive) -> None:
    none = result(outcome=Outcome.NONE)
    assert said(archive[0], none)[0].text == "Increased uptake was not detected by PET uptake 1."
    assert said(archive[0], none, section="Impression")[0].text == "No finding was detected by the analyses named here."


def test_declined_stands_apart_with_its_reason(archive: Archive) -> None:
    declined = result(outcome=Outcome.DECLINED, reasons=("needs PET; series 1 is CT",))
    (one,) = said(archive[0], declined, section="Not looked")
    assert one.text == "Increased uptake was not looked for: needs PET; series 1 is CT."
    assert said(archive[0], declined) == []
    each = "; ".join(f"'lesion {n}': a mask on another grid than the image" for n in range(9))
    (long,) = said(archive[0], replace(declined, reasons=(each,)), section="Not looked")
    assert len(long.text) < 320 and long.text.endswith(" …, in full kept with the study.")
    assert said(archive[0], declined, section="Impression")[0].text == "No analysis looked at this study."


def test_a_struck_finding_is_mentioned_nowhere(archive: Archive) -> None:
    struck = finding("b", verdict=Verdict.STRUCK, words="A very special shadow.", reason="artefact")
    person = result(finding(verdict=Verdict.KEPT), struck, origin=Origin("person", "ito"), replaces="x")
    told = draft(archive[0], [person])
    assert not any("special" in s.text or f"{STUDY_UID}.b" in s.findings for s in told)


def test_a_replaced_result_is_not_told(archive: Archive) -> None:
    machine = result(finding(words="Machine says so."))
    person = result(
        finding(words="Person says so.", verdict=Verdict.CHANGED), origin=Origin("person", "ito"), replaces=machine.id
    )
    (one,) = said(archive[0], machine, person)
    assert one.text.startswith("Person says so.") and not one.machine


def test_what_the_person_left_undecided_is_still_the_machines(archive: Archive) -> None:
    person = result(finding("a", verdict=Verdict.KEPT), finding("b"), origin=Origin("person", "ito"), replaces="x")
    assert {s.findings[0][-1]: s.machine for s in said(archive[0], person)} == {"a": False, "b": True}
    drawn = result(finding("c", verdict=Verdict.ADDED), origin=Origin("person", "ito"))
    assert [s.machine for s in said(archive[0], drawn)] == [False]


def test_the_urgent_comes_first_and_the_impression_is_short(archive: Archive) -> None:
    slow = result(*(finding(str(i), words=f"Slow {i}.") for i in range(4)), urgency=Urgency.ROUTINE)
    fast = result(finding("z", words="Fast."), urgency=Urgency.NOW, origin=Origin("machine", "brain_bleed", "1"))
    assert said(archive[0], slow, fast)[0].text.startswith("Fast.")
    impression = said(archive[0], slow, fast, section="Impression")
    assert [s.text for s in impression] == ["Lesion, left lung, 5 places."]
    assert len(impression[0].findings) == 5
    sites = (codes.LUNG, codes.HEART, codes.BRAIN, codes.CHEST, codes.BODY)
    many = [finding(str(i), site=site) for i, site in enumerate(sites)]
    impression = said(archive[0], result(*many), section="Impression")
    assert len(impression) == 4 and impression[-1].text == "2 further findings as above."


def test_what_is_only_a_structure_makes_no_impression(archive: Archive) -> None:
    told = said(archive[0], result(finding(what=codes.STRUCTURE)), section="Impression")
    assert [s.text for s in told] == ["No finding was detected by the analyses named here."]


def test_the_same_none_is_said_once(archive: Archive) -> None:
    quality = Origin("machine", "image_quality", "1")
    none = [result(origin=quality, outcome=Outcome.NONE, made=WHEN + timedelta(seconds=i)) for i in (0, 1)]
    told = [s for s in said(archive[0], *none) if "not detected" in s.text]
    assert len(told) == 1


def test_an_analysis_that_chose_its_words_is_quoted_and_one_that_did_not_gives_its_numbers(archive: Archive) -> None:
    one = finding(words="Lesion with SUVmax 21.68 in the left lung.", certainty=None)
    (told,) = said(archive[0], result(one))
    assert told.text == "Lesion with SUVmax 21.68 in the left lung."
    (told,) = said(archive[0], result(finding(words="", certainty=None)))
    assert "3.20 mL" in told.text


def test_sentences_keep_their_names_when_others_come(archive: Archive) -> None:
    before = {s.id for s in draft(archive[0], [result(finding())])}
    after = {s.id for s in draft(archive[0], [result(finding(), finding("b"))])}
    assert before <= after
    every = [s.id for s in draft(archive[0], [result(finding(), finding("b"))])]
    assert len(every) == len(set(every))


def test_real_results_are_told(archive: Archive, axial: Geometry) -> None:
    told = said(archive[0], found(ball(axial, 5.0)))
    assert told[0].text == "Lesion 1. Certainty of the analysis 90 %."


def test_normalisations_of_suv_are_told_apart() -> None:
    assert [words.number(2.5, u) for u in ("{SUVbw}g/ml", "{SUVlbm}g/ml", "{SUVbsa}cm2/ml")] == [
        "2.50", "2.50 (lbm)", "2.50 (bsa)",
    ]  # fmt: skip


def test_words_are_rounded_the_same_way_everywhere() -> None:
    assert words.number(0.0004, "mL") == "0.000400 mL"
    assert words.number(-0.2, "[hnsf'U]") == "0 HU"
    assert words.number(90.0, "deg") == "90°"
    assert words.number(4, "{counts}") == "4"
    assert words.side(None) == "" and words.side(codes.BOTH) == "bilateral"
    assert words.one_line("a\nb\x00\u202ec  d") == "a b c d"
    assert text.latest([]) == ()


def test_hundreds_of_numbers_are_a_few_in_a_sentence_and_the_rest_in_the_table(archive: Archive) -> None:
    many = tuple(Measurement(codes.VOLUME, float(n), "mL", definition=f"feature {n}") for n in range(1, 431))
    of_region = result(finding(what=codes.STRUCTURE, measurements=many, words=""))
    of_study = replace(result(), findings=(), measurements=many)
    for one in (*said(archive[0], of_region), *said(archive[0], of_study)):
        assert "feature 4" in one.text and "feature 5" not in one.text
        assert "; 426 more in the table of measurements." in one.text


def test_a_bare_mark_is_no_impression_beside_what_the_reader_said(archive: Archive) -> None:
    def mark(tracking: str, words: str) -> Result:
        one = finding(tracking, what=codes.REGION, words=words, verdict=Verdict.ADDED)
        drawn = {"drawn": {one.tracking: {"tool": "length", "said": "Length 22.7 mm"}}}
        return replace(result(one), origin=Origin("person", "ito", parameters=drawn))

    own = result(finding("b", what=codes.FINDING, words="Small effusion, right.", verdict=Verdict.ADDED))
    bare, named = mark("a", "Length 22.7 mm"), mark("c", "Node of 22.7 mm at the hilum")
    assert [s.text for s in said(archive[0], own, bare, section="Impression")] == ["Small effusion, right."]
    assert any("Length 22.7 mm" in s.text for s in said(archive[0], own, bare)), "its number stays with the findings"
    assert len(said(archive[0], own, named, section="Impression")) == 2
    assert [s.text for s in said(archive[0], bare, section="Impression")] == ["Length 22.7 mm."], (
        "else it is all there is"
    )


def test_what_was_only_outlined_is_called_by_its_segment(archive: Archive) -> None:
    drawn = Region(Geometry.regular(shape=(2, 2, 2)), mask=np.ones((2, 2, 2), bool), label="Lesion 2, liver")
    named = finding(what=codes.STRUCTURE, where=drawn)
    assert words.name_of(named) == "Lesion 2, liver"
    own = replace(finding(what=codes.FINDING, words="Small effusion, right."), where=None)
    assert words.name_of(own) == "Small effusion, right"
    assert [s.text for s in said(archive[0], result(replace(own, verdict=Verdict.ADDED)), section="Impression")] == [
        "Small effusion, right."
    ]
