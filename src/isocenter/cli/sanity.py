"""Commands of maps of sensitivity: sanity. They need the extra `ml`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isocenter.cli import Json, Where, app, house, settings

if TYPE_CHECKING:
    from isocenter.cli.screen import Screen

__all__: list[str] = []


@app.command()
def sanity(
    model: Annotated[str, typer.Argument(help="Name of a model whose analysis gives a map, or its folder.")],
    data: Annotated[Path, typer.Option(help="What it learnt from: its partners learn from the same.")],
    partners: Annotated[Path, typer.Option(help="Folder that has the partner networks, or takes them.")] = Path(
        "partners"
    ),
    method: Annotated[list[str] | None, typer.Option(help="Also another method: smoothed, occlusion …")] = None,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Test whether a model's map of sensitivity may be shown: six checks, for these very weights.

    The verdict is kept in the evidence beside the weights, whichever it is, and decides from then on; with --folder the
    journal of that archive keeps it, too. Other methods are only told. Partners are trained where they are missing.
    """
    from isocenter.analysis.weights import read_file
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE
    from isocenter.learn.judge import opened
    from isocenter.learn.sanity import kept
    from isocenter.learn.sanity_films import SHOWN, films_sanity

    screen, chosen = Screen(as_json), settings()
    held, place = _placed(model, Path(chosen.models) if chosen.models else None, opened)
    names = list(dict.fromkeys([SHOWN[0], *(method or ())]))
    told = films_sanity(
        held, read_file(place / "model.onnx"), data, partners, names, screen.warn if as_json else screen.say
    )
    verdict: dict[str, Any] = {**told[0], "map": SHOWN[1], "digest": held.digest}
    kept(place, verdict, map=SHOWN[1])
    if folder is not None:
        with house(folder) as archive:
            archive.site.gating.map_tested(held, verdict, who=HOUSE)
    screen.answer([verdict, *told[1:]])
    for one in [verdict, *told[1:]]:
        _tell(screen, one)


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
        return "; ".join(f"{k} by {v:.3f}, p {one['p'][k]:.2g}" for k, v in one["better_than_noise_by"].items())

    rows = [(name, "passed" if one["passed"] else "not passed", line(one)) for name, one in verdict["checks"].items()]
    screen.table(verdict["method"], ("check", "", "told"), rows)
    screen.say(verdict["says"])
