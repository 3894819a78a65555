"""The worklist, the catalogue and the frame around them, in a real browser on the demonstration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from browser_eyes import Site, parts_alone, shot, until
from own_archive import own_archive

pytestmark = pytest.mark.browser


def here(page: Any) -> str:
    """Where the page is, asked of the page itself: the driver's own word for it is only renewed while it is busy."""
    return str(page.evaluate("location.href"))


def rows(page: Any) -> Any:
    return page.locator("tbody tr:not([aria-hidden])")


def test_the_list_says_why_and_keys_walk_it(page: Any) -> None:
    page.goto("/worklist")
    rows(page).first.wait_for()
    assert page.title().startswith("DEMO · Worklist")
    assert "Research software, not for diagnosis" in page.locator("footer").inner_text()
    assert all(page.locator("tbody tr:not([aria-hidden]) td:nth-child(2)").all_inner_texts())
    dues = (
        page.locator("tbody tr:not([aria-hidden])", has_not_text="signed").locator("td:nth-child(1)").all_inner_texts()
    )
    assert dues and all(re.search(r"(Now|Soon|Routine)\W+\d+\s?(h|min)", one) for one in dues), dues
    raised = page.locator("td:nth-child(2) a", has_text="moved up").first
    assert raised.get_attribute("href") == "/oversight/triage", "a raised place leads to what it gave and cost"
    page.keyboard.press("j")
    page.keyboard.press("j")
    focused = page.locator("tr[aria-current=true]")
    assert focused.get_attribute("aria-rowindex") == "3"
    until(lambda: page.evaluate("document.activeElement.closest('tr')?.getAttribute('aria-rowindex')") == "3")
    page.keyboard.press("k")
    page.locator("tr[aria-current=true][aria-rowindex='2']").wait_for()
    assert focused.get_attribute("aria-rowindex") == "2"
    shot(page, "worklist")
    lifted = rows(page).filter(has_text="moved up").first.get_attribute("aria-rowindex")
    for _ in range(20):  # to the row that was moved up, then by its key to what that gave
        now = focused.get_attribute("aria-rowindex")
        if now == lifted:
            break
        page.keyboard.press("j" if int(now) < int(lifted) else "k")
        until(lambda now=now: focused.get_attribute("aria-rowindex") != now)
    page.keyboard.press("u")
    until(lambda: page.evaluate("location.href").endswith("/oversight/triage"))


@pytest.mark.slow
def test_the_line_beneath_the_list_says_what_triage_gave(page: Any) -> None:
    change = {"value": -26.9, "low": -31.0, "high": -22.4, "n": 40}
    told = {
        "analysis": "chest_xray_opacity", "n": 80, "needed": 0,
        "groups": {"with the finding": change, "without": change | {"value": 3.1, "low": 1.0, "high": 5.2}},
        "predicted": {},
    }  # fmt: skip
    page.route("**/api/worklist/effect", lambda route: route.fulfill(json=told))
    page.goto("/worklist")
    line = page.locator(".effect")
    line.get_by_text("with the finding −27 min").wait_for()
    assert "without +3.1" in line.inner_text(), "and what it cost the others"
    shot(page, "worklist-effect")


def test_the_list_opens_with_one_question_that_the_browser_asks_before_the_code_is_here(page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url.partition("/api/")[2]))
    page.goto("/worklist")
    rows(page).first.wait_for()
    page.locator(".live .fine").wait_for()
    besides = ("events", "demo/steps")  # the list of first steps is of the demonstration, until it is closed
    assert [one for one in asked if one and one not in besides] == ["begin?limit=60&ai=on"]
    first = "performance.getEntriesByName(new URL('/api/begin?limit=60&ai=on', location.href).href)[0].initiatorType"
    assert page.evaluate(first) == "link", "the head of the page named it"


