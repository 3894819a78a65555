"""How a refusal is written: a page for a person who opened an address in a browser, JSON for every program.

A link that is spent, a host name that is not known, a way back from a sign-in service that proves nothing: nobody who
comes to these has our pages open already, so the page stands by itself. It wears the built pages' style sheet and
needs no script.
"""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["written"]

_SHEET = re.compile(r'href="(/assets/[\w.-]+\.css)"')
_PROGRAMS = ("/dicom-web/", "/fhir/")
"""Below these no page of ours is opened, and whoever asks knows the errors of its standard."""
_PAGE = """<!doctype html>
<html lang="en" data-theme="dark"><head><meta charset="utf-8"><title>{title} · Isocenter</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="dark light">
{sheet}</head>
<body><main><section class="state" role="alert"><h1 class="muted">Isocenter</h1>
<h2>{what}</h2>
{why}{do}<p class="acts"><a class="button primary" href="{to}">{act}</a></p></section></main></body></html>
"""
_SIGNING_IN = "/sign-in"


def written(scope: MutableMapping[str, Any], status: int, body: dict[str, Any]) -> tuple[str, bytes]:
    """Kind and bytes of a refusal.

    Args:
        scope: of the request (ASGI); its headers say who asks.
        status: that the answer has.
        body: of the refusal as programs get it.
    """
    if not _opened_in_a_browser(scope):
        return "application/json", json.dumps(body).encode()
    told = body["error"]
    door = status in (401, 403)
    page = _PAGE.format(
        title="Not signed in" if door and str(scope["path"]).startswith(_SIGNING_IN) else "Refused",
        sheet=_sheet(scope), what=_sentence(told["what"]).removesuffix("."),
        why=f"<p>{_sentence(told['why'])}</p>\n" if told["why"] else "",
        do=f'<p class="muted">{_sentence(told["do"])}</p>\n' if told["do"] else "",
        to=_SIGNING_IN if door else "/", act="Go to the sign-in page" if door else "Go to the first page",
    )  # fmt: skip
    return "text/html; charset=utf-8", page.encode()


def _opened_in_a_browser(scope: MutableMapping[str, Any]) -> bool:
    """Browsers want a page of whatever is opened in them; what our pages fetch, and programs, do not ask for one."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    path = str(scope["path"])
    return (
        scope["method"] in ("GET", "HEAD")
        and not path.startswith(_PROGRAMS)
        and b"text/html" in headers.get(b"accept", b"").lower()
        and headers.get(b"sec-fetch-mode", b"navigate").lower() == b"navigate"
    )


def _sheet(scope: MutableMapping[str, Any]) -> str:
    """The style sheet of the built pages, by the name that this build gave it; none where they are not built."""
    index = Path(scope["app"].state.web) / "index.html"
    found = _SHEET.search(index.read_text("utf-8")) if index.is_file() else None
    return f'<link rel="stylesheet" href="{found[1]}">' if found else ""


def _sentence(words: str) -> str:
    return escape(f"{words[:1].upper()}{words[1:]}" + ("" if words.endswith((".", "?")) else "."))
