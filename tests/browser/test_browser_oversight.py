"""Oversight in a real browser: the figures worked by hand, a flipped byte, blind cases, two desks on one view."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from browser_eyes import faults, shot, until
from department_server import serving
from pydicom.data import get_testdata_file

from department_for_oversight import AI, CHIEF, LEE, uid
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Event, Finding, Kind, Measurement, Origin, Outcome, Result, canonical, codes
from isocenter.space import Region, Shape

pytestmark = pytest.mark.browser
ITO = Person("ito", Role.READER)
BUILT = Path(__file__).parents[2] / "src/isocenter/doors/web/index.html"
DRIVER = "document.querySelector('.stage3d canvas').getContext('webgl2').getExtension('WEBGL_lose_context')"
PARTS = ("audit", "turnaround", "peer", "triage", "readers", "followups", "double")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any, Any, Path]]:
    if not BUILT.is_file():
        pytest.skip("the pages are not built; run python hatch_build.py")
    folder = tmp_path_factory.mktemp("department")
    with serving(folder) as (address, site, clock):
        file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
        site.receive([file.read_bytes()], sender="CT1", who=HOUSE)
        yield address, site, clock, folder


@pytest.fixture
def desk(browser: Any, served: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page for one person; a page that complains fails the test."""
    address, site, _, _ = served
    made, complaints = [], []

    def of(name: str, *, expected: tuple[str, ...] = ()) -> Any:
        context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900})
        context.set_default_timeout(20_000)
        made.append(context)
        page = context.new_page()
        page.goto(f"/sign-in?token={site.link(name)}")
        page.get_by_role("navigation", name="Main").wait_for()

        def complain(message: Any) -> None:
            if message.type == "error" and not any(part in message.text for part in expected):
                complaints.append(message.text)

        page.on("console", complain)
        return page

    yield of
    for context in made:
        context.close()
    assert not complaints, complaints


def cells(page: Any, row: str) -> list[str]:
    found = page.locator("tr", has=page.get_by_role("rowheader", name=row, exact=True)).first
    return [text.replace("\u2009", " ") for text in found.locator("td").all_inner_texts()]


@pytest.mark.slow
def test_the_figures_of_thirty_studies(desk: Any) -> None:
    page = desk("ito")
    page.goto("/oversight/turnaround?span=waiting&target=20")
    until(lambda: cells(page, "All together"))
    assert cells(page, "All together")[:5] == ["30", "15.5 min (10–21)", "27.1 min", "28.6 min", "67 % (49–81)"]
    assert cells(page, "MR")[1].startswith("15.5 min")
    page.get_by_label("Groups").select_option("site")
    until(lambda: cells(page, "south")[:2] == ["10", "25.5 min (22–29)"])
    assert "by=site" in page.url
    page.reload()
    until(lambda: cells(page, "south"))
    with page.expect_download() as taken:
        page.keyboard.press("d")
    page.get_by_role("status").filter(has_text="Taken: turnaround, 3 rows").wait_for()
    assert json.loads(Path(taken.value.path()).read_text())["receipt"]["by"] == "ito"
    shot(page, "oversight-turnaround")
    page.keyboard.press("5")
    until(lambda: cells(page, "All together")[:3] == ["30", "87 % (70–95)", "13 % (5–30)"])
    assert "6 more needed" in cells(page, "All together"), "what is withheld says how many are missing"
    page.keyboard.press("4")
    page.get_by_text("of 60 needed").first.wait_for()
    page.get_by_role("button", name="Simulate").click()
    until(lambda: cells(page, "with the finding"))
    page.get_by_text("with the finding −26.9 min").wait_for()
    shot(page, "oversight-triage")


