"""Standardised uptake: how much tracer a voxel holds, relative to an even spread over the body.

SUV = C / (D / S): activity concentration over injected activity per body size, with C and D at one moment. The body
size S gives the variant its name: body weight (SUVbw), lean body mass (SUL), ideal body weight (SUVibw), body surface
(SUVbsa). Everything here is a pure function of numbers; what a DICOM header says is read by `pet_header`.

Sources: DICOM PS3.3 C.8.9.1.1 and PS3.16 CID 85 (the variants and their units); James, "Research on obesity" (1976);
Janmahasatian et al., Clin Pharmacokinet 44 (2005) 1051; DuBois and DuBois, Arch Intern Med 17 (1916) 863; QIBA
FDG-PET/CT profile 1.14 (decay and times).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from isocenter.errors import Refused

__all__ = [
    "HALF_LIFE_S",
    "LEAN_FORMULAE",
    "Conversion",
    "Scan",
    "body_surface_cm2",
    "check_activity",
    "check_half_life",
    "conversion",
    "decayed",
    "from_suvbw",
    "ideal_body_weight_kg",
    "lean_body_mass_kg",
    "suv",
]

HALF_LIFE_S: Mapping[str, float] = MappingProxyType(
    {
        "O-15": 122.24,
        "N-13": 597.9,
        "C-11": 1223.0,
        "Ga-68": 4063.0,
        "F-18": 6586.0,
        "Cu-64": 45721.0,
        "Zr-89": 282276.0,
    }
)
"""Physical half-lives of common PET nuclides in seconds; used to doubt a header, never to replace its value."""

LEAN_FORMULAE = ("james128", "janmahasatian", "james120")
"""Lean body mass. James with 128 is DICOM's LBMJAMES128; 120 for men is a misprint that some programs still carry."""

_HALF_LIFE_TOLERANCE = 0.005
_AT_ONCE_S = 1.0
_LATE_S, _LATE_HALF_LIVES = 10800.0, 3.0  # F-18 is scanned within five hours; C-11 after four half-lives, too
_TAKEN_UP_S, _LASTING_S, _HOUR_S = 60.0, 1000.0, 3600.0  # of nuclides with a longer half-life nobody images the bolus
_WEIGHT_KG = (0.005, 400.0)  # from a mouse pup to beyond the heaviest table limit
_HEIGHT_M = (0.3, 2.6)
_MBQ_PER_KG = (0.05, 200.0)  # from low-dose immuno-PET to oxygen-15 water in people
_MBQ_PER_KG_ANIMAL = (0.05, 5000.0)  # below two kilograms of weight
_SUV_TYPES = {
    "": "bw", "BW": "bw", "LBMJAMES128": "james128", "LBM": "james120", "LBMJANMA": "janmahasatian", "IBW": "ibw",
    "BSA": "bsa",
}  # fmt: skip


@dataclass(frozen=True)
class Scan:
    """What is needed to turn a PET image into SUV; None or an empty text where it is not known.

    Args:
        units: DICOM Units: BQML, CNTS, GML (already SUV) or CM2ML (already SUVbsa).
        suv_type: DICOM SUV Type of an image in GML or CM2ML; empty means body weight.
        decay: DICOM Decay Correction: START (to the start of the scan), ADMIN (to the injection) or NONE.
        corrected: DICOM Corrected Image; None where the header has none.
        activity_bq: injected activity at the time of injection.
        half_life_s: of the nuclide, as the scanner used it.
        uptake_s: from injection to the moment that the image is decay-corrected to; wanted for START.
        measured_s: from injection to the first of the frames that were averaged, where an image is of several: a
            dynamic scan is begun before the injection, and its frames are corrected to that moment.
        weight_kg, height_m, sex: of the patient; sex "M" or "F".
        philips_suv: Philips' private factor from counts to SUVbw (7053,1000).
        philips_bqml: Philips' private factor from counts to Bq/mL (7053,1009).
        nuclide: such as "F-18", to doubt the half-life.
        remarks: doubts that reading the header left.
    """

    units: str
    suv_type: str = ""
    decay: str = ""
    corrected: tuple[str, ...] | None = None
    activity_bq: float | None = None
    half_life_s: float | None = None
    uptake_s: float | None = None
    measured_s: float | None = None
    weight_kg: float | None = None
    height_m: float | None = None
    sex: str = ""
    philips_suv: float | None = None
    philips_bqml: float | None = None
    nuclide: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conversion:
    """`factor` times the image's values is SUVbw in g/ml; `remarks` limit the trust in it."""

    factor: float
    remarks: tuple[str, ...] = ()


