"""Commands of keeping: backup, restore, reread."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from isocenter.cli import Json, Where, app, house, settings

__all__: list[str] = []


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(help="Folder that takes the backup; given again, it takes what is new.")],
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Then restore it into a temporary folder (TMPDIR), as a test.")
    ] = False,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Copy the whole archive, or what is new since the last time, while it serves."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held, screen.progress("copying") as told:
        _must_lie_elsewhere(to, held.settings.folder)
        done = held.site.keeping.backup(to, who=HOUSE, told=told)
        tried = held.site.keeping.rehearse(to, who=HOUSE, told=told) if rehearse else None
        secrets = held.settings.folder / "secrets"
    screen.answer(done if tried is None else {**asdict(done), "rehearsed": asdict(tried)})
    screen.say(
        f"{many(done.entries, 'entry', 'entries')} of the journal ({done.new_entries} new), "
        f"{many(done.blobs, 'file')} ({done.new_blobs} new)"
    )
    for line in done.damaged:
        screen.say(f"  damaged in the archive, not copied: {line}")
    screen.say(f"not in it: the secrets in {secrets}; keep them elsewhere, apart from the backup")
    if tried is not None:
        came = f"{many(tried.entries, 'entry', 'entries')}, {many(tried.blobs, 'file')}"
        screen.say(f"rehearsed: {came} came back; last hash {tried.hash[:16]}…")
        for digest in tried.missing:
            screen.say(f"  missing or damaged in the backup: {digest}")
    if done.damaged or (tried is not None and tried.missing):
        raise typer.Exit(1)


def _must_lie_elsewhere(to: Path, archive: Path) -> None:
    from isocenter.errors import Conflict

    if to.resolve() == archive.resolve() or to.resolve().is_relative_to((archive / "blobs").resolve()):
        raise Conflict(
            f"a backup into '{to}'", "that is the archive itself: its files would be their own copy",
            "name a folder on another disk",
        )  # fmt: skip


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="Folder of the backup.")],
    entry: Annotated[int | None, typer.Option(help="Number of the last entry of the journal that shall count.")] = None,
    until: Annotated[str, typer.Option(help="Time as 2026-11-26T10:00:00+01:00; what came later does not count.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Make an archive in a new folder from a backup: whole, up to an entry of the journal, or up to a time."""
    from isocenter.app import open_house
    from isocenter.cli.screen import Screen
    from isocenter.errors import Conflict
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE
    from isocenter.store.backup import reaching

    screen = Screen(as_json)
    given, time = settings(folder), moment(until)
    if (given.folder / "archive.sqlite").exists():
        raise Conflict(f"folder '{given.folder}'", "it holds an archive already", "name a new one with --folder")
    reaching(source, entry, time)  # before there is an archive: what is refused shall leave none behind
    held = open_house(given, server=True)
    try:
        with screen.progress("restoring") as told:
            done = held.site.keeping.restore(source, who=HOUSE, entry=entry, until=time, told=told)
    finally:
        held.close()
    screen.answer(done)
    screen.say(
        f"{done.entries} of {many(done.of, 'entry', 'entries')}, {many(done.blobs, 'file')} in {given.folder};"
        f" last hash {done.hash[:16]}…"
    )
    for digest in done.missing:
        screen.say(f"  missing or damaged in the backup: {digest}")
    if done.missing:
        raise typer.Exit(1)


@app.command()
def reread(
    anew: Annotated[bool, typer.Option(help="Begin at the first study, also where an earlier run was ended.")] = False,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Read the headers of stored images again and keep what an older version did not take from them; files stay as
    they are. Goes on where it was ended; the archive may serve meanwhile."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held, screen.progress("reading headers") as told:
        begun = "" if anew else held.site.rereading.unfinished()
        done = held.site.rereading.learn(who=HOUSE, anew=anew, told=told)
        outdated = held.site.outdated(who=HOUSE)
    unread = [{"study": study, "image": image} for study, image in done.unread]
    said = {"studies": done.studies, "images": done.images, "learnt": done.learnt, "unread": unread}
    screen.answer({**said, "went_on_after": begun, "outdated": outdated})
    if begun:
        screen.say(f"went on after study {begun}")
    of = f"{many(done.images, 'image')} of {many(done.studies, 'study', 'studies')}"
    screen.say(f"{of} read; something new is known of {done.learnt}")
    if outdated:
        screen.table(
            "computed before that was known; a server asks again where nobody has signed, `isocenter analyse STUDY`"
            " does anywhere", ("study", "analyses"), [(study, ", ".join(names)) for study, names in outdated.items()],
        )  # fmt: skip
    screen.table("", ("study", "image that cannot be read"), [(one["study"], one["image"]) for one in unread])
    if unread:
        raise typer.Exit(1)


def moment(text: str) -> datetime | None:
    """A time with its zone, as UTC; None for an empty text.

    Raises:
        Refused: it is none, or does not say its zone.
    """
    from isocenter.errors import Refused

    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"the time '{text:.40}'", "it cannot be read", "write 2026-11-26T10:00:00+01:00") from None
    if read.tzinfo is None:
        raise Refused(f"the time '{text:.40}'", "it does not say its zone", "add +01:00, or Z for UTC")
    return read.astimezone(UTC)
