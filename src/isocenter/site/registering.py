"""The verbs of registration: lay one scan of a patient over another, and keep that once a person has accepted it.

What is proposed is computed here, waits in memory and is gone when the server ends; what a person accepts becomes a
DICOM Spatial Registration in the study, with the residual in its words, and is used by whoever reads it afterwards. A
registration that came from elsewhere is used as well.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from isocenter.errors import Conflict, IsocenterError, NotFound, Refused
from isocenter.forms import registration
from isocenter.forms.registration import Joined
from isocenter.govern.policy import Person, must
from isocenter.reading.cutting import Cutter
from isocenter.reading.laying import Laid, laid
from isocenter.reading.pictures import Pictures
from isocenter.record import Series, Study
from isocenter.site.loading import volumes_of
from isocenter.site.receiving import Receiving
from isocenter.space import Reference, Volume

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Proposed", "Registering"]

_WAITING = 32  # proposals that are held


@dataclass(frozen=True, eq=False)
class Proposed:
    """A registration that nobody has accepted yet.

    Args:
        id: by which it is accepted.
        residual_mm: mean distance over the fixed scan between going there and back again.
        overlap: part of the smaller scan that lies within the other, 0 to 1.
        made: when; accepted twice it is the same object.
    """

    id: str
    study_uid: str
    joined: Joined
    residual_mm: float
    overlap: float
    made: datetime


class _Registers(Protocol):
    """What these verbs need of the site that is made of them."""

    database: Database
    index: Index
    journal: Journal
    blobs: Blobs
    clock: Callable[[], datetime]
    _cutter: Cutter

    @property
    def _proposals(self) -> _Waiting:
        """What waits to be accepted."""

    def study(self, uid: str, *, who: Person) -> Study:
        """A study as this person may see it."""

    def registrations(self, study_uid: str, *, who: Person) -> list[Joined]:
        """What joins two frames of reference of this study."""

    def pictures(self, study_uid: str, series_uid: str, *, tag: str = "", who: Person) -> Pictures:
        """The images of a series."""

    def laid(self, study_uid: str, fixed: str, moving: str, *, by: str = "", who: Person) -> Laid:
        """A series on the grid of another."""

    def _source(self, sop_uid: str) -> bytes:
        """A stored file."""


class _Waiting:
    """Proposals by their id, the oldest forgotten first."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Proposed] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, proposed: Proposed) -> Proposed:
        with self._lock:
            self._held[proposed.id] = proposed
            while len(self._held) > _WAITING:
                self._held.popitem(last=False)
        return proposed

    def get(self, id: str, study_uid: str) -> Proposed:
        with self._lock:
            found = self._held.get(id)
        if found is None or found.study_uid != study_uid:
            raise NotFound("no such proposal", "it is not kept for long", "register the two series again")
        return found


