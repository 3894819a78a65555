"""Consent that is asked for: it waits where terms are recorded, is answered by whoever may, and is in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.errors import Forbidden, NotFound, Refused, WrongState
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Kind
from isocenter.settings import Settings
from isocenter.site.requesting import Requesting
from isocenter.site.verbs import Site

CHIEF, LEE = Person("chief", Role.ADMIN), Person("lee", Role.READER)
STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(tmp_path: Path, clock: Clock) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), make=True)
    house.site.receive([Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()], sender="CT1", who=HOUSE)
    house.site.clock = house.site.consents.clock = clock
    yield house.site
    house.close()


@pytest.fixture
def requesting(site: Site, clock: Clock) -> Requesting:
    return Requesting(site.index, site.journal, clock, site.consents)


def asked(requesting: Requesting, of: str, **more: Any) -> dict[str, Any]:
    said = {"purpose": Purpose.SHARING, "to": "Dr Okafor, Lagos", "who": LEE, **more}
    (made,) = requesting.ask([STUDY], of=of, **said)
    return made


def test_a_yes_of_the_steward_is_recorded_as_terms_and_a_link_can_be_given(requesting: Requesting, site: Site) -> None:
    with pytest.raises(Refused, match="may not be used for sharing"):
        site.sharing.share(STUDY, who=LEE, purpose=Purpose.SHARING)
    made = asked(requesting, "steward", words="second opinion on a rare case", until=datetime(2026, 12, 1, tzinfo=UTC))
    (seen,) = requesting.listed(who=CHIEF)
    assert seen == made and (seen["state"], seen["by"], seen["to"]) == ("pending", "lee", "Dr Okafor, Lagos")
    assert not site.consents.listed(who=CHIEF, study=STUDY), "a request permits nothing"
    with pytest.raises(Forbidden, match="own request"):
        requesting.answer(made["id"], True, who=LEE)
    told = requesting.answer(made["id"], True, who=CHIEF, reason="the committee agreed")
    (terms,) = site.consents.listed(who=CHIEF, study=STUDY)
    assert (told["state"], told["answered_by"], told["consent"]) == ("granted", "chief", terms["id"])
    assert terms["until"] == made["until"] and terms["study"] == STUDY
    site.sharing.share(STUDY, who=LEE, purpose=Purpose.SHARING)
    again = Requesting(site.index, site.journal, requesting.clock, site.consents)  # as after a restart
    assert again.listed(who=CHIEF, study=STUDY) == [told]
    with pytest.raises(WrongState, match="waits for nothing"):
        requesting.answer(made["id"], False, who=CHIEF)
    kinds = [s.event.kind for s in site.journal.since(subject=STUDY) if "Consent" in s.event.kind]
    assert kinds == [Kind.CONSENT_ASKED, Kind.CONSENT_GIVEN, Kind.CONSENT_ANSWERED]


def test_a_patient_is_believed_by_a_document_and_their_no_refuses(requesting: Requesting, site: Site) -> None:
    made = asked(requesting, "patient")
    with pytest.raises(Refused, match="without a document"):
        requesting.answer(made["id"], True, who=LEE)
    told = requesting.answer(made["id"], False, who=LEE, reason="she does not want it")
    (terms,) = site.consents.listed(who=CHIEF, study=STUDY)
    assert told["state"] == "refused" and not terms["permits"] and terms["refuses"] == ["sharing"]
    made = asked(requesting, "patient", purpose=Purpose.RESEARCH)
    told = requesting.answer(made["id"], True, who=LEE, source="form 7, 2026-11-20")
    assert (
        told["state"] == "granted" and site.consents.listed(who=CHIEF, study=STUDY)[0]["source"] == "form 7, 2026-11-20"
    )


def test_a_request_is_for_somebody_once_and_until_a_day_that_comes(
    requesting: Requesting, site: Site, clock: Clock
) -> None:
    for wrong, words in (({"to": " "}, "for nobody"), ({"until": clock.now}, "has passed")):
        with pytest.raises(Refused, match=words):
            asked(requesting, "steward", **wrong)
    made = asked(requesting, "steward", until=clock.now + timedelta(days=1))
    with pytest.raises(Refused, match="once more"):
        asked(requesting, "steward", until=clock.now + timedelta(days=2))
    clock.now += timedelta(days=1)
    assert requesting.listed(who=CHIEF)[0]["state"] == "expired"
    with pytest.raises(WrongState):
        requesting.answer(made["id"], True, who=CHIEF)
    with pytest.raises(NotFound):
        requesting.answer("0" * 16, True, who=CHIEF)
    for act in (
        lambda who: asked(requesting, "patient", who=who), lambda who: requesting.listed(who=who),
        lambda who: requesting.answer(made["id"], True, who=who),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            act(Person("x", Role.RESEARCHER))
