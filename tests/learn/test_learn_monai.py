"""Networks and losses of MONAI in recipes: each that is offered learns, is exported and answers alike; the rest is
refused.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")
nets = pytest.importorskip("monai.networks.nets", reason="the extra 'ml' is not installed")

from monai import losses  # noqa: E402

from isocenter.errors import MissingPart, Refused  # noqa: E402
from isocenter.learn.classify import Answer, fit_classes_net  # noqa: E402
from isocenter.learn.examples import Examples  # noqa: E402
from isocenter.learn.export import exported  # noqa: E402
from isocenter.learn.federation import Federation, recipe_of  # noqa: E402
from isocenter.learn.judge import judged  # noqa: E402
from isocenter.learn.kinds import Classes, Masks, Named  # noqa: E402
from isocenter.learn.monai_networks import classifier, loss_of_classes, loss_of_masks, outliner, room_for  # noqa: E402
from isocenter.learn.networks import GridNet, MaskNet  # noqa: E402
from isocenter.learn.offered import LOSSES, NETWORKS, options, step_of  # noqa: E402
from isocenter.learn.outlined import Case  # noqa: E402
from isocenter.learn.pretrain import Pretraining, pretrain  # noqa: E402
from isocenter.learn.recipe_files import recipe_in, recipe_text  # noqa: E402
from isocenter.learn.recipes import RECIPES  # noqa: E402
from isocenter.learn.seeds import listed  # noqa: E402
from isocenter.learn.segment import Chances, fit_masks  # noqa: E402
from isocenter.learn.train import train  # noqa: E402

PAGE = (Path(__file__).parents[2] / "docs" / "do" / "choose-a-network-of-monai.md").read_text("utf-8")
SMALL: dict[str, dict[str, Any]] = {
    "DenseNet121": {"init_features": 8, "growth_rate": 4, "block_config": [2, 2], "dropout_prob": 0.1},
    "SEResNet50": {"layers": [1, 1, 1, 1], "input_3x3": True},
    "SEResNext50": {"layers": [1, 1, 1, 1]},
    "EfficientNetBN": {},
    "ResNet": {"layers": [1, 1, 1, 1], "block_inplanes": [4, 8, 8, 16], "conv1_t_size": 3, "no_max_pool": True},
    "UNet": {"channels": [4, 8, 8], "strides": [2, 2], "num_res_units": 1, "dropout": 0.1},
    "BasicUNet": {"features": [4, 4, 8, 8, 8, 4]},
    "AttentionUnet": {"channels": [4, 8], "strides": [2]},
    "SegResNet": {"blocks_down": [1, 1], "blocks_up": [1]},
    "DynUNet": {"filters": [4, 8, 8], "strides": [1, 2, 2], "kernel_size": [3, 3, 3], "res_block": True},
}
WIDE = ("SEResNet50", "SEResNext50", "EfficientNetBN", "BasicUNet")
CARD = """
[card]
title = "Spots"
intended_use = "Show how a network of MONAI is named."
not_for = ["patients"]
limits = ["pictures made by a formula"]
source = "made"
licence = "CC0"
"""
SPOTS = 'kind = "classes"\ntask = "spots"\nclasses = ["clear", "spot"]\nshape = [32, 32]\n'
DISCS = 'kind = "masks"\ntask = "discs"\nclasses = ["disc"]\nspacing_mm = [1, 1]\nwindow = [96, 96]\n'
NAMED = [(kind, name) for kind, offers in NETWORKS.items() for name in offers]


def _step(net: Any, image: Any, target: Any, loss: Any) -> float:
    """How far one step moved the weights."""
    before = [p.detach().clone() for p in net.parameters()]
    down = loss(net.train()(image), target).mean()
    assert bool(torch.isfinite(down))
    down.backward()
    torch.optim.SGD(net.parameters(), 1e-3).step()
    return max(float((a - b.detach()).abs().max()) for a, b in zip(before, net.parameters(), strict=True))


def _cases(kind: type) -> list[Any]:
    """Every network in two axes and three; those whose channels cannot be made few wait for the night."""
    return [pytest.param(name, axes, marks=[pytest.mark.nightly] if name in WIDE else [])
            for name in NETWORKS[kind] for axes in (2, 3)]  # fmt: skip


@pytest.mark.parametrize(("name", "axes"), _cases(Classes))
def test_a_classifier_of_monai_learns_a_step_and_its_file_answers_alike(name: str, axes: int, tmp_path: Path) -> None:
    colours, images = (3, 6) if axes == 2 else (1, 4)
    how = Classes("spots", ("a", "b", "c"), (32,) * axes, channels=colours, network=Named(name, SMALL[name]))
    torch.manual_seed(0)
    net, coarse = (
        classifier(how, 3),
        torch.rand(images, colours, *(5,) * axes),
    )  # noise alone is alike to a deep network
    image = torch.nn.functional.interpolate(coarse, how.shape, mode="bilinear" if axes == 2 else "trilinear")
    cross = torch.nn.functional.cross_entropy
    assert _step(net, image, torch.arange(images) % 3, lambda logits, target: cross(logits, target)) > 0
    width = net.eval().embedding(image).shape[1]
    assert torch.allclose(net(image), net.embedding(image) @ net.head.weight.T + net.head.bias, atol=1e-5)
    whole = Answer([net], ((), (1,)), 1.0, torch.zeros(3), torch.zeros(1, width), torch.eye(width)[:, :4],
                   torch.ones(how.shape))  # fmt: skip
    outputs, some = ("logits", "certainty", "embedding", "strangeness"), [image[:1], image[1:]]
    exported(whole, (colours, *how.shape), tmp_path / "m.onnx", outputs, inputs=some, limit_bytes=10**8)


@pytest.mark.parametrize(("name", "axes"), _cases(Masks))
def test_a_network_of_monai_that_outlines_learns_a_step_and_its_file_answers_on_any_grid(
    name: str, axes: int, tmp_path: Path
) -> None:
    how = Masks("discs", ("disc",), (1.0,) * axes, (96,) * axes, network=Named(name, SMALL[name]))
    torch.manual_seed(0)
    net, step = outliner(how, 2), step_of(how)
    loss = loss_of_masks(replace(how, loss=Named("DiceCELoss")))
    assert loss is not None
    image, share = torch.rand(1, 1, *(step,) * axes), torch.rand(1, 1, *(step,) * axes)
    assert _step(net, image, torch.cat([share, 1 - share], 1), loss) > 0
    grids = [torch.rand(1, 1, *(step,) * (axes - 1), 2 * step), image]
    exported(Chances([net], ((), (1,))), (1, *(step,) * axes), tmp_path / "m.onnx", ("chances",), free=True,
             inputs=grids, limit_bytes=10**8)  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), NAMED)
def test_arguments_and_defaults_are_those_of_monai(kind: type, name: str) -> None:
    made = getattr(nets, name)
    theirs = {p.name: p.default for one in (made.__mro__[1], made) for p in
              inspect.signature(one.__init__).parameters.values()}  # fmt: skip
    own = {"UNet", "AttentionUnet", "DynUNet", "ResNet", "EfficientNetBN"}  # MONAI has no default for some of theirs
    for field in fields(NETWORKS[kind][name]):
        assert field.name in theirs, f"{name} has no {field.name}"
        default = theirs[field.name]
        if name not in own or default not in (inspect.Parameter.empty, None):
            assert field.default == default, field.name


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, offers in LOSSES.items() for name in offers])
def test_losses_have_monais_defaults_and_fall_towards_the_truth(kind: type, name: str) -> None:
    theirs = {p.name: p.default for p in inspect.signature(getattr(losses, name).__init__).parameters.values()}
    for field in fields(LOSSES[kind][name]):
        assert field.default == getattr(theirs[field.name], "value", theirs[field.name]), field.name
    truth = torch.nn.functional.one_hot(torch.tensor([0, 1, 1, 0]), 2).float()
    right, wrong = truth * 8 - 4, 4 - truth * 8
    if kind is Classes:
        for several in (False, True):
            score = loss_of_classes(Classes("a", ("x", "y"), (8, 8), several=several, loss=Named(name)))
            assert score is not None and score(right, truth).shape == (4,)
            assert bool((score(right, truth) < score(wrong, truth)).all())
    else:
        score = loss_of_masks(Masks("a", ("x",), loss=Named(name)))
        grid = [one.T.reshape(1, 2, 2, 2) for one in (right, wrong, truth)]
        assert score is not None and float(score(grid[0], grid[2])) < float(score(grid[1], grid[2]))


def test_the_page_lists_all_that_is_offered() -> None:
    rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", PAGE.partition("## Outlines")[0], re.MULTILINE))
    outlines = dict(re.findall(r"^\| (\w+) \| (.*) \|$", PAGE.partition("## Outlines")[2], re.MULTILINE))
    dice = outlines["DiceLoss"]
    for kind, listed_there in ((Classes, rows), (Masks, outlines)):
        offers = {**NETWORKS[kind], **LOSSES[kind]}
        assert set(listed_there) == set(offers)
        for name, told in listed_there.items():
            whole = re.sub("the same as DiceLoss, and|the same, and", dice + ",", told)
            assert set(whole.split(", ")) == {f.name for f in fields(offers[name])}, name


def test_focal_loss_without_focus_is_the_cross_entropy_of_our_own() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    target = torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 2, 1]), 3).float() * 0.9 + 0.1 / 3
    score = loss_of_classes(Classes("a", ("x", "y", "z"), (8, 8), loss=Named("FocalLoss", {"gamma": 0.0})))
    assert score is not None
    assert torch.allclose(score(logits, target), -(target * torch.log_softmax(logits, 1)).sum(1), atol=1e-6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SPOTS + '[network]\nmonai = "DenseNet120"\n', "did you mean DenseNet121?"),
        (SPOTS + '[network]\nmonai = "UNet"\n', "DenseNet121, SEResNet50, SEResNext50, EfficientNetBN, ResNet"),
        (SPOTS + '[network]\nname = "ResNet"\n', "there are monai, arguments"),
        (SPOTS + '[network]\nmonai = "ResNet"\n[network.arguments]\npretrained = true\n', "never fetched"),
        (SPOTS + '[network]\nmonai = "ResNet"\n[network.arguments]\nstages = 3\n', "there are block, layers"),
        (SPOTS + '[network]\nmonai = "ResNet"\n[network.arguments]\nlayers = [1, 1]\n', "layers of ResNet in own.toml"),
        (SPOTS + '[network]\nmonai = "ResNet"\n[network.arguments]\nblock = "os.system"\n', "'basic' or 'bottleneck'"),
        (SPOTS + '[loss]\nmonai = "DiceLoss"\n', "loss 'DiceLoss' in own.toml: of MONAI there are FocalLoss"),
        (SPOTS + '[loss]\nmonai = "FocalLoss"\n[loss.arguments]\ngamma = -1\n', "gamma of FocalLoss"),
        (SPOTS + 'measured = [1.0]\n[loss]\nmonai = "FocalLoss"\n', "no network is trained"),
        (DISCS + '[network]\nmonai = "BasicUNet"\n[loss]\nmonai = "CrossEntropy"\n', "DiceCELoss"),
        (DISCS.replace("96", "48") + '[network]\nmonai = "BasicUNet"\n', "BasicUNet each side is a multiple of 32"),
        (DISCS + '[network]\nmonai = "UNet"\n[network.arguments]\nchannels = [4, 8, 8]\n', "3 channels have 2 strides"),
        (DISCS + '[network]\nmonai = "SegResNet"\n[network.arguments]\nblocks_up = [1]\n', "4 blocks_down have 3"),
        (DISCS + '[network]\nmonai = "DynUNet"\n[network.arguments]\nfilters = [4, 8, 8]\n', "as many strides"),
        (DISCS + '[network]\nmonai = "DynUNet"\n[network.arguments]\nstrides = [2, 2, 2, 2]\n', "the first of"),
        (DISCS + '[loss]\nmonai = "FocalLoss"\n[loss.arguments]\nalpha = 0.2\ninclude_background = false\n', "leaves"),
    ],
)  # fmt: skip
def test_what_is_not_offered_is_refused_with_what_there_is(text: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        recipe_in(text + CARD, "own.toml")
    assert says.lower() in str(refused.value).lower()


def test_a_recipe_with_a_network_and_a_loss_is_the_same_when_written_and_read_back() -> None:
    text = (
        SPOTS + '[network]\nmonai = "ResNet"\n[network.arguments]\nlayers = [1, 1, 1, 1]\n[loss]\nmonai = "FocalLoss"\n'
    )
    how = recipe_in(text + CARD, "own.toml")
    assert isinstance(how, Classes) and how.network == Named("ResNet", {"layers": [1, 1, 1, 1]})
    assert recipe_in(recipe_text(how), "again") == how
    assert options(Named("ResNet"), NETWORKS[Classes], "network", "x").layers == (2, 2, 2, 2)


def test_recipes_that_name_nothing_are_written_as_ever_and_have_our_own_networks() -> None:
    for how in RECIPES.values():
        assert getattr(how, "network", None) is None and getattr(how, "loss", None) is None
    text = recipe_text(RECIPES["breastmnist"])
    assert "network" not in text and "loss" not in text
    own = classifier(Classes("a", ("x", "y"), (8, 8)), 2)
    assert type(own) is GridNet and type(outliner(Masks("a", ("x",)), 2)) is MaskNet
    assert room_for(Classes("a", ("x", "y"), (8, 8)), 5) == 10_000_000


def test_a_grid_that_is_too_small_and_a_file_that_is_too_large_are_refused_before_anything_is_read() -> None:
    dense = Classes("a", ("x", "y"), (16, 16), network=Named("DenseNet121"))
    with pytest.raises(Refused, match="DenseNet121 on 16 × 16"):
        room_for(dense, 1)
    with pytest.raises(Refused, match="Set fitted to fewer"):
        room_for(replace(dense, shape=(64, 64)), 20)
    before = torch.random.get_rng_state()
    assert room_for(replace(dense, shape=(64, 64)), 5) == 500_000_000
    assert torch.equal(before, torch.random.get_rng_state())


def test_bodies_and_federations_are_of_our_own_network(tmp_path: Path) -> None:
    text = SPOTS + '[network]\nmonai = "ResNet"\n' + CARD
    (tmp_path / "own.toml").write_text(text)
    (tmp_path / "data").mkdir()
    with pytest.raises(Refused, match="only our own network of classes begins with a body"):
        pretrain(Pretraining(task=str(tmp_path / "own.toml")), tmp_path, tmp_path / "body")
    with pytest.raises(Refused, match="only classes by our own network"):
        train(str(tmp_path / "own.toml"), tmp_path / "data", tmp_path / "out", begin=tmp_path)
    for what in ('[network]\nmonai = "ResNet"\n', '[loss]\nmonai = "FocalLoss"\n'):
        with pytest.raises(Refused, match="by its own loss"):
            recipe_of(Federation(task="spots", own=SPOTS + what + CARD))


def test_without_monai_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    with pytest.raises(MissingPart, match=r"isocenter\[ml\]"):
        classifier(Classes("a", ("x", "y"), (32, 32), network=Named("ResNet")), 2)


def test_monai_is_loaded_only_where_a_recipe_names_it(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(SPOTS + '[network]\nmonai = "ResNet"\n' + CARD)
    code = (
        "import sys; from isocenter.learn.recipes import recipe\n"
        "how = recipe(sys.argv[1]); first = 'torch' in sys.modules\n"
        "import isocenter.learn.several, isocenter.learn.segment, isocenter.learn.monai_networks\n"
        "print(first, 'torch' in sys.modules, 'monai' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "own.toml")], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True", "False"], done.stderr


def _spots(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 90, (n, 32, 32)).astype(np.uint8), np.arange(n) % 2
    for picture, spot in zip(x, y, strict=True):
        row, column = rng.integers(8, 22, 2)
        if spot:
            picture[row : row + 6, column : column + 6] += 140
    return x, y


def test_classes_the_whole_way_bit_for_bit(tmp_path: Path) -> None:
    x, y = _spots(60, 0)
    np.savez(tmp_path / "spots.npz", images=x, labels=y)
    x, y = _spots(40, 1)
    np.savez(tmp_path / "held.npz", images=x, labels=y)
    text, _ = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "own.toml").write_text(text)
    model = train(str(tmp_path / "own.toml"), tmp_path / "spots.npz", tmp_path / "one", seed=3)
    again = train(str(tmp_path / "one" / "recipe.toml"), tmp_path / "spots.npz", tmp_path / "two", seed=3)
    assert again.digest == model.digest
    told = model.card["training"]
    assert told["network"].startswith("DenseNet121 of MONAI 1.") and told["loss"].startswith("FocalLoss of MONAI 1.")
    assert model.evidence["parity"] <= 1e-4
    assert judged(tmp_path / "one", tmp_path / "held.npz").report["metrics"]["auc"]["value"] > 0.9
    plain = re.sub(r"\[network\].*?(?=\[loss\])", "", text, flags=re.DOTALL).replace("epochs = 8", "epochs = 1")
    (tmp_path / "plain.toml").write_text(plain)
    train(str(tmp_path / "plain.toml"), tmp_path / "spots.npz", tmp_path / "plain", seed=4)
    with pytest.raises(Refused, match="network in its recipe"):
        listed(tmp_path / "plain", [tmp_path / "one"])


def test_volumes_repeat_bit_for_bit_with_networks_of_monai() -> None:
    x, y = _spots(12, 0)
    cubes = np.ascontiguousarray(np.repeat(x[:, None, ::2, ::2], 16, 1))
    examples = Examples(cubes, y, np.full(12, -1), [str(k) for k in range(12)], np.arange(12), "0")
    how = Classes("s", ("a", "b"), (16, 16, 16), epochs=1, batch=4, network=Named("ResNet", SMALL["ResNet"]))
    cases = [Case("c", cube.astype(np.float32), (cube > 120).astype(np.uint8), (1.0,) * 3, np.eye(4)) for cube in cubes]
    masks = Masks("m", ("a",), epochs=1, network=Named("DynUNet", SMALL["DynUNet"]), loss=Named("TverskyLoss"))
    for fitted in (lambda: fit_classes_net(how, examples, 1), lambda: fit_masks(masks, cases[:3], 1)):
        one, other = (fitted().state_dict().values() for _ in "ab")
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_outlines_the_whole_way_bit_for_bit(tmp_path: Path) -> None:
    rng, (row, column) = np.random.default_rng(0), np.indices((48, 40))
    for folder, people in (("discs", 6), ("held", 2)):
        for person in range(people):
            at, beside = rng.uniform(14, 30, 2)
            inside = (row - at) ** 2 + (column - beside) ** 2 < 60
            grey = rng.normal(80, 12, inside.shape) + 90 * inside
            for where, array in (("images", grey.clip(0, 255)), ("masks", inside)):
                (tmp_path / folder / where).mkdir(parents=True, exist_ok=True)
                Image.fromarray(array.astype(np.uint8)).save(tmp_path / folder / where / f"{folder}{person}.png")
    _, text = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "own.toml").write_text(text)
    model = train(str(tmp_path / "own.toml"), tmp_path / "discs", tmp_path / "one", seed=2)
    again = train(str(tmp_path / "own.toml"), tmp_path / "discs", tmp_path / "two", seed=2)
    assert again.digest == model.digest and model.inputs["step"] == 8
    assert model.evidence["parity"] <= 1e-4 and model.evidence["metrics"]["dice_disc"]["value"] > 0.8
    assert json.loads(model.card["training"]["recipe"])["network"]["monai"] == "UNet"
    assert judged(tmp_path / "one", tmp_path / "held").report["metrics"]["dice"]["disc"]["value"] > 0.8
