"""Commands of a reading: worklist, open, correct, sign, report."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isocenter import wholly
from isocenter.cli import Json, Limit, Offset, Where, app, house

__all__: list[str] = []

Who = Annotated[str, typer.Option("--as", help="Account that acts; your own name when left out.")]


def _reader(site: Any, name: str) -> Any:
    """Who acts: a named account with its role, or the owner of the folder."""
    from isocenter.errors import NotFound
    from isocenter.govern.policy import Owner, Person, Role

    if not name:
        return Owner(getpass.getuser(), Role.ADMIN)
    found = site.index.person(name)
    if found is None:
        raise NotFound(f"account '{name}'", "nobody has that name", "add it with `isocenter person`")
    return Person(name, Role(found["role"]))


@app.command()
def worklist(
    ai: Annotated[bool, typer.Option("--ai/--no-ai", help="With or without what analyses say.")] = True,
    limit: Limit = 50,
    offset: Offset = 0,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """What to read next, and why."""
    from isocenter.cli.screen import Screen, paged
    from isocenter.forms.words import many

    screen = Screen(as_json)
    with house(folder) as held:
        site = held.site
        entries = site.worklist(who=_reader(site, ""), with_ai=ai)
    page = entries[offset : offset + limit]
    screen.answer({"rows": [_plain(e) for e in page], "total": len(entries), "offset": offset})
    screen.table(
        paged(
            len(page),
            len(entries),
            offset,
            f"{many(len(entries), 'study', 'studies')} waiting",
            none="no study waits to be read; `isocenter studies` lists all that are here",
        ),
        ("level", "why here", "patient", "study", "kind", "state", "uid"),
        [_row(e) for e in page],
    )


def _plain(entry: Any) -> dict[str, Any]:
    w = entry.waiting
    return {
        "study": w.study.uid, "patient": w.study.patient, "description": w.study.description, "state": w.state,
        "modalities": list(w.modalities), "instances": w.instances, "reader": w.reader, "ai": w.ai,
        "level": entry.level, "why": entry.why, "due": entry.due, "waits_s": entry.waits.total_seconds(),
        "moved_up": entry.moved_up,
    }  # fmt: skip


def _row(entry: Any) -> tuple[Any, ...]:
    from isocenter.cli.screen import person

    w = entry.waiting
    kinds = "/".join(w.modalities)
    return entry.level.value, entry.why, person(w.study.patient), w.study.description, kinds, w.state, w.study.uid


@app.command(name="open")
def open_(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    who: Who = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Take a study to read it: its findings with their numbers, and the report as it stands."""
    from isocenter.cli.screen import Screen

    screen = Screen(as_json)
    with house(folder) as held:
        site = held.site
        reader = _reader(site, who)
        reading = site.open(study, who=reader)
        _show(screen, site, study, reading, reader)


def _show(screen: Any, site: Any, study: str, reading: Any, reader: Any) -> None:
    """The study as its reader may see it now; the findings that are printed count as seen."""
    results = site.results(study, who=reader)
    report = site.report(study, who=reader)
    told = _findings(results)
    if told:
        site.seen(
            study, [{"result": f["result"], "tracking": f["tracking"], "shown": "text"} for f in told], who=reader
        )
    screen.answer({"reading": reading, "findings": told, "report": report})
    screen.say(f"{study} is {reading.state}, version {reading.version}")
    if reading.asked and reading.locked is None:
        screen.say("Your own opinion comes first: isocenter lock STUDY --nothing, or --line with what you saw.")
    screen.table(
        "findings" if told else "no finding", ("tracking", "who", "what", "verdict", "words"),
        [(f["tracking"], f["by"], f["what"], f["verdict"], f["words"]) for f in told],
    )  # fmt: skip
    for sentence in report.sentences:
        screen.say(f"{'◇' if sentence.machine else '●'} {sentence.text}")


