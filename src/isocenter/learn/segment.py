"""From outlined volumes or pictures to a network that outlines others, judged on people that it never saw."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import Refused
from isocenter.learn.augment import turned_grid
from isocenter.learn.card import written
from isocenter.learn.device import halved
from isocenter.learn.examples import linked, numbered
from isocenter.learn.export import COMPARED, exported
from isocenter.learn.fit import WATCHED, Schedule, Watch, descend
from isocenter.learn.judge_classes import mean_of
from isocenter.learn.kinds import Masks, as_said
from isocenter.learn.learnt import keep
from isocenter.learn.monai_networks import loss_of_masks, named_on, outliner, room_for
from isocenter.learn.offered import step_of
from isocenter.learn.outlined import Case, digest_of_cases, names_of, pairs_in, people_of, read_case, weights_of
from isocenter.learn.outside import canvas, doubts
from isocenter.learn.splits import part_of, taught_on_test
from isocenter.learn.tested import laid
from isocenter.learn.unread import not_measured
from isocenter.learn.windows import Ask, Grey, labels_in_windows
from isocenter.methods.overlap import dice, surfaces
from isocenter.record import Model

__all__ = ["cases_in", "fit_masks", "judged", "numbered_otherwise", "outlined", "train_masks"]

Progress = Callable[[str], None]


class Chances(nn.Module):  # type: ignore[misc]
    """Volume → ``chances`` (n, 1 + classes, x, y, z), averaged over networks and mirror images."""

    def __init__(self, nets: Sequence[nn.Module], views: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.nets, self.views = nn.ModuleList(nets), [tuple(-a for a in view) for view in views]

    def forward(self, image: Tensor) -> Tensor:
        said = torch.zeros(())
        for net in self.nets:
            for view in self.views:
                chance = _chances(net(torch.flip(image, view) if view else image))
                said = said + (torch.flip(chance, view) if view else chance)
        return said / (len(self.nets) * len(self.views))


def _chances(logits: Tensor) -> Tensor:
    """Softmax over the second axis, in steps: as one, ONNX Runtime takes five times as long for it."""
    raised = torch.exp(logits - logits.amax(1, keepdim=True))
    return raised / raised.sum(1, keepdim=True)


def evened(image: Grey) -> Grey:
    """Grey values without the outermost half per cent, brought to mean 0 and spread 1."""
    low, high = np.percentile(image, (0.5, 99.5))
    x = np.clip(image, low, high)
    return np.asarray((x - x.mean()) / max(float(x.std()), 1e-6), np.float32)


def _on_spacing(array: Grey, factors: Sequence[float], order: int) -> Grey:
    from scipy.ndimage import zoom

    if all(abs(f - 1) < 0.05 for f in factors):
        return array
    return np.asarray(zoom(array, factors, order=order, mode="nearest", grid_mode=True), np.float32)


def outlined(image: Grey, spacing_mm: Sequence[float], ask: Ask, inputs: Any) -> npt.NDArray[np.uint8]:
    """The label of each voxel of a volume, or of each pixel of a picture, of any size and spacing.

    It is brought to the spacing of the network, looked at in windows that overlap, and the chances are brought back
    (see `windows`).

    Args:
        ask: (1, 1, x, y, z) → (1, 1 + classes, x, y, z) chances.
        inputs: of the model: ``spacing_mm``, ``window``, ``step``.
    """
    factors = [have / want for have, want in zip(spacing_mm, inputs["spacing_mm"], strict=True)]
    return labels_in_windows(
        evened(_on_spacing(image, factors, 1)), ask, window=[int(w) for w in inputs["window"]],
        step=int(inputs["step"]), shape=image.shape,
    )  # fmt: skip


def _tensors(case: Case, how: Masks) -> tuple[Tensor, Tensor]:
    factors = [have / want for have, want in zip(case.spacing_mm, how.spacing_mm, strict=True)]
    image = evened(_on_spacing(case.image, factors, 1))
    labels = _on_spacing(case.labels.astype(np.float32), factors, 0)
    step = step_of(how)
    wide = [(0, -side % step) for side in image.shape]
    cut = tuple(slice(0, w) for w in how.window)
    grey, mask = np.pad(image, wide, mode="edge")[cut], np.pad(labels, wide)[cut]
    parts = np.stack([mask == kind for kind in range(len(how.classes) + 1)])
    return torch.from_numpy(np.ascontiguousarray(grey)), torch.from_numpy(parts.astype(np.float32))


def _piece(sides: Sequence[int], piece: Sequence[int], random: torch.Generator) -> tuple[slice, ...]:
    """A part of at most these sides, anywhere in a volume, with one slice before it for the batch."""
    found = [slice(None)]
    for side, wanted in zip(sides, piece or sides, strict=True):
        room = max(0, side - wanted)
        first = int(torch.randint(0, room + 1, (1,), generator=random))
        found.append(slice(first, first + min(side, wanted)))
    return tuple(found)


def fit_masks(
    how: Masks, cases: Sequence[Case], seed: int, *, whose: Sequence[str] = (), checkpoint: Path | None = None,
    progress: Progress = lambda line: None, clock: Callable[[], float] = time.monotonic,
) -> nn.Module:  # fmt: skip
    """One network, trained on all of these cases, one at a time (see `fit.descend`).

    The outline moves with the volume as a share of each voxel, so that a border between two voxels stays one.

    Args:
        whose: the person of each case; a person for each where none is named.
    """
    key, watch = digest_of_cases(cases), None
    if how.patience:
        part, _ = _parts(cases, whose or [case.name for case in cases], WATCHED, seed)
        aside = [_tensors(case, how) for case, p in zip(cases, part, strict=True) if p == 0]
        cases = [case for case, p in zip(cases, part, strict=True) if p]
        watch = Watch(lambda net: _loss_of(net, aside, how), how.patience)
    held, weights = [_tensors(case, how) for case in cases], [case.weight for case in cases]
    kinds = len(how.classes) + 1
    layout = torch.channels_last_3d if len(how.spacing_mm) == 3 else torch.channels_last
    order = torch.empty(0, dtype=torch.int64)
    scored = loss_of_masks(how)

    def shown(net: nn.Module, step: int, random: torch.Generator) -> Tensor:
        nonlocal order
        if step % len(held) == 0:
            order = torch.randperm(len(held), generator=random)
        which = int(order[step % len(held)])
        grey, labels = held[which]
        grid = turned_grid(1, how.movement, tuple(grey.shape), random)[_piece(tuple(grey.shape), how.piece, random)]
        x = functional.grid_sample(grey[None, None], grid, mode="bilinear", padding_mode="border", align_corners=False)
        target = functional.grid_sample(
            labels[None], grid, mode="bilinear", padding_mode="border", align_corners=False
        )[0]
        gain, lift, noise = torch.rand(3, generator=random).tolist()
        x = x * (0.8 + 0.4 * gain) + (lift - 0.5) * 0.4
        x = x + torch.randn(x.shape, generator=random) * how.movement.noise * noise
        with halved(how.precision):
            logits = net(x.contiguous(memory_format=layout))[0].float()
        return weights[which] * (_loss(logits, target) if scored is None else scored(logits[None], target[None]))

    said = {k: v for k, v in as_said(how).items() if k not in ("card", "goal", "members", "fitted", "views")}
    schedule = Schedule(
        len(held) * how.epochs, len(held), how.rate, min(100, len(held)), how.decay, how.average, how.threads
    )  # fmt: skip
    net: nn.Module = descend(
        lambda: outliner(how, kinds).to(memory_format=layout), shown, schedule, seed,
        repr((said, key)), watch=watch, checkpoint=checkpoint, progress=progress, clock=clock,
    )  # fmt: skip
    return net


def _loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy and what the structures lack of overlapping, of (1 + classes, …grid) logits and shares."""
    axes = tuple(range(1, target.ndim))
    said = torch.softmax(logits, 0)
    both = (said * target)[1:].sum(axes)
    overlap = (2 * both + 1) / (said[1:].sum(axes) + target[1:].sum(axes) + 1)
    return functional.cross_entropy(logits[None], target[None]) + 1 - overlap.mean()


