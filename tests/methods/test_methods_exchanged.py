"""Fat and water that are exchanged in a part of a trunk, and lean trunks in which they are not."""

import numpy as np
import pytest

from isocenter.methods.exchanged import exchanged_under_skin

SPACING = (6.0, 2.0, 2.0)
Y, X = np.indices((100, 140)) - np.array([49.5, 69.5])[:, None, None]


def trunk(thick_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share of fat, signal and body: muscle begins so deep below the skin, and is half as bright as fat."""
    body = (X / 65) ** 2 + (Y / 45) ** 2 < 1
    within = (X / (65 - thick_mm / 2)) ** 2 + (Y / (45 - thick_mm / 2)) ** 2 < 1
    share = np.where(within, 0.03, 0.95) * body
    signal = np.where(within, 500.0, 1000.0) * body
    return tuple(np.repeat(a[None], 4, axis=0) for a in (share, signal, body))


def exchanged(where: np.ndarray, thick_mm: float = 20.0) -> float:
    share, signal, body = trunk(thick_mm)
    return exchanged_under_skin(np.where(where & body, 1.0 - share, share), signal, body, SPACING)


@pytest.mark.parametrize(
    ("where", "part"),
    [
        (np.zeros((4, 100, 140), bool), 0.0),
        (np.arange(4)[:, None, None] == np.full((4, 100, 140), 2), 0.25),
        (np.repeat((X > 0)[None], 4, axis=0), 0.5),
        (np.repeat((Y > 20)[None], 4, axis=0), 0.35),
    ],
    ids=["nowhere", "a slice", "a side", "the back"],
)
def test_the_part_of_the_circumference_that_is_exchanged(where: np.ndarray, part: float) -> None:
    assert exchanged(where) == pytest.approx(part, abs=0.08)


@pytest.mark.parametrize("thick_mm", [1.0, 4.0, 6.0])
def test_muscle_near_the_skin_of_lean_people_is_darker_and_no_exchange(thick_mm: float) -> None:
    assert exchanged(np.zeros((4, 100, 140), bool), thick_mm) == 0.0


def test_no_body_has_no_skin() -> None:
    share, signal, body = trunk(20.0)
    assert exchanged_under_skin(share, signal, np.zeros_like(body), SPACING) == 0.0
