"""The segmentation service over HTTP: bytes in pieces, progress, files out, and nothing left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_for_pages import Browser
from pydicom.data import get_testdata_file

from department_for_oversight import department
from isocenter.analysis.registry import Registry
from isocenter.catalogue.image_quality import ImageQuality
from isocenter.doors.pages import application
from isocenter.site.segmenting import Segmenting
from isocenter.site.verbs import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with department(tmp_path / "department", read=1) as (site, clock):
        (tmp_path / "guests").mkdir()
        registry = Registry({"image_quality": ImageQuality()}, {})
        site.guests = Segmenting(registry, clock, apart=False, base=tmp_path / "guests")
        yield site
        site.guests.close()


def browser(site: Site, name: str) -> Browser:
    app = application(site, demo=False, clock=site.clock)
    return Browser(app, bearer=site.sign_in_by_link(site.link(name), address="192.0.2.1"))


def test_from_a_file_to_its_results_and_to_nothing(site: Site, tmp_path: Path) -> None:
    ito, head = browser(site, "ito"), site.head() + 1  # one more: ito signs in
    counts = site.index.counts()["instances"]
    id = ito.post("/api/segment", {"analysis": "image_quality"}).json()["id"]
    image = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()
    told = ito.put(f"/api/segment/{id}/files?name=a/../b.dcm", content=image).json()
    assert (told["state"], told["files"], told["bytes"]) == ("taking", 1, len(image))
    assert ito.post(f"/api/segment/{id}/start").json()["state"] in ("waiting", "running", "done")
    site.guests._pool.submit(lambda: None).result(60)
    told = ito.get(f"/api/segment/{id}").json()
    assert (told["state"], [r["analysis"] for r in told["results"]]) == ("done", ["image_quality"])
    name = told["results"][0]["files"][0]["name"]
    answer = ito.get(f"/api/segment/{id}/files/{name}")
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert browser(site, "lee").get(f"/api/segment/{id}").status_code == 404
    assert ito.ask("DELETE", f"/api/segment/{id}").json() == {"removed": True}
    assert ito.get(f"/api/segment/{id}").status_code == 404
    assert list((tmp_path / "guests").rglob("*")) == []
    assert site.index.counts()["instances"] == counts, "nothing came into the archive"
    kinds = {s.event.kind.value for s in site.journal.since(head)}
    assert kinds <= {"SignedIn"}, "and nothing of it into the journal"


def test_what_is_not_asked_well_is_refused(site: Site) -> None:
    ito = browser(site, "ito")
    assert ito.post("/api/segment", {"analysis": "palm_reading"}).status_code == 404
    id = ito.post("/api/segment", {}).json()["id"]
    assert ito.post(f"/api/segment/{id}/start").status_code == 400
    assert ito.get(f"/api/segment/{id}/files/..%2f..%2fetc%2fpasswd").status_code in (400, 404)
    assert ito.get("/api/segment/xyz").status_code == 400
