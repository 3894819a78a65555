"""Matching of worklist keys: twenty-five questions with their answers by hand, and the model there and back."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom.match import fits, project
from isocenter.dicom.model import decode, encode, first
from isocenter.dicom.worklist_item import item
from isocenter.errors import LimitReached, Refused
from isocenter.record.order import read_order

_ROWS = (  # number, name, modality, station, date, time, priority
    (1, "Meier^Anna", "CT", "CT1", "2026-11-01", "080000", "STAT"),
    (2, "Meier^Bernd", "CT", "CT2", "2026-11-02", "093000", "ROUTINE"),
    (3, "Yamada^Tarou=山田^太郎=やまだ^たろう", "MR", "MR1", "2026-11-02", "180030", "ROUTINE"),
    (4, "O'Neil^Zoë", "MR", "", "2026-11-03", "1200", "LOW"),
)
ITEMS = [
    item(read_order({"patient": {"id": f"P{n}", "name": name, "sex": "F"}, "accession": f"A*{n}", "modality": m,
                     "station_aet": s, "date": d, "time": t, "priority": p}))
    for n, name, m, s, d, t, p in _ROWS
]  # fmt: skip


def _key(tag: str, vr: str, *values: Any) -> dict[str, Any]:
    return {tag: {"vr": vr, "Value": list(values)} if values else {"vr": vr}}


def _step(*keys: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key in keys:
        made |= key
    return {"00400100": {"vr": "SQ", "Value": [made]}}


NAME, DATE, TIME, AET, MODALITY = "00100010", "00400002", "00400003", "00400001", "00080060"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        (_key(NAME, "PN"), [1, 2, 3, 4]),
        (_key(NAME, "PN", {"Alphabetic": "meier*"}), [1, 2]),
        (_key(NAME, "PN", {"Alphabetic": "MEIER^ANNA"}), [1]),
        (_key(NAME, "PN", {"Alphabetic": "Meier"}), []),
        (_key(NAME, "PN", {"Alphabetic": "山田^太郎"}), [3]),
        (_key(NAME, "PN", {"Ideographic": "山田*"}), [3]),
        (_key(NAME, "PN", {"Alphabetic": "*zoë"}), [4]),
        (_key(NAME, "PN", {"Alphabetic": "M?ier^*"}), [1, 2]),
        (_key("00100020", "LO", "P2"), [2]),
        (_key("00100020", "LO", "p2"), []),
        (_key("00080050", "SH", "A*3"), [3]),
        (_key("00401003", "SH", "ROUTINE"), [2, 3]),
        (_key("00401003", "SH", "[A-Z]*"), []),
        (_step(), [1, 2, 3, 4]),
        (_step(_key(MODALITY, "CS", "MR")), [3, 4]),
        (_step(_key(AET, "AE", "CT1")), [1]),
        (_step(_key(AET, "AE", "CT?")), [1, 2]),
        (_step(_key(DATE, "DA", "20261102")), [2, 3]),
        (_step(_key(DATE, "DA", "20261102-")), [2, 3, 4]),
        (_step(_key(DATE, "DA", "-20261101")), [1]),
        (_step(_key(DATE, "DA", "20261101-20261102")), [1, 2, 3]),
        (_step(_key(TIME, "TM", "0900-1200")), [2, 4]),
        (_step(_key(TIME, "TM", "1800")), []),
        (_step(_key(DATE, "DA", "20261102"), _key(TIME, "TM", "-1800")), [2, 3]),
        (_step(_key(MODALITY, "CS", "CT"), _key(AET, "AE", "MR1")), []),
        (_key("0020000D", "UI", *(first(i, "0020000D") for i in ITEMS[:2])), [1, 2]),
    ],
)
def test_questions_of_a_worklist(keys: dict[str, Any], expected: list[int]) -> None:
    assert [n for n, one in enumerate(ITEMS, 1) if fits(one, keys)] == expected
    wire = decode(encode(keys, "1.2.840.10008.1.2"), "1.2.840.10008.1.2") if keys else {}
    assert [n for n, one in enumerate(ITEMS, 1) if fits(one, wire)] == expected, "the same as it comes over the wire"


def test_times_with_an_offset_and_ranges_of_moments() -> None:
    held = _key("00404005", "DT", "20261101120000+0100")
    for wanted, fit in (
        ("20261101", False), ("20261101-20261102", True), ("202611011200-0500", True), ("20261102-", False),
        ("-20261101130000", True), ("20261101100000-0500-20261101130000-0500", True),
    ):  # fmt: skip
        assert fits(held, _key("00404005", "DT", wanted)) is fit, wanted


def test_what_is_answered_is_what_was_asked_for() -> None:
    keys = {**_key("00100020", "LO"), **_step(_key(AET, "AE")), **_key("00101030", "DS")}
    made, complete = project(ITEMS[0], keys)
    assert not complete, "the weight is not known here"
    assert sorted(made) == ["00100020", "00101030", "00400100"]
    assert made["00400100"]["Value"] == [_key(AET, "AE", "CT1")]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2",
                                    "1.2.840.10008.1.2.1.99"])  # fmt: skip
def test_the_model_is_written_and_read_back(syntax: str) -> None:
    for one in ITEMS:
        back = decode(encode(one, syntax), syntax)
        back.pop("00080005", None)
        assert back == {t: e for t, e in one.items() if t != "00080005"}
    numbers = {"00280010": {"vr": "US", "Value": [7]}, "00280009": {"vr": "AT", "Value": ["00181063"]},
               "00189087": {"vr": "FD", "Value": [1.5]}, "00420011": {"vr": "OB", "InlineBinary": "AAE="}}  # fmt: skip
    assert decode(encode(numbers, syntax), syntax) == numbers


@given(st.binary(max_size=200))
def test_what_is_no_data_set_is_refused_and_never_crashes(data: bytes) -> None:
    for syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"):
        with contextlib.suppress(Refused, LimitReached):
            decode(data, syntax)
