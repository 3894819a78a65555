"""A series for the screen: what its images are, and their values, many in one answer.

One request a frame means six at a time over HTTP/1.1, and the description that DICOMweb gives opens every file. Here a
description comes from the record, and a slab of images as one stream that holds one image in memory at a time.

A slab is a sequence of images, each behind a head of 32 bytes, little-endian:

===== ====== ==========================================================
bytes type   what
===== ====== ==========================================================
0-3   uint32 bytes of values that follow; 0 where the image cannot be read
4-7   uint32 number of the image, as the description counts from 0
8-9   uint16 rows
10-11 uint16 columns
12    uint8  type: 0 uint8, 1 int16, 2 uint16, 3 float32
13    uint8  values a pixel: 1, or 3 for red, green, blue
14-15 uint16 bytes of a reason in UTF-8 that follow where there are no values
16-23 float64 smallest value
24-31 float64 largest value
===== ====== ==========================================================

Values are real ones in the unit that the description names (HU, SUV), row by row.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, must_still_see, needs
from isocenter.doors.while_they_may import WhileTheyMay
from isocenter.errors import IsocenterError, LimitReached, Refused
from isocenter.govern.policy import Person
from isocenter.reading.cutting import Plane
from isocenter.reading.pictures import Picture, Pictures

__all__ = ["HEAD", "Slab", "Wanted", "ahead", "described", "packed", "router", "together"]

HEAD = struct.Struct("<IIHHBBHdd")
_TYPES = {"u1": 0, "i2": 1, "u2": 2, "f4": 3}
_LARGEST = 256 * 2**20  # bytes of one answer; a longer series is asked for in parts
_TOGETHER = 2**20  # bytes that travel in one part, of an answer that has more
_SHARED = ("rows", "columns", "orientation", "spacing_mm", "thickness_mm", "sides", "windows", "duration_ms")

router = APIRouter()


@dataclass(frozen=True)
class Slab:
    """Which images of a described series are wanted in one answer: `first`, `first + step`, …, `count` of them.

    Args:
        tag: of the description whose numbers these are.
        small: compressed, for a slow line.
    """

    tag: str
    first: int
    count: int
    step: int = 1
    small: bool = False

    def of(self, pictures: Pictures) -> range:
        """Their numbers, as far as there are any.

        Raises:
            LimitReached: they are more than one answer may hold.
        """
        which = range(self.first, len(pictures.order), self.step)[: self.count]
        size = sum(pictures.order[n].rows * pictures.order[n].columns for n in which) * _bytes(pictures)
        if size > _LARGEST:
            raise LimitReached(
                f"{len(which)} images of {size >> 20} MiB",
                f"one answer has at most {_LARGEST >> 20} MiB",
                "ask for fewer",
            )
        return which

    def streamed(
        self, which: range, of: Pictures, values: Iterator[npt.NDArray[Any] | IsocenterError], still: Callable[[], Any]
    ) -> Response:
        """The answer as it is made, a few images in memory at a time, while `still` does not refuse."""
        body = together(packed(of, which, values))
        headers = {"Content-Encoding": "gzip"} if self.small else {}
        made = ahead(_gzip(body) if self.small else body)
        answer = StreamingResponse(made, media_type="application/octet-stream", headers=headers)
        return WhileTheyMay(answer, still)


def _slab(
    tag: Annotated[str, Query(pattern=r"^[0-9a-f]{32}$")],
    first: Annotated[int, Query(ge=0, le=1_000_000)],
    count: Annotated[int, Query(ge=1, le=100_000)],
    step: Annotated[int, Query(ge=1, le=1000)] = 1,
    small: Annotated[bool, Query()] = False,
) -> Slab:
    return Slab(tag, first, count, step, small)


Wanted = Annotated[Slab, Depends(_slab)]
"""A slab as every address of images asks for it."""


@router.get("/api/studies/{uid}/series/{series}/pictures")
def pictures(
    uid: Uid,
    series: Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")],
    site: SiteHere,
    who: Annotated[Person, needs("instance")],
) -> Any:
    """The images of a series in the order in which one scrolls, where each lies, and what its values are."""
    here: PagesSite = site
    return described(here.pictures(uid, series, who=who))


@router.get("/api/studies/{uid}/series/{series}/slab")
def slab(
    uid: Uid,
    series: Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")],
    site: SiteHere,
    who: Annotated[Person, needs("instance")],
    wanted: Wanted,
    request: Request,
) -> Response:
    """Images `first`, `first + step`, …: `count` of them, or as many as there are. `small`: for a slow line."""
    here: PagesSite = site
    which = wanted.of(here.pictures(uid, series, tag=wanted.tag, who=who))
    values = here.slab(uid, series, which, tag=wanted.tag, who=who)
    return wanted.streamed(which, *values, still=partial(must_still_see, request, who, uid))


def together(parts: Iterable[bytes | memoryview], most: int = _TOGETHER) -> Iterator[bytes]:
    """The same bytes in fewer parts: the first image alone and at once, then as many as make a part worth its way.

    >>> [len(part) for part in together([b"head", b"values", b"head", b"values", b"head", b"values"], most=20)]
    [10, 20]
    """
    held: list[bytes | memoryview] = []
    size, limit = 0, 1
    for number, part in enumerate(parts):
        held.append(part)
        size += len(part)
        if number and size >= limit:
            yield b"".join(held)
            held, size, limit = [], 0, most
    if held:
        yield b"".join(held)


async def ahead(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Make the next part in a thread while the one before it is on its way."""
    coming = asyncio.ensure_future(run_in_threadpool(next, parts, None))
    try:
        while (part := await coming) is not None:
            coming = asyncio.ensure_future(run_in_threadpool(next, parts, None))
            yield part
    finally:
        coming.cancel()  # whoever asked has gone


