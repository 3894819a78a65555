"""Models that ask for all memory, and files that are swapped: refused in words, and the next one works."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import struct
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from strange_analyses import said_by

from isocenter.analysis.protocol import Limits
from isocenter.analysis.run import apart
from isocenter.analysis.weights import open_session, read_file
from isocenter.dicom.confining import bounded_memory
from isocenter.errors import IsocenterError, LimitReached, NotWhole, Refused
from isocenter.learn.judge import judged
from isocenter.learn.pretrain import beginning
from isocenter.learn.similar import Index
from isocenter.learn.tensors import packed, unpacked
from isocenter.testing.hostile_envelopes import _field, _varint

HUNDRED_GB = (50_000, 500_000)  # of four bytes each
LIMITS = Limits(seconds=20.0, memory_mib=1024)


def _value(name: bytes, *sides: int) -> bytes:
    shape = _field(2, b"".join(_field(1, _field(1, n)) for n in sides))
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + shape))


def _numbers(name: bytes, *held: int) -> bytes:
    return _field(1, len(held)) + _field(2, 7) + _field(8, name) + _field(9, struct.pack(f"<{len(held)}q", *held))


def _graph(nodes: list[bytes], initial: list[bytes]) -> bytes:
    graph = b"".join(_field(1, one) for one in nodes) + _field(2, b"g") + b"".join(_field(5, one) for one in initial)
    graph += _field(11, _value(b"x", 1, 1)) + _field(12, _field(1, b"y") + _field(2, _field(1, _field(1, 1))))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _field(2, 17))


def _node(kind: bytes, *inputs: bytes, out: bytes = b"y", attribute: bytes = b"") -> bytes:
    made = b"".join(_field(1, name) for name in inputs) + _field(2, out) + _field(4, kind)
    return made + (_field(5, attribute) if attribute else b"")


def bombs() -> dict[str, bytes]:
    """Graphs of a few hundred bytes of which one tensor has 100 GB, by constants and by what is computed."""
    sizes = _numbers(b"s", *HUNDRED_GB)
    nearest = _field(1, b"mode") + _field(4, b"nearest") + _varint(20 << 3) + _varint(3)
    scaled = [_node(b"Unsqueeze", b"x", b"axes", out=b"x4"), _node(b"Resize", b"x4", b"", b"", b"sizes",
                                                                  attribute=nearest)]  # fmt: skip
    return {
        "ConstantOfShape": _graph([_node(b"ConstantOfShape", b"s", out=b"c"), _node(b"Add", b"c", b"x")], [sizes]),
        "Tile": _graph([_node(b"Tile", b"x", b"s")], [sizes]),
        "Expand": _graph([_node(b"Expand", b"x", b"s")], [sizes]),
        "Resize": _graph(scaled, [_numbers(b"axes", 0, 1), _numbers(b"sizes", 1, 1, *HUNDRED_GB)]),
    }


GOOD = _graph([_node(b"Add", b"x", b"x")], [])


def shelf(folder: Path, data: bytes, name: str = "made") -> Path:
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.onnx").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    (place / "model.json").write_text(json.dumps({"name": name, "version": "1", "digest": digest}))
    return folder


@pytest.mark.parametrize("kind", sorted(bombs()))
def test_a_model_that_wants_100_gb_is_refused_in_its_own_process_and_the_next_answers(
    tmp_path: Path, kind: str
) -> None:
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(Refused) as told:
        apart(partial(said_by, shelf(tmp_path / "bad", bombs()[kind])), LIMITS)
    assert told.value.why and time.monotonic() - start < LIMITS.seconds + 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "KiB of this process"
    assert apart(partial(said_by, shelf(tmp_path / "good", GOOD)), LIMITS) == 2.0


def test_a_command_bounds_itself_and_says_what_was_asked_for(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_AS)
    for kind, data in bombs().items():
        with pytest.raises(IsocenterError) as told, bounded_memory(1 << 30):
            said_by(shelf(tmp_path / kind, data))
        assert str(told.value), kind
    with pytest.raises(LimitReached, match="more memory than there is"), bounded_memory(1 << 28):
        np.zeros(1 << 32, np.uint8).fill(1)
    assert resource.getrlimit(resource.RLIMIT_AS) == limit, "and takes nothing from what comes after"
    with pytest.raises(Refused, match="a reason of its own"), bounded_memory(1 << 30):
        raise Refused("it", "a reason of its own")
    with pytest.raises(ValueError, match="something else"), bounded_memory(1 << 30):
        raise ValueError("something else")
    assert hasattr(judged, "__wrapped__"), "judging is bounded"


def swaps(place: Path, other: Path) -> dict[str, Callable[[], object]]:
    """What may lie where a model is looked for."""
    other.write_bytes(b"another file")
    return {
        "a link to a device without end": lambda: place.symlink_to("/dev/zero"),
        "a link to another file": lambda: place.symlink_to(other),
        "a link to nothing": lambda: place.symlink_to("/nowhere/at/all"),
        "a link to itself": lambda: place.symlink_to(place),
        "a pipe that nobody writes to": lambda: os.mkfifo(place),
        "a folder": place.mkdir,
        "a hole of 100 GB": lambda: os.truncate(os.open(place, os.O_CREAT | os.O_WRONLY), 10**11),
    }


KINDS = list(swaps(Path("/tmp/x"), Path("/dev/null")))


@pytest.mark.parametrize("file", ["model.onnx", "model.json"])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_lies_in_place_of_a_model_is_refused_at_once(tmp_path: Path, kind: str, file: str) -> None:
    folder = shelf(tmp_path / "s", GOOD)
    (folder / "made" / file).unlink()
    swaps(folder / "made" / file, tmp_path / "other")[kind]()
    start = time.monotonic()
    with pytest.raises(IsocenterError) as told:
        open_session("made", folder)
    assert str(told.value) and time.monotonic() - start < 2
    assert said_by(shelf(tmp_path / "next", GOOD)) == 2.0


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_lies_in_place_of_weights_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    doors: dict[str, Callable[[Path], object]] = {"body.safetensors": beginning, "index.safetensors": Index.read}
    for name, door in doors.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "cases.json").write_text("[]")
        swaps(folder / name, tmp_path / "other")[kind]()
        with pytest.raises(IsocenterError):
            door(folder)


def test_a_file_that_is_swapped_all_the_time_is_opened_as_what_its_card_names_or_not_at_all(tmp_path: Path) -> None:
    folder = shelf(tmp_path / "s", GOOD)
    place, held, stop = folder / "made" / "model.onnx", tmp_path / "held.onnx", threading.Event()
    held.write_bytes(GOOD)
    aside = tmp_path / "aside"

    def swap() -> None:
        targets = [held, Path("/dev/zero"), tmp_path / "bomb.onnx"]
        (tmp_path / "bomb.onnx").write_bytes(bombs()["Tile"])
        while not stop.is_set():
            for target in targets:
                aside.symlink_to(target)
                aside.replace(place)

    thread = threading.Thread(target=swap)
    thread.start()
    outcomes = set()
    try:
        end = time.monotonic() + 20
        while not {2.0, True, "model.onnx"} <= outcomes and time.monotonic() < end:
            try:
                data = read_file(place)
                outcomes.add(data in (GOOD, bombs()["Tile"]))
                outcomes.add(said_by(folder))
            except IsocenterError as why:
                outcomes.add(why.what.split(" ")[0])
    finally:
        stop.set()
        thread.join()
    assert {2.0, True, "model.onnx"} <= outcomes and False not in outcomes


def test_a_file_that_grows_or_shrinks_while_it_is_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"1234")
    assert read_file(file, 4) == b"1234"
    with pytest.raises(LimitReached, match="at most 3"):
        read_file(file, 3)
    with pytest.raises(Refused, match="is no file"):
        read_file(Path("/dev/null"))
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none")
    # The kernel's own files say that they have no bytes, and have some: one that grows.
    with pytest.raises(LimitReached, match="grows"):
        read_file(Path("/proc/self/maps"), 100)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**32, 2**62 + 8, 9])
def test_a_header_that_lies_about_its_length_costs_nothing(length: int) -> None:
    good = packed({"a": np.ones(2, np.float32)})
    with pytest.raises((NotWhole, Refused)):
        unpacked(struct.pack("<Q", length) + good[8:])
    assert unpacked(good)[0]["a"].tolist() == [1, 1]
