"""The record and the page of a model, in its folder beside the weights."""

from __future__ import annotations

import json
from pathlib import Path

from isocenter import wholly
from isocenter.record import Model, to_plain

__all__ = ["write_record"]


def write_record(out: Path, model: Model, page: str | None = None) -> None:
    """Write ``card.md``, where a page is given, and ``model.json`` last: by it a folder counts as a model.

    Raises:
        OSError: the disk said no; an earlier record stays as it was.
    """
    if page is not None:
        wholly.write(out / "card.md", page)
    wholly.write(out / "model.json", json.dumps(to_plain(model), indent=1, sort_keys=True) + "\n")
