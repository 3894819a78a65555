"""How many groups of people one account may be told the number of, before an administrator looks at what it asks.

Numbers of ever other groups, laid over each other, tell of single people in the end, however each is rounded. So
whoever may see no single study is told of a bounded number of groups; to ask again, or in other words, for a group that
was counted before gives the same number and costs nothing. The journal keeps of a group a keyed digest and no value.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from isocenter.errors import Refused, TooOften
from isocenter.govern.policy import Person, must
from isocenter.govern.seldom import Seldom
from isocenter.record import Event, Kind

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["DAYS", "MOST", "Questioning"]

MOST = 100
"""Groups of people that an account is told the numbers of within `DAYS`."""
DAYS = 30
_ALL = 10_000_000


@dataclass
class Questioning:
    """What was asked of one archive by those who see numbers alone."""

    journal: Journal
    clock: Callable[[], datetime]
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _seldom: Seldom = field(default_factory=Seldom, repr=False)

    def spend(self, groups: Sequence[str], who: Person) -> None:
        """Go on only when it is written down that this person is told of these groups, and that is not too many.

        Raises:
            TooOften: with these it would be more than `MOST` within `DAYS`; with when there is room for them again.
            Unavailable: the journal cannot be written.
        """
        with self._lock:
            now, before = self.clock(), self._asked(who.name)
            new = [one for one in dict.fromkeys(groups) if one not in before]
            if not new:
                return
            if len(before) + len(new) > MOST:
                free = sorted(before.values())[: max(0, len(before) + len(new) - MOST)]
                wait_s = int(((free[-1] if free else now) + timedelta(days=DAYS) - now).total_seconds()) + 1
                refusal = TooOften(
                    f"group {len(before) + len(new)} of {who.name} within {DAYS} days",
                    f"numbers of more than {MOST} groups of people could be laid over each other until they tell of "
                    "one of them; groups that were counted before are told again",
                    f"try again in {wait_s} s, or ask an administrator: isocenter questions --renew {who.name}",
                )  # fmt: skip
                if self._seldom.tells(who.name, "groups", now) is not None:
                    self.journal.append(Event(Kind.REFUSED, now, who.name, "", {"what": str(refusal)}))
                raise refusal
            self.journal.append(Event(Kind.COHORT_COUNTED, now, who.name, who.name, {"groups": new}))

    def told(self, *, who: Person) -> list[dict[str, Any]]:
        """Of each account that asked within `DAYS` of how many groups it was told, of how many it may be."""
        must(who, "people")
        since = self.clock() - timedelta(days=DAYS)
        names = {
            s.event.who
            for s in self.journal.since(kinds=(Kind.COHORT_COUNTED,), limit=_ALL, newest_first=True)
            if s.event.time > since
        }
        return [
            {"account": name, "groups": len(self._asked(name)), "most": MOST, "days": DAYS} for name in sorted(names)
        ]

    def renew(self, account: str, reason: str, *, who: Person) -> None:
        """Let an account ask for as many groups anew.

        Raises:
            Refused: no reason is given, or by the account itself, or nothing counts against it.
        """
        must(who, "people")
        if not reason.strip():
            raise Refused(f"more questions of {account:.60}", "no reason is given", "say what it looks for")
        if who.name == account:
            raise Refused(f"more questions of {account:.60}", "nobody allows themselves more", "ask another person")
        if not (asked := self._asked(account)):
            why = f"it was told no numbers within {DAYS} days that count against it"
            raise Refused(f"more questions of {account:.60}", why, "`isocenter questions` lists the accounts that were")
        told = {"reason": reason.strip(), "groups": len(asked)}
        self.journal.append(Event(Kind.COHORT_RENEWED, self.clock(), who.name, account, told))

    def _asked(self, account: str) -> dict[str, datetime]:
        """Groups that count against an account now, and when each was told first."""
        kinds, since = (Kind.COHORT_COUNTED, Kind.COHORT_RENEWED), self.clock() - timedelta(days=DAYS)
        found: dict[str, datetime] = {}
        for s in self.journal.since(kinds=kinds, subject=account, limit=_ALL):
            if s.event.kind is Kind.COHORT_RENEWED:
                found = {}
            elif s.event.time > since:
                for group in s.event.details["groups"]:
                    found.setdefault(group, s.event.time)
        return found
