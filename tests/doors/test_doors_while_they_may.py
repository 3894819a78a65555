"""Downloads that have begun and whose right ends: they are broken off, and nothing is taken for the whole."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pydicom
import pytest
from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydicom.data import get_testdata_file
from starlette.requests import Request

from isocenter.app import House, open_house
from isocenter.doors import dicomweb, pages_hand_outs, pages_pictures, pages_who
from isocenter.doors.pages_figures import Figures
from isocenter.doors.pages_guard import Guard
from isocenter.doors.while_they_may import WhileTheyMay
from isocenter.errors import Forbidden, IsocenterError, NotFound, WrongState
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.settings import Settings

LEE = Person("lee", Role.RESEARCHER)


def asked(app: Any, path: str = "/") -> list[dict[str, Any]]:
    """What a server is told to send for a request."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode(), "headers": [],
        "query_string": b"", "scheme": "http", "server": ("localhost", 80), "client": ("127.0.0.1", 1),
        "asgi": {"version": "3.0", "spec_version": "2.4"},
    }  # fmt: skip
    scope["headers"] = [(b"host", b"localhost")]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    anyio.run(app, scope, receive, send)
    return sent


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_a_download_is_broken_off_within_a_second_and_never_looks_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    app, ended, now = FastAPI(), False, [0.0]
    told: list[IsocenterError] = []
    held = tmp_path / "held"
    held.write_bytes(b"x" * 640_000)

    def still() -> None:
        if ended:
            raise Forbidden("the rest", "it ended", "ask")

    def timer() -> float:
        nonlocal ended
        now[0] += 0.3
        ended = ended or now[0] > 1.6
        return now[0]

    @app.get("/")
    def download() -> Response:
        answer = StreamingResponse(iter([b"x" * 64_000] * 10)) if kind == "stream" else FileResponse(held)
        return WhileTheyMay(answer, still, told=told.append, timer=timer)

    sent = asked(Guard(app, names=(), largest=1000, figures=Figures()))
    bodies = [m for m in sent if m["type"] == "http.response.body"]
    assert sent[0]["status"] == 200 and 2 < len(bodies) < 9
    assert all(m.get("more_body") for m in bodies), "a client sees that it did not end"
    assert [str(e) for e in told] == [str(Forbidden("the rest", "it ended", "ask"))]
    assert not caplog.records, "it is no fault of ours"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(Settings(folder=tmp_path / "archive"), make=True, apart=False)
    for n in range(3):  # more than an answer that is given at once
        ds = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
        ds.Rows = ds.Columns = 1024
        ds.PixelData = bytes(2 * 1024 * 1024)
        ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.1", "1.2.1.1"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.1.1.{n + 1}"
        made = io.BytesIO()
        ds.save_as(made)
        house.site.receive([made.getvalue()], sender="CT", who=HOUSE)
    house.site.add_person("lee", Role.RESEARCHER, "a long enough password", who=HOUSE)
    yield house
    house.close()


def request_of(house: House, token: str) -> Request:
    app = FastAPI()
    app.state.site = house.site
    headers = [(b"authorization", f"Bearer {token}".encode()), (b"host", b"localhost"), (b"accept", b"*/*")]
    return Request({
        "type": "http", "app": app, "headers": headers, "method": "GET", "path": "/studies/1.2.1", "query_string": b"",
        "scheme": "http", "server": ("localhost", 80), "path_params": {"study": "1.2.1"}, "client": ("192.0.2.7", 1),
    })  # fmt: skip


def ends(house: House, token: str, how: str) -> None:
    if how == "signed out":
        house.site.sign_out(token)
    else:
        told: dict[str, Any] = {"closed": True} if how == "closed" else {"role": Role.READER}
        house.site.change_person("lee", who=HOUSE, **told)


@pytest.mark.parametrize("how", ["signed out", "closed", "another role"])
def test_images_by_url_go_on_only_while_whoever_asked_is_who_they_were(house: House, how: str) -> None:
    token = house.site.sign_in("lee", "a long enough password", address="192.0.2.7")
    request = request_of(house, token)
    routes = dicomweb.router(house.site, pages_who.person_of, denied=house.site.denied).routes
    (whole,) = [r for r in routes if getattr(r, "path", "") == "/studies/{study}" and "GET" in r.methods]  # type: ignore[attr-defined]
    answer = anyio.run(whole.endpoint, request)  # type: ignore[attr-defined]
    assert isinstance(answer, WhileTheyMay)
    answer.still()
    of = house.site.pictures("1.2.1", "1.2.1.1", who=LEE)
    slab = pages_pictures.slab("1.2.1", "1.2.1.1", house.site, LEE, pages_pictures.Slab(of.tag, 0, 3), request)
    assert isinstance(slab, WhileTheyMay)
    slab.still()
    ends(house, token, how)
    for one in (answer, slab):
        with pytest.raises(Forbidden, match="rest of this answer"):
            one.still()


def test_a_study_that_leaves_ones_project_is_shown_no_further(house: House) -> None:
    token = house.site.sign_in("lee", "a long enough password", address="192.0.2.7")
    request = request_of(house, token)
    pages_who.must_still_see(request, LEE, "1.2.1")
    house.site.projects.found("trial", "Trial", who=HOUSE)
    house.site.projects.move("1.2.1", "trial", reason="of the trial", who=HOUSE)
    with pytest.raises(NotFound):
        pages_who.must_still_see(request, LEE, "1.2.1")


def test_a_cohort_is_taken_no_further_once_consent_to_one_of_it_is_withdrawn(house: House, tmp_path: Path) -> None:
    """That copies of which terms of use ended are refused is held in test_site_hand_outs."""
    token = house.site.sign_in("lee", "a long enough password", address="192.0.2.7")
    withdrawn = False

    def held(id: str, *, who: Person) -> Path:
        if withdrawn:
            raise WrongState("a hand-out that is refused", "terms of use ended", "begin again")
        return tmp_path

    site = SimpleNamespace(hand_outs=SimpleNamespace(file=held))
    answer = pages_hand_outs.file("0" * 32, site, LEE, request_of(house, token))
    assert isinstance(answer, WhileTheyMay)
    answer.still()
    withdrawn = True
    with pytest.raises(WrongState, match="terms of use"):
        answer.still()
    house.site.sign_out(token)
    with pytest.raises(Forbidden, match="signed out"):
        answer.still()
