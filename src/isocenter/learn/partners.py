"""Networks that a classifier of films is held against before its map of sensitivity may be shown.

A *twin* has the same recipe and another seed, the *other* another architecture; both learn from the very people that
the model learnt from, for fewer epochs, which makes their maps less alike and the checks harder to pass. The *shuffled*
ones learn by heart, without augmentation, some of the same films of which in each class half are said to be of the
other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isocenter import wholly
from isocenter.analysis.weights import read_file
from isocenter.errors import Refused, Unavailable
from isocenter.learn.examples import Examples, digest_of
from isocenter.learn.export import exported
from isocenter.learn.fit import answers, fit
from isocenter.learn.kinds import Augmentation, Classifier2D
from isocenter.learn.networks import PlainNet, ResidualNet

__all__ = ["STILL", "Partner", "memorising", "partner", "partners", "shuffled", "taken_or_made"]

STILL = Augmentation(
    scale=(1.0, 1.0), rotate_deg=0.0, shift=0.0, mirror=0.0, curve=0.0, field=0.0, sharpness=0.0, noise=0.0, erase=0.0
)
"""Nothing is done to a picture."""
_SHUFFLED = 128  # films that are learnt by heart
_BLIND = 3  # networks of wrong labels


@dataclass(frozen=True)
class Partner:
    """One such network.

    Args:
        role: twin, other or shuffled, the last with a number. data: its ONNX file. told: digest, seed, epochs,
            architecture, and how well it answers: AUC on held-back people, and the share right of what it learnt by
            heart.
    """

    role: str
    data: bytes
    told: dict[str, Any]


class _Looking(nn.Module):  # type: ignore[misc]
    """Picture → logits and the map of the first of them, as `export.Whole` gives them."""

    def __init__(self, net: ResidualNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        mirrored = torch.flip(image, (3,))
        seen = (self.net.features(image) + torch.flip(self.net.features(mirrored), (3,))) / 2
        logits = self.net.head(seen.mean((2, 3)))
        weight, bias = self.net.head.weight[0], self.net.head.bias[0]
        return logits, (seen * weight.view(1, -1, 1, 1)).sum(1, keepdim=True) + bias


def partner(how: Classifier2D, epochs: int = 6) -> Classifier2D:
    """The recipe of twin and other: the model's own, shorter, from nothing, with a quicker average of the weights."""
    rate = how.rate if how.begins is None else how.begins.rate
    return replace(how, epochs=epochs, average=0.99, threads=1, rate=rate, begins=None)


def memorising(how: Classifier2D) -> Classifier2D:
    """The recipe of the shuffled: nothing that would keep it from learning by heart."""
    return replace(
        how, epochs=30, smoothing=0.0, dropout=0.0, decay=0.0, average=0.9, second_head=0.0, augmentation=STILL,
        opacities=None, begins=None, threads=1, rate=how.rate if how.begins is None else how.begins.rate,
    )  # fmt: skip


