"""One fit of the two-headed classifier: seeded, resumable after each epoch, with a moving average of the weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from isocenter.learn.augment import augmented, levelled, resized
from isocenter.learn.examples import Examples
from isocenter.learn.networks import ResidualNet
from isocenter.learn.recipes import Classifier2D

__all__ = ["answers", "fit"]

Progress = Callable[[str], None]


def _loss(logits: Tensor, labels: Tensor, kinds: Tensor, weights: Tensor, recipe: Classifier2D) -> Tensor:
    soft = labels * (1 - recipe.smoothing) + recipe.smoothing / 2
    loss = (functional.binary_cross_entropy_with_logits(logits[:, 0], soft, reduction="none") * weights).mean()
    known = kinds >= 0
    if bool(known.any()):
        kind = kinds[known].float() * (1 - recipe.smoothing) + recipe.smoothing / 2
        loss = loss + recipe.second_head * functional.binary_cross_entropy_with_logits(logits[known, 1], kind)
    return loss


def fit(
    recipe: Classifier2D,
    examples: Examples,
    seed: int,
    *,
    checkpoint: Path | None = None,
    progress: Progress = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
) -> ResidualNet:
    """Train on all of these examples and return the averaged network, ready to answer.

    Both classes weigh the same in the loss, whatever their numbers, so that an answer of one half means "as likely
    as not where half of the children have an opacity".

    Args:
        checkpoint: file that holds the state after each epoch; a run that was killed goes on from there, and one of
            another recipe, seed or set of examples is not taken up.
    """
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    net = ResidualNet(recipe.widths, 2, recipe.dropout).to(memory_format=torch.channels_last)
    averaged = ResidualNet(recipe.widths, 2, recipe.dropout)
    averaged.load_state_dict(net.state_dict())
    decayed = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.decay}, {"params": plain, "weight_decay": 0.0}], lr=recipe.rate
    )
    pictures = torch.from_numpy(levelled(examples.pictures))[:, None]
    labels = torch.from_numpy(examples.labels).float()
    kinds = torch.from_numpy(examples.subtypes)
    share = labels.mean()
    weights = torch.where(labels > 0, 0.5 / share, 0.5 / (1 - share))
    per_epoch = len(examples) // recipe.batch
    total, step, first = per_epoch * recipe.epochs, 0, 0
    said = {k: v for k, v in asdict(recipe).items() if k not in ("card", "gate_steps", "members")}
    key = repr((said, seed, examples.digest))
    if checkpoint is not None and checkpoint.exists():
        held: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        if held["key"] == key:
            net.load_state_dict(held["net"])
            averaged.load_state_dict(held["averaged"])
            optimiser.load_state_dict(held["optimiser"])
            random.set_state(held["random"])
            torch.set_rng_state(held["dropout"])
            first = int(held["epoch"])
            step = first * per_epoch
            progress(f"taken up after epoch {first}")
    for epoch in range(first, recipe.epochs):
        started, seen = clock(), 0.0
        net.train()
        order = torch.randperm(len(examples), generator=random)
        for number in range(per_epoch):
            which = order[number * recipe.batch : (number + 1) * recipe.batch]
            batch = augmented(pictures[which].float() / 255, recipe.augmentation, recipe.size, random)
            warm = min(1.0, (step + 1) / per_epoch)
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / total))
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.precision == "bfloat16"):
                logits = net(batch.contiguous(memory_format=torch.channels_last))
            loss = _loss(logits.float(), labels[which], kinds[which], weights[which], recipe)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            step += 1
            seen += float(loss.detach())
            keep = min(recipe.average, step / (step + 50))
            with torch.no_grad():
                for mine, theirs in zip(averaged.state_dict().values(), net.state_dict().values(), strict=True):
                    if mine.is_floating_point():
                        mine.mul_(keep).add_(theirs, alpha=1 - keep)
                    else:
                        mine.copy_(theirs)
        progress(f"epoch {epoch + 1}/{recipe.epochs}: loss {seen / per_epoch:.4f}, {clock() - started:.0f} s")
        if checkpoint is not None:
            state = {
                "key": key,
                "net": net.state_dict(),
                "averaged": averaged.state_dict(),
                "optimiser": optimiser.state_dict(),
                "random": random.get_state(),
                "dropout": torch.get_rng_state(),
                "epoch": epoch + 1,
            }
            half = checkpoint.with_suffix(".half")
            torch.save(state, half)
            half.replace(checkpoint)
    averaged.eval()
    return averaged


def answers(net: ResidualNet, pictures: npt.NDArray[np.uint8], size: int, batch: int = 64) -> npt.NDArray[np.float32]:
    """(n, 2) logits of pictures as they are, in float32."""
    found = []
    with torch.inference_mode():
        for start in range(0, len(pictures), batch):
            some = torch.from_numpy(levelled(pictures[start : start + batch]))[:, None].float() / 255
            found.append(net(resized(some, size)).numpy())
    return np.concatenate(found).astype(np.float32)
