"""Which projects there are, who is in them as what, where what arrives is at home, and the glass that was broken.

A study has one home. What nobody put elsewhere is in the house, and everybody with an account and every known AE title
is in the house until the site says otherwise, so that an archive without projects is as it ever was. In every other
project is who was let in, and nobody else, an administrator neither. What somebody may do with a study is what their
account *and* what they are in its project may do.

Breaking the glass shows one study of another project to one person for a while: to look and for nothing else, with a
reason, and another person looks through it afterwards. It says nothing about what machines said: whoever reads unaided
first, does so here, too.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any

from isocenter.errors import Forbidden, NotFound, Refused, WrongState
from isocenter.govern.policy import HOUSE, RULES, Owner, Person, Role
from isocenter.record import Event, Kind, Sealed
from isocenter.record.project import EVERYBODY, Reach

__all__ = [
    "GLASS", "KINDS", "LONGEST", "Glass", "Known", "after", "break_glass", "end_glass", "found", "glass_of", "join",
    "may_review", "only_of", "reach", "review", "reviewer_of", "role_in", "rule", "unbound",
]  # fmt: skip

KINDS = (
    Kind.PROJECT_SET, Kind.PROJECT_JOINED, Kind.PROJECT_RULED, Kind.GLASS_BROKEN, Kind.GLASS_ENDED, Kind.GLASS_REVIEWED,
    Kind.ALERT_CLIMBED,
)  # fmt: skip
"""Events of which the projects are made; the subject of the first three is the project, of the others the study. The
alert of a broken glass climbs when its reviewer has let the time pass, and with it the right to review."""

GLASS = frozenset({"find", "study", "instance", "results", "plan", "reading", "report", "signed"})
"""What a broken glass lets somebody do, as far as their account may: look."""

LONGEST = timedelta(hours=8)
"""How long a glass stays broken at most."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_OF = ("account", "aet")
_ENOUGH = 10  # letters of a reason that somebody can judge


@dataclass(frozen=True)
class Glass:
    """One breaking of the glass.

    Args:
        reviewer: account that is asked to look through it; empty where there is no other administrator.
        climbed: whether the reviewer let the time pass, and every other administrator was called.
        ended: by the person themselves, before its time.
        reviewed: by whom, or empty.
    """

    id: str
    study_uid: str
    who: str
    project: str
    reason: str
    begun: datetime
    until: datetime
    reviewer: str
    climbed: bool = False
    ended: datetime | None = None
    reviewed: str = ""
    justified: bool | None = None
    words: str = ""

    def lives(self, now: datetime) -> bool:
        """Whether it still shows the study."""
        return self.ended is None and self.begun <= now < self.until

    def told(self, now: datetime) -> dict[str, Any]:
        """As the review list shows it."""
        return {
            "id": self.id, "study": self.study_uid, "by": self.who, "project": self.project, "reason": self.reason,
            "begun": self.begun.isoformat(), "until": self.until.isoformat(), "lives": self.lives(now),
            "reviewer": self.reviewer, "climbed": self.climbed, "reviewed": self.reviewed,
            "justified": self.justified, "words": self.words,
        }  # fmt: skip


@dataclass(frozen=True)
class Known:
    """The projects of a site as its events leave them.

    Args:
        about: project -> what it is.
        keepers: project -> account that looks through broken glass there.
        members: project -> ("account" or "aet", name) -> what they are there; `Role.NONE` is out.
        senders: ("account" or "aet", name) -> project in which what they send is at home.
        glasses: id -> breaking.
    """

    about: Mapping[str, str] = field(default_factory=lambda: {EVERYBODY: "everything that is in no other project"})
    keepers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Mapping[tuple[str, str], Role]] = field(default_factory=dict)
    senders: Mapping[tuple[str, str], str] = field(default_factory=dict)
    glasses: Mapping[str, Glass] = field(default_factory=dict)

    @property
    def plain(self) -> bool:
        """Whether everybody is in everything: nobody has made a project, and nobody is out of the house."""
        return len(self.about) == 1 and not self.members.get(EVERYBODY)


def unbound(who: Person) -> bool:
    """Whether no project binds somebody: the house itself, and whoever owns the folder."""
    return who is HOUSE or isinstance(who, Owner)


def role_in(known: Known, who: Person, project: str) -> Role | None:
    """What somebody is in a project; None where they are not in it.

    >>> role_in(Known(), Person("ito", Role.READER), "house").value
    'reader'
    >>> role_in(Known(), Person("ito", Role.READER), "trial") is None
    True
    """
    if who.role is Role.NONE:
        return None
    said = known.members.get(project, {}).get((who.of, who.name))
    if said is None:
        return who.role if project == EVERYBODY else None
    return None if said is Role.NONE else said


