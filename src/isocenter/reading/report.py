"""The report of a study: a draft from results, a reader's words over it, and a seal when it is signed.

Drafting again after a correction keeps every word that a person wrote, and brings the machine's sentences up to date.
A sealed report carries who signed, when, and the digest of everything in it; nothing changes it any more. An amendment
is a new report that names the one it replaces, and both are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from isocenter.errors import Conflict, NotFound, Refused, WrongState
from isocenter.forms import template as templates
from isocenter.forms.doubts import Doubt, doubts
from isocenter.forms.template import Template
from isocenter.forms.text import FINDING, Sentence, draft
from isocenter.reading.critical import Communication
from isocenter.record import Result, Study, Verdict, digest_of, from_plain, to_plain

__all__ = [
    "Disagreement",
    "Report",
    "amend",
    "begin",
    "built_by",
    "disagreements",
    "doubted",
    "heard",
    "how",
    "only_words_of",
    "redraft",
    "reword",
    "seal",
    "unread",
    "use",
]

_LATER: dict[str, Any] = {  # fields that reports of older versions do not have
    "authors": Mapping[str, str],
    "opinion": str,
    "locked": datetime | None,
    "changes": tuple[str, ...],
    "decided": Mapping[str, int],
    "told": tuple[Communication, ...],
    "untold": str,
    "template": str,
    "template_version": str,
}
_DECIDED = (Verdict.KEPT.value, Verdict.CHANGED.value, Verdict.STRUCK.value)
_LONGEST = 4000  # characters of one sentence; a pasted book is no sentence


@dataclass(frozen=True)
class Disagreement:
    """A sentence that says something else than the findings it speaks of, and what."""

    sentence: str
    what: str


@dataclass(frozen=True)
class Report:
    """What is said of a study.

    Args:
        study_uid: the study.
        sentences: in the order of the sections.
        results: ids of the results on which it rests.
        worded: ids of the sentences that a person wrote or changed.
        removed: ids of drafted sentences that a person took out.
        number: 1 for the first report, 2 for its first amendment, …
        replaces: digest of the sealed report that this one amends.
        by, signed: who sealed it and when; empty and None before.
        disagreements: what did not agree with the findings when it was signed; told to the reader, never in the way.
        digest: SHA-256 of everything else, once it is sealed.
        authors: id of a worded sentence -> who worded it last.
        opinion, locked: digest of the signer's first opinion, and when it was locked; empty and None where none was.
        changes: what the report says otherwise than that opinion.
        decided: how many findings of machines were kept, changed and struck; empty where none was decided.
        told: who was told of critical findings; `untold` says why nobody was yet.
        template, template_version: by which it is built; both empty in reports from before there were templates.
    """

    study_uid: str
    sentences: tuple[Sentence, ...]
    results: tuple[str, ...] = ()
    worded: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    number: int = 1
    replaces: str = ""
    by: str = ""
    signed: datetime | None = None
    disagreements: tuple[Disagreement, ...] = ()
    digest: str = ""
    authors: Mapping[str, str] = field(default_factory=dict, hash=False)
    opinion: str = ""
    locked: datetime | None = None
    changes: tuple[str, ...] = ()
    decided: Mapping[str, int] = field(default_factory=dict, hash=False)
    told: tuple[Communication, ...] = ()
    untold: str = ""
    template: str = ""
    template_version: str = ""

    @property
    def state(self) -> str:
        """draft, final, amending (a draft over a signed one) or amended."""
        if self.digest:
            return "amended" if self.replaces else "final"
        return "amending" if self.replaces else "draft"

    @property
    def is_whole(self) -> bool:
        """Whether it is sealed and nothing in it was changed since."""
        return bool(self.digest) and self.digest == digest_of(replace(self, digest=""))

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` reads back."""
        names = (
            "study_uid", "sentences", "results", "worded", "removed", "number", "replaces", "by", "signed",
            "disagreements", "digest",
        )  # fmt: skip
        later = {name: to_plain(getattr(self, name)) for name in _LATER}  # stay away while they are empty
        return {name: to_plain(getattr(self, name)) for name in names} | {n: v for n, v in later.items() if v}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Report:
        """Read what `to_json` wrote.

        Raises:
            Refused: it is no report, or it was changed after it was sealed.
        """
        kinds: dict[str, Any] = {
            "study_uid": str,
            "sentences": tuple[Sentence, ...],
            "results": tuple[str, ...],
            "worded": tuple[str, ...],
            "removed": tuple[str, ...],
            "number": int,
            "replaces": str,
            "by": str,
            "signed": datetime | None,
            "disagreements": tuple[Disagreement, ...],
            "digest": str,
        }
        if not set(kinds) <= set(data) <= set(kinds) | set(_LATER):
            raise Refused(
                f"a report with fields {sorted(data)}",
                "it has others",
                "restore the report from a backup: it was changed",
            )
        report = cls(**{n: from_plain(k, data[n]) for n, k in (kinds | _LATER).items() if n in data})
        if report.digest and not report.is_whole:
            raise Refused(
                f"a report sealed by {report.by} whose content no longer fits its digest",
                "it was changed after it was signed",
                "take it from a backup and find out who changed it",
            )
        return report


