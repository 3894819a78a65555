"""Where things are: arrays in patient space (LPS, millimetres). Imports numpy, scipy and SimpleITK, nothing above."""

from isocenter.space.geometry import Geometry, Reference
from isocenter.space.mesh import Mesh, surface
from isocenter.space.region import Region, Shape
from isocenter.space.resample import resample, resample_region
from isocenter.space.volume import Axis, Volume

__all__ = [
    "Axis",
    "Geometry",
    "Mesh",
    "Reference",
    "Region",
    "Shape",
    "Volume",
    "resample",
    "resample_region",
    "surface",
]
