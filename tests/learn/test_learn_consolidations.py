"""Opacities drawn in training: dense, in the lungs, told where; marks that are none; a map asked to lie there."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.errors import MissingPart  # noqa: E402
from isocenter.learn import consolidations  # noqa: E402
from isocenter.learn.consolidations import drawn, emptied, lungs, pointing  # noqa: E402
from isocenter.learn.examples import Examples  # noqa: E402
from isocenter.learn.fit import _films as made_ready  # noqa: E402
from isocenter.learn.fit import _with_opacities, fit  # noqa: E402
from isocenter.learn.kinds import Augmentation, Classifier2D, Opacities  # noqa: E402
from isocenter.methods.virtual_chest import virtual_film  # noqa: E402


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def films(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Grey films with two dark lungs, and where these are."""
    within = torch.zeros(n, 1, 56, 56, dtype=torch.bool)
    within[..., 12:42, 8:22] = within[..., 12:42, 34:48] = True
    wide = torch.nn.functional.interpolate(within.float(), (112, 112))
    return 0.8 - 0.5 * wide + 0.02 * torch.rand(n, 1, 112, 112, generator=chance()), within


def test_an_opacity_is_dense_lies_in_a_lung_and_is_told() -> None:
    x, within = films(40)
    within[3] = False
    labels = torch.tensor([0.0, 1.0]).repeat(20)
    made = drawn(x, within, labels, Opacities(clear=1.0, beside=0.0, marked=0.0), chance())
    assert made.planted.tolist() == [label == 0 for label in labels], "clear films alone, where lungs were seen"
    assert torch.equal(made.films[~made.planted], x[~made.planted]) and not made.where[~made.planted].any()
    lung = torch.nn.functional.interpolate(within.float(), (112, 112))
    for film, before, where, inside in zip(*(t[made.planted] for t in (made.films, x, made.where, lung)), strict=True):
        on = where.bool()
        assert (film[on] - before[on]).mean() > 0.1 and inside[on].mean() > 0.6
        assert 0.001 < float(where.mean()) < 0.2 and float(film.max()) <= 1
    beside = drawn(x, within, labels, Opacities(clear=0.0, beside=1.0, marked=0.0), chance())
    assert bool(beside.planted[5]) and not bool(beside.planted[3]) and not bool(beside.planted[labels == 0].any())
    again = drawn(x, within, labels, Opacities(), chance(7))
    assert torch.equal(again.films, drawn(x, within, labels, Opacities(), chance(7)).films)


def test_marks_that_are_none_come_to_both_labels_and_are_not_told() -> None:
    x, within = films(200)
    made = drawn(x, within, torch.zeros(200), Opacities(clear=0.0, beside=0.0, marked=1.0), chance())
    assert not made.planted.any() and not made.where.any()
    changed = (made.films - x).abs().amax((1, 2, 3)) > 0.05
    assert changed.float().mean() > 0.4, "blur and contrast change little on a smooth film"
    lung = torch.nn.functional.interpolate(within.float(), (112, 112)).bool()
    brighter = ((made.films - x) * ~lung).amax((1, 2, 3)) > 0.03
    assert 0.1 < float(brighter.float().mean()) < 0.35, "a fifth of them lies beside the lungs"
    plain = drawn(x, within, torch.ones(200), Opacities(clear=0.0, beside=0.0, marked=0.0), chance())
    assert torch.equal(plain.films, x)


def test_a_map_is_asked_to_lie_on_what_was_drawn_and_not_against_what_may_be_real() -> None:
    where, within = torch.zeros(2, 1, 80, 80), torch.zeros(2, 1, 80, 80)
    where[..., 16:32, 16:32] = 1.0
    within[..., 8:72, 8:72] = 1.0
    at, other, outside = torch.zeros(3, 2, 1, 10, 10)
    at[..., 2:4, 2:4] = other[..., 6:8, 6:8] = outside[..., 9, 9] = 9.0
    clear, called = torch.zeros(2), torch.ones(2)
    assert float(pointing(at, where, within, clear)) < 1.5 < 9 < float(pointing(other, where, within, clear))
    assert float(pointing(other, where, within, called)) < 4 < 6 < float(pointing(outside, where, within, called))
    assert float(pointing(at, where * 0, within, clear)) == 0.0, "it was moved out of the film"


