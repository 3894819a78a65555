"""Lymphoma on FDG-PET: the Deauville five-point score and the metabolic response of Lugano, as tables of rules.

The score is read by eye; what is computed here is its usual quantitative reading, lesion SUVmax against the maximum in
a normal mediastinum and liver, and the answer says so. "Moderately" and "markedly" are parted at twice (or three times)
the liver, as Barrington proposes.

Sources: Barrington et al. and Cheson et al., J Clin Oncol 32 (2014) 3048 and 3059 (Lugano); Young et al., Eur J
Cancer 35 (1999) 1773 (EORTC: a change of 25 %); Hasenclever et al., Eur J Nucl Med Mol Imaging 41 (2014) 1301 (qPET).
"""

from __future__ import annotations

from isocenter.errors import Refused
from isocenter.methods.recist import Judged

__all__ = ["deauville", "lugano", "qpet", "qpet_score"]

_EPSILON = 1e-9
_QPET = ((0.95, "1 or 2"), (1.3, "3"), (2.0, "4"))


def deauville(
    lesion: float | None, mediastinum: float, liver: float, *, markedly: float = 2.0, new: bool = False
) -> Judged:
    """Score 1 to 5 of the hottest lesion.

    Args:
        lesion: its SUVmax; None where no uptake above background is seen.
        mediastinum, liver: highest uptake of the blood pool and of normal liver, in the same unit.
        markedly: how many times the liver is "markedly" above it: 2 or 3.
        new: whether there is a new site that is likely lymphoma.

    Raises:
        Refused: for a reference that is not positive, a mediastinum above the liver (score 3 would be empty), or a
            factor outside 2 to 3.

    >>> deauville(3.0, 1.8, 2.6).response
    '4'
    """
    if not (mediastinum > 0 and liver > 0):
        raise Refused(
            f"mediastinum {mediastinum:g} and liver {liver:g}", "the score compares with both", "outline both"
        )
    if mediastinum > liver:
        raise Refused(
            f"mediastinum {mediastinum:.2f} above liver {liver:.2f}",
            "in FDG-PET the liver is the warmer one: one of the outlines is wrong, or the liver is ill",
            "outline normal liver and the aorta",
        )
    if not 2.0 <= markedly <= 3.0:
        raise Refused(
            f"markedly = {markedly:g} times the liver",
            "Barrington 2014 proposes 2 to 3 times",
            "give a number within these",
        )
    rule = "Deauville score (Barrington 2014)"
    if new:
        return Judged("5", rule, "a new site")
    if lesion is None:
        return Judged("1", rule, "no uptake above background")
    against = f"SUVmax {lesion:.2f}, mediastinum {mediastinum:.2f}, liver {liver:.2f}"
    if lesion <= mediastinum + _EPSILON:
        return Judged("2", rule, f"{against}: not above the mediastinum")
    if lesion <= liver + _EPSILON:
        return Judged("3", rule, f"{against}: above the mediastinum, not above the liver")
    if lesion < markedly * liver - _EPSILON:
        return Judged("4", rule, f"{against}: above the liver, below {markedly:g} times it")
    return Judged("5", rule, f"{against}: at least {markedly:g} times the liver")


def lugano(
    score: str, *, before: float | None = None, now: float | None = None, new: bool = False, significant: float = 0.25
) -> Judged:
    """CMR, PMR, NMR or PMD of a lymphoma.

    Args:
        score: Deauville score now.
        before, now: SUVmax of the hottest lesion at baseline and now; needed for scores 4 and 5 without a new site.
        new: a new site that is likely lymphoma.
        significant: part by which uptake must change to count; Lugano gives no number, EORTC 1999 gives 25 %.

    Raises:
        Refused: for a score that is none of 1 to 5, or 4 and 5 without a baseline to compare with.
    """
    if score not in ("1", "2", "3", "4", "5"):
        raise Refused(f"a Deauville score '{score}'", "it is 1, 2, 3, 4 or 5", "give one of these")
    if new:
        return Judged("PMD", "Lugano 2014, progressive metabolic disease", "a new FDG-avid site")
    if score in ("1", "2", "3"):
        return Judged("CMR", "Lugano 2014, complete metabolic response", f"Deauville {score}")
    if before is None or now is None or before <= 0:
        raise Refused(
            f"Deauville {score} without uptake at baseline",
            "its change decides between PMR, NMR and PMD",
            "give the SUV at baseline",
        )
    share = now / before - 1.0
    why = f"Deauville {score}, SUVmax {before:.1f} to {now:.1f} ({share:+.0%}; {significant:.0%} counts, EORTC 1999)"
    if share >= significant - _EPSILON:
        return Judged("PMD", "Lugano 2014, progressive metabolic disease", why)
    if share <= -significant + _EPSILON:
        return Judged("PMR", "Lugano 2014, partial metabolic response", why)
    return Judged("NMR", "Lugano 2014, no metabolic response", why)


def qpet(peak: float, liver_mean: float) -> float:
    """qPET: SUVpeak of the hottest lesion over liver mean, the score without steps.

    Raises:
        Refused: for a liver without uptake.
    """
    if liver_mean <= 0:
        raise Refused(f"liver mean {liver_mean:g}", "a ratio to it is no number", "outline the liver on this image")
    return peak / liver_mean


def qpet_score(ratio: float) -> str:
    """The Deauville score that a qPET ratio stands for: below 0.95, 1.3 and 2 are 1 or 2, 3 and 4.

    >>> qpet_score(1.3)
    '4'
    """
    return next((score for below, score in _QPET if ratio < below), "5")
