"""What is known: frozen dataclasses, JSON both ways, identity by digest. Imports `space` and `errors` only."""

from isocenter.record.codes import Code
from isocenter.record.cohort import Cohort
from isocenter.record.event import Event, Kind, Sealed
from isocenter.record.model import Model
from isocenter.record.order import Order
from isocenter.record.plain import canonical, digest_of, from_plain, to_plain
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
from isocenter.record.study import Instance, Patient, Series, Study

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
    "to_plain",
]
