"""Every form that one result takes: what ``analyse --out`` writes to a folder and what `send` gives to an archive."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from isocenter.errors import IsocenterError, NotFound
from isocenter.forms import maps, mesh, nifti, parametric_map, plot, seg, sr
from isocenter.forms.answer import answer
from isocenter.forms.key_images import key_images
from isocenter.forms.maker import Sources
from isocenter.forms.map_pictures import map_svg
from isocenter.forms.segments import bullseyes
from isocenter.record import Map, Outcome, Result, Study, Verdict
from isocenter.space import Reference, Shape

__all__ = ["REGION_FORMS", "Bundle", "Left", "Written", "dicom", "everything", "region"]

DICOM = "application/dicom"
REGION_FORMS = {
    "seg": ("seg.dcm", DICOM), "nifti": ("nii.gz", "application/gzip"), "stl": ("stl", "model/stl"),
    "glb": ("glb", "model/gltf-binary"),
}  # fmt: skip
"""Form of one region -> ending of its file, media type."""

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Written:
    """One file: a name that is safe in any folder, its media type, its bytes."""

    name: str
    media: str
    data: bytes


@dataclass(frozen=True)
class Left:
    """A form that the result could not take, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Bundle:
    """The files of one result, and the forms that were left out with their reasons."""

    files: tuple[Written, ...]
    left: tuple[Left, ...]


class _Collector:
    def __init__(self) -> None:
        self.files: list[Written] = []
        self.left: list[Left] = []

    def take(self, name: str, media: str, make: Callable[[], bytes]) -> bytes | None:
        """Keep what `make` gives, or note why it refused; one form that fails does not cost the others."""
        try:
            data = make()
        except IsocenterError as refused:
            self.left.append(Left(name, str(refused)))
            return None
        self.files.append(Written(name, media, data))
        return data


def dicom(
    result: Result,
    study: Study,
    sources: Sources,
    blob: Callable[[str], bytes],
    *,
    kind: seg.Kind | str = seg.Kind.BINARY,
    signed: sr.Signature | None = None,
    withheld: Mapping[str, str] = _NONE,
) -> Bundle:
    """The DICOM objects of a result: segmentations, parametric maps, and the structured report that cites them.

    Args:
        result: a declined one has no objects; the bundle is empty.
        study: that it is about.
        sources: gives the stored file of a SOP Instance UID.
        blob: gives a map's voxels by digest.
        kind: encoding of the segmentations.
        signed: the person who verified, for a result of a person.
        withheld: maps that may not be shown -> why.
    """
    to = _Collector()
    if result.outcome is not Outcome.DECLINED:
        _objects(to, result, study, sources, blob, kind, signed, withheld)
    return Bundle(tuple(to.files), tuple(to.left))


def region(result: Result, tracking: str, form: str, study: Study, sources: Sources) -> Written:
    """One outlined finding in one form.

    Args:
        form: a key of `REGION_FORMS`.

    Raises:
        NotFound: the result has no such finding, it outlines nothing, or was struck.
        Refused: the form cannot hold it, such as NIfTI a region without a place in the patient.
    """
    if form not in REGION_FORMS:
        raise NotFound(f"the form '{form:.20}'", f"a region is taken as {', '.join(REGION_FORMS)}", "name one of these")
    found = next((f for f in result.findings if f.tracking == tracking and f.verdict is not Verdict.STRUCK), None)
    where = found.where if found else None
    if found is None or where is None or where.mask is None or not where.voxels:
        raise NotFound("no such region in this result", "it may have been replaced or struck", "load the study again")
    ending, media = REGION_FORMS[form]
    if form == "seg":
        (data, *_) = seg.write(replace(result, findings=(found,)), study, sources)
    elif form == "nifti":
        data = nifti.write(where)
    else:
        data = mesh.write(where, "stl" if form == "stl" else "glb")
    return Written(f"{_stem(result)}.{ending}", media, data)


