"""Planes across a vessel through the site: the known flow, kept for a while, written down, and refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from department_for_oversight import CHIEF, ITO, MONDAY, Clock
from isocenter.app import open_house
from isocenter.catalogue import flow_planes
from isocenter.errors import Forbidden, NotFound, Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Event, Kind
from isocenter.settings import Settings
from isocenter.site.probing import Across
from isocenter.site.verbs import Site
from isocenter.testing.phantoms import Phantom, chest, flow_mr

UP = (0.0, 0.0, 1.0)
FRONT, BACK = Across((0.0, -26.0, -18.0), UP), Across((0.0, 26.0, -18.0), UP)
"""Across the two limbs of the cane, below its arch: 26 mm before and behind the origin."""


@pytest.fixture(scope="module")
def made() -> Phantom:
    return flow_mr.patient(shape=(12, 38, 34))


@pytest.fixture(scope="module")
def here(made: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path_factory.mktemp("probing") / "archive"), apart=False)
    site = replace(house.site, clock=Clock())
    for person in (CHIEF, ITO):
        told = {"role": person.role.value, "credential": "none"}
        site.journal.append(Event(Kind.PERSON_ADDED, MONDAY, "isocenter", person.name, told))
    site.receive([*made.files, *chest.patient(seed=1).files], sender="MR1", who=HOUSE)
    yield site
    house.close()


def test_two_planes_of_a_vessel_without_branches(here: Site, made: Phantom) -> None:
    uid = made.truth["study_uid"]
    told = here.probing.flow(uid, [FRONT, BACK], who=ITO)
    for one in told["planes"]:
        assert one["net_ml"] == pytest.approx(made.truth["net_ml"], rel=0.04)
        assert one["regurgitant_percent"] == pytest.approx(20.0, abs=1.5)
        assert len(one["rate_ml_s"]) == 20
        assert sum(one["rate_ml_s"]) * told["frame_ms"] / 1000 == pytest.approx(one["net_ml"], rel=1e-6)
    assert abs(told["lost_percent"]) < 4.0
    assert told["frame_ms"] == pytest.approx(made.truth["frame_ms"], abs=0.01)
    alone = here.probing.flow(uid, [BACK], who=ITO)
    assert alone["planes"] == [told["planes"][1]] and alone["lost_percent"] is None
    seen = {s.event.subject for s in here.journal.since(kinds=(Kind.VIEWED,), who="ito")}
    assert uid in seen, "that somebody looked is written down"


def test_a_scan_is_corrected_once_and_again_after_a_while(
    here: Site, made: Phantom, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid, made_of, done = made.truth["study_uid"], flow_planes.corrected, []

    def counted(*given: Any) -> flow_planes.Corrected:
        done.append(1)
        return made_of(*given)

    monkeypatch.setattr(flow_planes, "corrected", counted)
    start: Any = here.clock
    here.clock = lambda: MONDAY + timedelta(days=40)
    here.probing.flow(uid, [FRONT], who=ITO)
    here.clock = lambda: MONDAY + timedelta(days=40, minutes=14)
    here.probing.flow(uid, [BACK], who=ITO)
    assert len(done) == 1, "a plane that is moved waits for nothing"
    here.clock = lambda: MONDAY + timedelta(days=40, minutes=30)
    here.probing.flow(uid, [BACK], who=ITO)
    assert len(done) == 2
    here.clock = start


def test_a_frame_lies_where_it_says_whatever_its_number(here: Site, made: Phantom) -> None:
    """Twelve slices, twenty times: what is drawn over frame 66 belongs to the seventh slice, not to the last."""
    uid = made.truth["study_uid"]
    series = here.index.study(uid).series[0]
    order = here.pictures(uid, series.uid, who=ITO).order
    assert len({p.position for p in order}) == 12
    for picture in order[::37]:
        grid = here.geometry_of(picture.sop_uid, frame=picture.frame, who=ITO)
        assert grid.shape == (1, 38, 34)
        assert grid.to_patient((0, 0, 0)) == pytest.approx(picture.position, abs=1e-6)


def test_who_may_not_and_what_is_none(here: Site, made: Phantom) -> None:
    uid = made.truth["study_uid"]
    film = next(s.uid for s in here.index.studies() if s.uid != uid)
    for planes, study, words in (
        ([], uid, "0 planes"),
        ([FRONT] * 3, uid, "3 planes"),
        ([FRONT], film, "a study without 4-D flow"),
        ([Across((0.0, 0.0, -18.0), UP)], uid, "a plane outside the vessel"),
    ):
        with pytest.raises(Refused, match=words):
            here.probing.flow(study, planes, who=ITO)
    with pytest.raises(Refused, match="m/s may have been given"):
        here.probing.flow(uid, [FRONT], who=ITO, venc_cm_s=1.5)
    with pytest.raises(Forbidden):
        here.probing.flow(uid, [FRONT], who=Person("ct", Role.SERVICE))
    here.projects.found("trial", "a trial", keeper="chief", who=CHIEF)
    here.projects.move(uid, "trial", reason="it is of the trial", who=CHIEF)
    with pytest.raises(NotFound):
        here.probing.flow(uid, [FRONT], who=ITO)
