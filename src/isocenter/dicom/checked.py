"""A file that was looked through before anybody keeps it: is it whole, what does its header say, what is its digest.

Looking through takes a processor, and keeping waits for a disk. Who receives many files, one behind the other, has each
looked through as soon as it is there, in whatever thread is free, and hands it on with what was found.
"""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.dicom.header import read_header
from isocenter.errors import IsocenterError
from isocenter.record import Study

__all__ = ["Checked", "check"]


@dataclass(frozen=True)
class Checked:
    """A file, with what `check` found.

    Args:
        data: its bytes.
        study: the record of its one instance, its digest among it; None where the file is refused.
        refusal: what is wrong with it, in words for its sender.
    """

    data: bytes | bytearray
    study: Study | None
    refusal: str = ""


def check(data: bytes | bytearray) -> Checked:
    """Look a file through; may be asked in any thread.

    >>> check(b"").refusal
    'the file is empty. Send it again.'
    """
    try:
        return Checked(data, read_header(data))
    except IsocenterError as refusal:
        return Checked(data, None, str(refusal))
