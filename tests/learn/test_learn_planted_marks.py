"""A planted mark lies where its outline says, and what hides the same place shows nothing of it."""

import numpy as np
import pytest

from isocenter.learn.planted_marks import MARKS, marked


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 40), (1, 16, 20, 18)])
def test_only_what_lies_within_changes(mark: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    image, other = (rng.uniform(0.3, 0.7, shape).astype(np.float32) for _ in range(2))
    other[..., :4] = 1.0
    for _ in range(10):
        shown, hidden, where = marked(image, other, rng, mark)
        assert where.shape == shape[1:] and 0.005 < where.mean() < 0.2
        far = np.abs(shown - image).max(0) < 1e-3
        assert not (where & far).all() and far[~where].mean() > 0.6
        assert shown.min() >= 0 and shown.max() <= 1
        spread = hidden[0][where].std()
        assert spread < image[0][where].std(), "the mean of the picture lies there instead"


def test_a_bright_spot_is_as_bright_as_the_other_picture_and_a_dark_one_as_dark() -> None:
    rng = np.random.default_rng(5)
    image = np.full((1, 40, 40), 0.5, np.float32)
    other = np.linspace(0.1, 0.9, 1600, dtype=np.float32).reshape(1, 40, 40)
    bright, _, there = marked(image, other, rng, "a bright spot")
    assert bright[0][there].max() > 0.75 and bright[0][~there].max() <= 0.75
    dark, _, there = marked(image, other, rng, "a dark spot")
    assert dark[0][there].min() < 0.25