# ---- the formulae ------------------------------------------------------------------------------------------------


def decayed(activity_bq: float, elapsed_s: float, half_life_s: float) -> float:
    """Activity left after `elapsed_s` seconds.

    >>> decayed(100.0, 6588.0, 6588.0)
    50.0
    """
    return activity_bq * math.exp2(-elapsed_s / half_life_s)


def suv(concentration_bqml: float, activity_bq: float, size: float) -> float:
    """SUV of a concentration, both activities at the same moment, for a body size in g (or in cm2 for SUVbsa).

    >>> suv(1.0, 100.0, 75_000.0)
    750.0
    """
    return concentration_bqml * size / activity_bq


def lean_body_mass_kg(weight_kg: float, height_m: float, sex: str, formula: str = "james128") -> float:
    """Lean body mass in kilograms.

    Args:
        weight_kg: body weight.
        height_m: height in metres.
        sex: "M" or "F"; both formulae differ by sex.
        formula: one of `LEAN_FORMULAE`.

    Raises:
        Refused: when sex is neither, a number is implausible, or the formula leaves its range (James' parabola falls
            again for very heavy people and then yields a lean mass that no person has).

    >>> round(lean_body_mass_kg(71.0, 1.63, "M"), 3)
    53.814
    """
    if formula not in LEAN_FORMULAE:
        raise Refused(f"lean body mass by '{formula}'", f"known are {', '.join(LEAN_FORMULAE)}", "name one of these")
    _check_body(weight_kg, height_m)
    man = _is_man(sex)
    cm = height_m * 100.0
    if formula == "janmahasatian":
        bmi = weight_kg / height_m**2
        lean = 9270.0 * weight_kg / ((6680.0 + 216.0 * bmi) if man else (8780.0 + 244.0 * bmi))
    else:
        men = 128.0 if formula == "james128" else 120.0
        a, b = (1.10, men) if man else (1.07, 148.0)
        lean = a * weight_kg - b * (weight_kg / cm) ** 2
        turning_kg = a * cm**2 / (2.0 * b)
        if weight_kg > turning_kg:
            raise Refused(
                f"weight {weight_kg:g} kg at {height_m:g} m",
                f"James' formula falls above {turning_kg:.0f} kg at this height",
                "use Janmahasatian's",
            )
    if not 0.0 < lean <= weight_kg:
        raise Refused(
            f"lean body mass {lean:.1f} kg of {weight_kg:g} kg",
            f"{formula} does not hold for this body",
            "correct weight and height, or take SUV by body weight",
        )
    return lean


def ideal_body_weight_kg(height_m: float, sex: str) -> float:
    """Ideal body weight in kilograms from height in metres and sex.

    >>> round(ideal_body_weight_kg(1.63, "M"), 2)
    59.66
    """
    _check_body(None, height_m)
    cm = height_m * 100.0
    ideal = 48.0 + 1.06 * (cm - 152.0) if _is_man(sex) else 45.5 + 0.91 * (cm - 152.0)
    if ideal <= 0.0:
        raise Refused(
            f"height {height_m:g} m",
            "ideal body weight is defined for adults",
            "correct Patient's Size, in metres, or take SUV by body weight",
        )
    return ideal


def body_surface_cm2(weight_kg: float, height_m: float) -> float:
    """Body surface by DuBois in square centimetres, so that SUVbsa has DICOM's unit cm2/ml.

    >>> round(body_surface_cm2(75.0, 1.85), 2)
    19813.76
    """
    _check_body(weight_kg, height_m)
    return float(0.007184 * weight_kg**0.425 * (height_m * 100.0) ** 0.725 * 1e4)


# ---- from a scan -------------------------------------------------------------------------------------------------


