"""The liver among the outlines of a study: by its name or code, and in one piece where it was outlined in several."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space import Region

__all__ = ["LESION", "livers_among", "names_no_liver", "plain", "tissue_of_liver", "whole_liver"]

Mask = npt.NDArray[np.bool_]

_BEFORE, _AFTER = r"(?<![^\W\d_])", r"(?![^\W\d_])"  # no letter of any alphabet
_LIVER = re.compile(
    rf"{_BEFORE}(liver(mask|contour|parenchyma|volume)?|hepar|(gesamt)?leber(parenchym|gewebe|volumen)?|lever|foie"
    rf"|h[ií]gado|f[ií]gado|fegato|ficat|wątroba|játra|jetra|maksa|karaciğer|печень|печінка|肝[脏臓臟]?|간){_AFTER}",
    re.IGNORECASE,
)
LESION = re.compile(
    rf"tum(ou?r|eur)|l[eéä]si[oóöõ]|m[eé]tast|met[aá]st|{_BEFORE}(hcc|[gc]tv)|опухол|метастаз|[肿腫][瘤瘍]|病灶",
    re.IGNORECASE,
)
# What bears the liver's name and is another thing: in it, at it, left of it, or the liver less something.
_ANOTHER = re.compile(
    rf"{LESION.pattern}|{_BEFORE}[ip]tv|remnant|reman|rest[ -]?le(ber|ver)|{_BEFORE}flr{_AFTER}|fut[uú]r", re.IGNORECASE
)
_NO_LIVER = re.compile(
    r"vessel|vein|vascul|arter(y|ies)|cyst|abscess|bil(e|iar)|duct|ablat|margin|(?<![a-z])(ring|prv)|minus|without"
    r"|(?<![a-z])(no[nt]|dose)(?![a-z])|(liver|hepar|leber)\s*-\s*[gcpi]tv",
    re.IGNORECASE,
)
_PART = re.compile(
    r"(?<![a-z])(lobe|left|right|couinaud|caudate|linker|rechter)(?![a-z])|segment[\s_-]*\d", re.IGNORECASE
)
_SEGMENT = re.compile(
    r"(?<![a-z])(s|seg(ment)?)[\s_.-]*([1-8][ab]?|[iv]+[ab]?)(?![a-z\d])|couinaud|lobe", re.IGNORECASE
)
# What is drawn on an abdomen beside the liver; a name that is none of these may be anybody's word for the liver.
_OTHER_ORGAN = re.compile(
    rf"{LESION.pattern}|spleen|milz|splen|kidney|niere|renal|aort|vertebra|spin(e|al)|wirbel|{_BEFORE}[tl]\d{{1,2}}(?!\d)"
    r"|mus[ck]|psoas|paraspin|(?<![a-z])(fat|fett|[svim]at|body|external|skin|haut|couch|air|noise|background|rib|rate)"
    r"(?![a-z])|pan[ck]rea|stomach|magen|bowel|darm|colon|duoden|gall|lung|heart|herz|bone|knochen|marrow|adrenal"
    r"|bladder|blase|o?esoph|(?<![a-z])(cord|ivc)(?![a-z])|cava|vein|vessel|arter|cyst|phantom|subcut|viscer",
    re.IGNORECASE,
)
# SNOMED CT, and what SRT called it; then its segments after Couinaud.
_WHOLE = {"10200004", "T-62000"}
_PARTS = {
    "71133005", "277956007", "277957003", "277958008", "277959000", "277960005", "277961009", "277962002",
}  # fmt: skip
_SAME, _APART = 0.9, 0.05  # Dice of one outline drawn twice; overlap of parts that lie side by side


def plain(label: str) -> str:
    """A label with its words apart, and letters with their accents as one.

    >>> plain("WholeLiver"), plain("liver_GTV")
    ('Whole Liver', 'liver_GTV')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFC", label))


