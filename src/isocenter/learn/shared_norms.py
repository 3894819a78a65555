"""Norms of a batch that nobody holds whole: its moments are shared, and each site normalises by them.

A batch norm takes mean and spread over the pictures of a step, and its gradient two means more: that of the gradient
and that of its product with what was normalised. Where the pictures lie at many sites none of the four can be known
while the step is taken. But they are sums over pictures. Here each site normalises by those of the sums before, as a
moving mean, and gives its own into the next sum; so a picture goes the same way at whatever site it lies, and the
gradient of the federation is the sum over all pictures, however they are dealt. Moving means in both directions are
those of Yan et al. (ICLR 2020); a batch alone has those of its site, and sites differ (Ioffe 2017 for small batches).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["MOMENTS", "SharedNorm"]

MOMENTS = ("mean", "square", "pull", "turn")
"""Numbers of a norm that are moments of pictures and no weights: a sum of sites takes their mean as it is."""


class _Normed(torch.autograd.Function):  # type: ignore[misc]
    """(x - mean) / spread, whose gradient goes by the shared moments, and which meets the moments of its own batch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: SharedNorm) -> Tensor:
        shape = (1, -1, *[1] * (x.ndim - 2))
        spread = norm.spread().view(shape)
        seen: Tensor = (x - norm.mean.view(shape)) / spread
        ctx.save_for_backward(seen, spread, norm.pull.clone(), norm.turn.clone())
        ctx.norm, ctx.shape = norm, shape
        norm.renew("mean", x)
        norm.renew("square", x * x)
        return seen

    @staticmethod
    def backward(ctx: Any, down: Tensor) -> tuple[Tensor, None]:
        seen, spread, pull, turn = ctx.saved_tensors
        count = len(down)  # the loss is the mean over pictures: of each picture it is as many times as steep
        steep = down * count
        ctx.norm.renew("pull", steep)
        ctx.norm.renew("turn", steep * seen)
        return (steep - pull.view(ctx.shape) - seen * turn.view(ctx.shape)) / (spread * count), None


class SharedNorm(nn.Module):  # type: ignore[misc]
    """A norm of each channel by moments that all sites share.

    In training it moves its moments towards those of its batch, and normalises by what they were before.

    Args:
        like: batch norm in whose place it stands. renewed: part of the moments that one step renews, above 0.
    """

    mean: Tensor
    square: Tensor
    pull: Tensor
    turn: Tensor

    def __init__(self, like: nn.Module, renewed: float) -> None:
        super().__init__()
        self.renewed, self.eps = renewed, like.eps
        self.weight = nn.Parameter(like.weight.detach().clone())
        self.bias = nn.Parameter(like.bias.detach().clone())
        for name in MOMENTS:
            value = torch.ones_like(self.weight) if name == "square" else torch.zeros_like(self.weight)
            self.register_buffer(name, value.detach())

    def spread(self) -> Tensor:
        """Of each channel over all pictures: that between sites is in it."""
        spread: Tensor = ((self.square - self.mean**2).clamp(min=0) + self.eps).sqrt()
        return spread

    def renew(self, name: str, values: Tensor) -> None:
        """Move a moment towards the mean of these values over pictures and places."""
        own = getattr(self, name)
        own += self.renewed * (values.detach().mean((0, *range(2, values.ndim))) - own)

    def forward(self, x: Tensor) -> Tensor:
        shape = (1, -1, *[1] * (x.ndim - 2))
        seen = _Normed.apply(x, self) if self.training else (x - self.mean.view(shape)) / self.spread().view(shape)
        return seen * self.weight.view(shape) + self.bias.view(shape)
