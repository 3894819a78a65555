"""An analysis in words and numbers, made from what it declares; and whether it has answered a question already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isocenter.analysis import weights
from isocenter.analysis.protocol import Limits, parameters
from isocenter.record import Outcome, Result, Study, to_plain

__all__ = ["describe", "of_other_picture", "same_asking", "same_question"]


def describe(analysis: Any) -> dict[str, Any]:
    """An analysis in words and numbers, from its declarations."""
    limits = getattr(analysis, "limits", Limits())
    return {
        "name": analysis.name,
        "version": analysis.version,
        "about": (type(analysis).__doc__ or "").strip(),
        "needs": {name: need.sentence() for name, need in analysis.needs.items()},
        "yields": [
            {
                "what": to_plain(y.what) if y.what else None,
                "maps": list(y.maps),
                "units": list(y.units),
                "urgency": y.urgency.value,
                "research": y.research,
            }
            for y in analysis.yields
        ],
        "parameters": [
            {
                "name": p.name,
                "type": p.kind.__name__,
                "default": p.default,
                "choices": list(p.choices),
                "about": p.about,
            }
            for p in parameters(analysis)
        ],
        "weights": getattr(analysis, "weights", ""),
        "limits": {"seconds": limits.seconds, "memory_mib": limits.memory_mib},
        "card": to_plain(getattr(analysis, "about", {})),
    }


def same_question(result: Result, name: str, series: tuple[str, ...]) -> bool:
    """Whether a machine's result answers this analysis' question on these series."""
    origin = result.origin
    return origin.kind == "machine" and origin.name == name and result.receipt.series == series


def of_other_picture(result: Result, study: Study, image: str) -> bool:
    """Whether a result was read from other pictures of its series than the one that is asked about.

    Args:
        image: SOP Instance UID of that one; empty where the whole series is asked about.
    """
    if not image or not result.receipt.inputs:
        return False
    beside = {
        i.digest for s in study.series if s.uid in result.receipt.series for i in s.instances if i.sop_uid != image
    }
    return beside.issuperset(result.receipt.inputs)


def same_asking(result: Result, analysis: Any, given: Mapping[str, Any], models: str) -> bool:
    """Whether the earlier answer was by the same version with the same parameters and weights."""
    if result.origin.version != analysis.version:
        return False
    wanted = {p.name: given.get(p.name, p.default) for p in parameters(analysis)}
    if any(result.origin.parameters.get(k) != v for k, v in wanted.items()):
        return False
    if name := getattr(analysis, "weights", ""):
        held = weights.models(Path(models) if models else None).get(name)
        if held is None or held[0].digest != result.origin.model:
            return False
    # A run that was stopped by a limit or failed is worth another try when a person asks again.
    return not (result.outcome is Outcome.DECLINED and not result.origin.parameters and wanted)
