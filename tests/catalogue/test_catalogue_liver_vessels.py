"""Planted vessels of a liver: a fork of known length and radius; images in which none would be seen are refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from other_grids import must_refuse
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.liver_vessels import LiverVessels
from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.record import Code, Outcome, codes
from isocenter.space import Axis, Geometry, Region, Volume
from isocenter.testing.phantoms import liver_ct

GRID = Geometry.regular(shape=(50, 100, 100), spacing_mm=(1.5, 1.0, 1.0), frame_of_reference="2.25.1")
FACTS: dict[str, Any] = {"Modality": "CT", "ContrastBolusAgent": "Iomeprol", "SliceThickness": 1.5}


def tube(a: tuple[float, ...], b: tuple[float, ...], radius: float) -> np.ndarray:
    at = GRID.to_patient(np.stack(np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij"), axis=-1))
    start, way = np.array(a), np.array(b) - np.array(a)
    share = np.clip(((at - start) @ way) / (way @ way), 0, 1)
    return np.asarray(np.linalg.norm(at - start - share[..., None] * way, axis=-1) <= radius)


@pytest.fixture(scope="module")
def liver() -> tuple[Region, ...]:
    mask = np.zeros(GRID.shape, bool)
    mask[2:48, 3:97, 3:97] = True
    return (Region(GRID, mask=mask, label="Liver"),)


def fork_of() -> np.ndarray:
    trunk = tube((50, 12, 37), (50, 50, 37), 3.0)
    return trunk | tube((50, 50, 37), (20, 84, 37), 2.5) | tube((50, 50, 37), (80, 84, 37), 2.5)


@pytest.fixture(scope="module")
def ct() -> Volume:
    noise = np.random.default_rng(2).normal(0, 6, GRID.shape)
    image = np.where(fork_of(), 190.0, 105.0) + noise
    return Volume(image.astype(np.float32), GRID, "attenuation", "[hnsf'U]", facts=FACTS)


@pytest.fixture(scope="module")
def answer(ct: Volume, liver: tuple[Region, ...]) -> Answer:
    return LiverVessels().run(ct, liver)


def said(answer: Answer, what: Code, unit: str) -> float:
    return next(m.value for m in answer.measurements if m.what == what and m.unit == unit)


def test_a_planted_fork_is_measured(answer: Answer) -> None:
    assert answer.outcome is Outcome.FOUND
    length = 38 + 2 * np.hypot(30, 34)
    assert said(answer, codes.CENTRE_LINE, "mm") == pytest.approx(length, rel=0.12)
    assert said(answer, codes.BRANCH_POINTS, "{counts}") == 1
    planted = fork_of()
    assert said(answer, codes.VESSEL_RADIUS, "mm") == pytest.approx((38 * 3.0 + 90.7 * 2.5) / 128.7, rel=0.05)
    inside = np.zeros(GRID.shape, bool)
    inside[5:45, 8:92, 8:92] = True  # 4 mm from the surface, about
    share = said(answer, codes.VESSEL_FRACTION, "%")
    assert share == pytest.approx(100 * (planted & inside).sum() / inside.sum(), rel=0.08)
    assert said(answer, codes.TORTUOSITY, "{ratio}") == pytest.approx(1.0, abs=0.09)  # steps of a grid: 8 % at most
    assert 0.8 < said(answer, codes.FRACTAL_DIMENSION, "1") < 1.3  # diagonal voxels count low
    assert answer.findings[0].where is not None and answer.findings[0].where.geometry.same_grid(GRID)
    assert any("no reference by age or disease" in r for r in answer.reasons)


def test_a_clip_and_a_lesion_hide_no_vessel_and_are_none(answer: Answer, ct: Volume, liver: tuple[Region, ...]) -> None:
    """One clip was the measure of the filter: of the fork 1 mm was left. A lesion with contrast was vessels."""
    at = GRID.to_patient(np.stack(np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij"), axis=-1))
    clip, lesion = (np.linalg.norm(at - c, axis=-1) <= r for c, r in (((20, 30, 30), 3.0), ((80, 40, 30), 9.0)))
    beside = np.where(clip, 900.0, np.where(lesion, ct.array + 70.0, ct.array)).astype(np.float32)
    found = LiverVessels().run(replace(ct, array=beside), liver)
    for what, unit in ((codes.CENTRE_LINE, "mm"), (codes.VESSEL_FRACTION, "%"), (codes.VESSEL_RADIUS, "mm")):
        assert said(found, what, unit) == pytest.approx(said(answer, what, unit), rel=0.05)
    assert said(found, codes.BRANCH_POINTS, "{counts}") == 1
    told = " ".join(found.reasons)
    assert "brighter than blood in the vessels" in told and "as wide as long or wider than any vessel" in told
    assert not any("left out" in r for r in answer.reasons)


def test_noise_makes_no_branches(answer: Answer, liver: tuple[Region, ...]) -> None:
    """Noise with the grain of a soft kernel, 25 HU for a contrast of 85: the fork had a branch for every bump."""
    grain = gaussian_filter(np.random.default_rng(4).normal(size=GRID.shape), [0.8 / mm for mm in GRID.spacing_mm])
    image = np.where(fork_of(), 190.0, 105.0) + 25.0 * grain / grain.std()
    noisy = LiverVessels().run(Volume(image.astype(np.float32), GRID, "attenuation", "[hnsf'U]", facts=FACTS), liver)
    assert any(r.startswith("the noise is ") and "smoothed by 0.8 mm" in r for r in noisy.reasons)
    assert not any("smoothed" in r for r in answer.reasons)
    for what, unit, off in ((codes.CENTRE_LINE, "mm", 0.08), (codes.VESSEL_RADIUS, "mm", 0.1)):
        assert said(noisy, what, unit) == pytest.approx(said(answer, what, unit), rel=off)
    assert said(noisy, codes.BRANCH_POINTS, "{counts}") <= 2


def test_a_phase_after_contrast_by_its_description_is_measured_where_the_agent_is_left_out(
    ct: Volume, liver: tuple[Region, ...], answer: Answer
) -> None:
    """Such a CT was declined, as of no contrast agent."""
    portal = LiverVessels().run(replace(ct, facts={"Modality": "CT", "SeriesDescription": "Leber PORTALVENÖS"}), liver)
    assert [m.value for m in portal.measurements] == [m.value for m in answer.measurements]
    assert "no contrast agent is stated: portal venous phase by its description" in portal.reasons


def test_images_in_which_no_vessel_would_be_seen(ct: Volume, liver: tuple[Region, ...]) -> None:
    run = LiverVessels().run
    with pytest.raises(Refused, match="no contrast agent is stated"):
        run(replace(ct, facts={"Modality": "CT", "SeriesDescription": "Leber nativ"}), liver)
    with pytest.raises(Refused, match="a virtual image without contrast: contrast was taken out, and"):
        run(replace(ct, facts={**FACTS, "SeriesDescription": "Liver VNC 1.5"}), liver)
    with pytest.raises(Refused, match="none of them is named liver"):
        run(ct, (replace(liver[0], label="Spleen"),))
    must_refuse(lambda region: run(ct, (region,)), liver[0])
    with pytest.raises(Refused, match="radii"):
        run(ct, liver, smallest_radius_mm=9.0)
    far = Geometry.regular(shape=GRID.shape, spacing_mm=(5.0, 1.0, 1.0), frame_of_reference="2.25.1")
    with pytest.raises(Refused, match="vessels break between them"):
        run(Volume(ct.array, far, ct.quantity, ct.unit, facts=FACTS), liver)
    two = Volume(np.stack([ct.array] * 2), GRID, ct.quantity, ct.unit, (Axis("time", (0, 1), "s"),), FACTS)
    with pytest.raises(Refused, match="one phase"):
        run(two, liver)
    small = np.zeros(GRID.shape, bool)
    small[10:25, 10:30, 10:30] = True
    with pytest.raises(Refused, match="away from its edge"):
        run(ct, (Region(GRID, mask=small, label="liver"),))


def test_a_virtual_image_of_one_energy_is_measured_and_told(
    answer: Answer, ct: Volume, liver: tuple[Region, ...]
) -> None:
    virtual = LiverVessels().run(replace(ct, facts={**FACTS, "SeriesDescription": "Mono 40 keV"}), liver)
    assert any(r.startswith("a virtual image of 40 keV: vessels differ from liver") for r in virtual.reasons)
    assert not any("virtual" in r for r in answer.reasons)


def test_slices_of_a_tilted_gantry_measure_the_same() -> None:
    """The slices step 20 degrees off their normal: on cubes sheared like them a vessel was 12 % short and 8 % wide."""

    def asked(tilt_deg: float) -> Answer:
        grid = Geometry.regular(shape=(34, 64, 64), spacing_mm=(1.5, 1.0, 1.0), frame_of_reference="2.25.1")
        affine = grid.affine.copy()
        affine[1, 0] = 1.5 * np.tan(np.radians(tilt_deg))
        affine[1, 3] = -affine[1, 0] * 16.5
        grid = replace(grid, affine=affine)
        place = grid.to_patient(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1))
        off, way = place - np.array([31.5, 31.5, 24.75]), np.array([0.3, 0.6, 0.74])
        along = off @ (way / np.linalg.norm(way))
        away = np.linalg.norm(off - along[..., None] * way / np.linalg.norm(way), axis=-1)
        image = np.where((away <= 3.0) & (np.abs(along) < 19), 190.0, 105.0)
        image += np.random.default_rng(4).normal(0, 6, grid.shape)
        inside = (np.abs(off) < np.array([27.0, 27.0, 22.0])).all(axis=-1)
        volume = Volume(image.astype(np.float32), grid, "attenuation", "[hnsf'U]", facts=FACTS)
        return LiverVessels().run(volume, (Region(grid, mask=inside, label="liver"),))

    straight, tilted = asked(0.0), asked(20.0)
    near = {codes.VESSEL_RADIUS: ("mm", 0.04), codes.CENTRE_LINE: ("mm", 0.1), codes.VESSEL_FRACTION: ("%", 0.04)}
    for what, (unit, off) in near.items():
        assert said(tilted, what, unit) == pytest.approx(said(straight, what, unit), rel=off)
    assert said(tilted, codes.VESSEL_RADIUS, "mm") == pytest.approx(3.0, abs=0.15)


def test_from_dicom_to_json(tmp_path: Path) -> None:
    made = liver_ct.patient(slices=28)
    for n, data in enumerate(made.files):
        (tmp_path / f"{n}.dcm").write_bytes(data)
    done = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "liver_vessels", "--json"])
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)
    line = next(m for m in result["measurements"] if m["what"]["code"] == "centre-line" and m["unit"] == "mm")
    assert line["value"] == pytest.approx(made.truth["vessel_mm"], rel=0.2)
    forks = next(m for m in result["measurements"] if m["what"]["code"] == "branch-points" and m["unit"] == "{counts}")
    assert forks["value"] == 1
