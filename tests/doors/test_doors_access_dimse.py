"""Every DIMSE service, called by an AE title of one project, of what is its own and of what is another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    ModalityPerformedProcedureStep,
    ModalityWorklistInformationFind,
    MRImageStorage,
    StorageCommitmentPushModel,
    UnifiedProcedureStepPull,
    UnifiedProcedureStepPush,
    Verification,
)
from test_doors_access_matrix import ITEM

from isocenter.app import House, open_house
from isocenter.doors import exchange
from isocenter.doors.negotiation import FIND, GET, MOVE
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Patient
from isocenter.record.order import Order
from isocenter.settings import Settings
from isocenter.site.committing import Owed

SIDES = {"CT1": "CT_small.dcm", "MR1": "MR_small.dcm"}
NUMBER = {"CT1": 1, "MR1": 2}


def header(aet: str) -> Dataset:
    return pydicom.dcmread(str(get_testdata_file(SIDES[aet], download=False)))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """CT1 is in the house and MR1 in a trial, each with a study, an order, a step and a work item of its own.

    Anew for each test: where pynetdicom's two threads both wait for one answer, the wrong one may take it, and what is
    asked once more must find the house as it was.
    """
    folder = tmp_path / "archive"
    held = open_house(Settings(folder=folder, peers="CT1@127.0.0.1:1,MR1@127.0.0.1:1", dicom_port=0), apart=False)
    held.add_known_peers()
    site = held.site
    site.projects.found("trial", "a trial", who=HOUSE)
    site.projects.join("trial", "MR1", Role.SERVICE, of="aet", who=HOUSE)
    site.projects.join("house", "MR1", Role.NONE, of="aet", who=HOUSE)
    site.projects.rule("trial", "MR1", who=HOUSE)
    for aet, file in SIDES.items():
        who, number = Person(aet, Role.SERVICE, "aet"), NUMBER[aet]
        site.receive([Path(str(get_testdata_file(file, download=False))).read_bytes()], sender=aet, who=who)
        site.ordering.place([Order(f"O{number}", Patient(f"P{number}"), f"1.2.9.{number}")], source="file", who=who)
        site.working.create(f"1.2.5.{number}", ITEM, who=who)
    held.start_listening()
    yield held
    held.close()


class Caller:
    """One AE title on an open association."""

    def __init__(self, house: House, aet: str) -> None:
        self.got: list[str] = []
        ae = AE(aet)
        for uid in (
            Verification, *FIND, *GET, *MOVE, ModalityWorklistInformationFind, ModalityPerformedProcedureStep,
            StorageCommitmentPushModel, UnifiedProcedureStepPush, UnifiedProcedureStepPull, CTImageStorage,
            MRImageStorage,
        ):  # fmt: skip
            ae.add_requested_context(uid)
        roles = [build_role(uid, scu_role=True, scp_role=True) for uid in (CTImageStorage, MRImageStorage)]
        self.call = ae.associate(
            "127.0.0.1", house.dicom_port, ae_title="ISOCENTER", ext_neg=roles,
            evt_handlers=[(evt.EVT_C_STORE, self._take)],
        )  # fmt: skip
        assert self.call.is_established

    def _take(self, event: evt.Event) -> int:
        self.got.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    def found(self, context: str, keys: Dataset) -> list[Dataset]:
        return [one for _, one in self.call.send_c_find(keys, context) if one is not None]


def keys(**said: str) -> Dataset:
    asked = Dataset()
    for name, value in said.items():
        setattr(asked, name, value)
    return asked


def _echo(it: Caller, of: str) -> bool:
    return bool(it.call.send_c_echo().Status == 0)


def _find(it: Caller, of: str) -> bool:
    said = header(of)
    counts = set()
    for context in FIND:
        for level in ("STUDY", "SERIES", "IMAGE"):
            asked = keys(QueryRetrieveLevel=level, StudyInstanceUID=said.StudyInstanceUID, PatientID=said.PatientID)
            asked.SeriesInstanceUID = asked.SOPInstanceUID = ""
            counts.add(len(it.found(context, asked)))
    assert len(counts) == 1, counts
    return bool(counts.pop())


def _get(it: Caller, of: str) -> bool:
    said, before = header(of), len(it.got)
    for context in GET:
        asked = keys(QueryRetrieveLevel="STUDY", StudyInstanceUID=said.StudyInstanceUID, PatientID=said.PatientID)
        list(it.call.send_c_get(asked, context))
    return len(it.got) - before == len(GET)


def _move(it: Caller, of: str) -> bool:
    """The destination is not there: one's own is tried and fails, of another's there is nothing to try."""
    said, tried = header(of), set()
    for context in MOVE:
        asked = keys(QueryRetrieveLevel="STUDY", StudyInstanceUID=said.StudyInstanceUID, PatientID=said.PatientID)
        *_, (status, _) = it.call.send_c_move(asked, "CT1", context)
        tried.add(int(status.Status) != 0)
    assert len(tried) == 1
    return tried.pop()


def _store(it: Caller, of: str) -> bool:
    """Another image of the study that is there."""
    data = BytesIO(Path(str(get_testdata_file(SIDES[of], download=False))).read_bytes())
    more = pydicom.dcmread(data)
    more.SOPInstanceUID = more.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.9.{NUMBER[it.call.requestor.ae_title]}"
    return bool(it.call.send_c_store(more).Status == 0)


def _worklist(it: Caller, of: str) -> bool:
    asked = keys(PatientID=f"P{NUMBER[of]}")
    asked.ScheduledProcedureStepSequence = [Dataset()]
    return bool(it.found(ModalityWorklistInformationFind, asked))


def _workitem(it: Caller, of: str) -> bool:
    uid = f"1.2.5.{NUMBER[of]}"
    found = it.found(UnifiedProcedureStepPull, keys(ProcedureStepState="SCHEDULED", SOPInstanceUID=""))
    status, _ = it.call.send_n_get([0x00741204], UnifiedProcedureStepPush, uid, meta_uid=UnifiedProcedureStepPull)
    listed = uid in [str(one.get("SOPInstanceUID", "")) for one in found]
    assert listed == (status.Status == 0)
    return listed


def _claim(it: Caller, of: str) -> bool:
    told = keys(ProcedureStepState="IN PROGRESS", TransactionUID="1.9.1")
    uid, push, pull = f"1.2.5.{NUMBER[of]}", UnifiedProcedureStepPush, UnifiedProcedureStepPull
    return bool(it.call.send_n_action(told, 1, push, uid, meta_uid=pull)[0].Status == 0)


def _step(it: Caller, of: str) -> bool:
    """Each begins a step of its own once; `of`'s is then gone on with."""
    mine, theirs = (f"1.2.7.{NUMBER[aet]}" for aet in (str(it.call.requestor.ae_title), of))
    scheduled = keys(StudyInstanceUID=f"1.2.9.{NUMBER[of]}", AccessionNumber="", ScheduledProcedureStepID="")
    told = keys(PerformedProcedureStepStatus="IN PROGRESS", PerformedProcedureStepID="1", Modality="CT")
    told.PerformedStationAETitle, told.PerformedProcedureStepStartDate = str(it.call.requestor.ae_title), "20261120"
    told.PerformedProcedureStepStartTime, told.ScheduledStepAttributesSequence = "120000", [scheduled]
    it.call.send_n_create(told, ModalityPerformedProcedureStep, mine)  # said again, it is refused as known
    more = keys(PerformedProcedureStepDescription="x")
    return bool(it.call.send_n_set(more, ModalityPerformedProcedureStep, theirs)[0].Status == 0)


