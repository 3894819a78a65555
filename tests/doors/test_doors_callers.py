"""Who may call the DICOM port: title, address, certificate and person have to fit one listed device."""

from __future__ import annotations

import pytest
from shelf_for_doors import Shelf, person_behind

from isocenter.doors.association import APPLICATION, Proposal
from isocenter.doors.callers import Callers, Rejection, full
from isocenter.errors import Forbidden
from isocenter.govern.policy import Person

HERE = "127.0.0.1"


def asked(calling: str = "CT1", called: str = "ISOCENTER", application: str = APPLICATION) -> Proposal:
    return Proposal(calling, called, (), {}, 0, application)


def turned_away(proposal: Proposal, *, address: str = HERE, shown: frozenset[str] | None = None) -> Rejection:
    shelf = Shelf()
    shelf.listed[:] = [
        {"aet": "CT1", "host": HERE, "port": 104},
        {"aet": "CT2", "host": "nowhere.invalid", "port": 104},
    ]
    with pytest.raises(Rejection) as no:
        Callers(shelf, "ISOCENTER", person_behind).recognise(proposal, address, shown)
    return no.value


def test_who_is_listed_may_call() -> None:
    shelf = Shelf()
    shelf.listed[:] = [{"aet": "CT1", "host": "*", "port": 104}, {"aet": "CT1", "host": "ct.example", "port": 104}]
    callers = Callers(shelf, "ISOCENTER", person_behind)
    for shown in (None, frozenset({"ct1"}), frozenset({"other", "ct.example"})):
        assert callers.recognise(asked(), "192.0.2.9", shown) == ("CT1", person_behind("CT1"))


@pytest.mark.parametrize(
    ("proposal", "address", "shown", "diagnostic", "words"),
    [
        (asked("CT9"), HERE, None, 3, "'CT9' from 127.0.0.1 is not known"),
        (asked("../x"), HERE, None, 3, "../x"),
        (asked(), "192.0.2.9", None, 3, "known at 127.0.0.1 but called from 192.0.2.9"),
        (asked("CT2"), HERE, None, 3, "known at nowhere.invalid but called from 127.0.0.1"),
        (asked(), HERE, frozenset({"ct2"}), 3, "showed a certificate of another"),
        (asked(), HERE, frozenset(), 3, "showed a certificate of another"),
        (asked(called="OTHER"), HERE, None, 7, "this archive is 'ISOCENTER'"),
        (asked(application="1.2.3"), HERE, None, 2, "'1.2.3': it is not DICOM's"),
    ],
)
def test_who_does_not_fit_is_turned_away_with_the_standards_reason(
    proposal: Proposal, address: str, shown: frozenset[str] | None, diagnostic: int, words: str
) -> None:
    no = turned_away(proposal, address=address, shown=shown)
    assert no.reason == (1, 1, diagnostic), "permanent, by the user of the service"
    assert words in str(no.error)


def test_a_title_behind_which_nobody_stands_is_turned_away() -> None:
    def nobody(aet: str) -> Person:
        raise Forbidden(f"AE title '{aet}'", "its account is closed")

    shelf = Shelf()
    shelf.listed[:] = [{"aet": "CT1", "host": "*", "port": 104}]
    with pytest.raises(Rejection, match="its account is closed") as no:
        Callers(shelf, "ISOCENTER", nobody).recognise(asked(), HERE, None)
    assert no.value.reason == (1, 1, 3)


def test_a_full_house_is_a_transient_reason() -> None:
    assert full("CT1", HERE, 32).reason == (2, 3, 2) and "32 are open" in str(full("CT1", HERE, 32))
