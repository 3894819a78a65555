"""What other programs call what is done here: who types such a word is told the command of this one."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CALLED", "command_for"]

CALLED: Mapping[str, tuple[str, ...]] = {
    "receive": ("add", "import", "index", "ingest", "load", "put", "store", "upload"),
    "studies": ("find", "list", "ls", "query", "search", "show"),
    "serve": ("run", "server", "start", "ui", "up", "viewer", "web"),
    "analyse": ("analyze", "infer", "inference", "predict", "process", "segment"),
    "train": ("finetune", "fit", "learn"),
    "judge": ("eval", "evaluate", "score", "test", "validate"),
    "deidentify": ("anon", "anonymise", "anonymize", "deid"),
    "reject": ("delete", "remove", "rm"),
    "account": ("login", "passwd", "password", "user", "users"),
    "audit": ("history", "journal", "log", "logs"),
    "report": ("sr",),
}
"""Command -> words for it elsewhere."""

_COMMAND = {word: command for command, words in CALLED.items() for word in words}


def command_for(word: str) -> str:
    """The command of this program that a word of others means; empty where it means none.

    >>> command_for("import"), command_for("analyze"), command_for("dance")
    ('receive', 'analyse', '')
    """
    return _COMMAND.get(word.lower(), "")
