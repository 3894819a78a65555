"""The blob of a map is what its record says, or it is refused before memory is taken."""

import io
import pickle

import numpy as np
import pytest

from isocenter.errors import NotWhole, Refused
from isocenter.forms import maps
from isocenter.record import Map
from isocenter.space import Axis, Geometry, Volume

GRID = Geometry.regular(shape=(2, 3, 4))
OF = Map("m", "CBF", "mL/min", GRID, "d", series_uid="1.2")


def test_a_map_comes_back_as_it_was() -> None:
    values = np.arange(24, dtype=np.float32).reshape(GRID.shape)
    back = maps.unpack(maps.pack(Volume(values, GRID)), OF)
    assert np.array_equal(back.array, values)
    assert (back.quantity, back.unit, back.series_uid) == ("CBF", "mL/min", "1.2")


def test_the_same_map_is_the_same_blob_in_any_memory_order() -> None:
    values = np.arange(24, dtype=np.float64).reshape(GRID.shape)
    assert maps.pack(Volume(np.asfortranarray(values), GRID)) == maps.pack(Volume(values, GRID))


def test_leading_axes_are_refused() -> None:
    with pytest.raises(Refused, match="one value for each voxel"):
        maps.pack(Volume(np.zeros((2, 2, 3, 4)), GRID, axes=(Axis("time", (0, 1), "s"),)))


def saved(array: np.ndarray, **more: bool) -> bytes:  # type: ignore[type-arg]
    """What numpy writes."""
    out = io.BytesIO()
    np.save(out, array, **more)
    return out.getvalue()


def test_pickles_lies_and_strangers_are_refused() -> None:
    with pytest.raises(Refused, match="object"):
        maps.unpack(saved(np.array([{}], dtype=object), allow_pickle=True), OF)
    with pytest.raises(NotWhole):
        maps.unpack(pickle.dumps([1]), OF)
    with pytest.raises(Refused, match="float64"):
        maps.unpack(saved(np.zeros(GRID.shape)), OF)
    with pytest.raises(Refused, match="shape"):
        maps.unpack(saved(np.zeros((4, 3, 2), np.float32)), OF)
    whole = maps.pack(Volume(np.zeros(GRID.shape, np.float32), GRID))
    for cut in (whole[:-1], whole + b"x"):
        with pytest.raises(NotWhole, match="bytes of voxels"):
            maps.unpack(cut, OF)
