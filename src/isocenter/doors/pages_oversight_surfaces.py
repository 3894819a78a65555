"""The segments of a study as one scene at true scale, for a surface view and a headset."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.errors import NotFound, Refused
from isocenter.forms.mesh import scene
from isocenter.forms.words import name_of, spoken
from isocenter.govern.policy import Person
from isocenter.record import Verdict, digest_of, to_plain
from isocenter.space import Reference, Region

__all__ = ["router"]

router = APIRouter()

_MOST, _KEPT = 60, 4


@router.get("/api/studies/{uid}/surfaces")
def surfaces(uid: Uid, request: Request, site: SiteHere, who: Annotated[Person, needs("results")]) -> Any:
    """What the scene of a study holds: names, colours, volumes."""
    return {"parts": to_plain(_scene(request, site, uid, who)[1])}


@router.get("/api/studies/{uid}/surfaces.glb")
def surfaces_glb(uid: Uid, request: Request, site: SiteHere, who: Annotated[Person, needs("results")]) -> Response:
    """The scene as GLB: metres, one node a part."""
    data, _ = _scene(request, site, uid, who)
    headers = {"Content-Disposition": 'inline; filename="segments.glb"', "Cache-Control": "no-store"}
    return Response(data, media_type="model/gltf-binary", headers=headers)


def _scene(request: Request, site: PagesSite, uid: str, who: Person) -> tuple[bytes, list[dict[str, Any]]]:
    site.study(uid, who=who)
    parts = _parts(site, uid, who)
    if not parts:
        raise NotFound("segments of this study", "none that you may see now has voxels in patient space")
    held: OrderedDict[str, tuple[bytes, list[dict[str, Any]]]] = request.app.state.__dict__.setdefault(
        "scenes", OrderedDict()
    )
    key = digest_of([uid, [[name, digest_of(region)] for name, region in parts]])
    if key not in held:
        held[key] = scene(parts)
        while len(held) > _KEPT:
            held.popitem(last=False)
    return held[key]


def _parts(site: PagesSite, uid: str, who: Person) -> list[tuple[str, Region]]:
    """Regions of the results that this person may see, in one frame of reference: that of the largest."""
    found: list[tuple[str, Region]] = []
    said: list[str] = []
    for _, result in site.results(uid, who=who):
        for finding in result.findings:
            where = finding.where
            if where is None or finding.verdict is Verdict.STRUCK or where.mask is None or not where.voxels:
                continue
            if where.geometry.reference is Reference.PATIENT and all(where != other for _, other in found):
                found.append((where.label or name_of(finding), where))
                said.append(spoken(result.origin.name) if result.origin.kind == "machine" else "a reader")
    # Two that drew the same lesion call it the same: then who drew it stands beside the name.
    often = Counter(name for name, _ in found)
    found = [
        (f"{name}, {by}" if often[name] > 1 else name, where) for (name, where), by in zip(found, said, strict=True)
    ]
    found.sort(key=lambda part: -part[1].volume_ml)
    kept = []
    for part in found[:_MOST]:
        try:
            found[0][1].geometry.must_share_frame(part[1].geometry)
        except Refused:
            continue
        kept.append(part)
    return kept
