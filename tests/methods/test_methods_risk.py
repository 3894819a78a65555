"""Risk models against their published worked examples, and everything outside their ranges."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import risk, risk_tables


@pytest.fixture(scope="module")
def published(reference: Path) -> dict[str, Any]:
    file = reference / "risk-scores" / "models.json"
    if not file.is_file():
        pytest.skip("risk-scores is not among the reference data")
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def test_mesa(published: dict[str, Any]) -> None:
    e = published["MESA_2015"]["example"]
    found = risk.mesa_2015(
        sex="M", age=e["age"], systolic_mmhg=e["sbp"], cholesterol_mg_dl=e["tc"], hdl_mg_dl=e["hdl"],
        ethnicity="hispanic", pressure_drug=True, calcium=e["cac"],
    )  # fmt: skip
    assert round(found.percent, 2) == e["risk_percent"]
    assert found.model == "MESA 2015 with calcium"


def test_framingham(published: dict[str, Any]) -> None:
    e = published["Framingham_2008"]["example"]
    found = risk.framingham_2008(
        sex="M", age=e["age"], systolic_mmhg=e["sbp_untreated"], cholesterol_mg_dl=e["tc"], hdl_mg_dl=e["hdl"]
    )
    assert round(found.percent, 2) == e["risk_percent"]


@pytest.mark.parametrize(
    ("sex", "ethnicity", "guideline", "exact"),
    [("F", "white", 2.1, 2.05), ("F", "african_american", 3.0, 3.03), ("M", "white", 5.3, 5.38),
     ("M", "african_american", 6.1, 6.07)],
)  # fmt: skip
def test_pooled_cohorts(sex: Any, ethnicity: Any, guideline: float, exact: float) -> None:
    found = risk.pce_2013(sex=sex, age=55, systolic_mmhg=120, cholesterol_mg_dl=213, hdl_mg_dl=50, ethnicity=ethnicity)
    assert round(found.percent, 2) == pytest.approx(exact, abs=0.0051)
    assert found.percent == pytest.approx(guideline, abs=0.1)  # the guideline rounded its intermediate sums


_ONE = {"age": 50, "systolic_mmhg": 160, "cholesterol_mg_dl": 200, "hdl_mg_dl": 45, "bmi_kg_m2": 35, "egfr_ml_min": 90}


@pytest.mark.parametrize(
    ("outcome", "years", "woman", "man"),
    [("CVD", 10, 14.7, 16.3), ("ASCVD", 10, 9.2, 10.2), ("HF", 10, 8.1, 10.6), ("CVD", 30, 53.0, 51.4)],
)
def test_prevent(outcome: Any, years: Any, woman: float, man: float) -> None:
    for sex, printed in (("F", woman), ("M", man)):
        found = risk.prevent_2023(sex=sex, outcome=outcome, years=years, diabetes=True, pressure_drug=True, **_ONE)  # type: ignore[arg-type]
        assert round(found.percent, 1) == printed


def test_prevent_of_each_part_within_thirty_years() -> None:
    """As preventr 0.11 prints of the same woman: the atherosclerotic part, and heart failure."""
    for outcome, printed in (("ASCVD", 35.4), ("HF", 39.0)):
        found = risk.prevent_2023(sex="F", outcome=outcome, years=30, diabetes=True, pressure_drug=True, **_ONE)  # type: ignore[arg-type]
        assert round(found.percent, 1) == printed


def test_prevent_as_in_the_paper() -> None:
    # Khan 2024, page 441: woman of 50 years, 240 and 55 mg/dL, 160 mmHg treated, no diabetes, eGFR 90, BMI 35.
    one = {**_ONE, "cholesterol_mg_dl": 240, "hdl_mg_dl": 55}
    for outcome, plain, smoking in (("CVD", 5.4, None), ("ASCVD", 3.6, 6.0), ("HF", 2.5, 4.7)):
        ask = {"sex": "F", "outcome": outcome, "pressure_drug": True, **one}
        assert round(risk.prevent_2023(**ask).percent, 1) == plain  # type: ignore[arg-type]
        if smoking is not None:
            assert round(risk.prevent_2023(smoker=True, **ask).percent, 1) == smoking  # type: ignore[arg-type]


def test_score2(published: dict[str, Any]) -> None:
    e = published["SCORE2_2021"]["example_50y_smoker_sbp140_tc6.3_hdl1.4"]
    for sex, printed in (("M", e["men_percent"]), ("F", e["women_percent"])):
        for region, value in printed.items():
            found = risk.score2(
                sex=sex, age=50, systolic_mmhg=140, cholesterol_mmol_l=6.3, hdl_mmol_l=1.4,
                region=region.replace("_", " "), smoker=True,
            )  # fmt: skip
            assert round(found.percent, 1) == value, (sex, region)


def test_a_region_is_known_however_it_is_written() -> None:
    one = {"sex": "M", "age": 50, "systolic_mmhg": 140, "cholesterol_mmol_l": 6.3, "hdl_mmol_l": 1.4, "smoker": True}
    found = {round(risk.score2(**one, region=r).percent, 1) for r in ("very high", "very_high", "very-high")}  # type: ignore[arg-type]
    assert found == {15.1}


def test_score2_op(published: dict[str, Any]) -> None:
    e = published["SCORE2_OP_2021"]["example_75y_smoker_sbp140_tc5.5_hdl1.3_low"]
    for sex, printed in (("M", e["men"]), ("F", e["women"])):
        found = risk.score2_op(sex=sex, age=75, systolic_mmhg=140, cholesterol_mmol_l=5.5, hdl_mmol_l=1.3, smoker=True)  # type: ignore[arg-type]
        assert round(found.percent) == printed


@pytest.mark.parametrize(("age", "older"), [(69.0, False), (69.5, False), (69.99, False), (70.0, True)])
def test_an_age_in_parts_of_a_year_has_one_european_model(age: float, older: bool) -> None:
    """Between 69 and 70 each of the two once sent to the other."""
    for model, its in ((risk.score2, not older), (risk.score2_op, older)):
        if its:
            assert model(**{**_EU, "age": age}).percent > 0  # type: ignore[arg-type]
        else:
            with pytest.raises(Refused, match="Use SCORE2"):
                model(**{**_EU, "age": age})  # type: ignore[arg-type]


def test_the_tables_are_the_published_ones(published: dict[str, Any]) -> None:
    for ours, theirs in (("without calcium", "no_cac"), ("with calcium", "with_cac")):
        coefficients = published["MESA_2015"][theirs]["coef"]
        assert risk_tables.MESA_2015[ours]["survival"] == published["MESA_2015"][theirs]["S0"]
        assert sorted(v for v in coefficients.values()) == sorted(
            v for k, v in risk_tables.MESA_2015[ours].items() if k != "survival" and v
        )
    for sex, name in (("M", "men"), ("F", "women")):
        assert sorted(risk_tables.FRAMINGHAM_2008[sex].values()) == sorted(published["Framingham_2008"][name].values())
        for ethnicity, prefix in (("white", "white"), ("african_american", "aa")):
            listed = published["PCE_2013"][f"{prefix}_{name}"]
            assert sorted(risk_tables.PCE_2013[sex, ethnicity].values()) == sorted(listed.values())
        for ours, key in ((risk_tables.SCORE2_2021, "SCORE2_2021"), (risk_tables.SCORE2_OP_2021, "SCORE2_OP_2021")):
            listed = published[key][name]
            assert sorted(ours[sex]) == sorted(listed["coef"])
            assert ours["survival"]["MF".index(sex)] == listed["S0"]
            for region, scale in listed["scales"].items():
                assert list(ours[f"{sex} {region.replace('_', ' ')}"]) == scale


@pytest.mark.parametrize(
    ("key", "ask", "middle"),
    [
        ("SCORE2_2021", risk.score2, (60, 5, 120, 20, 6, 1, 1.3, 0.5)),
        ("SCORE2_OP_2021", risk.score2_op, (73, 1, 150, 1, 6, 1, 1.4, 1)),
    ],
)
def test_every_coefficient_stands_in_its_place(published: dict[str, Any], key: str, ask: Any, middle: Any) -> None:
    """The sum written out in the order of the reference, of smokers and of people with diabetes."""
    table, age = published[key], 52.0 if key == "SCORE2_2021" else 81.0
    scaled = [(v - m) / s for v, m, s in zip((age, 151.0, 6.4, 1.1), middle[::2], middle[1::2], strict=True)]
    for sex, name in (("M", "men"), ("F", "women")):
        for smoker in (False, True):
            for diabetes in (False, True):
                value = {**dict(zip("asch", scaled, strict=True)), "smk": smoker, "dm": diabetes}
                total = sum(
                    c * np.prod([float(value[part]) for part in term.split("*")])
                    for term, c in zip(table["order"], table[name]["coef"], strict=True)
                )
                hazard = -np.log(table[name]["S0"]) * np.exp(total - table[name].get("mean", 0.0))
                first, second = table[name]["scales"]["high"]
                expected = 100 * (1 - np.exp(-np.exp(first + second * np.log(hazard))))
                one = {"systolic_mmhg": 151.0, "cholesterol_mmol_l": 6.4, "hdl_mmol_l": 1.1, "region": "high"}
                found = ask(sex=sex, age=age, smoker=smoker, diabetes=diabetes, **one)
                assert found.percent == pytest.approx(expected, rel=1e-12)


def test_diabetes_is_remarked_in_score2() -> None:
    one = {"sex": "M", "age": 60, "systolic_mmhg": 130, "cholesterol_mmol_l": 5.0, "hdl_mmol_l": 1.2}
    assert risk.score2(**one, diabetes=True).percent > risk.score2(**one).percent  # type: ignore[arg-type]
    assert "SCORE2-Diabetes" in risk.score2(**one, diabetes=True).remarks[0]  # type: ignore[arg-type]
    assert risk.score2(**one).remarks == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("percent", "age", "named"),
    [(2.4, 45, "low to moderate"), (2.5, 45, "high"), (7.5, 45, "very high"), (4.9, 60, "low to moderate"),
     (5, 60, "high"), (10, 60, "very high"), (7.4, 80, "low to moderate"), (7.5, 80, "high"), (15, 80, "very high")],
)  # fmt: skip
def test_classes_by_age(percent: float, age: float, named: str) -> None:
    assert risk.esc_class(percent, age) == named


_US = {"sex": "M", "age": 55, "systolic_mmhg": 130, "cholesterol_mg_dl": 200, "hdl_mg_dl": 50}
_EU = {"sex": "M", "age": 55, "systolic_mmhg": 130, "cholesterol_mmol_l": 5.2, "hdl_mmol_l": 1.3}
_US_MODELS = (risk.mesa_2015, risk.framingham_2008, risk.pce_2013)


@pytest.mark.parametrize("model", _US_MODELS)
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"age": 25}, "age 25 years: the range of .* is \\d+ to \\d+ years"),
        ({"age": 95}, "age 95 years"),
        ({"systolic_mmhg": 60}, "60 mmHg.*90 to 200 mmHg"),
        ({"systolic_mmhg": float("nan")}, "nan mmHg"),
        ({"cholesterol_mg_dl": 5.2}, "5.2 mg/dL.*Multiply mmol/L by 38.67"),
        ({"hdl_mg_dl": 1.3}, "1.3 mg/dL.*Multiply mmol/L by 38.67"),
        ({"cholesterol_mg_dl": 900}, "900 mg/dL"),
        ({"sex": "O"}, "sex 'O'"),
    ],
)
def test_american_ranges(model: Any, changed: dict[str, Any], words: str) -> None:
    assert 0 < model(**_US).percent < 100
    with pytest.raises(Refused, match=words):
        model(**{**_US, **changed})


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: risk.mesa_2015(**_US, calcium=-1), "Agatston score -1"),  # type: ignore[arg-type]
        (lambda: risk.mesa_2015(**_US, ethnicity="other"), "ethnicity 'other'"),  # type: ignore[arg-type]
        (lambda: risk.pce_2013(**_US, ethnicity="chinese"), "white and african_american"),  # type: ignore[arg-type]
        (lambda: risk.mesa_2015(**{**_US, "cholesterol_mg_dl": 100, "hdl_mg_dl": 110}), "less than the whole"),  # type: ignore[arg-type]
        (lambda: risk.prevent_2023(**{**_US, "age": 65}, egfr_ml_min=90, years=30), "30 to 59 years"),  # type: ignore[arg-type]
        (lambda: risk.prevent_2023(**{**_US, "systolic_mmhg": 185}, egfr_ml_min=90), "90 to 180 mmHg"),  # type: ignore[arg-type]
        (lambda: risk.prevent_2023(**_US, egfr_ml_min=5), "15 to 140 mL/min"),  # type: ignore[arg-type]
        (lambda: risk.prevent_2023(**_US, egfr_ml_min=90, outcome="HF"), "no body mass index"),  # type: ignore[arg-type]
        (lambda: risk.prevent_2023(**_US, egfr_ml_min=90, outcome="HF", bmi_kg_m2=42), "18.5 to 39.9"),  # type: ignore[arg-type]
        (lambda: risk.prevent_2023(**_US, egfr_ml_min=90, outcome="CHD"), "CVD, ASCVD and HF"),  # type: ignore[arg-type]
        (lambda: risk.prevent_2023(sex="M", age=55, systolic_mmhg=130, egfr_ml_min=90), "no total or HDL"),
        (lambda: risk.prevent_2023(**{**_US, "cholesterol_mg_dl": 5.2}, egfr_ml_min=90), "Multiply mmol/L"),  # type: ignore[arg-type]
        (lambda: risk.score2(**{**_EU, "age": 71}), "Use SCORE2-OP"),  # type: ignore[arg-type]
        (lambda: risk.score2_op(**{**_EU, "age": 65}), "Use SCORE2 below 70"),  # type: ignore[arg-type]
        (lambda: risk.score2_op(**{**_EU, "age": 93}), "70 to 89"),  # type: ignore[arg-type]
        (lambda: risk.score2(**{**_EU, "cholesterol_mmol_l": 200}), "200 mmol/L.*Divide mg/dL by 38.67"),  # type: ignore[arg-type]
        (lambda: risk.score2(**{**_EU, "hdl_mmol_l": 50}), "50 mmol/L.*Divide mg/dL"),  # type: ignore[arg-type]
        (
            lambda: risk.score2(**{**_EU, "cholesterol_mmol_l": 2.5, "hdl_mmol_l": 2.6}),
            "2.6 mmol/L.*less than the whole",
        ),  # type: ignore[arg-type]
        (lambda: risk.prevent_2023(**_US, egfr_ml_min=90, outcome="CVD", bmi_kg_m2=50), "50 kg/m².*18.5 to 39.9"),  # type: ignore[arg-type]
        (lambda: risk.score2(**{**_EU, "systolic_mmhg": 260}), "260 mmHg"),  # type: ignore[arg-type]
        (lambda: risk.score2(**_EU, region="mars"), "region 'mars'"),  # type: ignore[arg-type]
        (lambda: risk.score2(**{**_EU, "sex": "X"}), "sex 'X'"),  # type: ignore[arg-type]
    ],
)
def test_what_is_refused(ask: Any, words: str) -> None:
    with pytest.raises(Refused, match=words):
        ask()


@pytest.mark.parametrize(
    ("ask", "last"), [(risk.mesa_2015, 84), (risk.framingham_2008, 74), (risk.pce_2013, 79), (risk.score2_op, 89)]
)
def test_a_person_is_as_old_as_the_years_completed(ask: Any, last: int) -> None:
    """74 and a half was outside of 30 to 74."""
    person = _EU if ask is risk.score2_op else _US
    assert ask(**{**person, "age": last + 0.5}).percent > ask(**{**person, "age": last}).percent
    with pytest.raises(Refused, match=f"to {last} years"):
        ask(**{**person, "age": last + 1})


@pytest.mark.parametrize(("value", "words"), [(2, "'2'"), (float("nan"), "'nan'"), ("no", "'no'"), (None, "'None'")])
def test_what_is_neither_yes_nor_no_is_refused(value: Any, words: str) -> None:
    """A smoker coded 2 counted twice, and a missing one gave a risk of nan."""
    with pytest.raises(Refused, match=f"smoker {words}.*yes or no"):
        risk.framingham_2008(**_US, smoker=value)  # type: ignore[arg-type]
    assert risk.framingham_2008(**_US, smoker=np.True_).percent > risk.framingham_2008(**_US).percent  # type: ignore[arg-type]


def test_what_is_not_known_is_named() -> None:
    with pytest.raises(Refused, match="no systolic pressure: Framingham needs it"):
        risk.framingham_2008(**{**_US, "systolic_mmhg": None})  # type: ignore[arg-type]
