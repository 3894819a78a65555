"""Hearts changed in ways that keep their outlines known: bent, squeezed, thickened, shaded, blurred, many at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Bounds", "augmented_hearts"]


@dataclass(frozen=True)
class Bounds:
    """How far a picture of a heart may be changed; standard deviations, of logarithms where a factor is drawn.

    Args:
        rotate_deg, zoom, stretch, shift: of the whole picture; `shift` is the largest, in pixels of the window.
        cavity, wall: by how much the cavity is squeezed or widened and the wall thinned or thickened about its centre.
        elastic: pixels by which a coarse lattice is moved.
        field, gamma, gain: shading by the coil, curve and range of the grey values.
        tissue: blood and muscle made brighter or darker, each by itself.
        noise, sharpness: largest added noise, and blur (+) or sharpening (-).
        alone: chance that the slices above and below are not shown.
        lined: chance that a layer within the endocardium is painted as trabeculae, or that what is there is filled with
            blood; the outline stays where it is, for it is that of the compact wall.
        spongy: whether that layer is up to a centimetre deep and often thins inward, as in a heart full of trabeculae.
    """

    rotate_deg: float = 18.0
    zoom: float = 0.16
    stretch: float = 0.05
    shift: float = 14.0
    cavity: float = 0.24
    wall: float = 0.28
    elastic: float = 1.2
    field: float = 0.30
    gamma: float = 0.22
    gain: float = 0.20
    tissue: float = 0.15
    noise: float = 0.05
    sharpness: float = 1.2
    alone: float = 0.1
    lined: float = 0.5
    spongy: bool = False


def augmented_hearts(
    pictures: Tensor, masks: Tensor, centre: Tensor, radius: Tensor, how: Bounds, size: int, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Windows about the left ventricle, changed at random, with their masks.

    Args:
        pictures: (n, 3, m, m): the slice above, the slice itself, the slice below.
        masks: (n, 2, m, m) in 0 … 1: within the endocardium, within the epicardium.
        centre: (n, 2) row and column of the ventricle.
        radius: (n, 2) mean radius of endocardium and epicardium in pixels; 0 where there is none.
        size: rows and columns of the windows.

    Returns:
        (n, 3, size, size) and (n, 2, size, size).
    """
    n, side = len(pictures), pictures.shape[-1]

    def normal(sd: float, *shape: int) -> Tensor:
        return torch.randn(shape or (n,), generator=random).clamp(-2.2, 2.2) * sd

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(shape or (n,), generator=random) * (high - low) + low

    line = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    place = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)[None] + uniform(
        -how.shift, how.shift, n, 1, 1, 2
    )
    place = place * _squeeze(place.norm(dim=-1), radius, normal(how.cavity).exp(), normal(how.wall).exp())[..., None]
    turn, zoom = normal(how.rotate_deg) * (math.pi / 180), normal(how.zoom).exp()
    down, across = zoom * normal(how.stretch).exp(), zoom * normal(how.stretch).exp()
    matrix = torch.stack(
        [
            torch.stack([turn.cos() / down, -turn.sin() / across], -1),
            torch.stack([turn.sin() / down, turn.cos() / across], -1),
        ],
        1,
    )
    at = torch.einsum("nij,nrcj->nrci", matrix, place) + centre[:, None, None, :]
    lattice = functional.interpolate(normal(how.elastic, n, 2, 5, 5), (size, size), mode="bicubic", align_corners=True)
    at = at + lattice.permute(0, 2, 3, 1)
    grid = at.flip(-1) * (2.0 / (side - 1)) - 1.0
    both = functional.grid_sample(
        torch.cat([pictures, masks], 1), grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    pictures, masks = both[:, :3], both[:, 3:]
    return _greys(_lined(pictures, masks, how, random), masks, how, random), masks


def _squeeze(distance: Tensor, radius: Tensor, cavity: Tensor, wall: Tensor) -> Tensor:
    """Factor from the radius after to the radius before: cavity and wall scaled apart, nothing moved far outside."""
    inner, outer = radius[:, 0].clamp(min=1e-3), radius[:, 1].clamp(min=2e-3)
    outer = torch.maximum(outer, inner + 2.0)
    far = 2.2 * outer
    new_inner = inner * cavity.clamp(0.45, 1.5)
    new_outer = torch.minimum(new_inner + (outer - inner) * wall.clamp(0.55, 2.0), 1.75 * outer)
    d = distance
    i, o, f, a, b = (v[:, None, None] for v in (inner, outer, far, new_inner, new_outer))
    before = torch.where(
        d < a, d * i / a, torch.where(d < b, i + (d - a) * (o - i) / (b - a), o + (d - b) * (f - o) / (f - b))
    )
    before = torch.where(d >= f, d, before)
    factor = before / d.clamp(min=1e-3)
    return torch.where(radius[:, 0, None, None] > 1.5, factor, torch.ones_like(factor))


@dataclass(frozen=True)
class _Layer:
    """A painted layer; lengths in pixels of the window.

    Args:
        reach: to which depth within the endocardium is told apart. core: depth of what is taken for blood.
        least: pixels of blood without which nothing is painted. deepest, dense, patchy, most: depth of the layer, part
            of it that is muscle, how much that varies, and its largest.
        filled: part of the changed slices that are filled with blood instead.
    """

    reach: int
    core: float
    least: int
    deepest: float
    dense: tuple[float, float]
    patchy: float
    most: float
    filled: float


_THIN = _Layer(5, 4.5, 20, 4.5, (0.35, 1.0), 0.4, 1.0, 0.3)
_SPONGY = _Layer(7, 3.5, 12, 6.5, (0.3, 0.95), 0.5, 0.97, 0.15)


def _within(cavity: Tensor, reach: int, *, rounded: bool) -> Tensor:
    """How far within: each turn takes 1.5 mm away, and a pixel counts how many of them it withstands.

    Rounded, by turns as a diamond and as a square; else as a square.
    """
    depth, left = torch.zeros_like(cavity), cavity
    for turn in range(reach):
        if rounded and turn % 2 == 0:
            down, across = (-functional.max_pool2d(-left, k, 1, p) for k, p in (((3, 1), (1, 0)), ((1, 3), (0, 1))))
            left = torch.minimum(down, across)
        else:
            left = -functional.max_pool2d(-left, 3, 1, 1)
        depth = depth + left
    return depth


def _lined(x: Tensor, masks: Tensor, how: Bounds, random: torch.Generator) -> Tensor:
    """A layer of trabeculae painted within the endocardium of some slices, and taken out of others."""
    n, size, chance, layer = len(x), x.shape[-1], how.lined, _SPONGY if how.spongy else _THIN

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand((n, *(shape or (1, 1, 1))), generator=random) * (high - low) + low

    def lattice(points: int) -> Tensor:
        made = torch.randn((n, 1, points, points), generator=random)
        return functional.interpolate(made, (size, size), mode="bicubic", align_corners=True)

    cavity, whole = masks[:, :1], masks[:, 1:]
    depth = _within(cavity, layer.reach, rounded=how.spongy)
    # Where no epicardium was drawn, the nearest 4.5 mm outside stand for the wall.
    ring = functional.max_pool2d(cavity, 7, 1, 3)
    drawn = whole.amax((1, 2, 3), keepdim=True) > 0.5
    muscle = (torch.where(drawn, whole, ring) - cavity).clamp(0, 1) > 0.9
    # Slices of one heart differ in brightness: each is painted in its own blood and muscle.
    middle = x[:, 1:2]
    core = depth > layer.core
    blood = (middle * core).sum((2, 3), keepdim=True) / core.sum((2, 3), keepdim=True).clamp(min=1)
    flesh = (middle * muscle).sum((2, 3), keepdim=True) / muscle.sum((2, 3), keepdim=True).clamp(min=1)
    can = (core.sum((1, 2, 3)) > layer.least) & (muscle.sum((1, 2, 3)) > 20)
    draw = torch.rand(n, generator=random)
    fill = can & (draw < layer.filled * chance)
    paint = can & (draw >= layer.filled * chance) & (draw < chance)
    deep = uniform(0.3, layer.deepest) * (1 + uniform(0.0, 0.9) * lattice(4)) * (1 + uniform(0.0, 0.8) * lattice(18))
    slope: Tensor | float = 1.0
    if how.spongy:  # trabeculae are packed more closely at the wall, or end at a step
        deep = deep.clamp(0.2, layer.reach - 0.5)
        thinning = torch.where(uniform(0, 1) < 0.4, torch.zeros(n, 1, 1, 1), uniform(0.3, 1.5))
        slope = (1 - (depth / deep).clamp(0, 0.98)) ** thinning
    band = cavity * (deep - depth + 0.5).clamp(0, 1)
    lumps = uniform(*layer.dense) * slope * (0.9 + uniform(0.0, layer.patchy) * lattice(40))
    part = band * lumps.clamp(0, layer.most)
    painted = x + part * (flesh - x)
    clear = cavity * (depth < 5.5)
    filled = x + clear * (torch.maximum(x, blood) - x)
    x = torch.where(paint.view(-1, 1, 1, 1), painted, x)
    return torch.where(fill.view(-1, 1, 1, 1), filled, x)


def _greys(x: Tensor, masks: Tensor, how: Bounds, random: torch.Generator) -> Tensor:
    n, size = len(x), x.shape[-1]

    def draw(sd: float, *shape: int) -> Tensor:
        return torch.randn(shape, generator=random).clamp(-2.2, 2.2) * sd

    soft = functional.avg_pool2d(functional.pad(masks, (1, 1, 1, 1), mode="replicate"), 3, 1)
    blood, muscle = soft[:, :1], (soft[:, 1:] - soft[:, :1]).clamp(0, 1)
    x = x * (draw(how.tissue, n, 1, 1, 1) * blood + draw(how.tissue * 1.3, n, 1, 1, 1) * muscle).exp()
    slope = functional.interpolate(draw(how.field, n, 1, 3, 3), (size, size), mode="bicubic", align_corners=True)
    x = x * slope.exp()
    x = x.clamp(min=0) ** draw(how.gamma, n, 1, 1, 1).exp()
    x = x * draw(how.gain, n, 1, 1, 1).exp() * draw(how.gain / 2, n, 3, 1, 1).exp()
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = (kernel[:, None] * kernel[None, :])[None, None].expand(3, 1, 3, 3)
    smooth = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, groups=3)
    x = x + torch.rand((n, 1, 1, 1), generator=random) * how.sharpness * torch.sign(draw(1.0, n, 1, 1, 1) + 0.5) * (
        smooth - x
    )
    x = x + torch.randn(x.shape, generator=random) * torch.rand((n, 1, 1, 1), generator=random) * how.noise
    alone = torch.rand(n, generator=random) < how.alone
    x[alone] = x[alone][:, 1:2].expand(-1, 3, -1, -1)
    return x
