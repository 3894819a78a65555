"""One frame of a computed aorta: what is measured on the coarse and noisy image, against the computation itself."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hdf5 import Hdf5
from scipy.ndimage import binary_dilation

from isocenter.methods import flow_field, flow_path, flow_phase, flow_plane, flow_pressure, flow_wall


class Aorta(NamedTuple):
    velocity: np.ndarray
    inside: np.ndarray
    spacing_mm: tuple[float, float, float]
    slope: np.ndarray


@pytest.fixture(scope="module")
def pair(data: Path) -> tuple[Aorta, Aorta]:
    """The image at 1.19 mm, and the computation at half of that."""
    found = []
    for name in ("example_data", "example_data_HR"):
        file = Hdf5(data / "flow4d_example" / "data" / f"{name}.h5")
        velocity, inside = np.stack([file[k][0] for k in "uvw"]), file["mask"][0] > 0.5
        mm = float(file["dx"][0, 0])
        found.append(Aorta(velocity, inside, (mm,) * 3, flow_field.slopes(velocity, inside, (mm,) * 3)))
    return found[0], found[1]


def both(pair: tuple[Aorta, Aorta], measure: Any) -> tuple[Any, Any]:
    return measure(pair[0]), measure(pair[1])


def test_energy_and_speed_of_the_image_are_those_of_the_computation(pair: tuple[Aorta, Aorta]) -> None:
    seen, truth = both(pair, lambda a: flow_field.kinetic_energy_mj(a.velocity, a.inside, float(np.prod(a.spacing_mm))))
    assert seen == pytest.approx(truth, rel=0.06)
    seen, truth = both(pair, lambda a: np.percentile(np.linalg.norm(a.velocity, axis=0)[a.inside], 99))
    assert seen == pytest.approx(truth, rel=0.02)


def test_mass_is_conserved_as_the_directions_are_written(pair: tuple[Aorta, Aorta]) -> None:
    for one in pair:
        assert flow_field.arrangement(one.slope, one.inside)[:2] == ((0, 1, 2), (1, 1, 1))
    assert flow_field.divergence_share(pair[1].slope, pair[1].inside) < 0.15


def test_pressure_of_the_image_spans_what_the_computation_does(pair: tuple[Aorta, Aorta]) -> None:
    def span(velocity: np.ndarray, inside: np.ndarray) -> float:
        p = flow_pressure.pressure_mmhg(velocity, 0 * velocity, inside, pair[0].spacing_mm)
        return float(np.ptp(np.percentile(p[inside], [2, 98])))

    half = (
        slice(None, None, 2),
    ) * 3  # every second voxel of the computation: as coarse as the image, without its noise
    truth = span(np.ascontiguousarray(pair[1].velocity[(slice(None), *half)]), pair[1].inside[half].copy())
    assert span(pair[0].velocity, pair[0].inside) == pytest.approx(truth, rel=0.1) and truth > 1.5


def test_flow_through_the_same_plane(pair: tuple[Aorta, Aorta]) -> None:
    path = flow_path.centre_line(pair[0].inside, pair[0].spacing_mm)
    plane = flow_plane.Plane(path.points_mm[-20], path.along[-20])

    def rate(a: Aorta) -> float:
        lumen = binary_dilation(a.inside).astype(np.float32)
        # Grids are centred on each other's corners: the place is the same in both within half a fine voxel.
        through, area, _ = flow_plane.across_plane(a.velocity[:, None], lumen, a.spacing_mm, plane, 20.0)
        return float(flow_plane.flow_of(through, area, 40.0).rate_ml_s[0])

    seen, truth = both(pair, rate)
    assert abs(truth) > 80 and seen == pytest.approx(truth, rel=0.06)


@pytest.mark.nightly
def test_stress_on_the_wall_is_lifted_by_noise_and_lies_where_it_should(pair: tuple[Aorta, Aorta]) -> None:
    from scipy.spatial import cKDTree

    walls = [flow_wall.wall_shear(a.velocity[:, None], a.inside, a.spacing_mm) for a in pair]
    near = cKDTree(walls[1].points_mm).query(walls[0].points_mm)[1]
    truth, seen = walls[1].mean_pa[near], walls[0].mean_pa
    assert np.corrcoef(truth, seen)[0, 1] > 0.45
    assert 1.0 < seen.mean() / truth.mean() < 1.5


def test_wrapped_at_half_its_speed_the_computation_comes_back(pair: tuple[Aorta, Aorta]) -> None:
    truth = pair[1].velocity[:, None]
    venc = float(np.abs(truth).max()) / 1.8
    for part in truth:
        wrapped = ((part + venc) % (2 * venc) - venc).astype(np.float32)
        found, _ = flow_phase.unwrap(wrapped, venc, pair[1].inside)
        assert np.abs(found - part)[:, pair[1].inside].max() < 1e-4
