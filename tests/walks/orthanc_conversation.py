"""One conversation between Isocenter and Orthanc, both on loopback; prints as JSON what became of it.

Run within a network namespace: ``unshare -rn sh -c 'ip link set lo up && python orthanc_conversation.py FOLDER'``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.data import get_testdata_file

from isocenter.app import House, open_house
from isocenter.doors.dimse import Listener
from isocenter.doors.dimse_scu import Peer, echo, find, move, send
from isocenter.govern.policy import Person, Role
from isocenter.settings import Settings

_DICOM, _WEB = 4242, 8043
_ORTHANC = Peer("ORTHANC", "127.0.0.1", _DICOM)
_NAMES = ("CT_small.dcm", "MR_small.dcm")


def _ask(path: str, body: Any = None, method: str = "") -> Any:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{_WEB}{path}", data, method=method or ("GET" if data is None else "POST")
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    settings = {
        "Name": "peer",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomPort": _DICOM,
        "HttpPort": _WEB,
        "DicomAet": "ORTHANC",
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowMove": True,
        "DicomModalities": {"isocenter": ["ISOCENTER", "127.0.0.1", port]},
        "Plugins": [],
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps(settings))
    program = shutil.which("Orthanc")
    assert program is not None
    process = subprocess.Popen([program, str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while True:
        try:
            _ask("/system")
            return process
        except OSError:
            assert time.monotonic() < deadline, "Orthanc did not start"
            threading.Event().wait(0.05)


def _fetched(house: House, file: bytes) -> Any:
    """Two studies of a patient that only Orthanc has: told, and one of them fetched."""
    reader, uids = Person("reader", Role.READER), ("2.25.11", "2.25.12")
    for uid, born in zip(uids, ("", "19590101"), strict=True):
        earlier = dcmread(BytesIO(file))
        earlier.StudyInstanceUID, earlier.StudyDate, earlier.PatientBirthDate = uid, "20010203", born
        earlier.SeriesInstanceUID, earlier.SOPInstanceUID = f"{uid}.1", f"{uid}.2"
        earlier.file_meta.MediaStorageSOPInstanceUID = earlier.SOPInstanceUID
        out = BytesIO()
        earlier.save_as(out)
        _ask("/instances", out.getvalue())
    home = str(dcmread(BytesIO(file)).StudyInstanceUID)
    told = house.site.fetching.elsewhere(home, who=reader)
    came = house.site.fetching.fetch(home, uids[0], peer="ORTHANC", who=reader)
    past = [s["study"] for s in house.site.following.timeline(home, who=reader)["studies"]]
    return {"told": sorted((s["study"], s["images"], bool(s["doubt"])) for s in told["studies"]), "came": came,
            "in_the_past": uids[0] in past, "of_the_other": uids[1] in past}  # fmt: skip


def main(folder: Path) -> dict[str, Any]:
    """Both store with, find at and move from the other."""
    house = open_house(Settings(folder=folder / "archive"), server=True)
    house.site.add_peer("ORTHANC", "127.0.0.1", _DICOM, who=Person("admin", Role.ADMIN))
    listener = Listener(house.site, aet="ISOCENTER", port=0, who=lambda aet: Person(aet, Role.SERVICE))
    port = listener.start()
    orthanc = _start(folder, port)
    reader = Person("reader", Role.READER)
    said: dict[str, Any] = {}
    try:
        files = [Path(str(get_testdata_file(name, download=False))).read_bytes() for name in _NAMES]
        for data in files:
            _ask("/instances", data)
        said["orthanc_echoes_us"] = _ask("/modalities/isocenter/echo", {}) == {}
        echo(_ORTHANC, calling="ISOCENTER")
        said["we_echo_orthanc"] = True

        _ask("/modalities/isocenter/store", _ask("/instances"))
        said["orthanc_stored_with_us"] = house.site.counts(who=reader)["instances"]

        query = _ask("/modalities/isocenter/query", {"Level": "Study", "Query": {"StudyDate": "20040101-20041231"}})
        answers = f"/queries/{query['ID']}/answers"
        said["orthanc_found"] = sorted(
            _ask(f"{answers}/{n}/content?simplify")["PatientID"] for n in range(len(_ask(answers)))
        )
        for uid in _ask("/instances"):
            _ask(f"/instances/{uid}", method="DELETE")
        _ask(f"/queries/{query['ID']}/retrieve", b"ORTHANC")
        said["orthanc_was_moved"] = len(_ask("/instances"))

        rows = find(_ORTHANC, "STUDY", {"PatientID": "", "StudyInstanceUID": ""}, calling="ISOCENTER")
        said["we_found_at_orthanc"] = sorted(row["PatientID"] for row in rows)
        said["orthanc_moved_to_us"] = sum(
            move(
                _ORTHANC,
                "STUDY",
                {"StudyInstanceUID": row["StudyInstanceUID"]},
                to="ISOCENTER",
                calling="ISOCENTER",
            ).completed
            for row in rows
        )
        said["fetched"] = _fetched(house, files[0])
        assert all(outcome.ok for outcome in send(_ORTHANC, files, calling="ISOCENTER"))
        said["pixels_are_the_same"] = all(
            dcmread(BytesIO(house.site.instance(str(ds.SOPInstanceUID), who=reader))).PixelData == ds.PixelData
            for ds in (dcmread(BytesIO(data)) for data in files)
        )
    finally:
        orthanc.terminate()
        orthanc.wait(20)
        listener.stop()
        house.close()
    return said


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