def everything(
    result: Result,
    study: Study,
    sources: Sources,
    blob: Callable[[str], bytes],
    *,
    kind: seg.Kind | str = seg.Kind.BINARY,
    withheld: Mapping[str, str] = _NONE,
) -> Bundle:
    """The DICOM objects, and the same as NIfTI, meshes, figures and JSON, without the maps that may not be shown."""
    to, stem = _Collector(), _stem(result)
    plain = json.dumps(answer(result), indent=1, ensure_ascii=False).encode()
    to.take(f"{stem}.json", "application/json", lambda: plain)
    if result.outcome is not Outcome.DECLINED:
        _objects(to, result, study, sources, blob, kind, None, withheld)
        _volumes(to, result, blob, withheld)
        for held in (m for m in result.maps if m.name not in withheld):
            to.take(
                f"{stem}.map.{_safe(held.name)}.svg",
                "image/svg+xml",
                lambda m=held: map_svg(m, study, sources, blob).encode(),  # type: ignore[misc]
            )
        for number, picture in enumerate(key_images(study, [result], sources), start=1):
            to.take(f"{stem}.figure{number}.svg", "image/svg+xml", lambda p=picture: p.svg.encode())  # type: ignore[misc]
    for number, svg in enumerate(bullseyes(result), start=1):
        to.take(f"{stem}.bullseye{number}.svg", "image/svg+xml", lambda s=svg: s.encode())  # type: ignore[misc]
    for number, one in enumerate(result.curves, start=1):
        to.take(f"{stem}.curve{number}.svg", "image/svg+xml", lambda c=one: plot.curve(c).encode())  # type: ignore[misc]
    return Bundle(tuple(to.files), tuple(to.left))


def _objects(
    to: _Collector,
    result: Result,
    study: Study,
    sources: Sources,
    blob: Callable[[str], bytes],
    kind: seg.Kind | str,
    signed: sr.Signature | None,
    withheld: Mapping[str, str],
) -> None:
    stem = _stem(result)
    segmentations: tuple[bytes, ...] = ()
    if seg.segments(result):
        try:
            segmentations = seg.write(result, study, sources, kind=kind)
        except IsocenterError as refused:
            to.left.append(Left(f"{stem}.seg.dcm", str(refused)))
    for number, data in enumerate(segmentations, start=1):
        to.files.append(Written(f"{stem}.seg{number}.dcm", DICOM, data))
    for name, why in withheld.items():
        to.left.append(Left(f"{stem}.map.{_safe(name)}", f"not shown: {why}"))
    for one in (m for m in result.maps if m.name not in withheld):
        if one.geometry.reference != Reference.PATIENT:
            continue  # DICOM has no map without a frame of reference; `everything` writes a picture
        to.take(
            f"{stem}.map.{_safe(one.name)}.dcm",
            DICOM,
            lambda m=one: parametric_map.write(m, maps.unpack(blob(m.digest), m), result, study, sources),  # type: ignore[misc]
        )
    to.take(
        f"{stem}.sr.dcm",
        DICOM,
        lambda: sr.write(result, study, sources, segmentations=segmentations, signed=signed),
    )


def _volumes(to: _Collector, result: Result, blob: Callable[[str], bytes], withheld: Mapping[str, str]) -> None:
    stem = _stem(result)
    number = 0
    for finding in result.findings:
        where = finding.where
        if where is None or where.shape is not Shape.MASK or not where.voxels or finding.verdict is Verdict.STRUCK:
            continue
        if where.geometry.reference != Reference.PATIENT:
            continue  # a projection has neither a place for NIfTI nor a surface
        number += 1
        name = f"{stem}.region{number}"  # its label came from a header, and no such value becomes a path
        to.take(f"{name}.nii.gz", "application/gzip", lambda w=where: nifti.write(w))  # type: ignore[misc]
        to.take(f"{name}.stl", "model/stl", lambda w=where: mesh.write(w, "stl"))  # type: ignore[misc]
        to.take(f"{name}.glb", "model/gltf-binary", lambda w=where: mesh.write(w, "glb"))  # type: ignore[misc]
    for one in (m for m in result.maps if m.name not in withheld):
        if one.geometry.reference != Reference.PATIENT:
            to.take(f"{stem}.map.{_safe(one.name)}.png", "image/png", lambda m=one: _picture(m, blob))  # type: ignore[misc]
        else:
            to.take(
                f"{stem}.map.{_safe(one.name)}.nii.gz",
                "application/gzip",
                lambda m=one: nifti.write(maps.unpack(blob(m.digest), m)),  # type: ignore[misc]
            )


def _picture(of: Map, blob: Callable[[str], bytes]) -> bytes:
    high = of.high if of.high > of.low else of.low + 1.0
    return plot.map_png(maps.unpack(blob(of.digest), of), 0, of.low, high)


def _stem(result: Result) -> str:
    return f"{_safe(result.origin.name)}-{result.id[:8]}"


def _safe(name: str) -> str:
    """A name that an analysis gave, as part of a file name: no separators, no dots, never empty."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:40].strip("_") or "unnamed"
