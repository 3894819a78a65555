"""Augmentation, network and fit: repeatable, resumable, and able to learn what is there to learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.errors import NotFound, Refused  # noqa: E402
from isocenter.learn.augment import augmented, blurred, levelled, resized  # noqa: E402
from isocenter.learn.examples import Examples  # noqa: E402
from isocenter.learn.fit import Schedule, Watch, answers, descend, fit  # noqa: E402
from isocenter.learn.kinds import Augmentation, Classifier2D  # noqa: E402
from isocenter.learn.networks import ResidualNet  # noqa: E402
from isocenter.learn.recipes import RECIPES, recipe  # noqa: E402
from isocenter.methods.picture import prepared  # noqa: E402
from isocenter.methods.roc import auc  # noqa: E402

SMALL = Classifier2D(
    task="spots", negative="no", positive="yes", subtypes=("left", "right"), size=32, widths=(8, 12, 16), epochs=3,
    batch=16, precision="float32", threads=1, average=0.9, rate=5e-3,
    augmentation=Augmentation(rotate_deg=5, mirror=0.0, erase=0.0),
)  # fmt: skip


def spots(n: int, seed: int) -> Examples:
    """Noise, with a bright spot in the positives, on the left or on the right."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(60, 140, (n, 64, 64), dtype=np.uint8)
    labels, kinds = np.arange(n) % 2, np.full(n, -1)
    for i in np.flatnonzero(labels):
        kinds[i] = rng.integers(0, 2)
        column = 10 + 32 * kinds[i]
        pictures[i, 24:40, column : column + 14] = 230
    return Examples(pictures, labels, kinds, tuple(map(str, range(n))), np.arange(n), f"spots{seed}")


