"""What is seen at each scale and in each direction of a small picture, and support vectors that tell classes apart.

Few pictures teach a network little that they do not show by chance. Here nothing is learnt before the last step: the
scattering of a picture (Bruna & Mallat, IEEE PAMI 2013) is the local mean of how strongly waves of three lengths and
eight directions are present, and of how that changes in turn at longer waves. It stays nearly the same where the
picture is moved or bent a little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.learn.kinds import Backbone, Scattering
from isocenter.learn.pretrained import Photographs, eyes

__all__ = ["Directions", "Machine", "Waves", "directions", "fit_machine", "scattered"]

Numbers = npt.NDArray[np.float64]

_SCALES, _DIRECTIONS, _STEP = 3, 8, 7
_FLOOR = 1e-3
_AT_ONCE, _HELD = 1000, 6000
"""Examples of which it is held at a time how near they lie to all others, and of which all may be held (288 MB)."""


def _envelope(scale: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Rows and columns of a kernel, and the spread of its bell, for waves 2 ** scale times as long as the shortest."""
    spread = 0.8 * 2**scale
    reach = int(np.ceil(3 * spread))
    return *np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(float), spread


def _kernels(scale: int) -> Tensor:
    """(2, directions, 1, k, k) real and imaginary parts of waves without a mean, under a bell twice as wide across."""
    y, x, spread = _envelope(scale)
    found = []
    for direction in range(_DIRECTIONS):
        turn = direction * np.pi / _DIRECTIONS
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        bell = np.exp(-(along**2 + across**2 / 4) / (2 * spread**2))
        wave = bell * np.exp(0.75j * np.pi / 2**scale * along)
        wave -= bell * (wave.sum() / bell.sum())
        found.append(wave / np.abs(wave).sum())
    both = np.stack([np.real(found), np.imag(found)])
    return torch.tensor(both[:, :, None], dtype=torch.float32)


class Waves(nn.Module):  # type: ignore[misc]
    """Picture (n, channels, rows, columns) → (n, d) logarithms of its scattering, freed of brightness and contrast.

    Of an outlined cube (n, 1, side, side, side) it is that of its shadows along the three axes, as thick as they are.

    Local means are taken every seven pixels. For each channel and place there are 217: the picture, 24 waves, and 192
    pairs of a shorter and a longer one; with `turned` only the mean over all directions, and over pairs that lie at the
    same angle to each other: 28, which stay the same when the picture is turned.
    """

    def __init__(self, *, turned: bool = False) -> None:
        super().__init__()
        self.turned = turned
        for scale in range(_SCALES):
            self.register_buffer(f"waves{scale}", _kernels(scale))
        y, x, spread = _envelope(_SCALES - 1)
        bell = np.exp(-(x**2 + y**2) / (2 * spread**2))
        self.register_buffer("bell", torch.tensor(bell[None, None] / bell.sum(), dtype=torch.float32))

    def _strength(self, x: Tensor, scale: int) -> Tensor:
        """(n, c · directions, rows, columns): the modulus of each wave in each channel."""
        waves = getattr(self, f"waves{scale}")
        reach = waves.shape[-1] // 2
        alone = functional.pad(x.reshape(-1, 1, *x.shape[2:]), (reach,) * 4, mode="reflect")
        real, imaginary = (functional.conv2d(alone, part) for part in (waves[0], waves[1]))
        return (real * real + imaginary * imaginary + 1e-12).sqrt().reshape(-1, x.shape[1] * _DIRECTIONS, *x.shape[2:])

    def _mean(self, x: Tensor) -> Tensor:
        """(n, c, places): local means."""
        reach = self.bell.shape[-1] // 2 - _STEP // 2
        alone = functional.pad(x.reshape(-1, 1, *x.shape[2:]), (reach,) * 4, mode="reflect")
        return functional.conv2d(alone, self.bell, stride=_STEP).flatten(1).reshape(x.shape[0], x.shape[1], -1)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 5:
            x = _shadows(x)
        else:
            mean = x.mean((1, 2, 3), keepdim=True)
            x = (x - mean) / (((x - mean) ** 2).mean((1, 2, 3), keepdim=True).sqrt() + 1e-2)
        found, channels = [self._mean(x)], x.shape[1]
        for scale in range(_SCALES):
            once = self._strength(x, scale)
            found.append(self._round(self._mean(once), channels, 1))
            for longer in range(scale + 1, _SCALES):
                found.append(self._round(self._mean(self._strength(once, longer)), channels, 2))
        return torch.log(torch.cat([one.flatten(1) for one in found], 1).abs() + _FLOOR)

    def _round(self, x: Tensor, channels: int, order: int) -> Tensor:
        """The mean over directions, angles between pairs of waves kept apart."""
        if not self.turned:
            return x
        places = x.shape[-1]
        apart = x.reshape(-1, channels, *(_DIRECTIONS,) * order, places)
        if order == 1:
            return apart.mean(2)
        turns = [torch.roll(apart[:, :, k], -k, 2) for k in range(_DIRECTIONS)]
        return torch.stack(turns).mean(0).reshape(-1, channels * _DIRECTIONS, places)


