"""Rejection and identities over HTTP: rejected, seen, taken back; asked and erased; merged and undone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_for_pages import Browser

from isocenter.doors.pages import application
from isocenter.govern.policy import Role
from isocenter.site.verbs import Site

sys.path.insert(0, str(Path(__file__).parents[1] / "site"))
from rejecting_samples import files, given, link_in, opened, sop_of


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as one:
        for name, role in (("anna", Role.ADMIN), ("bert", Role.ADMIN), ("lee", Role.RESEARCHER)):
            link_in(one, name, role)
        yield one


def browser(site: Site, name: str) -> Browser:
    app = application(site, demo=False, clock=site.clock)
    return Browser(app, bearer=site.sign_in_by_link(site.link(name), address="192.0.2.1"))


def test_rejected_seen_asked_and_erased_by_another(site: Site) -> None:
    some = files()
    study = given(site, some)
    anna, bert = browser(site, "anna"), browser(site, "bert")
    told = anna.post(
        f"/api/studies/{study}/reject", {"code": "113001", "reason": "she moved", "instances": [sop_of(some[0])]}
    ).json()
    (listed,) = anna.get(f"/api/studies/{study}/rejections").json()["rejections"]
    assert listed == told and told["state"] == "rejected"
    under = f"/api/studies/{study}/rejections/{told['number']}"
    assert anna.post(f"{under}/ask-purge", {"reason": "ten years"}).json()["state"] == "asked"
    assert anna.post(f"{under}/purge", {}).status_code == 400
    assert bert.post(f"{under}/purge", {}).json()["state"] == "erased"
    assert bert.post(f"{under}/take-back", {"reason": "too late"}).status_code == 409
    assert browser(site, "lee").get(f"/api/studies/{study}/rejections").status_code == 403
    assert anna.post(f"/api/studies/{study}/reject", {"code": "x", "reason": "because"}).status_code == 400


def test_merged_moved_and_undone(site: Site) -> None:
    first = given(site, files(1, patient="P1"))
    given(site, files(2, patient="P2"))
    anna = browser(site, "anna")
    names = {"gone": {"id": "P1"}, "stays": {"id": "P2"}, "reason": "registered twice"}
    merged = anna.post("/api/identities/merge", names).json()
    moved = anna.post("/api/identities/move", {"studies": [first], "id": "P3", "reason": "no, this one"}).json()
    for change in (moved, merged):
        assert anna.post(f"/api/identities/{change['number']}/undo", {"reason": "all wrong"}).status_code == 200
    assert [c["what"] for c in anna.get("/api/identities").json()["changes"]] == ["moved", "merged"]
    assert anna.post(f"/api/identities/{merged['number']}/undo", {"reason": "again"}).status_code == 409
    assert browser(site, "lee").post("/api/identities/merge", names).status_code == 403


def test_what_is_rejected_in_the_whole_archive_is_named_though_it_is_hidden(site: Site) -> None:
    hidden, half = given(site, files(1, patient="P1")), given(site, some := files(2, patient="P2"))
    anna = browser(site, "anna")
    anna.post(f"/api/studies/{hidden}/reject", {"code": "113037", "reason": "wrong patient"})
    anna.post(f"/api/studies/{half}/reject", {"code": "113001", "reason": "moved", "instances": [sop_of(some[0])]})
    told = anna.get("/api/rejections").json()
    assert [(r["study"], r["patient"], r["hidden"]) for r in told["rows"]] == [
        (half, "P2", False), (hidden, "P1", True),
    ]  # fmt: skip
    assert told["codes"]["113001"] and told["total"] == 2
    assert anna.get("/api/rejections?state=erased").json()["rows"] == []
