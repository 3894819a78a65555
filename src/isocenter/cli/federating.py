"""Commands of federated training: authority and identities, the coordinator, and a site that joins."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isocenter.cli import Json, app

__all__: list[str] = []

federate = typer.Typer(help="Train one model at many sites; no image leaves its site.", no_args_is_help=True)
app.add_typer(federate, name="federate")

Identity = Annotated[Path, typer.Option(help="Folder of this side's certificate, made by `federate identity`.")]


@federate.command()
def authority(
    folder: Annotated[Path, typer.Argument(help="Where its key and certificate go; keep it where nobody else is.")],
    name: Annotated[str, typer.Option(help="What it is called.")] = "isocenter-federation",
    as_json: Json = False,
) -> None:
    """Make the authority of a federation: whoever holds it decides who takes part."""
    from isocenter.app import now
    from isocenter.cli.screen import Screen
    from isocenter.govern.identities import make_authority

    screen = Screen(as_json)
    make_authority(folder, name, now=now())
    screen.answer({"authority": str(folder), "name": name})
    screen.say(f"{name} lies in {folder}; its key makes sites and must not travel")


@federate.command()
def identity(
    name: Annotated[str, typer.Argument(help="Name of the site, such as st-anna.")],
    authority: Annotated[Path, typer.Option(help="Folder of the authority.")],
    out: Annotated[Path, typer.Option(help="Folder of the identity; it goes to the site whole, and to nobody else.")],
    host: Annotated[
        list[str] | None,
        typer.Option(help="For the coordinator: name or address under which sites call. Again for several."),
    ] = None,
    days: Annotated[int, typer.Option(help="Days for which it is valid.")] = 90,
    as_json: Json = False,
) -> None:
    """Make the certificate of a site or, with --host, of the coordinator."""
    from isocenter.app import now
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.identities import make_identity

    screen = Screen(as_json)
    make_identity(out, name, authority, now=now(), hosts=host or (), days=days)
    screen.answer({"identity": str(out), "name": name, "coordinator": bool(host), "days": days})
    screen.say(f"{name} lies in {out}, valid for {many(days, 'day')}")


@federate.command()
def coordinate(
    recipe: Annotated[
        str, typer.Argument(help="Name of a recipe for classes, such as pneumoniamnist, or a .toml file.")
    ],
    identity: Identity,
    out: Annotated[Path, typer.Option(help="Folder for the weights and the record of the rounds.")],
    sites: Annotated[int, typer.Option(help="How many sites are waited for before it begins.")] = 3,
    at_least: Annotated[int, typer.Option(help="Fewest sites whose sum may be seen.")] = 3,
    method: Annotated[
        Literal["fedavg", "fedprox", "fedbn"], typer.Option(help="How the sites' updates become one model.")
    ] = "fedavg",
    rounds: Annotated[int, typer.Option(help="How many sums of the sites' updates are made.")] = 20,
    epochs: Annotated[int, typer.Option(help="Looks of a site at its pictures between two sums.")] = 1,
    batch: Annotated[int, typer.Option(help="Pictures of a site in one step of the descent; 0 for all at once.")] = 32,
    rate: Annotated[float, typer.Option(help="Learning rate of the descent at the sites.")] = 0.05,
    proximal: Annotated[float, typer.Option(help="With fedprox: how strongly it holds sites together.")] = 0.01,
    parts: Annotated[
        int, typer.Option(help="A round is one step on so small a part of each site's pictures; 0 for looks.")
    ] = 0,
    carried: Annotated[float, typer.Option(help="Part of the last move that is added to the next, below 1.")] = 0.0,
    server: Annotated[
        Literal["adam"] | None,
        typer.Option(help="The coordinator takes Adam's steps along the mean of the updates; without it, that mean."),
    ] = None,
    server_rate: Annotated[float, typer.Option(help="With --server adam: length of its steps.")] = 0.004,
    momentum: Annotated[float, typer.Option(help="Momentum of the descent at the sites, below 1.")] = 0.9,
    by_groups: Annotated[
        bool, typer.Option("--by-groups", help="Normalise each picture by itself, not over a batch.")
    ] = False,
    by_moments: Annotated[
        float, typer.Option(help="Normalise by the moments of all sites' pictures, of which a sum renews so much; 0.2.")
    ] = 0.0,
    clip: Annotated[float, typer.Option(help="Largest length (norm) of a site's update; 0 for any.")] = 0.0,
    privacy: Annotated[
        Literal["person", "site"] | None, typer.Option(help="Who is hidden by noise; nobody without it.")
    ] = None,
    noise: Annotated[float, typer.Option(help="Standard deviation of the noise, in clipping lengths.")] = 1.0,
    person_clip: Annotated[float, typer.Option(help="Largest length (norm) of one person's gradient.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the first weights and of the order of pictures.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8443,
    patience: Annotated[float, typer.Option(help="Seconds that a step waits for a site that is silent.")] = 30.0,
    training: Annotated[float, typer.Option(help="Seconds that a site may train in one round.")] = 1800.0,
    gathering: Annotated[float, typer.Option(help="Seconds that all sites are waited for at the beginning.")] = 600.0,
    archive: Annotated[
        Path | None, typer.Option(help="Folder of an archive whose journal keeps the rounds, for its pages to show.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Coordinate a federation: only sums of sites are seen here."""
    import time

    from isocenter.app import now
    from isocenter.cli.screen import Screen
    from isocenter.doors.federation_server import Door
    from isocenter.errors import Unavailable
    from isocenter.forms.words import many
    from isocenter.govern.identities import must_coordinate
    from isocenter.learn.alone import alone
    from isocenter.learn.federation import Federation
    from isocenter.learn.federation_rounds import Rounds
    from isocenter.learn.recipe_files import recipe_text
    from isocenter.learn.recipes import recipe as known_recipe

    screen = Screen(as_json)
    tell = screen.warn if as_json else screen.say
    must_coordinate(identity, now())
    wanted = known_recipe(recipe)
    how = Federation(
        wanted.task, method=method, rounds=rounds, epochs=epochs, batch=batch, rate=rate, proximal=proximal, clip=clip,
        at_least=at_least, parts=parts, carried=carried, momentum=momentum, by_groups=by_groups,
        server=server or "", server_rate=server_rate, by_moments=by_moments,
        privacy=privacy or "", noise=noise, person_clip=person_clip, seed=seed,
        own=recipe_text(wanted) if recipe.endswith(".toml") else "",
    )  # fmt: skip
    with _opened(archive) as held, alone(out):  # the archive before anything is made in --out
        run = Rounds(
            how, out, sites=sites, clock=time.monotonic, patience_s=patience, training_s=training,
            gathering_s=gathering, tell=tell,
        )  # fmt: skip
        with _kept(held, run) as keep:
            door = Door(run, identity, host, port)
            try:
                waits = f"waits for {many(sites, 'site')}"
                if run.finished():
                    waits = f"keeps the weights ready for {patience:.0f} s (--patience): all rounds are done"
                tell(f"listens at https://{host}:{door.port}, {waits}")
                while not run.finished():
                    time.sleep(0.25)
                    run.tick()
                    keep()
                end = max(patience, training) if run.stopped else patience  # who trains hears of a stop only then
                last = time.monotonic() + end
                if run.stopped and (names := run.unaware()):
                    tell(f"waits up to {end:.0f} s for {', '.join(names)} to hear it; Ctrl-C where they are gone")
                while not run.everybody_knows() and time.monotonic() < last:
                    time.sleep(0.1)
            except KeyboardInterrupt:
                done = f"{run.done} of {many(rounds, 'round')}"
                screen.warn(f"stopped after {done}: the same command with --out {out} goes on")
                raise
            finally:
                door.close()
    if run.stopped:
        raise Unavailable("the federation was stopped", run.stopped, "start it again with the same --out to go on")
    screen.answer({"run": run.run, "task": how.task, "rounds": run.rounds, "weights": str(out / "weights.safetensors")})
    screen.say(f"{many(run.done, 'round')}, weights in {out}")


