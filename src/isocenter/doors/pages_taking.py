"""Figures that a person takes out of a page: a file with its receipt, and an entry of the journal that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import Response

from isocenter.govern.policy import Person
from isocenter.record import to_plain

if TYPE_CHECKING:
    from isocenter.site.auditing import Auditing

__all__ = ["Take", "attached"]

_ASKED = ("since", "until", "zone", "hours", "span", "by", "target_min", "on_since", "state")


class _Taking:
    """Whether what is asked for is taken out as a file, and by what it was narrowed."""

    def __init__(
        self, request: Request, take: Annotated[bool, Query(description="as a file, with a receipt")] = False
    ) -> None:
        self.take = take
        self.asked = {name: request.query_params[name][:40] for name in _ASKED if name in request.query_params}

    def of(self, name: str, figures: Any, audits: Auditing, who: Person) -> Any:
        """The figures for the page; or the file of them, which is written down before it leaves."""
        plain = to_plain(figures)
        if not self.take:
            return plain
        whole = audits.receipt(name, self.asked, plain, who=who)
        return Response(
            whole, media_type="application/json", headers=attached(f"{name.replace(' ', '-').lower()}.json")
        )


Take = Annotated[_Taking, Depends()]


def attached(name: str) -> dict[str, str]:
    """Headers of a file to be kept; `name` is ours, never a value of DICOM."""
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
