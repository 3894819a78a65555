"""Frames decoded, raw and rendered."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import Any

import made
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.pixels import get_decoder

from isocenter.dicom import decoding
from isocenter.dicom.conformance import transfer_syntaxes
from isocenter.dicom.pixels import frames, raw_frame, rendered
from isocenter.dicom.whole import check_whole
from isocenter.errors import IsocenterError, LimitReached, NotFound, NotWhole, Refused

UNDECODABLE = {"JPEG2000-embedded-sequence-delimiter.dcm"}  # its code stream is damaged: no library opens it


def whole_images() -> list[Path]:
    found = []
    for path in sorted(made.SAMPLES.glob("*.dcm")):
        try:
            check_whole(path)
        except IsocenterError:
            continue
        if b"\xe0\x7f\x10\x00" in path.read_bytes() or b"\x7f\xe0\x00\x10" in path.read_bytes():
            found.append(path)
    return found


@pytest.mark.parametrize("path", whole_images(), ids=lambda p: p.name)
def test_every_sample_decodes_as_every_library_that_can(path: Path) -> None:
    data = path.read_bytes()
    if path.name in UNDECODABLE:
        with pytest.raises(Refused, match="cannot be decoded"):
            frames(data)
        return
    mine = frames(data)
    assert mine.ndim in (3, 4) and mine.shape[0] >= 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(io.BytesIO(data))
        decoder = get_decoder(ds.file_meta.TransferSyntaxUID)
        for plugin in decoder.available_plugins or ("",):
            try:
                theirs, _ = decoder.as_array(ds, decoding_plugin=plugin)
            except Exception:  # this library does not open it
                continue
            apart = np.abs(theirs.reshape(mine.shape).astype(np.int64) - mine.astype(np.int64)).max()
            lossy_colour = mine.ndim == 4 and str(ds.file_meta.TransferSyntaxUID).startswith("1.2.840.10008.1.2.4.5")
            assert apart <= (3 if lossy_colour else 0), plugin  # JPEG decoders round colours by themselves


def test_every_syntax_of_the_samples_stands_in_the_table() -> None:
    known = {s.uid for s in transfer_syntaxes()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        used = {str(pydicom.dcmread(p, stop_before_pixels=True).file_meta.TransferSyntaxUID) for p in whole_images()}
    assert used <= known and len(used) >= 11


def test_twelve_bit_extended_jpeg_is_decoded_by_simpleitk() -> None:
    array = frames((made.SAMPLES / "JPGExtended.dcm").read_bytes())
    assert array.shape == (1, 1024, 256) and array.dtype == np.uint16 and array.max() == 264


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it takes a file in the temporary folder")
def test_what_is_decoded_by_a_reader_of_files_reaches_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    assert decoding._last((made.SAMPLES / "JPGExtended.dcm").read_bytes()).max() == 264


@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.IMPLICIT, made.BIG, made.DEFLATED, made.RLE, made.J2K])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16])
def test_what_is_written_is_read(syntax: str, kind: Any) -> None:
    pixels = np.random.default_rng(3).integers(0, 120, (32, 40)).astype(kind)
    if syntax == made.BIG and kind == np.uint8:
        return
    assert np.array_equal(frames(made.made(pixels=pixels, syntax=syntax))[0], pixels)


def test_frames_are_chosen_by_number_in_any_order() -> None:
    pixels = np.arange(5 * 24, dtype=np.uint16).reshape(5, 4, 6)
    for syntax in (made.EXPLICIT, made.RLE):
        data = made.made(pixels=pixels, syntax=syntax)
        assert np.array_equal(frames(data, [3, 0, 3]), pixels[[3, 0, 3]])
        for wrong in (5, -1):
            with pytest.raises(NotFound, match="the image has 5"):
                frames(data, [wrong])


def test_float_pixels_and_planes_of_colour() -> None:
    ds = made.dataset(pixels=np.zeros((4, 6), np.uint16))
    del ds.PixelData
    values = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)
    ds.FloatPixelData, ds.BitsAllocated = values.tobytes(), 32
    assert np.array_equal(frames(made.written(ds))[0], values)
    colour = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    ds = made.dataset(pixels=colour)
    ds.PlanarConfiguration, ds.PixelData = 1, np.moveaxis(colour, -1, 0).tobytes()
    assert np.array_equal(frames(made.written(ds))[0], colour)


def test_what_has_no_pixels_or_too_few_says_so() -> None:
    sr = (made.SAMPLES / "test-SR.dcm").read_bytes()
    for call in (frames, lambda d: raw_frame(d, 0), rendered):
        with pytest.raises(Refused, match="no pixels"):
            call(sr)
    with pytest.raises(NotWhole):
        frames(made.made(Rows=100))
    with pytest.raises(LimitReached, match=r"50 frames of 335\.3 GiB.*8 GiB are decoded at once"):
        frames(made.made(Rows=60000, Columns=60000, NumberOfFrames=50))


# ---- raw


def test_raw_native_frames_are_little_endian_bytes() -> None:
    pixels = np.arange(3 * 24, dtype=np.uint16).reshape(3, 4, 6)
    for syntax in (made.EXPLICIT, made.IMPLICIT, made.BIG, made.DEFLATED):
        assert raw_frame(made.made(pixels=pixels, syntax=syntax), 2) == (pixels[2].tobytes(), made.EXPLICIT)
    with pytest.raises(NotFound):
        raw_frame(made.made(pixels=pixels), 3)


def test_raw_compressed_frames_are_the_fragments() -> None:
    data = (made.SAMPLES / "SC_rgb_rle_2frame.dcm").read_bytes()
    ds = pydicom.dcmread(io.BytesIO(data))
    from pydicom.encaps import generate_frames

    theirs = list(generate_frames(ds.PixelData, number_of_frames=2))
    assert [raw_frame(data, n)[0] for n in (0, 1)] == theirs and raw_frame(data, 1)[1] == made.RLE


def fragmented(table: bool) -> tuple[bytes, list[bytes]]:
    from pydicom.encaps import encapsulate

    stream = [b"\xff\x4f" + bytes([n]) * (20 + 2 * n) for n in range(3)]
    ds = made.dataset(pixels=np.zeros((3, 4, 6), np.uint16))
    ds.PixelData = encapsulate(stream, fragments_per_frame=2, has_bot=table)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = made.J2K
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue(), stream


@pytest.mark.parametrize("table", [True, False])
def test_frames_in_several_fragments_are_told_apart(table: bool) -> None:
    data, stream = fragmented(table)
    assert [raw_frame(data, n)[0] for n in range(3)] == stream


def test_fragments_that_nothing_tells_apart_refuse() -> None:
    data, _ = fragmented(False)
    with pytest.raises(Refused, match="tells them apart"):
        raw_frame(data.replace(b"\xff\x4f", b"\x00\x00"), 1)


# ---- rendered


def shown(data: bytes, **options: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(rendered(data, **options)))).astype(int)


RAMP = np.arange(0, 4000, 40, dtype=np.uint16).reshape(10, 10)


def test_window_of_the_header_and_window_asked_for() -> None:
    data = made.made(pixels=RAMP, WindowCenter=40, WindowWidth=400)
    hu = RAMP.astype(float) - 1024
    wanted = np.clip((hu - 39.5) / 399 + 0.5, 0, 1) * 255
    assert np.abs(shown(data) - wanted).max() <= 0.51
    lung = np.clip((hu - (-600 - 0.5)) / 1499 + 0.5, 0, 1) * 255
    assert np.abs(shown(data, window=(-600, 1500)) - lung).max() <= 0.51


def test_other_voi_functions() -> None:
    hu = RAMP.astype(float) - 1024
    exact = shown(made.made(pixels=RAMP, WindowCenter=0, WindowWidth=1000, VOILUTFunction="LINEAR_EXACT"))
    assert np.abs(exact - np.clip(hu / 1000 + 0.5, 0, 1) * 255).max() <= 0.51
    curve = shown(made.made(pixels=RAMP, WindowCenter=0, WindowWidth=1000, VOILUTFunction="SIGMOID"))
    assert np.abs(curve - 255 / (1 + np.exp(-4 * hu / 1000))).max() <= 0.51


def test_without_a_window_the_range_is_shown_and_nonsense_is_no_window() -> None:
    for odd in ({}, {"WindowCenter": 40, "WindowWidth": 0}):
        seen = shown(made.made(pixels=RAMP, **odd))
        assert seen[0, 0] == 0 and seen[-1, -1] == 255
    assert shown(made.made()).max() == 0  # one value throughout


def test_monochrome1_shows_bone_white() -> None:
    plain = shown(made.made(pixels=RAMP))
    turned = shown(made.made(pixels=RAMP, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(plain, 255 - turned)
    assert np.array_equal(shown(made.made(pixels=RAMP, PresentationLUTShape="INVERSE")), turned)


def test_a_voi_table_is_used() -> None:
    table = pydicom.Dataset()
    table.LUTDescriptor, table.LUTData = (
        [4096, 0, 16],
        np.arange(65535, 65535 - 4096 * 15, -15, dtype=np.uint16).tobytes(),
    )
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "OW"
    seen = shown(made.made(pixels=RAMP, VOILUTSequence=[table], RescaleIntercept=0))
    assert seen[0, 0] == 255 and seen[-1, -1] == round((65535 - 3960 * 15) / 65535 * 255), "of all its bits"


def test_colours_palettes_and_ybr() -> None:
    for name, spread in (("examples_palette.dcm", 50), ("examples_rgb_color.dcm", 50), ("examples_ybr_color.dcm", 50)):
        seen = shown((made.SAMPLES / name).read_bytes())
        assert seen.ndim == 3 and seen.shape[-1] == 3 and len(np.unique(seen)) > spread
    deep = shown((made.SAMPLES / "SC_rgb_rle_16bit.dcm").read_bytes())
    assert deep.max() == 255
    plain, ybr = (shown((made.SAMPLES / n).read_bytes()) for n in ("SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_rle.dcm"))
    assert np.abs(plain - ybr).mean() < 12  # the same chart: JPEG with YBR beside RLE with RGB


@pytest.mark.parametrize(("rows", "columns"), [(512, 512), (300, 517), (701, 1000), (64, 900)])
def test_a_thumbnail_of_means_looks_like_one_of_all_pixels(rows: int, columns: int) -> None:
    """It has the edges of the whole picture made small, and its greys within a hundredth."""
    y, x = np.mgrid[0:rows, 0:columns]
    values = (2000 + 1500 * np.sin(x / columns * 6) * np.cos(y / rows * 4)).astype(np.uint16)
    data = made.made(pixels=values, WindowCenter=976, WindowWidth=4000)
    small = shown(data, size=100)
    whole = Image.fromarray(shown(data).astype(np.uint8))
    whole.thumbnail((100, 100))
    assert small.shape == np.asarray(whole).shape
    assert np.abs(small - np.asarray(whole).astype(int)).max() <= 8
    assert np.abs(small - np.asarray(whole).astype(int)).mean() < 2.55


def test_a_thumbnail_keeps_its_shape_and_is_never_enlarged() -> None:
    data = made.made(pixels=np.zeros((200, 100), np.uint16))
    assert shown(data, size=50).shape == (50, 25) and shown(data, size=5000).shape == (200, 100)


def test_enhanced_frames_use_the_window_of_their_group() -> None:
    group = pydicom.Dataset()
    voi, transform = pydicom.Dataset(), pydicom.Dataset()
    voi.WindowCenter, voi.WindowWidth = 500, 1000
    transform.RescaleSlope, transform.RescaleIntercept = 2, 0
    group.FrameVOILUTSequence, group.PixelValueTransformationSequence = [voi], [transform]
    data = made.made(
        pixels=RAMP[None], RescaleSlope=None, RescaleIntercept=None, PerFrameFunctionalGroupsSequence=[group]
    )
    wanted = np.clip((RAMP * 2.0 - 499.5) / 999 + 0.5, 0, 1) * 255
    assert np.abs(shown(data) - wanted).max() <= 0.51


def test_a_palette_that_lies_is_refused_in_words() -> None:
    from isocenter.testing.hostile import members

    for member in members("H07"):
        if " 0 bits" in member.name or " 7 bits" in member.name:
            with pytest.raises(Refused, match="how they are shown"):
                rendered(member.data)


@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.BIG, made.RLE])
@pytest.mark.parametrize("signed", [False, True])
def test_values_in_the_upper_bits_of_their_words_are_read_from_there(syntax: str, signed: bool) -> None:
    """Twelve bits below High Bit 15 were read as the lowest twelve: of 1024 came nothing and of 100 1600."""
    wanted = np.array([[0, 1, 100, 1024, 2047]] * 5, np.int16)
    wanted = wanted - 1000 if signed else wanted
    ds = made.dataset()
    made.put_pixels(ds, (wanted << 4).view(np.int16 if signed else np.uint16))
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 15, int(signed)
    data = made.written(ds, syntax)
    assert np.array_equal(frames(data)[0], wanted)


@pytest.mark.parametrize("signed", [False, True])
def test_values_in_the_upper_bits_of_a_stream_of_whole_words_are_read_from_there(signed: bool) -> None:
    """DCMTK makes JPEG-LS and JPEG lossless of 16 bits of them: they came out 16 times as large, or without theirs."""
    wanted = np.array([[0, 1, 100, 1024, 2047]] * 5, np.int16)
    wanted = wanted - 1000 if signed else wanted
    ds = made.dataset()
    made.put_pixels(ds, (wanted << 4).view(np.int16 if signed else np.uint16))
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 15, int(signed)
    ds = pydicom.dcmread(io.BytesIO(made.written(ds)))
    ds.compress(pydicom.uid.JPEGLSLossless, generate_instance_uid=False)
    ds.BitsStored = 12
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    assert np.array_equal(frames(out.getvalue())[0], wanted)


def test_a_high_bit_that_the_values_contradict_is_not_believed() -> None:
    wanted = np.arange(25, dtype=np.uint16).reshape(5, 5) * 100
    ds = made.dataset()
    made.put_pixels(ds, wanted)
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 15, 0
    assert np.array_equal(frames(made.written(ds))[0], wanted)


@pytest.mark.parametrize(("subsampling", "marked"), [(0, True), (2, True), (2, False)])
def test_differences_of_colour_that_a_header_calls_rgb_are_not_shown_as_green_and_blue(
    subsampling: int, marked: bool
) -> None:
    """Grey tissue of an ultrasound came out in colours, with a third of its grey."""
    across = np.linspace(0, 250, 32).astype(np.uint8)
    colour = np.stack([np.tile(across, (32, 1)), np.full((32, 32), 90, np.uint8), np.tile(across[:, None], 32)], -1)
    out = io.BytesIO()
    options = {"keep_rgb": True} if not subsampling else {"subsampling": subsampling}
    Image.fromarray(colour).save(out, "JPEG", quality=98, **options)
    stream = out.getvalue()
    if not marked:  # without JFIF's segment, as makers of medical images write it
        stream = stream[:2] + stream[4 + int.from_bytes(stream[4:6], "big") :]
    ds = made.dataset(sop_class=made.US, modality="US")
    made.put_pixels(ds, colour)
    ds.PixelData = pydicom.encaps.encapsulate([stream])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    found = frames(made.written(ds, "1.2.840.10008.1.2.4.50"))[0]
    assert np.abs(found.astype(int) - colour).mean() < 6.0
