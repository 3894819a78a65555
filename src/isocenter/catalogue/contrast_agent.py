"""Whether images were made with a contrast agent, as far as their header says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["contrast_agent"]

_WITHOUT = frozenset({"no", "none", "0", "n", "without"})


def contrast_agent(facts: Mapping[str, Any]) -> str:
    """Contrast/Bolus Agent (0018,0010) as it is written; empty where none is stated, or said to have been given.

    >>> contrast_agent({"ContrastBolusAgent": " Iomeprol "}), contrast_agent({"ContrastBolusAgent": "NONE"})
    ('Iomeprol', '')
    """
    said = str(facts.get("ContrastBolusAgent") or "").strip()
    return "" if said.lower() in _WITHOUT else said
