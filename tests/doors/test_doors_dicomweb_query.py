from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from pydicom import dcmread
from shelf_for_doors import READER, Shelf

from isocenter.doors.dicomweb_query import parse, search, unmatched
from isocenter.errors import Refused


def test_what_a_url_may_ask() -> None:
    query = parse(
        [
            ("PatientName", "DOE*"),
            ("0020000D", "1.2,1.3"),
            ("StudyDate", "20260101-20260131"),
            ("includefield", "StudyDescription,00081060"),
            ("includefield", "all"),
            ("fuzzymatching", "true"),
            ("limit", "10"),
            ("offset", "20"),
        ]
    )
    assert query.keys == {"PatientName": "DOE*", "StudyInstanceUID": "1.2\\1.3", "StudyDate": "20260101-20260131"}
    assert query.include == ("StudyDescription", "NameOfPhysiciansReadingStudy", "all")
    assert (query.limit, query.offset, query.fuzzy, query.limited) == (10, 20, True, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "-1"),
        ("limit", "ten"),
        ("limit", ""),
        ("offset", "1.5"),
        ("limit", "9" * 30),
        ("limit", "\u0663"),
        ("fuzzymatching", "perhaps"),
        ("Shoesize", "43"),
        ("ZZZZZZZZ", "1"),
        ("includefield", "Shoesize"),
        ("RequestAttributesSequence.Shoesize", "43"),
    ],
)
def test_what_a_url_may_not_ask(name: str, value: str) -> None:
    with pytest.raises(Refused):
        parse([(name, value)])


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("00400275.00400009", "RequestAttributesSequence.ScheduledProcedureStepID"),
        ("RequestAttributesSequence.00400009", "RequestAttributesSequence.ScheduledProcedureStepID"),
        ("RequestAttributesSequence.ScheduledProtocolCodeSequence.CodeValue",) * 2,
    ],
)
def test_a_key_within_a_sequence_is_a_path_of_tags_or_keywords(path: str, keys: str) -> None:
    query = parse([(path, "7")])
    assert query.keys == {keys: "7"} and [unmatched(level, query) for level in ("STUDY", "SERIES", "IMAGE")] == [[]] * 3
    assert unmatched("PATIENT", query) == [keys]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("RequestAttributesSequence", "has no value of its own"),
        ("Modality.CodeValue", "Modality is no sequence"),
        ("RequestAttributesSequence.Shoesize", "no attribute"),
        ("RequestAttributesSequence.", "no attribute"),
        (".".join(["ContentSequence"] * 4 + ["CodeValue"]), "4 attributes at most"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_with_its_reason(path: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        parse([(path, "7")])


def test_one_attribute_has_one_value_and_lists_grow() -> None:
    twice = [("ModalitiesInStudy", "CT"), ("ModalitiesInStudy", "MR,PT"), ("SeriesInstanceUID", "1.2")]
    assert parse(twice).keys == {"ModalitiesInStudy": "CT\\MR\\PT", "SeriesInstanceUID": "1.2"}
    with pytest.raises(Refused, match="twice"):
        parse([("Modality", "CT"), ("00080060", "MR")])


def test_what_no_record_keeps_is_named_and_not_asked_for(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    shelf.files["1"] = sample("CT_small.dcm")
    query = parse([("OperatorsName", "X"), ("KVP", "1"), ("RTPlanLabel", "Y"), ("StudyID", "")])
    assert unmatched("STUDY", query) == ["OperatorsName", "KVP", "RTPlanLabel"]
    assert unmatched("SERIES", query) == ["OperatorsName", "RTPlanLabel"]
    asked: list[set[str]] = []

    class Asked(Shelf):
        def find(self, level, keys, **rest):  # type: ignore[no-untyped-def]
            asked.append({word for word, value in keys.items() if value})
            return super().find(level, keys, **rest)

    search(Asked(shelf.files), "SERIES", query, {}, "http://x", READER)
    assert asked == [{"KVP"}]


def test_each_level_has_the_attributes_of_the_standard(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    dataset = dcmread(BytesIO(sample("CT_small.dcm")))
    shelf.files[str(dataset.SOPInstanceUID)] = sample("CT_small.dcm")
    needed = {
        "STUDY": ("00080020", "00100020", "0020000D", "00201206", "00201208", "00080061", "00081190"),
        "SERIES": ("00080060", "0020000E", "00200011", "0020000D", "00081190"),
        "IMAGE": ("00080018", "00080016", "00200013", "0020000E", "00280010", "00081190"),
    }
    for level, tags in needed.items():
        (row,) = search(shelf, level, parse([]), {}, "http://x", READER)
        assert set(tags) <= set(row)
        assert list(row) == sorted(row)
    (row,) = search(shelf, "IMAGE", parse([]), {}, "http://x", READER)
    assert row["00081190"]["Value"][0].endswith(f"/instances/{dataset.SOPInstanceUID}")


def test_what_the_path_names_is_not_repeated_but_what_is_asked_for_is_there(
    shelf: Shelf, sample: Callable[[str], bytes]
) -> None:
    dataset = dcmread(BytesIO(sample("CT_small.dcm")))
    shelf.files[str(dataset.SOPInstanceUID)] = sample("CT_small.dcm")
    fixed = {"StudyInstanceUID": str(dataset.StudyInstanceUID)}
    (row,) = search(shelf, "SERIES", parse([("includefield", "PatientName")]), fixed, "http://x", READER)
    assert "00201206" not in row and row["00100010"]["Value"] == [{"Alphabetic": "CompressedSamples^CT1"}]
    (row,) = search(shelf, "SERIES", parse([("includefield", "all")]), fixed, "http://x", READER)
    assert "00201206" in row
