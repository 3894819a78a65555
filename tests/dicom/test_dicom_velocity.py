"""Where makers write which way, and up to how fast, velocity is encoded."""

from typing import Any

import numpy as np
import pytest

from isocenter.dicom.velocity import encoding, stated

SAGITTAL = np.array([0.0, 1.0, 0.0, 0.0, 0.0, -1.0])


@pytest.mark.parametrize(
    ("facts", "words", "found"),
    [
        ({"SequenceName": "*fl3d1_v150fh"}, "", (0, 0, 1, 150)),
        ({"SequenceName": "*fl3d1_v80ap"}, "", (0, 1, 0, 80)),
        ({"SequenceName": "*fl2d1_v200in"}, "", (-1, 0, 0, 200)),
        ({"SiemensVelocity": "v120_through"}, "", (-1, 0, 0, 120)),
        ({"VelocityEncodingDirection": [0, 0, -3.0], "VelocityEncodingMaximumValue": 60.0}, "", (0, 0, -1, 60)),
        ({"GEVelocityEncoding": 1600}, "4D Flow SI", (0, 0, -1, 160)),
        ({"GEVelocityEncoding": 1600}, "2D PC", (0, 0, 0, 160)),
        ({"GEVelocityEncoding": 1600, "GEFlowDirection": 3}, "4D Flow", (1, 0, 0, 160)),
        ({"GEVelocityEncoding": 1600, "GEFlowDirection": 5}, "RL", (0, 0, -1, 160)),
        ({"GEVelocityEncoding": 1600, "GEFlowDirection": 2}, "4D Flow SI", None),
        ({"GEVelocityEncoding": 0, "GEFlowDirection": 16}, "DTI", None),
        ({"PhilipsPCVelocity": [0.0, 0.0, 90.0]}, "QFlow RL", (1, 0, 0, 90)),
        ({"PhilipsPCVelocity": [0.0, 0.0, 0.0]}, "QFlow RL", None),
        ({"PhilipsPCVelocity": [150.0, 150.0, 150.0]}, "4D flow AP", (0, 1, 0, 150)),
        ({"PhilipsPCVelocity": [100.0, 150.0, 200.0], "RescaleIntercept": -150.0}, "4D flow AP", (0, 1, 0, 150)),
        ({"PhilipsPCVelocity": [100.0, 150.0, 200.0], "RescaleIntercept": -3141.59}, "4D flow AP", None),
        ({"SequenceName": "*fl2d1"}, "Cine FH", None),
        ({"SequenceName": "*fl3d1", "ImageType": ["DERIVED", "PRIMARY", "P"]}, "4Dflow_v150_fh", (0, 0, 1, 150)),
        ({"ImageType": ["DERIVED", "PRIMARY", "PHASE MAP"]}, "flow venc 80 AP", (0, 1, 0, 80)),
        ({"ImageType": ["DERIVED", "PRIMARY", "P"]}, "2D PC VENC_200 through", (-1, 0, 0, 200)),
        ({"ImageType": ["DERIVED", "PRIMARY", "P"]}, "venc150", (0, 0, 0, 150)),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M"]}, "4Dflow_v150_fh", None),
        ({"ImageType": ["DERIVED", "PRIMARY", "P"]}, "SWI v11 AP, venc 1.5", None),
    ],
)
def test_what_each_maker_says(facts: dict[str, Any], words: str, found: tuple[float, ...] | None) -> None:
    said = encoding(facts, SAGITTAL, words)
    assert said == (None if found is None else pytest.approx(found))


@pytest.mark.parametrize(
    ("direction", "venc"), [(None, 100.0), ([0, 1], 100.0), ([0, 0, "nan"], 100.0), ([0, 0, 1], 0), ([0, 0, 1], "x")]
)
def test_what_is_no_number_is_not_stated(direction: Any, venc: Any) -> None:
    assert stated(direction, venc) is None


def test_oblique_directions_are_those_of_the_slice() -> None:
    turned = np.array([0.0, 0.8, 0.6, 0.0, 0.6, -0.8])
    said = encoding({"GEVelocityEncoding": 1000, "GEFlowDirection": 10}, turned)
    assert said == pytest.approx((0.0, 0.8, 0.6, 100.0))
    assert encoding({"GEVelocityEncoding": 1000, "GEFlowDirection": 11}, turned) == pytest.approx((0, 0.6, -0.8, 100))
