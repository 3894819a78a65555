"""People stay signed in over a restart, leave for good, and nobody tries many names or one name from many places."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from isocenter.errors import Forbidden, LimitReached, NotFound, Refused
from isocenter.govern.passwords import hash_password
from isocenter.govern.policy import NOBODY, Person, Role, must
from isocenter.record import Event, Kind
from isocenter.site.entering import Entrance
from isocenter.store.database import Database
from isocenter.store.index import Index
from isocenter.store.journal import Journal

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PASSWORD = "a long sentence to sign in"
CREDENTIAL = hash_password(PASSWORD)


class Door:
    """An archive with the reader ito, whose server can be started again; `now` is set by the tests."""

    def __init__(self, folder: Path) -> None:
        self.now = NOON
        self.database = Database(f"sqlite:///{folder / 'archive.sqlite'}")
        self.journal = Journal(self.database)
        self.account("ito", "reader")
        self.start()

    def start(self) -> None:
        self.entrance = Entrance(Index(self.database), self.journal, lambda: self.now)

    def account(self, name: str, role: str, *, disabled: bool = False) -> None:
        told = {"role": role, "credential": CREDENTIAL, "disabled": disabled}
        self.journal.append(Event(Kind.PERSON_ADDED, self.now, "isocenter", name, told))

    def sign_in(self, name: str = "ito", password: str = PASSWORD, address: str = "192.0.2.1") -> str:
        return self.entrance.by_password(name, password, address=address)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    held = Door(tmp_path)
    yield held
    held.database.close()


def test_a_session_lives_on_after_a_restart(door: Door) -> None:
    token = door.sign_in()
    door.start()
    door.now += timedelta(minutes=50)
    assert door.entrance.person_of(token) == Person("ito", Role.READER)


def _refusal(who: Person, verb: str) -> Forbidden:
    with pytest.raises(Forbidden) as refusal:
        must(who, verb)
    return refusal.value


def test_what_a_role_may_not_is_an_entry_and_asked_again_soon_the_same(door: Door) -> None:
    gray, lee = Person("gray", Role.RESEARCHER), Person("lee", Role.READER)
    for who, verb in ((gray, "worklist"), (gray, "worklist"), (gray, "people"), (lee, "people")):
        door.entrance.denied(who, _refusal(who, verb), address="192.0.2.1")
    door.now += timedelta(minutes=9)
    door.entrance.denied(gray, _refusal(gray, "worklist"), address="192.0.2.1")
    door.now += timedelta(minutes=2)
    door.entrance.denied(gray, _refusal(gray, "worklist"), address="192.0.2.7")
    told = [(s.event.who, s.event.details) for s in door.journal.since(kinds=(Kind.REFUSED,))]
    assert [(who, one["what"], one["address"]) for who, one in told] == [
        ("gray", "rule 'worklist' refuses the role 'researcher'", "192.0.2.1"),
        ("gray", "rule 'people' refuses the role 'researcher'", "192.0.2.1"),
        ("lee", "rule 'people' refuses the role 'reader'", "192.0.2.1"),
        ("gray", "rule 'worklist' refuses the role 'researcher'", "192.0.2.7"),
    ]
    assert told[0][1]["why"].startswith("only ") and [one.get("alike_before") for _, one in told] == [
        None,
        None,
        None,
        2,
    ]


def test_a_flood_of_refusals_is_a_few_entries_whatever_names_it_has(door: Door) -> None:
    for n in range(3000):
        door.entrance.turned_away(Forbidden(f"AE 'X{n}' is not known", "it is not listed"), address=f"192.0.2.{n % 7}")
        door.entrance.denied(NOBODY, Forbidden("not signed in", "known people only"), address=f"198.51.100.{n % 200}")
    for n in range(3000):  # from ever new addresses
        door.entrance.turned_away(Forbidden(f"AE 'X{n}' is not known", "it is not listed"), address=f"2001:db8::{n:x}")
    told = [s.event for s in door.journal.since(kinds=(Kind.REFUSED,))]
    assert 7 * 20 < len(told) <= 7 * 21 + 1 + 92 + 21, "a hundred askers in twenty ways each, and one for all others"
    assert sum(one.who == "" for one in told) == 1


def test_who_signed_out_stays_out_after_a_restart(door: Door) -> None:
    token, other = door.sign_in(), door.sign_in()
    door.start()
    door.entrance.leave(token)
    assert door.entrance.person_of(token) == NOBODY
    door.start()
    assert door.entrance.person_of(token) == NOBODY
    assert door.entrance.person_of(other).name == "ito"


def test_a_restart_gives_nobody_more_time(door: Door) -> None:
    token = door.sign_in()
    door.now += timedelta(minutes=61)
    door.start()
    assert door.entrance.person_of(token) == NOBODY, "an hour without an act had passed"


def test_an_act_keeps_a_session_awake_over_a_restart_but_not_beyond_its_longest_life(door: Door) -> None:
    token = door.sign_in()
    door.now += timedelta(minutes=90)
    door.journal.append(Event(Kind.REPORT_DRAFTED, door.now, "ito", "1.2", {"report": "x"}))
    door.start()
    assert door.entrance.person_of(token).name == "ito"
    door.now = NOON + timedelta(hours=12)
    door.journal.append(Event(Kind.REPORT_DRAFTED, door.now, "ito", "1.2", {"report": "x"}))
    door.start()
    assert door.entrance.person_of(token) == NOBODY


def test_the_role_after_a_restart_is_that_of_now_and_a_closed_account_is_out(door: Door) -> None:
    token = door.sign_in()
    door.account("ito", "researcher")
    door.start()
    assert door.entrance.person_of(token).role is Role.RESEARCHER
    door.account("ito", "researcher", disabled=True)
    door.start()
    assert door.entrance.person_of(token) == NOBODY
    with pytest.raises(Forbidden):
        door.sign_in()
    with pytest.raises(Forbidden):
        door.entrance.by_link(door.entrance.link("ito"), address="192.0.2.1")


def test_many_sign_ins_are_read_in_pages(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isocenter.site.entering._PAGE", 2)
    tokens = [door.sign_in() for _ in range(5)]
    door.entrance.leave(tokens[1])
    door.start()
    assert [door.entrance.person_of(t).name for t in tokens] == ["ito", "", "ito", "ito", "ito"]


def test_the_journal_never_holds_a_token_and_says_nothing_of_an_unknown_one(door: Door) -> None:
    token = door.sign_in()
    door.entrance.leave(token)
    door.entrance.leave("never issued")
    told = [s.event for s in door.journal.since()]
    assert [e.kind for e in told] == [Kind.PERSON_ADDED, Kind.SIGNED_IN, Kind.SIGNED_OUT]
    assert token not in repr(told) and told[1].details["session"] == told[2].details["session"]


def test_one_name_is_not_tried_from_many_addresses(door: Door) -> None:
    for number in range(5):
        with pytest.raises(Forbidden):
            door.sign_in(password="wrong", address=f"192.0.2.{number}")
    with pytest.raises(LimitReached, match="wrong tries"):
        door.sign_in(address="198.51.100.7")
    door.now += timedelta(minutes=15)
    assert door.sign_in(address="198.51.100.7")


def test_one_address_does_not_try_many_names_even_with_an_account_of_its_own(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "isocenter.govern.passwords.fits", lambda credential, password: password == PASSWORD
    )  # not slow
    for number in range(20):
        with pytest.raises(Forbidden):
            door.sign_in(f"name{number}", "wrong")
        if number % 4 == 0:
            door.sign_in()  # a right password does not give the address its tries back
    with pytest.raises(LimitReached):
        door.sign_in()
    assert door.sign_in(address="198.51.100.7"), "elsewhere the name is free"


def test_an_account_that_is_closed_or_changed_is_out_at_once_also_of_a_server_beside_the_command(door: Door) -> None:
    door.account("chief", "admin")
    beside = Entrance(Index(door.database), door.journal, lambda: door.now)  # the command, in a process of its own
    for change, after in (
        ({"role": Role.RESEARCHER}, Role.RESEARCHER), ({"password": "another long sentence"}, Role.RESEARCHER),
        ({"closed": True}, None), ({"closed": False}, Role.RESEARCHER),
    ):  # fmt: skip
        password = PASSWORD if "role" in change or "password" in change else "another long sentence"
        token = door.sign_in(password=password) if change != {"closed": False} else ""
        door.now += timedelta(minutes=1)
        beside.change("ito", by="chief", **change)  # type: ignore[arg-type]
        assert door.entrance.person_of(token) == NOBODY
        if after is None:
            with pytest.raises(Forbidden):
                door.sign_in(password="another long sentence")
        door.now += timedelta(minutes=1)
    door.start()
    assert door.entrance.person_of(token) == NOBODY, "nor after a restart"
    token = door.sign_in(password="another long sentence")
    door.start()
    assert door.entrance.person_of(token) == Person("ito", Role.RESEARCHER), "what began after the change lives on"
    told = [s.event.details["what"] for s in door.journal.since(kinds=(Kind.PERSON_CHANGED,))]
    assert told == ["role researcher", "password", "closed", "open"]


def test_what_cannot_be_changed_of_an_account_is_said(door: Door) -> None:
    door.account("chief", "admin")
    for name, change, why in (
        ("nobody", {"closed": True}, "none of that name"), ("ito", {"closed": False}, "already"),
        ("ito", {"password": "short"}, "guessed"), ("chief", {"closed": True}, "last that may manage"),
        ("chief", {"role": Role.READER}, "last that may manage"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=why):
            door.entrance.change(name, by="chief", **change)  # type: ignore[arg-type]
    door.account("boss", "admin")
    door.entrance.change("chief", by="boss", closed=True)


def test_who_knows_the_old_password_gives_the_account_another_and_is_out_everywhere_else(door: Door) -> None:
    elsewhere, new = door.sign_in(), "a sentence that is as long"
    with pytest.raises(Refused, match="the old one"):
        door.entrance.new_password("ito", PASSWORD, PASSWORD, address="192.0.2.1")
    with pytest.raises(Refused, match="guessed"):
        door.entrance.new_password("ito", PASSWORD, "aaaa", address="192.0.2.1")
    token = door.entrance.new_password("ito", PASSWORD, new, address="192.0.2.1")
    assert door.entrance.person_of(elsewhere) == NOBODY
    assert door.entrance.person_of(token) == Person("ito", Role.READER)
    with pytest.raises(Forbidden):
        door.sign_in(password=PASSWORD)
    assert door.sign_in(password=new)
    for _ in range(5):
        with pytest.raises((Forbidden, LimitReached)):
            door.entrance.new_password("ito", "a wrong sentence", new, address="192.0.2.1")
    with pytest.raises(LimitReached):
        door.entrance.new_password("ito", new, "one more long sentence", address="192.0.2.1")
    assert PASSWORD not in str([s.event for s in door.journal.since()]) and new not in str(door.journal.since())


@pytest.mark.parametrize("word", ["qwertyqwerty1", "St-Mary-2026!", "ito ito ITO 26"])
def test_nobody_takes_a_password_that_leaked_or_that_rests_on_names_at_hand(door: Door, word: str) -> None:
    door.entrance.near = ("mary",)
    door.sign_in()
    with pytest.raises(Refused, match="this password"):
        door.entrance.new_password("ito", PASSWORD, word, address="192.0.2.1")
    with pytest.raises(Refused, match="this password"):
        door.entrance.change("ito", by="admin", password=word)
    assert door.sign_in(), "the old one holds"


def test_an_account_of_the_sign_in_service_has_no_password_to_change(door: Door) -> None:
    door.entrance.by_service("https://issuer.example.org|7", "kim", Role.READER, address="192.0.2.1")
    with pytest.raises(Refused, match="no password here"):
        door.entrance.new_password("kim", "", "a sentence that is as long", address="192.0.2.1")


def test_an_account_has_ten_sessions_and_the_one_that_was_silent_longest_gives_way(door: Door) -> None:
    tokens = []
    for _ in range(10):
        door.now += timedelta(minutes=1)
        tokens.append(door.sign_in())
    door.now += timedelta(minutes=1)
    assert door.entrance.person_of(tokens[0]).name == "ito", "the first was used just now"
    door.now += timedelta(minutes=1)
    tokens.append(door.sign_in())
    assert door.entrance.person_of(tokens[1]) == NOBODY, "the second gave way"
    assert all(door.entrance.person_of(t).name == "ito" for t in (tokens[0], *tokens[2:]))
    door.start()
    assert door.entrance.person_of(tokens[1]) == NOBODY, "also after a restart"
    assert len(door.entrance.sessions(tokens[0])) == 10


def test_one_sees_ones_own_sessions_and_nobody_elses(door: Door) -> None:
    door.account("gray", "researcher")
    mine, other = door.sign_in(address="192.0.2.1"), door.sign_in(address="192.0.2.9")
    gray = door.sign_in("gray", address="192.0.2.3")
    assert {(s.address, here) for s, here in door.entrance.sessions(mine)} == {
        ("192.0.2.1", True),
        ("192.0.2.9", False),
    }
    assert [s.person.name for s, _ in door.entrance.sessions(gray)] == ["gray"]
    assert door.entrance.sessions("x") == []
    door.start()
    assert {s.address for s, _ in door.entrance.sessions(other)} == {"192.0.2.1", "192.0.2.9"}, "also after a restart"


def test_one_ends_ones_other_sessions_with_the_password_once_more(door: Door) -> None:
    lost, mine, third = door.sign_in(address="192.0.2.9"), door.sign_in(), door.sign_in()
    door.now += timedelta(minutes=11)
    (wanted,) = [s.id for s, _ in door.entrance.sessions(mine) if s.address == "192.0.2.9"]
    with pytest.raises(Forbidden, match="password once more"):
        door.entrance.end_others(mine, "", wanted=[wanted], address="192.0.2.1")
    with pytest.raises(Forbidden, match="does not belong"):
        door.entrance.end_others(mine, "a wrong sentence", wanted=[wanted], address="192.0.2.1")
    assert door.entrance.person_of(lost).name == "ito", "nothing ended"
    assert door.entrance.end_others(mine, PASSWORD, wanted=[wanted], address="192.0.2.1") == 1
    assert door.entrance.person_of(lost) == NOBODY
    door.start()
    assert door.entrance.person_of(lost) == NOBODY, "also after a restart"
    assert door.entrance.end_others(mine, PASSWORD, wanted=[], address="192.0.2.1") == 1, "all others"
    assert door.entrance.person_of(third) == NOBODY and door.entrance.person_of(mine).name == "ito"


def test_nobody_ends_a_session_of_somebody_else_or_without_one(door: Door) -> None:
    door.account("gray", "researcher")
    mine, gray = door.sign_in(), door.sign_in("gray")
    ((hers, _),) = door.entrance.sessions(gray)
    with pytest.raises(NotFound, match="you have none"):
        door.entrance.end_others(mine, "", wanted=[hers.id], address="192.0.2.1")
    with pytest.raises(Forbidden, match="sessions of nobody"):
        door.entrance.end_others("x", PASSWORD, wanted=[hers.id], address="192.0.2.1")
    assert door.entrance.person_of(gray).name == "gray"


def test_a_one_time_link_waits_ten_minutes(door: Door) -> None:
    early, late = door.entrance.link("ito"), door.entrance.link("ito")
    door.now += timedelta(minutes=9)
    assert door.entrance.by_link(early, address="192.0.2.1")
    door.now += timedelta(minutes=1)
    with pytest.raises(Forbidden, match="expired"):
        door.entrance.by_link(late, address="192.0.2.1")
