"""What may stand of a free text: words of anatomy and imaging that name nobody, short numbers, and nothing else.

A list of forbidden words always lacks the next name, so the list is of words that may stay. It is turned round only
for technical texts (a manufacturer, a kernel), which are kept unless they hold an identity of the patient. Names of
the patient and of everybody in the same object never stay, even where they are words ("Head", "Rose").
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
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
_DAY = re.compile(r"(?<!\d)(\d{1,4})([ ._/-])(\d{1,2})\2(\d{4}|\d{1,2})(?!\d)")
_DAY_OF_MONTH = re.compile(
    r"\d{1,2}(?:jan|feb|mar|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)\Z"
    r"|(?:jan|feb|mar|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)\d{1,2}\Z"
)
# A day without a year: beside the name of a month, behind a word that says that a day comes, or with zeros before it.
_MONTH = (
    r"(?:jan|feb|mar|apr|may|mai|jun|jul|aug|sept?|oct|okt|nov|dec|dez|january|february|march|april|june|july|august|september|october"
    r"|november|december|januar|februar|märz|maerz|juni|juli|oktober|dezember|janvier|février|mars|avril|juin|juillet|août|septembre"
    r"|octobre|novembre|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre)"
)
_OF_MONTH = re.compile(
    rf"(?<![\w.])(?:[0-3]?\d(?:st|nd|rd|th)?\.?\s*(?:of\s+|de\s+)?{_MONTH}\b\.?|{_MONTH}\b\.?\s*[0-3]?\d(?:st|nd|rd|th)?(?![\w.]))",
    re.IGNORECASE,
)
_BEHIND = r"(?:on|since|dated?|born|am|vom|seit|zum|den|le|du|del|op)"
_YEARLESS = re.compile(
    rf"(?<!\w){_BEHIND}[\s:]+(\d{{1,2}})[./](\d{{1,2}})\b(?!\.?\d)(?!\s*(?:mm|cm|ml|t|tesla|%|x|ms|s|mg|mgy|kg|views?)(?!\w))\.?"
    r"|(?<![\w.])(?=0|\d\d\.0)(\d\d)\.(\d\d)\.(?![\w])",
    re.IGNORECASE,
)
# Beyond 89 years, with the words that make a number an age: 95Y, 95 years, F93, 93 F, aged 93.
_OLD = r"0?(?:9\d|1[0-2]\d)"
_OF_THE_OLD = re.compile(
    rf"(?<![^\W_])(?:(?:age|aged|alter)[\s:=_]*{_OLD}|[fmw][\s_/-]?{_OLD}"
    rf"|{_OLD}[\s_-]*(?:[ymfwj]|y/?o|yrs?|years?|jahren?|ans|anni|años|jaar)(?:[\s_-]*old)?)(?![^\W_])",
    re.IGNORECASE,
)
# British and Canadian postal codes, whose halves look like short codes: SW1A 1AA, K1A 0B1. Their letters are few.
_POSTAL = re.compile(
    r"(?<![^\W_])(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2}|[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d)(?![^\W_])"
)
# A title and the word behind it, which may be a word of anatomy ("Dr White"); MR, DR and MS are words of imaging.
_TITLED = re.compile(
    r"(?<![^\W_])(?:(?:Mrs?|Ms|Miss|Dr|Prof|Herrn?|Frau|Mme|Sig|Sra?)\b\.?|(?:DR|PROF)\.|MRS|MISS|HERR|FRAU)\s+[\w'’-]+"
)
_TOGETHER = 6  # words that may spell one identity
_SPELLED_APART = 4  # letters of an identity that is looked for in several words


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
    >>> cleaned("CT thorax 5/7/24, 95Y, K-123", {"k123"})
    'CT thorax'
    """
    known = vocabulary()
    text = _POSTAL.sub(" | ", text)
    text = _TITLED.sub(" | ", _WITHOUT.sub("WO", _ADDRESS.sub(" | ", text)))
    text = _OF_THE_OLD.sub(" | ", _DAY.sub(lambda m: " | " if _is_day(m) else m[0], text))
    text = _OF_MONTH.sub(" | ", _YEARLESS.sub(lambda m: " | " if _is_yearless(m) else m[0], text))
    text = _NUMBERS.sub(lambda m: " | " if sum(c.isdigit() for c in m[0]) >= _DIGITS else m[0], text)
    words = _WORD.findall(text)
    gone = _spelled(words, banned)
    kept: list[str] = []
    for at, word in enumerate(words):
        low = word.lower()
        if at not in gone and (low in known or _is_short_code(low) or _UNIT.match(low) or _is_small(low)):
            kept.append(word)
    # Numbers alone, left over from something that was dropped, tell nothing.
    return " ".join(kept) if any(not w.replace(".", "").isdigit() for w in kept) else ""


def _is_day(match: re.Match[str]) -> bool:
    """Whether three numbers are a day: with the year first, or the day or the month."""
    first, _, second, third = match.groups()
    one, two, three = int(first), int(second), int(third)
    if len(first) == 4 or one > 31:
        return 1 <= two <= 12 and 1 <= three <= 31
    short = len(third) in (2, 4) or match[2] in "./"
    return short and len(first) <= 2 and min(one, two) >= 1 and min(one, two) <= 12 and max(one, two) <= 31


def _is_yearless(match: re.Match[str]) -> bool:
    """Whether two numbers are a day of a month, in either order."""
    one, two = (int(part) for part in match.groups() if part is not None)
    return 1 <= min(one, two) <= 12 and max(one, two) <= 31


def _is_short_code(low: str) -> bool:
    return bool(_SHORT_CODE.match(low)) and not _DAY_OF_MONTH.match(low)


def _spelled(words: Sequence[str], banned: Collection[str]) -> set[int]:
    """Which words are banned, each by itself or several that spell one identity together ("K 123" for "K123")."""
    if not banned:
        return set()
    lows = [word.lower() for word in words]
    gone = {at for at, low in enumerate(lows) if low in banned}
    for start in range(len(lows) - 1):
        joined = lows[start]
        for behind in range(start + 1, min(start + _TOGETHER, len(lows))):
            joined += lows[behind]
            if len(joined) >= _SPELLED_APART and joined in banned:
                gone.update(range(start, behind + 1))
    return gone


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
    """Whether a text has one of the banned words in it, as a word or spelled by several words.

    >>> holds("SOMATOM of Dr. Meyer", {"meyer"}), holds("SOMATOM", {"tom"})
    (True, False)
    """
    return bool(_spelled(_WORD.findall(text), banned))
