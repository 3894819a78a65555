"""Figures as SVG, drawn by hand: curves, bars, the bull's-eye of the heart, and an image with its findings.

Every figure says its units on its axes, works in print and on a screen without colour (shape or dash beside colour),
and holds no script; text that comes from a file is escaped. The colours are those of the reading room.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.forms.colours import inferno
from isocenter.forms.words import SHOWN_UNIT
from isocenter.record import Curve
from isocenter.space import Volume

__all__ = [
    "CONTOUR_COLOURS",
    "PERSON",
    "Outlined",
    "bars",
    "bullseye",
    "curve",
    "key_image",
    "map_png",
    "png",
    "slice_png",
    "svg",
    "text",
    "ticks",
]

CONTOUR_COLOURS = ("#F0A202", "#63C5F5", "#1FA37A", "#FFF27A", "#4C7DFF", "#D9552B")
"""Contours on images, in order; beyond six a dash pattern is added."""
PERSON = "#FFFFFF"
_INK, _MUTED, _RULE, _ACCENT = "#16202A", "#4A5A6A", "#D5DDE5", "#0B5CAD"
_LINES = ("#0B5CAD", "#9C1C10", "#0B6B4F", "#946200", "#4A2A73", "#16202A")  # on white; contrast at least 5
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 3", "10 4")
_ON_AXIS = {
    "{SUVbw}g/ml": "SUV, g/mL", "{SUVlbm}g/ml": "SUL, g/mL", "{SUVibw}g/ml": "SUVibw, g/mL",
    "{SUVbsa}cm2/ml": "SUVbsa, cm²/mL",
}  # fmt: skip
_FEW = 12  # points of a curve that are marked: visits, readings
_FONT = 'font-family="Inter, Liberation Sans, Arial, sans-serif"'
_LINE = 14  # pixels between two labels
_ROW = 16  # pixels between two rows of a legend
_LETTER = 7.0  # width of a letter of 12 pixels, rather more than less
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 34, 46


@dataclass(frozen=True, eq=False)
class Outlined:
    """A named outline on an image: lines of (n, 2) column and row, with the first pixel's centre at (0, 0)."""

    name: str
    lines: Sequence[npt.NDArray[np.float64]]
    machine: bool = True


def curve(of: Curve, *, width: int = 480, height: int = 280) -> str:
    """A curve with each of its named y values as a line of its own colour and dash.

    Raises:
        Refused: when the curve is empty or its lengths differ.
    """
    if not of.x or not of.y or any(len(v) != len(of.x) for v in of.y.values()):
        raise Refused(
            f"curve '{of.name}'",
            "it has no points, or y values that do not fit its x values",
            "give a y value for each x value",
        )
    if not all(math.isfinite(v) for line in (of.x, *of.y.values()) for v in line):
        raise Refused(
            f"curve '{of.name}'", "it has a value that is not a number and cannot be drawn", "leave the point out"
        )
    xs, everything = ticks(min(of.x), max(of.x)), [v for line in of.y.values() for v in line]
    lowest = min(everything)
    # What only trembles below zero does not earn half a figure of negative numbers.
    ys = ticks(0.0 if -0.02 * max(everything) < lowest else min(0.0, lowest), max(everything))
    places, rows = _legend(list(of.y), width) if len(of.y) > 1 else ([], 0)
    height += _ROW * rows  # words stand above the lines and the figure grows: within, they would lie on some line
    frame = _Frame(width, height, (xs[0], xs[-1]), (ys[0], ys[-1]), _TOP + _ROW * rows)
    parts = [_axes(frame, xs, ys, _with_unit(of.x_name, of.x_unit), _with_unit("", of.y_unit))]
    for i, (name, line) in enumerate(of.y.items()):
        points = " ".join(f"{_n(frame.x(a))},{_n(frame.y(b))}" for a, b in zip(of.x, line, strict=True))
        colour, dash = _LINES[i % len(_LINES)], _DASHES[i % len(_DASHES)]
        style = f'fill="none" stroke="{colour}" stroke-width="1.8" stroke-dasharray={quoteattr(dash or "none")}'
        parts.append(f'<polyline points="{points}" {style}/>')
        if len(of.x) <= _FEW:
            parts += [
                f'<circle cx="{_n(frame.x(a))}" cy="{_n(frame.y(b))}" r="2.8" fill="{colour}"/>'
                for a, b in zip(of.x, line, strict=True)
            ]
        if places:
            x, y = places[i]
            parts.append(f'<line x1="{_n(x)}" x2="{_n(x + 24)}" y1="{y - 4}" y2="{y - 4}" {style}/>')
            parts.append(text(x + 29, y, name, size=11))
    return svg(width, height, of.name, "".join(parts))


