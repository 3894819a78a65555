"""The frames of a multi-frame object, which says in functional groups where each lies and what tells it apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.dicom.elements import Dataset, File
from isocenter.dicom.moment import moment_s
from isocenter.dicom.placed import Placed, beat_ms, direction, finite, is_scaled, scale, spacing, vector
from isocenter.dicom.velocity import ENCODING, encoded, stated
from isocenter.errors import NotAVolume
from isocenter.record import Instance

__all__ = ["enhanced"]

_PER_FRAME, _SHARED = 0x52009230, 0x52009229


def enhanced(instance: Instance, file: File) -> list[Placed]:
    """All frames of a multi-frame object with functional groups (PS3.3 C.7.6.16).

    Raises:
        NotAVolume: when groups are fewer than frames, or a frame has no place in the patient.
    """
    per_frame, shared = file.items(_PER_FRAME), (file.items(_SHARED) or [{}])[0]
    if len(per_frame) != instance.frames:
        raise NotAVolume(
            f"{len(per_frame)} functional groups for {instance.frames} frames",
            "frames without a group have no place in the patient",
            "export the object again",
        )
    return [_frame(instance, file, shared, own, n) for n, own in enumerate(per_frame)]


def _group(file: File, tag: int, own: Dataset, shared: Dataset) -> Dataset:
    found = file.items(tag, own) or file.items(tag, shared)
    return found[0] if found else {}


def _frame(instance: Instance, file: File, shared: Dataset, own: Dataset, number: int) -> Placed:
    where = f"frame {number + 1}"
    measures = _group(file, 0x00289110, own, shared)
    position = _group(file, 0x00209113, own, shared)
    orientation = _group(file, 0x00209116, own, shared)
    if 0x00200032 not in position or 0x00200037 not in orientation:
        raise NotAVolume(
            f"{where} states no position or orientation in the patient", "its place is unknown", "export it again"
        )
    modality = file.ascii(0x00080060)
    facts = _rescale(file, own, shared, modality)
    slope, intercept = scale(facts, where)
    content = _group(file, 0x00209111, own, shared)
    of_ct = _of_ct(file, own, shared) if modality == "CT" else {}
    return Placed(
        sop_uid=instance.sop_uid,
        digest=instance.digest,
        frame=number,
        rows=instance.rows,
        columns=instance.columns,
        position=vector(file.decimals(0x00200032, position), 3, "Image Position (Patient)", where),
        orientation=vector(file.decimals(0x00200037, orientation), 6, "Image Orientation (Patient)", where),
        spacing=spacing(file.decimals(0x00280030, measures), where),
        thickness=(file.decimals(0x00180050, measures) or (0.0,))[0],
        slope=slope,
        intercept=intercept,
        scaled=is_scaled(facts),
        unit=str(facts.get("RealWorldValueUnit", "")),
        scaled_to=file.ascii(0x00281054, _group(file, 0x00289145, own, shared)),
        maker_scale=_of_philips(file, own, shared, 0x2005100E) or 0.0,
        kind=_frame_type(file, own, shared),
        stack=file.ascii(0x00209056, content),
        keys=_keys(instance, file, own, shared, content, number),
        kernel=str(of_ct.get("ConvolutionKernel", "")),
        stated=of_ct,
    )


def _of_ct(file: File, own: Dataset, shared: Dataset) -> dict[str, Any]:
    """How a frame of a CT was made: stacks of one object may differ in it."""
    converted = (file.items(0x00209171, own) or [{}])[0]
    kv = finite(
        file.decimals(0x00180060, _group(file, 0x00189325, own, shared)) or file.decimals(0x00180060, converted)
    )
    thick = finite(file.decimals(0x00180050, _group(file, 0x00289110, own, shared)))
    kernel = file.ascii(0x00181210, _group(file, 0x00189314, own, shared))
    energy = finite(file.numbers(0x0018937C, _group(file, 0x00189364, own, shared), "d"))
    used = file.items(0x00189341, own) or file.items(0x00189341, shared)
    given = {file.ascii(0x00189342, one).upper() for one in used}
    said = {
        "KVP": kv, "SliceThickness": thick, "ConvolutionKernel": kernel or None,
        "MonoenergeticEnergyEquivalent": energy,
    }  # fmt: skip
    found: dict[str, Any] = {keyword: value for keyword, value in said.items() if value is not None}
    if given == {"NO"}:
        found["ContrastBolusAgent"] = None  # the object names it, and it was not yet given
    return found


def _rescale(file: File, own: Dataset, shared: Dataset, modality: str) -> dict[str, Any]:
    """Rescale of a frame, or its real-world map where the rescale is none and the map says more.

    Of several maps that which says what the rescaled values are, else the first. Rescaled values of a PET that none
    of its maps names have no unit: there the map is taken.
    """
    transform = _group(file, 0x00289145, own, shared)
    slope = (file.decimals(0x00281053, transform) or (None,))[0]
    intercept = (file.decimals(0x00281052, transform) or (0.0,))[0]
    rescale = {} if slope is None else {"RescaleSlope": slope, "RescaleIntercept": intercept}
    held = file.items(0x00409096, own) or file.items(0x00409096, shared)
    maps = [_mapped(file, one) for one in held if 0x00409225 in one]
    if not maps:
        return rescale
    if slope is None or (slope, intercept) == (1.0, 0.0):
        return maps[0]
    for one in maps:
        if np.isclose((slope, intercept), (one["RealWorldValueSlope"], one["RealWorldValueIntercept"])).all():
            return {**rescale, "RealWorldValueUnit": one["RealWorldValueUnit"]}
    return maps[0] if modality == "PT" else rescale


def _mapped(file: File, real: Dataset) -> dict[str, Any]:
    unit = (file.items(0x004008EA, real) or [{}])[0]
    return {
        "RealWorldValueSlope": file.numbers(0x00409225, real, "d")[0],
        "RealWorldValueIntercept": (file.numbers(0x00409224, real, "d") or (0.0,))[0],
        "RealWorldValueUnit": file.ascii(0x00080100, unit),
    }


def _of_philips(file: File, own: Dataset, shared: Dataset, tag: int) -> float | None:
    """A number of Philips' own group of a frame, or of what a converted object kept: Scale Slope (2005,100E), stored
    value over the scanner's signal, or Dynamic Scan Begin Time (2005,10A0).
    """
    for held in (_group(file, 0x2005140F, own, shared), _group(file, 0x00209171, own, {})):
        if file.ascii(0x20050010, held) == "Philips MR Imaging DD 001":
            return finite(file.numbers(tag, held, "f"))
    return None


def _frame_type(file: File, own: Dataset, shared: Dataset) -> tuple[str, ...]:
    for tag in (0x00189226, 0x00189329, 0x00189751, 0x00189504):
        group = _group(file, tag, own, shared)
        if 0x00089007 in group:
            words = [w.strip() for w in file.ascii(0x00089007, group).split("\\")]
            return (*words, file.ascii(0x00089208, group))
    return ()


def _kept_velocity(file: File, own: Dataset, shared: Dataset) -> Any:
    """What velocity a frame of a converted object encodes by the name of its sequence, which its old header told."""
    headers = [_group(file, 0x00209171, own, {}), _group(file, 0x00209170, {}, shared)]
    named = next((name for held in headers if (name := file.ascii(0x00180024, held))), "")
    turn = file.decimals(0x00200037, _group(file, 0x00209116, own, shared))
    if not named or len(turn) != 6:
        return None
    facts = {"SequenceName": named, "ImageOrientationPatient": turn}
    return encoded(facts, _frame_type(file, own, shared), "").get(ENCODING)


def _in_the_beat(file: File, sync: Dataset) -> float | None:
    """Milliseconds from the R wave: nominal, else as it was, else by the share of the nominal beat."""
    for tag in (0x00209153, 0x00209252):
        if (delay := finite(file.numbers(tag, sync, "d"))) is not None:
            return delay
    share, beat = finite(file.numbers(0x00209241, sync, "f")), finite(file.numbers(0x00209251, sync, "d"))
    return None if share is None or beat is None else share / 100.0 * beat


def _keys(
    instance: Instance, file: File, own: Dataset, shared: Dataset, content: Dataset, number: int
) -> dict[str, Any]:
    def first(group_tag: int, tag: int) -> float | None:
        found = file.numbers(tag, _group(file, group_tag, own, shared), "d")
        return finite(found)

    diffusion = _group(file, 0x00189117, own, shared)
    gradient = (file.items(0x00189076, diffusion) or [{}])[0]
    details = _group(file, 0x00189325, own, shared)
    velocity = _group(file, 0x00189197, own, shared)
    index = file.numbers(0x00209128, content, "I")
    moment, reference = (moment_s(file.ascii(tag, content), "") for tag in (0x00189074, 0x00189151))
    begun = moment_s(file.ascii(0x0008002A), "")
    if begun is not None:  # some converters write the milliseconds of a trigger as days
        moment, reference = (m if m is not None and abs(m - begun) < 86400 else None for m in (moment, reference))
    converted = (file.items(0x00209171, own) or [{}])[0]  # what a converted object kept of the frame's old header

    def kept(tag: int) -> float | None:
        return finite(file.decimals(tag, converted))

    offset = first(0x00209310, 0x0020930D)
    echo, trigger, temporal = kept(0x00180081), kept(0x00181060), kept(0x00200100)
    return {
        "echo": first(0x00189114, 0x00189082) if echo is None else echo,
        "flip": finite(file.decimals(0x00181314, _group(file, 0x00189112, own, shared))) or kept(0x00181314),
        "inversion": first(0x00189115, 0x00189079),
        "energy": finite(file.decimals(0x00180060, details)) or kept(0x00180060),
        "b_value": finite(file.numbers(0x00189087, diffusion, "d")),
        "direction": direction(list(file.numbers(0x00189089, gradient, "d"))),
        ENCODING: stated(list(file.numbers(0x00189090, velocity, "d")), finite(file.numbers(0x00189217, velocity, "d")))
        or _kept_velocity(file, own, shared),
        "trigger": _in_the_beat(file, _group(file, 0x00189118, own, shared)) if trigger is None else trigger,
        "temporal": (finite(index) if instance.frames > 1 else None) if temporal is None else temporal,
        "offset": offset,
        "moment": moment,
        "reference": None if reference is None else 1000.0 * reference,
        "lasted_ms": finite(file.numbers(0x00189220, content, "d")) if 0x00189220 in content else None,
        "dynamic": _of_philips(file, own, shared, 0x200510A0),
        # Of the object, not of the frame: it tells apart objects that hold one moment each.
        "begun": begun,
        # Of objects whose offsets begin at 0 each.
        "since": None if begun is None or offset is None else begun + offset,
        "content": moment_s(file.ascii(0x00080023), file.ascii(0x00080033)),
        "acquisition": finite(file.numbers(0x00209156, content)) if 0x00209156 in content else None,
        "number": float(number) + 1e6 * float(instance.number or 0),
        "beat_ms": beat_ms(kept(0x00181088), first(0x00189118, 0x00209251) or kept(0x00181062)),
    }
