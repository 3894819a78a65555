"""Whether rows of a table are of the kind that a model learnt from: within its range, in its units, in its columns.

A model of a table answers to any number. What lies beyond the range that it was made for is declined by the value
alone. That two columns are exchanged, or one is ten times too large or small, single rows often do not tell; all rows
of a table together do, by the ratio of how likely they are either way (Wald 1945: for each such question no more than
one right table in 10,000 reaches the ratio of 10,000 that is asked for, so far as its rows are as those learnt from).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.learn.kinds import Column
from isocenter.learn.outside import USUAL, digest_of_usual

__all__ = ["implausible", "naming", "usual_of"]

_WIDER, _RATIO, _FREEDOM = 1.25, math.log(10_000), 4.0
"""By how much a range is wider than the recipe's; the ratio of likelihoods that decides; and degrees of freedom of
Student's distribution, with which no single row decides alone."""
_TENFOLD = math.log(10)

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
                "usual": _middle(known), "logarithm": _middle(positive),
            }  # fmt: skip
        else:
            shares = [float(np.mean(known == v)) if len(known) else 0.0 for v in column.values]
            told |= {"values": list(column.values), "shares": [max(round(share, 2), 0.005) for share in shares]}
        found.append(told)
    return found


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
    whole = _exchanged(values, usual) or _rescaled(values, usual)
    return [_beyond(row, usual) or whole for row in values]


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
        return np.asarray(np.log(np.where(at.any(1), (at * np.array(told["shares"])).sum(1), 0.005)))
    return _student(x, *told["usual"])


def _student(x: Values, mean: float, spread: float) -> Values:
    away = (x - mean) / spread
    return np.asarray(-(_FREEDOM + 1) / 2 * np.log1p(away**2 / _FREEDOM) - math.log(spread))


def _exchanged(values: Values, usual: Usual) -> str:
    """Which two columns are far likelier the other way round."""
    most, words = _RATIO, ""
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