@pytest.mark.parametrize("width", [390, *(pytest.param(n, marks=pytest.mark.slow) for n in (800, 1000))])
def test_a_narrow_list_does_not_scroll_sideways(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 300})  # so low that not every row is drawn
    page.goto("/worklist")
    page.get_by_role("table", name="Studies to read").locator("a[data-open]").first.wait_for()
    wide = "one => one.scrollWidth - one.clientWidth"
    assert [page.locator(of).first.evaluate(wide) for of in ("html", ".scroll")] == [0, 0]
    rows = page.locator(".scroll tbody tr:not([aria-hidden])")
    heights = set(rows.evaluate_all("all => all.map(one => one.getBoundingClientRect().height)"))
    assert len(heights) == 1
    assert page.locator(".scroll tbody tr[aria-hidden]").count(), "what is not drawn has a row, too"
    head, beside = (
        "all => all.reduce((sum, one) => sum + one.offsetWidth, 0)",
        "one => one.querySelector('table').offsetWidth",
    )
    columns = page.locator(".scroll thead th").evaluate_all(head)
    assert abs(columns - page.locator(".scroll").evaluate(beside)) <= 2, "no room for columns that are not shown"
    if width == 390:
        one = rows.filter(has_text="PHANTOM").first  # whatever other tests have put before it
        patient, said = one.locator(".beneath").all()
        assert patient.evaluate("one => one.scrollWidth <= one.clientWidth"), "whose study it is can be read whole"
        mark = said.locator(":scope > *").first.bounding_box()
        assert mark["x"] + mark["width"] <= width, "and so can what AI says"
        whole = "one => one.scrollWidth <= one.clientWidth && one.scrollHeight <= one.clientHeight"
        assert said.evaluate(whole) and one.locator(".what").evaluate(whole), "and why it stands where it does"
    shot(page, f"worklist-{width}")


def test_the_filter_stands_in_the_address_and_outlives_a_reload(page: Any) -> None:
    page.goto("/worklist")
    rows(page).first.wait_for()
    everything = rows(page).count()
    page.keyboard.press("/")
    page.keyboard.type("mod:DX j")  # in a text field j is a letter
    assert page.locator("tr[aria-current=true]").count() == 0
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    until(lambda: here(page).endswith("?q=mod%3ADX"))  # a slow hand is asked for on its way: only then is it all there
    until(lambda: 0 < rows(page).count() < everything)
    page.reload()
    rows(page).first.wait_for()
    assert 0 < rows(page).count() < everything
    assert page.locator("input[name=q]").input_value() == "mod:DX"


def test_a_filter_that_fits_nothing_names_itself(page: Any) -> None:
    page.goto("/worklist?q=nobody-of-this-name")
    page.get_by_text("Nothing fits “nobody-of-this-name”").wait_for()
    shot(page, "worklist-empty")
    page.get_by_role("button", name="Show all studies").click()
    rows(page).first.wait_for()


def test_a_server_that_does_not_answer_is_said_and_recovered_from(page: Any, context: Any) -> None:
    context.expected.append("Failed to load resource")
    parts_alone(page)
    page.route("**/api/worklist*", lambda route: route.abort())
    page.goto("/worklist")
    page.get_by_role("alert").get_by_text("Offline").wait_for()
    shot(page, "worklist-offline")
    page.unroute("**/api/worklist*")
    failing = re.compile("/api/(stops|critical)$")
    page.route(failing, lambda route: route.fulfill(status=500))
    page.reload()
    rows(page).first.wait_for()
    for what in ("Which analyses are stopped", "Which critical findings were told to nobody"):
        page.get_by_role("alert").filter(has_text=f"{what} could not be read").wait_for()
    page.unroute(failing)
    for _ in range(2):
        page.get_by_role("button", name="Try again").first.click()
    page.get_by_text("could not be read").first.wait_for(state="detached")


def test_the_keys_of_this_screen(page: Any) -> None:
    page.goto("/worklist")
    rows(page).first.wait_for()
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keys of this screen")
    sheet.get_by_text("Take the next due study").wait_for()
    shot(page, "keys")
    page.keyboard.press("Escape")
    sheet.wait_for(state="detached")
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/analyses")


