"""Commands on examples: take them from signed reports, look for wrong labels, choose what to have labelled next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isocenter.cli import Json, Where, app, house, settings
from isocenter.cli.learning import LEARN_FROM_OTHERS, must_not_be_sealed

__all__: list[str] = []

examples = typer.Typer(help="Training examples from what readers signed.", no_args_is_help=True)
app.add_typer(examples, name="examples")

Named = Annotated[str, typer.Option(help="Model whose embedding is used: a name, or a folder.")]


@examples.command()
def take(
    analysis: Annotated[str, typer.Argument(help="Analysis whose question is learnt, such as chest_xray_opacity.")],
    out: Annotated[Path, typer.Option(help="Folder for the training set; empty or new.")],
    task: Annotated[
        str, typer.Option(help="Recipe that shall learn, by name or .toml file; the analysis' own without it.")
    ] = "",
    agreement: Annotated[
        float, typer.Option(help="Weight of a label that agrees with an AI that had been seen.")
    ] = 0.25,
    purpose: Annotated[
        Literal["training", "federation"], typer.Option(help="To train here, or with other sites.")
    ] = "training",
    say: Annotated[
        list[str] | None, typer.Option(help="What terms of use want to know: ethics=EC-12, country=DE, non_profit.")
    ] = None,
    not_by: Annotated[list[str] | None, typer.Option(help="Reader whose labels are not taken. Again for several.")] = (
        None
    ),
    without: Annotated[
        Path | None, typer.Option(help="File with Study Instance UIDs that stay out, one a line: a sealed test.")
    ] = None,
    cohort: Annotated[str, typer.Option(help="Name or digest of a frozen cohort: only its members.")] = "",
    most: Annotated[float, typer.Option(help="Largest part of the weight that one reader may give alone.")] = 0.5,
    rehearse: Annotated[Path | None, typer.Option(help="Folder of earlier examples that are mixed in.")] = None,
    share: Annotated[float, typer.Option(help="Part of the whole that the earlier ones shall be.")] = 0.3,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Write a training set from signed reports: consent asked, agreement with a seen AI weighed down."""
    from isocenter.cli.consent import purpose_of, said_of
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    left_out = without.read_text("utf-8").split() if without is not None else ()
    with house(folder) as held:
        use = held.site.consents.use(purpose_of(purpose), who=HOUSE, **said_of(say or []))
        report = held.site.teaching.examples(
            analysis, out, who=HOUSE, task=task, use=use, agreement=agreement, without=left_out, not_by=not_by or (),
            rehearse=rehearse, share=share, cohort=held.site.cohorts.made(cohort, who=HOUSE) if cohort else None,
            most=most,
        )  # fmt: skip
    screen.answer(report)
    taken = f"{many(report['n'], 'example')} of {many(report['people'], 'person', 'people')}"
    screen.say(f"{taken} in {out}, weighing {report['weight']:g}")
    screen.say(", ".join(f"{n} {name}" for name, n in report["by_class"].items()))
    screen.table("", ("how the label came about", "n"), list(report["by_mode"].items()))
    for reader, by in report["scaled"].items():
        screen.say(f"labels of {reader} count {by:.2f} times: no reader gives more than a part of the weight alone")
    if any(part > 0.999 for part in report["influence"].values()):
        screen.warn("warning: one reader taught all of it: no other labels stand against theirs, the sealed test alone")
    if report["silent"]:
        silent = many(report["silent"], "signed study tells", "signed studies tell")
        screen.say(
            f"{silent} nothing: {analysis} declined, or had not answered when it was signed, or what was signed says "
            "nothing of it that is sure"
        )
    if "rehearsed" in report:
        screen.say(f"{many(report['rehearsed']['n'], 'earlier example lies', 'earlier examples lie')} beside them")
    for why, n in report["closed"].items():
        screen.say(f"{many(n, 'study stays', 'studies stay')} out: {why}")
    for why, n in report["left"].items():
        screen.say(f"{many(n, 'study', 'studies')} could not be used: {why}")
    screen.say(
        f"next: isocenter train {report['task']} --data {out} --out model --folder {folder or settings().folder}"
    )


