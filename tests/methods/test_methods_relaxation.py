"""T1 and concentration from signal: against OSIPI's voxels, exact signals, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from osipi import numbers, rows

from isocenter.errors import Refused
from isocenter.methods import relaxation
from isocenter.methods.relaxation import concentration, spoiled, t1_from_angles, t1_from_inversion


@pytest.mark.data
@pytest.mark.parametrize(("name", "scale", "many"), [("t1_brain_data", 1.0, 76), ("t1_quiba_data", 1000.0, 45)])
def test_t1_of_osipi(reference: Path, name: str, scale: float, many: int) -> None:
    table = rows(reference, f"T1_mapping/data/{name}")
    assert len(table) == many
    for row in table:
        found = t1_from_angles(numbers(row["s"]), 1000 * numbers(row["TR"])[0], numbers(row["FA"]))
        rate = scale * float(row["R1"])
        assert abs(1000 / found.t1_ms[0] - rate) <= 0.5 * (0.05 + 0.05 * rate)


@pytest.mark.data
def test_t1_of_the_prostate_with_and_without_b1(reference: Path) -> None:
    table = rows(reference, "T1_mapping/data/t1_prostate_data")
    assert len(table) == 50
    for row in table:
        s, tr, angles = numbers(row["s"]), numbers(row["TR"])[0], numbers(row["FA"])
        plain, line = t1_from_angles(s, tr, angles), t1_from_angles(s, tr, angles, linear=True)
        corrected = t1_from_angles(s, tr, angles, b1=float(row["B1"]) / 100)
        assert plain.t1_ms[0] == pytest.approx(float(row["T1 nonlinear"]), rel=1e-4)
        assert line.t1_ms[0] == pytest.approx(float(row["T1 linear"]), rel=1e-3)
        assert corrected.t1_ms[0] == pytest.approx(float(row["T1 nonlinear B1cor"]), rel=1e-4)


@pytest.mark.data
def test_concentration_of_osipi(reference: Path) -> None:
    table = rows(reference, "SI_to_Conc/data/SI2Conc_data")
    assert len(table) == 5
    for row in table:
        # The reference takes the mean of the baseline without its first frame.
        s, truth, count = numbers(row["s"]), numbers(row["conc"]), int(row["numbaselinepts"]) - 1
        t1, r1 = np.array(1000 * float(row["T1base"])), float(row["r1"])
        ours = relaxation.enhanced(s[1:], 1000 * float(row["TR"]), float(row["FA"]), t1, count, r1)
        assert (np.abs(ours - truth[1:]) <= 0.5e-5 * (1 + np.abs(truth[1:]))).all()


def test_signal_there_and_back() -> None:
    truth = np.array([300.0, 900.0, 1600.0, 3000.0])
    angles = np.array([2.0, 5.0, 12.0, 20.0])
    signals = np.stack([spoiled(truth, 5.4, a * 0.9, 1000.0) for a in angles])
    for linear in (True, False):
        found = t1_from_angles(signals, 5.4, angles, b1=0.9, linear=linear)
        assert found.t1_ms == pytest.approx(truth, rel=1e-6) and found.s0 == pytest.approx(np.full(4, 1000.0), rel=1e-6)
    added = np.array([0.0, 0.0, 0.0, 0.5, 2.0, 5.0])
    bright = spoiled(1000 / (1.0 + 4.5 * added), 5.0, 15.0, 80.0)
    assert concentration(bright, tr_ms=5.0, flip_deg=15.0, t1_ms=1000.0, baseline=3) == pytest.approx(added, abs=1e-9)


def test_noise_is_weighed_rightly() -> None:
    angles = np.array([3.0, 6.0, 9.0, 15.0, 24.0, 35.0])
    clean = np.stack([np.full(4000, spoiled(1200.0, 5.0, a, 1e4)) for a in angles])
    noisy = clean + np.random.default_rng(0).normal(0, 6.0, clean.shape)
    line, squares = (t1_from_angles(noisy, 5.0, angles, linear=linear).t1_ms for linear in (True, False))
    assert abs(np.nanmedian(squares) / 1200 - 1) < 0.01
    assert np.nanstd(squares) < np.nanstd(line)


def test_inversion_recovery() -> None:
    times = np.array([50.0, 200.0, 500.0, 900.0, 1500.0, 3000.0])
    truth = np.array([250.0, 800.0, 1900.0])
    signals = 500 * np.abs(1 - 2 * np.exp(-times[:, None] / truth))
    assert t1_from_inversion(signals, times).t1_ms == pytest.approx(truth, rel=1e-3)
    assert np.isnan(t1_from_inversion(np.zeros((6, 1)), times).t1_ms).all()
    with pytest.raises(Refused, match="three or more"):
        t1_from_inversion(signals[:2], times[:2])


def test_what_has_no_t1_is_none() -> None:
    odd = t1_from_angles(np.array([[100.0, 0.0], [500.0, 0.0]]), 5.0, [5.0, 15.0])
    assert np.isnan(odd.t1_ms).all() and not odd.plausible.any()
    long = t1_from_angles(np.array([spoiled(7000.0, 5.0, a) for a in (2.0, 10.0)]), 5.0, [2.0, 10.0])
    assert long.t1_ms[0] == pytest.approx(7000.0, rel=1e-4) and not long.plausible[0]


def test_a_signal_that_no_concentration_makes_is_none() -> None:
    s = np.array([10.0, 10.0, 10.0, 20.0, 4000.0])
    found = concentration(s, tr_ms=5.0, flip_deg=15.0, t1_ms=1000.0, baseline=3)
    assert np.isfinite(found[:4]).all() and np.isnan(found[4])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tr_ms": 0.0}, "repetition time of 0"),
        ({"tr_ms": 0.005}, "seconds may have been given"),
        ({"flip_deg": 0.0}, "flip angle of 0"),
        ({"baseline": 2}, "baseline of 2 frames"),
        ({"t1_ms": 1.4}, "seconds may have been given"),
        ({"t1_ms": 6000.0}, "50 to 5000 ms"),
    ],
)
def test_what_is_refused(given: dict, words: str) -> None:
    usual = {"tr_ms": 5.0, "flip_deg": 15.0, "t1_ms": 1000.0, "baseline": 3}
    with pytest.raises(Refused, match=words):
        concentration(np.ones(9), **{**usual, **given})
    with pytest.raises(Refused, match="two or more"):
        t1_from_angles(np.ones((1, 3)), 5.0, [5.0])
