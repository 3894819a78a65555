"""De-identification: how many instances a second, and how many answers of the key are right.

    python benchmarks/bench_deidentify.py [--subjects 320] [--instances 600] [--heads 4] [--workers 2]

Speed: CT slices of 512 by 512 with 250 attributes, 120 of a patient, read from a folder and written to another, all
processes counted. Heads: virtual MR series whose faces are sought and taken out, from a folder and from a ZIP, whose
images wait encrypted.
Answers: people who never lived, of eight kinds of image (`testing.answer_key`), with 95 % intervals by Wilson.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import zipfile
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.dicom.deidentify import deidentify
from isocenter.dicom.header import read_header
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.dicom.release import release
from isocenter.dicom.scan import places
from isocenter.errors import IsocenterError

_IDENTIFIERS = ("text_removed", "uid_changed", "date_shifted", "uid_consistent", "patid_consistent")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=320)
    parser.add_argument("--instances", type=int, default=600)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    # An installed program keeps its compiled modules, and so do the processes that it starts.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if chosen.instances:
        speed(chosen.instances, chosen.workers)
    if chosen.heads:
        heads(chosen.heads, chosen.workers)
    if chosen.subjects:
        answers(chosen.subjects)


def speed(count: int, workers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        source.mkdir()
        for n, slice_ in enumerate(_slices(count)):
            (source / f"{n:06}.dcm").write_bytes(slice_)
        by = Pseudonyms(b"s" * 32)
        first = [file.read_bytes() for file in sorted(source.iterdir())[:240]]
        started = time.process_time()
        for data in first:
            deidentify(data, by=by)
        alone = len(first) / (time.process_time() - started)
        before, started = sum(os.times()[:4]), time.perf_counter()
        found = release(places(source), Path(folder) / "out", secret=b"s" * 32, workers=workers)
        took = time.perf_counter() - started
        server: Any = forkserver._forkserver
        server._stop()  # the time of its children is told only when it has ended
        spent = sum(os.times()[:4]) - before
    assert found.written == count, found.held_back[:2]
    print("| | instances/s |\n|---|---|")
    print(f"| one process, processor time, cleaning | {alone:.0f} |")
    print(
        f"| folder to folder by processor time of all processes, on {workers} cores | {workers * count / spent:.0f} |"
    )
    print(f"| {workers} processes, wall clock, folder to folder ({count} slices) | {count / took:.0f} |\n")


def heads(count: int, workers: int) -> None:
    """Series of heads with faces: the wall clock and the processor time of all processes, a series and an instance."""
    from isocenter.site.defacing import faces
    from isocenter.testing.phantoms import head

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        source.mkdir()
        files = [data for n in range(count) for data in head.patient(("T1", "T2")[n % 2], seed=n + 1).files]
        with zipfile.ZipFile(Path(folder) / "in.zip", "w", zipfile.ZIP_STORED) as packed:
            for n, data in enumerate(files):
                (source / f"{n:06}.dcm").write_bytes(data)
                packed.writestr(f"{n:06}.dcm", data)
        print(f"| {count} heads, {len(files)} instances, {workers} processes | written | s a series by the clock |"
              " s a series of processor | instances/s by the clock | by processor time of as many cores |\n"
              "|---|---|---|---|---|---|")  # fmt: skip
        for name, given in (("folder", source), ("ZIP, waiting encrypted", Path(folder) / "in.zip")):
            before, started = sum(os.times()[:4]), time.perf_counter()
            out = Path(folder) / name
            found = release(places(given), out, secret=b"s" * 32, workers=workers, faces=faces)
            took = time.perf_counter() - started
            server: Any = forkserver._forkserver
            server._stop()
            spent = sum(os.times()[:4]) - before
            print(
                f"| {name} | {found.written} | {took / count:.2f} | {spent / count:.2f} | {len(files) / took:.0f} |"
                f" {workers * len(files) / spent:.0f} |"
            )
        print()


def _slices(count: int) -> Iterator[bytes]:
    """CT slices as scanners write them: 250 attributes, two thirds private, 512 by 512 of 16 bits, 120 of one.

    From slice to slice the number, the place, the times, the tube current and the pixels are others; from patient to
    patient the name and number, the birth date and the study.
    """
    import io

    import pydicom
    from pydicom.data import get_testdata_file

    ds = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    ds.Rows = ds.Columns = 512
    ds.BitsStored, ds.HighBit = 16, 15
    del ds.file_meta.MediaStorageSOPInstanceUID
    if "DataSetTrailingPadding" in ds:
        del ds.DataSetTrailingPadding
    rng = np.random.default_rng(1)
    pixels = rng.normal(0, 300, (512, 512)).astype(np.int16)
    for n in range(count):
        patient, slice_ = divmod(n, 120)
        ds.PatientName, ds.PatientID = f"Quaxelberg^Anna{patient}", f"MRN-{patient:07}"
        ds.PatientBirthDate, ds.AccessionNumber = f"{1930 + patient % 70}0412", f"A{patient:08}"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.826.0.1.7.{patient}", f"1.2.826.0.1.7.{patient}.1"
        ds.SOPInstanceUID, ds.InstanceNumber = f"1.2.826.0.1.7.{patient}.1.{slice_}", slice_ + 1
        ds.ImagePositionPatient = [-150.0, -160.0, -75.0 + 1.25 * slice_]
        ds.SliceLocation = -75.0 + 1.25 * slice_
        ds.AcquisitionTime = ds.ContentTime = f"1014{slice_ // 10:02}.{slice_:03}"
        ds.XRayTubeCurrent = int(rng.integers(120, 320))
        ds.PixelData = np.roll(pixels, int(rng.integers(pixels.size))).tobytes()
        out = io.BytesIO()
        pydicom.dcmwrite(out, ds, enforce_file_format=True)
        yield out.getvalue()


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
