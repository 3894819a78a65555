"""A performer of a work item that died: its claim ends, another item replaces it once, who comes late is refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import UnifiedProcedureStepPull, UnifiedProcedureStepPush

from isocenter.app import House, open_house
from isocenter.dicom.model import first, items
from isocenter.errors import Forbidden, NotFound
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record.project import WORKITEM
from isocenter.settings import Settings
from isocenter.site.forward_clock import ForwardClock
from isocenter.site.working import ALL, Working
from isocenter.site.workitem import NotNow

AI, BOSS = Person("AI1", Role.SERVICE), Person("SCHEDULER", Role.SERVICE, "aet")
CHIEF = Person("chief", Role.ADMIN)
BEGAN = datetime(2026, 11, 26, 8, tzinfo=UTC)
LEASE = timedelta(minutes=240)
ITEM: dict[str, Any] = {
    "00741200": {"vr": "CS", "Value": ["HIGH"]}, "00741204": {"vr": "LO", "Value": ["Opacity on chest film"]},
    "00404005": {"vr": "DT", "Value": ["20261126080000"]}, "00404041": {"vr": "CS", "Value": ["READY"]},
    "00100020": {"vr": "LO", "Value": ["P1"]},
}  # fmt: skip
HALF = {"00741002": {"vr": "SQ", "Value": [{"00741004": {"vr": "DS", "Value": [50]}}]}}


class Clock:
    def __init__(self) -> None:
        self.now, self.timer = BEGAN, 0.0

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def house(tmp_path: Path, clock: Clock) -> Iterator[House]:
    held = open_house(Settings(folder=tmp_path / "archive", peers="AI1@127.0.0.1:1", dicom_port=0))
    held.site.clock = clock
    held.site.forward.steady = lambda: clock.timer
    held.add_known_peers()
    yield held
    held.close()


def claimed(house: House, uid: str = "1.2.3", by: Person = AI) -> None:
    house.site.working.create(uid, ITEM, who=BOSS)
    house.site.working.change_state(uid, "IN PROGRESS", "1.9.1", who=by)


def test_who_says_nothing_for_the_lease_loses_the_claim_and_the_work_is_scheduled_anew_once(
    house: House, clock: Clock
) -> None:
    working = house.site.working
    assert working.lease == LEASE
    working.watch(ALL, "WATCHER", who=AI)
    claimed(house)
    clock.now += LEASE - timedelta(seconds=1)
    assert working.lapse() == []
    working.update("1.2.3", HALF, "1.9.1", who=AI)  # whoever says how it goes, lives
    clock.now += LEASE - timedelta(seconds=1)
    assert working.lapse() == []
    clock.now += timedelta(seconds=1)
    before = house.site.head()
    with ThreadPoolExecutor(4) as pool:  # several look at once
        ended = [uid for some in pool.map(lambda _: working.lapse(), range(4)) for uid in some]
    assert ended == ["1.2.3"]
    old = working.item("1.2.3", who=AI)
    (why,) = items(old.model, "00741002")
    assert old.state == "CANCELED" and first(why, "00741004") == "50" and "240 min" in first(why, "00741238")
    assert first(items(why, "0074100E")[0], "00080100") == "110528"
    (new,) = working.all(who=AI, state="SCHEDULED")
    assert first(items(new.model, "00741224")[0], "00081155") == "1.2.3" and not items(new.model, "00741002")
    assert {tag: new.model[tag] for tag in ITEM} == ITEM
    # watchers hear both, in their order, with the reason
    told, _ = working.reports(before)
    assert [(r.uid, first(r.model, "00741000")) for r in told] == [("1.2.3", "CANCELED"), (new.uid, "SCHEDULED")]
    assert "240 min" in first(told[0].model, "00741238")
    # the dead performer comes back, and another has the work: nothing is done twice
    with pytest.raises(NotNow) as late:
        working.change_state("1.2.3", "COMPLETED", "1.9.1", who=AI)
    assert late.value.code == 0xC300
    working.change_state(new.uid, "IN PROGRESS", "1.9.2", who=Person("AI2", Role.SERVICE))
    assert working.lapse() == []


def test_a_clock_that_is_set_back_holds_no_claim_here_nor_in_a_process_that_begins_then(
    house: House, clock: Clock
) -> None:
    working = house.site.working
    claimed(house, "1.2.3")
    clock.now -= timedelta(hours=30)
    clock.timer += LEASE.total_seconds() - 1
    assert working.lapse() == []
    clock.timer += 1
    assert working.lapse() == ["1.2.3"]
    claimed(house, "1.2.4")
    again = Working(house.site.journal, ForwardClock(clock, steady=lambda: clock.timer))
    again.lease = LEASE
    assert again.lapse() == [], "a process that began with the wrong clock goes on from the claim"
    clock.timer += LEASE.total_seconds()
    assert again.lapse() == ["1.2.4"]


def test_a_performer_that_works_long_says_until_when(house: House, clock: Clock) -> None:
    working = house.site.working
    claimed(house)
    until = (BEGAN + timedelta(hours=30)).strftime("%Y%m%d%H%M%S%z")
    working.update("1.2.3", {"00404011": {"vr": "DT", "Value": [until]}}, "1.9.1", who=AI)
    clock.now = BEGAN + timedelta(hours=29)
    assert working.lapse() == []
    clock.now = BEGAN + timedelta(hours=30)
    assert working.lapse() == ["1.2.3"]
    (new,) = working.all(who=AI, state="SCHEDULED")
    assert "00404011" not in new.model, "the next performer has a time of its own"
    working.lease = None
    working.change_state(new.uid, "IN PROGRESS", "1.9.2", who=AI)
    clock.now += timedelta(days=400)
    assert working.lapse() == [], "a lease of 0 leaves every claim as it is"


def test_what_somebody_asked_to_cancel_is_not_done_again(house: House, clock: Clock) -> None:
    working = house.site.working
    claimed(house)
    working.request_cancel("1.2.3", {}, who=BOSS)
    assert working.item("1.2.3", who=AI).state == "IN PROGRESS", "the performer is asked, and may yet answer"
    clock.now += LEASE
    assert working.lapse() == ["1.2.3"] and working.all(who=AI, state="SCHEDULED") == []
    assert (
        first(items(items(working.item("1.2.3", who=AI).model, "00741002")[0], "0074100E")[0], "00080100") == "110513"
    )


def test_an_operator_who_knows_does_not_wait(house: House, clock: Clock) -> None:
    working = house.site.working
    claimed(house)
    with pytest.raises(Forbidden):
        working.give_up("1.2.3", "it was stopped", again=True, who=AI)
    with pytest.raises(NotFound):
        working.give_up("1.2.9", "it was stopped", again=True, who=CHIEF)
    new = working.give_up("1.2.3", "it was stopped", again=True, who=CHIEF)
    assert working.item(new, who=AI).state == "SCHEDULED"
    with pytest.raises(NotNow) as none:
        working.give_up("1.2.3", "it was stopped", again=True, who=CHIEF)
    assert none.value.code == 0xC310
    working.change_state(new, "IN PROGRESS", "1.9.4", who=AI)
    assert working.give_up(new, "not needed", again=False, who=CHIEF) == ""
    assert working.all(who=AI, state="SCHEDULED") == []


def test_what_replaces_an_item_is_at_home_where_that_was(house: House, clock: Clock) -> None:
    projects, working = house.site.projects, house.site.working
    projects.found("trial", "a trial", who=CHIEF)
    projects.rule("trial", "SCHEDULER", who=CHIEF)
    claimed(house, by=HOUSE)
    assert projects.home(f"{WORKITEM}1.2.3") == "trial"
    clock.now += LEASE
    working.lapse()
    (new,) = working.all(who=HOUSE, state="SCHEDULED")
    assert projects.home(f"{WORKITEM}{new.uid}") == "trial"


def test_the_same_is_heard_over_http_and_dimse(house: House, clock: Clock) -> None:
    """A cancel request for a dead performer is granted at once; one that comes back late hears C300 at both doors."""
    house.first_person()
    house.start_web()
    token = house.site.sign_in_by_link(house.site.link("admin"), address="127.0.0.1")
    base, said = f"http://127.0.0.1:{house.web_port}/dicom-web", {"Authorization": f"Bearer {token}"}
    web = httpx.Client(base_url=base, headers=said, timeout=60)
    for uid in ("1.2.3", "1.2.4"):
        claimed(house, uid)
    assert web.post("/workitems/1.2.3/cancelrequest").status_code == 202
    assert first(web.get("/workitems/1.2.3").json()[0], "00741000") == "IN PROGRESS"
    clock.now += LEASE
    assert web.post("/workitems/1.2.3/cancelrequest").status_code == 202
    assert first(web.get("/workitems/1.2.3").json()[0], "00741000") == "CANCELED"
    done = {"00741000": {"vr": "CS", "Value": ["COMPLETED"]}, "00081195": {"vr": "UI", "Value": ["1.9.1"]}}
    late = web.put("/workitems/1.2.3/state", json=done)
    assert late.status_code == 409 and "C300" in late.headers["warning"]

    house.start_listening()
    push, pull = UnifiedProcedureStepPush, UnifiedProcedureStepPull
    ae = AE("AI1")
    ae.add_requested_context(push)
    ae.add_requested_context(pull)
    call = ae.associate("127.0.0.1", house.dicom_port, ae_title="ISOCENTER")
    asked = Dataset()
    asked.ReasonForCancellation = "the worker is gone"
    assert call.send_n_action(asked, 2, push, "1.2.4", meta_uid=push)[0].Status == 0
    given = Dataset()
    given.ProcedureStepState, given.TransactionUID = "COMPLETED", "1.9.1"
    assert call.send_n_action(given, 1, push, "1.2.4", meta_uid=pull)[0].Status == 0xC300
    call.release()
    assert house.site.working.item("1.2.4", who=AI).state == "CANCELED"


def test_whatever_comes_when_no_work_is_lost_and_none_has_two_claims(house: House, clock: Clock) -> None:
    """150 random acts of three workers that die at will: of each work one item is open, never two, never none."""
    working, rng = house.site.working, random.Random(7)
    for n in range(6):
        working.create(f"1.2.{n}", ITEM, who=BOSS)
    held: dict[str, str] = {}
    for n in range(150):
        clock.now += timedelta(minutes=rng.choice([1, 30, 300]))
        working.lapse()
        scheduled = [one.uid for one in working.all(who=AI, state="SCHEDULED")]
        if scheduled and rng.random() < 0.6:
            uid = rng.choice(scheduled)
            working.change_state(uid, "IN PROGRESS", f"1.9.{n}", who=Person(f"W{n % 3}", Role.SERVICE))
            held[uid] = f"1.9.{n}"
        elif held and rng.random() < 0.5:  # alive, or back from the dead
            uid = rng.choice(sorted(held))
            alive = working.item(uid, who=AI).state == "IN PROGRESS"
            try:
                working.update(uid, HALF, held[uid], who=AI)
            except NotNow as late:
                assert not alive and late.code == 0xC300
    open_now = [one for one in working.all(who=AI) if one.state in ("SCHEDULED", "IN PROGRESS")]
    assert len(open_now) == 6
