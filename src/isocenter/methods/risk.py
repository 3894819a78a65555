"""Cardiovascular risk from history, blood pressure and blood lipids, and from coronary calcium where it is known.

Each model is the published one, by name; none is better than the people it was made from. All are for persons who have
no cardiovascular disease yet. An input outside the range in which a model was published is refused with its value, its
range and its unit: a risk is never extrapolated, and a cholesterol in the other unit is told apart.

>>> round(framingham_2008(sex="M", age=55, systolic_mmhg=140, cholesterol_mg_dl=213, hdl_mg_dl=50).percent, 2)
13.53
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from isocenter.errors import Refused
from isocenter.methods.risk_tables import (
    FRAMINGHAM_2008,
    MESA_2015,
    PCE_2013,
    PREVENT_2023,
    SCORE2_2021,
    SCORE2_OP_2021,
)

__all__ = [
    "MMOL_PER_MG_DL",
    "Risk",
    "esc_class",
    "framingham_2008",
    "mesa_2015",
    "pce_2013",
    "prevent_2023",
    "score2",
    "score2_op",
]

MMOL_PER_MG_DL = 0.02586
"""Cholesterol: mg/dL times this is mmol/L."""

Sex = Literal["M", "F"]
Region = Literal["low", "moderate", "high", "very high"]


@dataclass(frozen=True)
class Risk:
    """One answer: which model, of what, within how many years, in per cent, after whom, and what limits it."""

    model: str
    outcome: str
    years: int
    percent: float
    source: str
    remarks: tuple[str, ...] = ()


def mesa_2015(
    *,
    sex: Sex,
    age: float,
    systolic_mmhg: float,
    cholesterol_mg_dl: float,
    hdl_mg_dl: float,
    ethnicity: Literal["white", "african_american", "chinese", "hispanic"] = "white",
    calcium: float | None = None,
    diabetes: bool = False,
    smoker: bool = False,
    pressure_drug: bool = False,
    lipid_drug: bool = False,
    family_history: bool = False,
) -> Risk:
    """Coronary heart disease within 10 years (MESA, McClelland 2015), with the Agatston score where it is known.

    Args:
        ethnicity: as the study named its four groups.
        calcium: Agatston score (with the slice spacing factor); None takes the model without it.
        pressure_drug, lipid_drug: taken now.
        family_history: heart attack of parent, sibling or child.

    Raises:
        Refused: outside 45 to 84 years, 90 to 200 mmHg, 100 to 400 mg/dL total and 15 to 120 mg/dL HDL cholesterol, or
            a negative score.

    >>> round(mesa_2015(sex="M", age=70, systolic_mmhg=130, cholesterol_mg_dl=190, hdl_mg_dl=50, ethnicity="hispanic",
    ...                 pressure_drug=True, calcium=0).percent, 2)
    3.06
    """
    _sex(sex)
    _told(diabetes=diabetes, smoker=smoker, pressure_drug=pressure_drug, lipid_drug=lipid_drug,
          family_history=family_history)  # fmt: skip
    _aged(age, 45, 84, "MESA")
    _within("systolic pressure", systolic_mmhg, 90, 200, "mmHg", "MESA")
    _lipids_mg("MESA", cholesterol_mg_dl, (100, 400), hdl_mg_dl, (15, 120))
    if ethnicity not in ("white", "african_american", "chinese", "hispanic"):
        raise Refused(
            f"ethnicity '{ethnicity}'",
            "MESA has white, african_american, chinese and hispanic",
            "give one of these, or take a model that asks for none",
        )
    if calcium is not None:
        _within("Agatston score", calcium, 0, 20000, "", "MESA")
    table = MESA_2015["without calcium" if calcium is None else "with calcium"]
    total = (
        table["age"] * age + table["male"] * (sex == "M") + table.get(ethnicity, 0.0) + table["diabetes"] * diabetes
        + table["smoker"] * smoker + table["cholesterol"] * cholesterol_mg_dl + table["hdl"] * hdl_mg_dl
        + table["lipid_drug"] * lipid_drug + table["systolic"] * systolic_mmhg
        + table["pressure_drug"] * pressure_drug + table["family"] * family_history
        + table["calcium"] * math.log((calcium or 0.0) + 1.0)
    )  # fmt: skip
    name = "MESA 2015 without calcium" if calcium is None else "MESA 2015 with calcium"
    percent = 100.0 * (1.0 - table["survival"] ** math.exp(total))
    return Risk(name, "coronary heart disease", 10, percent, "McClelland 2015, doi 10.1016/j.jacc.2015.08.035")


def framingham_2008(
    *,
    sex: Sex,
    age: float,
    systolic_mmhg: float,
    cholesterol_mg_dl: float,
    hdl_mg_dl: float,
    diabetes: bool = False,
    smoker: bool = False,
    pressure_drug: bool = False,
) -> Risk:
    """Any cardiovascular disease within 10 years (Framingham, D'Agostino 2008).

    Raises:
        Refused: outside 30 to 74 years, 90 to 200 mmHg, 100 to 405 mg/dL total and 10 to 100 mg/dL HDL cholesterol.
    """
    _sex(sex)
    _told(diabetes=diabetes, smoker=smoker, pressure_drug=pressure_drug)
    _aged(age, 30, 74, "Framingham")
    _within("systolic pressure", systolic_mmhg, 90, 200, "mmHg", "Framingham")
    _lipids_mg("Framingham", cholesterol_mg_dl, (100, 405), hdl_mg_dl, (10, 100))
    table = FRAMINGHAM_2008[sex]
    total = (
        table["age"] * math.log(age) + table["cholesterol"] * math.log(cholesterol_mg_dl)
        + table["hdl"] * math.log(hdl_mg_dl)
        + table["treated" if pressure_drug else "untreated"] * math.log(systolic_mmhg)
        + table["smoker"] * smoker + table["diabetes"] * diabetes
    )  # fmt: skip
    percent = 100.0 * (1.0 - table["survival"] ** math.exp(total - table["mean"]))
    source = "D'Agostino 2008, doi 10.1161/CIRCULATIONAHA.107.699579"
    return Risk("Framingham 2008", "cardiovascular disease", 10, percent, source)


def pce_2013(
    *,
    sex: Sex,
    age: float,
    systolic_mmhg: float,
    cholesterol_mg_dl: float,
    hdl_mg_dl: float,
    ethnicity: Literal["white", "african_american"] = "white",
    diabetes: bool = False,
    smoker: bool = False,
    pressure_drug: bool = False,
) -> Risk:
    """First hard atherosclerotic event within 10 years (pooled cohort equations, Goff 2014).

    Raises:
        Refused: outside 40 to 79 years, 90 to 200 mmHg, 130 to 320 mg/dL total and 20 to 100 mg/dL HDL cholesterol, or
            for a group without an equation of its own.
    """
    _sex(sex)
    _told(diabetes=diabetes, smoker=smoker, pressure_drug=pressure_drug)
    _aged(age, 40, 79, "the pooled cohort equations")
    _within("systolic pressure", systolic_mmhg, 90, 200, "mmHg", "the pooled cohort equations")
    _lipids_mg("the pooled cohort equations", cholesterol_mg_dl, (130, 320), hdl_mg_dl, (20, 100))
    if (sex, ethnicity) not in PCE_2013:
        raise Refused(
            f"ethnicity '{ethnicity}'",
            "the equations are for white and african_american persons",
            "give one of these, or take a model that asks for none",
        )
    table = PCE_2013[sex, ethnicity]
    t, ln_age = table.get, math.log(age)
    ln_cholesterol, ln_hdl, ln_pressure = (math.log(v) for v in (cholesterol_mg_dl, hdl_mg_dl, systolic_mmhg))
    drug = "treated" if pressure_drug else "untreated"
    total = (
        t("age", 0.0) * ln_age + t("age2", 0.0) * ln_age**2
        + (t("cholesterol", 0.0) + t("age_cholesterol", 0.0) * ln_age) * ln_cholesterol
        + (t("hdl", 0.0) + t("age_hdl", 0.0) * ln_age) * ln_hdl
        + (t(drug, 0.0) + t(f"age_{drug}", 0.0) * ln_age) * ln_pressure
        + (t("smoker", 0.0) + t("age_smoker", 0.0) * ln_age) * smoker + t("diabetes", 0.0) * diabetes
    )  # fmt: skip
    percent = 100.0 * (1.0 - table["survival"] ** math.exp(total - table["mean"]))
    source = "Goff 2014, doi 10.1161/01.cir.0000437741.48606.98"
    return Risk("PCE 2013", "atherosclerotic cardiovascular disease", 10, percent, source)


def prevent_2023(
    *,
    sex: Sex,
    age: float,
    systolic_mmhg: float,
    egfr_ml_min: float,
    cholesterol_mg_dl: float | None = None,
    hdl_mg_dl: float | None = None,
    bmi_kg_m2: float | None = None,
    outcome: Literal["CVD", "ASCVD", "HF"] = "CVD",
    years: Literal[10, 30] = 10,
    diabetes: bool = False,
    smoker: bool = False,
    pressure_drug: bool = False,
    statin: bool = False,
) -> Risk:
    """Total cardiovascular disease, its atherosclerotic part, or heart failure (AHA PREVENT, base model, Khan 2024).

    Args:
        egfr_ml_min: estimated glomerular filtration, mL/min/1.73 m².
        cholesterol_mg_dl, hdl_mg_dl: for CVD and ASCVD. bmi_kg_m2: for HF.

    Raises:
        Refused: outside 30 to 79 years (59 for 30 years ahead), 90 to 180 mmHg, 130 to 320 mg/dL total and 20 to
            100 mg/dL HDL cholesterol, 18.5 to 39.9 kg/m², 15 to 140 mL/min, or when a needed value is missing.
    """
    _sex(sex)
    if (outcome, years, sex) not in PREVENT_2023:
        raise Refused(
            f"{outcome} within {years} years",
            "PREVENT gives CVD, ASCVD and HF within 10 or 30 years",
            "ask for one of these",
        )
    _told(diabetes=diabetes, smoker=smoker, pressure_drug=pressure_drug, statin=statin)
    _aged(age, 30, 79 if years == 10 else 59, f"PREVENT, {years} years ahead,")
    _within("systolic pressure", systolic_mmhg, 90, 180, "mmHg", "PREVENT")
    _within("glomerular filtration", egfr_ml_min, 15, 140, "mL/min/1.73 m²", "PREVENT")
    other = bmi = hdl = 0.0
    if bmi_kg_m2 is not None:  # also where the outcome does not use it: the person is outside the published range
        _within("body mass index", bmi_kg_m2, 18.5, 39.9, "kg/m²", "PREVENT")
    if outcome == "HF":
        if bmi_kg_m2 is None:
            raise Refused("no body mass index", "PREVENT needs it for heart failure", "give it")
        bmi = bmi_kg_m2
    else:
        if cholesterol_mg_dl is None or hdl_mg_dl is None:
            raise Refused("no total or HDL cholesterol", f"PREVENT needs both for {outcome}", "give both")
        _lipids_mg("PREVENT", cholesterol_mg_dl, (130, 320), hdl_mg_dl, (20, 100))
        other = MMOL_PER_MG_DL * (cholesterol_mg_dl - hdl_mg_dl) - 3.5
        hdl = (MMOL_PER_MG_DL * hdl_mg_dl - 1.3) / 0.3
    a = (age - 55.0) / 10.0
    low, high = (min(systolic_mmhg, 110.0) - 110.0) / 20.0, (max(systolic_mmhg, 110.0) - 130.0) / 20.0
    lean, heavy = (min(bmi, 30.0) - 25.0) / 5.0, (max(bmi, 30.0) - 30.0) / 5.0
    weak, good = (min(egfr_ml_min, 60.0) - 60.0) / -15.0, (max(egfr_ml_min, 60.0) - 90.0) / -15.0
    terms = (
        1.0, a, a * a, other, hdl, low, high, diabetes, smoker, lean, heavy, weak, good, pressure_drug, statin,
        pressure_drug * high, statin * other, a * other, a * hdl, a * high, a * diabetes, a * smoker, a * heavy,
        a * weak,
    )  # fmt: skip
    total = sum(c * t for c, t in zip(PREVENT_2023[outcome, years, sex], terms, strict=True))
    name = {"CVD": "cardiovascular disease", "ASCVD": "atherosclerotic cardiovascular disease", "HF": "heart failure"}
    percent = 100.0 / (1.0 + math.exp(-total))
    return Risk("PREVENT 2023", name[outcome], years, percent, "Khan 2024, doi 10.1161/CIRCULATIONAHA.123.067626")


def score2(
    *,
    sex: Sex,
    age: float,
    systolic_mmhg: float,
    cholesterol_mmol_l: float,
    hdl_mmol_l: float,
    region: Region = "low",
    smoker: bool = False,
    diabetes: bool = False,
) -> Risk:
    """Fatal and non-fatal cardiovascular disease within 10 years, 40 to 69 years of age (ESC SCORE2, 2021).

    Args:
        region: risk region of the country (ESC 2021).

    Raises:
        Refused: outside 40 to 69 completed years, 90 to 200 mmHg, 2.5 to 10 mmol/L total and 0.4 to 3 mmol/L HDL
            cholesterol.

    >>> one = dict(age=50, systolic_mmhg=140, cholesterol_mmol_l=6.3, hdl_mmol_l=1.4, smoker=True)
    >>> round(score2(sex="F", **one).percent, 1)
    4.3
    """
    _told(diabetes=diabetes, smoker=smoker)
    _aged(age, 40, 69, "SCORE2", "use SCORE2-OP from 70 on" if age >= 70 else "")
    area = _europe("SCORE2", sex, region, systolic_mmhg, cholesterol_mmol_l, hdl_mmol_l)
    scaled = ((age - 60.0) / 5.0, (systolic_mmhg - 120.0) / 20.0, cholesterol_mmol_l - 6.0, (hdl_mmol_l - 1.3) / 0.5)
    total = _european_sum(SCORE2_2021[sex], *scaled, smoker, diabetes)
    survival = SCORE2_2021["survival"]["MF".index(sex)]
    percent = _recalibrated(survival, total, SCORE2_2021[f"{sex} {area}"])
    return Risk("SCORE2", "cardiovascular disease", 10, percent, "SCORE2 2021, doi 10.1093/eurheartj/ehab309",
                _sugar(diabetes))  # fmt: skip


def score2_op(
    *,
    sex: Sex,
    age: float,
    systolic_mmhg: float,
    cholesterol_mmol_l: float,
    hdl_mmol_l: float,
    region: Region = "low",
    smoker: bool = False,
    diabetes: bool = False,
) -> Risk:
    """The same for persons of 70 to 89 years (ESC SCORE2-OP, 2021), with competing death taken into account.

    Raises:
        Refused: outside 70 to 89 years, 90 to 200 mmHg, 2.5 to 10 mmol/L total and 0.4 to 3 mmol/L HDL cholesterol.
    """
    _told(diabetes=diabetes, smoker=smoker)
    _aged(age, 70, 89, "SCORE2-OP", "use SCORE2 below 70" if age < 70 else "")
    area = _europe("SCORE2-OP", sex, region, systolic_mmhg, cholesterol_mmol_l, hdl_mmol_l)
    scaled = (age - 73.0, systolic_mmhg - 150.0, cholesterol_mmol_l - 6.0, hdl_mmol_l - 1.4)
    total = _european_sum(SCORE2_OP_2021[sex], *scaled, smoker, diabetes)
    which = "MF".index(sex)
    centred = total - SCORE2_OP_2021["mean"][which]
    percent = _recalibrated(SCORE2_OP_2021["survival"][which], centred, SCORE2_OP_2021[f"{sex} {area}"])
    return Risk("SCORE2-OP", "cardiovascular disease", 10, percent, "SCORE2-OP 2021, doi 10.1093/eurheartj/ehab312",
                _sugar(diabetes))  # fmt: skip


def esc_class(percent: float, age: float) -> str:
    """Class of a SCORE2 or SCORE2-OP risk by age (ESC prevention guideline 2021).

    >>> esc_class(6.3, 50), esc_class(6.3, 45), esc_class(19.0, 75)
    ('high', 'high', 'very high')
    """
    middle, upper = (2.5, 7.5) if age < 50 else (5.0, 10.0) if age < 70 else (7.5, 15.0)
    return "low to moderate" if percent < middle else "high" if percent < upper else "very high"


def _sugar(diabetes: bool) -> tuple[str, ...]:
    return ("made for persons without diabetes; ESC has SCORE2-Diabetes for the others",) if diabetes else ()


def _european_sum(
    c: tuple[float, ...], a: float, pressure: float, cholesterol: float, hdl: float, smoker: bool, diabetes: bool
) -> float:
    plain = (a, smoker, pressure, diabetes, cholesterol, hdl)
    crossed = (a * smoker, a * pressure, a * diabetes, a * cholesterol, a * hdl)
    return sum(k * v for k, v in zip(c, (*plain, *crossed), strict=True))


def _recalibrated(survival: float, total: float, scale: tuple[float, ...]) -> float:
    raw = 1.0 - survival ** math.exp(total)
    return 100.0 * (1.0 - math.exp(-math.exp(scale[0] + scale[1] * math.log(-math.log(1.0 - raw)))))


def _europe(model: str, sex: str, region: str, systolic: float, cholesterol: float, hdl: float) -> str:
    """Refuses what the European models are not for; the region as their tables have it."""
    _sex(sex)
    area = region.replace("_", " ").replace("-", " ")
    if area not in ("low", "moderate", "high", "very high"):
        raise Refused(f"region '{region}'", "it is low, moderate, high or very high", "name one of these")
    _within("systolic pressure", systolic, 90, 200, "mmHg", model)
    for name, value, low, high in (("total cholesterol", cholesterol, 2.5, 10.0), ("HDL cholesterol", hdl, 0.4, 3.0)):
        hint = f"divide mg/dL by {1 / MMOL_PER_MG_DL:.2f}" if value > 12 * low else ""
        _within(name, value, low, high, "mmol/L", model, hint)
    _part_of_whole(hdl, cholesterol, "mmol/L")
    return area


def _lipids_mg(
    model: str, cholesterol: float, within: tuple[float, float], hdl: float, hdl_within: tuple[float, float]
) -> None:
    for name, value, (low, high) in (("total cholesterol", cholesterol, within), ("HDL cholesterol", hdl, hdl_within)):
        hint = f"multiply mmol/L by {1 / MMOL_PER_MG_DL:.2f}" if 0 < value < low / 5 else ""
        _within(name, value, low, high, "mg/dL", model, hint)
    _part_of_whole(hdl, cholesterol, "mg/dL")


def _part_of_whole(hdl: float, cholesterol: float, unit: str) -> None:
    if hdl >= cholesterol:
        raise Refused(
            f"HDL cholesterol {hdl:g} {unit} of {cholesterol:g} {unit} in all",
            "a part is less than the whole",
            "correct one of them, or exchange them",
        )


def _within(what: str, value: float, low: float, high: float, unit: str, model: str, do: str = "") -> None:
    _must_be_known(what, value, model)
    if not low <= value <= high:  # also when it is not a number
        raise Refused(
            f"{what} {value:g} {unit}".rstrip(), f"the range of {model} is {low:g} to {high:g} {unit}".rstrip(),
            do or "check the value and its unit; where both are right, take a model that was made for such people",
        )  # fmt: skip


def _must_be_known(what: str, value: float | None, model: str) -> None:
    if value is None:
        raise Refused(f"no {what}", f"{model} needs it", "give it")


def _aged(age: float, low: int, high: int, model: str, do: str = "") -> None:
    """Refuse an age outside of completed years: a person of 74 and a half is 74."""
    _must_be_known("age", age, model)
    if not low <= age < high + 1:  # also when it is not a number
        _within("age", age, low, high, "years", model, do)


def _told(**said: bool) -> None:
    """Refuse what is neither yes nor no: a code of 2 would count twice, and what is missing would give no number."""
    for name, value in said.items():
        if value not in (True, False):
            what = name.replace("_", " ")
            raise Refused(f"{what} '{value}'", "it is yes or no", "give True or False")


def _sex(sex: str) -> None:
    if sex not in ("M", "F"):
        raise Refused(f"sex '{sex}'", "the model has one equation for men (M) and one for women (F)", "give M or F")
