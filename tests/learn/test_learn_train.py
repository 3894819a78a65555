"""From labelled pictures to a model that can be judged: the whole way, on pictures of spots."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import onnxruntime  # noqa: E402

from isocenter.errors import IsocenterError, NotFound, Refused, Unavailable  # noqa: E402
from isocenter.learn import recipes  # noqa: E402
from isocenter.learn.card import must_beat_a_coin  # noqa: E402
from isocenter.learn.export import OUTPUTS, Whole, export, exported  # noqa: E402
from isocenter.learn.judge import judge, must_be_new  # noqa: E402
from isocenter.learn.kinds import Augmentation, Classifier2D  # noqa: E402
from isocenter.learn.networks import ResidualNet  # noqa: E402
from isocenter.learn.scope import ADULT, CHILD, Others, Scope, fit_scope, read_others, wrong_pictures  # noqa: E402
from isocenter.learn.seeds import listed  # noqa: E402
from isocenter.learn.train import train  # noqa: E402
from isocenter.methods.calibration import Scale  # noqa: E402
from isocenter.record import Model, from_plain  # noqa: E402

TASK = "spots"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films of 24 people: a frame that is always there, and a spot in the positives."""
    folder = tmp_path_factory.mktemp("films")
    rng = np.random.default_rng(0)
    for i in range(72):
        film = np.kron(rng.integers(10, 90, (16, 16)), np.ones((4, 4))).astype(np.uint8)  # no two people are alike
        film[4:8, 8:56] = 200
        positive = i % 2
        kind = ("bacteria", "virus")[i % 4 // 2]
        if positive:
            film[28:44, 10 if kind == "bacteria" else 40 :][:, :14] = 240
        name = f"person{i // 3}_{kind}_{i}.png" if positive else f"IM-{i // 3:04d}-{i:04d}.png"
        path = folder / ("YES" if positive else "NO") / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(film).save(path)
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path, list[str]]:
    small = Classifier2D(
        task=TASK, negative="NO", positive="YES", subtypes=("bacteria", "virus"), widths=(8, 12, 16), epochs=4,
        batch=12, precision="float32", validation=0.3, gate_steps=12, average=0.8, rate=5e-3,
        augmentation=Augmentation(rotate_deg=3, mirror=0.0, erase=0.0), card=recipes.recipe("chest_xray_opacity").card,
    )  # fmt: skip
    recipes.RECIPES[TASK] = small
    out, told = tmp_path_factory.mktemp("models") / TASK, []
    return train(TASK, data, out, seed=3, progress=told.append), out, told


@pytest.fixture(autouse=True, scope="module")
def _tidy() -> object:
    yield
    recipes.RECIPES.pop(TASK, None)


def test_a_model_comes_out_with_card_and_evidence(trained: tuple[Model, Path, list[str]]) -> None:
    model, out, told = trained
    assert sorted(p.name for p in out.iterdir()) == [
        "card.md",
        "cases.json",
        "learnt.bin",
        "model.json",
        "model.onnx",
    ], "no checkpoint is left"
    assert from_plain(Model, json.loads((out / "model.json").read_text())) == model
    assert model.state == "candidate" and len(model.digest) == 64 and len(model.examples) == 64
    assert model.evidence["parity"] <= 1e-4
    assert model.evidence["out_of_scope"]["inverted"]["n"] > 0
    page = (out / "card.md").read_text()
    assert model.digest in page and "## Not for" in page and "adults" in page
    assert any("epoch 4/4" in line for line in told)


def test_judging_gives_figures_with_intervals(trained: tuple[Model, Path, list[str]], data: Path) -> None:
    model, out, _ = trained
    said = judge(out, data)
    assert said["learnt_from"] == model.card["pictures"]["training"]
    with pytest.raises(Refused, match=f"{said['learnt_from']} of 72 cases of the sealed test"):
        must_be_new(out, data)
    assert json.loads(json.dumps(said)) == said, "plain JSON"
    assert (said["model"], said["task"], said["n"]) == (TASK, TASK, 72)
    auc = said["metrics"]["auc"]
    assert auc["low"] <= auc["value"] <= auc["high"] and auc["value"] > 0.9
    assert {g["name"] for g in said["subgroups"]} == {"bacteria", "virus"}
    assert all(bool(g["metrics"]) == ("insufficient" not in g) for g in said["subgroups"])
    assert 0 <= said["declined"] <= 72
    assert said["calibration"]["ece"] >= 0


