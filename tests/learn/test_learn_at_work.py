"""A long judgement tells how far it is, and answers as the session does."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.learn.at_work import AtWork


class _Doubles:
    def run(self, _names: Any, inputs: Any) -> list[Any]:
        return [2 * inputs["image"]]

    def get_outputs(self) -> list[str]:
        return ["logits"]


def test_a_line_comes_after_every_quarter_of_a_minute_and_none_before() -> None:
    seconds, said = iter([0.0, 5.0, 16.0, 20.0, 40.0]), list[str]()
    session = AtWork(_Doubles(), said.append, lambda: next(seconds))
    for _ in range(4):
        assert session.run(["logits"], {"image": np.ones((8, 2))})[0].sum() == 32
    assert session.get_outputs() == ["logits"]
    assert said == [
        "at work: the network has answered 16 times in 16 s", "at work: the network has answered 32 times in 40 s",
    ]  # fmt: skip
