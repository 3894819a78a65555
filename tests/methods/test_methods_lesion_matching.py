"""Matching on planted pairs of known truth, splits and merges as events, and every refusal."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.lesion_matching import Link, Spot, Track, doubling_time_days, match, spot, tracks

STEPS = np.array([2.0, 1.5, 1.5])
AFFINE = np.diag([*STEPS, 1.0])
SHAPE = (60, 80, 80)


def ball(centre: np.ndarray, radius: float) -> Spot:
    mask = np.zeros(SHAPE, bool)
    low = np.maximum(np.floor((centre - radius) / STEPS).astype(int), 0)
    box = tuple(slice(a, b) for a, b in zip(low, np.ceil((centre + radius) / STEPS).astype(int) + 1, strict=True))
    places = np.moveaxis(np.mgrid[box], 0, -1) * STEPS
    mask[box] = np.linalg.norm(places - centre, axis=-1)[tuple(slice(0, n) for n in mask[box].shape)] <= radius
    return spot(mask, AFFINE)


def planted(rng: np.random.Generator, error_mm: float) -> tuple[list[Spot], list[Spot], set[tuple[int, int]]]:
    """Lesions at two times: some grow, shrink, go or come, and all are displaced by an error of registration."""
    before: list[Spot] = []
    now: list[Spot] = []
    truth: set[tuple[int, int]] = set()
    places: list[tuple[np.ndarray, float]] = []
    while len(places) < 9:
        centre, radius = rng.uniform([16, 16, 16], [104, 104, 104]), rng.uniform(3, 9)
        if all(np.linalg.norm(centre - c) > radius + r + 6 for c, r in places):
            places.append((centre, radius))
    for n, (centre, radius) in enumerate(places):
        moved = centre + rng.normal(0, error_mm / math.sqrt(3), 3)
        if n < 6:
            truth.add((len(before), len(now)))
        if n < 8:
            before.append(ball(centre, radius))
        if n < 6 or n == 8:
            now.append(ball(moved, radius * rng.uniform(0.7, 1.4)))
    order = rng.permutation(len(now))
    place = {int(old): new for new, old in enumerate(order)}
    return before, [now[i] for i in order], {(i, place[j]) for i, j in truth}


def test_what_bears_one_tracking_is_the_same_wherever_it_lies() -> None:
    here, far, there = np.array([30.0, 30, 30]), np.array([30.0, 75, 30]), np.array([80.0, 80, 80])
    known = [replace(ball(c, 8.0), tracking=t) for c, t in ((here, "a"), (there, "b"))]
    moved = [replace(ball(c, 8.0), tracking=t) for c, t in ((there, "b"), (far, "a"))]
    assert match(known, moved) == (Link("same", (0,), (1,)), Link("same", (1,), (0,)))
    assert tracks([known, [moved[0]], moved], reach_mm=[10.0, 10.0])[0].at == ((0,), (), (1,))
    exchanged = [replace(s, tracking=t) for s, t in zip(known, "ba", strict=True)]  # each where the other was
    assert match(known, exchanged) == (Link("same", (0,), (0,)), Link("same", (1,), (1,)))
    twice = [replace(s, tracking="a") for s in moved]  # says nothing
    assert [link.event for link in match(known, twice)] == ["gone", "same", "new"]


@pytest.mark.parametrize("error_mm", [0.0, 3.0, 6.0])
def test_planted_pairs_are_found(error_mm: float) -> None:
    rng = np.random.default_rng(7)
    hits = said = real = 0
    for _ in range(12):
        before, now, truth = planted(rng, error_mm)
        found = {(link.before[0], link.now[0]) for link in match(before, now) if link.event == "same"}
        hits, said, real = hits + len(found & truth), said + len(found), real + len(truth)
    assert 2 * hits / (said + real) >= 0.95


def test_every_lesion_is_in_one_link() -> None:
    rng = np.random.default_rng(1)
    for _ in range(6):
        before, now, _ = planted(rng, 8.0)
        links = match(before, now)
        assert sorted(itertools.chain.from_iterable(link.before for link in links)) == list(range(len(before)))
        assert sorted(itertools.chain.from_iterable(link.now for link in links)) == list(range(len(now)))


def test_what_is_not_moved_matches_itself_whatever_the_order() -> None:
    spots = [ball(np.array(c), 6.0) for c in ((30.0, 30, 30), (30, 30, 52), (80, 60, 60))]
    assert match(spots, spots[::-1]) == (Link("same", (0,), (2,)), Link("same", (1,), (1,)), Link("same", (2,), (0,)))


def test_a_lesion_that_falls_apart_and_two_that_grow_together() -> None:
    whole = ball(np.array([50.0, 50, 50]), 12.0)
    index = whole.cells
    middle = index[:, 2] * 1.5
    parts = []
    for keep in (middle < 46, middle > 52):
        mask = np.zeros(SHAPE, bool)
        mask[tuple(index[keep].T)] = True
        parts.append(spot(mask, AFFINE))
    far = ball(np.array([90.0, 90, 90]), 5.0)
    (split, same) = match([whole, far], [*parts, far])
    assert (split.event, split.before, set(split.now)) == ("split", (0,), {0, 1})
    assert same == Link("same", (1,), (2,))
    (merged, _) = match([*parts, far], [whole, far])
    assert merged == Link("merged", (0, 1), (0,))


def dumbbell(centre: np.ndarray, along: np.ndarray, radius: float) -> Spot:
    """A lesion of two halves that touch, with a bridge."""
    places = np.moveaxis(np.mgrid[tuple(slice(0, n) for n in SHAPE)], 0, -1) * STEPS
    mask = np.zeros(SHAPE, bool)
    for at, size in ((1.15 * radius, radius), (0.0, 0.9 * radius), (-1.15 * radius, radius)):
        mask |= np.linalg.norm(places - (centre + at * along), axis=-1) <= size
    return spot(mask, AFFINE)


@pytest.mark.parametrize("error_mm", [0.0, 4.0, 7.0])
def test_splits_and_mergers_are_found_though_the_pieces_are_displaced(error_mm: float) -> None:
    """Pieces of 4 to 6 mm that 7 mm displace have little left in common with the whole: they were new, or gone."""
    rng = np.random.default_rng(3)
    for radius in (4.0, 5.0, 6.0, 8.0):
        for _ in range(4):
            along, off = (v / np.linalg.norm(v) for v in rng.standard_normal((2, 3)))
            centre = rng.uniform(45, 70, 3)
            whole = dumbbell(centre, along, radius)
            parts = [ball(centre + error_mm * off + side * 1.3 * radius * along, radius) for side in (1, -1)]
            (split,), (merged,) = match([whole], parts), match(parts, [whole])
            assert (split.event, sorted(split.now)) == ("split", [0, 1])
            assert (merged.event, merged.before) == ("merged", (0, 1))


def test_a_lesion_that_comes_up_beside_another_is_new() -> None:
    rng = np.random.default_rng(5)
    told = []
    for _ in range(60):
        radius, other, grown = rng.uniform(5, 13), rng.uniform(3, 13), rng.uniform(0.8, 1.3)
        along, off = (v / np.linalg.norm(v) for v in rng.standard_normal((2, 3)))
        centre = np.array([60.0, 60.0, 60.0])
        here = centre + rng.uniform(0, 6) * off
        beside = here + (radius * grown + other + rng.uniform(1, 5)) * along
        links = match([ball(centre, radius)], [ball(here, radius * grown), ball(beside, other)])
        told.append(sorted(link.event for link in links))
    assert told.count(["new", "same"]) >= 59


def test_new_and_gone() -> None:
    one, other = ball(np.array([30.0, 30, 30]), 5.0), ball(np.array([80.0, 80, 80]), 5.0)
    assert match([one], [other]) == (Link("gone", (0,), ()), Link("new", (), (0,)))
    assert match([], [one]) == (Link("new", (), (0,)),)
    assert match([one], []) == (Link("gone", (0,), ()),)


def test_a_doubtful_pair_is_said_to_be_one() -> None:
    then = ball(np.array([50.0, 50, 50]), 3.0)
    two = [ball(np.array([50.0, 50, 58.0]), 3.0), ball(np.array([50.0, 50, 41.0]), 3.0)]
    links = match([then], two)
    assert [link.sure for link in links if link.event == "same"] == [False]
    (alone,) = match([then], two[:1])
    assert alone.sure


def test_volume_and_doubling_time() -> None:
    lesion = ball(np.array([50.0, 50, 50]), 10.0)
    assert lesion.volume_ml == pytest.approx(4 / 3 * math.pi, rel=0.03)
    assert lesion.radius_mm == pytest.approx(10.0, rel=0.01)
    assert doubling_time_days(2.0, 1.0, 30.0) == pytest.approx(-30.0)


def test_lesions_on_different_grids_overlap_in_a_common_lattice() -> None:
    fine = np.zeros((30, 30, 30), bool)
    fine[8:20, 8:20, 8:20] = True
    coarse = np.zeros((10, 30, 30), bool)
    coarse[3:6, 8:20, 8:20] = True
    a = spot(fine, np.diag([1.0, 1, 1, 1]), lattice_mm=4.0)
    b = spot(coarse, np.diag([4.0, 1, 1, 1]), lattice_mm=4.0)
    assert match([a], [b], reach_mm=0.1) == (Link("same", (0,), (0,)),)


def test_lesions_are_followed_through_a_gap_a_split_and_a_merger() -> None:
    left, right, late = (ball(np.array(c), 6.0) for c in ((40.0, 30, 30), (40.0, 30, 46), (90.0, 90, 90)))
    both = Spot((left.centre_mm + right.centre_mm) / 2, 2.2, np.unique(np.r_[left.cells, right.cells], axis=0))
    found = tracks([[left, right], [left], [left, right, late], [both, late]], reach_mm=[5.0] * 3)
    assert found[0] == Track(((0,), (0,), (0,), (0,)), 0, None, found[0].sure)
    assert (found[1].at, found[1].merged_into) == (((1,), (), (1,), ()), 0)
    assert (found[2].at, found[2].began) == (((), (), (2,), (1,)), 2)
    (whole,) = tracks([[both], [left, right]], reach_mm=[5.0])
    assert set(whole.at[1]) == {0, 1}


def test_each_guard_refuses() -> None:
    one = ball(np.array([50.0, 50, 50]), 5.0)
    with pytest.raises(Refused, match="without voxels"):
        spot(np.zeros(SHAPE, bool), AFFINE)
    with pytest.raises(Refused, match="above zero"):
        match([one], [one], reach_mm=0.0)
    with pytest.raises(Refused, match="each step needs one"):
        tracks([[one]], reach_mm=[])
    with pytest.raises(Refused, match="two sizes and a time"):
        doubling_time_days(0.0, 1.0, 10.0)
    with pytest.raises(Refused, match="never doubles"):
        doubling_time_days(1.0, 1.0, 10.0)
