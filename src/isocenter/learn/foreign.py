"""Pictures of none of the classes: made from those at hand, and taken from collections of other things."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from isocenter.errors import Refused
from isocenter.learn.gridded import fitted
from isocenter.learn.kinds import Classes
from isocenter.learn.labelled import opened_npz, pairs_of
from isocenter.learn.nifti_file import loaded

__all__ = ["Foreign", "read_foreign", "wrong"]

_ENDINGS = (".jpg", ".jpeg", ".png", ".nii", ".nii.gz")
_MOST = 200


class Foreign:
    """Pictures of other collections on the grid of a recipe.

    Args:
        shown: (n, rows, columns) of the parts that may be learnt from.
        kept: name -> pictures that are only asked about afterwards.
    """

    def __init__(self, shown: npt.NDArray[np.uint8], kept: dict[str, npt.NDArray[np.uint8]]) -> None:
        self.shown, self.kept = shown, kept
        self.digest = hashlib.sha256(shown.tobytes()).hexdigest()


def read_foreign(folder: Path, how: Classes) -> Foreign:
    """The collections that the recipe names, as far as they lie in a folder.

    Of `others` one part is shown and the rest is kept: the split ``train`` of an ``.npz``, four of five files of a
    folder. Of `strangers` nothing is shown, so that what is declined of them says something of kinds never thought of.
    """
    shown, kept = [np.zeros((0, *how.shape), np.uint8)], {}
    for name in (*how.others, *how.strangers):
        path, strange = folder / name, name in how.strangers
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.name.lower().endswith(_ENDINGS))
            some = [np.zeros((0, *how.shape), np.uint8)], [np.zeros((0, *how.shape), np.uint8)]
            for number, file in enumerate(files):
                some[strange or number % 5 == 0].append(_greys(file, how))
            shown.append(np.concatenate(some[False]))
            if len(some[True]) > 1:
                kept[path.parent.name if path.name.lower() in ("images", "jpegimages") else path.name] = np.concatenate(
                    some[True]
                )
        elif path.is_file():
            arrays = opened_npz(path)
            for part, (images, _) in pairs_of(arrays).items():
                some_of = arrays[images] if part == "train" and not strange else arrays[images][:_MOST]
                grid = np.concatenate([_flat(x, how, name) for x in some_of])
                if part == "train" and not strange:
                    shown.append(grid)
                else:
                    kept.setdefault(path.stem, grid)
    return Foreign(np.concatenate(shown), kept)


def _greys(file: Path, how: Classes) -> npt.NDArray[np.uint8]:
    if not file.name.lower().endswith((".nii", ".nii.gz")):
        return _grey(file, how)[None]
    try:
        volume = np.squeeze(np.asarray(loaded(file).dataobj))
    except Exception as e:
        raise Refused(f"cannot read {file.name}", str(e)[:160], "take the file out or replace it") from e
    return _flat(volume, how, file.name)


def _flat(image: npt.NDArray[Any], how: Classes, name: str) -> npt.NDArray[np.uint8]:
    """(n, rows, columns) of a picture, or of the middle slice and one beside it along each axis of a volume."""
    if image.ndim == 2 or (image.ndim == 3 and image.shape[-1] in (3, 4)):
        return fitted(image, how, name)[None]
    if image.ndim != 3 or min(image.shape) < max(how.shape) // 2:
        return np.zeros((0, *how.shape), np.uint8)
    slices = [image.take(int(side * place), axis) for axis, side in enumerate(image.shape) for place in (0.5, 0.35)]
    return np.stack([fitted(np.rot90(one).astype(np.float32), how, name) for one in slices if one.any()])


def _grey(file: Path, how: Classes) -> npt.NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(file) as image:
            grey = np.asarray(image.convert("L"))
    except Exception as e:
        raise Refused(f"cannot read {file.name}", str(e)[:160], "take the file out or replace it") from e
    return fitted(grey, how, file.name)


def wrong(batch: Tensor, others: Tensor, n: int, random: torch.Generator) -> Tensor:
    """(n, 1, rows, columns) pictures that are none of the classes, of all kinds in turn.

    Inverted, turned by a quarter, a half or any angle above 35°, cut to tiles that are put together in another order,
    enlarged two- to fourfold, two pictures side by side, noise and blobs, and heaps of discs and bars of any grey or of
    black and white, which look like nothing and like much; those of other collections take a third of all, where there
    are any.

    Args:
        batch: (m, 1, rows, columns) of the classes, in 0 … 1. others: (k, rows, columns) of 8 bits.
    """
    side, made = batch.shape[-1], []

    def upto(end: int) -> int:
        return int(torch.randint(0, end, (1,), generator=random))

    start = upto(len(_KINDS))
    for number in range(n):
        x = batch[upto(len(batch))][None]
        kind = (number + start) % (len(_KINDS) + len(_KINDS) // 2 if len(others) else len(_KINDS))
        kind = _KINDS[kind] if kind < len(_KINDS) else 7
        if kind == 0:
            x = 1 - x
        elif kind == 1:
            order = torch.randperm(16, generator=random).roll(1)
            pieces = functional.unfold(x, side // 4, stride=side // 4)[:, :, order]
            x = functional.fold(pieces, (side // 4 * 4,) * 2, side // 4, stride=side // 4)
        elif kind == 2:
            part = side // (2 + upto(3))
            top, left = upto(side - part), upto(side - part)
            x = x[:, :, top : top + part, left : left + part]
        elif kind == 3:
            other = batch[upto(len(batch))][None]
            x = torch.cat([x[:, :, :, : side // 2], other.flip(2)[:, :, :, side // 2 :]], 3)
        elif kind == 4:
            cells = (2, 3, 5, 9, 14, side)[upto(6)]
            x = torch.rand((1, 1, cells, cells), generator=random)
            x = (x > 0.6).float() if float(torch.rand(1, generator=random)) < 0.3 else x
        elif kind == 5:
            x = torch.rot90(x, 1 + upto(3), (2, 3)) if upto(4) else _slanted(x, 35.0 + upto(291))
        elif kind == 6:
            x = _heap(side, 1 + upto(40), random)
        else:
            x = others[upto(len(others))][None, None].float() / 255
            x = x.flip(3) if upto(2) else x
        made.append(functional.interpolate(x, (side, side), mode="bilinear", align_corners=False))
    return torch.cat(made) if made else batch[:0]


_KINDS = (0, 1, 2, 3, 4, 5, 6, 5, 2, 6, 5, 6)
"""In which order the kinds are made: turned and enlarged pictures, and heaps, are the hardest to tell."""


def _slanted(x: Tensor, angle_deg: float) -> Tensor:
    turn = math.radians(angle_deg)
    matrix = torch.tensor([[[math.cos(turn), -math.sin(turn), 0.0], [math.sin(turn), math.cos(turn), 0.0]]])
    grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _heap(side: int, things: int, random: torch.Generator) -> Tensor:
    """Discs and bars of any grey thrown upon each other, as in the model of dead leaves (Lee 2001)."""
    draws = torch.rand((things, 8), generator=random)
    ramp = torch.linspace(0, 1, side)
    y, x = ramp[:, None], ramp[None, :]
    picture = draws[0, 7] * torch.ones(side, side)
    largest = 0.04 + 0.4 * draws[0, 6] ** 2
    for top, left, size, flat, grey, bar, edge, _ in draws:
        tall, wide = largest * (0.3 + size), largest * (0.3 + size) * (0.5 + flat)
        far = ((y - top) / tall).abs(), ((x - left) / wide).abs()
        away = torch.maximum(*far) if bar > 0.8 else (far[0] ** 2 + far[1] ** 2).sqrt()
        cover = ((1 - away) * (4 + 20 * edge) * largest * 4).clamp(0, 1)
        picture = picture * (1 - cover) + grey * cover
    if draws[0, 5] > 0.75:
        picture = (picture > 0.5).float()  # as masks of organs look
    elif draws[0, 3] > 0.5:
        picture = picture + 0.1 * torch.randn(picture.shape, generator=random)
    return picture.clamp(0, 1)[None, None]
