"""Balls that grow, shrink, come and go between two CTs of one jar, outlined at both times: change of known size."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from isocenter.testing.phantoms import balls
from isocenter.testing.phantoms.patient import Person, Phantom
from isocenter.testing.phantoms.structures import structure_set

__all__ = ["patient"]

_PLACES: Mapping[str, tuple[float, float, float]] = {
    "growing": (-20.0, -8.0, 2.0), "shrinking": (24.0, 16.0, -12.0), "steady": (22.0, -20.0, 20.0),
    "gone": (-6.0, 28.0, -24.0), "new": (2.0, -30.0, -24.0),
}  # fmt: skip
_THEN: Mapping[str, float] = {"growing": 16.0, "shrinking": 20.0, "steady": 14.0, "gone": 10.0}
_NOW: Mapping[str, float] = {"growing": 16.0 * 2 ** (1 / 3), "shrinking": 15.0, "steady": 14.0, "new": 9.0}
_HU = 120.0


def patient(
    *, seed: int = 1, days: int = 100, person: Person | None = None, at: datetime = datetime(2026, 3, 2, 12, 0)
) -> Phantom:
    """Two studies of one jar: a CT and a structure set each.

    Args:
        seed: decides noise and every UID.
        days: between the two.
        at: when the second was acquired.

    `truth` holds the ``study_uids`` and, for each structure, its volumes (mL) ``then`` and ``now`` and whether it is in
    both. "growing" doubles its volume exactly.
    """
    from pydicom import dcmread

    who = person or Person(f"ISO-DEMO-FOLLOWED-{seed}", "PHANTOM^FOLLOWED", "O", "20000101", 1.0, 10.0)
    files: list[bytes] = []
    studies = []
    turn = np.linspace(0.0, 2.0 * np.pi, 72, endpoint=False)
    for visit, (sizes, when) in enumerate(((_THEN, at - timedelta(days=days)), (_NOW, at))):
        inside = tuple((_PLACES[name], diameter, _HU) for name, diameter in sizes.items())
        made = balls.patient(seed=seed, balls=inside, person=who, at=when)
        headers = [dcmread(io.BytesIO(f), stop_before_pixels=True) for f in made.files]
        outlines = {}
        for name, ball in zip(sizes, made.truth["balls"], strict=True):
            x, y, z = ball["centre_mm"]
            lines = []
            for header in headers:
                height = float(header.ImagePositionPatient[2])
                left = (ball["diameter_mm"] / 2) ** 2 - (height - z) ** 2
                if left > 0.25:
                    r = np.sqrt(left)
                    circle = np.stack([x + r * np.cos(turn), y + r * np.sin(turn), np.full(72, height)], 1)
                    lines.append((circle, str(header.SOPInstanceUID)))
            outlines[name] = lines
        drawn = structure_set(f"followed-{visit}", who, headers[0], outlines, seed=seed, at=when)
        files += [*made.files, drawn]
        studies.append(made.truth["study_uid"])

    def volume_ml(diameter: float | None) -> float:
        return np.pi * diameter**3 / 6000.0 if diameter else 0.0

    return Phantom(
        "balls at two times",
        tuple(files),
        {
            "study_uids": studies,
            "days": days,
            "structures": {n: {"then": volume_ml(_THEN.get(n)), "now": volume_ml(_NOW.get(n))} for n in _PLACES},
        },
    )
