"""Commands of links: share, links, confirm, unshare, fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from isocenter.cli import Json, Limit, Offset, Where, app, house
from isocenter.cli.persons import hidden
from isocenter.errors import IsocenterError, Refused

__all__: list[str] = []


@app.command()
def share(
    studies: Annotated[list[str], typer.Argument(help="Study Instance UID; several for one link to all of them.")],
    hours: Annotated[float, typer.Option(help="How long the link opens; a year at most.")] = 72.0,
    to: Annotated[str, typer.Option(help="For whom, for the record.")] = "",
    may: Annotated[
        list[str] | None,
        typer.Option(metavar="view|download|measure", help="What they may; `fetch` needs download. Again for several."),
    ] = None,
    pseudonym: Annotated[
        bool, typer.Option("--pseudonym", help="Show no name, number or birth date; what is not surely clean stays.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Open nothing before you have confirmed who holds it (`confirm`).")
    ] = False,
    reason: Annotated[
        str, typer.Option(help="Why fewer than 5 alike patients may be shown under a pseudonym; the journal keeps it.")
    ] = "",
    institution: Annotated[str, typer.Option(help="House of whoever it is for, as terms of use name it.")] = "",
    country: Annotated[str, typer.Option(help="Where that is: two letters of ISO 3166, such as NG or DE.")] = "",
    transfer_reason: Annotated[
        str, typer.Option(help="Why it may leave the site's own region, where one is set; the journal keeps it.")
    ] = "",
    ask_word: Annotated[bool, typer.Option("--word", help="Ask for a word that must be said with it.")] = False,
    research: Annotated[
        bool, typer.Option("--research", help="For the research of another house: the terms of use have to permit it.")
    ] = False,
    address: Annotated[str, typer.Option(help="Address of this server as others reach it.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Give a link to studies; it ends by itself, can be ended, and leaves a trace of each look."""
    from isocenter.cli.screen import Screen, minute
    from isocenter.govern.consent import Purpose
    from isocenter.govern.policy import HOUSE
    from isocenter.govern.sharing import OLDER, May

    screen = Screen(as_json)
    word = hidden("Word", new=True) if ask_word else ""
    with house(folder) as held:
        purpose = Purpose.SHARING if research else Purpose.CARE
        try:
            allowed = {May(one) for one in may} if may else OLDER
        except ValueError:
            unknown = next(one for one in may or () if one not in tuple(May))
            raise Refused(f"--may {unknown}", f"known are {', '.join(May)}", "name one of them") from None
        secret, told = held.site.sharing.share(
            studies, who=HOUSE, hours=hours, to=to, word=word, purpose=purpose, may=allowed, pseudonym=pseudonym,
            check=check, reason=reason, institution=institution, country=country, transfer_reason=transfer_reason,
        )  # fmt: skip
        base = address.rstrip("/") or held.address
    link = f"{base}/shared#{secret}"
    screen.answer({"link": link, **told})
    opened = f"study {studies[0]}" if len(studies) == 1 else f"{len(studies)} studies"
    screen.say(
        f"{link}\nopens {opened} until {minute(told['until'])}, to {', '.join(told['may'])}; end it with"
        f" `isocenter unshare {told['id']}`"
    )
    if check:
        screen.say(
            f"code: {told['code']}\ntell it by another way than the link; when they have said who they are, answer with"
            f" `isocenter confirm {told['id']}`"
        )
    if urlsplit(base).hostname in ("127.0.0.1", "::1", "localhost"):
        screen.warn(
            "warning: this address leads to the server on this machine only. For somebody elsewhere say how they reach"
            " it: --address https://HOST, or the setting ISOCENTER_ADDRESS"
        )


