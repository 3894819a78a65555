"""Commands of learning: train and judge. They need the extra `ml`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from isocenter.cli import Json, Said, Where, app, house, settings

if TYPE_CHECKING:
    from isocenter.record import Model

__all__ = ["LEARN_FROM_OTHERS", "must_not_be_sealed", "numbered", "records_now"]

Device = Annotated[
    Literal["cpu", "gpu"], typer.Option(help="Where it computes; on a GPU weights do not repeat to the last bit.")
]

LEARN_FROM_OTHERS = "learn from others: what it learnt from cannot test it"


@app.command()
def train(
    task: Annotated[str, typer.Argument(help="Name of a recipe, such as chest_xray_opacity, or a .toml file.")],
    data: Annotated[
        str, typer.Option(help="Labelled images (folder a class, .npz, .csv), a table, outlines; or a frozen cohort.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for model.onnx and model.json.")] = Path("model"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights on the same machine.")] = 0,
    begin: Annotated[
        Path | None, typer.Option(help="A model to go on from, by name or folder; or folder of a pretraining.")
    ] = None,
    device: Device = "cpu",
    analysis: Annotated[
        str, typer.Option(help="With a cohort: the analysis whose question was answered; else that of the recipe.")
    ] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of the model that lies in --out.")] = False,
    say: Said = None,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Train a model; what comes out is a candidate, released by nobody.

    Of a frozen cohort what readers signed is learnt, taken as `examples take` does into a folder beside `out`, named
    OUT-examples: a model is handed on, images are not. Of examples the archive is asked, before and after, whether
    they may still be learnt from, and its journal keeps that the model did; where they may not, no model stays.
    """
    from isocenter.cli.screen import Screen
    from isocenter.errors import Refused
    from isocenter.govern.policy import HOUSE
    from isocenter.learn.alone import alone
    from isocenter.learn.train import train as fit
    from isocenter.record import Kind

    screen = Screen(as_json)
    with alone(out):
        _must_be_free(out, replace)
        source = Path(data) if Path(data).exists() else _of_cohort(data, task, out, analysis, say or [], folder)
        must_not_be_sealed(folder, source, LEARN_FROM_OTHERS)
        signed = (source / "examples.json").is_file()
        if signed:
            with house(folder) as held:
                held.site.teaching.may_learn(source, who=HOUSE)
        tell, before = None if as_json else screen.say, records_now(out, _placed(begin))
        try:
            model = fit(task, source, out, seed=seed, begin=_placed(begin), device=device, progress=tell)
        except KeyboardInterrupt:
            goes_on = "goes on from what it kept in" if next(out.glob("*.checkpoint"), None) else "begins anew in"
            screen.warn(f"stopped: the same command {goes_on} {out}")
            raise
        if signed:
            with house(folder) as held:
                earlier = held.site.journal.since(kinds=(Kind.MODEL_TRAINED,), subject=model.name, limit=10_000_000)
                model = numbered(out, model, before, [str(sealed.event.details["version"]) for sealed in earlier])
                try:
                    held.site.teaching.taught(model.name, model.version, model.digest, source, who=HOUSE)
                except Refused:  # terms of use ended while it learnt
                    for name in ("model.onnx", "model.json", "card.md", "learnt.bin", "cases.json", "recipe.toml"):
                        (out / name).unlink(missing_ok=True)
                    raise
        else:
            model = numbered(out, model, before)
        screen.answer(model)
        screen.say(f"{model.name} {model.version}: {model.state}, written to {out}")
        screen.say(f"next: isocenter judge {out} --data CASES, on people in no training; see also {out / 'card.md'}")


def _must_be_free(out: Path, replace: bool) -> None:
    """Go on only where no model would be lost: none lies there, a run that was ended goes on there, or it was said."""
    from isocenter.analysis.weights import record_in
    from isocenter.errors import Conflict

    record = out / "model.json"
    if replace or not record.is_file() or next(out.glob("*.checkpoint"), None):
        return
    there = record_in(record)
    raise Conflict(
        f"{there.name} {there.version} in {out}", "what is trained now would take its place",
        "name another folder with --out, or say --replace",
    )  # fmt: skip


