"""Commands of learning: train and judge. They need the extra `ml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isocenter.cli import Json, app, settings

__all__: list[str] = []


@app.command()
def train(
    task: Annotated[str, typer.Argument(help="Name of a recipe, such as chest_xray_opacity.")],
    data: Annotated[Path, typer.Option(help="Labelled images (folder a class, .npz, .csv), a table, or outlines.")],
    out: Annotated[Path, typer.Option(help="Folder for model.onnx and model.json.")] = Path("model"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights on the same machine.")] = 0,
    as_json: Json = False,
) -> None:
    """Train a model; what comes out is a candidate, released by nobody."""
    from isocenter.cli.screen import Screen
    from isocenter.learn.train import train as fit

    screen = Screen(as_json)
    model = fit(task, data, out, seed=seed, progress=None if as_json else screen.say)
    screen.answer(model)
    screen.say(f"{model.name} {model.version}: {model.state}, written to {out}")


@app.command()
def judge(
    model: Annotated[str, typer.Argument(help="Name of a model, or folder that holds one.")],
    data: Annotated[Path, typer.Option(help="Folder with one folder a class, .npz, .csv, or images with outlines.")],
    out: Annotated[Path | None, typer.Option(help="File (.csv, .json) or folder for the predictions.")] = None,
    split: Annotated[str | None, typer.Option(help="Only this part of the data, such as test.")] = None,
    as_json: Json = False,
) -> None:
    """Measure a model on labelled cases: metrics with intervals, subgroups, calibration."""
    from isocenter.cli.screen import Screen
    from isocenter.learn.judge import judged

    screen, chosen = Screen(as_json), settings()
    found = judged(model, data, split, Path(chosen.models) if chosen.models else None)
    if out is not None:
        found.write(out)
    said = found.report
    screen.answer(said)
    for name, value in said["metrics"].items():
        for part, one in {"": value}.items() if "value" in value else value.items():
            interval = f" ({one['low']:.3f} to {one['high']:.3f})" if "low" in one else ""
            screen.say(f"{name} {part} {one['value']:.3f}{interval}".replace("  ", " "))
    screen.say(f"n = {said['n']}, declined {said['declined']}")
