"""One orientation for every scanner, and a heart found by its beat."""

import numpy as np
import pytest
from painted_ventricle import beating, cine

from isocenter.errors import Refused
from isocenter.methods.short_axis import beat, centre_of_beat, sampled, sampling, turned, unsampling


@pytest.fixture(scope="module")
def heart() -> object:
    return cine(beating())


@pytest.mark.parametrize("flip", [(), (0,), (1,), (2,), (0, 1, 2)])
@pytest.mark.parametrize("transposed", [False, True])
def test_however_it_was_sent_it_looks_the_same(flip: tuple[int, ...], transposed: bool) -> None:
    plain = cine(beating(phases=4, slices=6, first=1, last=4), size=40)
    sent = plain
    for axis in flip:
        sent = sent.flipped(axis)
    if transposed:
        sent = sent.permuted((0, 2, 1))
    one, two = turned(plain), turned(sent)
    assert np.array_equal(one.array, two.array)
    assert one.geometry.affine == pytest.approx(two.geometry.affine)
    mask = np.zeros(one.geometry.shape, bool)
    mask[1, 5:9, 10:12] = True
    placed = sent.geometry.to_patient(np.argwhere(two.back(mask))).mean(axis=0)
    assert placed == pytest.approx(one.geometry.to_patient(np.argwhere(mask)).mean(axis=0))


def test_the_beat_is_the_first_harmonic() -> None:
    t = np.arange(20) / 20
    curve = 3.0 + 0.7 * np.cos(2 * np.pi * t - 0.4) + 0.5 * np.cos(4 * np.pi * t)
    assert beat(curve[:, None].astype(np.float32)) == pytest.approx([0.7], abs=1e-5)


def test_the_centre_lies_on_what_beats() -> None:
    for down, right in ((0.0, 0.0), (20.0, -15.0), (-25.0, 30.0)):
        volume = cine(beating(), centre=(down, right))
        row, column = centre_of_beat(volume.array, (1.5, 1.5))
        assert (row - 63.5) * 1.5 == pytest.approx(down, abs=10.0)
        assert (column - 63.5) * 1.5 == pytest.approx(right, abs=10.0)


def test_nothing_that_moves_is_refused() -> None:
    with pytest.raises(Refused, match="nothing moves"):
        centre_of_beat(np.ones((8, 6, 40, 40), np.float32), (1.5, 1.5))


def test_sampling_there_and_back() -> None:
    line = np.arange(100, dtype=np.float32)
    image = (2.0 * line[:, None] + 3.0 * line[None, :]).astype(np.float32)
    rows, columns = sampling(100, 1.3, 48.0, 48, 1.5), sampling(100, 1.3, 51.5, 48, 1.5)
    seen = sampled(image, rows, columns)
    assert seen[24, 24] - seen[23, 24] == pytest.approx(2.0 * 1.5 / 1.3, rel=1e-4)
    back = sampled(seen, unsampling(100, 1.3, 48.0, 48, 1.5), unsampling(100, 1.3, 51.5, 48, 1.5))
    assert back[30:70, 35:70] == pytest.approx(image[30:70, 35:70], rel=1e-3)
    assert (back[:15] == 0).all()


def test_more_than_one_leading_axis_is_refused() -> None:
    volume = cine(beating(phases=4, slices=6, first=1, last=4), size=40)
    with pytest.raises(Refused, match="one leading axis"):
        turned(volume.at("trigger", 0))