def test_the_catalogue_says_needs_as_sentences(page: Any) -> None:
    page.goto("/analyses")
    card = page.locator(".catalogue li", has_text="pet_uptake")
    card.wait_for()
    assert "PET" in card.locator("dt:text-is('Needs') + dd").inner_text()
    shot(page, "analyses")
    page.keyboard.press("g")
    page.keyboard.press("t")
    until(lambda: page.locator("html").get_attribute("data-theme") == "light")
    shot(page, "analyses-light")
    page.keyboard.press("g")
    page.keyboard.press("t")
    until(lambda: page.request.get("/api/settings/me").json()["settings"]["theme"] == "dark")
    page.keyboard.press("/")
    page.keyboard.type("pet_uptake")
    page.wait_for_url("**/analyses?q=pet_uptake")
    page.reload()
    until(lambda: page.locator(".catalogue li").count() == 1)
    assert re.fullmatch(r"[0-9.]+\u2009s, [0-9]+\u2009MiB", card.locator("dt:text-is('At most') + dd").inner_text())


def test_a_second_filter_keeps_the_first_through_reload_and_back_with_one_question_each(page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if re.search("/api/(worklist|begin)[?]", one.url) else None)
    page.goto("/worklist?q=mod%3ADX")
    rows(page).first.wait_for()
    assert len(asked) == 1
    page.keyboard.press("/")
    page.keyboard.press("End")
    page.keyboard.type(" is:waiting CHEST")
    until(lambda: "is%3Awaiting" in here(page))
    until(lambda: here(page) and len(asked) == 2)
    assert "CHEST" not in here(page), "a word that may be a name stays out of the address"
    assert "CHEST" in asked[-1]
    page.reload()
    rows(page).first.wait_for()
    assert page.locator("input[name=q]").input_value() == "mod:DX is:waiting CHEST"
    assert [chip.split()[0] for chip in page.locator(".chip").all_inner_texts()] == ["DX", "waiting", "“CHEST”"]
    page.go_back()
    until(lambda: here(page).endswith("?q=mod%3ADX"))
    until(lambda: page.locator("input[name=q]").input_value() == "mod:DX")
    page.locator(".chip", has_text="DX").click()
    until(lambda: here(page).endswith("/worklist"))
    assert len(asked) == 5, asked


def test_sorting_says_that_it_is_not_by_urgency(page: Any) -> None:
    answer(
        page,
        lambda: [
            {**row(i), "patient": {"id": f"P{i}", "name": f"{'CBA'[i]}^X", "sex": "", "birth_date": None}}
            for i in range(3)
        ],
    )
    page.goto("/worklist")
    rows(page).first.wait_for()
    head = page.get_by_role("columnheader", name="Patient")
    assert head.get_attribute("aria-sort") is None
    head.get_by_role("button").click()
    until(lambda: head.get_attribute("aria-sort") == "ascending")
    assert page.locator("tbody td:nth-child(3)").first.inner_text().startswith("A, X")
    page.reload()
    page.get_by_text("Sorted by patient, not by urgency").wait_for()
    page.get_by_role("button", name="In the order in which to read").click()
    until(lambda: page.locator("tbody td:nth-child(3)").first.inner_text().startswith("C, X"))
    until(lambda: here(page).endswith("/worklist"))


def test_the_list_does_not_fall_with_the_machine_that_orders_it(page: Any, context: Any) -> None:
    context.expected.append("Failed to load resource")
    asked = []

    def half(route: Any) -> None:
        asked.append(route.request.url)
        if "ai=on" in route.request.url:
            route.fulfill(
                status=500, json={"error": {"what": "it died", "why": "", "do": "", "kind": "Error", "event": "abc"}}
            )
        else:
            route.continue_()

    parts_alone(page)
    page.route("**/api/worklist?*", half)
    page.goto("/worklist")
    rows(page).first.wait_for()
    page.get_by_text("AI could not be asked: this is the plain list").wait_for()
    plain = [r["study"] for r in page.request.get("/api/worklist?ai=off").json()["rows"]]
    shown = [a.get_attribute("href").rsplit("/", 1)[1] for a in page.locator("tbody td a").all()]
    assert shown == plain


