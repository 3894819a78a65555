"""Ultrasound of the liver: stiffness from shear-wave readings, and whether they can be trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.plane_image import grey
from isocenter.catalogue.stiffness_report import liver_readings, of_an_organ
from isocenter.errors import Refused
from isocenter.methods import shear_wave
from isocenter.record import Code, Curve, Finding, Measurement
from isocenter.record.machine_report import MachineReport
from isocenter.space import Geometry, Reference, Volume

__all__ = ["LiverStiffness"]

STIFFNESS = Code("liver-stiffness", "99ISO", "Liver stiffness")
SPEED = Code("shear-wave-speed", "99ISO", "Shear wave speed")
SPREAD = Code("iqr-over-median", "99ISO", "Interquartile range over median")
READINGS = Code("readings", "99ISO", "Number of readings")


class LiverStiffness:
    """How stiff is the liver by shear-wave elastography, and are the readings reliable?"""

    name, version = "liver_stiffness", "8"
    needs: ClassVar[Mapping[str, Need]] = {
        "image": Need(modality="US", body_part=("liver", "abdomen", "hepatic", "hepatobiliary"), instead="reports"),
        "reports": Need(
            modality="SR", gives="reports", only=("the title of an ultrasound examination", of_an_organ), optional=True
        ),
    }
    yields = (Yield(what=STIFFNESS, units=("kPa", "m/s", "1", "{counts}")),)
    limits = Limits(seconds=30.0, memory_mib=2048)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Put the readings of one examination together, with their quality and the rule of four.",
        "not_for": "Readings after a meal, with congestion, cholestasis or acute hepatitis; transient elastography's "
        "own limits; staging fibrosis by itself.",
        "sources": ("Barr 2020 (SRU consensus update)", "WFUMB 2018"),
        "limits": (
            "It puts readings together; it does not measure the picture, and cannot see where the readings were taken.",
            "After a meal, with congestion, cholestasis or acute hepatitis a liver is stiffer than its fibrosis.",
        ),
        "level": "arithmetic verified; no elastography with truth was at hand",
    }

    def run(
        self,
        image: Volume | None,
        reports: tuple[MachineReport, ...] | None = None,
        *,
        readings: str = "",
        unit: Literal["not stated", "kPa", "m/s"] = "not stated",
    ) -> Answer:
        """Median, spread and class of the readings.

        Args:
            image: a picture of the examination; none is needed beside a report.
            reports: of the machine; its readings are taken where none are given.
            readings: of one liver, with commas between, such as "5.1, 4.8, 5.4, …".
            unit: of the readings, as the machine shows them.

        Raises:
            Refused: without readings or their unit, for fewer than five, for decimals that may have a comma, or for a
                reading that the unit cannot have.
        """
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
        raise Refused(f"readings '{readings}'", "numbers with commas between are read") from wrong


def _how(held: shear_wave.Stiffness, unit: str) -> str:
    return "median" if unit == held.unit else f"from the median in {held.unit}, E = 3 x 1000 kg/m3 x speed squared"
