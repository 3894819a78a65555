"""A real server with the demonstration's studies, and Debian's Chromium in front of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser_eyes import FLAGS, Site, left_on, until

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "src/isocenter/doors/web/index.html"
START_S = 300.0
NEEDS_A_BROWSER = re.compile(r"^pytestmark = .*\bpytest\.mark\.browser\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A run without a browser does not read files of which every test needs one: 4 s in each of its processes."""
    if config.option.markexpr.startswith("not browser") and collection_path.suffix == ".py":
        return True if NEEDS_A_BROWSER.search(collection_path.read_text("utf-8")) else None
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """What a test that failed had on screen: its pages as pictures, and what each of them says."""
    report: Any = yield
    running = getattr(item, "funcargs", {}).get("browser")
    if report.when == "call" and report.failed and running is not None:
        pages = [page for context in running.contexts for page in context.pages]
        seen = [left_on(page, f"failed-{item.name}-{n}"[:120]) for n, page in enumerate(pages[-8:])]
        report.sections.append(("pages on screen", "\n".join(seen)))
    return report


@pytest.fixture(scope="session")
def chromium() -> str:
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None:
        pytest.skip("no Chromium on this machine")
    return found


@pytest.fixture(scope="session")
def playwright(chromium: str) -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="the extra `test` brings playwright")
    with api.sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Any, chromium: str) -> Iterator[Any]:
    running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
    yield running
    running.close()


@pytest.fixture(scope="session")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not BUILT.is_file():
        pytest.skip("the pages are not built; run python hatch_build.py")
    if kept := os.environ.get("ISOCENTER_BROWSER_SITE"):  # a demonstration that runs already: its address and cookies
        yield began_with_one_image(browser, Site(**json.loads(Path(kept).read_text())))
        return
    folder = tmp_path_factory.mktemp("demonstration")
    command = [
        sys.executable,
        "-c",
        "from isocenter.cli import main; main()",
        "demo",
        "--folder",
        str(folder / "archive"),
        "--port",
        "0",
        "--dicom-port",
        "0",
    ]
    begun = time.monotonic()
    told = (folder / "told.txt").open("w+b")
    server = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT, cwd=folder)
    try:

        def link() -> str | None:
            words = (folder / "told.txt").read_text(errors="replace")
            assert server.poll() is None, words
            found = re.search(r"http://\S+/sign-in\?token=\S+", words)
            return found.group(0) if found else None

        here = replace(signed_in(browser, until(link, START_S)), seconds=time.monotonic() - begun)
        yield began_with_one_image(browser, here)
    finally:
        server.terminate()
        server.wait(30)
        told.close()


def began_with_one_image(browser: Any, site: Site) -> Site:
    """The person of these tests keeps PET with CT as one image: most of them look at one, and fuse by themselves."""
    context = browser.new_context(base_url=site.address, storage_state=site.state)
    told = context.request.get("/api/settings/me").json()
    room = told["settings"]["room"] | {"stages": {"PET with CT": "one image"}}
    data = {"settings": {"room": room}, "version": told["version"]}
    answer = context.request.put("/api/settings/me", data=data, headers={"Origin": site.address})
    assert answer.ok, answer.text()
    context.close()
    return site


def signed_in(browser: Any, link: str) -> Site:
    """Follow a link that signs in, once; its cookies serve all tests."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    page.get_by_role("table", name="Studies to read").wait_for()
    state = context.storage_state()
    context.close()
    return Site(link.split("/sign-in")[0], state)


@pytest.fixture(scope="session")
def axe() -> str:
    """The code of axe-core, which looks for what a person with another sense cannot use."""
    code = ROOT / "web/node_modules/axe-core/axe.min.js"
    if not code.is_file():
        pytest.skip("axe-core is not here: the packages of web/ are not installed; run python hatch_build.py")
    return code.read_text()


@pytest.fixture
def context(browser: Any, site: Site) -> Iterator[Any]:
    """A signed-in browser window's world; it fails the test when a page complains or breaks its content policy."""
    made = browser.new_context(base_url=site.address, storage_state=site.state, viewport={"width": 1440, "height": 900})
    made.set_default_timeout(20_000)
    complaints: list[str] = []
    expected: list[str] = []
    made.on("weberror", lambda error: complaints.append(str(error.error)))
    made.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    made.expected = expected  # type: ignore[attr-defined]
    yield made
    made.close()
    left = [text for text in complaints if not any(part in text for part in expected)]
    assert not left, left


@pytest.fixture
def page(context: Any) -> Any:
    return context.new_page()


@pytest.fixture
def studies(page: Any, site: Site) -> Callable[[str], str]:
    """The identifier of the first study whose row holds these words, put down where the test before left it open."""

    def of(words: str) -> str:
        answer = page.request.get("/api/worklist?limit=200")
        rows = answer.json()["rows"]
        told = {row["study"]: " ".join([row["description"], *row["modalities"], row["patient"]["id"]]) for row in rows}
        study = next(study for study, text in told.items() if words in text)
        reading = page.request.get(f"/api/readings/{study}").json()
        if reading["by"] == "admin" and not reading["signed"]:
            origin = {"Origin": site.address}
            page.request.post(f"/api/readings/{study}/lapse", data={"version": reading["version"]}, headers=origin)
        return study

    return of
