"""Pictures for people who have no DICOM viewer: /rendered and /thumbnail (PS3.18 sections 8.3.5 and 10.4.1.1.3).

Window first, then the region of the source, then the viewport that it is scaled to fit, and annotations last.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from isocenter.doors.archive import Archive
from isocenter.doors.dicomweb_retrieve import Body, Target, first_image, in_parts
from isocenter.doors.media import NotAcceptable, Wish
from isocenter.doors.multipart import Part
from isocenter.doors.whose import WORDS, otherwise
from isocenter.errors import NotFound, Refused
from isocenter.govern.policy import Person
from isocenter.record import Patient

__all__ = ["Picture", "asked", "pictures", "render", "type_of"]

_LARGEST = 8192
_FUNCTIONS: Final = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
_ANNOTATIONS: Final = ("patient", "technique")
_TECHNIQUE: Final = (
    ("SliceThickness", "mm"), ("KVP", "kV"), ("XRayTubeCurrent", "mA"), ("Exposure", "mAs"), ("ExposureTime", "ms"),
    ("RepetitionTime", "ms TR"), ("EchoTime", "ms TE"), ("InversionTime", "ms TI"), ("FlipAngle", "\u00b0 flip"),
    ("ConvolutionKernel", ""), ("ProtocolName", ""),
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """How a picture is wanted.

    Args:
        window: centre and width in rescaled values; None for the header's.
        function: how that window is applied: LINEAR, LINEAR_EXACT or SIGMOID.
        size: width and height of the box that it is scaled to fit into; None for its own.
        region: left, top, width and height in source pixels; the width or height of 0 goes to the edge; None for all.
        enlarge: a picture that is smaller than the box is made as large as it allows.
        flipped: left and right, top and bottom, are changed for each other.
        quality: of JPEG, 1 to 100.
        annotations: what is written in: ``patient``, ``technique``.
    """

    window: tuple[float, float] | None = None
    function: str = ""
    size: tuple[int, int] | None = None
    region: tuple[int, int, int, int] | None = None
    enlarge: bool = True
    flipped: tuple[bool, bool] = (False, False)
    quality: int = 90
    annotations: tuple[str, ...] = ()


def asked(params: Mapping[str, str]) -> Picture:
    """Read window, viewport, quality and annotation.

    >>> asked({"window": "40,400,linear", "viewport": "128,128"}).window
    (40.0, 400.0)

    Raises:
        Refused: a value that is none, with the form that is expected.
    """
    window, function = _window(params["window"]) if "window" in params else (None, "")
    size, region, flipped = _viewport(params["viewport"]) if "viewport" in params else (None, None, (False, False))
    quality = 90
    if "quality" in params:
        quality = int(_numbers("quality", params["quality"], 1)[0])
        if not 1 <= quality <= 100:
            raise Refused("quality", "it is 1 to 100", "")
    annotations = tuple(one for one in params.get("annotation", "").split(",") if one)
    for one in annotations:
        if one not in _ANNOTATIONS:
            raise Refused(f"annotation={one[:40]!a}", f"it is {' or '.join(_ANNOTATIONS)}, or both with a comma", "")
    return Picture(window, function, size, region, True, flipped, quality, annotations)


def _window(text: str) -> tuple[tuple[float, float], str]:
    parts = text.split(",")
    numbers = _numbers("window", ",".join(parts[:2]), 2)
    if len(parts) not in (2, 3) or numbers[1] <= 0:
        raise Refused(f"window={text[:40]!a}", "it is centre,width,function with a width above 0", "")
    function = parts[2].lower() if len(parts) == 3 else "linear"
    if function not in _FUNCTIONS:
        raise Refused(f"window function {parts[2][:20]!a}", f"it is {', '.join(_FUNCTIONS)}", "use linear")
    return (numbers[0], numbers[1]), _FUNCTIONS[function]


def _viewport(text: str) -> tuple[tuple[int, int], tuple[int, int, int, int] | None, tuple[bool, bool]]:
    """vw,vh or vw,vh,sx,sy,sw,sh: what is left empty of the source is its edge; a negative size turns it around."""
    parts = text.split(",")
    left_out = [at for at, part in enumerate(parts) if at > 1 and not part.strip()] if len(parts) == 6 else []
    numbers = _numbers("viewport", ",".join("0" if at in left_out else part for at, part in enumerate(parts)), 2, 6)
    if not all(1 <= n <= _LARGEST for n in numbers[:2]):
        raise Refused("viewport", f"width and height are 1 to {_LARGEST} pixels", "ask for a smaller picture")
    size = (int(numbers[0]), int(numbers[1]))
    if len(numbers) == 2:
        return size, None, (False, False)
    left, top, width, height = (round(n) for n in numbers[2:])
    if left < 0 or top < 0 or any(not n and at not in left_out for at, n in ((4, width), (5, height))):
        raise Refused("viewport", "its source region is left,top,width,height in pixels", "")
    return size, (left, top, abs(width), abs(height)), (width < 0, height < 0)


def _numbers(name: str, text: str, *counts: int) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in counts or not all(abs(n) < 1e9 for n in numbers):
        raise Refused(f"{name}={text[:40]!a}", f"it is {' or '.join(map(str, counts))} numbers separated by commas", "")
    return numbers


def type_of(said: Sequence[Wish]) -> tuple[str, bool | None]:
    """image/jpeg, the standard's default, or image/png where that is dearer; and whether in parts, None for either."""
    for wish in said:
        for kind in ("image/jpeg", "image/png"):
            if wish.takes(kind):
                return kind, None if wish.type == "*/*" else wish.many
    raise NotAcceptable("None of the media types asked for", "pictures are given as image/jpeg or image/png", "")


