"""How many groups of people a planner is told of: counted once each, refused in words, renewed by another person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from isocenter.errors import Forbidden, LimitReached, Refused, TooOften
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Kind
from isocenter.site.questioning import DAYS, MOST, Questioning
from isocenter.store.database import Database
from isocenter.store.journal import Journal

PAUL, EVE, ITO = Person("paul", Role.PLANNER), Person("eve", Role.PLANNER), Person("ito", Role.READER)


class Clock:
    now = datetime(2026, 11, 28, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def asked(tmp_path: Path) -> Questioning:
    return Questioning(Journal(Database(f"sqlite:///{tmp_path / 'a.sqlite'}")), Clock())


def test_a_group_counts_once_and_after_so_many_the_next_is_refused(asked: Questioning) -> None:
    for k in range(MOST):
        asked.spend([f"g{k}", "g0"], PAUL)
    asked.spend(["g0", "g5"], PAUL)
    with pytest.raises(TooOften, match=rf"again in {DAYS * 86400 + 1} s, or ask an administrator"):
        asked.spend(["another"], PAUL)
    with pytest.raises(LimitReached):
        asked.spend(["g1", "another"], PAUL)
    asked.spend(["another"], EVE)
    told = {one["account"]: one["groups"] for one in asked.told(who=HOUSE)}
    assert told == {"paul": MOST, "eve": 1}
    (refused,) = asked.journal.since(kinds=(Kind.REFUSED,), limit=9)
    assert refused.event.who == "paul", "the same refusal once in ten minutes"
    assert Questioning(asked.journal, asked.clock).told(who=HOUSE)[1]["groups"] == MOST, "a restart forgets nothing"


def test_another_person_renews_it_with_a_reason_and_days_do(asked: Questioning) -> None:
    with pytest.raises(Refused, match="told no numbers"):
        asked.renew("paul", "a name that asked nothing", who=HOUSE)
    asked.spend([f"g{k}" for k in range(MOST)], PAUL)
    for who, reason, wrong in ((HOUSE, " ", Refused), (PAUL, "more", Forbidden), (ITO, "more", Forbidden)):
        with pytest.raises(wrong):
            asked.renew("paul", reason, who=who)
    with pytest.raises(Refused, match="themselves"):
        asked.renew("ann", "more", who=Person("ann", Role.ADMIN))
    asked.renew("paul", "plans the new scanner", who=HOUSE)
    asked.spend(["another"], PAUL)
    (entry,) = asked.journal.since(kinds=(Kind.COHORT_RENEWED,), limit=9)
    assert entry.event.details == {"reason": "plans the new scanner", "groups": MOST}
    asked.spend([f"h{k}" for k in range(MOST - 1)], PAUL)
    with pytest.raises(LimitReached):
        asked.spend(["g1"], PAUL)
    asked.clock.now += timedelta(days=DAYS)  # type: ignore[attr-defined]
    asked.spend(["g1"], PAUL)
    assert asked.told(who=HOUSE)[0]["groups"] == 1
