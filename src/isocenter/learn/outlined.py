"""Images with outlines as people hand them over: pairs of NIfTI files in two folders or in one, or a table.

Folders are found by their names: ``imagesTr`` and ``labelsTr``, ``imagesTs`` and ``labelsTs``, ``images`` and
``masks``, or any two of which one speaks of labels, masks or segmentations. Files belong together by name; the ending
``_0000`` of an image, as nnU-Net wants it, is passed over, and so is a word such as ``_seg`` or ``_label`` at the end
of an outline. Where images and outlines lie in one folder, that word tells them apart; a folder of one image and one
outline is one case.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import NotFound, Refused
from isocenter.learn.kinds import Masks

__all__ = ["Case", "digest_of_cases", "pairs_in", "read_case"]

_MASK_WORDS = ("label", "mask", "seg", "truth", "annotation")
_ENDED = r"labels?|masks?|seg(mentation)?s?|truth|gt|annotations?|outlines?|images?|img"
_ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True, eq=False)
class Case:
    """One image and its outline, axes from right to left, back to front and foot to head.

    Args:
        image: (x, y, z) grey values. labels: (x, y, z) 0 background, 1, 2 …
        spacing_mm: of neighbouring voxels. affine: from voxels to RAS millimetres.
    """

    name: str
    image: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]
    affine: npt.NDArray[np.float64]


def pairs_in(path: Path, split: str | None = None) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Files of images with their outlines, and the names of those that lack the other.

    Raises:
        NotFound: when nothing is there.
        Refused: when no image has an outline.
    """
    if not path.exists():
        raise NotFound(f"no data at {path}", "there is nothing to read")
    if path.is_file():
        found, alone = _of_table(path, split), list[str]()
    else:
        found, alone = [], []
        for one, other in _groups(path, split):
            found += [(one[k], other[k]) for k in sorted(one.keys() & other.keys())]
            alone += [f"{k}: no outline" for k in sorted(one.keys() - other.keys())]
            alone += [f"{k}: no image" for k in sorted(other.keys() - one.keys())]
    if not found:
        raise Refused(
            f"no image with an outline in {path.name}", "each image needs labels of the same name",
            "give a folder that holds imagesTr and labelsTr, or images and labels",
        )  # fmt: skip
    return found, alone


def _niftis(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.name.lower().endswith(_ENDINGS) and not p.name.startswith("."))


def _stem(file: Path) -> str:
    return re.sub(r"\.nii(\.gz)?$", "", file.name, flags=re.IGNORECASE)


def _case(file: Path) -> str:
    """Name of the case that an image or an outline belongs to.

    >>> _case(Path("a_0000.nii.gz")), _case(Path("a-seg.nii")), _case(Path("labels.nii"))
    ('a', 'a', 'labels')
    """
    return re.sub(rf"[-_. ]({_ENDED})$", "", _stem(file).removesuffix("_0000"), flags=re.IGNORECASE)


def _speaks_of_masks(name: str) -> bool:
    return any(word in name.lower() for word in _MASK_WORDS)


def _groups(path: Path, split: str | None) -> Iterator[tuple[dict[str, Path], dict[str, Path]]]:
    """(images, outlines) by case: of each two folders, and of each folder that holds both."""
    told = (p for p in (path, *sorted(path.rglob("*"))) if p.is_dir() and _niftis(p))
    inside = [p for p in told if not any(part.startswith(".") for part in p.relative_to(path).parts)]
    masks = [p for p in inside if p != path and _speaks_of_masks(p.name)]
    rest = [p for p in inside if p not in masks]
    for folder in rest:
        if split is not None and split.lower() not in folder.relative_to(path).as_posix().lower():
            continue
        own = [p for p in _niftis(folder) if _speaks_of_masks(_stem(p))]
        images = [p for p in _niftis(folder) if p not in own]
        if (beside := _beside(folder, masks)) is not None:
            yield _by_case(_niftis(folder)), _by_case(_niftis(beside))
        elif len(own) == len(images) == 1:
            yield {folder.name: images[0]}, {folder.name: own[0]}
        elif own:
            yield _by_case(images), _by_case(own)


