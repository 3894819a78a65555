"""A child's chest radiograph, projected through a numeric thorax by the law of Beer and Lambert.

The soft parts (body, arms, lungs, heart, diaphragm, stomach gas, opacity) stand in a voxel grid of 2 mm; their path
lengths are summed from back to front. Ribs, clavicles, vertebrae and vessels are swept balls, whose projection is
exact at the resolution of the detector. Attenuation, scatter, photon noise, detector blur and the film-like curve of
the display follow. Nothing is drawn onto the finished picture but the side marker.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.chest_film import chest_film
from isocenter.testing.phantoms.patient import Person, Phantom

__all__ = ["patient", "picture"]

_FIELD_MM = 250.0  # side of the square detector area
_GRID = 125  # soft parts: cells of 2 mm
_PIXELS = 500  # detector: pixels of 0.5 mm
_PIXEL_MM = _FIELD_MM / _PIXELS
_TOP_MM = -142.0  # height of the upper border of the detector; the middle of the thorax is 0, the feet are positive
# Linear attenuation at about 60 keV, 1/mm; a child's bone is less dense than an adult's.
_SOFT, _LUNG, _BONE = 0.0200, 0.0050, 0.0440

Array = npt.NDArray[np.float32]


def _soft_edge(inside_mm: npt.NDArray[Any], width_mm: float = 1.2) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(inside_mm / width_mm, -30, 30))), np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], smooth: float) -> Array:
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.standard_normal(shape).astype(np.float32), smooth)
    return np.asarray(field / field.std(), np.float32)


class _Thorax:
    """The soft parts on the voxel grid, (z from head to feet, x from the right to the left of the patient, y back)."""

    def __init__(self, rng: np.random.Generator) -> None:
        step = _FIELD_MM / _GRID
        axis = (np.arange(_GRID, dtype=np.float32) + 0.5) * step - _FIELD_MM / 2
        depth = (np.arange(90, dtype=np.float32) + 0.5) * step - 90
        self.z, self.x, self.y = (
            (axis + _FIELD_MM / 2 + _TOP_MM)[:, None, None],
            axis[None, :, None],
            depth[None, None, :],
        )
        self.step = step
        self.half = float(rng.uniform(86, 94))  # half width of the rib cage inside, mm
        self.top, self.floor = float(rng.uniform(-92, -86)), float(rng.uniform(46, 56))
        self.lean = float(rng.uniform(-3, 3))
        self.tilt = float(rng.uniform(-0.05, 0.05))

    def cage(self, z: npt.NDArray[Any], grow: float = 0.0) -> npt.NDArray[Any]:
        """Half width of the rib cage at a height: narrow at the apex, widest above the diaphragm."""
        t = np.clip((z - self.top + grow) / 150.0, 1e-3, 1.0)
        shape: npt.NDArray[Any] = (self.half + grow) * t**0.36 * (1.0 - 0.06 * np.maximum(t - 0.75, 0) / 0.25)
        return shape

    def body(self) -> Array:
        z, x, y = self.z, self.x - self.tilt * self.z, self.y
        trunk = 107 + 4 * np.sin((z + 40) / 60) - 5 * np.exp(-(((z - 60) / 40) ** 2))
        shoulder = 30 * np.exp(-(((z + 78) / 26) ** 2))
        neck = np.clip((z + 118) / 16, -1, 1) * 0.5 + 0.5
        half = (trunk + shoulder) * neck + 34 * (1 - neck)
        deep = (74 * neck + 36 * (1 - neck)) * np.ones_like(z)
        trunk_mm = (1 - ((np.abs(x) / half) ** 3.0 + (np.abs(y) / deep) ** 2.6) ** 0.36) * 60
        whole = _soft_edge(trunk_mm, 2.0)
        for side in (-1, 1):  # arms hang a little away from the trunk
            along = (z + 70) / 180
            centre = side * (134 + 40 * along)
            arm = 1 - np.sqrt(((x - centre) / 24) ** 2 + (y / 26) ** 2)
            whole = np.maximum(whole, _soft_edge(arm * 24, 2.0) * _soft_edge(z + 86, 5.0))
        head = 1 - np.sqrt(((x) / 62) ** 2 + ((z + 172) / 44) ** 2 + (y / 80) ** 2)
        return np.asarray(np.maximum(whole, _soft_edge(head * 50, 2.0)), np.float32)

    def diaphragm(self, lift: float) -> npt.NDArray[Any]:
        """Height of the diaphragm at each place: two domes, the right one higher."""
        x, y = self.x, self.y
        right = 21 * np.exp(-(((x + 46) / 44) ** 2) - ((y + 12) / 62) ** 2)
        left = 16 * np.exp(-(((x - 48) / 44) ** 2) - ((y + 12) / 62) ** 2)
        domes: npt.NDArray[Any] = self.floor + 6 - right - left + lift + 0.22 * np.maximum(y, 0)
        return domes

    def heart(self, width: float) -> Array:
        z, x, y = self.z, self.x - self.lean, self.y
        main = 1 - np.sqrt(
            (((x - 13) * 0.86 + (z - 14) * 0.5) / (44 * width)) ** 2
            + (((z - 14) * 0.86 - (x - 13) * 0.5) / 40) ** 2
            + ((y + 20) / 40) ** 2
        )
        atrium = 1 - np.sqrt(((x + 17) / (20 * width)) ** 2 + ((z - 12) / 34) ** 2 + ((y + 10) / 32) ** 2)
        upper = 1 - np.sqrt(((x - 2) / 23) ** 2 + ((z + 42) / 62) ** 2 + ((y + 12) / 36) ** 2)
        knob = 1 - np.sqrt(((x - 17) / 13) ** 2 + ((z + 30) / 14) ** 2 + (y / 20) ** 2)
        spine = 1 - np.sqrt((x / 15) ** 2 + ((y - 52) / 17) ** 2) + 0 * z
        parts = [_soft_edge(p * s) for p, s in ((main, 40), (atrium, 24), (upper, 26), (knob, 13), (spine, 15))]
        return np.asarray(1 - np.prod([1 - p for p in parts], axis=0), np.float32)

    def lungs(self, lift: float, heart: Array) -> Array:
        z, x, y = self.z, self.x - self.tilt * self.z, self.y
        wide = self.cage(z)
        inside = (1 - np.sqrt((x / wide) ** 2 + (np.abs(y) / (0.74 * wide)) ** 2)) * wide
        return np.asarray(
            _soft_edge(inside) * _soft_edge(self.diaphragm(lift) - z) * (1 - heart) * _soft_edge(z - self.top),
            np.float32,
        )

    def gas(self) -> Array:
        bubble = 1 - np.sqrt(
            ((self.x - 52) / 22) ** 2 + ((self.z - self.floor - 20) / 11) ** 2 + ((self.y + 30) / 22) ** 2
        )
        return _soft_edge(bubble * 12)

    def depth_of(self, part: Array) -> Array:
        """Path length through a part, mm, on the detector's grid."""
        from scipy.ndimage import zoom

        return np.asarray(zoom(part.sum(axis=2) * self.step, _PIXELS / _GRID, order=3, grid_mode=True, mode="nearest"))


