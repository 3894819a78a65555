"""The segments of a study as one scene at true scale, for a surface view and a headset."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.errors import NotFound, Refused
from isocenter.forms.mesh import scene
from isocenter.forms.words import name_of, one_line, side_of, spoken
from isocenter.govern.policy import Person
from isocenter.record import Finding, Result, Series, Verdict, codes, digest_of, to_plain
from isocenter.space import Reference, Region

__all__ = ["router"]

router = APIRouter()

_MOST, _KEPT = 60, 4
_OUTLINES = ("SEG", "RTSTRUCT")
_LETTERS = {"left": "L", "right": "R"}


@router.get("/api/studies/{uid}/surfaces")
def surfaces(uid: Uid, request: Request, site: SiteHere, who: Annotated[Person, needs("results")]) -> Any:
    """What the scene of a study holds: names, sides, colours, volumes; who outlined each, and who else the same."""
    return {"parts": to_plain(_scene(request, site, uid, who)[1])}


@router.get("/api/studies/{uid}/surfaces.glb")
def surfaces_glb(uid: Uid, request: Request, site: SiteHere, who: Annotated[Person, needs("results")]) -> Response:
    """The scene as GLB: metres, one node a part."""
    data, _ = _scene(request, site, uid, who)
    headers = {"Content-Disposition": 'inline; filename="segments.glb"', "Cache-Control": "no-store"}
    return Response(data, media_type="model/gltf-binary", headers=headers)


@dataclass(frozen=True)
class _Part:
    """One surface: what it is of, its side (L, R or nothing), who outlined it, whose result holds it, and who else
    outlined the same.
    """

    name: str
    side: str
    by: str
    teller: str
    region: Region
    also: tuple[tuple[str, float], ...] = ()

    def told(self) -> dict[str, Any]:
        also = [{"by": by, "volume_ml": volume} for by, volume in self.also]
        return {"side": self.side, "by": self.by, "also": also}


def _scene(request: Request, site: PagesSite, uid: str, who: Person) -> tuple[bytes, list[dict[str, Any]]]:
    parts = _parts(site, uid, who)
    if not parts:
        raise NotFound(
            "segments of this study",
            "none that you may see now has voxels in patient space",
            "look at the study in the reading room",
        )
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
    series = site.study(uid, who=who).series
    found: list[tuple[bool, _Part]] = []
    for _, result in site.results(uid, who=who):
        machine = result.origin.kind == "machine"
        for finding in result.findings:
            where = finding.where
            if where is None or finding.verdict is Verdict.STRUCK or where.mask is None or not where.voxels:
                continue
            if where.geometry.reference is not Reference.PATIENT:
                continue
            name = one_line(where.label) or name_of(finding)
            part = _Part(
                name, _LETTERS.get(side_of(finding), ""), _by(series, result, finding), result.origin.name, where
            )
            same = next((n for n, (_, other) in enumerate(found) if where == other.region), None)
            if same is None:
                found.append((machine, part))
            elif not found[same][1].side:  # what measured it first may not know its side
                found[same] = found[same][0], replace(found[same][1], side=part.side)
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
            once = kept[same]
            more = () if part.by == once.by else ((part.by, part.region.volume_ml),)
            kept[same] = replace(once, side=once.side or part.side, also=(*once.also, *more))
    return sorted(kept, key=lambda part: -part.region.volume_ml)[:_MOST]


def _by(series: Sequence[Series], result: Result, finding: Finding) -> str:
    """Who outlined it. What only measures an outline that it was given (radiomics) drew none: its object is named."""
    if result.origin.kind != "machine":
        return "a reader"
    given = [one for one in series if one.modality in _OUTLINES and one.uid in result.receipt.series]
    if not given or finding.what not in (codes.STRUCTURE, codes.REGION):
        return spoken(result.origin.name)
    return ", ".join(f"{one.modality}{'' if one.number is None else f' #{one.number}'}" for one in given)


def _voxel_mm3(region: Region) -> float:
    return region.volume_ml / region.voxels


def _same(one: _Part, other: _Part) -> bool:
    """Whether two outlined one thing: of one name, one at most twice as large, their middles half a radius apart."""
    if one.name != other.name or one.teller == other.teller:
        return False
    small, large = sorted((one.region.volume_ml, other.region.volume_ml))
    away = math.dist(one.region.centre_mm, other.region.centre_mm)
    return large <= 2 * small and away < 0.5 * (3 * small * 1000 / (4 * math.pi)) ** (1 / 3)