def records_now(*beside: Path | None) -> list[Model]:
    """Records of the models that lie on the shelf, that shipped, and that lie in these folders."""
    from isocenter.analysis.weights import folders, record_in

    chosen = settings()
    places = [place for folder in folders(Path(chosen.models) if chosen.models else None) for place in folder.iterdir()]
    files = [place / "model.json" for place in (*places, *beside) if place is not None]
    return [record_in(file) for file in files if file.is_file()]


def numbered(out: Path, model: Model, before: Sequence[Model], also: Sequence[str] = ()) -> Model:
    """A candidate with the version after those that were known of its name before it was made.

    Args:
        before: of `records_now`. also: versions that the journal knows.
    """
    from isocenter.analysis.weights import next_version
    from isocenter.learn.card import versioned

    known = [one for one in before if one.name == model.name]
    return versioned(out, next_version(known, model.digest, also))


def _placed(begin: Path | None) -> Path | None:
    """The folder that is named, or that of the model of this name."""
    from isocenter.analysis.weights import models

    if begin is None or begin.exists():
        return begin
    chosen = settings()
    held = models(Path(chosen.models) if chosen.models else None).get(str(begin))
    return held[1].parent if held is not None else begin


def _of_cohort(name: str, task: str, out: Path, analysis: str, say: list[str], folder: Path | None) -> Path:
    """The signed readings of a frozen cohort as a folder of examples; the one that is there, where a run goes on."""
    from isocenter.analysis.registry import discover
    from isocenter.cli.consent import said_of
    from isocenter.errors import Conflict, NotFound
    from isocenter.govern.consent import Purpose
    from isocenter.govern.policy import HOUSE
    from isocenter.learn.recipes import taught_by

    examples, how = out.resolve().with_name(f"{out.resolve().name}-examples"), taught_by(task)
    if (kept := examples / "examples.json").is_file():  # a run that goes on
        if (of := json.loads(kept.read_text("utf-8")).get("cohort")) != name:
            raise Conflict(
                f"examples of '{of}' in {examples}", f"the cohort '{name}' was asked for", "choose another --out"
            )
        return examples
    asked = analysis or next(
        (n for n, one in discover().analyses.items() if getattr(one, "weights", "") == how.task), how.task
    )
    with house(folder) as held:
        try:
            cohort = held.site.cohorts.made(name, who=HOUSE)
        except NotFound as e:
            raise NotFound(
                f"no data at {name}",
                f"it is no file and no folder; as a cohort: {e}",
                "check the path, or the name of the cohort",
            ) from e
        use = held.site.consents.use(Purpose.TRAINING, who=HOUSE, **said_of(say))
        try:
            held.site.teaching.examples(asked, examples, who=HOUSE, task=task, use=use, cohort=cohort)
        except NotFound as e:
            if analysis:
                raise
            raise NotFound(
                f"an analysis for the recipe '{how.task}'", f"none has its name or runs on its weights ({e.what})",
                "name the one on whose reports it shall learn, such as --analysis thyroid_nodule",
            ) from e  # fmt: skip
    return examples


@app.command(name="recipe")
def recipe_shown(
    name: Annotated[str, typer.Argument(help="Name of a recipe, a .toml file, or a model's folder; none: all.")] = "",
    as_json: Json = False,
) -> None:
    """Show a recipe as a TOML file, to be read, changed and trained by; without a name, list the recipes."""
    from isocenter.cli.screen import Screen
    from isocenter.learn.recipes import OWN_TRAINING, RECIPES

    screen = Screen(as_json)
    if not name:
        rows = [(n, RECIPES[n].card["title"]) for n in sorted(RECIPES)]
        rows += [(n, "a training of its own, to be read alone") for n in sorted(OWN_TRAINING)]
        screen.answer([{"recipe": n, "title": title} for n, title in rows])
        return screen.table("Recipes", ("recipe", "what"), rows)
    text = _recipe_of(name)
    screen.answer({"toml": text})
    return screen.say(text.rstrip())


def _recipe_of(name: str) -> str:
    """A recipe as TOML: of a name, a file or a model's folder; one that cannot be a file of one's own says so."""
    from importlib import import_module

    from isocenter.analysis.weights import record_in
    from isocenter.learn.recipe_files import KINDS, recipe_read, recipe_text
    from isocenter.learn.recipes import OWN_RECIPES, recipe, recipe_behind

    record = Path(name) / "model.json"
    task = record_in(record).name if record.is_file() else name.lower().replace("-", "_")
    if task in OWN_RECIPES:
        module, kind = OWN_RECIPES[task]
        return recipe_read(getattr(import_module(module), kind)())
    how = recipe_behind(record_in(record)) if record.is_file() else recipe(name)
    return recipe_text(how) if isinstance(how, tuple(KINDS.values())) else recipe_read(how)


