"""Is what was stored still what was stored? Every byte is read and held against its digest.

Disks change bits in silence. A scrub finds each file that no longer fits its digest, and each that the index knows and
the disk does not have; it says which images are meant, and puts the right bytes back where another archive or a backup
still has them. A damaged image is refused whenever somebody asks for it, scrubbed or not.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from isocenter.errors import Erased, IsocenterError, NotFound
from isocenter.store.blobs import Blobs
from isocenter.store.index import Index

__all__ = ["Damage", "Scrubbed", "scrub"]

_PAGE = 500
_READERS, _AT_ONCE = 2, 64  # one reads while the other digests; no more files are in memory than there are readers


@dataclass(frozen=True)
class Damage:
    """One file that is not what it was.

    Args:
        what: "changed", "missing" or "unreadable".
        instances: (Study, SOP Instance UID) of the images that lie in it; none for results and reports.
        mended: whether the right bytes were put back.
    """

    digest: str
    what: str
    instances: tuple[tuple[str, str], ...] = ()
    mended: bool = False


@dataclass
class Scrubbed:
    """What a scrub found."""

    files: int = 0
    bytes: int = 0
    damaged: list[Damage] = field(default_factory=list)

    @property
    def left(self) -> list[Damage]:
        """What is still damaged."""
        return [d for d in self.damaged if not d.mended]


def scrub(
    blobs: Blobs,
    index: Index,
    *,
    copy: Blobs | None = None,
    told: Callable[[str, int, int], None] = lambda words, done, of: None,
) -> Scrubbed:
    """Read everything once.

    Args:
        copy: where the right bytes may still be; what is damaged is replaced from there, when it fits its digest there.
        told: progress: words, files read, files known so far.
    """
    images: dict[str, list[tuple[str, str]]] = {}
    for study, sop_uid, digest in _images(index):
        images.setdefault(digest, []).append((study, sop_uid))
    found, seen = Scrubbed(), set()
    with ThreadPoolExecutor(_READERS, "scrub") as readers:
        for digest, told_of in _read(blobs, readers):
            seen.add(digest)
            found.files += 1
            told(digest[:8], found.files, max(found.files, len(images)))
            if isinstance(told_of, int):
                found.bytes += told_of
            elif told_of:
                found.damaged.append(_damage(blobs, copy, digest, told_of, images))
    for digest in images.keys() - seen:
        found.damaged.append(_damage(blobs, copy, digest, "missing", images))
    return found


def _read(blobs: Blobs, readers: ThreadPoolExecutor) -> Iterator[tuple[str, int | str]]:
    """Every digest with its bytes, or with what is wrong; nothing is wrong with what two persons had erased."""

    def look(digest: str) -> int | str:
        try:
            return len(blobs.get(digest))
        except Erased:
            return ""
        except NotFound:
            return "missing"
        except OSError:
            return "unreadable"
        except IsocenterError:
            return "changed"

    digests = blobs.digests()
    while batch := list(itertools.islice(digests, _AT_ONCE)):
        yield from zip(batch, readers.map(look, batch), strict=True)


def _images(index: Index) -> Iterator[tuple[str, str, str]]:
    offset = 0
    while page := index.studies(limit=_PAGE, offset=offset, order="arrived"):
        for one in page:
            for series in index.study(one.uid).series:
                for instance in series.instances:
                    yield one.uid, instance.sop_uid, instance.digest
        offset += len(page)


def _damage(
    blobs: Blobs, copy: Blobs | None, digest: str, what: str, images: dict[str, list[tuple[str, str]]]
) -> Damage:
    return Damage(digest, what, tuple(images.get(digest, ())), copy is not None and _mended(blobs, copy, digest))


def _mended(blobs: Blobs, copy: Blobs, digest: str) -> bool:
    try:
        blobs.keep_so(copy.as_kept(digest), instead=True)  # refused where the copy is damaged too
        return bool(blobs.get(digest) or True)
    except IsocenterError:
        return False
