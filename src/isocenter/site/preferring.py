"""What people and the site have set: each change is an event that holds the whole of the settings as they then were.

So the newest event of a subject is the answer, an earlier one is what a change undid, and no table is needed. Three
subjects exist: ``me:NAME`` (one person's), ``site`` (everybody's), and ``views`` (worklist views that were shared).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isocenter.errors import Conflict, Refused
from isocenter.govern.policy import Person, must
from isocenter.record import Event, Kind, digest_of

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["Kept", "Preferences"]

_MOST_BYTES = 64_000  # of one person's settings: hanging protocols and views are small texts
_MOST_KEPT = 4096  # people whose settings are held decoded
_MOST_NEWS = 500  # changes that are looked at one by one; after more, everything is read anew when it is asked for


@dataclass(frozen=True)
class Kept:
    """Settings as they stand.

    Args:
        settings: name -> value, only those that were changed from what is shipped.
        version: number of the event that set them, 0 where nothing ever was.
        by: who set them last.
        when: at what time, None where nothing ever was set.
    """

    settings: Mapping[str, Any]
    version: int = 0
    by: str = ""
    when: datetime | None = None


@dataclass
class Preferences:
    """The settings of one archive.

    Args:
        journal: where they stand.
        clock: aware UTC.
    """

    journal: Journal
    clock: Callable[[], datetime]

    def __post_init__(self) -> None:
        self._turn = threading.Lock()
        self._level = 0
        self._held: dict[str, Kept] = {}

    def mine(self, *, who: Person) -> Kept:
        """This person's own."""
        must(who, "me")
        return self._of(f"me:{who.name}")

    def site(self, *, who: Person) -> Kept:
        """Everybody's."""
        must(who, "settings")
        return self._of("site")

    def site_wide(self) -> Mapping[str, Any]:
        """The same, for the house itself."""
        return self._of("site").settings

    def views(self, *, who: Person) -> Kept:
        """Worklist views that were shared: name -> {"q", "sort", "ai", "by"}."""
        must(who, "worklist")
        return self._of("views")

    def history(self, scope: str, *, limit: int = 20, who: Person) -> list[dict[str, Any]]:
        """Changes of one's own (``me``) or the site's settings, newest first: by, when, reason, what became what."""
        must(who, "me" if scope == "me" else "settings")
        subject = f"me:{who.name}" if scope == "me" else "site"
        kinds = (Kind.SETTINGS_CHANGED,)
        told = self.journal.since(subject=subject, kinds=kinds, limit=limit + 1, newest_first=True)
        before: list[Mapping[str, Any]] = [s.event.details["settings"] for s in told[1:]]
        if len(told) <= limit:
            before.append({})
        return [
            {
                "version": now.number, "by": now.event.who, "when": now.event.time.isoformat(),
                "reason": now.event.details.get("reason", ""), "changes": _changes(was, now.event.details["settings"]),
            }
            for now, was in zip(told, before, strict=False)
        ]  # fmt: skip

    def change_mine(self, patch: Mapping[str, Any], *, version: int | None = None, who: Person) -> Kept:
        """Set some of one's own; a value of None goes back to what is shipped."""
        must(who, "me")
        return self._change(f"me:{who.name}", patch, version, who)

    def change_site(self, patch: Mapping[str, Any], *, version: int, reason: str, who: Person) -> Kept:
        """Set some of everybody's, with a reason that the journal keeps."""
        must(who, "site")
        if not reason.strip():
            raise Refused("a change for the whole site without a reason", "nobody could say later why", "give a reason")
        return self._change("site", patch, version, who, reason=reason.strip())

    def share_view(self, name: str, view: Mapping[str, Any] | None, *, who: Person) -> Kept:
        """Share a worklist view with everybody; None takes back a view of one's own.

        Raises:
            Refused: a name that another person's view has.
        """
        must(who, "worklist")
        there = self._of("views").settings.get(name)
        if there is not None and there.get("by") != who.name:
            raise Refused(
                f"the view '{name}'", f"it is shared by {there.get('by')}", f"choose another name, or ask {there['by']}"
            )
        return self._change("views", {name: {**view, "by": who.name} if view is not None else None}, None, who)

    # ---- the newest event of a subject

    def _of(self, subject: str) -> Kept:
        with self._turn:
            return self._now(subject)

    def _now(self, subject: str) -> Kept:
        """Read what others wrote since the last look; a person's settings are asked for with every page."""
        head = self.journal.head()[0]
        if head != self._level:
            news = self.journal.since(self._level, kinds=(Kind.SETTINGS_CHANGED,), limit=_MOST_NEWS)
            for sealed in news:
                self._held.pop(sealed.event.subject, None)
            if len(news) == _MOST_NEWS:
                self._held.clear()
            self._level = head
        if subject not in self._held:
            if len(self._held) >= _MOST_KEPT:
                self._held.clear()
            last = self.journal.since(subject=subject, kinds=(Kind.SETTINGS_CHANGED,), limit=1, newest_first=True)
            event = last[0].event if last else None
            self._held[subject] = (
                Kept(event.details["settings"], last[0].number, event.who, event.time) if event else Kept({})
            )
        return self._held[subject]

    def _change(
        self, subject: str, patch: Mapping[str, Any], version: int | None, who: Person, *, reason: str = ""
    ) -> Kept:
        with self._turn:
            before = self._now(subject)
            if version is not None and version != before.version:
                raise Conflict(
                    "these settings are others by now",
                    f"{before.by or 'nobody'} changed them meanwhile, or you did in another window",
                    "load them again, then change them",
                )
            after = {n: v for n, v in {**before.settings, **patch}.items() if v is not None}
            if len(json.dumps(after)) > _MOST_BYTES:
                raise Refused(
                    "settings of more than 64 kB", "they are read with every page", "remove views or protocols first"
                )
            if digest_of(after) == digest_of(dict(before.settings)):
                return before
            details: dict[str, Any] = {"settings": after, "changed": sorted(patch)}
            if reason:
                details["reason"] = reason
            self.journal.append(Event(Kind.SETTINGS_CHANGED, self.clock(), who.name, subject, details))
            return self._now(subject)


def _changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What one change did: name, value before and after; None is the shipped value."""
    names = sorted({*was, *now})
    return [{"name": n, "was": was.get(n), "now": now.get(n)} for n in names if was.get(n) != now.get(n)]
