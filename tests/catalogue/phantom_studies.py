"""A small study for every analysis that ships, as files, with the parameters to ask with."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from real_series import loaded

from isocenter.analysis.need import Dated
from isocenter.analysis.plan import earlier_of, plan
from isocenter.analysis.registry import discover
from isocenter.analysis.run import Request, run
from isocenter.dicom.header import merge, read_header
from isocenter.errors import IsocenterError
from isocenter.forms import seg
from isocenter.record import Finding, Origin, Outcome, Result, codes
from isocenter.site.folder import read_folder
from isocenter.site.loading import Loading
from isocenter.space import Region, Volume
from isocenter.testing.phantoms import (
    abdomen_ct,
    abdomen_mr,
    breast,
    checkerboards,
    chest,
    coronary,
    dce_mr,
    fetus,
    flow_mr,
    followed,
    heart,
    liver_ct,
    pet_ct,
    stroke_ct,
    stroke_mr,
    thorax,
)  # fmt: skip
from isocenter.testing.phantoms.patient import Person
from isocenter.testing.phantoms.pet_ct import Ball
from isocenter.testing.phantoms.structures import structure_set

NOW = datetime(2026, 3, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """What is asked of which files."""

    analysis: str
    files: Callable[[], Sequence[bytes]]
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """One run that the plan binds, with its inputs read; or an answer that needed none."""

    study_uid: str
    inputs: Mapping[str, Any]
    done: Callable[[], Result]


def prepared(files: Sequence[bytes], asked: Asked, folder: Path) -> list[Prepared]:
    """What the analysis would run on, of files in a folder, as the command line reads them."""
    folder.mkdir()
    for number, data in enumerate(files):
        (folder / f"{number:05d}").write_bytes(data)
    registry = discover()
    analysis = registry.get(asked.analysis)
    told = []
    with read_folder(folder) as held:
        assert not held.rejected
        for study in held.studies:
            earlier = earlier_of(study, held.studies)
            planned = plan([analysis], study, earlier)
            for declined in planned.declined:
                origin = Origin("machine", analysis.name, analysis.version)
                gone = Result(study.uid, Outcome.DECLINED, origin, NOW, declined.sentences())
                told.append(Prepared(study.uid, {"declined": declined.sentences()}, lambda gone=gone: gone))  # type: ignore[misc]
            for binding in planned.bindings:
                load = Loading(study, analysis.needs, binding.series, held, earlier)
                given = _given(load)
                asking = Request(analysis.name, study.uid, given, NOW, asked.parameters)
                inputs = given.inputs if given.refused is None else {"refused": str(given.refused)}
                told.append(Prepared(study.uid, inputs, lambda asking=asking: run(asking, analysis).result))  # type: ignore[misc]
    return sorted(told, key=lambda p: p.study_uid)


@dataclass(frozen=True)
class _Given:
    """Inputs that were read while their files were there, or the refusal that reading ended in."""

    inputs: Mapping[str, Any]
    refused: IsocenterError | None = None

    def __call__(self) -> Mapping[str, Any]:
        if self.refused is not None:
            raise self.refused
        return self.inputs


def _given(load: Loading) -> _Given:
    try:
        return _Given(load())
    except IsocenterError as refused:
        return _Given({}, refused)


def alike(one: Any, other: Any) -> bool:
    """Whether two inputs are the same to the last bit: then an analysis, which is a function, says the same."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(alike(one[k], other[k]) for k in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(alike(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, Volume) and isinstance(other, Volume):
        said = [
            (v.geometry, v.axes, v.quantity, v.unit, v.series_uid, v.instance_uids, v.array.dtype, repr(v.facts))
            for v in (one, other)
        ]
        return said[0] == said[1] and np.array_equal(one.array, other.array)
    if isinstance(one, Dated) and isinstance(other, Dated):
        return (one.study_uid, one.day) == (other.study_uid, other.day) and alike(one.given, other.given)
    return bool(one == other)


def _outlined_head() -> Sequence[bytes]:
    made = fetus.patient()
    return _with_seg(made.files, made.truth["mask"][None], "head")


def _placenta() -> Sequence[bytes]:
    (data,) = fetus.patient().files
    mask = np.zeros((1, *pydicom.dcmread(io.BytesIO(data)).pixel_array.shape[:2]), bool)
    mask[0, 30:120, 60:200] = True
    return _with_seg([data], mask, "placenta")


def titled(part: str) -> list[bytes]:
    """The picture of the head under another name."""
    ds = pydicom.dcmread(io.BytesIO(fetus.patient().files[0]))
    ds.BodyPartExamined = ds.StudyDescription = ds.SeriesDescription = part
    out = io.BytesIO()
    ds.save_as(out)
    return [out.getvalue()]


def _nodule() -> Sequence[bytes]:
    files = titled("THYROID")
    (image,), _ = loaded(files)
    row, column = np.indices(image.geometry.shape[1:])
    mask = ((row - 220) / 40.0) ** 2 + ((column - 300) / 75.0) ** 2 <= 1.0
    return _with_seg(files, mask[None], "nodule")


def _with_seg(files: Sequence[bytes], mask: np.ndarray, label: str) -> list[bytes]:
    (data,) = files
    (study,) = merge([read_header(data)])
    (image,), _ = loaded([data])
    where = Region(
        image.geometry, mask=mask, series_uid=image.series_uid, instance_uid=image.instance_uids[0], label=label
    )
    findings = (Finding(codes.STRUCTURE, where=where, words="Drawn."),)
    drawn = Result(study.uid, Outcome.FOUND, Origin("person", "reader"), NOW, findings=findings)
    return [data, *seg.write(drawn, study, lambda _: data)]