def _swept(points: npt.NDArray[Any], radius_mm: float, hollow: float) -> Array:
    """Path length through balls swept along points (x, z, weight = mm of curve), with a softer core."""
    from scipy.signal import fftconvolve

    column = np.clip((points[:, 0] + _FIELD_MM / 2) / _PIXEL_MM, -1, _PIXELS)
    row = np.clip((points[:, 1] - _TOP_MM) / _PIXEL_MM, -1, _PIXELS)
    inside = (column >= 0) & (column < _PIXELS - 1) & (row >= 0) & (row < _PIXELS - 1)
    column, row, weight = column[inside], row[inside], points[inside, 2]
    image = np.zeros((_PIXELS, _PIXELS), np.float32)
    c, r = column.astype(int), row.astype(int)
    fc, fr = column - c, row - r
    for dr, dc, share in ((0, 0, (1 - fr) * (1 - fc)), (0, 1, (1 - fr) * fc), (1, 0, fr * (1 - fc)), (1, 1, fr * fc)):
        np.add.at(image, (r + dr, c + dc), (share * weight).astype(np.float32))
    reach = int(np.ceil(radius_mm / _PIXEL_MM)) + 1
    offset = np.arange(-reach, reach + 1) * _PIXEL_MM
    distance = offset[:, None] ** 2 + offset[None, :] ** 2
    # A ball of radius r has the chord 2 √(r² − d²); balls moved along a line of 1 mm must add up to the tube's chord.
    outer = 2 * np.sqrt(np.maximum(radius_mm**2 - distance, 0)) / (np.pi * radius_mm / 2)
    inner_radius = 0.72 * radius_mm
    inner = 2 * np.sqrt(np.maximum(inner_radius**2 - distance, 0)) / (np.pi * radius_mm / 2)
    return np.asarray(fftconvolve(image, (outer - hollow * inner).astype(np.float32), mode="same"), np.float32)


