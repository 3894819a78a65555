"""From labelled pictures or volumes to one ONNX file of several networks, each judged on what it never saw.

The examples are dealt out into parts, by person. Each network learns from all parts but one and answers for that one,
so that the evidence covers every example and no example answers for itself; the networks are then averaged. The
evidence is that of single networks: the average, which is what ships, is seen by none of these figures.
"""

from __future__ import annotations

import hashlib
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
from isocenter.learn.augment import augmented, moved
from isocenter.learn.card import written
from isocenter.learn.examples import Examples, folds, must_be_of_two_classes
from isocenter.learn.export import exported
from isocenter.learn.findings import MOST, shown_in
from isocenter.learn.fit import WATCHED, Schedule, Watch, descend
from isocenter.learn.foreign import Foreign, read_foreign, wrong
from isocenter.learn.judge_classes import class_figures
from isocenter.learn.kinds import Classes, Scattering, as_said
from isocenter.learn.labelled import read_labelled
from isocenter.learn.learnt import keep
from isocenter.learn.monai_networks import classifier, loss_of_classes, named_on, room_for
from isocenter.learn.nested import Beside, spread
from isocenter.learn.networks import GridNet
from isocenter.learn.outside import NEAR
from isocenter.learn.pretrained import DIGEST
from isocenter.learn.shape import Measured, fit_measured
from isocenter.learn.splits import taught_on_test
from isocenter.learn.tensors import packed
from isocenter.learn.tested import laid
from isocenter.learn.waves import Machine, scattered
from isocenter.methods.calibration import fit_classes
from isocenter.record import Model

__all__ = ["Answer", "beside_nets", "ellipsoid", "fit_classes_net", "said_of", "tensor", "train_classes", "veil"]

_NOT_OF_A_NETWORK = {
    "backbone", "card", "choose", "fitted", "goal", "known_as", "members", "others", "strangers", "veiled", "views",
    "waves",
}  # fmt: skip
"""Of a recipe what does not change how a network learns, so that a run is taken up all the same."""


Progress = Callable[[str], None]
Net = GridNet | Measured
Beginning = Mapping[str, npt.NDArray[Any]]
Scored = Callable[[Tensor, Tensor], Tensor]
"""(logits, targets, both (n, classes)) -> (n,)"""


