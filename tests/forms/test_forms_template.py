"""A template for each kind of study, and the one that fits."""

from __future__ import annotations

import pytest
from pydicom.sr._concepts_dict import concepts

from isocenter.errors import NotFound, Refused
from isocenter.forms import template
from isocenter.forms.template import ALWAYS, CODES, SECTIONS, choose, get, read, templates
from isocenter.record import Patient, Series, Study


def study(description: str, *series: tuple[str, str, str]) -> Study:
    return Study(
        "1.2", Patient("p"), description=description,
        series=tuple(Series(f"1.2.{i}", m, body_part=b, description=d) for i, (m, b, d) in enumerate(series)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (study("", ("CT", "CHEST", "")), "ct_chest"),
        (study("CT chest abdomen pelvis", ("CT", "CHEST", "")), "ct_abdomen"),
        (study("Cardiac CT", ("CT", "CHEST", "calcium scoring")), "ct_heart"),
        (study("CT perfusion, stroke", ("CT", "HEAD", "")), "ct_head"),
        (study("", ("MR", "BRAIN", "hippocampus")), "mr_brain"),
        (study("MR", ("MR", "", "hippocampus")), "general"),
        (study("MR hip", ("MR", "", "")), "mr_joint"),
        (study("MR cine short axis", ("MR", "HEART", "")), "mr_heart"),
        (study("", ("CT", "", "trunk"), ("PT", "", "")), "pet_ct"),
        (study("", ("DX", "CHEST", "")), "xr_chest"),
        (study("", ("CR", "HAND", "")), "xr_bone"),
        (study("", ("MG", "", "")), "mammography"),
        (study("Abdomen", ("US", "", "")), "us_abdomen"),
        (study("anything", ("OT", "", "")), "general"),
        (study("no series at all"), "general"),
        (study("CT thorax", ("CT", "", ""), ("SEG", "", "brain head skull")), "ct_chest"),
    ],
)
def test_the_kind_of_study_chooses(of: Study, name: str) -> None:
    assert choose(of).name == name


@pytest.mark.parametrize("name", sorted(templates()))
def test_every_template_has_the_sections_in_order(name: str) -> None:
    one = get(name)
    names = [s.name for s in one.sections]
    assert set(ALWAYS) <= set(names) <= set(SECTIONS)
    assert names == sorted(names, key=SECTIONS.index)
    assert one.title and one.version
    headings = [h.name for s in one.sections for h in s.headings]
    assert len(set(headings)) == len(headings)
    for phrase in (p for s in one.sections for h in (s, *s.headings) for p in h.phrases):
        assert "normal" not in phrase.lower() and "unremarkable" not in phrase.lower()
        assert phrase.endswith(".") and phrase.count("[") == phrase.count("]")


def test_the_loinc_codes_are_those_of_dicoms_headings() -> None:
    known = {code for names in concepts["LN"].values() for code, (_, cids) in names.items() if 7001 in cids}
    assert {loinc for _, loinc in CODES.values() if loinc} <= known


def test_where_something_stands() -> None:
    one = get("ct_chest")
    assert one.heading_for("Findings", "left lung") == "Lungs and airways"
    assert one.heading_for("Findings", "", "a tired rib") == "Chest wall and bones"
    assert one.heading_for("Findings", "", "coronary_calcium") == "Heart and vessels"
    assert one.heading_for("Findings", "spleen, hippocampal") == "Upper abdomen"
    assert one.heading_for("Findings", "toe") == "" and one.heading_for("Impression", "lung") == ""
    assert one.place("Findings", "Pleura") < one.place("Findings", "") < one.place("Impression", "")
    assert one.place("Unknown", "") > one.place("Not looked", "")


def test_what_is_no_template_is_refused() -> None:
    whole = "name='x'\ntitle='x'\nversion='1'\n" + "".join(f"[[sections]]\nname='{n}'\n" for n in ALWAYS)
    assert read(whole).name == "x"
    for bad in ("name = [", "name='x'", whole.replace("[[sections]]\nname='Impression'\n", "")):
        with pytest.raises(Refused):
            read(bad)
    with pytest.raises(Refused, match="order"):
        read(whole + "[[sections]]\nname='Recommendation'\n")
    with pytest.raises(Refused, match="no such section"):
        template.get("general").section("Prose")
    with pytest.raises(NotFound, match="there are"):
        get("haiku")
