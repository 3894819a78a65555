"""Settings over the wire: per person, per site, shared views, and why something is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_for_pages import Browser
from house_for_pages import CT, House

from isocenter.doors.pages import application
from isocenter.doors.pages_machine import Machine
from isocenter.settings import Settings


@pytest.fixture
def house() -> House:
    return House()


def browser(house: House, role: str, machine: Machine | None = None) -> Browser:
    return Browser(application(house, demo=True, clock=lambda: house.now, machine=machine), bearer=house.token(role))


def test_shipped_settings_then_ones_own_in_every_browser(house: House) -> None:
    one, other = browser(house, "reader"), browser(house, "reader")
    told = one.get("/api/settings/me").json()
    assert (told["settings"]["theme"], told["changed"], told["version"]) == ("screen", [], house.tickets.of(0))
    told = one.put(
        "/api/settings/me", {"version": told["version"], "settings": {"theme": "light", "keys": {"room.keep": "q"}}}
    ).json()
    assert told["changed"] == ["keys", "theme"]
    assert other.get("/api/settings/me").json() == told
    assert browser(house, "admin").get("/api/settings/me").json()["settings"]["theme"] == "screen"
    back = one.put("/api/settings/me", {"settings": {}, "forget": ["theme"]}).json()
    assert (back["settings"]["theme"], back["changed"]) == ("screen", ["keys"])
    assert one.get("/api/settings/me/history").json()["changes"][0]["changes"] == [
        {"name": "theme", "was": "light", "now": None}
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"theme": "pink"},
        {"colour": "x"},
        {"keys": {"room": "q"}},
        {"views": [{"name": ""}]},
        {"keys": {"room.keep": ""}},
        {"mouse": {"left": "scroll"}},
        {"mouse": {"fourth": "pan"}},
    ],
)
def test_what_is_no_setting_is_refused(house: House, settings: dict[str, object]) -> None:
    assert browser(house, "reader").put("/api/settings/me", {"settings": settings}).status_code == 400


def test_one_key_for_two_acts_of_a_screen_is_refused_with_the_other_owner(house: House) -> None:
    keys = {"room.keep": "q", "worklist.open": "q", "room.strike": "q"}
    answer = browser(house, "reader").put("/api/settings/me", {"settings": {"keys": keys}})
    assert answer.status_code == 400
    assert "'keep' has it on the same screen" in answer.json()["error"]["why"]


def test_who_changes_an_old_version_is_told(house: House) -> None:
    reader = browser(house, "reader")
    first = house.tickets.of(0)
    reader.put("/api/settings/me", {"version": first, "settings": {"theme": "light"}})
    assert reader.put("/api/settings/me", {"version": first, "settings": {"theme": "dark"}}).status_code == 409


def test_the_site_says_what_needs_a_restart_and_hides_addresses_from_who_may_not_change_it(
    house: House, tmp_path: Path
) -> None:
    machine = Machine(Settings(folder=tmp_path, database="postgresql://who:secret@db/isocenter"))
    told = browser(house, "admin", machine).get("/api/settings/site").json()
    of = {one["name"]: one for one in told["start"]}
    assert of["database"]["value"] == "postgresql://who:…@db/isocenter"
    assert (of["port"]["value"], of["port"]["changed"], of["port"]["restart"]) == (8042, False, True)
    assert of["folder"]["changed"] is True
    assert told["limits_min"] == {"now": 30, "soon": 120, "today": 480, "routine": 1440}
    seen = browser(house, "researcher", machine).get("/api/settings/site").json()
    assert {one["value"] for one in seen["start"]} == {None}
    assert (seen["may_change"], "'site'" in seen["rule"]) == (False, True)


def test_limits_are_changed_with_a_reason_and_must_grow(house: House) -> None:
    admin = browser(house, "admin")
    change = {"version": house.tickets.of(0), "reason": "night", "settings": {"limits_min": {"now": 20}}}
    told = admin.put("/api/settings/site", change).json()
    assert (told["limits_min"]["now"], told["by"]) == (20, "admin")
    wrong = {**change, "version": told["version"], "settings": {"limits_min": {"now": 200}}}
    assert "the more urgent class must have the shorter limit" in admin.put("/api/settings/site", wrong).text
    assert admin.put("/api/settings/site", {**change, "reason": ""}).status_code == 400
    assert admin.put("/api/settings/site", change).status_code == 409
    assert admin.get("/api/settings/site/history").json()["changes"][0]["reason"] == "night"


def test_consent_where_nothing_is_recorded_and_the_side_of_priors_are_changed_with_a_reason(house: House) -> None:
    admin = browser(house, "admin")
    told = admin.get("/api/settings/site").json()
    assert told["unasked"] == told["unasked_shipped"] and told["unasked_set"] == {} and told["prior_side"] == "left"
    assert (told["unasked"]["care"], told["unasked"]["research"]) == ("allow", "deny")
    said = {"unasked": {"research": "allow", "training": "deny"}, "prior_side": "right"}
    change = {"version": told["version"], "reason": "public images", "settings": said}
    told = admin.put("/api/settings/site", change).json()
    assert told["unasked"] == {
        "care": "allow", "research": "allow", "training": "deny", "federation": "allow", "sharing": "allow",
    }  # fmt: skip
    assert (told["unasked_set"], told["prior_side"]) == (said["unasked"], "right")


def test_what_is_beyond_a_limit_is_told_with_how_far_and_never_a_name(house: House) -> None:
    admin = browser(house, "admin")
    change = {"version": house.tickets.of(0), "reason": "night", "settings": {"told_within_min": 90000}}
    assert "it is 90000, and may be 86400 at most" in admin.put("/api/settings/site", change).text
    long = admin.put("/api/settings/site", {**change, "reason": "Kanarienvogel" * 50}).text
    assert "it has 650 characters, and may have 500 at most" in long and "Kanarienvogel" not in long
    many = admin.put("/api/settings/site", {**change, "settings": {"region": ["DE"] * 251}}).text
    assert "it holds 251, and may hold 250 at most" in many


def test_a_request_that_does_not_fit_is_told_what_is_wrong_in_our_words(house: House) -> None:
    admin = browser(house, "admin")
    for body, told in (
        ({"step": "shadow", "reason": ""}, "body.reason: it is empty"),
        ({"step": "shadow", "reason": 7}, "body.reason: it is no text"),
        ({"step": "shadow", "reason": None}, "body.reason: it is no text"),
        ({"step": "shadow"}, "body.reason: it is missing"), ([], "body: it is no object with names and values"),
        ({"step": "", "reason": "r" * 1001},
         "body.step: it is empty; body.reason: it has 1001 characters, and may have 1000 at most"),
    ):  # fmt: skip
        refused = admin.post("/api/models/breastmnist/step", body)
        assert refused.status_code == 400 and refused.json()["error"]["what"] == told, refused.text
        assert refused.json()["error"]["do"].startswith("mend it")


def test_views_are_shared_and_taken_back_by_their_owner(house: House) -> None:
    reader, admin = browser(house, "reader"), browser(house, "admin")
    told = reader.put("/api/views/night", {"name": "night", "q": "mod:CT"}).json()["views"]
    assert told == [{"name": "night", "q": "mod:CT", "sort": "", "ai": True, "by": "reader"}]
    assert admin.put("/api/views/night", {"name": "night"}).status_code == 400
    assert admin.ask("DELETE", "/api/views/night").status_code == 400
    assert reader.ask("DELETE", "/api/views/night").json()["views"] == []


def test_the_rule_behind_a_right(house: House) -> None:
    reader, admin = browser(house, "reader"), browser(house, "admin")
    told = reader.get("/api/policy/why?what=release").json()
    assert told["may"] is False
    assert told["why"].startswith("Refused: rule 'release'")
    assert "administrator" in told["grants"]
    assert admin.get("/api/policy/why?what=sign&who=researcher").json()["may"] is False
    assert admin.get("/api/policy/why?what=sign&who=nobody").status_code == 404
    assert admin.get("/api/policy/why?what=fly").status_code == 404
    assert reader.get("/api/policy/why?what=sign&who=admin").status_code == 403
    assert reader.get(f"/api/policy/why?what=sign&on={CT}").json()["may"] is True
    assert reader.get("/api/policy/why?what=sign&on=9.9").status_code == 404
    assert reader.get("/api/policy/why?what=sign&on=head").status_code == 400
    there = admin.get(f"/api/policy/why?what=find&who=researcher&on={CT}").json()
    assert (there["may"], "not in the project" in there["why"]) == (False, True)
    assert admin.get("/api/policy/why?what=find&who=researcher").json()["may"] is True
    rights = reader.get("/api/me").json()["rights"]
    assert (rights["sign"]["may"], rights["release"]["may"]) == (True, False)


def test_a_person_is_added_with_the_password_given_and_none_other(house: House) -> None:
    admin = browser(house, "admin")
    lee = {"name": "lee", "role": "reader", "password": "a long sentence"}
    assert "lee" in [one["name"] for one in admin.post("/api/people", lee).json()["people"]]
    assert admin.post("/api/people", lee).status_code == 400
    assert admin.post("/api/people", {**lee, "name": "kim", "password": "short"}).status_code == 400
    assert admin.post("/api/people", {**lee, "name": "kim", "role": "patient"}).status_code == 400
    named = admin.get("/api/colleagues").json()["colleagues"]
    assert {"name": "lee", "role": "reader"} in named
    assert "researcher" not in [one["role"] for one in named]


def test_text_blocks_are_kept_on_the_server_and_two_cannot_have_one_name(house: House) -> None:
    reader = browser(house, "reader")
    block = {"name": "ncl", "text": "No pleural effusion.\nNo [finding] was detected."}
    told = reader.put("/api/settings/me", {"settings": {"macros": [block]}})
    assert told.status_code == 200 and told.json()["settings"]["macros"] == [block]
    assert reader.get("/api/settings/me").json()["settings"]["macros"] == [block]
    twins = reader.put("/api/settings/me", {"settings": {"macros": [block, {**block, "name": "NCL"}]}})
    assert twins.status_code == 400 and "two text blocks" in twins.text
    assert reader.put("/api/settings/me", {"settings": {"macros": [{**block, "name": "two words"}]}}).status_code == 400
