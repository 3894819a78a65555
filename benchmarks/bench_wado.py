"""DICOMweb beside Orthanc: one image, one frame, its metadata, storing, and searching studies.

    unshare -rn sh -c "ip link set lo up; python benchmarks/bench_wado.py [--images 100] [--studies 1000]"

Each figure is the median of requests over one kept connection, after a warm-up. Orthanc's DICOMweb plugin is looked for
where Debian puts it. `--studies` fills the archive with so many studies of one small image before searching.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import httpx
from bench_receive import make_images

_SERVE = """
import socket, sys
import uvicorn
from fastapi import FastAPI
from isocenter.app import open_house
from isocenter.doors.dicomweb import router
from isocenter.govern.policy import Person, Role
from isocenter.settings import Settings
house = open_house(Settings(folder=sys.argv[1]), server=True)
app = FastAPI()
reader = Person("bench", Role.READER)
app.include_router(router(house.site, lambda request: reader), prefix="/dicom-web")
uvicorn.run(app, port=int(sys.argv[2]), log_level="critical")
"""
_BOUNDARY = b"0123456789abcdef0123456789abcdef"  # as long as that of a real client
_WARM = 20  # images in the first request, which is not counted: a server loads much with it
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@contextmanager
def isocenter(folder: Path) -> Iterator[str]:
    """Our server in a process of its own; its DICOMweb address."""
    process = subprocess.Popen([sys.executable, "-c", _SERVE, str(folder), "18080"])
    with _up(process, "http://127.0.0.1:18080/dicom-web") as url:
        yield url


@contextmanager
def orthanc(folder: Path) -> Iterator[str]:
    """Orthanc with its DICOMweb plugin; run under `unshare -rn`, because it listens on all interfaces."""
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomServerEnabled": False,
        "HttpPort": 18081,
        "AuthenticationEnabled": False,
        "Plugins": [str(_PLUGIN)],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    process = subprocess.Popen(
        [shutil.which("Orthanc") or "/usr/sbin/Orthanc", str(folder / "orthanc.json")],
        env={**os.environ, "TCP_NODELAY": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with _up(process, "http://127.0.0.1:18081/dicom-web") as url:
        yield url


@contextmanager
def _up(process: subprocess.Popen[bytes], url: str) -> Iterator[str]:
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{url}/studies?limit=1", timeout=5)
                break
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise SystemExit("the server did not start") from None
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def store(client: httpx.Client, url: str, files: list[bytes]) -> float:
    """Seconds to store files by STOW-RS, twenty in a body; how long the sender takes to make a body is not counted."""
    seconds = 0.0
    head = b"--" + _BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n"
    for at in range(0, len(files), 20):
        body = b"".join(head + f + b"\r\n" for f in files[at : at + 20]) + b"--" + _BOUNDARY + b"--\r\n"
        begun = time.perf_counter()
        answer = client.post(
            f"{url}/studies",
            content=body,
            headers={
                "Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY.decode()}',
                "Accept": "application/dicom+json",
            },
        )
        seconds += time.perf_counter() - begun
        if answer.status_code != 200:
            raise SystemExit(f"storing was answered with {answer.status_code}: {answer.text[:200]}")
    return seconds


def median_ms(client: httpx.Client, url: str, accept: str, *, times: int) -> float:
    """Median of a request in milliseconds."""
    took = []
    for _ in range(times + 3):
        begun = time.perf_counter()
        answer = client.get(url, headers={"Accept": accept})
        took.append(time.perf_counter() - begun)
        if answer.status_code != 200:
            raise SystemExit(f"{url} was answered with {answer.status_code}")
    return statistics.median(took[3:]) * 1000


def small_studies(count: int) -> Iterator[bytes]:
    """Studies of one image of 64 bytes each, of as many patients."""
    from pydicom import dcmread
    from pydicom.dataset import Dataset

    with tempfile.TemporaryDirectory() as folder:
        template: Dataset = dcmread(make_images(Path(folder), 1, study="1.2.826.0.1.3680043.9.7133.3")[0])
    template.Rows = template.Columns = 8
    template.PixelData = template.PixelData[:128]
    for number in range(count):
        uid = f"1.2.826.0.1.3680043.9.7133.3.{number}"
        template.StudyInstanceUID, template.SeriesInstanceUID = uid, f"{uid}.1"
        template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = f"{uid}.1.1"
        template.PatientID, template.PatientName = f"P{number:07d}", f"Family{number:07d}^Given"
        template.StudyDate = f"20{number % 25:02d}0101"
        made = BytesIO()
        template.save_as(made)
        yield made.getvalue()


def main() -> None:
    """Measure and print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--peers", default="isocenter,orthanc")
    given = parser.parse_args()
    peers = {"isocenter": isocenter, "orthanc": orthanc}
    with tempfile.TemporaryDirectory() as temporary:
        images = Path(temporary) / "images"
        images.mkdir()
        study = "1.2.826.0.1.3680043.9.7133.2"
        files = [path.read_bytes() for path in make_images(images, _WARM + given.images, study=study)]
        one = f"/studies/{study}/series/{study}.1/instances/{study}.1.1"
        wanted = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        frame = 'multipart/related; type="application/octet-stream"'
        text = "application/dicom+json"
        for name in given.peers.split(","):
            folder = Path(temporary) / name
            folder.mkdir()
            with peers[name](folder) as url, httpx.Client(timeout=120) as client:
                store(client, url, files[:_WARM])
                seconds = store(client, url, files[_WARM:])
                print(
                    f"{name:10} store {given.images} x {len(files[0])} bytes by 20: {given.images / seconds:.0f}/s",
                    flush=True,
                )
                seconds = store(client, url, list(small_studies(given.studies)))
                print(
                    f"{name:10} store {given.studies} small studies by 20: {given.studies / seconds:.0f}/s", flush=True
                )
                number = given.studies // 2
                for what, path, accept in (
                    ("one image", one, wanted),
                    ("one frame", f"{one}/frames/1", frame),
                    ("metadata of one", f"{one}/metadata", text),
                    ("thumbnail", f"{one}/rendered?viewport=128,128", "image/png"),
                    ("search, one patient", f"/studies?PatientID=P{number:07d}", text),
                    ("search, name begins", f"/studies?PatientName=Family{number:07d}*", text),
                    ("search, page of 100", "/studies?limit=100&offset=0", text),
                ):
                    ms = median_ms(client, url + path, accept, times=given.times)
                    print(f"{name:10} {what:24} {ms:8.2f} ms", flush=True)


if __name__ == "__main__":
    main()
