"""The checks of `sanity` made for a classifier of films: its partners trained, films chosen, lesions planted.

The films are of people whom the model did not learn from and whom it calls, for only there a reader would see a map.
The lesions are planted in these very films, which it still calls. How many clear films it calls once the same is
planted in them is told beside: where that is few, it does not take such a lesion for what it looks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.confining import bounded_memory
from isocenter.errors import Refused
from isocenter.learn.cascade import cascade, session_of
from isocenter.learn.examples import Examples, split
from isocenter.learn.films import read_films
from isocenter.learn.judge import answered
from isocenter.learn.kinds import Classifier2D
from isocenter.learn.partners import Partner, partners
from isocenter.learn.planted import planted_opacity
from isocenter.learn.recipes import RECIPES
from isocenter.learn.sanity import Subjects, sanity
from isocenter.learn.taken_up import SPLIT
from isocenter.methods.picture import prepared, resampled
from isocenter.methods.saliency import Answer, activation, edges, occlusion, smoothed
from isocenter.record import Model

__all__ = ["METHODS", "SHOWN", "Cases", "called_by_size", "cases_of", "films_sanity"]

Array = npt.NDArray[np.float32]
Progress = Callable[[str], None]
_LEVELS, _DRAWN = 3, 3
_MOST = 48  # films, and planted lesions, that are looked at
_HALF_AXES, _DENSITIES = (0.05, 0.1, 0.145, 0.19, 0.24), (0.3, 0.5, 0.8)
"""Opacities of which it is told how many are called, in parts of the film and of the way to the grey of soft parts."""


@dataclass(frozen=True, eq=False)
class Cases:
    """What the maps are made of.

    Args:
        images: (n, 1, size, size) films that the model calls. planted: (m, 1, size, size) with a lesion, masks: where.
        clear: other films, that it does not call, in which the same was planted; turned: those that it then calls.
        called: the same by size and density of what is planted; see `called_by_size`.
    """

    images: Array
    planted: Array
    masks: npt.NDArray[np.bool_]
    clear: int
    turned: int
    called: Sequence[Mapping[str, float]] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over all of them."""
        sha = hashlib.sha256()
        for part in (self.images, self.planted, self.masks):
            sha.update(np.ascontiguousarray(part).tobytes())
        return sha.hexdigest()


def _activated(session: Any, image: Array) -> Array:
    (places,) = session.run(["map"], {"image": image[None]})
    return activation(places[0, 0], *image.shape[1:])


