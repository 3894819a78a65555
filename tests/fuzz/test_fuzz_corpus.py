"""Every input that a fuzzer ever found worth keeping is read, or refused in words, in time."""

from __future__ import annotations

import time

import pytest
from fuzz_targets import PATIENCE_S, TARGETS, checked, kept, seeds


@pytest.mark.filterwarnings("ignore")  # what a library warns of in broken input is expected
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_corpus_is_refused_in_words_or_read(target: str) -> None:
    inputs = [*seeds(target), *(path.read_bytes() for path in kept(target))]
    assert len(inputs) >= 4, "a target without a corpus shows nothing"
    for data in inputs:
        for cut in (data, data[: len(data) // 2], data[1:], data + data[:40]):
            started = time.process_time()
            checked(target, cut)
            assert time.process_time() - started < PATIENCE_S


def test_a_target_that_breaks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "parser", lambda data: data[1 << 20])
    with pytest.raises(IndexError):
        checked("parser", b"any")
