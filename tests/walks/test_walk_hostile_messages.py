"""What strangers send as HL7 messages: answered in words or hung up on, and the next honest order goes in."""

from __future__ import annotations

import resource
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.app import House, open_house
from isocenter.doors import mllp
from isocenter.forms import hl7
from isocenter.record import Kind
from isocenter.settings import Settings
from isocenter.testing.hostile import CLASSES
from isocenter.testing.hostile_messages import honest, messages

_ALLOWED_KB = 256 * 1024
_LONGEST_S = 2.0  # of processor time, for one message


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    held = open_house(Settings(folder=tmp_path / "archive", hl7_port=0), apart=False)
    held.exchange.start_messaging()
    yield held
    held.close()


def told(port: int, data: bytes) -> str:
    """The code of the answer, or "hung up"."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        frames = mllp.Frames(line, whole_s=60, idle_s=60)
        try:
            frames.send(data)
            line.shutdown(socket.SHUT_WR)
            answer = frames.receive()
        except Exception:  # the port may hang up while it is still being written to
            return "hung up"
    if answer is None:
        return "hung up"
    message = hl7.read(answer)
    msa, err = message.one("MSA"), message.one("ERR")
    assert msa is not None
    assert msa.at(1) == "AA" or (err is not None and err.at(3)), answer
    return msa.at(1)


@pytest.mark.parametrize("each", [pytest.param(7, id="day"), pytest.param(20, id="night", marks=pytest.mark.nightly)])
def test_26_classes_of_20_messages_are_answered_or_hung_up_on(
    house: House, caplog: pytest.LogCaptureFixture, each: int
) -> None:
    port, before = house.exchange.hl7_port, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    heard: Counter[str] = Counter()
    for kind in CLASSES:
        for member in messages(kind, count=each):
            started = time.process_time()
            heard[told(port, member.data)] += 1
            assert time.process_time() - started < _LONGEST_S, (kind, member.name)
            faults = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
            assert not faults, (kind, member.name, faults)
        assert told(port, honest(f"honest {kind}", number=f"honest {kind}")) == "AA", kind
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < _ALLOWED_KB, f"{grown} kB more than before"
    site = house.site
    assert site.journal.verify() == site.head()
    entries = len(site.journal.since(kinds=(Kind.MESSAGE_HEARD,), limit=10_000))
    assert entries >= len(CLASSES) + heard["AE"] + heard["AR"], "whatever was answered is in the journal"
    assert heard["AR"] and heard["AE"] and len(CLASSES) == 26 and heard.total() == 26 * each
    print(heard)
