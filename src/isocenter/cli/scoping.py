"""Command of what a model declines: scope. It needs the extra `ml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isocenter.cli import Json, app, settings
from isocenter.cli.learning import LEARN_FROM_OTHERS, must_not_be_sealed

__all__: list[str] = []


@app.command()
def scope(
    model: Annotated[
        str, typer.Argument(help="Name of a model of classes, outlines, boxes, films or rows, or its folder.")
    ],
    data: Annotated[Path, typer.Option(help="What it learnt from: images as these are in scope.")],
    out: Annotated[Path, typer.Option(help="Folder for the new version; empty or new.")],
    show: Annotated[
        list[Path] | None, typer.Option(help="Other things (.npz, folder), shown in part as wrong. Again for several.")
    ] = None,
    ask: Annotated[
        list[Path] | None, typer.Option(help="More of them, never shown: how many of them are declined?")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only this part of the data, such as train.")] = None,
    turned: Annotated[bool, typer.Option(help="Whether an image that is turned or upside down is a wrong one.")] = True,
    mirrored: Annotated[
        bool, typer.Option(help="Whether a mirrored picture is right, as of eyes and breasts.")
    ] = False,
    given_up: Annotated[float, typer.Option(help="Part of right images that may lie beyond each border.")] = 0.01,
    given_up_turned: Annotated[
        float | None, typer.Option(help="Part beyond the border of turned views; as the others without it.")
    ] = None,
    steps: Annotated[int, typer.Option(help="How long it learns, in batches of 64.")] = 1200,
    width: Annotated[int, typer.Option(help="Channels of the first stage of the network.")] = 16,
    checkpoint: Annotated[
        Path | None, typer.Option(help="File that keeps the teaching: it goes on after a stop.")
    ] = None,
    keep: Annotated[
        bool, typer.Option(help="Keep the network that lies beside the model: only what is asked besides is new.")
    ] = False,
    measured: Annotated[
        bool, typer.Option(help="Ask plain measures of outlined organs (size, thickness, pieces, place), too.")
    ] = False,
    misshapen: Annotated[
        bool, typer.Option(help="Ask networks that know swollen, doubled or turned outlines by their measures, too.")
    ] = False,
    detailed: Annotated[
        bool, typer.Option(help="Ask that a picture hold the detail of its grid: enlarged crops do not.")
    ] = False,
    magnified: Annotated[
        bool, typer.Option(help="Ask that what a detector finds be as large a part of the picture as before.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same border on the same machine.")] = 0,
    as_json: Json = False,
) -> None:
    """Teach a model what it must decline: another version of it, with a small network beside, and a candidate.

    Wrong images are made of the right ones (inverted, turned, askew, cut out, in tiles, halves of two, noise) and taken
    from other collections; the table tells how many of those that were not shown are declined. A classifier of films
    has a gate, which is taught anew; its answers stay. Of a table it learns what is usual in its columns, and which
    values go together.
    """
    from isocenter.cli.screen import Screen
    from isocenter.learn.alone import alone
    from isocenter.learn.strangers import taught_to_decline

    screen, chosen = Screen(as_json), settings()
    for one in (data, *(show or ())):
        must_not_be_sealed(None, one, LEARN_FROM_OTHERS)
    shelf = Path(chosen.models) if chosen.models else None
    with alone(out):
        made = taught_to_decline(
            model, data, out, show or (), ask or (), shelf, split=split, turned=turned, mirrored=mirrored,
            given_up=given_up, given_up_turned=given_up_turned, steps=steps, width=width, seed=seed,
            checkpoint=checkpoint, kept_network=keep, measured=measured, detailed=detailed, misshapen=misshapen,
            magnified=magnified, tell=screen.warn if as_json else screen.say,
        )  # fmt: skip
    screen.answer(made)
    rows = [
        (kind, str(one["n"]), str(one["declined"]), f"{one['declined'] / one['n']:.3f}")
        for kind, one in made.evidence["out_of_scope"].items()
    ]
    screen.table("What is declined", ("images", "n", "declined", "part"), rows)
    screen.say(f"{made.name} {made.version}: {made.state}, weights {made.digest[:12]}, parent {made.parent[:12]}")
