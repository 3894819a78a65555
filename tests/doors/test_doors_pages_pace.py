"""One address that asks too often waits; others do not, and what is remembered of strangers stays small."""

from __future__ import annotations

from browser_for_pages import Browser
from house_for_pages import NOON, House

from isocenter.doors.pages import application
from isocenter.doors.pages_pace import Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_address_waits_and_others_do_not() -> None:
    clock = Clock()
    app = application(House(), demo=False, clock=lambda: NOON, pace=Pace(60, burst=3, clock=clock))
    fast, other = Browser(app), Browser(app, address="192.0.2.2")
    answers = [fast.get("/healthz") for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].headers["retry-after"] == "1" and answers[-1].json()["error"]["kind"] == "TooOften"
    assert "content-security-policy" in answers[-1].headers
    assert other.get("/healthz").status_code == 200
    clock.now += 2
    assert [fast.get("/healthz").status_code for _ in range(3)] == [200, 200, 429]


def test_a_link_that_is_guessed_is_told_when_to_come_back(monkeypatch: object) -> None:
    from datetime import timedelta

    from isocenter.govern.people import Tries
    from isocenter.site.through_links import Bearer

    house = House()
    tries = Tries(allowed=2, window=timedelta(minutes=1))

    class Sharing:
        def studies(self, bearer: Bearer) -> None:
            tries.check(bearer.address, house.now)
            tries.failed(bearer.address, house.now)
            raise KeyError(bearer.secret)

    house.sharing = Sharing()
    stranger = Browser(application(house, demo=False, clock=lambda: NOON))
    said = [stranger.get("/api/shared", headers={"X-Isocenter-Link": "x"}) for _ in range(3)]
    assert said[-1].status_code == 429 and said[-1].headers["retry-after"] == "60"


def test_the_pace_over_a_long_time_and_without_a_limit() -> None:
    clock = Clock()
    pace = Pace(600, burst=5, clock=clock)
    passed = 0
    for _ in range(6000):
        clock.now += 0.01
        passed += pace.wait_s("a") == 0
    assert 600 <= passed <= 605, "ten a second for a minute"
    assert {Pace(0).wait_s("a") for _ in range(100)} == {0}
    for n in range(30_000):
        pace.wait_s(str(n))
    assert len(pace._held) == 20_000
