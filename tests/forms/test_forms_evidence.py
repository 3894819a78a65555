"""Every finding of a report has its number, and the place where it is seen."""

from __future__ import annotations

from dataclasses import replace

from forms_samples import Archive, ball, found

from isocenter.forms.evidence import evidence
from isocenter.record import Verdict
from isocenter.space import Geometry, Region, Shape


def test_series_slice_and_segment_are_told(archive: Archive, axial: Geometry) -> None:
    result = found(ball(axial))
    (one,) = evidence(archive[0], [result])
    start, stop = result.findings[0].where.bounds  # type: ignore[union-attr]
    assert start[0] < one.slice <= stop[0] and one.slices == axial.shape[0]
    assert one.where == f"series 1, slice {one.slice} of {one.slices}, segment ball"


def test_what_was_struck_has_no_number_and_what_has_no_place_has_no_slice(archive: Archive, axial: Geometry) -> None:
    result = found(ball(axial))
    base = result.findings[0]
    point = Region(axial, Shape.POINT, None, axial.to_patient([[2.0, 3.0, 4.0]]), series_uid="1.2")
    many = (
        replace(base, verdict=Verdict.STRUCK, tracking="1.1"),
        replace(base, where=None, tracking="1.2"),
        replace(base, where=point, tracking="1.3"),
    )
    told = evidence(archive[0], [replace(result, findings=many)])
    assert [(e.number, e.tracking, e.where) for e in told] == [(1, "1.2", ""), (2, "1.3", "slice 3 of 6")]
