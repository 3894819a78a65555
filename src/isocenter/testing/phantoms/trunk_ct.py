"""A CT of the trunk in which every vertebra is known: from the ninth thoracic to the sacrum, with ribs and pelvis.

Proportions are arguments: size, curve of the spine, how many lumbar vertebrae, how low the last ribs and how high the
iliac crests reach, how dense the bone is, and which part of all that the scan shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.space import Geometry, Volume

__all__ = ["volume"]

_THORACIC, _LUMBAR, _SACRAL = (21.0, 22.0, 23.0, 25.0), (26.0, 27.0, 28.0, 28.0, 28.0), (26.0, 22.0, 18.0)  # heights
_CORTEX, _PLATE = 480.0, 520.0
Picture = npt.NDArray[Any]


def volume(
    *, size: float = 1.0, wide: float = 1.0, seed: int = 1, slice_mm: float = 4.0, noise: float = 12.0,
    trabecular: float = 150.0, lumbar: int = 5, lordosis_mm: float = 12.0, scoliosis_mm: float = 0.0,
    last_rib_mm: float = 95.0, crest: float = 0.5, contrast: bool = False,
    show: tuple[float, float] = (-9999.0, 9999.0), pixel_mm: float = 2.0,
) -> tuple[Volume, dict[str, Any]]:  # fmt: skip
    """A CT volume, slices towards the head, and the truth: heights (mm) of the middle of every vertebra, by name.

    Args:
        size: of the skeleton, 1 for a person of about 1.75 m.
        wide: of the trunk about it.
        trabecular: HU within the vertebral bodies.
        lumbar: how many vertebrae without ribs lie above the sacrum.
        lordosis_mm, scoliosis_mm: how far the spine swings to the front and to the side.
        last_rib_mm: length of the twelfth rib.
        crest: height of the iliac crest above the middle of the last lumbar vertebra, in vertebrae.
        contrast: whether blood and kidneys are bright.
        show: lowest and highest millimetre, where 0 is the top of the sacrum.
    """
    spine = _spine(size, lumbar)
    low, high = max(show[0], -55.0 * size), min(show[1], spine[-1][2] - 2.0)
    heights = np.arange(low, high, slice_mm)
    half = 190.0 * max(wide, size)
    line = np.arange(-half, half, pixel_mm)
    y, x = line[:, None], line[None, :]
    rng = np.random.default_rng([seed, 77])
    image = np.empty((len(heights), len(line), len(line)), np.float32)
    middle = {name: 0.5 * (bottom + top) for name, bottom, top in spine}
    last = middle["L5" if lumbar == 5 else f"L{lumbar}"]
    step = middle["L3"] - middle["L4"]
    ribs = [
        (top, length)
        for name, _, top in spine
        if (length := _RIBS.get(name, 0.0) or (last_rib_mm if name == "T12" else 0.0))
    ]
    for k, z in enumerate(heights):
        one = image[k]
        one[:] = -1000.0
        trunk = _egg(x, y, 0, 0, 150 * wide, 105 * wide)
        one[trunk] = -100.0
        one[_egg(x, y, 0, 2, 128 * wide, 84 * wide)] = 45.0
        one[_egg(x, y, 0, -14, 100 * wide, 58 * wide)] = -20.0 + 30.0 * np.sin(0.05 * z)
        shift = scoliosis_mm * np.sin(z / (110.0 * size))
        back = float(_back(z, wide, lordosis_mm, size))
        if contrast:
            for side in (-1, 1):
                if middle["L3"] - 20 < z < middle["T12"] + 20:
                    one[_egg(x, y, side * 62 * size, 22 * wide, 25, 20)] = 190.0
            one[_egg(x, y, shift + 7, back - 30 * size, 10, 10)] = 320.0
        _ribs(one, x, y, float(z), ribs, wide, size, shift, back)
        _pelvis(one, x, y, float(z), last + crest * step, wide, size, back)
        _vertebra(one, x - shift, y - back, float(z), spine, size, trabecular)
        one[(y > 110 * wide) & (y < 115 * wide) & (np.abs(x) < 160) & (one < -500)] = -80.0
        one += rng.normal(0.0, noise, one.shape).astype(np.float32)
    image = _tilted(image, heights, line, wide, lordosis_mm, size)
    grid = Geometry.regular(
        shape=image.shape, spacing_mm=(slice_mm, pixel_mm, pixel_mm),
        origin_mm=(float(line[0]), float(line[0]), float(heights[0])), frame_of_reference="2.25.31",
    )  # fmt: skip
    held = Volume(
        np.clip(np.round(image), -1024, 3071).astype(np.int16), grid, "attenuation", "[hnsf'U]", (),
        {"Modality": "CT", "KVP": 120.0, "SliceThickness": slice_mm, "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]},
        "2.25.32",
    )  # fmt: skip
    return held, {"middle_mm": middle, "spacing_mm": step}


_RIBS = {"T11": 190.0, "T10": 290.0, "T9": 300.0}


def _spine(size: float, lumbar: int) -> list[tuple[str, float, float]]:
    """(name, bottom, top) of every vertebra, upwards; the sacrum's top lies at 0."""
    spine = []
    z = 0.0
    for n, height in enumerate(_SACRAL, 1):
        spine.append((f"S{n}", (z - height) * size, z * size))
        z -= height
    spine.reverse()
    z = 11.0
    heights = [_LUMBAR[min(n, 4)] for n in range(lumbar)]
    for n in range(lumbar, 0, -1):
        spine.append((f"L{n}", z * size, (z + heights[n - 1]) * size))
        z += heights[n - 1] + (10.0 if n > 2 else 8.5)
    for n in range(12, 8, -1):
        height = _THORACIC[n - 9]
        spine.append((f"T{n}", z * size, (z + height) * size))
        z += height + 5.5
    return spine


