"""Commands of sealing: master-key, seal, seals, rotate, change-master, erase."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isocenter.cli import Json, Where, app, house
from isocenter.cli.persons import Account, Asking, signed_in

__all__ = ["disks", "in_the_clear"]


@app.command("master-key")
def draw_master_key(
    place: Annotated[Path, typer.Argument(help="File that takes it; not in the folder of the archive.")],
    as_json: Json = False,
) -> None:
    """Draw a master key for sealed projects into a new file that only its owner can read."""
    from isocenter.cli.screen import Screen
    from isocenter.errors import Refused
    from isocenter.store.master_key import draw

    marks = ("archive.sqlite", "server.lock")
    archive = next((up for up in place.resolve().parents if any((up / mark).exists() for mark in marks)), None)
    if archive is not None:
        why = f"it would lie in the archive '{archive}', and whoever has a copy of that would have the key"
        raise Refused(f"a master key in '{place}'", why, "name a file elsewhere")
    draw(place)
    screen = Screen(as_json)
    screen.answer({"file": str(place.resolve()), "setting": f"ISOCENTER_MASTER_KEY=file:{place.resolve()}"})
    screen.say(f"set ISOCENTER_MASTER_KEY=file:{place.resolve()}, and keep a copy where no copy of the archive is")
    screen.say("without it nothing that is sealed can ever be read again")


@app.command()
def seal(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Keep a project sealed: what arrives for it from now on, and what is here already."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held, screen.progress("sealing") as told:
        done = held.site.sealing.seal(project, who=HOUSE, told=told)
        keys = held.settings.keys_folder
    screen.answer(done)
    was = f"{many(done['files'], 'file')} of {many(done['studies'], 'study', 'studies')}"
    screen.say(f"project {project} is sealed: {was} {'was' if done['files'] == 1 else 'were'} in the clear")
    screen.say(f"its sealed keys lie in {keys}: copy that folder apart from the backups, which do not hold it")
    screen.say("backups that were made before hold it in the clear, and a disk keeps what was removed for a while")


@app.command()
def seals(folder: Where = None, as_json: Json = False) -> None:
    """Projects that are sealed, with the version of their key, and whether the disks underneath are encrypted."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        rows = held.site.sealing.projects(who=HOUSE)
        under = disks(held.settings)
    screen.answer({"projects": rows, "disks": under})
    screen.table(
        "", ("project", "key", "master", "state"),
        [(r["project"], r["version"], r["master"],
          "erased" if r["erased"] else "rotating" if r["rotating"] else "sealed") for r in rows],
    )  # fmt: skip
    screen.table("", ("what", "disk", "why"), [(one["what"], one["state"], one["why"]) for one in under])


def disks(chosen: Any) -> list[dict[str, str]]:
    """On which kind of disk the database with names and journal, the images and the keys lie: what, state, why."""
    from isocenter.store.at_rest import UNKNOWN, AtRest, at_rest
    from isocenter.store.places import local_folder

    kind, _, place = chosen.database_url.partition(":///")
    far = AtRest(UNKNOWN, "it is on a server of its own: ask there")
    images = local_folder(chosen.blobs_url)
    found = {
        "database": at_rest(Path(place)) if kind == "sqlite" else far,
        "images": at_rest(images) if images is not None else far,
        "keys": at_rest(chosen.keys_folder),
    }
    return [{"what": what, "state": one.state, "why": one.why} for what, one in found.items()]


def in_the_clear(held: Any) -> str:
    """What to tell who serves sealed projects to others from a disk that is not known to be encrypted; or nothing."""
    from isocenter.doors.tls import is_loopback
    from isocenter.govern.policy import HOUSE
    from isocenter.store.at_rest import ENCRYPTED

    if is_loopback(held.settings.host) or not any(not p["erased"] for p in held.site.sealing.projects(who=HOUSE)):
        return ""
    (database,) = (one for one in disks(held.settings) if one["what"] == "database")
    if database["state"] == ENCRYPTED:
        return ""
    return (
        f"warning: projects are sealed, and the disk under the database is {database['state']}: {database['why']}."
        " Names and the journal can be read by whoever has that disk; put the folder on an encrypted one"
    )


@app.command()
def rotate(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Give a sealed project a new key; no image is touched. Killed, it goes on when it is called again."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held, screen.progress("rotating") as told:
        done = held.site.sealing.rotate(project, who=HOUSE, told=told)
    screen.answer({"project": project, "keys": done})
    screen.say(f"project {project} has a new key; it seals those of {many(done, 'study', 'studies')}")


@app.command("change-master")
def change_master(
    new: Annotated[str, typer.Argument(help="The new one: file:/PATH, env:NAME or command:PROGRAM.")],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Seal the keys of projects with another master key; stop the server before, and give it the new one."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE
    from isocenter.store.master_key import master_key

    screen = Screen(as_json)
    with house(folder, serving=True) as held:
        done = held.site.sealing.change_master(master_key(new, held.settings.folder), who=HOUSE)
    screen.answer({"keys": done})
    told = f"{many(done, 'key of a project is', 'keys of projects are')} sealed with it"
    screen.say(f"{told}; set ISOCENTER_MASTER_KEY={new}, then destroy the old one")


@app.command()
def erase(
    what: Annotated[Literal["study", "project"], typer.Argument(help="Of which the key is destroyed.")],
    subject: Annotated[str, typer.Argument(help="Study Instance UID, or name of the project.")],
    name: Account,
    reason: Asking = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Ask that the key of a sealed study or project be destroyed, or destroy what another administrator asked for."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many

    screen = Screen(as_json)
    with signed_in(folder, name) as (held, who):
        if reason:
            number = held.site.sealing.ask_erasure(subject, what=what, reason=reason, who=who)
            screen.answer({"asked": number})
            screen.say(f"entry {number} asks for it; another administrator has to erase")
            return
        done = held.site.sealing.erase(subject, what=what, who=who)
    screen.answer(done)
    keys, studies = many(done["keys"], "key"), many(done["studies"], "study", "studies")
    screen.say(f"destroyed: {keys}; nothing can be read any more of {studies}")
    if done["shared"]:
        alike = many(done["shared"], "file with the same content is", "files with the same content are")
        screen.say(f"{alike} another study's, too, and stay there")
    if done["log"]:
        screen.say(
            "the database may still hold names in its log or in pages that it has freed: on SQLite somebody was reading"
            " all the while, and erasing once more, or stopping the server, clears it; PostgreSQL is to be vacuumed"
        )
    screen.say("copies of the folder of keys that are older than this still open backups: destroy them, too")
