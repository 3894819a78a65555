"""Scattering that a turn leaves alone, and support vectors that answer as scikit-learn's, in the file as in torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")
pytest.importorskip("sklearn", reason="the extra 'ml' is not installed")

from isocenter.learn import recipes  # noqa: E402
from isocenter.learn.judge import judge  # noqa: E402
from isocenter.learn.kinds import Classes, Scattering  # noqa: E402
from isocenter.learn.labelled import read_labelled  # noqa: E402
from isocenter.learn.train import train  # noqa: E402
from isocenter.learn.waves import Waves, directions, fit_machine, scattered  # noqa: E402

CARD = {"title": "T", "intended_use": "a test", "not_for": ["x"], "limits": ["y"], "source": "z", "licence": "none"}
STRIPES = Classes(
    task="stripes", classes=("steep", "flat", "fine"), shape=(28, 28), widths=(4, 8), members=2, epochs=1, batch=8,
    dropout=0.0, waves=Scattering(), card=CARD, goal={"auc": 0.9},
)  # fmt: skip


def stripes(path: Path, n: int, seed: int, kinds: int = 3) -> Path:
    """Waves that run down, across, or down and twice as short, anywhere in noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:28, :28]
    labels = np.arange(n) % kinds
    phase = rng.uniform(0, 6.3, n)
    waves = [np.sin((y if k == 1 else x) * (1.8 if k == 2 else 0.9) + p) for k, p in zip(labels, phase, strict=True)]
    pictures = 128 + 25 * np.stack(waves) + rng.normal(0, 25, (n, 28, 28))
    np.savez(path, images=np.clip(pictures, 0, 255).astype(np.uint8), labels=labels)
    return path


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    recipes.RECIPES["stripes"] = STRIPES
    yield
    recipes.RECIPES.pop("stripes")


def test_a_turned_picture_has_the_same_scattering() -> None:
    x = torch.rand(2, 2, 28, 28, generator=torch.Generator().manual_seed(0))
    seen = [Waves(turned=True)(torch.rot90(x, k, (2, 3))).reshape(2, 56, 4, 4) for k in range(4)]
    for k, one in enumerate(seen):
        assert torch.allclose(torch.rot90(seen[0], k, (2, 3)), one, atol=1e-4)
    plain = [Waves()(torch.rot90(x, k, (2, 3))).reshape(2, 434, 4, 4) for k in (0, 1)]
    assert not torch.allclose(torch.rot90(plain[0], 1, (2, 3)), plain[1], atol=0.1)
    brighter = Waves()(0.5 * x + 0.3)
    assert torch.allclose(brighter, Waves()(x), atol=0.1)


def test_of_a_volume_it_is_that_of_its_shadows() -> None:
    cubes = torch.zeros(2, 1, 28, 28, 28)
    cubes[0, :, 10:14, 6:22, 6:22] = 1
    cubes[1, :, 10:18, 6:22, 6:22] = 1
    thin, thick = Waves(turned=True)(cubes)[:, :48].reshape(2, 3, 16).exp()
    along = thin[0] > 0.01
    assert torch.allclose((thick[0] / thin[0])[along], torch.tensor(2.0), rtol=0.05), "twice as thick, twice as dark"
    other = torch.rot90(cubes[:1], 1, (2, 3))
    turned = Waves(turned=True)(other)[0, :48].reshape(3, 16).exp()
    assert torch.allclose(turned.sum(1)[[1, 0, 2]], thin.sum(1), rtol=0.05), "another axis, the same shadow"


