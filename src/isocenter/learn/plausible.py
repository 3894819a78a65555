"""Whether rows of a table are of the kind that a model learnt from: within its range, in its units, in its columns.

A model of a table answers to any number. What lies beyond the range that it was made for is declined by the value
alone. That two columns are exchanged, or one is ten times too large or small, single rows often do not tell; all rows
of a table together do, by the ratio of how likely they are either way (Wald 1945: for each such question no more than
one right table in 10,000 reaches the ratio of 10,000 that is asked for, so far as its rows are as those learnt from).
Of a single row some of it is told by how finely a value is written, and by whether its values go together (Mahalanobis
1936): what is only doubtful is answered, with a word.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from isocenter.learn.kinds import Column
from isocenter.learn.outside import NEAR, USUAL, digest_of_usual

__all__ = ["doubtful", "implausible", "naming", "usual_of"]

_WIDER, _RATIO, _FREEDOM = 1.25, math.log(10_000), 4.0
"""By how much a range is wider than the recipe's; the ratio of likelihoods that decides; and degrees of freedom of
Student's distribution, with which no single row decides alone."""
_TENFOLD, _DOUBT = math.log(10), math.log(20)
"""Another unit; and the ratio of likelihoods at which it declines a single row, and exchanged columns are a doubt."""
_SLIP, _CHANCE = 0.005, 1e-4
"""Part of right values that are no grade, or finer than all others; and how seldom a right table is refused for them.
Counted so, no share of a column is less."""
_SHRUNK = 5.0  # rows in which nothing goes together, added to those learnt from: of few rows little is believed

Values = npt.NDArray[np.float64]
Usual = Sequence[Mapping[str, Any]]


def usual_of(values: Values, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """What is usual in each column of a table that a model learns from, to be kept in its record.

    Of a number the range that the recipe names, a quarter wider, mean and spread; of codes and grades the share of each
    in hundredths. No value of a single person is kept.

    Args:
        values: (n, columns), NaN where a value is missing.
    """
    found: list[dict[str, Any]] = []
    for column, own in zip(columns, values.T, strict=True):
        known = own[~np.isnan(own)]
        told: dict[str, Any] = {"name": column.name, "unit": column.unit if column.kind == "number" else ""}
        if column.kind == "number":
            positive = np.log(known[known > 0])
            told |= {
                "low": column.low / _WIDER if column.low > 0 else column.low * _WIDER,
                "high": column.high * _WIDER if column.high > 0 else column.high / _WIDER,
                "usual": _middle(known), "logarithm": _middle(positive), "step": _step(known),
            }  # fmt: skip
        else:
            shares = [float(np.mean(known == v)) if len(known) else 0.0 for v in column.values]
            told |= {"values": list(column.values), "shares": [max(round(share, 2), _SLIP) for share in shares]}
        found.append(told)
    for told, own in zip(found, _together(values, found), strict=True):
        told["together"] = [round(float(r), 3) for r in own]
    return found


def _step(known: Values) -> float:
    """The coarsest of 1, 0.1, 0.01 … of which the values are multiples, but for one in 200; 0 where none is."""
    for step in (1.0, 0.1, 0.01, 0.001):
        if len(known) and np.mean(_finer(known, step)) <= _SLIP:
            return step
    return 0.0


def _finer(x: Values, step: float) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(x / step - np.round(x / step)) > 1e-6 * np.maximum(1.0, np.abs(x / step)))


def _standard(values: Values, usual: Usual) -> Values:
    """Each value as so many spreads from the middle of its column."""
    middle, spread = np.array([_centre(told) for told in usual]).T
    return np.asarray((values - middle) / spread)


def _centre(told: Mapping[str, Any]) -> tuple[float, float]:
    if "values" not in told:
        return float(told["usual"][0]), float(told["usual"][1])
    codes, shares = np.array(told["values"], float), np.array(told["shares"]) / sum(told["shares"])
    mean = float((codes * shares).sum())
    return mean, math.sqrt(float(((codes - mean) ** 2 * shares).sum()))


def _together(values: Values, usual: Usual) -> Values:
    """(columns, columns) how the columns go together: correlations, drawn a little towards none."""
    z = np.nan_to_num(_standard(values, usual))
    spread = np.sqrt((z**2).sum(0))
    spread[spread == 0] = 1.0
    found = (z.T @ z) / np.outer(spread, spread)
    found *= len(values) / (len(values) + _SHRUNK)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)


def _middle(x: Values) -> list[float]:
    """Mean and spread, to three digits; of nothing a spread so wide that it decides nothing."""
    if len(x) < 2:
        return [0.0, 1e9]
    return [float(f"{x.mean():.3g}"), float(f"{max(float(x.std()), 1e-3 * max(1.0, abs(float(x.mean())))):.3g}")]


def naming(weights: bytes, usual: Usual) -> bytes:
    """The file of a model with the digest of what is usual in its metadata: what it declines is part of what it is."""
    import onnx

    whole = onnx.load_model_from_string(weights)
    kept = {one.key: one.value for one in whole.metadata_props} | {USUAL: digest_of_usual(usual)}
    onnx.helper.set_model_props(whole, kept)
    return bytes(whole.SerializeToString())


def implausible(values: Values, usual: Usual) -> list[str]:
    """Why each row is none that a model may answer to; empty where it may.

    Args:
        values: (n, columns) of one table, NaN where a value is missing. usual: of these columns (see `usual_of`).
    """
    beyond = [_beyond(row, usual) for row in values]
    whole = _no_grades(values, usual) or _exchanged(values, usual, _RATIO) or _rescaled(values, usual)
    return [own or whole or unit for own, unit in zip(beyond, _tenfold(values, usual, _DOUBT), strict=True)]


