"""A map of sensitivity over the picture that it is of, as a PNG: the picture alone beside it, and in words what it is.

Both are drawn pixel by pixel, without smoothing, so that no detail is seen that the model did not see.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.forms.colours import inferno

__all__ = ["over_picture"]

_SIDE, _GAP, _BAR, _LINE = 280, 12, 14, 15
_DENSEST = 0.7  # how far the picture gives way where the map is highest


def over_picture(picture: npt.NDArray[np.uint8], values: npt.NDArray[np.floating], lines: Sequence[str]) -> bytes:
    """The picture, beside it the same with the map laid over it, a bar of its colours, and lines of words below.

    Args:
        picture: (rows, columns) of grey values, or (rows, columns, 3). values: (rows, columns) from 0 on.

    Raises:
        Refused: a map of another grid, that is not finite, or that has values below 0.
    """
    from PIL import Image, ImageDraw

    if values.shape != picture.shape[:2] or not np.isfinite(values).all() or values.min() < 0:
        raise Refused(
            f"a map of shape {values.shape} over a picture of {picture.shape}",
            "one grid, from 0 on, finite",
            "draw the map of this picture",
        )
    colour = np.repeat(picture[..., None], 3, -1) if picture.ndim == 2 else picture
    part = values / max(float(values.max()), 1e-12)
    dense = (_DENSEST * part)[..., None]
    laid = np.round(colour * (1 - dense) + inferno(part) * dense).astype(np.uint8)
    times = max(1, round(_SIDE / max(values.shape)))
    tall, wide = (n * times for n in values.shape)
    foot = [row for line in lines for row in wrap(line, max(20, (2 * wide + 5 * _GAP + _BAR) // 6))]
    page = Image.new("RGB", (2 * wide + 5 * _GAP + _BAR + 3 * _LINE, tall + 3 * _GAP + _LINE * len(foot)), "white")
    for k, one in enumerate((colour, laid)):
        grown = Image.fromarray(np.ascontiguousarray(one, np.uint8)).resize((wide, tall), Image.Resampling.NEAREST)
        page.paste(grown, (_GAP + k * (wide + _GAP), _GAP))
    bar = np.repeat(inferno(np.linspace(1, 0, tall))[:, None], _BAR, 1)
    page.paste(Image.fromarray(bar), (3 * _GAP + 2 * wide, _GAP))
    pen = ImageDraw.Draw(page)
    for y, value in ((_GAP, float(values.max())), (_GAP + tall - _LINE, 0.0)):
        pen.text((3 * _GAP + 2 * wide + _BAR + 4, y), f"{value:.2g}", "black")
    for k, row in enumerate(foot):
        pen.text((_GAP, tall + 2 * _GAP + k * _LINE), row, "black")
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()
