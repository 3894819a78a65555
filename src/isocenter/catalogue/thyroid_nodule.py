"""Ultrasound of the thyroid: the ACR TI-RADS level of a nodule, and what its size asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

import numpy as np

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.plane_image import age_said, age_years, calibrated, grey, longest_mm, on_image, scale_doubts
from isocenter.errors import Refused
from isocenter.methods import tirads
from isocenter.record import Code, Finding, Measurement, codes
from isocenter.space import Geometry, Reference, Region, Volume

__all__ = ["NODULE", "ThyroidNodule"]

NODULE = Code("237495005", "SCT", "Thyroid nodule")
POINTS = Code("tirads-points", "99ISO", "ACR TI-RADS points")
LEVEL = Code("tirads-level", "99ISO", "ACR TI-RADS level")
_UNKNOWN: Final = "not stated"
_SAME_MM = 1.0
_SMALL_MM = 5.0  # below it nothing is advised at any level
_NAMED = re.compile(r"nodul|nodo(?![a-z])|knoten|lesion|l[aä]sion|tumou?r|mass(?![a-z])", re.IGNORECASE)
_ELSE = re.compile(
    r"(?<![a-z])(lobe|lobus|lappen|thyroid|thyroidea|schilddr|gland|isthmus|trachea|oesophagus|esophagus|carotid|"
    r"jugular|vessel|muscle|lymph|node(?![a-z])|neck)",
    re.IGNORECASE,
)


class ThyroidNodule:
    """Which ACR TI-RADS level has this thyroid nodule, and does its size ask for aspiration or follow-up?"""

    name, version = "thyroid_nodule", "10"
    needs: ClassVar[Mapping[str, Need]] = {
        "image": Need(modality="US", body_part=("thyroid", "neck")),
        "outlines": Need(modality="SEG", gives="regions", optional=True),
    }
    yields = (Yield(what=NODULE, units=("1", "mm", "mL")),)
    limits = Limits(seconds=30.0, memory_mib=2048)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Add up the points of features that a person has seen, with the rule that follows.",
        "not_for": "Seeing the features; lymph nodes; children; nodules that are hot on scintigraphy.",
        "sources": ("Tessler 2017 (ACR TI-RADS)",),
        "limits": (
            "The features are the reader's: nothing is read from the picture but a size.",
            "The level advises; it is no diagnosis of a nodule.",
        ),
        "level": "every row and branch of the table verified; no set of readings was at hand",
    }

    def run(
        self,
        image: Volume,
        outlines: tuple[Region, ...] | None,
        *,
        composition: Literal["not stated", "cystic", "spongiform", "mixed", "solid", "cannot be determined"] = _UNKNOWN,
        echogenicity: Literal[
            "not stated",
            "anechoic",
            "hyperechoic",
            "isoechoic",
            "hypoechoic",
            "very hypoechoic",
            "cannot be determined",
        ] = _UNKNOWN,
        shape: Literal["not stated", "wider than tall", "taller than wide"] = _UNKNOWN,
        margin: Literal[
            "not stated",
            "smooth",
            "ill-defined",
            "lobulated or irregular",
            "extra-thyroidal extension",
            "cannot be determined",
        ] = _UNKNOWN,
        comet_tail: bool = False,
        macrocalcifications: bool = False,
        rim_calcifications: bool = False,
        punctate_foci: bool = False,
        longest_mm: float = 0.0,
        sizes_mm: str = "",
        sizes_before_mm: str = "",
    ) -> Answer:
        """Rate a nodule from its features.

        Args:
            image: the picture. outlines: the nodule, for its size where no size is given.
            composition, echogenicity, shape, margin: as a person saw them; almost completely cystic or solid counts as
                such.
            comet_tail, macrocalcifications, rim_calcifications, punctate_foci: every kind of echogenic focus that is
                there; their points are added up.
            longest_mm: longest of three dimensions; 0: of the outline, or of `sizes_mm`.
            sizes_mm, sizes_before_mm: three dimensions now and before, such as "12, 10, 14", to judge growth.

        Raises:
            Refused: for a child, for features that are not stated or contradict each other, for a longest dimension
                that is not the longest of three, for a size from an outline on a picture without calibration, and for
                outlines of several nodules.
        """  # fmt: skip
        grey(image, film=True)
        years = age_years(str(image.facts.get("PatientAge") or ""))
        if years is not None and years < 18:
            raise Refused(
                f"a patient of {age_said(years)}",
                "ACR TI-RADS was made for the nodules of adults",
                "read a child's nodule without points",
            )
        stated = {"composition": composition, "echogenicity": echogenicity, "shape": shape, "margin": margin}
        missing = [name for name, word in stated.items() if word == _UNKNOWN]
        if missing and composition != "spongiform":
            raise Refused(
                f"{', '.join(missing)} not stated",
                "ACR TI-RADS adds up five features that a person has seen",
                "state every feature",
            )
        foci = [
            name
            for name, there in zip(
                tirads.FOCI, (comet_tail, macrocalcifications, rim_calcifications, punctate_foci), strict=True
            )
            if there
        ]
        if composition == "spongiform":
            rated = tirads.rate("spongiform", "isoechoic", "wider than tall", "smooth")
        else:
            rated = tirads.rate(composition, echogenicity, shape, margin, foci)
        said = [
            Measurement(POINTS, rated.points, "1", definition=f"ACR TI-RADS 2017: {rated.why}"),
            Measurement(LEVEL, rated.level, "1", definition="ACR TI-RADS 2017"),
        ]
        words = f"ACR TI-RADS: TR{rated.level}, {rated.meaning}, {rated.points} points ({rated.why})."
        now = _three(sizes_mm, "sizes_mm")
        if now and longest_mm and abs(longest_mm - max(now)) > _SAME_MM:
            raise Refused(
                f"a longest dimension of {longest_mm:g} mm with sizes_mm '{sizes_mm}'",
                "it is the longest of the three, and what is advised hangs on it",
                "give one of them, both in millimetres",
            )
        remarks: list[str] = []
        where, length, how = _size(image, outlines, longest_mm, now, remarks)
        if length and where is None and length < _SMALL_MM:
            remarks.append(
                f"WARNING: a nodule of {length:g} mm asks for nothing at any level: is it {length:g} cm, that is "
                f"{10 * length:g} mm?"
            )
        if length:
            advised, rule = tirads.advice(rated.level, length)
            said.append(Measurement(codes.LONG_AXIS, length, "mm", definition=how))
            words += f" {round(length, 2):g} mm: {advised} ({rule})."
        else:
            words += " Without a size nothing is advised."
        if now:
            said.append(Measurement(codes.VOLUME, float(np.pi / 6.0 * np.prod(now)) / 1000.0, "mL",
                                    definition="ellipsoid, pi/6 a b c"))  # fmt: skip
        if sizes_before_mm.strip():
            more, why = tirads.grown(_three(sizes_before_mm, "sizes_before_mm"), now)
            words += f" {'Grown' if more else 'Not grown'} ({why})."
        nodule = Finding(NODULE, where=where, measurements=tuple(said), words=words)
        return Answer.found(nodule, reasons=tuple(remarks))

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """A solid nodule of known size, features left out, and no calibration: inputs and truth for the check."""
        grid = Geometry.regular(shape=(1, 120, 160), spacing_mm=(1.0, 0.2, 0.2), reference=Reference.PLANE)
        row, column = np.indices(grid.shape[1:])
        nodule = (((column - 80) * 0.2 / 8.0) ** 2 + ((row - 60) * 0.2 / 5.0) ** 2 <= 1.0)[None]
        picture = (120.0 - 60.0 * nodule + 10.0 * np.cos(row / 2.0) * np.sin(column / 3.0)).astype(np.float32)
        image, outline = Volume(picture, grid), Region(grid, mask=nodule, label="nodule")
        yield {"image": image, "outlines": (outline,)}, {"answer": "declined", "words": "not stated"}
        seen = {"composition": "solid", "echogenicity": "hypoechoic", "shape": "wider than tall", "margin": "smooth"}
        measured = {str(POINTS): (4.0, 0.0), str(codes.LONG_AXIS): (16.0, 0.4)}
        truth = {"answer": "found", "measurements": measured, "words": "TR4, moderately suspicious, 4 points"}
        yield {"image": image, "outlines": (outline,), **seen}, truth


def _three(said: str, name: str) -> tuple[float, ...]:
    """Three lengths out of a text; empty where there is none."""
    if not said.strip():
        return ()
    try:
        parts = re.split(r"\s*[,;x×]\s*|\s+", re.sub(r"\s*mm(?![a-z])", "", said.strip(), flags=re.IGNORECASE))
        sizes = tuple(float(part) for part in parts)
    except ValueError as wrong:
        raise Refused(
            f"{name} '{said}'", "three numbers with commas between are read, such as 12, 10, 14", "give them so"
        ) from wrong
    if len(sizes) != 3 or not all(0 < s < 200 for s in sizes):
        raise Refused(
            f"{name} '{said}'",
            "a nodule has three dimensions in millimetres",
            "give length, width and height, such as 12, 10, 14",
        )
    if max(sizes) < tirads.SMALLEST_MM:
        raise Refused(f"{name} '{said}' (was it given in centimetres?)", "no nodule measures that", "give millimetres")
    return sizes


def _size(
    image: Volume,
    outlines: tuple[Region, ...] | None,
    given_mm: float,
    three: tuple[float, ...],
    remarks: list[str],
) -> tuple[Region | None, float, str]:
    """(outline, longest dimension, how); 0 where nothing tells it."""
    if given_mm:
        return None, given_mm, "as measured"
    if three:
        return None, max(three), "longest of three dimensions as measured"
    held = _of_one_nodule(on_image(outlines, image), remarks)
    if not held:
        return None, 0.0, ""
    sizes = [longest_mm(calibrated(one, image))[0] for one in held]
    remarks += scale_doubts(image)
    how = "longest diameter of the outline, in this plane alone"
    if len(held) > 1:
        how = f"longest diameter of {len(held)} outlines of the nodule, each in its plane"
    return held[int(np.argmax(sizes))], max(sizes), how


def _of_one_nodule(held: Sequence[Region], remarks: list[str]) -> list[Region]:
    """The outlines of the nodule among those of a picture: by their names, without those of the gland and beside it.

    Raises:
        Refused: where they are of several nodules.
    """
    nodules = [r for r in held if _NAMED.search(r.label)] or [r for r in held if not _ELSE.search(r.label)]
    others = [r for r in held if not any(r is n for n in nodules)]
    if others:
        remarks.append(f"{', '.join(r.label for r in others)}: not measured, the name is not a nodule's")
    names = sorted({r.label.strip().casefold() for r in nodules})
    if len(names) > 1 or (len(nodules) > 1 and not names[0]):
        raise Refused(
            f"outlines of {len(nodules)} nodules ({', '.join(n or 'unnamed' for n in names)})",
            "features and points are those of one, and what is advised hangs on its size",
            "send the outline of one nodule, or give longest_mm",
        )
    return nodules