def begin(study: Study, latest: Sequence[tuple[str, Result]], *, earlier: Sequence[Study] = ()) -> Report:
    """The first draft, from the latest result of each chain, by the template for this kind of study."""
    return redraft(Report(study.uid, ()), study, latest, earlier=earlier)


def redraft(
    report: Report, study: Study, latest: Sequence[tuple[str, Result]], *, earlier: Sequence[Study] = ()
) -> Report:
    """The draft brought up to date with the results; a person's sentences stay as they are.

    Args:
        earlier: earlier studies of the patient that are at hand, the newest first.

    Raises:
        WrongState: the report is sealed.
    """
    _open(report)
    form = built_by(report) if report.template else templates.choose(study)
    mine = {s.id: s for s in report.sentences if s.id in report.worded}
    said_of = {s.findings[0]: s.text for s in mine.values() if s.id.startswith(FINDING) and len(s.findings) == 1}
    drafted = draft(study, [_named(r) for _, r in latest], template=form, earlier=earlier, worded=said_of)
    fresh = [s for s in _unique(drafted) if s.id not in report.removed]
    said = [replace(mine.pop(s.id), findings=s.findings, heading=s.heading) if s.id in mine else s for s in fresh]
    return replace(
        report,
        sentences=_ordered([*said, *(_placed(s, form) for s in mine.values())], form),
        results=tuple(i for i, _ in latest),
        template=form.name,
        template_version=form.version,
    )


def use(report: Report, name: str) -> Report:
    """The draft by another template; its sentences are put in place when it is drafted again.

    Raises:
        WrongState: the report is sealed.
        NotFound: there is no such template.
    """
    _open(report)
    form = templates.get(name)
    return replace(report, template=form.name, template_version=form.version)


def built_by(report: Report) -> Template:
    """The template of a report as it ships today; the general one where it has none, or one that ships no more."""
    known = templates.templates()
    return known.get(report.template, known["general"])


def how(report: Report) -> tuple[str, ...]:
    """How a signed report came about, in sentences: the first opinion, what is other in the report, who was told."""
    told = []
    if report.template:
        form = built_by(report)
        title = form.title if form.name == report.template else report.template
        told.append(f"Built by the template '{title}', version {report.template_version}.")
    if report.locked:
        told.append(f"First opinion of {report.by} locked {_minute(report.locked)}, before any AI output was shown.")
        told += [f"Changed after AI: {change}" for change in report.changes]
        if not report.changes:
            told.append("Nothing was added to the first opinion, or changed in it, after AI was shown.")
    if report.decided:
        counts = ", ".join(f"{report.decided.get(verdict, 0)} {verdict}" for verdict in _DECIDED)
        told.append(f"Findings of AI: {counts}.")
    told += [heard(one) for one in report.told]
    if report.untold:
        told.append(f"Critical result not told yet when this was signed: {report.untold}.")
    return tuple(told)


