"""Classic series as multi-frame objects, written by highdicom: one more encoding, by a hand that is not ours."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from typing import Any

import pydicom
from highdicom import legacy

_KINDS = {
    "1.2.840.10008.5.1.4.1.1.2": legacy.LegacyConvertedEnhancedCTImage,
    "1.2.840.10008.5.1.4.1.1.4": legacy.LegacyConvertedEnhancedMRImage,
    "1.2.840.10008.5.1.4.1.1.128": legacy.LegacyConvertedEnhancedPETImage,
}


def multi_frame(files: Sequence[bytes], dice: random.Random) -> list[bytes] | None:
    """Each classic series as one object (PS3.3 A.70 to A.72, as archives convert old images)."""
    held: dict[str, list[Any]] = {}
    made: list[bytes] = []
    for data in files:
        ds = pydicom.dcmread(io.BytesIO(data))
        if str(ds.SOPClassUID) in _KINDS:
            held.setdefault(str(ds.SeriesInstanceUID), []).append(ds)
        else:
            made.append(data)
    for uid, images in held.items():
        whole = _KINDS[str(images[0].SOPClassUID)](
            images, series_instance_uid=uid, series_number=int(images[0].SeriesNumber),
            sop_instance_uid=f"2.25.{dice.getrandbits(120)}", instance_number=1,
        )  # fmt: skip
        out = io.BytesIO()
        pydicom.dcmwrite(out, whole, enforce_file_format=True)
        made.append(out.getvalue())
    return made if held else None