class Answer(nn.Module):  # type: ignore[misc]
    """Picture → chances of the classes, and how strange the picture is.

    Input ``image``: (n, channels, …grid) in 0 … 1. Outputs: ``logits`` (n, classes), mean of the networks over the
    mirror images, moved by support vectors where the recipe has them; ``certainty`` (n, classes), the same calibrated;
    ``embedding`` (n, channels) of the first network; ``strangeness`` (n,), distance of that from the examples: above 1
    is farther than nearly all of them. With `traits` it is the distance of the means of every stage from the nearest
    class (Lee 2018). Where a picture may show `several` of the classes, each has a certainty of its own. With `upright`
    a picture is asked about again turned by one, two and three quarters, and by 45 degrees to either side: what looks
    more like a class when it is turned lies askew, on its side or head, and is none of the classes.
    """

    def __init__(
        self, nets: Sequence[Net], views: Sequence[tuple[int, ...]], slope: float | Tensor, offsets: Tensor,
        centre: Tensor, whiten: Tensor, veil: Tensor, *, traits: bool = False, machine: Machine | None = None,
        several: bool = False, upright: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.traits, self.machine, self.several, self.upright = traits, machine, several, upright
        self.nets, self.views = nn.ModuleList(nets), [tuple(-a for a in view) for view in views]
        self.register_buffer("slope", torch.as_tensor(slope))
        self.register_buffer("offsets", offsets)
        self.register_buffer("centre", centre)
        self.register_buffer("whiten", whiten)
        self.register_buffer("veil", veil)

    def _of_nets(self, image: Tensor) -> Tensor:
        said = [net(torch.flip(image, view) if view else image) for net in self.nets for view in self.views]
        return torch.stack(said).mean(0)

    def _turned(self, image: Tensor, upright: Tensor, scaled: Tensor) -> Tensor:
        """`scaled` with none of the classes (last) above the others where a turned picture looks more like one.

        That is for the networks to say: support vectors would have to look at each picture five times more.
        """
        across = image.transpose(2, 3)
        askew = [_slanted(image, angle_deg) for angle_deg in (45.0, -45.0)]
        apart = [_apart(self._of_nets(turned) * self.slope + self.offsets) for turned in (
            across.flip(2), image.flip((2, 3)), across.flip(3), *askew
        )]  # fmt: skip
        more = torch.stack(apart).amax(0) - _apart(upright * self.slope + self.offsets)
        return torch.cat([scaled[:, :-1], torch.maximum(scaled[:, -1], scaled[:, :-1].amax(1) + more)[:, None]], 1)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        image = image * self.veil
        upright = self._of_nets(image)
        logits = upright if self.machine is None else beside_nets(upright, self.machine(image), self.machine.kinds)
        embedding = self.nets[0].embedding(image)
        point = self.nets[0].traits(image) if self.traits else embedding
        away = (point[:, None] - self.centre) @ self.whiten
        scaled = logits * self.slope + self.offsets
        if self.upright:
            scaled = self._turned(image, upright, scaled)
        certainty = torch.sigmoid(scaled) if self.several else torch.softmax(scaled, 1)
        return logits, certainty, embedding, (away * away).sum(2).amin(1).sqrt()


def beside_nets(logits: Tensor, said: Tensor, kinds: int) -> Tensor:
    """Logits with what support vectors say of the classes; of none of them (last, where there is it) they say nothing.

    Far from all examples they say no to every class, so that none of them is likelier there.
    """
    return torch.cat([logits[:, :kinds] + said, logits[:, kinds:]], 1)


def _slanted(image: Tensor, angle_deg: float) -> Tensor:
    """Pictures turned about their middle, their border drawn out; where it reads is written into an export."""
    turn = np.deg2rad(angle_deg)
    matrix = torch.tensor([[[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0]]])
    one = functional.affine_grid(matrix.float(), [1, 1, int(image.shape[2]), int(image.shape[3])], align_corners=False)
    places = torch.tensor(one.tolist()).expand(image.shape[0], -1, -1, -1)
    return functional.grid_sample(image, places, padding_mode="border", align_corners=False)


def _apart(scaled: Tensor) -> Tensor:
    """(n,) how far the likeliest class is above none of them (last)."""
    return scaled[:, :-1].amax(1) - scaled[:, -1]


def tensor(pictures: npt.NDArray[np.uint8], how: Classes) -> Tensor:
    """(n, channels, …grid) of 8-bit grey values."""
    if how.channels > 1:
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pictures, -1, 1)))
    return torch.from_numpy(np.ascontiguousarray(pictures))[:, None]