def _bones(thorax: _Thorax, rng: np.random.Generator) -> Array:
    ribs, t = [], np.linspace(0, 1, 500)
    for number in range(12):
        back = thorax.top + 4 + number * 13.2 + rng.uniform(-0.8, 0.8)
        for side in (-1, 1):
            drop = (14 + 2.6 * number) * np.sin(t * np.pi / 2) ** 1.4
            height = back + drop - 6 * np.sin(np.minimum(t * 6, np.pi))
            angle = np.pi / 2 - t * np.pi * (0.86 if number < 10 else 0.5)
            wide = thorax.cage(np.minimum(height, 62.0), 3.0)
            x = side * np.maximum(np.abs(wide * np.cos(angle)), 10 + 8 * t) + thorax.tilt * height
            y = 0.74 * wide * np.sin(angle)
            length = np.sqrt(np.gradient(x) ** 2 + np.gradient(y) ** 2 + np.gradient(height) ** 2)
            fade = np.clip((0.93 - t) / 0.06, 0, 1)  # the cartilage in front hardly shows
            ribs.append(np.stack([x, height, length * fade], 1))
    image = _swept(np.concatenate(ribs), 3.3, 0.55)
    clavicle = []
    for side in (-1, 1):
        x = side * (9 + 88 * t)
        z = thorax.top + 6 - 13 * t - 5 * np.sin(t * 2 * np.pi)
        clavicle.append(np.stack([x, z, np.hypot(np.gradient(x), np.gradient(z))], 1))
    image += _swept(np.concatenate(clavicle), 4.2, 0.6)
    limbs = []
    for side in (-1, 1):
        z = np.linspace(thorax.top + 2, 70, 500)
        x = side * (134 + 40 * (z + 70) / 180)
        limbs.append(np.stack([x, z, np.hypot(np.gradient(x), np.gradient(z))], 1))
    image += _swept(np.concatenate(limbs), 7.5, 0.75)
    blade = []
    for side in (-1, 1):  # border of the shoulder blade, from the joint to the lower tip
        x = side * (112 - 40 * np.sin(t * np.pi / 2) ** 2 + 10 * t)
        z = thorax.top + 8 + 74 * t
        blade.append(np.stack([x, z, 0.8 * np.hypot(np.gradient(x), np.gradient(z))], 1))
    image += _swept(np.concatenate(blade), 2.6, 0.3)
    vertebrae = []
    for number in range(-3, 20):
        z0 = thorax.top + 8 + number * 13.2
        across = np.linspace(-10, 10, 21)
        for z in np.arange(z0 - 4.4, z0 + 4.5, 1.1):
            rim = 1.6 if abs(z - z0) > 3.8 else 1.0
            vertebrae.append(np.stack([across + thorax.tilt * z, np.full(21, z), np.full(21, 1.1 * rim)], 1))
        for side in (-1, 1):
            vertebrae.append(np.stack([side * np.linspace(7, 19, 24), np.full(24, z0 - 3), np.full(24, 0.5)], 1))
            vertebrae.append(np.stack([np.full(10, side * 6.5), np.full(10, z0 - 2.0), np.full(10, 0.7)], 1))
    return np.asarray(image + _swept(np.concatenate(vertebrae), 2.4, 0.0) * 0.9, np.float32)


