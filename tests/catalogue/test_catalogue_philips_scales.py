"""Philips scales each image for itself: echoes, fat and water, and slices are brought to one scale, or refused."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from phantom_studies import Asked, files_of, prepared
from real_series import loaded

from isocenter.catalogue.one_scan import on_one_scale, on_one_scale_in_space
from isocenter.catalogue.radiomics import Radiomics
from isocenter.errors import Refused
from isocenter.record import Outcome, Result
from isocenter.space import Geometry, Region, Volume

Place = tuple[float, float, str]


def chance(*of: object) -> float:
    """0.6 to 1.4, always the same for the same."""
    return 0.6 + 0.8 * (int(hashlib.md5(repr(of).encode(), usedforsecurity=False).hexdigest(), 16) % 1000) / 1000


def by_image(*place: object) -> tuple[float, float]:
    return 2.0 * chance(*place), 1.3 * chance(*place, 1)


def by_slice(height: float, echo_ms: float, series: str) -> tuple[float, float]:
    return by_image(height)


def philips(
    files: Sequence[bytes], scales: Callable[[float, float, str], tuple[float, float]] = by_image, *,
    stated: bool = True,
) -> list[bytes]:  # fmt: skip
    """The magnitudes stored as signal x Scale Slope, with a Rescale Slope that says nothing of it."""
    made = []
    for data in files:
        ds = pydicom.dcmread(io.BytesIO(data))
        if ds.Modality == "MR":
            ds.Manufacturer = "Philips Medical Systems"
            if not {"P", "PHASE"} & set(ds.ImageType):
                height = round(float(ds.ImagePositionPatient[2]), 2)
                scale, rescale = scales(height, float(ds.get("EchoTime") or 0), str(ds.SeriesInstanceUID))
                signal = ds.pixel_array * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
                ds.PixelRepresentation, ds.BitsStored, ds.HighBit = 0, 16, 15
                ds.PixelData = np.round(signal * scale).astype(np.uint16).tobytes()
                ds.RescaleSlope, ds.RescaleIntercept = f"{rescale:.6f}", 0
                if stated:
                    block = ds.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
                    block.add_new(0x0E, "FL", scale)
        out = io.BytesIO()
        ds.save_as(out)
        made.append(out.getvalue())
    return made


def answered(name: str, files: Sequence[bytes], folder: Path) -> Result:
    (run,) = prepared(files, Asked(name, lambda: files), folder)
    return run.done()


@pytest.mark.parametrize("name", ["liver_fat_iron", "abdominal_fat"])
def test_images_that_are_each_scaled_for_themselves_measure_as_plain_ones(name: str, tmp_path: Path) -> None:
    """Slopes that differed within a slice as well as between them were not seen: 403 cm2 of fat for 394."""
    plain = answered(name, files_of(name), tmp_path / "plain")
    scaled = answered(name, philips(files_of(name)), tmp_path / "scaled")
    assert scaled.outcome is Outcome.FOUND, scaled.reasons
    numbers = [[m.value for m in one.measurements] for one in (scaled, plain)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-4)

    told = answered(name, philips(files_of(name), stated=False), tmp_path / "unstated")
    assert told.outcome is Outcome.DECLINED and "Scale Slope (2005,100E)" in told.reasons[0], told.reasons


def test_slices_alone_that_are_scaled_apart_hold_a_fat_fraction_all_the_same(tmp_path: Path) -> None:
    name = "liver_fat_iron"
    plain = answered(name, files_of(name), tmp_path / "plain")
    scaled = answered(name, philips(files_of(name), by_slice, stated=False), tmp_path / "scaled")
    assert [m.value for m in scaled.measurements] == pytest.approx([m.value for m in plain.measurements], rel=1e-4)


def test_the_scales_are_kept_image_by_image() -> None:
    volumes, _ = loaded(philips(files_of("liver_fat_iron")))
    held = next(v for v in volumes if "PerImage" in v.facts)
    echoes, slices = held.array.shape[:2]
    assert {k: len(v) for k, v in held.facts["PerImage"].items()} == {
        "RescaleSlope": echoes * slices, "PhilipsScaleSlope": echoes * slices,
    }  # fmt: skip
    plain, _ = loaded(files_of("liver_fat_iron"))
    same = next(v for v in plain if v.axes == held.axes and v.series_uid == held.series_uid)
    assert np.abs(on_one_scale(held).array - same.array).max() <= 1.0  # of several thousand: half a stored step


GRID = Geometry.regular(shape=(14, 16, 18), spacing_mm=(2.0, 2.0, 2.0), frame_of_reference="2.25.1")


def slices_of_philips(*, stated: bool) -> tuple[Volume, Volume]:
    signal = 100.0 + 30.0 * np.sin(np.indices(GRID.shape).sum(axis=0) * 0.7)
    rescale, scale = [1.0 + 0.1 * n for n in range(14)], [3.0 - 0.05 * n for n in range(14)]
    facts = {"Modality": "MR", "Manufacturer": "Philips", "ImageType": ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"]}
    plain = Volume(signal.astype(np.float32), GRID, "intensity", "{arbitrary}", facts=facts)
    by = (np.array(rescale) * np.array(scale))[:, None, None]
    each = {"RescaleSlope": rescale, **({"PhilipsScaleSlope": scale} if stated else {})}
    apart = replace(plain, array=(signal * by).astype(np.float32), facts={**facts, "PerImage": each})
    return plain, apart


def test_a_texture_across_slices_is_measured_on_one_scale() -> None:
    mask = np.zeros(GRID.shape, bool)
    mask[3:11, 3:13, 3:15] = True
    plain, apart = slices_of_philips(stated=True)
    lesion = (Region(GRID, mask=mask, label="lesion"),)
    numbers = [[m.value for m in Radiomics().run(v, lesion).findings[0].measurements] for v in (apart, plain)]
    assert len(numbers[0]) > 100 and numbers[0] == pytest.approx(numbers[1], rel=1e-3)
    assert on_one_scale_in_space(plain) is plain
    with pytest.raises(Refused, match="slices that are scaled apart and do not all state their scale"):
        Radiomics().run(slices_of_philips(stated=False)[1], lesion)
