"""Shear-wave readings of the liver out of the report of an ultrasound machine (PS3.16 CID 12308, 12321 and 12322)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from isocenter.errors import Refused
from isocenter.record import Code
from isocenter.record.machine_report import MachineReport, Reported, newest_first

__all__ = ["liver_readings", "of_an_organ"]

_TITLES = {("LN", "25061-3")}  # Ultrasound Report (CID 12320)
_ORGAN = re.compile(r"elasto|shear.?wave|stiffness|(?<![a-z])(liver|leber|abdom|ultraso)", re.IGNORECASE)
_UNITS: Final[Mapping[str, Mapping[str, tuple[str, float]]]] = {
    "130611": {"m/s": ("m/s", 1.0), "cm/s": ("m/s", 0.01), "mm/s": ("m/s", 0.001)},  # Shear Wave Speed
    "110830": {"kpa": ("kPa", 1.0), "pa": ("kPa", 0.001)},  # Elasticity
}
# The liver and its segments after Couinaud, and what SRT called them.
_LIVER = {
    "10200004", "71133005", "277956007", "277957003", "277958008", "277959000", "277960005", "277961009", "277962002",
    "T-62000", "T-62023", "T-D054F", "T-D0567", "T-D056A", "T-D056B", "T-D056C", "T-D056D", "T-D056E",
}  # fmt: skip
# By the words of its code: its lobes are coded in several ways, and by makers in their own.
_OF_LIVER = re.compile(
    r"(?<![a-z])(liver|hepatic (lobe|segment|parenchyma)|leber|foie|h[ií]gado)(?![a-z])", re.IGNORECASE
)
_BESIDE = re.compile(r"vein|arter|vessel|duct|node|lesion|mass|tumou?r|cyst|biliar|nodul", re.IGNORECASE)
_MEASURED = {"258104002", "R-41D41"}


def of_an_organ(facts: Mapping[str, Any]) -> bool:
    """Whether a structured report is one of general ultrasound by its title, or by the words of a maker's own code."""
    code, scheme, words = (*(facts.get("ReportTitleCode") or ()), "", "", "")[:3]
    named = str(scheme).startswith("99") and _ORGAN.search(str(words))
    return (str(scheme), str(code)) in _TITLES or bool(named)


def liver_readings(reports: Sequence[MachineReport], remarks: list[str]) -> tuple[list[float], str]:
    """The single readings of the newest report that has any of the liver, and their unit; none where there is none.

    A machine that sends each reading as speed and as elasticity has measured it once: the speed is taken.

    Raises:
        Refused: for readings in a unit that is none of speed or elasticity, or where only their median is stated.
    """
    for report in newest_first(reports):
        every = [n for n in report.numbers if n.what.scheme == "DCM" and n.what.code in _UNITS]
        mine = [n for n in every if _is_of_the_liver(n.site)]
        if not mine and every and all(n.site is None for n in every):
            remarks.append("WARNING: the report does not say of which organ its readings are; taken as the liver's")
            mine = every
        single = [n for n in mine if n.derived is None or n.derived.code in _MEASURED]
        if mine and not single:
            raise Refused(
                f"a report with the {mine[0].derived or 'summary'} of readings alone",
                "their spread says whether they can be trusted",
                "give readings and unit as the machine shows them",
            )
        for code, units in _UNITS.items():
            found = [n for n in single if n.what.code == code]
            if found:
                return _in_one_unit(found, units)
    return [], ""


def _is_of_the_liver(site: Code | None) -> bool:
    if site is None:
        return False
    return site.code in _LIVER or bool(_OF_LIVER.search(site.meaning) and not _BESIDE.search(site.meaning))


def _in_one_unit(found: Sequence[Reported], units: Mapping[str, tuple[str, float]]) -> tuple[list[float], str]:
    odd = next((n for n in found if n.unit.casefold() not in units), None)
    if odd is not None:
        raise Refused(
            f"{odd.what} of {odd.value:g} {odd.unit or 'without a unit'} in the machine's report",
            f"it is told in {' or '.join(units).replace('pa', 'Pa')}",
            "give readings and unit as the machine shows them",
        )
    unit = next(iter(units.values()))[0]
    return [n.value * units[n.unit.casefold()][1] for n in found], unit
