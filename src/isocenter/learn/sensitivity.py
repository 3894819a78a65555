"""Where a classifier of pictures is sensitive: maps of its whole answer, networks and support vectors, class by class.

A map is of one class: of its log-odds against all others, before calibration, which only stretches them. It is drawn
where a reader would ask for it: of two classes where the model says the positive one, of more for the one it says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import Refused
from isocenter.learn.cascade import session_of
from isocenter.learn.differentiable import Differentiable
from isocenter.learn.gradients import integrated_gradients
from isocenter.learn.kinds import Classes
from isocenter.learn.outside import why_declined
from isocenter.methods.saliency import occlusion
from isocenter.record import Model

__all__ = ["METHODS", "TELLS", "Asked", "Seen", "images_of", "map_name", "must_have", "odds", "said_of_pictures"]

Array = npt.NDArray[np.float32]
_AT_ONCE = 8  # a session keeps what it ever needed, 0.2 GB by 8 and 1.1 GB by 64 of 28 pixels, and a verdict asks nine
_FARTHEST = 1e6  # of log-odds of weights that were made random, some of which have no end


@dataclass(frozen=True, eq=False)
class Seen:
    """What a model says of pictures.

    Args:
        kind: (n,) the class that a map would be of. called: (n,) whether the model says that class.
        why: for each picture why the model declines it; empty where it does not.
    """

    kind: npt.NDArray[np.int64]
    called: npt.NDArray[np.bool_]
    why: tuple[str, ...]

    @property
    def shown(self) -> npt.NDArray[np.bool_]:
        """(n,) which pictures have a map: those that are called and not declined."""
        return np.asarray(self.called & np.array([not one for one in self.why], bool))


def images_of(pictures: npt.NDArray[np.uint8], how: Classes) -> Array:
    """(n, channels, *grid) in 0 … 1 of 8-bit pictures as examples have them."""
    placed = np.moveaxis(pictures, -1, 1) if how.channels > 1 else pictures[:, None]
    return np.ascontiguousarray(placed, np.float32) / np.float32(255)


def said_of_pictures(model: Model, session: Any, folder: Path, how: Classes, pictures: npt.NDArray[np.uint8]) -> Seen:
    """What a model says of pictures, and which of them it declines.

    Args:
        folder: of the model, where its border lies.
    """
    images = images_of(pictures, how)
    said = {
        name: np.concatenate([session.run([name], {"image": images[k : k + _AT_ONCE]})[0]
                              for k in range(0, len(images), _AT_ONCE)])
        for name in ("certainty", "strangeness")
    }  # fmt: skip
    why = why_declined(folder, model.inputs, said, list(pictures))[1]
    certainty = said["certainty"][:, : len(how.classes)]
    if len(how.classes) > 2:
        return Seen(certainty.argmax(1).astype(np.int64), np.ones(len(images), bool), tuple(why))
    called = certainty[:, how.positive] >= float(model.inputs["threshold"])
    return Seen(np.full(len(images), how.positive), called, tuple(why))


def odds(asked: Any, images: Array, kind: int) -> npt.NDArray[np.float64]:
    """(m,) log-odds of one class against all others, of the networks and the support vectors beside them together."""
    parts = [asked.run(["logits"], {"image": np.ascontiguousarray(images[k : k + _AT_ONCE], np.float32)})[0]
             for k in range(0, len(images), _AT_ONCE)]  # fmt: skip
    logits = np.concatenate(parts).astype(np.float64)
    others = np.delete(logits, kind, 1)
    highest = others.max(1, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore"):
        told = logits[:, kind] - highest[:, 0] - np.log(np.exp(others - highest).sum(1))
    return np.asarray(np.clip(np.nan_to_num(told, nan=0.0), -_FARTHEST, _FARTHEST))


def _covered(asked: Any, image: Array, kind: int) -> Array:
    side = max(1, min(image.shape[1:]) // 4)
    fall = occlusion(lambda images: odds(asked, images, kind), image, patch=side, step=max(1, side // 2))
    return np.maximum(fall, 0)


class Asked:
    """The logits of an ONNX file: asked of ONNX, and of torch where gradients are wanted.

    Args:
        data: bytes of the file.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._session = data, session_of(data, ("logits",))
        self.run = self._session.run

    @cached_property
    def net(self) -> Differentiable:
        """The same as a network of torch, which answers as the file does.

        Raises:
            Refused: it uses an operation that is not known, or answers otherwise.
        """
        made = Differentiable(self._data)
        shape = self._session.get_inputs()[0].shape[1:]
        made.must_answer_as(self._session, np.random.default_rng(0).random((2, *shape), np.float32))
        return made


