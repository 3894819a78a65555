"""Whether images were made with a contrast agent, and in which of its phases, as far as their header says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["after_contrast", "contrast_agent", "contrast_phase"]

_WITHOUT = frozenset({"no", "none", "0", "n", "without"})


def contrast_agent(facts: Mapping[str, Any]) -> str:
    """Contrast/Bolus Agent (0018,0010) as it is written; empty where none is stated, or said to have been given.

    >>> contrast_agent({"ContrastBolusAgent": " Iomeprol "}), contrast_agent({"ContrastBolusAgent": "NONE"})
    ('Iomeprol', '')
    """
    said = str(facts.get("ContrastBolusAgent") or "").strip()
    return "" if said.lower() in _WITHOUT else said


_PHASES = {
    "native": r"nativ\w*|non[ _-]?(?:contrast|enhanced)|unenhanced|without contrast|pre[ _-]?contrast|plain",
    "arterial": r"art|arterial\w*|arteriell\w*|cortico[ _-]?medullary",
    "portal venous": r"portal\w*|pv|pvp|venous|ven[oö]s\w*|veineux",
    "delayed": r"delay\w*|late phase|equilibrium|nephrographic|excretory|sp[aä]t(?:phase)?",
}
_WORDS = {name: re.compile(rf"(?<![a-z])(?:{said})(?![a-z])", re.IGNORECASE) for name, said in _PHASES.items()}


def contrast_phase(facts: Mapping[str, Any]) -> str:
    """The phase that the description of the series names, or else its protocol; empty where none or several are named.

    >>> contrast_phase({"SeriesDescription": "Abdomen PORTAL_VENOUS 5.0"})
    'portal venous'
    """
    for keyword in ("SeriesDescription", "ProtocolName"):
        named = [name for name, words in _WORDS.items() if words.search(str(facts.get(keyword) or ""))]
        if named:
            return named[0] if len(named) == 1 else ""
    return ""


_AFTER = re.compile(
    r"(?<![a-z])(post[ _-]?(?:contrast|gd|gado\w*|km|c)|hepatobiliary|hepatobili[aä]r\w*|hbp|mit km|gado\w+)(?![a-z])",
    re.IGNORECASE,
)


def after_contrast(facts: Mapping[str, Any]) -> str:
    """By what a scan is told to be one after contrast: the agent, or else the words of its series, for many scanners
    leave the agent out; empty where nothing tells it.

    >>> after_contrast({"SeriesDescription": "Abdomen portal 3.0"}), after_contrast({"SeriesDescription": "native"})
    ('portal venous phase by its description', '')
    """
    if agent := contrast_agent(facts):
        return agent
    if (phase := contrast_phase(facts)) not in ("", "native"):
        return f"{phase} phase by its description"
    said = " ".join(str(facts.get(k) or "") for k in ("SeriesDescription", "ProtocolName"))
    return f"'{told.group()}' in its description" if (told := _AFTER.search(said)) else ""
