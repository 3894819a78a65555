"""The bull's-eye of a result that measured the segments of the left ventricle."""

from __future__ import annotations

import re

from isocenter.forms import plot
from isocenter.record import Outcome, Result, Verdict

__all__ = ["bullseyes"]

_SEGMENT = re.compile(r"segment (\d{1,2}), [a-z]+(?: [a-z]+)?(?P<when>, .+)?")


def bullseyes(result: Result) -> tuple[str, ...]:
    """One figure (SVG) for each quantity that was given by segment: its definition begins "segment N, name".

    The scale runs over what was found, so that the pattern shows; values stand in the segments. Fewer than six segments
    make no pattern and no figure.
    """
    if result.outcome is Outcome.DECLINED:
        return ()
    held: dict[tuple[str, str], dict[int, float]] = {}
    for finding in result.findings:
        if finding.verdict is Verdict.STRUCK:
            continue
        for m in finding.measurements:
            found = _SEGMENT.fullmatch(m.definition)
            if found and 1 <= int(found[1]) <= 17:
                held.setdefault((f"{m.what}{found['when'] or ''}", m.unit), {})[int(found[1])] = m.value
    figures = []
    for (title, unit), values in held.items():
        if len(values) < 6:
            continue
        low, high = min(values.values()), max(values.values())
        spread = high - low if high > low else 1.0
        low, high = (round(v, 1) for v in (low - 0.05 * spread, high + 0.05 * spread))
        segments = [values.get(n) for n in range(1, 18)]
        figures.append(plot.bullseye(segments, title=title, unit=unit, low=low, high=max(high, low + 0.1)))
    return tuple(figures)
