"""Series to volumes: every voxel in its place."""

from __future__ import annotations

import io
import itertools
import subprocess
from pathlib import Path
from typing import Any

import made
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import merge, read_header
from isocenter.dicom.scan import scan
from isocenter.errors import IsocenterError, NotAVolume, Refused
from isocenter.methods import pet_header, suv
from isocenter.record import Study
from isocenter.space import Reference, Volume


def volumes(files: list[bytes]) -> list[Volume]:
    series, read = made.record(files)
    return assemble(series, read)


def only(files: list[bytes]) -> Volume:
    (volume,) = volumes(files)
    return volume


# ---- one plain stack


def test_a_stack_lies_where_its_header_says() -> None:
    volume = only(made.stack(5, 2.5))
    assert volume.array.shape == (5, 4, 6) and volume.array.dtype == np.int16
    assert volume.geometry.spacing_mm == (2.5, 1.0, 1.0) and volume.geometry.sides == ("H", "P", "L")
    assert volume.geometry.origin_mm == (0.0, 0.0, 2.5)
    assert volume.array[:, 0, 0].tolist() == [-23, -22, -21, -20, -19]
    assert (volume.quantity, volume.unit) == ("attenuation", "[hnsf'U]")
    assert volume.geometry.frame_of_reference == "1.2.9"
    assert volume.instance_uids == tuple(f"1.2.3.4.{n}" for n in range(1, 6))


@settings(max_examples=40, deadline=None)
@given(
    st.permutations(range(1, 7)),
    st.floats(-1, 1),
    st.floats(-1, 1),
    st.floats(-3, 3),
    st.sampled_from([0.3, 1.0, 4.7]),
)
def test_any_orientation_and_any_order_of_arrival(order: list[int], a: float, b: float, c: float, step: float) -> None:
    """Law: voxel (k, 0, 0) of the volume lies at the position that the header of that image states."""
    rotation = turned(a, b, c)
    row, column, normal = rotation[:, 0], rotation[:, 1], rotation[:, 2]
    files = [
        made.made(
            n,
            ImagePositionPatient=[float(f"{v:.6f}") for v in normal * step * n],
            ImageOrientationPatient=[float(f"{v:.8f}") for v in (*row, *column)],
            SliceLocation=str(-n),  # never asked
        )
        for n in order
    ]
    volume = only(files)
    # Header decimals of 16 characters round the position in the sixth place.
    for k in range(6):
        stated = normal * step * (k + 1)
        assert np.allclose(volume.geometry.to_patient((k, 0, 0)), stated, atol=5e-5)
        assert volume.instance_uids[k].endswith(f".{k + 1}")
    assert np.allclose(volume.geometry.directions[:, 2], row, atol=1e-6)


def turned(a: float, b: float, c: float) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", [a, b, c]).as_matrix()


def test_the_letter_f_stands_the_right_way_round() -> None:
    letter = np.zeros((9, 8), np.uint16)
    letter[1:8, 2] = letter[1, 2:7] = letter[4, 2:5] = 1000
    volume = only([made.made(n, pixels=letter, ImagePositionPatient=[0, 0, n]) for n in (1, 2)])
    top, bottom = volume.geometry.to_patient((0, 1, 4)), volume.geometry.to_patient((0, 7, 4))
    stem, tip = volume.geometry.to_patient((0, 1, 2)), volume.geometry.to_patient((0, 1, 6))
    assert volume.array[0, 1, 6] > volume.array[0, 7, 6]
    assert top[1] < bottom[1]  # the bar of the F lies in front
    assert stem[0] < tip[0]  # and points to the patient's left


def test_a_tilted_gantry_gives_a_sheared_grid() -> None:
    tilt = np.deg2rad(20)
    files = [
        made.made(
            n,
            ImageOrientationPatient=[1, 0, 0, 0, float(np.cos(tilt)), float(-np.sin(tilt))],
            ImagePositionPatient=[0, 0, 5.0 * n],
            GantryDetectorTilt=20,
        )
        for n in range(1, 5)
    ]
    volume = only(files)
    assert not volume.geometry.is_orthogonal
    assert np.allclose(volume.geometry.affine[:3, 0], (0, 0, 5))
    assert np.isclose(volume.geometry.voxel_volume_mm3, 5 * np.cos(tilt))


def test_rescale_is_that_of_each_slice() -> None:
    files = [
        made.made(n, sop_class=made.PT, modality="PT", Units="BQML", RescaleSlope=n / 2, RescaleIntercept=0)
        for n in (1, 2, 3)
    ]
    volume = only(files)
    assert volume.array.dtype == np.float32 and volume.unit == "Bq/mL"
    assert volume.array[:, 0, 0].tolist() == [500.5, 1002.0, 1504.5]


def test_ct_that_does_not_fit_sixteen_bits_is_float() -> None:
    pixels = np.full((4, 6), 60000, np.uint16)
    assert only([made.made(n, pixels=pixels) for n in (1, 2)]).array.dtype == np.float32
    assert only([made.made(n, RescaleSlope=0.5) for n in (1, 2)]).array.dtype == np.float32
    low = only([made.made(n, pixels=np.full((4, 6), -32000, np.int16)) for n in (1, 2)])
    assert low.array.dtype == np.float32 and low.array.min() == -33024


def test_bits_above_bits_stored_are_no_value() -> None:
    pixels = np.full((4, 6), 0x8000 | 100, np.uint16)
    assert only([made.made(n, pixels=pixels, BitsStored=12, HighBit=11) for n in (1, 2)]).array.max() == 100 - 1024
    signed = np.full((4, 6), 0x0FFF, np.int16)
    files = [made.made(n, pixels=signed, BitsStored=12, HighBit=11) for n in (1, 2)]
    assert only(files).array.max() == -1 - 1024


@pytest.mark.parametrize("syntax", [made.IMPLICIT, made.BIG, made.DEFLATED, made.RLE, made.J2K])
def test_the_volume_is_the_same_in_every_transfer_syntax(syntax: str) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 3000, (3, 40, 52)).astype(np.uint16)
    plain = only([made.made(n, pixels=pixels[n]) for n in range(3)])
    other = only([made.made(n, pixels=pixels[n], syntax=syntax) for n in range(3)])
    assert np.array_equal(plain.array, other.array) and plain.geometry == other.geometry


def test_facts_are_those_of_all_and_the_earliest_time() -> None:
    files = [made.made(n, AcquisitionTime=f"1000{n:02d}", KVP="120", Manufacturer="M") for n in (3, 1, 2)]
    facts = only(files).facts
    assert facts["AcquisitionTime"] == "100001" and facts["KVP"] == 120.0 and facts["Manufacturer"] == "M"
    assert "ImagePositionPatient" not in facts


def test_the_earliest_image_of_a_scan_that_runs_past_midnight_is_of_the_evening() -> None:
    """Beds at 23:58, 00:01 and 00:04: the earliest time of day is not that of the first."""
    moments = [("20230406", "000100"), ("20230405", "235800"), ("20230406", "000400")]
    files = [made.made(n, AcquisitionDate=d, AcquisitionTime=t) for n, (d, t) in enumerate(moments, start=1)]
    facts = only(files).facts
    assert (facts["AcquisitionDate"], facts["AcquisitionTime"]) == ("20230405", "235800")


