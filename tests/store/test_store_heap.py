from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import resource
from isocenter.store.heap import keep_freed

def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        pieces = [bytearray(262_144) for _ in range(40)]  # a request of 20 images
        del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
was = faults()
print(keep_freed())
faults()
print(was, faults())
"""


def test_what_one_request_freed_the_next_one_need_not_fetch() -> None:
    said = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True).stdout.split()
    if said[0] == "False":
        pytest.skip("this C library has no mallopt")
    was, now = int(said[1]), int(said[2])
    assert was > 5_000, "the C library gave all of it back each time"
    assert now < was // 20
