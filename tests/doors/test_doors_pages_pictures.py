"""A series for the screen: its description, and its images many in one answer."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from browser_for_pages import Browser
from house_for_pages import CT, CT_SERIES, DX, DX_SERIES, House
from PIL import Image

from isocenter.doors import pages_pictures
from isocenter.doors.pages import application
from isocenter.doors.pages_pictures import HEAD
from isocenter.testing.phantoms.patient import Person, new, put_pixels, written


@pytest.fixture
def house() -> House:
    """The house, with files behind the images of its CT; the fourth is torn."""
    made = House()
    study = made.studies[CT]
    instances = []
    for instance in study.series[1].instances:
        number = instance.number or 0
        ds = new("house", Person("P", "N", "O", "19700101", 1.7, 70), seed=1, sop_class="1.2.840.10008.5.1.4.1.1.2",
                 modality="CT", study="s", series="t", at=datetime(2026, 3, 2))  # fmt: skip
        put_pixels(ds, np.full((20, 30), 1000 + number, np.uint16), bits=12)
        data = written(ds, number)
        made.files[instance.digest] = data[:500] if number == 4 else data
        facts = {**instance.facts, "RescaleSlope": 1, "RescaleIntercept": -1024, "BitsStored": 12, "BitsAllocated": 16}
        instances.append(replace(instance, facts=facts))
    made.studies[CT] = replace(study, series=(study.series[0], replace(study.series[1], instances=tuple(instances))))
    return made


@pytest.fixture
def reader(house: House) -> Browser:
    return Browser(application(house, demo=True, clock=lambda: house.now), bearer=house.token("reader"))


def images(body: bytes) -> list[tuple[int, Any]]:
    """(number, values or reason) as a browser takes them apart."""
    found: list[tuple[int, Any]] = []
    at = 0
    while at < len(body):
        size, number, rows, columns, kind, samples, reason, low, high = HEAD.unpack_from(body, at)
        at += HEAD.size
        if not size:
            found.append((number, body[at : at + reason].decode()))
            at += reason
            continue
        values = np.frombuffer(body, ("<u1", "<i2", "<u2", "<f4")[kind], size // (1, 2, 2, 4)[kind], at)
        values = values.reshape((rows, columns, samples) if samples > 1 else (rows, columns))
        assert (float(values.min()), float(values.max())) == (low, high)
        found.append((number, values))
        at += size
    return found


def test_what_a_series_is(reader: Browser) -> None:
    told = reader.get(f"/api/studies/{CT}/series/{CT_SERIES}/pictures").json()
    assert (told["modality"], told["count"], told["type"], told["unit"]) == ("CT", 8, "i2", "[hnsf'U]")
    assert told["sop"] == [f"{CT_SERIES}.{k}" for k in range(8)]
    assert (told["rows"], told["columns"], told["spacing_mm"]) == (20, 30, [1.0, 1.0])
    assert told["position"][3] == [-15.0, -10.0, 55.0]
    assert (told["no_volume"], told["phases"]) == ("", 1)


def test_a_slab_holds_many_images_and_names_one_that_cannot_be_read(reader: Browser) -> None:
    at = f"/api/studies/{CT}/series/{CT_SERIES}"
    tag = reader.get(f"{at}/pictures").json()["tag"]
    answer = reader.get(f"{at}/slab?tag={tag}&first=1&count=4")
    assert answer.headers["content-type"] == "application/octet-stream"
    found = images(answer.content)
    assert [number for number, _ in found] == [1, 2, 3, 4]
    assert [int(v[0, 0]) for _, v in found if not isinstance(v, str)] == [-22, -21, -19]
    assert isinstance(found[2][1], str)
    assert found[2][1]


def test_every_nth_image_and_no_more_than_there_are(reader: Browser) -> None:
    at = f"/api/studies/{CT}/series/{CT_SERIES}"
    tag = reader.get(f"{at}/pictures").json()["tag"]
    every = images(reader.get(f"{at}/slab?tag={tag}&first=1&count=100&step=3").content)
    assert [number for number, _ in every] == [1, 4, 7]
    assert images(reader.get(f"{at}/slab?tag={tag}&first=50&count=1").content) == []


def test_compressed_for_a_slow_line(reader: Browser) -> None:
    at = f"/api/studies/{CT}/series/{CT_SERIES}"
    tag = reader.get(f"{at}/pictures").json()["tag"]
    plain = reader.get(f"{at}/slab?tag={tag}&first=0&count=3")
    small = reader.get(f"{at}/slab?tag={tag}&first=0&count=3&small=true")
    assert small.headers["content-encoding"] == "gzip"
    assert small.content == plain.content  # the client has unpacked it


def test_gzip_is_what_the_standard_says() -> None:
    assert gzip.decompress(b"".join(pages_pictures._gzip(iter((b"abc", b"", b"def"))))) == b"abcdef"


def test_too_much_at_once(reader: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    at = f"/api/studies/{CT}/series/{CT_SERIES}"
    tag = reader.get(f"{at}/pictures").json()["tag"]
    monkeypatch.setattr(pages_pictures, "_LARGEST", 5000)
    answer = reader.get(f"{at}/slab?tag={tag}&first=0&count=8")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (413, "LimitReached")
    assert reader.get(f"{at}/slab?tag={tag}&first=0&count=4").status_code == 200


def test_a_range_means_the_images_that_the_browser_knows(reader: Browser) -> None:
    answer = reader.get(f"/api/studies/{CT}/series/{CT_SERIES}/slab?tag={'0' * 32}&first=0&count=1")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "Conflict")


def test_a_series_that_is_not_there_and_one_whose_file_is_gone(reader: Browser) -> None:
    assert reader.get(f"/api/studies/{CT}/series/9.9/pictures").status_code == 404
    assert reader.get(f"/api/studies/{DX}/series/{DX_SERIES}/pictures").status_code == 404


def test_who_may_not_retrieve_images_gets_none(house: House) -> None:
    patient = Browser(application(house, demo=True, clock=lambda: house.now), bearer=house.token("patient"))
    at = f"/api/studies/{CT}/series/{CT_SERIES}"
    assert patient.get(f"{at}/pictures").status_code == 403
    assert patient.get(f"{at}/slab?tag={'0' * 32}&first=0&count=1").status_code == 403


def test_a_plane_is_cut_on_the_server(reader: Browser) -> None:
    at = f"/api/studies/{CT}/series/{CT_SERIES}/plane.png"
    where = "origin=-15,-10,45&right=1,0,0&down=0,1,0&width=30&height=20&low=600&high=1200"
    answer = reader.get(f"{at}?{where}")
    assert answer.headers["content-type"] == "image/png"
    grey = np.asarray(Image.open(BytesIO(answer.content)), float)
    wanted = np.clip((np.arange(600, 1200).reshape(20, 30) - 600) / 600, 0, 1) * 255
    assert grey == pytest.approx(wanted, abs=0.51)
    crooked = reader.get(f"{at}?{where.replace('-15,-10,45', '1.2.3,4,5')}")
    assert crooked.status_code == 400
