"""A colleague at another desk: threads, and two pages on one view of which nothing is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator

import anyio
import pytest
from browser_for_pages import Browser

from department_for_oversight import department, uid
from isocenter.doors.pages import application
from isocenter.doors.pages_oversight_consult import Together, listening
from isocenter.errors import LimitReached
from isocenter.site.verbs import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with department(tmp_path_factory.mktemp("department"), read=4) as (site, _):
        yield site


def browser(site: Site, name: str) -> Browser:
    app = application(site, demo=False, clock=site.clock)
    return Browser(app, bearer=site.sign_in_by_link(site.link(name), address="192.0.2.1"))


def test_a_thread_with_its_address(site: Site) -> None:
    ito, lee = browser(site, "ito"), browser(site, "lee")
    path = f"/api/studies/{uid(1)}/remarks"
    place = {"series": f"{uid(1)}.1", "image": f"{uid(1)}.1.1", "window": [40, 400], "marks": [[3, 4.5]]}
    first = ito.post(path, {"words": "Vessel?", **place}).json()["threads"][0]
    assert (
        first["address"] == f"/oversight/view/{uid(1)}?series={uid(1)}.1&image={uid(1)}.1.1&window=40,400&marks=3,4.5"
    )
    told = lee.post(path, {"words": "Yes.", "thread": first["number"]}).json()["threads"]
    assert [r["words"] for r in told[0]["remarks"]] == ["Vessel?", "Yes."]
    assert lee.post(f"{path}/{first['number']}/settle").json()["threads"][0]["settled"]
    assert lee.get(path).json()["threads"][0]["settled"]
    for wrong in ({"words": ""}, {"words": "x", "series": "PHANTOM"}, {"words": "x", "window": [1, -1]}):
        assert ito.post(path, wrong).status_code == 400
    assert ito.post(path, {"words": "x", "thread": "9" * 16}).status_code == 404
    assert ito.get("/api/studies/9.9/remarks").status_code == 404


def test_where_somebody_points_reaches_the_other_and_is_not_kept(site: Site) -> None:
    ito = browser(site, "ito")
    at = {"page": "a1", "series": f"{uid(1)}.1", "cursor": [10, 12.5]}
    assert ito.post(f"/api/studies/{uid(1)}/together", at).json() == {"people": []}
    head = site.head()  # that the study is looked at is written down, once
    assert ito.post(f"/api/studies/{uid(1)}/together", {**at, "cursor": [11, 12.5]}).json() == {"people": []}
    assert site.head() == head, "where somebody points is not"
    assert ito.post("/api/studies/9.9/together", at).status_code == 404
    assert ito.post(f"/api/studies/{uid(1)}/together", {**at, "page": "<b>"}).status_code == 400


def test_who_reads_blind_is_not_shown_where_others_are(site: Site) -> None:
    browser(site, "chief").post("/api/double", {"study": uid(2), "question": "q", "readers": ["ito", "lee"]})
    answer = browser(site, "ito").post(f"/api/studies/{uid(2)}/together", {"page": "a1"})
    assert answer.status_code == 403
    assert "blind" in answer.json()["error"]["what"]
    assert browser(site, "ruiz").post(f"/api/studies/{uid(2)}/together", {"page": "a1"}).status_code == 200


def heard(line: str) -> dict[str, object]:
    told: dict[str, object] = json.loads(line.removeprefix("data: "))
    return told


def test_two_pages_hear_one_another_until_the_right_ends() -> None:
    room = Together()

    async def walk() -> list[str]:
        allowed = [True] * 4 + [False]

        async def goes_on() -> bool:
            return allowed.pop(0)

        lines = []
        async for line in listening(room, "1.2", "ito", goes_on=goes_on, beat_s=0.01):
            lines.append(line)
            if len(lines) == 2:
                other = room.join("1.2", "lee")
                room.tell("1.2", {"who": "lee", "cursor": [1, 2]})
                room.tell("9.9", {"who": "lee", "cursor": "another study"})
                assert other.qsize() == 2
        return lines

    lines = anyio.run(walk)
    assert lines[0].startswith("retry")
    assert [heard(line) for line in lines[1:4]] == [
        {"people": ["ito"]}, {"people": ["ito", "lee"]}, {"who": "lee", "cursor": [1, 2]},
    ]  # fmt: skip
    assert lines[4] == ": still here\n\n"
    assert room.people("1.2") == ["lee"], "who lost the right has left"


def test_a_slow_page_loses_the_oldest_and_a_full_room_refuses() -> None:
    async def walk() -> None:
        room = Together(most=1)
        inbox = room.join("1.2", "ito")
        for n in range(200):
            room.tell("1.2", {"n": n})
        assert inbox.qsize() == 64
        last = [inbox.get_nowait()["n"] for _ in range(64)]
        assert last[-1] == 199
        with pytest.raises(LimitReached, match="1 pages"):
            room.join("1.2", "lee")
        room.leave("1.2", inbox)
        assert room.people("1.2") == []

    anyio.run(walk)
