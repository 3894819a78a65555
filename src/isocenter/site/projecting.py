"""Which studies somebody may ask for: the rule of `govern.projects`, kept level with the journal.

A verb about one study need not think of projects: `guard` reads from its parameters which study it is about and lets
nobody further who may not ask for it, in the words for one that does not exist; within the verb, `who` may no more
than what they are in its project. A verb that lists or searches asks `reach`, and the index leaves out the others.
"""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, lru_cache, wraps
from typing import TYPE_CHECKING, Any, Protocol

from isocenter.errors import NotFound, Refused, WrongState
from isocenter.govern import projects as rules
from isocenter.govern.policy import Person, Role, may, must
from isocenter.reading.alerts import LIMITS
from isocenter.record import Event, Kind, Sealed
from isocenter.record.project import EVERYBODY, ORDER, PATIENT, STEP, WORKITEM, Reach
from isocenter.record.study import no_study

if TYPE_CHECKING:
    from isocenter.store.homes import Homes
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["ORDER", "STEP", "Projects", "names_study"]

_PAGE = 5000
_SPEAK = (*rules.KINDS, Kind.STUDY_HOMED)
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_OF_OTHERS = {
    **dict.fromkeys((Kind.ORDER_PLACED, Kind.ORDER_CANCELLED), ORDER),
    **dict.fromkeys((Kind.STEP_BEGUN, Kind.STEP_CHANGED), STEP),
    **dict.fromkeys(
        (Kind.WORKITEM_CREATED, Kind.WORKITEM_CHANGED, Kind.WORKITEM_CANCEL_ASKED, Kind.WORKITEM_WATCHED), WORKITEM
    ),
    **dict.fromkeys((Kind.PATIENT_TOLD, Kind.MESSAGE_HEARD, Kind.PATIENTS_MERGED), PATIENT),
}
"""Events whose subject is no study, each with what stands before it where its home is kept. What is said of a patient
as a whole is told to the house."""
_BLIND = frozenset({Kind.PEER_REVIEWED, Kind.PEER_ARBITRATED, Kind.DOUBLE_READ_LOCKED, Kind.DOUBLE_READ_SETTLED})
"""Acts on what is read blind, which name no study: whoever is not in every project hears of their own."""
_COHORTS = frozenset({Kind.COHORT_FROZEN, Kind.COHORT_EXPORTED, Kind.COHORT_TAGGED})
_WHOLE = frozenset({Kind.SCRUBBED, Kind.BACKED_UP, Kind.BACKUP_REHEARSED, Kind.RESTORED, Kind.HEADERS_READ})
"""What was done to the archive as a whole: its numbers are those of every project."""
_TAKEN = frozenset({Kind.AUDIT_EXPORTED, Kind.FIGURES_TAKEN, Kind.EXPORTED})
"""What somebody took of all that is theirs, without a subject: how much that is, is their own business."""
_FOUNDED = frozenset({Kind.PROJECT_SET, Kind.PROJECT_JOINED, Kind.PROJECT_RULED})
_GLASS = frozenset({Kind.GLASS_BROKEN, Kind.GLASS_ENDED, Kind.GLASS_REVIEWED, Kind.ALERT_CLIMBED})
_SEALED = frozenset({Kind.PROJECT_SEALED, Kind.PROJECT_ERASED, Kind.KEY_ROTATED})
"""Acts on a project, which is their subject; what is in it is counted in the second."""
_BROUGHT = frozenset({Kind.BATCH_TAKEN, Kind.INSTANCES_REJECTED})
_OF_A_PATIENT = frozenset({Kind.CONSENT_GIVEN, Kind.CONSENT_WITHDRAWN})
_ONE, _MANY = ("study_uid", "study"), ("studies",)
"""Parameters of verbs that name a study, or several."""


def _nothing(name: str, study_uid: str) -> None:
    pass


class Keeps(Protocol):
    """What keeps studies under the keys of their projects."""

    def must_take(self, study_uid: str, project: str) -> None:
        """Go on only if the study can be kept in that project as it has to be."""

    def follow(self, study_uid: str) -> bool:
        """Keep the study under the key of the project in which it is now; whether anything was left to do."""