@pytest.mark.slow
def test_a_view_is_kept_on_the_server_and_opens_the_list(page: Any, context: Any) -> None:
    page.goto("/worklist?q=mod%3AMR")
    rows(page).first.wait_for()
    page.keyboard.press("f")
    page.get_by_label("Name").fill("Magnets")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for(state="detached")
    page.locator(".views summary").click()
    page.get_by_role("button", name="open the list with Magnets").click()
    page.get_by_role("button", name="share Magnets").click()
    page.get_by_text("all · by admin").or_(page.get_by_text("mod:MR · by admin")).wait_for()
    shot(page, "worklist-views")
    other = context.new_page()  # a window that knows nothing of the first
    other.goto("/worklist")
    rows(other).first.wait_for()
    until(lambda: here(other).endswith("?q=mod%3AMR"))
    assert other.locator(".views summary").inner_text().startswith("Magnets")
    page.get_by_role("button", name="take back Magnets").click()
    page.get_by_role("button", name="forget Magnets").click()
    until(lambda: page.request.get("/api/settings/me").json()["settings"]["views"] == [])


@pytest.mark.slow
def test_a_preview_follows_the_row_and_stands_in_the_address(page: Any) -> None:
    page.goto("/worklist")
    rows(page).first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("Space")
    preview = page.get_by_role("complementary", name="Preview")
    preview.get_by_text("Open with").wait_for()
    first = preview.get_by_role("heading", level=2).inner_text()
    page.keyboard.press("j")
    page.keyboard.press("j")
    until(lambda: preview.get_by_role("heading", level=2).inner_text() != first)
    held = preview.get_by_role("heading", level=2).inner_text()
    until(lambda: preview.locator("img").count() > 0)
    page.reload()
    until(lambda: preview.get_by_role("heading", level=2).inner_text() == held)
    shot(page, "worklist-preview")
    page.keyboard.press("Escape")
    preview.wait_for(state="detached")


def test_a_study_is_asked_of_somebody_by_keyboard(page: Any, studies: Callable[[str], str]) -> None:
    study = studies("Abdominal ultrasound")
    page.goto("/worklist?q=mod%3AUS")
    page.locator(f"a[href$='{study}']").wait_for()
    page.locator(f"tr:has(a[href$='{study}']) td:first-child").click()
    page.keyboard.press("a")
    page.get_by_role("dialog", name="Who shall read it?").get_by_role("button", name="admin (you)").click()
    row_of = page.locator(f"tr:has(a[href$='{study}'])")
    until(lambda: "for you" in row_of.inner_text())
    page.goto("/worklist?q=to%3Ame")
    until(lambda: rows(page).count() == 1)
    page.request.post(
        f"/api/readings/{study}/assign", data={"to": ""}, headers={"Origin": page.url.split("/worklist")[0]}
    )


@pytest.mark.slow
def test_of_two_browsers_that_race_for_a_study_one_wins_and_the_other_says_who(
    browser: Any, context: Any, page: Any, site: Site, studies: Callable[[str], str]
) -> None:
    context.expected.append("Failed to load resource")
    study = studies("Abdominal ultrasound")
    origin = {"Origin": site.address}
    page.goto("/worklist")
    lee = {"name": "lee", "role": "reader", "password": "a long sentence to sign in"}
    page.request.post("/api/people", data=lee, headers=origin)
    other = browser.new_context(base_url=site.address)
    signed_in = other.request.post("/api/sign-in", data={"name": "lee", "password": lee["password"]}, headers=origin)
    assert signed_in.ok
    rival = other.new_page()
    page.goto(f"/study/{study}", wait_until="commit")
    rival.goto(f"/study/{study}", wait_until="commit")
    winner, loser, name = until(lambda: _race(page, rival))
    assert loser.get_by_text(f"{name} has it open: read only").is_visible()
    assert loser.get_by_role("button", name="Sign", exact=False).count() == 0
    shot(loser, "room-read-only")
    told = page.request.get(f"/api/readings/{study}").json()
    assert told["by"] == name
    winner.request.post(f"/api/readings/{study}/lapse", data={"version": told["version"]}, headers=origin)
    other.close()


