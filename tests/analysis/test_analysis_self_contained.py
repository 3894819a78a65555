"""A model is one file with operators that everybody has, or it is not opened; no canary of a stranger is touched."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from isocenter.analysis import weights
from isocenter.analysis.self_contained import must_be_self_contained
from isocenter.errors import Refused
from isocenter.record import Model, to_plain
from isocenter.testing.hostile import members
from isocenter.testing.hostile_envelopes import BAIT, CANARY, _onnx


def test_the_models_that_ship_are_self_contained() -> None:
    shipped = weights.models()
    assert shipped
    for name, (_, path) in shipped.items():
        if path.is_file():
            must_be_self_contained(path.read_bytes(), name)


def test_a_plain_model_passes_and_every_way_outside_is_refused_by_its_reason() -> None:
    must_be_self_contained(_onnx(""), "toy")
    for data, word in (
        (_onnx(BAIT), "another file"),
        (_onnx("/etc/passwd", branch=True), "another file"),
        (_onnx("", domain=b"evil.ops"), "evil.ops"),
        (_onnx("")[:-3], "cannot be opened"),
        (b"", "is empty"),
        (b"\x07\x01", "cannot be opened"),
        (b"\x80" * 20, "cannot be opened"),
    ):
        with pytest.raises(Refused, match=word):
            must_be_self_contained(data, "toy")


@pytest.mark.parametrize("member", members("H22"), ids=lambda m: m.name)
def test_no_hostile_model_is_opened_though_its_card_vouches_for_it(
    member: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = member.data  # type: ignore[attr-defined]
    monkeypatch.chdir(tmp_path)
    (tmp_path / BAIT).write_bytes(bytes(16))
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "model.onnx").write_bytes(data)
    card = Model("toy", "1", hashlib.sha256(data).hexdigest())
    (tmp_path / "toy" / "model.json").write_text(json.dumps(to_plain(card)), "utf-8")
    with pytest.raises(Refused):
        weights.open_session("toy", tmp_path)
    assert not (tmp_path / CANARY).exists()
