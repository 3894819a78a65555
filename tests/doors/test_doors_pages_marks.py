"""Marks and outlines over the wire, on real images with known balls: the numbers, the refusals, and what comes back."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_for_pages import Browser
from nibabel import Nifti1Image
from pydicom import dcmread

from isocenter.app import House, open_house
from isocenter.doors.pages import application
from isocenter.forms import maps
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.disclosure import Mode, Use
from isocenter.record import Event, Finding, Kind, Map, Origin, Outcome, Result, Threshold, canonical, codes
from isocenter.settings import Settings
from isocenter.site import outlining
from isocenter.space import Geometry, Region, Volume
from isocenter.testing.phantoms import balls, ultrasound
from isocenter.testing.phantoms.patient import Phantom

PASSWORD = "a long sentence to sign in"


class Bench:
    """An archive with the tilted balls and an ultrasound image, and a reader who has the balls open."""

    def __init__(self, house: House, jar: Phantom) -> None:
        self.house, self.site, self.jar = house, house.site, jar
        for name in ("perfusion", "m"):
            self.site.set_mode(name, Use.READING, Mode.CONCURRENT, reason="a test shows what it says")
        self.study, self.series = jar.truth["study_uid"], jar.truth["series_uid"]
        self.app = application(self.site, demo=True, clock=self.site.clock)
        self.browser = self.signed_in("ito")
        self.open(self.study)

    def signed_in(self, name: str) -> Browser:
        return Browser(self.app, bearer=self.site.sign_in_by_link(self.site.link(name), address="x"))

    def open(self, study: str) -> None:
        assert self.browser.post(f"/api/readings/{study}/open").status_code == 200

    def version(self, study: str = "") -> int:
        return int(self.browser.get(f"/api/readings/{study or self.study}").json()["version"])

    def results(self, study: str = "") -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = self.browser.get(f"/api/studies/{study or self.study}/results").json()["results"]
        return told

    def findings(self, study: str = "") -> list[dict[str, Any]]:
        return [f for r in self.results(study) for f in r["findings"]]

    def measure(self, kind: str, points: Any, study: str = "", **more: Any) -> Any:
        body = {"version": self.version(study), "kind": kind, "points": np.asarray(points).tolist(), **more}
        return self.browser.post(f"/api/readings/{study or self.study}/measure", body)

    def segment(self, how: str, **more: Any) -> Any:
        points = np.asarray(more.pop("points", [])).tolist()
        body = {"version": self.version(), "how": how, "series_uid": self.series, "points": points, **more}
        return self.browser.post(f"/api/studies/{self.study}/segment", body)

    def image_at(self, mm: Any) -> tuple[str, Geometry]:
        """The stored image nearest to a point, and its grid."""
        series = next(s for s in self.site.study(self.study, who=HOUSE).series if s.uid == self.series)
        grids = {i.sop_uid: self.site.geometry_of(i.sop_uid, who=HOUSE) for i in series.instances}
        sop = min(grids, key=lambda s: abs(float(grids[s].to_index(mm)[0])))
        return sop, grids[sop]


@pytest.fixture(scope="module")
def jar() -> Phantom:
    return balls.patient(tilt_deg=20.0)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, jar: Phantom) -> Path:
    """An archive with the images and two readers, to be copied for each test."""
    folder = tmp_path_factory.mktemp("marks") / "archive"
    house = open_house(Settings(folder=folder), apart=False)
    house.site.receive((*jar.files, *ultrasound.patient().files), sender="test", who=HOUSE)
    for name in ("ito", "gray"):
        house.site.add_person(name, Role.READER, PASSWORD, who=HOUSE)
    house.close()
    return folder


@pytest.fixture
def bench(tmp_path: Path, archive: Path, jar: Phantom) -> Iterator[Bench]:
    shutil.copytree(archive, tmp_path / "archive")
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    yield Bench(house, jar)
    house.close()


def ends(bench: Bench, ball: int = 0) -> tuple[str, Any, Any, np.ndarray]:
    """Image through the middle of a ball, that image's row and column direction, and the ball's centre in its plane."""
    centre = np.array(bench.jar.truth["balls"][ball]["centre_mm"])
    sop, grid = bench.image_at(centre)
    index = grid.to_index(centre)
    return sop, grid.directions[:, 2], grid.directions[:, 1], grid.to_patient((0.0, index[1], index[2]))


# ---- measuring


def test_a_ball_measures_its_diameter_in_every_direction(bench: Bench) -> None:
    sop, right, down, centre = ends(bench)
    for along in (right, down, (right + down) / np.sqrt(2)):
        assert bench.measure("length", [centre - 12 * along, centre + 12 * along], instance_uid=sop).status_code == 200
    assert [f["measurements"][0]["value"] for f in bench.findings()] == pytest.approx([24.0] * 3, abs=1e-3)
    (one, *_) = bench.results()
    (finding,) = one["findings"]
    assert (one["origin"]["kind"], one["origin"]["name"], finding["verdict"]) == ("person", "ito", "added")
    assert finding["words"] == "Length 24.0 mm"
    assert finding["where"]["instances"] == [sop]
    assert np.array(finding["where"]["points"]) == pytest.approx(
        np.array([centre - 12 * right, centre + 12 * right]), abs=1e-3
    )
    assert one["origin"]["parameters"]["drawn"][finding["tracking"]]["calibration"] == "Pixel Spacing"


def test_values_within_an_ellipse_are_those_of_the_ball(bench: Bench) -> None:
    sop, right, down, centre = ends(bench)
    axes = [centre - 9 * right, centre + 9 * right, centre - 7 * down, centre + 7 * down]
    assert bench.measure("ellipse", axes, instance_uid=sop, window=[-160, 240]).status_code == 200
    (finding,) = bench.findings()
    told = {m["what"]["meaning"]: (m["value"], m["unit"]) for m in finding["measurements"]}
    assert told["Area"] == (pytest.approx(np.pi * 63), "mm2")
    assert told["Mean"] == (pytest.approx(300, abs=2), "[hnsf'U]")
    assert told["Standard Deviation"][0] == pytest.approx(8, abs=1.5)
    assert told["Minimum"][0] < 290 < 310 < told["Maximum"][0]
    assert told["Quantity"][0] == pytest.approx(np.pi * 63 / 0.8, rel=0.03)
    assert bench.results()[0]["origin"]["parameters"]["drawn"][finding["tracking"]]["window"] == [-160, 240]


def test_every_tool_gives_its_numbers(bench: Bench) -> None:
    sop, right, down, centre = ends(bench)
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)[:, None]
    drawn = {
        "bidirectional": [centre - 12 * right, centre + 12 * right, centre - 10 * down, centre + 10 * down],
        "angle": [centre + 5 * right, centre, centre + 5 * down],
        "probe": [centre],
        "freehand": centre + 8 * (np.cos(turn) * right + np.sin(turn) * down),
    }
    for kind, points in drawn.items():
        answer = bench.measure(kind, points, instance_uid=sop)
        assert answer.status_code == 200, answer.text
    words = [f["words"] for f in bench.findings()]
    assert words[0] == "24.0 mm × 20.0 mm"
    assert words[1] == "Angle 90°"
    assert words[2].startswith("Probe ")
    assert words[3].startswith("Area 201 mm², mean 300 HU") or words[3].startswith("Area 201 mm², mean 299 HU")


def test_a_line_on_a_plane_through_the_volume(bench: Bench) -> None:
    centre = np.array(bench.jar.truth["balls"][0]["centre_mm"])
    up, back = np.array([0, 0, 9.0]), np.array([0, 7.0, 0])
    axes = [centre - up, centre + up, centre - back, centre + back]
    answer = bench.measure("ellipse", axes, series_uid=bench.series, normal=[1, 0, 0])
    assert answer.status_code == 200, answer.text
    (finding,) = bench.findings()
    told = {m["what"]["meaning"]: m["value"] for m in finding["measurements"]}
    assert told["Mean"] == pytest.approx(300, abs=2)
    assert finding["where"]["instance_uid"] == ""


def test_drawn_anew_struck_and_back(bench: Bench) -> None:
    sop, right, _, centre = ends(bench)
    bench.measure("length", [centre - 12 * right, centre + 10 * right], instance_uid=sop)
    (finding,) = bench.findings()
    held = bench.results()[0]["id"]
    points = [centre - 12 * right, centre + 12 * right]
    bench.measure("length", points, instance_uid=sop, tracking=finding["tracking"], result=held)
    (again,) = bench.findings()
    assert (again["tracking"], again["words"], again["verdict"]) == (finding["tracking"], "Length 24.0 mm", "added")
    gone = f"/api/readings/{bench.study}/measure/{finding['tracking']}?version={bench.version()}"
    assert bench.browser.ask("DELETE", gone).status_code == 200
    assert bench.findings()[0]["verdict"] == "struck"
    assert bench.browser.ask("DELETE", gone).status_code == 409, "the version was used"


def test_a_mark_goes_out_as_a_structured_report(bench: Bench) -> None:
    sop, right, _, centre = ends(bench)
    bench.measure("length", [centre - 12 * right, centre + 12 * right], instance_uid=sop)
    objects = [dcmread(io.BytesIO(data)) for data in bench.site.objects(bench.study, who=HOUSE)]
    (sr,) = [o for o in objects if o.Modality == "SR"]
    assert "24" in str(sr)


def test_an_image_without_spacing_says_so(bench: Bench) -> None:
    us = ultrasound.patient()
    ds = dcmread(io.BytesIO(us.files[0]))
    box = ds.SequenceOfUltrasoundRegions[0]
    study, sop = ds.StudyInstanceUID, ds.SOPInstanceUID
    bench.open(study)
    x, y = box.RegionLocationMinX0 + 20, box.RegionLocationMinY0 + 20
    assert bench.measure("length", [[x, y], [x + 100, y]], study, instance_uid=sop).status_code == 200
    assert bench.measure("length", [[0, 0], [30, 40]], study, instance_uid=sop).status_code == 200
    inside, outside = bench.findings(study)
    assert inside["measurements"][0]["value"] == pytest.approx(100 * box.PhysicalDeltaX * 10)
    assert inside["words"].endswith("mm, ultrasound region")
    assert (outside["measurements"][0]["value"], outside["measurements"][0]["unit"]) == (50.0, "{pixels}")
    assert outside["words"] == "Length 50 px, px, not calibrated: outside of one ultrasound region"


@pytest.mark.parametrize(
    ("kind", "change", "status", "words"),
    [
        ("length", {"points": [[0, 0, 0]]}, 400, "with 1 points"),
        ("length", {"instance_uid": "1.2.3.4.5"}, 404, "no such image"),
        ("length", {"points": [[0, 0, 999], [1, 1, 999]]}, 400, "outside its image"),
        ("length", {"points": [[1, 1, 1], [2, 2]]}, 400, "two and of three"),
        ("length", {"points": [[1, 1], [2, 2]], "instance_uid": "", "series": True}, 400, "without one stored image"),
        ("length", {"version": 1}, 409, "as you saw it"),
        ("circle", {}, 400, "kind"),
        ("probe", {"points": [[900, 1]]}, 400, "outside its image"),
    ],
)
def test_marks_that_are_refused(bench: Bench, kind: str, change: dict[str, Any], status: int, words: str) -> None:
    sop, right, _, centre = ends(bench)
    body = {"version": bench.version(), "kind": kind, "points": [(centre - right).tolist(), (centre + right).tolist()]}
    body |= {"instance_uid": sop, **change}
    if body.pop("series", None):
        body["series_uid"] = bench.series
    answer = bench.browser.post(f"/api/readings/{bench.study}/measure", body)
    assert answer.status_code == status, answer.text
    assert words in json.dumps(answer.json())
    assert not bench.findings(), "nothing was kept"


def test_nobody_else_marks_while_it_is_read(bench: Bench) -> None:
    sop, right, _, centre = ends(bench)
    bench.browser = bench.signed_in("gray")
    answer = bench.measure("length", [centre, centre + right], instance_uid=sop)
    assert answer.status_code == 409
    assert "ito has this study open" in answer.text
    assert bench.segment("brush", points=[centre], radius=3).status_code == 409


def test_one_step_back_is_one_step_through_strokes_and_marks(bench: Bench) -> None:
    sop, right, _, centre = ends(bench)
    bench.measure("length", [centre, centre + 12 * right], instance_uid=sop)
    volumes = []
    for n in range(3):
        tracking = next((f["tracking"] for f in bench.findings() if f["where"]["has_mask"]), "")
        place = (centre + 4 * n * right).tolist()
        assert bench.segment("brush", points=[place], radius=5.0, tracking=tracking).status_code == 200
        volumes.append(volume_ml(next(f for f in bench.findings() if f["where"]["has_mask"])))

    def undo() -> int:
        return int(bench.browser.post(f"/api/readings/{bench.study}/undo", {"version": bench.version()}).status_code)

    for left in (volumes[1], volumes[0]):
        assert undo() == 200
        assert volume_ml(next(f for f in bench.findings() if f["where"]["has_mask"])) == pytest.approx(left)
    assert undo() == 200
    assert [f["words"] for f in bench.findings()] == ["Length 12.0 mm"]
    assert undo() == 200
    assert not bench.findings()
    assert undo() == 400, "nothing is left to undo: nobody was faster"


def test_a_mark_or_a_stroke_whose_answer_was_lost_is_not_done_twice(bench: Bench) -> None:
    sop, right, _, centre = ends(bench)
    seen = bench.version()
    for _ in range(2):  # the page knows of no answer: it asks again from the version that it saw
        drawn = bench.measure("length", [centre, centre + 12 * right], instance_uid=sop, version=seen, act="mark-1")
        assert drawn.status_code == 200, drawn.text
    assert [f["words"] for f in bench.findings()] == ["Length 12.0 mm"]
    seen = bench.version()
    for _ in range(2):
        painted = bench.segment("brush", points=[centre], radius=5.0, version=seen, act="stroke-1")
        assert painted.status_code == 200, painted.text
    (region,) = [f for f in bench.findings() if f["where"]["has_mask"]]
    seen = bench.version()
    for _ in range(2):  # what it took away is gone by the second asking, which must not say that nothing is left
        away = {"add": False, "tracking": region["tracking"], "version": seen, "act": "stroke-2"}
        erased = bench.segment("brush", points=[centre + 3 * right], radius=4.0, **away)
        assert erased.status_code == 200, erased.text
    assert len(bench.findings()) == 2
    assert bench.segment("brush", points=[centre], radius=5.0, version=seen, act="stroke-3").status_code == 409
    assert bench.segment("brush", points=[centre], radius=5.0, act="no name/").status_code == 400


def test_lock_words_undo_and_signature_whose_answer_was_lost_are_not_done_twice(bench: Bench) -> None:
    at, browser = f"/api/readings/{bench.study}", bench.browser
    words = {"text": "Nothing else.", "section": "Impression"}
    acts: list[tuple[Callable[..., Any], str, dict[str, Any]]] = [
        (browser.post, "lock", {"nothing": True}),
        (browser.put, "sentences/own-1", words),
        (browser.put, "template", {"name": "ct_chest"}),
        (browser.put, "sentences/own-2", words),
        (browser.post, "undo", {}),
        (browser.post, "sign", {}),
    ]
    for number, (ask, path, body) in enumerate(acts):
        asked = {**body, "version": bench.version(), "act": f"act-{number}"}
        first, again = ask(f"{at}/{path}", asked), ask(f"{at}/{path}", asked)
        assert (first.status_code, again.status_code) == (200, 200), again.text
        assert again.json() == first.json()
        assert ask(f"{at}/{path}", {**asked, "act": "another"}).status_code == 409
        assert ask(f"{at}/{path}", {**asked, "act": "no name/"}).status_code == 400
    told = browser.get(f"{at}/report").json()
    assert [s["id"] for s in told["sentences"] if s["text"] == words["text"]] == ["own-1"]
    assert (told["state"], told["number"]) == ("final", 1)


def test_a_stroke_asked_again_while_it_is_still_computed_is_no_others_act(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, _, centre = ends(bench)
    whole, who = outlining.outlined, Person("ito", Role.READER)
    seen = bench.version()

    def slow(study: Any, edit: Any, *given: Any) -> Any:
        monkeypatch.setattr(outlining, "outlined", whole)
        # the first asking ends meanwhile
        bench.site.segment(bench.study, edit, version=bench.site.tickets.seen(seen), act="stroke-1", who=who)
        return whole(study, edit, *given)

    monkeypatch.setattr(outlining, "outlined", slow)
    again = bench.segment("brush", points=[centre], radius=5.0, version=seen, act="stroke-1")
    assert again.status_code == 200, again.text
    assert len(bench.findings()) == 1


def test_a_number_stays_with_its_finding_whatever_is_said_of_it_and_is_not_given_twice(bench: Bench) -> None:
    sop, right, down, centre = ends(bench)

    def numbers() -> dict[str, int]:
        return {f["tracking"]: f["number"] for f in bench.findings()}

    for along in (right, down):
        bench.measure("length", [centre, centre + 12 * along], instance_uid=sop)
    first, second = numbers()
    assert numbers() == {first: 1, second: 2}
    held = next(r["id"] for r in bench.results() if r["findings"][0]["tracking"] == first)
    again = {"instance_uid": sop, "tracking": first, "result": held}
    assert bench.measure("length", [centre, centre + 9 * right], **again).status_code == 200
    assert list(numbers()) == [second, first], "the newest result is the last"
    assert numbers() == {first: 1, second: 2}
    bench.measure("angle", [centre + 5 * right, centre, centre + 5 * down], instance_uid=sop)
    (third,) = set(numbers()) - {first, second}
    assert bench.browser.post(f"/api/readings/{bench.study}/undo", {"version": bench.version()}).status_code == 200
    bench.measure("length", [centre, centre + 6 * down], instance_uid=sop)
    assert third not in numbers() and sorted(numbers().values()) == [1, 2, 4]


def test_an_angle_says_nothing_of_a_spacing_on_which_it_does_not_depend(bench: Bench) -> None:
    sop, right, down, centre = ends(bench)
    bench.measure("angle", [centre + 5 * right, centre, centre + 5 * down], instance_uid=sop)
    (one,) = bench.results()
    (finding,) = one["findings"]
    assert finding["measurements"][0]["value"] == pytest.approx(90.0, abs=1e-3)
    assert "calibration" not in one["origin"]["parameters"]["drawn"][finding["tracking"]]
    table = bench.browser.get(f"/api/readings/{bench.study}/report.csv").text
    assert "between the two arms" in table and "Pixel Spacing" not in table


# ---- outlining


def volume_ml(finding: dict[str, Any]) -> float:
    return float(next(m["value"] for m in finding["measurements"] if m["what"]["meaning"] == "Volume"))


def test_a_click_outlines_a_ball_and_goes_out_as_a_segmentation(bench: Bench) -> None:
    ball = bench.jar.truth["balls"][0]
    answer = bench.segment("click", points=[ball["centre_mm"]], words="Ball")
    assert answer.status_code == 200, answer.text
    (finding,) = bench.findings()
    assert volume_ml(finding) == pytest.approx(np.pi * 24**3 / 6000, rel=0.06)
    assert finding["where"]["centre_mm"] == pytest.approx(ball["centre_mm"], abs=0.5)
    (seg,) = [
        o for o in (dcmread(io.BytesIO(d)) for d in bench.site.objects(bench.study, who=HOUSE)) if o.Modality == "SEG"
    ]
    assert seg.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"
    assert int(np.unpackbits(np.frombuffer(seg.PixelData, np.uint8)).sum()) * 1.6 / 1000 == pytest.approx(
        volume_ml(finding)
    )


def test_a_region_is_taken_as_a_file_in_four_forms_and_the_journal_tells_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ball = bench.jar.truth["balls"][0]
    assert bench.segment("threshold", points=[ball["centre_mm"]], radius=15.0, values=[150, 900]).status_code == 200
    (result,) = bench.results()
    (finding,) = result["findings"]
    here = f"/api/results/{result['id']}/regions/{finding['tracking']}"
    taken = {form: bench.browser.get(f"{here}/{form}") for form in ("seg", "nifti", "stl", "glb")}
    assert {form: answer.status_code for form, answer in taken.items()} == dict.fromkeys(taken, 200)
    assert taken["seg"].headers["content-disposition"].endswith('.seg.dcm"')
    seg = dcmread(io.BytesIO(taken["seg"].content))
    voxels = int(np.unpackbits(np.frombuffer(seg.PixelData, np.uint8)).sum())
    mask = Nifti1Image.from_bytes(gzip.decompress(taken["nifti"].content))
    assert voxels == np.count_nonzero(mask.get_fdata())
    assert voxels * 1.6 / 1000 == pytest.approx(volume_ml(finding))
    (triangles,) = struct.unpack_from("<I", taken["stl"].content, 80)
    assert triangles > 100
    assert taken["glb"].content[:4] == b"glTF"
    sent = [s.event.details["destination"] for s in bench.site.journal.since() if s.event.kind is Kind.SENT]
    assert sent == [f"a file ({form})" for form in taken]
    assert bench.browser.get(f"{here}/pdf").status_code == 404
    assert bench.browser.get(f"{here}0/seg").status_code == 404
    with monkeypatch.context() as shown:
        shown.setattr(bench.site.consents, "of_demonstration", lambda study: study == bench.study)
        answer = bench.browser.get(f"{here}/seg")
    assert (answer.status_code, "an image of the demonstration" in answer.text) == (400, True)
    asked = {"version": bench.version(), "tracking": finding["tracking"], "verdict": "struck", "reason": "deleted"}
    assert bench.browser.post(f"/api/readings/{bench.study}/correct", asked).status_code == 200
    struck = bench.results()[0]["id"]
    assert bench.browser.get(f"/api/results/{struck}/regions/{finding['tracking']}/seg").status_code == 404


def test_what_is_made_ready_is_not_decoded_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    whole = outlining.volumes_of
    monkeypatch.setattr(outlining, "volumes_of", lambda s, get: decoded.append(s.uid) or whole(s, get))
    at = f"/api/studies/{bench.study}/series/{bench.series}/ready"
    assert bench.browser.post(f"{at}?step=program").status_code == 204 and decoded == []
    assert bench.browser.post(f"{at}?step=images").status_code == 204 and decoded == [bench.series]
    assert bench.browser.post(f"{at}?step=all").status_code == 400
    assert bench.browser.post(at).status_code == 204
    assert bench.segment("click", points=[bench.jar.truth["balls"][0]["centre_mm"]]).status_code == 200
    assert decoded == [bench.series]
    assert bench.browser.post(f"/api/studies/{bench.study}/series/1.2.3/ready").status_code == 404


def test_paint_erase_and_threshold_change_one_region(bench: Bench) -> None:
    ball = bench.jar.truth["balls"][0]
    assert bench.segment("brush", points=[ball["centre_mm"]], radius=9.0).status_code == 200
    (finding,) = bench.findings()
    before = volume_ml(finding)
    assert before == pytest.approx(4 / 3 * np.pi * 0.729, rel=0.02)
    tracking = finding["tracking"]
    erased = bench.segment("brush", points=[ball["centre_mm"]], radius=5.0, add=False, tracking=tracking)
    assert erased.status_code == 200
    assert volume_ml(bench.findings()[0]) == pytest.approx(before - 4 / 3 * np.pi * 0.125, rel=0.03)
    filled = bench.segment("threshold", points=[ball["centre_mm"]], radius=15.0, values=[150, 900], tracking=tracking)
    assert filled.status_code == 200
    (last,) = bench.findings()
    assert volume_ml(last) == pytest.approx(np.pi * 24**3 / 6000, rel=0.03)
    assert (last["tracking"], last["verdict"]) == (tracking, "added")
    assert next(m["value"] for m in last["measurements"] if m["what"]["meaning"] == "Mean") == pytest.approx(295, abs=8)


def test_clicks_go_on_from_those_before_and_keep_what_was_painted(bench: Bench) -> None:
    first, second = (b["centre_mm"] for b in bench.jar.truth["balls"][:2])
    bench.segment("brush", points=[first], radius=6.0)
    (painted,) = bench.findings()
    assert bench.segment("click", points=[second], tracking=painted["tracking"]).status_code == 200
    (both,) = bench.findings()
    assert volume_ml(both) == pytest.approx(volume_ml(painted) + np.pi * 16**3 / 6000, rel=0.1)
    inside = [second[0] + 3.0, second[1], second[2]]
    assert bench.segment("click", points=[inside], tracking=painted["tracking"]).status_code == 200
    assert volume_ml(bench.findings()[0]) == volume_ml(both), "it was inside already"
    away = [first[0] + 4.0, first[1], first[2]]
    assert bench.segment("click", points=[away], add=False, tracking=painted["tracking"]).status_code == 200
    assert volume_ml(bench.findings()[0]) < volume_ml(both), "what was painted yields to a click outside"
    drawn = bench.results()[0]["origin"]["parameters"]["drawn"][painted["tracking"]]
    assert [sorted(c) for c in drawn["clicks"]] == [["inside", "mm"]] * 3


def test_the_last_voxel_is_not_taken_away_and_large_volumes_are_written_as_numbers(bench: Bench) -> None:
    centre = bench.jar.truth["balls"][0]["centre_mm"]
    assert bench.segment("brush", points=[centre], radius=4.0).status_code == 200
    (painted,) = bench.findings()
    answer = bench.segment("brush", points=[centre], radius=9.0, add=False, tracking=painted["tracking"])
    assert (answer.status_code, "strike the finding" in answer.text) == (400, True)
    assert volume_ml(bench.findings()[0]) == volume_ml(painted)
    assert bench.segment("brush", points=[centre], radius=300.0, tracking=painted["tracking"]).status_code == 200
    assert bench.findings()[0]["words"] == f"Region: {48 * 128 * 144 * 1.6 / 1000:.0f} mL."


def test_a_box_on_a_picture_without_a_place_in_the_patient(bench: Bench) -> None:
    study = str(dcmread(io.BytesIO(ultrasound.patient().files[0])).StudyInstanceUID)
    (series,) = bench.site.study(study, who=HOUSE).series
    image = series.instances[0]
    bench.open(study)
    box = [[image.columns * part, image.rows * part] for part in (0.3, 0.7)]
    body = {"how": "click", "series_uid": series.uid, "instance_uid": image.sop_uid, "points": [], "box": box}
    answer = bench.browser.post(f"/api/studies/{study}/segment", body | {"version": bench.version(study)})
    assert answer.status_code == 200, answer.text
    area = bench.findings(study)[0]["measurements"][0]
    assert area["unit"] == "mm2"
    assert bench.findings(study)[0]["words"] == f"Region: {area['value']:.0f} mm².", (
        "an ultrasound says how large its pixels are"
    )


def test_a_box_outlines_a_ball_without_a_click(bench: Bench) -> None:
    centre = np.array(bench.jar.truth["balls"][0]["centre_mm"])
    reach = 14 * bench.image_at(centre)[1].directions.sum(axis=1)  # along the axes of its images, which are tilted
    box = [(centre - reach).tolist(), (centre + reach).tolist()]
    assert bench.segment("click", box=box).status_code == 200
    (finding,) = bench.findings()
    assert volume_ml(finding) == pytest.approx(np.pi * 24**3 / 6000, rel=0.06)
    assert bench.segment("click", box=[box[0], box[0]]).status_code == 400


@pytest.mark.parametrize(
    ("how", "change", "status", "words"),
    [
        ("brush", {"radius": 0}, 400, "radius 0"),
        ("brush", {"points": [[999, 0, 0]]}, 400, "beside the image"),
        ("brush", {"tracking": "2.25.9"}, 404, "no such region"),
        ("brush", {"series_uid": "1.2"}, 404, "no such series"),
        ("brush", {"add": False}, 400, "changes nothing"),
        ("brush", {"points": [[3, 4]]}, 400, "columns and rows"),
        ("threshold", {}, 400, "without a range"),
        ("threshold", {"radius": 0, "values": [0, 9]}, 400, "without a brush or a box"),
        ("threshold", {"values": [2000, 3000]}, 400, "no voxel from 2000"),
        ("click", {"points": [[70.0, -30.0, 140.0]]}, 400, "click in air"),
        ("click", {"points": []}, 400, "no click inside"),
        ("click", {"add": False}, 400, "no click inside"),
        ("paint", {}, 400, "how"),
        ("brush", {"version": 1}, 409, "as you saw it"),
    ],
)
def test_acts_that_are_refused(bench: Bench, how: str, change: dict[str, Any], status: int, words: str) -> None:
    centre = bench.jar.truth["balls"][0]["centre_mm"]
    answer = bench.segment(how, **{"points": [centre], "radius": 4.0, **change})
    assert answer.status_code == status, answer.text
    assert words in json.dumps(answer.json())
    assert not bench.findings()


def test_a_mark_is_no_region_to_paint_on(bench: Bench) -> None:
    sop, right, _, centre = ends(bench)
    bench.measure("length", [centre, centre + right], instance_uid=sop)
    answer = bench.segment("brush", points=[centre], radius=4.0, tracking=bench.findings()[0]["tracking"])
    assert answer.status_code == 400
    assert "without a region" in answer.text


# ---- sections, masks, maps


def test_a_section_in_any_plane_lies_on_the_ball(bench: Bench) -> None:
    ball = bench.jar.truth["balls"][0]
    bench.segment("brush", points=[ball["centre_mm"]], radius=12.0)
    held, tracking = bench.results()[0]["id"], bench.findings()[0]["tracking"]
    _, right, down, _ = ends(bench)
    for normal in ([1, 0, 0], [0, 1, 0], [0, 0, 1], np.cross(right, down).tolist(), [1, 1, 1]):
        place = ",".join(f"{v}" for v in ball["centre_mm"])
        told = bench.browser.get(
            f"/api/results/{held}/section?point={place}&normal={','.join(map(str, normal))}"
        ).json()
        (line,) = told["outlines"][tracking]["lines"]
        flat = np.array(line).reshape(-1, 2) / 100
        points = np.array(told["origin"]) + flat @ np.array([told["right"], told["down"]])
        away = np.linalg.norm(points - np.array(ball["centre_mm"]), axis=1)
        assert np.abs((points - np.array(ball["centre_mm"])) @ np.array(normal)).max() < 0.02
        assert away.mean() == pytest.approx(12.0, abs=0.6)
        x, y = flat.T
        area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
        assert area == pytest.approx(np.pi * 144, rel=0.03)
    far = bench.browser.get(f"/api/results/{held}/section?point=0,0,0&normal=0,0,1").json()
    assert far["outlines"] == {}
    assert bench.browser.get(f"/api/results/{held}/section?point=0,0&normal=0,0,1").status_code == 400
    assert bench.browser.get(f"/api/results/{held}/section?point=0,0,0&normal=0,0,0").status_code == 400


def test_a_mask_on_a_series_has_the_voxels_of_its_regions(bench: Bench) -> None:
    ball = bench.jar.truth["balls"][0]
    bench.segment("brush", points=[ball["centre_mm"]], radius=12.0)
    held, finding = bench.results()[0]["id"], bench.findings()[0]
    answer = bench.browser.get(f"/api/results/{held}/mask?on={bench.series}")
    told = json.loads(answer.headers["x-isocenter-array"])
    assert answer.headers["content-encoding"] == "gzip"
    labels = np.frombuffer(answer.content, np.uint8).reshape(told["shape"])
    assert told["regions"] == [finding["tracking"]]
    grid = Geometry(np.array(told["affine"]), tuple(told["shape"]))
    assert (labels == 1).sum() * grid.voxel_volume_mm3 / 1000 == pytest.approx(volume_ml(finding))
    assert grid.to_patient(np.argwhere(labels).mean(axis=0)) == pytest.approx(ball["centre_mm"], abs=0.3)
    assert bench.browser.get(f"/api/results/{held}/mask?on=1.2").status_code == 404


def test_a_map_comes_as_numbers_with_its_place_and_unit(bench: Bench) -> None:
    grid = Geometry.regular(shape=(3, 4, 5), spacing_mm=(2, 1, 1), frame_of_reference="1.2.9")
    values = np.linspace(0, 90000, 60, dtype=np.float32).reshape(grid.shape)
    values[0, 0, 0] = np.nan
    blob = maps.pack(Volume(values, grid))
    shown = Map("CBF", "flow", "mL/min", grid, bench.site.blobs.put(blob), low=0.0, high=80.0,
                thresholds=(Threshold("flow below 25", high=25.0),))  # fmt: skip
    made = Result(bench.study, Outcome.FOUND, Origin("machine", "perfusion", "1"), bench.site.clock(), maps=(shown,))
    digest = bench.site.blobs.put(canonical(made))
    bench.site.journal.append(Event(Kind.RESULT_MADE, bench.site.clock(), "isocenter", bench.study, {"result": digest}))
    answer = bench.browser.get(f"/api/results/{digest}/map?name=CBF")
    told = json.loads(answer.headers["x-isocenter-array"])
    got = np.frombuffer(answer.content, "<f2").reshape(told["shape"]).astype(np.float64) * told["scale"]
    assert got[1:] == pytest.approx(values[1:], rel=1e-3)
    assert np.isnan(got[0, 0, 0])
    assert (told["unit"], told["voxel_ml"], told["low"], told["high"]) == ("mL/min", 0.002, 0.0, 80.0)
    assert told["thresholds"] == [{"name": "flow below 25", "low": None, "high": 25.0}]
    assert bench.browser.get(f"/api/results/{digest}/map?name=CBV").status_code == 404


def test_what_is_sure_lies_within_what_is_possible(bench: Bench) -> None:
    grid = Geometry.regular(shape=(8, 40, 40), frame_of_reference="1.2.9")
    r, c = np.mgrid[:40, :40]
    chance = np.clip(1.2 - np.hypot(r - 20, c - 20) / 12, 0, 1).astype(np.float32)[None].repeat(8, axis=0)
    probability = Map("p", "probability", "1", grid, bench.site.blobs.put(maps.pack(Volume(chance, grid))))
    finding = Finding(codes.LESION, where=Region(grid, mask=chance > 0.4), tracking="2.25.7")
    made = Result(bench.study, Outcome.FOUND, Origin("machine", "m", "1"), bench.site.clock(), findings=(finding,),
                  maps=(probability,))  # fmt: skip
    digest = bench.site.blobs.put(canonical(made))
    bench.site.journal.append(Event(Kind.RESULT_MADE, bench.site.clock(), "isocenter", bench.study, {"result": digest}))
    told = bench.browser.get(f"/api/results/{digest}/section?point=0,0,4&normal=0,0,1").json()["outlines"]["2.25.7"]

    def reach(line: list[int]) -> float:
        return float(np.ptp(np.array(line).reshape(-1, 2), axis=0).max()) / 100

    assert 6 < reach(told["sure"][0]) < 10 < 17 < reach(told["lines"][0]) < 21