@app.command()
def unshare(
    link: Annotated[str, typer.Argument(help="Name of the link, as `isocenter links` tells it.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """End a link now."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        held.site.sharing.end(link, who=HOUSE, reason=reason)
    screen.answer({"id": link, "ended": True})
    screen.say(f"link {link} opens nothing any more")


@app.command()
def confirm(
    link: Annotated[str, typer.Argument(help="Name of the link, as `isocenter links` tells it.")],
    refuse: Annotated[bool, typer.Option("--refuse", help="They are not who they say.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Confirm or refuse who holds a link that was given with `--check`."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        row = next((r for r in held.site.sharing.shares(who=HOUSE) if r["id"] == link), None)
        claim = (row or {}).get("claim") or {"id": "", "name": "nobody"}
        told = held.site.sharing.judge(link, claim["id"], not refuse, who=HOUSE, reason=reason)
    screen.answer(told)
    screen.say(f"link {link}: {claim['name']} is {told['identity']}")


@app.command()
def links(
    study: Annotated[str, typer.Option(help="Study Instance UID; all without it.")] = "",
    limit: Limit = 50,
    offset: Offset = 0,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Links that were given: to what, for whom, until when, how often used."""
    from isocenter.cli.screen import Screen, minute, paged
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        found = held.site.sharing.shares(who=HOUSE, study_uid=study)
    rows = found[offset : offset + limit]
    screen.answer({"links": rows, "total": len(found), "offset": offset})
    screen.table(
        paged(
            len(rows), len(found), offset, many(len(found), "link"),
            none=f"no link {'to this study ' if study else ''}was given yet: `isocenter share STUDY` gives one",
        ),
        ("link", "study", "by", "to", "may", "until", "opened", "looks", "opens"),
        [
            (r["id"], r["study"] if len(r["studies"]) == 1 else f"{len(r['studies'])} studies", r["by"], r["to"],
             ", ".join(r["may"]), minute(r["until"]), r["opened"], r["used"], _opens(r))
            for r in rows
        ],
    )  # fmt: skip


def _opens(row: dict[str, Any]) -> str:
    if row["closed"] or not row["lives"]:
        return f"no: {row['closed'] or 'its time is over, or it was ended'}"
    waits = {"wanted": "nobody has said who they are", "refused": "who they said they are was refused"}
    if row["identity"] == "pending":
        return f"no: {row['claim']['name']} waits to be confirmed"
    return f"no: {waits[row['identity']]}" if row["identity"] in waits else "yes"


@app.command()
def fetch(
    link: Annotated[str, typer.Argument(help="The whole link, https://…/shared#SECRET.")],
    ask_word: Annotated[bool, typer.Option("--word", help="The link asks for a word.")] = False,
    code: Annotated[str, typer.Option(help="Code that came with the link, where the other house confirms you.")] = "",
    name: Annotated[str, typer.Option(help="With --code: say who you are; fetch when that is confirmed.")] = "",
    insecure: Annotated[bool, typer.Option("--insecure", help="Take a link without TLS from another machine.")] = False,
    root: Annotated[
        Path | None,
        typer.Option(help="Root certificate (ca.pem) of the other house, where no public one signed its own."),
    ] = None,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Take studies that somebody shared into this archive; the ledger says whether what was expected came."""
    from isocenter.cli.screen import Screen
    from isocenter.doors.share_client import linked
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    word = hidden("Word") if ask_word else ""
    statuses: dict[str, list[str]] = {}
    expected: dict[str, int] = {}
    lost: list[dict[str, str]] = []
    with (
        house(folder, make=True) as held,
        screen.progress("fetching") as told,
        linked(link, word=word, code=code, insecure=insecure, root=root) as other,
    ):
        if name:
            screen.answer({"identity": (state := other.state(name))})
            screen.say(f"who you are: {state}; fetch again with --code when the other house has confirmed it")
            return
        for one in other.images():
            expected[one.study] = expected.get(one.study, 0) + 1
            came = statuses.setdefault(one.study, [])
            if isinstance(one.data, IsocenterError):
                lost.append({"sop_uid": one.sop_uid, "reason": str(one.data)})
                continue
            (stored,) = held.site.receive([one.data], sender="link", who=HOUSE)
            came.append(stored.status)
            if stored.status in ("conflict", "rejected"):
                lost.append({"sop_uid": one.sop_uid, "reason": stored.reason})
            told(one.sop_uid, sum(map(len, statuses.values())), sum(expected.values()))
        ledger = []
        for study, number in expected.items():
            counts = held.site.ledgers.taken_by_link(study, statuses[study], number, who=HOUSE)
            ledger.append({"study": study, **counts})
            rejected = counts["rejected"] + counts["conflict"]
            parts = {part: counts[part] for part in ("stored", "there", "missing")}
            other.tell(study, {"expected": number, "rejected": rejected, **parts})
    sums = {part: sum(row[part] for row in ledger) for part in ("offered", "stored", "there", "missing")}
    screen.answer({"stored": sums["stored"], "there": sums["there"], "lost": lost, "ledger": ledger})
    screen.say(
        f"{sums['offered']} expected: {sums['stored']} stored, {sums['there']} already there, {len(lost)} lost"
        f" ({sums['missing']} did not come)"
    )
    if lost:
        raise typer.Exit(1)
