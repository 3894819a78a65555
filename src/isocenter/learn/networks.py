"""Networks: compact residual classifiers of films, of small pictures and of small volumes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["GridNet", "ResidualNet"]


_LAYERS = {2: (nn.Conv2d, nn.BatchNorm2d, nn.AvgPool2d), 3: (nn.Conv3d, nn.BatchNorm3d, nn.AvgPool3d)}


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
        answers: number of logits. dropout: on the embedding while training.
    """

    def __init__(self, widths: Sequence[int], answers: int, dropout: float = 0.0) -> None:
        super().__init__()
        steps: list[nn.Module] = [nn.Conv2d(1, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
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


class GridNet(nn.Module):  # type: ignore[misc]
    """Small picture or volume → features → mean over the grid → one answer for each class.

    Args:
        widths: channels of the stem, which keeps a picture's grid and halves that of a volume, and of the stages, each
            of which halves it. answers: number of logits. dropout: on the embedding while training.
        axes: 2 for pictures, 3 for volumes. channels: of the input.
        levelled: whether each picture is freed of its own brightness and contrast first.
    """

    def __init__(
        self, widths: Sequence[int], answers: int, dropout: float = 0.0, *, axes: int = 2, channels: int = 1,
        levelled: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        convolution, norm, _ = _LAYERS[axes]
        self.axes, self.levelled = axes, levelled
        steps = [convolution(channels, widths[0], 3, axes - 1, 1, bias=False), norm(widths[0]), nn.ReLU()]
        for inward, outward in pairwise(widths):
            steps.append(_Step(inward, outward, 2, axes))
        steps.append(_Step(widths[-1], widths[-1], 1, axes))
        self.body = nn.Sequential(*steps)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], answers)

    def embedding(self, x: Tensor) -> Tensor:
        """(n, channels): what the answers are linear in."""
        if self.levelled:
            over = tuple(range(1, self.axes + 2))
            mean = x.mean(over, keepdim=True)
            x = (x - mean) / (((x - mean) ** 2).mean(over, keepdim=True).sqrt() + 1e-2)
        seen: Tensor = self.body(x).mean(tuple(range(2, self.axes + 2)))
        return seen

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(self.drop(self.embedding(x)))
        return answer
