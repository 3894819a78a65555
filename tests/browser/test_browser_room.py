"""The reading room in a real browser: pictures that are lit, outlines where they belong, acts that reach the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser_eyes import lit, lock, read, shot, until

pytestmark = pytest.mark.browser


def reading(page: Any, study: str) -> dict[str, Any]:
    told: dict[str, Any] = page.request.get(f"/api/readings/{study}").json()
    return told


def findings(page: Any, study: str) -> dict[str, dict[str, Any]]:
    results = page.request.get(f"/api/studies/{study}/results").json()["results"]
    return {one["tracking"]: one for result in results for one in result["findings"]}


@pytest.mark.parametrize(
    "words",
    ["PET/CT", "NM"]
    + [
        pytest.param(one, marks=pytest.mark.slow)
        for one in ("Chest radiograph", "Abdominal ultrasound", "Cardiac MR", "Brain MR")
    ],
)
def test_every_kind_of_image_is_drawn(page: Any, studies: Callable[[str], str], words: str) -> None:
    read(page, studies(words))
    assert page.locator(".note[role=alert]").count() == 0
    until(lambda: "/" in page.locator(".corner.tr").inner_text())
    shot(page, f"room-{words.split('/')[0].split()[0].lower()}")


def test_a_palette_of_colours_is_drawn(page: Any, studies: Callable[[str], str]) -> None:
    study = next(
        row["study"]
        for row in page.request.get("/api/worklist?limit=200").json()["rows"]
        if row["patient"]["name"].startswith("OB")
    )
    read(page, study)
    assert page.locator(".note[role=alert]").count() == 0


@pytest.mark.parametrize(
    ("width", "at_least"),
    [pytest.param(1920, 20, marks=pytest.mark.slow), pytest.param(1440, 10, marks=pytest.mark.slow), (1280, 4)],
)
def test_all_tools_share_one_row(page: Any, studies: Callable[[str], str], width: int, at_least: int) -> None:
    """PET with CT has the most; a second row takes its height from the images. What has no room is in a menu."""
    page.set_viewport_size({"width": width, "height": 1080})
    read(page, studies("PET/CT"))
    page.keyboard.press("Shift+B")  # by its key, wherever it stands
    page.locator("[aria-pressed=true]:has-text('Brush'), [data-on]:has-text('Brush')").filter(visible=True).wait_for()
    tools = page.locator(".benches > .tools > button, .benches > .tools > .menu > summary")
    tops = tools.evaluate_all("all => all.map(one => Math.round(one.getBoundingClientRect().top))")
    assert len(tops) >= at_least
    assert max(tops) - min(tops) < 12, tops
    if width < 1800:
        page.locator("summary", has_text="Brush").press("Enter")
        page.get_by_role("button", name="Threshold").click()
        page.locator("summary[data-on]", has_text="Threshold").wait_for()
        assert page.locator(".menu[open]").count() == 0, "a menu shuts when something is chosen"


def test_scroll_window_and_sides(page: Any, studies: Callable[[str], str]) -> None:
    read(page, studies("PET/CT"))
    at = page.locator(".corner.tr")
    first = at.inner_text()
    page.keyboard.press("ArrowDown")
    until(lambda: at.inner_text() != first)
    page.keyboard.press("Home")
    until(lambda: at.inner_text().startswith("1/"))
    page.keyboard.press("End")
    until(lambda: (text := at.inner_text().split("/"))[0] == text[1])
    soft = page.locator(".corner.bl").inner_text()
    page.keyboard.press("3")
    until(lambda: page.locator(".corner.bl").inner_text() != soft)
    assert "W 1800" in page.locator(".corner.bl").inner_text()
    assert [page.locator(f".side.{edge}").inner_text() for edge in ("left", "right", "top", "bottom")] == [
        "R",
        "L",
        "A",
        "P",
    ]
    seen = [one.inner_text() for one in (at, page.locator(".corner.bl"))]
    until(lambda: all(f"{part}=" in page.evaluate("location.href") for part in ("image", "window")))
    page.reload()  # the address holds the image and its window
    until(lambda: [one.inner_text() for one in (at, page.locator(".corner.bl"))] == seen)
    page.keyboard.press("Shift+W")
    page.wait_for_url("**/why")
    page.go_back()
    until(lambda: [one.inner_text() for one in (at, page.locator(".corner.bl"))] == seen)
    page.keyboard.press("Shift+J")  # the same image for a colleague, and from there back to it
    page.get_by_text(f"Image {seen[0].split('/')[0]} of").wait_for()
    assert page.get_by_label("Width").input_value() == "1800"
    page.get_by_role("link", name="To the reading room").click()
    until(lambda: [one.inner_text() for one in (at, page.locator(".corner.bl"))] == seen)


def test_cine_runs_through_the_phases_of_one_place(page: Any, studies: Callable[[str], str]) -> None:
    read(page, studies("Cardiac MR"))
    corner = page.locator(".corner.tr")
    place, phase = corner.inner_text().split(" · ")
    page.keyboard.press("c")
    until(lambda: corner.inner_text().split(" · ")[1] != phase)
    page.keyboard.press("c")
    assert corner.inner_text().split(" · ")[0] == place


def test_three_planes_are_lit_and_share_a_point(page: Any, studies: Callable[[str], str]) -> None:
    read(page, studies("PET/CT"))
    page.keyboard.press("Shift+L")
    until(lambda: all(lit(page, viewport) > 0.05 for viewport in range(4)), 40)
    until(lambda: page.locator(".overlay .cross").count() >= 3)
    shot(page, "room-planes")
    ended = page.locator(".corner.tl").get_by_text("alone · S links them again")
    page.keyboard.press("s")
    until(lambda: ended.count() == 3)
    page.keyboard.press("s")
    until(lambda: ended.count() == 0)
    page.keyboard.press("Shift+L")
    until(lambda: page.locator(".viewport").count() == 1)


def test_no_planes_through_a_single_image_and_it_says_why(page: Any, studies: Callable[[str], str]) -> None:
    read(page, studies("Chest radiograph"))
    button = page.get_by_role("button", name="Planes", include_hidden=True)
    assert button.get_attribute("aria-disabled") == "true"
    assert "state no place in the patient" in (button.get_attribute("title") or "")


@pytest.mark.slow
def test_a_map_of_sensitivity_lies_over_its_film_and_says_what_it_is(page: Any, studies: Callable[[str], str]) -> None:
    lock(page, studies("Chest radiograph"))
    page.locator(".map-panel").wait_for()
    page.keyboard.press("Shift+M")
    page.locator(".corner.br").get_by_text("map: where the model was sensitive, not where disease is").wait_for()
    page.locator("canvas.map").wait_for()
    shot(page, "room-sensitivity")


CENTRES = """() => {
  const canvas = document.querySelector('.viewport canvas.cornerstone-canvas');
  const box = document.querySelector('.overlay g[data-finding="1"] path.line').getBBox();
  const [left, top, wide, high] = [box.x - box.width / 2, box.y - box.height / 2, box.width * 2, box.height * 2];
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const pen = copy.getContext('2d');
  pen.drawImage(canvas, 0, 0);
  const pixels = pen.getImageData(left, top, wide, high);
  let [sum, x, y] = [0, 0, 0];
  for (let i = 0; i < pixels.data.length; i += 4) {
    if (pixels.data[i] < 40) continue;
    const pixel = i / 4;
    sum += 1; x += pixel % pixels.width; y += Math.floor(pixel / pixels.width);
  }
  const line = document.querySelector('.overlay g[data-finding="1"] path.line');
  const lit = [left + x / sum + 0.5, top + y / sum + 0.5];
  return { lit, drawn: [box.x + box.width / 2, box.y + box.height / 2],
    dashed: line.classList.contains('dashed'), canvas: canvas.height };
}"""


def test_the_outline_lies_on_its_lesion_and_h_hides_it(page: Any, studies: Callable[[str], str]) -> None:
    study = studies("PET/CT")
    lock(page, study)
    outline = page.locator('.overlay g[data-finding="1"] path.line')
    page.locator(".card").nth(2).wait_for()
    page.keyboard.press("j")  # a lesion: of all who measured it, the outline on the finest grid is drawn
    page.keyboard.press("Enter")
    outline.wait_for(state="attached")

    def lies_on_it() -> bool:
        seen = page.evaluate(CENTRES)
        assert seen["dashed"], "a machine's outline is dashed"
        pixel = seen["canvas"] / 256  # the CT of the demonstration has 256 rows, fitted to the height
        return bool(seen["lit"] == pytest.approx(seen["drawn"], abs=pixel))

    until(lies_on_it)  # the image of the finding is painted a moment after its outline
    shot(page, "room-outline")
    page.keyboard.down("h")
    until(lambda: outline.count() == 0)
    page.keyboard.up("h")
    outline.wait_for(state="attached")


def test_decide_on_every_finding_and_nothing_can_be_signed_before(page: Any, studies: Callable[[str], str]) -> None:
    study = studies("PET/CT")
    lock(page, study)
    told = until(lambda: findings(page, study))
    cards = page.locator(".card")
    lesions = [tracking for tracking, one in told.items() if one["under"] == tracking]
    until(lambda: cards.count() == len(lesions))
    assert len(told) >= 3 * len(lesions), "several analyses measured each, and each is answered once"
    # By their numbers, which stay: the order is that of what differs from one's opinion, and what was struck sinks.
    first, second, third = (
        page.locator(f".card[aria-label^='{(one.get_attribute('aria-label') or '').partition(':')[0]}:']")
        for one in cards.all()[:3]
    )

    def said(lesion: str) -> set[str]:
        return {one["verdict"] for one in findings(page, study).values() if one["under"] == lesion}

    assert first.get_by_role("button", name="Keep").get_attribute("aria-disabled") == "true", (
        "Keep sleeps before evidence"
    )
    page.keyboard.press("Control+Enter")
    dialog = page.get_by_role("dialog", name="Sign")
    assert dialog.get_by_role("button", name="Sign as").is_disabled()
    shot(page, "sign-undecided")
    page.keyboard.press("Escape")
    refused = page.request.post(
        f"/api/readings/{study}/sign",
        data={"version": reading(page, study)["version"]},
        headers={"Origin": page.url.split("/study")[0]},
    )
    assert refused.status >= 400, "and the server refuses it too"

    page.keyboard.press("j")
    page.keyboard.press("Enter")
    until(lambda: first.get_by_role("button", name="Keep").get_attribute("aria-disabled") == "false")
    page.keyboard.press("y")
    until(lambda: said(lesions[0]) == {"kept"})

    second.locator("header").click()
    page.keyboard.press("x")
    page.get_by_role("form", name="Strike, because").wait_for()
    page.keyboard.press("1")
    until(lambda: said(lesions[1]) == {"struck"})
    assert findings(page, study)[lesions[1]]["reason"] == "artefact"

    third.locator("header").click()
    page.keyboard.press("v")
    page.get_by_label("Words", exact=True).fill("Hot lesion beside the aorta")
    page.locator(".editing").get_by_role("button", name="Change").click()
    until(lambda: findings(page, study)[lesions[2]]["verdict"] == "changed")
    left = {"undecided"} if any(one["research"] for one in told.values()) else set()  # research is not asked
    assert said(lesions[2]) == {"changed", "kept"} | left, "what others measured of it stands"
    third.get_by_text("Hot lesion beside the aorta").wait_for()
    assert "person" in (third.get_attribute("class") or "")
    shot(page, "room-decided")


def test_an_own_finding_with_its_place(page: Any, studies: Callable[[str], str]) -> None:
    study = studies("Abdominal ultrasound")
    read(page, study)
    until(lambda: reading(page, study)["by"])
    page.keyboard.press("f")
    page.get_by_label("Your finding").fill("Cyst in the right lobe")
    page.get_by_label("Side").select_option("Right")
    box = page.locator(".canvas").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.get_by_text("Marked at column").wait_for()
    page.locator("form.card").get_by_role("button", name="Add").click()
    until(lambda: any(one["verdict"] == "added" for one in findings(page, study).values()))
    circle = page.locator(".overlay circle.line:not(.dashed)")
    circle.wait_for(state="attached")
    shot(page, "room-added")
    late: list[Any] = []
    page.route("**/contours/**", lambda route: late.append(route))
    page.keyboard.press("f")
    page.get_by_label("Your finding").fill("Second cyst")
    page.mouse.click(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3)
    page.get_by_text("Marked at column").wait_for()
    page.locator("form.card").get_by_role("button", name="Add").click()
    until(lambda: page.locator(".card").count() >= 2 and late)
    assert circle.count() == 1, "the first stands while the line of the second is on its way"
    page.locator(".card[aria-label^='Finding 1:'] header").click()
    page.keyboard.press("x")
    page.get_by_role("form", name="Strike, because").wait_for()
    page.keyboard.press("1")
    until(lambda: any(one["verdict"] == "struck" for one in findings(page, study).values()))
    until(lambda: circle.count() == 0)  # what is struck waits for no other's line
    while late:
        late.pop().continue_()
    page.unroute("**/contours/**")
    circle.wait_for(state="attached")
    titles = lambda: page.locator(".card").evaluate_all("all => all.map(one => one.getAttribute('aria-label')).sort()")  # noqa: E731
    numbered = titles()
    page.reload()
    until(lambda: titles() == numbered)


def lost(route: Any) -> None:
    """The server does it, and its answer is lost on the way."""
    route.fetch()
    route.abort()


def test_write_sign_and_read_what_was_signed(page: Any, context: Any, studies: Callable[[str], str]) -> None:
    """Each act is done once, also where its first answer is lost: nobody is told of another version, their own."""
    study = studies("SAMPLE-HEAD")
    context.expected.append("Failed to load resource")
    for act in ("lock", "sentences/*", "undo", "sign"):
        page.route(f"**/api/readings/{study}/{act}", lost, times=1)
    newer = page.get_by_role("dialog", name="Another version came first")

    def crowded(route: Any) -> None:
        """With all that the bar of a patient can have to show."""
        told = route.fetch().json()
        told |= {
            "accession": "ACC-2026-00123",
            "description": "Magnetic resonance of the head with and without contrast, follow-up after twelve weeks",
        }
        route.fulfill(json=told | {"patient": told["patient"] | {"birth_date": "1960-01-01"}})

    page.route(f"**/api/studies/{study}", crowded)
    lock(page, study)
    page.get_by_label("Add a sentence to Impression").fill("No acute finding on this sample.")
    page.keyboard.press("Enter")
    report = f"/api/readings/{study}/report"
    until(
        lambda: any(
            one["text"] == "No acute finding on this sample." for one in page.request.get(report).json()["sentences"]
        )
    )
    until(lambda: page.get_by_text("being sent").count() == 0)
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    page.get_by_label("Your finding").fill("Struck at once")
    page.locator("form.card").get_by_role("button", name="Add").click()
    until(lambda: any(one["verdict"] == "added" for one in findings(page, study).values()))
    page.keyboard.press("Control+z")
    page.get_by_text("Undone: added").wait_for()
    assert (findings(page, study), newer.count()) == ({}, 0)
    page.keyboard.press("f")
    page.get_by_label("Your finding").fill("Air beside the brain")
    page.locator("form.card").get_by_role("button", name="Add").click()
    until(lambda: any(one["verdict"] == "added" for one in findings(page, study).values()))
    page.keyboard.press("Control+Enter")
    dialog = page.get_by_role("dialog", name="Sign")
    dialog.get_by_role("button", name="Sign as").wait_for()
    assert not dialog.get_by_label("Told whom").count(), "nothing is critical that nobody calls so"
    dialog.get_by_text("Is there anything that cannot wait?").press("Enter")
    dialog.get_by_label("Air beside the brain").press("Space")
    dialog.get_by_role("group", name="Critical: Air beside the brain").wait_for()
    dialog.get_by_label("Told whom").fill("Dr Lee")
    dialog.get_by_label("Or: nobody could be told yet, because").fill("nobody answers on ward 3")
    dialog.get_by_text("Either somebody was told, or nobody could be").wait_for()
    assert dialog.get_by_role("button", name="Sign as").get_attribute("aria-disabled") == "true"
    dialog.get_by_label("Told whom").fill("")
    shot(page, "sign")
    page.set_viewport_size({"width": 1280, "height": 800})
    before = page.locator(".stage").bounding_box()
    page.keyboard.press("Control+Enter")
    page.get_by_role("heading", name="Signed by").wait_for()
    until(lambda: reading(page, study)["state"] == "signed")
    page.get_by_role("button", name="Amend").wait_for()
    assert newer.count() == 0
    assert page.locator(".stage").bounding_box()["y"] == before["y"], "what comes with a signature moves no image"
    shot(page, "room-signed")
    pdf = page.request.get(f"/api/readings/{study}/report.pdf")
    assert pdf.ok
    assert pdf.body().startswith(b"%PDF")
    page.get_by_role("link", name="As it prints").first.click()
    page.get_by_text("FINAL, signed").wait_for()
    page.get_by_text("No acute finding on this sample.").wait_for()
    page.get_by_text("not told yet when this was signed: nobody answers on ward 3").wait_for()
    shot(page, "report")

    page.keyboard.press("Escape")
    page.get_by_role("button", name="Amend").wait_for()
    page.keyboard.press("Shift+A")
    page.get_by_text("You amend").wait_for()  # the page knows it, not the server alone
    page.keyboard.press("Control+Enter")
    amended = page.get_by_role("dialog", name="Sign amendment")
    amended.get_by_role("group", name="Critical: Air beside the brain").wait_for()
    amended.get_by_label("Told whom").fill("Dr Lee, ward 3")
    page.keyboard.press("Control+Enter")
    until(lambda: reading(page, study)["state"] == "signed")
    page.goto(f"/report/{study}")
    page.get_by_text("AMENDED, version 2, signed").wait_for()
    page.get_by_text("to Dr Lee, ward 3").first.wait_for()


@pytest.mark.slow
def test_a_newer_version_is_shown_beside_ones_own(page: Any, context: Any, studies: Callable[[str], str]) -> None:
    study = studies("Brain MR")
    context.expected.append("409")
    read(page, study)
    until(lambda: reading(page, study)["by"])
    here = page.url.split("/study")[0]
    theirs = {"version": reading(page, study)["version"], "text": "Theirs", "section": "Impression"}
    put = page.request.put(f"/api/readings/{study}/sentences/theirs", data=theirs, headers={"Origin": here})
    assert put.ok, put.text()
    context.expected.append("Failed to load resource")
    page.route(f"**/api/readings/{study}", lambda route: route.abort())  # what came first cannot be read just now
    page.get_by_label("Add a sentence to Impression").fill("Mine")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Another version came first")
    dialog.get_by_text("report: Mine").wait_for()
    shot(page, "conflict")
    until(lambda: page.get_by_text("being sent").count() == 0)  # and what is done next is sent
    page.unroute(f"**/api/readings/{study}")
    on_top = dialog.get_by_role("button", name="Send mine on top")
    on_top.click()
    until(lambda: page.get_by_text("being sent").count() == 0)
    on_top.click()  # the first time it was still on top of the old version
    texts = lambda: [one["text"] for one in page.request.get(f"/api/readings/{study}/report").json()["sentences"]]  # noqa: E731
    until(lambda: {"Theirs", "Mine"} <= set(texts()))


def test_what_could_not_be_sent_waits_and_is_sent_once(page: Any, context: Any, studies: Callable[[str], str]) -> None:
    study = studies("Chest radiograph")
    context.expected.append("Failed to load resource")
    read(page, study)
    until(lambda: reading(page, study)["by"])
    page.route("**/api/readings/*/sentences/*", lambda route: route.abort())
    page.get_by_label("Add a sentence to Impression").fill("Written while offline")
    page.keyboard.press("Enter")
    page.get_by_text("1 being sent").wait_for()
    page.unroute("**/api/readings/*/sentences/*")
    texts = lambda: [one["text"] for one in page.request.get(f"/api/readings/{study}/report").json()["sentences"]]  # noqa: E731
    until(lambda: texts().count("Written while offline") == 1)
    until(lambda: page.get_by_text("being sent").count() == 0)
    assert texts().count("Written while offline") == 1


def test_a_study_that_is_not_there(page: Any, context: Any) -> None:
    context.expected.append("404")
    page.goto("/study/1.2.3.4")
    page.get_by_role("alert").wait_for()
    page.get_by_role("link", name="Back to the worklist").wait_for()
