"""Steps of a descent from which nobody can tell whether one person was there (DP-SGD, Abadi et al., CCS 2016).

In each step every person is drawn by chance, not in turn; of each person drawn one picture is shown, its gradient is
made no longer than a limit, and noise that hides one such gradient is added to the sum. The chance of being drawn, the
noise and the number of steps are all that `methods.privacy` needs. The number of people itself is taken as known.
"""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from isocenter.errors import MissingPart, Refused
from isocenter.learn.classify import tensor
from isocenter.learn.examples import Examples
from isocenter.learn.federation import Federation, loss_of, shown_as
from isocenter.learn.kinds import Classes
from isocenter.learn.networks import GridNet
from isocenter.methods.privacy import ORDERS, spent, spent_exactly

__all__ = ["Spent", "by_opacus", "private_steps", "steps_of"]

_APART = 0.01  # of ε: by how much numbers alone may put two accountants apart
_AT_ONCE = 64  # gradients of single people that are held in memory


def steps_of(how: Federation, people: int) -> tuple[int, float]:
    """Steps in a round at a site of so many people, and the chance that one of them is drawn in a step."""
    size = min(how.batch or people, people)
    return how.epochs * math.ceil(people / size), size / people


@dataclass
class Spent:
    """What a run has told of each person of one site (or, by agreement, of each site) so far.

    Args:
        rounds: that were answered.
        steps: noisy sums in a round. chance: of being drawn for one.
    """

    privacy: str
    noise: float
    delta: float
    steps: int
    chance: float
    rounds: int = 0

    @classmethod
    def of(cls, how: Federation, people: int) -> Spent:
        """Of nothing yet, at a site of so many people."""
        steps, chance = steps_of(how, max(people, 1)) if how.privacy == "person" else (1, 1.0)
        return cls(how.privacy, how.noise, how.delta, steps, chance)

    def epsilon(self, more: int = 0) -> float:
        """ε after the rounds so far and some more; 0 where the agreement has no noise, and says so."""
        if not self.privacy:
            return 0.0
        return spent(self.chance, self.noise, self.steps * (self.rounds + more), self.delta)

    def accounts(self, rounds: int) -> dict[str, float]:
        """ε of a run of so many rounds by each accountant that is at hand, the one that a site goes by first.

        ``opacus`` is among them where the extra ``privacy`` is installed.

        Raises:
            Refused: they contradict each other, so that none can be trusted.
        """
        case = (self.chance, self.noise, self.steps * rounds, self.delta)
        found = {"Rényi": spent(*case), "distribution": spent_exactly(*case)}
        with contextlib.suppress(MissingPart):
            found["opacus"] = by_opacus(*case)
        ours, exact, theirs = found["Rényi"], found["distribution"], found.get("opacus", found["Rényi"])
        # Both by Rényi are bounds, opacus over fewer orders: neither is below the truth, nor opacus below ours.
        if exact > min(ours, theirs) * (1 + _APART) or theirs < ours * (1 - _APART):
            told = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
            raise Refused(f"ε by several accountants: {told}", "they contradict each other",
                          "agree on other noise, and report the agreement")  # fmt: skip
        return found


def by_opacus(chance: float, noise: float, steps: int, delta: float) -> float:
    """ε after some steps by the Rényi accountant of opacus (Yousefpour et al. 2021); arguments as in `spent`.

    Raises:
        MissingPart: opacus is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from opacus.accountants import RDPAccountant
    except ImportError as e:
        raise MissingPart("a third accountant of privacy", "opacus is not installed",
                          'pip install "isocenter[privacy]"') from e  # fmt: skip
    theirs = RDPAccountant()
    theirs.history = [(noise, chance, steps)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the best order is the first or the last of those it tries
        # Its own orders end at 63, which is too few where ε is small; its sums overflow beyond a thousand.
        return float(theirs.get_epsilon(delta, alphas=[a for a in ORDERS if a < 11] + list(range(11, 513, 3))))


def private_steps(net: GridNet, examples: Examples, how: Federation, own: Classes, rate: float) -> float:
    """One round of steps at one site; the network is changed.

    Returns:
        The mean loss of those drawn, which stays at the site: it is not protected.

    Raises:
        Refused: a layer of the network mixes people.
    """
    if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in net.modules()):
        raise Refused(
            "normalisation by batches with privacy",
            "one person's picture would change all others'",
            "normalise by groups (--by-groups)",
        )
    torch.set_num_threads(own.threads)
    pictures, labels = tensor(examples.pictures, own), torch.from_numpy(examples.labels)
    rows = [np.flatnonzero(examples.groups == g) for g in np.unique(examples.groups)]
    # Nobody may be able to repeat this chance: it does not come from the seed of the agreement.
    random = torch.Generator().manual_seed(int.from_bytes(os.urandom(7), "big"))
    steps, chance = steps_of(how, len(rows))
    expected = chance * len(rows)
    weights = {n: p.detach() for n, p in net.named_parameters()}
    speed = {n: torch.zeros_like(p) for n, p in weights.items()}
    net.train()

    def of_one(values: dict[str, Tensor], x: Tensor, label: Tensor) -> Tensor:
        return loss_of(functional_call(net, values, (x[None],)), label[None], own)

    single = vmap(grad_and_value(of_one), in_dims=(None, 0, 0))
    total, seen = 0.0, 0
    for _ in range(steps):
        drawn = torch.nonzero(torch.rand(len(rows), generator=random) < chance).flatten().tolist()
        which = torch.tensor([rows[p][int(torch.randint(len(rows[p]), (1,), generator=random))] for p in drawn])
        added = {n: torch.zeros_like(p) for n, p in weights.items()}
        for some in which.split(_AT_ONCE) if drawn else ():
            gradients, losses = single(weights, shown_as(pictures[some], how, own, random), labels[some])
            length = torch.stack([g.flatten(1).norm(dim=1) for g in gradients.values()]).norm(dim=0)
            share = (how.person_clip / length.clamp(min=1e-12)).clamp(max=1.0)
            if not bool(torch.isfinite(share).all()):
                raise Refused("a gradient that is no number", "the steps were too large", "lower the rate of learning")
            for name, gradient in gradients.items():
                added[name] += torch.einsum("n,n...->...", share, gradient)
            total, seen = total + float(losses.sum()), seen + len(some)
        for name, value in weights.items():
            noise = torch.randn(value.shape, generator=random) * (how.noise * how.person_clip)
            speed[name] = how.momentum * speed[name] + (added[name] + noise) / expected
            value -= rate * speed[name]
    return total / max(seen, 1)