def _legend(names: Sequence[str], width: int) -> tuple[list[tuple[float, int]], int]:
    """Where each name stands beneath the title, row by row, and how many rows that takes."""
    places: list[tuple[float, int]] = []
    x, row = float(_LEFT), 0
    for name in names:
        wide = 29 + _LETTER * len(name) + 10
        if places and x + wide > width:
            x, row = float(_LEFT), row + 1
        places.append((x, _TOP + _ROW * row))
        x += wide
    return places, row + 1


def bars(values: Mapping[str, float], *, title: str, unit: str, width: int = 480, height: int = 260) -> str:
    """A bar for each name, with its number on it.

    Raises:
        Refused: without values, or with one that is not finite.
    """
    if not values or not all(math.isfinite(v) for v in values.values()):
        raise Refused(
            f"bars of '{title}'", "there is nothing to draw, or a value is not a number", "give finite values"
        )
    ys = ticks(min(0.0, *values.values()), max(0.0, *values.values()))
    frame = _Frame(width, height, (0.0, float(len(values))), (ys[0], ys[-1]))
    parts = [_axes(frame, [], ys, "", _with_unit("", unit))]
    for i, (name, value) in enumerate(values.items()):
        left, right = frame.x(i + 0.18), frame.x(i + 0.82)
        top, foot = sorted((frame.y(value), frame.y(0)))
        size = f'width="{_n(right - left)}" height="{_n(foot - top)}"'
        parts.append(f'<rect x="{_n(left)}" y="{_n(top)}" {size} fill="{_ACCENT}"/>')
        parts.append(text((left + right) / 2, top - 4, f"{value:.4g}", size=11, anchor="middle"))
        parts.append(text((left + right) / 2, height - _BOTTOM + 15, name, size=11, anchor="middle"))
    return svg(width, height, title, "".join(parts))


_RINGS = ((6, 1.0, 0.72), (6, 0.72, 0.44), (4, 0.44, 0.18), (1, 0.18, 0.0))


def bullseye(values: Sequence[float | None], *, title: str, unit: str, low: float, high: float, size: int = 320) -> str:
    """The 17 segments of the left ventricle (AHA 2002): base outside, apex in the middle, septum on the left.

    Args:
        values: segment 1 to 17; None where there is none.
        low, high: values of the ends of the colour scale, which runs from dark to bright (cividis).

    Raises:
        Refused: when there are not 17 values, or the scale has no extent.
    """
    if len(values) != 17 or not low < high:
        raise Refused(
            f"{len(values)} values from {low} to {high}",
            "a bull's-eye has 17 segments and a scale",
            "give 17 values and a scale from low to high",
        )
    middle, radius = size / 2, size / 2 - 26
    parts, number = [], 0
    for count, outer, inner in _RINGS:
        # Segment 1 (and 7, 13) is anterior, on top; numbers run counter-clockwise over the septum (left).
        width = 360 / count
        for k in range(count):
            value = values[number]
            number += 1
            from_angle = 90 - width / 2 + k * width
            fill = _cividis((value - low) / (high - low)) if value is not None else "#FFFFFF"
            parts.append(_sector(middle, middle + 10, radius * outer, radius * inner, from_angle, width, fill))
            at = math.radians(from_angle + width / 2)
            r = radius * (outer + inner) / 2 if inner else 0.0
            shown = "–" if value is None else f"{value:.3g}"
            bright = value is None or (value - low) / (high - low) > 0.5
            parts.append(
                text(
                    middle + r * math.cos(at),
                    middle + 10 - r * math.sin(at) + 4,
                    shown,
                    size=11,
                    anchor="middle",
                    fill=_INK if bright else "#FFFFFF",
                )
            )
    parts.append(_colour_bar(middle, size - 4, low, high, SHOWN_UNIT.get(unit, unit)))
    return svg(size, size + 14, title, "".join(parts))


