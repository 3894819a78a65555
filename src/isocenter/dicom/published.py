"""Codes that are published, with what they mean: of these alone a meaning is no free text.

The tables of DICOM PS3.16 as pydicom has them (SNOMED CT, DCM, LOINC, UCUM, RadLex, …), and the codes of this house. A
device may write anybody's name as the meaning of a code of a known scheme; what is not in a table is text.
"""

from __future__ import annotations

import re
from functools import cache

from isocenter.record import codes

__all__ = ["is_kind_of_image", "is_shaped", "meaning_of"]

_SHAPED = re.compile(r"[A-Za-z]{0,4}[-:.]?[0-9][0-9A-F.:-]*\Z")  # RID58, 11528-7, T-28000 (not in a table), C50.9
_UNIT = re.compile(r"(?:(?<![A-Za-z])[A-Za-z]{1,4}(?![A-Za-z])|[^A-Za-z])+\Z")


def meaning_of(scheme: str, value: str) -> str:
    """What a code means; empty where no table has it.

    >>> meaning_of("SCT", "39607008"), meaning_of("SRT", "T-28000"), meaning_of("SCT", "Dr Meyer")
    ('Lung structure (body structure)', 'Lung structure (body structure)', '')
    """
    return _table().get((scheme, value), "")


def is_shaped(scheme: str, value: str) -> bool:
    """Whether a value that no table has is made like a code of its scheme.

    >>> is_shaped("LN", "99999-4"), is_shaped("DCM", "Meyer"), is_shaped("UCUM", "g/mL"), is_shaped("UCUM", "Meyer")
    (True, False, True, False)
    """
    return bool((_UNIT if scheme == "UCUM" else _SHAPED).match(value))


_YOUNGER_KINDS = frozenset({"RTINTENT", "RTRAD", "RTSEGANN", "XAPROTOCOL"})  # than the tables of pydicom


def is_kind_of_image(modality: str) -> bool:
    """Whether a word is a modality of the standard (PS3.3 section C.7.3.1.1.1).

    >>> is_kind_of_image("CT"), is_kind_of_image("RTSTRUCT"), is_kind_of_image("PETERSEN")
    (True, True, False)
    """
    return modality in _YOUNGER_KINDS or bool(meaning_of("DCM", modality))


@cache
def _table() -> dict[tuple[str, str], str]:
    from pydicom.sr._concepts_dict import concepts  # of the size of a dictionary: loaded when a code is met
    from pydicom.sr._snomed_dict import mapping

    found = {
        (scheme, value): meaning
        for scheme, named in concepts.items()
        for coded in named.values()
        for value, (meaning, *_) in coded.items()
    }
    for old, new in mapping["SRT"].items():
        if ("SCT", new) in found:
            found |= {(scheme, old): found["SCT", new] for scheme in ("SRT", "SNM3")}
    return found | {(scheme, value): code.meaning for (scheme, value), code in codes.known().items()}
