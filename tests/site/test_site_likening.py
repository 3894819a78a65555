"""Cases that look alike: the nearest of other people, of the own project, and none before the own opinion stands."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image

from department_for_oversight import AI, CHIEF, ITO, MONDAY, Clock, keep
from isocenter.analysis.weights import models
from isocenter.app import open_house
from isocenter.dicom.wrap import wrap_image
from isocenter.errors import Forbidden, NotFound, Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Event, Finding, Kind, Origin, Outcome, Receipt, Result, codes
from isocenter.settings import Settings
from isocenter.site.verbs import Site

PEOPLE = ["P1", "P1", "P2", "P3", "P4", "P5"]


def _film(seed: int, noise: int) -> bytes:
    """Smooth blobs of a seed, and a little noise: films of one seed look alike."""
    small = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 7), dtype=np.uint8))
    whole = np.asarray(small.resize((140, 160), Image.Resampling.BICUBIC), np.int16)
    whole = np.clip(whole + np.random.default_rng(noise).integers(-6, 7, whole.shape), 0, 255).astype(np.uint8)
    held = io.BytesIO()
    Image.fromarray(whole).save(held, "PNG")
    return held.getvalue()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, list[str]]]:
    house = open_house(Settings(folder=tmp_path_factory.mktemp("likening") / "archive"), apart=False)
    site = replace(house.site, clock=Clock())
    for person in (CHIEF, ITO):
        told = {"role": person.role.value, "credential": "none"}
        site.journal.append(Event(Kind.PERSON_ADDED, MONDAY, "isocenter", person.name, told))
    digest, uids = models()[AI][0].digest, []
    for n, patient in enumerate(PEOPLE):
        seed = {0: 1, 1: 1, 2: 2, 3: 1, 4: 3, 5: 1}[n]
        data = wrap_image(_film(seed, n), f"{n}.png", MONDAY + timedelta(days=n), modality="DX", body_part="CHEST",
                          view="PA", patient_id=patient)  # fmt: skip
        site.receive([data], sender="DX1", who=HOUSE)
        uid = next(s.uid for s in site.index.studies({"PatientID": patient}) if s.uid not in uids)
        uids.append(uid)
        series = site.index.study(uid).series[0].uid
        ill = n % 2 == 1
        found = (Finding(codes.OPACITY, 0.9, words="An opacity.", tracking=f"2.25.{n}"),) if ill else ()
        said = Result(uid, Outcome.FOUND if ill else Outcome.NONE, Origin("machine", AI, "1", digest), MONDAY,
                      findings=found, receipt=Receipt(series=(series,)))  # fmt: skip
        keep(site, said, "isocenter", MONDAY)
        if n:
            at = MONDAY + timedelta(minutes=n)
            call = {"analysis": AI, "version": "1", "mode": "concurrent", "machine": ill, "final": ill, "first": None}
            site.journal.append(Event(Kind.READING_OPENED, at, "ito", uid, {"by": "ito"}))
            site.journal.append(Event(Kind.REPORT_SIGNED, at, "ito", uid, {"report": f"{n:064x}", "calls": [call]}))
    yield site, uids
    house.close()


def test_nothing_before_the_own_opinion_then_the_nearest_of_others(here: tuple[Site, list[str]]) -> None:
    site, uids = here
    before = site.likening.similar(uids[0], who=ITO)
    data = wrap_image(_film(9, 9), "9.png", MONDAY, modality="DX", body_part="CHEST", view="PA", patient_id="P9")
    site.receive([data], sender="DX1", who=HOUSE)
    (unseen,) = (s.uid for s in site.index.studies({"PatientID": "P9"}))
    assert before == site.likening.similar(unseen, who=ITO), "no word differs from where no machine looked"
    assert before["cases"] == [] and not site.likening._rows, "nothing was even computed"
    site.lock(uids[0], version=site.open(uids[0], who=ITO).version, nothing=True, who=ITO)
    told = site.likening.similar(uids[0], who=ITO)
    assert (told["looked_at"], told["of"]) == (4, 4) and told["analysis"] == AI
    order = [one["study"] for one in told["cases"]]
    assert set(order) == set(uids[2:]), "the own prior is no similar case"
    assert set(order[:2]) == {uids[3], uids[5]}, "those of the same blobs are nearest"
    distances = [one["distance"] for one in told["cases"]]
    assert distances == sorted(distances)
    words = {one["study"]: one["words"] for one in told["cases"]}
    assert words[uids[3]].lower().startswith("opacity") and words[uids[2]].lower().startswith("no ")
    assert [one["by"] for one in told["cases"]] == ["ito"] * 4
    seen = {s.event.subject for s in site.journal.since(kinds=(Kind.VIEWED,), who="ito")}
    assert set(order) <= seen, "whose case was shown is written down"
    assert len(site.likening.similar(uids[0], who=ITO, k=1)["cases"]) == 1


def test_projects_bound_it_and_rights_do(here: tuple[Site, list[str]]) -> None:
    site, uids = here
    site.projects.found("trial", "a trial", keeper="chief", who=CHIEF)
    site.projects.move(uids[3], "trial", reason="it is of the trial", who=CHIEF)
    found = {one["study"] for one in site.likening.similar(uids[0], who=HOUSE)["cases"]}
    assert found == {uids[2], uids[4], uids[5]}, "not even for who sees all"
    assert site.likening.similar(uids[3], who=HOUSE)["cases"] == [], "alone in its project"
    with pytest.raises(NotFound):
        site.likening.similar(uids[3], who=ITO)
    with pytest.raises(Forbidden):
        site.likening.similar(uids[0], who=Person("ct", Role.SERVICE))
    with pytest.raises(Refused, match="side by side"):
        site.likening.similar(uids[0], who=HOUSE, k=21)


def test_of_two_films_the_words_are_those_of_the_one_that_is_shown(here: tuple[Site, list[str]]) -> None:
    site, uids = here
    series = site.index.study(uids[2]).series[0].uid
    call = {"analysis": AI, "version": "1", "mode": "concurrent", "machine": False, "first": None}
    calls = [call | {"final": True, "image": "1.2.3"}, call | {"final": False, "image": series}]
    at = MONDAY + timedelta(hours=3)
    site.journal.append(Event(Kind.READING_OPENED, at, "ito", uids[2], {"by": "ito"}))
    site.journal.append(Event(Kind.REPORT_AMENDED, at, "ito", uids[2], {"report": "f" * 64, "calls": calls}))
    words = {one["study"]: one["words"] for one in site.likening.similar(uids[0], who=HOUSE)["cases"]}
    assert words[uids[2]].startswith("no ")


def test_what_the_model_declined_has_no_neighbours_and_is_none(here: tuple[Site, list[str]]) -> None:
    site, uids = here
    digest = models()[AI][0].digest
    before = {one["study"] for one in site.likening.similar(uids[0], who=HOUSE)["cases"]}
    assert uids[2] in before
    for uid in (uids[2], uids[0]):
        series = site.index.study(uid).series[0].uid
        said = Result(uid, Outcome.DECLINED, Origin("machine", AI, "1", digest), MONDAY, ("another part",),
                      receipt=Receipt(series=(series,)))  # fmt: skip
        keep(site, said, "isocenter", MONDAY)
        told = {one["study"] for one in site.likening.similar(uids[0], who=HOUSE)["cases"]}
        assert told == (before - {uids[2]} if uid == uids[2] else set())