def conversion(scan: Scan) -> Conversion:
    """The factor from the image's values to SUVbw (g/ml), or the reason why there is none.

    Raises:
        Refused: for units without a way to SUV, an image without attenuation or decay correction, and for whatever
            of weight, activity, half-life and times is missing, contradictory or implausible.
    """
    _check_corrections(scan)
    if scan.units in ("GML", "CM2ML"):
        return Conversion(_undo_variant(scan), scan.remarks)
    if scan.units == "CNTS":
        if scan.philips_suv:
            return Conversion(_factor(scan.philips_suv, "SUV", "(7053,1000)"), scan.remarks)
        if not scan.philips_bqml:
            raise Refused(
                "PET in counts without the private Philips factor",
                "counts alone say nothing about activity",
                "send the series with its private attributes (7053,1000) or (7053,1009)",
            )
        to_bqml = _factor(scan.philips_bqml, "Bq/mL", "(7053,1009)")
    elif scan.units == "BQML":
        to_bqml = 1.0
    else:
        raise Refused(
            f"PET in units '{scan.units or 'none'}'",
            "only BQML, CNTS, GML and CM2ML lead to SUV",
            "send the PET in one of these",
        )
    weight = _weight(scan)
    activity = check_activity(scan.activity_bq, weight)
    remarks = scan.remarks
    if scan.decay == "START":
        half_life = _known(scan.half_life_s, "half-life", "Radionuclide Half Life")
        remarks += check_half_life(half_life, scan.nuclide)
        uptake = _uptake(scan, half_life)
        remarks += _late(uptake, half_life) or _at_once(uptake, half_life, scan)
        activity = decayed(activity, uptake, half_life)
    elif scan.decay != "ADMIN":
        raise Refused(
            f"Decay Correction '{scan.decay or 'not stated'}'",
            "without it, beds and frames of one scan cannot be compared",
            "reconstruct with decay correction",
        )
    return Conversion(suv(to_bqml, activity, weight * 1000.0), remarks)


def from_suvbw(scan: Scan, variant: str) -> float:
    """The factor from SUVbw to another variant: one of `LEAN_FORMULAE`, ``"ibw"`` or ``"bsa"``.

    g/ml for the masses, cm2/ml for the surface. The injected activity cancels: only the body is needed.

    Raises:
        Refused: when weight, height or sex is missing or implausible.
    """
    weight = _weight(scan)
    height = _known(scan.height_m, "height", "Patient's Size")
    if variant == "bsa":
        return body_surface_cm2(weight, height) / (weight * 1000.0)
    if variant == "ibw":
        return ideal_body_weight_kg(height, scan.sex) / weight
    return lean_body_mass_kg(weight, height, scan.sex, variant) / weight


def check_activity(activity_bq: float | None, weight_kg: float) -> float:
    """The injected activity, if a body of that weight can have been given it.

    Raises:
        Refused: when it is missing or implausible. The common cause is a value typed in MBq, which makes every SUV a
            million times too large.
    """
    activity = _known(activity_bq, "injected activity", "Radionuclide Total Dose")
    low, high = _MBQ_PER_KG if weight_kg >= 2.0 else _MBQ_PER_KG_ANIMAL
    per_kg = activity / 1e6 / weight_kg
    if not low <= per_kg <= high:
        meant = " (was it typed in MBq?)" if low <= per_kg * 1e6 <= high else ""
        raise Refused(
            f"injected activity {activity:g} Bq for {weight_kg:g} kg{meant}",
            f"{per_kg:.3g} MBq/kg is outside {low:g} to {high:g}",
            "correct Radionuclide Total Dose; its unit is Bq",
        )
    return activity


def check_half_life(half_life_s: float, nuclide: str) -> tuple[str, ...]:
    """A remark when the header's half-life is off by more than 0.5 % from the nuclide's; empty otherwise.

    Raises:
        Refused: when it is that of another nuclide, or off by more than a factor of two, as in minutes.

    >>> check_half_life(6588.0, "F-18")
    ()
    """
    known = HALF_LIFE_S.get(nuclide)
    if known is not None and not 0.5 < half_life_s / known < 2.0:
        minutes = " (was it typed in minutes?)" if 0.5 < 60.0 * half_life_s / known < 2.0 else ""
        raise Refused(
            f"half-life {half_life_s:g} s of {nuclide}{minutes}", f"it is {known:g} s", "correct Radionuclide Half Life"
        )
    if known is None or abs(half_life_s / known - 1.0) <= _HALF_LIFE_TOLERANCE:
        return ()
    other = next((n for n, s in HALF_LIFE_S.items() if abs(half_life_s / s - 1.0) <= _HALF_LIFE_TOLERANCE), "")
    if other:
        raise Refused(
            f"half-life {half_life_s:g} s of {nuclide}, which is that of {other}",
            f"{nuclide} has {known:g} s: every SUV depends on which of them was given",
            "correct Radionuclide Half Life, or the nuclide",
        )
    return (f"half-life {half_life_s:g} s in the header, {nuclide} has {known:g} s; the header's was used",)