@pytest.mark.slow
def test_a_triage_that_changed_no_wait_has_an_axis_that_can_be_read(desk: Any) -> None:
    page = desk("chief")
    none = {"value": 0, "low": 0, "high": 0, "n": 40}

    def told(route: Any) -> None:
        effect = route.fetch().json()
        groups = dict.fromkeys(effect["groups"], none)
        split = {"name": "all", "n": 80, "needed": 0, "observed": groups, "predicted": groups, "before_after": {}}
        waits = [[effect["groups"][0], minutes, part, part] for minutes, part in ((0, 0), (5, 0.2), (10, 0.6), (20, 1))]
        route.fulfill(json=effect | {"splits": [split], "kinds": [], "waits": waits})

    page.route("**/api/triage/*", told)
    page.goto(f"/oversight/triage?analysis={AI}")
    change, waits = (page.locator(".plot svg[role=img]").nth(n) for n in (0, 1))
    waits.wait_for()
    ticks = change.locator("g:has(> .grid) > text").all_text_contents()
    assert len(ticks) > 2 and len(set(ticks)) == len(ticks), "every number of an axis once"
    named = waits.locator("g > text[text-anchor=middle]").all_text_contents()
    assert [one.replace("\u2009", " ") for one in named] == ["0 min", "5 min", "10 min", "20 min"]
    shot(page, "oversight-triage-nothing-changed")


@pytest.mark.slow
def test_from_a_printed_number_back_to_the_sender(desk: Any) -> None:
    page = desk("chief")
    page.goto(f"/oversight/audit?q=on:{uid(3)}+what:reportsigned")
    page.get_by_text("ito signed report").wait_for()
    page.get_by_text("chain unbroken from the first entry to the last").wait_for()
    page.keyboard.press("e")
    dialog = page.get_by_role("dialog", name="Why does it say so?")
    dialog.get_by_text("Sent by CT1").wait_for()
    dialog.get_by_text(f"Machine {AI} 1").wait_for()
    shot(page, "oversight-explain")
    page.keyboard.press("Escape")
    page.goto("/oversight/audit")
    rows = page.locator("tr[data-row]")
    until(lambda: rows.count() > 12)
    lead = next(n for n in range(1, 12) if rows.nth(n).get_by_role("button", name="Explain").count())
    for _ in range(lead + 2):
        page.keyboard.press("j")
    page.keyboard.press("k")
    assert rows.nth(lead).evaluate("row => row === document.activeElement")
    with page.expect_request(lambda asked: "/api/explain/" in asked.url) as asked:
        page.keyboard.press("e")
    assert asked.value.url.endswith(rows.nth(lead).locator("td.about").inner_text()), "of the marked row, not the first"


