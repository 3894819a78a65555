from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pydicom import dcmread
from shelf_for_doors import READER, Shelf
from starlette.requests import Request

from isocenter.dicom.checked import Checked
from isocenter.doors.dicomweb import router
from isocenter.doors.multipart import Limits, Part, write
from isocenter.errors import Forbidden, Unavailable
from isocenter.govern.policy import NOBODY, Person, Role

_TYPE = 'multipart/related; type="application/dicom"; boundary=b'


@dataclass
class _Web:
    """DICOMweb on a free port, and a client of it."""

    shelf: Shelf
    client: httpx.Client
    person: list[Person] = field(default_factory=lambda: [READER])

    def stow(self, *files: bytes, path: str = "/studies", kind: str = _TYPE) -> httpx.Response:
        body = b"".join(write((Part({"Content-Type": "application/dicom"}, f) for f in files), "b"))
        return self.client.post(path, content=body, headers={"Content-Type": kind})


@pytest.fixture
def web(shelf: Shelf) -> Iterator[_Web]:
    app = FastAPI()
    people = [READER]

    def who(request: Request) -> Person:
        if people[0].name == "banned":
            raise Forbidden("this account is closed")
        return people[0]

    app.include_router(router(shelf, who, limits=Limits(part=1_000_000, total=3_000_000)), prefix="/dicom-web")
    held = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    with httpx.Client(base_url=f"http://127.0.0.1:{held.getsockname()[1]}/dicom-web") as client:
        yield _Web(shelf, client, people)
    server.should_exit = True
    thread.join(10)
    held.close()


@pytest.fixture
def place(web: _Web, sample: Callable[[str], bytes]) -> str:
    """Path of a stored CT image."""
    data = sample("CT_small.dcm")
    assert web.stow(data).status_code == 200
    ds = dcmread(BytesIO(data))
    return f"/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"


def test_every_search_has_a_route(web: _Web, place: str) -> None:
    study, series = place.split("/series")[0], place.split("/instances")[0]
    paths = ["/studies", "/series", "/instances", f"{study}/series", f"{study}/instances", f"{series}/instances"]
    for path in paths:
        answer = web.client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == "application/dicom+json"
        assert len(answer.json()) == 1
    nothing = web.client.get("/studies", params={"PatientID": "NOBODY"})
    assert (nothing.status_code, nothing.json()) == (200, [])


def test_every_retrieval_has_a_route(web: _Web, place: str) -> None:
    study, series = place.split("/series")[0], place.split("/instances")[0]
    for path in (study, series, place):
        assert web.client.get(path).headers["content-type"].startswith('multipart/related; type="application/dicom"')
        assert len(web.client.get(f"{path}/metadata").json()) == 1
        assert web.client.get(f"{path}/rendered").content[:2] == b"\xff\xd8"
        assert web.client.get(f"{path}/thumbnail", headers={"Accept": "image/png"}).content[1:4] == b"PNG"
    assert web.client.get(f"{place}/frames/1", headers={"Accept": "application/octet-stream"}).content
    assert web.client.get(f"{place}/frames/1/rendered").content[:2] == b"\xff\xd8"
    assert web.client.get(f"{place}/frames/1/thumbnail").content[:2] == b"\xff\xd8"
    assert len(web.client.get(f"{place}/bulkdata/7FE00010").content) == 128 * 128 * 2
    alone = {"Accept": "application/dicom"}
    for path, how in ((place, alone), (f"{place}/bulkdata/7FE00010", {"Accept": "application/octet-stream"})):
        kept = web.client.get(path, headers=how).headers["content-disposition"]
        assert kept == f'attachment; filename="{place.rpartition("/")[2]}"', "saved, never opened by a browser"


def test_pictures_of_all_images_and_frames_come_in_parts(web: _Web, sample: Callable[[str], bytes]) -> None:
    """One media type gives the image that stands for all; parts give every frame, each with its own address."""
    header = dcmread(BytesIO(sample("rtdose.dcm")), stop_before_pixels=True)
    assert web.stow(sample("rtdose.dcm")).status_code == 200
    study = f"/studies/{header.StudyInstanceUID}"
    one = f"{study}/series/{header.SeriesInstanceUID}/instances/{header.SOPInstanceUID}"
    parts = {"Accept": 'multipart/related; type="image/png"'}
    for path, count in (
        (study, 15), (f"{study}/series/{header.SeriesInstanceUID}", 15), (one, 15), (f"{one}/frames/2,5,7", 3),
    ):  # fmt: skip
        answer = web.client.get(f"{path}/rendered?viewport=16,16", headers=parts)
        assert answer.headers["content-type"].startswith('multipart/related; type="image/png"')
        assert answer.content.count(b"\x89PNG") == count
        assert len(web.client.get(f"{path}/thumbnail", headers={"Accept": "image/png"}).content.split(b"\x89PNG")) == 2
    assert f"{one}/frames/7/rendered".encode() in answer.content
    assert answer.content != web.client.get(f"{one}/frames/1,2,3/rendered?viewport=16,16", headers=parts).content
    assert web.client.get(f"{one}/frames/1,2/rendered", headers={"Accept": "image/png"}).status_code == 406
    assert web.client.get(f"{one}/frames/1,16/rendered", headers=parts).status_code == 404
    alone = [web.client.get(f"{path}/rendered", headers={"Accept": "image/png"}).content for path in (study, one)]
    assert alone[0] == alone[1] and alone[0][1:4] == b"PNG"