# ---- leading axes


def phased(keys: list[dict[str, Any]], slices: int = 3, **common: Any) -> list[bytes]:
    files = []
    for p, key in enumerate(keys):
        for k in range(slices):
            number = p * slices + k + 1
            pixels = np.full((4, 6), 100 * p + k, np.uint16)
            files.append(
                made.made(
                    number, sop_class=made.MR, modality="MR", pixels=pixels,
                    **{"ImagePositionPatient": [0, 0, float(k)], **common, **key},
                )
            )  # fmt: skip
    return files


def checked(volume: Volume, names: list[str]) -> None:
    assert [a.name for a in volume.axes] == names
    flat = volume.array.reshape(-1, *volume.geometry.shape)
    for p, k in itertools.product(range(flat.shape[0]), range(flat.shape[1])):
        assert flat[p, k, 0, 0] % 100 == k
    assert len(volume.instance_uids) == flat.shape[0] * flat.shape[1]


def test_echoes() -> None:
    volume = only(phased([{"EchoTime": t} for t in (2.3, 4.6, 6.9)]))
    checked(volume, ["echo"])
    assert volume.axes[0].values == (2.3, 4.6, 6.9) and volume.axes[0].unit == "ms"
    assert volume.array[:, 0, 0, 0].tolist() == [0, 100, 200]


def test_echo_times_that_differ_by_rounding_from_slice_to_slice_are_one() -> None:
    """0.4 us between slices made a series of frames without times of four echoes."""
    files = []
    for data in phased([{"EchoTime": t} for t in (1.2, 2.4, 3.6, 3.632)]):
        ds = pydicom.dcmread(io.BytesIO(data))
        ds.EchoTime = round(float(ds.EchoTime) + 0.0004 * (ds.InstanceNumber % 3), 6)
        files.append(made.written(ds))
    volume = only(files)
    checked(volume, ["echo"])
    assert np.allclose(volume.axes[0].values, (1.2, 2.4, 3.6, 3.632), atol=0.001)
    assert only(files[:3]).facts["EchoTime"] == pytest.approx(1.2, abs=0.001)


def test_a_series_that_was_sent_twice_under_new_uids_is_read_once() -> None:
    """Its copies became frames of their own, or it was refused for two images at one place."""
    keys = [{"AcquisitionTime": f"10000{n}"} for n in range(4)]
    again = []
    for data in phased(keys):
        ds = pydicom.dcmread(io.BytesIO(data))
        ds.SOPInstanceUID, ds.ContentTime = f"{ds.SOPInstanceUID}.2", "110000"
        ds.InstanceNumber += 12
        again.append(made.written(ds))
    volume = only(phased(keys) + again)
    checked(volume, ["time"])
    assert volume.axes[0].values == (0.0, 1.0, 2.0, 3.0) and len(volume.facts["DoubledInstances"]) == 12
    still = only(phased(keys[:1]) + again[:3])
    assert still.array.shape == (3, 4, 6) and not still.axes


def test_one_time_that_was_sent_again_under_new_uids_is_read_once() -> None:
    """Nothing told its two copies apart, and the whole scan was refused for that."""
    keys = [{"AcquisitionTime": f"10000{n}"} for n in range(4)]
    again = []
    for data in phased(keys)[3:6]:
        ds = pydicom.dcmread(io.BytesIO(data))
        ds.SOPInstanceUID = f"{ds.SOPInstanceUID}.2"
        again.append(made.written(ds))
    volume = only(phased(keys) + again)
    assert volume.axes[0].values == (0.0, 1.0, 2.0, 3.0) and len(volume.facts["DoubledInstances"]) == 3
    for n, data in enumerate(again):
        ds = pydicom.dcmread(io.BytesIO(data))
        made.put_pixels(ds, np.full((4, 6), 7, np.uint16))
        again[n] = made.written(ds)
    with pytest.raises(NotAVolume, match="nothing that tells them apart"):
        only(phased(keys) + again)