@dataclass
class Projects:
    """The projects of one archive.

    Args:
        index: where accounts are looked up.
        homes: of its studies, in the index.
        journal: what tells that something has changed, also by another process.
        clock: aware UTC.
        sealing: what keeps a study that moves under the key of the project into which it goes.
        look_anew: called with an account and a study before they see it in an emergency: what they see from then on is
            told anew, also where they looked a moment ago.
    """

    index: Index
    homes: Homes
    journal: Journal
    clock: Callable[[], datetime]
    sealing: Keeps | None = None
    look_anew: Callable[[str, str], None] = _nothing

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._level = -1
        self._known = rules.Known()
        self._homes: dict[str, str] = {}

    # ---- what holds now --------------------------------------------------------------------------------------

    def home(self, study_instance_uid: str) -> str:
        """Name of the project in which a study is at home: ``house`` where nothing else was said, or of one that is
        not here yet. Where an arrival will be at home, `home_of_arrival` says."""
        self.known()
        return self._homes.get(study_instance_uid, EVERYBODY)

    def home_of_arrival(self, study_instance_uid: str, who: Person, *, project: str = "") -> str:
        """The home of a study of which something arrives: the one that it has, else what the sender named, else what
        the rule for the sender says."""
        known = self.known()
        if study_instance_uid in self._homes or self.homes.known((study_instance_uid,)):
            return self.home(study_instance_uid)
        return project or self._sent_by(known, who)

    def arriving(self, who: Person, *, project: str = "") -> tuple[str, Reach | None, Reach | None]:
        """Where new studies of a sender are at home, to which studies it may add, and which it may reject.

        Raises:
            NotFound: it names a project that it may not send to.
        """
        known, now = self.known(), self.clock()
        reach = rules.reach(known, who, "receive", now)
        if project and (project not in known.about or (reach is not None and project not in reach.projects)):
            raise _no_project(project)
        home = project or self._sent_by(known, who)
        adds = None if reach is None else Reach(reach.projects | {home}, reach.studies)
        return home, adds, rules.reach(known, who, "reject", now)

    def homed(self, of: str, who: Person, now: datetime) -> list[Event]:
        """The event that puts an order, a step or a work item where what its sender sends is at home; none where that
        is the house, or it has a home."""
        project = self._sent_by(self.known(), who)
        if project == EVERYBODY or of in self._homes:
            return []
        told = {"project": project, "was": "", "reason": f"sent by {who.name}"}
        return [Event(Kind.STUDY_HOMED, now, who.name, of, told)]

    def homed_as(self, old: str, new: str, who: Person, now: datetime) -> list[Event]:
        """The event that puts what replaces something where that is at home; none where that is the house."""
        project = self.home(old)
        if project == EVERYBODY:
            return []
        return [Event(Kind.STUDY_HOMED, now, who.name, new, {"project": project, "was": "", "reason": "it replaces"})]

    def home_of_sender(self, who: Person) -> str:
        """Where what a sender sends is at home, as the rule for it says."""
        return self._sent_by(self.known(), who)

    @staticmethod
    def _sent_by(known: rules.Known, who: Person) -> str:
        return known.senders.get((who.of, who.name), EVERYBODY)

    def reach(self, who: Person, verb: str) -> Reach | None:
        """Of which studies somebody may ask by a verb; None: of all."""
        return rules.reach(self.known(), who, verb, self.clock())

    def holds(self, study_uid: str, who: Person, verb: str) -> bool:
        """Whether somebody may ask for a study by a verb, as far as projects go."""
        reach = self.reach(who, verb)
        return reach is None or reach.holds(study_uid, self.home(study_uid))

    def those(
        self, rows: Iterable[dict[str, Any]], who: Person, verb: str, *, of: str = "study"
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Rows whose study (or every one of whose studies) somebody may ask for by a verb; a row about none stays.

        Args:
            of: under which name a row has its Study Instance UID, or several.
        """
        reach = self.reach(who, verb)
        if reach is None:
            return list(rows)

        def held(row: dict[str, Any]) -> bool:
            named = [row[of]] if isinstance(row[of], str) else row[of]
            return all(reach.holds(uid, self.home(uid)) for uid in named if uid)

        return [row for row in rows if held(row)]

    def together(self, one: str, other: str) -> bool:
        """Whether two studies are at home in one project."""
        return self.home(one) == self.home(other)

    def sieve(self, who: Person, verb: str) -> Callable[[str], bool]:
        """`holds` of many: the journal is asked once."""
        reach = self.reach(who, verb)
        if reach is None:
            return lambda of: True
        homes = self._homes
        return lambda of: reach.holds(of, homes.get(of, EVERYBODY))

    def hears(self, sealed: Sealed, who: Person) -> bool:
        """Whether somebody may hear of an event, as far as it is about a study, an order, or a work item."""
        event = sealed.event
        reach = self.reach(who, "events")
        if reach is None:
            return True
        if event.kind in _WHOLE:
            return False
        if event.kind in _COHORTS or (event.kind in _TAKEN and not event.subject):
            return event.who == who.name
        if event.kind in _FOUNDED and may(who, "project"):
            return True
        if event.kind in _GLASS and self._asked_about(str(event.details.get("id", "")), who):
            return True
        if (project := self._project_of(event)) is not None:
            return project in reach.projects
        told = event.details
        about = [str(uid) for uid in (*told.get("studies", ()), *([told["study"]] if "study" in told else ()))]
        of = _OF_OTHERS.get(event.kind)
        if of is not None or event.subject in self._homes or _UID.fullmatch(event.subject):
            about.append(f"{of or ''}{event.subject}")
        if event.kind in _BLIND and not about:
            return event.who == who.name
        return all(reach.holds(one, self.home(one)) for one in about)

    def _project_of(self, event: Event) -> str | None:
        """The project that an event without a study is about; None for any other."""
        if event.kind in _FOUNDED | _SEALED or (
            event.kind is Kind.ERASURE_ASKED and event.details["what"] == "project"
        ):
            return event.subject
        if event.subject:
            return None
        if event.kind in _BROUGHT:  # before anybody knew of which study
            senders, name = self.known().senders, event.who
            ruled = senders.get(("aet", name)) or senders.get(("account", name)) or EVERYBODY
            return str(event.details.get("project") or ruled)
        return EVERYBODY if event.kind in _OF_A_PATIENT else None

    def at(self, study_uid: str, who: Person) -> Person:
        """Somebody as they are towards one study.

        Raises:
            NotFound: they may not ask for it; the same as for one that the archive does not have.
        """
        known = self.known()
        if rules.unbound(who) or known.plain or not study_uid:
            return who
        role = rules.role_in(known, who, self.home(study_uid))
        glass = rules.glass_of(known, who, study_uid, self.clock())
        if role is None and glass is None:
            self.homes.known((study_uid,))  # as for one that the archive does not have: how long it takes tells, too
            raise no_study(study_uid)
        if not self._is_here(study_uid, known, who):
            raise no_study(study_uid)
        only = rules.only_of(role) if role is not None else frozenset()
        return replace(who, only=only | rules.GLASS if glass is not None else only)

    def _is_here(self, study_uid: str, known: rules.Known, who: Person) -> bool:
        """Whether the archive has ever had a study. Whoever is in every project may be told by the verb itself."""
        if study_uid in self._homes or all(rules.role_in(known, who, p) is not None for p in known.about):
            return True
        return bool(self.homes.known((study_uid,)))

    def known(self) -> rules.Known:
        """The projects as they are now."""
        with self._lock:
            head, news = self.journal.level(self._level, _SPEAK)
            if head != self._level:
                if head < self._level or self._level < 0:  # at the start, or the archive was put back to an older copy
                    self._known, self._level = rules.Known(), 0
                    at, self._homes = self.homes.all()
                    self._follow((*rules.KINDS,), head)
                    self._level = min(at, head)
                    self._follow((Kind.STUDY_HOMED,), head)
                    self._level = head
                else:
                    # A page may hold what was written after the head was asked for: it is not to be folded again.
                    self._level = max(head, self._follow(_SPEAK, head) if news else 0)
            return self._known

    def _follow(self, kinds: Sequence[Kind], head: int) -> int:
        """Fold what was said since; the number of the last entry that was."""
        number = self._level
        while number < head and (page := self.journal.since(number, kinds=kinds, limit=_PAGE)):
            self._known = rules.after(self._known, page)
            for sealed in page:
                if sealed.event.kind is Kind.STUDY_HOMED:
                    self._homes[sealed.event.subject] = str(sealed.event.details["project"])
            number = page[-1].number
        return number

    # ---- the verbs -------------------------------------------------------------------------------------------

    def listed(self, *, who: Person) -> list[dict[str, Any]]:
        """The projects that somebody is in, by name; all of them, with who is in them, for whoever runs projects."""
        must(who, "projects")
        known, runs = self.known(), may(who, "project")
        told = []
        for name in sorted(known.about):
            role = who.role if rules.unbound(who) else rules.role_in(known, who, name)
            if role is None and not runs:
                continue
            row: dict[str, Any] = {"name": name, "about": known.about[name], "mine": role.value if role else ""}
            if runs:
                there = sorted(known.members.get(name, {}).items())
                row["keeper"] = known.keepers.get(name, "")
                row["members"] = [{"of": of, "name": one, "role": r.value} for (of, one), r in there]
                sent = sorted(s for s, project in known.senders.items() if project == name)
                row["senders"] = [{"of": of, "sender": one} for of, one in sent]
            told.append(row)
        return told

    def found(self, name: str, about: str = "", *, keeper: str = "", who: Person) -> None:
        """Make a project, or say anew what it is and who looks through broken glass there."""
        must(who, "project")
        if keeper:
            self._account(keeper)
        self._append(rules.found(self.known(), name, about, keeper=keeper, who=who.name, now=self.clock()))

    def join(self, project: str, name: str, role: Role | str, *, of: str = "account", who: Person) -> None:
        """Let an account or an AE title into a project, or put it out with the role ``none``."""
        must(who, "project")
        if of == "account":
            self._account(name)
        try:
            wanted = Role(role)
        except ValueError:
            raise Refused(f"the role '{role:.40}'", "no rule knows it", f"take one of {', '.join(Role)}") from None
        self._append(rules.join(self.known(), project, name, wanted, of=of, who=who.name, now=self.clock()))

    def rule(self, project: str, sender: str, *, of: str = "aet", who: Person) -> None:
        """Have new studies that an AE title or an account sends be at home in a project."""
        must(who, "project")
        self._append(rules.rule(self.known(), project, sender, of=of, who=who.name, now=self.clock()))

    def move(self, study_uid: str, project: str, *, reason: str, who: Person) -> None:
        """Put a study into another project; what is sealed is from then on under that project's key.

        Called again after it was killed, it does what is left.

        Raises:
            NotFound: no such study, or no such project.
            Refused: no reason, or it is there; or what is sealed would go where nothing is.
            Unavailable: the disk of the keys said no; the study is there, and the next call goes on.
        """
        must(who, "project")
        known, was = self.known(), self.home(study_uid)
        if project not in known.about:
            raise _no_project(project)
        if not self.homes.known((study_uid,)):
            raise no_study(study_uid)
        if was == project and self.sealing is not None and self.sealing.follow(study_uid):
            return
        if was == project or len(reason.strip()) < 3:
            raise Refused(
                f"a move to '{project}'", "it is there already, or nobody could tell why it went", "say where and why"
            )
        if self.sealing is not None:
            self.sealing.must_take(study_uid, project)
        told = {"project": project, "was": was, "reason": reason.strip()[:500]}
        self._append(Event(Kind.STUDY_HOMED, self.clock(), who.name, study_uid, told))
        if self.sealing is not None:
            self.sealing.follow(study_uid)

    def of_study(self, study_uid: str, *, who: Person) -> dict[str, Any]:
        """The home of a study, and the broken glass through which this person sees it, for the mark on their screen."""
        must(who, "study", study_uid)
        now = self.clock()
        glass = rules.glass_of(self.known(), who, study_uid, now)
        return {"study": study_uid, "project": self.home(study_uid), "glass": glass.told(now) if glass else None}

    # ---- broken glass ----------------------------------------------------------------------------------------

    def break_glass(self, uid: str, *, reason: str, minutes: float = 60.0, who: Person) -> dict[str, Any]:
        """See a study of a project that one is not in, for a while; another person looks through it afterwards.

        Raises:
            Forbidden: a system asks, or a role that does not treat patients. NotFound: no such study.
            Refused: no reason, or too long. WrongState: this person may see the study anyhow.
        """
        must(who, "glass")
        known, now = self.known(), self.clock()
        if not self.homes.known((uid,)):
            raise no_study(uid)
        if self.holds(uid, who, "study"):
            raise WrongState("a study that you may see", "nothing has to be broken for it", "open it")
        home = self.home(uid)
        people = [Person(p["name"], p["role"]) for p in self.index.people() if not p["disabled"]]
        reviewer = rules.reviewer_of(known, home, who, [p for p in people if may(p, "glass_review")])
        event = rules.break_glass(
            uid, home, reason=reason, life=timedelta(minutes=minutes), reviewer=reviewer, who=who, now=now
        )
        self.look_anew(who.name, uid)
        self._append(event)
        return self.known().glasses[event.details["id"]].told(now)

    def end_glass(self, id: str, *, who: Person) -> None:
        """Close what one opened, before its time."""
        must(who, "glass")
        self._append(rules.end_glass(self.known(), id, who=who, now=self.clock()))

    def review(self, id: str, justified: bool, words: str = "", *, who: Person) -> None:
        """Say, as another person, whether the glass was rightly broken; of two at once, one does."""
        must(who, "glass_review")
        glass, now = self.known().glasses.get(id), self.clock()

        def rule(history: Sequence[Sealed]) -> Sequence[Event]:
            there = rules.after(rules.Known(), history)
            return [rules.review(there, id, justified, words, who=who, now=now)]

        self.journal.decide(glass.study_uid if glass is not None else "", rules.KINDS, rule)

    def to_review(self, *, who: Person) -> list[dict[str, Any]]:
        """Broken glass that this person is asked about, what waits first, each with what was seen through it, who is
        asked and how much time is left until every other administrator is (negative: past it)."""
        must(who, "glass_review")
        now = self.clock()
        mine = [g for g in self.known().glasses.values() if rules.may_review(g, who)]
        mine.sort(key=lambda g: (bool(g.reviewed), -g.begun.timestamp()))
        return [
            {**g.told(now), "seen": self._seen(g), "left_s": (LIMITS[1] - (now - g.begun)).total_seconds()}
            for g in mine
        ]

    def glass(self, *, who: Person) -> list[dict[str, Any]]:
        """What this person has broken and is still open, for the mark on their screen."""
        must(who, "me")
        now = self.clock()
        return [g.told(now) for g in self.known().glasses.values() if g.who == who.name and g.lives(now)]

    def _asked_about(self, id: str, who: Person) -> bool:
        """Whether this person is to look through it: they are called at once, whatever projects they are in."""
        glass = self.known().glasses.get(id)
        return glass is not None and may(who, "glass_review") and rules.may_review(glass, who)

    def _seen(self, glass: rules.Glass) -> list[str]:
        """What the journal tells of this person at this study while the glass was broken, in its own words."""
        end = glass.ended or glass.until
        told = self.journal.each(subject=glass.study_uid, who=glass.who, kinds=(Kind.VIEWED, Kind.IMAGES_SEEN))
        return sorted({str(s.event.details.get("what", "")) for s in told if glass.begun <= s.event.time <= end})

    def _account(self, name: str) -> None:
        if self.index.person(name) is None:
            raise NotFound(f"account '{name:.64}'", "nobody has that name", "add it first")

    def _append(self, event: Event) -> None:
        self.journal.append(event)

    # ---- verbs about one study -------------------------------------------------------------------------------

    def guard(self, *trades: object) -> None:
        """Let nobody through the verbs of these who may not ask for the study that they are about."""
        for trade in trades:
            kind: Any = type(trade)  # a class is no Hashable to the checker of types
            for name, named in _about_a_study(kind):
                object.__setattr__(trade, name, self._guarded(getattr(trade, name), named))

    def _guarded(self, verb: Callable[..., Any], named: tuple[tuple[str, int], ...]) -> Callable[..., Any]:
        @wraps(verb)
        def guarded(*given: Any, **said: Any) -> Any:
            who: Person = said["who"]
            for name, place in named:
                value = said[name] if name in said else given[place] if place < len(given) else ""
                for uid in (value,) if isinstance(value, str) else _uids(value):
                    said["who"] = _both(said["who"], self.at(uid, who))
            return verb(*given, **said)

        return guarded


@cache  # of each kind of trade once, and not at every start of an archive
def _about_a_study(kind: type[Any]) -> tuple[tuple[str, tuple[tuple[str, int], ...]], ...]:
    """Verbs of a trade that name a study, each with the parameters by which it does."""
    verbs = ((name, inspect.getattr_static(kind, name)) for name in dir(kind) if not name.startswith("_"))
    return tuple((name, names_study(verb)) for name, verb in verbs if inspect.isfunction(verb) and names_study(verb))


@lru_cache(maxsize=1024)
def names_study(verb: Callable[..., Any]) -> tuple[tuple[str, int], ...]:
    """Parameters by which a verb that somebody asks for names its study, each with its place; empty for others."""
    parameters = {n: p for n, p in inspect.signature(verb).parameters.items() if n != "self"}
    if "who" not in parameters or parameters["who"].kind is not inspect.Parameter.KEYWORD_ONLY:
        return ()
    return tuple((name, place) for place, name in enumerate(parameters) if name in (*_ONE, *_MANY))


def _uids(value: Iterable[Any] | None) -> list[str]:
    return [one for one in value or () if isinstance(one, str)]


def _both(one: Person, other: Person) -> Person:
    """Somebody who may what they may towards one study and towards another."""
    if one.only is None or other.only is None:
        return one if other.only is None else other
    return replace(one, only=one.only & other.only)


def _no_project(name: str) -> NotFound:
    return NotFound(f"project '{name:.40}'", "there is none of that name for you", "look at the list of projects")
