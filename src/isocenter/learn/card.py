"""The card of a model as a page: written from the record, never by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.record import Model

__all__ = ["page"]


def page(model: Model) -> str:
    """Markdown: use, limits, data, training, evidence, licence."""
    card, shown = model.card, model.evidence
    lines = [
        f"# {card['title']}",
        "",
        f"Model `{model.name}` version {model.version}, SHA-256 `{model.digest}`, state: {model.state}.",
        "Research software; not a medical device. This page is written by the training; do not edit it.",
        "",
        "## For what",
        "",
        card["intended_use"],
        "",
        "## Not for",
        "",
        *[f"- {line}" for line in card["not_for"]],
        "",
        "## Limits",
        "",
        *[f"- {line}" for line in card["limits"]],
        "",
        "## Data",
        "",
        card["source"] + ".",
        "",
        f"Licence: {card['licence']}.",
        "",
        f"{card['people']['training']} children ({card['pictures']['training']} pictures) for training, "
        f"{card['people']['validation']} ({card['pictures']['validation']}) for validation, split by person; "
        f"{card['near_duplicates']} pairs of near-duplicates were kept on one side. Digest of the examples "
        f"`{model.examples[:16]}…`.",
        "",
        "## Training",
        "",
        *[f"- {name}: {value}" for name, value in card["training"].items()],
        "",
        "## Evidence on the validation children",
        "",
        f"n = {shown['n']} ({shown['positives']} with opacity); threshold of certainty {shown['threshold']:g}.",
        "",
        "| figure | value | 95 % interval |",
        "|---|---|---|",
        *[_row(name, value) for name, value in shown["metrics"].items()],
        *[
            _row(f"{metric}, {group['name']} (n = {group['n']})", value)
            for group in shown["subgroups"]
            for metric, value in group["metrics"].items()
        ],
        f"| expected calibration error | {shown['calibration']['ece']:.3f} | |",
        f"| Brier score | {shown['calibration']['brier']:.3f} | |",
        "",
        f"{shown['declined']} of these {shown['n']} pictures would be declined as out of scope.",
        "",
        "Weights, epochs and threshold were not chosen on these children; the calibration was fitted on them, so the",
        "calibration error on new children will be larger.",
        "",
        "## What is refused",
        "",
        "| pictures | n | declined |",
        "|---|---|---|",
        *[f"| {kind} | {row['n']} | {row['declined']} |" for kind, row in shown["out_of_scope"].items()],
        "",
    ]
    return "\n".join(lines)


def _row(name: str, value: Mapping[str, Any]) -> str:
    return f"| {name.replace('_', ' ')} | {value['value']:.3f} | {value['low']:.3f} to {value['high']:.3f} |"
