"""The in-silico patients of the demonstration."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from isocenter.testing.phantoms import abdomen_mr, brain, chest, cine, flow_mr, pet_ct, ultrasound
from isocenter.testing.phantoms.patient import Person, Phantom

__all__ = ["demo_patients"]


def demo_patients() -> Iterator[Phantom]:
    """Three chest radiographs (two with an opacity), a PET/CT, a beating heart, a brain at two times, an ultrasound, an
    aorta through which blood flows and a part of it comes back, and a belly with its fat.

    Made one by one, so that the first can be received while the next is still being computed; all together take some
    seconds and about 35 MB. Every call gives the same bytes.
    """
    child = ("PHANTOM^CHEST", "O")
    yield chest.patient(seed=1, opacity="right lower", person=Person("ISO-DEMO-1", *child, "20230105", 0.96, 14.5))
    yield chest.patient(
        seed=4, opacity="", person=Person("ISO-DEMO-2", *child, "20221120", 0.98, 15.1), at=datetime(2026, 3, 2, 9, 31)
    )
    yield chest.patient(
        seed=3,
        opacity="left lower",
        person=Person("ISO-DEMO-3", *child, "20230822", 0.91, 13.2),
        at=datetime(2026, 3, 2, 9, 47),
    )
    yield pet_ct.patient(person=Person("ISO-DEMO-4", "PHANTOM^TRUNK", "F", "19610214", 1.66, 68.0))
    yield cine.patient(person=Person("ISO-DEMO-5", "PHANTOM^HEART", "M", "19720830", 1.79, 82.0))
    yield brain.patient(person=Person("ISO-DEMO-6", "PHANTOM^BRAIN", "F", "19880517", 1.70, 64.0))
    yield ultrasound.patient(person=Person("ISO-DEMO-7", "PHANTOM^LIVER", "M", "19550709", 1.74, 77.0))
    yield flow_mr.patient(person=Person("ISO-DEMO-8", "PHANTOM^AORTA", "F", "19900611", 1.68, 61.0))
    yield abdomen_mr.patient(
        kind="fat and water",
        size=112,
        slices=6,
        person=Person("ISO-DEMO-9", "PHANTOM^BELLY", "M", "19680923", 1.77, 91.0),
    )
