"""Commands of a department's exchange: orders in, and what became of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from isocenter.cli import Json, Limit, Offset, Where, app, house

if TYPE_CHECKING:
    from isocenter.cli.screen import Screen

__all__: list[str] = []


@app.command()
def order(
    files: Annotated[list[Path], typer.Argument(help="Worklist files (.wl, DICOM), or JSON: one order or a list.")],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Place orders, or change those that are here: they stand on the modality worklist at once."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE
    from isocenter.site.ordering import plain

    screen = Screen(as_json)
    given = [one for file in files for one in _orders(file)]
    with house(folder, make=True) as held:
        placed = held.site.ordering.place(given, source="file", who=HOUSE)
    screen.answer({"orders": [plain(one) for one in placed]})
    screen.say(f"{many(len(placed), 'order')} placed")


def _orders(file: Path) -> list[Any]:
    from isocenter.dicom.model import read_file
    from isocenter.dicom.worklist_item import order_of
    from isocenter.errors import NotFound, Refused
    from isocenter.record.order import read_order

    if not file.is_file():
        raise NotFound(f"'{file}'", "there is no such file", "check the path")
    data = file.read_bytes()
    if data[:1].strip() not in (b"{", b"["):
        return [order_of(read_file(data))]
    try:
        told = json.loads(data)
    except ValueError as wrong:
        raise Refused(f"'{file.name}'", f"it is no JSON ({wrong})", "look at the file") from None
    listed = told if isinstance(told, list) else [told]
    if not all(isinstance(one, dict) for one in listed):
        raise Refused(f"'{file.name}'", "an order is a JSON object", "look at the file")
    return [read_order(one) for one in listed]


@app.command()
def orders(
    state: Annotated[
        Literal["scheduled", "in progress", "completed", "discontinued", "cancelled"] | None,
        typer.Option(help="Only those that stand so."),
    ] = None,
    limit: Limit = 50,
    offset: Offset = 0,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """What is ordered, and what of it was performed."""
    from isocenter.cli.screen import Screen, paged
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE
    from isocenter.site.ordering import plain

    screen = Screen(as_json)
    with house(folder) as held:
        found = held.site.ordering.all(who=HOUSE, state=state or "")
    page = found[offset : offset + limit]
    screen.answer({"orders": [plain(one) for one in page], "total": len(found), "offset": offset})
    screen.table(
        paged(
            len(page), len(found), offset, many(len(found), "order"),
            none=f"no order is {state}" if state else "nothing is ordered yet: `isocenter order FILE` places an order",
        ),
        ("order", "due", "modality", "station", "procedure", "state"),
        [
            (o.order.id, o.order.date, o.order.modality, o.order.station_aet, o.order.procedure, o.state)
            for o in page
        ],
    )  # fmt: skip


@app.command()
def cancel(
    id: Annotated[str, typer.Argument(help="Id of the order, as `isocenter orders` shows it.")],
    reason: Annotated[str, typer.Option(help="Why it is taken back.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Take an order back: it leaves the modality worklist."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        held.site.ordering.cancel(id, reason, who=HOUSE)
    screen.answer({"cancelled": id})
    screen.say(f"order {id} is cancelled")


@app.command()
def commit(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    destination: Annotated[str, typer.Argument(help="AE title of a known peer.")],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Ask a peer to promise that it keeps every image of a study (DICOM storage commitment)."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        said = held.site.committing.ask(study, destination, who=HOUSE)
    screen.answer(said)
    screen.say(f"{destination}: {said['state']}")
    for uid in said["failed"]:
        screen.say(f"  not kept there: {uid}")
    if said["state"] == "not kept":
        raise typer.Exit(1)


def _taken(held: Any, study: str, wanted: str, peer: str, screen: Screen) -> dict[str, Any]:
    """Promise a study and wait until it has come, as long as anybody works; who stops waiting ends nothing."""
    from threading import Event

    from isocenter.govern.policy import HOUSE

    working = held.work.promise()
    held.site.fetching.fetch(study, wanted, peer=peer, who=HOUSE)
    last: dict[str, Any] = {"state": "waiting", "came": 0, "of": 0, "failed": 0, "why": ""}
    with screen.progress(f"study {wanted}") as far:
        while last["state"] != "ended" and working():
            told = held.site.fetching.going(study, who=HOUSE)
            last = next((one for one in told if (one["peer"], one["study"]) == (peer, wanted)), last)
            far(last["state"], last["came"], last["of"])
            Event().wait(0.2)
    return {"ended": last["state"] == "ended", **{name: last[name] for name in ("came", "failed", "why")}}


@app.command()
def elsewhere(
    study: Annotated[str, typer.Argument(help="Study Instance UID of a study of the patient.")],
    take: Annotated[str, typer.Option(help="UID of a study to have sent here; the server has to listen.")] = "",
    peer: Annotated[str, typer.Option(help="AE title of the peer that holds it.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Ask the peers which studies of a patient they hold that are not here (C-FIND), and have one sent (C-MOVE)."""
    from isocenter.cli.screen import Screen
    from isocenter.errors import Refused
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    if bool(take) != bool(peer):
        raise Refused("half of a study to be sent", "a study is sent by a peer", "give both --take and --peer")
    screen = Screen(as_json)
    if take:
        with house(folder) as held:
            said = _taken(held, study, take, peer, screen)
        screen.answer(said)
        if not said["ended"]:
            screen.say("promised: it comes as soon as `isocenter serve` or `isocenter work` runs here")
            return
        came = f"{many(said['came'], 'object')} came, {said['failed']} failed"
        screen.say(f"{came}: {said['why']}" if said["why"] else came)
        if not said["came"]:
            raise typer.Exit(1)
        return
    with house(folder) as held:
        said = held.site.fetching.elsewhere(study, who=HOUSE)
    screen.answer(said)
    for one in said["studies"]:
        doubt = f"  ({one['doubt']})" if one["doubt"] else ""
        words = one["description"] or " ".join(one["modalities"])
        screen.say(f"{one['date'] or 'no date':10}  {one['peer']:16}  {one['study']}  {words}{doubt}")
    for one in said["silent"]:
        screen.say(f"no answer of {one['peer']}: {one['why']}")
    if not said["studies"]:
        screen.say(f"nothing that is not here: {', '.join(said['asked']) or 'nobody'} answered")
