"""One descent for every network of the house: seeded, resumable, with a moving average of the weights.

What is shown at each step and how it is scored is the recipe's; how the weights move is the same for all.
"""

from __future__ import annotations

import copy
import io
import math
import pickle
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter import wholly
from isocenter.errors import Refused
from isocenter.learn.augment import augmented, levelled, placed, reshown, resized, shifted
from isocenter.learn.consolidations import drawn, emptied, lungs, pointing
from isocenter.learn.device import current, halved, meeting
from isocenter.learn.examples import Examples
from isocenter.learn.kinds import Classifier2D, Opacities
from isocenter.learn.networks import ResidualNet
from isocenter.learn.taken_up import digest_of_weights

__all__ = ["WATCHED", "Schedule", "Watch", "answers", "descend", "fit"]

WATCHED = 10
"""Of so many people one is not shown, where a recipe ends early."""

Progress = Callable[[str], None]
Shown = Callable[[nn.Module, int, torch.Generator], Tensor]
"""The loss of one step: (network, number of the step, only source of chance) -> a number to go down from."""


@dataclass(frozen=True)
class Schedule:
    """How the weights move: AdamW, a warm-up, then a cosine to zero.

    Args:
        steps: all together. every: steps after which the state is kept and a line is said (an epoch, or a hundred).
        rate: largest learning rate. warm: steps of the warm-up.
        decay: of the weights; of kernels alone unless `all_decay`.
        average: decay of the moving average of the weights; before it has settled it is (step + a) / (step + b).
        threads: of the processor; the order of sums depends on it.
    """

    steps: int
    every: int
    rate: float
    warm: int
    decay: float
    average: float
    threads: int = 1
    settled: tuple[int, int] = (1, 51)
    all_decay: bool = False


@dataclass(eq=False)
class Watch:
    """Ends a descent early: the averaged network is asked after each epoch, and the best that there was comes out.

    Args:
        loss: of a network that is ready to answer, on examples that no step shows.
        patience: epochs without a smaller one after which it ends.
    """

    loss: Callable[[nn.Module], float]
    patience: int
    least: float = math.inf
    since: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)

    def look(self, net: nn.Module) -> float:
        """The loss now; the weights are kept when there was none smaller."""
        with torch.inference_mode():
            now = self.loss(net.eval())
        self.since += 1
        if now < self.least:
            self.least, self.since = now, 0
            self.best = {name: value.clone() for name, value in net.state_dict().items()}
        return now

    def ended(self) -> bool:
        """Whether it was long enough no better."""
        return self.since >= self.patience

    def state(self) -> dict[str, Any]:
        """What has to be kept of a run that may be killed."""
        return {"least": self.least, "since": self.since, "best": self.best}


def descend(
    make: Callable[[], nn.Module],
    loss: Shown,
    how: Schedule,
    seed: int,
    key: str,
    *,
    watch: Watch | None = None,
    checkpoint: Path | None = None,
    progress: Progress = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
) -> nn.Module:
    """Train where `device.current` says, and return the averaged network, on the processor and ready to answer.

    Args:
        make: builds the network; called after the seed is set.
        loss: see `Shown`.
        key: names everything else that decides the weights (recipe, examples).
        watch: ends it before its last step when it gets no better; None for never.
        checkpoint: file that holds the state; a run that was killed goes on from there, and one of another seed or key
            is not taken up.
    """
    torch.set_num_threads(how.threads)
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    where = current()
    net, averaged = make().to(where), make().to(where)
    averaged.load_state_dict(net.state_dict())
    kernels = [p for p in net.parameters() if p.ndim > 1 or how.all_decay]
    plain = [p for p in net.parameters() if p.ndim <= 1 and not how.all_decay]
    optimiser = torch.optim.AdamW(
        [{"params": kernels, "weight_decay": how.decay}, {"params": plain, "weight_decay": 0.0}], lr=how.rate
    )
    key, first = repr((key, seed, asdict(how), *([] if where == "cpu" else [where]))), 0
    if checkpoint is not None:
        wholly.sweep(checkpoint)
    if checkpoint is not None and checkpoint.exists():
        held = _held(checkpoint, progress)
        if held.get("key") == key:
            net.load_state_dict(held["net"])
            averaged.load_state_dict(held["averaged"])
            optimiser.load_state_dict(held["optimiser"])
            random.set_state(held["random"])
            torch.set_rng_state(held["dropout"])
            first = int(held["step"])
            for name, value in held.get("watch", {}).items():
                setattr(watch, name, value)
            progress(f"taken up after {_place(first, how)}")
    net.train()
    elsewhere = nullcontext() if where == "cpu" else meeting(where)
    started, seen = clock(), 0.0
    for step in range(first, how.steps):
        if watch is not None and watch.ended():
            break
        for group in optimiser.param_groups:
            falling = 0.5 + 0.5 * math.cos(math.pi * step / how.steps)
            group["lr"] = how.rate * min(1.0, (step + 1) / how.warm) * falling
        with elsewhere:
            down = loss(net, step, random)
        optimiser.zero_grad(set_to_none=True)
        down.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        seen += float(down.detach())
        _follow(averaged, net, min(how.average, (step + how.settled[0]) / (step + how.settled[1])))
        if (step + 1) % how.every == 0:
            of = _place(how.steps, how).split()[-1]
            if not math.isfinite(seen):
                raise Refused(f"the loss of {_place(step + 1, how)}", "it is no number: the weights grew out of bounds",
                              "train with a smaller rate, and look at the numbers of the examples")  # fmt: skip
            with elsewhere:
                told = "" if watch is None else f", {watch.look(averaged):.4f} on those it is not shown"
            progress(f"{_place(step + 1, how)}/{of}: loss {seen / how.every:.4f}{told}, {clock() - started:.0f} s")
            if watch is not None and watch.ended():
                progress(f"ended: no better for {watch.since} epochs")
            started, seen = clock(), 0.0
            if checkpoint is not None:
                _keep(checkpoint, {
                    "key": key, "net": net.state_dict(), "averaged": averaged.state_dict(),
                    "optimiser": optimiser.state_dict(), "random": random.get_state(),
                    "dropout": torch.get_rng_state(), "step": step + 1,
                    **({} if watch is None else {"watch": watch.state()}),
                })  # fmt: skip
    if watch is not None and watch.best:
        averaged.load_state_dict(watch.best)
    averaged.to("cpu").eval()
    return averaged


