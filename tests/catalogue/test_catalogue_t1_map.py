"""Which series is a map of T1, and in which unit its values stand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from real_series import loaded

from isocenter.catalogue.permeability import Permeability
from isocenter.catalogue.t1_map import in_ms, is_t1_map
from isocenter.errors import Refused
from isocenter.record import codes
from isocenter.space import Geometry, Region, Volume
from isocenter.testing.phantoms import dce_mr

DERIVED = ["DERIVED", "PRIMARY", "M", "ND"]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"ImageType": ["DERIVED", "PRIMARY", "M", "T1 MAP", "DIS2D"]}, True),
        ({"ImageType": DERIVED, "SeriesDescription": "MOLLI_T1_map"}, True),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "T1", "NONE"], "SeriesDescription": "T1 Map"}, True),
        ({"ImageType": DERIVED, "SeriesDescription": "post T1map", "SamplesPerPixel": 3}, False),
        ({"ImageType": DERIVED, "SeriesDescription": "R1 map of T1 map"}, False),
        ({"ImageType": DERIVED, "SeriesDescription": "MOLLI T1 map SD map"}, False),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M"], "SeriesDescription": "T1 mapping fl 5"}, False),
        ({"ImageType": DERIVED, "SeriesDescription": "T1 vibe"}, False),
    ],
)
def test_which_series_is_one(facts: dict[str, Any], found: bool) -> None:
    assert is_t1_map(facts) is found


def mapped(value: float, **facts: Any) -> Volume:
    grid = Geometry.regular(shape=(2, 4, 4), spacing_mm=(2.0, 2.0, 2.0))
    return Volume(np.full((2, 4, 4), value, np.float32), grid, facts=facts)


def test_the_unit_is_the_headers_or_that_of_tissue() -> None:
    everywhere = np.ones((2, 4, 4), bool)
    for value, facts, words in (
        (1200.0, {"RescaleType": "ms"}, "in ms by its header"),
        (1.2, {"RealWorldValueUnit": "s"}, "in s by its header"),
        (1200.0, {"RescaleType": "US"}, "taken as ms"),
        (1.2, {}, "taken as s"),
    ):
        found, said = in_ms(mapped(value, **facts), everywhere)
        assert found == pytest.approx(1200.0) and words in said
    for value in (12.0, 60000.0, 0.0):
        with pytest.raises(Refused, match="a map of T1 with a median of"):
            in_ms(mapped(value), everywhere)


def test_permeability_takes_it_where_there_are_no_flip_angles() -> None:
    dynamic = next(v for v in loaded(dce_mr.patient().files)[0] if v.axes[0].name == "time")
    masks = dce_mr.signals()[2]
    drawn = tuple(Region(dynamic.geometry, mask=masks[n], label=n) for n in ("artery", "tumour", "muscle"))
    truth = np.where(masks["tumour"], 1200.0, np.where(masks["muscle"], 1000.0, 900.0))
    t1 = replace(
        dynamic, array=np.broadcast_to(truth, dynamic.geometry.shape), axes=(), instance_uids=(),
        facts={**dynamic.facts, "RescaleType": "ms"},
    )  # fmt: skip
    answer = Permeability().run(dynamic, None, drawn, t1)
    ktrans = next(m.value for m in answer.measurements if m.what == codes.KTRANS and "tumour" in m.definition)
    assert ktrans == pytest.approx(dce_mr.TISSUES["tumour"][0], rel=0.04)
    assert any("T1 from a map that the scanner made, in ms by its header" in r for r in answer.reasons)
    other = replace(t1, geometry=replace(t1.geometry, affine=t1.geometry.affine @ np.diag([1.0, 1.1, 1.1, 1.0])))
    late = replace(t1, facts={**t1.facts, "AcquisitionDate": "20991231", "AcquisitionTime": "235959"})
    for useless in (other, late):
        with pytest.raises(Refused, match="several flip angles or a map of T1"):
            Permeability().run(dynamic, None, drawn, useless)
