from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from isocenter.dicom.header import read_header
from isocenter.doors.dicomweb_rendered import Picture, asked, render, type_of
from isocenter.doors.media import NotAcceptable, wishes
from isocenter.errors import Refused
from isocenter.record import Patient


def _open(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


@pytest.mark.parametrize(
    "params",
    [
        {"window": "40"},
        {"window": "40,0"},
        {"window": "40,400,curve"},
        {"window": "40,400,linear,x"},
        {"window": "a,b"},
        {"window": "nan,1"},
        {"viewport": "0,10"},
        {"viewport": "10,99999"},
        {"viewport": "10"},
        {"viewport": "10,10,0,0"},
        {"viewport": "10,10,-1,0,5,5"},
        {"viewport": "10,10,0,0,0,5"},
        {"quality": "0"},
        {"quality": "101"},
        {"quality": "inf"},
        {"viewport": "10,10,,,0,5"},
        {"viewport": ",10,0,0,5,5"},
        {"annotation": "names"},
        {"annotation": "patient,names"},
    ],
)
def test_what_cannot_be_drawn(params: dict[str, str]) -> None:
    with pytest.raises(Refused):
        asked(params)


def test_the_window_is_the_one_asked_for(sample: Callable[[str], bytes]) -> None:
    """Stored values map linearly from centre - width/2 to centre + width/2 (PS3.3 C.11.2.1.2)."""
    data = sample("CT_small.dcm")
    dataset = dcmread(BytesIO(data))
    hounsfield = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    drawn = np.asarray(_open(render(data, 0, asked({"window": "50,350"}), "image/png")), float)
    expected = np.clip((hounsfield - (50 - 0.5)) / (350 - 1) + 0.5, 0, 1) * 255
    assert np.abs(drawn - expected).max() <= 1


def test_a_picture_fits_its_box_and_keeps_its_shape(sample: Callable[[str], bytes]) -> None:
    drawn = _open(render(sample("examples_ybr_color.dcm"), 0, asked({"viewport": "100,100"}), "image/jpeg"))
    assert drawn.format == "JPEG" and drawn.mode == "RGB"
    assert max(drawn.size) == 100 and drawn.size == (100, 75)
    narrow = _open(render(sample("examples_ybr_color.dcm"), 0, asked({"viewport": "200,30"}), "image/png"))
    assert narrow.size == (40, 30)


def test_a_region_is_cut_out(sample: Callable[[str], bytes]) -> None:
    whole = np.asarray(_open(render(sample("CT_small.dcm"), 0, Picture(), "image/png")))
    cut = np.asarray(_open(render(sample("CT_small.dcm"), 0, asked({"viewport": "20,10,30,40,20,10"}), "image/png")))
    np.testing.assert_array_equal(cut, whole[40:50, 30:50])
    with pytest.raises(Refused, match="viewport"):
        render(sample("CT_small.dcm"), 0, asked({"viewport": "20,10,500,40,20,10"}), "image/png")


def test_quality_tells(sample: Callable[[str], bytes]) -> None:
    sizes = [len(render(sample("CT_small.dcm"), 0, asked({"quality": q}), "image/jpeg")) for q in ("5", "95")]
    assert sizes[0] < sizes[1]


def test_what_is_written_in_is_what_was_asked_for_at_full_size(sample: Callable[[str], bytes]) -> None:
    """Annotations come last: letters of a small picture are as large as those of a large one, at its edges."""
    box = {"viewport": "512,512"}
    plain, patient, technique, both = (
        np.asarray(_open(render(sample("CT_small.dcm"), 0, asked(box | p), "image/png"))).astype(int)
        for p in ({}, {"annotation": "patient"}, {"annotation": "technique"}, {"annotation": "technique,patient"})
    )
    above, below = np.argwhere(patient != plain), np.argwhere(technique != plain)
    assert above[:, 0].max() < 80 and below[:, 0].min() > 256 and len(above) > 300 and len(below) > 100
    np.testing.assert_array_equal(both != plain, (patient != plain) | (technique != plain))


def test_a_name_in_another_script_is_shown_by_its_latin_writing() -> None:
    wanted = asked({"annotation": "patient", "viewport": "256,256"})
    drawn = [
        render(_made(PatientName=name, SpecificCharacterSet="ISO_IR 192"), 0, wanted, "image/png")
        for name in ("M\u00fcller^\u00c4=\u5c71\u7530", "M\u00fcller^\u00c4", "M\u00fcller^B")
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_name_that_is_written_in_is_that_of_whoever_the_image_is_now(sample: Callable[[str], bytes]) -> None:
    data, wanted = sample("CT_small.dcm"), asked({"annotation": "patient", "viewport": "256,256"})
    own = read_header(data).patient
    plain = render(data, 0, wanted, "image/png")
    assert render(data, 0, wanted, "image/png", own) == plain
    assert render(data, 0, wanted, "image/png", Patient("P7", "Roe^Jane")) != plain


def test_a_viewport_scales_to_fit_and_may_turn_the_source_around(sample: Callable[[str], bytes]) -> None:
    data = sample("CT_small.dcm")
    whole = np.asarray(_open(render(data, 0, Picture(), "image/png")))
    for asked_for, expected in (
        ("128,128,0,0,-128,128", whole[:, ::-1]),
        ("128,128,0,0,128,-128", whole[::-1]),
        ("28,128,100,,,", whole[:, 100:]),
        ("128,28,,100,,", whole[100:]),
    ):
        np.testing.assert_array_equal(
            np.asarray(_open(render(data, 0, asked({"viewport": asked_for}), "image/png"))), expected
        )
    assert _open(render(data, 0, asked({"viewport": "300,200"}), "image/png")).size == (200, 200)
    small = replace(asked({"viewport": "300,200"}), enlarge=False)
    assert _open(render(data, 0, small, "image/png")).size == (128, 128)


@pytest.mark.parametrize(
    ("accept", "kind", "many"),
    [
        ("*/*", "image/jpeg", None),
        ("image/png", "image/png", False),
        ("image/png;q=0.1, image/jpeg", "image/jpeg", False),
        ('multipart/related; type="image/png"', "image/png", True),
    ],
)
def test_kinds_of_picture(accept: str, kind: str, many: bool | None) -> None:
    assert type_of(wishes(accept)) == (kind, many)


def test_a_kind_that_is_not_made() -> None:
    with pytest.raises(NotAcceptable):
        type_of(wishes("image/gif"))


# ---- golden images


def _golden(dataset: Dataset, stored: np.ndarray, window: str) -> np.ndarray:
    """Grey levels straight from PS3.3 C.11: modality transformation, then VOI; 8 bits."""
    values = stored.astype(float)
    if "ModalityLUTSequence" in dataset:
        table = dataset.ModalityLUTSequence[0]
        start = int(table.LUTDescriptor[1])
        values = np.asarray(table.LUTData)[np.clip(stored.astype(int) - start, 0, len(table.LUTData) - 1)].astype(float)
    else:
        values = values * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
    if not window and "VOILUTSequence" in dataset:
        table = dataset.VOILUTSequence[0]
        entries, start, bits = (int(n) for n in table.LUTDescriptor)
        shares = np.asarray(table.LUTData)[np.clip(np.rint(values).astype(int) - start, 0, entries - 1)] / (2**bits - 1)
    else:
        centre, width, function = window.split(",")
        c, w = float(centre), float(width)
        shares = {
            "linear": lambda: np.clip((values - (c - 0.5)) / (w - 1) + 0.5, 0, 1),
            "linear-exact": lambda: np.clip((values - c) / w + 0.5, 0, 1),
            "sigmoid": lambda: 1 / (1 + np.exp(-4 * (values - c) / w)),
        }[function]()
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        shares = 1 - shares
    return np.asarray(shares * 255)


def _table(start: int, values: np.ndarray, bits: int) -> Dataset:
    made = Dataset()
    made.LUTDescriptor, made.LUTData = [len(values), start, bits], [int(v) for v in values]
    made["LUTDescriptor"].VR = made["LUTData"].VR = "US"
    return made


def _made(**facts: object) -> bytes:
    """A ramp of 16 bits with the display attributes given."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    made.Rows, made.Columns, made.SamplesPerPixel = 24, 32, 1
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelData = (np.arange(24 * 32, dtype="<u2") * 5 % 4096).tobytes()
    for word, value in facts.items():
        setattr(made, word, value)
    out = BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


_CURVE = (np.linspace(0, 1, 900) ** 2 * 1023).astype(int)
_KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "CT": ("CT_small.dcm", {}), "MR": ("MR_small.dcm", {}), "MR, RLE": ("MR_small_RLE.dcm", {}),
    "MR, big endian": ("MR_small_bigendian.dcm", {}), "MR, JPEG-LS": ("MR_small_jpeg_ls_lossless.dcm", {}),
    "frames": ("", {"NumberOfFrames": 4, "Rows": 6}),
    "MONOCHROME1": ("", {"PhotometricInterpretation": "MONOCHROME1"}),
    "rescaled": ("", {"RescaleSlope": 0.7, "RescaleIntercept": -300}),
    "modality LUT": ("", {"ModalityLUTSequence": [_table(100, np.linspace(0, 2000, 800), 16)]}),
}  # fmt: skip


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("window", ["300,700,linear", "300,700,linear-exact", "300,700,sigmoid"])
def test_grey_levels_are_those_of_the_standard(sample: Callable[[str], bytes], kind: str, window: str) -> None:
    name, facts = _KINDS[kind]
    data = sample(name) if name else _made(**facts)
    dataset = dcmread(BytesIO(data))
    frame = 3 if "frames" in kind else 0
    stored = dataset.pixel_array[frame] if dataset.get("NumberOfFrames", 1) > 1 else dataset.pixel_array
    drawn = np.asarray(_open(render(data, frame, asked({"window": window}), "image/png")), float)
    assert np.abs(drawn - _golden(dataset, stored, window)).max() <= 1
    soft = np.asarray(_open(render(data, frame, asked({"window": window, "quality": "100"}), "image/jpeg")), float)
    assert np.abs(soft - drawn).mean() < 1, "JPEG loses a little"


@pytest.mark.parametrize("intercept", [0, -100])
def test_a_table_of_the_header_is_entered_with_rescaled_values_and_fills_its_bits(intercept: int) -> None:
    data = _made(RescaleSlope=1, RescaleIntercept=intercept, VOILUTSequence=[_table(200, _CURVE, 10)])
    dataset = dcmread(BytesIO(data))
    drawn = np.asarray(_open(render(data, 0, Picture(), "image/png")), float)
    assert np.abs(drawn - _golden(dataset, dataset.pixel_array, "")).max() <= 1


@pytest.mark.parametrize("name", ["examples_rgb_color.dcm", "SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm"])
def test_colours_are_shares_of_all_bits(sample: Callable[[str], bytes], name: str) -> None:
    data = sample(name)
    dataset = dcmread(BytesIO(data))
    drawn = np.asarray(_open(render(data, 0, Picture(), "image/png")), float)
    assert np.abs(drawn - dataset.pixel_array / (2**dataset.BitsStored - 1) * 255).max() <= 1


@pytest.mark.peer
@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("CT_small.dcm", "50,350"), ("MR_small.dcm", "600,1600"), ("MR_small_RLE.dcm", "600,1600"),
        ("examples_overlay.dcm", "700,900"), ("examples_rgb_color.dcm", ""), ("SC_rgb_jpeg_gdcm.dcm", ""),
        ("examples_palette.dcm", ""),
    ],
)  # fmt: skip
def test_dcmtk_draws_the_same_within_one_grey_level(
    sample: Callable[[str], bytes], tmp_path: Path, name: str, window: str
) -> None:
    program = shutil.which("dcmj2pnm") or shutil.which("dcm2img")
    if program is None:
        pytest.skip("DCMTK's dcmj2pnm is not installed")
    data = sample(name)
    (tmp_path / "in.dcm").write_bytes(data)
    words = ["+Ww", *window.split(",")] if window else ["-W"]
    colour = ["-O", "+op"] if not window else ["-O", "+opb"]  # overlays are not ours to draw
    subprocess.run(
        [program, *words, *colour, str(tmp_path / "in.dcm"), str(tmp_path / "out.pnm")],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    theirs = np.asarray(Image.open(tmp_path / "out.pnm"), float)
    ours = np.asarray(_open(render(data, 0, asked({"window": window} if window else {}), "image/png")), float)
    assert theirs.shape == ours.shape and np.abs(theirs - ours).max() <= 1
