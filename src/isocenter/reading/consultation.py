"""Asking a colleague: a view as an address without a name, and words on a place in an image.

The address holds the study, the series, the slice, the window and the marks, by identifiers of which none is a name;
whoever opens it needs the right to the study itself. What is said stands in the journal, in order, with who and when.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from isocenter.errors import NotFound, Refused
from isocenter.record import Event, Kind, Sealed

__all__ = ["LOOK", "Mark", "Remark", "View", "address", "fold", "remark", "settle", "view_of"]

LOOK = "remarks"
"""What an entry calls it that somebody read what others had said."""

_LONGEST = 4000
_MARKS = 20


@dataclass(frozen=True)
class Mark:
    """A point on an image in its pixels, (column, row); whole numbers are centres of pixels."""

    column: float
    row: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.column) and math.isfinite(self.row)):
            raise Refused("a mark that is nowhere", "it has no place", "draw it again")


@dataclass(frozen=True)
class View:
    """What is on a screen.

    Args:
        study, series, image: UIDs; the image is a SOP Instance UID.
        frame: of a multi-frame image, from 0.
        window: centre and width, or None for the image's own.
        marks: points of interest.
    """

    study: str
    series: str = ""
    image: str = ""
    frame: int = 0
    window: tuple[float, float] | None = None
    marks: tuple[Mark, ...] = ()

    def __post_init__(self) -> None:
        for what, uid in (("study", self.study), ("series", self.series), ("image", self.image)):
            if len(uid) > 64 or set(uid) - set("0123456789.") or (what == "study" and not uid):
                raise Refused(
                    f"a {what} that is no UID",
                    "nothing else belongs into an address of a view",
                    "copy the address again",
                )
        if self.frame < 0 or len(self.marks) > _MARKS:
            raise Refused(
                f"frame {self.frame} with {len(self.marks)} marks", f"at most {_MARKS} marks are shown", "show fewer"
            )
        if self.window is not None and not (math.isfinite(sum(self.window)) and self.window[1] > 0):
            raise Refused(f"a window of {self.window}", "its width must be positive", "give a width above 0")


def address(view: View) -> str:
    """The view as a path with a query: no name, no accession number, nothing but UIDs and numbers.

    >>> address(View("1.2", "1.2.3", "1.2.3.4", window=(40, 400), marks=(Mark(12, 30.5),)))
    '/oversight/view/1.2?series=1.2.3&image=1.2.3.4&window=40,400&marks=12,30.5'
    """
    told: dict[str, str] = {}
    if view.series:
        told["series"] = view.series
    if view.image:
        told["image"] = view.image
    if view.frame:
        told["frame"] = str(view.frame)
    if view.window is not None:
        told["window"] = ",".join(map(_short, view.window))
    if view.marks:
        told["marks"] = ";".join(f"{_short(m.column)},{_short(m.row)}" for m in view.marks)
    query = urlencode(told, safe=",;")
    return f"/oversight/view/{quote(view.study)}" + (f"?{query}" if query else "")


def _short(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def view_of(study: str, query: str) -> View:
    """Read an address again.

    Raises:
        Refused: it is none of ours.

    >>> view_of("1.2", "series=1.2.3&window=40,400").window
    (40.0, 400.0)
    """
    told = dict(parse_qsl(query, max_num_fields=20))
    try:
        window = tuple(float(v) for v in told["window"].split(",")) if told.get("window") else None
        marks = tuple(
            Mark(*(float(v) for v in one.split(","))) for one in filter(None, told.get("marks", "").split(";"))
        )
        frame = int(told.get("frame") or 0)
        if window is not None and len(window) != 2:
            raise ValueError
    except (ValueError, TypeError) as wrong:
        raise Refused(
            "an address of a view with broken numbers", "it was cut off or changed", "ask for it again"
        ) from wrong
    pair = (window[0], window[1]) if window else None
    return View(study, told.get("series", ""), told.get("image", ""), frame, pair, marks)


@dataclass(frozen=True)
class Remark:
    """One thing that was said on a place in an image.

    Args:
        number: of its event.
        thread: number of the remark that began it; its own where it is the first.
        settled: that thread was closed with these words.
    """

    number: int
    thread: int
    who: str
    time: datetime
    words: str
    view: View
    closes: bool = False


def remark(view: View, words: str, who: str, now: datetime, *, thread: int = 0, known: Iterable[Remark] = ()) -> Event:
    """Say something about a view, or answer in a thread.

    Args:
        thread: number of the remark that is answered; 0 begins a new thread.
        known: the remarks of this study.

    Raises:
        Refused: no words, or too many.
        NotFound: no such thread.
    """
    said = words.strip()
    if not said or len(said) > _LONGEST:
        raise Refused(
            f"a remark of {len(said)} characters", f"it has between 1 and {_LONGEST}", "shorten it, or write two"
        )
    _must_exist(thread, known)
    told = {"words": said, "thread": thread, "view": address(view).partition("?")[2]}
    return Event(Kind.REMARKED, now, who, view.study, told)


def settle(study: str, thread: int, who: str, now: datetime, *, known: Iterable[Remark]) -> Event:
    """Close a thread; it stays readable, and a further answer opens it again.

    Raises:
        NotFound: no such thread.
    """
    _must_exist(thread, known)
    return Event(Kind.REMARKED, now, who, study, {"words": "", "thread": thread, "view": "", "closes": True})


def fold(events: Iterable[Sealed]) -> list[dict[str, Any]]:
    """Threads of a study as JSON, the newest first, each with its view, its remarks and whether it is settled."""
    threads: dict[int, list[Remark]] = {}
    for one in remarks(events):
        threads.setdefault(one.thread, []).append(one)
    told = [_thread(number, many) for number, many in threads.items()]
    return sorted(told, key=lambda t: -t["number"])


def remarks(events: Iterable[Sealed]) -> list[Remark]:
    """What was said, oldest first."""
    found = []
    for sealed in events:
        event, told = sealed.event, sealed.event.details
        if event.kind is Kind.REMARKED:
            view = view_of(event.subject, str(told["view"]))
            thread = int(told["thread"]) or sealed.number
            closes = bool(told.get("closes", False))
            found.append(Remark(sealed.number, thread, event.who, event.time, str(told["words"]), view, closes))
    return found


def _thread(number: int, many: list[Remark]) -> dict[str, Any]:
    view = many[0].view
    said: list[Mapping[str, Any]] = [
        {"number": r.number, "who": r.who, "time": r.time.isoformat(), "words": r.words, "settles": r.closes}
        for r in many
    ]
    place = {
        "series": view.series, "image": view.image, "frame": view.frame,
        "window": list(view.window) if view.window else None, "marks": [[m.column, m.row] for m in view.marks],
    }  # fmt: skip
    return {"number": number, "address": address(view), "place": place, "settled": many[-1].closes, "remarks": said}


def _must_exist(thread: int, known: Iterable[Remark]) -> None:
    if thread and all(r.thread != thread for r in known):
        raise NotFound("such a thread", "this study has none of that name", "load the remarks again")
