"""A fresh archive as strangers and those without the right meet it: nothing is told, and the journal says who asked."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from isocenter.app import House, open_house
from isocenter.doors.dimse_scu import Peer, echo
from isocenter.errors import IsocenterError
from isocenter.govern.policy import HOUSE, Role
from isocenter.record import Event, Kind
from isocenter.settings import Settings

_CT = Path(str(get_testdata_file("CT_small.dcm", download=False)))
_PASSWORD = "nine slow rivers bend"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """As `isocenter serve` opens it where nothing was set but the folder."""
    held = open_house(Settings(folder=tmp_path_factory.mktemp("fresh") / "archive", port=0, dicom_port=0))
    (stored,) = held.site.receive([_CT.read_bytes()], sender="CT1", who=HOUSE)
    assert stored.status == "stored"
    held.start_listening()
    held.start_web()
    yield held
    held.close()


def _asked(house: House, path: str, *, who: str = "", method: str = "GET", body: bytes = b"{}") -> tuple[int, bytes]:
    headers = {"Authorization": "Basic " + b64encode(f"{who}:{_PASSWORD}".encode()).decode()} if who else {}
    headers |= {"Content-Type": "application/fhir+json" if "/fhir" in path else "application/dicom+json"}
    address = f"http://127.0.0.1:{house.web_port}{path}"
    request = urllib.request.Request(address, None if method == "GET" else body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read() + str(answer.headers).encode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read() + str(refused.headers).encode()


def _refusals(house: House) -> list[Event]:
    return [sealed.event for sealed in house.site.journal.since(kinds=(Kind.REFUSED,))]


def _anonymous() -> list[tuple[str, str]]:
    image = dcmread(_CT, stop_before_pixels=True)
    study = f"/dicom-web/studies/{image.StudyInstanceUID}"
    one = f"{study}/series/{image.SeriesInstanceUID}/instances/{image.SOPInstanceUID}"
    gets = [
        "/dicom-web/studies", "/dicom-web/series", "/dicom-web/instances?includefield=all", study, f"{study}/metadata",
        f"{study}/rendered", f"{study}/thumbnail", f"{study}/series", one, f"{one}/metadata", f"{one}/frames/1",
        f"{one}/rendered", f"{one}/frames/1/rendered", f"{one}/bulkdata/7FE00010", "/dicom-web/workitems",
        "/fhir/Patient", "/fhir/ImagingStudy", "/fhir/r5/Patient", "/fhir/r5/AuditEvent", "/fhir/DiagnosticReport",
        "/api/worklist", "/api/me", "/api/people", "/api/journal", "/api/openapi.json", "/", "/worklist", "/archive",
        f"/study/{image.StudyInstanceUID}", "/api/settings", "/..%2f..%2fetc/passwd",
    ]  # fmt: skip
    posts = ["/dicom-web/studies", "/fhir/ServiceRequest", "/dicom-web/workitems", "/api/sign-in"]
    return [("GET", path) for path in gets] + [("POST", path) for path in posts]


def test_a_fresh_archive_tells_strangers_nothing_and_listens_on_this_machine_alone(house: House) -> None:
    image = dcmread(_CT, stop_before_pixels=True)
    secrets = [str(image[word].value).encode() for word in ("PatientName", "PatientID", "AccessionNumber", "StudyDate")]
    secrets = [one for one in secrets if len(one) > 3]
    assert len(secrets) >= 2 and len(_anonymous()) >= 30
    for method, path in _anonymous():
        status, said = _asked(house, path, method=method)
        assert not any(one in said for one in secrets), (path, status)
        assert status in (401, 403, 404, 405, 422) or (
            method == "GET" and not path.startswith(("/dicom-web", "/fhir"))
        ), path
    for name in ("admin", "isocenter", "root", "reader"):  # no account is there before somebody made it
        assert not house.site.index.people() and _asked(house, "/dicom-web/studies", who=name)[0] in (401, 403)
    others = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in (one for one in others if not str(one).startswith("127.")):
        for port in (house.web_port, house.dicom_port):
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((str(address), port), timeout=2).close()


def test_refusals_by_every_door_of_programs_are_entries_and_a_flood_is_few(house: House) -> None:
    before = len(_refusals(house))
    for _ in range(40):
        assert _asked(house, "/dicom-web/instances")[0] == _asked(house, "/fhir/Patient")[0] == 401
        assert _asked(house, "/dicom-web/workitems")[0] == 401
    strangers = [one for one in _refusals(house) if one.who == ""]
    assert {one.details["why"].split(" to ")[0] for one in strangers} >= {"images are shown"} and len(strangers) == 3
    assert all(one.details["address"] == "127.0.0.1" for one in strangers)

    house.site.add_person("gray", Role.RESEARCHER, _PASSWORD, who=HOUSE)
    house.site.add_person("lee", Role.READER, _PASSWORD, who=HOUSE)
    for _ in range(5):
        assert _asked(house, "/dicom-web/workitems", who="gray")[0] == 403
        order = json.dumps({"resourceType": "ServiceRequest"}).encode()
        assert _asked(house, "/fhir/ServiceRequest", who="lee", method="POST", body=order)[0] in (400, 403, 422)
    by_name = {one.who: one.details["what"] for one in _refusals(house) if one.who in ("gray", "lee")}
    assert by_name["gray"] == "rule 'workitems' refuses the role 'researcher'"

    for _ in range(30):
        with pytest.raises(IsocenterError):
            echo(Peer("ISOCENTER", "127.0.0.1", house.dicom_port), calling="STRANGER")
    devices = [one for one in _refusals(house) if "STRANGER" in one.details["what"]]
    assert len(devices) == 1 and devices[0].who == HOUSE.name and devices[0].details["address"] == "127.0.0.1"
    assert len(_refusals(house)) - before < 10