def _commit(it: Caller, of: str) -> bool:
    """Whether the archive would promise to keep the image."""
    said = header(of)
    aet = str(it.call.requestor.ae_title)
    owed = Owed("1.2.3", aet, ((str(said.SOPClassUID), str(said.SOPInstanceUID)),), COMMITTING[0].clock())
    return "00081199" in COMMITTING[0].answer(owed)


COMMITTING: list[Any] = []
SERVICES: dict[str, tuple[Callable[[Caller, str], bool], bool]] = {
    # name: (whether it reaches what belongs to an AE title, whether another's is reached)
    "C-ECHO": (_echo, True),
    "C-FIND": (_find, False),
    "C-GET": (_get, False),
    "C-MOVE": (_move, False),
    "C-STORE": (_store, False),
    "modality worklist": (_worklist, False),
    "work items": (_workitem, False),
    "claim of a work item": (_claim, False),
    "MPPS": (_step, False),
    "storage commitment": (_commit, False),
}
OF_CLASS = {
    **dict.fromkeys(FIND, "C-FIND"), **dict.fromkeys(GET, "C-GET"), **dict.fromkeys(MOVE, "C-MOVE"),
    ModalityWorklistInformationFind: "modality worklist", ModalityPerformedProcedureStep: "MPPS",
    StorageCommitmentPushModel: "storage commitment", UnifiedProcedureStepPush: "work items",
    UnifiedProcedureStepPull: "claim of a work item", "1.2.840.10008.5.1.4.34.6.2": "work items",
    "1.2.840.10008.5.1.4.34.6.4": "work items", "1.2.840.10008.5.1.4.34.6.5": "work items",
}  # fmt: skip
"""SOP class of each service beside storage and echo -> its line above."""


def test_every_service_that_is_spoken_here_is_in_the_table(house: House) -> None:
    spoken = {str(uid) for service in exchange.services(house.site) for uid in service.classes} | {*FIND, *GET, *MOVE}
    assert spoken <= {str(uid) for uid in OF_CLASS}, "say in SERVICES what a new service shows"
    assert set(OF_CLASS.values()) <= set(SERVICES)


def test_every_service_reaches_ones_own_and_not_anothers(house: House) -> None:
    COMMITTING[:] = [house.site.committing]
    callers = {aet: Caller(house, aet) for aet in SIDES}
    wrong = []
    try:
        for name, (reaches, anothers) in SERVICES.items():
            for aet, caller in callers.items():
                for of in sorted(SIDES, key=lambda one, mine=aet: one == mine):  # another's first, one's own last
                    if reaches(caller, of) != (of == aet or anothers):
                        wrong.append(f"{name}: {aet} of what is {of}'s")
    finally:
        for caller in callers.values():
            caller.call.release()
    assert not wrong, wrong