def _vessels(thorax: _Thorax, rng: np.random.Generator) -> Array:
    twigs: dict[float, list[npt.NDArray[Any]]] = {}

    def grow(x: float, z: float, angle: float, radius: float, depth: int) -> None:
        length = float(rng.uniform(11, 20)) * (0.93**depth)
        s = np.linspace(0, length, max(6, int(length / 0.4)))
        bend = angle + rng.uniform(-0.02, 0.02) * s
        px, pz = x + np.cumsum(np.cos(bend)) * (s[1] - s[0]), z + np.cumsum(np.sin(bend)) * (s[1] - s[0])
        twigs.setdefault(round(radius * 2) / 2, []).append(np.stack([px, pz, np.full_like(s, s[1] - s[0])], 1))
        if depth >= 6 or radius < 0.5:
            return
        for turn in (rng.uniform(0.15, 0.5), -rng.uniform(0.15, 0.5)):
            grow(float(px[-1]), float(pz[-1]), float(bend[-1] + turn), radius * 0.8, depth + 1)

    for side in (-1, 1):
        for angle in np.linspace(-1.15, 1.2, 6) + rng.uniform(-0.1, 0.1, 6):
            direction = angle if side > 0 else np.pi - angle
            grow(side * 19.0, -8.0, float(direction), 2.6, 0)
    return np.asarray(
        sum(_swept(np.concatenate(some), max(radius, 0.5), 0.0) for radius, some in twigs.items()), np.float32
    )


