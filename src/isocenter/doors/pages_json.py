"""Records as the JSON that the pages read. What they mean stands at the records; here they only get their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import numpy as np

from isocenter.doors.pages_overlay import crossed
from isocenter.doors.pages_planes import in_order, planes
from isocenter.forms.answer import place
from isocenter.govern.tickets import Tickets
from isocenter.reading.hanging import Hanging, Hung, Window
from isocenter.reading.opinion import Opinion
from isocenter.reading.priors import Prior
from isocenter.reading.session import Reading
from isocenter.reading.worklist import Entry
from isocenter.record import (
    NO_PICTURES,
    Code,
    Finding,
    Measurement,
    Patient,
    Result,
    Series,
    Study,
    Urgency,
    to_plain,
)
from isocenter.space import Reference, Region

__all__ = ["hanging", "opinion", "paged", "patient", "prior", "reading", "result", "row", "study"]

_PAGE = 100  # rows that are sent at once
_NONE: Mapping[str, str] = MappingProxyType({})


def paged(rows: Sequence[Any], offset: int) -> dict[str, Any]:
    """A hundred rows of a list from an offset on, how many there are, and where the next hundred begin.

    >>> paged(range(250), 200)["next"], paged(range(250), 100)["next"], paged([], 0)["total"]
    (None, 200, 0)
    """
    after = offset + _PAGE
    part = list(rows[offset:after])
    return {"rows": part, "total": len(rows), "offset": offset, "next": after if after < len(rows) else None}


def patient(who: Patient) -> dict[str, Any]:
    """Who was imaged."""
    born = who.birth_date.isoformat() if who.birth_date else None
    return {"id": who.id, "name": who.name, "sex": who.sex, "birth_date": born}


def row(entry: Entry, done: float | None = None) -> dict[str, Any]:
    """One row of the worklist; `done` is the share of its analyses that have answered, while they run."""
    waiting, told = entry.waiting, entry.waiting.study
    ai: dict[str, Any] = {"state": waiting.ai, "words": ", ".join(dict.fromkeys(r.finding for r in waiting.raises))}
    if done is not None:
        ai["done"] = done
    return {
        "study": told.uid,
        "patient": patient(told.patient),
        "accession": told.accession,
        "date": told.date.isoformat() if told.date else None,
        "description": told.description,
        "modalities": list(waiting.modalities),
        "instances": waiting.instances,
        "state": waiting.state,
        "level": entry.level.value,
        "why": entry.why,
        "due": _iso(entry.due),
        "waits_s": round(entry.waits.total_seconds()),
        "moved_up": entry.moved_up,
        "ai": ai,
        "reader": waiting.reader,
        "assigned": waiting.assigned,
    }


def reading(tickets: Tickets, state: Reading) -> dict[str, Any]:
    """The state of a reading; its version is what the next write has to name."""
    return {
        "study": state.study_uid,
        "state": state.state,
        "by": state.by,
        "version": tickets.version(state.version),
        "assigned": state.assigned,
        "opened": _iso(state.opened),
        "signed": _iso(state.signed),
        "signed_by": state.by if state.state == "signed" else "",
        "opinion": {"asked": state.asked, "locked": _iso(state.locked)},
    }


def opinion(given: Opinion) -> dict[str, Any]:
    """A first opinion as it was locked."""
    return {
        "by": given.by,
        "locked": _iso(given.locked),
        "nothing": given.nothing,
        "line": given.line,
        "findings": [
            {"tracking": f.tracking, "what": _code(f.what), "words": f.words, "certainty": f.certainty,
             "site": _code(f.site), "laterality": _code(f.laterality)}
            for f in given.findings
        ],
        "modes": dict(given.modes),
    }  # fmt: skip


def study(
    whole: Study, state: Reading | None, tickets: Tickets, due: tuple[Urgency, datetime] | None = None
) -> dict[str, Any]:
    """A study with its series and images; without a reading for those who may not see it.

    Args:
        due: its class and when it should be read, where it is still to be read.
    """
    return {
        "uid": whole.uid,
        "patient": patient(whole.patient),
        "accession": whole.accession,
        "date": whole.date.isoformat() if whole.date else None,
        "description": whole.description,
        "modalities": list(whole.modalities),
        "reading": reading(tickets, state) if state else None,
        "due": {"level": due[0].value, "at": _iso(due[1])} if due else None,
        "series": [_series(s) for s in whole.series],
    }


def _series(series: Series) -> dict[str, Any]:
    pictures = [i for i in in_order(series) if i.rows and i.columns and i.frames]
    return {
        "uid": series.uid,
        "modality": series.modality,
        "number": series.number,
        "description": series.description,
        "images": len(pictures),
        "viewable": bool(pictures) and series.modality not in NO_PICTURES,
        "frame_of_reference": series.frame_of_reference,
        "instances": [{"sop_uid": i.sop_uid, "frames": i.frames} for i in pictures],
    }


def result(id: str, told: Result, whole: Study, withheld: Mapping[str, str] = _NONE) -> dict[str, Any]:
    """One answer, with where its findings lie in images of the study.

    Args:
        withheld: map that may not be shown -> why.
    """
    analysis, version, model = told.machine
    lying: dict[str, dict[str, Any]] = {}  # where the images of a series lie, worked out once a series
    return {
        "id": id,
        "analysis": analysis or told.origin.name,
        "version": version,
        "answer": told.answer.value,
        "reasons": list(told.reasons),
        "urgency": told.urgency.value,
        "findings": [_finding(f, whole, lying) for f in told.findings],
        "measurements": [_measurement(m) for m in told.measurements],
        "curves": to_plain(told.curves),
        "maps": [
            {"name": m.name, "quantity": m.quantity, "unit": m.unit, "kind": m.kind, "series_uid": m.series_uid,
             "low": m.low, "high": m.high, "digest": m.digest, "withheld": withheld.get(m.name, "")}
            for m in told.maps
        ],
        "model": model or None,
        "origin": {"kind": told.origin.kind, "name": told.origin.name, "version": told.origin.version,
                   "unaided": told.origin.unaided, "parameters": to_plain(told.origin.parameters)},
        "made": _iso(told.made),
        "seconds": told.receipt.seconds,
    }  # fmt: skip


def _finding(finding: Finding, whole: Study, lying: dict[str, dict[str, Any]]) -> dict[str, Any]:
    where = place(finding.where)
    if where is not None and finding.where is not None:
        uid = finding.where.series_uid
        if uid not in lying:
            lying[uid] = next((_planes(s) for s in whole.series if s.uid == uid), {})
        where["instances"] = crossed(finding.where, lying[uid])
        where["has_mask"] = finding.where.mask is not None
        where |= _points(finding.where)
    return {
        "tracking": finding.tracking,
        "what": _code(finding.what),
        "certainty": finding.certainty,
        "words": finding.words,
        "verdict": finding.verdict.value,
        "reason": finding.reason,
        "research": finding.research,
        "site": _code(finding.site),
        "laterality": _code(finding.laterality),
        "measurements": [_measurement(m) for m in finding.measurements],
        "where": where,
    }


def _points(where: Region) -> dict[str, Any]:
    """The frame of reference, and the points of a mark: of the patient, or of the pixels of its image."""
    patient = where.geometry.reference is Reference.PATIENT
    told: dict[str, Any] = {"frame": where.geometry.frame_of_reference if patient else "", "points": None}
    if where.points_mm is not None:
        points = where.points_mm if patient else where.geometry.to_index(where.points_mm)[:, [2, 1]]
        told["points"] = np.round(points, 4).tolist()
    return told


def _planes(series: Series) -> dict[str, Any]:
    """Where the images lie; a single image is crossed by whatever was found on its series."""
    pictures = [i for i in series.instances if i.rows]
    known = planes(series)
    return known if known or len(pictures) != 1 else {pictures[0].sop_uid: None}


def hanging(hung: Hanging) -> dict[str, Any]:
    """How a study is hung."""
    return {
        "name": hung.name,
        "series": list(hung.series),
        "window": _window(hung.window),
        "presets": [_window(w) for w in hung.presets],
        "rules": [{"words": words, "met": met} for words, met in hung.rules],
        "stages": [
            {"name": name, "layout": layout, "places": [_place(p) for p in places]}
            for name, layout, places in hung.stages
        ],
    }


def _place(hung: Hung) -> dict[str, Any]:
    return {
        "study": hung.study_uid, "series": hung.series_uid, "plane": hung.plane, "over": hung.over_uid,
        "sop": hung.sop_uid, "prior": hung.prior,
    }  # fmt: skip


def prior(one: Prior) -> dict[str, Any]:
    """An earlier study, and how it stands to the one of today."""
    return {
        "study": one.study.uid,
        "date": one.study.date.isoformat() if one.study.date else None,
        "description": one.study.description,
        "modalities": list(one.study.modalities),
        "region": one.region,
        "days": one.days,
        "same_region": one.same_region,
        "shared": list(one.modalities),
        "series": [_series(s) for s in one.study.series],
    }


def _window(window: Window | None) -> dict[str, Any] | None:
    return {"name": window.name, "centre": window.centre, "width": window.width} if window else None


def _code(code: Code | None) -> dict[str, str] | None:
    return {"code": code.code, "scheme": code.scheme, "meaning": code.meaning} if code else None


def _measurement(told: Measurement) -> dict[str, Any]:
    return {
        "what": _code(told.what),
        "value": told.value,
        "unit": told.unit,
        "low": told.low,
        "high": told.high,
        "definition": told.definition,
        "percentile": told.percentile,
        "norm": told.norm,
        "smallest_change": told.smallest_change,
    }


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
