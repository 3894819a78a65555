"""Signed reports of one archive, and the images that they speak of, for those who learn from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from isocenter.errors import IsocenterError, Refused
from isocenter.learn.signed_reports import Signed
from isocenter.record import Kind, Result, Series, Study
from isocenter.site.volumes import volumes_of
from isocenter.space import Geometry, Region, Volume

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["ReportsToLearn"]

_ALL = 10_000_000
_SIGNED = (Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)
_DRAWN = ("SEG", "RTSTRUCT", "SR", "PR", "KO")  # series without pixels of their own


@dataclass(frozen=True)
class ReportsToLearn:
    """Who signed what, and on which images."""

    index: Index
    journal: Journal
    blobs: Blobs

    def signed(self) -> list[Signed]:
        """Every signature on a study that is still here, in the order of the journal."""
        found, people = list[Signed](), dict[str, str]()
        for sealed in self.journal.since(kinds=_SIGNED, limit=_ALL):
            event = sealed.event
            if event.subject not in people:
                known = self.index.studies({"StudyInstanceUID": event.subject}, limit=1)
                people[event.subject] = f"{known[0].patient.issuer}|{known[0].patient.id}" if known else ""
            if people[event.subject]:
                found.append(Signed(
                    event.subject, people[event.subject], event.who, event.time.isoformat(),
                    tuple(event.details.get("calls", ())), partial(self._results, str(event.details["report"])),
                ))  # fmt: skip
        return found

    def _results(self, report: str) -> list[Result]:
        """The answers on which a sealed report rests."""
        return [self.index.result(digest) for digest in json.loads(self.blobs.kept(report)).get("results", ())]

    def image(self, study: Study, analysis: str, on: Region | None = None) -> tuple[Volume, Sequence[str]]:
        """The image on which a region lies, or the first that the analysis looked at; and digests of its files.

        Raises:
            Refused: it is not here any more.
        """
        for series, is_named in self._series(study, analysis, on):
            held = series
            if on is not None and on.instance_uid:
                held = replace(series, instances=tuple(i for i in series.instances if i.sop_uid == on.instance_uid))
            if not held.instances:
                continue
            try:
                volumes = volumes_of(held, self.blobs.kept)
            except IsocenterError:
                if is_named:
                    raise
                continue
            for volume in volumes if on is not None else volumes[:1]:
                if on is None or _bears(volume.geometry, on.geometry, is_named=is_named):
                    return volume, [i.digest for i in held.instances]
        raise Refused("the images that were looked at", "they are not here any more", "send them again")

    def _series(self, study: Study, analysis: str, on: Region | None) -> Iterator[tuple[Series, bool]]:
        """Where an image may lie: on the series that is named or that the analysis looked at; a region on any other."""
        known = {s.uid: s for s in study.series if s.modality not in _DRAWN}
        if on is not None and on.series_uid in known:
            yield known.pop(on.series_uid), True
        for _, result in reversed(self.index.results(study.uid, replaced=True)):
            if result.machine.analysis == analysis:
                for uid in result.receipt.series if on is not None else result.receipt.series[:1]:
                    if uid in known:
                        yield known.pop(uid), True
        if on is not None:
            yield from ((series, False) for series in known.values())


def _bears(image: Geometry, drawn: Geometry, *, is_named: bool) -> bool:
    """Whether a region lies on the grid of an image; of one that is named, in its frame of reference, too."""
    framed = bool(drawn.frame_of_reference) and drawn.frame_of_reference == image.frame_of_reference
    return drawn.same_grid(image) or (is_named and framed)
