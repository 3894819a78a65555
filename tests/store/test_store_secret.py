"""The secrets of an archive."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isocenter.errors import Damaged
from isocenter.store.secret import secret_of

_FULL = """
import resource, sys
from pathlib import Path
from isocenter.store.secret import secret_of
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    secret_of(Path(sys.argv[1]), "journal")
except OSError as e:
    print("no room:", e.filename)
"""


def test_a_secret_is_drawn_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    drawn, place = secret_of(tmp_path, "pseudonyms")
    assert len(drawn) == 43 and place == tmp_path / "secrets" / "pseudonyms"
    assert place.stat().st_mode & 0o777 == 0o600 and place.parent.stat().st_mode & 0o777 == 0o700
    assert secret_of(tmp_path, "pseudonyms") == (drawn, place) and secret_of(tmp_path, "journal")[0] != drawn


def test_all_who_draw_at_once_get_the_same(tmp_path: Path) -> None:
    for name in map(str, range(20)):
        with ThreadPoolExecutor(8) as at_once:
            assert len(set(at_once.map(lambda _, n=name: secret_of(tmp_path, n)[0], range(8)))) == 1
    assert not list((tmp_path / "secrets").glob(".*"))


def test_a_full_disk_leaves_no_empty_secret(tmp_path: Path) -> None:
    """An empty one signed the ends of the journal ever after."""
    done = subprocess.run([sys.executable, "-c", _FULL, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"no room: {tmp_path / 'secrets' / 'journal'}"
    assert not list((tmp_path / "secrets").iterdir()) and len(secret_of(tmp_path, "journal")[0]) == 43


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    place = secret_of(tmp_path, "journal")[1]
    place.write_text("\n")
    with pytest.raises(Damaged, match="it is empty"):
        secret_of(tmp_path, "journal")