def pictures(
    site: Archive, who: Person, target: Target, numbers: Sequence[int] | None, picture: Picture, said: Sequence[Wish]
) -> Body:
    """What a URL names as pictures: in parts every frame of every image, alone the one that stands for them.

    Args:
        numbers: frames from 1 where the URL names some.

    Raises:
        NotFound: nothing there has pixels, or no such frame. NotAcceptable: several frames asked for as one picture.
    """
    kind, many = type_of(said)
    if numbers is not None and len(numbers) > 1 and many is False:
        raise NotAcceptable("several frames as one picture", "one part holds one frame", "ask for multipart/related")
    if not many and (numbers is None or len(numbers) == 1):
        data = site.instance(first_image(target).sop_uid, who=who)
        return Body(kind, iter((render(data, (numbers or [1])[0] - 1, picture, kind, target.patient),)))
    held = max(first_image(target).frames, 1)
    if numbers and max(numbers) > held:  # before the first part is sent
        raise NotFound(f"frame {max(numbers)}", f"the image has {held}", "ask for frames that are there")

    def parts() -> Iterator[Part]:
        for url, one in target.instances:
            if one.rows and one.columns:
                data = site.instance(one.sop_uid, who=who)
                for number in numbers or range(1, max(one.frames, 1) + 1):
                    headers = {"Content-Type": kind, "Content-Location": f"{url}/frames/{number}/rendered"}
                    yield Part(headers, render(data, number - 1, picture, kind, target.patient))

    return in_parts(kind, parts())


def render(data: bytes, frame: int, picture: Picture, kind: str, patient: Patient | None = None) -> bytes:
    """One frame as a picture of 8 bits.

    Args:
        patient: whose it is now, for whoever asks to have that written into it; without one, what the file says.

    Raises:
        Refused: a source region outside the image; and as `isocenter.dicom.pixels.rendered`.
    """
    from PIL import Image, ImageOps

    from isocenter.dicom import pixels

    edge = max(picture.size) if picture.size and not picture.region else None
    made = pixels.rendered(data, frame, window=picture.window, function=picture.function, size=edge)
    with Image.open(io.BytesIO(made)) as opened:
        image: Image.Image = opened
        if picture.region:
            left, top, width, height = picture.region
            if left >= image.width or top >= image.height:
                raise Refused("viewport", "its source region lies outside the image", "")
            right, bottom = left + (width or image.width), top + (height or image.height)
            image = image.crop((left, top, min(right, image.width), min(bottom, image.height)))
        if picture.flipped[0]:
            image = ImageOps.mirror(image)
        if picture.flipped[1]:
            image = ImageOps.flip(image)
        if picture.size:
            scale = min(picture.size[0] / image.width, picture.size[1] / image.height)
            wanted = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            if wanted != image.size and (scale < 1 or picture.enlarge):
                image = image.resize(wanted, Image.Resampling.LANCZOS)
        if picture.annotations:
            image = _annotated(image, data, picture.annotations, patient)
        out = io.BytesIO()
        if kind == "image/png":
            image.save(out, "PNG", compress_level=1)
        else:
            image.convert("RGB" if image.mode not in ("L", "RGB") else image.mode).save(
                out, "JPEG", quality=picture.quality
            )
    return out.getvalue()


def _annotated(image: Any, data: bytes, wanted: Sequence[str], patient: Patient | None) -> Any:
    """Burnt in: who it is above, how it was taken below."""
    import pydicom
    from PIL import ImageDraw

    header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
    made = image.copy()
    draw = ImageDraw.Draw(made)
    white, black = (255, 0) if made.mode == "L" else ((255, 255, 255), (0, 0, 0))
    if "patient" in wanted:
        file = {word: str(header.get(word, "")) for word in WORDS}
        told = file if patient is None else {**file, **otherwise(file, patient)}
        said = [told["PatientName"], told["PatientID"]]
        said += [
            f"{header.get('StudyDate', '')} {header.get('Modality', '')}",
            str(header.get("SeriesDescription", "")),
        ]
        draw.multiline_text((4, 4), _latin(said), fill=white, stroke_width=1, stroke_fill=black)
    if "technique" in wanted:
        said = [f"{header.get(word)} {unit}".strip() for word, unit in _TECHNIQUE if header.get(word) not in (None, "")]
        place = (4, made.height - 4)
        draw.multiline_text(place, _latin(said), anchor="ld", fill=white, stroke_width=1, stroke_fill=black)
    return made


def _latin(lines: Sequence[str]) -> str:
    # Pillow's built-in font has Latin letters only; a name in another script is shown by its first, Latin component.
    shown = (line.split("=")[0].encode("latin-1", "replace").decode("latin-1") for line in lines)
    return "\n".join(line for line in shown if line.strip())
