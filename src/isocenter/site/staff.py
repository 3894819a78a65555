"""Who works here: the accounts, as those who manage them see them, and the colleagues whom one can ask to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isocenter.govern.policy import Person, Role, may, must
from isocenter.record import Kind, Verdict

if TYPE_CHECKING:
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Staff"]

_ENOUGH = 500  # acts of one person that are looked at; whoever did so many has learned them


@dataclass(frozen=True)
class Staff:
    """The people of one archive."""

    index: Index
    journal: Journal

    def people(self, *, who: Person) -> list[dict[str, Any]]:
        """Everybody with an account: name, role, added, disabled; credentials stay in the house."""
        must(who, "people")
        return [{n: one[n] for n in ("name", "role", "added", "disabled")} for one in self.index.people()]

    def colleagues(self, *, who: Person) -> list[Person]:
        """People who may read, by name."""
        must(who, "assign")
        everybody = [Person(one["name"], Role(one["role"])) for one in self.index.people() if not one["disabled"]]
        return [one for one in everybody if may(one, "open")]

    def first_steps(self, *, who: Person) -> dict[str, bool]:
        """What this person has done here so far of the four acts of reading, in the order in which one learns them."""
        must(who, "reading")
        kinds = (Kind.READING_OPENED, Kind.OPINION_LOCKED, Kind.RESULT_MADE, Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)
        told = [sealed.event for sealed in self.journal.since(who=who.name, kinds=kinds, limit=_ENOUGH)]
        done = {event.kind for event in told}
        made = [self.index.result(event.details["result"]) for event in told if event.kind is Kind.RESULT_MADE]
        return {
            "take": Kind.READING_OPENED in done,
            "opinion": Kind.OPINION_LOCKED in done,
            "strike": any(f.verdict is Verdict.STRUCK for result in made for f in result.findings),
            "sign": bool({Kind.REPORT_SIGNED, Kind.REPORT_AMENDED} & done),
        }
