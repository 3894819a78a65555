"""From an empty archive to the first study; and one patient through time."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from browser_eyes import faults, shot, until
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from conftest import BUILT
from isocenter.app import House, open_house
from isocenter.doors import dicomweb, pages, pages_who
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import HOUSE
from isocenter.record import Event, Finding, Kind, Measurement, Origin, Outcome, Result, Verdict, canonical, codes
from isocenter.settings import Settings

pytestmark = pytest.mark.browser


@contextmanager
def serving(folder: Path) -> Iterator[tuple[House, str]]:
    """An empty archive behind a server, and its address."""
    house = open_house(Settings(folder=folder / "archive"), apart=False)
    house.first_person()
    app = pages.application(
        house.site, demo=False, clock=house.site.clock, dicomweb_router=dicomweb.router(house.site, pages_who.person_of)
    )
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([held],), daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield house, f"http://127.0.0.1:{held.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        held.close()
        house.close()


def of(day: str, description: str, time: str = "120000", modality: str = "CT", patient: str = "") -> bytes:
    """A study of one image of the same patient, or under another number."""
    image = dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    image.StudyDate, image.StudyTime, image.StudyDescription = day, time, description
    image.Modality, image.PatientBirthDate, image.PatientID = modality, "19600101", patient or image.PatientID
    image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID = (generate_uid() for _ in range(3))
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    out = io.BytesIO()
    image.save_as(out)
    return out.getvalue()


@pytest.mark.slow
def test_an_empty_archive_leads_to_its_first_study_and_a_patient_has_a_past(
    browser: Any, axe: str, tmp_path: Path
) -> None:
    if not BUILT.is_file():
        pytest.skip("the pages are not built; run python hatch_build.py")
    with serving(tmp_path) as (house, address):
        page = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(20_000)
        page.goto(f"/sign-in?token={house.site.link('admin')}")
        page.get_by_role("heading", name="The archive is empty").wait_for()
        analyses = page.request.get("/api/modes").json()["analyses"]
        assert {one["modes"]["worklist"] for one in analyses} == {"shadow"}
        page.get_by_text(f"{len(analyses)} analyses found, all in shadow.").wait_for()
        page.get_by_text("While you read: all unaided-first").wait_for()
        shot(page, "first-run")
        assert faults(page, axe) == []
        first = {"name": "a.dcm", "mimeType": "application/dicom", "buffer": of("20240301", "CT chest, first")}
        crooked = {"name": "b.dcm", "mimeType": "application/dicom", "buffer": b"no image at all"}
        page.get_by_label("Files").set_input_files([first, crooked])
        row = page.get_by_role("table", name="Studies to read").get_by_text("CT chest, first")
        row.wait_for()

        stored = house.site.receive([of("20250301", "CT chest, later")], sender="CT", who=HOUSE)
        assert [one.status for one in stored] == ["stored"]
        studies = {s.description: s for s in house.site.studies(who=HOUSE)}
        early, late = studies["CT chest, first"], studies["CT chest, later"]
        for kind, details in ((Kind.READING_OPENED, {"by": "admin"}), (Kind.REPORT_SIGNED, {"report": "0"})):
            house.site.journal.append(Event(kind, house.site.clock(), "admin", early.uid, details))
        for study, size_mm in ((early, 18.0), (late, 24.0)):
            size = (Measurement(codes.LONG_AXIS, size_mm, "mm"),)
            lesion = Finding(codes.LESION, measurements=size, tracking="2.25.7", verdict=Verdict.ADDED)
            said = Result(study.uid, Outcome.FOUND, Origin("person", "admin"), house.site.clock(), findings=(lesion,))
            digest = house.site.blobs.put(canonical(said))
            house.site.journal.append(
                Event(Kind.RESULT_MADE, house.site.clock(), "admin", study.uid, {"result": digest})
            )
        page.goto(f"/patients/{late.uid}")
        lane = page.locator(".lane").filter(has=page.get_by_role("heading", name="Imaging"))
        lane.locator("li").first.wait_for()
        told = [line for line in lane.locator("li").all_inner_texts() if "CT chest" in line]
        assert ["2024-03-01" in told[0], "2025-03-01" in told[1]] == [True, True], "the oldest first, by its own date"
        row = page.get_by_role("group", name="Lesions through the studies").get_by_role("row", name="Lesion").last
        assert [text in row.inner_text() for text in ("18", "24", "+33.3")] == [True] * 3, row.inner_text()
        page.get_by_text("report signed").first.wait_for()
        assert early.patient.id not in page.url and early.patient.name.split("^")[0] not in page.url
        lane = page.get_by_role("region", name="Treatment")
        assert "No plan, dose or record of radiotherapy is held" in lane.inner_text()
        lane.locator("summary").press("Enter")
        assert not lane.get_by_text("No plan, dose or record").is_visible(), "a lane can be folded"
        lane.locator("summary").press("Enter")
        assert "No terms of use are recorded" in page.get_by_role("region", name="Consent").inner_text()
        shot(page, "timeline")
        assert faults(page, axe) == []
        page.keyboard.press("w")
        page.wait_for_url(f"**/study/{late.uid}/why")
        page.go_back()
        page.get_by_role("group", name="Lesions through the studies").wait_for()

        plan = of("20250401", "Plan of the chest", modality="RTPLAN")
        again = of("20250402", "Registered twice", patient="Z-2")
        assert [one.status for one in house.site.receive([plan, again], sender="TPS", who=HOUSE)] == ["stored"] * 2
        whose = {"patient": early.patient.id, "issuer": early.patient.issuer}
        house.site.consents.give({}, **whose, refuses=[Purpose.TRAINING], source="form 7", who=HOUSE)
        page.reload()
        page.get_by_role("region", name="Consent").get_by_text("refuses training of models").wait_for()
        assert "by form 7" in page.get_by_role("region", name="Consent").inner_text()
        planned = lane.locator("li").all_inner_texts()
        assert len(planned) == 1 and "2025-04-01" in planned[0] and "radiotherapy planned" in planned[0], planned
        other = page.get_by_role("region", name="Perhaps the same person")
        assert "Z-2" in other.inner_text() and "born 1960-01-01, too" in other.inner_text()
        dots = page.locator("svg.strip circle")
        assert dots.count() == 3
        page.keyboard.press("+")
        page.keyboard.press("+")
        until(lambda: page.evaluate("document.querySelectorAll('svg.strip circle').length === 2"))
        shot(page, "timeline-near")
        for _ in range(2):
            page.keyboard.press("-")
        until(lambda: page.evaluate("document.querySelectorAll('svg.strip circle').length === 3"))
        page.evaluate("window.print = () => { window.printed = document.querySelector('main').innerText; }")
        page.keyboard.press("p")
        until(lambda: page.evaluate("(window.printed ?? '').includes('Everything, oldest first')"))
        page.emulate_media(media="print")
        assert not page.get_by_role("link", name="All patients").is_visible(), "on paper nothing is to be pressed"
        ink = "getComputedStyle(document.querySelector('main h2')).color.match(/[0-9]+/g).slice(0, 3).map(Number)"
        until(lambda: page.evaluate(f"Math.max(...{ink}) < 80"))
        shot(page, "timeline-printed")
        page.emulate_media(media="screen")
        page.get_by_role("region", name="Everything, oldest first").wait_for()
        lines = ["".join(line.split()) for line in page.locator("main li").all_inner_texts()]
        for words in ("18mm", "24mm", "radiotherapyplanned", "refusestrainingofmodels", "reportsigned"):
            assert sum(words in line for line in lines) == 1, (words, lines)
        shot(page, "timeline-list")
        assert faults(page, axe) == []

        page.keyboard.press("l")
        house.site.fetching.ways = pacs = Pacs(house.site)
        house.site.add_peer("PACS", "127.0.0.1", 104, who=HOUSE)
        page.keyboard.press("e")
        lane = page.get_by_role("region", name="Held elsewhere")
        lane.get_by_text("PACS answered.").wait_for()
        held, doubted = lane.locator("li").all_inner_texts()
        assert "2020-01-02" in held and "CT of 2020" in held and "Fetch" in held
        assert "perhaps another person" in doubted and "Fetch" not in doubted
        shot(page, "timeline-elsewhere")
        assert faults(page, axe) == []
        lane.get_by_role("button", name="Fetch the study of 2020-01-02 from PACS").press("Enter")
        lane.get_by_text("Fetching 3 of 8").wait_for()
        pacs.go.set()
        page.get_by_role("region", name="Imaging").get_by_text("CT of 2020").wait_for()
        lane.get_by_text("8 objects came").wait_for()
        page.context.close()


class Pacs:
    """Another system with two studies under the number of the patient; it sends one when it is let go."""

    def __init__(self, site: Any) -> None:
        self.site, self.go = site, threading.Event()

    def find(self, peer: Any, keys: Any) -> list[dict[str, str]]:
        told = {"PatientID": keys["PatientID"], "StudyDescription": "CT of 2020", "StudyDate": "20200102",
                "ModalitiesInStudy": "CT", "NumberOfStudyRelatedInstances": "8"}  # fmt: skip
        rows = [{**told, "StudyInstanceUID": "2.25.1"}, {**told, "StudyInstanceUID": "2.25.2",
                "StudyDate": "20210102", "PatientBirthDate": "19590101"}]  # fmt: skip
        return [row for row in rows if keys["StudyInstanceUID"] in ("", row["StudyInstanceUID"])]

    def move(self, peer: Any, study_uid: str, told: Any) -> tuple[int, int, str]:
        told(3, 8)
        assert self.go.wait(30)
        self.site.receive([of("20200102", "CT of 2020")], sender="PACS", who=HOUSE)
        return 8, 0, ""


@pytest.mark.slow
def test_a_past_across_a_clock_change_is_the_same_in_three_time_zones(browser: Any, tmp_path: Path) -> None:
    """A study has the date of its scanner, what was done here has UTC: neither moves with whoever looks."""
    days = [("20260328", "233000"), ("20260329", "003000"), ("20261024", "235900"), ("20261025", "023000")]
    with serving(tmp_path) as (house, address):
        files = [of(day, f"CT {n}", time) for n, (day, time) in enumerate(days)]
        assert {s.status for s in house.site.receive(files[::-1], sender="CT", who=HOUSE)} == {"stored"}
        studies = {s.description: s for s in house.site.studies(who=HOUSE)}
        signed = ["2026-03-29T00:59:00+00:00", "2026-03-29T01:01:00+00:00", "2026-10-24T23:59:00+00:00",
                  "2026-10-25T01:01:00+00:00"]  # fmt: skip
        for n, time in enumerate(signed):
            uid, when = studies[f"CT {n}"].uid, datetime.fromisoformat(time)
            for kind, details in ((Kind.READING_OPENED, {"by": "admin"}), (Kind.REPORT_SIGNED, {"report": "0"})):
                house.site.journal.append(Event(kind, when, "admin", uid, details))
        told = {}
        for zone in ("Europe/Berlin", "America/New_York", "Pacific/Auckland"):
            page = browser.new_context(base_url=address, timezone_id=zone).new_page()
            page.set_default_timeout(20_000)
            page.goto(f"/sign-in?token={house.site.link('admin')}")
            page.goto(f"/patients/{studies['CT 0'].uid}")
            lanes = page.locator("main .lane")
            page.get_by_text("report signed").first.wait_for()
            told[zone] = lanes.all_inner_texts()
            imaging = next(text for text in told[zone] if text.upper().startswith("IMAGING"))
            places = [imaging.index(f"CT {n}") for n in range(4)]
            assert places == sorted(places)
            assert [f"{day[:4]}-{day[4:6]}-{day[6:]}" in imaging for day, _ in days] == [True] * 4
            for time in signed:
                assert f"{time[:10]} {time[11:16]} UTC" in " ".join(told[zone]), (zone, time)
            page.context.close()
        assert len({tuple(text) for text in told.values()}) == 1, "it is the same past wherever one looks from"


@pytest.mark.slow
def test_two_studies_of_a_past_stand_side_by_side_and_never_those_of_two_people(browser: Any, tmp_path: Path) -> None:
    other = dcmread(io.BytesIO(of("20240501", "CT of another")))
    other.PatientID, other.PatientName = "ANOTHER-1", "Quxley^Another"
    strange = io.BytesIO()
    other.save_as(strange)
    with serving(tmp_path) as (house, address):
        files = [of("20240301", "CT first"), of("20240401", "CT second"), of("20250301", "CT last"), strange.getvalue()]
        assert {s.status for s in house.site.receive(files, sender="CT", who=HOUSE)} == {"stored"}
        uids = {s.description: s.uid for s in house.site.studies(who=HOUSE)}
        page = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(20_000)
        page.goto(f"/sign-in?token={house.site.link('admin')}")
        page.goto(f"/patients/{uids['CT first']}")
        page.get_by_role("button", name="Compare").wait_for()
        page.keyboard.press("c")
        page.get_by_text("2024-03-01 beside which other?").wait_for()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("c")
        until(lambda: page.evaluate("location.href").endswith(f"/study/{uids['CT last']}?beside={uids['CT first']}"))
        beside = page.locator(".earlier[aria-pressed=true]")
        beside.filter(has_text="2024-03-01").wait_for()
        page.get_by_text("−365 d").first.wait_for()
        shot(page, "compared")
        page.goto(f"/study/{uids['CT last']}?beside={uids['CT of another']}")
        page.locator(".earlier").first.wait_for()
        page.wait_for_timeout(500)  # nothing is to come
        assert beside.filter(has_text="2024-05-01").count() == 0 and "another" not in page.locator("body").inner_text()
        page.context.close()


@pytest.mark.slow
def test_two_hundred_crooked_files_end_in_a_ledger_that_adds_up(browser: Any, tmp_path: Path) -> None:
    if not BUILT.is_file():
        pytest.skip("the pages are not built; run python hatch_build.py")
    good = of("20240301", "CT chest")
    crooked = [b"", b"no image at all", good[:-200], good[:140], b"\0" * 128 + b"DICM", b"%PDF-1.7"]
    crooked.append(good[:128] + b"DICX" + good[132:])
    with serving(tmp_path) as (house, address):
        page = browser.new_context(base_url=address).new_page()
        page.set_default_timeout(60_000)
        page.goto(f"/sign-in?token={house.site.link('admin')}")
        page.get_by_role("heading", name="The archive is empty").wait_for()

        def drop(many: list[bytes]) -> None:
            kind = "application/dicom"
            files = [{"name": f"{n}.dcm", "mimeType": kind, "buffer": data} for n, data in enumerate(many)]
            page.get_by_label("Files").set_input_files(files)

        drop([crooked[n % len(crooked)] for n in range(200)])
        page.get_by_text("200 files expected = 0 stored + 200 rejected", exact=True).wait_for()
        page.get_by_text("What was rejected, and why").click()
        reasons = page.locator("details.whole li")
        told = reasons.all_inner_texts()
        assert len(told) == 200 and sorted(one.split()[0] for one in told) == sorted(f"{n}.dcm" for n in range(200))
        assert all(one.endswith(".") for one in told), "each with its file and the whole reason, what to do included"
        shot(page, "first-run-ledger")
        drop([*(of("20240302", f"CT {n}") for n in range(5)), *crooked])
        page.get_by_role("table", name="Studies to read").locator("tbody tr").first.wait_for()
        whole = f"{5 + len(crooked)} files expected = 5 stored + {len(crooked)} rejected"
        page.get_by_text(whole, exact=True).wait_for()  # the ledger outlives the page on which it began
        page.get_by_text("What was rejected, and why").click()
        page.locator(".brought li").first.wait_for()
        page.get_by_role("button", name="Seen").click()
        page.get_by_text(whole, exact=True).wait_for(state="detached")
        page.goto("/sharing/ledger")
        row = page.get_by_role("table").first.locator("tbody tr").first

        def ledger() -> list[int]:
            """Stored, there before, set aside and rejected: the cells after day, sender and studies."""
            page.reload()
            row.wait_for()
            return [int(text) for text in row.locator("th, td").all_inner_texts()[3:7]]

        until(lambda: sum(ledger()) == 200 + 5 + len(crooked), 60)
        assert ledger() == [5, 0, 0, 200 + len(crooked)]
        assert house.site.counts(who=HOUSE)["studies"] == 5
        shot(page, "ledger-crooked")
        page.context.close()
