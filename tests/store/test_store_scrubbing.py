"""A flipped bit is found wherever it is, named, and mended from a copy."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import store_samples

from isocenter.errors import Damaged, IsocenterError
from isocenter.store import Blobs, Database, Index, Journal, receive
from isocenter.store.scrubbing import scrub

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Archive:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "blobs"
        self.database, self.blobs = Database(f"sqlite:///{folder}/a.sqlite"), Blobs(str(self.folder))
        self.index = Index(self.database, self.blobs)
        files = [(store_samples.pixels(n), store_samples.image(n)) for n in range(1, 21)]
        receive(self.database, self.blobs, Journal(self.database, self.blobs), files, "CT1", NOW)
        shutil.copytree(self.folder, folder / "copy")
        self.copy = Blobs(str(folder / "copy"))
        self.digests = sorted(self.blobs.digests())

    def flip(self, digest: str, bit: int) -> None:
        place = self.blobs.path(digest)
        assert place is not None
        data = bytearray(place.read_bytes())
        data[bit // 8 % len(data)] ^= 1 << bit % 8
        place.chmod(0o600)
        place.write_bytes(data)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path)
    yield made
    made.database.close()
    made.blobs.close()
    made.copy.close()


def test_a_thousand_flipped_bits_are_a_thousand_found_and_none_is_shown(archive: Archive) -> None:
    rng, found = random.Random(5), 0
    for _ in range(1000):
        digest, bit = rng.choice(archive.digests), rng.randrange(10**6)
        archive.flip(digest, bit)
        with pytest.raises(Damaged, match="no longer fits"):
            archive.blobs.get(digest)
        found += 1
        archive.flip(digest, bit)
        assert archive.blobs.get(digest)
    assert found == 1000


def test_a_thousand_files_with_one_flipped_bit_each_are_a_thousand_named_by_a_scrub(tmp_path: Path) -> None:
    """One bit each, at any place of it, and as many files beside them that are whole."""
    rng, database, blobs = random.Random(7), Database(f"sqlite:///{tmp_path}/a.sqlite"), Blobs(str(tmp_path / "blobs"))
    digests = blobs.put_many([rng.randbytes(rng.randrange(1, 4000)) for _ in range(2000)])
    hit = set(rng.sample(digests, 1000))
    for digest in hit:
        place = blobs.path(digest)
        assert place is not None
        data, bit = bytearray(place.read_bytes()), rng.randrange(8 * place.stat().st_size)
        data[bit // 8] ^= 1 << bit % 8
        place.chmod(0o600)
        place.write_bytes(data)
    found = scrub(blobs, Index(database, blobs))
    assert {d.digest for d in found.damaged} == hit and len(found.left) == 1000 and found.files == 2000
    database.close()
    blobs.close()


def test_what_is_damaged_or_missing_is_named_and_mended(archive: Archive) -> None:
    changed, gone = archive.digests[3], archive.digests[7]
    archive.flip(changed, 77)
    place = archive.blobs.path(gone)
    assert place is not None
    place.unlink()
    found = scrub(archive.blobs, archive.index)
    assert {(d.digest, d.what, d.mended) for d in found.damaged} == {
        (changed, "changed", False),
        (gone, "missing", False),
    }
    named = archive.index.known([uid for d in found.damaged for _, uid in d.instances])
    assert set(named.values()) == {changed, gone} and found.files == 19
    mended = scrub(archive.blobs, archive.index, copy=archive.copy)
    assert len(mended.damaged) == 2 and not mended.left
    assert not scrub(archive.blobs, archive.index).damaged


def test_a_copy_that_is_damaged_too_mends_nothing(archive: Archive) -> None:
    digest = archive.digests[0]
    archive.flip(digest, 5)
    place = archive.copy.path(digest)
    assert place is not None
    place.chmod(0o600)
    place.write_bytes(b"other")
    assert scrub(archive.blobs, archive.index, copy=archive.copy).left[0].digest == digest
    with pytest.raises(IsocenterError):
        archive.blobs.get(digest)
