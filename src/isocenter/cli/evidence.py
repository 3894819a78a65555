"""Commands of evidence: cases, behind each figure of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isocenter.cli import Json, Limit, Offset, Where, app, house

__all__: list[str] = []

_COLUMNS = ("study", "true", "said", "certainty", "right", "declined")


@app.command()
def cases(
    model: Annotated[str, typer.Argument(help="Name of a model of the archive, or the folder of a model: no archive.")],
    metric: Annotated[str, typer.Option(help="The figure whose cases are wanted, such as sensitivity or auc.")] = "",
    of: Annotated[
        Literal["all", "ill", "well", "called", "not called", "missed", "false alarms", "wrong", "declined"] | None,
        typer.Option(help="Or which cases."),
    ] = None,
    division: Annotated[
        str, typer.Option(help="With --group: class, finding, sex, site, …, as subgroups name it.")
    ] = "",
    group: Annotated[str, typer.Option(help="Only cases of this group.")] = "",
    bin: Annotated[int, typer.Option(min=-1, help="Only cases of this filled bin of the calibration, from 0.")] = -1,
    on: Annotated[
        str,
        typer.Option(
            metavar="claimed|sealed|DIGEST", help="Validation of its training, its sealed test, or data of `judge`."
        ),
    ] = "claimed",
    by: Annotated[str, typer.Option(help="Your account: who opens cases of a sealed test is a person.")] = "",
    limit: Limit = 50,
    offset: Offset = 0,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """List the cases behind a figure of a model, the most wrong first, with their study where it is in the archive.

    What is in no study here stands as a prediction alone. Each look at cases of a sealed test is counted.
    """
    from isocenter.cli.screen import Screen
    from isocenter.errors import Refused
    from isocenter.learn.tested import about

    if metric and of:
        raise Refused(f"--metric {metric} and --of {of}", "either says which cases are meant", "give one of them")
    asked: dict[str, Any] = {"of": of or about(metric), "by": division, "group": group, "bin": bin}
    screen = Screen(as_json)
    told = (
        _beside(Path(model), asked) if (Path(model) / "model.json").is_file()
        else _here(model, asked, on, by, folder, offset + limit)
    )  # fmt: skip
    every = [*told["cases"], *told["alone"]]
    shown = every[offset : offset + limit]
    screen.answer({**{k: v for k, v in told.items() if k not in ("cases", "alone")}, "cases": shown})
    screen.say(f"{told['words']} of {told['model']}: {told['n']}, from data with SHA-256 {told['test'][:12]}")
    if told["elsewhere"]:
        why = ", fewer than ten cases are elsewhere: their predictions are not told" if told["withheld"] else ""
        screen.say(f"{told['elsewhere']} of them are not in this archive, or not to be opened{why}")
    rows = [
        (c.get("study", ""), c["truth"], c["said"], "" if c["score"] is None else f"{c['score']:.3f}",
         f"{c['right']:.3f}", "declined" if c["declined"] else "") for c in shown
    ]  # fmt: skip
    screen.table(f"{offset + 1} to {offset + len(shown)} of {told['n']}", _COLUMNS, rows)


def _beside(folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """What lies beside a model in a folder: no archive is asked, so that no case has a study."""
    from isocenter.analysis.weights import record_in
    from isocenter.learn.tested import PICKS, picked, read

    held = record_in(folder / "model.json")
    some = [{k: v for k, v in line.items() if k != "case"} for line in picked(read(folder, held), **asked)]
    return {
        "model": held.name, "digest": held.digest, "test": str(held.evidence["cases"].get("data", "")),
        "of": asked["of"], "words": PICKS[asked["of"]], "n": len(some), "elsewhere": len(some), "cases": [],
        "alone": some, "withheld": False,
    }  # fmt: skip


def _here(
    name: str, asked: dict[str, Any], on: str, by: str, folder: Path | None, most: int
) -> dict[str, Any]:  # fmt: skip
    """Those of a model of the archive, page after page up to the last that is wanted."""
    from isocenter.cli.persons import signed_in
    from isocenter.errors import Refused
    from isocenter.govern.policy import HOUSE

    if on == "sealed" and not by.strip():
        raise Refused("cases of a sealed test that nobody opens", "each look is counted with who", "name one: --by")

    def pages(site: Any, who: Any) -> dict[str, Any]:
        of = {**asked, "on": "" if on == "sealed" else on, "who": who}
        told: dict[str, Any] = site.evidencing.cases(name, **of)
        while len(told["cases"]) + len(told["alone"]) < min(most, told["n"]):
            more = site.evidencing.cases(name, **of, start=(start := told["start"] + told["page"]))
            if not more["cases"] and not more["alone"]:
                break
            told |= {"start": start, **{k: [*told[k], *more[k]] for k in ("cases", "alone")}}
        return told

    if by.strip():
        with signed_in(folder, by) as (held, who):
            return pages(held.site, who)
    with house(folder) as held:
        return pages(held.site, HOUSE)
