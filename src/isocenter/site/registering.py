"""The verbs of registration: lay one scan of a patient over another, and keep that once a person has accepted it.

Both are of the study that is read, or one of them is of an earlier study of the same patient that this person may see:
a study of somebody else, or of a project that is not theirs, does not exist here either. What is proposed is computed
here, waits in memory and is gone when the server ends; what a person accepts becomes a DICOM Spatial Registration in
the study that is read, with the residual in its words, and is used by whoever reads it afterwards. A registration that
came from elsewhere is used as well.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from isocenter.errors import Conflict, IsocenterError, NotFound, Refused, WrongState
from isocenter.forms import registration
from isocenter.forms.registration import Joined
from isocenter.govern.policy import Person, must
from isocenter.reading.cutting import Cutter
from isocenter.reading.laying import Laid, laid
from isocenter.reading.pictures import Pictures
from isocenter.reading.priors import Prior, regions
from isocenter.record import Series, Study
from isocenter.site.receiving import Receiving
from isocenter.site.volumes import volumes_of
from isocenter.space import Reference, Volume

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Proposed", "Registering"]

_WAITING = 32  # proposals that are held
_WORST_FIT_MM = 10.0  # there and back: beyond it no place of one scan is told by the other


@dataclass(frozen=True, eq=False)
class Proposed:
    """A registration that nobody has accepted yet.

    Args:
        id: by which it is accepted.
        residual_mm: mean distance over the fixed scan between going there and back again.
        overlap: part of the smaller scan that lies within the other, 0 to 1.
        made: when; accepted twice it is the same object.
        series: Series Instance UIDs of the scan that stays and of the one that was moved.
    """

    id: str
    study_uid: str
    joined: Joined
    residual_mm: float
    overlap: float
    made: datetime
    series: tuple[str, str]


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

    @property
    def _computing(self) -> _Computing:
        """What is being computed."""

    def priors(self, study_uid: str, *, who: Person) -> tuple[list[Prior], int]:
        """Earlier studies of the same patient that this person may see."""

    def _known(self, study_uid: str, series_uid: str, who: Person) -> tuple[Study, Series]:
        """A series of the study, or of an earlier one."""

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


class _Holds(Protocol):
    """What the registrations of a study are read from."""

    blobs: Blobs

    def study(self, uid: str, *, who: Person) -> Study:
        """A study as this person may see it."""


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


@dataclass
class _Run:
    """A registration that is being computed."""

    part: float = 0.0
    stopped: bool = False

    def at(self, part: float) -> None:
        """So much is done; whoever stopped it ends it here."""
        self.part = part
        if self.stopped:
            raise WrongState(
                "this registration was stopped",
                "whoever asked for it did not want it any more",
                "ask for it again where it is wanted after all",
            )


class _Computing:
    """Registrations by who asks and the word that they gave it; one is computed at a time, for each takes a core."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str, str], _Run] = {}
        self._lock, self._core = threading.Lock(), threading.Lock()

    @contextmanager
    def run(self, study_uid: str, who: Person, word: str) -> Iterator[_Run]:
        run, name = _Run(), (study_uid, who.name, word)
        with self._lock:
            if name in self._runs:
                raise WrongState("a registration under this word", "it is being computed", "wait for it, or stop it")
            self._runs[name] = run
        try:
            with self._core:
                run.at(0.0)
                yield run
        finally:
            with self._lock:
                del self._runs[name]

    def get(self, study_uid: str, who: Person, word: str) -> _Run | None:
        with self._lock:
            return self._runs.get((study_uid, who.name, word))


