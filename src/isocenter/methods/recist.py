"""How a tumour answers to treatment, by size: RECIST 1.1, mRECIST and Choi as tables of rules (iRECIST: `irecist`).

Every answer names the rule that gave it, so that a reader can look it up. Thresholds are inclusive. Sources: Eisenhauer
et al., Eur J Cancer 45 (2009) 228 (RECIST 1.1), with the EORTC working group's answers; Lencioni & Llovet, Semin Liver
Dis 30 (2010) 52 (mRECIST); Choi et al., J Clin Oncol 25 (2007) 1753.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from isocenter.errors import Refused

__all__ = [
    "CONFIRM_DAYS",
    "EPSILON",
    "IN_ORGAN",
    "MOST",
    "NORMAL_NODE_MM",
    "OVERALL",
    "Judged",
    "Lesion",
    "NonTarget",
    "Response",
    "Standing",
    "Visit",
    "best_response",
    "choi",
    "choose_targets",
    "confirmed_response",
    "in_order",
    "measurable",
    "overall",
    "recurrence",
    "responses",
    "target_response",
]

Response = Literal["CR", "PR", "SD", "PD", "NE", "non-CR/non-PD"]
NonTarget = Literal["CR", "non-CR/non-PD", "PD", "NE", "none"]

_LEAST_MM, _LEAST_NODE_MM = 10.0, 15.0
NORMAL_NODE_MM = 10.0
"""A lymph node whose short axis is below is a normal one."""
_THICK_MM = 5.0  # slices; beyond, a lesion must be twice as long as a slice is thick
MOST, IN_ORGAN = 5, 2
"""Targets at most, in all and in one organ."""
_TOO_SMALL_MM = 5.0
CONFIRM_DAYS = 28
EPSILON = 1e-9  # 36/30 is +20 %, whatever binary fractions make of it


@dataclass(frozen=True)
class Judged:
    """A response, the rule that gives it, and the numbers in words."""

    response: str
    rule: str
    why: str


@dataclass(frozen=True)
class Lesion:
    """One lesion at one time, as it is measured.

    Args:
        organ: where; no more than two targets lie in one. Empty where it is not known.
        long_mm: longest diameter in the axial plane (as acquired).
        short_mm: perpendicular to it; of lymph nodes this is what counts.
        node: whether it is a lymph node.
        slice_mm: distance of the slices.
        bone, cystic, irradiated: kinds that RECIST does not take, or takes only with a reason.
    """

    organ: str
    long_mm: float
    short_mm: float = 0.0
    node: bool = False
    slice_mm: float = 5.0
    bone: bool = False
    cystic: bool = False
    irradiated: bool = False

    @property
    def recorded_mm(self) -> float:
        """What enters the sum: the short axis of a node, the long one of others; 5 mm when too small to measure.

        A node keeps its real size, also a normal one, so that the sum need not be zero in a complete response.
        """
        if self.node:
            return self.short_mm
        return self.long_mm if self.long_mm == 0 or self.long_mm >= _TOO_SMALL_MM else _TOO_SMALL_MM


def measurable(lesion: Lesion, *, modality: str = "CT") -> Judged:
    """Whether a lesion may be a target at baseline: ``"yes"`` or ``"no"`` with the rule.

    >>> measurable(Lesion("lymph node", 20.0, 14.0, node=True)).response
    'no'
    """
    if lesion.bone:
        return Judged("no", "RECIST 1.1 3.1.2", "a bone lesion without soft tissue is not measurable")
    if lesion.cystic:
        return Judged(
            "no", "RECIST 1.1 3.1.2", "a simple cyst is no malignant lesion; a cystic one yields to solid ones"
        )
    if lesion.irradiated:
        return Judged("no", "RECIST 1.1 3.1.2", "it was irradiated and has not been shown to grow since")
    if lesion.node:
        enough = lesion.short_mm >= _LEAST_NODE_MM - EPSILON
        return Judged(
            "yes" if enough else "no",
            "RECIST 1.1 3.1.1, lymph nodes",
            f"short axis {lesion.short_mm:g} mm, at least {_LEAST_NODE_MM:g} mm is asked",
        )
    least = (
        20.0 if modality in ("CR", "DX") else max(_LEAST_MM, 2 * lesion.slice_mm if lesion.slice_mm > _THICK_MM else 0)
    )
    enough = lesion.long_mm >= least - EPSILON
    return Judged(
        "yes" if enough else "no",
        "RECIST 1.1 3.1.1, " + ("chest radiograph" if modality in ("CR", "DX") else "cross sections"),
        f"longest diameter {lesion.long_mm:g} mm, at least {least:g} mm is asked with slices of {lesion.slice_mm:g} mm",
    )


def choose_targets(lesions: Sequence[Lesion], *, modality: str = "CT") -> tuple[int, ...]:
    """A proposal of targets for a person to confirm: the largest measurable, at most five, at most two in an organ.

    All lymph nodes are one organ. Lesions whose organ is not known are not counted by organ. Returned are places in
    `lesions`, the largest first.
    """
    order = sorted(range(len(lesions)), key=lambda i: (-lesions[i].recorded_mm, i))
    chosen: list[int] = []
    per_organ: dict[str, int] = {}
    for i in order:
        organ = "lymph nodes" if lesions[i].node else lesions[i].organ.casefold()
        if len(chosen) == MOST or (organ and per_organ.get(organ, 0) == IN_ORGAN):
            continue
        if measurable(lesions[i], modality=modality).response == "yes":
            chosen.append(i)
            per_organ[organ] = per_organ.get(organ, 0) + 1
    return tuple(chosen)


@dataclass(frozen=True)
class Visit:
    """One time point.

    Args:
        day: from baseline (day 0), which is the first visit.
        sum_mm: sum of the targets' recorded sizes; None where no target was evaluated, or there are none.
        complete: whether every target was evaluated.
        gone: whether all targets are gone and all target nodes are below 10 mm; None: gone when the sum is zero.
        non_target: their state; ``"none"`` where there are none.
        new: whether there is a new lesion, unequivocally.
        returned: whether a lesion that is no node is seen that was gone before.
        non_target_grew: further increase of non-targets since the last visit (iRECIST).
        new_sum_mm: sum of the new lesions that are large enough to be measured (iRECIST).
        new_small_mm: number of a new lesion that is not -> its size (iRECIST).
        new_count: all new lesions (iRECIST).
        new_symptoms: the scan was done for new symptoms (iRECIST).
    """

    day: int
    sum_mm: float | None
    complete: bool = True
    gone: bool | None = None
    non_target: NonTarget = "none"
    new: bool = False
    non_target_grew: bool = False
    new_sum_mm: float = 0.0
    new_small_mm: Mapping[int, float] = field(default_factory=dict)
    new_count: int = 0
    new_symptoms: bool = False
    returned: bool = False

    @property
    def all_gone(self) -> bool:
        """Whether the targets meet the rule of a complete response."""
        return self.sum_mm == 0 if self.gone is None else self.gone


_PROGRESS = "RECIST 1.1 4.3.1, progressive disease"


def target_response(
    visit: Visit, baseline_mm: float, nadir_mm: float, *, before: str | None = None, absolute_mm: float = 5.0
) -> Judged:
    """Response of the targets at one visit.

    Args:
        baseline_mm: sum at baseline. nadir_mm: smallest sum so far, baseline included.
        before: the best that stands since the last progression (see `Standing`): it stays a response until one.
        absolute_mm: least growth from the nadir, beside 20 %; 0 in mRECIST.

    Raises:
        Refused: for a baseline of zero, from which no part can be taken.
    """
    if baseline_mm <= 0:
        raise Refused(
            f"a sum of {baseline_mm:g} mm at baseline", "no change can be taken from it", "use non-targets only"
        )
    if visit.sum_mm is None:
        return Judged("NE", "RECIST 1.1 table 1", "no target was evaluated")
    now = visit.sum_mm
    if nadir_mm > 0:
        grown, share = now - nadir_mm, (now - nadir_mm) / nadir_mm
        if share >= 0.2 - EPSILON and grown >= absolute_mm - EPSILON:
            # Also where a target is missing: it could only have added.
            return Judged(
                "PD", _PROGRESS, f"{now:.4g} mm is {share:+.1%} and {grown:+.3g} mm from the nadir {nadir_mm:.4g} mm"
            )
    elif now > 0:
        return Judged("PD", _PROGRESS + " (4.3.1, recurrence)", f"{now:.4g} mm after all targets had disappeared")
    if not visit.complete:
        return Judged("NE", "RECIST 1.1 table 1", "a target was not evaluated, and those that were show no progression")
    if visit.all_gone:
        return Judged("CR", "RECIST 1.1 4.3.1, complete response", "all targets gone, target nodes below 10 mm")
    change = (now - baseline_mm) / baseline_mm
    if change <= -0.3 + EPSILON:
        return Judged(
            "PR", "RECIST 1.1 4.3.1, partial response", f"{now:.4g} mm is {change:+.1%} from {baseline_mm:.4g} mm"
        )
    if before in ("PR", "CR"):
        return Judged("PR", "EORTC RECIST FAQ, a response stands", f"{now:.4g} mm: no progression since the response")
    return Judged("SD", "RECIST 1.1 4.3.1, stable disease", f"{now:.4g} mm is {change:+.1%} from {baseline_mm:.4g} mm")


OVERALL: Mapping[tuple[str, str], Response] = {
    ("CR", "CR"): "CR", ("CR", "none"): "CR", ("CR", "non-CR/non-PD"): "PR", ("CR", "NE"): "PR",
    ("PR", "CR"): "PR", ("PR", "none"): "PR", ("PR", "non-CR/non-PD"): "PR", ("PR", "NE"): "PR",
    ("SD", "CR"): "SD", ("SD", "none"): "SD", ("SD", "non-CR/non-PD"): "SD", ("SD", "NE"): "SD",
    ("NE", "CR"): "NE", ("NE", "none"): "NE", ("NE", "non-CR/non-PD"): "NE", ("NE", "NE"): "NE",
    ("none", "CR"): "CR", ("none", "non-CR/non-PD"): "non-CR/non-PD", ("none", "NE"): "NE",
}  # fmt: skip
"""(targets, non-targets) without a new lesion -> overall response: RECIST 1.1 tables 1 and 2."""


def overall(target: str, non_target: NonTarget, *, new: bool) -> Judged:
    """Overall response of one visit; `target` is ``"none"`` in patients without targets.

    Raises:
        Refused: for states that no table has.

    >>> overall("CR", "non-CR/non-PD", new=False).response
    'PR'
    """
    if target not in ("CR", "PR", "SD", "PD", "NE", "none"):
        raise Refused(f"a target response '{target}'", "it is CR, PR, SD, PD, NE or none", "give one of these")
    for met, what in (
        (new, "a new lesion"),
        (target == "PD", "targets progress"),
        (non_target == "PD", "non-targets progress"),
    ):
        if met:
            return Judged("PD", "RECIST 1.1 table 1", what)
    found = OVERALL.get((target, non_target))
    if found is None:
        raise Refused(
            f"targets '{target}' with non-targets '{non_target}'",
            "no row of RECIST 1.1 has them",
            "correct one of them",
        )
    table = "RECIST 1.1 table 2" if target == "none" else "RECIST 1.1 table 1"
    return Judged(found, table, f"targets {target}, non-targets {non_target}")


@dataclass
class Standing:
    """The response that stands until progression, though a later sum no longer reaches it.

    The EORTC's answer holds for a response that was "confirmed (if required)". One that was seen once and not again is
    none: PR, then SD is SD (RECIST 1.1 table 3).

    Args:
        confirm_days: after which it must be seen again; None where no confirmation is asked.
        accept_sd: as in `best_response`.
    """

    confirm_days: int | None = CONFIRM_DAYS
    accept_sd: bool = False
    kept: str | None = None
    _seen: int | None = None
    _stable: bool = False  # at the visit before, after a response that waits to be seen again

    def after(self, day: int, target: Judged) -> Judged:
        """Take note of the targets of a visit; the same, in words that name a response that was not confirmed."""
        if target.response == "PD":
            self.kept = self._seen = None
            self._stable = False
        elif target.response in ("CR", "PR"):
            again = self._seen is not None and day - self._seen >= (self.confirm_days or 0)
            if self.kept or again or self.confirm_days is None:
                self.kept = target.response
            self._seen, self._stable = day if self._seen is None else self._seen, False
        elif target.response == "SD" and self._seen is not None:
            seen = self._seen
            if self._stable or not self.accept_sd:
                self._seen = None
            self._stable = self._seen is not None
            return replace(target, why=f"{target.why}; the response of day {seen} is not confirmed")
        return target


def responses(
    visits: Sequence[Visit], *, absolute_mm: float = 5.0, confirm_days: int | None = CONFIRM_DAYS,
    accept_sd: bool = False,
) -> tuple[tuple[Judged, Judged], ...]:  # fmt: skip
    """(targets, overall) at each visit after baseline.

    Args:
        visits: by day, the baseline first. Patients whose baseline sum is None have non-targets only.
        absolute_mm: 5 in RECIST 1.1, 0 in mRECIST (where sizes are those of viable, enhancing tumour).
        confirm_days, accept_sd: as in `Standing`.

    Raises:
        Refused: without a complete baseline, or when days do not increase.
    """
    first, *later = in_order(visits)
    judged: list[tuple[Judged, Judged]] = []
    nadir, standing = first.sum_mm, Standing(confirm_days, accept_sd)
    cleared: int | None = None  # the day of a complete response
    for visit in later:
        if first.sum_mm is None or nadir is None:
            target = Judged("none", "RECIST 1.1 table 2", "no targets")
        else:
            target = target_response(visit, first.sum_mm, nadir, before=standing.kept, absolute_mm=absolute_mm)
            target = standing.after(visit.day, target)
            if visit.sum_mm is not None and visit.complete:
                nadir = min(nadir, visit.sum_mm)
        whole = overall(target.response, visit.non_target, new=visit.new)
        if cleared is not None and visit.returned and whole.response != "PD":
            whole = recurrence(cleared)
        elif whole.response == "CR":
            cleared = visit.day if cleared is None else cleared
        judged.append((target, whole))
    return tuple(judged)


def recurrence(day: int) -> Judged:
    """Progression by what is seen again after a complete response of all disease."""
    why = f"a lesion is seen again after the complete response of day {day}; was it there all along, that was partial"
    return Judged("PD", "RECIST 1.1 table 3, note a", why)


def in_order(visits: Sequence[Visit]) -> Sequence[Visit]:
    """The same visits.

    Raises:
        Refused: without a complete baseline, when days do not increase, for a negative sum.
    """
    if not visits or not visits[0].complete:
        raise Refused("no complete baseline", "every response is taken from it", "measure every target at baseline")
    if any(b.day <= a.day for a, b in pairwise(visits)):
        raise Refused(
            f"visits on days {[v.day for v in visits]}",
            "they must follow one another",
            "give the visits in the order of their days",
        )
    if any(v.sum_mm is not None and v.sum_mm < 0 for v in visits):
        raise Refused("a negative sum of diameters", "a length is not negative", "measure again")
    return visits


def best_response(
    visits: Sequence[Visit], *, confirmed: bool = True, stable_days: int = 42, confirm_days: int = CONFIRM_DAYS,
    absolute_mm: float = 5.0, accept_sd: bool = False,
) -> Judged:  # fmt: skip
    """Best overall response from baseline to the first progression (RECIST 1.1 table 3).

    Args:
        confirmed: whether CR and PR must be seen again at least `confirm_days` later (non-randomised trials).
        stable_days: from baseline until a stable disease counts; set by the protocol, often 6 to 8 weeks.
        accept_sd: whether a PR is confirmed by one after a single stable disease. The guideline's questions (appendix)
            take 32, 28 and 33 % less for confirmed, and two or three that are no response between for none; its table 3
            knows neither.

    Raises:
        Refused: as `responses`.
    """
    again = confirm_days if confirmed else None
    judged = responses(visits, absolute_mm=absolute_mm, confirm_days=again, accept_sd=accept_sd)
    seen = [(v.day, r.response) for v, (_, r) in zip(visits[1:], judged, strict=True)]
    ended = next((n for n, (_, r) in enumerate(seen) if r == "PD"), len(seen))
    upto, start = seen[:ended], visits[0].day if visits else 0
    if not confirmed:
        for wanted in ("CR", "PR"):
            for day, said in upto:
                if said == wanted:
                    return Judged(wanted, "RECIST 1.1 4.4.2", f"{wanted} on day {day}")
    elif found := confirmed_response(upto, confirm_days, accept_sd=accept_sd):
        return found
    for day, said in upto:
        if said in ("CR", "PR", "SD", "non-CR/non-PD") and day - start >= stable_days:
            word = "non-CR/non-PD" if visits[0].sum_mm is None else "SD"
            why = "stable" if said in ("SD", "non-CR/non-PD") else f"{said}, not confirmed"
            return Judged(word, "RECIST 1.1 table 3", f"{why} on day {day}, at least {stable_days} days from baseline")
    if ended < len(seen):
        return Judged("PD", "RECIST 1.1 table 3", f"progression on day {seen[ended][0]}, nothing better stood before")
    return Judged("NE", "RECIST 1.1 table 3", f"nothing was seen that lasted {stable_days} days")


def confirmed_response(upto: Sequence[tuple[int, str]], days: int, *, accept_sd: bool = False) -> Judged | None:
    """The best of CR and PR that is seen again at least so many days later: (day, response) up to progression.

    Args:
        accept_sd: as in `best_response`.
    """
    for first, (day, said) in enumerate(upto):
        if said != "CR":
            continue
        for again, what in upto[first + 1 :]:
            if what == "CR" and again - day >= days:
                return Judged("CR", "RECIST 1.1 table 3", f"CR on day {day}, again on day {again}")
            if what not in ("CR", "NE"):
                break  # what comes back after a complete response is no partial response
    for first, (day, said) in enumerate(upto):
        if said != "PR":
            continue
        stable = 0
        for again, what in upto[first + 1 :]:
            if what in ("CR", "PR") and again - day >= days:
                rule = "RECIST 1.1 appendix" if stable else "RECIST 1.1 table 3"
                return Judged("PR", rule, f"PR on day {day}, {what} on day {again}{', SD between' if stable else ''}")
            stable += what == "SD"
            if what not in ("CR", "PR", "NE", "SD") or stable > accept_sd:
                break
    return None


def choi(
    baseline_mm: float, now_mm: float, baseline_hu: float, now_hu: float, *, new: bool = False, gone: bool = False
) -> Judged:
    """Choi's response of gastrointestinal stromal tumours: size, or density in the portal phase.

    Args:
        baseline_mm, now_mm: sums of longest diameters. baseline_hu, now_hu: mean attenuation.

    Raises:
        Refused: for a baseline without size, or a baseline attenuation that is not above zero.
    """
    if baseline_mm <= 0 or baseline_hu <= 0:
        raise Refused(
            f"{baseline_mm:g} mm and {baseline_hu:g} HU at baseline",
            "no part can be taken from them",
            "measure a lesion at baseline",
        )
    size, density = (now_mm - baseline_mm) / baseline_mm, (now_hu - baseline_hu) / baseline_hu
    why = f"size {size:+.0%}, density {density:+.0%}"
    if new:
        return Judged("PD", "Choi 2007, progression", "a new lesion")
    if gone:
        return Judged("CR", "Choi 2007, complete response", "all lesions gone")
    if size <= -0.10 + EPSILON or density <= -0.15 + EPSILON:
        return Judged("PR", "Choi 2007, partial response", why)
    if size >= 0.10 - EPSILON:
        return Judged("PD", "Choi 2007, progression", why)
    return Judged("SD", "Choi 2007, stable disease", why)
