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
from collections.abc import Iterator

from isocenter.testing import hostile_content as c
from isocenter.testing import hostile_envelopes as e
from isocenter.testing import hostile_objects as o
from isocenter.testing.hostile_member import Member, Say

__all__ = ["CLASSES", "corpus", "members"]

CLASSES: dict[str, tuple[str, Say]] = {
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
"""Class to its title and the function that makes its members."""


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
