"""Films that readers mark in an archive, with no analysis at all, as pictures with boxes and with outlines."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from typer.testing import CliRunner

from department_for_oversight import MONDAY
from isocenter.app import open_house
from isocenter.cli import app
from isocenter.dicom.wrap import wrap_image
from isocenter.errors import NotFound, Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.learn.boxed import read_boxed
from isocenter.learn.kinds import Boxes, Masks
from isocenter.learn.outlined import pairs_in, read_case
from isocenter.learn.recipe_files import recipe_text
from isocenter.record import Kind
from isocenter.settings import Settings
from isocenter.site.marking import Drawn
from isocenter.site.outlining import Edit
from isocenter.site.verbs import Site

ITO = Person("ito", Role.READER)
MIDDLE = {"P1": (20, 14), "P2": (30, 20), "P3": (24, 18), "P4": (40, 10)}  # column and row
CARD = {"title": "T", "intended_use": "a test", "not_for": ["x"], "limits": ["y"], "source": "z", "licence": "none"}
SPOTS = Boxes("spots", ("nodule",), card=CARD)
FLAT = Masks("flat_spots", ("nodule",), spacing_mm=(1.0, 1.0), window=(64, 64), card=CARD)


def marked(site: Site, n: int, patient: str, x: int, y: int) -> None:
    """A film with a mark of its reader, signed."""
    held = io.BytesIO()
    Image.fromarray(np.random.default_rng(n).integers(0, 200, (40, 60), dtype=np.uint8)).save(held, "PNG")
    film = wrap_image(held.getvalue(), f"{n}.png", MONDAY, modality="DX", body_part="CHEST", patient_id=patient)
    site.receive([film], sender="DX1", who=HOUSE)
    (found,) = site.index.studies({"PatientID": patient})
    series = site.index.study(found.uid).series[0]
    on = series.uid, series.instances[0].sop_uid
    version = site.open(found.uid, who=ITO).version
    version = site.lock(found.uid, version=version, line="seen", who=ITO).version
    if patient == "P3":
        edit = Edit("brush", *on, points=np.array([[x, y]], float), radius=4.2, words="Nodule")
        version = site.segment(found.uid, edit, version=version, who=ITO).version
    else:
        places = [[x - 4, y], [x + 4, y], [x, y - 3], [x, y + 3]]
        kind = "length" if patient == "P4" else "ellipse"
        mark = Drawn(kind, np.array(places[: 2 if kind == "length" else 4], float), *on, words="Nodule")
        version = site.measure(found.uid, mark, version=version, who=ITO).version
    site.sign(found.uid, version=version, who=ITO)
    site.consents.give({"GRU": ()}, patient=patient, who=HOUSE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An ellipse of 8 by 6 pixels on P1 and P2, a brush on P3, and of P4 a length alone."""
    house = open_house(Settings(folder=tmp_path_factory.mktemp("marks") / "archive"), apart=False)
    for n, patient in enumerate(MIDDLE):
        marked(house.site, n, patient, *MIDDLE[patient])
    yield house.site
    house.close()


def film() -> bytes:
    """Ultrasound of four times in colour, of which number n is as bright as 40 n, with noise."""
    times = np.arange(4)[:, None, None, None] * 40 + np.random.default_rng(0).integers(0, 9, (4, 40, 60, 3))
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "2.25.31"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "2.25.32", "2.25.33", "US"
    ds.PatientID, ds.PatientName, ds.StudyDate, ds.StudyTime = "FILM", "PHANTOM^FILM", "20261101", "120000"
    ds.PatientBirthDate, ds.PatientSex, ds.SeriesNumber, ds.InstanceNumber = "", "", 1, 1
    ds.Rows, ds.Columns, ds.NumberOfFrames, ds.FrameTime = 40, 60, 4, 40
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = times.astype(np.uint8).tobytes()
    held = io.BytesIO()
    dcmwrite(held, ds, enforce_file_format=True)
    return held.getvalue()


def taken(site: Site, how: Boxes | Masks, folder: Path) -> dict[str, object]:
    folder.mkdir()
    (folder / "how.toml").write_text(recipe_text(how))
    return site.teaching.examples(how.task, folder / "set", who=HOUSE, task=str(folder / "how.toml"))


