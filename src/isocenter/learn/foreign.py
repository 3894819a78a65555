"""Pictures of none of the classes: made from those at hand, and taken from collections of other things."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from isocenter.errors import Refused
from isocenter.learn.kinds import Classes
from isocenter.learn.labelled import fitted, opened_npz, pairs_of

__all__ = ["Foreign", "read_foreign", "wrong"]


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

    Of an ``.npz`` the part ``train`` is shown and every other part is kept; of a folder of pictures all are kept.
    """
    shown, kept = [np.zeros((0, *how.shape), np.uint8)], {}
    for name in how.others:
        path = folder / name
        if path.is_dir():
            files = sorted(p for p in path.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
            if files:
                kept[path.name] = np.stack([_grey(file, how) for file in files])
        elif path.is_file():
            arrays = opened_npz(path)
            for part, (images, _) in pairs_of(arrays).items():
                grid = np.stack([fitted(x, how, name) for x in arrays[images]])
                if part == "train":
                    shown.append(grid)
                else:
                    kept[path.stem] = grid
    return Foreign(np.concatenate(shown), kept)


def _grey(file: Path, how: Classes) -> npt.NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(file) as image:
            return fitted(np.asarray(image.convert("L")), how, file.name)
    except OSError as e:
        raise Refused(f"cannot read {file.name}", str(e), "take the file out or replace it") from e


def wrong(batch: Tensor, others: Tensor, n: int, random: torch.Generator) -> Tensor:
    """(n, 1, rows, columns) pictures that are none of the classes, of all kinds in turn.

    Inverted, cut to tiles that are put together in another order, enlarged fourfold, two pictures side by side, noise
    and blobs; and those of other collections, of which there may be none.

    Args:
        batch: (m, 1, rows, columns) of the classes, in 0 … 1. others: (k, rows, columns) of 8 bits.
    """
    side = batch.shape[-1]
    kinds = 6 if len(others) else 5
    made = []
    for number in range(n):
        x = batch[int(torch.randint(0, len(batch), (1,), generator=random))][None]
        kind = (number + int(torch.randint(0, kinds, (1,), generator=random))) % kinds
        if kind == 0:
            x = 1 - x
        elif kind == 1:
            order = torch.randperm(16, generator=random).roll(1)
            pieces = functional.unfold(x, side // 4, stride=side // 4)[:, :, order]
            x = functional.fold(pieces, (side // 4 * 4,) * 2, side // 4, stride=side // 4)
        elif kind == 2:
            top, left = (int(v) for v in torch.randint(0, side - side // 4, (2,), generator=random))
            x = x[:, :, top : top + side // 4, left : left + side // 4]
        elif kind == 3:
            other = batch[int(torch.randint(0, len(batch), (1,), generator=random))][None]
            x = torch.cat([x[:, :, :, : side // 2], other.flip(2)[:, :, :, side // 2 :]], 3)
        elif kind == 4:
            cells = (2, 3, 5, 9, 14, side)[int(torch.randint(0, 6, (1,), generator=random))]
            x = torch.rand((1, 1, cells, cells), generator=random)
            x = (x > 0.6).float() if float(torch.rand(1, generator=random)) < 0.3 else x
        else:
            x = others[int(torch.randint(0, len(others), (1,), generator=random))][None, None].float() / 255
        made.append(functional.interpolate(x, (side, side), mode="bilinear", align_corners=False))
    return torch.cat(made) if made else batch[:0]
