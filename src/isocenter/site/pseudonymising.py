"""Studies as somebody sees them through a link who shall not know whose they are: clean copies, made when first wanted.

The copies are made as an export makes them (`isocenter.dicom.deidentify`), with what a link for care needs: sex, age
and intervals stay, private attributes do not. Writing that is found in pixels is blanked, faces are taken out, and what
is not surely clean is not shown. A copy of an image waits sealed on the disk of this server and is gone with it.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from isocenter.dicom.alike import risk
from isocenter.dicom.aside import Aside, Held
from isocenter.dicom.confidentiality import RESEARCH, Option
from isocenter.dicom.elements import parse
from isocenter.dicom.header import merge, read_header
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.errors import IsocenterError, Refused, Unavailable
from isocenter.record import Study

if TYPE_CHECKING:
    from isocenter.dicom.deidentify import Deidentified
    from isocenter.dicom.visual_features import Cover

__all__ = ["OPTIONS", "Copies", "Pseudonymising", "alike"]

OPTIONS = RESEARCH - {Option.SAFE_PRIVATE}
"""Options of PS3.15 table E.1-1 under which a study leaves by a link without its person."""

_KEPT = 8  # studies whose copies wait
_PATIENCE_S = 25.0
_GONE = ("removed", "emptied", "made neutral")
_PRIVATE = "private ("
_ALONE = "one person by themselves: whoever knows age, sex and history may know who it is"


class _Lying(NamedTuple):
    """A stored file that is read when it is needed."""

    read: Callable[[str], bytes]
    digest: str

    def read_bytes(self) -> bytes:
        return self.read(self.digest)


@dataclass
class Copies:
    """The clean copies of one study.

    Args:
        study: as it is called now. original: as it is called here.
        files: digest of a copy -> where it waits.
        was: SOP and Series Instance UIDs as they are now -> as they were.
        held_back: images that are not shown: why -> how many.
        gone: attributes that were removed or emptied -> in how many images.
        private: private attributes that were removed, each once.
        blanked: images in which writing was blanked. faces: images out of which a face was taken.
        risks: what could still tell who it is -> in how many images.
        people: of each patient, by pseudonym, what singles them out and stands in the copies (`isocenter.dicom.alike`).
    """

    study: Study
    original: Study = field(repr=False)
    files: dict[str, Held] = field(default_factory=dict, repr=False)
    was: dict[str, str] = field(default_factory=dict, repr=False)
    held_back: Counter[str] = field(default_factory=Counter)
    gone: Counter[str] = field(default_factory=Counter)
    private: set[str] = field(default_factory=set)
    blanked: int = 0
    faces: int = 0
    risks: Counter[str] = field(default_factory=Counter)
    people: dict[str, dict[str, set[str]]] = field(default_factory=dict, repr=False)

    def read(self, digest: str) -> bytes:
        """A copy."""
        return self.files[digest].read_bytes()

    def add(self, copy: Deidentified, record: Study, was: tuple[str, str], held: Held) -> None:
        """Count a copy and where it waits; `was`: its SOP and Series Instance UID."""
        own, series = record.series[0].instances[0], record.series[0]
        self.files[own.digest] = held
        self.was |= {own.sop_uid: was[0], series.uid: was[1]}
        for attribute, what, _ in copy.done:
            if attribute.startswith(_PRIVATE):
                self.private.add(attribute)
            elif what in _GONE:
                self.gone[attribute] += 1
        self.blanked += bool(copy.pixels.boxes)
        self.faces += copy.face == "cut"
        self.risks.update(copy.risks)
        person = self.people.setdefault(copy.patient, {})
        for name, value in copy.facts.items():
            person.setdefault(name, set()).add(value)

    def told(self) -> dict[str, Any]:
        """What whoever receives it will see, and what not; the second names nothing but kinds of attributes."""
        patient, was = self.study.patient, self.original
        person = {
            "name": was.patient.name, "number": was.patient.id, "birth date": was.patient.birth_date,
            "accession number": was.accession, "referring physician": was.referring,
        }  # fmt: skip
        return {
            "sees": {
                "name": patient.name, "id": patient.id, "sex": patient.sex,
                "date": self.study.date.isoformat() if self.study.date else None,
                "series": len(self.study.series), "images": len(self.files),
            },
            "not_seen": {
                "person": [name for name, value in person.items() if value], "attributes": sorted(self.gone),
                "private": len(self.private), "blanked": self.blanked, "faces": self.faces,
                "held_back": [{"why": why, "images": n} for why, n in self.held_back.most_common()],
            },
            "risks": [{"risk": risk, "images": n} for risk, n in self.risks.most_common()],
        }  # fmt: skip


def alike(several: Iterable[Copies]) -> dict[str, Any]:
    """How many of the people of some studies are alike, of each of whom all of their studies are known together."""
    people: dict[str, dict[str, set[str]]] = {}
    for copies in several:
        for patient, facts in copies.people.items():
            person = people.setdefault(patient, {})
            for name, values in facts.items():
                person[name] = person.get(name, set()) | values
    return risk(people.values())


@dataclass
class _Run:
    """Copies on their way."""

    future: Future[Copies]
    of: int
    done: int = 0


class Pseudonymising:
    """Makes the copies of studies and keeps those that were wanted last.

    Args:
        read: digest -> stored file.
        secret: of the pseudonyms of this archive.
    """

    def __init__(self, read: Callable[[str], bytes], secret: Callable[[], bytes]) -> None:
        self._read, self._secret = read, secret
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, "pseudonyms")

    def of(self, study: Study, to: str, *, patience_s: float = _PATIENCE_S) -> Copies:
        """The copies of a study for one recipient: the same person has the same pseudonym in all that they are given.

        Args:
            study: of it the images that may be shown.
            to: for whom.
            patience_s: how long they are waited for.

        Raises:
            Unavailable: they are not made yet; how many are, it says.
        """
        run = self._run(study, to)
        try:
            return run.future.result(patience_s)
        except TimeoutError:
            raise Unavailable(
                f"copies without the person: {run.done} of {run.of} images are made", "each is looked through",
                "try again in a few seconds",
            ) from None  # fmt: skip

    def so_far(self, study: Study, to: str) -> tuple[int, int, bool]:
        """How many of its images were looked through, how many there are, and whether its copies are made.

        The work begins where it has not.
        """
        run = self._run(study, to)
        return run.done, run.of, run.future.done()

    def _run(self, study: Study, to: str) -> _Run:
        key = Pseudonyms(self._secret()).secret_within(f"link for {' '.join(to.casefold().split())}")
        digests = sorted(i.digest for s in study.series for i in s.instances)
        name = hashlib.sha256("\0".join([study.uid, key.hex(), *digests]).encode()).hexdigest()
        with self._lock:
            run = self._runs.get(name)
            if run is None or (run.future.done() and run.future.exception() is not None):
                run = _Run(Future(), len(digests))
                run.future = self._pool.submit(self._made, run, study, key)
                self._runs[name] = run
            self._runs.move_to_end(name)
            while len(self._runs) > _KEPT and next(iter(self._runs.values())).future.done():
                self._runs.popitem(last=False)
            return run

    def _made(self, run: _Run, study: Study, key: bytes) -> Copies:
        from isocenter.dicom.deidentify import deidentify
        from isocenter.dicom.release import without_values

        by, covers, aside = Pseudonyms(key), self._covers(study), Aside()
        made, records = Copies(study, study), []
        weakref.finalize(made, aside.__exit__)
        for series, instance in ((s, i) for s in study.series for i in s.instances):
            run.done += 1
            try:
                copy = deidentify(self._read(instance.digest), by=by, options=OPTIONS, blank=True, covers=covers)
                record = read_header(copy.data)
            except IsocenterError as refusal:
                made.held_back[without_values(refusal)] += 1
                continue
            made.add(copy, record, (instance.sop_uid, series.uid), aside.lay(copy.data))
            records.append(record)
        if not records:
            raise Refused(
                "a study of which nothing can be shown without the person",
                made.held_back.most_common(1)[0][0] if made.held_back else "it has no images that are shared",
                "show it as it was received, or leave it out",
            )  # fmt: skip
        (made.study,) = merge(records)
        made.risks[_ALONE] = len(made.files)
        return made

    def _covers(self, study: Study) -> dict[str, Cover]:
        """What is known of faces, by Series Instance UID."""
        from isocenter.dicom.visual_features import Shows, group_of, shows
        from isocenter.site.defacing import faces  # brings a compiler: nobody waits for it but who needs it

        heads: dict[tuple[str, str], list[_Lying]] = {}
        for series in study.series:
            for instance in series.instances:
                try:
                    head = parse(self._read(instance.digest), until_pixels=True)
                except IsocenterError:
                    continue  # it is told when it is to leave
                if shows(head) is not Shows.NO:
                    heads.setdefault(group_of(head), []).append(_Lying(self._read, instance.digest))
        return {uid: cover for group in heads.values() for uid, cover in faces(group).items()}
