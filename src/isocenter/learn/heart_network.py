"""A small U-Net that outlines the left ventricle on one short-axis slice, with its neighbours beside it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["HeartNet"]


def _step(inward: int, outward: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inward, outward, kernel, 1, kernel // 2, bias=False), nn.BatchNorm2d(outward), nn.ReLU(inplace=True)
    )


class HeartNet(nn.Module):  # type: ignore[misc]
    """Three slices → for each pixel of the middle one the logit of lying within endocardium and within epicardium; with
    a third number, how deep within the endocardium it lies (`isocenter.learn.heart_border`).

    After Ronneberger 2015; what comes up from a coarser grid is first narrowed by a 1 × 1 convolution, which halves the
    work on the finest grid.

    Args:
        widths: channels from the finest grid to the coarsest; each step halves the grid.
        inward, outward: pictures that are looked at, numbers that are said of each pixel.
    """

    def __init__(self, widths: Sequence[int], inward: int = 3, outward: int = 2) -> None:
        super().__init__()
        down, narrow, up = [], [], []
        for k, width in enumerate(widths):
            down.append(nn.Sequential(_step(inward, width), _step(width, width)))
            inward = width
            if k:
                narrow.append(_step(width, widths[k - 1], 1))
                up.append(_step(2 * widths[k - 1], widths[k - 1]))
        self.down, self.narrow, self.up = nn.ModuleList(down), nn.ModuleList(narrow), nn.ModuleList(up)
        self.head = nn.Conv2d(widths[0], outward, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((1, 2, 3), keepdim=True)
        x = (x - mean) / (((x - mean) ** 2).mean((1, 2, 3), keepdim=True).sqrt() + 1e-3)
        kept = []
        for k, step in enumerate(self.down):
            x = step(functional.max_pool2d(x, 2) if k else x)
            kept.append(x)
        for k in reversed(range(len(self.up))):
            x = functional.interpolate(self.narrow[k](x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = self.up[k](torch.cat([kept[k], x], 1))
        return self.head(x)
