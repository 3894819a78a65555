"""Beds of a PET scan as one image: decay of each, slices that two have, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import pet_header, suv
from isocenter.methods.pet_beds import joined
from isocenter.space import Axis, Geometry, Volume

HEADER: dict[str, Any] = {
    "Units": "BQML", "DecayCorrection": "START", "CorrectedImage": ["DECY", "ATTN"], "PatientWeight": 70.0,
    "RadionuclideTotalDose": 3.5e8, "RadionuclideHalfLife": 6586.0, "Radionuclide": "^18^Fluorine",
    "RadiopharmaceuticalStartTime": "100000", "SeriesDate": "20240102", "AcquisitionDate": "20240102",
    "ActualFrameDuration": 180000,
}  # fmt: skip


def bed(first: int, values: list[float], clock: str, **facts: Any) -> Volume:
    """A bed of one SUV in each slice, in Bq/mL at its own start."""
    held = {**HEADER, "SeriesTime": clock, "AcquisitionTime": clock, **facts}
    per_suv = 1.0 / suv.conversion(pet_header.read(held)).factor
    grid = Geometry.regular(
        shape=(len(values), 2, 2), spacing_mm=(4.0, 5.0, 5.0), origin_mm=(0.0, 0.0, 4.0 * first),
        frame_of_reference="2.25.1",
    )  # fmt: skip
    array = np.repeat(np.array(values, np.float32) * np.float32(per_suv), 4).reshape(-1, 2, 2)
    uids = tuple(f"{first}.{n}" for n in range(len(values)))
    return Volume(
        array, grid, "activity concentration", "Bq/mL", facts=held, series_uid=f"s{first}", instance_uids=uids
    )


def in_suv(whole: Volume) -> np.ndarray:
    return np.asarray(whole.array[:, 0, 0] * suv.conversion(pet_header.read(whole.facts)).factor)


def test_each_bed_is_brought_to_the_moment_of_the_first_scanned() -> None:
    legs = bed(0, [2.0] * 6, "111000")
    trunk = bed(6, [3.0] * 5, "110000")
    whole = joined([legs, trunk])
    assert whole.facts["SeriesTime"] == "110000" and whole.series_uid == "s6"
    assert in_suv(whole) == pytest.approx([2.0] * 6 + [3.0] * 5, rel=1e-6)
    assert whole.array[0, 0, 0] / legs.array[0, 0, 0] == pytest.approx(2.0 ** (600.0 / 6586.0), rel=1e-6)
    assert whole.facts["BedSeries"] == ["s0"] * 6 + ["s6"] * 5 and "no slice in common" in whole.facts["Beds"][0]


def test_in_common_slices_a_bed_counts_less_towards_its_end() -> None:
    whole = joined([bed(0, [1.0] * 8, "110000"), bed(5, [1.2] * 8, "110300")])
    # Three slices in common: the lower bed has weights 3, 2, 1 of its end there, the upper 1, 2, 3.
    assert in_suv(whole)[4:9] == pytest.approx([1.0, 1.05, 1.1, 1.15, 1.2], rel=1e-6)
    assert whole.instance_uids[5:8] == ("0.5", "0.6", "5.2")
    assert "in 3 slices" in whole.facts["Beds"][0] and "differ by 20.0 %" in whole.facts["Beds"][0]


def test_the_order_in_which_beds_come_does_not_matter() -> None:
    beds = [bed(0, [1.0] * 6, "110600"), bed(5, [1.1] * 6, "110300"), bed(10, [1.2] * 6, "110000")]
    assert np.array_equal(joined(beds).array, joined(beds[::-1]).array)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (bed(7, [1.0] * 6, "110300"), "1 slices missing"),
        (bed(2, [1.0] * 6, "110300"), "show the same part of the body"),
        (bed(5, [1.3] * 6, "110300"), "1.30 times the uptake"),
        (bed(5, [1.0] * 6, "110100"), "began 60 s after another that took 180 s"),
        (bed(5, [1.0] * 6, "110300", RadionuclideHalfLife=6588.0), "half-life"),
        (bed(5, [1.0] * 6, "110300", Units="GML"), "unit BQML and one GML"),
        (replace(bed(5, [1.0] * 6, "110300"), array=np.ones((2, 6, 2, 2), np.float32),
                 axes=(Axis("time", (0.0, 1.0), "s"),)), "several frames"),
        (bed(5, [1.0] * 6, "110300").cropped((0, 0, 0), (6, 2, 1)), "different size"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(second: Volume, words: str) -> None:
    with pytest.raises(Refused, match=words):
        joined([bed(0, [1.0] * 6, "110000"), second])


def test_one_scan_cut_in_two_may_have_one_time() -> None:
    assert in_suv(joined([bed(0, [1.0] * 6, "110000"), bed(6, [1.0] * 6, "110000")])) == pytest.approx([1.0] * 12)
