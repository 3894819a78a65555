"""Images that hold slices made in two ways: no value of a header holds for all of them, and no measure either."""

from __future__ import annotations

from isocenter.errors import Refused
from isocenter.space import Volume

__all__ = ["must_be_made_alike"]


def must_be_made_alike(image: Volume, why: str) -> None:
    """Refuse a stack of which some slices were made otherwise than others: by tube voltage, kernel, thickness,
    energy or contrast.

    Args:
        why: what such slices do to that which is measured.

    Raises:
        Refused: with the keyword and its values.
    """
    for keyword, values in (image.facts.get("Unlike") or {}).items():
        raise Refused(
            f"slices that differ in {keyword}: {', '.join(values)}", why, "send each kind as a series of its own"
        )
