"""When the agent comes, and whose plasma brings it: what is told of frames alone."""

import numpy as np
import pytest

from isocenter.catalogue.plasma_curve import (
    arrival,
    clean_frames,
    drawn_blood,
    motion_of,
    populations,
    second_arrival_s,
)
from isocenter.errors import Refused
from isocenter.methods.exchange import curve
from isocenter.methods.population_input import georgiou, parker

TIMES = np.arange(60) * 5.0


def frames(begins_s: float, gain: float = 1.0) -> np.ndarray:
    """(60, 1, 10, 10): a third of the pixels enhance from some moment on."""
    course = gain * (1.0 - np.exp(-np.clip(TIMES - begins_s, 0.0, None) / 20.0))
    shown = np.full((60, 1, 10, 10), 100.0)
    shown[:, :, :4] *= 1.0 + course[:, None, None, None]
    return shown


def test_the_frame_before_the_first_that_shows_agent() -> None:
    """Agent at 2 s was taken to come after five frames, and at 7 s after three."""
    assert [arrival(frames(at)) for at in (7.0, 12.0, 31.0, 61.0)] == [1, 2, 6, 12]
    assert arrival(np.full((60, 1, 10, 10), 100.0)) == 0
    for late in (frames(2.0), frames(31.0, gain=-0.5)):
        with pytest.raises(Refused, match="begins with the agent in it"):
            arrival(late)


def test_a_baseline_ends_before_the_artery_fills_or_any_region_does() -> None:
    shown, where, early = frames(31.0), np.zeros((1, 10, 10), bool), np.zeros((1, 10, 10), bool)
    where[0, :, 8:], early[0, :2, :2] = True, True
    assert clean_frames(shown, 6, None, []) == clean_frames(shown, 6, where, [early]) == 6  # nothing rises before
    for at, clean in ((21.0, 4), (17.0, 3), (12.0, 3), (7.0, 2)):
        shown[:, where] = frames(at)[:, 0, :, :2].reshape(60, -1)
        assert clean_frames(shown, 6, where, []) == clean
        assert clean_frames(shown, 6, None, [where]) == (clean if at > 10.0 else 6)
    shown[:, where] = frames(2.0)[:, 0, :, :2].reshape(60, -1)
    with pytest.raises(Refused, match="begins with the agent in it"):
        clean_frames(shown, 6, where, [])


def test_a_rim_that_darkens_as_the_body_moves_is_no_agent_that_leaves() -> None:
    moved = frames(31.0)
    assert motion_of(moved, TIMES) == ()
    moved[25:, 0, :, 9] = 0.0
    (told,) = motion_of(moved, TIMES)
    assert arrival(moved) == 6 and "10 % of what has signal darkens 125 s after" in told
    restless = frames(31.0)
    restless[3::3, 0, :, 8], restless[4::3, 0, :, 8] = 30.0, 60.0
    (told,) = motion_of(restless, TIMES)
    assert arrival(restless) == 6 and "10 % of what has signal goes to and fro between frames" in told
    leaves = frames(31.0)
    leaves[:, 0, :, 9] *= np.exp(-TIMES / 60.0)[:, None]
    only = np.full((60, 1, 10, 10), 100.0)
    only[25:, 0, :, 9] = 0.0
    for late in (leaves, only):  # more falls than rises
        with pytest.raises(Refused, match="begins with the agent in it"):
            arrival(late)


@pytest.mark.parametrize(("name", "of"), [("drawn or parker", parker), ("georgiou", georgiou)])
def test_a_populations_plasma_comes_when_the_tissue_says(name: str, of: object) -> None:
    assert callable(of)
    fine = np.arange(0.0, 296.0, 0.1)
    tissue = np.interp(TIMES, fine, curve("tofts", fine, of(fine, arrival_s=33.0) / 0.6, ktrans=0.2, ve=0.3))
    plasma, whose = populations(frames(33.0), TIMES, name, 6, 0.4, "tofts", tissue)
    assert np.abs(plasma - of(TIMES, arrival_s=33.0) / 0.6).max() < 0.8 and "nobody's own" in whose
    with_a_frame, told = populations(frames(33.0), TIMES, name, 6, 0.4, "tofts", None)
    assert np.array_equal(with_a_frame, of(TIMES, arrival_s=30.0) / 0.6) and "arriving 30.0 s" in told
    with pytest.raises(Refused, match="no artery is drawn"):
        populations(frames(33.0), TIMES, "drawn", 6, 0.4, "tofts", tissue)


def test_blood_that_shows_no_agent_is_no_artery() -> None:
    where = np.zeros((1, 10, 10), bool)
    where[0, :4] = True
    given = {"first": 6, "tr": 5.0, "flip": 15.0, "blood_t1_ms": 1600.0, "relaxivity": 4.5}
    blood, whose = drawn_blood(frames(31.0, gain=3.0), where, **given)
    assert blood.shape == (60,) and blood.max() > 0.2 and "drawn by a person" in whose
    with pytest.raises(Refused, match="it is no artery"):
        drawn_blood(np.full((60, 1, 10, 10), 100.0), where, **given)


@pytest.mark.parametrize("noise", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("first", [1, 3, 6])
def test_slow_tissue_and_noise_are_no_second_injection(first: int, noise: float) -> None:
    """What goes on rising for minutes, without a vessel, was taken for one in up to 60 of 60 scans."""
    times = np.arange(60) * 5.0
    since = np.clip(times - (first - 1) * 5.0, 0.0, None)
    slow = 1.0 - np.exp(-since / 60.0)
    again = 2.0 - np.exp(-since / 10.0) - np.exp(-np.clip(times - 180.0, 0.0, None) / 10.0)
    for seed in range(20):
        grain = 100.0 * noise * np.random.default_rng(seed).standard_normal((60, 1, 20, 20))
        shown = [100.0 * (1.0 + r)[:, None, None, None] + grain for r in (slow, again)]
        assert second_arrival_s(shown[0], times, first) == 0.0
        if noise < 0.1:
            assert second_arrival_s(shown[1], times, first) == pytest.approx(185.0, abs=5.0)