def test_the_same_generator_gives_the_same_pictures_and_another_gives_others() -> None:
    batch = torch.rand(4, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    how = Augmentation()
    one = augmented(batch, how, 40, torch.Generator().manual_seed(1))
    assert one.shape == (4, 1, 40, 40)
    assert torch.equal(one, augmented(batch, how, 40, torch.Generator().manual_seed(1)))
    assert not torch.equal(one, augmented(batch, how, 40, torch.Generator().manual_seed(2)))


def test_an_augmentation_of_nothing_only_scales() -> None:
    still = Augmentation((1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    batch = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(augmented(batch, still, 32, torch.Generator().manual_seed(1)), batch, atol=1e-5)


def test_mirrors_and_wipes_happen() -> None:
    ramp = torch.linspace(0, 1, 32).expand(64, 1, 32, 32).contiguous()
    still = Augmentation((1.0, 1.0), 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert torch.allclose(augmented(ramp, still, 32, torch.Generator().manual_seed(1)), ramp.flip(3), atol=1e-5)
    wiped = augmented(ramp, replace(still, mirror=0.0, erase=1.0), 32, torch.Generator().manual_seed(1))
    assert bool(((wiped - ramp).abs().amax((1, 2, 3)) > 0.01).all())


def test_blurring_keeps_the_mean_of_a_flat_picture() -> None:
    assert torch.allclose(blurred(torch.full((1, 1, 9, 9), 0.4)), torch.full((1, 1, 9, 9), 0.4))


def test_preparation_for_the_clinic_equals_preparation_in_training() -> None:
    picture = np.kron(np.random.default_rng(0).integers(0, 255, (28, 28)), np.ones((8, 8))).astype(np.uint8)
    trained = resized(torch.from_numpy(levelled(picture[None]))[:, None].float() / 255, 160)[0, 0].numpy()
    assert np.abs(trained - prepared(picture, 160)).max() < 1e-5


def test_the_map_averages_to_the_answer() -> None:
    net = ResidualNet((8, 12, 16), 2).eval()
    x = torch.rand(3, 1, 48, 48)
    with torch.inference_mode():
        features = net.features(x)
        places = torch.einsum("nchw,oc->nohw", features, net.head.weight) + net.head.bias.view(1, -1, 1, 1)
        assert torch.allclose(places.mean((2, 3)), net(x), atol=1e-5)
        assert torch.allclose(net(3 * x + 0.5), net(x), atol=1e-2), "exposure makes no difference"


def test_it_learns_repeats_bit_for_bit_and_answers_both_questions() -> None:
    examples, others = spots(160, 0), spots(100, 1)
    one = fit(SMALL, examples, 5)
    other = fit(SMALL, examples, 5)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    said = answers(one, others.pictures, SMALL.size)
    assert auc(others.labels, said[:, 0]).value > 0.95
    positive = others.labels == 1
    assert auc(others.subtypes[positive], said[positive, 1]).value > 0.9


def test_a_run_that_was_killed_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    examples = spots(64, 0)
    whole = fit(SMALL, examples, 1, checkpoint=tmp_path / "a")

    class Killed(Exception):
        pass

    def kill_in_the_second(line: str) -> None:
        if line.startswith("epoch 2/"):
            raise Killed

    with pytest.raises(Killed):
        fit(SMALL, examples, 1, checkpoint=tmp_path / "b", progress=kill_in_the_second)
    told: list[str] = []
    again = fit(SMALL, examples, 1, checkpoint=tmp_path / "b", progress=told.append)
    assert told[0] == "taken up after epoch 1"
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True))


def test_a_checkpoint_of_another_seed_is_not_taken_up(tmp_path: Path) -> None:
    examples, short = spots(32, 0), replace(SMALL, epochs=1)
    fit(short, examples, 1, checkpoint=tmp_path / "a")
    told: list[str] = []
    fit(short, examples, 2, checkpoint=tmp_path / "a", progress=told.append)
    assert [line for line in told if "taken up" in line] == []
    whole = (tmp_path / "a").read_bytes()
    for broken in (
        whole[: len(whole) // 2],
        b"",
        b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.",
    ):
        (tmp_path / "a").write_bytes(broken)
        fit(short, examples, 2, checkpoint=tmp_path / "a", progress=told.append)
        assert "a cannot be read: the run begins anew" in told and not (tmp_path / "ran").exists()
        told.clear()


def test_a_recipe_that_is_not_there_is_named() -> None:
    assert recipe("chest_xray_opacity") is RECIPES["chest_xray_opacity"]
    with pytest.raises(NotFound, match=r"there are recipes for .*cardiac_cine, .*chest_xray_opacity"):
        recipe("fortune")


def watched(folder: Path, turn: int, told: list[str], killed_after: int = 99) -> tuple[torch.nn.Module, Watch]:
    """A single weight that walks away from 0; those that it is not shown want it at `turn` tenths."""

    def down(net: torch.nn.Module, step: int, random: torch.Generator) -> torch.Tensor:
        if step >= 2 * killed_after:
            raise KeyboardInterrupt
        return -net.weight.sum()

    def make() -> torch.nn.Module:
        net = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(net.weight)
        return net

    watch = Watch(lambda net: abs(float(net.weight.detach()) - turn / 10), 3)
    how = Schedule(steps=60, every=2, rate=0.05, warm=1, decay=0.0, average=0.0)
    return descend(make, down, how, 0, "walk", watch=watch, checkpoint=folder / "walk", progress=told.append), watch


def test_a_loss_that_is_no_number_ends_the_training_in_words(tmp_path: Path) -> None:
    how = Schedule(steps=6, every=2, rate=0.05, warm=1, decay=0.0, average=0.0)

    def down(net: torch.nn.Module, step: int, random: torch.Generator) -> torch.Tensor:
        return net.weight.sum() * (float("nan") if step == 3 else 1.0)

    with pytest.raises(Refused, match=r"the loss of epoch 2: it is no number.*smaller rate"):
        descend(lambda: torch.nn.Linear(1, 1, bias=False), down, how, 0, "nan", checkpoint=tmp_path / "walk")


def test_a_run_that_gets_no_better_ends_and_gives_its_best(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "whole").mkdir()
    net, watch = watched(tmp_path / "whole", 5, told)
    assert told[-1] == "ended: no better for 3 epochs" and len(told) < 15
    assert (
        abs(float(net.weight.detach()) - 0.5) == pytest.approx(watch.least) and watch.least < 0.06 and not net.training
    )
    (tmp_path / "killed").mkdir()
    with pytest.raises(KeyboardInterrupt):
        watched(tmp_path / "killed", 5, told, killed_after=7)
    again: list[str] = []
    taken_up, _ = watched(tmp_path / "killed", 5, again)
    assert again[0] == "taken up after epoch 7" and float(taken_up.weight.detach()) == float(net.weight.detach())
    ended: list[str] = []
    assert float(watched(tmp_path / "killed", 5, ended)[0].weight.detach()) == float(net.weight.detach())
    assert len(ended) == 1, "a run that had ended is not gone on with"


def test_what_gets_better_to_the_end_is_not_ended(tmp_path: Path) -> None:
    told: list[str] = []
    watched(tmp_path, 1000, told)
    assert len(told) == 30 and "no better" not in told[-1]
