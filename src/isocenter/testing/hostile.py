"""The hostile corpus: 26 classes of what strangers send, generated anew from a seed, for every door of an archive.

Each member is built from a small valid object of our own and one lie. It is given to every door that takes its form,
and passes when it is refused with what, why and what to do, or is kept whole and byte for byte; the process lives, its
memory stays bounded, and the next honest object goes in. The classes follow what was seen in archives, toolkits and
model zoos: truncation, nesting, bombs, lying sizes, path and shell characters, scripts, polyglots, colliding
identities, false geometry, model files that run code, text that speaks to language models.

>>> one = members("H01", seed=1, count=3)
>>> [m.kind for m in one], one == members("H01", seed=1, count=3)
(['H01', 'H01', 'H01'], True)
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CLASSES", "FORMS", "Member", "Say", "corpus", "members"]

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


def members(kind: str, *, seed: int = 0, count: int = 20) -> list[Member]:
    """The first members of a class; the same seed gives the same bytes on every machine."""
    _, say = CLASSES[kind]
    return [say(_random(seed, kind, n), n) for n in range(count)]


def corpus(*, seed: int = 0, count: int = 20) -> Iterator[Member]:
    """Every class, `count` members each."""
    for kind in CLASSES:
        yield from members(kind, seed=seed, count=count)


def _random(seed: int, kind: str, n: int) -> random.Random:
    return random.Random(int.from_bytes(hashlib.sha256(f"{seed}/{kind}/{n}".encode()).digest()[:8], "big"))


def _classes() -> dict[str, tuple[str, Say]]:
    from isocenter.testing import hostile_content as c
    from isocenter.testing import hostile_envelopes as e
    from isocenter.testing import hostile_objects as o

    return {
        "H01": ("truncated, or a length larger than what is there", o.truncated),
        "H02": ("odd lengths, wrong, unknown and mixed VRs, missing file meta", o.misspelt),
        "H03": ("sequences nested without end, never closed, or empty by the thousand", o.nested),
        "H04": ("deflate and ZIP bombs, lying sizes, names that leave the archive", e.packed),
        "H05": ("HTTP bodies without end, of many parts, with tricks in their boundary", e.requests),
        "H06": ("rows, columns, frames and bits that overflow or make no image", o.sizes),
        "H07": ("palettes that lie about their size or are indexed outside it", o.palettes),
        "H08": ("compressed pixels with lying segments, markers, sizes and offsets", o.streams),
        "H09": ("pictures that lie about themselves", e.pictures),
        "H10": ("paths in UIDs, names, AE titles and DICOMDIR", o.paths),
        "H11": ("shell metacharacters", o.shells),
        "H12": ("SQL, wildcards and expressions in searches", e.queries),
        "H13": ("scripts and formulas in text", c.scripts),
        "H14": ("files that are two things at once, and data behind the data set", c.polyglots),
        "H15": ("encapsulated documents and surfaces with active or exploding content", c.documents),
        "H16": ("JSON: deep, doubled, huge, broken", e.json_bodies),
        "H17": ("association requests made of fuzz", e.associations),
        "H18": ("identities that collide", c.collisions),
        "H19": ("character sets, escapes and invisible characters in names", c.charsets),
        "H20": ("geometry that lies", c.geometry),
        "H21": ("private blocks with names or programs", c.private),
        "H22": ("model files that would run code or reach outside", e.models),
        "H23": ("research volumes that lie", e.volumes),
        "H24": ("text that gives orders to language models", c.orders),
        "H25": ("images that were tampered with", c.tampered),
        "H26": ("labels that poison learning", c.poisoned),
    }


CLASSES: dict[str, tuple[str, Say]] = _classes()
"""Class to its title and the function that makes its members."""
