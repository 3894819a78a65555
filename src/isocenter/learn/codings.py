"""Well-known tables that are handed on in other codes than those they were published in, brought back by proof.

The hearts of Cleveland go about in three further forms, all called ``heart.csv`` or alike. Two number the same kinds
from 0 on, each in another order, and in one of them 1 means no disease. To read one as another turns answers round
without a sign. So that the rows themselves must prove the form, by what no form numbers anew: the depression of ST in
millimetres, the highest heart rate, and angina on exercise. What they do not prove is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.kinds import Table
from isocenter.learn.naming import number
from isocenter.learn.sheet import plain

__all__ = ["brought_back"]

_ASKED = ("cp", "restecg", "slope", "ca", "thal", "oldpeak", "thalach", "exang")
_OUTCOMES = ("target", "condition", "num", "disease", "heartdisease", "output", "label", "class", "diagnosis")
_AS_PUBLISHED = (
    "cp 1 typical angina, 2 atypical, 3 other pain, 4 none; restecg 0 normal, 1 ST-T, 2 hypertrophy; slope 1 up, "
    "2 flat, 3 down; thal 3 normal, 6 fixed, 7 reversible; num 0 no disease, 1 to 4 disease"
)
_LEAST, _SURE, _MOST = 1.5, 4.0, 0.15
"""Standard errors by which each code, and by which the outcome must be proven; part of rows with changes of ST-T."""

_WORDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "age": ("age", {}), "sex": ("sex", {"m": "1", "f": "0"}),
    "chestpaintype": ("cp", {"ta": "1", "ata": "2", "nap": "3", "asy": "4"}),
    "restingbp": ("trestbps", {"0": ""}), "cholesterol": ("chol", {"0": ""}), "fastingbs": ("fbs", {}),
    "restingecg": ("restecg", {"normal": "0", "st": "1", "lvh": "2"}), "maxhr": ("thalach", {}),
    "exerciseangina": ("exang", {"y": "1", "n": "0"}), "oldpeak": ("oldpeak", {}),
    "stslope": ("slope", {"up": "1", "flat": "2", "down": "3"}), "heartdisease": ("num", {}),
}  # fmt: skip
"""Column of the form that tells codes by words -> ours, and its words; a pressure or cholesterol of 0 is not known."""

_LONG: Mapping[str, str] = {
    "gender": "sex", "chestpaintype": "cp", "chestpain": "cp", "bp": "trestbps", "restingbp": "trestbps",
    "trtbps": "trestbps", "restingbloodpressure": "trestbps", "cholesterol": "chol", "cholestoral": "chol",
    "serumcholesterol": "chol", "serumcholestoral": "chol", "fbsover120": "fbs", "fastingbloodsugar": "fbs",
    "restingecg": "restecg", "ekgresults": "restecg", "restingecgresults": "restecg",
    "restingelectrocardiographicresults": "restecg", "maxhr": "thalach", "thalachh": "thalach",
    "maxheartrate": "thalach", "maxheartrateachieved": "thalach", "exng": "exang", "exerciseangina": "exang",
    "exerciseinducedangina": "exang", "stdepression": "oldpeak", "slp": "slope", "stslope": "slope",
    "slopeofst": "slope", "caa": "ca", "numberofvesselsfluro": "ca", "nummajorvessels": "ca",
    "numberofmajorvessels": "ca", "majorvessels": "ca", "thall": "thal", "thallium": "thal", "thalassemia": "thal",
    "heartdisease": "num", "output": "num",
}  # fmt: skip
"""Other names of the columns that go about, with the codes of UCI or of one of the forms, and ours."""

Array = npt.NDArray[Any]
Sheet = tuple[list[str], list[list[str]], tuple[str, ...]]


@dataclass(frozen=True)
class _Form:
    """Codes of a form -> those published, and which of its codes mean what the proof asks about."""

    cp: Mapping[float, float]
    restecg: Mapping[float, float]
    slope: Mapping[float, float]
    thal: Mapping[float, float]
    asymptomatic: float
    st_t: float
    up: float
    normal: float


_FORMS = (
    _Form({0: 4, 1: 2, 2: 3, 3: 1}, {0: 2, 1: 0, 2: 1}, {0: 3, 1: 2, 2: 1}, {0: np.nan, 1: 6, 2: 3, 3: 7},
          asymptomatic=0, st_t=2, up=2, normal=2),
    _Form({0: 1, 1: 2, 2: 3, 3: 4}, {0: 0, 1: 1, 2: 2}, {0: 1, 1: 2, 2: 3}, {0: 3, 1: 6, 2: 7},
          asymptomatic=3, st_t=1, up=0, normal=0),
)  # fmt: skip


def brought_back(header: Sequence[str], body: Sequence[Sequence[str]], how: Table, where: str) -> Sheet:
    """Header and rows in the codes of a recipe, and what was done to them, in words; as they are where nothing was.

    Raises:
        Refused: they are in other codes, and do not prove in which.
    """
    names, rows = list(header), [list(row) for row in body]
    if not {c.name for c in how.columns}.issuperset(_ASKED):
        return names, rows, ()
    names, renamed = _in_short(names, rows)
    at = {plain(name): k for k, name in enumerate(names)}
    if {"chestpaintype", "stslope"} <= at.keys():
        return _of_words(at, rows, how, where)
    at = {c.name: at[plain(n)] for c in how.columns for n in (*c.known_as, c.name) if plain(n) in at} | {
        n: at[n] for n in _OUTCOMES if n in at
    }
    label = next((n for n in _OUTCOMES if n in at), None)
    if label is None or not at.keys() >= set(_ASKED):
        return names, rows, renamed
    cells = {n: np.array([number(row[at[n]]) for row in rows]) for n in (*_ASKED, label)}
    if not (0 in cells["cp"] or 0 in cells["slope"] or np.isin(cells["thal"], (0, 1, 2)).any()):
        return names, rows, renamed
    form, ill = _proven(cells, label, where)
    for row in rows:
        for name in ("cp", "restecg", "slope", "thal"):
            row[at[name]] = _coded(row[at[name]], getattr(form, name), name, where)
        if form is _FORMS[0] and number(row[at["ca"]]) == 4:  # stands for none in that form
            row[at["ca"]] = ""
        if not ill:
            row[at[label]] = _coded(row[at[label]], {0: 1, 1: 0}, label, where)
    direction = "1 as disease" if ill else "0 as disease"
    told = ", ".join(
        f"{name} {' '.join(f'{k:g}' for k in codes)} as {' '.join('?' if v != v else f'{v:g}' for v in codes.values())}"
        for name, codes in ((n, getattr(form, n)) for n in ("cp", "restecg", "slope", "thal"))
    )
    return names, rows, (
        *renamed,
        f"{where} numbers the kinds from 0 on, as tables of Kaggle do: it was read with {told}, and '{label}' with "
        f"{direction}, which its own ST depression, heart rates and angina on exercise prove",
    )  # fmt: skip


def _in_short(names: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], tuple[str, ...]]:
    """The names of columns as UCI has them, and a sentence on those that were called otherwise.

    The form that tells codes by words keeps its names. A column stays as it is where another has its short name.
    """
    here = [plain(name) for name in names]
    pain = here.index("chestpaintype") if "chestpaintype" in here else -1
    if pain >= 0 and any(row[pain] and number(row[pain]) != number(row[pain]) for row in rows):
        return list(names), ()
    short = [_LONG.get(word, word) for word in here]
    free = [own != word and short.count(own) == 1 for word, own in zip(here, short, strict=True)]
    if any(word in _OUTCOMES[:4] for word in here):
        free = [yes and own != "num" for yes, own in zip(free, short, strict=True)]
    made = [own if yes else name for name, own, yes in zip(names, short, free, strict=True)]
    told = ", ".join(f"'{name}' as {own}" for name, own, yes in zip(names, short, free, strict=True) if yes)
    return made, (f"columns that are called otherwise were read by their meaning: {told}",) if told else ()


def _of_words(at: Mapping[str, int], rows: list[list[str]], how: Table, where: str) -> Sheet:
    if lacks := sorted(_WORDS.keys() - at.keys()):
        raise Refused(f"{where} has no column '{lacks[0]}'", "with ChestPainType and ST_Slope it is Kaggle's table of "
                      "heart failure, which has one", f"give {', '.join(_WORDS)}, or the columns of UCI")  # fmt: skip
    given = [own for own, _ in _WORDS.values()]
    empty = [c.name for c in how.columns if c.name not in given]
    made = [[words.get(row[at[n]].strip().lower(), row[at[n]]) for n, (_, words) in _WORDS.items()] for row in rows]
    beside = [name for name in at if name not in _WORDS]
    rest = [[*[""] * len(empty), *(row[at[name]] for name in beside)] for row in rows]
    return [*given, *empty, *beside], [[*own, *more] for own, more in zip(made, rest, strict=True)], (
        f"{where} tells codes by words, as Kaggle's table of heart failure does; it has no {' and no '.join(empty)}, "
        "and a blood pressure or cholesterol of 0 was read as not known",
    )  # fmt: skip


def _coded(cell: str, codes: Mapping[float, float], name: str, where: str) -> str:
    value = number(cell)
    if value != value:
        return cell
    if value not in codes:
        raise Refused(f"{name} is {cell} in {where}", f"the other rows are numbered {min(codes):g} to {max(codes):g}",
                      "repair the row, or leave the cell empty")  # fmt: skip
    return "" if codes[value] != codes[value] else f"{codes[value]:g}"


def _apart(values: Array, some: npt.NDArray[np.bool_]) -> float:
    """By how many standard errors of chance some rows rank above the others (Mann & Whitney 1947); 0 without both."""
    from scipy.stats import rankdata

    known = np.isfinite(values)
    inside, ranks = some[known], rankdata(values[known])
    n, m = int(inside.sum()), int((~inside).sum())
    if not n or not m:
        return 0.0
    area = (ranks[inside].sum() - n * (n + 1) / 2) / (n * m)
    return float((area - 0.5) / np.sqrt((n + m + 1) / (12 * n * m)))


def _proven(cells: Mapping[str, Array], label: str, where: str) -> tuple[_Form, bool]:
    """The form of some rows, and whether 1 is disease; by what it must mean in the heart.

    Flat and falling slopes go with deeper ST, pain without symptoms of its own with angina on exercise, a normal scan
    with higher heart rates, and few have changes of ST-T at rest. The diseased have deeper ST, lower rates, and angina.
    """
    fits = [
        form for form in _FORMS
        if _apart(cells["oldpeak"], cells["slope"] != form.up) > _LEAST
        and _apart(cells["exang"], cells["cp"] == form.asymptomatic) > _LEAST
        and _apart(cells["thalach"], cells["thal"] == form.normal) > _LEAST
        and np.mean(cells["restecg"] == form.st_t) < _MOST
        and all(np.isin(cells[n][np.isfinite(cells[n])], list(getattr(form, n))).all()
                for n in ("cp", "restecg", "slope", "thal"))
    ]  # fmt: skip
    known = np.isin(cells[label], (0, 1)).all()
    ways = [sign * _apart(cells[n], cells[label] == 1) for n, sign in (("oldpeak", 1), ("exang", 1), ("thalach", -1))]
    sure = known and (min(ways) > 0 or max(ways) < 0) and abs(sum(ways)) / np.sqrt(3) > _SURE
    if len(fits) == 1 and sure:
        return fits[0], min(ways) > 0
    held = "; ".join(f"{n} {' '.join(f'{v:g}' for v in np.unique(cells[n][np.isfinite(cells[n])]))}"
                     for n in ("cp", "restecg", "slope", "thal", label))  # fmt: skip
    raise Refused(
        f"{where} holds {held}", "these are codes of tables from Kaggle, one means disease by 0, another by 1, "
        f"and {len(cells[label])} rows do not prove which {'way the outcome runs' if len(fits) == 1 else 'it is'}",
        f"write them as UCI does: {_AS_PUBLISHED}",
    )  # fmt: skip
