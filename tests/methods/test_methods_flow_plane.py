"""Flow through planes of exact pipes, square on them and aslant, and along the line that finds them."""

import numpy as np
import pytest
from laminar import Pipe
from scipy.ndimage import binary_dilation

from isocenter.errors import Refused
from isocenter.methods.flow_path import centre_line
from isocenter.methods.flow_plane import Plane, across_plane, flow_of


@pytest.mark.parametrize("voxels", [6, 9])
@pytest.mark.parametrize("slope_deg", [0.0, 30.0])
def test_a_plane_takes_what_flows_through_however_it_stands(voxels: int, slope_deg: float) -> None:
    pipe = Pipe(12.0, voxels)
    side = np.cross(pipe.along, [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    slope = np.radians(slope_deg)
    plane = Plane(pipe.middle_mm, np.cos(slope) * pipe.along + np.sin(slope) * side)
    lumen = binary_dilation(pipe.inside, iterations=2).astype(np.float32)
    through, area, _ = across_plane(pipe.poiseuille(1.0)[:, None], lumen, pipe.spacing_mm, plane, 30.0)
    found = flow_of(through, area, 40.0)
    assert found.rate_ml_s[0] == pytest.approx(np.pi * 12.0**2 / 2, rel=0.01)
    assert found.peak_m_s == pytest.approx(np.cos(slope), abs=0.03)


def test_volumes_of_a_beat() -> None:
    rate = np.array([0.0, 1.0, 0.5, -0.2, -0.1, 0.0])
    found = flow_of(np.repeat(rate[:, None], 40, axis=1).astype(np.float32), np.full(40, 5.0), 50.0)
    assert (found.forward_ml, found.backward_ml) == (pytest.approx(15.0), pytest.approx(3.0))
    assert found.regurgitant_percent == pytest.approx(20.0) and found.net_ml == pytest.approx(12.0)
    assert not found.steady and not found.turned
    turned = flow_of(np.repeat(-rate[:, None], 40, axis=1).astype(np.float32), np.full(40, 5.0), 50.0)
    assert turned.turned and turned.regurgitant_percent == pytest.approx(20.0) and turned.peak_m_s == pytest.approx(1.0)
    assert flow_of(np.full((6, 40), 0.1, np.float32), np.full(40, 5.0), 50.0).steady
    with pytest.raises(Refused, match="meets no vessel"):
        flow_of(np.zeros((6, 40), np.float32), np.zeros(40), 50.0)


def test_the_line_runs_in_the_middle_and_a_ball_has_none() -> None:
    long = np.zeros((16, 16, 60), bool)
    y, x = np.mgrid[:16, :16]
    long[:, :, 5:55] = (((y - 7.3) ** 2 + (x - 8.1) ** 2) < 16)[:, :, None]
    path = centre_line(long, (1.5, 1.5, 1.5))
    inner = path.points_mm[8:-8]
    assert np.abs(inner[:, 0] - 7.3 * 1.5).max() < 1.0 and np.abs(inner[:, 1] - 8.1 * 1.5).max() < 1.0
    assert np.abs(path.along[12:-12, 2]).min() > 0.99 and 60 < path.length_mm < 90
    ball = np.sum((np.indices((20, 20, 20)) - 9.5) ** 2, axis=0) < 64
    with pytest.raises(Refused, match="three times longer than wide"):
        centre_line(ball, (1.0, 1.0, 1.0))
