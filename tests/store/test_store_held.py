"""What is held is found, however many identities are asked for, in few statements."""

from __future__ import annotations

from typing import Any

import pytest
from store_samples import NOON, image

from isocenter.store import receive
from isocenter.store.held import held, images_held


@pytest.mark.parametrize("count", [1, 16, 17, 40])
def test_those_that_are_taken_are_told_from_those_that_are_free(archive: Any, count: int) -> None:
    files = [(b"image %d" % n, image(n)) for n in range(count)]
    stored = receive(archive.database, archive.blobs, archive.journal, files, "S", NOON)
    taken = {one.sop_uid: one.digest for one in stored}
    asked = [*taken, *(f"9.9.{n}" for n in range(count))]
    assert images_held(archive.database, asked) == taken
    assert images_held(archive.database, []) == {} == images_held(archive.database, ["9.9"])
    study = files[0][1]
    with archive.database.read() as connection:
        said = held(connection, asked, [study.series[0].uid, "8.8"], [study.uid])
        assert held(connection, ["9.9"], ["8.8"], ["7.7"]) == held(connection, [], [], [])
    assert said.images == taken and said.series == {study.series[0].uid: study.uid}
    assert said.studies == {study.uid: (study.patient.id, study.patient.issuer)}
