"""The frame of a classic object, which says in its own header where it lies and what tells it apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.dicom.elements import File
from isocenter.dicom.facts import facts_at
from isocenter.dicom.moment import moment_s
from isocenter.dicom.placed import Placed, beat_ms, direction, finite, is_scaled, scale, spacing, vector
from isocenter.dicom.velocity import encoded
from isocenter.record import Instance, Series

__all__ = ["alone", "classic"]

_POSITION, _ORIENTATION, _TYPE = 0x00200032, 0x00200037, 0x00080008
_PLACING = (
    _POSITION, _ORIENTATION, 0x00280030, 0x00181164, 0x00180050, 0x00281052, 0x00281053, 0x3004000E,
)  # fmt: skip
_ELSEWHERE = (0x00409096, 0x52009229, 0x52009230)  # real-world maps and functional groups say more


def classic(series: Series, instance: Instance) -> Placed | None:
    """A single-frame instance, or None where its header gives it no place in the patient.

    Raises:
        NotAVolume: when a place is stated and is no number.
    """
    facts = {**series.facts, **instance.facts}
    if "ImagePositionPatient" not in facts or "ImageOrientationPatient" not in facts:
        return None
    where = f"image {instance.number if instance.number is not None else instance.sop_uid}"
    slope, intercept = scale(facts, where)
    words = facts.get("ImageType") or []
    return Placed(
        sop_uid=instance.sop_uid,
        digest=instance.digest,
        frame=0,
        rows=instance.rows,
        columns=instance.columns,
        position=vector(facts["ImagePositionPatient"], 3, "Image Position (Patient)", where),
        orientation=vector(facts["ImageOrientationPatient"], 6, "Image Orientation (Patient)", where),
        spacing=spacing(facts.get("PixelSpacing") or facts.get("ImagerPixelSpacing"), where),
        thickness=finite(facts.get("SliceThickness")) or 0.0,
        slope=slope,
        intercept=intercept,
        scaled=is_scaled(facts),
        kind=(*(str(w) for w in words), *_component(facts)),
        keys={**_keys(facts, instance), **encoded(facts, words, series.description)},
        kernel=str(facts.get("ConvolutionKernel") or "") if series.modality == "CT" else "",
    )


def alone(file: File) -> Placed | None:
    """The slice of a plain object, of as little of its header as places it; None where more of it must be asked.

    What orders a slice among others (its moment, its echo, what velocity it encodes) is not read: this is for a slice
    that is asked by itself, several times quicker than its whole record.
    """
    frames = file.decimals(0x00280008)
    if (
        (frames and frames[0] != 1.0)
        or _POSITION not in file.dataset
        or _ORIENTATION not in file.dataset
        or any(tag in file.dataset for tag in _ELSEWHERE)
        or "MOSAIC" in file.ascii(_TYPE)
    ):
        return None
    facts, where = facts_at(file, _PLACING), "the image"
    rows, columns = file.integer(0x00280010), file.integer(0x00280011)
    slope, intercept = scale(facts, where)
    return Placed(
        sop_uid="", digest="", frame=0, rows=rows, columns=columns,
        position=vector(facts.get("ImagePositionPatient"), 3, "Image Position (Patient)", where),
        orientation=vector(facts.get("ImageOrientationPatient"), 6, "Image Orientation (Patient)", where),
        spacing=spacing(facts.get("PixelSpacing") or facts.get("ImagerPixelSpacing"), where),
        thickness=finite(facts.get("SliceThickness")) or 0.0, slope=slope, intercept=intercept,
    )  # fmt: skip


def _component(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Magnitude, phase, real or imaginary, where another element than Image Type says so."""
    said = facts.get("ComplexImageComponent", facts.get("GEImageKind"))
    return () if said is None else (str(said),)


def _keys(facts: Mapping[str, Any], instance: Instance) -> dict[str, Any]:
    b_value = finite(facts.get("DiffusionBValue"))
    if b_value is None:
        b_value = finite(facts.get("SiemensBValue"))
    if b_value is None and facts.get("GEBValue"):
        said = finite(facts["GEBValue"])
        b_value = said % 1e5 if said is not None else None  # GE adds 1e9 as a mark
    along = facts.get("DiffusionGradientOrientation") or facts.get("SiemensDiffusionGradientDirection")
    if along is None and "GEDiffusionGradientX" in facts and b_value:
        along = [facts.get(f"GEDiffusionGradient{axis}", 0.0) for axis in "XYZ"]
    day = str(facts.get("AcquisitionDate") or facts.get("SeriesDate") or "")
    moment = moment_s(str(facts.get("AcquisitionDateTime", "")), "") if facts.get("AcquisitionDateTime") else None
    clock = moment_s(day, str(facts["AcquisitionTime"])) if facts.get("AcquisitionTime") else None
    content = moment_s(str(facts.get("ContentDate") or day), str(facts.get("ContentTime") or ""))
    return {
        "echo": finite(facts.get("EchoTime")),
        "inversion": finite(facts.get("InversionTime")),
        "flip": finite(facts.get("FlipAngle")),
        "energy": finite(facts.get("KVP")),
        "b_value": b_value,
        "direction": direction(along),
        "trigger": finite(facts.get("TriggerTime")),
        "temporal": finite(facts.get("TemporalPositionIdentifier")),
        "reference": finite(facts.get("FrameReferenceTime")),
        "lasted_ms": finite(facts.get("ActualFrameDuration")),
        "moment": clock if moment is None else moment,
        "clock": clock,  # where some writer gave every image the date and time of the first
        "dynamic": finite(facts.get("PhilipsDynamicScanBeginTime")),
        "content": content,
        "acquisition": finite(facts.get("AcquisitionNumber")),
        "number": float(instance.number) if instance.number is not None else None,
        "beat_ms": beat_ms(finite(facts.get("HeartRate")), finite(facts.get("NominalInterval"))),
    }