@cache
def only_of(role: Role) -> frozenset[str]:
    """The verbs that a role may."""
    return frozenset(name for name, rule in RULES.items() if role in rule.roles)


def reach(known: Known, who: Person, verb: str, now: datetime) -> Reach | None:
    """Of which studies somebody may ask by a verb; None: of all.

    What the account's own role may not do at all is asked of `policy.must` and not here.
    """
    if unbound(who) or known.plain:
        return None
    held = frozenset(p for p in known.about if (role := role_in(known, who, p)) and verb in only_of(role))
    if len(held) == len(known.about):
        return None
    opened = frozenset(g.study_uid for g in known.glasses.values() if g.lives(now) and _is_of(g, who))
    return Reach(held, opened if verb in GLASS else frozenset())


def glass_of(known: Known, who: Person, study_uid: str, now: datetime) -> Glass | None:
    """The broken glass through which somebody sees a study now."""
    mine = (g for g in known.glasses.values() if g.study_uid == study_uid and _is_of(g, who) and g.lives(now))
    return max(mine, key=lambda g: g.until, default=None)


def _is_of(glass: Glass, who: Person) -> bool:
    return who.of == "account" and glass.who == who.name


# ---- what is said, as events


def found(known: Known, name: str, about: str, *, keeper: str = "", who: str, now: datetime) -> Event:
    """The event that makes a project, or says anew what it is.

    Raises:
        Refused: a name that is not of small letters, digits, ``-`` and ``_``, or no words about it.
    """
    if not _NAME.fullmatch(name):
        raise Refused(
            f"the name '{name:.40}'", "a project has small letters, digits, - and _, at most 40", "write it so"
        )
    if name not in known.about and len(about.strip()) < 3:
        raise Refused("a project without a word about it", "nobody could tell what belongs to it", "say what it is")
    told = {"about": (about.strip() or known.about.get(name, ""))[:500], "keeper": keeper}
    return Event(Kind.PROJECT_SET, now, who, name, told)


def join(known: Known, project: str, name: str, role: Role, *, of: str = "account", who: str, now: datetime) -> Event:
    """The event after which somebody is something in a project; `Role.NONE` puts them out.

    Raises:
        NotFound: no such project. Refused: nobody named, or a role that a system or a person cannot have.
    """
    _must_be(known, project)
    _must_name(name, of)
    if role is Role.PATIENT or (of == "aet" and role not in (Role.SERVICE, Role.NONE)):
        raise Refused(
            f"the role '{role}' for {of} '{name:.64}'",
            "it is none that one can have in a project",
            "choose reader, researcher, planner or admin for a person, service for a system",
        )
    return Event(Kind.PROJECT_JOINED, now, who, project, {"name": name, "of": of, "role": role.value})


def rule(known: Known, project: str, sender: str, *, of: str = "aet", who: str, now: datetime) -> Event:
    """The event after which new studies from a sender are at home in a project.

    Raises:
        NotFound: no such project. Refused: nobody named.
    """
    _must_be(known, project)
    _must_name(sender, of)
    return Event(Kind.PROJECT_RULED, now, who, project, {"sender": sender, "of": of})


def break_glass(
    study_uid: str, project: str, *, reason: str, life: timedelta, reviewer: str, who: Person, now: datetime
) -> Event:
    """The event that shows a study of another project to one person for a while.

    Raises:
        Refused: no reason that somebody could judge, or a time that is none or too long.
        Forbidden: it is asked by a system and not by a person.
    """
    if who.role in (Role.SERVICE, Role.NONE) or who.of != "account":
        raise Forbidden("an emergency of a system", "only a person can answer for one (rule 'glass')", "sign in")
    if len(reason.strip()) < _ENOUGH:
        raise Refused("no reason", f"{reviewer or 'somebody else'} will look through it", "say why in a sentence")
    if not timedelta() < life <= LONGEST:
        hours = LONGEST.total_seconds() / 3600
        raise Refused(
            f"a broken glass for {life}",
            f"it shows the study for more than nothing and at most {hours:.0f} h",
            "ask for as long as you need, and again where it ends too early",
        )
    told = {
        "id": secrets.token_hex(8), "reason": reason.strip()[:1000], "until": (now + life).isoformat(),
        "reviewer": reviewer, "project": project,
    }  # fmt: skip
    return Event(Kind.GLASS_BROKEN, now, who.name, study_uid, told)


def end_glass(known: Known, id: str, *, who: Person, now: datetime) -> Event:
    """The event by which somebody closes what they opened, before its time.

    Raises:
        NotFound: none of theirs of that name is open.
    """
    one = known.glasses.get(id)
    if one is None or not _is_of(one, who) or not one.lives(now):
        raise NotFound(
            f"broken glass '{id:.20}'", "none of yours of that name is open", "look at the list: it may have ended"
        )
    return Event(Kind.GLASS_ENDED, now, who.name, one.study_uid, {"id": id})


