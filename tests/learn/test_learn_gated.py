"""A classifier of films is given another gate: what it answers and shows stays, what it declines is the new gate's."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import models, record_in  # noqa: E402
from isocenter.errors import Refused  # noqa: E402
from isocenter.learn import gated  # noqa: E402
from isocenter.learn.card import marks_in  # noqa: E402
from isocenter.learn.export import OUTPUTS, Gate, Whole, exported  # noqa: E402
from isocenter.learn.gated import gate_taught  # noqa: E402
from isocenter.learn.judge import judged  # noqa: E402
from isocenter.learn.learnt import keep  # noqa: E402
from isocenter.learn.networks import ResidualNet  # noqa: E402
from isocenter.learn.scope import SEEN, Scope  # noqa: E402
from isocenter.learn.strangers import taught_to_decline  # noqa: E402
from isocenter.learn.taken_up import gate_of, with_gate  # noqa: E402
from isocenter.methods.calibration import Scale  # noqa: E402
from isocenter.record import to_plain  # noqa: E402


def network(seed: int, widths: tuple[int, ...], answers: int) -> ResidualNet:
    """One of which no two tensors are equal, as of any that learnt: those are written once."""
    torch.manual_seed(seed)
    net = ResidualNet(widths, answers).eval()
    for one in net.parameters():
        one.data.normal_(0, 0.3)
    return net


def gate(seed: int, widths: tuple[int, ...] = (4, 6), directions: int = 5) -> Scope:
    net = network(seed, widths, 3)
    return Scope(net, torch.randn(widths[-1]), torch.randn(widths[-1], directions))


def written(scope: Scope, path: Path) -> bytes:
    exported(Gate(scope), (1, SEEN, SEEN), path, ("scope", "strangeness"), name="small", inputs=[])
    return path.read_bytes()


def test_only_the_gate_of_a_file_is_another(tmp_path: Path) -> None:
    import onnxruntime as ort

    net, scales = network(9, (4, 6), 2), [Scale(1.0), Scale(1.0)]
    for name, own in (("a", gate(0)), ("b", gate(1, directions=3))):
        exported(
            Whole([net], scales, own),
            (1, 80, 80),
            tmp_path / f"{name}.onnx",
            OUTPUTS,
            inputs=[torch.rand(1, 1, 80, 80)],
        )
    made = with_gate((tmp_path / "a.onnx").read_bytes(), written(gate(1, directions=3), tmp_path / "gate.onnx"))
    image = {"image": np.random.default_rng(0).random((3, 1, 80, 80), np.float32)}
    first, second, new = (
        ort.InferenceSession(b, providers=["CPUExecutionProvider"])
        for b in ((tmp_path / "a.onnx").read_bytes(), (tmp_path / "b.onnx").read_bytes(), made)
    )
    for name in ("logits", "certainty", "map", "embedding"):
        assert np.array_equal(new.run([name], image)[0], first.run([name], image)[0]), name
    for name in ("scope", "strangeness"):
        said = new.run([name], image)[0]
        assert said == pytest.approx(second.run([name], image)[0], abs=1e-6)
        assert np.abs(said - first.run([name], image)[0]).max() > 1e-3, name
    with pytest.raises(Refused, match="a gate of other widths"):
        with_gate(made, written(gate(2, (4, 8)), tmp_path / "wide.onnx"))


def test_films_that_it_learnt_from_teach_and_the_others_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gated, "refusals", lambda *asked: {"asked": {"n": len(asked[1]), "declined": 6}})
    held, file = models()["chest_xray_opacity"]
    films = np.random.default_rng(0).integers(0, 255, (8, 60, 60), dtype=np.uint8)
    np.savez(tmp_path / "films.npz", images=films, labels=np.arange(8) % 2)
    place = tmp_path / "before" / "chest_xray_opacity"
    shutil.copytree(file.parent, place)
    with pytest.raises(Refused, match="0 of 8 films that chest_xray_opacity learnt from"):
        taught_to_decline(str(place), tmp_path / "films.npz", tmp_path / "out")
    from isocenter.learn.films import read_films
    from isocenter.learn.recipes import recipe_behind

    keep(place, read_films(tmp_path / "films.npz", recipe_behind(held)).pictures[:5])  # type: ignore[arg-type]
    held = replace(held, card={**held.card, "training": {**held.card["training"], **marks_in(place)}})
    (place / "model.json").write_text(json.dumps(to_plain(held)), "utf-8")
    lines: list[str] = []
    with pytest.raises(Refused, match="no more than that"):
        taught_to_decline(str(place), tmp_path / "films.npz", tmp_path / "out", measured=True)
    out = tmp_path / "after" / "chest_xray_opacity"
    before = gate_of(place)
    # A gate that lets nothing through: of the same widths, with its head turned to what is none of both.
    with torch.no_grad():
        before.net.head.bias.copy_(torch.tensor([9.0, -9.0, -9.0]))
    made = gate_taught(held, place, tmp_path / "films.npz", out, None, 0, taught=before, tell=lines.append)
    assert lines == ["5 films teach, 3 measure"] and made == record_in(out / "model.json")
    assert (made.parent, made.version) == (held.digest, str(int(held.version) + 1)) and made.digest != held.digest
    assert made.evidence["declined"] == 3 and made.evidence["out_of_scope"] == {"asked": {"n": 3, "declined": 6}}
    assert made.evidence["explanation"][0]["digest"] == made.digest, "the map is the same, so its verdict holds"
    assert "taught anew" in (out / "card.md").read_text()
    rows = [judged(one, tmp_path / "films.npz").predictions for one in (place, out)]
    assert [r["certainty"] for r in rows[0]] == [r["certainty"] for r in rows[1]]
    assert all(r["declined"] for r in rows[1])
