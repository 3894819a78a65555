"""Signed cases that look like one in hand, by the embedding of the model that answered: what they were, not why.

A case of the same person is never among them, none of another project, none that whoever asks may not see, and nothing
at all before their own opinion stands: without a visible answer of the machine there is nothing to compare by, in the
same words as where no machine looked. What a case was is what its signed report says. A neighbour is no proof.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from isocenter.analysis import weights
from isocenter.analysis.protocol import Limits
from isocenter.analysis.run import apart
from isocenter.dicom.confining import confine
from isocenter.errors import IsocenterError, Refused
from isocenter.govern.policy import Person, must
from isocenter.learn.images_of_reports import image_of
from isocenter.methods.nearest import nearest, unit
from isocenter.methods.picture import prepared
from isocenter.record import Event, Kind, Model, Outcome, Result
from isocenter.site.disclosing import Disclosing
from isocenter.site.volumes import volumes_of

if TYPE_CHECKING:
    from isocenter.analysis.registry import Registry
    from isocenter.site.projecting import Projects
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Likening"]

_ALL = 10_000_000
_AT_ONCE = 24  # cases that one question may look at which nobody had looked at; a second or two
_MOST = 20_000  # embeddings that are kept
_SIGNED = (Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)
_LIMITS = Limits(memory_mib=2048, seconds=60.0)
_NOT = "no answer of a model that has an embedding can be seen of this study"


@dataclass
class Likening:
    """Likeness within one archive.

    Args:
        look: (who, study) -> None: writes down that somebody was shown a case.
        shelf: folder of the site's own weights, or empty.
    """

    index: Index
    journal: Journal
    blobs: Blobs
    registry: Registry
    disclosing: Disclosing
    projects: Projects
    look: Callable[[Person, str], None]
    shelf: str = ""
    _rows: dict[tuple[str, str], npt.NDArray[np.float32] | None] = field(default_factory=dict, init=False)

    def similar(self, study_uid: str, *, who: Person, k: int = 6) -> dict[str, Any]:
        """The k signed cases most like a study, the nearest first, with what was signed of them.

        Returns:
            ``{"analysis", "cases": [{"study", "series", "date", "words", "by", "signed", "distance"}], "looked_at",
            "of", "because"}``; `looked_at` of `of` cases were compared, and asking again goes on where it ended.

        Raises:
            Refused: k outside 1 … 20.
        """
        must(who, "results", study_uid)
        if not 1 <= k <= 20:
            raise Refused(f"{k} cases", "1 to 20 can be looked at side by side", "ask for fewer")
        held = self._answered(study_uid, who)
        if held is None:
            return {"analysis": "", "cases": [], "looked_at": 0, "of": 0, "because": _NOT}
        model, result = held
        analysis = result.machine.analysis
        known = self._known(study_uid, analysis, model, who)
        fresh = [uid for uid in known if (uid, model.digest) not in self._rows][:_AT_ONCE]
        self._look_at({study_uid: result} | {uid: known[uid][1] for uid in fresh}, model)
        mine, rows, cases = self._rows[study_uid, model.digest], [], []
        for uid, (event, theirs) in known.items():
            if (uid, model.digest) not in self._rows:
                continue
            row = self._rows[uid, model.digest]
            cases.append((uid, event, theirs, row))
            if row is not None:
                rows.append((len(cases) - 1, row))
        told: dict[str, Any] = {
            "analysis": analysis,
            "cases": [],
            "looked_at": len(cases),
            "of": len(known),
            "because": "",
        }
        if mine is None or not rows:
            return {**told, "because": "its images cannot be compared" if mine is None else "no signed case is known"}
        which, distance = nearest(unit(np.stack([r for _, r in rows])), unit(mine[None]), min(k, len(rows)))
        for place, far in zip(which[0].tolist(), distance[0].tolist(), strict=True):
            uid, event, theirs, _ = cases[rows[place][0]]
            self.look(who, uid)
            told["cases"].append(self._case(uid, event, theirs, analysis, far))
        return told

    def _answered(self, study_uid: str, who: Person) -> tuple[Model, Result] | None:
        """The newest answer on a study that this person may see, of a model with an embedding, and that model.

        None where it declined: neighbours of what it was not made for would pass for an answer.
        """
        for _, result in reversed(self.disclosing.results(study_uid, who)):
            model = self._models().get(result.machine.model)
            if model is not None and result.receipt.series:
                return None if result.outcome is Outcome.DECLINED else (model, result)
        return None

    def _models(self) -> Mapping[str, Model]:
        """Digest -> model, of those that look at one film: they take a size and give an embedding."""
        held = weights.models(Path(self.shelf) if self.shelf else None)
        return {m.digest: m for m, _ in held.values() if "gate" in m.inputs and "size" in m.inputs}

    def _known(self, study_uid: str, analysis: str, model: Model, who: Person) -> dict[str, tuple[Event, Result]]:
        """Signed cases that may be found, the newest first: study -> signature, and the answer of the same weights."""
        own = self.index.study(study_uid).patient
        home, signed = self.projects.home(study_uid), dict[str, Event]()
        for sealed in self.journal.since(kinds=_SIGNED, limit=_ALL, newest_first=True):
            signed.setdefault(sealed.event.subject, sealed.event)
        found: dict[str, tuple[Event, Result]] = {}
        for uid, event in signed.items():
            asked = any(c["analysis"] == analysis for c in event.details.get("calls", ()))
            if not asked or self.projects.home(uid) != home:
                continue
            rows = self.index.studies({"StudyInstanceUID": uid}, limit=1)
            if not rows or (rows[0].patient.id, rows[0].patient.issuer) == (own.id, own.issuer):
                continue
            if not self.projects.holds(uid, who, "study"):
                continue
            for _, result in reversed(self.disclosing.results(uid, who)):
                name, _, digest = result.machine
                if (name, digest) == (analysis, model.digest) and result.receipt.series:
                    if result.outcome is not Outcome.DECLINED:
                        found[uid] = (event, result)
                    break
        return found

    def _look_at(self, wanted: Mapping[str, Result], model: Model) -> None:
        """Keep the embeddings of studies' films that are not known yet; None where a film cannot be read any more.

        The model runs in a process of its own, with limits: weights of strangers may ask for any amount of memory.
        """
        films: dict[str, npt.NDArray[np.float32]] = {}
        for uid, result in wanted.items():
            if (uid, model.digest) in self._rows:
                continue
            while len(self._rows) >= _MOST:
                self._rows.pop(next(iter(self._rows)))
            self._rows[uid, model.digest] = None
            with contextlib.suppress(IsocenterError):
                series = next((s for s in self.index.study(uid).series if s.uid == result.receipt.series[0]), None)
                if series is not None:
                    own = tuple(i for i in series.instances if i.digest in result.receipt.inputs) or series.instances
                    film = volumes_of(replace(series, instances=own), self.blobs.kept)[0]
                    films[uid] = prepared(film.array[0], int(model.inputs["size"]))
        if not films:
            return
        try:
            rows = apart(partial(_embedded, model.name, self.shelf, list(films.values())), _LIMITS)
        except Refused:
            return  # as with a film that cannot be read: it is compared with nothing
        self._rows |= {(uid, model.digest): row for uid, row in zip(films, rows, strict=True)}

    def _case(self, uid: str, event: Event, result: Result, analysis: str, distance: float) -> dict[str, Any]:
        calls = [c for c in event.details["calls"] if c["analysis"] == analysis]
        call = next((c for c in calls if c.get("image") == image_of(result)), calls[0])
        named = next((y.what.meaning for y in self.registry.get(analysis).yields if y.what is not None), analysis)
        study = self.index.study(uid)
        return {
            "study": uid, "series": result.receipt.series[0], "date": study.date.isoformat() if study.date else None,
            "words": named if call["final"] else f"no {named.lower()}", "by": event.who,
            "signed": event.time.isoformat(), "distance": round(distance, 4),
        }  # fmt: skip


def _embedded(name: str, shelf: str, films: list[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
    """Where films lie in the eyes of a model; in the process in which it is called nothing else is done any more."""
    session = weights.open_session(name, Path(shelf) if shelf else None)
    confine()
    return [np.asarray(session.run(["embedding"], {"image": f[None, None]})[0][0], np.float32) for f in films]
