"""LightGBM's trees: grown in this process, read as plain numbers, and written as products of matrices like all else.

They look at the values as they are: a gap is a question's answer of its own, and a code is asked whether it is one of
several. What LightGBM does with both is written into the file, which answers without LightGBM. A file of LightGBM is
neither read nor written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from isocenter.errors import MissingPart
from isocenter.learn.kinds import Column, Table

__all__ = ["Grown", "grow", "made_by", "raw", "within"]

Array = npt.NDArray[np.float64]


def within(columns: Sequence[Column], values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """(n, columns) the values brought to the borders of their columns, gaps left as they are."""
    low, high = np.array([c.low for c in columns], np.float32), np.array([c.high for c in columns], np.float32)
    return np.asarray(np.clip(np.asarray(values, np.float32), low, high), np.float32)


def grow(
    how: Table, values: Array, labels: npt.NDArray[np.int64], seed: int,
    weights: npt.NDArray[np.float32] | None = None,
) -> Any:  # fmt: skip
    """LightGBM's booster with the most trees that a recipe may take, by one thread, the same whenever it is grown.

    Raises:
        MissingPart: LightGBM is not installed.
    """
    try:
        import lightgbm
    except ModuleNotFoundError as e:
        raise MissingPart("trees of LightGBM", "the package lightgbm is not installed",
                          'pip install "isocenter[ml]", or take those of scikit-learn') from e  # fmt: skip
    except OSError as e:  # its wheels bring no OpenMP
        raise MissingPart(
            "trees of LightGBM", f"it cannot be loaded: {str(e).splitlines()[0][:200]}",
            "install OpenMP (Debian: apt install libgomp1; macOS: brew install libomp), or take scikit-learn's",
        ) from e  # fmt: skip
    codes = [k for k, column in enumerate(how.columns) if column.kind == "code"]
    rows = lightgbm.Dataset(
        within(how.columns, values), labels, weight=weights, categorical_feature=codes, params={"verbosity": -1}
    )
    settings = {
        "objective": "binary", "learning_rate": how.rate, "max_depth": how.depth, "num_leaves": 2**how.depth,
        "min_data_in_leaf": max(5, len(labels) // 50), "bagging_fraction": 0.7, "bagging_freq": 1, "seed": seed,
        "num_threads": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1,
    }  # fmt: skip
    return lightgbm.train(settings, rows, max(how.trees))


def raw(booster: Any, seen: npt.NDArray[np.float32], count: int) -> Array:
    """(n,) logits of the first trees, as LightGBM itself says them."""
    return np.asarray(booster.predict(seen, num_iteration=count, raw_score=True, num_threads=1), np.float64)


def made_by() -> str:
    """LightGBM and its version, for the card."""
    return f"LightGBM {version('lightgbm')}"


class Grown(nn.Module):  # type: ignore[misc]
    """The first trees of a booster: all their questions at once, tree by tree, then the leaf that they lead to.

    Input: (n, columns) as `within` makes them. Output: (n,) logits.
    """

    def __init__(self, booster: Any, count: int, columns: Sequence[Column]) -> None:
        super().__init__()
        trees = [_read(one["tree_structure"]) for one in booster.dump_model(num_iteration=count)["tree_info"]]
        asked = max(1, *(len(questions) for questions, _ in trees))
        leaves = max(len(ends) for _, ends in trees)
        shape = (len(trees), asked)
        feature, border = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
        of_gap = np.zeros(shape, np.float32)
        path = np.zeros((len(trees), asked, leaves), np.float32)
        wanted = np.full((len(trees), leaves), -1.0, np.float32)  # no way leads to what is no leaf
        value = np.zeros((len(trees), leaves), np.float32)
        most = max([1, *(len(c.values) for c in columns if c.kind == "code")])
        codes = np.full((*shape, most), -1e30, np.float32)  # what no code is
        for t, (questions, ends) in enumerate(trees):
            for q, node in enumerate(questions):
                feature[t, q], of_gap[t, q] = node["split_feature"], _left_of_gap(node)
                if node["decision_type"] == "==":
                    own = [float(code) for code in node["threshold"].split("||")]
                    codes[t, q, : len(own)], border[t, q] = own, -np.inf
                else:
                    border[t, q] = _down(node["threshold"])
            for leaf, (way, said) in enumerate(ends):
                value[t, leaf], wanted[t, leaf] = said, sum(sign > 0 for _, sign in way)
                for q, sign in way:
                    path[t, q, leaf] = sign
        self.trees, self.asked = shape
        for name, array in (
            ("feature", feature.ravel()), ("border", border.ravel()), ("of_gap", of_gap.ravel()),
            ("codes", codes.reshape(-1, most)), ("path", path), ("wanted", wanted), ("value", value),
        ):  # fmt: skip
            self.register_buffer(name, torch.from_numpy(array))

    def forward(self, x: Tensor) -> Tensor:
        said = x[:, self.feature]
        gap = torch.isnan(said)
        whole = torch.where(gap, torch.zeros(()), said)
        among = (whole[:, :, None] - self.codes).abs().amin(2) < 0.25
        left = torch.where(gap, self.of_gap, ((whole <= self.border) | among).float())
        ways = left.reshape(-1, self.trees, 1, self.asked) @ self.path
        reached = (ways[:, :, 0] == self.wanted).float()
        return (reached * self.value).sum((1, 2))


def _read(tree: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], list[tuple[list[tuple[int, float]], float]]]:
    """The questions of a tree, and of each leaf the way there (question, 1 for yes or -1 for no) and what it says."""
    questions: list[Mapping[str, Any]] = []
    ends: list[tuple[list[tuple[int, float]], float]] = []
    waiting: list[tuple[Mapping[str, Any], list[tuple[int, float]]]] = [(tree, [])]
    while waiting:
        node, way = waiting.pop()
        if "split_feature" not in node:
            ends.append((way, float(node["leaf_value"])))
            continue
        number = len(questions)
        questions.append(node)
        waiting += [(node["left_child"], [*way, (number, 1.0)]), (node["right_child"], [*way, (number, -1.0)])]
    return questions, ends


def _left_of_gap(node: Mapping[str, Any]) -> bool:
    """Where a gap goes: a code that is missing is none of those asked for; a number goes where the most was gained, or
    counts as 0 where there was no gap to learn from.
    """
    if node["decision_type"] == "==":
        return False
    return bool(node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0.0)


def _down(border: float) -> np.float32:
    """LightGBM compares 32-bit values with 64-bit borders: the largest 32-bit number not above decides alike."""
    near = np.float32(min(max(border, -3e38), 3e38))
    return np.float32(near if float(near) <= border else np.nextafter(near, np.float32(-np.inf)))
