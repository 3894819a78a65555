"""Objects of the archive on their way out without names: copies, what stays and why, and the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from isocenter.dicom.confidentiality import options_named
from isocenter.dicom.deidentify import deidentify
from isocenter.dicom.header import read_header
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.dicom.release import Release, Terms, remembered
from isocenter.errors import IsocenterError

__all__ = ["released"]


def released(
    groups: Iterable[Iterable[bytes]], key: bytes, options: Sequence[str], reviewed: Sequence[str]
) -> tuple[list[bytes], list[tuple[str, str]], dict[str, Any]]:
    """Clean copies; (SOP Instance UID, reason) of what stays; the report, which names no original."""
    terms = Terms(options_named(options), reviewed=frozenset(reviewed))
    by = Pseudonyms(key)
    found, clean, held_back = Release(terms, by.domain), [], []
    for data in (data for group in groups for data in group):
        try:
            copy = deidentify(data, by=by, options=terms.options, reviewed=terms.covers(data))
        except IsocenterError as refusal:
            uid = read_header(data).series[0].instances[0].sop_uid
            found.hold(uid, refusal)
            held_back.append((uid, str(refusal)))
        else:
            found.add(remembered(copy))
            clean.append(copy.data)
    return clean, held_back, found.report()
