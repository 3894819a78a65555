"""The average head that ships can be made again from what it was made of."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.average_head import AverageHead
from isocenter.site.averaging import SOURCES, averaged, main, written
from isocenter.site.defacing import average_head
from isocenter.space import Geometry, Volume
from isocenter.testing.phantoms import head


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_a_brain_comes_onto_an_average_head_by_way_of_a_head_that_has_both(tmp_path: Path) -> None:
    face, own = head.volume("T1", step_mm=4.0, pixel_mm=3.0)
    bridge, brain = head.volume("T1", step_mm=4.0, pixel_mm=3.0, size=1.1, tilt_deg=(8.0, 0.0, 5.0), seed=4)
    bare = Volume(np.where(brain, bridge.array, 0.0), bridge.geometry)
    made = averaged(face, bridge, bare)
    there = made.brain_at(np.eye(4), face.geometry)
    assert made.signal.geometry.spacing_mm == (4.0,) * 3 and made.signal.array.min() == 0
    assert agreement(there, own) > 0.9
    written(made, tmp_path / "head.npz")
    with np.load(tmp_path / "head.npz") as held:
        assert np.array_equal(held["signal"], made.signal.array) and held["spacing_mm"] == 4.0
        assert np.array_equal(np.unpackbits(held["brain"], count=made.brain.size).astype(bool), made.brain.ravel())


def test_a_bridge_that_is_no_head_is_refused() -> None:
    face, _ = head.volume("T1", step_mm=4.0, pixel_mm=3.0)
    speck = Volume(np.ones((4, 8, 8), np.float32), Geometry.regular(shape=(4, 8, 8)))
    with pytest.raises(Refused, match="cannot be laid"):
        averaged(face, speck, speck)


def test_the_recipe_gives_the_file_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(os.environ.get("ISOCENTER_HEAD_SOURCES", "../shared/head_sources"))
    missing = [place for place in SOURCES.values() if not (folder / place).is_file()]
    if missing:
        pytest.skip(f"the works that the average head was made of are not here ({missing[0]}): ISOCENTER_HEAD_SOURCES")
    monkeypatch.setattr("sys.argv", ["averaging", str(folder), "--out", str(tmp_path / "head.npz")])
    main()
    with np.load(tmp_path / "head.npz") as held:
        grid = Geometry.regular(
            shape=held["signal"].shape, spacing_mm=(4.0,) * 3, origin_mm=tuple(held["origin_mm"].tolist())
        )
        brain = np.unpackbits(held["brain"], count=held["signal"].size).astype(bool).reshape(grid.shape)
        made = AverageHead(Volume(held["signal"], grid), brain)
    ships = average_head()
    assert np.array_equal(made.signal.array, ships.signal.array) and grid.same_grid(ships.signal.geometry)
    assert agreement(made.brain, ships.brain) > 0.999  # another build of ITK may lay it a hair's breadth elsewhere
