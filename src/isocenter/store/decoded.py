"""Results that were read lately, decoded: a reader who scrolls asks for the outline of the same mask a hundred times.

A result is named by the digest of its content, so what is kept can never be out of date. What bounds it is the memory
that masks take: one byte for each voxel of their grid.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from isocenter.record.result import Result

__all__ = ["Decoded"]

_LEAST = 16 * 1024  # voxels that a result counts for when it has no mask; findings and numbers take memory as well


class Decoded:
    """The results that were asked for last; safe to use from many threads.

    Args:
        most: voxels of masks in all. The newest result stays even where it alone has more, because whoever asked for
            it will ask again.
    """

    def __init__(self, most: int = 64 * 2**20) -> None:
        self._most, self._held = most, 0
        self._kept: OrderedDict[str, tuple[Result, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: str) -> Result | None:
        """The result, or None where it is not held."""
        with self._lock:
            found = self._kept.get(digest)
            if found is None:
                return None
            self._kept.move_to_end(digest)
            return found[0]

    def keep(self, digest: str, result: Result) -> None:
        """Hold a result, and let go of those that nobody asked for the longest. Its arrays are read-only from now."""
        weight = _LEAST
        for finding in result.findings:
            for held in (finding.where.mask, finding.where.points_mm) if finding.where is not None else ():
                if held is not None:
                    held.setflags(write=False)
                    weight += held.size
        with self._lock:
            self._held += weight - self._kept.pop(digest, (result, 0))[1]
            self._kept[digest] = (result, weight)
            while self._held > self._most and len(self._kept) > 1:
                _, (_, gone) = self._kept.popitem(last=False)
                self._held -= gone
