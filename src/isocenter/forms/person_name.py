"""A person's name as DICOM writes it (PS3.5, 6.2): Family^Given^Middle^Prefix^Suffix, in up to three scripts by '='."""

from __future__ import annotations

from typing import Any, Final

from isocenter.forms import words

__all__ = ["human_names", "read_out"]

_SCRIPTS: Final = ("ABC", "IDE", "SYL")
_SCRIPT_OF: Final = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
_COMPONENTS: Final = ("family", "given", "given", "prefix", "suffix")


def _groups(name: str) -> list[tuple[str, list[str]]]:
    """Script and components of each group that says a name."""
    groups = [
        (script, [words.one_line(part) for part in group.split("^")])
        for script, group in zip(_SCRIPTS, name.split("="), strict=False)
    ]
    return [(script, parts) for script, parts in groups if any(parts)]


def read_out(name: str) -> str:
    """The name as people read it: letters by a comma, ideographs by a space, both where both are there.

    >>> read_out("Yamada^Tarou=山田^太郎=やまだ^たろう"), read_out("=山田^花子"), read_out("Doe^Ann^^Dr")
    ('Yamada, Tarou (山田 太郎)', '山田 花子', 'Doe, Ann, Dr')
    """
    said = [(", " if script == "ABC" else " ").join(filter(None, parts)) for script, parts in _groups(name)[:2]]
    return f"{said[0]} ({said[1]})" if len(said) == 2 and said[0] != said[1] else (said or [""])[0]


def human_names(name: str) -> list[dict[str, Any]]:
    """HumanName of FHIR for each script, in their order; which script it is, is said where it is not plain.

    >>> human_names("Möller^Eva^Maria^Dr")
    [{'family': 'Möller', 'given': ['Eva', 'Maria'], 'prefix': ['Dr']}]
    """
    groups = _groups(name)
    plain = [script for script, _ in groups] == ["ABC"]
    return [_human(parts) | ({} if plain else _script(script)) for script, parts in groups]


def _human(parts: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for key, part in zip(_COMPONENTS, parts, strict=False):
        if part and key == "family":
            told[key] = part
        elif part:
            told.setdefault(key, []).append(part)
    return told


def _script(script: str) -> dict[str, Any]:
    return {"extension": [{"url": _SCRIPT_OF, "valueCode": script}]}
