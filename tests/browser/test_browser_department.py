"""What a department does around its images, in a real browser: an alert told, an order taken back by keys, an identity
undone, images out of use and back, a peer that does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from browser_eyes import Site, faults, shot, until
from own_archive import own_archive
from pydicom.data import get_testdata_file

from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record.order import read_order
from isocenter.site.verbs import Site as Archive

pytestmark = pytest.mark.browser
PARTS = ("alerts", "orders", "performed", "work", "messages", "peers", "rejected", "identities")
ADT = b"MSH|^~\\&|HIS|WARD|ISOCENTER||20261126081500||ADT^A08|C1|P|2.5\rEVN|A08\rPID|1||P1||PHANTOM^One||19600101|F\r"


def fill(archive: Archive) -> None:
    """A morning of the department."""
    orders = [
        {"patient": {"id": f"P{n}", "name": f"PHANTOM^{n}"}, "accession": f"A{n:03}", "modality": "CT",
         "procedure": "CT chest", "date": "2026-12-01", "time": f"{8 + n // 30:02}{2 * (n % 30):02}"}
        for n in range(103)
    ]  # fmt: skip
    archive.ordering.place([read_order(one) for one in orders], source="file", who=HOUSE)
    archive.messaging.hear(ADT, who=Person("HL7", Role.SERVICE))
    archive.messaging.hear(b"not a message", who=Person("HL7", Role.SERVICE))
    archive.add_peer("PACS", "127.0.0.1", 9, who=HOUSE)
    item = {"00741200": "HIGH", "00741204": "Outline", "00404005": "20261201080000", "00404041": "READY"}
    model = {tag: {"vr": "LO", "Value": [value]} for tag, value in item.items()}
    archive.working.create("1.2.3", model, who=HOUSE)
    rows = archive.find("STUDY", {}, who=HOUSE)
    gone, stays = ((row["PatientID"], row.get("IssuerOfPatientID") or "") for row in rows[:2])
    archive.identities.merge(gone, stays, reason="registered twice", who=HOUSE)
    archive.alerts.raise_(
        rows[1]["StudyInstanceUID"], "Free air", 1, identified=datetime(2026, 11, 1, 8, tzinfo=UTC), responsible="ito",
        who=HOUSE,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    files = [Path(str(get_testdata_file(name, download=False))) for name in ("CT_small.dcm", "MR_small.dcm")]
    folder = tmp_path_factory.mktemp("department")
    with own_archive(browser, folder, [file.read_bytes() for file in files], fill) as there:
        yield there


@pytest.mark.slow
def test_every_part_without_fault_in_both_themes_and_with_its_json(page: Any, axe: str) -> None:
    found = {}
    page.goto("/department")
    page.get_by_role("heading", name="Department").wait_for()
    for number, part in enumerate(PARTS, 1):
        page.keyboard.press(str(number))
        until(lambda part=part: page.evaluate("location.pathname") == f"/department/{part}")
        page.locator(".department :is(table, .state h2)").first.wait_for()
        until(lambda: page.locator("[aria-busy=true]").count() == 0)
        for theme in ("dark", "light"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            found[part, theme] = faults(page, axe)
            shot(page, f"department-{part}-{theme}")
        assert page.request.get(page.locator(".foot .json").get_attribute("href")).ok, part
    assert not any(found.values()), found


def test_an_order_is_found_and_taken_back_by_keys(page: Any) -> None:
    page.goto("/department/orders")
    page.get_by_text("1–100 of 103").wait_for()
    page.keyboard.press("]")
    page.get_by_text("101–103 of 103").wait_for()
    assert "offset=100" in page.url
    page.keyboard.press("/")
    page.keyboard.type("A042")
    page.keyboard.press("Enter")
    until(lambda: page.locator("tbody tr").count() == 1)
    page.keyboard.press("Escape")
    for key in ("j", "a"):
        page.keyboard.press(key)
    reason = page.locator("tbody input[name=reason]")
    until(lambda: reason.evaluate("field => field === document.activeElement"))
    page.keyboard.type("not needed any more")
    page.keyboard.press("Enter")
    page.locator("tbody").get_by_text("taken back").wait_for()


def test_an_alert_is_told_with_its_six_fields(page: Any) -> None:
    page.goto("/department/alerts")
    row = page.locator("tr", has_text="Free air")
    row.get_by_text("left").wait_for()
    row.get_by_text("Tell somebody").click()
    send = row.get_by_role("button", name="It was told")
    assert send.is_disabled()
    row.get_by_label("Told whom").fill("Dr Lee, ward 3")
    send.click()
    page.get_by_text("No alert is open").wait_for()
    page.get_by_label("Alerts").select_option("ended")
    page.get_by_text("Dr Lee, ward 3, telephone").wait_for()


@pytest.mark.slow
def test_images_out_of_use_and_back_and_two_people_again(page: Any, context: Any) -> None:
    context.expected.append("Failed to load resource")  # a peer that is not there
    row = page.request.get("/api/worklist").json()["rows"][0]
    page.goto(f"/department/rejected?study={row['study']}")
    page.keyboard.press("n")
    page.get_by_text("It is", exact=False).first.wait_for()
    page.get_by_label("In words").fill("wrong side marker")
    page.get_by_role("button", name="Take out of use").click()
    line = page.locator("tbody tr").first
    line.get_by_text("out of use").wait_for()
    line.get_by_text("Ask to erase it for good").click()
    line.locator("details[open] input").fill("kept for too long")
    line.get_by_role("button", name="Ask a second person").click()
    line.get_by_text("A second administrator erases it").wait_for()
    shot(page, "department-rejected-asked")
    line.get_by_text("Take it back", exact=True).first.click()
    line.locator("details[open] input").fill("it was right")
    line.get_by_role("button", name="Take it back").click()
    line.get_by_text("taken back by").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("8")
    page.locator("tbody summary", has_text="Undo").click()
    page.locator("tbody input[name=reason]").fill("two people")
    page.keyboard.press("Enter")
    page.locator("tbody").get_by_text("undone").wait_for()
    page.goto("/department/peers")
    page.get_by_role("button", name="C-ECHO").click()
    page.get_by_role("alert").wait_for()
