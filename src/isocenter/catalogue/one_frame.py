"""One image out of a scan of several frames or gates: the one that is asked for, or that the outlines were drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isocenter.errors import Refused
from isocenter.methods import pet_average
from isocenter.space import Region, Volume

__all__ = ["one_frame"]


def one_frame(image: Volume, regions: Sequence[Region], *, frame: int = 0, minutes: str = "") -> Volume:
    """A static image as it is; of several frames one, or of a PET the mean of some.

    Args:
        frame: which, from 1; 0 takes that of which alone the outlines name images, else all gates of a gated PET.
        minutes: from which to which minute after the injection frames of a dynamic PET are averaged.

    Returns:
        the image; ``Averaged`` among its facts says in words what was taken.

    Raises:
        Refused: when it follows from nothing which frame is meant, or there is none such.
    """
    several = [axis for axis in image.axes if len(axis) > 1]
    if not several:
        if frame > 1:
            raise Refused(f"frame {frame} of an image that has one", "it is static", "leave frame out")
        return image
    if len(several) > 1:
        said = " and ".join(f"{len(axis)} values of {axis.name}" for axis in several)
        raise Refused(f"an image with {said}", "features are of one static image", "send each as a series of its own")
    (axis,) = several
    is_pet = image.facts.get("Modality") == "PT" or image.unit == "Bq/mL"
    if frame and minutes.strip():
        raise Refused("both frame and minutes", "each chooses by itself", "give one of them")
    if not 0 <= frame <= len(axis):
        raise Refused(f"frame {frame}", f"there are {len(axis)} of them", f"name one from 1 to {len(axis)}")
    if minutes.strip() and is_pet:
        return pet_average.averaged(image, minutes)
    named = _named(image, regions, len(axis))
    # Programs that draw on the sum of all frames name the images of the first one.
    chosen = frame or (named[0] + 1 if len(named) == 1 and named != [0] else 0)
    why = () if frame else (f"the outlines name images of frame {chosen} alone",)
    if is_pet and (chosen or pet_average.is_gated(image)):
        taken = pet_average.averaged(image, frame=chosen)
        return replace(taken, facts={**taken.facts, "Averaged": [*taken.facts["Averaged"], *(why if chosen else ())]})
    if not chosen:
        refer = f"the outlines name images of {len(named)} of them" if named else "the outlines name none of them"
        if named == [0]:
            refer = "the outlines name images of the first, as those do that were drawn on the sum of all"
        raise Refused(
            f"an image with {len(axis)} values of {axis.name}",
            f"features are of one image, and {refer}",
            f"choose one from 1 to {len(axis)}: --set frame=1" + is_pet * ", or average some: --set minutes=50-60",
        )
    one = image.at(axis.name, chosen - 1)
    told = [f"frame {chosen} of {len(axis)} was taken", *why]
    return replace(one, facts={**one.facts, "Averaged": told})


def _named(image: Volume, regions: Sequence[Region], count: int) -> list[int]:
    """Frames, from 0, of which the outlines name images that no other frame has."""
    uids = np.array(image.instance_uids)
    if not len(uids) or len(uids) % count or len(set(image.instance_uids)) != len(uids):
        return []
    cited = frozenset[str]().union(*(r.images for r in regions))
    held = np.isin(uids.reshape(count, -1), list(cited))
    return [int(n) for n in np.flatnonzero(held.any(axis=1))]
