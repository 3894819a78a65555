"""One run for one folder: a second one is refused in words, and one that was killed leaves nothing in the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isocenter.cli import app
from isocenter.errors import Conflict, Unavailable
from isocenter.learn.alone import alone

HOLDS = "import sys, pathlib\nfrom isocenter.learn.alone import alone\nwith alone(pathlib.Path(sys.argv[1])):\n"
WAITS = "    print('held', flush=True); sys.stdin.read()\n"


def test_who_was_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "a model"
    held = [sys.executable, "-c", HOLDS + WAITS, str(out)]
    with subprocess.Popen(held, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None and first.stdout.readline() == b"held\n"
        (out / "member0.checkpoint").touch()
        with pytest.raises(Conflict, match=r"another run writes into .*a model: .*Wait for it, stop it, or name"), \
                alone(out):  # fmt: skip
            raise AssertionError
        first.kill()
        first.wait()
    with alone(out):
        assert [p.name for p in out.iterdir()] == ["member0.checkpoint"], "what it kept, and no lock"


def test_a_folder_of_which_nothing_came_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with alone(tmp_path / "a" / "b", 0o700):
        assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("os.access", lambda place, how: place != tmp_path)  # root may write everywhere
    with pytest.raises(Unavailable, match="it is read-only, or another person's"), alone(tmp_path):
        raise AssertionError
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot make"), alone(tmp_path / "file"):
        raise AssertionError


@pytest.mark.parametrize(
    "said",
    [
        ("train", "cleveland_heart"),
        ("pretrain", "breastmnist"),
        ("recalibrate", "cleveland_heart"),
        ("scope", "cleveland_heart"),
    ],
)
def test_no_second_command_writes_into_the_folder_of_a_run(said: tuple[str, str], tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra 'ml' is not installed")
    (tmp_path / "rows.csv").write_text("age\n1\n")
    with alone(tmp_path / "out"):
        done = CliRunner().invoke(app, [*said, "--data", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, Conflict) and "another run writes into" in str(done.exception)