def _logit(session: Any, images: Array) -> npt.NDArray[np.float32]:
    said = [session.run(["logits"], {"image": np.ascontiguousarray(some, np.float32)})[0][:, 0]
            for some in np.array_split(images, -(-len(images) // 16))]  # fmt: skip
    return np.concatenate(said)


def _asked(session: Any, _: Array) -> Answer:
    return lambda images: _logit(session, images)


def _covered(session: Any, image: Array) -> Array:
    side = image.shape[-1] // 5
    fall = occlusion(lambda x: _logit(session, x), image, patch=side, step=side // 2)
    return np.maximum(fall, 0)


METHODS: Mapping[str, Callable[[Any, Array], Array]] = {
    "class activation": _activated,
    "smoothed class activation": lambda session, image: smoothed(lambda x: _activated(session, x), image),
    "occlusion": _covered,
}
"""Name of a method -> (session, image (1, size, size)) -> map (size, size). All ask ONNX alone, as in the clinic."""


SHOWN = ("class activation", "opacity_sensitivity")
"""The method by which the analysis makes its map, and the map's name."""


@bounded_memory()
def films_sanity(
    model: Model,
    data: bytes,
    source: Path,
    folder: Path,
    methods: Sequence[str],
    progress: Progress = lambda line: None,
) -> list[dict[str, Any]]:
    """A verdict on each method for these weights, by the checks of `sanity.sanity`.

    Args:
        model: record of a classifier of films. data: its ONNX file. source: what it learnt from.
        folder: where its partners are, or are trained.

    Raises:
        Refused: another kind of model, an unknown method, other data than it learnt from, or too few films it calls.
    """
    how = RECIPES.get(model.name)
    if not isinstance(how, Classifier2D):
        raise Refused(f"the maps of '{model.name}'", "the checks are made for classifiers that say one class of each",
                      "its answers come without one, so there is nothing to show or to check")  # fmt: skip
    if unknown := [name for name in methods if name not in METHODS]:
        raise Refused(f"the method '{unknown[0]}'", f"there are {', '.join(METHODS)}", "name one of these")
    seed = int(model.card.get("training", {}).get("seed", 0))
    read = read_films(source, how)
    if read.digest != model.examples:
        raise Refused(
            f"data of digest {read.digest[:12]}…", f"{model.name} learnt from {str(model.examples)[:12]}…, and so must "
            "its partners", "give the data that it was trained on"
        )  # fmt: skip
    inside, aside, _ = split(read, how.validation, int(model.card.get("training", {}).get(SPLIT, seed)))
    chosen, held = read.take(inside), read.take(aside)
    beside = partners(how, chosen, held, seed, folder, progress)
    cases = cases_of(model, session_of(data), held, np.random.default_rng([seed, 12]))
    progress(
        f"{len(cases.images)} films, {len(cases.planted)} planted lesions; of {cases.clear} clear films with one "
        f"{cases.turned} are called"
    )
    subjects = _subjects(data, beside, np.random.default_rng([seed, 13]))
    facts = {
        "cases": {
            "films": len(cases.images), "planted": len(cases.planted), "clear films with a planted lesion": cases.clear,
            "of these called": cases.turned, "called by size and density": list(cases.called), "digest": cases.digest,
        },
        "partners": {one.role: one.told for one in beside},
    }  # fmt: skip
    told = [_verdict(name, METHODS[name], subjects, cases, seed, progress) for name in methods]
    edge = sanity(
        lambda _, image: edges(image), _asked, subjects, cases.images[:12], cases.masks[:12],
        planted=cases.planted[:12], name="edge detector", rng=np.random.default_rng([seed, 14]), progress=progress,
    )  # fmt: skip
    if edge["checks"]["cascade"]["passed"] or edge["checks"]["labels"]["passed"]:
        raise Refused("checks that an edge detector passes", "they would let anything through", "keep none of them")
    control = {"method": "edge detector", "failed": [c for c, one in edge["checks"].items() if not one["passed"]]}
    return [{**one, **facts, "control": control} for one in told]


def _verdict(
    name: str, method: Callable[[Any, Array], Array], subjects: Subjects, cases: Cases, seed: int, progress: Progress
) -> dict[str, Any]:
    rng = np.random.default_rng([seed, 14])
    return sanity(
        method, _asked, subjects, cases.images, cases.masks, name=name, rng=rng, planted=cases.planted,
        progress=progress,
    )  # fmt: skip


def _subjects(data: bytes, beside: Sequence[Partner], rng: np.random.Generator) -> Subjects:
    drawn = [
        [session_of(one) for one in cascade(data, rng=rng, levels=_LEVELS, outputs=("map",))] for _ in range(_DRAWN)
    ]
    held = {one.role: session_of(one.data) for one in beside}
    blind = [session for role, session in held.items() if role.startswith("shuffled")]
    return Subjects(session_of(data), list(zip(*drawn, strict=True)), blind, held["twin"], held["other"])


def cases_of(model: Model, session: Any, held: Examples, rng: np.random.Generator, most: int = _MOST) -> Cases:
    """Films that the model calls, drawn by chance, and the same with a lesion planted in each.

    Args:
        held: films of people that it did not learn from, with their labels.
    """
    size = int(model.inputs["size"])
    called = _called(model, session, held.pictures, size)
    films = held.pictures[rng.permutation(np.flatnonzero((held.labels == 1) & called))[:most]]
    clear = held.pictures[rng.permutation(np.flatnonzero((held.labels == 0) & ~called))[:most]]
    made = [planted_opacity(film, rng) for film in films]
    shown = np.array([film for film, _ in made]).reshape(-1, *held.pictures.shape[1:])
    kept = np.flatnonzero(_called(model, session, shown, size)) if made else np.zeros(0, int)
    turned = np.array([planted_opacity(film, rng)[0] for film in clear])
    masks = [resampled(made[k][1].astype(np.float32), size, size) >= 0.5 for k in kept]
    turned_by = int(np.count_nonzero(_called(model, session, turned, size))) if len(clear) else 0
    return Cases(
        _prepared(films, size), _prepared(shown[kept], size), np.array(masks).reshape(-1, size, size), len(clear),
        turned_by, called_by_size(model, session, clear) if len(clear) else (),
    )  # fmt: skip


def called_by_size(model: Model, session: Any, clear: npt.NDArray[np.uint8]) -> list[dict[str, float]]:
    """How many clear films a model calls once one opacity is planted in them, by its size and density.

    Args:
        clear: (n, rows, columns) films that it does not call.

    Returns:
        For each size and density: ``half_axis`` and ``part_of_film``, ``density``, ``contrast`` (what the opacity adds
        where it lies, in parts of the span of grey values of the film from 1 to 99 %), and how many of the films are
        ``called``. The same places and shapes are drawn for each.
    """
    size, told = int(model.inputs["size"]), list[dict[str, float]]()
    span = np.ptp(np.percentile(clear, (1, 99), axis=(1, 2)), axis=0)
    for half in _HALF_AXES:
        for density in _DENSITIES:
            rng = np.random.default_rng(len(clear))
            made = [planted_opacity(film, rng, half=(half, half), density=(density, density)) for film in clear]
            added = [(shown.astype(float) - film)[mask].mean() for (shown, mask), film in zip(made, clear, strict=True)]
            called = _called(model, session, np.array([shown for shown, _ in made]), size)
            told.append({
                "half_axis": half, "part_of_film": float(np.mean([mask.mean() for _, mask in made])),
                "density": density, "contrast": float(np.mean(added / span)), "n": len(clear),
                "called": int(np.count_nonzero(called)),
            })  # fmt: skip
    return told


def _prepared(pictures: npt.NDArray[Any], size: int) -> Array:
    made = [prepared(one, size)[None] for one in pictures]
    return np.array(made, np.float32).reshape(-1, 1, size, size)


def _called(model: Model, session: Any, pictures: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.bool_]:
    said, gate = answered(session, pictures, size), model.inputs["gate"]
    within = (said["scope"][:, 1] >= gate["child"]) & (said["strangeness"] <= gate["strangeness"])
    return np.asarray(within & (said["certainty"][:, 0] >= float(model.inputs["threshold"])))
