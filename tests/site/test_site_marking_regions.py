"""Lengths that a reader draws where calibrated regions of an ultrasound picture overlap."""

from __future__ import annotations

import copy
import io

import numpy as np
import pydicom
import pytest

from isocenter.dicom.header import merge, read_header
from isocenter.site.marking import Drawn, measured
from isocenter.testing.phantoms import ultrasound


@pytest.mark.parametrize(("low", "unit"), [((1, 0), "mm"), ((0, 0), "{pixels}")])
def test_a_length_has_the_scale_of_the_region_on_top(low: tuple[int, int], unit: str) -> None:
    """Until then it had that of the first region that held it, whichever was drawn over the other."""
    ds = pydicom.dcmread(io.BytesIO(ultrasound.patient().files[0]))
    whole = ds.SequenceOfUltrasoundRegions[0]
    inset = copy.deepcopy(whole)
    inset.PhysicalDeltaX = inset.PhysicalDeltaY = 0.01  # 0.1 mm
    whole.RegionFlags, inset.RegionFlags = low
    ds.SequenceOfUltrasoundRegions = [whole, inset]
    out = io.BytesIO()
    ds.save_as(out)
    (study,) = merge([read_header(out.getvalue())])
    x, y = whole.RegionLocationMinX0 + 20, whole.RegionLocationMinY0 + 20
    line = Drawn("length", np.array([[x, y], [x + 100.0, y]]), study.series[0].uid, ds.SOPInstanceUID)
    made = measured(study, line, lambda _: out.getvalue())
    (number,) = made.measurements or ()
    assert (number.unit, number.value) == (unit, pytest.approx(10.0 if unit == "mm" else 100.0))
