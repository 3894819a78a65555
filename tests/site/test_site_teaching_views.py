"""Two films of one study, told each by itself: the picture that is written is the one that something was said of."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import generate_uid

from department_for_oversight import MONDAY, keep
from isocenter.app import open_house
from isocenter.catalogue.thyroid_nodule import LEVEL, NODULE
from isocenter.dicom.wrap import wrap_image
from isocenter.errors import Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.session import Correction
from isocenter.record import Finding, Kind, Measurement, Origin, Outcome, Receipt, Result, Verdict, codes
from isocenter.settings import Settings
from isocenter.site.verbs import Site
from isocenter.space import Geometry, Reference, Region

OF, ITO = "thyroid_nodule", Person("ito", Role.READER)
RECIPE = """
kind = "classes"
task = "films"
classes = ["TR2", "TR4"]
shape = [16, 16]
[read_from]
measurement = "ACR TI-RADS level"
[card]
title = "Films"
intended_use = "Show that a grade stays with its film."
not_for = ["patients"]
limits = ["made"]
source = "made"
licence = "CC0"
"""


def film(level: int, number: int, study: str, series: str) -> bytes:
    """Bars that lie across at level 2 and stand at level 4."""
    grey = np.zeros((16, 16), np.uint8)
    grey[:: 2 if level == 2 else 1, :: 1 if level == 2 else 2] = 200
    held = io.BytesIO()
    Image.fromarray(grey).save(held, "PNG")
    ds = dcmread(io.BytesIO(wrap_image(held.getvalue(), "a.png", MONDAY, modality="DX", patient_id="P1")))
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = study, series, number
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def across(file: Path) -> bool:
    """Whether the bars of a picture lie across."""
    seen = np.asarray(Image.open(file))
    return bool((seen == seen[:, :1]).all())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    yield house.site
    house.close()


def signed(site: Site, study: str, *added: Correction) -> None:
    """Every finding kept, others added, and the report signed."""
    version = site.open(study, who=ITO).version
    version = site.lock(study, version=version, nothing=True, who=ITO).version
    for tracking in [f.tracking for _, r in site.results(study, who=ITO) for f in r.findings]:
        held = next(d for d, r in site.results(study, who=ITO) if any(f.tracking == tracking for f in r.findings))
        site.seen(study, [{"result": held, "tracking": tracking}], who=ITO)
        version = site.correct(study, Correction(Verdict.KEPT, tracking), version=version, who=ITO).version
    for one in added:
        version = site.correct(study, one, version=version, who=ITO).version
    site.sign(study, version=version, who=ITO)
    site.consents.give({"GRU": ()}, patient="P1", who=HOUSE)


def says(site: Site, study: str, of: str, receipt: Receipt, *findings: Finding) -> None:
    outcome = Outcome.FOUND if findings else Outcome.NONE
    keep(site, Result(study, outcome, Origin("machine", of, "8"), MONDAY, findings=findings, receipt=receipt),
         "isocenter", MONDAY)  # fmt: skip


def test_a_grade_stays_with_the_film_that_it_is_of(site: Site, tmp_path: Path) -> None:
    study, series = generate_uid(), generate_uid()
    for number, level in enumerate((2, 4), 1):
        site.receive([film(level, number, study, series)], sender="DX1", who=HOUSE)
    films = sorted(site.index.study(study).series[0].instances, key=lambda one: int(one.number or 0))
    for one, level in zip(films, (2, 4), strict=True):
        nodule = Finding(NODULE, measurements=(Measurement(LEVEL, level, "1"),), tracking=f"2.25.{level}")
        says(site, study, OF, Receipt(inputs=(one.digest,), series=(series,)), nodule)
    signed(site, study)
    (tmp_path / "films.toml").write_text(RECIPE)
    report = site.teaching.examples(OF, tmp_path / "set", who=HOUSE, task=str(tmp_path / "films.toml"))
    assert (report["n"], report["people"], report["by_class"]) == (2, 1, {"TR2": 1, "TR4": 1})
    for name, lies in (("TR2", True), ("TR4", False)):
        (file,) = (tmp_path / "set" / name).iterdir()
        assert across(file) is lies, f"{name} has the film of the other"
    with pytest.raises(Refused, match="not here any more"):
        site.teaching.reports.image(site.index.study(study), OF, image="1.2.3")


def test_what_a_reader_marked_on_one_film_is_not_said_of_the_other(site: Site, tmp_path: Path) -> None:
    study, of = "1.2.826.77", "chest_xray_opacity"
    for number, level in enumerate((2, 4), 1):
        site.receive([film(level, number, study, f"{study}.{number}")], sender="DX1", who=HOUSE)
        says(site, study, of, Receipt(series=(f"{study}.{number}",)))
    grid = Geometry.regular(shape=(1, 16, 16), spacing_mm=(1.0, 1.0, 1.0), reference=Reference.PIXEL)
    where = Region(grid, mask=np.ones((1, 16, 16), bool), series_uid=f"{study}.2")
    signed(site, study, Correction(Verdict.ADDED, "", what=codes.OPACITY, where=where))
    calls = site.journal.since(kinds=(Kind.REPORT_SIGNED,), subject=study)[0].event.details["calls"]
    assert [(c["image"][-1], c["final"]) for c in calls if c["analysis"] == of] == [("1", False), ("2", True)]
    (tmp_path / "films.toml").write_text(RECIPE.replace('"TR2", "TR4"', '"clear", "Opacity"').split("[read_from]")[0]
                                         + "[card]" + RECIPE.split("[card]")[1])  # fmt: skip
    site.teaching.examples(of, tmp_path / "set", who=HOUSE, task=str(tmp_path / "films.toml"))
    for name, lies in (("clear", True), ("Opacity", False)):
        (file,) = (tmp_path / "set" / name).iterdir()
        assert across(file) is lies, f"{name} has the film of the other"