@app.command()
def seeds(
    model: Annotated[Path, typer.Argument(help="Folder of the model whose card lists them.")],
    runs: Annotated[list[Path], typer.Argument(help="Folders of trainings of the same recipe from other seeds.")],
    as_json: Json = False,
) -> None:
    """List on the card of a model what its recipe gave from other seeds; its weights stay as they are."""
    from isocenter.cli.screen import Screen
    from isocenter.learn.alone import alone
    from isocenter.learn.card import headings
    from isocenter.learn.seeds import listed

    screen = Screen(as_json)
    with alone(model):
        held = listed(model, runs)
    screen.answer(held.evidence["seeds"])
    for one in held.evidence["seeds"]:
        known = headings(one, held.card.get("goal", ()))
        told = "; ".join(f"{name} {_with_interval(one[name])}" for name in known)
        begun = ", from the same first network" if "began_with" in one else ""
        screen.say(f"seed {one['seed']}{begun}: {told}, n = {one['n']}, {one['seconds']} s")


@app.command()
def pretrain(
    task: Annotated[str, typer.Argument(help="Recipe whose network is trained, such as breastmnist, or a .toml file.")],
    data: Annotated[Path, typer.Option(help="Images; labels are not looked at: folder or .npz.")],
    out: Annotated[Path, typer.Option(help="Folder for body.safetensors, which `train --begin` takes.")],
    method: Annotated[
        Literal["contrast", "masking"], typer.Option(help="SimCLR, or masked autoencoding.")
    ] = "contrast",
    steps: Annotated[int, typer.Option(help="Steps of the descent.")] = 2000,
    batch: Annotated[int, typer.Option(help="Pictures in a step.")] = 128,
    device: Device = "cpu",
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights on the same machine.")] = 0,
    as_json: Json = False,
) -> None:
    """Train the body of a network on images without labels."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.learn.alone import alone
    from isocenter.learn.device import chosen
    from isocenter.learn.pretrain import Pretraining
    from isocenter.learn.pretrain import pretrain as learn

    screen = Screen(as_json)
    must_not_be_sealed(None, data, LEARN_FROM_OTHERS)
    how = Pretraining(task, method, steps=steps, batch=batch)
    with alone(out), chosen(device):
        told = learn(how, data, out, seed, None if as_json else screen.say)
    screen.answer(told)
    screen.say(f"a body of {many(told['pictures'], 'picture')}, written to {out}")


@app.command()
def judge(
    model: Annotated[str, typer.Argument(help="Name of a model, or folder that holds one.")],
    data: Annotated[Path, typer.Option(help="Folder with one folder a class, .npz, .csv, or images with outlines.")],
    out: Annotated[Path | None, typer.Option(help="File (.csv, .json) or folder for the predictions.")] = None,
    split: Annotated[str | None, typer.Option(help="Only this part of the data, such as test.")] = None,
    groups: Annotated[
        Path | None, typer.Option(help="CSV: a column with the case's name, and one a group (sex, age, site, scanner).")
    ] = None,
    alpha: Annotated[float, typer.Option(help="Part of cases of a class that may miss the conformal promise.")] = 0.1,
    promise_on: Annotated[
        Path | None, typer.Option(help="Other labelled cases that set the promise's limits; else half of the people.")
    ] = None,
    promise_groups: Annotated[Path | None, typer.Option(help="CSV with the groups of those cases.")] = None,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Measure a model on labelled cases: figures with intervals, subgroups, calibration, what acting on it brings.

    Where an archive is named, it keeps the figures and the cases behind them (isocenter cases); and its sealed test
    sets are not judged on: `release` looks at them, and counts.
    """
    from isocenter.cli.screen import Screen
    from isocenter.errors import Refused
    from isocenter.learn.judge import judged

    screen, chosen = Screen(as_json), settings()
    if not 0 < alpha < 1:
        raise Refused(f"--alpha {alpha:g}", "it is the part of cases that may miss the promise", "give 0.1 or the like")
    must_not_be_sealed(folder, data, "look at it with `isocenter release --data`, which counts the looks")
    found = judged(model, data, split, Path(chosen.models) if chosen.models else None, tell=screen.warn)
    if out is not None:
        found.write(out)
    said = dict(found.report)
    if groups is not None:
        _add_groups(said, found, groups)
    if promise_groups is not None and promise_on is None:
        raise typer.BadParameter("--promise-groups names groups of the cases of --promise-on, which is not given")
    apart = (
        (judged(model, promise_on, None, Path(chosen.models) if chosen.models else None), promise_groups)
        if promise_on is not None else None
    )  # fmt: skip
    said |= _used(found, groups, alpha, apart)
    if folder is not None and folder.exists():
        said["kept"] = _keep(folder, data, found, said, groups)
    screen.answer(said)
    for name, value in said["metrics"].items():
        for part, one in {"": value}.items() if "value" in value else value.items():
            screen.say(f"{name} {part} {_with_interval(one)}".replace("  ", " "))
    people = f" of {said['people']} people" if said.get("people", said["n"]) < said["n"] else ""
    screen.say(f"n = {said['n']}{people}, declined {said['declined']}")
    if said["border"] != "asked":
        screen.say(said["border"])
    for remark in said.get("remarks", ()):
        screen.warn(remark)
    if said.get("learnt_from"):
        screen.say(
            f"{said['learnt_from']} of these cases the model has learnt from: of them it answers from memory, and no "
            "figure here says how well it does elsewhere"
        )
    if "kept" in said:
        screen.say(f"kept in the archive: {said['kept']['why'] or 'each figure opens its cases, isocenter cases'}")
    _tell_use(screen, said)
    for gap in said.get("fairness", {}).get("gaps", ()):
        screen.say(
            f"worse for {gap['by']} {gap['worse']}: {gap['figure']}, {abs(gap['value']):.3f} apart "
            f"({gap['low']:.3f} to {gap['high']:.3f}), corrected p {gap['p_corrected']:.3f}"
        )


