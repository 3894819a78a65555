"""Norms by shared moments, against torch's batch norm on pictures that lie together, in double precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.learn.examples import Examples  # noqa: E402
from isocenter.learn.federation import (  # noqa: E402
    Federation,
    flat,
    loss_of,
    moments_among,
    network,
    poured,
    recipe_of,
    shared_names,
)
from isocenter.learn.federation_rounds import Motion  # noqa: E402
from isocenter.learn.networks import GridNet  # noqa: E402
from isocenter.learn.shared_norms import SharedNorm  # noqa: E402
from isocenter.learn.site_steps import changed  # noqa: E402

HOW = Federation("pneumoniamnist", rounds=6, batch=0, momentum=0.0, rate=0.1, falling=False, moves=False, by_moments=1)
OWN = replace(recipe_of(HOW), dropout=0.0, widths=(4, 8, 8))


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def skewed() -> list[Examples]:
    """Three sites: nearly all ill and bright, all well, and two pictures."""
    found = []
    for seed, (n, ill, light) in enumerate(((19, 0.9, 90), (14, 0.0, 0), (2, 1.0, 40))):
        rng = np.random.default_rng(seed)
        pictures, labels = rng.integers(30, 120, (n, 28, 28), dtype=np.uint8), (rng.random(n) < ill).astype(np.int64)
        pictures[labels == 1, 6:18, 8:20] += light
        found.append(Examples(pictures, labels, np.full(n, -1), tuple(map(str, range(n))), np.arange(n), f"s{seed}"))
    return found


def together(sites: list[Examples]) -> Examples:
    pictures, labels = (np.concatenate([getattr(s, what) for s in sites]) for what in ("pictures", "labels"))
    n = len(labels)
    return Examples(pictures, labels, np.full(n, -1), tuple(map(str, range(n))), np.arange(n), "all")


def summed(net: GridNet, shared: np.ndarray, sites: list[Examples], how: Federation, number: int) -> np.ndarray:
    """Mean of the updates of all sites, as the coordinator sees it."""
    names, rows = shared_names(net, how), []
    for site in sites:
        poured(net, names, shared)
        rows.append(np.append(changed(net, site, how, OWN, number, "a")[0] * len(site), len(site)))
    total = sum(rows)
    return total[:-1] / total[-1]


def test_moments_that_have_settled_make_it_batch_norm_on_all_pictures_exactly(double: None) -> None:
    net, sites = network(HOW, OWN), skewed()
    plain = GridNet(OWN.widths, 2, 0.0, levelled=OWN.levelled, softened=OWN.softened)
    for name, value in net.named_parameters():  # a branch that begins at nothing would test nothing
        value.data += 0.2 * torch.randn(value.shape, generator=torch.Generator().manual_seed(len(name)))
        dict(plain.named_parameters())[name].data.copy_(value.data)
    names = shared_names(net, HOW)
    shared, moments = flat(net, names), moments_among(net, names)
    for _ in range(30):  # each layer needs those before it, and in the gradient those behind it
        shared = shared + np.where(moments, summed(net, shared, sites, HOW, 0), 0.0)
    poured(net, names, shared + summed(net, shared, sites, HOW, 0))
    stepped = {name: value.detach().clone() for name, value in net.named_parameters()}
    poured(net, names, shared)
    pooled = together(sites)
    pictures = torch.from_numpy(pooled.pictures)[:, None].double() / 255
    logits = plain.train()(pictures)
    loss_of(logits, torch.from_numpy(pooled.labels), OWN).backward()
    for name, value in plain.named_parameters():
        assert float(value.grad.abs().max()) > 1e-5, name
        assert torch.allclose((value - HOW.rate * value.grad), stepped[name], rtol=0, atol=1e-13), name
    assert torch.allclose(net.eval()(pictures), logits, rtol=0, atol=1e-12)
    assert sum(isinstance(m, SharedNorm) for m in net.modules()) == sum(
        isinstance(m, torch.nn.BatchNorm2d) for m in plain.modules()
    )


def test_a_norm_of_volumes_gives_the_answer_and_the_gradient_of_batch_norm(double: None) -> None:
    random = torch.Generator().manual_seed(3)
    x = 3 + 2 * torch.randn(6, 3, 4, 5, 2, generator=random)
    weight, wanted = torch.randn(3, 4, 5, 2, generator=random), torch.randn(6, generator=random)
    plain = torch.nn.BatchNorm3d(3)
    torch.nn.init.uniform_(plain.weight, 0.5, 2.0, generator=random)
    shared = SharedNorm(plain, 1.0)

    def seen(norm: torch.nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        own = x.clone().requires_grad_()
        said = norm(own)
        (((torch.tanh(said) * weight).mean((1, 2, 3, 4)) - wanted) ** 2).mean().backward()
        return said.detach(), own.grad

    for _ in range(2):  # moments of what goes in, then of the gradient
        seen(shared)
    for ours, theirs in zip(seen(shared), seen(plain), strict=True):
        assert float(theirs.abs().max()) > 1e-3
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-14)


@pytest.mark.parametrize("server", ["", "adam"])
def test_however_pictures_are_dealt_to_sites_the_federation_goes_the_same_way(double: None, server: str) -> None:
    how = replace(HOW, by_moments=0.3, carried=0.9, server=server, server_rate=0.01)
    ends = []
    for sites in (skewed(), [together(skewed())]):
        net = network(how, OWN)
        names = shared_names(net, how)
        shared, moments = flat(net, names), moments_among(net, names)
        first, motion = shared, Motion.begun(shared)
        for number in range(how.rounds):
            motion, shared = motion.on(how, number, shared, summed(net, shared, sites, how, number), moments)
        assert np.abs(shared - first)[~moments].max() > 0.01 < np.abs(shared - first)[moments].max()
        assert not motion.moved[moments].any()
        ends.append(shared)
    assert np.abs(ends[0] - ends[1]).max() < (1e-7 if server else 1e-12)
