"""Study, results and overlays, as a browser gets them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from browser_for_pages import Browser
from house_for_pages import CT, CT_SERIES, DX, DX_SERIES, House

from isocenter.doors.pages import application


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def reader(house: House) -> Browser:
    return Browser(application(house, demo=True, clock=lambda: house.now), bearer=house.token("reader"))


# ---- study


def test_a_study_lists_its_series_with_images_in_scrolling_order(reader: Browser) -> None:
    told = reader.get(f"/api/studies/{CT}").json()
    assert told["reading"] == {
        "study": CT, "state": "waiting", "by": "", "version": 0, "assigned": "", "opened": None, "signed": None,
        "signed_by": "",
        "opinion": {"asked": False, "locked": None},
    }  # fmt: skip
    seg, ct = told["series"]
    assert (seg["viewable"], seg["images"]) == (False, 0)
    assert (ct["viewable"], ct["images"], ct["modality"], ct["frame_of_reference"]) == (True, 8, "CT", "1.2.3.1.9")
    assert [i["sop_uid"] for i in ct["instances"]] == [f"{CT_SERIES}.{k}" for k in range(8)]
    assert {i["frames"] for i in ct["instances"]} == {1}


def test_a_study_says_until_when_it_should_be_read_as_its_row_does(house: House, reader: Browser) -> None:
    rows = {row["study"]: row for row in reader.get("/api/worklist").json()["rows"]}
    for uid in (CT, DX):
        assert reader.get(f"/api/studies/{uid}").json()["due"] == {"level": rows[uid]["level"], "at": rows[uid]["due"]}
    device = Browser(application(house, demo=True, clock=lambda: house.now), bearer=house.token("service"))
    assert device.get(f"/api/studies/{CT}").json()["due"] is None, "who may not know of the reading"


def test_a_study_that_is_not_there(reader: Browser) -> None:
    answer = reader.get("/api/studies/9.9.9")
    assert answer.status_code == 404
    assert answer.json()["error"]["what"] == "no such study"


def test_a_device_sees_the_study_and_not_its_reading(house: House) -> None:
    device = Browser(application(house, demo=True, clock=lambda: house.now), bearer=house.token("service"))
    assert device.get(f"/api/studies/{CT}").json()["reading"] is None


def test_how_it_is_hung(reader: Browser) -> None:
    told = reader.get(f"/api/studies/{CT}/hang").json()
    assert (told["name"], told["series"][0]) == ("CT of the chest", CT_SERIES)
    assert [stage["layout"] for stage in told["stages"]] == ["1x1", "planes"]
    axial = told["stages"][1]["places"][1]
    assert (axial["series"], axial["plane"], axial["prior"]) == (CT_SERIES, "axial", False)
    assert {"words": "an earlier study of the region", "met": False} in told["rules"]
    assert told["window"] == {"name": "lung", "centre": -600, "width": 1500}
    assert len(told["presets"]) == 9


def test_a_prior_hangs_beside_the_study_on_the_side_that_the_site_chose(house: House, reader: Browser) -> None:
    ct = house.studies[CT]
    before = replace(
        ct, uid="1.2.3.7", date=date(2026, 4, 2), series=tuple(replace(s, uid=f"{s.uid}.7") for s in ct.series)
    )
    house.studies[before.uid] = before
    told = reader.get(f"/api/studies/{CT}/priors").json()
    assert told["withheld"] == 0
    (one,) = told["priors"]
    assert (one["study"], one["days"], one["region"], one["same_region"]) == ("1.2.3.7", 232, "chest", True)
    assert [p["prior"] for p in hung_with_prior(reader)] == [True, False]
    admin = Browser(application(house, demo=True, clock=lambda: house.now), bearer=house.token("admin"))
    changed = admin.put(
        "/api/settings/site",
        {"version": house.tickets.of(0), "settings": {"prior_side": "right"}, "reason": "as we read films"},
    )
    assert changed.status_code == 200, changed.text
    assert [p["prior"] for p in hung_with_prior(reader)] == [False, True]


def hung_with_prior(reader: Browser) -> list[dict[str, Any]]:
    stages = reader.get(f"/api/studies/{CT}/hang").json()["stages"]
    found: list[dict[str, Any]] = next(s["places"] for s in stages if s["name"] == "with prior")
    return found


def test_what_was_not_looked_at_and_why(reader: Browser) -> None:
    assert reader.get(f"/api/studies/{DX}/plan").json() == {
        "analyses": [
            {"analysis": "pet_uptake", "version": "1", "about": "Uptake", "answer": "declined", "reasons": ["no PET"]}
        ],
        "ahead": None,
        "research": [],
    }  # fmt: skip


# ---- results


def test_results_say_what_where_and_from_which_machine(house: House, reader: Browser) -> None:
    (told,) = reader.get(f"/api/studies/{CT}/results").json()["results"]
    assert told["id"] == house.result_of(CT, "volumetry")
    assert (told["analysis"], told["version"], told["answer"]) == ("volumetry", "1", "found")
    assert told["limits"] == ["not for patients"]
    (finding,) = told["findings"]
    assert finding["what"] == {"code": "52988006", "scheme": "SCT", "meaning": "Lesion"}
    assert finding["laterality"]["meaning"] == "Left"
    assert (finding["certainty"], finding["verdict"], finding["tracking"]) == (0.8, "undecided", "2.25.1")
    assert finding["measurements"][0]["value"] == 6.0
    assert finding["measurements"][0]["unit"] == "mm"
    where = finding["where"]
    assert where["instances"] == [f"{CT_SERIES}.{k}" for k in (3, 4, 5)]
    assert where["has_mask"] is True
    assert where["volume_ml"] == pytest.approx(3 * 4 * 6 * 5 / 1000)
    assert where["series_uid"] == CT_SERIES
    assert "bits" not in json.dumps(told), "no voxels in the list"


def test_a_declined_answer_comes_with_its_reasons(reader: Browser) -> None:
    results = reader.get(f"/api/studies/{DX}/results").json()["results"]
    declined = next(r for r in results if r["answer"] == "declined")
    assert declined["reasons"] == ["no PET"]
    found = next(r for r in results if r["answer"] == "found")
    assert found["model"] == "c" * 64
    assert found["maps"][0]["kind"] == "sensitivity"
    assert found["findings"][0]["where"]["instances"] == [f"{DX_SERIES}.1"]


def test_a_correction_still_names_the_analysis(house: House, reader: Browser) -> None:
    version = reader.post(f"/api/readings/{CT}/open").json()["version"]
    reader.post(f"/api/readings/{CT}/correct", {"version": version, "tracking": "2.25.1", "verdict": "kept"})
    (told,) = reader.get(f"/api/studies/{CT}/results").json()["results"]
    assert (told["analysis"], told["origin"]["kind"], told["origin"]["name"]) == ("volumetry", "person", "reader")
    assert told["findings"][0]["verdict"] == "kept"


def test_contours_on_the_image(house: House, reader: Browser) -> None:
    id = house.result_of(CT, "volumetry")
    told = reader.get(f"/api/results/{id}/contours/2.25.1?sop={CT_SERIES}.4").json()["contours"]
    c, r = np.array(told[0]).T
    assert (c.min(), c.max(), r.min(), r.max()) == (9.5, 15.5, 4.5, 8.5)
    assert reader.get(f"/api/results/{id}/contours/2.25.1?sop={CT_SERIES}.0").json() == {"contours": []}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/results/{id}/contours/2.25.77?sop=1.2", 404),
        ("/api/results/{id}/contours/2.25.1?sop=9.9", 404),
        ("/api/results/{id}/contours/2.25.1", 400),
        ("/api/results/{id}/contours/2.25.1?sop=../etc", 400),
        ("/api/results/{none}/contours/2.25.1?sop=1.2", 404),
        ("/api/results/{id}/contours/2.25.1?sop={dx}", 400),
    ],
)
def test_overlays_that_do_not_exist(house: House, reader: Browser, path: str, status: int) -> None:
    id = house.result_of(CT, "volumetry")
    answer = reader.get(
        path.replace("{id}", id).replace("{none}", "f" * 64).replace("{dx}", f"{DX_SERIES}.1"), follow_redirects=False
    )
    assert answer.status_code == status, answer.text
