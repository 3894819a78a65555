"""What outlines is compiled behind the start of a server, and only where that was never done."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import random_walk
from isocenter.site import outlining
from isocenter.space import Geometry, Region


def test_what_is_compiled_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    outlining.compiles()
    assert random_walk.compiled()
    asked: list[bool] = []
    monkeypatch.setattr(outlining, "computes", lambda: asked.append(True))
    outlining.compiles()
    assert not asked
    monkeypatch.setattr(random_walk, "compiled", lambda: False)
    outlining.compiles()
    assert asked == [True]


def test_a_region_whose_slices_are_fewer_and_in_the_other_order_is_that_of_its_images() -> None:
    images = Geometry.regular(shape=(6, 4, 5), spacing_mm=(2.0, 1.0, 1.0), frame_of_reference="1.9")
    whole = np.random.default_rng(0).random(images.shape) > 0.5
    whole[[0, 5]] = False
    own = images.cropped((1, 0, 0), (5, 4, 5)).flipped(0)
    assert np.array_equal(outlining._moved(Region(own, mask=whole[1:5][::-1]), images), whole)
    between = images.cropped((0, 0, 0), (3, 4, 5)).respaced((3.0, 1.0, 1.0))
    with pytest.raises(Refused, match="on another grid than these images"):
        outlining._moved(Region(between, mask=np.ones(between.shape, bool)), images)
