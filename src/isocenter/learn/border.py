"""The border of what a model was made for: a small network that tells its images from spoilt ones and other things.

It learns without labels to tell the examples as they are from the same examples spoilt (inverted, turned, cut out, in
tiles, halves of two, noise), and in which way, and from other collections, and how far its own view of the examples
reaches (Mahalanobis). A picture is asked about again turned: a right one is then a turned one, each in its own way.
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
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import Refused
from isocenter.learn.export import exported
from isocenter.learn.fit import Schedule, descend
from isocenter.learn.networks import ResidualNet
from isocenter.learn.outside import FILE, SIDE, canvas

__all__ = ["KINDS", "TURNS", "Border", "fit_border", "kept_beside", "spoilt"]

KINDS = (
    "inverted", "quarter turn", "half turn", "upside down", "askew", "cut out", "tiles", "halves of two", "noise",
)  # fmt: skip
"""In which ways `spoilt` makes a wrong image of a right one."""
TURNS = ("quarter turn", "half turn", "upside down", "askew")
_SPOILT, _TIMES = {False: 12_000, True: 6000}, 32  # spoilt pictures or volumes at most, and of each right one
_OTHER = len(KINDS) + 1  # what is of another collection; 0 is right, and the rest are `KINDS`


Array = npt.NDArray[Any]
Progress = Callable[[str], None]


def spoilt(image: Array, other: Array, kind: str, rng: np.random.Generator) -> Array:
    """What an image must not be: one of `KINDS` made of it, or of it and another of its make.

    A volume is turned in any of its planes; askew is by 40 to 140 degrees. Cut out is a part of a quarter to a half of
    each side, as it is or enlarged again. Of the other image comes the half that would not lie there, turned round.
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
        return _enlarged(np.asarray(image[tuple(cut)]), image.shape, (None, 0, 1, 3)[int(rng.integers(4))])
    if kind == "askew":
        angle = float(rng.uniform(40, 140)) * (1 if rng.random() < 0.5 else -1)
        beyond = ("nearest", "constant", "reflect")[int(rng.integers(3))]
        return np.asarray(
            ndimage.rotate(np.asarray(image, np.float32), angle, plane, reshape=False, order=1, mode=beyond)
        )
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
    raise Refused(f"an image spoilt by '{kind}'", f"there are {', '.join(KINDS)}", "name one of these")


def _enlarged(cut: Array, shape: Sequence[int], order: int | None) -> Array:
    """A part on the grid of the whole, by splines of an order (0 the nearest pixel); as it is without one."""
    if order is None:
        return cut
    zoom = [want / had for want, had in zip(shape, cut.shape, strict=True)]
    found = ndimage.zoom(np.asarray(cut, np.float32), zoom, order=order, mode="nearest", grid_mode=True)
    return np.asarray(np.clip(found, cut.min(), cut.max()))


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
    """The network, and where its view of right images ends.

    Args:
        centre, whiten: of its features; a right image lies within a distance of 1.
        least: of the evidence for a right one as it lies. turned: the same for all views together, less than that is
            strange; None where nothing is turned.
    """

    net: ResidualNet
    centre: Tensor
    whiten: Tensor
    least: float
    turned: float | None


_VIEWS: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
    ("quarter turn", lambda x: x.transpose(2, 3).flip(2)),
    ("half turn", lambda x: x.flip(2).flip(3)),
    ("quarter turn", lambda x: x.transpose(2, 3).flip(3)),
    ("upside down", lambda x: x.flip(2)),
)


def _evidence(net: ResidualNet, canvas: Tensor, turned: bool) -> tuple[Tensor, Tensor, Tensor]:
    """(n, channels) features, (n,) log odds of a right image, and (n,) the mean of that and of what turned views say.

    A right picture that is turned must look like one turned in that way, and a wrong one seldom does in all.
    """
    seen = net.features(canvas).mean((2, 3))
    said = net.head(seen)
    odds = said[:, 0] - said[:, 1:].logsumexp(1)
    if not turned:
        return seen, odds, odds
    views = [said.log_softmax(1)[:, 0]]
    for kind, view in _VIEWS:
        views.append(net(view(canvas)).log_softmax(1)[:, KINDS.index(kind) + 1])
    return seen, odds, torch.stack(views).clamp(min=-12).mean(0)  # no one view decides alone


class _Strange(nn.Module):  # type: ignore[misc]
    """``canvas`` (n, channels, 40, 40) → ``strangeness`` (n,): above 1 is none of what was learnt from."""

    def __init__(self, border: Border) -> None:
        super().__init__()
        self.net, self.least, self.turned = border.net, border.least, border.turned
        self.register_buffer("centre", border.centre)
        self.register_buffer("whiten", border.whiten)

    def forward(self, canvas: Tensor) -> Tensor:
        seen, odds, views = _evidence(self.net, canvas, self.turned is not None)
        away = ((seen - self.centre) @ self.whiten).square().sum(1).sqrt()
        strange = torch.maximum(away, 1 + self.least - odds)
        return strange if self.turned is None else torch.maximum(strange, 1 + self.turned - views)


