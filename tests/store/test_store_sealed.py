"""What a project asks to be kept sealed lies nowhere in the clear, and what the store promises still holds."""

from __future__ import annotations

import base64
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from store_samples import after, dump, image, made, pixels, result

from isocenter.errors import Damaged, Erased, NotFound, Refused, Unavailable
from isocenter.store import Blobs, Database, Index, Journal, receive
from isocenter.store.backup import backup, restore
from isocenter.store.envelope import Envelope, seal
from isocenter.store.keyring import Keyring
from isocenter.store.master_key import HeldKey, KeyService, draw, master_key
from isocenter.store.scrubbing import scrub

MASTER = HeldKey(bytes(range(32)))
SECRET = b"CANARY^NAME"


def home(study_uid: str) -> str:
    return "trial" if study_uid.startswith("1.2.1") else "house"


class House:
    def __init__(self, folder: Path, keys: Path, master: Any = MASTER) -> None:
        self.folder, self.keys = folder, Keyring(keys, master, home)
        self.database = Database(f"sqlite:///{folder}/a.sqlite")
        self.blobs = Blobs(str(folder / "blobs"), keyring=self.keys)
        self.journal, self.index = Journal(self.database, self.blobs), Index(self.database, self.blobs)

    def take(self, number: int, *, study: str = "1.2.1", through: bool = False) -> str:
        data: Any = pixels(number, study) + SECRET + os.urandom(1 << 18) * bool(number % 2)
        if through:
            way = self.blobs.incoming()
            way.write(data)
            data = way
        file = (data, image(number, study=study))
        (stored,) = receive(
            self.database, self.blobs, self.journal, [file], "CT1", after(number), project=self.keys.home(study)
        )
        assert stored.status == "stored"
        return stored.digest

    def close(self) -> None:
        self.database.close()
        self.blobs.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path / "archive", tmp_path / "archive" / "keys")
    one.keys.seal("trial")
    yield one
    one.close()


def clear(folder: Path) -> list[str]:
    """Files below a folder in which what is secret can be read."""
    return [p.name for p in folder.rglob("*") if p.is_file() and SECRET in p.read_bytes()]


def test_a_sealed_project_lies_nowhere_in_the_clear_and_another_does(house: House) -> None:
    ours = [house.take(n, through=n % 2 == 0) for n in range(1, 6)]
    theirs = house.take(9, study="1.3.1")
    assert clear(house.folder / "blobs") == [theirs]
    assert all(SECRET in house.blobs.get(digest) and digest in house.blobs for digest in [*ours, theirs])
    assert set(house.blobs.digests()) == {*ours, theirs} and list(house.blobs.scrub()) == []
    assert house.blobs.path(ours[0]) is None and house.blobs.path(theirs) is not None
    size = sum(f.stat().st_size for f in (house.folder / "blobs").rglob("*.sealed"))
    assert house.blobs.put(house.blobs.get(ours[0]), of="1.2.1") == ours[0], "the same bytes again are kept once"
    assert size == sum(f.stat().st_size for f in (house.folder / "blobs").rglob("*.sealed"))
    other = pickle.loads(pickle.dumps(house.blobs))  # as a process that analyses opens it
    with pytest.raises(Refused, match="master key"):
        Blobs(str(house.folder / "blobs"), keyring=Keyring(house.keys.folder)).get(ours[0])
    assert other.get(ours[0]) == house.blobs.get(ours[0])


def test_every_flipped_bit_and_every_cut_or_swapped_chunk_is_found() -> None:
    data, digest, keys = os.urandom(300_000), "ab" * 32, [(b"n" * 16, b"k" * 32)]
    sealed = seal(data, digest, keys)
    assert Envelope.of(sealed, digest).read(lambda _: b"k" * 32) == data
    for start, stop in ((0, 10), (131_070, 131_080), (262_144, 300_000), (299_999, 400_000), (5, 5)):
        assert Envelope.of(sealed, digest).read(lambda _: b"k" * 32, start, stop) == data[start:stop]
    broken = [bytearray(sealed) for _ in range(400)]
    for number, one in enumerate(broken):
        one[number if number < 98 else (number * 7919) % len(sealed)] ^= 1 << number % 8
    step, head = (1 << 17) + 16, len(sealed) - 300_000 - 3 * 16
    swapped = (
        sealed[:head] + sealed[head + step : head + 2 * step] + sealed[head : head + step] + sealed[head + 2 * step :]
    )
    cuts = [sealed[:n] for n in (0, 10, 97, head, head + step, head + 2 * step, len(sealed) - 1)]
    for one in (*map(bytes, broken), swapped, *cuts, sealed + b"x"):
        with pytest.raises(Damaged):
            Envelope.of(one, digest).read(lambda _: b"k" * 32)
    for other, key in (("cd" * 32, b"k"), (digest, b"j")):
        with pytest.raises(Damaged):
            Envelope.of(sealed, other).read(lambda _, key=key: key * 32)
    assert Envelope.of(seal(b"", digest, keys), digest).read(lambda _: b"k" * 32) == b""


