"""Usual surroundings, turned and mirrored by hand, are found to lie so."""

import numpy as np
import pytest

from isocenter.methods.usual_surroundings import USUAL, lie_of


@pytest.mark.parametrize("parts", [0, 2, -3, 8, 12])
@pytest.mark.parametrize("header", [0.0, 30.0, -100.0])
def test_a_turn_is_found_and_the_header_counts(parts: int, header: float) -> None:
    lie = lie_of(np.roll(USUAL, parts, axis=1), header, 55.0)
    expected = (15.0 * parts - header + 180.0) % 360.0 - 180.0
    assert np.cos(np.deg2rad(lie.turn_deg - expected)) == pytest.approx(1.0, abs=1e-3)
    assert (lie.turned > 0) == (abs(expected) > 55.0) and lie.fit == pytest.approx(1.0, abs=1e-4)


def test_mirrored_ones_fit_better_mirrored_unless_the_header_has_the_other_hand() -> None:
    upside_down = USUAL[:, ::-1]
    assert lie_of(upside_down, 0.0, 55.0).mirrored > 0.2
    assert lie_of(USUAL, 0.0, 55.0).mirrored < -0.2
    lie = lie_of(upside_down, 0.0, 55.0, other_hand=True)
    assert lie.mirrored < -0.2
    assert abs(lie.turn_deg) <= 3.0


@pytest.mark.parametrize("header", [0.0, 20.0, -35.0])
def test_what_is_flipped_about_rows_or_columns_fits_better_so_whatever_the_header(header: float) -> None:
    lies = round(header / 15.0)
    here = np.roll(USUAL, lies, axis=1)
    across = here[:, ::-1]
    for flipped in (across, np.roll(across, 12, axis=1)):
        lie = lie_of(flipped, 15.0 * lies, 55.0)
        assert lie.flipped > 0.3 and lie.fit_mirrored == pytest.approx(1.0, abs=1e-4)
    assert lie_of(here, 15.0 * lies, 55.0).flipped < -0.3


def test_a_turn_costs_what_is_flipped() -> None:
    flipped = USUAL[:, ::-1]
    by = [lie_of(np.roll(flipped, parts, axis=1), 0.0, 55.0).flipped for parts in (0, 1, 2)]
    assert by[0] > by[1] > by[2]


def test_where_nothing_is_seen_nothing_is_said() -> None:
    lie = lie_of(np.zeros_like(USUAL), 0.0, 55.0)
    assert lie.turned == lie.mirrored == lie.fit == 0.0
