"""A study opened in an emergency: whoever is asked about it sees so at once, on whatever page they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser_eyes import Site, shot
from own_archive import own_archive
from pydicom.data import get_testdata_file

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WORDS = "a second person's own password"


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open(str(get_testdata_file("CT_small.dcm")), "rb") as file:
        data = file.read()
    with own_archive(browser, tmp_path_factory.mktemp("glass"), [data]) as there:
        yield there


def test_the_keeper_of_a_project_is_told_on_every_page_and_until_they_have_looked(page: Any, site: Site) -> None:
    origin = {"Origin": site.address}
    ask = page.request
    study = ask.get("/api/worklist?limit=5").json()["rows"][0]["study"]
    for method, path, said in (
        ("POST", "/api/people", {"name": "second", "role": "reader", "password": WORDS}),
        ("PUT", "/api/projects/trial", {"about": "a trial", "keeper": "admin"}),
        ("POST", f"/api/studies/{study}/project", {"project": "trial", "reason": "it belongs there"}),
    ):
        done = ask.fetch(path, method=method, data=said, headers=origin)
        assert done.ok, done.text()
    page.goto("/analyses")
    told = page.locator(".foot").get_by_text("opened in an emergency")
    page.locator(".foot .live .fine").wait_for()
    assert told.count() == 0
    other = page.context.browser.new_context(base_url=site.address)
    try:
        assert other.request.post("/api/sign-in", data={"name": "second", "password": WORDS}, headers=origin).ok
        said = {"reason": "seizure in the ward", "minutes": 30}
        broken = other.request.post(f"/api/studies/{study}/glass", data=said, headers=origin)
        assert broken.ok, broken.text()
        told.wait_for(timeout=5_000)
        assert told.inner_text() == "▲ 1 study opened in an emergency: look through"
        shot(page, "glass-told")
        page.goto("/department/alerts")  # told once: at the foot, which leads to where it is judged
        page.get_by_text("No alert is open").wait_for()
        assert page.get_by_text("seizure in the ward").count() == 0
        page.goto("/worklist")  # the keeper is not in the project: the study is in no list of theirs
        told.click()
        page.get_by_text("seizure in the ward").wait_for()
        page.get_by_text("admin is asked; in").wait_for()
        page.get_by_role("button", name="Rightly so", exact=True).click()
        told.wait_for(state="detached", timeout=5_000)
        page.goto("/department/alerts?state=ended")
        page.get_by_text("seizure in the ward").wait_for()
        page.get_by_text("looked through by admin").wait_for()
    finally:
        other.close()
