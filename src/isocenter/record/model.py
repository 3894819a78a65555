"""Weights by digest, with where they came from and how good they were shown to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Model"]


@dataclass(frozen=True)
class Model:
    """One set of weights.

    Args:
        name, version: as the analysis names it.
        digest: SHA-256 of the ONNX file; empty only for an analysis without weights.
        parent: digest of the weights it was trained from.
        state: candidate, shadow, released, suspended (see `states.MODEL`).
        examples: digest of the frozen list of training examples.
        code: version of the training code.
        card: what it is for, from what data, under which licence, its limits.
        evidence: metrics with intervals, by set and subgroup.
        inputs: how a picture must be prepared: size, window, normalisation.
    """

    name: str
    version: str
    digest: str
    parent: str = ""
    state: str = "candidate"
    examples: str = ""
    code: str = ""
    card: Mapping[str, Any] = field(default_factory=dict, hash=False)
    evidence: Mapping[str, Any] = field(default_factory=dict, hash=False)
    inputs: Mapping[str, Any] = field(default_factory=dict, hash=False)
