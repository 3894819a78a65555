"""Commands of models in use: watch."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from isocenter.cli import Json, Where, app, house

__all__: list[str] = []


@app.command()
def watch(
    model: Annotated[str, typer.Argument(help="Name of a model; all that are in use where it is left out.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Say how models do since they are in use: charts with a declared rate of false alarms; exit code 1 on an alarm."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        watching = held.site.watching
        heard = watching.heed(who=HOUSE)
        told = [watching.model(model, who=HOUSE)] if model else watching.models(who=HOUSE)
    screen.answer({"models": told, "new_alarms": heard})
    if not told:
        screen.say("no analysis here runs on a model: there is nothing to watch; `isocenter models` lists what is here")
    for one in told:
        if one["studies"] > one["cases"]:
            screen.say(
                f"{one['model']}: {many(one['cases'], 'case')} in {one['studies']} signed studies, "
                "since a person and an image count once in six months"
            )
        if one["nobody"]:
            screen.say(
                f"{one['model']}: {one['nobody']} of {one['studies']} signed studies name no person (ANONYMOUS): "
                "each counts; where several are of one person, false alarms are more frequent than declared"
            )
        if one["needed"]:
            needed = many(one["needed"], "more signed study is", "more signed studies are")
            screen.say(f"{one['model']}: {needed} needed before anything can be said")
            continue
        rows = [
            (c["chart"], c["cases"], f"{c['usual']:.3f}", f"{c['sum']} of {c['limit']}",
             ", ".join(map(_late, c["delays"])),
             f"alarm at case {c['alarm']['case']} of {one['cases']}" if c["alarm"] else "")
            for c in one["charts"]
        ]  # fmt: skip
        cases = f"cases after {one['baseline']}"
        screen.table(one["model"], ("chart", cases, "usual", "sum", "cases until 5, 10 points show", ""), rows)
        screen.say(f"false alarms: {one['false_alarms']['declared']}")
        if one["alarms"]:
            screen.say(f"alarm: {one['on_alarm']}")
    for one in heard:
        screen.say(f"written down: {one['model']}, {one['chart']}" + (", suspended" if one["stop_rule"] else ""))
    if any(one["alarms"] for one in told):
        raise typer.Exit(1)


def _late(told: dict[str, Any]) -> str:
    """Cases until a change shows; in brackets how many of such changes stayed unseen for 20,000."""
    if told["cases_mean"] is None:
        return "none of them within 20,000"
    missed = f" ({100 * told['missed']:.0f} % unseen)" if told["missed"] >= 0.005 else ""
    return f"{told['cases_mean']:.0f}{missed}"
