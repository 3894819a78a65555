"""A run always gives a Result: found, none, or declined with its reason; whatever the analysis does."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.analysis import registry, weights
from isocenter.analysis.need import Dated
from isocenter.analysis.run import Request, _as, run, run_apart
from isocenter.errors import MissingPart, NotFound, Refused
from isocenter.record import Model, Outcome, Result, Urgency, from_plain, to_plain
from isocenter.space import Geometry, Region, Volume

NOW = datetime(2026, 1, 2, tzinfo=UTC)
sys.path.insert(0, str(Path(__file__).parent))


class Inputs:
    """One volume; travels to another process."""

    def __call__(self) -> dict[str, Any]:
        array = np.zeros((3, 8, 8), np.float32)
        array[1, 2:4, 2:4] = 1.0
        return {"image": Volume(array, Geometry.regular(shape=(3, 8, 8), spacing_mm=(5, 2, 2)))}


def request(name: str, **given: Any) -> Request:
    return Request(f"strange_analyses:{name}", "1.2", _volume, NOW, given, ("d2", "d1"), ("1.1",))


def _volume() -> dict[str, Any]:
    return Inputs()()


def test_a_found_answer_carries_origin_receipt_and_urgency() -> None:
    done = run(request("Bright", above=0.25))
    result = done.result
    assert result.outcome is Outcome.FOUND
    assert result.urgency is Urgency.SOON
    assert result.findings[0].measurements[0].value == pytest.approx(4 * 20 / 1000)
    assert result.origin.parameters == {"above": 0.25, "mode": "a"}
    assert result.receipt.inputs == ("d1", "d2")
    assert result.findings[0].tracking.startswith("2.25.")
    assert from_plain(Result, to_plain(result)).id == result.id
    (heat,) = result.maps
    assert heat.kind == "sensitivity"
    assert hashlib.sha256(done.blobs[heat.digest]).hexdigest() == heat.digest
    assert np.load(io.BytesIO(done.blobs[heat.digest]), allow_pickle=False).dtype == np.float32


def test_a_map_of_sensitivity_is_one_also_where_nothing_says_so() -> None:
    kinds = {m.name: m.kind for m in run(request("Unsaid")).result.maps}
    assert kinds == {"grad_cam": "sensitivity", "where": "sensitivity", "flow": "parametric"}


def test_the_same_input_gives_the_same_findings_and_tracking() -> None:
    first, second = run(request("Bright")).result, run(request("Bright")).result
    assert first.findings == second.findings


def test_crossing_contours_are_told_by_whatever_measures_what_they_enclose() -> None:
    grid = Geometry.regular(shape=(3, 8, 8), spacing_mm=(5, 2, 2))
    mask = np.zeros(grid.shape, bool)
    mask[1, 2:5, 2:5] = True
    unsure = Region.of_contours(grid, mask, None, label="wall", shared_ml=0.216)
    for given in ((unsure, unsure), [Dated("1.2", NOW.date(), (unsure,))]):
        done = run(Request("isocenter.catalogue.volumetry:Volumetry", "1.2", lambda g=given: {"structures": g}, NOW))
        told = [r for r in done.result.reasons if "contours of wall cross" in r]
        assert told == [
            "WARNING: contours of wall cross, and what they share was left out as a hole: if they are parts of it, its "
            "volume is 0.22 mL larger"
        ]


def test_looked_and_found_none_is_its_own_answer() -> None:
    assert run(request("Bright", above=2.0)).result.outcome is Outcome.NONE


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Refusing", "a nodule could hide"),
        ("Failing", "fault of the analysis, not of the images"),
        ("Undeclared", "does not declare"),
        ("UndeclaredUnit", "does not declare that unit"),
        ("UndeclaredMap", "does not declare"),
        ("NoAnswer", "must return an Answer"),
        ("Weighted", "are not there"),
    ],
)
def test_whatever_goes_wrong_is_a_declined_answer_that_says_so(name: str, word: str) -> None:
    result = run(request(name)).result
    assert result.outcome is Outcome.DECLINED
    assert word in result.reasons[0]
    assert not result.findings
    assert not result.maps


@pytest.mark.parametrize(
    ("given", "word"),
    [({"abov": 1}, "bright has above, mode"), ({"above": "x"}, "must be a number"), ({"mode": "c"}, "one of a, b")],
)
def test_wrong_parameters_are_refused_by_name(given: dict[str, Any], word: str) -> None:
    result = run(request("Bright", **given)).result
    assert result.outcome is Outcome.DECLINED
    assert word in result.reasons[0]


@pytest.mark.parametrize(
    ("kind", "given", "taken"),
    [
        (bool, "false", False), (bool, "No", False), (bool, "0", False), (bool, "yes", True), (bool, True, True),
        (bool, 1, True), (int, "12", 12), (int, 3.0, 3), (float, "-2.5", -2.5), (float, 3, 3), (str, "a, b", "a, b"),
        (str, (12, 10, 14), "12, 10, 14"), (str, 4.0, "4.0"),
    ],
)  # fmt: skip
def test_a_parameter_is_taken_as_its_kind_however_it_was_written(kind: type, given: Any, taken: Any) -> None:
    found = _as(kind, given)
    assert found == taken and (kind is float or type(found) is kind)


@pytest.mark.parametrize(
    ("kind", "given"),
    [(bool, "maybe"), (bool, ""), (int, "2.5"), (int, True), (float, "nan"), (float, "1,5"), (float, False)],
)
def test_what_is_none_of_a_parameters_kind_is_refused(kind: type, given: Any) -> None:
    with pytest.raises(ValueError, match=r"^"):
        _as(kind, given)


def test_a_choice_is_known_however_it_is_written() -> None:
    """Solid was none of solid, and hadlock none of Hadlock."""
    result = run(request("Bright", mode=" B ")).result
    assert result.outcome is Outcome.FOUND and result.origin.parameters["mode"] == "b"


def test_a_run_apart_gives_the_same_as_a_run_here() -> None:
    here, apart = run(request("Bright")), run_apart(request("Bright"))
    assert apart.result.findings == here.result.findings
    assert apart.blobs == here.blobs


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Endless", "more than 0.5 s, its limit. Run it again"),
        ("Greedy", "200 MiB"),
        ("Dying", "ended with code -9: killed, out of memory, or a fault in a library. Run it again"),
        ("Failing", "oops"),
        ("Filling", "it wrote more than 24 MiB to the disk, its limit"),
        ("Swelling", "File too large"),
    ],
)
def test_limits_hold_and_the_next_run_works(name: str, word: str) -> None:
    assert word in run_apart(request(name)).result.reasons[0]
    assert run_apart(request("Bright")).result.outcome is Outcome.FOUND


def test_nothing_of_a_run_that_filled_the_disk_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert "24 MiB" in run_apart(request("Filling")).result.reasons[0]
    assert not list(tmp_path.iterdir())


def test_a_run_that_finds_no_room_for_temporary_files_is_declined_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    assert (
        "no room for its temporary files (No such file or directory)" in run_apart(request("Bright")).result.reasons[0]
    )


def test_a_run_that_a_busy_machine_does_not_get_round_to_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("isocenter.analysis.run.processor_seconds", lambda pid: asked.append(pid) or 0.0)
    assert run_apart(request("Slower")).result.outcome is Outcome.NONE  # four fifths more than its limit on the clock
    assert len(asked) > 2
    assert "more than 0.5 s, its limit" in run_apart(request("Endless")).result.reasons[0], "but not for ever"


def test_a_run_that_nobody_wants_any_more_ends_before_its_limit() -> None:
    looks = iter((False, True))
    assert run_apart(request("Endless"), stopped=lambda: next(looks)).result.reasons == ("it was stopped",)


def test_an_analysis_apart_has_no_network_and_starts_nothing() -> None:
    result = run_apart(request("Calling")).result
    if not sys.platform.startswith("linux"):
        pytest.skip("the kernel's own filter is Linux's")
    assert result.outcome is Outcome.NONE, result.reasons


def test_analyses_are_loaded_by_address_and_refused_by_name() -> None:
    assert registry.load("strange_analyses:Bright").name == "bright"
    assert registry.address(registry.load("strange_analyses:Bright")) == "strange_analyses:Bright"
    with pytest.raises(Refused, match="Say strange_analyses:ClassName"):
        registry.load("strange_analyses:")
    with pytest.raises(NotFound, match="Nothing"):
        registry.load("strange_analyses:Nothing")
    with pytest.raises(NotFound, match="Install it"):
        registry.load("no_such_module_anywhere:X")
    with pytest.raises(NotFound, match="there are"):
        registry.discover().get("no_such_analysis")


def test_analyses_are_looked_for_when_somebody_first_asks_and_once() -> None:
    asked: list[str] = []

    def find() -> tuple[dict[str, Any], dict[str, str]]:
        asked.append("now")
        return {}, {"odd": "it would not load"}

    lazy = registry.Registry(find=find)
    assert asked == []
    with pytest.raises(NotFound, match="it would not load"):
        lazy.get("odd")
    assert lazy.analyses == {} and asked == ["now"]


def test_the_one_that_fits_most_is_loaded_alone_for_who_stops_there(tmp_path: Path) -> None:
    """In a process of its own: here every analysis is loaded already."""
    look = """
