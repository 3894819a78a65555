"""How many of those who leave together are alike: k-anonymity over what names nobody and yet singles a person out.

Whoever knows sex, age, body part and kind of image of somebody may find that person among copies without names, unless
several share them. Copies and tables leave only where every group is large enough, or with a reason that is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from isocenter.errors import Refused

__all__ = ["SMALLEST_GROUP", "age_band", "groups", "must_be_alike", "must_say_why", "risk"]

SMALLEST_GROUP = 5
"""Patients that have to share sex, age, body part and kind of image, so that none of them stands alone (k)."""

_BAND = 5  # years
_Facts = Mapping[str, Collection[str]]


def age_band(years: int) -> str:
    """The five years in which an age lies.

    >>> age_band(43)
    '40-44'
    """
    low = years // _BAND * _BAND
    return f"{low}-{low + _BAND - 1}"


def groups(people: Iterable[_Facts]) -> Counter[tuple[tuple[str, str], ...]]:
    """How many patients share all that is known of each.

    >>> groups([{"sex": {"F"}}, {"sex": ["F"]}, {"sex": {"M"}}]).most_common(1)
    [((('sex', 'F'),), 2)]
    """
    return Counter(
        tuple((name, "/".join(sorted(values))) for name, values in sorted(person.items())) for person in people
    )


def risk(people: Collection[_Facts]) -> dict[str, Any]:
    """What a report says of the risk that somebody is found again: k, and how many combinations have one patient.

    >>> risk([{"sex": {"F"}}, {"sex": {"F"}}, {"sex": {"M"}}])["unique_rate"]
    0.3333
    """
    counts = groups(people)
    small = [n for n in counts.values() if n < SMALLEST_GROUP]
    alone = sum(n == 1 for n in counts.values())
    return {
        "smallest_group": min(counts.values(), default=0),
        "patients_alone_in_their_group": alone,
        "unique_rate": round(alone / len(people), 4) if people else 0.0,
        "small_groups": {"fewer_than": SMALLEST_GROUP, "groups": len(small), "patients": sum(small)},
        "by": sorted({name for person in people for name in person}),
    }


def must_say_why(wanted: int, reason: str) -> None:
    """Refuse to ask for less than the house does without a reason.

    Raises:
        Refused: a smallest group under five, and nobody said why.
    """
    if wanted < SMALLEST_GROUP and not reason.strip():
        raise Refused(
            f"a smallest group of {wanted} without a reason",
            f"where fewer than {SMALLEST_GROUP} patients are alike, who knows one of them may find that person",
            "say why it is right, which is kept with what leaves",
        )


def must_be_alike(told: Mapping[str, Any], wanted: int, reason: str, do: str) -> None:
    """Refuse to let those leave who stand too much alone, unless somebody said why that is right.

    Args:
        told: of the risk, as `risk` makes it.
        wanted: fewest patients of a group (k).
        reason: why smaller groups may leave; whoever calls keeps it.
        do: what whoever is refused can do, one sentence.

    Raises:
        Refused: a group is smaller, and there is no reason.
    """
    must_say_why(wanted, reason)
    smallest = told["smallest_group"]
    if 0 < smallest < wanted and not reason.strip():
        few = "1 patient" if smallest == 1 else f"{smallest} patients"
        raise Refused(
            f"a group of {few}",
            f"each shall share {_and(told['by'])} with {wanted - 1} others, or who knows these of somebody may find"
            " that person; nothing has left",
            do,
        )


def _and(names: Collection[str]) -> str:
    *before, last = ({"part": "body part", "modality": "kind of image"}.get(name, name) for name in names)
    return f"{', '.join(before)} and {last}" if before else last
