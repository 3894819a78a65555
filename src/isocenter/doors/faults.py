"""A fault of ours, as the log may know it: a reference, the type, and where in the code. Never what was in hand.

The words of a library's exception often quote the value on which it stumbled, and that value may be a patient's name.
"""

from __future__ import annotations

import logging
import secrets
import traceback
from pathlib import Path

__all__ = ["note"]


def note(log: logging.Logger, error: BaseException, where: str) -> str:
    """Write a fault to a log.

    Args:
        log: of the door at which it happened.
        error: whose type and last line of code are told, and whose words are not.
        where: what was asked for, in words of ours: a route, a service; nothing that a stranger sent.

    Returns:
        the reference by which an answer and the log name the same fault.
    """
    reference = secrets.token_hex(4)
    trace = traceback.extract_tb(error.__traceback__)
    place = f"{Path(trace[-1].filename).name} line {trace[-1].lineno}" if trace else "an unknown place"
    log.error("error %s: %s in %s, at %s", reference, type(error).__name__, place, where)
    return reference
