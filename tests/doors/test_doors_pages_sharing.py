"""A study goes from one archive into another through a link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser_for_pages import Browser
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.doors.pages import application
from isocenter.doors.share_client import fetch
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
        headers: dict[str, Any] = {k: v for k, v in named.items() if k.startswith("x-isocenter")}
        answer = self.stranger.ask(request.method, request.url.raw_path.decode(), headers=headers)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


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
            list(fetch(link, client=httpx.Client(transport=wire)))
        for _ in range(2):  # the second time it is there already
            for _, data in fetch(link, word=WORD, client=httpx.Client(transport=wire)):
                assert isinstance(data, bytes)
                (stored,) = other.site.receive([data], sender="link", who=HOUSE)
        assert stored.status == "there" and other.site.studies(who=HOUSE)[0].uid == study
    finally:
        other.close()
    secret = told["link"].partition("#")[2]
    assert wire.seen and not any(secret in url for url in wire.seen), "no log on the way holds the secret"

    assert chief.post(f"/api/links/{told['id']}/end", {"reason": "done"}).status_code == 200
    with pytest.raises(Forbidden, match="opens nothing"):
        list(fetch(link, word=WORD, client=httpx.Client(transport=wire)))
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
    ((_, left),) = list(fetch("http://localhost" + told["link"], client=httpx.Client(transport=Wire(app))))
    assert left == bytes(128) + mr[128:]
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


def test_links_that_are_none_and_links_without_tls_are_not_followed() -> None:
    for link in ("ftp://a/shared#x", "https://a/shared", "shared#x"):
        with pytest.raises(Refused, match="no link"):
            list(fetch(link))
    with pytest.raises(Refused, match="without TLS"):
        list(fetch("http://hospital.example/shared#x"))
    down = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(502, content=b"?")))
    with pytest.raises(Unavailable, match="502"):
        list(fetch("https://hospital.example/shared#x", client=down))
