"""Volumes of a stroke, and the rules of trials."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.stroke import TRIALS, mismatch, trial

SHAPE = (4, 30, 30)


def brain() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cbf, tmax, tissue = np.full(SHAPE, 50.0), np.full(SHAPE, 2.0), np.ones(SHAPE, bool)
    tissue[:, :2] = False
    return cbf, tmax, tissue


def test_planted_volumes() -> None:
    cbf, tmax, tissue = brain()
    tmax[:, 10:20, 10:20] = 8.0
    tmax[:, 12:16, 12:16] = 12.0
    cbf[:, 10:20, 10:20] = 20.0
    cbf[:, 12:16, 12:16] = 5.0
    found = mismatch(cbf, tmax, tissue, 0.1)
    # Corners of parts are taken by the majority of their neighbours.
    assert found.core_ml == pytest.approx(4 * (16 - 4) * 0.1)
    assert found.hypoperfused_ml == pytest.approx(4 * (100 - 4) * 0.1)
    assert found.mismatch_ml == pytest.approx(found.hypoperfused_ml - found.core_ml)
    assert found.ratio == pytest.approx(8.0) and found.normal_cbf == 50.0
    assert found.intensity_ratio == pytest.approx(12 / 96)
    assert not (found.penumbra & found.core).any()


def test_core_without_a_delay_counts_as_hypoperfused() -> None:
    cbf, tmax, tissue = brain()
    tmax[:, 10:20, 10:20], cbf[:, 10:20, 10:20] = 8.0, 20.0
    cbf[:, 10:16, 10:20], tmax[:, 10:12, 10:20] = 2.0, -8.0  # no flow: its delay is noise
    found = mismatch(cbf, tmax, tissue, 0.1)
    assert found.core[:, 10:12, 11:19].all()
    assert (found.hypoperfused | ~found.core).all()


def test_low_flow_elsewhere_is_no_core() -> None:
    cbf, tmax, tissue = brain()
    cbf[:, 3:9, 3:9] = 5.0
    tmax[:, 20:26, 20:26] = 8.0
    found = mismatch(cbf, tmax, tissue, 0.1)
    assert found.core_ml == 0 and found.ratio is None and found.mismatch_ml > 0


def test_small_parts_and_single_voxels_are_noise() -> None:
    cbf, tmax, tissue = brain()
    tmax[0, 5, 5] = 9.0
    tmax[0, 20:23, 20:23] = 9.0
    assert mismatch(cbf, tmax, tissue, 0.1).hypoperfused_ml == 0
    assert mismatch(cbf, tmax, tissue, 0.1, smallest_ml=0.1).hypoperfused_ml == pytest.approx(0.5)
    nothing = mismatch(cbf, tmax, tissue, 0.1)
    assert nothing.intensity_ratio is None and nothing.ratio is None


def test_nothing_normal_to_compare_with() -> None:
    cbf, _, tissue = brain()
    with pytest.raises(Refused, match="no normal tissue"):
        mismatch(cbf, np.full(SHAPE, 9.0), tissue, 0.1)


@pytest.mark.parametrize(
    ("name", "given", "met"),
    [
        ("DEFUSE 3", {"core_ml": 69.9, "mismatch_ml": 56.0, "ratio": 1.8, "hours": 8}, True),
        ("DEFUSE 3", {"core_ml": 70.0, "mismatch_ml": 90.0, "ratio": 2.3, "hours": 8}, False),
        ("DEFUSE 3", {"core_ml": 40.0, "mismatch_ml": 31.0, "ratio": 1.79, "hours": 8}, False),
        ("DEFUSE 3", {"core_ml": 5.0, "mismatch_ml": 14.9, "ratio": 4.0, "hours": 8}, False),
        ("DEFUSE 3", {"core_ml": 5.0, "mismatch_ml": 50.0, "ratio": 11.0, "hours": 17}, False),
        ("DEFUSE 3", {"core_ml": 5.0, "mismatch_ml": 50.0, "ratio": 11.0}, None),
        ("DEFUSE 3", {"core_ml": 0.0, "mismatch_ml": 50.0, "ratio": None, "hours": 7}, True),
        ("EXTEND-IA", {"core_ml": 30.0, "mismatch_ml": 10.1, "ratio": 1.34, "hours": 3}, True),
        ("EXTEND-IA", {"core_ml": 60.0, "mismatch_ml": 12.0, "ratio": 1.2, "hours": 3}, False),
        ("EXTEND", {"core_ml": 30.0, "mismatch_ml": 20.0, "ratio": 1.7, "hours": 3}, False),
        ("EXTEND", {"core_ml": 30.0, "mismatch_ml": 20.0, "ratio": 1.7, "hours": 5}, True),
        ("DAWN", {"core_ml": 20.0, "mismatch_ml": 0, "ratio": 1.0, "hours": 10, "age": 80, "nihss": 10}, True),
        ("DAWN", {"core_ml": 20.9, "mismatch_ml": 0, "ratio": 1.0, "hours": 10, "age": 80, "nihss": 10}, True),
        ("DAWN", {"core_ml": 21.0, "mismatch_ml": 0, "ratio": 1.0, "hours": 10, "age": 80, "nihss": 10}, False),
        ("DAWN", {"core_ml": 30.9, "mismatch_ml": 0, "ratio": 1.0, "hours": 10, "age": 79, "nihss": 10}, True),
        ("DAWN", {"core_ml": 31.0, "mismatch_ml": 0, "ratio": 1.0, "hours": 10, "age": 79, "nihss": 10}, False),
        ("DAWN", {"core_ml": 40.0, "mismatch_ml": 0, "ratio": 1.0, "hours": 10, "age": 79, "nihss": 19}, False),
        ("DAWN", {"core_ml": 50.9, "mismatch_ml": 0, "ratio": 1.0, "hours": 10, "age": 79, "nihss": 20}, True),
        ("DAWN", {"core_ml": 51.0, "mismatch_ml": 0, "ratio": 1.0, "hours": 10, "age": 79, "nihss": 20}, False),
        ("DAWN", {"core_ml": 5.0, "mismatch_ml": 0, "ratio": 1.0, "hours": 10, "age": 79, "nihss": 9}, False),
        ("DAWN", {"core_ml": 0.0, "mismatch_ml": 0, "ratio": 1.0, "hours": 10, "age": 85, "nihss": 9}, False),
        ("DAWN", {"core_ml": 5.0, "mismatch_ml": 0, "ratio": 1.0, "hours": 25, "age": 79, "nihss": 12}, False),
        ("DAWN", {"core_ml": 5.0, "mismatch_ml": 0, "ratio": 1.0, "hours": 10}, None),
    ],
)
def test_rules_of_trials(name: str, given: dict, met: bool | None) -> None:
    verdict = trial(name, **given)
    assert verdict.met is met
    assert verdict.words.startswith(name)


def test_a_trial_that_there_is_not() -> None:
    with pytest.raises(Refused, match="DEFUSE 3, EXTEND-IA, EXTEND, DAWN"):
        trial("POINT", core_ml=1, mismatch_ml=1, ratio=1)
    assert len(TRIALS) == 4
