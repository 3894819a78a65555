"""Commands of Isocenter, each in a process of its own, forked from one that has loaded what all of them load.

Most of a short command is the start of Python and of libraries, a second of processor time each, and as much again
where it asks for the analyses. What a child meets is what `python -m isocenter` meets: its own words, standard streams
and exit code, and nothing that a command before it left, since no command runs in the process they are forked from.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NoReturn

__all__ = ["run"]

_held: list[subprocess.Popen[str]] = []


def run(*words: str, seconds: float = 240.0, **variables: str) -> CompletedProcess[str]:
    """What a command said and how it ended.

    Args:
        words: as typed behind `isocenter`.
        seconds: after which SIGALRM ends it.
        variables: of the environment, beside our own.
    """
    if not _held:  # it ends with its standard input, which is ours
        _held.append(
            subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
    loaded = _held[0]
    assert loaded.stdin is not None and loaded.stdout is not None
    environment = dict(os.environ) | variables
    with tempfile.TemporaryDirectory() as place:
        asked = {"words": words, "place": place, "at": str(Path.cwd()), "seconds": seconds, "environment": environment}
        loaded.stdin.write(json.dumps(asked) + "\n")
        loaded.stdin.flush()
        code = loaded.stdout.readline()
        assert code, "the process that commands are forked from ended"
        out, err = (Path(place, name).read_text(encoding="utf-8") for name in ("out", "err"))
    return CompletedProcess(["isocenter", *words], int(code), out, err)


def _serve() -> None:
    import isocenter.app
    import isocenter.cli.parts
    import isocenter.site.verbs  # noqa: F401
    from isocenter.analysis.registry import discover

    _ = discover().analyses  # no command sees this registry, only modules that need not be read again

    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(asked: dict[str, Any]) -> NoReturn:
    """The child: streams, place and environment as asked, then the command."""
    code = 1
    try:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(Path(asked["place"], name), os.O_CREAT | os.O_WRONLY, 0o600), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(asked["at"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.argv, sys.path[0] = ["isocenter", *asked["words"]], asked["at"]
        signal.setitimer(signal.ITIMER_REAL, asked["seconds"])
        runpy.run_module("isocenter", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:  # as Python ends: threads are waited for, what is registered runs, streams are flushed
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
