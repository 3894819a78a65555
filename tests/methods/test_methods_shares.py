"""Parts cover every item once, whatever the number of cores, and what goes wrong in one of them is told."""

import threading

import pytest

from isocenter.methods import shares


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("many", [0, 1, 2, 5, 8, 1000])
def test_every_item_is_in_one_part(many: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "cores", lambda: threads)
    seen, names = [0] * many, set()

    def kernel(first: int, last: int, by: int) -> None:
        names.add(threading.get_ident())
        for n in range(first, last):
            seen[n] += by

    shares.in_parts(kernel, many, 3)
    assert seen == [3] * many
    assert len(names) <= threads


def test_a_fault_in_one_part_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "cores", lambda: 2)

    def kernel(first: int, last: int) -> None:
        if first > 2:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        shares.in_parts(kernel, 8)
