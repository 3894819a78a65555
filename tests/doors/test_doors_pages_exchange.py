"""Messages, promises and peers over HTTP: what came and was refused, who is owed, whether a peer answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from browser_for_pages import Browser

from isocenter.doors.pages import application
from isocenter.doors.pages_machine import Machine
from isocenter.errors import Unavailable
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.site.committing import Committing, request_of
from isocenter.site.verbs import Site

sys.path.insert(0, str(Path(__file__).parents[1] / "site"))
from rejecting_samples import files, given, link_in, opened

ADT = (
    b"MSH|^~\\&|HIS|WARD|ISOCENTER||20261126081500||ADT^A08|%s|P|2.5\rEVN|A08\r"
    b"PID|1||P1^^^HOSPITAL||PHANTOM^One||19600101|F\r"
)
HIS = Person("HL7", Role.SERVICE)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as one:
        for name, role in (("anna", Role.ADMIN), ("ito", Role.READER), ("gray", Role.RESEARCHER)):
            link_in(one, name, role)
        yield one


def browser(site: Site, name: str) -> Browser:
    def echo(peer: Mapping[str, Any]) -> None:
        if peer["aet"] != "PACS":
            raise Unavailable(f"{peer['aet']} is not there", "connection refused", "start it")

    app = application(site, demo=False, clock=site.clock, machine=Machine(echo=echo))
    return Browser(app, bearer=site.sign_in_by_link(site.link(name), address="192.0.2.1"))


def test_messages_in_that_were_taken_and_that_were_not(site: Site) -> None:
    site.messaging.hear(ADT % b"C1", who=HIS)
    site.messaging.hear(b"not a message", who=HIS)
    site.messaging.want(["ris:2575"])
    ito = browser(site, "ito")
    told = ito.get("/api/messages").json()
    assert [(r["code"], r["fault"]) for r in told["rows"]] == [("AR", True), ("AA", False)]
    heard = told["rows"][1]
    assert (heard["peer"], heard["control"], heard["kind"]) == ("HIS|WARD", "C1", "ADT^A08")
    assert told["owed"] == [{"to": "ris:2575", "owed": 0, "oldest": ""}] and told["listening"] is False
    assert "PHANTOM" not in ito.get("/api/messages").text, "what a message held is not told"
    assert [r["code"] for r in ito.get("/api/messages?which=faults").json()["rows"]] == ["AR"]
    assert browser(site, "gray").get("/api/messages").status_code == 403


def test_a_peer_is_added_and_asked_whether_it_is_there(site: Site) -> None:
    anna, ito = browser(site, "anna"), browser(site, "ito")
    for aet, port in (("PACS", 104), ("CT1", 0), ("OLD", 104)):
        told = {"aet": aet, "host": "192.0.2.7", "port": port}
        assert ito.post("/api/peers", told).status_code == 403
        assert anna.post("/api/peers", told).status_code == 200
    assert {p["name"]: p["receives"] for p in ito.get("/api/peers").json()["peers"]}["CT1"] is False
    assert "192.0.2.7" not in ito.get("/api/peers").text and "192.0.2.7" in anna.get("/api/peers").text
    assert ito.post("/api/peers/PACS/echo", {}).json()["took_ms"] >= 0
    assert ito.post("/api/peers/CT1/echo", {}).status_code == 400
    assert ito.post("/api/peers/OLD/echo", {}).json()["error"]["why"] == "connection refused"
    assert ito.post("/api/peers/NONE/echo", {}).status_code == 404


def test_promises_given_and_asked_for(site: Site) -> None:
    study = given(site, files(1))
    here: Committing = site.committing
    image = site.index.study(study).series[0].instances[0]
    owed = here.asked(request_of("1.2.3", [(image.sop_class, image.sop_uid)]), who=Person("CT1", Role.SERVICE))
    ito = browser(site, "ito")
    assert [p["state"] for p in ito.get("/api/promises").json()["rows"]] == ["owed"]
    here.told(owed, here.answer(owed))
    site.add_peer("PACS", "192.0.2.7", 104, who=HOUSE)
    here.ask_by = lambda peer, wanted: None
    here.ask(study, "PACS", who=HOUSE)
    asked, promised = ito.get("/api/promises").json()["rows"]
    assert (promised["peer"], promised["state"], promised["failed"]) == ("CT1", "given", 0)
    assert (asked["peer"], asked["state"], asked["study"], asked["answered"]) == ("PACS", "asked", study, None)
