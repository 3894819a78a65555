"""Slices of an image with the outlines of regions on them, as pictures for a page that has no viewer.

They stand as a reader stands before them, with the letters of the patient's sides, whichever way round a file has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from isocenter.forms.facing import Facing, facing
from isocenter.forms.plot import CONTOUR_COLOURS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import PIL.Image

    from isocenter.space import Region, Volume

__all__ = ["overlays"]

_PICTURES = 24


def overlays(image: Volume, regions: Sequence[Region]) -> Iterator[tuple[int, bytes]]:
    """Slices through the regions with their outlines, evenly over their extent: at most 24, each with its index."""
    import numpy as np

    array = image.array
    while array.ndim > 3:
        array = array[array.shape[0] // 2]
    drawn = [r for r in regions if r.geometry.same_grid(image.geometry)]
    touched = sorted({int(k) for r in drawn for k in np.flatnonzero(_mask(r).any(axis=(1, 2)))})
    if not touched:
        return
    step = max(1, -(-len(touched) // _PICTURES))
    low, high = _window(array, image.unit)
    faces = facing(image.geometry)
    for k in faces.ordered(tuple(touched[::step])):
        grey = np.clip((array[k].astype(np.float32) - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
        yield k, _outlined(faces.of(grey), [faces.of(_mask(r)[k]) for r in drawn], faces)


def _mask(region: Region) -> npt.NDArray[np.bool_]:
    assert region.mask is not None
    return region.mask


def _window(array: Any, unit: str) -> tuple[float, float]:
    import numpy as np

    if unit == "[hnsf'U]":
        return -160.0, 240.0
    sample = array[:: max(1, array.shape[0] // 16)]
    low, high = np.percentile(sample[np.isfinite(sample)], [1, 99.5])
    return float(low), float(high)


def _outlined(grey: npt.NDArray[Any], masks: Sequence[npt.NDArray[Any]], faces: Facing) -> bytes:
    import io

    import numpy as np
    from PIL import Image
    from scipy import ndimage

    scale = max(1, round(512 / max(grey.shape)))
    big = np.repeat(np.repeat(grey, scale, 0), scale, 1)
    picture = np.stack([big] * 3, axis=-1)
    for number, mask in enumerate(masks):
        if not mask.any():
            continue
        large = np.repeat(np.repeat(mask, scale, 0), scale, 1)
        inner = large & ~ndimage.binary_erosion(large, iterations=max(1, scale // 2), border_value=0)
        halo = ndimage.binary_dilation(large) & ~large
        picture[halo] = 0
        colour = CONTOUR_COLOURS[number % len(CONTOUR_COLOURS)]
        picture[inner] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    down, across = (mm / min(faces.mm) for mm in faces.mm)
    shown = Image.fromarray(picture).resize((round(picture.shape[1] * across), round(picture.shape[0] * down)))
    _lettered(shown, faces.letters)
    out = io.BytesIO()
    shown.save(out, "PNG")
    return out.getvalue()


def _lettered(picture: PIL.Image.Image, letters: Sequence[str]) -> None:
    from PIL import ImageDraw, ImageFont

    wide, tall = picture.size
    size = max(10, min(wide, tall) // 18)
    places = ((4, tall / 2, "lm"), (wide - 4, tall / 2, "rm"), (wide / 2, 4, "mt"), (wide / 2, tall - 4, "mb"))
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    for letter, (x, y, anchor) in zip(letters, places, strict=True):
        pen.text((x, y), letter, (255, 255, 255), font, anchor, stroke_width=2, stroke_fill=(0, 0, 0))
