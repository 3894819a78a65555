"""The card of a model on paper and as a page: a PDF/A, or one HTML file, of what `isocenter.govern.card` generated.

The same card gives the same bytes. Text enters either as data, never as markup.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from isocenter.errors import Refused
from isocenter.forms import maker, words

__all__ = ["lines", "page", "pdf"]

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;"
    "width:100%}th,td{border-top:1px solid #bbb;padding:.4rem .6rem;text-align:left;vertical-align:top;"
    "white-space:pre-wrap;overflow-wrap:anywhere}th{width:32%;font-weight:600}.unknown td{color:#595959}"
)
_SIZES = frozenset({"shape", "size"})
_RECIPE = "Recipe of the training"
_LONGEST = 4000  # characters of one field on paper; the JSON has all


def lines(value: Any) -> str:
    """A value of a card as words: figures with their interval, lists a line each.

    >>> lines({"auc": {"value": 0.9, "low": 0.8, "high": 0.95}})
    'auc: 0.900 (0.800 to 0.950)'
    >>> lines({"shape": [48, 48], "widths": [16, 32]})
    'shape: 48 × 48\\nwidths: 16, 32'
    """
    if isinstance(value, Mapping):
        if {"value", "low", "high"} <= set(value):
            return f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
        return "\n".join(
            f"{str(k).replace('_', ' ')}: {_size(v) if k in _SIZES else lines(v)}"
            for k, v in value.items() if v not in (None, "", [], {})
        )  # fmt: skip
    if isinstance(value, list | tuple):
        numbers = all(isinstance(v, int | float) for v in value)
        return (", " if numbers else "\n").join(lines(v) for v in value) if value else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return words.one_line(str(value))


def _size(value: Any) -> str:
    """A size in points or voxels on one line."""
    return " × ".join(map(lines, value)) if isinstance(value, list | tuple) and value else lines(value)


def _apart(told: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a training says of itself without its recipe, and the recipe: it has a table of its own, a setting a row."""
    said = told["says"]
    try:
        recipe = json.loads(said["recipe"]) if isinstance(said, Mapping) and "recipe" in said else None
    except (TypeError, ValueError):
        recipe = None
    if not isinstance(recipe, dict):
        return dict(told), {}
    return {**told, "says": {**said, "recipe": f"the table '{_RECIPE}' below"}}, recipe


def _settings(recipe: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Row by row; a setting of several parts has a line for each of them, and names stand beside each other."""
    rows = []
    for name, value in sorted(recipe.items()):
        if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            said = ", ".join(map(lines, value))
        elif name in _SIZES:
            said = _size(value)
        else:
            said = lines([] if value in (None, "", {}) else value)
        rows.append({"asks": name.replace("_", " "), "known": True, "says": said[:_LONGEST] or "none"})
    return rows


def pdf(card: Mapping[str, Any]) -> bytes:
    """The card as PDF/A-2b, dated as the card is.

    Raises:
        Refused: when it cannot be set.
    """
    import typst

    model = card["model"]
    told = f"{model['name']} {model['version']}, {model['state']}, weights {model['digest'][:16]}"
    data = {
        "title": words.one_line(f"Model card: {card['chai']['name']['says']}"),
        "author": maker.MAKER,
        "notice": card["notice"],
        "foot": words.one_line(f"{told}, {card['made'][:16]}"),
        "parts": [{"name": name, "rows": some} for name, some in _parts(card)],
    }
    at = int(datetime.fromisoformat(card["made"]).timestamp())
    template = Path(__file__).with_name("model_card.typ").read_bytes()
    try:
        made: Any = typst.compile(
            template, format="pdf", pdf_standards="a-2b", timestamp=at,
            sys_inputs={"card": json.dumps(data, ensure_ascii=False)},
        )  # fmt: skip
    except typst.TypstError as bad:
        raise Refused("a card that cannot be set", str(bad)[:300], "read it as JSON") from bad
    return bytes(made[0] if isinstance(made, list) else made)


def page(card: Mapping[str, Any]) -> str:
    """The card as one HTML file that needs nothing beside it: a table for each part, what is not known in grey."""
    model = card["model"]
    title = html.escape(f"Model card: {lines(card['chai']['name']['says'])}")
    told = f"{model['name']} {model['version']}, {model['state']}, weights {model['digest']}, {card['made'][:16]}"
    parts = "".join(
        f"<h2>{html.escape(name)}</h2><table><tbody>"
        + "".join(
            f'<tr{"" if row["known"] else " class=unknown"}><th scope="row">{html.escape(row["asks"])}</th>'
            f"<td>{html.escape(row['says'])}</td></tr>"
            for row in rows
        )
        + "</tbody></table>\n"
        for name, rows in _parts(card)
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style></head>\n<body><h1>{title}</h1>\n'
        f"<p><strong>{html.escape(card['notice'])}</strong></p><p>{html.escape(told)}</p>\n{parts}</body></html>\n"
    )


def _parts(card: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    chai = {k: _apart(told) for k, told in card["chai"].items()}
    recipe = {name: value for _, held in chai.values() for name, value in held.items()}
    return [
        ("Source attributes (45 CFR 170.315(b)(11)(iv)(B))", [
            _row(f"{k} {told['asks']}", told) for k, told in card["source_attributes"].items()
        ]),
        ("CHAI applied model card", [_row(k.replace("_", " "), told) for k, (told, _) in chai.items()]),
        *([(_RECIPE, _settings(recipe))] if recipe else []),
        ("Explanation", [_row("saliency", card["explanation"])]),
        ("Steps taken here", [
            {"asks": f"{s['when'][:16]} {s['by']}", "known": True,
             "says": words.one_line(f"{s['step']}: {s['reason']}")}
            for s in card["way"]["steps"]
        ] or [{"asks": "none", "known": False, "says": "it was released by nobody here"}]),
    ]  # fmt: skip


def _row(asks: str, told: Mapping[str, Any]) -> dict[str, Any]:
    said = lines(told["says"])
    cut = said if len(said) <= _LONGEST else said[:_LONGEST] + " … (the rest is in the JSON)"
    return {"asks": asks, "known": bool(told["known"]), "says": cut}
