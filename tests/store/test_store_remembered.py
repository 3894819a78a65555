"""A study that was read is given again only while nothing was said that could change it."""

from __future__ import annotations

from typing import Any

import pytest
from store_samples import NOON, after, image, pixels

from isocenter.errors import NotFound
from isocenter.record import Event, Kind, Patient, Study
from isocenter.store import Index, receive
from isocenter.store.remembered import Remembered


def arrive(archive: Any, number: int, **of: Any) -> None:
    receive(archive.database, archive.blobs, archive.journal, [(pixels(number), image(number, **of))], "SCANNER", NOON)


def say(archive: Any, kind: Kind, subject: str, **details: Any) -> int:
    (sealed,) = archive.journal.append(Event(kind, after(1), "anna", subject, {"reason": "x", **details}))
    return int(sealed.number)


def test_law_what_is_remembered_is_what_would_be_read(archive: Any) -> None:
    other = Patient("P2", "Roe^Ann", None, "F", "HOSPITAL")
    read = lambda uid="1.2.1": Index(archive.database, archive.blobs).study(uid)  # noqa: E731  (an index that remembers nothing)
    arrive(archive, 1)
    arrive(archive, 9, study="1.2.2", patient=other)
    first = archive.index.study("1.2.1")
    assert archive.index.study("1.2.1") is first == read()
    say(archive, Kind.VIEWED, "1.2.1")
    arrive(archive, 10, study="1.2.2", patient=other)
    assert archive.index.study("1.2.1") is first == read()  # what does not change it costs no reading
    seen = [first]
    names = {"id": "P2", "issuer": "HOSPITAL"}, {"id": "P1", "issuer": "HOSPITAL"}
    for act in (
        lambda: arrive(archive, 2),
        lambda: say(archive, Kind.OBJECTS_REJECTED, "1.2.1", code="113001", instances=["1.2.1.1.2"]),
        lambda: arrive(archive, 3),
        lambda: say(archive, Kind.PATIENTS_MERGED, "", **{"from": names[1], "into": names[0]}),
    ):
        act()
        now = archive.index.study("1.2.1")
        assert now == read() and now != seen[-1]
        seen.append(now)
    assert [sum(len(s.instances) for s in one.series) for one in seen] == [1, 2, 1, 2, 2]
    assert [one.patient.id for one in seen] == ["P1", "P1", "P1", "P1", "P2"]
    assert archive.index.study("1.2.2") == read("1.2.2")
    say(archive, Kind.OBJECTS_REJECTED, "1.2.1", code="113001", instances=["1.2.1.1.1", "1.2.1.1.3"])
    with pytest.raises(NotFound):
        archive.index.study("1.2.1")


def test_it_holds_no_more_than_it_may_and_never_goes_back() -> None:
    kept, level = Remembered(most=4), 7
    small, large = image(1, study="1.2.1"), Study("1.2.2", Patient("p"), series=image(1).series * 5)
    kept.keep(small, level)
    kept.keep(large, level)
    assert list(kept._kept) == ["1.2.2"]  # the newest stays, however large
    kept.keep(small, level)
    assert list(kept._kept) == ["1.2.1"] and kept._held == 2
    kept.keep(image(2, study="1.2.1"), level - 1)  # read before, kept after: by a slower thread
    assert kept._kept["1.2.1"][0] is small
