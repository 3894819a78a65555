"""Traps that stand in the pixels, or in how images, regions and visits fit together; asked by the command as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from planted_traps import Trap, of, told
from typer.testing import CliRunner

from isocenter.analysis import run as running
from isocenter.cli import app
from isocenter.testing.phantoms import thorax

_HU0 = 1024  # what is stored for 0 HU


def about(pixels: np.ndarray) -> np.ndarray:
    """Pixels from the middle of the picture."""
    rows, columns = pixels.shape
    y, x = np.ogrid[:rows, :columns]
    return np.hypot(y - (rows - 1) / 2, x - (columns - 1) / 2)


def in_a_circle(pixels: np.ndarray, ds: Any) -> np.ndarray:
    """The body moved aside in a round field of view, beyond which nothing was reconstructed."""
    moved = np.roll(pixels, (36, 52), axis=(0, 1))
    return np.where(about(moved) > min(moved.shape) / 2, 0, moved)


def arms(pixels: np.ndarray, ds: Any) -> np.ndarray:
    y, x = np.indices(pixels.shape)
    out = pixels.copy()
    for middle in (18, pixels.shape[1] - 18):
        away = np.hypot(y - pixels.shape[0] / 2, x - middle)
        out[away < 14], out[away < 5] = _HU0 + 40, _HU0 + 700
    return out


def spot(hu: float, pixels_wide: int) -> Any:
    """Something of that attenuation in the middle of the body."""

    def make(pixels: np.ndarray, ds: Any) -> np.ndarray:
        return np.where(about(pixels) < pixels_wide, _HU0 + hu, pixels)

    return make


def parted(half_mm: float) -> Any:
    """The muscles in front of the belly so far apart from the middle, with fat between."""

    def make(pixels: np.ndarray, ds: Any) -> np.ndarray:
        y, x = np.indices(pixels.shape)
        aside = np.abs(x - (pixels.shape[1] - 1) / 2) * float(ds.PixelSpacing[1]) < half_mm
        front = aside & (y < pixels.shape[0] / 2) & (pixels > _HU0 - 29)
        skin = np.cumsum(pixels > _HU0 - 300, axis=0) * float(ds.PixelSpacing[0]) < 6.0
        return np.where(front & ~skin, _HU0 - 100, pixels)

    return make


def later(ds: Any) -> bool:
    return str(ds.StudyDate) > "20260101"


def magnified(ds: Any, number: int) -> Any:
    word = pydicom.Dataset()
    word.CodeValue, word.CodingSchemeDesignator, word.CodeMeaning = "399163009", "SCT", "Magnification"
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = [word]
    return ds.ViewCodeSequence


BODY = tuple(
    Trap("body_composition", words, of("body"), pixels=pixels, answer=answer)
    for words, pixels, answer in (
        ("no area of subcutaneous fat", lambda a, ds: a[:, 42:], "found"),
        ("cuts the muscle wall", lambda a, ds: a[:, 60:], "declined"),
        ("cuts the muscle wall", in_a_circle, "declined"),
        ("arms lie beside the body", arms, "declined"),
        ("metal at the level", spot(2990, 4), "declined"),
        ("Visceral fat: 18", parted(18.0), "found"),
        ("no closed wall of muscle", parted(70.0), "declined"),
        ("contrast in the bowel", lambda a, ds: np.roll(spot(450, 16)(np.roll(a, 30, 0), ds), -30, 0), "found"),
    )
)
PET = tuple(
    Trap("pet_uptake", words, of("pet"), header, answer=answer)
    for words, header, answer in (
        ("a mixed series: Units is BQML and GML", {"Units": lambda ds, n: "GML" if n % 2 else "BQML"}, "declined"),
        ("a mixed series: PatientWeight", {"PatientWeight": lambda ds, n: 80 if n % 2 else 68}, "declined"),
        ("scaled twice", {"Units": "GML"}, "declined"),
        ("later than the first acquisition", {"SeriesTime": "160000"}, "found"),
        ("Decay Correction 'NONE'", {"DecayCorrection": "NONE"}, "declined"),
        ("units 'PROPCPS'", {"Units": "PROPCPS"}, "declined"),
    )
)
RESPONSE = (
    Trap("lesion_response", "NE (RECIST 1.1 table 1)", given={"not_evaluated": "growing"}, answer="found"),
    Trap(
        "lesion_response",
        "slices of 1 mm at baseline and 5 mm now",
        header={"SliceThickness": lambda ds, n: 5.0 if later(ds) else 1.0},
        answer="found",
    ),
)
FILMS = (
    Trap(
        "chest_xray_heart", "rotated, or pulled to a side", lambda: thorax.patient(turned_mm=40).files, answer="found"
    ),
    Trap(
        "chest_xray_heart",
        "poor inspiration",
        lambda: thorax.patient(height_mm=150, thorax_mm=310).files,
        answer="found",
    ),
    Trap("chest_xray_heart", "cut off at the bottom", pixels=lambda a, ds: a[:330], answer="found"),
    Trap("chest_xray_heart", "it is inverted", pixels=lambda a, ds: 4095 - a),
    Trap(
        "chest_xray_heart",
        "0.46: not wide",
        header={"PhotometricInterpretation": "MONOCHROME1"},
        pixels=lambda a, ds: 4095 - a,
        answer="found",
    ),
    Trap("chest_xray_heart", "lying or at the bed", header={"SeriesDescription": "CHEST SUPINE"}, answer="found"),
    Trap("chest_xray_heart", "0.46: not wide", header={"SeriesDescription": "Underlying disease"}, answer="found"),
    Trap("breast_density", "a view with magnification", header={"ViewCodeSequence": magnified}),
    Trap("breast_density", "a view with spot", header={"SeriesDescription": "L MLO SPOT"}),
)


EVERY = (*BODY, *PET, *RESPONSE, *FILMS)
# Every second one by day, the others by night.
TURNS = [pytest.param(trap, marks=[pytest.mark.nightly] if n % 2 else []) for n, trap in enumerate(EVERY)]


@pytest.mark.parametrize("trap", TURNS, ids=lambda t: f"{t.analysis}: {t.words}")
def test_the_command_says_why(trap: Trap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "run_apart", running.run)
    answer, words = told(trap, tmp_path)
    assert answer == trap.answer, words
    assert any(trap.words in said for said in words), words


_GRID = np.diag([-2.0, -2.0, 2.0, 1.0])
_NOISE = (50.0 * np.random.default_rng(0).standard_normal((32, 32, 16))).astype(np.float32)
_BOX = np.zeros(_NOISE.shape, np.uint8)
_BOX[8:24, 8:24, 4:12] = 1


def lone(*places: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros_like(_BOX)
    for place in places:
        mask[place] = 1
    return mask


def parts() -> np.ndarray:
    mask = _BOX.copy()
    mask[26:30, 26:30, 4:12] = 1
    return mask


def holed(value: float, place: tuple[int, int, int]) -> np.ndarray:
    image = _NOISE.copy()
    image[place] = value
    return image


@pytest.mark.parametrize(
    ("words", "image", "mask", "more", "answer"),
    (
        ("1 voxel of 2 x 2 x 2 mm is left", _NOISE, lone((16, 16, 8)), (), "declined"),
        ("in 2 parts", _NOISE, parts(), (), "found"),
        ("one intensity everywhere", np.full_like(_NOISE, 30.0), _BOX, (), "declined"),
        ("not numbers in the region", holed(np.nan, (12, 12, 8)), _BOX, (), "declined"),
        ("configuration C", holed(np.nan, (0, 0, 0)), _BOX, (), "found"),
        ("no voxel of the region between -500 and 400", _NOISE - 2000, _BOX, ("configuration=A",), "declined"),
        ("each region's own range: compare", _NOISE, _BOX, ("configuration=D",), "found"),
        ("a mask on another grid than the image", _NOISE, _BOX[::2, ::2, ::2], (), "declined"),
        ("by nearest neighbour", _NOISE, _BOX[::2, ::2, ::2], ("other_grid=nearest",), "found"),
        ("on intensities that are not HU", np.abs(_NOISE) + 100, _BOX, ("configuration=C", "MR"), "declined"),
        ("arbitrary and not normalised", np.abs(_NOISE) + 100, _BOX, ("MR",), "found"),
    ),
)
def test_a_region_that_radiomics_cannot_measure_is_told(
    words: str,
    image: np.ndarray,
    mask: np.ndarray,
    more: tuple[str, ...],
    answer: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "run_apart", running.run)
    for name, array in (("image", image), ("mask", mask)):
        steps = np.array(_NOISE.shape) / array.shape
        nib.save(nib.Nifti1Image(array, _GRID @ np.diag([*steps, 1.0])), tmp_path / f"{name}.nii.gz")
    sets = [part for one in more if "=" in one for part in ("--set", one)]
    where = [str(tmp_path / "image.nii.gz"), "--mask", str(tmp_path / "mask.nii.gz")]
    kind = "MR" if "MR" in more else "CT"
    done = CliRunner().invoke(app, ["analyse", *where, "--modality", kind, "--only", "radiomics", "--json", *sets])
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)
    assert result["answer"] == answer, result["reasons"]
    assert any(words in reason for reason in result["reasons"]), result["reasons"]
