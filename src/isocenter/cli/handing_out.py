"""Command by which a research group gets a cohort: cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isocenter.cli import Blank, For, Json, Options, Reviewed, Said, Where, app, house

__all__: list[str] = []


@app.command()
def cohort(
    name: Annotated[str, typer.Argument(help="Name or digest of a frozen cohort; with --ask, the name of a new one.")],
    out: Annotated[Path, typer.Argument(help="Folder that is made: dicom, studies.parquet, studies.csv, report.json.")],
    ask: Annotated[str, typer.Option(help="Freeze who meets this question now, as 'modality:CT age:40..60'.")] = "",
    purpose: For = "research",
    say: Said = None,
    option: Options = None,
    reviewed: Reviewed = None,
    blank: Blank = False,
    smallest_group: Annotated[
        int, typer.Option(help="Fewest patients that share sex, age, body part and kind of image.")
    ] = 5,
    reason: Annotated[str, typer.Option(help="Why smaller groups may leave; the journal keeps it.")] = "",
    workers: Annotated[int, typer.Option(help="Processes; 0 takes one for each processor.")] = 0,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Hand out a consented cohort: images without persons and faces, a table, a report of what was done and why."""
    import os

    from isocenter.cli.consent import purpose_of, said_of
    from isocenter.cli.screen import Screen
    from isocenter.cli.trust import in_small_groups
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held, screen.progress("handing out") as told:
        site = held.site
        use = site.consents.use(purpose_of(purpose), who=HOUSE, **said_of(say or []))
        id = site.cohorts.freeze(name, ask, use=use, who=HOUSE) if ask else site.cohorts.called(name, who=HOUSE)
        report, left = site.hand_out(
            id, out, use=use, who=HOUSE, options=option or ["research"], reviewed=reviewed or [], blank=blank,
            smallest_group=smallest_group, reason=reason, workers=workers or os.cpu_count() or 1, told=told,
        )  # fmt: skip
    alone = in_small_groups(report["risk"]["small_groups"])
    screen.answer(report | {"stayed": left, "warnings": alone})
    studies, patients = report["cohort"]["studies"], report["patients"]
    whose = f"{many(studies, 'study', 'studies')} and {many(patients, 'patient')}"
    screen.say(f"{many(report['written'], 'object')} of {whose} in {out}")
    rows = [(row["study"] or row["object"], row["why"]) for row in left][:30]
    screen.table("stayed" if rows else "", ("study or image", "why"), rows)
    for row in report["risk"]["remaining"]:
        screen.say(f"remaining risk: {row['risk']} ({many(row['objects'], 'object')})")
    screen.say(f"smallest group of alike patients: {report['risk']['smallest_group']}")
    for words in alone:
        screen.warn(words)
