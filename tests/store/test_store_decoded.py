"""What is held is what was read, never more than was allowed, and nobody can change it for others."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_samples import NOON, image, made, pixels

from isocenter.errors import NotFound
from isocenter.record import Finding, Origin, Outcome, Result, codes
from isocenter.space import Geometry, Region, Shape
from isocenter.store import receive
from isocenter.store.decoded import Decoded


def masked(side: int, name: str = "x") -> Result:
    """A result with a mask of side³ voxels."""
    mask = np.zeros((side, side, side), dtype=bool)
    mask[0, 0, 0] = True
    grid = Geometry.regular(shape=mask.shape, spacing_mm=(1, 1, 1), frame_of_reference="1.9.9")
    finding = Finding(codes.LESION, where=Region(grid, Shape.MASK, mask), tracking="a")
    return Result("1.2.1", Outcome.FOUND, Origin("machine", name, "1"), NOON, findings=(finding,))


SMALL, LARGE = masked(4), masked(40)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef")), max_size=30))
def test_law_what_is_held_is_what_was_kept_and_within_its_bound(acts: list[tuple[bool, str]]) -> None:
    kept = Decoded(most=100_000)  # six small ones, or one large one and one small one
    for large, digest in acts:
        result = LARGE if large else SMALL
        kept.keep(digest, result)
        assert kept.get(digest) is result
        assert kept._held == sum(w for _, w in kept._kept.values())
        assert kept._held <= 100_000


def test_what_nobody_asked_for_the_longest_goes_first() -> None:
    kept = Decoded(most=100_000)
    for digest in "abcdefg":
        kept.keep(digest, SMALL)
        kept.get("a")
    assert kept.get("b") is None
    assert kept.get("a") is SMALL and kept.get("g") is SMALL


def test_the_newest_stays_even_where_it_is_too_large_and_alone() -> None:
    kept = Decoded(most=1000)
    kept.keep("a", SMALL)
    kept.keep("b", LARGE)
    assert kept.get("a") is None and kept.get("b") is LARGE
    kept.keep("c", SMALL)
    assert kept.get("b") is None and kept.get("c") is SMALL


def test_the_index_decodes_a_result_once_and_still_knows_what_is_not_there(
    archive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(archive.database, archive.blobs, archive.journal, [(pixels(1), image(1))], "SCANNER", NOON)
    one = masked(8)
    archive.journal.append(made(archive.blobs, one))
    first = archive.index.result(one.id)
    assert first == one
    with pytest.raises(ValueError, match="read-only"):
        first.findings[0].where.mask[0, 0, 0] = False  # type: ignore[union-attr,index]
    monkeypatch.setattr(archive.blobs, "get", lambda digest: pytest.fail("read again"))
    got: list[Result] = []
    threads = [threading.Thread(target=lambda: got.append(archive.index.result(one.id))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4 and all(r is first for r in got)
    with pytest.raises(NotFound):
        archive.index.result("0" * 64)
