"""Commands of maps of sensitivity: sanity. They need the extra `ml`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isocenter.cli import Json, Where, app, house, settings

if TYPE_CHECKING:
    from isocenter.cli.screen import Screen
    from isocenter.record import Model

__all__: list[str] = []

_METHODS = "occlusion|integrated gradients|Grad-CAM|class activation|smoothed class activation"


@app.command()
def sanity(
    model: Annotated[str, typer.Argument(help="Name of a classifier of films or pictures, or its folder.")],
    data: Annotated[Path, typer.Option(help="What it learnt from: its partners learn from the same.")],
    partners: Annotated[Path, typer.Option(help="Folder that has the partner networks, or takes them.")] = Path(
        "partners"
    ),
    method: Annotated[
        list[str] | None,
        typer.Option(metavar=_METHODS, help="Occlusion by default; the last two are of films. Again for several.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Looks of partners at pictures, if fewer than its own; it is told.")
    ] = None,
    cases: Annotated[int, typer.Option(min=12, help="Pictures that are looked at, at most; of films always 48.")] = 48,
    folder: Where = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Test whether a model's map of sensitivity may be shown: six checks, for these very weights.

    The verdict is kept in the evidence beside the weights, whichever it is, and decides from then on; with --folder the
    journal of that archive keeps it, too. Of films other methods than the shown one are only told. Partners are trained
    where they are missing.
    """
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE
    from isocenter.learn.judge import kind_of, opened
    from isocenter.learn.sanity import kept

    screen, chosen = Screen(as_json), settings()
    held, place = _placed(model, Path(chosen.models) if chosen.models else None, opened)
    tell = screen.warn if as_json else screen.say
    if kind_of(held) == "classes":
        from isocenter.learn.sanity_classes import classes_sanity

        names = list(dict.fromkeys(method or ["occlusion"]))
        told = classes_sanity(held, place, data, partners, names, tell, epochs=epochs, most=cases)
    else:
        told = _of_films(held, place, data, partners, method or (), tell)
    told = [{**one, "digest": held.digest} if "map" in one else one for one in told]
    for one in told:
        if "map" in one:
            kept(place, one, map=one["map"])
            if folder is not None:
                with house(folder) as archive:
                    archive.site.gating.map_tested(held, one, who=HOUSE)
    screen.answer(told)
    for one in told:
        _tell(screen, one)


def _of_films(
    held: Model, place: Path, data: Path, partners: Path, more: Sequence[str], tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Verdicts on the map that the analysis gives, which is named, and on other methods."""
    from isocenter.analysis.weights import read_file
    from isocenter.learn.sanity_films import SHOWN, films_sanity

    names = list(dict.fromkeys([SHOWN[0], *more]))
    first, *others = films_sanity(held, read_file(place / "model.onnx"), data, partners, names, tell)
    return [{**first, "map": SHOWN[1]}, *others]


def _placed(model: str, shelf: Path | None, opened: Any) -> tuple[Any, Path]:
    """Record and folder of a model, its weights proved to be those of its record."""
    from isocenter.analysis.weights import models

    held, _ = opened(model, shelf)
    given = Path(model)
    if (given / "model.json").is_file():
        return held, given
    return held, models(shelf)[held.name][1].parent


def _tell(screen: Screen, verdict: dict[str, Any]) -> None:
    def line(one: dict[str, Any]) -> str:
        if "not_made" in one:
            return f"not made: {one['not_made']}"
        if "alike" in one:
            alike = one["alike"] if isinstance(one["alike"], list) else [one["alike"]]
            return f"alike {', '.join(f'{a:.3f}' for a in alike)}; two cases {one['two_cases']:.3f}; p {one['p']:.2g}"
        if "auprc" in one:
            return f"on its lesion {one['auprc']:.3f}, on another's {one['on_another_lesion']:.3f}; p {one['p']:.2g}"
        return "; ".join(
            f"{k} better than the map moved by {v:.3f}, in {one['better_in'][k]} of {verdict['n']}, p {one['p'][k]:.2g}"
            for k, v in one["better_than_moved_by"].items()
        )

    rows = [(name, "passed" if one["passed"] else "not passed", line(one)) for name, one in verdict["checks"].items()]
    if shorter := verdict.get("shorter"):
        screen.say(shorter)
    screen.table(verdict["method"], ("check", "", "told"), rows)
    screen.say(verdict["says"])
