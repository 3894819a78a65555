"""What a link lets its holder do, to whom it shows whom, who holds it, and consent that is asked for; by keys alone."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pydicom
import pytest
from browser_eyes import Site, faults, lit, shot, until
from own_archive import own_archive

from isocenter.govern.policy import HOUSE
from isocenter.site.verbs import Site as Archive
from isocenter.testing.phantoms import balls

pytestmark = [pytest.mark.browser, pytest.mark.slow]

JAR, OTHER = balls.patient(seed=3), balls.patient(seed=4)
STUDIES = [JAR.truth["study_uid"], OTHER.truth["study_uid"]]
SURNAME, NUMBER, PRIVATE = "Kanarienvogel", "CANARY-774411", "GEHEIMFELD"


def planted(files: list[bytes], accession: str) -> list[bytes]:
    """The same images of somebody whose name and number are nobody's, with a private attribute."""
    made = []
    for number, data in enumerate(files):
        ds = pydicom.dcmread(BytesIO(data))
        ds.PatientName, ds.PatientID, ds.PatientBirthDate = f"{SURNAME}^Quintessa", NUMBER, "19610917"
        ds.AccessionNumber, ds.BodyPartExamined = accession, "CHEST"
        ds.private_block(0x0099, "OWN HOUSE", create=True).add_new(1, "LO", PRIVATE)
        if number == 0:
            ds.BurnedInAnnotation = "YES"
        out = BytesIO()
        ds.save_as(out)
        made.append(out.getvalue())
    return made


def taught(archive: Archive) -> None:
    """A model has learned from the first study."""
    archive.consents.give({"GRU": ()}, study=STUDIES[0], who=HOUSE, source="form 7")
    archive.consents.taught(
        "lung_nodule", "1.4", STUDIES[:1], who=HOUSE, use=archive.consents.use("training", who=HOUSE)
    )


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    files = [*planted(JAR.files, "A-100"), *planted(OTHER.files, "A-200")]
    with own_archive(browser, tmp_path_factory.mktemp("terms"), files, taught) as there:
        yield there


FOCUS = """() => {
  const one = document.activeElement;
  const words = one.getAttribute('aria-label') || one.labels?.[0]?.innerText || one.innerText || one.name || '';
  return `${one.tagName} ${words}`.replaceAll('\\n', ' ');
}"""


def tab_to(page: Any, words: str, most: int = 80) -> None:
    """Go by Tab alone until what has the focus is called so."""
    seen = []
    for _ in range(most):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(FOCUS)[:60])
        if words in seen[-1]:
            return
    raise AssertionError(f"{words!r} is not reached by Tab: {seen}")


def type_into(page: Any, label: str, words: str) -> None:
    tab_to(page, label)
    page.keyboard.press("Control+a")
    page.keyboard.type(words)


