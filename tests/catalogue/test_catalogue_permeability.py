"""Permeability of a phantom whose curves come from differential equations, and each series that is refused."""

import io
import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from enhanced_mr import enhanced
from other_grids import must_refuse
from real_series import loaded
from typer.testing import CliRunner

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.permeability import Permeability
from isocenter.catalogue.plasma_curve import arrival
from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.methods.population_input import parker
from isocenter.record import Code, Outcome, codes
from isocenter.space import Region, Volume
from isocenter.testing.encodings import ENCODINGS
from isocenter.testing.phantoms import dce_mr


@pytest.fixture(scope="module")
def scan() -> tuple[Volume, Volume]:
    volumes = loaded(dce_mr.patient().files)[0]
    dynamic = next(v for v in volumes if v.axes[0].name == "time")
    return dynamic, next(v for v in volumes if v.axes[0].name == "flip")


@pytest.fixture(scope="module")
def drawn(scan: tuple[Volume, Volume]) -> tuple[Region, ...]:
    masks = dce_mr.signals()[2]
    return tuple(Region(scan[0].geometry, mask=masks[n], label=n) for n in ("artery", "tumour", "muscle"))


def of(answer: Answer, label: str, what: Code) -> float:
    return next(m.value for m in answer.measurements if m.what == what and m.definition.startswith(label))


