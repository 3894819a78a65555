"""One study, one person: who has it, what they decided of each finding, and when it may be signed.

Everything here is a pure function: it is given the reading as the index knows it and the time, and gives back the
events to append. The journal numbers them, and its number is the version that the next writer must have seen, so that
of two browsers one wins and the other is told who came first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from isocenter.errors import Conflict, NotFound, Refused, WrongState
from isocenter.record import (
    Code,
    Event,
    Finding,
    Kind,
    Measurement,
    Origin,
    Outcome,
    Result,
    Urgency,
    Verdict,
    digest_of,
)
from isocenter.record.states import READING, step
from isocenter.space import Region

__all__ = [
    "LEASE",
    "REASONS",
    "Correction",
    "Reading",
    "assign",
    "correct",
    "decisions",
    "lapse",
    "must_agree",
    "must_be_mine",
    "open_reading",
    "sign",
    "undecided",
    "word",
]

LEASE = timedelta(minutes=30)
"""How long a reading stays with a reader who does nothing, once somebody else asks for it."""


REASONS: Mapping[str, str] = MappingProxyType(
    {
        "artefact": "artefact",
        "normal": "normal variant",
        "wrong-place": "wrong place",
        "known": "already known",
        "other": "other",
    }
)
"""Why a finding is struck: label -> in words, in the order of the keys 1 to 5."""


@dataclass(frozen=True)
class Reading:
    """A person's session with a study.

    Args:
        study_uid: the study.
        state: from the table of readings.
        by: who has it open; who signed it, once it is signed.
        version: number of the last event of this reading; every write names the one that it saw.
        opened, signed: when; None where it has not happened.
        touched: when its reader last did something.
        draft: digest of the report as it is being worded; empty before.
        reports: digests of the sealed reports, oldest first.
        assigned: who is asked to read it; empty where nobody is.
        asked: whether the one who looks shall give an opinion of their own before they see what machines say.
        locked: when they did; None before.
    """

    study_uid: str
    state: str = "waiting"
    by: str = ""
    version: int = 0
    opened: datetime | None = None
    signed: datetime | None = None
    touched: datetime | None = None
    draft: str = ""
    reports: tuple[str, ...] = ()
    assigned: str = ""
    asked: bool = False
    locked: datetime | None = None

    @classmethod
    def of(cls, study_uid: str, row: Mapping[str, Any], touched: datetime | None = None) -> Reading:
        """From the row of the index, where times are ISO text and nothing is empty text."""
        opened, signed = _time(row.get("opened")), _time(row.get("signed"))
        return cls(
            study_uid,
            str(row.get("state") or "waiting"),
            str(row.get("by") or ""),
            int(row.get("version") or 0),
            opened,
            signed,
            touched or opened,
            str(row.get("draft") or ""),
            tuple(row.get("reports") or ()),
            str(row.get("assigned") or ""),
        )


@dataclass(frozen=True)
class Correction:
    """What a reader says of one finding.

    Args:
        verdict: kept, changed, struck or added.
        tracking: the finding's identity; an added one is given a fresh UID when it is empty.
        result: the result that holds it, as the reader saw it; may be empty for an added finding.
        what, words, measurements, where, site, laterality: what is changed; None leaves it as it was.
        certainty: of a person's own finding, on the scale of analyses (`opinion.CERTAINTY` has a person's three steps).
        label: why it was struck, as one of `REASONS`: a label for those who learn from it.
        reason: why it was changed or struck, in words.
        drawn: how it was drawn (tool, window, calibration, clicks), where it was; kept with the result's origin.
    """

    verdict: Verdict
    tracking: str
    result: str = ""
    what: Code | None = None
    words: str | None = None
    measurements: tuple[Measurement, ...] | None = None
    where: Region | None = None
    site: Code | None = None
    laterality: Code | None = None
    certainty: float | None = None
    label: str = ""
    reason: str = ""
    drawn: Mapping[str, Any] | None = None

    @property
    def because(self) -> str:
        """The reason as it is kept: its label in words, then the reader's own."""
        return ": ".join(part for part in (REASONS.get(self.label, ""), self.reason.strip()) if part)

    def changes(self) -> dict[str, Any]:
        """The fields that this correction sets."""
        names = ("what", "words", "measurements", "where", "site", "laterality", "certainty")
        return {n: getattr(self, n) for n in names if getattr(self, n) is not None}


