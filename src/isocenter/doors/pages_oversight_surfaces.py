"""The segments of a study as one scene at true scale, for a surface view and a headset."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, replace
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
    """What the scene of a study holds: names, colours, volumes; and who else outlined the same, how large."""
    return {"parts": to_plain(_scene(request, site, uid, who)[1])}


@router.get("/api/studies/{uid}/surfaces.glb")
def surfaces_glb(uid: Uid, request: Request, site: SiteHere, who: Annotated[Person, needs("results")]) -> Response:
    """The scene as GLB: metres, one node a part."""
    data, _ = _scene(request, site, uid, who)
    headers = {"Content-Disposition": 'inline; filename="segments.glb"', "Cache-Control": "no-store"}
    return Response(data, media_type="model/gltf-binary", headers=headers)


@dataclass(frozen=True)
class _Part:
    """One surface: a region, who outlined it, and who else outlined the same."""

    name: str
    by: str
    region: Region
    also: tuple[tuple[str, float], ...] = ()

    def told(self) -> dict[str, Any]:
        return {"by": self.by, "also": [{"by": by, "volume_ml": volume} for by, volume in self.also]}


def _scene(request: Request, site: PagesSite, uid: str, who: Person) -> tuple[bytes, list[dict[str, Any]]]:
    site.study(uid, who=who)
    parts = _parts(site, uid, who)
    if not parts:
        raise NotFound("segments of this study", "none that you may see now has voxels in patient space")
    held: OrderedDict[str, tuple[bytes, list[dict[str, Any]]]] = request.app.state.__dict__.setdefault(
        "scenes", OrderedDict()
    )
    key = digest_of([uid, [[part.name, part.told(), digest_of(part.region)] for part in parts]])
    if key not in held:
        data, told = scene([(part.name, part.region) for part in parts])
        held[key] = data, [one | part.told() for one, part in zip(told, parts, strict=True)]
        while len(held) > _KEPT:
            held.popitem(last=False)
    return held[key]


def _parts(site: PagesSite, uid: str, who: Person) -> list[_Part]:
    """What of the results this person may see, in one frame of reference: that of the largest, the largest first.

    What several outlined is one surface: a reader's, else that of the finest voxels.
    """
    found: list[tuple[bool, _Part]] = []
    for _, result in site.results(uid, who=who):
        machine = result.origin.kind == "machine"
        for finding in result.findings:
            where = finding.where
            if where is None or finding.verdict is Verdict.STRUCK or where.mask is None or not where.voxels:
                continue
            if where.geometry.reference is Reference.PATIENT and all(where != other.region for _, other in found):
                by = spoken(result.origin.name) if machine else "a reader"
                found.append((machine, _Part(where.label or name_of(finding), by, where)))
    if not found:
        return []
    frame = max(found, key=lambda one: one[1].region.volume_ml)[1].region.geometry
    kept: list[_Part] = []
    for _, part in sorted(found, key=lambda one: (one[0], _voxel_mm3(one[1].region))):
        try:
            frame.must_share_frame(part.region.geometry)
        except Refused:
            continue
        same = next((n for n, other in enumerate(kept) if _same(other, part)), None)
        if same is None:
            kept.append(part)
        else:
            kept[same] = replace(kept[same], also=(*kept[same].also, (part.by, part.region.volume_ml)))
    return sorted(kept, key=lambda part: -part.region.volume_ml)[:_MOST]


def _voxel_mm3(region: Region) -> float:
    return region.volume_ml / region.voxels


def _same(one: _Part, other: _Part) -> bool:
    """Whether two outlined one thing: of one name, one at most twice as large, their middles half a radius apart."""
    if one.name != other.name or one.by == other.by:
        return False
    small, large = sorted((one.region.volume_ml, other.region.volume_ml))
    away = math.dist(one.region.centre_mm, other.region.centre_mm)
    return large <= 2 * small and away < 0.5 * (3 * small * 1000 / (4 * math.pi)) ** (1 / 3)