def _race(admin: Any, lee: Any) -> tuple[Any, Any, str] | None:
    for winner, loser, name in ((admin, lee, "admin"), (lee, admin, "lee")):
        if winner.get_by_text("You read").count() and loser.get_by_text(f"{name} has it open").count():
            return winner, loser, name
    return None


def test_an_address_that_is_none(page: Any) -> None:
    """Neither a page, nor a part that its page has not, nor a cohort that no digest names is an empty screen."""
    for path in ("/no/such/page", "/settings/blocks", "/oversight/follow-up", "/cohorts/plots"):
        page.goto(path)
        page.get_by_role("heading", name="There is no such page").wait_for()
        page.get_by_text(path).wait_for()


def test_whoever_has_not_signed_in_comes_to_the_door_and_back(browser: Any, site: Site) -> None:
    stranger = browser.new_context(base_url=site.address)
    page = stranger.new_page()
    page.goto("/analyses")
    page.wait_for_url(re.compile(r"/sign-in\?to=%2Fanalyses"))
    page.get_by_label("Name").fill("nobody")
    page.get_by_label("Password").fill("not the password")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    shot(page, "sign-in")
    stranger.close()


@pytest.mark.slow
def test_a_list_of_ten_thousand_stays_small_and_quick(page: Any) -> None:
    answer(page, lambda: [row(i) for i in range(10_000)])
    page.goto("/worklist")
    rows(page).first.wait_for()
    assert rows(page).count() < 80
    # Others may share this machine: what is measured is the processor time of the page's own thread.
    clock = page.context.new_cdp_session(page)
    clock.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent_ms() -> float:
        told = clock.send("Performance.getMetrics")["metrics"]
        return 1000 * next(float(one["value"]) for one in told if one["name"] == "TaskDuration")

    steps = []
    for _ in range(100):
        before = spent_ms()
        page.evaluate(
            """async () => {
              dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true }));
              await new Promise(requestAnimationFrame);
              await new Promise(requestAnimationFrame);
            }"""
        )
        steps.append(spent_ms() - before)
    steps.sort()
    assert page.locator("tr[aria-current=true]").get_attribute("aria-rowindex") == "101"
    print(f"100 steps through 10,000 rows, two frames each: median {steps[50]:.1f} ms, slowest {steps[-1]:.1f} ms")
    assert steps[0] > 0.1, "the clock runs"
    assert steps[-1] < 50


@pytest.mark.slow
def test_an_arrival_above_does_not_move_the_focus(page: Any) -> None:
    listed = [row(i) for i in range(5)]
    answer(page, lambda: listed)
    events = channel(page)
    page.goto("/worklist")
    rows(page).first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("j")
    focused = page.locator("tr[aria-current=true]")
    held = focused.inner_text()
    listed.insert(0, {**row(99), "level": "now", "why": "AI: bleed, moved up"})
    events.append(ARRIVED)
    page.get_by_role("button", name="1 moved · show").wait_for()
    said = page.locator("p.hidden[role=status]")
    assert said.inner_text() == "Arrived: CT 99, now"
    assert (rows(page).count(), focused.get_attribute("aria-rowindex")) == (5, "3"), "nothing moved under the hands"
    page.keyboard.press("s")
    until(lambda: rows(page).count() == 6)
    assert focused.inner_text() == held
    assert focused.get_attribute("aria-rowindex") == "4"
    listed.insert(0, row(98))
    events.append(ARRIVED)
    page.get_by_role("button", name="1 moved · show").wait_for()
    page.keyboard.press("/")  # focus leaves the list: everything goes where it belongs
    until(lambda: rows(page).count() == 7)
    assert page.locator(".moved").count() == 0


