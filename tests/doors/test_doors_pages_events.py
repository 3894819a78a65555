"""The stream of events: what it tells, what it keeps to itself, and how it resumes."""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable

import anyio
import httpx
import pytest
from house_for_pages import CT, House

from isocenter.doors.pages import application
from isocenter.doors.pages_events import _heard, stream
from isocenter.record import Event, Kind

TICKETS = House().tickets


def looks(many: int) -> Callable[[], Awaitable[bool]]:
    """True so many times, then False."""
    left = [many]

    async def goes_on() -> bool:
        left[0] -= 1
        return left[0] >= 0

    return goes_on


async def no_pause() -> None:
    return None


def heard(
    house: House, since: int, many: int, pause: Callable[[], Awaitable[None]] = no_pause, *, role: str = "reader"
) -> list[str]:
    async def go() -> list[str]:
        who = house.people[role]
        return [line async for line in stream(house, who, since, goes_on=looks(many), pause=pause)]

    return anyio.run(go)


def numbers(lines: list[str]) -> list[int]:
    return [TICKETS.number(line.split("\n")[0].removeprefix("id: ")) for line in lines if line.startswith("id:")]


def test_an_event_says_that_something_changed_and_not_what() -> None:
    house = House()
    house.append(Event(Kind.RESULT_MADE, house.now, "ito", CT, {"result": "f" * 64, "note": "PHANTOM^Anna"}))
    lines = heard(house, house.head() - 1, 1)
    data = json.loads(lines[-1].split("data: ")[1])
    assert data == {
        "kind": "ResultMade", "subject": CT, "who": "ito", "time": house.now.isoformat()
    }  # fmt: skip
    assert "PHANTOM" not in "".join(lines)
    assert lines[0].startswith("retry: 2000\n")


def test_what_is_for_the_audit_is_not_told_and_does_not_stop_the_rest() -> None:
    house = House()
    before = house.head()
    for kind in (Kind.SIGNED_IN, Kind.SIGN_IN_REFUSED, Kind.VIEWED, Kind.PERSON_ADDED, Kind.REFUSED, Kind.STARTED):
        house.append(Event(kind, house.now, "somebody"))
    house.append(Event(Kind.PLANNED, house.now, "isocenter", CT))
    assert numbers(heard(house, before, 1)) == [house.head()]


def test_links_consent_and_emergencies_are_told_to_whoever_has_a_right_to_their_lists() -> None:
    house = House()
    before = house.head()
    for kind in (Kind.SHARED, Kind.SHARE_USED, Kind.SHARE_ENDED, Kind.CONSENT_WITHDRAWN, Kind.GLASS_BROKEN):
        house.append(Event(kind, house.now, "somebody", CT))
    assert len(numbers(heard(house, before, 1))) == 5
    assert numbers(heard(house, before, 1, role="researcher")) == []


def test_alerts_are_told_to_whoever_may_see_them() -> None:
    house = House()
    before = house.head()
    for kind in (Kind.ALERT_RAISED, Kind.ALERT_CLIMBED, Kind.ALERT_ACKNOWLEDGED):
        house.append(Event(kind, house.now, "somebody", CT))
    assert len(numbers(heard(house, before, 1))) == 3
    assert numbers(heard(house, before, 1, role="researcher")) == []


def test_it_resumes_after_the_last_number_and_misses_nothing() -> None:
    house = House()
    before = house.head()
    for _ in range(450):
        house.append(Event(Kind.PLANNED, house.now, "isocenter", CT))
    first = numbers(heard(house, before, 2))
    rest = numbers(heard(house, first[-1], 5))
    assert first + rest == list(range(before + 1, before + 451))


def test_a_browser_that_heard_nothing_yet_goes_on_where_it_began_to_listen() -> None:
    house = House()
    begun = house.head()
    [line] = heard(house, begun, 0)
    place = line.split("id: ")[1].split("\n")[0]
    house.append(Event(Kind.PLANNED, house.now, "isocenter", CT))
    assert _heard(house, place) == begun, "what happened while it was away is told when it comes back"
    assert place not in heard(house, begun, 0)[0], "and of two places nobody learns whether they are the same"


def test_events_that_happen_while_it_waits_are_told() -> None:
    house = House()
    before = house.head()

    async def something_happens() -> None:
        house.append(Event(Kind.PLANNED, house.now, "isocenter", CT))

    assert numbers(heard(house, before, 4, something_happens)) == [before + 1, before + 2, before + 3]


@pytest.mark.parametrize("said", ["", "4", "soon", TICKETS.of(10**9)])
def test_a_browser_that_names_no_event_of_this_archive_hears_what_happens_from_now_on(said: str) -> None:
    house = House()
    assert _heard(house, said) == house.head()
    assert _heard(house, TICKETS.of(1)) == 1


def test_a_quiet_channel_shows_that_it_lives() -> None:
    house = House()
    assert heard(house, house.head(), 21).count("event: pulse\ndata: {}\n\n") == 2


@pytest.mark.parametrize("ends", ["session", "server"])
def test_a_browser_hears_over_the_network_until_its_session_or_the_server_ends(ends: str) -> None:
    """A real server on loopback: the stream comes through the guard in pieces, resumes, and ends by itself."""
    import uvicorn

    house = House()

    async def short_pause() -> None:
        await anyio.sleep(0.01)

    app = application(house, demo=True, clock=lambda: house.now, pause=short_pause)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    ready = threading.Event()
    begin = server.startup

    async def startup(sockets: object = None) -> None:
        await begin(sockets)  # type: ignore[arg-type]
        ready.set()

    server.startup = startup  # type: ignore[method-assign]
    thread.start()
    assert ready.wait(30)
    port = server.servers[0].sockets[0].getsockname()[1]
    token = house.token("reader")
    try:
        with httpx.stream(
            "GET",
            f"http://127.0.0.1:{port}/api/events",
            headers={"Cookie": f"isocenter={token}", "Last-Event-ID": TICKETS.of(1)},
            timeout=30,
            trust_env=False,
        ) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            got = []
            for line in lines:
                if line.startswith("id:") and numbers([line])[0] < 2**48:  # the first says where it begins
                    got += numbers([line])
                if len(got) == 2:
                    break
            assert got == [2, 3], "resumed after event 1"
            house.append(Event(Kind.REPORT_SIGNED, house.now, "ito", "elsewhere"))
            assert numbers([next(line for line in lines if line.startswith("id:"))]) == [4]
            if ends == "session":
                house.sessions.end(token)
            else:
                app.state.ending = True
            assert [line for line in lines if line.startswith("id:")] == [], "the stream ends by itself"
    finally:
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()
