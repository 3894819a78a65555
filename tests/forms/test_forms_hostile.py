"""Broken objects of strangers are refused in words; no exception of a library reaches the caller."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from forms_samples import SERIES_UID, WHEN, Archive, ball, found

from isocenter.errors import IsocenterError, LimitReached, NotWhole
from isocenter.forms import encapsulate, maker, parametric_map, seg, sr
from isocenter.record import Map
from isocenter.space import Geometry, Volume

ROUNDS = 120


def objects(archive: Archive, axial: Geometry) -> dict[str, tuple[bytes, Callable[[bytes], object]]]:
    """One good object of each kind with its reader."""
    result = found(ball(axial))
    made = seg.write(result, *archive)
    values = Volume(np.ones(axial.shape, np.float32), axial)
    of = Map("x", "x", "1", axial, "d", series_uid=SERIES_UID)
    image = archive[1](f"{SERIES_UID}.1")
    return {
        "seg": (made[0], seg.read),
        "labelmap": (seg.write(result, *archive, kind="LABELMAP")[0], seg.check_labelmap),
        "sr": (sr.write(result, *archive, segmentations=made), sr.read),
        "map": (parametric_map.write(of, values, result, *archive), parametric_map.read),
        "pdf": (encapsulate.write(b"%PDF-1.7", *archive, when=WHEN, title="t", identity="i"), encapsulate.read),
        "image": (image, lambda data: maker.header(lambda _: data, "1.2")),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["seg", "labelmap", "sr", "map", "pdf", "image"])
def test_changed_and_cut_bytes_are_read_or_refused(kind: str, archive: Archive, axial: Geometry) -> None:
    data, read = objects(archive, axial)[kind]
    chance = random.Random(kind)
    refused = 0
    for _ in range(ROUNDS):
        bad = bytearray(data)
        for _ in range(chance.choice((1, 4, 12))):
            bad[chance.randrange(132, min(len(bad), 4000))] = chance.randrange(256)
        if chance.random() < 0.2:
            bad = bad[: chance.randrange(len(bad))]
        try:
            read(bytes(bad))
        except IsocenterError:
            refused += 1
    assert 0 < refused < ROUNDS
    read(data)


def test_errors_of_ours_pass_and_others_become_ours() -> None:
    with pytest.raises(NotWhole, match="KeyError"), maker.reading("a thing"):
        raise KeyError("x")
    with pytest.raises(LimitReached, match="nested"), maker.reading("a thing"):
        raise RecursionError
    with pytest.raises(LimitReached, match="mine"), maker.reading("a thing"):
        raise LimitReached("mine")
