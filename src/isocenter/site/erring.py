"""The signed cases in which a model was wrong here, to be opened and looked at.

Only studies whose report is signed are told, and of these only those whose answer of the model the asker may see: what
somebody reads blind, what lies in another's project and what a model says in shadow is not in the list, nor counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isocenter.govern.policy import Person
from isocenter.record import Event, Kind, Outcome, Result, Verdict
from isocenter.site.cataloguing import Cataloguing

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["Erring"]

_ALL = 10_000_000
_MOST = 200  # cases that are told at once, the newest
_SIGNED = (Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)


@dataclass(frozen=True)
class Erring:
    """Wrong answers of the models of one archive.

    Args:
        look: (who, study) -> None: writes down that somebody was shown what a machine said of a study.
    """

    journal: Journal
    cataloguing: Cataloguing
    look: Callable[[Person, str], None]

    def wrong(self, name: str, *, who: Person) -> dict[str, Any]:
        """Signed studies on which these weights were wrong since they were last released, the newest first.

        What turned out to be true of the question (pathology, a later study) outweighs the report, and the report as
        it was last signed is the word otherwise. A study in which the answer holds and one finding of several was
        struck is told as that.

        Returns:
            ``{"model", "digest", "since", "cases": [{"study", "analysis", "version", "kind", "by", "source", "mode",
            "signed", "date", "modalities"}], "of"}``: `kind` is *false alarm*, *missed* or *finding struck*, `since`
            the time of the release, empty for a model that was never released; at most 200 `cases` of `of`.

        Raises:
            NotFound: there is none of that name.
        """
        model = self.cataloguing.model(name, who=who)
        digest, users = model["digest"], model["analyses"]
        way = self.cataloguing.disclosing.gates().of(digest)
        since = next((s["when"] for s in reversed(way.steps) if s["step"] == "release"), "")
        truth, found = self._truth(users), list[dict[str, Any]]()
        for event in self._signatures(since):
            for case in _wrong(event, users, truth):
                if self._answer(case, digest, who) is not None:
                    found.append(case)
        told = found[:_MOST]
        for case in told:
            self.look(who, case["study"])
            study = self.cataloguing.index.study(case["study"])
            case |= {"date": study.date.isoformat() if study.date else None, "modalities": list(study.modalities)}
        return {"model": model["name"], "digest": digest, "since": since, "cases": told, "of": len(found)}

    def _signatures(self, since: str) -> list[Event]:
        """The latest signature of each study, the newest first."""
        begun = datetime.fromisoformat(since) if since else None
        latest: dict[str, Event] = {}
        for sealed in self.journal.since(kinds=_SIGNED, limit=_ALL, newest_first=True):
            latest.setdefault(sealed.event.subject, sealed.event)
        return [event for event in latest.values() if begun is None or event.time >= begun]

    def _truth(self, users: Iterable[str]) -> dict[tuple[str, str], tuple[bool, str]]:
        """(study, analysis) -> what turned out to be true of its question, and how that is known."""
        wanted = set(users)
        return {
            (s.event.subject, s.event.details["analysis"]): (
                bool(s.event.details["present"]),
                s.event.details["source"],
            )
            for s in self.journal.since(kinds=(Kind.OUTCOME_KNOWN,), limit=_ALL)
            if s.event.details["analysis"] in wanted
        }

    def _answer(self, case: Mapping[str, Any], digest: str, who: Person) -> Result | None:
        """What these weights said of the case, if the asker may see it."""
        for _, result in self.cataloguing.disclosing.results(case["study"], who, replaced=True):
            if result.machine[::2] == (case["analysis"], digest) and result.outcome is not Outcome.DECLINED:
                return result
        return None


def _wrong(
    event: Event, users: Iterable[str], truth: Mapping[tuple[str, str], tuple[bool, str]]
) -> Iterable[dict[str, Any]]:
    """What a signature, or what turned out later, says against the machine; one line for each analysis."""
    decisions = event.details.get("decisions", ())
    struck = {d["analysis"] for d in decisions if d["verdict"] == Verdict.STRUCK.value}
    for call in event.details.get("calls", ()):
        name, said = call["analysis"], bool(call["machine"])
        if name not in users:
            continue
        known = truth.get((event.subject, name))
        right = known[0] if known else bool(call["final"])
        if said != right:
            kind, source = "false alarm" if said else "missed", known[1] if known else ""
        elif name in struck:
            kind, source = "finding struck", ""
        else:
            continue
        yield {
            "study": event.subject, "analysis": name, "version": str(call.get("version", "")), "kind": kind,
            "by": "" if source else event.who, "source": source, "mode": str(call["mode"]),
            "signed": event.time.isoformat(),
        }  # fmt: skip
