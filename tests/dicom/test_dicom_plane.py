"""Images without a place in the patient, on the samples that pydicom ships."""

from __future__ import annotations

import io

import made
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from isocenter.dicom.assemble import assemble
from isocenter.dicom.pixels import rendered
from isocenter.dicom.plane import plane
from isocenter.errors import LimitReached, Refused
from isocenter.space import Reference


def test_an_ultrasound_cine_sample() -> None:
    series, read = made.record([(made.SAMPLES / "examples_ybr_color.dcm").read_bytes()])
    (volume,) = assemble(series, read)
    assert volume.array.shape == (30, 3, 1, 240, 320) and volume.array.dtype == np.uint8
    assert [a.name for a in volume.axes] == ["time", "channel"] and volume.axes[0].unit == "s"
    assert np.all(np.diff(volume.axes[0].values) > 0)


def test_a_radiograph_in_monochrome1_sample() -> None:
    path = made.SAMPLES / "dicomdirtests" / "77654033" / "CR1" / "6154"
    series, read = made.record([path.read_bytes()])
    (volume,) = assemble(series, read)
    assert volume.facts["InvertedFromMonochrome1"] is True and volume.geometry.reference is not Reference.PATIENT
    assert volume.array.min() >= 0


def test_each_radiograph_of_a_series_is_a_volume_of_its_own() -> None:
    files = [made.made(n, sop_class=made.DX, modality="DX", ViewPosition=view) for n, view in ((1, "PA"), (2, "LL"))]
    series, read = made.record(files)
    found = assemble(series, read)
    assert [v.facts["ViewPosition"] for v in found] == ["PA", "LL"] and [len(v.instance_uids) for v in found] == [1, 1]


def test_a_cine_that_would_fill_the_memory_is_refused_before_it_is_decoded() -> None:
    from dataclasses import replace

    series, read = made.record([made.made(1, modality="US", sop_class=made.US)])
    large = replace(series.instances[0], rows=10000, columns=10000, frames=1000)
    with pytest.raises(LimitReached, match=r"1000 frames.*372\.5 GiB, and one image may take 4"):
        plane(series, large, read(large.digest))


def with_table(entries: int) -> bytes:
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [4, 1000, 16], np.arange(10, 10 + entries, dtype=np.uint16).tobytes()
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "OW"
    pixels = np.array([[0, 1000, 1001], [1002, 1003, 5000]], np.uint16)
    return made.made(1, sop_class=made.DX, modality="DX", pixels=pixels, ModalityLUTSequence=[table])


def test_a_modality_table_turns_stored_into_real_values() -> None:
    series, read = made.record([with_table(4)])
    (volume,) = assemble(series, read)
    assert volume.array[0].tolist() == [[10, 10, 11], [12, 13, 13]] and volume.facts["ModalityLUT"] is True


def test_a_modality_table_that_is_too_short_refuses() -> None:
    series, read = made.record([with_table(2)])
    with pytest.raises(Refused, match="Modality LUT of 2 entries where 4"):
        assemble(series, read)


@pytest.mark.parametrize(("syntax", "lossy"), [(pydicom.uid.JPEG2000, True), (pydicom.uid.JPEG2000Lossless, False)])
def test_a_wavelet_that_loses_is_told_where_the_header_is_silent(syntax: str, lossy: bool) -> None:
    """The statistics of speckle were taken from a picture that JPEG 2000 had smoothed."""
    speckle = np.random.default_rng(1).integers(0, 255, (64, 64), np.uint8)
    data = made.made(1, modality="US", sop_class=made.US, pixels=speckle)
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.compress(syntax, generate_instance_uid=False, **({"j2k_cr": [8]} if lossy else {}))
    for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if keyword in ds:
            delattr(ds, keyword)
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    series, read = made.record([out.getvalue()])
    (volume,) = assemble(series, read)
    assert (volume.facts.get("LossyImageCompression") == "01") is lossy


@pytest.mark.parametrize("said", [8, 16])
def test_a_palette_of_bytes_in_words_is_not_black(said: int) -> None:
    """A maker that writes each entry of 8 bits into a word had its pictures shown without light."""
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    ds = pydicom.dcmread(io.BytesIO(made.made(1, modality="US", sop_class=made.US, pixels=levels)))
    ds.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, said])
        ds[f"{colour}PaletteColorLookupTableDescriptor"].VR = "US"
        setattr(ds, f"{colour}PaletteColorLookupTableData", np.arange(256, dtype="<u2").tobytes())
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    series, read = made.record([out.getvalue()])
    (volume,) = assemble(series, read)
    assert np.array_equal(volume.array[0, 0], levels)
    shown = np.asarray(Image.open(io.BytesIO(rendered(out.getvalue()))).convert("RGB"))
    assert np.array_equal(shown[..., 0], levels)
