from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset
from shelf_for_doors import READER, Shelf

from isocenter.doors import identifiers
from isocenter.errors import Refused

_IMPLICIT = "1.2.840.10008.1.2"


def test_a_question_is_read_as_it_was_asked() -> None:
    asked = identifiers.read(
        [identifiers.question("STUDY", {"PatientName": "M\u00fcller*", "StudyInstanceUID": "1.2\\1.3"}, _IMPLICIT)],
        _IMPLICIT,
    )
    assert identifiers.keys_of(asked, "STUDY") == (
        "STUDY",
        {"PatientName": "M\u00fcller*", "StudyInstanceUID": "1.2\\1.3"},
    )


def _asked(**words: object) -> list[identifiers.Key]:
    from pynetdicom.dsutils import encode

    asked = Dataset()
    for word, value in words.items():
        setattr(asked, word, value)
    made = encode(asked, True, True)
    assert made is not None
    return identifiers.read([made], _IMPLICIT)


def test_sequences_and_empty_keys() -> None:
    asked = _asked(QueryRetrieveLevel="IMAGE", PatientID="", Rows=512, RequestAttributesSequence=[Dataset()])
    assert identifiers.keys_of(asked, "STUDY") == ("IMAGE", {"PatientID": "", "Rows": "512"})
    data, complete = identifiers.answer(asked, {"PatientID": "7"}, level="IMAGE", aet="A", syntax=_IMPLICIT)
    row = identifiers.row_of(identifiers.read([data], _IMPLICIT))
    assert not complete and row["PatientID"] == "7" and row["RetrieveAETitle"] == "A"


def test_what_is_not_kept_is_not_matched_and_what_names_images_always_is() -> None:
    """A key that no record keeps must not empty the answer, and one that narrows a retrieval must not widen it."""
    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = "SPS7", ""
    asked = _asked(
        QueryRetrieveLevel="STUDY", OperatorsName="X", SOPInstanceUID="1.2.3", StudyID="7",
        RequestAttributesSequence=[item],
    )  # fmt: skip
    path = "RequestAttributesSequence."
    assert identifiers.keys_of(asked, "STUDY")[1] == {
        "SOPInstanceUID": "1.2.3", "StudyID": "7",
        path + "ScheduledProcedureStepID": "SPS7", path + "RequestedProcedureID": "",
    }  # fmt: skip
    row = {"RequestAttributesSequence": [{"ScheduledProcedureStepID": "SPS7", "AccessionNumber": "A1"}]}
    data, complete = identifiers.answer(asked, row, level="STUDY", aet="A", syntax=_IMPLICIT)
    (told,) = [key for key in identifiers.read([data], _IMPLICIT) if key.keyword == "RequestAttributesSequence"]
    assert {key.keyword: key.value for key in told.item} == {
        "ScheduledProcedureStepID": "SPS7",
        "RequestedProcedureID": "",
    }
    assert not complete, "nobody keeps who operated the scanner"


@pytest.mark.parametrize("value", ["\u5c71\u7530^\u592a\u90ce", "M\u00fcller^J\u00f6rg"])
def test_names_of_all_writings_come_through(value: str) -> None:
    asked = _asked(QueryRetrieveLevel="STUDY", PatientName="")
    data, complete = identifiers.answer(asked, {"PatientName": value}, level="STUDY", aet="A", syntax=_IMPLICIT)
    read = {key.keyword: key.value for key in identifiers.read([data], _IMPLICIT)}
    assert complete and read["SpecificCharacterSet"] == "ISO_IR 192" and read["PatientName"] == value


@pytest.mark.parametrize("data", [None, [b""], [b"\x08\x00\x52\x00\xff\xff"]])
def test_an_identifier_that_says_nothing_is_refused(data: list[bytes] | None) -> None:
    with pytest.raises(Refused):
        identifiers.read(data, _IMPLICIT)


def test_rows_come_page_by_page(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int | None, int]] = []

    class Many(Shelf):
        def find(self, level, keys, *, who, limit=None, offset=0, fuzzy=False):  # type: ignore[no-untyped-def]
            asked.append((limit, offset))
            return [{"StudyInstanceUID": str(n)} for n in range(offset, min(offset + limit, 2500))]

    rows = list(identifiers.pages(Many(), "STUDY", {}, READER))
    assert len(rows) == 2500 and len({r["StudyInstanceUID"] for r in rows}) == 2500
    assert asked == [(1000, 0), (1000, 1000), (1000, 2000)]


def test_what_unique_keys_name(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    from io import BytesIO

    from pydicom import dcmread

    dataset = dcmread(BytesIO(sample("CT_small.dcm")))
    shelf.files[str(dataset.SOPInstanceUID)] = sample("CT_small.dcm")
    for word in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        (found,) = identifiers.instances(shelf, {word: str(dataset[word].value)}, READER)
        assert found.sop_uid == dataset.SOPInstanceUID
    assert identifiers.instances(shelf, {"StudyInstanceUID": "1.2.3"}, READER) == []
