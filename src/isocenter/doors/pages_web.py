"""The built pages themselves: files that hold no data, and one page for every address of the app."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from isocenter.doors.pages_who import needs
from isocenter.errors import NotFound
from isocenter.govern.policy import Person

__all__ = ["built", "index", "router"]

_NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Isocenter</title></head>
<body><main><h1>Isocenter is running</h1>
<p>The pages of the reading room are not built in this installation. Everything else works: the JSON beneath them is
under <code>/api</code>, DICOMweb under <code>/dicom-web</code>.</p>
<p>To build them in a clone, run <code>make web</code> and start the server again.</p></main></body></html>
"""
_OPEN = ("sign-in", "shared")
_OF_THE_LIST, _OF_ALL = "/api/begin?limit=60&ai=on", "/api/begin?limit=0&ai=on"  # as the pages write it
_KINDS = {  # what browsers insist on; the rest is told by the name
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}

router = APIRouter()


def built() -> Path:
    """Where the build puts the pages."""
    return Path(str(files("isocenter.doors"))) / "web"


def index(request: Request) -> Response:
    """The one page of the app; a plain one that says so where the app is not built."""
    page = _folder(request) / "index.html"
    if not page.is_file():
        return HTMLResponse(_NOT_BUILT)
    headers = {"Cache-Control": "no-cache"}
    if first := _asked_first(request):
        headers["Link"] = f"<{first}>; rel=preload; as=fetch; crossorigin=anonymous"
    return FileResponse(page, media_type="text/html", headers=headers)


def _asked_first(request: Request) -> str:
    """What the page will ask for before anything else, so that the browser can ask while it still reads the page;
    empty where nobody has to be signed in, or something else is asked than the plain list."""
    head = request.url.path.strip("/").partition("/")[0] or "worklist"
    if head in _OPEN:
        return ""
    if head == "worklist":
        return "" if request.url.query else _OF_THE_LIST
    return _OF_ALL


@router.get("/{path:path}", include_in_schema=False)
def page(path: str, request: Request, _: Annotated[Person, needs("page")]) -> Response:
    """A file of the build; the app itself for every other address, so that each view can be reloaded and linked.

    Raises:
        NotFound: below `/api`, `/dicom-web` and `/assets` an address that is not there is an error, not a page.
    """
    folder = _folder(request).resolve()
    wanted = (folder / path).resolve() if "\x00" not in path else folder
    if path and wanted.is_relative_to(folder) and wanted.is_file():
        # Files under assets carry the digest of their content in their name.
        keep = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
        return FileResponse(wanted, media_type=_KINDS.get(wanted.suffix), headers={"Cache-Control": keep})
    if path.split("/")[0] in ("api", "dicom-web", "assets"):
        raise NotFound("nothing has this address", "it may be mistyped, or of another version", "look into the manual")
    return index(request)


def _folder(request: Request) -> Path:
    folder: Path = request.app.state.web
    return folder
