"""Every way in which Isocenter says no.

One tree, so that a caller may catch as widely or as narrowly as is wanted::

    IsocenterError
    ├── Refused              the data cannot carry what was asked (also a ValueError)
    │   ├── NotWhole         a file is truncated, lies about its lengths, or is not DICOM
    │   ├── NotAVolume       a series does not make one regular volume
    │   └── Conflict         the same identity with other content
    ├── NotFound             nothing has that name (also a LookupError)
    │   └── Erased           two persons had its key destroyed; nobody can read it again
    ├── Forbidden            the rule that refused, and who can grant it (also a PermissionError)
    ├── WrongState           the life cycle has no such step from here
    ├── Damaged              a stored file is not what was stored: the archive's own fault, never that of who asks
    ├── Unavailable          disk full, port taken, folder in use: the world below said no (also an OSError)
    ├── LimitReached         more time, memory or depth than was allowed
    │   └── TooOften         more often than is allowed: later it may be tried again
    └── MissingPart          an optional dependency or a model file is not there

Each message is built from three parts: *what* was wrong with its value, *why* that matters, and what to *do*.
"""

from __future__ import annotations

__all__ = [
    "Conflict",
    "Damaged",
    "Erased",
    "Forbidden",
    "IsocenterError",
    "LimitReached",
    "MissingPart",
    "NoAnswer",
    "NotAVolume",
    "NotFound",
    "NotWhole",
    "Refused",
    "TooOften",
    "Unavailable",
    "WrongState",
]


class IsocenterError(Exception):
    """The root: whoever catches this catches all of ours and nothing else.

    Args:
        what: what was wrong, with the offending value.
        why: why it matters, in words that a technologist understands.
        do: what to do about it.

    >>> str(IsocenterError("Slice spacing is 0 mm", "slices would lie on each other", "send the series again"))
    'Slice spacing is 0 mm: slices would lie on each other. Send the series again.'
    >>> str(IsocenterError("a median of 1.3 kPa", "no liver is so soft", "are the readings m/s?"))
    'a median of 1.3 kPa: no liver is so soft. Are the readings m/s?'
    >>> str(IsocenterError("two models named lung", "which of them is meant?", "move one away"))
    'two models named lung: which of them is meant? Move one away.'
    """

    def __init__(self, what: str, why: str = "", do: str = "") -> None:
        self.what, self.why, self.do = what, why, do
        super().__init__(what)

    def __str__(self) -> str:
        said = f"{self.what}: {self.why}" if self.why else self.what
        if not self.do:
            return said
        stop, end = ("" if one.endswith("?") else "." for one in (said, self.do))
        return f"{said.rstrip('.')}{stop} {self.do[0].upper()}{self.do[1:].rstrip('.')}{end}"

    def __reduce__(self) -> tuple[type[IsocenterError], tuple[str, str, str]]:
        # Refusals cross process borders whole: an analysis runs in a process of its own.
        return type(self), (self.what, self.why, self.do)


class Refused(IsocenterError, ValueError):
    """The data cannot carry what was asked; a number is never returned where a precondition failed."""


class NotWhole(Refused):
    """A file is truncated, its lengths lie, or it is not DICOM at all."""


class NotAVolume(Refused):
    """A series does not make one regular volume, and the reason is shown."""


class Conflict(Refused):
    """The same identity arrived with other content; nothing is overwritten."""


class NotFound(IsocenterError, LookupError):
    """Nothing has that name."""


class Erased(NotFound):
    """Its key was destroyed by two persons together: it was here once, and nobody can read it again."""


class Forbidden(IsocenterError, PermissionError):
    """A rule refused; the message names the rule and who can grant it."""


class WrongState(IsocenterError):
    """The table of the life cycle has no such step from this state."""


class Damaged(IsocenterError):
    """What the archive stored is not there any more as it was: changed or lost on disk, or closed by a wrong key.

    Nobody who asks has done anything wrong: it is answered as a failure of the server, and a person has to mend it.
    """


class Unavailable(IsocenterError, OSError):
    """The world without said no: a full disk, a port in use, a folder locked by another server."""


class NoAnswer(Unavailable):
    """Another machine is not there, hung up, or did not answer as it should; nothing is wrong with this one."""


class LimitReached(IsocenterError):
    """More time, memory or depth than was allowed."""


class TooOften(LimitReached):
    """More often than is allowed; what to *do* begins with the seconds to wait: ``try again in 12 s``."""


class MissingPart(IsocenterError):
    """An optional dependency or a model file is not there; the message says how to get it."""
