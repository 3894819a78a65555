from __future__ import annotations

import pytest

from isocenter.doors.media import EXPLICIT, NotAcceptable, Wish, frame_type, frame_wish, wishes

_RLE, _JLS, _JPEG = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.50"


def test_the_dearest_comes_first_and_what_weighs_nothing_not_at_all() -> None:
    said = wishes("image/png;q=0.5, image/jpeg, text/html;q=0, x, a/b;q=what")
    assert [w.type for w in said] == ["image/jpeg", "image/png"]


@pytest.mark.parametrize(
    "header",
    [
        'multipart/related; type="application/octet-stream"; transfer-syntax=*',
        "multipart/related;type=application/octet-stream;transfer-syntax=*",
        'multipart/related; transfer-syntax="*"; type="application/octet-stream"; boundary="a, b"',
    ],
)
def test_quotes_or_none_are_the_same(header: str) -> None:
    (wish,) = wishes(header)
    assert (wish.type, wish.many, wish.syntax) == ("application/octet-stream", True, "*")


def test_nothing_said_is_anything_and_the_url_goes_before_the_header() -> None:
    assert wishes(None) == [Wish("*/*")]
    assert wishes("image/png", "image/jpeg")[0].type == "image/jpeg"


@pytest.mark.parametrize(
    ("header", "stored", "decode"),
    [
        ("*/*", _RLE, False),
        ("multipart/related; type=application/octet-stream", _RLE, True),
        ("multipart/related; type=application/octet-stream", EXPLICIT, False),
        (f"multipart/related; type=application/octet-stream; transfer-syntax={EXPLICIT}", _JPEG, True),
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", _RLE, False),
        (f"multipart/related; type=application/octet-stream; transfer-syntax={_RLE}", _RLE, False),
        ("multipart/related; type=image/jls", _JLS, False),
        (f"multipart/related; type=image/jls; transfer-syntax={_JLS}", _JLS, False),
        ("multipart/related; type=image/jpeg, multipart/related; type=application/octet-stream", _JLS, True),
        ("image/*", _JPEG, False),
        ("image/jpeg; transfer-syntax=*", _JPEG, False),
    ],
)
def test_how_frames_are_given(header: str, stored: str, decode: bool) -> None:
    assert frame_wish(wishes(header), stored)[1] is decode


@pytest.mark.parametrize(
    ("header", "stored"),
    [
        ("image/jls", EXPLICIT),
        ("image/jpeg", _JLS),
        (f"image/jls; transfer-syntax={_RLE}", _JLS),
        (f"application/octet-stream; transfer-syntax={_RLE}", _JLS),
        ("text/html", _JLS),
    ],
)
def test_what_cannot_be_given(header: str, stored: str) -> None:
    with pytest.raises(NotAcceptable, match="None of the media types"):
        frame_wish(wishes(header), stored)


def test_types_of_frames() -> None:
    assert frame_type("1.2.840.10008.1.2.4.201") == "image/jphc"
    assert frame_type(EXPLICIT) == "application/octet-stream"
