"""Commands on what data may be used for: consent give, withdraw, show, asked, take, unasked."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from isocenter.cli import Json, Where, app, house

__all__: list[str] = []

consent = typer.Typer(help="What the data of a patient or a study may be used for.", no_args_is_help=True)
app.add_typer(consent, name="consent")

_Purpose = Literal["care", "research", "training", "federation", "sharing"]
Patient = Annotated[str, typer.Option(help="Patient's number (Patient ID).")]
Issuer = Annotated[str, typer.Option(help="Who gave the number out, where several did.")]
OfStudy = Annotated[str, typer.Option("--study", help="Study Instance UID; without it, all of the patient's.")]


@consent.command()
def give(
    terms: Annotated[
        list[str] | None,
        typer.Argument(
            help="Terms of DUO by letters or code, limited with '=': GRU, NPUNCU, DS=363346000, TS=2027-11-30."
        ),
    ] = None,
    patient: Patient = "",
    issuer: Issuer = "",
    study: OfStudy = "",
    refuse: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(get_args(_Purpose)), help="Refuse a purpose. Again for several."),
    ] = None,
    until: Annotated[str, typer.Option(help="When it ends by itself, as 2027-11-30.")] = "",
    source: Annotated[str, typer.Option(help="Where it is written: form, number, date.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Record terms of use, or that a purpose is refused."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        made = held.site.consents.give(
            _terms(terms or []), patient=patient, issuer=issuer, study=study, until=_day(until),
            refuses=[purpose_of(one) for one in refuse or []], source=source, who=HOUSE,
        )  # fmt: skip
        here = bool(study) or bool(held.site.index.studies({"PatientID": patient}, limit=1))
    screen.answer(made)
    screen.say(f"{made['id']}: {_words(made)}")
    if not here:
        screen.warn(f"warning: no study of a patient '{patient}' is here; the terms wait for one of that number")


@consent.command()
def withdraw(
    patient: Patient = "",
    issuer: Issuer = "",
    study: OfStudy = "",
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """End all terms of a patient or a study now, and list what they had reached: exports, links, cohorts, models."""
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        reached = held.site.consents.withdraw(patient=patient, issuer=issuer, study=study, reason=reason, who=HOUSE)
    screen.answer(reached)
    left = ("exports", "examples", "tables", "links", "sent")
    beyond = any(reached[what] for what in (*left, "models"))
    told = "what had left before cannot be called back:" if beyond else "nothing of them had left before"
    screen.say(f"withdrawn for {many(len(reached['studies']), 'study', 'studies')}; {told}")
    if not reached["studies"]:
        screen.warn("warning: no study of that number is here; look at it again: isocenter studies")
    for what in left:
        for row in reached[what]:
            of = f": {many(row['n'], 'image')} to learn {row['subject']} from" if what == "examples" else ""
            screen.say(f"   {what}: event {row['number']} of {row['time'][:10]} by {row['by']}{of}")
    for row in reached["models"]:
        screen.say(f"   model that learned from them: {row['model']} {row['version']} (known by {row['known_by']})")


@consent.command()
def show(
    patient: Patient = "", issuer: Issuer = "", study: OfStudy = "", folder: Where = None, as_json: Json = False
) -> None:
    """What stands, the newest first."""
    from isocenter.cli.screen import Screen, minute
    from isocenter.forms.words import many
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    with house(folder) as held:
        rows = held.site.consents.listed(patient=patient, issuer=issuer, study=study, who=HOUSE)
    screen.answer({"consents": rows})
    screen.table(
        many(len(rows), "statement") if rows else "nothing is stated: `isocenter consent give` records terms of use",
        ("id", "patient", "study", "terms", "until", "by"),
        [(r["id"], r["patient"], r["study"] or "all", _words(r), minute(r["until"] or ""), r["by"]) for r in rows],
    )  # fmt: skip


@consent.command()
def asked(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    purpose: Annotated[_Purpose, typer.Argument(help="What the data are wanted for.")],
    said: Annotated[
        list[str] | None,
        typer.Option("--say", help="What the terms want to know: ethics=EC-12, country=DE, non_profit."),
    ] = None,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """May a study be used so? Exit code 2 with the reason where it may not."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    wanted = purpose_of(purpose)
    with house(folder) as held:
        made = held.site.consents.allowed(study, wanted, who=HOUSE, **said_of(said or []))
    screen.answer({"allowed": made.allowed, "reason": made.reason, "by": made.by})
    screen.say(f"allowed: {made.reason}")


