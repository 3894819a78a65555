"""Enhanced CT as scanners write it: frames in any order, with scales and stacks of their own, give the same."""

from __future__ import annotations

import copy
import functools
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from enhanced_ct import enhanced
from functional_groups import item
from phantom_studies import STUDIES, Asked, files_of, prepared
from pydicom.dataset import Dataset
from real_series import loaded
from test_catalogue_tilted import sheared

from isocenter.catalogue.coronary_calcium import CoronaryCalcium
from isocenter.catalogue.liver_volumetry import LiverVolumetry
from isocenter.errors import NotAVolume, Refused
from isocenter.record import Outcome, Result
from isocenter.space import Volume
from isocenter.testing.encodings import differences
from isocenter.testing.phantoms import coronary


@functools.cache  # and not when all tests are collected, by every process that runs some of them
def scan() -> list[bytes]:
    return list(coronary.patient().files)


@pytest.mark.parametrize(
    "name",
    [
        "body_composition",
        "liver_volumetry",
        "radiomics",
        pytest.param("coronary_calcium, drawn", marks=pytest.mark.nightly),
        pytest.param("liver_vessels", marks=pytest.mark.nightly),
    ],
)
def test_a_shuffled_enhanced_ct_gives_what_its_classic_series_gives(name: str, tmp_path: Path) -> None:
    files = files_of(name)
    plain = [p.done() for p in prepared(files, STUDIES[name], tmp_path / "classic")]
    slices = sum(len(v.instance_uids) for v in loaded(files)[0])
    made = enhanced(files, order=random.Random(3).sample(range(slices), slices))
    other = [p.done() for p in prepared(made, STUDIES[name], tmp_path / "enhanced")]
    assert plain[0].outcome is Outcome.FOUND
    assert differences(plain, other) == []


def score(ct: Volume) -> float:
    return CoronaryCalcium().run(ct, None).measurements[0].value


@functools.cache
def plain_score() -> float:
    """Of the classic series, which every other way of writing it must give."""
    return score(loaded(scan())[0][0])


def test_each_frame_is_scaled_by_its_own_slope() -> None:
    (ct,), _ = loaded(enhanced(scan(), slopes=[0.5 if n % 2 else 1.0 for n in range(len(scan()))]))
    assert score(ct) == plain_score()


def test_a_missing_frame_is_a_gap() -> None:
    with pytest.raises(NotAVolume, match="slice 21 missing: gap of 6 mm where 3 mm"):
        loaded(enhanced(scan(), order=[n for n in range(len(scan())) if n != 20]))


def twice(other: Callable[[Dataset], None], top: Callable[[Any], None] = lambda made: None) -> list[bytes]:
    """An object with the scan in a stack of its own, and once more in a second stack whose frames are changed."""

    def change(made: Any) -> None:
        frames = list(made.PerFrameFunctionalGroupsSequence)
        again = copy.deepcopy(frames)
        for frame in again:
            frame.FrameContentSequence[0].StackID = "2"
            other(frame)
        made.PerFrameFunctionalGroupsSequence = again + frames
        made.NumberOfFrames, made.PixelData = 2 * len(frames), made.PixelData * 2
        top(made)

    return enhanced(scan(), change=change)


def low_kv(frame: Dataset) -> None:
    frame.CTXRayDetailsSequence[0].KVP = 80


def sharp(frame: Dataset) -> None:
    frame.CTReconstructionSequence[0].ConvolutionKernel = "Br64"


def thick(frame: Dataset) -> None:
    frame.PixelMeasuresSequence[0].SliceThickness = 5


def virtual(frame: Dataset) -> None:
    frame.MultienergyCTCharacteristicsSequence = item(MonoenergeticEnergyEquivalent=40.0)


def given(frame: Dataset) -> None:
    frame.ContrastBolusUsageSequence = item(ContrastBolusAgentNumber=1, ContrastBolusAgentAdministered="YES")


def named(made: Any) -> None:
    agent = {"CodeValue": "x", "CodingSchemeDesignator": "99X", "CodeMeaning": "Iomeprol"}
    made.ContrastBolusAgentSequence = item(**agent)
    for frame in made.PerFrameFunctionalGroupsSequence:
        if "ContrastBolusUsageSequence" not in frame:
            usage = item(ContrastBolusAgentNumber=1, ContrastBolusAgentAdministered="NO")
            frame.ContrastBolusUsageSequence = usage


STACKS = [
    pytest.param(low_kv, None, "80 kV", marks=pytest.mark.nightly),
    pytest.param(sharp, None, "kernel Br64", marks=pytest.mark.nightly),
    pytest.param(thick, None, "slices of 5 mm", marks=pytest.mark.nightly),
    pytest.param(virtual, None, "a virtual image of 40 keV", marks=pytest.mark.nightly),
    (given, named, "contrast agent 'Iomeprol'"),
]


