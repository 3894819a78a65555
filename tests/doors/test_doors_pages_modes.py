"""The modes over the wire: everybody may see them, two people change them."""

from __future__ import annotations

from browser_for_pages import Browser
from house_for_pages import House

from isocenter.doors.pages import application
from isocenter.govern.policy import Person, Role

ADDRESS = "/api/modes/volumetry"


def test_two_people_change_a_mode_and_one_stops_it() -> None:
    house = House()
    house.people["second"] = Person("second", Role.READER)
    app = application(house, demo=False, clock=lambda: house.now)
    one, other = (Browser(app, bearer=house.token(name)) for name in ("reader", "second"))
    first = one.get("/api/modes").json()
    assert first["default"] == {"worklist": "shadow", "reading": "unaided-first"}
    assert first["analyses"][0]["modes"] == first["default"]
    assert first["analyses"][0]["set"] == {"worklist": False, "reading": False}

    wanted = {"use": "worklist", "mode": "triage", "reason": "bleeds shall not wait"}
    (asked,) = one.post(ADDRESS, wanted).json()["analyses"][0]["proposals"]
    assert (asked["by"], asked["was"], asked["mode"], asked["reason"]) == (
        "reader", "shadow", "triage", "bleeds shall not wait"
    )  # fmt: skip
    agreed = {"use": "worklist", "proposal": asked["proposal"]}
    alone = one.post(f"{ADDRESS}/confirm", agreed)
    assert (alone.status_code, alone.json()["error"]["why"]) == (
        400,
        "what shows readers more of a machine takes two people",
    )
    told = other.post(f"{ADDRESS}/confirm", agreed).json()["analyses"][0]
    assert (told["modes"]["worklist"], told["proposals"], told["set"]["worklist"]) == ("triage", [], True)

    stopped = one.post(ADDRESS, {"use": "worklist", "mode": "shadow", "reason": "it is wrong"}).json()
    assert stopped["analyses"][0]["modes"]["worklist"] == "shadow", "a stop takes one"
    assert one.post(ADDRESS, {"use": "reading", "mode": "triage", "reason": "r"}).status_code == 400
    assert one.post(ADDRESS, {"use": "sleeping", "mode": "triage", "reason": "r"}).status_code == 400
    researcher = Browser(app, bearer=house.token("researcher"))
    assert researcher.get("/api/modes").status_code == 200
    assert researcher.post(ADDRESS, wanted).status_code == 403
