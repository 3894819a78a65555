"""Commands of a model's way to people: release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isocenter.cli import Json, Where, app, house
from isocenter.cli.persons import signed_in
from isocenter.errors import Refused

__all__: list[str] = []

_WRITE = "write one as docs/do/release-a-model.md shows it: may_change, protocol and impact"
_NOT_YET = (
    "candidate",
    "tested",
    "compared",
    "shadow",
)  # nobody released it; it is stopped all the same
_Step = Literal["test", "compare", "shadow", "release", "suspend", "reject", "retire"]


@app.command()
def release(
    model: Annotated[str, typer.Argument(help="Name of a model.")],
    by: Annotated[
        str, typer.Option(help="Account of the person who takes the step, whose password is asked for.")
    ] = "",
    reason: Annotated[str, typer.Option(help="Why; it stands in the journal.")] = "",
    step: Annotated[_Step | None, typer.Option(help="The step that is taken; by default the next on its way.")] = None,
    change: Annotated[Path | None, typer.Option(help="Declare this change record (JSON) first.")] = None,
    seal: Annotated[Path | None, typer.Option(help="Seal this file or folder as its test set first.")] = None,
    data: Annotated[Path | None, typer.Option(help="The sealed test set, to be looked at now.")] = None,
    groups: Annotated[Path | None, typer.Option(help="CSV with the groups of the sealed cases.")] = None,
    against: Annotated[Path | None, typer.Option(help="Folder of the model that is released now.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Say where it stands and what the next step lacks.")] = False,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Take one step of a model's way: sealed test, not inferior, shadow, released; or suspend it everywhere."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE, must

    screen = Screen(as_json)
    if show:
        with house(folder) as held:
            _say(screen, held.site, held.site.gating.told(model, who=HOUSE))
        return
    if not by.strip():
        raise Refused("a step that nobody takes", "a model takes no step by itself", "name a person with --by")
    _must_mean_one_thing(step, data, groups, against)
    with signed_in(folder, by) as (held, who):
        must(who, "release")  # before a change record is looked for, and anything is measured
        from isocenter.learn.sealed import digest_of_data

        gating, said = held.site.gating, {"reason": reason, "who": who}
        record = _record(change) if change is not None else None
        sealed = digest_of_data(seal) if seal is not None else None  # both are read before either is written down
        if record is not None:
            gating.declare(model, record, **said)
        if sealed is not None:
            gating.seal(model, sealed, **said)
        if data is not None or step == "test":
            _test(held.site, model, data, groups, against, said)
        elif step == "suspend" and gating.told(model, who=HOUSE)["state"] in _NOT_YET:
            held.site.halting.stop_model(model, **said)
            screen.say(f"every analysis here that runs on {model} is stopped; it was released to nobody")
        elif step or (change is None and seal is None):
            gating.step(model, step or _next(gating.told(model, who=HOUSE)), **said)
        _say(screen, held.site, gating.told(model, who=HOUSE))


def _must_mean_one_thing(step: _Step | None, data: Path | None, groups: Path | None, against: Path | None) -> None:
    """Refuse words that do not go together: a look that nobody meant would be used up.

    Raises:
        Refused: data beside another step than the test, or what belongs to a test without one.
    """
    if data is not None and step not in (None, "test"):
        raise Refused(
            f"--data beside --step {step}", "data are looked at in the step 'test' alone, and looks are counted",
            "leave one of them out",
        )  # fmt: skip
    beside = "--groups" if groups is not None else "--against" if against is not None else ""
    if beside and data is None and step != "test":
        raise Refused(f"{beside} without --data", "it belongs to a look at the sealed test", "give the data, too")


def _say(screen: Any, site: Any, told: dict[str, Any]) -> None:
    from isocenter.govern.gate import declared
    from isocenter.govern.policy import HOUSE
    from isocenter.reading.disclosure import Mode, Use

    screen.answer(told)
    screen.say(f"{told['model']}: {told['state']}, weights {told['digest'][:12]}")
    judged = told["judged"]
    minus = "now minus when it was released" if judged and judged.get("itself") else "new minus old"
    if judged and told["state"] in ("tested", "compared", "shadow", "suspended"):
        most = declared(told["change"]).looks
        screen.say(
            f"on the sealed test {judged['metric']} {_interval(judged['primary'])}, n = {judged['n']}; "
            f"{told['looks']} of {most} looks are taken"
        )
        for gap in judged["gaps"]:
            where = f"in {gap['group']}" if gap.get("group") else "in all"
            new = f"{minus} {gap['figure']} {_interval(gap)}, n = {gap['n']}" if "figure" in gap else ""
            screen.say(f"   {where}: {new or gap['insufficient']}")
    if told["unused"] and told["unused"] not in told["missing"]:
        screen.warn(told["unused"])
    for one in told["missing"]:
        screen.say(f"the step '{told['next']}' lacks: {one}")
    modes = site.modes(who=HOUSE)
    for analysis in told["steps"][-1]["analyses"] if told["state"] == "released" else ():
        if modes.of(analysis, Use.READING) is Mode.SHADOW:
            screen.say(
                f"readers see nothing of {analysis} yet: it is in shadow until two persons agree to another mode, on "
                f"its page or by POST /api/modes/{analysis}"
            )
    if told["next"] and not told["missing"]:
        screen.say(f"next is the step '{told['next']}': isocenter release {told['model']} --by NAME --reason WHY")


def _interval(figure: dict[str, Any]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _next(told: dict[str, Any]) -> str:
    from isocenter.errors import WrongState

    if not told["next"]:
        raise WrongState(f"{told['model']} is {told['state']}", "no step leads on from there", "name one with --step")
    return str(told["next"])


def _record(path: Path) -> dict[str, Any]:
    import json

    from isocenter.errors import NotFound

    try:
        said = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as absent:
        raise NotFound(f"no change record at {path}", "there is no such file", _WRITE) from absent
    except (UnicodeDecodeError, json.JSONDecodeError) as bad:
        raise Refused(f"{path.name} is no JSON", str(bad)[:120], _WRITE) from bad
    if not isinstance(said, dict):
        raise Refused(f"{path.name} is no change record", "it has may_change, protocol and impact", _WRITE)
    return said


def _must_be_the_network(model: str, against: Path, shelf: Path | None) -> None:
    """Go on only if a recalibrated model holds the network that it claims to hold.

    Raises:
        Refused: other weights, under the name of a recalibration.
    """
    from isocenter.analysis.weights import models, read_file
    from isocenter.learn.recalibrate import network_digest

    mine, theirs = read_file(models(shelf)[model][1]), read_file(against / "model.onnx")
    if network_digest(mine) != network_digest(theirs):
        raise Refused(
            f"the weights of {model}", "its record says that only the calibration changed, and the network is another",
            "release it as what it is: other weights",
        )  # fmt: skip


def _test(
    site: Any, model: str, data: Path | None, groups: Path | None, against: Path | None, said: dict[str, Any]
) -> None:
    from isocenter.analysis.weights import placed
    from isocenter.govern.gate import declared
    from isocenter.learn.answers import answers_of
    from isocenter.learn.cases_to_test import cases_to_test, of_cases
    from isocenter.learn.judge import judged, must_be_new, opened
    from isocenter.learn.judge_use import stated_of, used
    from isocenter.learn.sealed import digest_of_data, measured, of_groups, read_groups
    from isocenter.learn.tested import counted, image_digests, kept

    if data is None:
        raise Refused(f"a test of {model} without data", "the sealed test set is wanted", "give it with --data")
    if not said["reason"].strip():
        raise Refused("a look without a reason", "whoever asks later must find out", "say why with --reason")
    gating = site.gating
    held, old = gating.model(model), gating.replaced(gating.model(model))
    shelf = Path(site.shelf) if site.shelf else None
    if old is not None and against is None and (against := placed(old.digest, shelf)) is None:
        raise Refused(
            f"a test of {model} alone",
            f"it replaces {old.digest[:12]}…, with which it must be compared, and which lies in no folder of models",
            "give its folder with --against",
        )  # fmt: skip
    theirs = opened(against, shelf)[0] if against is not None else None
    if old is not None and theirs is not None and theirs.digest != old.digest:
        raise Refused(
            f"a comparison with {theirs.name} {theirs.digest[:12]}…",
            f"what it replaces is {old.digest[:12]}…", "give the folder of that model with --against, or none",
        )  # fmt: skip
    if old is not None and against is not None and "network" in held.inputs:
        _must_be_the_network(model, against, shelf)
    digest_of_test = digest_of_data(data)
    gating.may_look(model, digest_of_test, who=said["who"], grouped=groups is not None)
    cases = cases_to_test(model, data, shelf, compared=against is not None)  # what is refused unmeasured is no look
    must_be_new(model, data, shelf)
    everybody = read_groups(groups, cases) if groups is not None else {}
    if against is not None and cases_to_test(against, data, shelf) != cases:
        raise Refused("two models that answer other cases", "nothing can be compared", "seal data that both can read")
    gating.look(model, digest_of_test, **said)
    own = judged(model, data, None, shelf)
    new = answers_of(held, own.cases)
    other, digest = None, ""
    if against is not None and theirs is not None:
        other, digest = answers_of(theirs, judged(against, data, None, shelf).cases), theirs.digest
    told = gating.told(model, who=said["who"])["change"]
    least = declared(told).least_events
    named = of_cases(everybody, cases, new.names)
    figures = measured(new, other, named, least_events=least, against=digest)
    stated = stated_of(held, own.predictions)
    use = used(stated, held, groups=named) if stated is not None else {}
    lines = kept(held, own.predictions, new, image_digests(data, new.names, digest_of_test), named)
    shown = {k: own.report[k] for k in ("metrics", "calibration")}
    shown |= {"subgroups": of_groups(new, named), "errors": counted(lines)}
    gating.judged(model, {**figures, **shown, "use": use}, lines, **said)
