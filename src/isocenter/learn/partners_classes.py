"""Partners of a classifier of pictures (see `partners`): trained from its own recipe on what it learnt from.

Each is one network, where the model may be the mean of several, and has support vectors beside it where the model has
them, with the recipe's own settings; the *other* architecture stands alone. That makes their maps less alike than those
of a whole training would be, and the checks harder to pass.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isocenter.errors import Refused, Unavailable
from isocenter.learn.classify import beside_nets, fit_classes_net, said_of, tensor, veil
from isocenter.learn.examples import Examples
from isocenter.learn.export import exported
from isocenter.learn.foreign import Foreign
from isocenter.learn.kinds import Classes, Movement, as_said
from isocenter.learn.monai_networks import classifier, room_for
from isocenter.learn.nested import spread
from isocenter.learn.networks import GridNet, PlainGrid
from isocenter.learn.partners import STILL, Partner, shuffled, taken_or_made
from isocenter.learn.waves import Machine, directions, fit_machine, scattered
from isocenter.record import to_plain

__all__ = ["class_partners"]

_BLIND = 3  # networks of wrong labels
_BY_HEART = 30  # epochs
_UNSAID = ("card", "choose", "goal", "fitted", "members", "strangers")
Progress = Callable[[str], None]


class _Said(nn.Module):  # type: ignore[misc]
    """Picture → logits of one network over its mirror images, and of support vectors."""

    def __init__(self, net: GridNet, how: Classes, machine: Machine | None) -> None:
        super().__init__()
        self.net, self.machine = net, machine
        self.views = [tuple(-a for a in view) for view in how.views]
        self.register_buffer("veil", veil(how))

    def forward(self, image: Tensor) -> Tensor:
        image = image * self.veil
        said = torch.stack([self.net(torch.flip(image, v) if v else image) for v in self.views]).mean(0)
        return said if self.machine is None else beside_nets(said, self.machine(image), self.machine.kinds)


class _Learnt:
    """Examples, and what the support vectors see of them, which is looked at once, and only where it is needed."""

    def __init__(self, how: Classes, examples: Examples) -> None:
        self.how, self.examples = how, examples

    @cached_property
    def seen(self) -> Tensor:
        """(sides, n, d)"""
        assert self.how.beside is not None
        return scattered(self.how.beside, tensor(self.examples.pictures, self.how))

    def machine(self, some: Examples, net: GridNet) -> Machine:
        """Support vectors on some of the examples, which count as much as a network beside them."""
        assert self.how.beside is not None
        at = {name: k for k, name in enumerate(self.examples.names)}
        seen = self.seen[:, [at[name] for name in some.names]]
        made = fit_machine(self.how.beside, directions(seen), some.labels, len(self.how.classes))
        logits = said_of(net, tensor(some.pictures, self.how), self.how.views, veil(self.how))[0]
        logits = logits[:, : len(self.how.classes)]
        with torch.inference_mode():
            made.share = spread(logits) / max(spread(torch.stack([made.decided(s) for s in seen]).mean(0)), 1e-6)
        return made


def class_partners(
    how: Classes, chosen: Examples, foreign: Foreign | None, seed: int, folder: Path, *, epochs: int | None = None,
    progress: Progress = lambda line: None,
) -> list[Partner]:  # fmt: skip
    """Twin, other, and three that learnt shuffled labels; those that lie in the folder are taken, if they are these.

    Args:
        how: recipe of the model. chosen: what partners learn from. foreign: pictures of none of the classes.
        seed: of the model. folder: takes an ONNX file of each, and what is told of it.
        epochs: of twin and other, where they shall be fewer than the recipe's.

    Raises:
        Unavailable: the folder cannot be written. Refused: there is no room for a batch in what is given.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise Unavailable(f"cannot make {folder}", str(e), "choose another folder") from e
    short = min(epochs or how.epochs, how.epochs)
    again = replace(how, epochs=short, average=min(how.average, 0.99), patience=0)
    learnt, made = _Learnt(how, chosen), list[Partner]()
    for role, recipe, some, number in (
        ("twin", again, chosen, seed + 1),
        ("other", again, chosen, seed + 2),
        *((f"shuffled{k}", _by_heart(how), shuffled(chosen, seed + k), seed + 10 + k) for k in range(_BLIND)),
    ):
        made.append(_one(role, recipe, some, number, learnt, foreign, folder, progress))
    return made


def _by_heart(how: Classes) -> Classes:
    """The recipe of the shuffled: nothing that would keep it from learning by heart."""
    return replace(
        how, epochs=_BY_HEART, batch=min(how.batch, 16), smoothing=0.0, dropout=0.0, decay=0.0, average=0.9,
        foreign=0.0, balanced=False, patience=0, augmentation=STILL,
        movement=Movement(scale=(1.0, 1.0), stretch=0.0, rotate_deg=0.0, shift=0.0),
    )  # fmt: skip


def _one(
    role: str, how: Classes, examples: Examples, seed: int, learnt: _Learnt, foreign: Foreign | None, folder: Path,
    progress: Progress,
) -> Partner:  # fmt: skip
    if len(examples) < how.batch:
        raise Refused(f"{len(examples)} examples for the {role}", f"a batch has {how.batch}", "give more examples")
    recipe = {k: v for k, v in to_plain(as_said(how)).items() if k not in _UNSAID}
    said = {
        "architecture": "plain" if role == "other" else "the recipe's", "seed": seed, "epochs": how.epochs,
        "examples": examples.digest, "recipe": hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest(),
    }  # fmt: skip

    def made(file: Path, checkpoint: Path) -> dict[str, Any]:
        progress(f"{role}: {len(examples)} examples, {how.epochs} epochs")
        net = fit_classes_net(
            how, examples, seed, foreign=foreign if how.foreign else None, checkpoint=checkpoint,
            architecture=_plain if role == "other" else classifier,
            progress=lambda line: progress(f"{role}, {line}"),
        )  # fmt: skip
        net.eval()
        machine = None if how.beside is None or role == "other" else learnt.machine(examples, net)
        shape = (how.channels, *how.shape)
        whole = _Said(net, how, machine)
        exported(whole, shape, file, ("logits",), seed=seed, apart=1e-3, limit_bytes=room_for(how, 1))
        return {"cases": len(examples), "right": _right(whole, how, examples)}

    return taken_or_made(role, said, folder, made, progress)


def _plain(how: Classes, answers: int) -> GridNet:
    return PlainGrid(how.widths, answers, how.dropout, axes=len(how.shape), channels=how.channels,
                     levelled=how.levelled, softened=how.softened)  # fmt: skip


def _right(whole: _Said, how: Classes, examples: Examples) -> float:
    """Share of the examples, of 256 at most, that it answers as it was told."""
    some = np.linspace(0, len(examples) - 1, min(256, len(examples))).astype(int)
    with torch.inference_mode():
        said = whole.eval()(tensor(examples.pictures[some], how).float() / 255)
    return float((said.argmax(1).numpy() == examples.labels[some]).mean())
