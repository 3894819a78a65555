"""Commands of cards: card."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from isocenter.cli import Json, Where, app, house

__all__: list[str] = []


@app.command()
def card(
    model: Annotated[str, typer.Argument(help="Name of a model of the archive, or the folder of a model: no archive.")],
    out: Annotated[Path | None, typer.Option(help="File that takes it: .pdf, .html or .json.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON Schema of cards in place of a card.")] = False,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Say everything that is known of a model, by the 31 source attributes and CHAI's fields; nothing is typed.

    Of a folder no archive is asked: steps taken and local figures are then not known, and the card says so.
    """
    from isocenter import wholly
    from isocenter.cli.screen import Screen
    from isocenter.errors import Refused, Unavailable
    from isocenter.forms.model_card import lines, page, pdf
    from isocenter.govern.card import SCHEMA

    screen = Screen(as_json)
    if schema:
        screen.answer(dict(SCHEMA))
        screen.say(json.dumps(dict(SCHEMA), indent=1))
        return
    written: dict[str, Callable[[dict[str, Any]], bytes]] = {
        ".pdf": pdf, ".html": lambda c: page(c).encode(), ".json": lambda c: json.dumps(c, indent=1).encode(),
    }  # fmt: skip
    if out is not None and out.suffix not in written:
        raise Refused(f"a card as '{out.suffix}'", "it is written as .pdf, .html or .json", "name such a file")
    told = _alone(Path(model)) if Path(model).exists() else _here(model, folder)
    if out is not None:
        card = written[out.suffix](told)
        try:
            wholly.write(out, card)
        except OSError as e:
            raise Unavailable(f"cannot write {out}", str(e), "choose another place") from e
    screen.answer(told)
    rows = [(k, one["asks"], lines(one["says"]).split("\n")[0][:90]) for k, one in told["source_attributes"].items()]
    screen.table(f"{model}: {told['model']['state']}", ("", "asked", "told"), rows)


def _here(name: str, folder: Path | None) -> dict[str, Any]:
    """The card of a model of the archive."""
    from isocenter.govern.policy import HOUSE

    with house(folder) as held:
        told: dict[str, Any] = held.site.carding.card(name, who=HOUSE)
    return told


def _alone(folder: Path) -> dict[str, Any]:
    """The card of the model in a folder, for whoever has no archive."""
    from isocenter.analysis.weights import model_in
    from isocenter.app import now
    from isocenter.govern.card import card as card_of

    return card_of(model_in(folder), now=now())
