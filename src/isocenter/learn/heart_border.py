"""Where the endocardial border runs: learnt on virtual hearts alone, and moved by one number to where experts draw it.

A network that goes on learning with a patient takes that patient's border to the next one: of two patients, each
outlined by a network of the other, one came out 27 mL too small and the other 10 mL too large. One that saw virtual
hearts alone misses the border of both by the same: so it says how deep each pixel lies, and experts are asked only at
which depth they draw.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.learn.heart_network import HeartNet
from isocenter.learn.hearts import MARGIN, Hearts
from isocenter.methods.blood_and_muscle import bent, even_gamma
from isocenter.methods.ventricle import STEP_MM, WINDOW

__all__ = ["DEPTH_MM", "Outliner", "cut_mm", "depth_loss", "depth_mm"]

DEPTH_MM = 6.0
"""Beyond it nothing is told apart."""
_SCALE_MM = 3.0  # of the network's third answer
_BAND_PX = 3  # of the pixels of `STEP_MM`, on either side of the drawn border


class Outliner(nn.Module):  # type: ignore[misc]
    """What ships: the network that says where a ventricle is, and the one that says where its border runs.

    For (n, 3, m, m) slices with their neighbours, `places`, it says (n, 2, m, m): the logits of lying within
    endocardium and within epicardium; for others, `border`, how deep (mm) each pixel lies within the endocardium as
    experts draw it, (k, 1, m, m). Either may be a batch of none, which costs nothing, and the graph needs no branch.

    Args:
        seen: saw patients and virtual hearts. lined: saw virtual hearts alone.
        cut_mm: how far outside of the border of virtual hearts experts draw.
    """

    def __init__(self, seen: HeartNet, lined: HeartNet, cut_mm: float) -> None:
        super().__init__()
        self.seen, self.lined, self.cut_mm = seen, lined, cut_mm
        self.requires_grad_(False)

    def forward(self, places: Tensor, border: Tensor) -> tuple[Tensor, Tensor]:
        return self.seen(places)[:, :2], self.depth_mm(border)

    def depth_mm(self, slices: Tensor) -> Tensor:
        return self.lined(slices)[:, 2:] * _SCALE_MM + self.cut_mm


def depth_mm(masks: Tensor) -> Tensor:
    """(n, m, m) depth within each outline, negative outside, clipped at `DEPTH_MM`; -`DEPTH_MM` without an outline."""
    from scipy.ndimage import distance_transform_edt

    inside = masks.numpy() > 0.5
    depth = np.full(inside.shape, -DEPTH_MM, np.float32)
    for one, made in zip(inside, depth, strict=True):
        if one.any():
            pixels = distance_transform_edt(one) - distance_transform_edt(~one)
            made[:] = np.clip((pixels - 0.5 * np.sign(pixels)) * STEP_MM, -DEPTH_MM, DEPTH_MM)
    return torch.from_numpy(depth)


def depth_loss(said: Tensor, masks: Tensor) -> Tensor:
    """How far the third answer is from the depth within the endocardium; near the border it counts thirteen times."""
    truth = depth_mm(masks)
    weight = (truth.abs() < DEPTH_MM).float() * 3 + 0.25
    off = functional.smooth_l1_loss(said * _SCALE_MM, truth, reduction="none", beta=0.5)
    return 0.5 * (off * weight).sum() / weight.sum()


def cut_mm(net: HeartNet, drawn: Hearts, phases: int) -> float:
    """How far outside of where this network sees the border experts drew that of one patient (mm).

    It is the depth at which the volume in the slices that they outlined is theirs, the mean of the phases that they
    outlined: at end-diastole and at end-systole it is nearly the same.

    Args:
        drawn: the slices of the patient (`hearts.stacked`), phase after phase. phases: of how many they are.
    """
    edge = (MARGIN - WINDOW) // 2
    inner = slice(edge, -edge)
    masks = torch.from_numpy(drawn.masks[:, :1, inner, inner].astype(np.float32) / 255)
    pictures = drawn.pictures[:, inner, inner].astype(np.float32)
    cavity, whole = (drawn.masks[:, c, inner, inner] > 127 for c in (0, 1))
    pictures = bent(pictures, even_gamma(pictures, cavity, whole & ~cavity, STEP_MM))  # as `outline` asks it
    with torch.inference_mode():
        said = net(torch.from_numpy(pictures[drawn.near]))[:, 2]
    size = 2 * _BAND_PX + 1
    near = functional.max_pool2d((masks > 0.5).float(), size, 1, _BAND_PX)[:, 0] > 0
    core = functional.max_pool2d((masks <= 0.5).float(), size, 1, _BAND_PX)[:, 0] == 0
    found = []
    for m, n, c, depth in zip(*(t.chunk(phases) for t in (masks, near, core, said * _SCALE_MM)), strict=True):
        deepest = depth[n & ~c].sort(descending=True).values
        if not len(deepest):
            continue  # too small to be seen on this grid
        wanted = min(max(round(float(m.sum())) - int(c.sum()), 0), len(deepest) - 1)
        found.append(-float(deepest[wanted]))
    return sum(found) / len(found)
