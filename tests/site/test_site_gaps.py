"""Structures on a CT of which a slice was lost: those elsewhere are measured, those that reach it say so."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from datetime import datetime

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from isocenter.analysis.need import Need
from isocenter.dicom.header import merge, read_header
from isocenter.errors import NotAVolume, Refused
from isocenter.record import Series, Study
from isocenter.site.drawn import regions_of
from isocenter.site.loading import Loading
from isocenter.space import Region
from isocenter.testing.phantoms import Person, pet_ct
from isocenter.testing.phantoms.structures import structure_set

SLICES, LOST = 20, 11
PLACES = {"below": range(3, 8), "ends at it": range(8, 11), "through": range(9, 14), "above": range(14, 18)}
PERSON = Person("P", "PHANTOM^TRUNK", "F", "19610214", 1.66, 68.0)


@pytest.fixture(scope="module")
def slices() -> list[Dataset]:
    sets = [dcmread(io.BytesIO(d)) for d in pet_ct.patient(person=PERSON).files]
    return sorted((d for d in sets if d.Modality == "CT"), key=lambda d: float(d.ImagePositionPatient[2]))[:SLICES]


def study(slices: list[Dataset], lost: Iterable[int], names: Iterable[str]) -> tuple[Study, dict[str, bytes]]:
    x, y, _ = (float(v) for v in slices[0].ImagePositionPatient)
    square = np.add([[40.2, 40.2], [60.2, 40.2], [60.2, 60.2], [40.2, 60.2]], (x, y))
    outlines = {
        name: [(np.column_stack([square, np.full(4, float(slices[k].ImagePositionPatient[2]))]),
                slices[k].SOPInstanceUID) for k in PLACES[name]] for name in names
    }  # fmt: skip
    files = [structure_set("gaps", PERSON, slices[0], outlines, seed=1, at=datetime(2026, 1, 1))]
    for k, ds in enumerate(slices):
        if k not in set(lost):
            ds.save_as(out := io.BytesIO())
            files.append(out.getvalue())
    held = {hashlib.sha256(d).hexdigest(): d for d in files}
    (found,) = merge(read_header(d) for d in held.values())
    return found, held


def of(found: Study, modality: str) -> Series:
    return next(s for s in found.series if s.modality == modality)


def drawn(slices: list[Dataset], lost: Iterable[int], names: Iterable[str] = tuple(PLACES)) -> dict[str, Region]:
    found, held = study(slices, lost, names)
    return {r.label: r for r in regions_of(found, of(found, "RTSTRUCT"), held.__getitem__)}


def test_a_structure_away_from_the_gap_is_measured_as_on_the_whole_series(slices: list[Dataset]) -> None:
    """One slice of a CT that was lost on its way declined every structure on it."""
    whole, left = drawn(slices, ()), drawn(slices, [LOST])
    assert {n for n, r in left.items() if r.unplaced is not None} == {"ends at it", "through"}
    for name in ("below", "above"):
        assert left[name].voxels == whole[name].voxels and left[name].geometry.same_grid(whole[name].geometry)
        assert np.array_equal(left[name].mask, whole[name].mask)
    assert left["through"].unplaced[0] == f"'through' reaches slice 12 of {SLICES}, of which no image is there"


def test_where_all_reach_the_gap_that_is_said(slices: list[Dataset]) -> None:
    with pytest.raises(Refused, match="'through' reaches 2 slices, the first of them 12 of 20, of which no image"):
        drawn(slices, [LOST, LOST + 1], ["through"])


@pytest.mark.parametrize("lost", [(0,), (19,), ()])
def test_an_end_that_is_missing_is_no_gap(slices: list[Dataset], lost: tuple[int, ...]) -> None:
    assert all(r.unplaced is None for r in drawn(slices, lost).values())


def test_an_analysis_of_drawn_structures_is_given_the_images_and_told(slices: list[Dataset]) -> None:
    found, held = study(slices, [LOST], PLACES)
    needs = {"image": Need(modality="CT"), "drawn": Need(modality="RTSTRUCT", gives="regions")}
    uids = {"image": (of(found, "CT").uid,), "drawn": (of(found, "RTSTRUCT").uid,)}
    given = Loading(found, needs, uids, held.__getitem__)()
    whole_study, whole_held = study(slices, (), PLACES)
    whole = Loading(whole_study, needs, uids, whole_held.__getitem__)()
    there = [k for k in range(SLICES) if k != LOST]
    assert np.array_equal(given["image"].array[there], whole["image"].array[there])
    assert given["image"].facts["SlicesLacking"] == [LOST] and "SlicesLacking" not in whole["image"].facts
    assert any("slice 12 missing" in told and "are not measured" in told for told in given["image"].facts["Told"])
    assert [r.unplaced is None for r in given["drawn"]] == [True, False, False, True]


def test_an_analysis_that_looks_at_all_of_a_series_is_not_given_one_with_a_gap(slices: list[Dataset]) -> None:
    found, held = study(slices, [LOST], PLACES)
    needs = {"image": Need(modality="CT"), "drawn": Need(modality="RTSTRUCT", gives="regions", optional=True)}
    uids = {"image": (of(found, "CT").uid,), "drawn": ()}
    with pytest.raises(NotAVolume, match="slice 12 missing"):
        Loading(found, needs, uids, held.__getitem__)()