@federate.command()
def join(
    url: Annotated[str, typer.Argument(help="Address of the coordinator, https://…")],
    data: Annotated[Path, typer.Option(help="Labelled images of this site: folder a class, .npz or .csv.")],
    identity: Identity,
    out: Annotated[Path, typer.Option(help="Folder for the weights, and for what a restart needs.")],
    at_least: Annotated[int, typer.Option(help="Fewest sites of whose sum this one will be a part.")] = 3,
    most_epsilon: Annotated[float, typer.Option(help="Largest epsilon that this site bears; 0 for any.")] = 0.0,
    archive: Annotated[
        Path | None, typer.Option(help="Folder of this site's archive, whose journal keeps what was taken part in.")
    ] = None,
    ground: Annotated[
        str, typer.Option(help="On what ground images may be used that no archive gave, such as consent EC-12.")
    ] = "",
    without: Annotated[
        list[str] | None, typer.Option(help="A class of which this site has no picture. Again for several.")
    ] = None,
    patience: Annotated[float, typer.Option(help="Seconds that a silent coordinator is waited for.")] = 300.0,
    as_json: Json = False,
) -> None:
    """Take part in a federation with this site's own images."""
    import time

    from isocenter.analysis.weights import record_in
    from isocenter.app import now
    from isocenter.cli.learning import numbered, records_now
    from isocenter.cli.screen import Screen
    from isocenter.doors.federation_client import Line, caller, take_part
    from isocenter.govern.identities import AUTHORITY, checker, must_join, signer
    from isocenter.govern.identities import identity as known
    from isocenter.learn.alone import alone
    from isocenter.learn.federation_site import Participant

    screen = Screen(as_json)
    tell = screen.warn if as_json else screen.say
    must_join(identity, now())
    name, certificate = known(identity)
    verify = checker((identity / AUTHORITY).read_bytes(), now)
    site = Participant(
        name, data, out, certificate, signer(identity), verify, at_least=at_least, most_epsilon=most_epsilon,
        without=tuple(without or ()), tell=tell,
    )  # fmt: skip
    with alone(out, 0o700):  # as confidential as the pictures
        before = records_now(out)
        with caller(url, identity) as client, _terms(archive, data, ground) as (happened, learnt):
            file = take_part(
                Line(client, time.sleep, patience, tell), site, wait=time.sleep, happened=happened,
                may=lambda step: learnt(site.how.task, site.run, step),
            )  # fmt: skip
            learnt(site.how.task, site.run, "done", file)
        if (out / "model.json").is_file():
            numbered(out, record_in(out / "model.json"), before)
    screen.answer({"site": name, "run": site.run, "weights": str(file), **site.figures()})
    screen.say(f"the shared weights lie in {file}")


