"""Peer learning: who is drawn, who may not review, who sees what, and the rates."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import Conflict, Forbidden, NotFound, Refused, WrongState
from isocenter.reading.peer import (
    DISCORDANT,
    SCORES,
    Candidate,
    Review,
    arbitrate,
    draw,
    fold,
    must_be_new,
    review,
    seen_by,
    summary,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
READERS = ("ito", "lee", "okafor", "ruiz")


def pool(n: int = 400) -> list[Candidate]:
    return [
        Candidate(f"1.{i}", frozenset({READERS[i % 4]}), "CT" if i % 5 else "MR", discordant=i % 10 == 3)
        for i in range(n)
    ]


def drawn(**rest: object) -> list[Review]:
    given = {"seed": "november", "who": "chief", "now": NOW, **rest}
    return list(fold(draw(pool(), READERS, **given)).values())  # type: ignore[arg-type]


@given(st.permutations(range(60)), st.text(min_size=1, max_size=8).filter(str.strip))
def test_the_same_seed_draws_the_same_whatever_the_order(order: list[int], seed: str) -> None:
    many = pool(60)
    first = draw(many, READERS, seed=seed, who="c", now=NOW, rate=0.2)
    again = draw([many[i] for i in order], READERS, seed=seed, who="c", now=NOW, rate=0.2)
    assert first == again


def test_another_seed_draws_others_and_no_study_is_preferred() -> None:
    counts: Counter[str] = Counter()
    for seed in range(400):
        counts.update(e.details["study"] for e in draw(pool(50), READERS, seed=f"s{seed}", who="c", now=NOW, rate=0.2))
    assert len(counts) == 50
    # 400 draws of 20 %: 80 each, standard deviation 8
    assert all(80 - 32 < n < 80 + 32 for n in counts.values())


@pytest.mark.parametrize("seed", [f"seed {n}" for n in range(20)])
def test_nobody_is_drawn_for_an_own_case(seed: str) -> None:
    many = [Candidate(f"1.{i}", frozenset(READERS[i % 4 : i % 4 + 2]), "CT") for i in range(80)]
    for one in fold(draw(many, READERS, seed=seed, who="c", now=NOW, rate=1.0)).values():
        assert one.reviewer not in one.authors
        with pytest.raises(Forbidden, match="own case"):
            review(one, one.authors[0], "1", "", NOW, readers=READERS)


def test_as_many_as_the_precision_needs_in_each_stratum() -> None:
    counts = Counter(r.stratum for r in drawn(expected=0.03, half_width=0.02))
    assert counts == {"CT": 150, "MR": 63}  # 279.5 / (1 + 278.5 / 320) = 149.4, and 62.4 of 80
    assert Counter(r.stratum for r in drawn(rate=0.05)) == {"CT": 16, "MR": 4}
    shares = Counter(r.reviewer for r in drawn())
    assert max(shares.values()) - min(shares.values()) <= 3


def test_the_discordant_arm_is_drawn_apart() -> None:
    arms = Counter(r.arm for r in drawn(rate=0.05, discordant=7))
    assert arms[DISCORDANT] == 7
    assert all(int(r.study.split(".")[1]) % 10 == 3 for r in drawn(rate=0.05, discordant=7) if r.arm == DISCORDANT)


def test_what_was_drawn_is_not_drawn_again() -> None:
    first = {r.study for r in drawn(rate=0.5)}
    second = {r.study for r in drawn(rate=1.0, already=frozenset(first))}
    assert not first & second
    again = draw(pool(), READERS, seed="november", who="c", now=NOW, rate=0.5)
    with pytest.raises(Conflict, match="another seed"):
        must_be_new(fold(again), again)


def test_a_score_that_would_hurt_goes_to_a_third_reader() -> None:
    one = drawn(rate=0.05)[0]
    for score in SCORES:
        told = review(one, one.reviewer, score, "said", NOW, readers=READERS)
        arbiter = told.details["arbiter"]
        assert bool(arbiter) == (score in ("2b", "3a", "3b"))
        assert arbiter not in (*one.authors, one.reviewer)
    asked = review(one, one.reviewer, "3b", "a fracture of the rib", NOW, readers=READERS)
    waiting = fold([*events_of(one), asked])[one.id]
    assert (waiting.state, waiting.turn) == ("arbitration", asked.details["arbiter"])
    with pytest.raises(Forbidden, match="another reviewer"):
        arbitrate(waiting, one.reviewer, "1", "", NOW)
    done = fold([*events_of(one), asked, arbitrate(waiting, waiting.arbiter, "2a", "hard to see", NOW)])[one.id]
    assert (done.state, done.score, done.first_score, done.turn) == ("done", "2a", "3b", "")
    assert done.words == "Reviewer: a fracture of the rib\nThird reader: hard to see"
    with pytest.raises(WrongState, match="scored already"):
        review(done, one.reviewer, "1", "", NOW, readers=READERS)


def events_of(one: Review) -> list:  # type: ignore[type-arg]
    return [e for e in draw(pool(), READERS, seed="november", who="chief", now=NOW, rate=0.05) if e.subject == one.id]


def test_who_sees_what() -> None:
    one = drawn(rate=0.05)[0]
    outsider = next(r for r in READERS if r not in (*one.authors, one.reviewer))
    with pytest.raises(NotFound):
        seen_by(one, outsider, owner=False)
    with pytest.raises(NotFound):  # an author does not learn that a case is out for review
        seen_by(one, one.authors[0], owner=False)
    mine = seen_by(one, one.reviewer, owner=False)
    assert mine["mine"]
    assert not {"authors", "reviewer", "arm", "score"} & set(mine)
    asked = review(one, one.reviewer, "2b", "missed effusion", NOW, readers=READERS)
    waiting = fold([*events_of(one), asked])[one.id]
    assert "score" not in seen_by(waiting, waiting.arbiter, owner=False), "the third reader reads for themselves"
    done = fold([*events_of(one), asked, arbitrate(waiting, waiting.arbiter, "2b", "yes", NOW)])[one.id]
    learnt = seen_by(done, one.authors[0], owner=False)
    assert (mine["part"], learnt["part"]) == ("read it again", "signed it"), "what one did oneself, and nobody else"
    assert (learnt["score"], learnt["words"]) == ("2b", "Reviewer: missed effusion\nThird reader: yes")
    assert "reviewer" not in learnt
    assert one.reviewer not in str(learnt)
    assert seen_by(done, "chief", owner=True)["reviewer"] == one.reviewer


def test_an_older_draw_counts_with_its_kind_of_examination_whatever_was_drawn_on_its_images() -> None:
    many = [Candidate(f"1.{i}", frozenset({"ito"}), ("CT+PT+RTSTRUCT", "CT+PT", "CT+SEG")[i % 3]) for i in range(30)]
    told = fold(draw(many, READERS, seed="november", who="chief", now=NOW, rate=1.0)).values()
    assert Counter(r.stratum for r in told) == {"PET/CT": 20, "CT": 10}
    assert [row.stratum for row in summary(list(told))] == ["CT", "PET/CT"]


def test_rates_by_hand() -> None:
    def case(n: int, score: str, stratum: str = "CT", arm: str = "random") -> Review:
        return Review(f"i{n}", f"1.{n}", stratum, ("ito",), "lee", NOW, arm, "done" if score else "drawn", score)

    scores = ["1"] * 17 + ["2a", "2b", "3b"]
    many = [case(n, s) for n, s in enumerate(scores)]
    rows = summary([*many, case(30, "1", "MR"), case(31, "", "MR"), case(32, "3b", arm=DISCORDANT)])
    ct, mr, apart = rows
    assert (ct.n, ct.scores, ct.waiting) == (20, {"1": 17, "2a": 1, "2b": 1, "3a": 0, "3b": 1}, 0)
    assert ct.matters is not None
    assert (ct.matters.value, ct.matters.low, ct.matters.high) == pytest.approx((0.1, 0.0279, 0.3010), abs=1e-4)
    assert (mr.n, mr.matters, mr.needed, mr.waiting) == (1, None, 9, 1)
    assert apart.stratum == DISCORDANT
    assert all(a.n >= b.n for a, b in pairwise(rows))


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ({"seed": " "}, "seed"),
        ({"rate": 0.0}, "rate"),
        ({"already": frozenset(f"1.{i}" for i in range(400))}, "longer period"),
    ],
)
def test_draws_that_are_refused(rest: dict[str, object], words: str) -> None:
    with pytest.raises(Refused, match=words):
        drawn(**rest)


def test_more_refusals() -> None:
    with pytest.raises(Refused, match="nobody could review"):
        draw([Candidate("1", frozenset({"ito"}), "CT")], ("ito",), seed="x", who="c", now=NOW, rate=1)
    one = drawn(rate=0.05)[0]
    with pytest.raises(Refused, match="RADPEER has"):
        review(one, one.reviewer, "4", "", NOW, readers=READERS)
    with pytest.raises(Refused, match="without words"):
        review(one, one.reviewer, "2a", " ", NOW, readers=READERS)