@consent.command()
def take(
    file: Annotated[Path, typer.Argument(help="FHIR Consent (R4, R5), a Bundle of them, or one a line.")],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Record FHIR Consents; one that cannot be read surely is named and changes nothing."""
    from isocenter.cli.screen import Screen
    from isocenter.errors import IsocenterError
    from isocenter.govern.consent_fhir import read
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    recorded: list[Any] = []
    refused: list[dict[str, str]] = []
    with house(folder) as held:
        for number, resource in enumerate(_resources(file), 1):
            try:
                recorded += held.site.consents.take_fhir(read(resource), who=HOUSE)
            except IsocenterError as wrong:
                refused.append({"number": str(number), "reason": str(wrong)})
    screen.answer({"recorded": recorded, "refused": refused})
    screen.say(f"{len(recorded)} recorded, {len(refused)} refused")
    screen.table("refused", ("number", "why"), [(r["number"], r["reason"]) for r in refused])
    if refused:
        raise typer.Exit(1)


@consent.command()
def unasked(
    purpose: Annotated[_Purpose, typer.Argument(help="What the data are wanted for; research with all its kinds.")],
    answer: Annotated[Literal["allow", "deny"], typer.Argument(help="What holds where nothing is known.")],
    reason: Annotated[str, typer.Option(help="Why; the journal keeps it.")],
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """What holds where nothing is known of a study. As shipped: care is allowed, everything else is not."""
    from isocenter.cli.screen import Screen
    from isocenter.govern.policy import HOUSE

    screen = Screen(as_json)
    wanted = purpose_of(purpose)
    with house(folder) as held:
        kept = held.site.preferences.site(who=HOUSE)
        said = {**(kept.settings.get("unasked") or {}), wanted.value: answer}
        held.site.preferences.change_site({"unasked": said}, version=kept.version, reason=reason, who=HOUSE)
    screen.answer({"unasked": said})
    screen.say(f"where nothing is known: {', '.join(f'{p} {a}' for p, a in said.items())}")


def said_of(said: list[str]) -> dict[str, Any]:
    """What is said of a use, ``name=value`` or a name alone for yes.

    Raises:
        Refused: nothing of that name can be said.
    """
    from isocenter.errors import Refused

    many = {"institution": "institutions", "country": "countries", "disease": "diseases", "topic": "topics"}
    flags = ("non_profit", "non_commercial", "publishes", "collaborates", "returns")
    told: dict[str, Any] = {}
    for one in said:
        name, equals, value = one.partition("=")
        if name in many and value:
            told[many[name]] = told.get(many[name], frozenset()) | {value}
        elif name in ("project", "ethics") and value:
            told[name] = value
        elif name in flags and not equals:
            told[name] = True
        else:
            known = ", ".join([*many, "project", "ethics", *flags])
            raise Refused(f"'{one:.40}' said of a use", f"known are {known}", "write for example ethics=EC-12")
    return told


def _terms(said: list[str]) -> dict[str, list[str]]:
    return {name: [v for v in values.split(",") if v] for name, _, values in (one.partition("=") for one in said)}


def purpose_of(said: str) -> Any:
    """A purpose by its name.

    Raises:
        Refused: there is none of that name.
    """
    from isocenter.errors import Refused
    from isocenter.govern.consent import Purpose

    try:
        return Purpose(said)
    except ValueError:
        raise Refused(f"the purpose '{said:.30}'", f"there are {', '.join(Purpose)}", "name one of them") from None


def _day(said: str) -> datetime | None:
    from datetime import UTC, timedelta

    from isocenter.errors import Refused

    if not said:
        return None
    try:
        return datetime.fromisoformat(said).replace(tzinfo=UTC) + timedelta(days=1)  # the day is meant to its end
    except ValueError as wrong:
        raise Refused(f"'{said:.20}'", "it is no date", "write it as 2027-11-30") from wrong


def _resources(file: Path) -> list[Any]:
    text = file.read_text("utf-8")
    try:
        held = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(held, dict) and held.get("resourceType") == "Bundle":
        return [entry.get("resource", {}) for entry in held.get("entry", [])]
    return held if isinstance(held, list) else [held]


def _words(row: dict[str, Any]) -> str:
    if not row["permits"]:
        return f"refuses {', '.join(row['refuses'])}"
    return " ".join(t["short"] + ("=" + ",".join(t["limited_to"]) if t["limited_to"] else "") for t in row["terms"])
