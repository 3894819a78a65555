"""Quantity and unit from each modality's words."""

from __future__ import annotations

from typing import Any

import pytest

from isocenter.dicom.quantity import quantity


@pytest.mark.parametrize(
    ("modality", "facts", "wanted"),
    [
        ("CT", {}, ("attenuation", "[hnsf'U]")),
        ("CT", {"RescaleType": "HU"}, ("attenuation", "[hnsf'U]")),
        ("CT", {"RescaleType": "Z_EFF"}, ("intensity", "{arbitrary}")),
        ("PT", {"Units": "BQML"}, ("activity concentration", "Bq/mL")),
        ("PT", {"Units": "CNTS"}, ("counts", "{counts}")),
        ("PT", {"Units": "GML"}, ("SUVbw", "g/ml")),
        ("PT", {"Units": "GML", "SUVType": "LBM"}, ("SUVlbm", "g/ml")),
        ("PT", {"Units": "CM2ML"}, ("SUVbsa", "cm2/ml")),
        ("PT", {"RealWorldValueUnit": "Bq/ml"}, ("activity concentration", "Bq/mL")),
        ("PT", {"RealWorldValueUnit": "{SUVbw}g/ml"}, ("SUVbw", "g/ml")),
        ("PT", {"RealWorldValueUnit": "g/ml{SUVlbm}"}, ("SUVlbm", "g/ml")),
        ("PT", {"RealWorldValueUnit": "g/ml{SUVlbm(Janma)}"}, ("SUVlbm", "g/ml")),
        ("PT", {"RealWorldValueUnit": "{SUVibw}g/ml"}, ("SUVibw", "g/ml")),
        ("PT", {"RealWorldValueUnit": "g/ml{SUVsomething}"}, ("intensity", "{arbitrary}")),
        ("PT", {}, ("intensity", "{arbitrary}")),
        ("MR", {}, ("intensity", "{arbitrary}")),
        ("MR", {"RealWorldValueUnit": "um2/s"}, ("real-world value", "um2/s")),
        ("MR", {"RealWorldValueUnit": "um2/s", "RescaleSlope": 1.0}, ("intensity", "{arbitrary}")),
        ("RTDOSE", {"DoseGridScaling": 1.0, "DoseUnits": "GY"}, ("dose", "Gy")),
        ("RTDOSE", {"DoseGridScaling": 1.0, "DoseUnits": "RELATIVE"}, ("relative dose", "1")),
    ],
)
def test_words_to_units(modality: str, facts: dict[str, Any], wanted: tuple[str, str]) -> None:
    assert quantity(modality, facts) == wanted
