"""What the pages know of the running server itself: how it was started, what waits, how full the disk is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageMetadata, distributions, version
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import PlainTextResponse

from isocenter.dicom.conformance import statement
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.errors import Refused
from isocenter.govern.policy import Person
from isocenter.settings import Settings

__all__ = ["Machine", "machine_of", "router"]

router = APIRouter()


@dataclass(frozen=True)
class Machine:
    """The server behind the pages.

    Args:
        settings: with which it was started; None for an application that stands alone.
        waiting: number of jobs that are not done.
        again: promises a study another plan and analysis; None where no worker listens.
        echo: asks a DICOM peer whether it answers; raises where it does not. None where this server calls nobody.
        audit_silent_s: seconds since the audit collector was first not reached, 0 while it takes entries.
        ahead: number of jobs that run or go before the analysis of a study; None where none of it is promised.
        research: promises a person an analysis of a study for research; None where no worker listens.
        running: studies that are being analysed, each with the share of its analyses that have answered.
    """

    settings: Settings | None = None
    waiting: Callable[[], int] = lambda: 0
    again: Callable[[str], None] | None = None
    echo: Callable[[Mapping[str, Any]], None] | None = None
    audit_silent_s: Callable[[], float] = lambda: 0.0
    ahead: Callable[[str], int | None] = lambda study: None
    research: Callable[[str, str, str], None] | None = None
    running: Callable[[], Mapping[str, float]] = dict

    def start(self, *, secrets: bool) -> list[dict[str, Any]]:
        """What was set at start: name, variable, value, shipped value, meaning. Each needs a restart.

        Args:
            secrets: whether addresses and folders are told; a password in an address never is.
        """
        if self.settings is None:
            return []
        return [
            {
                "name": name,
                "variable": f"ISOCENTER_{name.upper()}",
                "about": field.description,
                "value": _told(value := getattr(self.settings, name)) if secrets else None,
                "shipped": _told(field.default),
                "changed": value != field.default if secrets else None,
                "restart": True,
            }
            for name, field in Settings.model_fields.items()
        ]

    def hears_hl7(self) -> bool:
        """Whether a port for HL7 messages is set."""
        return self.settings is not None and self.settings.hl7_port >= 0

    def disk(self) -> dict[str, int] | None:
        """Bytes of the disk on which the archive's folder lies: total and free."""
        if self.settings is None or not self.settings.folder.is_dir():
            return None
        usage = shutil.disk_usage(self.settings.folder)
        return {"total": usage.total, "free": usage.free}


def machine_of(request: Request) -> Machine:
    """The server behind this application."""
    machine: Machine = request.app.state.machine
    return machine


@router.get("/api/system")
def system(request: Request, site: SiteHere, who: Annotated[Person, needs("metrics")]) -> Any:
    """How the server does: version, what it holds, what waits, how full the disk is, when a backup was last tried."""
    here: PagesSite = site
    machine = machine_of(request)
    return {
        "version": version("isocenter"),
        "counts": dict(here.counts(who=who)),
        "waiting": machine.waiting(),
        "works": machine.again is not None,
        "disk": machine.disk(),
        "backup": here.keeping.last(who=who),
    }


@router.get("/api/conformance", response_class=PlainTextResponse)
def conformance(_: Annotated[Person, needs("me")]) -> str:
    """What this archive takes, finds and gives over DICOM: its conformance statement, as Markdown."""
    return statement()


@router.get("/api/licences")
def licences(_: Annotated[Person, needs("metrics")]) -> Any:
    """The Python packages of this installation, each with its version and the licence that it states."""
    return {"packages": list(_packages())}


@cache
def _packages() -> tuple[dict[str, str], ...]:
    told = {
        one.name: {"name": one.name, "version": one.version, "licence": _licence(one.metadata)}
        for one in distributions()
    }
    return tuple(told[name] for name in sorted(told, key=str.lower))


def _licence(stated: PackageMetadata) -> str:
    """Its licence as an expression (PEP 639), else by its classifiers, else the first line of its own words."""

    def first(field: str) -> str:
        return str(next(iter(stated.get_all(field) or ()), ""))

    by_class = (one.rpartition(" :: ")[2] for one in stated.get_all("Classifier") or () if one.startswith("License ::"))
    words = next(iter(first("License").strip().splitlines()), "")
    return first("License-Expression") or ", ".join(by_class) or words


@router.post("/api/studies/{uid}/analyse")
def analyse(
    uid: Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")],
    request: Request,
    site: SiteHere,
    who: Annotated[Person, needs("analyse")],
) -> Any:
    """Plan and analyse a study again. What the same version has answered on the same bytes is not run again."""
    here: PagesSite = site
    here.study(uid, who=who)
    again = machine_of(request).again
    if again is None:
        raise Refused("no worker is running", "this server only shows", "start `isocenter serve` or `isocenter work`")
    again(uid)
    return {"study": uid, "promised": True}


@router.post("/api/studies/{uid}/research/{analysis}")
def research(
    uid: Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")],
    analysis: Annotated[str, Path(min_length=1, max_length=128)],
    request: Request,
    site: SiteHere,
    who: Annotated[Person, needs("analyse")],
) -> Any:
    """Run an analysis for research on a study that it declined; what it says reaches no report and no list."""
    here: PagesSite = site
    here.study(uid, who=who)
    here.researchable(uid, analysis, who=who)
    promise = machine_of(request).research
    if promise is None:
        raise Refused("no worker is running", "this server only shows", "start `isocenter serve` or `isocenter work`")
    promise(uid, analysis, who.name)
    return {"study": uid, "analysis": analysis, "promised": True}


def _told(value: Any) -> Any:
    """A value as text where it is no number; a password inside an address is left out."""
    if isinstance(value, bool | int | float):
        return value
    return re.sub(r"(://[^:/@]+):[^@]+@", r"\1:…@", str(value))
