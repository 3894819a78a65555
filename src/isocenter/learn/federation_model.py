"""The shared weights as a model of one site: calibrated and measured on people of its own that nobody trained on.

Every site gets a candidate of its own, with the same weights and its own evidence; what it is worth elsewhere is for
the other sites to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isocenter.errors import Refused
from isocenter.learn.card import written
from isocenter.learn.classify import Answer, ellipsoid, said_of, tensor
from isocenter.learn.examples import Examples
from isocenter.learn.export import exported
from isocenter.learn.federation import Federation
from isocenter.learn.judge_classes import class_figures
from isocenter.learn.kinds import Classes
from isocenter.learn.networks import GridNet
from isocenter.methods.calibration import fit_classes
from isocenter.record import Model

__all__ = ["site_model"]


def site_model(
    net: GridNet, how: Federation, own: Classes, training: Examples, held: Examples, out: Path,
    facts: Mapping[str, Any],
) -> Model:  # fmt: skip
    """Write ``model.onnx``, ``model.json`` and ``card.md`` of the shared weights.

    Args:
        training: what this site trained on, by which it is told what is strange. held: its people kept back.
        facts: what the card shall say of the federation.

    Raises:
        Refused: too few people were kept back, or they are of one class: nothing can be said of the model here; or it
            is no better than a coin. Nothing is written then.
    """
    counts = np.bincount(held.labels, minlength=len(own.classes))
    if min(counts) < 1 or len(held) < 5:
        raise Refused(f"{len(held)} pictures kept back, {counts.tolist()} by class", "nothing can be measured on them",
                      "judge the shared model at another site")  # fmt: skip
    plain = torch.ones(own.shape)  # the network saw no veil
    logits, _ = said_of(net, tensor(held.pictures, own), own.views, plain)
    both = np.concatenate([training.pictures, held.pictures])
    _, inside = said_of(net, tensor(both, own), ((),), plain)
    scores = logits.numpy().astype(np.float64)
    slope, offsets = fit_classes(held.labels, scores)
    centre, whiten = ellipsoid(inside, np.arange(len(both)) >= len(training))
    whole = Answer([net], own.views, slope, torch.tensor(offsets, dtype=torch.float32), centre, whiten, plain)
    z = scores * slope + offsets
    certainty = np.exp(z - z.max(1, keepdims=True))
    certainty /= certainty.sum(1, keepdims=True)
    inputs: dict[str, Any] = {
        "kind": "classes", "classes": list(own.classes), "positive": own.positive, "shape": list(own.shape),
        "channels": own.channels, "known_as": dict(own.known_as), "ordered": own.ordered > 0, "threshold": 0.5,
        "rest": False,
    }  # fmt: skip
    shown = class_figures(held.labels, scores, certainty, np.zeros(len(held), bool), inputs, people=held.groups)
    outputs = ("logits", "certainty", "embedding", "strangeness")
    digest, parity = exported(whole, (own.channels, *own.shape), out / "model.onnx", outputs)
    shown["parity"] = parity
    source = {"source": f"a federation of {facts['sites']} sites; the images of each stayed there",
              "licence": "as the sites agreed"}  # fmt: skip
    carded = replace(own, card={**own.card, **source})
    return written(carded, out, digest, training.digest, inputs, shown, {
        "examples": {name: int(n) for name, n in zip(own.classes, np.bincount(training.labels), strict=False)},
        "networks": 1, "seed": how.seed, "seconds": facts["seconds"],
        "parameters": sum(p.numel() for p in net.parameters()), "federation": dict(facts),
        "shown": f"{len(np.unique(held.groups))} people of this site whom nobody trained on; they set the calibration",
    })  # fmt: skip
