"""Outlines of which each structure has a file, or a layer, of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.coco_outlines import CocoOutline

__all__ = ["Outline", "Pieces", "in_case_folders", "joined", "parted_in", "unstacked"]


@dataclass(frozen=True)
class Pieces:
    """An outline in several files of the same numbers, such as one for each lesion; together they are the outline."""

    files: tuple[Path, ...]


Outline = Path | tuple[Path, ...] | Pieces | CocoOutline
"""The file of an outline, one for each structure in the order of the recipe, or several that are one together."""


def parted_in(
    root: Path, structures: Sequence[str], images_in: Callable[[Path], list[Path]], case: Callable[[Path], str],
    outlined: Callable[[str], bool],
) -> tuple[list[tuple[Path, Outline]], list[str]]:  # fmt: skip
    """Images with a file for each of several structures, which the file's name tells, or else its folder's.

    Such as ``a.nii.gz`` with ``a_anterior.nii.gz`` and ``a_posterior.nii.gz`` anywhere below, or an image in the folder
    of ``anterior.nii.gz`` and ``posterior.nii.gz``. Then the names of images of which not all structures have a file.
    Both are empty where outlines of several structures lie there, too, or no image has a file for each.

    Args:
        images_in: the images of a folder. case: the name of the case that a file belongs to.
        outlined: whether a name speaks of outlines.
    """
    if len(structures) < 2:
        return [], []
    folders = [p for p in (root, *sorted(root.rglob("*"))) if p.is_dir()]
    files = [f for p in folders if not p.name.startswith(".") for f in images_in(p)]
    told: dict[Path, tuple[int, str]] = {}
    for file in files:
        if (kind := _meant(case(file), structures)) is not None:
            told[file] = kind, _without(case(file), structures[kind])
        elif (kind := _meant(_MASKS.sub("", file.parent.name), structures)) is not None:
            told[file] = kind, case(file)
    images = [f for f in files if f not in told]
    if not told or any(outlined(f.name) or (f.parent != root and outlined(f.parent.name)) for f in images):
        return [], []
    found, alone = list[tuple[Path, Outline]](), list[str]()
    for image in images:
        name = case(image).lower()
        drawn = [f for f, (_, of) in told.items() if of.lower() == name]
        if not drawn and sum(other.parent == image.parent for other in images) == 1:
            drawn = [f for f in told if image.parent in f.parents]
        kinds = {told[f][0]: f for f in drawn}
        if len(kinds) == len(drawn) == len(structures):
            found.append((image, tuple(kinds[k] for k in range(len(structures)))))
        else:
            alone.append(f"{case(image)}: no outline of {' and '.join(structures)} in a file each")
    return (found, alone) if found else ([], [])


_MASKS = re.compile(r"(?i)[-_ ]?(masks?|labels?|seg(mentation)?s?)$")
"""What stands behind a structure in the name of a folder, as in ``leftMask``."""


def in_case_folders(
    root: Path, structures: Sequence[str], images_in: Callable[[Path], list[Path]], case: Callable[[Path], str],
    outlined: Callable[[str], bool],
) -> tuple[list[tuple[Path, Outline]], list[str]]:  # fmt: skip
    """Images that lie one in a folder each, with a folder of a file for each of many structures beside, and those that
    lack a structure; as ``s0001/ct.nii.gz`` and ``s0001/segmentations/liver.nii.gz`` of TotalSegmentator.

    Args:
        images_in, case, outlined: as in `parted_in`.
    """
    found, alone = list[tuple[Path, Outline]](), list[str]()
    for folder in sorted(p for p in root.rglob("*") if p.is_dir() and outlined(p.name)):
        images = [f for f in images_in(folder.parent) if not outlined(f.name)]
        files = {case(f).lower(): f for f in images_in(folder)}
        if len(images) != 1 or case(images[0]).lower() in files:
            continue
        if lack := [name for name in structures if name.lower() not in files]:
            alone.append(f"{folder.parent.name}: no outline of {' and '.join(lack)} in {folder.name}")
            continue
        own = tuple(files[name.lower()] for name in structures)
        found.append((images[0], own if len(own) > 1 else own[0]))
    return (found, alone) if found else ([], [])


def _meant(name: str, structures: Sequence[str]) -> int | None:
    """The only structure that a name speaks of.

    >>> _meant("a_Posterior", ("anterior", "posterior")), _meant("anterior-posterior", ("anterior", "posterior"))
    (1, None)
    """
    spoken = [k for k, word in enumerate(structures) if _pattern(word).search(name)]
    return spoken[0] if len(spoken) == 1 else None


def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?i)(?<![a-z]){re.escape(word)}(?![a-z])")


def _without(name: str, word: str) -> str:
    """What is left of a name without the structure and what parts it from the rest."""
    return re.sub(r"[-_. ]{2,}", "_", _pattern(word).sub("", name)).strip("-_. ")


def joined(layers: Sequence[npt.NDArray[Any]], names: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Labels 1, 2 … of the structures that are drawn in a layer each.

    Raises:
        Refused: a layer holds more than one number beside 0, or two structures lie on each other.
    """
    found = np.zeros(layers[0].shape, np.uint8)
    for kind, (layer, name) in enumerate(zip(layers, names, strict=True), start=1):
        values = np.unique(layer)
        if len(values) > 2 or values[0] != 0:
            raise Refused(f"{name} holds {values[:8].tolist()}", "of one structure 0 and one other number are wanted",
                          "save it as 0 and 1")  # fmt: skip
        inside = layer != 0
        if twice := int(np.count_nonzero(found[inside])):
            raise Refused(f"{twice} voxels of {name}", "another structure lies there, too", "draw each in one alone")
        found[inside] = kind
    return found


def unstacked(array: npt.NDArray[Any], structures: Sequence[str], name: str) -> npt.NDArray[Any]:
    """Labels of an outline with a layer for each structure, before which one of the background may stand.

    Raises:
        Refused: other layers, or two of them lie on each other.
    """
    layers = [array[..., k] for k in range(array.shape[-1])]
    if len(layers) == len(structures) + 1:
        layers = layers[1:]
    if len(layers) != len(structures):
        raise Refused(f"{name} has the shape {array.shape}", f"a layer for each of {', '.join(structures)} is wanted",
                      "save the outline as numbers, 0 where nothing is")  # fmt: skip
    return joined(layers, [f"{name}, layer {structure}" for structure in structures])
