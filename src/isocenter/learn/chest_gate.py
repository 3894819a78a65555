"""The gate of `chest_xray_heart`: whether a picture is an upright frontal chest, asked beside its outlines.

The outlines were learnt from virtual films, so that any two dark fields may pass for lungs. Small networks that saw
real films know one that is turned, inverted, cut out or of another part (see `scope`). So that no collection decides
what a chest looks like, this one learns from three: children's films, adults', and the virtual ones.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter import wholly
from isocenter.analysis.weights import read_file
from isocenter.errors import Refused
from isocenter.learn.augment import levelled
from isocenter.learn.chest import CARD, page
from isocenter.learn.chest_fit import films
from isocenter.learn.examples import Examples, digest_of
from isocenter.learn.export import COMPARED, exported
from isocenter.learn.films import read_films
from isocenter.learn.kinds import Classifier2D
from isocenter.learn.model_folder import write_record
from isocenter.learn.recipes import recipe
from isocenter.learn.scope import OTHER, Others, Scope, fit_scope, read_others, wrong_pictures
from isocenter.learn.train import foreign_parts
from isocenter.record import Model

__all__ = ["OUTPUT", "chest_gate_taught", "with_chest_gate"]

OUTPUT = "upright"
"""(n, 3) of the file: chance of being something else, a child's chest, an adult's; of the films as they are given."""
_SIDE, _SEEN, _DRAWN, _PART = 112, 40, 900, 0.5  # of the children's films that teach
_OUTLINED = 0.02  # of a virtual film, by each part of a frontal chest
_PREFIX, _LARGE = "gate/", 1000


class _Upright(nn.Module):  # type: ignore[misc]
    """``films`` (n, 1, side, side) in 0 … 1 → chances of `OUTPUT`."""

    def __init__(self, scope: Scope, side: int) -> None:
        super().__init__()
        self.net = scope.net
        edges, pixels = torch.arange(_SEEN + 1) * (side / _SEEN), torch.arange(side)
        upper, lower = edges[1:, None].minimum(pixels + 1), edges[:-1, None].maximum(pixels)
        self.register_buffer("mean", ((upper - lower).clamp(min=0) / (side / _SEEN)).float())

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.net(self.mean @ x @ self.mean.T), 1)


def chest_gate_taught(
    held: Model, place: Path, data: Path, out: Path, others: Path | None, seed: int, *, steps: int = 1500,
    tell: Callable[[str], None] = lambda line: None,
) -> Model:  # fmt: skip
    """A new version of the model that outlines lungs and heart, with a gate; its outlines are those of the first.

    Args:
        held: its record. place: its folder.
        data: children's films in folders by class; one half of the children teaches, the other measures.
        out: folder for the new version; empty or new.
        others: MedNIST array; by default the one beside `data`. Four fifths of it teach.
        steps: of the teaching.

    Raises:
        NotFound, Refused: as `read_films` and `read_others`.
    """
    side = int(held.inputs["side"])
    how = recipe("chest_xray_opacity")
    assert isinstance(how, Classifier2D)
    children = read_films(data, how)
    children = replace(children, pictures=_resized(children.pictures, _SIDE))
    people = np.random.default_rng([seed, 23]).random(int(children.groups.max()) + 1) < _PART
    teach, measure = (np.flatnonzero(people[children.groups] == part) for part in (True, False))
    virtual = _virtual(_DRAWN, seed + 60)
    tell(f"{len(teach)} films of children and {len(virtual)} virtual ones teach, {len(measure)} measure")
    shown, kept = foreign_parts(read_others(others or data.parent / "mednist" / "mednist_64.npz"), seed)
    pictures = np.concatenate([children.pictures[teach], virtual])
    names = tuple(str(k) for k in range(len(pictures)))
    labels = np.zeros(len(pictures), np.int64)
    right = Examples(pictures, labels, labels - 1, names, np.arange(len(pictures)), digest_of(names, labels, pictures))
    gate = fit_scope(right, shown, seed, steps=steps, progress=tell)
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "gate.onnx"
        random = torch.Generator().manual_seed(seed)
        seen = (torch.rand(1 + k % 3, 1, side, side, generator=random) for k in range(COMPARED))
        upright = _Upright(gate, side)
        _, parity = exported(upright, (1, side, side), alone, (OUTPUT,), seed=seed, name="films", inputs=seen)
        weights = with_chest_gate(read_file(place / "model.onnx"), alone.read_bytes())
    assert kept is not None
    declined = _declined(upright, side, children.pictures[measure], _virtual(200, seed + 61), kept, seed)
    told = (
        f"isocenter scope {held.name} --data {data.name}, seed {seed}, {steps} steps; outlines are those of the "
        f"weights {held.digest[:12]}; held to torch, then kept in 16 bits"
    )
    out.mkdir(parents=True, exist_ok=True)
    wholly.write(out / "model.onnx", weights)
    model = replace(
        held, version=str(int(held.version) + 1), digest=hashlib.sha256(weights).hexdigest(), parent=held.digest,
        state="candidate", card={**held.card, **CARD, "training": {**held.card["training"], "gate": told}},
        evidence={**held.evidence, "parity": max(parity, float(held.evidence["parity"])), "out_of_scope": declined},
        inputs={**held.inputs, "upright": OUTPUT},
    )  # fmt: skip
    write_record(out, model, page(model))
    return model


def _resized(pictures: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    x = torch.from_numpy(np.ascontiguousarray(pictures))[:, None]
    parts = [functional.interpolate(p.float(), (side, side), mode="bilinear", antialias=True) for p in x.split(256)]
    return np.asarray(torch.cat(parts)[:, 0].round().clamp(0, 255).byte().numpy())


def _virtual(count: int, seed: int) -> npt.NDArray[np.uint8]:
    """Those of `count` drawn films that show a frontal chest."""
    drawn = films(count, _SIDE, seed)
    whole = drawn.masks.float().mean((2, 3)).div(255).amin(1) > _OUTLINED
    return np.asarray(drawn.pictures[whole].numpy())


def _declined(
    net: nn.Module, side: int, children: npt.NDArray[np.uint8], virtual: npt.NDArray[np.uint8], kept: Others, seed: int
) -> dict[str, Any]:
    """How many of those that did not teach are called no upright chest."""

    def asked(pictures: npt.NDArray[np.uint8]) -> dict[str, int]:
        x = torch.from_numpy(levelled(_resized(pictures, side)))[:, None].float() / 255
        return counted(x)

    def counted(x: Tensor) -> dict[str, int]:
        with torch.inference_mode():
            said = torch.cat([net(part)[:, OTHER] for part in x.split(64)])
        return {"n": len(said), "declined": int((said > 0.5).sum())}

    random = torch.Generator().manual_seed(seed + 1)
    upright = torch.from_numpy(levelled(_resized(children, 56)))[:, None].float() / 255
    fine = torch.from_numpy(levelled(_resized(children, _SIDE)))[:, None].float() / 255
    wrong = functional.interpolate(wrong_pictures(upright, None, 600, random, fine), (side, side), mode="bilinear")
    return {
        "children's chests (right)": asked(children), "adults' chests (right)": asked(kept.pictures[kept.adult]),
        "virtual chests (right)": asked(virtual),
        "other parts and modalities (MedNIST)": asked(kept.pictures[~kept.adult]),
        "chests turned, inverted, cut out, in tiles; noise": counted(wrong),
    }  # fmt: skip


def with_chest_gate(weights: bytes, gate: bytes) -> bytes:
    """The file of outlines with the gate of another file, in the place of the one that it has; the rest as it is.

    Args:
        weights: with the input ``films``. gate: by itself, with the same input and the output `OUTPUT`.

    Raises:
        Refused: files of other inputs.
    """
    import onnx
    from onnx import compose

    made, other = onnx.load_model_from_string(weights), onnx.load_model_from_string(gate)
    if [i.name for i in made.graph.input] != ["films"] or [i.name for i in other.graph.input] != ["films"]:
        raise Refused("files of other inputs", "both look at films", "give those of chest_xray_heart")
    graph = made.graph
    for parts in (graph.node, graph.initializer, graph.output):
        stay = [one for one in parts if not (one.name.startswith(_PREFIX) or one.name == OUTPUT)]
        del parts[:]
        parts.extend(stay)
    named = compose.add_prefix(other, _PREFIX, rename_inputs=False, rename_outputs=False).graph
    for node in named.node:
        node.input[:] = ["films" if name == f"{_PREFIX}films" else name for name in node.input]
    _halve(named)
    graph.node.extend(named.node)
    graph.initializer.extend(named.initializer)
    graph.output.extend(named.output)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def _halve(graph: Any) -> None:
    """Keep large tables of numbers in 16 bits: chances hardly move, and the gate is half as large."""
    from onnx import helper, numpy_helper

    casts = []
    for tensor in graph.initializer:
        held = numpy_helper.to_array(tensor)
        if held.dtype == np.float32 and held.size >= _LARGE:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(held.astype(np.float16), f"{name}/16"))
            casts.append(helper.make_node("Cast", [f"{name}/16"], [name], name=f"{name}/cast", to=1))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
