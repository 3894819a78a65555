"""What is reported of a part has decided nothing: neither its labels nor who learnt from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")
pytest.importorskip("sklearn", reason="the extra 'ml' is not installed")

from isocenter.errors import Refused  # noqa: E402
from isocenter.learn import recipes  # noqa: E402
from isocenter.learn.judge import judge  # noqa: E402
from isocenter.learn.kinds import Classes, Scattering  # noqa: E402
from isocenter.learn.nested import Beside, settings  # noqa: E402
from isocenter.learn.train import train  # noqa: E402

CARD = {"title": "T", "intended_use": "a test", "not_for": ["x"], "limits": ["y"], "source": "z", "licence": "none"}
DOTS = Classes(
    task="dots", classes=("few", "many"), shape=(28, 28), widths=(4, 8), members=3, epochs=1, batch=8, dropout=0.0,
    waves=Scattering(turned=True), choose={"reach": (0.1, 0.3, 1.0), "kept": (5, 20)}, card=CARD, goal={"auc": 0.9},
)  # fmt: skip


def dots(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bright points on noise: few or many."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 2)
    points = rng.random((n, 28, 28)) < np.where(labels, 0.12, 0.02)[:, None, None]
    return np.clip(100 + 30 * rng.normal(size=points.shape) + 100 * points, 0, 255).astype(np.uint8), labels


def test_a_part_has_no_say_in_what_is_reported_of_it() -> None:
    rng, labels = np.random.default_rng(0), np.arange(72) % 2
    seen = torch.from_numpy(rng.normal(size=(1, 72, 40)) + 0.5 * labels[:, None]).float()
    part = np.arange(72) // 24

    def chosen(truth: np.ndarray) -> list[Scattering]:
        beside = Beside(DOTS, seen, truth, part, (0, 1, 2))
        found = [beside.best(0), beside.best()]
        assert {away for _, away in beside._said} == {(0, 1), (0, 2), (0,), (1,), (2,)}, "who chooses had not seen 0"
        return found

    plain = chosen(labels)
    told = {chosen(np.where(part == 0, np.random.default_rng(k).permutation(labels), labels))[0] for k in range(2)}
    assert told == {plain[0]}
    assert len({chosen(np.random.default_rng(k).permutation(labels))[0] for k in range(3)}) > 1, "others do have one"


def test_two_parts_leave_nobody_to_choose() -> None:
    with pytest.raises(Refused, match="without it"):
        Beside(DOTS, torch.zeros(1, 8, 5), np.arange(8) % 2, np.arange(8) // 4, (0, 1))
    assert len(settings(DOTS)) == 6 and settings(replace(DOTS, choose={})) == [DOTS.waves]


@pytest.fixture
def _known() -> Iterator[None]:
    recipes.RECIPES["dots"] = replace(DOTS, choose={"reach": (0.3, 1.0)})
    yield
    recipes.RECIPES.pop("dots")


@pytest.mark.usefixtures("_known")
def test_the_whole_way(tmp_path: Path) -> None:
    pictures, labels = dots(48, 1)
    np.savez(tmp_path / "a.npz", images=pictures, labels=labels)
    model = train("dots", tmp_path / "a.npz", tmp_path / "out")
    assert model.card["training"]["networks"] == 3 and model.evidence["n"] == 48
    told = model.card["training"]["settings chosen for each part"].split("; ")
    assert len(told) == 3 and all(one in ("reach 0.3", "reach 1") for one in told)
    shown = judge(tmp_path / "out", tmp_path / "a.npz")
    assert shown["learnt_from"] == 48, "it is said that it answers from memory"
    assert shown["metrics"]["auc"]["value"] > 0.9, "the network learnt for one epoch; the machine knows"
    assert "by others" in model.card["shown_on"] and model.evidence["parity"] <= 1e-4
