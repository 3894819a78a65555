"""The frame around every page: places, palette, keys, settings, and addresses that reload to the same view."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from browser_eyes import Site, addresses, faults, shot, until

pytestmark = pytest.mark.browser

PLACES = ["worklist", "patients", "department", "analyses", "models", "cohorts", "sharing", "oversight", "settings"]


def here(page: Any) -> str:
    return str(page.evaluate("location.pathname"))


@pytest.mark.slow
def test_each_place_has_an_icon_a_name_and_a_key(page: Any) -> None:
    page.goto("/worklist")
    names = page.get_by_role("navigation", name="Main").get_by_role("link").all_inner_texts()
    assert [name.lower() for name in names] == PLACES
    assert page.evaluate("document.querySelector('.rail').offsetWidth") == 56
    for key, place in zip("pdamcso,w", [*PLACES[1:], PLACES[0]], strict=True):
        page.keyboard.press("g")
        page.keyboard.press(key)
        until(lambda place=place: here(page) == f"/{place}")
        page.locator("header.bar h1").wait_for()
    page.locator("tbody tr").first.wait_for()


@pytest.mark.parametrize("kind", ["lean", pytest.param("all", marks=pytest.mark.slow)])
def test_every_view_is_an_address_that_reloads_to_itself(page: Any, studies: Callable[[str], str], kind: str) -> None:
    lean = ["/settings/site", "/models/chest_xray_opacity/calibration"]
    more = [f"/{place}" for place in PLACES] + ["/settings/people", "/settings/system", "/sharing/consent"]
    for path in lean if kind == "lean" else [*more, f"/study/{studies('PET/CT')}/why"]:
        page.goto(path)
        page.locator("header.bar h1").wait_for()
        page.locator("[aria-busy=true]").first.wait_for(state="detached")
        before = page.locator("main").inner_text()
        page.reload()
        page.locator("header.bar h1").wait_for()
        until(lambda before=before: _same(before, page.locator("main").inner_text()))
        assert here(page) == path


def _same(one: str, other: str) -> bool:
    """The same words, but for the minutes that have passed."""
    return one[:40] == other[:40] and abs(len(one) - len(other)) < 40


FOLLOWED = """async places => {
  const told = {};
  for (const place of places) {
    history.pushState(null, '', place);
    dispatchEvent(new PopStateEvent('popstate'));
    for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
    told[place] = document.querySelector('a.json')?.getAttribute('href') ?? '';
  }
  return told;
}"""


@pytest.mark.slow
def test_every_page_has_its_json(page: Any, studies: Callable[[str], str]) -> None:
    study, model = studies("PET/CT"), "/models/chest_xray_opacity"
    places = [path for paths in addresses(study).values() for path in paths]
    page.context.expected.append("status of 400")  # what the refusals below say, where such a page came to ask for it
    page.goto("/worklist")
    page.locator("a.json").wait_for()
    told = page.evaluate(FOLLOWED, places)  # the frame alone follows: what stands under it need not have come
    assert [place for place, path in told.items() if not path] == []
    answers = {place: page.request.get(path) for place, path in told.items()}
    refused = {place: said.json()["error"]["what"] for place, said in answers.items() if not said.ok}
    assert set(refused) <= {f"/headset/{study}", f"{model}/compare"}, refused  # as the page says: not before an opinion
    assert all(isinstance(said.json(), dict) for said in answers.values())
    twice = {path for path in told.values() if list(told.values()).count(path) > 1}
    handed = told["/cohorts/ask/hand-out?q=modality:CT"]  # a form beneath the rows of the cohort that it hands out
    assert twice <= {"/api/analyses", handed}, "each page has its own; what is not kept begins with the catalogue"


def test_the_palette_finds_commands_studies_and_patients(page: Any) -> None:
    page.goto("/worklist")
    page.locator("tbody tr").first.wait_for()
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Find a command")
    options = palette.get_by_role("option")
    options.first.wait_for()
    assert "G W" in palette.inner_text()
    rows = page.request.get("/api/worklist").json()["rows"]
    accession = next(row["accession"] for row in rows if row["accession"])
    page.keyboard.type(accession)
    until(lambda: any("Study" in text for text in options.all_inner_texts()))
    page.get_by_role("combobox").fill("LIVER")
    until(lambda: any("Patient" in text for text in options.all_inner_texts()))
    assert "LIVER" not in str(page.evaluate("location.href"))
    shot(page, "palette")
    page.get_by_role("combobox").fill("oversight")
    until(lambda: options.count() == 1)
    page.keyboard.press("Enter")
    until(lambda: here(page) == "/oversight")


def test_a_key_that_is_taken_is_refused_with_its_owner_and_a_free_one_acts_in_another_window(
    page: Any, context: Any
) -> None:
    page.goto("/settings")
    take = page.locator("button.key[aria-label^='Take the next due study']")
    take.click()
    page.keyboard.press("w")
    page.get_by_role("alert").get_by_text("on the screen Worklist it is “Why it was not analysed”").wait_for()
    take.click()
    page.keyboard.press("b")
    until(lambda: take.inner_text() == "B")
    shot(page, "settings")
    other = context.new_page()
    other.goto("/worklist")
    other.get_by_role("button", name="Take the next").locator("kbd", has_text="B").wait_for()
    page.locator("li", has=take).get_by_role("button", name="as shipped").click()
    until(lambda: page.request.get("/api/settings/me").json()["settings"]["keys"] == {})


def test_single_keys_can_be_switched_off_and_every_act_stays_reachable(page: Any) -> None:
    page.goto("/settings")
    single = page.get_by_label("Single keys act")
    single.uncheck()
    until(lambda: page.request.get("/api/settings/me").json()["settings"]["single_keys"] is False)
    try:
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("g")
        page.keyboard.press("w")
        assert here(page) == "/settings"
        page.keyboard.press("Control+k")
        page.get_by_role("dialog").get_by_role("combobox").fill("worklist")
        page.keyboard.press("Enter")
        until(lambda: here(page) == "/worklist")
    finally:  # what is off here is off for every test that follows
        page.goto("/settings")
        single.check()
        until(lambda: page.request.get("/api/settings/me").json()["settings"]["single_keys"] is True)


def test_a_change_for_the_whole_site_wants_a_reason_and_can_be_refused(page: Any, context: Any) -> None:
    context.expected.append("Failed to load resource")
    page.goto("/settings/site")
    now = page.get_by_label("Now (STAT)")
    now.fill("200")
    page.get_by_label("Reason, kept in the journal").fill("a test")
    page.get_by_role("button", name="Change for everybody").click()
    page.get_by_role("alert").get_by_text("the more urgent class must have the shorter limit").wait_for()
    assert page.request.get("/api/settings/site").json()["limits_min"]["now"] == 30
    shot(page, "settings-site")


def test_why_this_study_was_not_analysed(page: Any, studies: Callable[[str], str]) -> None:
    page.goto(f"/study/{studies('Abdominal ultrasound')}/why")
    page.get_by_text("did not look.").first.wait_for()
    said = page.locator(".ledger").inner_text()
    assert re.search(r"What \d+ analys[ei]s said stands here after your own opinion", said), said
    assert "found" not in said, "nobody 'found nothing' in what is withheld"
    page.keyboard.press("r")
    page.get_by_text("Promised: it is planned and analysed again").wait_for()
    shot(page, "why")
    page.keyboard.press("Escape")
    until(lambda: here(page).endswith(studies("Abdominal ultrasound")))


def test_a_reader_without_a_signed_study_hears_how_many_wait_and_opens_what_was_frozen(page: Any) -> None:
    asked = page.request.get("/api/cohorts/ask").json()
    nobody = {**asked, "n": 0, "of": 0, "people": 0, "unsigned": 12, "fields": [], "ledger": [], "rows": []}
    frozen = {"id": "ab" * 32, "name": "Chests of May", "q": "", "n": 30, "by": "gray", "when": "2026-05-31T08:00:00Z"}
    page.route(re.compile(r"/api/cohorts/ask"), lambda route: route.fulfill(json=nobody))
    page.route(re.compile(r"/api/cohorts$"), lambda route: route.fulfill(json={"cohorts": [frozen]}))
    page.goto("/cohorts")
    page.get_by_text("12 studies wait for a signed report").wait_for()
    assert page.get_by_role("main").get_by_role("link", name="worklist").get_attribute("href") == "/worklist"
    assert page.get_by_role("link", name="Chests of May").get_attribute("href") == f"/cohorts/{frozen['id']}"
    shot(page, "cohort-nobody")


def test_an_empty_field_of_a_model_says_why(page: Any) -> None:
    page.goto("/models/chest_xray_opacity")
    page.get_by_text("unknown, because").first.wait_for()
    assert "More Information Needed" not in page.locator("main").inner_text()
    page.keyboard.press("4")
    page.get_by_role("img", name="Calibration").wait_for()
    told = page.request.get("/api/models?name=chest_xray_opacity").json()["models"][0]["evidence"]["calibration"]
    cells = page.locator(".plot-and-table tbody tr").all_inner_texts()
    assert [int(cell.split()[-1]) for cell in cells] == [one["n"] for one in told["bins"]]
    shot(page, "model")
    page.keyboard.press("2")
    page.get_by_text("by class activation: passed all six checks; it is shown").wait_for()
    planted = page.get_by_role("row", name="On a planted lesion").inner_text().split("\t")
    assert planted[1] == "yes" and "on another's 0.23" in planted[2], "the verdict on its map, with its numbers"
    shot(page, "model-where")


def test_whoever_may_not_is_told_the_rule_and_who_grants_it(page: Any, context: Any) -> None:
    context.expected.append("Failed to load resource")
    refused = {"what": "rule 'models' refuses the role 'patient'", "why": "only staff may", "do": "ask Dr Ito"}
    page.route(
        "**/api/models", lambda route: route.fulfill(status=403, json={"error": {**refused, "kind": "Forbidden"}})
    )
    page.goto("/models")
    alert = page.get_by_role("alert")
    alert.get_by_text("Not yours to see").wait_for()
    assert "rule 'models'" in alert.inner_text() and "ask Dr Ito" in alert.inner_text()
    alert.get_by_role("button", name="Copy a request").wait_for()
    page.unroute("**/api/models")
    told = {"what": "it failed", "why": "our fault", "do": "tell us", "kind": "Error", "event": "ab12"}
    page.route("**/api/models", lambda route: route.fulfill(status=500, json={"error": told}))
    page.reload()
    page.get_by_role("alert").get_by_text("ab12").wait_for()


def test_a_page_that_hears_nothing_says_so_and_hears_later_what_it_missed(page: Any, context: Any, site: Site) -> None:
    """What answers in the server's place while it starts anew, as a proxy does, closes a browser's channel for good."""
    context.expected += ["status of 503"]
    page.add_init_script("delete window.SharedWorker")  # a channel of its own, which a test can refuse
    page.clock.install()
    page.goto("/settings")
    page.locator(".live .fine").wait_for()
    page.route("**/api/events*", lambda route: route.fulfill(status=503))
    with page.expect_response("**/api/events*"):
        page.clock.fast_forward(16_000)  # three pulses have not come: the line is dead, and is opened anew
    page.locator(".live .fine").wait_for(state="detached")
    page.clock.fast_forward(10_000)
    page.locator(".offline", has_text="what others did may be missing").get_by_role("button").wait_for()

    theme = lambda: page.evaluate("document.documentElement.dataset.theme")  # noqa: E731
    before = theme()

    def wear(other: str) -> None:
        told = page.request.get("/api/settings/me").json()
        data = {"settings": told["settings"] | {"theme": other}, "version": told["version"]}
        assert page.request.put("/api/settings/me", data=data, headers={"Origin": site.address}).ok

    wear("dark" if before == "light" else "light")
    page.unroute("**/api/events*")
    page.clock.fast_forward(30_000)
    until(lambda: theme() != before)
    page.locator(".offline").wait_for(state="detached")
    wear(before)


@pytest.mark.slow
def test_who_lacks_a_right_reads_the_rule_and_is_offered_nothing_that_would_be_refused(
    browser: Any, page: Any, site: Site
) -> None:
    somebody = {"name": "looks-on", "role": "researcher", "password": "violet harbour kite"}
    page.request.post("/api/people", data=somebody, headers={"Origin": site.address})
    context = browser.new_context(base_url=site.address)
    own = context.new_page()
    asked = {name: somebody[name] for name in ("name", "password")}
    assert own.request.post("/api/sign-in", data=asked, headers={"Origin": site.address}).ok
    refused = {"/department/identities": "identity", "/oversight/followups": "followup", "/sharing": "share"}
    for path, rule in refused.items():
        own.goto(path)
        alert = own.get_by_role("alert")
        alert.get_by_text(f"rule '{rule}'").wait_for()
        assert "Who can grant it" in alert.inner_text()
        assert own.locator("main").get_by_role("button").all_inner_texts() == ["Copy a request"]
        assert own.locator("main form, main summary").count() == 0
    own.goto("/models/chest_xray_opacity")
    own.get_by_text("rule 'stop' lets only").first.wait_for()
    assert own.get_by_role("button", name="Stop it everywhere").count() == 0
    own.goto("/worklist")
    own.get_by_role("alert").get_by_text("rule 'worklist'").wait_for()
    counted = own.get_by_role("table").get_by_role("row")
    until(lambda: counted.count() == 5)
    classes = [row.split()[1] for row in counted.all_inner_texts()[1:]]
    assert classes == ["Now", "Soon", "Today", "Routine"], "how many of each class wait, and no study"
    shot(own, "worklist-counted")
    own.set_viewport_size({"width": 390, "height": 844})
    assert own.evaluate("document.documentElement.scrollWidth") == 390
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/oversight/audit")
    page.get_by_role("button", name="Explain").or_(page.locator("tbody tr")).first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390, "nor by what is for the ear alone"
    own.locator(".foot .live").click(trial=True)  # what the foot says is all to be seen, in as many lines as it takes
    context.close()


@pytest.mark.slow
def test_eight_pages_of_one_browser_load_and_hear_what_happens(context: Any) -> None:
    """A browser opens six connections to a server: a live channel for each page would leave none for the seventh."""
    pages = [context.new_page() for _ in range(8)]
    for page in pages:
        page.goto("/settings")
        page.get_by_role("heading", name="Settings").wait_for()
        page.locator(".live .fine").wait_for()
    theme = lambda page: page.evaluate("document.documentElement.dataset.theme")  # noqa: E731
    before = theme(pages[0])
    for themes in ({before, "dark", "light"} - {before}, {before}):  # there and back
        pages[0].keyboard.press("g")
        pages[0].keyboard.press("t")
        until(lambda wanted=themes: {theme(page) for page in pages} == wanted)


@pytest.mark.slow
def test_no_part_of_the_page_of_a_model_or_an_analysis_breaks(page: Any) -> None:
    """`context` hears a page that complains; the figures on them are held to their source with the models."""
    held = [one["name"] for one in page.request.get("/api/models").json()["models"]]
    assert len(held) >= 10
    for name in held:
        page.goto(f"/models/{name}")
        page.get_by_role("region", name="In short").wait_for()
        for part in "23456789":
            page.keyboard.press(part)
            until(lambda: page.locator("main [aria-busy=true]").count() == 0)
    for one in page.request.get("/api/analyses").json()["analyses"]:
        page.goto(f"/analyses/{one['name']}")
        page.get_by_role("heading", name="Limits").or_(page.get_by_text("Limits", exact=True)).first.wait_for()


@pytest.mark.slow
def test_a_page_that_breaks_half_way_says_so_until_one_goes_elsewhere(page: Any, context: Any) -> None:
    context.expected.append("null")
    told = page.request.get("/api/models/bccd").json()
    told["evidence"]["metrics"]["map50"] = None
    page.route("**/api/models/bccd", lambda route: route.fulfill(json=told))
    page.goto("/models/bccd/evidence")
    alert = page.get_by_role("alert").filter(has_text="a part of it may be missing")
    alert.wait_for()
    assert "null" in alert.inner_text() and alert.get_by_role("button", name="Load it again").count() == 1
    shot(page, "fault")
    page.keyboard.press("g")
    page.keyboard.press("w")
    page.get_by_role("table", name="Studies to read").wait_for()
    assert alert.count() == 0


@pytest.mark.slow
def test_what_could_not_be_asked_for_is_said_with_its_remedy_and_asked_again(page: Any, context: Any, axe: str) -> None:
    context.expected.append("500")
    fault = {
        "what": "the disk is full",
        "why": "nothing can be written",
        "do": "free some space",
        "kind": "Unavailable",
    }
    for path in ("**/api/analyses", "**/api/worklist/effect"):
        page.route(path, lambda route: route.fulfill(status=500, json={"error": fault}))
    page.goto("/segment")
    alert = page.get_by_role("alert")
    alert.get_by_text("Free some space").wait_for()
    assert "The disk is full" in alert.inner_text() and "Images can still be dropped" in alert.inner_text()
    assert not faults(page, axe)
    page.unroute("**/api/analyses")
    alert.get_by_role("button", name="Try again").press("Enter")
    page.get_by_role("option", name="Image quality").wait_for(state="attached")
    assert alert.count() == 0
    page.goto("/worklist")
    line = page.locator(".effect")
    line.get_by_text("not known, because the figures could not be asked for. The disk is full").wait_for()
    assert "Free some space." in line.inner_text()
    page.unroute("**/api/worklist/effect")
    line.get_by_role("button", name="Try again").press("Enter")
    line.get_by_text("more read studies").wait_for()
    assert line.get_by_role("button").count() == 0
