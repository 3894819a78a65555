"""One fit of the heart network on outlined slices: seeded, resumable, with a moving average of the weights."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.learn.device import halved
from isocenter.learn.fit import Schedule, descend
from isocenter.learn.heart_augment import Bounds, augmented_hearts
from isocenter.learn.heart_border import depth_loss
from isocenter.learn.heart_network import HeartNet
from isocenter.learn.hearts import MARGIN, Hearts, examples_of
from isocenter.learn.taken_up import digest_of_weights
from isocenter.methods.ventricle import STEP_MM, WINDOW
from isocenter.methods.virtual_heart import VirtualHeart

__all__ = ["HeartRecipe", "drawn_outward", "fit_heart", "virtual_hearts"]

Progress = Callable[[str], None]
_OF_PATIENTS = ("real_share", "steps", "outward", "border")  # settings that mean nothing before a patient is seen
_OF_DEPTH = ("deep", "lining")


@dataclass(frozen=True)
class HeartRecipe:
    """All that decides the weights, beside the examples.

    Args:
        task: name of the task and of the model.
        widths: channels of the network from the finest grid to the coarsest.
        virtual: hearts in closed form that are added. real_share: part of what is shown that comes from patients.
        empty: how often a slice without a ventricle is shown, beside 1 for one with.
        steps, batch, rate, decay: the schedule (AdamW, 60 steps to warm up, cosine to zero); `rate` is halved once
            patients are seen.
        first: steps on virtual hearts alone, before any patient is seen.
        deep: steps of the network that says where the border runs, which never sees a patient.
        outward: part of a slice's mean radius by which experts draw the endocardium outside of where half is blood;
            virtual hearts are outlined so once patients are seen.
        border: weight of the 4.5 mm on either side of a patient's endocardial border, beside 1 elsewhere. Where exactly
            one patient's border was drawn misleads in the next; whether a slice has a cavity, and where, does not.
        average: decay of the moving average of the weights.
        threads: CPU threads; part of the recipe because the order of sums depends on it.
        precision: of the network's arithmetic while it learns.
        bounds: of the augmentation. lining: of that of the network that says where the border runs.
    """

    task: str = "cardiac_cine"
    widths: tuple[int, ...] = (16, 32, 64, 96)
    virtual: int = 120
    real_share: float = 0.5
    empty: float = 0.7
    first: int = 450
    deep: int = 1000
    steps: int = 200
    outward: float = 0.07
    border: float = 0.0
    batch: int = 12
    rate: float = 3e-3
    decay: float = 0.02
    average: float = 0.995
    threads: int = 1
    precision: str = "bfloat16"
    bounds: Bounds = field(default_factory=Bounds)
    lining: Bounds = field(default_factory=lambda: Bounds(lined=0.85, spongy=True))


def virtual_hearts(count: int, seed: int) -> Hearts:
    """Hearts in closed form near both ends of the beat, cut as a scanner cuts them; one in eight in a plain chest."""
    made = []
    for k in range(count):
        rng = np.random.default_rng([seed, k, 5])
        heart = VirtualHeart(seed * 100_000 + k, plain=k % 8 == 7)
        shape, apart = heart.shape, float(rng.uniform(7.5, 11.0))
        depths = np.arange(rng.uniform(-2.2, -0.8) * apart, shape.length_mm + shape.wall_mm + apart, apart)
        drawn = heart.rendered(
            depths, (rng.uniform(0.0, 0.25), rng.uniform(0.6, 1.0)), size=MARGIN, step_mm=STEP_MM,
            thickness_mm=float(rng.uniform(6, 10)), noise=float(rng.uniform(0.01, 0.05)),
        )  # fmt: skip
        edge = (MARGIN - WINDOW) // 2
        low, high = np.quantile(drawn.pictures[:, :, edge:-edge, edge:-edge], (0.01, 0.99), axis=(0, 2, 3))
        grey = (drawn.pictures - low[None, :, None, None]) / (high - low)[None, :, None, None]
        masks = np.stack([drawn.cavity, drawn.epicardium], axis=1)
        made.append(examples_of(f"virtual {k}", np.clip(grey, -0.2, 2.0), masks, [True, True]))
    return Hearts.together(made)


def drawn_outward(hearts: Hearts, part: float) -> Hearts:
    """The same slices with the endocardium drawn farther out by a part of its radius, but within the epicardium."""
    from scipy.ndimage import distance_transform_edt

    masks = hearts.masks.copy()
    for inner, outer in masks:
        inside = inner > 127
        if not inside.any():
            continue
        away = distance_transform_edt(~inside) - distance_transform_edt(inside)  # pixels outside of the border
        far = part * np.sqrt(np.count_nonzero(inside) / np.pi)
        moved = np.clip(far + 0.5 - (away - 0.5 * np.sign(away)), 0, 1) * 255
        inner[:] = np.minimum(np.round(moved), outer)
    return replace(hearts, masks=masks)


def _loss(logits: Tensor, masks: Tensor, known: Tensor, border: Tensor) -> Tensor:
    """Cross entropy and Dice; where no epicardium was drawn, only what lies in the cavity is known to lie within it.

    Args:
        border: (n,) weight of what lies within 4.5 mm of the endocardial border.
    """
    drawn, cavity = known.view(-1, 1, 1), masks[:, :1]
    outer = torch.where(drawn, masks[:, 1], torch.ones_like(masks[:, 1]))
    wide, narrow = functional.max_pool2d(cavity, 7, 1, 3), -functional.max_pool2d(-cavity, 7, 1, 3)
    near = (wide - narrow)[:, 0].clamp(0, 1)
    inner_weight = 1.0 - (1.0 - border.view(-1, 1, 1)) * near
    weight = torch.stack([inner_weight, torch.maximum(drawn.float(), (masks[:, 0] > 0.95).float())], 1)
    target = torch.stack([masks[:, 0], outer], 1)
    cross = functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight
    entropy = cross.sum((2, 3)) / weight.sum((2, 3)).clamp(min=100)
    said, truth = torch.sigmoid(logits) * weight, target * weight
    both = (said * said).sum((2, 3)) + (truth * truth).sum((2, 3))
    dice = 1 - (2 * (said * truth).sum((2, 3)) + 20) / (both + 20)
    return (4 * entropy + dice).mean()


def _shares(hearts: Hearts, recipe: HeartRecipe) -> npt.NDArray[np.float64]:
    """How often each slice is shown: patients and virtual hearts by their share, slices without a ventricle less."""
    real = np.array([not name.startswith("virtual") for name in hearts.names])
    weight = np.where(hearts.radius[:, 0] > 0, 1.0, recipe.empty) * hearts.weights
    for which, share in ((real, recipe.real_share), (~real, 1.0 - recipe.real_share)):
        if which.any():
            weight[which] *= share / weight[which].sum()
    return np.asarray(weight / weight.sum(), np.float64)


def fit_heart(
    recipe: HeartRecipe,
    hearts: Hearts,
    seed: int,
    *,
    start: HeartNet | None = None,
    deep: bool = False,
    checkpoint: Path | None = None,
    progress: Progress = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
) -> HeartNet:
    """Train on all of these slices and return the averaged network, ready to answer (see `fit.descend`).

    Its epochs are fifties of steps.

    Args:
        start: network to go on from, which is left as it is; without one, `recipe.first` steps from nothing.
        deep: fit the network that says how deep each pixel lies, too, for `recipe.deep` steps from nothing.
    """
    bounds = recipe.lining if deep else recipe.bounds
    pictures, masks, near = (torch.from_numpy(a) for a in (hearts.pictures, hearts.masks, hearts.near))
    known, centre, radius = (torch.from_numpy(a) for a in (hearts.known, hearts.centre, hearts.radius))
    shares = torch.from_numpy(_shares(hearts, recipe)).float()
    border = torch.tensor([1.0 if name.startswith("virtual") else recipe.border for name in hearts.names])

    def shown(net: nn.Module, step: int, random: torch.Generator) -> Tensor:
        which = torch.multinomial(shares, recipe.batch, replacement=True, generator=random)
        threes, both = pictures[near[which]].float(), masks[which].float() / 255
        x, truth = augmented_hearts(threes, both, centre[which], radius[which], bounds, WINDOW, random)
        with halved(recipe.precision):
            logits = net(x.contiguous(memory_format=torch.channels_last))
        down = _loss(logits.float()[:, :2], truth, known[which], border[which])
        return down + depth_loss(logits.float()[:, 2], truth[:, 0]) if deep else down

    def made() -> nn.Module:
        begun = HeartNet(recipe.widths, outward=3 if deep else 2) if start is None else copy.deepcopy(start)
        return begun.to(memory_format=torch.channels_last)

    steps = recipe.deep if deep else recipe.first if start is None else recipe.steps
    others = () if start is not None else (*_OF_PATIENTS, *(("first", "bounds") if deep else _OF_DEPTH))
    said = {k: v for k, v in asdict(recipe).items() if k not in others}
    begun = "" if start is None else digest_of_weights(start)
    how = Schedule(
        steps, 50, recipe.rate if start is None else recipe.rate / 2, 60, recipe.decay, recipe.average, recipe.threads,
        (0, 20), all_decay=True,
    )  # fmt: skip
    net: HeartNet = descend(
        made, shown, how, seed, repr((said, hearts.digest, begun)), checkpoint=checkpoint, progress=progress,
        clock=clock,
    )  # fmt: skip
    return net
