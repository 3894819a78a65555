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
    folder: Path,
    study: Study,
    result: Result,
    blobs: Mapping[str, bytes],
    get: Callable[[str], bytes],
    shelf: str = "",
) -> list[Path]:
    """Files of one result in a folder of its own, named by analysis and result, never by a DICOM value.

    `shelf` has the site's own weights, whose evidence says which maps may be shown.
    """
    from isocenter import wholly
    from isocenter.forms.bundle import everything
    from isocenter.record import to_plain
    from isocenter.site.showing import Showing

    where = {i.sop_uid: i.digest for s in study.series for i in s.instances}
    place = folder / f"{result.origin.name}-{result.id[:12]}"
    place.mkdir(parents=True, exist_ok=True)
    told = json.dumps(to_plain(result), indent=2, ensure_ascii=False)
    wholly.write(place / "result.json", told, durable=False)
    written = [place / "result.json"]
    bundle = everything(result, study, lambda uid: get(where[uid]), lambda digest: blobs[digest],
                        withheld=Showing(shelf).withheld(result))  # fmt: skip
    for file in bundle.files:
        wholly.write(place / file.name, file.data, durable=False)
        written.append(place / file.name)
    if bundle.left:
        reasons = "".join(f"{left.name}: {left.why}\n" for left in bundle.left)
        wholly.write(place / "left-out.txt", reasons, durable=False)
        written.append(place / "left-out.txt")
    return written
