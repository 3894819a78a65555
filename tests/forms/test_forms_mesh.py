"""A surface is closed, has the size of the region, and carries its unit but nobody's name."""

import io
import json
import struct

import numpy as np
import pytest
import trimesh
from forms_samples import ball

from isocenter.errors import Refused
from isocenter.forms import mesh
from isocenter.space import Geometry, Mesh, Reference, Region


def opened(data: bytes, kind: str) -> trimesh.Trimesh:
    """What trimesh makes of the bytes, placed as the file says."""
    loaded = trimesh.load(io.BytesIO(data), file_type=kind)
    made = loaded.to_mesh() if isinstance(loaded, trimesh.Scene) else loaded
    made.merge_vertices()
    return made


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("kind", "per_ml"), [("stl", 1000.0), ("glb", 1e-6)])
def test_a_ball_keeps_its_volume_and_place(kind: str, per_ml: float, turned: bool) -> None:
    grid = Geometry.regular(shape=(44, 44, 44), origin_mm=(10, -20, 30))
    region = ball(grid.flipped(0) if turned else grid, 18)
    made = opened(mesh.write(region, kind), kind)
    assert made.is_watertight
    assert made.volume / per_ml == pytest.approx(region.volume_ml, rel=0.01)
    scale = 1.0 if kind == "stl" else 0.001
    assert np.abs(made.center_mass / scale - region.centre_mm).max() < 0.01


def test_the_unit_is_declared_and_no_name_is_there() -> None:
    region = ball(Geometry.regular(shape=(12, 12, 12)), 4, "Müller^Jörg")
    stl, glb = mesh.write(region, "stl"), mesh.write(region, "glb")
    assert b"unit mm" in stl[:80] and len(stl) == 84 + 50 * struct.unpack("<I", stl[80:84])[0]
    length = struct.unpack("<I", glb[12:16])[0]
    said = json.loads(glb[20 : 20 + length])
    assert said["scenes"][0]["extras"]["unit"] == "mm"
    for data in (stl, glb):
        assert "Müller".encode() not in data and b"Muller" not in data and b"M\xfcller" not in data


def test_the_same_region_is_the_same_file() -> None:
    region = ball(Geometry.regular(shape=(12, 12, 12)), 4)
    assert mesh.write(region, "stl") == mesh.write(region, "stl")
    assert mesh.write(region, "glb") == mesh.write(region, "glb")


def test_what_has_no_closed_surface_is_refused() -> None:
    grid = Geometry.regular(shape=(12, 12, 12))
    with pytest.raises(Refused, match="known are stl and glb"):
        mesh.write(ball(grid), "obj")
    with pytest.raises(Refused, match="without voxels"):
        mesh.write(Region(grid, mask=np.zeros(grid.shape, bool)))
    with pytest.raises(Refused, match="no true size"):
        mesh.write(ball(Geometry.regular(shape=(12, 12, 12), reference=Reference.PIXEL)))
    open_one = Mesh(np.eye(3), np.array([[0, 1, 2]]), "sheet")
    with pytest.raises(Refused, match="not closed"):
        mesh.write(open_one)