def _by_case(files: Sequence[Path]) -> dict[str, Path]:
    return {_case(p): p for p in files}


def _beside(folder: Path, masks: Sequence[Path]) -> Path | None:
    """The folder of outlines that belongs to a folder of images; None where there is none."""
    ending = folder.name.lower().removeprefix("images").removeprefix("image")
    near = [m for m in masks if m.parent == folder.parent]
    own = [m for m in near if m.name.lower().endswith(ending)] if ending else near
    return min(own or near, key=lambda m: len(m.name), default=None)


def _of_table(path: Path, split: str | None) -> list[tuple[Path, Path]]:
    with path.open(newline="", encoding="utf-8-sig") as text:
        sample = text.read(4096)
        text.seek(0)
        rows = list(csv.DictReader(text, delimiter=";" if ";" in sample else "\t" if "\t" in sample else ","))
    names = {c.strip().lower(): c for c in (rows[0] if rows else {})}
    image = next((names[c] for c in ("image", "file", "path") if c in names), None)
    mask = next((names[c] for c in ("label", "mask", "labels", "segmentation") if c in names), None)
    if image is None or mask is None:
        raise Refused(
            f"{path.name} has the columns {list(names)}", "one for the image and one for its label are wanted",
            "call them 'image' and 'label'",
        )  # fmt: skip
    kept = [r for r in rows if split is None or r.get(names.get("split", ""), "") == split]
    return [(path.parent / r[image], path.parent / r[mask]) for r in kept]


def read_case(image: Path, mask: Path, how: Masks) -> Case:
    """One pair, turned so that its axes run as those of all others.

    Raises:
        Refused: when a file cannot be read, is no single volume, the two have other grids, a label is not of the
            recipe, or a voxel is not finite.
    """
    import nibabel

    read: list[Any] = []
    for file in (image, mask):
        try:
            found = nibabel.load(file)
            array = np.asarray(found.dataobj)
        except Exception as e:
            raise Refused(
                f"cannot read {file.name}", str(e)[:160] or type(e).__name__, "take it out or replace it"
            ) from e
        if array.ndim == 4 and array.shape[3] == 1:
            array = array[..., 0]
        if array.ndim != 3 or min(array.shape) < 8:
            raise Refused(f"{file.name} has the shape {array.shape}", "a volume of 8 voxels a side at least is wanted")
        read.append(nibabel.as_closest_canonical(nibabel.Nifti1Image(np.asarray(array, np.float32), found.affine)))
    picture, outline = read
    if picture.shape != outline.shape:
        raise Refused(f"{image.name} is {picture.shape} and its outline {outline.shape}", "they lie on other grids")
    if not np.allclose(picture.affine, outline.affine, atol=0.05):
        raise Refused(f"{image.name} and its outline lie elsewhere", "their positions in the body differ",
                      "resample the outline onto the image")  # fmt: skip
    grey, labels = np.asarray(picture.dataobj, np.float32), np.asarray(outline.dataobj)
    if not np.isfinite(grey).all():
        raise Refused(f"{image.name} holds {int(np.count_nonzero(~np.isfinite(grey)))} voxels that are not finite",
                      "they have no grey value", "repair or remove the image")  # fmt: skip
    values = np.unique(labels)
    if set(values.tolist()) - set(range(len(how.classes) + 1)):
        known = ", ".join(f"{k} {n}" for k, n in enumerate(("background", *how.classes)))
        raise Refused(f"labels {values.tolist()[:8]} in {mask.name}", f"'{how.task}' knows {known}")
    x, y, z = (float(v) for v in picture.header.get_zooms()[:3])
    return Case(image.name, grey, labels.astype(np.uint8), (x, y, z), np.asarray(picture.affine, np.float64))


def digest_of_cases(cases: Sequence[Case]) -> str:
    """SHA-256 over names, images and labels."""
    sha = hashlib.sha256()
    for case in cases:
        sha.update(case.name.encode())
        sha.update(np.ascontiguousarray(case.image).tobytes())
        sha.update(np.ascontiguousarray(case.labels).tobytes())
    return sha.hexdigest()
