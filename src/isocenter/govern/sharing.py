"""One study, shown to somebody without an account, until a day that is named: who gave it, who used it, when it ends.

A link's secret is 256 random bits; the journal keeps its digest, never the secret, so that nobody who reads the
journal can open the link. A link opens one study and tells of no other. It ends by itself, or when somebody ends it;
whoever comes too late, or guesses, hears the same words.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from isocenter.errors import NotFound, Refused
from isocenter.govern.consent import Purpose
from isocenter.govern.passwords import hash_password
from isocenter.govern.people import secret_digest
from isocenter.record import Event, Kind, Sealed

__all__ = ["KINDS", "LONGEST", "Share", "after", "end", "extend", "share"]

KINDS = (Kind.SHARED, Kind.SHARE_USED, Kind.SHARE_EXTENDED, Kind.SHARE_ENDED)
"""Events of which the links are made; their subject is the study."""

LONGEST = timedelta(days=365)


@dataclass(frozen=True)
class Share:
    """One link as it is kept.

    Args:
        id: its name in lists; it opens nothing.
        digest: of the secret.
        until: when it ends by itself.
        to: for whom, in the words of whoever gave it.
        credential: of the word that must be said too; empty where none is asked.
        used: how often something was seen through it. opened: how often the study was opened, for which a browser asks
            once and then for each series. last: when something was seen last.
        purpose: what for; what is not care opens only while the terms of use permit it.
    """

    id: str
    digest: str
    study_uid: str
    by: str
    given: datetime
    until: datetime
    to: str = ""
    credential: str = ""
    used: int = 0
    opened: int = 0
    last: datetime | None = None
    ended: datetime | None = None
    purpose: Purpose = Purpose.CARE

    def lives(self, now: datetime) -> bool:
        """Whether it still opens."""
        return self.ended is None and now < self.until

    def told(self, now: datetime) -> dict[str, Any]:
        """As lists show it: without digest and credential."""
        return {
            "id": self.id, "study": self.study_uid, "by": self.by, "given": self.given.isoformat(),
            "until": self.until.isoformat(), "to": self.to, "asks_a_word": bool(self.credential), "used": self.used,
            "opened": self.opened, "last": self.last.isoformat() if self.last else None,
            "purpose": self.purpose.value,
            "ended": self.ended.isoformat() if self.ended else None, "lives": self.lives(now),
        }  # fmt: skip


def share(
    study_uid: str,
    *,
    who: str,
    now: datetime,
    life: timedelta,
    to: str = "",
    word: str = "",
    purpose: Purpose = Purpose.CARE,
) -> tuple[str, Event]:
    """A fresh secret, and the event that lets it open one study.

    Args:
        life: how long it opens; a year at most.
        to: for whom.
        word: something that must be said as well, told by another way (telephone); at least 12 characters.

    Raises:
        Refused: a life that is none or too long, or a word that can be guessed.
    """
    if not timedelta() < life <= LONGEST:
        raise Refused(f"a link for {life}", f"it opens for more than nothing and at most {LONGEST.days} days")
    secret = secrets.token_urlsafe(32)
    details = {
        "share": secrets.token_hex(8), "digest": secret_digest(secret), "until": (now + life).isoformat(),
        "to": to[:200], "credential": hash_password(word) if word else "", "purpose": purpose.value,
    }  # fmt: skip
    return secret, Event(Kind.SHARED, now, who, study_uid, details)


def end(shares: Mapping[str, Share], id: str, *, who: str, now: datetime, reason: str = "") -> Event:
    """The event that ends a link.

    Raises:
        NotFound: when there is none of that name that lives.
    """
    found = living(shares, id, now)
    return Event(Kind.SHARE_ENDED, now, who, found.study_uid, {"share": id, "reason": reason[:500]})


def living(shares: Mapping[str, Share], id: str, now: datetime) -> Share:
    """The link of that name, as long as it opens; NotFound when there is none."""
    found = next((s for s in shares.values() if s.id == id), None)
    if found is None or not found.lives(now):
        raise NotFound(f"link '{id:.20}'", "there is none, or it has ended", "look at the list of links")
    return found


def extend(
    shares: Mapping[str, Share], id: str, *, who: str, now: datetime, life: timedelta, reason: str = ""
) -> Event:
    """The event that lets a link open for longer; its secret stays the same.

    Args:
        life: how long from now on; a year at most.

    Raises:
        NotFound: when there is none of that name that lives: what has ended stays ended.
        Refused: a life that is too long, or an end before the one that it has.
    """
    found, until = living(shares, id, now), now + life
    if life > LONGEST:
        raise Refused(f"a link for {life}", f"it opens for at most {LONGEST.days} days", "give another one later")
    if until <= found.until:
        raise Refused("a link that would end sooner", f"it opens until {found.until:%Y-%m-%d %H:%M}", "end it instead")
    details = {"share": id, "until": until.isoformat(), "was": found.until.isoformat(), "reason": reason[:500]}
    return Event(Kind.SHARE_EXTENDED, now, who, found.study_uid, details)


def after(shares: Mapping[str, Share], events: Iterable[Sealed]) -> dict[str, Share]:
    """The links as these events leave them: digest of the secret -> link."""
    known = dict(shares)
    by_id = {s.id: d for d, s in known.items()}
    for sealed in events:
        event, told = sealed.event, sealed.event.details
        if event.kind is Kind.SHARED:
            known[told["digest"]] = Share(
                told["share"], told["digest"], event.subject, event.who, event.time,
                datetime.fromisoformat(told["until"]), told["to"], told["credential"],
                purpose=Purpose(told.get("purpose", "care")),
            )  # fmt: skip
            by_id[told["share"]] = told["digest"]
        elif told["share"] in by_id:
            digest = by_id[told["share"]]
            known[digest] = _changed(known[digest], event)
    return known


def _changed(one: Share, event: Event) -> Share:
    if event.kind is Kind.SHARE_USED:
        opened = one.opened + (event.details.get("what") == "study")
        return replace(one, used=one.used + 1, opened=opened, last=event.time)
    if event.kind is Kind.SHARE_EXTENDED:
        return replace(one, until=datetime.fromisoformat(event.details["until"]))
    return replace(one, ended=event.time)
