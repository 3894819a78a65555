"""Commands of cards: card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from isocenter.cli import Json, Where, app, house

__all__: list[str] = []


@app.command()
def card(
    model: Annotated[str, typer.Argument(help="Name of a model.")],
    out: Annotated[Path | None, typer.Option(help="File that takes it: .pdf or .json.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON Schema of cards in place of a card.")] = False,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Say everything that is known of a model, by the 31 source attributes and CHAI's fields; nothing is typed."""
    from isocenter.cli.screen import Screen
    from isocenter.errors import Refused
    from isocenter.forms.model_card import lines, pdf
    from isocenter.govern.card import SCHEMA
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    if schema:
        screen.answer(dict(SCHEMA))
        screen.say(json.dumps(dict(SCHEMA), indent=1))
        return
    if out is not None and out.suffix not in (".pdf", ".json"):
        raise Refused(f"a card as '{out.suffix}'", "it is written as .pdf or .json", "name such a file")
    with house(folder) as held:
        told = held.site.carding.card(model, who=HOUSE)
    if out is not None:
        out.write_bytes(pdf(told) if out.suffix == ".pdf" else json.dumps(told, indent=1).encode())
    screen.answer(told)
    rows = [(k, one["asks"], lines(one["says"]).split("\n")[0][:90]) for k, one in told["source_attributes"].items()]
    screen.table(f"{model}: {told['model']['state']}", ("", "asked", "told"), rows)
