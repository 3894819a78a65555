"""Many objects that leave together without their persons: a folder of copies, and one report of what was done.

The report says for every attribute what became of it and why, which objects were held back for a person, and what could
still tell who somebody is: also how small the smallest group of patients is that share sex, age, body part and kind of
image (k-anonymity). It names no original, so it may travel with the copies.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from isocenter.dicom.alike import risk
from isocenter.dicom.aside import Aside, Lying
from isocenter.dicom.confidentiality import EDITION, RESEARCH, Option
from isocenter.dicom.deidentify import Deidentified, HeldBack, deidentify
from isocenter.dicom.elements import parse
from isocenter.dicom.in_processes import Given, Processes
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.dicom.recipe_wishes import Recipe
from isocenter.dicom.scan import read
from isocenter.dicom.visual_features import Cover, Shows, group_of, shows
from isocenter.errors import IsocenterError, LimitReached, NotWhole, Refused, Unavailable

__all__ = [
    "Faces",
    "Release",
    "Remembered",
    "Terms",
    "growing",
    "held_names",
    "release",
    "remembered",
    "without_values",
]

Faces = Callable[[Sequence[bytes | Lying]], Mapping[str, Cover]]
"""All images of one frame of reference -> what is known of a face, by Series Instance UID."""


@dataclass(frozen=True)
class Terms:
    """How things leave.

    Args:
        options: of table E.1-1.
        keep: keywords kept all the same.
        reviewed: SOP Instance UIDs whose pixels a person has looked at; ``*`` for all.
        blank: images with found writing go without a person, the found lines blanked.
        recipe: of another tool, on top of the table.
    """

    options: frozenset[Option] = RESEARCH
    keep: frozenset[str] = frozenset()
    reviewed: frozenset[str] = frozenset()
    blank: bool = False
    recipe: Recipe | None = None

    def covers(self, data: bytes) -> bool:
        """Whether a person has looked at the pixels of this object."""
        if "*" in self.reviewed or not self.reviewed:
            return bool(self.reviewed)
        return parse(data, until_pixels=True).ascii(0x00080018) in self.reviewed


class Remembered(NamedTuple):
    """What is remembered of one clean copy: everything but its bytes."""

    patient: str
    done: Counter[tuple[str, str, str]]
    pixels: str
    risks: tuple[str, ...]
    facts: dict[str, str]
    face: str = ""


class Waiting(NamedTuple):
    """A head, whose face is sought when all of its images have been seen."""

    group: tuple[str, str]


Answer = Remembered | Waiting | IsocenterError


@dataclass
class Release:
    """What has left and what has not, as it grows."""

    terms: Terms
    domain: str
    written: int = 0
    done: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    pixels: Counter[str] = field(default_factory=Counter)
    risks: Counter[str] = field(default_factory=Counter)
    faces: Counter[str] = field(default_factory=Counter)
    heads: list[Cover] = field(default_factory=list)
    held_back: list[tuple[str, str, str]] = field(default_factory=list)  # name, "review" or "rejected", why
    people: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    stayed: Counter[tuple[str, str]] = field(default_factory=Counter)  # the same kind, and why in words that travel

    def add(self, one: Remembered) -> None:
        """Count a copy that was written."""
        self.written += 1
        self.done.update(one.done)
        self.pixels[one.pixels] += 1
        self.risks.update(one.risks)
        if one.face:
            self.faces[one.face] += 1
        person = self.people.setdefault(one.patient, defaultdict(set))
        for name, value in one.facts.items():
            person[name].add(value)

    def take(self, name: str, answer: Answer) -> None:
        """Count what became of an object."""
        if isinstance(answer, Remembered):
            self.add(answer)
        elif isinstance(answer, IsocenterError):
            self.hold(name, answer)

    def hold(self, name: str, refusal: IsocenterError) -> None:
        """Count an object that stays here."""
        kind = "review" if isinstance(refusal, HeldBack) else "rejected"
        self.held_back.append((name, kind, str(refusal)))
        self.stayed[kind, without_values(refusal)] += 1

    def join(self, other: Release) -> None:
        """Count what another release of the same terms did as well."""
        self.written += other.written
        for mine, theirs in ((self.done, other.done), (self.pixels, other.pixels), (self.risks, other.risks)):
            mine.update(theirs)  # type: ignore[arg-type]
        self.faces.update(other.faces)
        self.heads += other.heads
        self.held_back += other.held_back
        self.stayed.update(other.stayed)
        for patient, facts in other.people.items():
            person = self.people.setdefault(patient, defaultdict(set))
            for name, values in facts.items():
                person[name] |= values

    def risk(self) -> dict[str, Any]:
        """How many patients are alike in what singles somebody out and stands in the copies, and what else remains."""
        return risk(self.people.values()) | {
            "remaining": [{"risk": r, "objects": n} for r, n in self.risks.most_common()]
        }

    def report(self) -> dict[str, Any]:
        """The report, without any original name."""
        return {
            "standard": EDITION,
            "options": sorted(self.terms.options),
            "kept_by_wish": sorted(self.terms.keep),
            "recipe": self.terms.recipe.report() if self.terms.recipe else None,
            "domain": self.domain,
            "written": self.written,
            "patients": len(self.people),
            "held_back": [{"kind": k, "why": w, "count": n} for (k, w), n in self.stayed.most_common()],
            "pixels": dict(self.pixels),
            "faces": {"objects": dict(self.faces), "series": [dict(c.measured) for c in self.heads if c.measured]},
            "attributes": [
                {"attribute": a, "done": d, "because": w, "count": n} for (a, d, w), n in sorted(self.done.items())
            ],
            "risk": self.risk(),
        }


def without_values(refusal: IsocenterError) -> str:
    """Why an object stays, without the name of its file or a value of its header: for whoever receives the others.

    >>> without_values(NotWhole("Petersen.dcm is a damaged ZIP archive"))
    'not one whole DICOM object'
    """
    if isinstance(refusal, HeldBack):  # these say what kind of object it is, and nothing of it
        return str(refusal)
    if isinstance(refusal, NotWhole):
        return "not one whole DICOM object"
    if isinstance(refusal, LimitReached):
        return "larger or deeper than the limits"
    if isinstance(refusal, Unavailable):
        return "could not be read"
    return _TWICE if refusal.what == _TWICE else "could not be copied without its person"


_TWICE = "the same instance twice"


@contextlib.contextmanager
def growing(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place once all is well, and goes away when anything refuses.

    Raises:
        Refused: `out` holds something already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Refused(f"folder '{out}'", "it is not empty, and old files beside new ones mislead", "name a new one")
    partial = out.absolute().with_name(f".{out.absolute().name}.growing")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def release(
    files: Iterable[tuple[str, Given]],
    out: Path,
    *,
    secret: bytes,
    terms: Terms | None = None,
    workers: int = 1,
    faces: Faces | None = None,
    told: Callable[[str, int, int], None] = lambda words, done, of: None,
) -> Release:
    """Write clean copies into a new folder, named by patient, study, series and instance as they are called now.

    Args:
        files: names and places (`scan.places`) or bytes (`scan.scan`), or why they could not be read.
        out: a new or empty folder.
        secret: of the pseudonyms.
        terms: what may leave; by default what research needs.
        workers: processes.
        faces: finds faces, where the terms ask for them to be taken out; without it heads stay here.
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
    place = out.absolute()
    # The folder may lie among the originals; what is written into it meanwhile is none of them.
    given = ((n, one) for n, one in files if not (isinstance(one, Path) and one.absolute().is_relative_to(place)))
    heads: dict[tuple[str, str], list[tuple[str, Lying]]] = defaultdict(list)
    with Aside() as aside, Processes(workers, [faces.__module__] if faces else []) as processes:
        known: dict[str, Cover] | None = (
            None if faces else {}
        )  # where nobody seeks faces, no head waits for its other images
        for name, one, answer in processes.each(given, partial(_some, secret, terms, out, known)):
            if isinstance(answer, Waiting) and not isinstance(one, IsocenterError):
                # What has no place of its own waits sealed: it may come from a project that lies sealed itself.
                heads[answer.group].append((name, one if isinstance(one, Path) else aside.lay(one)))
                continue
            result.take(name, answer)
            told(name, result.written, result.written + len(result.held_back))
        for covers, answers in _of_heads(list(heads.values()), secret, terms, out, faces, processes):
            result.heads += covers
            for name, answer in answers:
                result.take(name, answer)
            told("faces", result.written, result.written + len(result.held_back))
    return result


