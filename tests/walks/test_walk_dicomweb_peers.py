"""DICOMweb of a whole archive, with dicomweb-client and with random requests that keep to no rule."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from isocenter.app import open_house
from isocenter.doors.dicomweb import router
from isocenter.govern.policy import Person, Role
from isocenter.settings import Settings

pytestmark = pytest.mark.peer

_NAMES = (
    "CT_small.dcm",
    "MR_small_RLE.dcm",
    "rtplan.dcm",
    "image_dfl.dcm",
    "examples_ybr_color.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "liver_1frame.dcm",
)
PEER = Person("pacs", Role.SERVICE)  # sees also what a machine made, which a reader sees after their own opinion


@dataclass
class _Web:
    url: str
    samples: list[Dataset] = field(repr=False)
    client: httpx.Client


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Web]:
    """An archive on disk behind a real web server."""
    house = open_house(Settings(folder=tmp_path_factory.mktemp("web") / "archive"), server=True)
    app = FastAPI()
    app.include_router(router(house.site, lambda request: PEER), prefix="/dicom-web")
    held = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
    samples = [dcmread(Path(str(get_testdata_file(name, download=False)))) for name in _NAMES]
    url = f"http://127.0.0.1:{held.getsockname()[1]}/dicom-web"
    client = _client(url)
    client.store_instances(samples)
    with httpx.Client() as plain:
        yield _Web(url, samples, plain)
    server.should_exit = True
    thread.join(10)
    held.close()
    house.close()


def _client(url: str):  # type: ignore[no-untyped-def]
    web = pytest.importorskip("dicomweb_client", reason="dicomweb-client is not installed")
    return web.DICOMwebClient(url)


def _place(ds: Dataset) -> tuple[str, str, str]:
    return str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID)


def test_what_was_stored_is_found_at_every_level(web: _Web) -> None:
    client = _client(web.url)
    assert {d["0020000D"]["Value"][0] for d in client.search_for_studies()} == {d.StudyInstanceUID for d in web.samples}
    assert {d["0020000E"]["Value"][0] for d in client.search_for_series()} == {d.SeriesInstanceUID for d in web.samples}
    assert {d["00080018"]["Value"][0] for d in client.search_for_instances()} == {d.SOPInstanceUID for d in web.samples}
    ct = web.samples[0]
    for filters in ({"PatientID": "1CT1"}, {"PatientName": "CompressedSamples^CT*"}, {"StudyDate": "20040119"}):
        (row,) = client.search_for_studies(search_filters=filters)
        assert row["0020000D"]["Value"] == [ct.StudyInstanceUID]
    (row,) = client.search_for_series(ct.StudyInstanceUID)
    assert row["00080060"]["Value"] == ["CT"]
    (row,) = client.search_for_instances(ct.StudyInstanceUID, ct.SeriesInstanceUID)
    assert row["00080018"]["Value"] == [ct.SOPInstanceUID]


def test_pages_of_a_search_hold_each_study_once(web: _Web) -> None:
    client = _client(web.url)
    pages = [client.search_for_studies(limit=2, offset=n) for n in range(0, 8, 2)]
    uids = [row["0020000D"]["Value"][0] for page in pages for row in page]
    assert len(uids) == len(set(uids)) == len(_NAMES)


@pytest.mark.parametrize("name", _NAMES)
def test_what_was_stored_comes_back(web: _Web, name: str) -> None:
    client = _client(web.url)
    sample = web.samples[_NAMES.index(name)]
    got = client.retrieve_instance(*_place(sample))
    assert got.SOPInstanceUID == sample.SOPInstanceUID
    assert got.get("PixelData") == sample.get("PixelData")
    (whole,) = client.retrieve_study(sample.StudyInstanceUID)
    assert whole.SOPInstanceUID == sample.SOPInstanceUID
    metadata = Dataset.from_json(
        client.retrieve_instance_metadata(*_place(sample)),
        bulk_data_uri_handler=lambda tag, vr, uri: b"".join(client.retrieve_bulkdata(uri)),
    )
    assert metadata.get("PatientName") == sample.get("PatientName")
    assert metadata.get("Rows") == sample.get("Rows")
    if "PixelData" not in sample:
        return
    syntax = sample.file_meta.TransferSyntaxUID
    (first,) = client.retrieve_instance_frames(*_place(sample), [1], media_types=("application/octet-stream",))
    expected = sample.pixel_array
    expected = expected[0] if int(sample.get("NumberOfFrames", 1) or 1) > 1 else expected
    if sample.BitsAllocated == 1:
        expected = np.packbits(expected, axis=None, bitorder="little")
    if syntax.is_compressed and "YBR" in sample.PhotometricInterpretation:
        assert len(first) == expected.nbytes  # given as RGB
    else:
        assert first == expected.tobytes()
    png = client.retrieve_instance_rendered(*_place(sample), media_types=("image/png",))
    assert png[1:4] == b"PNG"


def test_the_bulk_data_of_a_ct_are_its_pixels(web: _Web) -> None:
    client = _client(web.url)
    uri = client.retrieve_instance_metadata(*_place(web.samples[0]))["7FE00010"]["BulkDataURI"]
    assert b"".join(client.retrieve_bulkdata(uri)) == web.samples[0].PixelData


def test_a_deformed_file_fails_alone(web: _Web) -> None:
    good, made = web.samples[0], BytesIO()
    good.save_as(made)
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + made.getvalue()
    body += b"\r\n--b\r\n\r\n" + made.getvalue()[:9000] + b"\r\n--b--"
    answer = httpx.post(
        f"{web.url}/studies",
        content=body,
        headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'},
    )
    assert answer.status_code == 202
    assert len(answer.json()["00081199"]["Value"]) == 1 and len(answer.json()["00081198"]["Value"]) == 1


_PIECES = st.one_of(
    st.sampled_from(
        ["studies", "series", "instances", "frames", "metadata", "rendered", "thumbnail", "bulkdata", "1.2.3"]
    ),
    st.text(min_size=1, max_size=12),
)
_ACCEPTS = st.one_of(
    st.sampled_from(["*/*", "application/dicom+json", "image/jpeg", 'multipart/related; type="application/dicom"']),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(str.strip),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(_PIECES, max_size=8),
    query=st.dictionaries(
        st.one_of(st.sampled_from(["limit", "offset", "PatientName", "StudyDate"]), st.text(max_size=10)),
        st.text(max_size=10),
        max_size=3,
    ),
    accept=_ACCEPTS,
    known=st.booleans(),
)
def test_no_request_makes_the_server_fail(
    web: _Web, pieces: list[str], query: dict[str, str], accept: str, known: bool
) -> None:
    """Whatever is asked, the answer is one of the standard's statuses, never 500 and never a stack trace."""
    study, series, instance = _place(web.samples[0])
    start = f"/studies/{study}/series/{series}/instances/{instance}/" if known else "/"
    path = start + "/".join(_quoted(p) for p in pieces)
    answer = web.client.get(web.url + path, params=query, headers={"Accept": accept})
    assert answer.status_code in {200, 304, 307, 400, 404, 405, 406}, (path, answer.status_code, answer.text[:300])
    assert "Traceback" not in answer.text


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
