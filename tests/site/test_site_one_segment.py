"""A lesion that three analyses measured is answered once: an event for each result, one step back."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.errors import Refused, WrongState
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.session import Correction
from isocenter.record import (
    Code,
    Event,
    Finding,
    Kind,
    Measurement,
    Origin,
    Outcome,
    Receipt,
    Result,
    Verdict,
    canonical,
    codes,
)  # fmt: skip
from isocenter.settings import Settings
from isocenter.site.verbs import Site
from isocenter.space import Geometry, Region

ITO = Person("ito", Role.READER)
LESION = ("volume", "uptake", "texture")


def outlines(ct: pydicom.Dataset) -> pydicom.Dataset:
    """A structure set beside a CT; what it draws is planted with the results."""
    made = copy.deepcopy(ct)
    for gone in ("PixelData", "Rows", "Columns", "ImagePositionPatient", "ImageOrientationPatient"):
        delattr(made, gone)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    made.SeriesInstanceUID, made.Modality = "1.2.3", "RTSTRUCT"
    observation = pydicom.Dataset()
    observation.ObservationNumber, observation.ReferencedROINumber = 1, 1
    made.RTROIObservationsSequence = [observation]
    return made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A CT with outlines of two lesions; of each volumetry, uptake and radiomics say something."""
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    ct = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    drawn = outlines(ct)
    for one in (ct, drawn):
        held = io.BytesIO()
        one.save_as(held, enforce_file_format=True)
        stored = list(house.site.receive([held.getvalue()], sender="test", who=HOUSE))
        assert [one.status for one in stored] == ["stored"], stored
    grid = Geometry.regular(shape=(8, 8, 8), spacing_mm=(2.0, 2.0, 2.0), frame_of_reference="1.9")
    said = (("volumetry", codes.STRUCTURE), ("pet_uptake", codes.ABNORMAL_UPTAKE), ("radiomics", codes.STRUCTURE))
    for (name, what), kind in zip(said, LESION, strict=True):
        findings = tuple(_finding(grid, number, kind, what) for number in (1, 2))
        series, remark = (ct.SeriesInstanceUID, drawn.SeriesInstanceUID), ("bins of 25",) if kind == "texture" else ()
        made = Result(ct.StudyInstanceUID, Outcome.FOUND, Origin("machine", name, "1"), house.site.clock(),
                      remark, findings, receipt=Receipt(series=series))  # fmt: skip
        held_at = house.site.blobs.put(canonical(made))
        house.site.journal.append(
            Event(Kind.RESULT_MADE, house.site.clock(), "isocenter", made.study_uid, {"result": held_at})
        )
    yield house.site
    house.close()


def _finding(grid: Geometry, number: int, kind: str, what: Code) -> Finding:
    mask = np.zeros(grid.shape, dtype=bool)
    mask[2:5, 2:5, number : number + 3] = True
    return Finding(
        what, where=Region(grid, mask=mask, label=f"Lesion {number}"), words=f"Lesion {number}: {kind}.",
        measurements=(Measurement(codes.VOLUME, 0.2, "mL"),), tracking=f"{kind} {number}",
        research=kind == "texture",
    )  # fmt: skip


def study_of(site: Site) -> str:
    return site.studies(who=HOUSE)[0].uid


def begun(site: Site) -> int:
    version = site.open(study_of(site), who=ITO).version
    return site.lock(study_of(site), version=version, nothing=True, who=ITO).version


def verdicts(site: Site) -> dict[str, str]:
    return {f.tracking: f.verdict.value for _, r in site.results(study_of(site), who=ITO) for f in r.findings}


def all_of(verdict: Verdict, number: int) -> list[Correction]:
    return [Correction(verdict, f"{kind} {number}") for kind in ("uptake", "volume", "texture")]


def look(site: Site, tracking: str) -> None:
    held = next(i for i, r in site.results(study_of(site), who=ITO) if any(f.tracking == tracking for f in r.findings))
    site.seen(study_of(site), [{"result": held, "tracking": tracking}], who=ITO)


