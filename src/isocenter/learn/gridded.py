"""One image of any kind, as people hand it over, on the grid that a network sees.

Pictures, DICOM, NIfTI and ``.npy`` are opened; grey values come out in 8 bits, so that the same image stored in another
way is the same to the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.kinds import Classes
from isocenter.learn.nifti_file import loaded
from isocenter.learn.reduced import reduced
from isocenter.methods.picture import resampled

__all__ = [
    "ENDINGS", "Span", "deep_in", "fitted", "grid_of", "in_colour", "in_eight_bits", "is_picture", "opened", "span_of",
    "span_of_set", "unenlarged",
]  # fmt: skip

_DICOM = (".dcm", ".dicom")
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".npy", ".nii", ".nii.gz", *_DICOM)
"""Of files that are taken for images; a file without a telling ending is one if it has DICOM's preamble."""

_SCALED = 32.0
"""Fractions that stay within this of 0, and are no parts of 1, are no grey values of 8 bits or of a scanner."""

_FILLED = 0.5
"""Part of what its words hold, or its window shows, that a DICOM picture must take to be read by it."""

Span = tuple[float, float] | None
"""The grey values that are black and white in all images of a file; None where each image has its own."""


def is_picture(file: Path) -> bool:
    """Whether a file is an image by its ending, or a DICOM file by its preamble."""
    return file.name.lower().endswith(ENDINGS) or _is_dicom(file)


def _is_dicom(file: Path) -> bool:
    """Whether a file without a telling ending has DICOM's preamble (PS3.10 7.1)."""
    if file.suffix and not file.suffix[1:].isdigit():
        return file.suffix.lower() in _DICOM
    with file.open("rb") as opened:
        return opened.read(132)[128:] == b"DICM"


@dataclass(frozen=True)
class _Held:
    """What images hold: least and greatest value, parts of 1 among them, what all are multiples of, each's greatest."""

    low: float
    high: float
    parts: bool
    signed: bool
    step: int
    tops: tuple[float, ...] = ()


def _held(x: npt.NDArray[Any]) -> _Held | None:
    """None where the values are no numbers, or some are not finite."""
    if x.dtype.kind not in "biuf" or not x.size:
        return None
    low, high = float(x.min()), float(x.max())
    if not np.isfinite([low, high]).all():
        return None
    parts, step = x.dtype.kind == "f" and bool(np.any(x % 1)), 1
    if not parts and low >= 0 and high <= 65535 and x.dtype not in (np.uint8, bool):
        step = int(np.gcd.reduce(np.asarray(x, np.int64).ravel()))
    return _Held(low, high, parts, x.dtype == np.int8, step, (high,))


def span_of(images: npt.NDArray[Any], name: str = "an image") -> Span:
    """What is black and white in an image, or in images that are taken for one.

    0 and 1; 0 and 255; -1 and 1, as networks are often fed; 0 and 65535 or 65280, where 8 bits were widened to 16.

    >>> span_of(np.array([0, 200], np.uint8)), span_of(np.array([-0.5, 1.0])), span_of(np.array([0, 4095]))
    ((0.0, 255.0), (-1.0, 1.0), None)

    Raises:
        Refused: for values that no longer tell what was black and white: below 0 in 8 bits with a sign, where values
            above 127 may have been turned over, or centred and divided by their mean or spread.
    """
    held = _held(images)
    return None if held is None else _span(held, name)


def span_of_set(images: Iterable[npt.NDArray[Any]], name: str) -> Span:
    """What is black and white in all images of a set.

    As of one, and where most images use more than half of it: 0 and 1023, 4095, 16383 or 65535, where the greatest
    value of all is within the last 256th of what 10, 12, 14 or 16 bits hold; and these or 255, moved by some bits.

    >>> span_of_set([np.array([0, 4095]), np.array([7, 3000])], "x"), span_of_set([np.array([0, 3000])], "x")
    ((0.0, 4095.0), None)
    >>> span_of_set([np.array([0, 65520]), np.array([48, 48000])], "x")
    (0.0, 65520.0)

    Raises:
        Refused: see `span_of`.
    """
    known = [held for x in images if (held := _held(x)) is not None]
    if not known:
        return None
    held = _Held(
        min(h.low for h in known), max(h.high for h in known), any(h.parts for h in known),
        any(h.signed for h in known), gcd(*(h.step for h in known if h.high)), tuple(h.high for h in known),
    )  # fmt: skip
    if (span := _span(held, name)) is not None or held.low < 0 or held.high <= 255:
        return span
    moved = [255.0 * k for k in (4, 16, 64) if held.step % k == 0]
    moved += [float((2**bits - 1) << (16 - bits)) for bits in (10, 12, 14) if held.step % (1 << (16 - bits)) == 0]
    whole = [float(2**bits - 1) for bits in (10, 12, 14, 16) if held.high >= 255 * 2 ** (bits - 8) and not held.parts]
    middle = float(np.median(held.tops))
    return next(((0.0, top) for top in (*moved, *whole) if middle > top / 2 and held.high <= top), None)