def fit_classes_net(
    how: Classes, examples: Examples, seed: int, *, foreign: Foreign | None = None, checkpoint: Path | None = None,
    begin: Beginning | None = None, progress: Progress = lambda line: None,
    clock: Callable[[], float] = time.monotonic, architecture: Callable[[Classes, int], GridNet] = classifier,
) -> GridNet:  # fmt: skip
    """One network, trained on all of these examples (see `fit.descend`); from the body `begin` if one is given."""
    kinds, axes = len(how.classes) + (how.foreign > 0), len(how.shape)
    watch = None
    if how.patience:
        examples, aside = _parted(examples, how, seed)
        watch = Watch(lambda net: _loss_of(net, aside, how), how.patience)
    pictures, labels = tensor(examples.pictures, how), torch.from_numpy(examples.labels)
    share = torch.ones(kinds)
    if how.balanced:
        share = len(labels) / (kinds * torch.bincount(labels, minlength=kinds).float().clamp(min=1))
    counting = torch.ones(len(labels)) if examples.weights is None else torch.from_numpy(examples.weights)
    others = torch.from_numpy(foreign.shown) if foreign is not None else torch.zeros(0, dtype=torch.uint8)
    per_epoch = len(examples) // how.batch
    if not per_epoch:
        raise Refused(f"{len(examples)} examples", f"a batch has {how.batch}", "give more, or take a smaller batch")
    order = torch.empty(0, dtype=torch.int64)
    layout = torch.channels_last if axes == 2 else torch.channels_last_3d
    scored = loss_of_classes(how)

    def shown(net: nn.Module, step: int, random: torch.Generator) -> Tensor:
        nonlocal order
        number = step % per_epoch
        if number == 0:
            order = torch.randperm(len(labels), generator=random)
        which = order[number * how.batch : (number + 1) * how.batch]
        x = pictures[which].float() / 255
        if axes == 2:
            x = augmented(x, how.augmentation, how.shape[0], random)
        else:
            x = moved(x, how.movement, random)
        said, heavy = labels[which], counting[which]
        if how.foreign:
            x = torch.cat([x, wrong(x.clamp(0, 1), others, round(how.foreign * how.batch), random)])
            said = torch.cat([said, torch.full((len(x) - len(said),), kinds - 1)])
            heavy = torch.cat([heavy, torch.ones(len(said) - len(heavy))])
        logits = net(x.contiguous(memory_format=layout))
        if how.several:
            return _loss_of_several(logits, said, heavy, how.smoothing, scored)
        return _loss(logits, said, share[said] * heavy, how, scored)

    said = {k: v for k, v in as_said(how).items() if k not in _NOT_OF_A_NETWORK}
    start = [] if begin is None else [hashlib.sha256(packed(begin)).hexdigest()]
    key = repr((said, examples.digest, "" if foreign is None else foreign.digest, *start))
    schedule = Schedule(per_epoch * how.epochs, per_epoch, how.rate, per_epoch, how.decay, how.average, how.threads)

    def make() -> nn.Module:
        net = architecture(how, kinds)
        return (net if begin is None else net.begun(begin)).to(memory_format=layout)

    net: GridNet = descend(
        make,
        shown, schedule, seed, key, watch=watch, checkpoint=checkpoint, progress=progress, clock=clock,
    )  # fmt: skip
    return net


def _parted(examples: Examples, how: Classes, seed: int) -> tuple[Examples, Examples]:
    """Nine tenths of the people to be shown and one to watch by, both with all that a label can be where it can be."""
    alike = examples
    if how.several:
        alike = replace(examples, labels=np.any(shown_in(examples.labels, len(how.classes)), axis=1).astype(np.int64))
    part = folds(alike, WATCHED, seed)[0]
    return examples.take(np.flatnonzero(part > 0)), examples.take(np.flatnonzero(part == 0))


def _loss_of(net: nn.Module, aside: Examples, how: Classes) -> float:
    """Cross entropy of examples as they are, not moved."""
    logits = said_of(net, tensor(aside.pictures, how), ((),), torch.ones(how.shape))[0]
    labels = torch.from_numpy(aside.labels)
    if how.several:
        return float(_loss_of_several(logits, labels, torch.ones(len(labels)), 0.0))
    return float(functional.cross_entropy(logits, labels))


def _loss(logits: Tensor, labels: Tensor, heavy: Tensor, how: Classes, scored: Scored | None = None) -> Tensor:
    target = functional.one_hot(labels, logits.shape[1]).float()
    soft = target * (1 - how.smoothing) + how.smoothing / logits.shape[1]
    each = -(soft * torch.log_softmax(logits, 1)).sum(1) if scored is None else scored(logits, soft)
    if how.ordered:
        apart = torch.softmax(logits, 1).cumsum(1) - target.cumsum(1)
        each = each + how.ordered * (apart * apart).sum(1)
    return (each * heavy).mean()


