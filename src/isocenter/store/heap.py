"""Memory that a server keeps for the next image.

The C library gives the top of its heap back to the system whenever a request is done, and fetches it anew for the next
one, page by page: 176 faults an image of 525 kB were counted where images come by HTTP, and one with what is done
here. On a virtual machine such a page may have to be fetched from the host (docs/know/speed.md).
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

__all__ = ["KEPT_BYTES", "LARGE_BYTES", "keep_freed"]

KEPT_BYTES: Final = 32 << 20
"""What is kept at the top of the heap at most; what is freed beyond it goes back."""
LARGE_BYTES: Final = 4 << 20
"""From which on a piece has memory of its own, which goes back when it is freed: volumes, and no CT images."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)


def keep_freed() -> bool:
    """Keep freed memory up to `KEPT_BYTES`, for this process; whether its C library does so (glibc only)."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, LARGE_BYTES)) and bool(mallopt(_TRIM_THRESHOLD, KEPT_BYTES))
