"""Receiving 600 CT images of 512 x 512 over one and over five associations, beside Orthanc on the same machine.

    python benchmarks/bench_receive.py [--images 600] [--peers isocenter,orthanc] [--repeat 3] [--folder FOLDER]

Every image is answered only after it is durable. The sender is DCMTK's storescu, one process for each association,
with TCP_NODELAY=1 in its environment (without it DCMTK waits for delayed acknowledgements; `--nagle` shows that).
Orthanc runs with TCP_NODELAY=1 as well and with synchronous storage. Debian's build listens on all interfaces, so run
this program in a network namespace: ``unshare -rn sh -c "ip link set lo up; python benchmarks/bench_receive.py"``.

Orthanc flushes an image's file before it answers, but neither the folder nor its index (about one fdatasync an image,
by strace); we flush all three.

`--peers door` is our DICOM port before an archive that keeps nothing: what the port alone can do.

Beside the rate stands the processor time of one image, the receiver's and the sender's: it says how much of a loaded
machine is ours, where the rate does not. A fresh virtual machine pays for memory that it touches for the first time
(2 ms an image were seen): fill and free some memory first, or repeat until the figures stand.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path


def make_images(folder: Path, count: int, *, study: str) -> list[Path]:
    """CT images of noise of 12 bits, about 530 kB each, of one series."""
    import numpy as np
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    rng = np.random.default_rng(1)
    paths = []
    for number in range(count):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.{number + 1}"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.1"
        ds.PatientID, ds.PatientName, ds.Modality = "BENCH", "Bench^Mark", "CT"
        ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20260101", "120000", "A1"
        ds.SeriesNumber, ds.InstanceNumber = 1, number + 1
        ds.FrameOfReferenceUID = f"{study}.9"
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness = [0.7, 0.7], 1
        ds.Rows = ds.Columns = 512
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.RescaleIntercept, ds.RescaleSlope, ds.WindowCenter, ds.WindowWidth = -1024, 1, 40, 400
        ds.PixelData = rng.integers(0, 4096, (512, 512), np.uint16).tobytes()
        made = BytesIO()
        ds.save_as(made, enforce_file_format=True)
        path = folder / f"{number:06d}.dcm"
        path.write_bytes(made.getvalue())
        paths.append(path)
    return paths


def send(paths: list[Path], port: int, called: str, associations: int, *, nodelay: bool) -> tuple[float, float]:
    """Seconds that storescu takes, one process an association, and its seconds of processor time."""
    environment = {**os.environ, **({"TCP_NODELAY": "1"} if nodelay else {})}
    shares = [paths[n::associations] for n in range(associations)]
    command = ["storescu", "-aet", "BENCH", "-aec", called, "127.0.0.1", str(port)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    running = [subprocess.Popen([*command, *map(str, share)], env=environment) for share in shares]
    codes = [process.wait() for process in running]
    took = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if any(codes):
        raise SystemExit(f"storescu ended with {codes}: not every image was taken")
    return took, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def processor_s(pid: int) -> float:
    """Seconds of processor time that a process and its children, ended or not, have taken, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(processor_s(int(child)) for child in children)


_DOOR = """
import sys
from types import SimpleNamespace
from isocenter.doors.dimse import Listener
from isocenter.govern.policy import Person, Role
class Room:
    def __init__(self):
        self.data = bytearray()
        self.write = self.data.extend
    def drop(self):
        pass
class Nothing:
    def incoming(self, *, sender, who):
        return Room()
    def receive(self, files, *, sender, who):
        return [SimpleNamespace(status="stored", sop_uid="", digest="", reason="") for _ in files]
    def peers(self):
        return [{"aet": "BENCH", "host": "127.0.0.1", "port": 0}]
listener = Listener(Nothing(), aet="ISOCENTER", port=0, who=lambda a: Person(a, Role.SERVICE))
print(listener.start(), flush=True)
sys.stdin.readline()
listener.stop()
print(listener.counts["stored"], flush=True)
"""