def _back(z: Any, wide: float, lordosis_mm: float, size: float) -> Any:
    """Row (mm) of the middle of the vertebral bodies at a height; the sacrum turns to the back."""
    swing = lordosis_mm * np.sin(np.pi * np.clip(z, -30 * size, 220 * size) / (220 * size))
    return 40.0 * wide - swing + np.maximum(0.0, -np.asarray(z)) * 0.55


def _tilted(image: Picture, heights: Picture, line: Picture, wide: float, lordosis_mm: float, size: float) -> Picture:
    """Vertebrae stand upright on the curve of the spine: every row is taken from as far up or down as that asks."""
    slope = np.gradient(_back(heights, wide, lordosis_mm, size), heights)
    slope = np.convolve(np.pad(slope, 4, mode="edge"), np.ones(9) / 9, mode="valid")
    from_mm = heights[:, None] + slope[:, None] * (line[None, :] - _back(heights, wide, lordosis_mm, size)[:, None])
    at = np.clip((from_mm - heights[0]) / (heights[1] - heights[0]), 0, len(heights) - 1.001)
    low, share = at.astype(int), (at - at.astype(int))[..., None].astype(np.float32)
    rows = np.arange(len(line))[None, :]
    return np.asarray(image[low, rows] * (1 - share) + image[low + 1, rows] * share)


