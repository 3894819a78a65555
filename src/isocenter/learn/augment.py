"""Pictures changed in ways that do not change their answer, a whole batch at once."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from isocenter.learn.kinds import Augmentation, Movement

__all__ = [
    "augmented",
    "blurred",
    "levelled",
    "moved",
    "placed",
    "reshown",
    "resized",
    "shifted",
    "turned_grid",
]


def levelled(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Grey values stretched so that the 1st and 99th percentile of each picture become black and white.

    >>> levelled(np.tile(np.arange(100, 150, dtype=np.uint8), (1, 50, 1)))[0, 0, [0, 25, 49]]
    array([  0, 130, 255], dtype=uint8)
    """
    out = np.empty_like(pictures)
    for row, picture in enumerate(pictures):
        low, high = np.percentile(picture, (1, 99))
        out[row] = np.clip((picture - low) * (255.0 / max(high - low, 1.0)) + 0.5, 0, 255)
    return out


def resized(batch: Tensor, size: int) -> Tensor:
    """Brought to size × size by bilinear interpolation with anti-aliasing; (n, 1, rows, columns) in and out."""
    return functional.interpolate(batch, (size, size), mode="bilinear", antialias=True, align_corners=False)


def blurred(batch: Tensor) -> Tensor:
    """Smoothed with a 5 × 5 binomial kernel, borders repeated; each channel for itself."""
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = (line[:, None] * line[None, :])[None, None]
    alone = batch.reshape(-1, 1, *batch.shape[2:])
    return functional.conv2d(functional.pad(alone, (2, 2, 2, 2), mode="replicate"), kernel).view(batch.shape)


def augmented(batch: Tensor, how: Augmentation, size: int, random: torch.Generator) -> Tensor:
    """Changed at random within the bounds of the recipe.

    Args:
        batch: (n, channels, rows, columns) in 0 … 1.
        size: rows and columns of what is returned.
        random: the only source of chance, so that a run can be repeated.
    """
    return reshown(shifted(batch, placed(len(batch), how, size, random), how), how, random)


def placed(n: int, how: Augmentation, size: int, random: torch.Generator) -> Tensor:
    """(n, size, size, 2): where each pixel of a moved picture is taken from, for `shifted`."""

    def draw(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=random) * (high - low) + low

    low, high = math.log(how.scale[0]), math.log(how.scale[1])
    zoom = draw(low, high).exp()
    across, down = zoom * draw(low / 2, high / 2).exp(), zoom * draw(low / 2, high / 2).exp()
    turn = draw(-how.rotate_deg, how.rotate_deg) * (math.pi / 180)
    flip = torch.where(draw(0, 1) < how.mirror, -1.0, 1.0)
    matrix = torch.stack(
        [
            torch.stack([turn.cos() / across * flip, -turn.sin() / down, draw(-1, 1) * 2 * how.shift], 1),
            torch.stack([turn.sin() / across * flip, turn.cos() / down, draw(-1, 1) * 2 * how.shift], 1),
        ],
        1,
    )
    if how.turnover:
        matrix = matrix * torch.where(draw(0, 1) < how.turnover, -1.0, 1.0).view(n, 1, 1) ** torch.tensor(
            [[0.0], [1.0]]
        )
    return functional.affine_grid(matrix, [n, 1, size, size], align_corners=False)


def shifted(batch: Tensor, grid: Tensor, how: Augmentation) -> Tensor:
    """Pictures, or what is known of each of their pixels, taken from where a grid of `placed` says."""
    mode = "bicubic" if how.cubic else "bilinear"
    return functional.grid_sample(batch, grid, mode=mode, padding_mode=how.outside, align_corners=False)


def reshown(x: Tensor, how: Augmentation, random: torch.Generator) -> Tensor:
    """Pictures in their place, with other grey values, grain and a part wiped out."""
    n, size = len(x), x.shape[-1]

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(shape or (n,), generator=random) * (high - low) + low

    edge = math.log(1 + how.curve)
    x = x.clamp(0, 1) ** draw(-edge, edge).exp().view(n, 1, 1, 1)
    if how.tint:
        x = x * draw(-how.tint, how.tint, n, x.shape[1], 1, 1).exp()
    slope = functional.interpolate(draw(-how.field, how.field, n, 1, 2, 2), (size, size), mode="bilinear")
    x = x * (1 + slope)
    x = x + draw(-how.sharpness, how.sharpness).view(n, 1, 1, 1) * (x - blurred(x))
    x = x + torch.randn(x.shape, generator=random) * draw(0, how.noise).view(n, 1, 1, 1)
    for row in torch.nonzero(draw(0, 1) < how.erase).flatten().tolist():
        tall, wide = (int(v) for v in (draw(0.1, 0.35, 2) * size).tolist())
        top, left = int(draw(0, size - tall, 1)), int(draw(0, size - wide, 1))
        x[row, :, top : top + tall, left : left + wide] = float(draw(0, 1, 1))
    return x


def turned_grid(n: int, how: Movement, shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """(n, slices, rows, columns, 3): where each voxel of a moved volume is taken from, for `grid_sample`.

    The same grid moves a volume and its outline, so that one stays true for the other. Angles are those of the volume
    in millimetres only where its voxels are cubes. Of a picture it is (n, rows, columns, 2), turned in its plane.
    """
    axes = len(shape)

    def draw(low: float, high: float, *given: int) -> Tensor:
        return torch.rand(given or (n,), generator=random) * (high - low) + low

    planes = [(1, 2), (2, 0), (0, 1)] if axes == 3 else [(0, 1)]
    turn = draw(-how.rotate_deg, how.rotate_deg, n, len(planes)) * (math.pi / 180)
    cosine, sine = turn.cos(), turn.sin()
    one = torch.eye(axes).expand(n, axes, axes)
    about = one
    for axis, (a, b) in enumerate(planes):
        plane = one.clone()
        plane[:, a, a], plane[:, b, b] = cosine[:, axis], cosine[:, axis]
        plane[:, a, b], plane[:, b, a] = -sine[:, axis], sine[:, axis]
        about = about @ plane
    zoom = draw(math.log(how.scale[0]), math.log(how.scale[1]), n, 1) + draw(-how.stretch / 2, how.stretch / 2, n, axes)
    mirror = torch.where(draw(0, 1, n, axes) < torch.tensor(how.mirror[:axes]), -1.0, 1.0)
    sides = torch.tensor([float(s) for s in shape[::-1]])  # affine_grid counts the last axis first
    matrix = about * (mirror.flip(1) * (-zoom).exp())[:, None, :] * sides[None, None, :] / sides[None, :, None]
    move = draw(-how.shift, how.shift, n, axes) * 2
    grid = functional.affine_grid(torch.cat([matrix, move[:, :, None]], 2), [n, 1, *shape], align_corners=False)
    if how.bend:
        lattice = draw(-how.bend, how.bend, n, axes, *(4,) * axes) * 2
        bent = functional.interpolate(lattice, shape, mode="trilinear" if axes == 3 else "bilinear", align_corners=True)
        grid = grid + bent.movedim(1, -1)
    return grid


def moved(batch: Tensor, how: Movement, random: torch.Generator) -> Tensor:
    """(n, channels, slices, rows, columns) in 0 … 1 moved at random; what comes from outside is black."""
    grid = turned_grid(len(batch), how, tuple(batch.shape[2:]), random)
    return functional.grid_sample(batch, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
