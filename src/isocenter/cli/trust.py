"""Commands of trust: deidentify, pseudonyms; audit; scrub; certificate."""

from __future__ import annotations

import json
import secrets
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isocenter import wholly
from isocenter.cli import Blank, Json, Reviewed, Where, app, house
from isocenter.cli.persons import sure

__all__ = ["in_small_groups"]


@app.command()
def deidentify(
    path: Annotated[Path, typer.Argument(help="Folder, file, ZIP or DICOMDIR.")],
    out: Annotated[Path, typer.Option(help="Folder that takes the copies and report.json; it must be empty or new.")],
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="Option of PS3.15 E.1-1: research (the usual six), basic (none), safe-private, uids, device,"
            " institution, patient, full-dates, modified-dates, text, content, graphics, faces. Again for several."
        ),
    ] = None,
    keep: Annotated[list[str] | None, typer.Option(help="Keyword of an attribute that is kept all the same.")] = None,
    reviewed: Reviewed = None,
    blank: Blank = False,
    deface: Annotated[
        bool | None,
        typer.Option(
            "--deface/--leave-faces",
            help="Take the faces out of CT, MR and PET of heads, or leave them; by default as the options say"
            " (research does).",
        ),
    ] = None,
    secret: Annotated[
        Path | None,
        typer.Option(
            help="File with the secret of the pseudonyms, made if absent; without it the secret is destroyed."
        ),
    ] = None,
    smallest_group: Annotated[
        int, typer.Option(help="Fewest patients that share sex, age, body part and kind of image.")
    ] = 5,
    reason: Annotated[
        str, typer.Option(help="Why smaller groups may leave, as of one patient; report.json keeps it.")
    ] = "",
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Archive whose journal keeps what left and why.", envvar="ISOCENTER_FOLDER"),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(help="Recipe of deid, or script of CTP (attributes or pixels), on top of the options."),
    ] = None,
    partly: Annotated[
        bool, typer.Option("--partly", help="Go on where lines of the recipe are refused; the report names them.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes; 0 takes one for each processor.")] = 0,
    as_json: Json = False,
) -> None:
    """Copies of DICOM files without the persons in them, with a report of what was done to every attribute."""
    import os

    from isocenter.cli.screen import Screen
    from isocenter.dicom.alike import must_be_alike, must_say_why
    from isocenter.dicom.confidentiality import Option, options_named
    from isocenter.dicom.deidentify import must_be_keepable
    from isocenter.dicom.release import Terms, growing, held_names, release
    from isocenter.dicom.scan import places
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE
    from isocenter.site.defacing import faces

    screen = Screen(as_json)
    options = options_named(option or ["research"])
    if deface is not None:
        options = options | {Option.FACES} if deface else options - {Option.FACES}
    asked = _recipe(recipe, partly, screen) if recipe is not None else None
    terms = Terms(options, frozenset(keep or ()), frozenset(reviewed or ()), blank, asked)
    must_be_keepable(terms.keep)
    must_say_why(smallest_group, reason)
    key = _secret(secret, out)
    with growing(out) as partial:
        with screen.progress("cleaning") as told:
            found = release(
                places(path), partial, secret=key, terms=terms, workers=workers or os.cpu_count() or 1, faces=faces,
                told=told,
            )  # fmt: skip
        report = found.report()
        must_be_alike(
            report["risk"], smallest_group, reason,
            'to let them leave all the same say why: --reason "…", which the report keeps',
        )  # fmt: skip
        report |= {"smallest_group_wanted": smallest_group, "smaller_groups_because": reason.strip()}
        report["secret"] = "kept apart" if secret else "destroyed: nobody can make these pseudonyms again"
        wholly.write(partial / "report.json", json.dumps(report, indent=2, ensure_ascii=False))
        if folder is not None:
            with house(folder) as held:
                held.site.files_left(report, len(found.held_back), who=HOUSE)
    alone = in_small_groups(report["risk"]["small_groups"])
    screen.answer(report | {"stayed": held_names(found), "warnings": alone})
    copies = f"{many(report['written'], 'copy', 'copies')} of {many(report['patients'], 'patient')}"
    screen.say(f"{copies} in {out}; {many(len(found.held_back), 'file')} stayed")
    rows = [(r["file"], r["kind"], r["why"]) for r in held_names(found)][:30]
    screen.table("stayed" if rows else "", ("file", "", "why"), rows)
    for row in report["risk"]["remaining"]:
        screen.say(f"remaining risk: {row['risk']} ({many(row['objects'], 'object')})")
    for row in report["faces"]["series"]:
        screen.say(
            f"face taken out of a series: {row['left']:.1%} of {row['skin_cm2']:g} cm2 of facial skin left,"
            f" cut {row['depth_mm']:g} mm deep"
        )
    screen.say(f"smallest group of alike patients: {report['risk']['smallest_group']}")
    for words in alone:
        screen.warn(words)
    if not found.written:
        raise typer.Exit(1)


