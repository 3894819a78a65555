"""What the quiet process loads is what cleaning a slice needs, so that none of its children loads it again."""

from __future__ import annotations

import importlib
import io
import sys

import numpy as np
from pydicom import dcmread
from pydicom.data import get_testdata_file

from isocenter.dicom import drawn_values
from isocenter.dicom.deidentify import deidentify
from isocenter.dicom.pseudonyms import Pseudonyms


def test_after_it_an_ordinary_slice_loads_nothing_more() -> None:
    importlib.import_module("isocenter.dicom.cleaning_once")
    image = dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    pixels = np.random.default_rng(5).normal(400, 60, (image.Rows, image.Columns)).astype(np.int16)
    pixels[::9, ::9] = 430  # often enough to be asked of its neighbours, and never beside itself
    image.PixelData = pixels.tobytes()
    file = io.BytesIO()
    image.save_as(file)
    modules, compiled = set(sys.modules), _signatures()
    assert deidentify(file.getvalue(), by=Pseudonyms(b"k" * 32)).pixels.state == "clean"
    assert all(compiled.values()), f"not loaded: {compiled}"
    assert _signatures() == compiled
    new = set(sys.modules) - modules
    assert not new, f"loaded by every process anew: {sorted(new)[:5]}"


def _signatures() -> dict[str, int]:
    return {name: len(getattr(drawn_values, name).signatures) for name in ("_counts", "_spikes", "_beside")}
