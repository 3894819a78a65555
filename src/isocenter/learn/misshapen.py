"""Small networks that learn, by measures alone, to tell right outlines from ones that were spoilt on purpose.

What is swollen, doubled or lies along other axes may keep to the directions of right ones (`likely`) and still be none
of them. The networks never see a label of the model. Their limit is laid by right outlines that they did not learn
from, so that of those to come no more than the part given up lies beyond it, on the mean (Vovk 2005).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import Refused
from isocenter.learn.besides import with_test
from isocenter.learn.fit import Schedule, descend
from isocenter.learn.likely import INPUT
from isocenter.learn.outline_measures import outline_measures

__all__ = ["MISSHAPEN", "Misshapen", "fit_misshapen", "misshapen", "with_misshapen"]

MISSHAPEN = ("swollen", "two at once", "axes exchanged", "turned", "resized", "cut out", "halves of two")
"""In which ways `misshapen` makes a wrong outline of a right one."""
_OFTEN = 3  # the first so many are shown twice as often: the other tests know them worst
_NETWORKS, _WIDE, _FAR, _MOST = 3, 64, 8.0, 8.0  # networks, first layer, spreads from the middle, log odds at most
_WRONG, _MOVED = 9000, 3  # wrong outlines; moved ones of each right one
_ORDERS = ((1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1))

Array = npt.NDArray[Any]


def misshapen(outline: Array, other: Array, kind: str, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """What an outline (x, y, z; true inside) must not be: one of `MISSHAPEN` made of it, or of it and another.

    Raises:
        Refused: no such kind.
    """
    x, y = np.asarray(outline, np.bool_), np.asarray(other, np.bool_)
    if kind == "swollen":
        return np.asarray(ndimage.distance_transform_edt(~x) <= rng.uniform(1.5, 4))
    if kind == "two at once":
        for axis in range(3):
            y = np.flip(y, axis) if rng.random() < 0.5 else y
        return np.asarray(x | (np.roll(y, tuple(rng.integers(-4, 5, 3)), (0, 1, 2)) if rng.random() < 0.3 else y))
    if kind == "axes exchanged":
        z = x.transpose(_ORDERS[int(rng.integers(len(_ORDERS)))])
        return np.flip(z, int(rng.integers(3))) if rng.random() < 0.4 else z
    if kind == "turned":
        about = rng.normal(size=3)
        turn = np.deg2rad(rng.uniform(35, 180)) * about / np.linalg.norm(about)
        return _moved(x, Rotation.from_rotvec(turn), 1, np.zeros(3))
    if kind == "resized":
        zoom = rng.uniform(0.45, 0.65) if rng.random() < 0.5 else rng.uniform(1.6, 2.4)
        return _moved(x, Rotation.identity(), zoom, np.zeros(3))
    if kind == "cut out":
        return _cut_out(x, rng)
    if kind == "halves of two":
        axis, found = int(rng.integers(3)), x.copy()
        behind = (slice(None),) * axis + (slice(x.shape[axis] // 2, None),)
        found[behind] = np.flip(y)[behind]
        return found
    raise Refused(f"an outline made wrong by '{kind}'", f"there are {', '.join(MISSHAPEN)}", "name one of these")


def _moved(x: Array, turn: Rotation, zoom: float, shift: Array) -> npt.NDArray[np.bool_]:
    middle, matrix = (np.array(x.shape) - 1) / 2, turn.as_matrix() / zoom
    found = ndimage.affine_transform(x.astype(np.float32), matrix, middle - matrix @ (middle + shift), order=1)
    return np.asarray(found > 0.5)


def _cut_out(x: npt.NDArray[np.bool_], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """A part of a third to two thirds of each side of the outline, alone in its place or enlarged to the whole grid."""
    inside = np.argwhere(x)
    low, high = inside.min(0), inside.max(0) + 1
    sides = np.maximum(((high - low) * rng.uniform(0.35, 0.7, 3)).astype(int), 2)
    first = [int(rng.integers(a, max(a + 1, b - w + 1))) for a, b, w in zip(low, high, sides, strict=True)]
    part = tuple(slice(a, a + w) for a, w in zip(first, sides, strict=True))
    if rng.random() < 0.3:
        found = np.zeros_like(x)
        found[part] = x[part]
        return found
    cut = x[part]
    zoom = [want / had for want, had in zip(x.shape, cut.shape, strict=True)]
    return np.asarray(ndimage.zoom(cut.astype(np.float32), zoom, order=1, mode="nearest", grid_mode=True) > 0.5)


@dataclass(frozen=True, eq=False)
class Misshapen:
    """The networks, side by side in one, and where right outlines end.

    Args:
        middle, spread: (d,) of each measure.
        layers: (weight, bias) of the three layers. usual, limit: log odds of a wrong outline that a right one has at
            the median, and beyond which one is declined.
    """

    middle: Array
    spread: Array
    layers: tuple[tuple[Array, Array], ...]
    usual: float
    limit: float

    def strange(self, measures: Array) -> npt.NDArray[np.float64]:
        """(n,) of measures (n, d): nought as the median of right ones, above 1 to be declined."""
        x = np.clip((np.asarray(measures, np.float64) - self.middle) / self.spread, -_FAR, _FAR)
        for k, (weight, bias) in enumerate(self.layers):
            x = (np.maximum(x, 0) if k else x) @ weight + bias
        return np.asarray((np.tanh(x / _MOST).mean(1) * _MOST - self.usual) / (self.limit - self.usual))


def fit_misshapen(
    outlines: Sequence[Array], held: npt.NDArray[np.bool_], seed: int, *, given_up: float = 0.02,
    wrong: int = _WRONG, steps: int = 1800,
) -> Misshapen:  # fmt: skip
    """Networks that tell right outlines from ones made wrong of them, and the limit by those held back.

    Args:
        outlines: volumes (x, y, z): above the middle of its grey values is inside. held: (n,) which only lay the limit.
        given_up: part of right outlines beyond it, at most. wrong: outlines to make. steps: of 256 outlines.

    Raises:
        Refused: fewer outlines than a limit or the networks take.
    """
    masks = [np.asarray(x) > (float(x.min()) + float(x.max())) / 2 for x in outlines]
    taught = [one for one, h in zip(masks, held, strict=True) if not h and one.any()]
    laying = [one for one, h in zip(masks, held, strict=True) if h]
    rank = math.ceil((len(laying) + 1) * (1 - given_up))
    if rank > len(laying) or len(taught) < 100:
        raise Refused(
            f"{len(taught)} outlines and {len(laying)} held back",
            f"networks take 100, and a limit that {given_up:g} lie beyond {math.ceil(1 / given_up) - 1}",
            "give more outlines, or give up a larger part",
        )  # fmt: skip
    rng, kinds = np.random.default_rng([seed, 43]), MISSHAPEN + MISSHAPEN[:_OFTEN]
    plain = _measures(taught)
    moved = _measures([
        _moved(x, Rotation.from_rotvec(rng.normal(0, np.deg2rad(3), 3)), math.exp(rng.normal(0, 0.03)),
               rng.normal(0, 0.5, 3)) for x in taught * _MOVED
    ])  # fmt: skip
    spoilt = _measures([
        misshapen(taught[int(rng.integers(len(taught)))], taught[int(rng.integers(len(taught)))],
                  kinds[k % len(kinds)], rng) for k in range(wrong)
    ])  # fmt: skip
    middle, spread = plain.mean(0), plain.std(0) + 1e-6

    def seen(measures: Array) -> Tensor:
        return torch.tensor(np.clip((measures - middle) / spread, -_FAR, _FAR), dtype=torch.float32)

    right, false = seen(np.concatenate([plain, moved])), seen(spoilt)
    digest = hashlib.sha256(right.numpy().tobytes() + false.numpy().tobytes()).hexdigest()

    def shown(net: nn.Module, step: int, random: torch.Generator) -> Tensor:
        x = torch.cat([some[torch.randint(0, len(some), (128,), generator=random)] for some in (right, false)])
        said = net(x + 0.1 * torch.randn(x.shape, generator=random))[:, 0]
        return functional.binary_cross_entropy_with_logits(said, torch.arange(256).ge(128).float())

    def network() -> nn.Module:
        return nn.Sequential(nn.Linear(right.shape[1], _WIDE), nn.ReLU(), nn.Dropout(0.1),
                             nn.Linear(_WIDE, _WIDE // 2), nn.ReLU(), nn.Linear(_WIDE // 2, 1))  # fmt: skip

    how = Schedule(steps, 50, 2e-3, 50, 0.01, 0.99, 1)
    nets = [descend(network, shown, how, 1000 * seed + k, repr((digest, k))) for k in range(_NETWORKS)]
    each = [[m for m in net.modules() if isinstance(m, nn.Linear)] for net in nets]
    layers = tuple(
        _beside([(one[k].weight.detach().numpy().T, one[k].bias.detach().numpy()) for one in each], apart=k > 0)
        for k in range(3)
    )
    bare = Misshapen(middle, spread, layers, 0.0, 1.0)
    odds = np.sort(bare.strange(_measures(laying)))
    return Misshapen(middle, spread, layers, float(np.median(odds)), float(odds[rank - 1]))


def _measures(masks: Sequence[Array]) -> npt.NDArray[np.float64]:
    return np.stack([outline_measures(one) for one in masks]).astype(np.float64)


def _beside(layers: Sequence[tuple[Array, Array]], *, apart: bool) -> tuple[Array, Array]:
    """Layers of several networks as one, which all see the same, or each what the same network saw before."""
    from scipy.linalg import block_diag

    weights = [weight for weight, _ in layers]
    whole = block_diag(*weights) if apart else np.concatenate(weights, 1)
    return np.asarray(whole, np.float64), np.concatenate([bias for _, bias in layers]).astype(np.float64)


def with_misshapen(border: bytes, learnt: Misshapen) -> bytes:
    """The file of a border that also asks these networks; its strangeness is the higher of all.

    Raises:
        Refused: one that asks them already.
    """
    scale = (learnt.limit - learnt.usual) / _MOST
    numbers = {"middle": learnt.middle, "spread": learnt.spread, "least": np.array(-_FAR), "most": np.array(_FAR),
               "odds": np.array(_MOST), "axis": np.array([1]), "usual": np.array(learnt.usual / _MOST),
               "scale": np.array(scale)}  # fmt: skip
    for k, (weight, bias) in enumerate(learnt.layers):
        numbers |= {f"weight{k}": weight, f"bias{k}": bias}
    return with_test(border, INPUT, len(learnt.middle), numbers, [
        ("Sub", ("", "middle"), {}), ("Div", ("", "spread"), {}), ("Clip", ("", "least", "most"), {}),
        ("MatMul", ("", "weight0"), {}), ("Add", ("", "bias0"), {}), ("Relu", ("",), {}),
        ("MatMul", ("", "weight1"), {}), ("Add", ("", "bias1"), {}), ("Relu", ("",), {}),
        ("MatMul", ("", "weight2"), {}), ("Add", ("", "bias2"), {}), ("Div", ("", "odds"), {}), ("Tanh", ("",), {}),
        ("ReduceMean", ("", "axis"), {"keepdims": 0}), ("Sub", ("", "usual"), {}), ("Div", ("", "scale"), {}),
    ], name="misshapen")  # fmt: skip