def _loss_of_several(
    logits: Tensor, labels: Tensor, heavy: Tensor, smoothing: float, scored: Scored | None = None
) -> Tensor:
    """Each finding by itself; one that is not known teaches nothing, and the others of a batch count as much more."""
    kinds = logits.shape[1]
    target = ((labels[:, None] >> torch.arange(kinds)) & 1).float()
    soft = target * (1 - smoothing) + smoothing / 2
    if scored is not None:
        return (scored(logits, soft) * heavy).mean()
    open_ = labels[:, None] >> (MOST + torch.arange(kinds)) & 1 if kinds <= MOST else torch.zeros_like(target)
    known = 1 - open_.float()
    each = functional.binary_cross_entropy_with_logits(logits, soft, reduction="none") * known
    return (each.mean(1) * heavy).mean() / known.mean()


def veil(how: Classes) -> Tensor:
    """(…grid): root of how much of a white picture is left on the mean when it is moved; 1 if not veiled."""
    if not how.veiled:
        return torch.ones(how.shape)
    plain = replace(how.augmentation, curve=0.0, field=0.0, sharpness=0.0, noise=0.0, erase=0.0, cubic=False, tint=0.0)
    white = torch.ones(2048, 1, *how.shape)
    left: Tensor = augmented(white, plain, how.shape[0], torch.Generator().manual_seed(0)).mean((0, 1))
    left = (left + left.flip(0) + left.flip(1) + left.flip(0, 1)) / 4
    return (left / left.max()).sqrt()


def said_of(
    net: Net, pictures: Tensor, views: Sequence[tuple[int, ...]], veil: Tensor, *, traits: bool = False
) -> tuple[Tensor, Tensor]:
    """Logits, averaged over the mirror images, and embeddings, or traits."""
    logits, embeddings = [], []
    net.eval()
    with torch.inference_mode():
        for some in pictures.split(128):
            x = some.float() / 255 * veil
            flips = [tuple(-a for a in view) for view in views]
            logits.append(torch.stack([net(torch.flip(x, v) if v else x) for v in flips]).mean(0))
            embeddings.append(net.traits(x) if traits else net.embedding(x))
    return torch.cat(logits), torch.cat(embeddings)


def ellipsoid(
    inside: Tensor, held: npt.NDArray[np.bool_], kinds: npt.NDArray[np.int64] | None = None, given_up: float = 0.005
) -> tuple[Tensor, Tensor]:
    """Centres (1 or classes, d) and whitening (d, k) of embeddings, so that the border lies at distance 1.

    Inside it are all but `given_up` of those that were held back from training; without classes also 499 of 500 of all.
    Classes, where they are given, have one shape about their centres, and the nearest centre counts.
    """
    points, held_ = inside.double(), torch.from_numpy(held)
    kind = torch.zeros(len(points), dtype=torch.int64) if kinds is None else torch.from_numpy(kinds)
    centre = torch.stack([points[kind == k].mean(0) for k in range(int(kind.max()) + 1)])
    apart = points - centre[kind]
    spread = apart.std(0).clamp(min=1e-6)
    variance, axes = torch.linalg.eigh(torch.cov((apart / spread).T))
    kept = variance > variance.max() * 1e-3  # directions without spread would make every picture strange
    whiten = axes[:, kept] / variance[kept].sqrt() / spread[:, None]
    distance = ((points[:, None] - centre) @ whiten).norm(dim=2).amin(1)
    border = float(torch.quantile(distance[held_], 1 - given_up))
    if kinds is None:
        border = max(border, float(torch.quantile(distance, 0.998)))
    return centre.float(), (whiten / border).float()


def _near(whole: Answer, pictures: Tensor) -> float:
    """The chance of being none of the classes up to which an answer stands without a word (see `outside.NEAR`)."""
    with torch.inference_mode():
        none = torch.cat([whole.eval()(some.float() / 255)[1][:, -1] for some in pictures.split(128)])
    return float(torch.quantile(none, NEAR))


