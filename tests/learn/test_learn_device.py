"""Where a network descends: what is asked for and not there is refused, and a step runs with its weights elsewhere.

No accelerator is needed but for the last test: torch's device ``meta`` holds shapes and no numbers, so that a step of
every kind of recipe can run with its weights there and its pictures here, up to the first number that is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.errors import Refused, Unavailable  # noqa: E402
from isocenter.learn import device  # noqa: E402
from isocenter.learn.boxed import Boxed  # noqa: E402
from isocenter.learn.classify import fit_classes_net  # noqa: E402
from isocenter.learn.detect import fit_boxes  # noqa: E402
from isocenter.learn.examples import Examples  # noqa: E402
from isocenter.learn.fit import fit  # noqa: E402
from isocenter.learn.kinds import Boxes, Classes, Classifier2D, Masks, Opacities  # noqa: E402
from isocenter.learn.outlined import Case  # noqa: E402
from isocenter.learn.pretrain import Pretraining, trained_body  # noqa: E402
from isocenter.learn.segment import fit_masks  # noqa: E402

PICTURES = np.random.default_rng(0).integers(0, 255, (8, 32, 32), dtype=np.uint8)
SPOTS = Classes("spots", ("clear", "spot"), (32, 32), widths=(4, 8), epochs=1, batch=4)


class _Stepped(Exception):
    """The first step went through: every weight that is learnt has a gradient where it lies."""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def stepped(self: torch.optim.Optimizer, *_: object) -> None:
        weights = [p for group in self.param_groups for p in group["params"]]
        assert {p.device.type for p in weights} == {"meta"}
        assert sum(p.grad is not None for p in weights) > len(weights) // 2
        raise _Stepped

    monkeypatch.setattr(torch.optim.AdamW, "step", stepped)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: None)  # reads a number
    token = device._CURRENT.set("meta")
    yield
    device._CURRENT.reset(token)


def _examples(pictures: np.ndarray = PICTURES) -> Examples:
    n = len(pictures)
    kinds = np.arange(n) % 3 // 2
    names = tuple(f"a{i}" for i in range(n))
    return Examples(pictures, np.arange(n) % 2, kinds, names, np.arange(n), "d")


def _masks() -> None:
    grid = np.indices((16, 16, 16)).sum(0)
    case = Case("a", grid.astype(np.float32), (grid > 24).astype(np.uint8), (1.0, 1.0, 1.0), np.eye(4))
    fit_masks(
        Masks("m", ("far",), widths=(4, 8), fine=4, window=(16, 16, 16), epochs=1, precision="float32"), [case], 0
    )


def _boxes() -> None:
    one = Boxed("a", np.dstack([PICTURES[0]] * 3), np.array([[4.0, 4.0, 20.0, 20.0]]), np.array([0]), np.array([False]))
    fit_boxes(
        Boxes("b", ("red",), shape=(32, 32), widths=(4, 8, 8, 8), epochs=1, batch=1, precision="float32"), [one], 0
    )


def _films(opacities: Opacities | None) -> None:
    how = Classifier2D("f", "NO", "YES", size=32, widths=(4, 8), epochs=1, batch=8, precision="float32",
                       opacities=opacities)  # fmt: skip
    fit(how, _examples(np.kron(PICTURES, np.ones((1, 7, 7), np.uint8))), 0)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda: fit_classes_net(SPOTS, _examples(), 0), id="classes"),
        pytest.param(lambda: fit_classes_net(replace(SPOTS, ordered=1.0), _examples(), 0), id="grades"),
        pytest.param(_masks, id="masks"),
        pytest.param(_boxes, id="boxes"),
        pytest.param(lambda: _films(None), id="films"),
        pytest.param(lambda: _films(Opacities(clear=1.0)), id="films with opacities"),
        pytest.param(lambda: trained_body(Pretraining("s", steps=1, batch=4), SPOTS, PICTURES, 0), id="contrast"),
        pytest.param(
            lambda: trained_body(Pretraining("s", "masking", steps=1, batch=4), SPOTS, PICTURES, 0), id="drawn"
        ),
    ],
)
def test_a_step_runs_with_its_weights_elsewhere(run: Callable[[], None]) -> None:
    with pytest.raises(_Stepped):
        run()


def test_only_what_meets_is_brought() -> None:
    here, there = torch.ones(2), torch.ones(2, device="meta")
    with device.meeting("meta"):
        assert (here + here).device.type == "cpu"
        assert (here + there).device.type == "meta"
        assert torch.stack([here, there]).device.type == "meta"
        assert torch.where(here > 0, here, 1.0).device.type == "cpu"
        assert there[torch.tensor([True, False])].shape == (1,), "an index is asked for where it is"
    with pytest.raises(RuntimeError, match="device"):
        torch.stack([here, there])


@pytest.mark.parametrize("able", ["AVX512", "AVX512_BF16", "SVE256"])
def test_products_are_halved_where_the_recipe_says_so(able: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: able)
    a = torch.ones(4, 4)
    with device.halved("bfloat16"):
        assert (a @ a).dtype is torch.bfloat16
    with device.halved("float32"):
        assert (a @ a).dtype is torch.float32
    assert device.told("bfloat16") == {}


@pytest.mark.parametrize("unable", ["AVX2", "DEFAULT"])
def test_a_processor_without_bfloat16_takes_float32_and_says_so(unable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: unable)
    a = torch.ones(4, 4)
    with device.halved("bfloat16"):
        assert (a @ a).dtype is torch.float32
    assert device.told("bfloat16") == {"products": "float32, on a processor without bfloat16"}
    assert device.told("float32") == {}
    assert device.products("bfloat16", "cuda") == "bfloat16", "an accelerator has them whatever the processor has"


def test_what_is_not_there_is_refused_and_nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="one of cpu, gpu"), device.chosen("tpu"):
        pass
    monkeypatch.setattr(torch.accelerator, "is_available", lambda *_: False)
    with pytest.raises(Unavailable, match="no GPU"), device.chosen("gpu"):
        pass
    monkeypatch.setattr(torch.accelerator, "is_available", lambda *_: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda *_: torch.device("xpu"))
    with device.chosen("gpu") as where:
        assert (where, device.current()) == ("xpu", "xpu")
    assert device.current() == "cpu"


@pytest.mark.skipif(not torch.accelerator.is_available(), reason="torch finds no accelerator here")
def test_a_network_learns_on_an_accelerator_what_it_learns_here() -> None:
    y = np.arange(64) % 2
    pictures = np.random.default_rng(1).integers(0, 90, (64, 32, 32), dtype=np.uint8)
    pictures[y == 1, 10:20, 10:20] += 150
    shown = Examples(pictures, y, np.full(64, -1), tuple(map(str, range(64))), np.arange(64), "d")
    how = replace(SPOTS, epochs=8, average=0.8)
    with device.chosen("gpu"):
        net = fit_classes_net(how, shown, 0)
    assert next(net.parameters()).device.type == "cpu"
    with torch.inference_mode():
        said = net(torch.from_numpy(pictures)[:, None].float() / 255).argmax(1).numpy()
    assert (said == y).mean() > 0.9
