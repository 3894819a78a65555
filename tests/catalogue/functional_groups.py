"""What the makers of enhanced objects share: a classic header without what stands in functional groups, and items."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pydicom
from pydicom.dataset import Dataset

__all__ = ["blanked", "item", "whole"]


def item(**values: Any) -> list[Dataset]:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return [made]


def whole(ds: Any) -> bytes:
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def blanked(first: Any, sop_class: str, of_frames: Sequence[str]) -> Any:
    """A copy of a classic image as an enhanced object of a class, without the elements that its frames state."""
    made = pydicom.dcmread(io.BytesIO(whole(first)))
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = sop_class
    for keyword in of_frames:
        made.pop(keyword, None)
    made.ImageType = [*first.ImageType[:2], "VOLUME", "NONE"]
    return made