def test_two_studies_leave_without_their_person_to_whoever_was_confirmed(
    page: Any, browser: Any, site: Site, axe: str
) -> None:
    page.goto("/sharing")
    page.get_by_role("heading", name="Nothing is shared").wait_for()
    for accession in ("A-100", "A-200"):
        if accession == "A-200":
            until(lambda: page.evaluate(FOCUS).startswith("INPUT For whom"))
            page.keyboard.press("Shift+Tab")  # out of the field, where letters are written
        page.keyboard.press("s")
        page.get_by_role("dialog").wait_for()
        page.keyboard.type(accession)
        until(lambda: page.get_by_role("dialog").get_by_label("Study").input_value().startswith("2.25."))
        page.keyboard.press("Enter")
        page.get_by_role("dialog").wait_for(state="detached")
    page.get_by_role("heading", name="Share 2 studies").wait_for()
    until(lambda: page.evaluate(FOCUS).startswith("INPUT For whom"))
    page.keyboard.type("Dr Okafor, Lagos")
    tab_to(page, "measure on the page")
    page.keyboard.press("Space")
    tab_to(page, "pseudonym")
    page.keyboard.press("Space")
    tab_to(page, "confirm who they are")
    page.keyboard.press("Space")
    seen = page.get_by_role("list", name="What they will see and what not")
    until(lambda: "under the pseudonym" in seen.inner_text(), 90)
    said = seen.inner_text()
    assert "name, number, birth date, accession number" in said and "1 private tag" in said, said
    assert "2 images stay here" in said and "burned into its pixels" in said, said
    assert "Fewer than five people of these are alike" in said, said
    type_into(page, "Why a link may show fewer than five people", "second opinion asked for")
    assert not faults(page, axe)
    shot(page, "sharing-terms-give")
    pseudonym = seen.locator("code").first.inner_text()

    tab_to(page, "See what they will see")
    page.keyboard.press("Enter")
    page.locator(".corner.tr").wait_for()
    until(lambda: lit(page) > 0.02)
    words = [page.locator(one).inner_text() for one in (".bar.patient", ".thumbnails", ".tools")]
    assert pseudonym in words[0] and SURNAME not in page.content() and NUMBER not in page.content()
    shot(page, "sharing-terms-preview")
    tab_to(page, "Back to sharing")
    page.keyboard.press("Enter")
    until(lambda: page.evaluate(FOCUS).startswith("INPUT For whom"))
    tab_to(page, "Give the link")
    page.keyboard.press("Enter")
    link, code = page.locator("code.secret").inner_text(), page.locator("code.code").inner_text()
    shot(page, "sharing-terms-given")

    stranger = browser.new_context(viewport={"width": 1280, "height": 800})
    bodies: list[str] = []
    theirs = stranger.new_page()
    theirs.on(
        "response",
        lambda answer: bodies.append(answer.text()) if "json" in answer.headers.get("content-type", "") else None,
    )
    theirs.goto(link)
    theirs.get_by_role("heading", name="Who are you?").wait_for()
    type_into(theirs, "Name and house", "Ada Okafor, Lagos")
    type_into(theirs, "Code", code)
    assert not faults(theirs, axe)
    shot(theirs, "sharing-terms-who")
    theirs.keyboard.press("Enter")
    theirs.get_by_role("heading", name="Check of identity pending").wait_for()
    shot(theirs, "sharing-terms-pending")

    tab_to(page, "Done")
    page.keyboard.press("Enter")
    page.get_by_text("Ada Okafor, Lagos").first.wait_for()
    assert not faults(page, axe)
    shot(page, "sharing-terms-judge")
    page.keyboard.press("a")
    dialog = page.get_by_role("dialog", name="Confirm that Ada Okafor")
    dialog.wait_for()
    page.keyboard.type("her voice")
    page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    theirs.locator(".corner.tr").wait_for()  # without a reload
    until(lambda: lit(theirs) > 0.02)
    until(lambda: [theirs.locator(one).inner_text() for one in (".bar.patient", ".thumbnails", ".tools")] == words)
    theirs.keyboard.press("d")
    for _ in range(4):
        theirs.keyboard.press("Shift+ArrowLeft")
    theirs.keyboard.press("Enter")
    for _ in range(8):
        theirs.keyboard.press("Shift+ArrowRight")
    theirs.keyboard.press("Enter")
    until(lambda: "mm" in (theirs.locator("[data-mark=length] text").text_content() or ""))
    shot(theirs, "sharing-terms-measured")
    theirs.keyboard.press("Escape")
    first = theirs.locator(".thumbnails [aria-pressed=true]").first.inner_text()
    theirs.keyboard.press(".")
    until(lambda: theirs.locator(".thumbnails [aria-pressed=true]").first.inner_text() != first or len(STUDIES) == 2)
    until(lambda: lit(theirs) > 0.02)
    assert not theirs.get_by_role("button", name="Download").count()
    headers = {"X-Isocenter-Link": link.partition("#")[2], "X-Isocenter-Code": code}
    refused = theirs.request.get(f"{site.address}/api/shared/files", headers=headers)
    assert refused.status == 403 and "rule 'shared.download'" in refused.text()
    told = "".join(bodies)
    assert bodies and not any(
        canary in told for canary in (SURNAME, NUMBER, PRIVATE, "19610917", "1961-09-17", *STUDIES)
    )

    row = page.get_by_role("row", name="Dr Okafor")
    until(lambda: "opened 1 time" in row.inner_text())
    assert "models trained with it: lung_nodule 1.4" in row.inner_text() and "Ada Okafor" in row.inner_text()
    page.keyboard.press("v")
    page.get_by_text("The link shows this and nothing else").wait_for()
    page.locator(".corner.tr").wait_for()
    tab_to(page, "Back to sharing")
    page.keyboard.press("Enter")
    row.wait_for()
    shot(page, "sharing-terms-list")
    page.keyboard.press("Backspace")
    page.get_by_role("dialog").wait_for()
    page.keyboard.type("read")
    page.keyboard.press("Enter")
    theirs.get_by_role("heading", name="This link opens nothing").wait_for()
    stranger.close()


