"""The generated pages of the manual: what code declares is never typed a second time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["manual", "write_manual"]


def manual() -> dict[str, str]:
    """File name -> Markdown, from settings, analyses, tables and the command line."""
    from isocenter.dicom.conformance import statement

    return {
        "settings.md": _settings(),
        "analyses.md": _analyses(),
        "life-cycles.md": _life_cycles(),
        "events.md": _events(),
        "conformance.md": statement(),
    }


def write_manual(folder: Path) -> list[Path]:
    """Write every generated page."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in manual().items():
        (folder / name).write_text(text, "utf-8")
        written.append(folder / name)
    return written


def _settings() -> str:
    from isocenter.settings import Settings

    rows = [
        (f"`ISOCENTER_{name.upper()}`", f"`{field.default}`" if str(field.default) else "", field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return "# Settings\n\nMade from `isocenter/settings.py`.\n\n" + _table(("setting", "default", "what it is"), rows)


def _analyses() -> str:
    from isocenter.analysis.describing import describe
    from isocenter.analysis.registry import discover

    parts = ["# Analyses\n\nMade from what each analysis declares.\n"]
    for analysis in discover().analyses.values():
        said = describe(analysis)
        parts.append(f"## {said['name']}\n\nVersion {said['version']}. {said['about'].splitlines()[0]}\n")
        parts.append(_table(("need", "in words"), list(said["needs"].items())))
        yields = [
            (y["what"]["meaning"] if y["what"] else ", ".join(y["maps"]), _few(y["units"]), y["urgency"])
            for y in said["yields"]
        ]
        parts.append(_table(("may say", "units", "urgency"), yields))
        if said["parameters"]:
            rows = [(f"`{p['name']}`", p["type"], f"`{p['default']}`") for p in said["parameters"]]
            parts.append(_table(("parameter", "type", "default"), rows))
        limits = said["limits"]
        parts.append(f"Limits: {limits['seconds']:g} s, {limits['memory_mib']} MiB.\n")
    return "\n".join(parts)


def _few(units: list[str]) -> str:
    return ", ".join(units) if len(units) <= 8 else "any unit of the table in `record/codes.py`"


def _life_cycles() -> str:
    from isocenter.flow import FLOW
    from isocenter.record import states

    parts = ["# Life cycles\n\nMade from `record/states.py` and `flow.py`.\n"]
    tables: Mapping[str, Any] = {
        "Reading": states.READING, "Job": states.JOB, "Model": states.MODEL, "Order": states.ORDER,
        "Performed procedure step": states.STEP, "Work item": states.WORKITEM,
    }  # fmt: skip
    for title, table in tables.items():
        steps = [(at, event, sentence, then) for (at, event), (sentence, then) in table.items()]
        parts.append(f"## {title}\n\n" + _table(("state", "event", "what happens", "next state"), steps))
    rows = [(r.event.value, r.verb, r.sentence) for r in FLOW]
    parts.append("## What the house does of itself\n\n" + _table(("after", "it does", "in words"), rows))
    return "\n".join(parts)


def _events() -> str:
    from isocenter.record import Kind

    return "# Events\n\nMade from `record/event.py`.\n\n" + _table(("event",), [(k.value,) for k in Kind])


def _table(columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(c).replace("|", "\\|").replace("\n", " ") for c in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