class _Odds(nn.Module):  # type: ignore[misc]
    def __init__(self, net: nn.Module, kind: int) -> None:
        super().__init__()
        self.net, self.kind = net, kind

    def forward(self, images: Tensor) -> Tensor:
        return _odds_of(self.net(images), self.kind)


def _odds_of(logits: Tensor, kind: int) -> Tensor:
    """(n, 1)"""
    others = torch.cat([logits[:, :kind], logits[:, kind + 1 :]], 1)
    told: Tensor = logits[:, kind, None] - torch.logsumexp(others, 1, keepdim=True)
    return told


def _integrated(asked: Asked, image: Array, kind: int) -> Array:
    """From the picture blurred until no detail is left: many networks even out contrast, and leap from a flat one."""
    from scipy.ndimage import gaussian_filter

    blur = [0.0, *(side / 8 for side in image.shape[1:])]
    base = np.asarray(gaussian_filter(image, blur), np.float32)
    parts = integrated_gradients(_Odds(asked.net, kind), image, base=base)
    return np.asarray(np.maximum(np.nan_to_num(parts.sum(0), posinf=0.0, neginf=0.0), 0))


def _activated(asked: Asked, image: Array, kind: int) -> Array:
    """Grad-CAM (Selvaraju 2017) of every feature map whose mean the answer is read from, each turned back, together."""
    x = torch.from_numpy(np.ascontiguousarray(image))[None].requires_grad_(True)
    logits, places = asked.net.with_places(x)
    wanted = [one for place in places for one in place[:2]]
    slopes = iter(torch.autograd.grad(_odds_of(logits, kind).sum(), wanted, allow_unused=True))
    seen, mode = torch.zeros(image.shape[1:]), "bilinear" if image.ndim == 3 else "trilinear"
    for one, _, turned in places:
        slope, of_mean = next(slopes), next(slopes)
        if slope is None or of_mean is None or not of_mean.any():  # its mean is no part of the answer
            continue
        weighed = (one * slope.mean(tuple(range(2, one.ndim)), keepdim=True)).sum(1, keepdim=True)
        grown = functional.interpolate(functional.relu(weighed), image.shape[1:], mode=mode, align_corners=False)
        seen = seen + torch.flip(grown, turned)[0, 0]
    return np.asarray(np.nan_to_num(seen.detach().numpy(), posinf=0.0, neginf=0.0), np.float32)


METHODS: Mapping[str, Callable[[Asked, Array, int], Array]] = {
    "occlusion": _covered, "integrated gradients": _integrated, "Grad-CAM": _activated,
}  # fmt: skip
"""Name of a method -> (what is asked, image (channels, *grid), class) -> map (*grid), 0 where nothing speaks for it."""

TELLS = {
    "occlusion": "by how much the log-odds fall where it is covered",
    "integrated gradients": "what each pixel adds to the log-odds, from the blurred picture on",
    "Grad-CAM": "the features of a place, by how much each raises the log-odds",
}
"""What the values of a map are."""


def must_have(method: str) -> None:
    """Refuse a method that is none.

    Raises:
        Refused: it is none of `METHODS`.
    """
    if method not in METHODS:
        raise Refused(f"the method '{method}'", f"there are {', '.join(METHODS)}", "name one of them")


def map_name(method: str) -> str:
    """What the map of a method is called in the evidence.

    >>> map_name("integrated gradients"), map_name("Grad-CAM")
    ('integrated_gradients_sensitivity', 'grad_cam_sensitivity')
    """
    return f"{re.sub('[^a-z]+', '_', method.lower())}_sensitivity"
