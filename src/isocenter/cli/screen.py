"""What a command prints: words and tables for people, one JSON text for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["Screen", "harmless", "json_text", "minute", "paged", "person"]

# All that steers a terminal but tab and end of line; ends of line and directions that Unicode knows beside.
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def harmless(words: str) -> str:
    """Words that no terminal obeys: a patient's name may come from a stranger's file and clear the screen, set its
    title or turn what follows around. What would steer is shown as its number.

    >>> harmless("A\\x1b[2J^B")
    'A\\\\x1b[2J^B'
    """
    return _STEERING.sub(_shown, words)


def _shown(steering: re.Match[str]) -> str:
    at = ord(steering[0])
    return f"\\x{at:02x}" if at < 256 else f"\\u{at:04x}"


def json_text(data: Any) -> str:
    """JSON for people and programs; what would steer a terminal is escaped, which says the same."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return _STEERING.sub(lambda one: f"\\u{ord(one[0]):04x}", text)


class Screen:
    """Where a command says what it has to say.

    With `as_json` only `answer` prints, to standard output, and nothing else gets in its way; progress and remarks go
    to standard error.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def answer(self, data: Any) -> None:
        """The JSON of the command; printed only when it was asked for."""
        if self.as_json:
            from isocenter.record import to_plain

            print(json_text(to_plain(data)))

    def say(self, words: str) -> None:
        """A line for a person."""
        if not self.as_json:
            self._console().print(harmless(words), highlight=False, markup=False, soft_wrap=True)

    def warn(self, words: str) -> None:
        """A line that a person should see whatever is printed."""
        print(harmless(words), file=sys.stderr)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table for a person; every cell is text, never markup. Of one without rows the title is told."""
        if self.as_json or not rows:
            return self.say(title.strip()) if title else None
        from isocenter.cli.columns import in_columns

        cells = [columns, *([harmless("" if cell is None else str(cell)) for cell in row] for row in rows)]
        console = self._console()
        if title:
            console.print(harmless(title), style="italic", highlight=False, markup=False, soft_wrap=True)
        lines = in_columns(cells, console.width, whole=not sys.stdout.isatty())
        console.print(next(lines), style="bold", highlight=False, markup=False, soft_wrap=True)
        print("\n".join(lines))

    @contextmanager
    def progress(self, what: str) -> Iterator[Any]:
        """Counts on standard error while something takes long; call what is given with (words, done, of)."""
        if not sys.stderr.isatty():
            yield lambda words, done, of: None
            return
        from rich.console import Console
        from rich.progress import Progress, TextColumn

        with Progress(
            TextColumn("{task.description}", markup=False), TextColumn("{task.completed:.0f} of {task.total:.0f}"),
            console=Console(stderr=True), transient=True,
        ) as bar:  # fmt: skip
            task = bar.add_task(what, total=0)
            yield lambda words, done, of: bar.update(
                task, description=harmless(f"{what}: {words}"), completed=done, total=of
            )

    def _console(self) -> Any:
        from rich.console import Console

        # A pipe has no width; identifiers must come out of it in one piece.
        return Console(width=None if sys.stdout.isatty() else 240)


def person(row: Any) -> str:
    """A patient in one cell: name as people read it, then the identifier."""
    from isocenter.forms.person_name import read_out

    name = read_out(str(getattr(row, "name", "")))
    return " ".join(filter(None, (name, f"({row.id})" if name and row.id else row.id))) or "no name"


def paged(shown: int, total: int, offset: int, words: str, *, none: str) -> str:
    """What stands above a page of a list: how much of it this is, and how the rest is shown.

    >>> paged(2, 7, 2, "7 links", none="none yet"), paged(0, 0, 0, "0 links", none="none yet")
    ('2 of 7 links; --offset 4 goes on', 'none yet')
    >>> paged(0, 7, 50, "7 links", none="none yet")
    '0 of 7 links: the list ends before --offset 50'
    """
    if not total:
        return none
    if not shown:
        return f"0 of {words}: the list ends before --offset {offset}"
    return f"{shown} of {words}" + (f"; --offset {offset + shown} goes on" if offset + shown < total else "")


def minute(time: str) -> str:
    """A time of the journal as people read it, to the minute, with its zone; what is no time stays as it is.

    >>> minute("2026-12-03T22:25:57.445815+01:00"), minute("2026-12-03"), minute("")
    ('2026-12-03 21:25 UTC', '2026-12-03', '')
    """
    from datetime import UTC, datetime

    try:
        read = datetime.fromisoformat(time)
    except ValueError:
        return time
    return f"{read.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if read.tzinfo else time