def _egg(x: Picture, y: Picture, cx: float, cy: float, a: float, b: float) -> npt.NDArray[np.bool_]:
    return np.asarray(((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 <= 1.0)


def _vertebra(
    one: Picture, x: Picture, y: Picture, z: float, spine: list[tuple[str, float, float]], size: float,
    trabecular: float,
) -> None:  # fmt: skip
    """x and y about the middle of the vertebral body."""
    name, bottom, top = min(spine, key=lambda v: abs(z - 0.5 * (v[1] + v[2])))
    small = {"T": 0.85, "L": 1.0, "S": 0.95}[name[0]] * size
    body = _egg(x, y, 0, 0, 23 * small, 16.5 * small)
    part = (z - bottom) / (top - bottom)
    canal, ring = _egg(x, y, 0, 26 * small, 10 * small, 8 * small), _egg(x, y, 0, 26 * small, 13 * small, 11 * small)
    if not 0.0 <= part <= 1.0:
        one[body] = 95.0
        one[(np.abs(x) < 4) & (y > 36 * small) & (y < (60 if name[0] != "S" else 44) * small)] = 330.0
        one[canal] = 15.0
        return
    if name[0] == "S":
        reach = (52.0 + 40.0 * min(0.0, z) / (66.0 * size)) * size
        one[(np.abs(x) < reach) & (np.abs(y) < 15 * size - 0.1 * np.abs(x))] = trabecular + 20.0
        edge = 15 * size - 0.1 * np.abs(x)
        one[(np.abs(np.abs(x) - reach) < 2) & (np.abs(y) < 15 * size)] = _CORTEX
        one[(np.abs(x) < reach) & (np.abs(np.abs(y) - edge) < 2)] = _CORTEX
    if part > 0.45:
        one[ring] = 400.0
        one[(np.abs(np.abs(x) - 10 * small) < 4 * small) & (y > 8 * small) & (y < 28 * small)] = 350.0
    else:
        one[(np.abs(x) < 4) & (y > 34 * small) & (y < (64 if name[0] != "S" else 44) * small)] = 330.0
        one[(np.abs(np.abs(x) - 14 * small) < 5) & (y > 24 * small) & (y < 38 * small)] = 380.0
    if name[0] == "L" and 0.45 < part < 0.8:
        one[(np.abs(x) > 16 * small) & (np.abs(x) < 44 * small) & (np.abs(y - 18 * small) < 3.5)] = 300.0
    one[body] = _CORTEX
    near = min(z - bottom, top - z)
    one[_egg(x, y, 0, 0, 21 * small, 14.5 * small)] = _PLATE if near < 2.5 else trabecular
    one[canal] = 15.0


def _ribs(
    one: Picture, x: Picture, y: Picture, z: float, ribs: list[tuple[float, float]], wide: float, size: float,
    shift: float, back: float,
) -> None:  # fmt: skip
    angle = np.arctan2(np.abs(x) / 1.4, y)  # from the back
    shell = np.sqrt((x / (128 * wide)) ** 2 + ((y - 2) / (84 * wide)) ** 2)
    along = angle * 100.0 * wide
    on = (shell > 0.87) & (shell < 0.97) & (np.abs(x - shift) > 40 * size)
    for top, length in ribs:
        falls = top - 2.0 - 0.42 * np.maximum(along - 28.0, 0.0)
        one[on & (np.abs(falls - z) < 6.0 * size) & (along < length * size)] = 420.0
        if abs(z - top + 3.0) < 6.0 * size:
            dx, dy = np.abs(x - shift), y - back
            one[(dx > 17 * size) & (dx < 46 * size) & (np.abs(dy - 8 - 0.75 * (dx - 17)) < 5)] = 400.0


def _pelvis(
    one: Picture, x: Picture, y: Picture, z: float, crest: float, wide: float, size: float, back: float
) -> None:
    deep = crest - z
    if deep <= 0:
        return
    angle = np.degrees(np.arctan2(np.abs(x) / 1.4, y))
    shell = np.sqrt((x / (128 * wide)) ** 2 + ((y - 2) / (84 * wide)) ** 2)
    spread = min(1.0, np.sqrt(deep / (60.0 * size)))
    wing = (shell > 0.80) & (shell < 0.93) & (np.abs(angle - 75.0 + 20.0 * spread) < 42.0 * spread)
    one[wing & (np.abs(x) > 48 * size)] = 380.0
    one[wing & (shell > 0.83) & (shell < 0.90) & (np.abs(x) > 48 * size)] = 190.0
    if deep > 45.0 * size:
        joint = (np.abs(x) > 54 * size) & (np.abs(x) < 72 * size) & (np.abs(y - back - 8) < 24 * size)
        one[joint] = 320.0
