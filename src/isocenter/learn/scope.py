"""Whether a picture is one that the classifier may speak about at all.

A small network looks at 40 × 40 pixels and tells three things apart: a frontal chest of a small child, upright and
not inverted; a frontal chest of an adult; anything else. Beside its answer stands the distance of the picture from
the training pictures (Mahalanobis, on the network's embedding): what resembles none of them is refused as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from isocenter.learn.augment import levelled
from isocenter.learn.examples import Examples
from isocenter.learn.networks import ResidualNet

__all__ = ["ADULT", "CHILD", "OTHER", "SEEN", "WIDTHS", "Others", "Scope", "fit_scope", "read_others", "wrong_pictures"]

OTHER, CHILD, ADULT = 0, 1, 2
_SIDE, SEEN, _FINE = 56, 40, 112
_CUT = (0.22, 0.66)
"""Parts of each side of a film that a crop keeps: with two thirds of both sides, less than half of the film is left."""
WIDTHS = (24, 48, 96)


@dataclass(frozen=True, eq=False)
class Others:
    """Pictures of other kinds, (n, 64, 64) of 8-bit grey values, and which of them are adults' chests."""

    pictures: npt.NDArray[np.uint8]
    adult: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Scope:
    """The network, and the ellipsoid that holds its embedding of training pictures: distance 1 is the border."""

    net: ResidualNet
    centre: Tensor
    whiten: Tensor


def read_others(path: Path) -> Others:
    """The MedNIST array: six kinds of picture, of which ``CXR`` are adults' chests."""
    with np.load(path, allow_pickle=False) as held:
        pictures, labels, classes = held["images"], held["labels"], held["classes"]
    return Others(pictures, np.asarray(classes[labels] == "CXR"))


def _small(pictures: npt.NDArray[np.uint8], side: int = _SIDE) -> Tensor:
    x = torch.from_numpy(levelled(pictures))[:, None].float() / 255
    return functional.interpolate(x, (side, side), mode="bilinear", antialias=True, align_corners=False)


def _cut_out(fine: Tensor, n: int, random: torch.Generator) -> Tensor:
    """Crops of films (m, 1, 112, 112) anywhere in them, as fine as they are; half of them keep both sides alike."""
    found = torch.empty(n, 1, SEEN, SEEN)
    for row in range(n):
        film = fine[int(torch.randint(0, len(fine), (1,), generator=random))]
        parts = torch.rand(2, generator=random) * (_CUT[1] - _CUT[0]) + _CUT[0]
        parts = parts[:1].expand(2) if row % 2 else parts
        tall, wide = (round(float(part) * _FINE) for part in parts)
        top, left = (int(torch.randint(0, _FINE - side + 1, (1,), generator=random)) for side in (tall, wide))
        found[row] = functional.interpolate(
            film[None, :, top : top + tall, left : left + wide], (SEEN, SEEN), mode="bilinear", antialias=True,
            align_corners=False,
        )[0]  # fmt: skip
    return found