def test_one_answer_is_an_event_for_each_result_and_is_taken_back_as_one(site: Site) -> None:
    study, version = study_of(site), begun(site)
    assert set(site.segments(study, who=ITO).values()) == {"uptake 1", "uptake 2"}
    first, *also = all_of(Verdict.KEPT, 1)
    with pytest.raises(WrongState, match="before its evidence was on screen"):
        site.correct(study, first, also=also, version=version, who=ITO)
    look(site, "volume 1")
    version = site.correct(study, first, also=also, version=version, who=ITO).version
    strike = [Correction(Verdict.STRUCK, c.tracking, label="artefact") for c in all_of(Verdict.STRUCK, 2)]
    version = site.correct(study, strike[0], also=strike[1:], act="once", version=version, who=ITO).version
    assert site.correct(study, strike[0], also=strike[1:], act="once", version=0, who=ITO).version == version
    told = [
        e.event.details["decision"]
        for e in site.journal.since(subject=study, who="ito")
        if "decision" in e.event.details
    ]
    assert [(d["analysis"], d["verdict"], d["label"]) for d in told] == [
        (analysis, verdict, label) for verdict, label in (("kept", ""), ("struck", "artefact"))
        for analysis in ("pet_uptake", "volumetry", "radiomics")
    ]  # fmt: skip
    assert verdicts(site) == {f"{k} {n}": v for n, v in ((1, "kept"), (2, "struck")) for k in LESION}
    reading, words = site.undo(study, version=version, who=ITO)
    assert words == "struck: Increased uptake"
    assert verdicts(site) == {f"{k} {n}": v for n, v in ((1, "kept"), (2, "undecided")) for k in LESION}
    reading, words = site.undo(study, version=reading.version, who=ITO)
    assert words == "kept: Increased uptake" and set(verdicts(site).values()) == {"undecided"}
    with pytest.raises(Refused, match="nothing is left to undo"):
        site.undo(study, version=reading.version, who=ITO)


def test_no_finding_is_decided_with_one_of_another_segment_nor_two_ways_at_once(site: Site) -> None:
    study, version = study_of(site), begun(site)
    with pytest.raises(Refused, match="several segments"):
        site.correct(study, Correction(Verdict.STRUCK, "uptake 1"), also=[Correction(Verdict.STRUCK, "uptake 2")],
                     version=version, who=ITO)  # fmt: skip
    look(site, "uptake 1")
    with pytest.raises(Refused, match="says kept, struck of one segment"):
        site.correct(study, Correction(Verdict.KEPT, "uptake 1"), also=[Correction(Verdict.STRUCK, "volume 1")],
                     version=version, who=ITO)  # fmt: skip
    assert set(verdicts(site).values()) == {"undecided"}, "nothing was half done"


def test_two_answers_sign_a_study_with_six_findings_and_research_is_not_in_the_report(site: Site) -> None:
    study, version = study_of(site), begun(site)
    for number in (1, 2):
        look(site, f"uptake {number}")
        first, also = Correction(Verdict.KEPT, f"uptake {number}"), [Correction(Verdict.KEPT, f"volume {number}")]
        version = site.correct(study, first, also=also, version=version, who=ITO).version
    site.sign(study, version=version, who=ITO)
    report = site.report(study, who=ITO)
    said = [(s.section, s.text) for s in report.sentences]
    assert sorted(text for section, text in said if section == "Findings") == [
        f"Lesion {n}: {kind}." for n in (1, 2) for kind in ("uptake", "volume")
    ]
    assert ("Method and limits", "Remark on radiomics 1: bins of 25.") in said
    assert report.decided == {"kept": 2, "changed": 0, "struck": 0}, "two lesions, not six measurements"
    assert len(report.changes) == 2
    signed = site.journal.since(subject=study, kinds=(Kind.REPORT_SIGNED,))[0].event.details
    assert {d["analysis"] for d in signed["decisions"]} == {"volumetry", "pet_uptake"}, "nobody was asked of the third"
    assert b"radiomics" in site.report_table(study, who=ITO), "its numbers are there for those who count"


def test_a_number_is_changed_where_it_was_measured(site: Site) -> None:
    study, version = study_of(site), begun(site)
    change = Correction(Verdict.CHANGED, "uptake 1", words="Lymph node.", laterality=codes.LEFT)
    beside = Correction(Verdict.CHANGED, "volume 1", measurements=(Measurement(codes.VOLUME, 0.3, "mL"),),
                        laterality=codes.LEFT)  # fmt: skip
    site.correct(study, change, also=[beside], version=version, who=ITO)
    held = {f.tracking: f for _, r in site.results(study, who=ITO) for f in r.findings}
    assert (held["uptake 1"].words, held["volume 1"].words) == ("Lymph node.", "Lesion 1: volume.")
    assert held["volume 1"].measurements[0].value == 0.3 and held["uptake 1"].measurements[0].value == 0.2
    assert held["texture 1"].verdict is Verdict.UNDECIDED


def test_what_else_was_measured_stands_with_a_lesion_that_is_worded_anew(site: Site) -> None:
    study, version = study_of(site), begun(site)
    change = Correction(Verdict.CHANGED, "uptake 2", words="Lymph node.")
    site.correct(study, change, also=[Correction(Verdict.KEPT, "volume 2")], version=version, who=ITO)
    assert (verdicts(site)["uptake 2"], verdicts(site)["volume 2"]) == ("changed", "kept")
