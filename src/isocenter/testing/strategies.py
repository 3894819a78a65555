"""Hypothesis strategies: any geometry, volume, region or result that a law must hold for.

Values stay within what a scanner can say (spacings from 0.05 to 20 mm, positions within 2 m), because a law about
patient space is not a law about overflow.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isocenter.record import (
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
    codes,
)
from isocenter.space import Axis, Geometry, Region, Volume
from isocenter.space.region import Shape

__all__ = ["findings", "geometries", "masks", "measurements", "points", "regions", "results", "volumes"]

_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=24)
_UNITS = ("mm", "mL", "1", "%", "g/ml", "[hnsf'U]")
_CODES = (codes.LESION, codes.OPACITY, codes.VOLUME, codes.SUV_MAX, codes.DIAMETER)


def _floats(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False, allow_subnormal=False)


@st.composite
def geometries(draw: st.DrawFn, *, largest: int = 8, oblique: bool = True, tilted: bool = True) -> Geometry:
    """A grid anywhere in the patient.

    Args:
        largest: size along each axis.
        oblique: turned in space; else axial.
        tilted: slices may be sheared, as by a tilted gantry.
    """
    shape = tuple(draw(st.integers(1, largest)) for _ in range(3))
    spacing = np.array([draw(_floats(0.05, 20.0)) for _ in range(3)])
    turn = np.eye(3)
    if oblique:
        q = np.array([draw(_floats(-1, 1)) for _ in range(4)])
        if np.linalg.norm(q) > 0.1:
            w, x, y, z = q / np.linalg.norm(q)
            turn = np.array(
                [
                    [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                    [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                    [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
                ]
            )
    axial = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # columns: slice, row, column steps
    steps = turn @ axial * spacing
    if tilted and draw(st.booleans()):
        steps[:, 0] += steps[:, 1] / spacing[1] * spacing[0] * draw(_floats(-0.4, 0.4))
    affine = np.eye(4)
    affine[:3, :3] = steps
    affine[:3, 3] = [draw(_floats(-2000, 2000)) for _ in range(3)]
    frame = draw(st.sampled_from(["", "2.25.1", "2.25.2"]))
    return Geometry(affine, (shape[0], shape[1], shape[2]), frame)


@st.composite
def volumes(draw: st.DrawFn, *, geometry: Geometry | None = None, axes: bool = False) -> Volume:
    """A volume of small whole numbers, held as float32, so that sums over it are exact.

    Args:
        geometry: the grid, or None for any.
        axes: whether it may have leading axes of time and channel.
    """
    grid = geometry if geometry is not None else draw(geometries())
    leading: list[Axis] = []
    if axes:
        if n := draw(st.integers(0, 3)):
            leading.append(Axis("time", tuple(float(i) for i in range(n)), "s"))
        if draw(st.booleans()):
            leading.append(Axis("channel", ("R", "G", "B")))
    shape = (*(len(a) for a in leading), *grid.shape)
    array = draw(hnp.arrays(np.int16, shape, elements=st.integers(-1024, 3071)))
    return Volume(array.astype(np.float32), grid, "attenuation", "[hnsf'U]", tuple(leading))


def masks(shape: tuple[int, int, int]) -> st.SearchStrategy[Any]:
    """Boolean masks of a shape, empty and full ones among them."""
    return hnp.arrays(np.bool_, shape)


@st.composite
def points(draw: st.DrawFn, geometry: Geometry, *, least: int = 1, most: int = 12) -> Any:
    """(n, 3) points in patient millimetres, within the grid."""
    n = draw(st.integers(least, most))
    index = [[draw(_floats(0, size - 1)) for size in geometry.shape] for _ in range(n)]
    return geometry.to_patient(np.array(index, dtype=np.float64))


@st.composite
def regions(draw: st.DrawFn, *, geometry: Geometry | None = None, shapes: tuple[Shape, ...] = tuple(Shape)) -> Region:
    """A mask, point, line, polygon, box or ellipse on a grid."""
    grid = geometry if geometry is not None else draw(geometries())
    shape = draw(st.sampled_from(shapes))
    label, series = draw(_WORDS), draw(st.sampled_from(["", "2.25.11"]))
    if shape is Shape.MASK:
        return Region(grid, shape, draw(masks(grid.shape)), None, series, "", label)
    least, most = {
        Shape.POINT: (1, 1),
        Shape.POLYLINE: (2, 12),
        Shape.POLYGON: (3, 12),
        Shape.BOX: (2, 2),
        Shape.ELLIPSE: (4, 4),
    }[shape]
    return Region(grid, shape, None, draw(points(grid, least=least, most=most)), series, "2.25.12", label)


@st.composite
def measurements(draw: st.DrawFn) -> Measurement:
    """A finite number with a unit, with or without bounds."""
    value = draw(_floats(-1e9, 1e9))
    bounded = draw(st.booleans())
    return Measurement(
        draw(st.sampled_from(_CODES)),
        value,
        draw(st.sampled_from(_UNITS)),
        value - 1.0 if bounded else None,
        value + 1.0 if bounded else None,
        draw(_WORDS),
    )


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    """A finding with any of its parts missing."""
    return Finding(
        draw(st.sampled_from(_CODES)),
        draw(st.none() | _floats(0, 1)),
        draw(st.none() | regions()),
        tuple(draw(st.lists(measurements(), max_size=3))),
        draw(st.none() | st.just(codes.LUNG)),
        draw(st.none() | st.sampled_from((codes.LEFT, codes.RIGHT))),
        draw(_WORDS),
        draw(st.sampled_from(["", "2.25.99"])),
        draw(st.sampled_from(tuple(Verdict))),
        draw(_WORDS),
        draw(st.booleans()),
    )


@st.composite
def results(draw: st.DrawFn) -> Result:
    """One of the three answers, by a machine or a person, consistent in itself."""
    outcome = draw(st.sampled_from(tuple(Outcome)))
    reasons = tuple(draw(st.lists(_WORDS, min_size=1 if outcome is Outcome.DECLINED else 0, max_size=2)))
    kind = draw(st.sampled_from(["machine", "person"]))
    origin = Origin(
        kind, "pet_uptake", "1", draw(st.sampled_from(["", "0" * 64])), {"threshold": draw(_floats(0, 1))},
        kind == "person" and draw(st.booleans()),
    )  # fmt: skip
    seconds = draw(st.integers(0, 4_000_000_000))
    given_maps: tuple[Map, ...] = ()
    given_curves: tuple[Curve, ...] = ()
    if outcome is not Outcome.DECLINED:
        if draw(st.booleans()):
            about = ("uptake", "SUVbw", "g/ml", draw(geometries()), "1" * 64, "parametric", "2.25.11")
            given_maps = (Map(*about, 0.0, 5.0, (Threshold("SUV of 4: avid", low=4.0),)),)
        if draw(st.booleans()):
            given_curves = (Curve("uptake", (0.0, 1.0), "time", "s", {"lesion": (1.0, 2.0)}, "Bq/mL"),)
    return Result(
        "2.25.7",
        outcome,
        origin,
        datetime.fromtimestamp(seconds, UTC),
        reasons,
        tuple(draw(st.lists(findings(), max_size=2))) if outcome is Outcome.FOUND else (),
        tuple(draw(st.lists(measurements(), max_size=2))) if outcome is not Outcome.DECLINED else (),
        given_maps,
        given_curves,
        draw(st.sampled_from(tuple(Urgency))),
        Receipt(("2" * 64,), ("2.25.11",), "0.1.0", draw(_floats(0, 100)), draw(_floats(0, 1000))),
        draw(st.sampled_from(["", "3" * 64])),
    )
