"""Work items: every step from every state, one winner of every race, and the same over HTTP and over DIMSE."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    UnifiedProcedureStepEvent,
    UnifiedProcedureStepPull,
    UnifiedProcedureStepPush,
    UnifiedProcedureStepWatch,
)
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from isocenter.app import House, open_house
from isocenter.dicom.model import first
from isocenter.doors.workitems_rs import router
from isocenter.errors import Conflict, Forbidden, IsocenterError, NotFound, Refused
from isocenter.govern.policy import NOBODY, Person, Role
from isocenter.record import Event
from isocenter.settings import Settings
from isocenter.site import workitem
from isocenter.site.working import ALL, FILTERED
from isocenter.site.workitem import NotNow

AI, BOSS, ITO = Person("AI1", Role.SERVICE), Person("SCHEDULER", Role.SERVICE), Person("ito", Role.READER)
DUE = {"vr": "DT", "Value": ["20261126080000"]}
ITEM = {
    "00741200": {"vr": "CS", "Value": ["HIGH"]}, "00741204": {"vr": "LO", "Value": ["Opacity on chest film"]},
    "00404005": DUE, "00404041": {"vr": "CS", "Value": ["READY"]}, "00100020": {"vr": "LO", "Value": ["P1"]},
}  # fmt: skip
_CODE = {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["c"]}, "00080102": {"vr": "SH", "Value": ["99X"]}}]}
DONE = {"00741216": {"vr": "SQ", "Value": [{"00404050": DUE, "00404051": DUE, "00404019": _CODE, "00404028": _CODE,
                                            "00404033": {"vr": "SQ"}}]}}  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    held = open_house(Settings(folder=tmp_path / "archive", peers="AI1@127.0.0.1:1", dicom_port=0))
    held.add_known_peers()
    yield held
    held.close()


def _code(act: Any) -> int:
    try:
        act()
    except NotNow as error:
        return error.code
    except Refused:
        return 0x0106
    return 0


def test_every_request_in_every_state_has_the_answer_of_the_standard(house: House) -> None:
    """PS3.4 table CC.1.1-2 and the tables of statuses, by hand: rows are requests, columns states."""
    working = house.site.working
    states = ("SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")
    table = {
        ("claim", "right"): (0, 0xC302, 0xC300, 0xC300), ("claim", "wrong"): (0, 0xC302, 0xC300, 0xC300),
        ("claim", "none"): (0xC301, 0xC301, 0xC300, 0xC300), ("complete", "right"): (0xC310, 0, 0xB306, 0xC300),
        ("complete", "wrong"): (0xC310, 0xC301, 0xB306, 0xC300), ("give up", "right"): (0xC310, 0, 0xC300, 0xB304),
        ("give up", "wrong"): (0xC310, 0xC301, 0xC300, 0xB304), ("again", "right"): (0xC303, 0xC303, 0xC303, 0xC303),
        ("set", "right"): (0xC310, 0, 0xC300, 0xC300), ("set", "wrong"): (0xC310, 0xC301, 0xC300, 0xC300),
        ("set", "none"): (0, 0xC301, 0xC300, 0xC300), ("cancel", "none"): (0, 0, 0xC311, 0xB304),
    }  # fmt: skip
    asked = {"claim": "IN PROGRESS", "complete": "COMPLETED", "give up": "CANCELED", "again": "SCHEDULED"}
    n = 0
    for (verb, which), expected in table.items():
        for state, code in zip(states, expected, strict=True):
            n += 1
            uid, right = f"1.2.3.{n}", f"1.9.{n}"
            working.create(uid, ITEM, who=BOSS)
            if state != "SCHEDULED":
                working.change_state(uid, "IN PROGRESS", right, who=AI)
                working.update(uid, DONE, right, who=AI)
            if state in ("COMPLETED", "CANCELED"):
                working.change_state(uid, state, right, who=AI)
            given = {"right": right, "wrong": "1.9.999", "none": ""}[which]
            if verb == "set":
                got = _code(lambda u=uid, g=given: working.update(u, {"00741204": DUE | {"vr": "LO"}}, g, who=AI))
            elif verb == "cancel":
                got = _code(lambda u=uid: working.request_cancel(u, {}, who=BOSS))
            else:
                got = _code(lambda u=uid, g=given, v=verb: working.change_state(u, asked[v], g, who=AI))
            assert got == code, (verb, which, state)
    assert working.item("1.2.3.45", who=ITO).state == "CANCELED", "cancelled at once: nobody performs it"
    assert working.item("1.2.3.46", who=ITO).state == "IN PROGRESS", "the performer is asked"
    text = json.dumps([s.event.details for s in house.site.journal.since(kinds=workitem.KINDS, limit=5000)])
    assert "1.9.1" not in text, "the transaction is a secret of the performer: only its digest is kept"


def test_what_is_not_a_work_item_is_refused(house: House) -> None:
    working = house.site.working
    with pytest.raises(NotNow):
        working.create("1.2", {**ITEM, workitem.STATE: {"vr": "CS", "Value": ["COMPLETED"]}}, who=BOSS)
    for bad in ({}, {**ITEM, "00081195": {"vr": "UI", "Value": ["1.9"]}},
                {**ITEM, "00741200": {"vr": "CS", "Value": ["NOW"]}}):  # fmt: skip
        with pytest.raises(Refused):
            working.create("1.2", bad, who=BOSS)
    with pytest.raises(Forbidden):
        working.create("1.2", ITEM, who=ITO)
    working.create("1.2", ITEM, who=BOSS)
    with pytest.raises(Conflict):
        working.create("1.2", ITEM, who=BOSS)
    with pytest.raises(NotFound):
        working.item("1.3", who=ITO)
    with pytest.raises(Refused):
        working.update("1.2", {workitem.STATE: {"vr": "CS", "Value": ["COMPLETED"]}}, who=BOSS)
    working.change_state("1.2", "IN PROGRESS", "1.9", who=AI)
    with pytest.raises(NotNow, match="final state") as error:
        working.change_state("1.2", "COMPLETED", "1.9", who=AI)
    assert error.value.code == 0xC304


def test_a_decision_is_not_slower_for_all_that_came_before_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    folded, fold = [0], workitem.fold

    def counted(history: Any, before: Any = None) -> Any:
        folded[0] += len(history)
        return fold(history, before)

    monkeypatch.setattr(workitem, "fold", counted)
    house.site.working.create("1.2", ITEM, who=BOSS)
    for n in range(30):
        house.site.working.update("1.2", {"00404037": {"vr": "LO", "Value": [str(n)]}}, who=BOSS)
    assert first(house.site.working.item("1.2", who=ITO).model, "00404037") == "29"
    assert folded[0] == 31, "every event is folded once, however long the item's history is"


@pytest.mark.parametrize("races", [500, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_of_many_who_claim_at_once_exactly_one_has_it(house: House, tmp_path: Path, races: int) -> None:
    """Threads of one archive, and a second archive on the same database, claim the same items two at a time."""
    now = datetime(2026, 11, 26, tzinfo=UTC)
    uids = [f"1.2.{n}" for n in range(races)]
    events: list[Event] = [workitem.create(uid, ITEM, "SCHEDULER", now) for uid in uids]
    house.site.journal.append(*events)
    other = open_house(Settings(folder=tmp_path / "archive"))
    sites = (house.site, other.site)

    def claim(n: int) -> tuple[str, int]:
        uid, me = uids[n // 2], n % 2
        try:
            sites[n % 41 == 0].working.change_state(
                uid, "IN PROGRESS", f"1.9.{n + 1}", who=Person(f"W{me}", Role.SERVICE)
            )
        except NotNow as error:
            assert error.code == 0xC302
            return uid, -1
        return uid, me

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(claim, range(2 * races)))
    other.close()
    winners: dict[str, list[int]] = {}
    for uid, me in said:
        if me >= 0:
            winners.setdefault(uid, []).append(me)
    assert all(len(winners[uid]) == 1 for uid in uids), "no item was claimed twice, and none by nobody"
    assert {house.site.working.item(uid, who=AI).performer for uid in uids} == {f"W{w[0]}" for w in winners.values()}
    with pytest.raises(NotNow):
        house.site.working.update(uids[0], DONE, "1.9.999999", who=AI)


def test_the_same_over_http_with_events_in_order(house: House) -> None:
    app = FastAPI()
    people = {"ai": AI, "boss": BOSS, "ito": ITO}
    app.include_router(
        router(house.site.working, lambda r: people.get(r.headers.get("x-who", ""), NOBODY), every_s=0.3),
        prefix="/dicom-web",
    )
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, args=([held],), daemon=True)
    thread.start()
    place = f"127.0.0.1:{held.getsockname()[1]}/dicom-web"
    try:
        with httpx.Client(base_url=f"http://{place}", headers={"x-who": "boss"}, timeout=20) as web:
            _over_http(web, f"ws://{place}")
    finally:
        server.should_exit = True
        thread.join(10)
        held.close()


def _over_http(web: httpx.Client, socket_base: str) -> None:
    ai = {"x-who": "ai"}

    def put(uid: str, state: str, transaction: str) -> Any:
        body = {"00741000": {"vr": "CS", "Value": [state]}, "00081195": {"vr": "UI", "Value": [transaction]}}
        return web.put(f"/workitems/{uid}/state", json=body, headers=ai)

    assert web.post("/workitems?1.2.3", json=[ITEM]).headers["location"].endswith("/workitems/1.2.3")
    assert web.post("/workitems?1.2.3", json=ITEM).status_code == 409
    assert web.post("/workitems", json=ITEM, headers={"x-who": "?"}).status_code == 401
    assert web.post("/workitems", json=ITEM, headers={"x-who": "ito"}).status_code == 403
    for bad in (b"", b"{", b"[]", b"[1]", b'{"x":1}', b'{"00100010":{"vr":"PN","Value":[[1]]}}', b"[" * 10000,
                b'{"00400100":{"vr":"SQ","Value":[3]}}', b'{"00280010":{"vr":"US","Value":["x"]}}'):  # fmt: skip
        assert web.post("/workitems", content=bad).status_code == 400, bad
    assert web.post("/workitems/1.2.3/subscribers/WATCHER").status_code == 201
    assert web.post(f"/workitems/{FILTERED}/subscribers/OTHER?PatientID=P9").status_code == 201
    listen = partial(connect, additional_headers={"x-who": "ai"}, open_timeout=20)
    with listen(f"{socket_base}/subscribers/WATCHER?since=0") as watcher:
        assert [put("1.2.3", "IN PROGRESS", t).status_code for t in ("1.9.1", "1.9.2")] == [200, 409]
        refused = put("1.2.3", "COMPLETED", "1.9.2")
        assert refused.status_code == 409 and "C301" in refused.headers["warning"]
        progress = {"00741002": {"vr": "SQ", "Value": [{"00741004": {"vr": "DS", "Value": [50]}}]}}
        assert web.post("/workitems/1.2.3?1.9.1", json=progress, headers=ai).status_code == 200
        assert web.post("/workitems/1.2.3", json=progress, headers=ai).status_code == 409
        assert web.post("/workitems/1.2.3/cancelrequest").status_code == 202
        assert web.post("/workitems/1.2.3?1.9.1", json=DONE, headers=ai).status_code == 200
        assert put("1.2.3", "COMPLETED", "1.9.1").status_code == 200
        heard = [json.loads(watcher.recv(20)) for _ in range(5)]
    kinds = [(first(h, "00001002"), first(h, "00741000")) for h in heard]
    assert kinds[1:] == [("1", "IN PROGRESS"), ("3", ""), ("2", ""), ("1", "COMPLETED")]
    assert kinds[0] in (("1", "SCHEDULED"), ("1", "IN PROGRESS"), ("1", "COMPLETED")), "how it stood when it was told"
    assert [first(h, "00000110") for h in heard] == ["1", "2", "3", "4", "5"]
    (told,) = web.get("/workitems/1.2.3").json()
    assert first(told, "00741000") == "COMPLETED" and "00081195" not in told
    (row,) = web.get("/workitems?ProcedureStepState=COMPLETED&PatientID=P1&includefield=InputReadinessState").json()
    assert {"00741000", "00404041", "00080018"} <= set(row) and "00741216" not in row
    assert web.get("/workitems?ProcedureStepState=SCHEDULED").status_code == 204
    assert web.get("/workitems?Nonsense=1").status_code == 400
    assert web.get("/workitems/1.2.4").status_code == web.get("/workitems/..%2fx").status_code == 404
    assert web.delete("/workitems/1.2.3/subscribers/WATCHER").status_code == 200
    assert web.delete("/workitems/1.2.3/subscribers/WATCHER").status_code == 404
    for strange in ({"origin": "http://evil.example"}, {"x-who": "?", "origin": ""}):
        with pytest.raises(InvalidStatus), listen(f"{socket_base}/subscribers/W", additional_headers=strange):
            pass


def test_watching_everything_and_leaving_off(house: House) -> None:
    working = house.site.working
    working.create("1.2.1", ITEM, who=BOSS)
    working.watch(ALL, "ALPHA", who=AI)
    working.watch(FILTERED, "BETA", keys={"00100020": {"vr": "LO", "Value": ["P1"]}}, who=AI)
    working.create("1.2.2", {**ITEM, "00100020": {"vr": "LO", "Value": ["P2"]}}, who=BOSS)
    assert [working.watchers(u, who=AI) for u in ("1.2.1", "1.2.2")] == [["ALPHA", "BETA"], ["ALPHA"]]
    working.watch(ALL, "ALPHA", suspend=True, who=AI)
    working.create("1.2.3", ITEM, who=BOSS)
    assert [working.watchers(f"1.2.{n}", who=AI) for n in (1, 2, 3)] == [["ALPHA", "BETA"], ["ALPHA"], ["BETA"]]
    working.watch(FILTERED, "BETA", on=False, who=AI)
    assert working.watchers("1.2.3", who=AI) == []
    for wrong in (lambda: working.watch("1.9", "X", who=AI), lambda: working.watch("1.2.1", "X", on=False, who=AI),
                  lambda: working.watch("1.2.1", "ALPHA", suspend=True, who=AI)):  # fmt: skip
        with pytest.raises(IsocenterError):
            wrong()
    reports, reached = working.reports(0)
    assert reached == house.site.head()
    assert ("1.2.1", ("BETA",)) in [(r.uid, r.watchers) for r in reports]


def test_two_who_end_or_suspend_a_watch_at_once_do_not_stop_the_list(house: House) -> None:
    working = house.site.working
    working.create("1.2.1", ITEM, who=BOSS)
    for how in ({"suspend": True}, {"on": False}):
        working.watch(ALL, "ALPHA", who=AI)
        both, append = threading.Barrier(2), working._journal.append

        def together(*events: Event, both: threading.Barrier = both, append: Any = append) -> Any:
            both.wait(10)  # both have seen that it stands
            return append(*events)

        working._journal.append = together  # type: ignore[method-assign]
        try:
            with ThreadPoolExecutor(2) as pool:
                for _ in pool.map(lambda _, how=how: working.watch(ALL, "ALPHA", who=AI, **how), range(2)):
                    pass
        finally:
            del working._journal.append
        assert working.item("1.2.1", who=AI).state == "SCHEDULED"
        with pytest.raises(NotFound):
            working.watch(ALL, "ALPHA", who=AI, **how)


def test_the_same_over_dimse_and_the_watcher_is_called(house: House) -> None:
    heard: list[tuple[int, str]] = []
    came = threading.Event()

    def hear(event: Any) -> tuple[int, None]:
        heard.append((event.event_type, str(event.request.AffectedSOPInstanceUID)))
        if len(heard) == 3:
            came.set()
        return 0x0000, None

    ae = AE("AI1")
    ae.add_supported_context(UnifiedProcedureStepEvent, scu_role=False, scp_role=True)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear)])
    house.site.add_peer("AI1", "127.0.0.1", server.server_address[1], who=Person("a", Role.ADMIN))
    house.start_listening()
    push, pull, watch = UnifiedProcedureStepPush, UnifiedProcedureStepPull, UnifiedProcedureStepWatch
    for uid in (push, pull, watch):
        ae.add_requested_context(uid)
    call = ae.associate("127.0.0.1", house.dicom_port, ae_title="ISOCENTER")
    assert call.is_established
    told = Dataset.from_json(ITEM)

    def act(kind: int, context: str, **words: str) -> int:
        given = Dataset()
        for word, value in words.items():
            setattr(given, word, value)
        return int(call.send_n_action(given, kind, push, "1.2.3", meta_uid=context)[0].Status)

    def claim(transaction: str, state: str = "IN PROGRESS") -> int:
        return act(1, pull, ProcedureStepState=state, TransactionUID=transaction)

    assert call.send_n_create(told, push, "1.2.3")[0].Status == 0
    assert call.send_n_create(told, push, "1.2.3")[0].Status == 0x0111
    assert act(3, watch, ReceivingAE="AI1", DeletionLock="FALSE") == 0
    assert [claim("1.9.1"), claim("1.9.2"), claim("1.9.2", "COMPLETED")] == [0, 0xC302, 0xC301]
    done = Dataset.from_json(DONE)
    assert call.send_n_set(done, push, "1.2.3", meta_uid=pull)[0].Status == 0xC301
    done.TransactionUID = "1.9.1"
    assert call.send_n_set(done, push, "1.2.3", meta_uid=pull)[0].Status == 0
    status, got = call.send_n_get([0x00741000, 0x00741204], push, "1.2.3", meta_uid=pull)
    assert (status.Status, got.ProcedureStepState, len(got)) == (0, "IN PROGRESS", 2)
    keys = Dataset()
    keys.PatientID, keys.ProcedureStepState, keys.ProcedureStepLabel = "P1", "IN PROGRESS", ""
    rows = [r for s, r in call.send_c_find(keys, pull) if s.Status == 0xFF00]
    assert [r.ProcedureStepLabel for r in rows] == ["Opacity on chest film"]
    assert claim("1.9.1", "COMPLETED") == 0
    assert act(2, watch, ReasonForCancellation="late") == 0xC311
    assert act(1, watch, ProcedureStepState="IN PROGRESS") == 0x0211, "watchers claim nothing"
    assert act(9, pull, ProcedureStepState="CANCELED") == 0x0123
    assert call.send_n_get([0x00741000, 0x00741204], push, "1.2.99", meta_uid=pull)[0].Status == 0xC307
    call.release()
    house.exchange.start_working(every_s=0.3)
    assert came.wait(20)
    house.close()
    server.shutdown()
    assert heard == [(1, "1.2.3")] * 3, "how it stands, in progress, completed"
