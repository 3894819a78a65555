"""Several regions in one scene: true scale, upright, named by number."""

from __future__ import annotations

import io

import numpy as np
import pytest
import trimesh
from forms_samples import ball

from isocenter.errors import Refused
from isocenter.forms.mesh import scene
from isocenter.space import Geometry, Reference, Region, Shape, surface


def box(
    start: tuple[int, int, int],
    stop: tuple[int, int, int],
    *,
    shape: tuple[int, int, int] = (20, 30, 40),
    **rest: object,
) -> Region:
    grid = Geometry.regular(shape=shape, spacing_mm=(3.0, 2.0, 1.0), origin_mm=(100, -50, 700), **rest)  # type: ignore[arg-type]
    mask = np.zeros(shape, bool)
    mask[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]] = True
    return Region(grid, Shape.MASK, mask, label="PHANTOM^Anna")


def test_metres_upright_and_facing_the_viewer() -> None:
    """A box of 20 mm to the left, 10 mm deep, 12 mm high at (105 … 124, -46 … -38, 706 … 715)."""
    data, told = scene([("liver", box((2, 2, 5), (6, 7, 25)))])
    loaded = trimesh.load(io.BytesIO(data), file_type="glb")
    low, high = loaded.bounds
    # marching cubes ends half a voxel beyond the outer centres: x 104.5 … 124.5, y -47 … -37, z 704.5 … 716.5 in LPS
    assert low == pytest.approx([0.1045, 0.7045, 0.037], abs=1e-5)
    assert high == pytest.approx([0.1245, 0.7165, 0.047], abs=1e-5)
    assert (told[0]["name"], told[0]["node"]) == ("liver", "part1")
    assert told[0]["volume_ml"] == pytest.approx(20 * 10 * 12 / 1000)
    assert loaded.to_geometry().volume > 0, "faces look outward in the viewer's space too"
    assert b"PHANTOM" not in data


def test_parts_are_told_apart_and_what_has_no_place_is_left_out() -> None:
    flat = Region(Geometry.regular(shape=(1, 4, 4), reference=Reference.PIXEL), Shape.MASK, np.ones((1, 4, 4), bool))
    data, told = scene([("a", box((0, 0, 0), (2, 2, 2))), ("b", box((5, 5, 5), (8, 8, 8))), ("flat", flat)])
    assert [t["name"] for t in told] == ["a", "b"]
    assert told[0]["colour"] != told[1]["colour"]
    assert len(trimesh.load(io.BytesIO(data), file_type="glb").geometry) == 2


def test_a_large_region_is_drawn_from_fewer_voxels_and_its_volume_stays() -> None:
    large = box((10, 10, 10), (190, 190, 190), shape=(200, 200, 200))
    _, told = scene([("large", large)])
    assert told[0]["volume_ml"] == pytest.approx(180**3 * 6 / 1000)
    assert told[0]["triangles"] < 110_000


def test_a_ball_of_voxels_is_lit_as_a_ball_and_no_vertex_moves_for_it() -> None:
    grid = Geometry.regular(shape=(14, 20, 26), spacing_mm=(4.0, 3.0, 2.0))
    round_one = ball(grid, 20.0)
    (lit,) = trimesh.load(io.BytesIO(scene([("ball", round_one)])[0]), file_type="glb", process=False).geometry.values()
    plain = surface(round_one).vertices_mm
    assert np.allclose(lit.vertices, plain, atol=1e-3)
    outward = plain - plain.mean(axis=0)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    by_triangles = trimesh.Trimesh(plain, lit.faces, process=False).vertex_normals
    assert (lit.vertex_normals * outward).sum(axis=1).min() > 0.98 > (by_triangles * outward).sum(axis=1).min()


def test_refusals() -> None:
    with pytest.raises(Refused, match="without surfaces"):
        scene([("none", Region(Geometry.regular(shape=(2, 2, 2)), Shape.MASK, np.zeros((2, 2, 2), bool)))])
    with pytest.raises(Refused, match="frame"):
        scene(
            [
                ("a", box((0, 0, 0), (2, 2, 2), frame_of_reference="1")),
                ("b", box((0, 0, 0), (2, 2, 2), frame_of_reference="2")),
            ]
        )