@pytest.mark.parametrize(
    ("tail", "accept", "status"),
    [
        ("/frames/2", "*/*", 404),
        ("/frames/0", "*/*", 400),
        ("/frames/x", "*/*", 400),
        ("/frames/1", "text/html", 406),
        ("/frames/2/rendered", "*/*", 404),
        ("/metadata", "application/dicom+xml", 406),
        ("/rendered", "image/gif", 406),
        ("/rendered?window=x", "*/*", 400),
        ("/bulkdata/00100010", "*/*", 404),
        ("/bulkdata/nothing", "*/*", 404),
        ("", "text/html", 406),
    ],
)
def test_what_is_not_there_or_not_acceptable(web: _Web, place: str, tail: str, accept: str, status: int) -> None:
    answer = web.client.get(place + tail, headers={"Accept": accept})
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"what", "why", "do", "kind"}
    assert "CompressedSamples" not in answer.text and "Traceback" not in answer.text


@pytest.mark.parametrize(
    "path", ["/studies/1.2.3", "/studies/..%2F..%2Fetc", "/studies/1.2.3/metadata", "/studies/a'b"]
)
def test_a_study_that_is_not_there(web: _Web, path: str) -> None:
    assert web.client.get(path).status_code == 404


@pytest.mark.parametrize("query", ["limit=x", "fuzzymatching=1", "Shoesize=43", "includefield=Shoesize"])
def test_a_search_that_cannot_be_understood(web: _Web, query: str) -> None:
    assert web.client.get(f"/studies?{query}").status_code == 400


def test_a_search_for_another_type(web: _Web) -> None:
    answer = web.client.get("/studies", headers={"Accept": 'multipart/related; type="application/dicom+xml"'})
    assert answer.status_code == 406


