"""Promises that images are kept, over real sockets: a flipped byte, a lost file, an asker that does not wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from isocenter.app import House, open_house
from isocenter.errors import Forbidden, NotFound
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.settings import Settings

CLASS = StorageCommitmentPushModel
INSTANCE = "1.2.840.10008.1.20.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"


class _Asker:
    """A scanner that asks for commitment and hears the answers, on its association or on a port of its own."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, Dataset]] = []
        self.came = threading.Event()
        self.ae = AE("CT1")
        self.ae.add_requested_context(CLASS)
        self.ae.add_supported_context(CLASS, scu_role=False, scp_role=True)

        # Notice that its answer went out, not that the report came in: pynetdicom releases an association whose handler
        # still runs, and the answer then never leaves.
        self.handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, self.hear), (evt.EVT_PDU_SENT, self.sent)]

    def hear(self, event: Any) -> tuple[int, None]:
        self.heard.append((event.request.EventTypeID, event.event_information))
        return 0x0000, None

    def sent(self, event: Any) -> None:
        if self.heard:
            self.came.set()

    def ask(self, port: int, transaction: str, *uids: str, stay: bool, action: int = 1) -> int:
        told = Dataset()
        told.TransactionUID, told.ReferencedSOPSequence = transaction, []
        for uid in uids:
            one = Dataset()
            one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = CT, uid
            told.ReferencedSOPSequence.append(one)
        called = self.ae.associate("127.0.0.1", port, ae_title="ISOCENTER", evt_handlers=self.handlers)
        assert called.is_established
        status = int(called.send_n_action(told, action, CLASS, INSTANCE)[0].Status)
        if stay and not status:
            assert self.came.wait(20)
        called.release()
        return status


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    held = open_house(Settings(folder=tmp_path / "archive", peers="CT1@127.0.0.1:1", dicom_port=0))
    held.add_known_peers()
    yield held
    held.close()


def _three(house: House) -> list[str]:
    data = BytesIO(Path(str(get_testdata_file("CT_small.dcm"))).read_bytes())
    made = dcmread(data)
    uids = []
    for n in range(1, 4):
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{n}"
        out = BytesIO()
        made.save_as(out)
        house.site.receive([out.getvalue()], sender="CT1", who=HOUSE)
        uids.append(f"1.2.3.{n}")
    return uids


def test_only_what_is_read_again_whole_is_promised(house: House) -> None:
    house.start_listening()
    uids = _three(house)
    asker = _Asker()
    assert asker.ask(house.dicom_port, "1.2.9.1", *uids, stay=True) == 0
    (number, told) = asker.heard.pop()
    assert number == 1 and len(told.ReferencedSOPSequence) == 3 and "FailedSOPSequence" not in told
    assert house.site.committing.owed() == []

    paths = [house.site.blobs.path(house.site.index.instance(uid)[2].digest) for uid in uids]
    assert paths[0] is not None and paths[1] is not None
    data = bytearray(paths[0].read_bytes())
    data[700] ^= 1
    for path in paths[:2]:
        path.chmod(0o600)
    paths[0].write_bytes(data)
    paths[1].unlink()
    asker.came.clear()
    assert asker.ask(house.dicom_port, "1.2.9.2", *uids, "1.2.3.99", stay=True) == 0
    (number, told) = asker.heard.pop()
    assert number == 2
    assert [i.ReferencedSOPInstanceUID for i in told.ReferencedSOPSequence] == ["1.2.3.3"]
    assert {i.ReferencedSOPInstanceUID: i.FailureReason for i in told.FailedSOPSequence} == {
        "1.2.3.1": 0x0110, "1.2.3.2": 0x0110, "1.2.3.99": 0x0112,
    }  # fmt: skip
    assert asker.ask(house.dicom_port, "1.2.9.2", *uids, stay=False) == 0x0131, "a transaction is asked once"
    assert asker.ask(house.dicom_port, "1.2.9.3", stay=False) == 0x0115
    assert asker.ask(house.dicom_port, "1.2.9.4", *uids, stay=False, action=7) == 0x0123


def test_who_does_not_wait_is_called_also_after_a_new_start(tmp_path: Path) -> None:
    """The promise is owed from the moment of the acknowledgement on; the archive ends before it can give it."""
    asker = _Asker()
    server = asker.ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=asker.handlers)
    settings = Settings(
        folder=tmp_path / "archive", peers=f"CT1@127.0.0.1:{server.server_address[1]}", dicom_port=0
    )  # fmt: skip
    first = open_house(settings)
    first.add_known_peers()
    uids = _three(first)
    first.start_listening()
    assert asker.ask(first.dicom_port, "1.2.9.5", *uids, stay=False) == 0
    first.close()
    again = open_house(settings)
    owed = [one.transaction for one in again.site.committing.owed()]
    assert asker.heard or owed == ["1.2.9.5"]
    again.exchange.start_committing(every_s=3600)
    assert asker.came.wait(20)
    again.close()
    server.shutdown()
    assert [number for number, _ in asker.heard] == [1]
    third = open_house(settings)
    assert third.site.committing.owed() == []
    third.close()


def test_an_asker_that_cannot_be_reached_is_given_up_after_a_week(house: House) -> None:
    committing, now = house.site.committing, house.site.clock()
    told = {"00081195": {"vr": "UI", "Value": ["1.2.9.6"]}, "00081199": {"vr": "SQ", "Value": [
        {"00081150": {"vr": "UI", "Value": [CT]}, "00081155": {"vr": "UI", "Value": ["1.2"]}}]}}  # fmt: skip
    with pytest.raises(Forbidden):
        committing.asked(told, who=Person("ito", Role.READER))
    committing.later(committing.asked(told, who=Person("CT1", Role.SERVICE)))
    assert committing.deliver() == 0 and len(committing.owed()) == 1
    committing.clock = lambda: now + timedelta(days=8)
    assert committing.deliver() == 0 and committing.owed() == []


def test_a_peer_is_asked_to_promise(house: House) -> None:
    house.start_listening()
    house.exchange.start_committing(every_s=3600)
    _three(house)
    (study,) = house.site.studies(who=HOUSE)
    house.site.add_peer("ISOCENTER", "127.0.0.1", house.dicom_port, who=HOUSE)
    assert house.site.committing.ask(study.uid, "ISOCENTER", who=HOUSE) == {"state": "kept", "failed": []}
    with pytest.raises(NotFound):
        house.site.committing.ask(study.uid, "NOWHERE", who=HOUSE)
    with pytest.raises(NotFound, match="did not ask"):
        house.site.committing.heard({"00081195": {"vr": "UI", "Value": ["1.9"]}}, by="CT1")
