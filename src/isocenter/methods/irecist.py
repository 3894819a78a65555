"""How a tumour answers to immunotherapy, by iRECIST: progression counts when a later scan confirms it.

Sources: Seymour et al., Lancet Oncol 18 (2017) e143, with the answers of the EORTC RECIST working group. Visits and the
responses of targets are those of RECIST 1.1 (`recist`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from isocenter.methods.recist import (
    CONFIRM_DAYS,
    EPSILON,
    Judged,
    Visit,
    confirmed_response,
    in_order,
    overall,
    target_response,
)

__all__ = ["Immune", "best_immune_response", "immune_responses"]

Immune = Literal["iCR", "iPR", "iSD", "iUPD", "iCPD", "NE", "non-iCR/non-iUPD"]


def immune_responses(visits: Sequence[Visit]) -> tuple[Judged, ...]:
    """iRECIST at each visit after baseline: progression is unconfirmed (iUPD) until a later scan confirms it (iCPD).

    Confirmation at least four weeks later (earlier only for new symptoms with a further new lesion) needs further
    growth since the unconfirmed progression: targets by 5 mm, non-targets by any, new lesions by 5 mm in sum or by one
    more; or progression in a category that had none. What shrinks again resets the bar.

    Raises:
        Refused: as `responses`.
    """
    first, *later = in_order(visits)
    judged: list[Judged] = []
    nadir, standing = first.sum_mm, None
    since: Visit | None = None  # the visit of the unconfirmed progression
    categories: set[str] = set()
    confirmed = cleared = False
    for visit in later:
        target = (
            Judged("none", "iRECIST", "no targets")
            if first.sum_mm is None or nadir is None
            else target_response(visit, first.sum_mm, nadir, before=standing)
        )
        now = _progressing(target.response, visit, since)
        if cleared and visit.returned and not now:
            now = {"a lesion that was gone"}
        if confirmed:
            judged.append(Judged("iCPD", "iRECIST table 2", "progression was confirmed before"))
        elif since is not None and (why := _confirms(visit, since, now - categories, categories)):
            confirmed = True
            judged.append(Judged("iCPD", "iRECIST table 2", why))
        elif now:
            since = since if since is not None else visit
            categories |= now
            judged.append(Judged("iUPD", "iRECIST table 2", f"{', '.join(sorted(now))}, not confirmed"))
        else:
            plain = overall(target.response, visit.non_target, new=False)
            if plain.response != "NE":
                since, categories = None, set()
            cleared = cleared or plain.response == "CR"
            judged.append(Judged(_IMMUNE[plain.response], "iRECIST, as RECIST 1.1", plain.why))
        if visit.sum_mm is not None and visit.complete and nadir is not None:
            nadir = min(nadir, visit.sum_mm)
        if target.response in ("CR", "PR"):
            standing = target.response
        elif target.response == "PD":
            standing = None  # what shrinks after a progression is measured against baseline anew
    return tuple(judged)


_IMMUNE: Mapping[str, Immune] = {
    "CR": "iCR", "PR": "iPR", "SD": "iSD", "NE": "NE", "non-CR/non-PD": "non-iCR/non-iUPD",
}  # fmt: skip


_STABLE = ("iSD", "non-iCR/non-iUPD")  # the other is the word of patients without targets


def _progressing(target: str, visit: Visit, since: Visit | None) -> set[str]:
    """Categories in which RECIST 1.1 would see progression; new lesions stay new until they are gone."""
    new = visit.new or (since is not None and since.new and (visit.new_count > 0 or visit.new_sum_mm > 0))
    found = {"targets": target == "PD", "non-targets": visit.non_target == "PD", "new lesions": new}
    return {name for name, met in found.items() if met}


def _confirms(visit: Visit, since: Visit, fresh: set[str], categories: set[str]) -> str:
    """Why a visit confirms an earlier progression; empty when it does not."""
    more = visit.new_count > since.new_count
    if visit.day - since.day < CONFIRM_DAYS and not (visit.new_symptoms and more):
        return ""
    if fresh:
        return f"progression of {' and '.join(sorted(fresh))} as well"
    if "targets" in categories and visit.sum_mm is not None and since.sum_mm is not None:
        grown = visit.sum_mm - since.sum_mm
        if grown >= 5 - EPSILON:
            return f"targets grew by {grown:g} mm since day {since.day}"
    if "non-targets" in categories and visit.non_target_grew:
        return "non-targets grew further"
    if "new lesions" in categories:
        grown = visit.new_sum_mm - since.new_sum_mm
        if more:
            return f"{visit.new_count - since.new_count} more new lesions"
        if grown >= 5 - EPSILON:
            return f"new lesions grew by {grown:g} mm since day {since.day}"
    return ""


def best_immune_response(
    visits: Sequence[Visit], *, confirmed: bool = True, stable_days: int = 42, confirm_days: int = CONFIRM_DAYS
) -> Judged:
    """Best overall response by iRECIST (iBOR): the best until progression is confirmed.

    An unconfirmed progression does not stand against a later iSD, iPR or iCR; a confirmed one ends the count, and is
    the best only where nothing better came before.

    Args:
        confirmed, stable_days, confirm_days: as in `recist.best_response`.

    Raises:
        Refused: as `recist.responses`.

    >>> best_immune_response((Visit(0, 110), Visit(56, 145), Visit(112, 70), Visit(150, 70))).response
    'iPR'
    """
    seen = [(v.day, r.response) for v, r in zip(visits[1:], immune_responses(visits), strict=True)]
    ended = next((n for n, (_, r) in enumerate(seen) if r == "iCPD"), len(seen))
    upto, rule = seen[:ended], "iRECIST, best overall response"
    if confirmed:
        if found := confirmed_response([(day, said.removeprefix("i")) for day, said in upto], confirm_days):
            return Judged(f"i{found.response}", rule, found.why.replace("CR ", "iCR ").replace("PR ", "iPR "))
    else:
        for wanted in ("iCR", "iPR"):
            for day, said in upto:
                if said == wanted:
                    return Judged(wanted, rule, f"{wanted} on day {day}")
    for day, said in upto:
        if said in ("iCR", "iPR", *_STABLE) and day - visits[0].day >= stable_days:
            why = "stable" if said in _STABLE else f"{said}, not confirmed"
            word = said if said in _STABLE else "iSD"
            return Judged(word, rule, f"{why} on day {day}, at least {stable_days} days from baseline")
    if ended < len(seen):
        return Judged("iCPD", rule, f"progression confirmed on day {seen[ended][0]}, nothing better stood before")
    for day, said in upto:
        if said == "iUPD":
            return Judged("iUPD", rule, f"progression on day {day}, not confirmed so far")
    return Judged("NE", rule, f"nothing was seen that lasted {stable_days} days")