def open_reading(reading: Reading, who: str, now: datetime) -> tuple[Event, ...]:
    """Take the study. For its own reader this is a reload and changes nothing.

    A reading whose reader did nothing for `LEASE` lapses first: it is not lost behind a closed laptop.

    Raises:
        WrongState: somebody else has it; the message says who, and since when nothing was done.
    """
    if reading.state in ("open", "amending"):
        if reading.by == who:
            return ()
        idle = now - (reading.touched or now)
        if idle < LEASE:
            raise WrongState(
                f"{reading.by} has this study open",
                f"one reader at a time; the last act was {_minutes(idle)} ago",
                f"read it without changing it, or ask {reading.by} to leave it",
            )
        before = step(READING, reading.state, "lapse")
        lapsed = _event(Kind.READING_CLOSED, reading, "isocenter", now, by=reading.by, reason="nothing was done")
        step(READING, before, "open")
        return lapsed, _event(Kind.READING_OPENED, reading, who, now, by=who)
    step(READING, reading.state, "open")
    return (_event(Kind.READING_OPENED, reading, who, now, by=who),)


def assign(reading: Reading, to: str, who: str, now: datetime) -> tuple[Event, ...]:
    """Ask somebody to read the study, or nobody any more (empty). It is a request: whoever is free may still take it.

    Raises:
        WrongState: the study does not wait: it is being read, or is read.
    """
    if reading.assigned == to:
        return ()
    step(READING, reading.state, "assign")
    return (_event(Kind.READING_ASSIGNED, reading, who, now, to=to, was=reading.assigned),)


def lapse(reading: Reading, who: str, now: datetime, *, version: int) -> tuple[Event, ...]:
    """Leave the study unsigned; corrections and words are kept.

    Raises:
        WrongState: it is not open, or not with this reader.
        Conflict: another act came first.
    """
    must_be_mine(reading, who, "lapse", version)
    return (_event(Kind.READING_CLOSED, reading, who, now, by=who),)


def correct(
    reading: Reading,
    latest: Sequence[tuple[str, Result]],
    correction: Correction,
    who: str,
    now: datetime,
    *,
    version: int,
    unaided: bool = False,
) -> Result:
    """Keep, change, strike or add one finding: a person's Result that replaces the one it corrects.

    Findings keep their tracking identity, so that the same lesion is found again in the report, in the next study and
    in what models learn. A struck finding stays in the result with its verdict: forms leave it out, learning does not.

    Args:
        latest: (id, Result) of the study, the newest of each chain.
        unaided: the opinion was given before any AI output was seen.

    Returns:
        the Result to store; its event is a `Kind.RESULT_MADE`.

    Raises:
        WrongState: the study is not open with this reader.
        Conflict: another act came first, or the result was replaced since the reader saw it.
        NotFound: no result of the study has such a finding.
        Refused: a correction that says nothing, or says too much.
    """
    must_be_mine(reading, who, "correct", version)
    _sensible(correction)
    if correction.verdict is Verdict.ADDED:
        return _added(reading, latest, correction, who, now, unaided)
    known = dict(latest)
    holders = [i for i, r in latest if any(f.tracking == correction.tracking for f in r.findings)]
    if correction.result and correction.result not in known:
        raise Conflict(
            "this result is no longer the latest", "somebody decided on it since you saw it", "load the findings again"
        )
    holder = correction.result or (holders[0] if holders else "")
    if holder not in holders:
        raise NotFound(
            f"no finding '{correction.tracking}' in this result", "nothing can be decided on", "load the findings again"
        )
    before = known[holder]
    findings = tuple(_decided(f, correction) if f.tracking == correction.tracking else f for f in before.findings)
    return _persons(before, holder, findings, who, now, unaided, {correction.tracking: correction.drawn})


def must_agree(answers: Sequence[Correction]) -> None:
    """Go on only where one answer to several measurements of a segment says one thing: it stands, or it is struck.

    Raises:
        Refused: it says both, or adds something beside.
    """
    verdicts = {one.verdict for one in answers}
    if Verdict.ADDED in verdicts or (Verdict.STRUCK in verdicts and len(verdicts) > 1):
        raise Refused(
            f"one answer that says {', '.join(sorted(verdicts))} of one segment",
            "a segment stands or is struck as a whole",
            "answer a measurement that differs by itself",
        )


