"""A shipped classifier of films is read back from its file with the same answers, and learns on from there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.errors import NotFound, Refused  # noqa: E402
from isocenter.learn.examples import Examples  # noqa: E402
from isocenter.learn.export import Whole, export  # noqa: E402
from isocenter.learn.fit import answers, fit  # noqa: E402
from isocenter.learn.kinds import Augmentation, Classifier2D  # noqa: E402
from isocenter.learn.networks import ResidualNet  # noqa: E402
from isocenter.learn.scope import Scope  # noqa: E402
from isocenter.learn.taken_up import digest_of_weights, read_back  # noqa: E402
from isocenter.methods.calibration import Scale  # noqa: E402
from isocenter.methods.roc import auc  # noqa: E402

SMALL = Classifier2D(
    task="spots", negative="no", positive="yes", size=32, widths=(6, 8, 8), epochs=5, batch=8, dropout=0.0,
    precision="float32", threads=1, average=0.9, rate=5e-3,
    augmentation=Augmentation(rotate_deg=5, mirror=0.0, erase=0.0),
)  # fmt: skip


def spots(n: int) -> Examples:
    rng = np.random.default_rng(n)
    pictures, labels = rng.integers(60, 140, (n, 64, 64), dtype=np.uint8), np.arange(n) % 2
    pictures[labels == 1, 24:40, 10:24] = 230
    return Examples(pictures, labels, np.full(n, -1), tuple(map(str, range(n))), np.arange(n), f"spots{n}")


def test_what_was_exported_is_read_back_answers_alike_and_learns_on(tmp_path: Path) -> None:
    examples = spots(64)
    net = fit(SMALL, examples, 0)
    gate = Scope(ResidualNet((4, 4), 3).eval(), torch.zeros(4), torch.eye(4))
    export(Whole([net], [Scale(1.0), Scale(1.0)], gate), SMALL.size, tmp_path / "model.onnx")
    films = torch.rand(40, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    back = read_back(tmp_path, SMALL, films)
    with torch.inference_mode():
        assert torch.allclose(back(films), net(films), atol=1e-4)
        assert torch.allclose(back.train()(films), back.eval()(films), atol=0.5), "its norms know these films"
    back = read_back(tmp_path, SMALL, films)
    before = digest_of_weights(back)
    on = fit(replace(SMALL, epochs=1), examples, 0, start=back)
    assert digest_of_weights(back) == before != digest_of_weights(on), "what it began with stays as it is"
    told = [auc(examples.labels, answers(one, examples.pictures, 32)[:, 0]).value for one in (net, on)]
    assert min(told) > 0.95, "what it knew it still knows"


def test_another_network_or_none_is_refused(tmp_path: Path) -> None:
    films = torch.rand(4, 1, 32, 32)
    with pytest.raises(NotFound, match=r"it is model\.onnx"):
        read_back(tmp_path, SMALL, films)
    gate = Scope(ResidualNet((4, 4), 3).eval(), torch.zeros(4), torch.eye(4))
    whole = Whole([ResidualNet((4, 6, 8), 2).eval()], [Scale(1.0), Scale(1.0)], gate)
    export(whole, SMALL.size, tmp_path / "model.onnx")
    with pytest.raises(Refused, match="not one of the widths"):
        read_back(tmp_path, SMALL, films)
