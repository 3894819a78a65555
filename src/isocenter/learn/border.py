"""The border of what a model was made for: a small network that tells its images from spoilt ones and other things.

It learns without labels to tell the examples as they are from the same examples spoilt (inverted, turned, cut out, in
tiles, halves of two, noise) and from other collections, and how far its own view of the examples reaches (Mahalanobis).
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import Refused
from isocenter.learn.export import exported
from isocenter.learn.fit import Schedule, descend
from isocenter.learn.networks import ResidualNet
from isocenter.learn.outside import FILE, SIDE, canvas

__all__ = ["KINDS", "TURNS", "Border", "fit_border", "kept_beside", "spoilt"]

KINDS = ("inverted", "quarter turn", "half turn", "upside down", "cut out", "tiles", "halves of two", "noise")
"""In which ways `spoilt` makes a wrong image of a right one."""
_SPOILT, _TIMES = 2500, 8  # spoilt images at most, and of each right one; they are moved each time that they are shown
TURNS = ("quarter turn", "half turn", "upside down")


Array = npt.NDArray[Any]
Progress = Callable[[str], None]


def spoilt(image: Array, other: Array, kind: str, rng: np.random.Generator) -> Array:
    """What an image must not be: one of `KINDS` made of it, or of it and another of its make.

    A volume is turned in any of its planes. Cut out is a part of a quarter to a half of each side. Of the other image
    comes the half that would not lie there, turned round.
    """
    axes = 3 if image.ndim == 3 and image.shape[-1] != 3 else 2
    planes = [(0, 1), (0, 2), (1, 2)][: 2 * axes - 3]
    plane = planes[int(rng.integers(len(planes)))]
    if kind == "inverted":
        grey = np.asarray(image, np.float32)
        return np.asarray(grey.max() + grey.min() - grey)
    if kind == "quarter turn":
        return np.rot90(image, 1 + 2 * int(rng.integers(2)), plane)
    if kind == "half turn":
        return np.rot90(image, 2, plane)
    if kind == "upside down":
        return np.flip(image, axes - 1 if axes == 3 else 0)
    if kind == "cut out":
        cut = []
        for side in image.shape[:axes]:
            wide = max(4, round(side * float(rng.uniform(0.25, 0.5))))
            first = int(rng.integers(0, max(1, side - wide)))
            cut.append(slice(first, first + wide))
        return np.asarray(image[tuple(cut)])
    if kind == "tiles":
        parts, pieces = int(rng.integers(2, 5)), image
        for axis in range(axes):
            some = np.array_split(np.arange(image.shape[axis]), parts)
            order = (np.arange(parts) + int(rng.integers(1, parts))) % parts  # none stays where it was
            pieces = pieces.take(np.concatenate([some[k] for k in order]), axis)
        return pieces
    if kind == "halves of two":
        return _halves(image, other, int(rng.integers(axes)), axes)
    if kind == "noise":
        return _noise(image, axes, rng)
    raise Refused(f"an image spoilt by '{kind}'", f"there are {', '.join(KINDS)}")


def _halves(image: Array, other: Array, axis: int, axes: int) -> Array:
    small = tuple(slice(0, min(a, b)) for a, b in zip(image.shape[:axes], other.shape[:axes], strict=True))
    first, turned = image[small], np.flip(other[small], tuple(range(axes)))
    half = first.shape[axis] // 2
    return np.concatenate([first.take(range(half), axis), turned.take(range(half, first.shape[axis]), axis)], axis)


def _noise(image: Array, axes: int, rng: np.random.Generator) -> Array:
    """From two cells a side to forty, of any grey or of black and white."""
    cells = int(rng.choice((2, 3, 5, 10, 20, 40)))
    field = rng.random((cells,) * axes + image.shape[axes:])
    if rng.random() < 0.3:
        field = (field > 0.6).astype(np.float64)
    for axis, side in enumerate(image.shape[:axes]):
        field = np.repeat(field, max(1, math.ceil(side / cells)), axis)
    return np.asarray(field[tuple(slice(0, side) for side in image.shape)] * 255.0)


@dataclass(frozen=True, eq=False)
class Border:
    """The network, and where its view of right images ends: at distance 1, and at a chance of `least` to be right."""

    net: ResidualNet
    centre: Tensor
    whiten: Tensor
    least: float


class _Strange(nn.Module):  # type: ignore[misc]
    """``canvas`` (n, channels, 40, 40) → ``strangeness`` (n,): above 1 is none of what was learnt from."""

    def __init__(self, border: Border) -> None:
        super().__init__()
        self.net, self.least = border.net, border.least
        self.register_buffer("centre", border.centre)
        self.register_buffer("whiten", border.whiten)

    def forward(self, canvas: Tensor) -> Tensor:
        seen = self.net.features(canvas).mean((2, 3))
        said = self.net.head(seen)
        away = ((seen - self.centre) @ self.whiten).square().sum(1).sqrt()
        return torch.maximum(away, 1 + self.least - (said[:, 1] - said[:, 0]))


def _moved(x: Tensor, random: torch.Generator, turn_deg: float) -> Tensor:
    """Shifted, turned, zoomed and otherwise exposed a little, as images of one kind differ."""
    n = len(x)

    def draw(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=random) * (high - low) + low

    angle, size, wide = draw(-turn_deg, turn_deg) * (math.pi / 180), draw(-0.1, 0.12).exp(), draw(-0.08, 0.08).exp()
    rows = torch.stack([angle.cos() / (size * wide), -angle.sin() / size * wide, draw(-0.1, 0.1)], 1)
    columns = torch.stack([angle.sin() / (size * wide), angle.cos() / size * wide, draw(-0.1, 0.1)], 1)
    grid = functional.affine_grid(torch.stack([rows, columns], 1), list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False).clamp(0, 1)
    x = x ** draw(-0.35, 0.35).exp().view(n, 1, 1, 1)
    return x + torch.randn(x.shape, generator=random) * draw(0, 0.03).view(n, 1, 1, 1)


def fit_border(
    images: Sequence[Array], held: npt.NDArray[np.bool_], others: Mapping[str, Sequence[Array]], seed: int, *,
    turned: bool = True, given_up: float = 0.01, steps: int = 500, turn_deg: float = 8.0,
    checkpoint: Path | None = None, progress: Progress = lambda line: None, clock: Callable[[], float] = time.monotonic,
) -> Border:  # fmt: skip
    """Learn from right images which are not.

    Args:
        images: what the model learns from, as it is read; all pictures, or all volumes.
        held: (n,) which of them only lay the borders.
        others: name -> images of another collection, as `images`; each is shown as often as any other.
        turned: whether an image is wrong when it is turned or upside down; not where nothing has an upper side.
        given_up: part of the held images beyond each of the two borders.
        steps: of 64 canvases. turn_deg: by which right images may differ.

    Raises:
        Refused: fewer than 20 images on one side.
    """
    if min(int(held.sum()), int((~held).sum())) < 20:
        raise Refused(f"{len(images)} images, {int(held.sum())} of them held", "a border takes 20 on each side",
                      "give more images")  # fmt: skip
    rng = np.random.default_rng([seed, 31])
    right = torch.from_numpy(np.stack([canvas(one) for one in images]))
    inside = np.flatnonzero(~held)
    kinds = [k for k in KINDS if turned or k not in TURNS]
    drawn = rng.choice(inside, (2, min(_SPOILT, _TIMES * len(inside))))
    wrong = [canvas(spoilt(images[a], images[b], kinds[k % len(kinds)], rng)) for k, (a, b) in enumerate(drawn.T)]
    pools = [torch.from_numpy(np.stack([canvas(one) for one in pool])) for pool in others.values() if len(pool)]
    parts = [16 // len(pools) + (k < 16 % len(pools)) for k in range(len(pools))]
    pools, parts = [torch.from_numpy(np.stack(wrong)), *pools], [40 - sum(parts), *parts]

    def some(pool: Tensor, n: int, random: torch.Generator) -> Tensor:
        return pool[torch.randint(0, len(pool), (n,), generator=random)]

    taught = right[torch.from_numpy(inside)]

    def shown(net: nn.Module, step: int, random: torch.Generator) -> Tensor:
        x = torch.cat([some(taught, 24, random), *(some(p, n, random) for p, n in zip(pools, parts, strict=True))])
        y = (torch.arange(len(x)) < 24).long()
        return functional.cross_entropy(net(_moved(x, random, turn_deg)), y, label_smoothing=0.01)

    digest = hashlib.sha256(right.numpy().tobytes() + b"".join(p.numpy().tobytes() for p in pools)).hexdigest()
    how = Schedule(steps, 250, 2e-3, 50, 0.02, 0.995, 1)
    net: ResidualNet = descend(
        lambda: ResidualNet((16, 32, 64), 2, 0.1, channels=right.shape[1]), shown, how, seed, repr((digest, turned)),
        checkpoint=checkpoint, progress=progress, clock=clock,
    )  # fmt: skip
    net.eval()
    random = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        seen = torch.cat([net.features(_moved(x, random, turn_deg)).mean((2, 3)) for x in taught.split(256)]).double()
        asked = net.features(right[torch.from_numpy(np.flatnonzero(held))]).mean((2, 3))
        said = net.head(asked)
    centre = seen.mean(0)
    variance, axes = torch.linalg.eigh(torch.cov((seen - centre).T))
    kept = variance > variance.max() * 1e-3  # directions without spread would make every image strange
    whiten = axes[:, kept] / variance[kept].sqrt()
    away = ((asked.double() - centre) @ whiten).norm(dim=1)
    whiten = whiten / torch.quantile(away, 1 - given_up)
    least = float(torch.quantile(said[:, 1] - said[:, 0], given_up))
    return Border(net, centre.float(), whiten.float(), least)


def kept_beside(border: Border, channels: int, folder: Path) -> dict[str, Any]:
    """Write ``scope.onnx`` into the folder of a model; what its record says of it."""
    digest, parity = exported(
        _Strange(border), (channels, SIDE, SIDE), folder / FILE, ("strangeness",), limit_bytes=1_000_000, name="canvas"
    )
    return {"digest": digest, "channels": channels, "parity": parity}