def _level() -> Sequence[bytes]:
    """A CT of the abdomen with a vertebra outlined in its middle slice."""
    made = abdomen_ct.patient(many=3)
    headers = sorted(
        (pydicom.dcmread(io.BytesIO(f), stop_before_pixels=True) for f in made.files),
        key=lambda ds: float(ds.ImagePositionPatient[2]),
    )
    ds = headers[1]
    (y, x), corner = (float(v) for v in ds.PixelSpacing), np.array([float(v) for v in ds.ImagePositionPatient])
    lines = np.array([[150, 180], [150, 200], [170, 200], [170, 180]]) * [x, y]
    points = np.column_stack([corner[0] + lines[:, 0], corner[1] + lines[:, 1], np.full(4, corner[2])])
    who = Person("ISO-DEMO-BODY-1", "PHANTOM^BODY", "M", "19580205", 1.80, 84.0)
    drawn = structure_set("level", who, ds, {"L3": [(points, str(ds.SOPInstanceUID))]}, seed=1, at=datetime(2026, 3, 3))
    return [*made.files, drawn]


def _two_pets() -> Sequence[bytes]:
    who = Person("P1", "PHANTOM^TWICE", "F", "19610214", 1.66, 68.0)
    balls = (Ball("lung 1", (-70.0, 10.0, 70.0), 30.0, 9.0), Ball("pelvis", (30.0, -20.0, -62.0), 30.0, 6.0))
    cooler = tuple(replace(b, suv=0.5 * b.suv) for b in balls)
    visits = ((balls, datetime(2026, 1, 5, 9, 5)), (cooler, datetime(2026, 3, 2, 9, 5)))
    return [f for b, at in visits for f in pet_ct.patient(balls=b, organs=True, person=who, at=at).files]


_BOLUS = {"size": 64, "slices": 6, "step_mm": 14.0, "times_s": tuple(np.arange(28) * 1.6)}
_HEART = {"seed": 3, "kind": "healthy", "phases": 8, "slices": 11, "size": 96}
_LIVER = {"size": 96, "slices": 4}

STUDIES: Mapping[str, Asked] = {
    "abdominal_fat": Asked("abdominal_fat", lambda: abdomen_mr.patient(kind="fat and water", size=112, slices=4).files),
    "body_composition": Asked("body_composition", _level),
    "breast_density": Asked("breast_density", lambda: breast.patient().files),
    "cardiac_cine, drawn": Asked("cardiac_cine", lambda: heart.patient(outlines=True, **_HEART).files),  # type: ignore[arg-type]
    "cardiac_cine": Asked("cardiac_cine", lambda: heart.patient(**_HEART).files),  # type: ignore[arg-type]
    "chest_xray_heart": Asked("chest_xray_heart", lambda: thorax.patient().files),
    "chest_xray_opacity": Asked("chest_xray_opacity", lambda: chest.patient().files),
    "coronary_calcium, drawn": Asked("coronary_calcium", lambda: coronary.patient(vessels=True).files),
    "coronary_calcium": Asked("coronary_calcium", lambda: coronary.patient().files),
    "ct_perfusion": Asked("ct_perfusion", lambda: stroke_ct.patient(**_BOLUS).files),  # type: ignore[arg-type]
    "fetal_biometry": Asked("fetal_biometry", _outlined_head, {"weeks": 30.0, "ac_mm": 260.0}),
    "flow4d": Asked("flow4d", lambda: flow_mr.patient(shape=(7, 22, 21), mm=4.2, radius_mm=11.0).files),
    "flow4d, one slice": Asked("flow4d", lambda: flow_mr.slice_patient(frames=20).files),
    "image_quality": Asked("image_quality", lambda: followed.patient().files),
    "lesion_response": Asked("lesion_response", lambda: followed.patient().files),
    "liver_fat_iron": Asked("liver_fat_iron", lambda: abdomen_mr.patient(**_LIVER).files),  # type: ignore[arg-type]
    "liver_stiffness": Asked(
        "liver_stiffness", lambda: titled("LIVER"),
        {"readings": "5.1, 5.2, 5.0, 5.3, 5.2, 5.1, 5.4, 5.0, 5.2, 5.3", "unit": "kPa"},
    ),
    "liver_vessels": Asked("liver_vessels", lambda: liver_ct.patient(slices=28).files),
    "liver_volumetry": Asked("liver_volumetry", lambda: liver_ct.patient(slices=30, thick_mm=5.0, mm=2.0).files),
    "mr_perfusion": Asked("mr_perfusion", lambda: stroke_mr.patient(**_BOLUS).files),  # type: ignore[arg-type]
    "permeability": Asked("permeability", lambda: dce_mr.patient(slices=1).files),
    "pet_response": Asked("pet_response", _two_pets),
    "pet_uptake, drawn": Asked("pet_uptake", lambda: pet_ct.patient().files),
    "pet_uptake": Asked("pet_uptake", lambda: pet_ct.patient(structures=False).files),
    "radiomics": Asked("radiomics", lambda: checkerboards.patient().files),
    "structure_change": Asked("structure_change", lambda: followed.patient().files),
    "thyroid_nodule": Asked(
        "thyroid_nodule", _nodule,
        {"composition": "solid", "echogenicity": "hypoechoic", "shape": "wider than tall", "margin": "smooth"},
    ),
    "ultrasound_speckle": Asked("ultrasound_speckle", _placenta, {"dynamic_range_db": fetus.DYNAMIC_RANGE_DB}),
    "volumetry": Asked("volumetry", lambda: followed.patient().files),
}  # fmt: skip


@lru_cache(maxsize=3)
def files_of(name: str) -> tuple[bytes, ...]:
    """The study's files; made once for the encodings that follow one another."""
    return tuple(STUDIES[name].files())
