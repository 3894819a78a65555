"""Outlines of lungs and heart beside those of readers, in the layout of the public collections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from PIL import Image

from isocenter.errors import Refused
from isocenter.learn.judge import judged
from isocenter.learn.outlined_films import outlined_films
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
        list(outlined_films(tmp_path / "a"))
    found = judged("chest_xray_heart", tmp_path / "a")
    assert found.report["n"] == 2 and found.report["declined"] == 2 and len(found.cases) == 2
    assert "1 of 3 images were not measured" in found.report["remarks"][0]
    small.write_bytes(b"no picture")
    with pytest.raises(Refused, match="cannot be read"):
        list(outlined_films(tmp_path / "a"))
    for name in ("2", "3"):
        (tmp_path / "a" / "leftMask" / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(Refused, match=r"none of 3 pictures in a can be used: of the first: 1\.png cannot be read"):
        judged("chest_xray_heart", tmp_path / "a")


def test_parts_both_lungs_in_one_file_and_compressed_outlines_give_the_same_figures(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    plain = judged("chest_xray_heart", collection(tmp_path / "plain")).report["metrics"]["dice"]
    for layout in ("parts", "parts below", "both", "ends", "jpeg"):
        root = tmp_path / layout
        for seed, part in ((1, "test"), (2, "train"), (3, "test")):
            read = {p.name: np.asarray(Image.open(p / f"{seed}.png")) for p in (tmp_path / "plain").iterdir()}
            read["masks"] = np.maximum(read["leftMask"], read["rightMask"])
            lungs = ("masks",) if layout == "both" else ("leftMask", "rightMask")
            for name in ("CXR_png", *lungs, "heart"):
                word = {"leftMask": "_left", "rightMask": "_right_lung", "heart": "_heart"}.get(name, "")
                file = {
                    "parts": root / part / name / f"{seed}.png", "parts below": root / name / part / f"{seed}.png",
                    "ends": root / f"{seed}{word}.png",
                    "both": root / name / f"{seed}{'_mask' if name == 'masks' else ''}.png",
                    "jpeg": root / name / f"{seed}.{'png' if name == 'CXR_png' else 'jpg'}",
                }[layout]  # fmt: skip
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(read[name]).save(file)
                if layout == "parts below" and name != "CXR_png":  # numbered anew in every part
                    other = root / name / ("train" if part == "test" else "test") / f"{seed}.png"
                    other.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(read[name][::-1]).save(other)
        report = judged("chest_xray_heart", root).report
        assert (report["n"], report["declined"]) == (3, 1), layout
        for part, figure in plain.items():
            assert report["metrics"]["dice"][part]["value"] == pytest.approx(figure["value"], abs=2e-3), layout
    assert judged("chest_xray_heart", tmp_path / "parts", "train").report["n"] == 1
    mask = tmp_path / "both" / "masks" / "1_mask.png"
    whole = np.asarray(Image.open(mask))
    Image.fromarray(np.where(whole > 0, 1 + (np.indices(whole.shape)[1] > 256), 0).astype(np.uint8)).save(mask)
    with pytest.raises(Refused, match=r"1_mask.png holds 1, 2.*(?i:give) each structure a file of its own"):
        list(outlined_films(tmp_path / "both"))
    assert "holds 1, 2" in judged("chest_xray_heart", tmp_path / "both").report["remarks"][0]
    Image.fromarray(np.full_like(whole, 255)).save(mask)
    found = judged("chest_xray_heart", tmp_path / "both")
    found.write(tmp_path / "said.csv")
    assert found.report["declined"] == 2 and "are one piece" in found.predictions[0]["declined"]
    again = tmp_path / "parts" / "more" / "CXR_png" / "1.png"
    again.parent.mkdir(parents=True)
    again.write_bytes((tmp_path / "parts" / "test" / "CXR_png" / "1.png").read_bytes())
    (tmp_path / "parts" / "train" / "leftMask" / "1.png").write_bytes(mask.read_bytes())
    with pytest.raises(Refused, match=r"2 outlines for 1.png"):
        judged("chest_xray_heart", tmp_path / "parts")