def key_image(
    png: bytes,
    shape: tuple[int, int],
    outlined: Sequence[Outlined] = (),
    *,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
    caption: str = "",
    width: int = 420,
) -> str:
    """An image with its findings outlined: two points of colour on a black halo, dashed where a machine drew it.

    Args:
        png: the image, as rendered.
        shape: its rows and columns; outlines are in these pixels.
        spacing_mm: between rows and between columns, for the true proportions.
        caption: one line beneath.

    Raises:
        Refused: when the bytes are no PNG or the proportions make no picture.
    """
    if png[:8] != b"\x89PNG\r\n\x1a\n":
        raise Refused(f"{len(png)} bytes", "a key image is made from a PNG", "give a PNG")
    rows, columns = shape
    if min(rows, columns) < 1 or not all(math.isfinite(s) and s > 0 for s in spacing_mm):
        raise Refused(f"an image of {shape} pixels of {spacing_mm} mm", "it has no size", "give an image with pixels")
    tall = round(width * rows * spacing_mm[0] / (columns * spacing_mm[1]))
    sx, sy = width / columns, tall / rows
    parts = [
        f'<image width="{width}" height="{tall}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{base64.b64encode(png).decode("ascii")}"/>'
    ]
    labels: list[float] = []
    for i, one in enumerate(outlined):
        colour = CONTOUR_COLOURS[i % len(CONTOUR_COLOURS)] if one.machine else PERSON
        dash = "5 3" if one.machine else "none"
        if i >= len(CONTOUR_COLOURS):
            dash = "2 3"
        for line in one.lines:
            # outlines count from the centre of a pixel, the picture from its corner
            at = (np.asarray(line, dtype=np.float64) + 0.5) * (sx, sy)
            if len(at) == 1:
                x, y = at[0]
                mark = f"M{_n(x - 7)},{_n(y)}h14M{_n(x)},{_n(y - 7)}v14"
            else:
                mark = "M" + "L".join(f"{_n(x)},{_n(y)}" for x, y in at)
            parts.append(f'<path d="{mark}" fill="none" stroke="#000000" stroke-width="4" stroke-linejoin="round"/>')
            parts.append(f'<path d="{mark}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        if one.lines:
            at = (np.asarray(one.lines[0], dtype=np.float64) + 0.5) * (sx, sy)
            words = f"{'◇' if one.machine else '●'} {one.name}"
            x, y, anchor = _beside(at, words, width, tall)
            while any(abs(y - other) < _LINE for other in labels):
                y += _LINE
            labels.append(y)
            halo = 'stroke="#000000" stroke-width="3" paint-order="stroke"'
            parts.append(text(x, y, words, size=12, anchor=anchor, fill=colour, more=halo))
    foot = 20 if caption else 0
    if caption:
        parts.append(text(0, tall + 14, caption, size=11, fill=_MUTED))
    return svg(width, tall + foot, "", "".join(parts), label=caption or "Key image")


def _beside(at: npt.NDArray[np.float64], words: str, width: float, tall: float) -> tuple[float, float, str]:
    """Where a name of 12 pixels stands whole: right of an outline, left of it, else below or above."""
    long = _LETTER * len(words)
    (left, top), (right, foot) = at.min(axis=0), at.max(axis=0)
    middle = float(at[:, 1].mean()) + 4
    if right + 6 + long <= width:
        return float(right) + 6, middle, "start"
    if left - 6 - long >= 0:
        return float(left) - 6, middle, "end"
    under = foot + 16 if foot + 20 <= tall else max(top - 6, 14.0)
    return float(np.clip((left + right - long) / 2, 2.0, max(width - long - 2, 2.0))), float(under), "start"


def slice_png(volume: Volume, index: int, low: float, high: float) -> bytes:
    """One slice as an 8-bit grey PNG; values at or below `low` are black, at or above `high` white.

    Raises:
        Refused: when the volume has leading axes, there is no such slice, or the window has no width.
    """
    _must_show(volume, index, low, high)
    values = np.nan_to_num(np.asarray(volume.array[index], dtype=np.float64), nan=low)
    return png(np.round(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8))


def map_png(volume: Volume, index: int, low: float, high: float, *, floor: float | None = None) -> bytes:
    """One slice of a map as an RGBA PNG to lay over its image: inferno from `low` to `high`.

    Values that are not finite, and those below `floor` (by default `low`), are transparent.

    Raises:
        Refused: as `slice_png`.
    """
    _must_show(volume, index, low, high)
    values = np.asarray(volume.array[index], dtype=np.float64)
    shown = np.isfinite(values) & (values >= (low if floor is None else floor))
    part = np.clip((np.where(shown, values, low) - low) / (high - low), 0, 1)
    alpha = np.where(shown, 255, 0).astype(np.uint8)[..., None]
    return png(np.concatenate([inferno(part), alpha], axis=-1))


def _must_show(volume: Volume, index: int, low: float, high: float) -> None:
    if volume.axes:
        raise Refused(f"a volume with axes {[a.name for a in volume.axes]}", "a picture shows one of them", "use at()")
    if not 0 <= index < volume.geometry.shape[0]:
        raise Refused(
            f"slice {index}", f"the volume has {volume.geometry.shape[0]}", "choose one of these, counted from 0"
        )
    if not low < high:
        raise Refused(f"a window from {low} to {high}", "it has no width", "give a wider one")


def png(pixels: npt.NDArray[np.uint8], *, palette: npt.NDArray[np.uint8] | None = None) -> bytes:
    """(rows, columns) grey, or numbers of up to 256 colours, or (rows, columns, 4) RGBA as a PNG file (ISO/IEC 15948).

    Args:
        palette: (n, 3) red, green and blue, where the pixels are numbers of colours.
    """
    lines = np.zeros((len(pixels), 1 + pixels[0].size), dtype=np.uint8)  # the first byte of each says: no filter
    lines[:, 1:] = pixels.reshape(len(pixels), -1)
    kind = 6 if pixels.ndim == 3 else 0 if palette is None else 3
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, kind, 0, 0, 0)
    colours = () if palette is None else ((b"PLTE", palette.tobytes()),)
    chunks = ((b"IHDR", head), *colours, (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


# ---- the parts of a figure -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Frame:
    width: int
    height: int
    across: tuple[float, float]
    up: tuple[float, float]
    top: int = _TOP

    def x(self, value: float) -> float:
        a, b = self.across
        return _LEFT + (value - a) / (b - a) * (self.width - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        a, b = self.up
        return self.height - _BOTTOM - (value - a) / (b - a) * (self.height - self.top - _BOTTOM)


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers that hold the range."""
    if low == high:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def _axes(frame: _Frame, xs: Sequence[float], ys: Sequence[float], below: str, beside: str) -> str:
    parts = []
    left, right = _LEFT, frame.width - _RIGHT
    for y in ys:
        at = _n(frame.y(y))
        parts.append(f'<line x1="{left}" x2="{right}" y1="{at}" y2="{at}" stroke="{_RULE}"/>')
        parts.append(text(left - 6, frame.y(y) + 4, f"{y:g}", size=11, anchor="end", fill=_MUTED))
    foot = frame.height - _BOTTOM
    parts.append(f'<line x1="{left}" x2="{right}" y1="{foot}" y2="{foot}" stroke="{_INK}"/>')
    for x in xs:
        at = _n(frame.x(x))
        parts.append(f'<line x1="{at}" x2="{at}" y1="{foot}" y2="{foot + 4}" stroke="{_INK}"/>')
        parts.append(text(frame.x(x), foot + 16, f"{x:g}", size=11, anchor="middle", fill=_MUTED))
    parts.append(text((left + right) / 2, frame.height - 10, below, size=12, anchor="middle"))
    if beside:
        parts.append(text(10, frame.top - 10, beside, size=12))
    return "".join(parts)


def _sector(cx: float, cy: float, outer: float, inner: float, start: float, width: float, fill: str) -> str:
    edge = f'fill="{fill}" stroke="#FFFFFF" stroke-width="1.5"'
    if width >= 360:
        return f'<circle cx="{_n(cx)}" cy="{_n(cy)}" r="{_n(outer)}" {edge}/>'
    a, b = math.radians(start), math.radians(start + width)

    def at(radius: float, angle: float) -> str:
        return f"{_n(cx + radius * math.cos(angle))},{_n(cy - radius * math.sin(angle))}"

    return (
        f'<path d="M{at(outer, a)}A{_n(outer)},{_n(outer)} 0 0 0 {at(outer, b)}L{at(inner, b)}'
        f'A{_n(inner)},{_n(inner)} 0 0 1 {at(inner, a)}Z" {edge}/>'
    )


_CIVIDIS = ((0, 34, 78), (60, 77, 110), (124, 123, 120), (187, 173, 108), (254, 232, 56))


def _cividis(part: float) -> str:
    at = min(1.0, max(0.0, part)) * (len(_CIVIDIS) - 1)
    i = min(int(at), len(_CIVIDIS) - 2)
    mixed = (round(a + (b - a) * (at - i)) for a, b in zip(_CIVIDIS[i], _CIVIDIS[i + 1], strict=True))
    return "#{:02X}{:02X}{:02X}".format(*mixed)


def _colour_bar(middle: float, top: float, low: float, high: float, unit: str) -> str:
    """The colours of a scale from end to end, lying, with the numbers of both ends and their unit."""
    wide, tall, steps = 120.0, 10, 40
    left, part = middle - wide / 2, wide / steps
    colours = (_cividis((k + 0.5) / steps) for k in range(steps))
    bar = "".join(
        f'<rect x="{_n(left + k * part)}" y="{_n(top)}" width="{_n(part + 0.4)}" height="{tall}" fill="{colour}"/>'
        for k, colour in enumerate(colours)
    )
    ends = text(left - 6, top + 9, f"{low:g}", size=11, anchor="end", fill=_MUTED)
    return bar + ends + text(left + wide + 6.4, top + 9, f"{high:g} {unit}".strip(), size=11, fill=_MUTED)


def _with_unit(name: str, unit: str) -> str:
    # Beside a number the sort of SUV is enough; an axis alone has to say that it is one.
    shown = _ON_AXIS.get(unit) or SHOWN_UNIT.get(unit, unit)
    return f"{name} ({shown})" if name and shown else name or shown


def text(x: float, y: float, words: str, *, size: int, anchor: str = "start", fill: str = _INK, more: str = "") -> str:
    """Words in a figure: escaped, and without characters that cannot be printed."""
    clean = "".join(c if c.isprintable() else " " for c in words)
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" font-size="{size}" text-anchor="{anchor}" fill="{fill}" {more}>'
        f"{escape(clean)}</text>"
    )


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def svg(width: int, height: int, title: str, inside: str, label: str = "", left: float = _LEFT) -> str:
    """A figure of these parts on white, with its title on top; `label` is read aloud where there is none."""
    head = text(left if title else 0, 18, title, size=13, more='font-weight="600"') if title else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label={quoteattr("".join(c if c.isprintable() else " " for c in title or label))} {_FONT} '
        f'style="background:#FFFFFF">{head}{inside}</svg>\n'
    )
