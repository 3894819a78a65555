"""Velocities as makers code them, through DICOM of one slice of known flow; codings that contradict their header."""

import random
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from multi_frame import multi_frame
from pydicom import dcmread
from real_series import loaded
from scipy.spatial.transform import Rotation

from isocenter.catalogue.flow_scan import FlowScan, gather
from isocenter.errors import Refused
from isocenter.testing.phantoms import Phantom, flow_mr

VENC = 150.0
SIEMENS, PHILIPS = {"Manufacturer": "SIEMENS"}, {"Manufacturer": "Philips Medical Systems"}
OTHER = {"Manufacturer": "UIH"}


@pytest.fixture(scope="module")
def made() -> Phantom:
    return flow_mr.slice_patient(size=40, mm=3.6, frames=10, venc_cm_s=VENC)


def coded(
    made: Phantom, slope: float, lowest: float, *, most: float = np.pi, named: bool = True, **header: Any
) -> FlowScan:
    """The scan with its phase (12 bits, unsigned) rescaled so; what is beyond `most` is masked to 0.

    Where images are not `named`, no word tells magnitude from phase, and both state direction and VENC.
    """
    files = []
    for file in made.files:
        ds = dcmread(BytesIO(file))
        if "P" in ds.ImageType:
            steps = ds.pixel_array.astype(np.int32)
            masked = np.where(np.abs(steps - 2048) * np.pi / 2048 <= most, steps, 2048)
            ds.PixelData, ds.BitsStored, ds.HighBit = masked.astype(np.uint16).tobytes(), 12, 11
            ds.RescaleSlope, ds.RescaleIntercept = f"{slope:.8g}", f"{lowest:.8g}"
        for keyword, value in header.items():
            setattr(ds, keyword, value)
        if not named:
            ds.ImageType, ds.SequenceName = ["ORIGINAL", "PRIMARY", "OTHER"], f"*fl2d1_v{VENC:.0f}in"
        into = BytesIO()
        ds.save_as(into)
        files.append(into.getvalue())
    return gather(tuple(loaded(tuple(files))[0]))


@pytest.mark.parametrize("most", [np.pi, 2.6], ids=["noise in the air", "masked"])
@pytest.mark.parametrize(
    ("slope", "lowest", "header"),
    [
        (1.0, 0.0, SIEMENS),
        (1.0, -2048.0, SIEMENS),
        (2 * VENC / 4096, -VENC, SIEMENS),
        (2 * np.pi / 4096, -np.pi, SIEMENS),
        (2 * VENC / 4096, -VENC, PHILIPS),
        (2000 * np.pi / 4096, -1000 * np.pi, PHILIPS | {"RescaleType": "normalized"}),
        (2 * VENC / 4096, -VENC, OTHER),
        (2.0, -4096.0, OTHER),
        (20 * VENC / 4096, -10 * VENC, OTHER),
        (VENC / 204800, -VENC / 100, OTHER),
        (VENC / 204800, -VENC / 100, OTHER | {"RescaleType": "m/s"}),
    ],
)
def test_one_flow_in_every_coding(made: Phantom, slope: float, lowest: float, header: Any, most: float) -> None:
    usual = coded(made, 2.0, -4096.0, most=most, **SIEMENS)
    assert float(np.abs(usual.velocity).max()) > 0.7
    found = coded(made, slope, lowest, most=most, **header)
    np.testing.assert_allclose(found.velocity, usual.velocity, atol=1e-4)
    assert not any("WARNING" in said for said in found.remarks)


def test_a_venc_in_the_words_of_the_series_is_taken_and_told(made: Phantom) -> None:
    usual = coded(made, 2.0, -4096.0, **SIEMENS)
    lost = {"SequenceName": "*fl2d1", "SeriesDescription": "Flow_v150_through", **SIEMENS}
    found = coded(made, 2.0, -4096.0, **lost)
    np.testing.assert_allclose(np.abs(found.velocity), np.abs(usual.velocity), atol=1e-4)
    assert any("VENC 150 cm/s stands in the words of the series alone" in said for said in found.remarks)
    assert not any("alone" in said for said in usual.remarks)
    with pytest.raises(Refused, match="state no VENC"):
        coded(made, 2.0, -4096.0, **lost | {"SeriesDescription": "Flow through"})


