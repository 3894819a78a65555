"""Places that make one regular grid, or the numbers that prove that they make none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.dicom.places import Cells, least_apart_mm, normal
from isocenter.errors import NotAVolume
from isocenter.space import Geometry

__all__ = ["regular_grid"]

_REGULAR = 0.05  # a slice may lie this part of the slice distance beside its place on the regular grid


def regular_grid(cells: Cells, frame_of_reference: str) -> Geometry:
    """The grid on which the places lie.

    Args:
        cells: the frames of each place.
        frame_of_reference: of the series.

    Raises:
        NotAVolume: a slice is missing, distances vary, or slices lie beside the line.
    """
    first = cells[0][0]
    across = normal(first)
    apart = max(least_apart_mm(first), 1e-6)
    for cell in cells:
        spread = max(float(np.abs(one.position - cell[0].position).max()) for one in cell)
        if spread > max(apart, 0.5 * min(first.spacing)):
            raise NotAVolume(
                f"images of one slice lie {spread:.2f} mm apart in their plane",
                "they are not the same place of the patient",
                "send the parts as series of their own",
            )
    places = np.array([cell[0].position for cell in cells])
    if len(places) == 1:
        step = across * (first.thickness if first.thickness > 0 else 1.0)
    else:
        _must_be_regular(places @ across)
        step = (places[-1] - places[0]) / (len(places) - 1)
        distance = float(step @ across)
        ideal = places[0] + np.arange(len(places))[:, None] * step
        off = float(np.linalg.norm(places - ideal, axis=1).max())
        if off > max(_REGULAR * distance, apart):
            raise NotAVolume(
                f"slices lie up to {off:.2f} mm beside a straight line",
                "they do not make one regular grid",
                "send the parts as series of their own",
            )
    return Geometry.from_dicom(
        position=places[0],
        orientation=first.orientation,
        pixel_spacing=first.spacing,
        slice_step=step,
        shape=(len(places), first.rows, first.columns),
        frame_of_reference=frame_of_reference,
    )


def _must_be_regular(depth: npt.NDArray[np.float64]) -> None:
    steps = np.diff(depth)
    usual = float(np.median(steps))
    wide = np.flatnonzero(steps > usual * (1 + 2 * _REGULAR) + 1e-3)
    if len(wide) and float(steps.max()) >= 1.5 * usual:
        said = []
        number = 1  # counted as they would be numbered if none were missing
        for n, step in enumerate(steps):
            many = round(float(step) / usual) - 1
            if n in wide and many >= 1:
                which = f"slice {number + 1}" if many == 1 else f"slices {number + 1} to {number + many}"
                said.append(f"{which} missing: gap of {step:g} mm where {usual:g} mm")
            number += max(many, 0) + 1
        if said:
            raise NotAVolume(
                "; ".join(said[:3]) + (f" and {len(said) - 3} gaps more" if len(said) > 3 else ""),
                "a volume with holes would give wrong volumes and shapes",
                "send the series again, complete",
            )
    if float(np.abs(steps - usual).max()) > max(2 * _REGULAR * usual, 1e-3):
        raise NotAVolume(
            f"slice distances vary from {steps.min():g} to {steps.max():g} mm",
            "the slices do not make one regular grid",
            "send the parts as series of their own",
        )
