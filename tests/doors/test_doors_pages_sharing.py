"""A study goes from one archive into another through a link."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser_for_pages import Browser
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.doors.pages import application
from isocenter.doors.share_client import Fetched, linked
from isocenter.errors import Forbidden, Refused, Unavailable
from isocenter.govern.policy import HOUSE, Role
from isocenter.settings import Settings
from isocenter.site.verbs import Site

WORD = "früh am Telefon gesagt"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "one"), make=True)
    house.site.receive([Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()], sender="CT1", who=HOUSE)
    house.site.add_person("chief", Role.ADMIN, "a long enough password", who=HOUSE)
    yield house.site
    house.close()


class Wire(httpx.BaseTransport):
    """The network between two archives, in memory."""

    def __init__(self, app: Any) -> None:
        self.stranger = Browser(app)
        self.seen: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(str(request.url))
        named = {k.decode().lower(): v for k, v in request.headers.raw}
        headers: dict[str, Any] = {k: v for k, v in named.items() if k.startswith(("x-isocenter", "content-type"))}
        path, body = request.url.raw_path.decode(), request.read()
        answer = self.stranger.ask(
            request.method, path, headers=headers, content=body or None, origin=request.headers.get("origin")
        )
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def fetch(link: str, **more: Any) -> list[Fetched]:
    with linked(link, **more) as other:
        return list(other.images())


def test_another_archive_takes_the_study_through_the_link(site: Site, tmp_path: Path) -> None:
    app = application(site, demo=False, clock=site.clock)
    chief = Browser(app, bearer=site.sign_in_by_link(site.link("chief"), address="x"))
    study = site.studies(who=HOUSE)[0].uid
    told = chief.post(f"/api/studies/{study}/links", {"hours": 2, "to": "the other house", "word": WORD}).json()
    assert chief.get("/api/links").json()["links"][0]["to"] == "the other house"
    link, wire = "http://localhost" + told["link"], Wire(app)

    other = open_house(Settings(folder=tmp_path / "two"), make=True)
    try:
        with pytest.raises(Forbidden):
            fetch(link, client=httpx.Client(transport=wire))
        for _ in range(2):  # the second time it is there already
            for one in fetch(link, word=WORD, client=httpx.Client(transport=wire)):
                assert isinstance(one.data, bytes) and one.study == study
                (stored,) = other.site.receive([one.data], sender="link", who=HOUSE)
        assert stored.status == "there" and other.site.studies(who=HOUSE)[0].uid == study
    finally:
        other.close()
    secret = told["link"].partition("#")[2]
    assert wire.seen and not any(secret in url for url in wire.seen), "no log on the way holds the secret"

    assert chief.post(f"/api/links/{told['id']}/end", {"reason": "done"}).status_code == 200
    with pytest.raises(Forbidden, match="opens nothing"):
        fetch(link, word=WORD, client=httpx.Client(transport=wire))
    kinds = [row["kind"] for row in site.audits.page(who=HOUSE)["rows"]]
    assert kinds.count("ShareUsed") == 4 and "Shared" in kinds and "ShareEnded" in kinds


@pytest.mark.parametrize("begin", [b"MZ\x90\0", b"\x7fELF\2", b"%PDF-1.7", b"#!/bin/sh\n", b"<script>"])
def test_no_program_leaves_by_a_link(site: Site, begin: bytes) -> None:
    """Whoever is given a study gets no file that their own machine would run (CVE-2019-11687)."""
    mr = Path(str(get_testdata_file("MR_small.dcm"))).read_bytes()
    planted = begin + mr[len(begin) :]
    (stored,) = site.receive([planted], sender="MR1", who=HOUSE)
    (study,) = [s.uid for s in site.studies(who=HOUSE) if any(x.modality == "MR" for x in s.series)]
    app = application(site, demo=False, clock=site.clock)
    chief = Browser(app, bearer=site.sign_in_by_link(site.link("chief"), address="x"))
    told = chief.post(f"/api/studies/{study}/links", {"hours": 2}).json()
    (left,) = fetch("http://localhost" + told["link"], client=httpx.Client(transport=Wire(app)))
    assert left.data == bytes(128) + mr[128:]
    assert site.blobs.get(stored.digest) == planted, "what is stored stays as it came"


def test_whoever_holds_the_link_sees_the_images_and_nothing_once_it_has_ended(site: Site) -> None:
    app = application(site, demo=False, clock=site.clock)
    chief, stranger = Browser(app, bearer=site.sign_in_by_link(site.link("chief"), address="x")), Browser(app)
    study = site.studies(who=HOUSE)[0]
    word = "ein Kaffee früh um fünf"
    told = chief.post(f"/api/studies/{study.uid}/links", {"hours": 2, "word": word}).json()
    at = f"/api/shared/series/{study.series[0].uid}"
    held: dict[str, Any] = {"X-Isocenter-Link": told["link"].partition("#")[2]}
    assert stranger.ask("GET", f"{at}/pictures", headers=held).status_code == 403, "it asks for a word"
    held["X-Isocenter-Word"] = word.encode()  # a header has bytes, not letters
    described = stranger.ask("GET", f"{at}/pictures", headers=held).json()
    assert described["count"] == 1 and described["modality"] == "CT"
    slab = f"{at}/slab?tag={described['tag']}&first=0&count=1"
    answer = stranger.ask("GET", slab, headers=held)
    assert answer.status_code == 200 and len(answer.content) == 32 + 128 * 128 * 2
    assert stranger.ask("GET", f"{at}/slab?tag={'0' * 32}&first=0&count=1", headers=held).status_code == 409
    assert stranger.ask("GET", "/api/shared/series/1.2.3/pictures", headers=held).status_code == 404
    assert stranger.ask("GET", slab).status_code == 403
    chief.post(f"/api/links/{told['id']}/end", {})
    for path in (f"{at}/pictures", slab):
        assert stranger.ask("GET", path, headers=held).status_code == 403


def test_who_signs_out_sees_nothing_by_a_preview_that_stays_open(site: Site) -> None:
    (uid,) = [s.uid for s in site.index.studies()]
    app = application(site, demo=False, clock=site.clock)
    stranger = Browser(app)
    chief = Browser(app, bearer=site.sign_in("chief", "a long enough password", address="192.0.2.1"))
    assert chief.post(f"/api/studies/{uid}/links", {"hours": 2}).status_code == 200
    given = chief.get("/api/links").json()["links"][0]["id"]
    for path, body in (("/api/links/preview", {"studies": [uid]}), (f"/api/links/{given}/preview", None)):
        told = chief.post(path, body)
        secret = {"X-Isocenter-Link": told.json()["secret"]}
        assert stranger.get("/api/shared", headers=secret).status_code == 200
        token = chief.headers["Authorization"].removeprefix("Bearer ")
        site.sign_out(token)
        assert stranger.get("/api/shared", headers=secret).status_code == 403
        chief = Browser(app, bearer=site.sign_in("chief", "a long enough password", address="192.0.2.1"))


def test_links_that_are_none_and_links_without_tls_are_not_followed() -> None:
    for link in ("ftp://a/shared#x", "https://a/shared", "shared#x"):
        with pytest.raises(Refused, match="no link"):
            fetch(link)
    with pytest.raises(Refused, match="without TLS"):
        fetch("http://hospital.example/shared#x")
    down = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(502, content=b"?")))
    with pytest.raises(Unavailable, match="502"):
        fetch("https://hospital.example/shared#x", client=down)


def test_a_link_of_several_studies_with_a_check_and_without_measuring(site: Site) -> None:
    site.receive([Path(str(get_testdata_file("MR_small.dcm"))).read_bytes()], sender="MR1", who=HOUSE)
    app = application(site, demo=False, clock=site.clock)
    chief, stranger = Browser(app, bearer=site.sign_in_by_link(site.link("chief"), address="x")), Browser(app)
    studies = [study.uid for study in site.studies(who=HOUSE)]
    given = {"studies": studies, "to": "Dr Okafor", "check": True, "hours": 2}
    told = chief.post("/api/links", given).json()
    held: dict[str, Any] = {"X-Isocenter-Link": told["link"].partition("#")[2]}
    closed = stranger.ask("GET", "/api/shared", headers=held)
    assert closed.status_code == 403 and "shared.identity" in closed.json()["error"]["why"]
    assert stranger.ask("GET", "/api/shared/identity", headers=held).json() == {"identity": "wanted"}
    held["X-Isocenter-Code"] = told["code"].replace("-", " ")
    said = stranger.ask("POST", "/api/shared/identity", headers=held, json={"name": "Dr Okafor"})
    assert said.json() == {"identity": "pending"}
    (row,) = chief.get("/api/links").json()["links"]
    judged = chief.post(f"/api/links/{row['id']}/identity", {"claim": row["claim"]["id"], "accepted": True})
    assert judged.json()["identity"] == "accepted"
    shown = stranger.ask("GET", "/api/shared", headers=held).json()
    assert [one["uid"] for one in shown["studies"]] == studies and shown["may"] == ["view"]
    assert len(shown["series"]) == 2, "an older archive reads the series of all"
    series = shown["series"][0]
    sop = series["instances"][0]["sop_uid"]
    mark = {"kind": "length", "points": [[1, 1], [9, 1]], "series_uid": series["uid"], "instance_uid": sop}
    for method, path, body in (
        ("GET", f"/api/shared/instances/{sop}", None), ("GET", "/api/shared/files", None),
        ("POST", "/api/shared/measure", mark),
    ):  # fmt: skip
        refused = stranger.ask(method, path, headers=held, json=body)
        assert refused.status_code == 403 and "rule 'shared." in refused.json()["error"]["why"], path
    with pytest.raises(Forbidden, match="to look at them"):
        fetch("http://localhost" + told["link"], code=told["code"], client=httpx.Client(transport=Wire(app)))

    here = chief.get("/api/settings/site").json()
    region = {"version": here["version"], "reason": "a test", "settings": {"region": ["DE"]}}
    assert chief.put("/api/settings/site", region).json()["region"] == ["DE"]
    assert chief.get("/api/links").json()["region"] == ["DE"]
    away = {"studies": studies[:1], "may": ["measure", "download"], "institution": "Lagos", "country": "NG"}
    assert chief.post("/api/links", away | {"country": "Nigeria"}).status_code == 400
    assert "into NG without a reason" in chief.post("/api/links", away).text
    measuring = chief.post("/api/links", away | {"transfer_reason": "asked by the patient"}).json()
    assert (measuring["country"], measuring["transfer_reason"]) == ("NG", "asked by the patient")
    holds = {"X-Isocenter-Link": measuring["link"].partition("#")[2]}
    study = stranger.ask("GET", "/api/shared", headers=holds).json()["studies"][0]["series"][0]
    mark |= {"series_uid": study["uid"], "instance_uid": study["instances"][0]["sop_uid"]}
    measured = stranger.ask("POST", "/api/shared/measure", headers=holds, json=mark).json()
    assert measured["words"].startswith("Length") and measured["measurements"][0]["unit"] == "mm"
    uneven = stranger.ask("POST", "/api/shared/measure", headers=holds, json=mark | {"points": [[1, 1], [1, 2, 3]]})
    assert uneven.status_code == 400
    packed = stranger.ask("GET", "/api/shared/files", headers=holds)
    with zipfile.ZipFile(BytesIO(packed.content)) as archive:
        (name,) = archive.namelist()
        assert archive.read(name)[128:132] == b"DICM" and archive.testzip() is None


def test_a_receiving_archive_tells_both_ledgers_what_came_and_what_is_missing(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from isocenter.cli import app as cli
    from isocenter.doors import share_client

    site.receive([Path(str(get_testdata_file("MR_small.dcm"))).read_bytes()], sender="MR1", who=HOUSE)
    web = application(site, demo=False, clock=site.clock)
    studies = [study.uid for study in site.studies(who=HOUSE)]
    secret, _ = site.sharing.share(studies, who=HOUSE, may=["download"], to="the other house")
    lost = site.index.study(studies[1]).series[0].instances[0].digest
    (stored,) = [path for path in tmp_path.rglob("*") if path.is_file() and lost in path.name]
    stored.unlink()
    wire, whole = httpx.Client(transport=Wire(web)), share_client.linked
    monkeypatch.setattr(share_client, "linked", lambda link, **said: whole(link, **{**said, "client": wire}))
    said = CliRunner().invoke(
        cli, ["fetch", f"http://localhost/shared#{secret}", "--folder", str(tmp_path / "two"), "--json"]
    )
    assert said.exit_code == 1, said.output
    told = json.loads(said.stdout)
    assert [(row["offered"], row["stored"], row["missing"]) for row in told["ledger"]] == [(1, 1, 0), (1, 0, 1)]
    other = open_house(Settings(folder=tmp_path / "two"))
    try:
        (row,) = other.site.ledgers.arrivals(who=HOUSE)["rows"]
        assert [(d["offered"], d["stored"], d["missing"], d["adds_up"]) for d in row["deliveries"]] == [
            (1, 0, 1, True), (1, 1, 0, True),
        ]  # fmt: skip
    finally:
        other.close()
    left = [row for row in site.ledgers.departures(who=HOUSE)["rows"] if row["kind"] == "ShareTaken"]
    assert [(row["study"], row["objects"], row["parts"]["stored"], row["failed"]) for row in left] == [
        (studies[1], 1, 0, 1), (studies[0], 1, 1, 0),
    ]  # fmt: skip
