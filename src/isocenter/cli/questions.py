"""Commands of accounts that see numbers alone: questions."""

from __future__ import annotations

from typing import Annotated

import typer

from isocenter.cli import Json, Where, app, house

__all__: list[str] = []


@app.command()
def questions(
    renew: Annotated[str, typer.Option(help="Let this account ask for as many groups of people anew.")] = "",
    reason: Annotated[str, typer.Option(help="Why; it stands in the journal.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Say of how many groups of people each planner was told the numbers, and let one ask for more."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        asked = held.site.cohorts.questions
        if renew:
            asked.renew(renew, reason, who=HOUSE)
        told = asked.told(who=HOUSE)
    screen.answer(told)
    rows = [(one["account"], one["groups"], one["most"], one["days"]) for one in told]
    if not told:
        screen.say("nobody was told numbers of people lately")
        return
    screen.table("Groups of people whose numbers were told", ("account", "groups", "of at most", "within days"), rows)
