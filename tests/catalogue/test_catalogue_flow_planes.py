"""Flow through planes that a person sets: the known flow of a beating vessel, and every plane that is none refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from real_series import loaded

from isocenter.catalogue.flow_planes import Corrected, corrected, lost_percent
from isocenter.errors import Refused
from isocenter.space import Volume
from isocenter.testing.phantoms import Phantom, flow_mr

SHAPE: tuple[int, int, int] = (12, 38, 34)


@pytest.fixture(scope="module")
def made() -> Phantom:
    return flow_mr.patient(shape=SHAPE)


@pytest.fixture(scope="module")
def parts(made: Phantom) -> tuple[Volume, ...]:
    return tuple(loaded(made.files)[0])


@pytest.fixture(scope="module")
def scan(parts: tuple[Volume, ...]) -> Corrected:
    return corrected(parts)


def limbs(scan: Corrected) -> list[tuple[float, float, float]]:
    """The middles of the two limbs of the cane in a row well below its arch; rows of the scan begin at the feet."""
    row = int(0.25 * SHAPE[1])
    at = np.argwhere(scan.lumen[:, row])
    middle = np.median(at[:, 1])
    found = []
    for side in (at[at[:, 1] < middle], at[at[:, 1] >= middle]):
        index = np.array([side[:, 0].mean(), row, side[:, 1].mean()])
        for axis in scan.turned:
            index[axis] = SHAPE[axis] - 1 - index[axis]
        x, y, z = scan.grid.to_patient(index[None])[0]
        found.append((float(x), float(y), float(z)))
    return found


def test_the_known_flow_through_any_plane_however_its_normal_points(made: Phantom, scan: Corrected) -> None:
    across = tuple(float(v) for v in scan.directions[:, 1])
    flows = [scan.through(point, across) for point in limbs(scan)]  # type: ignore[arg-type]
    for flow in flows:
        assert flow.net_ml == pytest.approx(made.truth["net_ml"], rel=0.04)
        assert flow.forward_ml == pytest.approx(made.truth["forward_ml"], rel=0.04)
        assert flow.regurgitant_percent == pytest.approx(20.0, abs=1.5)
        assert flow.p99_m_s == pytest.approx(made.truth["peak_m_s"], rel=0.07)
    assert flows[0].turned != flows[1].turned, "up one limb and down the other"
    lost = lost_percent(*flows)
    assert lost is not None and abs(lost) < 4.0, "a vessel without branches"
    aslant = scan.directions[:, 1] + 0.5 * scan.directions[:, 2]
    leant = scan.through(limbs(scan)[0], tuple(float(-3 * v) for v in aslant))  # type: ignore[arg-type]
    assert leant.net_ml == pytest.approx(made.truth["net_ml"], rel=0.05) and leant.turned != flows[0].turned


def test_inflow_less_outflow_of_a_branch(scan: Corrected) -> None:
    flow = scan.through(limbs(scan)[0], tuple(float(v) for v in scan.directions[:, 1]))  # type: ignore[arg-type]
    assert lost_percent(flow, replace(flow, net_ml=0.75 * flow.net_ml)) == pytest.approx(25.0)
    assert lost_percent(replace(flow, net_ml=0.0), flow) is None


def test_planes_that_are_none(scan: Corrected) -> None:
    across = tuple(float(v) for v in scan.directions[:, 1])
    for point, normal, words in (
        (limbs(scan)[0], (0.0, 0.0, 0.0), "has no length"),
        ((900.0, 0.0, 0.0), across, "outside the images of flow"),
        (tuple(float(v) for v in scan.grid.to_patient(np.array([[0.0, 1.0, 1.0]]))[0]), across, "outside the vessel"),
        (limbs(scan)[0], tuple(float(v) for v in scan.directions[:, 0]), "a plane along the vessel"),
    ):
        with pytest.raises(Refused, match=words):
            scan.through(point, normal)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made_of", "words"),
    [
        (lambda: flow_mr.slice_patient(size=48, mm=3.0, frames=20).files, "1 direction of velocity in 1 slice"),
        (lambda: flow_mr.patient(shape=(7, 22, 21), mm=4.2, radius_mm=11.0).files[1:], "no magnitude images"),
    ],
)
def test_scans_that_carry_no_plane(made_of: Any, words: str) -> None:
    with pytest.raises(Refused, match=words):
        corrected(tuple(loaded(made_of())[0]))


def test_a_scan_without_venc_is_refused(made: Phantom) -> None:
    silent = {"VelocityEncodingMaximumValue": None, "VelocityEncodingMinimumValue": None}
    parts = tuple(loaded(flow_mr.patient(shape=SHAPE, header=silent).files)[0])
    with pytest.raises(Refused, match="state no VENC"):
        corrected(parts)
