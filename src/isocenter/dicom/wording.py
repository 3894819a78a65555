"""What may stand of a free text: words of anatomy and imaging that name nobody, short numbers, and nothing else.

A list of forbidden words always lacks the next name, so the list is of words that may stay. It is turned round only
for technical texts (a manufacturer, a kernel), which are kept unless they hold an identity of the patient. Names of
the patient and of everybody in the same object never stay, even where they are words ("Head", "Rose").
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

__all__ = ["cleaned", "holds", "is_clean", "may_name", "vocabulary"]

# A run of digits with what people write between them: dates, telephone and record numbers, postal codes.
_NUMBERS = re.compile(r"[+(]?\d[\d ()/.:,+-]*\d")
_WORD = re.compile(r"[^\W_]+(?:\.[0-9]+[a-zA-Z]*)?", re.UNICODE)
_ADDRESS = re.compile(r"\S*(?:@|://|www\.)\S*", re.IGNORECASE)
_SHORT_CODE = re.compile(r"(?=[a-z0-9]*[0-9])(?=[a-z0-9]*[a-z])[a-z0-9]{2,4}\Z")
_UNIT = re.compile(r"[0-9]{1,3}(?:mm|cm|ml|mgy|kv|kvp|ma|mas|ms|sec|s|hz|bit|mg|g|kg|t)\Z")
_WITHOUT = re.compile(r"\bw/o\b", re.IGNORECASE)  # half of it would say the contrary
_DIGITS = 5  # so many digits together can be a number of somebody


@cache
def vocabulary() -> frozenset[str]:
    """The words that may stay, in small letters."""
    text = Path(__file__).with_name("vocabulary.txt").read_text("utf-8")
    return frozenset(w for line in text.splitlines() if not line.startswith("#") for w in line.split())


def cleaned(text: str, banned: Collection[str] = ()) -> str:
    """The words of a text that may stay, in their order.

    Args:
        text: what somebody wrote.
        banned: words of the people in the object, in small letters; they never stay.

    >>> cleaned("CT Thorax w/ contrast, Dr Petersen 12.05.1960 tel 0351-4772", {"thorax"})
    'CT w contrast'
    >>> cleaned("T1 MPRAGE SAG 1.0mm")
    'T1 MPRAGE SAG 1.0mm'
    """
    known = vocabulary()
    text = _WITHOUT.sub("WO", _ADDRESS.sub(" | ", text))
    text = _NUMBERS.sub(lambda m: " | " if sum(c.isdigit() for c in m[0]) >= _DIGITS else m[0], text)
    kept: list[str] = []
    for match in _WORD.finditer(text):
        word = match[0]
        low = word.lower()
        if low in banned:
            continue
        if low in known or _SHORT_CODE.match(low) or _UNIT.match(low) or _is_small(low):
            kept.append(word)
    # Numbers alone, left over from something that was dropped, tell nothing.
    return " ".join(kept) if any(not w.replace(".", "").isdigit() for w in kept) else ""


def is_clean(text: str, banned: Collection[str] = ()) -> bool:
    """Whether every word of a text may stay.

    >>> is_clean("Upper lobe of lung"), is_clean("Lobe seen by Dr Petersen")
    (True, False)
    """
    return cleaned(text, banned).split() == _WORD.findall(text)


_NAMING = re.compile(r"\^|@|://|www\.|\b(?:dr|prof|mr|mrs|ms|herr|frau|mme|tel|phone|fax)\b", re.IGNORECASE)


def may_name(text: str) -> bool:
    """Whether a technical text (a manufacturer, a kernel) looks as if somebody were named in it.

    >>> may_name("SOMATOM Force VB20A"), may_name("Room of Dr. Meyer"), may_name("日立")
    (False, True, True)
    """
    return not text.isascii() or not text.isprintable() or bool(_NAMING.search(text))


def _is_small(low: str) -> bool:
    """A number of up to three digits, with a unit or without."""
    whole, _, rest = low.partition(".")
    if not whole.isdigit():
        return False
    return (rest == "" or rest.isdigit() or bool(_UNIT.match(rest))) and sum(c.isdigit() for c in low) <= 3


def holds(text: str, banned: Collection[str]) -> bool:
    """Whether a text has one of the banned words in it, as a word.

    >>> holds("SOMATOM of Dr. Meyer", {"meyer"}), holds("SOMATOM", {"tom"})
    (True, False)
    """
    return any(w.lower() in banned for w in _WORD.findall(text)) if banned else False
