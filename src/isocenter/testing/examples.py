"""Inputs of known truth for shipped analyses whose input takes a whole in-silico patient.

An analysis that can make its examples by arithmetic has them itself (`examples`, see `checks`). A radiograph of a chest
cannot be written in a few lines, and the catalogue imports no phantoms; so its examples stand here, by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import merge, read_header
from isocenter.dicom.regions import regions
from isocenter.record import codes
from isocenter.space import Region, Volume
from isocenter.testing.perfused_examples import ct_perfusion, mr_perfusion
from isocenter.testing.phantoms import abdomen_ct, abdomen_mr, chest, coronary, dce_mr, flow_mr, heart, thorax

__all__ = ["EXAMPLES", "Example"]

Example = tuple[Mapping[str, Any], Mapping[str, Any]]
"""Inputs by need, and the truth that `checks` holds the answer to."""


def _film(seed: int, opacity: str) -> Volume:
    (data,) = chest.patient(seed=seed, opacity=opacity).files
    return assemble(read_header(data).series[0], lambda _: data)[0]


def _chest_xray_opacity() -> Iterator[Example]:
    filled, clear = _film(1, "right lower"), _film(4, "")
    yield {"image": filled}, {"answer": "found", "findings": 1}
    yield {"image": clear}, {"answer": "none"}
    lateral = replace(filled, facts={**filled.facts, "ViewPosition": "LL"})
    yield {"image": lateral}, {"answer": "declined"}
    upside_down = replace(filled, array=np.flip(filled.array, 1).copy())
    yield {"image": upside_down}, {"answer": "declined"}
    noise = np.random.default_rng(0).integers(0, 4095, filled.array.shape).astype(filled.array.dtype)
    yield {"image": replace(filled, array=noise)}, {"answer": "declined"}


def _chest_xray_heart() -> Iterator[Example]:
    made = thorax.patient(seed=1)
    (data,) = made.files
    film = assemble(read_header(data).series[0], lambda _: data)[0]
    ratio = {"Cardiothoracic ratio": (made.truth["cardiothoracic_ratio"], 0.015)}
    yield {"image": film}, {"answer": "found", "findings": 3, "measurements": ratio}
    portable = replace(film, facts={**film.facts, "ViewPosition": "AP", "ViewCode": "antero-posterior"})
    yield {"image": portable}, {"answer": "found", "words": "No cardiothoracic ratio: the view is AP"}
    lateral = replace(film, facts={**film.facts, "ViewPosition": "LL"})
    yield {"image": lateral}, {"answer": "declined", "words": "frontal"}
    inverted = replace(film, array=film.array.max() - film.array)
    yield {"image": inverted}, {"answer": "declined", "words": "no two lungs"}


def _volumes(files: Sequence[bytes]) -> tuple[list[Volume], tuple[Region, ...]]:
    """Volumes of the image series, and what a structure set draws on the first of them."""
    blobs = {}
    studies = []
    for data in files:
        study = read_header(data)
        blobs[study.series[0].instances[0].digest] = data
        studies.append(study)
    (whole,) = merge(studies)
    volumes = [v for s in whole.series if s.modality != "RTSTRUCT" for v in assemble(s, blobs.__getitem__)]
    drawn = [r for s in whole.series if s.modality == "RTSTRUCT" for r in regions(s, blobs.__getitem__, volumes[0])]
    return volumes, tuple(drawn)


def _coronary_calcium() -> Iterator[Example]:
    made = coronary.patient(seed=1, vessels=True)
    (scan,), arteries = _volumes(made.files)
    score = str(codes.CALCIUM_SCORE)
    truth = {"answer": "found", "measurements": {score: (made.truth["agatston"], 1e-6)}, "words": "A2/N4"}
    yield {"ct": scan, "drawn": arteries}, {**truth, "findings": 4}
    yield {"ct": scan, "drawn": None}, {**truth, "findings": 1, "words": "CAC-DRS A2"}
    (clear,), _ = _volumes(coronary.patient(seed=2, plaques={}).files)
    yield {"ct": clear, "drawn": None}, {"answer": "none", "measurements": {score: (0.0, 0.0)}}
    low = replace(scan, facts={**scan.facts, "KVP": 100.0})
    yield {"ct": low, "drawn": None}, {"answer": "declined", "words": "100 kV"}


def _cardiac_cine() -> Iterator[Example]:
    made = heart.patient(seed=3, kind="healthy", outlines=True, phases=8, slices=11, size=96)
    (stack,), outlines = _volumes(made.files)
    truth = made.truth
    exact = {str(codes.LV_EDV): (truth["edv_ml"], 1.5), str(codes.LV_ESV): (truth["esv_ml"], 1.5)}
    yield {"cine": stack, "drawn": outlines}, {"answer": "found", "findings": 3, "measurements": exact}
    # The truth is the border of the compact wall; the network draws as experts do, 0.46 mm outside of it.
    near = {str(codes.LV_EDV): (truth["edv_ml"] + 6.0, 12.0), str(codes.LV_ESV): (truth["esv_ml"] + 4.0, 10.0)}
    yield {"cine": stack, "drawn": None}, {"answer": "found", "findings": 3, "measurements": near}
    few = stack.cropped((2, 0, 0), (7, 96, 96))
    yield {"cine": few, "drawn": None}, {"answer": "declined", "words": "5 slices"}


def _body_composition() -> Iterator[Example]:
    made = abdomen_ct.patient(many=3)
    (scan,), _ = _volumes(made.files)
    level = np.zeros(scan.geometry.shape, bool)
    level[1, 180:200, 150:170] = True
    drawn = (Region(scan.geometry, mask=level, label="L3"),)
    muscle = made.truth["muscle_cm2"]
    measured = {str(codes.SKELETAL_MUSCLE): (muscle, 0.02 * muscle)}
    yield {"ct": scan, "drawn": drawn}, {"answer": "found", "findings": 4, "measurements": measured}
    yield {"ct": scan, "drawn": None}, {"answer": "none", "words": "without a level"}
    low = replace(scan, facts={**scan.facts, "KVP": 80.0})
    yield {"ct": low, "drawn": drawn}, {"answer": "declined", "words": "80 kV"}


def _permeability() -> Iterator[Example]:
    made = dce_mr.patient(slices=1)
    volumes, _ = _volumes(made.files)
    dynamic = next(v for v in volumes if v.axes[0].name == "time")
    flips = tuple(v for v in volumes if v.axes[0].name == "flip")
    masks = dce_mr.signals(slices=1)[2]
    drawn = tuple(Region(dynamic.geometry, mask=masks[n], label=n) for n in ("artery", "tumour"))
    given = {"dynamic": dynamic, "angles": flips, "drawn": drawn}
    yield given, {"answer": "found", "findings": 1, "measurements": {str(codes.KTRANS): (0.25, 0.01)}}
    yield {**given, "angles": None}, {"answer": "declined", "words": "no T1 before contrast"}


def _liver_fat_iron() -> Iterator[Example]:
    small: dict[str, Any] = {"size": 96, "slices": 4}
    made = abdomen_mr.patient(**small)
    parts, _ = _volumes(made.files)
    measured = {str(codes.PDFF): (made.truth["pdff_percent"], 0.3), str(codes.R2_STAR): (60.0, 1.0)}
    yield {"echoes": tuple(parts), "drawn": None}, {"answer": "found", "findings": 1, "measurements": measured}
    lean, _ = _volumes(abdomen_mr.patient(**small, pdff=2.0, r2_star=40.0).files)
    yield {"echoes": tuple(lean), "drawn": None}, {"answer": "none"}
    steep = tuple(replace(v, facts={**v.facts, "FlipAngle": 20.0}) for v in parts)
    yield {"echoes": steep, "drawn": None}, {"answer": "declined", "words": "flip angle 20 degrees"}


def _abdominal_fat() -> Iterator[Example]:
    made = abdomen_mr.patient(kind="fat and water", size=112, slices=4)
    volumes, _ = _volumes(made.files)
    told = {
        "Visceral fat": (made.truth["visceral_ml"], 0.05 * made.truth["visceral_ml"]),
        "Subcutaneous fat": (made.truth["subcutaneous_ml"], 0.05 * made.truth["subcutaneous_ml"]),
    }
    yield {"images": tuple(volumes)}, {"answer": "found", "findings": 2, "measurements": told}
    yield {"images": tuple(volumes[:1])}, {"answer": "declined", "words": "no fat and water images"}


def _flow4d() -> Iterator[Example]:
    made = flow_mr.patient(shape=(7, 22, 21), mm=4.2, radius_mm=11.0)
    volumes, _ = _volumes(made.files)
    given = {"velocity": tuple(volumes[1:]), "magnitude": (volumes[0],), "drawn": None}
    told = {
        "Net flow of a beat": (made.truth["net_ml"], 0.03 * made.truth["net_ml"]),
        "Regurgitant Fraction": (made.truth["regurgitant_percent"], 1.0),
    }
    yield given, {"answer": "found", "findings": 1, "measurements": told}
    yield {**given, "magnitude": None}, {"answer": "declined", "words": "no magnitude images"}
    one = flow_mr.slice_patient(frames=20)
    (magnitude, through), _ = _volumes(one.files)
    told = {"Regurgitant Fraction": (one.truth["regurgitant_percent"], 1.5)}
    sliced = {"velocity": (through,), "magnitude": (magnitude,), "drawn": None}
    yield sliced, {"answer": "found", "findings": 1, "measurements": told}


EXAMPLES: Mapping[str, Callable[[], Iterator[Example]]] = {
    "body_composition": _body_composition,
    "cardiac_cine": _cardiac_cine,
    "chest_xray_heart": _chest_xray_heart,
    "chest_xray_opacity": _chest_xray_opacity,
    "coronary_calcium": _coronary_calcium,
    "ct_perfusion": ct_perfusion,
    "abdominal_fat": _abdominal_fat,
    "flow4d": _flow4d,
    "liver_fat_iron": _liver_fat_iron,
    "mr_perfusion": mr_perfusion,
    "permeability": _permeability,
}
"""Name of an analysis -> its examples."""
