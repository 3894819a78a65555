"""A ventricle painted in two greys, and a network that reads them: what the rules do is seen without any weights."""

from types import SimpleNamespace

import numpy as np

from isocenter.space import Axis, Geometry, Volume

NORMAL = np.array([0.62, -0.67, -0.41])


def placed(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Geometry:
    """A grid in the textbook's short axis: slices from base to apex, rows to the feet, columns to the left."""
    normal = NORMAL / np.linalg.norm(NORMAL)
    across = np.cross(normal, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across) * np.sign(across[0])
    down = np.cross(normal, across)
    down *= np.sign(-down[2])
    affine = np.eye(4)
    affine[:3, :3] = np.stack([normal * spacing[0], down * spacing[1], across * spacing[2]], axis=1)
    return Geometry(affine, shape, "2.25.7")


def cine(
    radii: np.ndarray, wall: float = 9.0, *, spacing: tuple[float, float, float] = (10.0, 1.5, 1.5), size: int = 128,
    centre: tuple[float, float] = (3.0, 8.0), gaps: dict[int, float] | None = None,
) -> Volume:  # fmt: skip
    """Disks of cavity (1) in rings of muscle (0.5) on black.

    Args:
        radii: (phases, slices) of the cavity in mm; 0 for a slice without.
        centre: of the disks, mm below and right of the middle.
        gaps: slice -> part of the ring that is open.
    """
    phases, slices = radii.shape
    line = (np.arange(size) - (size - 1) / 2) * spacing[1]
    y, x = line[:, None] - centre[0], line[None, :] - centre[1]
    r, angle = np.hypot(y, x), np.arctan2(y, x)
    made = np.zeros((phases, slices, size, size), np.float32)
    for p in range(phases):
        for k in range(slices):
            inner = radii[p, k]
            if inner <= 0:
                continue
            outer = np.sqrt(inner**2 + (radii[0, k] + wall) ** 2 - radii[0, k] ** 2)
            closed = np.abs(angle) > np.pi * (gaps or {}).get(k, 0.0)
            made[p, k] = np.where(r < inner, 1.0, np.where((r < outer) & closed, 0.5, 0.0))
    axis = Axis("trigger", tuple(np.round(np.arange(phases) * 880.0 / phases, 3)), "ms")
    geometry = placed((slices, size, size), spacing)
    return Volume(made, geometry, axes=(axis,), facts={"HeartRate": 68, "PatientSize": 1.75, "PatientWeight": 70.0})


def ask(slices: np.ndarray) -> np.ndarray:
    """Logits from the greys of the middle slice."""
    seen = slices[:, 1]
    return np.stack([(seen - 0.75) * 40.0, (seen - 0.25) * 40.0], axis=1).astype(np.float32)


def depth(slices: np.ndarray) -> np.ndarray:
    """How deep (mm) each pixel lies, as far as the greys tell it: where the logits have the border, it is 0."""
    return ((slices[:, 1:2] - 0.75) * 20.0).astype(np.float32)


class Reader:
    """The same in the place of an ONNX session."""

    def run(self, names: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert sorted(given) == ["border", "places"] and len(names) == 1
        if names == ["depth_mm"]:
            return [depth(given["border"])]
        return [ask(given["places"])]

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in ("places", "border")]


def beating(phases: int = 16, slices: int = 11, first: int = 2, last: int = 9, ejected: float = 0.55) -> np.ndarray:
    """Radii of a ventricle between two slices, smaller towards the apex, smallest at two fifths of the beat."""
    squeeze = 0.5 - 0.5 * np.cos(2 * np.pi * np.minimum(np.arange(phases) / phases / 0.8, 1.0))
    level = (np.arange(slices) - first + 0.5) / (last - first + 1.0)
    shape = np.where((level > 0) & (level < 1), 27.0 * np.sqrt(np.clip(1 - np.abs(level) ** 2.5, 0, 1)), 0.0)
    return shape[None, :] * np.sqrt(1 - ejected * squeeze[:, None])