def test_a_row_says_how_far_its_analyses_have_come(page: Any) -> None:
    ais = ({"state": "waiting", "words": "", "done": 0.0}, {"state": "found", "words": "bleed", "done": 2 / 3},
           {"state": "none", "words": "", "done": 0.999}, {"state": "none", "words": ""},
           {"state": "struck", "words": ""})  # fmt: skip
    listed = [{**row(i), "ai": ai} for i, ai in enumerate(ais)]
    answer(page, lambda: listed)
    events = channel(page)
    page.goto("/worklist")
    rows(page).first.wait_for()
    marks = lambda: [" ".join(one.inner_text().split()) for one in page.locator("tbody tr td:nth-child(6)").all()]  # noqa: E731
    told = ["0 %", "◇ bleed 66 %", "99 %", "✓ looked, none", "⊘ found, struck"]
    assert [mark.removesuffix(" analysed") for mark in marks()] == told
    del listed[0]["ai"]["done"]
    events.append({"kind": "ResultMade", "subject": "1.2.0", "who": "isocenter"})
    until(lambda: marks()[0] == "waiting")


def answer(page: Any, listed: Callable[[], list[dict[str, Any]]]) -> list[str]:
    """Answer the page's questions for the list from here; the addresses that were asked."""
    asked: list[str] = []

    def told(route: Any) -> None:
        asked.append(route.request.url)
        rows = listed()
        columns = list(rows[0]) if rows else []
        route.fulfill(
            json={"columns": columns, "rows": [list(r.values()) for r in rows], "next": None, "total": len(rows)}
        )

    parts_alone(page)
    page.route("**/api/worklist?*", told)
    return asked


def channel(page: Any) -> list[dict[str, Any]]:
    """A live channel that tells what is put into the list that this returns, and ends after each event."""
    waiting: list[dict[str, Any]] = []

    def told(route: Any) -> None:
        lines = "".join(f"id: {7 + i}\ndata: {json.dumps(one)}\n\n" for i, one in enumerate(waiting))
        waiting.clear()
        route.fulfill(content_type="text/event-stream", body=f"retry: 100\n\n{lines}")

    page.add_init_script("delete window.SharedWorker")  # in a browser without one each page has a channel of its own
    page.route("**/api/events*", told)
    return waiting


ARRIVED = {"kind": "InstancesReceived", "subject": "1.2.99", "who": "CT1"}


def row(number: int) -> dict[str, Any]:
    patient = {"id": f"P{number}", "name": f"PHANTOM^{number}", "sex": "O", "birth_date": None}
    return {
        "study": f"1.2.{number}", "patient": patient, "accession": "", "date": "2026-11-01",
        "description": f"CT {number}", "modalities": ["CT"], "instances": 10,
        "state": "waiting", "level": "routine", "why": "order of arrival",
        "due": None, "waits_s": 60 * number, "moved_up": 0, "ai": {"state": "off", "words": []}, "reader": "",
        "assigned": "",
    }  # fmt: skip


def test_the_rail_opens_the_first_study_by_keyboard(page: Any, studies: Callable[[str], str]) -> None:
    page.goto("/worklist?q=mod:US")
    rows(page).first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/study/*")
    page.locator("header[aria-label=Patient]").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_url("**/worklist")


@pytest.mark.slow
def test_when_all_is_read_it_says_what_is_expected_next(browser: Any, tmp_path: Path) -> None:
    with own_archive(browser, tmp_path, []) as site:
        context = browser.new_context(base_url=site.address, storage_state=site.state)
        page = context.new_page()
        page.goto("/worklist?q=is:waiting")
        page.get_by_text("Nothing more is ordered here.").wait_for()
        day = (datetime.now(UTC) + timedelta(days=3)).date()
        order = {"patient": {"id": "P1"}, "accession": "A1", "procedure": "CT chest", "modality": "CT",
                 "date": f"{day}", "time": "1040"}  # fmt: skip
        assert page.request.post("/api/orders", data=order, headers={"Origin": site.address}).ok
        page.reload()
        page.get_by_role("heading", name="All read").wait_for()
        page.get_by_text(f"Next expected {day} 10:40: CT chest.").wait_for()
        page.get_by_role("button", name="Show all studies").click()
        page.wait_for_url("**/worklist")
        context.close()
