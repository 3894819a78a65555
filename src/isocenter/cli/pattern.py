"""The command of patterns: where the numbers of one person stand among groups of people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from isocenter.cli import Json, app

__all__: list[str] = []

_ROWS = 200_000


@app.command()
def pattern(
    results: Annotated[Path, typer.Argument(help="What `analyse … --json` said of one person.")],
    groups: Annotated[Path, typer.Argument(help="CSV: a person a row, a column of groups, and columns of numbers.")],
    only: Annotated[str, typer.Option(help="Only numbers whose name begins so, such as liver-vessels.")] = "",
    age: Annotated[float | None, typer.Option(help="Years of age of the person; the groups have a column age.")] = None,
    by: Annotated[str, typer.Option(help="Name of the column of groups.")] = "group",
    as_json: Json = False,
) -> None:
    """Where the numbers of one person stand among groups of people, by age; no diagnosis.

    Columns are named as in the table of a cohort, such as liver-vessels.tortuosity.path-chord.
    """
    import csv

    from isocenter.cli.screen import Screen
    from isocenter.errors import NotFound, Refused
    from isocenter.methods.group_pattern import group_patterns

    for place in (results, groups):
        if not place.is_file():
            raise NotFound(f"no file {place}", "there is nothing to read", "check the path")
    values = {name: value for name, value in _numbers(results).items() if name.startswith(only)}
    try:
        with groups.open(newline="", encoding="utf-8-sig") as text:
            rows = [row for row, _ in zip(csv.DictReader(text), range(_ROWS), strict=False)]
    except (UnicodeDecodeError, csv.Error) as e:
        raise Refused(f"{groups.name} is no table", str(e)[:200], "save it as CSV in UTF-8") from e
    columns = list(rows[0]) if rows else []
    if by not in columns:
        raise Refused(f"no column '{by}' in {groups.name}", f"it has {', '.join(map(str, columns)) or 'no rows'}",
                      "name the column of groups by --by")  # fmt: skip
    if age is not None and "age" not in columns:
        raise Refused(f"an age and no column 'age' in {groups.name}", "it cannot be taken into account",
                      "leave --age out, or add the column")  # fmt: skip
    if values and not set(values) & set(columns):
        raise Refused(
            f"no number in common with {groups.name}",
            f"the person has {', '.join(values)}; the columns are {', '.join(map(str, columns))}",
            "name the columns of the table like the numbers of the person",
        )
    people = {name: [_number(row, name, k) for k, row in enumerate(rows, 2)] for name in values if name in columns}
    told = group_patterns(
        values, people, [str(row[by]).strip() for row in rows], age=age,
        ages=[_number(row, "age", k) for k, row in enumerate(rows, 2)] if age is not None else None,
    )  # fmt: skip
    screen = Screen(as_json)
    screen.answer(told)
    for one in told:
        aged = " of this age" if one.by_age else ""
        screen.say(f"{one.group}: {100 * one.typicality:.1f} of 100 people{aged} fit it worse (it has {one.n})")
        screen.table("", ("number", "here", "expected", "SD", "percentile"), [
            (s.name, f"{s.value:.4g}", f"{s.expected:.4g}", f"{s.sd:.2g}", f"{s.percentile:.1f}") for s in one.standings
        ])  # fmt: skip
        for line in one.remarks:
            screen.say(f"   {line}")
    screen.say("No diagnosis: how common the groups are is not asked, and who is in none fits one best all the same.")


def _numbers(results: Path) -> dict[str, float]:
    """What the answers of one study measured, by the names of a cohort's table; struck findings are left out."""
    import json

    from isocenter.errors import Refused
    from isocenter.population.table import field_name

    try:
        answers = json.loads(results.read_text("utf-8"))
        studies = {one["study_uid"] for one in answers}
        found: dict[str, float] = {}
        for one in answers:
            each = [("", m) for m in one["measurements"]]
            for finding in one["findings"]:
                if finding["verdict"] != "struck":
                    label = (finding["where"] or {}).get("label") or finding["what"]["meaning"]
                    each += [(label, m) for m in finding["measurements"]]
            for place, m in each:
                name = field_name(one["analysis"], place, m["what"]["meaning"], m.get("definition", ""))
                found[name] = max(float(m["value"]), found.get(name, float(m["value"])))
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise Refused(
            f"{results.name} holds no answers",
            f"{type(e).__name__}: {e}"[:200],
            "write it by `isocenter analyse … --json`",
        ) from e
    if len(studies) > 1:
        raise Refused(f"{results.name} is of {len(studies)} studies", "a pattern is of one person", "analyse one study")
    return found


def _number(row: dict[str, Any], name: str, line: int) -> float:
    from isocenter.errors import Refused

    text = str(row.get(name) or "").strip()
    try:
        return float(text) if text else float("nan")
    except ValueError:
        raise Refused(
            f"'{text:.40}' of {name} in row {line}", "it is no number", "leave it empty where not known"
        ) from None
