"""How a tumour answers to treatment, by its uptake: PERCIST 1.0 as a table of rules.

Two scans are compared only where they were made alike; what that means is checked first, and what is not alike is
refused with every reason at once. All uptake is SUL (SUV of lean body mass), and its formula is part of the answer:
James and Janmahasatian differ by 10 % and more in heavy people.

Sources: Wahl et al., J Nucl Med 50 (2009) 122S (PERCIST 1.0); O et al., Radiology 280 (2016) 576 (how to apply it).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from isocenter.errors import Refused
from isocenter.methods.recist import Judged
from isocenter.methods.uptake import ReferenceUptake

__all__ = [
    "Burden",
    "Conditions",
    "chosen",
    "comparable",
    "is_fdg",
    "names_tracer",
    "of_another_tracer",
    "of_five",
    "response",
    "rose",
]

_EPSILON = 1e-9  # 7 of 10 is -30 %, whatever binary fractions make of it
_UPTAKE_MIN = (50.0, 70.0)
_UPTAKE_APART_MIN = 15.0
_ACTIVITY_APART = 0.20
_REFERENCE_APART, _REFERENCE_APART_SUL = 0.20, 0.3
_CHANGE, _CHANGE_SUL = 0.30, 0.8
_TLG_GROWTH = 0.75
_GLUCOSE_MMOL_L = 11.1  # 200 mg/dl
_MOST, _MOST_IN_ORGAN = 5, 2


@dataclass(frozen=True)
class Conditions:
    """How a scan was made, as far as PERCIST compares it; None or an empty text where it is not known.

    Args:
        uptake_s: from injection to scan.
        activity_bq: injected.
        scanner: manufacturer and model.
        nuclide: such as "F-18".
        glucose_mmol_l: in blood before injection.
        tracer: as the header names it.
    """

    uptake_s: float | None
    activity_bq: float | None
    scanner: str = ""
    nuclide: str = ""
    glucose_mmol_l: float | None = None
    tracer: str = ""


@dataclass(frozen=True)
class Burden:
    """Tumour at one time.

    Args:
        peak: SULpeak of the hottest lesion; None where no lesion is seen.
        tlg_g: total lesion glycolysis of all lesions, in SUL.
        new: whether there is a lesion that was not there at baseline, unequivocally.
        rose: names of the lesions whose own peak has risen since baseline as `rose` has it.
    """

    peak: float | None
    tlg_g: float = 0.0
    new: bool = False
    rose: tuple[str, ...] = ()


def comparable(
    before: Conditions, now: Conditions, reference_before: ReferenceUptake, reference_now: ReferenceUptake
) -> tuple[str, ...]:
    """Whether two scans may be compared; the remarks are on what the headers do not tell.

    Args:
        reference_before, reference_now: liver (or blood pool where the liver is ill), in SUL.

    Raises:
        Refused: when uptake time is unknown, outside 50 to 70 minutes or differs by more than 15; when the injected
            activity differs by more than 20 %; when scanner, nuclide or reference organ differ; when one is of FDG and
            the other is not; when the reference differs by more than 20 % or 0.3 SUL; when glucose exceeds 11.1 mmol/l.
            The message has every reason.
    """
    faults: list[str] = []
    remarks: list[str] = []
    waits = []
    for name, one in (("baseline", before), ("this scan", now)):
        if one.uptake_s is None:
            faults.append(f"time from injection to scan is not known at {name}")
            continue
        minutes = one.uptake_s / 60.0
        waits.append(minutes)
        if not _UPTAKE_MIN[0] - _EPSILON <= minutes <= _UPTAKE_MIN[1] + _EPSILON:
            faults.append(f"{minutes:.0f} min from injection to scan at {name}, PERCIST asks 50 to 70")
        if one.glucose_mmol_l is not None and one.glucose_mmol_l > _GLUCOSE_MMOL_L:
            faults.append(f"glucose {one.glucose_mmol_l:g} mmol/l at {name}, at most {_GLUCOSE_MMOL_L:g} is allowed")
    if len(waits) == 2 and abs(waits[1] - waits[0]) > _UPTAKE_APART_MIN + _EPSILON:
        faults.append(f"uptake times differ by {abs(waits[1] - waits[0]):.0f} min, at most 15 is allowed")
    faults += _activity(before, now, remarks)
    for what, one_said, other_said in (
        ("scanner", before.scanner, now.scanner),
        ("nuclide", before.nuclide, now.nuclide),
    ):
        if not one_said or not other_said:
            remarks.append(f"{what} is not stated in both headers")
        elif one_said.casefold() != other_said.casefold():
            faults.append(f"{what} {one_said} at baseline, {other_said} now")
    if names_tracer(before.tracer) and names_tracer(now.tracer) and is_fdg(before.tracer) != is_fdg(now.tracer):
        faults.append(f"tracer {before.tracer} at baseline, {now.tracer} now")
    remarks += of_another_tracer(now.tracer, "PERCIST was made for")
    faults += _references(reference_before, reference_now)
    if faults:
        raise Refused("two scans that PERCIST does not compare", "; ".join(faults), "repeat the scan as at baseline")
    return tuple(remarks)


def is_fdg(tracer: str) -> bool:
    """Whether the words of a header mean fluorodeoxyglucose.

    >>> is_fdg("18F-FDG"), is_fdg("Fluorodeoxyglucose F^18^"), is_fdg("F-18 PSMA-1007")
    (True, True, False)
    """
    return bool(re.search(r"fdg|d[eé]s?oxyglu[ck]os", tracer, re.IGNORECASE))


def names_tracer(tracer: str) -> bool:
    """Whether the words of a header name a tracer, and not its nuclide alone, or nothing, as some scanners write.

    >>> names_tracer("18F-FLT"), names_tracer("F-18"), names_tracer("Solution")
    (True, False, False)
    """
    nuclide = r"\^?\d+\^?[\s-]*[a-z]{1,2}|[a-z]{1,2}[\s-]*\^?\d+\^?|fluor(?:ine)?[\s-]*(?:18)?"
    return not re.fullmatch(rf"\W*(?:{nuclide}|solution|unknown|other|none|n/?a)?\W*", tracer, re.IGNORECASE)


def of_another_tracer(tracer: str, rule: str) -> tuple[str, ...]:
    """A warning where the tracer is stated and is not FDG; empty otherwise.

    >>> of_another_tracer("", "PERCIST was made for")
    ()
    """
    if not names_tracer(tracer) or is_fdg(tracer):
        return ()
    return (f"WARNING: tracer '{tracer}': {rule} FDG, and its limits say nothing of other tracers",)


def _activity(before: Conditions, now: Conditions, remarks: list[str]) -> list[str]:
    if not before.activity_bq or not now.activity_bq:
        remarks.append("injected activity is not stated in both headers")
        return []
    apart = now.activity_bq / before.activity_bq - 1.0
    if abs(apart) <= _ACTIVITY_APART + _EPSILON:
        return []
    return [f"injected activity differs by {apart:+.0%}, at most 20 % is allowed"]


def _references(before: ReferenceUptake, now: ReferenceUptake) -> list[str]:
    if before.organ != now.organ:
        return [f"reference is the {before.organ} at baseline and the {now.organ} now"]
    apart = now.mean - before.mean
    share = apart / before.mean if before.mean > 0 else float("inf")
    if abs(share) <= _REFERENCE_APART + _EPSILON and abs(apart) <= _REFERENCE_APART_SUL + _EPSILON:
        return []
    return [
        f"{before.organ} SUL {before.mean:.2f} at baseline and {now.mean:.2f} now: at most 20 % and 0.3 may lie between"
    ]


def chosen(peaks: Sequence[float], organs: Sequence[str]) -> tuple[int, ...]:
    """Places of the lesions for a sum: the hottest, five at most, two in an organ (empty where it is not known).

    >>> chosen([9.0, 8.0, 7.0, 2.0], ["liver", "liver", "liver", "lung"])
    (0, 1, 3)
    """
    taken: list[int] = []
    for i in sorted(range(len(peaks)), key=lambda k: (-peaks[k], k)):
        in_organ = sum(organs[k].casefold() == organs[i].casefold() for k in taken)
        if len(taken) < _MOST and (in_organ < _MOST_IN_ORGAN or not organs[i]):
            taken.append(i)
    return tuple(sorted(taken))


def of_five(every: tuple[float, float], few: tuple[float, float]) -> tuple[str, ...]:
    """A warning where glycolysis of all lesions and that of five at most, then and now, part at +75 %.

    >>> of_five((100.0, 160.0), (100.0, 160.0))
    ()
    """
    shares = [now / then - 1.0 if then > 0 else 0.0 for then, now in (every, few)]
    if len({share >= _TLG_GROWTH - _EPSILON for share in shares}) == 1:
        return ()
    return (
        f"WARNING: TLG of all lesions has changed by {shares[0]:+.0%}, of the hottest (five at most, two in an organ) "
        f"by {shares[1]:+.0%}: whether +75 % counts hangs on which are summed; the response takes all",
    )


def rose(before: float, now: float) -> bool:
    """Whether a peak (SUL) has risen by 30 % and by 0.8.

    >>> rose(3.0, 3.9), rose(2.0, 2.7)
    (True, False)
    """
    return now - before >= _CHANGE_SUL - _EPSILON and now / before - 1.0 >= _CHANGE - _EPSILON


def response(
    before: Burden, now: Burden, reference: ReferenceUptake, *, background: ReferenceUptake | None = None,
    least: float | None = None,
) -> Judged:  # fmt: skip
    """CMR, PMR, SMD or PMD, with the rule and the numbers.

    Args:
        before: at baseline; its hottest lesion must be measurable.
        now: the hottest lesion now, which need not be the same.
        reference: liver or blood pool now, in SUL.
        background: blood pool now; without it a lesion that is still outlined is never taken for background.
        least: measurable peak at baseline; None for that of `reference`.

    Raises:
        Refused: without a lesion at baseline, or with one that is not measurable.
    """
    least = reference.measurable if least is None else least
    if before.peak is None or before.peak < least - _EPSILON:
        hottest = "no lesion" if before.peak is None else f"SULpeak {before.peak:.2f}"
        raise Refused(
            f"{hottest} at baseline",
            f"PERCIST 1.0 follows lesions from SULpeak {least:.2f} ({reference.organ})",
            "use another criterion",
        )
    if now.new:
        return Judged("PMD", "PERCIST 1.0, progression: new lesion", "a new FDG-avid lesion")
    if now.peak is None:
        return Judged("CMR", "PERCIST 1.0, complete metabolic response", "no lesion is seen any more")
    change = now.peak - before.peak
    share = change / before.peak
    why = f"SULpeak {before.peak:.2f} to {now.peak:.2f} ({share:+.0%}, {change:+.2f})"
    if background is not None:
        cold = background.mean + 2.0 * background.sd
        if now.peak < reference.mean and now.peak <= cold:
            return Judged(
                "CMR",
                "PERCIST 1.0, complete metabolic response",
                f"{why}: below {reference.organ} {reference.mean:.2f} and not above blood pool {cold:.2f}",
            )
    if rose(before.peak, now.peak):
        return Judged("PMD", "PERCIST 1.0, progression: SULpeak +30 % and +0.8", why)
    if share <= -_CHANGE + _EPSILON and change <= -_CHANGE_SUL + _EPSILON:
        if not now.rose:
            return Judged("PMR", "PERCIST 1.0, partial metabolic response: SULpeak -30 % and -0.8", why)
        why += f"; but {', '.join(now.rose)} rose by 30 % and 0.8 or more, which a partial response does not allow"
    grown = now.tlg_g / before.tlg_g - 1.0 if before.tlg_g > 0 else 0.0
    if grown >= _TLG_GROWTH - _EPSILON:
        why = f"TLG {before.tlg_g:.0f} to {now.tlg_g:.0f} g ({grown:+.0%}); {why}"
        if change >= -_EPSILON:
            return Judged("PMD", "PERCIST 1.0, progression: TLG +75 % with no decline in SUL", why)
        why += "; TLG counts only where SULpeak has not declined"
    return Judged("SMD", "PERCIST 1.0, stable metabolic disease", why)
