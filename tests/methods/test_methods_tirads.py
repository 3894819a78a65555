"""ACR TI-RADS: every word of the table, every level, every branch of the advice, growth, and what is refused."""

from __future__ import annotations

from itertools import combinations

import pytest

from isocenter.errors import Refused
from isocenter.methods.tirads import COMPOSITION, ECHOGENICITY, FOCI, MARGIN, SHAPE, advice, grown, rate

PLAIN = ("cystic", "anechoic", "wider than tall", "smooth")


@pytest.mark.parametrize(
    ("table", "points"),
    [
        (COMPOSITION, {"cystic": 0, "spongiform": 0, "mixed": 1, "solid": 2, "cannot be determined": 2}),
        (
            ECHOGENICITY,
            {"anechoic": 0, "hyperechoic": 1, "isoechoic": 1, "hypoechoic": 2, "very hypoechoic": 3,
             "cannot be determined": 1},
        ),
        (SHAPE, {"wider than tall": 0, "taller than wide": 3}),
        (
            MARGIN,
            {"smooth": 0, "ill-defined": 0, "lobulated or irregular": 2, "extra-thyroidal extension": 3,
             "cannot be determined": 0},
        ),
        (FOCI, {"large comet-tail": 0, "macrocalcifications": 1, "rim calcifications": 2, "punctate": 3}),
    ],
)  # fmt: skip
def test_the_table_is_that_of_the_white_paper(table: dict[str, int], points: dict[str, int]) -> None:
    assert dict(table) == points


def test_points_add_up_over_every_combination() -> None:
    seen = set()
    for composition, n in COMPOSITION.items():
        for echo, e in ECHOGENICITY.items():
            if composition == "spongiform" or (composition in ("mixed", "solid") and echo == "anechoic"):
                continue
            for shape, s in SHAPE.items():
                for margin, m in MARGIN.items():
                    for k in range(5):
                        for foci in combinations(FOCI, k):
                            found = rate(composition, echo, shape, margin, foci)
                            assert found.points == n + e + s + m + sum(FOCI[f] for f in foci)
                            seen.add((found.points, found.level))
    levels = dict(seen)
    assert [levels[p] for p in range(8)] == [1, 2, 2, 3, 4, 4, 4, 5]
    assert all(level == 5 for points, level in seen if points >= 7) and max(levels) == 17


def test_all_foci_count_and_spongiform_takes_none() -> None:
    three = rate(*PLAIN, ("macrocalcifications", "rim calcifications", "punctate"))
    assert (three.points, three.level) == (6, 4)
    assert rate("spongiform", "very hypoechoic", "taller than wide", "smooth", ("punctate",)).level == 1
    assert "no row of the table" in rate(*PLAIN, ("macrocalcifications",)).why


@pytest.mark.parametrize(
    ("level", "mm", "said"),
    [
        (1, 60.0, "no aspiration"), (2, 60.0, "no aspiration"),
        (3, 25.0, "fine-needle"), (3, 24.9, "follow-up after 1, 3 and 5"), (3, 15.0, "follow-up"),
        (3, 14.9, "no follow-up"), (4, 15.0, "fine-needle"), (4, 14.9, "follow-up after 1, 2, 3 and 5"),
        (4, 10.0, "follow-up"), (4, 9.9, "no follow-up"), (5, 10.0, "fine-needle"), (5, 9.9, "follow-up every year"),
        (5, 5.0, "follow-up"), (5, 4.9, "no follow-up"),
    ],
)  # fmt: skip
def test_advice_on_both_sides_of_every_threshold(level: int, mm: float, said: str) -> None:
    advised, rule = advice(level, mm)
    assert advised.startswith(said) and f"TR{level}" in rule


@pytest.mark.parametrize(
    ("now", "more"),
    [
        ((12.0, 12.0, 10.0), True),
        ((12.0, 11.9, 10.0), False),
        ((12.0, 10.0, 10.0), False),
        ((11.5, 11.5, 11.5), True),  # volume +52 %
        ((11.4, 11.4, 11.4), False),  # volume +48 %
    ],
)
def test_growth(now: tuple[float, ...], more: bool) -> None:
    assert grown((10.0, 10.0, 10.0), now)[0] is more


def test_growth_asks_two_millimetres() -> None:
    assert not grown((5.0, 5.0, 20.0), (6.1, 6.1, 20.0))[0]  # +22 % twice, but 1.1 mm; volume +49 %


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rate("solid", "anechoic", "wider than tall", "smooth"), "its solid part"),
        (lambda: rate("hard", "hypoechoic", "wider than tall", "smooth"), "known are cystic"),
        (lambda: rate(*PLAIN, ("stars",)), "known are large comet-tail"),
        (lambda: rate(*PLAIN, ("punctate", "punctate")), "counts once"),
        (lambda: advice(6, 10.0), "TR1 to TR5"),
        (lambda: advice(4, 0.0), "no nodule"),
        (lambda: grown((1.0, 2.0), (1.0, 2.0, 3.0)), "judged from three"),
    ],
)
def test_what_is_refused(call: object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        call()  # type: ignore[operator]
