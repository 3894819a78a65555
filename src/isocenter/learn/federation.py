"""What a federation agrees on, and how its network, its pictures and its loss are made the same at every site.

A federation trains one network where no image leaves its hospital. In each round every site begins at the shared
weights, takes some steps on its own pictures and gives the change, weighed by its number of pictures, into a secure sum
(McMahan et al., AISTATS 2017: w = Σ nₖ/n · wₖ). With one step on all pictures that is gradient descent on the pooled
pictures, exactly. FedProx holds the sites near the shared weights (Li et al., MLSys 2020); FedBN leaves the layers of
normalisation, which learn what is peculiar to a scanner, at each site (Li et al., ICLR 2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from isocenter.errors import Refused
from isocenter.learn.augment import augmented, moved
from isocenter.learn.kinds import Classes
from isocenter.learn.networks import GridNet
from isocenter.learn.recipe_files import recipe_in
from isocenter.learn.recipes import recipe, unlike
from isocenter.learn.shared_norms import MOMENTS, SharedNorm

__all__ = [
    "METHODS",
    "Federation",
    "clipped",
    "flat",
    "loss_of",
    "moments_among",
    "network",
    "poured",
    "recipe_of",
    "shared_names",
    "shown_as",
]

METHODS = ("fedavg", "fedprox", "fedbn")
_LAYERS = (nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class Federation:
    """The agreement: what every site hears before it joins, and may say no to.

    Args:
        task: name of a recipe for classes of pictures or volumes. own: text of its file where it is none that ships.
        method: one of `METHODS`. proximal: strength of FedProx.
        rounds: sums of updates. epochs: looks at a site's pictures between two sums. batch: pictures in a step; 0 for
            all of them at once.
        parts: a round is one step on so small a part of every site's own pictures (65: one in 65), in place of looks
            and batches; 0 for looks. Sites whose classes differ then cannot drift apart between two sums.
        carried: part of the last move of the shared weights that is added to the next (momentum at the coordinator).
        server: how the coordinator goes by the mean of the updates: "" for as far as it says; "adam": in Adam's steps
            along it (Reddi et al., ICLR 2021), with `carried` as the decay of its mean. server_rate: of these.
        rate, momentum: of the descent at a site. falling: whether the rate goes to zero over the rounds (cosine);
            with Adam that of the coordinator does.
        moves: whether pictures are augmented as the recipe says.
        by_groups: whether channels are normalised in groups of one picture, not over a batch; with privacy always.
        by_moments: part of the moments that a sum renews where channels are normalised by those of all sites'
            pictures (`shared_norms`), in rounds of one step; 0 where they are not.
        clip: largest length of an update; 0 for any.
        at_least: fewest sites whose sum the coordinator may see.
        privacy: "" for none; "person": noise at each site, so that nobody can tell whether one person was among its
            pictures, not even the coordinator; "site": noise on the sum of clipped updates, so that nobody can tell
            whether one site took part.
        noise: standard deviation of it in units of the clipping length (`person_clip`, or `clip`).
        person_clip: largest length of one person's gradient. delta: of (ε, δ).
        held: part of each site's people kept for evidence.
        seed: of the first weights and of the order of pictures.
    """

    task: str
    method: str = "fedavg"
    rounds: int = 20
    epochs: int = 1
    batch: int = 32
    rate: float = 0.05
    momentum: float = 0.9
    falling: bool = True
    moves: bool = True
    proximal: float = 0.01
    by_groups: bool = False
    clip: float = 0.0
    at_least: int = 3
    privacy: str = ""
    noise: float = 1.0
    person_clip: float = 1.0
    delta: float = 1e-5
    held: float = 0.15
    seed: int = 0
    parts: int = 0
    carried: float = 0.0
    own: str = ""
    server: str = ""
    server_rate: float = 0.004
    by_moments: float = 0.0

    def __post_init__(self) -> None:
        wrong = [
            (self.method not in METHODS, f"method '{self.method}'", f"it is one of {', '.join(METHODS)}"),
            (self.privacy not in ("", "person", "site"), f"privacy '{self.privacy}'", "it is person, site or nothing"),
            (self.at_least < 2, f"sums of at least {self.at_least}", "a sum of one site is that site's update"),
            (min(self.rounds, self.epochs) < 1 or self.batch < 0, "rounds, epochs or batch", "they are counted from 1"),
            (not 0 < self.rate < 100 or not 0 <= self.momentum < 1, "rate or momentum", "they are out of range"),
            (not 0 <= self.held < 0.9, f"{self.held} held back", "it is a part below 0.9"),
            (self.parts < 0 or self.parts == 1 or not 0 <= self.carried < 1, "parts or carried",
             "parts are 2 and more, or 0 for looks; what is carried on is a part below 1"),
            (self.server not in ("", "adam"), f"server '{self.server:.40}'", "it is adam or nothing"),
            (not 0 < self.server_rate < 1, f"server_rate {self.server_rate:g}", "it is above 0 and below 1"),
            (not 0 <= self.by_moments <= 1, f"by_moments {self.by_moments:g}",
             "it is the part of the moments that a sum renews, or 0 for other norms"),
            (bool(self.by_moments) and (self.by_groups or bool(self.privacy) or self.method == "fedbn"),
             "norms by shared moments beside norms by groups, privacy or FedBN",
             "a layer has one norm; noise is not shared out over moments, and FedBN shares none"),
            (bool(self.by_moments) and not self.parts and (self.batch > 0 or self.epochs > 1),
             "norms by shared moments in rounds of several steps", "moments are those of one step: agree on parts"),
            (bool(self.by_moments) and self.clip > 0, "norms by shared moments with clipping",
             "a clipped update would carry moments that nobody measured"),
            ((self.carried > 0 or bool(self.server)) and not (self.by_groups or self.privacy or self.by_moments),
             "moves carried on, or Adam, beside norms of batches",
             "a running spread could be carried below zero: normalise by groups or by shared moments"),
            (bool(self.parts) and (self.epochs != 1 or self.privacy == "person"), "parts with looks or hidden people",
             "a round of parts is one step; people are hidden in steps that chance draws"),
            (self.clip < 0 or self.proximal < 0, "clip or proximal", "a length is not negative"),
            (self.privacy == "site" and not self.clip, "privacy of sites without clipping",
             "noise hides an update only up to a length that is known"),
            (self.method == "fedbn" and (self.by_groups or bool(self.privacy)), "FedBN without batches",
             "it leaves layers at the sites that such a network does not have"),
            (bool(self.privacy) and not (self.noise > 0 and self.person_clip > 0 and 0 < self.delta < 0.1),
             "privacy without noise", "noise, clipping length and δ (below 0.1) must be positive"),
        ]  # fmt: skip
        for bad, what, why in wrong:
            if bad:
                raise Refused(what, why, "change the agreement")

    def left_of_rate(self, number: int) -> float:
        """Part of the rate that a round still has, counted from 0."""
        return 0.5 + 0.5 * math.cos(math.pi * number / self.rounds) if self.falling else 1.0

    @classmethod
    def heard(cls, said: Mapping[str, Any]) -> Federation:
        """The agreement as another house said it.

        Raises:
            Refused: for a word that is not part of an agreement, or of another type.
        """
        kinds = {f.name: type(f.default) if f.name != "task" else str for f in fields(cls)}
        for name, value in said.items():
            kind = kinds.get(name)
            if kind is None or not (type(value) is kind or (kind is float and type(value) is int)):
                raise Refused(f"'{name:.40}' in the agreement", "this version does not know it", "use the same version")
        return cls(**said)


def recipe_of(how: Federation) -> Classes:
    """The recipe that the federation trains.

    Raises:
        NotFound, Refused: there is none, or it is of a kind that is not trained in federation.
    """
    own = unlike(recipe_in(how.own, "the agreement"), "the agreement") if how.own else recipe(how.task)
    if own.task != how.task and how.own:
        raise Refused(f"an agreement on '{how.task:.40}'", f"its recipe is of '{own.task}'", "change the agreement")
    if not isinstance(own, Classes) or own.foreign or own.measured or own.several or own.network or own.loss:
        raise Refused(f"'{how.task}' in federation", "only our own network of classes is trained so, by its own loss",
                      "choose a recipe such as pneumoniamnist")  # fmt: skip
    return own


def network(how: Federation, own: Classes) -> GridNet:
    """The network at its first weights, the same at every site.

    With privacy its normalisation is by groups of channels: one by batches would mix the people of a batch.
    """
    torch.manual_seed(how.seed)
    net = GridNet(own.widths, len(own.classes), own.dropout if not how.privacy else 0.0, axes=len(own.shape),
                  channels=own.channels, levelled=own.levelled, softened=own.softened)  # fmt: skip
    if how.by_groups or how.privacy:
        _normed(net, _by_groups)
    elif how.by_moments:
        _normed(net, lambda norm: SharedNorm(norm, how.by_moments))
    return net


def _normed(net: nn.Module, other: Callable[[nn.Module], nn.Module]) -> None:
    for name, child in net.named_children():
        if isinstance(child, _LAYERS):
            setattr(net, name, other(child))
        else:
            _normed(child, other)


def _by_groups(norm: nn.Module) -> nn.Module:
    group = nn.GroupNorm(math.gcd(8, norm.num_features), norm.num_features)
    group.weight.data.copy_(norm.weight.data)
    return group


def shared_names(net: nn.Module, how: Federation) -> list[str]:
    """Names of what travels: every weight and running mean; with FedBN nothing of the layers of normalisation."""
    own = {n for n, m in net.named_modules() if isinstance(m, _LAYERS)} if how.method == "fedbn" else set()
    state = net.state_dict()
    return sorted(n for n, t in state.items() if t.is_floating_point() and n.rpartition(".")[0] not in own)


def moments_among(net: nn.Module, names: list[str]) -> npt.NDArray[np.bool_]:
    """Which of the numbers that travel are moments of pictures, and no weights."""
    norms = {name for name, module in net.named_modules() if isinstance(module, SharedNorm)}
    state = net.state_dict()
    kinds = [(state[n].numel(), n.rpartition(".")[0] in norms and n.rpartition(".")[2] in MOMENTS) for n in names]
    return np.concatenate([np.full(count, moment) for count, moment in kinds])


def flat(net: nn.Module, names: list[str]) -> npt.NDArray[np.float64]:
    """What travels, as one row of numbers."""
    state = net.state_dict()
    return np.concatenate([state[n].detach().double().numpy().ravel() for n in names])


def poured(net: nn.Module, names: list[str], values: npt.NDArray[np.floating[Any]]) -> None:
    """The opposite of `flat`.

    Raises:
        Refused: for another number of values, or values that are not finite.
    """
    state, place = net.state_dict(), 0
    if len(values) != sum(state[n].numel() for n in names) or not np.isfinite(values).all():
        raise Refused(f"{len(values)} weights", "they do not fit this network, or are not finite", "use one version")
    for name in names:
        own = state[name]
        part = torch.from_numpy(np.asarray(values[place : place + own.numel()])).to(own.dtype).view(own.shape)
        own.copy_(part)
        place += own.numel()


def clipped(change: npt.NDArray[np.float64], length: float) -> npt.NDArray[np.float64]:
    """No longer than `length` (0: as it is), in the same direction.

    >>> clipped(np.array([3.0, 4.0]), 1.0).tolist()
    [0.6, 0.8]
    """
    own = float(np.linalg.norm(change)) if length else 0.0
    return change * (length / own) if own > length else change


def shown_as(some: Tensor, how: Federation, own: Classes, random: torch.Generator) -> Tensor:
    """Pictures in 0 … 1, moved as the recipe says where the agreement wants it."""
    x = some.to(torch.get_default_dtype()) / 255
    if how.moves:
        two = len(own.shape) == 2
        x = augmented(x, own.augmentation, own.shape[0], random) if two else moved(x, own.movement, random)
    return x


def loss_of(logits: Tensor, labels: Tensor, own: Classes) -> Tensor:
    """Every picture weighs the same, whatever its class: shares of classes differ between sites, and are nobody's."""
    target = torch.eye(logits.shape[1], dtype=logits.dtype)[labels]
    soft = target * (1 - own.smoothing) + own.smoothing / logits.shape[1]
    loss = -(soft * torch.log_softmax(logits, 1)).sum(1)
    if own.ordered:
        apart = torch.softmax(logits, 1).cumsum(1) - target.cumsum(1)
        loss = loss + own.ordered * (apart * apart).sum(1)
    return loss.mean()