@pytest.mark.slow
def test_every_part_without_fault_in_both_themes(desk: Any, axe: str) -> None:
    page = desk("chief")
    found = {}
    for part in PARTS:
        page.goto(f"/oversight/{part}")
        page.locator(".oversight :is(table, .state h2, form)").first.wait_for()
        until(lambda: page.locator("[aria-busy=true]").count() == 0)
        for theme in ("dark", "light"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            found[part, theme] = faults(page, axe)
            shot(page, f"oversight-{part}-{theme}")
    assert not any(found.values()), found


@pytest.mark.slow
def test_a_drawn_case_is_never_one_s_own_and_holds_no_machine(desk: Any, served: Any) -> None:
    _, site, _, _ = served
    site.reviews.draw(who=CHIEF, seed="november", rate=0.2)
    case = site.reviews.peers(who=CHIEF)["cases"][0]
    assert case["reviewer"] not in case["authors"]
    page = desk(case["reviewer"], expected=("status of 400",))  # the hand-written studies have no pixels
    answers: list[Any] = []  # their bodies are read when all are here: the page does not wait for who listens to it
    page.on("response", lambda answer: answers.append(answer) if "/api/" in answer.url else None)
    page.goto("/oversight/peer")
    page.get_by_role("link", name="Read").first.wait_for()
    shot(page, "oversight-peer-mine")
    page.locator("tr", has_text=case["id"][:8]).get_by_role("link", name="Read").press("Enter")
    page.get_by_text("without names and without AI").wait_for()
    page.get_by_text("Words of a person on study").wait_for()
    page.get_by_role("group", name="RADPEER score").wait_for()
    shot(page, "oversight-peer-case")
    told = "".join(one.text() for one in answers if "json" in one.headers.get("content-type", ""))
    assert case["id"] in told and '"report"' in told
    for secret in (*case["authors"], "opacity"):
        assert f'"{secret}"' not in told.replace(f'"{case["reviewer"]}"', ""), secret
    seen = page.locator("main").inner_text()
    for secret in (*case["authors"], AI, "opacity", "Opacity"):
        assert not re.search(rf"\b{secret}\b", seen), secret
    assert AI not in told
    page.goto(f"/study/{case['study']}")
    page.get_by_role("heading", name="You read this study blind").wait_for()
    assert not page.get_by_text("No finding on this study").count(), "that nothing is told is not that nothing is there"
    page.get_by_role("link", name="Peer learning").wait_for()
    shot(page, "room-blind")
    other = desk(case["authors"][0])
    other.goto("/oversight/peer")
    other.get_by_text("Figures, without names").wait_for()
    assert case["id"] not in other.content()


@pytest.mark.slow
def test_a_third_reader_looks_alone_then_sees_both_opinions_and_settles(desk: Any, served: Any) -> None:
    _, site, _, _ = served
    id = site.reviews.ask_double(uid(7), "Opacity on the left?", ("ito", "lee"), who=CHIEF)
    site.reviews.lock_double(id, True, "in the left base", who=ITO)
    site.reviews.lock_double(id, False, "a rib", who=LEE)
    page = desk("ruiz")
    page.goto("/oversight/double")
    pair = page.get_by_role("region", name="Opacity on the left?")
    pair.get_by_text("What each said is shown once you have locked what you see yourself.").wait_for()
    assert "left base" not in page.content() and "a rib" not in page.content()
    shot(page, "double-third-looks")
    pair.get_by_role("radio", name="no").check()
    pair.get_by_role("button", name="Lock what I see").click()
    pair.get_by_role("button", name="Settle it").wait_for()
    assert not pair.get_by_role("radio", checked=True).count(), "what the third saw alone is no default of what settles"
    assert all(words in pair.inner_text() for words in ("in the left base", "a rib"))
    assert not any(name in pair.inner_text() for name in ("ito", "lee")), "what was said counts, and not who said it"
    pair.get_by_role("radio", name="yes").check()
    pair.get_by_label("Why").fill("seen on both views")
    pair.get_by_role("button", name="Settle it").press("Enter")
    row = page.get_by_role("region", name="Double readings that are done").get_by_role(
        "row", name="Opacity on the left?"
    )
    row.get_by_text("settled: seen on both views").wait_for()
    assert row.get_by_role("cell").last.inner_text().startswith("yes")


@pytest.mark.slow
def test_a_study_that_no_accession_number_finds_is_said_and_a_phone_shows_whole_names(desk: Any) -> None:
    page = desk("chief")
    page.goto("/oversight/double")
    page.get_by_label("Study Instance UID").fill("ZZ-99")
    page.get_by_text("No accession number here begins so.").wait_for()
    page.set_viewport_size({"width": 390, "height": 844})
    figure = {"value": 200.0, "low": 160.0, "high": 240.0, "n": 40}

    def told(route: Any) -> None:
        row = route.fetch().json()["all"] | {"group": "Radiology of the Northern Hospital", "n": 40, "median": figure}
        row |= {"p90": figure, "p95": figure, "within": figure}
        route.fulfill(json=route.fetch().json() | {"all": row, "rows": [row]})

    page.route("**/turnaround*", lambda route: told(route) if "/api/" in route.request.url else route.continue_())
    page.goto("/oversight/turnaround")
    page.locator("figure.plot").wait_for()
    words = page.locator("figure.plot svg text")
    boxes = [words.nth(n).bounding_box() for n in range(words.count())]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["height"] > 10 for box in boxes), boxes
    said = [text.replace("\u2009", " ") for text in words.all_text_contents()]
    assert "Radiology of the Northern Hospital" in said and "2 h" in said, "hours that are round as hours"