def test_an_entity_tag_saves_the_bytes(web: _Web, place: str) -> None:
    for tail in ("", "/metadata", "/frames/1", "/rendered"):
        first = web.client.get(place + tail)
        again = web.client.get(place + tail, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = web.client.get(place + tail, headers={"If-None-Match": '"stale"'})
        assert other.status_code == 200


def test_a_page_of_a_search_says_when_there_may_be_more(web: _Web, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from isocenter.doors import dicomweb_query

    assert "warning" not in web.client.get("/studies?limit=1").headers
    monkeypatch.setattr(dicomweb_query, "_LARGEST_PAGE", 1)
    assert "there may be more" in web.client.get("/studies").headers["warning"]
    assert "there may be more" in web.client.get("/studies?limit=2").headers["warning"], (
        "more than a page was asked for"
    )
    said = web.client.get("/studies?OperatorsName=X").headers["warning"]
    assert "OperatorsName is not matched here; that key was ignored" in said


def test_partial_failure(web: _Web, sample: Callable[[str], bytes]) -> None:
    answer = web.stow(sample("CT_small.dcm"), sample("MR_small.dcm")[:-300], sample("rtplan.dcm"))
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/dicom+json"
    assert len(answer.json()["00081199"]["Value"]) == 2
    assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xC000]


def test_full_failure_and_the_same_again(web: _Web, sample: Callable[[str], bytes]) -> None:
    assert web.stow(b"nothing").status_code == 409
    assert [web.stow(sample("CT_small.dcm")).status_code for _ in range(2)] == [200, 200]
    other = sample("CT_small.dcm").replace(b"CompressedSamples^CT1", b"CompressedSamples^CT2")
    assert web.stow(other).status_code == 409


def test_a_single_file_without_multipart(web: _Web, sample: Callable[[str], bytes]) -> None:
    answer = web.client.post("/studies", content=sample("CT_small.dcm"), headers={"Content-Type": "application/dicom"})
    assert answer.status_code == 200 and len(web.shelf.files) == 1


def test_the_wrong_study_in_the_address(web: _Web, sample: Callable[[str], bytes]) -> None:
    assert web.stow(sample("CT_small.dcm"), path="/studies/1.2.3").status_code == 409
    assert not web.shelf.files


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"hello", 415),
        ('multipart/related; type="application/dicom+xml"; boundary=b', b"", 415),
        ('multipart/related; type="application/dicom"', b"--b--", 400),
        (_TYPE, b"", 400),
        (_TYPE, b"--b--", 400),
        (_TYPE, b"--b\r\n\r\nabc", 400),
        (_TYPE, b"--b\r\n\r\n" + b"x" * 1_500_000 + b"\r\n--b--", 413),
        ("application/dicom", b"x" * 1_500_000, 413),
    ],
)
def test_bodies_that_are_none(web: _Web, kind: str, body: bytes, status: int) -> None:
    answer = web.client.post("/studies", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert not web.shelf.files


def test_what_came_whole_before_a_break_is_kept_and_said(web: _Web, sample: Callable[[str], bytes]) -> None:
    whole = b"".join(write([Part({}, sample("CT_small.dcm")), Part({}, sample("MR_small.dcm"))], "b"))
    answer = web.client.post("/studies", content=whole[:-100], headers={"Content-Type": _TYPE})
    assert answer.status_code == 202 and len(web.shelf.files) == 1
    assert "0008119A" in answer.json()


def test_an_answer_that_cannot_be_given_is_refused_before_storing(web: _Web, sample: Callable[[str], bytes]) -> None:
    body = b"".join(write([Part({}, sample("CT_small.dcm"))], "b"))
    headers = {"Content-Type": _TYPE, "Accept": "application/dicom+xml"}
    assert web.client.post("/studies", content=body, headers=headers).status_code == 406
    assert not web.shelf.files


def test_no_room_is_507_and_a_fault_is_500_without_a_word_of_it(
    web: _Web, place: str, sample: Callable[[str], bytes]
) -> None:
    web.shelf.failure = Unavailable("the disk is full")
    assert web.stow(sample("MR_small.dcm")).status_code == 507
    web.shelf.failure = RuntimeError("patient DOE^JOHN")
    answer = web.stow(sample("MR_small.dcm"))
    assert answer.status_code == 500 and "DOE" not in answer.text


def test_no_log_holds_a_name_that_a_fault_stumbled_on(
    web: _Web, sample: Callable[[str], bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = dcmread(BytesIO(sample("CT_small.dcm")))
    dataset.PatientName = "CANARY^ANNA"
    held = BytesIO()
    dataset.save_as(held)

    def stumbles(files: list[Checked]) -> None:
        name = dcmread(BytesIO(files[0].data)).PatientName
        raise ValueError(f"could not convert string to float: '{name}'")

    def finds(level: str, keys: dict[str, str], **_: object) -> None:
        raise KeyError(keys["PatientName"])

    monkeypatch.setattr(web.shelf, "receive", lambda files, **_: stumbles(list(files)))
    monkeypatch.setattr(web.shelf, "find", finds)
    with caplog.at_level(logging.DEBUG):
        answers = [web.stow(held.getvalue()), web.client.get("/studies", params={"PatientName": "CANARY*"})]
    ours = [r for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]  # the client of this test
    logged = "\n".join(f"{r.getMessage()} {r.exc_info} {r.exc_text}" for r in ours)
    for answer, kind in zip(answers, ("ValueError", "KeyError"), strict=True):
        assert answer.status_code == 500 and "CANARY" not in answer.text
        reference = answer.json()["error"]["what"].split("error ")[1].rstrip(")")
        assert f"error {reference}: {kind} in test_doors_dicomweb.py" in logged
    assert "CANARY" not in logged


def test_who_is_not_signed_in_and_who_may_not(web: _Web, place: str) -> None:
    web.person[0] = NOBODY
    answer = web.client.get("/studies")
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Basic")
    web.person[0] = Person("someone", Role.PATIENT)
    assert web.client.get("/studies").status_code == 403
    assert web.client.get(place).status_code == 403
    web.person[0] = Person("banned", Role.READER)
    assert web.client.get("/studies").status_code == 403


def test_a_client_that_leaves_the_port_out_of_host_still_gets_uris_that_lead_here(web: _Web, place: str) -> None:
    said = web.client.get(f"{place}/metadata", headers={"Host": "127.0.0.1"}).json()
    assert web.client.get(said[0]["7FE00010"]["BulkDataURI"]).status_code == 200
    proxied = web.client.get(f"{place}/metadata", headers={"Host": "pacs.example.org"}).json()
    assert proxied[0]["7FE00010"]["BulkDataURI"].startswith("http://pacs.example.org/dicom-web/studies/")
