"""Training examples out of one archive: what readers signed, of those whose terms of use allow it.

Nothing of a study goes in that somebody may still read blind. The images come from the series that the analysis had
looked at, and the event says how many examples went out, from how many readers, and under which digest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.errors import Refused
from isocenter.govern.consent import Purpose, Use
from isocenter.govern.policy import Person, must
from isocenter.learn.from_readings import AGREEMENT, Said, classes_of, examples_of, rehearsed, written
from isocenter.learn.recipes import recipe
from isocenter.reading.session import machine_of
from isocenter.record import Event, Kind, Study
from isocenter.site.consenting import Consenting
from isocenter.site.disclosing import Disclosing
from isocenter.site.loading import volumes_of

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Teaching"]

_ALL = 10_000_000
_SIGNED = (Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)


@dataclass
class Teaching:
    """What one archive can teach."""

    index: Index
    journal: Journal
    blobs: Blobs
    disclosing: Disclosing
    consents: Consenting
    clock: Callable[[], datetime]

    def said(self, analysis: str) -> list[Said]:
        """What signed reports say of the question of an analysis."""
        found = []
        people: dict[str, str] = {}
        for sealed in self.journal.since(kinds=_SIGNED, limit=_ALL):
            event = sealed.event
            for call in event.details.get("calls", ()):
                if call["analysis"] != analysis:
                    continue
                if event.subject not in people:
                    known = self.index.studies({"StudyInstanceUID": event.subject}, limit=1)
                    people[event.subject] = f"{known[0].patient.issuer}|{known[0].patient.id}" if known else ""
                if people[event.subject]:
                    found.append(Said(
                        event.subject, people[event.subject], event.who, event.time.isoformat(), str(call["mode"]),
                        bool(call["machine"]), bool(call["final"]), call["first"],
                    ))  # fmt: skip
        return found

    def examples(
        self, analysis: str, out: Path, *, who: Person, task: str = "", use: Use | None = None,
        agreement: float = AGREEMENT, without: Collection[str] = (), not_by: Collection[str] = (),
        rehearse: Path | None = None, share: float = 0.3,
    ) -> dict[str, Any]:  # fmt: skip
        """Write a training set of an analysis' question into a folder that `train` reads.

        Args:
            task: the recipe that shall learn; the one of the analysis' name where nothing is said.
            use: what for; training by this person where nothing is said.
            agreement: weight of a label that agrees with a machine whose answer had been seen.
            without: Study Instance UIDs that stay out, such as those of a sealed test.
            not_by: readers whose labels are not taken.
            rehearse: folder of earlier examples; share: part of the whole that they shall be.

        Raises:
            Refused: no signed report says anything of it, the terms of use close all of them, or one class is left.
        """
        must(who, "train")
        classes = classes_of(recipe(task or analysis))
        told = [s for s in self.said(analysis) if s.study not in set(without) and s.reader not in set(not_by)]
        if not told:
            raise Refused(f"no signed report on {analysis}", "there is nothing to learn from", "wait until some are")
        blind = self.disclosing.blinded(who)
        studies = {s: self.index.study(s) for s in {t.study for t in told} - set(blind)}
        purpose = use or self.consents.use(Purpose.TRAINING, who=who)
        open_, closed = self.consents.sifted(studies.values(), purpose)
        may = {study.uid for study in open_}
        made, torn = examples_of((s for s in told if s.study in may), agreement)
        if not made:
            why = f"most because {closed[0][0]}" if closed else "readers outweigh each other"
            raise Refused(f"none of {len(studies)} studies may be learnt from", why, "ask for terms of use")
        report = written(
            out, made, classes, lambda e: self._pixels(studies[e.study], analysis),
            {"analysis": analysis, "task": task or analysis, "agreement": agreement, "closed": dict(closed),
             "readers_apart": torn, "readers": dict(sorted(Counter(r for e in made for r in e.readers).items()))},
        )  # fmt: skip
        if rehearse is not None:
            report["rehearsed"] = {"n": rehearsed(out, rehearse, share), "share": share}
        details = {k: report[k] for k in ("n", "people", "by_class", "by_mode", "closed", "digest", "agreement")}
        self.journal.append(Event(Kind.EXAMPLES_TAKEN, self.clock(), who.name, analysis, details))
        return report

    def _pixels(self, study: Study, analysis: str) -> tuple[Any, Sequence[str]]:
        for _, result in reversed(self.index.results(study.uid, replaced=True)):
            if machine_of(result)[0] == analysis and result.receipt.series:
                series = next((s for s in study.series if s.uid == result.receipt.series[0]), None)
                if series is not None:
                    return volumes_of(series, self.blobs.get)[0].array, [i.digest for i in series.instances]
        raise Refused("the images that were looked at", "they are not here any more", "send them again")
