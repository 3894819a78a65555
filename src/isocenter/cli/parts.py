"""What `isocenter --help` shows under which heading, and in which order: the way from the first minute on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["PARTS", "in_parts", "name_of"]

PARTS = {
    "Begin here": ("demo", "serve", "receive", "analyse", "worklist"),
    "Analyse": ("analyses", "why", "check", "risk", "pattern", "similar"),
    "Read and report": ("studies", "open", "lock", "correct", "sign", "report", "send", "explain"),
    "Correct what was wrong": (
        "reject", "take-back", "rejections", "purge", "merge", "move", "undo", "identities",
    ),
    "Orders and other systems": ("peer", "order", "orders", "cancel", "commit", "elsewhere"),
    "Give images to others": (
        "deidentify", "export", "cohort", "pseudonyms", "share", "links", "confirm", "unshare", "fetch",
        "consent",
    ),
    "Look after the archive": (
        "person", "account", "questions", "project", "work", "verify", "scrub", "rebuild", "reread", "backup",
        "restore", "audit", "certificate", "sbom", "manual",
    ),
    "Seal projects": ("master-key", "seal", "seals", "rotate", "change-master", "erase"),
    "Train, judge and release models": (
        "models", "recipe", "train", "pretrain", "scope", "judge", "cases", "seeds", "recalibrate", "card", "sanity",
        "saliency", "release", "watch",
        "examples", "federate",
    ),
}  # fmt: skip
"""Heading -> commands and groups of commands."""

_ELSE = "Others"
_PLACE = {name: (heading, place) for heading, names in PARTS.items() for place, name in enumerate(names)}


def name_of(command: Any) -> str:
    """The word by which a command, or a group of commands, is called."""
    return str(command.name or command.callback.__name__.replace("_", "-"))


def in_parts(commands: Iterable[Any]) -> list[Any]:
    """Commands, or groups of them, each with its heading, in the order in which they are shown."""
    order, placed = [*PARTS, _ELSE], []
    for command in commands:
        heading, place = _PLACE.get(name_of(command), (_ELSE, 0))
        command.rich_help_panel = heading
        placed.append(((order.index(heading), place), command))
    return [command for _, command in sorted(placed, key=lambda one: one[0])]
