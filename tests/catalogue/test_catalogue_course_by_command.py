"""The course of lesions as the command tells it of DICOM: published cases, iRECIST, splits and merges, nothing left."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from drawn_course import Bar, of_sum, study
from typer.testing import CliRunner

from isocenter.cli import app

Visits = Mapping[int, Mapping[str, Bar]]


def told(folder: Path, patients: Mapping[str, Visits], **given: Any) -> dict[str, list[list[dict[str, Any]]]]:
    """Patient -> the findings of each visit after baseline, by day; a visit that is declined has its reasons."""
    folder.mkdir()
    days: dict[str, list[str]] = {}
    for name, visits in patients.items():
        for day, bars in visits.items():
            files = study(name, day, bars)
            for n, data in enumerate(files):
                (folder / f"{name}-{day:03d}-{n}.dcm").write_bytes(data)
            days.setdefault(name, []).append(str(pydicom.dcmread(io.BytesIO(files[0])).StudyInstanceUID))
    said = [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
    done = CliRunner().invoke(app, ["analyse", str(folder), "--only", "lesion_response", "--json", *said])
    assert done.exit_code == 0, done.output
    by_study = {r["study_uid"]: r["findings"] or r["reasons"] for r in json.loads(done.stdout)}
    return {name: [by_study[u] for u in uids[1:]] for name, uids in days.items()}


def words(findings: list[Any], start: str) -> str:
    return next((f["words"] for f in findings if f["words"].startswith(start)), "")


def best(findings: list[Any]) -> str:
    return words(findings, "Best overall response").split(" ")[3]


def test_structures_without_contours_are_a_complete_response_where_a_person_says_so(tmp_path: Path) -> None:
    visits = {0: of_sum(80), 70: of_sum(0), 154: of_sum(0)}
    first, second = told(tmp_path / "said", {"CR": visits}, all_gone=True)["CR"]
    assert "RECIST 1.1: CR" in words(first, "RECIST") and best(first) == "SD" and best(second) == "CR"
    for declined in told(tmp_path / "unsaid", {"CR": visits})["CR"]:
        assert "an outline that was forgotten looks like a lesion that is gone" in declined[0]


def test_the_best_response_by_irecist_outlives_a_progression_that_nobody_confirmed(tmp_path: Path) -> None:
    visits = {day: of_sum(mm) for day, mm in ((0, 110), (56, 145), (112, 70), (150, 70))}
    seen = told(tmp_path / "immune", {"P": visits}, criteria="iRECIST")["P"]
    assert [words(v, "iRECIST").split(" ")[1] for v in seen] == ["iUPD", "iPR", "iPR"]
    assert [best(v) for v in seen] == ["iUPD", "iSD", "iPR"]


def test_what_splits_and_what_grows_together_is_told(tmp_path: Path) -> None:
    bars = {"whole": (4, 10, 28, 6), "left": (20, 10, 11, 6), "right": (20, 25, 12, 6)}
    later = {"one": (4, 10, 11, 6), "two": (4, 25, 12, 6), "joined": (20, 10, 28, 6)}
    (seen,) = told(tmp_path / "parts", {"P": {0: bars, 60: later}})["P"]
    split = [f["where"]["label"] for f in seen if "has split" in f["words"]]
    assert sorted(split) == ["one", "two"]
    joined = next(f for f in seen if "has grown together with lesion 2" in f["words"])
    assert joined["where"]["label"] == "joined" and "Lesion 3 (right)" in joined["words"]


BEST = {"003": "PD", "006": "NE", "010": "SD", "011": "SD", "012": "CR", "022": "CR", "023": "PD"}
"""By RECIST 1.1 where the published set has it wrong, or states what is no best response."""


@pytest.mark.nightly
def test_every_published_sum_has_its_best_response_by_the_command(reference: Path, tmp_path: Path) -> None:
    cases = json.loads((reference / "recist-cases" / "cases.json").read_text())["sum_of_diameters_cases"]
    kept = {c["id"]: c for c in cases if len(c["day_sum_mm"]) > 1}
    visits = {i: {d: of_sum(mm) for d, mm in c["day_sum_mm"]} for i, c in kept.items()}
    visits["012"] = {d: {"liver 1": (6, 5, mm, 1)} for d, mm in kept["012"]["day_sum_mm"]}  # 10 mm are one lesion's
    seen = told(tmp_path / "all", visits, all_gone=True)
    assert len(seen) == 19
    for name, each in seen.items():
        assert best(each[-1]) == BEST.get(name, kept[name]["upstream_expected_BOR"]), name
        total = next(m["value"] for f in each[-1] for m in f["measurements"] if m["what"]["code"] == "sum-of-diameters")
        assert total == pytest.approx(kept[name]["day_sum_mm"][-1][1], abs=1e-6), name


def planted(rng: np.random.Generator) -> tuple[dict[str, Bar], dict[str, Bar], set[tuple[str, str]]]:
    """Lesions then and now on a lattice, shifted and of other sizes, and which belongs to which."""
    then: dict[str, Bar] = {}
    now: dict[str, Bar] = {}
    links = set()
    places = [(2 + 15 * r, 3 + 33 * c) for r in range(3) for c in range(6)]
    rng.shuffle(places)
    kinds = ["same"] * 6 + ["split"] * 2 + ["merged"] * 2 + ["new"] * 2 + ["gone"] * 2
    for i, (kind, (r, c)) in enumerate(zip(kinds, places, strict=False)):
        long, wide, grown = int(rng.integers(10, 24)), int(rng.integers(4, 8)), float(rng.choice([0.6, 0.8, 1.2, 1.3]))
        whole, left, right = (r + 1, c, 28, wide), (r + 1, c, 11, wide), (r + 1, c + 15, 12, wide)
        if kind == "split":
            then[f"then {i}"], now[f"now {i}x"], now[f"now {i}y"] = whole, left, right
            links |= {(f"then {i}", f"now {i}x"), (f"then {i}", f"now {i}y")}
        elif kind == "merged":
            now[f"now {i}"], then[f"then {i}x"], then[f"then {i}y"] = whole, left, right
            links |= {(f"then {i}x", f"now {i}"), (f"then {i}y", f"now {i}")}
        else:
            if kind != "new":
                then[f"then {i}"] = (r + 1, c + 2, long, wide)
            if kind != "gone":
                down, over = int(rng.integers(-1, 2)), int(rng.integers(-2, 3))
                now[f"now {i}"] = (r + 1 + down, c + 2 + over, max(4, int(long * grown)), wide)
            if kind == "same":
                links.add((f"then {i}", f"now {i}"))
    return then, now, links


@pytest.mark.nightly
def test_planted_lesions_are_matched_by_the_command(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    made = {f"F{n}": planted(rng) for n in range(10)}
    right = wrong = missed = 0
    for name, (found,) in told(tmp_path / "many", {n: {0: m[0], 60: m[1]} for n, m in made.items()}).items():
        then, now, links = made[name]
        got = set()
        for finding in (f for f in found if f.get("where")):
            label, label_now = re.findall(r"\(([^)]*)\)", finding["words"])[0], finding["where"]["label"]
            joined = re.search(r"grown together with lesion ([\d, ]+)", finding["words"])
            before = [label, *(list(then)[int(k) - 1] for k in (joined[1].split(", ") if joined else ()))]
            got |= {(b, label_now) for b in before if b in then}
            if len(before) == 1 and "split" not in finding["words"] and label in then:
                small, large = (side[2] * side[3] for side in (then[label], now[label_now]))
                times = [m["value"] for m in finding["measurements"] if m["what"]["code"] == "doubling-time"]
                assert not times or times[0] == pytest.approx(60 * np.log(2) / np.log(large / small))
        right, wrong, missed = right + len(got & links), wrong + len(got - links), missed + len(links - got)
    assert 2 * right / (2 * right + wrong + missed) >= 0.95 and right > 100
