"""The DICOM port of a whole archive, with the programs that hospitals really use: DCMTK and Orthanc."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from isocenter.app import House, open_house
from isocenter.doors import part10
from isocenter.doors.dimse import Listener
from isocenter.doors.dimse_scu import Peer, echo, find, send
from isocenter.govern.policy import Person, Role
from isocenter.settings import Settings

pytestmark = pytest.mark.peer

_SAMPLES = (
    ("CT_small.dcm", ()),
    ("MR_small_RLE.dcm", ("-xr",)),
    ("examples_ybr_color.dcm", ("-xy",)),
    ("SC_rgb_jpeg_gdcm.dcm", ("-xs",)),
    ("image_dfl.dcm", ("-xd",)),
    ("rtplan.dcm", ()),
    ("liver_1frame.dcm", ()),
)
READER = Person("reader", Role.READER)
PEER = Person("MODALITY", Role.SERVICE)  # gets also what a machine made, which a reader sees after their own opinion


def _sample(name: str) -> Path:
    return Path(str(get_testdata_file(name, download=False)))


@dataclass
class _Archive:
    house: House
    port: int

    def dcmtk(self, program: str, *words: str, calling: str = "MODALITY", files: tuple[Path, ...] = ()) -> str:
        path = shutil.which(program)
        if path is None:
            pytest.skip(f"{program} of DCMTK is not installed")
        command = [path, *words, "-aet", calling, "-aec", "ISOCENTER", "127.0.0.1", str(self.port), *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[_Archive]:
    """An archive on disk with its DICOM port open to MODALITY, STORE and ORTHANC."""
    house = open_house(Settings(folder=tmp_path / "archive"), server=True)
    for aet in ("MODALITY", "ORTHANC"):
        house.site.add_peer(aet, "127.0.0.1", 4242, who=Person("admin", Role.ADMIN))
    opened = Listener(house.site, aet="ISOCENTER", port=0, who=lambda aet: Person(aet, Role.SERVICE))
    yield _Archive(house, opened.start())
    opened.stop()
    house.close()


def test_dcmtk_echoes(archive: _Archive) -> None:
    assert "Echo Response (Success)" in archive.dcmtk("echoscu", "-v")


def test_dcmtk_is_told_that_it_is_not_known(archive: _Archive) -> None:
    with pytest.raises(AssertionError, match="Calling AE Title Not Recognized"):
        archive.dcmtk("echoscu", calling="STRANGER")


@pytest.mark.parametrize(("name", "words"), _SAMPLES)
def test_dcmtk_stores_and_gets_back_the_same_pixels(
    archive: _Archive, tmp_path: Path, name: str, words: tuple[str, ...]
) -> None:
    path = _sample(name)
    before = dcmread(path)
    archive.dcmtk("storescu", "-R", *words, files=(path,))
    stored = archive.house.site.instance(str(before.SOPInstanceUID), who=PEER)
    kept = dcmread(BytesIO(stored))
    assert kept.get("PixelData") == before.get("PixelData")
    assert kept.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID

    got = tmp_path / "got"
    got.mkdir()
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={before.StudyInstanceUID}"]
    wanted = {"-xr": "+xr", "-xy": "+xy", "-xs": "+xs", "-xd": "+xd"}.get(words[0] if words else "", "+xi")
    archive.dcmtk("getscu", "-S", "+B", wanted, *keys, "-od", str(got))
    (file,) = got.iterdir()
    # Bit-preserving where getscu took our encoding; in any case the same pixels.
    assert dcmread(file).get("PixelData") == before.get("PixelData")


def test_dcmtk_finds_by_what_stands_within_a_sequence(archive: _Archive, tmp_path: Path) -> None:
    """Both keys must fit one item; the items come back whole where nothing in them was named."""
    path = tmp_path / "asked.dcm"
    image = dcmread(_sample("CT_small.dcm"))
    image.RequestAttributesSequence = [Dataset(), Dataset()]
    for item, (step, procedure) in zip(
        image.RequestAttributesSequence, (("SPS1", "RP1"), ("SPS2", "RP2")), strict=True
    ):
        item.ScheduledProcedureStepID, item.RequestedProcedureID = step, procedure
    image.save_as(path)
    archive.dcmtk("storescu", "-R", files=(path, _sample("MR_small.dcm")))

    def found(level: str, *keys: str) -> str:
        words = [word for key in (f"QueryRetrieveLevel={level}", "PatientID", *keys) for word in ("-k", key)]
        return archive.dcmtk("findscu", "-v", "-S", *words)

    step, procedure = "(0040,0275)[0].(0040,0009)", "(0040,0275)[0].(0040,1001)"
    for level in ("STUDY", "SERIES", "IMAGE"):
        said = found(level, f"{step}=SPS2", f"{procedure}=RP?")
        assert "[1CT1" in said and "4MR1" not in said and "Find Response: 2" not in said, level
        assert "Pending" not in found(level, f"{step}=SPS1", f"{procedure}=RP2")
    assert "SPS1" in said and "RP2" in said
    assert "4MR1" in found("SERIES", "(0040,0275)[0].(0040,0009)"), "an empty key matches everything"


def test_dcmtk_finds_at_every_level(archive: _Archive) -> None:
    archive.dcmtk("storescu", "-R", files=(_sample("CT_small.dcm"), _sample("MR_small.dcm")))
    for level, key in (("STUDY", "StudyInstanceUID"), ("SERIES", "SeriesInstanceUID"), ("IMAGE", "SOPInstanceUID")):
        said = archive.dcmtk(
            "findscu", "-v", "-S", "-k", f"QueryRetrieveLevel={level}", "-k", key, "-k", "PatientID=1CT1"
        )
        assert "Find Response: 1 (Pending)" in said and "Find Response: 2" not in said
    said = archive.dcmtk("findscu", "-v", "-P", "-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientName=*MR*")
    assert "CompressedSamples^MR1" in said and "CT1" not in said
    said = archive.dcmtk(
        "findscu", "-v", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyDate=20040101-20040131", "-k", "PatientID"
    )
    assert "[1CT1" in said and "4MR1" not in said


def test_dcmtk_has_images_moved_to_a_third(archive: _Archive, tmp_path: Path) -> None:
    program = shutil.which("storescp")
    if program is None:
        pytest.skip("storescp of DCMTK is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    archive.house.site.add_peer("STORE", "127.0.0.1", port, who=Person("admin", Role.ADMIN))
    got = tmp_path / "got"
    got.mkdir()
    third = subprocess.Popen([program, "-aet", "STORE", "+B", "+xa", "-od", str(got), str(port)])
    try:
        _until(lambda: _answers(Peer("STORE", "127.0.0.1", port)))
        path = _sample("CT_small.dcm")
        sent = path.read_bytes()
        assert send(Peer("ISOCENTER", "127.0.0.1", archive.port), [sent], calling="MODALITY")[0].ok
        study = str(dcmread(path).StudyInstanceUID)
        said = archive.dcmtk(
            "movescu", "-v", "-S", "-aem", "STORE", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"
        )
        assert "Received Final Move Response (Success)" in said
        (file,) = got.iterdir()
        data = file.read_bytes()
        assert data[part10.split(data).start :] == sent[part10.split(sent).start :]
    finally:
        third.terminate()
        third.wait(10)


def test_what_was_acknowledged_is_indexed_and_written_down(archive: _Archive) -> None:
    archive.dcmtk("storescu", "-R", files=(_sample("CT_small.dcm"), _sample("MR_small.dcm")))
    assert archive.house.site.counts(who=READER)["instances"] == 2
    senders = {e.event.who for e in archive.house.site.journal.since() if e.event.kind == "InstancesReceived"}
    assert senders == {"MODALITY"}


def test_five_senders_at_once_lose_nothing(archive: _Archive, tmp_path: Path) -> None:
    template = dcmread(_sample("CT_small.dcm"))
    groups: list[list[bytes]] = []
    for sender in range(5):
        files = []
        for number in range(20):
            template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{sender}.{number}"
            made = BytesIO()
            template.save_as(made)
            files.append(made.getvalue())
        groups.append(files)
    outcomes: list[bool] = []
    peer = Peer("ISOCENTER", "127.0.0.1", archive.port)
    threads = [
        threading.Thread(target=lambda f=files: outcomes.extend(o.ok for o in send(peer, f, calling="MODALITY")))
        for files in groups
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert outcomes == [True] * 100
    assert len(find(peer, "IMAGE", {"SOPInstanceUID": ""}, calling="MODALITY")) == 100
    assert archive.house.site.journal.verify() > 0


def _answers(peer: Peer) -> bool:
    try:
        echo(peer, calling="ISOCENTER", timeout_s=2)
    except Exception:
        return False
    return True


def _until(true: object) -> None:
    assert callable(true)
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it did not come up"
        threading.Event().wait(0.02)


def test_orthanc_stores_finds_and_moves(tmp_path: Path) -> None:
    """In a network namespace of its own, because Debian's Orthanc listens on every interface whatever it is told."""
    if shutil.which("Orthanc") is None:
        pytest.skip("Orthanc is not installed")
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rn", "true"], check=False).returncode:
        pytest.skip("network namespaces are not permitted here")
    script = Path(__file__).with_name("orthanc_conversation.py")
    inside = f'ip link set lo up && exec "{sys.executable}" "{script}" "{tmp_path}"'
    done = subprocess.run(
        [unshare, "-rn", "sh", "-c", inside],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["orthanc_echoes_us"] and said["we_echo_orthanc"]
    assert said["orthanc_stored_with_us"] == 2
    assert said["orthanc_found"] == ["1CT1", "4MR1"]
    assert said["orthanc_was_moved"] == 2
    assert said["we_found_at_orthanc"] == ["1CT1", "4MR1"]
    assert said["orthanc_moved_to_us"] == 2
    assert said["pixels_are_the_same"]
    assert said["fetched"]["told"] == [["2.25.11", 1, False], ["2.25.12", 1, False]]
    assert said["fetched"]["came"] == {"promised": False, "came": 1, "failed": 0, "why": ""}
    assert said["fetched"]["in_the_past"]
    assert not said["fetched"]["of_the_other"]


@pytest.mark.parametrize("network_first", [True, False])
def test_one_image_over_the_network_and_as_a_file_is_there_and_not_a_conflict(
    archive: _Archive, network_first: bool
) -> None:
    """A file from elsewhere names another implementation in its header; the image in it is the same."""
    file = _sample("CT_small.dcm").read_bytes()
    clerk = Person("clerk", Role.ADMIN)

    def over_the_network() -> None:
        archive.dcmtk("storescu", files=(_sample("CT_small.dcm"),))

    def as_a_file() -> str:
        (stored,) = archive.house.site.receive([file], sender="folder", who=clerk)
        return stored.status

    if network_first:
        over_the_network()
        assert as_a_file() == "there"
    else:
        assert as_a_file() == "stored"
        over_the_network()
    assert archive.house.site.index.counts()["instances"] == 1
    assert len(list(archive.house.site.blobs.digests())) == 1
    assert [e.event.kind.name for e in archive.house.site.journal.since()].count("INSTANCES_RECEIVED") == 1
    assert not [e for e in archive.house.site.journal.since() if e.event.kind.name == "INSTANCE_SET_ASIDE"]
