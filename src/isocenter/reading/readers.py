"""Readers with AI: how often a reader agrees with it, overrides it, and is led astray by it.

Agreement alone says nothing: who always agrees is no check on the machine. What matters is known only where the truth
is known: following a wrong AI (automation bias), and overriding a right one. Each rate has its interval, each is told
apart for the mode in which the AI was shown, because an opinion that was locked before the AI was seen is another
thing than one that was formed beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from isocenter.errors import Refused
from isocenter.methods.intervals import Estimate, wilson

__all__ = ["FEW", "Call", "Rates", "by", "rates"]

FEW = 10
"""Below so many cases a rate is withheld; it says how many are missing."""


@dataclass(frozen=True)
class Call:
    """What was said of one question in one signed study.

    Args:
        mode: in which the AI was used (shadow, triage, unaided-first, second, concurrent).
        machine: the AI said that it is there.
        final: the signed report says so.
        first: the reader's own locked opinion before the AI was seen; None where there was none.
        truth: what turned out to be true; None while it is not known.
        seconds: from opening to signature.
    """

    study: str
    reader: str
    analysis: str
    mode: str
    machine: bool
    final: bool
    first: bool | None = None
    truth: bool | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Rates:
    """Rates of one group; None where there are too few cases, and `needed` says how many are missing, by rate.

    Args:
        agreement: the report says what the AI said.
        override: it says the other thing.
        changed: the reader's first opinion was another than the signed one.
        wrong_follow: of the cases in which the AI was wrong, the report followed it.
        wrong_override: of the cases in which it was right, the report did not.
        led_astray: of the cases in which the first opinion was right and the AI wrong, the report followed the AI.
        rescued: of the cases in which the first opinion was wrong and the AI right, the report followed the AI.
        seconds: median reading time, None where it is not known.
    """

    group: tuple[str, ...]
    n: int
    with_truth: int
    agreement: Estimate | None
    override: Estimate | None
    changed: Estimate | None
    wrong_follow: Estimate | None
    wrong_override: Estimate | None
    led_astray: Estimate | None
    rescued: Estimate | None
    seconds: float | None
    needed: Mapping[str, int]


def rates(calls: Sequence[Call], group: tuple[str, ...] = ()) -> Rates:
    """The rates of these calls together."""
    known = [c for c in calls if c.truth is not None]
    first = [c for c in calls if c.first is not None]
    both = [c for c in known if c.first is not None]
    wrong = [c for c in known if c.machine != c.truth]
    right = [c for c in known if c.machine == c.truth]
    questions: dict[str, tuple[Sequence[Call], Callable[[Call], bool]]] = {
        "agreement": (calls, lambda c: c.final == c.machine),
        "override": (calls, lambda c: c.final != c.machine),
        "changed": (first, lambda c: c.final != c.first),
        "wrong_follow": (wrong, lambda c: c.final == c.machine),
        "wrong_override": (right, lambda c: c.final != c.machine),
        "led_astray": ([c for c in both if c.first == c.truth != c.machine], lambda c: c.final == c.machine),
        "rescued": ([c for c in both if c.first != c.truth == c.machine], lambda c: c.final == c.machine),
    }
    told: dict[str, Estimate | None] = {}
    needed = {}
    for name, (among, holds) in questions.items():
        told[name] = wilson(sum(map(holds, among)), len(among)) if len(among) >= FEW else None
        if len(among) < FEW:
            needed[name] = FEW - len(among)
    times = sorted(c.seconds for c in calls if c.seconds is not None)
    return Rates(group, len(calls), len(known), **told, seconds=_median(times), needed=needed)


def by(calls: Iterable[Call], *names: str) -> list[Rates]:
    """Rates in groups by reader, analysis or mode, in the order of the names.

    Raises:
        Refused: groups that do not exist.
    """
    if not set(names) <= {"reader", "analysis", "mode"}:
        raise Refused(f"groups by {', '.join(names)}", "there are reader, analysis, mode", "group by one of these")
    groups: dict[tuple[str, ...], list[Call]] = {}
    for call in calls:
        groups.setdefault(tuple(str(getattr(call, name)) for name in names), []).append(call)
    return [rates(groups[key], key) for key in sorted(groups)]


def _median(ordered: Sequence[float]) -> float | None:
    n = len(ordered)
    if n < FEW:
        return None
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
