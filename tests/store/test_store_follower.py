"""A follower folds every event once, also those that come while it reads, and begins anew after a restore."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from isocenter.record import Event, Kind, Sealed
from isocenter.store import follower
from isocenter.store.follower import Follower

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Pages:
    """A journal in memory, in which another process writes between two questions."""

    def __init__(self, *kinds: Kind) -> None:
        self.sealed: list[Sealed] = []
        self.meanwhile: list[Kind] = []
        self.erasures = 0
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        number = len(self.sealed) + 1
        self.sealed.append(Sealed(number, "", Event(kind, NOON, "ito", f"1.2.{number}", {}), f"{number}"))

    def epoch(self) -> int:
        return self.erasures

    def head(self) -> tuple[int, str]:
        here = len(self.sealed), ""
        while self.meanwhile:
            self.add(self.meanwhile.pop(0))
        return here

    def since(self, number: int, *, kinds: Sequence[Kind], limit: int) -> list[Sealed]:
        return [s for s in self.sealed if s.number > number and s.event.kind in kinds][:limit]


def counted(journal: Pages) -> Follower[list[int]]:
    def fold(seen: list[int], page: Sequence[Sealed]) -> list[int]:
        return [*seen, *(s.number for s in page)]

    return Follower(journal, (Kind.SIGNED_IN,), list, fold)  # type: ignore[arg-type]


def test_what_another_process_writes_meanwhile_is_folded_once() -> None:
    journal = Pages(Kind.SIGNED_IN)
    journal.meanwhile = [Kind.SIGNED_OUT, Kind.SIGNED_IN]
    follows = counted(journal)
    assert follows.state() == [1, 3]
    assert follows.state() == [1, 3]
    journal.add(Kind.SIGNED_IN)
    assert follows.state() == [1, 3, 4]


def test_many_pages_are_read_and_others_kinds_are_passed_over() -> None:
    journal = Pages(*[Kind.SIGNED_IN, Kind.SIGNED_OUT] * follower._PAGE, Kind.SIGNED_OUT)
    assert counted(journal).state() == list(range(1, 2 * follower._PAGE, 2))


def test_an_archive_put_back_to_an_older_copy_is_read_anew() -> None:
    journal = Pages(Kind.SIGNED_IN, Kind.SIGNED_IN, Kind.SIGNED_IN)
    follows = counted(journal)
    assert follows.state() == [1, 2, 3]
    del journal.sealed[1:]
    assert follows.state() == [1]


def test_after_an_erasure_all_is_read_anew_and_what_was_known_is_forgotten() -> None:
    journal = Pages(Kind.SIGNED_IN, Kind.SIGNED_IN)
    follows = counted(journal)
    assert follows.state() == [1, 2]
    journal.sealed[0] = journal.sealed[0].after(1, "", Event(Kind.SIGNED_OUT, NOON, "ito", "1.2.1", {}))
    assert follows.state() == [1, 2]
    journal.erasures += 1
    assert follows.state() == [2]
