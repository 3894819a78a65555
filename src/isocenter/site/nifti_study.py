"""A NIfTI image and its masks as a study of their own, so that an analysis can be asked of them without any DICOM.

A NIfTI file says where its voxels lie and neither what they mean nor of whom they are: the modality is told by who
gives the file, and the study has no patient and no date.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.errors import Refused, Unavailable
from isocenter.record import Instance, Patient, Series, Study
from isocenter.space import Region, Volume

__all__ = [
    "MODALITIES",
    "NIFTI",
    "Get",
    "holds_nifti",
    "image_in",
    "is_nifti",
    "nifti_files",
    "regions_in",
    "volume_in",
]

NIFTI = "application/x-nifti"
"""Stands where DICOM has a transfer syntax: how the bytes of such an instance are written."""

MODALITIES = {
    "CT": ("attenuation", "[hnsf'U]"),
    "PT": ("SUVbw", "{SUVbw}g/ml"),
    "MR": ("intensity", "{arbitrary}"),
}
"""Modality -> what its voxels are taken to be: HU, SUV by body weight, arbitrary intensities."""

_FACTS = {"CT": {}, "PT": {"Units": "GML", "SUVType": "BW"}, "MR": {}}
_MOST_LABELS = 100

Get = Callable[[str], bytes]
"""Digest -> the stored file."""


def is_nifti(path: Path) -> bool:
    """Whether a file calls itself a NIfTI file by its name.

    >>> is_nifti(Path("image.nii.gz")), is_nifti(Path("image.dcm"))
    (True, False)
    """
    return path.name.lower().endswith((".nii", ".nii.gz"))


def image_in(folder: Path, masks: Sequence[Path]) -> tuple[Path, list[Path]]:
    """The one NIfTI image of a folder and its masks: those given, else those that lie in, or are called, mask.

    Raises:
        Refused: when the folder holds no image beside the masks, or several.
    """
    held = sorted(p for p in folder.rglob("*") if is_nifti(p) and p.is_file())
    named = [p for p in held if "mask" in p.relative_to(folder).as_posix().lower()]
    kept = list(masks) or named
    same = {p.resolve() for p in (*kept, *named)}
    images = [p for p in held if p.resolve() not in same]
    if len(images) != 1:
        raise Refused(
            f"--mask or --modality for a folder of {len(images)} NIfTI images",
            "they belong to a NIfTI image, one at a time; masks are those given or called mask",
            "name the image, or leave them out",
        )
    return images[0], kept


def nifti_files(image: Path, masks: Sequence[Path], modality: str) -> tuple[Study, dict[str, str]]:
    """The study of an image with masks, and where each file is, by digest.

    Args:
        image: three sizes, or four with time last.
        masks: of regions on the image's grid or any other in the same space; each whole number above zero is a region.
        modality: a key of `MODALITIES`.

    Raises:
        Refused: when the modality is not told or not known, or a mask holds no whole numbers.
        NotWhole: when a file is no NIfTI image.
        Unavailable: when a file cannot be read.
    """
    if modality not in MODALITIES:
        raise Refused(
            f"the NIfTI image {image.name} as modality '{modality}'" if modality else f"the NIfTI image {image.name}",
            "NIfTI says neither what its numbers mean nor of whom it is",
            "tell --modality CT (voxels in HU), PT (voxels in SUV by body weight) or MR",
        )
    data = {path: _bytes(path) for path in (image, *masks)}
    digests = {path: hashlib.sha256(data[path]).hexdigest() for path in data}
    frame = _uid("".join(digests.values()))
    shown = _series(digests[image], 1, modality, image, frame, _read(data[image]))
    drawn = []
    for number, path in enumerate(masks, start=2):
        held = _read(data[path])
        _labels(held, path.name)
        drawn.append(_series(digests[path], number, "SEG", path, frame, held, drawn_on=shown.uid))
    study = Study(_uid(frame), Patient(""), description=image.name, series=(shown, *drawn))
    return study, {digests[path]: str(path.resolve()) for path in data}


def holds_nifti(series: Series) -> bool:
    """Whether the images of a series are NIfTI files."""
    return any(i.transfer_syntax == NIFTI for i in series.instances)


def volume_in(series: Series, get: Get) -> Volume:
    """The image of a series made by `nifti_files`."""
    quantity, unit = MODALITIES[series.modality]
    found = _read(get(series.instances[0].digest), quantity, unit)
    return replace(
        found,
        geometry=replace(found.geometry, frame_of_reference=series.frame_of_reference),
        facts={"Modality": series.modality, **_FACTS[series.modality]},
        series_uid=series.uid,
    )


def regions_in(series: Series, get: Get) -> tuple[Region, ...]:
    """The regions of a mask, one for each whole number above zero, named by the file."""
    held = _read(get(series.instances[0].digest))
    grid = replace(held.geometry, frame_of_reference=series.frame_of_reference)
    values = _labels(held, series.description)
    array = held.array.reshape(grid.shape)
    name = series.description.removesuffix(".gz").removesuffix(".nii")
    names = [name] if len(values) == 1 else [f"{name} {v}" for v in values]
    return tuple(Region(grid, mask=array == v, label=label) for v, label in zip(values, names, strict=True))


def _labels(held: Volume, name: str) -> list[int]:
    if held.axes and len(held.axes[0]) > 1:
        raise Refused(f"the mask {name} with {len(held.axes[0])} values of time", "a region has no time", "take one")
    values = np.unique(held.array)
    if not np.isfinite(values).all() or (values != np.rint(values)).any() or len(values) > _MOST_LABELS + 1:
        raise Refused(
            f"the mask {name} of {len(values)} values",
            f"a region is marked by a whole number, and at most {_MOST_LABELS} of them are taken",
            "cut it at a threshold first, or give the image and the mask the other way round",
        )
    marked = [int(v) for v in values if v > 0]
    if not marked:
        raise Refused(f"the mask {name}", "it marks no voxel", "check that it is the mask of this image")
    return marked


def _read(data: bytes, quantity: str = "intensity", unit: str = "{arbitrary}") -> Volume:
    from isocenter.forms import nifti

    return nifti.read(data, quantity=quantity, unit=unit)


def _series(
    digest: str, number: int, modality: str, path: Path, frame: str, held: Volume, *, drawn_on: str = ""
) -> Series:
    slices, rows, columns = held.geometry.shape
    times = len(held.axes[0]) if held.axes else 1
    only = Instance(
        _uid(f"{digest}{number}1"), "", NIFTI, digest, path.stat().st_size, 1, rows, columns, slices * times
    )
    facts: dict[str, Any] = {"ReferencedSeriesUIDs": (drawn_on,)} if drawn_on else {}
    if not drawn_on and slices > 1:
        facts = {"SliceThickness": held.geometry.spacing_mm[0]}  # no gap can be told from a file without a header
    return Series(
        _uid(f"{digest}{number}"), modality, number, path.name, frame_of_reference=frame, facts=facts, instances=(only,)
    )


def _uid(of: str) -> str:
    """A UID that follows from a text (PS3.5 B.2)."""
    return f"2.25.{int(hashlib.sha256(of.encode()).hexdigest()[:32], 16)}"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise Unavailable(f"{path} cannot be read", fault.strerror or str(fault), "check the path") from fault