@pytest.mark.parametrize(
    ("half", "word"), [(np.pi, "rad"), (1000 * np.pi, "milliradials"), (1000 * np.pi, " mrad "), (180.0, "degrees")]
)
@pytest.mark.parametrize("most", [np.pi, 0.9 * np.pi], ids=["noise in the air", "masked"])
def test_phase_in_a_stated_unit_is_read_though_its_coding_has_room_to_spare(
    made: Phantom, half: float, word: str, most: float
) -> None:
    """Scaled over a range that is no turn, as signed words of 16 bits leave it: it was refused where it fills none."""
    usual = coded(made, 2.0, -4096.0, most=most, **SIEMENS)
    files = []
    for file in made.files:
        ds = dcmread(BytesIO(file))
        ds.Manufacturer = "Philips Medical Systems"
        if "P" in ds.ImageType:
            turned = (ds.pixel_array.astype(np.int32) - 2048) * np.pi / 2048
            steps = np.round(np.where(np.abs(turned) <= most, turned, 0.0) * 9000.0).astype(np.int16)
            ds.PixelData, ds.PixelRepresentation, ds.BitsStored, ds.HighBit = steps.tobytes(), 1, 16, 15
            ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = f"{half / np.pi / 9000.0:.8g}", "0", word
        into = BytesIO()
        ds.save_as(into)
        files.append(into.getvalue())
    found = gather(tuple(loaded(tuple(files))[0]))
    np.testing.assert_allclose(found.velocity, usual.velocity, atol=1e-3)
    assert "as the header says" in found.scaling and not any("WARNING" in said for said in found.remarks)


@pytest.mark.parametrize(
    ("slope", "lowest", "why"),
    [(2 * VENC / 4096, -VENC, "ends at VENC, 150 cm/s"), (2000 * np.pi / 4096, -1000 * np.pi, "half a turn is 180")],
)
def test_phase_that_its_coding_contradicts_is_refused(made: Phantom, slope: float, lowest: float, why: str) -> None:
    with pytest.raises(Refused, match=f"{why}.*the unit is wrong"):
        coded(made, slope, lowest, RescaleType="degrees", **PHILIPS)


@pytest.mark.parametrize("tenth", [10.0, 100.0])
def test_a_unit_that_the_coding_contradicts_is_refused(made: Phantom, tenth: float) -> None:
    with pytest.raises(Refused, match="unit or VENC is wrong"):
        coded(made, 2 * VENC / 4096 / tenth, -VENC / tenth, RescaleType="cm/s")


def test_2048_steps_are_a_turn_from_siemens_alone(made: Phantom) -> None:
    """Of others they may be room for velocities in mm/s."""
    with pytest.raises(Refused, match="their scale is not known"):
        coded(made, 1.0, -2048.0, **OTHER)


def test_steps_of_siemens_that_no_coding_explains_are_refused(made: Phantom) -> None:
    """They were taken as 4096 a VENC whatever they were."""
    with pytest.raises(Refused, match="their scale is not known"):
        coded(made, 0.3, -614.4, **SIEMENS)


def test_velocities_that_are_0_everywhere_are_refused(made: Phantom) -> None:
    with pytest.raises(Refused, match="0 everywhere: not even noise"):
        coded(made, 2.0, -4096.0, most=-1.0, **SIEMENS)


def test_velocities_that_stay_far_below_venc_are_warned_of(made: Phantom) -> None:
    slow = coded(made, 0.01, -20.48, RescaleType="cm/s")
    assert any("WARNING: nothing is faster than 20.5 cm/s, with a VENC of 150" in said for said in slow.remarks)


@pytest.mark.parametrize(("slope", "lowest"), [(2.0, -4096.0), (1.0, 0.0)])
def test_magnitudes_that_state_a_velocity_and_no_kind_are_no_component(
    made: Phantom, slope: float, lowest: float
) -> None:
    found = coded(made, slope, lowest, named=False, **SIEMENS)
    usual = coded(made, 2.0, -4096.0, **SIEMENS)
    np.testing.assert_allclose(found.velocity, usual.velocity, atol=1e-4)
    assert found.magnitude is not None and usual.magnitude is not None
    np.testing.assert_array_equal(found.magnitude, usual.magnitude)


def test_a_velocity_that_only_an_old_header_named_is_read_from_a_converted_object(made: Phantom) -> None:
    """Siemens names VENC in Sequence Name, which an object made of classic images keeps among what it converted."""
    converted = multi_frame(made.files, random.Random(7))
    assert converted is not None
    before, after = (gather(tuple(loaded(files)[0])) for files in (made.files, converted))
    assert after.venc_m_s == before.venc_m_s
    np.testing.assert_array_equal(after.velocity, before.velocity)