def test_frames_of_a_drawing_that_are_alike_before_the_bolus_are_no_copies() -> None:
    files = []
    for n, data in enumerate(phased([{}] * 8, ScanningSequence="EP", RepetitionTime=1500.0)):
        ds = pydicom.dcmread(io.BytesIO(data))
        made.put_pixels(ds, np.full((4, 6), 100 * max(n // 3 - 4, 0) + n % 3, np.uint16))
        files.append(made.written(ds))
    assert only(files).array.shape == (8, 3, 4, 6)


def test_time_from_acquisition_times_over_midnight() -> None:
    keys = [
        {"AcquisitionDate": "20260101", "AcquisitionTime": "235958.5"},
        {"AcquisitionDate": "20260102", "AcquisitionTime": "000000"},
        {"AcquisitionDate": "20260102", "AcquisitionTime": "000001.5"},
    ]
    volume = only(phased(keys))
    checked(volume, ["time"])
    assert volume.axes[0].values == (0.0, 1.5, 3.0) and volume.axes[0].unit == "s"
    assert volume.facts["PerPhase"]["AcquisitionTime"] == ["235958.5", "000000", "000001.5"]


def test_time_from_temporal_positions_whatever_the_instance_numbers() -> None:
    files = phased([{"TemporalPositionIdentifier": 3 - n, "AcquisitionTime": f"00000{3 - n}"} for n in range(3)])
    volume = only(files)
    checked(volume, ["time"])
    assert volume.array[:, 0, 0, 0].tolist() == [200, 100, 0] and volume.axes[0].values == (0.0, 1.0, 2.0)


def test_time_from_frame_reference_time() -> None:
    keys = [{"FrameReferenceTime": 1000.0 * n, "ActualFrameDuration": 500 * (n + 1)} for n in range(3)]
    volume = only(phased(keys, SeriesType=["DYNAMIC", "IMAGE"]))
    assert volume.axes[0].values == (0.0, 1.0, 2.0)
    assert volume.facts["PerPhase"]["ActualFrameDuration"] == [500, 1000, 1500]


def test_time_from_repetition_where_nothing_else_is_said() -> None:
    volume = only(phased([{}] * 4, ScanningSequence="EP", RepetitionTime=2500.0))
    assert volume.axes[0].values == (0.0, 2.5, 5.0, 7.5) and volume.facts["TimedBy"] == "Repetition Time"
    stated = only(phased([{}] * 4, ScanningSequence="EP", RepetitionTime=2500.0, TemporalResolution=1400.0))
    assert "TimedBy" not in stated.facts


@pytest.mark.parametrize(
    ("common", "second"),
    [({"ScanningSequence": "EP", "MRAcquisitionType": "2D", "RepetitionTime": 1500.0}, 1.5),
     ({"ScanningSequence": "EP", "MRAcquisitionType": "3D", "RepetitionTime": 20.0}, None),
     ({"ScanningSequence": "EP", "RepetitionTime": 20.0, "TemporalResolution": 1400.0}, 1.4),
     ({"TemporalResolution": 1.5}, 1.5)],
)  # fmt: skip
def test_seconds_between_volumes_are_not_the_repetitions_of_a_3d_scan(
    common: dict[str, Any], second: float | None
) -> None:
    (axis,) = only(phased([{"TemporalPositionIdentifier": n + 1} for n in range(3)], **common)).axes
    assert (axis.unit, axis.values[1]) == (("", 1) if second is None else ("s", second))


@pytest.mark.parametrize(
    ("positions", "seconds"),
    [((1, 2, 4, 5), (0.0, 1.4, 4.2, 5.6)), ((4, 2, 1), (0.0, 1.4, 4.2)), ((1, 3, 5), (0.0, 1.4, 2.8))],
)
def test_a_frame_that_is_missing_leaves_its_time_where_only_positions_and_a_step_tell_it(
    positions: tuple[int, ...], seconds: tuple[float, ...]
) -> None:
    """Of positions none of which follows another, as where every second was kept, nothing tells what a step is."""
    keys = [{"TemporalPositionIdentifier": n} for n in positions]
    (axis,) = only(phased(keys, TemporalResolution=1400.0)).axes
    assert axis.unit == "s" and axis.values == seconds


@pytest.mark.parametrize("keyword", ["AcquisitionTime", "ContentTime"])
@pytest.mark.parametrize("frame_s", [0.8, 1.5, 5.5])
def test_a_clock_of_whole_seconds_is_evened_out(keyword: str, frame_s: float) -> None:
    """Frames of 1.5 s at 0, 1, 3, 4 s were taken as they read; shorter ones than a second had no time at all."""
    truth = [n * frame_s for n in range(40)]
    keys = [{keyword: f"10{int(t) // 60:02d}{int(t) % 60:02d}", "TemporalPositionIdentifier": n + 1}
            for n, t in enumerate(truth)]  # fmt: skip
    volume = only(phased(keys, slices=2))
    (axis,) = volume.axes
    assert axis.unit == "s" and np.abs(np.array(axis.values) - truth).max() < 0.02 * truth[-1]
    assert "whole seconds, evened out" in volume.facts["TimedBy"]


@pytest.mark.parametrize(("frame_s", "gone"), [(1.5, (20,)), (1.5, (7, 8, 30)), (2.8, (11,))])
def test_a_clock_of_whole_seconds_is_evened_out_where_frames_are_missing(frame_s: float, gone: tuple[int, ...]) -> None:
    """Taken as it stands, every step of two seconds would be one in which a frame of a second was lost."""
    truth = np.delete(np.arange(40) * frame_s, gone)
    keys = [{"AcquisitionTime": f"10{int(t) // 60:02d}{int(t) % 60:02d}"} for t in truth]
    (axis,) = only(phased(keys, slices=2)).axes
    assert np.abs(np.array(axis.values) - truth).max() < 0.5


def test_a_clock_of_making_serves_where_frames_are_missing() -> None:
    truth = np.delete(np.arange(30) * 1.5, (12, 20))
    volume = only(phased([{"ContentTime": f"1000{t:05.2f}"} for t in truth], slices=2))
    assert volume.facts["TimedBy"] == "Content Time" and volume.axes[0].values == pytest.approx(truth)


def test_a_clock_that_is_uneven_or_even_as_it_stands_is_left_alone() -> None:
    for truth in ([*range(0, 30, 2), *range(30, 90, 5)], list(range(0, 60, 3)), [0.5 + 2 * n for n in range(20)]):
        keys = [{"AcquisitionTime": f"10{int(t) // 60:02d}{t % 60:04.1f}"} for t in truth]
        volume = only(phased(keys, slices=2))
        assert volume.axes[0].values == tuple(t - truth[0] for t in truth) and "TimedBy" not in volume.facts


def test_a_table_to_and_fro_that_ends_on_one_side_keeps_the_frames_of_both() -> None:
    """Of two positions one was measured once more: the whole scan was declined as incomplete."""

    def shuttled(lost: int = -1) -> list[bytes]:
        files = []
        for n in range(24):
            for k in range(4):
                if (n == 0 and lost < 0 and k >= 2) or (n == lost and k == 3):
                    continue  # the second position begins one frame later
                seconds = 3.0 * n + (1.5 if k < 2 else 0.0)
                files.append(
                    made.made(
                        4 * n + k + 1, pixels=np.full((4, 6), 10 * n + k, np.uint16), RescaleIntercept=0,
                        ImagePositionPatient=[0, 0, float(k)],
                        AcquisitionTime=f"10{int(seconds) // 60:02d}{seconds % 60:04.1f}",
                    )
                )  # fmt: skip
        return files

    volume = only(shuttled())
    assert volume.array.shape == (23, 4, 4, 6) and volume.facts["FramesLeft"] == 2
    own = np.array(volume.facts["SliceTimes"])
    assert np.allclose(np.abs(own[:, 3] - own[:, 0]), 1.5) and np.allclose(np.diff(own, axis=0), 3.0)
    assert [int(v) // 10 for v in volume.array[:, 3, 0, 0]] == list(range(1, 24))
    volume = only(shuttled(lost=11))
    assert volume.array.shape == (23, 4, 4, 6) and volume.facts["TimesLacking"]["lacking"] == {12: 1}
    assert [int(v) // 10 for v in volume.array[:, 3, 0, 0]] == [n for n in range(24) if n != 11]


@pytest.mark.parametrize("position", [True, False])
def test_philips_times_the_frames_of_a_scan_in_an_element_of_its_own(position: bool) -> None:
    """All its images bear the time at which the scan began: it had frames, and no times."""
    files = []
    for n, data in enumerate(phased([{"AcquisitionTime": "100000"}] * 4)):
        ds = pydicom.dcmread(io.BytesIO(data))
        block = ds.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        block.add_new(0xA0, "FL", 3.5 * (n // 3))
        if position:
            ds.TemporalPositionIdentifier = n // 3 + 1
        files.append(made.written(ds))
    volume = only(files)
    checked(volume, ["time"])
    assert volume.axes[0].unit == "s" and volume.axes[0].values == (0.0, 3.5, 7.0, 10.5)
    frames = [{"z": 3 * k, "time": n + 1} for n in range(3) for k in (0, 1)]
    ds = pydicom.dcmread(io.BytesIO(enhanced(frames)))
    for n, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        own = item()
        own.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0xA0, "FL", 2.5 * (n // 2))
        group.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
        group.add_new(0x2005140F, "SQ", [own])
    assert only([made.written(ds)]).axes[0].values == (0.0, 2.5, 5.0)


def test_the_time_of_day_serves_where_each_image_has_the_date_and_time_of_the_first() -> None:
    keys = [{"AcquisitionDateTime": "20260301100000", "AcquisitionTime": f"10000{2 * n}.5"} for n in range(4)]
    assert only(phased(keys)).axes[0].values == (0.0, 2.0, 4.0, 6.0)


def test_midnight_without_a_day_and_triggers_that_no_heart_gives() -> None:
    clocks = ("235958.5", "000000", "000001.5")
    volume = only(phased([{"SeriesDate": "20260101", "AcquisitionTime": c} for c in clocks]))
    assert volume.axes[0].values == (0.0, 1.5, 3.0) and volume.array[:, 0, 0, 0].tolist() == [0, 100, 200]
    bolus = [{"z": 3 * k, "time": n + 1, "trigger": 1500.0 * n} for n in range(6) for k in (0, 1)]
    (axis,) = only([enhanced(bolus)]).axes
    assert (axis.name, axis.unit, axis.values[:3]) == ("time", "s", (0.0, 1.5, 3.0))
    said = [{"z": 3 * k, "time": n + 1, "reference": f"2026010112000{n}.5"} for n in range(3) for k in (0, 1)]
    assert only([enhanced(said)]).axes[0].values == (0.0, 1.0, 2.0)


def test_heart_phases() -> None:
    keys = [{"TriggerTime": 40.0 * n} for n in range(5)]
    volume = only(phased(keys, CardiacNumberOfImages=5))
    checked(volume, ["trigger"])
    assert volume.axes[0].values == (0.0, 40.0, 80.0, 120.0, 160.0) and volume.axes[0].unit == "ms"


def test_time_and_echo_together() -> None:
    keys = [
        {"EchoTime": e, "TemporalPositionIdentifier": t, "AcquisitionTime": f"00000{t}"}
        for t in (1, 2, 3)
        for e in (5, 9)
    ]
    volume = only(phased(keys))
    checked(volume, ["time", "echo"])
    assert volume.array[:, :, 0, 0, 0].tolist() == [[0, 100], [200, 300], [400, 500]]


def test_diffusion_directions_that_fill_no_product_lie_along_b() -> None:
    keys: list[dict[str, Any]] = [{"DiffusionBValue": 0.0}]
    directions = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
    keys += [{"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": list(d)} for d in directions]
    volume = only(phased(keys))
    checked(volume, ["b_value"])
    assert volume.axes[0].values == (0.0, 1000.0, 1000.0, 1000.0) and volume.axes[0].unit == "s/mm2"
    assert volume.facts["along_b_value_direction"] == [None, *directions]


def test_b_values_alone() -> None:
    volume = only(phased([{"DiffusionBValue": b} for b in (50.0, 400.0, 800.0)]))
    checked(volume, ["b_value"])


def test_two_energies() -> None:
    volume = only(phased([{"KVP": kv} for kv in (80, 140)]))
    checked(volume, ["energy"])
    assert volume.axes[0].values == (80.0, 140.0)


def test_magnitude_and_phase_are_two_volumes() -> None:
    keys = [{"ImageType": ["ORIGINAL", "PRIMARY", word]} for word in ("M", "P")]
    found = volumes(phased(keys))
    assert [v.axes for v in found] == [(), ()]
    assert sorted(float(v.array.max()) for v in found) == [2.0, 102.0]


def test_nothing_that_tells_images_apart_refuses() -> None:
    files = [
        made.made(
            n, sop_class=made.MR, modality="MR", InstanceNumber="", ImagePositionPatient=[0, 0, n % 3], series="1.2.3"
        )
        for n in range(6)
    ]
    with pytest.raises(NotAVolume, match="nothing that tells them apart"):
        volumes(files)


# ---- scouts, colours, planes


def test_scouts_in_three_planes_become_three_volumes() -> None:
    planes = ([1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1])
    files = [
        made.made(n, ImageOrientationPatient=plane, ImagePositionPatient=[float(n)] * 3)
        for n, plane in enumerate(planes)
    ]
    assert [v.array.shape for v in volumes(files)] == [(1, 4, 6)] * 3


def test_images_of_another_size_stand_apart() -> None:
    files = [*made.stack(3), made.made(9, pixels=np.zeros((8, 8), np.uint16), ImagePositionPatient=[0, 0, 50])]
    assert [v.array.shape for v in volumes(files)] == [(3, 4, 6), (1, 8, 8)]


def test_what_makes_no_stack_beside_one_that_does_is_told() -> None:
    scouts = [
        made.made(20 + n, ImageOrientationPatient=[0, 1, 0, 0, 0, -1], ImagePositionPatient=[x, 0, 0])
        for n, x in enumerate((0.0, 1.0, 7.0))
    ]
    (volume,) = volumes([*made.stack(6), *scouts])
    assert "gap of 6 mm where" in volume.facts["NotAssembled"][0] or "vary" in volume.facts["NotAssembled"][0]


def radiograph(**facts: Any) -> list[bytes]:
    base = {"sop_class": made.DX, "modality": "DX", "ImagePositionPatient": None, "ImageOrientationPatient": None}
    return [made.made(1, **{**base, **facts})]


def test_a_radiograph_lies_in_a_plane() -> None:
    volume = only(radiograph(PixelSpacing=None, ImagerPixelSpacing=[0.2, 0.1]))
    assert volume.geometry.reference is Reference.PLANE and volume.geometry.spacing_mm == (1.0, 0.2, 0.1)
    assert volume.facts["SpacingFrom"] == "ImagerPixelSpacing"
    magnified = only(
        radiograph(PixelSpacing=None, ImagerPixelSpacing=[0.2, 0.2], EstimatedRadiographicMagnificationFactor=2)
    )
    assert magnified.geometry.spacing_mm[1:] == (0.1, 0.1)
    # Makers write both, and nobody calibrated the one that repeats the other: a factor was left out there.
    both = {"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.2, 0.2], "EstimatedRadiographicMagnificationFactor": 2}
    repeated, geometric = (only(radiograph(**both, **by)) for by in ({}, {"PixelSpacingCalibrationType": "GEOMETRY"}))
    assert (repeated.geometry.spacing_mm[1:], repeated.facts["SpacingFrom"]) == ((0.1, 0.1), "ImagerPixelSpacing")
    assert (geometric.geometry.spacing_mm[1:], geometric.facts["SpacingFrom"]) == ((0.2, 0.2), "PixelSpacing")
    unlike = only(radiograph(PixelSpacing=[0.15, 0.15], ImagerPixelSpacing=[0.2, 0.2]))
    assert unlike.geometry.spacing_mm[1:] == (0.15, 0.15) and unlike.facts["SpacingFrom"] == "PixelSpacing"
    bare = only(radiograph(PixelSpacing=None))
    assert bare.geometry.reference is Reference.PIXEL and bare.facts["SpacingFrom"] == "none"


@pytest.mark.parametrize(
    ("kind", "word"), [("7", "Captured"), ("7.2", "Captured"), ("13.1.3", "FromTomosynthesis"), ("1.1", "")]
)
def test_what_the_class_of_a_picture_says_of_it_is_noted(kind: str, word: str) -> None:
    facts = only(radiograph(sop_class=f"1.2.840.10008.5.1.4.1.1.{kind}")).facts
    assert {"Captured", "FromTomosynthesis"} & set(facts) == ({word} if word else set())


def test_monochrome1_is_turned_and_noted() -> None:
    pixels = np.arange(24, dtype=np.uint16).reshape(4, 6)
    facts = {"pixels": pixels, "PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
    volume = only(radiograph(**facts))
    assert np.array_equal(volume.array[0], 4095 - pixels) and volume.facts["InvertedFromMonochrome1"] is True
    assert "InvertedFromMonochrome1" not in only(radiograph()).facts
    shown = only(radiograph(**{**facts, "PhotometricInterpretation": "MONOCHROME2"}, PresentationLUTShape="INVERSE"))
    assert np.array_equal(shown.array, volume.array)  # as it is drawn on the screen


def test_an_ultrasound_cine_in_colour_has_time_and_channels() -> None:
    region = Dataset()
    region.RegionSpatialFormat, region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection = 1, 3, 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, 0.03
    pixels = np.arange(5 * 4 * 6 * 3, dtype=np.uint8).reshape(5, 4, 6, 3)
    volume = only(
        radiograph(
            sop_class=made.US, modality="US", pixels=pixels, FrameTime=40, PixelSpacing=None,
            SequenceOfUltrasoundRegions=[region],
        )
    )  # fmt: skip
    assert [a.name for a in volume.axes] == ["time", "channel"] and volume.array.shape == (5, 3, 1, 4, 6)
    assert volume.axes[0].values == (0.0, 0.04, 0.08, 0.12, 0.16) and volume.axes[0].unit == "s"
    assert np.array_equal(volume.array[2, 1, 0], pixels[2, ..., 1])
    assert np.allclose(volume.geometry.spacing_mm[1:], (0.3, 0.2)) and volume.geometry.reference is Reference.PLANE


def test_cine_times_from_vector_or_rate_or_frame_numbers() -> None:
    pixels = np.zeros((3, 4, 6), np.uint16)
    vector = only(radiograph(pixels=pixels, FrameTimeVector=[0, 30, 50], modality="XA"))
    assert vector.axes[0].values == (0.0, 0.03, 0.08)
    assert only(radiograph(pixels=pixels, CineRate=10, modality="XA")).axes[0].values == (0.0, 0.1, 0.2)
    bare = only(radiograph(pixels=pixels, modality="XA")).axes[0]
    assert bare.values == (0, 1, 2) and bare.unit == ""


def test_a_palette_becomes_colours() -> None:
    series, read = made.record([(made.SAMPLES / "examples_palette.dcm").read_bytes()])
    (volume,) = assemble(series, read)
    assert volume.axes[0].name == "channel" and volume.array.dtype == np.uint8 and len(np.unique(volume.array)) > 50


# ---- enhanced


def enhanced(frames: list[dict[str, Any]], *, shared: dict[str, Any] | None = None, number: int = 1) -> bytes:
    """An enhanced MR object: each frame a dictionary of z, echo, b, direction, time index, trigger, slope, kind."""
    pixels = np.stack([np.full((4, 6), n, np.uint16) for n in range(len(frames))])
    ds = made.dataset(number, sop_class=made.ENHANCED_MR, modality="MR", pixels=pixels)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(ds, keyword)
    ds.SharedFunctionalGroupsSequence = [groups(shared or {}, everywhere=True)]
    ds.PerFrameFunctionalGroupsSequence = [groups(frame) for frame in frames]
    return made.written(ds)


def item(**values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def groups(frame: dict[str, Any], *, everywhere: bool = False) -> Dataset:
    ds = Dataset()
    if everywhere:
        ds.PixelMeasuresSequence = [item(PixelSpacing=[2.0, 1.5], SliceThickness=3.0)]
        ds.PlaneOrientationSequence = [item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
        return ds
    content = item()
    if "time" in frame:
        content.TemporalPositionIndex = frame["time"]
    if "stack" in frame:
        content.StackID = frame["stack"]
    if "offset" in frame:
        ds.TemporalPositionSequence = [item(TemporalPositionTimeOffset=float(frame["offset"]))]
    if "moment" in frame:
        content.FrameAcquisitionDateTime = frame["moment"]
    if "reference" in frame:
        content.FrameReferenceDateTime = frame["reference"]
    ds.FrameContentSequence = [content]
    if "z" in frame:
        ds.PlanePositionSequence = [item(ImagePositionPatient=[1.0, 2.0, float(frame["z"])])]
    if "echo" in frame:
        ds.MREchoSequence = [item(EffectiveEchoTime=float(frame["echo"]))]
    if "b" in frame:
        diffusion = item(DiffusionBValue=float(frame["b"]))
        if "direction" in frame:
            diffusion.DiffusionGradientDirectionSequence = [item(DiffusionGradientOrientation=frame["direction"])]
        ds.MRDiffusionSequence = [diffusion]
    if "trigger" in frame:
        ds.CardiacSynchronizationSequence = [item(NominalCardiacTriggerDelayTime=float(frame["trigger"]))]
    if "slope" in frame:
        ds.PixelValueTransformationSequence = [item(RescaleSlope=frame["slope"], RescaleIntercept=1, RescaleType="US")]
    if "real" in frame:
        unit = item(CodeValue=frame["real"], CodingSchemeDesignator="UCUM", CodeMeaning="unit")
        real = item(RealWorldValueSlope=0.5, RealWorldValueIntercept=0.0, MeasurementUnitsCodeSequence=[unit])
        ds.RealWorldValueMappingSequence = [real]
    if "kind" in frame:
        ds.MRImageFrameTypeSequence = [item(FrameType=["ORIGINAL", "PRIMARY", frame["kind"], "NONE"])]
    return ds


def test_enhanced_frames_in_any_order() -> None:
    volume = only([enhanced([{"z": z, "slope": 2} for z in (6, 0, 3)])])
    assert volume.array[:, 0, 0].tolist() == [3.0, 5.0, 1.0]
    assert volume.geometry.spacing_mm == (3.0, 2.0, 1.5) and volume.geometry.origin_mm == (1.0, 2.0, 0.0)


def test_a_real_world_map_scales_and_names_the_unit_where_the_rescale_is_none() -> None:
    volume = only([enhanced([{"z": z, "real": "um2/s"} for z in (0, 3, 6)])])
    assert volume.array[:, 0, 0].tolist() == [0.0, 0.5, 1.0]
    assert (volume.quantity, volume.unit) == ("real-world value", "um2/s")
    rescaled = only([enhanced([{"z": z, "real": "um2/s", "slope": 2} for z in (0, 3, 6)])])
    assert rescaled.array[:, 0, 0].tolist() == [1.0, 3.0, 5.0] and rescaled.unit == "{arbitrary}"


def test_enhanced_time_echo_and_b() -> None:
    moment = "2026010210000{}"
    timed = [{"z": 3 * k, "time": t, "moment": moment.format(t)} for t in (1, 2, 3) for k in (0, 1)]
    volume = only([enhanced(timed)])
    assert [(a.name, a.values) for a in volume.axes] == [("time", (0.0, 1.0, 2.0))] and volume.array.shape[0] == 3
    echoes = only([enhanced([{"z": 3 * k, "echo": e} for e in (1, 2) for k in (0, 1)])])
    assert [(a.name, a.values) for a in echoes.axes] == [("echo", (1.0, 2.0))]
    frames = [{"z": 3 * k, "b": 0} for k in (0, 1)]
    frames += [{"z": 3 * k, "b": 1000, "direction": d} for d in ([1.0, 0, 0], [0, 1.0, 0]) for k in (0, 1)]
    weighted = only([enhanced(frames)])
    assert weighted.axes[0].name == "b_value" and weighted.axes[0].values == (0.0, 1000.0, 1000.0)


@pytest.mark.parametrize("index", [{}, {"time": 1}])
@pytest.mark.parametrize(("own", "by"), [("AcquisitionDateTime", None), ("ContentTime", "Content Time")])
def test_an_enhanced_object_for_each_time_has_the_time_of_the_object(
    index: dict[str, Any], own: str, by: str | None
) -> None:
    """Their frames state none, or all the first position: such series had frames, and no times."""
    files = []
    for n in range(4):
        ds = pydicom.dcmread(io.BytesIO(enhanced([{"z": 3 * k, **index} for k in (0, 1)], number=n + 1)))
        ds.ContentDate, ds.ContentTime = "20260102", "100000"
        ds.PixelData = np.full((2, 4, 6), 100 + n, np.uint16).tobytes()
        setattr(ds, own, f"20260102{100000 + 5 * n}" if own == "AcquisitionDateTime" else f"{100000 + 5 * n}")
        files.append(made.written(ds))
    volume = only(files)
    assert [(a.name, a.unit, a.values) for a in volume.axes] == [("time", "s", (0.0, 5.0, 10.0, 15.0))]
    assert volume.facts.get("TimedBy") == by


def test_a_dynamic_scan_in_two_objects_whose_times_begin_anew() -> None:
    """Index and offset count within each object: such a series had frames, and no times."""
    files = []
    for n, begun in enumerate(("100000", "100030")):
        frames = [{"z": 3 * k, "time": t + 1, "offset": 5 * t} for t in range(3) for k in (0, 1)]
        ds = pydicom.dcmread(io.BytesIO(enhanced(frames, number=n + 1)))
        ds.AcquisitionDateTime = f"20260102{begun}"
        ds.PixelData = (np.frombuffer(ds.PixelData, np.uint16) + 100 * n).astype(np.uint16).tobytes()
        files.append(made.written(ds))
    volume = only(files)
    assert [(a.name, a.unit, a.values) for a in volume.axes] == [("time", "s", (0.0, 5.0, 10.0, 30.0, 35.0, 40.0))]
    assert volume.array[:, 0, 0, 0].tolist() == [0, 2, 4, 100, 102, 104]


def test_an_echo_time_that_some_frames_lack_makes_no_axis() -> None:
    moment = "2026010210000{}"
    timed = [{"z": 3 * k, "time": t, "moment": moment.format(t)} for t in (1, 2, 3) for k in (0, 1)]
    some = [{**frame, "echo": 2.3} if frame["time"] != 2 else frame for frame in timed]
    volume = only([enhanced(some)])
    assert [(a.name, a.values) for a in volume.axes] == [("time", (0.0, 1.0, 2.0))]
    two = [{"z": 3 * k, "echo": e} if e else {"z": 3 * k} for e in (1, 2, 0) for k in (0, 1)]
    assert only([enhanced(two)]).axes[0].values == (None, 1.0, 2.0)  # which of them the third has is not known


def test_enhanced_heart_phases_and_kinds_and_stacks() -> None:
    beats = only([enhanced([{"z": 3 * k, "trigger": t} for t in (0, 50, 100) for k in (0, 1)])])
    assert beats.axes[0].name == "trigger" and beats.axes[0].values == (0.0, 50.0, 100.0)
    kinds = volumes([enhanced([{"z": 3 * k, "kind": w} for w in ("M", "P") for k in (0, 1)])])
    assert [v.array.shape for v in kinds] == [(2, 4, 6)] * 2
    apart = volumes([enhanced([{"z": z, "stack": s} for s, z in (("1", 0), ("1", 3), ("2", 90), ("2", 93))])])
    assert [v.array.shape for v in apart] == [(2, 4, 6)] * 2


def test_slices_with_a_stack_id_each_are_one_stack_where_they_lie_in_a_row() -> None:
    """One slice of them was measured, and nothing said that there were more."""
    row = [{"z": 3 * n, "stack": str(n), "trigger": t} for n in (2, 0, 1) for t in (0, 50)]
    assert only([enhanced(row)]).array.shape == (2, 3, 4, 6)
    scattered = [{"z": z, "stack": str(n)} for n, z in enumerate((0, 3, 40))]
    assert [v.array.shape for v in volumes([enhanced(scattered)])] == [(1, 4, 6)] * 3


@pytest.mark.parametrize("first", [1, 11])
def test_of_two_stacks_of_one_size_that_which_was_measured_goes_before_that_which_was_computed(first: int) -> None:
    """The one whose images came first was taken: a copy with smoothed or windowed values by chance."""
    kinds = {1: ["DERIVED", "SECONDARY", "AXIAL"], 11: ["ORIGINAL", "PRIMARY", "AXIAL"]}
    files = [
        made.made(n + start, ImageType=kind, ImagePositionPatient=[0.0, 0.0, float(n)])
        for start, kind in sorted(kinds.items(), key=lambda pair: pair[0] != first)
        for n in (0, 1, 2)
    ]
    assert [v.facts["ImageType"][0] for v in volumes(files)] == ["ORIGINAL", "DERIVED"]


def test_enhanced_ct_of_no_hounsfield_units_is_not_taken_for_them() -> None:
    """Spectral results (effective atomic number, electron density) are CT objects too."""
    pixels = np.stack([np.full((4, 6), n, np.uint16) for n in range(2)])
    for said, quantity in (("HU", "attenuation"), ("Z_EFF", "intensity")):
        ds = made.dataset(1, sop_class=made.ENHANCED_CT, modality="CT", pixels=pixels)
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleType"):
            if keyword in ds:
                delattr(ds, keyword)
        ds.SharedFunctionalGroupsSequence = [groups({}, everywhere=True)]
        ds.PerFrameFunctionalGroupsSequence = [groups({"z": z, "slope": 1}) for z in (0, 3)]
        for frame in ds.PerFrameFunctionalGroupsSequence:
            frame.PixelValueTransformationSequence[0].RescaleType = said
        assert only([made.written(ds)]).quantity == quantity


def test_enhanced_pet_states_its_unit_corrections_and_the_moment_of_decay() -> None:
    pixels = np.stack([np.full((4, 6), n + 1, np.uint16) for n in range(2)])
    ds = made.dataset(1, sop_class=made.ENHANCED_PET, modality="PT", pixels=pixels)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(ds, keyword)
    drug = item(
        RadionuclideTotalDose=3e8, RadionuclideHalfLife=6586.2, RadiopharmaceuticalStartDateTime="20260102090000"
    )
    ds.RadiopharmaceuticalInformationSequence, ds.PatientWeight = [drug], 80.0
    ds.DecayCorrected, ds.AttenuationCorrected, ds.DecayCorrectionDateTime = "YES", "YES", "20260102100000"
    ds.SharedFunctionalGroupsSequence = [groups({}, everywhere=True)]
    ds.PerFrameFunctionalGroupsSequence = [groups({"z": z, "real": "Bq/ml"}) for z in (0, 3)]
    volume = only([made.written(ds)])
    assert (volume.unit, volume.facts["Units"]) == ("Bq/mL", "BQML")
    known = suv.conversion(pet_header.read(volume.facts))
    assert known.factor == pytest.approx(80_000 / (3e8 * 2 ** (-3600 / 6586.2)))
    ds.AttenuationCorrected = "NO"
    with pytest.raises(Refused, match="not corrected for attenuation"):
        suv.conversion(pet_header.read(only([made.written(ds)]).facts))
    ds.DecayCorrected = "NO"
    assert only([made.written(ds)]).facts["DecayCorrection"] == "NONE"


def test_enhanced_without_place_or_with_too_few_groups_refuses() -> None:
    with pytest.raises(NotAVolume, match="frame 2 states no position"):
        volumes([enhanced([{"z": 0}, {}])])
    ds = made.dataset(1, sop_class=made.ENHANCED_MR, modality="MR", pixels=np.zeros((3, 4, 6), np.uint16))
    ds.SharedFunctionalGroupsSequence = [groups({}, everywhere=True)]
    ds.PerFrameFunctionalGroupsSequence = [groups({"z": 0}), groups({"z": 1})]
    with pytest.raises(NotAVolume, match="2 functional groups for 3 frames"):
        volumes([made.written(ds)])


# ---- stepped frames


def test_a_dose_grid() -> None:
    series, read = made.record([(made.SAMPLES / "rtdose.dcm").read_bytes()])
    (volume,) = assemble(series, read)
    assert (volume.quantity, volume.unit) == ("relative dose", "1") and volume.array.shape == (15, 10, 10)
    assert np.isclose(volume.array.max(), 1254000 * float(series.instances[0].facts["DoseGridScaling"]))


def nuclear(**facts: Any) -> list[bytes]:
    pixels = np.stack([np.full((4, 6), n, np.uint16) for n in range(3)])
    detector = item(ImagePositionPatient=[0, 0, 10], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    return [
        made.made(
            1, sop_class="1.2.840.10008.5.1.4.1.1.20", modality="NM", pixels=pixels, ImagePositionPatient=None,
            ImageOrientationPatient=None,
            **{"SpacingBetweenSlices": 4.0, "DetectorInformationSequence": [detector], **facts},
        )
    ]  # fmt: skip


def test_reconstructed_nuclear_slices() -> None:
    volume = only(nuclear())
    assert volume.geometry.spacing_mm[0] == 4.0 and volume.geometry.origin_mm == (0.0, 0.0, 10.0)
    down = only(nuclear(SpacingBetweenSlices=-4.0))
    assert down.geometry.origin_mm == (0.0, 0.0, 2.0) and down.array[:, 0, 0].tolist() == [2.0, 1.0, 0.0]
    with pytest.raises(NotAVolume, match="without a position"):
        volumes(nuclear(DetectorInformationSequence=[]))
    with pytest.raises(NotAVolume, match="Spacing Between Slices"):
        volumes(nuclear(SpacingBetweenSlices=None, SliceThickness=None))


# ---- what is no volume at all


def test_series_without_images_say_so() -> None:
    for modality in ("SEG", "RTSTRUCT", "SR"):
        with pytest.raises(NotAVolume, match="has no image"):
            volumes([made.made(1, modality=modality)])


def test_slices_without_a_place_are_not_ordered_by_slice_location() -> None:
    files = [
        made.made(n, ImagePositionPatient=None, ImageOrientationPatient=None, SliceLocation=str(n)) for n in (1, 2, 3)
    ]
    with pytest.raises(NotAVolume, match="Slice Location is not trusted"):
        volumes(files)


@pytest.mark.parametrize(
    "facts", [{"sop_class": "1.2.840.10008.5.1.4.1.1.7"}, {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}]
)
def test_a_picture_of_the_screen_in_a_series_costs_none_of_its_slices(facts: dict[str, Any]) -> None:
    """The whole series was refused, for the picture has no place in the patient."""
    saved = made.made(9, ImagePositionPatient=None, ImageOrientationPatient=None, **facts)
    stack, picture = volumes([*(made.made(n) for n in (1, 2, 3)), saved])
    assert stack.array.shape == (3, 4, 6) and stack.geometry.reference is Reference.PATIENT
    assert picture.geometry.reference is Reference.PLANE


def test_ct_without_a_rescale_has_hounsfield_units_only_where_it_goes_below_zero() -> None:
    """Stored values of 1000 and more stood for HU: all of the body was denser than bone."""
    bare = {"RescaleSlope": None, "RescaleIntercept": None}
    assert only([made.made(n, **bare) for n in (1, 2)]).unit == "{arbitrary}"
    air = [made.made(n, pixels=np.full((4, 6), -1000, np.int16), **bare) for n in (1, 2)]
    assert only(air).unit == "[hnsf'U]"
    assert only([made.made(n, RescaleIntercept=0) for n in (1, 2)]).unit == "[hnsf'U]"


@pytest.mark.parametrize(("vr", "said"), [("US", 63536), ("SS", -2000)])
@pytest.mark.parametrize("signed", [False, True])
def test_padding_below_zero_is_not_the_brightest_of_unsigned_words(vr: str, said: int, signed: bool) -> None:
    """A ring of -2000 around the field of view came out as 62,512 HU."""
    words = np.full((4, 6), 1060, np.int16)
    words[0] = -2000
    files = []
    for n in range(1, 4):
        ds = made.dataset(n, pixels=words if signed else words.view(np.uint16))
        ds.add_new(0x00280120, vr, said)
        files.append(made.written(ds))
    volume = only(files)
    assert volume.array.dtype == np.int16 and set(volume.array.ravel().tolist()) == {-3024, 36}
    bright = made.dataset(1, pixels=words.view(np.uint16), modality="MR", sop_class=made.MR)
    bright.add_new(0x00280120, vr, said)
    assert only([made.written(bright)]).array.max() == 63536  # an MR may be as bright as its words allow


def padded_ct(value: int, limit: int | None, *, signed: bool, spread: int = 0) -> Any:
    """Water at 36 HU with a spot of -1100 and one of 1976 HU in it, and three lines of padding all around."""
    words = np.full((12, 12), 1060, np.int32)
    words[5, 5], words[6, 6] = -76, 3000
    ring = np.pad(np.zeros((6, 6), bool), 3, constant_values=True)
    words[ring] = value + np.arange(np.count_nonzero(ring)) % (spread + 1)
    files = []
    for n in range(1, 4):
        ds = made.dataset(n, pixels=words.astype(np.int16) if signed else words.astype(np.uint16))
        ds.add_new(0x00280120, "US", value & 0xFFFF)
        if limit is not None:
            ds.add_new(0x00280121, "US", limit & 0xFFFF)
        files.append(made.written(ds))
    return only(files).array[1]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    ("value", "limit", "spread", "padding_hu"),
    [
        (-2000, -1900, 100, -3024),
        (-2000, 1000, 50, -3024),  # a range into air is believed below the lowest that a CT holds
        (-1950, -2000, 0, -2974),  # in the other order
        (4000, 4095, 95, -2048),  # brighter than tissue
        (4095, None, 0, -2048),
    ],
)
def test_a_range_of_padding_is_one_value_below_air(
    value: int, limit: int | None, spread: int, padding_hu: int, signed: bool
) -> None:
    """Padding of several values was tissue or metal, and no field of view."""
    hu = padded_ct(value, limit, signed=signed, spread=spread)
    assert set(hu[:3].ravel().tolist()) == {padding_hu} == set(hu[:, -3:].ravel().tolist())
    assert hu[4, 4] == 36 and hu[6, 6] == 1976 and (not signed or hu[5, 5] == -1100)


def test_a_range_of_padding_within_the_picture_or_over_all_of_it_is_none() -> None:
    plain = made.dataset(1, pixels=np.arange(144, dtype=np.int16).reshape(12, 12) + 1000)
    for value, limit in ((1030, 1040), (0, 4095)):
        ds = made.dataset(1, pixels=np.arange(144, dtype=np.int16).reshape(12, 12) + 1000)
        ds.add_new(0x00280120, "SS", value)
        ds.add_new(0x00280121, "SS", limit)
        assert np.array_equal(only([made.written(ds)]).array, only([made.written(plain)]).array)


def test_a_zero_slope_refuses() -> None:
    with pytest.raises(NotAVolume, match=r"Rescale Slope 0\.0"):
        volumes([made.made(n, RescaleSlope=0) for n in (1, 2)])


def test_colour_in_a_stack_refuses() -> None:
    colour = np.zeros((4, 6, 3), np.uint8)
    with pytest.raises(Refused, match="colour or size"):
        volumes([made.made(n, pixels=colour, ImagePositionPatient=[0, 0, n]) for n in (1, 2)])


# ---- peers, on real data


def load(path: Path) -> tuple[list[Study], dict[str, bytes]]:
    held: dict[str, bytes] = {}
    records = []
    for _, data in scan(path):
        if isinstance(data, bytes):
            try:
                record = read_header(data)
            except IsocenterError:
                continue
            held[record.series[0].instances[0].digest] = data
            records.append(record)
    return merge(records, refused=lambda _: None), held


REAL = [
    made.DATA / "dicom" / "dcm_qa_nih.zip",
    made.DATA / "dicom" / "dcm_qa_enh",
    made.DATA / "dicom" / "highdicom",
    made.DATA / "sarcoma_pet_ct_mr" / "STS_002.zip",
    made.DATA / "sarcoma_pet_ct_mr" / "STS_018.zip",
    made.DATA / "sunnybrook_cine" / "dicoms" / "SCD0000101.zip",
    made.DATA / "sunnybrook_cine" / "dicoms" / "SCD0000201.zip",
]
LIKE_ANOTHER = ("SCD0000101.zip", "STS_002.zip")  # of one scanner with the one beside it: these wait for the night


def real(path: Path) -> Any:
    night = [pytest.mark.nightly] if path.name in LIKE_ANOTHER else []
    return pytest.param(path, marks=[made.needs(path), *night], id=path.name)


VOLUMETRIC = ("CT", "MR", "PT")


def stacks_of(path: Path) -> list[tuple[Any, Volume, dict[str, bytes]]]:
    studies, held = load(path)
    found = []
    for study in studies:
        for series in study.series:
            if series.modality in VOLUMETRIC:
                found += [(series, v, held) for v in assemble(series, held.__getitem__)]
    assert found
    return found


@pytest.mark.data
@pytest.mark.parametrize("path", [real(p) for p in REAL])
def test_affine_and_voxels_are_those_of_dcm2niix(path: Path, tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    dcm2niix = pytest.importorskip("dcm2niix")
    compared = 0
    for n, (series, volume, held) in enumerate(stacks_of(path)):
        inside, out = tmp_path / f"in{n}", tmp_path / f"out{n}"
        inside.mkdir()
        out.mkdir()
        for k, instance in enumerate(series.instances):
            (inside / f"{k:05d}.dcm").write_bytes(held[instance.digest])
        # For Philips the standard's rescale, not its private one.
        scale = ["-p", "n"] if path.name == "dcm_qa_enh" else []
        subprocess.run([dcm2niix.bin, "-z", "n", *scale, "-o", out, inside], check=True, capture_output=True)
        images = [nibabel.load(p) for p in sorted(out.glob("*.nii"))]
        matches = [fit(volume, image) for image in images if image.shape[2::-1] == volume.geometry.shape]
        affine, voxels = min(matches, key=lambda m: m[1])
        assert voxels < 1e-3 * max(1.0, float(np.abs(volume.array).max()))
        if "SCD0000201" in path.name:
            # Here dcm2niix strays from the stated positions of its far slice by 5 micrometres; ours is held to those.
            stated = {i.sop_uid: i.facts["ImagePositionPatient"] for i in series.instances}
            mine = volume.geometry.to_patient([(k, 0, 0) for k in range(volume.geometry.shape[0])])
            assert np.abs(mine - [stated[u] for u in volume.instance_uids[: len(mine)]]).max() < 1e-3
            assert affine < 1e-2
        else:
            assert affine < 1e-3
        compared += 1
    assert compared


def fit(volume: Volume, image: Any) -> tuple[float, float]:
    """Largest difference of affine and of voxels, with the axes of the image turned as they fit best."""
    best = (np.inf, np.inf)
    theirs = np.asanyarray(image.dataobj)
    theirs = np.moveaxis(theirs.reshape(*theirs.shape[:3], -1), -1, 0).transpose(0, 3, 2, 1)
    mine = volume.array.reshape(-1, *volume.geometry.shape)
    if mine.shape != theirs.shape:
        return best
    for flips in itertools.product((False, True), repeat=3):
        affine = image.affine.copy()
        turned = theirs
        for axis, flip in enumerate(flips):
            if flip:
                affine[:3, 3] += affine[:3, axis] * (image.shape[axis] - 1)
                affine[:3, axis] *= -1
                turned = np.flip(turned, 3 - axis)
        off = float(np.abs(affine - volume.geometry.ras_affine()).max())
        if off < best[0]:
            best = off, float(np.abs(mine.astype(np.float64) - turned).max())
    return best


@pytest.mark.data
@pytest.mark.parametrize("path", [real(p) for p in REAL if p.suffix == ".zip"])
def test_affine_and_voxels_are_those_of_simpleitk(path: Path, tmp_path: Path) -> None:
    import SimpleITK as sitk

    for n, (series, volume, held) in enumerate(stacks_of(path)):
        if "MOSAIC" in series.instances[0].facts["ImageType"]:
            continue  # ITK shows the mosaic as one picture
        phase = set(volume.instance_uids[: volume.geometry.shape[0]])
        files = []
        for k, instance in enumerate(series.instances):
            if instance.sop_uid in phase:
                files.append(tmp_path / f"{n}-{k:05d}.dcm")
                files[-1].write_bytes(held[instance.digest])
        order = {u: k for k, u in enumerate(volume.instance_uids)}
        files.sort(key=lambda f: order[read_header(f.read_bytes()).series[0].instances[0].sop_uid])
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames([str(f) for f in files])
        image = reader.Execute()
        affine = np.eye(4)
        affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
        affine[:3, 3] = image.GetOrigin()
        assert np.abs(affine[:, [2, 1, 0, 3]] - volume.geometry.affine).max() < 1e-3
        array = volume.array.reshape(-1, *volume.geometry.shape)[0]
        assert np.abs(sitk.GetArrayFromImage(image) - array.astype(np.float64)).max() < 1e-5 * max(1, array.max())