def _refusals(whole: Answer, pictures: Tensor, foreign: Foreign, how: Classes, seed: int) -> dict[str, dict[str, int]]:
    """How many wrong pictures are declined, by kind; none of them was learnt from as it stands here."""
    some = pictures[np.random.default_rng([seed, 8]).permutation(len(pictures))[:200]]
    noise = np.random.default_rng([seed, 7]).integers(0, 256, (200, *how.shape), dtype=np.uint8)
    part = how.shape[0] // 3
    kinds = {
        "inverted": 255 - some, "noise": torch.from_numpy(noise)[:, None], "on the side": torch.rot90(some, 1, (2, 3)),
        "on the other side": torch.rot90(some, 3, (2, 3)), "half turn": torch.rot90(some, 2, (2, 3)),
        "a ninth of the picture": functional.interpolate(
            some[:, :, part : 2 * part, part : 2 * part].float(), how.shape, mode="bilinear"
        ),
    }  # fmt: skip
    kinds |= {name: torch.from_numpy(images)[:, None] for name, images in foreign.kept.items()}
    found = {}
    for kind, images in kinds.items():
        with torch.inference_mode():
            _, certainty, _, strange = whole.eval()(images.float() / 255)
        declined = (certainty.argmax(1) == len(how.classes)) | (strange > 1)
        found[kind] = {"n": len(images), "declined": int(declined.sum())}
    return found


