"""A dynamic or gated PET as one image: which frames, how much each counts, and to which moment decay is corrected."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import pet_header, suv
from isocenter.methods.pet_average import averaged
from isocenter.space import Axis, Geometry, Volume

HALF_LIFE_S, DOSE_BQ, KG = 6586.0, 3.0e8, 70.0
LENGTHS = (10.0, 10.0, 60.0, 120.0, 300.0, 600.0, 300.0)  # of which the first begins before the injection
UPTAKE = (0.1, 0.2, 1.0, 2.0, 4.0, 5.0, 8.0)
INJECTED_S = 5.0  # after the scan has begun
GRID = Geometry.regular(shape=(2, 1, 1), spacing_mm=(4.0, 5.0, 5.0))


def mean_activity_at(lasted: float) -> float:
    """By the definition alone: the moment at which activity is what it is on the average of a frame."""
    steps = (np.arange(200_000) + 0.5) / 200_000 * lasted
    return float(-HALF_LIFE_S * np.log2(np.mean(np.exp2(-steps / HALF_LIFE_S))))


def dynamic(decay: str = "START", *, uptake: Any = UPTAKE, lengths: Any = LENGTHS, **facts: Any) -> Volume:
    """Frames of one SUV each, whose values an exact decay has made."""
    begun = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    at_injection = np.array(uptake) * DOSE_BQ / (KG * 1000.0)
    middle = np.array([b + mean_activity_at(n) for b, n in zip(begun, lengths, strict=True)])
    since = {"ADMIN": np.full(len(lengths), INJECTED_S), "START": np.zeros(len(lengths)), "NONE": middle}[decay]
    values = at_injection * np.exp2(-(since - INJECTED_S) / HALF_LIFE_S)
    array = np.repeat(values.astype(np.float32), 2).reshape(-1, 2, 1, 1)
    header: dict[str, Any] = {
        "Units": "BQML", "DecayCorrection": decay, "CorrectedImage": ["ATTN", "DECY"][: 2 - (decay == "NONE")],
        "PatientWeight": KG, "RadionuclideTotalDose": DOSE_BQ, "RadionuclideHalfLife": HALF_LIFE_S,
        "Radionuclide": "^18^Fluorine", "RadiopharmaceuticalStartTime": "100005", "SeriesDate": "20240102",
        "AcquisitionDate": "20240102", "SeriesTime": "100000", "AcquisitionTime": "100000", "SeriesType": ["DYNAMIC"],
        "FrameMoments": {
            "begun_s": [[b, b] for b in begun], "lasted_s": [[n, n] for n in lengths],
            "reference_s": [[m, m] for m in middle],
        },
    }  # fmt: skip
    axis = Axis("time", tuple(begun), "s")
    known = {k: v for k, v in {**header, **facts}.items() if v is not None}
    return Volume(array, GRID, "activity concentration", "Bq/mL", (axis,), known, "s", tuple(map(str, range(14))))


def without(pet: Volume, name: str) -> Volume:
    moments = {k: v for k, v in pet.facts["FrameMoments"].items() if k != name}
    return replace(pet, facts={**pet.facts, "FrameMoments": moments})


def in_suv(pet: Volume, minutes: str = "") -> float:
    whole = averaged(pet, minutes)
    assert whole.axes == () and whole.array.shape == GRID.shape
    return float(whole.array[0, 0, 0]) * suv.conversion(pet_header.read(whole.facts)).factor


def test_frames_that_are_missing_between_others_are_told() -> None:
    pet, kept = dynamic(), [0, 1, 2, 3, 4, 6]
    moments = {k: [v[n] for n in kept] for k, v in pet.facts["FrameMoments"].items()}
    axis = replace(pet.axes[0], values=tuple(pet.axes[0].values[n] for n in kept))
    left = replace(
        pet, array=pet.array[kept], axes=(axis,), instance_uids=(), facts={**pet.facts, "FrameMoments": moments}
    )
    said = averaged(left, "3-25").facts["Averaged"][0]
    assert said.endswith("each by how long it lasted; of 10.0 min between them there is no frame")


@pytest.mark.parametrize("decay", ["START", "ADMIN", "NONE"])
def test_frames_count_by_how_long_they_lasted_whatever_decay_was_corrected_to(decay: str) -> None:
    pet = dynamic(decay)
    last = (4.0 * 300 + 5.0 * 600 + 8.0 * 300) / 1200
    assert in_suv(pet, "3-25") == pytest.approx(last, rel=1e-6)
    assert in_suv(pet, "10-21") == pytest.approx((5.0 * 600 + 8.0 * 300) / 900, rel=1e-6)
    assert in_suv(pet, "20-25") == pytest.approx(8.0, rel=1e-6)
    whole = averaged(pet, "3-25")
    assert whole.facts["MeasuredAfter"] == pytest.approx(195.0) == pet_header.uptake_time_s(whole.facts)
    assert whole.facts["Averaged"][0] == (
        "frames 5 to 7 of 7, 3.2 to 23.2 min after the injection, were averaged, each by how long it lasted"
    )
    assert whole.instance_uids == ("8", "9")
    assert (len(whole.facts["Averaged"]) == 2) == (decay == "NONE")


@pytest.mark.parametrize("decay", ["START", "NONE"])
def test_frame_reference_time_serves_where_all_state_one_acquisition_time(decay: str) -> None:
    pet = without(dynamic(decay), "begun_s")
    assert in_suv(pet, "3-25") == pytest.approx(5.5, rel=1e-6)
    # Some makers count it to the start of the frame.
    moments = pet.facts["FrameMoments"]
    starts = [[b, b] for b in np.concatenate([[0.0], np.cumsum(LENGTHS)[:-1]])]
    of_start = replace(pet, facts={**pet.facts, "FrameMoments": {**moments, "reference_s": starts}})
    assert in_suv(of_start, "3-25") == pytest.approx(5.5, rel=1e-6)
    same = replace(dynamic(decay), facts={**dynamic(decay).facts, "FrameMoments": {
        **dynamic(decay).facts["FrameMoments"], "begun_s": [[0.0, 0.0]] * len(LENGTHS)}})  # fmt: skip
    assert in_suv(same, "3-25") == pytest.approx(5.5, rel=1e-6)


def test_frames_of_before_the_injection_are_none_of_those_after_it() -> None:
    assert in_suv(dynamic(), "0-1") == pytest.approx((0.2 * 10 + 1.0 * 60) / 70, rel=1e-6)


def test_a_dynamic_pet_names_its_frames_and_asks_which() -> None:
    runs = r"2 of 10 s, 1 of 60 s, 1 of 120 s, 1 of 300 s, 1 of 600 s, 1 of 300 s"
    with pytest.raises(Refused, match=rf"7 frames \({runs}; -0.1 to 23.2 min after the inj.*--set minutes=50-60"):
        averaged(dynamic())
    with pytest.raises(Refused, match="no frame from minute 50 to 60: a dynamic PET of 7 frames"):
        averaged(dynamic(), "50-60")
    for words in ("60", "60-50", "-1-4", "a-b", "1-2-3"):
        with pytest.raises(Refused, match="minutes = "):
            averaged(dynamic(), words)


def test_frames_without_times_are_not_chosen_among() -> None:
    untimed = without(without(dynamic(), "begun_s"), "reference_s")
    with pytest.raises(Refused, match="7 frames without their times"):
        averaged(untimed, "3-25")
    with pytest.raises(Refused, match="without the time of injection"):
        averaged(dynamic(RadiopharmaceuticalStartTime=None), "3-25")
    with pytest.raises(Refused, match="do not say how long"):
        averaged(without(dynamic(), "lasted_s"), "3-25")
    moments = {**dynamic().facts["FrameMoments"], "lasted_s": [[0.0, 0.0]] * len(LENGTHS)}
    with pytest.raises(Refused, match="do not say how long"):
        averaged(dynamic(FrameMoments=moments), "3-25")
    with pytest.raises(Refused, match="not corrected for decay and state no times"):
        averaged(replace(without(without(dynamic("NONE"), "begun_s"), "reference_s"),
                         axes=(Axis("trigger", tuple(range(7)), "ms"),)))  # fmt: skip
    with pytest.raises(Refused, match="half-life missing"):
        averaged(dynamic("NONE", RadionuclideHalfLife=None), "3-25")


def test_all_gates_are_averaged() -> None:
    pet = dynamic("ADMIN", uptake=(4.0, 6.0, 8.0), lengths=(60.0, 60.0, 120.0), RadiopharmaceuticalStartTime="095000")
    moments = {**pet.facts["FrameMoments"], "begun_s": [[0.0, 0.0]] * 3, "reference_s": [[60.0, 60.0]] * 3}
    gated = replace(pet, facts={**pet.facts, "FrameMoments": moments, "SeriesType": ["GATED", "IMAGE"]})
    assert in_suv(gated) == pytest.approx((4.0 * 60 + 6.0 * 60 + 8.0 * 120) / 240, rel=1e-6)
    assert averaged(gated).facts["Averaged"] == ["all 3 gates were averaged"]
    triggered = replace(gated, facts={**gated.facts, "SeriesType": None}, axes=(Axis("trigger", (0, 1, 2), "ms"),))
    assert in_suv(triggered) == pytest.approx(6.5, rel=1e-6)
    with pytest.raises(Refused, match="3 frames without their times"):  # nothing calls them gates
        averaged(replace(gated, facts={**gated.facts, "SeriesType": None}))


def test_a_decay_factor_of_another_moment_is_doubted() -> None:
    begun = np.concatenate([[0.0], np.cumsum(LENGTHS)[:-1]])
    middle = [float(b) + mean_activity_at(n) for b, n in zip(begun, LENGTHS, strict=True)]
    right = [2 ** (m / HALF_LIFE_S) for m in middle]
    own = [2 ** (mean_activity_at(n) / HALF_LIFE_S) for n in LENGTHS]
    assert len(averaged(dynamic(PerPhase={"DecayFactor": right}), "3-25").facts["Averaged"]) == 1
    told = averaged(dynamic(PerPhase={"DecayFactor": own}), "3-25").facts["Averaged"]
    off = 100 * (own[-1] / right[-1] - 1)
    assert told[1].startswith("WARNING: Decay Factor of frame 7 is") and f"SUV be off by {off:+.0f} %" in told[1]
    assert all(a < b for a, b in pairwise(right)) and off < -10


def test_what_is_no_time_and_no_gate_is_refused_and_a_static_image_stays() -> None:
    static = replace(dynamic(), array=dynamic().array[:1], axes=(Axis("time", (0.0,), "s"),))
    assert averaged(static) is static
    with pytest.raises(Refused, match="7 values of energy"):
        averaged(replace(dynamic(), axes=(Axis("energy", tuple(range(7)), "kV"),)))


def test_a_scan_that_was_begun_before_the_injection_alone_is_still_refused() -> None:
    whole = averaged(dynamic(), "3-25")
    header = pet_header.read(whole.facts)
    assert header.uptake_s == -INJECTED_S and header.measured_s == pytest.approx(195.0)
    with pytest.raises(Refused, match="injection 5 s after the scan"):
        suv.conversion(replace(header, measured_s=None))
    with pytest.raises(Refused, match="injection 5 s after the scan"):
        suv.conversion(replace(header, measured_s=-4.0))