def test_judging_an_npz(trained: tuple[Model, Path, list[str]], tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    films = rng.integers(20, 60, (20, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "some.npz", test_images=films, test_labels=np.arange(20)[:, None] % 2)
    said = judge(trained[1], tmp_path / "some.npz")
    assert said["n"] == 20 and said["subgroups"] == []


@pytest.mark.nightly
def test_the_same_seed_gives_the_same_file(trained: tuple[Model, Path, list[str]], data: Path, tmp_path: Path) -> None:
    assert train(TASK, data, tmp_path / "again", seed=3).digest == trained[0].digest


@pytest.mark.nightly
def test_films_go_on_from_a_model_that_is_there(
    trained: tuple[Model, Path, list[str]], data: Path, tmp_path: Path
) -> None:
    first, folder, _ = trained
    how = recipes.RECIPES[TASK]
    assert isinstance(how, Classifier2D)
    with pytest.raises(Refused, match="a beginning for 'spots'"):
        train(TASK, data, tmp_path / "none", begin=folder)
    recipes.RECIPES["further"] = replace(how, task="further", epochs=1, rate=1e-4, gate_steps=2, begins=how)
    try:
        model = train("further", data, tmp_path / "further", seed=4, begin=folder)
        (tmp_path / "bare").mkdir()
        (tmp_path / "bare/model.onnx").write_bytes((folder / "model.onnx").read_bytes())
        with pytest.raises(Refused, match="a beginning without record"):
            train("further", data, tmp_path / "none", begin=tmp_path / "bare")
        (tmp_path / "bare/model.json").write_text((folder / "model.json").read_text().replace(first.examples, "0" * 64))
        with pytest.raises(Refused, match="it learnt from 000000000000… and not from"):
            train("further", data, tmp_path / "none", begin=tmp_path / "bare")
    finally:
        recipes.RECIPES.pop("further")
    assert model.card["training"]["seed"] == 4 and model.card["training"]["seed of the split"] == 3
    assert model.card["people"] == first.card["people"] and model.evidence["n"] == first.evidence["n"]
    again, record = tmp_path / "again", (tmp_path / "further/model.json").read_text()
    again.mkdir()
    (again / "model.json").write_text(record.replace('"seed": 4', '"seed": 5'))
    shown = listed(tmp_path / "further", [again]).evidence["seeds"]
    assert [(one["seed"], one["began_with"]) for one in shown] == [(5, first.digest)]
    page = (tmp_path / "further/card.md").read_text()
    assert "| auc, trained again with --seed 5 from the same first network | " in page
    (again / "model.json").write_text(record.replace('"seed": 4', '"seed": 6').replace(first.digest, "1" * 64))
    assert "began_with" not in listed(tmp_path / "further", [again]).evidence["seeds"][1]
    said = model.card["training"]["begins with"]
    assert said == f"spots, read back with its gate from the file with SHA-256 {first.digest}"
    assert model.parent == first.digest and not first.parent
    image = np.random.default_rng(0).random((4, 1, how.size, how.size), np.float32)
    files = [onnxruntime.InferenceSession(place / "model.onnx") for place in (folder, tmp_path / "further")]
    for output in ("scope", "strangeness"):
        assert np.allclose(*(file.run([output], {"image": image})[0] for file in files), atol=1e-4), "the gate is kept"
    one, other = (m.evidence["metrics"]["auc"]["value"] for m in (first, model))
    assert other > one - 0.05, "four epochs had taught it, one more does not unteach"


def test_the_gate_sees_the_same_picture_whatever_the_size_of_the_classifiers() -> None:
    gate = Scope(ResidualNet((4, 6), 3).eval(), torch.zeros(6), torch.eye(6))
    whole = Whole([ResidualNet((4, 6, 8), 2).eval()], [Scale(1.0), Scale(1.0)], gate).eval()
    coarse = torch.rand(3, 1, 10, 10, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        told = [whole(torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")) for side in (160, 128)]
    assert torch.allclose(told[0][5], told[1][5], atol=2e-3) and torch.allclose(told[0][6], told[1][6], rtol=2e-2)


def test_bad_data_and_places_are_refused(trained: tuple[Model, Path, list[str]], data: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no recipe"):
        train("fortune", data, tmp_path)
    with pytest.raises(NotFound, match="no data"):
        judge(trained[1], tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(IsocenterError):
        train(TASK, tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists(), "what was refused leaves no folder"
    (tmp_path / "data.csv").write_text("a")
    with pytest.raises(Refused, match=r"the columns a: one for the file"):
        judge(trained[1], tmp_path / "data.csv")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot make"):
        train(TASK, data, tmp_path / "file" / "model")


def test_a_model_that_does_not_fit_its_card_is_not_opened(
    trained: tuple[Model, Path, list[str]], data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / TASK
    folder.mkdir()
    for path in trained[1].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    changed = bytearray((folder / "model.onnx").read_bytes())
    changed[-200] ^= 1
    (folder / "model.onnx").write_bytes(changed)
    with pytest.raises(Refused, match="digest"):
        judge(folder, data)


# ---- the gate and the export by themselves


def _scope() -> Scope:
    torch.manual_seed(0)
    return Scope(ResidualNet((8, 8, 8), 3).eval(), torch.zeros(8), torch.eye(8))


def test_wrong_pictures_are_many_kinds_and_repeat() -> None:
    random = torch.Generator().manual_seed(0)
    chests, others = torch.rand(10, 1, 56, 56, generator=random), torch.rand(10, 1, 56, 56, generator=random)
    one = wrong_pictures(chests, others, 44, torch.Generator().manual_seed(1))
    assert one.shape == (44, 1, 40, 40) and float(one.min()) >= 0 and float(one.max()) <= 1
    assert torch.equal(one, wrong_pictures(chests, others, 44, torch.Generator().manual_seed(1)))
    assert len(wrong_pictures(chests, None, 16, torch.Generator().manual_seed(1))) == 16
    slope = torch.linspace(0, 1, 112).expand(1, 1, 112, 112)  # a film that grows brighter from side to side
    with_crops = wrong_pictures(chests, None, 32, torch.Generator().manual_seed(1), slope)
    steps = [one[0].mean(0).diff() for one in with_crops[-8:]]  # a crop of it does, too, whatever its exposure
    assert len(with_crops) == 32 and all((step > -0.03).all() for step in steps)


@pytest.mark.nightly  # a training of half a minute
def test_the_gate_learns_to_tell_kinds_apart(tmp_path: Path) -> None:
    from isocenter.learn.examples import Examples

    rng = np.random.default_rng(0)
    rows = np.linspace(0, 200, 64)[:, None] * np.ones(64)
    right = np.clip(rows + rng.normal(0, 8, (40, 64, 64)), 0, 255).astype(np.uint8)  # bright below
    adult = np.clip(rows + rng.normal(0, 8, (20, 64, 64)), 0, 255).astype(np.uint8)
    adult[:, 24:40, 24:40] = 255
    other = rng.integers(0, 255, (20, 64, 64), dtype=np.uint8)
    np.savez(
        tmp_path / "o.npz", images=np.r_[adult, other], labels=np.repeat([0, 1], 20), classes=np.array(["CXR", "Hand"])
    )
    others: Others = read_others(tmp_path / "o.npz")
    assert others.adult.sum() == 20
    examples = Examples(right, np.arange(40) % 2, np.full(40, -1), tuple(map(str, range(40))), np.arange(40), "d")
    gate = fit_scope(examples, others, 0, steps=120)
    small = torch.nn.functional.interpolate(
        torch.from_numpy(np.stack([right[0], adult[0], 255 - right[0]]))[:, None].float() / 255,
        (40, 40),
        mode="bilinear",
        antialias=True,
    )
    with torch.inference_mode():
        said = gate.net(small).argmax(1).tolist()
        far = ((gate.net.features(small).mean((2, 3)) - gate.centre) @ gate.whiten).norm(dim=1)
    assert said[0] == CHILD and said[1] == ADULT and said[2] != CHILD
    assert float(far[0]) < float(far[2])


def test_the_map_of_the_export_averages_to_its_logit_and_mirrors_agree(tmp_path: Path) -> None:
    import onnxruntime as ort

    torch.manual_seed(1)
    whole = Whole(
        [ResidualNet((8, 8, 16), 2).eval(), ResidualNet((8, 8, 16), 2).eval()], [Scale(2.0, 1.0), Scale(1.0)], _scope()
    )
    digest, worst = export(whole, 64, tmp_path / "m.onnx")
    assert len(digest) == 64 and worst <= 1e-4
    session = ort.InferenceSession((tmp_path / "m.onnx").read_bytes(), providers=["CPUExecutionProvider"])
    assert [o.name for o in session.get_outputs()] == list(OUTPUTS)
    x = np.random.default_rng(0).random((3, 1, 64, 64), dtype=np.float32)
    said = dict(zip(OUTPUTS, session.run(None, {"image": x}), strict=True))
    assert np.allclose(said["map"].mean((1, 2, 3)), said["logits"][:, 0], atol=1e-4)
    assert np.allclose(said["certainty"][:, 0], 1 / (1 + np.exp(-2 * said["logits"][:, 0] - 1)), atol=1e-5)
    mirrored = session.run(["logits"], {"image": np.ascontiguousarray(x[..., ::-1])})[0]
    assert np.allclose(mirrored, said["logits"], atol=1e-4)


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    whole = Whole([ResidualNet((8, 8), 2).eval()], [Scale(1.0), Scale(1.0)], _scope())
    with pytest.raises(Refused, match="at most 1000"):
        export(whole, 32, tmp_path / "m.onnx", limit_bytes=1000)


def test_an_export_names_its_input_and_is_compared_by_what_is_made_of_its_answers(tmp_path: Path) -> None:
    import onnxruntime as ort

    class Large(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 20 + x.sum((1, 2, 3))

    seen: list[np.ndarray] = []

    def measure(said: np.ndarray) -> np.ndarray:
        seen.append(said)
        return np.round(said / 1e3)

    path, given = tmp_path / "m.onnx", [torch.ones(k, 3, 8, 6 + k) for k in (1, 2)]
    _, worst = exported(Large(), (3, 8, 8), path, ("said",), free=True, inputs=given, name="slices", measure=measure)
    session = ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["slices"] and worst == 0
    assert [s.tolist() for s in seen[::2]] == [[188.0], [212.0, 212.0]] and len(seen) == 4
    with pytest.raises(Refused, match="differs from torch by 4"):
        both = iter((1.0, 5.0))
        exported(Large(), (3, 8, 8), path, ("said",), inputs=given[:1], free=True, measure=lambda s: s * 0 + next(both))


def test_an_export_that_answers_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime as ort

    real = ort.InferenceSession

    class Off:
        def __init__(self, *a: object, **k: object) -> None:
            self.held = real(*a, **k)

        def run(self, *a: object) -> list[np.ndarray]:
            return [v + 0.01 for v in self.held.run(*a)]

    monkeypatch.setattr(ort, "InferenceSession", Off)
    whole = Whole([ResidualNet((8, 8), 2).eval()], [Scale(1.0), Scale(1.0)], _scope())
    with pytest.raises(Refused, match="differs from torch"):
        export(whole, 32, tmp_path / "m.onnx")


def test_an_area_below_one_half_of_a_few_cases_is_not_called_exchanged_labels() -> None:
    must_beat_a_coin({"value": 0.5, "low": 0.2, "high": 0.8})
    with pytest.raises(Refused, match=r"AUC 0\.333 \(0\.010 to 0\.700\).*no better than a coin on so few.*for longer"):
        must_beat_a_coin({"value": 1 / 3, "low": 0.01, "high": 0.7})
    for sure in ({"value": 0.2, "low": 0.1, "high": 0.3}, {"value": 0.2}):
        with pytest.raises(Refused, match=r"worse than a coin.*labels"):
            must_beat_a_coin(sure)
