"""Write a result into a folder, in every form that it has."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isocenter.record import Result, Study

__all__ = ["write_out"]


def write_out(
    folder: Path, study: Study, result: Result, blobs: Mapping[str, bytes], get: Callable[[str], bytes]
) -> list[Path]:
    """Files of one result in a folder of its own, named by analysis and result, never by a DICOM value."""
    from isocenter.forms import files_of
    from isocenter.record import to_plain

    where = {i.sop_uid: i.digest for s in study.series for i in s.instances}
    place = folder / f"{result.origin.name}-{result.id[:12]}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "result.json").write_text(json.dumps(to_plain(result), indent=2, ensure_ascii=False), "utf-8")
    written = [place / "result.json"]
    for name, data in files_of(study, result, lambda uid: get(where[uid]), lambda digest: blobs[digest]):
        (place / name).write_bytes(data)
        written.append(place / name)
    return written
