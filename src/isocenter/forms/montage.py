"""A parametric map as a picture: slices side by side over the anatomy, with colour bar, unit and the patient's sides.

Colours are those of the bar and nothing is blended into them, so that a colour leads back to a number. Where the map
says nothing the anatomy shows; voxels beyond the ends of the bar are marked and counted, never hidden in the last
colour. Axial and coronal slices have the patient's right on the left side, sagittal ones the front, heads are on top.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.forms import plot
from isocenter.forms.colours import ABOVE, BELOW, Scale, colour_css, scale_for
from isocenter.forms.facing import Facing, facing
from isocenter.forms.words import SHOWN_UNIT
from isocenter.record import Map
from isocenter.space import Geometry, Reference, Volume

__all__ = ["montage", "shown_slices"]

_MOST = 12  # slices; more would be too small to look at
_WIDE, _GAP = 640, 4  # of all slices together, and between two
_GREYS, _STEPS = 120, 134  # of 256 entries of a palette: anatomy, map, and the two marks
_BELOW, _ABOVE = 254, 255
_FAINT = 0.02  # of the bar: where most voxels are fainter, they would only cover the anatomy
_RIM = 0.12  # of the map's extent is left around it
_SCALES_MM = (200, 100, 50, 20, 10, 5, 2, 1)


def shown_slices(volume: Volume, *, at_most: int = _MOST) -> tuple[int, ...]:
    """Numbers of the slices (from 0) that a montage shows: evenly among those on which the map says something."""
    told = _told(volume.array).sum(axis=(1, 2))
    held = np.flatnonzero(told > 0.05 * told.max()) if told.size and told.max() else np.arange(0)
    if len(held) > at_most:
        held = held[np.round((np.arange(at_most) + 0.5) * len(held) / at_most - 0.5).astype(int)]
    return tuple(int(k) for k in held)


def montage(of: Map, volume: Volume, ground: Mapping[int, npt.NDArray[np.uint8]] | None = None) -> str:
    """The map as an SVG figure.

    Args:
        of: the map as its result describes it: name, unit, and the thresholds that are marked on the bar.
        volume: its voxels; those that are not finite, and those near to zero where most are, are left to the anatomy.
        ground: slice -> (rows, columns) grey of the anatomy on the map's grid; black where there is none.

    Raises:
        Refused: when the volume has leading axes, or the map says nothing anywhere.
    """
    if volume.axes:
        raise Refused(f"a map with axes {[a.name for a in volume.axes]}", "a picture shows one of them", "use at()")
    which = shown_slices(volume)
    if not which:
        raise Refused(
            f"map '{of.name}'", "it has no value that is a number other than zero", "there is nothing to draw"
        )
    told = _told(volume.array)
    bar = _bar(of, volume.array[told])
    view = _view(volume.geometry, np.asarray(told[list(which)].any(axis=0)))
    tiles = [_tile(volume.array[k], told[k], (ground or {}).get(k), bar, view) for k in view.faces.ordered(which)]
    return _figure(of, tiles, view.faces.ordered(which), view, bar, volume)


def _told(array: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where the map says something: finite, no zero that stands outside its mask, and not fainter than `_floor`."""
    said = np.isfinite(array) & ~(np.nan_to_num(array) < _floor(array))
    zero = array == 0
    return np.asarray(said & ~zero) if np.count_nonzero(zero) > 0.5 * array.size else np.asarray(said)


def _floor(array: npt.NDArray[np.floating]) -> float:
    """Below this value the map would only cover the anatomy: where there is nothing negative and most voxels have less
    than a fiftieth of the highest values; else there is no such value."""
    values = array[np.isfinite(array) & (array != 0)]
    if not values.size or values.min() < 0:
        return -np.inf
    faint = _FAINT * float(np.percentile(values, 99.9))
    return faint if 0.5 * values.size < np.count_nonzero(values < faint) else -np.inf


