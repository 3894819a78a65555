"""What a technologist reads when a study cannot be measured: each trap planted in DICOM, and asked by the command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_traps import Files, Trap, of, told

from isocenter.analysis import run as running
from isocenter.testing.phantoms import abdomen_mr, flow_mr, heart, stroke_ct, stroke_mr, thorax
from isocenter.testing.phantoms.perfused_head import Pose


def bolus(module: Any, **made: Any) -> Files:
    return lambda: module.patient(**{"size": 48, "slices": 2, "step_mm": 14.0} | made).files


def slab(module: Any, **made: Any) -> Files:
    """Four slices, enough to tell of motion through them."""
    return bolus(module, **{"size": 64, "slices": 4, "step_mm": 8.0} | made)


def aorta(**made: Any) -> Files:
    return lambda: flow_mr.patient(kind="siemens", shape=(7, 22, 21), mm=4.2, radius_mm=11.0, **made).files


def mirrored() -> Sequence[bytes]:
    return abdomen_mr.patient(size=64, slices=2, mirrored=True).files


def dose(**values: Any) -> Callable[[Any, int], Any]:
    """The item of the tracer with values in place of its own; None takes one away."""

    def make(ds: Any, number: int) -> Any:
        item = ds.RadiopharmaceuticalInformationSequence[0]  # of the PET, not of its CT
        for keyword, value in values.items():
            if value is None:
                item.pop(keyword, None)
            else:
                setattr(item, keyword, value)
        return ds.RadiopharmaceuticalInformationSequence

    return make


def grey(change: Callable[[Any], Any]) -> Mapping[str, Any]:
    """Pixels changed as they are stored."""
    return {"PixelData": lambda ds, n: change(ds.pixel_array).astype(ds.pixel_array.dtype).tobytes()}


def spot(value: int) -> Callable[[Any], Any]:
    """Metal of 4 x 4 pixels in the heart."""

    def put(stored: Any) -> Any:
        made = stored.copy()
        made[120:124, 180:184] = value
        return made

    return put


def noisy(ds: Any, number: int) -> bytes:
    stored = ds.pixel_array
    made = stored + np.random.default_rng(number).normal(0, 60, stored.shape)
    return np.round(made).clip(0, 4095).astype(stored.dtype).tobytes()


def tracers(ds: Any, number: int) -> Any:
    """FDG at baseline, FLT now; None of a CT."""
    told = ds.get("RadiopharmaceuticalInformationSequence")
    if told:
        told[0].Radiopharmaceutical = "FLT" if str(ds.StudyDate) > "20260201" else "FDG"
    return told


def apart(ds: Any, number: int) -> list[float]:
    """One slice of the short axis 3 mm off its place along their normal."""
    place, row = np.array(ds.ImagePositionPatient, float), np.array(ds.ImageOrientationPatient, float)
    off = 3.0 if (int(ds.InstanceNumber) - 1) // 8 == 5 else 0.0
    return [float(v) for v in place + off * np.cross(row[:3], row[3:])]


def closer(ds: Any, number: int) -> list[float]:
    x, y, z = (float(v) for v in ds.ImagePositionPatient)
    return [x, y, z * 2.5 / 3.0]


def t(step: float, many: int) -> tuple[float, ...]:
    return tuple(float(v) for v in np.arange(many) * step)


PERFUSION = (
    Trap("ct_perfusion", "a scan of 38 s", bolus(stroke_ct, times_s=t(1.2, 32))),
    Trap("ct_perfusion", "up to 4.0 s apart", bolus(stroke_ct, times_s=t(4.0, 30))),
    Trap("ct_perfusion", "before the bolus arrives", bolus(stroke_ct, times_s=t(1.6, 32), start_s=-6.0)),
    Trap("ct_perfusion", "no bolus is seen to pass", bolus(stroke_ct, times_s=t(1.6, 30), start_s=200.0)),
    Trap("ct_perfusion", "tube voltage that changes", bolus(stroke_ct, times_s=t(1.6, 30), kvp=(80.0, 100.0))),
    Trap("ct_perfusion", "below 8 cm", bolus(stroke_ct, times_s=t(1.6, 30), slices=4), answer="found"),
    Trap(
        "ct_perfusion",
        "motion within the plane alone",
        bolus(stroke_ct, size=64, times_s=t(1.6, 30)),
        answer="found",
    ),
    Trap("ct_perfusion", "the artery ends at", slab(stroke_ct, times_s=t(1.6, 26), start_s=32.0)),
    Trap(
        "ct_perfusion",
        "for 3 frames: it is saturated",
        slab(stroke_ct, times_s=t(1.6, 30)),
        grey(lambda a: np.where(a > 1724, a, np.minimum(a, 1154))),
    ),
    Trap(
        "ct_perfusion",
        "the head moved 20",
        slab(stroke_ct, times_s=t(1.6, 30), poses={10: Pose(0.0, (0.0, 20.0, 0.0))}),
    ),
    Trap(
        "ct_perfusion",
        "resampled to one every 1.5 s",
        slab(stroke_ct, times_s=(*t(1.5, 24), *(36 + v for v in t(2.9, 12)))),
        answer="found",
    ),
    Trap("ct_perfusion", "below that of tissue", slab(stroke_ct, times_s=t(1.6, 30)), given={"artery_mm": "30 10 4"}),
    Trap(
        "ct_perfusion",
        "flow and volume are relative",
        slab(stroke_ct, times_s=t(1.6, 30)),
        given={"vein_mm": "30 10 4"},
        answer="found",
    ),
    Trap("mr_perfusion", "no Echo Time", bolus(stroke_mr, times_s=t(1.6, 30)), {"EchoTime": None}),
    Trap("mr_perfusion", "an echo time of 0.03 ms", bolus(stroke_mr, times_s=t(1.6, 30)), {"EchoTime": 0.03}),
)

PERMEABILITY = (
    Trap("permeability", "no RepetitionTime", header={"RepetitionTime": None}),
    Trap("permeability", "no FlipAngle", of("dynamic"), {"FlipAngle": None}, {"t1_ms": 1200}),
    Trap("permeability", "seconds may have been given", of("dynamic"), {"RepetitionTime": 0.005}, {"t1_ms": 1200}),
    Trap("permeability", "Sequence Variant SK, SS", of("dynamic"), {"SequenceVariant": ["SK", "SS"]}, {"t1_ms": 1200}),
    Trap("permeability", "no T1 before contrast", of("dynamic")),
    Trap("permeability", "50 to 5,000", of("dynamic"), given={"t1_ms": 1.2}),
    Trap("permeability", "a baseline of 2 frames", of("dynamic"), given={"t1_ms": 1200, "baseline_frames": 2}),
    Trap("permeability", "percent may have been given", of("dynamic"), given={"t1_ms": 1200, "haematocrit": 42}),
    Trap("permeability", "L/mol/s may have been given", of("dynamic"), given={"t1_ms": 1200, "relaxivity": 4500}),
    Trap("permeability", "begins with the agent in it", lambda: of("dynamic")()[8:], given={"t1_ms": 1200}),
    Trap(
        "permeability",
        "spoiled gradient echo, which this is not",
        of("dynamic"),
        {"ScanningSequence": "SE"},
        {"t1_ms": 1200},
    ),
    Trap("permeability", "a flip angle of 180", of("dynamic"), {"FlipAngle": 180}, {"t1_ms": 1200}),
    Trap(
        "permeability", "signal that no concentration makes", of("dynamic"), {"RepetitionTime": 5000}, {"t1_ms": 1200}
    ),
    Trap("permeability", "no artery is drawn", of("dynamic"), given={"t1_ms": 1200, "artery": "drawn"}),
    Trap("permeability", "too short for ve", of("short"), given={"t1_ms": 1200}, answer="found"),
    Trap("permeability", "nobody's own", of("dynamic"), given={"t1_ms": 1200}, answer="found"),
)
FLOW = (
    Trap("flow4d", "state no VENC", of("slice"), {"SequenceName": "*fl2d1"}),
    Trap("flow4d", "10 frames over the beat", lambda: flow_mr.slice_patient(size=48, mm=3.0, frames=10).files),
    Trap(
        "flow4d",
        "off the normal of the slice",
        of("slice"),
        {"SequenceName": lambda ds, n: str(ds.SequenceName).replace("in", "ap")},
    ),
    Trap(
        "flow4d",
        "WARNING: a frame every 50 ms",
        of("slice"),
        {"TriggerTime": lambda ds, n: float(ds.TriggerTime) * 20 * 50 / 800},
        answer="found",
    ),
    Trap("flow4d", "m/s may have been given", of("slice"), given={"venc_cm_s": 1.5}),
    Trap("flow4d", "the header says 150 cm/s", of("slice"), given={"venc_cm_s": 15}, answer="found"),
    Trap(
        "flow4d",
        "no vessel in which blood moves faster",
        lambda: flow_mr.slice_patient(size=48, mm=3.0, frames=20, radius_mm=5.0).files,
    ),
    Trap(
        "flow4d", "frames are missing from the beat", of("slice"), keep=lambda ds: not 100 < float(ds.TriggerTime) < 230
    ),
    Trap("flow4d", "the unit of time", of("slice"), {"TriggerTime": lambda ds, n: float(ds.TriggerTime) / 1000}),
    Trap("flow4d", "directions of velocity that lose mass", aorta(swapped=True)),
    Trap("flow4d", "directions of velocity that lose mass", aorta(mirrored=True)),
    Trap("flow4d", "needs three that stand across", aorta(), keep=lambda ds: not str(ds.SequenceName).endswith("fh")),
    Trap("flow4d", "no magnitude images", of("slice"), keep=lambda ds: "P" in ds.ImageType),
    Trap("flow4d", "beats from 600 to 1100 ms", of("slice"), {"LowRRValue": 600, "HighRRValue": 1100}, answer="found"),
)
CINE = (
    Trap("cardiac_cine", "5 slices", of("cine of 5 slices")),
    Trap("cardiac_cine", "no cardiac output", of("cine"), {"HeartRate": None, "NominalInterval": None}, answer="found"),
    Trap(
        "cardiac_cine",
        "apex missing",
        lambda: heart.patient(seed=3, phases=8, slices=7, size=96).files,
    ),
    Trap("cardiac_cine", "off the usual short axis", of("cine"), {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}),
    Trap("cardiac_cine", " missing: gap of ", of("cine"), keep=lambda ds: (int(ds.InstanceNumber) - 1) // 8 != 5),
    Trap("cardiac_cine", "images where others have 8", of("cine"), keep=lambda ds: int(ds.InstanceNumber) != 28),
    Trap("cardiac_cine", "slice distances vary", of("cine"), {"ImagePositionPatient": apart}),
)
CALCIUM = tuple(
    Trap("coronary_calcium", words, of("calcium"), header, given, answer=answer)
    for words, header, given, answer in (
        ("contrast agent 'Iomeron 400'", {"ContrastBolusAgent": "Iomeron 400"}, {}, "declined"),
        ("100 kV", {"KVP": 100}, {}, "declined"),
        ("slices of 5 mm", {"SliceThickness": 5.0}, {}, "declined"),
        ("kernel B60f", {"ConvolutionKernel": "B60f"}, {}, "declined"),
        ("the header says 'CABG'", {"StudyDescription": "Calcium after CABG 2019"}, {}, "declined"),
        ("a category is given, no score", {}, {"gated": "no"}, "found"),
        (
            "a category is given, no score",
            {"ProtocolName": "Calcium NON-GATED", "ScanOptions": None, "HeartRate": None},
            {},
            "found",
        ),
        ("HU in the heart", grey(spot(1024 + 2900)), {}, "declined"),
        ("noise of", {"PixelData": noisy}, {}, "declined"),
        ("does not state the tube voltage", {"KVP": None}, {}, "found"),
        (
            "1.20 times as much",
            {"SpacingBetweenSlices": 2.5, "ImagePositionPatient": closer},
            {"convention": "area"},
            "found",
        ),
        ("Multiply mmol/L", {}, {"systolic_mmhg": 130, "cholesterol_mg_dl": 5.2, "hdl_mg_dl": 1.2}, "found"),
        (
            "45 to 84 years",
            {"PatientAge": "030Y"},
            {"systolic_mmhg": 130, "cholesterol_mg_dl": 190, "hdl_mg_dl": 50},
            "found",
        ),
    )
)
LIVER = (
    Trap("liver_fat_iron", "fat recovers faster than water", of("liver"), {"FlipAngle": 25}),
    Trap("liver_fat_iron", "the unit is wrong", of("liver"), {"EchoTime": lambda ds, n: float(ds.EchoTime) / 1000}),
    Trap(
        "liver_fat_iron", "it was made at 3 T", of("liver"), given={"calibration": "hernando_2023_3t"}, answer="found"
    ),
    Trap(
        "liver_fat_iron",
        "two echoes and no drawn liver",
        lambda: abdomen_mr.patient(size=64, slices=2, echoes_ms=(2.3, 4.6)).files,
    ),
    Trap("liver_fat_iron", "phase turns the other way, or", mirrored, given={"turning": "as is"}),
    Trap("liver_fat_iron", "phase turned the other way", mirrored, answer="found"),
    Trap(
        "liver_fat_iron",
        "phase images at 4 of 6 echo times",
        of("liver"),
        keep=lambda ds: "P" not in ds.ImageType or float(ds.EchoTime) > 3.6,
    ),
    Trap("liver_fat_iron", "no iron is given", of("liver"), {"ContrastBolusAgent": "Gadoxetate"}, answer="found"),
    Trap("liver_fat_iron", "no Magnetic Field Strength", of("liver"), {"MagneticFieldStrength": None}),
    Trap(
        "liver_fat_iron",
        "look alike",
        lambda: abdomen_mr.patient(size=64, slices=2, echoes_ms=(1.5, 2.0)).files,
    ),
    Trap(
        "liver_vessels",
        "no contrast agent is stated",
        header={"ContrastBolusAgent": None, "SeriesDescription": "Liver"},
    ),
)
BODY = tuple(
    Trap("body_composition", words, of("body"), header, given, answer=answer)
    for words, header, given, answer in (
        ("80 kV", {"KVP": 80}, {}, "declined"),
        ("slices of 8 mm", {"SliceThickness": 8.0}, {}, "declined"),
        ("reformatted images", {"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, {}, "declined"),
        ("6 lumbar vertebrae", {}, {"lumbar_vertebrae": 6}, "declined"),
        ("no height", {"PatientSize": None}, {}, "found"),
        ("5 to 10 HU higher", {"ContrastBolusAgent": "Iopromide"}, {}, "found"),
    )
)
MORE = (
    Trap(
        "abdominal_fat",
        "without phase",
        lambda: abdomen_mr.patient(size=112, slices=4, kind="magnitude", echoes_ms=(2.3, 4.6)).files,
    ),
    Trap("pet_response", "tracer beside the vein", given={"extravasated": True}),
    Trap("pet_response", "glucose 12", given={"glucose_mmol_l": 12}),
    Trap(
        "pet_response",
        "tracer FDG at baseline, FLT now",
        header={"RadiopharmaceuticalInformationSequence": tracers},
    ),
)
PET = tuple(
    Trap("pet_uptake", words, of("pet"), header)
    for words, header in (
        ("weight missing", {"PatientWeight": None}),
        ("injected activity missing", {"RadiopharmaceuticalInformationSequence": dose(RadionuclideTotalDose=None)}),
        ("half-life missing", {"RadiopharmaceuticalInformationSequence": dose(RadionuclideHalfLife=None)}),
        (
            "no time of injection",
            {
                "RadiopharmaceuticalInformationSequence": dose(
                    RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime=None
                )
            },
        ),
        ("typed in MBq", {"RadiopharmaceuticalInformationSequence": dose(RadionuclideTotalDose=350.0)}),
        ("that of Ga-68", {"RadiopharmaceuticalInformationSequence": dose(RadionuclideHalfLife=4063.0)}),
        ("units 'PROPCNTS'", {"Units": "PROPCNTS"}),
        ("private Philips factor", {"Units": "CNTS", "Manufacturer": "Philips Medical Systems"}),
        ("not corrected for attenuation", {"CorrectedImage": ["DECY", "SCAT"]}),
        ("not corrected for decay", {"CorrectedImage": ["ATTN", "SCAT"]}),
        (
            "after the scan",
            {
                "RadiopharmaceuticalInformationSequence": dose(
                    RadiopharmaceuticalStartTime="235500", RadiopharmaceuticalStartDateTime=None
                )
            },
        ),
    )
)
RESPONSE = (
    Trap("lesion_response", "target 'kidney'", given={"targets": "kidney"}),
    Trap("lesion_response", "days before treatment began", given={"therapy_began": "2026-02-20"}),
    Trap("lesion_response", "after treatment began", given={"therapy_began": "2025-10-01"}),
    Trap("lesion_response", "counts as gone", answer="found"),
    Trap("lesion_response", "no earlier study", keep=lambda ds: str(ds.StudyDate) > "20260101"),
    Trap(
        "lesion_response",
        "contrast was given now only",
        header={"ContrastBolusAgent": lambda ds, n: "Iohexol" if str(ds.StudyDate) > "20260101" else ""},
        answer="found",
    ),
    Trap(
        "lesion_response",
        "contrast was not given on 2025-11-22",
        given={"criteria": "Choi"},
        header={"ContrastBolusAgent": lambda ds, n: "Iohexol" if str(ds.StudyDate) > "20260101" else ""},
    ),
)
RADIOMICS = (Trap("radiomics", "no region named 'liver'", given={"structures": "liver"}),)
FILMS = (
    Trap("chest_xray_heart", "needs View Position PA, AP", lambda: thorax.patient(view="LL").files),
    Trap("chest_xray_heart", "the view is AP", lambda: thorax.patient(view="AP").files, answer="found"),
    Trap("chest_xray_heart", "a patient of 12 years", header={"PatientAge": "012Y"}),
    Trap(
        "chest_xray_heart",
        "in the plane of the detector, magnified",
        header={"PixelSpacing": None, "PixelSpacingCalibrationType": None},
        answer="found",
    ),
    Trap("breast_density", "with an implant", header={"BreastImplantPresent": "YES"}),
    Trap("breast_density", "for presentation", header={"PresentationIntentType": "FOR PRESENTATION"}, answer="found"),
    Trap(
        "breast_density",
        "the header says right",
        header={"ImageLaterality": "R", "PatientOrientation": None},
        answer="found",
    ),
)
ULTRASOUND = (
    Trap("fetal_biometry", "without calibration", header={"SequenceOfUltrasoundRegions": None}),
    Trap("fetal_biometry", "given in centimetres", of("fetus"), given={"hc_mm": 29}),
    Trap("fetal_biometry", "14 to 40 weeks", of("fetus"), given={"hc_mm": 290, "weeks": 42}),
    Trap(
        "fetal_biometry",
        "no weight: 20 weeks",
        of("fetus"),
        given={"hc_mm": 170, "ac_mm": 150, "weeks": 20},
        answer="found",
    ),
    Trap("thyroid_nodule", "not stated", of("thyroid"), given={"composition": "solid"}),
    Trap("liver_stiffness", "Is it kPa?", of("stiff"), given={"readings": "15, 16, 15, 16, 15", "unit": "m/s"}),
    Trap(
        "liver_stiffness",
        "Are the readings m/s?",
        of("stiff"),
        given={"readings": "1.3, 1.3, 1.2, 1.3, 1.3", "unit": "kPa"},
    ),
    Trap(
        "liver_stiffness",
        "too large for a class",
        of("stiff"),
        given={"readings": "5, 20, 9, 3, 30, 5, 5, 12, 7, 6", "unit": "kPa"},
        answer="found",
    ),
    Trap("ultrasound_speckle", "dynamic range", given={"dynamic_range_db": 0}),
)

EVERY = (
    *PERFUSION, *PERMEABILITY, *FLOW, *CINE, *CALCIUM, *LIVER, *BODY, *MORE, *PET, *RESPONSE, *RADIOMICS,
    *FILMS, *ULTRASOUND,
)  # fmt: skip


# Every third one by day, in the order of the table, and the first of each analysis; the others by night.
FIRST = {trap.analysis: n for n, trap in reversed([*enumerate(EVERY)])}
TURNS = [
    pytest.param(trap, marks=[pytest.mark.nightly] if n % 3 and n != FIRST[trap.analysis] else [])
    for n, trap in enumerate(EVERY)
]


@pytest.mark.parametrize("trap", TURNS, ids=lambda t: f"{t.analysis}: {t.words}")
def test_the_command_says_why(trap: Trap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The command gives each analysis a process of its own; here it runs in this one and says the same, sooner.
    monkeypatch.setattr(running, "run_apart", running.run)
    answer, words = told(trap, tmp_path)
    assert answer == trap.answer, words
    assert any(trap.words in said for said in words), words
