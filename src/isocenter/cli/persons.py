"""Who acts at this terminal, and whether they mean it: asked in one place, in the same words, by every command.

Whoever may read the folder acts as the house. What cannot come back is for persons: they sign in by name and password,
and the password never stands on the command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["Account", "Asking", "hidden", "signed_in", "sure"]

Account = Annotated[str, typer.Option(help="Your account: persons erase, not the house. The password is asked for.")]
Asking = Annotated[str, typer.Option(help="Why: then another is asked to erase. Without it, you do.")]


@contextmanager
def signed_in(folder: Path | None, name: str) -> Iterator[tuple[Any, Any]]:
    """The archive of a folder, and the person who signs in at this terminal.

    Raises:
        Forbidden: a wrong name or password. LimitReached: too many of them.
    """
    from isocenter.cli import house

    word = hidden("Password")
    with house(folder) as held:
        yield held, held.site.person_of(held.site.sign_in(name, word, address="this machine"))


def hidden(words: str, *, new: bool = False) -> str:
    """What nobody may read over a shoulder; a new one is asked for twice."""
    return str(typer.prompt(words, hide_input=True, confirmation_prompt=new, err=True))


def sure(words: str, *, yes: bool = False) -> None:
    """Go on only if whoever sits here says so, or said so before; the command ends otherwise."""
    if not yes:
        typer.confirm(words, abort=True, err=True)
