"""Why an analysis did not look at studies, by the headers alone: the reason, whose scanner, and since which week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isocenter.record import Event, Kind

if TYPE_CHECKING:
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["reasons", "shares"]

_PLANS = 2000  # plans that are looked through for reasons, the newest
_REASONS, _SCANNERS, _WEEKS = 8, 3, 8
_MANY = 500  # studies that are asked about at once


def reasons(journal: Journal, index: Index, name: str, holds: Callable[[str], bool]) -> list[dict[str, Any]]:
    """The commonest reasons of the latest plan of each study, among the newest plans.

    A reason that one scanner gives and others do not is one for its technologists: so each says which scanners give it
    most often, of how many studies of theirs, and in how many of the studies of each of the latest weeks.

    Counts below ten are told, unlike those of a cohort: each study that is counted is one whose own plan the asker may
    read, reason by reason, and whoever may see figures of people only (a planner) is not told of reasons at all.

    Args:
        name: of the analysis.
        holds: whether a study is one that the asker may know of; others are neither counted nor named.

    Returns:
        reason, studies, of, scanners (scanner, studies, of), weeks (week as ISO 8601 writes it, studies, of; oldest
        first).
    """
    latest = _latest(journal, holds)
    found: dict[str, list[str]] = {}
    for uid, event in latest.items():
        mine = [one for one in event.details.get("declined", ()) if one["analysis"] == name]
        for reason in {_kind(said) for one in mine for said in one["reasons"]}:
            found.setdefault(reason, []).append(uid)
    if not found:
        return []
    scanners, weeks = _scanners(index, list(latest)), {uid: f"{event.time:%G-W%V}" for uid, event in latest.items()}
    commonest = sorted(found.items(), key=lambda held: -len(held[1]))[:_REASONS]
    lately = sorted(set(weeks.values()))[-_WEEKS:]
    rows = []
    for reason, uids in commonest:
        of_scanners = sorted(_shares(uids, scanners), key=lambda row: -row[1])[:_SCANNERS]
        of_weeks = [row for row in sorted(_shares(uids, weeks)) if row[0] in lately]
        rows.append({
            "reason": reason, "studies": len(uids), "of": len(latest),
            "scanners": [{"scanner": one, "studies": n, "of": of} for one, n, of in of_scanners if n],
            "weeks": [{"week": one, "studies": n, "of": of} for one, n, of in of_weeks],
        })  # fmt: skip
    return rows


def shares(journal: Journal, holds: Callable[[str], bool]) -> tuple[Counter[str], int]:
    """On how many studies each analysis was planned, by the latest plan of each, and of how many.

    Args:
        holds: whether a study is one that the asker may know of.
    """
    latest = _latest(journal, holds)
    planned = Counter(
        name for event in latest.values() for name in {one["analysis"] for one in event.details.get("bindings", ())}
    )
    return planned, len(latest)


def _latest(journal: Journal, holds: Callable[[str], bool]) -> dict[str, Event]:
    latest: dict[str, Event] = {}
    for sealed in journal.since(kinds=(Kind.PLANNED,), limit=_PLANS, newest_first=True):
        if holds(sealed.event.subject):
            latest.setdefault(sealed.event.subject, sealed.event)
    return latest


def _shares(uids: Sequence[str], parts: Mapping[str, str]) -> list[tuple[str, int, int]]:
    """Part, how many of the studies are of it, and how many there are in all; parts without a name are left out."""
    whole, some = Counter(parts.values()), Counter(parts.get(uid, "") for uid in uids)
    return [(part, some[part], n) for part, n in whole.items() if part]


def _scanners(index: Index, uids: Sequence[str]) -> dict[str, str]:
    found = {}
    for start in range(0, len(uids), _MANY):
        some = uids[start : start + _MANY]
        for study in index.studies({"StudyInstanceUID": "\\".join(some)}, limit=len(some)):
            found[study.uid] = study.scanner
    return found


def _kind(reason: str) -> str:
    """A reason without the series that it is about, so that the same reason of two studies is one."""
    return reason.partition("; ")[0]
