"""A shipped classifier of films taken up again, to learn on from what it knows, and its gate to be kept as it is.

Its ONNX file holds convolutions into which the norms were folded. They are given norms again, with the statistics of
films that pass through, so that the answers are the same and learning goes on as it began.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from isocenter.analysis.weights import read_file, record_in
from isocenter.dicom.confining import bounded_memory
from isocenter.errors import NotFound, Refused
from isocenter.learn.card import marks_in, page
from isocenter.learn.examples import Examples
from isocenter.learn.kinds import Classifier2D
from isocenter.learn.learnt import FILE, join, seen
from isocenter.learn.model_folder import write_record
from isocenter.learn.networks import ResidualNet
from isocenter.learn.scope import WIDTHS, Scope
from isocenter.record import Model

__all__ = ["SPLIT", "apart_from", "digest_of_weights", "gate_of", "handed_on", "read_back", "split_of", "with_gate"]

SPLIT = "seed of the split"
"""On the card of what began with another model: by which seed its people were held back, where that is not its own."""

_OF_GATE = ("gate.head.weight", "gate.head.bias", "centre", "whiten")
Folded = list[tuple[Tensor, Tensor]]


@bounded_memory()
def read_back(folder: Path, recipe: Classifier2D, films: Tensor) -> ResidualNet:
    """The network of a shipped classifier of films, from its ONNX file (see `export.Whole`), ready to answer or learn.

    Args:
        recipe: by which it was made. films: (n, 1, s, s) in 0 … 1, some dozens, for the statistics of its norms.

    Raises:
        NotFound: no model there. Refused: it holds another network than that of the recipe, or several.
        LimitReached: the file needs more memory than there is.
    """
    held, kept, heads = _within(folder)
    net = ResidualNet(recipe.widths, 2, recipe.dropout)
    net.eval()
    pairs = _pairs(net)
    head = next((h for h in heads if h.shape == net.head.weight.shape), None)
    if [w.shape for w, _ in kept[: len(pairs)]] != [c.weight.shape for c, _ in pairs] or head is None:
        raise Refused(f"the network in '{folder}'", f"it is not one of the widths {recipe.widths}", "give another")
    with torch.no_grad():
        for (convolution, norm), (weight, shift) in zip(pairs, kept, strict=False):
            convolution.weight.copy_(weight)
            norm.bias.copy_(shift)
            norm.register_forward_pre_hook(_with_statistics)
        net.head.weight.copy_(head)
        net.head.bias.copy_(held["bias"])
        net(films)
    for _, norm in pairs:
        norm._forward_pre_hooks.clear()
    return net


def split_of(folder: Path, examples: Examples, seed: int) -> int:
    """The seed by which people are held back when a training goes on from a model.

    Of the examples that it learnt from, by the one that held them back there, so that they stay held back: with another
    draw most of those who are to measure would be among those whom the first network learnt from. Of others by `seed`,
    and `apart_from` sees to it that none of whom it learnt from measures.

    Raises:
        Refused: no record there that says so, or it learnt from other examples and nothing tells from which.
    """
    told = "whom it learnt from, and who may measure, is not known"
    if not (folder / "model.json").is_file():
        raise Refused(f"a beginning without record in '{folder}'", told, "put its model.json beside model.onnx")
    held = record_in(folder / "model.json")
    training = held.card.get("training", {})
    if held.examples == examples.digest and "seed" in training:
        return int(training.get(SPLIT, training["seed"]))
    if not (folder / FILE).is_file():
        raise Refused(
            f"the beginning in '{folder}'", f"it learnt from {str(held.examples)[:12]}… and not from "
            f"{examples.digest[:12]}…: " + told, f"give the data that it was trained on, or put its {FILE} beside it",
        )  # fmt: skip
    return seed


def apart_from(
    folder: Path, examples: Examples, inside: npt.NDArray[np.int64], aside: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:  # fmt: skip
    """A split of which nobody measures who is in a picture that the model of this folder learnt from.

    Raises:
        Refused: of those who are left to measure all are of one class, or there are none.
    """
    known = seen(folder, examples.pictures)
    if known is None or not known.any() or record_in(folder / "model.json").examples == examples.digest:
        return inside, aside
    old = np.isin(examples.groups[aside], examples.groups[known])
    left = aside[~old]
    if len(np.unique(examples.labels[left])) < 2:
        raise Refused(
            f"{len(left)} pictures to measure by", "it learnt from the others, or they are of one class",
            "give more people whom it did not learn from, or train without --begin",
        )  # fmt: skip
    return np.sort(np.concatenate([inside, aside[old]])), left


def handed_on(folder: Path, out: Path, model: Model) -> Model:
    """The record of a model that goes on from another, with all that the first had learnt from in it.

    What it learnt from is known again by a sealed test, and by a withdrawal of consent, whichever training it was in.
    """
    first = record_in(folder / "model.json")
    if (folder / FILE).is_file():
        join(out, folder)
    card = {**model.card, "training": {**model.card["training"], **marks_in(out)}}
    if earlier := first.card.get("learned_from"):
        card["learned_from"] = sorted({*card.get("learned_from", ()), *earlier})
    version = model.version
    if (first.name, first.version.isdigit()) == (model.name, True) and first.examples != model.examples:
        version = str(int(first.version) + 1)
    whole = replace(model, card=card, version=version)
    write_record(out, whole, page(whole))
    return whole


def gate_of(folder: Path) -> Scope:
    """The gate of a shipped classifier of films, as it is in its ONNX file (see `scope`).

    Raises:
        NotFound: no model there. Refused: it holds no gate of ours.
    """
    held, kept, _ = _within(folder)
    net = ResidualNet(WIDTHS, 3)
    net.eval()
    pairs = _pairs(net)
    if not {*_OF_GATE} <= held.keys() or [w.shape for w, _ in kept[-len(pairs) :]] != [
        c.weight.shape for c, _ in pairs
    ]:
        raise Refused(f"the gate in '{folder}'", f"it is not one of the widths {WIDTHS}", "give another")
    with torch.no_grad():
        for (convolution, norm), (weight, shift) in zip(pairs, kept[-len(pairs) :], strict=True):
            convolution.weight.copy_(weight)
            norm.running_var.fill_(1 - norm.eps)  # what comes out is what goes in, and the shift
            norm.weight.fill_(1.0)
            norm.bias.copy_(shift)
        net.head.weight.copy_(held["gate.head.weight"])
        net.head.bias.copy_(held["gate.head.bias"])
    return Scope(net, held["centre"], held["whiten"])


def with_gate(weights: bytes, gate: bytes) -> bytes:
    """The file of a classifier of films with the gate of another file in the place of its own; the rest stays as it is.

    Args:
        weights: see `export.Whole`. gate: a gate by itself, as `export.Gate` is written.

    Raises:
        Refused: the gates are of other widths.
    """
    import onnx

    made, other = onnx.load_model_from_string(weights), onnx.load_model_from_string(gate).graph
    graph = made.graph
    mine, theirs = _convolutions(graph), _convolutions(other)
    held, given = ({t.name: t for t in g.initializer} for g in (graph, other))
    places = [(node, at, source) for (node, *_), (_, *names) in zip(mine[-len(theirs) :], theirs, strict=False)
              for at, source in enumerate(names, start=1)]  # fmt: skip
    last = [[n for n in g.node if n.op_type == "Conv"][-len(theirs) :] for g in (graph, other)]
    whole = [[n for n, *_ in c[-len(theirs) :]] for c in (mine, theirs)] == last
    alike = whole and len(mine) > len(theirs) and {*_OF_GATE} <= held.keys() & given.keys()
    if not alike or any(list(held[node.input[at]].dims) != list(given[source].dims) for node, at, source in places):
        raise Refused("a gate of other widths", f"the model has one of the widths {WIDTHS}", "train the model anew")
    for number, (node, at, source) in enumerate(places):  # a name of its own: equal numbers may be shared in a file
        node.input[at] = f"gate.{number}"
        held[node.input[at]] = given[source]
    held |= {name: given[name] for name in _OF_GATE}
    used = {name for node in graph.node for name in node.input}
    del graph.initializer[:]
    for name, tensor in held.items():
        if name in used:
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = name
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def _convolutions(graph: Any) -> list[tuple[Any, str, str]]:
    """The convolutions of a graph in order, with the names of their weights and shifts."""
    held = {t.name for t in graph.initializer}
    return [
        (node, node.input[1], node.input[2]) for node in graph.node
        if node.op_type == "Conv" and len(node.input) == 3 and set(node.input[1:3]) <= held
    ]  # fmt: skip


def _within(folder: Path) -> tuple[Mapping[str, Tensor], Folded, list[Tensor]]:
    """What an ONNX file holds by name; its convolutions with the shifts of their norms, in order; and its heads."""
    import onnx
    from onnx import numpy_helper

    file = folder / "model.onnx"
    if not file.is_file():
        raise NotFound(f"a model in '{folder}'", "it is model.onnx", "give the folder of a classifier of films")
    graph = onnx.load_model_from_string(read_file(file)).graph
    held = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    kept = [(held[weight], held[shift]) for _, weight, shift in _convolutions(graph)]
    heads = [held[n].T for node in graph.node if node.op_type == "MatMul" for n in node.input if n in held]
    return held, kept, heads


def digest_of_weights(net: ResidualNet) -> str:
    """SHA-256 over all weights, in their order."""
    sha = hashlib.sha256()
    for tensor in net.state_dict().values():
        sha.update(tensor.contiguous().numpy().tobytes())
    return sha.hexdigest()


def _with_statistics(norm: nn.BatchNorm2d, given: tuple[Tensor]) -> None:
    """A norm that adds a shift becomes one that takes the mean and the spread of what comes out, and puts them back."""
    mean, spread = given[0].mean((0, 2, 3)), given[0].var((0, 2, 3))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(spread)
    norm.weight.copy_((spread + norm.eps).sqrt())
    norm.bias.add_(mean)


def _pairs(net: ResidualNet) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and their norms, in the order in which a film passes them."""
    found = [(net.body[0], net.body[1])]
    for step in list(net.body)[3:]:
        found.append((step.one, step.norm_one))
        around = list(step.around)
        if around and isinstance(around[-1], nn.BatchNorm2d):
            found.append((around[-2], around[-1]))
        found.append((step.two, step.norm_two))
    return found