@app.command()
def lock(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    line: Annotated[str, typer.Option(help="Your opinion in one line.")] = "",
    nothing: Annotated[bool, typer.Option("--nothing", help="You have nothing to report.")] = False,
    who: Who = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Lock your own first opinion; what the analyses say is shown then."""
    from isocenter.cli.screen import Screen

    screen = Screen(as_json)
    with house(folder) as held:
        site = held.site
        reader = _reader(site, who)
        version = site.reading(study, who=reader).version
        reading = site.lock(study, version=version, line=line, nothing=nothing, who=reader)
        _show(screen, site, study, reading, reader)


def _findings(results: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "tracking": f.tracking, "result": digest, "by": r.origin.name, "what": str(f.what),
            "verdict": f.verdict.value, "words": f.words, "certainty": f.certainty,
        }
        for digest, r in results for f in r.findings
    ]  # fmt: skip


@app.command()
def correct(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    tracking: Annotated[str, typer.Argument(help="Tracking UID of the finding, from `open`.")],
    verdict: Annotated[Literal["kept", "changed", "struck"], typer.Argument(help="What you say of it.")],
    words: Annotated[str, typer.Option(help="New words of a changed finding.")] = "",
    reason: Annotated[str, typer.Option(help="Why it was changed or struck.")] = "",
    who: Who = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Keep, change or strike one finding; your answer replaces the machine's and both are kept."""
    from isocenter.cli.screen import Screen
    from isocenter.errors import NotFound
    from isocenter.reading.session import Correction
    from isocenter.record import Verdict

    screen = Screen(as_json)
    with house(folder) as held:
        site = held.site
        reader = _reader(site, who)
        holders = [d for d, r in site.results(study, who=reader) if any(f.tracking == tracking for f in r.findings)]
        if not holders:
            raise NotFound(
                f"finding '{tracking}'", "the study has none of that name", "list them with `isocenter open`"
            )
        version = site.reading(study, who=reader).version
        correction = Correction(
            Verdict(verdict), tracking=tracking, result=holders[-1], words=words or None, reason=reason
        )
        reading = site.correct(study, correction, version=version, who=reader)
    screen.answer({"reading": reading})
    screen.say(f"{verdict}; version {reading.version}")


@app.command()
def sign(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    told: Annotated[str, typer.Option(help="Who was told of what is critical.")] = "",
    method: Annotated[str, typer.Option(help="How they were told: telephone, in person, …")] = "telephone",
    received: Annotated[str, typer.Option(help="When they received it, ISO; now when left out.")] = "",
    read_back: Annotated[bool, typer.Option("--read-back", help="They read it back.")] = False,
    untold: Annotated[str, typer.Option(help="Why nobody could be told of what is critical yet.")] = "",
    urgent: Annotated[
        list[str] | None, typer.Option(help="A finding (its tracking identity) that cannot wait; may be given again.")
    ] = None,
    who: Who = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Sign the report: sealed by name and digest."""
    from isocenter.cli.screen import Screen

    screen = Screen(as_json)
    with house(folder) as held:
        site = held.site
        reader = _reader(site, who)
        read = site.report(study, who=reader).results
        before = site.reading(study, who=reader)
        now = urgent or []
        heard = _communications(site, study, before, reader, told, method, received, read_back, now) if told else []
        reading = site.sign(
            study, version=before.version, results=read, told=heard, untold=untold, urgent=now, who=reader
        )
    screen.answer({"reading": reading})
    screen.say(f"signed by {reading.by}, report {reading.reports[-1][:12]}")


def _communications(
    site: Any, study: str, before: Any, reader: Any, told: str, method: str, received: str, read_back: bool,
    urgent: list[str],
) -> list[Any]:  # fmt: skip
    """The six fields for each finding that is critical."""
    from datetime import datetime

    from isocenter.errors import Refused
    from isocenter.reading.critical import Communication, critical

    now = site.clock()
    try:
        when = datetime.fromisoformat(received) if received else now
    except ValueError:
        raise Refused(f"the time '{received}'", "it is no ISO time", "write 2026-11-20T10:31+00:00") from None
    identified = min(before.locked or before.opened or now, when)
    return [
        Communication(f.tracking, identified, reader.name, told, when, method, read_back)
        for f in critical(site.results(study, who=reader), urgent)
    ]


@app.command()
def report(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    pdf: Annotated[Path | None, typer.Option(help="Write the report as PDF/A to this file.")] = None,
    table: Annotated[Path | None, typer.Option(help="Write every number behind it as CSV to this file.")] = None,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """The report: the draft, or what was signed."""
    from isocenter.cli.screen import Screen

    screen = Screen(as_json)
    with house(folder) as held:
        site = held.site
        reader = _reader(site, "")
        report_ = site.report(study, who=reader)
        if pdf is not None:
            wholly.write(pdf, site.report_pdf(study, who=reader))
        if table is not None:
            wholly.write(table, site.report_table(study, who=reader))
    screen.answer(report_)
    section = ""
    for sentence in report_.sentences:
        if sentence.section != section:
            section = sentence.section
            screen.say(section.upper())
        screen.say(f"  {'◇' if sentence.machine else '●'} {sentence.text}")
    for written in filter(None, (pdf, table)):
        screen.say(f"written to {written}")
