"""In-silico patients: proper DICOM whose truth is known, made in seconds without any data from people."""

from __future__ import annotations

from isocenter.testing.phantoms.demo import demo_patients
from isocenter.testing.phantoms.patient import Person, Phantom

__all__ = ["Person", "Phantom", "demo_patients"]
