"""A study behind a link, in the browser of somebody without an account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from browser_eyes import Site, faults, lit, shot, until
from own_archive import own_archive

from isocenter.testing.phantoms import balls

pytestmark = pytest.mark.browser

JAR = balls.patient(seed=3)
STUDY, SERIES = JAR.truth["study_uid"], JAR.truth["series_uid"]


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with own_archive(browser, tmp_path_factory.mktemp("shared"), JAR.files) as there:
        yield there


SMALL = """() => {
  const canvas = document.querySelector('.viewport canvas.cornerstone-canvas');
  const edge = Math.min(canvas.width, canvas.height), copy = document.createElement('canvas');
  copy.width = copy.height = 32;
  const pen = copy.getContext('2d');
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(canvas, (canvas.width - edge) / 2, (canvas.height - edge) / 2, edge, edge, 0, 0, 32, 32);
  return [...pen.getImageData(0, 0, 32, 32).data].filter((_, n) => n % 4 === 0);
}"""


def shown(page: Any) -> tuple[list[str], np.ndarray[Any, Any]]:
    """The words of a page of somebody who looks through a link, and the middle of its image, small."""
    words = [page.locator(one).inner_text() for one in (".bar.patient", ".thumbnails", ".corner.tr", ".corner.bl")]
    return words, np.array(page.evaluate(SMALL), float)


@pytest.mark.slow
def test_a_link_ends_at_its_second_also_on_a_page_that_is_open(page: Any, browser: Any, site: Site) -> None:
    seconds = 12
    origin = {"Origin": site.address}
    given = page.request.post(f"/api/studies/{STUDY}/links", data={"hours": seconds / 3600}, headers=origin).json()
    until_ = datetime.fromisoformat(given["until"])
    stranger = browser.new_context()
    theirs = stranger.new_page()
    theirs.goto(site.address + given["link"])
    theirs.locator(".corner.tr").wait_for()
    until(lambda: lit(theirs) > 0.02)
    assert datetime.now(UTC) < until_
    theirs.get_by_role("heading", name="This link opens nothing").wait_for()
    late = (datetime.now(UTC) - until_).total_seconds()
    assert 0 <= late < 3, late
    assert theirs.locator("canvas").count() == 0
    stranger.close()


@pytest.mark.slow
def test_a_link_shows_the_images_to_whoever_holds_it_until_it_is_taken_back(
    page: Any, browser: Any, site: Site, axe: str
) -> None:
    page.goto(f"/sharing?study={STUDY}")
    page.get_by_role("link", name="See what they will see").click()
    page.get_by_text("A link to this study shows this and nothing else").wait_for()
    page.locator(".corner.tr").wait_for()
    until(lambda: lit(page) > 0.02)
    assert not faults(page, axe)
    shot(page, "sharing-preview")
    preview = shown(page)
    page.get_by_role("link", name="Back to sharing").click()
    page.get_by_label("For whom").fill("Dr Lee, second opinion")
    page.get_by_label("A word they must say (optional)").fill("früh um fünf")
    page.get_by_role("button", name="Give the link").click()
    link = page.locator("code.secret").inner_text()
    assert link.startswith(f"{site.address}/shared#")
    shot(page, "sharing-given")

    stranger = browser.new_context(viewport={"width": 1280, "height": 800})
    asked: list[str] = []
    stranger.on("request", lambda request: asked.append(request.url))
    theirs = stranger.new_page()
    theirs.goto(link)
    theirs.get_by_role("heading", name="This link opens nothing").wait_for()
    theirs.get_by_label("The word, if you were told one").fill("früh um fünf")
    theirs.get_by_role("button", name="Open").click()
    corner = theirs.locator(".corner.tr")
    corner.wait_for()
    until(lambda: lit(theirs) > 0.02)
    until(lambda: shown(theirs)[0] == preview[0])  # the same words: who it is, the series, the corners
    likeness = np.corrcoef(shown(theirs)[1], preview[1])[0, 1]
    assert likeness > 0.99, likeness  # and the same image, on a screen of another size
    first = corner.inner_text()
    theirs.keyboard.press("ArrowDown")
    until(lambda: corner.inner_text() != first)
    assert theirs.get_by_text("PHANTOM").count() and not theirs.get_by_role("link", name="Worklist").count()
    shot(theirs, "sharing-shared")
    secret = link.partition("#")[2]
    assert not any(secret in url.partition("#")[0] for url in asked), "no log on the way holds the secret"
    assert not any("/api/studies" in url for url in asked), "a stranger asks for nothing but what is shared"

    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Extend the link for Dr Lee").click()
    longer = page.get_by_role("dialog")
    longer.get_by_label("From now on for").select_option("24")
    assert longer.get_by_role("button", name="Extend it").is_disabled(), "sooner than it ends by itself"
    longer.get_by_label("From now on for").select_option("720")
    longer.get_by_label("Why").fill("Dr Lee is away until Monday")
    assert not faults(page, axe)
    shot(page, "sharing-extend")
    longer.get_by_role("button", name="Extend it").click()
    longer.wait_for(state="detached")
    (given,) = [one for one in page.request.get("/api/links").json()["links"] if one["to"].startswith("Dr Lee")]
    assert given["until"] > (datetime.now(UTC) + timedelta(days=29)).isoformat()
    until(lambda: "1 time" in page.get_by_role("row", name="Dr Lee").inner_text())  # without a reload
    page.keyboard.press("Backspace")  # the key of the row that is marked
    page.get_by_role("dialog").get_by_label("Why").fill("read")
    page.get_by_role("button", name="End it now").click()
    page.get_by_text("ended").first.wait_for()
    theirs.get_by_role("heading", name="This link opens nothing").wait_for()  # without a reload
    assert theirs.locator("canvas").count() == 0 and not theirs.get_by_text("PHANTOM").count()
    theirs.get_by_label("The word, if you were told one").fill("früh um fünf")
    theirs.get_by_role("button", name="Open").click()
    theirs.get_by_role("heading", name="This link opens nothing").wait_for()
    assert theirs.locator("canvas").count() == 0
    shot(theirs, "sharing-ended")
    stranger.close()


def test_the_ledger_says_what_came_and_what_left(page: Any, site: Site, axe: str) -> None:
    page.request.post(
        f"/api/studies/{STUDY}/links", data={"to": "Dr Okafor", "hours": 5}, headers={"Origin": site.address}
    )
    page.goto("/sharing")
    page.get_by_role("cell", name="Dr Okafor", exact=True).wait_for()
    page.keyboard.press("3")
    came = page.get_by_role("row", name="test").first
    came.wait_for()
    assert f"{len(JAR.files)} 0 0 0" in came.inner_text().replace("\t", " "), came.inner_text()
    assert "all of it stored" in came.inner_text()
    left = page.get_by_role("row", name="Dr Okafor")
    assert "shared by a link" in left.inner_text() and "care" in left.inner_text()
    assert not faults(page, axe)
    shot(page, "sharing-ledger")
    page.get_by_label("To, included").fill("2020-01-31")
    page.get_by_label("To, included").press("Enter")
    page.get_by_role("heading", name="Nothing came in these days").wait_for()
    page.get_by_role("heading", name="Nothing left in these days").wait_for()
