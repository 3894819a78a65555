"""The generated pages of the manual: what code declares is never typed a second time."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from isocenter import wholly

__all__ = ["manual", "write_manual"]


def manual() -> dict[str, str]:
    """File name -> Markdown, from settings, commands, routes, methods, analyses and tables."""
    from isocenter.dicom.conformance import statement

    return {
        "settings.md": _settings(),
        "commands.md": _commands(),
        "routes.md": _routes(),
        "methods.md": _methods(),
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
        wholly.write(folder / name, text, durable=False)
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
            (
                y["what"]["meaning"] if y["what"] else ", ".join(y["maps"]), _few(y["units"]),
                "for research, no answer asked" if y["research"] else y["urgency"],
            )
            for y in said["yields"]
        ]  # fmt: skip
        parts.append(_table(("may say", "units", "urgency"), yields))
        if said["parameters"]:
            rows = [
                (f"`{p['name']}`", ", ".join(f"`{one}`" for one in p["choices"]) or p["type"], f"`{p['default']}`",
                 p["about"])
                for p in said["parameters"]
            ]  # fmt: skip
            parts.append(_table(("parameter", "takes", "default", "what it is"), rows))
        limits = said["limits"]
        parts.append(
            _table(
                ("card", "in words"),
                [*_card(said["card"]), ("Stopped after", f"{limits['seconds']:g} s or {limits['memory_mib']} MiB")],
            )
        )
    return "\n".join(parts)


def _card(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    titles = {
        "intended_use": "For", "not_for": "Not for", "limits": "Limits", "level": "Level of evidence",
        "sources": "Sources",
    }  # fmt: skip
    lists = {"limits": " ", "sources": "; "}
    return [
        (title, told[key] if isinstance(told[key], str) else lists.get(key, " ").join(told[key]))
        for key, title in titles.items()
        if key in told
    ]


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


def _commands() -> str:
    from isocenter.cli import everything
    from isocenter.cli.parts import PARTS

    known = everything()
    parts = [
        "# Commands\n\nMade from the command line. Every command knows `--json` (one JSON text in place of words) and"
        " `--help`; a refusal is one sentence and exit code 2.\n"
    ]
    for heading, names in PARTS.items():
        parts.append(f"## {heading}\n")
        parts += [_command(called, command) for name in names for called, command in _under(name, known[name])]
    return "\n".join(parts)


def _under(called: str, command: Any) -> Iterator[tuple[str, Any]]:
    """A command, or each of a group, by all the words that call it."""
    if not hasattr(command, "commands"):
        yield called, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _under(f"{called} {name}", inner)


def _command(called: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    line = " ".join((called, *(_placed(a) for a in arguments)))
    rows = [
        (f"`{_typed(p)}`", getattr(p, "help", None) or "", _default(p))
        for p in command.params
        if p.name not in ("as_json", "help") and not getattr(p, "hidden", False)
    ]
    said = inspect.cleandoc(command.help or "").replace("\b\n", "")
    return f"### isocenter {line}\n\n{said}\n" + (
        "\n" + _table(("argument or option", "what it is", "default"), rows) if rows else ""
    )


def _typed(parameter: Any) -> str:
    from isocenter.cli.kinds import kind_of

    kind = kind_of(parameter)
    if parameter.param_type_name == "argument":
        name = str(parameter.name).upper().replace("_", "-")
        return f"{name} {kind}" if "|" in kind else name
    return " ".join([*parameter.opts, *parameter.secondary_opts, kind]).rstrip()


def _placed(argument: Any) -> str:
    word = argument.name.upper().replace("_", "-")
    return (word if argument.required else f"[{word}]") + ("..." if argument.nargs == -1 else "")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "must be given"
    default = parameter.default
    if callable(default) or default in (None, "", (), [], False):
        return ""
    return f"`{default}`"


def _routes() -> str:
    from isocenter.doors.pages import routes
    from isocenter.govern.policy import RULES, Role

    everybody = set(Role)
    rows = [
        (
            method,
            f"`{path}`",
            says,
            "everybody" if RULES[verb].roles == everybody else ", ".join(sorted(RULES[verb].roles)),
        )
        for method, path, says, verb in routes()
    ]
    return (
        "# Routes\n\nMade from the server's own table; `GET /api/openapi.json` of a running server has the shapes."
        " DICOMweb and FHIR stand in the [conformance statement](conformance.md)."
        " Projects narrow what each role sees.\n\n" + _table(("method", "address", "what it does", "roles"), rows)
    )


def _methods() -> str:
    from isocenter import methods

    parts = [
        "# Methods\n\nMade from the docstrings. Arrays in, arrays out: no files, no DICOM, no network."
        " `help(...)` of each tells shapes, units, what is refused and the source of the formula.\n"
    ]
    for name in dir(methods):
        module = import_module(f"isocenter.methods.{name}")
        parts.append(f"## {name}\n\n{_paragraph(module)}\n\n`from isocenter.methods import {name}`\n")
        named = [(n, getattr(module, n)) for n in getattr(module, "__all__", ())]
        parts.append(_table(("name", "what it gives"), [(f"`{n}`", _sentence(thing)) for n, thing in named]))
    return "\n".join(parts)


def _paragraph(thing: Any) -> str:
    return re.split(r"\n\s*\n", inspect.getdoc(thing) or "")[0]


def _sentence(thing: Any) -> str:
    """What a thing says of itself, in its first paragraph; a constant has no words of its own but its value."""
    if inspect.isroutine(thing) or inspect.isclass(thing):
        return _paragraph(thing)
    text = repr(thing)
    return f"`{text}`" if len(text) <= 60 else type(thing).__name__


def _table(columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(c).replace("|", "\\|").replace("\n", " ") for c in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
