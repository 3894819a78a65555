"""A night that was cut off goes on with what has not passed with this code."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from night import Night, code_digest


def _ended(night: Night, name: str, *outcomes: str) -> None:
    for when, outcome in zip(("setup", "call", "teardown"), outcomes, strict=True):
        told: Any = SimpleNamespace(
            nodeid=name, when=when, keywords={"nightly": 1}, duration=2.0, passed=outcome == "passed"
        )
        night.pytest_runtest_logreport(told)


def test_what_passed_with_this_code_is_known_and_nothing_else(tmp_path: Path) -> None:
    night = Night(tmp_path / "deep" / "night.jsonl", "code1")
    assert night.passed() == set()
    _ended(night, "good", "passed", "passed", "passed")
    _ended(night, "bad", "passed", "failed", "passed")
    _ended(night, "skipped", "passed", "skipped", "passed")
    _ended(night, "broken after", "passed", "passed", "failed")
    with night.place.open("a") as file:
        file.write('{"test": "cut off by a ki')
    assert Night(night.place, "code1").passed() == {"good"}
    assert Night(night.place, "code2").passed() == set(), "other code is another matter"


def test_the_digest_of_the_code_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    before = code_digest([tmp_path])
    (tmp_path / "a.py").write_text("x = 2")
    assert code_digest([tmp_path]) != before