def test_a_damaged_sealed_image_is_found_refused_and_mended_from_a_sealed_backup(house: House, tmp_path: Path) -> None:
    digests = [house.take(n) for n in range(1, 4)]
    backup(house.database, house.blobs, tmp_path / "copy")
    place = next((house.folder / "blobs").rglob(f"{digests[1]}.sealed"))
    raw = bytearray(place.read_bytes())
    raw[-5] ^= 4
    place.write_bytes(raw)
    with pytest.raises(Damaged, match="does not open"):
        house.blobs.get(digests[1])
    copy = Blobs(str(tmp_path / "copy" / "blobs"), keyring=house.keys)
    found = scrub(house.blobs, house.index, copy=copy)
    assert [(d.digest, d.what, d.mended) for d in found.damaged] == [(digests[1], "changed", True)]
    assert SECRET in house.blobs.get(digests[1]) and clear(house.folder / "blobs") == []


def test_a_backup_is_sealed_and_restored_with_the_keys_only(house: House, tmp_path: Path) -> None:
    house.keys.home = lambda uid: "house"
    early = house.take(1)
    backup(house.database, house.blobs, tmp_path / "copy")
    assert clear(tmp_path / "copy") == [early], "what was taken before the project was sealed"
    house.keys.home = home
    house.blobs.seal(early, "1.2.1", alone=True)
    house.take(2, study="1.2.17")
    house.journal.append(made(house.blobs, result(), 10))
    assert clear(house.folder / "blobs") == []
    done = backup(house.database, house.blobs, tmp_path / "copy")
    assert clear(tmp_path / "copy") == [] and done.damaged == [] and done.blobs == 3
    without = House(tmp_path / "without", tmp_path / "no keys")
    with pytest.raises((Damaged, NotFound, Refused)):
        restore(tmp_path / "copy", without.database, without.blobs)
    without.close()
    again = House(tmp_path / "again", house.keys.folder)
    assert restore(tmp_path / "copy", again.database, again.blobs).missing == ()
    assert dump(again.database) == dump(house.database) and clear(tmp_path / "again" / "blobs") == []
    assert SECRET in again.blobs.get(early)
    again.close()


def test_what_two_studies_need_outlives_one_of_them(house: House) -> None:
    house.keys.home = lambda uid: "trial"
    digest = house.blobs.put(b"the same map", of="1.2.1")
    house.blobs.put(b"the same map", of="1.2.2")
    assert house.keys.erase_study("1.2.1") == 1 and house.blobs.get(digest) == b"the same map"
    assert house.keys.erase_study("1.2.2") == 1
    with pytest.raises(Erased):
        house.blobs.get(digest)
    anew = house.blobs.put(b"the same map", of="1.2.2")
    assert house.blobs.get(anew) == b"the same map", "what comes anew has a key of its own"


def test_an_erased_key_is_gone_for_everybody_and_from_every_backup(house: House, tmp_path: Path) -> None:
    digest = house.take(1)
    backup(house.database, house.blobs, tmp_path / "copy")
    reader = pickle.loads(pickle.dumps(house.blobs))
    assert SECRET in reader.get(digest)
    before = {p.read_bytes() for p in (house.keys.folder / "studies").rglob("*") if p.is_file()}
    house.keys.erase_study("1.2.1")
    for blobs in (house.blobs, reader, Blobs(str(tmp_path / "copy" / "blobs"), keyring=house.keys)):
        with pytest.raises(Erased):
            blobs.get(digest)
    kept = {p.read_bytes() for p in house.keys.folder.rglob("*") if p.is_file()}
    assert not before & kept, "the sealed key is nowhere any more"
    again = House(tmp_path / "again", house.keys.folder)
    restore(tmp_path / "copy", again.database, again.blobs)
    with pytest.raises(NotFound):
        again.blobs.get(digest)
    again.close()
    house.take(2, study="1.2.15")
    assert house.keys.erase_project("trial") == 1
    with pytest.raises(Refused, match="destroyed"):
        house.blobs.put(b"more", of="1.2.15")
    assert house.keys.seal("trial").version == 2 and house.blobs.put(b"more", of="1.2.15")