def names_no_liver(label: str) -> bool:
    """Whether a label says liver and means its vessels, a cyst, or the liver less a tumour.

    >>> names_no_liver("liver vessels"), names_no_liver("Liver-GTV"), names_no_liver("liver tumour")
    (True, True, False)
    """
    said = plain(label)
    return bool(_LIVER.search(said) and _NO_LIVER.search(said))


def livers_among(drawn: Sequence[Region]) -> list[Region]:
    """Outlines of the liver or of its parts, the largest first.

    Raises:
        Refused: when there is none, or one part of the liver alone.
    """
    found = [
        r for r in drawn
        if r.mask is not None and r.voxels and (_LIVER.search(plain(r.label)) or _code(r) in _WHOLE)
        and not _ANOTHER.search(plain(r.label)) and not names_no_liver(r.label)
    ]  # fmt: skip
    if not found:
        names = ", ".join(r.label or "nothing" for r in drawn) or "none"
        raise Refused(f"regions named {names}", "none of them is named liver", "name the whole liver 'liver'")
    if len(found) == 1 and _PART.search(plain(found[0].label)) and _code(found[0]) not in _WHOLE:
        raise Refused(
            f"'{found[0].label}' alone", "it names a part of the liver", "outline the whole liver, or its other parts"
        )
    return sorted(found, key=lambda r: -r.volume_ml)


def tissue_of_liver(drawn: Sequence[Region], remarks: list[str]) -> tuple[Region, ...]:
    """Outlines of the liver, its lobes or its segments, each to be measured by itself.

    Where none is named or coded as such, those of which the name says no other organ ("ROI 1"); none where all do.

    Args:
        remarks: what was left out, and what was taken for the liver, is told here.
    """
    mine = [r for r in drawn if _is_of_liver(r)]
    taken = mine or [r for r in drawn if not _OTHER_ORGAN.search(plain(r.label)) and not names_no_liver(r.label)]
    names = ", ".join(f"'{r.label}'" for r in drawn if not any(r is t for t in taken))
    if names:
        remarks.append(f"{names} left out: not the liver by their names")
    if unnamed := ", ".join(f"'{r.label}'" for r in taken if not mine and r.label):
        remarks.append(f"no outline is named liver: {unnamed} taken for it")
    return tuple(taken)


def _is_of_liver(region: Region) -> bool:
    label = plain(region.label)
    if _ANOTHER.search(label) or _NO_LIVER.search(label):
        return False
    return bool(_LIVER.search(label) or _SEGMENT.search(label)) or _code(region) in _WHOLE | _PARTS


def _code(region: Region) -> str:
    return re.split(r"[^\w:.-]", region.coded)[0].partition(":")[2]


def whole_liver(regions: Sequence[Region], masks: Sequence[Mask], said: list[str]) -> Mask:
    """The liver of its outlines: parts that lie side by side together; one that lies within another, once.

    Args:
        regions: the largest first. masks: theirs, on one grid.
        said: what was put together is told here.

    Raises:
        Refused: where two outlines overlap and neither holds the other.
    """
    whole, joined = masks[0], [regions[0].label]
    for region, part in zip(regions[1:], masks[1:], strict=True):
        shared, size = int((whole & part).sum()), max(1, int(part.sum()))
        if shared >= (1.0 - _APART) * size or 2 * shared >= _SAME * (int(whole.sum()) + size):
            said.append(f"'{region.label}' lies within '{regions[0].label}' and is not counted again")
        elif shared <= _APART * size:
            whole = whole | part
            joined.append(region.label)
        else:
            raise Refused(
                f"'{regions[0].label}' and '{region.label}', which share {100.0 * shared / size:.0f} %",
                "two outlines of the liver differ, or its parts overlap",
                "keep one outline of the whole liver, named 'liver'",
            )
    if len(joined) > 1:
        said.append(f"the liver is {len(joined)} outlines together: {', '.join(joined)}")
    return whole
