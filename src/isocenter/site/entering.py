"""Signing in and out, as the house does it: passwords and links are checked, sessions begin and end, the journal tells.

The journal keeps a session's digest and never its token, so that people stay signed in when the server starts again,
and nobody who reads the journal can sign in with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from isocenter.errors import Forbidden, IsocenterError, NotFound, Refused
from isocenter.govern import passwords, people
from isocenter.govern.oidc import Ended, NotProven
from isocenter.govern.policy import HOUSE, NOBODY, Person, Role
from isocenter.govern.seldom import Seldom
from isocenter.record import Event, Kind, Sealed
from isocenter.store.follower import Follower

if TYPE_CHECKING:
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Entrance"]

_ABSOLUTE = timedelta(hours=12)  # a reader's day
_FRESH = timedelta(minutes=10)  # for so long a sign-in proves that it is still the same person
_PAGE = 500
_OF_SERVICE = "oidc:"  # before the identity of an account that has no password here
_LONGEST_NAME = 64  # of a name that nobody has; what is remembered of strangers stays small


@dataclass
class Entrance:
    """Who is signed in to one archive.

    Args:
        index: where accounts are looked up.
        journal: where sign-ins are told, and whence living sessions are taken up after a restart.
        clock: aware UTC.
        near: words of the site that no password may rest on: its name, its hosts.
    """

    index: Index
    journal: Journal
    clock: Callable[[], datetime]
    near: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._sessions = people.Sessions(absolute=_ABSOLUTE)
        self._links = people.Links()
        # A ward sits behind one address: it has more patience than a name.
        self._names, self._addresses = people.Tries(), people.Tries(allowed=20)
        self._restoring, self._beginning = threading.Lock(), threading.Lock()
        self._restored = False
        self._seldom = Seldom()
        self._changes = Follower[dict[str, tuple[int, datetime]]](
            self.journal, (Kind.PERSON_CHANGED,), dict, _changed
        )  # fmt: skip
        self._heeded = max((number for number, _ in self._changes.state().values()), default=0)

    def by_password(self, name: str, password: str, *, address: str) -> str:
        """A session token.

        A name and an address are counted apart: many addresses cannot try one name, nor one address many names. A
        right password gives the name its tries back, not the address, which may try other names meanwhile.

        Raises:
            Forbidden: one message for every cause, so that names cannot be guessed.
            LimitReached: after too many tries with this name, or from this address.
        """
        now, short = self.clock(), name[:_LONGEST_NAME]
        self._addresses.check(address, now)
        self._names.check(short, now)
        found = self.index.person(name)
        if not passwords.fits(found["credential"] if found and not found["disabled"] else None, password):
            self._names.failed(short, now)
            self._addresses.failed(address, now)
            self._tell(Kind.SIGN_IN_REFUSED, short, address=address)
            raise Forbidden("name or password", "they do not belong together", "try again, or ask an administrator")
        self._names.passed(short)
        return self._begin(name, address)

    def credential(self, name: str, password: str) -> str:
        """What is kept of an account's new password.

        Raises:
            Refused: it is guessed first: too short, known from a leak, or made of names of account and site.
        """
        return passwords.hash_password(password, near=(*self.near, name, *passwords.words_in(name)))

    def change(
        self, name: str, *, by: str, role: Role | None = None, password: str = "", closed: bool | None = None
    ) -> None:
        """Give an account another role or password, close it, or open it again; it is signed out everywhere.

        Raises:
            Refused: no such account, nothing to change, a password that is guessed, or nobody would be left who may
                manage accounts.
        """
        found = self.index.person(name)
        if found is None:
            raise Refused(f"the account '{name[:64]}'", "there is none of that name", "look at the list of people")
        told: dict[str, Any] = {}
        if role is not None and role.value != found["role"]:
            told["role"] = role.value
        if password:
            told["credential"] = self.credential(name, password)
        if closed is not None and closed != found["disabled"]:
            told["disabled"] = closed
        if not told:
            raise Refused(f"the account '{name}'", "it is so already", "say what shall be another")
        others = [p for p in self.index.people() if p["role"] == Role.ADMIN and not p["disabled"] and p["name"] != name]
        if found["role"] == Role.ADMIN and not others and ("role" in told or told.get("disabled")):
            raise Refused(f"the account '{name}'", "it is the last that may manage accounts", "make another first")
        words = {
            "role": f"role {told.get('role')}",
            "credential": "password",
            "disabled": "closed" if closed else "open",
        }
        told["what"] = ", ".join(words[part] for part in told)
        self.journal.append(Event(Kind.PERSON_CHANGED, self.clock(), by, name, told))
        self._heed()

    def new_password(self, name: str, old: str, new: str, *, address: str) -> str:
        """Somebody gives their own account another password; every session of it ends, and this is the new one.

        Raises:
            Forbidden: the old one is not right. LimitReached: after too many tries. Refused: a password that is
                guessed, or the same again, and an account that has none.
        """
        found = self.index.person(name)
        if found and found["credential"].startswith(_OF_SERVICE):
            raise Refused(
                "this account has no password here", "the site's sign-in service says who you are",
                "change the password of that service",
            )  # fmt: skip
        self._must_fit(name, old, "the old password", address)
        if new == old:
            raise Refused("the new password", "it is the old one", "take another sentence")
        self.change(name, by=name, password=new)
        return self._begin(name, address)

    def link(self, name: str, life: timedelta | None = None) -> str:
        """A one-time link's secret for an account; for ten minutes unless another life is given."""
        return self._links.issue(name, self.clock(), life)

    def by_link(self, link: str, *, address: str) -> str:
        """A session token for a one-time link; the link is spent.

        Raises:
            Forbidden: for a link that is not valid, or an account that is closed.
        """
        return self._begin(self._links.redeem(link, self.clock()), address)

    def by_service(self, identity: str, name: str, role: Role, *, address: str, session: str = "") -> str:
        """A session token for somebody whom the site's sign-in service has proven; the account follows it.

        Args:
            session: of the service, by which it may end this one.
            identity: digest of issuer and subject: the account belongs to it, whatever it is called there later.
            name: what the service calls them now, for an account that is new here.
            role: as the table of the site gives it now.

        Raises:
            Forbidden: the account is closed, or another account has that name.
        """
        credential = f"{_OF_SERVICE}{identity}"
        with self._restoring:  # one first sign-in at a time, so that two do not make two accounts
            found = next((one for one in self.index.people() if one["credential"] == credential), None)
            if found is None:
                self.must_be_free(name)
            if found is None and self.index.person(name) is not None:
                raise Forbidden(f"the name '{name}'", "another account has it here", "ask an administrator")
            if found is None or (found["role"] != role.value and not found["disabled"]):
                name = found["name"] if found else name
                told = {"role": role.value, "credential": credential, "by": "sign-in service"}
                self.journal.append(Event(Kind.PERSON_ADDED, self.clock(), "isocenter", name, told))
                self._sessions.end_all(name)
        of = {"service": people.secret_digest(session)} if session else {}
        return self._begin(found["name"] if found else name, address, identity=identity, **of)

    def ended_by_service(self, ended: Ended, *, address: str) -> int:
        """Sign out whoever is signed out at the service; how many sessions that were. One notice is heard once.

        Raises:
            NotProven: it was heard before.
        """
        self._restore()
        wanted = people.secret_digest(ended.session)
        over = {digest: told for digest, told in self._begun().items() if _is_of(told, ended, wanted)}
        now = self.clock()

        def rule(history: Sequence[Sealed]) -> Sequence[Event]:
            if history:
                raise NotProven("a notice that was heard before")
            told = {"by": "sign-in service", "address": address}
            heard = [
                Event(Kind.SIGNED_OUT, now, one["name"], ended.once, {**told, "session": digest})
                for digest, one in over.items()
            ]
            return heard or [Event(Kind.SIGNED_OUT, now, "", ended.once, told)]

        self.journal.decide(ended.once, (Kind.SIGNED_OUT,), rule)
        self._sessions.end_some(over)
        return len(over)

    def must_be_free(self, name: str) -> None:
        """Go on only with a name that is not the house's own or a device's: the journal would tell them as one.

        Raises:
            Forbidden: it is.
        """
        taken = {HOUSE.name, "hl7", *(str(one["aet"]).lower() for one in self.index.peers())}
        if name.strip().lower() in taken:
            raise Forbidden(
                f"the name '{name}'", "the house or a device is called so in the journal", "choose another name"
            )

    def sessions(self, token: str) -> list[tuple[people.Session, bool]]:
        """The sessions of whoever holds this token, and which of them is this one; the last used comes first."""
        mine = self.person_of(token, touch=False)
        living = self._sessions.living(mine.name, self.clock()) if mine != NOBODY else []
        return [(one, one.digest == people.secret_digest(token)) for one in living]

    def end_others(self, token: str, password: str, *, wanted: Collection[str], address: str) -> int:
        """End sessions of one's own by their ids, all others where none is named; how many ended.

        Whoever sits down at somebody's screen shall not shut them out: the password is given once more, or this session
        began a moment ago (an account of a sign-in service has no password here).

        Raises:
            Forbidden: the password is not right, or this session is not fresh. LimitReached: after too many tries.
            NotFound: there is no session of that id.
        """
        living, now = self.sessions(token), self.clock()
        this = next((one for one, here in living if here), None)
        if this is None:
            raise Forbidden("the sessions of nobody", "only who is signed in has some (rule 'me')", "sign in")
        if password:
            self._must_fit(this.person.name, password, "the password", address)
        elif now - this.begun > _FRESH:
            raise Forbidden(
                "to end other sessions", "it takes the password once more, or a sign-in of the last ten minutes",
                "give the password, or sign in anew",
            )  # fmt: skip
        over = [one for one, here in living if (one.id in wanted if wanted else not here)]
        if unknown := sorted(set(wanted) - {one.id for one in over}):
            raise NotFound(f"the session '{unknown[0][:32]}'", "you have none of that name", "look at the list anew")
        for one in over:
            self._tell(Kind.SIGNED_OUT, one.person.name, session=one.digest, by="another session", address=address)
        self._sessions.end_some(one.digest for one in over)
        return len(over)

    def _must_fit(self, name: str, password: str, what: str, address: str) -> None:
        """Go on only with the account's own password; wrong ones count as tries to sign in."""
        now = self.clock()
        self._names.check(name, now)
        found = self.index.person(name)
        if not passwords.fits(found["credential"] if found and not found["disabled"] else None, password):
            self._names.failed(name, now)
            self._tell(Kind.SIGN_IN_REFUSED, name, address=address)
            raise Forbidden(what, "it does not belong to this account", "try again")
        self._names.passed(name)

    def refused(self, cause: str, *, address: str) -> None:
        """A sign-in that was not proven; the journal keeps the cause, the answer does not tell it."""
        self._tell(Kind.SIGN_IN_REFUSED, "", address=address, cause=cause[:200])

    def denied(self, who: Person, refusal: IsocenterError, *, address: str) -> None:
        """Somebody asked for what they may not, or nobody known did; what is asked again soon is one entry."""
        self._tell_seldom(who.name, who.name, refusal, address=address)

    def turned_away(self, refusal: IsocenterError, *, address: str) -> None:
        """A device that called was turned away; one that calls again and again is one entry."""
        self._tell_seldom(HOUSE.name, address, refusal, address=address)

    def _tell_seldom(self, who: str, asker: str, refusal: IsocenterError, *, address: str) -> None:
        way = f"{refusal.what} {refusal.why}"
        if (left_out := self._seldom.tells(f"{who} {asker}", way, self.clock())) is None:
            return
        told: dict[str, Any] = {"what": refusal.what, "why": refusal.why, "address": address}
        self._tell(Kind.REFUSED, who, **told, **({"alike_before": left_out} if left_out else {}))

    def leave(self, token: str) -> None:
        """End a session."""
        self._restore()
        person = self._sessions.end(token)
        if person != NOBODY:
            self._tell(Kind.SIGNED_OUT, person.name, session=people.secret_digest(token))

    def person_of(self, token: str, *, touch: bool = True) -> Person:
        """Whose session this is; nobody's when unknown or expired. Without `touch` the idle clock goes on."""
        self._restore()
        self._heed()
        return self._sessions.of(token, self.clock(), touch=touch)

    def _heed(self) -> None:
        """End the sessions of accounts that were changed meanwhile, also by a command beside the server."""
        changed = self._changes.state()
        for name, (number, _) in changed.items():
            if number > self._heeded:
                self._sessions.end_all(name)
        self._heeded = max([self._heeded, *(number for number, _ in changed.values())])

    def _begin(self, name: str, address: str, **more: str) -> str:
        found = self.index.person(name)
        if found is None or found["disabled"]:
            raise Forbidden(f"account '{name}'", "it does not exist any more", "ask an administrator")
        self._restore()
        with self._beginning:
            now = self.clock()
            for one in self._sessions.give_way(name, now):
                self._tell(Kind.SIGNED_OUT, name, session=one.digest, by="another sign-in")
            token, session = self._sessions.begin(Person(name, Role(found["role"])), now, address)
        self._tell(
            Kind.SIGNED_IN, name, address=address, session=session.digest, begun=session.begun.isoformat(), **more
        )  # fmt: skip
        return token

    def _restore(self) -> None:
        """Take up, once, the sessions that were alive when the server stopped."""
        if self._restored:
            return
        with self._restoring:
            if not self._restored:
                self._sessions.restore(self._remembered(), self.clock())
                self._restored = True

    def _remembered(self) -> list[people.Session]:
        """Sessions that the journal saw begin and not end, within the longest life of one.

        The idle time goes on from the last act of that person which the journal knows: nobody gains by a restart.
        The role is that which the account has now.
        """
        accounts = {one["name"]: one for one in self.index.people() if not one["disabled"]}
        changed, alive = self._changes.state(), []
        for digest, details in self._begun().items():
            account = accounts.get(details["name"])
            if account is None:
                continue
            start = datetime.fromisoformat(details["begun"])
            if account["name"] in changed and start <= changed[account["name"]][1]:
                continue
            last = self.journal.since(who=account["name"], limit=1, newest_first=True)
            seen = max(start, last[0].event.time)
            person = Person(account["name"], Role(account["role"]))
            alive.append(people.Session(digest, person, start, seen, str(details.get("address", ""))))
        return alive

    def _begun(self) -> dict[str, Mapping[str, Any]]:
        """Sessions that the journal saw begin and not end, within the longest life of one: digest -> what it says."""
        begun: dict[str, Mapping[str, Any]] = {}
        ended: set[str] = set()
        for kind, details in self._recent():
            digest = str(details.get("session", ""))
            if kind is Kind.SIGNED_OUT:
                ended.add(digest)
            elif digest:
                begun[digest] = details
        return {digest: told for digest, told in begun.items() if digest not in ended}

    def _recent(self) -> list[tuple[Kind, Mapping[str, Any]]]:
        oldest, number = self.clock() - _ABSOLUTE, 0
        found: list[tuple[Kind, Mapping[str, Any]]] = []
        kinds = (Kind.SIGNED_IN, Kind.SIGNED_OUT)
        while page := self.journal.since(number, kinds=kinds, limit=_PAGE, newest_first=True):
            young = [s.event for s in page if s.event.time > oldest]
            found += [(e.kind, {**e.details, "name": e.who}) for e in young]
            if len(young) < len(page):
                break
            number = page[-1].number
        return found

    def _tell(self, kind: Kind, who: str, **details: Any) -> None:
        self.journal.append(Event(kind, self.clock(), who, "", details))


def _changed(
    known: dict[str, tuple[int, datetime]], page: Sequence[Sealed]
) -> dict[str, tuple[int, datetime]]:  # fmt: skip
    return known | {sealed.event.subject: (sealed.number, sealed.event.time) for sealed in page}


def _is_of(told: Mapping[str, Any], ended: Ended, session: str) -> bool:
    """Whether a session that began through the service is one that has ended there."""
    if "identity" not in told or (ended.identity and told["identity"] != ended.identity):
        return False
    return not ended.session or told.get("service") == session
