"""What a model and the readers said of each signed study, in the order of the signatures, for the charts that watch it.

Only studies whose report is signed count, so that no chart tells what a machine said of a study that somebody may still
read with their own eyes first. A release begins a new baseline. An alarm is one entry of the journal; where a person
has declared the stop rule for a model, the same look suspends it everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.analysis import weights
from isocenter.errors import NotFound, WrongState
from isocenter.govern.gate import stop_rule
from isocenter.govern.policy import Person, must
from isocenter.govern.watch import Seen, watch
from isocenter.record import Event, Kind, Outcome
from isocenter.site.disclosing import Disclosing

if TYPE_CHECKING:
    from isocenter.analysis.registry import Registry
    from isocenter.record import Result, Study
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Watching"]

_ALL = 10_000_000
_NOBODY = {
    "anon", "anonym", "anonymous", "anonymized", "anonymised", "anonymouspatient", "deidentified", "deid", "nobody",
    "none", "null", "noid", "nopatientid", "unknown", "na",
}  # fmt: skip
"""What stands in the number of a patient, by its letters and digits, where somebody took the number out."""


@dataclass
class Watching:
    """The watch over the models of one archive.

    Args:
        stop: (model, reason) -> None: stops it everywhere (`Halting.stop_model`).
        shelf: folder of the site's own weights, or empty.
    """

    index: Index
    journal: Journal
    registry: Registry
    disclosing: Disclosing
    clock: Callable[[], datetime]
    stop: Callable[[str, str], None]
    shelf: str = ""
    _heeded: int = field(default=-1, init=False)
    _known: dict[str, _Told] = field(default_factory=dict, init=False)

    def models(self, *, who: Person) -> list[dict[str, Any]]:
        """All models on which an analysis runs here, each as `model` tells it."""
        must(who, "models")
        return [self.model(name, who=who) for name in self._used()]

    def heed(self, *, who: Person) -> list[dict[str, Any]]:
        """Follow the charts of all models in use; each alarm that is new is written down once, and obeyed.

        Nothing is computed while no further report was signed. An alarm is new once for each chart, since each release.

        Returns:
            the new alarms: model, chart, case, and whether the stop rule suspended it.
        """
        must(who, "stop")
        newest = self.journal.since(kinds=(Kind.REPORT_SIGNED,), limit=1, newest_first=True)
        at = newest[0].number if newest else 0
        if at == self._heeded:
            return []
        heard = []
        for name in self._used():
            told = self.model(name, who=who, times=0)
            known = {(a["digest"], a["chart"], a["since"]) for a in self._alarms(name)}
            new = [a for a in told["alarms"] if (told["digest"], a["chart"], told["since"]) not in known]
            by = stop_rule(self.disclosing.gates(), name)
            for alarm in new:
                details = {"digest": told["digest"], "since": told["since"], **alarm, "stop_rule": by}
                self.journal.append(Event(Kind.WATCH_ALARMED, self.clock(), who.name, name, details))
                heard.append({"model": name, **details})
            if new and by:
                with suppress(WrongState):  # somebody was quicker
                    self.stop(name, f"the stop rule that {by} declared: {new[0]['chart']}, study {new[0]['case']}")
        self._heeded = at
        return heard

    def _alarms(self, name: str) -> list[dict[str, Any]]:
        return [
            dict(s.event.details) for s in self.journal.since(kinds=(Kind.WATCH_ALARMED,), subject=name, limit=_ALL)
        ]

    def _used(self) -> list[str]:
        used = {str(getattr(a, "weights", "")) for a in self.registry.analyses.values()} - {""}
        return sorted(used & set(weights.models(Path(self.shelf) if self.shelf else None)))

    def model(self, name: str, *, who: Person, times: int = 2000) -> dict[str, Any]:
        """The charts of one model, since when, and what to do when one alarms; `times` streams give the delays.

        Raises:
            NotFound: there is none of that name, or no analysis runs on it.
        """
        must(who, "models")
        held = weights.models(Path(self.shelf) if self.shelf else None).get(name)
        users = [n for n, a in self.registry.analyses.items() if getattr(a, "weights", "") == name]
        if held is None:
            raise NotFound(f"a model '{name:.64}'", "none of that name is installed", "list them: `isocenter models`")
        if not users:
            raise NotFound(
                f"the model '{name:.64}' in use", "no analysis here runs on it",
                "`isocenter watch` without a name tells of all in use",
            )  # fmt: skip
        way = self.disclosing.gates().of(held[0].digest)
        since = next((s["when"] for s in reversed(way.steps) if s["step"] == "release"), "")
        seen = self._seen(users, held[0].digest, datetime.fromisoformat(since) if since else None)
        told = watch(seen, times=times)
        told["digest"] = held[0].digest
        step = f"isocenter release {name} --step suspend --by NAME --reason WHY"
        act = f"{step}, or Stop it everywhere on its page"
        if way.state == "suspended":  # by the stop rule, or somebody was quicker
            act = f"it is suspended; what its return lacks says isocenter release {name} --show"
        return {"model": name, "state": way.state, "since": since, **told, "on_alarm": act if told["alarms"] else ""}

    def _seen(self, users: list[str], model: str, since: datetime | None) -> list[Seen]:
        """Signed studies; since a release those alone on which the weights that were released have answered."""
        signed: dict[str, Event] = {}
        for sealed in self.journal.since(kinds=(Kind.REPORT_SIGNED,), limit=_ALL):
            if since is None or sealed.event.time >= since:
                signed.setdefault(sealed.event.subject, sealed.event)
        heads = self.index.result_heads(list(signed), replaced=True) if signed else {}
        studies = {s.uid: s for s in self.index.studies(limit=_ALL)} if signed else {}
        seen = []
        for uid, event in signed.items():
            mine = [
                h for h in heads.get(uid, ()) if h["origin"] == "machine" and h["name"] in users
                and (since is None or self._told_of(str(h["digest"])).model in ("", model))
            ]  # fmt: skip
            if not mine:
                continue
            spoke = [h["outcome"] == Outcome.FOUND.value for h in mine if h["outcome"] != Outcome.DECLINED.value]
            calls = [c["machine"] == c["final"] for c in event.details.get("calls", ()) if c["analysis"] in users]
            study, told = studies.get(uid), self._told_of(str(mine[0]["digest"]))
            seen.append(
                Seen(event.time, any(spoke) if spoke else None, all(calls) if calls else None,
                     study.scanner if study else "", told.look, _person(study), told.image)
            )  # fmt: skip
        return seen

    def _told_of(self, digest: str) -> _Told:
        """What a result tells of its weights and its image; asked of the archive once."""
        if digest not in self._known:
            self._known[digest] = _Told.of(self.index.result(digest))
        return self._known[digest]


@dataclass(frozen=True)
class _Told:
    """Of a result: the weights behind it, how its image looks, and what was made of it."""

    model: str
    look: tuple[float, ...]
    image: str

    @classmethod
    def of(cls, result: Result) -> _Told:
        """The same image under other UIDs, and another person's number, has the same numbers to the last digit."""
        look = result.receipt.look
        made = (
            look, result.outcome.value, result.reasons, [(f.what, f.certainty) for f in result.findings],
            [(m.what, m.value) for m in result.measurements],
        )  # fmt: skip
        return cls(result.origin.model, look, repr(made) if look else "")


def _person(study: Study | None) -> str:
    """Who was imaged; empty where the number names nobody: `ANONYMOUS` stands for many people, zeros do."""
    number = study.patient.id.casefold() if study else ""
    plain = "".join(c for c in number if c.isalnum())
    if study is None or plain in _NOBODY or not plain.strip("0x"):
        return ""
    return repr((study.patient.id, study.patient.issuer))