def _span(held: _Held, name: str) -> Span:
    low, high = held.low, held.high
    if held.signed and low < 0:
        raise Refused(f"{name} holds int8 from {low:g} to {high:g}", "it does not say whether 0 or -128 is black, or "
                      "whether what is below 0 was above 127", "save it as uint8, 0 black and 255 white")  # fmt: skip
    spans = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
    told = next((span for span in spans if span[0] <= low and high <= span[1]), None)
    if told in (None, spans[2]) and max(-low, high) <= _SCALED and held.parts:
        raise Refused(f"{name} holds values from {low:.3g} to {high:.3g}",
                      "they are neither parts of 1 nor of 255: centred, or "
                      "divided by their mean or spread, they do not tell what was black and white",
                      "give the grey values as they were, 0 to 255 or 0 to 1")  # fmt: skip
    if told is None and low >= 0 and high <= 65535 and not held.parts:
        # widened to 16 bits so that white is white, or moved by 8 bits alone
        return next(((0.0, 255.0 * step) for step in (257, 256) if held.step % step == 0), None)
    return told


def deep_in(files: Sequence[Path], how: Classes) -> Iterator[npt.NDArray[Any]]:
    """The images of files that hold something else than 8 bits, DICOM apart, which tells of each what its values are.

    Those that cannot be read are passed over: who reads them one by one says so.
    """
    from PIL.Image import DecompressionBombError

    for file in files:
        try:
            if _is_deep(file):
                yield opened(file, how)
        except (Refused, OSError, ValueError, EOFError, SyntaxError, DecompressionBombError):
            continue


def _is_deep(file: Path) -> bool:
    if file.suffix.lower() == ".npy":
        return bool(np.load(file, mmap_mode="r", allow_pickle=False).dtype != np.uint8)
    if file.name.lower().endswith((".nii", ".nii.gz")):
        return bool(loaded(file).get_data_dtype() != np.uint8)
    if file.name.lower().endswith(_DICOM) or not file.name.lower().endswith(ENDINGS):
        return False
    from PIL import Image

    with Image.open(file) as image:
        return image.mode[0] in "IF"


