"""Fat and water MR of the abdomen: how many litres of fat lie inside the muscle wall, and how many under the skin."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.echo_scan import gathered, joined
from isocenter.catalogue.field_strength import field_tesla
from isocenter.catalogue.one_scan import comparable, dixon_part
from isocenter.errors import Refused
from isocenter.methods import fatwater
from isocenter.methods.body_composition import Tissues, arms_beside, tissues, wall_is_whole
from isocenter.methods.exchanged import exchanged_under_skin
from isocenter.record import Curve, Finding, Measurement, codes
from isocenter.space import Reference, Region, Volume

__all__ = ["AbdominalFat"]

_BODY = 0.10  # of the bright tissue's signal, above which a voxel is body
_FAT_FROM = 0.5
_THICKEST_MM, _WIDEST_MM = 12.0, 4.0
_MOST_EXCHANGED = 0.06  # of the circumference: a lean flank, or a surface coil's dark side
_LEAST_OUTSIDE = 0.05  # of the body's fat that lies under the skin in anybody
# What the outlines of muscle and fat on CT are looked for by; on MR only which of the two a voxel is.
_AS_FAT, _AS_WATER, _AS_AIR = -100.0, 45.0, -1000.0

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


class AbdominalFat:
    """How many litres of visceral and subcutaneous fat, and of water, do fat and water MR images show?"""

    name, version = "abdominal_fat", "10"
    needs: ClassVar[Mapping[str, Need]] = {
        "images": Need(
            modality="MR", gives="volumes", at_least=4,
            body_part=("abdomen", "liver", "trunk", "pelvis", "whole body", "upper abdomen"),
        ),
    }  # fmt: skip
    yields = (
        Yield(what=codes.VISCERAL_FAT, units=("mL",)),
        Yield(what=codes.SUBCUTANEOUS_FAT, units=("mL",)),
        Yield(what=codes.FAT_RATIO, units=("{ratio}",)),
        Yield(what=codes.BODY, units=("mL",)),
        Yield(what=codes.VOLUME, units=("mL",)),
        Yield(what=codes.FAT_FRACTION, units=("%",)),
        Yield(maps=("Fat fraction",)),
    )
    limits = Limits(seconds=240.0, memory_mib=8192)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Measure fat of the scanned part of the abdomen on fat and water MR, for a person to confirm.",
        "not_for": "Comparing scans of other length or place; fat of the liver (that is liver_fat_iron); children.",
        "sources": ("Borga 2018 (compartments)", "Dixon 1984"),
        "limits": (
            "Litres hold for the scanned length only: scans of other length or place are not to be compared.",
            "Shading of the coil changes no fraction, but exchanged fat and water would move litres: look at the map.",
            "Finding the wall of the belly is not shown on patients.",
        ),
        "level": "verified, not validated: exact on a phantom; no outlines of readers were at hand",
    }

    def run(self, images: tuple[Volume, ...], *, field_t: float = 0.0) -> Answer:
        """Measure fat and water.

        Args:
            images: fat and water images of one scan as the scanner made them, or a multi-echo scan with phase.
            field_t: tesla, where a multi-echo header is wrong or silent; 0 believes the header.

        Raises:
            Refused: without a fat and a water image of one grid, for slices that are not axial or too thick, with arms
                beside the body, or when no closed muscle wall is found.
        """
        scan = _put_together(images, field_t)
        _must_be_axial(scan.main)
        share, body = _fractions(scan)
        spacing = scan.main.geometry.spacing_mm
        as_ct = np.where(body, np.where(share >= _FAT_FROM, _AS_FAT, _AS_WATER), _AS_AIR).astype(np.float32)
        found = tissues(as_ct, spacing)
        if not found.closed.all():
            raise Refused(
                f"no closed wall of muscle in {int((~found.closed).sum())} slices",
                "fat within it runs on into fat without, and the two are not parted",
                "send the slices of the abdomen",
            )
        if arms_beside(np.where(body, 250.0, _AS_AIR), found.body, spacing).any():
            raise Refused("arms lie beside the body", "their fat would be counted, or hide the skin", "leave them out")
        under_skin = float(share[found.subcutaneous & body].sum())
        if under_skin < _LEAST_OUTSIDE * float(share[found.body & body].sum()):
            raise Refused(
                "next to no fat outside the muscle wall",
                "the wall was not told from the skin, or fat and water are exchanged",
                "look at the images: the tissue under the skin is fat",
            )
        whole = wall_is_whole(found.body)
        remarks = [scan.how, "the muscle wall was found by the program: a person looks at the outlines"]
        if not whole.all():
            remarks.append("the picture cuts the body wall: no volume of subcutaneous fat")
        signal = np.maximum(scan.fat, 0) + np.maximum(scan.water, 0)
        if (part := exchanged_under_skin(share, signal, found.body, spacing)) > _MOST_EXCHANGED:
            remarks.append(
                f"WARNING: under {100 * part:.0f} % of the skin lies water as bright as the fat elsewhere: fat and "
                "water may be exchanged there, and the litres wrong by as much: look at the map"
            )
        return _told(scan, share, body, found, bool(whole.all()), remarks)


@dataclass(frozen=True, eq=False)
class _FatWater:
    main: Volume
    fat: Floats
    water: Floats
    how: str


def _put_together(images: tuple[Volume, ...], field_t: float) -> _FatWater:
    """The scanner's fat and water, else those of a multi-echo scan."""
    usable = [
        v for v in images
        if v.geometry.reference is Reference.PATIENT and not v.axes and np.isfinite(v.array).all()
    ]  # fmt: skip
    if (one := _scanners_own(usable)) is not None:
        return one
    if not joined(images):
        _must_share_a_grid(usable)
        raise Refused(
            "no fat and water images of one grid",
            "neither Image Type nor Series Description names them, and there are no echoes to make them from",
            "send both series of the Dixon scan, or the echoes with their phase",
        )
    scan = gathered(images)
    if scan.images is None or len(scan.times_s) < 3:
        raise Refused(
            f"{len(scan.times_s)} echoes {'with' if scan.images is not None else 'without'} phase",
            "fat and water are told apart by three or more with phase",
            "send the fat and water images of the scanner",
        )
    how = ["fat and water from the echoes, six peaks"]
    field = field_tesla(scan.main.facts, how, given=field_t)
    made = fatwater.separate(scan.images, scan.times_s, field, scan.main.geometry.spacing_mm)
    parts = [np.nan_to_num(np.asarray(part, np.float32)) for part in (made.fat, made.water)]
    return _FatWater(scan.main, parts[0], parts[1], "; ".join(how))