def _loss_of(net: nn.Module, aside: Sequence[tuple[Tensor, Tensor]], how: Masks) -> float:
    """Loss of cases as they are, not moved; of large ones that of the same piece each time."""
    random, losses = torch.Generator().manual_seed(0), []
    for grey, labels in aside:
        piece = _piece(tuple(grey.shape), how.piece, random)
        with halved(how.precision):
            logits = net(grey[None][piece][None])[0].float()
        losses.append(float(_loss(logits, labels[piece])))
    return float(np.mean(losses))


def _parts(cases: Sequence[Case], whose: Sequence[str], parts: int, seed: int) -> tuple[npt.NDArray[np.int64], int]:
    """The part of each case, and how many pairs of near-duplicates there are; these and a person's stay together."""
    looks = np.stack([np.hstack(list(canvas(case.image))) * 255 for case in cases]).astype(np.uint8)
    people, pairs = linked(looks, numbered(whose))
    each = np.unique(people, return_inverse=True)[1]
    if each.max() + 1 < 2 * parts:
        raise Refused(f"cases of {each.max() + 1} people", f"{parts} parts need two each", "give more")
    return np.random.default_rng(seed).permutation(int(each.max()) + 1)[each] % parts, pairs


def train_masks(how: Masks, data: Path, out: Path, seed: int, tell: Progress, clock: Callable[[], float]) -> Model:
    """Fit on all parts but one, judge on that one, and export; see `train.train`."""
    started, limit = clock(), room_for(how, how.fitted)
    files, alone = pairs_in(data, flat=len(how.spacing_mm) == 2, structures=how.classes)
    for line in alone:
        tell(f"left out, {line}")
    for remark in taught_on_test([image.as_posix() for image, _ in files]):
        tell(remark)
    cases = [
        replace(read_case(*pair, how, name), weight=weight)
        for pair, name, weight in zip(files, names_of(files), weights_of(files, data), strict=True)
    ]
    if len(cases) < 2 * how.members:
        raise Refused(f"{len(cases)} cases", f"{how.members} parts need two each", "give more")
    for kind, structure in enumerate(how.classes, start=1):
        if not any((case.labels == kind).any() for case in cases):
            raise Refused(f"no outline of '{structure}' in {len(cases)} cases", "what is nowhere is not learnt",
                          "give cases that show it, or leave it out of the recipe")  # fmt: skip
    people = people_of(files, data)
    part, pairs = _parts(cases, people, how.members, seed)
    tell(f"{len(cases)} cases in {how.members} parts, {how.fitted} networks; {pairs} near-duplicates kept together")
    nets, rows = [], []
    inputs: dict[str, Any] = {
        "kind": "masks", "classes": list(how.classes), "spacing_mm": list(how.spacing_mm), "step": step_of(how),
        "window": list(how.window),
    }  # fmt: skip
    for k in range(how.fitted):
        some = [(c, whom) for c, whom, p in zip(cases, people, part, strict=True) if p != k]
        nets.append(fit_masks(
            how, [c for c, _ in some], seed * 100 + k, whose=[whom for _, whom in some],
            checkpoint=out / f"member{k}.checkpoint", progress=tell,
        ))  # fmt: skip
        single = Chances([nets[-1]], how.views).eval()

        def ask(x: Grey, net: nn.Module = single) -> Grey:
            with torch.inference_mode():
                return np.asarray(net(torch.from_numpy(x)).numpy())

        rows += [
            _compared(c, whom, outlined(c.image, c.spacing_mm, ask, inputs), how.classes)
            for c, whom, p in zip(cases, people, part, strict=True) if p == k
        ]  # fmt: skip
        tell(f"network {k + 1}: " + _told(_metrics(rows, how.classes)))
    step, axes = step_of(how), len(how.spacing_mm)
    least, sizes = (2, 4) if how.network is None else (1, 2)  # steps of MONAI's networks are larger
    shapes = [tuple(step * (least + (i + a) % sizes) for a in range(axes)) for i in range(COMPARED)]
    random = torch.Generator().manual_seed(seed)
    digest, parity = exported(
        Chances(nets, how.views), (1, *(least * 2 * step,) * axes), out / "model.onnx", ("chances",), free=True,
        limit_bytes=limit,
        inputs=[torch.randn(1, 1, *shape, generator=random) for shape in shapes],
    )  # fmt: skip
    keep(out, [c.image for c, p in zip(cases, part, strict=True) if how.fitted > 1 or p])
    metrics = _metrics(rows, how.classes)
    flat = {f"{name}_{kind}": value for name, kinds in metrics.items() for kind, value in kinds.items()}
    shown = {"n": len(rows), "metrics": flat, "subgroups": [], "declined": 0, "parity": parity}
    shown |= laid(out, inputs, rows, data)
    return written(how, out, digest, digest_of_cases(cases), inputs, shown, {
        "cases": len(cases), "left out": alone, "near_duplicates": pairs, "networks": how.fitted,
        "parameters": sum(p.numel() for net in nets for p in net.parameters()),
        "seed": seed, "seconds": round(clock() - started),
        "shown": f"cases of the parts that a network had not seen, {how.fitted} of {how.members} parts",
        **named_on(how),
    })  # fmt: skip


