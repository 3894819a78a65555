"""Do few labels go further after pretraining? AUC by share of labels, from nothing and from each pretraining.

    python benchmarks/bench_pretrain.py --data breastmnist.npz [--task breastmnist] [--seeds 3] [--steps 150]

The bodies see the training part without labels; heads and bodies then learn from a share of its labels, the same number
of steps each; measured is on the validation part, which neither has seen.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from isocenter.learn.augment import augmented
from isocenter.learn.classify import tensor
from isocenter.learn.examples import Examples
from isocenter.learn.fit import Schedule, descend
from isocenter.learn.kinds import Classes
from isocenter.learn.labelled import read_labelled
from isocenter.learn.networks import GridNet
from isocenter.learn.pretrain import METHODS, Pretraining, trained_body
from isocenter.learn.recipes import recipe
from isocenter.methods.roc import auc

SHARES = (0.01, 0.05, 0.10, 0.25, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--task", default="breastmnist")
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150, help="with labels")
    parser.add_argument("--before", type=int, default=600, help="without labels")
    parser.add_argument("--batch", type=int, default=64)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    own = recipe(chosen.task)
    assert isinstance(own, Classes) and len(own.shape) == 2
    own = replace(own, widths=tuple(chosen.widths), threads=1)
    training, test = read_labelled(chosen.data, own, "train"), read_labelled(chosen.data, own, "val")
    bodies: dict[str, dict[str, np.ndarray] | None] = {"nothing": None}
    for method in METHODS:
        begun = time.process_time()
        how = Pretraining(chosen.task, method, steps=chosen.before, batch=chosen.batch)
        state = trained_body(how, own, training.pictures, 0).body.state_dict()
        bodies[method] = {n: t.numpy() for n, t in state.items() if t.is_floating_point()}
        print(f"{method}: {time.process_time() - begun:.0f} s of processor", flush=True)
    draws = f"mean AUC (and its spread) of {chosen.seeds} draws of labels"
    print(f"\n{len(training)} pictures, {len(test)} measure; {draws}\n")
    columns = " | ".join(f"from {name}" for name in bodies)
    print(f"| labels | {columns} |\n|---|{'---|' * len(bodies)}", flush=True)
    for share in SHARES:
        cells = []
        for body in bodies.values():
            areas = [area(own, training, test, share, seed, chosen.steps, body) for seed in range(chosen.seeds)]
            cells.append(f"{np.mean(areas):.3f} ({np.std(areas):.3f})")
        print(f"| {share:.0%} ({max(4, round(share * len(training)))}) | " + " | ".join(cells) + " |", flush=True)


def area(
    own: Classes, training: Examples, test: Examples, share: float, seed: int, steps: int,
    body: dict[str, np.ndarray] | None,
) -> float:  # fmt: skip
    """AUC on the test cases of a network that saw this share of the labels; at least two of each class."""
    rng = np.random.default_rng([seed, 5])
    some = np.concatenate([
        rng.permutation(np.flatnonzero(training.labels == k))[: max(2, round(share * np.sum(training.labels == k)))]
        for k in (0, 1)
    ])  # fmt: skip
    pictures, labels = tensor(training.pictures[some], own), torch.from_numpy(training.labels[some])
    heavy = 1 / torch.bincount(labels, minlength=2).float()

    def make() -> nn.Module:
        net = GridNet(own.widths, 2, own.dropout, channels=own.channels, softened=own.softened)
        return net if body is None else net.begun(body)

    def loss(net: nn.Module, step: int, random: torch.Generator) -> Tensor:
        which = torch.randint(len(labels), (32,), generator=random)
        x = augmented(pictures[which].float() / 255, own.augmentation, own.shape[0], random)
        down: Tensor = nn.functional.cross_entropy(net(x), labels[which], weight=heavy)
        return down

    net = descend(make, loss, Schedule(steps, steps, 2e-3, max(1, steps // 10), 0.02, 0.95), seed, "")
    with torch.inference_mode():
        said = torch.cat([net(x.float() / 255) for x in tensor(test.pictures, own).split(256)]).double().numpy()
    return auc((test.labels == own.positive).astype(int), said[:, own.positive] - said[:, 1 - own.positive]).value


if __name__ == "__main__":
    main()
