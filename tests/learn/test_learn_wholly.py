"""A full disk, a kill and a failure leave the earlier file, or none, and never the beginning of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from isocenter.learn.wholly import wholly

_JUDGED = """
import resource, sys
from pathlib import Path
from isocenter.errors import Unavailable
from isocenter.learn.judge import Judged
from isocenter.record import Model
rows = [{"name": f"case {n}", "said": 0.5} for n in range(20_000)]
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    Judged({}, Model("m", "1", "0"), rows, None, {}).write(Path(sys.argv[1]))
except Unavailable as e:
    print(e)
"""


@pytest.mark.parametrize("name", ["said.csv", "said.json"])
def test_a_full_disk_leaves_no_beginning_of_a_table(tmp_path: Path, name: str) -> None:
    """Held to 100 kB a file by the system, as a full disk holds to what is left."""
    file = tmp_path / name
    for before in (None, "the earlier table"):
        if before:
            file.write_text(before)
        done = subprocess.run([sys.executable, "-c", _JUDGED, file], capture_output=True, text=True, check=True)
        assert "cannot write" in done.stdout and "Choose another place" in done.stdout
        assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == ([(name, before)] if before else [])


def test_a_kill_leaves_the_earlier_file(tmp_path: Path) -> None:
    file = tmp_path / "said.csv"
    file.write_text("earlier")
    killed = (
        "import os, sys; from pathlib import Path; from isocenter.learn.wholly import wholly\n"
        "with wholly(Path(sys.argv[1])) as at: at.write_text('half'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", killed, file], check=False)
    assert done.returncode == -signal.SIGKILL and file.read_text() == "earlier"


def test_links_and_pipes_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link, real, pipe = tmp_path / "link.csv", tmp_path / "far" / "real.csv", tmp_path / "pipe"
    link.symlink_to(real)
    with wholly(link) as at:
        at.write_text("new")
    assert link.is_symlink() and real.read_text() == "new" and [f.name for f in real.parent.iterdir()] == ["real.csv"]
    os.mkfifo(pipe)
    with wholly(pipe) as at:
        assert at == pipe
    with pytest.raises(ValueError, match="on purpose"), wholly(link) as at:
        at.write_text("half")
        raise ValueError("on purpose")
    assert real.read_text() == "new"
