"""What a model must decline, taught after its training: another version of it, with a network of its own beside.

The images that it learnt from are dealt out by person: most teach the border, some lay it, some measure it. Collections
of other things are shown in part, or not at all, so that what is declined of them says something of kinds never thought
of. What is declined is part of how a model behaves: the new file names the network beside it, has a digest of its own,
and is a candidate like any other.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.analysis.weights import read_file
from isocenter.errors import Conflict, NotFound, Refused
from isocenter.learn.besides import without_test
from isocenter.learn.border import KINDS, TURNS, fit_border, kept_beside, spoilt
from isocenter.learn.card import plain_page
from isocenter.learn.chest_gate import chest_gate_taught
from isocenter.learn.detail import INPUT as DETAIL
from isocenter.learn.detail import detail, limit_of, with_detail
from isocenter.learn.extent import INPUT as EXTENTS
from isocenter.learn.extent import limits_of, with_extent
from isocenter.learn.gated import gate_taught
from isocenter.learn.gridded import ENDINGS, fitted, opened
from isocenter.learn.judge import asked, folder_of
from isocenter.learn.judge import opened as opened_model
from isocenter.learn.kinds import Classes
from isocenter.learn.labelled import opened_npz, pairs_of, read_labelled
from isocenter.learn.learnt import FILE as MARKS
from isocenter.learn.likely import fit_likely, with_likely
from isocenter.learn.misshapen import MISSHAPEN, fit_misshapen, with_misshapen
from isocenter.learn.model_folder import write_record
from isocenter.learn.outline_measures import COUNT, outline_measures
from isocenter.learn.outside import FILE, NAMED, NEAR, canvas, strangeness
from isocenter.learn.tabulate import usual_taught
from isocenter.record import Model

__all__ = ["collections_in", "taught_to_decline"]

Array = npt.NDArray[Any]
Progress = Callable[[str], None]
_PARTS, _SHOWN = (0.7, 0.15), 0.75  # that teach and that lay the border; of another collection
_EACH = 120  # wrong images of a kind that measure
_COARSE = 0.01  # of right pictures may lie below the limit of detail
_BESIDES = ("measured", "misshapen", "detail", "extent")  # what is asked besides the network, on the card
_PIECES = 25  # of a volume far larger than the examples


@dataclass(frozen=True, eq=False)
class _Right:
    """Images that a model was made for, as it reads them, and whose they are."""

    images: Sequence[Array]
    people: npt.NDArray[np.int64]
    read: Callable[[Array], Array]
    """Brings any image of their make to what the model reads of it."""


def taught_to_decline(
    model: str | Path, data: Path, out: Path, shown: Sequence[Path] = (), kept: Sequence[Path] = (),
    extra: Path | None = None, *, split: str | None = None, turned: bool = True, mirrored: bool = False,
    given_up: float = 0.01, given_up_turned: float | None = None, steps: int = 1200, width: int = 16, seed: int = 0,
    checkpoint: Path | None = None, kept_network: bool = False, measured: bool = False,
    detailed: bool = False, misshapen: bool = False, magnified: bool = False, tell: Progress = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
) -> Model:  # fmt: skip
    """A new version of a model that declines what is like nothing it learnt from.

    Args:
        model: name, or folder, of one that tells classes, outlines or finds things, or of one of a table, of which only
            what is usual in its columns is learnt. data: what it learnt from.
        out: folder for the new version; empty or new.
        shown: collections of other things (``.npz``, or a folder of pictures or volumes), of which three quarters are
            shown. kept: more of them, which are only asked about.
        split: only this part of `data`. turned: whether a turned image is a wrong one; mirrored: whether a mirrored
            one is right.
        given_up: part of the right images that may lie beyond each border; given_up_turned: see `fit_border`.
        checkpoint: file that keeps the teaching; one that was stopped is taken up from it.
        kept_network: whether the network that lies beside the model stays; it is not taught, only what is asked besides
            and what is counted are new. It should have been taught with this seed, `data` and `shown`.
        measured: whether plain measures of outlined organs are asked besides (see `likely`). detailed: whether pictures
            must hold the detail of their grid, which crops that were enlarged do not (see `detail`). misshapen: whether
            networks are asked besides that know outlines made wrong on purpose by their measures (see `misshapen`).
        magnified: whether what a detector finds must be as large a part of the picture as it was in these (see
            `extent`); of detail, which a whole picture that was enlarged lacks as a crop does, is then asked no more.

    Raises:
        Refused: a model of another kind, too few images, measures of what is no volume, no network to be kept.
        NotFound: nothing there. Conflict: the folder holds something.
    """
    if out.exists() and any(out.iterdir()):
        raise Conflict(f"'{out}' is not empty", "a model is never changed in place", "name another folder")
    held, session = opened_model(model, extra)
    if "gate" in held.inputs or held.name == "chest_xray_heart":
        if len(shown) > 1 or kept or kept_network or measured or detailed or misshapen or magnified:
            raise Refused(f"a border of {held.name}", "it has a gate, to which other things are shown from one "
                          "MedNIST array", "name no more than that")  # fmt: skip
        return (gate_taught if "gate" in held.inputs else chest_gate_taught)(
            held, folder_of(model, held, extra), data, out, shown[0] if shown else None, seed, tell=tell
        )  # fmt: skip
    if held.inputs.get("kind") == "table":
        if shown or kept or kept_network or measured or detailed or misshapen or magnified:
            raise Refused(f"a border of {held.name}", "of a table only what is usual in its columns is learnt",
                          "give its rows alone")  # fmt: skip
        return usual_taught(held, folder_of(model, held, extra), data, out)
    if held.inputs.get("kind") not in ("classes", "masks", "boxes") or held.inputs.get("rest"):
        raise Refused(f"a border of {held.name}", "only of models of classes, outlines and boxes is one taught that "
                      "have none of their own", "leave it out: it has a border of its own")  # fmt: skip
    if kept_network and "scope" not in held.inputs:
        raise Refused(f"the border of {held.name}", "none was taught, so none can be kept", "teach it one")
    right, rng = _right(held, data, split), np.random.default_rng([seed, 41])
    part = rng.random(int(right.people.max()) + 1)[right.people]
    inside, lays = part < sum(_PARTS), (part >= _PARTS[0]) & (part < sum(_PARTS))
    if (measured or misshapen) and (right.images[0].ndim != 3 or right.images[0].shape[-1] == 3):
        raise Refused(
            f"measures of {held.name}", "only outlined organs, volumes of one channel, have them", "leave them out"
        )
    if detailed and right.images[0].ndim == 3 and right.images[0].shape[-1] != 3:
        raise Refused(f"detail of {held.name}", "only pictures are asked for it, these are volumes", "leave it out")
    if magnified and held.inputs["kind"] != "boxes":
        raise Refused(f"the extent of things that {held.name} finds", "only a model of boxes finds any", "leave it out")
    tell(f"{len(right.images)} right images, {int((~inside).sum())} of them only measure")
    others: dict[str, list[Array]] = {}
    asked_about: dict[str, list[Array]] = {}
    for path, show in [(p, True) for p in shown] + [(p, False) for p in kept]:
        for name, images in collections_in(path, right.images, rng).items():
            drawn = rng.random(len(images)) < (_SHOWN if show else 0)
            others[name] = [one for one, d in zip(images, drawn, strict=True) if d]
            told = f"{name} (others of it were shown)" if show else f"{name} (none was ever shown)"
            asked_about[told] = [right.read(one) for one, d in zip(images, drawn, strict=True) if not d][:_EACH]

    def numbers_of(images: Sequence[Array]) -> Mapping[str, Array]:
        if held.inputs["kind"] != "boxes" or not images:
            return {}
        return {EXTENTS: import_module("isocenter.learn.detect").extents_in(held, session, images)}

    place = folder_of(model, held, extra)
    taught = [one for one, i in zip(right.images, inside, strict=True) if i]
    out.mkdir(parents=True, exist_ok=True)
    if kept_network:
        shutil.copyfile(place / FILE, out / FILE)
        scope = dict(held.inputs["scope"])
    else:
        border = fit_border(
            taught, lays[inside], others, seed, turned=turned, mirrored=mirrored, given_up=given_up,
            given_up_turned=given_up_turned, steps=steps, width=width, read=right.read, checkpoint=checkpoint,
            progress=tell, clock=clock,
        )  # fmt: skip
        scope = kept_beside(border, len(canvas(taught[0])), out)
    if measured:
        seen = np.stack([outline_measures(one) for one in taught])
        wholly.write(out / FILE, with_likely((out / FILE).read_bytes(), fit_likely(seen, lays[inside])))
        scope["digest"] = hashlib.sha256((out / FILE).read_bytes()).hexdigest()
    if misshapen:
        learnt = fit_misshapen(taught, lays[inside], seed)
        wholly.write(out / FILE, with_misshapen((out / FILE).read_bytes(), learnt))
        scope["digest"] = hashlib.sha256((out / FILE).read_bytes()).hexdigest()
    if detailed:
        laying = [detail(one) for one in taught]  # no network is taught by it, so that all of them may lay the limit
        wholly.write(out / FILE, with_detail((out / FILE).read_bytes(), *limit_of(laying, _COARSE)))
        scope["digest"] = hashlib.sha256((out / FILE).read_bytes()).hexdigest()
    if magnified:
        large = numbers_of(taught)[EXTENTS]
        plain = without_test((out / FILE).read_bytes(), DETAIL)
        wholly.write(out / FILE, with_extent(plain, *limits_of(large, _COARSE), large.shape[1]))
        scope["digest"] = hashlib.sha256((out / FILE).read_bytes()).hexdigest()
    measuring = [one for one, i in zip(right.images, inside, strict=True) if not i]
    for kind in (k for k in KINDS if turned or k not in TURNS):
        asked_about[kind] = [
            right.read(spoilt(measuring[k % len(measuring)], measuring[(7 * k + 1) % len(measuring)], kind, rng))
            for k in range(_EACH)
        ]
    laid = [one for one, i in zip(right.images, lays, strict=True) if i]
    asked_still = [k for k in _BESIDES if not (magnified and k == DETAIL)]
    return _written(
        held, place, scope, measuring, laid, asked_about, numbers_of, out, {
            "taught on": held.card["border"]["taught on"] if kept_network else
            f"{len(right.images)} images, seed {seed}, {steps} steps, width {width}, {given_up:g} beyond each border"
            + ("" if given_up_turned is None else f", {given_up_turned:g} beyond that of turned views")
            + (", mirrored ones are right" if mirrored else ""),
            "shown": [name for name, images in others.items() if images],
        } | ({k: held.card["border"][k] for k in asked_still if k in held.card["border"]} if kept_network else {})
        | ({"measured": f"{COUNT} measures of each outline, 0.02 beyond what they keep to"} if measured else {})
        | ({"misshapen": f"{', '.join(MISSHAPEN)}, by {COUNT} measures, 0.02 beyond"} if misshapen else {})
        | ({"detail": f"of its grid, {_COARSE:g} below the limit"} if detailed else {})
        | ({"extent": f"of what is found, {_COARSE:g} beyond both limits"} if magnified else {}),
    )  # fmt: skip


def _right(held: Model, data: Path, split: str | None) -> _Right:
    kind = held.inputs["kind"]
    if kind == "classes":
        examples = read_labelled(data, asked(held), split)
        return _Right(list(examples.pictures), examples.groups, lambda image: _fitted(image, asked(held)))
    module = import_module(f"isocenter.learn.{'segment' if kind == 'masks' else 'detect'}")
    images: list[Array] = module.cases_in(held, data, split)
    return _Right(images, np.arange(len(images)), lambda image: image)


def _fitted(image: Array, how: Classes) -> Array:
    x = np.asarray(image)
    if x.dtype.kind == "f" and x.min() >= 0 and 1 < x.max() <= 255:  # of 8 bits before it was spoilt
        x = np.floor(x + 0.5).astype(np.uint8)
    return fitted(x, how, "a wrong image", enlarge=True)


def collections_in(path: Path, like: Sequence[Array], rng: np.random.Generator) -> dict[str, list[Array]]:
    """Images of another collection, in the shape of those of a model: each class of an ``.npz`` is one collection.

    Of a volume, where pictures are wanted, come the middle slices; grey ones are given three colours where colours are
    wanted, and coloured ones made grey. Of a volume far larger than the examples come pieces as large as they are.

    Raises:
        NotFound: nothing is there. Refused: it holds no image of use.
    """
    if not path.exists():
        raise NotFound(f"no collection at {path}", "there is nothing to show", "check the path")
    if path.is_dir():
        how = Classes(task="strangers", classes=("one", "other"), shape=(1, 1, 1), channels=3)
        files = sorted(p for p in path.rglob("*") if p.name.lower().endswith(ENDINGS))
        found = {path.name: [opened(file, how) for file in files[:: max(1, len(files) // 600)]]}
    else:
        arrays = opened_npz(path)
        found = {}
        for image, label in pairs_of(arrays).values():
            labels = (
                np.zeros(len(arrays[image]), int)
                if label is None
                else arrays[label].reshape(len(arrays[image]), -1)[:, 0]
            )
            names = [str(n) for n in arrays.get("classes", ())]
            for kind in np.unique(labels):
                name = f"{path.stem} {names[int(kind)] if names else kind}"
                some = arrays[image][labels == kind]
                found.setdefault(name, []).extend(some[:: max(1, len(some) // 600)])
    shaped = {name: [s for one in images for s in _shaped(one, like, rng)] for name, images in found.items()}
    if not any(shaped.values()):
        raise Refused(
            f"no image in {path.name}",
            "pictures or volumes as those of the model are wanted",
            "name another folder or file",
        )
    return shaped


def _shaped(one: Array, like: Sequence[Array], rng: np.random.Generator) -> list[Array]:
    """An image of any shape as pictures or volumes of the model's kind."""
    first = like[0]
    volumes, colour = first.ndim == 3 and first.shape[-1] != 3, first.ndim == 3 and first.shape[-1] == 3
    x = np.asarray(one, np.float32)
    x = x[..., 0] if x.ndim == 4 else x
    if not np.isfinite(x).all() or not np.ptp(x):
        return []
    picture = x.ndim == 2 or x.shape[-1] in (3, 4)
    if volumes:
        return [] if picture or min(x.shape) < 8 else _pieces(x, first.shape, rng)
    flat = [x] if picture else [np.rot90(x.take(x.shape[axis] // 2, axis)) for axis in range(3)]
    if colour:
        return [f[..., :3] if f.ndim == 3 else np.stack([f] * 3, -1) for f in flat]
    return [f[..., :3].mean(-1) if f.ndim == 3 else f for f in flat]


def _pieces(x: Array, shape: Sequence[int], rng: np.random.Generator) -> list[Array]:
    if np.prod(x.shape) < 8 * np.prod(shape):
        return [x]
    found, least = [x], float(np.percentile(x[x > x.min()], 5))
    for _ in range(20 * _PIECES):
        first = [int(rng.integers(0, max(1, s - w))) for s, w in zip(x.shape, shape, strict=True)]
        piece = x[tuple(slice(a, a + w) for a, w in zip(first, shape, strict=True))]
        if np.mean(piece > least) > 0.5:
            found.append(piece)
        if len(found) > _PIECES:
            break
    return found


def _written(
    held: Model, place: Path, scope: dict[str, Any], measured: Sequence[Array], laid: Sequence[Array],
    wrong: dict[str, list[Array]], numbers_of: Callable[[Sequence[Array]], Mapping[str, Array]], out: Path,
    told: dict[str, Any],
) -> Model:  # fmt: skip
    import onnx

    numbers = numbers_of(laid)
    usual = {name: np.median(value, axis=0) for name, value in numbers.items()}
    scope["near"] = float(np.quantile(strangeness(out, scope, laid, numbers), NEAR))
    whole = onnx.load_model_from_string(read_file(place / "model.onnx"))
    kept = {one.key: one.value for one in whole.metadata_props} | {NAMED: scope["digest"]}
    onnx.helper.set_model_props(whole, kept)
    data = whole.SerializeToString()
    digest = hashlib.sha256(data).hexdigest()
    wholly.write(out / "model.onnx", data)
    if (place / MARKS).is_file():
        shutil.copyfile(place / MARKS, out / MARKS)

    def count(images: Sequence[Array]) -> dict[str, int]:
        if not images:
            return {"n": 0, "declined": 0}
        # the model is asked about those alone that nothing else declines: of most of them it takes far longer
        away = strangeness(out, scope, images, {name: np.stack([v] * len(images)) for name, v in usual.items()})
        if usual and (left := [k for k, one in enumerate(away) if one <= 1]):
            some = [images[k] for k in left]
            away[left] = strangeness(out, scope, some, numbers_of(some))
        return {"n": len(images), "declined": int(np.count_nonzero(away > 1))}

    refused = {kind: count(images) for kind, images in wrong.items() if images}
    refused["right ones, for comparison"] = count(measured)
    model = replace(
        held, version=str(int(held.version) + 1) if held.version.isdigit() else f"{held.version}, with a border",
        digest=digest, parent=held.parent if digest == held.digest else held.digest, state="candidate",
        card={**held.card, "border": told}, evidence={**held.evidence, "out_of_scope": refused},
        inputs={**held.inputs, "scope": scope, "network": str(held.inputs.get("network", held.digest))},
    )  # fmt: skip
    write_record(out, model, plain_page(model))
    return model
