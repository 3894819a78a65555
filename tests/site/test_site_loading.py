"""What an analysis is given for its needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
import trunk_study

from isocenter.analysis.need import Dated, Need
from isocenter.errors import Refused
from isocenter.record import Study
from isocenter.site.loading import Loading
from isocenter.testing.phantoms import Phantom


@pytest.fixture
def trunk() -> Phantom:
    return trunk_study.trunk()


@pytest.fixture
def kept() -> tuple[Study, dict[str, bytes]]:
    return trunk_study.kept()


def test_inputs_are_made_by_need(kept: tuple[Study, dict[str, bytes]], trunk: Phantom) -> None:
    study, files = kept
    by_kind = {s.modality: s.uid for s in study.series}
    needs = {
        "pet": Need(modality="PT"),
        "lesions": Need(modality="RTSTRUCT", gives="regions"),
        "mr": Need(modality="MR", optional=True),
    }
    load = Loading(
        study, needs, {"pet": (by_kind["PT"],), "lesions": (by_kind["RTSTRUCT"],), "mr": ()}, files.__getitem__
    )
    given = load()
    assert given["mr"] is None
    assert given["pet"].series_uid == by_kind["PT"]
    assert len(given["lesions"]) == len(trunk.truth["lesions"])
    assert len(load.digests) == len([i for s in study.series if s.modality != "CT" for i in s.instances])


def test_an_axis_that_is_not_there_is_refused(kept: tuple[Study, dict[str, bytes]]) -> None:
    study, files = kept
    ct = next(s for s in study.series if s.modality == "CT")
    load = Loading(study, {"bolus": Need(modality="CT", axis="time")}, {"bolus": (ct.uid,)}, files.__getitem__)
    with pytest.raises(Refused, match="no time axis"):
        load()


def test_inputs_of_other_days_come_with_their_day_the_oldest_first(kept: tuple[Study, dict[str, bytes]]) -> None:
    study, files = kept
    drawn = next(s for s in study.series if s.modality == "RTSTRUCT")
    pet = next(s for s in study.series if s.modality == "PT")
    days = [replace(study, uid=f"1.{n}", date=date(2026, n, 1)) for n in (3, 2, 1)]
    today, *before = (
        replace(s, series=tuple(replace(x, uid=f"{x.uid}.{s.uid}") for x in s.series)) if s.uid != "1.3" else s
        for s in days
    )
    needs = {
        "now": Need(modality="PT", dated=True),
        "last": Need(modality="PT", earlier="last"),
        "pets": Need(modality="PT", earlier="all"),
        "none": Need(modality="MR", earlier="all", optional=True),
    }
    series = {
        "now": (pet.uid,), "last": (f"{pet.uid}.1.2",), "pets": (f"{pet.uid}.1.1", f"{pet.uid}.1.2"), "none": (),
    }  # fmt: skip
    load = Loading(today, needs, series, files.__getitem__, tuple(before))
    given = load()
    assert isinstance(given["now"], Dated)
    assert (given["now"].day, given["last"].day, given["none"]) == (date(2026, 3, 1), date(2026, 2, 1), None)
    assert [d.day for d in given["pets"]] == [date(2026, 1, 1), date(2026, 2, 1)]
    assert given["last"].volume.array.shape == given["now"].volume.array.shape
    assert set(load.digests) == {i.digest for i in pet.instances}
    bare = tuple(
        replace(s, facts={k: v for k, v in s.facts.items() if "Date" not in k},
                instances=tuple(replace(i, facts={k: v for k, v in i.facts.items() if "Date" not in k})
                                for i in s.instances))
        for s in today.series
    )  # fmt: skip
    nowhere = replace(today, date=None, series=bare)
    undated = Loading(nowhere, {"now": needs["now"]}, {"now": (pet.uid,)}, files.__getitem__)
    with pytest.raises(Refused, match="no place in time"):
        undated()
    regions = Need(modality="RTSTRUCT", gives="regions", dated=True)
    of = Loading(today, {"now": regions}, {"now": (drawn.uid,)}, files.__getitem__)()["now"]
    assert of.regions and of.study_uid == "1.3"
