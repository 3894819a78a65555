"""A population's bolus that comes between two frames is found by the tissue, and plasma volume does not pay for it."""

import numpy as np
import pytest

from isocenter.methods.dce import fit
from isocenter.methods.exchange import curve
from isocenter.methods.population_arrival import best_arrival_s
from isocenter.methods.population_input import georgiou, parker

FINE = np.arange(0.0, 330.0, 0.1)


@pytest.mark.parametrize("of", [parker, georgiou])
@pytest.mark.parametrize("step", [2.0, 4.0, 6.0])
@pytest.mark.parametrize(("ktrans", "ve", "vp"), [(0.12, 0.3, 0.04), (0.3, 0.35, 0.04), (0.05, 0.2, 0.02)])
def test_arrivals_between_frames(of: object, step: float, ktrans: float, ve: float, vp: float) -> None:
    assert callable(of)
    frames = np.arange(0.0, 320.0, step)
    for part in (0.1, 0.4, 0.7, 0.95):
        truth = 40.0 + part * step
        tissue = curve("extended_tofts", FINE, of(FINE, arrival_s=truth), ktrans=ktrans, ve=ve, vp=vp)
        seen = np.interp(frames, FINE, tissue)
        found = best_arrival_s(
            "extended_tofts", frames, seen, lambda at: of(frames, arrival_s=at), about_s=40.0, within_s=1.5 * step
        )
        assert found == pytest.approx(truth, abs=0.35 * step)
        values = fit("extended_tofts", frames, seen, of(frames, arrival_s=found)).values
        assert values["ktrans"][0] == pytest.approx(ktrans, rel=0.05)
        assert values["vp"][0] == pytest.approx(vp, rel=0.2)


def test_at_the_end_of_where_it_is_sought_the_end_is_given() -> None:
    frames = np.arange(0.0, 320.0, 4.0)
    seen = np.interp(frames, FINE, curve("tofts", FINE, parker(FINE, arrival_s=60.0), ktrans=0.2, ve=0.3))
    found = best_arrival_s("tofts", frames, seen, lambda at: parker(frames, arrival_s=at), about_s=40.0, within_s=6.0)
    assert found == pytest.approx(46.0, abs=0.4)
