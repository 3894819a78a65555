"""The segments of a study as a scene: what a person may see, and nothing that was struck."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from browser_for_pages import Browser
from house_for_pages import CT, DX, House

from isocenter.doors.pages import application
from isocenter.record import Origin, Series, codes


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def reader(house: House) -> Browser:
    return Browser(application(house, demo=False, clock=lambda: house.now), bearer=house.token("reader"))


def test_a_lesion_at_true_scale(reader: Browser) -> None:
    parts = reader.get(f"/api/studies/{CT}/surfaces").json()["parts"]
    assert [(p["node"], p["volume_ml"]) for p in parts] == [("part1", pytest.approx(3 * 4 * 6 * 5 / 1000))]
    answer = reader.get(f"/api/studies/{CT}/surfaces.glb")
    assert answer.headers["content-type"] == "model/gltf-binary"
    size = trimesh.load(io.BytesIO(answer.content), file_type="glb").extents
    assert size == pytest.approx([0.006, 0.015, 0.004], abs=1e-5)  # 6 columns, 3 slices of 5 mm, 4 rows


def test_nothing_to_show_is_told(reader: Browser) -> None:
    assert reader.get(f"/api/studies/{DX}/surfaces").status_code == 404
    assert reader.get("/api/studies/9.9/surfaces.glb").status_code == 404
    reader.post(f"/api/readings/{CT}/open")
    version = reader.get(f"/api/readings/{CT}").json()["version"]
    struck = {"version": version, "tracking": "2.25.1", "verdict": "struck"}
    assert reader.post(f"/api/readings/{CT}/correct", struck).status_code == 200
    assert reader.get(f"/api/studies/{CT}/surfaces").status_code == 404


def test_what_two_analyses_outlined_is_one_surface(house: House, reader: Browser) -> None:
    """The same lesion on CT and on PET stood twice in the scene, one inside the other."""
    first = next(r for r in house.kept.values() if r.study_uid == CT and any(f.where for f in r.findings))
    finding = next(f for f in first.findings if f.where)
    region = finding.where
    assert region is not None and region.mask is not None
    less, far = region.mask.copy(), np.roll(region.mask, 6, axis=0)
    less[tuple(np.argwhere(less)[0])] = False
    again = [
        replace(finding, where=replace(region, mask=mask), tracking=f"2.25.9{n}") for n, mask in enumerate((less, far))
    ]
    other = replace(first, origin=Origin("machine", "pet_uptake", "1"), findings=tuple(again))
    house.kept[other.id] = other
    parts = reader.get(f"/api/studies/{CT}/surfaces").json()["parts"]
    assert [(p["by"], [o["by"] for o in p["also"]]) for p in parts] == [
        ("volumetry", ["PET uptake"]),
        ("PET uptake", []),
    ]


def test_a_surface_is_what_its_segment_is_and_not_what_measured_it(house: House, reader: Browser) -> None:
    """Radiomics draws nothing: the surfaces of an RTSTRUCT stood there as its own."""
    first = next(r for r in house.kept.values() if r.study_uid == CT and any(f.where for f in r.findings))
    finding = next(f for f in first.findings if f.where)
    region = finding.where
    assert region is not None and region.mask is not None
    study = house.studies[CT]
    drawn = Series("2.25.77", "RTSTRUCT", number=4)
    house.studies[CT] = replace(study, series=(*study.series, drawn))
    measured = replace(
        finding, what=codes.STRUCTURE, site=None, laterality=None, where=replace(region, label="Kidney_L")
    )
    house.kept.pop(first.id)
    for name in ("radiomics", "volumetry"):
        receipt = replace(first.receipt, series=("2.25.77",))
        made = replace(first, origin=Origin("machine", name, "1"), findings=(measured,), receipt=receipt)
        house.kept[made.id] = made
    (part,) = reader.get(f"/api/studies/{CT}/surfaces").json()["parts"]
    assert (part["name"], part["side"], part["by"]) == ("Kidney_L", "L", "RTSTRUCT #4")
