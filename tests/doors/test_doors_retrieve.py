from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    MRImageStorage,
    PatientRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)
from shelf_for_doors import Shelf, person_behind

from isocenter.doors import commands, identifiers, part10
from isocenter.doors import negotiation as n
from isocenter.doors.dimse import Listener
from isocenter.doors.dimse_scu import Peer, move, send
from isocenter.doors.retrieve import Retrieval
from isocenter.doors.upper_layer import connect
from isocenter.errors import Unavailable

_CT, _RLE = "CT_small.dcm", "MR_small_RLE.dcm"


@pytest.fixture
def destination() -> Iterator[tuple[Shelf, int]]:
    """Another archive that takes images from ISOCENTER."""
    other = Shelf(listed=[{"aet": "ISOCENTER", "host": "127.0.0.1", "port": 0}])
    opened = Listener(other, aet="DEST", port=0, who=person_behind)
    port = opened.start()
    yield other, port
    opened.stop()


def _fill(shelf: Shelf, sample: Callable[[str], bytes], *names: str) -> list[Dataset]:
    for name in names:
        dataset = dcmread(BytesIO(sample(name)))
        shelf.files[str(dataset.SOPInstanceUID)] = sample(name)
    return [dcmread(BytesIO(sample(name))) for name in names]


def _get(
    port: int, keys: Dataset, *offers: tuple[str, str], model: str = StudyRootQueryRetrieveInformationModelGet
) -> tuple[list[tuple[str, bytes]], list[Dataset], list[Dataset | None]]:
    came: list[tuple[str, bytes]] = []

    def store(event: evt.Event) -> int:
        came.append((str(event.context.transfer_syntax), event.encoded_dataset(include_meta=False)))
        return 0

    ae = AE("TESTER")
    ae.add_requested_context(model)
    for uid, syntax in offers:
        ae.add_requested_context(uid, syntax)
    roles = [build_role(uid, scp_role=True) for uid in {u for u, _ in offers}]
    association = ae.associate(
        "127.0.0.1", port, ae_title="ISOCENTER", ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, store)]
    )
    assert association.is_established
    answers = list(association.send_c_get(keys, model))
    association.release()
    return came, [status for status, _ in answers], [row for _, row in answers]


def _keys(dataset: Dataset, level: str = "STUDY") -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    asked.StudyInstanceUID = dataset.StudyInstanceUID
    return asked


def test_get_gives_the_stored_bytes_with_counts(
    listener: tuple[Listener, int], shelf: Shelf, sample: Callable[[str], bytes]
) -> None:
    (ct,) = _fill(shelf, sample, _CT)
    came, statuses, _ = _get(listener[1], _keys(ct), (CTImageStorage, n.EXPLICIT))

    data = sample(_CT)
    assert came == [(n.EXPLICIT, data[part10.split(data).start :])]
    assert [s.Status for s in statuses] == [0xFF00, 0]
    assert statuses[0].NumberOfRemainingSuboperations == 0
    assert statuses[-1].NumberOfCompletedSuboperations == 1


def test_get_decodes_what_the_asker_cannot_take(
    listener: tuple[Listener, int], shelf: Shelf, sample: Callable[[str], bytes]
) -> None:
    (mr,) = _fill(shelf, sample, _RLE)
    came, statuses, _ = _get(listener[1], _keys(mr), (MRImageStorage, n.IMPLICIT))
    assert statuses[-1].Status == 0
    mr.decompress()
    assert came[0][0] == n.IMPLICIT
    assert mr.PixelData in came[0][1]


