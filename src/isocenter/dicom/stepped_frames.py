"""The frames of an object that states one place and steps from it: reconstructed nuclear medicine, and dose grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isocenter.dicom.elements import File
from isocenter.dicom.placed import Placed, finite, scale, spacing, vector
from isocenter.errors import NotAVolume
from isocenter.record import Instance, Series

__all__ = ["stepped"]


def stepped(series: Series, instance: Instance, file: File) -> list[Placed]:
    """Its frames as slices.

    Raises:
        NotAVolume: when there is no position, or frames are not steps along one line.
    """
    facts = {**series.facts, **instance.facts}
    detector = (file.items(0x00540022) or [{}])[0]
    position = file.decimals(0x00200032, detector) or file.decimals(0x00200032)
    orientation = file.decimals(0x00200037, detector) or file.decimals(0x00200037)
    if not position or not orientation:
        raise NotAVolume(
            f"{instance.frames} frames without a position in the patient",
            "they are projections or pictures, not slices",
            "choose the reconstructed series",
        )
    where = f"image {instance.number}"
    start = vector(position, 3, "Image Position (Patient)", where)
    axes = vector(orientation, 6, "Image Orientation (Patient)", where)
    normal = np.cross(axes[:3], axes[3:])
    offsets = file.decimals(0x3004000C)
    if not offsets:
        step = finite(facts.get("SpacingBetweenSlices")) or finite(facts.get("SliceThickness"))
        if step is None:
            raise NotAVolume("Spacing Between Slices is missing", "the slices have no distance", "export it again")
        numbers = file.numbers(0x00540080) or tuple(range(1, instance.frames + 1))
        offsets = tuple(step * (n - 1) for n in numbers)
    if len(offsets) != instance.frames:
        raise NotAVolume(
            f"{len(offsets)} slice offsets for {instance.frames} frames", "they do not fit", "export again"
        )
    slope, intercept = scale(facts, where)
    base = Placed(
        instance.sop_uid, instance.digest, 0, instance.rows, instance.columns, start, axes,
        spacing(facts.get("PixelSpacing"), where), finite(facts.get("SliceThickness")) or 0.0, slope, intercept,
    )  # fmt: skip
    first = offsets[0] if facts.get("DoseGridScaling") is None or abs(offsets[0]) > 1e-6 else 0.0
    # Grid Frame Offset Vector may hold positions instead of offsets; both start at the first frame (PS3.3 C.8.8.3.2).
    return [replace(base, frame=n, position=start + normal * (o - first)) for n, o in enumerate(offsets)]