def _scanners_own(usable: list[Volume]) -> _FatWater | None:
    """Fat and water as the scanner made them, of one scan; None where there are none.

    Raises:
        Refused: for several of one place of which nothing tells which fat belongs to which water, or for those of
            Philips that are scaled apart and do not say how.
    """
    fats, waters = ([v for v in usable if dixon_part(v) == part] for part in ("fat", "water"))
    places: list[list[tuple[Volume, Volume]]] = []
    while fats:
        grid = fats[0].geometry
        here = [[v for v in some if v.geometry.same_grid(grid)] for some in (fats, waters)]
        fats = [v for v in fats if not v.geometry.same_grid(grid)]
        if all(here):
            places.append(_scans(*here))
    if not places:
        return None
    scans = max(places, key=lambda some: some[0][0].array.size)
    fat, water = min(scans, key=lambda pair: (str(pair[0].facts.get("AcquisitionTime") or ""), pair[0].series_uid))
    how = ["fat and water as the scanner made them"]
    if len(scans) > 1:
        when = fat.facts.get("AcquisitionTime") or "no stated time"
        how.append(f"there are {len(scans)} scans of this place: the first, of {when}, is measured")
    if len(places) > 1:
        how.append(f"fat and water of {len(places) - 1} other stacks (stations of a long scan) are not in these litres")
    parts = [np.asarray(one.array, np.float32) for one in comparable((fat, water))]
    return _FatWater(fat, parts[0], parts[1], "; ".join(how))


def _must_share_a_grid(usable: list[Volume]) -> None:
    """Refuse fat and water that are there, and lie on grids of their own."""
    fats, waters = ([v for v in usable if dixon_part(v) == part] for part in ("fat", "water"))
    if fats and waters:
        raise Refused(
            f"a fat image of {_grid_said(fats[0])} and a water image of {_grid_said(waters[0])}",
            "fat and water of one scan lie on one grid: slices are missing, or they are of two scans",
            "send both series again, complete",
        )


def _grid_said(image: Volume) -> str:
    slices, rows, columns = image.geometry.shape
    return f"{slices} slices of {rows} x {columns} from {image.geometry.origin_mm[2]:.1f} mm"


def _scans(fats: list[Volume], waters: list[Volume]) -> list[tuple[Volume, Volume]]:
    """Each fat with its water: the one other of the place, of its series, of its time, or of its description."""
    if len(fats) == len(waters) == 1:
        return [(fats[0], waters[0])]
    found: list[tuple[Volume, Volume]] = []
    for same in _TELLS:
        left = [[v for v in some if all(v not in pair for pair in found)] for some in (fats, waters)]
        keys = [[same(v) for v in some] for some in left]
        for fat, key in zip(left[0], keys[0], strict=True):
            if key and keys[0].count(key) == keys[1].count(key) == 1:
                found.append((fat, left[1][keys[1].index(key)]))
    if not found:
        raise Refused(
            f"{len(fats)} fat and {len(waters)} water images of one place",
            "neither series, time nor description tells which belong together",
            "send those of one scan",
        )
    return found


def _series(volume: Volume) -> str:
    return volume.series_uid


