"""What an update tells of the pictures behind it, with and without the defences.

    python benchmarks/bench_inversion.py --data pneumoniamnist.npz [--trials 2] [--steps 250]

Two attacks by somebody who sees an update (the coordinator, where there are no defences). *Exact*: of a network that
begins with a linear layer the picture is a quotient of two gradients. *Search*: pictures are varied until their
gradient points where the update points (Geiping et al., NeurIPS 2020), on a small convolutional network with smooth
activations and known labels, the easiest case for the attacker. The score is the correlation of each true picture with
the one found that fits it best; what any other picture of the same kind reaches is told beside it.
"""

from __future__ import annotations

import argparse
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from isocenter.learn.labelled import read_labelled
from isocenter.learn.recipes import recipe

SIDE = 14
SITES = 5
CLIP = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=2)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    held = read_labelled(chosen.data, recipe("pneumoniamnist"), "train")  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    some = rng.permutation(len(held))[:400]
    pictures = torch.from_numpy(held.pictures[some]).float()[:, None] / 255
    pictures = nn.functional.interpolate(pictures, (SIDE, SIDE), mode="bilinear", antialias=True)
    labels = torch.from_numpy(held.labels[some])
    idle = np.mean([score(pictures[k : k + 1], pictures[k + 200 : k + 201]) for k in range(100)])
    print(f"any other chest correlates with {idle:.2f}\n")
    print("| attack | pictures | nothing | clipped | noise 0.1 | noise 1.0 | sum of 5 sites | that and noise 1.0 |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    defences = (("", 1), ("clip", 1), (0.1, 1), (1.0, 1), ("", SITES), (1.0, SITES))
    cells = [np.mean([exact(pictures[t:], labels[t:], d, s) for t in range(20)]) for d, s in defences]
    print("| exact, linear layer | 1 | " + " | ".join(f"{c:.2f}" for c in cells) + " |", flush=True)
    for batch in chosen.batches:
        cells = []
        for defence, sites in defences:
            found = []
            for trial in range(chosen.trials):
                own = pictures[50 * trial :]
                found.append(search(own, labels[50 * trial :], batch, defence, sites, chosen.steps, trial))
            cells.append(np.mean(found))
        print(f"| search | {batch} | " + " | ".join(f"{c:.2f}" for c in cells) + " |", flush=True)


def score(true: Tensor, found: Tensor) -> float:
    """Mean correlation of each true picture with the found one that fits it best, each used once where that is few."""
    a, b = (t.flatten(1) - t.flatten(1).mean(1, keepdim=True) for t in (true, found))
    table = (a / a.norm(dim=1, keepdim=True).clamp(min=1e-9)) @ (b / b.norm(dim=1, keepdim=True).clamp(min=1e-9)).T
    if len(true) == len(found) <= 4:
        return max(float(np.mean([table[i, j] for i, j in enumerate(p)])) for p in permutations(range(len(found))))
    return float(table.max(1).values.mean())


def seen(gradients: list[Tensor], defence: str | float, sites: int, random: torch.Generator) -> list[Tensor]:
    """What the attacker sees of a sum: clipped, and with noise in units of the clipping length."""
    if defence == "":
        return gradients
    length = torch.stack([g.norm() for g in gradients]).norm()
    gradients = [g * min(1.0, CLIP * sites / float(length)) for g in gradients]
    if isinstance(defence, float):
        gradients = [g + torch.randn(g.shape, generator=random) * defence * CLIP for g in gradients]
    return gradients


def exact(pictures: Tensor, labels: Tensor, defence: str | float, sites: int) -> float:
    """Correlation of the first picture with the quotient of the gradients of the most moved unit."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 64), nn.Sigmoid(), nn.Linear(64, 2))
    loss = nn.functional.cross_entropy(net(pictures[:sites]), labels[:sites], reduction="sum")
    random = torch.Generator().manual_seed(1)
    weight, bias = seen(list(torch.autograd.grad(loss, tuple(net[1].parameters()))), defence, sites, random)
    unit = int(bias.abs().argmax())
    return abs(score(pictures[:1], (weight[unit] / bias[unit]).reshape(1, 1, SIDE, SIDE)))


def search(
    pictures: Tensor, labels: Tensor, batch: int, defence: str | float, sites: int, steps: int, seed: int
) -> float:
    """Correlation of the first site's pictures with those found by matching the direction of the update."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(1, 12, 5, 2, 2), nn.Sigmoid(), nn.Conv2d(12, 12, 5, 1, 2), nn.Sigmoid(), nn.Flatten(),
        nn.Linear(12 * (SIDE // 2) ** 2, 2),
    )  # fmt: skip
    for p in net.parameters():
        nn.init.uniform_(p, -0.5, 0.5)
    count, own = batch * sites, tuple(net.parameters())
    true, said = pictures[:count], labels[:count]
    random = torch.Generator().manual_seed(seed)
    loss = nn.functional.cross_entropy(net(true), said, reduction="sum")
    target = seen(list(torch.autograd.grad(loss, own)), defence, sites, random)
    there = torch.cat([t.flatten() for t in target])
    guess = torch.rand(true.shape, generator=random).requires_grad_()
    descent = torch.optim.Adam([guess], 0.1)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(descent, steps)
    for _ in range(steps):
        mine = torch.autograd.grad(
            nn.functional.cross_entropy(net(guess), said, reduction="sum"), own, create_graph=True
        )
        here = torch.cat([m.flatten() for m in mine])
        rough = (guess[..., 1:] - guess[..., :-1]).abs().mean() + (guess[..., 1:, :] - guess[..., :-1, :]).abs().mean()
        apart = 1 - nn.functional.cosine_similarity(here, there, 0) + 1e-3 * rough
        descent.zero_grad()
        apart.backward()
        descent.step()
        falling.step()
        with torch.no_grad():
            guess.clamp_(0, 1)
    return score(true[:batch], guess.detach())


if __name__ == "__main__":
    main()
