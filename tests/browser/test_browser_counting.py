"""Who waits for an answer of many studies reads how many of them are done, and then the answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from browser_eyes import Site, faults, shot, until
from own_archive import own_archive
from test_browser_sharing_terms import JAR, OTHER, planted

from isocenter.govern.policy import HOUSE
from isocenter.population import table
from isocenter.site.verbs import Site as Archive

pytestmark = [pytest.mark.browser, pytest.mark.slow]

GO = threading.Event()


def permitted(archive: Archive) -> None:
    version = archive.preferences.site(who=HOUSE).version
    archive.preferences.change_site(
        {"unasked": {"research": "allow"}}, version=version, reason="public images", who=HOUSE
    )


@pytest.fixture
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    files = [*planted(JAR.files, "A-100"), *planted(OTHER.files, "A-200")]
    member, seen = table.member, []

    def waits(*given: Any) -> Any:
        seen.append(given)
        if len(seen) == 2:
            GO.wait(60)
        return member(*given)

    with own_archive(browser, tmp_path_factory.mktemp("counted"), files, permitted) as there:
        monkeypatch.setattr("isocenter.site.cohorting.unbound", lambda who: True)  # reports are another test's
        monkeypatch.setattr("isocenter.site.cohorting.table.member", waits)
        yield there
        GO.set()


def test_a_cohort_that_is_being_computed_tells_of_how_many_studies(page: Any, site: Site, axe: str) -> None:
    page.goto("/cohorts")
    page.get_by_text("Computing the cohort: 1 of 2 studies").wait_for()
    shot(page, "cohort-computing")
    assert not faults(page, axe)
    GO.set()
    until(lambda: "2 of 2 studies" in page.locator("header.bar").inner_text())
    assert not page.get_by_text("Computing").count()
