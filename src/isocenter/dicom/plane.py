"""Images without a place in the patient: radiographs, ultrasound, angiography, photographs, captures.

Lengths in them are true in the detector's plane where the header calibrates it, and in pixels where it does not;
volumes and positions in the patient are never true, and the geometry says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.compressed import is_irreversible
from isocenter.dicom.elements import File, parse
from isocenter.dicom.grey_curve import grey_curve
from isocenter.dicom.padding import words_between
from isocenter.dicom.pixels import frames, palette_bits, raw_frame
from isocenter.dicom.placed import scale
from isocenter.dicom.quantity import quantity
from isocenter.errors import LimitReached, Refused
from isocenter.record import Instance, Series
from isocenter.space import Axis, Geometry, Reference, Volume

__all__ = ["BEYOND", "NO_LENGTH", "OVER_TIME", "coloured", "plane", "scales_at"]

_LARGEST = 1 << 32  # bytes of one decoded image or cine
_REGIONS, _UNITS_X, _UNITS_Y, _DELTA_X, _DELTA_Y, _SPATIAL = (
    0x00186011,
    0x00186024,
    0x00186026,
    0x0018602C,
    0x0018602E,
    0x00186012,
)
_SHOWN, _CALIBRATED_BY = 0x20500020, 0x00280A02
_ROWS, _COLUMNS = 0x00280010, 0x00280011
BEYOND = "regions beyond the picture"
"""The fact `SpacingFrom` of a picture that was cut or made smaller without its calibration."""
OVER_TIME = "regions over time"
"""The fact `SpacingFrom` of a picture with M-mode or Doppler curves and without tissue in centimetres."""
NO_LENGTH = "regions without a length"
"""The fact `SpacingFrom` of an ultrasound picture of whose calibrated regions none is tissue in centimetres."""
_OVER_TIME = (2, 3)  # Region Spatial Format: M-mode, spectral
_FLAGS, _LOW_PRIORITY = 0x00186016, 1  # of a region: whether another one is drawn over it where they overlap
_EDGES = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)  # of a region: left, top, right, bottom
_MODALITY_LUT, _DESCRIPTOR, _LUT = 0x00283000, 0x00283002, 0x00283006
_CENTIMETRES, _TISSUE = 3, 1
_SAME_SCALE = 1e-3
_SHARED = 2  # pixels that regions side by side may share at their edges
_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"  # Secondary Capture, and those of several frames
_KINDS = {_CAPTURES: "Captured", "1.2.840.10008.5.1.4.1.1.13.1.3": "FromTomosynthesis"}
_LOSSY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81)}  # JPEG baseline and extended, JPEG-LS near-lossless

_EITHER = {f"1.2.840.10008.1.2.4.{n}" for n in (91, 203)}  # JPEG 2000 and its high-throughput form: the stream says it


def plane(series: Series, instance: Instance, data: bytes) -> Volume:
    """One radiograph, capture or cine as a Volume of one slice.

    MONOCHROME1, or what is to be shown inverse, is turned so that the smallest value is black, and the fact
    `InvertedFromMonochrome1` notes it. How bright the header has its values shown goes along as the fact `GreyCurve`.
    Colour has the leading axis ``channel``, a cine the leading axis ``time`` in seconds.

    Raises:
        Refused: when the pixels cannot be decoded, or a look-up table is shorter than it says.
        LimitReached: when they would take more than 4 GiB.
    """
    facts: dict[str, Any] = {**series.facts, **instance.facts}
    if (size := instance.rows * instance.columns * instance.frames * 4) > _LARGEST:
        raise LimitReached(
            f"{instance.frames} frames of {instance.rows} by {instance.columns}",
            f"they would take {size / 2**30:.1f} GiB, and one image may take {_LARGEST >> 30}", "split the series",
        )  # fmt: skip
    file = parse(data)
    stored = frames(data)
    palette = facts.get("PhotometricInterpretation") == "PALETTE COLOR"
    if palette:
        stored = _palette(data, stored)
    axes: list[Axis] = []
    if stored.shape[0] > 1:
        axes.append(_time(file, facts, stored.shape[0]))
    if stored.ndim == 4:
        axes.append(Axis("channel", ("R", "G", "B")[: stored.shape[-1]]))
        array = np.ascontiguousarray(np.moveaxis(stored, -1, 1))[:, :, None]
        what, unit = "colour", "1"
    else:
        inverse = file.ascii(_SHOWN).upper() == "INVERSE"  # some write it beside MONOCHROME2
        array = _real(_looked_up(stored, file, facts), facts, instance, inverse)[:, None]
        if (curve := grey_curve(file, facts, _turned_about(facts, instance))) is not None:
            facts["GreyCurve"] = curve
        what, unit = quantity(series.modality, facts)
    if stored.shape[0] == 1:
        array = array[0]
    spacing, reference, source = _spacing(file, facts, series.modality)
    facts["SpacingFrom"] = source
    facts |= {word: True for kind, word in _KINDS.items() if instance.sop_class.startswith(kind)}
    if instance.transfer_syntax in _LOSSY or (
        instance.transfer_syntax in _EITHER and is_irreversible(raw_frame(data, 0)[0])
    ):
        facts["LossyImageCompression"] = "01"  # not every maker says so
    if source == "SequenceOfUltrasoundRegions":
        facts["UltrasoundRegions"] = list(_regions(file))
    geometry = Geometry.regular(
        shape=(1, instance.rows, instance.columns), spacing_mm=(1.0, *spacing), reference=reference
    )
    return Volume(array, geometry, what, unit, tuple(axes), facts, series.uid, (instance.sop_uid,))


def _real(
    stored: npt.NDArray[Any], facts: dict[str, Any], instance: Instance, inverse: bool
) -> npt.NDArray[np.float32]:
    slope, intercept = scale(facts, f"image {instance.number}")
    values = stored.astype(np.float32)
    if inverse or facts.get("PhotometricInterpretation") == "MONOCHROME1":
        values = np.float32(_darkest(facts)) - values
        facts["InvertedFromMonochrome1"] = True
    if (slope, intercept) != (1.0, 0.0):
        values *= np.float32(slope)
        values += np.float32(intercept)
    return values


def _darkest(facts: Mapping[str, Any]) -> int:
    """The darkest value of MONOCHROME1, the largest that fits; turned about it no value becomes negative."""
    return -1 if facts.get("PixelRepresentation") else 2 ** int(facts.get("BitsStored") or 16) - 1


def _turned_about(facts: Mapping[str, Any], instance: Instance) -> float | None:
    """What a rescaled value and the one before it was turned add up to; None where none was turned."""
    if not facts.get("InvertedFromMonochrome1"):
        return None
    slope, intercept = scale(facts, f"image {instance.number}")
    return slope * _darkest(facts) + 2 * intercept


def _looked_up(stored: npt.NDArray[Any], file: File, facts: dict[str, Any]) -> npt.NDArray[Any]:
    """Stored values through the Modality LUT, where a radiograph has one (PS3.3 C.11.1)."""
    for table in file.items(_MODALITY_LUT):
        descriptor = file.numbers(_DESCRIPTOR, table)
        if len(descriptor) != 3:
            continue
        count, first = int(descriptor[0]) or 65536, int(descriptor[1])
        slot = table.get(_LUT)
        width = "u2" if descriptor[2] > 8 else "u1"
        values = np.frombuffer(file.raw(slot) if slot else b"", ("<" if file.little else ">") + width)
        if len(values) < count:
            raise Refused(
                f"a Modality LUT of {len(values)} entries where {count} are said",
                "stored values cannot be turned into real ones",
                "export the image again",
            )
        facts["ModalityLUT"] = True
        if isinstance(said := facts.get("PixelPaddingValue"), int):
            limit, signed = facts.get("PixelPaddingRangeLimit"), bool(facts.get("PixelRepresentation"))
            low, high = words_between(said, limit if isinstance(limit, int) else None, signed=signed)
            some = values[np.clip(np.arange(low, high + 1) - first, 0, count - 1)]
            facts["PaddingLookedUp"] = [float(some.min()), float(some.max())]
        return np.asarray(values[np.clip(stored.astype(np.int64) - first, 0, count - 1)])
    return stored


def coloured(data: bytes, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """One frame of an image in colour as red, green and blue of 8 bits, palettes looked up.

    Args:
        data: the whole Part 10 file.
        stored: (rows, columns) palette indices, or (rows, columns, 3).
    """
    if stored.ndim == 2:
        return np.asarray(_palette(data, stored), np.uint8)
    if stored.dtype == np.uint8:
        return np.asarray(stored[..., :3])
    top = 1 << max(int(stored.max()).bit_length() - 8, 0)
    return np.asarray(stored[..., :3] // top, np.uint8)


def _palette(data: bytes, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    import io
    import warnings

    import pydicom
    from pydicom.pixels.processing import apply_color_lut

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        coloured = np.asarray(apply_color_lut(stored, header))[..., :3]
    if coloured.dtype == np.uint16 and palette_bits(header) > 8:
        coloured = coloured >> 8
    return coloured.astype(np.uint8)


def _time(file: File, facts: Mapping[str, Any], count: int) -> Axis:
    """Seconds of each frame from Frame Time Vector, Frame Time, or the rates; frame numbers where none is stated."""
    vector = facts.get("FrameTimeVector")
    if isinstance(vector, list) and len(vector) == count and all(isinstance(v, (int, float)) for v in vector):
        return Axis("time", tuple(round(float(v), 6) for v in np.cumsum(vector) / 1000.0), "s")
    step = facts.get("FrameTime")
    seconds = float(step) / 1000.0 if isinstance(step, (int, float)) and step > 0 else 0.0
    for rate in ("CineRate", "RecommendedDisplayFrameRate"):
        value = facts.get(rate)
        if not seconds and isinstance(value, (int, float)) and value > 0:
            seconds = 1.0 / float(value)
    if not seconds:
        return Axis("time", tuple(range(count)), "")
    return Axis("time", tuple(round(n * seconds, 6) for n in range(count)), "s")


def _spacing(file: File, facts: Mapping[str, Any], modality: str) -> tuple[tuple[float, float], Reference, str]:
    held = list(_regions(file))
    width, height = file.integer(_COLUMNS, 0), file.integer(_ROWS, 0)
    # Some write the first pixel beyond as the last one of a region. Farther out: somebody made the picture smaller.
    if any(right > width or bottom > height for _, _, right, bottom, *_ in held):
        return (1.0, 1.0), Reference.PIXEL, BEYOND
    for *_, across, down, _ in held:
        return (down, across), Reference.PLANE, "SequenceOfUltrasoundRegions"
    # One Pixel Spacing cannot hold for a picture on which a part runs over time.
    if any(file.integer(_SPATIAL, 0, region) in _OVER_TIME for region in file.items(_REGIONS)):
        return (1.0, 1.0), Reference.PIXEL, OVER_TIME
    if modality == "US":
        down, across = pair if isinstance(pair := facts.get("PixelSpacing"), list) and len(pair) == 2 else (0, 0)
        if _is_calibrated(file, down, across):
            return (float(down), float(across)), Reference.PLANE, "PixelSpacing"
        return (1.0, 1.0), Reference.PIXEL, NO_LENGTH if file.items(_REGIONS) else "none"
    known = ["PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"]
    if not file.ascii(_CALIBRATED_BY) and _equal(*(facts.get(keyword) for keyword in known[:2])):
        known.remove("PixelSpacing")  # it repeats the detector's: nobody calibrated it (PS3.3 10.7.1.3)
    elif not file.ascii(_CALIBRATED_BY) and _equal(*(facts.get(keyword) for keyword in known[::2])):
        known.remove("PixelSpacing")  # it repeats that of the film on the scanner
    for keyword in known:
        pair = facts.get(keyword)
        if isinstance(pair, list) and len(pair) == 2 and _positive(*pair):
            down = 1.0
            if keyword == "ImagerPixelSpacing":
                said = facts.get("EstimatedRadiographicMagnificationFactor")
                down = float(said) if isinstance(said, (int, float)) and said > 0.5 else 1.0
            return (float(pair[0]) / down, float(pair[1]) / down), Reference.PLANE, keyword
    return (1.0, 1.0), Reference.PIXEL, "none"


def _is_calibrated(file: File, down: Any, across: Any) -> bool:
    """Whether the Pixel Spacing of an ultrasound picture without calibrated regions is one of the patient.

    That of a detector or of a scanned print is none, that of a screen shot is only where it says how it was come by,
    and 1 mm is what programs write that know of none.
    """
    if not _positive(down, across):
        return False
    shot = file.ascii(0x00080016).startswith(_CAPTURES)
    return bool(file.ascii(_CALIBRATED_BY)) or not (shot or down == across == 1.0)


def _equal(one: Any, other: Any) -> bool:
    if not all(isinstance(pair, list) and len(pair) == 2 and _positive(*pair) for pair in (one, other)):
        return False
    return bool(np.allclose(one, other, rtol=_SAME_SCALE))


def _regions(file: File) -> Iterator[list[float]]:
    """Tissue regions with centimetres in both directions: left, top, right, bottom pixel, mm across, mm down, and
    1 where others are drawn over it (else 0).
    """
    for region in file.items(_REGIONS):
        if file.integer(_UNITS_X, 0, region) == _CENTIMETRES == file.integer(_UNITS_Y, 0, region):
            x, y = file.numbers(_DELTA_X, region, "d"), file.numbers(_DELTA_Y, region, "d")
            if x and y and _positive(abs(x[0]), abs(y[0])) and file.integer(_SPATIAL, 0, region) == _TISSUE:
                edges = [float(file.integer(edge, 0, region)) for edge in _EDGES]
                below = float(file.integer(_FLAGS, 0, region) & _LOW_PRIORITY)
                yield [*edges, abs(x[0]) * 10.0, abs(y[0]) * 10.0, below]


def scales_at(
    regions: Sequence[Sequence[float]], left: int, top: int, right: int, bottom: int
) -> list[tuple[float, float]]:
    """(mm across, mm down) of the calibrated regions of an ultrasound picture that hold a rectangle of pixels.

    Two of one scale are one: machines write the colour box over the tissue, rounded otherwise in the last digits. Of
    regions that overlap the one that is drawn over the other counts (PS3.3 C.8.5.5.1.3), and where it hides a part of
    the rectangle only, both do.

    Args:
        regions: the fact ``UltrasoundRegions``. left, top, right, bottom: first and last column and row, both inside.
    """
    inside = False
    over: list[tuple[float, float]] = []
    under: list[tuple[float, float]] = []
    for x0, y0, x1, y1, across, down, *below in regions:
        scale = (float(across), float(down))
        if x0 <= left and y0 <= top and right <= x1 and bottom <= y1:
            inside = True
            (under if any(below) else over).append(scale)
        elif not any(below) and min(x1, right) - max(x0, left) >= _SHARED and min(y1, bottom) - max(y0, top) >= _SHARED:
            under.append(scale)  # it hides a part of the rectangle
    if not inside:
        return []
    found: list[tuple[float, float]] = []
    for across, down in over or under:
        if not any(abs(across / a - 1.0) < _SAME_SCALE and abs(down / d - 1.0) < _SAME_SCALE for a, d in found):
            found.append((across, down))
    return found


def _positive(*values: Any) -> bool:
    return all(isinstance(v, (int, float)) and math.isfinite(v) and v > 0 for v in values)
