"""Objects of the archive on their way out without names: copies, what stays and why, and the report."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

from isocenter.dicom.confidentiality import Option, options_named
from isocenter.dicom.deidentify import deidentify
from isocenter.dicom.elements import parse
from isocenter.dicom.header import read_header
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.dicom.release import Release, Terms, remembered
from isocenter.dicom.visual_features import Cover, Shows, group_of, shows
from isocenter.errors import IsocenterError
from isocenter.site.defacing import faces

__all__ = ["covers_of", "released"]


def released(
    groups: Iterable[Iterable[bytes]], key: bytes, options: Sequence[str], reviewed: Sequence[str]
) -> tuple[list[bytes], list[tuple[str, str]], dict[str, Any]]:
    """Clean copies; (SOP Instance UID, reason) of what stays; the report, which names no original."""
    terms = Terms(options_named(options), reviewed=frozenset(reviewed))
    by = Pseudonyms(key)
    found, clean, held_back = Release(terms, by.domain), [], []
    every = [data for group in groups for data in group]
    covers = covers_of(every) if Option.FACES in terms.options else {}
    found.heads += covers.values()
    for data in every:
        try:
            copy = deidentify(data, by=by, options=terms.options, reviewed=terms.covers(data), covers=covers)
        except IsocenterError as refusal:
            uid = read_header(data).series[0].instances[0].sop_uid
            found.hold(uid, refusal)
            held_back.append((uid, str(refusal)))
        else:
            found.add(remembered(copy))
            clean.append(copy.data)
    return clean, held_back, found.report()


def covers_of(every: Iterable[bytes]) -> dict[str, Cover]:
    """What is known of faces in some objects, by Series Instance UID."""
    heads: dict[tuple[str, str], list[bytes]] = {}
    for data in every:
        with contextlib.suppress(IsocenterError):  # what cannot be read is told when it is to leave
            file = parse(data, until_pixels=True)
            if shows(file) is not Shows.NO:
                heads.setdefault(group_of(file), []).append(data)
    return {uid: cover for group in heads.values() for uid, cover in faces(group).items()}
