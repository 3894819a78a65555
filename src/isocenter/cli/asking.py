"""Commands on analyses: analyses, analyse, why, check, models."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from isocenter.cli import Json, Where, app, house, settings

__all__: list[str] = []


@app.command()
def analyses(
    names: Annotated[list[str] | None, typer.Argument(help="Those of which all is told; every one, in short.")] = None,
    as_json: Json = False,
) -> None:
    """The catalogue: what each analysis asks, and what it needs, in sentences; of those that are named also what may
    be set, what they are for and how well they are known.
    """
    from isocenter.analysis.describing import describe
    from isocenter.analysis.registry import discover
    from isocenter.cli.screen import Screen

    screen = Screen(as_json)
    registry = discover()
    rows = [describe(registry.get(name)) for name in names or registry.analyses]
    screen.answer({"analyses": rows, "broken": registry.broken})
    for row in rows:
        screen.say(f"{row['name']} {row['version']}: {row['about'].splitlines()[0]}")
        for name, sentence in row["needs"].items():
            screen.say(f"   {name}: {sentence}")
        for line in _told_whole(row) if names else ():
            screen.say(f"   {line}")
    for name, reason in registry.broken.items():
        screen.say(f"{name} could not be loaded: {reason}")
    if not names:
        screen.say("`isocenter analyses NAME` tells what may be set, what it is for, and how well it is known.")


def _told_whole(row: Mapping[str, Any]) -> Iterator[str]:
    """Lines on the parameters and the card of an analysis."""
    for p in row["parameters"]:
        takes = "|".join(map(str, p["choices"])) or {"float": "NUMBER", "int": "NUMBER", "bool": "True|False"}.get(
            p["type"], "WORD"
        )
        yield f"--set {p['name']}={takes}  ({p['default']}) {p['about']}".rstrip()
    for title, said in row["card"].items():
        words = [said] if isinstance(said, str) else said
        yield f"{title.replace('_', ' ')}: {words[0]}"
        yield from (f"   {more}" for more in words[1:])


@app.command()
def analyse(
    what: Annotated[str, typer.Argument(help="A path (no archive needed) or a Study Instance UID.")],
    only: Annotated[
        list[str] | None,
        typer.Option(help="Name of an analysis, or on a path a file, mine.py; again, or with commas, for several."),
    ] = None,
    given: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter, for each analysis that has it: name=value.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for SEG, SR, parametric maps, NIfTI, meshes and figures.")
    ] = None,
    wrap: Annotated[str, typer.Option(help="Take JPEG and PNG too, as DICOM of this modality (DX, CR, OT).")] = "",
    mask: Annotated[
        list[Path] | None, typer.Option(help="Regions of a NIfTI image, as NIfTI; give it again for several.")
    ] = None,
    modality: Annotated[str, typer.Option(help="Of a NIfTI image: CT (in HU), PT (in SUV) or MR.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Analyse a folder of images, a NIfTI image, or a study of the archive; prints a list of results.

    That an analysis declined is an answer: it is told with its reasons, `answer` in --json says so, and the exit
    code is 0. It is 2 where nothing could be asked: no such path, analysis or parameter, or no image to read.
    """
    from isocenter.cli.screen import Screen
    from isocenter.forms.answer import answer

    screen = Screen(as_json)
    parameters, names = _parameters(given or []), _names(only or [])
    with screen.progress("analysing") as told:
        if Path(what).exists():
            with _opened(Path(what), wrap, mask or [], modality) as held:
                done, studies = _of_path(Path(what), held, names, parameters, out, told, screen), held.studies
        else:
            _must_be_a_study(what)
            done, studies = _of_study(what, names, parameters, out, folder, told)
    screen.answer([answer(r) for r in done])
    for study in studies:
        _head(screen, study, studies)
        _show(screen, [r for r in done if r.study_uid == study.uid], study, what, every=bool(names))


def _names(only: list[str]) -> list[str]:
    """Names as they were given, each once, in the order of the command.

    >>> _names(["volumetry", "radiomics, volumetry"])
    ['volumetry', 'radiomics']
    """
    return list(dict.fromkeys(name.strip() for part in only for name in part.split(",") if name.strip()))