def _compared(case: Case, whose: str, said: npt.NDArray[np.uint8], classes: Sequence[str]) -> dict[str, Any]:
    """Dice, HD95 and surface Dice at 1 mm of each class, for one case."""
    row: dict[str, Any] = {"name": case.name, "person": whose}
    for kind, name in enumerate(classes, start=1):
        mine, theirs = said == kind, case.labels == kind
        row[f"dice {name}"] = dice(mine, theirs)
        measured = surfaces(mine, theirs, case.spacing_mm)
        row[f"hd95_mm {name}"] = measured.hausdorff(95)
        row[f"nsd_1mm {name}"] = measured.dice_at(1.0)
    return row


def _metrics(rows: Sequence[dict[str, Any]], classes: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean over the cases, with its interval; cases without the structure in both have no value."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for figure in ("dice", "hd95_mm", "nsd_1mm"):
        for name in classes:
            values = np.array([row[f"{figure} {name}"] for row in rows])
            known = np.isfinite(values)
            if not known.any():
                continue
            people = [row["person"] for row, is_known in zip(rows, known, strict=True) if is_known]
            told = mean_of(values[known], people, most=np.inf if figure == "hd95_mm" else 1.0)
            found.setdefault(figure, {})[name] = told | {"cases": len(people)}
    return found


def _told(metrics: dict[str, dict[str, dict[str, float]]]) -> str:
    return ", ".join(f"{f} {k} {v['value']:.3f}" for f, kinds in metrics.items() for k, v in kinds.items())


def cases_in(held: Model, data: Path, split: str | None) -> list[Grey]:
    """The images that can be judged, as they are read."""
    how, found = _how(held), []
    for image, mask in pairs_in(data, split, flat=len(how.spacing_mm) == 2, structures=how.classes)[0]:
        with contextlib.suppress(Refused):
            found.append(read_case(image, mask, how).image)
    return found


def named(held: Model, data: Path) -> tuple[list[str], None]:
    """Names of the images that can be judged; no label tells one from the other.

    Raises:
        Refused: no pair can be read.
    """
    how, found, why = _how(held), [], ""
    files, _ = pairs_in(data, None, flat=len(how.spacing_mm) == 2, structures=how.classes)
    for (image, mask), name in zip(files, names_of(files), strict=True):
        try:
            found.append(read_case(image, mask, how, name).name)
        except Refused as bad:
            why = f"{bad.what}: {bad.why}"
    if not found:
        raise Refused(f"none of {len(files)} pairs in {data.name} can be read", why, "repair them")
    return found, None


def _how(held: Model) -> Masks:
    inputs = held.inputs
    spacing = tuple(float(s) for s in inputs["spacing_mm"])
    return Masks(task=held.name, classes=tuple(inputs["classes"]), spacing_mm=spacing, window=tuple(inputs["window"]))


def judged(
    held: Model, session: Any, data: Path, split: str | None,
    strange: Callable[[Sequence[Grey]], npt.NDArray[np.float64]] | None = None,
) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:  # fmt: skip
    """Figures, a row for each case, and the outlines.

    An image without outline, or the reverse, and a pair that does not fit together count as declined, with the reason;
    so does what is `strange` (above 1, see `outside`), which is outlined and measured all the same. What lies near that
    border has a word in ``because``.

    Raises:
        Refused: when no pair can be judged, or a structure of the model is outlined in none.
    """
    inputs = held.inputs
    how = _how(held)
    files, alone = pairs_in(data, split, flat=len(how.spacing_mm) == 2, structures=how.classes)
    rows, masks, shown = [], {}, set[int]()
    both = np.zeros((len(how.classes) + 1,) * 2, np.int64)
    for (image, mask), name, whom in zip(files, names_of(files), people_of(files, data, split), strict=True):
        try:
            case = read_case(image, mask, how, name)
        except Refused as why:
            if len(files) == 1:
                raise
            alone.append(f"{name}: {why.what}, {why.why}")
            continue
        said = outlined(
            case.image, case.spacing_mm, lambda x: np.asarray(session.run(["chances"], {"image": x})[0]), inputs
        )  # fmt: skip
        away = strange([case.image]) if strange is not None else np.zeros(0)
        unlike = "unlike all that was learnt from" if (away > 1).any() else ""
        word = "" if unlike else "".join(doubts(inputs, away))
        shown |= set(np.unique(case.labels).tolist())
        rows.append(_compared(case, whom, said, how.classes) | {"declined": unlike, "because": word})
        masks[case.name] = (said, case.affine)
        np.add.at(both, (case.labels.ravel(), np.asarray(said, np.int64).ravel()), 1)
    if not rows:
        raise Refused(f"none of {len(files)} pairs in {data.name}", alone[-1], "repair them")
    for kind, structure in enumerate(how.classes, start=1):
        if kind not in shown:
            raise Refused(f"no outline of '{structure}' in {len(rows)} cases", f"label {kind} is nowhere, so that what "
                          "the model finds would count as wrong", "give outlines of every structure")  # fmt: skip
    metrics = _metrics(rows, how.classes)
    declined = len(alone) + sum(bool(row["declined"]) for row in rows)
    figures = {"n": len(rows), "metrics": metrics, "calibration": {}, "subgroups": [], "declined": declined}
    lost = [not_measured(len(alone), len(rows) + len(alone), alone[0], "pairs")] if alone else []
    root = data if data.is_dir() else data.parent
    figures["parts"] = [part_of(os.path.relpath(image, root).replace(os.sep, "/")) for image, _ in files]
    figures["remarks"] = [*lost, *numbered_otherwise(both, how.classes), *_of_no_distance(rows, how.classes)]
    blank: dict[str, Any] = dict.fromkeys(rows[0], "")
    rows += [blank | {"name": line.split(":")[0], "declined": line.split(": ", 1)[1]} for line in alone]
    return figures, rows, masks


def _of_no_distance(rows: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> list[str]:
    """A sentence for each structure that is in one of the two outlines alone in some cases: no distance tells that."""
    told = []
    for name in classes:
        only = [row for row in rows if np.isfinite(row[f"dice {name}"]) and np.isinf(row[f"hd95_mm {name}"])]
        if only:
            told.append(
                f"in {len(only)} of {len(rows)} cases '{name}' was outlined by the model or by the reader alone, such "
                f"as in {only[0]['name']}: they have a Dice of 0 and no part in the mean of HD95"
            )
    return told


def numbered_otherwise(both: npt.NDArray[np.int64], classes: Sequence[str]) -> list[str]:
    """A sentence where the outlines lie as the model's do, but with the numbers of other structures.

    Args:
        both: (labels, answers) voxels that have such a label and such an answer, the background first.
    """
    inner = both[1:, 1:]
    best = inner.argmax(axis=0)
    told = inner.max(axis=0) * 2 > np.maximum(both[:, 1:].sum(axis=0), 1)  # most of what was found lies in one label
    if not told.all() or len(set(best.tolist())) < len(best) or (best == np.arange(len(best))).all():
        return []
    moved = ", ".join(f"'{name}' in label {k + 1}" for name, k in zip(classes, best, strict=True))
    return [
        f"the outlines lie where the model's do but with other numbers: it finds {moved}. Number them "
        + ", ".join(f"{k} {name}" for k, name in enumerate(classes, start=1))
        + ", or name them in a dataset.json beside"
    ]
