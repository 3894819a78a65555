"""Large masks are kept as bits of their boxes, and say what they said as voxels."""

import pickle
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.space import Geometry, Region, packed, region

GRID = Geometry.regular(shape=(20, 48, 40), spacing_mm=(3.0, 1.0, 0.8), frame_of_reference="2.25.1")
BLOB = np.zeros(GRID.shape, bool)
BLOB[4:9, 10:31, 5:26] = np.random.default_rng(5).random((5, 21, 21)) > 0.4


def everything(made: Region) -> tuple[object, ...]:
    return made.voxels, made.volume_ml, made.bounds, made.centre_mm, made.slice_mm2, made.to_json(), made.cut.sum()


def test_a_packed_mask_says_what_its_voxels_say(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Region(GRID, mask=BLOB, label="blob")
    wider = plain.padded((1, 0, 2), (0, 3, 0))
    monkeypatch.setattr(region, "LARGE", 1)
    large = Region(GRID, mask=BLOB.copy(), label="blob")
    for made in (large, pickle.loads(pickle.dumps(large)), Region.from_json(plain.to_json()), replace(large)):
        assert everything(made) == everything(plain) and made == plain
        assert np.array_equal(np.asarray(made.mask), BLOB) and np.array_equal(made.cut, plain.cut)
    assert np.array_equal(np.asarray(large.padded((1, 0, 2), (0, 3, 0)).mask), np.asarray(wider.mask))
    assert large.padded((1, 0, 2), (0, 3, 0)) == wider
    assert large.mask is large.mask and replace(large, label="other").mask is large.mask  # opened once
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(large.mask)[0, 0, 0] = True
    nothing = Region(GRID, mask=np.zeros(GRID.shape, bool))
    assert nothing.voxels == 0 and nothing.slice_mm2 == {} and not np.asarray(nothing.mask).any()
    with pytest.raises(Refused, match="an empty mask"):
        _ = nothing.bounds
    with pytest.raises(Refused, match="the grid has"):
        Region(GRID, mask=np.zeros((20, 48, 41), bool))


def test_many_organs_take_what_their_boxes_take() -> None:
    grid = Geometry.regular(shape=(64, 256, 256), frame_of_reference="2.25.1")
    tracemalloc.start()
    held = []
    for n in range(40):
        mask = np.zeros(grid.shape, bool)
        mask[10:40, 20 + n : 60 + n, 20:60] = True
        held.append(Region(grid, mask=mask))
    del mask
    assert sum(one.voxels for one in held) == 40 * 30 * 40 * 40
    kept, most = tracemalloc.get_traced_memory()
    assert kept < 1e6 < 5e6 < most < 30e6  # as voxels 168 MB
    assert all(np.count_nonzero(np.asarray(one.mask)) == 48_000 for one in held)
    opened = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert opened < packed._OPEN_BYTES + 2e6