def doubtful(values: Values, usual: Usual) -> list[str]:
    """What is to be said of each row in which nothing is found; empty where nothing is.

    A value that would be likelier in another unit, two columns that may be exchanged, or values that seldom go
    together: so far apart as only 15 in 100 rows would be, were they spread normally about the middle of those learnt
    from.

    Args:
        values: (n, columns), NaN where a value is missing. usual: of these columns (see `usual_of`).
    """
    units, whole = _tenfold(values, usual, 0.0), _exchanged(values, usual, _DOUBT)
    return [unit or whole or _apart(row, usual) for unit, row in zip(units, values, strict=True)]


def _apart(row: Values, usual: Usual) -> str:
    known = ~np.isnan(row)
    if not known.any() or any("together" not in told for told in usual):
        return ""
    z = _standard(row, usual)[known]
    together = np.array([told["together"] for told in usual])[np.ix_(known, known)]
    away, within = float(z @ np.linalg.solve(together, z)), float(stats.chi2.ppf(NEAR, known.sum()))
    if away <= within:
        return ""
    return (
        f"its values seldom go together as they do here (squared distance {away:.0f}; {100 * NEAR:.0f} in 100 rows are "
        f"within {within:.0f}): look whether each stands in its column"
    )


def _tenfold(values: Values, usual: Usual, asked: float) -> list[str]:
    """Of which value in each row a tenth or ten times as much is likelier, by more than a ratio's logarithm."""
    found = [""] * len(values)
    for told, own in zip(usual, values.T, strict=True):
        if "step" not in told:
            continue
        x = np.where(own > 0, own, np.nan)
        as_is = _written_so(x, told)
        for factor, word in ((10.0, "ten times as much"), (0.1, "a tenth of it")):
            other = factor * x
            likelier = _written_so(other, told) - as_is > asked  # of what is missing, or nought, nothing is
            for k in np.flatnonzero(likelier & (other >= told["low"]) & (other <= told["high"])):
                value = f"{own[k]:g} {told['unit']}".strip()
                found[k] = found[k] or f"{told['name']} is {value}: {word} would be more usual. Another unit?"
    return found


def _written_so(x: Values, told: Mapping[str, Any]) -> Values:
    """Logarithm of how likely a value is in its column, and that it is written so finely."""
    finer = _finer(x, told["step"]) if told["step"] else np.zeros(len(x), bool)
    return np.asarray(_student(np.log(x), *told["logarithm"]) + np.where(finer, math.log(_SLIP), 0.0))


def _no_grades(values: Values, usual: Usual) -> str:
    """Which column of grades holds too many values that are none for slips of the pen: it is another column."""
    for told, own in zip(usual, values.T, strict=True):
        known = own[~np.isnan(own)]
        wrong = 0 if "values" not in told else int(np.count_nonzero(~np.isin(known, told["values"])))
        if wrong > 1 and stats.binom.sf(wrong - 1, len(known), _SLIP) < _CHANCE:
            told_so = f"{wrong} of {len(known)} values of {told['name']} in this table"
            return f"{told_so} are none of its grades: another column?"
    return ""


def _beyond(row: Values, usual: Usual) -> str:
    for value, told in zip(row, usual, strict=True):
        if np.isnan(value):
            continue
        if "values" in told and value not in told["values"]:
            known = ", ".join(f"{v:g}" for v in told["values"])
            return f"{told['name']} is {value:g}; the model knows {known}"
        if "values" not in told and not told["low"] <= value <= told["high"]:
            unit = f" {told['unit']}" if told["unit"] else ""
            return (
                f"{told['name']} is {value:g}; the model knows {told['low']:g} to {told['high']:g}{unit}: "
                "another unit, or another column?"
            )
    return ""


def _likely(x: Values, told: Mapping[str, Any]) -> Values:
    """Logarithm of how likely each value is in a column."""
    if "values" in told:
        at = np.array(told["values"])[None] == x[:, None]
        return np.asarray(np.log(np.where(at.any(1), (at * np.array(told["shares"])).sum(1), _SLIP)))
    return _student(x, *told["usual"])


def _student(x: Values, mean: float, spread: float) -> Values:
    away = (x - mean) / spread
    return np.asarray(-(_FREEDOM + 1) / 2 * np.log1p(away**2 / _FREEDOM) - math.log(spread))


def _exchanged(values: Values, usual: Usual, asked: float) -> str:
    """Which two columns are far likelier the other way round."""
    most, words = asked, ""
    for i, k in combinations(range(len(usual)), 2):
        if ("values" in usual[i]) != ("values" in usual[k]):
            continue  # these differ in what they may be
        both = values[~np.isnan(values[:, (i, k)]).any(1)][:, (i, k)]
        as_is = _likely(both[:, 0], usual[i]) + _likely(both[:, 1], usual[k])
        other = _likely(both[:, 1], usual[i]) + _likely(both[:, 0], usual[k])
        if (ratio := float((other - as_is).sum())) > most:
            most, words = ratio, f"{usual[i]['name']} and {usual[k]['name']} look exchanged in this table"
    return words


def _rescaled(values: Values, usual: Usual) -> str:
    """Which column is far likelier ten times as large, or a tenth."""
    for told, own in zip(usual, values.T, strict=True):
        if "values" in told:
            continue
        seen = np.log(own[own > 0])
        as_is = _student(seen, *told["logarithm"]).sum()
        for factor, word in ((_TENFOLD, "small"), (-_TENFOLD, "large")):
            if float(_student(seen + factor, *told["logarithm"]).sum() - as_is) > _RATIO:
                return f"{told['name']} looks ten times too {word} in this table: another unit?"
    return ""
