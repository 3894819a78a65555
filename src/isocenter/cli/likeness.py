"""Commands on likeness: an index of known cases, those like a new one, and what few examples are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isocenter.cli import Json, app, settings
from isocenter.cli.learning import LEARN_FROM_OTHERS, must_not_be_sealed

__all__: list[str] = []

similar = typer.Typer(help="Known cases that look like a new one, and whether any does.", no_args_is_help=True)
app.add_typer(similar, name="similar")

Named = Annotated[str, typer.Option(help="Model whose embedding is used: a name, or a folder.")]
Asked = Annotated[
    str,
    typer.Option(help="What the labels are called, by commas, where they answer another question than the model."),
]


@similar.command()
def build(
    data: Annotated[list[str], typer.Argument(help="Labelled images, as PROJECT=PATH or PATH. Again for several.")],
    model: Named,
    out: Annotated[Path, typer.Option(help="Folder for the index.")],
    refused: Annotated[float, typer.Option(help="Part of cases in scope that may be called strange.")] = 0.01,
    classes: Asked = "",
    as_json: Json = False,
) -> None:
    """Index labelled images by a model's embedding."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.learn.likeness import indexed

    screen, here = Screen(as_json), settings()
    named = [(a, Path(b)) if sign else ("", Path(a)) for a, sign, b in (one.partition("=") for one in data)]
    for _, path in named:
        must_not_be_sealed(None, path, LEARN_FROM_OTHERS)
    left: list[tuple[str, str]] = []
    made = indexed(
        named, model, Path(here.models) if here.models else None, refused=refused, left_out=left,
        classes=_named(classes),
    )  # fmt: skip
    made.write(out)
    people = len({c.person for c in made.cases})
    told = {"n": len(made.cases), "people": people, "limit": made.limit}
    shown = [{"file": name, "because": why} for name, why in left]
    screen.answer({**told, "model": made.model, "refused": made.refused, "left_out": shown})
    for name, why in left:
        screen.warn(f"{name} is left out: {why}")
    cases = f"{many(len(made.cases), 'case')} of {many(people, 'person', 'people')}"
    screen.say(f"{cases} in {out}; {refused:.1%} of their like are called strange")


@similar.command()
def find(
    index: Annotated[Path, typer.Argument(help="Folder that `similar build` wrote.")],
    images: Annotated[Path, typer.Argument(help="Images: folder or .npz.")],
    model: Named,
    k: Annotated[int, typer.Option(help="How many of the nearest cases are shown.")] = 10,
    project: Annotated[list[str] | None, typer.Option(help="Project whose cases may be found; all without it.")] = None,
    as_json: Json = False,
) -> None:
    """The known cases nearest to each image, none of the same person; and which images are like none."""
    from isocenter.cli.screen import Screen
    from isocenter.learn.likeness import found

    screen, here = Screen(as_json), settings()
    told = found(index, images, model, Path(here.models) if here.models else None, k=k, projects=project)
    screen.answer({"cases": told})
    for one in told:
        if one["declined"]:
            screen.say(f"{one['file']}  declined: {one['declined']}")
            continue
        strange = "  like none of the known cases" if one["strangeness"] > 1 else ""
        screen.say(f"{one['file']}{strange}")
        screen.table("", ("distance", "label", "from", "case"),
                     [(f"{n['distance']:.3f}", n["label"], n["source"], n["name"]) for n in one["near"]])  # fmt: skip


@similar.command()
def few(
    data: Annotated[Path, typer.Argument(help="Labelled images of two classes: folder, .npz or .csv.")],
    model: Named,
    draws: Annotated[int, typer.Option(help="How often the few are drawn.")] = 100,
    classes: Asked = "",
    as_json: Json = False,
) -> None:
    """What a head on the embedding is worth that has seen 5, 10 or 20 people of each class."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.learn.likeness import worth

    must_not_be_sealed(None, data, LEARN_FROM_OTHERS)
    screen, here = Screen(as_json), settings()
    told = worth(data, model, Path(here.models) if here.models else None, draws=draws, classes=_named(classes))
    screen.answer(told)
    rows = [(s["shots"], f"{s['auc']:.3f}", f"{s['low']:.3f} to {s['high']:.3f}") for s in told["shots"]]
    screen.table("", ("people of each class", "AUC", "95 % of draws"), rows)
    near = told["precision_at_10"]
    if told["declined"]:
        screen.say(f"{told['declined']} of {many(told['n'], 'image')} are like nothing that the model learnt from")
    if told["border"] != "asked":
        screen.say(told["border"])
    screen.say(f"of 10 neighbours {near['value']:.3f} have the same label ({near['low']:.3f} to {near['high']:.3f}); "
               f"by chance {near['chance']:.3f}")  # fmt: skip


def _named(classes: str) -> list[str]:
    return [name.strip() for name in classes.split(",") if name.strip()]