def heard(one: Communication) -> str:
    """That somebody was told of a critical result, in a sentence."""
    return (
        f"Critical result, identified {_minute(one.identified)}: told by {one.communicator} to {one.recipient}, "
        f"received {_minute(one.received)}, {one.method}{', read back' if one.read_back else ''}."
    )


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def only_words_of(report: Report, who: str) -> Report:
    """The draft with nothing in it but what one person worded: what others wrote may tell what they have seen."""
    mine = tuple(i for i in report.worded if report.authors.get(i) == who)
    return replace(report, worded=mine, removed=(), sentences=tuple(s for s in report.sentences if s.id in mine))


def unread(report: Report) -> Report:
    """The draft without what it says of analyses: before one's own opinion it speaks of none, not even that none
    looked."""
    return replace(report, sentences=tuple(s for s in report.sentences if s.id != "impression-unread"))


def reword(
    report: Report,
    sentence_id: str,
    text: str,
    *,
    section: str = "",
    heading: str = "",
    findings: Sequence[str] | None = None,
    who: str = "",
) -> Report:
    """A person's words: change a sentence, take it out (empty text), or add one (a new id, with its section).

    Args:
        heading: of a new sentence, inside its section; empty for none.
        findings: tracking identities of what it speaks of; None leaves them as they are. A drafted sentence keeps those
            that it was drafted for.

    Raises:
        WrongState: the report is sealed.
        NotFound: there is no such sentence and no section for a new one.
        Refused: the text is too long, or the template has no such section or heading.
    """
    _open(report)
    form = built_by(report)
    said = " ".join(text.split())
    if len(said) > _LONGEST:
        raise Refused(f"a sentence of {len(said)} characters", f"one has at most {_LONGEST}", "make several of it")
    if any(not c.isprintable() for c in said):
        raise Refused("a sentence with control characters", "print and other systems would not take it", "remove them")
    before = next((s for s in report.sentences if s.id == sentence_id), None)
    rest = [s for s in report.sentences if s.id != sentence_id]
    if not said:
        if before is None:
            raise NotFound(f"no sentence '{sentence_id}'", "it cannot be taken out", "load the report again")
        return replace(
            report,
            sentences=tuple(rest),
            removed=_with(report.removed, sentence_id),
            worded=tuple(i for i in report.worded if i != sentence_id),
            authors={i: by for i, by in report.authors.items() if i != sentence_id},
        )
    if before is None:
        if not section:
            raise NotFound(f"no sentence '{sentence_id}'", "it cannot be changed", "name a section to add it")
        inside = form.section(section)
        if heading and heading not in {h.name for h in inside.headings}:
            raise Refused(
                f"the heading '{heading:.64}'",
                f"'{section}' of {form.title} has no such heading",
                "choose a heading of the template",
            )
        if not sentence_id or len(sentence_id) > 128:
            raise Refused("a new sentence without a short id", "nobody could refer to it", "give it one")
        said_now = [
            *rest,
            Sentence(sentence_id, section, said, machine=False, findings=tuple(findings or ()), heading=heading),
        ]
    else:
        tied = before.findings if findings is None else tuple(findings)
        worded = replace(before, text=said, machine=False, findings=tied)
        said_now = [worded if s.id == sentence_id else s for s in report.sentences]
    return replace(
        report,
        sentences=_ordered(said_now, form),
        worded=_with(report.worded, sentence_id),
        removed=tuple(i for i in report.removed if i != sentence_id),
        authors={**report.authors, sentence_id: who} if who else report.authors,
    )


def doubted(report: Report, latest: Sequence[tuple[str, Result]]) -> tuple[tuple[str, Doubt], ...]:
    """Where the words differ from the findings: id of the sentence, and which characters of it, and why."""
    findings = [f for _, r in latest for f in r.findings]
    whole_study = [m for _, r in latest for m in r.measurements]
    return tuple((s.id, doubt) for s in report.sentences for doubt in doubts(s, findings, whole_study))


