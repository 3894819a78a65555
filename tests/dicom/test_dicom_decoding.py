"""A decoder that dies takes one image with it, and nothing else."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import made
import numpy as np
import pytest

from isocenter.dicom import decoding
from isocenter.dicom.decoding import decode, opened, serve
from isocenter.errors import LimitReached, Refused, Unavailable

PIXELS = np.random.default_rng(2).integers(0, 4000, (3, 64, 64)).astype(np.uint16)


def compressed(syntax: str = made.J2K) -> bytes:
    return made.made(pixels=PIXELS, syntax=syntax)


@pytest.mark.parametrize("syntax", [made.J2K, made.RLE])
def test_frames_come_back_as_they_were(syntax: str) -> None:
    assert np.array_equal(decode(compressed(syntax), [2, 0]), PIXELS[[2, 0]])


def test_a_child_that_is_killed_fails_one_image_and_the_next_is_read() -> None:
    data = compressed()
    decode(data, [0])
    child = decoding._pool.idle[-1]
    with pytest.raises(Refused, match="the decoder crashed"), decoding._pool.child() as mine:
        assert mine is child
        os.kill(child.process.pid, signal.SIGKILL)
        mine.ask({"numbers": [0]}, data, 10.0)
    assert child not in decoding._pool.idle
    for _ in range(5):
        assert np.array_equal(decode(data, [1])[0], PIXELS[1])


def test_a_child_that_died_while_idle_is_replaced() -> None:
    decode(compressed(), [0])
    child = decoding._pool.idle[-1]
    os.kill(child.process.pid, signal.SIGKILL)
    child.process.wait()
    assert np.array_equal(decode(compressed(), [0])[0], PIXELS[0])


def test_a_stream_that_takes_too_long_is_given_up_again_and_again() -> None:
    for _ in range(4):  # more often than there are children: none is lost
        with pytest.raises(LimitReached, match="took too long"):
            decode(compressed(), [0], seconds=0.0)
    assert np.array_equal(decode(compressed(), [0])[0], PIXELS[0])


def test_damaged_streams_only_ever_refuse() -> None:
    data = compressed()
    at = data.index(b"\xff\x4f\xff\x51")
    random = np.random.default_rng(7)
    for _ in range(12):
        bad = bytearray(data)
        for place in random.integers(at + 2, at + 200, 12):
            bad[place] = random.integers(0, 256)
        start = time.monotonic()
        try:
            decode(bytes(bad), [0])
        except (Refused, LimitReached) as refusal:
            assert refusal.do
        assert time.monotonic() - start < 40


def test_several_threads_ask_at_once() -> None:
    data, wrong = compressed(), []

    def work(number: int) -> None:
        for _ in range(5):
            if not np.array_equal(decode(data, [number])[0], PIXELS[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in (0, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(decoding._pool.idle) <= 2


def test_answers_that_do_not_fit_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    for answer, raw in (
        ({"shape": [1, 2, 2], "kind": "<u2"}, b"123"),
        ({"shape": [1], "kind": "O"}, b"12345678"),
        ({"shape": [1]}, b""),
    ):
        monkeypatch.setattr(decoding._Child, "ask", lambda *_, said=(answer, raw): said)
        with pytest.raises(Refused, match="do not fit"):
            decode(compressed(), [0])


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    decoding._pool.close()
    monkeypatch.setattr(decoding.sys, "executable", "/nowhere/python")
    with pytest.raises(Unavailable, match="no decoder"):
        decode(compressed(), [0])


def test_what_the_child_does_can_be_done_in_memory() -> None:
    asked, answered = io.BytesIO(), io.BytesIO()
    decoding._send(asked, {"numbers": [1]}, compressed())
    decoding._send(asked, {"numbers": [0]}, made.made())
    decoding._send(asked, {"numbers": [9]}, compressed())
    asked.seek(0)
    serve(asked, answered)
    answered.seek(0)
    size, follows = decoding._HEAD.unpack(answered.read(decoding._HEAD.size))
    assert b'"<u2"' in answered.read(size)
    assert answered.read(follows) == PIXELS[1].tobytes()
    assert np.array_equal(opened(compressed(), [2])[0], PIXELS[2])


def test_a_stream_that_lies_about_its_size_cannot_take_the_memory() -> None:
    """The code stream says 30,000 by 30,000 where the header says 64 by 64: refused, and the next one is read."""
    data = bytearray(compressed())
    at = data.index(b"\xff\x4f\xff\x51") + 8
    data[at : at + 8] = (30_000).to_bytes(4, "big") * 2
    data[at + 16 : at + 24] = (30_000).to_bytes(4, "big") * 2
    with pytest.raises((Refused, LimitReached)):
        decode(bytes(data), [0])
    assert np.array_equal(decode(compressed(), [0])[0], PIXELS[0])


def test_room_follows_the_header() -> None:
    assert decoding._room(compressed(), 1) < 600 << 20
    large = made.made(pixels=np.zeros((4096, 4096), np.uint16))
    assert decoding._room(large, 1) > 700 << 20


_BOUNDED = """
import resource, sys
sys.path.insert(0, {here!r})
import made, numpy as np
from isocenter.dicom.decoding import decode
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
print(decode(made.made(pixels=np.ones((2, 8, 8), np.uint16), syntax=made.RLE), [1]).sum())
"""


def test_a_process_with_bounds_of_its_own_can_decode() -> None:
    """An analysis runs in such a process; a decoder that asked for more than it may ended before it began."""
    words = [sys.executable, "-c", _BOUNDED.format(here=str(Path(__file__).parent))]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == "64"