@pytest.mark.slow
def test_two_desks_on_one_view(desk: Any, served: Any) -> None:
    _, site, _, _ = served
    study = site.find("STUDY", {"PatientID": "1CT1"}, who=HOUSE)[0]["StudyInstanceUID"]
    ito, lee = desk("ito"), desk("lee")
    ito.goto(f"/oversight/view/{study}")
    picture = ito.locator(".picture")
    picture.locator("svg").wait_for(state="attached")
    picture.click(position={"x": 200, "y": 120})
    until(lambda: "marks=" in ito.evaluate("location.href"))
    assert "CompressedSamples" not in ito.url, "no name is in the address"
    letters = {edge: picture.locator(f".side.{edge}").inner_text() for edge in ("left", "right", "top", "bottom")}
    assert letters == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    frame, at = picture.bounding_box(), {e: picture.locator(f".side.{e}").bounding_box() for e in letters}
    assert at["left"]["x"] - frame["x"] < 20 and at["top"]["y"] - frame["y"] < 20
    assert frame["x"] + frame["width"] - at["right"]["x"] - at["right"]["width"] < 20
    assert frame["y"] + frame["height"] - at["bottom"]["y"] - at["bottom"]["height"] < 20
    marked = len(ito.evaluate("new URL(location.href).searchParams.get('marks')").split(";"))
    picture.focus()
    for key in ("Enter", "ArrowRight", "Shift+ArrowDown"):
        ito.keyboard.press(key)
    ito.get_by_text("Cross at column 65, row 74").wait_for()
    ito.keyboard.press("Enter")
    until(lambda: ito.evaluate("new URL(location.href).searchParams.get('marks')").split(";")[marked:] == ["65,74"])
    ito.keyboard.press("Escape")
    ito.get_by_text("By keys, on the image").wait_for()
    ito.get_by_label("About this view").fill("Vessel or nodule?")
    ito.get_by_role("button", name="Say it").click()
    ito.locator(".thread").get_by_text("Vessel or nodule?").wait_for()
    lee.goto(ito.url.removeprefix(ito.url.split("/oversight")[0]))
    lee.get_by_text("Your own opinion comes first here").wait_for()
    assert not lee.locator(".thread").count(), "nobody has read the study yet: it may be this person's to read"
    shot(lee, "oversight-view-own-first")
    lee.locator(".mark").last.wait_for(state="attached")
    lee.get_by_text("CompressedSamples, CT1").wait_for()  # whose images these are: on the page, not in its address
    lee.get_by_role("link", name="To the reading room").click()
    line = lee.get_by_label("In one line")
    line.press_sequentially("a vess")
    until(lambda: site.typed_line(study, who=Person("lee", Role.READER)) == "a vess")
    lee.reload()  # nothing is ever unsaved: the line comes back, to its reader alone
    until(lambda: line.input_value() == "a vess")
    shot(lee, "room-line-after-reload")
    assert site.typed_line(study, who=ITO) == ""
    asked = lee.get_by_role("region", name="Asked by colleagues")
    assert not asked.count(), "a colleague's words may tell what machines say"
    line.press("Shift+Enter")
    asked.get_by_text("Vessel or nodule?").wait_for()
    place = asked.get_by_role("link", name="ito").get_attribute("href")
    lee.keyboard.press("Escape")
    lee.get_by_role("heading", name="Worklist").wait_for()
    site.lock(study, version=site.open(study, who=ITO).version, nothing=True, who=ITO)
    lee.goto(place)
    lee.get_by_placeholder("Answer").fill("A vessel")
    lee.get_by_role("button", name="Answer").click()
    ito.locator(".thread").get_by_text("A vessel").wait_for()  # without a reload
    head = site.head()
    for page in (ito, lee):
        page.get_by_role("button", name="Look together").click()
    lee.get_by_text("here: ito, lee").wait_for()
    lee.reload()  # the address says that one looks together
    lee.get_by_text("here: ito, lee").wait_for()
    picture.hover(position={"x": 60, "y": 80})
    lee.locator(".other").wait_for(state="attached")
    ito.get_by_label("Centre").focus()
    for key in ("6", "0", "Tab", "1", "5", "0", "0", "Tab"):  # as hands type them: the first number draws the page anew
        ito.keyboard.press(key)
    until(lambda: "window=60,1500" in lee.evaluate("location.href"))
    told = {sealed.event.kind for sealed in site.journal.since(head)}
    assert told <= {Kind.IMAGES_SEEN, Kind.VIEWED}, "nothing of it stands in the journal but that it was looked at"
    shot(lee, "oversight-view-together")


