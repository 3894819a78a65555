"""A named question to the archive, frozen into members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from isocenter.record.plain import digest_of

__all__ = ["Cohort"]


@dataclass(frozen=True)
class Cohort:
    """Who was asked for, and who that was on the day of freezing.

    Args:
        name: given by a person.
        question: search keys and values, as `Site.find` takes them.
        members: Study Instance UIDs, sorted.
        left_out: reason -> number of studies that the question met but a rule excluded.
        frozen: when.
    """

    name: str
    question: Mapping[str, Any] = field(default_factory=dict, hash=False)
    members: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict, hash=False)
    frozen: datetime | None = None

    @property
    def id(self) -> str:
        """SHA-256 of the canonical JSON."""
        return digest_of(self)
