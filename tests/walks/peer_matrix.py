"""Four peers, four services, eight transfer syntaxes, each tried over a real socket; prints the table as JSON.

Run within a network namespace, because Debian's Orthanc listens on every interface:
``unshare -rn sh -c 'ip link set lo up && python peer_matrix.py FOLDER'``.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import orthanc_conversation as orthanc
import uvicorn
from dicomweb_client.api import DICOMwebClient
from fastapi import FastAPI
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, StoragePresentationContexts, build_role, evt
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from isocenter.app import open_house
from isocenter.doors.dicomweb import router
from isocenter.doors.dimse import Listener
from isocenter.govern.policy import Person, Role
from isocenter.settings import Settings

SYNTAXES = {  # name -> sample of pydicom, option of DCMTK
    "Implicit VR Little Endian": ("CT_small.dcm", "xi"),
    "Explicit VR Little Endian": ("CT_small.dcm", "xe"),
    "Deflated": ("image_dfl.dcm", "xd"),
    "RLE Lossless": ("MR_small_RLE.dcm", "xr"),
    "JPEG Baseline": ("SC_rgb_jpeg_dcmtk.dcm", "xy"),
    "JPEG Lossless SV1": ("SC_rgb_jpeg_gdcm.dcm", "xs"),
    "JPEG-LS Lossless": ("MR_small_jpeg_ls_lossless.dcm", "xt"),
    "JPEG 2000 Lossless": ("MR_small_jp2klossless.dcm", "xv"),
}
SERVICES = ("STORE", "FIND", "GET", "MOVE")
_MOVE_PORT = {"DCMTK": 11200, "PYNETDICOM": 11201}
PEER = Person("peer", Role.SERVICE)


def _sample(name: str, number: int) -> bytes:
    made = dcmread(str(get_testdata_file(SYNTAXES[name][0], download=False)))
    uid = f"1.2.826.0.1.3680043.9.8.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID = uid, f"{uid}.1"
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"{uid}.1.1"
    made.PatientID = f"M{number}"
    if name.startswith("Implicit"):
        made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    out = BytesIO()
    made.save_as(out)
    return out.getvalue()


def _same(before: bytes, after: bytes | Dataset) -> str:
    one = dcmread(BytesIO(before))
    other = dcmread(BytesIO(after)) if isinstance(after, bytes) else after
    if one.file_meta.TransferSyntaxUID == other.file_meta.TransferSyntaxUID and one.PixelData == other.PixelData:
        return "same bytes"
    return "same pixels" if np.array_equal(one.pixel_array, other.pixel_array) else "other pixels"


class _Us:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.house = open_house(Settings(folder=folder / "archive"), server=True)
        for aet, port in (*_MOVE_PORT.items(), ("ORTHANC", orthanc._DICOM)):
            self.house.site.add_peer(aet, "127.0.0.1", port, who=Person("admin", Role.ADMIN))
        self.listener = Listener(
            self.house.site, aet="ISOCENTER", port=0, who=lambda aet: Person(aet, Role.SERVICE)
        )  # fmt: skip
        self.port = self.listener.start()
        app = FastAPI()
        app.include_router(router(self.house.site, lambda request: PEER), prefix="/dicom-web")
        held = socket.create_server(("127.0.0.1", 0))
        self.web = f"http://127.0.0.1:{held.getsockname()[1]}/dicom-web"
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        threading.Thread(target=self.server.run, kwargs={"sockets": [held]}, daemon=True).start()
        while not self.server.started:
            time.sleep(0.02)

    def kept(self, sample: bytes) -> str:
        uid = str(dcmread(BytesIO(sample), stop_before_pixels=True).SOPInstanceUID)
        return _same(sample, self.house.site.instance(uid, who=PEER))

    def close(self) -> None:
        self.server.should_exit = True
        self.listener.stop()
        self.house.close()


# Each peer: service -> what it saw, for one sample.


def _dcmtk(us: _Us, sample: bytes, name: str) -> dict[str, Callable[[], str]]:
    option, study = SYNTAXES[name][1], str(dcmread(BytesIO(sample), stop_before_pixels=True).StudyInstanceUID)
    place = us.folder / f"dcmtk-{option}"
    place.mkdir()
    (place / "in.dcm").write_bytes(sample)
    keys = ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]

    def run(program: str, *words: str, files: tuple[str, ...] = ()) -> str:
        path = shutil.which(program)
        assert path is not None
        command = [path, *words, "-aet", "DCMTK", "-aec", "ISOCENTER", "127.0.0.1", str(us.port), *files]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-300:]
        return done.stdout + done.stderr

    def got(kind: str) -> str:
        (file,) = (place / kind).iterdir()
        return _same(sample, file.read_bytes())

    def store() -> str:
        run("storescu", "-R", f"-{option}", files=(str(place / "in.dcm"),))
        return us.kept(sample)

    def find() -> str:
        said = run("findscu", "-v", *keys, "-k", "PatientID")
        return "found" if "Find Response: 1 (Pending)" in said else "not found"

    def get() -> str:
        (place / "get").mkdir()
        run("getscu", f"+{option}", "+B", *keys, "-od", str(place / "get"))
        return got("get")

    def move() -> str:
        (place / "move").mkdir()
        port = str(_MOVE_PORT["DCMTK"])
        # Without +B: movescu then writes past the folder that it was given.
        run("movescu", f"+{option}", "-aem", "DCMTK", "+P", port, *keys, "-od", str(place / "move"))
        return got("move")

    return {"STORE": store, "FIND": find, "GET": get, "MOVE": move}


def _pynetdicom(us: _Us, sample: bytes, name: str) -> dict[str, Callable[[], str]]:
    image = dcmread(BytesIO(sample))
    syntax, kind = image.file_meta.TransferSyntaxUID, image.SOPClassUID
    came: list[Dataset] = []

    def keep(event: Any) -> int:
        data = event.dataset
        data.file_meta = event.file_meta
        came.append(data)
        return 0

    def call(*contexts: tuple[str, list[str] | None], roles: Any = ()) -> Any:
        ae = AE("PYNETDICOM")
        for uid, syntaxes in contexts:
            ae.add_requested_context(uid, syntaxes) if syntaxes else ae.add_requested_context(uid)
        made = ae.associate(
            "127.0.0.1", us.port, ae_title="ISOCENTER", ext_neg=list(roles), evt_handlers=[(evt.EVT_C_STORE, keep)]
        )  # fmt: skip
        assert made.is_established
        return made

    def keys() -> Dataset:
        made = Dataset()
        made.QueryRetrieveLevel, made.StudyInstanceUID = "STUDY", image.StudyInstanceUID
        return made

    def store() -> str:
        link = call((kind, [syntax]))
        status = link.send_c_store(image).Status
        link.release()
        return us.kept(sample) if status == 0 else f"0x{status:04X}"

    def find() -> str:
        link = call((StudyRootQueryRetrieveInformationModelFind, None))
        rows = [r for s, r in link.send_c_find(keys(), StudyRootQueryRetrieveInformationModelFind) if r]
        link.release()
        return "found" if len(rows) == 1 else "not found"

    def get() -> str:
        came.clear()
        model = StudyRootQueryRetrieveInformationModelGet
        link = call((model, None), (kind, [syntax]), roles=[build_role(kind, scp_role=True)])
        list(link.send_c_get(keys(), model))
        link.release()
        return _same(sample, came[0])

    def move() -> str:
        came.clear()
        ae = AE("PYNETDICOM")
        for context in StoragePresentationContexts:
            ae.add_supported_context(context.abstract_syntax, [syntax])
        place = ("127.0.0.1", _MOVE_PORT["PYNETDICOM"])
        server = ae.start_server(place, block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
        try:
            model = StudyRootQueryRetrieveInformationModelMove
            link = call((model, None))
            list(link.send_c_move(keys(), "PYNETDICOM", model))
            link.release()
        finally:
            server.shutdown()
        return _same(sample, came[0])

    return {"STORE": store, "FIND": find, "GET": get, "MOVE": move}


def _dicomweb(us: _Us, sample: bytes, name: str) -> dict[str, Callable[[], str]]:
    client = DICOMwebClient(us.web)
    image = dcmread(BytesIO(sample))

    def store() -> str:
        client.store_instances([image])
        return us.kept(sample)

    def find() -> str:
        rows = client.search_for_studies(search_filters={"StudyInstanceUID": str(image.StudyInstanceUID)})
        return "found" if len(rows) == 1 else "not found"

    def get() -> str:
        (got,) = client.retrieve_study(str(image.StudyInstanceUID), media_types=(("application/dicom", "*"),))
        return _same(sample, got)

    return {"STORE": store, "FIND": find, "GET": get}


def _orthanc(us: _Us, sample: bytes, name: str) -> dict[str, Callable[[], str]]:
    study = str(dcmread(BytesIO(sample), stop_before_pixels=True).StudyInstanceUID)
    held: dict[str, str] = {}

    def store() -> str:
        held["id"] = orthanc._ask("/instances", sample)["ID"]
        orthanc._ask("/modalities/isocenter/store", {"Resources": [held["id"]], "Synchronous": True})
        return us.kept(sample)

    def find() -> str:
        asked = {"Level": "Study", "Query": {"StudyInstanceUID": study}}
        held["query"] = orthanc._ask("/modalities/isocenter/query", asked)["ID"]
        return "found" if len(orthanc._ask(f"/queries/{held['query']}/answers")) == 1 else "not found"

    def move() -> str:
        import urllib.request

        orthanc._ask(f"/instances/{held['id']}", method="DELETE")
        orthanc._ask(f"/queries/{held['query']}/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
        with urllib.request.urlopen(f"http://127.0.0.1:{orthanc._WEB}/instances/{held['id']}/file") as answer:
            return _same(sample, answer.read())

    return {"STORE": store, "FIND": find, "MOVE": move}


PEERS = {"DCMTK": _dcmtk, "pynetdicom": _pynetdicom, "dicomweb-client": _dicomweb, "Orthanc": _orthanc}


def main(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Peer -> service -> syntax -> what was seen; a service that the peer does not have is not there."""
    us = _Us(folder)
    process = orthanc._start(folder, us.port)
    table: dict[str, dict[str, dict[str, str]]] = {}
    try:
        for place, (peer, made) in enumerate(PEERS.items()):
            for at, name in enumerate(SYNTAXES):
                acts = made(us, _sample(name, 100 * place + at + 1), name)
                for service, act in acts.items():
                    try:
                        seen = act()
                    except Exception as error:
                        seen = f"{type(error).__name__}: {error}"[:200]
                    table.setdefault(peer, {}).setdefault(service, {})[name] = seen
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        us.close()
    return table


def page(table: dict[str, dict[str, dict[str, str]]]) -> str:
    """The table in Markdown."""
    lines = ["| peer | service | " + " | ".join(SYNTAXES) + " |", "|---|---|" + "---|" * len(SYNTAXES)]
    for peer, services in table.items():
        for service in SERVICES:
            seen = services.get(service, {})
            lines.append(f"| {peer} | {service} | " + " | ".join(seen.get(n, "—") for n in SYNTAXES) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    made = main(Path(sys.argv[1]))
    print(page(made), file=sys.stderr)
    print(json.dumps(made))
