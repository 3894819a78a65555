"""Frontal chest radiographs projected from a thorax in closed form, with the outlines of both lungs and of the heart.

Nothing in it comes from a person: cage, domes, heart and great vessels are ellipsoids and short curves whose numbers
are drawn at random well beyond what chests do, along rays from front to back. What lies in the picture beside them
(ribs, vessels, opacities, fluid, breasts, gas, wires, letters, the edge of the collimator) and how it is shown
(exposure, scatter, curve, edge enhancement, noise) is drawn at random too, so that a network that learns from them
cannot lean on how one machine draws a chest (domain randomisation: Tobin et al., IROS 2017).

Outlines follow the reader's habit: a lung field ends at the visible silhouette of heart, mediastinum and dome; the
heart is whole, with what lies below the domes; a consolidation belongs to the lung, fluid does not.

Lengths are in halves of the inner width of the thorax, so that a child and an adult differ by form and not by size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.methods.virtual_film import Layers, developed

__all__ = ["Film", "virtual_film"]

Array = npt.NDArray[np.float32]
_DEPTHS = 20


@dataclass(frozen=True, eq=False)
class Film:
    """One radiograph with its truth.

    Args:
        picture: (n, n) brightness 0 to 1, dense parts bright.
        masks: (3, n, n) coverage 0 to 1 by the right lung (on the left of the picture), the left lung and the heart;
            all 0 where it shows no frontal chest.
    """

    picture: Array
    masks: Array


def virtual_film(seed: int, size: int = 144) -> Film:
    """The radiograph of a seed.

    >>> film = virtual_film(1, 96)
    >>> film.picture.shape, film.masks.shape
    ((96, 96), (3, 96, 96))
    """
    rng = np.random.default_rng([seed, 17])
    kind = rng.random()
    chest = _Chest(rng, size, lateral=kind < 0.03, below=0.03 <= kind < 0.05)
    layers, masks = chest.projected()
    if kind < 0.05:
        masks = np.zeros_like(masks)
    if kind > 0.985:  # no body at all
        layers, masks = _nothing(rng, size), np.zeros_like(masks)
    picture = developed(layers, masks, rng)
    return Film(picture, np.asarray(masks, np.float32))


def _nothing(rng: np.random.Generator, size: int) -> Layers:
    from scipy.ndimage import gaussian_filter

    waves = sum(gaussian_filter(rng.standard_normal((size, size)), s) * s for s in (1.0, 4.0, 12.0))
    empty = np.zeros((size, size), np.float32)
    return Layers(np.asarray(2.0 + waves, np.float32), empty, empty, empty + 1.0)


def _ramp(inside: npt.NDArray[Any], edge: float) -> Array:
    return np.asarray(np.clip(inside / edge + 0.5, 0.0, 1.0), np.float32)


class _Chest:
    """A thorax seen by parallel rays: x to the patient's left, z to the feet, y to the back."""

    def __init__(self, rng: np.random.Generator, size: int, *, lateral: bool, below: bool) -> None:
        self.rng, self.size = rng, size
        u = rng.uniform
        self.height = u(1.15, 2.15) * 0.92  # of the right lung
        self.deep = u(0.52, 0.85)
        # The apex is at 0. What the picture covers: from a tight crop to a wide one, stretched a little.
        wide = 2.02 + 1.3 * u(0.0, 1.0) ** 1.5
        tall = np.clip(wide * u(0.8, 1.2), self.height * 0.98 + 0.1, 4.0)
        self.pixel = wide / size
        self.row = tall / size
        top = -(tall - self.height) * u(0.08, 0.75) + (self.height * u(1.0, 1.3) if below else 0.0)
        self.x = ((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5)[None, :] * wide + u(-0.12, 0.12)
        self.z = ((np.arange(size, dtype=np.float32) + 0.5) / size)[:, None] * tall + top
        turn = np.deg2rad(u(75, 105) * rng.choice([-1, 1]) if lateral else np.clip(rng.normal(0, 6), -18, 18))
        tilt = np.tan(np.deg2rad(np.clip(rng.normal(0, 6), -15, 18)))
        reach = 1.15 if lateral else self.deep * 1.1
        self.step = 2 * reach / _DEPTHS
        y = ((np.arange(_DEPTHS, dtype=np.float32) + 0.5) * self.step - reach)[None, None, :]
        lean = np.deg2rad(np.clip(rng.normal(0, 3), -8, 8))
        self.turn, self.tilt, self.lean = turn, tilt, lean
        across = self.x[:, :, None] * np.cos(lean) + self.z[:, :, None] * np.sin(lean)
        down = self.z[:, :, None] * np.cos(lean) - self.x[:, :, None] * np.sin(lean)
        self.X = np.asarray(across * np.cos(turn) + y * np.sin(turn), np.float32)
        self.Y = np.asarray(y * np.cos(turn) - across * np.sin(turn), np.float32)
        self.Z = np.asarray(down + y * tilt, np.float32)
        self.edge = max(self.pixel, 0.012)
        self._form()

    def _form(self) -> None:
        u, rng = self.rng.uniform, self.rng
        self.rise, self.power, self.flare = u(0.55, 1.0), u(1.3, 2.2), u(-0.14, 0.10)
        self.bend = rng.normal(0, 0.03)
        self.rib_drop = u(0.12, 0.42)
        # Domes: height of their tops, how much they rise above the angles, where and how wide.
        self.top_right = self.height
        self.top_left = self.height + u(-0.10, 0.22)
        self.arch = u(0.15, 0.55), u(0.15, 0.55)
        self.spot = u(0.42, 0.60), u(0.42, 0.62)
        self.breadth = u(0.36, 0.72), u(0.36, 0.72)
        self.slide = u(-0.1, 0.35)
        # Heart: widths from the middle.
        width = 2.0 * float(np.clip(rng.normal(0.48, 0.09), 0.30, 0.74))
        right = u(0.22, 0.42) * width
        self.heart_left, self.heart_right = width - right, right
        half = u(0.36, 0.47) * width
        angle, slim = np.deg2rad(u(5, 65)), u(0.55, 0.95)
        along = half / np.sqrt(np.cos(angle) ** 2 + (slim * np.sin(angle)) ** 2)
        self.main = (along, slim * along, angle)
        half_height = along * np.sqrt(np.sin(angle) ** 2 + (slim * np.cos(angle)) ** 2)
        bottom = 0.5 * (self.top_left + self.top_right) + u(-0.10, 0.22)
        self.heart_at = self.heart_left - half, bottom - half_height
        self.atrium = u(0.20, 0.30) * width, u(0.62, 1.0) * half_height, u(-0.05, 0.25) * half_height
        self.heart_deep = u(0.6, 0.95) * self.deep * min(1.0, 0.35 + 0.6 * width)
        # From the pulmonary trunk down to the left ventricle the border runs straight.
        upper = self.heart_at[1] - u(0.3, 0.8) * half_height
        self.waist = (
            (self.heart_left * u(0.1, 0.4), upper, -0.15 * self.deep),
            (self.heart_left * u(0.35, 0.6), half_height * u(0.6, 1.0), 0.7 * self.heart_deep),
            -u(0.0, 0.5),
        )
        # Great vessels and the rest of the mediastinum.
        self.stalk, self.stalk_at = u(0.11, 0.32), rng.normal(0, 0.04)
        self.stalk_deep = u(0.5, 0.95)
        self.knob = u(0.05, 0.17), u(0.16, 0.34) * self.height, self.stalk + u(-0.09, 0.04)
        self.trunk = u(0.08, 0.17), u(0.36, 0.52) * self.height, self.stalk * u(0.6, 1.15)

    def middle(self, z: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Where the spine runs, which may bend."""
        return np.asarray(self.bend * np.sin(2.2 * z))

    def cage(self, z: npt.NDArray[Any], grow: float = 0.0) -> npt.NDArray[Any]:
        """Half width of the cage at a height below the apex."""
        t = np.clip((z + grow) / (self.rise * self.height), 0.0, 1.0)
        below = np.clip(z / self.height - self.rise, 0.0, 0.8)
        half: npt.NDArray[Any] = (1.0 - (1.0 - t) ** self.power) ** (1 / self.power) * (1.0 + self.flare * below) + grow
        return np.asarray(np.maximum(half, 1e-3))

    def _ball(self, at: tuple[float, float, float], half: tuple[float, float, float], turned: float = 0.0) -> Array:
        across, down = self._seen(*(np.array([v]) for v in (at[0], at[1], at[2])))
        reach = max(half) + 0.1
        rows = np.flatnonzero(np.abs(self.z[:, 0] - down) < reach)
        columns = np.flatnonzero(np.abs(self.x[0] - across) < reach)
        whole = np.zeros_like(self.X)
        if not (len(rows) and len(columns)):
            return whole
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        x, z, y = self.X[box] - at[0], self.Z[box] - at[1], self.Y[box] - at[2]
        c, s = float(np.cos(turned)), float(np.sin(turned))
        far = np.sqrt(((x * c + z * s) / half[0]) ** 2 + ((z * c - x * s) / half[1]) ** 2 + (y / half[2]) ** 2)
        whole[box] = _ramp((1.0 - far) * min(half[:2]), self.edge)
        return whole

    def _seen(self, x: npt.NDArray[Any], z: npt.NDArray[Any], y: npt.NDArray[Any]) -> tuple[Any, Any]:
        """Where a place of the thorax lies on the film: (across, down)."""
        across, down = x * np.cos(self.turn) - y * np.sin(self.turn), z - y * self.tilt
        c, s = np.cos(self.lean), np.sin(self.lean)
        return across * c - down * s, down * c + across * s

    def _heart(self) -> Array:
        long, short, angle = self.main
        front = -0.22 * self.deep
        main = self._ball((*self.heart_at, front), (long, short, self.heart_deep), angle)
        wide, tall, down = self.atrium
        at = (-self.heart_right + wide, self.heart_at[1] + down, front * 0.6)
        whole = np.maximum(main, self._ball(at, (wide, tall, 0.8 * self.heart_deep)))
        return np.maximum(whole, self._ball(*self.waist))

    def _mediastinum(self) -> Array:
        z = self.Z[:, :, _DEPTHS // 2, None]
        above = np.clip((0.35 * self.height - z) / self.height, -0.3, 1.0)
        half = self.stalk * (1.0 + 1.2 * np.maximum(above, 0.0) ** 2 + 0.5 * np.minimum(above, 0.0))
        across = (self.X - self.stalk_at - self.middle(z)) / half
        far = np.sqrt(across**2 + (self.Y / (self.stalk_deep * self.deep)) ** 2)
        whole = _ramp((1.0 - far) * half, self.edge)
        spine = np.sqrt(((self.X - self.middle(z)) / 0.13) ** 2 + ((self.Y - 0.8 * self.deep) / 0.2) ** 2)
        whole = np.maximum(whole, _ramp((1.0 - spine) * 0.13, self.edge))
        for radius, height, out in (self.knob, self.trunk):
            whole = np.maximum(whole, self._ball((out, height, 0.0), (radius, 1.1 * radius, 0.3)))
        return np.asarray(whole, np.float32)

    def _domes(self) -> Array:
        """Height of the diaphragm under each place."""
        x, y = self.X, self.Y + 0.15
        lowest: Any = np.inf
        for side, top, arch, spot, wide in (
            (-1, self.top_right, self.arch[0], self.spot[0], self.breadth[0]),
            (1, self.top_left, self.arch[1], self.spot[1], self.breadth[1]),
        ):
            near = np.exp(-(((x - side * spot) / wide) ** 2) - (y / 0.75) ** 2)
            lowest = np.minimum(lowest, top + arch * (1.0 - near) * 1.6)
        return np.asarray(lowest + self.slide * np.maximum(self.Y, 0.0), np.float32)

    def projected(self) -> tuple[Layers, Array]:
        """Path lengths, and the outlines."""
        level = self.Z[:, :, _DEPTHS // 2, None]
        half = self.cage(level)
        far = np.sqrt(((self.X - self.middle(level)) / half) ** 2 + (self.Y / (self.deep * half)) ** 2)
        inner = _ramp((1.0 - far) * half, self.edge) * _ramp(self.Z, self.edge)
        under = _ramp(self.Z - self._domes(), self.edge)
        heart, middle = self._heart(), self._mediastinum()
        air = inner * (1.0 - under)
        free = air * (1.0 - np.maximum(heart, middle))

        def path(part: npt.NDArray[Any]) -> Array:
            return np.asarray(part.sum(axis=2) * self.step, np.float32)

        whole, below, shadow, lung = path(air), path(inner * under), path(middle * air), path(free)
        core = path(heart)
        soft = 0.05
        field = _ramp(whole - 0.10, soft) * (1 - _ramp(below - 0.07, soft))
        hidden = np.maximum(_ramp(core - 0.06, soft), _ramp(shadow - 0.08, soft))
        field = field * (1 - hidden)
        across_2d = self.x * np.cos(self.lean) + self.z * np.sin(self.lean)
        left = _ramp(across_2d - self.stalk_at - self.middle(self.z), 2 * self.pixel)
        fluid, wet = self._fluid(lung, field, left)
        field = field * (1 - wet)
        masks = np.stack([field * (1 - left), field * left, _ramp(core - 0.06, soft)])
        body = self._body()
        body = np.maximum(body, whole + below + 0.12) - self._gas(below)
        return Layers(np.maximum(body - lung, 0.02), lung * (1 - fluid), self._bones(lung), _ramp(body, 0.1)), masks

    def _fluid(self, lung: Array, field: Array, left: Array) -> tuple[Array, Array]:
        """(how much of the air is replaced, where the field ends at fluid): opacities, and effusions now and then."""
        from scipy.ndimage import gaussian_filter

        rng, u = self.rng, self.rng.uniform
        filled = np.zeros_like(lung)
        if rng.random() < 0.45:
            for _ in range(rng.integers(1, 5)):
                at = u(-0.9, 0.9), u(0.1, 1.0) * self.height
                radius = u(0.08, 0.5)
                ragged = gaussian_filter(rng.standard_normal(lung.shape).astype(np.float32), u(1.5, 5.0))
                ragged *= u(0.0, 0.5) / max(float(ragged.std()), 1e-6)
                far = np.hypot((self.x - at[0]) / u(0.7, 1.4), self.z - at[1]) / radius
                filled = np.maximum(filled, u(0.2, 1.0) * _ramp(1.0 - far + 0.6 * ragged, u(0.2, 1.0)))
        wet = np.zeros_like(lung)
        if rng.random() < 0.12:
            side = left if rng.random() < 0.5 else 1 - left
            level = self.height * u(0.55, 1.0) + 0.25 * (1 - np.abs(self.x)) * u(0.0, 1.5)
            wet = side * _ramp(self.z - level, u(0.03, 0.12))
        return np.asarray(np.maximum(filled * 0.95, wet), np.float32), np.asarray(wet, np.float32)

    def _body(self) -> Array:
        """Thickness of everything from skin to skin."""
        rng, u = self.rng, self.rng.uniform
        x, z = self.x - self.middle(self.z), self.z
        trunk = u(1.06, 1.5) + u(-0.15, 0.25) * np.clip(z / self.height - 0.5, -0.5, 1.0)
        shoulder = u(0.0, 0.7) * np.exp(-(((z + 0.05) / u(0.25, 0.6)) ** 2))
        neck = np.clip((z + u(0.25, 0.5)) / u(0.1, 0.35), 0.0, 1.0)
        half = (trunk + shoulder) * neck + u(0.32, 0.55) * (1 - neck)
        deep = (self.deep * u(1.1, 1.5)) * (0.55 + 0.45 * neck)
        power = u(2.2, 4.5)
        body = 2 * deep * np.maximum(1.0 - (np.abs(x) / half) ** power, 0.0) ** 0.45
        if rng.random() < 0.75:  # arms beside the trunk, or raised
            for side in (-1, 1):
                radius, out, away = u(0.16, 0.34), u(1.25, 1.75), u(-0.35, 0.5)
                off = x - side * (out + away * (z - 0.2))
                arm = 2 * np.sqrt(np.maximum(radius**2 - off**2, 0.0)) * _ramp(z + u(-0.1, 0.3), 0.2)
                body = np.maximum(body, arm)
        if rng.random() < 0.6:  # chin
            far = (x / u(0.35, 0.6)) ** 2 + ((z + u(0.5, 0.95)) / u(0.2, 0.45)) ** 2
            body = body + u(0.5, 1.1) * np.sqrt(np.maximum(1.0 - far, 0.0))
        if rng.random() < 0.45:  # breasts
            size, low = u(0.3, 0.62), u(0.55, 1.0) * self.height
            for side in (-1, 1):
                if rng.random() < 0.95:
                    at, drop = side * u(0.42, 0.68), low + u(-0.08, 0.08)
                    far = ((x - at) / size) ** 2 + ((z - drop) / (size * u(0.7, 1.1))) ** 2
                    below = np.where(z > drop, 1.0, 0.6)
                    body = body + u(0.1, 0.6) * below * np.sqrt(np.maximum(1.0 - far, 0.0))
        return np.asarray(body, np.float32)

    def _gas(self, below: Array) -> Array:
        rng, u = self.rng, self.rng.uniform
        gas = np.zeros_like(below)
        for k in range(rng.integers(0, 7)):
            first = k == 0
            at = (u(0.3, 0.7), self.top_left + u(0.08, 0.35)) if first else (u(-1, 1), self.height + u(0.25, 1.5))
            half = u(0.06, 0.34), u(0.05, 0.22)
            far = ((self.x - at[0]) / half[0]) ** 2 + ((self.z - at[1]) / half[1]) ** 2
            gas = np.maximum(gas, u(0.1, 0.5) * np.sqrt(np.maximum(1.0 - far, 0.0)))
        return np.asarray(gas * _ramp(below - 0.1, 0.1), np.float32)

    def _splat(self, points: list[tuple[Any, Any, Any, Any]], width: float, hollow: float = 0.0) -> Array:
        """Points (x, z, y, weight) on the film, smeared to lines of a width in halves of the thorax."""
        from scipy.ndimage import gaussian_filter

        x, z, y, weight = (np.concatenate([np.broadcast_to(p[k], np.shape(p[0])) for p in points]) for k in range(4))
        seen = self._seen(x, z, y)
        column = (seen[0] - self.x[0, 0]) / self.pixel
        row = (seen[1] - self.z[0, 0]) / self.row
        inside = (column >= 0) & (row >= 0) & (column < self.size - 1) & (row < self.size - 1)
        column, row, weight = column[inside], row[inside], weight[inside]
        i, j = row.astype(int), column.astype(int)
        a, b = row - i, column - j
        flat = np.zeros(self.size**2)
        for di, dj, share in ((0, 0, (1 - a) * (1 - b)), (0, 1, (1 - a) * b), (1, 0, a * (1 - b)), (1, 1, a * b)):
            flat += np.bincount((i + di) * self.size + j + dj, share * weight, self.size**2)
        image = flat.reshape(self.size, self.size) / self.pixel
        wide = max(0.45 * width / self.pixel, 0.5)
        drawn = gaussian_filter(image, wide)
        if hollow and wide > 0.9:
            drawn = drawn - hollow * gaussian_filter(image, 0.55 * wide)
        return np.asarray(drawn, np.float32)

    def _bones(self, lung: Array) -> Array:
        """Ribs, clavicles, spine, shoulder blades and arms; and vessels, which weigh less."""
        rng, u = self.rng, self.rng.uniform
        t = np.linspace(0, 1, 140)
        apart, ribs = self.height * u(0.095, 0.14), []
        gone = u(0.55, 0.95)
        for k in range(12):
            for side in (-1, 1):
                z = -0.03 + k * apart + rng.normal(0, 0.008) + (self.rib_drop + 0.03 * k) * np.sin(t * np.pi / 2) ** 1.4
                z = z - 0.05 * np.sin(np.minimum(t * 6, np.pi))
                wide = self.cage(np.minimum(z, 1.1 * self.height), 0.03)
                turn = np.pi / 2 - t * np.pi * (0.86 if k < 10 else 0.5)
                x, y = side * np.maximum(np.abs(wide * np.cos(turn)), 0.08), self.deep * wide * np.sin(turn)
                length = np.sqrt(np.gradient(x) ** 2 + np.gradient(y) ** 2 + np.gradient(z) ** 2)
                ribs.append((x + self.middle(z), z, y, length * np.clip((gone - t) / 0.1, 0, 1)))
        ribs_seen = self._splat(ribs, u(0.05, 0.10), u(0.2, 0.75)) * u(0.3, 2.6)
        collar, blade, limb, spine = [], [], [], []
        slope, height = u(-0.25, 0.35), u(-0.15, 0.22)
        for side in (-1, 1):
            x = side * (0.07 + 0.75 * t)
            z = height - slope * t + 0.06 * np.sin(t * 2 * np.pi)
            collar.append((x, z, -0.5 * self.deep, 0.006 + 0 * t))
            out = u(0.75, 1.25)
            blade.append((side * (out - 0.3 * np.sin(t * 3)), 0.05 + 0.9 * t, 0.8 * self.deep, 0.006 + 0 * t))
            limb.append((side * (1.25 + 0.35 * t), 0.02 + 1.4 * t, 0.0, 0.02 + 0 * t))
        for z0 in np.arange(-0.9, self.height + 1.2, apart * 1.05):
            for z in np.linspace(z0, z0 + 0.7 * apart, 5):
                line = np.linspace(-0.12, 0.12, 15)
                spine.append((line + self.middle(z + 0 * line), z + 0 * line, 0.8 * self.deep, 0.004 + 0 * line))
        bones = (
            ribs_seen + self._splat(collar, u(0.06, 0.1), 0.6) * u(0.3, 1.6) + self._splat(spine, 0.04) * u(0.1, 1.2)
        )
        bones = bones + self._splat(limb, u(0.12, 0.2), 0.6) * u(0.2, 1.0) + self._splat(blade, 0.05) * u(0.2, 1.4)
        twigs: list[tuple[Any, Any, Any, Any]] = []
        for side in (-1, 1):
            root = u(0.16, 0.34), u(0.38, 0.52) * self.height
            for _ in range(26):
                hilum = side * (root[0] + rng.normal(0, 0.06)), root[1] + rng.normal(0, 0.09)
                angle = rng.normal(0, 0.75) + np.cumsum(rng.normal(0, 0.05, len(t)))
                reach = u(0.2, 0.85) * t
                x, z = hilum[0] + side * reach * np.cos(angle), hilum[1] + reach * np.sin(angle)
                twigs.append((x, z, u(-0.3, 0.3) * self.deep, 0.004 * (1.02 - t) ** 1.2))
        vessels = self._splat(twigs, u(0.015, 0.06)) * u(0.03, 0.35) * np.clip(lung / 0.5, 0, 1)
        return np.asarray(0.5 * np.maximum(bones, 0) + vessels, np.float32)
