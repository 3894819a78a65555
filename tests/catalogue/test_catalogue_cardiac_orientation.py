"""Whether a painted heart in a painted chest lies as its header says: right ones pass, turned ones are refused."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from isocenter.catalogue.cardiac_orientation import must_be_as_made, must_lie_as_told
from isocenter.errors import Refused
from isocenter.methods.beside_ventricle import Beside, beside_ventricle
from isocenter.methods.short_axis import turned
from isocenter.methods.usual_surroundings import Lie

sys.path.insert(0, str(Path(__file__).parents[1] / "methods"))
from painted_ventricle import cine, placed

SIDE, MM, PHASES, SLICES = 128, 1.5, 8, 9
LINE = (np.arange(SIDE) - (SIDE - 1) / 2) * MM
Y, X = -LINE[:, None], LINE[None, :]  # up and to the patient's left
WIDE_MM = np.array([25.0, 27, 27, 26, 24, 21, 17, 12, 7])
BEAT = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(PHASES) / PHASES)


def chest(
    *, septum: float = 185.0, right: float = 0.95, ends: float = 0.75, size: float = 26.0, fluid: float = 0.0,
    floor: float = 45.0, wide: np.ndarray = WIDE_MM, turn: float = 0.0,
) -> np.ndarray:  # fmt: skip
    """(phases, slices, rows, columns): left ventricle, a right one that ends before it, liver, chest wall and lung.

    Args:
        septum: direction of the right ventricle, degrees; right: its grey beside blood of 1 and muscle of 0.4.
        ends: part of the stack that it reaches; size: its radius at the base (mm).
        fluid: grey of what fills the left lung below the heart's middle.
        floor: mm below the middle, where the liver begins. turn: of the whole chest, degrees counter-clockwise.
    """
    t = np.deg2rad(turn)
    x, y = X * np.cos(t) + Y * np.sin(t), -X * np.sin(t) + Y * np.cos(t)
    still = np.full((SIDE, SIDE), 0.03)
    still[(y < 0) & (x > 0)] = max(0.03, fluid)
    still[y < -floor + 0.1 * x] = 0.45
    still[-0.7 * x + 0.7 * y > 65] = 0.6
    made = np.empty((PHASES, SLICES, SIDE, SIDE), np.float32)
    away = np.deg2rad(septum)
    for k, radius in enumerate(wide):
        level = k / (SLICES - 1) / ends
        big = size * np.sqrt(max(0.0, 1 - level**2))
        for p, squeeze in enumerate(BEAT):
            picture = still.copy()
            centre = (radius + 10 + 0.35 * size) * np.array([np.cos(away), np.sin(away)])
            off = np.hypot(x - centre[0], y - centre[1])
            picture[off < big + 3] = 0.4
            picture[off < big * (1 - 0.2 * squeeze)] = right
            inner, outer = radius * (1 - 0.3 * squeeze), np.sqrt((radius + 9) ** 2 - (0.51 * squeeze) * radius**2)
            picture[np.hypot(x, y) < outer] = 0.4
            picture[np.hypot(x, y) < inner] = 1.0
            made[p, k] = picture
    return made


def said(
    array: np.ndarray, wide: np.ndarray = WIDE_MM, accept: bool = False, geometry: Any = None,
    slices: range = range(SLICES),
) -> list[str]:  # fmt: skip
    """What is said of pictures whose ventricle is a disc in the middle, in some slices, as painted at end-diastole."""
    volume = cine(np.ones((PHASES, SLICES)), size=SIDE)
    volume = replace(volume, array=np.ascontiguousarray(array), geometry=geometry or volume.geometry)
    radius = np.hypot(X, Y)
    cavity = np.stack([radius < r for r in wide])
    muscle = np.stack([(radius >= r) & (radius < r + 9) for r in wide])
    found: Any = SimpleNamespace(ed=0, cavity={"ed": cavity}, muscle={"ed": muscle}, slices={"ed": slices})
    return must_lie_as_told(turned(volume), found, accept)


RIGHT: dict[str, dict[str, Any]] = {
    "usual": {}, "septum to the front": {"septum": 155.0}, "septum to the feet": {"septum": 210.0},
    "right ventricle hardly brighter than muscle": {"right": 0.5}, "small right ventricle": {"size": 14.0},
    "large right ventricle": {"size": 42.0}, "right ventricle at the base alone": {"ends": 0.4},
    "right ventricle down to the apex": {"ends": 1.1},
    "high liver": {"floor": 30.0}, "turned by 20 degrees": {"turn": 20.0},
    "turned by 20 degrees clockwise": {"turn": -20.0}, "no right ventricle seen": {"size": 0.1},
}  # fmt: skip


@pytest.mark.parametrize("kind", RIGHT)
def test_right_ones_pass(kind: str) -> None:
    assert said(chest(**RIGHT[kind])) == []


def test_a_round_ventricle_that_is_widest_in_the_middle_passes() -> None:
    wide = np.array([18.0, 23, 27, 29, 30, 29, 26, 21, 14])
    assert said(chest(wide=wide), wide) == []


def test_a_base_that_is_half_seen_beside_a_right_ventricle_as_long_passes() -> None:
    wide = np.array([18.0, 27, 27, 26, 24, 21, 17, 12, 7])
    assert said(chest(wide=wide, ends=1.3), wide) == []


@pytest.mark.parametrize("degrees", [75, 90, 135, 180, 225, 270, 280])
def test_turned_pictures_are_refused(degrees: float) -> None:
    with pytest.raises(Refused, match="turned or mirrored against their header"):
        said(chest(turn=degrees))


def test_where_both_sides_lie_less_far_off_all_that_is_seen_tells() -> None:
    said(chest(septum=195.0, turn=-50.0))
    with pytest.raises(Refused, match="all that lies about the ventricle is turned by"):
        said(chest(septum=195.0, turn=-78.0))


def test_a_side_that_is_hardly_stronger_counts_where_all_that_is_seen_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    def weak(*args: Any) -> Beside:
        beside = beside_ventricle(*args)
        return replace(beside, blood=(beside.blood[0], 0.12))

    monkeypatch.setattr("isocenter.catalogue.cardiac_orientation.beside_ventricle", weak)
    assert said(chest()) == []
    with pytest.raises(Refused, match="and lung"):
        said(np.flip(chest(), 3))


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("kind", ["usual", "large right ventricle"])
def test_mirrored_pictures_are_refused_or_measured_where_that_is_wanted(axis: int, kind: str) -> None:
    pictures = np.flip(chest(**RIGHT[kind]), axis)
    with pytest.raises(Refused, match="accept_turned=True"):
        said(pictures)
    (word,) = said(pictures, accept=True)
    assert word.startswith("WARNING: pictures with the right ventricle ")


def test_base_and_apex_exchanged_is_refused_or_told() -> None:
    backwards = chest()[:, ::-1]
    with pytest.raises(Refused, match="base and apex are exchanged"):
        said(backwards, WIDE_MM[::-1])
    (word,) = said(backwards, WIDE_MM[::-1], accept=True)
    assert "base and apex are exchanged" in word


BARREL_MM = np.array([22.0, 24, 25, 25, 25, 24, 22, 16, 0])
WITHIN = range(2, 8)  # of the same reversed


def test_blood_beyond_the_wrong_end_tells_base_from_apex_where_the_widths_do_not() -> None:
    assert said(chest(wide=BARREL_MM), BARREL_MM, slices=range(1, 7)) == []
    backwards = chest(wide=BARREL_MM)[:, ::-1]
    with pytest.raises(Refused, match="beyond whose last there is more blood"):
        said(backwards, BARREL_MM[::-1], slices=WITHIN)
    (word,) = said(backwards, BARREL_MM[::-1], accept=True, slices=WITHIN)
    assert "beyond whose last there is more blood" in word


def test_a_stack_that_ends_with_its_last_slice_is_told_by_less() -> None:
    """Widest between a third and a half, from apex to base."""
    wide = [12.0, 15, 17, 18, 17, 16, 15, 14]
    goes_on, ends = np.array([*wide, 14.0]), np.array([0.0, *wide])
    assert not any("exchanged" in word for word in said(chest(wide=goes_on[::-1])[:, ::-1], goes_on, slices=range(8)))
    with pytest.raises(Refused, match="base and apex are exchanged"):
        said(chest(wide=ends[::-1])[:, ::-1], ends, slices=range(1, 9))


def test_fat_beyond_the_apex_is_told_where_the_right_ventricle_ends_as_it_should() -> None:
    wide = np.array([12.0, 27, 27, 26, 24, 21, 17, 12, 0])
    pictures = chest(wide=wide)
    assert said(pictures, wide, slices=range(1, 8)) == []
    pictures[:, -1, np.hypot(X, Y) < 14] = 0.95
    (word,) = said(pictures, wide, slices=range(1, 8))
    assert word.startswith("WARNING: more blood, or fat as bright, lies beyond the apex")


def surrounded(monkeypatch: pytest.MonkeyPatch, sides: tuple[float, float], **lie: float) -> list[str]:
    """What is said where both sides lie so far off (degrees), and all that is seen so."""
    seen: dict[str, float] = {"turn_deg": 0.0, "turned": -0.3, "mirrored": -0.3, "fit": 0.8, "fit_mirrored": 0.9}
    seen |= {"flipped": -0.3} | lie
    alone = seen | ({"turned": -0.1} if "turned" in lie else {})
    where = "isocenter.catalogue.cardiac_orientation."
    monkeypatch.setattr(where + "_off", lambda *_: sides)
    monkeypatch.setattr(where + "_lie", lambda *at: Lie(**(seen if at[2] < 60 else alone)))
    return said(chest())


def test_a_turn_tells_where_both_sides_lie_off_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert surrounded(monkeypatch, (40.0, 35.0), turn_deg=52.0, turned=0.02) == []
    (word,) = surrounded(monkeypatch, (-61.0, 5.0), turn_deg=52.0, turned=0.02)
    assert word.startswith("WARNING: right ventricle or lung")
    with pytest.raises(Refused, match="turned by 52°"):
        surrounded(monkeypatch, (50.0, 40.0), turn_deg=52.0, turned=0.02)


def test_what_fits_upside_down_is_refused_where_both_sides_agree_and_it_fits_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert surrounded(monkeypatch, (5.0, -40.0), flipped=0.08) == []
    assert surrounded(monkeypatch, (5.0, -40.0), flipped=0.15, fit_mirrored=0.65) == []
    assert surrounded(monkeypatch, (5.0, -30.0), flipped=0.15) == []
    with pytest.raises(Refused, match="and lung 40° from"):
        surrounded(monkeypatch, (5.0, -40.0), flipped=0.15)


def test_the_header_decides_where_right_is() -> None:
    """The same pictures under headers whose rows and columns run otherwise, with the pictures turned alike, pass."""
    geometry = placed((SLICES, SIDE, SIDE), (10.0, MM, MM))
    pictures = chest()
    for turns in (1, 2, 3):
        affine = geometry.affine.copy()
        down, across = affine[:3, 1].copy(), affine[:3, 2].copy()
        for _ in range(turns):
            down, across = across, -down
        affine[:3, 1], affine[:3, 2] = down, across
        assert said(np.rot90(pictures, -turns, (2, 3)), geometry=replace(geometry, affine=affine)) == []


def test_slanted_rows_of_a_header_are_taken_into_account() -> None:
    """Rows that run 40 degrees off, as planned to save time, with pictures that are turned by as much."""
    geometry = placed((SLICES, SIDE, SIDE), (10.0, MM, MM))
    for degrees in (-40.0, 40.0):
        t = np.deg2rad(degrees)
        affine = geometry.affine.copy()
        down, across = affine[:3, 1].copy(), affine[:3, 2].copy()
        affine[:3, 2] = np.cos(t) * across + np.sin(t) * down
        affine[:3, 1] = np.cos(t) * down - np.sin(t) * across
        slanted = replace(geometry, affine=affine)
        assert said(chest(turn=degrees), geometry=slanted) == []
        with pytest.raises(Refused, match="turned or mirrored"):
            said(chest(turn=-degrees), geometry=slanted)


@pytest.mark.parametrize("doubtful", [{"floor": 200.0}, {"floor": 200.0, "septum": 195.0}, {"fluid": 0.8}])
def test_what_may_be_mirrored_and_may_be_no_liver_or_fluid_beside_the_lung_is_told(doubtful: dict[str, Any]) -> None:
    (word,) = said(chest(**doubtful))
    assert "may be turned or mirrored" in word


def test_lung_alone_is_told_where_no_right_ventricle_is_seen() -> None:
    (word,) = said(chest(size=0.1, turn=180.0))
    assert word.startswith("WARNING") and "may be turned or mirrored" in word


def test_frames_that_were_turned_are_refused_where_the_header_calls_them_original() -> None:
    whole = cine(np.ones((PHASES, SLICES)), size=SIDE)
    grey = chest() + np.float32(0.01)
    round_field = np.where(np.hypot(X, Y) < 0.48 * SIDE * MM, grey, 0)
    turned_about = ndimage.rotate(grey, 25, (2, 3), reshape=False, order=1)
    assert must_be_as_made(replace(whole, array=grey), False) == []
    assert must_be_as_made(replace(whole, array=round_field), False) == []
    wrong = replace(whole, array=turned_about, facts={**whole.facts, "ImageType": ["ORIGINAL", "PRIMARY", "M"]})
    with pytest.raises(Refused, match=r"2[456]° aslant"):
        must_be_as_made(wrong, False)
    (word,) = must_be_as_made(wrong, True)
    assert word.startswith("WARNING: pictures with empty corners")
    reformatted = replace(wrong, facts={**whole.facts, "ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]})
    assert must_be_as_made(reformatted, False) == []
