"""Litres of fat and water on a phantom whose fat is known, and the scans on which they would be wrong."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from enhanced_mr import enhanced
from pydicom.dataset import Dataset
from real_series import loaded
from typer.testing import CliRunner

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.abdominal_fat import AbdominalFat
from isocenter.catalogue.one_scan import dixon_part
from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.record import codes
from isocenter.space import Volume
from isocenter.testing.phantoms import Phantom, abdomen_mr

SMALL: dict[str, Any] = {"size": 112, "slices": 4}


@pytest.fixture(scope="module")
def made() -> Phantom:
    return abdomen_mr.patient(kind="fat and water", **SMALL)


@pytest.fixture(scope="module")
def parts(made: Phantom) -> tuple[Volume, ...]:
    return tuple(loaded(made.files)[0])


def said(answer: Answer, what: codes.Code, words: str = "") -> float:
    return next(m.value for m in answer.measurements if m.what == what and words in m.definition)


def test_fat_inside_and_outside_the_wall(made: Phantom, parts: tuple[Volume, ...]) -> None:
    answer = AbdominalFat().run(parts)
    truth = made.truth
    assert said(answer, codes.VISCERAL_FAT) == pytest.approx(truth["visceral_ml"], rel=0.04)
    assert said(answer, codes.SUBCUTANEOUS_FAT) == pytest.approx(truth["subcutaneous_ml"], rel=0.04)
    assert said(answer, codes.VOLUME, "fat of the body") == pytest.approx(truth["fat_ml"], rel=0.02)
    assert {f.what for f in answer.findings} == {codes.VISCERAL_FAT, codes.SUBCUTANEOUS_FAT}
    assert "fat and water as the scanner made them" in answer.reasons
    assert len(answer.curves[0].x) == 4


def test_a_slice_in_which_fat_and_water_are_exchanged_is_warned_of(parts: tuple[Volume, ...]) -> None:
    """Subcutaneous fat was too small, and visceral too large, without a word."""
    assert not any("exchanged" in r for r in AbdominalFat().run(parts).reasons)
    one, other = (v.array.copy() for v in parts)
    one[2], other[2] = parts[1].array[2], parts[0].array[2]
    answer = AbdominalFat().run((replace(parts[0], array=one), replace(parts[1], array=other)))
    assert any("water as bright as the fat elsewhere: fat and water may be exchanged" in r for r in answer.reasons)


def test_fat_and_water_of_one_scan_are_put_together(parts: tuple[Volume, ...]) -> None:
    """Of a scan before contrast and one after it the first fat was taken with the first water, whosever they were."""
    plain = said(AbdominalFat().run(parts), codes.VISCERAL_FAT)
    fat, water = parts

    def of(v: Volume, uid: str, time: str, gain: float = 1.0) -> Volume:
        return replace(v, array=v.array * gain, series_uid=uid, facts={**v.facts, "AcquisitionTime": time})

    later = (of(fat, "1.1", "110000", 3.0), of(water, "1.2", "110000", 2.0))
    first = (of(water, "1.3", "100000"), of(fat, "1.4", "100000"))
    answer = AbdominalFat().run((*later, *first))
    assert (
        said(answer, codes.VISCERAL_FAT) == plain and "2 scans of this place: the first, of 100000" in answer.reasons[0]
    )
    untold = [of(v, uid, "") for uid, v in zip(("1.1", "1.2", "1.3", "1.4"), (*later, *first), strict=True)]
    with pytest.raises(Refused, match="2 fat and 2 water images of one place"):
        AbdominalFat().run(tuple(untold))
    words = ("dixon pre_F", "dixon pre_W", "dixon post_W", "dixon post_F")  # a scanner that states no time
    told = [replace(v, facts={**v.facts, "SeriesDescription": w}) for v, w in zip(untold, words, strict=True)]
    assert "2 scans of this place" in AbdominalFat().run(tuple(told)).reasons[0]
    station = tuple(v.cropped((0, 0, 0), (3, *v.geometry.shape[1:])) for v in parts)
    assert "1 other stacks" in AbdominalFat().run((*station, *parts)).reasons[0]


NAMED = [  # Image Type of fat and of water, and what their series are called
    (("DIXON", "FAT"), ("DIXON", "WATER"), "FAT: Ax LAVA-Flex", "WATER: Ax LAVA-Flex"),
    (("M", "NORM"), ("M", "NORM"), "t1_vibe_dixon_tra_bh_F", "t1_vibe_dixon_tra_bh_W"),
    (("M", "ND"), ("M", "ND"), "t1_vibe_dixon_tra_bh_F_ND", "t1_vibe_dixon_tra_bh_W_ND"),
    (("OTHER",), ("OTHER",), "Fat: Ax LAVA-Flex", "Water: Ax LAVA-Flex"),
    (("F", "F"), ("W", "W"), "mDIXON-All BH", "mDIXON-All BH"),
    (("M",), ("M",), "Quick 3Ds WFS FAT", "Quick 3Ds WFS WATER"),
    (("OTHER",), ("OTHER",), "FAT Ax LAVA-Flex BH", "Ax LAVA-Flex BH (Water)"),
    (("M", "COMPOSED"), ("M", "COMPOSED"), "t1_vibe_dixon_cor_F_COMPOSED", "t1_vibe_dixon_cor_W_COMPOSED"),
    (("M",), ("M",), "T1 Dixon Fett BH", "T1 Dixon Wasser BH"),
    (("OTHER",), ("OTHER",), "AX 3D DUAL ECHO FAT ONLY", "AX 3D DUAL ECHO WATER ONLY"),
]


@pytest.mark.parametrize(("fat", "water", "of_fat", "of_water"), NAMED)
def test_fat_and_water_as_each_maker_names_them(
    parts: tuple[Volume, ...], fat: tuple[str, ...], water: tuple[str, ...], of_fat: str, of_water: str
) -> None:
    def called(v: Volume, words: tuple[str, ...], described: str) -> Volume:
        facts = {"ImageType": ["DERIVED", "PRIMARY", *words], "SeriesDescription": described}
        return replace(v, facts={**v.facts, **facts})

    plain = said(AbdominalFat().run(parts), codes.VISCERAL_FAT)
    named = (called(parts[1], water, of_water), called(parts[0], fat, of_fat))
    assert said(AbdominalFat().run(named), codes.VISCERAL_FAT) == plain


@pytest.mark.parametrize("described", [
    "t2_tse_tra_fat sat", "T1 FS FAT", "t1_vibe_dixon_in", "STIR_W", "AX T1 W", "T2_W", "Dixon fat fraction",
    "Dixon fat quantification", "Dixon fat/water",
])  # fmt: skip
def test_suppressed_fat_is_no_fat_image(parts: tuple[Volume, ...], described: str) -> None:
    facts = {"ImageType": ["ORIGINAL", "PRIMARY", "M"], "SeriesDescription": described}
    assert dixon_part(replace(parts[0], facts=facts)) == ""


def test_fat_and_water_of_philips_are_brought_to_one_scale(parts: tuple[Volume, ...]) -> None:
    """Each is scaled apart to fill its bits: their rescaled values made 393 mL of visceral fat 242, without a word."""
    slopes = {"F": (0.3, 1.0), "W": (1.2, 1.0)}

    def of_philips(v: Volume, *, stated: bool) -> Volume:
        rescale, scale = slopes[v.facts["ImageType"][2]]
        facts = {**v.facts, "Manufacturer": "Philips Medical Systems", "RescaleSlope": rescale}
        facts |= {"PhilipsScaleSlope": [scale]} if stated else {}
        return replace(v, array=v.array * np.float32(rescale * scale), facts=facts)

    truth = said(AbdominalFat().run(parts), codes.VISCERAL_FAT)
    answer = AbdominalFat().run(tuple(of_philips(v, stated=True) for v in parts))
    assert said(answer, codes.VISCERAL_FAT) == pytest.approx(truth, rel=1e-3)
    with pytest.raises(Refused, match="Send them with their private elements"):
        AbdominalFat().run(tuple(of_philips(v, stated=False) for v in parts))


def test_enhanced_images_of_philips_state_their_scale_frame_by_frame(made: Phantom) -> None:
    slopes = {"F": (0.4, 2.0), "W": (1.2, 0.8)}

    def scaled(frame: Dataset, letter: str, *, stated: bool) -> None:
        rescale, scale = slopes[letter]
        frame.MRImageFrameTypeSequence = [Dataset()]
        frame.MRImageFrameTypeSequence[0].FrameType = ["DERIVED", "PRIMARY", letter, letter]
        frame.PixelValueTransformationSequence = [Dataset()]
        frame.PixelValueTransformationSequence[0].RescaleSlope = rescale
        frame.PixelValueTransformationSequence[0].RescaleIntercept = 0
        if stated:
            held = Dataset()
            held.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", scale)
            frame.add_new(0x20050014, "LO", "Philips MR Imaging DD 005")
            frame.add_new(0x2005140F, "SQ", [held])

    def volumes(*, stated: bool) -> tuple[Volume, ...]:
        files = []
        for letter, data in zip("FW", enhanced(made.files), strict=True):
            ds = pydicom.dcmread(io.BytesIO(data))
            ds.Manufacturer, ds.ImageType = "Philips Medical Systems", ["DERIVED", "PRIMARY", letter, letter]
            for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
                delattr(ds, keyword)
            del ds.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence
            for frame in ds.PerFrameFunctionalGroupsSequence:
                scaled(frame, letter, stated=stated)
            ds.PixelData = np.round(ds.pixel_array * slopes[letter][1]).astype(np.uint16).tobytes()
            out = io.BytesIO()
            ds.save_as(out)
            files.append(out.getvalue())
        return tuple(loaded(files)[0])

    answer = AbdominalFat().run(volumes(stated=True))
    assert said(answer, codes.VISCERAL_FAT) == pytest.approx(made.truth["visceral_ml"], rel=0.04)
    with pytest.raises(Refused, match=r"scaled by 0.4, 1.2 of which 0 of 2 state their scale"):
        AbdominalFat().run(volumes(stated=False))


@pytest.mark.nightly
def test_echoes_with_phase_give_litres_too() -> None:
    raw = abdomen_mr.patient(size=112, slices=2)
    answer = AbdominalFat().run(tuple(loaded(raw.files)[0]))
    assert said(answer, codes.VISCERAL_FAT) == pytest.approx(raw.truth["visceral_ml"], rel=0.06)
    assert said(answer, codes.SUBCUTANEOUS_FAT) == pytest.approx(raw.truth["subcutaneous_ml"], rel=0.06)
    assert "fat and water from the echoes, six peaks" in answer.reasons


def test_fat_and_water_of_other_grids_are_told_by_them(parts: tuple[Volume, ...]) -> None:
    """It was said that nothing names them, which sent the reader to the wrong place."""
    fat, water = parts
    slices, *plane = fat.geometry.shape
    with pytest.raises(Refused, match=rf"a fat image of {slices - 1} slices .* and a water image of {slices} slices"):
        AbdominalFat().run((fat.cropped((0, 0, 0), (slices - 1, *plane)), water))


def test_a_picture_that_cuts_the_skin_gives_no_subcutaneous_fat(parts: tuple[Volume, ...]) -> None:
    cut = tuple(v.cropped((0, 0, 14), (4, 84, 112)) for v in parts)
    answer = AbdominalFat().run(cut)
    assert all(m.what != codes.SUBCUTANEOUS_FAT for m in answer.measurements)
    assert any("cuts the body wall" in r for r in answer.reasons)


def with_arm(v: Volume) -> Volume:
    arm = v.array.copy()
    arm[:, 34:50, 104:111] = 500.0
    wide = np.zeros((*arm.shape[:2], 150), np.float32)
    wide[..., 6:118] = arm
    wide[..., 108:122] = 0.0
    wide[:, 30:54, 124:140] = 500.0
    return replace(v, array=wide, geometry=v.geometry.padded((0, 0, 6), (0, 0, 32)))


def lean(v: Volume, instead: float) -> Volume:
    ring = abdomen_mr.images(**SMALL)[1]["subcutaneous"]
    return replace(v, array=np.where(ring, np.float32(instead), v.array))


def stretched(v: Volume) -> Volume:
    return replace(v, geometry=replace(v.geometry, affine=v.geometry.affine * np.array([5.0, 1.0, 1.0, 1.0])))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p[1:], "no fat and water images"),
        (lambda p: tuple(v.permuted((1, 0, 2)) for v in p), "looked for on axial slices"),
        (lambda p: tuple(replace(v, array=np.zeros_like(v.array)) for v in p), "without content"),
        (lambda p: tuple(with_arm(v) for v in p), "arms lie beside the body"),
        (lambda p: tuple(stretched(v) for v in p), "slices 40 mm apart"),
        (lambda p: tuple(lean(v, b) for v, b in zip(p, (0.0, 900.0), strict=True)), "next to no fat outside"),
    ],
)
def test_scans_on_which_litres_would_be_wrong(parts: tuple[Volume, ...], change: Any, words: str) -> None:
    with pytest.raises(Refused, match=words):
        AbdominalFat().run(change(parts))


def test_pixels_in_which_the_wall_is_lost_are_refused() -> None:
    coarse = tuple(loaded(abdomen_mr.patient(kind="fat and water", size=80, slices=2).files)[0])
    with pytest.raises(Refused, match=r"pixels of 5\.0 mm"):
        AbdominalFat().run(coarse)


def test_two_echoes_without_phase_are_refused() -> None:
    two = tuple(loaded(abdomen_mr.patient(kind="magnitude", echoes_ms=(2.3, 4.6), **SMALL).files)[0])
    with pytest.raises(Refused, match="2 echoes without phase"):
        AbdominalFat().run(two)


def test_from_dicom_to_json(tmp_path: Path, made: Phantom) -> None:
    for n, data in enumerate(made.files):
        (tmp_path / f"{n}.dcm").write_bytes(data)
    done = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "abdominal_fat", "--json"])
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)
    fat = next(m for m in result["measurements"] if m["what"]["code"] == "visceral-fat")
    assert fat["unit"] == "mL" and fat["value"] == pytest.approx(made.truth["visceral_ml"], rel=0.04)