def _check_corrections(scan: Scan) -> None:
    if scan.corrected is None and scan.units in ("GML", "CM2ML"):
        return  # whoever made SUV of it had the corrections in hand
    missing = [c for c in ("ATTN", "DECY") if c not in (scan.corrected or ())]
    if missing:
        what = {"ATTN": "attenuation", "DECY": "decay"}
        raise Refused(
            f"PET not corrected for {' and '.join(what[c] for c in missing)}",
            f"Corrected Image says {', '.join(scan.corrected or ()) or 'nothing'}",
            "send the corrected reconstruction",
        )


def _undo_variant(scan: Scan) -> float:
    kind = _SUV_TYPES.get(scan.suv_type)
    if kind is None:
        raise Refused(
            f"SUV Type '{scan.suv_type}'",
            f"known are {', '.join(k for k in _SUV_TYPES if k)}",
            "correct SUV Type, or send the PET in BQML",
        )
    if (kind == "bsa") != (scan.units == "CM2ML"):
        raise Refused(
            f"SUV Type '{scan.suv_type or 'BW'}' in {scan.units}",
            "type and unit contradict each other",
            "correct one of them, or send the PET in BQML",
        )
    return 1.0 if kind == "bw" else 1.0 / from_suvbw(scan, kind)


def _uptake(scan: Scan, half_life_s: float) -> float:
    if scan.uptake_s is None or not math.isfinite(scan.uptake_s):
        raise Refused(
            "no time of injection or of the scan",
            "activity decays between them",
            "complete Radiopharmaceutical Start DateTime and Series Time",
        )
    if scan.uptake_s < 0.0 and (scan.measured_s is None or scan.measured_s < -_AT_ONCE_S):
        raise Refused(
            f"injection {-scan.uptake_s:.0f} s after the scan",
            "one of the two times is wrong",
            "compare the clocks of dose calibrator and scanner",
        )
    if scan.uptake_s > 10.0 * half_life_s:
        raise Refused(
            f"{scan.uptake_s / 3600.0:.1f} h from injection to scan",
            "less than a thousandth of the activity would be left after ten half-lives",
            "check the dates of injection and scan",
        )
    return scan.uptake_s


def _late(uptake_s: float, half_life_s: float) -> tuple[str, ...]:
    """A warning of a wait that leaves less than an eighth: a wrong hour looks the same, and multiplies every SUV."""
    if uptake_s <= max(_LATE_S, _LATE_HALF_LIVES * half_life_s):
        return ()
    times = 2.0 ** (uptake_s / half_life_s)
    return (
        f"WARNING: {uptake_s / 3600.0:.1f} h from injection to scan, {uptake_s / half_life_s:.1f} half-lives, multiply "
        f"every SUV by {times:.0f}: see whether both times are right",
    )


def _at_once(uptake_s: float, half_life_s: float, scan: Scan) -> tuple[str, ...]:
    """A warning of a scan that began with the injection, as it reads where both times were removed or are one."""
    if uptake_s >= _TAKEN_UP_S or half_life_s < _LASTING_S or scan.measured_s is not None:
        return ()
    times = 2.0 ** (_HOUR_S / half_life_s)
    return (
        f"WARNING: {uptake_s:.0f} s from injection to scan: see whether both times are right. After an hour every SUV "
        f"would be {times:.3g} times as large",
    )


def _factor(value: float, unit: str, tag: str) -> float:
    if not (math.isfinite(value) and value > 0.0):
        raise Refused(f"a Philips factor to {unit} of {value:g}", "it is above zero", f"correct {tag}")
    return value


def _weight(scan: Scan) -> float:
    weight = _known(scan.weight_kg, "weight", "Patient's Weight")
    _check_body(weight, None)
    return weight


def _known(value: float | None, what: str, attribute: str) -> float:
    if value is None or not math.isfinite(value) or value <= 0.0:
        raise Refused(f"{what} {'missing' if value is None else f'{value:g}'}", "SUV needs it", f"complete {attribute}")
    return float(value)


def _check_body(weight_kg: float | None, height_m: float | None) -> None:
    if weight_kg is not None and not _WEIGHT_KG[0] <= weight_kg <= _WEIGHT_KG[1]:
        raise Refused(f"weight {weight_kg:g} kg", "no body weighs that", "Patient's Weight is in kilograms")
    if height_m is not None and not _HEIGHT_M[0] <= height_m <= _HEIGHT_M[1]:
        raise Refused(f"height {height_m:g} m", "no body measures that", "Patient's Size is in metres")


def _is_man(sex: str) -> bool:
    if sex not in ("M", "F"):
        raise Refused(
            f"sex '{sex or 'not stated'}'", "the formula differs between men and women", "complete Patient's Sex"
        )
    return sex == "M"