def _keep(folder: Path, data: Path, found: Any, said: dict[str, Any], groups: Path | None) -> dict[str, Any]:
    """Have the archive keep figures and cases; the digest of the data, and why no cases are kept where none are."""
    from isocenter.govern.policy import HOUSE
    from isocenter.learn.answers import answers_of
    from isocenter.learn.sealed import read_groups
    from isocenter.learn.tested import MOST, counted, together

    names = [str(row["name"]) for row in found.cases]
    named = read_groups(groups, answers_of(found.model, found.cases).names) if groups is not None else {}
    inside = set(answers_of(found.model, found.cases).names)
    rows = [row for row in found.cases if str(row["name"]) in inside]
    digest, lines = together(found.model, rows, data, named)
    figures = {k: said[k] for k in ("n", "metrics", "calibration", "subgroups", "declined")}
    with house(folder) as held:
        held.site.gating.measure(found.model, digest, {**figures, "errors": counted(lines)}, lines, who=HOUSE)
    why = "" if lines else f"the figures alone: {len(names)} cases are more than {MOST}"
    return {"data": digest, "cases": len(lines), "why": why}


def _used(found: Any, groups: Path | None, alpha: float, apart: tuple[Any, Path | None] | None) -> dict[str, Any]:
    """What acting on the model's certainties brings; nothing for a model that states none."""
    from isocenter.learn.judge_use import stated_of, used
    from isocenter.learn.sealed import read_groups

    def with_groups(one: Any, path: Path | None) -> tuple[Any, dict[str, Any]]:
        cases = stated_of(one.model, one.predictions)
        return cases, read_groups(path, cases.names) if cases is not None and path is not None else {}

    cases, named = with_groups(found, groups)
    if cases is None:
        return {}
    return used(cases, found.model, groups=named, alpha=alpha, apart=with_groups(*apart) if apart else None)


def _tell_use(screen: Any, said: dict[str, Any]) -> None:
    for point in said.get("operating_points", ()):
        if "threshold" in point:
            rates = ", ".join(f"{n} {_with_interval(point[n])}" for n in ("sensitivity", "specificity"))
            screen.say(f"at {point['name']} (certainty {point['threshold']:.3f}): {rates}; chosen {point['chosen']}")
    for one in said.get("conformal", {}).get("promises", ()):
        where = f"{one['by']} {one['group']}" if one["by"] else "everybody"
        held = ", ".join(f"{name} {_with_interval(h)} of {h['n']}" for name, h in one.get("held", {}).items())
        screen.say(f"{where}: " + (one.get("refused") or f"the answers held the truth for {held}"))


