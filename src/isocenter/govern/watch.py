"""How a model does since it is in use: six charts with one declared rate of false alarms, and their delays.

Performance and drift are two things (Kore et al., Nat Commun 2024): what comes in may change and the answers stay
right, and answers may go wrong on images that look as ever. So both are watched: whether reports say what the model
said, how often it finds something, how often it declines, whether images look otherwise than they did, and whether
they come from scanners that it had not met. All charts together alarm falsely at most once in six months on average.
That holds of cases that know nothing of each other, so a person counts once in six months, and so does an image that
came again. How long a fall of five and of ten points stays unseen is simulated from the same charts and told with them,
beside the least that it could be if what is usual were known.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from isocenter.methods.growing_chart import Followed

__all__ = ["BASELINE", "CHARTS", "SHIFTS", "Seen", "once_each", "watch"]

BASELINE = 100
"""First cases; before that nothing is said. What is usual is taken from these, then from more and more of the past."""

SHIFTS = (0.05, 0.10)
"""Falls (or rises) of a share for which the delay is stated."""

CHARTS: Mapping[str, str] = MappingProxyType(
    {
        "agreement": "signed reports that say another thing than the model",
        "outputs, more": "studies in which it finds something",
        "outputs, fewer": "studies in which it looks and finds nothing",
        "inputs, declined": "studies that it declines",
        "inputs, looks": "studies whose image looks otherwise than nine in ten of the first",
        "inputs, scanners": "studies from a scanner that it had not met",
    }
)
"""Chart -> what counts as a case of it."""

_SIX_MONTHS = 182.625  # days
_NEARLY_ALL = 0.95
_NUMBERS, _FINEST = 3, 1e-3  # of a look, and to what it is rounded
_SEED = 4


@dataclass(frozen=True)
class Seen:
    """What a model and the reader said of one study with a signed report.

    Args:
        when: of the signature.
        found: whether it found something; None where it declined.
        agreed: whether the report says the same; None where that was not told.
        scanner: maker, model and station; empty where the header does not say.
        look: of its image (`methods.look`); empty where nobody looked.
        person: who was imaged; empty where that is not known.
        image: what the model made of the image, alike for the same image under other UIDs; empty where not known.
    """

    when: datetime
    found: bool | None
    agreed: bool | None
    scanner: str = ""
    look: tuple[float, ...] = ()
    person: str = ""
    image: str = ""


def once_each(seen: Sequence[Seen]) -> list[Seen]:
    """Those that count: the first of each person and of each image, and the next after six months.

    A model that is wrong of somebody once is mostly wrong of them again, and of the same image always; ten films of one
    person in a week are no ten cases. Whoever comes back after six months counts again, so that a screening programme
    does not run out of cases. Studies of nobody known count each, unless their image is known.

    Args:
        seen: in the order of their signatures.
    """
    counted: list[Seen] = []
    last: dict[tuple[str, str], datetime] = {}
    for one in seen:
        keys = [key for key in (("person", one.person), ("image", one.image)) if key[1]]
        if any(key in last and (one.when - last[key]).total_seconds() < _SIX_MONTHS * 86_400 for key in keys):
            continue
        last.update(dict.fromkeys(keys, one.when))
        counted.append(one)
    return counted


def watch(seen: Sequence[Seen], *, times: int = 2000) -> dict[str, Any]:
    """The charts over these studies, in the order of their signatures.

    Args:
        seen: all of them; each person and each image counts once in six months (`once_each`).
        times: streams that are simulated for the delays; 0 for no delays. A delay that is not known is None: more of
            the changes than it speaks of stayed unseen.

    Returns:
        ``{"studies", "cases", "nobody", "baseline", "needed", "charts", "alarms", "false_alarms"}``; without charts
        while the baseline is not complete. `nobody` is how many studies are of nobody known.
    """
    studies = seen
    seen = once_each(studies)
    told: dict[str, Any] = {
        "studies": len(studies), "cases": len(seen), "nobody": sum(not one.person for one in studies),
        "baseline": BASELINE, "needed": max(0, BASELINE - len(seen)),
        "charts": [], "alarms": [],
        "false_alarms": {"declared": "at most one in six months, of all charts together, on average"},
    }  # fmt: skip
    if told["needed"]:
        return told
    from isocenter.methods.growing_chart import follow_growing  # with a compiler that no other command shall wait for

    expected = 0.0
    for name, (flags, hits, first, places) in _streams(seen).items():
        days = max((studies[-1].when - studies[0].when).total_seconds() / 86_400, 1.0)
        in_six = max(len(flags) / days * _SIX_MONTHS, 1.0)
        run = in_six * len(CHARTS)
        by = follow_growing(hits, first, flags, SHIFTS[0], run)
        expected += in_six / by.chart.run
        line = _line(name, by, run, first, flags, days / max(len(flags), 1), places, times)
        told["charts"].append(line)
        if line["alarm"] is not None:
            told["alarms"].append({"chart": name, "of": CHARTS[name], **line["alarm"]})
    told["false_alarms"]["expected_in_six_months"] = round(expected, 3)
    return told


def _streams(seen: Sequence[Seen]) -> dict[str, tuple[list[bool], int, int, list[int]]]:
    """Chart -> (whether each case counts, those that do in the baseline, all of it, place of each case)."""
    first = seen[:BASELINE]
    known = Counter(s.scanner for s in first)
    flags: dict[str, list[bool | None]] = {
        "agreement": [None if s.agreed is None else not s.agreed for s in seen],
        "outputs, more": [s.found for s in seen],
        "outputs, fewer": [None if s.found is None else not s.found for s in seen],
        "inputs, declined": [s.found is None for s in seen],
        "inputs, looks": _otherwise(seen),
        "inputs, scanners": [s.scanner not in known for s in seen],
    }
    streams = {}
    for name, all_flags in flags.items():
        before = [f for f in all_flags[:BASELINE] if f is not None]
        places = [n for n, f in enumerate(all_flags) if f is not None and n >= BASELINE]
        hits = sum(before)
        if name == "inputs, scanners":  # how often the next is new: those met once, of all (Good, Biometrika 1953)
            hits = sum(n == 1 for n in known.values())
        if len(before) < BASELINE // 2:
            continue
        if hits > _NEARLY_ALL * len(before):  # there is no rise left that could be seen
            continue
        streams[name] = ([bool(all_flags[n]) for n in places], hits, len(before), places)
    return streams


def _otherwise(seen: Sequence[Seen]) -> list[bool | None]:
    """Whether each image lies farther from the middle of the first ones, in any of its numbers, than nine in ten of
    them; None where its look is not known, or that of too few of the first.
    """
    first = np.array([s.look for s in seen[:BASELINE] if len(s.look) == _NUMBERS])
    if len(first) < BASELINE // 2:
        return [None] * len(seen)
    middle = np.median(first, axis=0)
    spread = np.maximum(np.median(np.abs(first - middle), axis=0), _FINEST)
    border = np.quantile(np.max(np.abs(first - middle) / spread, axis=1), 0.9, method="higher")
    return [
        bool(np.max(np.abs(np.array(s.look) - middle) / spread) > border) if len(s.look) == _NUMBERS else None
        for s in seen
    ]


def _known(cases: float) -> float | None:
    """After how many cases; None where so many of the simulated changes stayed unseen that there is no such number."""
    return cases if math.isfinite(cases) else None


def _line(
    name: str, by: Followed, run: float, first: int, flags: Sequence[bool], days: float, places: Sequence[int],
    times: int,
) -> dict[str, Any]:  # fmt: skip
    from isocenter.methods.control_chart import chart, delays
    from isocenter.methods.growing_chart import delays_from_now

    alarm = None
    if by.alarm is not None:
        lately = flags[max(0, by.alarm - 49) : by.alarm + 1]
        alarm = {
            "case": places[by.alarm] + 1, "share_lately": sum(lately) / len(lately), "usual": by.chart.usual,
        }  # fmt: skip
    late, known = [], min(max(by.share, 0.005), _NEARLY_ALL)
    for shift in SHIFTS if times else ():
        after = min(by.share + shift, 0.999)  # from what was seen, not from what is taken for usual to be safe
        told = delays_from_now(
            by, first + len(flags), after, SHIFTS[0], run, rng=np.random.default_rng(_SEED), times=times
        )
        best = chart(known, min(known + shift, (1 + known) / 2), run)
        least = delays(best, max(after, best.worse), rng=np.random.default_rng(_SEED), times=times)
        late.append(
            {"points": round(100 * shift), "cases_mean": _known(told.mean), "cases_median": _known(told.median),
             "cases_nine_in_ten": _known(told.late), "days_mean": _known(round(told.mean * days, 1)),
             "missed": told.missed, "cases_at_best": _known(least.mean)}
        )  # fmt: skip
    now = by.chart
    return {
        "chart": name, "of": CHARTS[name], "cases": len(flags), "usual": now.usual, "usual_from": by.cases,
        "made_for": now.worse, "rise": now.rise, "fall": now.fall, "limit": now.limit, "sum": by.sum,
        "cases_between_false_alarms": now.run, "delays": late, "alarm": alarm,
    }  # fmt: skip
