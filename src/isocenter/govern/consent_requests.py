"""Requests for consent: who asks a patient or the data steward, what for, for whom, until when, and the answer.

Nothing is sent by a request: it is a record that waits where terms of use are recorded, for whoever speaks with the
patient or decides for the house. A patient's yes needs the document that says so, and nobody answers their own request
in the steward's place.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from isocenter.errors import Forbidden, NotFound, Refused, WrongState
from isocenter.govern.consent import Purpose
from isocenter.record import Event, Kind, Sealed

__all__ = ["KINDS", "Asked", "Request", "after", "answer", "ask", "pending"]

KINDS = (Kind.CONSENT_ASKED, Kind.CONSENT_ANSWERED)
"""Events of which the requests are made; their subject is the study."""


class Asked(StrEnum):
    """Who is asked."""

    PATIENT = "patient"
    STEWARD = "steward"  # who decides for the house what data may be used for


@dataclass(frozen=True)
class Request:
    """One request.

    Args:
        of: who is asked. to: for whom the data are. words: why, for whoever decides.
        until: until when the use is wanted.
        granted: the answer; None while nobody has given one.
        consent: id of the terms that were recorded with it.
    """

    id: str
    study: str
    patient: tuple[str, str]
    of: Asked
    purpose: Purpose
    to: str
    words: str
    until: datetime | None
    by: str
    asked: datetime
    granted: bool | None = None
    answered_by: str = ""
    answered: datetime | None = None
    reason: str = ""
    consent: str = ""

    def told(self, now: datetime) -> dict[str, Any]:
        """As lists show it; ``state``: pending, granted, refused, or expired, when nobody answered in time."""
        late = self.granted is None and self.until is not None and now >= self.until
        state = {True: "granted", False: "refused", None: "expired" if late else "pending"}[self.granted]
        return {
            "id": self.id, "study": self.study, "patient": self.patient[0], "issuer": self.patient[1],
            "of": self.of.value, "purpose": self.purpose.value, "to": self.to, "words": self.words,
            "until": self.until.isoformat() if self.until else None, "by": self.by, "asked": self.asked.isoformat(),
            "state": state, "answered_by": self.answered_by, "reason": self.reason, "consent": self.consent,
            "answered": self.answered.isoformat() if self.answered else None,
        }  # fmt: skip


def ask(
    known: Mapping[str, Request], study: str, patient: tuple[str, str], *, of: Asked, purpose: Purpose, to: str,
    words: str, until: datetime | None, who: str, now: datetime,
) -> Event:  # fmt: skip
    """The event of a request.

    Raises:
        Refused: for nobody, until a moment that has passed, or one that waits already.
    """
    if not to.strip():
        raise Refused("a request for consent for nobody", "who decides wants to know who gets the data", "say for whom")
    if until is not None and until <= now:
        raise Refused(
            "a request until a day that has passed", "nothing could be done with its answer", "say a later day"
        )
    if any(
        r.study == study and r.of is of and r.purpose is purpose and r.to == to and pending(r, now)
        for r in known.values()
    ):
        raise Refused("the same request once more", "it waits for an answer already", "wait for it")
    told = {
        "request": secrets.token_hex(8), "patient": {"id": patient[0], "issuer": patient[1]}, "of": of.value,
        "purpose": purpose.value, "to": to.strip()[:200], "words": words.strip()[:500],
        "until": until.isoformat() if until else "",
    }  # fmt: skip
    return Event(Kind.CONSENT_ASKED, now, who, study, told)


def pending(one: Request, now: datetime) -> bool:
    """Whether it waits for an answer."""
    return one.granted is None and (one.until is None or now < one.until)


def answer(known: Mapping[str, Request], id: str, granted: bool, *, source: str, who: str, now: datetime) -> Request:
    """The request that may be answered so.

    Raises:
        NotFound: none of that name. WrongState: it was answered, or its time has passed.
        Refused: a patient's yes without the document. Forbidden: the steward's answer of whoever asks.
    """
    one = known.get(id)
    if one is None:
        raise NotFound(f"request '{id:.20}'", "there is none", "look at the list of requests")
    if not pending(one, now):
        raise WrongState("a request that waits for nothing", "it was answered, or its time has passed", "ask anew")
    if one.of is Asked.STEWARD and who == one.by:
        raise Forbidden(
            "your own request", "nobody answers it in the steward's place (rule 'consent')", "another person has to"
        )
    if one.of is Asked.PATIENT and granted and not source.strip():
        raise Refused("a patient's consent without a document", "nobody could show it later", "name the document")
    return one


def after(known: Mapping[str, Request], events: Iterable[Sealed]) -> dict[str, Request]:
    """The requests as these events leave them, by id."""
    found = dict(known)
    for sealed in events:
        event, told = sealed.event, sealed.event.details
        if event.kind is Kind.CONSENT_ASKED:
            until = datetime.fromisoformat(told["until"]) if told["until"] else None
            patient = told["patient"]["id"], told["patient"]["issuer"]
            found[told["request"]] = Request(
                told["request"], event.subject, patient, Asked(told["of"]), Purpose(told["purpose"]), told["to"],
                told["words"], until, event.who, event.time,
            )  # fmt: skip
        elif told["request"] in found:
            found[told["request"]] = replace(
                found[told["request"]], granted=bool(told["granted"]), answered_by=event.who, answered=event.time,
                reason=told["reason"], consent=told["consent"],
            )  # fmt: skip
    return found
