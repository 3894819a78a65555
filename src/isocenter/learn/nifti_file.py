"""NIfTI files as they are: packed or not, whatever the ending of their name says."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

__all__ = ["loaded"]

_PACKED = b"\x1f\x8b"


def loaded(file: Path) -> Any:
    """The image in a file; one that was packed and is called ``.nii``, or the reverse, is read all the same.

    Raises:
        nibabel's own and OSError: when it cannot be read.
    """
    import nibabel

    with file.open("rb") as raw:
        packed = raw.read(2) == _PACKED
    if packed == file.name.lower().endswith(".gz"):
        return nibabel.load(file)
    whole = gzip.decompress(file.read_bytes()) if packed else file.read_bytes()
    of = nibabel.Nifti2Image if whole[:4] in ((540).to_bytes(4, "little"), (540).to_bytes(4, "big")) else None
    return (of or nibabel.Nifti1Image).from_bytes(whole)
