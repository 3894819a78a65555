"""An analysis run for research on a study that it declined: who may, on what, and that no report reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydicom.data import get_testdata_file

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Yield
from isocenter.app import open_house
from isocenter.errors import Forbidden, NotFound, Refused, WrongState
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.disclosure import Mode, Use
from isocenter.record import Finding, Kind, Measurement, Urgency, codes
from isocenter.settings import Settings
from isocenter.site.verbs import Site
from isocenter.space import Volume

ITO, RITA, LEE = Person("ito", Role.READER), Person("rita", Role.RESEARCHER), Person("lee", Role.ADMIN)
WORDS = "A planted bleed."


class Thin:
    """Whether a planted bleed is seen on thin slices."""

    name, version = "thin", "7"
    needs: ClassVar = {"image": Need(modality="CT", slice_mm=(0.5, 1.5), at_least=10)}
    yields = (Yield(what=codes.LESION, units=("mm",), urgency=Urgency.NOW),)

    def run(self, image: Volume) -> Answer:
        size = (Measurement(codes.LONG_AXIS, float(len(image.array)), "mm"),)
        return Answer.found(Finding(codes.LESION, 0.9, words=WORDS, measurements=size))


class Thick(Thin):
    """Whether it is seen on any slices."""

    name = "thick"
    needs: ClassVar = {"image": Need(modality="CT")}


class Other(Thin):
    """Whether it is seen on MR."""

    name = "other"
    needs: ClassVar = {"image": Need(modality="MR")}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    house.site.registry._found = ({one.name: one() for one in (Thin, Thick, Other)}, {})
    file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    house.site.receive([file.read_bytes()], sender="test", who=HOUSE)
    yield house.site
    house.close()


def study_of(site: Site) -> str:
    return site.studies(who=HOUSE)[0].uid


def allowed(site: Site) -> None:
    kept = site.preferences.site(who=HOUSE)
    site.preferences.change_site({"unasked": {"research": "allow"}}, version=kept.version, who=HOUSE, reason="a test")


def line(site: Site, name: str = "thin", who: Person = HOUSE) -> dict[str, Any]:
    return next(row for row in site.why(study_of(site), who=who) if row["analysis"] == name)


def test_what_it_says_stands_beside_the_analysis_and_nowhere_else(site: Site) -> None:
    allowed(site)
    study = study_of(site)
    site.set_mode("thin", Use.WORKLIST, Mode.TRIAGE, reason="it would raise")
    before = line(site)
    assert (before["answer"], before["near"]) == ("declined", True)

    def rows() -> list[tuple[Any, ...]]:
        return [(one.waiting, one.level, one.why, one.due) for one in site.worklist(who=HOUSE)]

    listed = rows()
    told = site.research(study, "thin", who=RITA)
    assert (told["answer"], told["findings"], told["version"]) == ("found", 1, "7")
    assert told["said"] == [f"{WORDS}; long axis 1.0 mm"], told["said"]
    assert any("0.5 to 1.5 mm" in one for one in told["unmet"]) and any("10 images" in one for one in told["unmet"])
    (kept,) = site.researched(study, who=RITA)
    assert (kept["by"], kept["on"], kept["said"]) == ("rita", ["series 1"], told["said"])
    assert line(site) == before, "the analysis did not look, and does not say that it did"
    assert site.results(study, who=HOUSE) == [] and rows() == listed
    version = site.open(study, who=ITO).version
    version = site.lock(study, version=version, nothing=True, who=ITO).version
    said = " ".join(one.text for one in site.report(study, who=ITO).sentences)
    assert "bleed" not in said and "bleed" not in str(site.comparison(study, who=ITO))
    site.sign(study, version=version, who=ITO)
    assert site.index.result_heads([study]).get(study, []) == [], "no result was ever made"
    assert "bleed" not in str(site.report(study, who=ITO)) and site.failures() == []


def test_nobody_asks_for_it_or_hears_of_it_before_their_own_opinion(site: Site) -> None:
    allowed(site)
    study = study_of(site)
    version = site.open(study, who=ITO).version  # the analysis that fits speaks after the reader here

    def heard() -> set[Kind]:
        return {one.event.kind for one in site.events(since=0, limit=100, who=ITO)}

    with pytest.raises(WrongState, match="own opinion comes first"):
        site.research(study, "thin", who=ITO)
    site.research(study, "thin", who=RITA)
    assert site.researched(study, who=ITO) == [] and Kind.RESEARCH_RUN not in heard()
    site.lock(study, version=version, nothing=True, who=ITO)
    assert len(site.researched(study, who=ITO)) == 1 and Kind.RESEARCH_RUN in heard()
    site.research(study, "thin", who=ITO)
    assert [one["by"] for one in site.researched(study, who=RITA)] == ["ito", "rita"]


def test_what_cannot_be_run_for_research_says_why(site: Site) -> None:
    study = study_of(site)
    with pytest.raises(Refused, match="may not be used for research"):  # nobody was asked
        site.researchable(study, "thin", who=RITA)
    allowed(site)
    with pytest.raises(Refused, match="it fits this study"):
        site.researchable(study, "thick", who=RITA)
    assert line(site, "other")["near"] is False
    with pytest.raises(Refused, match="no series of this study is of the kind"):
        site.researchable(study, "other", who=RITA)
    with pytest.raises(NotFound):
        site.researchable(study, "nonsense", who=RITA)
    with pytest.raises(Forbidden):
        site.researchable(study, "thin", who=Person("CT1", Role.SERVICE, "aet"))
    version = site.lock(study, version=site.open(study, who=ITO).version, nothing=True, who=ITO)
    assert version and site.researchable(study, "thin", who=ITO)
    site.set_mode("thin", Use.READING, Mode.SHADOW, reason="tried")
    with pytest.raises(Refused, match="in shadow here"):
        site.researchable(study, "thin", who=ITO)
    site.halting.stop("thin", reason="drift", who=LEE)
    with pytest.raises(Refused, match="stopped by lee"):
        site.researchable(study, "thin", who=RITA)


def test_whoever_asked_reads_why_it_did_not_come_about(site: Site) -> None:
    study = study_of(site)
    site.unresearched(study, "thin", "the patient's terms were withdrawn meanwhile", name="rita")
    (told,) = site.researched(study, who=RITA)
    assert (told["answer"], told["by"], told["findings"], told["on"]) == ("refused", "rita", 0, [])
    assert told["said"] == ["the patient's terms were withdrawn meanwhile"]
    begun = site.head()
    site.unresearched("1.2.3", "thin", "it is gone", name="rita")
    assert site.head() == begun, "nothing is told of a study that is not here"


def test_who_refuses_research_is_not_used_for_it(site: Site) -> None:
    allowed(site)
    patient = site.index.study(study_of(site)).patient
    site.consents.give({}, patient=patient.id, issuer=patient.issuer, refuses=[Purpose.RESEARCH], who=HOUSE)
    with pytest.raises(Refused, match="may not be used for research"):
        site.research(study_of(site), "thin", who=RITA)
    assert site.researched(study_of(site), who=RITA) == []