def disagreements(report: Report, latest: Sequence[tuple[str, Result]]) -> tuple[Disagreement, ...]:
    """The same as a signed report keeps it. Nothing is blocked by it."""
    return tuple(Disagreement(id, doubt.what) for id, doubt in doubted(report, latest))


def seal(
    report: Report,
    latest: Sequence[tuple[str, Result]],
    by: str,
    now: datetime,
    *,
    opinion: str = "",
    locked: datetime | None = None,
    changes: Sequence[str] = (),
    told: Sequence[Communication] = (),
    untold: str = "",
    beneath: Collection[str] = frozenset(),
) -> Report:
    """Sealed by name and digest.

    Args:
        opinion, locked, changes: the signer's first opinion, and what the report says otherwise.
        told, untold: who was told of critical findings, in addition to what an earlier version says.
        beneath: findings that were answered with another of the same segment, and are not counted twice.

    Raises:
        WrongState: it is sealed already.
        Conflict: the results changed since it was drafted.
        Refused: there is no name, or not a word to sign.
    """
    _open(report)
    if not by:
        raise Refused("a seal without a name", "a report answers with a person's name", "sign in")
    if not report.sentences:
        raise Refused("a report without a sentence", "there is nothing to sign", "say at least what was seen")
    if set(report.results) != {i for i, _ in latest}:
        raise Conflict(
            "results have changed since this report was drafted",
            "it would be signed without what is known now",
            "load the report again and read what changed",
        )
    ready = replace(
        report, by=by, signed=now, disagreements=disagreements(report, latest), opinion=opinion, locked=locked,
        changes=tuple(changes), decided=_decided(latest, beneath), told=(*report.told, *told), untold=untold,
    )  # fmt: skip
    return replace(ready, digest=digest_of(ready))


def _decided(latest: Sequence[tuple[str, Result]], beneath: Collection[str]) -> dict[str, int]:
    every = [f for _, r in latest if r.machine.analysis for f in r.findings]
    said = [f.verdict for f in every if not f.research and f.tracking not in beneath]
    counts = {verdict: said.count(Verdict(verdict)) for verdict in _DECIDED}
    return counts if any(counts.values()) else {}


def amend(sealed: Report) -> Report:
    """A draft over a signed report, which stays as it is.

    Raises:
        WrongState: the report is not sealed.
    """
    if not sealed.digest:
        raise WrongState("an amendment of a draft", "only a signed report is amended", "change the draft itself")
    return replace(
        sealed,
        number=sealed.number + 1,
        replaces=sealed.digest,
        by="",
        signed=None,
        disagreements=(),
        digest="",
        changes=(),
        decided={},
        untold="",
    )


def _open(report: Report) -> None:
    if report.digest:
        raise WrongState(
            f"this report was signed by {report.by}", "a signed report is not changed", "open the study to amend it"
        )


def _ordered(sentences: Sequence[Sentence], form: Template) -> tuple[Sentence, ...]:
    return tuple(sorted(sentences, key=lambda s: form.place(s.section, s.heading)))


def _placed(sentence: Sentence, form: Template) -> Sentence:
    """A person's sentence under its heading, or under none where the template has no such heading."""
    known = {h.name for s in form.sections if s.name == sentence.section for h in s.headings}
    return sentence if sentence.heading in known or not sentence.heading else replace(sentence, heading="")


def _unique(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Two analyses may name a sentence alike; to a reader each is its own."""
    seen: dict[str, int] = {}
    named = []
    for sentence in sentences:
        count = seen[sentence.id] = seen.get(sentence.id, 0) + 1
        named.append(sentence if count == 1 else replace(sentence, id=f"{sentence.id}-{count}"))
    return named


def _named(result: Result) -> Result:
    """A correction under the name of the analysis that it corrects: its sentences keep their identity, and two
    analyses that one person corrected stay two."""
    analysis, version, _ = result.machine
    return replace(result, origin=replace(result.origin, name=analysis, version=version)) if analysis else result


def _with(ids: tuple[str, ...], one: str) -> tuple[str, ...]:
    return ids if one in ids else (*ids, one)
