"""Pictures for people who have no DICOM viewer: /rendered and /thumbnail (PS3.18 sections 8.3.5 and 10.4.1.1.3)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isocenter.doors.media import NotAcceptable, Wish
from isocenter.errors import Refused

__all__ = ["Picture", "asked", "render", "type_of"]

_LARGEST = 8192


@dataclass(frozen=True)
class Picture:
    """How a picture is wanted.

    Args:
        window: centre and width in rescaled values; None for the header's.
        size: width and height of the box that it must fit into; None for its own.
        region: left, top, width and height in source pixels; None for all.
        quality: of JPEG, 1 to 100.
        annotate: with the patient's name, identity and date written in.
    """

    window: tuple[float, float] | None = None
    size: tuple[int, int] | None = None
    region: tuple[int, int, int, int] | None = None
    quality: int = 90
    annotate: bool = False


def asked(params: Mapping[str, str]) -> Picture:
    """Read window, viewport, quality and annotation.

    >>> asked({"window": "40,400,linear", "viewport": "128,128"}).window
    (40.0, 400.0)

    Raises:
        Refused: a value that is none, with the form that is expected.
    """
    window = size = region = None
    if "window" in params:
        parts = params["window"].split(",")
        numbers = _numbers("window", ",".join(parts[:2]), 2)
        if len(parts) not in (2, 3) or numbers[1] <= 0:
            raise Refused(f"window={params['window'][:40]!a}", "it is centre,width,function with a width above 0", "")
        if len(parts) == 3 and parts[2].lower() not in ("linear", "linear-exact"):
            raise Refused(f"window function {parts[2][:20]!a}", "linear and linear-exact are offered", "use linear")
        window = (numbers[0], numbers[1])
    if "viewport" in params:
        numbers = _numbers("viewport", params["viewport"], 2, 6)
        if not all(1 <= n <= _LARGEST for n in numbers[:2]):
            raise Refused("viewport", f"width and height are 1 to {_LARGEST} pixels", "ask for a smaller picture")
        size = (int(numbers[0]), int(numbers[1]))
        if len(numbers) == 6:
            left, top, width, height = (int(n) for n in numbers[2:])
            if left < 0 or top < 0 or width < 1 or height < 1:
                raise Refused("viewport", "its source region is left,top,width,height in pixels", "")
            region = (left, top, width, height)
    quality = 90
    if "quality" in params:
        quality = int(_numbers("quality", params["quality"], 1)[0])
        if not 1 <= quality <= 100:
            raise Refused("quality", "it is 1 to 100", "")
    return Picture(window, size, region, quality, "patient" in params.get("annotation", ""))


def _numbers(name: str, text: str, *counts: int) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in counts or not all(abs(n) < 1e9 for n in numbers):
        raise Refused(f"{name}={text[:40]!a}", f"it is {' or '.join(map(str, counts))} numbers separated by commas", "")
    return numbers


def type_of(said: Sequence[Wish]) -> str:
    """image/jpeg, the standard's default, or image/png where that is dearer."""
    for wish in said:
        for kind in ("image/jpeg", "image/png"):
            if wish.takes(kind):
                return kind
    raise NotAcceptable("None of the media types asked for", "pictures are given as image/jpeg or image/png", "")


def render(data: bytes, frame: int, picture: Picture, kind: str) -> bytes:
    """One frame as a picture of 8 bits."""
    from PIL import Image

    from isocenter.dicom import pixels

    edge = max(picture.size) if picture.size and not picture.region else None
    made = pixels.rendered(data, frame, window=picture.window, size=edge, annotate=picture.annotate)
    if kind == "image/png" and (picture.size is None or (edge and picture.size[0] == picture.size[1])):
        return made
    with Image.open(io.BytesIO(made)) as opened:
        image: Image.Image = opened
        if picture.region:
            left, top, width, height = picture.region
            if left >= image.width or top >= image.height:
                raise Refused("viewport", "its source region lies outside the image", "")
            image = image.crop((left, top, min(left + width, image.width), min(top + height, image.height)))
        if picture.size:
            scale = min(picture.size[0] / image.width, picture.size[1] / image.height)
            wanted = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            if (picture.region or scale < 1) and wanted != image.size:
                image = image.resize(wanted, Image.Resampling.LANCZOS)
        out = io.BytesIO()
        if kind == "image/png":
            image.save(out, "PNG")
        else:
            image.convert("RGB" if image.mode not in ("L", "RGB") else image.mode).save(
                out, "JPEG", quality=picture.quality
            )
    return out.getvalue()
