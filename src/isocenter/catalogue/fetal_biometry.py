"""Ultrasound of a fetus: how large and how heavy it is for its age."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.fetal_report import COMPOSITE, Dating, Fetus, fetuses, of_a_fetus
from isocenter.catalogue.plane_image import calibrated, ellipse_of, grey, longest_mm, on_image, scale_doubts
from isocenter.errors import Refused
from isocenter.methods import fetal
from isocenter.record import Code, Curve, Finding, Measurement, codes
from isocenter.record.machine_report import MachineReport
from isocenter.space import Geometry, Reference, Region, Volume

__all__ = ["BIOMETRY", "FetalBiometry"]

BIOMETRY = Code("fetal-biometry", "99ISO", "Fetal biometry")
WEIGHT = Code("11727-5", "LN", "Estimated Weight")
AGE = Code("18185-9", "LN", "Gestational Age")
Z = Code("z-score", "99ISO", "z-score")
_WHAT: Mapping[str, Code] = {
    "HC": Code("11984-2", "LN", "Head Circumference"),
    "BPD": Code("11820-8", "LN", "Biparietal Diameter"),
    "OFD": Code("11851-3", "LN", "Occipital-Frontal Diameter"),
    "AC": Code("11979-2", "LN", "Abdominal Circumference"),
    "FL": Code("11963-6", "LN", "Femur Length"),
    "CRL": Code("11957-8", "LN", "Crown Rump Length"),
}
_PARTS: Mapping[str, re.Pattern[str]] = {
    "head": re.compile(r"(?<![a-z])(head|skull|hc|kopf|kopfumfang|sch[aä]del|t[eê]te|cabeza)(?![a-z])", re.IGNORECASE),
    "abdomen": re.compile(r"(?<![a-z])(abdomen|abdominal|ac|bauch|bauchumfang)(?![a-z])", re.IGNORECASE),
    "femur": re.compile(r"(?<![a-z])(femur|fl|f[eé]mur)(?![a-z])", re.IGNORECASE),
}
# Head, abdomen and femur in SNOMED CT and SNOMED-RT, for outlines whose name says nothing ("Segment_1").
_CODED: Mapping[str, str] = {
    "69536005": "head", "T-D1100": "head", "818983003": "abdomen", "113345001": "abdomen", "T-D4000": "abdomen",
    "71341001": "femur", "T-12710": "femur",
}  # fmt: skip
_SAME_MM = 0.1
_ONE_FETUS = 0.1  # by which two outlines of one part may differ
_NARROWEST, _WIDEST = 0.6, 1.0  # of a head: BPD over OFD
_ROUND = 0.9  # least overlap of an outline with its ellipse


class FetalBiometry:
    """How large and how heavy is the fetus for its age, by INTERGROWTH-21st or by Hadlock?"""

    name, version = "fetal_biometry", "11"
    needs: ClassVar[Mapping[str, Need]] = {
        "image": Need(
            modality="US",
            body_part=("fetus", "fetal", "obstetric", "uterus", "pregnancy", "pregnant", "abdomen", "pelvis"),
            instead="reports",
        ),
        "outlines": Need(modality="SEG", gives="regions", optional=True),
        "reports": Need(
            modality="SR", gives="reports", only=("the title of an obstetric ultrasound", of_a_fetus), optional=True
        ),
    }
    yields = (
        Yield(what=BIOMETRY, units=("mm", "g", "d", "1")),
        Yield(what=codes.STRUCTURE, units=("mm",)),
    )
    limits = Limits(seconds=60.0, memory_mib=2048)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Centiles and weight from measurements of the machine's report, or that a person has made, or "
        "outlines.",
        "not_for": "Dating a pregnancy that has been dated; finding the standard plane; diagnosing growth restriction.",
        "sources": ("INTERGROWTH-21st (Papageorghiou 2014, Stirnemann 2017 and 2020)", "Hadlock 1984, 1985, 1991"),
        "limits": (
            "Whether the plane is the right one is for a person to see, and calipers burned into a picture are "
            "not read.",
            "A centile is told only for an age from an earlier dating, because an estimated age compares the "
            "fetus with itself.",
            "There is no automatic outline.",
        ),
        "level": "formulae validated on published examples; outlines verified on ellipses of known size",
    }

    def run(
        self,
        image: Volume | None,
        outlines: tuple[Region, ...] | None,
        reports: tuple[MachineReport, ...] | None = None,
        *,
        standard: Literal["INTERGROWTH-21st", "Hadlock"] = "INTERGROWTH-21st",
        weeks: float = 0.0,
        hc_mm: float = 0.0,
        bpd_mm: float = 0.0,
        ac_mm: float = 0.0,
        fl_mm: float = 0.0,
        crl_mm: float = 0.0,
        ofd_mm: float = 0.0,
        fetus: str = "",
    ) -> Answer:
        """Place measurements among healthy fetuses of one age.

        Args:
            image: the picture; none is needed beside a report. outlines: filled outlines on it, named head (or HC),
                abdomen (AC) and femur (FL).
            reports: of the machine, with its measurements and dates.
            standard: whose formulae and centiles; they are never mixed.
            weeks: gestational age from an earlier dating, with its fraction; 0 where it is not known: then that of the
                report is taken, else the age is estimated and there are no centiles.
            hc_mm, bpd_mm, ac_mm, fl_mm, crl_mm, ofd_mm: measured by a person, in millimetres; 0 where not. They go
                before the report, and the report before outlines.
            fetus: which one of a report of several; empty for each of them.

        Raises:
            Refused: without any measurement, for lengths that no fetus has, ages outside the standard, outlines on a
                picture without calibration, two of one part whose sizes are not those of one fetus, or what a person
                has measured beside a report of several where it is not said whose it is.
        """
        if image is not None and (outlines or not reports):
            grey(image, film=True)  # beside a report nothing is looked for on it
        remarks: list[str] = []
        given = {"HC": hc_mm, "BPD": bpd_mm, "OFD": ofd_mm, "AC": ac_mm, "FL": fl_mm, "CRL": crl_mm}
        typed = {what: (mm, "as measured") for what, mm in given.items() if mm}
        drawn = on_image(outlines, image) if image is not None else ()
        reported, doubts = fetuses(reports or ())
        several = _of(fetus, reported) or [Fetus(fetus.strip())]
        if len(several) > 1 and (typed or drawn):
            raise Refused(
                f"measurements or outlines beside a report of {len(several)} fetuses",
                "nothing says whose they are",
                f"give fetus, one of {', '.join(one.name for one in several)}",
            )
        findings: list[Finding] = []
        curves: list[Curve] = []
        for one in several:
            held = {**one.lengths, **typed}
            told = [*one.remarks, *_overruled(one, typed)]
            if image is not None:
                findings += _outlined(drawn, image, held, told)
            if not held and len(several) > 1:
                remarks += _named(one.name, told)
                continue
            if not held:
                raise Refused(
                    "no measurement of the fetus",
                    "; ".join([*doubts, *told])
                    or "neither a length is given, nor has the machine sent a report with one, nor is an outline "
                    f"(DICOM SEG) named head, abdomen or femur on this picture{_others(drawn)}",
                    "give hc_mm, ac_mm and fl_mm, or outline them as a segmentation with these names",
                )
            whole, curve = _placed(one, held, weeks, standard, told)
            findings.insert(0 if len(several) == 1 else len(findings), whole)
            curves += curve
            remarks += _named(one.name if len(several) > 1 else "", told)
        if not findings:
            raise Refused("no measurement of a fetus", "; ".join([*doubts, *remarks]), "give hc_mm, ac_mm and fl_mm")
        return Answer.found(*findings, curves=tuple(curves), reasons=(*doubts, *remarks))

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """A head of known size by outline, the same without calibration: (inputs, truth) for ``isocenter check``."""
        grid = Geometry.regular(shape=(1, 240, 300), spacing_mm=(1.0, 0.5, 0.5), reference=Reference.PLANE)
        row, column = np.indices(grid.shape[1:])
        x, y = (column - 150) * 0.5, (row - 120) * 0.5
        head = ((x / 47.0) ** 2 + (y / 37.0) ** 2 <= 1.0)[None]
        picture = (90.0 + 60.0 * head + 20.0 * np.cos(x / 3.0) * np.sin(y / 2.0)).astype(np.float32)
        image = Volume(picture, grid, instance_uids=("2.25.5",))
        truth = {"HC": 264.835, "BPD": 74.0}
        measured = {str(_WHAT[k]): (v, 0.3) for k, v in truth.items()}
        outline = Region(grid, mask=head, label="head", instance_uid="2.25.5")
        yield {"image": image, "outlines": (outline,)}, {"answer": "found", "measurements": measured}
        pixels = Geometry.regular(shape=grid.shape, reference=Reference.PIXEL)
        yield (
            {"image": Volume(picture, pixels), "outlines": (Region(pixels, mask=head, label="head"),)},
            {"answer": "declined", "words": "without calibration"},
        )
        yield {"image": image, "outlines": None}, {"answer": "declined", "words": "no measurement of the fetus"}


Held = dict[str, tuple[float, str]]


def _of(wanted: str, reported: list[Fetus]) -> list[Fetus]:
    """The fetus that is asked for, or all that the reports tell of.

    Raises:
        Refused: where the reports know others only.
    """
    if not wanted.strip() or not reported:
        return reported
    found = [one for one in reported if one.name.casefold() == wanted.strip().casefold()]
    if not found:
        names = ", ".join(one.name or "one without a name" for one in reported)
        raise Refused(f"fetus '{wanted}'", f"the report tells of {names}", "name one of them")
    return found


def _others(drawn: tuple[Region, ...]) -> str:
    names = ", ".join(f"'{one.label}'" for one in drawn)
    return f"; what is outlined on it is called {names}" if names else ""


def _overruled(one: Fetus, typed: Held) -> list[str]:
    """What was typed goes before the report, and it is told where the report has another length."""
    return [
        f"{what} as given ({mm:.1f} mm) goes before that of the report ({one.lengths[what][0]:.1f} mm)"
        for what, (mm, _) in typed.items()
        if what in one.lengths and abs(one.lengths[what][0] - mm) > _SAME_MM
    ]


def _named(name: str, remarks: list[str]) -> list[str]:
    """Remarks with the fetus that each is of; a warning stays one."""
    if not name:
        return remarks
    return [f"WARNING: fetus {name}: {r[9:]}" if r.startswith("WARNING: ") else f"fetus {name}: {r}" for r in remarks]


def _placed(
    one: Fetus, held: Held, weeks: float, standard: str, remarks: list[str]
) -> tuple[Finding, tuple[Curve, ...]]:
    """One fetus: lengths, weight and age, with the curve of its head."""
    for what, (mm, _) in held.items():
        fetal.checked(what, mm)
    remarks += _misfit(held)
    dating = None if weeks else one.dating
    weeks = weeks or _weeks_of(dating, standard, remarks)
    weight = _weight(held, standard)
    if standard == fetal.HADLOCK and _is_outer(held):
        remarks.append("the BPD of an outline is outer to outer, Hadlock's is outer to inner: it was left out")
    said = _measured(held, weeks, standard)
    if weight is not None:
        try:
            said += _weighed(weight, weeks, standard)
        except Refused as why:  # before 22 weeks the lengths have their centiles all the same
            remarks.append(f"no weight: {why}")
            weight = None
    if dating is not None:
        said.append(Measurement(AGE, dating.days, "d", definition=f"of the machine's report, by {dating.by}"))
    elif not weeks:
        try:
            said.append(_age(held, standard))
        except Refused as why:
            if held.keys() <= {"CRL"}:
                raise
            remarks.append(f"no age, and without weeks no centile: {why}")
        else:
            remarks.append(
                "the age is estimated from these lengths: a centile for it would compare the fetus with itself"
            )
    if one.composite is not None:
        said.append(Measurement(COMPOSITE, one.composite, "d", definition="as the machine puts its lengths together"))
    curves = (_chart(held, weeks, one.name),) if weeks and standard == fetal.INTERGROWTH and "HC" in held else ()
    words = _words(held, said, weight, weeks, standard, dating)
    return Finding(
        BIOMETRY, measurements=tuple(said), words=f"Fetus {one.name}: {words}" if one.name else words
    ), curves


def _weeks_of(dating: Dating | None, standard: str, remarks: list[str]) -> float:
    """The age of a report for centiles, where its standard has any for it; else 0."""
    if dating is None:
        return 0.0
    low, high = fetal.WEEKS[standard]
    if low <= dating.days / 7.0 <= high:
        return dating.days / 7.0
    remarks.append(
        f"no centile: the report dates to {_weeks_and_days(dating.days / 7.0)} by {dating.by}, and {standard} has "
        f"them for {low:g} to {high:g} weeks"
    )
    return 0.0


def _part(region: Region) -> str:
    """What an outline is of: by its name, else by its code; empty where neither says it."""
    named = next((part for part, name in _PARTS.items() if name.search(region.label)), "")
    return named or next((part for code, part in _CODED.items() if f":{code}" in region.coded), "")


def _outlined(regions: tuple[Region, ...], image: Volume, held: Held, remarks: list[str]) -> list[Finding]:
    """Measure the outlines; what a person has measured is not measured again."""
    findings = []
    for region in regions:
        part = _part(region)
        if not part:
            continue
        placed = calibrated(region, image)
        remarks += [doubt for doubt in scale_doubts(image) if doubt not in remarks]
        new: Held = {}
        if part == "femur":
            new["FL"] = (longest_mm(placed)[0], "outline, longest diameter")
        else:
            ellipse = ellipse_of(placed)
            if ellipse.fit < _ROUND:
                raise Refused(
                    f"an outline of the {part} that fits an ellipse by {ellipse.fit:.0%}",
                    f"at least {_ROUND:.0%} is asked: it is cut off, or not the standard plane",
                    "outline it again",
                )
            new["HC" if part == "head" else "AC"] = (ellipse.perimeter_mm, "outline, perimeter of its ellipse")
            if part == "head":
                new["BPD"] = (ellipse.short_mm, "outline, short axis of its ellipse, outer to outer")
        for what, value in new.items():
            if what in held and held[what][1].startswith("outline"):
                _must_be_of_one_fetus(part, what, held[what][0], value[0])
                remarks.append(
                    f"{what} is that of the first of several outlines of the {part} ({held[what][0]:.0f} mm)"
                )
            elif what in held:
                remarks.append(
                    f"{what} as measured ({held[what][0]:.0f} mm) goes before the outline ({value[0]:.0f} mm)"
                )
            else:
                held[what] = value
        measured = tuple(Measurement(_WHAT[w], mm, "mm", definition=how) for w, (mm, how) in new.items())
        said = ", ".join(f"{w} {mm:.0f} mm" for w, (mm, _) in new.items())
        findings.append(
            Finding(codes.STRUCTURE, where=region, measurements=measured, words=f"{part.capitalize()}: {said}.")
        )
    return findings


def _must_be_of_one_fetus(part: str, what: str, one_mm: float, other_mm: float) -> None:
    """Two outlines of a part that differ by more than measuring does are of twins, or one is wrong."""
    if abs(one_mm - other_mm) > _ONE_FETUS * max(one_mm, other_mm):
        raise Refused(
            f"two outlines of the {part}, {what} {one_mm:.0f} and {other_mm:.0f} mm",
            "they differ by more than one fetus measured twice: of twins each is measured by itself, or one is wrong",
            "send the outlines of one fetus",
        )


def _measured(held: Held, weeks: float, standard: str) -> list[Measurement]:
    said = []
    for what, (mm, how) in held.items():
        placed = None
        if weeks and standard == fetal.INTERGROWTH and what != "CRL":
            placed = fetal.place(what, mm, weeks)
        said.append(
            Measurement(
                _WHAT[what], mm, "mm", definition=how,
                percentile=None if placed is None else placed.centile, norm="" if placed is None else placed.norm,
            )
        )  # fmt: skip
        if placed is not None:
            said.append(Measurement(Z, placed.z, "1", definition=f"{what}, {placed.norm}"))
    return said


def _weight(held: Held, standard: str) -> fetal.Weight | None:
    if not {"HC", "AC"} <= set(held):
        return None
    if standard == fetal.INTERGROWTH:
        return fetal.intergrowth_weight(held["HC"][0], held["AC"][0])
    if "FL" not in held:
        return None
    inner = None if "BPD" not in held or _is_outer(held) else held["BPD"][0]
    return fetal.hadlock_weight(held["HC"][0], held["AC"][0], held["FL"][0], inner)


def _is_outer(held: Held) -> bool:
    """Whether the biparietal diameter is that of an outline, from outer border to outer border."""
    return held.get("BPD", (0.0, ""))[1].startswith("outline")


def _weighed(weight: fetal.Weight, weeks: float, standard: str) -> list[Measurement]:
    if not weeks:
        return [Measurement(WEIGHT, weight.grams, "g", definition=weight.formula)]
    placed = fetal.place_weight(weight, weeks, standard=standard)
    return [
        Measurement(WEIGHT, weight.grams, "g", definition=weight.formula, percentile=placed.centile, norm=placed.norm),
        Measurement(Z, placed.z, "1", definition=f"estimated weight, {placed.norm}"),
    ]


def _misfit(held: Held) -> list[str]:
    """That a head is as narrow or as wide as none is: a length was read or typed wrongly.

    The cephalic index is 78 % with a standard deviation of 4.4 (Hadlock 1981). The borders lie four and five of them
    away, so that a head that its lie has drawn out or rounded is not told.
    """
    if not {"BPD"} < held.keys() & {"BPD", "OFD", "HC"}:
        return []
    bpd = held["BPD"][0]
    ofd = held["OFD"][0] if "OFD" in held else 2.0 * held["HC"][0] / math.pi - bpd
    if ofd > 0 and _NARROWEST <= bpd / ofd <= _WIDEST:
        return []
    beside = f"an OFD of {ofd:.0f} mm" if "OFD" in held else f"an HC of {held['HC'][0]:.0f} mm"
    return [
        f"WARNING: a BPD of {bpd:.0f} mm does not fit {beside}: a head is {100 * _NARROWEST:.0f} to "
        f"{100 * _WIDEST:.0f} % as wide as it is long. Measure both again"
    ]


def _age(held: Held, standard: str) -> Measurement:
    """Age from what was measured, by the formulae of the standard.

    Raises:
        Refused: where the standard dates by none of the measurements.
    """
    lengths = {what: mm for what, (mm, _) in held.items()}
    if standard == fetal.INTERGROWTH:
        used = [w for w in ("HC", "FL") if w in lengths] if "HC" in lengths else ["CRL"] if "CRL" in lengths else []
        days = fetal.age_days(**{w: lengths[w] for w in used})
        return Measurement(AGE, days, "d", definition=f"INTERGROWTH-21st by {' and '.join(used)}")
    # An outline's BPD is outer to outer, and three days of age more than Hadlock's outer to inner.
    usable = [w for w in ("BPD", "HC", "AC", "FL") if w in lengths and (w != "BPD" or not _is_outer(held))]
    if not usable:
        raise Refused(
            "an age by Hadlock without BPD, HC, AC or FL", "Hadlock 1984 dates by these", "give one of these at least"
        )
    mean = float(np.mean([fetal.hadlock_age_weeks(w, lengths[w]) for w in usable]))
    return Measurement(AGE, 7.0 * mean, "d", definition=f"Hadlock 1984, mean of {', '.join(usable)}")


def _words(
    held: Held, said: list[Measurement], weight: fetal.Weight | None, weeks: float, standard: str, dating: Dating | None
) -> str:
    parts = [f"{what} {mm:.0f} mm" for what, (mm, _) in held.items()]
    if weight is not None:
        parts.append(f"estimated weight {weight.grams:.0f} g")
    at = next((f"{_ordinal(m.percentile)} centile" for m in said if m.what == WEIGHT and m.percentile is not None), "")
    if weeks:
        by = f" by {dating.by} in the machine's report" if dating is not None else ""
        return f"{', '.join(parts)}{f' ({at})' if at else ''} at {_weeks_and_days(weeks)}{by}, {standard}."
    if dating is not None:
        return f"{', '.join(parts)} at {_weeks_and_days(dating.days / 7.0)} by {dating.by} in the machine's report."
    days = next((m.value for m in said if m.what == AGE), None)
    if days is None:
        return f"{', '.join(parts)}; no age by {standard}."
    return f"{', '.join(parts)}; estimated age {int(days // 7)} weeks {int(days % 7)} days, {standard}."


def _weeks_and_days(weeks: float) -> str:
    """An age as it is spoken, so that 28.3 meant for 28 weeks and 3 days is seen.

    >>> _weeks_and_days(28.3), _weeks_and_days(28.0), _weeks_and_days(28.99)
    ('28 weeks 2 days (28.3 weeks)', '28 weeks 0 days', '29 weeks 0 days')
    """
    whole, days = divmod(round(7.0 * weeks), 7)
    return f"{whole} weeks {days} days" + (f" ({weeks:.1f} weeks)" if days else "")


def _ordinal(percentile: float) -> str:
    """A centile as it is spoken.

    >>> [_ordinal(p) for p in (0.2, 1.0, 2.4, 12.0, 42.2, 53.0, 99.9)]
    ['below 1st', '1st', '2nd', '12th', '42nd', '53rd', 'above 99th']
    """
    n = round(percentile)
    if n < 1 or n > 99:
        return "below 1st" if n < 1 else "above 99th"
    return f"{n}{'th' if 10 < n < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def _chart(held: Held, weeks: float, name: str) -> Curve:
    """Head circumference against age: the 3rd, 50th and 97th centile, and the one on which this fetus lies."""
    x = tuple(float(w) for w in range(14, 41))
    means, spreads = zip(*(fetal.median("HC", w) for w in x), strict=True)
    mine = fetal.place("HC", held["HC"][0], weeks)
    lines = {
        name: tuple(m + z * s for m, s in zip(means, spreads, strict=True))
        for name, z in (
            ("3rd centile", -1.8808), ("50th centile", 0.0), ("97th centile", 1.8808),
            (f"this fetus (z {mine.z:+.1f} at {weeks:.1f} weeks)", mine.z),
        )
    }  # fmt: skip
    title = f"Head circumference for age, fetus {name}" if name else "Head circumference for age"
    return Curve(title, x, "gestational age", "wk", lines, "mm")
