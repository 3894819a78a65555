"""Folders, files, archives and DICOMDIRs as people have them."""

from __future__ import annotations

import io
import random
import shutil
import zipfile
from pathlib import Path

import made
import pytest

from isocenter.dicom.scan import places, scan
from isocenter.errors import IsocenterError, LimitReached, NotFound, NotWhole, Refused, Unavailable
from isocenter.testing.hostile_objects import directory


def names(path: Path) -> list[str]:
    return [name for name, _ in scan(path)]


def test_a_folder_is_read_to_its_depth_in_order(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "2.dcm").write_bytes(b"two")
    (tmp_path / "a.dcm").write_bytes(b"one")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / "b" / "c" / "Thumbs.db").write_bytes(b"x")
    assert dict(scan(tmp_path)) == {"a.dcm": b"one", "b/c/2.dcm": b"two"}
    passed: list[str] = []
    assert len(list(places(tmp_path, beside=passed.append))) == 2
    assert passed == [".DS_Store", "b/c/Thumbs.db"], "what is passed over is told to who asks"


def test_one_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    assert list(scan(tmp_path / "a")) == [("a", b"one")]


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(NotFound):
        list(scan(Path("/nowhere/at/all")))


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "in" / "round").symlink_to(tmp_path / "in")
    ((_, found),) = scan(tmp_path / "in")
    assert isinstance(found, Refused) and "link out" in str(found)


