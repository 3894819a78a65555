"""Four peers, four services, eight transfer syntaxes: every cell of the table in the manual, tried again at night."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.peer, pytest.mark.nightly]


def test_every_cell_of_the_table_holds(tmp_path: Path) -> None:
    for program in ("Orthanc", "storescu", "findscu", "getscu", "movescu"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rn", "true"], check=False).returncode:
        pytest.skip("network namespaces are not permitted here")
    script = Path(__file__).with_name("peer_matrix.py")
    inside = f'ip link set lo up && exec "{sys.executable}" -W ignore "{script}" "{tmp_path}"'
    done = subprocess.run(
        [unshare, "-rn", "sh", "-c", inside], capture_output=True, text=True, timeout=900, check=False,
        env=dict(os.environ), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    table = json.loads(done.stdout.splitlines()[-1])
    assert {peer: sorted(services) for peer, services in table.items()} == {
        "DCMTK": ["FIND", "GET", "MOVE", "STORE"], "pynetdicom": ["FIND", "GET", "MOVE", "STORE"],
        "dicomweb-client": ["FIND", "GET", "STORE"], "Orthanc": ["FIND", "MOVE", "STORE"],
    }  # fmt: skip
    wrong = [
        (peer, service, syntax, seen)
        for peer, services in table.items()
        for service, cells in services.items()
        for syntax, seen in cells.items()
        if seen not in ("found", "same bytes", "same pixels")
    ]
    assert wrong == []
    assert sum(len(cells) for services in table.values() for cells in services.values()) == 14 * 8
    page = (Path(__file__).parents[2] / "docs/know/peers.md").read_text("utf-8")
    assert "| Orthanc | MOVE |" in page
