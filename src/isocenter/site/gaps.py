"""Structures on images of which some are missing: those that keep away from the gap, and why the others are not taken.

A slice that was lost on its way holds nothing that could be measured. What was drawn elsewhere is whole all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from isocenter.errors import Refused
from isocenter.space import Reference, Region, Shape, Volume

__all__ = ["clear_of_gaps", "clear_of_its_gaps"]

LACKING = "SlicesLacking"
"""Fact of a volume: slices, counted from 0, of which no image is there; what stands in them was not measured."""


def clear_of_its_gaps(given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of an analysis, in which no structure reaches a gap of an image.

    Raises:
        Refused: when all structures reach one.
    """
    images = [v for v in given.values() if isinstance(v, Volume) and v.facts.get(LACKING)]
    found = dict(given)
    for name, value in given.items():
        if isinstance(value, tuple) and value and all(isinstance(one, Region) for one in value):
            for image in images:
                found[name] = clear_of_gaps(found[name], image)
    return found


def clear_of_gaps(regions: tuple[Region, ...], image: Volume) -> tuple[Region, ...]:
    """Each structure that keeps away from the gaps of an image; of another why it is not taken (`Region.unplaced`).

    One that ends at a gap may have gone on in it.

    Raises:
        Refused: when all reach one.
    """
    lacking = np.asarray(image.facts.get(LACKING, ()), np.int64)
    if not len(lacking) or not regions:
        return regions
    kept = [_clear(region, image, lacking) for region in regions]
    if all(one.unplaced is not None for one in kept):
        raise Refused(*(kept[0].unplaced or ("",)))
    return tuple(kept)


def _clear(region: Region, image: Volume, lacking: Any) -> Region:
    if region.unplaced is not None or region.shape is not Shape.MASK or not region.voxels:
        return region
    if region.geometry.reference is not Reference.PATIENT:
        return region
    low, high = (np.array(end, np.float64) for end in region.bounds)
    ends = region.geometry.to_patient(np.array([low, high - 1.0]))
    first, last = np.sort(image.geometry.to_index(ends)[:, 0])
    reached = lacking[(lacking >= np.rint(first) - 1) & (lacking <= np.rint(last) + 1)]
    if not len(reached):
        return region
    many = len(reached)
    which = f"slice {reached[0] + 1}" if many == 1 else f"{many} slices, the first of them {reached[0] + 1}"
    why = Refused(
        f"'{region.label or 'a structure'}' reaches {which} of {image.geometry.shape[0]}, of which no image is there",
        "what it holds there is not known",
        "send the series again, complete",
    )
    corners = np.array([*ends, ends.mean(axis=0)])
    return Region.of_unplaced(corners, why, frame=region.geometry.frame_of_reference, label=region.label)
