"""Numbers, units and things in the words of a report, rounded the same way everywhere."""

from __future__ import annotations

import math
import re

from isocenter.record import Code, Finding, Measurement, codes

__all__ = [
    "SHOWN_UNIT",
    "body_part",
    "decimals",
    "many",
    "name_of",
    "number",
    "one_line",
    "quantity",
    "side",
    "side_of",
    "spoken",
]

SHOWN_UNIT = {
    "{SUVbw}g/ml": "", "{SUVlbm}g/ml": "(lbm)", "{SUVibw}g/ml": "(ibw)", "{SUVbsa}cm2/ml": "(bsa)", "1": "",
    "{counts}": "", "{ratio}": "", "{score}": "", "{arbitrary}": "a.u.", "{pixels}": "px", "[hnsf'U]": "HU", "deg": "°",
    "mm[Hg]": "mmHg", "mm2": "mm²", "cm2": "cm²", "mm3": "mm³", "1/s": "/s",
}  # fmt: skip
"""UCUM units as they are read by people; units that are not here are shown as they are written."""

_DECIMALS = {
    "mm": 1,
    "cm": 1,
    "mm2": 0,
    "cm2": 1,
    "mm3": 0,
    "%": 1,
    "deg": 0,
    "[hnsf'U]": 0,
    "{counts}": 0,
    "{pixels}": 0,
}


_WRITTEN = {
    "ct": "CT", "mr": "MR", "mri": "MRI", "pet": "PET", "suv": "SUV", "xray": "X-ray", "dce": "DCE", "ecg": "ECG",
    "flow4d": "4D flow", "3d": "3D", "4d": "4D",
}  # fmt: skip


def spoken(name: str) -> str:
    """The name of an analysis as people write it.

    >>> spoken("chest_xray_heart"), spoken("pet_uptake")
    ('chest X-ray heart', 'PET uptake')
    """
    return " ".join(_WRITTEN.get(word, word) for word in name.split("_"))


_REGION = re.compile("HEAD|NECK|CHEST|ABD(?:OMEN)?|PELV(?:IS)?")
_REGIONS = {"ABD": "abdomen", "PELV": "pelvis"}
_PARTS = {
    "CSPINE": "cervical spine", "TSPINE": "thoracic spine", "LSPINE": "lumbar spine", "SSPINE": "sacral spine",
    "CTSPINE": "cervicothoracic spine", "TLSPINE": "thoracolumbar spine", "LSSPINE": "lumbosacral spine",
    "WHOLEBODY": "whole body", "CIRCLEOFWILLIS": "circle of Willis", "CORONARYARTERY": "coronary artery",
    "IAC": "internal auditory canal", "TMJ": "temporomandibular joint", "SUBMANDIBULAR": "submandibular gland",
}  # fmt: skip


def body_part(term: str) -> str:
    """Body Part Examined as people write it; what is no defined term stays as the device wrote it, in small letters.

    Source: DICOM PS3.16 Annex L.

    >>> body_part("CHESTABDPELVIS"), body_part("LSPINE"), body_part("KNEE")
    ('chest, abdomen and pelvis', 'lumbar spine', 'knee')
    """
    word = term.strip().upper()
    regions = [_REGIONS.get(one, one.lower()) for one in _REGION.findall(word)]
    if regions and not _REGION.sub("", word):
        return " and ".join([", ".join(regions[:-1]), regions[-1]]) if len(regions) > 1 else regions[0]
    return _PARTS.get(word, word.lower())


def decimals(value: float, unit: str) -> int:
    """Digits after the point: fixed for a unit where readers expect it, else three figures that count.

    >>> decimals(12.34, "mm"), decimals(0.01234, "mL"), decimals(123.4, "mL")
    (1, 4, 0)
    """
    if unit in _DECIMALS:
        return _DECIMALS[unit]
    if unit.startswith("{SUV"):
        return 2
    if value == 0:
        return 0
    return min(6, max(0, 2 - math.floor(math.log10(abs(value)))))


