"""Commands on the archive: receive, studies, send, explain, peer, person, verify, rebuild."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isocenter import wholly
from isocenter.cli import For, Json, Limit, Offset, Options, Reviewed, Said, Where, app, house, settings
from isocenter.cli.persons import new_password

__all__ = ["ledger"]

_WRAPPED = ("CR", "DX", "ES", "GM", "IO", "MG", "OP", "OT", "PX", "US", "XC")
"""Modalities that make pictures; the slices of a CT or MR are none."""


@app.command()
def receive(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders, ZIPs or DICOMDIRs.")],
    wrap: Annotated[str, typer.Option(help="Take JPEG and PNG too, as DICOM of this modality (DX, CR, OT).")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Take images in; ends with a ledger: expected = stored + already there + rejected, with each reason.

    Where the disk is full amid them, the ledger counts what was not tried, and the same command goes on with that.
    """
    from isocenter.app import open_intake
    from isocenter.cli.screen import Screen

    screen = Screen(as_json)
    with open_intake(settings(folder)) as archive, screen.progress("receiving") as told:
        result = ledger(archive, paths, wrap=wrap, told=told)
    screen.answer(result)
    show_ledger(screen, result)
    if not result["expected"]:
        screen.say(f"no file was found in {', '.join(map(str, paths))}: nothing was taken in. Check the path.")
    if (failure := result.get("error")) is not None:
        screen.say(
            "what is stored stays so: when this is mended, run the same command again, it takes in what is missing"
        )
        screen.warn(f"isocenter: {failure['what']}: {failure['why']}")
        raise typer.Exit(2)
    if result["rejected"] or result["conflict"]:
        raise typer.Exit(1)


def ledger(site: Any, paths: list[Path], *, wrap: str = "", told: Any = lambda *a: None) -> dict[str, Any]:
    """Receive everything under some paths and count what became of each file.

    Where the disk is full or broken amid them, the files that are not kept are counted and named as "not tried", and
    ``error`` says why: what is stored stays so, and the same call goes on with what is missing.

    Args:
        site: takes them in: a `Site`, or what `open_intake` opens.
    """
    from isocenter.dicom.scan import image_of, places
    from isocenter.errors import IsocenterError, NotFound, Unavailable
    from isocenter.govern.policy import HOUSE

    missing = [p for p in paths if not p.exists()]
    if missing:
        raise NotFound(f"'{missing[0]}'", "there is no such file or folder", "check the path")
    wrapper = wrapper_of(wrap) if wrap else None
    counts: Counter[str] = Counter()
    reasons: list[dict[str, str]] = []
    names: list[str] = []
    found = chain.from_iterable(map(places, paths))

    def files() -> Iterator[bytes]:
        for name, place in found:
            given = image_of(name, place, wrap=wrapper)
            if isinstance(given, IsocenterError):
                counts["rejected"] += 1
                reasons.append({"file": name, "status": "rejected", "reason": str(given)})
                continue
            names.append(name)
            yield given
            if len(names) % 64 == 0:
                told(name, len(names), len(names))

    stopped: Unavailable | None = None
    try:
        answers = site.receive(files(), sender="cli", who=HOUSE)
    except Unavailable as failure:
        stopped, answers = failure, getattr(failure, "answers", ())
    for name, stored in zip(names, answers, strict=stopped is None):
        counts[stored.status] += 1
        if stored.status in ("conflict", "rejected"):
            reasons.append({"file": name, "status": stored.status, "reason": stored.reason})
    if stopped is not None:
        left = [*names[len(answers) :], *(name for name, _ in found)]
        counts["not tried"] = len(left)
        reasons += [{"file": name, "status": "not tried", "reason": str(stopped)} for name in left]
    made: dict[str, Any] = {
        "expected": counts.total(),
        "stored": counts["stored"],
        "there": counts["there"],
        "conflict": counts["conflict"],
        "rejected": counts["rejected"],
        "not_tried": counts["not tried"],
        "reasons": reasons,
    }
    if stopped is not None:
        made["error"] = {"what": stopped.what, "why": stopped.why, "do": stopped.do, "kind": "Unavailable"}
    return made


def show_ledger(screen: Any, result: dict[str, Any]) -> None:
    """The ledger in words; it adds up, and says so."""
    from isocenter.forms.words import many

    screen.say(
        f"expected {result['expected']} = stored {result['stored']} + already there {result['there']}"
        f" + set aside {result['conflict']} + rejected {result['rejected']}"
        + (f" + not tried {result['not_tried']}" if result.get("not_tried") else "")
    )
    alike: dict[tuple[str, str], list[str]] = {}
    for said in result["reasons"]:
        alike.setdefault((said["status"], said["reason"]), []).append(said["file"])
    screen.table(
        "", ("files", "", "reason", "such as"),
        [(len(files), status, reason, files[0]) for (status, reason), files in list(alike.items())[:30]],
    )  # fmt: skip
    if len(alike) > 30:
        screen.say(f"and {many(len(alike) - 30, 'more reason')}: --json lists every file")


