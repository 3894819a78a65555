"""The command of cardiovascular risk: one person, one published model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isocenter.cli import Json, app

if TYPE_CHECKING:
    from isocenter.methods.risk import Risk

__all__: list[str] = []

_US, _EUROPE = ("mesa", "framingham", "pce", "prevent"), ("score2", "score2-op")
_ASKED_BY = {
    "egfr": ("prevent",), "bmi": ("prevent",), "calcium": ("mesa",), "ethnicity": ("mesa", "pce"), "region": _EUROPE,
    "pressure-drug": _US, "statin": ("mesa", "prevent"), "family-history": ("mesa",),
}  # fmt: skip
_REGIONS, _ETHNICITY = ("low", "moderate", "high", "very high"), "white"  # the first is taken where none is given
# As people, headers and tables write it; the first word is the model's.
_SAID: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "sex": {"M": ("male", "man"), "F": ("female", "woman")},
    "model": {"score2-op": ("score2op",)},
    "ethnicity": {"african_american": ("black", "african")},
}


@app.command()
def risk(
    model: Annotated[str, typer.Option(metavar="mesa|framingham|pce|prevent|score2|score2-op", help="By which model.")],
    sex: Annotated[str, typer.Option(metavar="M|F", help="Male or female, as the models know it.")],
    age: Annotated[float, typer.Option(help="Years of age.")],
    systolic: Annotated[float, typer.Option(help="Systolic pressure, mmHg.")],
    cholesterol: Annotated[float | None, typer.Option(help="Total cholesterol, in --unit.")] = None,
    hdl: Annotated[float | None, typer.Option(help="HDL cholesterol, in --unit.")] = None,
    unit: Annotated[
        str, typer.Option(metavar="mg/dL|mmol/L", help="Of cholesterol; by default what the model was published in.")
    ] = "",
    outcome: Annotated[str, typer.Option(metavar="CVD|ASCVD|HF", help="PREVENT: which outcome.")] = "CVD",
    years: Annotated[int, typer.Option(help="PREVENT: 10 or 30.")] = 10,
    egfr: Annotated[float | None, typer.Option(help="PREVENT: glomerular filtration, mL/min/1.73 m2.")] = None,
    bmi: Annotated[float | None, typer.Option(help="PREVENT, heart failure: kg/m2.")] = None,
    calcium: Annotated[float | None, typer.Option(help="MESA: Agatston score.")] = None,
    ethnicity: Annotated[
        str,
        typer.Option(
            metavar="white|african_american|chinese|hispanic",
            help="MESA, and the first two of PCE; without it white, and the answer says so.",
        ),
    ] = "",
    region: Annotated[
        str,
        typer.Option(
            metavar="low|moderate|high|very high",
            help="SCORE2: risk region of the country; without it low, and the answer says what the others give.",
        ),
    ] = "",
    diabetes: Annotated[bool, typer.Option("--diabetes/--no-diabetes", help="Has diabetes.")] = False,
    smoker: Annotated[bool, typer.Option("--smoker/--no-smoker", help="Smokes now.")] = False,
    pressure_drug: Annotated[
        bool, typer.Option("--pressure-drug/--no-pressure-drug", help="Takes drugs against high pressure.")
    ] = False,
    statin: Annotated[
        bool, typer.Option("--statin/--no-statin", help="Takes a statin (MESA: any lipid drug).")
    ] = False,
    family_history: Annotated[
        bool, typer.Option("--family-history/--no-family-history", help="MESA: heart attack in the family.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Cardiovascular risk of one person by a published model; what lies outside its range is refused."""
    from isocenter.cli.screen import Screen
    from isocenter.errors import Refused
    from isocenter.methods import risk as models

    model, sex, ethnicity = _word("model", model), _word("sex", sex).upper(), _word("ethnicity", ethnicity)
    region, outcome = region.strip().lower(), outcome.strip().upper()
    if model not in (*_US, *_EUROPE):
        raise Refused(f"model '{model}'", f"there are {', '.join((*_US, *_EUROPE))}", "name one of them")
    if model != "prevent" and (outcome, years) != ("CVD", 10):
        raise Refused(
            f"{outcome} within {years} years by {model}", "outcome and years are asked of PREVENT alone",
            "leave them out, or take --model prevent",
        )  # fmt: skip
    total, good = _in_unit(model, cholesterol, unit), _in_unit(model, hdl, unit)
    given: dict[str, Any] = {"sex": sex, "age": age, "systolic_mmhg": systolic, "diabetes": diabetes, "smoker": smoker}
    if model != "prevent" and (total is None or good is None):
        raise Refused("no total or HDL cholesterol", f"{model} needs both", "give --cholesterol and --hdl")
    if model in _EUROPE:
        ask = models.score2 if model == "score2" else models.score2_op
        given |= {"cholesterol_mmol_l": total, "hdl_mmol_l": good}
        found = ask(**given | {"region": region or _REGIONS[0]})
        if not region:
            others = ", ".join(f"{one} {ask(**given | {'region': one}).percent:.1f} %" for one in _REGIONS[1:])
            found = _beside(found, f"no --region was given: {_REGIONS[0]} was taken; by the others it is {others}")
    else:
        given |= {"cholesterol_mg_dl": total, "hdl_mg_dl": good, "pressure_drug": pressure_drug}
        if model == "mesa":
            given |= {"ethnicity": ethnicity or _ETHNICITY, "calcium": calcium, "lipid_drug": statin}
            found = models.mesa_2015(**given, family_history=family_history)
        elif model == "framingham":
            found = models.framingham_2008(**given)
        elif model == "pce":
            found = models.pce_2013(**given | {"ethnicity": ethnicity or _ETHNICITY})
        elif egfr is None:
            raise Refused("no glomerular filtration", "PREVENT needs it", "give --egfr")
        else:
            given |= {"egfr_ml_min": egfr, "bmi_kg_m2": bmi, "outcome": outcome, "years": years, "statin": statin}
            found = models.prevent_2023(**given)
    if not ethnicity and model in _ASKED_BY["ethnicity"]:
        found = _beside(found, f"no --ethnicity was given: {_ETHNICITY} was taken, and {found.model} depends on it")
    said = {
        "egfr": egfr is not None, "bmi": bmi is not None, "calcium": calcium is not None,
        "ethnicity": bool(ethnicity), "region": bool(region), "pressure-drug": pressure_drug,
        "statin": statin, "family-history": family_history,
    }  # fmt: skip
    if unused := [f"--{name}" for name, given_ in said.items() if given_ and model not in _ASKED_BY[name]]:
        found = _beside(found, f"{', '.join(unused)}: not used, {found.model} does not ask it")
    screen = Screen(as_json)
    held = models.esc_class(found.percent, age) if model in _EUROPE else ""
    screen.answer({"risk": found, "class": held})
    screen.say(f"{found.percent:.1f} % {found.outcome} within {found.years} years, {found.model}")
    for line in (f"class by ESC 2021: {held}" if held else "", *found.remarks, f"after {found.source}"):
        if line:
            screen.say(f"   {line}")


def _beside(found: Risk, remark: str) -> Risk:
    return replace(found, remarks=(*found.remarks, remark))


def _word(option: str, said: str) -> str:
    """A word of an option as the models have it, whatever its case and its hyphens."""
    plain = said.strip().lower()
    for word, others in _SAID[option].items():
        if plain == word.lower() or plain in others:
            return word
    return plain.replace("-", "_").replace(" ", "_") if option == "ethnicity" else plain


def _in_unit(model: str, value: float | None, unit: str) -> float | None:
    """A cholesterol in the unit in which the model was published."""
    from isocenter.errors import Refused
    from isocenter.methods.risk import MMOL_PER_MG_DL

    wanted = "mmol/L" if model in _EUROPE else "mg/dL"
    named = {"": wanted, "mg/dl": "mg/dL", "mmol/l": "mmol/L"}.get(unit.lower().replace(" ", ""))
    if named is None:
        raise Refused(f"unit '{unit}'", "cholesterol is given in mg/dL or mmol/L", "give one of these with --unit")
    if value is None or named == wanted:
        return value
    return value * MMOL_PER_MG_DL if wanted == "mmol/L" else value / MMOL_PER_MG_DL
