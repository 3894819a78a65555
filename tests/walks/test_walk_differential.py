"""Our reader beside DCMTK's and pydicom's on damaged files: what we accept they accept, and all say alike whose it is.

We refuse more (a file that is cut, a UID with letters); the other way round would be a fault, and so would be an
identity that two readers understand in two ways.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import warnings
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from isocenter.dicom.header import read_header
from isocenter.errors import IsocenterError
from isocenter.testing.crooked import EXPLICIT, IMPLICIT, element, image, item, written

TAGS = {
    "0008,0016": "class",
    "0008,0018": "instance",
    "0020,000d": "study",
    "0020,000e": "series",
    "0010,0020": "patient",
}
_LINE = re.compile(rb"^\(([0-9a-f]{4},[0-9a-f]{4})\) .. (?:\[(.*?)\]|\(no value available\)) *#", re.S | re.M)
_EACH = 500  # files of one call


def mutants(seed: int, count: int) -> Iterator[bytes]:
    """Small images with one to six damaged bytes, some of them cut, swapped or with a piece twice."""
    rng = random.Random(seed)
    for _ in range(count):
        made = image(rng, rows=4, columns=4)
        made[0x00080110] = ("SQ", item(element(0x00100020, "LO", b"INNER ")))  # an identity that is not the object's
        data = bytearray(written(made, syntax=EXPLICIT if rng.random() < 0.7 else IMPLICIT))
        for _ in range(rng.choice([1, 1, 2, 6])):
            at = rng.randrange(132, len(data) - 32)
            data[at] = rng.choice([0, 0xFF, data[at] ^ (1 << rng.randrange(8)), rng.randrange(256)])
        kind, at = rng.randrange(12), rng.randrange(300, len(data) - 40)
        if kind == 0:
            del data[rng.randrange(at, len(data)) :]
        elif kind == 1:
            piece = rng.randrange(2, 60)
            data[at:at] = data[at : at + piece]
        elif kind == 2:
            del data[at : at + rng.randrange(1, 12)]
        yield bytes(data)


def ours(data: bytes) -> dict[str, str] | str:
    try:
        study = read_header(data)
    except IsocenterError as refusal:
        return str(refusal)
    series, one = study.series[0], study.series[0].instances[0]
    return {"class": one.sop_class, "instance": one.sop_uid, "study": study.uid, "series": series.uid,
            "patient": study.patient.id}  # fmt: skip


def theirs(folder: Path, files: list[bytes]) -> list[dict[str, str]]:
    """What dcmdump reads of each; empty where it refuses."""
    paths = []
    for number, data in enumerate(files):
        paths.append(folder / f"{number:05}.dcm")
        paths[-1].write_bytes(data)
    words = [
        "dcmdump",
        "-q",
        "+F",
        "+L",
        "-Un",
        "+s",
        "+p",
        *(w for tag in TAGS for w in ("+P", tag)),
        *map(str, paths),
    ]
    said = subprocess.run(words, capture_output=True, check=False).stdout
    parts = re.split(rb"^# dcmdump \(\d+/\d+\): .*\n", said, flags=re.M)[1:]
    assert len(parts) == len(files)
    found = []
    for part in parts:
        read: dict[str, str] = {}
        for tag, value in _LINE.findall(part):
            read.setdefault(TAGS[tag.decode()], value.decode("latin-1").strip(" \0"))
        found.append(read)
    return found


def third(data: bytes) -> dict[str, str] | None:
    """What pydicom reads; None where it raises. It takes nearly everything, so that only what it reads is compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(BytesIO(data), stop_before_pixels=True)
            return {name: str(ds.get(int(tag.replace(",", ""), 16), Empty).value or "") for tag, name in TAGS.items()}
        except Exception:  # it raises whatever its parts raise
            return None


class Empty:
    """An element that is not there."""

    value = ""


def hold(folder: Path, count: int) -> Counter[str]:
    told: Counter[str] = Counter()
    wrong: list[tuple[str, bytes]] = []
    for start in range(0, count, _EACH):
        files = list(mutants(start, min(_EACH, count - start)))
        for data, other in zip(files, theirs(folder, files), strict=True):
            mine = ours(data)
            if isinstance(mine, str):
                told["both refuse" if not other else "we refuse"] += 1
                continue
            told["both read"] += 1
            if not other:
                wrong.append(("we alone read it", data))
            elif any(other.get(name, "") != value for name, value in mine.items() if value.isascii()):
                wrong.append((f"{mine} is {other} to DCMTK", data))
            if (read := third(data)) is None:
                told["pydicom raises"] += 1
            elif any(read[name].strip(" \0") != value for name, value in mine.items() if value.isascii()):
                wrong.append((f"{mine} is {read} to pydicom", data))
    for number, (_, data) in enumerate(wrong):
        (folder / f"wrong{number}.dcm").write_bytes(data)
    assert not wrong, f"{len(wrong)} of {count}: {[what for what, _ in wrong[:5]]}, kept in {folder}"
    return told


needs_dcmtk = pytest.mark.skipif(not shutil.which("dcmdump"), reason="DCMTK is not installed")


@pytest.mark.peer
@needs_dcmtk
@pytest.mark.parametrize("count", [5_000, pytest.param(50_000, marks=pytest.mark.nightly)])
def test_damaged_files_beside_dcmtk(tmp_path: Path, count: int) -> None:
    told = hold(tmp_path, count)
    assert told["both read"] > count / 10 and told["we refuse"] + told["both refuse"] > count / 10
    assert told["pydicom raises"] < told["both read"] / 10, "what we accept pydicom reads, and reads alike"


@needs_dcmtk
def test_an_identity_that_is_read_otherwise_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = ours

    def wrong(data: bytes) -> dict[str, str] | str:
        mine = honest(data)
        return mine if isinstance(mine, str) else {**mine, "patient": "X"}

    monkeypatch.setitem(globals(), "ours", wrong)
    with pytest.raises(AssertionError, match="to DCMTK"):
        hold(tmp_path, 30)
