"""A help says what is to be typed, never a type of the language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer import Context

from isocenter.cli import everything, plainly
from isocenter.cli.kinds import kind_of
from isocenter.forms.rejection import CODES
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import Role
from isocenter.learn.federation import METHODS as FEDERATED
from isocenter.learn.pretrain import METHODS as PRETRAINED
from isocenter.learn.recalibrate import HOW
from isocenter.learn.sanity_films import METHODS as FILMS
from isocenter.learn.sensitivity import METHODS as PICTURES
from isocenter.learn.tested import PICKS
from isocenter.methods.selection import RULES
from isocenter.record.states import ORDER

KINDS = {
    "FOLDER", "FILE", "PATH", "NAME", "NAME,…", "A,B,…", "UID", "ID", "AET", "AET@HOST:PORT,…", "HOST", "PORT", "URL",
    "NUMBER", "SECONDS", "YEARS", "TIME", "WORD", "WORDS", "NAME=VALUE", "TERM=VALUE", "FAMILY^GIVEN", "MODALITY",
    "OPTION", "adam", "QUESTION", "CODE", "KEY", "KEYWORD", "XX",
}  # fmt: skip


def each(called: str, command: Any) -> Iterator[tuple[str, Any]]:
    if inner := getattr(command, "commands", None):
        for name, one in inner.items():
            yield from each(f"{called} {name}", one)
    else:
        yield called, command


COMMANDS = [one for name, command in everything().items() for one in each(name, command)]


@pytest.mark.parametrize(("called", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_each_value_is_called_by_what_is_typed(
    called: str, command: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for one in command.params:
        kind = kind_of(one)
        assert kind in KINDS or "|" in kind or getattr(one, "is_flag", False) or one.param_type_name == "argument", one
    with Context(plainly(command), info_name=called) as told:
        print(command.get_help(told))
    said = capsys.readouterr().out
    assert not re.search(r"<(str|int|float|path|bool)>|list\[|\{\w+\}", said)
    for one in command.params:
        if one.param_type_name == "argument":
            assert re.search(rf"Usage: .*\b{one.name.upper()}\b", said), "an argument stands in the line by its name"


def test_the_kind_follows_from_type_name_and_words() -> None:
    of = {(called, max(one.opts, key=len)): kind_of(one) for called, command in COMMANDS for one in command.params}
    assert of["serve", "--port"] == "PORT" and of["account", "--role"] == "admin|reader|researcher|planner|service"
    assert of["judge", "--data"] == of["judge", "--out"] == of["receive", "paths"] == "PATH"
    assert of["export", "out"] == of["analyse", "--out"] == "FOLDER" and of["card", "--out"] == "FILE"
    assert of["scope", "--ask"] == "PATH" and of["cohort", "--ask"] == "QUESTION"
    assert of["reject", "--series"] == "UID" and of["sign", "--told"] == "WORDS" and of["studies", "--json"] == ""


def test_a_value_that_is_one_of_some_words_is_called_by_them() -> None:
    of = {(called, max(one.opts, key=len)): kind_of(one) for called, command in COMMANDS for one in command.params}
    for called, option, words in (
        ("export", "--purpose", set(Purpose) - {Purpose.CARE}), ("consent asked", "purpose", Purpose),
        ("consent give", "--refuse", Purpose), ("consent unasked", "purpose", Purpose), ("reject", "--code", CODES),
        ("recalibrate", "--how", HOW), ("pretrain", "--method", PRETRAINED), ("examples choose", "--rule", RULES),
        ("federate coordinate", "--method", FEDERATED), ("saliency", "--method", PICTURES),
        ("sanity", "--method", [*PICTURES, *(one for one in FILMS if one not in PICTURES)]),
        ("orders", "--state", {state for _, state in ORDER.values()}),
        ("project join", "role", set(Role) - {Role.PATIENT}), ("cases", "--of", PICKS),
    ):  # fmt: skip
        assert set(of[called, option].split("|")) == {str(one) for one in words}, (called, option)
    assert of["risk", "--unit"] == "mg/dL|mmol/L" and of["cases", "--on"] == "claimed|sealed|DIGEST"
    assert of["release", "--step"] == "test|compare|shadow|release|suspend|reject|retire"
    for called, command in COMMANDS:
        for one in command.params:
            assert not re.match(r"(Of (it|the|Adam)|How many\.|Years\.)", one.help or ""), (
                f"{called} {one.name}: of what?"
            )
