"""Who works here: the accounts, as those who manage them see them, and the colleagues whom one can ask to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isocenter.govern.policy import Person, Role, may, must

if TYPE_CHECKING:
    from isocenter.store.index import Index

__all__ = ["Staff"]


@dataclass(frozen=True)
class Staff:
    """The people of one archive."""

    index: Index

    def people(self, *, who: Person) -> list[dict[str, Any]]:
        """Everybody with an account: name, role, added, disabled; credentials stay in the house."""
        must(who, "people")
        return [{n: one[n] for n in ("name", "role", "added", "disabled")} for one in self.index.people()]

    def colleagues(self, *, who: Person) -> list[Person]:
        """People who may read, by name."""
        must(who, "assign")
        everybody = [Person(one["name"], Role(one["role"])) for one in self.index.people() if not one["disabled"]]
        return [one for one in everybody if may(one, "open")]
