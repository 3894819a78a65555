"""What a side of a federation has wrong at its own place is told before anybody is called or waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.app import now
from isocenter.cli.federating import coordinate, join
from isocenter.errors import NotFound, Refused, Unavailable
from isocenter.govern.identities import make_authority, make_identity

NOWHERE = "https://127.0.0.1:1"


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    make_authority(tmp_path / "ca", "federation", now=now())
    make_identity(tmp_path / "st-anna", "st-anna", tmp_path / "ca", now=now())
    return tmp_path


def test_a_site_that_would_coordinate_is_refused_before_it_listens(papers: Path) -> None:
    with pytest.raises(Refused, match="identity of a site"):
        coordinate("pneumoniamnist", papers / "st-anna", papers / "run", sites=3)
    assert not (papers / "run").exists()


def test_images_that_are_not_there_are_told_before_a_call(papers: Path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(NotFound, match=r"'nothing.npz'.*Check the path") as told:
        join(NOWHERE, Path("nothing.npz"), papers / "st-anna", papers / "out", ground="consent", patience=0.0)
    assert "coordinator" not in str(told.value)


def test_a_coordinator_that_does_not_answer_is_named_by_its_address(papers: Path) -> None:
    pytest.importorskip("torch")
    (papers / "pictures").mkdir()
    with pytest.raises(Unavailable, match=f"the coordinator at {NOWHERE} does not answer.*Check the address"):
        join(NOWHERE, papers / "pictures", papers / "st-anna", papers / "out", ground="consent", patience=0.0)
