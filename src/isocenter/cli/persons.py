"""Who acts at this terminal, and whether they mean it: asked in one place, in the same words, by every command.

Whoever may read the folder acts as the house. What cannot come back, and what shows people more of a machine, is for
persons: they sign in by name and password. The password never stands on the command line; where nobody sits there to
type it, it is one line of standard input, or is read from a file that only its owner can read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from isocenter.errors import NotFound, Refused

__all__ = ["Account", "Asking", "hidden", "new_password", "signed_in", "sure"]

Account = Annotated[str, typer.Option(help="Your account: persons erase, not the house. The password is asked for.")]
_LINE = "call it from a terminal, or give it as one line on standard input: < FILE"
_FILE = "call it from a terminal, or name a file with the password by ISOCENTER_PASSWORD_FILE"
Asking = Annotated[str, typer.Option(help="Why: then another is asked to erase. Without it, you do.")]


@contextmanager
def signed_in(folder: Path | None, name: str) -> Iterator[tuple[Any, Any]]:
    """The archive of a folder, and the person who signs in at this terminal, and is signed out again when done.

    Raises:
        Forbidden: a wrong name or password, or an account that was closed. LimitReached: too many of them.
        Refused: a file of the password that others may read. NotFound: it is not there.
    """
    from isocenter.cli import house, settings

    kept = settings(folder).password_file
    word = _in_file(kept) if kept is not None else hidden(f"Password of {name}", otherwise=_FILE)
    with house(folder) as held:
        token = held.site.sign_in(name, word, address="this machine")
        try:
            yield held, held.site.person_of(token)
        finally:
            held.site.sign_out(token)


def _in_file(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise Refused(f"the password in {path}", "others may read that file", f"run: chmod 600 {path}")
        return path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as absent:
        raise NotFound(
            f"a password in {path}", f"ISOCENTER_PASSWORD_FILE names it: {absent}", "without it you are asked"
        ) from absent


def new_password(words: str, folder: Path | None) -> str:
    """The password that an account shall have; where nobody types and no line comes, that of the named file.

    Raises:
        Refused, NotFound: as `hidden`; others may read the file, or it is not there.
    """
    from isocenter.cli import settings

    kept = settings(folder).password_file
    try:
        return hidden(words, new=True)
    except Refused:
        if kept is None:
            raise
    word = _in_file(kept)
    typer.echo(f"the password is the one in {kept} (ISOCENTER_PASSWORD_FILE)", err=True)
    return word


def hidden(words: str, *, new: bool = False, otherwise: str = _LINE) -> str:
    """What nobody may read over a shoulder; a new one is asked for twice. Where nobody types, a line of standard input.

    Raises:
        Refused: that has no line, or an empty one; `otherwise` says what to do.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        return str(typer.prompt(words, hide_input=True, confirmation_prompt=new, err=True))
    given = sys.stdin.readline().rstrip("\r\n") if sys.stdin is not None else ""
    if not given:
        raise Refused(f"'{words}' without an answer", "nobody types here", otherwise)
    return given


def sure(words: str, *, yes: bool = False) -> None:
    """Go on only if whoever sits here says so, or said so before; the command ends otherwise."""
    if not yes:
        typer.confirm(words, abort=True, err=True)