def _place(step: int, how: Schedule) -> str:
    return f"epoch {step // how.every}"


def _follow(averaged: nn.Module, net: nn.Module, keep: float) -> None:
    with torch.no_grad():
        for mine, theirs in zip(averaged.state_dict().values(), net.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.mul_(keep).add_(theirs, alpha=1 - keep)
            else:
                mine.copy_(theirs)


def _keep(checkpoint: Path, state: dict[str, Any]) -> None:
    whole = io.BytesIO()
    torch.save(state, whole)  # into memory: on a full disk torch says nothing of the disk
    wholly.write(checkpoint, whole.getbuffer())


def _held(checkpoint: Path, progress: Progress) -> dict[str, Any]:
    """What a file says of a run that was killed; nothing, and that is told, when it cannot be read."""
    try:
        held = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError):
        held = None
    if not isinstance(held, dict):
        progress(f"{checkpoint.name} cannot be read: the run begins anew")
        return {}
    return held


def _loss(logits: Tensor, labels: Tensor, kinds: Tensor, weights: Tensor, recipe: Classifier2D) -> Tensor:
    soft = labels * (1 - recipe.smoothing) + recipe.smoothing / 2
    loss = (functional.binary_cross_entropy_with_logits(logits[:, 0], soft, reduction="none") * weights).mean()
    known = kinds >= 0
    if bool(known.any()):
        kind = kinds[known].float() * (1 - recipe.smoothing) + recipe.smoothing / 2
        loss = loss + recipe.second_head * functional.binary_cross_entropy_with_logits(logits[known, 1], kind)
    return loss


@dataclass(frozen=True, eq=False)
class _Films:
    """What a batch is taken from.

    Args:
        pictures: (n, 1, rows, columns), levelled. labels, kinds: (n,). weights: (n,) by which both classes weigh the
            same. counted: (n,) what each film counts for itself. within: (n, 1, m, m) lungs, where any are drawn in.
    """

    pictures: Tensor
    labels: Tensor
    kinds: Tensor
    weights: Tensor
    counted: Tensor
    within: Tensor


def _films(recipe: Classifier2D, examples: Examples) -> _Films:
    labels = torch.from_numpy(examples.labels).float()
    share = labels.mean()
    counted = torch.ones(len(examples)) if examples.weights is None else torch.from_numpy(examples.weights)
    return _Films(
        torch.from_numpy(levelled(examples.pictures))[:, None], labels, torch.from_numpy(examples.subtypes),
        torch.where(labels > 0, 0.5 / share, 0.5 / (1 - share)) * counted, counted,
        lungs(examples.pictures) if recipe.opacities is not None else torch.empty(0),
    )  # fmt: skip


def _plainly(net: ResidualNet, films: _Films, which: Tensor, recipe: Classifier2D, random: torch.Generator) -> Tensor:
    """The loss of films as they are."""
    batch = augmented(films.pictures[which].float() / 255, recipe.augmentation, recipe.size, random)
    with halved(recipe.precision):
        logits = net(batch.contiguous(memory_format=torch.channels_last))
    return _loss(logits.float(), films.labels[which], films.kinds[which], films.weights[which], recipe)


