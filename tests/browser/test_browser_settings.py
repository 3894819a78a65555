"""Settings of a person and of a site: the same in every browser, every act without single keys, and what takes two."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_eyes import Site, read, shot, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOM = json.loads((Path(__file__).parents[2] / "web/src/keys/table.json").read_text())["room"]
LEE = {"name": "agrees", "role": "reader", "password": "a long sentence to sign in"}


def mine(page: Any) -> dict[str, Any]:
    told: dict[str, Any] = page.request.get("/api/settings/me").json()["settings"]
    return told


def test_another_browser_has_the_same_settings(page: Any, browser: Any, site: Site) -> None:
    theme = lambda one: one.evaluate("document.documentElement.dataset.theme")  # noqa: E731
    page.goto("/settings")
    page.get_by_role("heading", name="Settings").wait_for()
    before = theme(page)
    page.keyboard.press("g")
    page.keyboard.press("t")
    until(lambda: theme(page) != before and mine(page)["theme"] == theme(page))
    elsewhere = browser.new_context(base_url=site.address, storage_state=site.state)
    other = elsewhere.new_page()
    other.goto("/worklist")
    other.locator("tbody tr").first.wait_for()
    until(lambda: theme(other) == theme(page))
    other.keyboard.press("g")
    other.keyboard.press("t")
    until(lambda: theme(other) == before and theme(page) == before)
    elsewhere.close()


def test_tables_are_light_and_images_dark_until_somebody_chooses(page: Any, site: Site) -> None:
    theme = lambda: page.locator("html").get_attribute("data-theme")  # noqa: E731
    origin = {"Origin": site.address}
    held = page.request.get("/api/settings/me").json()["settings"]["theme"]
    data = {"settings": {}, "forget": ["theme"]}
    assert page.request.put("/api/settings/me", data=data, headers=origin).ok
    try:
        seen = {}
        for path in ("/worklist", "/cohorts", "/oversight", "/models"):
            page.goto(path)
            page.locator("h1").first.wait_for()
            until(lambda: page.locator(".rail").count())
            seen[path] = theme()
        assert seen == {"/worklist": "dark", "/cohorts": "light", "/oversight": "light", "/models": "dark"}
        page.goto("/settings")
        page.get_by_label("Dark", exact=True).check()
        until(lambda: mine(page)["theme"] == "dark")
        page.goto("/cohorts")
        page.locator("h1").first.wait_for()
        until(lambda: theme() == "dark")
    finally:
        back = {"settings": {"theme": held}}
        assert page.request.put("/api/settings/me", data=back, headers=origin).ok


def test_who_may_do_what_to_one_study_and_what_runs_here_under_which_licence(
    page: Any, studies: Callable[[str], str]
) -> None:
    study = studies("Chest radiograph")
    page.goto("/settings/people")
    page.get_by_label("Act").select_option("sign")
    with page.expect_response(lambda answer: f"on={study}" in answer.url) as asked:
        page.get_by_label("Towards one study").fill(study)
    assert asked.value.json()["on"] == study and asked.value.json()["may"] is True
    page.get_by_role("status").filter(has_text="Yes.").wait_for()
    page.goto("/settings/system")
    page.get_by_text("Licences of its Python packages").click()
    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name="pydicom", exact=True))
    assert "MIT" in row.inner_text()
    page.get_by_text("never tested here").wait_for()


def test_without_single_keys_every_act_of_the_room_is_found_by_its_name(
    page: Any, studies: Callable[[str], str]
) -> None:
    study = studies("Chest radiograph")
    page.goto("/settings")
    single = page.get_by_label("Single keys act")
    single.uncheck()
    until(lambda: mine(page)["single_keys"] is False)
    try:
        read(page, study)
        corner = page.locator(".corner.bl")
        held = corner.inner_text()
        page.keyboard.press("Shift+F")
        page.keyboard.press("Control+k")
        options = page.get_by_role("dialog", name="Find a command").get_by_role("option")
        options.first.wait_for()
        offered = "\n".join(options.all_inner_texts())
        assert [one["act"] for one in ROOM if one["words"] not in offered] == []
        sides = [page.locator(f".side.{edge}").inner_text() for edge in ("left", "right")]
        flip = next(one["words"] for one in ROOM if one["act"] == "flip-horizontal")
        page.get_by_role("combobox", name="Command").fill(flip)
        page.keyboard.press("Enter")
        until(lambda: [page.locator(f".side.{edge}").inner_text() for edge in ("left", "right")] == sides[::-1])
        assert corner.inner_text() == held
    finally:
        page.goto("/settings")
        single.check()
        until(lambda: mine(page)["single_keys"] is True)


def test_the_mouse_does_what_its_person_chose_and_the_room_says_so(page: Any, studies: Callable[[str], str]) -> None:
    page.goto("/settings")
    shipped = {"left": "window", "middle": "pan", "right": "window", "wheel": "scroll"}
    assert mine(page)["mouse"] == shipped
    page.get_by_label("Right button").select_option("scroll")
    until(lambda: mine(page)["mouse"]["right"] == "scroll")
    page.get_by_label("Wheel").select_option("zoom")
    until(lambda: mine(page)["mouse"] == {**shipped, "right": "scroll", "wheel": "zoom"})
    try:
        read(page, studies("PET/CT"))
        assert "right: scroll · wheel: zoom · Ctrl and wheel: scroll" in page.locator(".tools.hand").inner_text()
        at, window = page.locator(".corner.tr"), page.locator(".corner.bl")
        page.keyboard.press("Home")
        until(lambda: at.inner_text().startswith("1/"))
        held = window.inner_text()
        box = page.locator(".viewport .canvas").first.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
        page.mouse.move(x, y)
        page.mouse.down(button="right")
        page.mouse.move(x, y + 8 * 3 + 2, steps=4)
        page.mouse.up(button="right")
        until(lambda: at.inner_text().startswith("4/"))
        assert window.inner_text() == held  # a drag to the right would have been another window
        place = lambda: page.locator(".viewport").first.get_attribute("data-plane")  # noqa: E731
        before = place()
        page.mouse.wheel(0, -200)
        until(lambda: place() != before)
        assert at.inner_text().startswith("4/")
    finally:
        told = page.request.get("/api/settings/me").json()
        page.request.put("/api/settings/me", data={"settings": {}, "forget": ["mouse"], "version": told["version"]})


def test_what_was_set_for_everybody_is_put_back_with_a_reason_and_both_are_kept(page: Any, site: Site) -> None:
    told = lambda: page.request.get("/api/settings/site").json()  # noqa: E731
    before = told()
    assert before["prior_side"] == "left"
    other = {"allow": "deny", "deny": "allow"}[before["unasked"]["training"]]
    origin = {"Origin": site.address}
    try:
        page.goto("/settings/site")
        page.get_by_label("Earlier images hang on the").select_option("right")
        page.get_by_label("Without terms of use: training of models").select_option(other)
        page.get_by_label("Reason, kept in the journal").fill("as at the old site")
        page.get_by_role("button", name="Change for everybody").click()
        until(lambda: told()["prior_side"] == "right")
        assert told()["unasked_set"]["training"] == other
        made = page.get_by_role("listitem").filter(has_text="as at the old site")
        made.wait_for()
        page.keyboard.press("Control+z")
        back = page.get_by_role("form", name="Put back: prior side, unasked")
        back.wait_for()
        assert "prior side right → as shipped" in back.inner_text()
        shot(page, "settings-put-back")
        back.get_by_role("button", name="Put it back for everybody").click()
        assert told()["prior_side"] == "right", "nothing is put back without a reason"
        back.get_by_label("Reason, kept in the journal").fill("the readers asked")
        page.keyboard.press("Enter")
        until(lambda: told()["prior_side"] == "left")
        assert told()["unasked"] == before["unasked"] and told()["unasked_set"] == before["unasked_set"]
        assert page.get_by_label("Earlier images hang on the").input_value() == "left"
        page.get_by_role("listitem").filter(has_text="the readers asked").get_by_role("button").wait_for()
        assert made.get_by_role("button").count() == 0, "what was set over since is not put back"
    finally:
        settings = {"prior_side": None, "unasked": before["unasked_set"] or None}
        data = {"version": told()["version"], "reason": "a test", "settings": settings}
        assert page.request.put("/api/settings/site", data=data, headers=origin).ok


def test_an_analysis_is_shown_more_of_only_when_two_people_say_so(page: Any, browser: Any, site: Site) -> None:
    origin = {"Origin": site.address}
    page.request.post("/api/people", data=LEE, headers=origin)
    mode = lambda: next(  # noqa: E731
        one["modes"]["reading"]
        for one in page.request.get("/api/modes").json()["analyses"]
        if one["analysis"] == "ultrasound_speckle"
    )
    before = mode()
    page.goto("/settings/site")
    page.get_by_label("Ultrasound speckle, reading").select_option("second")
    page.get_by_label("Why second?").fill("readers asked for it")
    page.get_by_role("button", name="Propose").click()
    page.get_by_text("A second person has to agree.").wait_for()
    assert page.get_by_role("button", name="Agree").count() == 0, "nobody agrees with themselves"
    assert mode() == before
    shot(page, "settings-mode-proposed")
    elsewhere = browser.new_context(base_url=site.address)
    said = {"name": LEE["name"], "password": LEE["password"]}
    assert elsewhere.request.post("/api/sign-in", data=said, headers=origin).ok
    other = elsewhere.new_page()
    other.goto("/settings/site")
    other.get_by_text("readers asked for it").wait_for()
    other.get_by_role("button", name="Agree").click()
    until(lambda: mode() == "second")
    elsewhere.close()
    back = {"use": "reading", "mode": "shadow", "reason": "a test"}
    assert page.request.post("/api/modes/ultrasound_speckle", data=back, headers=origin).ok, (
        "to show less one is enough"
    )
    assert mode() == "shadow"


def test_one_s_own_password_is_changed_by_keys_and_ends_every_other_session(
    browser: Any, page: Any, site: Site
) -> None:
    origin, old, new = {"Origin": site.address}, "a first sentence to sign in", "a second sentence to sign in"
    somebody = {"name": "changes", "role": "reader", "password": old}
    assert page.request.post("/api/people", data=somebody, headers=origin).ok
    desks = [browser.new_context(base_url=site.address) for _ in range(2)]
    for desk in desks:
        assert desk.request.post("/api/sign-in", data={"name": "changes", "password": old}, headers=origin).ok
    here, elsewhere = desks
    own = here.new_page()
    own.goto("/settings")
    own.get_by_label("Present password").focus()

    def given(*words: str) -> None:
        own.get_by_label("Present password").focus()
        for word in words:
            own.keyboard.press("Control+a")
            own.keyboard.type(word)
            own.keyboard.press("Tab")
        own.keyboard.press("Enter")

    given(old, new, new + "!")
    own.get_by_text("the two entries differ").wait_for()
    given("not this sentence", new, new)
    own.get_by_text("it does not belong to this account").wait_for()
    given(old, new, new)
    own.get_by_text("You are signed out everywhere but here").wait_for()
    shot(own, "settings-password")
    assert here.request.get("/api/me").ok and elsewhere.request.get("/api/me").status == 401
    assert elsewhere.request.post("/api/sign-in", data={"name": "changes", "password": new}, headers=origin).ok
    for desk in desks:
        desk.close()
