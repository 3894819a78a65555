"""A beating heart in closed form, as a bSSFP cine shows it on the short axis, with the outlines that an expert draws.

Nothing in it comes from a person: every shape is an ellipse, a half plane or a short Fourier series whose numbers are
drawn at random within what hearts do. It serves to train a network, to test one with known truth, and as a phantom.

The picture is made as the scanner makes one: fractions of water and of fat are painted tissue by tissue, averaged
through the thickness of the slice, blurred by the limited part of k-space that is scanned, and added with opposite
sign, which draws the dark lines between fat and water; the coil's shading and Rician noise come on top.

Labels follow the rules of `isocenter.methods.cine`: papillary muscles and trabeculae lie within the endocardial
outline, and a basal slice counts when at least half of its circumference is muscle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.methods.virtual_lining import Lining

__all__ = ["Anatomy", "Rendered", "VirtualHeart"]

Array = npt.NDArray[np.float32]
_EDGE = 0.8  # pixels over which an edge is soft


@dataclass(frozen=True, eq=False)
class Rendered:
    """Pictures of a heart with their truth.

    Args:
        pictures: (phases, slices, n, n) signal, blood near 1.
        cavity, epicardium: (phases, slices, n, n) coverage of each pixel by the two outlines, 0 where a slice does not
            count.
    """

    pictures: Array
    cavity: Array
    epicardium: Array


@dataclass(frozen=True)
class Anatomy:
    """The ventricle itself, in millimetres; what is not said is drawn by the seed.

    Args:
        base_radius_mm, length_mm, wall_mm: of the cavity at end-diastole, and of its wall.
        ejected: part of the cavity's area that is gone at end-systole in a middle slice.
        descent_mm: by how much the base comes down in systole.
    """

    base_radius_mm: float
    length_mm: float
    wall_mm: float
    ejected: float
    descent_mm: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Anatomy:
        """A healthy, a dilated or a thickened heart, with equal chance."""
        kind = rng.integers(3)
        radius = (rng.uniform(20, 29), rng.uniform(27, 40), rng.uniform(16, 25))[kind]
        wall = (rng.uniform(6, 11), rng.uniform(5, 11), rng.uniform(10, 19))[kind]
        ejected = (rng.uniform(0.4, 0.72), rng.uniform(0.08, 0.45), rng.uniform(0.45, 0.85))[kind]
        length = float(np.clip(radius * rng.uniform(2.6, 3.8), 62, 115))
        return cls(float(radius), length, float(wall), float(ejected), float(rng.uniform(3, 16) * ejected / 0.6))


@dataclass(frozen=True, eq=False)
class VirtualHeart:
    """One heart in its chest; everything that `anatomy` does not say comes from `seed`."""

    seed: int
    anatomy: Anatomy | None = None
    plain: bool = False  # a simple chest with little texture
    _held: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> Anatomy:
        """The anatomy given, or that of the seed."""
        return self.anatomy or Anatomy.drawn(np.random.default_rng([self.seed, 1]))

    def rendered(
        self,
        depths_mm: npt.ArrayLike,
        squeezes: npt.ArrayLike,
        *,
        size: int = 144,
        step_mm: float = 1.5,
        thickness_mm: float = 8.0,
        noise: float = 0.03,
    ) -> Rendered:
        """Pictures at some depths and phases.

        Args:
            depths_mm: of the slice centres below the base at end-diastole; negative lies above it, in the atrium.
            squeezes: 0 at end-diastole to 1 at end-systole, one for each phase.
            size, step_mm: of the square pictures, centred on the ventricle's middle.
            thickness_mm: of a slice, over which it is averaged.
            noise: standard deviation, where blood is 1.
        """
        depths, phases = np.atleast_1d(np.asarray(depths_mm, float)), np.atleast_1d(np.asarray(squeezes, float))
        made = np.zeros((3, len(phases), len(depths), size, size), np.float32)
        for k, depth in enumerate(depths):
            chest = _Chest(self, float(depth), size, step_mm)
            rng = np.random.default_rng([self.seed, 7, k])
            for p, squeeze in enumerate(phases):
                made[:, p, k] = chest.slice(float(squeeze), thickness_mm, noise, rng)
        return Rendered(made[0], made[1], made[2])


class _Chest:
    """The chest at one depth: what does not move is painted once."""

    def __init__(self, heart: VirtualHeart, depth: float, size: int, step: float) -> None:
        self.heart, self.depth, self.step, self.plain = heart, depth, step, heart.plain
        self.a = heart.shape
        self.rng = np.random.default_rng([heart.seed, 2])  # the same draws for every slice of this heart
        r = self.rng
        line = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * np.float32(step)
        self.x, self.y = line[None, :], line[:, None]  # right and down
        self.texture = _Texture(np.random.default_rng([heart.seed, 3]), size, step)
        self.tilt = r.normal(0, 0.12, 2)
        self.power = r.uniform(1.7, 3.2)
        self.lobes = [(2, r.normal(0, 0.045), r.uniform(0, 6.3)), (3, r.normal(0, 0.02), r.uniform(0, 6.3)),
                      (5, r.normal(0, 0.008), r.uniform(0, 6.3))]  # fmt: skip
        self.flat = r.uniform(0, 0.14)
        self.septum = np.pi + r.normal(0, 0.25)  # direction of the right ventricle, counter-clockwise from the right
        self.uneven = (r.uniform(0, 0.25), r.uniform(0, 6.3))
        self.scar = (r.choice([0.0, 0.0, r.uniform(0.2, 0.7)]), r.uniform(0, 6.3), r.uniform(0.4, 1.0))
        self.outflow = (np.pi * r.uniform(0.72, 0.92), r.uniform(0.5, 1.1), r.uniform(2, 16))
        self.base_tilt = (r.uniform(0, 6), r.uniform(0, 6.3))
        self.lining = Lining.drawn(np.random.default_rng([heart.seed, 4]), float(self.septum), self.a.wall_mm)
        self.right = (r.uniform(0.95, 1.45), r.uniform(0.85, 1.5), r.uniform(0.55, 0.85), r.uniform(1.5, 4.0))
        s = self.signal = {
            "blood": 1.0, "right": r.uniform(0.85, 1.1), "muscle": r.uniform(0.22, 0.52), "fat": r.uniform(0.6, 1.5),
            "lung": r.uniform(0.02, 0.1), "liver": r.uniform(0.25, 0.6), "wall": r.uniform(0.2, 0.5),
        }  # fmt: skip
        self.fat_layer = (r.uniform(0, 9), r.uniform(0, 6.3), r.uniform(0, 0.9))
        self.flow = r.uniform(0, 0.16)
        self.k_space = (r.uniform(0.62, 1.0), r.uniform(0.5, 0.95))
        self.shade = (r.uniform(0.0, 1.1), r.uniform(50, 110), r.uniform(0.5, 1.0) * np.pi, r.normal(0, 0.15, 2))
        self.water = np.full((size, size), s["lung"], np.float32)
        self.oil = np.zeros((size, size), np.float32)
        self._background(r)

    # ---- what stands still -----------------------------------------------------------------------------------------

    def _background(self, r: np.random.Generator) -> None:
        s, t = self.signal, self.texture
        below = self.depth / self.a.length_mm
        self.water += 0.5 * s["lung"] * t.fine
        if not self.plain:
            for x, y, radius in r.uniform((-100, -100, 1), (100, 100, 3.5), (int(r.integers(5, 30)), 3)):
                self._put(self._ball(x + 12 * below, y, radius, radius), s["blood"] * r.uniform(0.3, 0.9))
        floor = r.uniform(30, 70) - 14 * below
        liver = self._side(floor, -np.pi / 2 + r.normal(0, 0.25))
        self._put(liver, s["liver"] * (1 + 0.12 * t.coarse + 0.06 * t.fine))
        for x, y, radius in r.uniform((-80, floor + 8, 2), (60, 110, 5), (6, 3)):
            self._put(liver * self._ball(x, y, radius, radius * 0.7), s["blood"] * 0.75)
        x, y, a, b = r.uniform((20, floor + 10, 15, 12), (90, floor + 50, 45, 30))
        self._put(self._ball(x, y, a, b), r.choice([0.05, s["liver"] * 1.3, s["blood"] * 0.6]))
        self._put(self._ball(*r.uniform((45, 15), (85, 70)), *np.repeat(r.uniform(8, 13), 2)), s["blood"] * 0.95)
        angle, away = r.uniform(0.55, 0.95) * np.pi, r.uniform(58, 95) - 10 * below
        self._put(self._side(away, angle), s["wall"] * (1 + 0.15 * t.fine))
        wobble = 5 * t.coarse
        self._fat(self._side(away + r.uniform(-2, 4), angle, wobble) * (1 - self._side(away + 9, angle, wobble)), 1.0)
        self._fat(self._side(away + r.uniform(14, 30), angle, wobble), 1.2)

    def _put(self, where: Array, value: Any) -> None:
        self.water += where * (np.asarray(value, np.float32) - self.water)
        self.oil *= 1 - where

    def _fat(self, where: Array, part: float) -> None:
        self.oil += where * (np.float32(self.signal["fat"] * part) * (1 + 0.15 * self.texture.fine) - self.oil)
        self.water *= 1 - where

    def _soft(self, inside_mm: Array) -> Array:
        return np.asarray(np.clip(inside_mm / np.float32(_EDGE * self.step) + 0.5, 0, 1), np.float32)

    def _ball(self, x: float, y: float, a: float, b: float, turn: float = 0.0) -> Array:
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        u, v = self.x - np.float32(x), self.y - np.float32(y)
        p, q = (u * c - v * s) / np.float32(a), (u * s + v * c) / np.float32(b)
        return self._soft((1 - np.sqrt(p * p + q * q)) * np.float32(min(a, b)))

    def _side(self, away: float, angle: float, wobble: Any = 0.0) -> Array:
        """All that lies farther than `away` in a direction (counter-clockwise from the right)."""
        along = self.x * np.float32(np.cos(angle)) - self.y * np.float32(np.sin(angle))
        return self._soft(along - np.float32(away) + wobble)

    # ---- what beats ------------------------------------------------------------------------------------------------

    def slice(self, squeeze: float, thickness: float, noise: float, rng: np.random.Generator) -> Array:
        """Picture, cavity, epicardium: (3, n, n)."""
        still = self.water, self.oil
        water, oil = np.zeros_like(still[0]), np.zeros_like(still[1])
        cavity, outer, share = np.zeros_like(water), np.zeros_like(water), []
        subs = (-0.33, 0.0, 0.33)
        for part in subs:
            self.water, self.oil = still[0].copy(), still[1].copy()
            inside, within, ring = self._heart(self.depth + part * thickness, squeeze)
            water += self.water / len(subs)
            oil += self.oil / len(subs)
            cavity += inside / len(subs)
            outer += within / len(subs)
            share.append(ring)
        self.water, self.oil = still
        # Half of the circumference must be muscle, and half of the slice must hold a cavity.
        if np.mean(share) < 0.5 or cavity.max() < 0.5:
            cavity[:], outer[:] = 0, 0
        cavity, outer = (np.asarray(np.clip((m - 0.5) * 3 + 0.5, 0, 1), np.float32) for m in (cavity, outer))
        signal = np.abs(self._scanned(water) - self._scanned(oil)) * self._shading()
        signal = np.hypot(signal + rng.normal(0, noise, signal.shape), rng.normal(0, noise, signal.shape))
        return np.stack([signal.astype(np.float32), cavity, outer])

    def _heart(self, depth: float, squeeze: float) -> tuple[Array, Array, float]:
        """Paint the heart at one depth; returns what lies in the cavity, within the epicardium, and the ring's part."""
        a, s, t = self.a, self.signal, self.texture
        descent = a.descent_mm * squeeze
        length = a.length_mm - descent
        level = (depth - descent) / length
        cx, cy = self.tilt[0] * (depth - a.length_mm / 2), self.tilt[1] * (depth - a.length_mm / 2)
        u, v = self.x - np.float32(cx), self.y - np.float32(cy)
        distance, angle = np.hypot(u, v), np.arctan2(-v, u)
        inner, outer = self._outlines(level, squeeze, angle)
        ring = self._ring(depth - descent, angle)
        if level >= 1.0 + 0.6 * a.wall_mm / length:
            return np.zeros_like(distance), np.zeros_like(distance), 0.0
        mean_in, mean_out = float(inner.mean()), float(outer.mean())
        self._surroundings(level, squeeze, cx, cy, mean_out, distance, angle, outer)
        within, inside = self._soft(outer - distance), self._soft(inner - distance)
        blood = s["blood"] * self.lining.blood(level) * (1 + self.flow * t.coarse + 0.03 * t.fine)
        self._put(within * ring, s["muscle"] * (1 + 0.1 * t.fine + 0.08 * t.coarse))
        self._put(within * (1 - ring), blood)
        free = inside
        if not self.plain:
            free = inside * (1 - self.lining.muscle(inner - distance, angle, inner, level, squeeze, t.fine))
        for at, radius, lower, upper, bulk in self.lining.heads:
            if lower < level < upper and mean_in > 6:
                swell = min(radius * (0.75 + 0.35 * squeeze), 0.55 * mean_in)
                place = mean_in - swell * (0.4 + bulk * (1 - (level - lower) / (upper - lower)))
                ball = self._ball(cx + place * np.cos(at), cy - place * np.sin(at), swell, swell * 0.75, at)
                free = free * (1 - ball)
        self._put(free, blood)
        part = float(ring[within > 0.5].mean()) if (within > 0.5).any() else 0.0
        return inside * float(level < 1.0), within, part if depth - descent > -12 else 0.0

    def _outlines(self, level: float, squeeze: float, angle: Array) -> tuple[Array, Array]:
        a = self.a
        profile = max(0.0, 1 - max(level, 0.0) ** self.power) ** 0.5 if level < 1 else 0.0
        if level < 0:
            profile = 1.0 + 0.1 * level
        form = np.ones_like(angle)
        for order, size, phase in self.lobes:
            form += np.float32(size) * np.cos(order * angle - phase)
        near = np.cos(angle - self.septum)
        form -= np.float32(self.flat) * np.clip(near, 0, None) ** 3
        depth, where, wide = self.scar
        weak = np.float32(depth) * np.exp(-0.5 * ((1 - np.cos(angle - where)) / wide**2) ** 2)
        diastole = np.float32(a.base_radius_mm * profile) * form
        wall = (
            np.float32(a.wall_mm * (1 - 0.3 * max(level, 0.0) ** 2))
            * (1 + np.float32(self.uneven[0]) * np.cos(angle - self.uneven[1]))
            * (1 - 0.5 * weak)
        )
        ejected = np.clip(a.ejected * squeeze * (1 + 0.25 * max(level, 0.0)), 0, 0.93) * (1 - weak)
        inner = diastole * np.sqrt(1 - ejected)
        # Muscle keeps its volume: what it loses in length it gains in area.
        stretch = a.length_mm / (a.length_mm - a.descent_mm * squeeze)
        outer = np.sqrt(inner**2 + ((diastole + wall) ** 2 - diastole**2) * np.float32(stretch))
        if level >= 1.0:
            over = (level - 1.0) * a.length_mm / a.wall_mm
            outer = outer * np.float32(np.sqrt(max(0.0, 1 - over**2)))
        return inner.astype(np.float32), outer.astype(np.float32)

    def _ring(self, below_base: float, angle: Array) -> Array:
        """Where there is muscle around the cavity: none above the base, a gap where the blood leaves."""
        tilt, towards = self.base_tilt
        out, wide, deep = self.outflow
        gap = deep * np.exp(-0.5 * (np.arccos(np.clip(np.cos(angle - out), -1, 1)) / wide) ** 2)
        return np.asarray(np.clip((below_base - gap - tilt * np.cos(angle - towards)) / 2.0 + 0.5, 0, 1), np.float32)

    def _surroundings(
        self, level: float, squeeze: float, cx: float, cy: float, radius: float, distance: Array, angle: Array,
        outer: Array,
    ) -> None:  # fmt: skip
        """Right ventricle, fat, and above the base the atria and the great vessels."""
        s, t = self.signal, self.texture
        long, tall, ends, wall = self.right
        base = self.a.base_radius_mm + self.a.wall_mm
        left = np.array([np.cos(self.septum), -np.sin(self.septum)])
        size = base * np.sqrt(np.clip(1 - (max(level, 0.0) / ends) ** 2, 0, 1)) * (1 - 0.2 * squeeze * long / 1.4)
        thick, phase, patchy = self.fat_layer
        rim = np.float32(thick) * np.clip(1 + np.float32(patchy) * np.cos(2 * angle - phase), 0.05, None)
        self._fat(self._soft(outer + rim - distance), 1.0)
        if size > 4:
            x, y = np.array([cx, cy]) + left * (0.35 * radius + 0.42 * size * long)
            turn = self.septum - np.pi
            self._fat(self._ball(x, y, size * long * 0.85 + wall + thick, size * tall + wall + thick, turn), 1.0)
            self._put(self._ball(x, y, size * long * 0.85 + wall, size * tall + wall, turn), s["muscle"])
            blood = s["right"] * (1 + self.flow * t.coarse + 0.04 * t.fine)
            inside = self._ball(x, y, size * long * 0.85, size * tall, turn)
            if level > 0.3 and not self.plain:
                inside = inside * (1 - np.clip(0.9 * t.fine - 0.4, 0, 0.7))
            self._put(inside, blood)
        if level < 0.08:
            up = float(np.clip((0.08 - level) / 0.2, 0, 1))
            root = base * 0.42
            out = self.outflow[0]
            x, y = cx + radius * 0.72 * np.cos(out), cy - radius * 0.72 * np.sin(out)
            for px, py, r in ((x, y, root), (x - root * 0.5, y - root * 2.0, root * 0.95 * up),
                              (cx - base * 0.9, cy + base * 0.75, base * 0.62 * up)):  # fmt: skip
                if r > 3:
                    self._put(self._ball(px, py, r + 2.2, r + 2.2), s["muscle"])
                    self._put(self._ball(px, py, r, r), s["blood"] * (1 + self.flow * t.coarse))

    # ---- what the scanner does -------------------------------------------------------------------------------------

    def _scanned(self, image: Array) -> Array:
        from scipy.fft import irfft2, rfft2

        n = image.shape[0]
        down, across = (np.float32(0.5 * k * min(1.0, self.step / 1.1)) for k in self.k_space)
        window = self._window(n, float(down), float(across))
        return np.asarray(irfft2(rfft2(image) * window, s=image.shape), np.float32)

    def _window(self, n: int, down: float, across: float) -> Array:
        held = self.heart._held
        key = f"window {n} {down} {across}"
        if key not in held:
            ky, kx = np.abs(np.fft.fftfreq(n))[:, None], np.fft.rfftfreq(n)[None, :]
            soft = np.clip((down - ky) / 0.06 + 0.5, 0, 1) * np.clip((across - kx) / 0.06 + 0.5, 0, 1)
            held[key] = soft.astype(np.float32)
        window: Array = held[key]
        return window

    def _shading(self) -> Array:
        strength, reach, angle, slope = self.shade
        near = self.x * np.float32(np.cos(angle)) - self.y * np.float32(np.sin(angle)) - np.float32(100)
        gain = 1 + np.float32(strength) * np.exp(near / np.float32(reach))
        gain = gain * (1 + (slope[0] * self.x + slope[1] * self.y) / np.float32(100))
        return np.asarray(np.clip(gain, 0.2, 6), np.float32)


class _Texture:
    """Smooth noise of unit strength, fine (2 mm) and coarse (15 mm)."""

    def __init__(self, rng: np.random.Generator, size: int, step: float) -> None:
        from scipy.ndimage import gaussian_filter

        def smooth(mm: float) -> Array:
            made = gaussian_filter(rng.standard_normal((size, size)).astype(np.float32), mm / step, mode="wrap")
            return np.asarray(np.clip(made / made.std(), -2.5, 2.5), np.float32)

        self.fine, self.coarse = smooth(1.6), smooth(13.0)
