"""Series as large as anybody reads, and a machine's answer with a hundred segments: for speed and for memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import numpy as np

from isocenter.reading.disclosure import Mode, Use
from isocenter.record import Event, Finding, Kind, Origin, Outcome, Result, canonical, codes
from isocenter.site.verbs import Site as Archive
from isocenter.site.volumes import volumes_of
from isocenter.space import Region
from isocenter.testing.phantoms.patient import Person, new, put_pixels, written


def series(name: str, slices: int, edge: int, number: int, study: str = "Bench chest") -> Iterator[bytes]:
    """A CT with a texture that no compression flatters."""
    person = Person("ISO-BENCH", "PHANTOM^BENCH", "O", "19700101", 1.7, 70.0)
    rng = np.random.default_rng(number)
    noise = rng.integers(900, 1200, (edge, edge), dtype=np.uint16)
    ds = new("bench", person, seed=1, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", study=study,
             series=name, at=datetime(2026, 11, 1, 9), series_number=number, body_part="CHEST")  # fmt: skip
    ds.FrameOfReferenceUID, ds.PixelSpacing = f"1.2.3.{number}", [400 / edge, 400 / edge]
    ds.ImageOrientationPatient, ds.SliceThickness = [1, 0, 0, 0, 1, 0], 1.0
    ds.RescaleSlope, ds.RescaleIntercept, ds.WindowCenter, ds.WindowWidth = 1, -1024, 40, 400
    for k in range(slices):
        ds.ImagePositionPatient = [-200.0, -200.0, float(k)]
        put_pixels(ds, np.roll(noise, k * 7, axis=0), bits=16)
        yield written(ds, k + 1)


def segmented(words: str) -> Callable[[Archive], None]:
    """What puts an answer with a hundred balls on the study of that description."""

    def put(archive: Archive) -> None:
        _answered(archive, next(one.uid for one in archive.index.studies() if one.description == words))

    return put


def _answered(archive: Archive, study_uid: str) -> None:
    study = archive.index.study(study_uid)
    (series,) = study.series
    grid = volumes_of(series, archive.blobs.get)[0].geometry
    index = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (33, 33, 33)), indexing="ij"), axis=-1)
    ball = ((index - 16) ** 2).sum(axis=-1) <= 15**2
    found = []
    for n, (row, column) in enumerate(np.ndindex(10, 10)):
        mask = np.zeros(grid.shape, dtype=bool)
        start = (20 + n % 5 * 20, 30 + row * 45, 30 + column * 45)
        mask[tuple(slice(a, a + 33) for a in start)] = ball
        where = Region(grid, mask=mask, series_uid=series.uid, label=f"segment {n + 1}")
        found.append(Finding(codes.REGION, where=where, words=f"Segment {n + 1}", tracking=f"2.25.{n + 1}"))
    result = Result(
        study.uid, Outcome.FOUND, Origin("machine", "volumetry", "1"), archive.clock(), findings=tuple(found)
    )
    archive.set_mode("volumetry", Use.READING, Mode.CONCURRENT, reason="a benchmark")
    digest = archive.blobs.put(canonical(result))
    archive.journal.append(Event(Kind.RESULT_MADE, archive.clock(), "isocenter", study.uid, {"result": digest}))