def picture(*, seed: int, opacity: str = "", volume_ml: float = 200.0) -> tuple[npt.NDArray[np.uint16], dict[str, Any]]:
    """The radiograph as 12-bit pixels, bright where dense, with its truth.

    Args:
        seed: decides anatomy and noise.
        opacity: ``""`` for a clear chest, else the zone: ``"right lower"``, ``"right upper"``, ``"left lower"``, …
        volume_ml: of the lung that is filled.
    """
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng([seed, 1])
    thorax = _Thorax(rng)
    lift = float(rng.uniform(-3, 3))
    body, heart = thorax.body(), thorax.heart(float(rng.uniform(0.94, 1.06)))
    lungs = thorax.lungs(lift, heart)
    gas = thorax.gas() * body * (1 - lungs)
    filled = np.zeros_like(lungs)
    truth: dict[str, Any] = {"opacity": bool(opacity), "zone": opacity}
    if opacity:
        side = -1 if opacity.startswith("right") else 1
        centre_z = thorax.floor - 30 if opacity.endswith("lower") else thorax.top + 52
        radius = (volume_ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3)
        away = np.sqrt(((thorax.x - side * 47) / 1.15) ** 2 + (thorax.z - centre_z) ** 2 + ((thorax.y - 4) / 1.1) ** 2)
        ragged = 0.22 * radius * _noise(rng, lungs.shape, 4.0)
        patchy = np.clip(0.8 + 0.22 * _noise(rng, lungs.shape, 2.0), 0.2, 1.0)
        filled = np.asarray(_soft_edge(radius - away + ragged, 3.0) * patchy * lungs, np.float32)
    texture = 1 + 0.10 * _noise(rng, lungs.shape, 1.0)
    air = thorax.depth_of(lungs * texture * (1 - 0.92 * filled))
    lung_mm = thorax.depth_of(lungs)
    soft = np.maximum(thorax.depth_of(body) - lung_mm - thorax.depth_of(gas), 0)
    windpipe_z = np.linspace(-150, -14, 400)
    windpipe = _swept(np.stack([2 + 0 * windpipe_z, windpipe_z, np.full(400, 0.34)], 1), 4.6, 0.0)
    soft = np.maximum(soft - windpipe, 0)
    weight = np.clip(lung_mm / 60, 0, 1)
    vessels = _vessels(thorax, rng) * weight
    bones = _bones(thorax, rng)
    path = _SOFT * (soft + vessels + np.maximum(lung_mm - air, 0)) + _LUNG * np.maximum(air, 0)
    path = path + (_BONE - _SOFT) * bones
    primary = np.exp(-path)
    scatter = 0.35 * gaussian_filter(primary, 45.0)
    photons = 2.0e4 * gaussian_filter(primary + scatter, 0.9)
    seen = rng.poisson(photons).astype(np.float64) + rng.normal(0, 6, photons.shape)
    density = -np.log(np.maximum(seen, 1) / 2.0e4)
    density += 0.35 * (density - gaussian_filter(density, 12.0))  # edge enhancement, as radiography systems do
    low, high = np.percentile(density[60:430, 60:440], (0.5, 99.5))
    level = (density - low) / (high - low)
    shown = 1 / (1 + np.exp(-5.0 * (level - 0.60)))
    shown = (shown - shown.min()) / (np.percentile(shown, 99.9) - shown.min())
    pixels = np.clip(shown * 3700 + 60, 0, 4095)
    if opacity:
        shadow = thorax.depth_of(filled)
        hit = np.argwhere(shadow > 0.35 * shadow.max())
        truth |= {
            "volume_ml": float(filled.sum()) * thorax.step**3 / 1000,
            "laterality": opacity.split()[0],
            "box_pixels": [int(v) for v in (*hit.min(axis=0), *(hit.max(axis=0) + 1))],
        }
    pixels[150:174, 18:34] = np.maximum(pixels[150:174, 18:34], 3900 * _letter_r())
    return pixels.astype(np.uint16), truth


def _letter_r() -> npt.NDArray[np.float64]:
    """The side marker of lead, 24 × 16 pixels."""
    rows = ("1110", "1001", "1001", "1110", "1100", "1010", "1001")
    small = np.array([[float(c) for c in row] for row in rows])
    return np.asarray(small[np.arange(24) * 7 // 24][:, np.arange(16) * 4 // 16])


def patient(
    *,
    seed: int = 1,
    opacity: str = "right lower",
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 9, 12),
) -> Phantom:
    """A child of three years with one frontal chest radiograph (DX, for presentation).

    Args:
        seed: decides anatomy, noise and every UID.
        opacity: zone of the lung that is filled, or ``""`` for a clear chest.
        person: who the files say it is.
        at: when it was taken.
    """
    who = person or Person(f"ISO-DEMO-CHEST-{seed}", "PHANTOM^CHEST", "O", "20230105", 0.96, 14.5)
    pixels, truth = picture(seed=seed, opacity=opacity)
    file, ds = chest_film(
        "chest", who, pixels, seed=seed, at=at, series="Chest PA", mm=_PIXEL_MM, kvp=70,
        geometry="parallel projection, no magnification",
    )  # fmt: skip
    return Phantom(
        f"chest radiograph, {opacity + ' opacity' if opacity else 'clear'}",
        (file,),
        truth | {"study_uid": ds.StudyInstanceUID, "series_uid": ds.SeriesInstanceUID, "sop_uid": ds.SOPInstanceUID},
    )
