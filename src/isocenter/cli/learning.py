"""Commands of learning: train and judge. They need the extra `ml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isocenter.cli import Json, app

__all__: list[str] = []


@app.command()
def train(
    task: Annotated[str, typer.Argument(help="Name of a recipe, such as chest_xray_opacity.")],
    data: Annotated[Path, typer.Option(help="Folder with one folder a class, a MedMNIST .npz, or cine with contours.")],
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
    data: Annotated[Path, typer.Option(help="Folder with one folder a class, or a MedMNIST .npz.")],
    as_json: Json = False,
) -> None:
    """Measure a model on labelled images: metrics with intervals, subgroups, calibration."""
    from isocenter.cli.screen import Screen
    from isocenter.learn.judge import judge as measure

    screen = Screen(as_json)
    said = measure(model, data)
    screen.answer(said)
    for name, value in said["metrics"].items():
        interval = f" ({value['low']:.3f} to {value['high']:.3f})" if "low" in value else ""
        screen.say(f"{name} {value['value']:.3f}{interval}")
    screen.say(f"n = {said['n']}, declined {said['declined']}")
