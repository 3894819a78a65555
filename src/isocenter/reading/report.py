"""The report of a study: a draft from results, a reader's words over it, and a seal when it is signed.

Drafting again after a correction keeps every word that a person wrote, and brings the machine's sentences up to date.
A sealed report carries who signed, when, and the digest of everything in it; nothing changes it any more. An amendment
is a new report that names the one it replaces, and both are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from isocenter.errors import Conflict, NotFound, Refused, WrongState
from isocenter.forms.text import SECTIONS, Sentence, check_sentence, draft
from isocenter.reading.critical import Communication
from isocenter.reading.session import machine_of
from isocenter.record import Result, Study, digest_of, from_plain, to_plain

__all__ = [
    "Disagreement",
    "Report",
    "amend",
    "begin",
    "disagreements",
    "how",
    "only_words_of",
    "redraft",
    "reword",
    "seal",
    "unread",
]

_LATER: dict[str, Any] = {  # fields that reports of older versions do not have
    "authors": Mapping[str, str],
    "opinion": str,
    "locked": datetime | None,
    "changes": tuple[str, ...],
    "told": tuple[Communication, ...],
    "untold": str,
}
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
        told: who was told of critical findings; `untold` says why nobody was yet.
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
    told: tuple[Communication, ...] = ()
    untold: str = ""

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
            raise Refused(f"a report with fields {sorted(data)}", "it has others")
        report = cls(**{n: from_plain(k, data[n]) for n, k in (kinds | _LATER).items() if n in data})
        if report.digest and not report.is_whole:
            raise Refused(
                f"a report sealed by {report.by} whose content no longer fits its digest",
                "it was changed after it was signed",
                "take it from a backup and find out who changed it",
            )
        return report


def begin(study: Study, latest: Sequence[tuple[str, Result]]) -> Report:
    """The first draft, from the latest result of each chain."""
    return redraft(Report(study.uid, ()), study, latest)


def redraft(report: Report, study: Study, latest: Sequence[tuple[str, Result]]) -> Report:
    """The draft brought up to date with the results; a person's sentences stay as they are.

    Raises:
        WrongState: the report is sealed.
    """
    _open(report)
    mine = {s.id: s for s in report.sentences if s.id in report.worded}
    fresh = [s for s in _unique(draft(study, [_named(r) for _, r in latest])) if s.id not in report.removed]
    said = [replace(mine.pop(s.id), findings=s.findings) if s.id in mine else s for s in fresh]
    return replace(
        report,
        sentences=_ordered([*said, *mine.values()]),
        results=tuple(i for i, _ in latest),
    )


def how(report: Report) -> tuple[str, ...]:
    """How a signed report came about, in sentences: the first opinion, what is other in the report, who was told."""
    told = []
    if report.locked:
        told.append(f"First opinion of {report.by} locked {_minute(report.locked)}, before any AI output was shown.")
        told += [f"Changed after AI: {change}" for change in report.changes]
        if not report.changes:
            told.append("Nothing was changed after AI was shown.")
    for one in report.told:
        told.append(
            f"Critical result, identified {_minute(one.identified)}: told by {one.communicator} to {one.recipient}, "
            f"received {_minute(one.received)}, {one.method}{', read back' if one.read_back else ''}."
        )
    if report.untold:
        told.append(f"Critical result not told yet when this was signed: {report.untold}.")
    return tuple(told)


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


def reword(report: Report, sentence_id: str, text: str, *, section: str = "", who: str = "") -> Report:
    """A person's words: change a sentence, take it out (empty text), or add one (a new id, with its section).

    Raises:
        WrongState: the report is sealed.
        NotFound: there is no such sentence and no section for a new one.
        Refused: the text is too long, or the section does not exist.
    """
    _open(report)
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
        if section not in SECTIONS:
            raise Refused(
                f"the section '{section}'", "reports have no such section", f"take one of {', '.join(SECTIONS)}"
            )
        if not sentence_id or len(sentence_id) > 128:
            raise Refused("a new sentence without a short id", "nobody could refer to it", "give it one")
        said_now = [*rest, Sentence(sentence_id, section, said, machine=False)]
    else:
        said_now = [replace(s, text=said, machine=False) if s.id == sentence_id else s for s in report.sentences]
    return replace(
        report,
        sentences=_ordered(said_now),
        worded=_with(report.worded, sentence_id),
        removed=tuple(i for i in report.removed if i != sentence_id),
        authors={**report.authors, sentence_id: who} if who else report.authors,
    )


def disagreements(report: Report, latest: Sequence[tuple[str, Result]]) -> tuple[Disagreement, ...]:
    """Where the words differ from the findings: a number, a side, something struck. Nothing is blocked by it."""
    findings = [f for _, r in latest for f in r.findings]
    return tuple(Disagreement(s.id, what) for s in report.sentences for what in check_sentence(s, findings))


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
) -> Report:
    """Sealed by name and digest.

    Args:
        opinion, locked, changes: the signer's first opinion, and what the report says otherwise.
        told, untold: who was told of critical findings, in addition to what an earlier version says.

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
        changes=tuple(changes), told=(*report.told, *told), untold=untold,
    )  # fmt: skip
    return replace(ready, digest=digest_of(ready))


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
        untold="",
    )


def _open(report: Report) -> None:
    if report.digest:
        raise WrongState(
            f"this report was signed by {report.by}", "a signed report is not changed", "open the study to amend it"
        )


def _ordered(sentences: Sequence[Sentence]) -> tuple[Sentence, ...]:
    order = {name: place for place, name in enumerate(SECTIONS)}
    return tuple(sorted(sentences, key=lambda s: order.get(s.section, len(order))))


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
    analysis, version, _ = machine_of(result)
    return replace(result, origin=replace(result.origin, name=analysis, version=version)) if analysis else result


def _with(ids: tuple[str, ...], one: str) -> tuple[str, ...]:
    return ids if one in ids else (*ids, one)