def unenlarged(
    image: npt.NDArray[Any], how: Classes, name: str, span: Span = None
) -> tuple[npt.NDArray[Any], int]:  # fmt: skip
    """An image whose pixels all stand in blocks of equal ones, with one for each; and how many a block had a side.

    0 where it was enlarged from the grid of the recipe by interpolation instead, and is brought back (see `reduced`).
    Only where it is then not coarser than the grid of the recipe, and 8 pixels a side at least: on others nothing tells
    whether it was enlarged or has little in it.
    """
    x, axes = _laid(image, how, name), len(how.shape)
    times = gcd(*x.shape[:axes])
    for axis in range(axes):
        if times > 1:
            lines = np.moveaxis(x, axis, 0)
            changes = (lines[1:] != lines[:-1]).reshape(len(lines) - 1, -1).any(1)
            times = gcd(times, *(np.flatnonzero(changes) + 1).tolist())
    if times == 1 and axes == 2 and (small := _before(x, how, name, span)) is not None:
        return small, 0
    if times == 1 or any(had // times < max(8, want) for had, want in zip(x.shape[:axes], how.shape, strict=True)):
        return image, 1
    return x[(slice(None, None, times),) * axes], times


def _before(x: npt.NDArray[Any], how: Classes, name: str, span: Span) -> npt.NDArray[np.uint8] | None:
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        return None
    span = span_of(x, name) if span is None else span
    return None if span is None else reduced(_eight_bit(x, span), how.shape)


def fitted(
    image: npt.NDArray[Any], how: Classes, name: str, *, span: Span = None, enlarge: bool = False
) -> npt.NDArray[np.uint8]:
    """One picture or volume with 8-bit grey values on the grid of the recipe, channels last where there are three.

    Whole numbers up to 255 are taken as they are, parts of 1 are multiplied, and anything else is spread between its
    1st and 99th percentile. A volume of two values, an outline, has two on another grid, too.

    Args:
        span: see `span_of`; by default that of the image itself.
        enlarge: whether an image much coarser than the grid is taken, too.

    Raises:
        Refused: for pixels that are not finite, another number of axes or channels, or a grid much coarser than wanted.
    """
    axes, x = len(how.shape), _laid(image, how, name)
    grid = x.shape[:axes]
    if not enlarge and any(2 * had < want for had, want in zip(grid, how.shape, strict=True)):
        raise Refused(f"{name} has {' × '.join(map(str, grid))} pixels", "too coarse to be judged",
                      f"'{how.task}' sees {' × '.join(map(str, how.shape))}")  # fmt: skip
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise Refused(f"{name} holds {int(np.count_nonzero(~np.isfinite(x)))} pixels that are not finite",
                      "they have no grey value", "repair or remove the image")  # fmt: skip
    span = span_of(x, name) if span is None else span
    if grid == how.shape and x.dtype == np.uint8 and span == (0.0, 255.0):
        return x
    grey = _eight_bit(x, span)
    small = _on_grid(grey, how.shape)
    if axes == 3 and grid != how.shape and len(two := np.unique(grey)) == 2:  # an outline, whose border is no grey
        small = np.where(small > two.mean(), two[1], two[0])
    return np.asarray(np.floor(np.clip(small + 0.5, 0, 255)), np.uint8)


def _laid(image: npt.NDArray[Any], how: Classes, name: str) -> npt.NDArray[Any]:
    """Rows and columns first, and colours last where a recipe wants them; the mean of them where it does not.

    Raises:
        Refused: for another number of axes or channels.
    """
    axes = len(how.shape)
    x = np.asarray(image)
    if x.dtype.kind not in "biuf":
        raise Refused(f"{name} holds {x.dtype}", "grey values are numbers", "save it as numbers")
    if not x.size:
        raise Refused(f"{name} has the shape {x.shape}", "there is no pixel in it", "take it out or replace it")
    if x.ndim > axes and how.channels == 1:  # a lone channel, first or last
        x = x[..., 0] if x.shape[-1] == 1 else x[0] if x.shape[0] == 1 else x
    if axes == 2 and x.ndim == 3 and x.shape[-1] not in (3, 4) and x.shape[0] == 3:
        x = np.moveaxis(x, 0, -1)
    if how.channels == 1 and axes == 2 and x.ndim == 3 and x.shape[-1] in (3, 4):
        x = np.asarray(x[..., :3], np.float32).mean(-1)
    wanted = axes + (how.channels > 1)
    if x.ndim != wanted or (how.channels > 1 and x.shape[-1] not in (3, 4)):
        colour = f" and {how.channels} colours" if how.channels > 1 else ""
        raise Refused(
            f"{name} has the shape {np.shape(image)}", f"'{how.task}' looks at images of {axes} axes{colour}",
            "choose the model that belongs to these images",
        )  # fmt: skip
    if how.channels > 1:
        x = x[..., :3]
    return x


def grid_of(image: npt.NDArray[Any], how: Classes, name: str) -> tuple[int, ...]:
    """Rows and columns, or the three sides of a volume, wherever channels stand."""
    return _laid(image, how, name).shape[: len(how.shape)]


def in_eight_bits(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """The grey values of an image in 8 bits, as `fitted` has them; what is in 8 bits stays."""
    x = np.asarray(image)
    return (
        x if x.dtype == np.uint8 else np.asarray(np.floor(np.clip(_eight_bit(x, span_of(x)) + 0.5, 0, 255)), np.uint8)
    )


def in_colour(image: npt.NDArray[Any]) -> bool:
    """Whether a picture as it is opened shows colours, and is not grey values stored as three.

    Its channels differ by more than an eighth of its greatest value in more than one of 20 pixels: more than a mark in
    colour or what compression leaves.
    """
    x = np.asarray(image)
    if x.ndim != 3 or (x.shape[-1] not in (3, 4) and x.shape[0] != 3):
        return False
    colours = x[..., :3] if x.shape[-1] in (3, 4) else np.moveaxis(x, 0, -1)
    apart = np.ptp(np.asarray(colours, np.float32), axis=-1)
    return bool(np.mean(apart > float(np.max(colours)) / 8) > 0.05)


def _eight_bit(x: npt.NDArray[Any], span: Span) -> npt.NDArray[np.float32]:
    grey = np.asarray(x, np.float32)
    if span is not None:
        return np.asarray((grey - span[0]) * (255 / (span[1] - span[0])), np.float32)
    low, high = (float(v) for v in np.percentile(grey, (1, 99)))
    return np.asarray(np.clip((grey - low) * (255 / max(high - low, 1e-6)), 0, 255), np.float32)


def _on_grid(x: npt.NDArray[np.float32], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    if x.shape[: len(shape)] == shape:
        return x
    if len(shape) == 2 and x.ndim == 3:
        return np.moveaxis(resampled(np.moveaxis(x, -1, 0), *shape), 0, -1)
    flat = resampled(x, shape[-2], shape[-1])
    if len(shape) == 2:
        return flat
    turned = np.moveaxis(flat, 0, 1)  # rows, slices, columns
    return np.moveaxis(resampled(turned, shape[0], shape[2]), 1, 0)


def opened(file: Path, how: Classes) -> npt.NDArray[Any]:
    """The grey values or colours of a file as they are stored.

    Raises:
        Refused: when it cannot be read.
    """
    try:
        if file.suffix.lower() == ".npy":
            return np.asarray(np.load(file, allow_pickle=False))
        if file.name.lower().endswith((".nii", ".nii.gz")):
            held = loaded(file)
            return (
                _rows_first(np.asarray(held.dataobj), held.affine) if len(how.shape) == 2 else np.asarray(held.dataobj)
            )
        if file.name.lower().endswith(_DICOM) or _is_dicom(file):
            return _of_dicom(file)
        return _of_picture(file, how)
    except Exception as e:
        raise Refused(f"cannot read {file.name}", str(e)[:160], "take the file out or replace it") from e


def _of_picture(file: Path, how: Classes) -> npt.NDArray[Any]:
    """The picture in a file of Pillow, as every viewer shows it: turned, and with black where it says that black is.

    Raises:
        ValueError: when several pictures of one size lie in it (a smaller one beside is a preview).
    """
    from PIL import Image, ImageOps

    with Image.open(file) as held:
        if (pages := getattr(held, "n_frames", 1)) > 1:
            first = held.size
            held.seek(1)
            if held.size == first:
                raise ValueError(f"{pages} pictures lie in it, and one is wanted")
            held.seek(0)
        image = ImageOps.exif_transpose(held)
        if held.mode.startswith("I;16"):
            grey = np.asarray(image)
            # TIFF 6.0: 0 is white; of 8 bits and fewer Pillow sees to it
            return 65535 - grey if getattr(held, "tag_v2", {}).get(262) == 0 else grey
        if image.mode.startswith(("I", "F", "L", "1")):
            return np.asarray(image if image.mode[0] in "IF" else image.convert("RGB" if how.channels == 3 else "L"))
        colours = np.asarray(image.convert("RGB"))
        return colours if how.channels == 3 or in_colour(colours) else np.asarray(image.convert("L"))


def _rows_first(picture: npt.NDArray[Any], affine: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A picture of NIfTI with its rows first, from the right to the left and from the front to the back.

    Where no axis runs against those of NIfTI nobody said how it lies: an array was saved with the unit affine, its rows
    first. Else columns come first; ITK lets both axes run against those of NIfTI, converters of DICOM columns alone.
    """
    against = [bool(affine[axis, axis] < 0) for axis in (0, 1)]
    if not any(against):
        return picture
    return np.flip(np.swapaxes(picture, 0, 1), tuple(axis for axis in (0, 1) if not against[1 - axis]))


def _of_dicom(file: Path) -> npt.NDArray[Any]:
    """The picture in a DICOM file, colour last; grey values as they are shown, of a radiograph as analyses see them."""
    from isocenter.analysis.film import picture_greys
    from isocenter.dicom.header import read_header
    from isocenter.dicom.plane import plane

    data = file.read_bytes()
    series = read_header(data).series[0]
    volume = plane(series, series.instances[0], data)
    array = np.squeeze(volume.array)
    if any(axis.name == "channel" for axis in volume.axes):
        return np.moveaxis(array, 0, -1)
    if array.ndim != 2:
        return array
    greys = picture_greys(array, volume.facts)
    curved = "GreyCurve" in volume.facts and greys.min() >= 0 and greys.max() <= 1
    ends = (0.0, 1.0) if curved else _ends(volume.facts)
    if ends is None:
        return greys
    low, high = (float(v) for v in np.percentile(greys, (1, 99)))
    if high - low < _FILLED * (ends[1] - ends[0]):  # black and white are far off: 8 bits would keep few greys
        ends = (low, max(high, low + 1e-6))
    parts = np.clip((greys - ends[0]) / (ends[1] - ends[0]), 0, 1)
    return np.asarray(np.floor(255 * parts + 0.5), np.uint8)


def _ends(facts: Mapping[str, Any]) -> Span:
    """The least and the greatest rescaled value that the words of a DICOM picture of more than 8 bits hold."""
    bits, signed = facts.get("BitsStored"), bool(facts.get("PixelRepresentation"))
    if not isinstance(bits, int) or not 8 < bits <= 16 or facts.get("ModalityLUT"):
        return None
    slope, shift = (facts.get(k) for k in ("RescaleSlope", "RescaleIntercept"))
    if not isinstance(slope, (int, float)) or not isinstance(shift, (int, float)) or slope == 0:
        slope, shift = 1.0, 0.0
    ends = sorted(end * slope + shift for end in ((-(2 ** (bits - 1)) if signed else 0), 2 ** (bits - signed) - 1))
    return float(ends[0]), float(ends[1])
