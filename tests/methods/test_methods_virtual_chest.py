"""Virtual chest films: what is outlined is what is drawn."""

from __future__ import annotations

from functools import cache

import numpy as np

from isocenter.methods.virtual_chest import Film, virtual_film


@cache
def films() -> tuple[Film, ...]:
    return tuple(virtual_film(seed, 96) for seed in range(24))


def test_the_same_seed_draws_the_same_film_and_another_another() -> None:
    again = virtual_film(3, 96)
    assert np.array_equal(again.picture, films()[3].picture) and np.array_equal(again.masks, films()[3].masks)
    assert not np.array_equal(again.picture, films()[4].picture)


def test_right_left_and_heart_lie_as_in_a_person() -> None:
    chests = [f for f in films() if f.masks.any()]
    assert len(chests) >= 20
    widths = []
    for film in chests:
        assert film.picture.min() >= 0 and film.picture.max() <= 1 and np.isfinite(film.picture).all()
        right, left, heart = film.masks > 0.5
        middle = [np.argwhere(part).mean(axis=0)[1] for part in (right, left, heart)]
        assert middle[0] < middle[2] < middle[1], "the patient's right is on the left of the picture"
        assert not (right & left).any()
        widths.append(np.ptp(np.flatnonzero(heart.any(axis=0))) / np.ptp(np.flatnonzero((right | left).any(axis=0))))
    assert min(widths) < 0.40 and max(widths) > 0.55, "hearts of every width"


def test_lungs_are_darker_than_the_heart_on_nearly_every_film() -> None:
    darker = [
        np.median(f.picture[(f.masks[0] + f.masks[1]) > 0.9]) < np.median(f.picture[f.masks[2] > 0.9])
        for f in films()
        if f.masks.any()
    ]
    assert np.mean(darker) > 0.85


def test_some_films_show_no_frontal_chest() -> None:
    kinds = [virtual_film(seed, 32).masks.any() for seed in range(60)]
    assert 0 < kinds.count(False) < 12
