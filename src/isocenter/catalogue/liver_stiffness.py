"""Stiffness of the liver: from shear-wave readings of ultrasound, and whether they can be trusted; or of an MR map."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.mask_grid import OtherGrid
from isocenter.catalogue.plane_image import grey
from isocenter.catalogue.stiffness_map import SHEAR, is_ultrasound_or_map, of_map
from isocenter.catalogue.stiffness_report import liver_readings, of_an_organ
from isocenter.errors import Refused
from isocenter.methods import shear_wave
from isocenter.record import Code, Curve, Finding, Measurement, codes
from isocenter.record.machine_report import MachineReport
from isocenter.space import Geometry, Reference, Region, Volume

__all__ = ["LiverStiffness"]

STIFFNESS = Code("liver-stiffness", "99ISO", "Liver stiffness")
SPEED = Code("shear-wave-speed", "99ISO", "Shear wave speed")
SPREAD = Code("iqr-over-median", "99ISO", "Interquartile range over median")
READINGS = Code("readings", "99ISO", "Number of readings")


class LiverStiffness:
    """How stiff is the liver by elastography, and are the readings reliable?"""

    name, version = "liver_stiffness", "9"
    needs: ClassVar[Mapping[str, Need]] = {
        "image": Need(
            modality=("US", "MR"),
            body_part=("liver", "abdomen", "hepatic", "hepatobiliary"),
            instead="reports",
            only=("ultrasound, or a map of stiffness", is_ultrasound_or_map),
        ),
        "reports": Need(
            modality="SR", gives="reports", only=("the title of an ultrasound examination", of_an_organ), optional=True
        ),
        "drawn": Need(modality=("RTSTRUCT", "SEG"), gives="regions", optional=True),
    }
    yields = (
        Yield(what=STIFFNESS, units=("kPa", "m/s", "1", "{counts}")),
        Yield(what=SHEAR, units=("kPa", "mL")),
        Yield(what=codes.VOLUME, units=("mL",)),
        Yield(maps=("Stiffness",)),
    )
    limits = Limits(seconds=30.0, memory_mib=2048)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Put the readings of one examination together, with their quality and the rule of four; "
        "give the stiffness of a drawn liver on the map of an MR elastography.",
        "not_for": "Readings after a meal, with congestion, cholestasis or acute hepatitis; transient elastography's "
        "own limits; staging fibrosis by itself.",
        "sources": ("Barr 2020 (SRU consensus update)", "WFUMB 2018"),
        "limits": (
            "It puts readings together; it does not measure the picture, and cannot see where the readings were taken.",
            "Of an MR map it does not see the waves, and does not stage: limits hang on frequency and method.",
            "After a meal, with congestion, cholestasis or acute hepatitis a liver is stiffer than its fibrosis.",
        ),
        "level": "arithmetic verified; no elastography with truth was at hand",
    }

    def run(
        self,
        image: Volume | None,
        reports: tuple[MachineReport, ...] | None = None,
        drawn: tuple[Region, ...] | None = None,
        *,
        readings: str = "",
        unit: Literal["not stated", "kPa", "m/s"] = "not stated",
        map_unit: Literal["as stated", "kPa", "Pa"] = "as stated",
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Median, spread and class of the readings; of an MR map median, quartiles and mean within the drawn liver.

        Args:
            image: a picture of the examination, or an MR map of stiffness; none is needed beside a report.
            reports: of the machine; its readings are taken where none are given.
            drawn: the liver on an MR map, where its waves can be trusted.
            readings: of one liver, with commas between, such as "5.1, 4.8, 5.4, …".
            unit: of the readings, as the machine shows them.
            map_unit: of an MR map whose header states none.
            other_grid: a liver outlined on coarser voxels than the map: ``nearest`` brings it there.

        Raises:
            Refused: without readings or their unit, for fewer than five, for decimals that may have a comma, or for a
                reading that the unit cannot have; for a map without a unit, or without an outline of the liver.
        """
        if image is not None and image.facts.get("Modality") == "MR" and not readings.strip():
            return of_map(image, drawn or (), map_unit, other_grid)
        if image is not None and not reports:
            grey(image, film=True)
        remarks: list[str] = []
        values: Sequence[float]
        if readings.strip():
            values, of = _typed(readings, unit), str(unit)
        else:
            values, of = liver_readings(reports or (), remarks)
            remarks += [f"{len(values)} readings of the machine's report"] if values else []
        if not values:
            raise Refused("no readings", "stiffness is read on the machine", "give them with commas between")
        held = shear_wave.summary(values, unit=of)
        said = [
            Measurement(STIFFNESS, held.kpa, "kPa", definition=_how(held, "kPa")),
            Measurement(SPEED, held.m_s, "m/s", definition=_how(held, "m/s")),
            Measurement(SPREAD, held.spread, "1", definition=f"in {of}"),
            Measurement(READINGS, held.count, "{counts}"),
        ]
        words = f"Median {held.median:.2f} {of} ({held.count} readings, IQR/median {held.spread:.2f})"
        if held.reliable:
            meaning, rule = shear_wave.class_of(held.median, of)
            words += f", {held.kpa:.2f} kPa: {meaning} ({rule})."
        else:
            words += "; the spread is too large for a class."
        order = tuple(float(n) for n in range(1, held.count + 1))
        curve = Curve("Readings", order, "reading", "1", {"stiffness": tuple(values)}, of)
        return Answer.found(
            Finding(STIFFNESS, measurements=tuple(said), words=words),
            curves=(curve,),
            reasons=(*remarks, *held.remarks),
        )

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Ten readings about 2 m/s, and none: (inputs, truth) pairs for ``isocenter check``."""
        grid = Geometry.regular(shape=(1, 64, 64), reference=Reference.PIXEL)
        row, column = np.indices(grid.shape[1:])
        image = Volume((100.0 + 20.0 * np.cos(row / 3.0) * np.sin(column / 4.0))[None].astype(np.float32), grid)
        told = "1.9, 2.0, 2.1, 2.0, 2.0, 1.95, 2.05, 2.0, 2.1, 1.9"
        yield (
            {"image": image, "readings": told, "unit": "m/s"},
            {"answer": "found", "measurements": {str(STIFFNESS): (12.0, 1e-9)}, "words": "suggestive of cACLD"},
        )
        yield {"image": image, "readings": told}, {"answer": "declined", "words": "without a unit"}


def _typed(readings: str, unit: str) -> tuple[float, ...]:
    """Readings out of a text.

    Raises:
        Refused: without a unit, for decimals that may have a comma, and for what is no number.
    """
    if unit == "not stated":
        raise Refused("readings without a unit", "5 kPa and 5 m/s are a healthy liver and none", "say kPa or m/s")
    readings = re.sub(rf"(?<=\d)\s*{unit}(?![a-z])", "", readings, flags=re.IGNORECASE)
    parts = re.split(r"[;\s]+", readings.strip())
    bare = re.fullmatch(r"(?:\d+,\d,){4,}\d+,\d,?", readings.strip())  # ten whole readings, or five with decimals
    if bare or (len(parts) > 1 and any(re.fullmatch(r"\d+,\d+,?", part) for part in parts)):
        raise Refused(
            f"readings '{readings}'",
            "a comma parts two readings",
            "write decimals with a point: 5.1, and whole readings with a space between",
        )
    try:
        return tuple(float(part) for part in re.split(r"[,;\s]+", readings.strip()) if part)
    except ValueError as wrong:
        raise Refused(
            f"readings '{readings}'", "numbers with commas between are read", "give them so, such as 5.1, 4.8, 5.3"
        ) from wrong


def _how(held: shear_wave.Stiffness, unit: str) -> str:
    return "median" if unit == held.unit else f"from the median in {held.unit}, E = 3 x 1000 kg/m3 x speed squared"
