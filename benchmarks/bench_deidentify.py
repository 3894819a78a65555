"""De-identification: how many instances a second, and how many answers of the key are right.

    python benchmarks/bench_deidentify.py [--subjects 320] [--instances 600] [--workers 2]

Speed: CT slices of 512 by 512 with 110 attributes, read from a folder and written to another, all processes counted.
Answers: people who never lived, of eight kinds of image (`testing.answer_key`), with 95 % intervals by Wilson.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from isocenter.dicom.deidentify import deidentify
from isocenter.dicom.header import read_header, scan
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.dicom.release import release
from isocenter.errors import IsocenterError

_IDENTIFIERS = ("text_removed", "uid_changed", "date_shifted", "uid_consistent", "patid_consistent")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=320)
    parser.add_argument("--instances", type=int, default=600)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.instances:
        speed(chosen.instances, chosen.workers)
    if chosen.subjects:
        answers(chosen.subjects)


def speed(count: int, workers: int) -> None:
    slice_ = _slice()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        source.mkdir()
        for n in range(count):
            (source / f"{n:06}.dcm").write_bytes(slice_.replace(b"1.2.826.0.1.777777", b"1.2.826.0.1.%06d" % n))
        by = Pseudonyms(b"s" * 32)
        started = time.process_time()
        for file in sorted(source.iterdir())[:100]:
            deidentify(file.read_bytes(), by=by)
        alone = min(count, 100) / (time.process_time() - started)
        before, started = sum(os.times()[:4]), time.perf_counter()
        found = release(scan(source), Path(folder) / "out", secret=b"s" * 32, workers=workers)
        took, spent = time.perf_counter() - started, sum(os.times()[:4]) - before
    assert found.written == count, found.held_back[:2]
    print("| | instances/s |\n|---|---|")
    print(f"| one process, processor time, reading and cleaning | {alone:.0f} |")
    print(f"| the same by processor time of all of them, on {workers} cores | {workers * count / spent:.0f} |")
    print(f"| {workers} processes, wall clock, folder to folder ({count} slices) | {count / took:.0f} |\n")


def _slice() -> bytes:
    """A CT slice as scanners write it: about 110 attributes with private ones, 512 by 512 of 16 bits."""
    import io

    import pydicom
    from pydicom.data import get_testdata_file

    ds = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    rng = np.random.default_rng(1)
    ds.Rows = ds.Columns = 512
    ds.BitsStored, ds.HighBit = 16, 15
    ds.PixelData = rng.normal(0, 300, (512, 512)).astype(np.int16).tobytes()
    ds.SOPInstanceUID = "1.2.826.0.1.777777"
    del ds.file_meta.MediaStorageSOPInstanceUID
    if "DataSetTrailingPadding" in ds:
        del ds.DataSetTrailingPadding
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def answers(count: int) -> None:
    # Not above: every process that cleans begins by reading this file, and would load them.
    from isocenter.methods.intervals import wilson
    from isocenter.testing.answer_key import MODALITIES, score, subject

    people = [subject(n, list(MODALITIES)[n % len(MODALITIES)]) for n in range(count)]
    by = Pseudonyms(b"s" * 32)
    for blank in (True, False):
        copies: dict[str, bytes | None] = {}
        for data in (f for s in people for f in s.files):
            uid = read_header(data).series[0].instances[0].sop_uid
            try:
                copies[uid] = deidentify(data, by=by, blank=blank).data
            except IsocenterError:
                copies[uid] = None
        found, _ = score(people, copies)
        held = sum(c is None for c in copies.values())
        how = "found writing blanked" if blank else "found writing held back (the default)"
        print(f"{count} subjects, {len(copies)} instances, {held} held back; {how}\n\n| kind | right | of | % | 95 % |")
        print("|---|---|---|---|---|")
        rows = dict(found)
        rows["all kinds"] = (sum(r for r, _ in found.values()), sum(n for _, n in found.values()))
        rows["identifiers"] = (sum(found[k][0] for k in _IDENTIFIERS), sum(found[k][1] for k in _IDENTIFIERS))
        for kind, (right, of) in rows.items():
            share = wilson(right, of)
            print(
                f"| {kind} | {right} | {of} | {100 * right / of:.2f} | {100 * share.low:.2f}-{100 * share.high:.2f} |"
            )
        print()


if __name__ == "__main__":
    main()
