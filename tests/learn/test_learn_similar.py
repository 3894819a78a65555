"""Similar cases: never one's own, never of a project that one is not in; and what is like nothing is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.errors import Conflict, NotFound, Refused, Unavailable
from isocenter.learn.similar import Case, Index


@pytest.fixture(scope="module")
def index() -> Index:
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 1, (400, 16)) + 3
    cases = [Case(f"c{k}", f"p{k // 2}", "north" if k < 200 else "south", "opacity" if k % 3 else "clear", "report")
             for k in range(400)]  # fmt: skip
    rows[1] = rows[0] * 2  # the same person's second study looks the same
    return Index.of("d" * 64, rows, cases, refused=0.02)


def test_own_priors_and_other_projects_are_never_found(index: Index) -> None:
    (all_of,) = index.like(index.rows[:1], 400)
    assert [n.case.name for n in all_of[:2]] == ["c0", "c1"]
    (others,) = index.like(index.rows[:1], 400, person="p0")
    assert len(others) == 398 and not {"c0", "c1"} & {n.case.name for n in others}
    (north,) = index.like(index.rows[:1], 400, person="p0", projects=["north"])
    assert len(north) == 198 and {n.case.project for n in north} == {"north"}
    assert index.like(index.rows[:1], 5, projects=[]) == [[]]
    assert [n.distance for n in others] == sorted(n.distance for n in others)


def test_what_is_like_nothing_is_strange_and_what_is_usual_hardly_ever_is(index: Index) -> None:
    rng = np.random.default_rng(1)
    assert np.mean(index.strangeness(rng.normal(0, 1, (2000, 16)) + 3) > 1) < 0.04
    assert np.mean(index.strangeness(rng.normal(0, 1, (500, 16)) - 3) > 1) == 1


def test_an_index_is_written_read_and_held_to_its_model(index: Index, tmp_path: Path) -> None:
    index.write(tmp_path / "index")
    again = Index.read(tmp_path / "index")
    assert again.cases == index.cases and np.array_equal(again.rows, index.rows)
    assert (again.limit, again.refused) == (index.limit, index.refused)
    with pytest.raises(Conflict, match="embeddings"):
        again.like(again.rows[:1], model="e" * 64)
    with pytest.raises(NotFound):
        Index.read(tmp_path)
    (tmp_path / "index" / "cases.json").write_text("[]")
    with pytest.raises(Refused, match="do not fit"):
        Index.read(tmp_path / "index")
    with pytest.raises(Refused, match="people"):
        Index.of("d", index.rows[:20], index.cases[:20])


def test_an_index_that_cannot_be_written_says_where(index: Index, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match=r"cannot write into .*file"):
        index.write(tmp_path / "file")


def test_many_are_asked_for_at_once_each_without_its_own(index: Index) -> None:
    found = index.like(index.rows[:6], 3, person=[f"p{k // 2}" for k in range(6)])
    alone = [index.like(index.rows[k : k + 1], 3, person=f"p{k // 2}")[0] for k in range(6)]
    assert [[n.case.name for n in row] for row in found] == [[n.case.name for n in row] for row in alone]
