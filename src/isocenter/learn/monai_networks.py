"""Networks and losses of MONAI where a recipe names them, answering as our own do.

MONAI is imported when the first one is made: whoever trains by our own networks does without.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from isocenter.errors import MissingPart, Refused
from isocenter.learn.kinds import Classes, Masks
from isocenter.learn.networks import GridNet, MaskNet
from isocenter.learn.offered import LOSSES, NETWORKS, arguments, step_of

__all__ = ["OWN_FILE", "MonaiNet", "classifier", "loss_of_classes", "loss_of_masks", "named_on", "outliner", "room_for"]

OWN_FILE = 10_000_000  # bytes of a file with our own networks
_FILE = 500_000_000  # and with those of MONAI, some of which are built for servers
_LAST = {
    "DenseNet121": "class_layers.out", "SEResNet50": "last_linear", "SEResNext50": "last_linear",
    "EfficientNetBN": "_fc", "ResNet": "fc",
}  # fmt: skip
"""Where a classifier keeps the layer that its answers are linear in."""
_INWARD = {"ResNet": "n_input_channels"}
_OUTWARD = {"DenseNet121": "out_channels"}


def _monai(part: str) -> Any:
    try:
        return importlib.import_module(f"monai.{part}")
    except ModuleNotFoundError as e:
        if e.name is None or e.name.split(".")[0] != "monai":
            raise
        raise MissingPart("a network or a loss of MONAI", "the package monai is not installed",
                          'pip install "isocenter[ml]"') from e  # fmt: skip


class MonaiNet(GridNet):
    """A classifier of MONAI whose last layer has given way to ours, so that what the answers are linear in is known.

    Args:
        how: a recipe that names one. answers: number of logits.
    """

    def __init__(self, how: Classes, answers: int) -> None:
        nn.Module.__init__(self)
        assert how.network is not None
        name, said = how.network.monai, arguments(how.network, NETWORKS[Classes], "network", how.task)
        self._before(len(how.shape), how.channels, how.levelled, how.softened)
        if name == "EfficientNetBN":
            said["pretrained"] = False  # MONAI would fetch weights
        self.body = getattr(_monai("networks.nets"), name)(
            spatial_dims=len(how.shape), **{_INWARD.get(name, "in_channels"): how.channels},
            **{_OUTWARD.get(name, "num_classes"): answers}, **said,
        )  # fmt: skip
        where, _, last = _LAST[name].rpartition(".")
        holder = self.body.get_submodule(where)
        width = getattr(holder, last).in_features
        setattr(holder, last, nn.Identity())
        self.drop, self.head = nn.Dropout(how.dropout), nn.Linear(width, answers)

    def traits(self, x: Tensor) -> Tensor:
        """(n, d): what the answers are linear in; of a network of MONAI no earlier stage is looked at."""
        seen: Tensor = self.body(self.evened(x))
        return seen


def classifier(how: Classes, answers: int) -> GridNet:
    """The network of a recipe of classes: MONAI's where it names one, else our own."""
    if how.network is not None:
        return MonaiNet(how, answers)
    return GridNet(how.widths, answers, how.dropout, axes=len(how.shape), channels=how.channels,
                   levelled=how.levelled, softened=how.softened)  # fmt: skip


def outliner(how: Masks, answers: int) -> nn.Module:
    """The network of a recipe of outlines: MONAI's where it names one, else our own."""
    axes = len(how.spacing_mm)
    if how.network is None:
        return MaskNet(how.widths, answers, how.fine, axes)
    said = arguments(how.network, NETWORKS[Masks], "network", how.task)
    if how.network.monai == "DynUNet":
        said["upsample_kernel_size"] = said["strides"][1:]
    make = getattr(_monai("networks.nets"), how.network.monai)
    net: nn.Module = make(spatial_dims=axes, in_channels=1, out_channels=answers, **said)
    return net


def loss_of_classes(how: Classes) -> Callable[[Tensor, Tensor], Tensor] | None:
    """(logits, targets, both (n, classes)) -> (n,) of the loss of MONAI that a recipe names; None for our own.

    Where a picture may show several of the classes, each is scored by itself.
    """
    if how.loss is None:
        return None
    said = arguments(how.loss, LOSSES[Classes], "loss", how.task)
    each = getattr(_monai("losses"), how.loss.monai)(use_softmax=not how.several, reduction="none", **said)
    return lambda logits, target: each(logits, target).mean(1) if how.several else each(logits, target).sum(1)


def loss_of_masks(how: Masks) -> Callable[[Tensor, Tensor], Tensor] | None:
    """(logits, shares, both (1, labels, …grid)) -> the loss of MONAI that a recipe names; None for our own."""
    if how.loss is None:
        return None
    said = arguments(how.loss, LOSSES[Masks], "loss", how.task)
    over = "use_softmax" if how.loss.monai == "FocalLoss" else "softmax"
    loss: Callable[[Tensor, Tensor], Tensor] = getattr(_monai("losses"), how.loss.monai)(**{over: True}, **said)
    return loss


def room_for(how: Classes | Masks, networks: int) -> int:
    """The largest file in bytes that so many networks may make, once it is known that they fit and answer.

    Raises:
        Refused: a grid too small for the network of MONAI, or a file that would be too large; before anything is read.
        MissingPart: MONAI is not installed.
    """
    if how.network is None:
        return OWN_FILE
    name = how.network.monai
    if isinstance(how, Classes):
        image, answers = torch.zeros(1, how.channels, *how.shape), len(how.classes) + (how.foreign > 0)
    else:
        image, answers = torch.zeros(1, 1, *(step_of(how),) * len(how.spacing_mm)), len(how.classes) + 1
    sides = " × ".join(str(side) for side in image.shape[2:])
    with torch.random.fork_rng(devices=[]):
        try:
            net = (classifier(how, answers) if isinstance(how, Classes) else outliner(how, answers)).eval()
            with torch.inference_mode():
                said = net(image)
        except (RuntimeError, ValueError, TypeError, NotImplementedError, IndexError) as e:
            raise Refused(f"{name} on {sides}", f"it cannot answer: {str(e).splitlines()[0][:120]}",
                          "give it a larger grid, or fewer stages") from e  # fmt: skip
    wanted = (1, answers) if isinstance(how, Classes) else (1, answers, *image.shape[2:])
    if tuple(said.shape) != wanted:
        raise Refused(f"{name} on {sides}", f"its answer is on another grid, {list(said.shape)}", "change its strides")
    size = 4 * networks * sum(math.prod(p.shape) for p in net.parameters())
    if size > _FILE:
        raise Refused(
            f"{networks} networks {name} in one file", f"they take {size / 1e6:.0f} MB, at most {_FILE / 1e6:.0f} are "
            "written", "set fitted to fewer of them, or give it fewer channels",
        )  # fmt: skip
    return _FILE


def named_on(how: Classes | Masks) -> dict[str, str]:
    """For the card: the network and the loss of MONAI, and the version that they came from."""
    named = {what: one.monai for what, one in (("network", how.network), ("loss", how.loss)) if one is not None}
    return {what: f"{name} of MONAI {_monai('_version').get_versions()['version']}" for what, name in named.items()}
