"""The end of the journal, signed as it grows and appended to a file that lies where nobody here can take lines out.

What was appended after the newest signed end could be cut or written anew by whoever has the machine. So that this is
little, an end is signed five minutes after the one before, after a thousand entries, and within seconds when somebody
took anything out of the archive. The file is worth as much as the place where it lies: a disk that this machine can
only append to, or one whose lines are fetched from elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from isocenter.errors import Refused, Unavailable
from isocenter.govern.heads import head_of, signed
from isocenter.record import Kind, to_plain

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["EVERY", "MOST", "SigningEnds"]

EVERY: Final = timedelta(minutes=5)
MOST: Final = 1000
"""For how long, and for how many entries, nothing is signed."""

_TAKEN: Final = (Kind.AUDIT_EXPORTED, Kind.COHORT_EXPORTED, Kind.EXPORTED, Kind.FIGURES_TAKEN)
_TAIL: Final = 4096  # bytes of the file among which its last line is looked for


@dataclass
class SigningEnds:
    """The signed ends of one journal.

    Args:
        secret: of the archive, with which it signs.
        file: one head a line, as `isocenter audit --check` reads them.
    """

    journal: Journal
    clock: Callable[[], datetime]
    secret: Callable[[], bytes]
    file: Path
    _last: tuple[int, datetime] | None = None

    def look(self) -> bool:
        """Sign the end where it is time to; whether it was.

        Raises:
            Unavailable: the file cannot be written.
        """
        now = self.clock()
        number, when = self._last or self._written()
        last, taken = self.journal.level(number, _TAKEN)
        young = timedelta() <= now - when < EVERY  # a clock that was set back holds nothing up
        if last == number or (young and not taken and last - number < MOST):
            return False
        self.sign()
        return True

    def close(self) -> None:
        """Sign what is not signed yet.

        Raises:
            Unavailable: the file cannot be written.
        """
        if self.journal.head()[0] != (self._last or self._written())[0]:
            self.sign()

    def sign(self) -> None:
        """Append the signed end; on the disk when this returns.

        Raises:
            Unavailable: the file cannot be written.
        """
        now = self.clock()
        number, last = self.journal.head()
        line = json.dumps(to_plain(signed(number, last, now, self.secret()))) + "\n"
        try:
            place = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(place, line.encode())
                os.fsync(place)
            finally:
                os.close(place)
        except OSError as error:
            raise Unavailable(
                f"the signed ends of the journal in {self.file}", str(error), "see ISOCENTER_JOURNAL_ENDS"
            ) from error
        self._last = number, now

    def _written(self) -> tuple[int, datetime]:
        """Number and time of the last end in the file; of none where there is none, or nothing can be read there."""
        try:
            with self.file.open("rb") as file:
                file.seek(max(0, self.file.stat().st_size - _TAIL))
                head = head_of(json.loads(file.read().splitlines()[-1]))
                return head.number, datetime.fromisoformat(head.time)
        except (OSError, ValueError, IndexError, Refused):
            return 0, self.clock() - EVERY
