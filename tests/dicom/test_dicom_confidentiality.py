"""The table of the standard as data."""

from __future__ import annotations

import pytest
from pydicom.datadict import keyword_dict

from isocenter.dicom.confidentiality import (
    CODES,
    COLUMNS,
    RESEARCH,
    Act,
    Option,
    acts,
    options_named,
    safe_private,
    table,
)
from isocenter.errors import Refused


def test_the_table_is_whole_and_each_line_is_one_attribute() -> None:
    lines = table()
    assert len(lines) == 655 and len({line.tag for line in lines}) == 655
    assert all(set(line.basic.split("/")) <= set("XZDU") for line in lines)
    known = [line for line in lines if line.keyword in keyword_dict]
    assert len(known) > 620 and all(f"{keyword_dict[line.keyword]:08X}" == line.tag for line in known)
    counts = {option: sum(option in line.options for line in lines) for option in COLUMNS}
    assert counts == {
        Option.SAFE_PRIVATE: 0, Option.UIDS: 60, Option.DEVICE: 57, Option.INSTITUTION: 10, Option.PATIENT: 19,
        Option.FULL_DATES: 169, Option.MODIFIED_DATES: 169, Option.TEXT: 134, Option.CONTENT: 3, Option.GRAPHICS: 4,
    }  # fmt: skip


def test_an_option_decides_before_the_basic_profile() -> None:
    assert acts(frozenset())[0x00080020] == Act("Z", None, "Z")
    assert acts(frozenset({Option.MODIFIED_DATES}))[0x00080020] == Act("C", Option.MODIFIED_DATES, "Z")
    assert acts(frozenset({Option.FULL_DATES}))[0x00080020].letter == "K"


def test_reviewed_private_attributes_have_creator_and_kind() -> None:
    reviewed = safe_private()
    assert reviewed["SIEMENS MR HEADER", 0x0019, 0x0C] == "IS" and len(reviewed) > 80
    assert all(group & 1 and 0 <= low <= 0xFF for _, group, low in reviewed)


def test_options_by_name_and_what_contradicts_is_refused() -> None:
    assert options_named(["research"]) == RESEARCH and options_named(["basic"]) == frozenset()
    assert Option.MODIFIED_DATES not in options_named(["research", "full-dates"])
    assert len({code for code, _ in CODES.values()}) == 11
    with pytest.raises(Refused, match="contradict"):
        options_named(["full-dates", "modified-dates"])
    with pytest.raises(Refused, match="the option 'all'"):
        options_named(["all"])
