"""Two films in one series, graded each by itself: the picture that is written is the one that the grade is of."""

from __future__ import annotations

import io
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
from isocenter.record import Finding, Measurement, Origin, Outcome, Receipt, Result, Verdict
from isocenter.settings import Settings

OF = "thyroid_nodule"
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


def test_a_grade_stays_with_the_film_that_it_is_of(tmp_path: Path) -> None:
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    site, ito = house.site, Person("ito", Role.READER)
    study, series = generate_uid(), generate_uid()
    for number, level in enumerate((2, 4), 1):
        site.receive([film(level, number, study, series)], sender="DX1", who=HOUSE)
    films = sorted(site.index.study(study).series[0].instances, key=lambda one: int(one.number or 0))
    for one, level in zip(films, (2, 4), strict=True):
        nodule = Finding(NODULE, measurements=(Measurement(LEVEL, level, "1"),), tracking=f"2.25.{level}")
        said = Result(study, Outcome.FOUND, Origin("machine", OF, "8"), MONDAY, findings=(nodule,),
                      receipt=Receipt(inputs=(one.digest,), series=(series,)))  # fmt: skip
        keep(site, said, "isocenter", MONDAY)
    version = site.open(study, who=ito).version
    version = site.lock(study, version=version, nothing=True, who=ito).version
    for level in (2, 4):
        held = next(d for d, r in site.results(study, who=ito) if r.findings[0].tracking == f"2.25.{level}")
        site.seen(study, [{"result": held, "tracking": f"2.25.{level}"}], who=ito)
        answer = Correction(Verdict.KEPT, f"2.25.{level}")
        version = site.correct(study, answer, version=version, who=ito).version
    site.sign(study, version=version, who=ito)
    site.consents.give({"GRU": ()}, patient="P1", who=HOUSE)
    (tmp_path / "films.toml").write_text(RECIPE)
    report = site.teaching.examples(OF, tmp_path / "set", who=HOUSE, task=str(tmp_path / "films.toml"))
    assert (report["n"], report["people"], report["by_class"]) == (2, 1, {"TR2": 1, "TR4": 1})
    for name, across in (("TR2", True), ("TR4", False)):
        (file,) = (tmp_path / "set" / name).iterdir()
        seen = np.asarray(Image.open(file))
        assert bool((seen == seen[:, :1]).all()) is across, f"{name} has the film of the other"
    with pytest.raises(Refused, match="not here any more"):
        site.teaching.reports.image(site.index.study(study), OF, image="1.2.3")
    house.close()
