"""Maps of stiffness by MR elastography: which series is one, its unit, and what is told of the drawn liver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.liver_stiffness import LiverStiffness
from isocenter.catalogue.stiffness_map import is_ultrasound_or_map
from isocenter.errors import Refused
from isocenter.space import Axis, Geometry, Region, Volume

GRID = Geometry.regular(shape=(2, 20, 20), spacing_mm=(10.0, 3.0, 3.0), frame_of_reference="2.25.7")
REAL = {"RealWorldValueSlope": 0.001, "RealWorldValueIntercept": 0.0}


def a_map(facts: Mapping[str, Any], scale: float = 1.0) -> Volume:
    """2 kPa to 4 kPa from left to right, without a value in the last two columns."""
    kpa = np.broadcast_to(np.linspace(2.0, 4.0, 20), GRID.shape).copy()
    kpa[..., 18:] = 0.0
    return Volume((scale * kpa).astype(np.float32), GRID, facts={"Modality": "MR", **facts})


def outlined(columns: slice = slice(2, 12), label: str = "Liver") -> Region:
    mask = np.zeros(GRID.shape, bool)
    mask[:, 5:15, columns] = True
    return Region(GRID, mask=mask, label=label)


def asked(image: Volume, *drawn: Region, **how: Any) -> Answer:
    return LiverStiffness().run(image, None, drawn, **how)


def numbers(answer: Answer) -> dict[str, float]:
    return {m.definition.partition(": ")[2]: m.value for m in answer.findings[0].measurements}


@pytest.mark.parametrize(
    ("facts", "scale", "how"),
    [
        ({"RescaleType": "kPa", "RescaleSlope": 0.001}, 1.0, {}),
        ({"RescaleType": "Pa"}, 1000.0, {}),
        ({"RealWorldValueUnit": "kPa", **REAL}, 1.0, {}),
        ({"RealWorldValueUnit": "kPa", **REAL, "RescaleSlope": 1.0, "RescaleType": "normalized"}, 1000.0, {}),
        ({"Units": "KPA"}, 1.0, {}),
        ({}, 1000.0, {"map_unit": "Pa"}),
    ],
)
def test_a_drawn_liver_is_measured_in_kpa_whatever_its_header_scales(
    facts: Mapping[str, Any], scale: float, how: Mapping[str, Any]
) -> None:
    found = numbers(asked(a_map(facts, scale), outlined(), **how))
    columns = 2.0 + 2.0 / 19.0 * np.arange(2, 12)
    low, middle, high = np.percentile(columns.repeat(20), (25, 50, 75))
    assert found["median"] == pytest.approx(middle, rel=1e-6) and found["mean"] == pytest.approx(columns.mean())
    assert (found["25th percentile"], found["75th percentile"]) == pytest.approx((low, high))
    assert found["measured voxels"] == pytest.approx(200 * 0.09)


def test_voxels_without_a_value_are_left_out_and_told() -> None:
    answer = asked(a_map({"RescaleType": "kPa"}), outlined(slice(10, 20)))
    assert numbers(answer)["measured voxels"] == pytest.approx(160 * 0.09)
    assert "Liver: 20 % of the outline have no value" in answer.reasons[0]
    assert "do not hold" in answer.reasons[-1] and "cACLD" not in answer.findings[0].words


@pytest.mark.parametrize(
    ("image", "drawn", "words"),
    [
        (a_map({}), [outlined()], "without a unit"),
        (a_map({"RealWorldValueUnit": "m/s"}), [outlined()], "stiffness in m/s"),
        (a_map({"RescaleType": "kPa"}), [], "without an outline"),
        (a_map({"RescaleType": "kPa"}), [outlined(label="Spleen")], "'Spleen' left out"),
        (a_map({"RescaleType": "kPa"}), [outlined(slice(17, 20))], "have a stiffness"),
        (a_map({"RescaleType": "kPa"}, 1000.0), [outlined()], "0.3 to 30 kPa"),
    ],
)
def test_what_tells_no_stiffness_of_the_liver_is_refused(image: Volume, drawn: list[Region], words: str) -> None:
    with pytest.raises(Refused, match=words):
        asked(image, *drawn)


def test_a_picture_in_colours_is_refused() -> None:
    grey = a_map({"RescaleType": "kPa"})
    axis = Axis("channel", (0, 1, 2), "1")
    with pytest.raises(Refused, match="colours"):
        asked(replace(grey, array=np.stack([grey.array] * 3), axes=(axis,)), outlined())


@pytest.mark.parametrize(
    ("facts", "taken"),
    [
        ({"SeriesDescription": "MRE Stiffness (95% Conf)"}, True),
        ({"ImageType": ["DERIVED", "PRIMARY", "STIFFNESS"], "SeriesDescription": "liver"}, True),
        ({"SeriesDescription": "Elastogram"}, True),
        ({"SeriesDescription": "MR elastography wave images"}, False),
        ({"SeriesDescription": "ep2d MRE stiffness magnitude"}, False),
        ({"SeriesDescription": "elastogram confidence"}, False),
        ({"SeriesDescription": "t2_haste"}, False),
    ],
)
def test_a_map_is_known_by_its_words(facts: Mapping[str, Any], taken: bool) -> None:
    assert is_ultrasound_or_map({"Modality": "MR", **facts}) is taken
    assert is_ultrasound_or_map({**facts, "Modality": "US"})
