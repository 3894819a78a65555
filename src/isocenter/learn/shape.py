"""Measures of the shape of an outlined organ, and a straight line through them that tells two classes apart.

An outlined organ of 28 voxels has little to be looked at: how large, how thick and how spread out it is says as much as
a network finds, can be named, and is fitted in a second.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import Refused
from isocenter.learn.examples import Examples, folds
from isocenter.learn.kinds import Classes

__all__ = ["Measured", "fit_measured", "measures"]

_PEELS, _OPENED = 4, 3
_PARTS = 5  # in which a strength is chosen
_AXES = (2, 3, 4)


def measures(image: Tensor) -> Tensor:
    """(n, 62) numbers of masks (n, 1, x, y, z): above one half is inside.

    Volume; surface; what is left after each of four layers is taken off, in turn through faces and through corners
    (so that what is taken off is nearly round), and what of it an opening leaves; spread about the centre as the three
    invariants of the covariance; sides of the box around; and the largest cross-section across each axis. Every number
    comes once as it is and once as its logarithm.
    """
    mask = functional.pad((image > 0.5).float(), (1,) * 6)
    n = mask.sum((1, 2, 3, 4)).clamp(min=1)
    surface = torch.stack([
        (mask.narrow(a, 1, mask.shape[a] - 1) - mask.narrow(a, 0, mask.shape[a] - 1)).abs().sum((1, 2, 3, 4))
        for a in _AXES
    ]).sum(0)  # fmt: skip
    found = [n, surface, surface / n, surface / n ** (2 / 3)]
    peeled = [mask]
    for k in range(_PEELS):
        peeled.append(_layer(peeled[-1], k % 2 == 0, grow=False))
        left = peeled[-1].sum((1, 2, 3, 4))
        found += [left, left / n]
    for k in range(1, _OPENED + 1):
        grown = peeled[k]
        for back in reversed(range(k)):
            grown = _layer(grown, back % 2 == 0, grow=True)
        found.append(torch.minimum(grown, mask).sum((1, 2, 3, 4)) / n)
    found += _spread(mask, n)
    found += _box(mask, n)
    plain = torch.stack(found, 1)
    return torch.cat([plain, torch.log(plain.clamp(min=1e-3))], 1)


def _layer(x: Tensor, faces: bool, *, grow: bool) -> Tensor:
    """A layer put on or taken off, through the faces alone or through edges and corners too."""
    best, found = torch.maximum if grow else torch.minimum, x
    for a in _AXES:
        side = x.shape[a]
        seen = x if faces else found
        wide = functional.pad(seen, [int(d == a) for d in (4, 4, 3, 3, 2, 2)])
        found = best(found, best(wide.narrow(a, 0, side), wide.narrow(a, 2, side)))
    return found


def _spread(mask: Tensor, n: Tensor) -> list[Tensor]:
    """Root of the trace of the covariance, and its other invariants freed of size; smooth where two axes are equal."""
    g = torch.arange(mask.shape[2], dtype=torch.float32)
    lines = [mask.sum([b for b in (1, *_AXES) if b != a]) for a in _AXES]
    off = [g[None] - (w * g).sum(1, keepdim=True) / n[:, None] for w in lines]
    xx, yy, zz = ((w * c * c).sum(1) / n for w, c in zip(lines, off, strict=True))
    xy, xz, yz = (
        ((mask.sum((1, other)) * off[i][:, :, None]).sum(1) * off[j]).sum(1) / n
        for i, j, other in ((0, 1, 4), (0, 2, 3), (1, 2, 2))
    )
    trace = (xx + yy + zz).clamp(min=1e-3)
    minors = (xx * yy + xx * zz + yy * zz - xy * xy - xz * xz - yz * yz).clamp(min=1e-6)
    whole = xx * (yy * zz - yz * yz) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz)
    whole = whole.clamp(min=1e-3)
    return [trace.sqrt(), 3 * minors / trace**2, 27 * whole / trace**3, n / whole.sqrt()]


def _box(mask: Tensor, n: Tensor) -> list[Tensor]:
    areas = [mask.sum([b for b in (1, *_AXES) if b != a]) for a in _AXES]
    sides = torch.stack([(a > 0).float().sum(1) for a in areas], 1)
    cuts = torch.stack([a.amax(1) for a in areas], 1)
    box = (sides[:, 0] * sides[:, 1] * sides[:, 2]).clamp(min=1)
    each = [x[:, k] for x in (sides, cuts) for k in range(3)]
    return [box, n / box, *each, sides.sum(1), cuts.sum(1), sides.amax(1), cuts.amax(1)]


class Measured(nn.Module):  # type: ignore[misc]
    """Mask → logits of two classes, linear in its measures. ``embedding`` (n, 62) are these, standardised."""

    def __init__(self, mean: Tensor, spread: Tensor, weight: Tensor, bias: float) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.register_buffer("weight", weight)
        self.bias = bias

    def embedding(self, image: Tensor) -> Tensor:
        """The measures in spreads from their mean, at most eight."""
        return ((measures(image) - self.mean) / self.spread).clamp(-8, 8)

    def forward(self, image: Tensor) -> Tensor:
        logit = self.embedding(image) @ self.weight + self.bias
        return torch.stack([-logit, logit], 1) / 2


def fit_measured(how: Classes, examples: Examples) -> Measured:
    """Ridge logistic regression on the measures of these examples.

    Its strength is chosen among `how.measured` by the loss in five parts of these examples, by person.

    Raises:
        Refused: for more than two classes, or pictures that are no volumes.
    """
    from sklearn.linear_model import LogisticRegression

    if len(how.classes) != 2 or len(how.shape) != 3:
        raise Refused(
            f"{len(how.classes)} classes of {len(how.shape)} axes",
            "shapes of two classes are measured",
            "take a recipe of two classes and volumes",
        )
    masks = torch.from_numpy(np.ascontiguousarray(examples.pictures))[:, None]
    found = torch.cat([measures(some.float() / 255) for some in masks.split(64)])
    net = Measured(found.mean(0), found.std(0).clamp(min=1e-6), torch.zeros(found.shape[1]), 0.0)
    seen = ((found - net.mean) / net.spread).clamp(-8, 8).numpy().astype(np.float64)
    weights = "balanced" if how.balanced else None

    def fitted(strength: float, which: npt.NDArray[np.intp]) -> Any:
        line = LogisticRegression(C=strength, max_iter=5000, class_weight=weights)
        return line.fit(seen[which], examples.labels[which])

    def lost(strength: float) -> float:
        chances = np.zeros(len(seen))
        for k in range(_PARTS):
            held = part == k
            chances[held] = fitted(strength, np.flatnonzero(~held)).predict_proba(seen[held])[:, 1]
        right = np.where(examples.labels == 1, chances, 1 - chances)
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    strength = how.measured[0]
    if len(how.measured) > 1:
        part, _ = folds(examples, _PARTS, 0)
        strength = min(how.measured, key=lost)
    line = fitted(strength, np.arange(len(seen)))
    net.weight = torch.tensor(line.coef_[0], dtype=torch.float32)
    net.bias = float(line.intercept_[0])
    net.eval()
    return net
