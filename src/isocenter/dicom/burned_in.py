"""Is there text in the pixels? By what the object is, by what its maker declares, and by looking.

Letters on an image are thin strokes of one value, brighter or darker than what lies beside them, of one height, in a
row. The search finds such rows; it cannot read. So risky kinds of object (screens that were captured, digitised film,
documents, photographs) go to a person whatever is found, an ultrasound image keeps only the regions that its machine
declares as image, and a grey image straight from a scanner is searched. What is found can be blanked; whether that
was all, a person sees: on made-up writing the search finds the line nearly always and its whole length less often.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.drawn_values import has_drawn_value
from isocenter.dicom.elements import PIXELS, File
from isocenter.dicom.fine_structure import relief, standing_out
from isocenter.dicom.lettering import Pieces
from isocenter.dicom.pixels import frame_count, frames, native
from isocenter.dicom.slants import boxes_of, cover, level
from isocenter.dicom.streams import Box
from isocenter.dicom.strokes import Least, is_written, may_be_written
from isocenter.errors import IsocenterError, NotWhole

__all__ = ["Verdict", "judge", "region_bits", "written_lines"]

_CLASS, _TYPE, _BURNED, _CONVERSION, _MODALITY = 0x00080016, 0x00080008, 0x00280301, 0x00080064, 0x00080060
_REGIONS, _LEFT, _TOP, _RIGHT, _BOTTOM = 0x00186011, 0x00186018, 0x0018601A, 0x0018601C, 0x0018601E
_ROOT = "1.2.840.10008.5.1.4.1.1."
_CAPTURES = frozenset(_ROOT + tail for tail in ("7", "7.1", "7.2", "7.3", "7.4"))
_ULTRASOUND = frozenset(_ROOT + tail for tail in ("3", "3.1", "6", "6.1"))
_PHOTOGRAPHS = frozenset(
    _ROOT + f"77.1.{tail}" for tail in ("1", "1.1", "2", "2.1", "3", "4", "4.1", "5.1", "5.2", "6")
)
# Computed straight from what a detector measured: letters can only have been added, and with one value.
_MEASURED = frozenset(
    _ROOT + tail for tail in ("2", "2.1", "2.2", "4", "4.1", "4.3", "4.4", "128", "128.1", "130", "20", "5", "481.2")
)
_NO_PICTURE = frozenset(_ROOT + tail for tail in ("66.4", "66.7", "30", "66.5"))
_DIGITISED = {"DF": "film that was digitised", "SD": "a scanned document", "SI": "a scanned image", "DRW": "a drawing",
              "DV": "digitised video", "SYN": "a synthetic image", "WSD": "a captured workstation screen"}  # fmt: skip
_SCREENS = ("SCREEN SAVE", "SCREENSHOT", "SCREEN_SAVE", "REPORT", "SUMMARY", "DOSE", "DOSEREPORT", "PATIENT_INFO")
_IN_FLOATING_POINT = (0x7FE00008, 0x7FE00009)
_AT_ONCE = 8  # frames that are decoded together
_LOSSY = 0x00282110
_DOSE = _ROOT + "481.2"


Line = tuple[int, int, int, int]


@dataclass(frozen=True)
class Verdict:
    """What is known of text in the pixels.

    Args:
        state: "clean" (nothing found nor expected), "blank" (boxes to be filled, and that is all there is), "writing"
            (lines were found; a person should see whether these are all) or "review" (a person must look, whatever
            is found).
        why: in words.
        boxes: what has to be blanked.
        searched: whether pixels were looked at.
    """

    state: str
    why: str
    boxes: tuple[Box, ...] = ()
    searched: bool = False


def judge(file: File, data: bytes) -> Verdict:
    """Decide for one object.

    Args:
        file: its places.
        data: the file, for a decoder.
    """
    kind = file.ascii(_CLASS)
    if PIXELS not in file.dataset:
        if kind not in _NO_PICTURE and any(tag in file.dataset for tag in _IN_FLOATING_POINT):
            return Verdict("review", "a picture in floating point, which is not searched for writing")
        return Verdict("clean", "no picture")
    if kind in _NO_PICTURE:
        return Verdict("clean", "labels or computed values, no picture")
    declared = _declared(file, kind)
    if declared:
        return Verdict("review", declared)
    regions = _regions(file) if kind in _ULTRASOUND else ()
    if kind in _ULTRASOUND and not regions:
        return Verdict("review", "an ultrasound image that does not say where its image lies")
    outside = _outside(file, regions)
    if _is_measured(file, kind) and not _may_be_drawn_on(file):
        return Verdict("clean", "measured values, none of which many pixels share", searched=True)
    try:
        found, whole = _searched(file, data, outside)
    except IsocenterError as fault:
        damaged = "they are not whole" if isinstance(fault, NotWhole) else "they cannot be decoded"
        return Verdict("review", f"its pixels cannot be searched ({damaged})")
    if not whole:
        why = f"lines that look like writing, and more of them after what was found had been blanked {_LOOKS} times"
        return Verdict("review", why, outside + found, searched=True)
    if found:
        where = "inside the region of the image" if kind in _ULTRASOUND else "in the image"
        return Verdict("writing", f"lines that look like writing {where}", outside + found, searched=True)
    if kind in _ULTRASOUND:
        return Verdict("blank", "what lies outside of the declared regions", outside, searched=True)
    return Verdict("clean", "searched, no writing found", searched=True)


def region_bits(file: File, group: int, raw: bytes) -> bytes:
    """The bits of an overlay without what follows the last of them; none where they do not fit or letters stand in it.

    Args:
        group: of the overlay, 0x6000 and on.
        raw: its Overlay Data, one bit a pixel.
    """
    rows, columns = (file.integer(group << 16 | element) for element in (0x0010, 0x0011))
    said = file.decimals(group << 16 | 0x0015)
    count = int(min(said[0], 1 << 20)) if said and said[0] >= 1 else 1
    bits = rows * columns * count
    length = (bits + 7) // 8
    if not 0 < length <= len(raw):
        return b""
    order: Any = "little" if file.little else "big"
    drawn = np.unpackbits(np.frombuffer(raw[:length], np.uint8), count=bits, bitorder=order)
    planes = drawn.reshape(count, rows, columns)
    if any(written_lines(plane.astype(np.float32)) for plane in planes):
        return b""
    return raw[: length + length % 2]


def _declared(file: File, kind: str) -> str:
    if file.ascii(_BURNED) == "YES":
        return "the image says that text is burned into its pixels"
    if kind in _CAPTURES:
        return _DIGITISED.get(file.ascii(_CONVERSION), "a secondary capture")
    if kind in _PHOTOGRAPHS:
        return "a photograph"
    types = file.ascii(_TYPE).upper().split("\\")
    for part in types[2:] + ([types[0]] if types else []):
        for word in _SCREENS:
            if word in part:
                return f"an image of the kind {word}"
    if file.ascii(_CONVERSION) in _DIGITISED:
        return _DIGITISED[file.ascii(_CONVERSION)]
    return ""


def _is_measured(file: File, kind: str) -> bool:
    """Whether values come from a detector as they are: letters of what was derived or compressed have no one value."""
    straight = file.ascii(_TYPE).upper().startswith("ORIGINAL") or kind == _DOSE
    return kind in _MEASURED and straight and file.ascii(_LOSSY) != "01"


def _regions(file: File) -> tuple[Line, ...]:
    """Where the image lies, by the regions that lie within the picture: (top, left, bottom, right), the ends behind."""
    rows, columns = file.integer(0x00280010), file.integer(0x00280011)
    places = []
    for item in file.items(_REGIONS):
        left, top, right, bottom = (
            int(next(iter(file.numbers(tag, item, "I")), -1)) for tag in (_LEFT, _TOP, _RIGHT, _BOTTOM)
        )
        if 0 <= left < right <= columns and 0 <= top < bottom <= rows:
            places.append((top, left, min(bottom + 1, rows), min(right + 1, columns)))
    return tuple(places)


def _outside(file: File, places: Sequence[Line]) -> tuple[Box, ...]:
    """Boxes that cover all that no declared region covers; none where no region is declared."""
    rows, columns = file.integer(0x00280010), file.integer(0x00280011)
    if not places:
        return ()
    edges = sorted({0, rows, *(p[0] for p in places), *(p[2] for p in places)})
    found: list[Box] = []
    for top, bottom in pairwise(edges):
        at = 0
        for left, right in sorted((p[1], p[3]) for p in places if p[0] <= top and p[2] >= bottom):
            if left > at:
                found.append((-1, top, at, bottom, left))
            at = max(at, right)
        if at < columns:
            found.append((-1, top, at, bottom, columns))
    return tuple(found)


def _may_be_drawn_on(file: File) -> bool:
    """Whether a frame holds a value that somebody drew with, or its values cannot be seen without a decoder."""
    try:
        values = native(file)
    except IsocenterError:
        return True
    if values is None or values.dtype.kind == "f":
        return values is None
    return any(has_drawn_value(frame) for frame in values)


def _searched(file: File, data: bytes, outside: Sequence[Box]) -> tuple[tuple[Box, ...], bool]:
    """What has to be blanked, and whether the search finds nothing more then."""
    straight = native(file)
    found: list[Box] = []
    every = True
    # A line may stand on one frame alone: a stack of slices is written on by slice, a cine from some moment on.
    for picture in straight if straight is not None else _decoded(file, data):
        grey = _grey(picture)
        for _, top, left, bottom, right in outside:
            grey[top:bottom, left:right] = grey.min()
        # Burned-in lines stand on every frame, or might: what is found on one is blanked on all.
        lines, whole = _until_nothing(grey)
        found += [(-1, *line) for line in lines]
        every = every and whole
    return tuple(dict.fromkeys(found)), every


def _decoded(file: File, data: bytes) -> Iterator[npt.NDArray[Any]]:
    count = frame_count(file)
    for first in range(0, count, _AT_ONCE):
        yield from frames(data, range(first, min(first + _AT_ONCE, count)))


def _grey(picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    grey = picture.astype(np.float32)
    return grey.max(axis=-1) if grey.ndim == 3 else grey


_SCALES = (1, 2, 4)
_FAINT, _CLEAR = 0.06, 0.1  # shares of the picture's range: contrast of letters of one value, and of any
_FEW = 3  # letters of one value that make a line
_STEEP, _MANY, _TALL = 2.0, 5, 6  # letters of any value: how far above what is around, how many, how many pixels tall
# Pixels of one value are drawn more surely than those of any, so less is asked of them; where a row stands out far, few
# letters do. One line that is surely of letters makes a picture written on; a fainter row beside it is blanked, too.
_SURELY_OF_ONE = Least(0.15, crossed=3, dense=0.5, apart=5, apart_dense=0.5, contrast=0.09)
_SURELY_OF_ANY = Least(0.15, crossed=4, dense=0.9, apart=5, apart_dense=0.5, contrast=0.05)
_FAR_OUT = Least(0.4, apart=6, apart_dense=0.4)
_PERHAPS_OF_ANY = Least(0.13, crossed=4)
# Slants from which rows are sought without turning the picture; and what is asked of such a row.
_ASKEW = tuple(11.25 * step for step in range(16))  # degrees
_SURELY_ASKEW = Least(0.2, crossed=5, dense=0.8, apart=7, apart_dense=0.7, contrast=0.15)
_FAR_OUT_ASKEW = Least(0.4, crossed=4, dense=0.5, apart=5, apart_dense=0.6, contrast=0.35)
_TALLEST_ASKEW = 45  # pixels, at one scale
_LOOKS = 4  # at a picture, each after what was found before has been blanked
_AROUND = 16  # pixels: half the width of what counts as around
_WIDEST = 1 << 17  # between whole values that are counted one by one
_SPIKE, _SPIKES = 6.0, 6  # by how many deviations a drawn value is too frequent, and how many such are followed


def written_lines(grey: npt.NDArray[Any]) -> list[tuple[int, int, int, int]]:
    """Boxes of rows of letters on a grey picture.

    Letters that were drawn with one value, as machines draw them, make this value more frequent among thin pixels than
    the values beside it, however much fine structure there is: so small ones and those in speckle are found. Letters of
    any value (a lossy compression or a lens has blurred them) are thin and stand out from what is around them; a rib, a
    ripple or a vessel does so, too, but runs along the line, where letters cross it stroke by stroke and show the
    ground between strokes (`strokes`); a row of grain is crossed less often or stands out less. Both bright and dark,
    upright and turned by a quarter, at three scales; letters of any value at every slant as well, where small boxes
    follow the line.

    Args:
        grey: (rows, columns).

    Returns:
        (first row, first column, row behind, column behind) of each line, with a margin around it.
    """
    return _until_nothing(grey)[0]


def _until_nothing(grey: npt.NDArray[Any]) -> tuple[list[Line], bool]:
    """Lines of a picture and of what is left when they are blanked, and whether nothing is found any more then."""
    left, found = grey, list[Line]()
    for _ in range(_LOOKS):
        lines, covered = _lines(left)
        lines += boxes_of(covered)
        if not lines:
            return found, True
        found += lines
        left = np.array(left)
        for top, first, bottom, behind in lines:
            left[top:bottom, first:behind] = grey.min()
    return found, False


def _askew(
    pieces: Pieces, mask: npt.NDArray[np.bool_], thin: npt.NDArray[np.float32], light: npt.NDArray[np.float32]
) -> Iterator[tuple[float, Line]]:
    """Rows at a slant that are surely of letters."""
    least = _SURELY_ASKEW, _FAR_OUT_ASKEW
    for degrees, row in pieces.at_slants(_ASKEW, _MANY):
        tall = _TALL <= row[2] - row[0] <= _TALLEST_ASKEW
        if not tall or not may_be_written(mask, thin, degrees, row, *least):
            continue
        (held, strong, shown), inside = level((mask, thin, light), degrees, row)
        if is_written(held & inside, strong, shown, (0, 0, *held.shape), *least):
            yield degrees, pieces.widened(degrees, row)


def _lines(grey: npt.NDArray[Any]) -> tuple[list[Line], npt.NDArray[np.bool_]]:
    """Lines along rows or columns; and what those at a slant cover that are surely of letters."""
    covered = np.zeros(grey.shape, bool)
    low, high = (float(grey.min()), float(grey.max())) if grey.size else (0.0, 0.0)
    if high <= low:
        return [], covered
    found: list[Line] = []
    surely = False
    for scale in _SCALES:
        part = grey[::scale, ::scale]
        if min(part.shape) < 16 or (scale > 1 and min(part.shape) < 48):
            continue
        drawn = _between(_floats(part), low, high)
        even = _between(_averaged(grey, scale), low, high) if scale > 1 else drawn
        for soft, light in ((even, drawn), (1 - even, 1 - drawn)):
            thin = relief(light)
            for mask in _drawn(part, thin):
                pieces = Pieces(mask)
                rows = pieces.rows(_FEW)
                surely = surely or any(is_written(mask, thin, light, r, _SURELY_OF_ONE) for r in rows)
                found += _times(rows, scale)
            if scale < _SCALES[-1]:
                thin = relief(soft) if scale > 1 else thin  # nothing was averaged
                mask = standing_out(thin, _AROUND, _CLEAR, _STEEP)
                pieces = Pieces(mask)
                plain = [r for r in _tall(pieces, _MANY) if is_written(mask, thin, soft, r, _PERHAPS_OF_ANY)]
                far = [r for r in _tall(pieces, _FEW) if is_written(mask, thin, soft, r, _FAR_OUT)]
                surely = surely or bool(far) or any(is_written(mask, thin, soft, r, _SURELY_OF_ANY) for r in plain)
                found += _times(plain + far, scale)
                for degrees, row in _askew(pieces, mask, thin, soft):
                    cover(covered, degrees, *_times([row], scale))
    return _joined(found, grey.shape) if surely else [], covered


def _tall(pieces: Pieces, least: int) -> list[Line]:
    return [r for r in pieces.rows(least) if min(r[2] - r[0], r[3] - r[1]) >= _TALL]


def _floats(grey: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return grey.astype(np.float32, copy=False)


def _between(grey: npt.NDArray[np.float32], low: float, high: float) -> npt.NDArray[np.float32]:
    """The same from 0 to 1."""
    out = grey - np.float32(low)
    out /= np.float32(high - low)
    return out


def _averaged(grey: npt.NDArray[Any], scale: int) -> npt.NDArray[np.float32]:
    """The picture at a coarser scale: the mean of what lies within a pixel, so that there is less grain."""
    rows, columns = (length // scale * scale for length in grey.shape)
    parts = _floats(grey[:rows, :columns]).reshape(rows // scale, scale, columns // scale, scale)
    mean: npt.NDArray[np.float32] = parts.mean(axis=(1, 3), dtype=np.float32)
    return mean


def _drawn(part: npt.NDArray[Any], relief: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.bool_]]:
    """Thin pixels of each value that is far more frequent among them than the values beside it."""
    thin = relief > _FAINT
    held = part[thin]
    if not held.size:
        return
    from scipy import ndimage  # takes longer to load than hundreds of slices that need no search

    values, counts = _counted(held)
    around = ndimage.median_filter(counts.astype(np.float64), 9, mode="nearest") if values.size > 8 else counts * 0.0
    excess = (counts - around) / np.sqrt(around + 1)
    for number in np.argsort(-excess)[:_SPIKES]:
        if excess[number] < _SPIKE or counts[number] < 20:
            return
        # The soft edges of a letter hold its parts together.
        yield _with_neighbours(thin & (part == values[number])) & thin


def _counted(held: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """The values that occur, in their order, and how often."""
    low, high = float(held.min()), float(held.max())
    if high - low <= _WIDEST and (held.dtype.kind in "iu" or bool((held == np.rint(held)).all())):
        counts = np.bincount(held.astype(np.int64) - int(low))
        present = np.flatnonzero(counts)
        return (present + int(low)).astype(held.dtype), counts[present]
    values, counts = np.unique(held, return_counts=True)
    return values, counts


def _with_neighbours(seeds: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    grown = seeds.copy()
    grown[1:] |= seeds[:-1]
    grown[:-1] |= seeds[1:]
    out = grown.copy()
    out[:, 1:] |= grown[:, :-1]
    out[:, :-1] |= grown[:, 1:]
    return out


def _times(lines: list[tuple[int, int, int, int]], scale: int) -> list[tuple[int, int, int, int]]:
    return [(a * scale, b * scale, c * scale, d * scale) for a, b, c, d in lines]


def _joined(lines: list[tuple[int, int, int, int]], shape: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """With a margin, for the pieces that were too small or too faint to be found (points, commas, edges)."""
    grown = []
    for top, left, bottom, right in lines:
        margin = max(3, min(bottom - top, right - left) // 3)
        across = margin * 2 if right - left >= bottom - top else margin
        along = margin if right - left >= bottom - top else margin * 2
        grown.append(
            (max(top - along, 0), max(left - across, 0), min(bottom + along, shape[0]), min(right + across, shape[1]))
        )
    return sorted(set(grown))