_Head = Sequence[tuple[str, Lying]]
"""All images of one frame of reference, by name and by where they lie."""

_Left = tuple[list[Cover], list[tuple[str, Answer]]]
"""What is known of faces, and what became of the images."""


def _of_heads(
    heads: Sequence[_Head], secret: bytes, terms: Terms, out: Path, faces: Faces | None, processes: Processes
) -> Iterator[_Left]:
    lie_in_files = all(isinstance(x, Path) for images in heads for _, x in images)
    if len(heads) > 1 and lie_in_files:
        # A process holds one head, which it reads itself. What waits sealed can be opened in this process only.
        yield from processes.one_by_one(heads, partial(_head, secret, terms, out, faces))
        return
    found: dict[str, Cover] = {}
    for images in heads:
        found |= faces([x for _, x in images]) if faces else {}
        yield [], []
    late = ((n, x if isinstance(x, Path) else x.read_bytes()) for images in heads for n, x in images)
    yield list(found.values()), []
    for name, _, answer in processes.each(late, partial(_some, secret, terms, out, found)):
        yield [], [(name, answer)]


def _head(secret: bytes, terms: Terms, out: Path, faces: Faces | None, images: _Head) -> _Left:
    found = faces([x for _, x in images]) if faces else {}
    places = [(n, x) for n, x in images if isinstance(x, Path)]
    answers = _some(secret, terms, out, found, places)
    return list(found.values()), [(name, answer) for (name, _), answer in zip(images, answers, strict=True)]


