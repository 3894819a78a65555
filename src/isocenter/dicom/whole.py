"""Is the whole object there? The question before every acknowledgement.

`check_whole` answers by accounting: the length of every element, the pixels that rows, columns, frames and bits ask
for, and the content without which an object of its class is only a header. What it lets pass can be stored and
called safe; what it refuses is told to the sender with the reason, while the sender still has the image.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from isocenter.dicom.conformance import native_syntaxes, storage_class
from isocenter.dicom.elements import PIXELS, File, parse
from isocenter.errors import IsocenterError, NotFound, NotWhole, Unavailable

__all__ = ["check_whole", "native_length", "whole"]

_FLOAT_PIXELS, _DOUBLE_PIXELS = 0x7FE00008, 0x7FE00009
_MEDIA_CLASS, _CLASS, _DIRECTORY = 0x00020002, 0x00080016, "1.2.840.10008.1.3.10"
_SAMPLES, _PHOTOMETRIC, _FRAMES, _ROWS, _COLUMNS = 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011
_ALLOCATED, _STORED = 0x00280100, 0x00280101
_VIDEO = "1.2.840.10008.1.2.4.10"  # MPEG-2, MPEG-4, HEVC: one stream holds all frames
_MOST_FRAMES = 2**31 - 1  # what IS can say; "1e400" says more, and then lies
_MOST_BYTES = 1 << 40  # of one object's pixels; beyond it Rows, Columns or Number of Frames lie


def check_whole(data: bytes | bytearray | memoryview | Path) -> None:
    """Refuse what is not one whole DICOM object.

    Args:
        data: the bytes of a Part 10 file, or where it lies.

    Raises:
        NotWhole: truncated at any byte, a length that lies, pixels missing, or not DICOM at all.
        LimitReached: nested deeper than 64, or deflated beyond its bound.
        NotFound: when the path names no file.

    >>> check_whole(b"")
    Traceback (most recent call last):
        ...
    isocenter.errors.NotWhole: the file is empty. Send it again.
    """
    if not isinstance(data, Path):
        whole(data)
        return
    try:
        if not data.is_file():
            raise NotFound(f"no file {data.name}", "", "check the path")
        if not data.stat().st_size:
            whole(b"")
        with data.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            view = memoryview(mapped)
            try:
                whole(view)
            finally:
                view.release()
    except IsocenterError:
        raise
    except (OSError, BufferError) as fault:
        raise Unavailable(f"{data.name} cannot be read", str(fault), "check the disk and the permissions") from fault


def whole(data: bytes | bytearray | memoryview) -> File:
    """The places of the elements of a file that is whole; raises as `check_whole` does."""
    file = parse(data)
    kind = file.ascii(_CLASS) or file.meta_ascii(_MEDIA_CLASS)
    if kind == _DIRECTORY:
        return file
    known = storage_class(kind)
    pixels = file.dataset.get(PIXELS) or file.dataset.get(_FLOAT_PIXELS) or file.dataset.get(_DOUBLE_PIXELS)
    if pixels is None:
        if known is not None and known.image and file.integer(_ROWS):
            raise NotWhole(
                f"a {known.name.removesuffix(' Storage')} of {file.integer(_ROWS)} rows without pixel data",
                "the file ends before its pixels",
                "send it again",
            )
        if known is not None and known.image:
            raise NotWhole(
                f"a {known.name.removesuffix(' Storage')} without pixel data",
                "the file is only a header",
                "send it again",
            )
        if known is not None and known.needs and known.needs not in file.dataset:
            raise NotWhole(
                f"a {known.name.removesuffix(' Storage')} without ({known.needs >> 16:04X},{known.needs & 0xFFFF:04X})",
                "the file ends before its content",
                "send it again",
            )
        return file
    _pixels(file)
    return file


def native_length(file: File) -> int:
    """Bytes that the pixels of one object take when they are not compressed, without padding to an even number.

    Raises:
        NotWhole: when Rows, Columns, Samples per Pixel or Bits Allocated make no image.
    """
    rows, columns = file.integer(_ROWS), file.integer(_COLUMNS)
    samples = file.integer(_SAMPLES, 1)
    bits = file.integer(_ALLOCATED)
    frames = _frame_count(file)
    if rows < 1 or columns < 1 or samples not in (1, 2, 3, 4) or bits not in (1, 8, 16, 32, 64):
        raise NotWhole(
            f"pixels of {rows} rows, {columns} columns, {samples} samples and {bits} bits",
            "these make no image",
            "export it again",
        )
    cells = rows * columns * frames
    if file.ascii(_PHOTOMETRIC) in ("YBR_FULL_422", "YBR_PARTIAL_422") and samples == 3:
        return cells * 2 * bits // 8  # the two colours are stored for every second pixel
    total = (cells * samples * bits + 7) // 8
    if total > _MOST_BYTES:
        raise NotWhole(f"pixels of {total >> 30} GiB", "Rows, Columns or Number of Frames lie", "export it again")
    return total


def _frame_count(file: File) -> int:
    said = file.decimals(_FRAMES)
    # A count that is no number ("1A") is odd, not untrue: the length of the pixels decides.
    return int(min(said[0], _MOST_FRAMES)) if said and said[0] == said[0] and said[0] >= 1 else 1


def _pixels(file: File) -> None:
    slot = file.dataset.get(PIXELS)
    if slot is not None and slot[0] == "fragments":
        rest = slot[3][1:]
        if not rest:
            raise NotWhole("the compressed pixel data holds no fragment", "there is no image", "send it again")
        if _frame_count(file) > len(rest) and not file.syntax.startswith(_VIDEO):
            raise NotWhole(
                f"{len(rest)} fragments for {_frame_count(file)} frames", "frames are missing", "send it again"
            )
        if any(stop == start for start, stop in rest) and len(rest) == 1:
            raise NotWhole("the compressed pixel data is empty", "there is no image", "send it again")
        return
    if file.syntax not in native_syntaxes() and slot is not None:
        raise NotWhole(
            f"pixel data of fixed length in the compressed transfer syntax {file.syntax}",
            "header and pixels contradict each other",
            "export the file again",
        )
    place = slot or file.dataset.get(_FLOAT_PIXELS) or file.dataset[_DOUBLE_PIXELS]
    there, wanted = place[2] - place[1], native_length(file)
    if there < wanted:
        raise NotWhole(
            f"{there} bytes of pixels where rows, columns, frames and bits ask for {wanted}",
            "a part of the image is missing",
            "send it again",
        )
    # Modalities pad to their block size; a whole frame more means that the number of frames lies.
    frame = wanted // _frame_count(file)
    if there - wanted >= max(frame, 2):
        raise NotWhole(
            f"{there} bytes of pixels where rows, columns, frames and bits ask for {wanted}",
            "rows, columns or the number of frames lie",
            "export it again",
        )
