"""The record and the page of a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.analysis.weights import record_in
from isocenter.learn.model_folder import write_record
from isocenter.record import Model


def test_a_record_and_its_page_are_read_back(tmp_path: Path) -> None:
    model = Model("lungs", "1", "ab" * 32, card={"goal": {"auc": 0.9}}, evidence={"metrics": {}})
    write_record(tmp_path, model, "a page")
    assert record_in(tmp_path / "model.json") == model and (tmp_path / "card.md").read_text() == "a page"
    write_record(tmp_path, model)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["card.md", "model.json"]


def test_where_the_page_cannot_be_written_the_earlier_record_stays(tmp_path: Path) -> None:
    old, new = Model("lungs", "1", "ab" * 32), Model("lungs", "2", "cd" * 32)
    write_record(tmp_path, old)
    (tmp_path / "card.md").mkdir()
    with pytest.raises(IsADirectoryError):
        write_record(tmp_path, new, "a page")
    assert record_in(tmp_path / "model.json") == old
