"""Commands on projects: found, list, join, sender, move; and what was opened in an emergency."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from isocenter.cli import Json, Where, app, house

__all__: list[str] = []

project = typer.Typer(help="Which studies belong together, and who may see them.", no_args_is_help=True)
app.add_typer(project, name="project")

_Name = Annotated[str, typer.Argument(help="Name of the project.")]
_Of = Annotated[Literal["account", "aet"], typer.Option(help="Whose name it is.")]


@project.command()
def found(
    name: _Name,
    about: Annotated[str, typer.Option(help="What belongs to it, in a sentence.")] = "",
    keeper: Annotated[str, typer.Option(help="Account that looks through what is opened in an emergency.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Make a project, or say anew what it is. Nobody is in it before they are let in."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder, make=True) as held:
        held.site.projects.found(name, about, keeper=keeper, who=HOUSE)
    screen.answer({"project": name})
    screen.say(f"{name}: let people in with `isocenter project join {name} ACCOUNT ROLE`")


@project.command(name="list")
def listed(folder: Where = None, as_json: Json = False) -> None:
    """Every project with who is in it and whose studies arrive there."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        rows = held.site.projects.listed(who=HOUSE)
    screen.answer({"projects": rows})
    screen.table(
        many(len(rows), "project"),
        ("name", "about", "who is in it", "what arrives there", "keeper"),
        [
            (
                row["name"], row["about"], ", ".join(f"{m['name']} ({m['role']})" for m in row["members"]),
                ", ".join(s["sender"] for s in row["senders"]), row["keeper"],
            )
            for row in rows
        ],
    )  # fmt: skip


@project.command()
def join(
    name: _Name,
    who: Annotated[str, typer.Argument(help="Account or AE title.")],
    role: Annotated[
        Literal["admin", "reader", "researcher", "planner", "service", "none"],
        typer.Argument(help="What they are there; none puts them out."),
    ],
    of: _Of = "account",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Let somebody into a project, or put them out."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        held.site.projects.join(name, who, role, of=of, who=HOUSE)
    screen.answer({"project": name, "name": who, "role": role})
    screen.say(f"{who} is {role} in {name}")


@project.command()
def sender(
    name: _Name,
    who: Annotated[str, typer.Argument(help="AE title or account.")],
    of: _Of = "aet",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Have new studies of a sender be at home in a project."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        held.site.projects.rule(name, who, of=of, who=HOUSE)
    screen.answer({"project": name, "sender": who})
    screen.say(f"what {who} sends from now on is at home in {name}")


@project.command()
def move(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    name: _Name,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Put a study into another project."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        held.site.projects.move(study, name, reason=reason, who=HOUSE)
    screen.answer({"study": study, "project": name})
    screen.say(f"the study is in {name}")


@project.command()
def emergencies(folder: Where = None, as_json: Json = False) -> None:
    """Studies that were opened in an emergency, with who did it, why, and who has looked through it."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        rows = held.site.projects.to_review(who=HOUSE)
    screen.answer({"reviews": rows})
    screen.table(
        many(len(rows), "emergency", "emergencies"),
        ("by", "begun", "why", "project", "study", "looked through by"),
        [
            (r["by"], r["begun"][:16], r["reason"], r["project"], r["study"], r["reviewed"] or "nobody yet")
            for r in rows
        ],
    )
