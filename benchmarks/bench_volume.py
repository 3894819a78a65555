"""Series to Volume: 200 slices of 512 x 512, beside SimpleITK and a plain pydicom loop, in one run.

python benchmarks/bench_volume.py [--slices 200] [--repeat 5]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.data import get_testdata_file

from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import merge, read_header


def series(slices: int) -> list[bytes]:
    """A native CT series with noise, 2 mm apart."""
    rng = np.random.default_rng(0)
    made = []
    for k in range(slices):
        held = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
        held.Rows = held.Columns = 512
        held.PixelData = rng.integers(-1000, 2000, (512, 512), dtype=np.int16).tobytes()
        held.ImagePositionPatient = [-158.1, -179.0, -75.7 + 2 * k]
        held.InstanceNumber = k + 1
        held.SOPInstanceUID = held.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{k + 1}"
        buffer = io.BytesIO()
        held.save_as(buffer)
        made.append(buffer.getvalue())
    return made


def timed(work: Callable[[], np.ndarray], repeat: int) -> tuple[list[float], np.ndarray]:
    work()
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - started)
    return times, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=5)
    chosen = parser.parse_args()
    files = series(chosen.slices)
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for number, data in enumerate(files):
            path = Path(folder) / f"{number:04}.dcm"
            path.write_bytes(data)
            paths[hashlib.sha256(data).hexdigest()] = path
        (study,) = merge(read_header(data) for data in files)

        def ours() -> np.ndarray:
            return assemble(study.series[0], lambda digest: paths[digest].read_bytes())[0].array

        def simpleitk() -> np.ndarray:
            import SimpleITK as sitk

            reader = sitk.ImageSeriesReader()
            reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder))
            return sitk.GetArrayFromImage(reader.Execute())

        def loop() -> np.ndarray:
            held = [pydicom.dcmread(p) for p in paths.values()]
            held.sort(key=lambda d: float(d.ImagePositionPatient[2]))
            return np.stack([d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in held])

        rows = [(name, *timed(work, chosen.repeat)) for name, work in
                (("isocenter", ours), ("SimpleITK", simpleitk), ("pydicom loop", loop))]  # fmt: skip
        own = statistics.median(rows[0][1])
        print(f"{chosen.slices} x 512 x 512, {chosen.repeat} runs after one to warm up, files in page cache\n")
        print("| reader | median s | min-max | times ours | equal to ours |")
        print("|---|---|---|---|---|")
        for name, times, array in rows:
            same = bool(np.array_equal(array.astype(np.float32), rows[0][2].astype(np.float32)))
            median = statistics.median(times)
            print(f"| {name} | {median:.3f} | {min(times):.3f}-{max(times):.3f} | {median / own:.1f} | {same} |")


if __name__ == "__main__":
    main()
