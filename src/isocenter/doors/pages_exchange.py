"""The systems around the archive as JSON: messages in and out, promises of storage, peers and whether they answer."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from isocenter.doors.pages_json import paged
from isocenter.doors.pages_machine import machine_of
from isocenter.doors.pages_orders import Offset
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.errors import NotFound, Refused
from isocenter.govern.policy import Person, may

__all__ = ["router"]

router = APIRouter()


@router.get("/api/messages")
def messages(
    request: Request,
    site: SiteHere,
    who: Annotated[Person, needs("orders")],
    which: Annotated[str, Query(pattern=r"^(|in|out|faults)$")] = "",
    offset: Offset = 0,
) -> Any:
    """HL7 messages in and out, the latest first; receivers that are owed reports; merges that wait for a person."""
    here: PagesSite = site
    return {
        **paged(here.projects.those(here.messaging.traffic(who=who, which=which), who, "report"), offset),
        "owed": list(here.messaging.owed(who=who)),
        "merges": list(here.messaging.merges(who=who)),
        "listening": machine_of(request).hears_hl7(),
    }


@router.get("/api/promises")
def promises(
    site: SiteHere,
    who: Annotated[Person, needs("orders")],
    offset: Offset = 0,
) -> Any:
    """Storage commitment, given and asked for, the latest first."""
    here: PagesSite = site
    return paged(here.projects.those(here.committing.promises(who=who), who, "orders"), offset)


@router.get("/api/peers")
def peers(site: SiteHere, who: Annotated[Person, needs("send")]) -> Any:
    """DICOM peers; where they listen is told to whoever may add them."""
    here: PagesSite = site
    whole = may(who, "people")
    return {
        "peers": [
            {
                "name": one["name"], "aet": one["aet"], "tls": one["kind"] == "dicom-tls",
                "receives": bool(one["port"]), **({"host": one["host"], "port": one["port"]} if whole else {}),
            }
            for one in here.peers()
        ],
        "may_add": whole,
    }  # fmt: skip


class Added(BaseModel):
    """A DICOM peer: who it is and where it listens; port 0 where it only sends."""

    aet: str = Field(min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")
    host: str = Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:_-]+$")
    port: int = Field(ge=0, le=65535)
    secure: bool = False


@router.post("/api/peers")
def add(told: Added, site: SiteHere, who: Annotated[Person, needs("people")]) -> Any:
    """Let a peer associate, and know where to send to it."""
    here: PagesSite = site
    here.add_peer(told.aet.strip(), told.host, told.port, secure=told.secure, who=who)
    return peers(site, who)


@router.post("/api/peers/{name}/echo")
def echo(
    name: Annotated[str, Path(max_length=64)],
    request: Request,
    site: SiteHere,
    who: Annotated[Person, needs("send")],
) -> Any:
    """Ask a peer whether it is there and knows us (C-ECHO); how many milliseconds its answer took."""
    here: PagesSite = site
    call = machine_of(request).echo
    peer = next((one for one in here.peers() if one["name"] == name), None)
    if peer is None:
        raise NotFound(f"the peer '{name:.64}'", "there is none of that name", "load the list again")
    if call is None or not peer["port"]:
        raise Refused(f"an echo to {peer['aet']}", "it only sends: no port of it is known", "add it with its port")
    begun = time.perf_counter()
    call(peer)
    return {"name": name, "took_ms": round((time.perf_counter() - begun) * 1000)}
