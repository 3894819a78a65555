"""Cine arithmetic: expert contours with published areas, circles with known answers, and every refusal."""

import csv
from pathlib import Path

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.learn.hearts import Heart, Outline, read_hearts
from isocenter.methods import cine

SUNNYBROOK = ("SC-HF-I-1", "SC-HF-I-2", "SC-HF-I-4", "SC-HF-I-5", "SC-HF-I-6")


@pytest.fixture(scope="module")
def table(reference: Path) -> dict[str, dict[str, str]]:
    folder = reference / "sunnybrook-lv"
    if not folder.is_dir():
        pytest.skip("sunnybrook-lv is not among the reference data")
    with (folder / "lv_from_expert_contours.csv").open(newline="") as text:
        return {row["subject"]: row for row in csv.DictReader(text)}


@pytest.fixture(scope="module")
def areas(reference: Path, table: dict[str, dict[str, str]]) -> list[dict[str, str]]:
    with (reference / "sunnybrook-lv" / "contour_areas.csv").open(newline="") as text:
        return list(csv.DictReader(text))


@pytest.fixture(scope="module")
def hearts(data: Path) -> dict[str, Heart]:
    folder = data / "sunnybrook_cine"
    if not folder.is_dir():
        pytest.skip("sunnybrook_cine is not among the data")
    return {heart.name: heart for heart in read_hearts(folder)}


@pytest.mark.data
@pytest.mark.parametrize("subject", SUNNYBROOK)
def test_volumes_and_mass_from_published_areas(
    subject: str, table: dict[str, dict[str, str]], areas: list[dict[str, str]]
) -> None:
    truth, mine = table[subject], [a for a in areas if a["subject"] == subject]
    depths = sorted({float(a["z_along_normal_mm"]) for a in mine})
    spacing = cine.slice_spacing_mm([(0.0, 0.0, z) for z in depths], (1, 0, 0, 0, 1, 0))
    ed, es = int(truth["ED_phase_index0"]), int(truth["ES_phase_index0"])

    def by_slice(kind: str, phase: int) -> dict[str, float]:
        chosen = [a for a in mine if a["kind"] == kind and int(a["phase_index0"]) == phase]
        return {a["z_along_normal_mm"]: float(a["area_mm2"]) for a in chosen}

    inner, outer = by_slice("i", ed), by_slice("o", ed)
    found = cine.ejection([cine.disk_volume_ml(list(a.values()), spacing) for a in (inner, by_slice("i", es))])
    assert found.edv_ml == pytest.approx(float(truth["EDV_ml"]), abs=0.1)
    assert found.esv_ml == pytest.approx(float(truth["ESV_ml"]), abs=0.1)
    assert found.ef_percent == pytest.approx(float(truth["EF_percent"]), abs=0.06)
    both = sorted(set(inner) & set(outer))
    mass = cine.mass_g([outer[z] for z in both], [inner[z] for z in both], spacing)
    assert mass == pytest.approx(float(truth["LV_mass_ED_g"]), abs=0.1)


@pytest.mark.data
@pytest.mark.parametrize("subject", SUNNYBROOK)
def test_volumes_and_mass_from_contours_on_the_images(
    subject: str, hearts: dict[str, Heart], table: dict[str, dict[str, str]]
) -> None:
    if subject not in hearts:
        pytest.skip(f"images and contours of {subject} are not among the data")
    truth, heart = table[subject], hearts[subject]
    geometry = heart.cine.geometry
    positions = [geometry.to_patient((k, 0, 0)) for k in range(geometry.shape[0])]
    spacing = cine.slice_spacing_mm(positions, heart.cine.facts["ImageOrientationPatient"])
    assert spacing == pytest.approx(float(truth["slice_spacing_mm_from_IPP"]), abs=0.01)
    assert abs(spacing - float(truth["SliceLocation_step_mm"])) > 2.0  # what a careless reader would take

    def in_space(outline: Outline) -> np.ndarray:
        column, row = outline.points.T
        return geometry.to_patient(np.stack([np.full(len(row), outline.slice), row, column], axis=1))

    inner: dict[int, list[np.ndarray]] = {}
    for one in heart.outlines:
        if one.kind == "i":
            inner.setdefault(one.phase, []).append(in_space(one))
    found = cine.ejection_of_contours(inner, spacing)
    assert found.edv_ml == pytest.approx(float(truth["EDV_ml"]), abs=0.1)
    assert found.esv_ml == pytest.approx(float(truth["ESV_ml"]), abs=0.1)
    assert found.ef_percent == pytest.approx(float(truth["EF_percent"]), abs=0.06)
    assert (found.ed, found.es) == (int(truth["ED_phase_index0"]), int(truth["ES_phase_index0"]))
    areas = {(o.kind, o.phase, o.slice): cine.polygon_area_mm2(in_space(o)) for o in heart.outlines}
    both = [(p, k) for kind, p, k in areas if kind == "o" and ("i", p, k) in areas]
    mass = cine.mass_g([areas["o", p, k] for p, k in both], [areas["i", p, k] for p, k in both], spacing)
    assert mass == pytest.approx(float(truth["LV_mass_ED_g"]), abs=0.1)


