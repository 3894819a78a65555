"""The command of risk says what the published examples say, in either unit, and refuses what they do not hold for."""

import json

import pytest
from typer.testing import CliRunner

from isocenter.cli import app
from isocenter.errors import Refused

PREVENT = ["--model", "prevent", "--age", "50", "--systolic", "160", "--cholesterol", "200", "--hdl", "45", "--egfr",
           "90", "--bmi", "35", "--diabetes", "--pressure-drug"]  # fmt: skip
SCORE2 = ["--model", "score2", "--age", "50", "--sex", "M", "--systolic", "140", "--smoker"]


def asked(*words: str) -> dict:  # type: ignore[type-arg]
    done = CliRunner().invoke(app, ["risk", *words, "--json"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("more", "printed"),
    [(["--sex", "F"], 14.7), (["--sex", "M", "--outcome", "HF"], 10.6), (["--sex", "F", "--years", "30"], 53.0)],
)
def test_prevent(more: list[str], printed: float) -> None:
    assert round(asked(*PREVENT, *more)["risk"]["percent"], 1) == printed


def test_either_unit() -> None:
    for words in (["--cholesterol", "6.3", "--hdl", "1.4"],
                  ["--cholesterol", str(6.3 / 0.02586), "--hdl", str(1.4 / 0.02586), "--unit", "mg/dL"]):  # fmt: skip
        said = asked(*SCORE2, *words)
        assert round(said["risk"]["percent"], 1) == 6.3 and said["class"] == "high"


def test_the_other_models() -> None:
    mesa = ["--sex", "M", "--age", "70", "--systolic", "130", "--cholesterol", "190", "--hdl", "50"]
    with_score = asked("--model", "mesa", *mesa, "--ethnicity", "hispanic", "--pressure-drug", "--calcium", "0")
    assert round(with_score["risk"]["percent"], 2) == 3.06
    man = ["--sex", "M", "--age", "55", "--systolic", "140", "--cholesterol", "213", "--hdl", "50"]
    assert round(asked("--model", "framingham", *man)["risk"]["percent"], 2) == 13.53
    woman = ["--sex", "F", "--age", "55", "--systolic", "120", "--cholesterol", "213", "--hdl", "50"]
    assert round(asked("--model", "pce", *woman)["risk"]["percent"], 2) == 2.05
    old = ["--sex", "F", "--age", "75", "--systolic", "140", "--cholesterol", "5.5", "--hdl", "1.3", "--smoker"]
    assert round(asked("--model", "score2-op", *old)["risk"]["percent"]) == 15


def test_what_a_model_does_not_ask_is_told() -> None:
    """A score of calcium was taken by the pooled cohort equations without a word, and changed nothing."""
    man = ["--model", "pce", "--sex", "M", "--age", "55", "--systolic", "120", "--cholesterol", "213", "--hdl", "50"]
    plain = asked(*man, "--ethnicity", "african_american", "--pressure-drug")["risk"]
    assert plain["remarks"] == []
    more = asked(*man, "--ethnicity", "african_american", "--pressure-drug", "--calcium", "0", "--statin")["risk"]
    assert more["percent"] == plain["percent"]
    assert more["remarks"] == ["--calcium, --statin: not used, PCE 2013 does not ask it"]
    for words in (["--years", "30"], ["--outcome", "HF"]):
        with pytest.raises(Refused, match="asked of PREVENT alone"):
            asked(*man, *words)


def test_what_was_taken_for_granted_is_told() -> None:
    """The region of a country more than doubles the risk; the lowest was taken without a word."""
    person = [*SCORE2, "--cholesterol", "6.3", "--hdl", "1.4"]
    (told,) = asked(*person)["risk"]["remarks"]
    others = [asked(*person, "--region", one)["risk"] for one in ("moderate", "high", "very high")]
    assert [one["remarks"] for one in others] == [[]] * 3
    assert all(f" {one['percent']:.1f} %" in told for one in others) and "low was taken" in told
    man = ["--sex", "M", "--age", "55", "--systolic", "120", "--cholesterol", "213", "--hdl", "50"]
    for model in ("pce", "mesa"):
        (told,) = asked("--model", model, *man)["risk"]["remarks"]
        assert "white was taken" in told
        assert asked("--model", model, *man, "--ethnicity", "white")["risk"]["remarks"] == []
    assert asked("--model", "framingham", *man)["risk"]["remarks"] == []


def test_for_people() -> None:
    done = CliRunner().invoke(app, ["risk", *SCORE2, "--cholesterol", "6.3", "--hdl", "1.4"])
    assert (
        "6.3 % cardiovascular disease within 10 years, SCORE2" in done.output
        and "class by ESC 2021: high" in done.output
    )


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ([*SCORE2, "--cholesterol", "200", "--hdl", "50"], "Divide mg/dL"),
        ([*SCORE2, "--cholesterol", "6.3"], "no total or HDL"),
        ([*SCORE2, "--cholesterol", "6.3", "--hdl", "1.4", "--unit", "g/l"], "unit 'g/l'"),
        ([*SCORE2, "--cholesterol", "6.3", "--hdl", "1.4", "--systolic", "260"], "Check the value and its unit"),
        ([*PREVENT[:-6], "--sex", "F"], "glomerular filtration"),
        (["--model", "grace", "--sex", "F", "--age", "50", "--systolic", "120"], "model 'grace'"),
    ],
)
def test_what_is_refused(words: list[str], refusal: str) -> None:
    with pytest.raises(Refused, match=refusal):
        asked(*words)


@pytest.mark.parametrize(
    ("words", "as_if"),
    [
        (["--sex", "male"], ["--sex", "M"]), (["--sex", "f"], ["--sex", "F"]), (["--sex", "Female"], ["--sex", "F"]),
        (["--sex", "M", "--model", "MESA"], ["--sex", "M"]),
        (["--sex", "M", "--ethnicity", "African American"], ["--sex", "M", "--ethnicity", "african_american"]),
        (["--sex", "M", "--ethnicity", "Black"], ["--sex", "M", "--ethnicity", "african_american"]),
        (["--sex", "M", "--no-smoker", "--unit", "mg / dL"], ["--sex", "M"]),
    ],
)  # fmt: skip
def test_words_are_known_however_they_are_written(words: list[str], as_if: list[str]) -> None:
    """Male, f and African American were refused, as a table of patients writes them."""
    person = ["--model", "mesa", "--age", "55", "--systolic", "140", "--cholesterol", "213", "--hdl", "50"]
    assert asked(*person, *words)["risk"]["percent"] == asked(*person, *as_if)["risk"]["percent"]


def test_a_region_in_capitals() -> None:
    words = [*SCORE2, "--cholesterol", "6.3", "--hdl", "1.4", "--region"]
    assert asked(*words, "Very High")["risk"]["percent"] == asked(*words, "very high")["risk"]["percent"]