# ---- numbers to colours ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Bar:
    scale: Scale
    ticks: tuple[float, ...]
    below: float  # shares of the voxels that lie beyond an end
    above: float

    @property
    def palette(self) -> npt.NDArray[np.uint8]:
        grey = np.repeat(np.linspace(0, 255, _GREYS)[:, None], 3, axis=1)
        colours = self.scale.colours(np.linspace(0, 1, _STEPS))
        return np.concatenate([grey, colours, [BELOW, ABOVE]]).astype(np.uint8)

    def indices(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
        low, high = self.ticks[0], self.ticks[-1]
        part = np.round(np.clip((values - low) / (high - low), 0, 1) * (_STEPS - 1)) + _GREYS
        return np.where(values > high, _ABOVE, np.where(values < low, _BELOW, part)).astype(np.uint8)


def _bar(of: Map, values: npt.NDArray[np.floating]) -> _Bar:
    """From zero to the highest value but for the outermost 0.5 %, in round numbers; from the lowest where there are
    negative ones, even on both sides of zero for a diverging scale, and 0 to 100 for a share in per cent."""
    values = np.asarray(values, dtype=np.float64)
    low = float(np.percentile(values, 0.5, method="higher"))  # a value that is there: one wild voxel sets no end
    high = float(np.percentile(values, 99.5, method="lower"))
    scale = scale_for(of.quantity, of.unit, low, high)
    if scale.diverging:
        high = max(-low, high)
        low = -high
    elif of.unit == "%" and "fraction" in of.quantity:
        low, high = 0.0, 100.0 if high > 50 else max(high, 10.0)
    elif high > 0:
        low = min(low, 0.0)
    ticks = tuple(plot.ticks(low, high))
    count = max(values.size, 1)
    below, above = np.count_nonzero(values < ticks[0]) / count, np.count_nonzero(values > ticks[-1]) / count
    return _Bar(scale, ticks, below, above)


# ---- slices as a reader stands before them ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _View:
    box: tuple[slice, slice]  # rows and columns that are shown
    faces: Facing

    def of(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return self.faces.of(picture[self.box])


def _view(grid: Geometry, told: npt.NDArray[np.bool_]) -> _View:
    return _View(_box(told, grid.spacing_mm[1:]), facing(grid))


def _box(told: npt.NDArray[np.bool_], mm: tuple[float, float]) -> tuple[slice, slice]:
    """The part of the image that is shown: all of the map with a rim, near to a square, within the image."""
    edges = [np.flatnonzero(told.any(axis=1 - axis)) for axis in (0, 1)]
    wide_mm = [(e[-1] - e[0] + 1) * s for e, s in zip(edges, mm, strict=True)]
    side_mm = max(max(wide_mm) * (1 + 2 * _RIM), 40.0 * min(mm))
    cuts = []
    for edge, step, size, wide in zip(edges, mm, told.shape, wide_mm, strict=True):
        want = min(size, round(max(side_mm * 0.75, wide * (1 + 2 * _RIM)) / step))
        first = int(np.clip((edge[0] + edge[-1] + 1) / 2 - want / 2, 0, size - want))
        cuts.append(slice(first, first + want))
    return cuts[0], cuts[1]


def _tile(
    values: npt.NDArray[np.floating],
    told: npt.NDArray[np.bool_],
    ground: npt.NDArray[np.uint8] | None,
    bar: _Bar,
    view: _View,
) -> bytes:
    under = np.zeros(values.shape, np.uint8) if ground is None else np.round(ground / 255 * (_GREYS - 1))
    pixels = np.where(told, bar.indices(np.where(told, values, bar.ticks[0])), under).astype(np.uint8)
    shown = view.of(pixels)
    return plot.png(shown, palette=bar.palette)


# ---- the figure ------------------------------------------------------------------------------------------------------


def _figure(of: Map, tiles: list[bytes], which: tuple[int, ...], view: _View, bar: _Bar, volume: Volume) -> str:
    rows, columns = (s.stop - s.start for s in view.box)
    if view.faces.turned:
        rows, columns = columns, rows
    across = _across(len(tiles), rows * view.faces.mm[0] / (columns * view.faces.mm[1]))
    wide = min((_WIDE - _GAP * (across - 1)) / across, 340.0)
    tall = wide * rows * view.faces.mm[0] / (columns * view.faces.mm[1])
    down = -(-len(tiles) // across)
    full, foot = across * (wide + _GAP) - _GAP, down * (tall + _GAP) - _GAP
    top, parts = 30.0, []
    for n, (data, k) in enumerate(zip(tiles, which, strict=True)):
        x, y = (n % across) * (wide + _GAP), top + (n // across) * (tall + _GAP)
        parts.append(_placed(data, x, y, wide, tall))
        parts.append(_on_image(x + 5, y + 13, f"{k + 1}/{volume.geometry.shape[0]}", "start"))
        parts += _letters(view.faces.letters, x, y, wide, tall, whole=n == 0)
    parts.append(_ruler(top, wide, tall, wide / (columns * view.faces.mm[1]), volume.geometry.reference))
    height = max(foot, 150.0)
    parts.append(_colour_bar(bar, of, full + 16, top, height))
    width = full + 16 + 104
    lines = [part for line in _said(of, bar, view, len(which), volume) for part in wrap(line, int(width / 5.8))]
    for n, line in enumerate(lines):
        parts.append(plot.text(0, top + height + 18 + 15 * n, line, size=11, fill="#4A5A6A"))
    unit = SHOWN_UNIT.get(of.unit, of.unit)
    name = of.name.replace("_", " ")
    name = name[:1].upper() + name[1:]
    title = f"{name} ({unit})" if unit else name
    size = (round(width), round(top + height + 10 + 15 * len(lines)))
    return plot.svg(*size, title, "".join(parts), left=0)


def _across(count: int, shape: float) -> int:
    """Slices in one row: so that the whole is near to 3 wide and 2 tall, and few places are left empty."""

    def ugly(n: int) -> float:
        down = -(-count // n)
        return abs(float(np.log(1.5 * shape * down / n))) + 2.0 * (n * down - count) / count

    return min(range(1, min(count, 6) + 1), key=ugly)


def _placed(data: bytes, x: float, y: float, wide: float, tall: float) -> str:
    href = base64.b64encode(data).decode("ascii")
    return (
        f'<image x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{href}"/>'
    )


def _on_image(x: float, y: float, words: str, anchor: str) -> str:
    halo = 'stroke="#000000" stroke-width="3" paint-order="stroke"'
    return plot.text(x, y, words, size=11, anchor=anchor, fill="#FFFFFF", more=halo)


def _letters(
    letters: tuple[str, str, str, str], x: float, y: float, wide: float, tall: float, *, whole: bool
) -> list[str]:
    """The patient's sides: left and right on every slice, since one may be cut out; top and bottom on the first."""
    if not letters[0]:
        return []
    left, right, top, bottom = letters
    put = [_on_image(x + 5, y + tall / 2 + 4, left, "start"), _on_image(x + wide - 5, y + tall / 2 + 4, right, "end")]
    if whole:
        middle = x + wide / 2
        put += [_on_image(middle, y + 13, top, "middle"), _on_image(middle, y + tall - 5, bottom, "middle")]
    return put


def _ruler(top: float, wide: float, tall: float, per_mm: float, reference: Reference) -> str:
    """A length in true millimetres at the foot of the first slice; none where the image is not calibrated."""
    if reference is Reference.PIXEL:
        return ""
    mm = next((n for n in _SCALES_MM if n * per_mm <= 0.4 * wide), _SCALES_MM[-1])
    y, to = top + tall - 6, 6 + mm * per_mm
    line = f'<path d="M6,{y - 4:.1f}v4H{to:.1f}v-4" fill="none" stroke="#000000" stroke-width="3.5"/>'
    line += f'<path d="M6,{y - 4:.1f}v4H{to:.1f}v-4" fill="none" stroke="#FFFFFF" stroke-width="1.5"/>'
    return line + _on_image(6, y - 8, f"{mm // 10} cm" if mm % 10 == 0 else f"{mm} mm", "start")


def _colour_bar(bar: _Bar, of: Map, x: float, top: float, height: float) -> str:
    """The bar with its ticks on the right, limits of the analysis on the bar, and a mark at each end."""
    first, last, wide = top + 14, top + height - 14, 16
    low, high = bar.ticks[0], bar.ticks[-1]

    def at(value: float) -> float:
        return last - (value - low) / (high - low) * (last - first)

    parts = []
    edges = np.linspace(first, last, 65)
    for (a, b), colour in zip(pairwise(edges), bar.scale.colours(np.linspace(1, 0, 64)), strict=True):
        parts.append(
            f'<rect x="{x:.1f}" y="{a:.2f}" width="{wide}" height="{b - a + 0.4:.2f}" fill="{colour_css(colour)}"/>'
        )
    for tip, edge, share, colour in ((first - 12, first, bar.above, ABOVE), (last + 12, last, bar.below, BELOW)):
        fill = colour_css(colour) if share else "#FFFFFF"
        points = f"{x:.1f},{edge:.1f} {x + wide:.1f},{edge:.1f} {x + wide / 2:.1f},{tip:.1f}"
        parts.append(f'<polygon points="{points}" fill="{fill}" stroke="#4A5A6A" stroke-width="0.8"/>')
    for tick in bar.ticks:
        y = at(tick)
        parts.append(f'<line x1="{x + wide:.1f}" x2="{x + wide + 4:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#16202A"/>')
        parts.append(plot.text(x + wide + 8, y + 4, f"{tick:g}", size=11))
    for end in sorted({e for t in of.thresholds for e in (t.low, t.high) if e is not None and low < e < high}):
        y = at(end)
        parts.append(f'<path d="M{x - 4:.1f},{y:.1f}H{x + wide + 4:.1f}" stroke="#000000" stroke-width="3.5"/>')
        parts.append(f'<path d="M{x - 4:.1f},{y:.1f}H{x + wide + 4:.1f}" stroke="#FFFFFF" stroke-width="1.5"/>')
    return "".join(parts)


def _said(of: Map, bar: _Bar, view: _View, count: int, volume: Volume) -> list[str]:
    lines = [f"{of.quantity}; colours: {bar.scale.name}"]
    if view.faces.axis:
        lines[0] += f"; {count} of {volume.geometry.shape[0]} {view.faces.axis} slices"
    beyond = []
    if bar.above:
        beyond.append(f"{_percent(bar.above)} above {bar.ticks[-1]:g} (pink)")
    if bar.below:
        beyond.append(f"{_percent(bar.below)} below {bar.ticks[0]:g} (cyan)")
    if beyond:
        lines.append(f"Of the voxels, {', '.join(beyond)}")
    if np.isfinite(floor := _floor(volume.array)):
        lines.append(f"Below {floor:.2g} the anatomy is shown")
    if of.thresholds:
        lines.append("Marked on the bar: " + "; ".join(t.name for t in of.thresholds))
    if of.kind == "sensitivity":
        lines.append("Where the model was sensitive: no explanation and no outline")
    return lines


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.0005 else "less than 0.1 %"
