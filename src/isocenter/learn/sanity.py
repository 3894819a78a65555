"""Whether a saliency method may be shown for a model: six checks, all of which it must pass.

1. *Cascade*: with the weights made random from the last layer to the first, the map becomes another one, less alike
   than maps of two different cases are (Adebayo et al. 2018; Arun et al. 2021).
2. *Labels*: maps of models trained on random labels, as many of each in every class, are others in that sense on
   average; a single one may by chance answer to what every image shows.
3. *Repeatability*: a twin, trained again with another seed, has more alike maps than two different cases have.
4. *Reproducibility*: the same for a model of another architecture.
   No border of 1 to 4 was chosen: it is how alike the model's own maps of two cases are, drawn by chance, which is what
   chance and the anatomy that all cases share give. What must be less alike is so on the mean; what must be more alike
   is so case by case, too, p < 0.01 (signed ranks).
5. *Faithfulness*: taking pixels away in the order of the map lowers the answer faster, and putting them back raises it
   faster (Petsiuk 2018), than the median of seven copies of the map that were mirrored and moved by chance: each in so
   many cases that a fair coin does so in fewer than 1 of 100 (sign test). The copies are as rough as the map: how rough
   an order is changes the answer by itself, since a picture with scattered holes is like none that was learnt.
6. *Localisation*: the map lies on a planted or drawn lesion more than on the lesion of another case, p < 0.01.

A check that was not made is not passed. An edge detector, which looks like saliency, fails 1 and 2. Version 1 of the
checks compared 5 with one draw of smooth noise, whatever the map was like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.card import amended
from isocenter.methods.saliency import Answer, alike, deletion, insertion, moved, precision_recall
from isocenter.record import Model

__all__ = ["CHECKS", "FEWEST", "VERSION", "Subjects", "kept", "sanity"]

CHECKS = ("cascade", "labels", "repeatability", "reproducibility", "faithfulness", "localisation")
VERSION = 2
"""Of the checks; a verdict of another version lets nothing be shown."""
Array = npt.NDArray[np.float32]
Each = npt.NDArray[np.float64]
_P = 0.01
FEWEST = 12
"""Cases, of which a rank test can reach p < 0.01."""
_PAIRS = 100
_MOVED = 7  # an odd number, so that chance is on neither side of their median


@dataclass(frozen=True, eq=False)
class Subjects:
    """The model and those it is held against; None where one was not made.

    Args:
        model: whose maps would be shown. cascade: its weights made random, from the last layer on, more at each level;
            at a level several drawings, over which the likeness is the mean.
        random_labels: some, each trained on random labels. twin: trained again with another seed. other: another
            architecture.
    """

    model: Any
    cascade: Sequence[Sequence[Any]] = ()
    random_labels: Sequence[Any] = ()
    twin: Any = None
    other: Any = None


def sanity(
    method: Callable[[Any, Array], Array],
    answer: Callable[[Any, Array], Answer],
    subjects: Subjects,
    images: Array,
    masks: npt.NDArray[np.bool_] | None,
    *,
    name: str,
    rng: np.random.Generator,
    planted: Array | None = None,
    without: str = "no lesion was planted or drawn",
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """``{"method", "version", "passed", "n", "checks": {name: {"passed", …}}, "says"}``, for the evidence of the model.

    Args:
        method: (subject, image (channels, *grid)) -> map (*grid).
        answer: (subject, image) -> what the map of that image explains, asked of any images.
        images: (n, channels, *grid) that have what is looked for. masks: (n, *grid) where it lies.
        planted: images that the masks belong to, where they are others than `images`. without: why there are no masks.

    Raises:
        Refused: fewer than 12 images, images that are not finite, or masks of another shape.
    """
    if len(images) < FEWEST or not np.isfinite(images).all():
        why = f"{FEWEST} finite ones are needed, for a test to reach p < {_P}"
        raise Refused(f"{len(images)} images", why, "give more of them")
    marked = images if planted is None else planted
    if masks is not None and (masks.shape != (len(marked), *images.shape[2:]) or len(marked) < FEWEST):
        raise Refused(
            f"masks of shape {masks.shape}",
            f"one for each image of {marked.shape}, {FEWEST} at least, is wanted",
            "give the images with their masks again",
        )
    own = _maps(method, subjects.model, images)
    pairs = [rng.choice(len(own), 2, replace=False) for _ in range(_PAIRS)]
    usual = float(np.mean([alike(own[a], own[b]) for a, b in pairs]))

    def likeness(other: Any) -> Each:
        return np.array([alike(a, b) for a, b in zip(own, _maps(method, other, images), strict=True)])

    made: dict[str, Callable[[], dict[str, Any]]] = {
        "cascade": lambda: _lost([[likeness(one) for one in level] for level in subjects.cascade], usual),
        "labels": lambda: _unlike([likeness(one) for one in subjects.random_labels], usual),
        "repeatability": lambda: _kept(subjects.twin, likeness, usual),
        "reproducibility": lambda: _kept(subjects.other, likeness, usual),
        "faithfulness": lambda: _faithful(answer, subjects.model, images, own, rng),
        "localisation": lambda: _placed(
            own if planted is None else _maps(method, subjects.model, planted), masks, without
        ),
    }
    checks: dict[str, dict[str, Any]] = {}
    for check in CHECKS:
        checks[check] = made[check]()
        progress(f"{name}, {check}: {'passed' if checks[check]['passed'] else 'not passed'}")
    failed = [check for check in CHECKS if not checks[check]["passed"]]
    says = f"{name} may be shown for these weights" if not failed else (
        f"{name} is not shown for these weights: it did not pass {', '.join(failed)}"
    )  # fmt: skip
    return {
        "method": name, "version": VERSION, "passed": not failed, "n": len(images), "checks": checks, "says": says,
    }  # fmt: skip


def kept(folder: Path, verdict: Mapping[str, Any], *, map: str) -> Model:
    """Keep a verdict in the evidence of the model in a folder, in place of an earlier one on the same map.

    The weights, and with them the digest by which the gate knows the model, stay as they are.

    Args:
        map: name of the map that the analysis gives by this method.

    Raises:
        NotFound: no model there. Refused: the file beside is not the one that the record names.
        Unavailable: the record cannot be written.
    """

    def told(held: Model) -> dict[str, Any]:
        before = held.evidence.get("explanation") or []
        others = [v for v in ([before] if isinstance(before, Mapping) else before) if v.get("map") != map]
        return {"explanation": [*others, {**verdict, "map": map, "digest": held.digest}]}

    return amended(folder, told)


def _maps(method: Callable[[Any, Array], Array], subject: Any, images: Array) -> list[Array]:
    return [np.asarray(method(subject, image), np.float32) for image in images]


def _not_made(why: str) -> dict[str, Any]:
    return {"passed": False, "not_made": why}


def _more(one: Each, other: Each | float) -> float:
    """How likely one would be as much more than the other by chance, case by case."""
    from scipy.stats import wilcoxon

    return float(wilcoxon(one - other, alternative="greater").pvalue) if np.any(one != other) else 1.0


def _lost(levels: Sequence[Sequence[Each]], usual: float) -> dict[str, Any]:
    if not levels:
        return _not_made("no weights were made random")
    falls = [float(np.mean(level)) for level in levels]
    p = _more(-np.mean(levels[-1], 0), -usual)
    return {"passed": falls[-1] < usual, "p": p, "alike": falls, "two_cases": usual}


def _unlike(found: Sequence[Each], usual: float) -> dict[str, Any]:
    if not found:
        return _not_made("no such model was given")
    p = _more(-np.mean(found, 0), -usual)
    means = [float(one.mean()) for one in found]
    return {"passed": float(np.mean(means)) < usual, "p": p, "alike": means, "two_cases": usual}


def _kept(subject: Any, likeness: Callable[[Any], Each], usual: float) -> dict[str, Any]:
    if subject is None:
        return _not_made("no such model was given")
    found = likeness(subject)
    p = _more(found, usual)
    told = float(found.mean())
    return {"passed": told > usual and p < _P, "p": p, "alike": told, "two_cases": usual}


def _faithful(
    answer: Callable[[Any, Array], Answer], model: Any, images: Array, maps: Sequence[Array],
    rng: np.random.Generator,
) -> dict[str, Any]:  # fmt: skip
    told: dict[str, list[float]] = {"deletion": [], "insertion": []}
    for image, own in zip(images, maps, strict=True):
        base = np.broadcast_to(image.mean(tuple(range(1, image.ndim)), keepdims=True), image.shape)
        asked = answer(model, image)
        blind = [moved(own, rng) for _ in range(_MOVED)]
        for name, walk, better in (("deletion", deletion, -1), ("insertion", insertion, 1)):
            mine, *chance = (walk(asked, image, order, base=base) for order in (own, *blind))
            told[name].append(better * (mine - float(np.median(chance))))
    better_in = {name: int(np.count_nonzero(np.array(gains) > 0)) for name, gains in told.items()}
    p = {name: _by_chance(times, len(maps)) for name, times in better_in.items()}
    gained = {name: float(np.mean(gains)) for name, gains in told.items()}
    return {"passed": max(p.values()) < _P, "p": p, "better_than_moved_by": gained, "better_in": better_in}


def _by_chance(times: int, n: int) -> float:
    """How likely a fair coin falls on one side as often, or oftener, of n times."""
    from scipy.stats import binomtest

    return float(binomtest(times, n, alternative="greater").pvalue)


def _placed(maps: Sequence[Array], masks: npt.NDArray[np.bool_] | None, without: str) -> dict[str, Any]:
    if masks is None:
        return _not_made(without)
    own = [precision_recall(m, k) for m, k in zip(maps, masks, strict=True)]
    theirs = [precision_recall(m, k) for m, k in zip(maps, np.roll(masks, 1, 0), strict=True)]
    p = _more(np.array(own), np.array(theirs))
    return {"passed": p < _P, "p": p, "auprc": float(np.mean(own)), "on_another_lesion": float(np.mean(theirs)),
            "share_of_pixels": float(masks.mean())}  # fmt: skip