def word(reading: Reading, who: str, now: datetime, *, version: int, report: str) -> tuple[Event, ...]:
    """The words of the report were changed; `report` is the digest of the new draft."""
    must_be_mine(reading, who, "word", version)
    return (_event(Kind.REPORT_DRAFTED, reading, who, now, report=report),)


def sign(
    reading: Reading,
    latest: Iterable[tuple[str, Result]],
    who: str,
    now: datetime,
    *,
    version: int,
    report: str,
    seen: Collection[str] | None = None,
    details: Mapping[str, Any] | None = None,
) -> tuple[Event, ...]:
    """Sign: the report of that digest is final. Nothing that a machine found may be left undecided.

    Args:
        seen: ids of the results that the reader had before their eyes; None where a program signs what there is.
        details: what else the event says, for those who count.

    Raises:
        WrongState: the study is not open with this reader, their first opinion is asked for and not locked, or
            findings are undecided; they are listed.
        Conflict: another act came first, or a result came that the reader has not seen.
        Refused: there is no sealed report to sign.
    """
    must_be_mine(reading, who, "sign", version)
    if reading.asked and reading.locked is None and reading.state == "open":
        raise WrongState(
            "a signature before the first opinion is locked",
            "here one's own opinion comes first, then what machines say, then the signature",
            "lock your opinion, decide on what is shown then, and sign",
        )
    latest = tuple(latest)
    if seen is not None and set(seen) != {i for i, _ in latest}:
        fresh = [r.machine.analysis or r.origin.name for i, r in latest if i not in seen]
        raise Conflict(
            f"results changed since you saw them{': ' + ', '.join(fresh) if fresh else ''}",
            "nobody signs what they have not seen",
            "load the study again, read what is new, then sign",
        )
    left = undecided(latest)
    if left:
        named = ", ".join(f"{f.what} ({name})" for name, f in left[:5])
        raise WrongState(
            f"{len(left)} finding{'s' if len(left) > 1 else ''} undecided: {named}",
            "a signature answers for every finding, and none is accepted by silence",
            "keep, change or strike each of them",
        )
    if not report:
        raise Refused("a signature without a report", "nobody could tell what was signed", "seal the report first")
    kind = Kind.REPORT_AMENDED if reading.state == "amending" else Kind.REPORT_SIGNED
    return (_event(kind, reading, who, now, **(details or {}), report=report),)


def undecided(latest: Iterable[tuple[str, Result]]) -> list[tuple[str, Finding]]:
    """(analysis, finding) for everything on which nobody has decided; numbers for research ask for no decision."""
    return [
        (result.machine.analysis, finding)
        for _, result in latest
        for finding in result.findings
        if finding.verdict is Verdict.UNDECIDED and not finding.research
    ]


def decisions(latest: Iterable[tuple[str, Result]], modes: Mapping[str, str]) -> list[dict[str, Any]]:
    """What was decided of each finding of a machine: which, by which analysis in which mode, how sure it was, the
    verdict and its reason. From these alone it can be counted how often a machine is confirmed here."""
    told = []
    for _, result in latest:
        analysis, version, model = result.machine
        if not analysis:
            continue
        told += [
            {
                "finding": f.tracking, "what": str(f.what), "analysis": analysis, "version": version, "model": model,
                "mode": modes.get(analysis, ""), "certainty": f.certainty, "verdict": f.verdict.value,
                "reason": f.reason,
            }
            for f in result.findings
            if f.verdict is not Verdict.ADDED and not (f.research and f.verdict is Verdict.UNDECIDED)
        ]  # fmt: skip
    return told


def must_be_mine(reading: Reading, who: str, event: str, version: int) -> None:
    """The step is possible, it is this reader's study, and nothing happened that they have not seen."""
    if reading.state in ("open", "amending") and reading.by != who:
        raise WrongState(
            f"{reading.by} has this study open", "only its reader can change it", f"ask {reading.by} to leave it"
        )
    if version != reading.version:
        raise Conflict(
            "this reading as you saw it",
            "another act came first, and it must not be lost",
            "load the study again, then decide",
        )
    step(READING, reading.state, event)


