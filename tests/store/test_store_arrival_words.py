"""The words of an arrival in the journal: opened with the key of the study, gone with it, refused when changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from store_samples import NOON, image, pixels

from isocenter.errors import NotFound, Refused
from isocenter.record import Kind
from isocenter.record.plain import Plain
from isocenter.store import Blobs, Database, Journal, rebuild, receive
from isocenter.store.arrival_words import closed, opened
from isocenter.store.keyring import Keyring
from isocenter.store.master_key import HeldKey

UID = "1.2.1"


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    held = Keyring(tmp_path / "keys", HeldKey(b"m" * 32), lambda uid: "trial")
    held.seal("trial")
    return held


def details(tmp_path: Path) -> Plain:
    """What the journal tells of an arrival that is not sealed."""
    database, blobs = Database(f"sqlite:///{tmp_path}/open.sqlite"), Blobs(str(tmp_path / "open"))
    receive(database, blobs, Journal(database, blobs), [(pixels(), image(study=UID))], "CT1", NOON)
    (told,) = Journal(database).since(kinds=(Kind.INSTANCES_RECEIVED,))
    database.close()
    return Plain(told.event.details)


def test_the_words_come_back_with_the_key_and_only_unchanged_and_only_here(keys: Keyring, tmp_path: Path) -> None:
    told, key = details(tmp_path), keys.of(UID)
    assert key is not None
    kept = closed(told, key)
    assert opened(kept, keys) == told and opened(told, None) is told
    bare = str({**kept, "sealed": ""})
    assert not any(word in bare for word in ("Doe", "P1", "HOSPITAL", "CT chest", "axial", "1970", "A1'"))
    (one,) = kept["instances"]
    assert (one["sop_uid"], one["digest"], one["facts"]) == (told["instances"][0]["sop_uid"], one["digest"], {})
    changed: dict[str, Any] = {**kept, "sealed": {**kept["sealed"], "words": kept["sealed"]["words"][4:]}}
    elsewhere = {**kept, "study": {**kept["study"], "uid": "1.2.2"}}
    for wrong in (changed, elsewhere):
        with pytest.raises(Refused, match="does not open"):
            opened(wrong, keys)
    with pytest.raises(Refused, match="keys of the archive are not here"):
        opened(kept, None)
    other = Keyring(tmp_path / "other", HeldKey(b"m" * 32), lambda uid: "trial")
    with pytest.raises(NotFound):
        opened(kept, other)
    assert opened(kept, other, gone=True) is kept
    keys.erase_study(UID)
    assert opened(kept, keys) is kept


def test_an_index_is_not_made_again_without_the_keys_and_stays_as_it_was(keys: Keyring, tmp_path: Path) -> None:
    database, blobs = Database(f"sqlite:///{tmp_path}/a.sqlite"), Blobs(str(tmp_path / "a"), keyring=keys)
    receive(database, blobs, Journal(database, blobs), [(pixels(), image(study=UID))], "CT1", NOON, project="trial")
    with pytest.raises(Refused, match="keys"):
        rebuild(database, Blobs(str(tmp_path / "a")))
    assert rebuild(database, blobs) == Journal(database).head()[0]
    database.close()