def _must_be_a_study(what: str) -> None:
    from isocenter.errors import NotFound

    if not re.fullmatch(r"[0-9.]{1,64}", what):
        raise NotFound(
            f"'{what}'", "there is no such file or folder, and it is no Study Instance UID", "check the path"
        )


def _parameters(given: list[str]) -> dict[str, Any]:
    """Values as they were written; the analysis knows which are numbers, words or yes and no.

    >>> _parameters(["sizes_mm=12, 10, 14", "smoker=no"])
    {'sizes_mm': '12, 10, 14', 'smoker': 'no'}
    """
    from isocenter.errors import Refused

    chosen: dict[str, Any] = {}
    for part in given:
        name, equals, value = part.partition("=")
        if not equals:
            raise Refused(f"--set {part}", "it is not name=value", "write it as --set cutoff=2.5")
        chosen[name.strip()] = value.strip()
    return chosen


def _opened(path: Path, wrap: str, masks: list[Path], modality: str) -> Any:
    """What lies at a path, as studies: DICOM, or one NIfTI image with its masks."""
    from isocenter.cli.archive import wrapper_of
    from isocenter.errors import Refused
    from isocenter.site.folder import read_folder, read_nifti
    from isocenter.site.nifti_study import image_in, is_nifti

    if path.is_dir() and (masks or modality):
        path, masks = image_in(path, masks)
    if is_nifti(path):
        return read_nifti(path, masks, modality)
    if masks or modality:
        raise Refused(
            "--mask or --modality", f"they belong to a NIfTI image, and {path.name} is none", "leave them out"
        )
    return read_folder(path, wrap=wrapper_of(wrap) if wrap else None)


def _some_studies(path: Path, held: Any, screen: Any) -> Sequence[Any]:
    """The studies at a path; what was left out is told.

    Raises:
        Refused: there is none.
    """
    from isocenter.errors import Refused

    for name, reason in held.rejected:
        screen.warn(f"{name}: {reason}")
    if not held.studies and held.rejected:
        raise Refused(
            f"'{path}'", "nothing in it can be analysed: what was wrong with each file stands above",
            "mend what is told, or give another folder",
        )  # fmt: skip
    if not held.studies:
        raise Refused(
            f"'{path}'", "there is no image in it", "give a folder with DICOM files, or --wrap DX for JPEG radiographs"
        )
    studies: Sequence[Any] = held.studies
    return studies


def _of_path(
    path: Path, held: Any, names: list[str], parameters: dict[str, Any], out: Path | None, told: Any, screen: Any
) -> list[Any]:
    from isocenter.analysis.drawn_elsewhere import told_of_outlines, with_outlines
    from isocenter.analysis.plan import earlier_of, looks_back, not_compared, plan
    from isocenter.analysis.protocol import own
    from isocenter.analysis.registry import address, discover
    from isocenter.analysis.run import Request, run_apart
    from isocenter.app import now
    from isocenter.cli.written import write_out
    from isocenter.record import Origin, Outcome, Result
    from isocenter.site.loading import Loading

    shelf = settings().models
    asked_for = {a.name: a for a in map(_one, names)} if names else dict(discover().analyses)
    chosen = list(asked_for.values())
    given = own(parameters, chosen)
    results: list[Result] = []
    for alone in _some_studies(path, held, screen):
        study = with_outlines(alone, held.studies)
        earlier = tuple(with_outlines(one, held.studies) for one in earlier_of(study, held.studies))
        left = not_compared(study, held.studies)
        planned = plan(chosen, study, earlier, left)
        for number, binding in enumerate(planned.bindings):
            told(binding.analysis, number, len(planned.bindings))
            analysis = asked_for[binding.analysis]
            load = Loading(study, analysis.needs, binding.series, held, earlier, binding.image)
            series = tuple(uid for uids in binding.series.values() for uid in uids)
            asked = Request(
                address(analysis), study.uid, load, now(), given[analysis.name], load.digests, series, shelf,
                told=(*(left if looks_back([analysis]) else ()), *told_of_outlines((study, *earlier), series)),
            )  # fmt: skip
            done = run_apart(asked)
            results.append(done.result)
            if out is not None:
                write_out(out, study, done.result, done.blobs, held, shelf)
        for declined in planned.declined:
            origin = Origin("machine", declined.analysis, asked_for[declined.analysis].version)
            results.append(Result(study.uid, Outcome.DECLINED, origin, now(), declined.sentences()))
    return results


