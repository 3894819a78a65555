"""One member of the hostile corpus: what is wrong with it, and which doors take its form."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["FORMS", "Member", "Say"]

FORMS = {
    "object": "a DICOM file: whole-file check, import, C-STORE, STOW-RS, segmentation service, ZIP, DICOMDIR",
    "archive": "a ZIP archive or another container: import, upload",
    "folder": "a DICOMDIR that lies beside one honest image: import of media",
    "request": "an HTTP request with headers of its own: STOW-RS",
    "association": "bytes on the DICOM port before any association stands",
    "query": "keys of a search: C-FIND, QIDO-RS",
    "json": "a JSON body: the interface of the pages",
    "picture": "a picture to be wrapped: import, upload",
    "model": "a file offered as weights: the shelf of models",
    "volume": "a research volume: segmentation service",
    "hl7": "an HL7 v2 message: MLLP",
}
"""Form of a member to the doors that take it."""


@dataclass(frozen=True)
class Member:
    """One hostile thing.

    Args:
        kind: its class, H01 … H26.
        name: what is wrong with it, in words.
        form: what it is given as, one of `FORMS`.
        data: its bytes; of a query, its keys as JSON.
        refused: whether keeping it would be wrong; else it may be refused or kept whole.
        file: its name where names matter.
        before: an honest object that is stored first, for what collides with it.
        more: what else its door needs, such as HTTP headers; ``meta`` where the lie stands in the file meta
            information, which does not travel over DIMSE.
    """

    kind: str
    name: str
    form: str
    data: bytes
    refused: bool = False
    file: str = "member.dcm"
    before: bytes = b""
    more: Mapping[str, Any] = field(default_factory=dict, hash=False)


Say = Callable[[random.Random, int], Member]
"""Makes member `n` of a class."""