def dropped(page: Any, *paths: Path) -> None:
    """Let go of files or folders over the foot of the page, as a hand does: beside the field that is meant for them."""
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    hand = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        hand.send("Input.dispatchDragEvent", {"type": kind, "x": 900, "y": 700, "data": data})


@pytest.mark.slow
def test_a_series_dropped_on_the_page_and_gone_again(desk: Any, served: Any, axe: str, tmp_path: Path) -> None:
    page = desk("lee", expected=("404",))
    page.goto("/segment")
    page.locator(".service select").first.select_option("image_quality")
    before = served[1].index.counts()["instances"]
    file = str(get_testdata_file("CT_small.dcm", download=False))
    (tmp_path / "of a study/series").mkdir(parents=True)
    shutil.copy(file, tmp_path / "of a study/series/IM0001")
    dropped(page, tmp_path / "of a study")
    page.get_by_text("Done. Deleted at").wait_for(timeout=60_000)
    page.get_by_role("heading", name="Image quality").wait_for()
    page.locator("main").get_by_role("link", name="JSON").wait_for()
    shot(page, "segment-done")
    assert faults(page, axe) == []
    (tmp_path / "nothing").mkdir()
    dropped(page, tmp_path / "nothing")
    page.get_by_role("alert").get_by_text("There was no file in what you dropped").wait_for()
    page.reload()  # whoever leaves the page finds it again
    page.get_by_text("Done. Deleted at").wait_for()
    page.get_by_role("button", name="Delete it now").click()
    page.get_by_text("Drop files, a folder or a ZIP anywhere").wait_for()
    until(lambda: not served[1].guests._guests)
    assert served[1].index.counts()["instances"] == before
    shot(page, "segment-empty")
    # what a server that was started anew does not have any more is said to be deleted, and is no download that fails
    page.locator("input[type=file]").first.set_input_files([file])
    page.get_by_text("Done. Deleted at").wait_for(timeout=60_000)
    served[1].guests._forget(next(iter(served[1].guests._guests.values())))
    page.locator("main").get_by_role("link", name="JSON").click()
    page.get_by_text("or the server was started anew. Drop the images again.").wait_for()


@pytest.mark.slow
def test_surfaces_at_true_scale(desk: Any, served: Any, axe: str) -> None:
    _, site, clock, _ = served
    study = site.index.study(site.find("STUDY", {"PatientID": "1CT1"}, who=HOUSE)[0]["StudyInstanceUID"])
    image = study.series[0].instances[0]
    grid = site.geometry_of(image.sop_uid, who=HOUSE)
    import numpy as np

    mask = np.zeros(grid.shape, bool)
    mask[0, 40:80, 30:90] = True
    where = Region(grid, Shape.MASK, mask, series_uid=study.series[0].uid, label="plate (left)")
    found = Finding(
        codes.LESION, where=where, measurements=(Measurement(codes.VOLUME, where.volume_ml, "mL"),), tracking="2.25.77"
    )
    # A person's own finding, so that it may be seen at once.
    made = Result(study.uid, Outcome.FOUND, Origin("person", "chief", unaided=True), clock(), findings=(found,))
    held = site.blobs.put(canonical(made))
    site.journal.append(Event(Kind.RESULT_MADE, clock(), "chief", study.uid, {"result": held}))
    page = desk("chief")
    page.goto(f"/headset/{study.uid}")
    spacing = grid.spacing_mm
    wide, deep = 60 * spacing[2], 40 * spacing[1]
    until(lambda: page.locator(".stage3d [role=status]").inner_text() != "Loading the surfaces", 60)
    told = page.locator(".stage3d [role=status]").inner_text().split(" mm")[0].split(" × ")
    assert float(told[0]) == pytest.approx(wide, rel=0.01)
    assert float(told[2]) == pytest.approx(deep, rel=0.01)
    page.get_by_text("No headset is connected").wait_for()
    assert page.get_by_role("rowheader").inner_text().split()[:3] == ["plate", "(left)", "L"]
    side = lambda edge: page.locator(f".stage3d .side.{edge}").inner_text()  # noqa: E731
    assert [side(edge) for edge in ("left", "right", "top", "bottom")] == ["R", "L", "H", "F"]
    canvas = page.locator("canvas")
    canvas.focus()
    for _ in range(16):  # a tenth of a radian each: to the patient's left side
        page.keyboard.press("ArrowRight")
    until(lambda: (side("left"), side("right")) == ("A", "P"))
    for _ in range(16):
        page.keyboard.press("ArrowLeft")
    until(lambda: (side("left"), side("right")) == ("R", "L"))
    shown = lambda: canvas.screenshot()  # noqa: E731
    with_it = shown()
    shot(page, "surfaces")
    page.get_by_label("Show plate (left)").uncheck()
    until(lambda: shown() != with_it)
    assert faults(page, axe) == []
    page.get_by_label("Show plate (left)").check()
    until(lambda: shown() == with_it)
    page.evaluate(f"() => {{ window.driver = {DRIVER}; window.driver.loseContext(); }}")
    page.get_by_text("The graphics context was lost").wait_for()
    page.evaluate("window.driver.restoreContext()")
    page.locator(".stage3d [role=status]", has_text=" mm").wait_for()
    until(lambda: shown() == with_it)
    for floor in (True, False):
        _seen_in_a_headset(desk("chief"), study.uid, floor, wide / 1000, deep / 1000)


