"""What the guard lets through, and each thing that it refuses, once."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from browser_for_pages import Browser
from fastapi import APIRouter, Request
from house_for_pages import CT, PASSWORD, House

from isocenter.doors.pages import application
from isocenter.doors.pages_figures import Figures
from isocenter.doors.pages_guard import CSP, Guard, status_of
from isocenter.errors import (
    Conflict,
    Forbidden,
    IsocenterError,
    LimitReached,
    MissingPart,
    NoAnswer,
    NotAVolume,
    NotFound,
    NotWhole,
    Refused,
    Unavailable,
    WrongState,
)

SIGN_IN = {"name": "reader", "password": PASSWORD}


def app_of(house: House, **rest: Any) -> Any:
    return application(house, demo=True, clock=lambda: house.now, **rest)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused, 400), (NotWhole, 400), (NotAVolume, 400), (Forbidden, 403), (NotFound, 404), (Conflict, 409),
        (WrongState, 409), (LimitReached, 413), (MissingPart, 503), (Unavailable, 507), (NoAnswer, 502),
        (IsocenterError, 500),
    ],
)  # fmt: skip
def test_every_refusal_has_its_status_and_says_what_why_and_what_to_do(
    error: type[IsocenterError], status: int
) -> None:
    assert status_of(error("x")) == status
    house = House()
    house.study = lambda uid, who: (_ for _ in ()).throw(error("what", "why", "do"))  # type: ignore[method-assign]
    answer = Browser(app_of(house), bearer=house.token("reader")).get(f"/api/studies/{CT}")
    assert answer.status_code == status
    assert answer.json() == {"error": {"what": "what", "why": "why", "do": "do", "kind": error.__name__}}


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/worklist", "/api/nothing", "/metrics", "/worklist"])
def test_every_answer_carries_the_headers_also_errors(path: str) -> None:
    headers = Browser(app_of(House())).get(path).headers
    assert headers["content-security-policy"] == CSP
    assert "frame-ancestors 'none'" in CSP
    assert "unsafe-inline" not in CSP
    assert "'unsafe-eval'" not in CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] in ("no-store", "no-cache")
    assert "server" not in headers


# ---- names


@pytest.mark.parametrize("host", ["localhost", "localhost:8042", "127.0.0.1:8042", "[::1]:8042", "LOCALHOST"])
def test_loopback_names_are_answered(host: str) -> None:
    assert Browser(app_of(House()), host=host).get("/healthz").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.7", "["])
def test_a_strange_host_name_is_refused(host: str) -> None:
    answer = Browser(app_of(House())).get("/healthz", headers={"Host": host})
    assert answer.status_code == 421
    assert "names" in answer.json()["error"]["do"]


def test_a_configured_name_is_answered() -> None:
    app = app_of(House(), names=["Pacs.Hospital.example"])
    assert Browser(app, host="pacs.hospital.example:8042").get("/healthz").status_code == 200


# ---- origins


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9999", "ftp://localhost", ""])
def test_a_write_from_a_strangers_page_is_refused(origin: str) -> None:
    house = House()
    browser = Browser(app_of(house))
    assert browser.post("/api/sign-in", SIGN_IN).status_code == 200
    refused = browser.post(f"/api/readings/{CT}/open", origin=origin)
    assert refused.status_code == 403
    assert house.rows[CT].get("state") is None, "nothing happened"
    assert browser.post(f"/api/readings/{CT}/open").status_code == 200


def test_a_write_without_origin_needs_its_own_authorization_not_a_cookie() -> None:
    house = House()
    browser = Browser(app_of(house))
    browser.post("/api/sign-in", SIGN_IN)
    assert browser.post(f"/api/readings/{CT}/open", origin=None).status_code == 403
    program = Browser(app_of(house), bearer=house.token("reader"))
    assert program.post(f"/api/readings/{CT}/open", origin=None).status_code == 200
    assert program.post(f"/api/readings/{CT}/open", origin="https://evil.example").status_code == 403


def test_signing_in_from_a_strangers_page_is_refused() -> None:
    browser = Browser(app_of(House()))
    assert browser.post("/api/sign-in", SIGN_IN, origin="https://evil.example").status_code == 403
    assert not browser.cookies


# ---- sizes


def test_a_body_beyond_the_limit_is_refused_by_its_length_and_by_counting() -> None:
    house = House()
    browser = Browser(app_of(house), bearer=house.token("reader"))
    address = f"/api/readings/{CT}/correct"
    long = browser.ask("POST", address, content=b"x" * (2 * 2**20 + 1))
    assert long.status_code == 413 and "a body of 2097153 bytes" in long.text and "at most 2097152" in long.text

    async def parts() -> Any:
        for _ in range(40):
            yield b'"' + b"x" * 2**16 + b'"'

    counted = browser.ask("POST", address, content=parts(), headers={"Content-Type": "application/json"})
    assert counted.status_code == 413
    assert counted.json()["error"]["kind"] == "LimitReached"
    assert browser.ask("POST", address, content=b"{}", headers={"Content-Length": "-5"}).status_code == 413


def test_images_may_be_larger_than_decisions() -> None:
    store = APIRouter()

    @store.post("/studies")
    async def stow(request: Request) -> int:
        return len(await request.body())

    house = House()
    program = Browser(app_of(house, dicomweb_router=store), bearer="x")
    assert program.ask("POST", "/dicom-web/studies", content=b"x" * (3 * 2**20)).text == str(3 * 2**20)


def test_the_limit_is_no_error_of_dicomwebs_own() -> None:
    """DICOMweb answers its own errors and lets those of the house through to whoever counted the body."""
    house, store = House(), APIRouter()

    @store.post("/studies")
    async def stow(request: Request) -> int:
        try:
            return len(await request.body())
        except Exception as error:
            if type(error).__module__.startswith("isocenter."):
                raise
            return -1

    async def parts() -> Any:
        yield b"x" * 11

    app = Guard(app_of(house, dicomweb_router=store), names=(), largest=10, figures=Figures())
    assert Browser(app, bearer="x").ask("POST", "/dicom-web/studies", content=parts()).status_code == 413


# ---- errors of our own


def test_an_error_of_ours_tells_a_number_and_neither_trace_nor_patient(caplog: pytest.LogCaptureFixture) -> None:
    house = House()

    def fails(uid: str, who: object) -> None:
        raise ZeroDivisionError("PHANTOM^Anna 1.2.3.1 divided by zero")

    house.study = fails  # type: ignore[method-assign,assignment]
    with caplog.at_level(logging.DEBUG):
        answer = Browser(app_of(house), bearer=house.token("reader")).get(f"/api/studies/{CT}?secret=PHANTOM")
    assert answer.status_code == 500
    told = answer.json()["error"]
    number = told["what"].split("error ")[1].rstrip(")")
    logged = "\n".join(r.getMessage() + str(r.exc_info or "") for r in caplog.records if r.name.startswith("isocenter"))
    for text in (answer.text, logged):
        assert "PHANTOM" not in text
        assert "Traceback" not in text
        assert CT not in text
    assert number in logged, "whoever runs the server finds it by its number"
    assert "ZeroDivisionError" in logged
    assert "/api/studies/{uid}" in logged


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("GET", "/dicom-web/nothing", 404),
        ("GET", "/assets/nothing.js", 404),
        ("DELETE", "/api/worklist", 405),
        ("GET", "/api/studies/1.2.abc", 400),
        ("GET", "/api/studies/..%2f..%2fetc", 404),
        ("GET", "/api/results/short/contours/x?sop=1", 400),
        ("GET", "/api/worklist?limit=0", 400),
        ("GET", "/api/worklist?cursor=x", 400),
        ("GET", "/api/worklist?ai=maybe", 400),
    ],
)
def test_requests_that_do_not_fit_are_told_so_in_the_one_shape(method: str, path: str, status: int) -> None:
    house = House()
    answer = Browser(app_of(house), bearer=house.token("reader")).ask(method, path)
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) == {"what", "why", "do", "kind"}


def test_what_was_sent_is_not_repeated() -> None:
    house = House()
    answer = Browser(app_of(house), bearer=house.token("reader")).post(
        f"/api/readings/{CT}/correct", {"version": "PHANTOM^Anna", "verdict": "PHANTOM^Anna", "tracking": "x"}
    )
    assert answer.status_code == 400
    assert "PHANTOM" not in answer.text
    assert "body.version" in answer.json()["error"]["what"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"version": NaN}', json.dumps("x" * 99).encode()])
def test_bodies_that_are_no_decision(body: bytes) -> None:
    house = House()
    answer = Browser(app_of(house), bearer=house.token("reader")).ask(
        "POST", f"/api/readings/{CT}/correct", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["what"]


def test_one_body_too_many_is_told_to_come_again_and_may_then() -> None:
    """Two uploads that do not end fill the room; the third hears 503 with Retry-After, decisions and looks pass."""
    import asyncio

    async def run() -> None:
        leave = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"].startswith("/dicom-web/") and scope["method"] == "POST":
                await leave.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        guard = Guard(
            slow, names=(), largest=100, largest_under=[("/dicom-web/", 10**6)], figures=Figures(), most_bodies=2
        )

        async def ask(method: str, path: str) -> tuple[int, dict[bytes, bytes]]:
            said: list[Any] = []

            async def send(message: Any) -> None:
                said.append(message)

            headers = [(b"host", b"localhost"), (b"authorization", b"x")]
            scope = {"type": "http", "method": method, "path": path, "headers": headers}
            await guard(scope, None, send)  # type: ignore[arg-type]
            return int(said[0]["status"]), dict(said[0]["headers"])

        filling = [asyncio.create_task(ask("POST", "/dicom-web/studies")) for _ in range(2)]
        await asyncio.sleep(0)
        status, headers = await ask("POST", "/dicom-web/studies")
        assert (status, headers[b"retry-after"]) == (503, b"2")
        assert (await ask("GET", "/dicom-web/studies"))[0] == (await ask("POST", "/api/x"))[0] == 200
        leave.set()
        assert [status for status, _ in await asyncio.gather(*filling)] == [200, 200]
        assert (await ask("POST", "/dicom-web/studies"))[0] == 200

    asyncio.run(run())
