"""What is said again when the last who could read it are erased: what holds for a patient outlives single studies.

A merge and terms of use of a whole patient are sealed by the keys of all their studies. When these go while another
study is left, both are told again, in their order, and sealed anew. Of a patient of whom nothing is left a withdrawal
is remembered all the same, by a keyed digest of their numbers: who comes again is known by it, and nobody reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from isocenter.govern.policy import Person
from isocenter.record import Event, Kind, Sealed
from isocenter.store.erasures import known_as, still_needed, words_forgotten

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.journal import Journal

__all__ = ["told_again"]

Mac = Callable[[tuple[str, str]], str]
_TERMS: Final = (Kind.CONSENT_GIVEN, Kind.CONSENT_WITHDRAWN)


def told_again(
    database: Database, blobs: Blobs, journal: Journal, *, gone: Collection[str], keys: Collection[bytes], mac: Mac,
    who: Person, now: datetime,
) -> tuple[list[Event], bool]:  # fmt: skip
    """The events that have to come before an erasure.

    Args:
        gone: studies that will be erased. keys: names of theirs.
        mac: keyed digest of a patient's number and issuer.

    Returns:
        the events, in their order; and whether a merge is forgotten, so that the index has to be made again.
    """
    merges = words_forgotten(database, blobs, keys, Kind.PATIENTS_MERGED)
    events = [_merge(journal, number, who, now) for number in still_needed(database, merges, gone)]
    lost = set(words_forgotten(database, blobs, keys, *_TERMS))
    if lost:
        acts = [one for one in journal.each(kinds=_TERMS) if "sealed" not in one.event.details]
        people: list[set[tuple[str, str]]] = []
        for one in acts:
            if one.number in lost and not one.event.subject and not any(_patient(one) in known for known in people):
                numbers, studies = known_as(database, _patient(one))
                people.append(numbers)
                events += _terms(acts, numbers, studies - set(gone), mac, who, now)
    return events, bool(merges)


def _merge(journal: Journal, number: int, who: Person, now: datetime) -> Event:
    (entry,) = journal.since(number - 1, kinds=(Kind.PATIENTS_MERGED,), limit=1)
    told = {**entry.event.details, "studies": [], "reason": f"entry {number}, of which the words are erased"}
    return Event(Kind.PATIENTS_MERGED, now, who.name, "", told)


def _terms(
    acts: Sequence[Sealed], numbers: Collection[tuple[str, str]], living: Collection[str], mac: Mac, who: Person,
    now: datetime,
) -> list[Event]:  # fmt: skip
    mine = [one for one in acts if (not one.event.subject and _patient(one) in numbers) or one.event.subject in living]
    if living:
        return [Event(one.event.kind, now, who.name, one.event.subject, _first(one)) for one in mine]
    refused = False
    for one in mine:
        refused = one.event.kind is Kind.CONSENT_WITHDRAWN or not one.event.details["permits"]
    if not refused:
        return []
    told = {"patient": {"id": "", "issuer": ""}, "reason": "", "macs": sorted(map(mac, numbers))}
    return [Event(Kind.CONSENT_WITHDRAWN, now, who.name, "", told)]


def _first(one: Sealed) -> dict[str, Any]:
    """What was told, with who told it first and when."""
    told = {"who": one.event.who, "time": one.event.time.isoformat()}
    return {"first": told, **one.event.details}


def _patient(one: Sealed) -> tuple[str, str]:
    told = one.event.details["patient"]
    return str(told["id"]), str(told["issuer"])