def wrapper_of(modality: str) -> Any:
    """What makes DICOM of a picture.

    Raises:
        Refused: no picture is wrapped as one of that modality.
    """
    from isocenter.app import now
    from isocenter.dicom.wrap import wrap_image
    from isocenter.errors import Refused

    if modality not in _WRAPPED:
        words = f"a picture is wrapped as one of {', '.join(_WRAPPED)}"
        raise Refused(f"--wrap {modality}", words, "say DX for a radiograph, OT where nothing fits")
    body_part, view = ("CHEST", "PA") if modality in ("DX", "CR") else ("", "")
    return lambda data, name: wrap_image(data, name, now(), modality=modality, body_part=body_part, view=view)


@app.command()
def studies(
    limit: Limit = 50,
    offset: Offset = 0,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """What the archive holds, the newest first."""
    from isocenter.cli.screen import Screen, paged, person
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE
    from isocenter.record import Patient

    screen = Screen(as_json)
    with house(folder) as held:
        rows = held.site.find("STUDY", {}, who=HOUSE, limit=limit, offset=offset)
        total = held.site.counts(who=HOUSE)["studies"]
    screen.answer({"studies": rows, "total": total, "offset": offset})
    screen.table(
        paged(
            len(rows), total, offset, many(total, "study", "studies"),
            none="no study is here yet: `isocenter receive PATH` takes images in",
        ),
        ("date", "patient", "study", "kind", "images", "uid"),
        [
            (
                _day(r["StudyDate"]), person(Patient(r["PatientID"], r["PatientName"])), r["StudyDescription"],
                "/".join(r["ModalitiesInStudy"]), r["NumberOfStudyRelatedInstances"], r["StudyInstanceUID"],
            )
            for r in rows
        ],
    )  # fmt: skip


def _day(dicom: str) -> str:
    """A date of a header as people write it."""
    return f"{dicom[:4]}-{dicom[4:6]}-{dicom[6:]}" if dicom else ""


@app.command()
def send(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    destination: Annotated[str, typer.Argument(help="AE title of a known peer.")],
    what: Annotated[Literal["all", "images", "results"], typer.Option(help="What of it is sent.")] = "all",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Send a study with its results to another system."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        answers = held.site.send(study, destination, who=HOUSE, what=what)
    lost = [{"sop_uid": uid, "reason": reason} for uid, reason in answers if reason]
    screen.answer({"sent": len(answers) - len(lost), "failed": lost})
    screen.say(f"{len(answers) - len(lost)} of {many(len(answers), 'object')} acknowledged by {destination}")
    for row in lost:
        screen.say(f"  {row['sop_uid']}: {row['reason']}")
    if lost:
        raise typer.Exit(1)


@app.command()
def export(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    out: Annotated[Path, typer.Argument(help="Folder that takes the files; it must be empty or new.")],
    option: Options = None,
    reviewed: Reviewed = None,
    purpose: For = "research",
    say: Said = None,
    reason: Annotated[
        str, typer.Option(help="Why a patient whom fewer than four others are like may leave; the journal keeps it.")
    ] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Write a study with its results without names, under pseudonyms that only this archive can repeat."""
    from isocenter.cli.consent import purpose_of, said_of
    from isocenter.cli.screen import Screen
    from isocenter.errors import Refused
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    if out.exists() and any(out.iterdir()):
        raise Refused(f"folder '{out}'", "it is not empty, and old files beside new ones mislead", "name a new one")
    with house(folder) as held:
        clean, held_back, report = held.site.export(
            study, key=held.secret("pseudonyms")[0].encode(), who=HOUSE, options=option or ["research"],
            reviewed=reviewed or [], use=held.site.consents.use(purpose_of(purpose), who=HOUSE, **said_of(say or [])),
            reason=reason,
        )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    wholly.write(out / "report.json", json.dumps(report, indent=2, ensure_ascii=False))
    for number, data in enumerate(clean, 1):
        wholly.write(out / f"{number:06}.dcm", data)
    rows = [{"sop_uid": uid, "reason": reason} for uid, reason in held_back]
    screen.answer({"written": len(clean), "held_back": rows, "report": report})
    screen.say(f"{many(len(clean), 'object')} without names in {out}; {len(rows)} held back")
    screen.table("", ("object", "reason"), held_back)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="Result, report, tracking UID, study, image, or number of an event.")],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Why does it say so? From the signature back to the sender."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        chain = held.site.explain(name, who=HOUSE)
    screen.answer(chain)
    screen.say(f"{chain['about']} of study {chain['study']['uid']} (patient {chain['study']['patient']})")
    for signature in chain["signatures"]:
        screen.say(f"signed {signature['time']} by {signature['who']}, event {signature['number']}")
    for result in chain["results"]:
        said = result["said_by"]
        screen.say(
            f"{result['id'][:12]} {result['outcome']} by {said['kind']} {said['name']} {said['version']}".rstrip()
        )
        for finding in result["findings"]:
            screen.say(f"   {finding['what']} ({finding['verdict']}): {finding['words']}")
            if finding["where"]:
                screen.say(f"      {_place(finding['where'])}")
        for read in result["inputs"]:
            kept = "as received" if read["still_as_received"] else "NO LONGER as received"
            images = many(read["images"], "image")
            screen.say(f"   from {images} of series {read['series']} ({read['modality']}), {kept}")
    for event in chain["events"]:
        screen.say(f"{event['number']:>6} {event['time']} {event['kind']} by {event['who']}")


def _place(where: Mapping[str, Any]) -> str:
    """Where a finding is, down to its voxels, as `place` tells it."""
    told = [f"{where['shape']} '{where['label']}'" if where["label"] else str(where["shape"])]
    if where["bounds"]:
        first, end = where["bounds"]
        told.append(f"voxels {', '.join(f'{a} to {b - 1}' for a, b in zip(first, end, strict=True))} from 0")
    if where["centre_mm"]:
        told.append(f"centre ({', '.join(f'{x:.1f}' for x in where['centre_mm'])}) mm")
    if where["volume_ml"] is not None:
        told.append(f"{where['volume_ml']:.3g} mL")
    image = f"image {where['instance_uid']}" if where["instance_uid"] else f"series {where['series_uid']}"
    return f"{'; '.join(told)}; in {image}"


@app.command()
def peer(
    aet: Annotated[str, typer.Argument(help="Application entity title of the peer.")],
    host: Annotated[str, typer.Argument(help="Its address.")],
    port: Annotated[int, typer.Argument(help="Its DICOM port.")],
    secure: Annotated[bool, typer.Option("--tls", help="Under TLS only, both ways.")] = False,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Let a DICOM peer associate, and know where to send to it."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder, make=True) as held:
        held.site.add_peer(aet, host, port, secure=secure, who=HOUSE)
    screen.answer({"aet": aet, "host": host, "port": port, "tls": secure})
    screen.say(f"{aet} at {host}:{port} may associate and be sent to")


@app.command()
def person(
    name: Annotated[str, typer.Argument(help="Name of the account.")],
    role: Annotated[
        Literal["admin", "reader", "researcher", "planner", "service"], typer.Argument(help="What they may do.")
    ],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Give somebody an account; the password is asked for and never shown."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE, Role

    word = new_password("Password", folder)
    screen = Screen(as_json)
    with house(folder, make=True) as held:
        held.site.add_person(name, Role(role), word, who=HOUSE)
    screen.answer({"name": name, "role": role})
    screen.say(f"{name} may sign in as {role}")


@app.command()
def account(
    name: Annotated[str, typer.Argument(help="Name of the account.")],
    role: Annotated[
        Literal["admin", "reader", "researcher", "planner", "service"] | None, typer.Option(help="Another role.")
    ] = None,
    password: Annotated[bool, typer.Option("--password", help="Another password; it is asked for.")] = False,
    close: Annotated[
        bool | None, typer.Option("--close/--open", help="Close it: nobody signs in with it; or open it again.")
    ] = None,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Change an account: its role, its password, or close it; it is signed out everywhere, also of a running server."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE, Role

    word = new_password("New password", folder) if password else ""
    screen = Screen(as_json)
    with house(folder) as held:
        held.site.change_person(name, role=Role(role) if role else None, password=word, closed=close, who=HOUSE)
        (now,) = [one for one in held.site.staff.people(who=HOUSE) if one["name"] == name]
    screen.answer(now)
    screen.say(f"{name}: {now['role']}, {'closed' if now['disabled'] else 'open'}; signed out everywhere")


@app.command()
def verify(folder: Where = None, as_json: Json = False) -> None:
    """Check the journal's chain and every stored byte against its digest."""
    from isocenter.cli.screen import Screen
    from isocenter.errors import IsocenterError
    from isocenter.forms.words import many

    screen = Screen(as_json)
    broken: list[str] = []
    checked = 0
    with house(folder) as held:
        entries = held.site.journal.verify()
        with screen.progress("reading blobs") as told:
            for digest in held.site.blobs.digests():
                try:
                    held.site.blobs.get(digest)
                except IsocenterError as fault:
                    broken.append(str(fault))
                checked += 1
                told(digest[:8], checked, checked)
    screen.answer({"events": entries, "blobs": checked, "broken": broken})
    screen.say(f"journal: {many(entries, 'event')}, chain unbroken. Blobs: {checked} read, {len(broken)} broken")
    for line in broken:
        screen.say(f"  {line}")
    if broken:
        raise typer.Exit(1)


@app.command()
def rebuild(folder: Where = None, as_json: Json = False) -> None:
    """Drop the index and make it again from the journal and the blobs."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.store import rebuild as make_again

    screen = Screen(as_json)
    with house(folder, serving=True) as held:
        events = make_again(held.database, held.site.blobs)
    screen.answer({"events": events})
    screen.say(f"index made again from {many(events, 'event')}")
