from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from isocenter.doors.dicomweb_rendered import Picture, asked, render, type_of
from isocenter.doors.media import NotAcceptable, wishes
from isocenter.errors import Refused


def _open(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


@pytest.mark.parametrize(
    "params",
    [
        {"window": "40"},
        {"window": "40,0"},
        {"window": "40,400,sigmoid"},
        {"window": "40,400,linear,x"},
        {"window": "a,b"},
        {"window": "nan,1"},
        {"viewport": "0,10"},
        {"viewport": "10,99999"},
        {"viewport": "10"},
        {"viewport": "10,10,0,0"},
        {"viewport": "10,10,-1,0,5,5"},
        {"viewport": "10,10,0,0,0,5"},
        {"quality": "0"},
        {"quality": "101"},
        {"quality": "inf"},
    ],
)
def test_what_cannot_be_drawn(params: dict[str, str]) -> None:
    with pytest.raises(Refused):
        asked(params)


def test_the_window_is_the_one_asked_for(sample: Callable[[str], bytes]) -> None:
    """Stored values map linearly from centre - width/2 to centre + width/2 (PS3.3 C.11.2.1.2)."""
    from pydicom import dcmread

    data = sample("CT_small.dcm")
    dataset = dcmread(BytesIO(data))
    hounsfield = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    drawn = np.asarray(_open(render(data, 0, asked({"window": "50,350"}), "image/png")), float)
    expected = np.clip((hounsfield - (50 - 0.5)) / (350 - 1) + 0.5, 0, 1) * 255
    assert np.abs(drawn - expected).max() <= 1


def test_a_picture_fits_its_box_and_keeps_its_shape(sample: Callable[[str], bytes]) -> None:
    drawn = _open(render(sample("examples_ybr_color.dcm"), 0, asked({"viewport": "100,100"}), "image/jpeg"))
    assert drawn.format == "JPEG" and drawn.mode == "RGB"
    assert max(drawn.size) == 100 and drawn.size == (100, 75)
    narrow = _open(render(sample("examples_ybr_color.dcm"), 0, asked({"viewport": "200,30"}), "image/png"))
    assert narrow.size == (40, 30)


def test_a_region_is_cut_out(sample: Callable[[str], bytes]) -> None:
    whole = np.asarray(_open(render(sample("CT_small.dcm"), 0, Picture(), "image/png")))
    cut = np.asarray(_open(render(sample("CT_small.dcm"), 0, asked({"viewport": "20,10,30,40,20,10"}), "image/png")))
    np.testing.assert_array_equal(cut, whole[40:50, 30:50])
    with pytest.raises(Refused, match="viewport"):
        render(sample("CT_small.dcm"), 0, asked({"viewport": "20,10,500,40,20,10"}), "image/png")


def test_quality_tells(sample: Callable[[str], bytes]) -> None:
    sizes = [len(render(sample("CT_small.dcm"), 0, asked({"quality": q}), "image/jpeg")) for q in ("5", "95")]
    assert sizes[0] < sizes[1]


def test_names_are_drawn_only_when_asked(sample: Callable[[str], bytes]) -> None:
    plain, named = (
        render(sample("CT_small.dcm"), 0, asked(p), "image/png") for p in ({}, {"annotation": "patient,technique"})
    )
    assert plain != named


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("*/*", "image/jpeg"), ("image/png", "image/png"), ("image/png;q=0.1, image/jpeg", "image/jpeg")],
)
def test_kinds_of_picture(accept: str, kind: str) -> None:
    assert type_of(wishes(accept)) == kind


def test_a_kind_that_is_not_made() -> None:
    with pytest.raises(NotAcceptable):
        type_of(wishes("image/gif"))
