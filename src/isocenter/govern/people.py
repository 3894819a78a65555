"""How the house knows who somebody is: one-time links, sessions, and patience with wrong guesses.

There is no default password. The first start issues a one-time link; whoever opens it is the administrator. Secrets
are never kept: a link or a session as the SHA-256 of its 256 random bits (a password: `passwords`), so that a copied
archive opens no door. Every call is told the time; nothing here reads a clock.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from isocenter.errors import Forbidden, Refused, TooOften
from isocenter.govern.policy import NOBODY, Person

__all__ = [
    "IDLE",
    "Link",
    "Links",
    "Session",
    "Sessions",
    "Tries",
    "secret_digest",
    "secrets_of_one_process",
]


IDLE = timedelta(hours=1)
"""For so long a session bears that nothing is asked."""


def secret_digest(token: str) -> str:
    """The name under which a token is kept: SHA-256, in hexadecimal. 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def secrets_of_one_process() -> Callable[[str], bytes]:
    """Secrets by name that end with the process: what is made with them cannot be repeated afterwards."""
    drawn: dict[str, bytes] = {}
    return lambda name: drawn.setdefault(name, secrets.token_bytes(32))


@dataclass(frozen=True)
class Link:
    """A one-time link as it is kept: not the token, only its digest."""

    digest: str
    name: str
    until: datetime


class Links:
    """One-time sign-in links: each opens once, for one account, until its time has passed.

    Args:
        life: how long a link may wait to be opened.
    """

    def __init__(self, life: timedelta = timedelta(minutes=10)) -> None:
        self._life = life
        self._kept: dict[str, Link] = {}
        self._lock = threading.Lock()

    def issue(self, name: str, now: datetime, life: timedelta | None = None) -> str:
        """A fresh token for an account; whoever holds it can sign in once, within the life that is given or set."""
        token = secrets.token_urlsafe(32)
        link = Link(secret_digest(token), name, now + (life or self._life))
        with self._lock:
            self._kept = {d: kept for d, kept in self._kept.items() if kept.until > now}
            self._kept[link.digest] = link
        return token

    def redeem(self, token: str, now: datetime) -> str:
        """The account's name; the link is spent, also when it came too late.

        Raises:
            Forbidden: with the same words for a link that is unknown, used or expired.
        """
        wanted = secret_digest(token)
        with self._lock:
            link = next((kept for d, kept in self._kept.items() if hmac.compare_digest(d, wanted)), None)
            if link is not None:
                del self._kept[link.digest]
        if link is None or link.until <= now:
            raise Forbidden(
                "this sign-in link is not valid",
                "it was used, has expired, or was never issued (rule 'sign_in')",
                "ask whoever gave it to you for a new one; the command that starts the server prints one, too",
            )
        return link.name


@dataclass(frozen=True)
class Session:
    """A signed-in browser or program, as it is kept and as the journal remembers it."""

    digest: str
    person: Person
    begun: datetime
    seen: datetime
    address: str = ""

    @property
    def id(self) -> str:
        """By which its owner names it; the token cannot be had from it."""
        return self.digest[:16]


