"""What one site of a federation does with its own pictures between two sums."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt
import torch

from isocenter.errors import Refused
from isocenter.learn.classify import tensor
from isocenter.learn.examples import Examples
from isocenter.learn.federation import Federation, clipped, flat, loss_of, shared_names, shown_as
from isocenter.learn.kinds import Classes
from isocenter.learn.networks import GridNet
from isocenter.learn.private_steps import private_steps

__all__ = ["changed"]


def _rate(how: Federation, number: int) -> float:
    return how.rate if how.server else how.rate * how.left_of_rate(number)  # Adam looks past the length of updates


def changed(
    net: GridNet, examples: Examples, how: Federation, own: Classes, number: int, site: str
) -> tuple[npt.NDArray[np.float64], float]:
    """Train the network at one site for one round, and say how far its shared numbers moved.

    Args:
        net: at the shared weights; it is changed.
        number: of the round, counted from 0. site: its name; with the seed it decides the order of pictures.

    Returns:
        The change, clipped, and the mean loss.

    Raises:
        Refused: when there is nothing to learn from, or the loss is no number any more.
    """
    if how.privacy == "person":
        names = shared_names(net, how)
        before = flat(net, names)
        lost = private_steps(net, examples, how, own, _rate(how, number))
        return clipped(flat(net, names) - before, how.clip), lost
    torch.set_num_threads(own.threads)
    sha = hashlib.sha256(f"{how.seed}|{number}|{site}".encode()).digest()
    seed = int.from_bytes(sha[:7], "big")
    torch.manual_seed(seed)  # for dropout
    random = torch.Generator().manual_seed(seed)
    names = shared_names(net, how)
    before = flat(net, names)
    anchor = [p.detach().clone() for p in net.parameters()]
    pictures, labels = tensor(examples.pictures, own), torch.from_numpy(examples.labels)
    count = len(labels)
    size = min(how.batch or count, count)
    if count < 2:
        raise Refused(f"{count} pictures for training", "there is nothing to learn from", "give more, or do not join")
    descent = torch.optim.SGD(net.parameters(), lr=_rate(how, number), momentum=how.momentum)
    net.train()
    total, steps = 0.0, 0
    for _ in range(how.epochs):
        if how.parts:
            order, size = _part(count, how, number, site)
        else:
            order = torch.randperm(count, generator=random) if size < count else torch.arange(count)
        for start in range(0, len(order) - size + 1, size):
            which = order[start : start + size]
            down = loss_of(net(shown_as(pictures[which], how, own, random)), labels[which], own)
            if how.method == "fedprox":
                pull = sum(((p - a) ** 2).sum() for p, a in zip(net.parameters(), anchor, strict=True))
                down = down + how.proximal / 2 * pull
            descent.zero_grad(set_to_none=True)
            down.backward()
            descent.step()
            total, steps = total + float(down.detach()), steps + 1
    if not math.isfinite(total):
        raise Refused("a loss that is no number", "the steps were too large", "lower the rate of learning")
    return clipped(flat(net, names) - before, how.clip), total / steps


def _part(count: int, how: Federation, number: int, site: str) -> tuple[torch.Tensor, int]:
    """The pictures of a round that is one step; in `parts` rounds every picture comes once, in an order drawn anew."""
    size = min(count, max(1 if how.by_groups or how.by_moments else 2, round(count / how.parts)))
    sha = hashlib.sha256(f"{how.seed}|{number // how.parts}|{site}|part".encode()).digest()
    order = torch.randperm(count, generator=torch.Generator().manual_seed(int.from_bytes(sha[:7], "big")))
    first = number % how.parts * size
    return order[torch.arange(first, first + size) % count], size
