"""Studies shown to somebody without an account, until a day that is named: who gave it, who used it, when it ends.

A link's secret is 256 random bits; the journal keeps its digest, never the secret, so that nobody who reads the
journal can open the link. A link opens the studies that it was given for and tells of no other. It ends by itself, or
when somebody ends it; whoever comes too late, or guesses, hears the same words. What its holder may do with the studies
is said when it is given, and each entry is about one study: a link to three studies is told by three entries.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from isocenter.errors import Forbidden, NotFound, Refused, WrongState
from isocenter.govern.consent import Purpose
from isocenter.govern.passwords import hash_password
from isocenter.govern.people import secret_digest
from isocenter.record import Event, Kind, Sealed

__all__ = [
    "KINDS", "LONGEST", "MOST", "OLDER", "PARTS", "Claim", "Given", "May", "Share", "after", "code_digest", "end",
    "extend", "judge", "living", "must_stay_within", "of_each", "share", "state_identity", "taken", "where",
]  # fmt: skip

KINDS = (
    Kind.SHARED, Kind.SHARE_USED, Kind.SHARE_EXTENDED, Kind.SHARE_ENDED, Kind.IDENTITY_STATED, Kind.IDENTITY_JUDGED,
    Kind.SHARE_TAKEN,
)  # fmt: skip
"""Events of which the links are made; their subject is the study."""

LONGEST = timedelta(days=365)
MOST = 100
"""Studies of one link."""


class May(StrEnum):
    """What whoever holds a link may do with the studies behind it."""

    VIEW = "view"  # see the images on a page
    DOWNLOAD = "download"  # take the files, and so the study into an archive of their own
    MEASURE = "measure"  # have distances, areas and values measured on the page


OLDER = frozenset({May.VIEW, May.DOWNLOAD})
"""What links allow that were given before one could choose."""

_COUNTRY = re.compile("[A-Z]{2}")

PARTS = ("stored", "there", "rejected", "missing")
"""What becomes of the images that another archive expects of a link; together they are as many as it expects."""

_ABOUT = {May.DOWNLOAD: "take its files", May.MEASURE: "measure in its images"}


@dataclass(frozen=True)
class Claim:
    """Who somebody says to be who holds a link and knows its code.

    Args:
        name: in their own words. address: from which they said it.
        accepted: by whoever may give links; None while nobody has answered.
    """

    id: str
    name: str
    address: str
    at: datetime
    accepted: bool | None = None
    by: str = ""


@dataclass(frozen=True)
class Share:
    """One link as it is kept.

    Args:
        id: its name in lists; it opens nothing.
        digest: of the secret.
        studies: that it opens, in the order in which they were chosen.
        until: when it ends by itself.
        to: for whom, in the words of whoever gave it.
        credential: of the word that must be said too; empty where none is asked.
        used: how often something was seen through it. opened: how often the studies were opened, for which a browser
            asks once and then for each series. last: when something was seen last.
        purpose: what for; what is not care opens only while the terms of use permit it.
        may: what its holder may do.
        pseudonym: whether the studies are shown without the person.
        code: digest of the code with which the holder states who they are (`code_digest`); empty where nobody asks.
        claim: the last of what was stated.
        taken: what other archives said that they took: of each study how many images were expected, stored, there
            before, rejected and missing.
        reason: why a pseudonym does where few people are alike.
        institution: of whoever it is for. country: of that, ISO 3166 two letters; both empty where nobody said.
        transfer_reason: why it may leave the site's region.
    """

    id: str
    digest: str
    studies: tuple[str, ...]
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
    may: frozenset[May] = OLDER
    pseudonym: bool = False
    code: str = ""
    claim: Claim | None = None
    taken: tuple[Mapping[str, Any], ...] = ()
    reason: str = ""
    institution: str = ""
    country: str = ""
    transfer_reason: str = ""

    def lives(self, now: datetime) -> bool:
        """Whether it still opens."""
        return self.ended is None and now < self.until

    @property
    def identity(self) -> str:
        """How far it is known who holds it: ``not asked``, ``wanted``, ``pending``, ``accepted`` or ``refused``."""
        if not self.code:
            return "not asked"
        if self.claim is None:
            return "wanted"
        return {None: "pending", True: "accepted", False: "refused"}[self.claim.accepted]

    def must(self, may: May) -> None:
        """Go on only if its holder may.

        Raises:
            Forbidden: naming the rule.
        """
        if may not in self.may:
            raise Forbidden(
                f"this link does not let you {_ABOUT[may]}",
                f"whoever gave it allowed to {', '.join(sorted(self.may))} (rule 'shared.{may}')",
                "ask them for a link that does",
            )

    def told(self, now: datetime) -> dict[str, Any]:
        """As lists show it: without digest and credentials."""
        claim = self.claim
        return {
            "id": self.id, "study": self.studies[0], "studies": list(self.studies), "by": self.by,
            "given": self.given.isoformat(), "until": self.until.isoformat(), "to": self.to,
            "asks_a_word": bool(self.credential), "used": self.used, "opened": self.opened,
            "last": self.last.isoformat() if self.last else None, "purpose": self.purpose.value,
            "may": sorted(self.may), "pseudonym": self.pseudonym, "reason": self.reason, "identity": self.identity,
            "institution": self.institution, "country": self.country, "transfer_reason": self.transfer_reason,
            "claim": {"id": claim.id, "name": claim.name, "address": claim.address, "at": claim.at.isoformat()}
            if claim else None,
            "taken": list(self.taken),
            "ended": self.ended.isoformat() if self.ended else None, "lives": self.lives(now),
        }  # fmt: skip


class Given(NamedTuple):
    """A link that was just given.

    Args:
        secret: what opens it. code: with which its holder states who they are, told by another way than the link;
            empty where nobody asks. events: that let it open, one for each study.
    """

    secret: str
    code: str
    events: tuple[Event, ...]


def share(
    studies: Sequence[str],
    *,
    who: str,
    now: datetime,
    life: timedelta,
    to: str = "",
    word: str = "",
    purpose: Purpose = Purpose.CARE,
    may: Collection[May] = (May.VIEW,),
    pseudonym: bool = False,
    check: bool = False,
    reason: str = "",
    institution: str = "",
    country: str = "",
    region: Collection[str] = (),
    transfer_reason: str = "",
) -> Given:
    """A fresh secret, and the events that let it open these studies.

    Args:
        life: how long it opens; a year at most.
        to: for whom.
        word: something that must be said as well, told by another way (telephone); at least 12 characters.
        may: what its holder may do; seeing the images is always among it.
        pseudonym: show the studies without the person.
        check: open nothing before the holder has stated who they are and that was accepted.
        reason: why a pseudonym does where few people are alike; kept with the link.
        institution: of whoever it is for. country: of that, ISO 3166 two letters.
        region: countries of the site's own region; none: nothing is asked. transfer_reason: why it may leave them.

    Raises:
        Refused: a life that is none or too long, a word that can be guessed, no study or too many, a pseudonym or a
            check for nobody who is named, a country that is none, or one outside the region without a reason.
    """
    if not timedelta() < life <= LONGEST:
        raise Refused(
            f"a link for {life / timedelta(hours=1):g} h",
            f"it opens for more than nothing and at most {LONGEST.days} days",
            "ask for some hours or days within that",
        )
    chosen = tuple(dict.fromkeys(studies))
    if not 0 < len(chosen) <= MOST:
        raise Refused(f"a link to {len(chosen)} studies", f"it opens at least one and at most {MOST}", "choose others")
    if (pseudonym or check) and not to.strip():
        raise Refused(
            "a link for nobody", "pseudonyms are made for one recipient, and a check wants somebody to compare with",
            "say for whom it is",
        )  # fmt: skip
    if country and not _COUNTRY.fullmatch(country):
        raise Refused(
            f"the country '{country:.20}'", "it is no code of ISO 3166", "write two letters, such as NG or DE"
        )
    must_stay_within(region, country, transfer_reason)
    secret = secrets.token_urlsafe(32)
    code = "-".join(f"{secrets.randbelow(10_000):04d}" for _ in range(4)) if check else ""
    details = {
        "share": secrets.token_hex(8), "digest": secret_digest(secret), "until": (now + life).isoformat(),
        "to": to[:200], "credential": hash_password(word) if word else "", "purpose": purpose.value,
        "may": sorted({May.VIEW, *may}), "pseudonym": pseudonym, "code": code_digest(secret, code) if code else "",
    }  # fmt: skip
    said = {
        "reason": reason.strip()[:500], "institution": " ".join(institution.split())[:200], "country": country,
        "transfer_reason": transfer_reason.strip()[:500],
    }  # fmt: skip
    details |= {name: words for name, words in said.items() if words}
    return Given(secret, code, tuple(Event(Kind.SHARED, now, who, study, details) for study in chosen))


def where(institution: str, country: str) -> dict[str, frozenset[str]]:
    """Who gets to see a study, and in which country, as terms of use ask it (`isocenter.govern.consent.Use`).

    >>> where("", "NG")
    {'countries': frozenset({'NG'})}
    """
    said = {"institutions": " ".join(institution.split())[:200], "countries": country}
    return {name: frozenset({value}) for name, value in said.items() if value}


def must_stay_within(region: Collection[str], country: str, transfer_reason: str) -> None:
    """Go on only if what is given stays within a site's own region, or somebody said why it may leave.

    Args:
        region: countries, ISO 3166 two letters; none: nothing is asked.
        country: of the recipient; empty where nobody said.

    Raises:
        Refused: no country, or one outside the region and no reason.
    """
    if not region or country in region:
        return
    within = f"this site's own region is {', '.join(sorted(region))}"
    if not country:
        raise Refused("a link into no country", within, "say in which country the recipient is")
    if not transfer_reason.strip():
        raise Refused(
            f"a link into {country} without a reason", within, "say why it may leave: the journal keeps the reason"
        )


def code_digest(secret: str, code: str) -> str:
    """What is kept of a code. The secret of the link is 256 random bits, so that nobody can try codes against it.

    >>> code_digest("secret", "1234-5678") == code_digest("secret", "1234 5678")
    True
    """
    return secret_digest(f"{secret} {''.join(letter for letter in code if letter.isdecimal())}")


def of_each(link: Share, kind: Kind, who: str, now: datetime, **details: Any) -> tuple[Event, ...]:
    """What happened to a link, as an entry for each study behind it."""
    return tuple(Event(kind, now, who, study, {"share": link.id, **details}) for study in link.studies)


def end(shares: Mapping[str, Share], id: str, *, who: str, now: datetime, reason: str = "") -> tuple[Event, ...]:
    """The events that end a link.

    Raises:
        NotFound: when there is none of that name that lives.
    """
    return of_each(living(shares, id, now), Kind.SHARE_ENDED, who, now, reason=reason[:500])


def living(shares: Mapping[str, Share], id: str, now: datetime) -> Share:
    """The link of that name, as long as it opens; NotFound when there is none."""
    found = next((s for s in shares.values() if s.id == id), None)
    if found is None or not found.lives(now):
        raise NotFound(f"link '{id:.20}'", "there is none, or it has ended", "look at the list of links")
    return found


def extend(
    shares: Mapping[str, Share], id: str, *, who: str, now: datetime, life: timedelta, reason: str = ""
) -> tuple[Event, ...]:
    """The events that let a link open for longer; its secret stays the same.

    Args:
        life: how long from now on; a year at most.

    Raises:
        NotFound: when there is none of that name that lives: what has ended stays ended.
        Refused: a life that is too long, or an end before the one that it has.
    """
    found, until = living(shares, id, now), now + life
    if life > LONGEST:
        raise Refused(
            f"a link for {life / timedelta(hours=1):g} h",
            f"it opens for at most {LONGEST.days} days",
            "give another one later",
        )
    if until <= found.until:
        raise Refused("a link that would end sooner", f"it opens until {found.until:%Y-%m-%d %H:%M}", "end it instead")
    told = {"until": until.isoformat(), "was": found.until.isoformat(), "reason": reason[:500]}
    return of_each(found, Kind.SHARE_EXTENDED, who, now, **told)


def state_identity(link: Share, name: str, *, address: str, now: datetime) -> tuple[Event, ...]:
    """The events by which the holder of a link says who they are; the code was right.

    Raises:
        Refused: no name, or a link that asks for none. WrongState: it was accepted, or waits for an answer.
    """
    if not link.code:
        raise Refused("this link asks nobody who they are", "it opens as it is", "open it")
    if link.identity in ("pending", "accepted"):
        why = "it waits for an answer" if link.identity == "pending" else "it was accepted"
        raise WrongState("who holds this link was stated already", why, "wait, or open it")
    if not name.strip():
        raise Refused("a statement without a name", "nobody could be compared with it", "say your name and your house")
    claim = {"claim": secrets.token_hex(8), "name": " ".join(name.split())[:200], "address": address}
    return of_each(link, Kind.IDENTITY_STATED, f"link {link.id}", now, **claim)


def judge(
    shares: Mapping[str, Share], id: str, claim: str, accepted: bool, *, who: str, now: datetime, reason: str = ""
) -> tuple[Event, ...]:
    """The events by which a stated identity is accepted or refused.

    Raises:
        NotFound: no such link that lives. WrongState: nobody stated that, or it was answered.
    """
    link = living(shares, id, now)
    if link.claim is None or link.claim.id != claim or link.claim.accepted is not None:
        raise WrongState(
            "an answer to what nobody states now", "it was answered, or stated anew", "look at the list of links"
        )
    told = {"claim": claim, "accepted": accepted, "reason": reason[:500]}
    return of_each(link, Kind.IDENTITY_JUDGED, who, now, **told)


def taken(link: Share, study: str, counts: Mapping[str, int], *, now: datetime) -> Event:
    """The event by which another archive says what it took of a study.

    Args:
        counts: ``expected`` and `PARTS`.

    Raises:
        Refused: counts that do not add up.
    """
    parts = {name: counts[name] for name in PARTS}
    if sum(parts.values()) != counts["expected"] or min(parts.values()) < 0:
        raise Refused(
            f"a receipt for {counts['expected']} images that tells of {sum(parts.values())}",
            "each is stored, there before, rejected or missing", "count again",
        )  # fmt: skip
    told = {"share": link.id, "expected": counts["expected"], **parts}
    return Event(Kind.SHARE_TAKEN, now, f"link {link.id}", study, told)


def after(shares: Mapping[str, Share], events: Iterable[Sealed]) -> dict[str, Share]:
    """The links as these events leave them: digest of the secret -> link."""
    known = dict(shares)
    by_id = {s.id: d for d, s in known.items()}
    for sealed in events:
        event, told = sealed.event, sealed.event.details
        if event.kind is Kind.SHARED and told["share"] in by_id:
            one = known[told["digest"]]
            known[told["digest"]] = replace(one, studies=(*one.studies, event.subject))
        elif event.kind is Kind.SHARED:
            known[told["digest"]] = _given(event)
            by_id[told["share"]] = told["digest"]
        elif told["share"] in by_id:
            digest = by_id[told["share"]]
            known[digest] = _changed(known[digest], event)
    return known


def _given(event: Event) -> Share:
    told = event.details
    return Share(
        told["share"], told["digest"], (event.subject,), event.who, event.time,
        datetime.fromisoformat(told["until"]), told["to"], told["credential"],
        purpose=Purpose(told.get("purpose", "care")),
        may=frozenset(map(May, told["may"])) if "may" in told else OLDER,
        pseudonym=told.get("pseudonym", False), code=told.get("code", ""),
        **{name: told.get(name, "") for name in ("reason", "institution", "country", "transfer_reason")},
    )  # fmt: skip


def _changed(one: Share, event: Event) -> Share:
    told = event.details
    match event.kind:
        case Kind.SHARE_USED:
            opened = one.opened + (told.get("what") == "study" and event.subject == one.studies[0])
            return replace(one, used=one.used + 1, opened=opened, last=event.time)
        case Kind.SHARE_EXTENDED:
            return replace(one, until=datetime.fromisoformat(told["until"]))
        case Kind.IDENTITY_STATED:
            return replace(one, claim=Claim(told["claim"], told["name"], told["address"], event.time))
        case Kind.IDENTITY_JUDGED:
            if one.claim is None or one.claim.id != told["claim"]:
                return one
            return replace(one, claim=replace(one.claim, accepted=bool(told["accepted"]), by=event.who))
        case Kind.SHARE_TAKEN:
            counts = {name: int(told[name]) for name in PARTS}
            receipt = {"time": event.time.isoformat(), "study": event.subject, "expected": int(told["expected"])}
            return replace(one, taken=(*one.taken, receipt | counts))
        case _:
            return replace(one, ended=event.time)
