"""The verbs of the archive: images in, searches, and what is shown of a study."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isocenter.analysis import plan as planning
from isocenter.errors import Conflict, IsocenterError, NotFound
from isocenter.govern.policy import Person, must
from isocenter.reading.cutting import Cutter, Plane
from isocenter.reading.pictures import Pictures, Shelf, corner, real_values, shown
from isocenter.reading.priors import Prior
from isocenter.reading.priors import priors as ranked
from isocenter.record import Instance, Series, Study
from isocenter.site.disclosing import Disclosing
from isocenter.site.mending import Mending
from isocenter.site.projecting import Projects
from isocenter.site.receiving import Receiving
from isocenter.site.volumes import volumes_of
from isocenter.site.witnessing import Witness

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from isocenter.dicom.checked import Checked
    from isocenter.space import Geometry
    from isocenter.store.blobs import Blobs
    from isocenter.store.incoming import Incoming
    from isocenter.store.index import Index
    from isocenter.store.intake import Stored

__all__ = ["Looking"]

_PRIORS = 100  # earlier studies of one patient that are looked at


class Looking:
    """What is taken in and looked at; the site that is made of it brings what it works on."""

    index: Index
    blobs: Blobs
    projects: Projects
    mending: Mending
    _receiving: Receiving
    _disclosing: Disclosing
    _witness: Witness
    _shelf: Shelf
    _cutter: Cutter

    def incoming(self, *, sender: str, who: Person) -> Incoming:
        """Room for an instance that is still arriving: give it to `receive` when all has come, or `drop` it."""
        must(who, "receive", sender)
        return self.blobs.incoming()

    def receive(
        self, files: Iterable[bytes | bytearray | Incoming | Checked], *, sender: str, who: Person, project: str = ""
    ) -> list[Stored]:
        """Take instances in: whole, known, durable, or refused with the reason. Durable when this returns.

        Args:
            files: bytes of each, or what `incoming` took in, or what `dicom.checked.check` has looked through.
            project: where new studies are at home; by the rule for the sender where it is left out.

        Returns:
            one `Stored` for each file, in order: stored, there, conflict (set aside) or rejected.
        """
        return self._receiving.receive(files, sender=sender, who=who, project=project)

    def find(
        self,
        level: str,
        keys: Mapping[str, str],
        *,
        who: Person,
        limit: int | None = None,
        offset: int = 0,
        fuzzy: bool = False,
    ) -> list[dict[str, Any]]:
        """Rows by DICOM keyword for a query of one level: PATIENT, STUDY, SERIES or IMAGE."""
        must(who, "find")
        self._witness.search(who, level, [name for name, value in keys.items() if value])
        return self._disclosing.find(level, keys, who, limit=limit, offset=offset, fuzzy=fuzzy)

    def found(self, level: str, keys: Mapping[str, str], *, who: Person, most: int, fuzzy: bool = False) -> list[str]:
        """UIDs of what `find` gives at a level below patients, in its order; the search itself was told of already."""
        must(who, "find")
        return self._disclosing.found(level, keys, who, most=most, fuzzy=fuzzy)

    def study(self, study_uid: str, *, who: Person) -> Study:
        """One study, whole."""
        must(who, "study", study_uid)
        found = self.index.study(study_uid)
        self._witness.look(who, study_uid, "record")
        return self._disclosing.study(found, who)

    def studies(self, *, who: Person, limit: int = 100, offset: int = 0) -> list[Study]:
        """Studies without their series, the newest first."""
        must(who, "find")
        return self.index.studies(limit=limit, offset=offset, reach=self.projects.reach(who, "find"))

    def instance(self, sop_uid: str, *, who: Person) -> bytes:
        """The stored file of one instance, as it was received."""
        return self.blobs.kept(self._image(sop_uid, who)[2].digest)

    def place_of(self, sop_uid: str, *, who: Person) -> tuple[Study, Series, Instance]:
        """The record of one instance with its series and study, these without their other images."""
        return self._image(sop_uid, who)

    def series_of(self, sop_uid: str, *, who: Person) -> str:
        """Series Instance UID of an instance."""
        return self._image(sop_uid, who)[1].uid

    def _image(self, sop_uid: str, who: Person) -> tuple[Study, Series, Instance]:
        must(who, "instance", sop_uid)
        found = self.index.instance(sop_uid)
        held = self.projects.holds(found[0].uid, who, "instance")
        if not held or found[1].uid in self._disclosing.withheld(who):
            raise NotFound(
                f"instance {sop_uid:.64}",
                "the archive has none of that SOP Instance UID",
                "look for it: `isocenter studies`",
            )
        self._witness.look(who, found[0].uid)
        return found

    def geometry_of(self, sop_uid: str, *, frame: int = 0, who: Person) -> Geometry:
        """Where one image lies: a grid of one slice."""
        _, series, instance = self._image(sop_uid, who)
        alone = replace(series, instances=(instance,))
        grid = volumes_of(alone, self.blobs.kept)[0].geometry
        place = corner(alone, instance, frame, self.blobs.kept) if instance.frames > 1 else None
        slice_ = frame if place is None else round(float(grid.to_index(place[None])[0, 0]))
        slice_ = min(max(slice_, 0), grid.shape[0] - 1)
        return grid.cropped((slice_, 0, 0), (slice_ + 1, grid.shape[1], grid.shape[2]))

    def priors(self, study_uid: str, *, who: Person) -> tuple[list[Prior], int]:
        """Earlier studies of the same patient, whole, the best to compare with first; and how many are withheld."""
        must(who, "study", study_uid)
        study = self.index.study(study_uid)
        others = self.index.studies({"PatientID": study.patient.id}, limit=_PRIORS, order="-date")
        earlier = planning.earlier_of(study, [one if one.date else self.index.study(one.uid) for one in others])
        held = [one for one in earlier if self.projects.holds(one.uid, who, "study")]
        allowed = [self._disclosing.study(self.index.study(one.uid), who) for one in held]
        return ranked(study, allowed), len(earlier) - len(held)

    def pictures(self, study_uid: str, series_uid: str, *, tag: str = "", who: Person) -> Pictures:
        """The images of a series as a reader scrolls through them, without their pixels.

        Args:
            tag: of a description that the asker has. While a series is still being received the description goes on
                holding for the images that it names; Conflict where one of them is another or gone.
        """
        must(who, "instance", study_uid)
        self._witness.look(who, study_uid)
        hidden = series_uid in self._disclosing.withheld(who)
        kept = self._shelf.get(study_uid, series_uid, tag) if tag and not hidden else None
        study = self._disclosing.study(self.index.study(study_uid), who)
        series = next((s for s in study.series if s.uid == series_uid), None)
        if series is None:
            raise NotFound(
                "no such series in this study", "it may have been sent with another one", "look at the study"
            )
        there = {(i.sop_uid, i.digest) for i in series.instances}
        if kept is not None and all((p.sop_uid, p.digest) in there for p in kept.order):
            return kept  # as it was, or only grown
        found = self._shelf.put(study_uid, shown(series, self.blobs.kept))
        if tag and found.tag != tag:
            raise Conflict(
                "this series has changed since", "its images are numbered anew", "load its description again"
            )
        return found

    def slab(
        self, study_uid: str, series_uid: str, which: Sequence[int], *, tag: str, who: Person
    ) -> tuple[Pictures, Iterator[npt.NDArray[Any] | IsocenterError]]:
        """Real values of several images of a series, in the order asked for; one that cannot be read is its refusal."""
        of = self.pictures(study_uid, series_uid, tag=tag, who=who)
        if which and not 0 <= min(which) <= max(which) < len(of.order):
            raise NotFound(f"image {max(which) + 1}", f"the series has {len(of.order)}", "ask for those that it has")
        return of, real_values(of, [of.order[n] for n in which], self.blobs.kept)

    def cut(self, study_uid: str, series_uid: str, at: Plane, *, who: Person) -> npt.NDArray[np.float32]:
        """The values of a series on any plane through it, for a browser that cannot cut by itself."""
        of = self.pictures(study_uid, series_uid, who=who)
        return self._cutter(of, at, lambda: volumes_of(of.series, self.blobs.kept)[0])

    def counts(self, *, who: Person) -> dict[str, int]:
        """How much the archive holds, as far as the person may know of it, and how many files are damaged."""
        must(who, "find")
        counts = self.index.counts(reach=self.projects.reach(who, "find"))
        return self._disclosing.counted(counts, who) | {"damaged": len(self.mending.damaged())}