def test_archives_are_read_without_unpacking(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/1.dcm", made.made(1))
        archive.writestr("x/2.dcm", made.made(2))
    before = sorted(tmp_path.rglob("*"))
    assert dict(scan(tmp_path)) == {"a.zip!/x/1.dcm": made.made(1), "a.zip!/x/2.dcm": made.made(2)}
    assert sorted(tmp_path.rglob("*")) == before


def test_an_archive_in_an_archive(tmp_path: Path) -> None:
    """As portals send: a ZIP for each patient, packed together, with what a Mac leaves beside."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("IM1", made.made(1))
        archive.writestr("__MACOSX/._IM1", b"x")
        archive.writestr("DICOMDIR", b"x")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("P1.zip", inner.getvalue())
        archive.writestr("IM2", made.made(2))
    assert dict(scan(tmp_path)) == {"all.zip!/P1.zip!/IM1": made.made(1), "all.zip!/IM2": made.made(2)}
    packed = inner.getvalue()
    for _ in range(2):
        deeper = io.BytesIO()
        with zipfile.ZipFile(deeper, "w") as archive:
            archive.writestr("a.zip", packed)
        packed = deeper.getvalue()
    (tmp_path / "all.zip").write_bytes(packed)
    ((_, found),) = scan(tmp_path)
    assert isinstance(found, LimitReached) and "archive within 2 others" in str(found)


def test_a_member_that_leads_out_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "slip.zip", "w") as archive:
        for evil in ("../../evil.dcm", "/etc/evil", "..\\evil", "C:evil"):
            archive.writestr(evil, b"evil")
        archive.writestr("good.dcm", b"good")
    found = list(scan(tmp_path / "slip.zip"))
    assert [isinstance(what, Refused) for _, what in found] == [True] * 4 + [False]
    assert found[-1][1] == b"good" and "leads out" in str(found[0][1])
    assert not list(tmp_path.parent.glob("evil*"))


def test_a_member_that_grows_beyond_its_bound_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * (120 << 20))
        archive.writestr("good", b"good")
    bomb, good = scan(tmp_path / "bomb.zip")
    assert isinstance(bomb[1], LimitReached) and good[1] == b"good"


def test_damaged_and_encrypted_archives_are_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one", b"one" * 100)
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "half.zip").write_bytes(data[: len(data) // 2])
    ((_, found),) = scan(tmp_path / "half.zip")
    assert isinstance(found, NotWhole) and "damaged ZIP" in str(found)
    changed = bytearray(data)
    changed[data.index(b"oneone") + 5] ^= 0xFF
    (tmp_path / "bad.zip").write_bytes(bytes(changed))
    ((_, found),) = scan(tmp_path / "bad.zip")
    assert isinstance(found, NotWhole) and "damaged" in str(found)
    locked = bytearray(data)
    locked[6] |= 1
    locked[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(bytes(locked))
    ((_, found),) = scan(tmp_path / "locked.zip")
    assert isinstance(found, Refused) and "encrypted" in str(found)


def test_a_dicomdir_gives_the_files_that_it_lists() -> None:
    found = list(scan(made.SAMPLES / "dicomdirtests" / "DICOMDIR"))
    assert len(found) == 31 and all(isinstance(data, bytes) for _, data in found)
    assert found[0][0].startswith("77654033/CR1/")


def test_a_folder_with_a_dicomdir_gives_each_file_once() -> None:
    found = names(made.SAMPLES / "dicomdirtests")
    assert len(found) == len(set(found)) and "DICOMDIR" not in found


def test_a_dicomdir_whose_files_were_copied_with_other_names(tmp_path: Path) -> None:
    """From a disc to small letters, and with the version that ISO 9660 puts behind."""
    shutil.copytree(made.SAMPLES / "dicomdirtests", tmp_path / "cd")
    truth = dict(scan(tmp_path / "cd" / "DICOMDIR"))
    for path in sorted((tmp_path / "cd").rglob("*"), key=lambda p: -len(p.parts)):
        if path.name != "DICOMDIR":
            path.rename(path.with_name(path.name.lower() + (".;1" if path.is_file() else "")))
    assert dict(scan(tmp_path / "cd" / "DICOMDIR")) == truth


def test_a_dicomdir_that_points_outside_or_to_nothing(tmp_path: Path) -> None:
    data = (made.SAMPLES / "dicomdirtests" / "DICOMDIR").read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "6154").write_bytes(b"secret")
    (tmp_path / "in" / "DICOMDIR").write_bytes(data.replace(b"77654033\\CR1\\6154", b"..\\..\\..\\..\\x6154"))
    found = dict(scan(tmp_path / "in" / "DICOMDIR"))
    kinds = {type(what) for what in found.values()}
    assert kinds == {Refused, NotFound}
    assert any("outside the folder" in str(what) for what in found.values())


@pytest.mark.parametrize("named", ["A" * 300, "A\0B", "LOOP", "LOOP\\X", "A\\" * 2500])
def test_a_dicomdir_that_names_what_no_system_can_look_up(tmp_path: Path, named: str) -> None:
    """Each is told by name, and the honest file beside it is read."""
    (tmp_path / "LOOP").symlink_to("LOOP")
    (tmp_path / "HONEST").write_bytes(b"bytes")
    (tmp_path / "DICOMDIR").write_bytes(directory(random.Random(1), "HONEST", named))
    found = dict(scan(tmp_path / "DICOMDIR"))
    assert found.pop("HONEST") == b"bytes"
    (refused,) = found.values()
    assert isinstance(refused, Unavailable | NotFound) and len(str(refused)) < 400


def test_a_link_that_leads_in_a_circle_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "c").write_bytes(b"bytes")
    found = dict(scan(tmp_path))
    assert found["c"] == b"bytes" and all(isinstance(found[n], Unavailable) for n in "ab")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_that_lies_is_told_whatever_lies_in_it(tmp_path: Path, method: int) -> None:
    rng, place, lied = random.Random(method), tmp_path / "a.zip", 0
    count = 20 if method == zipfile.ZIP_LZMA else 100  # its reader takes 30 ms to begin
    for number in range(count):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive, archive.open("a", "w", force_zip64=number % 2 == 0) as file:
            file.write(rng.randbytes(100) + bytes(100))
        data = bytearray(out.getvalue())
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(data) - 120, len(data)) if rng.random() < 0.4 else rng.randrange(4, len(data))
            data[at] = rng.choice((0, 255, rng.randrange(256)))
        place.write_bytes(data)
        lied += any(isinstance(found, IsocenterError) for _, found in scan(place))
    assert lied > count / 4


def test_a_member_without_a_name_is_told(tmp_path: Path) -> None:
    """It had ended the import of the whole folder."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", b"bytes")
    data = bytearray(out.getvalue())
    for at in (data.index(b"PK\3\4") + 26, data.index(b"PK\1\2") + 28):
        data[at], data[at + 2] = 0, 1  # its letter is something extra
    (tmp_path / "a.zip").write_bytes(data)
    (tmp_path / "b").write_bytes(b"honest")
    found = dict(scan(tmp_path))
    assert found["b"] == b"honest" and isinstance(found["a.zip"], NotWhole)


def test_a_damaged_dicomdir(tmp_path: Path) -> None:
    shutil.copy(made.SAMPLES / "dicomdirtests" / "DICOMDIR", tmp_path / "DICOMDIR")
    data = (tmp_path / "DICOMDIR").read_bytes()
    (tmp_path / "DICOMDIR").write_bytes(data[:5000])
    ((_, found),) = scan(tmp_path / "DICOMDIR")
    assert isinstance(found, IsocenterError)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    ((_, found),) = scan(tmp_path)
    assert isinstance(found, Refused) and "no regular file" in str(found)
