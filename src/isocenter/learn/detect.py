"""From pictures with boxes to a detector that is judged on pictures that it never saw.

It learns as TTFNet does (Liu 2020): each thing is a bell about its centre, as wide and tall as it is, on the grid of
the answers; the sides are learnt at every place under the bell, with its weight.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import Refused
from isocenter.learn.boxed import (
    Boxed,
    digest_of_boxed,
    on_canvas,
    read_boxed,
    remarks_on,
    stretched,
    unbarred,
    without_boxes,
)
from isocenter.learn.card import written
from isocenter.learn.device import halved
from isocenter.learn.examples import Examples, folds, numbered
from isocenter.learn.export import COMPARED, exported
from isocenter.learn.extent import INPUT as EXTENTS
from isocenter.learn.extent import extents
from isocenter.learn.fit import WATCHED, Schedule, Watch, descend
from isocenter.learn.judge_boxes import Found, box_figures, cases_of, counting_thresholds, rows_of
from isocenter.learn.kinds import Boxes, as_said
from isocenter.learn.learnt import keep
from isocenter.learn.networks import BoxNet
from isocenter.learn.outside import doubts, far
from isocenter.learn.splits import taught_on_test
from isocenter.learn.tested import laid
from isocenter.learn.unread import without
from isocenter.methods.boxes import suppressed
from isocenter.record import Model

__all__ = ["Finder", "decoded", "fit_boxes", "judged", "moved_boxes", "train_boxes"]

_ROUND = "RBC"  # the class of which boxes are as often taller than wide as wider than tall

Progress = Callable[[str], None]
_STRIDE, _BELL = 4, 0.54
_NARROW = 2.2
"""Pixels: a bell narrower than this would be one place, and the next place as wrong as any."""
_LEAST, _MOST = 0.01, 300


def evened(x: Tensor) -> Tensor:
    """Each colour of each picture with mean 0 and spread 1: stain and lamp differ between laboratories."""
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) / (((x - mean) ** 2).mean((2, 3), keepdim=True).sqrt() + 1e-2)


class Finder(nn.Module):  # type: ignore[misc]
    """Picture → ``chance`` (n, classes, h, w) and ``sides`` (n, 4, h, w), averaged over networks and mirror images.

    Input ``image``: (n, 3, rows, columns) in 0 … 1. Sides are pixels from the middle of the place to the left, top,
    right and bottom of the box.
    """

    def __init__(self, nets: Sequence[BoxNet], views: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        if any(axis not in (1, 2) for view in views for axis in view):
            raise Refused(
                f"views {list(views)}",
                "a picture is mirrored along its last axis but one (2) or its last (1)",
                "give 1, 2 or both",
            )
        self.nets, self.views = nn.ModuleList(nets), [tuple(-a for a in view) for view in views]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = evened(image)
        chances, sides = [], []
        for net in self.nets:
            for view in self.views:
                what, far = net(torch.flip(x, view) if view else x)
                chance = torch.sigmoid(what)
                if view:
                    chance, far = torch.flip(chance, view), torch.flip(far, view)
                    order = [2 if -1 in view else 0, 3 if -2 in view else 1, 0 if -1 in view else 2,
                             1 if -2 in view else 3]  # fmt: skip
                    far = far[:, order]
                chances.append(chance)
                sides.append(far)
        return torch.stack(chances).mean(0), torch.stack(sides).mean(0)


def decoded(chance: npt.NDArray[np.float32], sides: npt.NDArray[np.float32], factor: float, shared: float) -> Found:
    """Boxes of one picture, in its own pixels, the surest of each class first.

    Args:
        chance: (classes, h, w). sides: (4, h, w) in pixels of the network.
        factor: how many of those one pixel of the picture became.
        shared: overlap above which the lesser of two boxes of a class is left out.
    """
    from scipy.ndimage import maximum_filter

    boxes, scores, kinds = [np.zeros((0, 4))], [np.zeros(0)], [np.zeros(0, np.int64)]
    for kind, one in enumerate(chance):
        peak = (one == maximum_filter(one, 3)) & (one >= _LEAST)
        y, x = np.nonzero(peak)
        best = np.argsort(-one[y, x], kind="stable")[:_MOST]
        y, x = y[best], x[best]
        left, top, right, bottom = sides[:, y, x].astype(np.float64)
        across, down = (x + 0.5) * _STRIDE, (y + 0.5) * _STRIDE
        own = np.stack([across - left, down - top, across + right, down + bottom], 1) / factor
        kept = suppressed(own, one[y, x], shared)
        boxes.append(own[kept])
        scores.append(one[y, x][kept].astype(np.float64))
        kinds.append(np.full(len(kept), kind, np.int64))
    return Found(np.concatenate(boxes), np.concatenate(scores), np.concatenate(kinds))


@dataclass(frozen=True, eq=False)
class _Held:
    """A picture on the grid of the network, as the training wants it."""

    picture: Tensor
    boxes: Tensor
    kinds: Tensor
    weight: float


def _held(one: Boxed, how: Boxes) -> _Held:
    canvas, factor = on_canvas(one.picture, how.shape)
    own = ~one.hard
    boxes = torch.from_numpy(one.boxes[own] * factor).float()
    return _Held(evened(torch.from_numpy(canvas)[None])[0], boxes, torch.from_numpy(one.kinds[own]), one.weight)


def moved_boxes(
    picture: Tensor, boxes: Tensor, how: Boxes, random: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """A picture (3, rows, columns) and its boxes moved alike, and which boxes are still there for the most part.

    Outside of the picture lies its mean colour. The remaining boxes are cut at the edge, as those of the data are.
    """

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(shape, generator=random) * (high - low) + low

    rows, columns = picture.shape[1:]
    zoom = draw(math.log(how.scale[0]), math.log(how.scale[1])) + draw(-how.stretch / 2, how.stretch / 2, 2)
    turn = torch.diag(zoom.exp())
    if how.mirrored:
        turn = torch.where(draw(0, 1, 2) < 0.5, -1.0, 1.0)[:, None] * turn
        if float(draw(0, 1)) < 0.5:
            turn = turn.flip(0)
    half = torch.tensor([columns / 2, rows / 2])
    move = draw(-how.shift, how.shift, 2) * 2
    back = torch.linalg.inv(turn) * half[None, :] / half[:, None]
    grid = functional.affine_grid(torch.cat([back, -(back @ move)[:, None]], 1)[None], [1, 3, rows, columns],
                                  align_corners=False)  # fmt: skip
    x = functional.grid_sample(picture[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
    corners = ((boxes.view(-1, 2, 2) - half) @ turn.T) + half + move * half
    low, high = corners.amin(1), corners.amax(1)
    whole = (high - low).prod(1)
    low, high = torch.maximum(low, torch.zeros(2)), torch.minimum(high, 2 * half)
    there = ((high - low).clamp(min=0).prod(1) > 0.4 * whole) & ((high - low).amin(1) > 3)
    x = x * (1 + draw(-how.tint, how.tint, 3, 1, 1)) + draw(-how.tint, how.tint, 3, 1, 1)
    x = x + torch.randn(x.shape, generator=random) * draw(0, how.noise)
    return x, torch.cat([low, high], 1)[there], there


def bells(boxes: Tensor, kinds: Tensor, classes: int, shape: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """What the network should say: (classes, h, w) bells, (h, w) weight of the sides, (4, h, w) the sides.

    Where things overlap, the smaller one decides on the sides.
    """
    rows, columns = shape[0] // _STRIDE, shape[1] // _STRIDE
    heat, weight, sides = torch.zeros(classes, rows, columns), torch.zeros(rows, columns), torch.zeros(4, rows, columns)
    middle = [(torch.arange(n) + 0.5) * _STRIDE for n in (columns, rows)]
    size = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    for k in size.argsort(descending=True, stable=True).tolist():
        box = boxes[k]
        bell = []
        for axis in range(2):
            long, centre = box[axis + 2] - box[axis], (box[axis] + box[axis + 2]) / 2
            nearest = middle[axis][(middle[axis] - centre).abs().argmin()]
            far = (middle[axis] - nearest) / (long * _BELL / 6).clamp(min=_NARROW)
            bell.append(torch.exp(-far * far / 2) * ((middle[axis] - nearest).abs() <= (long * _BELL / 2).clamp(min=2)))
        one = bell[1][:, None] * bell[0][None, :]
        heat[kinds[k]] = torch.maximum(heat[kinds[k]], one)
        under = one > 0
        weight[under] = (one * (torch.log(size[k]) / one.sum()))[under]
        across, down = middle[0][None, :].expand(rows, -1), middle[1][:, None].expand(-1, columns)
        for side, value in enumerate((across - box[0], down - box[1], box[2] - across, box[3] - down)):
            sides[side][under] = value[under]
    return heat, weight, sides


def _loss(what: Tensor, far: Tensor, counted: Tensor, heat: Tensor, weight: Tensor, sides: Tensor) -> Tensor:
    """Focal loss of the bells (Law 2018) and generalised overlap of the boxes (Rezatofighi 2019).

    Each class counts by itself: of ten red cells to a platelet, the platelets would else never be learnt.

    Args:
        counted: (n,) how much each picture counts.
    """
    sure, unsure = functional.logsigmoid(what), functional.logsigmoid(-what)
    chance = torch.sigmoid(what.detach())
    peak = heat == 1
    focal = torch.where(peak, (1 - chance) ** 2 * sure, (1 - heat) ** 4 * chance**2 * unsure)
    each = (focal * counted[:, None, None, None]).sum((0, 2, 3)) / peak.sum((0, 2, 3)).clamp(min=1)
    there = weight > 0
    said, true = far.permute(0, 2, 3, 1)[there], sides.permute(0, 2, 3, 1)[there]
    true = true.clamp(min=0.1)
    least, most = torch.minimum(said, true), torch.maximum(said, true)
    both = (least[:, 0] + least[:, 2]) * (least[:, 1] + least[:, 3])
    round_ = (most[:, 0] + most[:, 2]) * (most[:, 1] + most[:, 3])
    either = sum((x[:, 0] + x[:, 2]) * (x[:, 1] + x[:, 3]) for x in (said, true)) - both
    apart = 1 - both / either + (round_ - either) / round_
    apart = apart * counted[:, None, None].expand_as(weight)[there]
    return -each.mean() + 5 * (apart * weight[there]).sum() / weight[there].sum().clamp(min=1e-6)


def fit_boxes(
    how: Boxes, pictures: Sequence[Boxed], seed: int, *, checkpoint: Path | None = None,
    progress: Progress = lambda line: None, clock: Callable[[], float] = time.monotonic,
) -> BoxNet:  # fmt: skip
    """One network, trained on all of these pictures (see `fit.descend`)."""
    key, watch = digest_of_boxed(pictures), None
    if how.patience:
        part, _ = _parts(pictures, WATCHED, seed)
        aside = [_held(one, how) for one, p in zip(pictures, part, strict=True) if p == 0]
        pictures = [one for one, p in zip(pictures, part, strict=True) if p]
        watch = Watch(lambda net: _loss_of(net, aside, how), how.patience)
    held = [_held(one, how) for one in pictures]
    per_epoch = max(1, len(held) // how.batch)
    order = torch.empty(0, dtype=torch.int64)

    def shown(net: nn.Module, step: int, random: torch.Generator) -> Tensor:
        nonlocal order
        number = step % per_epoch
        if number == 0:
            order = torch.randperm(len(held), generator=random)
        seen, wanted = [], []
        which = order[number * how.batch : (number + 1) * how.batch].tolist()
        for k in which:
            x, boxes, there = moved_boxes(held[k].picture, held[k].boxes, how, random)
            seen.append(x)
            wanted.append(bells(boxes, held[k].kinds[there], len(how.classes), how.shape))
        batch = torch.stack(seen).contiguous(memory_format=torch.channels_last)
        with halved(how.precision):
            what, far = net(batch)
        counted = torch.tensor([held[k].weight for k in which])
        return _loss(what.float(), far.float(), counted, *(torch.stack(part) for part in zip(*wanted, strict=True)))

    said = {k: v for k, v in as_said(how).items()
            if k not in ("card", "goal", "members", "fitted", "views", "known_as", "shared")}  # fmt: skip
    schedule = Schedule(per_epoch * how.epochs, per_epoch, how.rate, per_epoch, how.decay, how.average, how.threads)
    net: BoxNet = descend(
        lambda: BoxNet(how.widths, how.neck, len(how.classes)).to(memory_format=torch.channels_last), shown, schedule,
        seed, repr((said, key)), watch=watch, checkpoint=checkpoint, progress=progress, clock=clock,
    )  # fmt: skip
    return net


def _loss_of(net: nn.Module, aside: Sequence[_Held], how: Boxes) -> float:
    """Loss of pictures as they are, not moved."""
    losses = []
    for one in aside:
        wanted = (part[None] for part in bells(one.boxes, one.kinds, len(how.classes), how.shape))
        with halved(how.precision):
            what, far = net(one.picture[None])
        losses.append(float(_loss(what.float(), far.float(), torch.ones(1), *wanted)))
    return float(np.mean(losses))


def _parts(pictures: Sequence[Boxed], parts: int, seed: int) -> tuple[npt.NDArray[np.int64], int]:
    """The part of each picture; those of a person and near-duplicates, mostly of one smear, are kept together."""
    small = np.stack([on_canvas(one.picture, (112, 112))[0].mean(0) * 255 for one in pictures]).astype(np.uint8)
    n = len(pictures)
    names, people = tuple(one.name for one in pictures), numbered([one.whose for one in pictures])
    return folds(Examples(small, np.zeros(n, np.int64), np.full(n, -1), names, people, ""), parts, seed)


def train_boxes(how: Boxes, data: Path, out: Path, seed: int, tell: Progress, clock: Callable[[], float]) -> Model:
    """Fit on all parts but one, judge on that one, and export; see `train.train`."""
    started = clock()
    pictures, missing = read_boxed(data, how)
    if len(pictures) < 2 * how.members:
        raise Refused(f"{len(pictures)} pictures", f"{how.members} parts need two each", "give more")
    part, pairs = _parts(pictures, how.members, seed)
    tell(f"{len(pictures)} pictures in {how.members} parts, {how.fitted} networks; {missing} named but not there")
    for remark in (*remarks_on(pictures), *taught_on_test([f"{one.part}/" for one in pictures])):
        tell(remark)
    nets, truths, founds, networks = [], [], [], []
    for k in range(how.fitted):
        some = [one for one, p in zip(pictures, part, strict=True) if p != k]
        nets.append(fit_boxes(how, some, seed * 100 + k, checkpoint=out / f"member{k}.checkpoint", progress=tell))
        single = Finder([nets[-1]], how.views).eval()
        held = [one for one, p in zip(pictures, part, strict=True) if p == k]
        with torch.inference_mode():
            said = [_asked(partial(_by_torch, single), one.picture, how) for one in held]
        truths += held
        founds += said
        networks.append(box_figures(held, said, how.classes, [0.5] * len(how.classes))["metrics"] | {
            "seed": seed * 100 + k
        })  # fmt: skip
        tell(f"network {k + 1}: mAP50 {networks[-1]['map50']['value']:.3f}")
    random = torch.Generator().manual_seed(seed)
    digest, parity = exported(
        Finder(nets, how.views), (3, *how.shape), out / "model.onnx", ("chance", "sides"), limit_bytes=25_000_000,
        inputs=[_coarse(how.shape, 4 + i, random) for i in range(COMPARED)],
    )  # fmt: skip
    keep(out, [one.picture for one, p in zip(pictures, part, strict=True) if how.fitted > 1 or p])
    thresholds = counting_thresholds(truths, founds, len(how.classes))
    inputs: dict[str, Any] = {
        "kind": "boxes", "classes": list(how.classes), "shape": list(how.shape), "known_as": dict(how.known_as),
        "shared": how.shared, "thresholds": thresholds,
    }  # fmt: skip
    figures = box_figures(truths, founds, how.classes, thresholds)
    flat: dict[str, Any] = {}
    for name, value in figures["metrics"].items():
        flat |= {name: value} if "value" in value else {f"{name}_{kind}": one for kind, one in value.items()}
    shown = {"n": len(truths), "metrics": flat, "subgroups": [], "declined": 0, "parity": parity}
    shown["networks"] = networks
    shown |= laid(out, inputs, cases_of(truths, founds, how.classes, thresholds), data)
    return written(how, out, digest, digest_of_boxed(pictures), inputs, shown, {
        "pictures": len(pictures), "boxes": {
            name: sum(int(np.count_nonzero(one.kinds == k)) for one in pictures) for k, name in enumerate(how.classes)
        },
        "near_duplicates": pairs, "named but not there": missing, "networks": how.fitted,
        "parameters": sum(p.numel() for net in nets for p in net.parameters()),
        "seed": seed, "seconds": round(clock() - started),
        "shown": f"pictures of the parts that a network had not seen, {how.fitted} of {how.members} parts; the "
        "thresholds of counting were chosen on them",
    })  # fmt: skip


def _coarse(shape: tuple[int, int], cells: int, random: torch.Generator) -> Tensor:
    return functional.interpolate(torch.rand(1, 3, cells, cells, generator=random), shape, mode="bilinear")


def _by_torch(net: nn.Module, x: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    return [t.numpy() for t in net(torch.from_numpy(x))]


def _asked(
    ask: Callable[[npt.NDArray[np.float32]], list[Any]], picture: npt.NDArray[np.uint8], how: Boxes
) -> Found:  # fmt: skip
    canvas, factor = on_canvas(picture, how.shape)
    chance, sides = ask(canvas[None])
    found = decoded(chance[0], sides[0], factor, how.shared)
    wide, tall = picture.shape[1], picture.shape[0]
    inside = np.clip(found.boxes, 0, [wide, tall, wide, tall])
    return Found(inside, found.scores, found.kinds)


def _found(session: Any, picture: npt.NDArray[np.uint8], how: Boxes) -> Found:
    return _asked(lambda x: session.run(["chance", "sides"], {"image": x}), picture, how)


def extents_in(held: Model, session: Any, pictures: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """(n, classes) how large things are on each picture, by what the model finds there (see `extent`)."""
    how, thresholds = _how(held), held.inputs["thresholds"]
    shown = [np.asarray(one, np.uint8) for one in pictures]
    return np.stack([extents(_found(session, one, how), one.shape, thresholds) for one in shown])


def cases_in(held: Model, data: Path, split: str | None) -> list[npt.NDArray[np.uint8]]:
    """The pictures that can be judged, as they are read."""
    return [one.picture for one in read_boxed(data, _how(held), split, aside=[])[0]]


def named(held: Model, data: Path) -> tuple[list[str], None]:
    """Names of the pictures that can be judged; no label tells one from the other."""
    return [one.name for one in read_boxed(data, _how(held))[0]], None


def _how(held: Model) -> Boxes:
    inputs = held.inputs
    return Boxes(
        task=held.name, classes=tuple(inputs["classes"]), known_as=inputs["known_as"], shape=tuple(inputs["shape"]),
        shared=inputs["shared"],
    )  # fmt: skip


def _moved_back(
    rows: list[dict[str, Any]], pictures: Sequence[Boxed], corners: Sequence[tuple[int, int]]
) -> list[dict[str, Any]]:  # fmt: skip
    """Found boxes where they lie on the pictures as they were given."""
    at = {one.name: corner for one, corner in zip(pictures, corners, strict=True)}
    return [
        row | {side: row[side] + at[row["name"]][axis] for side, axis in (("xmin", 0), ("ymin", 1), ("xmax", 0),
                                                                         ("ymax", 1))}
        for row in rows
    ]  # fmt: skip


def judged(
    held: Model, session: Any, data: Path, split: str | None,
    strange: Callable[..., npt.NDArray[np.float64]] | None = None,
) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:  # fmt: skip
    """Figures, and a row for each box that was found; of a picture that is `strange` (see `outside`) each is declined.

    A picture that is named but not there, and one that is strange, count as declined; the figures hold the latter, too.
    One that lies near the border has a word in ``because``, also where no box was found in it.
    """
    inputs = held.inputs
    how = _how(held)
    unread: list[tuple[str, str]] = []
    given, missing = read_boxed(data, how, split, aside=unread)
    lost = missing
    pictures, corners = zip(*map(unbarred, given), strict=True)
    founds = [_found(session, one.picture, how) for one in pictures]
    figures = box_figures(pictures, founds, how.classes, inputs["thresholds"])
    rows = _moved_back(rows_of(pictures, founds, how.classes, inputs["thresholds"]), pictures, corners)
    if strange is not None:
        sizes = [extents(f, one.picture.shape, inputs["thresholds"]) for f, one in zip(founds, pictures, strict=True)]
        away = strange([one.picture for one in pictures], numbers={EXTENTS: np.stack(sizes)})
        said: dict[str, dict[str, Any]] = {
            one.name: {"declined": bool(s > 1), "because": far(s) if s > 1 else word}
            for one, s, word in zip(pictures, away, doubts(inputs, away), strict=True)
        }
        missing += sum(one["declined"] for one in said.values())
        rows = [row | said[row["name"]] for row in rows]
        found = {row["name"] for row in rows}
        blank: dict[str, Any] = dict.fromkeys(rows[0] if rows else ("name",), "")
        rows += [blank | {"name": name} | one for name, one in sorted(said.items())
                 if one["because"] and name not in found]  # fmt: skip
    cases = cases_of(pictures, founds, how.classes, inputs["thresholds"])
    remarks = remarks_on(pictures)
    if split is None:
        remarks += without_boxes(data, [*(one.name for one in pictures), *(name for name, _ in unread)])
    if lost:
        remarks.insert(0, f"{lost} of {lost + len(pictures)} pictures were not measured: they count as declined and "
                       "are in no other figure, since they are named but not there")  # fmt: skip
    if barred := [one.name for one, whole in zip(pictures, given, strict=True) if one is not whole]:
        remarks.append(f"{len(barred)} of {len(pictures)} pictures have bars of one colour at their edges, such as "
                       f"{barred[0]}: they were looked at without them")  # fmt: skip
    if _ROUND in how.classes and (word := stretched(pictures, how.classes.index(_ROUND))):
        remarks.append(word)
    told = {"declined": missing, "cases": cases, "remarks": remarks, "parts": [one.part for one in pictures]}
    return *without(figures | told, rows, unread), {}