def review(known: Known, id: str, justified: bool, words: str, *, who: Person, now: datetime) -> Event:
    """The event by which another person has looked through it.

    Raises:
        NotFound: there is none of that name that this person is asked about.
        Forbidden: it is their own. WrongState: somebody has done it.
        Refused: it is called unjustified without a word.
    """
    one = known.glasses.get(id)
    if one is not None and _is_of(one, who):
        raise Forbidden("one's own emergency", "another person looks through it (rule 'glass_review')")
    if one is None or not may_review(one, who):
        raise NotFound(f"broken glass '{id:.20}'", "you are asked about none of that name", "look at the list")
    if one.reviewed:
        raise WrongState(
            f"broken glass '{id:.20}'", f"{one.reviewed} has looked through it already", "nothing is left to do"
        )
    if not justified and len(words.strip()) < 3:
        raise Refused("a judgement without a word", "whoever did it must be able to answer", "say what was wrong")
    told = {"id": id, "justified": justified, "words": words.strip()[:1000]}
    return Event(Kind.GLASS_REVIEWED, now, who.name, one.study_uid, told)


def may_review(glass: Glass, who: Person) -> bool:
    """Whether somebody is asked about a broken glass: the named reviewer, and any administrator where there is none or
    since they were called. A review that hangs on one person would never come where that person is away."""
    if unbound(who):
        return True
    if who.of != "account" or glass.who == who.name:
        return False
    if glass.reviewer == who.name:
        return True
    return who.role is Role.ADMIN and (glass.climbed or not glass.reviewer)


def _must_be(known: Known, project: str) -> None:
    if project not in known.about:
        raise NotFound(f"project '{project:.40}'", "there is none of that name", "found it first")


def _must_name(name: str, of: str) -> None:
    if of not in _OF or not name.strip() or len(name) > 64:
        raise Refused(
            f"'{name:.64}' of '{of:.20}'",
            f"it names nobody; known are {' and '.join(_OF)}",
            "give a name of at most 64 letters, and one of these",
        )


# ---- what the events leave


def after(known: Known, events: Iterable[Sealed]) -> Known:
    """The projects as these events leave them."""
    about, keepers, senders = dict(known.about), dict(known.keepers), dict(known.senders)
    members = {p: dict(those) for p, those in known.members.items()}
    glasses = dict(known.glasses)
    for sealed in events:
        event, told = sealed.event, sealed.event.details
        if event.kind is Kind.PROJECT_SET:
            about[event.subject] = str(told["about"])
            keepers[event.subject] = str(told.get("keeper", "")) or keepers.get(event.subject, "")
        elif event.kind is Kind.PROJECT_JOINED:
            members.setdefault(event.subject, {})[told["of"], told["name"]] = Role(told["role"])
        elif event.kind is Kind.PROJECT_RULED:
            senders[told["of"], told["sender"]] = event.subject
        elif event.kind is Kind.GLASS_BROKEN:
            glasses[told["id"]] = Glass(
                told["id"], event.subject, event.who, told["project"], told["reason"], event.time,
                datetime.fromisoformat(told["until"]), told["reviewer"],
            )  # fmt: skip
        elif event.kind is Kind.ALERT_CLIMBED and told["id"] in glasses:
            glasses[told["id"]] = replace(glasses[told["id"]], climbed=True)
        elif event.kind is Kind.GLASS_ENDED and told["id"] in glasses:
            glasses[told["id"]] = replace(glasses[told["id"]], ended=event.time)
        elif event.kind is Kind.GLASS_REVIEWED and told["id"] in glasses:
            glasses[told["id"]] = replace(
                glasses[told["id"]], reviewed=event.who, justified=bool(told["justified"]), words=told["words"]
            )
    return Known(
        MappingProxyType(about), MappingProxyType(keepers), MappingProxyType(members), MappingProxyType(senders),
        MappingProxyType(glasses),
    )  # fmt: skip


def reviewer_of(known: Known, project: str, who: Person, people: Sequence[Person]) -> str:
    """Who looks through it when this person breaks the glass of a project: its keeper, else another administrator of
    the project, else another of the site; empty where there is none."""
    there = {p.name: p for p in people if p.name != who.name}
    keeper = known.keepers.get(project, "")
    if keeper in there:
        return keeper
    admins = sorted(name for name, p in there.items() if p.role is Role.ADMIN)
    inside = [name for name in admins if role_in(known, there[name], project) is not None]
    return next(iter((*inside, *admins)), "")