def test_a_rotation_touches_no_image_and_opens_nothing_with_the_old_key(house: House) -> None:
    digests = [house.take(n, study=f"1.2.1{n}") for n in range(1, 9)]
    reader = pickle.loads(pickle.dumps(house.blobs))
    reader.get(digests[0])
    sealed = {p: p.read_bytes() for p in (house.folder / "blobs").rglob("*.sealed")}
    assert house.keys.rotate("trial") == 8
    assert {p: p.read_bytes() for p in (house.folder / "blobs").rglob("*.sealed")} == sealed
    assert all(SECRET in reader.get(digest) for digest in digests), "whoever had it open goes on"
    (state,) = house.keys.projects()
    assert (state.version, state.old) == (2, ())
    other = HeldKey(b"m" * 32)
    assert house.keys.change_master(other) == 1 and SECRET in house.blobs.get(digests[0])
    with pytest.raises(Refused, match="Give the right one"):
        Keyring(house.keys.folder, MASTER).check()
    Keyring(house.keys.folder, other).check()


_ROTATE = """
import sys
from pathlib import Path
from isocenter.store import key_files, keyring
from isocenter.store.master_key import HeldKey
ring = keyring.Keyring(Path(sys.argv[1]), HeldKey(bytes(range(32))))
put, left = keyring.put, [int(sys.argv[2])]
def dying(*given, **said):
    left[0] -= 1
    if not left[0]:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    return put(*given, **said)
keyring.put = dying
ring.rotate("trial")
"""


def test_a_rotation_that_is_killed_anywhere_loses_nothing_and_is_finished_by_the_next(house: House) -> None:
    digests = [house.take(n, study=f"1.2.1{n}") for n in range(1, 5)]
    for at in (1, 2, 4, 6):  # the new key, the first study, in the middle, before the old key goes
        done = subprocess.run([sys.executable, "-c", _ROTATE, str(house.keys.folder), str(at)], check=False)
        assert done.returncode == -signal.SIGKILL
        assert all(SECRET in house.blobs.get(digest) for digest in digests)
        before = house.keys.projects()[0].version
        house.keys.rotate("trial")
        (state,) = house.keys.projects()
        assert state.old == () and state.version == before + (at == 1)
        assert all(SECRET in house.blobs.get(digest) for digest in digests)
    assert not list(house.keys.folder.rglob("*.gone")) and not list(house.keys.folder.rglob("*.part"))


def test_a_master_key_is_refused_where_others_could_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, place = tmp_path / "archive", tmp_path / "else" / "master"
    draw(place)
    assert isinstance(master_key(f"file:{place}", archive), HeldKey) and place.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Refused, match="already"):
        draw(place)
    place.chmod(0o640)
    with pytest.raises(Refused, match="others may read"):
        master_key(f"file:{place}", archive)
    draw(archive / "master")
    with pytest.raises(Refused, match="stolen with it"):
        master_key(f"file:{archive / 'master'}", archive)
    for said in ("", "file:", "env:NOT_SET_ANYWHERE", f"file:{tmp_path / 'absent'}", "vault:x"):
        with pytest.raises(Refused):
            master_key(said, archive)
    monkeypatch.setenv("A_KEY", base64.b64encode(b"k" * 32).decode())
    held = master_key("env:A_KEY", archive)
    assert held.unwrap(held.wrap(b"x" * 32, "here"), "here") == b"x" * 32
    with pytest.raises(Refused):
        held.unwrap(held.wrap(b"x" * 32, "here"), "there")
    monkeypatch.setenv("A_KEY", base64.b64encode(b"k" * 16).decode())
    with pytest.raises(Refused, match="16 bytes"):
        master_key("env:A_KEY", archive)


_SERVICE = """
import base64, json, sys
from isocenter.store.master_key import unwrap, wrap
asked = json.load(sys.stdin)
do = {"wrap": wrap, "unwrap": unwrap}[asked["do"]]
key = do(b"s" * 32, base64.b64decode(asked["key"]), asked["context"].encode())
print(base64.b64encode(key).decode())
"""


def test_a_key_service_seals_what_it_never_gives_away(tmp_path: Path) -> None:
    program = tmp_path / "service.py"
    program.write_text(_SERVICE)
    service = KeyService(f"{sys.executable} {program}")
    keys = Keyring(tmp_path / "keys", service, home)
    keys.seal("trial")
    blobs = Blobs(str(tmp_path / "blobs"), keyring=keys)
    assert blobs.get(blobs.put(SECRET, of="1.2.1")) == SECRET and clear(tmp_path / "blobs") == []
    Keyring(tmp_path / "keys", service).check()
    with pytest.raises(Unavailable, match="did not unwrap"):
        Keyring(tmp_path / "keys", KeyService("false"))._opened({"master": KeyService("false").name, "key": ""}, "x", 1)
    blobs.close()
