"""Many objects that leave together without their persons: a folder of copies, and one report of what was done.

The report says for every attribute what became of it and why, which objects were held back for a person, and what could
still tell who somebody is: also how small the smallest group of patients is that share sex, age, body part and kind of
image (k-anonymity). It names no original, so it may travel with the copies.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from isocenter.dicom.confidentiality import EDITION, RESEARCH, Option
from isocenter.dicom.deidentify import Deidentified, HeldBack, deidentify
from isocenter.dicom.elements import parse
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.errors import IsocenterError, Refused

__all__ = ["Release", "Remembered", "Terms", "held_names", "release", "remembered"]

_WINDOW = 64  # files that wait for a worker at once: memory stays bounded
_FEW = 24  # so few are done before a second process has started


@dataclass(frozen=True)
class Terms:
    """How things leave.

    Args:
        options: of table E.1-1.
        keep: keywords kept all the same.
        reviewed: SOP Instance UIDs whose pixels a person has looked at; ``*`` for all.
        blank: images with found writing go without a person, the found lines blanked.
    """

    options: frozenset[Option] = RESEARCH
    keep: frozenset[str] = frozenset()
    reviewed: frozenset[str] = frozenset()
    blank: bool = False

    def covers(self, data: bytes) -> bool:
        """Whether a person has looked at the pixels of this object."""
        return "*" in self.reviewed or (bool(self.reviewed) and parse(data).ascii(0x00080018) in self.reviewed)


class Remembered(NamedTuple):
    """What is remembered of one clean copy: everything but its bytes."""

    patient: str
    done: Counter[tuple[str, str, str]]
    pixels: str
    risks: tuple[str, ...]
    facts: dict[str, str]


@dataclass
class Release:
    """What has left and what has not, as it grows."""

    terms: Terms
    domain: str
    written: int = 0
    done: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    pixels: Counter[str] = field(default_factory=Counter)
    risks: Counter[str] = field(default_factory=Counter)
    held_back: list[tuple[str, str, str]] = field(default_factory=list)  # name, "review" or "rejected", why
    people: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def add(self, one: Remembered) -> None:
        """Count a copy that was written."""
        self.written += 1
        self.done.update(one.done)
        self.pixels[one.pixels] += 1
        self.risks.update(one.risks)
        person = self.people.setdefault(one.patient, defaultdict(set))
        for name, value in one.facts.items():
            person[name].add(value)

    def hold(self, name: str, refusal: IsocenterError) -> None:
        """Count an object that stays here."""
        kind = "review" if isinstance(refusal, HeldBack) else "rejected"
        self.held_back.append((name, kind, str(refusal)))

    def groups(self) -> Counter[tuple[tuple[str, str], ...]]:
        """How many patients share what is known of each."""
        return Counter(
            tuple((name, "/".join(sorted(values))) for name, values in sorted(person.items()))
            for person in self.people.values()
        )

    def report(self) -> dict[str, Any]:
        """The report, without any original name."""
        groups = self.groups()
        stayed = Counter((kind, why) for _, kind, why in self.held_back)
        return {
            "standard": EDITION,
            "options": sorted(self.terms.options),
            "kept_by_wish": sorted(self.terms.keep),
            "domain": self.domain,
            "written": self.written,
            "patients": len(self.people),
            "held_back": [{"kind": k, "why": w, "count": n} for (k, w), n in stayed.most_common()],
            "pixels": dict(self.pixels),
            "attributes": [
                {"attribute": a, "done": d, "because": w, "count": n} for (a, d, w), n in sorted(self.done.items())
            ],
            "risk": {
                "smallest_group": min(groups.values(), default=0),
                "patients_alone_in_their_group": sum(1 for n in groups.values() if n == 1),
                "by": ["age", "modality", "part", "sex"],
                "remaining": [{"risk": r, "objects": n} for r, n in self.risks.most_common()],
            },
        }


def release(
    files: Iterable[tuple[str, bytes | IsocenterError]],
    out: Path,
    *,
    secret: bytes,
    terms: Terms | None = None,
    workers: int = 1,
    told: Callable[[str, int, int], None] = lambda words, done, of: None,
) -> Release:
    """Write clean copies into a folder, named by patient, study, series and instance as they are called now.

    Args:
        files: names and bytes, or why they could not be read.
        out: a new or empty folder.
        secret: of the pseudonyms.
        terms: what may leave; by default what research needs.
        workers: processes.
        told: progress: words, done, of.

    Raises:
        Refused: when the folder holds something already, or the secret is short.
        Unavailable: when the disk says no.
    """
    if out.exists() and any(out.iterdir()):
        raise Refused(f"folder '{out}'", "it is not empty, and old files beside new ones mislead", "name a new one")
    terms = terms or Terms()
    result = Release(terms, Pseudonyms(secret).domain)
    out.mkdir(parents=True, exist_ok=True)
    for name, answer in _each(files, partial(_one, secret, terms, out), workers):
        if isinstance(answer, IsocenterError):
            result.hold(name, answer)
        else:
            result.add(answer)
        told(name, result.written, result.written + len(result.held_back))
    return result


def _each(
    files: Iterable[tuple[str, bytes | IsocenterError]],
    work: Callable[[bytes], Remembered | IsocenterError],
    workers: int,
) -> Iterator[tuple[str, Remembered | IsocenterError]]:
    pool: ProcessPoolExecutor | None = None
    waiting: list[tuple[str, Future[Remembered | IsocenterError]]] = []
    try:
        for number, (name, given) in enumerate(files):
            if isinstance(given, IsocenterError):
                yield name, given
            elif workers < 2 or number < _FEW:
                yield name, work(given)
            else:
                pool = pool or ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
                waiting.append((name, pool.submit(work, given)))
                if len(waiting) >= _WINDOW:
                    first, future = waiting.pop(0)
                    yield first, future.result()
        for name, future in waiting:
            yield name, future.result()
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


_BY: dict[bytes, Pseudonyms] = {}


def _one(secret: bytes, terms: Terms, out: Path, data: bytes) -> Remembered | IsocenterError:
    """Clean and write one object; in a process of its own where there are several."""
    by = _BY.setdefault(secret, Pseudonyms(secret))
    try:
        copy = deidentify(
            data, by=by, options=terms.options, keep=terms.keep, reviewed=terms.covers(data), blank=terms.blank
        )
        return _written(copy, out)
    except IsocenterError as refusal:
        return refusal


def _written(copy: Deidentified, out: Path) -> Remembered:
    file = parse(copy.data, until_pixels=True)
    study, series, instance = (_plain(file.ascii(tag)) for tag in (0x0020000D, 0x0020000E, 0x00080018))
    folder = out / copy.patient / study / series
    place = folder / f"{instance}.dcm"
    if place.exists():
        raise Refused("the same instance twice", "it was written already", "leave one of them out")
    folder.mkdir(parents=True, exist_ok=True)
    place.write_bytes(copy.data)
    return remembered(copy)


def remembered(copy: Deidentified) -> Remembered:
    """What a report needs of a copy."""
    return Remembered(copy.patient, copy.done, copy.pixels.state, copy.risks, copy.facts)


def _plain(uid: str) -> str:
    """A UID as a name of a file: digits and dots, whatever the object says."""
    if not uid or set(uid) - set("0123456789.") or len(uid) > 64 or uid.startswith("."):
        raise Refused("a UID that is none", "no file can be named by it", "leave it out")
    return uid


def held_names(found: Release, kinds: Collection[str] = ("review", "rejected")) -> list[dict[str, str]]:
    """What stayed, with its name here and the reason; for whoever asked, not for whoever receives."""
    return [{"file": name, "kind": kind, "why": why} for name, kind, why in found.held_back if kind in kinds]
