"""Fetal growth: age, weight, centiles and z-scores from biometry, by INTERGROWTH-21st or by Hadlock, never mixed.

Lengths are millimetres, ages weeks with their fraction, weights grams. INTERGROWTH-21st is a standard (how healthy
fetuses should grow), Hadlock a reference (how fetuses of one hospital grew); a weight by the one has no centile in the
other.

Sources: Papageorghiou et al., Lancet 384 (2014) 869 (biometry); Stirnemann et al., Ultrasound Obstet Gynecol 49 (2017)
478 and 56 (2020) 946 (weight, its centiles); Papageorghiou et al., UOG 48 (2016) 719 (age from HC and FL) and 44 (2014)
641 (crown-rump length); Hadlock et al., Radiology 152 (1984) 497 (age), Am J Obstet Gynecol 151 (1985) 333 (weight) and
Radiology 181 (1991) 129 (centiles of weight).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from isocenter.errors import Refused

__all__ = [
    "HADLOCK",
    "INTERGROWTH",
    "RANGE_MM",
    "WEEKS",
    "Placed",
    "Weight",
    "age_days",
    "centile",
    "checked",
    "hadlock_age_weeks",
    "hadlock_weight",
    "intergrowth_weight",
    "median",
    "place",
    "place_weight",
]

INTERGROWTH, HADLOCK = "INTERGROWTH-21st", "Hadlock"
RANGE_MM: Mapping[str, tuple[float, float]] = {
    "HC": (70.0, 420.0), "BPD": (18.0, 120.0), "OFD": (22.0, 150.0), "AC": (50.0, 450.0), "FL": (8.0, 95.0),
    "CRL": (15.0, 95.0),
}  # fmt: skip
"""What a fetus of 14 to 42 weeks can measure (CRL: where the formula for age holds)."""
_WEEKS = (14.0, 40.0)
_WEIGHT_WEEKS = (22.0, 40.0)
_HADLOCK_WEEKS = (10.0, 41.0)
WEEKS: Mapping[str, tuple[float, float]] = {INTERGROWTH: _WEEKS, HADLOCK: _HADLOCK_WEEKS}
"""Ages for which a standard has centiles."""
_DATED_WEEKS = (13.0, 42.0)  # beyond, a length is that of no age: a head of 400 mm would be 51 weeks old
_HADLOCK_SPREAD = 0.133  # of the mean: its published 3rd and 10th centiles lie 25 % and 17 % below


@dataclass(frozen=True)
class Placed:
    """A measurement among healthy fetuses of one age.

    Args:
        z: standard deviations from the mean. centile: 0 to 100. norm: whose distribution, with the age.
    """

    z: float
    centile: float
    norm: str


@dataclass(frozen=True)
class Weight:
    """An estimated weight and the standard whose formula gave it."""

    grams: float
    standard: str
    formula: str


def checked(what: str, mm: float) -> float:
    """A measurement that a fetus can have.

    Raises:
        Refused: for an unknown name, or a length outside `RANGE_MM`; the common cause is centimetres.

    >>> checked("HC", 260.0)
    260.0
    """
    if what not in RANGE_MM:
        raise Refused(f"a measurement '{what}'", f"known are {', '.join(RANGE_MM)}", "name one of these")
    low, high = RANGE_MM[what]
    if low <= mm <= high:
        return float(mm)
    meant = " (was it given in centimetres?)" if low <= 10.0 * mm <= high else ""
    raise Refused(f"{what} {mm:g} mm{meant}", f"a fetus measures {low:g} to {high:g} mm", "give millimetres")


def centile(z: float) -> float:
    """Centile of a z-score.

    >>> round(centile(-1.2816), 1)
    10.0
    """
    return 50.0 * math.erfc(-z / math.sqrt(2.0))


# ---- INTERGROWTH-21st ---------------------------------------------------------------------------------------------


def median(what: str, weeks: float) -> tuple[float, float]:
    """(mean, standard deviation) of a measurement in millimetres at an age, INTERGROWTH-21st.

    Args:
        what: HC, BPD, OFD, AC or FL.

    Raises:
        Refused: outside 14 to 40 weeks, or for another name.

    >>> [round(v, 2) for v in median("HC", 28.0)]
    [260.36, 8.94]
    """
    g = _within(weeks, _WEEKS, f"{what} by INTERGROWTH-21st")
    log = math.log(g)
    if what == "HC":
        mean = -28.2849 + 1.69267 * g**2 - 0.397485 * g**2 * log
        sd = 1.98735 + 0.0136772 * g**3 - 0.00726264 * g**3 * log + 0.000976253 * g**3 * log**2
    elif what == "BPD":
        mean = 5.60878 + 0.158369 * g**2 - 0.00256379 * g**3
        sd = math.exp(0.101242 + 0.00150557 * g**3 - 0.000771535 * g**3 * log + 0.0000999638 * g**3 * log**2)
    elif what == "OFD":
        mean = -12.4097 + 0.626342 * g**2 - 0.148075 * g**2 * log
        sd = math.exp(-0.880034 + 0.0631165 * g**2 - 0.0317136 * g**2 * log + 0.00408302 * g**2 * log**2)
    elif what == "AC":
        mean = -81.3243 + 11.6772 * g - 0.000561865 * g**3
        sd = -4.36302 + 0.121445 * g**2 - 0.0130256 * g**3 + 0.00282143 * g**3 * log
    elif what == "FL":
        mean = -39.9616 + 4.32298 * g - 0.0380156 * g**2
        sd = math.exp(0.605843 - 42.0014 * g**-2 + 0.00000917972 * g**3)
    else:
        raise Refused(f"a centile of '{what}'", "INTERGROWTH-21st has HC, BPD, OFD, AC and FL", "name one of these")
    return mean, sd


def place(what: str, mm: float, weeks: float) -> Placed:
    """z-score and centile of a measurement, INTERGROWTH-21st.

    Raises:
        Refused: as `checked` and `median`.

    >>> round(place("HC", 260.4, 28.0).centile)
    50
    """
    mean, sd = median(what, weeks)
    z = (checked(what, mm) - mean) / sd
    return Placed(z, centile(z), _norm("fetal growth standards 2014", weeks))


def age_days(**mm: float) -> float:
    """Gestational age in days by INTERGROWTH-21st: from HC and FL, from HC, or from CRL.

    Args:
        mm: ``HC=…``, ``FL=…`` and ``CRL=…`` in millimetres.

    Raises:
        Refused: without HC or CRL, for a length that no fetus has, or an age by HC outside 13 to 42 weeks.

    >>> round(age_days(HC=250.0), 2), round(age_days(HC=250.0, FL=55.0), 2)
    (189.8, 200.52)
    """
    held = {what: checked(what, value) for what, value in mm.items()}
    if "HC" in held:
        log = math.log(held["HC"])
        if "FL" in held:
            days = math.exp(0.03243 * log**2 + 0.001644 * held["FL"] * log + 3.813)
            return 7.0 * _dated(days / 7.0, f"HC {held['HC']:g} mm and FL {held['FL']:g} mm")
        days = math.exp(0.05970 * log**2 + 6.409e-9 * held["HC"] ** 3 + 3.3258)
        return 7.0 * _dated(days / 7.0, f"HC {held['HC']:g} mm")
    if "CRL" in held:
        return 40.9041 + 3.21585 * math.sqrt(held["CRL"]) + 0.348956 * held["CRL"]
    raise Refused(
        f"an age from {', '.join(held) or 'nothing'}",
        "INTERGROWTH-21st dates by HC, HC and FL, or CRL",
        "measure these, or name the age",
    )


def intergrowth_weight(hc_mm: float, ac_mm: float) -> Weight:
    """Estimated weight from head and abdomen.

    Raises:
        Refused: for a length that no fetus has.

    >>> round(intergrowth_weight(290.0, 260.0).grams)
    1499
    """
    hc, ac = checked("HC", hc_mm) / 1000.0, checked("AC", ac_mm) / 1000.0
    log = 5.084820 - 54.06633 * ac**3 - 95.80076 * ac**3 * math.log(ac) + 3.136370 * hc
    return Weight(math.exp(log), INTERGROWTH, "INTERGROWTH-21st (Stirnemann 2017), HC and AC")


# ---- Hadlock ------------------------------------------------------------------------------------------------------


def hadlock_weight(hc_mm: float, ac_mm: float, fl_mm: float, bpd_mm: float | None = None) -> Weight:
    """Estimated weight from head, abdomen and femur, and from the biparietal diameter too where it is given.

    Args:
        bpd_mm: outer to inner, as Hadlock measured it.

    Raises:
        Refused: for a length that no fetus has.
    """
    hc, ac, fl = (checked(w, v) / 10.0 for w, v in (("HC", hc_mm), ("AC", ac_mm), ("FL", fl_mm)))
    if bpd_mm is None:
        log = 1.326 + 0.0107 * hc + 0.0438 * ac + 0.158 * fl - 0.00326 * ac * fl
        return Weight(10**log, HADLOCK, "Hadlock 1985, HC, AC and FL")
    bpd = checked("BPD", bpd_mm) / 10.0
    log = 1.3596 + 0.0064 * hc + 0.0424 * ac + 0.174 * fl + 0.00061 * bpd * ac - 0.00386 * ac * fl
    return Weight(10**log, HADLOCK, "Hadlock 1985, BPD, HC, AC and FL")


def hadlock_age_weeks(what: str, mm: float) -> float:
    """Gestational age in weeks from one measurement.

    Raises:
        Refused: for a name that Hadlock 1984 has no formula for, a length that no fetus has, or an age beyond 42 weeks.

    >>> round(hadlock_age_weeks("FL", 50.0), 2)
    26.9
    """
    cm = checked(what, mm) / 10.0
    if what == "BPD":
        weeks = 9.54 + 1.482 * cm + 0.1676 * cm**2
    elif what == "HC":
        weeks = 8.96 + 0.540 * cm + 0.0003 * cm**3
    elif what == "AC":
        weeks = 8.14 + 0.753 * cm + 0.0036 * cm**2
    elif what == "FL":
        weeks = 10.35 + 2.460 * cm + 0.170 * cm**2
    else:
        raise Refused(f"an age from '{what}' by Hadlock 1984", "it dates by BPD, HC, AC or FL", "name one of these")
    return _dated(weeks, f"{what} {mm:g} mm", at_least=0.0)


# ---- weight among others ------------------------------------------------------------------------------------------


def place_weight(weight: Weight, weeks: float, *, standard: str) -> Placed:
    """z-score and centile of an estimated weight.

    Args:
        standard: `INTERGROWTH` or `HADLOCK`; the one whose formula gave the weight.

    Raises:
        Refused: when standard and formula differ, or outside the ages that the standard has.
    """
    if standard != weight.standard:
        raise Refused(
            f"a weight by {weight.standard} among {standard}",
            "their formulae differ by more than a centile means",
            "take weight and centile from one of them",
        )
    if standard == INTERGROWTH:
        g = _within(weeks, _WEIGHT_WEEKS, "weight by INTERGROWTH-21st")
        log = math.log(g)
        skew = -4.257629 - 2162.234 * g**-2 + 0.0002301829 * g**3
        middle = 4.956737 + 0.0005019687 * g**3 - 0.0001227065 * g**3 * log
        spread = 1e-4 * (-6.997171 + 0.057559 * g**3 - 0.01493946 * g**3 * log)
        ratio = math.log(weight.grams) / middle
        z = math.log(ratio) / spread if skew == 0 else (ratio**skew - 1.0) / (spread * skew)
        return Placed(z, centile(z), _norm("estimated fetal weight 2020", weeks))
    g = _within(weeks, _HADLOCK_WEEKS, "weight by Hadlock")
    mean = math.exp(0.578 + 0.332 * g - 0.00354 * g**2)
    z = (weight.grams / mean - 1.0) / _HADLOCK_SPREAD
    return Placed(z, centile(z), f"Hadlock 1991, {g:.1f} weeks")


def _dated(weeks: float, by: str, *, at_least: float = _DATED_WEEKS[0]) -> float:
    """An age that the formulae were made for."""
    if at_least <= weeks <= _DATED_WEEKS[1]:
        return weeks
    early = weeks < at_least
    raise Refused(
        f"an age of {weeks:.1f} weeks by {by}",
        f"the formula holds {'from' if early else 'to'} {at_least if early else _DATED_WEEKS[1]:g} weeks; "
        + ("younger ones are dated by CRL" if early else "such a length is large for any age"),
        "give the age of an earlier dating as weeks",
    )


def _norm(what: str, weeks: float) -> str:
    return f"INTERGROWTH-21st {what}, {weeks:.1f} weeks"


def _within(weeks: float, held: tuple[float, float], what: str) -> float:
    if not held[0] <= weeks <= held[1]:
        raise Refused(f"{weeks:g} weeks", f"{what} holds from {held[0]:g} to {held[1]:g} weeks", "check the age")
    return float(weeks)
