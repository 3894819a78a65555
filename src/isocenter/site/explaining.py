"""Why does it say so? The whole chain of anything printed, from the signature back to the sender.

Whatever is named (a report, a result, a finding's tracking UID, a study, an image, the number of an event), the
answer walks the same way down: who signed, what a person changed, what a machine said with which weights and
parameters, in which voxels, from which stored bytes, received when and from whom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.errors import Damaged, NotFound, Refused
from isocenter.forms.answer import place
from isocenter.govern.tickets import NUMBERS
from isocenter.record import Kind, Result, Sealed, Study, to_plain

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Kept", "explain"]


@dataclass(frozen=True)
class Kept:
    """What an explanation is read from, and what of it the one who asks may see and hear."""

    index: Index
    journal: Journal
    blobs: Blobs
    shelf: str = ""
    sees: Callable[[Result], bool] = lambda result: True
    hears: Callable[[Sealed], bool] = lambda sealed: True
    withheld: frozenset[str] = frozenset()
    state: Callable[[str], str] = lambda digest: "candidate"
    numbered: bool = True  # whether the one who asks may know the numbers of entries: between them gaps would show


def explain(kept: Kept, name: str) -> dict[str, Any]:
    """The chain behind a name.

    Args:
        name: digest of a report or a result (or its first 8 characters and more), tracking UID, Study or SOP Instance
            UID, or the number of an event.

    Raises:
        NotFound: when nothing has that name.
    """
    study_uid, about = _study_of(kept, name)
    study = kept.index.study(study_uid)
    events = [e for e in kept.journal.each(subject=study_uid) if kept.hears(e)]
    results = [(d, r) for d, r in kept.index.results(study_uid, replaced=True) if kept.sees(r)]
    return {
        "asked": name,
        "about": about,
        "study": {"uid": study.uid, "patient": study.patient.id, "description": study.description},
        "signatures": [_told(kept, e) for e in events if e.event.kind in (Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)],
        "results": [_result(kept, digest, result, study) for digest, result in _wanted(results, name)],
        "events": [_told(kept, e) for e in events],
    }


def _study_of(kept: Kept, name: str) -> tuple[str, str]:
    if name.isdecimal() and len(name) < 12:
        for sealed in kept.journal.since(int(name) - 1, limit=1) if kept.numbered else ():
            if sealed.number == int(name) and sealed.event.subject and kept.hears(sealed):
                return sealed.event.subject, f"event {name}: {sealed.event.kind}"
        raise NotFound(
            f"event {name}",
            "the journal has no event of that number about a study",
            "take a number from the history of a study, or name the study",
        )
    try:
        return kept.index.study(name).uid, "study"
    except NotFound:
        pass
    try:
        study, series, _ = kept.index.instance(name)
        if series.uid not in kept.withheld:
            return study.uid, "image"
    except NotFound:
        pass
    return _study_of_digest(kept, name)


def _study_of_digest(kept: Kept, name: str) -> tuple[str, str]:
    """A result, a report or a finding: the journal names the study of each."""
    for sealed in kept.journal.each(kinds=_SPEAKING):
        for key in ("result", "report"):
            digest = str(sealed.event.details.get(key, ""))
            if len(name) >= 8 and digest.startswith(name) and kept.hears(sealed):
                return sealed.event.subject, key
        if name.startswith("2.25.") and _tracks(kept, sealed, name) and kept.hears(sealed):
            return sealed.event.subject, "finding"
    raise NotFound(f"'{name}'", "no report, result, finding, study, image or event has that name",
                   "take one that `isocenter open STUDY` or `isocenter explain STUDY` shows")  # fmt: skip


_SPEAKING = (Kind.RESULT_MADE, Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)


def _tracks(kept: Kept, sealed: Sealed, tracking: str) -> bool:
    digest = str(sealed.event.details.get("result", ""))
    if not digest:
        return False
    try:
        return any(f.tracking == tracking for f in kept.index.result(digest).findings)
    except (Damaged, NotFound, Refused):
        return False


def _wanted(results: list[tuple[str, Result]], name: str) -> list[tuple[str, Result]]:
    """The results that the name is about: itself and all it replaced; every one when the name is a whole study.

    What was said last stands first, as the signature before it: the way leads back, from a person's correction to what
    the machine had said.
    """
    results = sorted(results, key=lambda one: one[1].made, reverse=True)
    by_digest = dict(results)
    start = [d for d, r in results if d.startswith(name) or any(f.tracking == name for f in r.findings)]
    if not start:
        return results
    chain: list[str] = []
    for digest in start:
        at = digest
        while at and at in by_digest and at not in chain:
            chain.append(at)
            at = by_digest[at].replaces
    return [(d, by_digest[d]) for d in chain]


def _result(kept: Kept, digest: str, result: Result, study: Study) -> dict[str, Any]:
    return {
        "id": digest,
        "outcome": result.outcome.value,
        "said_by": to_plain(result.origin),
        "model": _model(kept, result.origin.model),
        "made": result.made.isoformat(),
        "replaces": result.replaces,
        "reasons": list(result.reasons),
        "findings": [
            {
                "tracking": f.tracking,
                "what": str(f.what),
                "certainty": f.certainty,
                "where": place(f.where),
                "verdict": f.verdict.value,
                "reason": f.reason,
                "words": f.words,
                "measurements": [to_plain(m) for m in f.measurements],
            }
            for f in result.findings
        ],
        "measurements": [to_plain(m) for m in result.measurements],
        "code": result.receipt.code,
        "seconds": result.receipt.seconds,
        "inputs": _inputs(kept, result, study),
    }


def _model(kept: Kept, digest: str) -> Mapping[str, Any] | None:
    if not digest:
        return None
    from isocenter.analysis import weights

    for held, _ in weights.models(Path(kept.shelf) if kept.shelf else None).values():
        if held.digest == digest:
            told = {"name": held.name, "version": held.version, "digest": digest, "examples": held.examples}
            return {**told, "state": kept.state(digest)}
    return {"digest": digest, "name": "no longer on the shelf", "state": kept.state(digest)}


def _inputs(kept: Kept, result: Result, study: Study) -> list[dict[str, Any]]:
    wanted = set(result.receipt.inputs)
    rows: list[dict[str, Any]] = []
    for series in study.series:
        read = [i for i in series.instances if i.digest in wanted]
        if read:
            rows.append(
                {
                    "series": series.uid,
                    "modality": series.modality,
                    "images": len(read),
                    "first": {"sop_uid": read[0].sop_uid, "digest": read[0].digest},
                    "still_as_received": all(i.digest in kept.blobs for i in read),
                }
            )
    return rows


def _told(kept: Kept, sealed: Sealed) -> dict[str, Any]:
    details = {k: v for k, v in sealed.event.details.items() if k not in ("instances", "credential")}
    if isinstance(named := sealed.event.details.get("instances"), list):
        details["instances"] = len(named)
    if not kept.numbered:
        details = {k: v for k, v in details.items() if k not in NUMBERS}
    seal = {"number": sealed.number, "hash": sealed.hash} if kept.numbered else {}
    return {
        "kind": sealed.event.kind.value,
        "time": sealed.event.time.isoformat(),
        "who": sealed.event.who,
        "details": details,
        **seal,
    }
