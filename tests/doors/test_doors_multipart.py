from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.doors import multipart
from isocenter.doors.multipart import Limits, Part
from isocenter.errors import IsocenterError, LimitReached, NotWhole, Refused


def _read(body: bytes, chunk: int, boundary: bytes = b"b", limits: Limits | None = None) -> list[Part]:
    async def stream() -> AsyncIterator[bytes]:
        for at in range(0, len(body), chunk):
            yield body[at : at + chunk]

    async def collect() -> list[Part]:
        return [part async for part in multipart.read(stream(), boundary, limits or Limits())]

    return asyncio.run(collect())


@given(
    parts=st.lists(st.binary(max_size=300), max_size=5),
    chunk=st.integers(1, 400),
    boundary=st.text("abcXYZ019'()+_,-./:=?", min_size=1, max_size=70),
)
def test_what_is_written_is_read_however_it_is_cut(parts: list[bytes], chunk: int, boundary: str) -> None:
    if any(b"--" + boundary.encode() in part for part in parts):
        return
    body = b"".join(multipart.write((Part({"Content-Type": "application/dicom"}, p) for p in parts), boundary))
    read = _read(body, chunk, boundary.encode())
    assert [p.data for p in read] == parts
    assert all(p.headers == {"content-type": "application/dicom"} for p in read)


def test_preamble_epilogue_and_padding_are_allowed() -> None:
    body = b"hello\r\n--b  \r\nA: 1\r\n\r\nxy\r\n--b--\r\nbye"
    assert _read(body, 3) == [Part({"a": "1"}, b"xy")]


def test_line_breaks_and_dashes_within_a_part_stay() -> None:
    assert _read(b"--b\r\n\r\n\r\n--a\r\n--\r\n\r\n--b--", 4)[0].data == b"\r\n--a\r\n--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b",
        b"--b\r\n",
        b"--b\r\n\r\nabc",
        b"--b\r\n\r\nabc\r\n--b",
        b"--b\r\n\r\nabc\r\n--b-",
        b"no delimiter at all",
    ],
)
def test_a_body_that_ends_too_early_is_refused(body: bytes) -> None:
    with pytest.raises(NotWhole, match="ends before"):
        _read(body, 5)


def test_a_delimiter_with_text_behind_it_is_refused() -> None:
    with pytest.raises(NotWhole, match="text behind"):
        _read(b"--bXX\r\n\r\nabc\r\n--b--", 50)


@pytest.mark.parametrize(
    ("limits", "body"),
    [
        (Limits(part=10), b"--b\r\n\r\n" + b"x" * 11 + b"\r\n--b--"),
        (Limits(part=10), b"--b\r\n\r\n" + b"x" * 100_000),
        (Limits(total=50), b"--b\r\n\r\n" + b"x" * 100 + b"\r\n--b--"),
        (Limits(parts=2), b"--b\r\n\r\n\r\n" * 3 + b"--b--"),
        (Limits(), b"--b\r\nA: " + b"x" * 20_000 + b"\r\n\r\n\r\n--b--"),
        (Limits(), b"--b\r\n" + b"A: b\r\n" * 10_000 + b"\r\n\r\n--b--"),
        (Limits(), b"p" * 20_000 + b"\r\n--b--"),
    ],
)
def test_every_bound_refuses(limits: Limits, body: bytes) -> None:
    with pytest.raises(LimitReached, match=r"over \d+ bytes|than \d+ parts"):
        _read(body, 1000, limits=limits)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_noise_is_read_or_refused(noise: bytes, chunk: int) -> None:
    try:
        _read(b"--b\r\n" + noise, chunk)
    except IsocenterError as error:
        assert error.what


@pytest.mark.parametrize("boundary", ["", "x" * 71, "ends with space ", "umlaut\u00e4", "new\nline", 'quote"'])
def test_a_boundary_that_is_none(boundary: str) -> None:
    with pytest.raises(Refused, match="boundary"):
        multipart.boundary_of({"boundary": boundary} if boundary else {})


@pytest.mark.parametrize("header", ['multipart/related; boundary="a b"', "multipart/related;boundary=abc", ""])
def test_content_types(header: str) -> None:
    kind, params = multipart.content_type(header)
    assert (kind, params.get("boundary")) in [("multipart/related", "a b"), ("multipart/related", "abc"), ("", None)]


def test_our_boundaries_differ() -> None:
    assert multipart.new_boundary() != multipart.new_boundary()