def train_classes(
    how: Classes, data: Path, out: Path, seed: int, tell: Progress, clock: Callable[[], float],
    begin: Beginning | None = None,
) -> Model:  # fmt: skip
    """Train each network, calibrate on what they had not seen, export and measure; see `train.train`."""
    chosen = how.fitted or tuple(range(how.members))
    limit = room_for(how, len(chosen))
    started, examples = clock(), read_labelled(data, how)
    must_be_of_two_classes(examples.labels)
    part, pairs = folds(examples, how.members, seed)
    for remark in (*examples.remarks, *taught_on_test(examples.ways)):
        tell(remark)
    tell(f"{len(examples)} examples in {how.members} parts; {pairs} near-duplicates kept together")
    kinds = len(how.classes)
    foreign = read_foreign(data.resolve().parent.parent, how) if how.foreign else None
    pictures, veiled = tensor(examples.pictures, how), veil(how)
    beside = None
    if how.beside is not None:
        beside = Beside(how, scattered(how.beside, pictures), examples.labels, part, chosen)
    nets: list[Net] = []
    settings: list[Scattering] = []
    logits, aside = (torch.zeros(len(examples), kinds) for _ in range(2))
    inside, rest = torch.empty(0), torch.zeros(len(examples))
    for number, k in enumerate(chosen):
        held = np.flatnonzero(part == k)
        tell(f"network {number + 1} of {len(chosen)}")
        some = examples.take(np.flatnonzero(part != k))
        nets.append(
            fit_measured(how, some)
            if how.measured
            else fit_classes_net(
                how,
                some,
                seed * 100 + k,
                foreign=foreign,
                checkpoint=out / f"member{k}.checkpoint",
                begin=begin,
                progress=tell,
            )
        )
        answer = said_of(nets[-1], pictures[held], how.views, veiled)[0]
        logits[held] = answer[:, :kinds]
        if how.foreign:
            rest[held] = answer[:, kinds]
        if beside is not None:
            settings.append(beside.best(k))
            aside[held] = beside.decided(settings[-1], (k,))[held]
            aside[held] *= spread(logits[held]) / spread(aside[held])
        if not number:
            inside = said_of(nets[0], pictures, ((),), veiled, traits=how.foreign > 0)[1]
    alone = len(chosen) == 1
    taught = part != chosen[0] if alone else np.ones(len(examples), bool)
    counts = np.bincount(examples.labels, minlength=kinds)
    held_first, answered = part == chosen[0], np.flatnonzero(np.isin(part, chosen))
    labels, part = examples.labels[answered], part[answered]
    names, whose = [examples.names[i] for i in answered], examples.groups[answered]
    scores = (logits + aside).numpy().astype(np.float64)[answered]
    share = 1 / counts[labels] if how.balanced else None
    slope, offsets = fit_classes(labels, scores, weights=share, cautious=how.foreign > 0)
    gate = (examples.labels, how.given_up) if how.foreign else ()
    centre, whiten = ellipsoid(inside, held_first, *gate)
    z = scores * slope + offsets
    border = [float(np.quantile(z.max(1) - rest.numpy()[answered] * slope, how.given_up))] if how.foreign else []
    shifts = torch.tensor([*offsets, *border], dtype=torch.float32)
    machine = None
    if beside is not None:
        settings.append(beside.best())
        machine = beside.fitted(settings[-1], tuple(chosen) if alone else ())
        plain = sum(beside.decided(settings[-1], (k,)) for k in chosen)
        machine.share = spread(logits[answered]) / spread(plain[answered])
    upright = how.foreign > 0 and len(how.shape) == 2 and how.shape[0] == how.shape[1]
    whole = Answer(
        nets, how.views, slope, shifts, centre, whiten, veiled, traits=how.foreign > 0, machine=machine, upright=upright
    )
    shape = (how.channels, *how.shape)
    digest, parity = exported(
        whole, shape, out / "model.onnx", ("logits", "certainty", "embedding", "strangeness"), limit_bytes=limit
    )
    keep(out, examples.pictures[taught])
    inputs: dict[str, Any] = {
        "kind": "classes", "classes": list(how.classes), "positive": how.positive, "shape": list(how.shape),
        "channels": how.channels, "known_as": dict(how.known_as), "ordered": how.ordered > 0, "threshold": 0.5,
        "rest": how.foreign > 0,
    }  # fmt: skip
    if how.foreign:
        inputs["near"] = _near(whole, pictures[torch.from_numpy(answered)])
    certainty = np.exp(z - z.max(1, keepdims=True))
    certainty /= certainty.sum(1, keepdims=True)

    def figures_of(own: npt.NDArray[np.bool_]) -> dict[str, Any]:
        none = np.zeros(int(own.sum()), bool)
        return class_figures(labels[own], scores[own], certainty[own], none, inputs, people=whose[own])

    shown = figures_of(part >= 0) | {"parity": parity}
    shown["networks"] = [figures_of(part == k)["metrics"] | {"seed": seed * 100 + k} for k in chosen]
    rows = [
        {"name": name, "label": int(label), "said": int(stated.argmax())}
        | {f"certainty {kind}": float(v) for kind, v in zip(how.classes, stated, strict=True)}
        for name, label, stated in zip(names, labels, certainty, strict=True)
    ]
    shown |= laid(out, inputs, rows, data, {"class": [how.classes[label] for label in labels]})
    if foreign is not None:
        shown["out_of_scope"] = _refusals(whole, pictures, foreign, how, seed)
    splits = np.array([name.split("/")[0] for name in names])
    shown["splits"] = {
        str(name): figures_of(splits == name)["metrics"]
        for name in np.unique(splits)
        if len(np.unique(labels[splits == name])) > 1
    }
    return written(how, out, digest, examples.digest, inputs, shown, {
        "examples": {name: int(n) for name, n in zip(how.classes, counts, strict=True)},
        "near_duplicates": pairs, "networks": len(chosen), "seed": seed, "seconds": round(clock() - started),
        "parameters": sum(p.numel() for net in nets for p in net.parameters()),
        "shown": f"{len(chosen)} of {how.members} parts, each by a network that had not seen it; "
        + ("it ships" if alone else "their average ships") + _told_of_vectors(how, alone)
        + ("; their settings were chosen for each part by others" if how.choose else ""),
        **named_on(how), **_told(how, settings),
    })  # fmt: skip


def _told_of_vectors(how: Classes, alone: bool) -> str:
    if how.beside is None:
        return ""
    return "; so the support vectors" + ("" if alone else ", but those that ship were fitted on all examples")


def _told(how: Classes, settings: Sequence[Scattering]) -> dict[str, str]:
    """The settings that were chosen for each part and, last, for the file, and whose weights it looks through."""
    through = {} if how.backbone is None else {"looks through weights with SHA-256": DIGEST}
    if not how.choose:
        return through
    each = [", ".join(f"{name} {getattr(one, name):g}" for name in how.choose) for one in settings]
    return through | {"settings chosen for each part": "; ".join(each[:-1]), "settings that ship": each[-1]}
