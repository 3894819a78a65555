"""How a tumour answers to immunotherapy, by iRECIST: progression counts when a later scan confirms it.

Sources: Seymour et al., Lancet Oncol 18 (2017) e143, with the answers of the EORTC RECIST working group. Visits and the
responses of targets are those of RECIST 1.1 (`recist`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from isocenter.methods.recist import (
    CONFIRM_DAYS,
    EPSILON,
    Judged,
    Standing,
    Visit,
    confirmed_response,
    in_order,
    overall,
    target_response,
)

__all__ = ["Immune", "best_immune_response", "immune_responses"]

Immune = Literal["iCR", "iPR", "iSD", "iUPD", "iCPD", "NE", "non-iCR/non-iUPD"]


def immune_responses(
    visits: Sequence[Visit], *, confirm_days: int | None = CONFIRM_DAYS, least_growth_mm: float = 0.0,
    accept_sd: bool = False,
) -> tuple[Judged, ...]:  # fmt: skip
    """iRECIST at each visit after baseline: progression is unconfirmed (iUPD) until a later scan confirms it (iCPD).

    Confirmation at least four weeks later (earlier only for new symptoms with a further new lesion) needs further
    growth since the unconfirmed progression: targets by 5 mm, non-targets by any, measurable new lesions by 5 mm in
    sum, smaller ones by any, or one more of them; or progression in a category that had none. What shrinks again
    resets the bar, also where a new lesion is still there and no larger: from then on it takes a further one, or growth
    of the measurable ones by a fifth and 5 mm.

    Args:
        confirm_days, accept_sd: when a response stands (see `recist.Standing`).
        least_growth_mm: growth of a small new lesion that its outline cannot show.

    Raises:
        Refused: as `responses`.
    """
    first, *later = in_order(visits)
    judged: list[Judged] = []
    nadir, standing = first.sum_mm, Standing(confirm_days, accept_sd)
    unconfirmed: _Unconfirmed | None = None
    known = _Known()
    confirmed = cleared = False
    for visit in later:
        target = Judged("none", "iRECIST", "no targets")
        if first.sum_mm is not None and nadir is not None:
            target = target_response(visit, first.sum_mm, nadir, before=standing.kept)
            target = standing.after(visit.day, target)
        now = _progressing(target.response, visit, unconfirmed, known)
        if cleared and visit.returned and not now:
            now = {"a lesion that was gone"}
        if confirmed:
            judged.append(Judged("iCPD", "iRECIST table 2", "progression was confirmed before"))
        elif unconfirmed is not None and (why := _confirms(visit, unconfirmed, now, least_growth_mm)):
            confirmed = True
            judged.append(Judged("iCPD", "iRECIST table 2", why))
        elif unconfirmed is not None and _shrank(now, target.response, visit, unconfirmed, least_growth_mm):
            answer, at = _as_before(target.response, visit), unconfirmed.visit.day
            judged.append(
                replace(answer, why=f"{answer.why}; they were {unconfirmed.target} on day {at}, with new lesions")
            )
            unconfirmed, known = None, _Known(visit.new_count, visit.new_sum_mm)
        elif now:
            if unconfirmed is None:
                unconfirmed = _Unconfirmed(visit, target.response, set())
            unconfirmed.categories.update(now)
            judged.append(Judged("iUPD", "iRECIST table 2", f"{', '.join(sorted(now))}, not confirmed"))
        else:
            plain = _as_before(target.response, visit)
            if plain.response != "NE":
                unconfirmed = None
            cleared = cleared or plain.response == "iCR"
            judged.append(plain)
        known = known.after(visit)
        if visit.sum_mm is not None and visit.complete and nadir is not None:
            nadir = min(nadir, visit.sum_mm)
    return tuple(judged)


@dataclass
class _Unconfirmed:
    """A progression that waits for its confirmation: the visit, the targets at it, what progressed since."""

    visit: Visit
    target: str
    categories: set[str]


@dataclass(frozen=True)
class _Known:
    """New lesions that a response was given beside: they are progression no more unless they grow."""

    count: int = 0
    least_mm: float = 0.0

    def after(self, visit: Visit) -> _Known:
        return _Known(min(self.count, visit.new_count), min(self.least_mm, visit.new_sum_mm))

    def progress(self, visit: Visit) -> bool:
        """Whether there are more, or those that are measured have grown as targets do."""
        grown = visit.new_sum_mm - self.least_mm
        return visit.new_count > self.count or (grown >= 5 - EPSILON and grown >= 0.2 * self.least_mm - EPSILON)


_IMMUNE: Mapping[str, Immune] = {
    "CR": "iCR", "PR": "iPR", "SD": "iSD", "NE": "NE", "non-CR/non-PD": "non-iCR/non-iUPD",
}  # fmt: skip


_STABLE = ("iSD", "non-iCR/non-iUPD")  # the other is the word of patients without targets


_RANK: Mapping[str, int] = {"PD": 0, "SD": 1, "PR": 2, "CR": 3}


def _as_before(target: str, visit: Visit) -> Judged:
    """The response by the rows that have no new lesion; complete it is only where none is left."""
    plain = overall(target, visit.non_target, new=False)
    if plain.response == "CR" and visit.new_count:
        return Judged("iPR", "iRECIST, as RECIST 1.1", f"{plain.why}; a new lesion is still there")
    return Judged(_IMMUNE[plain.response], "iRECIST, as RECIST 1.1", plain.why)


def _progressing(target: str, visit: Visit, before: _Unconfirmed | None, known: _Known) -> set[str]:
    """Categories in which RECIST 1.1 would see progression; new lesions stay new until they are gone, or known."""
    if known.count:
        new = known.progress(visit)
    else:
        there = visit.new_count > 0 or visit.new_sum_mm > 0
        new = visit.new or (before is not None and before.visit.new and there)
    found = {"targets": target == "PD", "non-targets": visit.non_target == "PD", "new lesions": new}
    return {name for name, met in found.items() if met}


def _shrank(now: set[str], target: str, visit: Visit, before: _Unconfirmed, least_growth_mm: float) -> bool:
    """Whether the targets answer better than at the progression, beside new lesions that are the same or smaller.

    The EORTC's scenario B is such a one: a new lesion, then a partial response of the targets. Where they answered as
    well before (scenario F) the progression stays.
    """
    if now != {"new lesions"} or not visit.new_count or visit.new_count > before.visit.new_count:
        return False
    better = target in _RANK and before.target in _RANK and _RANK[target] > _RANK[before.target]
    return better and not _new_grew(visit, before.visit, least_growth_mm)


def _new_grew(visit: Visit, since: Visit, least_growth_mm: float) -> str:
    grown = visit.new_sum_mm - since.new_sum_mm
    if grown >= 5 - EPSILON:
        return f"new lesions grew by {grown:g} mm since day {since.day}"
    for number, mm in visit.new_small_mm.items():
        if number in since.new_small_mm and (more := mm - since.new_small_mm[number]) > least_growth_mm + EPSILON:
            return f"a new lesion that is no target grew by {more:.2g} mm since day {since.day}"
    return ""


def _confirms(visit: Visit, before: _Unconfirmed, now: set[str], least_growth_mm: float) -> str:
    """Why a visit confirms an earlier progression; empty when it does not."""
    since, categories = before.visit, before.categories
    more = visit.new_count > since.new_count
    if visit.day - since.day < CONFIRM_DAYS and not (visit.new_symptoms and more):
        return ""
    if fresh := now - categories:
        return f"progression of {' and '.join(sorted(fresh))} as well"
    if "targets" in categories and visit.sum_mm is not None and since.sum_mm is not None:
        grown = visit.sum_mm - since.sum_mm
        if grown >= 5 - EPSILON:
            return f"targets grew by {grown:g} mm since day {since.day}"
    if "non-targets" in categories and visit.non_target_grew:
        return "non-targets grew further"
    if "new lesions" in categories:
        if more:
            return f"{visit.new_count - since.new_count} more new lesions"
        return _new_grew(visit, since, least_growth_mm)
    return ""


def best_immune_response(
    visits: Sequence[Visit], *, confirmed: bool = True, stable_days: int = 42, confirm_days: int = CONFIRM_DAYS,
    least_growth_mm: float = 0.0, accept_sd: bool = False,
) -> Judged:  # fmt: skip
    """Best overall response by iRECIST (iBOR): the best until progression is confirmed.

    An unconfirmed progression does not stand against a later iSD, iPR or iCR; a confirmed one ends the count, and is
    the best only where nothing better came before.

    Args:
        confirmed, stable_days, confirm_days, accept_sd: as in `recist.best_response`.
        least_growth_mm: as in `immune_responses`.

    Raises:
        Refused: as `recist.responses`.

    >>> best_immune_response((Visit(0, 110), Visit(56, 145), Visit(112, 70), Visit(150, 70))).response
    'iPR'
    """
    again = confirm_days if confirmed else None
    judged = immune_responses(visits, confirm_days=again, least_growth_mm=least_growth_mm, accept_sd=accept_sd)
    seen = [(v.day, r.response) for v, r in zip(visits[1:], judged, strict=True)]
    ended = next((n for n, (_, r) in enumerate(seen) if r == "iCPD"), len(seen))
    upto, rule = seen[:ended], "iRECIST, best overall response"
    if confirmed:
        plain = [(day, said.removeprefix("i")) for day, said in upto]
        if found := confirmed_response(plain, confirm_days, accept_sd=accept_sd):
            return Judged(f"i{found.response}", rule, found.why.replace("CR ", "iCR ").replace("PR ", "iPR "))
    else:
        for wanted in ("iCR", "iPR"):
            for day, said in upto:
                if said == wanted:
                    return Judged(wanted, rule, f"{wanted} on day {day}")
    for day, said in upto:
        if said in ("iCR", "iPR", *_STABLE) and day - visits[0].day >= stable_days:
            why = "stable" if said in _STABLE else f"{said}, not confirmed"
            word = _STABLE[0] if visits[0].sum_mm is not None else _STABLE[1]
            return Judged(word, rule, f"{why} on day {day}, at least {stable_days} days from baseline")
    if ended < len(seen):
        return Judged("iCPD", rule, f"progression confirmed on day {seen[ended][0]}, nothing better stood before")
    for day, said in upto:
        if said == "iUPD":
            return Judged("iUPD", rule, f"progression on day {day}, not confirmed so far")
    return Judged("NE", rule, f"nothing was seen that lasted {stable_days} days")
