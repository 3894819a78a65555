"""Flow through planes that a reader sets across a vessel."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person
from isocenter.site.probing import Across

__all__ = ["router"]

router = APIRouter()

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class Plane(BaseModel):
    """A point of the patient (LPS, mm) in the vessel, and the normal of the plane through it."""

    point_mm: tuple[_Finite, _Finite, _Finite]
    normal: tuple[_Finite, _Finite, _Finite]


class Planes(BaseModel):
    """One plane, or two that are held against each other."""

    planes: Annotated[list[Plane], Field(min_length=1, max_length=2)]
    venc_cm_s: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 0.0


@router.post("/api/studies/{uid}/flow")
def flow(uid: Uid, asked: Planes, site: SiteHere, who: Annotated[Person, needs("correct")]) -> Any:
    """The curve of a beat, forward, backward and net volume and peak; of two planes also inflow less outflow in %."""
    here: PagesSite = site
    planes = [Across(one.point_mm, one.normal) for one in asked.planes]
    return here.probing.flow(uid, planes, who=who, venc_cm_s=asked.venc_cm_s)
