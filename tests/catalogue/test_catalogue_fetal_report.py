"""Reports of ultrasound machines: which length is taken, whose it is, by what it is dated, and what is left out."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from obstetric_report import (
    AC,
    BPD,
    CM,
    COMPOSITE,
    CRL,
    DAYS,
    EDD,
    FETUSES,
    FL,
    HC,
    LMP,
    MM,
    STUDY,
    biometry,
    box,
    chosen,
    day,
    derived,
    item,
    number,
    of_fetus,
    word,
    written,
)  # fmt: skip

from isocenter.analysis.plan import plan
from isocenter.analysis.protocol import Answer
from isocenter.analysis.run import Request, run
from isocenter.catalogue.fetal_biometry import AGE, FetalBiometry
from isocenter.catalogue.fetal_report import COMPOSITE as BY_SCAN
from isocenter.catalogue.fetal_report import fetuses, of_a_fetus
from isocenter.dicom.header import merge, read_header
from isocenter.errors import Refused
from isocenter.forms import sr
from isocenter.forms.machine_report import read
from isocenter.record import Finding, Outcome
from isocenter.site.folder import read_folder
from isocenter.site.loading import Loading
from isocenter.space import Geometry, Reference, Volume
from isocenter.testing.phantoms import fetus

ROW, COLUMN = np.indices((120, 160))
PICTURE = (120.0 + 30.0 * np.cos(ROW / 2.0) * np.sin(COLUMN / 3.0))[None].astype(np.float32)
IMAGE = Volume(PICTURE, Geometry.regular(shape=(1, 120, 160), reference=Reference.PIXEL))
SUMMARY = "121111"
DUE = day(EDD, "20260525")  # 28 weeks on the day of the study


def asked(*sections: Any, **how: Any) -> Answer:
    return FetalBiometry().run(IMAGE, None, (read(written(*sections)),), **how)


def lengths(*sections: Any) -> tuple[dict[str, float], list[str]]:
    (one,), _ = fetuses((read(written(*sections)),))
    return {what: mm for what, (mm, _) in one.lengths.items()}, one.remarks


def value(finding: Finding, what: Any) -> float:
    return next(m.value for m in finding.measurements if m.what == what)


def test_a_folder_with_a_report_beside_its_pictures_is_placed_by_it(tmp_path: Path) -> None:
    (data,) = fetus.patient().files
    picture = pydicom.dcmread(io.BytesIO(data))
    picture.StudyInstanceUID, picture.PatientID = STUDY, "OB"
    picture.save_as(tmp_path / "us.dcm")
    for n, title in enumerate(("125000", "126000")):  # the other is of no machine's measurements
        mean = number(BPD, 7.35, CM, derived("R-00317", "SRT"))
        sections = (box(SUMMARY, DUE), biometry(number(BPD, 7.31, CM), number(BPD, 7.39, CM), mean, number(HC, 260.4)))
        made = written(*sections, uid=f"2.25.72{n}", title=title)
        (tmp_path / f"sr{n}.dcm").write_bytes(made)
    analysis = FetalBiometry()
    with read_folder(tmp_path) as held:
        (now,) = held.studies
        (binding,) = plan([analysis], now).bindings
        assert len(binding.series["reports"]) == 1
        load = Loading(now, analysis.needs, binding.series, held)
        done = run(
            Request("fetal_biometry", now.uid, load, datetime.now(UTC), {}, digests=load.digests), analysis
        ).result
    assert load()["image"] is None  # nobody drew on it, and it may be a film of a thousand frames
    assert done.answer is Outcome.FOUND, done.reasons
    (whole,) = done.findings
    said = {m.what.meaning: m for m in whole.measurements if m.percentile is not None}
    assert said["Biparietal Diameter"].value == pytest.approx(73.5)
    assert said["Head Circumference"].percentile == pytest.approx(50.2, abs=0.1)  # 260.36 (8.94) mm
    assert value(whole, AGE) == 196.0 and "28 weeks 0 days by the due date" in whole.words


def test_what_was_chosen_goes_before_a_mean_and_a_mean_before_repeats() -> None:
    assert lengths(biometry(number(HC, 250), number(HC, 254, MM, chosen()), number(HC, 252, MM, derived("373098007"))))[
        0
    ] == {"HC": 254.0}
    assert lengths(biometry(number(HC, 250), number(HC, 255), number(HC, 252, MM, derived("373098007"))))[0] == {
        "HC": 252.0
    }
    assert lengths(biometry(number(HC, 250), number(HC, 256), number(HC, None)))[0] == {"HC": 253.0}
    # What was worked out from other lengths stands behind what was measured.
    assert lengths(biometry(number(HC, 250), number(HC, 262, MM, derived("258090004"))))[0] == {"HC": 250.0}


def test_twins_are_kept_apart_by_name_and_number() -> None:
    sections = (
        box(SUMMARY, DUE, number(FETUSES, 2), box("125008", *of_fetus("A", 1), number(COMPOSITE, 195, DAYS)),
            box("125008", *of_fetus("B", 2), number(COMPOSITE, 185, DAYS))),
        biometry(number(HC, 260), number(AC, 233), of=of_fetus("A")),
        biometry(number(HC, 245), number(AC, 210), of=of_fetus("B")),
        box("125003", *of_fetus(which=2), box("125005", number(FL, 4.8, CM))),
    )  # fmt: skip
    answer = asked(*sections)
    a, b = answer.findings
    assert a.words.startswith("Fetus A: HC 260 mm, AC 233 mm, estimated")
    assert b.words.startswith("Fetus B: HC 245 mm, AC 210 mm, FL 48 mm, estimated")
    assert (value(a, BY_SCAN), value(b, BY_SCAN), value(a, AGE), value(b, AGE)) == (195.0, 185.0, 196.0, 196.0)
    assert len({curve.name for curve in answer.curves}) == 2
    (only,) = asked(*sections, fetus="b").findings
    assert only.words == b.words
    with pytest.raises(Refused, match=r"2 fetuses.*Give fetus, one of A, B"):
        asked(*sections, fl_mm=51.0)
    assert "FL 51 mm" in asked(*sections, fl_mm=51.0, fetus="A").findings[0].words
    with pytest.raises(Refused, match="the report tells of A, B"):
        asked(*sections, fetus="C")


def test_lengths_of_several_fetuses_that_are_of_none_are_left_out() -> None:
    with pytest.raises(Refused, match="tells of 2 fetuses and does not say of which of them HC is"):
        asked(box(SUMMARY, number(FETUSES, 2)), biometry(number(HC, 260)))
    answer = asked(biometry(number(HC, 260), of=of_fetus("A")), biometry(number(HC, 255), of=of_fetus("B")),
                   biometry(number(AC, 230)))  # fmt: skip
    assert len(answer.findings) == 2 and "of which of them AC is: left out" in answer.reasons[0]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((number(HC, 26.04, MM),), r"HC of 26.04 mm in the report \(meant as cm\?\)"),
        ((number(HC, 260.4, CM),), r"HC of 260.4 cm in the report \(meant as mm\?\)"),
        ((number(HC, 260, ("g", "UCUM", "g")),), "HC of 260 g in the report is no length"),
        ((number(HC, 260), number(HC, 205)), "HC of 205.0 and 260.0 mm, which is not one length measured again"),
        ((number(HC, 260), number(HC, 205), number(HC, 232, MM, derived("373098007"))), "not one length"),
    ],
)
def test_a_length_that_cannot_be_one_is_left_out(numbers: tuple[Any, ...], words: str) -> None:
    with pytest.raises(Refused, match=words):
        asked(biometry(*numbers))
    answer = asked(biometry(*numbers, number(AC, 233)))
    assert "HC" not in answer.findings[0].words and any(r.startswith("WARNING: ") for r in answer.reasons)


def test_lengths_by_other_codes() -> None:
    site = ("363698007", "SCT", "Finding Site")
    round_, long_ = ("74551000", "SCT", "Circumference"), ("G-D7FE", "SRT", "Length")
    own = ("m1", "99MAKER", "Length of something")
    told, _ = lengths(
        biometry(
            number(round_, 233, MM, word(site, ("818981001", "SCT", "Abdomen"))),
            number(round_, 260, MM, word(site, ("89546000", "SCT", "Skull"))),
            number(long_, 51, MM, word(("G-C0E3", "SRT", "Finding Site"), ("T-12710", "SRT", "Femur"))),
            number(own, 60, MM, word(("121050", "DCM", "Equivalent Meaning of Concept Name"), CRL)),
            number(("m2", "99MAKER", "BPD"), 73),
            number(("m4", "99MAKER", "Occipital-Frontal Diameter (Hadlock)"), 92),
            number(("m3", "LN", "HC"), 300),  # a code of another quantity is not taken by its words
        )
    )
    assert told == {"AC": 233.0, "HC": 260.0, "FL": 51.0, "CRL": 60.0, "BPD": 73.0, "OFD": 92.0}
    assert lengths(biometry(number(("m5", "99MAKER", "Abd. Circ."), 233)))[0] == {"AC": 233.0}


def test_a_report_of_measurements_is_read_where_the_examination_is_obstetric() -> None:
    """TID 1500 may be of anything; with lengths of a fetus it was passed over, and nothing said so."""
    report = written(box("126010", box("125007", number(HC, 260.4), number(BPD, 73.5))), title="126000")
    (told,), _ = fetuses((read(report),))
    assert {what: mm for what, (mm, _) in told.lengths.items()} == {"HC": 260.4, "BPD": 73.5}
    facts = read_header(report).series[0].facts
    for words, taken in (("US OB 2. trimester", True), ("Schwangerschaft", True), ("US kidney", False), ("", False)):
        assert of_a_fetus({**facts, "StudyDescription": words}) is taken
    for ours in ({"MadeBy": "machine"}, {"Manufacturer": "Isocenter"}):
        assert not of_a_fetus({**facts, "StudyDescription": "US OB", **ours})


def test_the_age_is_never_that_of_the_lengths_themselves() -> None:
    same = day(("11781-2", "LN", "EDD from average ultrasound age"), "20260525")
    answer = asked(box(SUMMARY, DUE, same), biometry(number(HC, 260)))
    assert all(m.percentile is None for m in answer.findings[0].measurements)
    assert any("follows from these lengths" in r for r in answer.reasons)
    answer = asked(box(SUMMARY, DUE, same, day(LMP, "20250818")), biometry(number(HC, 260)))
    assert "28 weeks 0 days by the last menstrual period" in answer.findings[0].words
    # An age that is given goes before that of the report.
    assert (
        "30 weeks 0 days, INTERGROWTH"
        in asked(box(SUMMARY, DUE), biometry(number(HC, 260)), weeks=30.0).findings[0].words
    )


def test_ages_that_contradict_each_other_are_told() -> None:
    answer = asked(box(SUMMARY, DUE, day(LMP, "20250801")), biometry(number(HC, 260)))
    assert any("(28 weeks 0 days) and by the last menstrual period (30 weeks 3 days)" in r for r in answer.reasons)
    answer = asked(box(SUMMARY, day(LMP, "20240801")), biometry(number(HC, 260)))
    assert any("578 days by the last menstrual period is none" in r for r in answer.reasons)


def test_an_age_without_centiles_leaves_the_lengths() -> None:
    answer = asked(box(SUMMARY, day(LMP, "20251201")), box("125009", box("125005", number(CRL, 65))))
    (whole,) = answer.findings
    assert whole.words == "CRL 65 mm at 13 weeks 0 days by the last menstrual period in the machine's report."
    assert value(whole, AGE) == 91.0 and any("14 to 40 weeks" in r for r in answer.reasons)


def test_of_several_reports_the_newest_counts() -> None:
    first, later = written(biometry(number(HC, 250))), written(biometry(number(HC, 255)), uid="2.25.73", at="104000")
    (one,), _ = fetuses((read(later), read(first)))
    assert one.lengths["HC"][0] == 255.0 and "250.0 mm in one of 10:15" in one.remarks[0]
    (one,), _ = fetuses((read(first), read(written(biometry(number(HC, 255)), uid="2.25.73", replaces="2.25.72"))))
    assert one.lengths["HC"][0] == 255.0 and not one.remarks


def test_what_is_given_goes_before_the_report() -> None:
    answer = asked(biometry(number(HC, 260)), hc_mm=264.0)
    assert "HC 264 mm" in answer.findings[0].words
    assert any("HC as given (264.0 mm) goes before that of the report (260.0 mm)" in r for r in answer.reasons)


def test_a_report_without_pictures_is_placed_and_cited(tmp_path: Path) -> None:
    data = written(box(SUMMARY, DUE), biometry(number(HC, 260.36)))
    (tmp_path / "sr.dcm").write_bytes(data)
    analysis = FetalBiometry()
    with read_folder(tmp_path) as held:
        (now,) = held.studies
        (binding,) = plan([analysis], now).bindings
        load = Loading(now, analysis.needs, binding.series, held)
        asked = Request("fetal_biometry", now.uid, load, datetime.now(UTC), {}, digests=load.digests)
        result = run(asked, analysis).result
    assert "HC 260 mm at 28 weeks 0 days" in result.findings[0].words
    ours = sr.write(result, now, lambda _: data)
    cited = pydicom.dcmread(io.BytesIO(ours)).CurrentRequestedProcedureEvidenceSequence[0]
    assert cited.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.72"
    assert not plan([analysis], merge([read_header(ours)])[0]).bindings  # our own report is no machine's


@pytest.mark.parametrize(
    ("facts", "taken"),
    [
        ({"ReportTitleCode": ["125000", "DCM", ""]}, True),
        ({"ReportTitleCode": ["R1", "99MAKER", "OB Report"]}, True),
        ({"ReportTitleCode": ["R1", "99MAKER", "Report"], "ReportTemplate": "5000"}, True),
        ({"ReportTitleCode": ["R1", "99MAKER", "Mobile Report"]}, False),
        ({"ReportTitleCode": ["126000", "DCM", "Imaging Measurement Report"], "ReportTemplate": "1500"}, False),
        ({}, False),
    ],
)
def test_which_reports_are_of_a_fetus(facts: dict[str, Any], taken: bool) -> None:
    assert of_a_fetus(facts) is taken


def test_an_age_that_does_not_say_by_what_gives_no_centile() -> None:
    age = ("18185-9", "LN", "Gestational Age")
    answer = asked(box(SUMMARY, number(age, 196, DAYS)), biometry(number(HC, 260)))
    assert any("an age without saying by what" in r for r in answer.reasons)
    answer = asked(box(SUMMARY, number(age, 196, DAYS), number(COMPOSITE, 200, DAYS)), biometry(number(HC, 260)))
    assert "28 weeks 0 days by the age that was set" in answer.findings[0].words


def test_what_lies_beside_a_report_is_not_looked_at() -> None:
    grid = Geometry.regular(shape=(5, 60, 60), reference=Reference.PIXEL)  # a volume of three dimensions
    report = read(written(biometry(number(HC, 260))))
    assert FetalBiometry().run(Volume(np.zeros(grid.shape, np.float32), grid), None, (report,)).findings


def test_an_average_age_is_one_by_these_lengths_and_fetuses_have_older_ids() -> None:
    """As makers write it: LOINC's Fetus ID beside the numbers, a femur by a code of their own."""
    who = item("TEXT", ("11951-1", "LN", "Fetus ID"), how="HAS OBS CONTEXT", TextValue="A")
    average = number(("11884-4", "LN", "Average Ultrasound Age"), 196, DAYS)
    femur = number(("99000-11", "99MAKER", "Femur"), 5.13, CM)
    answer = asked(box(SUMMARY, DUE, box("125008", who, average)), box("125003", box("125005", who, femur)))
    (whole,) = answer.findings
    assert whole.words.startswith("Fetus A: FL 51 mm") and value(whole, BY_SCAN) == 196.0
    assert all(m.percentile is None for m in whole.measurements)  # the due date follows from the same lengths
