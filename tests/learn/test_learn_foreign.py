"""Pictures of none of the classes: made, read, learnt from and asked about, and never silently called a class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.learn import recipes  # noqa: E402
from isocenter.learn.classify import Answer, beside_nets  # noqa: E402
from isocenter.learn.export import COMPARED, exported  # noqa: E402
from isocenter.learn.foreign import read_foreign, wrong  # noqa: E402
from isocenter.learn.judge import judged  # noqa: E402
from isocenter.learn.kinds import Augmentation, Classes, Scattering  # noqa: E402
from isocenter.learn.learnt import seen  # noqa: E402
from isocenter.learn.outside import why_declined  # noqa: E402
from isocenter.learn.train import train  # noqa: E402

GATE = Classes(
    task="stripes", classes=("across", "down"), shape=(28, 28), widths=(8, 16), members=2, epochs=12, batch=16,
    rate=1e-2, average=0.8, dropout=0.0, foreign=0.5, others=("other/held.npz",), strangers=("other/films",),
    augmentation=Augmentation(rotate_deg=3, mirror=0.0, erase=0.0, curve=0.2), goal={"accuracy": 0.9},
    card={"title": "T", "intended_use": "a test", "not_for": ["x"], "limits": ["y"], "source": "z", "licence": "none"},
)  # fmt: skip


def stripes(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 60, (n, 28, 28)).astype(np.uint8), np.arange(n) % 2
    for row, kind in zip(x, y, strict=True):
        (row if kind == 0 else row.T)[int(rng.integers(0, 3)) :: 7] += 180
    return x, y


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    recipes.RECIPES["stripes"] = GATE
    yield
    recipes.RECIPES.pop("stripes")


def test_wrong_pictures_repeat_and_are_all_kinds() -> None:
    batch = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    others = torch.zeros(0, 28, 28, dtype=torch.uint8)
    one, two = (wrong(batch, others, 30, torch.Generator().manual_seed(3)) for _ in "ab")
    assert torch.equal(one, two) and one.shape == (30, 1, 28, 28)
    assert float(one.min()) >= 0 and float(one.max()) <= 1 + 1e-6
    assert torch.any((one[:, None] - (1 - batch)[None]).abs().amax((2, 3, 4)) < 1e-6), "some are inverted"
    assert len(wrong(batch, others, 0, torch.Generator())) == 0


def test_a_gate_declines_what_it_does_not_know(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "kinds").mkdir()
    (tmp_path / "other" / "films").mkdir(parents=True)
    x, y = stripes(96, 0)
    np.savez(tmp_path / "kinds" / "s.npz", images=x, labels=y, classes=["across", "down"])
    fields = np.kron(rng.integers(0, 255, (40, 4, 4)), np.ones((1, 7, 7))).astype(np.uint8)
    np.savez(tmp_path / "other" / "held.npz", train_images=fields[:20], test_images=fields[20:])
    for i in range(3):
        Image.fromarray(fields[i]).save(tmp_path / "other" / "films" / f"{i}.png")
    found = read_foreign(tmp_path, GATE)
    assert len(found.shown) == 20 and {k: len(v) for k, v in found.kept.items()} == {"held": 20, "films": 3}
    model = train("stripes", tmp_path / "kinds" / "s.npz", tmp_path / "stripes")
    assert model.evidence["out_of_scope"]["held"]["declined"] >= 16
    assert model.evidence["metrics"]["accuracy"]["value"] > 0.9 and "What is refused" in (
        tmp_path / "stripes" / "card.md"
    ).read_text("utf-8")
    folder = tmp_path / "asked"
    for k, (pictures, name) in enumerate(((x[:2], "across"), (x[1:3], "down"), (255 - x[:3], "other"))):
        (folder / name).mkdir(parents=True)
        for i, picture in enumerate(pictures[: 3 - k] if name != "other" else pictures):
            Image.fromarray(picture if name != "across" else x[2 * i]).save(folder / name / f"{i}.png")
    (folder / "down" / "1.png").unlink(missing_ok=True)
    said = judged(tmp_path / "stripes", folder).report
    assert said["metrics"]["rejection"]["value"] > 0.5 and said["n"] == 6 and said["declined"] >= 2


def test_support_vectors_say_nothing_of_none_of_the_classes_and_a_lone_network_and_they_learn_alike(
    tmp_path: Path,
) -> None:
    logits, said = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[0.5, -0.5]])
    assert beside_nets(logits, said, 2).tolist() == [[1.5, 1.5, 3.0]]
    assert beside_nets(logits[:, :2], said, 2).tolist() == [[1.5, 1.5]]
    how = replace(GATE, fitted=(0,), epochs=4, waves=Scattering(kept=20), others=(), strangers=())
    recipes.RECIPES["stripes"] = how
    (tmp_path / "kinds").mkdir()
    x, y = stripes(96, 0)
    np.savez(tmp_path / "kinds" / "s.npz", images=x, labels=y, classes=["across", "down"])
    model = train("stripes", tmp_path / "kinds" / "s.npz", tmp_path / "out")
    assert model.evidence["metrics"]["accuracy"]["value"] > 0.9 and model.evidence["parity"] <= 1e-4
    known = seen(tmp_path / "out", x)
    assert known is not None and known.sum() == 48 == model.evidence["n"], "the half that measures was kept from both"
    assert model.card["shown_on"].endswith("had not seen it; it ships; so the support vectors")


class _Bright(torch.nn.Module):  # type: ignore[misc]
    """How bright the upper half is says the first class, the middle the second; none of them where both are dark."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        upper, middle = x[:, 0, :4].mean((1, 2)), x[:, 0, 3:5, 3:5].mean((1, 2))
        return torch.stack([3 * upper, middle, 0 * upper + 0.5], 1)

    def embedding(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def test_what_looks_more_like_a_class_when_it_is_turned_is_declined(tmp_path: Path) -> None:
    centre = torch.zeros(1, 1)
    plain, upright = (
        Answer([_Bright()], ((),), 1.0, torch.zeros(3), centre, centre, torch.ones(8, 8), upright=u).eval()
        for u in (False, True)
    )
    film = torch.full((1, 1, 8, 8), 0.3)
    film[:, :, :4] = 1.0
    turned = [torch.rot90(film, k, (2, 3)) for k in range(4)]
    assert [int(plain(x)[1].argmax()) for x in turned] == [0] * 4, "each way up it is called the first class"
    assert [int(upright(x)[1].argmax()) for x in turned] == [0, 2, 2, 2]
    askew = torch.tensor(ndimage.rotate(film[0, 0].numpy(), 40, reshape=False, order=1, mode="nearest"))[None, None]
    assert int(plain(askew)[1].argmax()) == 0 and int(upright(askew)[1].argmax()) == 2, "turned by less than a quarter"
    film = torch.zeros(1, 1, 8, 8)
    film[:, :, :1] = 0.7  # what looks like none when it is turned is as certain as before
    assert torch.equal(plain(film)[1], upright(film)[1]) and int(plain(film)[1].argmax()) == 0
    told = ("logits", "certainty", "embedding", "strangeness")
    assert exported(upright, (1, 8, 8), tmp_path / "m.onnx", told)[1] < 1e-5 and COMPARED == 100


def test_an_answer_beside_the_class_of_none_has_a_word(tmp_path: Path) -> None:
    inputs = {"rest": True, "classes": ["a", "b"], "near": 0.2}
    said = {
        "strangeness": np.array([0.5, 0.5, 0.5]),
        "certainty": np.array([[0.9, 0.0, 0.1], [0.0, 0.7, 0.3], [0.2, 0.2, 0.6]]),
    }
    images = [np.zeros((8, 8), np.uint8)] * 3
    _, why, words = why_declined(tmp_path, inputs, said, images)
    assert why == ["", "", "it is none of the kinds that the model knows"]
    assert words[0] == "" and words[1].startswith("it may be none of the kinds") and "at most 0.20" in words[1]
    assert why_declined(tmp_path, {k: v for k, v in inputs.items() if k != "near"}, said, images)[2] == [""] * 3
