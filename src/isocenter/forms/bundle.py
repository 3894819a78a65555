"""One result in every form that it has: for a folder, and as DICOM objects for another system."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence

from isocenter.errors import Refused
from isocenter.forms import maps, mesh, nifti, parametric_map, plot, seg, sr
from isocenter.forms.answer import answer
from isocenter.record import Outcome, Result, Study, Verdict
from isocenter.space import Reference, Shape

__all__ = ["dicom_objects", "files_of"]

Sources = Callable[[str], bytes]
"""SOP Instance UID -> the stored file."""

Blob = Callable[[str], bytes]
"""Digest -> bytes."""

_Files = Iterator[tuple[str, bytes]]


def dicom_objects(
    study: Study, results: Sequence[tuple[str, Result]], sources: Sources, blob: Blob
) -> tuple[list[bytes], list[str]]:
    """SEG, SR and parametric maps of results that say something.

    Returns:
        the objects, and a line for each form that a result could not take (a tilted gantry has no SEG), so that
        nothing is left out in silence.
    """
    objects: list[bytes] = []
    left_out: list[str] = []
    for _, result in results:
        if result.outcome is not Outcome.DECLINED:
            for _, data in _dicom(study, result, sources, blob, left_out):
                objects.append(data)
    return objects, left_out


def files_of(study: Study, result: Result, sources: Sources, blob: Blob) -> _Files:
    """(file name, bytes): answer.json, SEG, SR, parametric maps, NIfTI, meshes, figures; left-out.json says what not.

    Names are made of the analysis' own words and numbers, never of a DICOM value.
    """
    left_out: list[str] = []
    yield "answer.json", json.dumps(answer(result), indent=2, ensure_ascii=False).encode()
    if result.outcome is not Outcome.DECLINED:
        yield from _dicom(study, result, sources, blob, left_out)
        yield from _regions(result, left_out)
        yield from _maps(result, blob, left_out)
        for number, curve in enumerate(result.curves, 1):
            yield f"curve-{number}.svg", plot.curve(curve).encode()
    if left_out:
        yield "left-out.json", json.dumps(left_out, indent=2, ensure_ascii=False).encode()


def _dicom(study: Study, result: Result, sources: Sources, blob: Blob, left_out: list[str]) -> _Files:
    segmentations: tuple[bytes, ...] = ()
    if seg.segments(result):
        try:
            segmentations = seg.write(result, study, sources)
        except Refused as refusal:
            left_out.append(f"{result.origin.name} as SEG: {refusal}")
    for number, data in enumerate(segmentations, 1):
        yield f"segmentation-{number}.dcm", data
    try:
        yield "report.dcm", sr.write(result, study, sources, segmentations=segmentations)
    except Refused as refusal:
        left_out.append(f"{result.origin.name} as SR: {refusal}")
    for held in result.maps:
        try:
            values = maps.unpack(blob(held.digest), held)
            yield f"map-{_safe(held.name)}.dcm", parametric_map.write(held, values, result, study, sources)
        except Refused as refusal:
            left_out.append(f"{result.origin.name}, map {held.name}, as parametric map: {refusal}")


def _regions(result: Result, left_out: list[str]) -> _Files:
    number = 0
    for finding in result.findings:
        where = finding.where
        if where is None or where.shape is not Shape.MASK or finding.verdict is Verdict.STRUCK:
            continue
        number += 1
        if where.geometry.reference is not Reference.PATIENT:
            left_out.append(f"region {number} as NIfTI and mesh: it has no patient coordinates")
            continue
        yield f"region-{number}.nii.gz", nifti.write(where)
        for kind in ("stl", "glb"):
            try:
                yield f"region-{number}.{kind}", mesh.write(where, kind)
            except Refused as refusal:
                left_out.append(f"region {number} as {kind}: {refusal}")


def _maps(result: Result, blob: Blob, left_out: list[str]) -> _Files:
    for held in result.maps:
        try:
            yield f"map-{_safe(held.name)}.nii.gz", nifti.write(maps.unpack(blob(held.digest), held))
        except Refused as refusal:
            left_out.append(f"map {held.name} as NIfTI: {refusal}")


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:40]