def _of_study(
    uid: str, names: list[str], parameters: dict[str, Any], out: Path | None, folder: Path | None, told: Any
) -> tuple[list[Any], tuple[Any, ...]]:
    from isocenter.analysis.protocol import own
    from isocenter.cli.written import write_out
    from isocenter.govern.policy import HOUSE

    with house(folder) as held:
        given = own(parameters, [held.site.registry.get(n) for n in names]) if names else {"": parameters}
        done = [
            one
            for name in names or [""]
            for one in held.site.analyse(uid, who=HOUSE, only=name, parameters=given[name], told=told)
        ]
        study = held.site.study(uid, who=HOUSE)
        if out is not None:
            for _, result in done:
                blobs = {m.digest: held.site.blobs.kept(m.digest) for m in result.maps}
                write_out(out, study, result, blobs, held.site.blobs.kept, held.site.shelf)
    return [result for _, result in done], (study,)


def _head(screen: Any, study: Any, studies: Sequence[Any]) -> None:
    """Which study is spoken of, where there are several."""
    from isocenter.cli.screen import person

    if len(studies) > 1:
        words = (str(study.date or "no date"), person(study.patient), study.description, study.uid)
        screen.say(("" if study is studies[0] else "\n") + ", ".join(w for w in words if w))


def _named(name: str, uids: Sequence[str], study: Any, inputs: Sequence[str] = ()) -> str:
    """An analysis with the series, or the pair, and the one radiograph, that it read: answers are told apart by it."""
    from isocenter.forms.words import one_line

    read = [s for s in study.series if s.uid in uids]
    images = [i for s in read for i in s.instances]
    if len(images) > len(inputs) == 1:
        name = " ".join([name, *(f"image {i.number}" for i in images if i.digest in inputs)])
    if not 1 <= len(read) <= 2 or len(study.series) == len(read):
        return name
    words = [" ".join(one_line(str(w)) for w in (s.number, s.modality, s.description) if w is not None) for s in read]
    return f"{name}, series {' with '.join(w.rstrip() for w in words)}"


def _line(m: Any) -> str:
    """A measurement with the definition it follows: without it two volumes of one thing cannot be told apart."""
    from isocenter.forms.words import number

    return f"{m.what} {number(m.value, m.unit)}{f' ({m.definition})' if m.definition else ''}"


def _show(screen: Any, results: list[Any], study: Any, what: str, *, every: bool) -> None:
    """Results in words; of analyses that found no series only how many, unless each was asked for by name."""
    from isocenter.record import Outcome

    others = [r for r in results if r.outcome is Outcome.DECLINED and not r.receipt.series and not every]
    for result in results:
        if result in others:
            continue
        read = result.receipt
        title = _named(f"{result.origin.name} {result.origin.version}", read.series, study, read.inputs)
        screen.say(f"{title}: {result.outcome.value}")
        for reason in result.reasons:
            screen.say(f"   {'because ' if result.outcome is Outcome.DECLINED else ''}{reason}")
        for finding in result.findings:
            certainty = "" if finding.certainty is None else f" (certainty {finding.certainty:.2f})"
            screen.say(f"   {finding.words or finding.what}{certainty}")
            for m in finding.measurements:
                screen.say(f"      {_line(m)}")
        for m in result.measurements:
            screen.say(f"   {_line(m)}")
    if others:
        screen.say(
            f"{len(others)} of {len(others) + len({r.origin.name for r in results if r not in others})} analyses need"
            f" images that are not here: `isocenter why {what}` tells of each what it lacks"
        )


