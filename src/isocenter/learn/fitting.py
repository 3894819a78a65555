"""Whether a record and its weights belong to one another: what the record must tell, and what the weights must take and
answer. A record is a text that a person can change, and weights may come from another program; both are asked before
the first case is, so that what is missing has a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isocenter.errors import Refused
from isocenter.record import Model

__all__ = ["must_fit"]


def _share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _all(value: Any, each: Callable[[Any], bool], least: int = 1) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) >= least and all(map(each, value))


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


_TELLS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "classes": (lambda v: _all(v, lambda one: isinstance(one, str)), "a list of their names"),
    "threshold": (_share, "a number from 0 to 1"),
    "thresholds": (lambda v: _all(v, _share), "numbers from 0 to 1"),
    "positive": (_whole, "the number of a class, from 0 on"),
    "shape": (lambda v: _all(v, lambda one: _whole(one) and one > 0, 2), "whole numbers of voxels, one an axis"),
    "channels": (lambda v: v in (1, 3), "1 or 3"),
    "known_as": (lambda v: isinstance(v, Mapping), "other words for the classes, as a mapping"),
    "ordered": (lambda v: isinstance(v, bool), "true or false"),
    "columns": (lambda v: _all(v, lambda one: isinstance(one, Mapping)), "a list of what is asked of each"),
    "label": (lambda v: _all(v, lambda one: isinstance(one, str)), "names of the column of labels"),
    "labels": (lambda v: isinstance(v, Sequence), "a list of values"),
    "positive_above": (lambda v: isinstance(v, int | float), "a number"),
    "subgroups": (lambda v: isinstance(v, Sequence), "a list of columns"),
    "spacing_mm": (lambda v: _all(v, _positive, 2), "millimetres, one an axis"),
    "window": (lambda v: _all(v, lambda one: _whole(one) and one > 0, 2), "whole numbers of voxels, one an axis"),
    "step": (_positive, "a number of voxels"),
    "shared": (_share, "a number from 0 to 1"),
    "size": (lambda v: _whole(v) and v > 0, "a whole number of pixels"),
    "gate": (lambda v: isinstance(v, Mapping) and {"child", "strangeness"} <= set(v), "its two limits"),
}

_KINDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "classes": (("classes", "positive", "shape", "channels", "known_as", "ordered", "threshold"),
                ("logits", "certainty", "strangeness")),
    "findings": (("classes", "shape", "channels", "known_as", "threshold"), ("logits", "certainty", "strangeness")),
    "table": (("classes", "columns", "label", "labels", "positive_above", "subgroups", "threshold"),
              ("logits", "certainty")),
    "masks": (("classes", "spacing_mm", "window", "step"), ("chances",)),
    "boxes": (("classes", "known_as", "shape", "shared", "thresholds"), ("chance", "sides")),
    "films": (("size", "threshold", "gate"), ("logits", "certainty", "embedding", "scope", "strangeness")),
}  # fmt: skip
"""Kind of model -> what its record tells, and what its weights answer."""

_REPAIR = "restore model.json as the training left it"


def must_fit(held: Model, session: Any, kind: str) -> None:
    """Refuse a record that does not tell what a model of its kind must, or weights that do not take or answer it.

    Raises:
        Refused: the first that is missing or out of range, with what belongs there.
    """
    if kind not in _KINDS:
        return
    wanted, answers = _KINDS[kind]
    inputs = held.inputs
    for name in wanted:
        allowed, what = _TELLS[name]
        if name not in inputs:
            raise Refused(f"the record of {held.name} has no '{name}'", f"a model of {kind} tells it: {what}", _REPAIR)
        if not allowed(inputs[name]):
            raise Refused(f"{name} = {inputs[name]!r:.60} in the record of {held.name}", f"it is {what}", _REPAIR)
    count = len(inputs.get("classes", ()))
    if kind in ("classes", "table") and int(inputs.get("positive", 1)) >= count:
        raise Refused(f"the class {inputs.get('positive', 1)} as positive in the record of {held.name}",
                      f"it has {count}, numbered from 0", _REPAIR)  # fmt: skip
    _must_take(held, session)
    made = {one.name: one.shape for one in session.get_outputs()}
    if lacking := [name for name in answers if name not in made]:
        raise Refused(
            f"weights that answer {', '.join(made)}", f"a model of {kind} answers {', '.join(answers)}",
            f"export it again with {' and '.join(lacking)}",
        )  # fmt: skip
    width = {"classes": count + bool(inputs.get("rest")), "findings": count, "table": 2}.get(kind)
    given = made[answers[0]][-1]
    if width and isinstance(given, int) and given != width:
        raise Refused(f"weights that answer {given} {answers[0]}", f"the record of {held.name} names {count} classes"
                      + (" and the rest" if inputs.get("rest") else ""), _REPAIR)  # fmt: skip


def _must_take(held: Model, session: Any) -> None:
    """Any number of cases at once, as floating-point numbers, in the input ``image``, channels first."""
    taken = session.get_inputs()
    if [one.name for one in taken] != ["image"]:
        raise Refused(f"weights with the inputs {', '.join(one.name for one in taken)}", "one is given, 'image'",
                      "export it again with that name")  # fmt: skip
    (one,) = taken
    if one.type != "tensor(float)":
        raise Refused(f"weights that take {one.type}", "images are given as tensor(float), grey values from 0 to 1",
                      "export it again with a cast inside, if it needs whole numbers")  # fmt: skip
    if isinstance(one.shape[0], int):
        raise Refused(f"weights that take {one.shape[0]} cases at once", "several are given",
                      "export it again with a first axis that may vary")  # fmt: skip
    if "shape" in held.inputs:
        wanted = [int(held.inputs.get("channels", 3)), *held.inputs["shape"]]
        if len(one.shape) != 1 + len(wanted) or any(
            isinstance(has, int) and has != want for has, want in zip(one.shape[1:], wanted, strict=True)
        ):
            raise Refused(f"weights that take {one.shape}",
                          f"the record of {held.name} has channels and shape {wanted}",
                          "export it again with the channels first, or restore model.json")  # fmt: skip
