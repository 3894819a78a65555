"""Passwords, links, sessions and patience: what opens, and everything that must not."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from isocenter.errors import Forbidden, LimitReached, Refused
from isocenter.govern.people import Links, Session, Sessions, Tries, secret_digest
from isocenter.govern.policy import NOBODY, Person, Role

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ITO = Person("ito", Role.READER)


# ---- links


def test_a_link_opens_once() -> None:
    links = Links()
    token = links.issue("admin", NOON)
    assert len(token) >= 43, "256 bits"
    assert links.redeem(token, NOON) == "admin"
    with pytest.raises(Forbidden):
        links.redeem(token, NOON)


def test_an_expired_link_is_refused_and_spent() -> None:
    links = Links(life=timedelta(hours=1))
    longer = links.issue("admin", NOON, timedelta(hours=24))
    assert links.redeem(longer, NOON + timedelta(hours=23)) == "admin"
    token = links.issue("admin", NOON)
    with pytest.raises(Forbidden):
        links.redeem(token, NOON + timedelta(hours=1))
    with pytest.raises(Forbidden):
        links.redeem(token, NOON)


@pytest.mark.parametrize("guess", ["", "x", "\ud800", "A" * 43])
def test_a_guess_opens_nothing(guess: str) -> None:
    links = Links()
    links.issue("admin", NOON)
    with pytest.raises(Forbidden, match="not valid"):
        links.redeem(guess, NOON)


def test_two_browsers_with_one_link_race_and_one_wins() -> None:
    links = Links()
    token = links.issue("admin", NOON)
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def try_it() -> None:
        start.wait()
        try:
            outcomes.append(links.redeem(token, NOON))
        except Forbidden:
            outcomes.append("refused")

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(outcomes) == ["admin", *["refused"] * 7]


# ---- sessions


def test_a_session_knows_its_person_and_keeps_no_token() -> None:
    sessions = Sessions()
    token, kept = sessions.begin(ITO, NOON)
    assert sessions.of(token, NOON) == ITO
    assert token not in repr(kept)
    assert kept.digest == secret_digest(token)
    assert sessions.of(token + "x", NOON) == NOBODY
    assert sessions.of("", NOON) == NOBODY
    assert sessions.of(kept.digest, NOON) == NOBODY, "what is kept does not open"


def test_a_silent_session_ends_and_a_busy_one_lives_until_its_day_is_over() -> None:
    sessions = Sessions(idle=timedelta(hours=1), absolute=timedelta(hours=3))
    silent, _ = sessions.begin(ITO, NOON)
    busy, _ = sessions.begin(ITO, NOON)
    for minutes in range(0, 180, 30):
        assert sessions.of(busy, NOON + timedelta(minutes=minutes)) == ITO
    assert sessions.of(silent, NOON + timedelta(hours=1)) == NOBODY
    assert sessions.of(busy, NOON + timedelta(hours=3)) == NOBODY
    assert sessions.of(busy, NOON) == NOBODY, "an ended session does not come back with the clock"


def test_listening_does_not_keep_a_session_awake() -> None:
    sessions = Sessions(idle=timedelta(hours=1))
    token, _ = sessions.begin(ITO, NOON)
    for minutes in range(0, 60, 10):
        assert sessions.of(token, NOON + timedelta(minutes=minutes), touch=False) == ITO
    assert sessions.of(token, NOON + timedelta(hours=1), touch=False) == NOBODY


def test_signing_out_ends_the_session() -> None:
    sessions = Sessions()
    token, _ = sessions.begin(ITO, NOON)
    assert sessions.end(token) == ITO
    assert sessions.of(token, NOON) == NOBODY
    assert sessions.end(token) == NOBODY


def test_an_account_can_be_signed_out_everywhere() -> None:
    sessions = Sessions()
    first, _ = sessions.begin(ITO, NOON)
    second, _ = sessions.begin(ITO, NOON)
    other, _ = sessions.begin(Person("gray", Role.RESEARCHER), NOON)
    assert sessions.end_all("ito") == 2
    assert sessions.of(first, NOON) == sessions.of(second, NOON) == NOBODY
    assert sessions.of(other, NOON).name == "gray"


def test_sessions_come_back_after_a_restart_unless_expired() -> None:
    before = Sessions(idle=timedelta(hours=1))
    token, kept = before.begin(ITO, NOON)
    old = Session(secret_digest("old"), ITO, NOON - timedelta(days=2), NOON - timedelta(days=2))
    after = Sessions(idle=timedelta(hours=1))
    after.restore([kept, old], NOON)
    assert after.of(token, NOON) == ITO
    assert after.of("old", NOON) == NOBODY


def test_there_is_no_session_for_nobody() -> None:
    with pytest.raises(Forbidden):
        Sessions().begin(NOBODY, NOON)


def test_sessions_need_sensible_times() -> None:
    with pytest.raises(Refused):
        Sessions(idle=timedelta(hours=2), absolute=timedelta(hours=1))


# ---- tries


def test_five_wrong_tries_shut_the_door_for_a_while() -> None:
    tries = Tries(allowed=5, window=timedelta(minutes=15))
    for second in range(5):
        tries.check("name:ito", NOON)
        tries.failed("name:ito", NOON + timedelta(seconds=second))
    with pytest.raises(LimitReached, match="Try again in 890 s"):
        tries.check("name:ito", NOON + timedelta(seconds=10))
    tries.check("name:gray", NOON + timedelta(seconds=10))
    tries.check("name:ito", NOON + timedelta(minutes=15))


def test_a_right_password_wipes_the_slate() -> None:
    tries = Tries(allowed=1)
    tries.failed("address:127.0.0.1", NOON)
    tries.passed("address:127.0.0.1")
    tries.check("address:127.0.0.1", NOON)


def test_a_flood_of_names_does_not_fill_the_memory_and_the_newest_count() -> None:
    tries = Tries(allowed=1, remember=100)
    for n in range(1000):
        tries.failed(f"name:{n}", NOON + timedelta(milliseconds=n))
    with pytest.raises(LimitReached):
        tries.check("name:999", NOON + timedelta(seconds=1))
    tries.check("name:0", NOON + timedelta(seconds=1))


def test_tries_need_sensible_limits() -> None:
    with pytest.raises(Refused):
        Tries(allowed=0)
