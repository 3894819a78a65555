"""Whether a scan is fit to be deconvolved: each trap is made once, and refused in words."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import bolus


def test_regular_times_stay() -> None:
    found = bolus.sampling(np.arange(40) * 1.5 + 7.0)
    assert found.step_s == pytest.approx(1.5) and found.frames == 40 and found.remarks == ()
    assert np.array_equal(found.operator, np.eye(40))


def test_irregular_times_are_resampled_and_that_is_said() -> None:
    times = np.concatenate([np.arange(0, 40, 1.0), np.arange(40, 70, 2.5)])
    found = bolus.sampling(times)
    assert found.step_s == 1.0 and "resampled to one every 1 s" in found.remarks[0]
    line = 3.0 * times - 2.0
    assert found.operator @ line == pytest.approx(3.0 * np.arange(found.operator.shape[0]) - 2.0)


@pytest.mark.parametrize("gone", [(20,), (20, 21), (1,), (12, 30, 31)])
def test_lost_frames_are_bridged_along_a_curve(gone: tuple[int, ...]) -> None:
    """A straight line cuts what lies between: by 0.11 of a wave of 24 s, where frames of 2 s miss two."""
    every = np.arange(40) * 2.0
    times = np.delete(every, gone)
    found = bolus.sampling(times)
    assert found.step_s == 2.0 and len(found.times_s) == 40 - len(gone)
    assert f"{len(gone)} of 40 times ha" in found.remarks[0] and len(found.remarks) == 1
    wave = lambda t: np.sin(2 * np.pi * t / 24.0)  # noqa: E731
    assert np.abs(found.operator @ wave(times) - wave(every)).max() < 0.03


@pytest.mark.parametrize(
    ("times", "words"),
    [(np.delete(np.arange(40) * 2.0, (18, 19, 20)), "8.0 s apart"),
     (np.delete(np.arange(40) * 2.0, np.arange(3, 39, 3)), "4.0 s apart")],
)  # fmt: skip
def test_too_many_lost_frames_refuse(times: object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        bolus.sampling(times)  # type: ignore[arg-type]


def test_times_that_are_uneven_by_themselves_are_none_that_lost_some() -> None:
    found = bolus.sampling(np.delete(np.arange(60.0), np.arange(3, 57, 3)))
    assert found.holes_s == () and "resampled to one every 1 s" in found.remarks[0]


def test_frames_that_were_lost_while_the_bolus_passed() -> None:
    """Flow hangs on them: of frames of 2 s, one that was lost as the bolus arrived made a core of 101 mL of 52."""

    def told(step_s: float, gone: int) -> tuple[str, ...]:
        times = np.delete(np.arange(int(60 / step_s)) * step_s, gone)
        artery = np.exp(-0.5 * ((times - 15.0) / 2.5) ** 2)
        return bolus.must_see_the_passage(bolus.sampling(times), artery, 9.0)

    assert told(2.0, 2) == told(2.0, 14) == told(1.5, 20) == ()
    assert "between 13.5 and 16.5 s after the first" in told(1.5, 10)[0]
    with pytest.raises(Refused, match=r"no whole image between 14 and 18 s after the first, while the bolus passes"):
        told(2.0, 8)


@pytest.mark.parametrize("late_s", [2.0, 4.0, 8.0])
def test_a_scan_that_began_after_the_bolus_came_says_so(late_s: float) -> None:
    """A vein that still rises was taken for the artery then, or a curve "never rises"."""

    def passes(at_s: float) -> np.ndarray:
        return np.exp(-0.5 * ((np.arange(40) * 1.5 + late_s - at_s) / 2.5) ** 2)

    with pytest.raises(Refused, match="the scan began too late: the bolus was already in the arteries"):
        bolus.must_begin_before(np.stack([passes(5.0)] * 20 + [passes(12.0)] * 80, axis=1))
    bolus.must_begin_before(np.stack([passes(late_s + 9.0)] * 20 + [passes(late_s + 16.0)] * 80, axis=1))


@pytest.mark.parametrize("noise", [0.1, 0.2, 0.3])
def test_noise_is_no_bolus_that_came_before_the_scan(noise: float) -> None:
    passes = np.exp(-0.5 * ((np.arange(60) - 20.0) / 4.0) ** 2)
    rng = np.random.default_rng(int(noise * 10))
    bolus.must_begin_before(passes[:, None] + rng.normal(0, noise, (60, 500)))


def test_the_warning_of_noise_tells_how_far_off_numbers_are() -> None:
    assert "by up to a third too low" in bolus.must_stand_out(2.6, 1.0)[0]
    assert "at about half of what it is" in bolus.must_stand_out(1.8, 1.0)[0]


def test_a_coarse_late_phase_is_left_out() -> None:
    found = bolus.sampling([*np.arange(0, 45, 1.0), 60.0, 75.0])
    assert found.frames == 45 and "2 late frames" in found.remarks[0]


def test_first_images_a_pause_and_a_late_phase_of_5_s_a_frame() -> None:
    """A scanner whose detector covers the brain takes 7 s, 11 to 35 s by 2 s and 40 to 60 s by 5 s."""
    times = np.array([*range(11, 36, 2), 40, 45, 50, 55, 60], np.float64)
    artery = np.exp(-0.5 * ((times - 20.0) / 3.0) ** 2)
    for first in (7.0, 0.0):
        found = bolus.sampling([first, *times])
        assert found.frames == 19 and found.step_s == 2.0 and found.holes_s[0] == (0.0, 11.0 - first)
        assert bolus.must_see_the_passage(found, [0.0, *artery], 16.0 - first) == ()
        assert found.operator @ np.full(19, 3.0) == pytest.approx(3.0)
        assert any(
            f"WARNING: from {35.0 - first:.0f} s on frames lie up to 5.0 s apart" in one for one in found.remarks
        )
    late = [0.0, *np.exp(-0.5 * ((times - 33.0) / 3.0) ** 2)]
    with pytest.raises(Refused, match=r"between 28 and 33 s after the first, while the bolus passes"):
        bolus.must_see_the_passage(bolus.sampling([7.0, *times]), late, 20.0)


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (np.arange(20) * 1.5, "a scan of 30 s"),
        (np.arange(20) * 4.0, "4.0 s apart"),
        ([*np.arange(0, 19, 1.0), *np.arange(22, 70, 4.0)], "4.0 s apart"),
        ([*np.arange(0, 30, 1.0), *np.arange(36, 70, 7.0)], "7.0 s apart"),
        ([0.0, *np.arange(25, 60, 1.0)], "25.0 s apart"),
        ([0.0, 1.0, 1.0, 2.0], "do not rise"),
        ([0.0, np.nan, 2.0], "do not rise"),
    ],
)
def test_times_that_will_not_do(times: list[float], words: str) -> None:
    with pytest.raises(Refused, match=words):
        bolus.sampling(times)


def test_the_baseline_ends_before_the_bolus() -> None:
    curve = np.array([40.0, 41, 40, 39, 41, 40, 55, 120, 240, 180, 90, 60, 50])
    assert bolus.arrival(curve) == 5  # the sixth frame may hold tracer that this mean does not show
    assert bolus.arrival(curve[4:]) == 2


@pytest.mark.parametrize("curve", [[40, 60, 120, 240, 100, 60], [200, 240, 180, 90, 60], [50.0] * 10])
def test_no_baseline(curve: list[float]) -> None:
    with pytest.raises(Refused, match=r"before the bolus arrives|never rises"):
        bolus.arrival(curve)


def test_a_truncated_bolus() -> None:
    bolus.must_come_back([0, 10, 100, 60, 30, 29, 20], "the artery")
    with pytest.raises(Refused, match="the artery ends at 50 % of its peak"):
        bolus.must_come_back([0, 10, 100, 60, 40], "the artery")


def test_saturation() -> None:
    bolus.must_not_be_saturated([40, 90, 260, 261, 200, 100], "the artery")
    with pytest.raises(Refused, match="saturated"):
        bolus.must_not_be_saturated([40, 90, 255, 255, 255, 100], "the artery")
    bolus.must_keep_signal([1, 0.5, 0.05, 0.4, 0.9], "the artery")
    with pytest.raises(Refused, match="saturated"):
        bolus.must_keep_signal([1, 0.5, 0.05, 0.04, 0.06, 0.9], "the artery")


def test_a_bolus_that_never_arrives_is_no_bolus() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0.0, 0.05, 45)
    seconds = np.arange(45) * 1.5
    passage = np.exp(-0.5 * ((seconds - 25.0) / 4.0) ** 2)
    bolus.must_pass(noise + passage)
    bolus.must_pass(0.02 * noise - 0.05 * passage)
    for seed in range(20):
        with pytest.raises(Refused, match="no bolus is seen to pass"):
            bolus.must_pass(np.random.default_rng(seed).normal(500.0, 0.05, 45))


def test_tissue_that_hardly_stands_out_of_noise() -> None:
    assert bolus.must_stand_out(9.0, 1.0) == () == bolus.must_stand_out(1.0, 0.0)
    assert "the core up to 4 times as large" in bolus.must_stand_out(2.0, 1.0)[0]
    with pytest.raises(Refused, match=r"rises by 1\.2 times the noise"):
        bolus.must_stand_out(1.2, 1.0)


def test_tissue_that_is_cut_off_by_the_end() -> None:
    seconds = np.arange(45) * 1.5
    passage = np.exp(-0.5 * ((seconds - 63.0) / 5.0) ** 2)
    with pytest.raises(Refused, match="tissue ends at"):
        bolus.must_come_back(passage, "tissue", 0.6)
    bolus.must_come_back(np.roll(passage, -5), "tissue", 0.6)


def test_a_scan_that_begins_with_the_bolus_in_it() -> None:
    seconds = np.arange(45) * 1.5
    for middle in (0.0, 2.0):
        with pytest.raises(Refused, match="after the bolus had arrived, or so"):
            bolus.must_begin_without(np.exp(-0.5 * ((seconds - middle) / 5.0) ** 2), ", or so")
    for middle in (12.0, 40.0):
        bolus.must_begin_without(np.exp(-0.5 * ((seconds - middle) / 5.0) ** 2), "")
    bolus.must_begin_without(np.exp(-0.5 * ((seconds - 30.0) / 5.0) ** 2) - 0.2 * (seconds > 40.0), "")


def test_tracer_in_a_short_baseline_is_left_out() -> None:
    """Two frames of which the second held 2, 5 and 11 % of the artery's peak made 42, 24 and 23 of a flow of 46."""
    tail = [*[9.0] * 12]
    for second, least in ((0.0, 2), (0.5, 2), (2.0, 1), (5.0, 1)):
        assert bolus.without_tracer([0.0, second, 40.0, 100.0, 60.0, 20.0, *tail], 2) == least
    with pytest.raises(Refused, match="the second holds 11 % of the artery's peak"):
        bolus.without_tracer([0.0, 11.0, 40.0, 100.0, 60.0, 20.0, *tail], 2)
    assert bolus.without_tracer([0.0, 0.0, 11.0, 40.0, 100.0, 60.0, 20.0, *tail], 3) == 2
    assert bolus.without_tracer([0.0, 0.0, 0.0, 11.0, 40.0, 100.0, 60.0, 20.0, *tail], 4) == 4
    noisy = np.random.default_rng(1).normal(0.0, 3.0, 40)
    noisy[:2] = 0.0, 2.0
    noisy[8:12] += 100.0, 160.0, 90.0, 40.0
    assert bolus.without_tracer(noisy, 2) == 2