def test_holes_come_with_and_without_an_opacity_that_is_left() -> None:
    n = 400
    lung, where = torch.zeros(2, n, 1, 80, 80)
    lung[..., 16:60, 10:32] = lung[..., 16:60, 48:70] = 1.0
    where[..., 30:44, 14:28] = 1.0
    where[: n // 2] = 0.0
    labels = (torch.arange(n) % 2).float()
    lung[7] = 0.0
    x = torch.rand(n, 1, 80, 80, generator=chance())
    made, holed, gone = emptied(x, lung, where, labels, 0.8, chance(3))
    assert 0.7 < float(holed.float().mean()) < 0.9 and not bool((gone & ~holed).any()) and not bool(holed[7])
    assert 0.4 < float(gone[holed].float().mean()) < 0.6
    assert torch.equal(made[~holed], x[~holed])
    hole, real, drawn_in = made != x, labels > 0, where.flatten(1).any(1)
    assert bool((made == torch.where(hole, x.mean((1, 2, 3), keepdim=True), x)).all()), "the mean grey of the film"
    chest = hole[..., 16:60, 10:70].float().mean((1, 2, 3))
    on = (hole * where).sum((1, 2, 3)) / where.sum((1, 2, 3)).clamp(min=1)
    assert chest[gone & real].min() > 0.999, "nobody knows where a real one lies: all of the chest is taken"
    left = holed & ~gone
    assert not bool((hole & (lung > 0))[left & real].any()), "or nothing of the lungs"
    assert on[gone & drawn_in & ~real].min() > 0.99 and on[left & drawn_in & ~real].max() == 0
    plain = chest[holed & ~real & ~drawn_in]
    assert float(plain.min()) < 0.1 and float(plain.max()) > 0.9, "of a clear film any part"
    assert torch.equal(emptied(x, lung, where, labels, 0.8, chance(3))[0], made)
    assert not bool(emptied(x, lung * 0, where, labels, 1.0, chance())[1].any())


def test_the_shipped_network_gives_the_lungs_of_a_film_and_none_of_noise() -> None:
    film = virtual_film(2, 224)
    noise = np.random.default_rng(0).integers(0, 255, film.picture.shape, dtype=np.uint8)
    seen = lungs(np.stack([(film.picture * 255).astype(np.uint8), noise]))
    assert seen.shape == (2, 1, 56, 56) and not seen[1].any()
    truth = film.masks[:2].max(0).reshape(56, 4, 56, 4).mean((1, 3)) > 0.5
    both = np.count_nonzero(truth & seen[0, 0].numpy())
    assert 2 * both / (np.count_nonzero(truth) + int(seen[0].sum())) > 0.85


@pytest.mark.nightly
def test_a_fit_with_drawings_repeats_and_learns_where(monkeypatch: pytest.MonkeyPatch) -> None:
    x, within = films(48)
    pictures = (x[:, 0].numpy() * 255).astype(np.uint8)
    monkeypatch.setattr("isocenter.learn.fit.lungs", lambda some: within[: len(some)])
    how = Classifier2D(
        task="films", negative="no", positive="yes", size=64, widths=(6, 8, 12), epochs=8, batch=16, rate=8e-3,
        precision="float32", threads=1, average=0.8, dropout=0.0,
        augmentation=Augmentation(rotate_deg=3, erase=0.0, noise=0.0), opacities=Opacities(clear=0.5, marked=0.2),
    )  # fmt: skip
    dense, _ = films(48)
    labels = np.arange(48) % 2
    pictures[labels == 1, 40:70, 20:40] += 90
    examples = Examples(pictures, labels, np.full(48, -1), tuple(map(str, range(48))), np.arange(48), "films")
    net = fit(how, examples, 0)
    one, other = (fit(replace(how, epochs=1), examples, 0).head.weight for _ in range(2))
    assert torch.equal(one, other)
    held = Opacities(clear=0.3, marked=0.2, emptied=0.3, kept=10.0)
    far, films_ = copy.deepcopy(net), made_ready(how, examples)
    far.head.bias.data += torch.tensor([0.5, 9.0])
    own, moved, off = (
        float(_with_opacities(net, before, films_, torch.arange(48), how, ops, chance()).detach())
        for before, ops in ((net, held), (far, held), (far, replace(held, kept=0.0)))
    )
    assert own == pytest.approx(off), "on films that nothing was done to it answers as it did"
    assert moved - off == pytest.approx(10 * 0.5**2, abs=1e-3), "the second answer counts where the kind is known"
    made = drawn(dense, within, torch.zeros(48), Opacities(clear=1.0, marked=0.0), chance(9))
    small = torch.nn.functional.interpolate(made.films, (64, 64), mode="area")
    with torch.inference_mode():
        places = (net.features(small) * net.head.weight[0].view(1, -1, 1, 1)).sum(1)
        on = torch.nn.functional.adaptive_avg_pool2d(made.where, places.shape[1:])[:, 0]
    inside = (places * on).sum((1, 2)) / on.sum((1, 2))
    assert float((inside > places.mean((1, 2))).float().mean()) > 0.8
    with pytest.raises(MissingPart):
        monkeypatch.setattr("isocenter.learn.fit.lungs", lungs)
        monkeypatch.setattr(consolidations, "open_session", _missing)
        fit(replace(how, epochs=1), examples, 0)


def _missing(name: str) -> None:
    raise MissingPart(f"the weights '{name}' are not there", "looked in no folder")
