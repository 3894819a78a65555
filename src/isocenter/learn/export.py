"""From trained networks to one ONNX file that answers, shows where it looked, and says what it must not answer."""

from __future__ import annotations

import hashlib
import io
import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter import wholly
from isocenter.errors import Refused
from isocenter.learn.networks import ResidualNet
from isocenter.learn.scope import SEEN, Scope
from isocenter.methods.calibration import Scale

__all__ = ["COMPARED", "OUTPUTS", "Gate", "Whole", "export", "exported"]

OUTPUTS = ("logits", "certainty", "map", "features", "embedding", "scope", "strangeness")
COMPARED = 100
"""Inputs on which a file that ships is held to torch."""
_AT_ONCE = 20_000  # grey values of images that are compared together


class Gate(nn.Module):  # type: ignore[misc]
    """``small`` (n, 1, 40, 40), a film at the size at which the gate looks at it → ``scope``, ``strangeness``."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.gate = scope.net
        self.register_buffer("centre", scope.centre)
        self.register_buffer("whiten", scope.whiten)

    def forward(self, small: Tensor) -> tuple[Tensor, Tensor]:
        far = self.gate.features(small).mean((2, 3))
        away = (far - self.centre) @ self.whiten
        return torch.softmax(self.gate.head(far), 1), (away * away).sum(1).sqrt()


class Whole(Gate):
    """Picture → everything that an analysis needs.

    Input ``image``: (n, 1, size, size) in 0 … 1, as `isocenter.methods.picture.prepared` makes it. Outputs:

    - ``logits`` (n, 2): opacity; virus against bacteria. Mean of the networks over the picture and its mirror image.
    - ``certainty`` (n, 2): the same, calibrated.
    - ``map`` (n, 1, h, w): the opacity logit taken place by place; its mean is the logit.
    - ``features`` (n, c, h, w), ``embedding`` (n, c): what the logits are linear in.
    - ``scope`` (n, 3): chance of being something else, a small child's chest, an adult's chest.
    - ``strangeness`` (n,): distance from the training pictures; above 1 is farther than 499 of 500 of them.
    """

    def __init__(self, nets: Sequence[ResidualNet], scales: Sequence[Scale], scope: Scope) -> None:
        super().__init__(scope)
        self.nets = nn.ModuleList(nets)
        self.register_buffer("weight", torch.cat([n.head.weight.detach() for n in nets], 1) / len(nets))
        self.register_buffer("bias", torch.stack([n.head.bias.detach() for n in nets]).mean(0))
        self.register_buffer("slope", torch.tensor([s.slope for s in scales], dtype=torch.float32))
        self.register_buffer("offset", torch.tensor([s.offset for s in scales], dtype=torch.float32))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        mirrored = torch.flip(image, (3,))
        seen = [(net.features(image) + torch.flip(net.features(mirrored), (3,))) / 2 for net in self.nets]
        features = torch.cat(seen, 1)
        embedding = features.mean((2, 3))
        logits = embedding @ self.weight.T + self.bias
        places = (features * self.weight[0].view(1, -1, 1, 1)).sum(1, keepdim=True) + self.bias[0]
        certainty = torch.sigmoid(logits * self.slope + self.offset)
        return logits, certainty, places, features, embedding, *super().forward(_shrunk(image, SEEN))


def _shrunk(image: Tensor, side: int) -> Tensor:
    """The picture at the size at which the gate looks at it: each pixel the mean of what it covers."""
    if image.shape[-1] == 4 * side:
        return functional.avg_pool2d(image, 4)
    part = int(image.shape[-1]) / side
    edges, pixels = torch.arange(side + 1) * part, torch.arange(int(image.shape[-1]))
    upper, lower = edges[1:, None].minimum(pixels + 1), edges[:-1, None].maximum(pixels)
    mean = (upper - lower).clamp(min=0) / part
    return mean @ image @ mean.T


def export(whole: Whole, size: int, path: Path, *, limit_bytes: int = 10_000_000, seed: int = 0) -> tuple[str, float]:
    """The classifier of films as ONNX; see `exported`."""
    return exported(whole, (1, size, size), path, OUTPUTS, limit_bytes=limit_bytes, seed=seed)


def exported(
    net: nn.Module, shape: tuple[int, ...], path: Path, outputs: Sequence[str], *, limit_bytes: int = 10_000_000,
    seed: int = 0, free: bool = False, inputs: Iterable[Tensor | tuple[Tensor, ...]] | None = None, apart: float = 1e-4,
    name: str | tuple[str, ...] = "image",
    measure: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]] | None = None,
) -> tuple[str, float]:  # fmt: skip
    """Prove that the network as ONNX answers as torch does, and write it.

    Args:
        shape: of one image: channels, then its grid. outputs: names, in the order in which the network gives them.
        free: whether images of another grid may be given, too.
        apart: by how much the two may differ, of the larger of 1 and the value; what ships is held to the default.
        inputs: to compare on; by default `COMPARED` images from coarse to fine, with grey values in 0 … 1.
        name: of the input in the file; or of several, which are given as many images each as one likes, or none.
        measure: what is made of both answers before they are compared: `scipy.special.expit` where a network says
            logits and is asked for chances. By default they are compared as they are.

    Returns:
        SHA-256 of the file, and the largest difference over these inputs and all outputs.

    Raises:
        Refused: when the two differ by more, or the file is too large.
    """
    import onnxruntime as ort

    net.eval()
    names = (name,) if isinstance(name, str) else name
    random = torch.Generator().manual_seed(seed)
    pictures = tuple(torch.rand(2, *shape, generator=random) for _ in names)
    free_axes = {0: "n"} | ({a: f"axis{a}" for a in range(2, len(shape) + 1)} if free else {})

    def sizes(one: str) -> dict[int, str]:  # what has one name in the file has one size: not so of several inputs
        return free_axes if len(names) == 1 else {axis: f"{size}_{one}" for axis, size in free_axes.items()}

    made = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter needs no onnxscript at run time
        torch.onnx.export(
            net, pictures, made, input_names=list(names), output_names=list(outputs), opset_version=18,
            dynamic_axes={each: sizes(each) for each in (*names, *outputs)}, dynamo=False,
        )  # fmt: skip
    data = made.getvalue()
    if len(data) > limit_bytes:
        raise Refused(
            f"{path.name} has {len(data)} bytes",
            f"a shipped model has at most {limit_bytes}",
            "train a smaller network: fewer widths or members",
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for given in inputs if inputs is not None else _images(shape, seed):
        images = given if isinstance(given, tuple) else (given,)
        with torch.inference_mode():
            said = net(*images)
        shown = {one: image.numpy() for one, image in zip(names, images, strict=True)}
        mine = [t.numpy() for t in (said if isinstance(said, tuple) else (said,))]
        for one, other in zip(mine, session.run(None, shown), strict=True):
            if measure is not None:
                one, other = measure(one), measure(other)
            off = np.abs(one - other) / np.maximum(1.0, np.abs(one))
            worst = max(worst, float(np.max(off, initial=0.0)))
    if worst > apart:
        raise Refused(
            f"ONNX differs from torch by {worst:.2e}",
            f"at most {apart:g} is allowed",
            "train again from another seed, or with another network",
        )
    wholly.write(path, data)
    return hashlib.sha256(data).hexdigest(), worst


def _images(shape: tuple[int, ...], seed: int) -> Iterator[Tensor]:
    """The first alone, as images are asked about; small ones then by tens, since most of a small one is the asking."""
    rng, mode = np.random.default_rng(seed), "trilinear" if len(shape) == 4 else "bilinear"

    def made() -> Iterator[Tensor]:
        for number in range(COMPARED):
            coarse = rng.random((1, shape[0], *(5 + number % 30,) * (len(shape) - 1)), dtype=np.float32)
            yield functional.interpolate(torch.from_numpy(coarse), shape[1:], mode=mode, align_corners=False)

    each, together = made(), min(10, max(1, _AT_ONCE // math.prod(shape)))
    yield next(each)
    while some := list(itertools.islice(each, together)):
        yield torch.cat(some)