def test_get_names_what_failed(listener: tuple[Listener, int], shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    (ct,) = _fill(shelf, sample, _CT)
    _, statuses, rows = _get(listener[1], _keys(ct), (MRImageStorage, n.EXPLICIT))
    assert statuses[-1].Status == 0xA702
    assert rows[-1] is not None and rows[-1].FailedSOPInstanceUIDList == ct.SOPInstanceUID


def test_get_by_patient_and_of_nothing(
    listener: tuple[Listener, int], shelf: Shelf, sample: Callable[[str], bytes]
) -> None:
    _fill(shelf, sample, _CT)
    for patient, count in (("1CT1", 1), ("NOBODY", 0)):
        asked = Dataset()
        asked.QueryRetrieveLevel, asked.PatientID = "PATIENT", patient
        came, statuses, _ = _get(
            listener[1], asked, (CTImageStorage, n.EXPLICIT), model=PatientRootQueryRetrieveInformationModelGet
        )
        assert len(came) == count
        assert statuses[-1].Status == 0
        assert statuses[-1].NumberOfCompletedSuboperations == count


@pytest.mark.parametrize("uid", ["", "1.2.*"])
def test_a_retrieval_must_name_what_it_wants(listener: tuple[Listener, int], uid: str) -> None:
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.add(DataElement(0x0020000D, "UI", uid, validation_mode=0))
    _, statuses, _ = _get(listener[1], asked, (CTImageStorage, n.EXPLICIT))
    assert [s.Status for s in statuses] == [0xA900]


def test_move_sends_the_stored_bytes_to_the_destination(
    listener: tuple[Listener, int], shelf: Shelf, destination: tuple[Shelf, int], sample: Callable[[str], bytes]
) -> None:
    ct, mr = _fill(shelf, sample, _CT, _RLE)
    shelf.listed.append({"aet": "DEST", "host": "127.0.0.1", "port": destination[1]})

    for dataset, name in ((ct, _CT), (mr, _RLE)):
        ended = move(
            Peer("ISOCENTER", "127.0.0.1", listener[1]),
            "STUDY",
            {"StudyInstanceUID": str(dataset.StudyInstanceUID)},
            to="DEST",
            calling="TESTER",
        )
        assert (ended.status, ended.completed, ended.failed) == (0, 1, 0)
        data, kept = sample(name), destination[0].files[str(dataset.SOPInstanceUID)]
        assert kept[part10.split(kept).start :] == data[part10.split(data).start :]


def test_who_follows_a_move_ends_it_and_the_peer_serves_the_next(
    listener: tuple[Listener, int], shelf: Shelf, destination: tuple[Shelf, int], sample: Callable[[str], bytes]
) -> None:
    (ct,) = _fill(shelf, sample, _CT)
    shelf.listed.append({"aet": "DEST", "host": "127.0.0.1", "port": destination[1]})
    peer, keys = Peer("ISOCENTER", "127.0.0.1", listener[1]), {"StudyInstanceUID": str(ct.StudyInstanceUID)}

    def enough(come: int, of: int) -> None:
        raise KeyError(f"{come} of {of}")

    with pytest.raises(KeyError, match="of 1"):
        move(peer, "STUDY", keys, to="DEST", calling="TESTER", told=enough)
    assert move(peer, "STUDY", keys, to="DEST", calling="TESTER").completed == 1


def test_move_to_an_unknown_destination_is_refused_and_told(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    (ct,) = _fill(shelf, sample, _CT)
    said: list[Exception] = []
    shelf.listed.append({"aet": "TESTER", "host": "127.0.0.1", "port": 0})
    opened = Listener(shelf, aet="ISOCENTER", port=0, who=person_behind, said_no=said.append)
    peer = Peer("ISOCENTER", "127.0.0.1", opened.start())
    ended = move(peer, "STUDY", {"StudyInstanceUID": str(ct.StudyInstanceUID)}, to="NOWHERE", calling="TESTER")
    opened.stop()
    assert ended.status == 0xA801
    assert "'NOWHERE'" in str(said[0]) and "isocenter peer NOWHERE" in str(said[0])


def test_move_to_a_destination_that_is_down(
    listener: tuple[Listener, int], shelf: Shelf, destination: tuple[Shelf, int], sample: Callable[[str], bytes]
) -> None:
    (ct,) = _fill(shelf, sample, _CT)
    shelf.listed.append({"aet": "DOWN", "host": "127.0.0.1", "port": 1})
    ended = move(
        Peer("ISOCENTER", "127.0.0.1", listener[1]),
        "STUDY",
        {"StudyInstanceUID": str(ct.StudyInstanceUID)},
        to="DOWN",
        calling="TESTER",
    )
    assert ended.status == 0xA702 and "127.0.0.1:1" in ended.comment and ended.failed == 1


def test_move_counts_what_the_destination_refused(
    listener: tuple[Listener, int], shelf: Shelf, destination: tuple[Shelf, int], sample: Callable[[str], bytes]
) -> None:
    (ct,) = _fill(shelf, sample, _CT)
    destination[0].failure = Unavailable("disk full")
    shelf.listed.append({"aet": "DEST", "host": "127.0.0.1", "port": destination[1]})
    ended = move(
        Peer("ISOCENTER", "127.0.0.1", listener[1]),
        "STUDY",
        {"StudyInstanceUID": str(ct.StudyInstanceUID)},
        to="DEST",
        calling="TESTER",
    )
    assert (ended.status, ended.completed, ended.failed) == (0xA702, 0, 1)


def test_move_is_asked_by_a_foreign_client_too(
    listener: tuple[Listener, int], shelf: Shelf, destination: tuple[Shelf, int], sample: Callable[[str], bytes]
) -> None:
    (ct,) = _fill(shelf, sample, _CT)
    shelf.listed.append({"aet": "DEST", "host": "127.0.0.1", "port": destination[1]})
    ae = AE("TESTER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    association = ae.associate("127.0.0.1", listener[1], ae_title="ISOCENTER")
    answers = list(association.send_c_move(_keys(ct), "DEST", StudyRootQueryRetrieveInformationModelMove))
    association.release()
    assert [status.Status for status, _ in answers] == [0xFF00, 0]


class _Wire:
    """Stands for the association: keeps what was said."""

    def __init__(self) -> None:
        self.said: list[dict[str, int | str]] = []

    def send(self, context: int, words: dict[str, int | str], data: bytes | None = None) -> None:
        self.said.append(words)


def _retrieval(wire: _Wire, count: int, cancelled: Callable[[], bool]) -> Retrieval:
    from isocenter.doors.upper_layer import Message
    from isocenter.record.study import Instance

    message = Message(1, {"AffectedSOPClassUID": "1.2", "CommandField": 0x10, "MessageID": 5}, None)
    instances = [Instance(f"1.{i}", CTImageStorage, n.EXPLICIT, "", 0) for i in range(count)]
    return Retrieval(wire, message, n.IMPLICIT, instances, lambda uid: b"", cancelled)  # type: ignore[arg-type]


def test_a_retrieval_can_be_cancelled_with_what_remains() -> None:
    from isocenter.doors.retrieve import get

    wire = _Wire()
    get(_retrieval(wire, 3, lambda: True))
    assert wire.said[-1]["Status"] == 0xFE00
    assert wire.said[-1]["NumberOfRemainingSuboperations"] == 3


def test_some_failed_is_a_warning() -> None:
    wire = _Wire()
    retrieval = _retrieval(wire, 3, lambda: False)
    for uid, status in (("1.0", 0), ("1.1", 0xB007), ("1.2", None)):
        retrieval.count(uid, status)
    retrieval.finish()
    said = wire.said[-1]
    assert said["Status"] == 0xB000
    assert [said[f"NumberOf{w}Suboperations"] for w in ("Completed", "Failed", "Warning")] == [1, 1, 1]


def test_what_takes_too_long_fails_and_is_named() -> None:
    from isocenter.doors.retrieve import get

    wire = _Wire()
    retrieval = _retrieval(wire, 3, lambda: False)
    retrieval.late = lambda: True
    get(retrieval)
    assert wire.said[-1]["Status"] == 0xA702 and retrieval.failed == ["1.0", "1.1", "1.2"]


def test_a_destination_that_hangs_up_each_time_is_asked_three_times(
    listener: tuple[Listener, int], shelf: Shelf, sample: Callable[[str], bytes]
) -> None:
    (ct,) = _fill(shelf, sample, _CT)
    for n_ in range(5):
        other = sample(_CT).replace(b"5962.1.1.1.1.1.2004", b"5962.1.1.1.1.%d.2004" % (n_ + 2))
        shelf.files[str(dcmread(BytesIO(other)).SOPInstanceUID)] = other
    tries: list[int] = []

    def hang_up(event: evt.Event) -> int:
        tries.append(1)
        event.assoc.abort()
        return 0

    ae = AE("HANGS")
    ae.add_supported_context(CTImageStorage)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, hang_up)])
    shelf.listed.append({"aet": "HANGS", "host": "127.0.0.1", "port": server.socket.getsockname()[1]})
    peer, keys = Peer("ISOCENTER", "127.0.0.1", listener[1]), {"StudyInstanceUID": str(ct.StudyInstanceUID)}
    ended = move(peer, "STUDY", keys, to="HANGS", calling="TESTER")
    server.shutdown()
    assert (ended.status, ended.completed, ended.failed, len(tries)) == (0xA702, 0, 6, 3)