import subprocess
import sys
from isocenter.analysis.registry import discover
found = discover()
first = next(found.each())
assert first.name == "image_quality" and not found.loaded
assert not any(name.startswith(("isocenter.catalogue.r", "numba")) for name in sys.modules)
names = [one.name for one in found.each()]
assert names[0] == "image_quality" and sorted(names) == list(found.analyses), names
"""
    subprocess.run([sys.executable, "-c", look], check=True, cwd=tmp_path)
    mine = registry.Registry({"toy": registry.load("strange_analyses:Bright")}, {})
    assert len(list(mine.each())) == 1 and mine.loaded


def test_the_analyses_that_ship_are_found_without_a_list() -> None:
    found = registry.discover()
    assert found.broken == {}
    assert {"image_quality", "chest_xray_opacity", "pet_uptake", "volumetry"} <= set(found.analyses)


def _shelve(folder: Path, data: bytes, digest: str) -> None:
    place = folder / "toy"
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(data)
    (place / "model.json").write_text(json.dumps(to_plain(Model("toy", "1", digest))), "utf-8")


@pytest.mark.parametrize(
    ("data", "digest", "word"),
    [
        (b"\x80\x04pickle", "", "could run code"),
        (b"PK\x03\x04zip", "", "could run code"),
        (b"not an onnx file", None, "cannot be opened"),
        (b"changed", "0" * 64, "not the model whose evidence"),
    ],
)
def test_weights_that_are_not_what_the_card_names_are_never_opened(
    tmp_path: Path, data: bytes, digest: str | None, word: str
) -> None:
    _shelve(tmp_path, data, hashlib.sha256(data).hexdigest() if digest is None else digest)
    with pytest.raises(Refused, match=word):
        weights.open_session("toy", tmp_path)


def test_a_missing_model_file_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match="into toy in that folder"):
        weights.open_session("toy", tmp_path)
