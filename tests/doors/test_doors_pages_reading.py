"""From opening to a signed report and its amendment, over the wire; and what two browsers can do to each other."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from browser_for_pages import Browser
from house_for_pages import CT, CT_SERIES, DX, DX_SERIES, NOON, House

from isocenter.doors.pages import application
from isocenter.govern.policy import Person, Role
from isocenter.record import Measurement, Origin, Outcome, Result, Verdict, codes


@pytest.fixture
def house() -> House:
    made = House()
    made.people["second"] = Person("second", Role.READER)
    return made


@pytest.fixture
def reader(house: House) -> Browser:
    return Browser(application(house, demo=True, clock=lambda: house.now), bearer=house.token("reader"))


def second(house: House) -> Browser:
    return Browser(application(house, demo=True, clock=lambda: house.now), bearer=house.token("second"))


def act(browser: Browser, step: str, uid: str = CT, **body: Any) -> Any:
    answer = browser.post(f"/api/readings/{uid}/{step}", body or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_from_opening_to_an_amended_report(house: House, reader: Browser) -> None:
    state = act(reader, "open")
    assert (state["state"], state["by"]) == ("open", "reader")
    draft = reader.get(f"/api/readings/{CT}/report").json()
    assert (draft["state"], draft["version"], draft["signed"]) == ("draft", state["version"], None)
    machine = next(s for s in draft["sentences"] if s["findings"] == ["2.25.1"] and s["section"] == "Findings")
    assert machine["machine"] is True

    early = reader.post(f"/api/readings/{CT}/sign", {"version": state["version"]})
    assert early.status_code == 409
    assert "undecided" in early.json()["error"]["what"]

    state = act(reader, "correct", version=state["version"], tracking="2.25.1", verdict="kept")
    worded = reader.put(
        f"/api/readings/{CT}/sentences/{machine['id']}",
        {"version": state["version"], "text": "Lesion of 9 mm in the left lung."},
    )
    assert worded.status_code == 200, worded.text
    told = worded.json()
    sentence = next(s for s in told["sentences"] if s["id"] == machine["id"])
    assert (sentence["text"], sentence["machine"]) == ("Lesion of 9 mm in the left lung.", False)
    assert any(d["sentence"] == machine["id"] and "9 mm" in d["what"] for d in told["disagreements"])

    signed = act(reader, "sign", version=told["version"])
    assert (signed["state"], signed["signed_by"]) == ("signed", "reader")
    final = reader.get(f"/api/readings/{CT}/report").json()
    assert final["state"] == "final"
    assert final["signed"]["by"] == "reader"
    assert len(final["signed"]["digest"]) == 64
    assert final["disagreements"], "told again, and did not block"

    again = act(reader, "open")
    assert again["state"] == "amending"
    added = reader.put(
        f"/api/readings/{CT}/sentences/own-1",
        {"version": again["version"], "text": "Corrected: 6 mm.", "section": "Impression"},
    ).json()
    amended = act(reader, "sign", version=added["version"])
    assert amended["state"] == "signed"
    assert reader.get(f"/api/readings/{CT}/report").json()["state"] == "amended"


def test_what_a_browser_sends_becomes_a_persons_result(house: House, reader: Browser) -> None:
    state = act(reader, "open")
    id = house.result_of(CT, "volumetry")
    act(
        reader, "correct", version=state["version"], tracking="2.25.1", result=id, verdict="changed",
        what={"code": "108369006", "scheme": "SCT", "meaning": "Neoplasm"}, words="A neoplasm.",
        measurements=[{"what": {"code": "410668003", "scheme": "SCT", "meaning": "Length"}, "value": 7, "unit": "mm"}],
        laterality={"code": "24028007", "scheme": "SCT", "meaning": "Right"}, reason="wrong place",
    )  # fmt: skip
    made = house.kept[house.result_of(CT, "volumetry")]
    (finding,) = made.findings
    assert made.replaces == id
    assert (finding.what.meaning, finding.words, finding.verdict) == ("Neoplasm", "A neoplasm.", Verdict.CHANGED)
    assert (finding.measurements[0].value, finding.measurements[0].unit) == (7.0, "mm")
    assert (str(finding.laterality), finding.reason, finding.tracking) == ("Right", "wrong place", "2.25.1")
    assert finding.where is not None, "what was not named stays"


def test_one_answer_goes_to_every_measurement_of_a_segment_each_with_its_own_numbers(
    house: House, reader: Browser
) -> None:
    (shown,) = (r for _, r in house.results(CT, who=house.people["reader"]) if r.origin.name == "volumetry")
    size = Measurement(codes.VOLUME, 0.2, "mL")
    for name in ("pet_uptake", "radiomics"):
        planted = replace(shown.findings[0], tracking=name, measurements=(size,), research=name == "radiomics")
        house._result(replace(shown, origin=Origin("machine", name, "1"), findings=(planted,)))
    told = {f["tracking"]: f for r in reader.get(f"/api/studies/{CT}/results").json()["results"] for f in r["findings"]}
    assert [told[t]["research"] for t in ("2.25.1", "pet_uptake", "radiomics")] == [False, False, True]
    state = act(reader, "open")
    number = {"what": {"code": size.what.code, "scheme": "SCT", "meaning": "Volume"}, "value": 0.3, "unit": "mL"}
    act(
        reader, "correct", version=state["version"], tracking="2.25.1", verdict="changed", words="A node.",
        also=[{"tracking": "pet_uptake", "measurements": [number]}, {"tracking": "radiomics"}],
    )  # fmt: skip
    held = {f.tracking: f for _, r in house.results(CT, who=house.people["reader"]) for f in r.findings}
    assert [held[t].verdict for t in ("2.25.1", "pet_uptake", "radiomics")] == [
        Verdict.CHANGED, Verdict.CHANGED, Verdict.KEPT,
    ]  # fmt: skip
    assert (held["2.25.1"].words, held["pet_uptake"].words) == ("A node.", shown.findings[0].words)
    assert held["pet_uptake"].measurements[0].value == 0.3


CODE = {"code": "52988006", "scheme": "SCT", "meaning": "Lesion"}


def test_a_drawn_mark_is_kept_in_patient_space_and_comes_back_in_pixels(house: House, reader: Browser) -> None:
    state = act(reader, "open")
    points = [[4.0, 3.0], [9.5, 3.0], [9.5, 8.25]]
    act(reader, "correct", version=state["version"], verdict="added", what=CODE,
        where={"shape": "polygon", "instance_uid": f"{CT_SERIES}.2", "points_px": points})  # fmt: skip
    results = reader.get(f"/api/studies/{CT}/results").json()["results"]
    mine = next(r for r in results if r["findings"][0]["verdict"] == "added")
    (finding,) = mine["findings"]
    assert finding["where"]["instances"] == [f"{CT_SERIES}.2"]
    assert finding["where"]["centre_mm"][2] == pytest.approx(50.0), "the third slice of 5 mm above 40"
    address = f"/api/results/{mine['id']}/contours/{finding['tracking']}?sop={CT_SERIES}"
    assert reader.get(f"{address}.2").json()["contours"] == [[*points, points[0]]]
    assert reader.get(f"{address}.3").json()["contours"] == []


def test_a_mark_in_patient_space_and_on_a_radiograph(house: House, reader: Browser) -> None:
    state = act(reader, "open")
    act(reader, "correct", version=state["version"], verdict="added", what=CODE,
        where={"shape": "point", "instance_uid": f"{CT_SERIES}.2", "points_mm": [[-5, -3, 50]]})  # fmt: skip
    film = act(reader, "open", DX)
    act(reader, "correct", DX, version=film["version"], verdict="added", what=CODE,
        where={"shape": "polyline", "instance_uid": f"{DX_SERIES}.1", "points_px": [[1, 2], [5, 6]]})  # fmt: skip
    added = [r for r in reader.get(f"/api/studies/{DX}/results").json()["results"] if not r["version"]]
    (finding,) = added[0]["findings"]
    assert finding["where"]["volume_ml"] is None
    told = reader.get(f"/api/results/{added[0]['id']}/contours/{finding['tracking']}?sop={DX_SERIES}.1").json()
    assert told["contours"] == [[[1, 2], [5, 6]]]


@pytest.mark.parametrize(
    "where",
    [
        {"shape": "polygon", "instance_uid": f"{CT_SERIES}.2"},
        {"shape": "point", "instance_uid": f"{CT_SERIES}.2", "points_px": [[1, 1]], "points_mm": [[1, 1, 1]]},
        {"shape": "point", "instance_uid": f"{CT_SERIES}.2", "points_px": [[1, 1, 1]]},
        {"shape": "point", "instance_uid": f"{CT_SERIES}.2", "points_px": [[500, 1]]},
        {"shape": "point", "instance_uid": f"{CT_SERIES}.2", "points_mm": [[0, 0, 900]]},
        {"shape": "polygon", "instance_uid": f"{CT_SERIES}.2", "points_px": [[1, 1], [2, 2]]},
        {"shape": "mask", "instance_uid": f"{CT_SERIES}.2", "points_px": [[1, 1]]},
        {"shape": "point", "instance_uid": "../etc", "points_px": [[1, 1]]},
    ],
)
def test_marks_that_point_at_nothing_are_refused(house: House, reader: Browser, where: dict[str, Any]) -> None:
    state = act(reader, "open")
    body = {"version": state["version"], "verdict": "added", "what": CODE, "where": where}
    answer = reader.post(f"/api/readings/{CT}/correct", body)
    assert answer.status_code == 400, answer.text
    assert len(house._latest(CT)) == 1, "nothing was kept"


def test_the_second_reader_is_told_who_has_it_and_cannot_write(house: House, reader: Browser) -> None:
    state = act(reader, "open")
    other = second(house)
    for step, body in (
        ("open", None),
        ("correct", {"version": state["version"], "tracking": "2.25.1", "verdict": "kept"}),
        ("sign", {"version": state["version"]}),
        ("lapse", {"version": state["version"]}),
    ):
        answer = other.post(f"/api/readings/{CT}/{step}", body)
        assert answer.status_code == 409
        assert "reader has this study open" in answer.json()["error"]["what"]
    act(reader, "lapse", version=state["version"])
    assert act(other, "open")["by"] == "second"


def test_after_a_while_without_an_act_another_may_take_it(house: House, reader: Browser) -> None:
    act(reader, "open")
    house.now += timedelta(minutes=31)
    assert act(second(house), "open")["by"] == "second"


def test_of_two_tabs_the_second_write_is_refused_and_nothing_is_doubled(house: House, reader: Browser) -> None:
    state = act(reader, "open")
    body = {"version": state["version"], "tracking": "2.25.1", "verdict": "kept"}
    assert reader.post(f"/api/readings/{CT}/correct", body).status_code == 200
    again = reader.post(f"/api/readings/{CT}/correct", body)
    assert again.status_code == 409
    assert again.json()["error"]["kind"] == "Conflict"
    assert sum(r.origin.kind == "person" for r in house.kept.values()) == 1


def test_a_result_that_came_while_the_reader_read_is_not_signed_unseen(house: House, reader: Browser) -> None:
    state = act(reader, "open")
    act(reader, "correct", version=state["version"], tracking="2.25.1", verdict="kept")
    seen = reader.get(f"/api/readings/{CT}/report").json()
    assert seen["results"] == [r["id"] for r in reader.get(f"/api/studies/{CT}/results").json()["results"]]
    house._result(Result(CT, Outcome.NONE, Origin("machine", "late", "1"), NOON))
    body = {"version": house.tickets.version(house._reading(CT).version), "results": seen["results"]}
    answer = reader.post(f"/api/readings/{CT}/sign", body)
    assert answer.status_code == 409
    assert answer.json()["error"]["what"] == "results changed since you saw them: late"
    assert reader.post(f"/api/readings/{CT}/sign", {**body, "results": ["x"]}).status_code == 400
    now = reader.get(f"/api/readings/{CT}/report").json()
    assert act(reader, "sign", version=now["version"], results=now["results"])["state"] == "signed"


def test_many_browsers_race_for_one_study_and_one_wins(house: House) -> None:
    for n in range(6):
        house.people[f"r{n}"] = Person(f"r{n}", Role.READER)
    app = application(house, demo=True, clock=lambda: house.now)
    browsers = [Browser(app, bearer=house.token(f"r{n}")) for n in range(6)]
    start, got = threading.Barrier(6), []

    def go(browser: Browser) -> None:
        start.wait()
        got.append(browser.post(f"/api/readings/{CT}/open").status_code)

    threads = [threading.Thread(target=go, args=(b,)) for b in browsers]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(got) == [200, 409, 409, 409, 409, 409]


def test_reading_a_study_that_is_not_there(reader: Browser) -> None:
    assert reader.post("/api/readings/9.9/open").status_code == 404
    assert reader.get("/api/readings/9.9").status_code == 404
    assert reader.get("/api/readings/9.9/report").status_code == 404


def test_the_print_carries_no_name_in_the_name_of_its_file(reader: Browser) -> None:
    table = reader.get(f"/api/readings/{CT}/report.csv")
    assert table.headers["content-type"].startswith("text/csv") and table.content.startswith(b"study_uid")
    answer = reader.get(f"/api/readings/{CT}/report.pdf")
    assert answer.content.startswith(b"%PDF")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'inline; filename="report-20261120-120000.pdf"'


@pytest.mark.parametrize(
    ("text", "section", "status"), [("x", "", 404), ("x", "Poems", 400), ("y" * 4001, "Findings", 400)]
)
def test_words_that_are_refused(reader: Browser, text: str, section: str, status: int) -> None:
    state = act(reader, "open")
    answer = reader.put(
        f"/api/readings/{CT}/sentences/unknown", {"version": state["version"], "text": text, "section": section}
    )
    assert answer.status_code == status


def test_the_first_steps_are_those_that_the_journal_knows(house: House) -> None:
    def told(demo: bool) -> list[dict[str, object]]:
        app = application(house, demo=demo, clock=lambda: house.now)
        steps: list[dict[str, object]] = (
            Browser(app, bearer=house.token("reader")).get("/api/demo/steps").json()["steps"]
        )
        return steps

    assert [one["done"] for one in told(True)] == [False] * 4
    house.open(CT, who=house.people["reader"])
    assert told(True)[0] == {"step": "take", "done": True}
    assert told(False) == []