def number(value: float, unit: str) -> str:
    """A value with its unit as it stands in a report.

    >>> number(21.6761, "{SUVbw}g/ml"), number(3.2046, "mL"), number(31.0, "%"), number(-12.4, "[hnsf'U]")
    ('21.68', '3.20 mL', '31.0 %', '-12 HU')
    """
    text = f"{value:.{decimals(value, unit)}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    shown = SHOWN_UNIT.get(unit, unit)
    return f"{text}{'' if shown == '°' else ' '}{shown}".rstrip()


def many(count: int, one: str, more: str = "") -> str:
    """So many of something; `more` where its plural is not made by an s.

    >>> many(1, "study", "studies"), many(2, "study", "studies"), many(0, "image")
    ('1 study', '2 studies', '0 images')
    """
    return f"{count} {one if count == 1 else more or f'{one}s'}"


def quantity(measured: Measurement) -> str:
    """A measurement in words: its name, its number, and its bounds and definition where it has them.

    >>> quantity(Measurement(codes.MTV, 3.2, "mL", 3.0, 3.4, "41 %"))
    'metabolic volume 3.20 mL (95 % interval 3.00 to 3.40; 41 %)'
    """
    name = " ".join(w.lower() if w[1:] == w[1:].lower() else w for w in measured.what.meaning.split())
    more = []
    if measured.low is not None and measured.high is not None:
        shown = decimals(measured.value, measured.unit)
        more.append(f"95 % interval {measured.low:.{shown}f} to {measured.high:.{shown}f}")
    if measured.definition:
        more.append(measured.definition)
    return f"{name} {number(measured.value, measured.unit)}{f' ({chr(59).join(more)})' if more else ''}".replace(
        ";", "; "
    )


_NAMELESS = (codes.STRUCTURE, codes.REGION)


def side(code: Code | None) -> str:
    """``left``, ``right``, ``bilateral`` or nothing."""
    return {codes.LEFT: "left", codes.RIGHT: "right", codes.BOTH: "bilateral"}.get(code, "") if code else ""


_SIDES = {"left": codes.LEFT, "l": codes.LEFT, "right": codes.RIGHT, "r": codes.RIGHT}


def side_of(finding: Finding) -> str:
    """The side that was coded; else the one that the label of its segment names, in full or by the letter at its end.

    ``left``, ``right``, ``bilateral``, or nothing where neither tells, or the label tells both.

    Source: AAPM TG-263 for the letter (Mayo 2018, Standardizing Nomenclatures in Radiation Oncology).

    >>> from isocenter.space import Geometry, Region
    >>> import numpy as np
    >>> grid = Geometry.regular(shape=(1, 1, 1))
    >>> named = lambda text: Finding(codes.STRUCTURE, where=Region(grid, mask=np.ones((1, 1, 1), bool), label=text))
    >>> [side_of(named(text)) for text in ("Kidney_L", "Lesion 1 (right lung)", "vertebra L", "left and right lung")]
    ['left', 'right', '', '']
    """
    if finding.laterality or not finding.where:
        return side(finding.laterality)
    label = finding.where.label
    told = {word.lower() for word in re.findall(r"(?<![A-Za-z])(left|right)(?![A-Za-z])", label, re.IGNORECASE)}
    if not told and (letter := re.search(r"[A-Za-z]_([LR])$", label.strip())):
        told = {letter[1].lower()}
    return side(_SIDES[told.pop()]) if len(told) == 1 else ""


def name_of(finding: Finding) -> str:
    """A finding in a few words: what, and where.

    What was only outlined or measured has no better name than its segment's, and what a reader only put in words none
    but those.

    >>> name_of(Finding(codes.OPACITY, site=codes.LUNG, laterality=codes.LEFT))
    'Opacity, left lung'
    """
    if finding.what in _NAMELESS and finding.where and one_line(finding.where.label):
        return one_line(finding.where.label)
    if finding.what == codes.FINDING and one_line(finding.words):
        return one_line(finding.words).rstrip(".")
    place = " ".join(w for w in (side(finding.laterality), str(finding.site).lower() if finding.site else "") if w)
    return f"{finding.what}, {place}" if place else str(finding.what)


def one_line(text: str) -> str:
    """Text without line breaks or control characters, spaces joined."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
