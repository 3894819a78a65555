"""Saliency by gradients of a torch network: integrated gradients and Grad-CAM. It needs the extra `ml`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import Refused

__all__ = ["grad_cam", "integrated_gradients"]

Array = npt.NDArray[np.float32]
_AT_ONCE = 4  # of 16 pictures a network that sees 224 pixels keeps 4 to 7 GB on the way to a gradient, and is slower


def integrated_gradients(
    net: nn.Module, image: Array, *, output: int = 0, base: Array | None = None, steps: int = 64
) -> Array:
    """What each pixel adds to the answer on the straight way from a base image (Sundararajan 2017), by midpoints.

    The sum over the pixels is the answer for the image less that for the base.

    Args:
        image: (channels, *grid). output: which answer, (n, outputs). base: the image's mean when None.

    Returns:
        (channels, *grid) parts of the answer.

    Raises:
        Refused: an image that is not finite, or a base of another shape.
    """
    if not np.isfinite(image).all():
        raise Refused(
            "an image that is not finite", "no gradient is defined there", "leave it out, or fill what is missing"
        )
    start = np.full_like(image, image.mean()) if base is None else base
    if start.shape != image.shape:
        raise Refused(
            f"a base of shape {start.shape}",
            f"the image has {image.shape}",
            "give a base of the same shape, or none for the mean of the image",
        )
    a, b = torch.from_numpy(np.ascontiguousarray(start)), torch.from_numpy(np.ascontiguousarray(image))
    net.eval()
    total = torch.zeros_like(a)
    for part in torch.split((torch.arange(steps) + 0.5) / steps, _AT_ONCE):
        way = a + part.view(-1, *[1] * a.ndim) * (b - a)
        way.requires_grad_(True)
        total += torch.autograd.grad(net(way)[:, output].sum(), way)[0].sum(0)
    return np.asarray((total / steps * (b - a)).detach().numpy(), np.float32)


def grad_cam(net: nn.Module, layer: nn.Module, image: Array, *, output: int = 0) -> Array:
    """Feature maps of a layer weighed by their mean gradient, where positive, on the image's grid (Selvaraju 2017).

    Raises:
        Refused: an image that is not finite, or a layer that is not passed or gives no maps.
    """
    if not np.isfinite(image).all():
        raise Refused(
            "an image that is not finite", "no gradient is defined there", "leave it out, or fill what is missing"
        )
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _given, made: kept.append(made))
    net.eval()
    try:
        said = net(torch.from_numpy(np.ascontiguousarray(image))[None])
    finally:
        handle.remove()
    if not kept or kept[-1].ndim != image.ndim + 1:
        raise Refused("a layer without feature maps", "Grad-CAM weighs maps that keep the grid", "name a convolution")
    (slope,) = torch.autograd.grad(said[0, output], kept[-1])
    axes = tuple(range(2, slope.ndim))
    weighed = functional.relu((kept[-1] * slope.mean(axes, keepdim=True)).sum(1, keepdim=True))
    mode = "bilinear" if image.ndim == 3 else "trilinear"
    grown = functional.interpolate(weighed, image.shape[1:], mode=mode, align_corners=False)
    return np.asarray(grown[0, 0].detach().numpy(), np.float32)