def test_marks_become_boxes(site: Site, tmp_path: Path) -> None:
    report: Any = taken(site, SPOTS, tmp_path / "boxes")
    assert report["by_mode"] == {"unaided": 3} and report["weight"] == 3.0
    assert report["left"] == {"'nodule' is in the report without an outline": 1}
    boxes = [one.boxes.tolist() for one in read_boxed(tmp_path / "boxes" / "set", SPOTS)[0]]
    assert boxes == [[[16.5, 11.5, 24.5, 17.5]], [[26.5, 17.5, 34.5, 23.5]], [[20, 14, 29, 23]]]


def test_a_film_teaches_by_the_frames_on_which_something_was_drawn(site: Site, tmp_path: Path) -> None:
    site.receive([film()], sender="US1", who=HOUSE)
    version = site.open("2.25.32", who=ITO).version
    version = site.lock("2.25.32", version=version, line="seen", who=ITO).version
    places = np.array([[16, 10], [24, 10], [20, 7], [20, 13]], float)
    mark = Drawn("ellipse", places, "2.25.33", "2.25.31", frame=3, words="Cyst")
    version = site.measure("2.25.32", mark, version=version, who=ITO).version
    edit = Edit("brush", "2.25.33", "2.25.31", frame=1, points=np.array([[20.0, 10.0]]), radius=2.2, words="Cyst")
    with pytest.raises(Refused, match="colour"):  # a brush paints on grey alone
        site.segment("2.25.32", edit, version=version, who=ITO)
    mark = Drawn("freehand", places[[0, 2, 1, 3]], "2.25.33", "2.25.31", frame=1, words="Cyst")
    version = site.measure("2.25.32", mark, version=version, who=ITO).version
    site.sign("2.25.32", version=version, who=ITO)
    site.consents.give({"GRU": ()}, patient="FILM", who=HOUSE)
    report: Any = taken(site, Boxes("cysts", ("cyst",), card=CARD), tmp_path / "film")
    assert (report["n"], report["people"], report["left"]) == (2, 1, {})
    read, _ = read_boxed(tmp_path / "film" / "set", Boxes("cysts", ("cyst",)))
    assert {round(float(one.picture.mean()) / 40) for one in read} == {1, 3} and len({one.whose for one in read}) == 1
    assert all(one.boxes.tolist() == [[16.5, 7.5, 24.5, 13.5]] for one in read)


def test_marks_become_outlines(site: Site, tmp_path: Path) -> None:
    assert taken(site, FLAT, tmp_path / "flat")["n"] == 3
    cases = [read_case(*pair, FLAT) for pair in pairs_in(tmp_path / "flat" / "set", flat=True)[0]]
    rows, columns = np.indices((40, 60))
    for case, (x, y) in zip(cases[:2], MIDDLE.values(), strict=False):
        wanted = ((columns - x) / 4) ** 2 + ((rows - y) / 3) ** 2 <= 1
        assert np.array_equal(case.labels == 1, wanted) and case.image.shape == (40, 60)
    x, y = MIDDLE["P3"]
    assert np.array_equal(cases[2].labels == 1, (columns - x) ** 2 + (rows - y) ** 2 <= 4.2**2)
    with pytest.raises(Refused, match=r"is called mass: outlined are .*Image Region: Nodule"):
        taken(site, Masks("mass", ("mass",), spacing_mm=(1.0, 1.0), window=(64, 64), card=CARD), tmp_path / "mass")
    with pytest.raises(NotFound, match="analysis 'nothing'"):
        site.teaching.examples("nothing", tmp_path / "no", who=HOUSE, task=str(tmp_path / "flat" / "how.toml"))


def test_a_frozen_cohort_teaches_boxes_as_they_were_signed(site: Site, tmp_path: Path) -> None:
    few = replace(SPOTS, shape=(48, 64), widths=(8, 12, 16, 16), neck=12, members=2, epochs=1, batch=2,
                  precision="float32")  # fmt: skip
    (tmp_path / "spots.toml").write_text(recipe_text(few))
    marked(site, 5, "P5", 26, 22)
    site.cohorts.freeze("films", "modality:DX", who=HOUSE)
    archive = str(site.database.url).removeprefix("sqlite:///").rsplit("/", 1)[0]
    command = ["train", str(tmp_path / "spots.toml"), "--data", "films", "--out", str(tmp_path / "model"),
               "--folder", archive]  # fmt: skip
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 0, found.exception
    told = json.loads((tmp_path / "model" / "model.json").read_text())
    assert len(told["card"]["learned_from"]) == 4 and told["card"]["readings"]["by_mode"] == {"unaided": 4}
    learnt = site.journal.since(kinds=(Kind.MODEL_TRAINED,), limit=1, newest_first=True)[0].event
    assert learnt.subject == "spots"
