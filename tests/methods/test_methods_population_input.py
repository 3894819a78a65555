"""Arterial curves of populations against the tables of OSIPI, at half its tolerance."""

from pathlib import Path

import numpy as np
import pytest
from osipi import rows

from isocenter.methods.population_input import georgiou, mcgrath, parker


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "function", "second", "least"),
    [
        ("ParkerAIF_ref", parker, 60.0, 1900), ("ParkerAIF_ref_with_delay", parker, 60.0, 1800),
        ("GeorgiouAIF_ref", georgiou, 60.0, 4200), ("preclinicalAIF_ref", mcgrath, 1.0, 1800),
        ("preclinicalAIF_ref_delay", mcgrath, 1.0, 4800),
    ],
)  # fmt: skip
def test_every_row(reference: Path, name: str, function: object, second: float, least: int) -> None:
    by: dict[str, list[tuple[float, float, float]]] = {}
    for row in rows(reference, f"PopulationAIF_DCE/data/{name}"):
        by.setdefault(row["label"], []).append((float(row["time"]), float(row["Cb"]), float(row.get("delay") or 0)))
    assert sum(map(len, by.values())) >= least
    for table in by.values():
        times, truth, delay = np.array(table).T
        ours = function(times * second, arrival_s=delay[0])  # type: ignore[operator]
        assert (np.abs(ours - truth) <= 0.5 * (1e-4 + 0.01 * np.abs(truth))).all()


def test_nothing_before_arrival() -> None:
    for function in (parker, georgiou, mcgrath):
        assert (function(np.arange(0, 20.0), arrival_s=20.0) == 0).all()
