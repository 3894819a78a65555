"""Inputs of known truth for the analyses of perfusion: small heads through which a planted bolus passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from isocenter.testing.phantoms import stroke_ct, stroke_mr

__all__ = ["ct_perfusion", "mr_perfusion"]

_Example = tuple[Mapping[str, Any], Mapping[str, Any]]


def ct_perfusion() -> Iterator[_Example]:
    """A stroke, a healthy head, and a scan that is too short."""
    small: dict[str, Any] = {"size": 80, "slices": 6, "step_mm": 14.0, "times_s": tuple(np.arange(28) * 1.6)}
    ill, truth = stroke_ct.volume(**small)
    measured = {"Mismatch volume": (truth["penumbra_ml"], 0.12 * truth["penumbra_ml"])}
    yield {"bolus": ill, "vessels": None}, {"answer": "found", "measurements": measured}
    yield {"bolus": stroke_ct.volume(**small, stroke=False)[0], "vessels": None}, {"answer": "none"}
    short = ill.array[:20]
    cut = replace(ill, array=short, axes=(replace(ill.axes[0], values=ill.axes[0].values[:20]),))
    yield {"bolus": cut, "vessels": None}, {"answer": "declined", "words": "a scan of 32 s"}


def mr_perfusion() -> Iterator[_Example]:
    """The same on T2*-weighted MR, and a series without echo time."""
    small: dict[str, Any] = {"size": 80, "slices": 6, "step_mm": 14.0, "times_s": tuple(np.arange(30) * 1.5)}
    ill, truth = stroke_mr.volume(**small)
    measured = {"Mismatch volume": (truth["penumbra_ml"], 0.15 * truth["penumbra_ml"])}
    yield {"bolus": ill, "vessels": None}, {"answer": "found", "measurements": measured}
    yield {"bolus": stroke_mr.volume(**small, stroke=False)[0], "vessels": None}, {"answer": "none"}
    yield (
        {"bolus": replace(ill, facts={"Modality": "MR"}), "vessels": None},
        {"answer": "declined", "words": "no Echo Time"},
    )