class Registering:
    """The site is made of these verbs, and brings what they work on."""

    @cached_property
    def _proposals(self) -> _Waiting:
        return _Waiting()

    @cached_property
    def _computing(self) -> _Computing:
        return _Computing()

    def registrations(self: _Holds, study_uid: str, *, who: Person) -> list[Joined]:
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

    def register(self: _Registers, study_uid: str, fixed: str, moving: str, *, run: str = "", who: Person) -> Proposed:
        """Compute where one series lies in another; nothing is kept.

        Args:
            fixed: a series of the study.
            moving: another one of it, or one of an earlier study of the same patient.
            run: a word by which whoever asks looks how far it is, or stops it.

        Raises:
            NotFound: there is no such series, or none that this person may see.
            Refused: they share a frame already, one has none, they show other parts of the body, or they cannot be
                registered; the message says why.
            WrongState: it was stopped.
        """
        must(who, "correct", study_uid)
        study = self.study(study_uid, who=who)
        pair = (study, _series(study, fixed)), self._known(study_uid, moving, who)
        frames = [series.frame_of_reference for _, series in pair]
        if not all(frames):
            raise Refused(
                "a series without a frame of reference",
                "there is no space that it could be joined to",
                "choose another series",
            )
        if frames[0] == frames[1]:
            raise Refused("two series of one frame of reference", "they lie in one space already", "lay them over")
        _must_meet(*pair)
        from isocenter.methods.registration import rigid  # SimpleITK

        with self._computing.run(study_uid, who, run or secrets.token_hex(16)) as now:
            still, moved = (_single(volumes_of(series, self.blobs.kept)[0]) for _, series in pair)
            fit = rigid(still, moved, told=now.at)
        if fit.residual_mm > _WORST_FIT_MM:
            raise Refused(
                f"a registration that misses by {fit.residual_mm:.0f} mm there and back",
                f"at most {_WORST_FIT_MM:g} mm is a basis for a comparison",
                "pin the pair by hand",
            )
        words = f"residual {fit.residual_mm:.2f} mm there and back, overlap {fit.overlap:.2f}, rigid"
        joined = Joined(frames[1], frames[0], fit.matrix, words)
        id = hashlib.sha256(repr((study_uid, joined.moving, joined.fixed, fit.matrix.tolist())).encode()).hexdigest()
        return self._proposals.put(
            Proposed(
                id[:32], study_uid, joined, fit.residual_mm, fit.overlap, self.clock(), (pair[0][1].uid, pair[1][1].uid)
            )
        )

    def registering(self: _Registers, study_uid: str, run: str, *, who: Person) -> float | None:
        """How far a registration is that this person asked for: the part of the longest possible way, 0 to 1.

        None where none is being computed under this word: it has not begun, it is over, or it is another person's.
        """
        must(who, "correct", study_uid)
        found = self._computing.get(self.study(study_uid, who=who).uid, who, run)
        return found.part if found else None

    def stop_registering(self: _Registers, study_uid: str, run: str, *, who: Person) -> None:
        """End a registration that this person asked for, if it is still being computed; whoever waits is told so."""
        must(who, "correct", study_uid)
        if found := self._computing.get(self.study(study_uid, who=who).uid, who, run):
            found.stopped = True

    def accept_registration(self: _Registers, study_uid: str, id: str, *, who: Person) -> list[Joined]:
        """Keep a proposal as a Spatial Registration in the study; all registrations of the study then.

        Raises:
            NotFound: no such proposal on this study, or a series of it is not to be seen any more.
        """
        must(who, "correct", study_uid)
        study = self.study(study_uid, who=who)
        proposed = self._proposals.get(id, study.uid)
        of = [self._known(study_uid, series, who) for series in proposed.series]
        joined = replace(proposed.joined, by=who.name)
        data = registration.write(joined, self.index.study(study_uid), self._source, of=of, when=proposed.made)
        taken = Receiving(self.database, self.blobs, self.journal, self.clock).take(
            [data], f"registration accepted by {who.name}"
        )
        if taken[0].status not in ("stored", "there"):
            raise Refused("a registration that the archive does not take", taken[0].reason, "compute it again")
        return self.registrations(study_uid, who=who)

    def _known(self: _Registers, study_uid: str, series_uid: str, who: Person) -> tuple[Study, Series]:
        """A series of the study, or of an earlier one of the same patient that this person may see."""
        study = self.study(study_uid, who=who)
        if any(one.uid == series_uid for one in study.series):
            return study, _series(study, series_uid)
        for prior in self.priors(study_uid, who=who)[0]:
            if any(one.uid == series_uid for one in prior.study.series):
                return prior.study, _series(prior.study, series_uid)
        return study, _series(study, series_uid)

    def laid(self: _Registers, study_uid: str, fixed: str, moving: str, *, by: str = "", who: Person) -> Laid:
        """A series as a registration lays it onto the grid of another; each of the study, or of an earlier one.

        Args:
            by: a proposal that nobody has accepted yet; empty for the newest registration that the study holds.

        Raises:
            NotFound: no such series or proposal, or nothing joins their frames.
            NotAVolume: one of them makes no volume.
            Refused: they do not meet.
        """
        of = [(self._known(study_uid, uid, who)[0].uid, uid) for uid in (fixed, moving)]
        still, over = (self.pictures(study, uid, who=who) for study, uid in of)
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
        raise NotFound(
            "no such series in this study, or in an earlier one of the patient that you may see",
            "it may have been sent with another one",
            "load the study again",
        )
    return found


def _must_meet(one: tuple[Study, Series], other: tuple[Study, Series]) -> None:
    """Refuse what words already say to be other parts of the body; where they say nothing the images decide."""
    parts = [regions(*pair) for pair in (one, other)]
    if all(parts) and not any("whole body" in named for named in parts) and not parts[0] & parts[1]:
        here, there = (" and ".join(sorted(named)) for named in parts)
        raise Refused(
            f"images of the {here} and of the {there}",
            "they show different parts of the body",
            "choose an earlier study of this region, or pin the pair by hand",
        )


def _single(volume: Volume) -> Volume:
    if volume.geometry.reference is not Reference.PATIENT:
        raise Refused(
            "images without a place in the patient",
            "they lie in no space that could be joined",
            "choose series of CT, MR or PET",
        )
    return volume
