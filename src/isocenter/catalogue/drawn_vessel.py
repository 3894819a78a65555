"""The one drawn region whose curve feeds a tissue (AIF) or drains it (VOF), told from others by its name."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from isocenter.errors import Refused
from isocenter.space import Region

__all__ = ["ARTERY", "VEIN", "named"]

ARTERY = re.compile(r"(?<![a-z])(aif(?![a-z])|arter)", re.IGNORECASE)
VEIN = re.compile(r"(?<![a-z])(vof(?![a-z])|vein|ven(?!tric)|sinus)", re.IGNORECASE)
_FUNCTION = re.compile(r"(?<![a-z])(aif|vof)(?![a-z])", re.IGNORECASE)


def named(drawn: Sequence[Region], pattern: re.Pattern[str], what: str) -> Region | None:
    """The region of a vessel; of several names that fit the one that says AIF or VOF. None where no name fits.

    Args:
        what: the vessel, for the message.

    Raises:
        Refused: where several are left, whose curves differ and of which nothing says which is meant, or where the only
            one could not be brought onto an image.
    """
    fitting = [r for r in drawn if pattern.search(r.label)]
    held: list[Region] = []
    for region in fitting:
        if region.mask is not None and region.voxels and not any(_same(region, other) for other in held):
            held.append(region)
    if not held:
        for region in fitting:
            region.must_be_placed()
        return None
    meant = [r for r in held if _FUNCTION.search(r.label)] or held
    if len(meant) > 1:
        raise Refused(
            f"{len(meant)} drawn regions named as {what}: {', '.join(r.label for r in meant)}",
            "everything is computed from the curve of one of them",
            f"keep one, or name the one that is meant {'VOF' if what == 'a vein' else 'AIF'}",
        )
    return meant[0]


def _same(one: Region, other: Region) -> bool:
    """Whether two objects hold one outline, such as a structure set and a segmentation of it."""
    if one.mask is None or other.mask is None or not one.geometry.same_grid(other.geometry):
        return False
    return bool(np.array_equal(one.mask, other.mask))
