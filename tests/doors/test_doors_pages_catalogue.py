"""Catalogue, models, explanation and the description of the interface."""

from __future__ import annotations

import json

import pytest
from browser_for_pages import Browser
from house_for_pages import CT, House

from isocenter.doors.pages import application
from isocenter.record import to_plain


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def reader(house: House) -> Browser:
    return Browser(application(house, demo=True, clock=lambda: house.now), bearer=house.token("reader"))


def test_catalogue_models_and_explanation(house: House, reader: Browser) -> None:
    assert reader.get("/api/analyses").json()["analyses"][0]["needs"] == ["any segmentation"]
    assert [m["name"] for m in reader.get("/api/models").json()["models"]] == ["chest_xray_opacity", "lung_nodule"]
    for name in ("lung_nodule", "d" * 64):
        assert [m["name"] for m in reader.get(f"/api/models?name={name}").json()["models"]] == ["lung_nodule"]
    assert reader.get("/api/models?name=nothing").json() == {"models": []}
    id = house.result_of(CT, "volumetry")
    assert reader.get(f"/api/explain/{id}").json()["result"] == json.loads(json.dumps(to_plain(house.kept[id])))


def test_the_interface_describes_itself(reader: Browser) -> None:
    told = reader.get("/api/openapi.json").json()
    assert "/api/readings/{uid}/correct" in told["paths"]
    assert "/api/openapi.json" not in told["paths"]
