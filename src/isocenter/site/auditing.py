"""The journal as people read it: sentences, filters, pages, and whether its chain still holds.

An entry is told as a sentence without what was said of a patient: who did what to which study, and when. The chain of
hashes is walked from the first entry to the last; where one byte was changed, the first entry that does not fit is
named, and nothing after it can be trusted.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

from isocenter.errors import Refused
from isocenter.govern.heads import Head, checked, signed
from isocenter.govern.policy import Person, may, must
from isocenter.govern.tickets import NUMBERS, Tickets
from isocenter.population.table import count_of
from isocenter.record import Event, Kind, Sealed, canonical, digest_of

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["Auditing", "Query", "query_of", "sentence"]

_PAGE = 2000
_SEARCHED = {
    "PATIENT": "the patients", "STUDY": "the studies", "SERIES": "the series", "IMAGE": "the images",
    "WORKLIST": "the worklist", "WORKITEM": "the work items", "ORDER": "the orders", "STEP": "the performed steps",
    "COHORT": "people of a cohort",
}  # fmt: skip
_LOOKED = 100_000  # entries that one request looks through before it answers with what it has
_FRESH = timedelta(seconds=20)
_UNEVEN = timedelta(days=1)  # so far a clock that was set back may put entries out of the order of time
_WORDS = {
    Kind.INSTANCES_RECEIVED: "sent {n}",
    Kind.INSTANCE_SET_ASIDE: "sent an image that differs from the one held; it was set aside",
    Kind.INSTANCES_REJECTED: "sent {count} files that were rejected",
    Kind.BATCH_TAKEN: "offered {offered} files: {stored} stored, {there} there before, {conflict} set aside, "
    "{rejected} rejected",
    Kind.PLANNED: "planned its analyses",
    Kind.DECLINED: "declined an analysis",
    Kind.RESULT_MADE: "recorded result {result}",
    Kind.ANALYSIS_FAILED: "could not analyse it",
    Kind.RESEARCH_RUN: "asked for {analysis} on it for research: {answer}",
    Kind.READING_ASSIGNED: "asked {to} to read it",
    Kind.READING_OPENED: "opened it to read",
    Kind.READING_CLOSED: "left it unsigned",
    Kind.OPINION_TYPED: "typed a line of a first opinion",
    Kind.OPINION_LOCKED: "locked a first opinion ({report})",
    Kind.REPORT_DRAFTED: "changed words of the report",
    Kind.REPORT_SIGNED: "signed report {report}",
    Kind.REPORT_AMENDED: "signed amendment {report}",
    Kind.SENT: "sent {objects} objects to {destination}",
    Kind.ASKED_ELSEWHERE: "asked {peers} for studies of its patient",
    Kind.FETCH_ASKED: "asked that {peer} send study {study}",
    Kind.FETCHED: "had {peer} send study {study}: {came} objects came, {failed} failed",
    Kind.SEND_FAILED: "could not send {failed} of {objects} objects to {destination}",
    Kind.PERSON_ADDED: "set up the account",
    Kind.PERSON_CHANGED: "changed the account: {what}",
    Kind.SIGNED_IN: "signed in",
    Kind.SIGN_IN_REFUSED: "was refused at the door",
    Kind.SIGNED_OUT: "signed out",
    Kind.VIEWED: "looked at its {what}",
    Kind.QUERIED: "searched {level}{by}",
    Kind.EXPORTED: "exported {objects} objects, {held_back} held back",
    Kind.REFUSED: "was refused: {what}",
    Kind.MODEL_TRAINED: "trained the model",
    Kind.MODEL_JUDGED: "judged the model",
    Kind.MODEL_MEASURED: "measured the model on {n} cases that are no sealed test",
    Kind.MAP_TESTED: "tested whether the model's map {map} may be shown",
    Kind.MODEL_STEPPED: "took the model's step {step}: {state}",
    Kind.WATCH_ALARMED: "heard an alarm over the model: {chart}",
    Kind.CHANGE_DECLARED: "declared what may change of the model",
    Kind.TEST_SEALED: "sealed a test set of the model",
    Kind.TEST_LOOKED: "looked at the model's sealed test set, look {look}",
    Kind.TEST_CASES_OPENED: "opened single cases of the model's sealed test set",
    Kind.EXAMPLES_TAKEN: "took training examples from signed reports",
    Kind.FEDERATION_JOINED: "joined a federation",
    Kind.FEDERATION_ROUND: "took part in a round of a federation",
    Kind.FEDERATION_DONE: "took the weights of a federation",
    Kind.PEER_ADDED: "added the peer",
    Kind.STAMPED: "told that it was {stamp} at {at}",
    Kind.OUTCOME_KNOWN: "told what turned out to be true for {analysis}",
    Kind.PEER_DRAWN: "drew a case for peer learning",
    Kind.PEER_REVIEWED: "reviewed a drawn case",
    Kind.PEER_ARBITRATED: "settled a drawn case",
    Kind.DOUBLE_READ_ASKED: "asked for a double reading",
    Kind.DOUBLE_READ_LOCKED: "locked an opinion in a double reading",
    Kind.DOUBLE_READ_SETTLED: "settled a double reading",
    Kind.FOLLOW_UP_ASKED: "recommended a follow-up until {due}",
    Kind.FOLLOW_UP_MATCHED: "found the follow-up examination",
    Kind.FOLLOW_UP_CLOSED: "closed a follow-up",
    Kind.REMARKED: "spoke with a colleague about it",
    Kind.SETTINGS_CHANGED: "changed settings",
    Kind.COHORT_FROZEN: "froze the cohort {name} of {n} studies",
    Kind.COHORT_EXPORTED: "took out {rows} rows of the cohort {name}",
    Kind.COHORT_COUNTED: "was told the numbers of other groups of people",
    Kind.COHORT_RENEWED: "let the account ask for more groups: {reason}",
    Kind.COHORT_TAGGED: "gave studies of a cohort tag {tag}, or took it off",
    Kind.CRITICAL_TOLD: "told somebody of a critical result",
    Kind.CRITICAL_ESCALATED: "asked everybody: a critical result was told to nobody in time",
    Kind.ANALYSIS_STOPPED: "stopped it everywhere",
    Kind.STOP_EXPLAINED: "said why it was stopped",
    Kind.STOP_REHEARSED: "rehearsed a stop of it, by which nothing was stopped",
    Kind.ANALYSIS_RESUMED: "started it again",
    Kind.MODE_PROPOSED: "asked for the mode {mode} in {use}",
    Kind.MODE_SET: "set the mode {mode} in {use}",
    Kind.IMAGES_SEEN: "saw its images",
    Kind.SHARED: "gave a link to it until {until}",
    Kind.SHARE_USED: "looked through the link at it ({what})",
    Kind.SHARE_EXTENDED: "let link {share} open until {until}",
    Kind.SHARE_ENDED: "ended link {share}",
    Kind.SHARE_TAKEN: "took it into another archive: {expected} images expected, {stored} stored, {missing} missing",
    Kind.IDENTITY_STATED: "said who they are who hold link {share}",
    Kind.IDENTITY_JUDGED: "answered who holds link {share}; accepted: {accepted}",
    Kind.CONSENT_GIVEN: "recorded terms of use {consent}",
    Kind.CONSENT_WITHDRAWN: "recorded that consent was withdrawn",
    Kind.CONSENT_ASKED: "asked the {of} for consent to {purpose}",
    Kind.CONSENT_ANSWERED: "answered a request for consent; granted: {granted}",
    Kind.PSEUDONYMS_CHANGED: "changed a secret; older ones destroyed: {destroyed}",
    Kind.AUDIT_EXPORTED: "took entries of the journal out as {form}",
    Kind.FIGURES_TAKEN: "took figures of {of} out, {rows} rows",
    Kind.HEADERS_LEARNT: "learnt more from its stored headers",
    Kind.HEADERS_READ: "read the headers of {images} images again, and learnt of {learnt}",
    Kind.SCRUBBED: "read every stored file and mended {mended}",
    Kind.DAMAGE_FOUND: "met a damaged file ({what}): {digest}",
    Kind.BACKED_UP: "made a backup",
    Kind.BACKUP_REHEARSED: "restored a backup into a scratch folder; passed: {passed}",
    Kind.RESTORED: "made the archive again from a backup",
    Kind.OBJECTS_REJECTED: "rejected images of it: {reason}",
    Kind.REJECTION_ENDED: "took a rejection back: {reason}",
    Kind.PURGE_ASKED: "asked that what was rejected be erased: {reason}",
    Kind.OBJECTS_PURGED: "erased what was rejected, as another had asked",
    Kind.PROJECT_SEALED: "sealed the project: {files} files of {studies} studies",
    Kind.KEY_ROTATED: "changed a key; {keys} keys are sealed with it",
    Kind.ERASURE_ASKED: "asked that the key of this {what} be destroyed: {reason}",
    Kind.STUDY_ERASED: "destroyed its key, as another had asked",
    Kind.PROJECT_ERASED: "destroyed the key of the project with {studies} studies, as another had asked",
    Kind.PATIENTS_MERGED: "made one patient of two: {reason}",
    Kind.STUDIES_MOVED: "moved studies to another patient: {reason}",
    Kind.PATIENTS_UNDONE: "undid a change of patients: {reason}",
    Kind.STARTED: "started",
    Kind.LESION_MATCHED: "said whether two lesions are one",
    Kind.ORDER_PLACED: "placed or changed the order",
    Kind.ORDER_CANCELLED: "cancelled the order",
    Kind.STEP_BEGUN: "began an examination",
    Kind.STEP_CHANGED: "told how an examination goes",
    Kind.COMMITMENT_ASKED: "asked for the promise that images are kept",
    Kind.COMMITMENT_TOLD: "was promised that {good} images are kept",
    Kind.COMMITMENT_WANTED: "asked {destination} to promise that it keeps the images",
    Kind.COMMITMENT_HEARD: "heard whether every image is kept elsewhere: {whole}",
    Kind.MESSAGE_HEARD: "sent a message of kind {kind}, answered {code}",
    Kind.PATIENT_TOLD: "told who a patient is",
    Kind.RESULTS_WANTED: "set where signed reports are sent",
    Kind.RESULT_TOLD: "told {to} a signed report, answered {code}",
    Kind.WORKITEM_CREATED: "scheduled the work item",
    Kind.WORKITEM_CHANGED: "changed the work item",
    Kind.WORKITEM_CANCEL_ASKED: "asked that the work item be cancelled",
    Kind.WORKITEM_WATCHED: "watches the work item: {on}",
    Kind.ALERT_RAISED: "raised an actionable finding of level {level}",
    Kind.ALERT_CLIMBED: "asked {to}, since nobody had acknowledged a finding",
    Kind.ALERT_ACKNOWLEDGED: "acknowledged an actionable finding",
    Kind.PROJECT_SET: "set what the project is",
    Kind.PROJECT_JOINED: "made {name} {role} in the project",
    Kind.PROJECT_RULED: "put what {sender} sends into the project",
    Kind.STUDY_HOMED: "put it into the project {project}: {reason}",
    Kind.GLASS_BROKEN: "opened it in an emergency until {until}: {reason}",
    Kind.GLASS_ENDED: "closed what was opened in an emergency",
    Kind.GLASS_REVIEWED: "looked through what was opened in an emergency; rightly so: {justified}",
    Kind.WITHHELD: "did what is told later",
}
"""No sentence says how many entries or files the whole archive has: they grow with what machines find."""
_BLIND = (
    Kind.PEER_DRAWN, Kind.PEER_REVIEWED, Kind.PEER_ARBITRATED, Kind.DOUBLE_READ_ASKED, Kind.DOUBLE_READ_LOCKED,
    Kind.DOUBLE_READ_SETTLED,
)  # fmt: skip


_TELLING = (
    Kind.INSTANCES_RECEIVED, Kind.PLANNED, Kind.DECLINED, Kind.RESULT_MADE, Kind.ANALYSIS_FAILED,
    Kind.RESEARCH_RUN,
    Kind.PEER_REVIEWED, Kind.PEER_ARBITRATED, Kind.DOUBLE_READ_LOCKED, Kind.DOUBLE_READ_SETTLED,
    Kind.VIEWED, Kind.OPINION_TYPED, Kind.REMARKED, Kind.FOLLOW_UP_ASKED, Kind.FOLLOW_UP_MATCHED, Kind.FOLLOW_UP_CLOSED,
)  # fmt: skip
"""What a count would tell before a reader's own opinion: that a machine spoke, here or elsewhere, or a colleague."""


