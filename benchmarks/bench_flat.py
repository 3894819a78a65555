"""Does receiving slow down as the archive grows? Small images over five associations, from nothing to 200,000.

    python benchmarks/bench_flat.py [--instances 200000] [--folder FOLDER]

Images are 64 x 64, so that the disk does not hide what the index costs. Rates are of windows of 5,000 images at
the counts that are named; senders and receiver share the machine. Beside the rate stands the processor time that the
receiver took for each image: on a machine that does other things meanwhile, that alone tells whether receiving slows.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

_SENDERS, _WINDOW = 5, 5_000


def template() -> bytes:
    """A CT image whose UIDs are placeholders of fixed length."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    held = Dataset()
    held.file_meta = FileMetaDataset()
    held.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    held.SOPClassUID = held.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    held.SOPInstanceUID = held.file_meta.MediaStorageSOPInstanceUID = "1.9.1.1000000000"
    held.StudyInstanceUID, held.SeriesInstanceUID = "1.9.3.1000000000", "1.9.2.1000000000"
    held.PatientID, held.PatientName, held.Modality = "B1000000000", "Bench^Flat", "CT"
    held.StudyDate, held.StudyTime, held.AccessionNumber, held.StudyID = "20260101", "120000", "", "1"
    held.SeriesNumber, held.InstanceNumber, held.FrameOfReferenceUID = 1, 1, "1.9.4"
    held.ImagePositionPatient, held.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    held.PixelSpacing, held.SliceThickness = [1, 1], 1
    held.Rows = held.Columns = 64
    held.BitsAllocated, held.BitsStored, held.HighBit, held.PixelRepresentation = 16, 12, 11, 0
    held.SamplesPerPixel, held.PhotometricInterpretation = 1, "MONOCHROME2"
    held.RescaleIntercept, held.RescaleSlope = -1024, 1
    held.PixelData = np.random.default_rng(0).integers(0, 4096, (64, 64), np.uint16).tobytes()
    made = io.BytesIO()
    held.save_as(made, enforce_file_format=True)
    return made.getvalue()


def send(port: int, first: int, count: int) -> None:
    """Store `count` images, 500 a series and 1,000 a study."""
    from isocenter.doors.dimse_scu import Peer, Sender

    pattern = template()
    with Sender(Peer("ISOCENTER", "127.0.0.1", port), calling="BENCH", timeout_s=60) as sender:
        for n in range(first, first + count):
            data = pattern.replace(b"1.9.1.1000000000", b"1.9.1.1%09d" % n)
            data = data.replace(b"1.9.2.1000000000", b"1.9.2.1%09d" % (n // 500))
            data = data.replace(b"1.9.3.1000000000", b"1.9.3.1%09d" % (n // 1000))
            data = data.replace(b"B1000000000", b"B1%09d" % (n // 1000))
            if not sender.send(data).ok:
                raise SystemExit(f"image {n} was not taken")


def main() -> None:
    from isocenter.app import open_house
    from isocenter.govern.policy import HOUSE
    from isocenter.settings import Settings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=200_000)
    parser.add_argument("--folder", default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        house = open_house(Settings(folder=Path(folder) / "a", peers="BENCH@127.0.0.1:104", dicom_port=0), server=True)
        house.add_known_peers()
        house.start_listening()
        seen: list[tuple[int, float, float]] = []
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                seen.append((house.site.counts(who=HOUSE)["instances"], time.perf_counter(), time.process_time()))
                done.wait(0.25)

        each = chosen.instances // _SENDERS // 1000 * 1000
        context = multiprocessing.get_context("spawn")
        senders = [context.Process(target=send, args=(house.dicom_port, i * each, each)) for i in range(_SENDERS)]
        watcher = threading.Thread(target=watch)
        started = time.perf_counter()
        for one in senders:
            one.start()
        watcher.start()
        for one in senders:
            one.join()
        done.set()
        watcher.join()
        total = house.site.counts(who=HOUSE)["instances"]
        house.close()
    print(f"{total} images of 64 x 64 over {_SENDERS} associations in {time.perf_counter() - started:.0f} s\n")
    print("| images there | images/s over the next 5,000 | of the first | processor of each | of the first |")
    print("|---|---|---|---|---|")
    first, cost = window(seen, 1_000)
    for count in (1_000, 10_000, 25_000, 50_000, 100_000, 150_000, 190_000):
        if count + _WINDOW <= total:
            rate, each_s = window(seen, count)
            print(f"| {count:,} | {rate:.0f} | {rate / first:.2f} | {each_s * 1000:.2f} ms | {each_s / cost:.2f} |")


def window(seen: list[tuple[int, float, float]], count: int) -> tuple[float, float]:
    """Images a second from a count on, and seconds of processor time of each."""
    start = next(s for s in seen if s[0] >= count)
    stop = next((s for s in seen if s[0] >= count + _WINDOW), seen[-1])
    many = stop[0] - start[0]
    return many / (stop[1] - start[1]), (stop[2] - start[2]) / many


if __name__ == "__main__":
    main()
