"""Bounds of a ventricle's outlines, on painted ventricles whose network is sure, unsure, or loses a slice."""

import numpy as np
import pytest
from painted_ventricle import ask, beating, cine

from isocenter.methods.short_axis import turned
from isocenter.methods.ventricle import Outlined, outline
from isocenter.methods.ventricle_doubt import levelled, lost_at_base_mm2, restlessness, span_px


@pytest.fixture(scope="module")
def sure() -> Outlined:
    return outline(turned(cine(beating())), ask)


def test_a_soft_border_widens_the_bounds(sure: Outlined) -> None:
    unsure = outline(turned(cine(beating())), lambda slices: ask(slices) / 8.0)
    for name, phase in (("ed", sure.ed), ("es", sure.es)):
        narrow, wide = (np.ptp(found.span_ml[name]) for found in (sure, unsure))
        least, most = sure.span_ml[name]
        assert least < sure.volumes_ml[phase] < most and wide > 1.5 * narrow > 0, name
    assert not sure.lost_ml and not sure.cut and sure.restless < 0.05


def test_the_upper_bound_ends_at_the_epicardium() -> None:
    nowhere_sure = np.full((1, 4, 4), 0.4, np.float32)
    cavity, muscle = np.zeros((1, 4, 4), bool), np.zeros((1, 4, 4), bool)
    cavity[0, 1, 1], muscle[0, 1, 2] = True, True
    assert span_px(nowhere_sure, cavity, muscle) == (0, 2)


def test_a_slice_that_is_left_out_at_end_systole_is_in_the_upper_bound(sure: Outlined) -> None:
    radii = beating()
    short = radii.copy()
    short[4:9, 2] = 0.0  # the first slice of the ventricle, around end-systole
    found = outline(turned(cine(short)), ask)
    assert 2 in found.slices["ed"] and 2 not in found.slices["es"]
    truth = float(np.pi * radii[found.es, 2] ** 2) * 10.0 / 1000.0
    assert found.lost_ml == pytest.approx(truth, rel=0.05)
    assert found.span_ml["es"][1] >= sure.volumes_ml[sure.es]


def test_nothing_is_lost_where_nothing_counts_at_both_ends() -> None:
    assert lost_at_base_mm2([100.0, 0.0], [0.0, 80.0]) == 0.0
    assert lost_at_base_mm2([0.0, 100.0], [0.0, 80.0]) == 0.0


def test_the_curve_passes_through_both_fine_ends_without_a_step() -> None:
    true = 150.0 + 40.0 * np.cos(2 * np.pi * np.arange(20) / 20)
    curve = levelled(0.9 * true - 3.0, 0, 10, 190.0, 110.0)
    assert curve == pytest.approx(true)
    still = levelled(np.full(8, 100.0), 0, 4, 100.0, 100.0)
    assert (still == 100.0).all()


def test_slices_that_come_and_go_make_a_curve_restless() -> None:
    beat = 150.0 + 40.0 * np.cos(2 * np.pi * np.arange(20) / 20)
    jumping = beat + 20.0 * np.isin(np.arange(20), (3, 8, 9, 14))
    assert restlessness(beat) < 0.001 and restlessness(jumping) > 0.05
    assert restlessness(np.full(12, 100.0)) == 0.0


def test_a_ventricle_at_the_edge_of_the_window_is_told() -> None:
    huge = cine(beating() * 2.2, size=160)
    assert outline(turned(huge), ask).cut
