"""Flow along a beating vessel of known truth, as makers write it; and each scan that carries no flow refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from other_grids import must_refuse
from real_series import loaded
from typer.testing import CliRunner

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.flow4d import Flow4D
from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.record import Outcome, codes
from isocenter.space import Axis, Region, Volume
from isocenter.testing.phantoms import Phantom, flow_mr

SMALL: dict[str, Any] = {"shape": (12, 38, 34)}


def parts_of(made: Phantom) -> tuple[Volume, ...]:
    return tuple(loaded(made.files)[0])


def said(answer: Answer, what: codes.Code, words: str = "") -> float:
    return next(m.value for m in answer.measurements if m.what == what and words in m.definition)


def run(parts: tuple[Volume, ...], drawn: tuple[Region, ...] | None = None, **more: Any) -> Answer:
    return Flow4D().run(parts, None, drawn, **more)


@pytest.fixture(scope="module")
def made() -> Phantom:
    return flow_mr.patient(**SMALL)


@pytest.fixture(scope="module")
def parts(made: Phantom) -> tuple[Volume, ...]:
    return parts_of(made)


@pytest.fixture(scope="module")
def sliced() -> Phantom:
    return flow_mr.slice_patient(frames=20)


@pytest.fixture(scope="module")
def plane(sliced: Phantom) -> tuple[Volume, ...]:
    return parts_of(sliced)


def test_flow_energy_and_stress_of_a_cane(made: Phantom, parts: tuple[Volume, ...]) -> None:
    answer = run(parts)
    truth = made.truth
    assert said(answer, codes.NET_FLOW) == pytest.approx(truth["net_ml"], rel=0.015)
    assert said(answer, codes.FORWARD_FLOW) == pytest.approx(truth["forward_ml"], rel=0.015)
    assert said(answer, codes.REGURGITANT_FRACTION) == pytest.approx(20.0, abs=0.7)
    assert said(answer, codes.FLOW_SPREAD) < 2.0
    assert said(answer, codes.PEAK_VELOCITY, "99th") == pytest.approx(truth["peak_m_s"], rel=0.05)
    assert said(answer, codes.PEAK_GRADIENT) == pytest.approx(4 * said(answer, codes.PEAK_VELOCITY, "99th") ** 2)
    assert said(answer, codes.KINETIC_ENERGY, "highest of") == pytest.approx(truth["kinetic_peak_mj"], rel=0.04)
    assert said(answer, codes.WALL_SHEAR, "mean of") == pytest.approx(truth["wall_shear_pa"], rel=0.08)
    assert said(answer, codes.BACKGROUND_VELOCITY, "before") > 2 * said(answer, codes.BACKGROUND_VELOCITY, "after")
    assert any("were unwrapped" in r for r in answer.reasons)  # 1.3 m/s with a VENC of 1
    assert not any("WARNING" in r for r in answer.reasons)
    (finding,) = answer.findings
    assert finding.where is not None and 0.8 < finding.where.voxels * 2.5**3 / 1000 / truth["blood_ml"] < 1.05
    assert answer.maps is not None and set(answer.maps) == {"Speed", "Vorticity", "Pressure", "Wall shear stress"}
    assert len(answer.curves[0].y) == 3 and len(answer.curves[0].x) == 20


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["siemens", "ge"])
def test_classic_images_say_the_same_flow(kind: str) -> None:
    made = flow_mr.patient(kind=kind, shape=(7, 22, 21), mm=4.2, radius_mm=11.0)
    answer = run(parts_of(made))
    assert said(answer, codes.NET_FLOW) == pytest.approx(made.truth["net_ml"], rel=0.04)
    assert any("coarser than the 3 mm" in r for r in answer.reasons)


def test_velocities_in_units_of_makers(made: Phantom, parts: tuple[Volume, ...]) -> None:
    scaled = {
        "GE": ({"Manufacturer": "GE MEDICAL SYSTEMS", "GEVelocityEncoding": 1000, "GEVelocityFlags": 0}, 1000 / 4096),
        "Philips": ({"Manufacturer": "Philips Medical Systems", "CodedRange": None}, 100 / 4096),
        "cm/s": ({"RescaleType": "cm/s"}, 100 / 4096),
        "Siemens": ({"Manufacturer": "SIEMENS"}, 1.0),
    }
    for words, (facts, factor) in scaled.items():
        phases = tuple(replace(v, array=v.array * np.float32(factor)) for v in without(parts[1:], **facts))
        answer = run((parts[0], *phases), background_order=1)
        assert any(words in r for r in answer.reasons)
        assert said(answer, codes.NET_FLOW) == pytest.approx(made.truth["net_ml"], rel=0.03)


def test_slow_flow_is_scaled_by_its_coding() -> None:
    """Nothing comes near VENC and no air is there: the coding says what a value is."""
    slow = flow_mr.patient(**{**SMALL, "venc_cm_s": 300.0, "snr": 60.0})
    magnitude, *phases = parts_of(slow)
    body = magnitude.array > 0.3 * np.median(magnitude.array[magnitude.array > magnitude.array.mean()])
    makers = {
        "Philips": ({"Manufacturer": "Philips Medical Systems", "CodedRange": [-300.0, 300.0]}, 300 / 4096, 0.0),
        "2048 steps": ({"Manufacturer": "SIEMENS", "CodedRange": [0.0, 4095.0]}, 0.5, 2048.0),
    }
    for words, (facts, factor, offset) in makers.items():
        scaled = [
            replace(v, array=np.where(body, v.array, 0) * np.float32(factor) + np.float32(offset))
            for v in without(tuple(phases), **facts)
        ]
        answer = run((magnitude, *scaled), background_order=1)
        assert any(words in r for r in answer.reasons)
        assert said(answer, codes.NET_FLOW) == pytest.approx(slow.truth["net_ml"], rel=0.03)


def test_a_drawn_vessel_is_measured(made: Phantom, parts: tuple[Volume, ...]) -> None:
    _, blood = flow_mr.cane(SMALL["shape"], 2.5, 10.0, fine=2)
    answer = run(parts, (Region(parts[0].geometry, mask=blood > 0.5, label="aorta"),))
    assert said(answer, codes.NET_FLOW) == pytest.approx(made.truth["net_ml"], rel=0.015)
    assert not any("found by the program" in r for r in answer.reasons)
    must_refuse(lambda region: run(parts, (region,)), Region(parts[0].geometry, mask=blood > 0.5, label="aorta"))
    empty = (Region(parts[0].geometry, mask=np.zeros_like(blood, bool), label="aorta"),)
    with pytest.raises(Refused, match="hold no voxel"):
        run(parts, empty)


def test_frames_coarser_than_the_consensus_are_warned_of(parts: tuple[Volume, ...]) -> None:
    slow = tuple(replace(v, axes=(Axis("trigger", tuple(50.0 * n for n in range(20)), "ms"),)) for v in parts)
    assert any("WARNING: a frame every 50 ms" in r for r in run(slow).reasons)


def test_directions_that_lose_mass_are_refused_and_can_be_taken_as_they_fit(made: Phantom) -> None:
    wrong = parts_of(flow_mr.patient(**SMALL, swapped=True, mirrored=True))
    with pytest.raises(Refused, match="directions of velocity that lose mass"):
        run(wrong)
    answer = run(wrong, arrangement="conserve mass")
    assert said(answer, codes.NET_FLOW) == pytest.approx(made.truth["net_ml"], rel=0.015)


def without(parts: tuple[Volume, ...], **facts: Any) -> tuple[Volume, ...]:
    return tuple(replace(v, facts={k: w for k, w in {**v.facts, **facts}.items() if w is not None}) for v in parts)


def few(parts: tuple[Volume, ...]) -> tuple[Volume, ...]:
    return tuple(
        replace(v, array=v.array[::2], axes=(Axis("trigger", v.axes[0].values[::2], "ms"),), instance_uids=())
        for v in parts
    )


def thin(parts: tuple[Volume, ...]) -> tuple[Volume, ...]:
    masked = tuple(replace(v, array=np.where(np.abs(v.array) < 3000, v.array, 0) * 0.3) for v in parts)
    return without(masked, CodedRange=None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: without(p, VelocityEncoding=None), "phase images that state no VENC"),
        (lambda p: p[:1], "no phase images of flow"),
        (lambda p: p[1:], "no magnitude images"),
        (lambda p: p[:3], "2 directions of velocity"),
        (few, "10 frames over the beat"),
        (thin, "their scale is not known"),
        (lambda p: without(p, RescaleType="m/s"), "with a VENC of 100"),
        (lambda p: without(p, Manufacturer="GE", GEVelocityEncoding=1000, GEVelocityFlags=2), "multiplied by the mag"),
        (
            lambda p: tuple(replace(v, axes=(Axis("time", tuple(range(20)), ""),)) for v in p),
            "frames without a time in the beat",
        ),
        (
            lambda p: tuple(replace(v, axes=(Axis("trigger", (*v.axes[0].values[:-1], 2000.0), "ms"),)) for v in p),
            "frames are missing from the beat",
        ),
    ],
)
def test_scans_that_carry_no_flow_are_refused_in_words(
    parts: tuple[Volume, ...], change: Callable[[tuple[Volume, ...]], tuple[Volume, ...]], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        run(change(parts))


def test_a_narrow_vessel_has_flow_and_no_stress() -> None:
    answer = run(parts_of(flow_mr.patient(shape=(8, 26, 24), mm=3.6, radius_mm=8.0)))
    assert answer.outcome is Outcome.FOUND
    assert any("no wall shear stress" in r and "voxels across the lumen" in r for r in answer.reasons)
    assert all(m.what != codes.WALL_SHEAR for m in answer.measurements)


def test_still_tissue_has_no_flow_and_beats_of_many_lengths_are_told(parts: tuple[Volume, ...]) -> None:
    still = flow_mr.patient(**SMALL, peak_m_s=1e-6)
    with pytest.raises(Refused, match="no vessel in which blood moves"):
        run(parts_of(still))
    irregular = without(parts, LowRRValue=600, HighRRValue=1100)
    assert any("beats from 600 to 1100 ms" in r for r in run(irregular).reasons)


def test_one_slice_through_a_leaking_valve(sliced: Phantom, plane: tuple[Volume, ...]) -> None:
    answer = run(plane)
    assert said(answer, codes.REGURGITANT_FRACTION) == pytest.approx(30.0, abs=1.0)
    assert said(answer, codes.NET_FLOW) == pytest.approx(sliced.truth["net_ml"], rel=0.02)
    aslant = flow_mr.slice_patient(frames=20, slope_deg=25.0)
    assert said(run(parts_of(aslant)), codes.NET_FLOW) == pytest.approx(aslant.truth["net_ml"], rel=0.02)
    in_plane = (plane[0], *without(plane[1:], VelocityEncoding=[1.0, 0.0, 0.0, 150.0]))
    with pytest.raises(Refused, match="90° off the normal"):
        run(in_plane)


@pytest.mark.parametrize(
    ("facts", "beat"),
    [
        ({"NominalInterval": 1.1}, 1.1),
        ({"NominalInterval": None, "HeartRate": 1.25}, 1.25),
        ({"NominalInterval": 0.5, "HeartRate": None}, 1.0),  # shorter than the frames cover: no beat of this scan
        ({"NominalInterval": None, "HeartRate": None}, 1.0),
    ],
)
def test_flow_in_a_minute_is_by_the_beat_and_not_by_what_the_frames_cover(
    plane: tuple[Volume, ...], facts: dict[str, Any], beat: float
) -> None:
    silent = run(without(plane, NominalInterval=None, HeartRate=None))
    covered = 0.06 * said(silent, codes.NET_FLOW) / said(silent, codes.NET_FLOW_RATE)
    ms = 1000.0 * covered
    told = {k: v and (ms * v if k == "NominalInterval" else 60_000.0 / (ms * v)) for k, v in facts.items()}
    answer = run(without(plane, **told))
    minute = said(answer, codes.NET_FLOW) * 0.06 / (covered * beat)
    assert said(answer, codes.NET_FLOW_RATE) == pytest.approx(minute, rel=1e-6)


def test_magnitude_and_phase_in_one_series(sliced: Phantom) -> None:
    from io import BytesIO

    from pydicom import dcmread

    files = []
    for n, data in enumerate(sliced.files):
        ds = dcmread(BytesIO(data))
        ds.SeriesInstanceUID, ds.SeriesNumber, ds.InstanceNumber = "2.25.77", 3, n + 1
        held = BytesIO()
        ds.save_as(held)
        files.append(held.getvalue())
    together = tuple(loaded(files[::2] + files[1::2])[0])
    assert len(together) == 2
    answer = run(together)
    assert said(answer, codes.NET_FLOW) == pytest.approx(sliced.truth["net_ml"], rel=0.02)
    assert any("Maxwell" in r for r in answer.reasons)


def circle(plane: tuple[Volume, ...], y: float, x: float, radius: float, label: str) -> Region:
    _, rows, columns = plane[0].geometry.shape
    mask = np.hypot(np.arange(rows)[:, None] - y, np.arange(columns)[None] - x) < radius
    return Region(plane[0].geometry, mask=mask[None], label=label)


def test_drawn_vessels_of_a_slice_their_ratio_and_what_keeps_still(sliced: Phantom, plane: tuple[Volume, ...]) -> None:
    (y, x), radius = sliced.truth["centre_px"], sliced.truth["radius_px"]
    aorta = circle(plane, y, x, radius + 1, "Aorta asc")
    lungs = replace(aorta, label="pulmonary trunk")
    answer = run(plane, (aorta, lungs))
    assert said(answer, codes.FLOW_RATIO) == pytest.approx(1.0)
    assert answer.findings[0].words.startswith("Flow through Aorta asc: net")
    must_refuse(lambda region: run(plane, (region,)), aorta)
    tissue = run(plane, (circle(plane, 67.5, 67.5, 5.0, "vein"),))
    assert any("hardly changes over the beat" in r for r in tissue.reasons)
    with pytest.raises(Refused, match="mostly edge"):
        run(plane, (circle(plane, y, x, 2.0, "aorta"),))


@pytest.mark.parametrize(
    ("labels", "of"),
    [
        (
            ("ascending aorta", "descending aorta", "pulmonary trunk", "left pulmonary artery"),
            ("pulmonary trunk", "asc"),
        ),
        (("aorta", "MPA", "pulmonary vein"), ("MPA", "aorta")),
        (("aorta", "right pulmonary artery"), None),
        (("aorta", "pulmonary vein"), None),
        (("descending aorta", "pulmonary trunk"), None),
        (("aorta 1", "aorta 2", "pulmonary trunk"), None),
        (("AAo", "DAo", "MPA", "LPA", "RPA"), ("MPA", "AAo")),
        (("Ao", "LPA", "LPA distal", "RPA"), None),
        (("Ao", "left pulmonary artery", "right pulmonary vein"), None),
        (("Ao", "PA 1", "LPA", "RPA"), ("PA 1", "Ao")),
    ],
)
def test_the_ratio_is_of_vessels_that_carry_all_of_the_flow(
    labels: tuple[str, ...], of: tuple[str, str] | None, sliced: Phantom, plane: tuple[Volume, ...]
) -> None:
    (y, x), radius = sliced.truth["centre_px"], sliced.truth["radius_px"]
    one = circle(plane, y, x, radius + 1, "")
    answer = run(plane, tuple(replace(one, label=label) for label in labels))
    told = [m.definition for m in answer.measurements if m.what == codes.FLOW_RATIO]
    refused = [r for r in answer.reasons if r.startswith("no ratio of pulmonary to systemic flow")]
    assert (len(told), len(refused)) == ((0, 1) if of is None else (1, 0))
    assert of is None or all(word in told[0] for word in of)


@pytest.mark.parametrize(
    "labels", [("LPA", "RPA"), ("right pulmonary artery", "left pulmonary artery", "left pulmonary vein")]
)
def test_both_branches_carry_what_a_trunk_does_that_is_not_drawn(
    labels: tuple[str, ...], sliced: Phantom, plane: tuple[Volume, ...]
) -> None:
    (y, x), radius = sliced.truth["centre_px"], sliced.truth["radius_px"]
    one = circle(plane, y, x, radius + 1, "Aorta asc")
    answer = run(plane, (one, *(replace(one, label=label) for label in labels)))
    assert said(answer, codes.FLOW_RATIO, f"'{labels[0]}' and '{labels[1]}' over 'Aorta asc'") == pytest.approx(2.0)
    assert f"pulmonary flow is that of '{labels[0]}' and '{labels[1]}' added, as no pulmonary trunk is drawn" in (
        answer.reasons
    )


def test_a_vessel_that_was_outlined_frame_by_frame_moves(sliced: Phantom, plane: tuple[Volume, ...]) -> None:
    (y, x), radius = sliced.truth["centre_px"], sliced.truth["radius_px"]
    still = circle(plane, y, x, radius + 1, "aorta")
    frames = len(plane[0].axes[0])
    each = tuple(replace(still, label=f"aorta phase {n + 1}") for n in range(frames))
    elsewhere = circle(plane, 20.0, 20.0, radius + 1, "aorta phase 1")
    (moved,), (whole,) = (run(plane, drawn, background_order=0).curves for drawn in ((elsewhere, *each[1:]), (still,)))
    assert moved.y["aorta"][1:] == pytest.approx(whole.y["aorta"][1:])
    assert abs(moved.y["aorta"][0]) < 0.5 * abs(whole.y["aorta"][0])
    small = circle(plane, y, x + 3, radius - 3, "aorta")
    assert any("that it leaves out" in r for r in run(plane, (small,), background_order=0).reasons)
    assert not any("that it leaves out" in r for r in run(plane, (still,), background_order=0).reasons)
    with pytest.raises(Refused, match=rf"'aorta' outlined in 2 of {frames} frames"):
        run(plane, each[:2], background_order=0)


def test_from_dicom_to_json(tmp_path: Path, sliced: Phantom) -> None:
    for n, data in enumerate(sliced.files):
        (tmp_path / f"{n}.dcm").write_bytes(data)
    done = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "flow4d", "--json"])
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)
    assert result["answer"] == "found"
    back = next(m for m in result["measurements"] if m["what"]["code"] == "399301000")
    assert back["unit"] == "%" and back["value"] == pytest.approx(30.0, abs=1.0)
