"""Measures of shape: right for bodies that are known, alike for mirror images, enough to tell balls from bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.errors import Refused  # noqa: E402
from isocenter.learn import recipes  # noqa: E402
from isocenter.learn.judge import judge  # noqa: E402
from isocenter.learn.kinds import Classes  # noqa: E402
from isocenter.learn.labelled import read_labelled  # noqa: E402
from isocenter.learn.shape import fit_measured, measures  # noqa: E402
from isocenter.learn.train import train  # noqa: E402

BODIES = Classes(
    task="bodies", classes=("ball", "bar"), shape=(16, 16, 16), measured=(0.1, 1.0), members=3, views=((),),
    goal={"auc": 0.9},
    card={"title": "T", "intended_use": "a test", "not_for": ["x"], "limits": ["y"], "source": "z", "licence": "none"},
)  # fmt: skip


def body(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x, y, z = np.indices((16, 16, 16)) - rng.uniform(6, 9, (3, 1, 1, 1))
    r = rng.uniform(2.5, 4.5)
    inside = x * x + y * y + z * z < r * r if seed % 2 == 0 else (abs(x) < 1.6) & (abs(y) < 1.6) & (abs(z) < r + 1.5)
    return np.where(inside, 255, 0).astype(np.uint8)


def test_a_box_is_measured_by_hand_and_its_mirror_image_alike() -> None:
    box = torch.zeros(1, 1, 12, 12, 12)
    box[0, 0, 2:8, 3:8, 1:5] = 1  # 6 × 5 × 4
    said = measures(box)[0, :31]
    assert said[0] == 120 and said[1] == 2 * (30 + 24 + 20), "volume and surface"
    assert said[4] == 4 * 3 * 2, "a layer through the faces"
    trace = (35 + 24 + 15) / 12
    assert float(said[15]) == pytest.approx(trace**0.5, rel=1e-5)
    assert float(said[17]) == pytest.approx(27 * (35 * 24 * 15 / 12**3) / trace**3, rel=1e-4)
    assert said[19] == 120 and said[20] == 1 and said[21:27].tolist() == [6, 5, 4, 20, 24, 30]
    other = measures(box.flip((2, 4)))[0, :31]
    assert torch.allclose(said, other, rtol=1e-5)
    assert bool(torch.isfinite(measures(torch.zeros(1, 1, 8, 8, 8))).all()), "nothing is measured, not divided by"


def test_the_whole_way(tmp_path: Path) -> None:
    recipes.RECIPES["bodies"] = BODIES
    try:
        labels = np.arange(60) % 2
        np.savez(tmp_path / "b.npz", train_images=np.stack([body(i) for i in range(60)]), train_labels=labels)
        model = train("bodies", tmp_path / "b.npz", tmp_path / "bodies")
        assert model.evidence["metrics"]["auc"]["value"] > 0.9 and model.evidence["parity"] <= 1e-4
        np.savez(tmp_path / "h.npz", images=np.stack([body(100 + i) for i in range(20)]), labels=labels[:20])
        assert judge(tmp_path / "bodies", tmp_path / "h.npz")["metrics"]["auc"]["value"] > 0.9
        flat = Classes(task="flat", classes=("a", "b"), shape=(16, 16), measured=(0.1,))
        with pytest.raises(Refused, match="shapes of two classes"):
            fit_measured(flat, read_labelled(tmp_path / "b.npz", BODIES))
    finally:
        recipes.RECIPES.pop("bodies")
