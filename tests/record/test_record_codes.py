"""Every code that we write means in its scheme what we say it means."""

import re

import pytest
from pydicom.sr._concepts_dict import concepts

from isocenter.record.codes import UNITS, Code, known

# Codes of public schemes that pydicom's copy of PS3.16 does not hold, each with the page where it is defined.
ELSEWHERE: dict[tuple[str, str], str] = {}

PUBLIC = sorted((c.scheme, c.code) for c in known().values() if c.scheme != "99ISO")


def meanings(scheme: str, code: str) -> set[str]:
    """Every meaning that pydicom's copy of PS3.16 gives to a code."""
    return {held[code][0] for held in concepts[scheme].values() if code in held}


@pytest.mark.parametrize(("scheme", "code"), [k for k in PUBLIC if k not in ELSEWHERE])
def test_a_public_code_has_the_meaning_of_the_standard(scheme: str, code: str) -> None:
    assert known()[scheme, code].meaning in meanings(scheme, code)


def test_every_code_that_pydicom_does_not_know_names_its_source() -> None:
    unknown = {k for k in PUBLIC if not meanings(*k)}
    assert unknown == set(ELSEWHERE)


def test_a_wrong_code_is_seen() -> None:
    # 111120 was once written for the signal to noise ratio; it is a mammography word.
    assert "Signal to Noise Ratio" not in meanings("DCM", "111120")
    assert meanings("SCT", "2339001") == set()


def test_our_own_words_stand_in_a_private_scheme_and_in_no_public_one() -> None:
    ours = [c for c in known().values() if c.scheme not in ("DCM", "SCT", "LN")]
    assert ours
    public = {held[code][0].lower() for s in ("DCM", "SCT") for held in concepts[s].values() for code in held}
    for code in ours:
        assert code.scheme.startswith("99")
        assert re.fullmatch(r"[a-z0-9-]{1,16}", code.code), "DICOM allows 16 characters in Code Value"
        assert code.meaning.lower() not in public, f"{code.meaning} has a public code"


def test_no_two_names_share_a_code() -> None:
    import isocenter.record.codes as table

    named = [c for c in vars(table).values() if isinstance(c, Code)]
    assert len(named) == len(known())


def test_what_goes_into_dicom_fits_its_fields() -> None:
    for code in known().values():
        assert len(code.code) <= 16 and len(code.scheme) <= 16 and len(code.meaning) <= 64
    for unit, words in UNITS.items():
        assert 1 <= len(unit) <= 16 and 1 <= len(words) <= 64
