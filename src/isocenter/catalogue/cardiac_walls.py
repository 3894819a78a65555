"""Thickness and thickening of the wall by AHA segment, from cavity and muscle at one or both ends of the beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import cine as arithmetic
from isocenter.methods.myocardium import SEGMENTS, Thickness, levels, segment_means, thickening_percent, wall_thickness
from isocenter.record import Measurement, codes

__all__ = ["Ring", "walls"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Ring:
    """(slices, rows, columns) masks of cavity and muscle on the turned grid (`methods.short_axis.turned`)."""

    cavity: Mask
    muscle: Mask

    @property
    def slices(self) -> list[int]:
        """Slices that hold the cavity, from base to apex."""
        return np.flatnonzero(self.cavity.any(axis=(1, 2))).tolist()


def walls(
    rings: Mapping[str, Ring], spacing_mm: tuple[float, float, float], anterior_deg: float
) -> tuple[Measurement, ...]:
    """Thickness (mm) and thickening (%) of the 16 segments that a short axis shows; the apex (17) lies beyond it.

    Args:
        rings: at ``"ed"``, and at ``"es"`` where thickening is wanted.
        spacing_mm: of the turned grid: slices, rows, columns.
        anterior_deg: direction of the middle of segment 1, counter-clockwise from the right.
    """
    means = {}
    for name in ("ed", "es"):
        rows: list[tuple[str, Thickness]] = []
        if ring := rings.get(name):
            level = levels(ring.slices)
            for k in ring.slices:
                thickness = _thickness(ring.cavity[k], ring.muscle[k], spacing_mm[1:])
                if thickness is not None:
                    rows.append((level[k], thickness))
        means[name] = segment_means(rows, anterior_deg=anterior_deg)
    thicker = thickening_percent(means["ed"], means["es"])
    measured = []
    for number, (segment, mm, percent) in enumerate(zip(SEGMENTS, means["ed"], thicker, strict=True), start=1):
        name = f"segment {number}, {segment}"
        if mm is not None:
            measured.append(Measurement(codes.WALL_THICKNESS, mm, "mm", definition=f"{name}, end-diastole"))
        if percent is not None:
            measured.append(Measurement(codes.WALL_THICKENING, percent, "%", definition=name))
    return tuple(measured)


def unseen(measured: Sequence[Measurement]) -> str:
    """In words, which of the 17 segments have no thickness; empty where none has one (no wall was drawn)."""
    seen = {int(m.definition.split()[1].rstrip(",")) for m in measured if m.what == codes.WALL_THICKNESS}
    if not seen:
        return ""
    missing = [f"{n} ({name})" for n, name in enumerate(SEGMENTS, start=1) if n not in seen]
    return f" AHA segments not seen on these short-axis slices: {', '.join(missing)}." if missing else ""


def _thickness(cavity: Mask, muscle: Mask, spacing_mm: tuple[float, float]) -> Thickness | None:
    """Wall of one slice; None where the ring is open, so that no wall is invented."""
    if arithmetic.rim(cavity, muscle, spacing_mm) < 0.95:
        return None
    lines = [arithmetic.outline_mm(mask, spacing_mm) for mask in (cavity, cavity | muscle)]
    try:
        return wall_thickness(lines[0], lines[1])
    except Refused:
        return None
