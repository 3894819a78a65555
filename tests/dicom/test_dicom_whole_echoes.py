"""Echoes of which every slice has an image, where some were lost."""

import pytest
from placed_frames import frame, one

from isocenter.dicom.placed import Placed
from isocenter.dicom.stack import stacks
from isocenter.errors import NotAVolume

TIMES = (1.2, 2.3, 3.5, 4.6, 5.8, 6.9)


def scan(lost: set[tuple[float, int]], times: tuple[float, ...] = TIMES) -> list[Placed]:
    return [frame(float(k), uid=f"{k}.{t}", keys={"echo": t}) for t in times for k in range(4) if (t, k) not in lost]


@pytest.mark.parametrize("lost", [{(4.6, 1)}, {(1.2, 0), (1.2, 3)}])
def test_an_echo_that_lacks_a_slice_is_left_out_of_all(lost: set[tuple[float, int]]) -> None:
    """One image that was lost on its way declined the whole scan."""
    found = one(scan(lost))
    gone = next(iter(lost))[0]
    assert found.axes[0].values == tuple(t for t in TIMES if t != gone)
    assert found.notes["EchoesLacking"] == {gone: len(lost)}
    assert [p.sop_uid for p in found.order] == [f"{k}.{t}" for t in TIMES if t != gone for k in range(4)]


@pytest.mark.parametrize(
    ("lost", "times"), [({(4.6, 1), (5.8, 2)}, TIMES), ({(3.5, 1)}, TIMES[:3]), ({(2.3, 0)}, TIMES[:2])]
)
def test_a_scan_that_lost_more_or_has_few_echoes_refuses(
    lost: set[tuple[float, int]], times: tuple[float, ...]
) -> None:
    with pytest.raises(NotAVolume, match="images where others have"):
        stacks(scan(lost, times))
