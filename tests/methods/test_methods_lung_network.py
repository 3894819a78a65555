"""Outlines of a network on pictures of any size, and how far they agree with those of a threshold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import zoom

from isocenter.errors import Refused
from isocenter.methods import lung_fields, lung_network
from isocenter.methods.lung_network import Ask, Floats, agreement, network_outline, two_opinions
from isocenter.testing.phantoms import thorax


def told(*masks: np.ndarray, sure: float = 6.0) -> Ask:
    """A network that has learnt one picture by heart."""

    def seen(side: int) -> np.ndarray:
        return np.stack(
            [zoom(m.astype(np.float32), side / len(m), order=1, grid_mode=True, mode="nearest") for m in masks]
        )

    def ask(films: Floats) -> Floats:
        assert films.shape[:2] == (4, 1) and 0 <= films.min() <= films.max() <= 1
        side = films.shape[-1]
        shown = np.flatnonzero(films[1, 0].any(axis=1))  # the second look is smaller, within a black margin
        inside = len(shown)
        small = np.pad(seen(inside), ((0, 0), *(((side - inside) // 2,) * 2,) * 2))
        return np.asarray(sure * (2 * np.stack([seen(side), small, seen(side), seen(side)]) - 1), np.float32)

    return ask


def parts(wide: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray], Ask]:
    """A picture, its truth, and a network that knows it; with a heart wider by some columns on each side."""
    pixels, truth = thorax.picture(seed=1)
    y, x = np.indices(pixels.shape)
    heart = (np.abs(x - 280) < 88 + wide) & (y > 250) & (y < 390)
    truth = truth | {"heart": heart}
    return pixels.astype(np.float32), truth, told(truth["right"], truth["left"], heart)


def test_outlines_come_back_on_the_grid_of_the_picture() -> None:
    picture, truth, ask = parts()
    for scale in (1, 2):
        seen, steady = network_outline(np.kron(picture, np.ones((scale, scale), np.float32)), ask)
        assert steady > 0.97
        held = seen.right[::scale, ::scale]
        assert 2 * (held & truth["right"]).sum() / (held.sum() + truth["right"].sum()) > 0.98
        assert seen.heart_px == pytest.approx(175 * scale, abs=4 * scale)
        assert seen.ratio == pytest.approx(175 * 0.8 / truth["thorax_mm"], abs=0.015)


def test_a_picture_that_is_no_square_is_not_stretched() -> None:
    picture, truth, _ = parts()
    low = picture[40:440]
    square = {k: np.pad(truth[k][40:440], ((56, 56), (0, 0))) for k in ("right", "left")}
    y, x = np.indices((512, 512))
    seen, _ = network_outline(
        low, told(square["right"], square["left"], (np.abs(x - 280) < 88) & (y > 266) & (y < 406))
    )
    assert seen.right.shape == low.shape
    assert 2 * (seen.left & truth["left"][40:440]).sum() / (seen.left.sum() + truth["left"].sum()) > 0.97


def test_two_methods_are_compared() -> None:
    picture, _, ask = parts()
    classical = lung_fields.outline(picture)
    same = agreement(classical, network_outline(picture, ask)[0])
    assert same.lungs > 0.93 and abs(same.ratio) < 0.03
    wider = agreement(classical, network_outline(picture, parts(wide=30)[2])[0])
    assert wider.ratio < same.ratio - 0.1 and wider.right == same.right


def test_what_the_network_does_not_see_is_refused() -> None:
    picture, truth, _ = parts()
    nothing = np.zeros(picture.shape, bool)
    with pytest.raises(Refused, match="no left lung"):
        network_outline(picture, told(truth["right"], nothing, truth["left"]))
    with pytest.raises(Refused, match="no right lung"):
        network_outline(picture, told(truth["right"], truth["left"], truth["left"], sure=0.1))
    with pytest.raises(Refused, match="one value"):
        network_outline(np.ones((64, 64), np.float32), told(nothing, nothing, nothing))


def test_where_the_two_do_not_say_the_same_there_is_a_doubt() -> None:
    picture, truth, ask = parts()
    sure = two_opinions(picture, ask)
    assert not sure.doubt and sure.agreement is not None and sure.agreement.lungs > 0.93
    y, _ = np.indices(picture.shape)
    upper = {part: truth[part] & (y < 190) for part in ("right", "left")}
    half = two_opinions(picture, told(upper["right"], upper["left"], truth["heart"]))
    assert "network and threshold agree" in half.doubt
    assert "less than half" in two_opinions(picture, told(truth["right"], upper["left"], truth["heart"])).doubt
    blind = two_opinions(picture, told(*(np.zeros(picture.shape, bool),) * 3))
    assert "the network sees no two lungs" in blind.doubt and blind.agreement is None
    assert np.array_equal(blind.chest.right, lung_fields.outline(picture).right)
    with pytest.raises(Refused, match="no two lungs"):
        two_opinions(4095 - picture, ask)
    with pytest.raises(Refused, match="brighter than the heart"):
        network_outline(4095 - picture, ask)


def test_what_only_the_network_sees_is_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, truth, ask = parts()

    def blind(picture: Floats, copy: tuple[Floats, float]) -> lung_fields.Chest:
        raise Refused("no two lungs were found", "a threshold may fail")

    monkeypatch.setattr(lung_network, "outline", blind)
    alone = two_opinions(picture, ask)
    assert "only the network" in alone.doubt and alone.agreement is None
    assert 2 * (alone.chest.right & truth["right"]).sum() / (alone.chest.right.sum() + truth["right"].sum()) > 0.95


def test_looks_that_differ_are_a_doubt() -> None:
    picture, _, ask = parts()

    def wavering(films: Floats) -> Floats:
        said = ask(films)
        said[2] = np.roll(said[2], 8, axis=2)
        return said

    assert "four looks" in two_opinions(picture, wavering).doubt
