"""The secrets of an archive: a file each, drawn when it is first needed, readable by its owner alone.

Ends of the journal are signed by one, people get other names by another. A secret that a full disk or a kill left empty
would do both as well, for everybody who knows that it is: so a file is there whole or not at all, of two who draw at
once both get the first one's, and an empty one is refused.
"""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from isocenter import wholly
from isocenter.errors import Damaged

__all__ = ["secret_in", "secret_of"]


def secret_of(folder: Path, name: str) -> tuple[str, Path]:
    """A secret of the archive in a folder, and its file.

    Raises:
        Damaged: the file is empty. OSError: it cannot be read, or none can be kept.
    """
    place = folder / "secrets" / name
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return secret_in(place), place


def secret_in(place: Path) -> str:
    """The secret in a file, drawn where there is none.

    Raises:
        Damaged: the file is empty. OSError: it cannot be read, or none can be kept.
    """
    with contextlib.suppress(FileExistsError):
        wholly.write(place, secrets.token_urlsafe(32) + "\n", private=True, new=True)
    kept = place.read_text("ascii").strip()
    if not kept:
        raise Damaged(
            f"the secret '{place}'",
            "it is empty, as a full disk leaves it, and whatever it signs or names could be forged",
            "bring it back from a copy; where there is none remove it: another is drawn, and what the old one signed "
            "or named is not joined with what comes",
        )
    return kept
