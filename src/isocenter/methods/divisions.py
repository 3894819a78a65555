"""What a column tells of groups of people, each in one spelling: ages as bands, sexes, and what nobody knows."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.subgroups import bands

__all__ = ["division"]

Strings = npt.NDArray[np.str_]

_UNKNOWN = {"", "?", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "null", ".", "-", "--", "missing", "unknown"}
_NO_AGE = _UNKNOWN | {"none", "-1", "-9", "-99", "-999", "999"}
_SEXES = {"f": "female", "female": "female", "m": "male", "male": "male", "o": "other", "other": "other"}
_IN_A_YEAR = {"": 1.0, "y": 1.0, "a": 1.0, "m": 12.0, "w": 365.25 / 7, "d": 365.25}  # of each unit, by its first letter
_UNITS = {
    "", "y", "yr", "yrs", "yo", "year", "years", "a", "m", "mo", "month", "months", "w", "wk", "week", "weeks", "d",
    "day", "days",
}  # fmt: skip
_AGE = re.compile(r"(>=?|≥)?\s*([-+]?\d+(?:[.,]\d+)?(?:e\d+)?)\s*(\+)?\s*([a-z]*)\.?")
_OPEN = 80.0  # years: where an age that has no upper end, such as 90+, is in the last band


def division(by: str, values: npt.ArrayLike) -> Strings:
    """The groups of a column, by its name: of ages their bands, of sex one spelling of each; else the words themselves.

    Empty cells and words such as NA are *unknown*.

    >>> division("PatientAge", ["43,5", "006M", "90+", "NA"]).tolist()
    ['40 to 64', '0 to 17', '80 and above', 'unknown']
    >>> division("sex", ["F", "female", "?"]).tolist(), division("contrast", ["none", "n/a"]).tolist()
    (['F', 'F', 'unknown'], ['none', 'unknown'])

    Raises:
        Refused: some of a column of ages are ages, and others are none.
    """
    said = [str(v).strip() for v in np.asarray(values).ravel().tolist()]
    of_ages = _tells(by, "age")
    nothing = _NO_AGE if of_ages else _UNKNOWN
    given = np.array(["unknown" if v.lower() in nothing else v for v in said], np.str_)
    return _aged(given) if of_ages else _of_sex(given) if _tells(by, "sex", "gender") else given


def _tells(by: str, *words: str) -> bool:
    """Whether a column is named by one of these words: of ``age`` are ``Age (years)``, ``PatientAge``, not ``stage``.

    >>> [_tells(by, "age") for by in ("Age (years)", "patient_age", "PatientAge", "stage", "agency")]
    [True, True, True, False, False]
    """
    said = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", by).lower())
    return not set(words).isdisjoint(said)


def _of_sex(values: Strings) -> Strings:
    """One spelling of each: F, f and Female are one group, by the spelling that most have; other words stay.

    >>> _of_sex(np.array(["F", "female", "f", "F", "O", "male"])).tolist()
    ['F', 'F', 'F', 'F', 'O', 'male']
    """
    meant = [_SEXES.get(v.lower(), v) for v in values.tolist()]
    spelt: dict[str, Counter[str]] = {}
    for value, meaning in zip(values.tolist(), meant, strict=True):
        spelt.setdefault(meaning, Counter())[value] += 1
    return np.array([spelt[meaning].most_common(1)[0][0] for meaning in meant], np.str_)


def _aged(values: Strings) -> Strings:
    """Ages as bands: numbers are years, and DICOM's are read with their unit (043Y, 006M, 003W, 010D). Where none is an
    age they are bands already, or words, and left as they are.

    Raises:
        Refused: some are ages, and others are none.
    """
    years = [_years(v) for v in values.tolist()]
    if all(y is None or v == "unknown" for v, y in zip(values.tolist(), years, strict=True)):
        return values
    if None in years:
        raise Refused(f"'{values[years.index(None)]:.40}' in a column of ages", "it is no age",
                      "write years, DICOM's 006M, 003W or 010D, or leave it empty")  # fmt: skip
    return bands(np.array(years, np.float64))


def _years(told: str) -> float | None:
    """An age in years; not a number where it is unknown, None where it is no age.

    >>> [_years(told) for told in ("45 years", "018M", ">89", "65+", "40-49")]
    [45.0, 1.5, 89.0, None, None]
    """
    if told == "unknown":
        return float("nan")
    match = _AGE.fullmatch(told.lower())
    if match is None or match[4] not in _UNITS:
        return None
    years = float(match[2].replace(",", ".")) / _IN_A_YEAR[match[4][:1]]
    return None if (match[1] or match[3]) and years < _OPEN else years
