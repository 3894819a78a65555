"""From rows of a table to a calibrated risk: ridge logistic regression with bent lines, and boosted trees beside it.

A row may name a picture, and what a model sees in it stands beside the columns (see `joined`).

Everything is chosen inside the folds that do not measure (nested cross-validation): the penalty, whether trees are
added and how many, and the calibration. The evidence is that of rows which none of these choices has seen.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from isocenter import wholly
from isocenter.analysis.weights import read_file
from isocenter.errors import NotFound, Refused
from isocenter.learn.boosted import Grown, grow, made_by, raw, within
from isocenter.learn.card import plain_page, written
from isocenter.learn.export import COMPARED, exported
from isocenter.learn.joined import Joined, read_joined
from isocenter.learn.judge_classes import class_figures
from isocenter.learn.kinds import Column, Table
from isocenter.learn.model_folder import write_record
from isocenter.learn.outside import no_border
from isocenter.learn.plausible import doubtful, implausible, naming, usual_of
from isocenter.learn.rows import Rows, groups_of
from isocenter.learn.tested import laid
from isocenter.learn.unread import without
from isocenter.methods.calibration import Scale, fit_scale
from isocenter.record import Model, to_plain

__all__ = ["Encoding", "Risk", "Trees", "judged", "learnt", "train_table", "usual_taught"]

Array = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32] | None
"""What each row counts; None where all count the same."""
_AT_ONCE = 8192  # rows whose answers to all questions of the trees lie in memory together


class Encoding(nn.Module):  # type: ignore[misc]
    """Row with missing values → numbers that a linear model can weigh.

    Numbers as they are and bent at their knots, grades as steps reached, codes as which of them, and a flag where a
    value was missing among the rows that it was made from; each brought to mean 0 and spread 1.
    """

    def __init__(self, columns: Sequence[Column], values: Array) -> None:
        super().__init__()
        low, high = np.array([c.low for c in columns]), np.array([c.high for c in columns])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a column may be missing throughout
            fill = np.nan_to_num(np.nanmedian(np.clip(values, low, high), axis=0))
        for name, array in (("low", low), ("high", high), ("fill", fill)):
            self.register_buffer(name, torch.tensor(array, dtype=torch.float32))
        bends = [(i, k) for i, c in enumerate(columns) for k in c.knots]
        steps = [(i, v) for i, c in enumerate(columns) if c.kind == "grade" for v in c.values[1:]]
        codes = [(i, v) for i, c in enumerate(columns) if c.kind == "code" for v in c.values[1:]]
        gaps = np.flatnonzero(np.isnan(values).any(axis=0))
        self.numbers = torch.tensor([i for i, c in enumerate(columns) if c.kind == "number"], dtype=torch.int64)
        self.gaps = torch.tensor(gaps, dtype=torch.int64)
        for name, pairs in (("bend", bends), ("step", steps), ("code", codes)):
            self.register_buffer(f"{name}_at", torch.tensor([i for i, _ in pairs], dtype=torch.int64))
            self.register_buffer(f"{name}_value", torch.tensor([v for _, v in pairs], dtype=torch.float32))
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("spread", torch.ones(1))
        plain = self.forward(torch.tensor(values, dtype=torch.float32))
        self.mean, self.spread = plain.mean(0), plain.std(0).clamp(min=1e-3)

    def filled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The row within its ranges and without gaps, and where the gaps were."""
        gap = torch.isnan(x)
        return torch.minimum(torch.maximum(torch.where(gap, self.fill, x), self.low), self.high), gap

    def forward(self, x: Tensor) -> Tensor:
        whole, gap = self.filled(x)
        there = 1 - gap.float()
        parts = [whole[:, self.numbers]]
        if len(self.bend_at):  # ONNX has no type for a comparison of nothing
            parts.append(torch.relu(whole[:, self.bend_at] - self.bend_value))
        if len(self.step_at):
            parts.append((whole[:, self.step_at] >= self.step_value).float() * there[:, self.step_at])
        if len(self.code_at):
            parts.append(((whole[:, self.code_at] - self.code_value).abs() < 0.25).float() * there[:, self.code_at])
        parts.append(gap[:, self.gaps].float())
        return (torch.cat(parts, 1) - self.mean) / self.spread