def _shadows(x: Tensor) -> Tensor:
    """(n, 3, side, side) of outlined cubes (n, 1, side, side, side): how much of each line along an axis is inside."""
    inside = (x[:, 0] > 0.5).float()
    return torch.stack([inside.mean(axis) for axis in (1, 2, 3)], 1)


Eyes = Waves | Photographs


def _looking(how: Scattering) -> Eyes:
    return eyes(how) if isinstance(how, Backbone) else Waves(turned=how.turned)


class Machine(nn.Module):  # type: ignore[misc]
    """Picture → (n, classes) to be added to the logits of a network: support vectors with bells about them.

    Each class is decided against all others; of two classes one decision is halved between them, and with grades goes
    whether a picture lies above each (`fit_machine`). The picture and, unless the scattering is turned, its mirror
    image are asked. `share` is what its decisions are multiplied by.
    """

    def __init__(self, waves: Eyes, mean: Tensor, turn: Tensor, vectors: Tensor, weight: Tensor, bias: Tensor,
                 narrow: float) -> None:  # fmt: skip
        super().__init__()
        self.waves, self.narrow, self.share = waves, narrow, 1.0
        self.kinds = len(bias)
        for name, value in (("mean", mean), ("turn", turn), ("vectors", vectors), ("weight", weight), ("bias", bias)):
            self.register_buffer(name, value)
        self.register_buffer("squares", (vectors**2).sum(1))  # of a sum in the file the vectors would be stored twice

    def decided(self, seen: Tensor) -> Tensor:
        """(n, classes) of the scattering (n, d)."""
        point = (seen - self.mean) @ self.turn
        far = (point * point).sum(1, keepdim=True) - 2 * point @ self.vectors.T + self.squares
        said: Tensor = torch.exp(-self.narrow * far) @ self.weight + self.bias
        return said

    def forward(self, image: Tensor) -> Tensor:
        said = torch.stack([self.decided(self.waves(side)) for side in _sides(image, self.waves)]).mean(0)
        return said * self.share


def _sides(pictures: Tensor, waves: Eyes) -> tuple[Tensor, ...]:
    return (pictures,) if waves.turned else (pictures, torch.flip(pictures, (-1,)))


def scattered(how: Scattering, pictures: Tensor) -> Tensor:
    """(sides, n, d): what is seen of 8-bit pictures (n, channels, rows, columns), and of their mirror images.

    It is their scattering or, for a backbone, what that sees.
    """
    waves = _looking(how)
    with torch.inference_mode():
        found = [
            torch.stack([waves(side) for side in _sides(some.float() / 255, waves)]) for some in pictures.split(32)
        ]
    return torch.cat(found, 1)


class Directions(NamedTuple):
    """Directions of largest spread of some examples' scattering.

    Args:
        mean: (d,). turn: (d, m) from the scattering less its mean to coordinates of spread 1, the largest direction
            last. points: (sides · n, m) of the examples. sides: mirror images of each.
    """

    mean: npt.NDArray[np.float64]
    turn: npt.NDArray[np.float64]
    points: npt.NDArray[np.float64]
    sides: int