def _sensible(correction: Correction) -> None:
    changes, verdict = correction.changes(), correction.verdict
    if verdict is Verdict.UNDECIDED:
        raise Refused("the verdict 'undecided'", "a decision can be changed, not taken back", "keep, change or strike")
    if not correction.tracking and verdict is not Verdict.ADDED:
        raise Refused(
            "a correction without a tracking identity",
            "nobody could tell which finding is meant",
            "name the finding by its tracking UID",
        )
    if verdict is Verdict.CHANGED and not changes:
        raise Refused("the verdict 'changed' with nothing changed", "it says nothing", "keep it, or say what changes")
    if verdict in (Verdict.KEPT, Verdict.STRUCK) and changes:
        raise Refused(
            f"the verdict '{verdict}' with other {', '.join(changes)}",
            "it says two things",
            "use the verdict 'changed'",
        )
    if correction.label and correction.label not in REASONS:
        raise Refused(f"the reason '{correction.label}'", "it is no label", f"take one of {', '.join(REASONS)}")
    if verdict is Verdict.ADDED and correction.what is None and not (correction.words or "").strip():
        raise Refused("an added finding without code and words", "it says nothing", "say in words what it is")


def _decided(finding: Finding, correction: Correction) -> Finding:
    # A finding that a person added, and then words better, is still one that the machine did not have.
    keeps_added = finding.verdict is Verdict.ADDED and correction.verdict in (Verdict.KEPT, Verdict.CHANGED)
    verdict = Verdict.ADDED if keeps_added else correction.verdict
    return replace(finding, **correction.changes(), verdict=verdict, reason=correction.because)


def _added(
    reading: Reading,
    latest: Sequence[tuple[str, Result]],
    correction: Correction,
    who: str,
    now: datetime,
    unaided: bool,
) -> Result:
    tracking = correction.tracking or _fresh(reading, correction, who, now)
    if any(f.tracking == tracking for _, r in latest for f in r.findings):
        raise Conflict(f"a finding '{tracking}' is there already", "it would be counted twice", "change that one")
    said = {"what": _UNNAMED, **correction.changes()}
    finding = Finding(**said, tracking=tracking, verdict=Verdict.ADDED, reason=correction.because)
    known = dict(latest)
    if correction.result and correction.result not in known:
        raise Conflict("this result is no longer the latest", "somebody decided on it since", "load the findings again")
    before = known.get(correction.result)
    if before is None or before.outcome is Outcome.DECLINED:
        # What was declined stays declined, with its reasons: a person's finding does not make the machine have looked.
        origin = Origin("person", who, parameters=_drawn({}, {tracking: correction.drawn}), unaided=unaided)
        return Result(reading.study_uid, Outcome.FOUND, origin, now, findings=(finding,))
    findings = (*before.findings, finding)
    return _persons(before, correction.result, findings, who, now, unaided, {tracking: correction.drawn})


_UNNAMED = Code("121071", "DCM", "Finding")  # what a reader has put in words only


def _fresh(reading: Reading, correction: Correction, who: str, now: datetime) -> str:
    """A UID that the same act makes again and no other act makes: 128 bits of a digest under 2.25 (PS3.5 B.2)."""
    act = digest_of([reading.study_uid, reading.version, who, now, correction.changes()])
    return f"2.25.{int(act[:32], 16)}"


def _drawn(before: Mapping[str, Any], fresh: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """Parameters of a person's origin: how each finding that they drew was drawn."""
    held = {**before.get("drawn", {}), **{tracking: said for tracking, said in fresh.items() if said is not None}}
    return {"drawn": held} if held else {}


def _persons(
    before: Result,
    before_id: str,
    findings: tuple[Finding, ...],
    who: str,
    now: datetime,
    unaided: bool,
    drawn: Mapping[str, Mapping[str, Any] | None],
) -> Result:
    analysis, version, model = before.machine
    parameters: dict[str, Any] = {"of": {"analysis": analysis, "version": version, "model": model}} if analysis else {}
    if before.origin.kind == "person" or any(said is not None for said in drawn.values()):
        parameters |= _drawn(before.origin.parameters, drawn)
    stands = any(f.verdict is not Verdict.STRUCK for f in findings)
    return replace(
        before,
        outcome=Outcome.FOUND,
        origin=Origin("person", who, parameters=parameters, unaided=unaided),
        made=now,
        findings=findings,
        urgency=before.urgency if stands else Urgency.ROUTINE,
        replaces=before_id,
    )


def _event(kind: Kind, reading: Reading, who: str, now: datetime, **details: Any) -> Event:
    return Event(kind, now, who, reading.study_uid, details)


def _minutes(idle: timedelta) -> str:
    minutes = max(0, int(idle.total_seconds() // 60))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def _time(text: Any) -> datetime | None:
    return text if isinstance(text, datetime) else datetime.fromisoformat(text) if text else None
