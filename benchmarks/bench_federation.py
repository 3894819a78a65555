"""A federation of five sites beside the same network on the pooled pictures, and beside each site alone.

    python benchmarks/bench_federation.py --data FOLDER|FILE.npz [--rounds 12] [--widths 8 16 32] [--noise 1.0]

Pictures are split by person: a fifth of the people measure and are seen by nobody; the others are dealt to five sites,
evenly, or skewed in size and in the share of the diseased (Dirichlet, 0.5). All runs take the same number of looks at
each picture. The sums are taken in the clear: masks change no figure (tests/learn/test_learn_federation.py).

A site alone is trained in up to three ways (`--alone`): by looks with norms of batches, the same with norms of groups,
and with everything that the federation of small steps has but the other sites.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from isocenter.learn.examples import Examples
from isocenter.learn.federation import Federation, flat, moments_among, network, poured, recipe_of, shared_names
from isocenter.learn.federation_rounds import Motion
from isocenter.learn.federation_site import divided
from isocenter.learn.kinds import Classes
from isocenter.learn.labelled import read_labelled
from isocenter.learn.private_steps import Spent
from isocenter.learn.site_steps import changed
from isocenter.methods.roc import auc

SITES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--seed", type=int, nargs="+", default=[0], help="several deals: the pictures are read once")
    parser.add_argument("--moves", action="store_true", help="augment as the recipe says")
    parser.add_argument("--splits", nargs="*", default=["even", "skewed"], choices=["even", "skewed"])
    parser.add_argument("--methods", nargs="*", default=["fedavg", "fedprox", "fedbn"])
    parser.add_argument("--parts", type=int, default=0, help="also rounds of one step on so small a part")
    parser.add_argument("--by-moments", type=float, default=0.0, help="these by shared moments, not by groups; 0.2")
    parser.add_argument("--server", default="", choices=["", "adam"], help="how the coordinator goes in small steps")
    parser.add_argument("--noise", type=float, nargs="*", default=[], help="also hide each person, by so much noise")
    parser.add_argument("--no-pooled", action="store_true")
    parser.add_argument("--alone", nargs="*", default=["batches"], choices=["batches", "groups", "small"])
    chosen = parser.parse_args()
    if "small" in chosen.alone and not chosen.parts:
        parser.error("--alone small takes as small steps as --parts says: give --parts 65")
    torch.set_num_threads(1)
    own = replace(recipe_of(Federation("pneumoniamnist")), widths=tuple(chosen.widths), threads=1)
    examples = read_labelled(chosen.data, own)
    for seed in chosen.seed:
        one_deal(examples, own, seed, chosen)


def one_deal(examples: Examples, own: Classes, seed: int, chosen: argparse.Namespace) -> None:
    """All that was asked for, on the deal of one seed."""
    how = Federation("pneumoniamnist", rounds=chosen.rounds, moves=chosen.moves, seed=seed)
    by_moments = chosen.by_moments if chosen.parts else 0.0
    small = replace(
        how, parts=chosen.parts, carried=0.9, momentum=0.0, rate=0.1, by_groups=not by_moments,
        by_moments=by_moments, server=chosen.server,
        rounds=chosen.rounds * max(chosen.parts, 1),
    )  # fmt: skip
    alone = {"batches": how, "groups": replace(how, by_groups=True), "small": small}
    training, test = divided(examples, 0.2, seed)
    people = len(np.unique(training.groups))
    print(f"\nseed {seed}: {len(training)} pictures of {people} people train, {len(test)} of "
          f"{len(np.unique(test.groups))} measure\n")  # fmt: skip
    print("| | AUC (95 %) | seconds of processor |\n|---|---|---|", flush=True)
    if not chosen.no_pooled:
        told("pooled", how, own, [training], test)
    for name in chosen.splits:
        sites = dealt(training, name == "skewed", seed)
        shares = ", ".join(f"{len(s)} ({np.mean(s.labels):.0%})" for s in sites)
        print(f"| *{name}: {shares}* | | |", flush=True)
        for method in chosen.methods:
            told(f"{name}, {method}", replace(how, method=method), own, sites, test)
        if chosen.parts:
            way = (small.server or "carried on") + (", shared moments" if small.by_moments else "")
            told(f"{name}, fedavg, {small.rounds} rounds of one step, {way}", small, own, sites, test)
        for way in chosen.alone:
            for number, site in enumerate(sites):
                told(f"{name}, site {number + 1} alone, {way}", alone[way], own, [site], test)
        for noise in chosen.noise:
            private = replace(how, privacy="person", noise=noise, batch=128, rate=0.5, momentum=0.0, falling=False)
            spent = Spent.of(private, min(len(np.unique(s.groups)) for s in sites))
            told(f"{name}, each person hidden: noise {noise:g}, ε {spent.epsilon(chosen.rounds):.1f}", private, own,
                 sites, test)  # fmt: skip


def dealt(examples: Examples, skewed: bool, seed: int) -> list[Examples]:
    """The people of each class dealt to the sites."""
    rng = np.random.default_rng([seed, 3])
    site = np.zeros(examples.groups.max() + 1, np.int64)
    for label in (0, 1):
        people = rng.permutation(np.unique(examples.groups[examples.labels == label]))
        shares = rng.dirichlet([0.5] * SITES) if skewed else np.full(SITES, 1 / SITES)
        edges = np.round(np.cumsum(shares)[:-1] * len(people)).astype(int)
        for number, some in enumerate(np.split(people, edges)):
            site[some] = number
    found = [examples.take(np.flatnonzero(site[examples.groups] == k)) for k in range(SITES)]
    return [f for f in found if len(f) > 1]


def told(name: str, how: Federation, own: Classes, sites: list[Examples], test: Examples) -> None:
    """Train by rounds, measure, and print a line."""
    begun = time.process_time()
    net, weights = network(how, own), np.array([len(s) for s in sites], np.float64)
    names = shared_names(net, how)
    moments = moments_among(net, names)
    here = sorted(n for n, t in net.state_dict().items() if t.is_floating_point() and n not in names)
    shared, left = flat(net, names), [flat(net, here) if here else np.empty(0) for _ in sites]
    motion = Motion.begun(shared)
    for number in range(how.rounds):
        steps = []
        for k, site in enumerate(sites):
            poured(net, names, shared)
            if here:
                poured(net, here, left[k])
            steps.append(changed(net, site, how, own, number, str(k))[0])
            left[k] = flat(net, here) if here else left[k]
        motion, shared = motion.on(how, number, shared, np.average(steps, axis=0, weights=weights), moments)
    said = []
    for k in range(len(sites) if here else 1):  # with FedBN each site has a model of its own: their mean AUC is told
        poured(net, names, shared)
        if here:
            poured(net, here, left[k])
        said.append(scores(net, test))
    areas = [auc(test.labels, s) for s in said]
    low, high = (f"{np.mean([getattr(a, e) for a in areas]):.4f}" for e in ("low", "high"))
    seconds = time.process_time() - begun
    print(f"| {name} | {np.mean([a.value for a in areas]):.4f} ({low} to {high}) | {seconds:.0f} |", flush=True)


def scores(net: torch.nn.Module, test: Examples) -> npt.NDArray[np.float64]:
    """Logit of the diseased against the others."""
    net.eval()
    with torch.inference_mode():
        some = torch.from_numpy(test.pictures)[:, None].float().div(255).split(256)
        said = torch.cat([net(x) for x in some]).double().numpy()
    return np.asarray(said[:, 1] - said[:, 0])


if __name__ == "__main__":
    main()
