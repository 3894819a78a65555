"""Command that draws maps of sensitivity, where a verdict lets them be shown. It needs the extra `ml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from isocenter.cli import Json, app, settings

__all__: list[str] = []


@app.command()
def saliency(
    model: Annotated[str, typer.Argument(help="Name of a classifier of pictures, or its folder.")],
    data: Annotated[Path, typer.Option(help="A picture, a folder of them, or .npz; no labels are needed.")],
    out: Annotated[Path, typer.Option(help="Folder for the maps, outside the data.")],
    method: Annotated[
        Literal["occlusion", "integrated gradients", "Grad-CAM"],
        typer.Option(help="By which method that passed `sanity` for these weights."),
    ] = "occlusion",
    index: Annotated[Path | None, typer.Option(help="Of `similar build`: with each picture its nearest cases.")] = None,
    k: Annotated[int, typer.Option(min=1, help="With --index: how many of the nearest cases.")] = 5,
    as_json: Json = False,
) -> None:
    """Draw where a classifier was sensitive, only by a method that passed `isocenter sanity` for these very weights.

    For each picture that it calls: the map as numbers (.npy) and over the picture (.png). It is a map of sensitivity:
    no explanation of disease, and no outline of it.
    """
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.showing import against
    from isocenter.learn.mapped import SAYS, mapped

    screen, chosen = Screen(as_json), settings()
    rows = mapped(
        model, data, out, against, method=method, extra=Path(chosen.models) if chosen.models else None, index=index,
        near=k, progress=screen.warn if as_json else screen.say,
    )  # fmt: skip
    screen.answer({"says": SAYS, "pictures": rows})
    drawn = sum(row["map"] is not None for row in rows)
    screen.say(f"{many(drawn, 'map', 'maps')} of {many(len(rows), 'picture', 'pictures')} in {out}. {SAYS}.")
    for row in rows:
        screen.table("" if not row.get("near") else row["file"], ("distance", "label", "from", "case"),
                     [(f"{n['distance']:.3f}", n["label"], n["source"], n["name"])
                      for n in row.get("near", ())])  # fmt: skip
