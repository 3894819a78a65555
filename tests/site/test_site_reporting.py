"""A report on a real archive: by its template, with a person's words, the same on screen as in the sealed bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.errors import Conflict, NotFound, Refused
from isocenter.forms import pdf
from isocenter.govern.consent import DEMONSTRATION
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.consultation import View
from isocenter.reading.session import Correction
from isocenter.record import Measurement, Verdict, codes
from isocenter.settings import Settings
from isocenter.site.verbs import Site

ITO, LEE, GRAY = (Person(name, Role.READER) for name in ("ito", "lee", "gray"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    house.site.receive([file.read_bytes()], sender="test", who=HOUSE)
    yield house.site
    house.close()


def test_every_number_behind_a_report_is_a_row(site: Site) -> None:
    study = site.studies(who=HOUSE)[0].uid
    version = site.open(study, who=ITO).version
    stone = Correction(Verdict.ADDED, "", words="A stone.", measurements=(Measurement(codes.LONG_AXIS, 4.0, "mm"),))
    version = site.correct(study, stone, version=version, who=ITO).version
    scar = site.correct(study, Correction(Verdict.ADDED, "", words="A scar."), version=version, who=ITO)
    rows = list(csv.DictReader(io.StringIO(site.report_table(study, who=ITO).decode())))
    assert [(r["study_uid"], r["measure"], r["value"], r["unit"]) for r in rows if r["value"]] == [
        (study, "Long axis", "4.0", "mm")
    ]
    assert len(rows) == 2
    tracking = next(f.tracking for _, r in site.results(study, who=ITO) for f in r.findings if f.words == "A scar.")
    site.correct(study, Correction(Verdict.STRUCK, tracking), version=scar.version, who=ITO)
    assert site.report_table(study, who=ITO).count(b"\r\n") == 2, "what was struck is not in the report"


@pytest.mark.parametrize("asked", [True, False])
def test_print_says_whose_words_were_read_before_the_first_opinion(
    site: Site, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, printed = site.studies(who=HOUSE)[0].uid, []
    if asked:  # while somebody else has it open, whoever is asked reads the words
        mine = site.open(study, who=LEE)
        site.reviews.remark(View(study), "Is this a stone?", who=LEE)
        assert site.reviews.remarks(study, who=ITO)
        site.lapse(study, version=mine.version, who=LEE)
    version = site.lock(study, version=site.open(study, who=ITO).version, nothing=True, who=ITO).version
    site.reviews.remark(View(study), "I agree.", who=GRAY)  # afterwards: nobody had read it before
    site.sign(study, version=version, who=ITO)
    lines = site.known_since(study, site.report(study, who=ITO), who=ITO)
    assert (
        lines
        == ["Before that opinion, ito had read what was said of the study by lee: it is no opinion given alone."]
        * asked
    )
    led: list[str] = []
    monkeypatch.setattr(pdf, "report", lambda *_, how, address, **__: printed.extend(how) or led.append(address) or b"")
    site.report_pdf(study, who=ITO)
    site.public_address = "https://here.example"
    site.report_pdf(study, who=ITO)
    assert led == ["", f"https://here.example/study/{study}"], "without an address that others know it leads nowhere"
    assert [line for line in printed if "had read" in line] == 2 * lines


def test_only_what_the_demonstration_brought_is_printed_as_its_own(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[bool] = []
    monkeypatch.setattr(pdf, "report", lambda *_, demonstration, **__: said.append(demonstration) or b"")
    study = site.studies(who=HOUSE)[0].uid
    site.report_pdf(study, who=ITO)
    phantom = Path(str(get_testdata_file("MR_small.dcm", download=False))).read_bytes()
    site.receive([phantom], sender=DEMONSTRATION, who=HOUSE)
    site.report_pdf(next(s.uid for s in site.studies(who=HOUSE) if s.uid != study), who=ITO)
    assert said == [False, True]


def test_a_signed_report_keeps_the_template_that_was_chosen(site: Site) -> None:
    study = site.studies(who=HOUSE)[0].uid
    version = site.open(study, who=ITO).version
    version = site.lock(study, version=version, nothing=True, who=ITO).version
    first = site.report(study, who=ITO)
    assert first.template == "general"
    reading = site.use_template(study, "ct_abdomen", version=version, who=ITO)
    with pytest.raises(Conflict):
        site.use_template(study, "ct_chest", version=version, who=ITO)
    with pytest.raises(NotFound):
        site.use_template(study, "haiku", version=reading.version, who=ITO)
    reading = site.word(
        study, "own", "Stone of 4 mm.", section="Findings", heading="Kidneys, adrenals and bladder",
        version=reading.version, who=ITO,
    )  # fmt: skip
    with pytest.raises(Refused, match="no such finding is on this study"):
        site.word(study, "own", "Stone.", findings=["2.25.404"], version=reading.version, who=ITO)
    site.sign(study, version=reading.version, who=ITO)
    sealed = site.report(study, who=ITO)
    assert (sealed.state, sealed.template, sealed.template_version) == ("final", "ct_abdomen", "2")
    assert next(s.heading for s in sealed.sentences if s.id == "own") == "Kidneys, adrenals and bladder"
    assert site.report_pdf(study, who=ITO).startswith(b"%PDF")
    site.open(study, who=ITO)
    assert site.report(study, who=ITO).template == "ct_abdomen", "an amendment goes on with it"
