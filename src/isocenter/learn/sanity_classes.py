"""The checks of `sanity` made for any classifier of pictures with networks of its own: partners, cases, planted marks.

The cases are held back from the model where that is one network alone and enough are; where every example has taught
one of its networks, or too few are held back, they are such that it learnt from, and the verdict says so. What a lesion
is to the model is not known: marks of three kinds are laid into pictures (see `planted_marks`), and the kind is taken
that makes the model say a class most often which it had not said. Where no kind does so often enough there is nothing
that a map must lie on, and the check is not made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.analysis.weights import read_file
from isocenter.dicom.confining import bounded_memory
from isocenter.errors import Refused
from isocenter.learn.cascade import cascade, session_of
from isocenter.learn.examples import Examples, folds
from isocenter.learn.foreign import read_foreign
from isocenter.learn.kinds import Classes
from isocenter.learn.labelled import read_labelled
from isocenter.learn.learnt import seen
from isocenter.learn.partners import Partner
from isocenter.learn.partners_classes import class_partners
from isocenter.learn.planted_marks import MARKS, marked
from isocenter.learn.recipes import recipe_behind
from isocenter.learn.sanity import FEWEST, Subjects, sanity
from isocenter.learn.sensitivity import METHODS, Asked, Seen, images_of, map_name, must_have, odds, said_of_pictures
from isocenter.methods.saliency import Answer, edges
from isocenter.record import Model

__all__ = ["MOST", "class_cases", "classes_sanity", "recipe_with_networks"]

Array = npt.NDArray[np.float32]
Progress = Callable[[str], None]
_LEVELS, _DRAWN = 3, 3
_TRIED = 8  # places of a mark in a picture
MOST = 48
"""Cases, and planted marks, that are looked at."""
_UNLEARNT, _ASKED = ("veil",), ("logits",)


@dataclass(frozen=True, eq=False)
class _Cases:
    """What the maps are made of.

    Args:
        images: (n, channels, *grid) that the model gives a class, rightly. planted: (m, channels, *grid) with a mark,
            masks: where; none where too few answers turn.
        told: for the verdict.
    """

    images: Array
    planted: Array
    masks: npt.NDArray[np.bool_]
    told: Mapping[str, Any]


def recipe_with_networks(model: Model) -> Classes:
    """The recipe of a classifier of pictures or volumes that has networks and says one class of each.

    Raises:
        Refused: another kind of model.
    """
    how = recipe_behind(model)
    if not isinstance(how, Classes):
        why = "it says no class of a picture"
    elif how.measured:
        why = "it has no networks: support vectors answer, on measures of the whole volume"
    elif how.several:
        why = "it finds several things at once, and the checks are of one class"
    else:
        return how
    raise Refused(
        f"the maps of '{model.name}'", why, "it answers without a map, so there is nothing to show or to check"
    )


@bounded_memory()
def classes_sanity(
    model: Model, place: Path, source: Path, folder: Path, methods: Sequence[str],
    progress: Progress = lambda line: None, *, epochs: int | None = None, most: int = MOST,
) -> list[dict[str, Any]]:  # fmt: skip
    """A verdict on each method for these weights, by the checks of `sanity.sanity`.

    Args:
        model: record of a classifier. place: its folder. source: what it learnt from.
        folder: where its partners are, or are trained. epochs: of those with true labels, fewer than the recipe has.
        most: cases that are looked at.

    Raises:
        Refused: another kind of model, an unknown method, other data than it learnt from, or too few cases it calls.
    """
    how = recipe_with_networks(model)
    for name in methods:
        must_have(name)
    seed = int(model.card.get("training", {}).get("seed", 0))
    read = read_labelled(source, how)
    aside = (how.fitted or tuple(range(how.members)))[0]
    alone = len(how.fitted or range(how.members)) == 1
    part, _ = folds(read, how.members, seed)
    if read.digest != model.examples and not _by_marks(place, read, part != aside if alone else part >= 0):
        raise Refused(
            f"data of digest {read.digest[:12]}…", f"{model.name} learnt from {str(model.examples)[:12]}…, and so must "
            "its partners", "give the data that it was trained on"
        )  # fmt: skip
    chosen, held = read.take(np.flatnonzero(part != aside)), read.take(np.flatnonzero(part == aside))
    data = read_file(place / "model.onnx")
    session = session_of(data)
    cases = class_cases(
        model, session, place, how, held, np.random.default_rng([seed, 12]), most, learnt=read, alone=alone
    )
    progress(f"{len(cases.images)} cases; {_of_marks(cases.told)}")
    for name in methods:  # what a method cannot be made of is refused before partners are trained
        METHODS[name](Asked(data), cases.images[0], _kind(session, cases.images[0], how))
    foreign = read_foreign(source.resolve().parent.parent, how) if how.foreign else None
    beside = class_partners(how, chosen, foreign, seed, folder, epochs=epochs, progress=progress)
    subjects = _subjects(data, beside, np.random.default_rng([seed, 13]))

    def kind(image: Array) -> int:
        return _kind(session, image, how)

    def asked(subject: Any, image: Array) -> Answer:
        of = kind(image)
        return lambda images: odds(subject, images, of)

    def verdict(name: str, method: Callable[[Any, Array], Array], n: int) -> dict[str, Any]:
        planted = cases.planted[:n] if len(cases.planted) else None
        return sanity(
            method, asked, subjects, cases.images[:n], None if planted is None else cases.masks[:n], planted=planted,
            name=name, rng=np.random.default_rng([seed, 14]), progress=progress,
            without=f"{_of_marks(cases.told)}; {FEWEST} are needed",
        )  # fmt: skip

    told = [verdict(name, _by(METHODS[name], kind), len(cases.images)) for name in methods]
    edge = verdict("edge detector", lambda _, image: edges(image), FEWEST)
    if edge["checks"]["cascade"]["passed"] or edge["checks"]["labels"]["passed"]:
        raise Refused("checks that an edge detector passes", "they would let anything through", "keep none of them")
    facts = {
        "map_of": "log-odds of the class against all others, networks and support vectors together",
        "cases": cases.told,
        "partners": {one.role: one.told for one in beside},
        "control": {"method": "edge detector", "failed": [c for c, one in edge["checks"].items() if not one["passed"]]},
    }
    if epochs is not None and epochs < how.epochs:
        facts["shorter"] = f"twin and other learnt for {epochs} epochs of the {how.epochs} of the recipe"
    return [{**one, "map": map_name(one["method"]), **facts} for one in told]


def _by_marks(place: Path, read: Examples, taught: npt.NDArray[np.bool_]) -> bool:
    """Whether these are the very pictures that it learnt from, by the marks beside it, whatever they are called."""
    known = seen(place, read.pictures)
    return known is not None and np.array_equal(known, taught)


def _by(method: Callable[[Any, Array, int], Array], kind: Callable[[Array], int]) -> Callable[[Any, Array], Array]:
    return lambda subject, image: method(subject, image, kind(image))


def _kind(session: Any, image: Array, how: Classes) -> int:
    """The class of which the map of an image is: the positive one of two, else the one that is said."""
    if len(how.classes) == 2:
        return how.positive
    (certainty,) = session.run(["certainty"], {"image": np.ascontiguousarray(image[None], np.float32)})
    return int(certainty[0, : len(how.classes)].argmax())


def _subjects(data: bytes, beside: Sequence[Partner], rng: np.random.Generator) -> Subjects:
    drawn = [
        [Asked(one) for one in cascade(data, rng=rng, levels=_LEVELS, outputs=_ASKED, left=_UNLEARNT)]
        for _ in range(_DRAWN)
    ]
    held = {one.role: Asked(one.data) for one in beside}
    blind = [one for role, one in held.items() if role.startswith("shuffled")]
    return Subjects(Asked(data), list(zip(*drawn, strict=True)), blind, held["twin"], held["other"])


def class_cases(
    model: Model, session: Any, place: Path, how: Classes, held: Examples, rng: np.random.Generator, most: int = MOST,
    *, learnt: Examples | None = None, alone: bool = True,
) -> _Cases:  # fmt: skip
    """Cases that the model rightly gives a class, drawn by chance, and others that it does once a mark is planted.

    Args:
        held: what was held back. learnt: what is asked where too few of that are given the class.
        alone: whether all of the model was taught without what was held back.

    Raises:
        Refused: it calls fewer than 12 of them.
    """
    said = said_of_pictures(model, session, place, how, held.pictures)
    right = np.flatnonzero(said.shown & (held.labels == said.kind))
    if len(right) < FEWEST and learnt is not None:
        return class_cases(model, session, place, how, learnt, rng, most, alone=False)
    if len(right) < FEWEST:
        raise Refused(
            f"{len(right)} cases that {model.name} rightly gives the class", f"{FEWEST} are needed for a map of it",
            "a model that says one thing of everything, or seldom the right one, has no map to show",
        )  # fmt: skip
    images = images_of(held.pictures[rng.permutation(right)[:most]], how)
    if len(how.classes) == 2:
        ground = np.flatnonzero(~said.called & (held.labels != how.positive))
    else:
        ground = np.flatnonzero(said.shown)
    ground = rng.permutation(ground)[: 2 * MOST]
    marks = {
        mark: _turned(mark, model, session, place, how, held, (said, right, ground), rng, most)
        for mark in MARKS if len(ground)
    }  # fmt: skip
    enough = [one for one in marks.values() if len(one.images) >= FEWEST]
    best = max(
        enough, key=lambda one: len(one.images) / one.tried, default=_Turned(images[:0], np.zeros((0,), bool), 0)
    )
    planted, masks = best.images[:most], best.masks[:most]
    sha = hashlib.sha256()
    for array in (images, planted, masks):
        sha.update(np.ascontiguousarray(array).tobytes())
    facts = {
        "cases": len(images), "held back": alone, "planted": len(planted),
        "marks": {mark: {"tried": one.tried, "turned": len(one.images)} for mark, one in marks.items()},
        "mark": next((mark for mark, one in marks.items() if one is best), None), "digest": sha.hexdigest(),
    }  # fmt: skip
    return _Cases(images, planted, masks, facts)


@dataclass(frozen=True, eq=False)
class _Turned:
    """Pictures whose answer a mark turned, where it lies, and how often it was tried."""

    images: Array
    masks: npt.NDArray[np.bool_]
    tried: int


def _turned(
    mark: str, model: Model, session: Any, place: Path, how: Classes, held: Examples,
    of: tuple[Seen, npt.NDArray[np.int64], npt.NDArray[np.int64]], rng: np.random.Generator, most: int,
) -> _Turned:  # fmt: skip
    """Pictures in which a mark makes the model say a class that it had not said, and of which hiding what lies there
    does not. Each is tried at several places, since a piece may show nothing of what the class looks like.
    """
    said, right, left = of
    found, where, tried = list[Array](), list[npt.NDArray[np.bool_]](), 0

    def answers(shown: Sequence[Array]) -> Seen:
        pixels = np.round(np.stack(shown) * 255).astype(np.uint8)
        pixels = np.moveaxis(pixels, 1, -1) if how.channels > 1 else pixels[:, 0]
        return said_of_pictures(model, session, place, how, pixels)

    for _ in range(_TRIED):
        images = images_of(held.pictures[left], how)
        others = [_other(held, said.kind, right, int(k), how, rng) for k in left]
        made = [marked(image, other, rng, mark) for image, other in zip(images, others, strict=True)]
        after, without = answers([one for one, _, _ in made]), answers([one for _, one, _ in made])
        if len(how.classes) == 2:
            turned = after.shown & ~without.called
        else:
            turned = after.shown & (after.kind != said.kind[left]) & (after.kind != without.kind)
        for k in np.flatnonzero(turned):
            found.append(made[k][0])
            where.append(made[k][2])
        tried, left = tried + len(left), left[~turned]
        if len(found) >= most or not len(left):
            break
    if not found:
        return _Turned(np.zeros((0,), np.float32), np.zeros((0,), bool), tried)
    return _Turned(np.stack(found), np.stack(where), tried)


def _other(
    held: Examples, kinds: npt.NDArray[np.int64], right: npt.NDArray[np.int64], own: int, how: Classes,
    rng: np.random.Generator,
) -> Array:  # fmt: skip
    """A picture that is rightly given a class, of several another one than the picture's own."""
    some = right if len(how.classes) == 2 else right[kinds[right] != kinds[own]]
    chosen = rng.choice(some if len(some) else right)
    return np.asarray(images_of(held.pictures[[chosen]], how)[0])


def _of_marks(told: Mapping[str, Any]) -> str:
    """How often each mark turned the answer, in words."""
    return "a planted mark turns the answer: " + (
        ", ".join(f"{mark} {one['turned']} of {one['tried']} times" for mark, one in told["marks"].items())
        or "none was planted, for there is no picture without the class"
    )