def directions(seen: Tensor) -> Directions:
    """Of the scattering (sides, n, d) of some pictures, each number brought to spread 1."""
    points = seen.flatten(0, 1).numpy().astype(np.float64)
    mean, spread = points.mean(0), np.maximum(points.std(0), 1e-6)
    points = (points - mean) / spread
    variance, axes = np.linalg.eigh(points @ points.T)
    kept = np.flatnonzero(variance > variance[-1] * 1e-6)
    turn = points.T @ axes[:, kept] / np.sqrt(variance[kept])
    return Directions(mean, turn / spread[:, None], points @ turn, len(seen))


def fit_machine(how: Scattering, on: Directions, labels: npt.NDArray[np.int64], classes: int) -> Machine:
    """Support vectors on the directions of some pictures.

    The bells reach as far as examples lie apart on the mean. Of grades (`ordered`) it is also decided whether a picture
    lies above each but the last: those below a grade speak for it, the others against, and together they count as much
    as the decisions of each grade against all others, by the spread of both over the pictures that were learnt from.
    """
    points, labels = on.points[:, -how.kept :], np.tile(labels, on.sides)
    narrow = how.reach / float(points.var(0).sum())
    kinds = [1] if classes == 2 else list(range(classes))
    weight, bias = _decisions(how, points, narrow, [labels == kind for kind in kinds])
    if classes == 2:
        weight, bias = np.concatenate([-weight, weight], 1) / 2, np.concatenate([-bias, bias]) / 2
    if how.ordered:
        weight, bias = _with_grades(how, points, narrow, labels, weight, bias)
    used = weight.any(1)
    numbers = (on.mean, on.turn[:, -how.kept :], points[used], weight[used], bias)
    held = [torch.tensor(n, dtype=torch.float32) for n in numbers]
    fitted = Machine(_looking(how), held[0], held[1], held[2], held[3], held[4], narrow)
    fitted.eval()
    return fitted


def _decisions(
    how: Scattering, points: Numbers, narrow: float, told: Sequence[npt.NDArray[np.bool_]]
) -> tuple[Numbers, Numbers]:
    """(n, decisions) weights of the points, and (decisions,) what is added; they are summed where decisions are."""
    from sklearn.metrics.pairwise import rbf_kernel
    from sklearn.svm import SVC

    few = len(points) <= _HELD  # then how near they lie to each other is reckoned once for all decisions
    seen, kernel = (rbf_kernel(points, gamma=narrow), "precomputed") if few else (points, "rbf")
    weight, bias = np.zeros((len(points), len(told))), np.zeros(len(told))
    for column, yes in enumerate(told):
        machine = SVC(C=how.penalty, kernel=kernel, gamma=narrow).fit(seen, yes)
        weight[machine.support_, column], bias[column] = machine.dual_coef_[0], machine.intercept_[0]
    return weight, bias


def _with_grades(
    how: Scattering, points: Numbers, narrow: float, labels: npt.NDArray[np.int64], weight: Numbers, bias: Numbers
) -> tuple[Numbers, Numbers]:
    """Decisions of each grade against the rest, and, counting as much, those of what lies above each."""
    from sklearn.metrics.pairwise import rbf_kernel

    last = len(bias) - 1
    above, offset = _decisions(how, points, narrow, [labels > grade for grade in range(last)])
    speaks = np.where(np.arange(last)[:, None] < np.arange(last + 1), 1.0, -1.0)
    above, offset = above @ speaks, offset @ speaks
    both, apart = np.concatenate([weight, above], 1), np.concatenate([bias, offset])
    said = np.concatenate([
        rbf_kernel(some, points, gamma=narrow) @ both + apart
        for some in np.array_split(points, len(points) // _AT_ONCE + 1)
    ])  # fmt: skip
    alike = _spread(said[:, : last + 1]) / _spread(said[:, last + 1 :])
    return weight + alike * above, bias + alike * offset


def _spread(said: Numbers) -> float:
    return float(np.sqrt(np.mean((said - said.mean(1, keepdims=True)) ** 2)))
