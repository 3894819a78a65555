"""Commands of sealing: master-key, seal, seals, rotate, change-master, erase."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isocenter.cli import Json, Where, app, house

__all__: list[str] = []


@app.command("master-key")
def draw_master_key(
    place: Annotated[Path, typer.Argument(help="File that takes it; not in the folder of the archive.")],
    as_json: Json = False,
) -> None:
    """Draw a master key for sealed projects into a new file that only its owner can read."""
    from isocenter.cli.screen import Screen
    from isocenter.store.master_key import draw

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
    from isocenter.site.verbs import HOUSE

    screen = Screen(as_json)
    with house(folder) as held, screen.progress("sealing") as told:
        done = held.site.sealing.seal(project, who=HOUSE, told=told)
        keys = held.settings.keys_folder
    screen.answer(done)
    screen.say(f"project {project} is sealed: {done['files']} files of {done['studies']} studies were in the clear")
    screen.say(f"its sealed keys lie in {keys}: copy that folder apart from the backups, which do not hold it")
    screen.say("backups that were made before hold it in the clear, and a disk keeps what was removed for a while")


@app.command()
def seals(folder: Where = None, as_json: Json = False) -> None:
    """Projects that are sealed, with the version of their key."""
    from isocenter.cli.screen import Screen
    from isocenter.site.verbs import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        rows = held.site.sealing.projects(who=HOUSE)
    screen.answer({"projects": rows})
    screen.table(
        "", ("project", "key", "master", "state"),
        [(r["project"], r["version"], r["master"],
          "erased" if r["erased"] else "rotating" if r["rotating"] else "sealed") for r in rows],
    )  # fmt: skip


@app.command()
def rotate(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Give a sealed project a new key; no image is touched. Killed, it goes on when it is called again."""
    from isocenter.cli.screen import Screen
    from isocenter.site.verbs import HOUSE

    screen = Screen(as_json)
    with house(folder) as held, screen.progress("rotating") as told:
        done = held.site.sealing.rotate(project, who=HOUSE, told=told)
    screen.answer({"project": project, "keys": done})
    screen.say(f"project {project} has a new key; it seals those of {done} studies")


@app.command("change-master")
def change_master(
    new: Annotated[str, typer.Argument(help="The new one: file:/PATH, env:NAME or command:PROGRAM.")],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Seal the keys of projects with another master key; stop the server before, and give it the new one."""
    from isocenter.cli.screen import Screen
    from isocenter.site.verbs import HOUSE
    from isocenter.store.master_key import master_key

    screen = Screen(as_json)
    with house(folder, serving=True) as held:
        done = held.site.sealing.change_master(master_key(new, held.settings.folder), who=HOUSE)
    screen.answer({"keys": done})
    screen.say(f"{done} keys of projects are sealed with it; set ISOCENTER_MASTER_KEY={new}, then destroy the old one")


@app.command()
def erase(
    what: Annotated[str, typer.Argument(help="study or project.")],
    subject: Annotated[str, typer.Argument(help="Study Instance UID, or name of the project.")],
    name: Annotated[str, typer.Option(help="Your account: persons erase, not the house. The password is asked for.")],
    reason: Annotated[str, typer.Option(help="Why: then another is asked to erase. Without it, you do.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Ask that the key of a sealed study or project be destroyed, or destroy what another administrator asked for."""
    from isocenter.cli.screen import Screen

    secret = typer.prompt("Password", hide_input=True, err=True)
    screen = Screen(as_json)
    with house(folder) as held:
        who = held.site.person_of(held.site.sign_in(name, secret, address="this machine"))
        if reason:
            number = held.site.sealing.ask_erasure(subject, what=what, reason=reason, who=who)
            screen.answer({"asked": number})
            screen.say(f"entry {number} asks for it; another administrator has to erase")
            return
        done = held.site.sealing.erase(subject, what=what, who=who)
    screen.answer(done)
    screen.say(f"{done['keys']} keys are destroyed; nothing of {done['studies']} studies can be read any more")
    if done["shared"]:
        screen.say(f"{done['shared']} files with the same content are another study's, too, and stay for that one")
    screen.say("copies of the folder of keys that are older than this still open backups: destroy them, too")
