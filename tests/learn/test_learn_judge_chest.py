"""Outlines of lungs and heart beside those of readers, in the layout of the public collections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from PIL import Image

from isocenter.errors import Refused
from isocenter.learn.judge import judged
from isocenter.testing.phantoms import thorax


def collection(folder: Path, *, heart: bool = True) -> Path:
    """Two adults as PNG, and one picture that is no chest."""
    for seed in (1, 2, 3):
        pixels, truth = thorax.picture(seed=seed, heart_mm=120.0 + 20 * seed)
        if seed == 3:
            pixels = np.random.default_rng(0).integers(0, 4095, pixels.shape).astype(np.uint16)
        lungs = truth["right"] | truth["left"]
        rows = np.nonzero(lungs)[0]
        drawn = {"CXR_png": (pixels // 16).astype(np.uint8), "rightMask": truth["right"], "leftMask": truth["left"]}
        if heart:
            y, x = np.indices(pixels.shape)
            half = truth["heart_mm"] / 2 / 0.8
            middle = 256 + 0.14 * truth["heart_mm"] / 0.8
            drawn["heart"] = ((x - middle) / half) ** 2 + ((y - rows.max() + 60) / 72) ** 2 < 1
        for name, plane in drawn.items():
            (folder / name).mkdir(exist_ok=True)
            grey = plane if plane.dtype == np.uint8 else plane.astype(np.uint8) * 255
            Image.fromarray(grey).save(folder / name / f"{seed}.png")
    return folder


def test_dice_and_ratio_of_a_collection(tmp_path: Path) -> None:
    found = judged("chest_xray_heart", collection(tmp_path))
    report = found.report
    assert (report["n"], report["declined"]) == (3, 1)
    seen = [row for row in found.predictions if not row["declined"]]
    assert min(row["dice right"] for row in seen) > 0.9 and min(row["dice left"] for row in seen) > 0.9
    assert report["metrics"]["dice"]["right"]["value"] == pytest.approx(sum(row["dice right"] for row in seen) / 3), (
        "what is declined counts with nothing"
    )
    assert report["metrics"]["absolute_difference"]["ratio"]["pictures"] == 2


def test_lungs_alone_and_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    report = judged("chest_xray_heart", collection(tmp_path / "a", heart=False)).report
    assert set(report["metrics"]["dice"]) == {"right", "left"} and "difference" not in report["metrics"]
    with pytest.raises(Refused, match="no split"):
        judged("chest_xray_heart", tmp_path / "a", "test")
    (tmp_path / "b").mkdir()
    with pytest.raises(Refused, match="no outlined lungs"):
        judged("chest_xray_heart", tmp_path / "b")
    small = tmp_path / "a" / "leftMask" / "1.png"
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(small)
    with pytest.raises(Refused, match="another shape"):
        judged("chest_xray_heart", tmp_path / "a")
    small.write_bytes(b"no picture")
    with pytest.raises(Refused, match="cannot be read"):
        judged("chest_xray_heart", tmp_path / "a")
