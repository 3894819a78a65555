"""The printed report says whose it is, whether it is a draft, and lets no text act."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from forms_samples import SERIES_UID, WHEN, Archive, ball, found

from isocenter.errors import Refused
from isocenter.forms import maps, pdf, text
from isocenter.forms.map_pictures import map_pictures
from isocenter.forms.plot import bars
from isocenter.forms.text import Sentence
from isocenter.record import Map, Measurement, Origin, Outcome, Patient, Result, Verdict, codes
from isocenter.space import Geometry, Volume

SEAL = pdf.Seal("Ito Aiko", WHEN, "ab" * 32)


def unpacked(data: bytes) -> bytes:
    """The document with its compressed streams opened."""
    parts = [data]
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
        try:
            parts.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return b"\n".join(parts)


def shown(
    archive: Archive,
    results: Sequence[Result] = (),
    *,
    sentences: Sequence[Sentence] | None = None,
    seal: pdf.Seal | None = None,
) -> dict[str, Any]:
    """What reaches the page: the data that the template is given."""
    results = results or [found(ball(Geometry.regular(shape=(6, 16, 18))))]
    told = text.draft(archive[0], results) if sentences is None else sentences
    return pdf._content(archive[0], told, text.latest(results), seal, ())


def _said(data: dict[str, Any]) -> list[dict[str, Any]]:
    return [s for section in data["sections"] for part in section["parts"] for s in part["sentences"]]


def test_headings_of_the_template_are_printed_and_what_has_none_is_called_other(archive: Archive) -> None:
    told = [
        Sentence("a", "Findings", "A nodule.", False, (), "Lungs and airways"),
        Sentence("b", "Findings", "A remark.", False),
        Sentence("c", "Impression", "A nodule.", False),
    ]
    data = shown(archive, sentences=told)
    assert [(s["name"], [p["heading"] for p in s["parts"]]) for s in data["sections"]] == [
        ("Impression", [""]), ("Findings", ["Lungs and airways", "Other"]),
    ]  # fmt: skip
    assert pdf.report(archive[0], told, [], when=WHEN).startswith(b"%PDF")


def test_it_is_a_pdf_for_archives(archive: Archive, axial: Geometry) -> None:
    results = [found(ball(axial))]
    data = pdf.report(archive[0], text.draft(archive[0], results), results, when=WHEN)
    assert data.startswith(b"%PDF-1.7")
    opened = unpacked(data)
    assert re.search(rb"pdfaid:part[>=\"]+2", opened) and re.search(rb"pdfaid:conformance[>=\"]+B", opened)
    assert b"/JavaScript" not in opened and b"/Launch" not in opened and b"/EmbeddedFile" not in opened


def test_the_same_report_is_the_same_bytes(archive: Archive, axial: Geometry) -> None:
    results = [found(ball(axial))]
    made = [pdf.report(archive[0], text.draft(archive[0], results), results, when=WHEN) for _ in range(2)]
    assert made[0] == made[1]


def test_a_draft_is_a_draft_until_it_is_sealed(archive: Archive) -> None:
    draft = shown(archive)
    assert draft["draft"] and draft["state"] == "DRAFT"
    assert any(s["machine"] for s in _said(draft))
    signed = shown(archive, seal=SEAL)
    assert not signed["draft"] and signed["state"].startswith("Signed by Ito Aiko, 2026-11-20 09:30")
    assert not any(s["machine"] for s in _said(signed))
    amended = shown(archive, seal=replace(SEAL, amends="cd" * 32))
    assert amended["state"].startswith("Amended and signed by") and "cd" * 32 in amended["closing"][-1]


def test_draft_and_signed_look_different(archive: Archive) -> None:
    pictures = [pdf.report(archive[0], [], [], when=WHEN, seal=seal, form="png") for seal in (None, SEAL)]
    assert all(p.startswith(b"\x89PNG") for p in pictures) and pictures[0] != pictures[1]


def test_a_report_of_the_demonstration_says_so(archive: Archive) -> None:
    pictures = [
        pdf.report(archive[0], [], [], when=WHEN, seal=SEAL, form="png", demonstration=demo) for demo in (False, True)
    ]
    assert pictures[0] != pictures[1], "nobody takes a signed report of a phantom for a patient's"


def test_identity_and_statement_stand_on_every_page(archive: Archive) -> None:
    data = shown(archive)
    assert data["foot"].startswith("Müller, Jörg · P1 · A1")
    assert "not for diagnosis" in data["statement"]
    assert ["Patient", "Müller, Jörg"] in data["identity"]


def test_sentences_carry_the_numbers_of_their_findings(archive: Archive) -> None:
    data = shown(archive)
    (findings,) = (s for s in data["sections"] if s["name"] == "Findings")
    assert findings["parts"][0]["sentences"][0]["refs"] == [1]
    assert data["seen"] == [["[1]", "Lesion, left lung", "series 1, slice 3 of 6, segment ball"]]
    assert data["measurements"][0][:3] == ["[1]", "Lesion, left lung: ball", "Volume"]
    assert data["sections"][0]["name"] == "Impression"


def test_numbers_of_one_name_are_told_apart_by_their_definition(archive: Archive, axial: Geometry) -> None:
    result = found(ball(axial))
    numbers = tuple(Measurement(codes.VOLUME, v, "mL", definition=d) for v, d in ((1.0, "voxels"), (0.9, "surface")))
    named = replace(result, findings=(replace(result.findings[0], measurements=numbers),))
    assert [row[2] for row in shown(archive, [named])["measurements"]] == ["Volume (voxels)", "Volume (surface)"]


def test_a_number_that_a_person_kept_is_still_the_machine_s(archive: Archive, axial: Geometry) -> None:
    one = found(ball(axial))
    numbers = (Measurement(codes.VOLUME, 8.5, "mL"),)
    kept, changed = (
        replace(one.findings[0], tracking=f"2.25.{n}", measurements=numbers, verdict=verdict)
        for n, verdict in enumerate((Verdict.KEPT, Verdict.CHANGED))
    )
    of = {"of": {"analysis": "volumetry", "version": "1", "model": ""}}
    answered = replace(
        one, origin=Origin("person", "ito", parameters=of), findings=(kept, changed), measurements=numbers
    )
    who = [row[4] for row in shown(archive, [answered])["measurements"]]
    assert who == ["volumetry 1, kept by ito", "ito", "volumetry 1"]


def test_hundreds_of_numbers_do_not_bury_the_report(archive: Archive, axial: Geometry) -> None:
    """Radiomics of ten regions were 45 pages of rows; a table for programs goes with the report."""
    (one,) = found(ball(axial)).findings
    many = tuple(Measurement(codes.VOLUME, float(n), "mL", definition=f"feature {n}") for n in range(430))
    told = replace(
        found(ball(axial)), findings=tuple(replace(one, tracking=f"2.25.{n}", measurements=many) for n in range(10))
    )
    data = shown(archive, [told])
    assert len(data["measurements"]) == 10 * 7
    assert data["measurements"][6][2] == "and 424 more"
    assert data["beyond"].startswith("4,240 further measurements")
    pages = re.findall(
        rb"/Type ?/Page\b", unpacked(pdf.report(archive[0], text.draft(archive[0], [told]), [told], when=WHEN))
    )
    assert len(pages) <= 6
    assert shown(archive)["beyond"] == ""


def test_how_it_was_made_is_told(archive: Archive, axial: Geometry) -> None:
    machine = replace(found(ball(axial)), origin=Origin("machine", "volumetry", "1", model="ef" * 32))
    finding = machine.findings[0]
    person = replace(
        machine, origin=Origin("person", "ito", unaided=True), replaces=machine.id,
        findings=(
            replace(finding, verdict=Verdict.KEPT),
            replace(finding, verdict=Verdict.STRUCK, tracking="1.9", words="never shown"),
        ),
    )  # fmt: skip
    declined = Result(
        machine.study_uid, Outcome.DECLINED, Origin("machine", "pet_uptake", "1"), WHEN, reasons=("no PET",)
    )
    data = shown(archive, [machine, person, declined])
    made = {row[0]: row for row in data["made"]}
    assert "volumetry 1" not in made and "1 kept, 1 struck" in made["ito"][2]
    assert "before any AI was seen" in made["ito"][2]
    assert made["pet_uptake 1"][1:] == ["not looked", f"no PET, result {declined.id[:12]}"]
    assert "1 finding of machines struck by the reader and not reported." in data["closing"]
    assert "never shown" not in str(data)
    alone = shown(archive, [machine])
    assert "model efefefefefef" in alone["made"][0][2]


def test_many_that_did_not_look_are_one_line(archive: Archive, axial: Geometry) -> None:
    study = archive[0]
    machine = found(ball(axial))
    away = [
        Result(machine.study_uid, Outcome.DECLINED, Origin("machine", f"analysis_{n}", "1"), WHEN, reasons=(f"no {n}",))
        for n in range(5)
    ]
    drafted = text.draft(study, [machine, *away])
    reworded = [replace(s, text="Not asked.", machine=False) if s.id == "declined-analysis_4" else s for s in drafted]
    data = shown(archive, [machine, *away], sentences=reworded)
    told = [s["text"] for s in _said(data) if "looked for" in s["text"] or "asked" in s["text"]]
    assert told == [
        "Not looked for: Analysis 0, Analysis 1, Analysis 2, Analysis 3. The reasons are kept with the study.",
        "Not asked.",
    ]
    assert [row[0] for row in data["made"]] == [f"{machine.origin.name} {machine.origin.version}"]
    assert any(line.startswith("Did not look: analysis_0 1, analysis_1 1") for line in data["closing"])
    few = shown(archive, [machine, *away[:2]], sentences=text.draft(study, [machine, *away[:2]]))
    assert any("Analysis 1 was not looked for: no 1." in s["text"] for s in _said(few)), (
        "few are told with their reasons"
    )


EVIL = '#read("/etc/passwd") $x^2$ *bold* _it_ `raw` <a> @ref \\ #panic() ] ) "quote" // gone'


def test_no_text_is_markup(archive: Archive) -> None:
    study = replace(archive[0], patient=Patient(EVIL, EVIL), description=EVIL, accession=EVIL)
    data = shown((study, archive[1]), sentences=[Sentence("x", "Findings", EVIL, False)])
    assert _said(data)[0]["text"] == EVIL
    assert pdf.report(study, [Sentence("x", "Findings", EVIL)], [], when=WHEN).startswith(b"%PDF")


def test_scripts_without_a_font_are_given_by_number(archive: Archive) -> None:
    rare = Sentence("x", "Findings", "\U00013000 and \U0001f9e0.", False)
    assert pdf.report(archive[0], [rare], [], when=WHEN).startswith(b"%PDF")
    assert pdf._by_number({"a": ["é \U00013000"]}) == {"a": ["é [U+13000]"]}


def test_pictures_are_set(archive: Archive) -> None:
    bare = pdf.report(archive[0], [], [], when=WHEN)
    picture = pdf.Picture(bars({"a": 1.0}, title="Volumes", unit="mL"), "Volumes")
    assert len(pdf.report(archive[0], [], [], when=WHEN, pictures=[picture])) > len(bare)


def test_maps_stand_in_the_report_unless_they_are_withheld(archive: Archive, axial: Geometry) -> None:
    study, sources = archive
    grid = np.zeros(axial.shape, np.float32)
    grid[2, 3:9, 3:9] = 7.0
    held = maps.pack(Volume(grid, axial))
    told = Map(name="Tmax", quantity="time to maximum", unit="s", geometry=axial, digest="d", series_uid=SERIES_UID)
    result = replace(
        found(ball(axial)), maps=(told, replace(told, name="CBF"), replace(told, name="broken", digest=""))
    )

    def blob(digest: str) -> bytes:
        return held if digest else b"no map"

    shown = map_pictures(study, [result], sources, blob, withheld=lambda _: {"CBF": "not checked"})
    assert [p.caption for p in shown] == [f"Tmax, map of {result.origin.name}"] and shown[0].wide
    plain = pdf.report(study, [], [result], when=WHEN)
    assert len(pdf.report(study, [], [result], when=WHEN, pictures=shown)) > len(plain) + 1000


def test_what_cannot_be_set_is_refused(archive: Archive) -> None:
    with pytest.raises(Refused, match="at most"):
        pdf.report(archive[0], [Sentence("x", "Findings", "a")] * 2001, [], when=WHEN)
    with pytest.raises(Refused, match="cannot be set"):
        pdf.report(archive[0], [], [], when=WHEN, pictures=[pdf.Picture("<svg", "broken")])
    with pytest.raises(Refused, match="known are pdf and png"):
        pdf.report(archive[0], [], [], when=WHEN, form="docx")  # type: ignore[arg-type]


def test_numbers_lead_to_their_findings_where_the_site_has_an_address(archive: Archive) -> None:
    results = [found(ball(Geometry.regular(shape=(6, 16, 18))))]
    told = text.draft(archive[0], results)
    (tracking,) = (f.tracking for f in results[0].findings)
    led = unpacked(pdf.report(archive[0], told, results, when=WHEN, address="https://here.example/study/1.2"))
    to = f"(https://here.example/study/1.2?finding={tracking})".encode()
    assert led.count(to) >= 2, "the sentence and the row of where it is seen"
    assert b"/URI" not in unpacked(pdf.report(archive[0], told, results, when=WHEN))
