"""Signed reports of one archive, and the images that they speak of, for those who learn from them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from isocenter.errors import Erased, IsocenterError, Refused
from isocenter.learn.categories import Heard
from isocenter.learn.images_of_reports import digests_of, series_of
from isocenter.learn.signed_reports import Number, Row, Signed
from isocenter.population import table
from isocenter.reading.disclosure import Mode
from isocenter.reading.opinion import Opinion
from isocenter.record import Kind, Result, Series, Study, from_plain
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
                    tuple(event.details.get("calls", ())),
                    results := partial(self._results, str(event.details["report"])),
                    partial(self._machines, results), partial(self._first, str(event.details.get("opinion", ""))),
                    partial(self._row, event.subject, results),
                ))  # fmt: skip
        return found

    def _results(self, report: str) -> list[Result]:
        """The answers on which a sealed report rests; none where its words were erased."""
        with contextlib.suppress(Erased):
            return [self.index.result(digest) for digest in json.loads(self.blobs.kept(report)).get("results", ())]
        return []

    def _machines(self, results: Callable[[], Sequence[Result]]) -> list[Result]:
        """The same answers as machines had given them."""
        found = []
        for one in results():
            while one.origin.kind != "machine" and one.replaces:
                one = self.index.result(one.replaces)
            if one.origin.kind == "machine":
                found.append(one)
        return found

    def _first(self, opinion: str, analysis: str) -> Heard | None:
        """The opinion that was locked before the answer of an analysis could be seen."""
        if not opinion:
            return None
        given: Opinion = from_plain(Opinion, json.loads(self.blobs.kept(opinion)))
        now = {analysis: Mode.CONCURRENT.value}  # of an opinion that does not tell, it was no opinion before
        return None if given.follows(analysis, now) else Heard(given.findings, (), whole=not given.line)

    def _row(self, study_uid: str, results: Callable[[], Sequence[Result]]) -> Row:
        """What a table may take: what was signed, and of what was not, what else was measured on the study."""
        study, signed = self.index.study(study_uid), [r for r in results() if r.answer is r.outcome]
        others = [r for _, r in self.index.results(study_uid)]
        numbers: dict[str, Number] = {}
        for some in (signed, others):
            own: dict[str, Number] = {}
            for result in some:
                values, known = table.measured(result, *result.machine[:2])
                for name, value in values.items():
                    what = known[name].what
                    if what is not None and (name not in own or own[name].value < value):
                        own[name] = Number(what, value, known[name].unit)
            numbers = own | numbers
        looked = {uid for r in (*signed, *others) for uid in r.receipt.series}
        series = [s for s in study.series if s.uid in looked] or study.series
        kinds = sorted({s.modality for s in study.series if s.modality not in _DRAWN})
        facts = table.member(study, kinds, ()).values
        return Row(facts, numbers, tuple(i.digest for s in series for i in s.instances))

    def image(
        self, study: Study, analysis: str, on: Region | None = None, image: str = ""
    ) -> tuple[Volume, Sequence[str]]:  # fmt: skip
        """The image on which a region lies, or of that name (`images_of_reports`), or the first that the analysis
        looked at; and digests of its files.

        Raises:
            Refused: it is not here any more.
        """
        if image:
            return self._named(study, image)
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

    def _named(self, study: Study, image: str) -> tuple[Volume, Sequence[str]]:
        series = next((s for s in study.series if s.uid == series_of(image)), None)
        if series is not None:
            own = tuple(i for i in series.instances if i.digest in digests_of(image)) or series.instances
            return volumes_of(replace(series, instances=own), self.blobs.kept)[0], [i.digest for i in own]
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