def _with_interval(figure: Any) -> str:
    """A figure with its 95 % interval, where one could be made."""
    if "value" not in figure:
        return f"not known ({figure['not_made']})"
    return f"{figure['value']:.3f}" + (f" ({figure['low']:.3f} to {figure['high']:.3f})" if "low" in figure else "")


def _probes(found: Any, answers: Any, named: dict[str, Any]) -> list[dict[str, Any]]:
    """What else the features tell: each division read from them, or why not."""
    from dataclasses import asdict

    import numpy as np

    from isocenter.errors import Refused
    from isocenter.methods.probe import probe

    if found.features is None:
        return [{"by": by, "not_made": "this model does not tell its features"} for by in named]
    here = {str(row["name"]): n for n, row in enumerate(found.predictions)}
    features = found.features[[here[name] for name in answers.names]]
    labels, told = answers.truth if answers.truth is not None else answers.right, []
    for by, values in named.items():
        try:
            rng = np.random.default_rng(0)
            read = probe(features, values, labels=labels, people=answers.people, rng=rng)
            told.append({"by": by, **asdict(read)})
        except Refused as why:
            told.append({"by": by, "not_made": f"{why.what}: {why.why}"})
    return told


def _add_groups(said: dict[str, Any], found: Any, path: Path) -> None:
    """Rows of each group, and the gaps that chance does not explain."""
    from isocenter.govern.fairness import Cases, fairness
    from isocenter.learn.answers import answers_of
    from isocenter.learn.sealed import read_groups

    answers = answers_of(found.model, found.cases)
    named = read_groups(path, answers.names)
    told = fairness(
        Cases(answers.right, answers.figure, named, answers.truth, answers.score, answers.called, answers.people)
    )  # fmt: skip
    told["probes"] = _probes(found, answers, named)
    rows = told.pop("subgroups")
    said["subgroups"] = [row for row in said["subgroups"] if row.get("by") not in named] + rows
    said["fairness"] = told


@app.command()
def recalibrate(
    model: Annotated[str, typer.Argument(help="Name of a model, or folder that holds one.")],
    data: Annotated[Path, typer.Option(help="Labelled cases of the place where it shall work; none of the test set.")],
    out: Annotated[Path, typer.Option(help="Folder for the new version; empty or new.")],
    how: Annotated[
        Literal["temperature", "platt", "isotonic"], typer.Option(help="By which form the certainties are made true.")
    ] = "platt",
    split: Annotated[str | None, typer.Option(help="Only this part of the data, such as val.")] = None,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Make another version of a model whose certainties are true here: a candidate with its own digest and gate."""
    from isocenter.cli.screen import Screen
    from isocenter.learn.alone import alone
    from isocenter.learn.recalibrate import recalibrated

    screen, chosen = Screen(as_json), settings()
    shelf = Path(chosen.models) if chosen.models else None
    must_not_be_sealed(folder, data, "take other cases: what sets a calibration cannot test it")
    with alone(out):
        made = recalibrated(model, data, out, how, shelf, split=split)
    screen.answer(made)
    was, now = made.evidence["calibration_before"], made.evidence["calibration"]
    screen.say(f"{made.name} {made.version}: {made.state}, weights {made.digest[:12]}, parent {made.parent[:12]}")
    screen.say(f"expected calibration error {was['ece']:.3f}, now {now['ece']:.3f} on people that set nothing")
    screen.say(f"Brier score {was['brier']:.4f}, now {now['brier']:.4f}; next: isocenter release {made.name}")


def must_not_be_sealed(folder: Path | None, data: Path, do: str) -> None:
    """Go on only if the data are no sealed test set of the archive that is named, or else lies in its usual place.

    Raises:
        Refused: they are.
    """
    from isocenter.errors import Refused
    from isocenter.govern.policy import HOUSE
    from isocenter.learn.sealed import digest_of_data

    folder = folder or settings().folder
    if not folder.exists():
        return
    with house(folder) as held:
        if model := held.site.gating.sealed_for(digest_of_data(data), who=HOUSE):
            raise Refused(f"the data '{data.name}'", f"they are the sealed test set of {model}",
                          do)  # fmt: skip