def _moved(batch: Tensor, random: torch.Generator, *, turn: tuple[float, float], zoom: tuple[float, float],
           shift: float, stretch: float) -> Tensor:  # fmt: skip
    n = len(batch)

    def draw(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=random) * (high - low) + low

    angle = draw(*turn) * (math.pi / 180) * torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    size = draw(math.log(zoom[0]), math.log(zoom[1])).exp()
    wide = draw(-stretch / 2, stretch / 2).exp()
    move = shift * torch.clamp(size, min=1.0)
    matrix = torch.stack(
        [
            torch.stack([angle.cos() / (size * wide), -angle.sin() / size * wide, draw(-1, 1) * move / size], 1),
            torch.stack([angle.sin() / (size * wide), angle.cos() / size * wide, draw(-1, 1) * move / size], 1),
        ],
        1,
    )
    grid = functional.affine_grid(matrix, [n, 1, SEEN, SEEN], align_corners=False)
    return functional.grid_sample(batch, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _exposed(batch: Tensor, random: torch.Generator) -> Tensor:
    """Another exposure, a little noise, and the grey values spread again, as a picture is prepared."""
    n = len(batch)
    gamma = ((torch.rand(n, generator=random) - 0.5) * 1.2).exp().view(n, 1, 1, 1)
    noise = torch.rand(n, generator=random).view(n, 1, 1, 1) * 0.03
    x = batch.clamp(0, 1) ** gamma + noise * torch.randn(batch.shape, generator=random)
    flat = x.flatten(1)
    low, high = (torch.quantile(flat, q, dim=1).view(n, 1, 1, 1) for q in (0.01, 0.99))
    return ((x - low) / (high - low).clamp(min=1e-3)).clamp(0, 1)


def _upright(batch: Tensor, random: torch.Generator) -> Tensor:
    moved = _moved(batch, random, turn=(0, 10), zoom=(0.85, 1.25), shift=0.07, stretch=0.3)
    return _exposed(moved, random)


def _tiles(batch: Tensor, random: torch.Generator) -> Tensor:
    """Cut into 2 × 2 or 4 × 4 pieces that are put together in another order."""
    parts = 2 if float(torch.rand(1, generator=random)) < 0.5 else 4
    step = SEEN // parts
    pieces = functional.unfold(batch, step, stride=step)
    order = torch.randperm(parts * parts, generator=random).roll(1)
    return functional.fold(pieces[:, :, order], (SEEN, SEEN), step, stride=step)


def _shapes(n: int, random: torch.Generator) -> Tensor:
    """Noise from fine to coarse, slopes, and blobs: pictures of nothing."""
    x = torch.zeros(n, 1, SEEN, SEEN)
    for row in range(n):
        cells = (2, 3, 5, 10, 20, 40)[int(torch.randint(0, 6, (1,), generator=random))]
        field = torch.rand((1, 1, cells, cells), generator=random)
        if float(torch.rand(1, generator=random)) < 0.3:
            field = (field > 0.6).float()
        x[row] = functional.interpolate(field, (SEEN, SEEN), mode="bilinear", align_corners=False)[0]
    return x


def wrong_pictures(
    chests: Tensor, others: Tensor | None, n: int, random: torch.Generator, fine: Tensor | None = None
) -> Tensor:
    """(n, 1, 40, 40) pictures that must be refused, of all kinds in turn.

    Args:
        chests: (m, 1, 56, 56) upright chests, from which wrong ones are made: inverted, turned by 25 to 180 degrees,
            upside down, cropped to a quarter and less, shrunk, cut to pieces.
        fine: (m, 1, 112, 112) upright chests, of which larger crops are made, too.
        others: (k, 1, 56, 56) pictures of other parts of the body, or None.
    """
    kinds: list[Tensor] = []
    crops = 0 if fine is None else max(1, n // 4)
    n -= crops
    share = max(1, n // (11 if others is not None else 8))

    def some(pool: Tensor, count: int) -> Tensor:
        return pool[torch.randint(0, len(pool), (count,), generator=random)]

    plain = {"shift": 0.05, "stretch": 0.3}
    kinds.append(1 - _upright(some(chests, share), random))
    kinds.append(_moved(some(chests, share), random, turn=(25, 180), zoom=(0.85, 1.2), **plain))
    quarter = torch.rot90(some(chests, share), 1 + 2 * int(torch.randint(0, 2, (1,), generator=random)), (2, 3))
    kinds.append(_moved(quarter, random, turn=(0, 10), zoom=(0.85, 1.25), **plain))
    kinds.append(_moved(some(chests, share).flip(2), random, turn=(0, 10), zoom=(0.85, 1.25), **plain))
    kinds.append(_moved(some(chests, share), random, turn=(0, 15), zoom=(2.2, 5.0), shift=0.7, stretch=0.3))
    kinds.append(_moved(some(chests, share), random, turn=(0, 15), zoom=(0.2, 0.5), shift=0.4, stretch=0.3))
    kinds.append(_tiles(_upright(some(chests, share), random), random))
    kinds.append(_shapes(share, random))
    if others is not None:
        spread = max(share, n - 8 * share)
        kinds.append(_moved(some(others, spread), random, turn=(0, 180), zoom=(0.8, 1.6), shift=0.1, stretch=0.3))
    batch = torch.cat(kinds)
    inverted = torch.rand(len(batch), generator=random) < 0.15
    inverted[:share] = False  # what was inverted already would come out upright
    x = torch.where(inverted.view(-1, 1, 1, 1), 1 - batch, batch)
    x = x[torch.randperm(len(x), generator=random)[:n]]
    return _exposed(x if fine is None else torch.cat([x, _cut_out(fine, crops, random)]), random)


def fit_scope(
    chests: Examples,
    others: Others | None,
    seed: int,
    *,
    steps: int = 1500,
    progress: Callable[[str], None] = lambda line: None,
) -> Scope:
    """Train the gate, and measure how far the embeddings of right pictures reach.

    Args:
        chests: the classifier's own training pictures: all are in scope.
        others: pictures of other kinds; without them the gate knows only what chests can be turned into.
        steps: of 96 pictures.
    """
    torch.set_num_threads(1)  # batches this small cost more to share out than to compute
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    net = ResidualNet(WIDTHS, 3, 0.1)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    right, fine = _small(chests.pictures), _small(chests.pictures, _FINE)
    adults = _small(others.pictures[others.adult]) if others is not None else None
    rest = _small(others.pictures[~others.adult]) if others is not None else None
    net.train()
    seen = 0.0
    for step in range(steps):
        parts = [(_upright(right[torch.randint(0, len(right), (32,), generator=random)], random), CHILD)]
        pool = right
        if adults is not None:
            parts.append((_upright(adults[torch.randint(0, len(adults), (16,), generator=random)], random), ADULT))
            pool = torch.cat([right[torch.randint(0, len(right), (96,), generator=random)], adults])
        parts.append((wrong_pictures(pool, rest, 64, random, fine), OTHER))
        x = torch.cat([p for p, _ in parts])
        y = torch.cat([torch.full((len(p),), kind) for p, kind in parts])
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        loss = functional.cross_entropy(net(x), y, label_smoothing=0.02)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        seen += float(loss.detach())
        if (step + 1) % 250 == 0:
            progress(f"gate, step {step + 1}/{steps}: loss {seen / 250:.4f}")
            seen = 0.0
    net.eval()
    with torch.inference_mode():
        found = [net.features(_upright(right[i : i + 256], random)).mean((2, 3)) for i in range(0, len(right), 256)]
    inside = torch.cat(found).double()
    centre = inside.mean(0)
    variance, axes = torch.linalg.eigh(torch.cov((inside - centre).T))
    kept = variance > variance.max() * 1e-3  # directions without spread would make every picture strange
    whiten = axes[:, kept] / variance[kept].sqrt()
    distance = ((inside - centre) @ whiten).norm(dim=1)
    border = torch.quantile(distance, 0.998)
    return Scope(net, centre.float(), (whiten / border).float())
