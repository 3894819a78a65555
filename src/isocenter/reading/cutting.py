"""Any plane through a volume, cut here: for a browser that has no WebGL and for whoever has no browser."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt

from isocenter.errors import NotAVolume, Refused
from isocenter.reading.pictures import Pictures
from isocenter.space import Volume

__all__ = ["Cutter", "Plane", "cut"]

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Plane:
    """A grid of points in the patient (LPS mm).

    Args:
        origin: the first point.
        right, down: from a point to its neighbours.
        rows, columns: how many.
    """

    origin: Vector
    right: Vector
    down: Vector
    rows: int
    columns: int


def cut(volume: Volume, at: Plane) -> npt.NDArray[np.float32]:
    """Values at the points of a plane, linear between voxels; outside, the smallest value of the volume.

    Returns:
        (rows, columns) in the unit of the volume.

    Raises:
        Refused: when the plane has no extent.

    >>> import numpy as np
    >>> from isocenter.space import Geometry
    >>> ramp = Volume(np.arange(8.0, dtype=np.float32).reshape(2, 2, 2), Geometry.regular(shape=(2, 2, 2)), "x", "1")
    >>> cut(ramp, Plane((0, 0, 0.5), (1, 0, 0), (0, 1, 0), 2, 2)).tolist()
    [[2.0, 3.0], [4.0, 5.0]]
    """
    from scipy.ndimage import map_coordinates

    if np.linalg.norm(np.cross(at.right, at.down)) < 1e-9:
        raise Refused("a plane without extent", "its two directions are the same", "give two that differ")
    steps = np.linalg.inv(volume.geometry.affine)[:3]
    start = steps @ (*at.origin, 1.0)
    right, down = (steps[:, :3] @ np.array(v) for v in (at.right, at.down))
    row, column = np.arange(at.rows)[:, None], np.arange(at.columns)[None, :]
    where = start[:, None, None] + down[:, None, None] * row + right[:, None, None] * column
    values = np.asarray(volume.array, dtype=np.float32)
    found: npt.NDArray[np.float32] = map_coordinates(
        values, where, order=1, mode="constant", cval=float(values.min()), output=np.float32
    )
    return found


class Cutter:
    """Cuts planes through the volumes that were asked for lately; few are kept, for they are large.

    Args:
        most: volumes in memory.
    """

    def __init__(self, most: int = 2) -> None:
        self._most, self._lock = most, Lock()
        self._kept: OrderedDict[str, Volume] = OrderedDict()

    def __call__(self, of: Pictures, at: Plane, load: Callable[[], Volume]) -> npt.NDArray[np.float32]:
        """A plane through a series, in the unit that its description names.

        Raises:
            NotAVolume: when its images make none.
        """
        if of.no_volume:
            raise NotAVolume(of.no_volume, "planes need a whole volume", "scroll through its images")
        key = f"{of.series.uid} {of.tag}"
        with self._lock:
            volume = self._kept.pop(key, None) or load()
            self._kept[key] = volume
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return cut(volume, at) * np.float32(of.factor)
