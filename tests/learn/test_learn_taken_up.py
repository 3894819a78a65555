"""A shipped classifier of films is read back from its file with the same answers, and learns on from there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import models, record_in  # noqa: E402
from isocenter.errors import NotFound, Refused  # noqa: E402
from isocenter.learn.examples import Examples  # noqa: E402
from isocenter.learn.export import Whole, export  # noqa: E402
from isocenter.learn.fit import answers, fit  # noqa: E402
from isocenter.learn.kinds import Augmentation, Classifier2D  # noqa: E402
from isocenter.learn.learnt import keep, seen  # noqa: E402
from isocenter.learn.networks import ResidualNet  # noqa: E402
from isocenter.learn.scope import Scope  # noqa: E402
from isocenter.learn.taken_up import apart_from, digest_of_weights, handed_on, read_back, split_of  # noqa: E402
from isocenter.methods.calibration import Scale  # noqa: E402
from isocenter.methods.roc import auc  # noqa: E402
from isocenter.record import Model, to_plain  # noqa: E402

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


def record(folder: Path, examples: str, **card: Any) -> Model:
    """A model of films in a folder, as far as its record goes."""
    shipped = models()["chest_xray_opacity"][0]
    training = {**shipped.card["training"], "seed": 3}
    held = replace(shipped, version="4", examples=examples, card={**shipped.card, "training": training, **card})
    folder.mkdir(exist_ok=True)
    (folder / "model.json").write_text(json.dumps(to_plain(held)))
    return held


def test_of_other_films_nobody_measures_whom_the_first_learnt_from(tmp_path: Path) -> None:
    films = spots(40)
    record(tmp_path / "same", films.digest)
    assert split_of(tmp_path / "same", films, 9) == 3, "who was held back stays held back"
    inside, aside = np.arange(28), np.arange(28, 40)
    record(tmp_path / "other", "0" * 64)
    with pytest.raises(Refused, match=r"it learnt from 000000000000… and not from .* learnt\.bin beside it"):
        split_of(tmp_path / "other", films, 9)
    keep(tmp_path / "other", films.pictures[[1, 30, 31]])
    assert split_of(tmp_path / "other", films, 9) == 9
    grouped = replace(films, groups=films.groups // 2 * 2)  # people with two films each
    learn, measure = apart_from(tmp_path / "other", grouped, inside, aside)
    assert measure.tolist() == [28, 29, *range(32, 40)] and set(learn) == set(range(40)) - set(measure)
    keep(tmp_path / "same", films.pictures)
    assert apart_from(tmp_path / "same", films, inside, aside)[1] is aside
    keep(tmp_path / "other", films.pictures[29:])
    with pytest.raises(Refused, match="1 pictures to measure by: it learnt from the others"):
        apart_from(tmp_path / "other", films, inside, aside)


def test_the_next_version_tells_what_the_first_had_learnt_from(tmp_path: Path) -> None:
    films = spots(12)
    first = record(tmp_path / "first", "0" * 64, learned_from=["a" * 64])
    made = record(tmp_path / "next", "1" * 64, learned_from=["b" * 64])
    keep(tmp_path / "first", films.pictures[:6])
    keep(tmp_path / "next", films.pictures[6:])
    model = handed_on(tmp_path / "first", tmp_path / "next", replace(made, version="1"))
    assert model.card["learned_from"] == ["a" * 64, "b" * 64] and model.version == "5" and first.version == "4"
    assert seen(tmp_path / "next", films.pictures).all(), "a sealed test with any of them is refused"  # type: ignore[union-attr]
    assert record_in(tmp_path / "next" / "model.json") == model
    marks = hashlib.sha256((tmp_path / "next" / "learnt.bin").read_bytes()).hexdigest()
    assert model.card["training"]["SHA-256 of learnt.bin"] == marks in (tmp_path / "next" / "card.md").read_text()
    again = record(tmp_path / "again", "0" * 64)
    keep(tmp_path / "again", films.pictures[:6])
    assert handed_on(tmp_path / "first", tmp_path / "again", again).version == "4", (
        "the same examples, another training"
    )


def test_another_network_or_none_is_refused(tmp_path: Path) -> None:
    films = torch.rand(4, 1, 32, 32)
    with pytest.raises(NotFound, match=r"it is model\.onnx"):
        read_back(tmp_path, SMALL, films)
    gate = Scope(ResidualNet((4, 4), 3).eval(), torch.zeros(4), torch.eye(4))
    whole = Whole([ResidualNet((4, 6, 8), 2).eval()], [Scale(1.0), Scale(1.0)], gate)
    export(whole, SMALL.size, tmp_path / "model.onnx")
    with pytest.raises(Refused, match="not one of the widths"):
        read_back(tmp_path, SMALL, films)
