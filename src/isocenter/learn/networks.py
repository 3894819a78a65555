"""Networks: a compact residual classifier, and a smaller one that tells whether a picture is in scope."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["ResidualNet"]


class _Step(nn.Module):  # type: ignore[misc]
    """Two convolutions and a way around them (He 2016), the way around averaged where the grid is halved."""

    def __init__(self, inward: int, outward: int, stride: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(inward, outward, 3, stride, 1, bias=False)
        self.norm_one = nn.BatchNorm2d(outward)
        self.two = nn.Conv2d(outward, outward, 3, 1, 1, bias=False)
        self.norm_two = nn.BatchNorm2d(outward)
        around: list[nn.Module] = []
        if stride > 1:
            around.append(nn.AvgPool2d(stride))
        if inward != outward:
            around += [nn.Conv2d(inward, outward, 1, bias=False), nn.BatchNorm2d(outward)]
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
