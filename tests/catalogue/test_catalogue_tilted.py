"""Slices that step obliquely, as with a tilted gantry, lie closer than they step: volumes follow their normal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
from phantom_studies import Asked, prepared

from isocenter.record import Result
from isocenter.testing.phantoms import coronary, heart, stroke_ct

BOLUS = {"size": 64, "slices": 4, "step_mm": 8.0, "times_s": tuple(np.arange(26) * 1.6)}
STUDIES = (
    Asked("ct_perfusion", lambda: stroke_ct.patient(**BOLUS).files, {"correct_motion": False}),  # type: ignore[arg-type]
    Asked("coronary_calcium", lambda: coronary.patient().files),
    Asked("cardiac_cine", lambda: heart.patient(seed=3, phases=8, slices=11, size=96).files),
)


def sheared(files: Sequence[bytes]) -> list[bytes]:
    """Each slice moved along its columns by 0.36 of its height, a gantry of 20 degrees; planes stay as far apart."""
    made = []
    for data in files:
        ds = pydicom.dcmread(io.BytesIO(data))
        row, column = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
        place = np.array(ds.ImagePositionPatient, float)
        moved = place + 0.36 * float(place @ np.cross(row, column)) * column
        ds.ImagePositionPatient = [round(float(v), 5) for v in moved]
        out = io.BytesIO()
        ds.save_as(out)
        made.append(out.getvalue())
    return made


@pytest.mark.parametrize("asked", STUDIES, ids=lambda a: a.analysis)
def test_a_sheared_stack_measures_the_same(asked: Asked, tmp_path: Path) -> None:
    def numbers(files: Sequence[bytes], folder: Path) -> dict[tuple[str, str, str], float]:
        (one,) = prepared(files, asked, folder)
        result: Result = one.done()
        assert result.measurements, result.reasons
        return {(str(m.what), m.definition, m.unit): m.value for m in result.measurements}

    files = asked.files()
    straight, tilted = numbers(files, tmp_path / "straight"), numbers(sheared(files), tmp_path / "tilted")
    assert tilted == pytest.approx(straight, rel=1e-4)
