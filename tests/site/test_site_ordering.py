"""Orders, the modality worklist and performed steps: over real sockets with DCMTK and pynetdicom."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import ModalityPerformedProcedureStep, ModalityWorklistInformationFind

from isocenter.app import House, open_house
from isocenter.dicom.model import encode, first, items
from isocenter.dicom.worklist_item import item, order_of
from isocenter.errors import Conflict, Forbidden, NotFound, Refused, WrongState
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Order, Patient
from isocenter.record.order import read_order
from isocenter.settings import Settings

CT1 = Person("CT1", Role.SERVICE)
READER = Person("ito", Role.READER)
STEP = "1.2.826.0.1.3680043.9.7.1"


@dataclass
class _Port:
    house: House
    port: int

    def call(self, *classes: str) -> Association:
        ae = AE("CT1")
        for uid in classes:
            ae.add_requested_context(uid)
        made = ae.associate("127.0.0.1", self.port, ae_title="ISOCENTER")
        assert made.is_established
        return made


@pytest.fixture
def open_port(tmp_path: Path) -> Iterator[_Port]:
    """A whole archive with its DICOM port open to CT1."""
    house = open_house(Settings(folder=tmp_path / "archive", peers="CT1@127.0.0.1:11119", dicom_port=0))
    house.add_known_peers()
    house.start_listening()
    yield _Port(house, house.dicom_port)
    house.close()


def _order(n: int, **more: object) -> Order:
    plain = {"patient": {"id": f"P{n}", "name": f"Probe^Nummer {n}"}, "accession": f"A{n}", "modality": "CT",
             "station_aet": "CT1", "date": f"2026-11-{n:02}", "time": f"{8 + n:02}3000", "step_id": "S1",
             "procedure": "CT Thorax", **more}  # fmt: skip
    return read_order(plain)


def test_an_order_in_json_needs_a_number_and_a_patient_and_says_so() -> None:
    assert read_order({"id": "A1", "patient": {"id": "P1"}}).study_uid == _order(1).study_uid
    for told, words in (({"patient": {"id": "P1"}}, "accession number"), ({"id": "A1"}, "Order without patient")):
        with pytest.raises(Refused, match=words):
            read_order(told)


def _mpps(order: Order) -> Dataset:
    told, step = Dataset(), Dataset()
    step.StudyInstanceUID, step.AccessionNumber = order.study_uid, order.accession
    step.ScheduledProcedureStepID = order.step_id
    told.ScheduledStepAttributesSequence = [step]
    told.PatientID, told.Modality = order.patient.id, "CT"
    told.PerformedProcedureStepID, told.PerformedStationAETitle = "PPS1", "CT1"
    told.PerformedProcedureStepStartDate, told.PerformedProcedureStepStartTime = "20261103", "113500"
    told.PerformedProcedureStepStatus = "IN PROGRESS"
    return told


def _done(status: str, *images: str) -> Dataset:
    told = Dataset()
    told.PerformedProcedureStepStatus = status
    told.PerformedProcedureStepEndDate, told.PerformedProcedureStepEndTime = "20261103", "114100"
    series = Dataset()
    series.SeriesInstanceUID = "1.2.3.4"
    series.ReferencedImageSequence = []
    for uid in images:
        one = Dataset()
        one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", uid
        series.ReferencedImageSequence.append(one)
    told.PerformedSeriesSequence = [series]
    return told


@pytest.mark.peer
def test_a_scanner_finds_its_work_with_dcmtk(open_port: _Port, tmp_path: Path) -> None:
    findscu = shutil.which("findscu")
    if findscu is None:
        pytest.skip("findscu of DCMTK is not installed")
    orders = [_order(n) for n in range(1, 6)] + [_order(6, station_aet="MR1", modality="MR")]
    orders[1] = replace(orders[1], patient=replace(orders[1].patient, name="Müller^Jürgen"))
    open_port.house.site.ordering.place(orders, source="person", who=HOUSE)
    keys = ["-k", "0010,0010", "-k", "0020,000D", "-k", "0008,0005=ISO_IR 100",
            "-k", "(0040,0100)[0].ScheduledStationAETitle=CT1", "-k", "(0040,0100)[0].ScheduledProcedureStepStartTime=",
            "-k", "(0040,0100)[0].ScheduledProcedureStepStartDate=20261102-20261104"]  # fmt: skip
    done = subprocess.run(
        [findscu, "-W", "-X", "-od", str(tmp_path), "-aet", "CT1", "-aec", "ISOCENTER", "127.0.0.1",
         str(open_port.port), *keys], capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert b"error" not in done.stderr.lower()
    found = [dcmread(p, force=True) for p in sorted(tmp_path.glob("rsp*.dcm"))]
    assert [str(d.PatientName) for d in found] == ["Müller^Jürgen", "Probe^Nummer 3", "Probe^Nummer 4"]
    assert found[0].ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartTime == "103000"
    assert found[0].StudyInstanceUID == orders[1].study_uid
    assert found[0].SpecificCharacterSet == "ISO_IR 100", "answered in the scanner's own character set"


def test_a_performed_step_moves_its_order_and_says_which_images_are_missing(open_port: _Port) -> None:
    site = open_port.house.site
    image = dcmread(str(get_testdata_file("CT_small.dcm")))
    order = replace(_order(3), patient=Patient(str(image.PatientID)), study_uid=str(image.StudyInstanceUID))
    site.ordering.place([order], source="person", who=HOUSE)
    ae = open_port.call(ModalityPerformedProcedureStep, ModalityWorklistInformationFind)
    mpps = ModalityPerformedProcedureStep

    def create(uid: str, told: Dataset) -> int:
        return int(ae.send_n_create(told, mpps, uid)[0].Status)

    def put(uid: str, told: Dataset) -> Dataset:
        return ae.send_n_set(told, mpps, uid)[0]

    wrong = _mpps(order)
    wrong.PerformedProcedureStepStatus = "COMPLETED"
    assert create(STEP, wrong) == 0x0106
    bare = Dataset()
    bare.PerformedProcedureStepStatus = "IN PROGRESS"
    assert create(STEP, bare) == 0x0106
    assert put(STEP, _done("COMPLETED")).Status == 0x0112, "it was never begun"
    assert create(STEP, _mpps(order)) == 0
    assert create(STEP, _mpps(order)) == 0x0111
    question = Dataset()
    question.AccessionNumber, question.PatientName = "A3", ""
    answers = list(ae.send_c_find(question, ModalityWorklistInformationFind))
    assert [s.Status for s, _ in answers] == [0], "what has begun is not on the worklist"
    halfway = Dataset()
    halfway.PerformedProcedureStepStatus = "IN PROGRESS"
    assert put(STEP, halfway).Status == 0
    empty = _done("COMPLETED")
    empty.PerformedSeriesSequence = []
    assert put(STEP, empty).Status == 0x0106, "completed without a series"
    assert put(STEP, _done("COMPLETED", str(image.SOPInstanceUID), "1.2.3.99")).Status == 0
    late = put(STEP, _done("DISCONTINUED"))
    assert (late.Status, late.ErrorID) == (0x0110, 0xA710)
    ae.release()

    assert [o.state for o in site.ordering.all(who=READER)] == ["completed"]
    out = BytesIO()
    image.save_as(out)
    site.receive([out.getvalue()], sender="CT1", who=CT1)
    told = site.ordering.of_study(str(image.StudyInstanceUID), who=READER)
    assert (told["made"], told["missing"]) == (2, ["1.2.3.99"])
    assert told["steps"][0]["state"] == "COMPLETED"
    stamps = {e.event.details["stamp"] for e in site.journal.since(subject="") if "stamp" in e.event.details}
    assert stamps == {"ordered", "begun", "completed"}


def test_orders_are_placed_changed_and_taken_back_and_survive_a_new_start(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path / "archive")
    house = open_house(settings)
    site = replace(house.site, clock=lambda: datetime(2026, 11, 1, 8, tzinfo=UTC))
    first_one = _order(1)
    site.ordering.place([first_one, _order(2)], source="person", who=HOUSE)
    with pytest.raises(Conflict, match="another patient"):
        site.ordering.place([replace(first_one, patient=Patient("P9"))], source="HL7", who=CT1)
    with pytest.raises(Forbidden):
        site.ordering.place([first_one], source="person", who=READER)
    for wrong in (
        replace(first_one, id="A\0"), replace(first_one, accession="A\\B"), replace(first_one, station_aet="CT\n1"),
        replace(first_one, patient=Patient("P1\\P2")), replace(first_one, patient=Patient("P1", "A\x1b[2J")),
        replace(first_one, patient=Patient("P1", issuer="N\x7f")),
    ):  # fmt: skip
        with pytest.raises(Refused, match="backslash parts values"):
            site.ordering.place([wrong], source="FHIR", who=CT1)
    site.ordering.place([replace(first_one, modality="MR")], source="HL7", who=CT1)
    assert site.ordering.rename(Patient("P1", "Neu^Name", date(1970, 1, 1)), source="HL7", who=CT1) == 1
    assert site.ordering.rename(Patient("P1", "Neu^Name", date(1970, 1, 1)), source="HL7", who=CT1) == 0
    site.ordering.cancel("A2/S1", "not needed", who=CT1)
    with pytest.raises(WrongState):
        site.ordering.cancel("A2/S1", "again", who=CT1)
    with pytest.raises(NotFound):
        site.ordering.cancel("A7", "", who=CT1)
    house.close()
    again = open_house(settings)
    (one,) = again.site.ordering.scheduled({}, who=CT1)
    assert first(one, "00100010") == "Neu^Name"
    assert first(items(one, "00400100")[0], "00080060") == "MR"
    assert [o.reason for o in again.site.ordering.all(who=READER, state="cancelled")] == ["not needed"]
    again.close()


def test_a_worklist_file_keeps_what_no_field_holds() -> None:
    model = item(_order(4))
    model["00101030"] = {"vr": "DS", "Value": [81.5]}
    model["00400100"]["Value"][0]["00400012"] = {"vr": "LO", "Value": ["fasting"]}
    order = order_of(model)
    back = item(order)
    assert first(back, "00101030") == "81.5"
    assert first(items(back, "00400100")[0], "00400012") == "fasting"
    assert order_of(back) == order
    assert encode(back, "1.2.840.10008.1.2")
    with pytest.raises(Refused, match="0 scheduled steps"):
        order_of({"00100020": {"vr": "LO", "Value": ["P"]}})
