"""How bright a header has values shown, beside pydicom's own transformations."""

from __future__ import annotations

import io
from typing import Any

import made
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from isocenter.dicom.assemble import assemble
from isocenter.methods.film_view import as_shown

WORDS = np.arange(0, 4096, 5, dtype=np.uint16)[:800].reshape(20, 40)
FALLING = np.round(4095 * np.exp(-np.arange(4096) / 1500.0)).astype(np.uint16)


def table(entries: np.ndarray, first: int = 0, bits: int = 12, signed: bool = False) -> list[Dataset]:
    held = Dataset()
    held.add_new(0x00283002, "SS" if signed else "US", [len(entries) % 65536, first, bits])
    held.add_new(0x00283006, "OW", entries.astype("<u2").tobytes())
    held.ModalityLUTType = "US"
    return [held]


def film(**facts: Any) -> bytes:
    how = {"sop_class": made.DX, "modality": "DX", "BitsStored": 12, "HighBit": 11, **facts}
    return made.made(1, pixels=WORDS, **how)


def shown(**facts: Any) -> np.ndarray:
    (volume,) = assemble(*made.record([film(**facts)]))
    return as_shown(volume.array[0], volume.facts)


def by_pydicom(**facts: Any) -> np.ndarray:
    """0 to 1, bone white."""
    ds = pydicom.dcmread(io.BytesIO(film(**facts)))
    real = apply_modality_lut(WORDS, ds)
    whole = np.round(real).astype(np.int64) if "VOILUTSequence" in ds else real
    values = apply_voi_lut(whole, ds).astype(np.float64)
    top = 4095.0
    if ds.get("RescaleSlope") is not None and "VOILUTSequence" not in ds:  # a window is spread over what they may hold
        ends = [float(ds.RescaleSlope) * word + float(ds.RescaleIntercept) for word in (0, 4095)]
        values, top = values - min(ends), abs(ends[1] - ends[0])
    parts = values / (65535.0 if "ModalityLUTSequence" in ds else top)
    turned = ds.PhotometricInterpretation == "MONOCHROME1" or ds.get("PresentationLUTShape") == "INVERSE"
    return 1.0 - parts if turned else parts


@pytest.mark.parametrize("turned", ["", "MONOCHROME1", "INVERSE"])
@pytest.mark.parametrize(
    "how",
    [
        {"WindowCenter": [1500, 900], "WindowWidth": [2500, 800]},
        {"WindowCenter": 1500, "WindowWidth": 2500.5, "VOILUTFunction": "LINEAR_EXACT"},
        {"WindowCenter": 1500, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 500, "WindowWidth": 1500, "RescaleSlope": "0.5", "RescaleIntercept": "-100"},
        {"VOILUTSequence": table(FALLING)},
        {"VOILUTSequence": table(FALLING[:2500], first=700), "WindowCenter": 3, "WindowWidth": 9},
        {"VOILUTSequence": table(FALLING, first=-1024, signed=True), "RescaleSlope": 1, "RescaleIntercept": -1024},
        {"ModalityLUTSequence": table(FALLING, bits=16), "WindowCenter": 1500, "WindowWidth": 2500},
    ],
)
def test_a_header_is_followed_in_the_order_of_the_standard(how: dict[str, Any], turned: str) -> None:
    facts: dict[str, Any] = dict(how)
    if turned == "INVERSE":
        facts["PresentationLUTShape"] = turned
    elif turned:
        facts["PhotometricInterpretation"] = turned
    np.testing.assert_allclose(shown(**facts), by_pydicom(**facts), atol=2e-4)


def test_a_window_of_an_enhanced_object_stands_in_its_groups() -> None:
    window, group = Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth, window.VOILUTFunction = 1500, 2500, "LINEAR_EXACT"
    group.FrameVOILUTSequence = [window]
    ours = shown(SharedFunctionalGroupsSequence=[group])
    np.testing.assert_allclose(ours, np.clip((WORDS - 250.0) / 2500.0, 0, 1), atol=1e-6)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"WindowCenter": 1500, "WindowWidth": 0},
        {"WindowCenter": 30000, "WindowWidth": 200},  # of another picture
        {"VOILUTSequence": table(np.full(4096, 7))},
    ],
)
def test_without_a_window_that_fits_values_stay(how: dict[str, Any]) -> None:
    assert np.array_equal(shown(**how), WORDS)


def test_a_table_shorter_than_it_says_is_none() -> None:
    short = table(FALLING[:100])
    short[0].LUTDescriptor = [4096, 0, 12]
    assert np.array_equal(shown(VOILUTSequence=short), WORDS)


def test_letters_of_lead_on_a_film_without_a_window_are_no_brighter_than_the_film() -> None:
    lead = WORDS // 4
    lead[0, :5] = 4095
    seen = as_shown(lead, {})
    assert seen.max() == WORDS[1:].max() // 4 and np.array_equal(seen[1:], lead[1:])
    lead[0, :], lead[1, :20] = 4095, 4095  # a white lung is none
    assert np.array_equal(as_shown(lead, {}), lead)