class Registering:
    """The site is made of these verbs, and brings what they work on."""

    @cached_property
    def _proposals(self) -> _Waiting:
        return _Waiting()

    def registrations(self: _Registers, study_uid: str, *, who: Person) -> list[Joined]:
        """What joins two frames of reference of this study, the newest last; what cannot be read is left out."""
        found: list[Joined] = []
        for series in self.study(study_uid, who=who).series:
            if series.modality == "REG":
                for instance in series.instances:
                    try:
                        found += registration.read(self.blobs.kept(instance.digest))
                    except IsocenterError:
                        continue  # another kind of registration (deformable, fiducials), or a damaged one
        return found

    def register(self: _Registers, study_uid: str, fixed: str, moving: str, *, who: Person) -> Proposed:
        """Compute where one series of a study lies in another; nothing is kept.

        Raises:
            NotFound: the study has no such series.
            Refused: they share a frame already, one has none, or they cannot be registered; the message says why.
        """
        must(who, "correct", study_uid)
        study = self.study(study_uid, who=who)
        pair = [_series(study, uid) for uid in (fixed, moving)]
        frames = [one.frame_of_reference for one in pair]
        if not all(frames):
            raise Refused("a series without a frame of reference", "there is no space that it could be joined to")
        if frames[0] == frames[1]:
            raise Refused("two series of one frame of reference", "they lie in one space already", "lay them over")
        from isocenter.methods.registration import rigid  # SimpleITK

        still, moved = (_single(volumes_of(one, self.blobs.kept)[0]) for one in pair)
        fit = rigid(still, moved)
        words = f"residual {fit.residual_mm:.2f} mm there and back, overlap {fit.overlap:.2f}, rigid"
        joined = Joined(frames[1], frames[0], fit.matrix, words)
        id = hashlib.sha256(repr((study_uid, joined.moving, joined.fixed, fit.matrix.tolist())).encode()).hexdigest()
        return self._proposals.put(Proposed(id[:32], study_uid, joined, fit.residual_mm, fit.overlap, self.clock()))

    def accept_registration(self: _Registers, study_uid: str, id: str, *, who: Person) -> list[Joined]:
        """Keep a proposal as a Spatial Registration in the study; all registrations of the study then.

        Raises:
            NotFound: no such proposal on this study.
        """
        must(who, "correct", study_uid)
        proposed = self._proposals.get(id, study_uid)
        joined = replace(proposed.joined, by=who.name)
        data = registration.write(joined, self.index.study(study_uid), self._source, when=proposed.made)
        taken = Receiving(self.database, self.blobs, self.journal, self.clock).take(
            [data], f"registration accepted by {who.name}"
        )
        if taken[0].status not in ("stored", "there"):
            raise Refused("a registration that the archive does not take", taken[0].reason)
        return self.registrations(study_uid, who=who)

    def laid(self: _Registers, study_uid: str, fixed: str, moving: str, *, by: str = "", who: Person) -> Laid:
        """A series as a registration lays it onto the grid of another.

        Args:
            by: a proposal that nobody has accepted yet; empty for the newest registration that the study holds.

        Raises:
            NotFound: no such series or proposal, or nothing joins their frames.
            NotAVolume: one of them makes no volume.
            Refused: they do not meet.
        """
        still, over = (self.pictures(study_uid, uid, who=who) for uid in (fixed, moving))
        known = [self._proposals.get(by, study_uid).joined] if by else self.registrations(study_uid, who=who)
        frames = over.series.frame_of_reference, still.series.frame_of_reference
        for joined in reversed(known):
            if (joined.moving, joined.fixed) == frames:
                return laid(still, over, joined.matrix)
            if (joined.fixed, joined.moving) == frames:
                return laid(still, over, np.linalg.inv(joined.matrix).astype(np.float64))
        raise NotFound("no registration of these two series", "nothing joins their frames", "register them first")

    def laid_slab(
        self: _Registers,
        study_uid: str,
        fixed: str,
        moving: str,
        which: Sequence[int],
        *,
        tag: str,
        by: str = "",
        who: Person,
    ) -> tuple[Pictures, Iterator[npt.NDArray[Any] | IsocenterError]]:
        """Real values of several slices of a series that is laid onto another."""
        one = self.laid(study_uid, fixed, moving, by=by, who=who)
        if one.pictures.tag != tag:
            raise Conflict("another registration than before", "its slices lie elsewhere", "load its description again")
        if which and not 0 <= min(which) <= max(which) < len(one.planes):
            raise NotFound(f"image {max(which) + 1}", f"the series has {len(one.planes)}", "ask for those that it has")

        def values() -> Iterator[npt.NDArray[Any] | IsocenterError]:
            for number in which:
                yield self._cutter(
                    one.source, one.planes[number], lambda: volumes_of(one.source.series, self.blobs.kept)[0]
                )

        return one.pictures, values()


def _series(study: Study, uid: str) -> Series:
    found = next((s for s in study.series if s.uid == uid), None)
    if found is None:
        raise NotFound("no such series in this study", "it may have been sent with another one", "load the study again")
    return found


def _single(volume: Volume) -> Volume:
    if volume.geometry.reference is not Reference.PATIENT:
        raise Refused("images without a place in the patient", "they lie in no space that could be joined")
    return volume
