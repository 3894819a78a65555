"""Commands on what was wrong: reject, take-back, rejections, purge; merge, move, undo, identities."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from isocenter.cli import Json, Limit, Offset, Where, app, house
from isocenter.cli.persons import Account, Asking, signed_in

__all__: list[str] = []

_Reason = Annotated[str, typer.Option(help="Why, for the record.")]


@app.command()
def reject(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    reason: _Reason,
    code: Annotated[
        Literal["113001", "113037", "113038", "113039"],
        typer.Option(help="113001 quality, 113037 safety, 113038 wrong worklist entry, 113039 time is over."),
    ] = "113001",
    series: Annotated[str, typer.Option(help="Series Instance UID; the whole study without it.")] = "",
    instance: Annotated[list[str] | None, typer.Option(help="SOP Instance UID. Again for several.")] = None,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Take images out of use by a rejection note; nothing is deleted."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        told = held.site.rejecting.reject(
            study, code=code, reason=reason, series=series, instances=instance or [], who=HOUSE
        )
    screen.answer(told)
    screen.say(f"rejection {told['number']}: {many(len(told['instances']), 'object')} hidden ({told['meaning']})")


@app.command(name="take-back")
def take_back(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    number: Annotated[int, typer.Argument(help="Number of the rejection.")],
    reason: _Reason,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """End a rejection; its images are there again."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        told = held.site.rejecting.take_back(study, number, reason=reason, who=HOUSE)
    screen.answer(told)
    screen.say(f"rejection {number} was taken back")


@app.command()
def rejections(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    limit: Limit = 50,
    offset: Offset = 0,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """What was rejected of a study, by whom, why, and what became of it."""
    from isocenter.cli.screen import Screen, minute, paged
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        found = held.site.rejecting.rejections(study, who=HOUSE)
    rows = found[offset : offset + limit]
    screen.answer({"rejections": rows, "total": len(found), "offset": offset})
    screen.table(
        paged(
            len(rows), len(found), offset, many(len(found), "rejection"), none="nothing of this study was rejected"
        ),
        ("number", "state", "objects", "why", "reason", "by", "time"),
        [
            (r["number"], r["state"], len(r["instances"]), r["meaning"], r["reason"], r["by"], minute(r["time"]))
            for r in rows
        ],
    )  # fmt: skip


@app.command()
def purge(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    number: Annotated[int, typer.Argument(help="Number of the rejection.")],
    name: Account,
    reason: Asking = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Ask that what is rejected be erased for good, or erase what another administrator asked to erase."""
    from isocenter.cli.screen import Screen

    screen = Screen(as_json)
    with signed_in(folder, name) as (held, who):
        verbs: Any = held.site.rejecting
        told = verbs.ask_purge(study, number, reason=reason, who=who) if reason else verbs.purge(study, number, who=who)
    screen.answer(told)
    screen.say(f"rejection {number} is {told['state']}")


@app.command()
def merge(
    gone: Annotated[str, typer.Argument(help="Patient ID that ends, as ID or ID@issuer.")],
    stays: Annotated[str, typer.Argument(help="Patient ID that stays.")],
    reason: _Reason,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Make two patients one; what still arrives under the first is the second's."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        told = held.site.identities.merge(_identity(gone), _identity(stays), reason=reason, who=HOUSE)
    screen.answer(told)
    screen.say(f"change {told['number']}: now of {stays}: {many(len(told['studies']), 'study', 'studies')}")


@app.command()
def move(
    studies: Annotated[list[str], typer.Argument(help="Study Instance UIDs.")],
    patient: Annotated[str, typer.Option(help="Patient ID, known or new, as ID or ID@issuer.")],
    reason: _Reason,
    patient_name: Annotated[str, typer.Option(help="Name of a new patient, family^given.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Give studies to another patient: what was filed under the wrong one."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE
    from isocenter.record import Patient

    screen = Screen(as_json)
    id, issuer = _identity(patient)
    with house(folder) as held:
        told = held.site.identities.move(studies, Patient(id, patient_name, None, "", issuer), reason=reason, who=HOUSE)
    screen.answer(told)
    screen.say(f"change {told['number']}: now of {patient}: {many(len(told['studies']), 'study', 'studies')}")


@app.command()
def undo(
    change: Annotated[int, typer.Argument(help="Number of the merge or move.")],
    reason: _Reason,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Undo a merge or a move; what arrived since goes back, too."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        told = held.site.identities.undo(change, reason=reason, who=HOUSE)
    screen.answer(told)
    screen.say(f"change {change} was undone")


@app.command()
def identities(limit: Limit = 50, offset: Offset = 0, folder: Where = None, as_json: Json = False) -> None:
    """Patients that were merged and studies that were moved."""
    from isocenter.cli.screen import Screen, minute, paged
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        found = held.site.identities.changes(who=HOUSE)
    rows = found[offset : offset + limit]
    screen.answer({"changes": rows, "total": len(found), "offset": offset})
    screen.table(
        paged(
            len(rows), len(found), offset, many(len(found), "merge or move", "merges and moves"),
            none="no patients were merged and no studies moved; `isocenter merge` and `isocenter move` do it",
        ),
        ("number", "what", "studies", "into", "reason", "by", "time", "undone"),
        [(r["number"], r["what"], len(r["studies"]), r["into"]["id"], r["reason"], r["by"], minute(r["time"]),
          r["undone"] or "") for r in rows],
    )  # fmt: skip


def _identity(text: str) -> tuple[str, str]:
    id, _, issuer = text.partition("@")
    return id, issuer