@pytest.mark.parametrize(("other", "top", "words"), STACKS, ids=lambda a: getattr(a, "__name__", ""))
def test_each_stack_of_an_object_is_held_to_its_own_header(
    other: Callable[[Dataset], None], top: Callable[[Any], None] | None, words: str, tmp_path: Path
) -> None:
    """A stack of 80 kV beside one of 120 was scored, as a header that states no tube voltage."""
    files = twice(other, top or (lambda made: None))
    volumes, _ = loaded(files)
    told = []
    for ct in volumes:
        try:
            told.append(f"{score(ct):g}")
        except Refused as why:
            told.append(str(why))
    assert sum(words in t for t in told) == 1 and told.count(f"{plain_score():g}") == 1
    (run,) = prepared(files, Asked("coronary_calcium", lambda: files), tmp_path / "both")
    answer: Result = run.done()
    assert answer.outcome is Outcome.FOUND, answer.reasons
    assert any(
        "holds 2 stacks of images; one of 40 slices" in r and "taken as the one that is fit for this, and 1 not" in r
        for r in answer.reasons
    )
    assert not any("does not state" in r for r in answer.reasons)


@pytest.mark.parametrize(("other", "keyword"), [(low_kv, "KVP: 120, 80"), (sharp, "ConvolutionKernel: Br64, Qr36d")])
def test_slices_of_one_stack_that_were_made_in_two_ways(other: Callable[[Dataset], None], keyword: str) -> None:
    def change(made: Any) -> None:
        for frame in made.PerFrameFunctionalGroupsSequence[: len(scan()) // 2]:
            other(frame)

    (ct,), _ = loaded(enhanced(scan(), change=change))
    with pytest.raises(Refused, match=f"slices that differ in {keyword}"):
        score(ct)


def test_a_thickness_that_was_written_to_another_digit_is_the_same() -> None:
    def change(made: Any) -> None:
        for frame in made.PerFrameFunctionalGroupsSequence[: len(scan()) // 2]:
            measures = frame.PixelMeasuresSequence[0]
            measures.SliceThickness = float(measures.SliceThickness) + 1e-5

    (ct,), _ = loaded(enhanced(scan(), change=change))
    assert score(ct) == plain_score()


@pytest.mark.parametrize("name", ["body_composition", "liver_vessels", "radiomics"])
def test_nothing_is_measured_across_slices_that_were_made_in_two_ways(name: str, tmp_path: Path) -> None:
    """Half of the slices at 80 kV: a texture, and vessels, were measured across both without a word."""

    def change(made: Any) -> None:
        frames = made.PerFrameFunctionalGroupsSequence
        for frame in frames[: len(frames) // 2]:
            low_kv(frame)

    (run,) = prepared(enhanced(files_of(name), change=change), STUDIES[name], tmp_path / "mixed")
    answer: Result = run.done()
    assert answer.outcome is Outcome.DECLINED
    assert "slices that differ in KVP: 120, 80" in answer.reasons[0], answer.reasons


def seen_within(files: Sequence[bytes], share: float, padding: int) -> list[bytes]:
    """The CT images with padding around a circle of that share of the picture's width."""
    made = []
    for data in files:
        ds = pydicom.dcmread(io.BytesIO(data))
        if ds.Modality == "CT":
            hu = ds.pixel_array.astype(np.int32) * int(ds.RescaleSlope) + int(ds.RescaleIntercept)
            y, x = np.ogrid[: hu.shape[0], : hu.shape[1]]
            beyond = np.hypot(y - (hu.shape[0] - 1) / 2, x - (hu.shape[1] - 1) / 2) > share * hu.shape[0] / 2
            ds.PixelRepresentation, ds.BitsStored, ds.HighBit = 1, 16, 15
            ds.RescaleIntercept, ds.RescaleSlope = 0, 1
            ds.PixelData = np.where(beyond, padding, hu).astype(np.int16).tobytes()
        out = io.BytesIO()
        ds.save_as(out)
        made.append(out.getvalue())
    return made


def cropped(files: Sequence[bytes], edge: int) -> list[bytes]:
    """The CT images without so many pixels at each side."""
    made = []
    for data in files:
        ds = pydicom.dcmread(io.BytesIO(data))
        if ds.Modality == "CT":
            rows, step = ds.pixel_array[edge:-edge, edge:-edge], [float(v) for v in ds.PixelSpacing]
            turn = [float(v) for v in ds.ImageOrientationPatient]
            ds.ImagePositionPatient = [
                float(p) + edge * (step[1] * turn[k] + step[0] * turn[3 + k])
                for k, p in enumerate(ds.ImagePositionPatient)
            ]
            ds.Rows, ds.Columns = rows.shape
            ds.PixelData = np.ascontiguousarray(rows).tobytes()
        out = io.BytesIO()
        ds.save_as(out)
        made.append(out.getvalue())
    return made


CUT = [
    ("coronary_calcium", 0.6, "a field of view that cuts the heart"),  # 76 for 166
    ("coronary_calcium", 0.65, "a field of view that cuts the heart"),  # 198 for 166
    ("radiomics", 0.8, "lie outside the field of view"),
    ("liver_vessels", 0.8, "lie outside the field of view"),  # no vessel seen
    ("body_composition", 0.65, "a picture that cuts the muscle wall"),
]


# By day each study with one of the two paddings, both of them seen; by night each with both.
@pytest.mark.parametrize(
    ("name", "share", "words", "padding"),
    [
        pytest.param(*cut, padding, marks=() if (number + at) % 2 else pytest.mark.nightly)
        for number, cut in enumerate(CUT)
        for at, padding in enumerate((-2000, -1024))
    ],
)
def test_what_the_field_of_view_cuts_is_declined(
    name: str, share: float, words: str, padding: int, tmp_path: Path
) -> None:
    (run,) = prepared(enhanced(seen_within(files_of(name), share, padding)), STUDIES[name], tmp_path / "cut")
    answer: Result = run.done()
    assert answer.outcome is Outcome.DECLINED and words in answer.reasons[0], answer.reasons


def test_a_field_of_view_that_grazes_the_heart_is_told(tmp_path: Path) -> None:
    """Pictures are made small around a heart: one of 208 mm cuts the region that is found in six slices of 40."""
    (run,) = prepared(cropped(files_of("coronary_calcium"), 56), STUDIES["coronary_calcium"], tmp_path / "small")
    answer: Result = run.done()
    assert answer.outcome is Outcome.FOUND
    assert [r for r in answer.reasons if "the field of view cuts the heart in 6 of 40 slices" in r], answer.reasons


@pytest.mark.parametrize("padding", [-2000, pytest.param(-1024, marks=pytest.mark.nightly)])
def test_a_small_field_of_view_that_holds_the_heart_changes_nothing(padding: int) -> None:
    (ct,), _ = loaded(enhanced(seen_within(scan(), 0.8, padding)))
    assert score(ct) == plain_score()


def test_a_liver_that_the_field_of_view_cuts_has_no_volume(tmp_path: Path) -> None:
    """Nobody outlines what is not seen: the part that lies in the circle passed for the whole liver."""
    files = files_of("liver_volumetry")
    (whole,) = prepared(files, STUDIES["liver_volumetry"], tmp_path / "whole")
    image, drawn = whole.inputs["image"], whole.inputs["drawn"]
    assert LiverVolumetry().run(drawn, image).outcome is Outcome.FOUND
    (liver,) = (r for r in drawn if r.label == "Liver")
    assert liver.geometry.same_grid(image.geometry)
    rows, columns = image.geometry.shape[1:]
    y, x = np.ogrid[:rows, :columns]
    away = np.hypot(y - (rows - 1) / 2, x - (columns - 1) / 2)
    seen = away <= 0.8 * away[np.asarray(liver.mask).any(axis=0)].max()
    cut = replace(image, array=np.where(seen, image.array, -2000).astype(image.array.dtype))
    with pytest.raises(Refused, match="a liver that the field of view cuts in"):
        LiverVolumetry().run(drawn, cut)
    with pytest.raises(Refused, match="a liver that the field of view cuts in"):
        LiverVolumetry().run((liver,), cut)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        pytest.param("coronary_calcium", {}, marks=pytest.mark.nightly),
        ("body_composition", {"level_mm": 0.0}),
    ],
)
def test_an_enhanced_ct_of_a_tilted_gantry_measures_as_a_straight_one(
    name: str, parameters: dict[str, float], tmp_path: Path
) -> None:
    files = files_of(name)
    images = [f for f in files if pydicom.dcmread(io.BytesIO(f), stop_before_pixels=True).Modality == "CT"]
    ask = Asked(name, lambda: images, parameters)
    (tilted,) = prepared(enhanced(sheared(images)), ask, tmp_path / "tilted")
    (straight,) = prepared(images, ask, tmp_path / "straight")
    numbers = [{(str(m.what), m.definition): m.value for m in p.done().measurements} for p in (tilted, straight)]
    assert numbers[1] and numbers[0] == pytest.approx(numbers[1], rel=1e-4)