def _seen_in_a_headset(page: Any, study: str, floor: bool, wide_m: float, deep_m: float) -> None:
    """Each eye sees the plate 0.6 m away as large as it is, and the eyes see it as far away as it is."""
    page.add_init_script(path=Path(__file__).with_name("headset.js"))
    page.add_init_script(f"headset.floor = {str(floor).lower()}")
    page.goto(f"/headset/{study}")
    page.get_by_role("button", name="Enter with the headset").click()
    until(lambda: page.evaluate("headset.seen.length === 2 && headset.seen.every((eye) => eye.right >= 0)"))
    left, right = page.evaluate("headset.seen")
    focal, away_m = page.evaluate("headset.focal"), 0.6 - deep_m / 2  # to the face that looks at the eyes
    for eye in (left, right):
        assert (eye["right"] - eye["left"] + 1) / focal * away_m == pytest.approx(wide_m, rel=0.015)
        assert abs(eye["high"] + eye["low"] - 511) <= 6, "at the height of the eyes"
    apart = (left["left"] + left["right"] - right["left"] - right["right"]) / 2
    assert 0.064 * focal / apart == pytest.approx(away_m, rel=0.015)
    page.evaluate("headset.session.end()")
    page.locator(".stage3d [role=status]", has_text=" mm").wait_for()
    until(lambda: page.evaluate("!headset.session"))


@pytest.mark.slow
def test_a_study_behind_a_closed_laptop_is_taken_over_and_not_before(desk: Any, served: Any) -> None:
    """Late: half an hour later everybody has to sign in anew."""
    _, site, clock, _ = served
    study = site.find("STUDY", {"PatientID": "1CT1"}, who=HOUSE)[0]["StudyInstanceUID"]
    ito, lee = desk("ito"), desk("lee", expected=("409",))
    ito.goto(f"/study/{study}")
    ito.get_by_text("You read").wait_for()
    ito.close()
    lee.goto(f"/study/{study}")
    lee.get_by_text("ito has it open: read only").wait_for()
    lee.get_by_role("button", name="Take it over").click()
    lee.get_by_role("alert").get_by_text("one reader at a time; the last act was").wait_for()
    clock.now += timedelta(minutes=31)
    lee = desk("lee")
    lee.goto(f"/study/{study}")
    lee.get_by_role("button", name="Take it over").wait_for()
    lee.keyboard.press("Shift+K")
    lee.get_by_text("You read").wait_for()
    assert site.reading(study, who=HOUSE).by == "lee"


def test_one_flipped_byte_shows(desk: Any, served: Any) -> None:
    """Last: it breaks the journal of this department."""
    _, _, clock, folder = served
    with sqlite3.connect(folder / "archive/archive.sqlite") as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("UPDATE event SET who = 'itp' WHERE number = 12")
    clock.now += timedelta(minutes=5)
    page = desk("chief")
    page.goto("/oversight/audit")
    page.get_by_role("alert").get_by_text("the journal is broken at entry 12").wait_for()
    shot(page, "oversight-chain-broken")
