"""The server is killed while a reader corrects: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_eyes import shot, until

from conftest import BUILT

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # three starts of a server
SERVER = Path(__file__).with_name("killed_server.py")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[int], tuple[subprocess.Popen[str], int, str]]]:
    """Starts the server on a port (0 takes a free one); all that were started are killed in the end."""
    if not BUILT.is_file():
        pytest.skip("the pages are not built; run python hatch_build.py")
    running = []

    def start(port: int) -> tuple[subprocess.Popen[str], int, str]:
        command = [sys.executable, str(SERVER), str(tmp_path / "archive"), str(port)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(server)
        assert server.stdout is not None
        told, _, link = server.stdout.readline().strip().partition(" ")
        return server, int(told), link

    yield start
    for server in running:
        server.kill()
        server.wait(30)
        assert server.stdout is not None
        server.stdout.close()


def test_a_correction_outlives_the_server_once(browser: Any, serve: Callable[[int], Any]) -> None:
    server, port, link = serve(0)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(link)
    page.get_by_role("table", name="Studies to read").locator("tbody tr").first.wait_for()
    at = f"http://127.0.0.1:{port}"
    study = page.request.get(f"{at}/api/worklist").json()["rows"][0]["study"]

    def found() -> list[str]:
        results = page.request.get(f"{at}/api/studies/{study}/results").json()["results"]
        return [f["words"] for r in results for f in r["findings"] if f["verdict"] == "added"]

    def add(words: str) -> None:
        page.keyboard.press("f")
        page.get_by_label("Your finding").fill(words)
        page.keyboard.press("Enter")

    page.goto(f"{at}/study/{study}")
    page.get_by_role("heading", name="First opinion").or_(page.get_by_role("heading", name="Findings")).first.wait_for()
    until(lambda: page.request.get(f"{at}/api/readings/{study}").json()["by"])

    # Killed after it was kept and before the answer came: the page cannot know, and sends the same act again.
    def kept_and_killed(route: Any) -> None:
        route.fetch()
        server.kill()
        server.wait(30)
        route.abort()

    page.route("**/correct", kept_and_killed, times=1)
    add("Kept before the server died")
    page.get_by_text("1 being sent").wait_for()
    shot(page, "killed")
    until(lambda: page.evaluate("0") == 0 and server.poll() is not None)  # the page tells of the act before it is kept
    server, _, _ = serve(port)
    until(lambda: page.get_by_text("being sent").count() == 0, 60)
    assert found() == ["Kept before the server died"]
    assert page.get_by_role("dialog").count() == 0, "one's own act is no other's version"

    # Killed before it was asked: the act waits, by name, and is done when the server is back.
    server.kill()
    server.wait(30)
    add("Waited for the server")
    page.get_by_text("1 being sent").wait_for()
    serve(port)
    until(lambda: page.get_by_text("being sent").count() == 0, 60)
    until(lambda: len(found()) == 2)
    assert sorted(found()) == ["Kept before the server died", "Waited for the server"]
    context.close()