def test_it_decides_as_scikit_learn_does(tmp_path: Path) -> None:
    from sklearn.svm import SVC

    learnt = read_labelled(stripes(tmp_path / "a.npz", 40, 0, 2), replace(STRIPES, classes=("steep", "flat")))
    x, how = torch.from_numpy(learnt.pictures)[:, None], Scattering()
    seen = scattered(how, x)
    machine = fit_machine(how, directions(seen), learnt.labels, 2)
    points = ((seen.flatten(0, 1) - machine.mean) @ machine.turn).numpy()
    theirs = SVC(C=3.0, gamma=machine.narrow).fit(points, np.tile(learnt.labels, 2)).decision_function(points)
    with torch.inference_mode():
        said = machine(x.float() / 255).numpy()
    assert np.abs(said[:, 1] - said[:, 0] - theirs.reshape(2, 40).mean(0)).max() < 1e-3
    assert np.abs(said.sum(1)).max() < 1e-5


def test_many_examples_are_decided_as_few_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = read_labelled(stripes(tmp_path / "a.npz", 45, 0), STRIPES)
    x, how = torch.from_numpy(learnt.pictures)[:, None], Scattering(ordered=True)
    on = directions(scattered(how, x))
    few = fit_machine(how, on, learnt.labels, 3)
    monkeypatch.setattr("isocenter.learn.waves._HELD", 89)  # of 45 pictures and their mirror images
    monkeypatch.setattr("isocenter.learn.waves._AT_ONCE", 20)
    many = fit_machine(how, on, learnt.labels, 3)
    with torch.inference_mode():
        assert torch.allclose(few(x.float() / 255), many(x.float() / 255), atol=1e-4)


def test_grades_are_also_decided_between_as_scikit_learn_does(tmp_path: Path) -> None:
    from sklearn.svm import SVC

    learnt = read_labelled(stripes(tmp_path / "a.npz", 45, 0), STRIPES)
    x, how = torch.from_numpy(learnt.pictures)[:, None], Scattering(ordered=True)
    machine = fit_machine(how, directions(scattered(how, x)), learnt.labels, 3)
    points = ((scattered(how, x).flatten(0, 1) - machine.mean) @ machine.turn).numpy()

    def theirs(yes: np.ndarray) -> np.ndarray:
        return SVC(C=3.0, gamma=machine.narrow).fit(points, np.tile(yes, 2)).decision_function(points)

    rest = np.stack([theirs(learnt.labels == kind) for kind in range(3)], 1)
    above0, above1 = theirs(learnt.labels > 0), theirs(learnt.labels > 1)
    between = np.stack([-above0 - above1, above0 - above1, above0 + above1], 1)
    apart = [one - one.mean(1, keepdims=True) for one in (rest, between)]
    meant = rest + between * np.linalg.norm(apart[0]) / np.linalg.norm(apart[1])
    with torch.inference_mode():
        said = machine(x.float() / 255).numpy()
    assert np.abs(said - meant.reshape(2, 45, 3).mean(0)).max() < 1e-3
    two = [fit_machine(one, directions(scattered(how, x)), learnt.labels % 2, 2) for one in (how, Scattering())]
    with torch.inference_mode():
        both = [(said[:, 1] - said[:, 0]).numpy() for said in (one(x.float() / 255) for one in two)]
    assert np.abs(both[0] - 2 * both[1]).max() < 1e-4, "of two classes the same decision, counted twice"


@pytest.mark.parametrize("turned", [pytest.param(False, marks=pytest.mark.nightly), True])
def test_the_whole_way(tmp_path: Path, turned: bool) -> None:
    recipes.RECIPES["stripes"] = replace(STRIPES, waves=Scattering(turned=turned))
    model = train("stripes", stripes(tmp_path / "a.npz", 72, 0), tmp_path / "out")
    assert model.evidence["parity"] <= 1e-4
    shown = judge(tmp_path / "out", stripes(tmp_path / "b.npz", 60, 1))["subgroups"]
    areas = {group["name"]: group["metrics"]["auc"]["value"] for group in shown}
    assert areas["fine"] > 0.9, "the network learnt for one epoch; the machine knows"
    assert turned or areas["flat"] > 0.99, "where directions are averaged, down and across are the same"