class Trees(nn.Module):  # type: ignore[misc]
    """Boosted trees as products of matrices (Nakandala 2020): all questions at once, then the leaf they lead to."""

    def __init__(self, model: Any, count: int) -> None:
        super().__init__()
        feature: list[int] = []
        border: list[float] = []
        leaf: list[float] = []
        paths: list[list[tuple[int, float]]] = []
        for tree in (stage[0].tree_ for stage in model.estimators_[:count]):
            start = len(feature)
            inner = [n for n in range(tree.node_count) if tree.children_left[n] >= 0]
            number = {n: start + i for i, n in enumerate(inner)}
            feature += [int(tree.feature[n]) for n in inner]
            border += [float(tree.threshold[n]) for n in inner]
            waiting: list[tuple[int, list[tuple[int, float]]]] = [(0, [])]
            while waiting:
                node, way = waiting.pop()
                if node in number:
                    waiting.append((int(tree.children_left[node]), [*way, (number[node], 1.0)]))
                    waiting.append((int(tree.children_right[node]), [*way, (number[node], -1.0)]))
                else:
                    leaf.append(float(tree.value[node].ravel()[0]) * model.learning_rate)
                    paths.append(way)
        path = torch.zeros(len(feature), len(leaf))
        for column, way in enumerate(paths):
            for row, sign in way:
                path[row, column] = sign
        prior = model.init_.class_prior_
        self.register_buffer("feature", torch.tensor(feature, dtype=torch.int64))
        # sklearn compares 32-bit values with 64-bit borders: the largest 32-bit number not above decides alike.
        self.register_buffer("border", torch.from_numpy(_down(np.array(border))))
        self.register_buffer("path", path)
        self.register_buffer("wanted", (path > 0).sum(0).float())
        self.register_buffer("leaf", torch.tensor(leaf, dtype=torch.float32))
        self.register_buffer("start", torch.tensor(float(np.log(prior[1] / prior[0])), dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        left = (x[:, self.feature] <= self.border).float()
        reached = ((left @ self.path) == self.wanted).float()
        return self.start + reached @ self.leaf


def _down(border: Array) -> npt.NDArray[np.float32]:
    near = border.astype(np.float32)
    return np.where(near > border, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)


class Risk(nn.Module):  # type: ignore[misc]
    """Row → ``logits`` (n, 2) and ``certainty`` (n, 2). Input ``image``: (n, columns), NaN where a value is missing."""

    def __init__(
        self, encoding: Encoding, weight: Array, bias: float, trees: Trees | Grown | None, scale: Scale
    ) -> None:
        super().__init__()
        self.encoding, self.trees, self.slope, self.offset = encoding, trees, scale.slope, scale.offset
        self.register_buffer("weight", torch.tensor(weight, dtype=torch.float32))
        self.bias = bias

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logit = self.encoding(image) @ self.weight + self.bias
        if self.trees is not None:
            logit = (logit + self.trees(self._seen(image))) / 2
        chance = torch.sigmoid(logit * self.slope + self.offset)
        return torch.stack([-logit, logit], 1) / 2, torch.stack([1 - chance, chance], 1)

    def _seen(self, image: Tensor) -> Tensor:
        """The row as the trees look at it: those of LightGBM at its gaps, too."""
        whole, gap = self.encoding.filled(image)
        return torch.where(gap, image, whole) if isinstance(self.trees, Grown) else whole


@dataclass(frozen=True, eq=False)
class _Line:
    """One that answers, the mean of those for each grade; and that for the presence of disease alone, which chooses."""

    weight: Array
    bias: float
    presence: Any

    @classmethod
    def fitted(cls, encoded: Array, targets: npt.NDArray[np.int64], strength: float, weights: Weights) -> _Line:
        from sklearn.linear_model import LogisticRegression

        each = [
            LogisticRegression(C=strength, max_iter=2000, tol=1e-8).fit(encoded, target, weights) for target in targets
        ]
        weight, bias = np.mean([one.coef_[0] for one in each], 0), np.mean([one.intercept_[0] for one in each])
        return cls(weight, float(bias), each[0])

    def decision_function(self, encoded: Array) -> Array:
        return encoded @ self.weight + self.bias


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Everything that some rows can teach: lines for each penalty, and trees up to the largest number."""

    encoding: Encoding
    lines: tuple[_Line, ...]
    trees: Any

    def logits(self, values: Array, how: Table, *, presence: bool = False) -> Array:
        """(penalties, numbers of trees, n) logits of the candidates; of the lines for presence alone if so asked."""
        x = torch.tensor(values, dtype=torch.float32)
        encoded = self.encoding(x).numpy()
        staged = self._staged(values, how) if self.trees is not None else {}
        return np.array([
            [line if not count else (line + staged[count]) / 2 for count in how.trees]
            for line in ((one.presence if presence else one).decision_function(encoded) for one in self.lines)
        ])  # fmt: skip

    def _staged(self, values: Array, how: Table) -> dict[int, Array]:
        """Number of trees -> (n,) what so many of them say."""
        if how.booster == "lightgbm":
            seen = within(how.columns, values)
            return {count: raw(self.trees, seen, count) for count in how.trees if count}
        filled = self.encoding.filled(torch.tensor(values, dtype=torch.float32))[0].numpy()
        staged = list(self.trees.staged_decision_function(filled))
        return {count: staged[count - 1].ravel() for count in how.trees if count}


def _targets(rows: Rows, how: Table) -> npt.NDArray[np.int64]:
    """(grades, n): whether a row is diseased, then whether it is above each grade that enough rows are above."""
    above = [np.asarray(rows.grades > grade, np.int64) for grade in how.graded]
    return np.stack([rows.labels, *(one for one in above if 2 * how.outer <= one.sum() <= len(one) - 2 * how.outer)])


def _fit(values: Array, targets: npt.NDArray[np.int64], weights: Weights, how: Table, seed: int) -> _Fitted:
    labels = targets[0]
    encoding = Encoding(how.columns, values)
    x = torch.tensor(values, dtype=torch.float32)
    encoded = encoding(x).numpy()
    lines = tuple(_Line.fitted(encoded, targets, c, weights) for c in how.strengths)
    trees = None
    if max(how.trees) and how.booster == "lightgbm":
        trees = grow(how, values, labels, seed, weights)
    elif max(how.trees):
        from sklearn.ensemble import GradientBoostingClassifier

        trees = GradientBoostingClassifier(
            n_estimators=max(how.trees), max_depth=how.depth, learning_rate=how.rate, subsample=0.7,
            min_samples_leaf=max(5, len(labels) // 50), random_state=seed,
        ).fit(encoding.filled(x)[0].numpy(), labels, weights)  # fmt: skip
    return _Fitted(encoding, lines, trees)


def _of(weights: Weights, rows: npt.NDArray[Any]) -> Weights:
    return None if weights is None else weights[rows]


def _parts(
    labels: npt.NDArray[np.int64], people: npt.NDArray[np.int64], folds: int, seed: int
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """Rows to learn from and rows held back, nobody on both sides."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    several = len(np.unique(people)) < len(people)
    deal = (StratifiedGroupKFold if several else StratifiedKFold)(folds, shuffle=True, random_state=seed)
    yield from deal.split(np.zeros(len(labels)), labels, people if several else None)


def _chosen(
    values: Array, targets: npt.NDArray[np.int64], weights: Weights, people: npt.NDArray[np.int64], how: Table,
    seed: int,
) -> tuple[int, int, Scale]:  # fmt: skip
    """Penalty and number of trees: those with the least log loss for the presence of disease on inner folds; and the
    calibration there.
    """
    labels = targets[0]
    logits, presence = np.empty((2, len(how.strengths), len(how.trees), len(labels)))
    for learn, held in _parts(labels, people, how.inner, seed):
        fitted = _fit(values[learn], targets[:, learn], _of(weights, learn), how, seed)
        logits[:, :, held] = fitted.logits(values[held], how)
        presence[:, :, held] = fitted.logits(values[held], how, presence=True)
    losses = np.average(np.logaddexp(0, np.where(labels == 1, -presence, presence)), axis=2, weights=weights)
    c, t = np.unravel_index(int(losses.argmin()), losses.shape)
    return int(c), int(t), fit_scale(labels, logits[c, t])


def _nested(rows: Rows, how: Table, seed: int) -> tuple[Array, Array]:
    """Logits and certainties of rows that neither fit, choice nor calibration had seen."""
    logits, stated = np.empty(len(rows.labels)), np.empty(len(rows.labels))
    targets = _targets(rows, how)
    for learn, held in _parts(rows.labels, rows.people, how.outer, seed):
        values, own = rows.values[learn], targets[:, learn]
        heavy = _of(rows.weights, learn)
        c, t, scale = _chosen(values, own, heavy, rows.people[learn], how, seed)
        logits[held] = _fit(values, own, heavy, how, seed).logits(rows.values[held], how)[c, t]
        stated[held] = scale(logits[held])
    return logits, stated


def train_table(
    how: Table,
    data: Path,
    out: Path,
    seed: int,
    tell: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> Model:
    """Measure by nested cross-validation, then fit on all rows and export; see `train.train`."""
    torch.set_num_threads(1)
    started, read, recipe = clock(), read_joined(data, how), how
    rows, how = read.rows, read.how
    for remark in _unknown_in(rows.unknown):
        tell(remark)
    if read.known:
        tell(f"{read.known} of {len(rows.labels)} pictures are known to '{how.through}' from its own training: "
             "the figures flatter")  # fmt: skip
    few = min(len(np.unique(rows.people[rows.labels == k])) for k in (0, 1))
    if few < 2 * how.outer:
        raise Refused(
            f"{few} people's rows of one class", f"{how.outer} folds need {2 * how.outer} of each", "give more rows"
        )
    empty = np.isnan(rows.values[:, : len(recipe.columns)]).all(axis=0)
    if empty.any():
        name = recipe.columns[int(empty.argmax())].name
        raise Refused(f"'{name}' is empty in all {len(rows.labels)} rows", "nothing is learnt of it, and the model "
                      "would ask for it all the same", "fill it, or train a recipe without that column")  # fmt: skip
    inputs: dict[str, Any] = {
        "kind": "table", "classes": list(how.classes), "positive": 1, "threshold": 0.5,
        "columns": to_plain([asdict(c) for c in how.columns]), "label": list(how.label), "labels": list(how.labels),
        "positive_above": how.positive_above, "graded": list(how.graded), "subgroups": list(how.subgroups),
        "usual": usual_of(rows.values[:, : len(recipe.columns)], recipe.columns),
        **({"through": read.eyes} if read.eyes else {}),
    }  # fmt: skip
    none, groups = np.zeros(len(rows.labels), bool), groups_of(rows.values, how)
    measured = []
    for repeat in range(how.repeats):
        logits, stated = _nested(rows, how, seed * 100 + repeat)
        both = np.stack([-logits, logits], 1) / 2, np.stack([1 - stated, stated], 1)
        measured.append(class_figures(rows.labels, *both, none, inputs, groups, rows.people))
        if not repeat:
            first = [
                {"name": name, "label": int(label), "certainty": float(c)}
                for name, label, c in zip(rows.names, rows.labels, stated, strict=True)
            ]
        tell(
            f"nested cross-validation {repeat + 1} of {how.repeats}: AUC {measured[-1]['metrics']['auc']['value']:.4f}"
        )
    targets = _targets(rows, how)
    c, t, scale = _chosen(rows.values, targets, rows.weights, rows.people, how, seed)
    whole = _fit(rows.values, targets, rows.weights, how, seed)
    line, count = whole.lines[c], how.trees[t]
    trees: Trees | Grown | None = None
    if count:
        grown = how.booster == "lightgbm"
        trees = Grown(whole.trees, count, how.columns) if grown else Trees(whole.trees, count)
    net = Risk(whole.encoding, line.weight, line.bias, trees, scale)
    asked = [torch.tensor(rows.values[i % len(rows.labels)][None], dtype=torch.float32) for i in range(COMPARED)]
    _, parity = exported(net, (len(how.columns),), out / "model.onnx", ("logits", "certainty"), inputs=asked)
    weights = naming((out / "model.onnx").read_bytes(), inputs["usual"])
    wholly.write(out / "model.onnx", weights)
    digest = hashlib.sha256(weights).hexdigest()
    with torch.inference_mode():
        parts = torch.tensor(rows.values, dtype=torch.float32).split(_AT_ONCE)
        mine = np.concatenate([net(part)[0][:, 1].numpy() * 2 for part in parts])
    off = float(np.abs(mine - whole.logits(rows.values, how)[c, t]).max())
    if off > 1e-4:
        raise Refused(
            f"the exported model differs from what was fitted by {off:.2e}",
            "at most 1e-4 is allowed",
            "scale its columns, or take another learner",
        )
    shown = measured[0] | {"parity": max(parity, off)} | laid(out, inputs, first, data, groups)
    shown["networks"] = [m["metrics"] | {"seed": seed * 100 + k} for k, m in enumerate(measured)]
    return written(recipe, out, digest, rows.digest, inputs, shown, {
        "rows": {name: int(np.count_nonzero(rows.labels == k)) for k, name in enumerate(how.classes)},
        **({"people": people} if (people := len(np.unique(rows.people))) < len(rows.labels) else {}),
        "chosen": f"ridge penalty C = {how.strengths[c]:g}, {count} trees of depth {how.depth}"
        + (f", of {made_by()}" if how.booster == "lightgbm" and count else ""),
        **({"pictures that its eyes had learnt from": read.known} if read.eyes else {}),
        **({"lines": f"mean of {len(targets)}, for disease and for each higher grade"} if len(targets) > 1 else {}),
        "seed": seed, "seconds": round(clock() - started),
        "shown": f"{how.outer}-fold nested cross-validation, first of {how.repeats} draws; all draws are listed",
    })  # fmt: skip


def judged(
    held: Model, session: Any, data: Path, split: str | None
) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Figures and predictions of a model on the rows of a table.

    Declined is a row with most values missing, with a picture that is strange to the model which looks at it, or with
    a value beyond what it was made for; and all rows where the table is of other columns or units (`plausible`). A
    negative answer to a row of which that is only doubtful says so.
    """
    inputs = held.inputs
    unread: list[tuple[str, str]] = []
    read = _read(held, data, split, unread)
    rows, how = read.rows, read.how
    given = rows.values.astype(np.float32)
    said = [
        session.run(["logits", "certainty"], {"image": given[k : k + _AT_ONCE]}) for k in range(0, len(given), _AT_ONCE)
    ]
    logits, certainty = (np.concatenate(each) for each in zip(*said, strict=True))
    own = rows.values[:, : len(_asked(held).columns)]
    missing = np.isnan(own).mean(axis=1) > 0.5
    odd = implausible(own, inputs["usual"]) if "usual" in inputs else [""] * len(own)
    words = doubtful(own, inputs["usual"]) if "usual" in inputs else [no_border(inputs)] * len(own)
    why = [_because(bool(m), bool(s)) or line for m, s, line in zip(missing, read.strange, odd, strict=True)]
    declined = np.array([bool(line) for line in why])
    shown = class_figures(
        rows.labels, logits.astype(np.float64), certainty.astype(np.float64), declined, inputs,
        groups_of(rows.values, how), rows.people,
    )  # fmt: skip
    told = [
        {"name": name, "person": int(whose), "label": int(label), "certainty": float(c), "declined": bool(line),
         "because": line or ("" if c >= inputs["threshold"] else word)}
        for name, whose, label, c, line, word in zip(
            rows.names, rows.people, rows.labels, certainty[:, 1], why, words, strict=True
        )
    ]  # fmt: skip
    shown |= {"remarks": [*rows.remarks, *_unknown_in(rows.unknown), *_empty_in(own, how.columns)]}
    return *without(shown, told, unread), {}


def _unknown_in(unknown: Mapping[str, int]) -> list[str]:
    """A sentence where numbers stood for what is not known."""
    told = ", ".join(f"{n} of '{name}'" for name, n in unknown.items())
    return [f"-9, -99 or -999 was read as not known in {told}: no such value can be there"] if told else []


def _empty_in(values: Array, columns: Sequence[Column]) -> list[str]:
    """A sentence for each column that is empty in most rows: what is filled in for it is no test of it."""
    gaps = np.isnan(values).sum(axis=0)
    return [
        f"'{column.name}' is empty in {gap} of {len(values)} rows: the model fills in what was in the middle of its "
        "training, and the figures say nothing of tables that have it"
        for column, gap in zip(columns, gaps, strict=False) if 2 * gap > len(values)
    ]  # fmt: skip


def _because(missing: bool, strange: bool) -> str:
    if missing:
        return "most of its values are missing"
    return "its picture is like nothing that the model which looks at it learnt from" if strange else ""


def usual_taught(held: Model, place: Path, data: Path, out: Path) -> Model:
    """A new version of a model of a table that knows what is usual in its columns; its answers are those of the first.

    Args:
        held: its record. place: its folder. data: the rows that it learnt from. out: folder for the new version.

    Raises:
        Refused: other rows than those that it learnt from: what is usual there says nothing of what it answers for.
    """
    rows, asked = _read(held, data, None).rows, _asked(held)
    if rows.digest != held.examples:
        raise Refused(f"{len(rows.labels)} rows of {data.name}", f"{held.name} has not learnt from them, or not from "
                      "these alone", "give the table of its training, whole")  # fmt: skip
    own = rows.values[:, : len(asked.columns)]
    usual = usual_of(own, asked.columns)
    out.mkdir(parents=True, exist_ok=True)
    weights = naming(read_file(place / "model.onnx"), usual)
    wholly.write(out / "model.onnx", weights)
    alone = sum(bool(implausible(row[None], usual)[0]) for row in own)
    model = replace(
        held, version=str(int(held.version) + 1) if held.version.isdigit() else f"{held.version}, with what is usual",
        digest=hashlib.sha256(weights).hexdigest(), parent=held.digest, state="candidate",
        inputs={**held.inputs, "usual": usual},
        evidence={**held.evidence, "out_of_scope": {"rows learnt from, for comparison": {
            "n": len(own), "declined": alone}}},
    )  # fmt: skip
    write_record(out, model, plain_page(model))
    return model


def learnt(held: Model, data: Path, split: str | None) -> npt.NDArray[np.bool_] | None:
    """(n,) all true where these are the rows that a model learnt from, in their order; else None: nothing is known.

    Nor is anything of what is no such table, which whoever measures it is told.
    """
    try:
        rows = _read(held, data, split).rows
    except (NotFound, Refused):
        return None
    return np.ones(len(rows.labels), bool) if rows.digest == held.examples else None


def named(held: Model, data: Path) -> tuple[Sequence[str], npt.NDArray[np.int64]]:
    """Names and labels of the rows that can be judged."""
    rows = _read(held, data, None).rows
    return rows.names, rows.labels


def _read(held: Model, data: Path, split: str | None, aside: list[tuple[str, str]] | None = None) -> Joined:
    """A table as a model asks for it, with what is seen in its pictures."""
    return read_joined(data, _asked(held), split, digest=held.inputs.get("through", {}).get("digest", ""), aside=aside)


def _asked(held: Model) -> Table:
    """The columns and the outcome that a model asks a table for, without what is seen in pictures."""
    inputs = held.inputs
    eyes = inputs.get("through", {})
    given = inputs["columns"][: len(inputs["columns"]) - eyes.get("columns", 0)]
    return Table(
        task=held.name, classes=(inputs["classes"][0], inputs["classes"][1]),
        columns=tuple(_column(c) for c in given), label=tuple(inputs["label"]),
        labels=tuple(inputs["labels"]), positive_above=inputs["positive_above"], subgroups=tuple(inputs["subgroups"]),
        graded=tuple(inputs.get("graded", ())), through=eyes.get("model", ""),
    )  # fmt: skip


def _column(said: dict[str, Any]) -> Column:
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items()}
    return Column(**plain)