def _opened(archive: Path | None) -> AbstractContextManager[Any]:
    """The archive that is named, or nothing.

    Raises:
        NotFound: there is none.
    """
    from isocenter.cli import house

    return house(archive) if archive is not None else nullcontext()


@contextmanager
def _kept(held: Any, run: Any) -> Iterator[Callable[[], None]]:
    """What keeps the rounds of a coordinator in the journal of an archive as they come; nothing where none is named."""
    if held is None:
        yield lambda: None
        return
    from dataclasses import asdict

    from isocenter.govern.policy import HOUSE

    told = held.site.federation
    mine = [one["rounds"] for one in told.told(who=HOUSE) if one["run"] == run.run]  # until it was killed
    known = {one["round"] for rounds in mine for one in rounds}
    said = {"run": run.run, "role": "coordinator"}

    def keep() -> None:
        for one in run.rounds:
            if one["round"] in known:
                continue
            moved = {site: v["received"] + v["sent"] for site, v in one["bytes"].items()}
            told.happened("round", {**one, **said, "bytes": moved}, who=HOUSE)
            known.add(one["round"])

    told.happened("joined", {**asdict(run.how), **said}, who=HOUSE)
    try:
        yield keep
    finally:
        keep()
        if run.finished():
            told.happened("done", {**said, "rounds": run.done, "why": run.stopped}, who=HOUSE)


@contextmanager
def _terms(archive: Path | None, data: Path, ground: str) -> Iterator[tuple[Any, Any]]:
    """The terms of use asked before a site takes part, and what asks them again at each step; what keeps in its
    journal that it took part, and from which studies the run learnt.

    Raises:
        NotFound: there are no images.
        Refused: nobody has asked whether the images may be used in a federation, or they may not.
    """
    from isocenter.errors import NotFound, Refused

    if not data.exists():
        raise NotFound(f"'{data}'", "there is no such file or folder", "check the path")
    signed = (data / "examples.json").is_file()
    if signed and archive is None:
        raise Refused(
            "examples from signed reports without their archive", "their terms of use cannot be asked",
            "name the archive that wrote them with --archive",
        )  # fmt: skip
    if not signed and not ground.strip():
        raise Refused(
            f"images of '{data.name}' in a federation", "no terms of use come with a folder, so nobody was asked",
            "take them by `isocenter examples take … --purpose federation`, or say with --ground why they may be used",
        )  # fmt: skip
    if archive is None:
        yield lambda what, told: None, lambda task, run, step, file=None: None
        return
    from isocenter.cli import house
    from isocenter.govern.consent import Purpose
    from isocenter.govern.policy import HOUSE

    with house(archive) as held:
        here = held.site
        said = {"ground": ground.strip()[:200]} if not signed else {"ground": "terms of use of each study"}
        asked = {"who": HOUSE, "purpose": Purpose.FEDERATION}
        if signed:
            here.teaching.may_learn(data, **asked)

        kept = set[str]()

        def learnt(task: str, run: str, step: str, file: Path | None = None) -> None:
            """Ask again before each step; that the run learns from them is kept before the first update leaves."""
            if not signed:
                return
            if step in kept or step not in ("send", "done"):
                here.teaching.may_learn(data, **asked)
                return
            digest = hashlib.sha256(file.read_bytes()).hexdigest() if file else ""
            here.teaching.taught(task, f"federation {run}", digest, data, **asked)
            kept.add(step)

        def happened(what: str, told: Any) -> None:
            here.federation.happened(what, {**told, **said} if what == "joined" else told, who=HOUSE)

        yield happened, learnt
