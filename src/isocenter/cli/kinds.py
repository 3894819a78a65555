"""What a help calls the value of an option or argument: FOLDER, NAME, UID, a|b|c; never a type of the language."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args, get_origin

__all__ = ["kind_of", "with_kinds"]

_BY_OPTION = {
    "--ask": "QUESTION", "--begin": "PATH", "--classes": "A,B,…", "--code": "CODE", "--country": "XX", "--data": "PATH",
    "--key": "KEY", "--issuer": "NAME", "--only": "NAME,…", "--peers": "AET@HOST:PORT,…", "--say": "TERM=VALUE",
    "--set": "NAME=VALUE", "--patient-name": "FAMILY^GIVEN", "--host": "HOST", "--address": "URL", "--wrap": "MODALITY",
    "--modality": "MODALITY", "--option": "OPTION", "--urgent": "UID",
}  # fmt: skip
"""Where the name of an option says it; of a file or folder, its help does."""

_BY_WORDS = (
    (r"Port\b|Its DICOM port", "PORT"),
    (r"Seconds\b", "SECONDS"),
    (r"Years?\b", "YEARS"),
    (r"(\w+ ){0,3}(Instance )?UID\b", "UID"),
    (r"AE title|Application entity", "AET"),
    (r"Patient", "ID"),
    (r"Id of", "ID"),
    (r"When|Time as", "TIME"),
    (r"Folder\b", "FOLDER"),
    (r"Why|How they were told|New words|Your opinion|Who was told", "WORDS"),
    (r"What belongs|For whom|On what ground|Where it is written", "WORDS"),
    (r"Name|What it is called|(Your a|A)ccount|Analysis|Model|Project|Reader|Recipe|House|A class|Let this", "NAME"),
    (r"With a cohort|With --code|Only cases of this group|Only numbers", "NAME"),
    (r"Keyword", "KEYWORD"),
)
"""How a help begins -> what the value is called."""

_PATHS = (
    (r"(Folder|File)s?( \([^)]*\))?(,| or\b| with one folder)", "PATH"),
    (r"Folder|Archive|Where (its|the)|Of `similar", "FOLDER"),
    (r"File|CSV|FHIR|package-lock|Write|Recipe|Append|Declare|What `|Root|Regions|Check the|Worklist", "FILE"),
)


def kind_of(parameter: Any) -> str:
    """The word for what is typed after an option, or in place of an argument; "" for a flag.

    It follows from the type, the option's own name and the words of its help.
    """
    if getattr(parameter, "is_flag", False):
        return ""
    if "|" in (parameter.metavar or ""):  # where a value is one of some words and the type cannot say so
        return str(parameter.metavar).replace(" | ", "|")
    type_ = parameter.type_descriptor.annotation
    inner = get_args(type_)[0] if get_origin(type_) is list else type_
    if choices := [one for one in get_args(inner) if isinstance(one, str)]:
        return "|".join(choices)
    option, said = max(parameter.opts, key=len), parameter.help or ""
    if isinstance(inner, type) and issubclass(inner, Path):
        return _first(_PATHS, said) or "PATH"
    if option in _BY_OPTION:
        return _BY_OPTION[option]
    number = "NUMBER" if inner in (int, float) else ""
    return _first(_BY_WORDS, said) or number or ("WORD" if option.startswith("-") else "")


def _broken_at_words(kind: str) -> str:
    return kind.replace("|", " | ")


def _first(table: tuple[tuple[str, str], ...], said: str) -> str:
    return next((word for begins, word in table if re.match(begins, said)), "")


def with_kinds(parameter: Any) -> None:
    """Let the help of a command call the value of a parameter by its kind, and an argument by its name in capitals."""
    if parameter.param_type_name != "argument":
        parameter.metavar = _broken_at_words(kind_of(parameter))
        return
    kind, name = _broken_at_words(kind_of(parameter)), parameter.name.upper().replace("_", "-")
    more = "..." if parameter.nargs == -1 else ""
    usage = (name if parameter.required else f"[{name}]") + more
    parameter.metavar = name + more
    parameter.display_type = lambda ctx: "" if kind == name else kind
    parameter.get_usage_pieces = lambda ctx: [usage]
