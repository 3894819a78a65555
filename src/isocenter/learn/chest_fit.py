"""One fit of the network that outlines lungs and heart on a chest radiograph, on virtual films and those of people."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.learn.fit import Schedule, descend
from isocenter.learn.heart_network import HeartNet
from isocenter.methods.virtual_chest import virtual_film

__all__ = ["Changes", "ChestRecipe", "Films", "changed", "films", "fit_chest"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Changes:
    """How far a film may be changed; standard deviations, of logarithms where a factor is drawn.

    Args:
        rotate_deg, zoom, stretch, shift: of the whole film; `shift` in parts of its side.
        elastic: pixels by which a coarse lattice is moved.
        field, gamma: shading, and curve of the grey values.
        noise: largest that is added. blurred: part of the films that are blurred.
        mirrored, inverted: part of the films that are shown so.
    """

    rotate_deg: float = 4.0
    zoom: float = 0.10
    stretch: float = 0.07
    shift: float = 0.06
    elastic: float = 1.6
    field: float = 0.20
    gamma: float = 0.25
    noise: float = 0.04
    blurred: float = 0.3
    mirrored: float = 0.04
    inverted: float = 0.04


@dataclass(frozen=True)
class ChestRecipe:
    """All that decides the weights.

    Args:
        task: name of the task and of the model.
        widths: channels of the network from the finest grid to the coarsest.
        films: how many virtual films. side: rows and columns that the network looks at.
        of_people: part of what is shown that comes from people, where films of people are given.
        steps, batch, rate, decay, average: the schedule (see `fit.Schedule`).
        threads: CPU threads; part of the recipe because the order of sums depends on it.
        changes: of each film each time that it is shown.
    """

    task: str = "chest_xray_heart"
    widths: tuple[int, ...] = (8, 24, 48, 64, 96)
    films: int = 1600
    of_people: float = 0.5
    side: int = 128
    steps: int = 1500
    batch: int = 10
    rate: float = 4e-3
    decay: float = 0.02
    average: float = 0.995
    threads: int = 1
    changes: Changes = field(default_factory=Changes)


@dataclass(frozen=True, eq=False)
class Films:
    """(n, s, s) pictures and (n, 3, s, s) outlines, each 0 to 255.

    Args:
        known: (n, 3) which outlines were drawn; all where it is None. Of the lungs both are, or none: a film that is
            shown mirrored has exchanged them.
        weights: (n,) how often each is shown; all alike where it is None.
    """

    pictures: Tensor
    masks: Tensor
    known: Tensor | None = None
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def digest(self) -> str:
        """SHA-256 over all of it."""
        sha = hashlib.sha256(self.pictures.numpy().tobytes())
        sha.update(self.masks.numpy().tobytes())
        for one in (self.known, self.weights):
            sha.update(b"" if one is None else one.numpy().tobytes())
        return sha.hexdigest()


def films(count: int, side: int, seed: int, progress: Progress = lambda line: None) -> Films:
    """Virtual films of the numbers from `seed` × 100,000 on."""
    pictures = np.empty((count, side, side), np.uint8)
    masks = np.empty((count, 3, side, side), np.uint8)
    for k in range(count):
        film = virtual_film(seed * 100_000 + k, side)
        pictures[k], masks[k] = np.round(film.picture * 255), np.round(film.masks * 255)
        if (k + 1) % 200 == 0:
            progress(f"{k + 1} of {count} films")
    return Films(torch.from_numpy(pictures), torch.from_numpy(masks))


def changed(x: Tensor, masks: Tensor, how: Changes, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Films moved, bent, shaded and blurred at random, with their outlines.

    Args:
        x: (n, 1, s, s) in 0 … 1. masks: (n, 3, s, s) in 0 … 1: right lung, left lung, heart.
    """
    n, side = len(x), x.shape[-1]

    def normal(sd: float, *shape: int) -> Tensor:
        return torch.randn(shape or (n,), generator=random).clamp(-2.2, 2.2) * sd

    def chance(part: float) -> Tensor:
        return torch.rand(n, generator=random) < part

    turn, zoom = normal(how.rotate_deg) * (math.pi / 180), normal(how.zoom).exp()
    down, across = zoom * normal(how.stretch).exp(), zoom * normal(how.stretch).exp()
    flip = torch.where(chance(how.mirrored), -1.0, 1.0)
    rows = torch.stack([turn.cos() * across * flip, -turn.sin() * down, normal(2 * how.shift)], 1)
    columns = torch.stack([turn.sin() * across * flip, turn.cos() * down, normal(2 * how.shift)], 1)
    grid = functional.affine_grid(torch.stack([rows, columns], 1), [n, 1, side, side], align_corners=False)
    lattice = normal(how.elastic * 2 / side, n, 2, 5, 5)
    bend = functional.interpolate(lattice, (side, side), mode="bicubic", align_corners=True)
    both = functional.grid_sample(
        torch.cat([x, masks], 1), grid + bend.permute(0, 2, 3, 1), mode="bilinear", padding_mode="zeros",
        align_corners=False,
    )  # fmt: skip
    x, masks = both[:, :1], both[:, 1:]
    swapped = masks[:, [1, 0, 2]]
    masks = torch.where((flip < 0).view(-1, 1, 1, 1), swapped, masks)
    shade = functional.interpolate(normal(how.field, n, 1, 3, 3), (side, side), mode="bicubic", align_corners=True)
    x = (x * shade.exp()).clamp(min=0) ** normal(how.gamma, n, 1, 1, 1).exp()
    soft = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = torch.where(chance(how.blurred).view(-1, 1, 1, 1), soft, x)
    x = x + normal(1.0, *x.shape) * torch.rand((n, 1, 1, 1), generator=random) ** 2 * how.noise
    x = torch.where(chance(how.inverted).view(-1, 1, 1, 1), x.amax((1, 2, 3), keepdim=True) - x, x)
    return x, masks