@dataclass(frozen=True)
class Query:
    """A filter on the journal.

    Args:
        who: account, AE title or "isocenter".
        what: part of a kind ("sign" finds ReportSigned and SignedIn), empty for all.
        on: a subject, such as a Study UID.
        since, until: days, both included.
        words: each must stand in the entry's details (a model's name, a digest's beginning).
    """

    who: str = ""
    what: str = ""
    on: str = ""
    since: datetime | None = None
    until: datetime | None = None
    words: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds that fit `what`; all where it is empty."""
        return tuple(k for k in Kind if self.what.casefold() in k.value.casefold())

    def fits(self, event: Event) -> bool:
        """Whether an entry passes what the database cannot ask."""
        if (self.since and event.time < self.since) or (self.until and event.time >= self.until):
            return False
        if not self.words:
            return True
        told = f"{event.kind} {event.subject} {_plain(event.details)}".casefold()
        return all(word in told for word in self.words)


def query_of(text: str) -> Query:
    """Read a filter: ``who:ito what:sign on:1.2.3 since:2026-11-01 until:2026-11-30`` and free words.

    Raises:
        Refused: a filter that does not exist, or a date that is none.

    >>> query_of("who:ito what:sign lung").words
    ('lung',)
    """
    told: dict[str, Any] = {}
    words = []
    for part in text.split():
        name, colon, value = part.partition(":")
        if not colon:
            words.append(part.casefold())
        elif name in ("since", "until"):
            try:
                day = datetime.combine(datetime.fromisoformat(value).date(), time(), UTC)
            except ValueError as wrong:
                raise Refused(f"{name}:{value:.20}", "it is no date", "write it as 2026-11-30") from wrong
            told[name] = day + timedelta(days=name == "until")
        elif name in ("who", "what", "on"):
            told[name] = value
        elif name in ("model", "analysis", "result", "report"):
            words.append(value.casefold())
        else:
            raise Refused(
                f"the filter '{name:.20}:'",
                "there are who, what, on, since, until, model, analysis",
                "use one of these, or words without a colon",
            )
    query = Query(**told, words=tuple(words))
    if query.what and not query.kinds:
        raise Refused(
            f"what:{query.what:.20}",
            "no kind of event has that in its name",
            "leave it out, or choose from docs/look-up/events.md",
        )
    return query


def sentence(event: Event) -> str:
    """What happened, in one sentence that names nobody but who did it."""
    details = {name: _short(value) for name, value in event.details.items()}
    if isinstance(instances := event.details.get("instances"), list):
        details["n"] = f"{len(instances)} image{'' if len(instances) == 1 else 's'}"
    if event.kind is Kind.VIEWED:
        details.setdefault("what", "findings on the images")
    if event.kind is Kind.QUERIED:
        level = str(event.details.get("level", ""))
        details["level"] = _SEARCHED.get(level, details.get("level", "?"))
        details["by"] = f" by {keys}" if (keys := details.get("keys")) else ""
    words = _WORDS.get(event.kind, event.kind.value)
    for name in set(_names(words)) - set(details):
        details[name] = "?"
    return f"{event.who or 'somebody'} {words.format(**details)}"


@dataclass
class Auditing:
    """The journal for whoever may read it.

    Args:
        hears: whether a person may hear of an entry yet; of one that they may not, its study is told.
        within: whether an entry is about the projects of a person; of one that is not, they are told nothing.
        tickets: the names under which entries are told.
    """

    journal: Journal
    clock: Callable[[], datetime]
    hears: Callable[[Sealed, Person], bool] = lambda sealed, who: True
    within: Callable[[Sealed, Person], bool] = lambda sealed, who: True
    tickets: Tickets = field(default_factory=lambda: Tickets(token_bytes(32)))

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._checked: tuple[datetime, dict[str, Any]] | None = None

    def page(self, *, who: Person, q: str = "", before: str = "", limit: int = 100) -> dict[str, Any]:
        """Entries, newest first; whoever may not read the journal gets counts by kind and no row.

        What a person may not hear of yet is no row and counts nowhere: how many entries there are, or whether one fits
        a filter, would tell of a finding. An entry has a ticket therefore, and neither its number nor its hash, between
        which gaps would show. `withheld` names the studies that have some, unless the filter asks for more than a
        study and days.

        Args:
            before: ticket of an entry: older ones only.
        """
        must(who, "oversight")
        query = query_of(q)
        if not may(who, "audit"):
            counts = self._counts(who)
            return {"rows": [], "counts": counts, "next": None, "looked": 0, "may_see_rows": False, "withheld": []}
        rows: list[dict[str, Any]] = []
        withheld: set[str] = set()
        at = self.tickets.number(before) if before else 0
        looked = 0
        for sealed in self._entries(query, at):
            if not self.hears(sealed, who):
                if not (query.who or query.what or query.words) and query.fits(sealed.event):
                    withheld |= {sealed.event.subject} if self.within(sealed, who) else set()
                continue
            looked += 1
            at = sealed.number
            if query.since and sealed.event.time < query.since - _UNEVEN:
                at = 0
                break
            if query.fits(sealed.event) and self.within(sealed, who):
                rows.append(self._row(sealed))
            if len(rows) >= limit or looked >= _LOOKED:
                break
        else:
            at = 0
        return {
            "rows": rows, "counts": None, "next": self.tickets.of(at) if at else None, "looked": looked,
            "may_see_rows": True, "withheld": sorted(withheld),
        }  # fmt: skip

    def exported(self, *, who: Person, form: str, since: int = 0) -> Iterator[bytes]:
        """Entries after a number, oldest first, in the standard's words: one line of JSON or one XML text each.

        Args:
            form: "fhir" (AuditEvent R4) or "dicom" (audit message of PS3.15 A.5).

        Raises:
            Refused: another form. Forbidden: whoever may not read the journal.
        """
        must(who, "audit")
        if form not in ("fhir", "dicom"):
            raise Refused(f"the form '{form:.20}'", "there are fhir and dicom", "take one of them")
        last = self.journal.head()[0]
        told = {"form": form, "first": since + 1, "last": last}
        self.journal.append(Event(Kind.AUDIT_EXPORTED, self.clock(), who.name, "", told))
        return self._written(form, since, last, who)

    def _written(self, form: str, since: int, last: int, who: Person) -> Iterator[bytes]:
        from isocenter.forms import audit

        at = since
        while at < last and (page := self.journal.since(at, limit=min(_PAGE, last - at))):
            for sealed in (one for one in page if self.within(one, who)):
                words = sentence(sealed.event)
                yield audit.message(sealed, words) if form == "dicom" else canonical(audit.fhir(sealed, words))
            at = page[-1].number

    def taken(self, *, who: Person, q: str = "") -> Iterator[bytes]:
        """All entries that fit, newest first, one line of JSON each as on a page, and last the receipt of them.

        The receipt says who took what and when, how many entries, and the SHA-256 of the lines before it.

        Raises:
            Forbidden: whoever may not read the journal.
        """
        must(who, "audit")
        query, now = query_of(q), self.clock()
        by = [name for name in ("who", "what", "on", "since", "until", "words") if getattr(query, name)]
        self.journal.append(Event(Kind.AUDIT_EXPORTED, now, who.name, "", {"form": "json", "asked": by}))
        return self._taken(query, {"of": "journal", "asked": q, "by": who.name, "at": now.isoformat()}, who)

    def _taken(self, query: Query, receipt: Mapping[str, Any], who: Person) -> Iterator[bytes]:
        lines, digest = 0, hashlib.sha256()
        for sealed in self._entries(query, 0):
            if query.since and sealed.event.time < query.since - _UNEVEN:
                break
            if query.fits(sealed.event) and self.hears(sealed, who) and self.within(sealed, who):
                line = canonical(self._row(sealed)) + b"\n"
                lines += 1
                digest.update(line)
                yield line
        yield canonical({"receipt": {**receipt, "rows": lines, "sha256": digest.hexdigest()}}) + b"\n"

    def receipt(self, of: str, asked: Mapping[str, str], figures: Any, *, who: Person) -> bytes:
        """A file of figures that somebody takes out, with its receipt; an entry of the journal says so first.

        Args:
            of: which figures. asked: of which days, in which groups.
            figures: that this person may see.
        """
        now, digest = self.clock(), digest_of(figures)
        lists = [value for value in figures.values() if isinstance(value, list)]
        many = [len(value) for value in lists if all(isinstance(row, Mapping) for row in value)]
        told = {"of": of, "asked": dict(asked), "rows": max(many, default=1)}
        self.journal.append(Event(Kind.FIGURES_TAKEN, now, who.name, "", {**told, "file": digest}))
        said = {**told, "by": who.name, "at": now.isoformat(), "sha256": digest}
        return canonical({"figures": figures, "receipt": said})

    def events_fhir(self, subject: str, *, who: Person, limit: int, offset: int = 0) -> list[dict[str, Any]]:
        """The newest entries about a subject (all where it is empty) as FHIR AuditEvents, without the first `offset`.

        It is itself an entry, so that the next page begins with the last of this one.

        As on a page, none is told that the person may not hear of yet, and neither number nor hash of any.
        """
        from isocenter.forms import audit

        must(who, "audit")
        heard = (s for s in self.journal.each(subject=subject, newest_first=True) if self.hears(s, who))
        page = list(islice(heard, offset, offset + limit))
        told = {"form": "fhir", "entries": len(page), "first": page[-1].number if page else 0}
        self.journal.append(Event(Kind.AUDIT_EXPORTED, self.clock(), who.name, subject, told))
        return [audit.fhir(s, sentence(s.event), ticket=self.tickets.of(s.number)) for s in page]

    def sign_head(self, secret: bytes, *, who: Person) -> Head:
        """The end of the journal, signed, to be kept elsewhere."""
        must(who, "audit")
        number, last = self.journal.head()
        return signed(number, last, self.clock(), secret)

    def check_heads(self, heads: Iterable[Head], key: str, *, who: Person) -> dict[str, Any]:
        """Whether the chain is whole and bears out every head given away; Refused names the first that fails."""
        must(who, "audit")
        entries = self.journal.verify()
        return {"entries": entries, "heads": checked(heads, self._hash_of, key)}

    def _hash_of(self, number: int) -> str | None:
        found = self.journal.since(number - 1, limit=1)
        return found[0].hash if found and found[0].number == number else None

    def chain(self, *, who: Person) -> dict[str, Any]:
        """Whether the journal is whole: walked anew, at most once in a few seconds.

        How long it is nobody is told who may not hear of all of it yet; `isocenter verify` says so to whoever runs the
        archive. Where it is broken, the entry is named.
        """
        must(who, "oversight")
        with self._lock:
            now = self.clock()
            if self._checked is None or not timedelta() <= now - self._checked[0] < _FRESH:
                self._checked = now, self._walked()
            return self._checked[1]

    def _walked(self) -> dict[str, Any]:
        try:
            self.journal.verify()
        except Refused as broken:
            return {"whole": False, "broken": {"what": broken.what, "why": broken.why, "do": broken.do}}
        return {"whole": True, "broken": None}

    def _entries(self, query: Query, before: int) -> Iterator[Sealed]:
        kinds = query.kinds if query.what else ()
        return self.journal.each(before, kinds=kinds, subject=query.on, who=query.who, newest_first=True)

    def _counts(self, who: Person) -> dict[str, int | None]:
        """Of each kind how many entries there are of this person's projects; None where they are few."""
        told = (s for s in self.journal.each() if s.event.kind not in _TELLING and self.within(s, who))
        counts = Counter(s.event.kind.value for s in told)
        return {kind: count_of(n) for kind, n in sorted(counts.items())}

    def _row(self, sealed: Sealed) -> dict[str, Any]:
        event = sealed.event
        return {
            "ticket": self.tickets.of(sealed.number), "time": event.time.isoformat(), "kind": event.kind.value,
            "who": event.who, "subject": event.subject, "words": sentence(event),
            "explains": bool(event.subject) and event.kind not in _BLIND and _is_uid(event.subject),
        }  # fmt: skip


def _is_uid(text: str) -> bool:
    return "." in text and not set(text) - set("0123456789.")


def _short(value: Any) -> str:
    text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    return text[:12] if len(text) == 64 and not set(text) - set("0123456789abcdef") else text[:80]


def _plain(details: Any) -> str:
    left_out = ("instances", "credential", "sealed", *NUMBERS)
    return " ".join(f"{name} {value}" for name, value in details.items() if name not in left_out)


def _names(words: str) -> list[str]:
    return [part.split("}")[0] for part in words.split("{")[1:]]
