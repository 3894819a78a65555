"""Fetal growth against the published formulae and tables, and every length, age and mixture that is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from isocenter.errors import Refused
from isocenter.methods import fetal


@pytest.mark.parametrize(
    ("what", "mean", "sd"), [("HC", 260.4, 8.94), ("BPD", 73.5, 2.95), ("AC", 233.3, 11.30), ("FL", 51.3, 2.13)]
)
def test_twenty_eight_weeks(what: str, mean: float, sd: float) -> None:
    found = fetal.median(what, 28.0)
    assert found == (pytest.approx(mean, abs=0.05), pytest.approx(sd, abs=0.005))
    assert fetal.place(what, mean + 1.2816 * sd, 28.0).centile == pytest.approx(90.0, abs=0.4)


def test_examples_of_the_standard() -> None:
    assert fetal.intergrowth_weight(290.0, 260.0).grams == pytest.approx(1499.0, abs=1.0)
    assert fetal.age_days(HC=250.0) == pytest.approx(189.803, abs=1e-3)
    assert fetal.age_days(HC=250.0, FL=55.0) == pytest.approx(200.523, abs=1e-3)
    assert fetal.age_days(CRL=60.0) == pytest.approx(40.9041 + 3.21585 * math.sqrt(60) + 0.348956 * 60)


@pytest.mark.data
def test_every_formula_is_the_transcribed_one(reference: Path) -> None:
    path = reference / "us-biometry-intergrowth" / "intergrowth21.json"
    if not path.is_file():
        pytest.skip("us-biometry-intergrowth is not among the reference data")
    held = json.loads(path.read_text())

    def value(formula: str, weeks: float) -> float:
        return float(eval(formula.replace("^", "**"), {"GA": weeks, "ln": math.log, "exp": math.exp}))

    for weeks in (14.0, 20.5, 28.0, 33.3, 40.0):
        for what, formulae in held["formulae"].items():
            mean, sd = fetal.median(what, weeks)
            assert (mean, sd) == (
                pytest.approx(value(formulae["mean"], weeks), rel=1e-12),
                pytest.approx(value(formulae["sd"], weeks), rel=1e-12),
            )
    for weeks in (22.0, 30.0, 40.0):
        skew, middle, spread = (value(held["EFW_LMS"][k], weeks) for k in ("lambda", "mu", "sigma"))
        for grams in (500.0, 1500.0, 3500.0):
            z = ((math.log(grams) / middle) ** skew - 1) / (spread * skew)
            placed = fetal.place_weight(fetal.Weight(grams, "INTERGROWTH-21st", ""), weeks, standard="INTERGROWTH-21st")
            assert placed.z == pytest.approx(z, rel=1e-9)


@pytest.mark.parametrize(
    ("weeks", "row"),
    [
        (20, (248, 275, 331, 387, 414)),
        (30, (1169, 1294, 1559, 1824, 1949)),
        (32, (1465, 1621, 1953, 2285, 2441)),
        (40, (2714, 3004, 3619, 4234, 4524)),
    ],
)
def test_hadlock_table_1(weeks: int, row: tuple[int, ...]) -> None:
    for wanted, grams in zip((3, 10, 50, 90, 97), row, strict=True):
        placed = fetal.place_weight(fetal.Weight(grams, "Hadlock", ""), weeks, standard="Hadlock")
        assert placed.centile == pytest.approx(wanted, abs=0.6)


def test_hadlock_weight_and_age() -> None:
    # 10^(1.326 + 0.0107 HC + 0.0438 AC + 0.158 FL - 0.00326 AC FL), by hand for HC 30, AC 29, FL 6 cm
    three = fetal.hadlock_weight(300.0, 290.0, 60.0)
    assert three.grams == pytest.approx(10 ** (1.326 + 0.321 + 1.2702 + 0.948 - 0.56724), rel=1e-9)
    four = fetal.hadlock_weight(300.0, 290.0, 60.0, 84.0)
    assert four.grams == pytest.approx(three.grams, rel=0.05) and "BPD" in four.formula
    ages = [fetal.hadlock_age_weeks(w, mm) for w, mm in (("BPD", 73.0), ("HC", 268.0), ("AC", 245.0), ("FL", 54.5))]
    assert max(ages) - min(ages) < 1.0 and 28.0 < ages[0] < 30.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fetal.checked("HC", 26.0), "given in centimetres"),
        (lambda: fetal.checked("FL", 5.5), "given in centimetres"),
        (lambda: fetal.checked("HC", 900.0), "70 to 420 mm"),
        (lambda: fetal.checked("XX", 90.0), "known are HC"),
        (lambda: fetal.checked("HC", float("nan")), "70 to 420 mm"),
        (lambda: fetal.place("HC", 100.0, 13.9), "14 to 40 weeks"),
        (lambda: fetal.place("HC", 350.0, 40.1), "14 to 40 weeks"),
        (lambda: fetal.median("CRL", 20.0), "HC, BPD, OFD, AC and FL"),
        (lambda: fetal.age_days(AC=200.0), "dates by HC"),
        (lambda: fetal.hadlock_age_weeks("CRL", 60.0), "BPD, HC, AC or FL"),
        (lambda: fetal.age_days(HC=400.0), "an age of 51.1 weeks by HC 400 mm: the formula holds to 42 weeks"),
        (lambda: fetal.age_days(HC=390.0, FL=80.0), "by HC 390 mm and FL 80 mm: the formula holds to 42 weeks"),
        (lambda: fetal.age_days(HC=75.0), "12.1 weeks by HC 75 mm: the formula holds from 13 weeks"),
        (lambda: fetal.hadlock_age_weeks("FL", 95.0), "49.1 weeks by FL 95 mm"),
        (
            lambda: fetal.place_weight(fetal.hadlock_weight(300, 290, 60), 30.0, standard="INTERGROWTH-21st"),
            "a weight by Hadlock among INTERGROWTH-21st",
        ),
        (
            lambda: fetal.place_weight(fetal.intergrowth_weight(300, 290), 21.9, standard="INTERGROWTH-21st"),
            "22 to 40 weeks",
        ),
        (lambda: fetal.place_weight(fetal.hadlock_weight(300, 290, 60), 42.0, standard="Hadlock"), "10 to 41 weeks"),
    ],
)
def test_what_is_refused(call: object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        call()  # type: ignore[operator]
