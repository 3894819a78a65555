"""Every screen of the house: without a fault for other senses, the same after a reload, whole at twice the size, and
kept as a picture for people to look at."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from browser_eyes import addresses, faults, lit, shot, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDE, TWICE = {"width": 1440, "height": 900}, {"width": 720, "height": 450}  # what 200 % leaves of the first
PHONE = {"width": 390, "height": 844}
# What of a page one has to move sideways for; tables that say their columns row by row need no such thing.
BESIDE = """() => [...document.querySelectorAll('main')]
  .filter(one => ['auto', 'scroll'].includes(getComputedStyle(one).overflowX) && one.scrollWidth > one.clientWidth + 1)
  .map(one => one.className + ' ' + (one.scrollWidth - one.clientWidth))"""

FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


def asked_of(page: Any) -> set[Any]:
    """The questions of the page that have no answer yet, but for the channel that never ends."""
    open_: set[Any] = set()
    page.on("request", lambda one: open_.add(one) if "/api/" in one.url and "/events" not in one.url else None)
    for end in ("requestfinished", "requestfailed"):
        page.on(end, lambda one: open_.discard(one))
    return open_


def arrived(page: Any, path: str, asked: set[Any]) -> None:
    """The page stands: nothing is being loaded, and images that it shows are lit."""
    page.locator("main h1, main h2, header h1").first.wait_for()
    if re.match(r"/study/[\d.]+$|/sharing/preview", path):
        page.locator(".corner.tr").first.wait_for()
        until(lambda: lit(page) > 0.02)
    if path.startswith("/oversight/view/"):
        page.locator(".picture .side").first.wait_for()
    until(lambda: page.evaluate(FRAMES) and page.locator("[aria-busy=true]").count() == 0 and not asked)


def lines(page: Any) -> set[str]:
    """What the page says, without numbers: minutes pass, and looks are counted."""
    told = re.sub(r"\d+", "#", page.locator("main").first.inner_text())
    return {line.strip() for line in told.splitlines() if line.strip()}


@pytest.mark.parametrize("place", list(addresses("")))
def test_every_screen(page: Any, studies: Callable[[str], str], axe: str, place: str) -> None:
    # What is not shown before an opinion is refused in words, and so are surfaces where none are.
    page.context.expected += ["status of 400"] + ["status of 404"] * (place == "study")
    found: dict[str, Any] = {}
    asked = asked_of(page)
    for path in addresses(studies("PET/CT"))[place]:
        page.set_viewport_size(WIDE)
        page.goto(path)
        arrived(page, path, asked)
        name = re.sub(r"[^a-z]+", "-", re.sub(r"[\d.]{8,}", "", path)).strip("-")
        before = lines(page)
        page.reload()
        arrived(page, path, asked)
        assert page.evaluate("location.pathname + location.search").startswith(path.partition("?")[0])
        after = lines(page)
        if len(before & after) < 0.9 * max(len(before), len(after)):
            found[path, "reload"] = before ^ after
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            shot(page, f"screen-{name}-{theme}")
            if told := faults(page, axe):
                found[path, theme] = told
        for size, how in ((TWICE, "twice"), (PHONE, "phone")):
            page.set_viewport_size(size)
            page.evaluate(FRAMES)  # what the page itself lays anew for another width
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found[path, how] = page.evaluate("document.documentElement.scrollWidth")
            if how == "phone" and (told := page.evaluate(BESIDE)):
                found[path, "beside the screen"] = told
            if how == "phone" and path.startswith("/study/"):
                page.reload()
                arrived(page, path, asked)
                if moved := page.evaluate("document.querySelector('.room')?.scrollTop ?? 0"):
                    found[path, "begins below its tools"] = moved
            shot(page, f"screen-{name}-{how}")
    assert found == {}