def test_magnitudes_of_an_enhanced_velocity_scan_are_known_by_their_component() -> None:
    """Image Type and Frame Type call the whole scan VELOCITY, its magnitudes too: they were taken for phase images."""
    files = []
    for file in flow_mr.patient(shape=(8, 20, 18), frames=4).files:
        ds = dcmread(BytesIO(file))
        (kind,) = ds.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence
        ds.ImageType = kind.FrameType = ["ORIGINAL", "PRIMARY", "VELOCITY", "NONE"]
        into = BytesIO()
        ds.save_as(into)
        files.append(into.getvalue())
    found = gather(tuple(loaded(files)[0]))
    assert len(found.velocity) == 3 and found.magnitude is not None


def test_three_directions_in_one_series_each_scaled_to_a_venc_of_its_own() -> None:
    """The coding of each tells its scale where no unit does; it was asked of all together, and there is none."""
    classic, vencs = flow_mr.patient(kind="siemens", shape=(8, 20, 18), frames=4, venc_cm_s=VENC).files, {}
    usual = gather(tuple(loaded(classic)[0]))
    files = []
    for n, file in enumerate(classic):
        ds = dcmread(BytesIO(file))
        if "P" in ds.ImageType:
            towards = {"rl": (1, 0, 0), "ap": (0, 1, 0), "fh": (0, 0, 1)}[ds.SequenceName[-2:]]
            venc = vencs[towards] = VENC * (1.0 + 0.5 * towards[1] - 0.4 * towards[2])
            ds.SeriesInstanceUID, ds.SeriesNumber, ds.InstanceNumber = "2.25.31", 31, n + 1
            ds.SequenceName, ds.Manufacturer = "", "ACME"
            ds.VelocityEncodingDirection = [float(v) for v in towards]
            ds.VelocityEncodingMaximumValue = venc
            ds.BitsStored, ds.HighBit = 12, 11
            ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = f"{venc / 2048:.8g}", f"{-venc:.8g}", "US"
        into = BytesIO()
        ds.save_as(into)
        files.append(into.getvalue())
    found = gather(tuple(loaded(files)[0]))
    assert len(vencs) == len(found.velocity) == 3 and found.scaling.count("coded from -VENC to VENC") == 3
    for way, speeds in zip(found.towards, found.velocity, strict=True):
        same = int(np.argmax(usual.towards @ way))
        venc = vencs[tuple(round(float(v)) for v in way)]
        np.testing.assert_allclose(speeds, usual.velocity[same] * venc / VENC, atol=1e-5)


@pytest.mark.parametrize("named", ["in", "fh"])
def test_directions_beside_one_through_oblique_slices_lie_along_their_axes(named: str) -> None:
    """Named after the patient's nearest axes they do not stand square to it, and 7.6 % of a flow was lost."""
    about = np.array(Rotation.from_euler("zyx", [25, 15, 10], degrees=True).as_matrix())
    files = []
    for file in flow_mr.patient(kind="siemens", shape=(8, 20, 18), frames=4, venc_cm_s=VENC).files:
        ds = dcmread(BytesIO(file))
        row, column = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
        ds.ImageOrientationPatient = [float(v) for v in (*(about @ row), *(about @ column))]
        ds.ImagePositionPatient = [float(v) for v in about @ np.array(ds.ImagePositionPatient, float)]
        normal = np.cross(row, column)
        if "P" in ds.ImageType and ds.SequenceName[-2:] == {0: "rl", 1: "ap", 2: "fh"}[int(np.abs(normal).argmax())]:
            ds.SequenceName = f"{ds.SequenceName[:-2]}{named if named == 'in' else ds.SequenceName[-2:]}"
        into = BytesIO()
        ds.save_as(into)
        files.append(into.getvalue())
    found = gather(tuple(loaded(files)[0]))
    told = [said for said in found.remarks if "through oblique slices" in said]
    if named == "in":
        np.testing.assert_allclose(np.abs(found.towards @ found.directions).max(axis=1), 1.0, atol=1e-4)
        assert len(told) == 1
    else:  # three axes of the patient are square as they stand
        np.testing.assert_allclose(np.abs(found.towards).max(axis=1), 1.0)
        assert not told
