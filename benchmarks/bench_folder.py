"""Taking a folder of 600 CT images of 512 x 512 in, beside Orthanc to which DCMTK's storescu sends the same folder.

    unshare -rn sh -c "ip link set lo up; python benchmarks/bench_folder.py [--images 600] [--repeat 3]"

Ours is `isocenter receive FOLDER` through the site: every file read, checked, digested, kept and indexed, durable when
the command says so. `isocenter` is the command's own work in a process that is ready, `command` the whole command with
the start of Python, whose modules are compiled as an installation has them (run it twice where they were not).
Orthanc by itself imports no folder; its figure is that of a sender beside it on the same machine.
Beside the rate stands the processor time of one image.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_receive import make_images, orthanc, processor_s, send

_LEDGER = """
import json, resource, sys, time
from pathlib import Path
from isocenter.app import open_house
from isocenter.cli.archive import ledger
from isocenter.dicom.header import read_header
from isocenter.settings import Settings
house = open_house(Settings(folder=sys.argv[1]))
begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
said = ledger(house.site, [Path(sys.argv[2])])
took, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
house.close()
print(json.dumps({"stored": said["stored"], "took": took, "processor": used}))
"""


def ours(images: Path, archive: Path) -> tuple[float, float, int]:
    """Seconds of the import, seconds of processor time, and images stored."""
    said = subprocess.run(
        [sys.executable, "-c", _LEDGER, str(archive), str(images)], capture_output=True, text=True, check=True
    )
    told = json.loads(said.stdout)
    return told["took"], told["processor"], told["stored"]


def command(images: Path, archive: Path) -> tuple[float, float, int]:
    """The same of the whole command, from its start to its end."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, begun = os.times(), time.perf_counter()
    said = subprocess.run(
        [sys.executable, "-m", "isocenter", "receive", str(images), "--folder", str(archive), "--json"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    took, after = time.perf_counter() - begun, os.times()
    used = after.children_user - before.children_user + after.children_system - before.children_system
    return took, used, json.loads(said.stdout)["stored"]


def theirs(images: Path, archive: Path) -> tuple[float, float, int]:
    """Orthanc, sent to over one association; processor time is the receiver's and the sender's."""
    archive.mkdir()
    with orthanc(archive) as (pid, port, held):
        before = processor_s(pid)
        took, sender_s = send(sorted(images.iterdir()), port, "ORTHANC", 1, nodelay=True)
        return took, processor_s(pid) - before + sender_s, held()


def main() -> None:
    """Measure and print one line a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peers", default="isocenter,command,orthanc")
    parser.add_argument("--folder", type=Path, default=None, help="where the archives are made; a temporary one else")
    given = parser.parse_args()
    ways = {"isocenter": ours, "command": command, "orthanc": theirs}
    with tempfile.TemporaryDirectory(dir=given.folder) as temporary:
        images = Path(temporary) / "images"
        images.mkdir()
        make_images(images, given.images, study="1.2.826.0.1.3680043.9.7133.4")
        for repeat in range(given.repeat):
            for name in given.peers.split(","):
                took, used, count = ways[name](images, Path(temporary) / f"{name}-{repeat}")
                if count != given.images:
                    raise SystemExit(f"{name} holds {count} of {given.images} images")
                print(f"{name:10} {count / took:6.1f}/s  processor of each: {used / count * 1000:.2f} ms", flush=True)


if __name__ == "__main__":
    main()
