"""Bytes that two studies have in common belong to both, and who else needs them is found wherever it is named."""

from __future__ import annotations

from typing import Any

from store_samples import after, image, made, pixels, result

from isocenter.record import Event, Kind
from isocenter.store import receive
from isocenter.store.erasures import belongings
from isocenter.store.needing import NO_STUDY, needing


def test_who_else_needs_a_map_is_found_by_result_reading_and_journal_and_nobody_needs_an_image(archive: Any) -> None:
    a = archive
    for study in ("1.2.1", "1.2.2", "1.2.3"):
        receive(a.database, a.blobs, a.journal, [(pixels(1, study), image(1, study=study))], "CT1", after(1))
    common, drafted, told, mine = (a.blobs.put(data) for data in (b"empty map", b"a mask", b"told", b"mine alone"))
    for study in ("1.2.1", "1.2.2"):
        a.journal.append(made(a.blobs, result(study, reasons=(common, drafted, told))))
    a.journal.append(made(a.blobs, result("1.2.1", name="other", reasons=(mine,))))
    draft = a.blobs.put(b'{"mask": "%s"}' % drafted.encode())
    a.journal.append(
        Event(Kind.READING_OPENED, after(2), "anna", "1.2.3", {}),
        Event(Kind.REPORT_DRAFTED, after(3), "anna", "1.2.3", {"report": draft}),
        Event(
            Kind.COHORT_FROZEN, after(4), "anna", "a cohort", {"cohort": a.blobs.put(b'{"of": "%s"}' % told.encode())}
        ),
    )
    everything = belongings(a.database, a.blobs, "1.2.1")
    assert {common, drafted, told, mine} < set(everything) and len(everything) == 7
    assert needing(a.database, a.blobs, everything, besides=["1.2.1"]) == {
        common: {"1.2.2"}, drafted: {"1.2.2", "1.2.3"}, told: {"1.2.2", NO_STUDY},
    }  # fmt: skip
    assert needing(a.database, a.blobs, everything, besides=["1.2.1", "1.2.2"]) == {
        drafted: {"1.2.3"}, told: {NO_STUDY},
    }  # fmt: skip
    # What studies that were erased once named, nobody needs any more.
    a.journal.append(Event(Kind.STUDY_ERASED, after(5), "anna", "1.2.2", {"asked": 1, "digests": []}))
    assert needing(a.database, a.blobs, [common, mine], besides=["1.2.1"]) == {}
