"""Senders, rejecters and readers at once: what each was told fits one order in which one after the other had asked.

What happened is written down as a history: who asked what of one image, when, and what the answer was. It is
linearizable (Herlihy and Wing 1990) if every question can be given a moment between its asking and its answer so that
an image which knows one question at a time would have answered the same.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from store_samples import NOON, dump, image, pixels

from isocenter.errors import WrongState
from isocenter.record import Event, Kind, Patient
from isocenter.store import Blobs, Database, Index, Journal, rebuild, receive
from isocenter.store.rejections import Rejections

PEOPLE = (Patient("P1", "Doe^Jane"), Patient("P1", "DOE^JANE^^^"))
SECONDS = float(os.environ.get("ISOCENTER_HISTORIES_S", "600"))


@dataclass(frozen=True)
class Asked:
    """One question about one image.

    Args:
        what: "send", "reject", "restore" or "read".
        of: which content was sent, or which rejection shall end.
        answer: "stored", "there" or "conflict"; the number of a rejection, "" where nothing was rejected; "back" or
            "refused"; the content that was read, or "".
        began, ended: by one clock.
    """

    what: str
    of: Any
    answer: Any
    began: int
    ended: int


State = tuple[str, bool, int]  # the content it had first, whether it can be found, and by which number it is rejected


def alone(state: State, asked: Asked) -> State | None:
    """What an image that knows one question at a time is afterwards; None where it had answered otherwise."""
    content, found, rejection = state
    if asked.what == "send":
        expected = "stored" if not content else "there" if asked.of == content else "conflict"
        return (content or asked.of, found or not content, rejection) if asked.answer == expected else None
    if asked.what == "read":
        return state if asked.answer == (content if found else "") else None
    if asked.what == "reject":
        if bool(asked.answer) != found:
            return None
        return (content, False, asked.answer) if found else state
    if (asked.answer == "back") != (rejection == asked.of and not found):
        return None
    return (content, True, 0) if asked.answer == "back" else state


def linearizable(history: Sequence[Asked]) -> bool:
    """Whether some order fits: each step takes a question that had begun before any that is left was answered."""
    seen: set[tuple[frozenset[int], State]] = set()
    going: list[tuple[frozenset[int], State]] = [(frozenset(range(len(history))), ("", False, 0))]
    while going:
        left, state = going.pop()
        if not left:
            return True
        first = min(history[n].ended for n in left)
        for n in left:
            after = alone(state, history[n]) if history[n].began <= first else None
            if after is not None and (step := (left - {n}, after)) not in seen:
                seen.add(step)
                going.append(step)
    return False


SENT = Asked("send", "a", "stored", 0, 10)
REJECTED = Asked("reject", None, 7, 20, 40)
BACK = Asked("restore", 7, "back", 45, 50)


@pytest.mark.parametrize(
    ("after", "fits"),
    [
        ([Asked("read", None, "a", 20, 30)], True),
        ([Asked("read", None, "", 20, 30)], False),  # acknowledged and not there
        ([Asked("read", None, "", 5, 30)], True),  # asked before the answer
        ([Asked("read", None, "a", 2, 4), Asked("read", None, "", 5, 8)], False),  # there and gone again
        ([Asked("send", "a", "stored", 5, 12)], False),  # stored twice
        ([Asked("send", "b", "there", 20, 30)], False),  # another content taken for the same
        ([Asked("send", "b", "conflict", 20, 30), Asked("read", None, "b", 40, 50)], False),  # overwritten
        ([REJECTED, Asked("read", None, "", 41, 50)], True),
        ([REJECTED, Asked("read", None, "a", 41, 50)], False),  # rejected and found
        ([REJECTED, Asked("send", "a", "stored", 41, 50)], False),  # rejected and new again
        ([REJECTED, Asked("reject", None, 8, 20, 30)], False),  # rejected twice
        ([REJECTED, BACK, Asked("read", None, "a", 60, 70)], True),
        ([REJECTED, BACK, Asked("read", None, "", 60, 70)], False),
        ([REJECTED, BACK, BACK], False),  # ended twice
    ],
)
def test_the_checker_tells_a_history_that_fits_from_one_that_does_not(after: list[Asked], fits: bool) -> None:
    assert linearizable([SENT, *after]) is fits


class Party:
    """One who asks, with connections of their own as another process has them."""

    def __init__(self, url: str, folder: str, name: str) -> None:
        self.database, self.blobs, self.name = Database(url), Blobs(folder), name
        self.journal, self.index = Journal(self.database, self.blobs), Index(self.database, self.blobs)
        self.rejections = Rejections(self.database)

    def send(self, number: int, study: str, content: str) -> str:
        data, one = pixels(number, study) + content.encode(), image(number, study=study, patient=PEOPLE[content == "b"])
        (told,) = receive(self.database, self.blobs, self.journal, [(data, one)], self.name, NOON)
        return told.status

    def read(self, sop: str) -> str:
        digest = self.index.known([sop]).get(sop, "")
        return self.blobs.get(digest).decode()[-1] if digest else ""

    def reject(self, sop: str, study: str) -> int | str:
        told = {"code": "113001", "reason": "test", "instances": [sop], "note": "", "instead": [], "absent": []}
        (entry,) = self.journal.append(Event(Kind.OBJECTS_REJECTED, NOON, self.name, study, told))
        try:
            return entry.number if self.rejections.of(entry.number) else ""
        except LookupError:
            return ""

    def restore(self, rejection: int, study: str) -> str:
        told = {"rejection": rejection, "reason": "test"}
        try:
            self.journal.append(Event(Kind.REJECTION_ENDED, NOON, self.name, study, told))
        except WrongState:
            return "refused"
        return "back"

    def close(self) -> None:
        self.database.close()
        self.blobs.close()


def storm(parties: Sequence[Party], study: str, random_: random.Random, steps: int) -> dict[str, list[Asked]]:
    """All parties ask at once, of three images of one study; what each image was asked, and what it answered."""
    histories: dict[str, list[Asked]] = {f"{study}.1.{n}": [] for n in (1, 2, 3)}
    rejections: list[tuple[str, int]] = []
    failures: list[BaseException] = []
    together = threading.Barrier(len(parties))

    def ask(party: Party, plan: Sequence[tuple[str, int, str]]) -> None:
        try:
            together.wait()
            for what, number, content in plan:
                sop, of = f"{study}.1.{number}", None
                question: Callable[[], Any]
                if what == "send":
                    of, question = content, partial(party.send, number, study, content)
                elif what == "restore":
                    known = [r for of_sop, r in tuple(rejections) if of_sop == sop]
                    if not known:
                        continue
                    of, question = known[-1], partial(party.restore, known[-1], study)
                else:
                    question = partial(party.reject, sop, study) if what == "reject" else partial(party.read, sop)
                began = time.monotonic_ns()
                answer = question()
                histories[sop].append(Asked(what, of, answer, began, time.monotonic_ns()))
                if what == "reject" and answer:
                    rejections.append((sop, answer))
        except BaseException as failure:
            failures.append(failure)
            raise

    kinds = ("send", "send", "read", "read", "reject", "restore")
    plans = [
        [(random_.choice(kinds), random_.randint(1, 3), random_.choice("aaab")) for _ in range(steps)] for _ in parties
    ]
    threads = [threading.Thread(target=ask, args=one) for one in zip(parties, plans, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    return histories


def whole(archive: Any, studies: Sequence[str]) -> None:
    """Parents are there where their images are, counts are right, the journal is sealed and tells the whole index."""
    for study in studies:
        there = archive.index.known([f"{study}.1.{n}" for n in (1, 2, 3)])
        rows = archive.index.find("STUDY", {"StudyInstanceUID": study})
        assert [row["NumberOfStudyRelatedInstances"] for row in rows] == ([len(there)] if there else [])
    before = dump(archive.database)
    rebuild(archive.database, archive.blobs)
    assert archive.journal.verify() >= 1 and dump(archive.database) == before


def stormed(archive: Any, seconds: float, seed: int, parties: int, rounds: int) -> tuple[int, dict[str, int]]:
    """Storms until the time is up; how many there were, and how often each question got each answer."""
    random_, until, told = random.Random(seed), time.monotonic() + seconds, dict[str, int]()
    some = [Party(archive.url, str(archive.folder / "blobs"), f"S{n}") for n in range(parties)]
    studies, number = list[str](), 0
    try:
        while number < rounds and time.monotonic() < until:
            number += 1
            studies.append(f"1.2.{number}")
            for sop, history in storm(some, studies[-1], random_, 8).items():
                assert linearizable(history), (seed, number, sop, sorted(history, key=lambda a: a.began))
                for one in history:
                    answer = one.answer if one.what in ("send", "restore") else "yes" if one.answer else "no"
                    told[f"{one.what} {answer}"] = told.get(f"{one.what} {answer}", 0) + 1
            if number % 500 == 0:
                whole(archive, studies)
                studies.clear()
        whole(archive, studies)
    finally:
        for one in some:
            one.close()
    return number, told


EVERY = {"send stored", "send there", "send conflict", "reject yes", "reject no", "restore back", "restore refused",
         "read yes", "read no"}  # fmt: skip


def test_what_senders_rejecters_and_readers_were_told_at_once_fits_one_order(archive: Any) -> None:
    rounds, told = stormed(archive, 600, seed=9, parties=6, rounds=6)
    assert rounds == 6 and set(told) >= EVERY - {"restore refused"}, told


@pytest.mark.nightly
@pytest.mark.timeout(SECONDS + 1200)
def test_histories_of_many_minutes_fit_one_order(archive: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """ISOCENTER_HISTORIES_S=3600 for an hour."""
    rounds, told = stormed(archive, SECONDS, seed=time.time_ns(), parties=8, rounds=10**9)
    with capfd.disabled():
        print(f"\n{rounds} storms in {SECONDS:.0f} s: {dict(sorted(told.items()))}")
    assert set(told) == EVERY, told