def test_a_link_out_of_the_site_s_own_region_is_asked_why_by_keys(
    page: Any, context: Any, site: Site, axe: str
) -> None:
    context.expected.append("400")  # terms that refuse
    page.goto("/settings/site")
    page.get_by_label("Own region").wait_for()
    page.get_by_label("Own region").focus()
    page.keyboard.type("DE, FR")
    tab_to(page, "Reason, kept in the journal")
    page.keyboard.type("rule of the hospital")
    assert not faults(page, axe)
    shot(page, "settings-region")
    try:
        page.keyboard.press("Enter")
        page.get_by_text("rule of the hospital").wait_for()
        page.goto(f"/sharing?study={STUDIES[1]}")
        until(lambda: page.evaluate(FOCUS).startswith("INPUT For whom"))
        page.keyboard.type("Dr Okafor")
        type_into(page, "Institution", "University of Lagos")
        # Whatever is drawn anew meanwhile, such as what an answer changes, leaves what is being typed.
        page.locator("form.give input[type=checkbox]:enabled").first.evaluate("one => one.click()")
        page.locator("form.give input[type=checkbox]:enabled").first.evaluate("one => one.click()")
        assert page.get_by_label("Institution").input_value() == "University of Lagos"
        type_into(page, "Country", "xx")
        assert "no country" in page.get_by_label("Country").locator("..").inner_text()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.validity.customError"), "what is no country gives no link"
        page.keyboard.press("Control+a")
        page.keyboard.type("fr")
        assert not page.get_by_label("Why it may leave this site's own region").count()
        page.keyboard.press("Control+a")
        page.keyboard.type("ng")
        page.get_by_text("Nigeria is outside this site's own region (DE, FR)").wait_for()
        page.keyboard.press("Enter")
        why = page.get_by_label("Why it may leave this site's own region")
        until(lambda: page.evaluate(FOCUS).startswith("INPUT Why it may leave"))
        page.keyboard.type("the patient has moved")
        assert not faults(page, axe)
        shot(page, "sharing-region")
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        shot(page, "sharing-region-390")
        page.set_viewport_size({"width": 1280, "height": 800})
        why.press("Enter")
        page.locator("code.secret").wait_for()
        row = page.get_by_role("row", name="Dr Okafor").filter(has_text="University of Lagos, NG")
        row.get_by_text("outside the region: the patient has moved").wait_for()
        page.goto("/sharing/ledger")
        page.get_by_text("Dr Okafor, University of Lagos, NG").wait_for()
    finally:
        page.goto("/settings/site")
        page.get_by_label("Own region").fill("")
        page.get_by_label("Reason, kept in the journal").nth(0).fill("a test ends")
        page.get_by_label("Reason, kept in the journal").nth(0).press("Enter")
        page.get_by_text("a test ends").first.wait_for()


def test_consent_is_asked_for_and_granted_by_keys(page: Any, context: Any, site: Site, axe: str) -> None:
    context.expected.append("400")  # terms that refuse
    page.goto(f"/sharing?study={STUDIES[1]}")
    until(lambda: page.evaluate(FOCUS).startswith("INPUT For whom"))
    page.keyboard.type("Dr Okafor, Lagos")
    tab_to(page, "For what")
    page.keyboard.press("ArrowDown")
    page.get_by_text("Terms of use for research of another house: refused").wait_for()
    tab_to(page, "Ask patient", 120)
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="Ask the patient for consent").wait_for()
    shot(page, "sharing-terms-ask")
    page.keyboard.press("Enter")
    page.get_by_text("asked the patient: it waits under Consent").wait_for()
    page.goto("/sharing/consent")
    asked = page.get_by_role("region", name="Consent that is asked for")
    until(lambda: "pending" in asked.inner_text() and "Dr Okafor" in asked.inner_text())
    assert not faults(page, axe)
    shot(page, "sharing-terms-asked")
    tab_to(page, "Granted")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.type("form 8, 2026-11-27")
    page.keyboard.press("Enter")
    until(lambda: "granted" in asked.inner_text())
    until(lambda: "form 8" in page.locator("main").inner_text())
    shot(page, "sharing-terms-granted")


def test_the_ledgers_say_what_was_expected_and_what_is_missing(page: Any, site: Site) -> None:
    origin = {"Origin": site.address}
    given = page.request.post("/api/links", data={"studies": STUDIES, "may": ["download"]}, headers=origin).json()
    held = {"X-Isocenter-Link": given["link"].partition("#")[2], **origin}
    counts = {"study": STUDIES[0], "expected": 3, "stored": 2, "there": 0, "rejected": 0, "missing": 1}
    assert page.request.post("/api/shared/taken", data=counts, headers=held).ok
    page.goto("/sharing")
    page.get_by_text("3 expected = 2 stored + 1 missing").wait_for()
    page.keyboard.press("3")
    left = page.get_by_role("row", name="taken by another archive")
    left.wait_for()
    assert "3 expected = 2 stored + 1 missing" in left.inner_text()
    shot(page, "sharing-terms-ledger")
