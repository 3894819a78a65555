"""Every analysis that ships passes the suite that we hand to strangers."""

from __future__ import annotations

import pytest

from isocenter.analysis.registry import discover
from isocenter.testing.checks import check


@pytest.mark.parametrize("name", sorted(discover().analyses))
def test_a_shipped_analysis_is_a_good_analysis(name: str) -> None:
    done = check(discover().get(name))
    assert len(done) >= 20
    assert [f"{c.name}: {c.words}" for c in done if not c.passed] == []
