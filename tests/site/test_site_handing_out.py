"""A cohort is handed out whole, consented and without persons, or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.errors import Forbidden, NotFound, Refused
from isocenter.govern.consent import DEMONSTRATION, Purpose
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Kind
from isocenter.settings import Settings
from isocenter.site.verbs import Site
from isocenter.testing.phantoms import head

PATIENTS = ("P01", "P02", "P03", "P04", "P05", "P06")


def scan_of(patient: str, **said: Any) -> bytes:
    ds = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    ds.PatientID, ds.PatientName, ds.PatientAge, ds.PatientSex = patient, f"Quxley^{patient}", "041Y", "F"
    ds.IssuerOfPatientID, ds.BodyPartExamined = "", "CHEST"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.777{patient[1:]}", f"1.2.777{patient[1:]}.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.777{patient[1:]}.1.1"
    for name, value in said.items():
        setattr(ds, name, value)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), make=True, apart=False)
    list(house.site.receive([scan_of(p) for p in PATIENTS], sender="CT", who=HOUSE))
    for patient in PATIENTS[:5]:
        house.site.consents.give({"GRU": []}, patient=patient, who=HOUSE)
    yield house.site
    house.close()


def research(site: Site) -> Any:
    return site.consents.use(Purpose.RESEARCH, who=HOUSE)


def frozen(site: Site, name: str = "five") -> str:
    return site.cohorts.freeze(name, "modality:CT", use=research(site), who=HOUSE)


def test_images_table_and_report_leave_together_under_the_same_pseudonyms(site: Site, tmp_path: Path) -> None:
    id, out = frozen(site), tmp_path / "out"
    site.consents.withdraw(patient="P05", who=HOUSE)
    list(
        site.receive([scan_of("P04", SOPInstanceUID="1.2.77704.1.2", BurnedInAnnotation="YES")], sender="CT", who=HOUSE)
    )
    report, left = site.hand_out(id, out, use=research(site), who=HOUSE, smallest_group=4, reason="four are left")
    assert sorted(p.name for p in out.iterdir()) == ["dicom", "report.json", "studies.csv", "studies.parquet"]
    held = [pydicom.dcmread(p) for p in out.rglob("*.dcm")]
    rows = list(csv.DictReader(io.StringIO((out / "studies.csv").read_text())))
    assert len(held) == len(rows) == 4 and {r["modality"] for r in rows} == {"CT"}
    assert {(d.PatientID, d.StudyInstanceUID) for d in held} == {(r["patient"], r["study"]) for r in rows}
    told = json.loads((out / "report.json").read_text())
    assert told == report and told["cohort"] == {"name": "five", "digest": id, "studies": 4}
    assert told["risk"]["smallest_group"] == 4 and told["attributes"] and told["use"]["purpose"] == "research"
    assert told["left_out"] == [{"why": told["left_out"][0]["why"], "studies": 1}]
    assert "withdrawn" in told["left_out"][0]["why"] and told["held_back"][0]["kind"] == "review"
    assert {row["study"] or row["object"] for row in left} == {"1.2.77705", "1.2.77704.1.2"}
    for file in (p for p in out.rglob("*") if p.is_file()):
        for name in (b"P01", b"P05", b"Quxley", b"1.2.77701"):
            assert name not in file.read_bytes(), (file, name)


def test_what_stands_where_sex_and_kind_of_image_belong_does_not_leave_with_the_table(
    site: Site, tmp_path: Path
) -> None:
    odd = scan_of("P06", PatientSex="MRS ZYQORBLAT", StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1")
    made = pydicom.dcmread(io.BytesIO(odd))
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = "1.2.9.1.1"
    made.Modality = "ZYQORBLAT"
    given = io.BytesIO()
    made.save_as(given)
    list(site.receive([given.getvalue()], sender="CT", who=HOUSE))
    site.consents.give({"GRU": []}, patient="P06", who=HOUSE)
    id = site.cohorts.freeze("six", "", use=research(site), who=HOUSE)
    site.hand_out(id, tmp_path / "out", use=research(site), who=HOUSE, smallest_group=1, reason="one is odd")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "studies.csv").read_text())))
    assert {(r["sex"], r["modality"]) for r in rows} == {("F", "CT"), ("", "")}
    for file in (p for p in (tmp_path / "out").rglob("*") if p.is_file()):
        assert b"zyqorblat" not in file.read_bytes().lower(), file


def test_every_study_has_its_entry_and_a_withdrawal_finds_it(site: Site, tmp_path: Path) -> None:
    id = frozen(site)
    site.hand_out(id, tmp_path / "out", use=research(site), who=HOUSE)
    entries = site.journal.since(kinds=(Kind.EXPORTED,))
    assert sorted(s.event.subject for s in entries) == [f"1.2.777{p[1:]}" for p in PATIENTS[:5]]
    assert all(s.event.details["cohort"] == id and s.event.details["objects"] == 1 for s in entries)
    reached = site.consents.withdraw(patient="P02", who=HOUSE)
    assert len(reached["exports"]) == 1 and len(reached["tables"]) == 1
    report, _ = site.hand_out(
        id, tmp_path / "again", use=research(site), who=HOUSE, smallest_group=4, reason="four are left"
    )
    assert report["cohort"]["studies"] == 4


def test_small_groups_leave_only_with_a_reason_and_nothing_stays_of_a_refusal(site: Site, tmp_path: Path) -> None:
    id, out = frozen(site), tmp_path / "out"
    with pytest.raises(Refused, match="a group of 5 patients"):
        site.hand_out(id, out, use=research(site), who=HOUSE, smallest_group=6)
    assert [p.name for p in tmp_path.iterdir()] == ["archive"] and not site.journal.since(kinds=(Kind.EXPORTED,))
    site.hand_out(id, out, use=research(site), who=HOUSE, smallest_group=6, reason="a rare disease, EC-12")
    (entry,) = site.journal.since(kinds=(Kind.COHORT_EXPORTED,))
    assert entry.event.details["reason"] == "a rare disease, EC-12" and entry.event.details["rows"] == 5
    with pytest.raises(Refused, match="not empty"):
        site.hand_out(id, out, use=research(site), who=HOUSE)
    with pytest.raises(Refused, match="a smallest group of 4 without a reason"):
        site.hand_out(id, tmp_path / "four", use=research(site), who=HOUSE, smallest_group=4)
    with pytest.raises(Refused, match="say why this one may leave"):
        site.export("1.2.77701", key=b"k" * 32, who=HOUSE)
    assert [s.event.subject for s in site.journal.since(kinds=(Kind.EXPORTED,))].count("1.2.77701") == 1
    site.export("1.2.77701", key=b"k" * 32, who=HOUSE, reason="a second opinion", reviewed=["*"])
    (last,) = site.journal.since(kinds=(Kind.EXPORTED,), newest_first=True, limit=1)
    assert last.event.details["reason"] == "a second opinion"


def test_terms_that_end_while_copies_are_made_take_everything_back(site: Site, tmp_path: Path) -> None:
    def withdrawn(words: str, done: int, of: int) -> None:
        if done == 3:
            site.consents.withdraw(patient="P01", who=HOUSE)

    with pytest.raises(Refused, match="ended while the copies were made"):
        site.hand_out(frozen(site), tmp_path / "out", use=research(site), who=HOUSE, told=withdrawn)
    assert [p.name for p in tmp_path.iterdir()] == ["archive"]


def test_who_may_not_and_what_nobody_agreed_to_gives_nothing(site: Site, tmp_path: Path) -> None:
    id = frozen(site)
    with pytest.raises(Forbidden):
        site.hand_out(id, tmp_path / "out", use=research(site), who=Person("s", Role.SERVICE))
    for patient in PATIENTS[:5]:
        site.consents.withdraw(patient=patient, who=HOUSE)
    with pytest.raises(Refused, match="a cohort of nobody"):
        site.hand_out(id, tmp_path / "out", use=research(site), who=HOUSE)
    with pytest.raises(NotFound, match="there are 'five'"):
        site.cohorts.called("six", who=HOUSE)
    assert site.cohorts.called("five", who=HOUSE) == site.cohorts.called(id[:12], who=HOUSE) == id


def test_heads_of_a_cohort_leave_without_their_faces(tmp_path: Path) -> None:
    house = open_house(Settings(folder=tmp_path / "archive"), make=True, apart=False)
    try:
        site = house.site
        list(site.receive(list(head.patient("CT", step_mm=5.0, pixel_mm=4.0).files), sender="CT", who=HOUSE))
        site.consents.give({"GRU": []}, patient="ISO-DEMO-HEAD-1", who=HOUSE)
        report, _ = site.hand_out(
            frozen(site), tmp_path / "out", use=research(site), who=HOUSE, reason="a single head, to be seen"
        )
    finally:
        house.close()
    held = [pydicom.dcmread(p) for p in (tmp_path / "out").rglob("*.dcm")]
    assert len(held) == report["faces"]["objects"]["cut"] and {d.RecognizableVisualFeatures for d in held} == {"NO"}


def test_images_of_the_demonstration_are_seen_but_leave_by_no_way_and_teach_nothing(site: Site, tmp_path: Path) -> None:
    list(site.receive([scan_of("P07")], sender=DEMONSTRATION, who=HOUSE))
    site.consents.give({"GRU": []}, patient="P07", who=HOUSE)
    shown, id = "1.2.77707", frozen(site, "six")
    assert site.cohorts.ask("modality:CT", use=research(site), who=HOUSE)["of"] == 6
    for way in (
        lambda: site.export(shown, key=b"k" * 32, who=HOUSE), lambda: site.sharing.share(shown, who=HOUSE),
        lambda: site.consents.taught("m", "1", [shown], who=HOUSE, use=site.consents.use(Purpose.TRAINING, who=HOUSE)),
    ):  # fmt: skip
        with pytest.raises(Refused, match="demonstration"):
            way()
    training = site.consents.use(Purpose.TRAINING, who=HOUSE)
    open_, closed = site.consents.sifted([site.index.study(f"1.2.7770{n}") for n in (1, 7)], training)
    assert [s.uid for s in open_] == ["1.2.77701"] and closed == [("it is of the demonstration", 1)]
    _, left = site.hand_out(id, tmp_path / "out", use=research(site), who=HOUSE)
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 5
    assert [(row["study"], row["why"]) for row in left] == [(shown, "an image of the demonstration stays here")]
    whole = frozen(site, "with the phantom")
    told = csv.DictReader(io.StringIO(site.cohorts.export(whole, "csv", who=HOUSE)[0].decode()))
    assert [row["demonstration"] for row in told].count("yes") == 1 and told.line_num == 7, (
        "numbers of a phantom say so"
    )
    assert site.cohorts.cohort(whole, who=HOUSE)["demonstrated"] == 1
