"""A click corrects one way, near itself, and never against another click; what it means comes or goes whole."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.click_correction import corrected
from isocenter.methods.promptable import Click
from isocenter.space import Geometry, Volume

SHAPE = (36, 60, 60)


def ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """Voxels of 1 mm within a radius of a centre (slice, row, column)."""
    k, r, c = np.indices(SHAPE)
    return (k - centre[0]) ** 2 + (r - centre[1]) ** 2 + (c - centre[2]) ** 2 <= radius**2


def image(*bright: np.ndarray, noise: float = 8.0) -> Volume:
    values = np.zeros(SHAPE, np.float32)
    for one in bright:
        values[one] = 100
    values += np.random.default_rng(3).normal(0, noise, SHAPE).astype(np.float32)
    return Volume(values, Geometry.regular(shape=SHAPE), "attenuation", "[hnsf'U]")


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def at(slice_: float, row: float, column: float, *, inside: bool = True) -> Click:
    return Click((column, row, slice_), inside)


def test_what_is_missing_is_added_and_nothing_is_lost() -> None:
    whole = ball((18, 30, 26), 12) | ball((18, 30, 40), 8)
    before = ball((18, 30, 22), 7)
    after = corrected(image(whole), before, at(18, 30, 40))
    assert (after & before).sum() == before.sum()
    assert dice(after, whole) > 0.88 > dice(before, whole) + 0.3


def test_what_is_too_much_is_taken_away_and_nothing_comes() -> None:
    meant, besides = ball((18, 30, 20), 10), ball((18, 30, 42), 9)
    leak = np.zeros(SHAPE, bool)
    leak[16:21, 28:33, 28:36] = True
    before = meant | besides | leak
    after = corrected(image(meant, besides, leak), before, at(18, 30, 42, inside=False), [at(18, 30, 20)])
    assert not (after & ~before).any()
    assert (after & meant).sum() == meant.sum()
    assert dice(after, meant) > 0.93


def test_what_hung_on_by_what_was_taken_goes_along_unless_somebody_clicked_into_it() -> None:
    meant, neck, far = ball((18, 30, 14), 9), ball((18, 30, 29), 6), ball((18, 30, 47), 9)
    bridge = np.zeros(SHAPE, bool)
    bridge[17:20, 29:32, 20:42] = True
    before = meant | neck | far | bridge
    volume, click = image(before), at(18, 30, 29, inside=False)
    assert not corrected(volume, before, click, [at(18, 30, 14)])[18, 30, 47]
    both = corrected(volume, before, click, [at(18, 30, 14), at(18, 30, 47)])
    assert both[18, 30, 47]
    assert both[18, 30, 14]
    assert not both[18, 30, 29]


def test_a_click_in_air_or_far_away_on_what_has_no_border_is_refused() -> None:
    """A click beside a jar took in 180 mL of air, and one far off in noise as much of that."""
    jar = ball((18, 30, 30), 25)
    one = ball((18, 30, 14), 6)
    volume = image(one)
    with pytest.raises(Refused, match="leaks"):
        corrected(volume, one, at(18, 50, 52), [at(18, 30, 14)])
    volume.array[~jar] = -1000
    with pytest.raises(Refused, match=r"a click in air \(median -1000 "):
        corrected(volume, one, at(18, 3, 3))


def test_a_part_of_its_own_is_outlined_by_itself() -> None:
    one, other = ball((18, 20, 14), 8), ball((18, 40, 46), 8)
    after = corrected(image(one, other), one, at(18, 40, 46))
    assert dice(after, one | other) > 0.93


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.nightly) for n in (2, 3))])
def test_clicks_are_kept_to_and_change_one_way_only_whatever_they_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = ball((18, 30, 30), 13)
    volume, mask, said = image(whole, noise=40), ball((15, 26, 27), 9), []
    for _ in range(6):
        k, r, c = (int(rng.integers(4, n - 4)) for n in SHAPE)
        click = at(k, r, c, inside=bool(rng.integers(2)))
        if any(one.mm == click.mm for one in said):
            continue
        if not mask.any():
            break
        try:
            after = corrected(volume, mask, click, said)
        except Refused:  # far away on what has no border: nothing is changed
            continue
        assert not ((mask & ~after) if click.inside else (after & ~mask)).any()
        said.append(click)
        mask = after
        for one in said:
            assert mask[int(one.mm[2]), int(one.mm[1]), int(one.mm[0])] == one.inside


def test_a_click_on_its_own_side_changes_nothing() -> None:
    whole = ball((18, 30, 30), 10)
    assert corrected(image(whole), whole, at(18, 30, 30)) is whole


@pytest.mark.parametrize(
    ("mask", "click", "words"),
    [
        (np.zeros(SHAPE, bool), at(18, 30, 30), "none on these images"),
        (np.ones((2, 2, 2), bool), at(18, 30, 30), "none on these images"),
        (ball((18, 30, 30), 5), Click((999, 0, 0)), "beside the image"),
    ],
)
def test_what_cannot_be_corrected_is_refused(mask: np.ndarray, click: Click, words: str) -> None:
    with pytest.raises(Refused, match=words):
        corrected(image(), mask, click)
