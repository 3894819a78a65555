"""A server of its own over an archive that holds what a test put there, and somebody who has signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser_eyes import Site

from isocenter.app import open_house
from isocenter.govern.policy import HOUSE
from isocenter.settings import Settings
from isocenter.site.verbs import Site as Archive

BUILT = Path(__file__).parents[2] / "src/isocenter/doors/web/index.html"


@contextmanager
def own_archive(
    browser: Any, folder: Path, files: list[bytes], then: Callable[[Archive], None] = lambda archive: None
) -> Iterator[Site]:
    """Address and cookies of the server; it is gone when the block ends.

    Args:
        then: what else is put there before the first page is asked for.
    """
    if not BUILT.is_file():
        pytest.skip("the pages are not built; run python hatch_build.py")
    house = open_house(Settings(folder=folder / "archive", port=0, dicom_port=0), server=True)
    try:
        house.first_person()
        house.site.receive(files, sender="test", who=HOUSE)
        then(house.site)
        house.start_web()
        link = house.sign_in_link()
        context = browser.new_context()
        context.new_page().goto(link)
        state = context.storage_state()
        context.close()
        yield Site(link.split("/sign-in")[0], state)
    finally:
        house.close()
