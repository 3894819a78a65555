"""What waits on the disk is given back as it was, tells nobody anything there, and a disk's lie is found."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from isocenter.dicom import aside
from isocenter.dicom.aside import Aside
from isocenter.errors import Unavailable


def test_many_come_back_in_any_order_also_where_one_takes_several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "_CHUNK", 1000)
    given = [bytes([n]) * size for n, size in enumerate((0, 1, 999, 1000, 1001, 2000, 12_345))]
    with Aside() as place:
        held = [place.lay(data) for data in given]
        for data, one in reversed(list(zip(given, held, strict=True))):
            assert one.read_bytes() == data
        late = place.lay(b"after a reading")
        assert late.read_bytes() == b"after a reading" and held[3].read_bytes() == given[3]


def test_it_has_no_name_and_nothing_of_it_can_be_read(tmp_path: Path) -> None:
    with Aside(tmp_path) as place:
        place.lay(b"Quaxelberg^Anna" * 100)
        assert not list(tmp_path.iterdir())
        place._file.seek(0)
        lying = place._file.read()
    assert len(lying) > 1500 and b"Quaxel" not in lying


def test_what_the_disk_changed_is_told_and_not_given() -> None:
    with Aside() as place:
        held = place.lay(b"an image")
        place._file.seek(3)
        place._file.write(b"\0\0")
        with pytest.raises(Unavailable, match="gave it back changed"):
            held.read_bytes()


def test_a_full_disk_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def seek(self, at: int) -> None: ...

        def write(self, data: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None: ...

    with Aside() as place:
        monkeypatch.setattr(place, "_file", Full())
        with pytest.raises(Unavailable, match=r"No space left on device.*TMPDIR"):
            place.lay(b"an image")
