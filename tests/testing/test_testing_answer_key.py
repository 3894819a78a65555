"""The key tells right from wrong, and our own de-identification passes it."""

from __future__ import annotations

from isocenter.dicom.deidentify import deidentify
from isocenter.dicom.header import read_header
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.errors import IsocenterError
from isocenter.testing.answer_key import KINDS, MODALITIES, Subject, score, subject


def cleaned(people: list[Subject], *, blank: bool = True) -> dict[str, bytes | None]:
    copies: dict[str, bytes | None] = {}
    for data in (f for s in people for f in s.files):
        uid = read_header(data).series[0].instances[0].sop_uid
        try:
            copies[uid] = deidentify(data, by=Pseudonyms(b"s" * 32), blank=blank).data
        except IsocenterError:
            copies[uid] = None
    return copies


def test_all_that_names_somebody_goes_and_what_science_needs_stays() -> None:
    people = [subject(n, m) for n, m in enumerate(MODALITIES)]
    found, wrong = score(people, cleaned(people))
    assert set(found) == set(KINDS) and sum(n for _, n in found.values()) > 1000
    assert not [w for w in wrong if w.kind != "pixels_hidden"], wrong[:5]
    assert found["pixels_hidden"][0] >= found["pixels_hidden"][1] - 1


def test_a_copy_that_was_not_cleaned_fails_where_it_must() -> None:
    people = [subject(1, "US")]
    same = {read_header(f).series[0].instances[0].sop_uid: f for f in people[0].files}
    found, wrong = score(people, same)
    for kind in ("text_removed", "uid_changed", "date_shifted", "pixels_hidden"):
        assert found[kind][0] == 0, kind
    for kind in ("tag_retained", "text_notnull", "text_retained", "pixels_retained"):
        assert found[kind][0] == found[kind][1] > 0, kind
    assert wrong
    held, _ = score(people, dict.fromkeys(same))
    assert held["text_removed"][0] == held["text_removed"][1] and held["tag_retained"][0] == 0