def _with_opacities(
    net: ResidualNet, before: ResidualNet | None, films: _Films, which: Tensor, recipe: Classifier2D, how: Opacities,
    random: torch.Generator,
) -> Tensor:  # fmt: skip
    """The loss of films that opacities were drawn into, of which the map has to tell where.

    Args:
        before: the network that it began with, whose answers to films as they are it keeps to.
    """
    labels, kinds, within = films.labels[which], films.kinds[which], films.within[which]
    plain = films.pictures[which].float() / 255
    made = drawn(plain, within, labels, how, random)
    grid = placed(len(which), recipe.augmentation, recipe.size, random)
    batch = reshown(shifted(made.films, grid, recipe.augmentation), recipe.augmentation, random)
    lung = functional.interpolate(within.float(), plain.shape[2:], mode="nearest")
    lung, where = (shifted(m, grid, recipe.augmentation) for m in (lung, made.where))
    clear = labels <= 0
    holed = gone = torch.zeros(len(which), dtype=torch.bool)
    if how.emptied:
        batch, holed, gone = emptied(batch, lung, where, labels, how.emptied, random)
    batch = batch.contiguous(memory_format=torch.channels_last)
    with halved(recipe.precision):
        seen = net.features(batch).float()
    logits = net.head(net.drop(seen.mean((2, 3))))
    weights = torch.where(clear, films.weights[which] / (1 - how.clear), films.weights[which])
    drawn_in = made.planted & ~gone
    weights = torch.where(clear & drawn_in, how.weight * films.counted[which], weights)
    said = torch.where(gone, 0.0, torch.where(drawn_in, 1.0, labels))
    loss = _loss(logits, said, torch.where(gone, -1, kinds), weights, recipe)
    same = (made.films == plain).flatten(1).all(1) & ~holed
    if before is not None and how.kept and bool(same.any()):
        with torch.no_grad(), halved(recipe.precision):
            taught = before.features(batch[same]).float()
        away = logits[same] - before.head(taught.mean((2, 3))).detach()
        away = torch.where((kinds[same] >= 0)[:, None], away, away * torch.tensor([1.0, 0.0]))
        loss = loss + how.kept * (away**2).sum(1).mean()
    if not bool(drawn_in.any()):
        return loss
    places = (seen[drawn_in] * net.head.weight[0].view(1, -1, 1, 1)).sum(1, keepdim=True)
    return loss + how.pointing * pointing(places, where[drawn_in], lung[drawn_in], labels[drawn_in])


def fit(
    recipe: Classifier2D,
    examples: Examples,
    seed: int,
    *,
    architecture: type[ResidualNet] = ResidualNet,
    start: ResidualNet | None = None,
    checkpoint: Path | None = None,
    progress: Progress = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
) -> ResidualNet:
    """The two-headed classifier of films, trained on all of these examples.

    Both classes weigh the same in the loss, whatever their numbers, so that an answer of one half means "as likely
    as not where half of the children have an opacity".

    Args:
        architecture: of a network that begins from nothing. start: network to go on from, which is left as it is.
    """
    films, drawing = _films(recipe, examples), recipe.opacities
    per_epoch = len(examples) // recipe.batch
    order = torch.empty(0, dtype=torch.int64)

    def shown(net: ResidualNet, step: int, random: torch.Generator) -> Tensor:
        nonlocal order
        number = step % per_epoch
        if number == 0:
            order = torch.randperm(len(examples), generator=random)
        which = order[number * recipe.batch : (number + 1) * recipe.batch]
        if drawing is not None:
            return _with_opacities(net, start, films, which, recipe, drawing, random)
        return _plainly(net, films, which, recipe, random)

    said = {k: v for k, v in asdict(recipe).items() if k not in ("card", "gate_steps", "members", "moved")}
    how = Schedule(
        per_epoch * recipe.epochs, per_epoch, recipe.rate, per_epoch, recipe.decay, recipe.average, recipe.threads
    )
    named = [] if architecture is ResidualNet else [architecture.__name__]
    named += [] if start is None else [digest_of_weights(start)]

    def made() -> nn.Module:
        begun = architecture(recipe.widths, 2, recipe.dropout) if start is None else copy.deepcopy(start)
        return begun.to(memory_format=torch.channels_last)

    net: ResidualNet = descend(
        made, shown, how, seed, repr((said, examples.digest, *named)), checkpoint=checkpoint, progress=progress,
        clock=clock,
    )  # fmt: skip
    if start is not None:
        _follow(net, start, recipe.moved)
    return net


def answers(net: ResidualNet, pictures: npt.NDArray[np.uint8], size: int, batch: int = 64) -> npt.NDArray[np.float32]:
    """(n, 2) logits of pictures as they are, in float32."""
    found = []
    with torch.inference_mode():
        for start in range(0, len(pictures), batch):
            some = torch.from_numpy(levelled(pictures[start : start + batch]))[:, None].float() / 255
            found.append(net(resized(some, size)).numpy())
    return np.concatenate(found).astype(np.float32)
