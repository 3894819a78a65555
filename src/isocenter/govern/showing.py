"""Which maps of a machine may be shown: one of sensitivity only where its method passed every check for those weights.

Maps of saliency look convincing also where they are wrong (Adebayo 2018; Arun 2021). So the evidence of a model must
hold the verdict of `isocenter.learn.sanity` on the very map, and here it is read again check by check: a verdict that
calls itself passed and lacks a check has not passed. Maps of a quantity with a unit are no matter of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from isocenter.record import Map, Model

__all__ = ["CHECKS", "VERSION", "against", "verdict_on", "verdicts_on", "withheld"]

CHECKS = ("cascade", "labels", "repeatability", "reproducibility", "faithfulness", "localisation")
"""Names of the checks, as `isocenter.learn.sanity` makes them."""
VERSION = 2
"""Of these checks: a verdict by others says nothing of them."""


def withheld(maps: Iterable[Map], model: Model | None) -> dict[str, str]:
    """Name of each map of sensitivity that must not be shown -> why, in words for whoever looks for it.

    Args:
        model: whose map it is, with its evidence; None where its weights are not known here.
    """
    return {m.name: why for m in maps if m.kind == "sensitivity" and (why := against(m.name, model))}


def verdicts_on(model: Model) -> list[Mapping[str, Any]]:
    """Those that the evidence of a model holds on maps, one for each map."""
    told = model.evidence.get("explanation") or ()
    return [v for v in ([told] if isinstance(told, Mapping) else told) if "map" in v]


def verdict_on(name: str, model: Model) -> Mapping[str, Any] | None:
    """The verdict on a method, or on the map of that name, in the evidence of a model."""
    return next((v for v in verdicts_on(model) if name in (v["map"], v.get("method"))), None)


def against(name: str, model: Model | None) -> str:
    """Why the map of that name must not be shown for a model; empty where it may."""
    if model is None:
        return "the weights that made it are not here, so that nothing is known of what the map is worth"
    verdict = verdict_on(name, model)
    if verdict is None:
        return f"its method was not tested for the weights of {model.name}"
    if verdict.get("digest") != model.digest:
        return f"its method was tested for other weights than those of {model.name} here"
    if (by := verdict.get("version", 1)) != VERSION:
        return (
            f"its method was tested for {model.name} by version {by} of the checks, and here they are at "
            f"version {VERSION}: isocenter sanity makes them again"
        )
    checks = verdict.get("checks", {})
    failed = [check for check in CHECKS if checks.get(check, {}).get("passed") is not True]
    if failed:
        return f"its method did not pass {', '.join(failed)} for the weights of {model.name}"
    return "" if verdict.get("passed") is True else f"its method did not pass for the weights of {model.name}"