class Sessions:
    """Who is signed in. A session ends when nothing was asked for `idle`, and after `absolute` in any case.

    Args:
        idle: patience with a silent browser.
        absolute: the longest life of a session; a reader's day.
        most: sessions that one account has at a time; the one that was silent longest gives way to a new one.
    """

    def __init__(self, *, idle: timedelta = IDLE, absolute: timedelta = timedelta(hours=12), most: int = 10) -> None:
        if not timedelta() < idle <= absolute or most < 1:
            raise Refused(
                f"idle {idle}, absolute {absolute}, {most} at a time",
                "0 < idle <= absolute, and one at least",
                "choose an idle time within the absolute one",
            )
        self._idle, self._absolute, self._most = idle, absolute, most
        self._kept: dict[str, Session] = {}
        self._lock = threading.Lock()

    def give_way(self, name: str, now: datetime) -> list[Session]:
        """End of an account's sessions those that were silent longest, so that there is room for one more."""
        with self._lock:
            mine = [s for s in self._kept.values() if s.person.name == name and self._lives(s, now)]
            over = sorted(mine, key=lambda s: s.seen)[: max(0, len(mine) + 1 - self._most)]
            for one in over:
                del self._kept[one.digest]
        return over

    def living(self, name: str, now: datetime) -> list[Session]:
        """An account's sessions, the one that was used last first."""
        with self._lock:
            mine = [s for s in self._kept.values() if s.person.name == name and self._lives(s, now)]
        return sorted(mine, key=lambda s: s.seen, reverse=True)

    def begin(self, person: Person, now: datetime, address: str = "") -> tuple[str, Session]:
        """A fresh random token for the browser, and what is kept of it.

        Raises:
            Forbidden: for a person without an account.
        """
        if person == NOBODY or not person.name:
            raise Forbidden("a session for nobody", "a session belongs to an account (rule 'sign_in')", "sign in")
        token = secrets.token_urlsafe(32)
        session = Session(secret_digest(token), person, now, now, address)
        with self._lock:
            self._kept = {d: s for d, s in self._kept.items() if self._lives(s, now)}
            self._kept[session.digest] = session
        return token, session

    def of(self, token: str, now: datetime, *, touch: bool = True) -> Person:
        """The person behind a token; `NOBODY` when there is none.

        The idle time starts again, unless `touch` is off: a page that only listens keeps nobody signed in.
        """
        digest = secret_digest(token)
        with self._lock:
            session = self._kept.get(digest)
            if session is None or not hmac.compare_digest(session.digest, digest):
                return NOBODY
            if not self._lives(session, now):
                del self._kept[digest]
                return NOBODY
            if touch:
                self._kept[digest] = replace(session, seen=max(session.seen, now))
            return session.person

    def end(self, token: str) -> Person:
        """Sign out; returns who it was, `NOBODY` when the token was not known."""
        with self._lock:
            session = self._kept.pop(secret_digest(token), None)
        return session.person if session else NOBODY

    def end_all(self, name: str) -> int:
        """Sign an account out everywhere: when it is closed, or its role or password changed. Returns how many."""
        with self._lock:
            ended = [d for d, s in self._kept.items() if s.person.name == name]
            for digest in ended:
                del self._kept[digest]
        return len(ended)

    def end_some(self, digests: Iterable[str]) -> None:
        """End sessions by what is kept of their tokens."""
        with self._lock:
            for digest in digests:
                self._kept.pop(digest, None)

    def restore(self, sessions: Iterable[Session], now: datetime) -> None:
        """Take up sessions that the journal remembers after a restart; those that have expired stay out."""
        with self._lock:
            self._kept.update({s.digest: s for s in sessions if self._lives(s, now)})

    def _lives(self, session: Session, now: datetime) -> bool:
        return now < session.seen + self._idle and now < session.begun + self._absolute


class Tries:
    """Patience with wrong passwords: per name and per address, so that neither many guesses nor many names help.

    Args:
        allowed: wrong tries before the door stays shut.
        window: how long a wrong try counts.
        remember: how many keys at most; a flood of names must not fill the memory.
    """

    def __init__(self, *, allowed: int = 5, window: timedelta = timedelta(minutes=15), remember: int = 10_000) -> None:
        if allowed < 1 or remember < 1:
            raise Refused(
                f"{allowed} tries of {remember} names", "at least one of each is needed", "set both to one or more"
            )
        self._allowed, self._window, self._remember = allowed, window, remember
        self._failed: dict[str, list[datetime]] = {}
        self._lock = threading.Lock()

    def check(self, key: str, now: datetime) -> None:
        """Go on only if this name or address has tries left.

        Raises:
            TooOften: saying when the next try is possible.
        """
        with self._lock:
            times = self._recent(key, now)
        if len(times) >= self._allowed:
            wait = max(1, round((times[-self._allowed] + self._window - now).total_seconds()))
            raise TooOften(
                f"{len(times)} wrong tries to sign in",
                "more are not looked at for a while, so that passwords cannot be guessed",
                f"try again in {wait} s, or ask an administrator for a sign-in link",
            )

    def failed(self, key: str, now: datetime) -> None:
        """Remember a wrong try."""
        with self._lock:
            times = [*self._recent(key, now), now]
            self._failed.pop(key, None)  # taken out and put back at the end: the order is that of the last failure
            self._failed[key] = times
            while len(self._failed) > self._remember:
                del self._failed[next(iter(self._failed))]

    def passed(self, key: str) -> None:
        """A right password wipes the slate."""
        with self._lock:
            self._failed.pop(key, None)

    def _recent(self, key: str, now: datetime) -> list[datetime]:
        times = [t for t in self._failed.get(key, ()) if now - t < self._window]
        if times:
            self._failed[key] = times
        else:
            self._failed.pop(key, None)
        return times