def _loss(logits: Tensor, masks: Tensor, known: Tensor) -> Tensor:
    """Cross entropy and Dice of those of the three outlines that were drawn."""
    cross = functional.binary_cross_entropy_with_logits(logits, masks, reduction="none").mean((2, 3))
    said = torch.sigmoid(logits)
    both = (said * said).sum((2, 3)) + (masks * masks).sum((2, 3))
    dice = 1 - (2 * (said * masks).sum((2, 3)) + 20) / (both + 20)
    return ((4 * cross + dice) * known).sum() / known.sum().clamp(min=1)


def fit_chest(
    recipe: ChestRecipe,
    shown_films: Films,
    seed: int,
    *,
    of_people: Films | None = None,
    checkpoint: Path | None = None,
    progress: Progress = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
) -> HeartNet:
    """Train on these films and return the averaged network, ready to answer (see `fit.descend`).

    Args:
        of_people: films that are shown beside them, `recipe.of_people` of each batch.
    """
    theirs = 0 if of_people is None else max(1, round(recipe.batch * recipe.of_people))

    def drawn(some: Films, count: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        if some.weights is None:
            which = torch.randint(len(some), (count,), generator=random)
        else:
            which = torch.multinomial(some.weights, count, replacement=True, generator=random)
        known = torch.ones(count, 3) if some.known is None else some.known[which].float()
        return some.pictures[which, None].float() / 255, some.masks[which].float() / 255, known

    def shown(net: nn.Module, step: int, random: torch.Generator) -> Tensor:
        x, masks, known = drawn(shown_films, recipe.batch - theirs, random)
        if of_people is not None:
            both = ((x, masks, known), drawn(of_people, theirs, random))
            x, masks, known = (torch.cat(some) for some in zip(*both, strict=True))
        x, masks = changed(x, masks, recipe.changes, random)
        return _loss(net(x.contiguous(memory_format=torch.channels_last)), masks, known)

    how = Schedule(
        recipe.steps, 50, recipe.rate, 100, recipe.decay, recipe.average, recipe.threads, (0, 20), all_decay=True
    )
    net: HeartNet = descend(
        lambda: HeartNet(recipe.widths, 1, 3).to(memory_format=torch.channels_last),
        shown, how, seed, repr((asdict(recipe), shown_films.digest, of_people.digest if of_people is not None else "")),
        checkpoint=checkpoint, progress=progress, clock=clock,
    )  # fmt: skip
    return net