_BY: dict[bytes, Pseudonyms] = {}


def _some(
    secret: bytes, terms: Terms, out: Path, covers: Mapping[str, Cover] | None,
    parcel: Sequence[tuple[str, Path | bytes]],
) -> list[Answer]:  # fmt: skip
    """Clean and write some objects; in a process of its own where there are several.

    Raises:
        Unavailable: nothing can be written.
    """
    by = _BY.setdefault(secret, Pseudonyms(secret))
    answers: list[Answer] = []
    done: Counter[tuple[str, str, str]] = Counter()
    for name, given in parcel:
        answer = _one(by, terms, out, covers, read(given, name) if isinstance(given, Path) else given)
        if isinstance(answer, Remembered):
            # What is equal is sent back to the other process once.
            done = done if answer.done == done else answer.done
            answer = answer._replace(done=done)
        answers.append(answer)
    return answers


def _one(
    by: Pseudonyms, terms: Terms, out: Path, covers: Mapping[str, Cover] | None, data: bytes | IsocenterError
) -> Answer:
    if isinstance(data, IsocenterError):
        return data
    try:
        if covers is None and Option.FACES in terms.options:
            head = parse(data, until_pixels=True)
            if shows(head) is not Shows.NO:
                return Waiting(group_of(head))
        copy = deidentify(
            data, by=by, options=terms.options, keep=terms.keep, reviewed=terms.covers(data), blank=terms.blank,
            covers=covers or {}, recipe=terms.recipe,
        )  # fmt: skip
        place = _place(copy, out)
    except IsocenterError as refusal:
        return refusal
    return remembered(copy) if _written(copy.data, place) else _twice()


def _place(copy: Deidentified, out: Path) -> Path:
    study, series, instance = map(_plain, copy.names)
    return out / copy.patient / study / series / f"{instance}.dcm"


def _written(data: bytes, place: Path) -> bool:
    """Write a file that was not there; whether it was not.

    Raises:
        Unavailable: the disk said no; nothing of the file is left.
    """
    try:
        try:
            file = place.open("xb")
        except FileNotFoundError:
            place.parent.mkdir(parents=True, exist_ok=True)
            file = place.open("xb")
    except FileExistsError:
        return False
    except OSError as fault:
        raise _full(fault) from fault
    try:
        with file:
            file.write(data)
    except OSError as fault:
        with contextlib.suppress(OSError):
            place.unlink()
        raise _full(fault) from fault
    return True


def _full(fault: OSError) -> Unavailable:
    return Unavailable(
        "a copy cannot be written", fault.strerror or str(fault), "free some space, remove the folder, and begin again"
    )


def _twice() -> Refused:
    return Refused(_TWICE, "it was written already", "leave one of them out")


def remembered(copy: Deidentified) -> Remembered:
    """What a report needs of a copy."""
    return Remembered(copy.patient, copy.done, copy.pixels.state, copy.risks, copy.facts, copy.face)


def _plain(uid: str) -> str:
    """A UID as a name of a file: digits and dots, whatever the object says."""
    if not uid or set(uid) - set("0123456789.") or len(uid) > 64 or uid.startswith("."):
        raise Refused("a UID that is none", "no file can be named by it", "leave it out")
    return uid


def held_names(found: Release, kinds: Collection[str] = ("review", "rejected")) -> list[dict[str, str]]:
    """What stayed, with its name here and the reason; for whoever asked, not for whoever receives."""
    return [{"file": name, "kind": kind, "why": why} for name, kind, why in found.held_back if kind in kinds]
