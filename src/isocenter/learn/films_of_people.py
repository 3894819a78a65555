"""Radiographs of people with outlines of lungs and heart, as the network of `chest_xray_heart` sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isocenter.errors import NotFound, Refused
from isocenter.learn.chest_fit import Films
from isocenter.learn.examples import linked, made_one, numbered, weights_in
from isocenter.learn.outlined_films import OUTLINES, WANTED, outlined_films
from isocenter.methods.lung_network import film_seen, squared

__all__ = ["FilmsOfPeople", "films_of_people"]

_HELD = 0.2  # of the people, at least one
_FEW = 50  # films, of which no mean can be taken: only the same film tells that two people are one


@dataclass(frozen=True, eq=False)
class FilmsOfPeople:
    """Films to learn from and films of other people, on whom is seen what was learnt.

    Args:
        people, people_held: how many there are of each.
    """

    taught: Films
    held: Films
    people: int
    people_held: int


def films_of_people(data: Path, side: int, seed: int) -> FilmsOfPeople:
    """The outlined films of a folder (see `outlined_films`), parted by person; who share nearly the same film are one.

    A film may lack an outline: the heart, or the lungs, of which both have to be drawn.

    Raises:
        NotFound: there is no such folder. Refused: no film has outlines, an outline does not fit, a film cannot be
            looked at, all are of one person, or the films of those who are not held back have a weight of nothing.
    """
    if not data.is_dir():
        raise NotFound(f"no folder at {data}", "films with outlines are wanted", "give the folder that holds them, or "
                       "`--data .` to learn from virtual films alone")  # fmt: skip
    ways, whom, pictures, masks, known = list[str](), list[str](), [], [], []
    for film in outlined_films(data, partly=True):
        drawn = film.outlines
        lungs = {"right", "left"} <= drawn.keys()
        if not lungs and "heart" not in drawn:
            continue
        pictures.append(np.round(film_seen(film.picture, side) * 255).astype(np.uint8))
        none = np.zeros(film.picture.shape, np.bool_)
        masks.append(np.stack([_covered(drawn.get(part, none), side) for part in OUTLINES]))
        known.append([lungs, lungs, "heart" in drawn])
        ways.append(film.way)
        whom.append(film.person)
    if not ways:
        raise Refused(f"no outlined lungs or hearts in {data.name}", WANTED,
                      "arrange them so, or give `--data .` to learn from virtual films alone")  # fmt: skip
    people = numbered(made_one(whom, [picture.tobytes() for picture in pictures]))
    if len(pictures) > _FEW:
        people = numbered(linked(np.stack(pictures), people)[0].tolist())
    count = int(people.max()) + 1
    if count < 2:
        raise Refused(
            f"outlined films of one person only in {data.name}",
            "nobody would be left on whom to see what was learnt", "give outlines of two people at least",
        )  # fmt: skip
    counts = weights_in(data, ways)
    weights = torch.ones(len(ways)) if counts is None else torch.from_numpy(counts)
    all_of_them = (torch.from_numpy(np.stack(pictures)), torch.from_numpy(np.stack(masks)), torch.tensor(known),
                   weights)  # fmt: skip
    order = np.random.default_rng([seed, 61]).permutation(count)
    aside = np.isin(people, order[: max(1, round(_HELD * count))])
    taught, held = _some(all_of_them, ~aside), _some(all_of_them, aside)
    if taught.weights is None or not float(taught.weights.sum()) > 0:
        raise Refused(f"{len(taught)} films that count nothing", "their weights are 0", "give some more weight")
    return FilmsOfPeople(taught, held, len(np.unique(people[~aside])), len(np.unique(people[aside])))


def _some(arrays: Sequence[Tensor], which: npt.NDArray[np.bool_]) -> Films:
    chosen = torch.from_numpy(np.flatnonzero(which))
    pictures, masks, known, weights = (one[chosen] for one in arrays)
    return Films(pictures, masks, known, weights)


def _covered(mask: npt.NDArray[np.bool_], side: int) -> npt.NDArray[np.uint8]:
    """How much of each pixel of the film an outline covers, 0 to 255."""
    from PIL import Image

    whole = Image.fromarray(squared(mask.astype(np.float32))[0])
    share = np.asarray(whole.resize((side, side), Image.Resampling.BOX))
    return np.asarray(np.round(np.clip(share, 0, 1) * 255), np.uint8)
