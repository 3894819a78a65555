"""Which part of the left ventricle an outline is, and at which phase of the beat, by the name that its author gave."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["Kind", "is_inner", "is_ventricle", "named", "says_phase"]

_INNER = re.compile(r"endo|cavity|blood[ _-]?pool|\blvc\b", re.IGNORECASE)
_OUTER = re.compile(r"epi(?!sode)", re.IGNORECASE)
_MUSCLE = re.compile(r"myo|(?<!papillary.)muscle", re.IGNORECASE)
# The right ventricle, as endo_RV_ED or sarvendocardialContour too, and the atria (LA may be the long axis, no disk).
_ELSE = re.compile(
    r"(?:(?<![a-z])|(?<![a-z])sa)rv|right|droit|recht|destr|derech|(?<![a-z])[lr]a(?![a-z])|atri|vorhof|oreillette",
    re.IGNORECASE,
)
_DIASTOLE = re.compile(r"(?<![a-z])(ed|dia)(?![a-z])|end.?dias|di[aá]stol", re.IGNORECASE)
_NUMBERED = re.compile(r"(?<![a-z])phase[ _-]*0*(\d{1,3})\b", re.IGNORECASE)
_VENTRICLE = re.compile(r"(?<![a-z])lv(?![a-z])|left.?ventric", re.IGNORECASE)  # cavity, or all within the epicardium
_SYSTOLE = re.compile(r"(?<![a-z])(es|sys)(?![a-z])|end.?sys|s[yií]stol", re.IGNORECASE)

Kind = Literal["endo", "epi", "myo"]


def says_phase(label: str) -> bool:
    """Whether a name says an end or a number of the beat."""
    return any(words.search(label) for words in (_DIASTOLE, _SYSTOLE, _NUMBERED))


def named(label: str) -> tuple[Kind | None, str]:
    """Structure and phase that a name says: ``ED``, ``ES``, the number of a phase from 1, or nothing.

    >>> named("LV endo ED"), named("epi_ES"), named("Myocardium end-diastole"), named("LV endo phase 07")
    (('endo', 'ED'), ('epi', 'ES'), ('myo', 'ED'), ('endo', '7'))
    >>> named("liver"), named("LV endo"), named("endo_RV_ED"), named("sarvendocardialContour ED")
    ((None, ''), ('endo', ''), (None, ''), (None, ''))
    >>> named("LA endo ES"), named("LV papillary muscles ED")
    ((None, ''), (None, ''))
    """
    if _ELSE.search(label):
        return None, ""
    kinds: tuple[tuple[Kind, re.Pattern[str]], ...] = (("endo", _INNER), ("epi", _OUTER), ("myo", _MUSCLE))
    kind = next((k for k, words in kinds if words.search(label)), None)
    numbered = _NUMBERED.search(label)
    phase = "ED" if _DIASTOLE.search(label) else "ES" if _SYSTOLE.search(label) else numbered[1] if numbered else ""
    return kind, phase if kind is not None else ""


def is_inner(label: str) -> bool:
    """Whether a name says cavity or left ventricle and no more, whatever else it says."""
    return bool(_INNER.search(label) or _VENTRICLE.search(label))


def is_ventricle(label: str) -> bool:
    """Whether a name says left ventricle."""
    return bool(_VENTRICLE.search(label))