_Vector = Annotated[str, Query(pattern=r"^-?[0-9.]{1,16}(,-?[0-9.]{1,16}){2}$")]
_Edge = Annotated[int, Query(ge=1, le=4096)]
_Value = Annotated[float, Query(ge=-1e12, le=1e12, allow_inf_nan=False)]


@router.get("/api/studies/{uid}/series/{series}/plane.png")
def plane(
    uid: Uid,
    series: Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")],
    site: SiteHere,
    who: Annotated[Person, needs("instance")],
    origin: _Vector,
    right: _Vector,
    down: _Vector,
    width: _Edge,
    height: _Edge,
    low: _Value,
    high: _Value,
) -> Response:
    """A plane through a series as 8 bits of grey, for a browser without WebGL.

    `origin` is the patient's point (LPS mm) at the middle of the first pixel, `right` and `down` are the steps to the
    next ones; `low` is black and `high` is white.
    """
    here: PagesSite = site
    values = here.cut(uid, series, Plane(_vector(origin), _vector(right), _vector(down), height, width), who=who)
    grey = np.clip((values - low) / max(high - low, 1e-9), 0.0, 1.0) * 255.0
    return Response(greys(np.round(grey).astype(np.uint8)), media_type="image/png")


def _vector(text: str) -> tuple[float, float, float]:
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise Refused("a vector that is no three numbers", "its parts cannot be read", "send x,y,z") from None
    return x, y, z


def greys(values: npt.NDArray[np.uint8]) -> bytes:
    """A PNG of grey pixels (ISO/IEC 15948)."""
    from io import BytesIO

    from PIL import Image

    out = BytesIO()
    Image.fromarray(values).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _bytes(of: Pictures) -> int:
    return 3 if of.colour else np.dtype(of.kind).itemsize


def packed(
    of: Pictures, which: range, values: Iterator[npt.NDArray[Any] | IsocenterError]
) -> Iterator[bytes | memoryview]:
    """Heads and values, one image after the other."""
    for number, one in zip(which, values, strict=True):
        if isinstance(one, IsocenterError):
            reason = str(one.what).encode()[:1000]
            yield HEAD.pack(0, number, 0, 0, 0, 0, len(reason), 0.0, 0.0) + reason
            continue
        ends = (float(one.min()), float(one.max())) if one.size else (0.0, 0.0)
        kind, samples = _TYPES[of.kind], 3 if of.colour else 1
        yield HEAD.pack(one.nbytes, number, one.shape[0], one.shape[1], kind, samples, 0, *ends)
        yield one.data.cast("B") if one.size else b""


def _gzip(parts: Iterable[bytes]) -> Iterator[bytes]:
    """RFC 1952, fast: on a slow line half the bytes come sooner than all of them."""
    press = zlib.compressobj(1, zlib.DEFLATED, 31)
    for part in parts:
        pressed = press.compress(part)
        if pressed:
            yield pressed
    yield press.flush()


def described(of: Pictures) -> dict[str, Any]:
    """The description as JSON: what all images share stands once, what differs stands in a list for each image."""
    told: dict[str, Any] = {
        "series": of.series.uid,
        "modality": of.series.modality,
        "frame": of.series.frame_of_reference,
        "unit": of.unit,
        "remark": of.remark,
        "type": of.kind,
        "colour": of.colour,
        "inverse": of.inverse,
        "phases": of.phases,
        "no_volume": of.no_volume,
        "tag": of.tag,
        "count": len(of.order),
        "sop": [p.sop_uid for p in of.order],
        "frames": [p.frame for p in of.order],
        "position": [_rounded(p.position) for p in of.order],
    }
    for name in _SHARED:
        each = [_plain(p, name) for p in of.order]
        told[name] = each[0] if all(value == each[0] for value in each) else {"each": each}
    return told


def _plain(picture: Picture, name: str) -> Any:
    value = getattr(picture, name)
    if name == "windows":
        return [list(window) for window in value]
    return _rounded(value) if isinstance(value, tuple) else value


def _rounded(values: tuple[Any, ...]) -> list[Any]:
    return [round(v, 6) if isinstance(v, float) else v for v in values]