@app.command()
def pseudonyms(
    destroy: Annotated[
        bool, typer.Option("--destroy", help="Erase every older secret: nobody can go back from what was given away.")
    ] = False,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Draw another secret for the pseudonyms of this archive; what leaves from now on cannot be joined with older."""
    from isocenter.cli.screen import Screen

    screen = Screen(as_json)
    sure("Every older secret is erased and nothing brings it back. Go on?", yes=as_json or not destroy)
    with house(folder) as held:
        told = held.new_pseudonyms(destroy=destroy)
    screen.answer(told | {"destroyed": destroy})
    screen.say(f"domain {told['was']} {'is destroyed' if destroy else 'is kept'}; new pseudonyms are of {told['now']}")


def _recipe(place: Path, partly: bool, screen: Any) -> Any:
    """A recipe of another tool; refused where lines of it are, unless the rest alone is wanted."""
    from isocenter.dicom.foreign_recipes import read_recipe
    from isocenter.errors import Refused
    from isocenter.forms.words import many

    found = read_recipe(place)
    told = [f"line {x.number} '{x.said}': {x.why}" for x in found.refused]
    if told and not partly:
        more = f", and {len(told) - 20} more" if len(told) > 20 else ""
        raise Refused(
            f"{len(told)} of {len(told) + found.taken} lines of the recipe '{place.name}'", "; ".join(told[:20]) + more,
            "change these lines, or take over the others alone: --partly",
        )  # fmt: skip
    screen.say(f"{many(found.taken, 'line of the recipe is', 'lines of the recipe are')} taken over")
    for words in told:
        screen.warn(f"not taken over: {words}")
    return found


def _secret(place: Path | None, out: Path) -> bytes:
    """The secret of a file that only its owner may read; drawn where there is none."""
    from isocenter.errors import Refused
    from isocenter.store.secret import secret_in

    if place is None:
        return secrets.token_bytes(32)
    if place.resolve().is_relative_to(out.resolve()):
        raise Refused(f"the secret '{place}'", "it would leave with the copies", "put it elsewhere")
    return secret_in(place).encode()


def in_small_groups(told: dict[str, int]) -> list[str]:
    """What to say of patients whom few are like: nothing where there are none."""
    if not told["groups"]:
        return []
    from isocenter.forms.words import many

    groups = many(told["groups"], "group")
    people = f"{many(told['patients'], 'patient')}{'' if told['patients'] == 1 else ' in all'}"
    return [
        f"warning: {groups} of fewer than {told['fewer_than']} patients who share sex, age, body part and kind of image"
        f" ({people}): who knows these of somebody may find the copies of that person; the report keeps the reason"
    ]


@app.command()
def audit(
    out: Annotated[Path | None, typer.Option(help="File that takes the entries, one a line.")] = None,
    form: Annotated[
        Literal["fhir", "dicom"], typer.Option(help="Form of an entry: AuditEvent R4, or audit message of PS3.15 A.5.")
    ] = "fhir",
    since: Annotated[int, typer.Option(help="Entries after this number only.")] = 0,
    sign: Annotated[
        Path | None, typer.Option(help="Append the signed end of the journal to this file; keep it elsewhere.")
    ] = None,
    check: Annotated[Path | None, typer.Option(help="Check the journal against a file of signed ends.")] = None,
    key: Annotated[str, typer.Option(help="Public key to check with; without it, this archive's own.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Take the journal out for auditors, sign its end, and prove that nobody changed it since."""
    from isocenter.cli.screen import Screen
    from isocenter.errors import Refused
    from isocenter.govern.heads import head_of, public_key
    from isocenter.govern.policy import HOUSE
    from isocenter.record import to_plain

    if out is None and sign is None and check is None:
        raise Refused("an audit of nothing", "it takes the journal out, signs its end or checks signed ends",
                      "say which: --out FILE, --sign FILE or --check FILE")  # fmt: skip
    screen = Screen(as_json)
    told: dict[str, object] = {}
    with house(folder) as held:
        audits, secret = held.site.audits, held.secret("journal")[0].encode()
        own = public_key(secret)
        if check is not None:
            heads = [head_of(json.loads(line)) for line in check.read_text("utf-8").splitlines() if line.strip()]
            told |= audits.check_heads(heads, key or own, who=HOUSE)
        if out is not None:
            lines, entries = 0, audits.exported(who=HOUSE, form=form, since=since)
            first = next(entries, None)  # what is refused must not have emptied the file of yesterday
            with wholly.writing(out) as file:
                for line in chain((first,) if first is not None else (), entries):
                    file.write(line.replace(b"\n", b" ") + b"\n")
                    lines += 1
            told["written"] = lines
        if sign is not None:
            head = to_plain(audits.sign_head(secret, who=HOUSE))
            with sign.open("a", encoding="utf-8") as file:
                file.write(json.dumps(head) + "\n")
            told |= {"head": head["number"], "key": own}
    screen.answer(told)
    for name, value in told.items():
        screen.say(f"{name}: {value}")


@app.command()
def scrub(
    copy: Annotated[str, typer.Option(help="Folder of the blobs of a backup, to mend from.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Read every stored byte against its digest; name the images that a disk has changed, and mend them from a copy."""
    import time

    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    started = time.monotonic()
    with house(folder) as held, screen.progress("reading") as told:
        found = held.site.mending.scrub(who=HOUSE, copy=copy, told=told)
    took = max(time.monotonic() - started, 1e-6)
    speed = round(found.bytes / took / 1e6, 1)
    screen.answer({"files": found.files, "bytes": found.bytes, "mb_per_s": speed, "damaged": found.damaged})
    read = f"{many(found.files, 'file')}, {found.bytes / 1e6:.1f} MB read at {speed} MB/s"
    screen.say(f"{read}; {len(found.left)} damaged")
    rows = [(d.digest[:16], d.what, "yes" if d.mended else "no", i[1]) for d in found.damaged for i in d.instances]
    screen.table("", ("file", "", "mended", "image"), rows)
    if found.left:
        raise typer.Exit(1)


@app.command()
def certificate(
    host: Annotated[
        list[str] | None, typer.Argument(help="Names and addresses under which this server is reached.")
    ] = None,
    client: Annotated[
        list[str] | None, typer.Option(help="AE title of a device that gets a certificate of its own.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder that takes the certificates of devices.")] = None,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Make a root of this archive, and certificates of the server and of DICOM devices that it signs.

    A house with an authority of its own names its files in the settings instead.
    """
    from isocenter.app import now
    from isocenter.cli import settings
    from isocenter.cli.screen import Screen
    from isocenter.errors import Refused
    from isocenter.govern.certificates import issue, root

    screen = Screen(as_json)
    if client and out is None:
        raise Refused("certificates of devices without a folder", "their keys belong on the devices", "give --out")
    place = settings(folder).folder / "secrets" / "tls"
    authority = root(place, now())
    made = {"root": str(authority)}
    if host or not (place / "server.pem").exists():
        made["server"] = str(issue(place, "server", ["localhost", "127.0.0.1", *(host or [])], place, now()))
    for aet in client or []:
        assert out is not None
        made[aet] = str(issue(place, aet, [], out, now()))
    screen.answer(made)
    screen.say(f"root {authority}: give this file, and no key, to whoever shall trust this archive")
    for name, file in made.items():
        screen.say(f"   {name}: {file}")
