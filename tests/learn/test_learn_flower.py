"""A site of ours answers Flower's server: asked where Flower is installed, which is in an environment of its own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")
pytest.importorskip("flwr", reason="Flower lives in an environment of its own")

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from isocenter.errors import Refused
from isocenter.learn.federation import flat, network, recipe_of, shared_names

FILE = Path(__file__).parents[2] / "bridges/flower/isocenter_flower.py"
RUN = {"task": "pneumoniamnist", "method": "fedavg", "num-server-rounds": 2, "sites": 2, "epochs": 1, "rate": 0.05,
       "seed": 0, "out": ""}  # fmt: skip


@pytest.fixture(scope="module")
def bridge() -> Any:
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 7  # as Flower's own processes are told
    spec = importlib.util.spec_from_file_location("isocenter_flower", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def at(site: int, run: dict[str, Any] = RUN, **node: str) -> Context:
    return Context(run_id=1, node_id=site, node_config=dict(node), state=RecordDict(), run_config=run)


def pictures(folder: Path, n: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    grey = rng.integers(40, 120, (n, 28, 28)) + 90 * labels[:, None, None] * (np.arange(28) > 14)
    np.savez(folder / f"{seed}.npz", images=grey.astype(np.uint8), labels=labels)
    return str(folder / f"{seed}.npz")


def test_a_round_moves_the_shared_weights_and_the_kept_back_measure_them(bridge: Any, tmp_path: Path) -> None:
    here = at(7, data=pictures(tmp_path, 80, 0), ground="a test")
    how = bridge.agreed(here)
    net = network(how, recipe_of(how))
    shared = flat(net, shared_names(net, how))
    asked = RecordDict({"arrays": ArrayRecord([shared]), "config": ConfigRecord({"server-round": 1})})
    answer = bridge.client(Message(asked, dst_node_id=7, message_type="train"), here)
    told, (moved,) = answer.content["metrics"], answer.content["arrays"].to_numpy_ndarrays()
    assert told["num-examples"] == 68 and told["set-aside"] == 0 and moved.shape == shared.shape
    assert np.isfinite(moved).all() and np.abs(moved - shared).max() > 1e-3
    again = bridge.client(Message(asked, dst_node_id=7, message_type="train"), here)
    assert np.array_equal(again.content["arrays"].to_numpy_ndarrays()[0], moved), "the same round again is the same"
    told = bridge.client(Message(asked, dst_node_id=7, message_type="evaluate"), here).content["metrics"]
    assert told["num-examples"] == 12 and 0 <= told["auc"] <= 1


def test_a_site_without_ground_and_signed_examples_are_refused(bridge: Any, tmp_path: Path) -> None:
    how = bridge.agreed(at(1))
    with pytest.raises(Refused, match="nobody was asked"):
        bridge.own_pictures(at(1, data=pictures(tmp_path, 8, 1)), how)
    (tmp_path / "examples.json").write_text("{}")
    with pytest.raises(Refused, match="isocenter federate join"):
        bridge.own_pictures(at(1, data=str(tmp_path), ground="a test"), how)
    with pytest.raises(Refused, match="fedbn"):
        bridge.agreed(at(1, {**RUN, "method": "fedbn"}))
