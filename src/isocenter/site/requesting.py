"""Consent that is asked for: requests of those who share, answered by those who record what data may be used for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isocenter.errors import NotFound
from isocenter.govern import consent_requests as requests
from isocenter.govern.consent import Purpose
from isocenter.govern.consent_requests import Asked, Request
from isocenter.govern.policy import Person, must
from isocenter.record import Event, Kind
from isocenter.site.consenting import Consenting
from isocenter.store.follower import Follower

if TYPE_CHECKING:
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Requesting"]

_TERMS: Mapping[Purpose, str] = {Purpose.CARE: "CC"}
"""Under which term a yes is recorded; for every research the widest, within the study and the time that were asked."""


@dataclass
class Requesting:
    """The requests for consent of one archive."""

    index: Index
    journal: Journal
    clock: Callable[[], datetime]
    consents: Consenting
    holds: Callable[[str, Person, str], bool] = lambda study_uid, who, verb: True

    def __post_init__(self) -> None:
        self._known = Follower[Mapping[str, Request]](self.journal, requests.KINDS, dict, requests.after)

    def ask(
        self, studies: Sequence[str], *, of: Asked, purpose: Purpose, to: str, who: Person, words: str = "",
        until: datetime | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Ask for consent to a use of studies: one request for each. Nothing is sent anywhere.

        Raises:
            NotFound: no such study. Refused: as `consent_requests.ask`.
        """
        events = []
        for uid in dict.fromkeys(studies):
            must(who, "share", uid)
            patient = self.index.study(uid).patient
            events.append(
                requests.ask(
                    self._known.state(), uid, (patient.id, patient.issuer), of=Asked(of), purpose=Purpose(purpose),
                    to=to, words=words, until=until, who=who.name, now=self.clock(),
                )
            )  # fmt: skip
        self.journal.append(*events)
        made = {str(event.details["request"]) for event in events}
        return [one.told(self.clock()) for id, one in self._known.state().items() if id in made]

    def listed(self, *, who: Person, study: str = "") -> list[dict[str, Any]]:
        """Requests of one study, or of all that somebody may ask for: those that wait first, of these the oldest."""
        must(who, "consent", study)
        now = self.clock()
        mine = [
            one for one in self._known.state().values()
            if (not study or one.study == study) and self.holds(one.study, who, "consent")
        ]  # fmt: skip
        waiting = sorted((one for one in mine if requests.pending(one, now)), key=lambda one: one.asked)
        past = sorted((one for one in mine if not requests.pending(one, now)), key=lambda one: one.asked, reverse=True)
        return [one.told(now) for one in (*waiting, *past)]

    def answer(self, id: str, granted: bool, *, who: Person, source: str = "", reason: str = "") -> dict[str, Any]:
        """Answer a request: a yes records terms of use of its study until its day, a patient's no that they refuse it.

        Raises:
            As `consent_requests.answer`.
        """
        must(who, "consent")
        known, now = self._known.state(), self.clock()
        if id in known and not self.holds(known[id].study, who, "consent"):
            raise NotFound(f"request '{id:.20}'", "there is none", "look at the list of requests")
        one = requests.answer(known, id, granted, source=source, who=who.name, now=now)
        consent = ""
        if granted:
            made = self.consents.give(
                {_TERMS.get(one.purpose, "GRU"): ()}, study=one.study, until=one.until, source=source, who=who
            )
            consent = str(made["id"])
        elif one.of is Asked.PATIENT:
            made = self.consents.give({}, study=one.study, refuses=[one.purpose], source=source or reason, who=who)
            consent = str(made["id"])
        told = {"request": id, "granted": granted, "reason": reason[:500], "consent": consent}
        self.journal.append(Event(Kind.CONSENT_ANSWERED, now, who.name, one.study, told))
        return self._known.state()[id].told(now)
