"""What outlines is compiled behind the start of a server, and only where that was never done."""

from __future__ import annotations

import pytest

from isocenter.methods import random_walk
from isocenter.site import outlining


def test_what_is_compiled_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    outlining.compiles()
    assert random_walk.compiled()
    asked: list[bool] = []
    monkeypatch.setattr(outlining, "computes", lambda: asked.append(True))
    outlining.compiles()
    assert not asked
    monkeypatch.setattr(random_walk, "compiled", lambda: False)
    outlining.compiles()
    assert asked == [True]