def test_a_peer_that_sends_without_end_is_left(
    listener: tuple[Listener, int], shelf: Shelf, destination: tuple[Shelf, int], sample: Callable[[str], bytes]
) -> None:
    (ct,) = _fill(shelf, sample, _CT)
    shelf.listed.append({"aet": "DEST", "host": "127.0.0.1", "port": destination[1]})
    peer, keys = Peer("ISOCENTER", "127.0.0.1", listener[1]), {"StudyInstanceUID": str(ct.StudyInstanceUID)}
    passing = iter((0.0, 7201.0))
    with pytest.raises(Unavailable, match="still sending after 2 h"):
        move(peer, "STUDY", keys, to="DEST", calling="TESTER", longest_s=7200.0, timer=lambda: next(passing))


def test_retrievals_leave_room_for_images(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    """Half of the associations retrieve at most: who asks then is told to ask again, and images still come in."""
    (ct,) = _fill(shelf, sample, _CT)
    shelf.listed += [{"aet": "TESTER", "host": "127.0.0.1", "port": 0}]
    opened = Listener(shelf, aet="ISOCENTER", port=0, who=person_behind, associations=3)
    port = opened.start()
    slow = connect("127.0.0.1", port, timeout_s=10)
    model = str(StudyRootQueryRetrieveInformationModelGet)
    offers = [(model, (n.IMPLICIT,)), (str(CTImageStorage), (n.EXPLICIT,))]
    n.propose(slow, calling="TESTER", called="ISOCENTER", offers=offers, as_provider=(str(CTImageStorage),))
    words: dict[str, int | str] = {"AffectedSOPClassUID": model, "CommandField": commands.C_GET_RQ, "MessageID": 3}
    keys = {"StudyInstanceUID": str(ct.StudyInstanceUID)}
    slow.send(1, words, identifiers.question("STUDY", keys, n.IMPLICIT))
    assert slow.receive() is not None, "an image is on its way, and nobody says that it came"
    _, statuses, _ = _get(port, _keys(ct), (CTImageStorage, n.EXPLICIT))
    assert [s.Status for s in statuses] == [0xA702]
    assert send(Peer("ISOCENTER", "127.0.0.1", port), [sample(_RLE)], calling="TESTER")[0].ok
    slow.abort()
    deadline = time.monotonic() + 20
    while [s.Status for s in _get(port, _keys(ct), (CTImageStorage, n.EXPLICIT))[1]] != [0xFF00, 0]:
        assert time.monotonic() < deadline, "who hung up still has the place"
    opened.stop()


def test_a_cancel_that_overtakes_an_answer_is_obeyed_before_the_next(
    listener: tuple[Listener, int], shelf: Shelf, sample: Callable[[str], bytes]
) -> None:
    (ct,) = _fill(shelf, sample, _CT)
    second = sample(_CT).replace(b"5962.1.1.1.1.1.2004", b"5962.1.1.1.1.2.2004")
    shelf.files[str(dcmread(BytesIO(second)).SOPInstanceUID)] = second
    link = connect("127.0.0.1", listener[1], timeout_s=10)
    model = str(StudyRootQueryRetrieveInformationModelGet)
    offers = [(model, (n.IMPLICIT,)), (str(CTImageStorage), (n.EXPLICIT,))]
    n.propose(link, calling="TESTER", called="ISOCENTER", offers=offers, as_provider=(str(CTImageStorage),))
    keys = {"StudyInstanceUID": str(ct.StudyInstanceUID)}
    words: dict[str, int | str] = {"AffectedSOPClassUID": model, "CommandField": commands.C_GET_RQ, "MessageID": 3}
    link.send(1, words, identifiers.question("STUDY", keys, n.IMPLICIT))
    asked = link.receive()
    assert asked is not None and asked.words["CommandField"] == commands.C_STORE_RQ
    link.send(1, {"CommandField": commands.C_CANCEL_RQ, "MessageIDBeingRespondedTo": 3})
    answer: dict[str, int | str] = {"CommandField": 0x8001, "MessageIDBeingRespondedTo": 1, "Status": 0}
    link.send(asked.context, answer)
    said = [link.receive(), link.receive()]
    assert [m.words["Status"] for m in said if m is not None] == [0xFF00, 0xFE00]
    link.release()
