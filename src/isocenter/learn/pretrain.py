"""Learning from images without labels, so that few labels go further; or not, which only a curve can tell.

Two ways. *Contrast* (SimCLR; Chen et al., ICML 2020): two random views of one picture shall be alike and unlike all
others. *Masking* (after He et al., CVPR 2022, with a convolutional encoder): three quarters of a picture are hidden and
drawn again from what is left. Both train the body of the classifier that a recipe describes, and what comes out is a
beginning for `train`, not a model. On one machine a run on the processor repeats bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter import wholly
from isocenter.analysis.weights import read_file
from isocenter.dicom.confining import bounded_memory
from isocenter.errors import NotFound, Refused
from isocenter.learn.augment import augmented, moved
from isocenter.learn.fit import Schedule, descend
from isocenter.learn.kinds import Classes
from isocenter.learn.labelled import unlabelled
from isocenter.learn.networks import GridNet
from isocenter.learn.recipes import recipe
from isocenter.learn.tensors import packed, unpacked

__all__ = ["METHODS", "Pretraining", "beginning", "contrast", "pretrain", "trained_body"]

METHODS = ("contrast", "masking")


@dataclass(frozen=True)
class Pretraining:
    """How a body is trained without labels.

    Args:
        task: recipe (a name, or a file) whose network and movements are taken.
        method: one of `METHODS`.
        steps, batch, rate, decay: of the descent.
        temperature: of the contrast. hidden: part of the picture that is masked, in squares of `patch` pixels.
    """

    task: str
    method: str = "contrast"
    steps: int = 2000
    batch: int = 128
    rate: float = 2e-3
    decay: float = 0.02
    temperature: float = 0.2
    hidden: float = 0.75
    patch: int = 4
    threads: int = 1

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise Refused(f"method '{self.method:.30}'", f"there are {', '.join(METHODS)}", "choose one of these")
        if min(self.steps, self.batch - 1, self.patch) < 1 or not 0 < self.hidden < 1 or self.temperature <= 0:
            raise Refused(
                "a pretraining that cannot run",
                "steps, batch, patch, hidden or temperature are out of range",
                "give whole numbers above 0",
            )


def contrast(one: Tensor, other: Tensor, temperature: float) -> Tensor:
    """NT-Xent: −ln(e^{s(i,j)/τ} / Σ_{k≠i} e^{s(i,k)/τ}), the mean over all views.

    Args:
        one, other: (n, d) of the two views of the same pictures.
    """
    rows = functional.normalize(torch.cat([one, other]), dim=1)
    alike = rows @ rows.T / temperature
    alike = alike.masked_fill(torch.eye(len(rows), dtype=torch.bool), -torch.inf)
    pair = torch.arange(len(rows)).roll(len(one))
    return functional.cross_entropy(alike, pair)


class _Contrasted(nn.Module):  # type: ignore[misc]
    def __init__(self, net: GridNet, width: int) -> None:
        super().__init__()
        self.net = net
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 64))

    def forward(self, x: Tensor) -> Tensor:
        told: Tensor = self.head(self.net.embedding(x))
        return told


class _Drawn(nn.Module):  # type: ignore[misc]
    """Encoder, and a light decoder that brings its grid back to that of the picture."""

    def __init__(self, net: GridNet, width: int, axes: int, channels: int) -> None:
        super().__init__()
        self.net = net
        convolution = nn.Conv2d if axes == 2 else nn.Conv3d
        self.draw = nn.Sequential(convolution(width, width, 3, 1, 1), nn.ReLU(), convolution(width, channels, 3, 1, 1))
        self.mode = "bilinear" if axes == 2 else "trilinear"

    def forward(self, x: Tensor) -> Tensor:
        seen = functional.interpolate(self.net.body(x), x.shape[2:], mode=self.mode, align_corners=False)
        drawn: Tensor = self.draw(seen)
        return drawn


def _mask(n: int, shape: tuple[int, ...], how: Pretraining, random: torch.Generator) -> Tensor:
    """(n, 1, …) 1 where the picture is hidden."""
    coarse = [-(-side // how.patch) for side in shape]
    hidden = (torch.rand(n, 1, *coarse, generator=random) < how.hidden).float()
    whole = functional.interpolate(hidden, scale_factor=float(how.patch), mode="nearest")
    return whole[(..., *(slice(side) for side in shape))]


def trained_body(
    how: Pretraining, own: Classes, pictures: npt.NDArray[np.uint8], seed: int, *, checkpoint: Path | None = None,
    progress: Callable[[str], None] = lambda line: None, clock: Callable[[], float] = time.monotonic,
) -> GridNet:  # fmt: skip
    """The network of a recipe with a body that has seen these pictures and no label.

    Raises:
        Refused: fewer pictures than a batch.
    """
    axes = len(own.shape)
    if len(pictures) < how.batch:
        raise Refused(f"{len(pictures)} pictures", f"a batch has {how.batch}", "give more, or take a smaller batch")
    colour = np.moveaxis(pictures, -1, 1) if own.channels > 1 else pictures[:, None]
    shown = torch.from_numpy(np.ascontiguousarray(colour))

    def view(some: Tensor, random: torch.Generator) -> Tensor:
        x = some.float() / 255
        return augmented(x, own.augmentation, own.shape[0], random) if axes == 2 else moved(x, own.movement, random)

    def loss(net: nn.Module, step: int, random: torch.Generator) -> Tensor:
        some = shown[torch.randint(len(shown), (how.batch,), generator=random)]
        if how.method == "contrast":
            both = net(torch.cat([view(some, random), view(some, random)]))
            return contrast(both[: how.batch], both[how.batch :], how.temperature)
        x = view(some, random)
        over = tuple(range(1, axes + 2))
        spread = ((x - x.mean(over, keepdim=True)) ** 2).mean(over, keepdim=True).sqrt() + 1e-2
        x = (x - x.mean(over, keepdim=True)) / spread
        hidden = _mask(len(x), tuple(x.shape[2:]), how, random)
        apart = (net(x * (1 - hidden)) - x) ** 2 * hidden
        return apart.sum() / (hidden.sum() * x.shape[1]).clamp(min=1)

    def make() -> nn.Module:
        net = GridNet(own.widths, len(own.classes) + (own.foreign > 0), own.dropout, axes=axes, channels=own.channels,
                      levelled=own.levelled, softened=own.softened)  # fmt: skip
        width = own.widths[-1]
        return _Contrasted(net, width) if how.method == "contrast" else _Drawn(net, width, axes, own.channels)

    sha = hashlib.sha256(np.ascontiguousarray(pictures).tobytes()).hexdigest()
    schedule = Schedule(how.steps, max(1, min(100, how.steps)), how.rate, max(1, how.steps // 20), how.decay, 0.99,
                        how.threads)  # fmt: skip
    key = repr((asdict(how), own.widths, own.shape, sha))
    whole = descend(make, loss, schedule, seed, key, checkpoint=checkpoint, progress=progress, clock=clock)
    body: GridNet = whole.net
    return body


@bounded_memory()
def beginning(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """The body that `pretrain` wrote.

    Raises:
        NotFound: there is none. Refused: a model lies there. LimitReached: the file needs more memory than there is.
    """
    if not (folder / "body.safetensors").is_file():
        if (folder / "model.json").is_file():
            raise Refused(
                f"a beginning with the model in '{folder}'",
                "classes of pictures and volumes begin with a pretraining; only films (chest_xray_opacity) go on from "
                "a model",
                "leave --begin out, and mix earlier examples in: isocenter examples take … --rehearse OLD",
            )
        raise NotFound(f"a pretraining in '{folder}'", "there is none", "make one with `isocenter pretrain`")
    body = unpacked(read_file(folder / "body.safetensors"))[0]
    if odd := next((name for name, held in body.items() if held.dtype.kind == "f" and not np.isfinite(held).all()), ""):
        raise Refused(f"'{odd:.80}' in {folder / 'body.safetensors'}", "it holds numbers that are not finite",
                      "make the pretraining again, with a smaller rate if its loss was no number")  # fmt: skip
    return body


def pretrain(
    how: Pretraining, data: Path, out: Path, seed: int = 0, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Train a body on all images of a folder or ``.npz``; writes ``body.safetensors`` and ``pretraining.json``.

    Raises:
        NotFound, Refused: no such recipe, one without a network of classes, or images that cannot be read.
    """
    own = recipe(how.task)
    if not isinstance(own, Classes) or own.measured or own.network is not None:
        raise Refused(f"'{how.task}' without labels", "only our own network of classes begins with a body",
                      "choose a recipe such as breastmnist")  # fmt: skip
    _, pictures = unlabelled(data, own)
    out.mkdir(parents=True, exist_ok=True)
    tell = progress or (lambda line: None)
    tell(f"{len(pictures)} pictures without labels")
    net = trained_body(how, own, pictures, seed, checkpoint=out / "body.checkpoint", progress=tell)
    body = {n: t.numpy() for n, t in net.body.state_dict().items() if t.is_floating_point()}
    packed_body = packed(body, {"task": own.task, "method": how.method})
    wholly.write(out / "body.safetensors", packed_body)
    told = {
        **asdict(how), "task": own.task, "seed": seed, "pictures": len(pictures), "torch": torch.__version__,
        "examples": hashlib.sha256(np.ascontiguousarray(pictures).tobytes()).hexdigest(),
        "digest": hashlib.sha256(packed_body).hexdigest(),
    }  # fmt: skip
    wholly.write(out / "pretraining.json", json.dumps(told, indent=1, sort_keys=True) + "\n")
    return told
