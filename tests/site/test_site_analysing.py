"""Plan and run what fits a study of an archive."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from isocenter.app import House, open_house
from isocenter.govern.policy import HOUSE
from isocenter.record import Outcome
from isocenter.settings import Settings
from isocenter.testing.phantoms import pet_ct

DRAWN = "2.25.99"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    held = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    yield held
    held.close()


def received(house: House) -> str:
    """A PET with CT, and a structure set in a study of its own; the study of the images."""
    study, files = "", []
    for data in pet_ct.patient().files:
        held = pydicom.dcmread(io.BytesIO(data))
        if held.Modality == "RTSTRUCT":
            held.StudyInstanceUID = DRAWN
        elif held.Modality == "CT":
            study = str(held.StudyInstanceUID)
        written = io.BytesIO()
        held.save_as(written)
        files.append(written.getvalue())
    house.site.receive(files, sender="test", who=HOUSE)
    return study


def test_outlines_that_are_a_study_of_their_own_are_measured_on_the_images_that_they_name(house: House) -> None:
    study = received(house)
    site = house.site
    assert list(site.drawn_on(DRAWN)) == [study] and site.drawn_on(study) == {}
    made = [result for _, result in site.analyse(study, who=HOUSE, only="body_composition")]
    assert len(made) == 1 and made[0].outcome is not Outcome.DECLINED and made[0].measurements
    assert any(f"stand in another study ({DRAWN})" in reason for reason in made[0].reasons)
    (told,) = (row for row in site.why(study, who=HOUSE) if row["analysis"] == "body_composition")
    assert told["answer"] == "none" and len(told["on"]) == 2
    assert site.analyse(study, who=HOUSE, only="body_composition")[0][1] == made[0], "it is not run again"


def test_what_fits_is_known_anew_once_outlines_of_another_study_have_come(house: House) -> None:
    study = received(house)
    site = house.site
    site.projects.found("trial", "A trial of its own.", who=HOUSE)
    site.projects.move(DRAWN, "trial", reason="for now", who=HOUSE)
    fits = {binding.analysis for binding in site._fitting(study).bindings}
    site.projects.move(DRAWN, "house", reason="it belongs to these images", who=HOUSE)
    site.analyse(study, who=HOUSE, only="volumetry")
    assert {binding.analysis for binding in site._fitting(study).bindings} - fits >= {"volumetry"}


def test_outlines_in_another_project_are_not_taken(house: House) -> None:
    study = received(house)
    site = house.site
    site.projects.found("trial", "A trial of its own.", who=HOUSE)
    site.projects.move(DRAWN, "trial", reason="a trial of its own", who=HOUSE)
    assert site.drawn_on(DRAWN) == {}
    ((_, made),) = site.analyse(study, who=HOUSE, only="body_composition")
    assert not any("stand in another study" in reason for reason in made.reasons)
    kinds = {s.modality for s in site.index.study(study).series if s.uid in made.receipt.series}
    assert kinds == {"CT"} and len(made.receipt.series) == 1
