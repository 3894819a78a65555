"""The surface of a region as a file for printing and viewing in three dimensions.

Lengths are millimetres in the patient's LPS space. STL has no field for a unit, so its header says it; glTF measures
in metres, so its node scales the millimetres and its extras say so. No name or number of a patient goes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.forms.plot import CONTOUR_COLOURS
from isocenter.space import Geometry, Mesh, Reference, Region, Shape, surface

__all__ = ["scene", "write"]

_FINE = 4_000_000  # voxels of a region's box up to which its surface is made as it is
_EVENED = 6  # times that a vertex takes the mean direction of its neighbours
_STANDING = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], np.float64)
_HEADER = b"Isocenter surface; unit mm; axes LPS (left, posterior, head); research only"


def write(what: Region | Mesh, kind: str = "stl") -> bytes:
    """The bytes of a binary STL or GLB file of a closed surface.

    Args:
        what: a region with a mask, or its surface.
        kind: ``"stl"`` or ``"glb"``.

    Raises:
        Refused: when the kind is unknown, the region has no voxels or no patient space, or the surface is not closed.
    """
    if kind not in ("stl", "glb"):
        raise Refused(f"a mesh as '{kind}'", "known are stl and glb", "name one of these")
    if isinstance(what, Region) and what.geometry.reference != Reference.PATIENT:
        raise Refused(
            "a region without patient coordinates",
            "its surface would have no true size",
            "take it as an outline on the image instead",
        )
    made = _closed(surface(what) if isinstance(what, Region) else what)
    if kind == "stl":
        plain: bytes = made.export(file_type="stl")
        return _HEADER.ljust(80) + plain[80:]
    return _glb(made)


def scene(parts: Sequence[tuple[str, Region]]) -> tuple[bytes, list[dict[str, Any]]]:
    """Several regions as one GLB at true scale, and what is in it.

    glTF's space: metres, y up. The patient stands upright and faces the viewer: x to the patient's left, y to the
    head, z to the front. Large regions are drawn from every second (third, …) voxel; the volume told is the mask's.

    Returns:
        the file, and for each part its name, colour, volume in mL and number of triangles.

    Raises:
        Refused: no part has voxels in patient space, or two parts lie in different frames of reference.
    """
    import trimesh

    made = trimesh.Scene()
    told: list[dict[str, Any]] = []
    solid = [(n, r) for n, r in parts if r.mask is not None and r.voxels and r.geometry.reference == Reference.PATIENT]
    if not solid:
        raise Refused("a scene without surfaces", "no region has voxels in patient space", "segment something first")
    for number, (name, region) in enumerate(solid):
        solid[0][1].geometry.must_share_frame(region.geometry)
        mesh = surface(_coarser(region))
        hexadecimal = CONTOUR_COLOURS[number % len(CONTOUR_COLOURS)]
        colour = [int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5)]
        body = trimesh.Trimesh(mesh.vertices_mm, mesh.faces, vertex_normals=_shading(mesh), process=False)
        paint = trimesh.visual.material.PBRMaterial(
            name=f"part{number + 1}", baseColorFactor=[*(c / 255 for c in colour), 1.0], metallicFactor=0.0,
            roughnessFactor=0.7,
        )  # fmt: skip
        body.visual = trimesh.visual.TextureVisuals(material=paint)
        node = f"part{number + 1}"  # a name that came from a header does not go into the file
        made.add_geometry(body, node_name=node, geom_name=node, transform=_STANDING @ np.diag([0.001] * 3 + [1.0]))
        told.append(
            {
                "node": node, "name": name, "colour": colour, "volume_ml": region.volume_ml,
                "triangles": len(mesh.faces), "centre_mm": list(region.centre_mm),
            }
        )  # fmt: skip
    made.metadata.update({"unit": "m", "axes": "left, head, front", "note": "true scale; research only"})
    data: bytes = made.export(file_type="glb", include_normals=True)
    return data, told


def _shading(mesh: Mesh) -> npt.NDArray[np.float64]:
    """Outward unit vectors at the vertices, evened out among neighbours.

    A surface through voxels has stairs; by its own triangles each step is lit apart, and a ball looks like a pile of
    bricks. Only the light is evened out: no vertex moves, so that sizes stay true.
    """
    from scipy import sparse

    corners = mesh.vertices_mm[mesh.faces]
    wide = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    n = len(mesh.vertices_mm)
    normals: npt.NDArray[np.float64] = np.empty((n, 3))
    for axis in range(3):
        normals[:, axis] = np.bincount(mesh.faces.ravel(), np.repeat(wide[:, axis], 3), n)
    rows, columns = mesh.faces.ravel(), np.roll(mesh.faces, 1, axis=1).ravel()
    beside = sparse.csr_matrix((np.ones(2 * rows.size), (np.r_[rows, columns], np.r_[columns, rows])), shape=(n, n))
    for _ in range(_EVENED):
        normals = normals + beside @ normals
        normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return normals


def _coarser(region: Region) -> Region:
    """The same region from fewer voxels, where its box has more than a viewer can turn around smoothly."""
    assert region.mask is not None
    start, stop = region.bounds
    box = float(np.prod(np.array(stop) - np.array(start)))
    step = int(np.ceil((box / _FINE) ** (1 / 3)))
    if step <= 1:
        return region
    cut = region.mask[start[0] : stop[0] : step, start[1] : stop[1] : step, start[2] : stop[2] : step]
    affine = region.geometry.affine.copy()
    affine[:3, 3] = region.geometry.to_patient(start)
    affine[:3, :3] *= step
    grid = Geometry(affine, cut.shape, region.geometry.frame_of_reference)
    return Region(grid, Shape.MASK, np.ascontiguousarray(cut), label=region.label)


def _closed(mesh: Mesh) -> Any:
    import trimesh

    made = trimesh.Trimesh(mesh.vertices_mm, mesh.faces, process=False)
    if not made.is_watertight:
        raise Refused(f"the surface of '{mesh.name}' is not closed", "it encloses no volume", "fill or smooth the mask")
    return made


def _glb(made: Any) -> bytes:
    import trimesh

    scene = trimesh.Scene()
    scene.add_geometry(
        made,
        node_name="surface",
        geom_name="surface",
        transform=np.diag([0.001, 0.001, 0.001, 1.0]),
    )
    scene.metadata.update({"unit": "mm", "axes": "LPS", "note": "nodes scale millimetres to metres; research only"})
    data: bytes = scene.export(file_type="glb")
    return data
