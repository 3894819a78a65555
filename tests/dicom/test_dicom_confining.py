"""A confined process computes, and calls nobody and starts nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

_TRIES = """
import os, socket, subprocess, threading
from isocenter.dicom.confining import bound_memory, confine
held = confine()
said = []
for act in (
    lambda: socket.socket(),
    lambda: subprocess.run(["/bin/true"]),
    lambda: os.execv("/bin/true", ["true"]),
):
    try:
        act()
        said.append("done")
    except OSError as refused:
        said.append(refused.errno)
thread = threading.Thread(target=lambda: said.append("thread"))
thread.start(); thread.join()
bound_memory(64 << 20)
try:
    bytearray(256 << 20)
    said.append("memory")
except MemoryError:
    said.append("bounded")
bound_memory(512 << 20)
said.append(len(bytearray(256 << 20)) >> 20)
print(held, *said)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's own filter is Linux's")
def test_no_network_no_program_and_bounded_memory() -> None:
    done = subprocess.run([sys.executable, "-c", _TRIES], capture_output=True, text=True, check=True)
    held, *said = done.stdout.split()
    if held != "True":
        pytest.skip("this kernel offers no filter")
    assert said[:3] == ["1", "1", "1"] and said[-3:] == ["thread", "bounded", "256"]
