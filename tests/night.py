"""A night's run that is cut off goes on where it was: what has passed with this very code is not run again.

``ISOCENTER_NIGHT=FILE`` names the record: a line of JSON for each nightly test with its outcome, its seconds and a
digest of the code that it was run with. A test that failed, or that passed with other code, is run.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MARK = "nightly"


def code_digest(folders: Iterable[Path] = (ROOT / "src" / "isocenter", ROOT / "tests")) -> str:
    """SHA-256 over every Python file of the program and its tests."""
    total = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        total.update(f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


class Night:
    """The record of a night.

    Args:
        place: the file; made when the first test ends.
        code: digest of what is tested.
    """

    def __init__(self, place: Path, code: str) -> None:
        self.place, self.code = place, code
        self._failed, self._seconds = set[str](), dict[str, float]()

    def passed(self) -> set[str]:
        """Tests that passed with this code. A line that was cut off by a kill is no line."""
        found: dict[str, bool] = {}
        for line in self.place.read_text().splitlines() if self.place.exists() else ():
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if told["code"] == self.code:
                found[told["test"]] = told["passed"]
        return {test for test, good in found.items() if good}

    def write(self, test: str, passed: bool, seconds: float) -> None:
        """Keep how one test ended."""
        told = {"test": test, "passed": passed, "seconds": round(seconds, 1), "code": self.code}
        self.place.parent.mkdir(parents=True, exist_ok=True)
        with self.place.open("a") as file:
            file.write(json.dumps({**told, "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}) + "\n")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        before = self.passed()
        seen = [item for item in items if item.nodeid in before and item.get_closest_marker(MARK)]
        if seen:
            config.hook.pytest_deselected(items=seen)
            items[:] = [item for item in items if item not in seen]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if MARK not in report.keywords:
            return
        if not report.passed:
            self._failed.add(report.nodeid)  # what was skipped was not seen
        if report.when == "call":
            self._seconds[report.nodeid] = report.duration
        elif report.when == "teardown":
            self.write(report.nodeid, report.nodeid not in self._failed, self._seconds.pop(report.nodeid, 0.0))