def test_a_polygon_in_space_has_the_area_of_the_flat_one() -> None:
    flat = np.array([[0.0, 0.0], [30.0, 5.0], [20.0, 25.0], [-5.0, 12.0]])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert cine.polygon_area_mm2(flat @ turn[:2]) == pytest.approx(cine.polygon_area_mm2(flat))
    assert cine.polygon_area_mm2(flat[::-1] + 1000.0) == pytest.approx(cine.polygon_area_mm2(flat))


def test_output_index_and_phases() -> None:
    found = cine.ejection([90.0, 140.0, 100.0, 56.0], heart_rate_bpm=75.0)
    assert (found.ed, found.es) == (1, 3)
    assert found.sv_ml == pytest.approx(84.0)
    assert found.ef_percent == pytest.approx(60.0)
    assert found.co_l_min == pytest.approx(6.3)
    assert cine.ejection([140.0, 56.0]).co_l_min is None  # no heart rate, no output
    assert cine.body_surface_m2(1.75, 70.0) == pytest.approx(np.sqrt(175 * 70 / 3600))


def test_rates_of_a_curve_with_known_slope() -> None:
    n, beat_ms = 25, 1000.0
    t = np.arange(n) / n
    volumes = 100.0 + 40.0 * np.cos(2 * np.pi * t)
    found = cine.filling(volumes, beat_ms / n)
    steepest = 40.0 * 2 * np.pi  # ml/s
    assert found.peak_ejection_ml_s == pytest.approx(steepest, rel=1e-3)
    assert found.peak_filling_ml_s == pytest.approx(steepest, rel=1e-3)
    assert found.time_to_peak_filling_ms == pytest.approx(250.0, abs=3.0)


def test_half_a_rim() -> None:
    y, x = np.mgrid[:80, :80] - 40.0
    r = np.hypot(y, x)
    inside, around = r < 20, (r >= 20) & (r < 28)
    assert cine.rim(inside, around, (1.0, 1.0)) == pytest.approx(1.0)
    assert cine.rim(inside, around & (x > 0), (1.0, 1.0)) == pytest.approx(0.5, abs=0.06)
    assert cine.rim(inside, np.zeros_like(inside), (1.0, 1.0)) == 0.0
    assert cine.rim(np.zeros_like(inside), around, (1.0, 1.0)) == 0.0


AXIAL = (1, 0, 0, 0, 1, 0)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: cine.slice_spacing_mm([(0, 0, z) for z in (0, 10, 20, 40, 50)], AXIAL), "slice is missing"),
        (lambda: cine.slice_spacing_mm([(0, 0, z) for z in (0, 10, 10.01, 20)], AXIAL), "at one place"),
        (lambda: cine.slice_spacing_mm([(0, 0, z) for z in (0, 10, 21, 31)], AXIAL), "even distances"),
        (lambda: cine.slice_spacing_mm([(0, 0, 0)], AXIAL), "1 slice positions"),
        (lambda: cine.slice_spacing_mm([(0, 0, 0), (0, 0, np.nan)], AXIAL), "finite"),
        (lambda: cine.polygon_area_mm2([(0, 0), (1, 1)]), "three finite corners"),
        (lambda: cine.disk_volume_ml([1.0, -1.0], 10.0), "negative"),
        (lambda: cine.disk_volume_ml([1.0], 0.0), "height"),
        (lambda: cine.ejection([100.0]), "two phases"),
        (lambda: cine.ejection([0.0, 0.0]), "0 ml"),
        (lambda: cine.ejection([100.0, 50.0], heart_rate_bpm=1.2), "20 and 300"),
        (lambda: cine.mass_g([10.0], [10.0, 5.0], 10.0), "where both are drawn"),
        (lambda: cine.mass_g([10.0], [20.0], 10.0), "exchanged"),
        (lambda: cine.body_surface_m2(175.0, 70.0), "metres, not centimetres"),
        (lambda: cine.body_surface_m2(1.75, 700.0), "weight 700"),
        (lambda: cine.filling([100.0, 50.0, 80.0], 40.0), "12 phases"),
        (lambda: cine.filling(np.linspace(100, 50, 20), 120.0), "of at most 80 ms"),
    ],
)
def test_what_is_refused(ask: object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        ask()  # type: ignore[operator]