@app.command()
def why(
    study: Annotated[str, typer.Argument(help="Study Instance UID, or a path.")],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """What was not analysed on a study, and why."""
    from isocenter.cli.screen import Screen

    screen = Screen(as_json)
    if not Path(study).exists():
        _must_be_a_study(study)
    studies, rows = _why_path(Path(study), screen) if Path(study).exists() else _why_study(study, folder)
    screen.answer({"study": study, "analyses": rows})
    for one in studies:
        _head(screen, one, studies)
        for row in (r for r in rows if r["study"] == one.uid):
            screen.say(f"{_named(row['analysis'], row['series'], one)}: {row['answer']}")
            for reason in row["reasons"]:
                screen.say(f"   {reason}")


def _why_study(uid: str, folder: Path | None) -> tuple[Sequence[Any], list[dict[str, Any]]]:
    from isocenter.govern.policy import HOUSE

    with house(folder) as held:
        rows = [{"study": uid, **row} for row in held.site.why(uid, who=HOUSE)]
        return (held.site.study(uid, who=HOUSE),), rows


def _why_path(path: Path, screen: Any) -> tuple[Sequence[Any], list[dict[str, Any]]]:
    from isocenter.analysis.drawn_elsewhere import with_outlines
    from isocenter.analysis.plan import earlier_of, not_compared, plan
    from isocenter.analysis.registry import discover
    from isocenter.site.folder import read_folder

    rows: list[dict[str, Any]] = []
    with screen.progress("reading"), read_folder(path) as held:
        studies = [with_outlines(study, held.studies) for study in _some_studies(path, held, screen)]
    for study in studies:
        left = not_compared(study, studies)
        planned = plan(discover().analyses.values(), study, earlier_of(study, studies), left)
        for b in planned.bindings:
            series = [uid for uids in b.series.values() for uid in uids]
            row = {"study": study.uid, "analysis": b.analysis, "answer": "can run", "reasons": [], "series": series}
            rows.append(row)
        for d in planned.declined:
            said = {"answer": "declined", "reasons": list(d.sentences()), "series": []}
            rows.append({"study": study.uid, "analysis": d.analysis, **said})
    return studies, rows


def _one(name: str) -> Any:
    """An analysis by its name in the catalogue, or a stranger's as `check` takes it: mine.py, mine.py:Class."""
    from isocenter.analysis.registry import discover, load

    return load(_importable(name)) if ":" in name or name.endswith(".py") else discover().get(name)


def _importable(name: str) -> str:
    """Make a stranger's file, or a module in this folder, one that can be imported; its ``module:Class``.

    Raises:
        NotFound: when the file is not there.
        Refused: when Python would import something else under its name.
    """
    file = re.fullmatch(r"(?P<path>.+\.py)(?::(?P<class>\w+))?", name)
    if file is None:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
        return name
    from isocenter.errors import NotFound, Refused

    path = Path(file["path"]).resolve()
    if not path.is_file():
        raise NotFound(f"'{file['path']}'", "there is no such file", "check the path")
    sys.path.insert(0, str(path.parent))
    found = importlib.util.find_spec(path.stem) if path.stem.isidentifier() and path.stem != "__main__" else None
    if found is None or found.origin is None or not path.samefile(found.origin):
        raise Refused(f"'{path.name}'", "under this name Python imports something else", "give the file another name")
    return f"{path.stem}:{file['class']}" if file["class"] else f"{path.stem}:"


@app.command()
def check(
    name: Annotated[
        str, typer.Argument(help="Name of an analysis, module:Class, or a file: mine.py or mine.py:Class.")
    ],
    as_json: Json = False,
) -> None:
    """Is it a good analysis? The same suite that our own pass."""
    from isocenter.analysis.registry import load
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.testing.checks import check as examine

    screen, shelf = Screen(as_json), settings().models
    checks = examine(load(_importable(name)), models=Path(shelf) if shelf else None)
    failed = [c for c in checks if not c.passed]
    screen.answer({"analysis": name, "passed": not failed, "checks": checks})
    for c in checks:
        screen.say(f"{'pass' if c.passed else 'FAIL'}  {c.name}: {c.words}")
    screen.say(f"{len(checks) - len(failed)} of {many(len(checks), 'check')} passed")
    if failed:
        raise typer.Exit(1)


@app.command()
def models(as_json: Json = False) -> None:
    """Models with their evidence."""
    from isocenter.analysis.weights import models as shelf
    from isocenter.cli.screen import Screen

    screen = Screen(as_json)
    chosen = settings()
    held = [m for m, _ in shelf(Path(chosen.models) if chosen.models else None).values()]
    screen.answer({"models": held})
    screen.table(
        "", ("model", "version", "state", "for", "digest"),
        [(m.name, m.version, m.state, m.card.get("intended_use", ""), m.digest[:12]) for m in held],
    )  # fmt: skip
