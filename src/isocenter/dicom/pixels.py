"""Stored pixels to numbers, to a picture, or to the bytes of one frame.

Native pixels are read straight from the file. Compressed ones are opened in a process of their own by the first
library that can: OpenJPEG, the RLE decoder and GDCM through pydicom, and SimpleITK as the last, which alone opens
12-bit JPEG Extended.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.dicom.compressed import bare_stream, precision
from isocenter.dicom.conformance import native_syntaxes
from isocenter.dicom.decoding import decode
from isocenter.dicom.elements import PIXELS, File, parse
from isocenter.dicom.whole import native_length
from isocenter.errors import LimitReached, NotFound, NotWhole, Refused

__all__ = ["frame_count", "frames", "holds_more", "native", "of_frames", "palette_bits", "raw_frame", "rendered"]

_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES, _ROWS, _COLUMNS = (
    0x00280002,
    0x00280004,
    0x00280006,
    0x00280008,
    0x00280010,
    0x00280011,
)
_ALLOCATED, _STORED, _HIGH, _SIGNED = 0x00280100, 0x00280101, 0x00280102, 0x00280103
_FLOAT_PIXELS, _DOUBLE_PIXELS = 0x7FE00008, 0x7FE00009
_EXPLICIT, _BIG, _RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5"
_LARGEST = 1 << 33  # bytes that decoded pixels of one object may take


def frame_count(file: File) -> int:
    """Number of Frames; 1 where the header has none."""
    said = file.decimals(_FRAMES)
    return int(min(said[0], 2**31 - 1)) if said and said[0] == said[0] and said[0] >= 1 else 1


def frames(data: bytes, which: Sequence[int] | None = None) -> npt.NDArray[Any]:
    """Decoded stored values.

    Args:
        data: a whole Part 10 file.
        which: frame numbers from 0, in the order wanted; None for all.

    Returns:
        (n, rows, columns) stored values of the type that the header names (no rescale applied, palette indices as
        they stand), or (n, rows, columns, 3) RGB for colour, whatever colour space it was stored in.

    Raises:
        Refused: when there are no pixels, or no decoder opens them.
        NotFound: when a frame number is not there.
        LimitReached: when they would take more than 8 GiB.
    """
    file = parse(data, until_pixels=True)
    count = frame_count(file)
    wanted = list(range(count)) if which is None else [int(n) for n in which]
    for number in wanted:
        if not 0 <= number < count:
            raise NotFound(f"frame {number + 1}", f"the image has {count}", "ask for a frame that is there")
    size = file.integer(_ROWS) * file.integer(_COLUMNS) * file.integer(_SAMPLES, 1) * max(len(wanted), 1)
    if (taken := size * max(file.integer(_ALLOCATED, 8) // 8, 1)) > _LARGEST:
        raise LimitReached(
            f"{len(wanted)} frames of {taken / 2**30:.1f} GiB",
            f"{_LARGEST >> 30} GiB are decoded at once",
            "ask for fewer",
        )
    straight = native(file)
    if straight is not None:
        return straight if which is None else straight[wanted]
    if file.dataset[PIXELS][0] == "fragments":
        if _in_upper_bits(file):  # no decoder asks where they lie: it would leave upper bits out
            return _masked(_lowered(decode(_of_whole_words(data, file), wanted), file), file)
        opened = decode(data, wanted)
        # RLE packs words as they stand; the other streams know how many bits a value has.
        return _masked(opened, file) if file.syntax == _RLE and opened.ndim == 3 else opened
    return _converted(data, wanted)


def native(file: File) -> npt.NDArray[Any] | None:
    """All frames of native grey, palette or RGB pixels without a copy where possible; None for any other.

    Raises:
        Refused: when there are no pixels.
        NotWhole: when there are fewer than the header says.
    """
    for tag, kind in ((_FLOAT_PIXELS, "f4"), (_DOUBLE_PIXELS, "f8")):
        if tag in file.dataset:
            return _shaped(file, tag, ("<" if file.little else ">") + kind)
    slot = file.dataset.get(PIXELS)
    if slot is None:
        raise Refused("the object has no pixels", "there is nothing to show or to measure", "choose an image")
    if slot[0] == "fragments" or file.syntax not in native_syntaxes():
        return None
    if file.ascii(_PHOTOMETRIC).startswith("YBR"):
        return None
    bits = file.integer(_ALLOCATED)
    if bits == 1:
        return _bits(file)
    letter = "i" if file.integer(_SIGNED) else "u"
    stored = _shaped(file, PIXELS, f"{'<' if file.little else '>'}{letter}{bits // 8}")
    if slot[0] == "OW" and bits == 8 and not file.little:
        return None  # bytes lie swapped in big-endian words; pydicom knows
    return _masked(_lowered(stored, file), file)


def _lowered(stored: npt.NDArray[Any], file: File) -> npt.NDArray[Any]:
    """Values that lie in the upper bits of their words (High Bit above Bits Stored - 1, as old equipment writes them)
    in the lowest.

    Where none of them needs an upper bit, and some have lower ones, the header is wrong about them: they stay.
    """
    allocated, used = file.integer(_ALLOCATED), file.integer(_STORED)
    spare = file.integer(_HIGH, used - 1) + 1 - used
    if not 0 < used < used + spare <= allocated or stored.dtype.itemsize * 8 != allocated or not stored.size:
        return stored
    words = stored.view(f"{'>' if stored.dtype.byteorder == '>' else '<'}u{stored.dtype.itemsize}")
    if int(words.max()) >> used == 0 and bool((words & ((1 << spare) - 1)).any()):
        return stored
    lowered: npt.NDArray[Any] = np.right_shift(np.left_shift(stored, allocated - used - spare), allocated - used)
    return lowered


def _shaped(file: File, tag: int, kind: str) -> npt.NDArray[Any]:
    samples, count = file.integer(_SAMPLES, 1), frame_count(file)
    rows, columns = file.integer(_ROWS), file.integer(_COLUMNS)
    slot = file.dataset[tag]
    wanted = native_length(file) if tag == PIXELS else rows * columns * count * samples * np.dtype(kind).itemsize
    if slot[2] - slot[1] < wanted:
        raise NotWhole(
            f"{slot[2] - slot[1]} bytes of pixels, {wanted} are needed", "a part is missing", "send it again"
        )
    flat = np.frombuffer(file.data, dtype=kind, count=wanted // np.dtype(kind).itemsize, offset=slot[1])
    if samples == 1:
        return flat.reshape(count, rows, columns)
    if file.integer(_PLANAR) == 1:
        return np.moveaxis(flat.reshape(count, samples, rows, columns), 1, -1)
    return flat.reshape(count, rows, columns, samples)


def _bits(file: File) -> npt.NDArray[Any]:
    slot = file.dataset[PIXELS]
    rows, columns, count = file.integer(_ROWS), file.integer(_COLUMNS), frame_count(file)
    if slot[2] - slot[1] < native_length(file):
        raise NotWhole(f"{slot[2] - slot[1]} bytes of bits", "a part is missing", "send it again")
    packed = np.frombuffer(file.data, np.uint8, count=slot[2] - slot[1], offset=slot[1])
    if not file.little and slot[0] == "OW":
        packed = packed[: len(packed) // 2 * 2].reshape(-1, 2)[:, ::-1].reshape(-1)
    return np.unpackbits(packed, count=rows * columns * count, bitorder="little").reshape(count, rows, columns)


def _masked(stored: npt.NDArray[Any], file: File) -> npt.NDArray[Any]:
    """Bits above Bits Stored may hold overlays of old; they are no part of the value."""
    allocated, used = file.integer(_ALLOCATED), file.integer(_STORED)
    if not 0 < used < allocated or stored.dtype.itemsize * 8 != allocated or allocated > 32:
        return stored
    if stored.dtype.kind == "u":
        return stored if not stored.size or int(stored.max()) < (1 << used) else stored & ((1 << used) - 1)
    low, high = -(1 << (used - 1)), (1 << (used - 1)) - 1
    if not stored.size or (int(stored.min()) >= low and int(stored.max()) <= high):
        return stored
    shift = allocated - used
    kept: npt.NDArray[Any] = np.right_shift(np.left_shift(stored, shift), shift)
    return kept


def holds_more(data: bytes, file: File) -> bool:
    """Whether compressed grey values have bits above Bits Stored, as overlays of old have; a stream may keep them.

    Raises:
        Refused: no decoder opens them.
    """
    slot = file.dataset.get(PIXELS)
    if slot is None or slot[0] != "fragments" or file.integer(_SAMPLES, 1) != 1:
        return False
    if _HIGH not in file.dataset or not 0 < file.integer(_STORED) < file.integer(_ALLOCATED):
        return False
    if not _has_wider_values(file):
        return False
    whole = _of_whole_words(data, file)  # a decoder leaves out what the header calls no part of the value
    for number in range(frame_count(file)):  # one by one: a frame is small, and the first may answer
        values = decode(whole, [number])
        if _masked(values, file) is not values:
            return True
    return False


def _in_upper_bits(file: File) -> bool:
    """Whether compressed grey values lie in the upper bits of their words (High Bit above Bits Stored - 1)."""
    used, high, allocated = file.integer(_STORED), file.integer(_HIGH), file.integer(_ALLOCATED)
    return file.integer(_SAMPLES, 1) == 1 and 0 < used <= high < allocated and _has_wider_values(file)


def _has_wider_values(file: File) -> bool:
    """Whether a compressed stream holds more bits of a value than Bits Stored says."""
    if file.syntax == _RLE:
        return True
    places = of_frames(file, file.dataset[PIXELS][3], frame_count(file))[0]
    return precision(bare_stream(b"".join(bytes(file.data[a:b]) for a, b in places))) > file.integer(_STORED)


def _of_whole_words(data: bytes, file: File) -> bytes:
    """A file whose header calls every bit that is allocated part of the value."""
    whole = bytearray(data)
    order: Literal["little", "big"] = "little" if file.little else "big"
    allocated = file.integer(_ALLOCATED)
    for tag, bits in ((_STORED, allocated), (_HIGH, allocated - 1)):
        at = file.dataset[tag][1]
        whole[at : at + 2] = bits.to_bytes(2, order)
    return bytes(whole)


def _converted(data: bytes, wanted: list[int]) -> npt.NDArray[Any]:
    """Native YBR to RGB, by pydicom; plain arithmetic that needs no process of its own."""
    import pydicom
    from pydicom.pixels import get_decoder

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(io.BytesIO(data))
            decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
            stacked: npt.NDArray[Any] = np.stack([decoder.as_array(dataset, index=n)[0] for n in wanted])
            return stacked
    except Exception as fault:  # pydicom raises many kinds on odd values
        raise Refused("pixels cannot be read", str(fault).splitlines()[-1], "export the image again") from fault


# ---- one frame as it is stored -------------------------------------------------------------------------------------


def raw_frame(data: bytes, number: int) -> tuple[bytes, str]:
    """The bytes of one frame as they are stored, and their transfer syntax: what WADO-RS gives.

    Native frames are given in little endian, whatever the file holds.

    Args:
        data: a whole Part 10 file.
        number: frame number from 0.

    Raises:
        NotFound: when the frame is not there.
        Refused: when there are no pixels, or the fragments cannot be told apart.
    """
    file = parse(data, until_pixels=True)
    count = frame_count(file)
    if not 0 <= number < count:
        raise NotFound(f"frame {number + 1}", f"the image has {count}", "ask for a frame that is there")
    slot = file.dataset.get(PIXELS) or file.dataset.get(_FLOAT_PIXELS) or file.dataset.get(_DOUBLE_PIXELS)
    if slot is None:
        raise Refused("the object has no pixels", "there is no frame to give", "choose an image")
    if slot[0] == "fragments":
        joined = b"".join(bytes(file.data[a:b]) for a, b in of_frames(file, slot[3], count)[number])
        return joined, file.syntax
    if file.integer(_ALLOCATED) == 1:
        one = np.packbits(_bits(file)[number], axis=None, bitorder="little").tobytes()
        return one, _EXPLICIT
    length = native_length(file) // count
    value = file.data[slot[1] : slot[2]]
    width = max(file.integer(_ALLOCATED) // 8, 2 if slot[0] == "OW" else 1)
    if file.syntax == _BIG and width > 1:
        value = np.frombuffer(value, f">u{width}", count=len(value) // width).astype(f"<u{width}").tobytes()
    found = bytes(value[number * length : (number + 1) * length])
    return found, _EXPLICIT


def of_frames(file: File, places: list[tuple[int, int]], count: int) -> list[list[tuple[int, int]]]:
    """Where the fragments of each frame lie.

    Raises:
        Refused: nothing tells the frames apart.
    """
    table, rest = places[0], places[1:]
    if len(rest) == count:
        return [[one] for one in rest]
    if count == 1:
        return [rest]
    starts: list[int] = []
    if table[1] > table[0]:
        starts = np.frombuffer(file.data, "<u4", count=(table[1] - table[0]) // 4, offset=table[0]).tolist()
    elif 0x7FE00001 in file.dataset:
        slot = file.dataset[0x7FE00001]
        starts = np.frombuffer(file.data, "<u8", count=(slot[2] - slot[1]) // 8, offset=slot[1]).tolist()
    if len(starts) == count:
        # Offsets count from the first fragment's item tag, 8 bytes before its value.
        first = rest[0][0] - 8
        begins = [start + first + 8 for start in starts]
    else:
        begins = [a for a, b in rest if bytes(file.data[a : a + 2]) in (b"\xff\xd8", b"\xff\x4f")]
    index = {a: n for n, (a, _) in enumerate(rest)}
    if len(begins) != count or any(begin not in index for begin in begins):
        raise Refused(
            f"{len(rest)} fragments for {count} frames and no table that tells them apart",
            "a frame could be given with the pixels of another",
            "send the image in another transfer syntax",
        )
    cuts = [index[begin] for begin in begins] + [len(rest)]
    return [rest[a:b] for a, b in pairwise(cuts)]


# ---- a picture -----------------------------------------------------------------------------------------------------


def rendered(
    data: bytes,
    frame: int = 0,
    *,
    window: tuple[float, float] | None = None,
    function: str = "",
    size: int | None = None,
) -> bytes:
    """One frame as a PNG of 8 bits, as a radiologist would see it first.

    Rescale or modality LUT, then the window asked for, or the VOI LUT or window of the header, or the range of the
    values where the header has neither; MONOCHROME1 turned so that bone is white; palettes and YBR as RGB (PS3.4 N.2,
    PS3.3 C.11.1 and C.11.2).

    Args:
        data: a whole Part 10 file.
        frame: frame number from 0.
        window: (centre, width) in rescaled values.
        function: LINEAR, LINEAR_EXACT or SIGMOID, by which that window is applied; empty for the header's.
        size: longest edge in pixels, for a thumbnail; the picture is never enlarged.

    Raises:
        Refused, NotFound: as `frames`; Refused also where a palette, table or window of the header makes no picture.
    """
    import pydicom
    from PIL import Image

    stored = frames(data, [frame])[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        try:
            small = _reduced(stored, header, window, size)
            grey = _to_display(small, header, frame, window, function)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as fault:
            raise Refused(
                "the pixels are whole, but the header does not say how they are shown",
                f"its palette, table or window lies ({type(fault).__name__})",
                "ask for the pixels as they are stored, or have the image exported again",
            ) from fault
    picture = Image.fromarray(grey)
    if size is not None and max(picture.size) > size > 0:
        scale = size / max(stored.shape[:2])
        edges = [max(1, round(edge * scale)) for edge in stored.shape[1::-1]]
        picture = picture.resize((edges[0], edges[1]), Image.Resampling.BICUBIC, reducing_gap=2.0)
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _reduced(
    stored: npt.NDArray[Any], header: Any, window: tuple[float, float] | None, size: int | None
) -> npt.NDArray[Any]:
    """Means over squares of pixels, as many as leave the longest edge at `size` or above.

    A thumbnail of 128 pixels has a sixteenth of a slice's: what would be computed for the others is seen by nobody.
    Only where grey values are windowed: colours, indices and tables have no mean, and a range of values is that of all.
    """
    longest = max(stored.shape[:2])
    side = longest // size if size is not None and size > 0 else 1
    grey = stored.ndim == 2 and str(header.get("PhotometricInterpretation", "")).startswith("MONOCHROME")
    tables = (window is None and header.get("VOILUTSequence")) or header.get("ModalityLUTSequence")
    windowed = window is not None or _pair(header.get("WindowCenter"), header.get("WindowWidth")) is not None
    if side < 2 or not grey or tables or not windowed or min(stored.shape) < side:
        return stored
    rows, columns = stored.shape[0] // side * side, stored.shape[1] // side * side
    total = stored[0:rows:side, :columns].astype(np.float32)
    for n in range(1, side):
        total += stored[n:rows:side, :columns]
    means = total[:, 0::side].copy()
    for n in range(1, side):
        means += total[:, n::side]
    means /= side * side
    return means


def _to_display(
    stored: npt.NDArray[Any], header: Any, frame: int, window: tuple[float, float] | None, function: str
) -> npt.NDArray[np.uint8]:
    photometric = str(header.get("PhotometricInterpretation", "MONOCHROME2"))
    bits = int(header.get("BitsStored", 16))
    if photometric == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        stored = apply_color_lut(stored, header)
        photometric, bits = "RGB", palette_bits(header)
    if stored.ndim == 3:
        if stored.dtype == np.uint8:
            return np.ascontiguousarray(stored[..., :3])
        shares = stored[..., :3].astype(np.float64) / (2.0**bits - 1)
        return np.asarray(np.round(np.clip(shares, 0.0, 1.0) * 255), np.uint8)
    values, groups = _rescaled(stored, header, frame)
    if window is None and "VOILUTSequence" in header and header.VOILUTSequence:
        from pydicom.pixels.processing import apply_voi

        # What goes in is what the modality transformation gave; what comes out fills the bits of the table.
        entry = header.VOILUTSequence[0].LUTDescriptor[2]
        unit = apply_voi(np.round(values).astype(np.int64), header).astype(np.float64) / (2.0 ** int(entry) - 1)
        unit = np.clip(unit, 0.0, 1.0)
    else:
        unit = _windowed(values, header, groups, window, function)
    if photometric == "MONOCHROME1" or str(header.get("PresentationLUTShape", "")) == "INVERSE":
        unit = 1.0 - unit
    return np.asarray(np.round(unit * 255), np.uint8)


def palette_bits(header: Any) -> int:
    """Bits of the entries of a palette: 8 too where its maker wrote each of 8 bits into a word (PS3.3 C.7.6.3.1.6)."""
    tables = [header.get(f"{colour}PaletteColorLookupTableData") for colour in ("Red", "Green", "Blue")]
    entries = int(header.RedPaletteColorLookupTableDescriptor[0]) or 1 << 16
    if not all(tables):  # in segments
        return int(header.RedPaletteColorLookupTableDescriptor[2])
    if len(tables[0]) < 2 * entries:
        return 8
    order = ">" if header.original_encoding[1] is False else "<"
    return 16 if any(np.frombuffer(bytes(t)[: 2 * entries], f"{order}u2").max() > 0xFF for t in tables) else 8


def _rescaled(stored: npt.NDArray[Any], header: Any, frame: int) -> tuple[npt.NDArray[np.float64], list[Any]]:
    groups: list[Any] = []
    if "PerFrameFunctionalGroupsSequence" in header and frame < len(header.PerFrameFunctionalGroupsSequence):
        groups.append(header.PerFrameFunctionalGroupsSequence[frame])
    groups += list(header.get("SharedFunctionalGroupsSequence", []))
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    for group in groups:
        for item in group.get("PixelValueTransformationSequence", []):
            slope = item.get("RescaleSlope", 1) if slope is None else slope
            intercept = item.get("RescaleIntercept", 0) if intercept is None else intercept
    if header.get("ModalityLUTSequence"):
        from pydicom.pixels.processing import apply_modality_lut

        return apply_modality_lut(stored, header).astype(np.float64), groups
    values = stored.astype(np.float64)
    try:
        values = values * float(1 if slope is None else slope) + float(0 if intercept is None else intercept)
    except (TypeError, ValueError):
        return stored.astype(np.float64), groups
    return values, groups


def _windowed(
    values: npt.NDArray[np.float64],
    header: Any,
    groups: list[Any],
    window: tuple[float, float] | None,
    function: str,
) -> npt.NDArray[np.float64]:
    function = function or str(header.get("VOILUTFunction") or _of_frame(groups, "VOILUTFunction") or "LINEAR").upper()
    if window is None:
        centre, width = header.get("WindowCenter"), header.get("WindowWidth")
        for group in groups:
            for item in group.get("FrameVOILUTSequence", []):
                centre = item.get("WindowCenter") if centre is None else centre
                width = item.get("WindowWidth") if width is None else width
        window = _pair(centre, width)
    if window is None:
        low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
        return _scaled(values, low, high)
    centre, width = window
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -500.0, 500.0)))
    if function == "LINEAR" and width > 1:
        # PS3.3 C.11.2.1.2.1: the window of an integer image ends half a value earlier on each side.
        return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0.0, 1.0)
    return np.clip((values - centre) / max(width, 1e-9) + 0.5, 0.0, 1.0)


def _of_frame(groups: list[Any], word: str) -> Any:
    return next((item.get(word) for g in groups for item in g.get("FrameVOILUTSequence", []) if word in item), None)


def _pair(centre: Any, width: Any) -> tuple[float, float] | None:
    try:
        first = [float(v[0]) if hasattr(v, "__len__") and not isinstance(v, str) else float(v) for v in (centre, width)]
    except (TypeError, ValueError, IndexError):
        return None
    if not np.isfinite(first).all() or first[1] <= 0:
        return None
    return first[0], first[1]


def _scaled(values: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.float64]:
    if not high > low:
        return np.zeros_like(values)
    return np.clip((values - low) / (high - low), 0.0, 1.0)
