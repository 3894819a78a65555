"""Isocenter: from the scanner to a signed report, and from signed reports back to better models. Research software.

Eight words and the Site are all that most programs need::

    Volume     an array in patient space, with its quantity and unit
    Study      what the archive knows of an examination
    Analysis   one question asked of a study
    Result     what came out, who said so, from what
    Reading    a person's session with a study
    Model      weights by digest, with card and evidence
    Cohort     a named question to the archive, frozen into members
    Event      something that happened, in one journal
    Site       the verbs: receive find send | plan analyse | open correct sign | explain

Names are loaded when they are first used, so that ``import isocenter`` costs nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_ROOMS = {
    "Analysis": "isocenter.analysis.protocol",
    "Cohort": "isocenter.record",
    "Event": "isocenter.record",
    "Model": "isocenter.record",
    "Reading": "isocenter.reading.session",
    "Result": "isocenter.record",
    "Site": "isocenter.site.verbs",
    "Study": "isocenter.record",
    "Volume": "isocenter.space",
}

__all__ = ["Analysis", "Cohort", "Event", "Model", "Reading", "Result", "Site", "Study", "Volume", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'isocenter' has no attribute '{name}': it shows {', '.join(sorted(_ROOMS))}")
    return getattr(import_module(_ROOMS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
