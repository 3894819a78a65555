"""A lesion that several analyses measured is one thing to answer, and only where it is surely one outline."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.reading.comparison import changes, compare
from isocenter.reading.one_segment import must_be_one, segments
from isocenter.reading.opinion import Opinion
from isocenter.reading.session import decisions, undecided
from isocenter.record import (
    Code,
    Finding,
    Origin,
    Outcome,
    Patient,
    Receipt,
    Result,
    Series,
    Study,
    Verdict,
    codes,
)
from isocenter.space import Geometry, Region

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
STUDY = Study("1.1", Patient("p"), series=(Series("1.ct", "CT"), Series("1.pt", "PT"), Series("1.rt", "RTSTRUCT"),
                                           Series("1.seg", "SEG")))  # fmt: skip


def ball(radius_mm: float = 10.0, *, mm: float = 2.0, at: tuple[float, ...] = (0.0, 0.0, 0.0), label: str = "GTV",
         frame: str = "1.9") -> Region:  # fmt: skip
    n = round(60 / mm)
    grid = Geometry.regular(shape=(n, n, n), spacing_mm=(mm, mm, mm), origin_mm=(-30.0,) * 3, frame_of_reference=frame)
    place = grid.to_patient(np.stack(np.meshgrid(*(np.arange(n),) * 3, indexing="ij"), axis=-1))
    return Region(grid, mask=np.linalg.norm(place - np.asarray(at), axis=-1) <= radius_mm, label=label)


def found(name: str, tracking: str, where: Region | None, what: Code = codes.STRUCTURE, drawn: str = "1.rt",
          research: bool = False) -> tuple[str, Result]:  # fmt: skip
    finding = Finding(what, where=where, tracking=tracking, research=research)
    made = Result("1.1", Outcome.FOUND, Origin("machine", name, "1"), NOON, findings=(finding,),
                  receipt=Receipt(series=("1.ct", drawn)))  # fmt: skip
    return f"result of {name}", made


VOLUME, UPTAKE = found("volumetry", "v", ball()), found("pet_uptake", "u", ball(mm=4.0), codes.ABNORMAL_UPTAKE)
FEATURES = found("radiomics", "r", ball(mm=4.0), research=True)


def test_measurements_of_one_outline_stand_under_what_calls_it_something() -> None:
    under = segments(STUDY, [FEATURES, VOLUME, UPTAKE])
    assert under == {"v": "u", "u": "u", "r": "u"}
    assert segments(STUDY, [FEATURES, VOLUME]) == {"v": "v", "r": "v"}, "never under what is for research"
    must_be_one(STUDY, [FEATURES, VOLUME, UPTAKE], ["v", "u", "r"])


@pytest.mark.parametrize(
    "other",
    [
        found("pet_uptake", "u", ball(label="node")),
        found("pet_uptake", "u", ball(label="")),
        found("pet_uptake", "u", ball(frame="1.8")),
        found("pet_uptake", "u", ball(at=(8.0, 0.0, 0.0))),
        found("pet_uptake", "u", ball(14.0)),
        found("pet_uptake", "u", ball(), drawn="1.seg"),
        found("pet_uptake", "u", ball(), drawn="1.pt"),
        found("pet_uptake", "u", None),
    ],
    ids=["name", "no name", "frame", "place", "size", "another person's outline", "no outline", "nowhere"],
)
def test_what_may_be_another_thing_is_answered_by_itself(other: tuple[str, Result]) -> None:
    assert segments(STUDY, [VOLUME, other]) == {}
    with pytest.raises(Refused, match="several segments"):
        must_be_one(STUDY, [VOLUME, other], ["v", "u"])


def test_what_one_analysis_tells_apart_stays_apart() -> None:
    id, one = VOLUME
    two = replace(one, findings=(*one.findings, replace(one.findings[0], tracking="w")))
    assert segments(STUDY, [(id, two)]) == {}
    assert segments(STUDY, [(id, two), UPTAKE]) == {"v": "u", "u": "u"}


def test_numbers_for_research_ask_for_no_answer_and_are_no_opinion() -> None:
    latest = [VOLUME, UPTAKE, FEATURES]
    assert [f.tracking for _, f in undecided(latest)] == ["v", "u"]
    assert [d["finding"] for d in decisions(latest, {})] == ["v", "u"]
    id, features = FEATURES
    struck = replace(features, findings=(replace(features.findings[0], verdict=Verdict.STRUCK),))
    assert [d["finding"] for d in decisions([(id, struck)], {})] == ["r"], "what was struck with its segment counts"
    nothing = Opinion("1.1", "ito", NOON, nothing=True)
    assert {line.machine for line in compare(nothing, latest, {})} == {"v", "u"}
    assert [said.split(":")[0] for said in changes(nothing, latest, frozenset({"v"}))] == ["Increased uptake, GTV"]