def _moved(x: Tensor, random: torch.Generator, turn_deg: float) -> Tensor:
    """Shifted, turned, zoomed and otherwise exposed a little, as images of one kind differ."""
    n = len(x)

    def draw(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=random) * (high - low) + low

    angle, size, wide = draw(-turn_deg, turn_deg) * (math.pi / 180), draw(-0.1, 0.12).exp(), draw(-0.08, 0.08).exp()
    rows = torch.stack([angle.cos() / (size * wide), -angle.sin() / size * wide, draw(-0.1, 0.1)], 1)
    columns = torch.stack([angle.sin() / (size * wide), angle.cos() / size * wide, draw(-0.1, 0.1)], 1)
    grid = functional.affine_grid(torch.stack([rows, columns], 1), list(x.shape), align_corners=False)
    still = torch.rand(n, generator=random) < 0.4  # how sharp an image is tells something, too
    grid[still] = functional.affine_grid(torch.eye(2, 3).expand(n, 2, 3), list(x.shape), align_corners=False)[still]
    x = functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False).clamp(0, 1)
    x = x ** draw(-0.35, 0.35).exp().view(n, 1, 1, 1)
    return x + torch.randn(x.shape, generator=random) * draw(0, 0.03).view(n, 1, 1, 1)


def fit_border(
    images: Sequence[Array], held: npt.NDArray[np.bool_], others: Mapping[str, Sequence[Array]], seed: int, *,
    turned: bool = True, mirrored: bool = False, given_up: float = 0.01,
    given_up_turned: float | None = None, steps: int = 1200, width: int = 16, turn_deg: float = 8.0,
    read: Callable[[Array], Array] = lambda image: image,
    checkpoint: Path | None = None, progress: Progress = lambda line: None, clock: Callable[[], float] = time.monotonic,
) -> Border:  # fmt: skip
    """Learn from right images which are not.

    Args:
        images: what the model learns from, as it is read; all pictures, or all volumes.
        held: (n,) which of them only lay the borders.
        others: name -> images of another collection, as `images`; each is shown as often as any other.
        turned: whether an image is wrong when it is turned or upside down; not where nothing has an upper side.
        mirrored: whether a picture is right when left and right are exchanged, as of eyes and breasts.
        given_up: part of the held images beyond each of the borders, of which there are two, or three with turns.
        given_up_turned: part beyond the third, that of turned views; as the others without it.
        steps: of 64 canvases. width: channels of the first stage; each of the two others has twice as many.
        turn_deg: by which right images may differ.
        read: brings a wrong image to what the model reads.

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
    volumes = right.shape[1] == 6
    drawn = rng.choice(inside, (2, min(_SPOILT[volumes], _TIMES * len(inside), 24 * steps)))
    wrong = np.stack([
        canvas(read(spoilt(images[a], images[b], kinds[k % len(kinds)], rng))) for k, (a, b) in enumerate(drawn.T)
    ])  # fmt: skip
    which = torch.tensor([KINDS.index(kind) + 1 for kind in kinds])
    pools = [torch.from_numpy(np.stack([canvas(read(one)) for one in pool])) for pool in others.values() if len(pool)]
    parts = [16 // len(pools) + (k < 16 % len(pools)) for k in range(len(pools))]
    pools, parts = [torch.from_numpy(wrong), *pools], [40 - sum(parts), *parts]
    taught = right[torch.from_numpy(inside)]

    def shown(net: nn.Module, step: int, random: torch.Generator) -> Tensor:
        x, y = [], []
        for k, (pool, n) in enumerate(zip((taught, *pools), (24, *parts), strict=True)):
            drawn = torch.randint(0, len(pool), (n,), generator=random)
            x.append(pool[drawn])
            y.append(which[drawn % len(kinds)] if k == 1 else torch.full((n,), _OTHER if k else 0))
        seen = _moved(torch.cat(x), random, turn_deg)
        if mirrored:
            seen = torch.where(torch.rand(len(seen), 1, 1, 1, generator=random) < 0.5, seen, seen.flip(3))
        return functional.cross_entropy(net(seen), torch.cat(y), label_smoothing=0.01)

    digest = hashlib.sha256(right.numpy().tobytes() + b"".join(p.numpy().tobytes() for p in pools)).hexdigest()
    how = Schedule(steps, 100, 2e-3, 50, 0.02, 0.995, 1)
    net: ResidualNet = descend(
        lambda: ResidualNet((width, 2 * width, 4 * width), _OTHER + 1, 0.2, channels=right.shape[1]), shown, how, seed,
        repr((digest, turned, mirrored, width)), checkpoint=checkpoint, progress=progress, clock=clock,
    )  # fmt: skip
    net.eval()
    random = torch.Generator().manual_seed(seed)
    views = turned and not volumes  # of a volume, three planes lie beside each other
    with torch.inference_mode():
        seen = torch.cat([net.features(_moved(x, random, turn_deg)).mean((2, 3)) for x in taught.split(256)]).double()
        asked, odds, around = _evidence(net, right[torch.from_numpy(np.flatnonzero(held))], views)
    centre = seen.mean(0)
    variance, axes = torch.linalg.eigh(torch.cov((seen - centre).T))
    kept = variance > variance.max() * 1e-3  # directions without spread would make every image strange
    whiten = axes[:, kept] / variance[kept].sqrt()
    away = ((asked.double() - centre) @ whiten).norm(dim=1)
    whiten = whiten / torch.quantile(away, 1 - given_up)
    turned_off = given_up if given_up_turned is None else given_up_turned
    least, most = float(torch.quantile(odds, given_up)), float(torch.quantile(around, turned_off))
    return Border(net, centre.float(), whiten.float(), least, most if views else None)


def kept_beside(border: Border, channels: int, folder: Path) -> dict[str, Any]:
    """Write ``scope.onnx`` into the folder of a model; what its record says of it."""
    digest, parity = exported(
        _Strange(border), (channels, SIDE, SIDE), folder / FILE, ("strangeness",), limit_bytes=2_000_000, name="canvas"
    )
    return {"digest": digest, "channels": channels, "parity": parity}
