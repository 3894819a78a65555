"""What is known: frozen dataclasses, JSON both ways, identity by digest. Imports `space` and `errors` only.

A Result has geometry, and geometry has numpy: its names are loaded when they are first used, so that whoever only takes
images in does not wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from isocenter.record.codes import Code
from isocenter.record.cohort import Cohort
from isocenter.record.event import Event, Kind, Sealed
from isocenter.record.model import Model
from isocenter.record.order import Order
from isocenter.record.plain import canonical, digest_of, from_plain, to_plain
from isocenter.record.study import NO_PICTURES, Instance, Patient, Series, Study, kind_of

if TYPE_CHECKING:
    from isocenter.record.result import (
        Curve,
        Finding,
        Map,
        Measurement,
        Origin,
        Outcome,
        Receipt,
        Result,
        Threshold,
        Urgency,
        Verdict,
    )

__all__ = [
    "Code",
    "Cohort",
    "Curve",
    "Event",
    "Finding",
    "Instance",
    "Kind",
    "Map",
    "Measurement",
    "NO_PICTURES",
    "Model",
    "Order",
    "Origin",
    "Outcome",
    "Patient",
    "Receipt",
    "Result",
    "Sealed",
    "Series",
    "Study",
    "Threshold",
    "Urgency",
    "Verdict",
    "canonical",
    "digest_of",
    "from_plain",
    "kind_of",
    "to_plain",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module("isocenter.record.result"), name)
