"""The surface of a region as a file for printing and viewing in three dimensions.

Lengths are millimetres in the patient's LPS space. STL has no field for a unit, so its header says it; glTF measures
in metres, so its node scales the millimetres and its extras say so. No name or number of a patient goes in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.errors import Refused
from isocenter.space import Mesh, Reference, Region, surface

__all__ = ["write"]

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
        raise Refused(f"a mesh as '{kind}'", "known are stl and glb")
    if isinstance(what, Region) and what.geometry.reference != Reference.PATIENT:
        raise Refused("a region without patient coordinates", "its surface would have no true size")
    made = _closed(surface(what) if isinstance(what, Region) else what)
    if kind == "stl":
        plain: bytes = made.export(file_type="stl")
        return _HEADER.ljust(80) + plain[80:]
    return _glb(made)


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