def shuffled(examples: Examples, seed: int, n: int = _SHUFFLED) -> Examples:
    """Some examples, as many of each class, and in each class as many of each label.

    Raises:
        Refused: a class has fewer examples than there are classes.
    """
    random = np.random.default_rng([seed, 11])
    kinds = np.unique(examples.labels)
    many = max(2, len(kinds))
    counts = [int(np.count_nonzero(examples.labels == k)) for k in kinds]
    each = min(n // many, *counts) // many * many
    if not each or len(kinds) < many:
        raise Refused("labels to be shuffled", f"each class needs {many} examples at least", "give more")
    which = np.concatenate([random.permutation(np.flatnonzero(examples.labels == k))[:each] for k in kinds])
    some = examples.take(which)
    labels = np.tile(np.repeat(kinds, each // many), many)
    digest = digest_of(some.names, labels, some.pictures)
    return replace(some, labels=labels, subtypes=np.full(len(labels), -1), digest=digest)


def partners(
    how: Classifier2D, chosen: Examples, held: Examples, seed: int, folder: Path,
    progress: Callable[[str], None] = lambda line: None,
) -> list[Partner]:  # fmt: skip
    """Twin, other, and three that learnt shuffled labels; those that lie in the folder are taken, if they are these.

    A run that was killed goes on after its last epoch.

    Args:
        how: recipe of the model. chosen: what it learnt from. held: people that it did not learn from.
        seed: of the model. folder: takes an ONNX file of each, and what is told of it.

    Raises:
        Unavailable: the folder cannot be written. Refused: there is no room for a batch in what is given.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise Unavailable(f"cannot make {folder}", str(e), "choose another folder") from e
    wanted = [
        ("twin", ResidualNet, partner(how), chosen, seed + 1),
        ("other", PlainNet, partner(how, 3), chosen, seed + 2),
    ]
    wanted += [
        (f"shuffled{k}", ResidualNet, memorising(how), shuffled(chosen, seed + k), seed + 10 + k) for k in range(_BLIND)
    ]
    return [_one(*each, held=held, folder=folder, progress=progress) for each in wanted]


def _one(
    role: str, architecture: type[ResidualNet], how: Classifier2D, examples: Examples, seed: int, *, held: Examples,
    folder: Path, progress: Callable[[str], None],
) -> Partner:  # fmt: skip
    if len(examples) < how.batch:
        raise Refused(f"{len(examples)} examples for the {role}", f"a batch has {how.batch}", "give more examples")
    recipe = {k: v for k, v in asdict(how).items() if k not in ("begins", "card", "gate_steps", "members", "moved")}
    said = {
        "architecture": architecture.__name__, "seed": seed, "epochs": how.epochs, "examples": examples.digest,
        "recipe": hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest(),
    }  # fmt: skip

    def made(file: Path, checkpoint: Path) -> dict[str, Any]:
        progress(f"{role}: {len(examples)} films, {how.epochs} epochs")
        net = fit(
            how, examples, seed, architecture=architecture, checkpoint=checkpoint,
            progress=lambda line: progress(f"{role}, {line}"),
        )  # fmt: skip
        exported(_Looking(net), (1, how.size, how.size), file, ("logits", "map"), seed=seed, apart=1e-3)
        return {"films": len(examples), **_answers_of(net, how.size, examples, held, role)}

    return taken_or_made(role, said, folder, made, progress)


def taken_or_made(
    role: str, said: Mapping[str, Any], folder: Path, made: Callable[[Path, Path], Mapping[str, Any]],
    progress: Callable[[str], None],
) -> Partner:  # fmt: skip
    """The partner that lies in a folder, if it is the one of which this is said; else it is made and laid there.

    Args:
        made: (ONNX file to write, file that a training which was killed goes on from) -> what is told of it beside.
    """
    file, beside = folder / f"{role}.onnx", folder / f"{role}.json"
    if file.is_file() and beside.is_file():
        told, data = json.loads(beside.read_text("utf-8")), read_file(file)
        if said.items() <= told.items() and told["digest"] == hashlib.sha256(data).hexdigest():
            progress(f"{role}: taken from {folder}")
            return Partner(role, data, told)
    kept = folder / f"{role}.checkpoint"
    more = made(file, kept)
    data = file.read_bytes()
    told = {**said, "digest": hashlib.sha256(data).hexdigest(), **more}
    wholly.write(beside, json.dumps(told, indent=1) + "\n")
    kept.unlink(missing_ok=True)
    return Partner(role, data, told)


def _answers_of(net: ResidualNet, size: int, examples: Examples, held: Examples, role: str) -> dict[str, float]:
    from isocenter.methods.roc import auc

    told = {"auc_held_back": auc(held.labels, answers(net, held.pictures, size)[:, 0]).value}
    if role.startswith("shuffled"):
        right = (answers(net, examples.pictures, size)[:, 0] > 0) == (examples.labels == 1)
        told["right_by_heart"] = float(right.mean())
    return told
