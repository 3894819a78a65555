"""Networks: compact residual classifiers of films, small pictures and volumes, one that outlines volumes, and one that
finds things on pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import Refused

__all__ = ["BoxNet", "GridNet", "MaskNet", "PlainGrid", "PlainNet", "ResidualNet"]


_LAYERS = {2: (nn.Conv2d, nn.BatchNorm2d, nn.AvgPool2d), 3: (nn.Conv3d, nn.BatchNorm3d, nn.AvgPool3d)}
_OUTLINING = {
    2: (nn.Conv2d, nn.InstanceNorm2d, nn.ConvTranspose2d, functional.max_pool2d),
    3: (nn.Conv3d, nn.InstanceNorm3d, nn.ConvTranspose3d, functional.max_pool3d),
}


class _Step(nn.Module):  # type: ignore[misc]
    """Two convolutions and a way around them (He 2016), the way around averaged where the grid is halved."""

    def __init__(self, inward: int, outward: int, stride: int, axes: int = 2) -> None:
        super().__init__()
        convolution, norm, pool = _LAYERS[axes]
        self.one = convolution(inward, outward, 3, stride, 1, bias=False)
        self.norm_one = norm(outward)
        self.two = convolution(outward, outward, 3, 1, 1, bias=False)
        self.norm_two = norm(outward)
        around: list[nn.Module] = []
        if stride > 1:
            around.append(pool(stride, ceil_mode=True))
        if inward != outward:
            around += [convolution(inward, outward, 1, bias=False), norm(outward)]
        self.around = nn.Sequential(*around)
        nn.init.zeros_(self.norm_two.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm_one(self.one(x)))
        return torch.relu(self.around(x) + self.norm_two(self.two(y)))


class ResidualNet(nn.Module):  # type: ignore[misc]
    """Picture → feature map → mean over the map → two answers.

    Because the answers are linear in the mean of the feature map, the class activation map (Zhou 2016) is the same
    linear form taken at each place of the map; no gradient is needed to draw it.

    Args:
        widths: channels of the stages; the stem halves the grid, and so does each stage but the last.
        answers: number of logits. dropout: on the embedding while training. channels: of the picture.
    """

    def __init__(self, widths: Sequence[int], answers: int, dropout: float = 0.0, *, channels: int = 1) -> None:
        super().__init__()
        stem = nn.Conv2d(channels, widths[0], 5, 2, 2, bias=False)
        steps: list[nn.Module] = [stem, nn.BatchNorm2d(widths[0]), nn.ReLU()]
        inward = widths[0]
        for stage, outward in enumerate(widths):
            stride = 1 if stage == len(widths) - 1 else 2
            steps += [_Step(inward, outward, stride), _Step(outward, outward, 1)]
            inward = outward
        self.body = nn.Sequential(*steps)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(inward, answers)

    def features(self, x: Tensor) -> Tensor:
        """(n, channels, rows / 16, columns / 16): what is seen where. Each picture is freed of its own exposure."""
        mean = x.mean((1, 2, 3), keepdim=True)
        spread = ((x - mean) ** 2).mean((1, 2, 3), keepdim=True).sqrt() + 1e-3
        seen: Tensor = self.body((x - mean) / spread)
        return seen

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(self.drop(self.features(x).mean((2, 3))))
        return answer


class PlainNet(ResidualNet):
    """The same question answered by another architecture: 3 × 3 convolutions without a way around, grids halved by
    their maximum (Simonyan 2015). It stands beside a `ResidualNet` to see whether both look at the same places.

    Args:
        widths: channels of the stages; each stage but the last halves the grid. answers, dropout: as before.
    """

    def __init__(self, widths: Sequence[int], answers: int, dropout: float = 0.0) -> None:
        nn.Module.__init__(self)
        steps: list[nn.Module] = [nn.Conv2d(1, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for stage, (inward, outward) in enumerate(pairwise((widths[0], *widths))):
            if stage < len(widths) - 1:
                steps.append(nn.MaxPool2d(2))
            for a, b in ((inward, outward), (outward, outward)):
                steps += [nn.Conv2d(a, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
        self.body = nn.Sequential(*steps)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], answers)


class GridNet(nn.Module):  # type: ignore[misc]
    """Small picture or volume → features → mean over the grid → one answer for each class.

    Args:
        widths: channels of the stem, which keeps a picture's grid and halves that of a volume, and of the stages, each
            of which halves it. answers: number of logits. dropout: on the embedding while training.
        axes: 2 for pictures, 3 for volumes. channels: of the input.
        levelled: whether each picture is freed of its own brightness and contrast first.
        softened: whether a picture is smoothed by a 3 × 3 binomial first.
    """

    def __init__(
        self, widths: Sequence[int], answers: int, dropout: float = 0.0, *, axes: int = 2, channels: int = 1,
        levelled: bool = True, softened: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        convolution, norm, _ = _LAYERS[axes]
        self._before(axes, channels, levelled, softened)
        steps = [convolution(channels, widths[0], 3, axes - 1, 1, bias=False), norm(widths[0]), nn.ReLU()]
        for inward, outward in pairwise(widths):
            steps.append(_Step(inward, outward, 2, axes))
        steps.append(_Step(widths[-1], widths[-1], 1, axes))
        self.body = nn.Sequential(*steps)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], answers)

    def _before(self, axes: int, channels: int, levelled: bool, softened: bool) -> None:
        self.axes, self.levelled, self.softened = axes, levelled, softened
        if softened:
            line = torch.tensor([1.0, 2.0, 1.0]) / 4
            kernel = (line[:, None] * line[None, :]).expand(channels, 1, 3, 3).clone()
            self.register_buffer("soft", kernel, persistent=False)

    def evened(self, x: Tensor) -> Tensor:
        """The picture as the body looks at it."""
        if self.levelled:
            over = tuple(range(1, self.axes + 2))
            mean = x.mean(over, keepdim=True)
            x = (x - mean) / (((x - mean) ** 2).mean(over, keepdim=True).sqrt() + 1e-2)
        if self.softened:
            x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), self.soft, groups=x.shape[1])
        return x

    def begun(self, body: Mapping[str, npt.NDArray[Any]]) -> GridNet:
        """This network with the body of a pretraining; the head stays as it was.

        Raises:
            Refused: the body of another network.
        """
        own = {n: t for n, t in self.body.state_dict().items() if t.is_floating_point()}
        if set(own) != set(body) or any(tuple(own[n].shape) != body[n].shape for n in own):
            raise Refused("the body of another network", "its layers do not fit", "pretrain for this recipe")
        for name, value in own.items():
            value.copy_(torch.from_numpy(np.asarray(body[name])))
        return self

    def traits(self, x: Tensor) -> Tensor:
        """(n, widths of all stages and of the last step): how much is seen of what, from edges and texture on.

        The last of them are the `embedding`; those before it tell pictures of another make apart that the last stage
        finds familiar.
        """
        found, places = [], tuple(range(2, self.axes + 2))
        x = self.evened(x)
        for number, step in enumerate(self.body):
            x = step(x)
            if number > 2:  # the stem is a convolution, a norm and what is above zero
                found.append(x.mean(places))
        return torch.cat(found, 1)

    def embedding(self, x: Tensor) -> Tensor:
        """(n, channels): what the answers are linear in."""
        return self.traits(x)[:, -self.head.in_features :]

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(self.drop(self.embedding(x)))
        return answer


class PlainGrid(GridNet):
    """What a `GridNet` is asked, answered by another architecture: convolutions without a way around, grids halved by
    their maximum (Simonyan 2015). It stands beside one to see whether both look at the same places.

    Args:
        widths, answers, dropout, axes, channels, levelled, softened: as before.
    """

    def __init__(
        self, widths: Sequence[int], answers: int, dropout: float = 0.0, *, axes: int = 2, channels: int = 1,
        levelled: bool = True, softened: bool = False,
    ) -> None:  # fmt: skip
        nn.Module.__init__(self)
        convolution, norm, _ = _LAYERS[axes]
        pool = nn.MaxPool2d if axes == 2 else nn.MaxPool3d
        self._before(axes, channels, levelled, softened)
        steps: list[nn.Module] = [convolution(channels, widths[0], 5, 1, 2, bias=False), norm(widths[0]), nn.ReLU()]
        for inward, outward in pairwise(widths):
            layers = [convolution(inward, outward, 3, 1, 1, bias=False), norm(outward), nn.ReLU()]
            steps.append(nn.Sequential(pool(2, ceil_mode=True), *layers))
        self.body = nn.Sequential(*steps)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], answers)


class MaskNet(nn.Module):  # type: ignore[misc]
    """Volume → logits of each label for each voxel: a U-Net (Ronneberger 2015) whose depth lies on half the grid.

    The first convolution takes every block of 2 × 2 × 2 voxels to one place, and a transposed one gives each place its
    eight voxels back; a few channels of the whole grid beside it keep the edges sharp. The work is a fifth of that of
    as many channels on the whole grid. Of a picture (`axes` 2) each pixel has its label.

    Args:
        widths: channels from half the grid to the coarsest; each step halves the grid. answers: labels with background.
        fine: channels on the whole grid.
    """

    def __init__(self, widths: Sequence[int], answers: int, fine: int = 8, axes: int = 3) -> None:
        super().__init__()
        convolution, norm, raised, self.pool = _OUTLINING[axes]

        def step(inward: int, outward: int) -> nn.Sequential:
            return nn.Sequential(
                convolution(inward, outward, 3, 1, 1, bias=False), norm(outward, affine=True), nn.ReLU()
            )

        self.stem = convolution(1, widths[0], 4, 2, 1)
        down, narrow, up = [nn.Sequential(step(widths[0], widths[0]), step(widths[0], widths[0]))], [], []
        for inward, outward in pairwise(widths):
            down.append(nn.Sequential(step(inward, outward), step(outward, outward)))
            narrow.append(convolution(outward, inward, 1))
            up.append(nn.Sequential(step(2 * inward, inward), step(inward, inward)))
        self.down, self.narrow, self.up = nn.ModuleList(down), nn.ModuleList(narrow), nn.ModuleList(up)
        self.fine, self.lift = step(1, fine), raised(widths[0], fine, 2, 2)
        self.join, self.head = step(2 * fine, fine), convolution(fine, answers, 1)

    def forward(self, x: Tensor) -> Tensor:
        sharp, x = self.fine(x), self.stem(x)
        kept = []
        for k, step in enumerate(self.down):
            x = step(self.pool(x, 2) if k else x)
            kept.append(x)
        for k in reversed(range(len(self.up))):
            x = functional.interpolate(self.narrow[k](x), scale_factor=2.0, mode="nearest")
            x = self.up[k](torch.cat([kept[k], x], 1))
        return self.head(self.join(torch.cat([sharp, self.lift(x)], 1)))


class BoxNet(nn.Module):  # type: ignore[misc]
    """Picture → for each place of a grid a quarter as fine: what has its centre there, and how far its sides are.

    Residual stages, each on half the grid of the last, are brought together from coarse to fine (Lin 2017) on the grid
    of the second; there are no anchors: a thing is a peak of its class (Zhou 2019, Liu 2020).

    Args:
        widths: channels of the stages. neck: channels where they meet. answers: classes.
    """

    reach = 16.0
    """Pixels that a side is away for an answer of 1."""

    def __init__(self, widths: Sequence[int], neck: int, answers: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU())
        self.down = nn.ModuleList(
            nn.Sequential(_Step(inward, outward, 2), _Step(outward, outward, 1)) for inward, outward in pairwise(widths)
        )
        self.side = nn.ModuleList(nn.Conv2d(width, neck, 1) for width in widths[1:])
        self.meet = nn.ModuleList(self._smooth(neck) for _ in widths[2:])
        self.what = nn.Sequential(self._smooth(neck), nn.Conv2d(neck, answers, 1))
        self.far = nn.Sequential(self._smooth(neck), nn.Conv2d(neck, 4, 1))
        nn.init.constant_(self.what[-1].bias, -4.0)  # nearly every place is the centre of nothing

    @staticmethod
    def _smooth(width: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, classes, rows / 4, columns / 4); pixels to the left, top, right and bottom side (n, 4, …)."""
        x = self.stem(x)
        seen = []
        for step, side in zip(self.down, self.side, strict=True):
            x = step(x)
            seen.append(side(x))
        y = seen[-1]
        for fine, meet in zip(reversed(seen[:-1]), self.meet, strict=True):
            y = meet(fine + functional.interpolate(y, fine.shape[2:], mode="nearest"))
        return self.what(y), functional.softplus(self.far(y)) * self.reach