def _time(volume: Volume) -> str:
    return str(volume.facts.get("AcquisitionTime") or "")


def _description(volume: Volume) -> str:
    """Series Description without what tells fat from water in it."""
    return _FAT_OR_WATER.sub("", str(volume.facts.get("SeriesDescription") or "").casefold())


# What tells which fat belongs to which water, the surest first.
_TELLS: tuple[Callable[[Volume], str], ...] = (_series, _time, _description)
_FAT_OR_WATER = re.compile(r"(?<![a-z])(fat|water|f|w)(?![a-z])")


def _must_be_axial(main: Volume) -> None:
    if main.geometry.sides[0] not in "HF":
        raise Refused(
            f"slices towards {main.geometry.sides[0]}", "the wall is looked for on axial slices", "send those"
        )
    apart = main.geometry.spacing_mm[0]
    if apart > _THICKEST_MM:
        raise Refused(f"slices {apart:g} mm apart", "fat and muscle mix within them", "scan at 12 mm or less")
    wide = max(main.geometry.spacing_mm[1:])
    if wide > _WIDEST_MM:
        raise Refused(
            f"pixels of {wide:.1f} mm",
            "the muscle wall is two or three of them wide and is not closed",
            "reconstruct with smaller pixels",
        )


def _fractions(scan: _FatWater) -> tuple[Floats, Mask]:
    """Fat's share of the signal, 0 to 1, and where there is body."""
    fat, water = np.maximum(scan.fat, 0), np.maximum(scan.water, 0)
    whole = fat + water
    top = float(np.percentile(whole, 98))
    if not top > 0 or min(whole.shape[1:]) < 48:
        raise Refused(
            f"images of {whole.shape} without content", "there is nothing to measure", "send the series again"
        )
    body = whole > _BODY * top
    return np.divide(fat, whole, out=np.zeros_like(whole), where=body), body


def _told(scan: _FatWater, share: Floats, body: Mask, found: Tissues, whole: bool, remarks: list[str]) -> Answer:
    geometry = scan.main.geometry
    ml = geometry.voxel_volume_mm3 / 1000.0
    length = geometry.shape[0] * geometry.spacing_mm[0]
    over = f"voxel fractions summed over the scanned {length:.0f} mm"
    inside = found.body & body
    masks = {codes.VISCERAL_FAT: found.visceral, codes.SUBCUTANEOUS_FAT: found.subcutaneous}
    amounts = {what: float(share[mask & inside].sum()) * ml for what, mask in masks.items()}
    fat = float(share[inside].sum()) * ml
    water = float((1.0 - share[inside]).sum()) * ml
    said = [Measurement(codes.VISCERAL_FAT, amounts[codes.VISCERAL_FAT], "mL", definition=f"inside the wall, {over}")]
    if whole:
        subcutaneous = amounts[codes.SUBCUTANEOUS_FAT]
        said.append(Measurement(codes.SUBCUTANEOUS_FAT, subcutaneous, "mL", definition=f"outside the wall, {over}"))
        if subcutaneous > 0:
            ratio = amounts[codes.VISCERAL_FAT] / subcutaneous
            said.append(Measurement(codes.FAT_RATIO, ratio, "{ratio}", definition="visceral / subcutaneous"))
    said += [
        Measurement(codes.VOLUME, fat, "mL", definition=f"fat of the body, {over}"),
        Measurement(codes.VOLUME, water, "mL", definition=f"water of the body, {over}"),
        Measurement(codes.BODY, float(inside.sum()) * ml, "mL", definition=f"body with signal, {length:.0f} mm"),
        Measurement(codes.FAT_FRACTION, 100.0 * fat / max(fat + water, 1e-9), "%", definition="of the whole body part"),
    ]
    findings = [
        Finding(
            what,
            where=Region(geometry, mask=mask & inside, series_uid=scan.main.series_uid, label=str(what).casefold()),
            measurements=tuple(m for m in said if m.what == what),
            words=f"{what}: {amounts[what]:.0f} mL over {length:.0f} mm of the body.",
        )
        for what, mask in masks.items()
        if (mask & inside).any() and (whole or what == codes.VISCERAL_FAT)
    ]
    shown = scan.main.like((100.0 * share).astype(np.float32), quantity="fat fraction", unit="%")
    heights = tuple(round(float(k) * geometry.spacing_mm[0], 3) for k in range(geometry.shape[0]))
    lines = {
        str(what): tuple(float(v) * ml for v in (share * (mask & inside)).sum(axis=(1, 2), dtype=np.float64))
        for what, mask in masks.items()
    }
    curve = Curve("Fat by slice", heights, "distance from the first slice", "mm", lines, "mL")
    more: dict[str, Any] = {
        "measurements": tuple(said), "maps": {"Fat fraction": shown}, "curves": (curve,), "reasons": tuple(remarks)
    }  # fmt: skip
    return Answer.found(*findings, **more) if findings else Answer.none(**more)
