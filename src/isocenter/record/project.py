"""Where studies are at home, and which of them somebody may ask for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EVERYBODY", "ORDER", "PATIENT", "SENDER", "STEP", "WORKITEM", "Reach"]

EVERYBODY = "house"
"""The project of every study that was put into no other."""
ORDER, STEP, WORKITEM, PATIENT, SENDER = "order:", "step:", "workitem:", "patient:", "sender:"
"""What stands before the name of an order, a performed step, a work item, a patient and a sender: they have homes or
keys as studies have."""


@dataclass(frozen=True)
class Reach:
    """Which studies somebody may ask for.

    Args:
        projects: whose studies, all of them.
        studies: UIDs of single ones beside these.

    >>> Reach(frozenset({"trial"})).holds("1.2.3", "house")
    False
    """

    projects: frozenset[str]
    studies: frozenset[str] = frozenset()

    def holds(self, study_uid: str, home: str) -> bool:
        """Whether a study of that home is among them."""
        return home in self.projects or study_uid in self.studies
