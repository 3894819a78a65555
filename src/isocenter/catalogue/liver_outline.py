"""The liver among the outlines of a study: by its name, and in one piece where it was outlined in several."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space import Region

__all__ = ["livers_among", "names_no_liver", "whole_liver"]

Mask = npt.NDArray[np.bool_]

_LIVER = re.compile(r"(?<![a-z])(liver|hepar|leber|foie|h[ií]gado|f[ií]gado|fegato)(?![a-z])", re.IGNORECASE)
# What bears the liver's name and is another thing: in it, at it, left of it, or the liver less something.
_ANOTHER = re.compile(
    r"tumou?r|lesion|metastas|(?<![a-z])(hcc|[gcpi]tv)|remnant|(?<![a-z])flr(?![a-z])|future",
    re.IGNORECASE,
)
_NO_LIVER = re.compile(
    r"vessel|vein|vascul|arter(y|ies)|cyst|abscess|bil(e|iar)|duct|ablat|margin|(?<![a-z])(ring|prv)|minus|without"
    r"|(?<![a-z])no[nt](?![a-z])|(liver|hepar|leber)\s*-\s*[gcpi]tv",
    re.IGNORECASE,
)
_PART = re.compile(
    r"(?<![a-z])(lobe|left|right|couinaud|caudate|linker|rechter)(?![a-z])|segment[\s_-]*\d", re.IGNORECASE
)
_SAME, _APART = 0.9, 0.05  # Dice of one outline drawn twice; overlap of parts that lie side by side


def names_no_liver(label: str) -> bool:
    """Whether a label says liver and means its vessels, a cyst, or the liver less a tumour.

    >>> names_no_liver("liver vessels"), names_no_liver("Liver-GTV"), names_no_liver("liver tumour")
    (True, True, False)
    """
    return bool(_LIVER.search(label) and _NO_LIVER.search(label))


def livers_among(drawn: Sequence[Region]) -> list[Region]:
    """Outlines of the liver or of its parts, the largest first.

    Raises:
        Refused: when there is none, or one part of the liver alone.
    """
    found = [
        r for r in drawn
        if r.mask is not None and r.voxels and _LIVER.search(r.label) and not _ANOTHER.search(r.label)
        and not names_no_liver(r.label)
    ]  # fmt: skip
    if not found:
        names = ", ".join(r.label or "nothing" for r in drawn) or "none"
        raise Refused(f"regions named {names}", "none of them is named liver", "name the whole liver 'liver'")
    if len(found) == 1 and _PART.search(found[0].label):
        raise Refused(
            f"'{found[0].label}' alone", "it names a part of the liver", "outline the whole liver, or its other parts"
        )
    return sorted(found, key=lambda r: -r.volume_ml)


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