def test_planted_permeability_is_measured(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    answer = Permeability().run(scan[0], (scan[1],), drawn)
    for label, (ktrans, ve, vp, _) in dce_mr.TISSUES.items():
        assert of(answer, label, codes.KTRANS) == pytest.approx(ktrans, rel=0.04)
        assert of(answer, label, codes.VE) == pytest.approx(ve, rel=0.04)
        assert of(answer, label, codes.VP) == pytest.approx(vp, abs=0.006)
    assert answer.maps is not None and set(answer.maps) == {"Ktrans", "ve", "vp"}
    assert [f.where.label for f in answer.findings if f.where] == ["tumour", "muscle"]
    assert set(answer.curves[0].y) == {"plasma", "tumour", "muscle"}


def test_times_that_were_lost(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    """A gap in the arrival moves Ktrans and vp, and one elsewhere hardly."""
    dynamic, angles = scan
    every = np.arange(80)
    arrives = int(arrival(np.asarray(dynamic.array, np.float64)))

    def without(*gone: int, regions: tuple[Region, ...] = drawn) -> Answer:
        kept = np.setdiff1d(every, gone)
        times = replace(dynamic.axes[0], values=tuple(dynamic.axes[0].values[n] for n in kept))
        return Permeability().run(
            replace(dynamic, array=dynamic.array[kept], axes=(times,), instance_uids=()), (angles,), regions
        )

    for gone in ((2,), (40,), (50, 51), (30, 60)):
        answer = without(*gone)
        assert any(r.startswith("no whole image between") for r in answer.reasons)
        for label, (ktrans, _, vp, _) in dce_mr.TISSUES.items():
            assert of(answer, label, codes.KTRANS) == pytest.approx(ktrans, rel=0.05)
            assert of(answer, label, codes.VP) == pytest.approx(vp, abs=0.006)
    answer = without(arrives + 2)
    assert any("while the agent arrives: Ktrans may be off by a fifth, vp by a fifth" in r for r in answer.reasons)
    for label, (ktrans, *_) in dce_mr.TISSUES.items():
        assert of(answer, label, codes.KTRANS) == pytest.approx(ktrans, rel=0.25)
    with pytest.raises(Refused, match="while the agent arrives: the first 20 s tell blood from tissue"):
        without(arrives + 2, arrives + 3)
    with pytest.raises(Refused, match="while the agent arrives"):
        without(arrives + 2, regions=drawn[1:])


def test_philips_scales_each_series_and_each_image_of_its_own(
    scan: tuple[Volume, Volume], drawn: tuple[Region, ...]
) -> None:
    dynamic, angles = scan
    rescale, scale = [1.1, 2.3, 3.7], [0.9, 0.45, 0.3]
    by = np.array(rescale) * scale
    told = {**angles.facts, "Manufacturer": "Philips Medical Systems"}
    array = angles.array * by[:, None, None, None].astype(np.float32)
    together = {"PerPhase": {"RescaleSlope": rescale, "PhilipsScaleSlope": [[v] for v in scale]}}
    one = replace(angles, array=array, facts={**told, **together})

    def each(**more: list[list[float]]) -> tuple[Volume, ...]:
        return tuple(
            replace(
                angles.at("flip", n), array=array[n],
                facts={**told, "FlipAngle": flip, "RescaleSlope": rescale[n], **{k: v[n] for k, v in more.items()}},
            )
            for n, flip in enumerate(angles.axes[0].values)
        )  # fmt: skip

    wanted = [m.value for m in Permeability().run(dynamic, (angles,), drawn).measurements]
    for given in ((one,), each(PhilipsScaleSlope=[[v] for v in scale])):
        found = [m.value for m in Permeability().run(dynamic, given, drawn).measurements]
        assert found == pytest.approx(wanted, rel=1e-3)
    with pytest.raises(Refused, match=r"series scaled by 1\.1, 2\.3, 3\.7 of which 0 of 3 state their scale"):
        Permeability().run(dynamic, each(), drawn)
    alike = [replace(v, facts={**v.facts, "RescaleSlope": 1.0}) for v in each()]
    alike[1] = replace(alike[1], facts={**alike[1].facts, "PhilipsScaleSlope": [0.45]})
    with pytest.raises(Refused, match="series scaled by 1 of which 1 of 3 state their scale"):  # it alone was scaled
        Permeability().run(dynamic, tuple(alike), drawn)
    bare = replace(one, facts={**told, "PerPhase": {"RescaleSlope": rescale}})
    with pytest.raises(Refused, match="scaled apart and do not state their scale"):
        Permeability().run(dynamic, (bare,), drawn)


def test_slices_that_were_measured_one_after_another_are_told(
    scan: tuple[Volume, Volume], drawn: tuple[Region, ...]
) -> None:
    times = np.array(scan[0].axes[0].values)[:, None] + np.array([0.0, 2.4])
    late = replace(scan[0], facts={**scan[0].facts, "SliceTimes": times.tolist()})
    assert any(
        "up to 2.4 s apart, which is not corrected" in r for r in Permeability().run(late, (scan[1],), drawn).reasons
    )


def test_enhanced_objects_measure_the_same(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    files = dce_mr.patient().files
    volumes = loaded(enhanced(files))[0]
    assert {v.axes[0].name for v in volumes} == {"time", "flip"}
    angles, dynamic = sorted(volumes, key=lambda v: v.axes[0].name)
    again = Permeability().run(dynamic, (angles,), drawn)
    assert again.measurements == Permeability().run(scan[0], (scan[1],), drawn).measurements
    with pytest.raises(Refused, match="Scanning Sequence SE"):
        spin = next(v for v in loaded(enhanced(files, pulse="SPIN"))[0] if v.axes[0].name == "time")
        Permeability().run(spin, (angles,), drawn)


@pytest.mark.parametrize(
    ("header", "words"),
    [({"Spoiling": "NONE"}, "Spoiling NONE"),
     ({"Spoiling": "GRADIENT", "SteadyStatePulseSequence": "TRANSVERSE"}, "Pulse Sequence TRANSVERSE"),
     pytest.param({"Spoiling": "", "SteadyStatePulseSequence": "FREE_PRECESSION"}, "Pulse Sequence FREE_PRECESSION",
                  marks=pytest.mark.nightly)],
)  # fmt: skip
def test_enhanced_echoes_that_are_not_spoiled(drawn: tuple[Region, ...], header: dict[str, str], words: str) -> None:
    volumes = loaded(enhanced(dce_mr.patient(angles=False).files, **header))[0]
    with pytest.raises(Refused, match=words):
        Permeability().run(volumes[0], None, drawn, t1_ms=1200.0)


@pytest.mark.parametrize("keyword", ["InversionRecovery", "SaturationRecovery"])
def test_enhanced_echoes_of_prepared_magnetisation(drawn: tuple[Region, ...], keyword: str) -> None:
    ds = pydicom.dcmread(io.BytesIO(enhanced(dce_mr.patient(angles=False).files)[0]))
    modifier = pydicom.Dataset()
    modifier.InversionRecovery = modifier.SaturationRecovery = "NO"
    for said in ("NO", "YES"):
        setattr(modifier, keyword, said)
        ds.SharedFunctionalGroupsSequence[0].MRModifierSequence = [modifier]
        out = io.BytesIO()
        ds.save_as(out)
        (volume,) = loaded([out.getvalue()])[0]
        if said == "NO":
            assert Permeability().run(volume, None, drawn, model="patlak", t1_ms=1200.0).findings
    with pytest.raises(Refused, match=r"Recovery YES: .*to which magnetisation is on its way"):
        Permeability().run(volume, None, drawn, t1_ms=1200.0)


def test_flip_angles_that_were_measured_several_times(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    """As of GE's multi-phase scans: several times at each flip angle, in one series or in one for each angle."""
    dynamic, angles = scan
    wanted = [m.value for m in Permeability().run(dynamic, (angles,), drawn).measurements]
    noise = np.array([-1.0, 0.0, 1.0], np.float32)[:, None, None, None, None]
    time, many = replace(dynamic.axes[0], values=(0.0, 4.0, 8.0)), angles.array[None] + noise
    one = replace(angles, array=many, axes=(time, *angles.axes), instance_uids=())
    each = tuple(
        replace(angles.at("flip", n), array=many[:, n], axes=(time,), instance_uids=(),
                facts={**angles.facts, "FlipAngle": flip, "Manufacturer": "Philips", "RescaleSlope": 1.0,
                       "PhilipsScaleSlope": [1.0], "PerPhase": {"ContentTime": ["1", "2", "3"]}})
        for n, flip in enumerate(angles.axes[0].values)
    )  # fmt: skip
    for given in ((one,), each, (dynamic, *each)):
        answer = Permeability().run(dynamic, given, drawn)
        assert any("T1 from 3 flip angles" in r for r in answer.reasons)
        assert [m.value for m in answer.measurements] == pytest.approx(wanted)
    begun = {"AcquisitionDate": "20260304", "AcquisitionTime": "120000"}
    dynamic = replace(dynamic, facts={**dynamic.facts, **begun})
    begun["AcquisitionTime"] = "115955"  # the last of its times is measured after the first frame
    late = tuple(replace(v, facts={**v.facts, **begun}) for v in each)
    with pytest.raises(Refused, match="3 of the series at flip angles began after the first frame"):
        Permeability().run(dynamic, late, drawn)


def test_flip_angles_that_do_not_tell_t1(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    dynamic, angles = scan
    balanced = replace(angles, facts={**angles.facts, "SequenceVariant": "SS"}, array=angles.array * 2)
    with pytest.raises(Refused, match="1 of the series at flip angles are no spoiled gradient echoes"):
        Permeability().run(dynamic, (balanced,), drawn)
    wanted = Permeability().run(dynamic, (angles,), drawn)
    assert Permeability().run(dynamic, (balanced, angles), drawn).measurements == wanted.measurements
    apart = replace(angles, facts={k: v for k, v in angles.facts.items() if k != "RepetitionTime"})
    with pytest.raises(Refused, match="no RepetitionTime of the images at flip angles: none states it, or it differs"):
        Permeability().run(dynamic, (apart,), drawn)


def test_an_enhanced_bolus_of_susceptibility_beside_the_scan_and_its_flip_angles(tmp_path: Path) -> None:
    """Whether an enhanced object holds flip angles its frames tell: it takes no place of classic series that do."""
    files = dce_mr.patient(slices=1).files
    wanted = analysed(files, tmp_path / "alone")["measurements"]
    dynamic = [data for data in files if pydicom.dcmread(io.BytesIO(data)).SeriesNumber == 6]
    ds = pydicom.dcmread(io.BytesIO(enhanced(dynamic, EchoPlanarPulseSequence="YES")[0]))
    ds.SharedFunctionalGroupsSequence[0].MREchoSequence[0].EffectiveEchoTime = 30.0
    ds.SeriesInstanceUID, ds.SOPInstanceUID = "2.25.9931", "2.25.9932"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    out = io.BytesIO()
    ds.save_as(out)
    apart = ENCODINGS["a series for each contrast"](files, random.Random(1))
    assert apart is not None
    beside = analysed([*apart, out.getvalue()], tmp_path / "beside")
    assert any("T1 from 3 flip angles" in r for r in beside["reasons"]), beside["reasons"]
    assert [m["value"] for m in beside["measurements"]] == pytest.approx([m["value"] for m in wanted])


@pytest.mark.parametrize("other", ["P", "F"])
def test_of_several_kinds_in_one_series_the_signal_of_tissue_is_taken(
    scan: tuple[Volume, Volume], drawn: tuple[Region, ...], other: str
) -> None:
    """Whichever lay first in the file was taken: phase, or fat, for the scan and for its T1."""
    dynamic, angles = scan
    mine, kind = {"P": ("M", "phase"), "F": ("W", "fat")}[other]
    named = [replace(v, facts={**v.facts, "ImageType": ["ORIGINAL", "PRIMARY", mine]}) for v in scan]
    wrong = replace(angles, array=np.full_like(angles.array, 300.0),
                    facts={**angles.facts, "ImageType": ["ORIGINAL", "PRIMARY", other]})  # fmt: skip
    plain = Permeability().run(dynamic, (angles,), drawn)
    answer = Permeability().run(named[0], (wrong, named[1]), drawn)
    assert of(answer, "muscle", codes.KTRANS) == of(plain, "muscle", codes.KTRANS)
    better = Permeability.needs["dynamic"].better
    assert better is not None and better(named[0].facts) and not better(wrong.facts)
    if kind == "phase":
        with pytest.raises(Refused, match="phase images"):
            Permeability().run(replace(dynamic, facts=wrong.facts), (angles,), drawn)


def test_masks_of_coarser_pixels_than_the_series(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    for region in drawn[:2]:
        must_refuse(lambda other: Permeability().run(scan[0], (scan[1],), (other,)), region, mean=True)


def test_frames_before_the_steady_state_are_left_and_that_is_told(
    scan: tuple[Volume, Volume], drawn: tuple[Region, ...]
) -> None:
    dynamic, angles = scan
    bright = np.ones(len(dynamic.array), np.float32)
    bright[:2] = (1.8, 1.2)
    seen = replace(dynamic, array=dynamic.array * bright[:, None, None, None])
    answer = Permeability().run(seen, (angles,), drawn)
    assert any("the first 2 frames were left out" in r for r in answer.reasons)
    assert of(answer, "tumour", codes.KTRANS) == pytest.approx(dce_mr.TISSUES["tumour"][0], rel=0.04)
    with pytest.raises(Refused, match=r"a baseline of 1 frame:"):
        Permeability().run(seen, (angles,), drawn, baseline_frames=3)


def test_a_model_that_does_not_follow_the_curves_is_told(
    scan: tuple[Volume, Volume], drawn: tuple[Region, ...]
) -> None:
    right, wrong = (Permeability().run(scan[0], (scan[1],), drawn, model=m) for m in ("extended_tofts", "patlak"))
    assert not any("another model may hold" in r for r in right.reasons)
    assert any(r.startswith("WARNING: tumour: patlak leaves") for r in wrong.reasons)


def test_regions_that_no_fit_explains_are_no_answer(
    scan: tuple[Volume, Volume], drawn: tuple[Region, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isocenter.catalogue.permeability._numbers", lambda *a: [])
    with pytest.raises(Refused, match="2 regions in no voxel of which extended_tofts gives a plausible fit"):
        Permeability().run(scan[0], (scan[1],), drawn)


def test_a_region_that_is_mostly_left_out_is_warned_of(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    """A relaxivity of a fifth makes five times the agent, and more space for it than there is."""
    tissue = {r.label: r for r in drawn if r.mask is not None}
    tumour, muscle = tissue["tumour"].mask, tissue["muscle"].mask
    assert tumour is not None and muscle is not None
    some = muscle & (np.cumsum(muscle.ravel()).reshape(muscle.shape) <= tumour.sum() // 3)
    both = replace(tissue["tumour"], mask=tumour | some, label="both")
    feeding = tuple(r for r in drawn if r.label not in ("tumour", "muscle"))
    plain, said = (
        " ".join(Permeability().run(scan[0], (scan[1],), (*feeding, both), artery="parker", relaxivity=r).reasons)
        for r in (4.5, 0.9)
    )
    assert "left out" not in plain
    assert "WARNING: both: 7" in said and "ve ended at a bound" in said


def test_a_region_in_air_is_warned_of(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    """Noise had a Ktrans of 0.004."""
    dynamic, angles = scan
    muscle = next(r for r in drawn if r.label == "muscle")
    assert muscle.mask is not None
    noise = np.abs(np.random.default_rng(1).normal(0, 1.0, dynamic.array.shape)) + 1.0
    air = replace(dynamic, array=np.where(muscle.mask, noise, dynamic.array).astype(np.float32))
    said = Permeability().run(air, (angles,), drawn).reasons
    assert any("muscle: 100 % of it has no signal before the agent" in r for r in said)
    assert not any("no signal before" in r for r in Permeability().run(dynamic, (angles,), drawn).reasons)


def test_flip_angles_on_other_voxels_are_told(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    grid = scan[1].geometry
    other = replace(scan[1], geometry=replace(grid, affine=grid.affine @ np.diag([1.0, 1.2, 1.2, 1.0])))
    with pytest.raises(Refused, match="1 of the series at flip angles lie on other voxels"):
        Permeability().run(scan[0], (other,), drawn)


@pytest.mark.parametrize("later", [1, 2])
def test_tissue_that_fills_later_than_the_artery(
    scan: tuple[Volume, Volume], drawn: tuple[Region, ...], later: int
) -> None:
    """Agent stood in the artery's baseline: of 10 s (two frames) Ktrans was far too high, with a fitted delay, too."""
    dynamic, array = scan[0], np.array(scan[0].array)
    tissue = ~np.asarray(drawn[0].mask)
    array[later:, tissue], array[:later, tissue] = array[:-later, tissue], array[:later, tissue]
    answer = Permeability().run(replace(dynamic, array=array), (scan[1],), drawn, fit_delay=True)
    for label, (ktrans, ve, vp, _) in dce_mr.TISSUES.items():
        assert of(answer, label, codes.KTRANS) == pytest.approx(ktrans, rel=0.06)
        assert of(answer, label, codes.VE) == pytest.approx(ve, rel=0.06)
        assert of(answer, label, codes.VP) == pytest.approx(vp, abs=0.012)
        assert of(answer, label, codes.ARRIVAL_DELAY) == pytest.approx(5.0 * later, abs=1.0)


def test_a_stated_baseline_with_agent_in_it_is_told(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    arrives = int(arrival(np.asarray(scan[0].array, np.float64)))
    for stated, told in ((arrives - 1, False), (arrives + 4, True)):
        answer = Permeability().run(scan[0], (scan[1],), drawn, baseline_frames=stated, model="patlak")
        assert any("as the baseline agent is there after" in r for r in answer.reasons) == told


def test_a_body_that_moves_is_told(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    array = np.array(scan[0].array)
    array[40:] = np.roll(array[40:], 1, axis=2)
    answer = Permeability().run(replace(scan[0], array=array), (scan[1],), drawn)
    assert any(
        "darkens 200 s after the first frame and stays dark: it seems to have moved" in r for r in answer.reasons
    )


def test_a_population_artery_is_told(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    answer = Permeability().run(scan[0], (scan[1],), drawn[1:], artery="parker")
    assert any("nobody's own" in r for r in answer.reasons)
    with pytest.raises(Refused, match="no artery is drawn"):
        Permeability().run(scan[0], (scan[1],), drawn[1:], artery="drawn")


@pytest.mark.parametrize(("arrival_s", "baseline"), [(29.0, 0), (31.0, 0), (31.0, 4)])
def test_a_populations_artery_arrives_between_two_frames(
    arrival_s: float, baseline: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun with a frame of 4 s: Ktrans 0.262 and vp 0.053 for 0.25 and 0.06, and no vp by a stated baseline."""
    monkeypatch.setattr(dce_mr, "_blood", lambda t: parker(t, arrival_s=arrival_s))
    phantom = dce_mr.patient(times_s=np.arange(90) * 4.0)
    volumes = loaded(phantom.files)[0]
    dynamic, angles = (next(v for v in volumes if v.axes[0].name == name) for name in ("time", "flip"))
    masks = dce_mr.signals(times_s=np.arange(90) * 4.0)[2]
    regions = tuple(Region(dynamic.geometry, mask=masks[n], label=n) for n in ("tumour", "muscle"))
    answer = Permeability().run(dynamic, (angles,), regions, baseline_frames=baseline)
    for label, (ktrans, ve, vp, _) in dce_mr.TISSUES.items():
        assert of(answer, label, codes.KTRANS) == pytest.approx(ktrans, rel=0.03)
        assert of(answer, label, codes.VE) == pytest.approx(ve, rel=0.03)
        assert of(answer, label, codes.VP) == pytest.approx(vp, abs=0.005)
    said = next(r for r in answer.reasons if "nobody's own" in r)
    assert float(re.search(r"arriving ([\d.]+) s", said)[1]) == pytest.approx(arrival_s, abs=1.0)  # type: ignore[index]


def test_without_flip_angles_t1_must_be_given(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    with pytest.raises(Refused, match="no T1 before contrast"):
        Permeability().run(scan[0], None, drawn)
    with pytest.raises(Refused, match="50 to 5,000"):
        Permeability().run(scan[0], None, drawn, t1_ms=1.2)
    answer = Permeability().run(scan[0], None, drawn, t1_ms=1200.0)
    assert of(answer, "tumour", codes.KTRANS) == pytest.approx(0.25, rel=0.05)
    assert any("supposed everywhere" in r for r in answer.reasons)


def short(dynamic: Volume, frames: int) -> Volume:
    axis = replace(dynamic.axes[0], values=dynamic.axes[0].values[:frames])
    return replace(dynamic, array=dynamic.array[:frames], axes=(axis,), instance_uids=())


def test_a_short_scan_gives_no_ve(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    answer = Permeability().run(short(scan[0], 50), (scan[1],), drawn)
    assert all(m.what != codes.VE for m in answer.measurements) and "ve" not in (answer.maps or {})
    assert any("too short for ve" in r for r in answer.reasons)
    with pytest.raises(Refused, match="15 frames"):
        Permeability().run(short(scan[0], 15), (scan[1],), drawn)


def test_tissue_that_does_not_leak_is_told_as_such(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    """The muscle's curve made the artery's, diluted: all its agent stays in the plasma."""
    artery, muscle = (np.asarray(d.mask) for d in (drawn[0], drawn[2]))
    array = np.array(scan[0].array)
    blood = array[:, artery].mean(axis=1) / array[:3, artery].mean() - 1
    noise = np.random.default_rng(5).normal(0, 0.002, (len(array), int(muscle.sum())))
    array[:, muscle] = array[:3, muscle].mean() * (1 + 0.02 * blood[:, None] + noise)
    answer = Permeability().run(replace(scan[0], array=array), (scan[1],), drawn, model="patlak")
    assert of(answer, "muscle", codes.PERMEABILITY_SURFACE) < 0.005
    assert of(answer, "muscle", codes.EXCLUDED_SHARE) < 1.0
    array[3:, muscle] *= 50.0  # brighter than any concentration makes it
    bright = replace(scan[0], array=array)
    answer = Permeability().run(bright, (scan[1],), drawn, model="patlak", baseline_frames=3)
    assert any("muscle: not measured" in r for r in answer.reasons)


@pytest.mark.parametrize(
    ("facts", "words"),
    [({"RepetitionTime": None}, "no RepetitionTime"), ({"FlipAngle": None}, "no FlipAngle"),
     ({"RepetitionTime": 0.005}, "seconds may have been given"),
     ({"SequenceVariant": ["SK", "SS"]}, "Sequence Variant SK, SS"), ({"SequenceVariant": "TRSS"}, "Variant TRSS"),
     ({"ScanningSequence": "RM", "SequenceVariant": "NONE"}, "Scanning Sequence RM"),
     ({"SequenceName": "*tfl2d1_16"}, r"Sequence Name \*tfl2d1_16, a turbo FLASH"),
     ({"PulseSequenceName": "tfl3d1"}, "Sequence Name tfl3d1, a turbo FLASH")],
)  # fmt: skip
def test_headers_without_concentration(
    scan: tuple[Volume, Volume], drawn: tuple[Region, ...], facts: dict[str, Any], words: str
) -> None:
    wrong = replace(scan[0], facts={**scan[0].facts, **facts})
    with pytest.raises(Refused, match=words):
        Permeability().run(wrong, (scan[1],), drawn)


@pytest.mark.parametrize("variant", [["SS", "SP", "SK"], ["SP", "OSP"], "NONE", ["SK", "MP"]])
def test_variants_of_spoiled_echoes_are_taken(
    scan: tuple[Volume, Volume], drawn: tuple[Region, ...], variant: Any
) -> None:
    said = replace(scan[0], facts={**scan[0].facts, "SequenceVariant": variant, "SequenceName": "*fl3d1"})
    answer = Permeability().run(said, (scan[1],), drawn, model="patlak")
    assert answer.findings
    assert any("Variant MP: magnetisation was prepared" in r for r in answer.reasons) == ("MP" in variant)


def test_research_mode_of_ge_is_taken_where_it_says_that_it_is_spoiled(
    scan: tuple[Volume, Volume], drawn: tuple[Region, ...]
) -> None:
    said = replace(scan[0], facts={**scan[0].facts, "ScanningSequence": "RM", "SequenceVariant": ["SS", "SP"]})
    assert Permeability().run(said, (scan[1],), drawn, model="patlak").findings


def test_times_baselines_and_blood_that_cannot_be(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    dynamic, angles = scan
    thousandths = replace(dynamic.axes[0], values=tuple(v / 1000 for v in dynamic.axes[0].values))
    with pytest.raises(Refused, match=r"seconds where milliseconds belong \(5 s\?\)"):
        Permeability().run(replace(dynamic, axes=(thousandths,)), (angles,), drawn)
    unknown = replace(dynamic.axes[0], unit="")
    with pytest.raises(Refused, match="header does not state"):
        Permeability().run(replace(dynamic, axes=(unknown,)), (angles,), drawn)
    with pytest.raises(Refused, match="a baseline of 2 frames"):
        Permeability().run(dynamic, (angles,), drawn, baseline_frames=2)
    with pytest.raises(Refused, match="percent may have been given"):
        Permeability().run(dynamic, (angles,), drawn, haematocrit=42.0)
    wrong = Region(
        dynamic.geometry, mask=np.asarray(drawn[2].mask) & (np.indices(dynamic.geometry.shape)[1] > 90), label="AIF"
    )
    none = Region(dynamic.geometry, mask=(np.indices(dynamic.geometry.shape)[1] == 4), label="AIF")
    assert wrong.mask is not None
    with pytest.raises(Refused, match="no artery"):
        Permeability().run(dynamic, (angles,), (none, drawn[1]))


def test_inflow_and_haematocrit_are_told(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    answer = Permeability().run(scan[0], (scan[1],), drawn)
    assert any("inflow is not corrected" in r for r in answer.reasons)
    assert any("haematocrit 0.42" in r for r in answer.reasons)


def test_of_several_arteries_the_one_that_is_meant(scan: tuple[Volume, Volume], drawn: tuple[Region, ...]) -> None:
    artery, tumour, muscle = drawn
    other = replace(muscle, label="femoral artery")
    with pytest.raises(Refused, match="2 drawn regions named as an artery: artery, femoral artery"):
        Permeability().run(scan[0], (scan[1],), (artery, tumour, other))
    meant = Permeability().run(scan[0], (scan[1],), (other, tumour, replace(artery, label="AIF")))
    plain = Permeability().run(scan[0], (scan[1],), (artery, tumour))
    assert of(meant, "tumour", codes.KTRANS) == of(plain, "tumour", codes.KTRANS)
    assert "arterial input: 'AIF'" in meant.reasons
    assert any("'femoral artery' is neither the arterial input nor measured" in r for r in meant.reasons)
    assert Permeability().run(scan[0], (scan[1],), (artery, tumour, replace(artery))).findings  # sent twice


def test_a_second_injection_wants_its_own_artery(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the curve of a population, which is of one injection, muscle had a ve of 0.78 for 0.12."""
    once = dce_mr._blood
    for later_s, part in ((180.0, 1.0), (60.0, 3.0)):
        monkeypatch.setattr(dce_mr, "_blood", lambda t, s=later_s, p=part: once(t) + p * once(t - s))
        dynamic, angles = sorted(loaded(dce_mr.patient().files)[0], key=lambda v: v.axes[0].name, reverse=True)
        masks = dce_mr.signals()[2]
        artery, muscle = (Region(dynamic.geometry, mask=masks[n], label=n) for n in ("artery", "muscle"))
        with pytest.raises(Refused, match="agent that arrives again after"):
            Permeability().run(dynamic, (angles,), (muscle,))
        answer = Permeability().run(dynamic, (angles,), (artery, muscle))
        assert of(answer, "muscle", codes.KTRANS) == pytest.approx(0.06, rel=0.06)


def test_without_contrast_nothing_is_found(scan: tuple[Volume, Volume]) -> None:
    still = replace(scan[0], array=np.repeat(scan[0].array[:1], len(scan[0].array), axis=0))
    answer = Permeability().run(still, (scan[1],), None)
    assert answer.outcome is Outcome.NONE and "no contrast agent arrives" in answer.reasons[0]


def analysed(files: Sequence[bytes], folder: Path, **given: Any) -> dict[str, Any]:
    folder.mkdir()
    for n, data in enumerate(files):
        (folder / f"{n}.dcm").write_bytes(data)
    said = [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
    done = CliRunner().invoke(app, ["analyse", str(folder), "--only", "permeability", "--json", *said])
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)
    return dict(result)


def test_each_time_in_a_series_of_its_own(tmp_path: Path) -> None:
    """As some scanners send: put together where place, timing and kind are one, and a later scan is left aside."""
    files = dce_mr.patient(slices=1, angles=False).files
    together = analysed(files, tmp_path / "one", t1_ms=1200)
    apart = []
    for n, data in enumerate([*files, files[-1]]):
        ds = pydicom.dcmread(io.BytesIO(data))
        ds.SeriesInstanceUID, ds.SeriesNumber = f"2.25.70{n:03d}", 700 + n
        del ds.TemporalPositionIdentifier
        if n == len(files):
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "2.25.992"
            ds.RepetitionTime, ds.AcquisitionTime = 500.0, "170000"
        out = io.BytesIO()
        ds.save_as(out)
        apart.append(out.getvalue())
    again = analysed(apart, tmp_path / "several", t1_ms=1200)
    assert again["answer"] == "found", again["reasons"]
    assert [m["value"] for m in again["measurements"]] == pytest.approx([m["value"] for m in together["measurements"]])
    few = analysed(apart[:19], tmp_path / "few", t1_ms=1200)
    assert few["answer"] == "declined" and "20 images" in few["reasons"][0]


@pytest.fixture(scope="module")
def at_noon(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    measured: list[dict[str, Any]] = analysed(
        dce_mr.patient(slices=1).files, tmp_path_factory.mktemp("noon") / "images"
    )["measurements"]
    return measured


EVENING, LATE = datetime(2026, 3, 4, 23, 57), datetime(2026, 3, 4, 23, 59, 30)


@pytest.mark.parametrize(
    ("begins", "kept"),
    [
        (EVENING, "Acquisition"),
        (LATE, "Content"),
        pytest.param(EVENING, "Content", marks=pytest.mark.nightly),
        pytest.param(LATE, "Acquisition", marks=pytest.mark.nightly),
    ],
)
def test_a_scan_that_runs_past_midnight_without_a_date_for_each_frame(
    tmp_path: Path, at_noon: list[dict[str, Any]], begins: datetime, kept: str
) -> None:
    """The flip angles come first, also where the frames go on into the next day or all lie in it."""
    other = "Content" if kept == "Acquisition" else "Acquisition"
    files = []
    for data in dce_mr.patient(slices=1, at=begins).files:
        ds = pydicom.dcmread(io.BytesIO(data))
        for word in (f"{kept}Date", f"{other}Date", f"{other}Time"):
            delattr(ds, word)
        out = io.BytesIO()
        ds.save_as(out)
        files.append(out.getvalue())
    night = analysed(files, tmp_path / "night")
    assert night["answer"] == "found", night["reasons"]
    assert any("T1 from 3 flip angles" in r for r in night["reasons"])
    assert [m["value"] for m in night["measurements"]] == pytest.approx([m["value"] for m in at_noon], rel=1e-9)


def test_flip_angles_of_after_midnight_are_later_than_frames_of_before_it(
    scan: tuple[Volume, Volume], drawn: tuple[Region, ...]
) -> None:
    dynamic, angles = (replace(v, facts={**v.facts, "AcquisitionDate": None, "SeriesDate": None}) for v in scan)
    at = {"dynamic": "235000.5", "angles": "001000"}
    late = replace(angles, facts={**angles.facts, "AcquisitionTime": at["angles"]})
    first = replace(dynamic, facts={**dynamic.facts, "AcquisitionTime": at["dynamic"]})
    with pytest.raises(Refused, match="1 of the series at flip angles began after the first frame"):
        Permeability().run(first, (late,), drawn)
    turned = replace(dynamic, facts={**dynamic.facts, "AcquisitionTime": at["angles"]})
    before = replace(angles, facts={**angles.facts, "AcquisitionTime": at["dynamic"]})
    assert Permeability().run(turned, (before,), drawn).findings


def test_from_dicom_to_json_with_the_flip_angles_in_one_series_or_in_several(tmp_path: Path) -> None:
    files = dce_mr.patient(slices=1).files
    result = analysed(files, tmp_path / "one")
    apart = ENCODINGS["a series for each contrast"](files, random.Random(1))
    assert apart is not None
    # After contrast another series has a flip angle of its own: it says nothing of T1 before.
    late = pydicom.dcmread(io.BytesIO(files[-1]))
    late.FlipAngle, late.AcquisitionTime, late.SeriesInstanceUID = 30.0, "160000", "2.25.99"
    late.SOPInstanceUID = late.file_meta.MediaStorageSOPInstanceUID = "2.25.991"
    out = io.BytesIO()
    late.save_as(out)
    again = analysed([*apart, out.getvalue()], tmp_path / "several")
    assert any("T1 from 3 flip angles" in r for r in again["reasons"])
    assert [m["value"] for m in again["measurements"]] == pytest.approx([m["value"] for m in result["measurements"]])
    assert result["answer"] == "found"
    ktrans = next(m for m in result["measurements"] if m["what"]["code"] == "126312")
    assert ktrans["unit"] == "/min" and ktrans["value"] > 0
    assert {m["name"] for m in result["maps"]} == {"Ktrans", "ve", "vp"}
