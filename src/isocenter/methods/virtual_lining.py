"""What lines the cavity of a beating heart in closed form: trabeculae, papillary muscles, and slow blood at the apex.

The outline of experts is the border of the compact wall; what is spongy within it belongs to the cavity. That layer is
hardly there in one heart and a centimetre deep in another; it is deepest towards the apex and in the free wall, and
packed more closely at end-systole (Jenni 2001; Petersen 2005). Where its meshes are finer than a pixel it is an even
grey between blood and muscle, where they are coarser the border is ragged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Lining"]

Array = npt.NDArray[np.float32]
_FREE = 0.3  # of the cavity's radius that stays free of trabeculae


@dataclass(frozen=True, eq=False)
class Lining:
    """The lining of one heart.

    Args:
        deep_mm: of the layer at the base. towards_apex: by which part of that it deepens to the apex.
        dense: part of the layer that is muscle where it is densest. even: 0 for beams, 1 for an even grey.
        fading: how fast it thins inward; 0 ends at a step.
        side, one_sided: direction in which it is deepest (counter-clockwise from the right), and how much so.
        beams: (order, phase, twist) of the waves along the circumference.
        heads: (direction, radius mm, upper end, lower end, part that is attached to the wall) of papillary muscles.
        dim: by how much blood is darker at the apex.
    """

    deep_mm: float
    towards_apex: float
    dense: float
    even: float
    fading: float
    side: float
    one_sided: float
    beams: tuple[tuple[float, float, float], ...]
    heads: tuple[tuple[float, float, float, float, float], ...]
    dim: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, septum: float, wall_mm: float) -> Lining:
        """At random: two in five have hardly any layer, the others one of up to 7 mm.

        Args:
            septum: direction of the right ventricle. wall_mm: thicker walls have thicker papillary muscles.
        """
        deep = rng.uniform(0.0, 1.5) if rng.random() < 0.4 else rng.uniform(1.5, 7.0)
        beams = tuple(
            (float(rng.integers(low, high)), float(rng.uniform(0, 6.3)), float(rng.normal(0, 5)))
            for low, high in ((4, 9), (8, 15), (13, 24), (20, 34))
        )
        heads = []
        thick = 0.6 + 0.05 * wall_mm
        for at in (0.75, -1.25):
            for _ in range(int(rng.integers(0, 3))):
                heads.append((
                    at + rng.normal(0, 0.35), thick * rng.uniform(2.2, 6.0), rng.uniform(0.15, 0.45),
                    rng.uniform(0.6, 0.95), rng.uniform(0.0, 1.0),
                ))  # fmt: skip
        return cls(
            float(deep), float(rng.uniform(0.0, 1.4)), float(rng.uniform(0.3, 1.0)), float(rng.random()),
            float(rng.choice([0.0, rng.uniform(0.3, 1.5)])), float(septum + np.pi + rng.normal(0, 0.8)),
            float(rng.uniform(0, 0.9)), beams, tuple(heads), float(max(0.0, rng.uniform(-0.25, 0.4))),
        )  # fmt: skip

    def muscle(self, inside_mm: Array, angle: Array, inner: Array, level: float, squeeze: float, mesh: Array) -> Array:
        """Part of each pixel that is trabeculae, 0 to 1.

        Args:
            inside_mm: depth of each pixel within the border of the compact wall. angle, inner: its direction, and the
                radius of that border there.
            level: 0 at the base, 1 at the apex. squeeze: 0 at end-diastole, 1 at end-systole.
            mesh: fine noise of unit strength.
        """
        keep = (1 + self.one_sided * np.cos(angle - self.side)) / (1 + self.one_sided)
        waves = sum(np.sin(n * angle + phase + twist * level) for n, phase, twist in self.beams) / 2
        form = self.even + (1 - self.even) * np.clip(0.5 + 0.6 * waves, 0.0, 1.5)
        deep = self.deep_mm * (1 + self.towards_apex * max(level, 0.0)) * (1 + 0.3 * squeeze)
        deep = np.minimum(np.float32(deep) * keep * form, (1 - _FREE) * inner)
        within = np.clip((deep - inside_mm) / 1.2 + 0.5, 0, 1)
        if self.fading:
            within = within * np.clip(1 - inside_mm / np.maximum(deep, 0.5), 0, 1) ** self.fading
        lumps = np.clip(0.85 + (1 - 0.7 * self.even) * 0.5 * mesh, 0, 1.15)
        dense = min(1.0, self.dense * (1 + 0.25 * squeeze))
        return np.asarray(np.clip(dense * within * lumps, 0, 1) * (inner > 2), np.float32)

    def blood(self, level: float) -> float:
        """Brightness of the blood: it is slow at the apex."""
        return 1.0 - self.dim * float(np.clip(level, 0, 1)) ** 2