_SERVE = """
import sys
from isocenter.app import open_house
from isocenter.settings import Settings
from isocenter.govern.policy import Person, Role
from isocenter.doors.dimse import Listener
house = open_house(Settings(folder=sys.argv[1]), server=True)
house.site.peers = lambda: [{"aet": "BENCH", "host": "127.0.0.1", "port": 0}]
listener = Listener(house.site, aet="ISOCENTER", port=0, who=lambda a: Person(a, Role.SERVICE))
print(listener.start(), flush=True)
sys.stdin.readline()
listener.stop()
print(house.site.index.counts()["instances"], flush=True)
house.close()
"""


@contextmanager
def isocenter(folder: Path, program: str = _SERVE) -> Iterator[tuple[int, int, Callable[[], int]]]:
    """Our server in a process of its own: its number, its port, and how many instances it holds when asked to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdin is not None
    out, into = process.stdout, process.stdin

    def end() -> int:
        into.write("\n")
        into.flush()
        return int(out.readline())

    try:
        yield process.pid, int(out.readline()), end
    finally:
        process.terminate()
        process.wait()


@contextmanager
def door(folder: Path) -> Iterator[tuple[int, int, Callable[[], int]]]:
    """Our port alone."""
    with isocenter(folder, _DOOR) as served:
        yield served


@contextmanager
def orthanc(folder: Path) -> Iterator[tuple[int, int, Callable[[], int]]]:
    """Orthanc with TCP_NODELAY and synchronous storage; run this program under `unshare -rn` for it."""
    port, web = 14242, 18042
    settings = {
        "Name": "bench",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomPort": port,
        "HttpPort": web,
        "DicomAet": "ORTHANC",
        "SyncStorageArea": True,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    process = subprocess.Popen(
        [program, str(folder / "orthanc.json")],
        env={**os.environ, "TCP_NODELAY": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    import urllib.request

    def count() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{web}/statistics", timeout=5) as answer:
            return int(json.load(answer)["CountInstances"])

    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                count()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise SystemExit("Orthanc did not start") from None
                time.sleep(0.1)
        yield process.pid, port, count
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measure and print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peers", default="isocenter,orthanc")
    parser.add_argument("--associations", default="1,5")
    parser.add_argument("--nagle", action="store_true", help="leave Nagle's algorithm on at the sender")
    parser.add_argument("--folder", type=Path, default=None, help="where the archives are made; a temporary one else")
    given = parser.parse_args()
    peers = {"isocenter": (isocenter, "ISOCENTER"), "door": (door, "ISOCENTER"), "orthanc": (orthanc, "ORTHANC")}
    with tempfile.TemporaryDirectory(dir=given.folder) as temporary:
        images = Path(temporary) / "images"
        images.mkdir()
        paths = make_images(images, given.images, study="1.2.826.0.1.3680043.9.7133.1")
        size = paths[0].stat().st_size
        for associations in (int(n) for n in given.associations.split(",")):
            for name in given.peers.split(","):
                serve, called = peers[name]
                for repeat in range(given.repeat):
                    folder = Path(temporary) / f"{name}-{associations}-{repeat}"
                    folder.mkdir()
                    with serve(folder) as (pid, port, held):
                        before = processor_s(pid)
                        took, sender_s = send(paths, port, called, associations, nodelay=not given.nagle)
                        receiver_s = processor_s(pid) - before
                        count = held()
                    if count != given.images:
                        raise SystemExit(f"{name} holds {count} of {given.images} images")
                    print(
                        f"{name:10} {associations} associations  {given.images} x {size} bytes  {took:6.2f} s  "
                        f"{given.images / took:6.1f}/s  processor of each: receiver {receiver_s / count * 1000:.2f}"
                        f" ms, sender {sender_s / count * 1000:.2f} ms",
                        flush=True,
                    )  # its folder stays to the end: ext4 makes files slowly for seconds after many were removed


if __name__ == "__main__":
    main()
