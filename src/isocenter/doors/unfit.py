"""What does not fit in a request, in words of ours: where, what is wrong with it, and what is wanted.

Never what was sent, for it may hold a name and would end in a log; how long or how large it is may be told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["unfit"]

_MOST = 5

_TOLD: Mapping[str, str] = {
    "missing": "it is missing",
    "extra_forbidden": "nothing of that name is taken here",
    "json_invalid": "it is no JSON",
    "string_type": "it is no text",
    "bool_type": "it is neither true nor false",
    "bool_parsing": "it is neither true nor false",
    "int_type": "it is no whole number",
    "int_parsing": "it is no whole number",
    "int_from_float": "it is no whole number",
    "float_type": "it is no number",
    "float_parsing": "it is no number",
    "finite_number": "it is no finite number",
    "list_type": "it is no list",
    "tuple_type": "it is no list",
    "set_type": "it is no list",
    "dict_type": "it is no object with names and values",
    "mapping_type": "it is no object with names and values",
    "model_type": "it is no object with names and values",
    "model_attributes_type": "it is no object with names and values",
    "none_required": "it has to be left out",
    "string_too_long": "it has {given} characters, and may have {max_length} at most",
    "less_than": "it is {given}, and has to be less than {lt:g}",
    "less_than_equal": "it is {given}, and may be {le:g} at most",
    "greater_than": "it is {given}, and has to be more than {gt:g}",
    "greater_than_equal": "it is {given}, and has to be {ge:g} at least",
    "too_short": "it holds {actual_length}, and has to hold {min_length} at least",
    "too_long": "it holds {actual_length}, and may hold {max_length} at most",
    "string_pattern_mismatch": "it is not written as it has to be ({pattern})",
    "literal_error": "it is none of {expected}",
    "enum": "it is none of {expected}",
}


def unfit(errors: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong, of the first few.

    >>> unfit([{"type": "string_too_short", "loc": ("body", "reason"), "input": "", "ctx": {"min_length": 1}}])
    'body.reason: it is empty'
    """
    return "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {_sentence(e)}" for e in errors[:_MOST])


def _sentence(error: Mapping[str, Any]) -> str:
    kind, given = str(error["type"]), error.get("input")
    known = dict(error.get("ctx") or {})
    if kind == "string_too_short":
        return "it is empty" if not given else (
            f"it has {len(str(given))} characters, and has to have {known['min_length']} at least"
        )  # fmt: skip
    if kind == "too_long" and known.get("actual_length") is None:  # it was not counted to its end
        known["actual_length"] = "more"
    if kind == "string_too_long":
        known["given"] = len(str(given))
    elif re.fullmatch(r"-?\d{1,12}(\.\d{1,6})?", str(given)):
        known["given"] = str(given)
    else:
        known["given"] = "beyond its limit"
    if kind.startswith(("date", "time")):
        return "it is no date or time as ISO 8601 writes them"
    try:
        return _TOLD[kind].format(**known)
    except (KeyError, ValueError):
        return "it is not what is asked for"