@examples.command()
def doubt(
    data: Annotated[Path, typer.Argument(help="Folder that `examples take` wrote.")],
    model: Named,
    false_alarms: Annotated[float, typer.Option(help="Chance that anybody is named without a cause.")] = 0.05,
    as_json: Json = False,
) -> None:
    """Which labels are doubted, and whether one reader's are more often than chance explains."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.learn.examining import doubted_in

    screen, chosen = Screen(as_json), settings()
    report = doubted_in(data, model, Path(chosen.models) if chosen.models else None, false_alarms=false_alarms)
    screen.answer(report)
    screen.table(
        "", ("reader", "labels", "doubted", "expected", "p", ""),
        [(r["reader"], r["n"], r["doubted"], f"{r['expected']:.1f}", f"{r['p']:.4f}", "named" if r["named"] else "")
         for r in report["readers"]],
    )  # fmt: skip
    screen.say(f"{many(len(report['files']), 'label is', 'labels are')} doubted; look at these files first:")
    for file in report["files"][:20]:
        screen.say(f"   {file['file']} ({file['certainty']:.2f})")
    for twin in report["twins"][:20]:
        said = "with another label" if twin["apart"] else "under another person"
        screen.say(f"   {twin['files'][0]} and {twin['files'][1]} show the same, {said}")
    _tell_declined(screen, report)


@examples.command()
def choose(
    data: Annotated[Path, typer.Argument(help="Images without labels: folder or .npz.")],
    known: Annotated[Path, typer.Option(help="Labelled images: folder a class, .npz, or what `examples take` wrote.")],
    model: Named,
    n: Annotated[int, typer.Option(help="How many to choose.")] = 20,
    rule: Annotated[
        Literal["uncertainty", "diversity", "change", "mixed", "chance"],
        typer.Option(help="By which rule the cases are chosen."),
    ] = "mixed",
    as_json: Json = False,
) -> None:
    """Which images to have labelled next."""
    from isocenter.cli.screen import Screen
    from isocenter.learn.examining import chosen_from

    screen, here = Screen(as_json), settings()
    must_not_be_sealed(None, known, LEARN_FROM_OTHERS)
    report = chosen_from(data, known, model, Path(here.models) if here.models else None, n=n, rule=rule)
    screen.answer(report)
    screen.table("", ("file", "certainty"), [(c["file"], f"{c['certainty']:.2f}") for c in report["chosen"]])
    _tell_declined(screen, report)


def _tell_declined(screen: Any, report: dict[str, Any]) -> None:
    """Which images the model was not made for, and why; or that nobody taught it what to decline."""
    for file, why in list(report["because"].items())[:20]:
        screen.say(f"   {file} is none for this model: {why}")
    if report["border"] != "asked":
        screen.say(report["border"])


@examples.command()
def gain(
    data: Annotated[Path, typer.Argument(help="Labelled images of two classes: folder a class, .npz or .csv.")],
    model: Named,
    first: Annotated[int, typer.Option(help="Labels drawn by chance at the beginning.")] = 10,
    batch: Annotated[int, typer.Option(help="Labels that a rule chooses at once.")] = 10,
    rounds: Annotated[int, typer.Option(help="How often it chooses.")] = 8,
    draws: Annotated[int, typer.Option(help="How often all of it is played through.")] = 10,
    as_json: Json = False,
) -> None:
    """What each rule of `choose` would have brought on cases whose labels are known: look here before believing one."""
    from isocenter.cli.screen import Screen
    from isocenter.learn.examining import gained_in

    screen, here = Screen(as_json), settings()
    must_not_be_sealed(None, data, LEARN_FROM_OTHERS)
    extra = Path(here.models) if here.models else None
    report = gained_in(data, model, extra, first=first, batch=batch, rounds=rounds, draws=draws)
    screen.answer(report)
    rules = report["rules"]
    rows = [
        (at["labels"], *(f"{curve[k]['auc']:.3f} ({curve[k]['low']:.3f} to {curve[k]['high']:.3f})"
                         for curve in rules.values()))
        for k, at in enumerate(next(iter(rules.values())))
    ]  # fmt: skip
    screen.table("mean AUC (95 % of draws)", ("labels", *rules), rows)
