"""What tells frames of one place apart becomes a leading axis."""

from __future__ import annotations

from placed_frames import frame, one

from isocenter.dicom.frame_times import Pace
from isocenter.dicom.leading_axes import leading_axes


def test_a_key_that_jitters_is_no_axis() -> None:
    frames = [
        frame(float(k), uid=f"{k}.{t}", keys={"temporal": float(t), "echo": 30.0 + 0.01 * ((k * 7 + t) % 5)})
        for k in range(4)
        for t in range(3)
    ]
    found = one(frames)
    assert [a.name for a in found.axes] == ["time"]


def test_an_energy_that_alternates_and_repeats_in_time_gives_both_axes() -> None:
    frames = [
        frame(float(k), uid=f"{k}.{t}.{e}", keys={"energy": e, "moment": 10.0 * t + k})
        for k in range(3)
        for t in range(4)
        for e in (80.0, 140.0)
    ]
    found = one(frames)
    assert [(a.name, a.values) for a in found.axes] == [("time", (0.0, 10.0, 20.0, 30.0)), ("energy", (80.0, 140.0))]


def test_what_does_not_fill_a_grid_is_one_axis_with_the_rest_noted_along_it() -> None:
    """Directions of a diffusion scan, of which none belongs to b 0."""
    combos = [(0.0, None), (1000.0, (1.0, 0.0, 0.0)), (1000.0, (0.0, 1.0, 0.0))]
    cells = [[frame(float(k), uid=f"{k}.{n}", keys={"b_value": b, "direction": d, "number": float(n)})
              for n, (b, d) in enumerate(combos)] for k in range(3)]  # fmt: skip
    (axis,), phases, noted = leading_axes(cells, Pace())
    assert (axis.name, axis.values, axis.unit) == ("b_value", (0.0, 1000.0, 1000.0), "s/mm2")
    assert noted == {"along_b_value_direction": [d for _, d in combos]}
    assert [[one.sop_uid for one in phase] for phase in phases] == [[f"{k}.{n}" for k in range(3)] for n in range(3)]
